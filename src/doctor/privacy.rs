//! Checks of the settings and of what they let pass: redaction with a real value, what is sent to
//! whom, and the debug log.

use crate::crypto::encoding::hex;
use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, counted, list_some};
use crate::privacy::input_check::Suspicious;
use crate::privacy::{Placeholders, Raw};

/// More mistakes are not listed in one sentence.
const MAX_MISTAKES: usize = 4;

pub(super) fn settings_file(examination: &Examination<'_>) -> CheckOutcome {
    let mistakes = &examination.mistakes;
    if mistakes.is_empty() {
        return CheckOutcome::ok("no mistakes in the settings and the environment");
    }
    let summary = list_some(mistakes, MAX_MISTAKES);
    match &examination.settings {
        Ok(_) => CheckOutcome::warn(summary, "chatbot config check"),
        Err(_) => CheckOutcome::fail(summary, "chatbot config edit"),
    }
}

pub(super) fn redaction(examination: &Examination<'_>) -> CheckOutcome {
    let policy = match &examination.settings {
        Ok(settings) => &settings.privacy.policy,
        Err(outcome) => return outcome.as_skip(),
    };
    if policy.off {
        return CheckOutcome::fail(
            "redaction is off: messages are sent and saved as they are typed",
            "chatbot config set privacy.redact true",
        );
    }
    if !policy.disable.is_empty() {
        return CheckOutcome::warn(
            format!("not redacted: {}", policy.disable.join(", ")),
            "chatbot config unset privacy.disable",
        );
    }
    let redactor = match &examination.redactor {
        Ok(redactor) => redactor,
        Err(outcome) => return outcome.as_skip(),
    };
    let Ok(random) = crate::crypto::aead::random_bytes::<32>() else {
        return CheckOutcome::skip("the operating system provides no random numbers");
    };
    let key = format!("sk-or-v1-{}", hex(&random));
    let sentence = format!("my key is {key}, write to jo.canary@initech.com");
    let (redacted, _) = redactor.redact(Raw::from(sentence), &mut Placeholders::default());
    let passed: Vec<&str> = [(key.as_str(), "a key"), ("jo.canary@", "an e-mail address")]
        .into_iter()
        .filter(|(value, _)| redacted.as_str().contains(value))
        .map(|(_, what)| what)
        .collect();
    if !passed.is_empty() {
        return CheckOutcome::fail(
            format!("{} passes unredacted", passed.join(" and ")),
            "chatbot config unset privacy.allow",
        );
    }
    let exceptions = match policy.allow.len() {
        0 => String::new(),
        count => format!("; {}", counted(count, "exception")),
    };
    CheckOutcome::ok(format!(
        "on: a random key and an e-mail address were replaced{exceptions}"
    ))
}

pub(super) fn sending(examination: &Examination<'_>) -> CheckOutcome {
    let privacy = match &examination.settings {
        Ok(settings) => &settings.privacy,
        Err(outcome) => return outcome.as_skip(),
    };
    let loosened: Vec<(&str, &str)> = [
        (
            !privacy.deny_collection,
            "providers that store or train on messages are allowed",
            "privacy.data_collection",
        ),
        (
            privacy.suspicious == Suspicious::Off,
            "suspicious text is not checked",
            "privacy.suspicious",
        ),
    ]
    .into_iter()
    .filter(|(is_loose, ..)| *is_loose)
    .map(|(_, what, setting)| (what, setting))
    .collect();
    if let Some((_, setting)) = loosened.first() {
        let texts: Vec<&str> = loosened.iter().map(|(what, _)| *what).collect();
        return CheckOutcome::warn(texts.join("; "), format!("chatbot config unset {setting}"));
    }
    let retention = match privacy.retention_days {
        0 => String::from("conversations are kept until you delete them"),
        days => format!("conversations are kept for {days} days"),
    };
    let routing = if privacy.zdr {
        "only endpoints with zero data retention"
    } else {
        "no providers that store or train on messages"
    };
    CheckOutcome::ok(format!("{routing}; {retention}"))
}

pub(super) fn debug_log(examination: &Examination<'_>) -> CheckOutcome {
    match &examination.debug_log {
        None => CheckOutcome::ok("off"),
        Some(target) => CheckOutcome::warn(format!("on, {target}"), "unset CHATBOT_LOG"),
    }
}
