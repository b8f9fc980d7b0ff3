//! `ask`: one question and its answer, for pipes and scripts.

use crate::chat::{Observer, Outcome, UserInput};
use crate::cli::answer_events::{AnswerEvents, answer_json};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::answer_schema;
use crate::cli::answer_screen::AnswerScreen;
use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments;
use crate::cli::batch;
use crate::cli::code_blocks::code_blocks;
use crate::cli::context::Context;
use crate::cli::errors::report::error_json;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::key_validity;
use crate::cli::outcome::{describe_redactions, report_outcome, require_text};
use crate::cli::runtime::{StopSignals, runtime, wait_for_interrupt};
use crate::cli::session;
use crate::cli::term::{self, Style, Ui};
use crate::privacy::{Audience, Displayable, Raw, placeholder_spans};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::watch;

const EXAMPLES: &str = "\
Examples:
  chatbot ask \"why is the sky blue?\"
  git diff | chatbot ask \"write a commit message\"
  chatbot ask --file notes.md \"what is left to do?\"
  chatbot ask --dry-run \"my mail is jo@initech.com\"";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AskArgs {
    /// The question; `-` reads it from standard input
    #[arg(value_name = "PROMPT", allow_hyphen_values = false)]
    prompt: Vec<Raw>,
    #[command(flatten)]
    pub(crate) conversation: ConversationArgs,
    /// Continue the most recent conversation
    #[arg(short, long, conflicts_with = "resume")]
    r#continue: bool,
    /// Resume the conversation with this ID, or with this text in its title
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
    /// Output each event of the answer as JSON on a line of its own, while it is received
    #[arg(long, conflicts_with_all = ["json", "extract", "dry_run"])]
    json_lines: bool,
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
    /// Ask the questions in this file: on each line a JSON string, or an object with `prompt` and
    /// perhaps `id`, `system` and `model`; the answers are JSON, a line each
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "prompt", "file", "continue", "resume", "json", "json_lines", "dry_run", "extract", "restore"
    ])]
    batch: Option<PathBuf>,
    /// Add the answers of a batch to this file; those that it has already are not asked again
    #[arg(long, value_name = "FILE", requires = "batch")]
    output: Option<PathBuf>,
}

pub(crate) fn run(context: &mut Context, options: &AskArgs) -> Result<()> {
    let result = ask(context, options);
    if options.json_lines
        && let Err(error) = &result
        && !error.is::<SilentExit>()
        && !error.is::<term::BrokenPipeError>()
    {
        // The reader of the events learns from them how the answer ended.
        let (_, error) = error_json(error);
        context
            .ui
            .json(&json!({ "schema_version": 1, "event": "error", "error": error }))?;
    }
    result
}

fn ask(context: &mut Context, options: &AskArgs) -> Result<()> {
    if let Some(questions) = &options.batch {
        return batch::run(
            context,
            &options.conversation,
            questions,
            options.output.as_deref(),
        );
    }
    let input = read_input(context, options)?;
    let own_screen =
        context.ui.output_is_terminal() && !options.json && !options.json_lines && !options.extract;
    if options.dry_run {
        return dry_run(context, options, input);
    }
    let resume = Resume::from_args(options.resume.clone(), options.r#continue);
    let restore = if options.restore {
        Some(Audience::Revealed)
    } else {
        own_screen.then_some(Audience::Screen)
    };
    let mut started = session::begin(context, &options.conversation, &resume, restore)?;
    let whole = options.json || options.json_lines || options.extract;
    let screen = AnswerScreen::new(context, &options.conversation, &started.model)?;
    let mut observer = AnswerPrinter {
        ui: context.ui,
        yes: context.yes,
        show: !whole,
        cancelled: watch::Sender::new(false),
        screen: screen.clone(),
        aside: "",
        log: context.logging().cloned(),
    };
    let ends = StopSignals {
        window: context.ui.error_is_terminal(),
        program: true,
    };
    let cancelled = observer.cancelled.subscribe();
    let mut events = AnswerEvents {
        ui: context.ui,
        yes: context.yes,
        cancelled: observer.cancelled.clone(),
    };
    let follower: &mut dyn Observer = if options.json_lines {
        &mut events
    } else {
        &mut observer
    };
    let answer = started
        .session
        .send(input, follower, wait_for_interrupt(cancelled, ends));
    let result = runtime()?.block_on(screen.watch(answer));
    screen.finish(own_screen || result.is_ok())?;
    key_validity::record(context, started.choice.as_ref(), &result);
    let outcome =
        result.map_err(|error| session::explain_refused_key(error, started.choice.as_ref()))?;
    print_answer(context, options, &started, &outcome)?;
    if *observer.cancelled.borrow() {
        bail!(term::BrokenPipeError);
    }
    report_outcome(
        context,
        &outcome,
        &started.model,
        started.choice.as_ref(),
        false,
    );
    if outcome.masked > 0 {
        context
            .ui
            .notice("secrets in the answer are masked; `chatbot ask --restore` shows them");
    }
    if outcome.cancelled {
        bail!(SilentExit(CliExit::Interrupted));
    }
    require_text(&outcome, &started.model)?;
    if options.conversation.schema.is_some() {
        answer_schema::require_json(outcome.text.as_str())?;
    }
    Ok(())
}

/// Prints the answer that was not streamed: as JSON, or its first code block.
fn print_answer(
    context: &Context,
    options: &AskArgs,
    started: &session::StartedSession,
    outcome: &Outcome,
) -> Result<()> {
    let table = started.session.placeholders();
    let restored = |text: &str| {
        if options.restore {
            table
                .restore(text, Audience::Revealed)
                .0
                .plain()
                .into_owned()
        } else {
            text.to_owned()
        }
    };
    if options.json {
        context.ui.json(&answer_json(
            started,
            outcome,
            &restored(outcome.text.as_str()),
        ))?;
    } else if options.json_lines {
        let mut end = answer_json(started, outcome, "");
        if let Some(end) = end.as_object_mut() {
            // The text was in the events before.
            end.remove("text");
            end.insert("event".to_owned(), json!("end"));
        }
        context.ui.json(&end)?;
    } else if options.extract {
        context.ui.out(&restored(
            extract_code(outcome.text.as_str())?.plain().as_ref(),
        ))?;
    }
    Ok(())
}

/// Prints the exact body of the request. It needs no key, and nothing is counted or saved.
fn dry_run(context: &mut Context, options: &AskArgs, input: UserInput) -> Result<()> {
    let (body, findings) = session::preview(
        context,
        &options.conversation,
        &Resume::from_args(options.resume.clone(), options.r#continue),
        input,
    )?;
    let ui = context.ui;
    if !ui.output_is_terminal() {
        return ui.out(Displayable::json_text(&body) + "\n");
    }
    let pretty = serde_json::from_str::<serde_json::Value>(&body)
        .and_then(|body| serde_json::to_string_pretty(&body))
        .unwrap_or(body);
    let mut shown = Displayable::from("");
    let mut at = 0;
    for (start, end) in placeholder_spans(pretty.as_bytes()) {
        let text = |from: usize, to: usize| {
            Displayable::json_text(pretty.get(from..to).unwrap_or_default())
        };
        shown = shown + text(at, start) + ui.paint(Style::Yellow, text(start, end));
        at = end;
    }
    ui.out(shown + Displayable::json_text(pretty.get(at..).unwrap_or_default()) + "\n")?;
    ui.notice(&if findings.is_empty() {
        "nothing was sent; nothing in the message was replaced".to_owned()
    } else {
        let replaced = describe_redactions(&findings.counts());
        format!("nothing was sent; {replaced}")
    });
    Ok(())
}

/// The prompt: the arguments, the attached files, and standard input.
fn read_input(context: &mut Context, options: &AskArgs) -> Result<UserInput> {
    let ui = context.ui;
    let dash = options.prompt.len() == 1 && options.prompt.first().is_some_and(Raw::is_single_dash);
    let mut typed = Raw::from(String::new());
    if !dash {
        for word in &options.prompt {
            if !typed.is_empty() {
                typed.push(&Raw::from(" "));
            }
            typed.push(word);
        }
    }
    let files = attachments::attach(context, &options.conversation.file)?;
    let mut attached = files.attachments;
    let listens = dash || (!options.no_stdin && !ui.input_is_terminal() && term::stdin_has_data());
    if listens {
        let most = context.settings()?.limits.max_attachment_bytes;
        let room = most.saturating_sub(attached.len() as u64);
        let piped = read_pipe(ui, room, !typed.is_empty())?;
        if !piped.is_empty() && !attached.is_empty() {
            attached.push(&Raw::from("\n\n"));
        }
        attached.push(&piped);
    }
    // An empty prompt is refused by validation like any other message; this is the case without any
    // prompt.
    if options.prompt.is_empty() && options.conversation.file.is_empty() && !listens {
        bail!(CliError::misuse("no prompt given").hint("pass it to `chatbot ask`, or pipe it in"));
    }
    Ok(UserInput {
        text: typed,
        attachments: attached,
        images: files.images,
    })
}

/// Reads standard input. A pipe that is silent for two seconds gets a notice, because it may be one
/// that never ends.
fn read_pipe(ui: Ui, most: u64, asked: bool) -> Result<Raw> {
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
        bail!(CliError::misuse("standard input is not UTF-8 text").hint("pipe text in"));
    };
    Ok(Raw::from(text.trim_end_matches('\n')))
}

/// The text of the first fenced code block.
fn extract_code(text: &str) -> Result<Displayable> {
    let Some(code) = code_blocks(text).into_iter().next() else {
        bail!(
            CliError::new(
                CliExit::Failure,
                "no_code",
                "there is no code block in the answer"
            )
            .hint("leave out `--extract` to see the answer")
        );
    };
    // Control characters are removed and not replaced by visible ones: extracted code is meant to
    // be run.
    Ok(Displayable::from(
        code.chars()
            .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
            .collect::<String>(),
    ))
}
