//! Another process of the same user tries to read the memory, the environment and the core file of
//! every command.

use super::harness::run::BINARY;
use super::memory;
use crate::harness::{Sandbox, ci_markers};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A user and group id that no system assigns.
const USER: &str = "4242";

/// Placed in the environment of each process under attack.
const CANARY: &str = "canary-in-the-environment";

/// Prints what another process can read: the environment, and the stack, where the kernel puts
/// arguments and environment.
const READ_PROCESS: &str = "cat /proc/$1/environ\n\
    stack=$(sed -n 's/^\\([0-9a-f]*\\)-.*\\[stack\\]$/\\1/p' /proc/$1/maps)\n\
    [ -z \"$stack\" ] || dd if=/proc/$1/mem bs=4096 count=64 iflag=skip_bytes skip=$((0x$stack)) 2>/dev/null\n\
    head -c 1 /proc/$1/mem\n";

/// A command that is run by the unprivileged user.
fn as_user(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", program]);
    command
}

/// A home of that user, with a copy of the program in it.
fn home() -> (Sandbox, PathBuf) {
    let mut sandbox = Sandbox::with_vault();
    sandbox.set("OWN_WORD", CANARY);
    let program = sandbox.write("bin/chatbot", std::fs::read(BINARY).unwrap());
    // A program that the user may execute but not read is never dumpable, so the test would prove
    // nothing.
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown")
            .args(["-R", &format!("{USER}:{USER}")])
            .arg(sandbox.root())
            .status()
            .unwrap();
        assert!(given.success());
    }
    (sandbox, program)
}

/// A full pipe, which blocks its writer. The reader keeps the pipe open.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for size in [4096, 1] {
        while matches!(writer.write(&vec![b'.'; size]), Ok(1..)) {}
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// A process that blocks at the first byte it writes or reads.
struct BlockedProcess {
    child: Child,
    _reader: std::io::PipeReader,
}

impl BlockedProcess {
    /// Core files are allowed: with a limit of 0 the test would prove nothing.
    fn start(sandbox: &Sandbox, program: &Path, args: &[&str]) -> Self {
        let (reader, writer) = full_pipe();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "ulimit -c unlimited 2>/dev/null || ulimit -S -c $(ulimit -H -c); exec \"$@\"",
            "sh",
        ]);
        let user = as_user(program.to_str().unwrap());
        command
            .arg(user.get_program())
            .args(user.get_args())
            .args(args);
        command
            .env_clear()
            .envs(sandbox.env())
            .current_dir(sandbox.cwd());
        command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let blocked = Self {
            child: command.spawn().unwrap(),
            _reader: reader,
        };
        let name = program.file_name().unwrap().to_str().unwrap();
        let begun = Instant::now();
        while blocked.state() != (name.to_owned(), 'S') {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{args:?} is not blocked: {:?}",
                blocked.state()
            );
            std::thread::yield_now();
        }
        blocked
    }

    /// The name of the running program, and whether it sleeps.
    fn state(&self) -> (String, char) {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let (name, rest) = stat
            .split_once('(')
            .and_then(|(_, s)| s.rsplit_once(") "))
            .unwrap_or(("", " "));
        (name.to_owned(), rest.chars().next().unwrap_or(' '))
    }

    /// What another process of the user can read, and the errors it gets.
    fn seen(&self) -> (String, String) {
        let output = as_user("sh")
            .args(["-c", READ_PROCESS, "sh", &self.child.id().to_string()])
            .env_clear()
            .output()
            .unwrap();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    fn core_limit(&self) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"))
            .unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Aborts the process and returns the core files it leaves.
    fn abort(mut self, sandbox: &Sandbox) -> Vec<PathBuf> {
        assert_eq!(self.child.try_wait().unwrap(), None, "it was not blocked");
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::ABORT,
        )
        .unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(6));
        let is_core = |file: &PathBuf| {
            file.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("core"))
        };
        sandbox.files().into_iter().filter(is_core).collect()
    }
}

impl Drop for BlockedProcess {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

#[test]
fn hardening_keeps_other_processes_of_the_user_out_of_every_command() {
    let (sandbox, program) = home();
    // Control: an unhardened program must be readable, or the rest of this test proves nothing.
    let open = BlockedProcess::start(&sandbox, Path::new("/bin/cat"), &[]);
    let (seen, errors) = open.seen();
    if !seen.contains(CANARY) {
        return ci_markers::left_out(
            "hardening-observed",
            &format!("no process can be looked into here: {errors}"),
        );
    }
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if matches!(yama.trim(), "" | "0") {
        assert_eq!(
            seen.matches(CANARY).count(),
            2,
            "the environment, and the same in its memory: {errors}"
        );
    }
    assert_ne!(open.core_limit(), "0");
    let cores = open.abort(&sandbox);
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    assert!(
        !cores.is_empty() || pattern.contains(['/', '|', '%']),
        "no core file by the name of {pattern:?}"
    );
    for core in &cores {
        std::fs::remove_file(core).unwrap();
    }

    let commands = memory::commands(&sandbox);
    assert!(commands.len() > 10, "{commands:?}");
    let mut faults = Vec::new();
    for args in commands
        .iter()
        .map(|name| vec![name.as_str()])
        .chain(memory::MODES.iter().map(|mode| mode.to_vec()))
    {
        let blocked = BlockedProcess::start(&sandbox, &program, &args);
        let (seen, errors) = blocked.seen();
        if !seen.is_empty() || errors.matches("Permission denied").count() != 3 {
            faults.push(format!(
                "{args:?}: {} bytes are read of it: {errors}",
                seen.len()
            ));
        }
        if blocked.core_limit() != "0" {
            faults.push(format!(
                "{args:?}: its core file may have {} bytes",
                blocked.core_limit()
            ));
        }
        faults.extend(
            blocked
                .abort(&sandbox)
                .iter()
                .map(|core| format!("{args:?} leaves {}", core.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    ci_markers::ran("hardening-observed");
}
