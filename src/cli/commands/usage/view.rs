//! What `usage` shows: limits, budgets and totals, gathered once.

use crate::cli::args::parse_since;
use crate::cli::context::Context;
use crate::cli::term::format::{json_dollars, pluralize};
use crate::limits::WindowUsage;
use crate::time::Time;
use crate::usage::budget::{BudgetStatus, SessionSpend};
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
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Profile => "profile",
        }
    }

    fn key_of(self, entry: &UsageEntry, days: &mut DayNames) -> String {
        match self {
            Self::Day => days.name(entry.at),
            Self::Model => entry.model.clone(),
            Self::Provider => entry.provider.clone(),
            Self::Profile => entry.profile.clone(),
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
    pub(super) sums: BTreeMap<String, UsageTotals>,
    pub(super) total: UsageTotals,
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
    let mut sums: BTreeMap<String, UsageTotals> = BTreeMap::new();
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
                    sums.entry(by.key_of(&entry, &mut days))
                        .or_default()
                        .add(&entry);
                }
            })?;
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
        total,
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
