//! The interactive loop: read a line, run it, show the answer. Output is only appended; the cursor
//! never moves up.

mod deeds;
mod keyboard;

use super::app::{App, Choice};
use super::commands::ask::Screen;
use super::network::{Stop, runtime};
use super::report::{Problem, Quiet, mention};
use super::rollback::When;
use super::slash::{self, Deed, Line};
use super::talk::{self, Begun, Talk};
use crate::chat::{Error, Outcome, Said, Session};
use crate::privacy::{Findings, Raw};
use crate::provider::AnyProvider;
use anyhow::{Context as _, Result, bail};
use keyboard::{Input, Keyboard};

struct Repl<'a> {
    app: &'a mut App,
    session: Option<Session<AnyProvider>>,
    talk: Talk,
    model: String,
    choice: Option<Choice>,
    keyboard: Keyboard,
    runtime: tokio::runtime::Runtime,
    attached: Raw,
    cleared: bool,
    /// Whether it was said how masked secrets are shown.
    masks_explained: bool,
    /// What this run has spent in conversations before this one.
    spent: i64,
}

/// Runs the chat until the user leaves it.
pub(crate) fn run(app: &mut App, begun: Begun, talk: Talk, attached: Raw) -> Result<()> {
    let keyboard = Keyboard::of(app)?;
    let Begun { session, unkept, model, choice } = begun;
    let mut repl = Repl {
        app,
        session: Some(session),
        talk,
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
        repl.app.keep_watch();
        let input = repl.read()?;
        if !matches!(input, Input::Cleared) {
            repl.cleared = false;
        }
        let go_on = match input {
            Input::Text(text) => repl.line(&text),
            Input::Edit(text) => repl.edit(&text),
            Input::Cleared => {
                repl.clear();
                Ok(true)
            }
            Input::End => Ok(false),
        };
        match go_on {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.is::<super::ui::Gone>() || error.is::<Quiet>() => return Err(error),
            Err(error) => failed = Some(mention(&repl.app.ui, &error)),
        }
    }
    repl.farewell();
    // A user has seen the error; a script needs the exit code.
    match failed.filter(|_| !repl.keyboard.is_terminal()) {
        Some(exit) => bail!(Quiet(exit)),
        None => Ok(()),
    }
}

impl Repl<'_> {
    fn greet(&self, unkept: Option<&str>) {
        let ui = &self.app.ui;
        if self.talk.demo {
            ui.notice("demo: a built-in offline assistant answers; nothing leaves this machine");
        } else {
            ui.notice(&format!("{} · /help for help", Raw::from(self.model.as_str()).printable_line()));
        }
        if let Some(unkept) = unkept {
            ui.notice(unkept);
        } else if self.session.as_ref().is_some_and(|s| s.conversation().is_none()) {
            ui.notice("incognito: this conversation is not saved");
        }
        if let Some(past) = self.session.as_ref().map(Session::past).filter(|p| !p.is_empty()) {
            ui.notice(&match past.len() {
                1 => String::from("resumed a conversation with 1 message"),
                many => format!("resumed a conversation with {many} messages"),
            });
        }
    }

    fn farewell(&self) {
        if let Some(conversation) = self.session.as_ref().and_then(Session::conversation).filter(|c| c.is_kept()) {
            self.app.ui.notice(&format!("resume with `chatbot chat --resume {}`", conversation.id()));
        }
    }

    fn clear(&mut self) {
        if std::mem::replace(&mut self.cleared, true) {
            self.app.ui.notice("press Ctrl-D or type /exit to leave");
        }
    }

    fn read(&mut self) -> Result<Input> {
        let incognito = self.session.as_ref().is_some_and(|s| s.conversation().is_none());
        let prompt = if incognito && !self.talk.demo { "incognito> " } else { "> " };
        let most = self.app.settings()?.limits.max_attachment_bytes;
        self.keyboard.read(&self.app.ui, prompt, most)
    }

    /// Runs one line; returns `false` to leave the chat.
    fn line(&mut self, text: &str) -> Result<bool> {
        if text.trim().is_empty() && self.attached.is_empty() {
            return Ok(true);
        }
        match slash::parse(text) {
            Line::Say(words) => {
                let said = Said { typed: Raw::from(words), attached: std::mem::replace(&mut self.attached, Raw::from("")) };
                self.say(said)?;
            }
            Line::Do(Deed::Exit, _) => return Ok(false),
            Line::Do(deed, arguments) => self.deed(deed, arguments)?,
            Line::TooMuch(name) => {
                let hint = format!("type `{name}` alone, or `/{name} …` to send it as a message");
                return Err(Problem::misuse(format!("`{name}` takes no arguments")).hint(hint).into());
            }
            Line::Unknown(name, meant) => {
                let name = Raw::from(name).printable();
                let hint = meant.map_or_else(
                    || "`/help` lists the commands; to send a slash, type `//`".to_owned(),
                    |m| format!("did you mean `{m}`?"),
                );
                return Err(Problem::misuse(format!("unknown command `{name}`")).hint(hint).into());
            }
        }
        Ok(true)
    }

    fn session(&mut self) -> Result<&mut Session<AnyProvider>> {
        self.session.as_mut().context("the conversation has ended")
    }

    fn say(&mut self, said: Said) -> Result<()> {
        self.app.compare_with_marks(When::IfDue);
        let session = self.session.as_mut().context("the conversation has ended")?;
        let (mut screen, stop) = screen(self.app);
        let ends = Ends { window: self.keyboard.is_terminal(), program: false };
        let before = said.clone();
        let result = self.runtime.block_on(session.say(said, &mut screen, interrupted(&stop, ends)));
        self.answered(&screen, result, Some(before))
    }

    fn retry(&mut self) -> Result<()> {
        self.app.compare_with_marks(When::IfDue);
        let session = self.session.as_mut().context("the conversation has ended")?;
        let (mut screen, stop) = screen(self.app);
        let ends = Ends { window: self.keyboard.is_terminal(), program: false };
        let result = self.runtime.block_on(session.retry(&mut screen, interrupted(&stop, ends)));
        self.answered(&screen, result, None)
    }

    fn answered(&mut self, screen: &Screen, result: Result<Outcome, Error>, said: Option<Said>) -> Result<()> {
        if !screen.ends_line {
            self.app.ui.out("\n")?;
        }
        match result {
            Ok(outcome) => {
                if outcome.stopped {
                    self.app.ui.notice("stopped; the partial answer is kept");
                }
                talk::tell(self.app, &outcome, &self.model, self.choice.as_ref(), true);
                if outcome.masked > 0 && !std::mem::replace(&mut self.masks_explained, true) {
                    self.app.ui.notice("secrets in the answer are masked; `/reveal` shows them");
                }
                self.remember(&outcome.findings);
                talk::refuse_an_empty_answer(&outcome, &self.model)
            }
            Err(error) => {
                // The text stays one arrow key away, unless it was saved before the request failed.
                if matches!(error, Error::Provider(_)) {
                    self.remember(&Findings::default());
                } else if let Some(said) = said {
                    self.keyboard.remember(said.typed.printable());
                    // Attachments are sent with the next attempt, unless they are what was refused.
                    if !matches!(error, Error::Refused(_)) {
                        self.attached = said.attached;
                    }
                }
                Err(error.into())
            }
        }
    }

    /// Adds the last question to the arrow keys: redacted, in memory and, if the conversation is
    /// saved, encrypted on disk.
    fn remember(&mut self, findings: &Findings) {
        let Some(session) = &mut self.session else { return };
        let dropped = session.manners().drop_findings && !findings.is_empty();
        let Some(text) = session.past().iter().rev().find(|m| m.role == crate::message::Role::User).map(|m| m.text.clone()) else { return };
        if self.keyboard.is_terminal() {
            self.keyboard.remember(text.as_str().to_owned());
            if let Some(id) = session.conversation().map(|c| c.id().clone()).filter(|_| !dropped) {
                self.app.keep_line(&id, &text);
            }
        }
    }
}
fn screen(app: &App) -> (Screen, Stop) {
    let stop = Stop::new();
    (
        Screen {
            ui: app.ui,
            yes: app.yes,
            show: true,
            stop: stop.clone(),
            ends_line: true,
            aside: " · /redact show",
            log: app.logging().cloned(),
        },
        stop,
    )
}

/// Which signals stop an answer, in addition to Ctrl-C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// SIGHUP, if a terminal was watching: then the program was not meant to outlive its window.
    pub(crate) window: bool,
    /// SIGTERM, for a command that ends with its answer; a chat would return to its prompt instead.
    pub(crate) program: bool,
}

/// Waits for Ctrl-C, a closed standard output, or a signal of `ends`. The caller keeps the partial
/// answer and records its cost.
pub(crate) async fn interrupted(stop: &Stop, ends: Ends) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        () = stop.wanted() => (),
        () = ended(ends) => (),
    }
}

#[cfg(unix)]
pub(crate) async fn ended(ends: Ends) {
    use tokio::signal::unix::{SignalKind, signal};
    let hear = |wanted: bool, kind| wanted.then(|| signal(kind).ok()).flatten();
    let window = hear(ends.window, SignalKind::hangup());
    let program = hear(ends.program, SignalKind::terminate());
    let came = |signal: Option<tokio::signal::unix::Signal>| async move {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = came(window) => (),
        () = came(program) => (),
    }
}

#[cfg(not(unix))]
pub(crate) async fn ended(_: Ends) {
    std::future::pending().await
}
