//! The terminal's manners. This file owns the three streams; nobody else writes to them.
//!
//! - Standard output holds the answer alone. Notices, statistics, warnings and prompts go to standard error, and only when
//!   that is a terminal; errors always go there.
//! - Colour is decided for each stream by itself: `--color`, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a
//!   terminal that is not dumb.
//! - Nothing is asked unless standard input and standard error are terminals. What would have been asked is refused, with
//!   the option to use instead.
//! - The terminal is asked nothing, its cursor never moves up, and whatever is not ours is made harmless before it comes here.
//! - A reader that went away is no error: the program ends quietly.

use super::folding::folded;
use super::report::{Exit, Problem};
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

/// When there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that can.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// The reader of standard output went away.
#[derive(Debug, thiserror::Error)]
#[error("the reader went away")]
pub(crate) struct Gone;

/// Looks of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// What is there to be passed over.
    Dim,
    /// What is to be seen first.
    Bold,
    /// What went wrong.
    Red,
    /// What is worth a look.
    Yellow,
    /// What is well.
    Green,
}

/// The three streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    input_terminal: bool,
    output_terminal: bool,
    error_terminal: bool,
    output_color: bool,
    error_color: bool,
    quiet: bool,
}

impl Ui {
    /// Looks at the streams. `wish` is what the environment says about colour.
    pub(crate) fn new(color: Color, no_color: bool, force: bool, dumb: bool) -> Self {
        let input_terminal = io::stdin().is_terminal();
        let output_terminal = io::stdout().is_terminal();
        let error_terminal = io::stderr().is_terminal();
        let colored = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if no_color => false,
            Color::Auto if force => true,
            Color::Auto => terminal && !dumb,
        };
        Self {
            input_terminal,
            output_terminal,
            error_terminal,
            output_color: colored(output_terminal),
            error_color: colored(error_terminal),
            quiet: false,
        }
    }

    /// Without notices and statistics.
    pub(crate) fn hush(&mut self) {
        self.quiet = true;
    }

    pub(crate) fn input_is_terminal(&self) -> bool {
        self.input_terminal
    }

    pub(crate) fn output_is_terminal(&self) -> bool {
        self.output_terminal
    }

    /// Whether somebody can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.input_terminal && self.error_terminal
    }

    /// Whether standard error is a terminal.
    pub(crate) fn error_is_terminal(&self) -> bool {
        self.error_terminal
    }

    /// Whether notices are seen.
    pub(crate) fn notices(&self) -> bool {
        self.error_terminal && !self.quiet
    }

    /// How wide the terminal is; 80 where nobody knows.
    pub(crate) fn width(&self) -> usize {
        #[cfg(unix)]
        {
            let size = rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
            size.ok().map(|s| usize::from(s.ws_col)).filter(|w| *w >= 20).unwrap_or(80)
        }
        #[cfg(not(unix))]
        {
            80
        }
    }

    /// How many lines the terminal has; 24 where nobody knows.
    pub(crate) fn height(&self) -> usize {
        #[cfg(unix)]
        {
            let size = rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
            size.ok().map(|s| usize::from(s.ws_row)).filter(|h| *h >= 4).unwrap_or(24)
        }
        #[cfg(not(unix))]
        {
            24
        }
    }

    /// Whether a text has more lines than the terminal it would be written to.
    pub(crate) fn overflows(&self, text: &str) -> bool {
        #[cfg(unix)]
        {
            let rows = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|s| usize::from(s.ws_row)).filter(|r| *r >= 4);
            self.output_terminal && self.input_terminal && rows.is_some_and(|rows| text.lines().count() >= rows)
        }
        #[cfg(not(unix))]
        {
            let _ = text;
            false
        }
    }

    /// Standard output, in one piece, at once.
    pub(crate) fn out(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        broken(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// Sentences on standard output, on a terminal broken between their words; what does not fit goes on so far in.
    pub(crate) fn say(&self, text: &str, hang: usize) -> Result<()> {
        if self.output_terminal { self.out(&folded(text, self.width(), hang)) } else { self.out(text) }
    }

    /// Standard output as bytes.
    pub(crate) fn out_bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        broken(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// A notice for whoever watches.
    pub(crate) fn notice(&self, text: &str) {
        if self.notices() {
            let text = self.paint_error(Style::Dim, text);
            self.error_line(&text);
        }
    }

    /// A warning for whoever watches.
    pub(crate) fn warning(&self, text: &str) {
        if self.notices() {
            let word = self.paint_error(Style::Yellow, "warning:");
            self.error_line(&format!("{word} {text}"));
        }
    }

    /// A sentence on standard error, whether it is a terminal or not; on one it is broken between its words.
    pub(crate) fn error_line(&self, text: &str) {
        if self.error_terminal { self.error_raw(&folded(text, self.width(), 2)) } else { self.error_raw(text) }
    }

    /// A line on standard error, as it is.
    pub(crate) fn error_raw(&self, text: &str) {
        let mut err = io::stderr().lock();
        // There is nobody left to tell.
        writeln!(err, "{text}").unwrap_or_default();
    }

    /// A line that takes the place of the one before it; an empty one ends that.
    pub(crate) fn countdown(&self, text: &str) {
        if self.notices() {
            self.error_part(&format!("\r\x1b[K{text}"));
        }
    }

    fn error_part(&self, text: &str) {
        let mut err = io::stderr().lock();
        write!(err, "{text}").and_then(|()| err.flush()).unwrap_or_default();
    }

    /// How far something has come, on one line that is written over; only for whoever watches.
    pub(crate) fn progress(&self, what: &str, done: usize, of: usize) {
        let step = (of / 100).max(1);
        if self.notices() && of > 1 && (done.is_multiple_of(step) || done == of) {
            let full = done * 30 / of;
            self.error_part(&format!("\r[{}{}] {done} of {of} {what} ", "█".repeat(full), "·".repeat(30 - full.min(30))));
        }
    }

    /// Clears the line of [`Ui::progress`].
    pub(crate) fn end_progress(&self) {
        if self.notices() {
            self.error_part(&format!("\r{}\r", " ".repeat(70)));
        }
    }

    /// The text as it looks on standard output.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        painted(self.output_color, style, text)
    }

    /// The text as it looks on standard error.
    pub(crate) fn paint_error(&self, style: Style, text: &str) -> String {
        painted(self.error_color, style, text)
    }

    /// Asks yes or no; yes needs a `y`. Where nobody can be asked, says which option would have answered.
    pub(crate) fn confirm(&self, question: &str, option: &str) -> Result<bool> {
        Ok(matches!(self.ask(&format!("{question} [y/N] "), option)?.to_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for a line.
    pub(crate) fn ask(&self, question: &str, option: &str) -> Result<String> {
        if !self.can_ask() {
            bail!(
                Problem::new(Exit::Misuse, "not_a_terminal", format!("this needs an answer, and nobody can be asked: {}", question.trim()))
                    .hint(format!("use {option}"))
            );
        }
        self.error_part(question);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        if line.is_empty() {
            // The end of input is no answer.
            self.error_line("");
        }
        Ok(line.trim().to_owned())
    }

    /// Asks for a secret without echo. Where nobody can be asked, says which option to use instead.
    pub(crate) fn hidden(&self, question: &str, option: &str) -> Result<Secret> {
        if !self.can_ask() {
            bail!(
                Problem::new(Exit::Misuse, "not_a_terminal", "a secret is asked for on a terminal, and this is none".to_owned())
                    .hint(format!("use {option}"))
            );
        }
        // The prompt is an invitation: what is typed the moment it is seen must be hidden already.
        #[cfg(unix)]
        let _hush = Hush::of(io::stdin());
        let text = rpassword::prompt_password(question).map_err(|e| anyhow::anyhow!("cannot read from the terminal: {}", e.kind()))?;
        Ok(Secret::new(text))
    }

    /// All of standard input, at most so many bytes.
    pub(crate) fn read_input(&self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().lock().take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            bail!(
                Problem::new(Exit::Refused, "too_long", format!("standard input has more than {most} bytes"))
                    .hint("raise `limits.max_attachment_bytes` in the settings, or send less".to_owned())
            );
        }
        Ok(bytes)
    }

    /// A secret from standard input: its first line, without the line end.
    pub(crate) fn secret_input(&self) -> Result<Secret> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(4096));
        io::stdin().lock().take(4096).read_to_end(&mut bytes)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            bail!(
                Problem::new(Exit::Key, "bad_key", "what came on standard input is not text".to_owned())
                    .hint("give the secret alone, whole and on one line")
            );
        };
        Ok(Secret::new(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    /// The next line of standard input; `None` at its end.
    pub(crate) fn input_line(&self, most: u64) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = io::stdin().lock().take(most).read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok((read > 0).then_some(line))
    }
}

/// Standard input as a value, for what has to pass bytes through without gathering them.
pub(crate) fn input_stream() -> impl Read {
    io::stdin().lock()
}

/// Whether standard input is a file or a pipe, from which something can be expected; `/dev/null` and the like say nothing.
pub(crate) fn input_says_something() -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{FileType, fstat};
        fstat(io::stdin())
            .is_ok_and(|s| matches!(FileType::from_raw_mode(s.st_mode), FileType::RegularFile | FileType::Fifo | FileType::Socket))
    }
    #[cfg(not(unix))]
    {
        !io::stdin().is_terminal()
    }
}

fn painted(color: bool, style: Style, text: &str) -> String {
    let code = match style {
        Style::Dim => "2",
        Style::Bold => "1",
        Style::Red => "1;31",
        Style::Yellow => "33",
        Style::Green => "32",
    };
    if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn broken(result: io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => bail!(Gone),
        other => Ok(other?),
    }
}

/// A panic says where it happened and not what about: its message could hold a word of the conversation. The terminal is
/// put back as it was found, because the process ends without unwinding.
pub(crate) fn keep_panics_quiet() {
    #[cfg(unix)]
    let found = rustix::termios::tcgetattr(io::stdin()).ok();
    std::panic::set_hook(Box::new(move |panic| {
        #[cfg(unix)]
        if let Some(found) = &found {
            use rustix::termios::{OptionalActions, tcsetattr};
            tcsetattr(io::stdin(), OptionalActions::Now, found).unwrap_or_default();
        }
        let place = panic.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let mut err = io::stderr().lock();
        writeln!(err, "chatbot: error: this program has a bug{place}; what was kept is whole").unwrap_or_default();
    }));
}

/// A path as it is shown: made harmless.
pub(crate) fn shown(path: &Path) -> String {
    crate::privacy::Raw::from(path.display().to_string()).printable()
}

/// A terminal that shows nothing of what is typed, until this goes.
#[cfg(unix)]
struct Hush(io::Stdin, rustix::termios::Termios);

#[cfg(unix)]
impl Hush {
    fn of(terminal: io::Stdin) -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(&terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &quiet).ok()?;
        Some(Self(terminal, before))
    }
}

#[cfg(unix)]
impl Drop for Hush {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        rustix::termios::tcsetattr(&self.0, rustix::termios::OptionalActions::Now, &self.1).unwrap_or_default();
    }
}
