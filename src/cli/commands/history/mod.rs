//! `history`: the saved conversations.

mod delete;
mod export;
mod fork;
mod import;
mod list;
mod prune;
mod rekey;
mod rename;
mod search;
mod show;
mod unanswered;
mod verify;

pub(crate) use delete::remove;
pub(crate) use export::{default_file_name, export_to_file as export};
pub(crate) use fork::fork;
pub(crate) use list::{choices, list_recent};
pub(crate) use prune::apply_retention;
pub(crate) use rekey::rekey_now;
pub(crate) use rename::{redact_title, report_renamed};
pub(crate) use verify::verify_all;

use crate::cli::context::Context;
use crate::cli::conversation_lookup;
use crate::cli::errors::CliError;
use crate::conversations::{self, Archive};
use crate::name::Name;
use crate::privacy::{Placeholders, Raw};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
An ID can be shortened as long as only one conversation matches.

Examples:
  chatbot history list
  chatbot history search borrow checker
  chatbot history search '\"exact phrase\"' --role assistant --since 30d
  chatbot history show 7kq2
  chatbot history prune --older-than 90d --dry-run";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum HistoryCommand {
    List(list::HistoryListArgs),
    Search(search::HistorySearchArgs),
    Show(show::HistoryShowArgs),
    Rename(rename::HistoryRenameArgs),
    Delete(delete::HistoryDeleteArgs),
    Prune(prune::HistoryPruneArgs),
    Export(export::HistoryExportArgs),
    Fork(fork::HistoryForkArgs),
    Import(import::HistoryImportArgs),
    Verify(verify::HistoryVerifyArgs),
    Rekey(rekey::HistoryRekeyArgs),
}

pub(crate) fn run(context: &mut Context, options: HistoryArgs) -> Result<()> {
    match options.command {
        HistoryCommand::List(o) => list::run(context, &o),
        HistoryCommand::Search(o) => search::run(context, &o),
        HistoryCommand::Show(o) => show::run(context, &o),
        HistoryCommand::Rename(o) => rename::run(context, &o),
        HistoryCommand::Delete(o) => delete::run(context, &o),
        HistoryCommand::Prune(o) => prune::run(context, &o),
        HistoryCommand::Export(o) => export::run(context, &o),
        HistoryCommand::Fork(o) => fork::run(context, &o),
        HistoryCommand::Import(o) => import::run(context, &o),
        HistoryCommand::Verify(o) => verify::run(context, &o),
        HistoryCommand::Rekey(o) => rekey::run(context, o),
    }
}

/// Whether nothing has been saved at all: then no key is needed to say so.
fn is_history_empty(context: &Context) -> Result<bool> {
    Ok(!conversations::has_conversations(
        &context.home.conversations(),
    )?)
}

/// Finds the conversation with this id; the last one if `typed` is `None`.
fn resolve_id(context: &mut Context, typed: Option<&str>) -> Result<(Archive, Name)> {
    if is_history_empty(context)? {
        let what = typed.map_or_else(
            || "no conversation has been saved yet".to_owned(),
            |id| format!("there is no conversation `{}`", Raw::from(id).printable()),
        );
        bail!(CliError::misuse(what).hint("list them with `chatbot history list`"));
    }
    let archive = context.archive()?;
    let id = match typed {
        Some(typed) => conversation_lookup::find_in(&archive, typed)?,
        None => archive
            .latest()?
            .ok_or_else(|| CliError::misuse("no conversation has been saved yet"))?,
    };
    Ok((archive, id))
}

/// Redacts a title again before it leaves the program: today's rules may find more than those at
/// the time of saving.
fn redacted_title(context: &mut Context, title: &str) -> Result<String> {
    if title.is_empty() {
        return Ok(list::UNTITLED.to_owned());
    }
    let (title, _) = context
        .redactor()?
        .redact(Raw::from(title), &mut Placeholders::default());
    Ok(title.printable_line())
}
