//! What `usage` shows: limits, budgets and totals, gathered once.

use super::violations::Violations;
use crate::audit::record::AuditRecord;
use crate::cli::args::parse_since;
use crate::cli::context::Context;
use crate::cli::term::format::{json_dollars, pluralize};
use crate::limits::WindowUsage;
use crate::time::Time;
use crate::usage::budget::{BudgetStatus, SessionSpend};
use crate::usage::performance::Performance;
use crate::usage::{UsageEntry, UsageTotals};
use anyhow::Result;
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum GroupBy {
    /// Day
    #[default]
    Day,
    /// Hour of the day
    Hour,
    /// Day of the week
    Weekday,
    /// Model
    Model,
    /// Provider
    Provider,
    /// Profile
    Profile,
}

impl GroupBy {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Profile => "profile",
        }
    }

    /// The group of a request; `None` if its record does not name it.
    fn key_of(self, request: &RecordedRequest<'_>, days: &mut DayNames) -> Option<GroupKey> {
        let name = match self {
            Self::Day => days.name(request.at),
            Self::Hour => request.at.local_hour(),
            Self::Weekday => {
                let (place, name) = request.at.local_weekday();
                return Some(GroupKey { place, name });
            }
            Self::Model => request.model.to_owned(),
            Self::Provider => request.provider.to_owned(),
            Self::Profile => request.profile?.to_owned(),
        };
        Some(GroupKey::named(name))
    }
}

/// The name of a group, and its place if groups are not sorted by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    place: i8,
    pub(super) name: String,
}

impl GroupKey {
    pub(super) const fn named(name: String) -> Self {
        Self { place: 0, name }
    }
}

/// What the usage record and the audit log have in common.
struct RecordedRequest<'a> {
    at: Time,
    provider: &'a str,
    model: &'a str,
    profile: Option<&'a str>,
}

impl<'a> RecordedRequest<'a> {
    fn of_entry(entry: &'a UsageEntry) -> Self {
        Self {
            at: entry.at,
            provider: &entry.provider,
            model: &entry.model,
            profile: Some(&entry.profile),
        }
    }

    /// The audit log does not have the profile.
    fn of_record(record: &'a AuditRecord) -> Self {
        Self {
            at: record.at,
            provider: record.word("provider"),
            model: record.word("model"),
            profile: None,
        }
    }
}

/// Caches the name of a day, because consecutive entries mostly have the same day.
#[derive(Default)]
struct DayNames(Option<(Time, Time, String)>);

impl DayNames {
    fn name(&mut self, at: Time) -> String {
        if let Some((start, end, name)) = &self.0
            && *start <= at
            && at < *end
        {
            return name.clone();
        }
        let calendar = at.calendar();
        let name = at.local_day();
        self.0 = Some((calendar.day, calendar.next_day, name.clone()));
        name
    }
}

pub(super) struct UsageView {
    pub(super) now: Time,
    pub(super) rate_limits: [WindowUsage; 2],
    pub(super) backoff: Vec<(String, Duration)>,
    pub(super) budgets: Vec<BudgetStatus>,
    pub(super) spans: [(&'static str, UsageTotals); 3],
    pub(super) sums: BTreeMap<GroupKey, UsageTotals>,
    pub(super) performance: BTreeMap<GroupKey, Performance>,
    pub(super) total: UsageTotals,
    pub(super) violations: Violations,
}

pub(super) fn gather(context: &mut Context, since: &str, by: GroupBy) -> Result<UsageView> {
    let now = context.clock.now();
    let since = parse_since(since, now)?;
    let audit = context.audit();
    let seen = |since| audit.sent_since(since);
    let levels = context.limiter()?.usage(context.clock.moment(), &seen)?;
    let calendar = now.calendar();
    let starts = [
        ("today", calendar.day),
        ("this week", calendar.week),
        ("this month", calendar.month),
    ];
    let mut spans = starts.map(|(name, _)| (name, UsageTotals::default()));
    let mut sums: BTreeMap<GroupKey, UsageTotals> = BTreeMap::new();
    let mut performance: BTreeMap<GroupKey, Performance> = BTreeMap::new();
    let mut total = UsageTotals::default();
    let mut days = DayNames::default();
    let unreadable =
        context
            .usage()
            .read(since.min(calendar.month).min(calendar.week), |entry| {
                for ((_, sum), (_, start)) in spans.iter_mut().zip(starts) {
                    if entry.at >= start {
                        sum.add(&entry);
                    }
                }
                if entry.at >= since {
                    total.add(&entry);
                    let key = by.key_of(&RecordedRequest::of_entry(&entry), &mut days);
                    let Some(key) = key else { return };
                    sums.entry(key.clone()).or_default().add(&entry);
                    if !entry.correction {
                        performance.entry(key).or_default().add_times(&entry);
                    }
                }
            })?;
    // Requests that failed are in the audit log only.
    audit.requests_since(since, |record| {
        let outcome = record.word("outcome");
        if outcome != "stopped"
            && let Some(key) = by.key_of(&RecordedRequest::of_record(record), &mut days)
        {
            let group = performance.entry(key).or_default();
            group.count(outcome == "failed");
        }
    });
    if unreadable > 0 {
        let are = if unreadable == 1 { "is" } else { "are" };
        context.ui.warning(&format!(
            "{} of the usage record cannot be read and {are} not counted",
            pluralize(unreadable, "line")
        ));
    }
    let budgets = context.budget(None)?.status(SessionSpend::default())?;
    // The budgets of a conversation and of a run have no spending here.
    let budgets = budgets.into_iter().filter(|f| f.resets.is_some()).collect();
    Ok(UsageView {
        now,
        rate_limits: levels,
        backoff: context.backoff().all()?,
        budgets,
        spans,
        sums,
        performance,
        total,
        violations: Violations::gather(&audit, since),
    })
}

/// The cost for JSON; `None` if unknown.
pub(super) fn known_cost(sum: &UsageTotals) -> Option<f64> {
    (sum.unknown < sum.requests || sum.requests == 0).then(|| json_dollars(sum.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_unknown_cost_is_no_number() {
        let sum = |requests: u64, unknown: u64, nanos: i64| UsageTotals {
            requests,
            nanos,
            unknown,
            ..UsageTotals::default()
        };
        assert_eq!(known_cost(&sum(2, 2, 0)), None);
        assert_eq!(known_cost(&sum(2, 0, 147_000)), Some(0.000_147));
    }
}
