//! Output, prompts and colours: which stream gets what, and when a question can be asked.
//!
//! - Everything written is [`Displayable`], which sanitizes it, and goes through `output`, the only
//!   file that writes.
//! - Standard output has only the answer. Notices, statistics, warnings and prompts go to standard
//!   error, and only if that is a terminal; errors always go there.
//! - Colour is decided for each stream: `--color`, then `NO_COLOR`, then `CLICOLOR_FORCE`, then
//!   whether it is a terminal and `TERM` is not `dumb`.
//! - Nothing is asked unless standard input and standard error are terminals. Otherwise the error
//!   names the option to use instead.
//! - The terminal is never queried, and the cursor never moves up.
//! - A closed standard output is not an error: the program ends quietly.

pub(super) mod format;
pub(super) mod output;
mod prompt;
pub(super) mod wrap;

use crate::cli::term::output::{
    Control, OutputPart, OutputStream, copy_to_clipboard, terminal_size,
};
use crate::cli::term::wrap::wrap_text;
use crate::config::Notification;
use crate::privacy::Displayable;
pub(crate) use crate::privacy::Style;
use anyhow::{Result, bail};
pub(crate) use prompt::{SingleKeys, input_stream, stdin_has_data, take_lines_typed_ahead};
use serde::Serialize;
use std::io::{self, IsTerminal};
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

/// Standard output was closed by its reader.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct BrokenPipeError;

/// Text that can be written: a plain string is sanitized on its way, [`Displayable`] already is.
pub(crate) trait ToDisplayable {
    fn to_displayable(self) -> Displayable;
}

impl ToDisplayable for &str {
    fn to_displayable(self) -> Displayable {
        self.into()
    }
}

impl ToDisplayable for &String {
    fn to_displayable(self) -> Displayable {
        self.into()
    }
}

impl ToDisplayable for Displayable {
    fn to_displayable(self) -> Displayable {
        self
    }
}

impl ToDisplayable for &Displayable {
    fn to_displayable(self) -> Displayable {
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
    /// The terminal can do nothing but show text.
    dumb: bool,
    quiet: bool,
}

impl Ui {
    /// Inspects the streams. `no_color`, `force` and `dumb` come from the environment.
    pub(crate) fn new(color: Color, no_color: bool, force: bool, dumb: bool) -> Self {
        let input_terminal = io::stdin().is_terminal();
        let output_terminal = OutputStream::Output.is_terminal();
        let error_terminal = OutputStream::Error.is_terminal();
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
            dumb,
            quiet: false,
        }
    }

    /// Turns off notices and statistics.
    pub(crate) fn set_quiet(&mut self) {
        self.quiet = true;
    }

    pub(crate) fn input_is_terminal(&self) -> bool {
        self.input_terminal
    }

    pub(crate) fn output_is_terminal(&self) -> bool {
        self.output_terminal
    }

    /// Whether standard output is a terminal that can show more than lines of text.
    pub(crate) fn output_takes_styles(&self) -> bool {
        self.output_terminal && !self.dumb
    }

    /// Whether standard error is a terminal on which a line can be replaced.
    pub(crate) fn error_takes_styles(&self) -> bool {
        self.error_terminal && !self.dumb
    }

    pub(crate) fn output_is_colored(&self) -> bool {
        self.output_color
    }

    /// Whether the user can be asked a question.
    pub(crate) fn can_ask(&self) -> bool {
        self.input_terminal && self.error_terminal
    }

    pub(crate) fn error_is_terminal(&self) -> bool {
        self.error_terminal
    }

    /// Whether notices are shown.
    pub(crate) fn notices(&self) -> bool {
        self.error_terminal && !self.quiet
    }

    /// The width of the terminal; 80 columns if unknown.
    pub(crate) fn width(&self) -> usize {
        terminal_size()
            .map(|(columns, _)| columns)
            .filter(|w| *w >= 20)
            .unwrap_or(80)
    }

    /// The height of the terminal; 24 lines if unknown.
    pub(crate) fn height(&self) -> usize {
        terminal_size()
            .map(|(_, rows)| rows)
            .filter(|h| *h >= 4)
            .unwrap_or(24)
    }

    pub(crate) fn overflows(&self, text: &Displayable) -> bool {
        let rows = terminal_size().map(|(_, rows)| rows).filter(|r| *r >= 4);
        self.output_terminal
            && self.input_terminal
            && rows.is_some_and(|rows| text.plain().lines().count() >= rows)
    }

    /// The bytes that standard output would be given for a text.
    pub(crate) fn output_bytes(&self, text: &Displayable) -> Vec<u8> {
        text.bytes(self.output_color).into_owned()
    }

    /// Writes to standard output in one piece and flushes.
    pub(crate) fn out(&self, text: impl ToDisplayable) -> Result<()> {
        map_broken_pipe(OutputStream::Output.write(&text.to_displayable(), self.output_color))
    }

    /// Writes one line of JSON to standard output.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<()> {
        self.out(Displayable::json(value)? + "\n")
    }

    /// Writes sentences to standard output; on a terminal they are wrapped, and continuation lines
    /// indented by `hang`.
    pub(crate) fn say(&self, text: impl ToDisplayable, hang: usize) -> Result<()> {
        let text = text.to_displayable();
        self.out(if self.output_terminal {
            text.with_layout(|text| wrap_text(text, self.width(), hang))
        } else {
            text
        })
    }

    /// Copies to the clipboard of the terminal, if the terminal allows it.
    pub(crate) fn copy_to_clipboard(&self, text: &Displayable) -> Result<()> {
        map_broken_pipe(copy_to_clipboard(text))
    }

    /// Enters or leaves the alternate screen, so that the terminal keeps its contents.
    pub(crate) fn alternate_screen(&self, on: bool) -> Result<()> {
        let control = if on {
            Control::EnterScreen
        } else {
            Control::LeaveScreen
        };
        map_broken_pipe(OutputStream::Output.write_parts(&[OutputPart::Control(control)], false))
    }

    /// Redraws the alternate screen with these lines.
    pub(crate) fn repaint(&self, lines: &[Displayable]) -> Result<()> {
        let newline = Displayable::from("\n");
        let mut parts = vec![OutputPart::Control(Control::Home)];
        for (n, line) in lines.iter().enumerate() {
            if n > 0 {
                parts.extend([
                    OutputPart::Control(Control::LineStart),
                    OutputPart::Text(&newline),
                ]);
            }
            parts.extend([
                OutputPart::Text(line),
                OutputPart::Control(Control::EraseLineEnd),
            ]);
        }
        parts.push(OutputPart::Control(Control::EraseBelow));
        map_broken_pipe(OutputStream::Output.write_parts(&parts, self.output_color))
    }

    /// Prints a notice, if standard error is a terminal. Without colour a mark tells it from an
    /// answer.
    pub(crate) fn notice(&self, text: impl ToDisplayable) {
        if self.notices() {
            let mark = if self.error_color { "" } else { "-- " };
            let text = Displayable::from(mark) + text.to_displayable().one_line();
            self.error_line(text.with_style(Style::Dim));
        }
    }

    /// Sets the next prompt off from an answer and its statistics.
    pub(crate) fn end_turn(&self) {
        if self.error_terminal {
            self.error_raw("");
        }
    }

    /// Prints a warning, if standard error is a terminal.
    pub(crate) fn warning(&self, text: impl ToDisplayable) {
        if self.notices() {
            self.error_line(
                self.paint(Style::Yellow, "warning:") + " " + text.to_displayable().one_line(),
            );
        }
    }

    /// Writes a sentence to standard error, terminal or not; on a terminal it is wrapped. A text
    /// that begins with the program's name is one message and stays on one line, even if a server
    /// or a file put line breaks into it.
    pub(crate) fn error_line(&self, text: impl ToDisplayable) {
        let text = text.to_displayable();
        let text = if text.as_ref().starts_with("chatbot: ") {
            text.one_line()
        } else {
            text
        };
        self.error_raw(if self.error_terminal {
            text.with_layout(|text| wrap_text(text, self.width(), 2))
        } else {
            text
        });
    }

    /// Writes a line to standard error without wrapping it.
    pub(crate) fn error_raw(&self, text: impl ToDisplayable) {
        self.error_parts(&[OutputPart::Text(&(text.to_displayable() + "\n"))]);
    }

    /// Writes one line of JSON to standard error.
    pub(crate) fn error_json(&self, value: &serde_json::Value) {
        self.error_raw(Displayable::json_text(&value.to_string()));
    }

    /// Replaces the last line of standard error; an empty text erases it.
    pub(crate) fn countdown(&self, text: &str) {
        if self.notices() {
            self.error_parts(&[
                OutputPart::Control(Control::EraseLine),
                OutputPart::Text(&Displayable::line(text)),
            ]);
        }
    }

    /// Announces the end of a long answer.
    pub(crate) fn announce(&self, how: Notification) {
        let control = match how {
            Notification::Off => return,
            Notification::Bell => Control::Bell,
            Notification::Desktop => Control::DesktopNotification,
        };
        self.error_parts(&[OutputPart::Control(control)]);
    }

    fn error_parts(&self, parts: &[OutputPart<'_>]) {
        // If standard error is closed, there is nowhere left to report that.
        OutputStream::Error
            .write_parts(parts, self.error_color)
            .unwrap_or_default();
    }

    /// Draws a progress bar over itself, if standard error is a terminal.
    pub(crate) fn progress(&self, what: &str, done: usize, of: usize) {
        let step = (of / 100).max(1);
        if self.notices() && of > 1 && (done.is_multiple_of(step) || done == of) {
            let full = done * 30 / of;
            let text = Displayable::line(&format!(
                "[{}{}] {done} of {of} {what} ",
                "█".repeat(full),
                "·".repeat(30 - full.min(30))
            ));
            self.error_parts(&[
                OutputPart::Control(Control::LineStart),
                OutputPart::Text(&text),
            ]);
        }
    }

    /// Erases the line of [`Ui::progress`].
    pub(crate) fn end_progress(&self) {
        if self.notices() {
            let empty = Displayable::from(" ".repeat(70));
            self.error_parts(&[
                OutputPart::Control(Control::LineStart),
                OutputPart::Text(&empty),
                OutputPart::Control(Control::LineStart),
            ]);
        }
    }

    /// Adds a style to a text; it is dropped if the stream has no colour.
    pub(crate) fn paint(&self, style: Style, text: impl ToDisplayable) -> Displayable {
        text.to_displayable().with_style(style)
    }
}

pub(super) fn map_broken_pipe(result: io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => bail!(BrokenPipeError),
        other => Ok(other?),
    }
}

/// Replaces the panic message, which could contain text of the conversation, with the place of the
/// panic. Restores the terminal, because the process ends without unwinding.
///
/// A failed allocation is not a panic: the standard library prints its size, and a backtrace if
/// `RUST_BACKTRACE` asks for one, and aborts. Its hook for that, `set_alloc_error_hook`, is not
/// stable, and an allocator of our own would be unsafe code.
pub(crate) fn install_panic_hook() {
    #[cfg(unix)]
    let found = rustix::termios::tcgetattr(io::stdin()).ok();
    std::panic::set_hook(Box::new(move |panic| {
        #[cfg(unix)]
        if let Some(found) = &found {
            use rustix::termios::{OptionalActions, tcsetattr};
            tcsetattr(io::stdin(), OptionalActions::Now, found).unwrap_or_default();
        }
        let place = panic
            .location()
            .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let text = Displayable::line(&format!(
            "chatbot: error: internal error{place}, please report this bug; saved data is intact"
        )) + "\n";
        OutputStream::Error.write(&text, false).unwrap_or_default();
    }));
}

/// A path for messages: harmless, and on one line.
pub(crate) fn display_path(path: &Path) -> String {
    crate::privacy::Raw::from(path.display().to_string()).printable_line()
}
