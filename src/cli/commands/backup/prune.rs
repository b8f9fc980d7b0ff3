//! `backup prune`: deletes old backups from a repository.

use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{self, PruneReport};
use crate::cli::commands::backup::repository::{Repository, home_id, lock_uploads, parse_url};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::{format_size, pluralize};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Delete old backups from a repository, and the data that only they need
///
/// The newest backups of each installation are kept. Nothing is deleted while a backup is being
/// uploaded.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupPruneArgs {
    /// Repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "URL")]
    url: PathBuf,
    /// Keep this many backups of each installation
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &BackupPruneArgs) -> Result<()> {
    let address = parse_url(&options.url)?;
    let place = Repository::open(context, &address)?;
    let keep = usize::try_from(options.keep).unwrap_or(usize::MAX);
    let (objects, keys, store) = (&place.objects, &place.keys, &place.head.id);
    let planned = place
        .runtime
        .block_on(repository::plan_prune(objects, keys, store, keep))?;
    let nothing = planned.snapshots.is_empty() && planned.objects == 0;
    if options.dry_run || nothing {
        return report_prune(context, &planned, options, true);
    }
    let (backups, many) = (
        pluralize(planned.snapshots.len(), "backup"),
        pluralize(planned.objects, "object"),
    );
    if !context.yes
        && !context.ui.confirm(
            &format!(
                "Delete {backups} and {many}, {}?",
                format_size(planned.bytes)
            ),
            "`--yes`",
        )?
    {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was deleted"
        ));
    }
    let _alone = lock_uploads(context)?;
    let home = home_id(context)?;
    let ui = context.ui;
    let bar = &mut |done, of| ui.progress("deleted", done, of);
    let pruned = place.runtime.block_on(repository::prune(
        objects,
        keys,
        store,
        keep,
        &home,
        &context.clock,
        bar,
    ));
    context.ui.end_progress();
    let pruned = pruned?;
    context.audit_event(
        &Event::new(EventKind::Backup)
            .severity(Severity::Notice)
            .word("action", "prune")
            .number("removed", pruned.snapshots.len())
            .number("kept", pruned.kept)
            .number("objects", pruned.objects)
            .number("bytes", pruned.bytes),
    );
    report_prune(context, &pruned, options, false)
}

fn report_prune(
    context: &Context,
    pruned: &PruneReport,
    options: &BackupPruneArgs,
    dry: bool,
) -> Result<()> {
    if options.json {
        let removed: Vec<&str> = pruned.snapshots.iter().map(|s| s.id.as_str()).collect();
        let object = json!({
            "schema_version": 1,
            "removed": removed,
            "kept": pruned.kept,
            "objects": pruned.objects,
            "bytes": pruned.bytes,
            "dry_run": options.dry_run,
        });
        return context.ui.json(&object);
    }
    let would = if dry && options.dry_run {
        "would be "
    } else {
        ""
    };
    let (backups, objects) = (
        pluralize(pruned.snapshots.len(), "backup"),
        pluralize(pruned.objects, "object"),
    );
    context.ui.say(
        &format!(
            "{backups} {would}deleted, {} kept; {objects} {would}deleted, {}\n",
            pruned.kept,
            format_size(pruned.bytes)
        ),
        2,
    )
}
