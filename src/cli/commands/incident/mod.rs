//! `incident`: stop sending, assess what was exposed, save the evidence, recover.

mod recover;

use crate::audit::{Event, EventKind, Severity};
use crate::cli::app::App;
use crate::cli::args::parse_since;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::{Style, display_path};
use crate::conversations::Archive;
use crate::fs;
use crate::incident::{self, Assessment};
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::privacy::{Displayable, Placeholders, Raw};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

const SEQUENCE: &str = "\
Typical sequence:
  chatbot incident lockdown    stop sending
  chatbot incident assess      see what may have been exposed
  chatbot incident report      save the evidence in an encrypted file
  chatbot incident recover     verify, restore and replace keys, step by step
  chatbot incident release     allow sending again";

/// Respond to a suspected leak: stop sending, assess, collect evidence, recover
#[derive(Clone, Debug, Args)]
#[command(after_help = SEQUENCE)]
pub(crate) struct IncidentArgs {
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum IncidentCommand {
    /// Stop sending and refuse to reveal keys until `release`; needs no key store and no network
    Lockdown,
    /// End the lockdown
    Release,
    /// Count what may have been exposed: conversations, keys, backups, requests
    Assess(IncidentAssessArgs),
    /// Save the evidence in an encrypted file: logs, totals and file hashes, but no messages
    Report(IncidentReportArgs),
    Recover(recover::IncidentRecoverArgs),
}

#[derive(Clone, Debug, Args)]
struct IncidentAssessArgs {
    /// Assess only this period: 12h, 7d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct IncidentReportArgs {
    /// File to create; a new file in the backup folder if omitted
    #[arg(value_name = "DEST", conflicts_with = "open")]
    dest: Option<PathBuf>,
    /// Assess only this period: 12h, 7d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Include the messages, redacted
    #[arg(long)]
    with_messages: bool,
    /// Accept a passphrase that is easy to guess
    #[arg(long, conflicts_with = "open")]
    weak: bool,
    /// Decrypt this evidence file and print its contents
    #[arg(long, value_name = "FILE")]
    open: Option<PathBuf>,
}

impl IncidentArgs {
    pub(crate) fn is_lockdown(&self) -> bool {
        matches!(self.command, IncidentCommand::Lockdown)
    }
}

pub(crate) fn run(app: &mut App, options: IncidentArgs) -> Result<()> {
    match options.command {
        IncidentCommand::Lockdown => lockdown(app),
        IncidentCommand::Release => release(app),
        IncidentCommand::Assess(options) => {
            let found = run_assessment(app, options.since.as_deref())?;
            audit_incident(app, "assess", Severity::Notice);
            if options.json {
                {
                    let object = as_json(app, &found);
                    app.ui.json(&object)
                }
            } else {
                {
                    let text = format_assessment(app, &found);
                    app.ui.say(text, 14)
                }
            }
        }
        IncidentCommand::Report(IncidentReportArgs {
            open: Some(file), ..
        }) => open_report(app, &file),
        IncidentCommand::Report(options) => write_report(app, &options),
        IncidentCommand::Recover(options) => recover::run(app, &options),
    }
}

fn audit_incident(app: &App, action: &'static str, severity: Severity) {
    app.audit_event(
        &Event::new(EventKind::Incident)
            .severity(severity)
            .word("action", action),
    );
}

/// Writes one file and one line of the log. It must work in any state, so it uses no key store,
/// settings or network.
fn lockdown(app: &App) -> Result<()> {
    // Each of the three is tried even if the others fail.
    let began = app.lockdown().begin(app.clock.now());
    crate::keys::stores::os_keyring::cache::KeyringCache::for_home(
        &app.home,
        std::time::Duration::ZERO,
        app.clock.clone(),
    )
    .forget_all();
    // Locked too, because an unlocked vault does not ask for its passphrase.
    let shut = crate::keys::stores::vault::lock(&app.home.vault()).unwrap_or(false);
    audit_incident(app, "lockdown", Severity::Critical);
    let began = began?;
    let vault = if shut {
        ", and the vault is locked"
    } else {
        ""
    };
    let word = if began {
        "lockdown"
    } else {
        "lockdown (already active)"
    };
    app.ui.say(&format!("{word}: nothing is sent, no key is revealed{vault}; end it with `chatbot incident release`\n"), 2)
}

fn release(app: &App) -> Result<()> {
    if app.lockdown().check().is_ok() {
        bail!(
            CliError::misuse("there is no lockdown")
                .hint("start one with `chatbot incident lockdown`")
        );
    }
    if !app.yes
        && !app.ui.confirm(
            "Messages and keys can leave this machine again. End the lockdown?",
            "`--yes`",
        )?
    {
        bail!(CliError::new(
            CliExit::Failure,
            "kept",
            "the lockdown is still active"
        ));
    }
    end_lockdown(app)
}

fn end_lockdown(app: &App) -> Result<()> {
    app.lockdown().end(app.clock.now())?;
    audit_incident(app, "release", Severity::Critical);
    app.ui.say("the lockdown has ended\n", 2)
}

/// The conversations, if the key store has their key. An assessment must work without it.
fn open_archive(app: &mut App) -> Option<Archive> {
    match app.archive() {
        Ok(archive) => Some(archive),
        Err(error) => {
            app.ui.warning(&format!(
                "conversations cannot be decrypted, only counted: {error}"
            ));
            None
        }
    }
}

fn run_assessment(app: &mut App, since: Option<&str>) -> Result<Assessment> {
    let since = since.map(|s| parse_since(s, app.clock.now())).transpose()?;
    let redactor = app.redactor()?;
    let sealed = crate::conversations::has_conversations(&app.home.conversations())?;
    let archive = if sealed { open_archive(app) } else { None };
    Ok(incident::assess(
        &app.home,
        archive.as_ref(),
        &redactor,
        &app.audit(),
        since,
    )?)
}

/// The recorded keys: name, store and fingerprint.
fn list_keys(app: &mut App) -> Vec<Value> {
    let known = super::key::load_full_index(app)
        .or_else(|_| anyhow::Ok(KeyIndex::read(&KeyIndex::path_in(&app.home))?));
    let Ok(Some(index)) = known else {
        return Vec::new();
    };
    index.records()
        .filter(|(slot, _)| matches!(slot, Slot::ApiKey { .. } | Slot::PreviousApiKey { .. }))
        .map(|(slot, record)| json!({ "key": slot.to_string(), "store": record.store, "fingerprint": record.fingerprint, "updated_at": record.updated_at }))
        .collect()
}

fn as_json(app: &mut App, found: &Assessment) -> Value {
    let mut object = serde_json::to_value(found).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        object.insert("schema_version".to_owned(), json!(1));
        object.insert("keys".to_owned(), json!(list_keys(app)));
        object.insert(
            "lockdown".to_owned(),
            json!(app.lockdown().check().is_err()),
        );
    }
    object
}

fn format_assessment(app: &mut App, found: &Assessment) -> Displayable {
    let since = found.since.map_or_else(
        || "so far".to_owned(),
        |s| format!("since {}", s.local_minute()),
    );
    let ui = app.ui;
    let header = |text: &str| ui.paint(Style::Bold, &format!("{text:<14}"));
    let mut out = header("conversations")
        + format!(
            "{} in total, {} changed {since}\n",
            found.conversations, found.changed
        );
    let closed = found.changed - found.opened;
    if closed > 0 {
        out += format!(
            "{:14}{closed} of them could not be decrypted and were not checked\n",
            ""
        );
    }
    let kinds: Vec<String> = found
        .values
        .iter()
        .map(|(kind, many)| format!("{kind} ×{many}"))
        .collect();
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(": {}", kinds.join(", "))
    };
    out += header("messages");
    out += format!(
        "{} checked; in {} that you sent, today's rules find values that were not redacted then{kinds}\n",
        found.messages, found.unredacted
    );
    out += header("backups")
        + format!(
            "{} in the backup folder, {} of them made {since}\n",
            found.backups[0], found.backups[1]
        );
    let requests: Vec<String> = found
        .requests
        .iter()
        .map(|(who, many)| format!("{} ×{many}", Raw::from(who.as_str()).printable_line()))
        .collect();
    out += header("sent to")
        + if requests.is_empty() {
            "no provider".to_owned()
        } else {
            requests.join(", ")
        }
        + "\n";
    let keys: Vec<String> = list_keys(app)
        .iter()
        .filter_map(|k| {
            Some(format!(
                "{} ({})",
                k.get("key")?.as_str()?,
                k.get("store")?.as_str()?
            ))
        })
        .collect();
    out += header("keys")
        + if keys.is_empty() {
            "none known".to_owned()
        } else {
            keys.join(", ")
        }
        + "\n";
    let events: Vec<String> = found
        .events
        .iter()
        .map(|(name, many)| format!("{} ×{many}", Raw::from(name.as_str()).printable_line()))
        .collect();
    out += header("events")
        + if events.is_empty() {
            "nothing of note".to_owned()
        } else {
            events.join(", ")
        }
        + "\n";
    let state = if app.lockdown().check().is_err() {
        "on: nothing is sent"
    } else {
        "off"
    };
    out + header("lockdown") + state + "\n"
}

fn write_report(app: &mut App, options: &IncidentReportArgs) -> Result<()> {
    seal_report(app, options).inspect_err(|_| {
        app.audit_event(
            &Event::new(EventKind::Incident)
                .severity(Severity::Critical)
                .word("action", "report")
                .word("outcome", "failed"),
        );
    })
}

fn seal_report(app: &mut App, options: &IncidentReportArgs) -> Result<()> {
    if options.dest.is_none() {
        fs::create_private_dir(&app.home.backups())?;
    }
    let path = options
        .dest
        .clone()
        .unwrap_or_else(|| unused_report_path(app));
    let path = if path.parent() == Some(std::path::Path::new("")) {
        PathBuf::from(".").join(path)
    } else {
        path
    };
    if fs::exists(&path) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(&path)))
                .hint("choose another file name; evidence is never overwritten")
        );
    }
    let found = run_assessment(app, options.since.as_deref())?;
    // Logged first, so that the log in the evidence has this record.
    audit_incident(app, "report", Severity::Critical);
    let redactor = app.redactor()?;
    let settings = redactor
        .redact(
            Raw::from(app.settings_text()?),
            &mut Placeholders::default(),
        )
        .0;
    let mut more = json!({ "keys": list_keys(app), "settings": settings, "lockdown": app.lockdown().check().is_err() });
    if options.with_messages
        && let Some(more) = more.as_object_mut()
    {
        more.insert("messages".to_owned(), read_messages(app)?);
    }
    let now = app.clock.now();
    let evidence = incident::collect_evidence(&app.home, &found, &more, now)?;
    let wanted = NewPassphrase {
        purpose: "the evidence",
        source: PassphraseSource::Unattended,
        weak: options.weak,
    };
    let passphrase = passphrase::choose(app.ui, app.env, app.yes, wanted)?;
    incident::write_evidence(
        &path,
        &evidence,
        &passphrase,
        crate::crypto::kdf::KdfParams::default(),
        now,
    )?;
    app.ui.out(&format!("{}\n", display_path(&path)))?;
    app.ui.notice("`chatbot incident report --open FILE` prints its contents, on any machine that has the passphrase");
    Ok(())
}

/// A new file name in the backup folder.
fn unused_report_path(app: &App) -> PathBuf {
    let at = app.clock.now().local_minute().replace([' ', ':'], "-");
    let named = |more: &str| {
        app.home
            .backups()
            .join(format!("chatbot-evidence-{at}{more}.sealed"))
    };
    let more = (2_u32..).map(|n| format!("-{n}"));
    std::iter::once(String::new())
        .chain(more)
        .map(|m| named(&m))
        .find(|path| !fs::exists(path))
        .unwrap_or_else(|| named(""))
}

fn read_messages(app: &mut App) -> Result<Value> {
    let redactor = app.redactor()?;
    let archive = app.archive()?;
    let mut all = Vec::new();
    for id in archive.ids()? {
        let Ok(stored) = archive.read(&id) else {
            continue;
        };
        let mut table = Placeholders::default();
        let messages = stored
            .messages
            .into_iter()
            .map(|m| json!({ "n": m.n, "role": m.role, "at": m.at, "text": redactor.redact(m.text, &mut table).0 }));
        all.push(json!({ "conversation": id, "messages": messages.collect::<Vec<_>>() }));
    }
    Ok(Value::Array(all))
}

fn open_report(app: &App, file: &std::path::Path) -> Result<()> {
    let opened = incident::read_evidence(file, || {
        passphrase::obtain(app.ui, app.env, "the evidence", CliExit::Key)
    });
    let text = opened.map_err(|error| match error.downcast_ref() {
        Some(incident::Error::Seal(cause)) => {
            CliError::new(CliExit::Storage, "cannot_open", cause.to_string())
                .hint("try another passphrase")
                .into()
        }
        _ => error,
    })?;
    app.ui.out(Displayable::json_text(&text) + "\n")
}
