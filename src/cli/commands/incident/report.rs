//! `incident report`: saves the evidence in an encrypted file, or prints the contents of one.

use super::assess::{list_keys, run_assessment};
use super::audit_incident;
use crate::audit::{Event, EventKind, Severity};
use crate::cli::args::with_folder;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::display_path;
use crate::crypto::kdf::KdfParams;
use crate::fs;
use crate::incident;
use crate::privacy::{Displayable, Placeholders, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Save the evidence in an encrypted file: logs, totals and file hashes, but no messages
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentReportArgs {
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

pub(super) fn run(context: &mut Context, options: &IncidentReportArgs) -> Result<()> {
    if let Some(file) = &options.open {
        return open_report(context, file);
    }
    seal_report(context, options).inspect_err(|_| {
        context.audit_event(
            &Event::new(EventKind::Incident)
                .severity(Severity::Critical)
                .word("action", "report")
                .word("outcome", "failed"),
        );
    })
}

fn seal_report(context: &mut Context, options: &IncidentReportArgs) -> Result<()> {
    if options.dest.is_none() {
        fs::create_private_dir(&context.home.backups())?;
    }
    let path = options
        .dest
        .clone()
        .unwrap_or_else(|| unused_report_path(context));
    let path = with_folder(&path);
    if fs::exists(&path) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(&path)))
                .hint("choose another file name; evidence is never overwritten")
        );
    }
    let found = run_assessment(context, options.since.as_deref())?;
    // Logged first, so that the log in the evidence has this record.
    audit_incident(context, "report", Severity::Critical);
    let redactor = context.redactor()?;
    let settings = redactor
        .redact(
            Raw::from(context.settings_text()?),
            &mut Placeholders::default(),
        )
        .0;
    let mut more = json!({ "keys": list_keys(context), "settings": settings, "lockdown": context.lockdown().check().is_err() });
    if options.with_messages
        && let Some(more) = more.as_object_mut()
    {
        more.insert("messages".to_owned(), read_messages(context)?);
    }
    let now = context.clock.now();
    let evidence = incident::collect_evidence(&context.home, &found, &more, now)?;
    let wanted = NewPassphrase {
        purpose: "the evidence",
        source: PassphraseSource::Unattended,
        weak: options.weak,
    };
    let passphrase = passphrase::choose(context.ui, context.env, context.yes, wanted)?;
    incident::write_evidence(&path, &evidence, &passphrase, KdfParams::default(), now)?;
    context.ui.out(&format!("{}\n", display_path(&path)))?;
    context.ui.notice("`chatbot incident report --open FILE` prints its contents, on any machine that has the passphrase");
    Ok(())
}

/// A new file name in the backup folder.
fn unused_report_path(context: &Context) -> PathBuf {
    let at = context.clock.now().local_minute().replace([' ', ':'], "-");
    let named = |more: &str| {
        context
            .home
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

fn read_messages(context: &mut Context) -> Result<Value> {
    let redactor = context.redactor()?;
    let archive = context.archive()?;
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

fn open_report(context: &Context, file: &Path) -> Result<()> {
    let opened = incident::read_evidence(file, || {
        passphrase::obtain(context.ui, context.env, "the evidence", CliExit::Key)
    });
    let text = opened.map_err(|error| match error.downcast_ref() {
        Some(incident::Error::Seal(cause)) => {
            CliError::new(CliExit::Storage, "cannot_open", cause.to_string())
                .hint("try another passphrase")
                .into()
        }
        _ => error,
    })?;
    context.ui.out(Displayable::json_text(&text) + "\n")
}
