//! `backup list`: the backups in a repository.

use crate::backup::repository::Snapshot;
use crate::cli::commands::backup::repository::{Repository, home_id, parse_url};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::term::Style;
use crate::cli::term::format::{format_size, pluralize};
use crate::privacy::Displayable;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// List the backups in a repository
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupListArgs {
    /// Repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "URL")]
    url: PathBuf,
    /// List at most this many backups, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &BackupListArgs) -> Result<()> {
    let address = parse_url(&options.url)?;
    let place = Repository::open(context, &address)?;
    let found = place.snapshots(context)?;
    let here = home_id(context)?;
    let limit = options.limit.unwrap_or(usize::MAX);
    let newest = || found.open.iter().rev().take(limit);
    if options.json {
        let as_json = |s: &Snapshot| {
            json!({
                "id": s.id,
                "created_at": s.created_at,
                "home": s.home,
                "this_home": s.home == here,
                "conversations": s.conversations,
                "messages": s.messages,
                "keys": s.keys,
                "bytes": s.bytes,
                "skipped": s.skipped.len(),
            })
        };
        let backups: Vec<Value> = newest().map(as_json).collect();
        context.ui.json(
            &json!({ "schema_version": 1, "backups": backups, "damaged": found.undecryptable }),
        )?;
    } else {
        let line = |s: &Snapshot| {
            let whose = if s.home == here {
                "this machine".to_owned()
            } else {
                s.home.to_string()
            };
            let also = if s.keys > 0 { ", with API keys" } else { "" };
            let (id, at) = (
                context.ui.paint(Style::Bold, s.id.as_str()),
                s.created_at.local_minute(),
            );
            id + format!(
                "  {at}  {}, {}, {}{also}, from {whose}\n",
                pluralize(s.conversations, "conversation"),
                pluralize(s.messages, "message"),
                format_size(s.bytes)
            )
        };
        context
            .ui
            .out(newest().map(line).collect::<Displayable>())?;
        for closed in &found.undecryptable {
            context.ui.error_line(&format!(
                "chatbot: warning: backup {closed} cannot be decrypted"
            ));
        }
    }
    if found.undecryptable.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}
