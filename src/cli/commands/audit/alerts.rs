//! `audit alerts`: alerts about unusual events, and their acknowledgement.

use super::verify::no_audit_key;
use crate::audit::alerts::{AlertKind, AlertMonitor};
use crate::audit::{Event, EventKind};
use crate::cli::alerts;
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit};
use crate::privacy::Raw;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

/// List alerts about unusual events, and acknowledge them
#[derive(Clone, Debug, Args)]
pub(super) struct AuditAlertsArgs {
    /// Acknowledge the alert with this ID, or `all`
    #[arg(long, value_name = "ID")]
    acknowledge: Option<String>,
    /// Include acknowledged alerts
    #[arg(long)]
    all: bool,
    /// List at most this many alerts, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &AuditAlertsArgs) -> Result<()> {
    let alerts = alerts::monitor(context);
    if let Some(which) = &options.acknowledge {
        let acknowledged = acknowledge(context, &alerts, which)?;
        if !options.json {
            return context.ui.out(&format!("{acknowledged} acknowledged\n"));
        }
    }
    let mut list = alerts.all()?;
    list.retain(|a| options.all || !a.acknowledged);
    let over = list
        .len()
        .saturating_sub(options.limit.unwrap_or(usize::MAX));
    list.drain(..over);
    if options.json {
        let list: Vec<_> = list.iter().map(alerts::as_json).collect();
        return context
            .ui
            .json(&json!({ "schema_version": 1, "alerts": list }));
    }
    if list.is_empty() {
        context.ui.notice("no alerts");
    }
    for alert in list {
        let mark = if alert.acknowledged {
            " (acknowledged)"
        } else {
            ""
        };
        let line = format!(
            "{:>4}  {}  {}{mark}",
            alert.id,
            alert.at.local_minute(),
            Raw::from(alert.describe()).printable_line()
        );
        context.ui.say(&format!("{line}\n"), 24)?;
    }
    Ok(())
}

/// Acknowledges the alert with this id, or all; returns how many there were.
fn acknowledge(context: &mut Context, alerts: &AlertMonitor, which: &str) -> Result<usize> {
    let id = match which {
        "all" => None,
        id => Some(id.parse().map_err(|_| {
            CliError::misuse("invalid alert ID")
                .hint("use `--acknowledge ID` or `--acknowledge all`")
        })?),
    };
    // Damage of the log is acknowledged in a record with a MAC; without the key it stays an
    // alert.
    let known = alerts.all()?;
    let of_the_log = id.is_none()
        || known
            .iter()
            .any(|a| a.kind == AlertKind::Chain && id == Some(a.id));
    let marked = of_the_log && context.audit().verify()?.first_bad.is_some();
    if marked {
        let why = match context.read_audit_key() {
            Ok(true) => None,
            Ok(false) => (context.audit().verify()?.signed > 0).then(no_audit_key),
            Err(error) => Some(diagnose(&error)),
        };
        if let Some(why) = why {
            bail!(why.context(CliExit::Key, "the audit log stays marked as damaged"));
        }
    }
    if let Some(id) = id.filter(|id| !known.iter().any(|a| a.id == *id)) {
        bail!(
            CliError::misuse(format!("there is no alert {id}"))
                .hint("list them with `chatbot audit alerts --all`")
        );
    }
    let seen = alerts.acknowledge(id)?;
    context.audit_event(
        &Event::new(EventKind::AlertAcknowledged)
            .number("alerts", seen)
            .flag("log", marked),
    );
    Ok(seen)
}
