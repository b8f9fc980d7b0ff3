//! `restore`: restores a backup into this installation.

mod keys;
mod settings;

use self::settings::{Offered, Outcome};
use super::backup::place::Place;
use super::backup::{address, backup_origin, not_in_a_file, open};
use crate::archive::{Archive, Trust};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::shown;
use crate::disk;
use crate::ledger::usage::Entry;
use crate::ledger::{Event, Severity, What};
use crate::name::Name;
use crate::upkeep::backup::store::{Fetched, Snapshot};
use crate::upkeep::backup::{self, Checked, Deed, Head, Origin, Plan, Wish};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// At most this many losses are printed. The backup may come from someone else, so its contents
/// must not be able to flood the terminal.
const NAMED: usize = 40;

/// How a backup is treated that may have been made by someone else.
const FOREIGN: &str = "not proven to be made here, so treated like an import: its system prompts are never sent, its usage is not counted; \
                       use `--mine` if it is yours\n";

/// Restore conversations, settings and usage from a backup
///
/// Nothing is overwritten: if a conversation has changed since the backup, the backup's version is
/// restored as a copy. The whole backup is checked before anything is changed. If the command is
/// interrupted, run it again to finish.
///
/// Settings in a backup are applied only if you have none and agree. Settings that run a program,
/// redirect requests or weaken protection are never applied by `--yes`; they are written to
/// `config.toml.restored` for you to review.
///
/// A backup made by this installation is recognised. Any other backup is treated like an import:
/// its system prompts are never sent, nothing in it is dated in the future, its usage is not
/// counted, and its keys are asked for one by one. To trust your own backup after the loss of a
/// machine, use `--mine`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Options {
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
    pub(crate) json: bool,
}

impl Options {
    /// Restores everything of this backup except its keys.
    pub(crate) fn all_of(source: PathBuf) -> Self {
        Self { source, ..Self::default() }
    }
}

#[derive(Default)]
struct Count {
    restored: usize,
    skipped: usize,
    conflicts: Vec<(Name, Name)>,
}

/// An open backup.
enum Source {
    File(PathBuf, Checked),
    Fetched(Fetched, Box<Snapshot>, #[expect(dead_code, reason = "held, not used: it lasts as long as the file")] disk::Lock),
}

impl Source {
    fn open(app: &mut App, options: &Options) -> Result<Self> {
        if let Some(address) = address(&options.source)? {
            let place = Place::open(app, &address)?;
            let found = place.snapshots(app)?;
            let snapshot = found.choose(options.snapshot.as_deref(), app.clock.now())?;
            if options.snapshot.is_none() && found.open.iter().any(|s| s.home != snapshot.home) {
                app.ui.notice("several machines back up here; using the newest backup, choose another with `--snapshot`");
            }
            let (fetched, lock) = place.fetch(app, snapshot, &options.only, options.salvage)?;
            return Ok(Self::Fetched(fetched, Box::new(snapshot.clone()), lock));
        }
        if options.snapshot.is_some() {
            bail!(not_in_a_file("--snapshot"));
        }
        Ok(Self::File(options.source.clone(), open(app, &options.source, options.salvage)?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path, _) => path,
            Self::Fetched(fetched, ..) => fetched.path(),
        }
    }

    fn checked(&self) -> &Checked {
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

pub(crate) fn run(app: &mut App, options: &Options) -> Result<()> {
    if address(&options.source)?.is_none() && !disk::exists(&options.source) {
        bail!(Problem::misuse(format!("there is no file `{}`", shown(&options.source))).hint("check the path"));
    }
    bring_back(app, options).inspect_err(|_| {
        app.note(&Event::new(What::Restore).severity(Severity::Warning).word("outcome", "failed").flag("dry_run", options.dry_run));
    })
}

fn bring_back(app: &mut App, options: &Options) -> Result<()> {
    let source = Source::open(app, options)?;
    // A dry run with no saved conversations needs no data key, and must not create one.
    let empty = !crate::archive::any_sealed(&app.home.conversations())?;
    let archive = if empty && options.dry_run { None } else { Some(app.archive()?) };
    let origin = if archive.is_some() { backup_origin(app)? } else { Origin::default() };
    let own = is_own(app, options, &source, &origin)?;
    let trust = if own { Trust::Own } else { Trust::Foreign(app.clock.now()) };
    let wish = Wish { only: &options.only, trust, usage: own || options.with_usage };
    let plan = backup::plan(source.path(), source.checked(), archive.as_ref(), wish)?;
    let count = count(&plan);
    let offered = Offered::of(app, plan.settings.as_ref())?;
    let mut keys = keys::chosen(app, options, &plan, archive.is_some())?;
    let mut outcome = Outcome::Shown;
    if let Some(archive) = archive.filter(|_| !options.dry_run) {
        bring(app, &source, &archive, &plan)?;
        keys::store(app, &mut keys)?;
        if let Some(offered) = &offered {
            outcome = offered.settle(app)?;
        }
        app.note(
            &Event::new(What::Restore)
                .severity(Severity::Notice)
                .number("restored", count.restored)
                .number("skipped", count.skipped)
                .number("conflicts", count.conflicts.len()),
        );
    }
    let lost = source.checked().lost.as_deref();
    let named = lost.unwrap_or_default();
    for what in named.iter().take(NAMED) {
        app.ui.error_line(&format!("chatbot: warning: not everything can be restored: {what}"));
    }
    if let Some(more) = named.len().checked_sub(NAMED).filter(|more| *more > 0) {
        app.ui.error_line(&format!("chatbot: warning: and {more} more; `--json` lists them all"));
    }
    tell(app, options, &Told { count, own, keys, settings: offered.as_ref().map(|offered| (offered, &outcome)), lost })?;
    // A script must not take a partial restore for a complete one.
    if lost.is_none_or(<[String]>::is_empty) { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

/// Whether the backup is the user's own: this installation made it, or the user says so. `--yes`
/// does not count as saying so: a script that restores any file must not trust it more than a user
/// would.
fn is_own(app: &App, options: &Options, source: &Source, origin: &Origin) -> Result<bool> {
    if options.mine || source.is_made_by(origin) {
        return Ok(true);
    }
    if options.dry_run || app.yes || !app.ui.can_ask() {
        return Ok(false);
    }
    let Head { id, created_at, .. } = &source.checked().head;
    app.ui.error_line(&format!(
        "this backup (`{id}`, {}) is not proven to be made by this installation: it may be from another machine, from before its \
         keys were changed or lost, or from someone else",
        created_at.local_minute()
    ));
    app.ui.confirm("is it yours?", "`--mine`")
}

fn count(plan: &Plan) -> Count {
    let mut count = Count::default();
    for (id, (deed, _)) in &plan.conversations {
        match deed {
            Deed::Back => count.restored += 1,
            Deed::Here | Deed::BesideAlready(_) => count.skipped += 1,
            Deed::Beside(other) => count.conflicts.push((id.clone(), other.clone())),
        }
    }
    count
}

fn bring(app: &mut App, source: &Source, archive: &Archive, plan: &Plan) -> Result<()> {
    let (ui, of) = (app.ui, plan.conversations.len());
    let done = backup::restore(source.path(), source.checked(), archive, plan, &mut |done| ui.progress("restored", done, of));
    app.ui.end_progress();
    done?;
    usage(app, plan)
}

/// Adds the missing lines of usage. From another installation only those that increase spending and
/// are not in the future: a foreign backup must not be able to free a budget.
fn usage(app: &mut App, plan: &Plan) -> Result<()> {
    let path = app.usage().path();
    let here = disk::read(&path)?.unwrap_or_default();
    let known: BTreeSet<&[u8]> = here.split(|b| *b == b'\n').collect();
    let fit = |line: &&str| {
        let entry = serde_json::from_str::<Entry>(line).ok();
        entry.is_some_and(|entry| is_believed(&entry, plan.trust)) && !known.contains(line.as_bytes())
    };
    let more: String = plan.usage.lines().filter(fit).map(|l| format!("{l}\n")).collect();
    if !more.is_empty() {
        disk::Appender::open(&path)?.add(more.as_bytes())?;
    }
    Ok(())
}

fn is_believed(entry: &Entry, trust: Trust) -> bool {
    match trust {
        Trust::Own => true,
        Trust::Foreign(now) => {
            entry.at <= now && entry.prompt >= 0 && entry.completion >= 0 && entry.nanos.is_none_or(|nanos| nanos >= 0) && !entry.correction
        }
    }
}

/// The results to report.
struct Told<'a> {
    count: Count,
    own: bool,
    keys: Vec<keys::Key<'a>>,
    settings: Option<(&'a Offered, &'a Outcome)>,
    lost: Option<&'a [String]>,
}

fn tell(app: &App, options: &Options, told: &Told<'_>) -> Result<()> {
    let Told { count: Count { restored, skipped, conflicts }, own, keys, settings, lost } = told;
    if options.json {
        let beside: Vec<Value> = conflicts.iter().map(|(id, other)| json!({ "id": id, "restored_as": other })).collect();
        let mut object = json!({
            "schema_version": 1,
            "restored": restored,
            "skipped": skipped,
            "conflicts": conflicts.len(),
            "beside": beside,
            "dry_run": options.dry_run,
            "own": own,
            "keys": keys.iter().map(keys::Key::json).collect::<Vec<_>>(),
            "settings": settings.map(|(offered, outcome)| offered.json(outcome)),
        });
        if let (Some(lost), Some(object)) = (lost, object.as_object_mut()) {
            object.insert("lost".to_owned(), json!(lost));
        }
        return app.ui.json(&object);
    }
    let (would, are) = if options.dry_run { ("would be ", "would be") } else { ("", "was") };
    for (id, other) in conflicts {
        app.ui.say(&format!("{id} differs here: the backup's version {are} restored as {other}\n"), 2)?;
    }
    app.ui.say(&format!("{restored} {would}restored, {skipped} already present, {} {would}restored as copies\n", conflicts.len()), 2)?;
    if !own {
        app.ui.say(FOREIGN, 2)?;
    }
    keys.iter().try_for_each(|key| app.ui.say(&key.line(), 2))?;
    settings.map_or(Ok(()), |(offered, outcome)| app.ui.say(&offered.told(outcome), 2))
}
