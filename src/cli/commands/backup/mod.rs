//! `backup`: conversations, settings and usage, in a file encrypted with a passphrase or in object
//! storage.

mod object_storage;
pub(super) mod repository;

use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{RepositoryAddress, is_repository};
use crate::backup::{
    self, BackupContents, Extras, OpenedBackup, Origin, SkippedConversation, WriteReport,
};
use crate::cli::app::App;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::format::{format_size, pluralize};
use crate::cli::term::{Style, display_path};
use crate::conversations::Archive;
use crate::fs;
use crate::keys::Slot;
use crate::name::Name;
use crate::privacy::{Placeholders, Raw};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

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

/// Back up conversations, settings and usage to an encrypted file or to object storage
///
/// The backup is encrypted with a passphrase and checked after it is written; `chatbot restore`
/// restores it on any machine. The passphrase is asked for, or read from the file named by
/// `CHATBOT_PASSPHRASE_FILE` or from the program named by `CHATBOT_PASSPHRASE_COMMAND`. API keys
/// are included only with `--with-keys`.
///
/// A repository in object storage holds many backups, and only new data is uploaded. Everything is
/// encrypted first, and object names reveal nothing. Credentials come from the standard environment
/// variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`;
/// `GOOGLE_APPLICATION_CREDENTIALS`; `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`;
/// `WEBDAV_USERNAME`, `WEBDAV_PASSWORD`.
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
    List(object_storage::BackupListArgs),
    Prune(object_storage::BackupPruneArgs),
}

pub(crate) fn run(app: &mut App, options: &BackupArgs) -> Result<()> {
    match &options.command {
        Some(BackupCommand::List(list)) => return object_storage::list(app, list),
        Some(BackupCommand::Prune(prune)) => return object_storage::prune(app, prune),
        None => {}
    }
    if let Some(source) = &options.verify {
        return match parse_address(source)? {
            Some(address) => {
                object_storage::verify(app, &address, options.snapshot.as_deref(), options.json)
            }
            None if options.snapshot.is_some() => bail!(not_in_a_file("--snapshot")),
            None => verify(app, source, options.json),
        };
    }
    match options
        .dest
        .as_deref()
        .map(parse_address)
        .transpose()?
        .flatten()
    {
        Some(address) => object_storage::upload(app, &address, options),
        None if options.reupload => bail!(not_in_a_file("--reupload")),
        None => write(app, options),
    }
}

/// Parses the argument as an address, unless it is the path of a file. A folder with a repository
/// in it counts as an address, whatever its name.
pub(super) fn parse_address(typed: &Path) -> Result<Option<RepositoryAddress>> {
    if is_repository(typed) {
        return Ok(Some(RepositoryAddress::Folder(typed.to_path_buf())));
    }
    Ok(typed
        .to_str()
        .map(RepositoryAddress::parse)
        .transpose()?
        .flatten())
}

pub(super) fn not_in_a_file(option: &str) -> CliError {
    CliError::misuse(format!(
        "`{option}` is for repositories, and a backup file holds a single backup"
    ))
    .hint("use an address with `s3://`, `gs://`, `az://`, `https://` or `file:`")
}

/// The conversations and everything else to back up.
struct BackupSelection {
    archive: Archive,
    ids: Vec<Name>,
    extras: Extras,
}

impl BackupSelection {
    fn from_args(app: &mut App, options: &BackupArgs) -> Result<Self> {
        if !crate::conversations::has_conversations(&app.home.conversations())? {
            let nothing =
                CliError::misuse("there is nothing to back up: no conversation has been saved yet");
            bail!(nothing.hint("start one with `chatbot chat`"));
        }
        let archive = app.archive()?;
        let ids = match options.only.as_slice() {
            [] => archive.newest_first()?,
            some => some
                .iter()
                .map(|typed| archive.find(typed))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let extras = extras(app, options)?;
        Ok(Self {
            archive,
            ids,
            extras,
        })
    }

    fn warn_about_keys(&self, app: &App) {
        if !self.extras.keys.is_empty() {
            let keys = self.extras.keys.len();
            let (are, like) = if keys == 1 {
                ("is", "it")
            } else {
                ("are", "them")
            };
            app.ui.error_line(&format!(
                "chatbot: warning: {} {are} in this backup: protect it and its passphrase like {like}",
                pluralize(keys, "API key")
            ));
        }
    }
}

/// The keys that prove a backup to be this installation's own: the data key, which a recovery file
/// restores, and the audit key, which `history rekey` does not change.
pub(super) fn backup_origin(app: &mut App) -> Result<Origin> {
    let manager = app.keys()?.manager();
    let slots = [Slot::DataKey, Slot::PreviousDataKey, Slot::AuditKey];
    let secrets = slots
        .iter()
        .map(|slot| manager.get(slot))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Origin::new(
        &secrets.into_iter().flatten().collect::<Vec<_>>(),
    ))
}

/// A passphrase for a new backup. One that the environment names is meant for unattended use, so it
/// needs no confirmation.
fn new_backup_passphrase(app: &App, what: &str, weak: bool) -> Result<Secret> {
    passphrase::choose(
        app.ui,
        app.env,
        app.yes,
        NewPassphrase {
            purpose: what,
            source: PassphraseSource::Unattended,
            weak,
        },
    )
}

/// The passphrase of an existing backup.
fn backup_passphrase(app: &App, what: &str) -> Result<Secret> {
    passphrase::obtain(app.ui, app.env, what, CliExit::Key)
}

fn audit_failure(app: &App) {
    app.audit_event(
        &Event::new(EventKind::Backup)
            .severity(Severity::Warning)
            .word("action", "write")
            .word("outcome", "failed"),
    );
}

fn write(app: &mut App, options: &BackupArgs) -> Result<()> {
    let path = destination(app, options.dest.as_deref())?;
    let chosen = BackupSelection::from_args(app, options)?;
    let BackupSelection {
        archive,
        ids,
        extras,
    } = &chosen;
    let passphrase = new_backup_passphrase(app, "the backup", options.weak)?;
    let (ui, of) = (app.ui, ids.len());
    let bar = &mut |done: usize| ui.progress("encrypted", done, of);
    let written = backup::write(
        &path,
        archive,
        ids,
        extras,
        &passphrase,
        app.clock.now(),
        bar,
    );
    app.ui.end_progress();
    let written = written.inspect_err(|_| audit_failure(app))?;
    let severity = if written.skipped.is_empty() {
        Severity::Info
    } else {
        Severity::Critical
    };
    app.audit_event(
        &Event::new(EventKind::Backup)
            .severity(severity)
            .word("action", "write")
            .number("conversations", written.conversations)
            .number("messages", written.messages)
            .number("skipped", written.skipped.len())
            .number("keys", extras.keys.len()),
    );
    report_written(app, &path, &written, options.json)?;
    chosen.warn_about_keys(app);
    if written.skipped.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// Warns about what could not be decrypted, and returns it as JSON.
fn report_damaged(app: &App, skipped: &[SkippedConversation]) -> Vec<Value> {
    for SkippedConversation { id, reason, .. } in skipped {
        app.ui.error_line(&format!(
            "chatbot: warning: left out of the backup: {id}: {reason}"
        ));
    }
    skipped
        .iter()
        .map(|l| json!({ "id": l.id, "message": l.message, "reason": l.reason }))
        .collect()
}

fn report_written(app: &App, path: &Path, written: &WriteReport, as_json: bool) -> Result<()> {
    let bytes = fs::length(path);
    let damaged = report_damaged(app, &written.skipped);
    if as_json {
        let object = json!({
            "schema_version": 1,
            "file": path.display().to_string(),
            "conversations": written.conversations,
            "messages": written.messages,
            "bytes": bytes,
            "verified": true,
            "damaged": damaged,
        });
        return app.ui.json(&object);
    }
    app.ui.say(
        &format!(
            "{}: {} of {}, {}, {}, verified\n",
            display_path(path),
            written.conversations,
            pluralize(written.of, "conversation"),
            pluralize(written.messages, "message"),
            format_size(bytes)
        ),
        2,
    )
}

/// The path of the backup: a new file in an existing folder.
fn destination(app: &App, dest: Option<&Path>) -> Result<PathBuf> {
    let dest = dest.map(Path::to_path_buf);
    let name = || -> Result<String> {
        Ok(format!(
            "chatbot-{}-{}.backup",
            app.clock.now().local_day(),
            crate::conversations::new_id()?
        ))
    };
    let path = match dest {
        None => {
            fs::create_private_dir(&app.home.backups())?;
            app.home.backups().join(name()?)
        }
        Some(folder) if fs::is_folder(&folder) => folder.join(name()?),
        Some(file) => file,
    };
    let path = if path.parent() == Some(Path::new("")) {
        Path::new(".").join(path)
    } else {
        path
    };
    if fs::exists(&path) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(&path)))
                .hint("choose another file name; backups are never overwritten")
        );
    }
    Ok(path)
}

fn extras(app: &mut App, options: &BackupArgs) -> Result<Extras> {
    let mut extras = Extras {
        origin: backup_origin(app)?,
        ..Extras::default()
    };
    if options.only.is_empty() {
        let text = app.settings_text()?;
        if !text.is_empty() {
            let (text, found) = app
                .redactor()?
                .redact(Raw::from(text), &mut Placeholders::default());
            if !found.is_empty() {
                app.ui
                    .warning("private data in the settings was left out of the backup");
            }
            extras.settings = Some(text);
        }
        extras.usage = fs::read(&app.usage().path())?;
    }
    if options.with_keys {
        app.refuse_in_lockdown()?;
        extras.keys = api_keys(app)?;
    }
    Ok(extras)
}

fn api_keys(app: &mut App) -> Result<Vec<(Slot, Secret)>> {
    let index = super::key::load_full_index(app)?;
    let manager = app.keys()?.manager();
    let slots: Vec<Slot> = index
        .map(|index| index.records().map(|(slot, _)| slot).collect())
        .unwrap_or_default();
    let mut keys = Vec::new();
    for slot in slots
        .into_iter()
        .filter(|s| matches!(s, Slot::ApiKey { .. }))
    {
        if let Some(key) = manager.get(&slot)? {
            keys.push((slot, key));
        }
    }
    Ok(keys)
}

/// Opens a backup. Its header is read before the passphrase is asked for. A damaged backup is
/// accepted only with `salvage`.
pub(super) fn open(app: &App, file: &Path, salvage: bool) -> Result<OpenedBackup> {
    let passphrase = |_: &backup::BackupHeader| backup_passphrase(app, "the backup");
    let opened = if salvage {
        backup::salvage(file, passphrase)
    } else {
        backup::open_backup(file, passphrase)
    };
    opened.map_err(|error| match error.downcast_ref() {
        Some(backup::Error::InvalidBackup) => CliError::new(
            CliExit::Storage,
            "not_a_backup",
            format!("`{}` is not a chatbot backup", display_path(file)),
        )
        .hint("check the path")
        .into(),
        _ => error,
    })
}

fn verify(app: &mut App, file: &Path, as_json: bool) -> Result<()> {
    let OpenedBackup { head, contents, .. } = open(app, file, false).inspect_err(|_| {
        app.audit_event(
            &Event::new(EventKind::Backup)
                .severity(Severity::Critical)
                .word("action", "verify")
                .word("outcome", "failed"),
        );
    })?;
    app.audit_event(
        &Event::new(EventKind::Backup)
            .word("action", "verify")
            .number("conversations", contents.conversations),
    );
    let skipped: Vec<(&Name, &String)> = contents.skipped.iter().collect();
    if as_json {
        let damaged: Vec<Value> = skipped
            .iter()
            .map(|(id, reason)| json!({ "id": id, "message": null, "reason": reason }))
            .collect();
        let object = json!({
            "schema_version": 1,
            "file": file.display().to_string(),
            "conversations": contents.conversations,
            "messages": contents.messages,
            "bytes": fs::length(file),
            "verified": true,
            "damaged": damaged,
            "created_at": head.created_at,
        });
        return app.ui.json(&object);
    }
    report_undecryptable(app, &contents)?;
    let also = describe_extras(&contents);
    app.ui.say(
        app.ui.paint(Style::Bold, &display_path(file))
            + format!(
                ": intact, made {}: {}, {}{also}\n",
                head.created_at.local_minute(),
                pluralize(contents.conversations, "conversation"),
                pluralize(contents.messages, "message")
            ),
        2,
    )
}

fn report_undecryptable(app: &App, contents: &BackupContents) -> Result<()> {
    contents.skipped.iter().try_for_each(|(id, reason)| {
        app.ui.say(
            &format!(
                "could not be decrypted when the backup was made: {id}: {}\n",
                Raw::from(reason.as_str()).printable_line()
            ),
            2,
        )
    })
}

/// Lists what a backup contains besides conversations.
fn describe_extras(contents: &BackupContents) -> String {
    let also = [
        (contents.settings, "settings"),
        (contents.usage, "usage"),
        (contents.keys > 0, "API keys"),
    ];
    also.iter()
        .filter(|(is, _)| *is)
        .map(|(_, what)| format!(", {what}"))
        .collect()
}
