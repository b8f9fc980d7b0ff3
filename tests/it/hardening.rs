//! Another process of the same user tries to look into every command while it runs: its memory, its environment, its core file.
//!
//! Root may look into everything, so both run as another user where the tests are run by root.

use super::harness::run::BINARY;
use super::memory;
use crate::harness::{Sandbox, ci_markers};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A user and a group that no system gives to anyone.
const USER: &str = "4242";

/// In the environment of each process that is looked into.
const CANARY: &str = "canary-in-the-environment";

/// Prints what it can read of a process: the environment, and the stack, where the kernel puts arguments and environment.
const LOOK: &str = "cat /proc/$1/environ\n\
    stack=$(sed -n 's/^\\([0-9a-f]*\\)-.*\\[stack\\]$/\\1/p' /proc/$1/maps)\n\
    [ -z \"$stack\" ] || dd if=/proc/$1/mem bs=4096 count=64 iflag=skip_bytes skip=$((0x$stack)) 2>/dev/null\n\
    head -c 1 /proc/$1/mem\n";

/// A command line run by the user who is not root.
fn as_user(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", program]);
    command
}

/// A home that belongs to that user, and the program in it.
fn home() -> (Sandbox, PathBuf) {
    let mut sandbox = Sandbox::with_vault();
    sandbox.set("OWN_WORD", CANARY);
    let program = sandbox.write("bin/chatbot", std::fs::read(BINARY).unwrap());
    // One that the user could only execute would not be dumpable, hardened or not.
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(sandbox.root()).status().unwrap();
        assert!(given.success());
    }
    (sandbox, program)
}

/// A pipe that holds all it can: who writes to it waits. The reader keeps it open.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for size in [4096, 1] {
        while matches!(writer.write(&vec![b'.'; size]), Ok(1..)) {}
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// A process held at the first byte it writes or, if it reads before, at that.
struct Held {
    child: Child,
    _reader: std::io::PipeReader,
}

impl Held {
    /// Core files are allowed it: a limit that was 0 already would prove nothing.
    fn start(sandbox: &Sandbox, program: &Path, args: &[&str]) -> Self {
        let (reader, writer) = full_pipe();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited 2>/dev/null || ulimit -S -c $(ulimit -H -c); exec \"$@\"", "sh"]);
        let user = as_user(program.to_str().unwrap());
        command.arg(user.get_program()).args(user.get_args()).args(args);
        command.env_clear().envs(sandbox.env()).current_dir(sandbox.cwd());
        command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let held = Self { child: command.spawn().unwrap(), _reader: reader };
        let name = program.file_name().unwrap().to_str().unwrap();
        let begun = Instant::now();
        while held.state() != (name.to_owned(), 'S') {
            assert!(begun.elapsed() < Duration::from_secs(20), "{args:?} is not held: {:?}", held.state());
            std::thread::yield_now();
        }
        held
    }

    /// The name of the program that runs, and whether it sleeps.
    fn state(&self) -> (String, char) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let (name, rest) = stat.split_once('(').and_then(|(_, s)| s.rsplit_once(") ")).unwrap_or(("", " "));
        (name.to_owned(), rest.chars().next().unwrap_or(' '))
    }

    /// What another process of the user reads of it, and what that one is told.
    fn seen(&self) -> (String, String) {
        let output = as_user("sh").args(["-c", LOOK, "sh", &self.child.id().to_string()]).env_clear().output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn core_limit(&self) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Ends it as a failed assertion would; the core files it leaves.
    fn abort(mut self, sandbox: &Sandbox) -> Vec<PathBuf> {
        assert_eq!(self.child.try_wait().unwrap(), None, "it was not held");
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::ABORT).unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(6));
        let is_core = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core"));
        sandbox.files().into_iter().filter(is_core).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

#[test]
fn hardening_keeps_other_processes_of_the_user_out_of_every_command() {
    let (sandbox, program) = home();
    // What can be seen of a program without hardening: where that is nothing, the rest would prove nothing.
    let open = Held::start(&sandbox, Path::new("/bin/cat"), &[]);
    let (seen, said) = open.seen();
    if !seen.contains(CANARY) {
        return ci_markers::left_out("hardening-observed", &format!("no process can be looked into here: {said}"));
    }
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if matches!(yama.trim(), "" | "0") {
        assert_eq!(seen.matches(CANARY).count(), 2, "the environment, and the same in its memory: {said}");
    }
    assert_ne!(open.core_limit(), "0");
    let cores = open.abort(&sandbox);
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    assert!(!cores.is_empty() || pattern.contains(['/', '|', '%']), "no core file by the name of {pattern:?}");
    for core in &cores {
        std::fs::remove_file(core).unwrap();
    }

    let commands = memory::commands(&sandbox);
    assert!(commands.len() > 10, "{commands:?}");
    let mut faults = Vec::new();
    for args in commands.iter().map(|name| vec![name.as_str()]).chain(memory::MODES.iter().map(|mode| mode.to_vec())) {
        let held = Held::start(&sandbox, &program, &args);
        let (seen, said) = held.seen();
        if !seen.is_empty() || said.matches("Permission denied").count() != 3 {
            faults.push(format!("{args:?}: {} bytes are read of it: {said}", seen.len()));
        }
        if held.core_limit() != "0" {
            faults.push(format!("{args:?}: its core file may have {} bytes", held.core_limit()));
        }
        faults.extend(held.abort(&sandbox).iter().map(|core| format!("{args:?} leaves {}", core.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    ci_markers::ran("hardening-observed");
}
