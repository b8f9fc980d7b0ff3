//! A file of questions, asked one after the other: a JSON object for each on a line, and for each
//! answer.
//!
//! Limits and budgets hold as for single questions; where a limit is reached, the batch waits. A
//! failure that would meet the next question too ends it. With a file for the answers, the same
//! command continues where it stopped.

use super::context::Context;
use super::session;
use crate::chat::{Observer, UserInput};
use crate::cli::answer_events::answer_json;
use crate::cli::answer_schema;
use crate::cli::args::{ConversationArgs, Resume, parse_model, with_folder};
use crate::cli::errors::report::error_json;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::key_validity;
use crate::cli::outcome::require_text;
use crate::cli::runtime::{StopSignals, runtime, wait_for_interrupt};
use crate::cli::term::format::pluralize;
use crate::cli::term::{Ui, display_path};
use crate::fs::{self, Appender, AtomicFile};
use crate::name::Name;
use crate::privacy::{Displayable, Findings, Raw};
use crate::provider::StreamEvent;
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// The largest file of questions or answers.
const MAX_BATCH_BYTES: u64 = 1 << 28;

struct Question {
    id: Value,
    prompt: Raw,
    system: Option<Raw>,
    model: Option<String>,
}

/// A line of the file: the question alone, or with its options.
#[derive(Deserialize)]
#[serde(untagged)]
enum QuestionLine {
    Prompt(String),
    Object(QuestionFields),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionFields {
    id: Option<Value>,
    prompt: String,
    system: Option<String>,
    model: Option<String>,
}

/// Asks all questions of a file that have no answer yet.
pub(crate) fn run(
    context: &mut Context,
    args: &ConversationArgs,
    questions: &Path,
    output: Option<&Path>,
) -> Result<()> {
    let mut questions = read_questions(questions)?;
    let output = output.map(with_folder);
    let mut file = None;
    if let Some(path) = &output {
        let answered = read_answered(path)?;
        questions.retain(|question| !answered.contains(&question.id.to_string()));
        file = Some(open_output(path)?);
    }
    let all = questions.len();
    let (mut failed, mut spent) = (0, 0);
    for (n, question) in questions.into_iter().enumerate() {
        context
            .ui
            .countdown(&format!("question {} of {all}", n + 1));
        let id = question.id.clone();
        let result = ask(context, args, question, &mut spent);
        context.ui.countdown("");
        let mut line = match result {
            Ok(answer) => answer,
            Err(error) if error.is::<SilentExit>() => return Err(error),
            Err(error) => {
                let (exit, problem) = error_json(&error);
                if !matches!(exit, CliExit::Failure | CliExit::Refused) {
                    return Err(error);
                }
                failed += 1;
                json!({ "schema_version": 1, "error": problem })
            }
        };
        if let Some(line) = line.as_object_mut() {
            // The id of the question; that of the answer gives way.
            line.insert("id".to_owned(), id);
        }
        match &mut file {
            Some(file) => file.append(format!("{line}\n").as_bytes())?,
            None => context.ui.json(&line)?,
        }
    }
    if failed > 0 {
        let what = format!("{} of {} failed", failed, pluralize(all, "question"));
        bail!(CliError::new(CliExit::Failure, "batch", what).hint(
            "their errors are in the output; with `--output`, the same command asks them again"
        ));
    }
    Ok(())
}

fn ask(
    context: &mut Context,
    args: &ConversationArgs,
    question: Question,
    spent: &mut i64,
) -> Result<Value> {
    let args = ConversationArgs {
        system: question.system.or_else(|| args.system.clone()),
        model: question.model.or_else(|| args.model.clone()),
        wait: true,
        ..args.clone()
    };
    let mut started = session::begin(context, &args, &Resume::New, None)?;
    started.session.set_run_spend(*spent);
    let input = UserInput::from_typed(question.prompt);
    let mut follower = BatchFollower {
        ui: context.ui,
        yes: context.yes,
    };
    let ends = StopSignals {
        window: context.ui.error_is_terminal(),
        program: true,
    };
    let (_running, cancelled) = watch::channel(false);
    let result = runtime()?.block_on(started.session.send(
        input,
        &mut follower,
        wait_for_interrupt(cancelled, ends),
    ));
    *spent = started.session.spend().command;
    key_validity::record(context, started.choice.as_ref(), &result);
    let outcome = result?;
    if outcome.cancelled {
        bail!(SilentExit(CliExit::Interrupted));
    }
    require_text(&outcome, &started.model)?;
    if args.schema.is_some() {
        answer_schema::require_json(outcome.text.as_str())?;
    }
    Ok(answer_json(&started, &outcome, outcome.text.as_str()))
}

/// Reads all questions, so that a mistake on the last line is found before anything is sent.
fn read_questions(path: &Path) -> Result<Vec<Question>> {
    let shown = display_path(path);
    let bytes = fs::read_external(path, MAX_BATCH_BYTES)?;
    let mut ids = HashSet::new();
    let mut questions = Vec::new();
    for (n, line) in bytes.split(|b| *b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |why: &str| {
            CliError::misuse(format!("{shown} line {}: {why}", n + 1)).hint(
                "a line is a JSON string, or an object with `prompt` and perhaps `id`, `system` and `model`",
            )
        };
        let fields = match serde_json::from_slice(line) {
            Ok(QuestionLine::Object(fields)) => fields,
            Ok(QuestionLine::Prompt(prompt)) => QuestionFields {
                id: None,
                prompt,
                system: None,
                model: None,
            },
            Err(_) => bail!(wrong("not a question")),
        };
        let id = fields.id.unwrap_or_else(|| json!(n + 1));
        if !id.is_string() && !id.is_number() {
            bail!(wrong("`id` must be a string or a number"));
        }
        if !ids.insert(id.to_string()) {
            bail!(wrong("`id` occurs before"));
        }
        if let Some(model) = &fields.model {
            parse_model(model).map_err(wrong)?;
        }
        questions.push(Question {
            id,
            prompt: Raw::from(fields.prompt),
            system: fields.system.map(Raw::from),
            model: fields.model,
        });
    }
    Ok(questions)
}

/// The ids of the questions that have an answer.
fn read_answered(path: &Path) -> Result<HashSet<String>> {
    if !fs::exists(path) {
        return Ok(HashSet::new());
    }
    let bytes = fs::read_external(path, MAX_BATCH_BYTES)?;
    let answers = bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    Ok(answers
        .filter(|answer| answer.get("error").is_none())
        .filter_map(|answer| answer.get("id").map(Value::to_string))
        .collect())
}

/// Opens the file of the answers. The rest of a line that was cut short gets a line of its own.
fn open_output(path: &Path) -> Result<Appender> {
    if !fs::exists(path) {
        // The folder is the user's, and others may see it; the file is private.
        AtomicFile::create_for(path)?.commit_new()?;
    }
    let mut file = Appender::open(path)?;
    if !matches!(file.tail(1)?.as_slice(), [] | [b'\n']) {
        file.append(b"\n")?;
    }
    Ok(file)
}

/// Follows a question of a batch: its answer is written when it is complete.
struct BatchFollower {
    ui: Ui,
    yes: bool,
}

impl Observer for BatchFollower {
    fn on_warning(&mut self, warning: &str) {
        self.ui.warning(warning);
    }

    fn on_redacted(&mut self, _: &Findings) {}

    fn confirm_send(&mut self, _: &Findings) -> bool {
        self.yes
    }

    fn confirm_images(&mut self, _: usize, _: &Name) -> bool {
        self.yes
    }

    fn on_text(&mut self, _: &Displayable) {}

    fn on_event(&mut self, _: &StreamEvent) {}

    fn on_wait(&mut self, left: Duration) {
        if !left.is_zero() {
            let left = crate::time::humanize(left);
            self.ui
                .countdown(&format!("waiting {left} for a limit; press Ctrl-C to stop"));
        }
    }
}
