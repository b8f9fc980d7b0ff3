//! `Screen`: the binary on a real terminal, with someone at the keyboard.

use crate::harness::run::{BINARY, kill, wait};
use crate::harness::sandbox::{Heard, Sandbox};
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

/// How long an answer on the screen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ctrl-C, Ctrl-D and the other keys tests press.
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
    /// Whether its end was waited for: its number may then be another's.
    over: bool,
    transcript: Heard,
}

#[derive(Debug, Default)]
struct Shown {
    bytes: Vec<u8>,
    closed: bool,
}

impl Screen {
    pub(crate) fn open<A: AsRef<OsStr>>(sandbox: &Sandbox, args: impl IntoIterator<Item = A>, columns: u16, rows: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&keyboard).expect("the terminal is granted");
        unlockpt(&keyboard).expect("the terminal is unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("the terminal has a name").into_string().expect("it is text");
        tcsetwinsize(&keyboard, size(columns, rows)).expect("the terminal has a size");
        let terminal = || OpenOptions::new().read(true).write(true).open(&name).expect("the terminal opens");

        // `setsid --ctty` makes the terminal its controlling one, so that Ctrl-C is a signal, and then becomes the binary.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(BINARY).args(args).env_clear().envs(sandbox.env()).env("TERM", "xterm-256color");
        command.current_dir(sandbox.cwd()).stdin(terminal()).stdout(terminal()).stderr(terminal());
        let title = format!("{:?}", command.get_args().skip(2).collect::<Vec<_>>());
        let child = command.spawn().expect("the binary starts on a terminal");
        drop(command);

        let keyboard = File::from(keyboard);
        let shown = Arc::new((Mutex::new(Shown::default()), Condvar::new()));
        let pid = rustix::process::Pid::from_child(&child);
        let (mut eye, paper) = (keyboard.try_clone().expect("the terminal is shared"), Arc::clone(&shown));
        thread::spawn(move || {
            let mut piece = [0; 4096];
            loop {
                // A terminal nobody holds any more reads as an error.
                let count = eye.read(&mut piece).unwrap_or(0);
                let mut shown = paper.0.lock().expect("the transcript");
                shown.bytes.extend_from_slice(&piece[..count]);
                shown.closed = count == 0;
                paper.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { title, keyboard, shown, ended: wait(child), pid, seen: 0, size: (columns, rows), over: false, transcript: sandbox.heard() }
    }

    /// Presses keys.
    pub(crate) fn send(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).expect("the keyboard works");
        self
    }

    /// Types a line and the return key.
    pub(crate) fn line(&mut self, text: &str) -> &mut Self {
        self.send(text).send(key::ENTER)
    }

    /// Pastes, as a terminal with bracketed paste does.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.send(&format!("\x1b[200~{text}\x1b[201~"))
    }

    /// Waits until `text` is written, after what was waited for before. Escape sequences do not count.
    pub(crate) fn wait_for(&mut self, text: &str) -> &mut Self {
        let started = Instant::now();
        let paper = Arc::clone(&self.shown);
        let mut shown = paper.0.lock().expect("the transcript");
        loop {
            let fresh = &shown.bytes[self.seen..];
            if let Some(end) = find_plain(fresh, text) {
                self.seen += end;
                break;
            }
            let left = PATIENCE.saturating_sub(started.elapsed());
            if shown.closed || left.is_zero() {
                let why = if shown.closed { "the program ended" } else { "time is up" };
                let (all, fresh) = (rendered(&shown.bytes, self.size), String::from_utf8_lossy(fresh).into_owned());
                // The lock must not be poisoned for those who clean up.
                drop(shown);
                panic!("{}: {why}, waiting for {text:?}\nthe screen:\n{all}\nsince the last wait: {fresh:?}", self.title);
            }
            shown = paper.1.wait_timeout(shown, left).expect("the transcript").0;
        }
        drop(shown);
        self
    }

    /// Every byte that came so far.
    pub(crate) fn transcript(&self) -> Vec<u8> {
        self.shown.0.lock().expect("the transcript").bytes.clone()
    }

    /// What a person sees: the lines of the screen and those that scrolled away.
    pub(crate) fn text(&self) -> String {
        rendered(&self.transcript(), self.size)
    }

    /// Makes the window another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.size = (columns, rows);
        tcsetwinsize(&self.keyboard, size(columns, rows)).expect("the terminal has a size");
        self
    }

    /// Its process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        self.pid
    }

    /// Waits until it ends; its exit code, or 128 and the signal.
    pub(crate) fn end(&mut self) -> i32 {
        let Ok(status) = self.ended.recv_timeout(PATIENCE) else {
            panic!("{}: it does not end\nthe screen:\n{}", self.title, self.text());
        };
        self.over = true;
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().expect("the transcript");
        while !shown.closed {
            let (next, waited) = changed.wait_timeout(shown, PATIENCE).expect("the transcript");
            shown = next;
            assert!(!waited.timed_out(), "it ended, but someone still holds the terminal");
        }
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    /// Ends it at once.
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
        if let (Ok(shown), Ok(mut heard)) = (self.shown.0.lock(), self.transcript.lock()) {
            heard.push((format!("the screen of {}", self.title), shown.bytes.clone()));
        }
    }
}

const fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn rendered(bytes: &[u8], (columns, rows): (u16, u16)) -> String {
    let mut terminal = vt100::Parser::new(rows.try_into().expect("a row"), columns.try_into().expect("a column"), 10_000);
    terminal.process(bytes);
    terminal.screen_mut().set_scrollback(usize::MAX);
    let mut lines = Vec::new();
    // From the oldest line that scrolled away, a screen at a time.
    let mut above = terminal.screen().scrollback();
    while above > 0 {
        terminal.screen_mut().set_scrollback(above);
        lines.extend(terminal.screen().rows(0, columns).take(above));
        above = above.saturating_sub(usize::from(rows));
    }
    terminal.screen_mut().set_scrollback(0);
    lines.extend(terminal.screen().rows(0, columns));
    let text = lines.iter().map(|l| l.trim_end()).collect::<Vec<_>>().join("\n");
    format!("{}\n", text.trim_end())
}

/// Where the first `text` ends in `bytes`, read without escape sequences and carriage returns.
fn find_plain(bytes: &[u8], text: &str) -> Option<usize> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut places = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == 0x1b {
            at += escape(&bytes[at..]);
            continue;
        }
        // Lines end with both characters, and a redrawn one begins with the first.
        if byte != b'\r' {
            plain.push(byte);
            places.push(at);
        }
        at += 1;
    }
    let found = memchr::memmem::find(&plain, text.as_bytes())?;
    Some(places.get((found + text.len()).checked_sub(1)?)? + 1)
}

/// How long the escape sequence is that `bytes` begin with.
fn escape(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => bytes.iter().skip(2).position(|b| (0x40..=0x7e).contains(b)).map_or(bytes.len(), |n| n + 3),
        Some(b']') => bytes.iter().position(|b| *b == 0x07).map_or(bytes.len(), |n| n + 1),
        _ => bytes.len().min(2),
    }
}

#[test]
fn escape_sequences_are_not_text() {
    let bytes = b"\x1b[1mhel\x1b[0;32mlo\x1b[0m \x1b]0;title\x07there\r\n";
    assert_eq!(find_plain(bytes, "hello there"), Some(bytes.len() - 2));
    assert_eq!(find_plain(bytes, "title"), None);
    assert_eq!(rendered(b"one\r\ntwo\x1b[31mthree\x1b[0m\r\n", (80, 24)), "one\ntwothree\n");
    let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(rendered(many.join("\r\n").as_bytes(), (80, 24)), many.join("\n") + "\n");
}
