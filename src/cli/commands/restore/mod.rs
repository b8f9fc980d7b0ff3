//! `restore`: restores a backup into this installation.

mod keys;
mod settings;

use self::settings::{BackupSettings, SettingsOutcome};
use super::backup::{backup_origin, not_in_a_file, open, parse_address};
use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{DownloadedBackup, Snapshot};
use crate::backup::{
    self, BackupHeader, OpenedBackup, Origin, RestoreAction, RestorePlan, RestoreRequest,
};
use crate::cli::commands::backup::repository::Repository;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::term::display_path;
use crate::conversations::{Archive, Trust};
use crate::fs;
use crate::name::Name;
use crate::usage::UsageEntry;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// At most this many losses are printed. The backup may come from someone else, so its contents
/// must not be able to flood the terminal.
const MAX_NAMED_LOSSES: usize = 40;

/// How a backup is treated that may have been made by someone else.
const UNTRUSTED_NOTICE: &str = "not proven to be made here, so treated like an import: its system prompts are never sent, its usage is not counted; \
                       use `--mine` if it is yours\n";

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RestoreArgs {
    /// Backup file, or repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Restore this backup of the repository instead of the newest
    #[arg(long, value_name = "BACKUP")]
    snapshot: Option<String>,
    /// Show what would be restored, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Restore only these conversations
    #[arg(long, value_name = "ID", num_args = 1..)]
    only: Vec<String>,
    /// Restore what can be decrypted from a damaged backup, and report the rest
    #[arg(long)]
    salvage: bool,
    /// Trust this backup fully, although another installation made it
    #[arg(long)]
    mine: bool,
    /// Count its usage, although another installation made it
    #[arg(long)]
    with_usage: bool,
    /// Restore the API keys too; those of another installation are asked for one by one
    #[arg(long)]
    with_keys: bool,
    /// Restore this API key; can be repeated
    #[arg(long, value_name = "NAME")]
    key: Vec<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

impl RestoreArgs {
    /// Restores everything of this backup except its keys.
    pub(crate) fn all_of(source: PathBuf) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }
}

#[derive(Default)]
struct RestoreCount {
    restored: usize,
    skipped: usize,
    conflicts: Vec<(Name, Name)>,
}

/// An open backup.
enum RestoreSource {
    File(PathBuf, OpenedBackup),
    Fetched(
        DownloadedBackup,
        Box<Snapshot>,
        #[expect(dead_code, reason = "held, not used: it lasts as long as the file")] fs::FileLock,
    ),
}

impl RestoreSource {
    fn open(context: &mut Context, options: &RestoreArgs) -> Result<Self> {
        if let Some(address) = parse_address(&options.source)? {
            let place = Repository::open(context, &address)?;
            let found = place.snapshots(context)?;
            let snapshot = found.choose(options.snapshot.as_deref(), context.clock.now())?;
            if options.snapshot.is_none() && found.open.iter().any(|s| s.home != snapshot.home) {
                context.ui.notice("several machines back up here; using the newest backup, choose another with `--snapshot`");
            }
            let (fetched, lock) =
                place.download(context, snapshot, &options.only, options.salvage)?;
            return Ok(Self::Fetched(fetched, Box::new(snapshot.clone()), lock));
        }
        if options.snapshot.is_some() {
            bail!(not_in_a_file("--snapshot"));
        }
        Ok(Self::File(
            options.source.clone(),
            open(context, &options.source, options.salvage)?,
        ))
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path, _) => path,
            Self::Fetched(fetched, ..) => fetched.path(),
        }
    }

    fn checked(&self) -> &OpenedBackup {
        match self {
            Self::File(_, checked) => checked,
            Self::Fetched(fetched, ..) => &fetched.checked,
        }
    }

    fn is_made_by(&self, origin: &Origin) -> bool {
        match self {
            Self::File(_, checked) => checked.is_made_by(origin),
            Self::Fetched(_, snapshot, _) => snapshot.is_made_by(origin),
        }
    }
}

pub(crate) fn run(context: &mut Context, options: &RestoreArgs) -> Result<()> {
    if parse_address(&options.source)?.is_none() && !fs::exists(&options.source) {
        bail!(
            CliError::misuse(format!(
                "there is no file `{}`",
                display_path(&options.source)
            ))
            .hint("check the path")
        );
    }
    restore_all(context, options).inspect_err(|_| {
        context.audit_event(
            &Event::new(EventKind::Restore)
                .severity(Severity::Warning)
                .word("outcome", "failed")
                .flag("dry_run", options.dry_run),
        );
    })
}

fn restore_all(context: &mut Context, options: &RestoreArgs) -> Result<()> {
    let source = RestoreSource::open(context, options)?;
    // A dry run with no saved conversations needs no data key, and must not create one.
    let empty = !crate::conversations::has_conversations(&context.home.conversations())?;
    let archive = if empty && options.dry_run {
        None
    } else {
        Some(context.archive()?)
    };
    let origin = if archive.is_some() {
        backup_origin(context)?
    } else {
        Origin::default()
    };
    let own = is_own(context, options, &source, &origin)?;
    let trust = if own {
        Trust::Trusted
    } else {
        Trust::Untrusted(context.clock.now())
    };
    let wish = RestoreRequest {
        only: &options.only,
        trust,
        usage: own || options.with_usage,
    };
    let plan = backup::plan(source.path(), source.checked(), archive.as_ref(), wish)?;
    let count = count_actions(&plan);
    let offered = BackupSettings::from_backup(context, plan.settings.as_ref())?;
    let mut keys = keys::select_keys(context, options, &plan, archive.is_some())?;
    let mut outcome = SettingsOutcome::Shown;
    if let Some(archive) = archive.filter(|_| !options.dry_run) {
        restore_conversations(context, &source, &archive, &plan)?;
        keys::store_keys(context, &mut keys)?;
        if let Some(offered) = &offered {
            outcome = offered.apply(context)?;
        }
        context.audit_event(
            &Event::new(EventKind::Restore)
                .severity(Severity::Notice)
                .number("restored", count.restored)
                .number("skipped", count.skipped)
                .number("conflicts", count.conflicts.len()),
        );
    }
    let lost = source.checked().lost.as_deref();
    warn_about_losses(context, lost.unwrap_or_default());
    report_restored(
        context,
        options,
        &RestoreReport {
            count,
            own,
            keys,
            settings: offered.as_ref().map(|offered| (offered, &outcome)),
            lost,
        },
    )?;
    // A script must not take a partial restore for a complete one.
    if lost.is_none_or(<[String]>::is_empty) {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

fn warn_about_losses(context: &Context, losses: &[String]) {
    for what in losses.iter().take(MAX_NAMED_LOSSES) {
        context.ui.error_line(&format!(
            "chatbot: warning: not everything can be restored: {what}"
        ));
    }
    if let Some(more) = losses
        .len()
        .checked_sub(MAX_NAMED_LOSSES)
        .filter(|more| *more > 0)
    {
        context.ui.error_line(&format!(
            "chatbot: warning: and {more} more; `--json` lists them all"
        ));
    }
}

/// Whether the backup is the user's own: this installation made it, or the user says so. `--yes`
/// does not count as saying so: a script that restores any file must not trust it more than a user
/// would.
fn is_own(
    context: &Context,
    options: &RestoreArgs,
    source: &RestoreSource,
    origin: &Origin,
) -> Result<bool> {
    if options.mine || source.is_made_by(origin) {
        return Ok(true);
    }
    if options.dry_run || context.yes || !context.ui.can_ask() {
        return Ok(false);
    }
    let BackupHeader { id, created_at, .. } = &source.checked().head;
    context.ui.error_line(&format!(
        "this backup (`{id}`, {}) is not proven to be made by this installation: it may be from another machine, from before its \
         keys were changed or lost, or from someone else",
        created_at.local_minute()
    ));
    context.ui.confirm("Is it yours?", "`--mine`")
}

fn count_actions(plan: &RestorePlan) -> RestoreCount {
    let mut count = RestoreCount::default();
    for (id, (action, _)) in &plan.conversations {
        match action {
            RestoreAction::Restore => count.restored += 1,
            RestoreAction::AlreadyPresent | RestoreAction::CopyPresent(_) => count.skipped += 1,
            RestoreAction::AsCopy(other) => count.conflicts.push((id.clone(), other.clone())),
        }
    }
    count
}

fn restore_conversations(
    context: &mut Context,
    source: &RestoreSource,
    archive: &Archive,
    plan: &RestorePlan,
) -> Result<()> {
    let (ui, of) = (context.ui, plan.conversations.len());
    let done = backup::restore(
        source.path(),
        source.checked(),
        archive,
        plan,
        &mut |done| ui.progress("restored", done, of),
    );
    context.ui.end_progress();
    done?;
    restore_usage(context, plan)
}

/// Adds the missing lines of usage. From another installation only those that increase spending and
/// are not in the future: a foreign backup must not be able to free a budget.
fn restore_usage(context: &mut Context, plan: &RestorePlan) -> Result<()> {
    let path = context.usage().path();
    let here = fs::read(&path)?.unwrap_or_default();
    let known: BTreeSet<&[u8]> = here.split(|b| *b == b'\n').collect();
    let fit = |line: &&str| {
        let entry = serde_json::from_str::<UsageEntry>(line).ok();
        entry.is_some_and(|entry| is_believed(&entry, plan.trust))
            && !known.contains(line.as_bytes())
    };
    let more: String = plan
        .usage
        .lines()
        .filter(fit)
        .map(|l| format!("{l}\n"))
        .collect();
    if !more.is_empty() {
        fs::Appender::open(&path)?.append(more.as_bytes())?;
    }
    Ok(())
}

fn is_believed(entry: &UsageEntry, trust: Trust) -> bool {
    match trust {
        Trust::Trusted => true,
        Trust::Untrusted(now) => {
            entry.at <= now
                && entry.prompt >= 0
                && entry.completion >= 0
                && entry.nanos.is_none_or(|nanos| nanos >= 0)
                && !entry.correction
        }
    }
}

/// The results to report.
struct RestoreReport<'a> {
    count: RestoreCount,
    own: bool,
    keys: Vec<keys::RestoredKey<'a>>,
    settings: Option<(&'a BackupSettings, &'a SettingsOutcome)>,
    lost: Option<&'a [String]>,
}

fn report_restored(
    context: &Context,
    options: &RestoreArgs,
    report: &RestoreReport<'_>,
) -> Result<()> {
    let RestoreReport {
        count:
            RestoreCount {
                restored,
                skipped,
                conflicts,
            },
        own,
        keys,
        settings,
        lost,
    } = report;
    if options.json {
        let copies: Vec<Value> = conflicts
            .iter()
            .map(|(id, other)| json!({ "id": id, "restored_as": other }))
            .collect();
        let mut object = json!({
            "schema_version": 1,
            "restored": restored,
            "skipped": skipped,
            "conflicts": conflicts.len(),
            "copies": copies,
            "dry_run": options.dry_run,
            "own": own,
            "keys": keys.iter().map(keys::RestoredKey::json).collect::<Vec<_>>(),
            "settings": settings.map(|(offered, outcome)| offered.json(outcome)),
        });
        if let (Some(lost), Some(object)) = (lost, object.as_object_mut()) {
            object.insert("lost".to_owned(), json!(lost));
        }
        return context.ui.json(&object);
    }
    let (would, are) = if options.dry_run {
        ("would be ", "would be")
    } else {
        ("", "was")
    };
    for (id, other) in conflicts {
        context.ui.say(
            &format!("{id} differs here: the backup's version {are} restored as {other}\n"),
            2,
        )?;
    }
    context.ui.say(
        &format!(
            "{restored} {would}restored, {skipped} already present, {} {would}restored as copies\n",
            conflicts.len()
        ),
        2,
    )?;
    if !own {
        context.ui.say(UNTRUSTED_NOTICE, 2)?;
    }
    keys.iter()
        .try_for_each(|key| context.ui.say(&key.line(), 2))?;
    settings.map_or(Ok(()), |(offered, outcome)| {
        context.ui.say(&offered.describe(outcome), 2)
    })
}
