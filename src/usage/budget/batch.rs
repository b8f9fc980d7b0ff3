//! Several reservations and bookings under one lock.

use super::{BudgetLimits, BudgetStatus, Error, Reservation, SessionSpend, statuses};
use crate::time::Moment;
use crate::usage::totals::{Hold, PendingCorrection, ReservationRequest, Totals};
use crate::usage::{UsageEntry, UsageLog, sanitize_model};

/// The budgets while they are locked. What is changed is written when the lock is released.
#[derive(Debug)]
pub struct BudgetBatch<'a> {
    pub(super) usage: &'a UsageLog,
    pub(super) totals: &'a mut Totals,
    pub(super) now: Moment,
}

/// A request that has ended.
#[derive(Clone, Debug)]
pub struct SettledRequest {
    /// Its reservation.
    pub hold: Option<Hold>,
    /// Its usage and cost; `None` if no request was made.
    pub entry: Option<UsageEntry>,
    /// The provider's id of the answer. An estimate with an id is kept for a later correction.
    pub id: Option<String>,
}

impl SettledRequest {
    /// A request that was not made.
    #[must_use]
    pub const fn unsent(hold: Hold) -> Self {
        Self {
            hold: Some(hold),
            entry: None,
            id: None,
        }
    }
}

impl BudgetBatch<'_> {
    /// Reserves `want` if that much is left, else what is left, but at least `least`.
    pub fn reserve(
        &mut self,
        limits: &BudgetLimits,
        request: &ReservationRequest,
        least: i64,
        want: i64,
        own: SessionSpend,
    ) -> Result<Reservation, Error> {
        let budgets = statuses(limits, self.totals, self.now.wall, own);
        let tightest = budgets.into_iter().min_by_key(BudgetStatus::remaining);
        let room = tightest.map_or(i64::MAX, |status| status.remaining());
        if let Some(status) = tightest.filter(|_| room < least || room <= 0 && want > 0) {
            return Err(Error::Spent {
                status,
                need: least,
            });
        }
        let nanos = want.min(room);
        Ok(Reservation {
            hold: self.totals.hold(request, nanos, self.now),
            nanos,
            rebuilt: std::mem::take(&mut self.totals.rebuilt),
        })
    }

    /// Whether this provider ever charged anything.
    #[must_use]
    pub fn has_paid(&self, provider: &str) -> bool {
        self.totals.paid.iter().any(|paid| paid == provider)
    }

    /// The highest cost among the last requests to a model. If the model has no record under that
    /// name and `any` is set, among those to its provider.
    pub fn max_recent_cost(&self, request: &ReservationRequest, any: bool) -> Result<i64, Error> {
        let model = sanitize_model(&request.model);
        Ok(self.usage.max_recent_cost(&request.provider, &model, any)?)
    }

    /// Books the costs of requests in place of their reservations: all of them, or none if they
    /// cannot be recorded.
    pub fn settle(&mut self, requests: &[SettledRequest]) -> Result<(), Error> {
        let mut entries = Vec::with_capacity(requests.len());
        for request in requests {
            let hold = request.hold.as_ref();
            entries.extend(hold.and_then(|hold| self.totals.reversal(hold, self.now)));
            entries.extend(request.entry.clone());
        }
        // If booking fails the reservations stay, because the amounts were spent.
        self.totals.record(self.usage, &entries)?;
        for request in requests {
            if let Some(hold) = &request.hold {
                self.totals.release(hold);
            }
            if let (Some(entry), Some(id)) = (&request.entry, &request.id)
                && (entry.estimated || entry.nanos.is_none())
            {
                self.totals.enqueue_correction(PendingCorrection {
                    id: id.clone(),
                    booked: entry.clone(),
                    tries: 0,
                });
            }
        }
        Ok(())
    }
}
