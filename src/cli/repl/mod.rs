//! The interactive loop: read a line, run it, show the answer. Output is only appended; the cursor
//! never moves up.

mod commands;
mod completion;
mod input;
mod paste;
mod picker;
mod slash;
mod state;

use super::context::Context;
use super::state_marks::When;
use crate::cli::alerts;
use crate::cli::args::ConversationArgs;
use crate::cli::attachments::AttachedFiles;
use crate::cli::editor;
use crate::cli::errors::report::report_in_chat;
use crate::cli::errors::{CliError, SilentExit};
use crate::cli::repl::slash::InputLine;
use crate::cli::runtime::runtime;
use crate::cli::session::StartedSession;
use crate::cli::term::BrokenPipeError;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use input::{InputEvent, InputSource};
use state::Repl;

/// Runs the chat until the user leaves it.
pub(crate) fn run(
    context: &mut Context,
    started: StartedSession,
    mut args: ConversationArgs,
    attached: AttachedFiles,
    first: Raw,
) -> Result<()> {
    let keyboard = InputSource::new(context, commands::COMMANDS.iter().map(|c| c.name).collect())?;
    let StartedSession {
        session,
        model,
        choice,
    } = started;
    // What comes next stays with the provider that a resumed conversation chose.
    if !args.demo {
        args.provider = choice
            .as_ref()
            .map_or_else(|| "demo".parse().ok(), |c| Some(c.endpoint.name.clone()));
    }
    let mut repl = Repl {
        context,
        session: Some(session),
        args,
        model,
        choice,
        keyboard,
        runtime: runtime()?,
        attached,
        unanswered: None,
        cleared: false,
        masks_explained: false,
        leaving: false,
        spent: 0,
    };
    editor::sweep(repl.context);
    repl.greet();
    repl.context.compare_at_end = Some(When::Now);
    let mut failed = None;
    alerts::check(repl.context);
    let mut first = Some(first).filter(|text| !text.is_empty());
    loop {
        let input = match first.take() {
            Some(text) => InputEvent::First(text),
            None => repl.read()?,
        };
        if !matches!(input, InputEvent::Cleared { was_empty: true }) {
            repl.cleared = false;
        }
        let done = match input {
            InputEvent::Text(text) => handle_line(&mut repl, &text),
            InputEvent::First(text) => send_first(&mut repl, text),
            InputEvent::OpenEditor(text) => commands::edit(&mut repl, &text),
            InputEvent::Cleared { was_empty } => {
                repl.clear(was_empty);
                Ok(())
            }
            InputEvent::End => break,
        };
        // An alert is shown when the chat is left, and not between an answer and the next prompt.
        alerts::check_unseen(repl.context);
        match done {
            Ok(()) if repl.leaving => break,
            Ok(()) => {}
            Err(error) if error.is::<BrokenPipeError>() || error.is::<SilentExit>() => {
                return Err(error);
            }
            Err(error) => failed = Some(report_in_chat(&repl.context.ui, &error)),
        }
    }
    repl.farewell();
    // A user has seen the error; a script needs the exit code.
    match failed.filter(|_| !repl.keyboard.is_terminal()) {
        Some(exit) => bail!(SilentExit(exit)),
        None => Ok(()),
    }
}

/// Sends the message of the command line.
fn send_first(repl: &mut Repl<'_>, text: Raw) -> Result<()> {
    if repl.keyboard.is_terminal() {
        repl.context.ui.out(&format!("> {}\n", text.printable()))?;
    }
    let input = repl.attached.take_with(text);
    repl.send(input)
}

/// Runs one line.
fn handle_line(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    if text.trim().is_empty() && repl.attached.is_empty() {
        return Ok(());
    }
    match slash::parse(text, commands::COMMANDS) {
        InputLine::Message(words) => {
            repl.note_old_placeholders(words);
            let input = repl.attached.take_with(Raw::from(words));
            repl.send(input)
        }
        InputLine::Command(command, arguments) => (command.run)(repl, arguments),
        InputLine::TooMuch(name) => {
            let hint = format!("type `{name}` alone, or `/{name} …` to send it as a message");
            Err(CliError::misuse(format!("`{name}` takes no arguments"))
                .hint(hint)
                .into())
        }
        InputLine::Unknown(name, meant) => {
            let name = Raw::from(name).printable();
            let hint = meant.map_or_else(
                || "`/help` lists the commands; to send a slash, type `//`".to_owned(),
                |m| format!("did you mean `{m}`?"),
            );
            Err(CliError::misuse(format!("unknown command `{name}`"))
                .hint(hint)
                .into())
        }
    }
}
