//! `ask`: one question and its answer, for pipes and scripts.

use crate::chat::{Outcome, UserInput};
use crate::cli::answer_printer::AnswerPrinter;
use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments;
use crate::cli::code_blocks::code_blocks;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::outcome::{report_outcome, require_text};
use crate::cli::runtime::{StopSignals, runtime, wait_for_interrupt};
use crate::cli::session;
use crate::cli::term::format::json_dollars;
use crate::cli::term::{self, Ui};
use crate::privacy::{Audience, Displayable, Raw};
use crate::provider::Provider;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::watch;

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
pub(crate) struct AskArgs {
    /// The question; `-` reads it from standard input
    #[arg(value_name = "PROMPT", allow_hyphen_values = false)]
    prompt: Vec<Raw>,
    #[command(flatten)]
    conversation: ConversationArgs,
    /// Continue the most recent conversation
    #[arg(short, long, conflicts_with = "resume")]
    r#continue: bool,
    /// Resume the conversation with this ID
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
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

pub(crate) fn run(context: &mut Context, options: &AskArgs) -> Result<()> {
    let most = context.settings()?.limits.max_attachment_bytes;
    let input = read_input(context.ui, options, most)?;
    let own_screen = context.ui.output_is_terminal() && !options.json && !options.extract;
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
    if let Some(why) = &started.not_saved_because {
        context.ui.notice(why);
    }
    let whole = options.json || options.extract;
    let mut observer = AnswerPrinter {
        ui: context.ui,
        yes: context.yes,
        show: !whole,
        cancelled: watch::Sender::new(false),
        ends_line: true,
        aside: "",
        log: context.logging().cloned(),
    };
    let ends = StopSignals {
        window: context.ui.error_is_terminal(),
        program: true,
    };
    let cancelled = observer.cancelled.subscribe();
    let result = runtime()?.block_on(started.session.send(
        input,
        &mut observer,
        wait_for_interrupt(cancelled, ends),
    ));
    if !observer.ends_line && (own_screen || result.is_ok()) && !whole {
        context.ui.out("\n")?;
    }
    let outcome = result?;
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
    require_text(&outcome, &started.model)
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
        context
            .ui
            .json(&as_json(started, outcome, &restored(outcome.text.as_str())))?;
    } else if options.extract {
        context.ui.out(&restored(
            extract_code(outcome.text.as_str())?.plain().as_ref(),
        ))?;
    }
    Ok(())
}

/// Prints the exact body of the request. It needs no key, and nothing is counted or saved.
fn dry_run(context: &mut Context, options: &AskArgs, input: UserInput) -> Result<()> {
    let body = session::preview(
        context,
        &options.conversation,
        &Resume::from_args(options.resume.clone(), options.r#continue),
        input,
    )?;
    context.ui.out(Displayable::json_text(&body) + "\n")
}

/// The prompt: the arguments, the attached files, and standard input.
fn read_input(ui: Ui, options: &AskArgs, most: u64) -> Result<UserInput> {
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
    let mut attached = attachments::attach(ui, &options.conversation.file, most)?;
    let listens = dash || (!options.no_stdin && !ui.input_is_terminal() && term::stdin_has_data());
    if listens {
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

fn as_json(started: &session::StartedSession, outcome: &Outcome, text: &str) -> serde_json::Value {
    let answer = outcome.completion.as_ref();
    let usage = answer.and_then(|a| a.usage.as_ref());
    let redactions: Vec<_> = outcome
        .findings
        .counts()
        .into_iter()
        .map(|(kind, count)| json!({ "kind": kind, "count": count }))
        .collect();
    let cost = usage
        .and_then(crate::provider::TokenUsage::total_cost)
        .map(|n| json_dollars(n.0));
    json!({
        "schema_version": 1,
        "id": answer.and_then(|a| a.id.as_deref()),
        "conversation": started.session.conversation().filter(|c| c.is_saved()).map(|c| c.id().as_str()),
        "provider": started.session.provider().name(),
        "model": answer.map_or(started.model.as_str(), |a| a.model.as_str()),
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
