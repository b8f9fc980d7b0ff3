//! Questions to the user, and standard input.

use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::output::OutputPart;
use crate::cli::term::{ToDisplayable, Ui};
use crate::privacy::Displayable;
use crate::secret::Secret;
use anyhow::{Result, bail};
#[cfg(not(unix))]
use std::io::IsTerminal;
use std::io::{self, BufRead, Read};
use zeroize::Zeroizing;

impl Ui {
    /// Asks yes or no, until the answer is one of the two; an empty one is no. Without a terminal,
    /// the error names the option that would have answered.
    pub(crate) fn confirm(&self, question: impl ToDisplayable, option: &str) -> Result<bool> {
        let question = question.to_displayable() + " [y/N] ";
        loop {
            match self.ask(&question, option)?.to_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "" | "n" | "no" => return Ok(false),
                _ => self.error_line("Please answer y or n."),
            }
        }
    }

    /// Asks yes or no; Enter means yes.
    pub(crate) fn confirm_by_default(
        &self,
        question: impl ToDisplayable,
        option: &str,
    ) -> Result<bool> {
        Ok(matches!(
            self.ask(question.to_displayable() + " [Y/n] ", option)?
                .to_lowercase()
                .as_str(),
            "" | "y" | "yes"
        ))
    }

    pub(crate) fn ask(&self, question: impl ToDisplayable, option: &str) -> Result<String> {
        Ok(self.ask_until_end(question, option)?.unwrap_or_default())
    }

    /// Asks for a line; `None` at the end of the input, where asking again would not help.
    pub(crate) fn ask_until_end(
        &self,
        question: impl ToDisplayable,
        option: &str,
    ) -> Result<Option<String>> {
        let question = question.to_displayable();
        if !self.can_ask() {
            bail!(
                CliError::new(
                    CliExit::Misuse,
                    "not_a_terminal",
                    format!(
                        "this needs an answer, but there is no terminal to ask on: {}",
                        question.plain().trim()
                    )
                )
                .hint(format!("use {option}"))
            );
        }
        self.error_parts(&[OutputPart::Text(&question)]);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        if line.is_empty() {
            self.error_line("");
            return Ok(None);
        }
        Ok(Some(line.trim().to_owned()))
    }

    /// Asks for a secret without echo. Without a terminal, the error names the option to use
    /// instead.
    pub(crate) fn ask_hidden(&self, question: &str, option: &str) -> Result<Secret> {
        if !self.can_ask() {
            bail!(
                CliError::new(
                    CliExit::Misuse,
                    "not_a_terminal",
                    "cannot ask for a secret: there is no terminal".to_owned()
                )
                .hint(format!("use {option}"))
            );
        }
        // Echo is off before the prompt appears: some users type as soon as they see it.
        #[cfg(unix)]
        let _echo_off = EchoGuard::new(io::stdin());
        let text = rpassword::prompt_password(Displayable::line(question).plain())
            .map_err(|e| anyhow::anyhow!("cannot read from the terminal: {}", e.kind()))?;
        Ok(Secret::new(text))
    }

    /// Reads standard input to its end, at most `most` bytes.
    pub(crate) fn read_input(&self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            bail!(
                CliError::new(
                    CliExit::Refused,
                    "too_long",
                    format!("standard input has more than {most} bytes")
                )
                .hint(
                    "raise `limits.max_attachment_bytes` in the settings, or shorten the input"
                        .to_owned()
                )
            );
        }
        Ok(bytes)
    }

    /// Reads a secret from standard input: the first line, without the line end.
    pub(crate) fn secret_input(&self) -> Result<Secret> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        io::stdin().lock().take(4096).read_to_end(&mut bytes)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            bail!(
                CliError::new(
                    CliExit::Key,
                    "bad_key",
                    "standard input is not UTF-8 text".to_owned()
                )
                .hint("pass only the secret, complete and on one line")
            );
        };
        Ok(Secret::new(
            text.lines().next().unwrap_or_default().trim().to_owned(),
        ))
    }

    /// Reads the next line of standard input; `None` at its end.
    pub(crate) fn input_line(&self, most: u64) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = io::stdin().lock().take(most).read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok((read > 0).then_some(line))
    }
}

/// Standard input as a reader, for filters that do not hold it all in memory.
pub(crate) fn input_stream() -> impl Read {
    io::stdin().lock()
}

/// Whether standard input is a file, a pipe or a socket. `/dev/null` and other devices have nothing
/// to read.
pub(crate) fn stdin_has_data() -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{FileType, fstat};
        fstat(io::stdin()).is_ok_and(|s| {
            matches!(
                FileType::from_raw_mode(s.st_mode),
                FileType::RegularFile | FileType::Fifo | FileType::Socket
            )
        })
    }
    #[cfg(not(unix))]
    {
        !io::stdin().is_terminal()
    }
}

/// The lines that were typed while nothing read the terminal, each with the line break at its end.
/// The line editor would take the line breaks for Ctrl-J: without it reading, the terminal turns
/// Enter into a line feed. A line without its Enter stays for the line editor.
pub(crate) fn take_lines_typed_ahead() -> Zeroizing<Vec<u8>> {
    let mut typed = Zeroizing::new(Vec::new());
    #[cfg(unix)]
    {
        use rustix::io::{ioctl_fionread, read};
        let terminal = io::stdin();
        // A terminal says how many bytes there are of lines that are complete, and gives one line
        // a read.
        let waiting = ioctl_fionread(&terminal).unwrap_or_default();
        let waiting = usize::try_from(waiting).unwrap_or_default();
        let mut line = Zeroizing::new(vec![0; waiting]);
        while typed.len() < waiting {
            match read(&terminal, line.as_mut_slice()) {
                Ok(length) if length > 0 => typed.extend(line.iter().take(length)),
                _ => break,
            }
        }
    }
    typed
}

/// Keys that are read one by one, without Enter and without echo, until it is dropped.
pub(crate) struct SingleKeys {
    keys: tokio::sync::mpsc::UnboundedReceiver<u8>,
    #[cfg(unix)]
    _mode: Option<EchoGuard>,
}

impl SingleKeys {
    pub(crate) fn begin() -> Self {
        let (send, keys) = tokio::sync::mpsc::unbounded_channel();
        #[cfg(unix)]
        let mode = EchoGuard::for_keys(io::stdin());
        // It ends with the process: reading a terminal cannot be cancelled.
        std::thread::spawn(move || {
            for key in io::stdin().lock().bytes() {
                let Ok(key) = key else { return };
                if send.send(key).is_err() {
                    return;
                }
            }
        });
        Self {
            keys,
            #[cfg(unix)]
            _mode: mode,
        }
    }

    /// Waits until this key is pressed; forever, if no key can be read.
    pub(crate) async fn pressed(&mut self, wanted: u8) {
        while let Some(key) = self.keys.recv().await {
            if key == wanted {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Turns off the echo of a terminal until it is dropped.
#[cfg(unix)]
struct EchoGuard(io::Stdin, rustix::termios::Termios);

#[cfg(unix)]
impl EchoGuard {
    fn new(terminal: io::Stdin) -> Option<Self> {
        Self::without(terminal, rustix::termios::LocalModes::ECHO)
    }

    /// Also gives each key to the program at once.
    fn for_keys(terminal: io::Stdin) -> Option<Self> {
        use rustix::termios::LocalModes;
        Self::without(terminal, LocalModes::ECHO | LocalModes::ICANON)
    }

    fn without(terminal: io::Stdin, modes: rustix::termios::LocalModes) -> Option<Self> {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(&terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(modes);
        tcsetattr(&terminal, OptionalActions::Now, &quiet).ok()?;
        Some(Self(terminal, before))
    }
}

#[cfg(unix)]
impl Drop for EchoGuard {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to reset.
        rustix::termios::tcsetattr(&self.0, rustix::termios::OptionalActions::Now, &self.1)
            .unwrap_or_default();
    }
}
