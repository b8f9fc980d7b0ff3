//! The checks before a message is sent: lockdown, the provider's waiting time, budgets, rate
//! limits.

use super::money::Price;
use super::{Error, Session, Watcher};
use crate::clock::Time;
use crate::ledger::tally::{Hold, Intent};
use crate::ledger::{Event, Severity, What, budget};
use crate::limit::{self, Level, Passed};
use crate::message::Message;
use crate::provider::{NanoDollars, Prices, Provider, price};
use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;

/// The assumed maximum length of an answer for the budget if none is set, in tokens.
const ANSWER: u64 = 8192;
/// An answer that the budget would cut shorter than this is not requested.
const WORTHWHILE: u64 = 256;

/// Permission to send one message.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) levels: [Level; 2],
    /// The longest answer that the budget pays for.
    pub(super) max_tokens: Option<u32>,
    /// The reserved amount.
    pub(super) hold: Option<Hold>,
}

impl<P: Provider> Session<P> {
    /// Admits a message or returns why not. If the user chose `--wait`, waits until a limit allows
    /// it.
    pub(super) async fn pass(
        &mut self,
        message: Option<&Message>,
        watcher: &mut dyn Watcher,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Pass, Error> {
        loop {
            let since = self.machines.clock.stopwatch();
            let error = match self.try_pass(message, watcher) {
                Ok(pass) => {
                    let levels = pass.levels.map(|l| format!("{} of {} in the {}", l.used, l.window.most, l.window.name)).join(", ");
                    let money = pass.hold.as_ref().map_or_else(|| "nothing".to_owned(), |h| format!("{} nano-dollars", h.nanos()));
                    watcher.step(&format!("admitted: {levels}; {money} reserved; in {} us", since.elapsed().as_micros()));
                    return Ok(pass);
                }
                Err(error) => error,
            };
            let wait = if let Error::Limit(limit) = &error { limit.wait() } else { None };
            let Some(wait) = wait.filter(|_| self.manners.wait) else {
                self.note_refusal(&error);
                return Err(error);
            };
            self.sit_out(wait, watcher, stop.as_mut()).await?;
        }
    }

    fn try_pass(&self, message: Option<&Message>, watcher: &mut dyn Watcher) -> Result<Pass, Error> {
        self.machines.lockdown.check()?;
        let who = self.who();
        if let Some(wait) = self.machines.backoff.remaining(&who).map_err(limit::Error::Disk)? {
            if self.manners.wait {
                return Err(limit::Error::Asked { who, wait }.into());
            }
            let wait = crate::clock::in_words(wait);
            watcher.warned(&format!("`{who}` asked to wait {wait}; use `--wait` to wait for it"));
        }
        let (hold, max_tokens) = self.afford(message, watcher)?;
        let now = self.machines.clock.moment();
        let found = Cell::new(0);
        let seen = |since| -> Vec<Time> {
            let times: Vec<Time> = self.machines.audit.sent_since(since);
            found.set(times.len());
            times
        };
        let taken = self.machines.limiter.take(now, &seen);
        if found.get() > 0 || matches!(taken, Ok(Passed { rebuilt: Some(_), .. })) {
            let found = found.get();
            self.note(&Event::new(What::Rebuilt).severity(Severity::Warning).word("file", "requests").number("found", found));
            watcher.warned(&format!(
                "the request counter was missing or damaged; restored {found} requests of the last hour from the audit log"
            ));
        }
        match taken {
            Ok(Passed { levels, .. }) => Ok(Pass { levels, max_tokens, hold }),
            Err(error) => {
                if let Some(hold) = &hold {
                    self.machines.purse.release(hold)?;
                }
                Err(error.into())
            }
        }
    }

    /// The key under which a provider's waiting time is stored.
    pub(super) fn who(&self) -> String {
        format!("{}/{}/{}", self.provider.name(), self.manners.profile, self.wish.model)
    }

    /// Releases the reservation if no request is made.
    pub(super) fn hand_back(&self, pass: &Pass) {
        if let Some(hold) = &pass.hold {
            // If this fails too, the amount counts as spent after a quarter of an hour.
            self.machines.purse.release(hold).unwrap_or_default();
        }
    }

    /// Reserves the most this message can cost, if a budget is set.
    fn afford(&self, message: Option<&Message>, watcher: &mut dyn Watcher) -> Result<(Option<Hold>, Option<u32>), Error> {
        if !self.machines.purse.caps().any() {
            return Ok((None, None));
        }
        let need = self.need(message)?;
        let name = self.provider.name().as_str();
        if need.is_none() && self.own.conversation == 0 && !self.machines.purse.has_paid(name)? {
            return Ok((None, None));
        }
        let intent = Intent {
            provider: name.to_owned(),
            profile: self.manners.profile.clone(),
            model: self.wish.model.clone(),
            conversation: self.conversation_id(),
        };
        let free = matches!(self.machines.pricing.of(&self.wish.model), Price::Known(_));
        let (least, want) = match &need {
            Some(need) => (need.least, need.want),
            // The list says it is free, and it never charged anything.
            None if free && self.machines.purse.dearest(&intent, false)? == 0 => return Ok((None, None)),
            // The prices are unknown, but the provider did charge before: reserve the most it
            // charged.
            None => {
                let asked = self.machines.purse.dearest(&intent, true)?.max(1);
                (asked, asked)
            }
        };
        let grant = self.machines.purse.reserve(&intent, least, want, self.own)?;
        if grant.rebuilt {
            self.note(&Event::new(What::Rebuilt).severity(Severity::Warning).word("file", "tally"));
            watcher.warned("the spending totals were missing or damaged; recalculated them from the usage record");
        }
        Ok((Some(grant.hold), need.and_then(|n| n.tokens(grant.nanos))))
    }

    /// The longest answer the budget would pay for. Nothing is reserved.
    pub(super) fn would_afford(&self, message: &Message) -> Result<Option<u32>, Error> {
        if !self.machines.purse.caps().any() {
            return Ok(None);
        }
        let need = match self.need(Some(message)) {
            Ok(Some(need)) => need,
            // A preview costs nothing, so it needs no price.
            Ok(None) | Err(Error::Budget(budget::Error::NoPrice { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let fills = self.machines.purse.standing(self.own)?;
        let Some(fill) = fills.into_iter().min_by_key(budget::Fill::room) else { return Ok(None) };
        if fill.room() < need.least {
            return Err(budget::Error::Spent { fill, need: need.least }.into());
        }
        Ok(need.tokens(need.want.min(fill.room())))
    }

    /// The possible cost of this message; `None` if it is free.
    fn need(&self, message: Option<&Message>) -> Result<Option<Need>, Error> {
        let model = &self.wish.model;
        let prices = match self.machines.pricing.of(model) {
            Price::Free => return Ok(None),
            Price::Known(prices) => prices,
            Price::Unknown if self.manners.allow_unknown_price => return Ok(None),
            Price::Unknown => return Err(budget::Error::NoPrice { model: crate::ledger::usage::model(model) }.into()),
        };
        let texts = self.past.iter().chain(message);
        // Each message adds a few tokens of its own.
        let prompt = texts.fold(16, |sum, m| sum + 8 + price::tokens_at_most(m.text.as_str()));
        let most = self.wish.max_tokens.map_or(ANSWER, u64::from);
        let least = if self.wish.max_tokens.is_some() { most } else { WORTHWHILE };
        let cost = |tokens| prices.at_most(prompt, tokens).map_or(i64::MAX, |n| n.0);
        let (least, want) = (cost(least), cost(most));
        Ok((want > 0).then_some(Need { prices, prompt, most, least, want }))
    }

    fn note_refusal(&self, error: &Error) {
        let event = match error {
            Error::Limit(limit::Error::Full { level, .. }) => {
                Event::new(What::Limited).word("window", level.window.name).number("most", level.window.most)
            }
            Error::Limit(limit::Error::Lockdown { .. }) => Event::new(What::Limited).word("window", "lockdown"),
            Error::Budget(budget::Error::Spent { fill, need }) => {
                let event = Event::new(What::Budget).word("span", fill.span.name()).number("limit", fill.limit);
                event.number("spent", fill.spent).number("need", *need)
            }
            Error::Budget(budget::Error::NoPrice { model }) => Event::new(What::Budget).word("unknown_price", model),
            _ => return,
        };
        self.note(&event.severity(Severity::Warning));
    }

    /// Waits, and reports the remaining time every second.
    async fn sit_out(&self, wait: Duration, watcher: &mut dyn Watcher, mut stop: Pin<&mut impl Future<Output = ()>>) -> Result<(), Error> {
        let watch = self.machines.clock.stopwatch();
        while let Some(left) = wait.checked_sub(watch.elapsed()).filter(|left| !left.is_zero()) {
            watcher.waiting(left);
            tokio::select! {
                () = tokio::time::sleep(left.min(Duration::from_secs(1))) => {}
                () = stop.as_mut() => {
                    watcher.waiting(Duration::ZERO);
                    return Err(Error::Stopped);
                }
            }
        }
        watcher.waiting(Duration::ZERO);
        Ok(())
    }
}

/// The possible cost of a message.
struct Need {
    prices: Box<Prices>,
    prompt: u64,
    most: u64,
    least: i64,
    want: i64,
}

impl Need {
    /// The number of answer tokens an amount pays for.
    fn tokens(&self, nanos: i64) -> Option<u32> {
        self.prices.affordable(self.prompt, NanoDollars(nanos), self.most).and_then(|n| u32::try_from(n).ok())
    }
}
