//! Alerts: unusual events are printed once and passed to the user's own command.

use crate::audit::alerts::{Alert, AlertMonitor, FileScope, Observation};
use crate::audit::{Event, EventKind, Label, Severity};
use crate::cli::context::Context;
use crate::cli::lockdown;
use crate::cli::term::Style;
use crate::fs;
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::privacy::{Displayable, Raw};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

pub(crate) fn monitor(context: &Context) -> AlertMonitor {
    AlertMonitor::new(context.home.state(), context.audit(), context.clock.clone())
}

/// An alert as `audit alerts --json` lists it.
pub(crate) fn as_json(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "at": alert.at,
        "kind": alert.kind,
        "severity": alert.kind.severity(),
        "summary": alert.describe(),
        "figure": alert.figure,
        "paths": alert.paths,
        "acknowledged": alert.acknowledged,
    })
}

/// Checks for alerts, prints each new one on a line and passes it to `alerts.command`. A
/// failure here never stops a command.
pub(crate) fn check(context: &mut Context) {
    let is_shown = context.ui.notices();
    scan(context, is_shown);
}

/// Checks for alerts and passes each new one to `alerts.command`. The next [`check`] prints them.
pub(crate) fn check_unseen(context: &mut Context) {
    scan(context, false);
}

fn scan(context: &mut Context, is_shown: bool) {
    // A home without a log has never been used: nothing to check, and nothing is created for
    // the check.
    if !fs::exists(context.audit().path()) {
        return;
    }
    match monitor(context).scan(is_shown, |walk| observations(context, walk)) {
        Ok(found) => {
            show(context, &found.to_show);
            report(context, &found.new_alerts);
            if lock_down(context, &found.new_alerts) {
                // The lockdown is an alert too, and the next command may come late or never.
                let more = monitor(context).scan(false, |_| Vec::new());
                report(context, &more.unwrap_or_default().new_alerts);
            }
        }
        Err(error) => context
            .ui
            .warning(&format!("cannot check for alerts: {error}")),
    }
}

fn report(context: &mut Context, alerts: &[Alert]) {
    for alert in alerts {
        run_command(context, alert);
    }
}

/// Starts a lockdown if the settings say so and an alert is critical. Returns whether it began.
fn lock_down(context: &mut Context, alerts: &[Alert]) -> bool {
    let Some(alert) = alerts
        .iter()
        .find(|alert| alert.kind.severity() == Severity::Critical)
    else {
        return false;
    };
    if !context
        .settings()
        .is_ok_and(|settings| settings.alerts.lockdown)
        || context.lockdown().check().is_err()
    {
        return false;
    }
    let reason = alert.describe();
    let line = match lockdown::begin(context, Some(&reason), true) {
        Ok(_) => format!(
            "chatbot: a lockdown began by itself: {reason}; nothing is sent and no key is revealed until `chatbot incident release`"
        ),
        Err(error) => format!("chatbot: cannot start a lockdown by itself: {error}; {reason}"),
    };
    // Scripts have to see it as well.
    context.ui.error_line(Displayable::line(&line));
    true
}

fn show(context: &Context, alerts: &[Alert]) {
    let line = |text: &str| {
        context
            .ui
            .error_line(context.ui.paint(Style::Red, "alert:") + " " + Displayable::line(text));
    };
    for alert in alerts.iter().take(3) {
        line(&format!(
            "{}; `chatbot audit alerts` lists it",
            alert.describe()
        ));
    }
    if let Some(more) = alerts.len().checked_sub(3).filter(|more| *more > 0) {
        line(&format!(
            "and {more} more; `chatbot audit alerts` lists them"
        ));
    }
}

fn run_command(context: &mut Context, alert: &Alert) {
    let event = Event::new(EventKind::AlertRaised)
        .severity(alert.kind.severity())
        .word("kind", alert.kind.name());
    context.audit_event(&event.number("id", alert.id).number("figure", alert.figure));
    let Ok(settings) = context.settings() else {
        return;
    };
    let Some((program, arguments)) = settings.alerts.command.split_first() else {
        return;
    };
    let object = json!({
        "schema_version": 1,
        "alert": { "id": alert.id, "at": alert.at, "kind": alert.kind, "severity": alert.kind.severity(), "summary": alert.describe(), "figure": alert.figure, "paths": alert.paths },
    });
    let mut command = context.env.command(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let passed = command
        .spawn()
        .and_then(|mut child| match child.stdin.take() {
            // The process is not waited for: it must not delay the chat.
            Some(mut pipe) => pipe.write_all(format!("{object}\n").as_bytes()),
            None => Ok(()),
        });
    if let Err(error) = passed {
        let program = Raw::from(program.as_str()).printable();
        context.ui.warning(&format!(
            "cannot pass the alert to `{program}` of `alerts.command`: {error}"
        ));
        context.audit_event(
            &Event::new(EventKind::AlertRaised)
                .severity(Severity::Warning)
                .word("action", "run_command")
                .word("outcome", "failed")
                .number("id", alert.id),
        );
    }
}

/// Facts about the current state. `walk` adds the permissions of each conversation and each
/// backup, which takes longer.
fn observations(context: &Context, walk: bool) -> Vec<Observation> {
    let home = &context.home;
    let folders = [
        home.state().to_path_buf(),
        home.data().to_path_buf(),
        home.conversations(),
        home.backups(),
    ];
    let state =
        ["audit.head", "alerts.json", "tally", "requests"].map(|name| home.state().join(name));
    let files = [
        home.vault(),
        KeyIndex::path_in(home),
        context.audit().path().to_path_buf(),
        context.usage().path().clone(),
    ];
    let open = |mut paths: Vec<PathBuf>| {
        paths.retain(|path| fs::is_open_to_others(path));
        paths
    };
    let mut facts = vec![Observation::TooPermissive {
        among: FileScope::Core,
        files: open([&folders[..], &files, &state].concat()),
    }];
    if walk {
        let inside = |folder: PathBuf| {
            fs::list(&folder)
                .unwrap_or_default()
                .into_iter()
                .map(move |file| folder.join(file.name))
        };
        let kept: Vec<PathBuf> = inside(home.conversations())
            .chain(inside(home.backups()))
            .collect();
        facts.push(Observation::TooPermissive {
            among: FileScope::All,
            files: open(kept),
        });
    }
    if let Ok(Some(index)) = KeyIndex::read(&KeyIndex::path_in(home)) {
        facts.extend(
            index
                .records()
                .filter(|(slot, _)| matches!(slot, Slot::ApiKey { .. }))
                .filter_map(|(slot, record)| {
                    let at = record.expires_at?;
                    let soon = context
                        .clock
                        .now()
                        .saturating_add(std::time::Duration::from_secs(8 * 86_400));
                    (at < soon).then(|| Observation::KeyExpires {
                        key: Label::new(&slot.to_string()),
                        at,
                    })
                }),
        );
    }
    facts
}
