//! `restore`: what a backup holds, back into this house.

mod settings;

use self::settings::{Offered, Outcome};
use super::backup::place::Place;
use super::backup::{address, not_in_a_file, open};
use crate::archive::Archive;
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::shown;
use crate::disk;
use crate::keys::Slot;
use crate::ledger::{Event, Severity, What};
use crate::name::Name;
use crate::upkeep::backup::store::Fetched;
use crate::upkeep::backup::{self, Checked, Deed, Plan};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So much of what a damaged backup has lost is told to a person: what it is made of, somebody else may have decided.
const NAMED: usize = 40;

/// Bring back what a backup holds
///
/// Nothing that is here is overwritten: a conversation that has gone another way since comes back beside the one that is here.
/// The whole backup is checked before anything is changed; stopped and run again, it ends in the same place.
///
/// Its settings are shown, and put in force only where there are none, and by your yes. `--yes` is one too, but not to those that
/// run a program, say where requests go, or protect less: these come in `config.toml.restored`, beside.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The file of the backup, or `s3://`, `gs://`, `az://`, `https://` (WebDAV), `file:`
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Of those in object storage, this one and not the newest
    #[arg(long, value_name = "BACKUP")]
    snapshot: Option<String>,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Only these conversations
    #[arg(long, value_name = "ID", num_args = 1..)]
    only: Vec<String>,
    /// Of a damaged backup, bring back what opens and name what does not
    #[arg(long)]
    salvage: bool,
    /// Bring back the API keys that are in it as well
    #[arg(long)]
    with_keys: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// Everything of this backup but its keys.
    pub(crate) fn all_of(source: PathBuf) -> Self {
        Self { source, snapshot: None, dry_run: false, only: Vec::new(), salvage: false, with_keys: false, json: false }
    }
}

#[derive(Default)]
struct Count {
    restored: usize,
    skipped: usize,
    conflicts: Vec<(Name, Name)>,
}

/// A backup, opened.
enum Source {
    File(PathBuf, Checked),
    Fetched(Fetched, #[expect(dead_code, reason = "held, not used: it lasts as long as the file")] disk::Lock),
}

impl Source {
    fn open(app: &mut App, options: &Options) -> Result<Self> {
        if let Some(address) = address(&options.source)? {
            let place = Place::open(app, &address)?;
            let found = place.snapshots()?;
            let snapshot = found.choose(options.snapshot.as_deref())?;
            if options.snapshot.is_none() && found.open.iter().any(|s| s.home != snapshot.home) {
                app.ui.notice("more than one house keeps its backups there; this is the newest, `--snapshot` names another");
            }
            let (fetched, lock) = place.fetch(app, snapshot, &options.only, options.salvage)?;
            return Ok(Self::Fetched(fetched, lock));
        }
        if options.snapshot.is_some() {
            bail!(not_in_a_file("--snapshot"));
        }
        Ok(Self::File(options.source.clone(), open(app, &options.source, options.salvage)?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path, _) => path,
            Self::Fetched(fetched, _) => fetched.path(),
        }
    }

    fn checked(&self) -> &Checked {
        match self {
            Self::File(_, checked) => checked,
            Self::Fetched(fetched, _) => &fetched.checked,
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
    // Where nothing is kept yet, a dry run needs no key and makes none.
    let empty = !crate::archive::any_sealed(&app.home.conversations())?;
    let archive = if empty && options.dry_run { None } else { Some(app.archive()?) };
    let plan = backup::plan(source.path(), source.checked(), archive.as_ref(), &options.only)?;
    let count = count(&plan);
    let offered = Offered::of(app, plan.settings.as_ref())?;
    let mut outcome = Outcome::Shown;
    if let Some(archive) = archive.filter(|_| !options.dry_run) {
        bring(app, options, &source, &archive, &plan)?;
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
        app.ui.error_line(&format!("chatbot: warning: not all of it can be had: {what}"));
    }
    if let Some(more) = named.len().checked_sub(NAMED).filter(|more| *more > 0) {
        app.ui.error_line(&format!("chatbot: warning: and {more} more; `--json` names them all"));
    }
    tell(app, options, &count, offered.as_ref().map(|offered| (offered, &outcome)), lost)?;
    // Whoever runs it unattended must not take the half for the whole.
    if lost.is_none_or(<[String]>::is_empty) { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
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

fn bring(app: &mut App, options: &Options, source: &Source, archive: &Archive, plan: &Plan) -> Result<()> {
    let (ui, of) = (app.ui, plan.conversations.len());
    let done = backup::restore(source.path(), source.checked(), archive, plan, &mut |done| ui.progress("restored", done, of));
    app.ui.end_progress();
    done?;
    usage(app, plan)?;
    if options.with_keys {
        keys(app, plan)?;
    } else if !plan.keys.is_empty() {
        app.ui.notice("there are API keys in it; `--with-keys` brings them back");
    }
    Ok(())
}

/// Lines of usage that are not here are added.
fn usage(app: &mut App, plan: &Plan) -> Result<()> {
    let path = app.usage().path();
    let here = disk::read(&path)?.unwrap_or_default();
    let known: BTreeSet<&[u8]> = here.split(|b| *b == b'\n').collect();
    let fit = |line: &&str| serde_json::from_str::<crate::ledger::usage::Entry>(line).is_ok() && !known.contains(line.as_bytes());
    let more: String = plan.usage.lines().filter(fit).map(|l| format!("{l}\n")).collect();
    if !more.is_empty() {
        disk::Appender::open(&path)?.add(more.as_bytes())?;
    }
    Ok(())
}

/// Keys come back where there are none.
fn keys(app: &mut App, plan: &Plan) -> Result<()> {
    for (name, secret) in &plan.keys {
        let Ok(slot @ Slot::ApiKey { .. }) = name.parse::<Slot>() else { continue };
        let custody = app.keys()?.custody();
        if custody.get(&slot)?.is_none() {
            custody.put(&slot, secret)?;
            app.note_of_keys(&Event::new(What::KeyImported).severity(Severity::Notice).word("key", &slot.to_string()));
        }
    }
    Ok(())
}

fn tell(app: &App, options: &Options, count: &Count, settings: Option<(&Offered, &Outcome)>, lost: Option<&[String]>) -> Result<()> {
    let Count { restored, skipped, conflicts } = count;
    if options.json {
        let beside: Vec<Value> = conflicts.iter().map(|(id, other)| json!({ "id": id, "restored_as": other })).collect();
        let mut object = json!({
            "schema_version": 1,
            "restored": restored,
            "skipped": skipped,
            "conflicts": conflicts.len(),
            "beside": beside,
            "dry_run": options.dry_run,
            "settings": settings.map(|(offered, outcome)| offered.json(outcome)),
        });
        if let (Some(lost), Some(object)) = (lost, object.as_object_mut()) {
            object.insert("lost".to_owned(), json!(lost));
        }
        return app.ui.json(&object);
    }
    let (would, are) = if options.dry_run { ("would be ", "would come") } else { ("", "came") };
    for (id, other) in conflicts {
        app.ui.say(&format!("{id} is another one here: the backup's {are} back as {other}\n"), 2)?;
    }
    app.ui.say(&format!("{restored} {would}restored, {skipped} here already, {} {would}restored beside\n", conflicts.len()), 2)?;
    settings.map_or(Ok(()), |(offered, outcome)| app.ui.say(&offered.told(outcome), 2))
}
