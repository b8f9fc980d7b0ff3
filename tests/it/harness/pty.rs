//! `Screen`: the binary on a real terminal, with simulated key presses.

use crate::harness::run::{BINARY, kill, wait};
use crate::harness::sandbox::{Sandbox, Transcript};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The limit for an answer on the screen, generous for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Ctrl-C, Ctrl-D and the other keys that tests press.
pub(crate) mod key {
    /// Interrupt.
    pub(crate) const CTRL_C: &str = "\x03";
    /// End of input.
    pub(crate) const CTRL_D: &str = "\x04";
    /// The return key.
    pub(crate) const ENTER: &str = "\r";
    /// A new line within the message.
    pub(crate) const CTRL_J: &str = "\n";
    /// Completion.
    pub(crate) const TAB: &str = "\t";
    /// The line before.
    pub(crate) const UP: &str = "\x1b[A";
}

/// A terminal with the binary in the foreground.
#[derive(Debug)]
pub(crate) struct Screen {
    title: String,
    keyboard: File,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    ended: mpsc::Receiver<ExitStatus>,
    pid: rustix::process::Pid,
    /// How much of the transcript has been waited for.
    seen: usize,
    size: (u16, u16),
    /// Whether the process was reaped: its id may then belong to another one.
    over: bool,
    transcript: Transcript,
}

#[derive(Debug, Default)]
struct Shown {
    bytes: Vec<u8>,
    closed: bool,
}

impl Screen {
    pub(crate) fn open<A: AsRef<OsStr>>(
        sandbox: &Sandbox,
        args: impl IntoIterator<Item = A>,
        columns: u16,
        rows: u16,
    ) -> Self {
        Self::open_program(sandbox, BINARY, args, columns, rows)
    }

    /// Runs another program, such as a shell.
    pub(crate) fn open_program<A: AsRef<OsStr>>(
        sandbox: &Sandbox,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        columns: u16,
        rows: u16,
    ) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&keyboard).expect("the terminal is granted");
        unlockpt(&keyboard).expect("the terminal is unlocked");
        let name = ptsname(&keyboard, Vec::new())
            .expect("the terminal has a name")
            .into_string()
            .expect("it is text");
        tcsetwinsize(&keyboard, size(columns, rows)).expect("the terminal has a size");
        let terminal = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(&name)
                .expect("the terminal opens")
        };

        // `setsid --ctty` makes the terminal the controlling one, so that Ctrl-C is a signal, and
        // then runs the binary.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program)
            .args(args)
            .env_clear()
            .env("TERM", "xterm-256color")
            .envs(sandbox.env());
        command
            .current_dir(sandbox.cwd())
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal());
        let title = format!("{:?}", command.get_args().skip(2).collect::<Vec<_>>());
        let child = command.spawn().expect("the binary starts on a terminal");
        drop(command);

        let keyboard = File::from(keyboard);
        let shown = Arc::new((Mutex::new(Shown::default()), Condvar::new()));
        let pid = rustix::process::Pid::from_child(&child);
        let (mut reader, shared) = (
            keyboard.try_clone().expect("the terminal is shared"),
            Arc::clone(&shown),
        );
        thread::spawn(move || {
            let mut piece = [0; 4096];
            loop {
                // Reading a terminal that no process holds any more is an error.
                let count = reader.read(&mut piece).unwrap_or(0);
                let mut shown = shared.0.lock().expect("the transcript");
                shown.bytes.extend_from_slice(&piece[..count]);
                shown.closed = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self {
            title,
            keyboard,
            shown,
            ended: wait(child),
            pid,
            seen: 0,
            size: (columns, rows),
            over: false,
            transcript: sandbox.transcript(),
        }
    }

    /// Presses keys.
    pub(crate) fn send(&mut self, keys: &str) -> &mut Self {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("the keyboard works");
        self
    }

    /// Types a line and the return key.
    pub(crate) fn line(&mut self, text: &str) -> &mut Self {
        self.send(text).send(key::ENTER)
    }

    /// Pastes text as a terminal with bracketed paste does.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.send(&format!("\x1b[200~{text}\x1b[201~"))
    }

    /// Waits until `text` is written after what was waited for before. Escape sequences do not
    /// count.
    pub(crate) fn wait_for(&mut self, text: &str) -> &mut Self {
        let started = Instant::now();
        let shared = Arc::clone(&self.shown);
        let mut shown = shared.0.lock().expect("the transcript");
        loop {
            let fresh = &shown.bytes[self.seen..];
            if let Some(end) = find_plain(fresh, text) {
                self.seen += end;
                break;
            }
            let left = TIMEOUT.saturating_sub(started.elapsed());
            if shown.closed || left.is_zero() {
                let why = if shown.closed {
                    "the program ended"
                } else {
                    "time is up"
                };
                let (all, fresh) = (
                    render(&shown.bytes, self.size),
                    String::from_utf8_lossy(fresh).into_owned(),
                );
                // Releases the lock first: a panic would poison it for the cleanup.
                drop(shown);
                panic!(
                    "{}: {why}, waiting for {text:?}\nthe screen:\n{all}\nsince the last wait: {fresh:?}",
                    self.title
                );
            }
            shown = shared
                .1
                .wait_timeout(shown, left)
                .expect("the transcript")
                .0;
        }
        drop(shown);
        self
    }

    /// Every byte that was written so far.
    pub(crate) fn transcript(&self) -> Vec<u8> {
        self.shown.0.lock().expect("the transcript").bytes.clone()
    }

    /// The lines of the screen and those that scrolled away.
    pub(crate) fn text(&self) -> String {
        render(&self.transcript(), self.size)
    }

    /// Resizes the window.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.size = (columns, rows);
        tcsetwinsize(&self.keyboard, size(columns, rows)).expect("the terminal has a size");
        self
    }

    /// The process id.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        self.pid
    }

    /// Waits for the end and returns the exit code, or 128 plus the signal.
    pub(crate) fn end(&mut self) -> i32 {
        let Ok(status) = self.ended.recv_timeout(TIMEOUT) else {
            panic!(
                "{}: it does not end\nthe screen:\n{}",
                self.title,
                self.text()
            );
        };
        self.over = true;
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().expect("the transcript");
        while !shown.closed {
            let (next, waited) = changed
                .wait_timeout(shown, TIMEOUT)
                .expect("the transcript");
            shown = next;
            assert!(
                !waited.timed_out(),
                "it ended, but someone still holds the terminal"
            );
        }
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    /// Kills the process.
    pub(crate) fn kill(&mut self) {
        kill(self.pid);
        self.end();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !self.over {
            kill(self.pid);
        }
        if let (Ok(shown), Ok(mut output)) = (self.shown.0.lock(), self.transcript.lock()) {
            output.push((format!("the screen of {}", self.title), shown.bytes.clone()));
        }
    }
}

const fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn render(bytes: &[u8], (columns, rows): (u16, u16)) -> String {
    let mut terminal = vt100::Parser::new(
        rows.try_into().expect("a row"),
        columns.try_into().expect("a column"),
        10_000,
    );
    terminal.process(bytes);
    terminal.screen_mut().set_scrollback(usize::MAX);
    let mut lines = Vec::new();
    // From the oldest line that scrolled away, one screen at a time.
    let mut above = terminal.screen().scrollback();
    while above > 0 {
        terminal.screen_mut().set_scrollback(above);
        lines.extend(terminal.screen().rows(0, columns).take(above));
        above = above.saturating_sub(usize::from(rows));
    }
    terminal.screen_mut().set_scrollback(0);
    lines.extend(terminal.screen().rows(0, columns));
    let text = lines
        .iter()
        .map(|l| l.trim_end())
        .collect::<Vec<_>>()
        .join("\n");
    format!("{}\n", text.trim_end())
}

/// Where the first `text` ends in `bytes`, without escape sequences and carriage returns.
fn find_plain(bytes: &[u8], text: &str) -> Option<usize> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut places = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == 0x1b {
            at += escape(&bytes[at..]);
            continue;
        }
        // Lines end with both characters, and a redrawn line begins with the first one.
        if byte != b'\r' {
            plain.push(byte);
            places.push(at);
        }
        at += 1;
    }
    let found = memchr::memmem::find(&plain, text.as_bytes())?;
    Some(places.get((found + text.len()).checked_sub(1)?)? + 1)
}

/// The length of the escape sequence at the start of `bytes`.
fn escape(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => bytes
            .iter()
            .skip(2)
            .position(|b| (0x40..=0x7e).contains(b))
            .map_or(bytes.len(), |n| n + 3),
        Some(b']') => bytes
            .iter()
            .position(|b| *b == 0x07)
            .map_or(bytes.len(), |n| n + 1),
        _ => bytes.len().min(2),
    }
}

#[test]
fn escape_sequences_are_not_text() {
    let bytes = b"\x1b[1mhel\x1b[0;32mlo\x1b[0m \x1b]0;title\x07there\r\n";
    assert_eq!(find_plain(bytes, "hello there"), Some(bytes.len() - 2));
    assert_eq!(find_plain(bytes, "title"), None);
    assert_eq!(
        render(b"one\r\ntwo\x1b[31mthree\x1b[0m\r\n", (80, 24)),
        "one\ntwothree\n"
    );
    let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(
        render(many.join("\r\n").as_bytes(), (80, 24)),
        many.join("\n") + "\n"
    );
}
