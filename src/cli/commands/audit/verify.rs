//! `audit verify`: checks the chain of the audit log, and its MACs if the key store has their key.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::rollback;
use crate::cli::state_marks::When;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

/// Check that no record was changed, removed, inserted or cut off
#[derive(Clone, Debug, Args)]
pub(super) struct AuditVerifyArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &AuditVerifyArgs) -> Result<()> {
    verify_log(context, options.json)
}

/// Verifies the log. The MACs are checked if the key store has the key; without it, a log with MACs
/// is not reported as intact.
pub(crate) fn verify_log(context: &mut Context, as_json: bool) -> Result<()> {
    let key = context.read_audit_key();
    let keyed = matches!(key, Ok(true));
    if keyed {
        rollback::compare_with_marks(context, When::Now);
    }
    let report = context.audit().verify()?;
    let event = Event::new(EventKind::Verified)
        .number("records", report.records)
        .flag("keyed", keyed);
    context.audit_event(&match report.first_bad {
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
        context.ui.json(&object)?;
    } else {
        let found = match report.first_bad {
            Some((seq, why)) => format!("; record {seq} is damaged: {why}"),
            None if unchecked => {
                ": the hash chain is intact, but the MACs were not checked, and anyone could have written such a chain".to_owned()
            }
            None => ": no changes found".to_owned(),
        };
        context
            .ui
            .say(&format!("{} records, {with}{found}\n", report.records), 2)?;
        if !keyed && !unchecked && report.records > 0 {
            context.ui.notice(
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

pub(super) fn no_audit_key() -> CliError {
    CliError::new(
        CliExit::Key,
        "no_audit_key",
        "the key store has no key for this audit log",
    )
    .hint(
        "check `CHATBOT_KEYRING` and `keys.store`: the key store was cleared, or it is another one",
    )
}
