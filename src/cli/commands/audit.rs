//! `audit`: lists the records of the audit log, verifies it, and lists alerts.

use crate::audit::alerts::AlertKind;
use crate::audit::record::AuditRecord;
use crate::audit::{Event, EventKind, Severity};
use crate::cli::app::App;
use crate::cli::args::parse_since;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::state_marks::When;
use crate::cli::term::Style;
use crate::config::closest_name;
use crate::privacy::{Displayable, Raw};
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::collections::VecDeque;

/// Show the audit log: keys, refusals, limits, requests
///
/// The log holds numbers and names, never keys and never the text of a conversation.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    list: AuditListArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    /// List records, oldest first
    List(AuditListArgs),
    /// Check that no record was changed, removed, inserted or cut off
    Verify(AuditVerifyArgs),
    /// List alerts about unusual events, and acknowledge them
    Alerts(AuditAlertsArgs),
}

#[derive(Clone, Debug, Args)]
struct AuditListArgs {
    /// Show only records newer than this age or date: 90s, 30m, 12h, 7d, 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Show only events whose name starts with this, such as `key` or `limit.reached`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Show only records of at least this severity: info, notice, warning or critical
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true)]
    severity: Option<MinSeverity>,
    /// Show at most this many records, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output one JSON record per line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct AuditVerifyArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct AuditAlertsArgs {
    /// Acknowledge the alert with this ID, or `all`
    #[arg(long, value_name = "ID")]
    acknowledge: Option<String>,
    /// Include acknowledged alerts
    #[arg(long)]
    all: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum MinSeverity {
    Info,
    Notice,
    Warning,
    Critical,
}

pub(crate) fn run(app: &mut App, options: &AuditArgs) -> Result<()> {
    match &options.command {
        Some(AuditCommand::List(options)) => list(app, options),
        Some(AuditCommand::Verify(options)) => verify(app, options.json),
        Some(AuditCommand::Alerts(options)) => alerts(app, options),
        None => list(app, &options.list),
    }
}

fn list(app: &App, list: &AuditListArgs) -> Result<()> {
    let since = list
        .since
        .as_deref()
        .map(|s| parse_since(s, app.clock.now()))
        .transpose()?;
    if let Some(event) = &list.event
        && !EventKind::NAMES
            .iter()
            .any(|name| name.starts_with(event.as_str()))
    {
        let hint = closest_name(event, EventKind::NAMES.iter().copied()).map_or_else(
            || format!("known events: {}", EventKind::NAMES.join(", ")),
            |n| format!("did you mean `{n}`?"),
        );
        bail!(
            CliError::misuse(format!(
                "unknown event `{}`",
                Raw::from(event.as_str()).printable()
            ))
            .hint(hint)
        );
    }
    let most = list.limit.unwrap_or(usize::MAX);
    let mut lines: VecDeque<Displayable> = VecDeque::new();
    let unreadable = app.audit().read(|record, line| {
        let matters = list.severity.is_none_or(|least| {
            MinSeverity::from_str(&record.severity, true).is_ok_and(|s| s >= least)
        });
        let named = list
            .event
            .as_ref()
            .is_none_or(|e| record.event.starts_with(e.as_str()));
        if matters && named && since.is_none_or(|s| record.at >= s) {
            lines.push_back(if list.json {
                Displayable::json_text(line)
            } else {
                format_record(app, &record)
            });
            if lines.len() > most {
                lines.pop_front();
            }
        }
    })?;
    if unreadable > 0 {
        let lines = if unreadable == 1 {
            "1 line is not a record".to_owned()
        } else {
            format!("{unreadable} lines are not records")
        };
        app.ui
            .warning(&format!("{lines}; `chatbot audit verify` shows which"));
    }
    if lines.is_empty() && !list.json {
        app.ui.notice("no matching records");
    }
    for line in lines {
        if list.json {
            app.ui.out(line + "\n")?;
        } else {
            app.ui.say(line + "\n", 18)?;
        }
    }
    Ok(())
}

fn format_record(app: &App, record: &AuditRecord) -> Displayable {
    let event = Displayable::line(&format!("{:<20}", record.event));
    let event = match record.severity.as_str() {
        "warning" => app.ui.paint(Style::Yellow, event),
        "critical" => app.ui.paint(Style::Red, event),
        _ => event,
    };
    let details: Vec<String> = record
        .details
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            )
        })
        .collect();
    // The log is a plain file: other programs can write control characters into it.
    let details = Displayable::line(&details.join(" "));
    (Displayable::from(record.at.local_minute()) + "  " + event + "  " + details).trim_end()
}

/// Verifies the log. The MACs are checked if the key store has the key; without it, a log with MACs
/// is not reported as intact.
pub(crate) fn verify(app: &mut App, as_json: bool) -> Result<()> {
    let key = app.read_audit_key();
    let keyed = matches!(key, Ok(true));
    if keyed {
        app.compare_with_marks(When::Now);
    }
    let report = app.audit().verify()?;
    let event = Event::new(EventKind::Verified)
        .number("records", report.records)
        .flag("keyed", keyed);
    app.audit_event(&match report.first_bad {
        None => event,
        Some((seq, _)) => event.severity(Severity::Critical).number("first_bad", seq),
    });
    let unchecked = !keyed && report.signed > 0;
    let with = match (keyed, report.signed) {
        (true, _) => format!("{} of them with a MAC", report.keyed),
        (false, 0) => "none of them with a MAC".to_owned(),
        (false, many) => format!("{many} of them with a MAC whose key is not available"),
    };
    let ok = report.first_bad.is_none() && !unchecked;
    if as_json {
        let (first_bad, why) = report
            .first_bad
            .map_or((None, None), |(seq, why)| (Some(seq), Some(why)));
        let why = why.or(unchecked.then_some("the MACs were not checked"));
        let object = json!({ "schema_version": 1, "records": report.records, "ok": ok, "first_bad": first_bad, "reason": why, "with_key": keyed, "keyed": report.keyed });
        app.ui.json(&object)?;
    } else {
        let found = match report.first_bad {
            Some((seq, why)) => format!("; record {seq} is damaged: {why}"),
            None if unchecked => {
                ": the hash chain is intact, but the MACs were not checked, and anyone could have written such a chain".to_owned()
            }
            None => ": no changes found".to_owned(),
        };
        app.ui
            .say(&format!("{} records, {with}{found}\n", report.records), 2)?;
        if !keyed && !unchecked && report.records > 0 {
            app.ui.notice(
                "no record has a MAC: anyone who can write the file could have made this chain",
            );
        }
    }
    if report.first_bad.is_some() {
        bail!(SilentExit(CliExit::Findings))
    }
    if unchecked {
        let problem = key
            .err()
            .map_or_else(no_audit_key, |error| diagnose(&error));
        bail!(problem.context(CliExit::Key, "the MACs of the audit log were not checked"));
    }
    Ok(())
}

fn no_audit_key() -> CliError {
    CliError::new(
        CliExit::Key,
        "no_audit_key",
        "the key store has no key for this audit log",
    )
    .hint(
        "check `CHATBOT_KEYRING` and `keys.store`: the key store was cleared, or it is another one",
    )
}

fn alerts(app: &mut App, options: &AuditAlertsArgs) -> Result<()> {
    let alerts = app.alerts();
    if let Some(which) = &options.acknowledge {
        let id = match which.as_str() {
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
        let marked = of_the_log && app.audit().verify()?.first_bad.is_some();
        if marked {
            let why = match app.read_audit_key() {
                Ok(true) => None,
                Ok(false) => (app.audit().verify()?.signed > 0).then(no_audit_key),
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
        app.audit_event(
            &Event::new(EventKind::AlertAcknowledged)
                .number("alerts", seen)
                .flag("log", marked),
        );
        if !options.json {
            return app.ui.out(&format!("{seen} acknowledged\n"));
        }
    }
    let mut list = alerts.all()?;
    list.retain(|a| options.all || !a.acknowledged);
    if options.json {
        let list: Vec<_> = list
            .iter()
            .map(|a| json!({ "id": a.id, "at": a.at, "kind": a.kind, "summary": a.describe(), "figure": a.figure, "acknowledged": a.acknowledged }))
            .collect();
        return app.ui.json(&json!({ "schema_version": 1, "alerts": list }));
    }
    if list.is_empty() {
        app.ui.notice("no alerts");
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
        app.ui.say(&format!("{line}\n"), 24)?;
    }
    Ok(())
}
