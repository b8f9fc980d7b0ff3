//! Days and months of spending, by the calendar of the user.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A local calendar day. In the file it is a row of numbers, because there are many and the file is
/// read for every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DayRow", into = "DayRow")]
pub struct DayTotal {
    /// Its beginning.
    pub start: Time,
    /// The beginning of the next day.
    pub end: Time,
    /// The amount spent.
    pub nanos: i64,
    /// The number of requests.
    pub requests: u64,
    /// How many of them have an unknown cost.
    pub unknown: u64,
}

type DayRow = (i64, i64, i64, u64, u64);

impl From<DayRow> for DayTotal {
    fn from((start, end, nanos, requests, unknown): DayRow) -> Self {
        Self {
            start: Time::from_millis(start),
            end: Time::from_millis(end),
            nanos,
            requests,
            unknown,
        }
    }
}

impl From<DayTotal> for DayRow {
    fn from(day: DayTotal) -> Self {
        (
            day.start.millis(),
            day.end.millis(),
            day.nanos,
            day.requests,
            day.unknown,
        )
    }
}

/// The current day or month of a budget. When a day begins depends on the time zone, which `TZ` may
/// change at any moment: therefore a period keeps the end it was given, and the next one ends at
/// least `least` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BudgetPeriod {
    pub(super) start: Time,
    pub(crate) until: Time,
    /// The amount spent in it.
    pub(crate) nanos: i64,
}

impl Default for BudgetPeriod {
    fn default() -> Self {
        Self::starting(Time::from_millis(0), Time::from_millis(0))
    }
}

impl BudgetPeriod {
    pub(super) const fn starting(start: Time, until: Time) -> Self {
        Self {
            start,
            until,
            nanos: 0,
        }
    }

    pub(super) fn count(&mut self, at: Time, nanos: i64) {
        if at >= self.start {
            self.nanos = self.nanos.saturating_add(nanos);
        }
    }

    /// Begins the next period if this one has ended. `begins` and `ends` are those of the calendar
    /// in the current zone.
    pub(crate) fn roll(
        &mut self,
        now: Time,
        least: Duration,
        begins: Time,
        ends: impl Fn(Time) -> Time,
    ) {
        let first = ends(now);
        if now < self.until {
            // An end further away than any period is long comes from a wrong clock.
            if self.until > first.saturating_add(least).saturating_add(DAY * 2) {
                self.until = first;
            }
            return;
        }
        let (earliest, mut until) = (self.until.saturating_add(least), first);
        while until < earliest && until < ends(until) {
            until = ends(until);
        }
        *self = Self::starting(begins.max(self.until), until);
    }
}
