//! How this program talks to a person: what goes to which stream, when there are colours, when a question can be asked.
//!
//! - Whatever is written is [`Displayable`], which sanitizes it, and goes through `terminal`, which alone writes.
//! - Standard output holds the answer alone. Notices, statistics, warnings and prompts go to standard error, and only when
//!   that is a terminal; errors always go there.
//! - Colour is decided for each stream by itself: `--color`, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a
//!   terminal that is not dumb.
//! - Nothing is asked unless standard input and standard error are terminals. What would have been asked is refused, with
//!   the option to use instead.
//! - The terminal is asked nothing, and its cursor never moves up.
//! - A reader that went away is no error: the program ends quietly.

use super::folding::folded;
use super::report::{Exit, Problem};
use super::terminal::{Control, Part, Stream, clipboard, size};
use crate::privacy::Displayable;
pub(crate) use crate::privacy::Style;
use crate::secret::Secret;
use anyhow::{Result, bail};
use serde::Serialize;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::Path;

/// When there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// Use colour if the terminal supports it
    #[default]
    Auto,
    /// Always use colour
    Always,
    /// Never use colour
    Never,
}

/// The reader of standard output went away.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct Gone;

/// What can be written: text, which is sanitized on its way, and text that was.
pub(crate) trait Shown {
    fn shown(self) -> Displayable;
}

impl Shown for &str {
    fn shown(self) -> Displayable {
        self.into()
    }
}

impl Shown for &String {
    fn shown(self) -> Displayable {
        self.into()
    }
}

impl Shown for Displayable {
    fn shown(self) -> Displayable {
        self
    }
}

impl Shown for &Displayable {
    fn shown(self) -> Displayable {
        self.clone()
    }
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
        let output_terminal = Stream::Output.is_terminal();
        let error_terminal = Stream::Error.is_terminal();
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

    /// How wide the terminal is; 80 columns where that is not known.
    pub(crate) fn width(&self) -> usize {
        size().map(|(columns, _)| columns).filter(|w| *w >= 20).unwrap_or(80)
    }

    /// How many lines the terminal has; 24 where that is not known.
    pub(crate) fn height(&self) -> usize {
        size().map(|(_, rows)| rows).filter(|h| *h >= 4).unwrap_or(24)
    }

    /// Whether a text has more lines than the terminal it would be written to.
    pub(crate) fn overflows(&self, text: &Displayable) -> bool {
        let rows = size().map(|(_, rows)| rows).filter(|r| *r >= 4);
        self.output_terminal && self.input_terminal && rows.is_some_and(|rows| text.plain().lines().count() >= rows)
    }

    /// The bytes of a text as standard output would be given it.
    pub(crate) fn output_bytes(&self, text: &Displayable) -> Vec<u8> {
        text.bytes(self.output_color).into_owned()
    }

    /// Standard output, in one piece, at once.
    pub(crate) fn out(&self, text: impl Shown) -> Result<()> {
        broken(Stream::Output.write(&text.shown(), self.output_color))
    }

    /// Standard output as one line of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<()> {
        self.out(Displayable::json(value)? + "\n")
    }

    /// Sentences on standard output, on a terminal broken between their words; what does not fit goes on so far in.
    pub(crate) fn say(&self, text: impl Shown, hang: usize) -> Result<()> {
        let text = text.shown();
        self.out(if self.output_terminal { text.laid_out(|text| folded(text, self.width(), hang)) } else { text })
    }

    /// The clipboard of the terminal, where the terminal allows it.
    pub(crate) fn copy_to_clipboard(&self, text: &Displayable) -> Result<()> {
        broken(clipboard(text))
    }

    /// A screen of its own, so that the terminal is afterwards what it was before.
    pub(crate) fn own_screen(&self, on: bool) -> Result<()> {
        let control = if on { Control::EnterScreen } else { Control::LeaveScreen };
        broken(Stream::Output.write_parts(&[Part::Control(control)], false))
    }

    /// Fills the own screen with these lines.
    pub(crate) fn repaint(&self, lines: &[Displayable]) -> Result<()> {
        let newline = Displayable::from("\n");
        let mut parts = vec![Part::Control(Control::Home)];
        for (n, line) in lines.iter().enumerate() {
            if n > 0 {
                parts.extend([Part::Control(Control::LineStart), Part::Text(&newline)]);
            }
            parts.extend([Part::Text(line), Part::Control(Control::EraseLineEnd)]);
        }
        parts.push(Part::Control(Control::EraseBelow));
        broken(Stream::Output.write_parts(&parts, self.output_color))
    }

    /// A notice for whoever watches.
    pub(crate) fn notice(&self, text: impl Shown) {
        if self.notices() {
            self.error_line(text.shown().one_line().styled(Style::Dim));
        }
    }

    /// A warning for whoever watches.
    pub(crate) fn warning(&self, text: impl Shown) {
        if self.notices() {
            self.error_line(self.paint(Style::Yellow, "warning:") + " " + text.shown().one_line());
        }
    }

    /// A sentence on standard error, whether it is a terminal or not; on one it is broken between its words.
    /// What begins with the program's name is one message and one line, whatever a server or a file puts into it.
    pub(crate) fn error_line(&self, text: impl Shown) {
        let text = text.shown();
        let text = if text.as_ref().starts_with("chatbot: ") { text.one_line() } else { text };
        self.error_raw(if self.error_terminal { text.laid_out(|text| folded(text, self.width(), 2)) } else { text });
    }

    /// A line on standard error, as it is.
    pub(crate) fn error_raw(&self, text: impl Shown) {
        self.error_parts(&[Part::Text(&(text.shown() + "\n"))]);
    }

    /// One line of JSON on standard error.
    pub(crate) fn error_json(&self, value: &serde_json::Value) {
        self.error_raw(Displayable::json_text(&value.to_string()));
    }

    /// A line that takes the place of the one before it; an empty one ends that.
    pub(crate) fn countdown(&self, text: &str) {
        if self.notices() {
            self.error_parts(&[Part::Control(Control::EraseLine), Part::Text(&Displayable::line(text))]);
        }
    }

    fn error_parts(&self, parts: &[Part<'_>]) {
        // There is nobody left to tell.
        Stream::Error.write_parts(parts, self.error_color).unwrap_or_default();
    }

    /// How far something has come, on one line that is written over; only for whoever watches.
    pub(crate) fn progress(&self, what: &str, done: usize, of: usize) {
        let step = (of / 100).max(1);
        if self.notices() && of > 1 && (done.is_multiple_of(step) || done == of) {
            let full = done * 30 / of;
            let text = Displayable::line(&format!("[{}{}] {done} of {of} {what} ", "█".repeat(full), "·".repeat(30 - full.min(30))));
            self.error_parts(&[Part::Control(Control::LineStart), Part::Text(&text)]);
        }
    }

    /// Clears the line of [`Ui::progress`].
    pub(crate) fn end_progress(&self) {
        if self.notices() {
            let empty = Displayable::from(" ".repeat(70));
            self.error_parts(&[Part::Control(Control::LineStart), Part::Text(&empty), Part::Control(Control::LineStart)]);
        }
    }

    /// A text with a style, which is left out where the stream has none.
    pub(crate) fn paint(&self, style: Style, text: impl Shown) -> Displayable {
        text.shown().styled(style)
    }

    /// Asks yes or no; yes needs a `y`. Where nobody can be asked, says which option would have answered.
    pub(crate) fn confirm(&self, question: impl Shown, option: &str) -> Result<bool> {
        Ok(matches!(self.ask(question.shown() + " [y/N] ", option)?.to_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for a line.
    pub(crate) fn ask(&self, question: impl Shown, option: &str) -> Result<String> {
        let question = question.shown();
        if !self.can_ask() {
            bail!(
                Problem::new(
                    Exit::Misuse,
                    "not_a_terminal",
                    format!("this needs an answer, but there is no terminal to ask on: {}", question.plain().trim())
                )
                .hint(format!("use {option}"))
            );
        }
        self.error_parts(&[Part::Text(&question)]);
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
                Problem::new(Exit::Misuse, "not_a_terminal", "cannot ask for a secret: there is no terminal".to_owned())
                    .hint(format!("use {option}"))
            );
        }
        // The prompt is an invitation: what is typed the moment it is seen must be hidden already.
        #[cfg(unix)]
        let _hush = Hush::of(io::stdin());
        let text = rpassword::prompt_password(Displayable::line(question).plain())
            .map_err(|e| anyhow::anyhow!("cannot read from the terminal: {}", e.kind()))?;
        Ok(Secret::new(text))
    }

    /// All of standard input, at most so many bytes.
    pub(crate) fn read_input(&self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().lock().take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            bail!(
                Problem::new(Exit::Refused, "too_long", format!("standard input has more than {most} bytes"))
                    .hint("raise `limits.max_attachment_bytes` in the settings, or shorten the input".to_owned())
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
                Problem::new(Exit::Key, "bad_key", "standard input is not UTF-8 text".to_owned())
                    .hint("pass only the secret, complete and on one line")
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

pub(super) fn broken(result: io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => bail!(Gone),
        other => Ok(other?),
    }
}

/// A panic says where it happened and not what about: its message could hold a word of the conversation. The terminal is
/// put back as it was found, because the process ends without unwinding.
///
/// An allocation that fails is no panic: the standard library prints its size, and a backtrace if
/// `RUST_BACKTRACE` asks for one, and aborts. Its hook for that, `set_alloc_error_hook`, is not
/// stable, and an allocator of our own would be unsafe code.
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
        let text =
            Displayable::line(&format!("chatbot: error: internal error{place}, please report this bug; saved data is intact")) + "\n";
        Stream::Error.write(&text, false).unwrap_or_default();
    }));
}

/// A path as it is shown: made harmless, and on one line.
pub(crate) fn shown(path: &Path) -> String {
    crate::privacy::Raw::from(path.display().to_string()).printable_line()
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
