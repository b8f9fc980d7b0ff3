//! Backups in a repository: written, listed, verified, and old ones deleted.

use super::super::history::counted;
use super::place::{Place, home_id, objects};
use super::{Chosen, Options, damaged, failed, known_secret, new_secret, size};
use crate::cli::app::App;
use crate::cli::network::runtime;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::Style;
use crate::disk;
use crate::ledger::{Event, Severity, What};
use crate::privacy::{Displayable, Raw};
use crate::upkeep::backup::store::{self, Address, Head, Pruned, Sender, Sent, Snapshot};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// List the backups in a repository
#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    /// Repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "URL")]
    url: PathBuf,
    /// Output JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Delete old backups from a repository, and the data that only they need
///
/// The newest backups of each installation are kept. Nothing is deleted while a backup is being
/// uploaded.
#[derive(Clone, Debug, Args)]
pub(crate) struct Prune {
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
    pub(super) json: bool,
}

pub(super) fn write(app: &mut App, address: &Address, options: &Options) -> Result<()> {
    let objects = objects(app, address)?;
    let chosen = Chosen::of(app, options)?;
    let _alone = alone(app)?;
    let runtime = runtime()?;
    let there = runtime.block_on(store::head(&objects)).inspect_err(|_| failed(app))?;
    let (head, keys) = match there {
        Some(head) => {
            let keys = head.open(&known_secret(app, "the repository")?)?;
            (head, keys)
        }
        None => {
            let passphrase = new_secret(app, "the repository", options.weak)?;
            runtime.block_on(Head::begin(&objects, &passphrase, app.clock.now())).inspect_err(|_| failed(app))?
        }
    };
    let home = home_id(app)?;
    let sender = Sender { objects: &objects, head: &head, keys: Arc::new(keys), home: &home, clock: &app.clock, again: options.again };
    let (ui, of) = (app.ui, chosen.ids.len());
    let bar = &mut |done: usize| ui.progress("uploaded", done, of);
    let sent = runtime.block_on(store::send(&sender, &chosen.archive, &chosen.ids, &chosen.extras, bar));
    app.ui.end_progress();
    let sent = sent.inspect_err(|_| failed(app))?;
    store::remember_newest(app.home.state(), &head.id, &sent.snapshot)?;
    let severity = if sent.left_out.is_empty() { Severity::Info } else { Severity::Critical };
    app.note(
        &Event::new(What::Backup)
            .severity(severity)
            .word("deed", "send")
            .number("conversations", sent.snapshot.conversations)
            .number("messages", sent.snapshot.messages)
            .number("sent", sent.conversations_sent)
            .number("objects", sent.objects_sent)
            .number("bytes", sent.bytes_sent)
            .number("left_out", sent.left_out.len())
            .number("keys", sent.snapshot.keys),
    );
    tell(app, address, &sent, options.json)?;
    chosen.warn_of_keys(app);
    if sent.left_out.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

/// Locks the repository for this installation: two processes of one installation would write the
/// same lease.
fn alone(app: &App) -> Result<disk::Lock> {
    disk::Lock::try_now(&app.home.state().join("storage.lock"))?.ok_or_else(|| {
        let busy = Problem::new(Exit::Storage, "busy", "another chatbot of this installation is using the repository");
        busy.hint("wait until it has finished").into()
    })
}

fn tell(app: &App, address: &Address, sent: &Sent, as_json: bool) -> Result<()> {
    let damaged = damaged(app, &sent.left_out);
    let snapshot = &sent.snapshot;
    // Objects that were already there were only measured, and may be damaged.
    let verified = sent.objects_opened == sent.objects;
    let there_already = snapshot.conversations - sent.conversations_sent.min(snapshot.conversations);
    if as_json {
        let object = json!({
            "schema_version": 1,
            "file": address.to_string(),
            "snapshot": snapshot.id,
            "conversations": snapshot.conversations,
            "messages": snapshot.messages,
            "bytes": snapshot.bytes,
            "sent": sent.conversations_sent,
            "there_already": there_already,
            "objects_sent": sent.objects_sent,
            "bytes_sent": sent.bytes_sent,
            "objects": sent.objects,
            "objects_opened": sent.objects_opened,
            "verified": verified,
            "damaged": damaged,
        });
        return app.ui.json(&object);
    }
    let how = if verified {
        "verified".to_owned()
    } else {
        format!(
            "{} of {} checked; `chatbot backup --verify {}` checks all",
            sent.objects_opened,
            counted(sent.objects, "object"),
            shown(address)
        )
    };
    app.ui.say(
        &format!(
            "{}: {} of {}, {}; {} uploaded, {there_already} already there; {}, {how}\n",
            shown(address),
            snapshot.conversations,
            counted(sent.of, "conversation"),
            counted(snapshot.messages, "message"),
            sent.conversations_sent,
            size(sent.bytes_sent)
        ),
        2,
    )
}

fn shown(address: &Address) -> String {
    Raw::from(address.to_string()).printable_line()
}

/// Parses an argument that must be the address of a repository.
fn typed(url: &std::path::Path) -> Result<Address> {
    match super::address(url)? {
        Some(address) => Ok(address),
        None => bail!(
            Problem::misuse(format!("`{}` is not the address of a repository", crate::cli::ui::shown(url)))
                .hint("use an address with `s3://`, `gs://`, `az://`, `https://` or `file:`")
        ),
    }
}

pub(super) fn list(app: &mut App, options: &List) -> Result<()> {
    let address = typed(&options.url)?;
    let place = Place::open(app, &address)?;
    let found = place.snapshots(app)?;
    let here = home_id(app)?;
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
                "left_out": s.left_out.len(),
            })
        };
        let backups: Vec<Value> = found.open.iter().rev().map(as_json).collect();
        app.ui.json(&json!({ "schema_version": 1, "backups": backups, "damaged": found.closed }))?;
    } else {
        let line = |s: &Snapshot| {
            let whose = if s.home == here { "this machine".to_owned() } else { s.home.to_string() };
            let also = if s.keys > 0 { ", with API keys" } else { "" };
            let (id, at) = (app.ui.paint(Style::Bold, s.id.as_str()), s.created_at.local_minute());
            id + format!(
                "  {at}  {}, {}, {}{also}, from {whose}\n",
                counted(s.conversations, "conversation"),
                counted(s.messages, "message"),
                size(s.bytes)
            )
        };
        app.ui.out(found.open.iter().rev().map(line).collect::<Displayable>())?;
        for closed in &found.closed {
            app.ui.error_line(&format!("chatbot: warning: backup {closed} cannot be decrypted"));
        }
    }
    if found.closed.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

pub(super) fn verify(app: &mut App, address: &Address, wanted: Option<&str>, as_json: bool) -> Result<()> {
    let place = Place::open(app, address)?;
    let found = place.snapshots(app)?;
    let snapshot = found.choose(wanted, app.clock.now())?;
    let (ui, of) = (app.ui, snapshot.conversations);
    let bar = &mut |done: usize| ui.progress("checked", done, of);
    let contents = place.runtime.block_on(store::look(&place.seen(snapshot), bar));
    app.ui.end_progress();
    let contents = contents.inspect_err(|_| {
        app.note(&Event::new(What::Backup).severity(Severity::Critical).word("deed", "verify").word("outcome", "failed"));
    })?;
    app.note(&Event::new(What::Backup).word("deed", "verify").number("conversations", contents.conversations));
    if as_json {
        let damaged: Vec<Value> =
            contents.left_out.iter().map(|(id, reason)| json!({ "id": id, "message": null, "reason": reason })).collect();
        let object = json!({
            "schema_version": 1,
            "file": address.to_string(),
            "snapshot": snapshot.id,
            "conversations": contents.conversations,
            "messages": contents.messages,
            "bytes": snapshot.bytes,
            "verified": true,
            "damaged": damaged,
            "created_at": snapshot.created_at,
        });
        return app.ui.json(&object);
    }
    super::could_not_be_opened(app, &contents)?;
    app.ui.say(
        app.ui.paint(Style::Bold, &shown(address))
            + format!(
                ": backup {} intact, made {}: {}, {}{}\n",
                snapshot.id,
                snapshot.created_at.local_minute(),
                counted(contents.conversations, "conversation"),
                counted(contents.messages, "message"),
                super::also(&contents)
            ),
        2,
    )
}

pub(super) fn prune(app: &mut App, options: &Prune) -> Result<()> {
    let address = typed(&options.url)?;
    let place = Place::open(app, &address)?;
    let keep = usize::try_from(options.keep).unwrap_or(usize::MAX);
    let (objects, keys, store) = (&place.objects, &place.keys, &place.head.id);
    let planned = place.runtime.block_on(store::plan(objects, keys, store, keep))?;
    let nothing = planned.snapshots.is_empty() && planned.objects == 0;
    if options.dry_run || nothing {
        return say(app, &planned, options, true);
    }
    let (backups, many) = (counted(planned.snapshots.len(), "backup"), counted(planned.objects, "object"));
    if !app.yes && !app.ui.confirm(&format!("Delete {backups} and {many}, {}?", size(planned.bytes)), "`--yes`")? {
        bail!(Problem::new(Exit::Failure, "declined", "nothing was deleted"));
    }
    let _alone = alone(app)?;
    let home = home_id(app)?;
    let ui = app.ui;
    let bar = &mut |done, of| ui.progress("deleted", done, of);
    let pruned = place.runtime.block_on(store::prune(objects, keys, store, keep, &home, &app.clock, bar));
    app.ui.end_progress();
    let pruned = pruned?;
    app.note(
        &Event::new(What::Backup)
            .severity(Severity::Notice)
            .word("deed", "prune")
            .number("removed", pruned.snapshots.len())
            .number("kept", pruned.kept)
            .number("objects", pruned.objects)
            .number("bytes", pruned.bytes),
    );
    say(app, &pruned, options, false)
}

fn say(app: &App, pruned: &Pruned, options: &Prune, dry: bool) -> Result<()> {
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
        return app.ui.json(&object);
    }
    let would = if dry && options.dry_run { "would be " } else { "" };
    let (backups, objects) = (counted(pruned.snapshots.len(), "backup"), counted(pruned.objects, "object"));
    app.ui.say(&format!("{backups} {would}deleted, {} kept; {objects} {would}deleted, {}\n", pruned.kept, size(pruned.bytes)), 2)
}
