//! `backup`: conversations, settings and usage, in a file encrypted with a passphrase or in object
//! storage.

mod contents;
mod list;
mod prune;
pub(super) mod repository;
mod run;
mod verify;

pub(super) use contents::{backup_origin, redacted_settings};
pub(super) use repository::parse_address;
pub(super) use run::{destination, new_backup_passphrase, report_written};
pub(super) use verify::open;

use crate::cli::context::Context;
use crate::cli::errors::CliError;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  chatbot backup                             back up to the default folder
  chatbot backup /media/stick                back up to a new file in this folder
  chatbot backup mine.backup --only 7kq2     back up one conversation
  chatbot backup --verify mine.backup        check a backup without restoring it
  chatbot backup s3://bucket/chat            upload new data to object storage
  chatbot backup file:/media/stick/chat      keep a repository in a folder
  chatbot backup list s3://bucket/chat
  chatbot backup prune s3://bucket/chat --keep 7";

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// File to create, folder, or repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or
    /// `file:`
    #[arg(value_name = "DEST", conflicts_with = "verify")]
    dest: Option<PathBuf>,
    /// Check this backup (a file, or the newest in a repository) and count its contents
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    /// Check this backup of the repository instead of the newest
    #[arg(long, value_name = "BACKUP", requires = "verify")]
    snapshot: Option<String>,
    /// Back up only these conversations
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "verify")]
    only: Vec<String>,
    /// Include the API keys; anyone with the backup and its passphrase then has them
    #[arg(long, conflicts_with = "verify")]
    with_keys: bool,
    /// Upload everything again, which repairs damaged data in the repository
    #[arg(long, conflicts_with = "verify")]
    reupload: bool,
    /// Accept a passphrase that is easy to guess
    #[arg(long, conflicts_with = "verify")]
    weak: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum BackupCommand {
    List(list::BackupListArgs),
    Prune(prune::BackupPruneArgs),
}

pub(crate) fn run(context: &mut Context, options: &BackupArgs) -> Result<()> {
    match &options.command {
        Some(BackupCommand::List(list)) => return list::run(context, list),
        Some(BackupCommand::Prune(prune)) => return prune::run(context, prune),
        None => {}
    }
    if let Some(source) = &options.verify {
        return match parse_address(source)? {
            Some(address) => verify::verify_repository(
                context,
                &address,
                options.snapshot.as_deref(),
                options.json,
            ),
            None if options.snapshot.is_some() => bail!(not_in_a_file("--snapshot")),
            None => verify::verify_file(context, source, options.json),
        };
    }
    match options
        .dest
        .as_deref()
        .map(parse_address)
        .transpose()?
        .flatten()
    {
        Some(address) => run::upload(context, &address, options),
        None if options.reupload => bail!(not_in_a_file("--reupload")),
        None => run::write(context, options),
    }
}

pub(super) fn not_in_a_file(option: &str) -> CliError {
    CliError::misuse(format!(
        "`{option}` is for repositories, and a backup file holds a single backup"
    ))
    .hint("use an address with `s3://`, `gs://`, `az://`, `https://` or `file:`")
}
