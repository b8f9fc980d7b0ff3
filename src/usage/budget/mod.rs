//! Budgets: spending limits that are checked before a request. Two processes cannot spend the same
//! amount.
//!
//! The most a request can cost is reserved first, under a lock; afterwards its real cost is booked
//! in place of the reservation. See `tally` for what a crash leaves.
//!
//! A day or month that has begun continues when the time zone changes: its spending counts until
//! its own end, and also for the day or month of the current zone, whichever is stricter. A
//! reservation of a crashed process counts as spent after a quarter of an hour, so that errors are
//! on the side of too much.

mod batch;
mod tally_file;

use crate::audit::log::AuditLog;
use crate::fs::{self, HeldLock};
use crate::time::{Clock, Moment, Time};
use crate::usage::period::BudgetPeriod;
pub use crate::usage::totals::SpendingMark;
use crate::usage::totals::{Hold, PendingCorrection, ReservationRequest, Totals};
use crate::usage::{UsageEntry, UsageLog};
pub use batch::{BudgetBatch, SettledRequest};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use tally_file::TallyFile;

/// The period or scope of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A calendar day in local time.
    Day,
    /// A calendar month in local time.
    Month,
    /// A conversation.
    Conversation,
    /// A run of the program.
    Command,
}

impl Period {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Conversation => "conversation",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "today",
            Self::Month => "this month",
            Self::Conversation => "this conversation",
            Self::Command => "this command",
        })
    }
}

/// The budgets, in billionths of a dollar; `None` is no budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Per day.
    pub per_day: Option<i64>,
    /// Per month.
    pub per_month: Option<i64>,
    /// Per conversation.
    pub per_conversation: Option<i64>,
    /// Per run of the program.
    pub per_command: Option<i64>,
}

impl BudgetLimits {
    /// Whether any budget is set.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.per_day.is_some()
            || self.per_month.is_some()
            || self.per_conversation.is_some()
            || self.per_command.is_some()
    }
}

/// What the caller itself knows to have spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSpend {
    /// In this conversation.
    pub conversation: i64,
    /// In this run.
    pub command: i64,
}

/// The state of one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetStatus {
    /// The budget.
    pub span: Period,
    /// The limit.
    pub limit: i64,
    /// The amount spent.
    pub spent: i64,
    /// The amount reserved for running requests.
    pub held: i64,
    /// When it resets.
    pub resets: Option<Time>,
}

impl BudgetStatus {
    /// The remaining amount.
    #[must_use]
    pub const fn remaining(&self) -> i64 {
        self.limit
            .saturating_sub(self.spent)
            .saturating_sub(self.held)
    }

    /// Whether at least four fifths are spent.
    #[must_use]
    pub fn is_high(&self) -> bool {
        i128::from(self.spent) * 5 >= i128::from(self.limit) * 4
    }
}

/// Why a reservation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request may cost more than is left.
    #[error("budget of {} for {} reached: {} spent{}, and this request may cost up to {}",
        ExactDollars(status.limit), status.span, ExactDollars(status.spent), describe_held(status), ExactDollars(*need))]
    Spent {
        /// The budget that is too small.
        status: BudgetStatus,
        /// The least amount that is needed.
        need: i64,
    },
    /// A budget is set, but the price of the model is unknown.
    #[error("a budget is set, but the price of `{model}` is unknown")]
    NoPrice {
        /// The model.
        model: String,
    },
    /// The totals cannot be read or written, so nothing can be spent.
    #[error("cannot update the spending totals")]
    Disk(#[from] fs::Error),
}

fn describe_held(status: &BudgetStatus) -> String {
    if status.held == 0 {
        String::new()
    } else {
        format!(
            " and {} reserved for running requests",
            ExactDollars(status.held)
        )
    }
}

/// Formats an amount exactly: `$0.0031`.
struct ExactDollars(i64);

impl fmt::Display for ExactDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (
            self.0.unsigned_abs() / 1_000_000_000,
            format!("{:09}", self.0.unsigned_abs() % 1_000_000_000),
        );
        let part = part.trim_end_matches('0');
        write!(f, "{sign}${whole}.{part:0<2}")
    }
}

/// A successful reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The reservation.
    pub hold: Hold,
    /// The reserved amount.
    pub nanos: i64,
    /// Whether the totals had to be recalculated.
    pub rebuilt: bool,
}

/// A booked cost.
#[derive(Clone, Debug)]
pub struct Booking {
    /// The state of the budgets after it.
    pub budgets: Vec<BudgetStatus>,
    /// Whether any estimate waits for its correction.
    pub has_pending: bool,
}

/// Checks the budgets and records spending.
#[derive(Clone, Debug)]
pub struct BudgetTracker {
    usage: UsageLog,
    audit: AuditLog,
    totals: PathBuf,
    file: Arc<Mutex<TallyFile>>,
    clock: Clock,
    limits: BudgetLimits,
}

impl BudgetTracker {
    /// The budgets of a state folder.
    #[must_use]
    pub fn new(state: &Path, audit: AuditLog, clock: Clock, limits: BudgetLimits) -> Self {
        let totals = state.join("tally");
        Self {
            usage: UsageLog::new(state),
            audit,
            file: Arc::new(Mutex::new(TallyFile::new(&totals))),
            totals,
            clock,
            limits,
        }
    }

    /// The budgets.
    #[must_use]
    pub const fn limits(&self) -> BudgetLimits {
        self.limits
    }

    /// Changes the budgets of this run or conversation, on request of the user.
    pub const fn set_limits(&mut self, limits: BudgetLimits) {
        self.limits = limits;
    }

    /// Reserves `want` if that much is left, else what is left, but at least `least`.
    pub fn reserve(
        &self,
        request: &ReservationRequest,
        least: i64,
        want: i64,
        own: SessionSpend,
    ) -> Result<Reservation, Error> {
        self.batch(|batch| batch.reserve(&self.limits, request, least, want, own))?
    }

    /// Whether this provider ever charged anything.
    pub fn has_paid(&self, provider: &str) -> Result<bool, Error> {
        let totals = Totals::read(&self.totals, &self.usage, &self.audit, self.clock.moment())?;
        Ok(totals.paid.iter().any(|p| p == provider))
    }

    /// Releases a reservation, because no request was made.
    pub fn release(&self, hold: &Hold) -> Result<(), Error> {
        self.batch(|batch| batch.settle(&[SettledRequest::unsent(hold.clone())]))?
    }

    /// Books the cost of a request in place of its reservation. An estimate with an `id` is kept for
    /// a later correction.
    pub fn commit(
        &self,
        hold: Option<&Hold>,
        entry: &UsageEntry,
        id: Option<&str>,
        own: SessionSpend,
    ) -> Result<Booking, Error> {
        let settled = SettledRequest {
            hold: hold.cloned(),
            entry: Some(entry.clone()),
            id: id.map(str::to_owned),
        };
        self.batch(|batch| {
            batch.settle(&[settled])?;
            let spent = entry.nanos.unwrap_or(0);
            let own = SessionSpend {
                conversation: own.conversation.saturating_add(spent),
                command: own.command.saturating_add(spent),
            };
            let (totals, now) = (&*batch.totals, batch.now.wall);
            Ok(Booking {
                budgets: statuses(&self.limits, totals, now, own),
                has_pending: !totals.pending.is_empty(),
            })
        })?
    }

    /// Does several things under one lock, and writes the totals once.
    pub fn batch<T>(&self, work: impl FnOnce(&mut BudgetBatch<'_>) -> T) -> Result<T, Error> {
        self.lock()?.batch(work)
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Result<LockedBudget<'_>, Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = file.lock.acquire()?;
        Ok(LockedBudget {
            tracker: self,
            file,
            _lock: lock,
        })
    }

    /// Takes the lock without waiting; `None` if it is held elsewhere.
    pub fn try_lock(&self) -> Result<Option<LockedBudget<'_>>, Error> {
        let mut file = match self.file.try_lock() {
            Ok(file) => file,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let lock = file.lock.try_acquire()?;
        Ok(lock.map(|lock| LockedBudget {
            tracker: self,
            file,
            _lock: lock,
        }))
    }

    /// Up to two estimates of this provider that can be corrected. Each is returned at most five
    /// times.
    pub fn pending_corrections(
        &self,
        provider: &str,
        profile: &str,
    ) -> Result<Vec<PendingCorrection>, Error> {
        if Totals::read(&self.totals, &self.usage, &self.audit, self.clock.moment())?
            .pending
            .is_empty()
        {
            return Ok(Vec::new());
        }
        self.with_lock(|totals, _| {
            let mut given = Vec::new();
            for pending in &mut totals.pending {
                if given.len() < 2
                    && pending.tries < 5
                    && pending.booked.provider == provider
                    && pending.booked.profile == profile
                {
                    pending.tries += 1;
                    given.push(pending.clone());
                }
            }
            totals.pending.retain(|p| p.tries <= 5);
            Ok(given)
        })
    }

    /// Replaces an estimate by the real cost, by booking the difference. Returns `false` if another
    /// process has done that already.
    pub fn correct(
        &self,
        pending: &PendingCorrection,
        prompt: i64,
        completion: i64,
        nanos: i64,
    ) -> Result<bool, Error> {
        self.with_lock(|totals, _| {
            if !totals.pending.iter().any(|p| p.id == pending.id) {
                return Ok(false);
            }
            let booked = &pending.booked;
            let reversal = UsageEntry {
                prompt: prompt.saturating_sub(booked.prompt),
                completion: completion.saturating_sub(booked.completion),
                ms: None,
                first_token_ms: None,
                nanos: Some(nanos.saturating_sub(booked.nanos.unwrap_or(0))),
                estimated: false,
                correction: true,
                was_unknown: booked.nanos.is_none(),
                ..booked.clone()
            };
            totals.record(&self.usage, &[reversal])?;
            totals.pending.retain(|p| p.id != pending.id);
            Ok(true)
        })
    }

    /// The state of the budgets. Nothing is written.
    pub fn status(&self, own: SessionSpend) -> Result<Vec<BudgetStatus>, Error> {
        let now = self.clock.moment();
        let totals = Totals::read(&self.totals, &self.usage, &self.audit, now)?;
        Ok(statuses(&self.limits, &totals, now.wall, own))
    }

    /// Amounts and numbers of requests of today, this week and this month, with or without a
    /// budget.
    pub fn spent(&self) -> Result<[(i64, u64, u64); 3], Error> {
        let now = self.clock.moment();
        let totals = Totals::read(&self.totals, &self.usage, &self.audit, now)?;
        let calendar = now.wall.calendar();
        Ok([calendar.day, calendar.week, calendar.month].map(|start| {
            let days = totals
                .days
                .iter()
                .filter(|d| d.start >= start && d.start <= now.wall);
            days.fold((0_i64, 0, 0), |(nanos, requests, unknown), d| {
                (
                    nanos.saturating_add(d.nanos),
                    requests + d.requests,
                    unknown + d.unknown,
                )
            })
        }))
    }

    /// The amount spent so far.
    pub fn mark(&self) -> Result<SpendingMark, Error> {
        Ok(Totals::read(&self.totals, &self.usage, &self.audit, self.clock.moment())?.mark())
    }

    /// Raises totals that are older than a mark to it. Returns whether they were.
    pub fn raise_to(&self, mark: &SpendingMark) -> Result<bool, Error> {
        let now = self.clock.moment();
        if !Totals::read(&self.totals, &self.usage, &self.audit, now)?.is_older_than(mark) {
            return Ok(false);
        }
        self.with_lock(|totals, now| {
            let older = totals.is_older_than(mark);
            totals.raise_to(mark, now.wall);
            Ok(older)
        })
    }

    fn with_lock<T>(
        &self,
        action: impl FnOnce(&mut Totals, Moment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.lock()?.change(action)
    }
}

/// The budgets while only this process can change them.
#[derive(Debug)]
pub struct LockedBudget<'a> {
    tracker: &'a BudgetTracker,
    file: MutexGuard<'a, TallyFile>,
    _lock: HeldLock,
}

impl LockedBudget<'_> {
    /// Does several things, and writes the totals once.
    pub fn batch<T>(self, work: impl FnOnce(&mut BudgetBatch<'_>) -> T) -> Result<T, Error> {
        let usage = &self.tracker.usage;
        self.change(|totals, now| Ok(work(&mut BudgetBatch { usage, totals, now })))
    }

    fn change<T>(
        mut self,
        action: impl FnOnce(&mut Totals, Moment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (usage, audit) = (&self.tracker.usage, &self.tracker.audit);
        let now = self.tracker.clock.moment();
        let (mut totals, before) = self.file.read(usage, audit, now)?;
        let abandoned = totals.expire_stale(now);
        totals.record(usage, &abandoned)?;
        let done = action(&mut totals, now);
        // Also after a refusal, so that abandoned reservations are not booked again.
        self.file.write(totals, before)?;
        done
    }
}

fn statuses(
    limits: &BudgetLimits,
    totals: &Totals,
    now: Time,
    own: SessionSpend,
) -> Vec<BudgetStatus> {
    if !limits.is_set() {
        return Vec::new();
    }
    let calendar = now.calendar();
    let since = |start: Time| {
        totals
            .days
            .iter()
            .filter(|d| d.start >= start)
            .fold(0_i64, |sum, d| sum.saturating_add(d.nanos))
    };
    let held = totals
        .held
        .iter()
        .fold(0_i64, |sum, h| sum.saturating_add(h.nanos));
    // The period of the current time zone or the one that has begun, whichever has more
    // spending.
    let stricter = |start: Time, end: Time, begun: &BudgetPeriod| {
        let spent = since(start);
        if begun.nanos > spent {
            (begun.nanos, begun.until)
        } else {
            (spent, end)
        }
    };
    let (day, day_ends) = stricter(calendar.day, calendar.next_day, &totals.today);
    let (month, month_ends) = stricter(calendar.month, calendar.next_month, &totals.month);
    let status = |span, limit, spent, held, resets| BudgetStatus {
        span,
        limit,
        spent,
        held,
        resets,
    };
    [
        limits
            .per_day
            .map(|limit| status(Period::Day, limit, day, held, Some(day_ends))),
        limits
            .per_month
            .map(|limit| status(Period::Month, limit, month, held, Some(month_ends))),
        limits
            .per_conversation
            .map(|limit| status(Period::Conversation, limit, own.conversation, 0, None)),
        limits
            .per_command
            .map(|limit| status(Period::Command, limit, own.command, 0, None)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;
