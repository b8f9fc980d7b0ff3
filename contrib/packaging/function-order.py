#!/usr/bin/env python3
"""Writes `linker.ld`: the functions that a start and one question call, so that they are next to
each other in the program. Linux on x86-64 only.

    cargo build --profile dist --config 'profile.dist.strip=false'
    python3 contrib/packaging/function-order.py target/dist/chatbot linker.ld

The kernel maps 64 KB around each page that is touched: scattered over the program, 0.7 MB of
functions took 7 MB of memory. A function that a later version adds or renames is merely not
gathered, so this is repeated when the memory of one question has grown.

Each function of the program begins with a breakpoint that is removed when it is reached.
"""

import ctypes
import http.server
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

PTRACE_TRACEME, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS = 0, 7, 12, 13
RIP = 16
BREAKPOINT = b"\xcc"
ANSWER = (
    b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"**A** `b`.\\n"},'
    b'"finish_reason":"stop"}]}\n\ndata: {"id":"1","choices":[],"usage":{"prompt_tokens":1,'
    b'"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n'
)

SCRIPT = """\
/* Made by contrib/packaging/function-order.py, which says why functions are gathered. Unwinding tables
   are 1 MB; a panic ends the program without unwinding, and nothing reads a stack: there are neither
   symbols nor core files. */
SECTIONS
{{
  /DISCARD/ : {{ *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table*) }}
  .text.start :
  {{
{}    *(.text.unlikely.*)
  }}
}}
INSERT BEFORE .text;
"""

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *arguments):
        pass


def functions(program):
    """The names of the functions at each address."""
    found = {}
    listed = subprocess.run(["nm", "-S", program], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tTwW" and int(fields[1], 16) > 0:
            found.setdefault(int(fields[0], 16), []).append((fields[3], int(fields[1], 16)))
    return found


def run(program, arguments, environment, starts):
    """Runs the program and returns the addresses of the functions that were called."""
    child = os.fork()
    if child == 0:
        libc.ptrace(PTRACE_TRACEME, 0, None, None)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.execve(program, [program, *arguments], environment)
    os.waitpid(child, 0)
    with open(f"/proc/{child}/maps", encoding="utf-8") as maps:
        base = min(int(line.split("-")[0], 16) for line in maps if program in line)
    called = set()
    registers = ctypes.create_string_buffer(27 * 8)
    with open(f"/proc/{child}/mem", "r+b", buffering=0) as memory:
        original = {}
        for start in starts:
            memory.seek(base + start)
            original[start] = memory.read(1)
            memory.seek(base + start)
            memory.write(BREAKPOINT)
        pending = 0
        while True:
            libc.ptrace(PTRACE_CONT, child, None, pending)
            _, status = os.waitpid(child, 0)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                if status != 0:
                    sys.exit(f"{arguments} ended with status {status}")
                return called
            pending = os.WSTOPSIG(status)
            if pending != signal.SIGTRAP:
                continue
            pending = 0
            libc.ptrace(PTRACE_GETREGS, child, None, registers)
            at = int.from_bytes(registers[RIP * 8 : RIP * 8 + 8], "little") - 1
            if at - base in original:
                called.add(at - base)
                memory.seek(at)
                memory.write(original[at - base])
                registers[RIP * 8 : RIP * 8 + 8] = at.to_bytes(8, "little")
                libc.ptrace(PTRACE_SETREGS, child, None, registers)


def pattern(name):
    """The name without its hashes, which differ between compilers."""
    if name.startswith("_R"):
        return re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", re.sub(r"\.(llvm\.)?\d+$", "", name)) + "*"
    return re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", name)


def main():
    program, output = os.path.realpath(sys.argv[1]), sys.argv[2]
    found = functions(program)
    server = http.server.HTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        os.mkdir(f"{home}/config", 0o700)
        with open(f"{home}/config/config.toml", "w", encoding="utf-8") as settings:
            settings.write('provider = "mock"\nmodel = "model"\n[providers.mock]\n')
            settings.write(f'base_url = "http://127.0.0.1:{server.server_port}/v1"\n')
            settings.write('key = "env:MOCK_KEY"\n')
        os.chmod(f"{home}/config/config.toml", 0o600)
        environment = {"HOME": home, "CHATBOT_HOME": home, "MOCK_KEY": "sk-" + "a1b2" * 12}
        started = run(program, ["--version"], environment, found)
        question = ["ask", "--no-log", "Who is jo@example.org?"]
        called = started | run(program, question, environment, found)
    # For each pattern: the bytes of functions that a start calls, that a question calls, and of all.
    # A pattern of a generic function also matches those for other types.
    sizes = {}
    for start, names in found.items():
        for name, size in names:
            total = sizes.setdefault(pattern(name), [0, 0, 0])
            total[0] += size if start in started else 0
            total[1] += size if start in called else 0
            total[2] += size
    groups = ([], [], [], [])
    for name, (at_start, used, total) in sorted(sizes.items()):
        if used > 0:
            others = total - used
            group = 3 if others > 8192 else 2 if others > 512 else 0 if at_start > 0 else 1
            groups[group].append(f"      .text.{name}\n")
    gathered = "".join("    *(\n" + "".join(group) + "    )\n" for group in groups)
    with open(output, "w", encoding="utf-8") as script:
        script.write(SCRIPT.format(gathered))
    print(len(called), "functions")


main()
