//! `history`: the saved conversations.

mod delete;
mod export;
mod import;
mod list;
mod prune;
mod rekey;
mod rename;
mod search;
mod show;
mod verify;

pub(crate) use delete::remove;
pub(crate) use export::export_to_file as export;
pub(crate) use list::list_recent;
pub(crate) use prune::apply_retention;
pub(crate) use rekey::rekey_now;
pub(crate) use rename::{redact_title, report_renamed};
pub(crate) use verify::verify_all;

use crate::cli::context::Context;
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

/// Manage saved conversations
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
    Import(import::HistoryImportArgs),
    Verify(verify::HistoryVerifyArgs),
    Rekey(rekey::HistoryRekeyArgs),
}

pub(crate) fn run(app: &mut Context, options: HistoryArgs) -> Result<()> {
    match options.command {
        HistoryCommand::List(o) => list::run(app, &o),
        HistoryCommand::Search(o) => search::run(app, &o),
        HistoryCommand::Show(o) => show::run(app, &o),
        HistoryCommand::Rename(o) => rename::run(app, &o),
        HistoryCommand::Delete(o) => delete::run(app, &o),
        HistoryCommand::Prune(o) => prune::run(app, &o),
        HistoryCommand::Export(o) => export::run(app, &o),
        HistoryCommand::Import(o) => import::run(app, &o),
        HistoryCommand::Verify(o) => verify::run(app, &o),
        HistoryCommand::Rekey(o) => rekey::run(app, o),
    }
}

/// Whether nothing has been saved at all: then no key is needed to say so.
fn is_history_empty(app: &Context) -> Result<bool> {
    Ok(!conversations::has_conversations(
        &app.home.conversations(),
    )?)
}

/// Finds the conversation with this id; the last one if `typed` is `None`.
fn resolve_id(app: &mut Context, typed: Option<&str>) -> Result<(Archive, Name)> {
    if is_history_empty(app)? {
        let what = typed.map_or_else(
            || "no conversation has been saved yet".to_owned(),
            |id| format!("there is no conversation `{}`", Raw::from(id).printable()),
        );
        bail!(CliError::misuse(what).hint("list them with `chatbot history list`"));
    }
    let archive = app.archive()?;
    let id = match typed {
        Some(typed) => archive.find(typed)?,
        None => archive
            .latest()?
            .ok_or_else(|| CliError::misuse("no conversation has been saved yet"))?,
    };
    Ok((archive, id))
}

/// Redacts a title again before it leaves the program: today's rules may find more than those at
/// the time of saving.
fn redacted_title(app: &mut Context, title: &str) -> Result<String> {
    if title.is_empty() {
        return Ok(list::UNTITLED.to_owned());
    }
    let (title, _) = app
        .redactor()?
        .redact(Raw::from(title), &mut Placeholders::default());
    Ok(title.printable_line())
}
