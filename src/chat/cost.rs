//! Records the cost of a message: the provider's figure, else an estimate, else unknown. Estimates
//! are corrected when the provider reports the real cost.

use crate::audit::{Event, EventKind, Severity};
use crate::chat::admission::Permit;
use crate::chat::{Error, Session};
use crate::provider::{self, Completion, Price, Provider, ProviderErrorKind, tokens};
use crate::usage::budget::BudgetStatus;
use crate::usage::{self, UsageEntry};
use std::time::Duration;

/// How long a provider may take to report the cost of an earlier answer. The user waits for this.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The cost of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The amount, in billionths of a dollar.
    pub nanos: i64,
    /// Whether it is an estimate of this program.
    pub estimated: bool,
}

/// An answer as it was received.
pub(super) struct ReplyUsage<'a> {
    pub(super) completion: Option<&'a Completion>,
    pub(super) failure: Option<&'a provider::Error>,
    pub(super) model: &'a str,
    pub(super) elapsed: Duration,
    /// The time until the answer or its reasoning began.
    pub(super) first: Option<Duration>,
    pub(super) received: &'a str,
    /// The bytes of reasoning before it.
    pub(super) reasoned: u64,
    /// It was stopped between two attempts.
    pub(super) paused: bool,
    pub(super) id: Option<String>,
}

/// The result of recording.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) cost: Option<Cost>,
    pub(super) budgets: Vec<BudgetStatus>,
    /// No estimate waits for its correction, so the totals need not be read for it.
    pub(super) nothing_pending: bool,
    /// What could not be recorded, as sentences for the user. This does not stop the conversation.
    pub(super) warnings: Vec<String>,
}

/// Tokens and cost, reported or estimated.
struct TokenCost {
    prompt: u64,
    completion: u64,
    cost: Option<Cost>,
}

impl<P: Provider> Session<P> {
    /// Records the usage and cost of the request.
    pub(super) fn record_usage(&mut self, permit: &Permit, reported: &ReplyUsage<'_>) -> Recorded {
        let mut booked = Recorded::default();
        let figures = self.token_cost(reported);
        booked.cost = figures.as_ref().and_then(|f| f.cost);
        if !self.config.is_counted {
            return booked;
        }
        let event = self.usage_event(reported, figures.as_ref());
        if let Some(ProviderErrorKind::RateLimited {
            retry_after: Some(wait),
        }) = reported.failure.map(provider::Error::kind)
        {
            let learnt = self.services.backoff.record(&self.backoff_key(), wait);
            booked.warnings.extend(
                learnt
                    .err()
                    .map(|e| format!("cannot save the waiting time the provider asked for: {e}")),
            );
        }
        let warning = |error| format!("cannot write the audit log: {error}");
        let Some(figures) = figures else {
            booked
                .warnings
                .extend(self.services.audit.append(&event).err().map(warning));
            self.release(permit);
            return booked;
        };
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let entry = UsageEntry {
            at: self.services.clock.now(),
            provider: self.provider.name().to_string(),
            profile: self.config.profile.clone(),
            model: usage::sanitize_model(reported.model),
            conversation: self.conversation_id(),
            prompt: whole(figures.prompt),
            completion: whole(figures.completion),
            ms: reported.completion.map(|_| millis(reported.elapsed)),
            first_token_ms: reported.first.map(millis),
            nanos: figures.cost.map(|c| c.nanos),
            estimated: figures.cost.is_some_and(|c| c.estimated),
            correction: false,
            was_unknown: false,
        };
        match self.services.budget.commit(
            permit.hold.as_ref(),
            &entry,
            reported.id.as_deref(),
            self.spend,
        ) {
            Ok(booking) => {
                booked.budgets = booking.budgets;
                booked.nothing_pending = !booking.has_pending;
            }
            Err(error) => booked.warnings.push(format!(
                "cannot write the usage record: {}",
                describe_error(error)
            )),
        }
        // After the usage record: if that is lost, totals are recalculated from the log, and the
        // other order would count the request twice.
        booked
            .warnings
            .extend(self.services.audit.append(&event).err().map(warning));
        if let Some(id) = reported
            .id
            .as_ref()
            .filter(|_| entry.estimated || entry.nanos.is_none())
        {
            self.own_estimates.push(id.clone());
        }
        let spent = entry.nanos.unwrap_or(0);
        self.spend.conversation = self.spend.conversation.saturating_add(spent);
        self.spend.command = self.spend.command.saturating_add(spent);
        booked
    }

    /// Tokens and cost; `None` if no request was made that could have cost anything.
    fn token_cost(&self, reported: &ReplyUsage<'_>) -> Option<TokenCost> {
        // Usage in which every count is zero was not reported.
        let counts = |used: &&provider::TokenUsage| {
            used.total_cost().is_some() || used.prompt_tokens > 0 || used.completion_tokens > 0
        };
        if let Some(used) = reported
            .completion
            .and_then(|a| a.usage.as_ref())
            .filter(counts)
        {
            let exact = used.total_cost().map(|n| Cost {
                nanos: n.0,
                estimated: false,
            });
            let cost = exact.or_else(|| self.estimate(used));
            return Some(TokenCost {
                prompt: used.prompt_tokens,
                completion: used.completion_tokens,
                cost,
            });
        }
        if (reported.failure.is_some() || reported.paused)
            && reported.received.is_empty()
            && reported.reasoned == 0
        {
            return None;
        }
        // No usage was reported: the answer was stopped, broke off, or the server does not report
        // usage. Estimate it from the text.
        let prompt = self
            .history
            .request(self.max_request_tokens())
            .messages
            .iter()
            .map(|m| tokens::estimate_tokens(m.text.as_str()) + 4)
            .sum();
        let completion = tokens::estimate_tokens(reported.received) + reported.reasoned.div_ceil(4);
        let used = provider::TokenUsage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            ..provider::TokenUsage::default()
        };
        let cost = self.estimate(&used);
        Some(TokenCost {
            prompt,
            completion,
            cost,
        })
    }

    fn estimate(&self, used: &provider::TokenUsage) -> Option<Cost> {
        match self.services.pricing.price_of(&self.options.model) {
            Price::Known(prices) if !used.is_byok => prices.estimate(used).map(|n| Cost {
                nanos: n.0,
                estimated: true,
            }),
            _ => None,
        }
    }

    fn usage_event(&self, reported: &ReplyUsage<'_>, figures: Option<&TokenCost>) -> Event {
        let outcome = match (reported.completion, reported.failure) {
            (Some(_), _) => "answered",
            (None, Some(_)) => "failed",
            (None, None) => "stopped",
        };
        let mut event = Event::new(EventKind::Request)
            .word("provider", self.provider.name().as_str())
            .word("model", reported.model)
            .word("outcome", outcome);
        event = event.number("milliseconds", reported.elapsed.as_millis());
        if let Some(first) = reported.first {
            event = event.number("first_token_ms", first.as_millis());
        }
        // If the conversation has a budget, its cost is recorded in two files.
        if self.services.budget.limits().per_conversation.is_some()
            && let Some(id) = self.conversation_id()
        {
            event = event.word("conversation", &id);
        }
        if let Some(failure) = reported.failure {
            event = event
                .severity(Severity::Warning)
                .word("failure", failure.kind().code());
            if let ProviderErrorKind::RateLimited {
                retry_after: Some(wait),
            } = failure.kind()
            {
                event = event.number("retry_after", wait.as_secs());
            }
        }
        if let Some(figures) = figures {
            event = event
                .number("prompt_tokens", figures.prompt)
                .number("completion_tokens", figures.completion);
            if let Some(cost) = figures.cost {
                event = event
                    .number("nano_dollars", cost.nanos)
                    .flag("estimated", cost.estimated);
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
    pub(super) async fn reconcile_costs(&mut self) -> Option<String> {
        let pending = match self
            .services
            .budget
            .pending_corrections(self.provider.name().as_str(), &self.config.profile)
        {
            Ok(pending) => pending,
            Err(error) => {
                return Some(format!(
                    "cannot correct estimated costs: {}",
                    describe_error(error)
                ));
            }
        };
        for one in pending {
            let asked =
                tokio::time::timeout(LOOKUP_TIMEOUT, self.provider.billed_usage(&one.id)).await;
            let Ok(Some(used)) = asked else { continue };
            let Some(spent) = used.total_cost() else {
                continue;
            };
            let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            match self.services.budget.correct(
                &one,
                whole(used.prompt_tokens),
                whole(used.completion_tokens),
                spent.0,
            ) {
                Err(error) => {
                    return Some(format!(
                        "cannot correct estimated costs: {}",
                        describe_error(error)
                    ));
                }
                Ok(false) => continue,
                Ok(true) => {}
            }
            let more = spent.0.saturating_sub(one.booked.nanos.unwrap_or(0));
            let own = self.own_estimates.contains(&one.id);
            if own {
                self.spend.command = self.spend.command.saturating_add(more);
            }
            // A conversation that is not saved has no id to compare.
            if own
                || (one.booked.conversation.is_some()
                    && one.booked.conversation == self.conversation_id())
            {
                self.spend.conversation = self.spend.conversation.saturating_add(more);
            }
        }
        None
    }
}

fn describe_error(error: usage::budget::Error) -> String {
    let error = Error::Budget(error);
    std::error::Error::source(&error)
        .and_then(std::error::Error::source)
        .map_or_else(|| error.to_string(), ToString::to_string)
}
