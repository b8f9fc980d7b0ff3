//! The state of a running chat: its session, what is attached to the next message, and how a
//! message is sent.

use crate::chat::{Error, Outcome, Session, UserInput};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::answer_screen::AnswerScreen;
use crate::cli::args::ConversationArgs;
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::line_history;
use crate::cli::outcome::{report_outcome, require_text};
use crate::cli::provider::ProviderChoice;
use crate::cli::repl::input::{InputEvent, InputSource};
use crate::cli::rollback;
use crate::cli::runtime::{StopSignals, wait_for_interrupt};
use crate::cli::state_marks::When;
use crate::cli::term::format::pluralize;
use crate::privacy::Raw;
use crate::provider::{self, AnyProvider, ProviderErrorKind};
use anyhow::{Context as _, Result};
use tokio::sync::watch;

pub(super) struct Repl<'a> {
    pub(super) context: &'a mut Context,
    pub(super) session: Option<Session<AnyProvider>>,
    pub(super) args: ConversationArgs,
    pub(super) model: String,
    pub(super) choice: Option<ProviderChoice>,
    pub(super) keyboard: InputSource,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) attached: Raw,
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
        if let Some(past) = self
            .session
            .as_ref()
            .map(Session::history)
            .filter(|p| !p.is_empty())
        {
            ui.notice(&format!(
                "resumed a conversation with {}",
                pluralize(past.len(), "message")
            ));
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

    pub(super) fn clear(&mut self) {
        if std::mem::replace(&mut self.cleared, true) {
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
        let most = self.context.settings()?.limits.max_attachment_bytes;
        self.keyboard.read(&self.context.ui, prompt, most)
    }

    pub(super) fn session(&mut self) -> Result<&mut Session<AnyProvider>> {
        self.session.as_mut().context("the conversation has ended")
    }

    pub(super) fn send(&mut self, input: UserInput) -> Result<()> {
        let typed = input.clone();
        let input = match self.with_pastes(input) {
            Ok(input) => input,
            Err(error) => {
                self.keyboard.remember(typed.text.printable());
                self.attached = typed.attachments;
                return Err(error);
            }
        };
        rollback::compare_with_marks(self.context, When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let mut printer = new_printer(self.context, self.args.raw)?;
        let cancelled = printer.cancelled.subscribe();
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let screen = printer.screen.clone();
        let answer = session.send(input, &mut printer, wait_for_interrupt(cancelled, ends));
        let result = self.runtime.block_on(screen.watch(answer));
        let is_sent = matches!(result, Ok(_) | Err(Error::Provider(_)));
        if is_sent {
            self.unanswered = None;
            self.remember(&typed.text);
        } else {
            self.keyboard.remember(typed.text.printable());
            // Attachments are sent with the next attempt, unless they are what was refused.
            if !matches!(result, Err(Error::Refused(_))) {
                self.attached = typed.attachments.clone();
            }
        }
        self.on_answer(&printer, result, Some(typed).filter(|_| is_sent))
    }

    pub(super) fn retry(&mut self) -> Result<()> {
        rollback::compare_with_marks(self.context, When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let mut printer = new_printer(self.context, self.args.raw)?;
        let cancelled = printer.cancelled.subscribe();
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let typed = self.unanswered.take();
        // The attachment of the question is not sent once more with the next message.
        if typed
            .as_ref()
            .is_some_and(|typed| typed.attachments.len() == self.attached.len())
        {
            self.attached = Raw::from("");
        }
        let screen = printer.screen.clone();
        let answer = session.retry(&mut printer, wait_for_interrupt(cancelled, ends));
        let result = self.runtime.block_on(screen.watch(answer));
        self.on_answer(&printer, result, typed)
    }

    fn on_answer(
        &mut self,
        printer: &AnswerPrinter,
        result: Result<Outcome, Error>,
        typed: Option<UserInput>,
    ) -> Result<()> {
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
                Err(suggest_retry(error))
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
            self.attached = typed.attachments.clone();
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

/// Names `/retry` in the hint of a failed request.
fn suggest_retry(error: provider::Error) -> anyhow::Error {
    let kind = error.kind();
    let problem = diagnose(&Error::Provider(error).into());
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

fn new_printer(context: &Context, raw: bool) -> Result<AnswerPrinter> {
    Ok(AnswerPrinter {
        ui: context.ui,
        yes: context.yes,
        show: true,
        cancelled: watch::Sender::new(false),
        screen: AnswerScreen::new(context, raw)?,
        aside: " · /redact show",
        log: context.logging().cloned(),
    })
}
