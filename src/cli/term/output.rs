//! The only file that writes to standard output and standard error. It writes [`Displayable`] and a
//! few fixed control sequences; other bytes go to a pipe or a file, never to a terminal.

use crate::cli::term::map_broken_pipe;
use crate::privacy::Displayable;
use crate::privacy::display::sanitize::Sanitizer;
use anyhow::Result;
use base64::Engine as _;
use std::io::{self, IsTerminal, Write};

#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum OutputStream {
    Output,
    Error,
}

/// The control sequences that this program uses, besides colours.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Control {
    /// Moves to the beginning of the line and erases the line.
    EraseLine,
    /// Moves to the beginning of the line.
    LineStart,
    /// Switches to the alternate screen and hides the cursor.
    EnterScreen,
    /// Leaves the alternate screen and shows the cursor.
    LeaveScreen,
    /// Moves to the upper left corner.
    Home,
    /// Erases the rest of the line.
    EraseLineEnd,
    /// Erases the rest of the screen.
    EraseBelow,
    /// Rings the bell.
    Bell,
    /// Shows a notification of the desktop (OSC 9), which a terminal may ignore.
    DesktopNotification,
}

impl Control {
    const fn sequence(self) -> &'static str {
        match self {
            Self::EraseLine => "\r\x1b[K",
            Self::LineStart => "\r",
            Self::EnterScreen => "\x1b[?1049h\x1b[?25l",
            Self::LeaveScreen => "\x1b[?25h\x1b[?1049l",
            Self::Home => "\x1b[H",
            Self::EraseLineEnd => "\x1b[K",
            Self::EraseBelow => "\x1b[J",
            Self::Bell => "\x07",
            Self::DesktopNotification => "\x1b]9;chatbot: the answer is complete\x07",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum OutputPart<'a> {
    Text(&'a Displayable),
    Control(Control),
}

impl OutputStream {
    pub(in crate::cli) fn is_terminal(self) -> bool {
        match self {
            Self::Output => io::stdout().is_terminal(),
            Self::Error => io::stderr().is_terminal(),
        }
    }

    /// Writes and flushes a text.
    pub(in crate::cli) fn write(self, text: &Displayable, styles: bool) -> io::Result<()> {
        self.write_bytes(&text.bytes(styles))
    }

    /// Writes texts and sequences in one call, so that a terminal does not show half of them.
    pub(in crate::cli) fn write_parts(
        self,
        parts: &[OutputPart<'_>],
        styles: bool,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                OutputPart::Text(text) => bytes.extend_from_slice(&text.bytes(styles)),
                OutputPart::Control(control) => {
                    bytes.extend_from_slice(control.sequence().as_bytes());
                }
            }
        }
        self.write_bytes(&bytes)
    }

    fn write_bytes(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::Error => {
                let mut err = io::stderr().lock();
                err.write_all(bytes).and_then(|()| err.flush())
            }
        }
    }
}

/// Standard output for bytes from a file or a pipe: passed through unchanged to a pipe or a file,
/// made harmless on a terminal.
#[derive(Debug, Default)]
pub(crate) struct ByteOutput {
    printer: Sanitizer,
    /// An incomplete UTF-8 character at the end of the last piece.
    cut: Vec<u8>,
}

impl ByteOutput {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if !OutputStream::Output.is_terminal() {
            return map_broken_pipe(OutputStream::Output.write_bytes(bytes));
        }
        let shown = self.sanitize(bytes);
        map_broken_pipe(OutputStream::Output.write(&Displayable::from(shown), false))
    }

    /// Writes an incomplete character that the input ended with.
    pub(crate) fn finish(mut self) -> Result<()> {
        let mut rest = String::from_utf8_lossy(&std::mem::take(&mut self.cut)).into_owned();
        self.printer.finish_into(&mut rest);
        if rest.is_empty() {
            Ok(())
        } else {
            map_broken_pipe(OutputStream::Output.write(&Displayable::from(rest), false))
        }
    }

    fn sanitize(&mut self, bytes: &[u8]) -> String {
        self.cut.extend_from_slice(bytes);
        let end = match std::str::from_utf8(&self.cut) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // Invalid bytes are shown as such; only an incomplete character at the end waits for
            // the next piece.
            _ => complete_chars_len(&self.cut),
        };
        let rest = self.cut.split_off(end);
        let text = String::from_utf8_lossy(&std::mem::replace(&mut self.cut, rest)).into_owned();
        self.printer.push(&text)
    }
}

/// The length without an incomplete character at the end.
fn complete_chars_len(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let start = bytes
        .iter()
        .skip(tail)
        .rposition(|b| b & 0xC0 == 0xC0)
        .map(|at| tail + at);
    let open = |at: &usize| {
        bytes
            .get(*at..)
            .is_some_and(|b| matches!(std::str::from_utf8(b), Err(e) if e.error_len().is_none()))
    };
    start.filter(open).unwrap_or(bytes.len())
}

/// Copies a text to the clipboard with OSC 52, which a terminal may ignore.
pub(in crate::cli) fn copy_to_clipboard(text: &Displayable) -> io::Result<()> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text.plain().as_bytes());
    OutputStream::Output.write_bytes(format!("\x1b]52;c;{encoded}\x07").as_bytes())
}

/// Columns and rows of the terminal behind standard output or standard error.
pub(in crate::cli) fn terminal_size() -> Option<(usize, usize)> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(io::stdout())
            .or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
        size.ok()
            .map(|s| (usize::from(s.ws_col), usize::from(s.ws_row)))
    }
    #[cfg(not(unix))]
    {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_output_is_independent_of_chunks() {
        let bytes = "é\x1b[2J漢\u{9b}\r\n👩\u{200d}💻\u{202e}x"
            .bytes()
            .chain([0xFF, 0xE6, 0x9B])
            .collect::<Vec<u8>>();
        let shown = |pieces: &[&[u8]]| {
            let mut output = ByteOutput::default();
            let mut shown: String = pieces.iter().map(|piece| output.sanitize(piece)).collect();
            shown += &String::from_utf8_lossy(&output.cut);
            shown
        };
        let whole = "é␛[2J漢<U+009B>\n👩\u{200d}💻<U+202E>x\u{FFFD}\u{FFFD}";
        for cut in 0..=bytes.len() {
            assert_eq!(
                shown(&[&bytes[..cut], &bytes[cut..]]),
                whole,
                "cut at {cut}"
            );
        }
        assert_eq!(shown(&bytes.chunks(1).collect::<Vec<_>>()), whole);
    }
}
