//! `ask`: one question and its answer, for pipes and scripts.

use crate::chat::{Outcome, Said, Watcher};
use crate::cli::app::App;
use crate::cli::attachment;
use crate::cli::log::{Level, Log};
use crate::cli::network::{Stop, runtime};
use crate::cli::repl::{Ends, interrupted};
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::talk::{self, Talk, Which};
use crate::cli::ui::{self, Ui};
use crate::privacy::{Audience, Displayable, Findings, Raw};
use crate::provider::{Heard, Provider};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::sync::mpsc;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  chatbot ask \"why is the sky blue?\"
  git diff | chatbot ask \"write a commit message\"
  chatbot ask --file notes.md \"what is left to do?\"
  chatbot ask --dry-run \"my mail is jo@initech.com\"";

/// Ask one question and print the answer
///
/// Piped input is added as context, after the question and a blank line. If the question is `-`, it
/// is read from standard input. Only the answer is written to standard output.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The question; `-` reads it from standard input
    #[arg(value_name = "PROMPT", allow_hyphen_values = false)]
    prompt: Vec<Raw>,
    #[command(flatten)]
    talk: Talk,
    /// Continue the most recent conversation
    #[arg(short, long, conflicts_with = "resume")]
    r#continue: bool,
    /// Resume the conversation with this ID
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
    /// Output JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the exact request body and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print only the first code block of the answer
    #[arg(short = 'x', long, conflicts_with = "json")]
    extract: bool,
    /// Put redacted values back into the answer, secrets included, even when it is piped; values
    /// inside URLs stay redacted
    #[arg(long, conflicts_with = "dry_run")]
    restore: bool,
    /// Do not read standard input
    #[arg(long)]
    no_stdin: bool,
}

pub(crate) fn run(app: &mut App, options: &Options) -> Result<()> {
    let most = app.settings()?.limits.max_attachment_bytes;
    let said = said(app.ui, options, most)?;
    let own_screen = app.ui.output_is_terminal() && !options.json && !options.extract;
    if options.dry_run {
        return dry_run(app, options, said);
    }
    let which = Which::of(options.resume.clone(), options.r#continue);
    let restore = if options.restore { Some(Audience::Revealed) } else { own_screen.then_some(Audience::Screen) };
    let mut begun = talk::begin(app, &options.talk, &which, restore)?;
    if let Some(why) = &begun.unkept {
        app.ui.notice(why);
    }
    let whole = options.json || options.extract;
    let stop = Stop::new();
    let mut watcher =
        Screen { ui: app.ui, yes: app.yes, show: !whole, stop: stop.clone(), ends_line: true, aside: "", log: app.logging().cloned() };
    let ends = Ends { window: app.ui.error_is_terminal(), program: true };
    let result = runtime()?.block_on(begun.session.say(said, &mut watcher, interrupted(&stop, ends)));
    if !watcher.ends_line && (own_screen || result.is_ok()) && !whole {
        app.ui.out("\n")?;
    }
    let outcome = result?;
    let table = begun.session.placeholders();
    let restored =
        |text: &str| if options.restore { table.restore(text, Audience::Revealed).0.plain().into_owned() } else { text.to_owned() };
    if options.json {
        app.ui.json(&as_json(&begun, &outcome, &restored(outcome.text.as_str())))?;
    } else if options.extract {
        app.ui.out(&restored(extracted(outcome.text.as_str())?.plain().as_ref()))?;
    }
    if stop.is_wanted() {
        bail!(ui::Gone);
    }
    talk::tell(app, &outcome, &begun.model, begun.choice.as_ref(), false);
    if outcome.masked > 0 {
        app.ui.notice("secrets in the answer are masked; `chatbot ask --restore` shows them");
    }
    if outcome.stopped {
        bail!(Quiet(Exit::Interrupted));
    }
    talk::refuse_an_empty_answer(&outcome, &begun.model)
}

/// Prints the exact body of the request. It needs no key, and nothing is counted or saved.
fn dry_run(app: &mut App, options: &Options, said: Said) -> Result<()> {
    let body = talk::preview(app, &options.talk, &Which::of(options.resume.clone(), options.r#continue), said)?;
    app.ui.out(Displayable::json_text(&body) + "\n")
}

/// The prompt: the arguments, the attached files, and standard input.
fn said(ui: Ui, options: &Options, most: u64) -> Result<Said> {
    let dash = options.prompt.len() == 1 && options.prompt.first().is_some_and(Raw::is_dash);
    let mut typed = Raw::from(String::new());
    if !dash {
        for word in &options.prompt {
            if !typed.is_empty() {
                typed.push(&Raw::from(" "));
            }
            typed.push(word);
        }
    }
    let mut attached = attachment::attach(&options.talk.file, most)?;
    let listens = dash || (!options.no_stdin && !ui.input_is_terminal() && ui::input_says_something());
    if listens {
        let room = most.saturating_sub(attached.len() as u64);
        let piped = piped(ui, room, !typed.is_empty())?;
        if !piped.is_empty() && !attached.is_empty() {
            attached.push(&Raw::from("\n\n"));
        }
        attached.push(&piped);
    }
    // An empty prompt is refused by validation like any other message; this is the case without any
    // prompt.
    if options.prompt.is_empty() && options.talk.file.is_empty() && !listens {
        bail!(Problem::misuse("no prompt given").hint("pass it to `chatbot ask`, or pipe it in"));
    }
    Ok(Said { typed, attached })
}

/// Reads standard input. A pipe that is silent for two seconds gets a notice, because it may be one
/// that never ends.
fn piped(ui: Ui, most: u64, asked: bool) -> Result<Raw> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(ui.read_input(most)).unwrap_or_default());
    let bytes = match receive.recv_timeout(Duration::from_secs(2)) {
        Ok(bytes) => bytes?,
        Err(_) => {
            let out = if asked { "; `--no-stdin` skips it" } else { "" };
            ui.error_line(&format!("chatbot: waiting for standard input{out}"));
            receive.recv()??
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        bail!(Problem::misuse("standard input is not UTF-8 text").hint("pipe text in"));
    };
    Ok(Raw::from(text.trim_end_matches('\n')))
}

fn as_json(begun: &talk::Begun, outcome: &Outcome, text: &str) -> serde_json::Value {
    let answer = outcome.answer.as_ref();
    let usage = answer.and_then(|a| a.usage.as_ref());
    let redactions: Vec<_> = outcome.findings.counts().into_iter().map(|(kind, count)| json!({ "kind": kind, "count": count })).collect();
    let cost = usage.and_then(crate::provider::Usage::spent).map(|n| talk::exact_dollars(n.0));
    json!({
        "schema_version": 1,
        "id": answer.and_then(|a| a.id.as_deref()),
        "conversation": begun.session.conversation().filter(|c| c.is_kept()).map(|c| c.id().as_str()),
        "provider": begun.session.provider().name(),
        "model": answer.map_or(begun.model.as_str(), |a| a.model.as_str()),
        "text": text,
        "finish_reason": answer.and_then(|a| a.finish.as_deref()),
        "usage": {
            "prompt_tokens": usage.map(|u| u.prompt_tokens),
            "completion_tokens": usage.map(|u| u.completion_tokens),
            "cost": cost,
        },
        "redactions": redactions,
    })
}

/// The text of the first fenced code block.
fn extracted(text: &str) -> Result<Displayable> {
    let mut lines = text.lines();
    let fence = lines.by_ref().find_map(|l| {
        let l = l.trim_start();
        let mark = l.chars().next().filter(|c| "`~".contains(*c))?;
        let length = l.chars().take_while(|c| *c == mark).count();
        (length >= 3).then(|| mark.to_string().repeat(length))
    });
    let Some(fence) = fence else {
        bail!(
            Problem::new(Exit::Failure, "no_code", "there is no code block in the answer").hint("leave out `--extract` to see the answer")
        );
    };
    let code = lines.take_while(|l| !l.trim_start().starts_with(&fence)).fold(String::new(), |text, line| text + line + "\n");
    // Control characters are removed and not replaced by visible ones: extracted code is meant to
    // be run.
    Ok(Displayable::from(code.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect::<String>()))
}

/// Streams an answer to standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) ui: Ui,
    pub(crate) yes: bool,
    pub(crate) show: bool,
    pub(crate) stop: Stop,
    pub(crate) ends_line: bool,
    pub(crate) log: Option<Log>,
    /// Appended to the list of redacted values: the command that shows them.
    pub(crate) aside: &'static str,
}

impl Watcher for Screen {
    fn warned(&mut self, warning: &str) {
        self.ui.warning(warning);
    }

    fn redacted(&mut self, findings: &Findings) {
        self.ui.notice(&format!("{}{}", talk::replaced(&findings.counts()), self.aside));
    }

    fn approves(&mut self, findings: &Findings) -> bool {
        let question = format!("{}; send it redacted?", talk::replaced(&findings.counts()));
        self.yes || self.ui.confirm(&question, "`--yes`").unwrap_or(false)
    }

    fn text(&mut self, shown: &Displayable) {
        if self.show {
            self.ends_line = shown.ends_line();
            if self.ui.out(shown).is_err() {
                // The reader of standard output is gone: cancel, so that the rest is not paid for.
                self.show = false;
                self.stop.want();
            }
        }
    }

    fn waiting(&mut self, left: Duration) {
        let text = if left.is_zero() {
            String::new()
        } else {
            format!("waiting {} for a limit; press Ctrl-C to cancel", crate::clock::in_words(left))
        };
        self.ui.countdown(&text);
    }

    fn step(&mut self, what: &str) {
        if let Some(log) = &self.log {
            log.line(Level::Debug, what);
        }
    }

    fn sign(&mut self, heard: &Heard) {
        if let Some(log) = &self.log {
            match heard {
                Heard::Retrying { after, attempt, why } => {
                    log.line(Level::Info, &format!("retrying in {} ms, attempt {attempt}: {}", after.as_millis(), why.code()));
                }
                Heard::Reasoning(_) => log.line(Level::Debug, "received reasoning"),
                Heard::Alive => log.line(Level::Debug, "received a keep-alive"),
                _ => {}
            }
        }
        if let Heard::Retrying { after, attempt, .. } = heard {
            self.ui.notice(&format!("request failed; retrying in {} (attempt {attempt})", crate::clock::in_words(*after)));
        }
    }
}
