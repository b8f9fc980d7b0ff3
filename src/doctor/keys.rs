//! Checks of the key store and of API keys: a real round trip, formats, age, validity, expiry and
//! the host that each key is bound to.

use crate::catalog;
use crate::doctor::examination::{Examination, KeyVariable};
use crate::doctor::outcome::{CheckOutcome, CheckStatus, counted};
use crate::fs;
use crate::keys::index::KeyIndex;
use crate::keys::warnings::KeyWarning;
use crate::keys::{KeyRecord, KeyStatus, Slot};
use crate::name::Name;

pub(super) fn store(examination: &Examination<'_>) -> CheckOutcome {
    let manager = match &examination.keys {
        Ok(manager) => manager,
        Err(outcome) => return outcome.clone(),
    };
    let chosen = match manager.selected_store() {
        Ok(chosen) => chosen,
        Err(error) => return CheckOutcome::fail(error.to_string(), "chatbot key list"),
    };
    let which = format!("{}, because {}", chosen.store.kind(), chosen.reason);
    // The round trip leaves traces, and a home that was never used gets none.
    let home = &examination.home;
    if !fs::exists(&KeyIndex::path_in(home)) && !fs::exists(&home.vault()) {
        return CheckOutcome::ok(format!("{which}; nothing is stored yet"));
    }
    match manager.round_trip() {
        Ok(()) => CheckOutcome::ok(format!(
            "{which}; a random text was written, read back and deleted"
        )),
        Err(error) => CheckOutcome::fail(
            format!("{which}, but a round trip failed: {error}"),
            "chatbot key list",
        ),
    }
}

pub(super) fn environment(examination: &Examination<'_>) -> CheckOutcome {
    let variables = &examination.key_variables;
    if variables.is_empty() {
        return CheckOutcome::ok("no key in the environment");
    }
    let problems: Vec<(&KeyVariable, String)> = variables
        .iter()
        .filter_map(|variable| Some((variable, format_problem(variable)?)))
        .collect();
    if let Some((first, _)) = problems.first() {
        let texts: Vec<String> = problems
            .iter()
            .map(|(variable, why)| format!("`{}` {why}", variable.variable))
            .collect();
        return CheckOutcome::fail(texts.join("; "), format!("unset {}", first.variable));
    }
    let names: Vec<String> = variables
        .iter()
        .map(|variable| format!("`{}`", variable.variable))
        .collect();
    CheckOutcome::ok(format!(
        "{} in the expected format: {}; every program started from here can read it",
        counted(variables.len(), "key"),
        names.join(", ")
    ))
}

/// What is wrong with the key in a variable, without the key.
fn format_problem(variable: &KeyVariable) -> Option<String> {
    let key = match &variable.key {
        Ok(key) => key,
        Err(why) => return Some(why.clone()),
    };
    let entry = catalog::find(variable.provider.as_ref()?.as_str())?;
    let wrong = entry.check_key(key.expose()).err()?;
    Some(format!("is not a key of {}: {wrong}", entry.title))
}

/// The stored API keys with their records.
fn records(examination: &Examination<'_>) -> Result<Vec<(Name, Name, KeyRecord)>, CheckOutcome> {
    let index = KeyIndex::read(&KeyIndex::path_in(&examination.home))
        .map_err(|error| CheckOutcome::fail(error.to_string(), "chatbot key list"))?;
    let records = index.iter().flat_map(KeyIndex::records);
    let records: Vec<_> = records
        .filter_map(|(slot, record)| match slot {
            Slot::ApiKey { provider, profile } => Some((provider, profile, record.clone())),
            _ => None,
        })
        .collect();
    if records.is_empty() {
        return Err(CheckOutcome::skip("no key is stored"));
    }
    Ok(records)
}

fn key_name(provider: &Name, profile: &Name) -> String {
    if profile.as_str() == "default" {
        format!("the key for {provider}")
    } else {
        format!("the key for {provider} (profile {profile})")
    }
}

fn options(provider: &Name, profile: &Name) -> String {
    if profile.as_str() == "default" {
        format!("--provider {provider}")
    } else {
        format!("--provider {provider} --profile {profile}")
    }
}

/// Goes through the stored keys: `judge` returns what is wrong with one, and the command that fixes
/// it. The outcome has the worst status and the first fix.
fn judge_all(
    examination: &Examination<'_>,
    healthy: &str,
    judge: impl Fn(&Name, &Name, &KeyRecord) -> Option<(CheckStatus, String, String)>,
) -> CheckOutcome {
    let records = match records(examination) {
        Ok(records) => records,
        Err(outcome) => return outcome,
    };
    let mut found: Vec<(CheckStatus, String, String)> = records
        .iter()
        .filter_map(|(provider, profile, record)| {
            let (status, what, fix) = judge(provider, profile, record)?;
            let fix = format!("{fix} {}", options(provider, profile));
            Some((
                status,
                format!("{} {what}", key_name(provider, profile)),
                fix,
            ))
        })
        .collect();
    found.sort_by_key(|(status, ..)| *status != CheckStatus::Fail);
    let Some((status, _, fix)) = found.first().cloned() else {
        return CheckOutcome::ok(format!("{}: {healthy}", counted(records.len(), "key")));
    };
    let texts: Vec<String> = found.into_iter().map(|(_, text, _)| text).collect();
    let texts = texts.join("; ");
    if status == CheckStatus::Fail {
        CheckOutcome::fail(texts, fix)
    } else {
        CheckOutcome::warn(texts, fix)
    }
}

pub(super) fn age(examination: &Examination<'_>) -> CheckOutcome {
    let settings = match &examination.settings {
        Ok(settings) => settings,
        Err(outcome) => return outcome.as_skip(),
    };
    let max = settings.keys.rotate_after_days;
    if max == 0 {
        return match records(examination) {
            Ok(_) => CheckOutcome::warn(
                "`keys.rotate_after_days` is 0: the age of keys is not watched",
                "chatbot config unset keys.rotate_after_days",
            ),
            Err(outcome) => outcome,
        };
    }
    let now = examination.clock.now();
    judge_all(
        examination,
        &format!("none is older than {max} days"),
        |_, _, record| {
            let warning = record
                .warnings(now, max)
                .into_iter()
                .find(|warning| matches!(warning, KeyWarning::Old { .. }));
            let KeyWarning::Old { days, max_days } = warning? else {
                return None;
            };
            Some((
                CheckStatus::Warn,
                format!("is {days} days old (limit: {max_days})"),
                String::from("chatbot key rotate"),
            ))
        },
    )
}

pub(super) fn validity(examination: &Examination<'_>) -> CheckOutcome {
    let validate = || String::from("chatbot key validate");
    judge_all(
        examination,
        "accepted by the provider",
        |_, _, record| match (record.status, record.last_validated) {
            (KeyStatus::Invalid, _) => Some((
                CheckStatus::Fail,
                String::from("was rejected by its provider"),
                String::from("chatbot key set"),
            )),
            (KeyStatus::Valid, Some(_)) => None,
            _ => Some((
                CheckStatus::Warn,
                String::from("was never accepted by its provider"),
                validate(),
            )),
        },
    )
}

pub(super) fn expiry(examination: &Examination<'_>) -> CheckOutcome {
    let now = examination.clock.now();
    judge_all(examination, "neither expired nor spent", |_, _, record| {
        let warning = record
            .warnings(now, 0)
            .into_iter()
            .find(|warning| !matches!(warning, KeyWarning::Invalid))?;
        let status = match warning {
            KeyWarning::Expired(_) => CheckStatus::Fail,
            _ => CheckStatus::Warn,
        };
        Some((
            status,
            warning.to_string(),
            String::from("chatbot key rotate"),
        ))
    })
}

pub(super) fn host(examination: &Examination<'_>) -> CheckOutcome {
    judge_all(
        examination,
        "bound to the host of its provider, or to none yet",
        |provider, _, record| {
            let bound = record.host.as_ref()?;
            let now = examination.hosts.get(provider)?;
            (bound != now).then(|| {
                (
                    CheckStatus::Fail,
                    format!(
                        "is bound to `{bound}`, but `{provider}` is at `{now}`: it is not sent"
                    ),
                    String::from("chatbot key set"),
                )
            })
        },
    )
}
