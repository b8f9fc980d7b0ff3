//! Records the cost of a message: the provider's figure, else an estimate, else unknown. Estimates
//! are corrected when the provider reports the real cost.

use super::passage::Pass;
use super::{Error, Session};
use crate::ledger::budget::Fill;
use crate::ledger::usage::{self, Entry};
use crate::ledger::{Event, Severity, What};
use crate::provider::{self, Answer, Kind, Prices, Provider, price};
use std::fmt;
use std::time::Duration;

/// How long a provider may take to report the cost of an earlier answer. The user waits for this.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known about a model's price.
#[derive(Clone, Debug, PartialEq)]
pub enum Price {
    /// It runs on the user's machine.
    Free,
    /// The provider's list has its price.
    Known(Box<Prices>),
    /// The provider's list has no price for it.
    Unknown,
}

/// Looks up the price of a model by its name.
pub struct Pricing(Box<dyn Fn(&str) -> Price>);

impl Pricing {
    /// Creates one from a function that is called for each model.
    pub fn new(of: impl Fn(&str) -> Price + 'static) -> Self {
        Self(Box::new(of))
    }

    /// The price of a model.
    #[must_use]
    pub fn of(&self, model: &str) -> Price {
        (self.0)(model)
    }
}

impl fmt::Debug for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pricing(_)")
    }
}

/// The cost of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The amount, in billionths of a dollar.
    pub nanos: i64,
    /// Whether it is an estimate of this program.
    pub estimated: bool,
}

/// An answer as it was received.
pub(super) struct Told<'a> {
    pub(super) answer: Option<&'a Answer>,
    pub(super) failure: Option<&'a provider::Error>,
    pub(super) model: &'a str,
    pub(super) took: Duration,
    pub(super) heard: &'a str,
    /// The bytes of reasoning before it.
    pub(super) thought: u64,
    /// It was stopped between two attempts.
    pub(super) paused: bool,
    pub(super) id: Option<String>,
}

/// The result of recording.
#[derive(Default)]
pub(super) struct Booked {
    pub(super) cost: Option<Cost>,
    pub(super) fills: Vec<Fill>,
    /// What could not be recorded, as sentences for the user. This does not stop the conversation.
    pub(super) trouble: Vec<String>,
}

/// Tokens and cost, reported or estimated.
struct Figures {
    prompt: u64,
    completion: u64,
    cost: Option<Cost>,
}

impl<P: Provider> Session<P> {
    /// Records the usage and cost of the request.
    pub(super) fn book(&mut self, pass: &Pass, told: &Told<'_>) -> Booked {
        let mut booked = Booked::default();
        let figures = self.figures(told);
        booked.cost = figures.as_ref().and_then(|f| f.cost);
        let event = self.event(told, figures.as_ref());
        if let Some(Kind::RateLimited { retry_after: Some(wait) }) = told.failure.map(provider::Error::kind) {
            let learnt = self.machines.backoff.learn(&self.who(), wait);
            booked.trouble.extend(learnt.err().map(|e| format!("cannot save the waiting time the provider asked for: {e}")));
        }
        let trouble = |error| format!("cannot write the audit log: {error}");
        let Some(figures) = figures else {
            booked.trouble.extend(self.machines.audit.add(&event).err().map(trouble));
            self.hand_back(pass);
            return booked;
        };
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let entry = Entry {
            at: self.machines.clock.now(),
            provider: self.provider.name().to_string(),
            profile: self.manners.profile.clone(),
            model: usage::model(told.model),
            conversation: self.conversation_id(),
            prompt: whole(figures.prompt),
            completion: whole(figures.completion),
            nanos: figures.cost.map(|c| c.nanos),
            estimated: figures.cost.is_some_and(|c| c.estimated),
            correction: false,
            was_unknown: false,
        };
        match self.machines.purse.settle(pass.hold.as_ref(), &entry, told.id.as_deref(), self.own) {
            Ok(fills) => booked.fills = fills,
            Err(error) => booked.trouble.push(format!("cannot write the usage record: {}", reason(error))),
        }
        // After the usage record: if that is lost, totals are recalculated from the log, and the
        // other order would count the request twice.
        booked.trouble.extend(self.machines.audit.add(&event).err().map(trouble));
        if let Some(id) = told.id.as_ref().filter(|_| entry.estimated || entry.nanos.is_none()) {
            self.own_estimates.push(id.clone());
        }
        let spent = entry.nanos.unwrap_or(0);
        self.own.conversation = self.own.conversation.saturating_add(spent);
        self.own.command = self.own.command.saturating_add(spent);
        booked
    }

    /// Tokens and cost; `None` if no request was made that could have cost anything.
    fn figures(&self, told: &Told<'_>) -> Option<Figures> {
        // Usage in which every count is zero was not reported.
        let counts = |used: &&provider::Usage| used.spent().is_some() || used.prompt_tokens > 0 || used.completion_tokens > 0;
        if let Some(used) = told.answer.and_then(|a| a.usage.as_ref()).filter(counts) {
            let exact = used.spent().map(|n| Cost { nanos: n.0, estimated: false });
            let cost = exact.or_else(|| self.estimate(used));
            return Some(Figures { prompt: used.prompt_tokens, completion: used.completion_tokens, cost });
        }
        if (told.failure.is_some() || told.paused) && told.heard.is_empty() && told.thought == 0 {
            return None;
        }
        // No usage was reported: the answer was stopped, broke off, or the server does not report
        // usage. Estimate it from the text.
        let prompt = self.past.iter().map(|m| price::tokens_likely(m.text.as_str()) + 4).sum();
        let completion = price::tokens_likely(told.heard) + told.thought.div_ceil(4);
        let used = provider::Usage { prompt_tokens: prompt, completion_tokens: completion, ..provider::Usage::default() };
        let cost = self.estimate(&used);
        Some(Figures { prompt, completion, cost })
    }

    fn estimate(&self, used: &provider::Usage) -> Option<Cost> {
        match self.machines.pricing.of(&self.wish.model) {
            Price::Known(prices) if !used.is_byok => prices.estimate(used).map(|n| Cost { nanos: n.0, estimated: true }),
            _ => None,
        }
    }

    fn event(&self, told: &Told<'_>, figures: Option<&Figures>) -> Event {
        let outcome = match (told.answer, told.failure) {
            (Some(_), _) => "answered",
            (None, Some(_)) => "failed",
            (None, None) => "stopped",
        };
        let mut event =
            Event::new(What::Request).word("provider", self.provider.name().as_str()).word("model", told.model).word("outcome", outcome);
        event = event.number("milliseconds", told.took.as_millis());
        // If the conversation has a budget, its cost is recorded in two files.
        if self.machines.purse.caps().per_conversation.is_some()
            && let Some(id) = self.conversation_id()
        {
            event = event.word("conversation", &id);
        }
        if let Some(failure) = told.failure {
            event = event.severity(Severity::Warning).word("failure", failure.kind().code());
            if let Kind::RateLimited { retry_after: Some(wait) } = failure.kind() {
                event = event.number("retry_after", wait.as_secs());
            }
        }
        if let Some(figures) = figures {
            event = event.number("prompt_tokens", figures.prompt).number("completion_tokens", figures.completion);
            if let Some(cost) = figures.cost {
                event = event.number("nano_dollars", cost.nanos).flag("estimated", cost.estimated);
            }
        }
        event
    }

    /// The id of the saved conversation.
    pub(super) fn conversation_id(&self) -> Option<String> {
        self.conversation.as_ref().map(|c| c.id().to_string())
    }

    /// Asks the provider for the real cost of stopped answers, and books the difference to the
    /// estimate.
    pub(super) async fn correct(&mut self) -> Option<String> {
        let pending = match self.machines.purse.pending(self.provider.name().as_str(), &self.manners.profile) {
            Ok(pending) => pending,
            Err(error) => return Some(format!("cannot correct estimated costs: {}", reason(error))),
        };
        for one in pending {
            let asked = tokio::time::timeout(PATIENCE, self.provider.account(&one.id)).await;
            let Ok(Some(used)) = asked else { continue };
            let Some(spent) = used.spent() else { continue };
            let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            match self.machines.purse.correct(&one, whole(used.prompt_tokens), whole(used.completion_tokens), spent.0) {
                Err(error) => return Some(format!("cannot correct estimated costs: {}", reason(error))),
                Ok(false) => continue,
                Ok(true) => {}
            }
            let more = spent.0.saturating_sub(one.booked.nanos.unwrap_or(0));
            let own = self.own_estimates.contains(&one.id);
            if own {
                self.own.command = self.own.command.saturating_add(more);
            }
            // A conversation that is not saved has no id to compare.
            if own || (one.booked.conversation.is_some() && one.booked.conversation == self.conversation_id()) {
                self.own.conversation = self.own.conversation.saturating_add(more);
            }
        }
        None
    }
}

fn reason(error: crate::ledger::budget::Error) -> String {
    let error = Error::Budget(error);
    std::error::Error::source(&error).and_then(std::error::Error::source).map_or_else(|| error.to_string(), ToString::to_string)
}
