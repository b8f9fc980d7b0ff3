//! The interactive loop: read a line, run it, show the answer. Output is only appended; the cursor
//! never moves up.

mod commands;
mod input;
pub(super) mod slash;

use super::app::{App, ProviderChoice};
use super::state_marks::When;
use crate::chat::{Error, Outcome, Session, UserInput};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::args::ConversationArgs;
use crate::cli::errors::report::report_and_go_on;
use crate::cli::errors::{CliError, SilentExit};
use crate::cli::outcome::{report_outcome, require_text};
use crate::cli::repl::slash::{InputLine, SlashCommand};
use crate::cli::runtime::{Cancel, StopSignals, runtime, wait_for_interrupt};
use crate::cli::session::StartedSession;
use crate::cli::term::format::pluralize;
use crate::privacy::{Findings, Raw};
use crate::provider::AnyProvider;
use anyhow::{Context as _, Result, bail};
use input::{InputEvent, InputSource};

struct Repl<'a> {
    app: &'a mut App,
    session: Option<Session<AnyProvider>>,
    args: ConversationArgs,
    model: String,
    choice: Option<ProviderChoice>,
    keyboard: InputSource,
    runtime: tokio::runtime::Runtime,
    attached: Raw,
    cleared: bool,
    /// Whether it was said how masked secrets are shown.
    masks_explained: bool,
    /// What this run has spent in conversations before this one.
    spent: i64,
}

/// Runs the chat until the user leaves it.
pub(crate) fn run(
    app: &mut App,
    started: StartedSession,
    args: ConversationArgs,
    attached: Raw,
) -> Result<()> {
    let keyboard = InputSource::new(app)?;
    let StartedSession {
        session,
        not_saved_because: unkept,
        model,
        choice,
    } = started;
    let mut repl = Repl {
        app,
        session: Some(session),
        args,
        model,
        choice,
        keyboard,
        runtime: runtime()?,
        attached,
        cleared: false,
        masks_explained: false,
        spent: 0,
    };
    repl.app.sweep_edited_texts();
    repl.greet(unkept.as_deref());
    repl.app.compare_at_end = Some(When::Now);
    let mut failed = None;
    loop {
        repl.app.check_alerts();
        let input = repl.read()?;
        if !matches!(input, InputEvent::Cleared) {
            repl.cleared = false;
        }
        let go_on = match input {
            InputEvent::Text(text) => repl.handle_line(&text),
            InputEvent::OpenEditor(text) => repl.edit(&text),
            InputEvent::Cleared => {
                repl.clear();
                Ok(true)
            }
            InputEvent::End => Ok(false),
        };
        match go_on {
            Ok(true) => {}
            Ok(false) => break,
            Err(error)
                if error.is::<crate::cli::term::BrokenPipeError>() || error.is::<SilentExit>() =>
            {
                return Err(error);
            }
            Err(error) => failed = Some(report_and_go_on(&repl.app.ui, &error)),
        }
    }
    repl.farewell();
    // A user has seen the error; a script needs the exit code.
    match failed.filter(|_| !repl.keyboard.is_terminal()) {
        Some(exit) => bail!(SilentExit(exit)),
        None => Ok(()),
    }
}

impl Repl<'_> {
    fn greet(&self, unkept: Option<&str>) {
        let ui = &self.app.ui;
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

    fn farewell(&self) {
        if let Some(conversation) = self
            .session
            .as_ref()
            .and_then(Session::conversation)
            .filter(|c| c.is_saved())
        {
            self.app.ui.notice(&format!(
                "resume with `chatbot chat --resume {}`",
                conversation.id()
            ));
        }
    }

    fn clear(&mut self) {
        if std::mem::replace(&mut self.cleared, true) {
            self.app.ui.notice("press Ctrl-D or type /exit to leave");
        }
    }

    fn read(&mut self) -> Result<InputEvent> {
        let incognito = self
            .session
            .as_ref()
            .is_some_and(|s| s.conversation().is_none());
        let prompt = if incognito && !self.args.demo {
            "incognito> "
        } else {
            "> "
        };
        let most = self.app.settings()?.limits.max_attachment_bytes;
        self.keyboard.read(&self.app.ui, prompt, most)
    }

    /// Runs one line; returns `false` to leave the chat.
    fn handle_line(&mut self, text: &str) -> Result<bool> {
        if text.trim().is_empty() && self.attached.is_empty() {
            return Ok(true);
        }
        match slash::parse(text) {
            InputLine::Message(words) => {
                let input = UserInput {
                    text: Raw::from(words),
                    attachments: std::mem::replace(&mut self.attached, Raw::from("")),
                };
                self.send(input)?;
            }
            InputLine::Command(SlashCommand::Exit, _) => return Ok(false),
            InputLine::Command(command, arguments) => self.run_command(command, arguments)?,
            InputLine::TooMuch(name) => {
                let hint = format!("type `{name}` alone, or `/{name} …` to send it as a message");
                return Err(CliError::misuse(format!("`{name}` takes no arguments"))
                    .hint(hint)
                    .into());
            }
            InputLine::Unknown(name, meant) => {
                let name = Raw::from(name).printable();
                let hint = meant.map_or_else(
                    || "`/help` lists the commands; to send a slash, type `//`".to_owned(),
                    |m| format!("did you mean `{m}`?"),
                );
                return Err(CliError::misuse(format!("unknown command `{name}`"))
                    .hint(hint)
                    .into());
            }
        }
        Ok(true)
    }

    fn session(&mut self) -> Result<&mut Session<AnyProvider>> {
        self.session.as_mut().context("the conversation has ended")
    }

    fn send(&mut self, input: UserInput) -> Result<()> {
        self.app.compare_with_marks(When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let (mut printer, stop) = new_printer(self.app);
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let before = input.clone();
        let result = self.runtime.block_on(session.send(
            input,
            &mut printer,
            wait_for_interrupt(&stop, ends),
        ));
        self.on_answer(&printer, result, Some(before))
    }

    fn retry(&mut self) -> Result<()> {
        self.app.compare_with_marks(When::IfDue);
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        let (mut printer, stop) = new_printer(self.app);
        let ends = StopSignals {
            window: self.keyboard.is_terminal(),
            program: false,
        };
        let result = self
            .runtime
            .block_on(session.retry(&mut printer, wait_for_interrupt(&stop, ends)));
        self.on_answer(&printer, result, None)
    }

    fn on_answer(
        &mut self,
        printer: &AnswerPrinter,
        result: Result<Outcome, Error>,
        input: Option<UserInput>,
    ) -> Result<()> {
        if !printer.ends_line {
            self.app.ui.out("\n")?;
        }
        match result {
            Ok(outcome) => {
                if outcome.cancelled {
                    self.app.ui.notice("stopped; the partial answer is kept");
                }
                report_outcome(self.app, &outcome, &self.model, self.choice.as_ref(), true);
                if outcome.masked > 0 && !std::mem::replace(&mut self.masks_explained, true) {
                    self.app
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
                        self.attached = input.attachments;
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
            .find(|m| m.role == crate::message::Role::User)
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
                self.app.save_line(&id, &text);
            }
        }
    }
}

fn new_printer(app: &App) -> (AnswerPrinter, Cancel) {
    let stop = Cancel::new();
    (
        AnswerPrinter {
            ui: app.ui,
            yes: app.yes,
            show: true,
            cancel: stop.clone(),
            ends_line: true,
            aside: " · /redact show",
            log: app.logging().cloned(),
        },
        stop,
    )
}
