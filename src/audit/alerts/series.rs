//! Figures of one kind over time, such as the time each answer took: whether the last ones differ
//! from those before.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub(super) const DAY_MS: i64 = 24 * 3_600_000;
/// As many days must have requests before something can be compared with them.
pub(super) const MIN_BASELINE_DAYS: usize = 3;
/// How many of the last figures are compared with those before.
pub(crate) const RECENT: usize = 10;
/// Fewer figures before are not a past to compare with.
const MIN_PAST: usize = 20;
const MAX_KEPT: usize = 100;
/// An answer that comes sooner than this is never slow.
const QUICK_MS: i64 = 500;

/// Figures, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Series(Vec<(Time, i64)>);

impl Series {
    pub(super) fn add(&mut self, at: Time, figure: i64) {
        self.0.push((at, figure));
        let over = self.0.len().saturating_sub(MAX_KEPT);
        self.0.drain(..over);
    }

    pub(super) fn last(&self) -> Option<Time> {
        self.0.last().map(|(at, _)| *at)
    }

    /// The figures before and the last ones, which must lie within a time. `None` until there is
    /// enough of both.
    fn split(&self, within: i64) -> Option<(Vec<i64>, Vec<i64>)> {
        let (past, recent) = split_recent(&self.0)?;
        let (first, last) = (recent.first()?.0, recent.last()?.0);
        let day = |at: Time| at.millis().div_euclid(DAY_MS);
        let days: BTreeSet<i64> = past.iter().map(|(at, _)| day(*at)).collect();
        let figures = |part: &[(Time, i64)]| part.iter().map(|(_, figure)| *figure).collect();
        (days.len() >= MIN_BASELINE_DAYS && (0..within).contains(&(last.millis() - first.millis())))
            .then(|| (figures(past), figures(recent)))
    }

    /// The failures among the last ones, if there are many.
    pub(super) fn many_failures(&self, within: i64) -> Option<i64> {
        let (past, recent) = self.split(within)?;
        many_failures(&past, &recent)
    }

    /// The median of the last times, if they are slow.
    pub(super) fn slow_median(&self, within: i64) -> Option<i64> {
        let (past, recent) = self.split(within)?;
        slow_median(past, recent)
    }
}

/// The figures before and the last ones. `None` until there is enough of both.
pub(crate) fn split_recent<T>(figures: &[T]) -> Option<(&[T], &[T])> {
    let (past, recent) = figures.split_at(figures.len().checked_sub(RECENT)?);
    (past.len() >= MIN_PAST).then_some((past, recent))
}

/// If each figure is 1 for a failure and 0 otherwise: the failures among the last ones, if they are
/// half of them and twice as many as before.
pub(crate) fn many_failures(past: &[i64], recent: &[i64]) -> Option<i64> {
    let [before, now]: [i64; 2] = [past.iter().sum(), recent.iter().sum()];
    let length = |figures: &[i64]| i64::try_from(figures.len()).unwrap_or(i64::MAX);
    (now * 2 >= length(recent) && now * length(past) >= 2 * before * length(recent)).then_some(now)
}

/// If each figure is a time in milliseconds: the median of the last ones, if it is three times that
/// of those before.
pub(crate) fn slow_median(past: Vec<i64>, recent: Vec<i64>) -> Option<i64> {
    let (before, now) = (median(past)?, median(recent)?);
    (now > before.max(QUICK_MS).saturating_mul(3)).then_some(now)
}

pub(crate) fn median(mut figures: Vec<i64>) -> Option<i64> {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied()
}
