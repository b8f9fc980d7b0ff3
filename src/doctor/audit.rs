//! Checks of the audit log: its chain, whether it can be written, and alerts.

use crate::audit::log::Error;
use crate::audit::{Event, EventKind, Severity};
use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, counted};
use crate::fs;

const NO_LOG: &str = "there is no audit log yet";

pub(super) fn chain(examination: &Examination<'_>) -> CheckOutcome {
    if !fs::exists(examination.audit.path()) {
        return CheckOutcome::skip(NO_LOG);
    }
    let verify = "chatbot audit verify";
    let report = match examination.audit.verify() {
        Ok(report) => report,
        Err(error) => return CheckOutcome::fail(error.to_string(), verify),
    };
    if let Some((seq, why)) = report.first_bad {
        return CheckOutcome::fail(format!("record {seq} is damaged: {why}"), verify);
    }
    let records = counted(
        usize::try_from(report.records).unwrap_or(usize::MAX),
        "record",
    );
    match &examination.has_audit_key {
        Ok(true) => CheckOutcome::ok(format!(
            "{records} unchanged, {} of them with a MAC",
            report.keyed
        )),
        _ if report.signed == 0 => {
            CheckOutcome::ok(format!("{records} unchanged, none of them with a MAC"))
        }
        Ok(false) => CheckOutcome::fail(
            "the key store has no key for this audit log: its MACs cannot be checked",
            verify,
        ),
        Err(outcome) => CheckOutcome::skip(format!(
            "the hash chain of {records} is intact, but the MACs were not checked: {}",
            outcome.summary
        )),
    }
}

/// Records that the log was verified, as `audit verify` does.
pub(super) fn writable(examination: &Examination<'_>) -> CheckOutcome {
    let audit = &examination.audit;
    if !fs::exists(audit.path()) {
        return CheckOutcome::skip(NO_LOG);
    }
    let cannot_write = |error: Error| {
        CheckOutcome::fail(
            format!("no record can be written: {error}"),
            "chatbot doctor --fix",
        )
    };
    let report = match audit.verify() {
        Ok(report) => report,
        Err(error) => return cannot_write(error),
    };
    let keyed = matches!(examination.has_audit_key, Ok(true));
    let event = Event::new(EventKind::Verified)
        .number("records", report.records)
        .flag("keyed", keyed);
    let event = match report.first_bad {
        None => event,
        Some((seq, _)) => event.severity(Severity::Critical).number("first_bad", seq),
    };
    match audit.append(&event) {
        Err(error) => cannot_write(error),
        Ok(()) if !audit.is_required() => CheckOutcome::warn(
            "a record was written, but `audit = \"best-effort\"` also sends what cannot be recorded",
            "chatbot config unset audit",
        ),
        Ok(()) => CheckOutcome::ok("a record was written"),
    }
}

pub(super) fn alerts(examination: &Examination<'_>) -> CheckOutcome {
    let mut open = match examination.alerts.all() {
        Ok(alerts) => alerts,
        Err(error) => return CheckOutcome::fail(error.to_string(), "chatbot audit alerts"),
    };
    open.retain(|alert| !alert.acknowledged);
    let Some(newest) = open.last() else {
        return CheckOutcome::ok("no alert is open");
    };
    let summary = format!(
        "{} not acknowledged, the last one: {}",
        counted(open.len(), "alert"),
        newest.describe()
    );
    if open
        .iter()
        .any(|alert| alert.kind.severity() == Severity::Critical)
    {
        CheckOutcome::fail(summary, "chatbot audit alerts")
    } else {
        CheckOutcome::warn(summary, "chatbot audit alerts")
    }
}
