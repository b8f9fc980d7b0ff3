//! How many requests failed, and how long answers took.

use crate::usage::UsageEntry;

/// The requests of one model, provider or time of day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Performance {
    /// The number of requests that were answered or failed. Stopped ones say nothing.
    pub finished: u64,
    /// How many of them failed.
    pub failed: u64,
    answers: Vec<i64>,
    first_tokens: Vec<i64>,
}

/// The time that half of the answers took at most, and that 95 in 100 took at most, in
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: i64,
    /// The 95th percentile.
    pub p95: i64,
}

impl Performance {
    /// Adds the times of an entry.
    pub fn add_times(&mut self, entry: &UsageEntry) {
        self.answers.extend(entry.ms);
        self.first_tokens.extend(entry.first_token_ms);
    }

    /// Counts a request that was answered or failed.
    pub fn count(&mut self, failed: bool) {
        self.finished += 1;
        self.failed += u64::from(failed);
    }

    /// The share of failures; `None` without a request.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
        let share = self.failed as f64 / self.finished as f64;
        (self.finished > 0).then_some(share)
    }

    /// The time until answers ended.
    #[must_use]
    pub fn answers(&self) -> Option<Percentiles> {
        percentiles(&self.answers)
    }

    /// The time until answers or their reasoning began.
    #[must_use]
    pub fn first_tokens(&self) -> Option<Percentiles> {
        percentiles(&self.first_tokens)
    }
}

fn percentiles(times: &[i64]) -> Option<Percentiles> {
    let mut times = times.to_vec();
    times.sort_unstable();
    // The nearest rank.
    let rank = |percent: usize| (times.len() * percent).div_ceil(100).checked_sub(1);
    Some(Percentiles {
        p50: *times.get(rank(50)?)?,
        p95: *times.get(rank(95)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let of = |times: &[i64]| percentiles(times).map(|p| (p.p50, p.p95));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7)));
        assert_eq!(of(&[40, 10, 30, 20]), Some((20, 40)));
        let hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), Some((50, 95)));
    }
}
