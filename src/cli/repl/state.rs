//! The state of a running chat: its session, what is attached to the next message, and how a
//! message is sent.

use crate::chat::{Error, Outcome, Session, UserInput};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::answer_screen::AnswerScreen;
use crate::cli::args::ConversationArgs;
use crate::cli::attachments::AttachedFiles;
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::key_validity;
use crate::cli::line_history;
use crate::cli::outcome::{report_outcome, require_text};
use crate::cli::provider::ProviderChoice;
use crate::cli::repl::input::{InputEvent, InputSource};
use crate::cli::rollback;
use crate::cli::runtime::{StopSignals, wait_for_interrupt};
use crate::cli::session;
use crate::cli::state_marks::When;
use crate::cli::term::Style;
use crate::cli::term::format::pluralize;
use crate::conversations::Conversation;
use crate::message::Role;
use crate::privacy::{Audience, Displayable, KINDS, Raw};
use crate::provider::{self, AnyProvider, Provider, ProviderErrorKind};
use anyhow::{Context as _, Result};
use tokio::sync::watch;

/// A resumed conversation shows at most this many lines of its last question and answer each.
const MAX_RECALLED_LINES: usize = 20;

pub(super) struct Repl<'a> {
    pub(super) context: &'a mut Context,
    pub(super) session: Option<Session<AnyProvider>>,
    pub(super) args: ConversationArgs,
    pub(super) model: String,
    pub(super) choice: Option<ProviderChoice>,
    pub(super) keyboard: InputSource,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) attached: AttachedFiles,
    /// The last question as it was typed, if it got no answer.
    pub(super) unanswered: Option<UserInput>,
    pub(super) cleared: bool,
    /// Whether it was said how masked secrets are shown.
    pub(super) masks_explained: bool,
    /// `/exit` was typed.
    pub(super) leaving: bool,
    /// What this run has spent in conversations before this one.
    pub(super) spent: i64,
}

/// What is asked of the session.
enum SessionRequest {
    Send(UserInput),
    Retry,
    Summarize,
}

impl Repl<'_> {
    pub(super) fn greet(&self) {
        let ui = &self.context.ui;
        if self.args.demo {
            ui.notice(
                "demo: an offline assistant; nothing leaves this machine, is saved or counted",
            );
        } else {
            ui.notice(&format!(
                "{} · /help for help",
                Raw::from(self.model.as_str()).printable_line()
            ));
        }
        let is_saved = self
            .session
            .as_ref()
            .is_some_and(|s| s.conversation().is_some());
        if !is_saved && !self.args.demo {
            ui.notice("incognito: this conversation is not saved");
        }
        self.show_last_exchange();
    }

    /// Shows where a resumed conversation stopped.
    fn show_last_exchange(&self) {
        let Some(session) = self.session.as_ref().filter(|s| !s.history().is_empty()) else {
            return;
        };
        let ui = &self.context.ui;
        let questions = session.history().iter().filter(|m| m.role == Role::User);
        ui.notice(&format!(
            "resumed {} ({})",
            self.title(),
            pluralize(questions.count(), "question")
        ));
        let Some(from) = session.history().iter().rposition(|m| m.role == Role::User) else {
            return;
        };
        if !ui.notices() || !self.keyboard.is_terminal() {
            return;
        }
        for message in session.history().iter().skip(from) {
            let (text, _) = session
                .placeholders()
                .restore(message.text.as_str(), Audience::Screen);
            let mark = match message.role {
                Role::User => "> ",
                Role::Assistant | Role::System => "",
            };
            ui.error_line(ui.paint(
                Style::Dim,
                Displayable::from(mark) + first_lines(&text.plain(), MAX_RECALLED_LINES),
            ));
        }
    }

    /// The title of the conversation in quotation marks; its id if it has none.
    pub(super) fn title(&self) -> String {
        let header = self
            .session
            .as_ref()
            .and_then(Session::conversation)
            .map(Conversation::header);
        match header {
            Some(header) if !header.title.is_empty() => {
                format!("\"{}\"", Raw::from(header.title.as_str()).printable_line())
            }
            Some(header) => format!("`{}`", header.id),
            None => String::from("it"),
        }
    }

    pub(super) fn farewell(&self) {
        if let Some(conversation) = self
            .session
            .as_ref()
            .and_then(Session::conversation)
            .filter(|c| c.is_saved())
        {
            self.context.ui.notice(&format!(
                "resume with `chatbot chat --resume {}`",
                conversation.id()
            ));
        }
    }

    pub(super) fn clear(&mut self, was_empty: bool) {
        if was_empty && std::mem::replace(&mut self.cleared, true) {
            self.context
                .ui
                .notice("press Ctrl-D or type /exit to leave");
        }
    }

    pub(super) fn read(&mut self) -> Result<InputEvent> {
        let incognito = self
            .session
            .as_ref()
            .is_some_and(|s| s.conversation().is_none());
        let prompt = if incognito && !self.args.demo {
            "incognito> "
        } else {
            "> "
        };
        let provider = self.session()?.provider().name().to_string();
        // The key of a saved conversation is open already.
        let archive = if self.session()?.conversation().is_some() {
            self.context.archive_read_only().ok()
        } else {
            None
        };
        self.keyboard.complete_from(&provider, archive);
        let most = self.context.settings()?.limits.max_attachment_bytes;
        self.keyboard.read(&self.context.ui, prompt, most)
    }

    pub(super) fn session(&mut self) -> Result<&mut Session<AnyProvider>> {
        self.session.as_mut().context("the conversation has ended")
    }

    /// Says that a line contains placeholders of another conversation: here they stand for nothing.
    pub(super) fn note_old_placeholders(&self, line: &str) {
        let Some(session) = &self.session else { return };
        let known = session.placeholders().list();
        let mut old = placeholders_in(line);
        old.retain(|name| known.iter().all(|(placeholder, _)| placeholder != name));
        if !old.is_empty() {
            self.context.ui.notice(&format!(
                "this line has placeholders of an earlier conversation, which are sent as they are: {}",
                old.join(", ")
            ));
        }
    }

    pub(super) fn send(&mut self, input: UserInput) -> Result<()> {
        self.send_message(input, true)
    }

    fn send_message(&mut self, input: UserInput, is_typed: bool) -> Result<()> {
        let typed = input.clone();
        let input = match self.with_pastes(input) {
            Ok(input) => input,
            Err(error) => {
                self.keyboard.remember(typed.text.printable());
                self.attached.restore();
                return Err(error);
            }
        };
        let (printer, result) = self.request(SessionRequest::Send(input))?;
        let is_sent = matches!(result, Ok(_) | Err(Error::Provider(_)));
        if is_sent {
            self.unanswered = None;
            if is_typed {
                self.remember(&typed.text);
            }
        } else if is_typed {
            self.keyboard.remember(typed.text.printable());
            // Attachments are sent with the next attempt, unless they are what was refused.
            if !matches!(result, Err(Error::Refused(_))) {
                self.attached.restore();
            }
        }
        self.on_answer(&printer, result, Some(typed).filter(|_| is_sent))
    }

    /// Sends a message of the program's own, which the arrow keys do not bring back.
    pub(super) fn send_own(&mut self, input: UserInput) -> Result<()> {
        self.send_message(input, false)
    }

    pub(super) fn retry(&mut self) -> Result<()> {
        let typed = self.unanswered.take();
        // The attachment of the question is not sent once more with the next message.
        self.attached.take_restored();
        let (printer, result) = self.request(SessionRequest::Retry)?;
        self.on_answer(&printer, result, typed)
    }

    /// Asks for a summary, which is sent from now on instead of the messages so far.
    pub(super) fn summarize(&mut self) -> Result<()> {
        let (printer, result) = self.request(SessionRequest::Summarize)?;
        let is_complete = result
            .as_ref()
            .is_ok_and(|outcome| outcome.completion.as_ref().is_some_and(|c| c.complete));
        self.on_answer(&printer, result, None)?;
        self.context.ui.notice(if is_complete {
            "from now on this summary is sent instead of the messages before it, which stay saved"
        } else {
            "there is no summary; nothing was changed"
        });
        Ok(())
    }

    /// Makes a request and shows its answer as it arrives.
    fn request(
        &mut self,
        request: SessionRequest,
    ) -> Result<(AnswerPrinter, Result<Outcome, Error>)> {
        rollback::compare_with_marks(self.context, When::IfDue);
        let mut printer = new_printer(self.context, &self.args, &self.model)?;
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let stop = wait_for_interrupt(printer.cancelled.subscribe(), ends);
        let screen = printer.screen.clone();
        let result = self.runtime.block_on(screen.watch(async {
            match request {
                SessionRequest::Send(input) => session.send(input, &mut printer, stop).await,
                SessionRequest::Retry => session.retry(&mut printer, stop).await,
                SessionRequest::Summarize => session.summarize(&mut printer, stop).await,
            }
        }));
        key_validity::record(self.context, self.choice.as_ref(), &result);
        Ok((printer, result))
    }

    fn on_answer(
        &mut self,
        printer: &AnswerPrinter,
        result: Result<Outcome, Error>,
        typed: Option<UserInput>,
    ) -> Result<()> {
        self.keyboard.note_answer();
        let is_stopped = matches!(&result, Ok(outcome) if outcome.cancelled);
        let ended = printer.screen.finish(true)?;
        // The terminal echoes Ctrl-C.
        if !ended && is_stopped && self.keyboard.is_terminal() {
            self.context.ui.out("\n")?;
        }
        match result {
            Ok(outcome) => {
                let is_empty = outcome.text.as_str().is_empty();
                if is_stopped {
                    self.context.ui.notice(if is_empty {
                        "stopped before an answer came"
                    } else {
                        "stopped; the partial answer is kept"
                    });
                }
                report_outcome(
                    self.context,
                    &outcome,
                    &self.model,
                    self.choice.as_ref(),
                    true,
                );
                if outcome.masked > 0 && !std::mem::replace(&mut self.masks_explained, true) {
                    self.context
                        .ui
                        .notice("secrets in the answer are masked; `/reveal` shows them");
                }
                self.context.ui.end_turn();
                if is_empty {
                    self.take_back(typed);
                }
                require_text(&outcome, &self.model)
            }
            Err(Error::Provider(error)) => {
                let has_part = self
                    .session
                    .as_ref()
                    .is_some_and(|s| !s.history().is_unanswered());
                if has_part {
                    self.context.ui.notice("the partial answer is kept");
                } else {
                    self.take_back(typed);
                }
                Err(suggest_retry(error, self.choice.as_ref()))
            }
            Err(error) => {
                if typed.is_some() {
                    self.take_back(typed);
                }
                Err(error.into())
            }
        }
    }

    /// Adds the pastes that the prompt showed as labels.
    fn with_pastes(&self, mut input: UserInput) -> Result<UserInput> {
        let pasted = self.keyboard.pasted(&input.text)?;
        if !pasted.is_empty() && !input.attachments.is_empty() {
            input.attachments.push(&Raw::from("\n\n"));
        }
        input.attachments.push(&pasted);
        Ok(input)
    }

    /// Attaches the attachment of a question without an answer again, for when the question is
    /// recalled with the arrow key.
    fn take_back(&mut self, typed: Option<UserInput>) {
        if let Some(typed) = &typed
            && !typed.attachments.is_empty()
        {
            self.attached.restore();
            self.context
                .ui
                .notice("its attachment is still attached to the next message");
        }
        self.unanswered = typed;
    }

    /// Adds a typed text to the arrow keys: redacted, in memory and, if the conversation is saved,
    /// encrypted on disk. Its attachment is not part of it.
    fn remember(&mut self, typed: &Raw) {
        let Some(session) = &mut self.session else {
            return;
        };
        if !self.keyboard.is_terminal() || typed.is_empty() {
            return;
        }
        let (text, findings) = session.redact_text(typed.clone());
        self.keyboard.remember(text.as_str().to_owned());
        // A label means nothing in another run.
        let dropped = session.config_mut().drop_findings && !findings.is_empty()
            || self.keyboard.has_paste(typed);
        if let Some(id) = session
            .conversation()
            .map(|c| c.id().clone())
            .filter(|_| !dropped)
        {
            line_history::save(self.context, &id, &text);
        }
    }
}

/// The first lines of a text, and a mark if there are more.
fn first_lines(text: &str, most: usize) -> String {
    let text = text.trim_end();
    let mut lines: Vec<&str> = text.lines().take(most).collect();
    if text.lines().count() > most {
        lines.push("…");
    }
    lines.join("\n")
}

/// Names `/retry` in the hint of a failed request.
fn suggest_retry(error: provider::Error, choice: Option<&ProviderChoice>) -> anyhow::Error {
    let kind = error.kind();
    let problem = diagnose(&session::explain_refused_key(
        Error::Provider(error),
        choice,
    ));
    let is_final = matches!(
        kind,
        ProviderErrorKind::BadRequest | ProviderErrorKind::TooLarge
    );
    if is_final {
        return problem.into();
    }
    problem
        .map_hint(|hint| {
            if hint.contains("try again") {
                hint.replace("try again", "type `/retry`")
            } else {
                format!("{hint}, then type `/retry`")
            }
        })
        .into()
}

/// The placeholders in a text, such as `[EMAIL_1]`, each once.
fn placeholders_in(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in text.split('[').skip(1) {
        if let Some((name, _)) = part.split_once(']')
            && let Some((kind, number)) = name.rsplit_once('_')
            && KINDS.iter().any(|(known, _)| *known == kind)
            && number.parse::<u32>().is_ok()
        {
            let placeholder = format!("[{name}]");
            if !found.contains(&placeholder) {
                found.push(placeholder);
            }
        }
    }
    found
}

fn new_printer(
    context: &mut Context,
    args: &ConversationArgs,
    model: &str,
) -> Result<AnswerPrinter> {
    Ok(AnswerPrinter {
        ui: context.ui,
        yes: context.yes,
        show: true,
        cancelled: watch::Sender::new(false),
        screen: AnswerScreen::new(context, args, model)?.set_off(),
        aside: " · /redact show",
        log: context.logging().cloned(),
    })
}
