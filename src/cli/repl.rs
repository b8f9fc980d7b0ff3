//! The line editor, and the loop of reading, saying and showing. It appends and never moves the cursor up.

use super::app::App;
use super::commands::ask::Screen;
use super::network::{Stop, runtime};
use super::report::{Problem, mention};
use super::slash::{self, Deed, Line};
use super::talk::{self, Begun, Talk, Which};
use super::ui::{Style, shown};
use crate::chat::{Error, Outcome, Said, Session};
use crate::privacy::{Findings, Raw};
use crate::provider::AnyProvider;
use anyhow::{Context as _, Result};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext, EventHandler, Helper, KeyCode, KeyEvent,
    Modifiers, RepeatCount,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many lines of the past the arrow keys reach.
const REMEMBERED: usize = 500;

/// What came from the keyboard.
enum Input {
    Text(String),
    /// Ctrl-O: the text so far goes to the editor.
    Edit(String),
    /// Ctrl-C.
    Cleared,
    /// Ctrl-D, or the end of what was piped in.
    End,
}

/// Where lines come from.
enum Keyboard {
    Terminal(Box<Editor<Table, MemHistory>>, Arc<AtomicBool>),
    Pipe,
}

struct Repl<'a> {
    app: &'a mut App,
    session: Option<Session<AnyProvider>>,
    talk: Talk,
    model: String,
    keyboard: Keyboard,
    runtime: tokio::runtime::Runtime,
    attached: Raw,
    cleared: bool,
}

/// Talks until its owner leaves.
pub(crate) fn run(app: &mut App, begun: Begun, talk: Talk, attached: Raw) -> Result<()> {
    let keyboard = if app.ui.input_is_terminal() { terminal(app)? } else { Keyboard::Pipe };
    let Begun { session, unkept, model } = begun;
    let mut repl = Repl { app, session: Some(session), talk, model, keyboard, runtime: runtime()?, attached, cleared: false };
    repl.greet(unkept.as_deref());
    loop {
        repl.app.keep_watch();
        let input = repl.read()?;
        if !matches!(input, Input::Cleared) {
            repl.cleared = false;
        }
        let go_on = match input {
            Input::Text(text) => repl.line(text),
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
            Err(error) if error.is::<super::ui::Gone>() => return Err(error),
            Err(error) => mention(&repl.app.ui, &error),
        }
    }
    repl.farewell();
    Ok(())
}

impl Repl<'_> {
    fn greet(&self, unkept: Option<&str>) {
        let ui = &self.app.ui;
        if self.talk.demo {
            ui.notice("demo: an offline assistant in this program answers; nothing leaves this machine");
        } else {
            ui.notice(&format!("{} · /help for help", Raw::from(self.model.as_str()).printable()));
        }
        if let Some(unkept) = unkept {
            ui.notice(unkept);
        } else if self.session.as_ref().is_some_and(|s| s.conversation().is_none()) {
            ui.notice("incognito: nothing of this is kept");
        }
        if let Some(past) = self.session.as_ref().map(Session::past).filter(|p| !p.is_empty()) {
            ui.notice(&format!("going on after {} messages", past.len()));
        }
    }

    fn farewell(&self) {
        if let Some(conversation) = self.session.as_ref().and_then(Session::conversation).filter(|c| c.is_kept()) {
            self.app.ui.notice(&format!("go on with `chatbot chat --resume {}`", conversation.id()));
        }
    }

    fn clear(&mut self) {
        if std::mem::replace(&mut self.cleared, true) {
            self.app.ui.notice("Ctrl-D or /exit leaves");
        }
    }

    fn read(&mut self) -> Result<Input> {
        match &mut self.keyboard {
            Keyboard::Pipe => {
                let most = self.app.settings()?.limits.max_attachment_bytes;
                let Some(mut bytes) = self.app.ui.input_line(most)? else { return Ok(Input::End) };
                while open_block(&String::from_utf8_lossy(&bytes)) && (bytes.len() as u64) < most {
                    let Some(more) = self.app.ui.input_line(most)? else { break };
                    bytes.push(b'\n');
                    bytes.extend(more);
                }
                let text =
                    String::from_utf8(bytes).map_err(|_| Problem::misuse("standard input is not UTF-8 text").hint("pipe text in"))?;
                Ok(Input::Text(text))
            }
            Keyboard::Terminal(editor, edit) => {
                let incognito = self.session.as_ref().is_some_and(|s| s.conversation().is_none());
                let prompt = if incognito && !self.talk.demo { "incognito> " } else { "> " };
                match editor.readline(prompt) {
                    Ok(text) if edit.swap(false, Ordering::SeqCst) => Ok(Input::Edit(text)),
                    Ok(text) => Ok(Input::Text(text)),
                    Err(ReadlineError::Interrupted) => Ok(Input::Cleared),
                    Err(ReadlineError::Eof) => Ok(Input::End),
                    Err(error) => Err(error).context("cannot read from the terminal"),
                }
            }
        }
    }

    /// One line; whether there will be another.
    fn line(&mut self, text: String) -> Result<bool> {
        let text = unwrapped(text);
        if text.trim().is_empty() && self.attached.is_empty() {
            return Ok(true);
        }
        match slash::parse(&text) {
            Line::Say(words) => {
                let said = Said { typed: Raw::from(words), attached: std::mem::replace(&mut self.attached, Raw::from("")) };
                self.say(said)?;
            }
            Line::Do(Deed::Exit, _) => return Ok(false),
            Line::Do(deed, arguments) => self.deed(deed, arguments)?,
            Line::Unknown(name, meant) => {
                let name = Raw::from(name).printable();
                let hint =
                    meant.map_or_else(|| "`/help` shows what there is; `//` sends a slash".to_owned(), |m| format!("did you mean `{m}`?"));
                return Err(Problem::misuse(format!("there is no command `{name}`")).hint(hint).into());
            }
        }
        Ok(true)
    }

    fn session(&mut self) -> Result<&mut Session<AnyProvider>> {
        self.session.as_mut().context("the conversation has ended")
    }

    fn say(&mut self, said: Said) -> Result<()> {
        let session = self.session.as_mut().context("the conversation has ended")?;
        let (mut screen, stop) = screen(self.app);
        let before = said.clone();
        let result = self.runtime.block_on(session.say(said, &mut screen, interrupted(&stop)));
        self.answered(&screen, result, Some(before))
    }

    fn retry(&mut self) -> Result<()> {
        let session = self.session.as_mut().context("the conversation has ended")?;
        let (mut screen, stop) = screen(self.app);
        let result = self.runtime.block_on(session.retry(&mut screen, interrupted(&stop)));
        self.answered(&screen, result, None)
    }

    fn answered(&mut self, screen: &Screen, result: Result<Outcome, Error>, said: Option<Said>) -> Result<()> {
        if !screen.ends_line {
            self.app.ui.out("\n")?;
        }
        match result {
            Ok(outcome) => {
                if outcome.stopped {
                    self.app.ui.notice("stopped; what came is kept");
                }
                talk::tell(&self.app.ui, &outcome, &self.model);
                self.remember(&outcome.findings);
                Ok(())
            }
            Err(error) => {
                // What was typed is not lost: it is one arrow key away, unless it was kept already.
                if matches!(error, Error::Provider(_)) {
                    self.remember(&Findings::default());
                } else if let (Keyboard::Terminal(editor, _), Some(said)) = (&mut self.keyboard, said) {
                    let text = said.typed.printable();
                    editor.history_mut().add_owned(text).map(drop).unwrap_or_default();
                }
                Err(error.into())
            }
        }
    }

    /// The last question becomes a line of the arrow keys: redacted, in memory and, where conversations are kept, sealed on disk.
    fn remember(&mut self, findings: &Findings) {
        let Some(session) = &mut self.session else { return };
        let dropped = session.manners().drop_findings && !findings.is_empty();
        let Some(text) = session.past().iter().rev().find(|m| m.role == crate::message::Role::User).map(|m| m.text.clone()) else { return };
        if let Keyboard::Terminal(editor, _) = &mut self.keyboard {
            editor.history_mut().add(text.as_str()).map(drop).unwrap_or_default();
            if session.conversation().is_some() && !dropped {
                self.app.keep_line(&text);
            }
        }
    }

    fn deed(&mut self, deed: Deed, arguments: &str) -> Result<()> {
        match deed {
            Deed::Help => self.app.ui.out(&slash::help()),
            Deed::New => self.begin(&Which::New),
            Deed::Resume if arguments.is_empty() => {
                Err(Problem::misuse("which conversation?").hint("`/history` lists them; `/resume ID` takes one up").into())
            }
            Deed::Resume => self.begin(&Which::Named(arguments.to_owned())),
            Deed::Model => self.change_model(arguments),
            Deed::System => self.instruct(arguments),
            Deed::Retry => self.retry(),
            Deed::Undo => self.undo(),
            Deed::Edit => self.edit(arguments).map(drop),
            Deed::File => self.attach(arguments),
            Deed::History => super::commands::history::recent(self.app),
            Deed::Usage => super::commands::usage::today(self.app),
            Deed::Budget => super::money::budget(self.app.ui, self.session()?, arguments),
            Deed::Redact => self.redact(arguments),
            Deed::Incognito => self.incognito(),
            Deed::Copy => self.copy(),
            Deed::Exit => Ok(()),
        }
    }

    fn begin(&mut self, which: &Which) -> Result<()> {
        let talk = Talk { model: Some(self.model.clone()).filter(|_| !self.talk.demo), ..self.talk.clone() };
        let own_screen = self.app.ui.output_is_terminal();
        // The old conversation is closed first: to take it up again is then not to meet oneself.
        let old = self.session.take();
        let kept_out = old.as_ref().is_some_and(|s| s.conversation().is_none());
        drop(old);
        let talk = if kept_out && matches!(which, Which::New) { Talk { no_log: true, ..talk } } else { talk };
        let Begun { session, unkept, model } = talk::begin(self.app, &talk, which, own_screen)?;
        self.session = Some(session);
        self.model = model;
        self.greet(unkept.as_deref());
        Ok(())
    }

    fn change_model(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return self.app.ui.out(&format!("{}\n", Raw::from(self.model.as_str()).printable()));
        }
        if self.talk.demo {
            return Err(Problem::misuse("the demo has one assistant only").hint("`chatbot chat --model NAME` talks to a model").into());
        }
        if name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::misuse("that is not the name of a model").hint("`chatbot models` lists them").into());
        }
        name.clone_into(&mut self.session()?.wish().model);
        name.clone_into(&mut self.model);
        self.app.ui.notice(&format!("{name} answers from here on"));
        Ok(())
    }

    fn instruct(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Err(Problem::misuse("which instructions?").hint("`/system answer in one sentence`").into());
        }
        let findings = self.session()?.instruct(Raw::from(text));
        if !findings.is_empty() {
            self.app.ui.notice(&talk::replaced(&findings.counts()));
        }
        self.app.ui.notice("these instructions go along from here on");
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        let text = self.session()?.undo()?;
        self.app.ui.notice(&format!("taken back: {}", super::commands::history::fitted(&text.printable(), 60)));
        Ok(())
    }

    fn attach(&mut self, path: &str) -> Result<()> {
        if path.is_empty() {
            return Err(Problem::misuse("which file?").hint("`/file PATH`").into());
        }
        let most = self.app.settings()?.limits.max_attachment_bytes;
        let text = talk::attach(&[PathBuf::from(path)], most.saturating_sub(self.attached.len() as u64))?;
        if !self.attached.is_empty() {
            self.attached.push(&Raw::from("\n\n"));
        }
        self.attached.push(&text);
        self.app.ui.notice(&format!("{} goes along with the next message", shown(&PathBuf::from(path))));
        Ok(())
    }

    fn redact(&mut self, arguments: &str) -> Result<()> {
        let mut words = arguments.split_whitespace();
        match (words.next(), words.next()) {
            (None | Some("show"), None) => {
                let list = self.session()?.placeholders().listing();
                if list.is_empty() {
                    self.app.ui.notice("nothing has been replaced in this conversation");
                }
                let wide = list.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
                for (placeholder, value) in list {
                    self.app.ui.out(&format!("  {placeholder:<wide$}  {value}\n"))?;
                }
                Ok(())
            }
            (Some("off"), Some(kind)) => self.let_pass(&kind.to_uppercase()),
            (Some("on"), None) => {
                let redactor = self.app.redactor()?;
                self.session()?.use_redactor(redactor);
                self.app.ui.notice("redacting as the settings say");
                Ok(())
            }
            _ => Err(Problem::misuse("that cannot be done with `/redact`").hint("`/redact show`, `/redact off KIND`, `/redact on`").into()),
        }
    }

    fn let_pass(&mut self, kind: &str) -> Result<()> {
        let mut policy = self.app.settings()?.privacy.policy.clone();
        policy.disable.push(kind.to_owned());
        let redactor = self.app.redactor_for(&policy)?;
        self.session()?.use_redactor(redactor);
        self.app.ui.warning(&format!("{} is sent as it is in this conversation; `/redact on` ends that", Raw::from(kind).printable()));
        Ok(())
    }

    fn incognito(&mut self) -> Result<()> {
        self.talk.no_log = true;
        self.begin(&Which::New)
    }

    fn copy(&mut self) -> Result<()> {
        use base64::Engine;
        let session = self.session.as_ref().context("the conversation has ended")?;
        let last = session.past().iter().rev().find(|m| m.role == crate::message::Role::Assistant);
        let Some(text) = last.map(|m| session.placeholders().restore(&m.text.printable())) else {
            return Err(Problem::misuse("there is no answer yet").hint("ask something").into());
        };
        if !self.app.ui.output_is_terminal() || text.len() > 74_000 {
            return Err(Problem::misuse("this terminal cannot take it on its clipboard").hint("select it with the mouse").into());
        }
        self.app.ui.out(&format!("\x1b]52;c;{}\x07", base64::engine::general_purpose::STANDARD.encode(text)))?;
        self.app.ui.notice("copied, if your terminal allows it");
        Ok(())
    }

    /// The text in the owner's editor, and back as a message.
    fn edit(&mut self, text: &str) -> Result<bool> {
        let text = self.app.edit(text)?;
        if text.is_empty() {
            self.app.ui.notice("nothing was written");
            return Ok(true);
        }
        let shown = self.app.ui.paint(Style::Dim, &text.printable());
        self.app.ui.out(&format!("{shown}\n"))?;
        let said = Said { typed: text, attached: std::mem::replace(&mut self.attached, Raw::from("")) };
        self.say(said)?;
        Ok(true)
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

/// Ctrl-C, or nobody reads any more.
pub(crate) async fn interrupted(stop: &Stop) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        () = stop.wanted() => (),
    }
}

/// Whether an armoured block (a private key, a certificate) has begun and not ended: its lines are one message, because each
/// by itself is only letters, and the redactor could not know them for what they are.
fn open_block(text: &str) -> bool {
    text.rfind("-----BEGIN ").is_some_and(|at| !text.get(at..).is_some_and(|rest| rest.contains("-----END ")))
}

/// What was typed over several lines as the text that is meant: without the backslashes at line ends and the `"""` around it.
fn unwrapped(text: String) -> String {
    let trimmed = text.trim();
    if let Some(inner) = trimmed.strip_prefix("\"\"\"").and_then(|t| t.strip_suffix("\"\"\"")) {
        return inner.trim_matches('\n').to_owned();
    }
    if text.contains("\\\n") { text.replace("\\\n", "\n") } else { text }
}

fn terminal(app: &mut App) -> Result<Keyboard> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(false)
        .bracketed_paste(true)
        .max_history_size(REMEMBERED)?
        .build();
    let mut editor = Editor::with_history(config, MemHistory::new())?;
    editor.set_helper(Some(Table { models: app.known_models() }));
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    editor.bind_sequence(KeyEvent::ctrl('J'), Cmd::Newline);
    let edit = Arc::new(AtomicBool::new(false));
    editor.bind_sequence(KeyEvent::ctrl('O'), EventHandler::Conditional(Box::new(ToEditor(Arc::clone(&edit)))));
    for line in app.kept_lines(REMEMBERED) {
        editor.history_mut().add_owned(line).map(drop).unwrap_or_default();
    }
    Ok(Keyboard::Terminal(Box::new(editor), edit))
}

struct ToEditor(Arc<AtomicBool>);

impl ConditionalEventHandler for ToEditor {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::SeqCst);
        Some(Cmd::Interrupt.clone()).and(Some(Cmd::AcceptLine))
    }
}

/// What the Tab key knows.
struct Table {
    models: Vec<String>,
}

impl Completer for Table {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..at).unwrap_or_default();
        let pair = |text: &str| Pair { display: text.to_owned(), replacement: text.to_owned() };
        if let Some(name) = typed.strip_prefix("/model ") {
            let fits = self.models.iter().filter(|m| m.starts_with(name)).map(|m| pair(m)).collect();
            return Ok((at - name.len(), fits));
        }
        if typed.starts_with('/') && !typed.contains(' ') {
            return Ok((0, slash::TABLE.iter().filter(|c| c.name.starts_with(typed)).map(|c| pair(c.name)).collect()));
        }
        Ok((at, Vec::new()))
    }
}

impl Validator for Table {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let open = open_block(text)
            || text.trim_start().starts_with("\"\"\"") && !(text.trim_end().len() >= 6 && text.trim_end().ends_with("\"\"\""));
        Ok(if open || text.ends_with('\\') { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Table {
    type Hint = String;
}

impl Highlighter for Table {}
impl Helper for Table {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_key_are_one_message() {
        let key = "see -----BEGIN RSA PRIVATE KEY-----\nMIIE";
        assert!(open_block(key));
        assert!(!open_block(&format!("{key}\n-----END RSA PRIVATE KEY-----")));
        assert!(!open_block("----- BEGIN"));
    }

    #[test]
    fn several_lines_become_the_text_that_is_meant() {
        assert_eq!(unwrapped("a\\\nb".to_owned()), "a\nb");
        assert_eq!(unwrapped("\"\"\"\nfn main() {}\n\"\"\"".to_owned()), "fn main() {}");
        assert_eq!(unwrapped("plain".to_owned()), "plain");
    }
}
