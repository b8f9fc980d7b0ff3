//! `incident notice`: the texts for those who have to know, with what this installation knows filled
//! in.

use super::assess::run_assessment;
use super::audit_incident;
use crate::audit::Severity;
use crate::cli::context::Context;
use crate::privacy::Raw;
use anyhow::Result;
use clap::{Args, ValueEnum};

const PEOPLE: &str = include_str!("notices/people.md");
const PROVIDER: &str = include_str!("notices/provider.md");
const EMPLOYER: &str = include_str!("notices/employer.md");
const CHECKLIST: &str = include_str!("notices/checklist.md");

/// Print the texts to send after an incident, to be completed by you
///
/// What this machine knows is filled in: dates, numbers and kinds of data. What only you know is in
/// angle brackets. The checklist follows Articles 33 and 34 of the GDPR; it is not legal advice.
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentNoticeArgs {
    /// Print only one text: people, provider, employer or checklist
    #[arg(value_enum, hide_possible_values = true, value_name = "TEXT")]
    text: Option<NoticeText>,
    /// Assess only this period: 12h, 7d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
}

/// A text, by who receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NoticeText {
    People,
    Provider,
    Employer,
    Checklist,
}

const TEXTS: [(NoticeText, &str); 4] = [
    (NoticeText::Checklist, CHECKLIST),
    (NoticeText::Employer, EMPLOYER),
    (NoticeText::Provider, PROVIDER),
    (NoticeText::People, PEOPLE),
];

pub(super) fn run(context: &mut Context, options: &IncidentNoticeArgs) -> Result<()> {
    let found = run_assessment(context, options.since.as_deref())?;
    audit_incident(context, "notice", Severity::Notice);
    let now = context.clock.now();
    let since = found.since.map_or_else(
        || "the first use".to_owned(),
        crate::time::Time::local_minute,
    );
    let join = |parts: Vec<String>, none: &str| {
        if parts.is_empty() {
            none.to_owned()
        } else {
            parts.join(", ")
        }
    };
    let kinds = found.values.iter().map(|(kind, n)| format!("{kind} ×{n}"));
    let providers = found.requests.keys().map(ToString::to_string);
    let contact = context.settings()?.incident.contact.clone();
    let values = [
        ("{today}", now.local_minute()),
        ("{since}", since),
        ("{conversations}", found.changed.to_string()),
        ("{messages}", found.messages.to_string()),
        (
            "{kinds}",
            join(kinds.collect(), "none that today's rules find"),
        ),
        ("{providers}", join(providers.collect(), "no provider")),
        (
            "{contact}",
            contact.unwrap_or_else(|| "<your name and how you can be reached>".to_owned()),
        ),
    ];
    let mut out = String::new();
    for (text, template) in TEXTS {
        if options.text.is_none_or(|only| only == text) {
            let filled = values
                .iter()
                .fold(template.to_owned(), |text, (name, value)| {
                    text.replace(name, value)
                });
            if !out.is_empty() {
                out.push_str("\n---\n\n");
            }
            out.push_str(&filled);
        }
    }
    context.ui.out(&Raw::from(out).printable())
}
