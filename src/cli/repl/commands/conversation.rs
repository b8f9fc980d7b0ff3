//! The commands about the conversation: start, resume, change, save, delete and export it.

use crate::chat::UserInput;
use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments::expand_home;
use crate::cli::commands::history;
use crate::cli::errors::CliError;
use crate::cli::repl::picker;
use crate::cli::repl::state::Repl;
use crate::cli::session::{self, StartedSession};
use crate::cli::term::format::truncate_to_width;
use crate::name::Name;
use crate::privacy::{Audience, Raw};
use crate::provider::Provider;
use anyhow::{Context as _, Result};

pub(in crate::cli::repl) fn new(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    begin(repl, &Resume::New)
}

/// Resumes a conversation by its id or a part of its title. If several match, the user picks one.
pub(in crate::cli::repl) fn resume(repl: &mut Repl<'_>, typed: &str) -> Result<()> {
    let ask = repl.keyboard.is_terminal();
    if typed.is_empty() && !ask {
        return Err(CliError::misuse("missing conversation ID")
            .hint("`/history` lists them; type `/resume ID`")
            .into());
    }
    let is_id = !typed.is_empty() && repl.context.archive_read_only()?.find(typed).is_ok();
    let choices = if is_id {
        Vec::new()
    } else {
        history::choices(repl.context)?
    };
    let fits = |(_, label): &&(Name, String)| label.to_lowercase().contains(&typed.to_lowercase());
    let matching: Vec<&(Name, String)> = choices.iter().filter(fits).collect();
    let id = match matching.as_slice() {
        _ if typed.is_empty() && choices.is_empty() => {
            repl.context.ui.notice("no conversation has been saved yet");
            return Ok(());
        }
        [] => typed.to_owned(),
        [(id, _)] if !typed.is_empty() => id.to_string(),
        many if ask => {
            let labels: Vec<String> = many.iter().map(|(_, label)| label.clone()).collect();
            let ids: Vec<String> = many.iter().map(|(id, _)| id.to_string()).collect();
            match picker::pick(repl, &labels)?.and_then(|at| ids.get(at).cloned()) {
                Some(id) => id,
                None => return Ok(()),
            }
        }
        _ => {
            return Err(CliError::misuse("more than one conversation matches")
                .hint("`/history` lists them; type `/resume ID`")
                .into());
        }
    };
    begin(repl, &Resume::Id(id))
}

pub(in crate::cli::repl) fn retry(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    repl.retry()
}

/// What is sent for `/continue`: providers have no other way to go on with an answer in common.
const CONTINUE: &str = "Continue exactly where your last answer stopped. Repeat nothing.";

pub(in crate::cli::repl) fn continue_answer(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let history = repl.session()?.history();
    if history.is_empty() || history.is_unanswered() {
        return Err(CliError::misuse("there is no answer to continue")
            .hint("`/retry` asks the last question again")
            .into());
    }
    repl.send_own(UserInput::from_typed(Raw::from(CONTINUE)))
}

/// Asks for a summary, and goes on with it instead of the messages so far.
pub(in crate::cli::repl) fn compact(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    repl.summarize()
}

/// Copies the conversation and goes on in the copy; the original stays as it is.
pub(in crate::cli::repl) fn fork(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let id = saved_id(repl)?;
    let copy = history::fork(repl.context, &id, None)?;
    // The values behind placeholders are in memory only.
    let placeholders = repl.session.as_ref().map(|s| s.placeholders().clone());
    begin(repl, &Resume::Id(copy.to_string()))?;
    if let (Some(session), Some(placeholders)) = (&mut repl.session, placeholders) {
        session.set_placeholders(placeholders);
    }
    Ok(())
}

pub(in crate::cli::repl) fn list(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    history::list_recent(repl.context)
}

fn begin(repl: &mut Repl<'_>, resume: &Resume) -> Result<()> {
    let is_demo = repl.args.uses_demo_provider();
    let args = match resume {
        Resume::New => ConversationArgs {
            model: Some(repl.model.clone()).filter(|_| !is_demo),
            ..repl.args.clone()
        },
        // Another conversation goes on with the provider and the model it was with.
        _ => ConversationArgs {
            model: None,
            provider: repl.args.provider.clone().filter(|_| is_demo),
            ..repl.args.clone()
        },
    };
    let restore = repl
        .context
        .ui
        .output_is_terminal()
        .then_some(Audience::Screen);
    if let (Resume::Id(typed), Ok(own)) = (resume, saved_id(repl))
        && own.as_str().starts_with(typed.as_str())
    {
        repl.context.ui.notice("already in this conversation");
        return Ok(());
    }
    let kept_out = repl
        .session
        .as_ref()
        .is_some_and(|s| s.conversation().is_none());
    let args = if kept_out && matches!(resume, Resume::New) {
        ConversationArgs {
            no_log: true,
            ..args
        }
    } else {
        args
    };
    // The current conversation stays open until the other one has begun, in case that fails.
    let StartedSession {
        mut session,
        model,
        choice,
    } = session::begin(repl.context, &args, resume, restore)?;
    note_spent(repl);
    session.set_run_spend(repl.spent);
    repl.session = Some(session);
    if let Some(choice) = &choice {
        repl.args.provider = Some(choice.endpoint.name.clone());
    }
    repl.choice = choice;
    repl.model = model;
    repl.unanswered = None;
    repl.greet();
    Ok(())
}

/// Adds the spending of this conversation to that of the run, because `--budget` covers the
/// whole run.
fn note_spent(repl: &mut Repl<'_>) {
    repl.spent = repl
        .session
        .as_ref()
        .map_or(repl.spent, |s| s.spend().command);
}

pub(in crate::cli::repl) fn undo(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let text = repl.session()?.undo()?;
    repl.context.ui.notice(&format!(
        "removed the last exchange: {}",
        truncate_to_width(&text.printable(), 60)
    ));
    Ok(())
}

pub(in crate::cli::repl) fn incognito(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    repl.args.no_log = true;
    begin(repl, &Resume::New)
}

/// Saves an incognito conversation with all its messages so far, and everything that follows.
pub(in crate::cli::repl) fn save(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let session = repl
        .session
        .as_mut()
        .context("the conversation has ended")?;
    if let Some(conversation) = session.conversation().filter(|c| c.is_current()) {
        repl.context.ui.notice(&format!(
            "this conversation is already saved as {}",
            conversation.id()
        ));
        return Ok(());
    }
    if session.config_mut().drop_findings && !session.placeholders().list().is_empty() {
        return Err(CliError::misuse(
            "this conversation contains private data, and the settings do not allow saving it",
        )
        .hint("set `retention = { pii = \"redact\" }` to save such messages redacted")
        .into());
    }
    let conversation = repl
        .context
        .archive()?
        .create(session.provider().name().as_str(), &repl.model)?;
    session.attach_conversation(conversation)?;
    (repl.args.no_log, repl.args.private) = (false, false);
    let id = session
        .conversation()
        .map(|c| c.id().to_string())
        .unwrap_or_default();
    repl.context
        .ui
        .notice(&format!("saved as {id}; from now on this chat is saved"));
    Ok(())
}

/// The id of the saved conversation, for commands that need one.
fn saved_id(repl: &Repl<'_>) -> Result<Name> {
    let nothing = || {
        CliError::misuse("this conversation is not saved")
            .hint("save it with `/save` after the first message")
    };
    let conversation = repl
        .session
        .as_ref()
        .and_then(|s| s.conversation())
        .filter(|c| c.is_saved());
    Ok(conversation.map(|c| c.id().clone()).ok_or_else(nothing)?)
}

pub(in crate::cli::repl) fn rename(repl: &mut Repl<'_>, title: &str) -> Result<()> {
    let id = saved_id(repl)?;
    if title.is_empty() {
        return Err(CliError::misuse("missing title")
            .hint("type `/rename TITLE`")
            .into());
    }
    let title = history::redact_title(repl.context, Raw::from(title))?;
    repl.session()?.rename(&title)?;
    history::report_renamed(repl.context, &id, &title);
    Ok(())
}

pub(in crate::cli::repl) fn delete(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let id = saved_id(repl)
        .map_err(|_| CliError::misuse("this conversation is not saved").hint("`/new` leaves it"))?;
    if !repl.context.yes
        && !repl.context.ui.confirm(
            &format!("Delete the conversation {}?", repl.title()),
            "`chatbot history delete ID --yes`",
        )?
    {
        return Ok(());
    }
    // Dropping the session closes the file; an open one cannot be deleted.
    note_spent(repl);
    repl.session = None;
    let gone = history::remove(repl.context, &id);
    begin(repl, &Resume::New)?;
    gone
}

pub(in crate::cli::repl) fn export(repl: &mut Repl<'_>, path: &str) -> Result<()> {
    let id = saved_id(repl)?;
    let path = if path.is_empty() {
        let conversation = repl.session()?.conversation();
        let title = conversation.map_or("", |c| c.header().title.as_str());
        history::default_file_name(&id, title)
    } else {
        expand_home(path, repl.context.env.home_folder().as_deref())
    };
    history::export(repl.context, &id, &path)
}
