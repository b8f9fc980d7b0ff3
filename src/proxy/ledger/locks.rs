//! The locks of the files that the ledger writes, taken without waiting.

use super::{LedgerServices, Task};
use crate::audit::log::LockedLog;
use crate::limits::LockedLimiter;
use crate::usage::budget::LockedBudget;

/// The locks that were taken before the work began. What is missing is waited for.
#[derive(Debug, Default)]
pub(super) struct LedgerLocks<'a> {
    pub(super) budget: Option<LockedBudget<'a>>,
    pub(super) requests: Option<LockedLimiter<'a>>,
    pub(super) audit: Option<LockedLog<'a>>,
}

impl<'a> LedgerLocks<'a> {
    /// Takes the locks for these tasks; `None` if that is not possible at once, or if the tasks
    /// write a file that is synced.
    pub(super) fn try_all(services: &'a LedgerServices, tasks: &[Task]) -> Option<Self> {
        let (mut has_money, mut has_requests) = (false, false);
        for task in tasks {
            match task {
                Task::Admit(request, _) => {
                    has_requests = true;
                    has_money |= request.is_billed;
                }
                Task::Settle(settlement) if settlement.wait.is_some() => return None,
                Task::Settle(settlement) => {
                    has_money |= settlement.hold.is_some() || settlement.entry.is_some();
                }
                Task::Record(_) => {}
            }
        }
        // A lock that cannot be taken at all is asked for again where the reason is reported.
        Some(Self {
            budget: match has_money.then(|| services.budget.try_lock()) {
                Some(Ok(None)) => return None,
                taken => taken.and_then(Result::ok).flatten(),
            },
            requests: match has_requests.then(|| services.limiter.try_lock()) {
                Some(Ok(None)) => return None,
                taken => taken.and_then(Result::ok).flatten(),
            },
            audit: match services.audit.try_lock() {
                Ok(None) => return None,
                taken => taken.ok().flatten(),
            },
        })
    }
}
