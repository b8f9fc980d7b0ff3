//! `history`: the saved conversations.

mod change;
mod export;
mod find;
mod import;
mod list;
mod rekey;
mod show;

pub(crate) use change::{remove, renamed, retain, title};
pub(crate) use export::to_file as export;
pub(crate) use list::{fitted, recent};
pub(crate) use rekey::rekey_now;
pub(crate) use show::verify_all;

use crate::archive::{self, Archive};
use crate::cli::app::App;
use crate::cli::report::Problem;
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
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    List(list::Options),
    Search(find::Options),
    Show(show::Options),
    Rename(change::Rename),
    Delete(change::Delete),
    Prune(change::Prune),
    Export(export::Options),
    Import(import::Options),
    Verify(show::Verify),
    Rekey(rekey::Options),
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::List(o) => o.json,
            Command::Search(o) => o.json,
            Command::Show(o) => o.json,
            Command::Prune(o) => o.json,
            Command::Verify(o) => o.json,
            Command::Import(o) => o.json,
            Command::Rename(_) | Command::Delete(_) | Command::Export(_) | Command::Rekey(_) => false,
        }
    }
}

pub(crate) fn run(app: &mut App, options: Options) -> Result<()> {
    match options.command {
        Command::List(o) => list::run(app, &o),
        Command::Search(o) => find::run(app, &o),
        Command::Show(o) => show::run(app, &o),
        Command::Rename(o) => change::rename(app, &o),
        Command::Delete(o) => change::delete(app, &o),
        Command::Prune(o) => change::prune(app, &o),
        Command::Export(o) => export::run(app, &o),
        Command::Import(o) => import::run(app, &o),
        Command::Verify(o) => show::verify(app, &o),
        Command::Rekey(o) => rekey::run(app, o),
    }
}

/// Whether nothing has been saved at all: then no key is needed to say so.
fn nothing_sealed(app: &App) -> Result<bool> {
    Ok(!archive::any_sealed(&app.home.conversations())?)
}

/// Finds the conversation with this id; the last one if `typed` is `None`.
fn meant(app: &mut App, typed: Option<&str>) -> Result<(Archive, Name)> {
    if nothing_sealed(app)? {
        let what = typed.map_or_else(
            || "no conversation has been saved yet".to_owned(),
            |id| format!("there is no conversation `{}`", Raw::from(id).printable()),
        );
        bail!(Problem::misuse(what).hint("list them with `chatbot history list`"));
    }
    let archive = app.archive()?;
    let id = match typed {
        Some(typed) => archive.find(typed)?,
        None => archive.latest()?.ok_or_else(|| Problem::misuse("no conversation has been saved yet"))?,
    };
    Ok((archive, id))
}

/// Redacts a title again before it leaves the program: today's rules may find more than those at
/// the time of saving.
fn redacted_title(app: &mut App, title: &str) -> Result<String> {
    if title.is_empty() {
        return Ok(list::UNTITLED.to_owned());
    }
    let (title, _) = app.redactor()?.redact(Raw::from(title), &mut Placeholders::default());
    Ok(title.printable_line())
}

/// A count with its noun: `1 conversation`, `12 conversations`.
pub(super) fn counted(many: usize, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}
