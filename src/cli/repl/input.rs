//! Reads input: the line editor on a terminal, or plain lines from a pipe.

use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::line_history;
use crate::cli::repl::completion::CompletionSources;
use crate::cli::repl::paste::{PasteKeyHandler, Pastes};
use crate::cli::term::{Style, Ui, take_lines_typed_ahead};
use crate::config;
use crate::conversations::Archive;
use crate::name::Name;
use crate::privacy::{Displayable, Raw};
use anyhow::{Context as _, Result};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, EditMode, Editor, Event,
    EventContext, EventHandler, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// How many earlier lines the arrow keys reach.
const MAX_HISTORY_LINES: usize = 500;

pub(super) enum InputEvent {
    Text(String),
    /// The message of the command line.
    First(Raw),
    /// Ctrl-O: the text so far is to be opened in the editor.
    OpenEditor(String),
    /// Ctrl-C; whether the line was empty before.
    Cleared {
        was_empty: bool,
    },
    /// Ctrl-D, or the end of a pipe.
    End,
}

pub(super) enum InputSource {
    Terminal(Box<LineEditor>),
    Pipe,
}

/// The line editor on a terminal.
pub(super) struct LineEditor {
    editor: Editor<SlashCompleter, MemHistory>,
    /// Set by Ctrl-O.
    edit: Arc<AtomicBool>,
    pastes: Pastes,
    /// The text that the next prompt begins with.
    initial: Option<Zeroizing<String>>,
    /// An answer came since the last prompt.
    is_after_answer: bool,
}

impl InputSource {
    /// The line editor with the input history and the names of the commands for completion, or the
    /// pipe.
    pub(super) fn new(context: &mut Context, commands: Vec<&'static str>) -> Result<Self> {
        if !context.ui.input_is_terminal() {
            return Ok(Self::Pipe);
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .bracketed_paste(true)
            // Without colour the line editor does not call the highlighter, which replaces harmful
            // characters.
            .color_mode(ColorMode::Forced)
            .max_history_size(MAX_HISTORY_LINES)?
            .edit_mode(match context.settings()?.ui.edit_mode {
                config::EditMode::Emacs => EditMode::Emacs,
                config::EditMode::Vi => EditMode::Vi,
            })
            .build();
        let mut editor = Editor::with_history(config, MemHistory::new())?;
        editor.set_helper(Some(SlashCompleter(CompletionSources {
            commands,
            home: context.env.home_folder(),
            cache: context.home.cache().to_path_buf(),
            custom_providers: context
                .settings()?
                .providers
                .keys()
                .map(Name::to_string)
                .collect(),
            ..CompletionSources::default()
        })));
        let limits = &context.settings()?.limits;
        let pastes = Pastes::new(limits.max_message_chars, limits.max_paste_chars);
        let bind = |otherwise: Option<Cmd>| {
            EventHandler::Conditional(Box::new(PasteKeyHandler {
                pastes: pastes.clone(),
                otherwise,
            }))
        };
        editor.bind_sequence(Event::Any, bind(None));
        editor.bind_sequence(
            KeyEvent(KeyCode::Enter, Modifiers::ALT),
            bind(Some(Cmd::Newline)),
        );
        editor.bind_sequence(KeyEvent::ctrl('J'), bind(Some(Cmd::Newline)));
        let edit = Arc::new(AtomicBool::new(false));
        editor.bind_sequence(
            KeyEvent::ctrl('O'),
            EventHandler::Conditional(Box::new(EditorKeyHandler {
                is_pressed: Arc::clone(&edit),
                pastes: pastes.clone(),
            })),
        );
        let mut keyboard = Self::Terminal(Box::new(LineEditor {
            editor,
            edit,
            pastes,
            initial: None,
            is_after_answer: false,
        }));
        for line in line_history::load(context, MAX_HISTORY_LINES) {
            keyboard.remember(line);
        }
        Ok(keyboard)
    }

    /// Whether lines are typed, and can be recalled with the arrow keys.
    pub(super) const fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(..))
    }

    /// The pastes that the message has labels for, as attachments.
    pub(super) fn pasted(&self, message: &Raw) -> Result<Raw> {
        match self {
            Self::Terminal(terminal) => terminal.pastes.attachments(message),
            Self::Pipe => Ok(Raw::from("")),
        }
    }

    /// Whether the message has a label of a paste.
    pub(super) fn has_paste(&self, message: &Raw) -> bool {
        matches!(self, Self::Terminal(terminal) if terminal.pastes.has_label(message))
    }

    /// Adds a line to the arrow keys. The line editor writes to the terminal directly, so the line
    /// must be harmless.
    pub(super) fn remember(&mut self, line: impl Into<Displayable>) {
        let line = line.into().plain().into_owned();
        if let Self::Terminal(terminal) = self {
            // The history only refuses a line that repeats the last one.
            terminal
                .editor
                .history_mut()
                .add_owned(line)
                .map(drop)
                .unwrap_or_default();
        }
    }

    /// Reads the next message or command; from a pipe, at most `most` bytes of it.
    pub(super) fn read(&mut self, ui: &Ui, prompt: &str, most: u64) -> Result<InputEvent> {
        match self {
            Self::Pipe => {
                let Some(mut bytes) = ui.input_line(most)? else {
                    return Ok(InputEvent::End);
                };
                while is_block_open(&String::from_utf8_lossy(&bytes)) && (bytes.len() as u64) < most
                {
                    let Some(more) = ui.input_line(most)? else {
                        break;
                    };
                    bytes.push(b'\n');
                    bytes.extend(more);
                }
                let text = String::from_utf8(bytes).map_err(|_| {
                    CliError::misuse("standard input is not UTF-8 text").hint("pipe text in")
                })?;
                Ok(InputEvent::Text(unwrap_lines(text)))
            }
            Self::Terminal(terminal) => {
                if let Some(line) = terminal.take_line_typed_ahead() {
                    let mut shown = ui.paint(Style::Prompt, prompt);
                    shown.push(Displayable::line(&line));
                    shown.push("\n");
                    ui.out(shown)?;
                    return Ok(InputEvent::Text(unwrap_lines(line)));
                }
                let event = terminal.read(&styled(ui, prompt))?;
                // Without control sequences the line editor leaves the cursor behind the prompt.
                if matches!(event, InputEvent::End) && !ui.output_takes_styles() {
                    ui.out("\n")?;
                }
                Ok(event)
            }
        }
    }

    /// An answer has come: a line that was typed meanwhile is the next message.
    pub(super) fn note_answer(&mut self) {
        if let Self::Terminal(terminal) = self {
            terminal.is_after_answer = true;
        }
    }

    /// Puts a text into the next prompt.
    pub(super) fn prefill(&mut self, text: Zeroizing<String>) {
        if let Self::Terminal(terminal) = self {
            terminal.initial = Some(text);
        }
    }

    /// What completion offers from now on.
    pub(super) fn complete_from(&mut self, provider: &str, archive: Option<Archive>) {
        if let Self::Terminal(terminal) = self
            && let Some(SlashCompleter(sources)) = terminal.editor.helper_mut()
        {
            provider.clone_into(&mut sources.provider);
            sources.archive = archive;
        }
    }
}

impl LineEditor {
    /// The line that was typed, and ended with Enter, during the last answer. All else that was
    /// typed goes into the prompt, so that nothing is sent by mistake: several lines, as from a
    /// paste, and what may have been meant for a question, such as a passphrase before the chat.
    fn take_line_typed_ahead(&mut self) -> Option<String> {
        let is_after_answer = std::mem::take(&mut self.is_after_answer);
        if self.initial.is_some() {
            return None;
        }
        let typed = take_lines_typed_ahead();
        let typed = String::from_utf8_lossy(&typed);
        let is_ended = typed.ends_with('\n');
        let typed = typed.trim_matches('\n');
        if typed.trim().is_empty() {
            return None;
        }
        let is_text = |c: &char| !c.is_control() || *c == '\t';
        let is_line = is_ended && typed.chars().all(|c| is_text(&c)) && !is_incomplete(typed);
        if is_after_answer && is_line {
            return Some(typed.to_owned());
        }
        // Keys other than letters cannot be pressed again.
        let text = typed.chars().filter(|c| is_text(c) || *c == '\n');
        self.initial = Some(Zeroizing::new(text.collect()));
        None
    }

    fn read(&mut self, prompt: &(&str, String)) -> Result<InputEvent> {
        let initial = self.initial.take();
        let typed = match &initial {
            Some(text) => self.editor.readline_with_initial(prompt, (text, "")),
            None => self.editor.readline(prompt),
        };
        match typed {
            Ok(text) if self.edit.swap(false, Ordering::SeqCst) => Ok(InputEvent::OpenEditor(text)),
            // A text from the editor is sent as it is.
            Ok(text) if initial.is_some_and(|initial| *initial == text) => {
                Ok(InputEvent::Text(text))
            }
            Ok(text) => Ok(InputEvent::Text(unwrap_lines(text))),
            Err(ReadlineError::Interrupted) => Ok(InputEvent::Cleared {
                was_empty: self.pastes.abandon(),
            }),
            Err(ReadlineError::Eof) => Ok(InputEvent::End),
            Err(error) => Err(error).context("cannot read from the terminal"),
        }
    }
}

/// A prompt without and with its style.
fn styled<'p>(ui: &Ui, prompt: &'p str) -> (&'p str, String) {
    let painted = ui.paint(Style::Prompt, prompt);
    let shown = String::from_utf8(ui.output_bytes(&painted));
    (prompt, shown.unwrap_or_default())
}

/// Whether an armoured block (a private key, a certificate) has begun and not ended. Its lines must
/// be one message: a single line is only letters, and the redactor could not recognise it.
fn is_block_open(text: &str) -> bool {
    text.rfind("-----BEGIN ").is_some_and(|at| {
        !text
            .get(at..)
            .is_some_and(|rest| rest.contains("-----END "))
    })
}

/// Whether a text goes on in the next line.
fn is_incomplete(text: &str) -> bool {
    is_block_open(text)
        || text.trim_start().starts_with("\"\"\"")
            && !(text.trim_end().len() >= 6 && text.trim_end().ends_with("\"\"\""))
        || text.ends_with('\\')
}

/// The text that was typed over several lines, without the backslashes at line ends and the
/// surrounding `"""`.
fn unwrap_lines(text: String) -> String {
    let trimmed = text.trim();
    if let Some(inner) = trimmed
        .strip_prefix("\"\"\"")
        .and_then(|t| t.strip_suffix("\"\"\""))
    {
        return inner.trim_matches('\n').to_owned();
    }
    if text.contains("\\\n") {
        text.replace("\\\n", "\n")
    } else {
        text
    }
}

struct EditorKeyHandler {
    is_pressed: Arc<AtomicBool>,
    pastes: Pastes,
}

impl ConditionalEventHandler for EditorKeyHandler {
    fn handle(
        &self,
        event: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        self.pastes.handle_key(event, context).or_else(|| {
            self.is_pressed.store(true, Ordering::SeqCst);
            Some(Cmd::AcceptLine)
        })
    }
}

/// Completion, highlighting and validation for the line editor.
pub(super) struct SlashCompleter(CompletionSources);

impl Completer for SlashCompleter {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.0.complete(line.get(..at).unwrap_or_default()))
    }
}

impl Validator for SlashCompleter {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_incomplete(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Hinter for SlashCompleter {
    type Hint = String;
}

/// The line editor itself writes what is typed and pasted. Each harmful character is replaced by
/// one that is one column wide, as the editor counts it, so that the cursor stays in the right
/// place.
impl Highlighter for SlashCompleter {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if is_harmless(line) {
            return Cow::Borrowed(line);
        }
        let picture = |c: char| match c {
            '\n' | '\t' => c,
            '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('?'),
            _ if is_harmless(c.encode_utf8(&mut [0; 4])) => c,
            _ => '\u{FFFD}',
        };
        Cow::Owned(line.chars().map(picture).collect())
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        !is_harmless(line)
    }
}

fn is_harmless(text: &str) -> bool {
    matches!(Displayable::from(text).plain(), shown if shown == text)
}

impl Helper for SlashCompleter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_key_block_is_one_message() {
        let key = "see -----BEGIN RSA PRIVATE KEY-----\nMIIE";
        assert!(is_block_open(key));
        assert!(!is_block_open(&format!(
            "{key}\n-----END RSA PRIVATE KEY-----"
        )));
        assert!(!is_block_open("----- BEGIN"));
    }

    #[test]
    fn input_continuation_lines_are_joined() {
        assert_eq!(unwrap_lines("a\\\nb".to_owned()), "a\nb");
        assert_eq!(
            unwrap_lines("\"\"\"\nfn main() {}\n\"\"\"".to_owned()),
            "fn main() {}"
        );
        assert_eq!(unwrap_lines("plain".to_owned()), "plain");
    }
}
