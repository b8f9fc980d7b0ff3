//! The tally: running totals per day, reservations for running requests, and pending corrections.
//!
//! It is one small file with a checksum, next to the usage record. Entries it lacks are read from the
//! end of the record; if it is missing or damaged it is recalculated from the whole record, and if
//! that is missing too, from the audit log.
//!
//! The life of a reservation ([`Hold`]), always under the lock of the tally:
//!
//! ```text
//! reserve ──► request sent ──► commit ──────────────► correct
//! hold added   (no lock)       entry in the record,    entry with the difference in the record,
//! to tally                     then tally: counted,    then tally: counted, no longer pending
//!    │                         hold removed
//!    └──► release: no request was made, hold removed
//! ```
//!
//! What a crash leaves:
//!
//! - Before the tally is written in `reserve`: nothing, and no request was sent.
//! - After `reserve`: the hold. After a quarter of an hour it is booked as spent, as an estimate. If
//!   its process is alive after all, `commit` or `release` cancels that with a negative entry.
//! - In `commit`, after the record is written: an entry the tally has not counted, which the next read
//!   counts, and the hold, which is later booked as well: too much rather than too little.
//! - After `commit`: an estimate instead of the real cost. The correction stays pending for up to two
//!   days, and any process of the same provider and profile can make it.

use crate::audit::log::AuditLog;
use crate::fs;
use crate::time::{Moment, Time, Uptime};
use crate::usage::period::{BudgetPeriod, DayTotal};
use crate::usage::{UsageEntry, UsageLog};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// The largest tally that is read.
pub(crate) const MAX_TALLY_BYTES: u64 = 1 << 22;
/// The number of days kept: this month and the one before.
const KEPT_DAYS: usize = 62;
/// A request that takes longer is assumed to belong to a crashed process.
const HOLD_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(86_400);
/// The shortest local day: 23 hours when summer time begins. The shortest month: 28 days, less that
/// hour.
const MIN_DAY: Duration = Duration::from_secs(23 * 3600);
const MIN_MONTH: Duration = Duration::from_secs(28 * 86_400 - 3600);
/// The most corrections that wait at a time; none waits longer than two days.
const MAX_PENDING: usize = 20;

/// The amount spent at some moment, by which older totals are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingMark {
    /// The number of reservations ever made.
    pub(crate) holds: u64,
    day: BudgetPeriod,
    month: BudgetPeriod,
}

/// An amount reserved for a running request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub(crate) id: u64,
    pub(crate) nanos: i64,
    at: Time,
    run: u32,
    uptime: i64,
    provider: String,
    profile: String,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    conversation: Option<String>,
}

impl Hold {
    /// The amount.
    #[must_use]
    pub const fn nanos(&self) -> i64 {
        self.nanos
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: self.at,
            uptime: (self.run != 0).then_some(Uptime {
                boot_id: self.run,
                millis: self.uptime,
            }),
        }
    }
}

/// An estimate that the provider can correct later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCorrection {
    /// The provider's id of the answer.
    pub id: String,
    /// The entry that was booked.
    pub booked: UsageEntry,
    /// How often the provider was asked.
    pub tries: u32,
}

/// What an amount is reserved for.
#[derive(Clone, Debug)]
pub struct ReservationRequest {
    /// The provider.
    pub provider: String,
    /// The profile of the key.
    pub profile: String,
    /// The model.
    pub model: String,
    /// The conversation.
    pub conversation: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    counted: u64,
    next: u64,
    pub(crate) days: Vec<DayTotal>,
    pub(crate) today: BudgetPeriod,
    pub(crate) month: BudgetPeriod,
    pub(crate) held: Vec<Hold>,
    pub(crate) pending: Vec<PendingCorrection>,
    /// The providers that ever charged anything.
    #[serde(default)]
    pub(crate) paid: Vec<String>,
    /// Whether it was recalculated.
    #[serde(skip)]
    pub(crate) rebuilt: bool,
}

/// What the file of the tally contains.
pub(crate) enum TallyContent {
    Missing,
    Damaged,
    Whole(Totals),
}

impl TallyContent {
    /// Parses the bytes of the file, if there is one.
    pub(crate) fn parse(bytes: Option<&[u8]>) -> Self {
        match bytes.map(Totals::parse) {
            None => Self::Missing,
            Some(None) => Self::Damaged,
            Some(Some(totals)) => Self::Whole(totals),
        }
    }
}

impl Totals {
    /// Reads the tally as of now.
    pub(crate) fn read(
        path: &Path,
        usage: &UsageLog,
        audit: &AuditLog,
        now: Moment,
    ) -> Result<Self, fs::Error> {
        let bytes = fs::read_at_most(path, MAX_TALLY_BYTES)?;
        Self::from_file(TallyContent::parse(bytes.as_deref()), usage, audit, now)
    }

    /// The tally as of now, from what its file contains.
    pub(crate) fn from_file(
        content: TallyContent,
        usage: &UsageLog,
        audit: &AuditLog,
        now: Moment,
    ) -> Result<Self, fs::Error> {
        let length = usage.len();
        let mut totals = match content {
            TallyContent::Whole(totals) => totals,
            lost => {
                let mut totals = Self::default();
                // When the lost day began, and in which zone, is unknown: count what the last 24
                // hours cost, for the next 23 hours.
                let since = now.wall.saturating_sub(DAY);
                totals.today = BudgetPeriod::starting(since, now.wall.saturating_add(MIN_DAY));
                totals.month =
                    BudgetPeriod::starting(since.calendar().month, now.wall.calendar().next_month);
                totals.rebuild(usage, audit, now)?;
                for span in [&mut totals.today, &mut totals.month] {
                    if span.nanos == 0 {
                        *span = BudgetPeriod::default();
                    }
                }
                totals.rebuilt = matches!(lost, TallyContent::Damaged)
                    || totals.days.iter().any(|d| d.requests > 0);
                totals
            }
        };
        let calendar = now.wall.calendar();
        totals
            .today
            .roll(now.wall, MIN_DAY, calendar.day, |at| at.calendar().next_day);
        totals
            .month
            .roll(now.wall, MIN_MONTH, calendar.month, |at| {
                at.calendar().next_month
            });
        match totals.counted {
            counted if counted < length => {
                // A process crashed after writing the record and before writing the tally.
                for entry in usage.entries_after(counted)? {
                    totals.count_entry(&entry);
                }
                totals.counted = length;
            }
            // The record became shorter. What was counted stays counted.
            _ => totals.counted = length,
        }
        let today = calendar.day;
        let known = totals.days.last().is_none_or(|last| last.end <= today)
            || totals.days.iter().any(|d| d.start == today);
        if !known {
            // Another time zone: days begin at other moments now. The periods of the budgets
            // continue.
            totals.days.clear();
            let spans = (totals.today, totals.month);
            totals.rebuild(usage, audit, now)?;
            (totals.today, totals.month) = spans;
        }
        totals.day_mut(now.wall);
        Ok(totals)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (body, sum) = text.split_once('\n')?;
        (sum.trim_end() == checksum(body))
            .then(|| serde_json::from_str(body).ok())
            .flatten()
    }

    pub(crate) const fn mark(&self) -> SpendingMark {
        SpendingMark {
            holds: self.next,
            day: self.today,
            month: self.month,
        }
    }

    /// Whether these totals are older than a mark.
    pub(crate) const fn is_older_than(&self, mark: &SpendingMark) -> bool {
        self.next < mark.holds
    }

    /// Raises the totals to at least those of a mark.
    pub(crate) fn raise_to(&mut self, mark: &SpendingMark, now: Time) {
        self.next = self.next.max(mark.holds);
        for (period, mark) in [(&mut self.today, mark.day), (&mut self.month, mark.month)] {
            if now < mark.until && period.nanos < mark.nanos {
                *period = mark;
            }
        }
    }

    /// The content of the file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let body = serde_json::to_string(self).unwrap_or_default();
        format!("{body}\n{}\n", checksum(&body)).into_bytes()
    }

    fn rebuild(
        &mut self,
        usage: &UsageLog,
        audit: &AuditLog,
        now: Moment,
    ) -> Result<(), fs::Error> {
        let since = now
            .wall
            .saturating_sub(Duration::from_secs(86_400 * KEPT_DAYS as u64));
        self.counted = usage.len();
        usage.read(since, |entry| self.count_entry(&entry))?;
        // The log has the costs too, so an entry that was removed from, or lowered in, one of the
        // two files still counts.
        let mut logged = Self {
            today: BudgetPeriod {
                nanos: 0,
                ..self.today
            },
            month: BudgetPeriod {
                nanos: 0,
                ..self.month
            },
            ..Self::default()
        };
        for (at, nanos) in audit.costs_since(since) {
            let empty = String::new;
            let (prompt, completion) = (0, 0);
            let (estimated, correction, was_unknown, conversation) = (false, false, false, None);
            let (provider, profile, model) = (empty(), empty(), empty());
            let (ms, first_token_ms) = (None, None);
            logged.count_entry(&UsageEntry {
                at,
                provider,
                profile,
                model,
                conversation,
                prompt,
                completion,
                ms,
                first_token_ms,
                nanos,
                estimated,
                correction,
                was_unknown,
            });
        }
        self.today.nanos = self.today.nanos.max(logged.today.nanos);
        self.month.nanos = self.month.nanos.max(logged.month.nanos);
        for day in logged.days {
            if let Some(own) = self.day_mut(day.start) {
                own.nanos = own.nanos.max(day.nanos);
                own.requests = own.requests.max(day.requests);
                own.unknown = own.unknown.max(day.unknown);
            }
        }
        Ok(())
    }

    /// The day that contains a moment, added if missing.
    pub(crate) fn day_mut(&mut self, at: Time) -> Option<&mut DayTotal> {
        let inside = |d: &DayTotal| d.start <= at && at < d.end;
        if !self.days.iter().any(inside) {
            let calendar = at.calendar();
            self.days.push(DayTotal {
                start: calendar.day,
                end: calendar.next_day,
                nanos: 0,
                requests: 0,
                unknown: 0,
            });
            self.days.sort_by_key(|d| d.start);
            let over = self.days.len().saturating_sub(KEPT_DAYS);
            self.days.drain(..over);
        }
        self.days.iter_mut().find(|d| inside(d))
    }

    fn count_entry(&mut self, entry: &UsageEntry) {
        if entry.nanos.is_some_and(|n| n > 0) && !self.paid.contains(&entry.provider) {
            self.paid.push(entry.provider.clone());
        }
        self.today.count(entry.at, entry.nanos.unwrap_or(0));
        self.month.count(entry.at, entry.nanos.unwrap_or(0));
        if let Some(day) = self.day_mut(entry.at) {
            day.nanos = day.nanos.saturating_add(entry.nanos.unwrap_or(0));
            if entry.correction {
                day.unknown = day.unknown.saturating_sub(u64::from(entry.was_unknown));
            } else {
                day.requests += 1;
                day.unknown += u64::from(entry.nanos.is_none());
            }
        }
    }

    /// Books entries: in the record first, then here.
    pub(crate) fn record(
        &mut self,
        usage: &UsageLog,
        entries: &[UsageEntry],
    ) -> Result<(), fs::Error> {
        if !entries.is_empty() {
            self.counted = usage.append(entries)?;
            for entry in entries {
                self.count_entry(entry);
            }
        }
        Ok(())
    }

    pub(crate) fn hold(&mut self, request: &ReservationRequest, nanos: i64, now: Moment) -> Hold {
        let uptime = now.uptime.unwrap_or(Uptime {
            boot_id: 0,
            millis: 0,
        });
        self.next += 1;
        let hold = Hold {
            id: self.next,
            nanos,
            at: now.wall,
            run: uptime.boot_id,
            uptime: uptime.millis,
            provider: request.provider.clone(),
            profile: request.profile.clone(),
            model: crate::usage::sanitize_model(&request.model),
            conversation: request.conversation.clone(),
        };
        self.held.push(hold.clone());
        hold
    }

    /// Removes reservations of crashed processes and returns them as entries: the amount may have
    /// been spent, so it counts.
    pub(crate) fn expire_stale(&mut self, now: Moment) -> Vec<UsageEntry> {
        let (gone, alive): (Vec<Hold>, Vec<Hold>) = self
            .held
            .drain(..)
            .partition(|h| now.since(h.moment()) >= HOLD_TIMEOUT);
        self.held = alive;
        gone.into_iter()
            .map(|hold| entry_from_hold(hold, now.wall))
            .collect()
    }

    /// An entry that cancels a reservation that was booked as spent meanwhile, because its request
    /// took so long.
    pub(crate) fn reversal(&self, hold: &Hold, now: Moment) -> Option<UsageEntry> {
        let gone = !self.held.iter().any(|h| h.id == hold.id);
        gone.then(|| {
            let booked = entry_from_hold(hold.clone(), now.wall);
            UsageEntry {
                nanos: booked.nanos.map(|n| -n),
                correction: true,
                estimated: false,
                ..booked
            }
        })
    }

    /// Removes a reservation.
    pub(crate) fn release(&mut self, hold: &Hold) {
        self.held.retain(|h| h.id != hold.id);
    }

    pub(crate) fn enqueue_correction(&mut self, pending: PendingCorrection) {
        let old = pending
            .booked
            .at
            .saturating_sub(Duration::from_secs(2 * 86_400));
        self.pending.push(pending);
        self.pending.retain(|p| p.booked.at >= old);
        let over = self.pending.len().saturating_sub(MAX_PENDING);
        self.pending.drain(..over);
    }
}

fn entry_from_hold(hold: Hold, at: Time) -> UsageEntry {
    UsageEntry {
        at,
        provider: hold.provider,
        profile: hold.profile,
        model: hold.model,
        conversation: hold.conversation,
        prompt: 0,
        completion: 0,
        ms: None,
        first_token_ms: None,
        nanos: Some(hold.nanos),
        estimated: true,
        correction: false,
        was_unknown: false,
    }
}

fn checksum(body: &str) -> String {
    crate::audit::chain::hash(body.as_bytes())
}
