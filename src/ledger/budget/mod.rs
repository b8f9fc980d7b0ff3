//! Budgets: how much money, asked before it is spent. Two processes cannot spend the same dollar.
//!
//! Whoever is about to ask a provider has the most it can cost set aside first, under a lock; what it did cost is booked in its
//! place. A day or month that was begun goes on when the time zone changes: what was spent in it counts until its own end, or as
//! long as it is in the day or month of the zone there is now, whichever is stricter. What a dead process had set aside counts as spent after a quarter of an hour: too much rather than too little.

use super::audit::Audit;
pub use super::tally::SpendingMark;
use super::tally::{self, Hold, Intent, Pending, Tally};
use super::usage::{Entry, Usage};
use crate::clock::{Clock, Time};
use crate::disk::{self, Lock};
use std::fmt;
use std::path::{Path, PathBuf};

/// What a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A day of the user's own calendar.
    Day,
    /// A month of the user's own calendar.
    Month,
    /// One conversation.
    Conversation,
    /// One run of the program.
    Command,
}

impl Span {
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

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "today",
            Self::Month => "this month",
            Self::Conversation => "this conversation",
            Self::Command => "this command",
        })
    }
}

/// Budgets, in billionths of a dollar; absent is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// For a day.
    pub per_day: Option<i64>,
    /// For a month.
    pub per_month: Option<i64>,
    /// For a conversation.
    pub per_conversation: Option<i64>,
    /// For one run of the program.
    pub per_command: Option<i64>,
}

impl Caps {
    /// Whether there is any.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.per_day.is_some() || self.per_month.is_some() || self.per_conversation.is_some() || self.per_command.is_some()
    }
}

/// What the asker itself knows to have spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// In this conversation.
    pub conversation: i64,
    /// In this run.
    pub command: i64,
}

/// How full one budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Which.
    pub span: Span,
    /// How much may be spent.
    pub limit: i64,
    /// How much is.
    pub spent: i64,
    /// How much is set aside for requests under way.
    pub held: i64,
    /// When it begins anew.
    pub resets: Option<Time>,
}

impl Fill {
    /// What is left.
    #[must_use]
    pub const fn room(&self) -> i64 {
        self.limit.saturating_sub(self.spent).saturating_sub(self.held)
    }

    /// Whether four fifths are spent.
    #[must_use]
    pub fn is_high(&self) -> bool {
        i128::from(self.spent) * 5 >= i128::from(self.limit) * 4
    }
}

/// Why there is no money.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would cost more than is left.
    #[error("the budget of {} for {} does not cover this: {} are spent{}, and it may cost {}",
        Dollars(fill.limit), fill.span, Dollars(fill.spent), held(fill), Dollars(*need))]
    Spent {
        /// The budget that is too small.
        fill: Fill,
        /// The least that is needed.
        need: i64,
    },
    /// There is a budget, and nobody knows what this model costs.
    #[error("there is a budget, and the price of `{model}` is not known")]
    NoPrice {
        /// Which model.
        model: String,
    },
    /// The sums cannot be read or written: nothing is spent uncounted.
    #[error("cannot count what is spent")]
    Disk(#[from] disk::Error),
}

fn held(fill: &Fill) -> String {
    if fill.held == 0 { String::new() } else { format!(" and {} set aside for requests under way", Dollars(fill.held)) }
}

/// Exactly so many billionths: `$0.0031`.
struct Dollars(i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 1_000_000_000, format!("{:09}", self.0.unsigned_abs() % 1_000_000_000));
        let part = part.trim_end_matches('0');
        write!(f, "{sign}${whole}.{part:0<2}")
    }
}

/// What came of asking for money.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What was set aside.
    pub hold: Hold,
    /// How much.
    pub nanos: i64,
    /// The sums had to be worked out anew first.
    pub rebuilt: bool,
}

/// Holds the money.
#[derive(Clone, Debug)]
pub struct Purse {
    usage: Usage,
    audit: Audit,
    tally: PathBuf,
    clock: Clock,
    caps: Caps,
}

impl Purse {
    /// The purse in the folder of state.
    #[must_use]
    pub fn new(state: &Path, audit: Audit, clock: Clock, caps: Caps) -> Self {
        Self { usage: Usage::new(state), audit, tally: state.join("tally"), clock, caps }
    }

    /// The budgets.
    #[must_use]
    pub const fn caps(&self) -> Caps {
        self.caps
    }

    /// Another budget for this run or conversation: its owner changed their mind.
    pub const fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Sets money aside: `want` if there is so much, else what is left, but not less than `least`.
    pub fn reserve(&self, intent: &Intent, least: i64, want: i64, own: Own) -> Result<Grant, Error> {
        self.locked(|tally, now| {
            let fills = self.fills(tally, now.wall, own);
            let tightest = fills.into_iter().min_by_key(Fill::room);
            let room = tightest.map_or(i64::MAX, |f| f.room());
            if let Some(fill) = tightest.filter(|_| room < least || room <= 0 && want > 0) {
                return Err(Error::Spent { fill, need: least });
            }
            let nanos = want.min(room);
            Ok(Grant { hold: tally.hold(intent, nanos, now), nanos, rebuilt: tally.rebuilt })
        })
    }

    /// Whether this provider ever asked for money.
    pub fn has_paid(&self, provider: &str) -> Result<bool, Error> {
        let tally = Tally::read(&self.tally, &self.usage, &self.audit, self.clock.moment())?;
        Ok(tally.paid.iter().any(|p| p == provider))
    }

    /// The most that one of the last requests to a model cost; of one that never answered by that name, one to `any` of its
    /// provider's.
    pub fn dearest(&self, intent: &Intent, any: bool) -> Result<i64, Error> {
        Ok(self.usage.dearest(&intent.provider, &super::usage::model(&intent.model), any)?)
    }

    /// Gives back what was set aside, because nothing was asked after all.
    pub fn release(&self, hold: &Hold) -> Result<(), Error> {
        self.locked(|tally, now| {
            let mend = tally.mend_of(hold, now);
            tally.book(&self.usage, mend.as_slice())?;
            tally.let_go(hold);
            Ok(())
        })
    }

    /// Books what a request took in place of what was set aside; how full the budgets are then. With the provider's `id` of
    /// the answer, an estimate is kept in mind to be corrected.
    pub fn settle(&self, hold: Option<&Hold>, entry: &Entry, id: Option<&str>, own: Own) -> Result<Vec<Fill>, Error> {
        self.locked(|tally, now| {
            // What cannot be booked stays set aside: it was spent.
            let mut entries: Vec<Entry> = hold.and_then(|h| tally.mend_of(h, now)).into_iter().collect();
            entries.push(entry.clone());
            tally.book(&self.usage, &entries)?;
            if let Some(hold) = hold {
                tally.let_go(hold);
            }
            if let Some(id) = id.filter(|_| entry.estimated || entry.nanos.is_none()) {
                tally.await_correction(Pending { id: id.to_owned(), booked: entry.clone(), tries: 0 });
            }
            let spent = entry.nanos.unwrap_or(0);
            let own = Own { conversation: own.conversation.saturating_add(spent), command: own.command.saturating_add(spent) };
            Ok(self.fills(tally, now.wall, own))
        })
    }

    /// Up to two estimates for which this provider can be asked what they really were. Each is given out at most five times.
    pub fn pending(&self, provider: &str, profile: &str) -> Result<Vec<Pending>, Error> {
        if Tally::read(&self.tally, &self.usage, &self.audit, self.clock.moment())?.pending.is_empty() {
            return Ok(Vec::new());
        }
        self.locked(|tally, _| {
            let mut given = Vec::new();
            for pending in &mut tally.pending {
                if given.len() < 2 && pending.tries < 5 && pending.booked.provider == provider && pending.booked.profile == profile {
                    pending.tries += 1;
                    given.push(pending.clone());
                }
            }
            tally.pending.retain(|p| p.tries <= 5);
            Ok(given)
        })
    }

    /// Puts what it really was in the place of an estimate. What was already spent stays so, the difference is booked.
    /// Whether it was still to be done: another process may have asked meanwhile.
    pub fn correct(&self, pending: &Pending, prompt: i64, completion: i64, nanos: i64) -> Result<bool, Error> {
        self.locked(|tally, _| {
            if !tally.pending.iter().any(|p| p.id == pending.id) {
                return Ok(false);
            }
            let booked = &pending.booked;
            let mend = Entry {
                prompt: prompt.saturating_sub(booked.prompt),
                completion: completion.saturating_sub(booked.completion),
                nanos: Some(nanos.saturating_sub(booked.nanos.unwrap_or(0))),
                estimated: false,
                correction: true,
                was_unknown: booked.nanos.is_none(),
                ..booked.clone()
            };
            tally.book(&self.usage, &[mend])?;
            tally.pending.retain(|p| p.id != pending.id);
            Ok(true)
        })
    }

    /// How full the budgets are; nothing is written.
    pub fn standing(&self, own: Own) -> Result<Vec<Fill>, Error> {
        let now = self.clock.moment();
        let tally = Tally::read(&self.tally, &self.usage, &self.audit, now)?;
        Ok(self.fills(&tally, now.wall, own))
    }

    /// What was spent today, this week and this month, and with how many requests, whether there is a budget or not.
    pub fn spent(&self) -> Result<[(i64, u64, u64); 3], Error> {
        let now = self.clock.moment();
        let tally = Tally::read(&self.tally, &self.usage, &self.audit, now)?;
        let calendar = now.wall.calendar();
        Ok([calendar.day, calendar.week, calendar.month].map(|start| {
            let days = tally.days.iter().filter(|d| d.start >= start && d.start <= now.wall);
            days.fold((0_i64, 0, 0), |(nanos, requests, unknown), d| {
                (nanos.saturating_add(d.nanos), requests + d.requests, unknown + d.unknown)
            })
        }))
    }

    /// How much has been spent so far.
    pub fn mark(&self) -> Result<SpendingMark, Error> {
        Ok(Tally::read(&self.tally, &self.usage, &self.audit, self.clock.moment())?.mark())
    }

    /// Counts at least what a mark says, where the sums are older than that; whether they were.
    pub fn raise_to(&self, mark: &SpendingMark) -> Result<bool, Error> {
        let now = self.clock.moment();
        if !Tally::read(&self.tally, &self.usage, &self.audit, now)?.is_older_than(mark) {
            return Ok(false);
        }
        self.locked(|tally, now| {
            let older = tally.is_older_than(mark);
            tally.raise_to(mark, now.wall);
            Ok(older)
        })
    }

    fn fills(&self, tally: &Tally, now: Time, own: Own) -> Vec<Fill> {
        if !self.caps.any() {
            return Vec::new();
        }
        let calendar = now.calendar();
        let since = |start: Time| tally.days.iter().filter(|d| d.start >= start).fold(0_i64, |sum, d| sum.saturating_add(d.nanos));
        let held = tally.held.iter().fold(0_i64, |sum, h| sum.saturating_add(h.nanos));
        // The calendar of the zone there is now, or the day and month that were begun, whichever has seen more.
        let stricter = |start: Time, end: Time, begun: &tally::Period| {
            let spent = since(start);
            if begun.nanos > spent { (begun.nanos, begun.until) } else { (spent, end) }
        };
        let (day, day_ends) = stricter(calendar.day, calendar.next_day, &tally.today);
        let (month, month_ends) = stricter(calendar.month, calendar.next_month, &tally.month);
        let fill = |span, limit, spent, held, resets| Fill { span, limit, spent, held, resets };
        let caps = &self.caps;
        [
            caps.per_day.map(|limit| fill(Span::Day, limit, day, held, Some(day_ends))),
            caps.per_month.map(|limit| fill(Span::Month, limit, month, held, Some(month_ends))),
            caps.per_conversation.map(|limit| fill(Span::Conversation, limit, own.conversation, 0, None)),
            caps.per_command.map(|limit| fill(Span::Command, limit, own.command, 0, None)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn locked<T>(&self, deed: impl FnOnce(&mut Tally, crate::clock::Moment) -> Result<T, Error>) -> Result<T, Error> {
        let _lock = Lock::wait(&self.tally.with_extension("lock"))?;
        let now = self.clock.moment();
        let mut tally = Tally::read(&self.tally, &self.usage, &self.audit, now)?;
        let abandoned = tally.abandoned(now);
        tally.book(&self.usage, &abandoned)?;
        let done = deed(&mut tally, now);
        // Also after a refusal: what was booked for the abandoned must not be booked again.
        tally.write(&self.tally)?;
        done
    }
}

#[cfg(test)]
mod tests;
