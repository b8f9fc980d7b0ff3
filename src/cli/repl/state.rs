//! The state of a running chat: its session, what is attached to the next message, and how a
//! message is sent.

use crate::chat::{Error, Outcome, Session, UserInput};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::args::ConversationArgs;
use crate::cli::attachments::AttachedFiles;
use crate::cli::context::Context;
use crate::cli::line_history;
use crate::cli::outcome::{report_outcome, require_text};
use crate::cli::provider::ProviderChoice;
use crate::cli::repl::input::{InputEvent, InputSource};
use crate::cli::rollback;
use crate::cli::runtime::{StopSignals, wait_for_interrupt};
use crate::cli::state_marks::When;
use crate::cli::term::format::pluralize;
use crate::message::Role;
use crate::privacy::{Findings, KINDS, Raw};
use crate::provider::{AnyProvider, Provider};
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
    pub(super) attached: AttachedFiles,
    pub(super) cleared: bool,
    /// Whether it was said how masked secrets are shown.
    pub(super) masks_explained: bool,
    /// `/exit` was typed.
    pub(super) leaving: bool,
    /// What this run has spent in conversations before this one.
    pub(super) spent: i64,
}

impl Repl<'_> {
    pub(super) fn greet(&self, unkept: Option<&str>) {
        let ui = &self.context.ui;
        if self.args.demo {
            ui.notice("demo: a built-in offline assistant answers; nothing leaves this machine");
        } else {
            ui.notice(&format!(
                "{} · /help for help",
                Raw::from(self.model.as_str()).printable_line()
            ));
        }
        if let Some(unkept) = unkept {
            ui.notice(unkept);
        } else if self
            .session
            .as_ref()
            .is_some_and(|s| s.conversation().is_none())
        {
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
        rollback::compare_with_marks(self.context, When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let mut printer = new_printer(self.context);
        let cancelled = printer.cancelled.subscribe();
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let before = input.clone();
        let result = self.runtime.block_on(session.send(
            input,
            &mut printer,
            wait_for_interrupt(cancelled, ends),
        ));
        self.on_answer(&printer, result, Some(before))
    }

    pub(super) fn retry(&mut self) -> Result<()> {
        rollback::compare_with_marks(self.context, When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let mut printer = new_printer(self.context);
        let cancelled = printer.cancelled.subscribe();
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let result = self
            .runtime
            .block_on(session.retry(&mut printer, wait_for_interrupt(cancelled, ends)));
        self.on_answer(&printer, result, None)
    }

    fn on_answer(
        &mut self,
        printer: &AnswerPrinter,
        result: Result<Outcome, Error>,
        input: Option<UserInput>,
    ) -> Result<()> {
        if !printer.ends_line {
            self.context.ui.out("\n")?;
        }
        match result {
            Ok(outcome) => {
                if outcome.cancelled {
                    self.context
                        .ui
                        .notice("stopped; the partial answer is kept");
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
                self.remember(&outcome.findings);
                require_text(&outcome, &self.model)
            }
            Err(error) => {
                // The text stays one arrow key away, unless it was saved before the request failed.
                if matches!(error, Error::Provider(_)) {
                    self.remember(&Findings::default());
                } else if let Some(input) = input {
                    self.keyboard.remember(input.text.printable());
                    // Attachments are sent with the next attempt, unless they are what was refused.
                    if !matches!(error, Error::Refused(_)) {
                        self.attached.restore();
                    }
                }
                Err(error.into())
            }
        }
    }

    /// Adds the last question to the arrow keys: redacted, in memory and, if the conversation is
    /// saved, encrypted on disk.
    fn remember(&mut self, findings: &Findings) {
        let Some(session) = &mut self.session else {
            return;
        };
        let dropped = session.config_mut().drop_findings && !findings.is_empty();
        let Some(text) = session
            .history()
            .iter()
            .rev()
            .find(|m| m.role == Role::User)
            .map(|m| m.text.clone())
        else {
            return;
        };
        if self.keyboard.is_terminal() {
            self.keyboard.remember(text.as_str().to_owned());
            if let Some(id) = session
                .conversation()
                .map(|c| c.id().clone())
                .filter(|_| !dropped)
            {
                line_history::save(self.context, &id, &text);
            }
        }
    }
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

fn new_printer(context: &Context) -> AnswerPrinter {
    AnswerPrinter {
        ui: context.ui,
        yes: context.yes,
        show: true,
        cancelled: watch::Sender::new(false),
        ends_line: true,
        aside: " · /redact show",
        log: context.logging().cloned(),
    }
}
