//! Usage, budgets and limits of a context.

use super::context::Context;
use crate::limits::{Backoff, Limiter};
use crate::usage::UsageLog;
use crate::usage::budget::{BudgetLimits, BudgetTracker};
use anyhow::Result;
use std::time::Duration;

impl Context {
    pub(crate) fn usage(&self) -> UsageLog {
        UsageLog::new(self.home.state())
    }

    /// The budget tracker, with the budgets of the settings and that of this run.
    pub(crate) fn budget(&mut self, per_command: Option<i64>) -> Result<BudgetTracker> {
        let budget = self.settings()?.budget;
        let limits = BudgetLimits {
            per_day: budget.per_day,
            per_month: budget.per_month,
            per_conversation: budget.per_conversation,
            per_command,
        };
        Ok(BudgetTracker::new(
            self.home.state(),
            self.audit(),
            self.clock.clone(),
            limits,
        ))
    }

    pub(crate) fn limiter(&mut self) -> Result<Limiter> {
        let limits = self.settings()?.limits;
        Ok(Limiter::new(
            self.home.state().join("requests"),
            limits.requests_per_minute,
            limits.requests_per_hour,
        )
        .with_lengths(
            Duration::from_secs(limits.minute_window_s.into()),
            Duration::from_secs(limits.hour_window_s.into()),
        ))
    }

    /// The providers that asked for a pause, and how long it lasts.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.home.state(), self.clock.clone())
    }
}
