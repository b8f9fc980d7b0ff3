//! `backup`: everything that was kept in one file that a passphrase opens.

use super::vault::{Given, new_passphrase};
use crate::cli::app::App;
use crate::cli::keys::named_passphrase;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::{Style, shown};
use crate::disk;
use crate::keys::Slot;
use crate::ledger::{Event, Severity, What};
use crate::name::Name;
use crate::privacy::{Placeholders, Raw};
use crate::secret::Secret;
use crate::upkeep::backup::{self, Checked, Extras, LeftOut, Written};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Write everything that was kept into one sealed file, and check it
///
/// The file opens with its passphrase alone, on any machine: `chatbot restore FILE`. The passphrase is asked for, or taken from
/// what `CHATBOT_PASSPHRASE_FILE` or `CHATBOT_PASSPHRASE_COMMAND` names. Conversations, settings and usage are in it; keys are not,
/// unless you say so.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  chatbot backup                          into the folder of backups\n  chatbot backup /media/stick             into a folder of yours\n  chatbot backup --verify FILE            open it, count, change nothing\n  chatbot backup mine.backup --only 7kq2"
)]
pub(crate) struct Options {
    /// A file that is not there yet, or a folder
    #[arg(value_name = "DEST", conflicts_with = "verify")]
    dest: Option<PathBuf>,
    /// Only open this backup and count what is in it
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    /// Only these conversations
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "verify")]
    only: Vec<String>,
    /// Put the API keys in as well: whoever has the file and its passphrase has your keys
    #[arg(long, conflicts_with = "verify")]
    with_keys: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(app: &mut App, options: &Options) -> Result<()> {
    match &options.verify {
        Some(file) => verify(app, file, options.json),
        None => write(app, options),
    }
}

fn write(app: &mut App, options: &Options) -> Result<()> {
    let path = place(app, options.dest.as_deref())?;
    if !crate::archive::any_sealed(&app.home.conversations())? {
        bail!(Problem::misuse("no conversation has been kept yet: there is nothing to back up").hint("begin one with `chatbot chat`"));
    }
    let archive = app.archive()?;
    let ids = match options.only.as_slice() {
        [] => archive.newest_first()?,
        some => some.iter().map(|typed| archive.find(typed)).collect::<Result<Vec<_>, _>>()?,
    };
    let extras = extras(app, options)?;
    // What the environment names was put there to be used unattended.
    let passphrase = match named_passphrase(app.env) {
        Some(named) => named.map_err(|e| Problem::new(Exit::Key, "no_passphrase", e.0))?,
        None => new_passphrase(app, "the backup", Given::Environment)?,
    };
    let (ui, of) = (app.ui, ids.len());
    let bar = &mut |done: usize| ui.progress("sealed", done, of);
    let written = backup::write(&path, &archive, &ids, &extras, &passphrase, app.clock.now(), bar);
    app.ui.end_progress();
    let written = written.inspect_err(|_| {
        app.note(&Event::new(What::Backup).severity(Severity::Warning).word("deed", "write").word("outcome", "failed"));
    })?;
    let severity = if written.left_out.is_empty() { Severity::Info } else { Severity::Critical };
    app.note(
        &Event::new(What::Backup)
            .severity(severity)
            .word("deed", "write")
            .number("conversations", written.conversations)
            .number("messages", written.messages)
            .number("left_out", written.left_out.len())
            .number("keys", extras.keys.len()),
    );
    tell(app, &path, &written, options.json)?;
    if !extras.keys.is_empty() {
        app.ui.error_line(&format!(
            "chatbot: warning: {} API keys are in this backup: guard it and its passphrase like them",
            extras.keys.len()
        ));
    }
    if written.left_out.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

fn tell(app: &App, path: &Path, written: &Written, as_json: bool) -> Result<()> {
    let bytes = disk::length(path);
    for LeftOut { id, reason, .. } in &written.left_out {
        app.ui.error_line(&format!("chatbot: warning: not in the backup: {id}: {reason}"));
    }
    if as_json {
        let damaged: Vec<Value> =
            written.left_out.iter().map(|l| json!({ "id": l.id, "message": l.message, "reason": l.reason })).collect();
        let object = json!({
            "schema_version": 1,
            "file": path.display().to_string(),
            "conversations": written.conversations,
            "messages": written.messages,
            "bytes": bytes,
            "verified": true,
            "damaged": damaged,
        });
        return app.ui.out(&format!("{object}\n"));
    }
    app.ui.out(&format!(
        "{}: {} of {} conversations, {} messages, {}, verified\n",
        shown(path),
        written.conversations,
        written.of,
        written.messages,
        size(bytes)
    ))
}

/// Where it goes: a file that is not there yet, in a folder that is.
fn place(app: &App, dest: Option<&Path>) -> Result<PathBuf> {
    let text = dest.and_then(Path::to_str).unwrap_or_default();
    if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| *scheme != "file") {
        let scheme = Raw::from(scheme).printable();
        bail!(Problem::misuse(format!("backups cannot go to `{scheme}://` yet")).hint("back up to a file, and copy that: it is sealed"));
    }
    let dest = text.strip_prefix("file://").map(PathBuf::from).or_else(|| dest.map(Path::to_path_buf));
    let name = || -> Result<String> { Ok(format!("chatbot-{}-{}.backup", app.clock.now().local_day(), crate::archive::new_id()?)) };
    let path = match dest {
        None => {
            disk::folder(&app.home.backups())?;
            app.home.backups().join(name()?)
        }
        Some(folder) if disk::is_folder(&folder) => folder.join(name()?),
        Some(file) => file,
    };
    let path = if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path };
    if disk::exists(&path) {
        bail!(Problem::misuse(format!("`{}` is there already", shown(&path))).hint("name another file; no backup is ever overwritten"));
    }
    Ok(path)
}

fn extras(app: &mut App, options: &Options) -> Result<Extras> {
    let mut extras = Extras::default();
    if options.only.is_empty() {
        let text = app.settings_text()?;
        if !text.is_empty() {
            let (text, found) = app.redactor()?.redact(Raw::from(text), &mut Placeholders::default());
            if !found.is_empty() {
                app.ui.warning("the settings have something private in them: it is not in the backup");
            }
            extras.settings = Some(text);
        }
        extras.usage = disk::read(&app.usage().path())?;
    }
    if options.with_keys {
        extras.keys = api_keys(app)?;
    }
    Ok(extras)
}

fn api_keys(app: &mut App) -> Result<Vec<(Slot, Secret)>> {
    let custody = app.keys()?.custody();
    let slots: Vec<Slot> = custody.book()?.map(|book| book.records().map(|(slot, _)| slot).collect()).unwrap_or_default();
    let mut keys = Vec::new();
    for slot in slots.into_iter().filter(|s| matches!(s, Slot::ApiKey { .. })) {
        if let Some(key) = custody.get(&slot)? {
            keys.push((slot, key));
        }
    }
    Ok(keys)
}

/// Opens a backup: the passphrase is asked for once its first line has been looked at.
pub(super) fn open(app: &App, file: &Path) -> Result<Checked> {
    let mut asked = None;
    let checked = backup::check(file, &mut |_| {
        let secret = match named_passphrase(app.env) {
            Some(named) => named.map_err(|e| Problem::new(Exit::Key, "no_passphrase", e.0).into()),
            None => app.ui.hidden("Passphrase of the backup: ", "`CHATBOT_PASSPHRASE_FILE`"),
        };
        secret.map_err(|error: anyhow::Error| {
            asked = Some(error);
            backup::Error::WrongPassphrase
        })
    });
    match asked {
        Some(error) => Err(error),
        None => Ok(checked?),
    }
}

fn verify(app: &mut App, file: &Path, as_json: bool) -> Result<()> {
    let Checked { head, contents, .. } = open(app, file)?;
    app.note(&Event::new(What::Backup).word("deed", "verify").number("conversations", contents.conversations));
    let left_out: Vec<(&Name, &String)> = contents.left_out.iter().collect();
    if as_json {
        let damaged: Vec<Value> = left_out.iter().map(|(id, reason)| json!({ "id": id, "message": null, "reason": reason })).collect();
        let object = json!({
            "schema_version": 1,
            "file": file.display().to_string(),
            "conversations": contents.conversations,
            "messages": contents.messages,
            "bytes": disk::length(file),
            "verified": true,
            "damaged": damaged,
            "created_at": head.created_at,
        });
        return app.ui.out(&format!("{object}\n"));
    }
    for (id, reason) in left_out {
        app.ui.out(&format!("when it was made, this could not be opened: {id}: {}\n", Raw::from(reason.as_str()).printable()))?;
    }
    let also = [(contents.settings, "settings"), (contents.usage, "usage"), (contents.keys > 0, "API keys")];
    let also: String = also.iter().filter(|(is, _)| *is).map(|(_, what)| format!(", {what}")).collect();
    app.ui.out(&format!(
        "{}: whole, of {}: {} conversations, {} messages{also}\n",
        app.ui.paint(Style::Bold, &shown(file)),
        head.created_at.local_minute(),
        contents.conversations,
        contents.messages
    ))
}

/// `14.2 MB`
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}
