//! `incident key-leaked`: what to do on the day a key got out, with the facts of this installation.

use super::audit_incident;
use crate::audit::Severity;
use crate::catalog;
use crate::cli::commands::key;
use crate::cli::context::Context;
use crate::cli::provider;
use crate::cli::term::Style;
use crate::cli::term::format::{format_dollars, pluralize};
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::name::Name;
use crate::privacy::Displayable;
use crate::time::Time;
use crate::usage::{UsageLog, UsageTotals};
use anyhow::Result;
use clap::Args;
use serde_json::json;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Show what to do now that a key got out, step by step, with the facts of this machine
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentKeyLeakedArgs {
    /// The provider of the key; the default one if omitted
    #[arg(short, long, value_name = "NAME")]
    provider: Option<Name>,
    /// The profile of the key
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// What is known about the key.
struct LeakedKey {
    provider: Name,
    profile: Name,
    fingerprint: Option<String>,
    stored_at: Option<String>,
    page: Option<&'static str>,
    /// What this program did with it in the last day and week.
    day: UsageTotals,
    week: UsageTotals,
}

pub(super) fn run(context: &mut Context, options: &IncidentKeyLeakedArgs) -> Result<()> {
    let (provider, profile) =
        provider::resolve(context, options.provider.as_ref(), options.profile.as_ref())?;
    let leaked = examine(context, provider, profile)?;
    audit_incident(context, "key_leaked", Severity::Warning);
    if options.json {
        let totals = |totals: &UsageTotals| json!({ "requests": totals.requests, "nano_dollars": totals.nanos });
        return context.ui.json(&json!({
            "schema_version": 1,
            "provider": leaked.provider.as_str(),
            "profile": leaked.profile.as_str(),
            "fingerprint": leaked.fingerprint,
            "stored_at": leaked.stored_at,
            "key_page": leaked.page,
            "last_day": totals(&leaked.day),
            "last_week": totals(&leaked.week),
            "steps": steps(&leaked).iter().map(|(what, how)| json!({ "what": what, "how": how })).collect::<Vec<_>>(),
        }));
    }
    let text = format_page(context, &leaked);
    context.ui.say(text, 4)
}

fn examine(context: &mut Context, provider: Name, profile: Name) -> Result<LeakedKey> {
    let slot = Slot::ApiKey {
        provider: provider.clone(),
        profile: profile.clone(),
    };
    let index = key::load_full_index(context)
        .or_else(|_| anyhow::Ok(KeyIndex::read(&KeyIndex::path_in(&context.home))?))?;
    let record = index
        .as_ref()
        .and_then(|index| index.records().find(|(known, _)| *known == slot))
        .map(|(_, record)| record);
    let now = context.clock.now();
    let (mut day, mut week) = (UsageTotals::default(), UsageTotals::default());
    let usage = UsageLog::new(context.home.state());
    usage.read(Time::from_millis(now.millis() - 7 * DAY_MS), |entry| {
        if entry.provider == provider.as_str() && entry.profile == profile.as_str() {
            week.add(&entry);
            if entry.at.millis() >= now.millis() - DAY_MS {
                day.add(&entry);
            }
        }
    })?;
    Ok(LeakedKey {
        fingerprint: record.map(|record| record.fingerprint.clone()),
        stored_at: record.map(|record| record.updated_at.local_minute()),
        page: catalog::find(provider.as_str()).map(|known| known.key_page),
        provider,
        profile,
        day,
        week,
    })
}

/// What to do, in this order, and how.
fn steps(leaked: &LeakedKey) -> Vec<(&'static str, String)> {
    let chosen = format!(
        "--provider {} --profile {}",
        leaked.provider, leaked.profile
    );
    let page = leaked.page.unwrap_or("the key page of your provider");
    vec![
        (
            "Revoke the key at the provider: a key that still works costs money by the minute",
            page.to_owned(),
        ),
        (
            "Save its replacement; this asks for the new key and checks it before the old one goes",
            format!("chatbot key rotate {chosen}"),
        ),
        (
            "Compare the provider's activity with what this program sent: the rest was someone else",
            "chatbot usage --by day --since 30d".to_owned(),
        ),
        (
            "Find out where it got out: transcripts of other tools, shell histories, files",
            "chatbot scan".to_owned(),
        ),
        (
            "Check that nothing on this machine gives away the next one",
            "chatbot doctor".to_owned(),
        ),
        (
            "Save the evidence, if someone else has to know",
            "chatbot incident report".to_owned(),
        ),
        ("Tell them", "chatbot incident notice".to_owned()),
    ]
}

fn format_page(context: &Context, leaked: &LeakedKey) -> Displayable {
    let ui = context.ui;
    let title = format!(
        "The key for {} ({}) got out",
        leaked.provider, leaked.profile
    );
    let mut out = ui.paint(Style::Bold, &title) + "\n\n";
    let known = match (&leaked.fingerprint, &leaked.stored_at) {
        (Some(fingerprint), Some(at)) => format!("fingerprint {fingerprint}, saved {at}"),
        _ => "it is not stored here".to_owned(),
    };
    let sent = |totals: &UsageTotals| {
        format!(
            "{}, {}",
            pluralize(
                usize::try_from(totals.requests).unwrap_or(usize::MAX),
                "request"
            ),
            format_dollars(totals.nanos)
        )
    };
    out += format!("key        {known}\n");
    out += format!("last day   {} from this machine\n", sent(&leaked.day));
    out += format!("last week  {} from this machine\n\n", sent(&leaked.week));
    for (n, (what, how)) in steps(leaked).iter().enumerate() {
        out += format!("{}. {what}:\n", n + 1);
        out = out + "   " + ui.paint(Style::Bold, how.as_str()) + "\n";
    }
    out + "\n`chatbot incident lockdown` stops everything that leaves this machine until you know more.\n"
}
