//! `Run`: one command of the binary, which must succeed in silence unless the test expects
//! otherwise.

use super::sandbox::{Sandbox, Transcript};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_chatbot");

/// Long enough for a busy machine; only a hang takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A command to be run, and its expected result.
#[derive(Debug)]
#[must_use = "a run does nothing until it is checked"]
pub(crate) struct Run {
    command: Command,
    title: String,
    root: PathBuf,
    transcript: Transcript,
    stdin: Vec<u8>,
    deadline: Duration,
    stdout: String,
    stderr: String,
    code: i32,
}

/// The output of a command, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The command line.
    pub(crate) title: String,
    /// Standard output, whole.
    pub(crate) stdout: String,
    /// Standard error, whole.
    pub(crate) stderr: String,
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Run {
    pub(super) fn new<A: AsRef<OsStr>>(
        sandbox: &Sandbox,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args: Vec<OsString> = args.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let title = args.iter().fold(String::from("chatbot"), |line, a| {
            format!("{line} {}", a.to_string_lossy())
        });
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env_clear()
            .envs(sandbox.env())
            .current_dir(sandbox.cwd());
        Self {
            command,
            title,
            root: sandbox.root().to_path_buf(),
            transcript: sandbox.transcript(),
            stdin: Vec::new(),
            deadline: TIMEOUT,
            stdout: String::new(),
            stderr: String::new(),
            code: 0,
        }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        write!(self.title, " {}", arg.as_ref().to_string_lossy()).unwrap();
        self.command.arg(arg);
        self
    }

    /// Runs under resource limits of the shell, for example `ulimit -d 100000`.
    pub(crate) fn limited(mut self, limits: &str) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), BINARY])
            .args(self.command.get_args())
            .env_clear();
        shell.envs(
            self.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        shell.current_dir(self.command.get_current_dir().expect("a folder to work in"));
        self.command = shell;
        self
    }

    /// Standard input, through a pipe.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Sets a variable for this run.
    pub(crate) fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Expects this standard output, whole; `[..]` stands for anything within a line.
    pub(crate) fn stdout(mut self, text: impl Into<String>) -> Self {
        self.stdout = text.into();
        self
    }

    /// Expects this standard error, whole; `[..]` stands for anything within a line.
    pub(crate) fn stderr(mut self, text: impl Into<String>) -> Self {
        self.stderr = text.into();
        self
    }

    /// Expects this exit code.
    pub(crate) fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// Runs the command and compares everything.
    pub(crate) fn check(self) -> Output {
        let (stdout, stderr, code) = (self.stdout.clone(), self.stderr.clone(), self.code);
        let output = self.output();
        let mut wrong = String::new();
        if output.code != Some(code) {
            writeln!(wrong, "exit code: {:?}, expected {code}", output.code).unwrap();
        }
        for (stream, got, expected) in [
            ("stdout", &output.stdout, &stdout),
            ("stderr", &output.stderr, &stderr),
        ] {
            if !alike(got, expected) {
                writeln!(wrong, "{stream}:\n{}", difference(expected, got)).unwrap();
            }
        }
        assert!(
            wrong.is_empty(),
            "`{}`\n{wrong}\nwhole stdout:\n{}\nwhole stderr:\n{}",
            output.title,
            output.stdout,
            output.stderr
        );
        output
    }

    /// Runs the command and checks only its success: for the steps that prepare a test.
    pub(crate) fn succeeds(self) -> Output {
        let output = self.output();
        assert_eq!(
            output.code,
            Some(0),
            "`{}`\nstdout:\n{}\nstderr:\n{}",
            output.title,
            output.stdout,
            output.stderr
        );
        output
    }

    /// Runs the command and checks only the exit code.
    pub(crate) fn fails(self, code: i32) -> Output {
        let output = self.output();
        assert_eq!(
            output.code,
            Some(code),
            "`{}`\nstdout:\n{}\nstderr:\n{}",
            output.title,
            output.stdout,
            output.stderr
        );
        output
    }

    /// Runs the command and returns the result; only a hang fails here.
    pub(crate) fn output(self) -> Output {
        self.start().end()
    }

    /// Starts the command, to be waited for or killed.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("`{}` cannot be started: {e}", self.title));
        let mut pipe = child.stdin.take().expect("a pipe to it");
        let input = std::mem::take(&mut self.stdin);
        // The command may end without reading all of it.
        thread::spawn(move || drop(pipe.write_all(&input)));
        let (started, first_byte) = mpsc::channel();
        let stdout = collect(child.stdout.take().expect("its output"), Some(started));
        let stderr = collect(child.stderr.take().expect("its errors"), None);
        let pid = rustix::process::Pid::from_child(&child);
        Running {
            ended: wait(child),
            pid,
            stdout,
            stderr,
            first_byte,
            run: self,
        }
    }
}

/// A running command.
#[derive(Debug)]
pub(crate) struct Running {
    run: Run,
    pid: rustix::process::Pid,
    stdout: mpsc::Receiver<Vec<u8>>,
    stderr: mpsc::Receiver<Vec<u8>>,
    first_byte: mpsc::Receiver<()>,
    ended: mpsc::Receiver<ExitStatus>,
}

impl Running {
    /// The process id.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        self.pid
    }

    /// Waits for the first byte on standard output.
    pub(crate) fn begins(&self) {
        assert!(
            self.first_byte.recv_timeout(self.run.deadline).is_ok(),
            "`{}` says nothing",
            self.run.title
        );
    }

    /// Whether standard output is closed.
    pub(crate) fn is_through(&self) -> bool {
        matches!(
            self.first_byte.try_recv(),
            Err(mpsc::TryRecvError::Disconnected)
        )
    }

    /// Kills the process, as a power failure would.
    pub(crate) fn kill(self) -> Output {
        kill(self.pid);
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(self) -> Output {
        let Ok(status) = self.ended.recv_timeout(self.run.deadline) else {
            kill(self.pid);
            let output = self
                .stdout
                .recv_timeout(self.run.deadline)
                .unwrap_or_default();
            let errors = self
                .stderr
                .recv_timeout(self.run.deadline)
                .unwrap_or_default();
            panic!(
                "`{}` did not end within {:?}\nstdout:\n{}\nstderr:\n{}",
                self.run.title,
                self.run.deadline,
                String::from_utf8_lossy(&output),
                String::from_utf8_lossy(&errors)
            );
        };
        let mut streams = [&self.stdout, &self.stderr].map(|stream| {
            stream.recv_timeout(self.run.deadline).unwrap_or_else(|_| {
                panic!(
                    "`{}` ended, but someone still holds its output",
                    self.run.title
                )
            })
        });
        let mut transcript = self.run.transcript.lock().expect("the transcript");
        for (name, bytes) in ["stdout", "stderr"].iter().zip(&streams) {
            transcript.push((format!("{name} of `{}`", self.run.title), bytes.clone()));
        }
        drop(transcript);
        let root = self.run.root.to_string_lossy().into_owned();
        let [stdout, stderr] = streams
            .each_mut()
            .map(|bytes| String::from_utf8_lossy(bytes).replace(&root, "[ROOT]"));
        Output {
            title: self.run.title,
            stdout,
            stderr,
            code: status.code(),
        }
    }
}

fn collect(
    mut stream: impl Read + Send + 'static,
    first_byte: Option<mpsc::Sender<()>>,
) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            if let Some(first_byte) = first_byte.as_ref().filter(|_| bytes.is_empty()) {
                first_byte.send(()).ok();
            }
            bytes.extend_from_slice(&piece[..count]);
        }
        send.send(bytes).ok();
    });
    receive
}

pub(super) fn wait(mut child: Child) -> mpsc::Receiver<ExitStatus> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait().expect("the end of a process")).ok());
    receive
}

/// Kills a process that may have ended already.
pub(super) fn kill(pid: rustix::process::Pid) {
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
}

/// Whether `got` is `expected`, where `[..]` stands for anything within a line.
pub(crate) fn alike(got: &str, expected: &str) -> bool {
    let (got, expected): (Vec<&str>, Vec<&str>) =
        (got.split('\n').collect(), expected.split('\n').collect());
    got.len() == expected.len() && got.iter().zip(&expected).all(|(g, e)| line_is_like(g, e))
}

fn line_is_like(got: &str, expected: &str) -> bool {
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = got.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Both texts line by line, with a mark where they differ.
pub(crate) fn difference(expected: &str, got: &str) -> String {
    let (e, g): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let mut text = String::new();
    let same = e
        .iter()
        .zip(&g)
        .take_while(|(e, g)| line_is_like(g, e))
        .count();
    for line in &e[..same] {
        writeln!(text, "    {line}").unwrap();
    }
    for line in &e[same..] {
        writeln!(text, "  - {}", line.escape_debug()).unwrap();
    }
    for line in &g[same..] {
        writeln!(text, "  + {}", line.escape_debug()).unwrap();
    }
    if expected.ends_with('\n') != got.ends_with('\n') {
        text.push_str("  (they differ in their last newline)\n");
    }
    text
}

#[test]
fn wildcards_stay_within_a_line() {
    assert!(alike(
        "made 12 files in 3 s\n",
        "made [..] files in [..] s\n"
    ));
    assert!(alike("id abc", "id [..]"));
    assert!(alike("", ""));
    for (got, expected) in [
        ("a\nb", "[..]"),
        ("made 12 files", "made [..] folders"),
        ("aab", "a[..]aab"),
        ("x", ""),
        ("", "x"),
        ("a\n", "a"),
    ] {
        assert!(!alike(got, expected), "{got:?} {expected:?}");
    }
}
