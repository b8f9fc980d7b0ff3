//! Checks of the limits on requests and spending: what is in force, and what was loosened.

use crate::config::{LimitSettings, Settings};
use crate::doctor::examination::Examination;
use crate::doctor::outcome::CheckOutcome;

/// The limits with their names in the settings.
fn named(limits: LimitSettings) -> [(&'static str, u64); 5] {
    [
        ("requests_per_minute", u64::from(limits.requests_per_minute)),
        ("requests_per_hour", u64::from(limits.requests_per_hour)),
        ("max_message_chars", limits.max_message_chars as u64),
        ("max_attachment_bytes", limits.max_attachment_bytes),
        ("max_messages", limits.max_messages as u64),
    ]
}

pub(super) fn requests(examination: &Examination<'_>) -> CheckOutcome {
    let limits = match &examination.settings {
        Ok(settings) => settings.limits,
        Err(outcome) => return outcome.as_skip(),
    };
    let defaults = named(Settings::default().limits);
    let loosened: Vec<(&str, String)> = named(limits)
        .into_iter()
        .zip(defaults)
        .filter(|((_, value), (_, default))| value > default)
        .map(|((name, value), (_, default))| {
            (
                name,
                format!("`limits.{name}` is {value} (default: {default})"),
            )
        })
        .collect();
    let Some((first, _)) = loosened.first() else {
        return CheckOutcome::ok(format!(
            "{} requests a minute, {} an hour; {} characters a message",
            limits.requests_per_minute, limits.requests_per_hour, limits.max_message_chars
        ));
    };
    let texts: Vec<&str> = loosened.iter().map(|(_, text)| text.as_str()).collect();
    CheckOutcome::warn(
        texts.join("; "),
        format!("chatbot config unset limits.{first}"),
    )
}

pub(super) fn budget(examination: &Examination<'_>) -> CheckOutcome {
    let budget = match &examination.settings {
        Ok(settings) => settings.budget,
        Err(outcome) => return outcome.as_skip(),
    };
    let dollars = |nanos: i64| {
        format!(
            "${}.{:02}",
            nanos / 1_000_000_000,
            nanos % 1_000_000_000 / 10_000_000
        )
    };
    let set: Vec<String> = [
        ("a day", budget.per_day),
        ("a month", budget.per_month),
        ("a conversation", budget.per_conversation),
    ]
    .into_iter()
    .filter_map(|(span, limit)| Some(format!("{} {span}", dollars(limit?))))
    .collect();
    if set.is_empty() {
        return CheckOutcome::ok("no budget is set: only the provider limits what is spent");
    }
    if budget.allow_unknown_price {
        return CheckOutcome::warn(
            format!(
                "{}, but `budget.unknown_price` lets models pass whose price is unknown",
                set.join(", ")
            ),
            "chatbot config unset budget.unknown_price",
        );
    }
    CheckOutcome::ok(set.join(", "))
}
