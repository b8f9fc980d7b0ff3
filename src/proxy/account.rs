//! The account of one request: whatever becomes of it, it is booked exactly once.

use crate::audit::{Event, EventKind, Severity};
use crate::provider::TokenUsage;
use crate::proxy::answer_usage::AnswerUsage;
use crate::proxy::ledger::{Admission, Settlement};
use crate::proxy::state::{LiveRequest, ProxyState};
use crate::time::Stopwatch;
use crate::usage::{UsageEntry, sanitize_model};
use std::rc::Rc;
use std::time::Duration;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestEnd {
    /// The client hung up, or the proxy stopped.
    Stopped,
    Answered,
    Failed(&'static str),
}

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) token: String,
    pub(super) provider: String,
    pub(super) route: &'static str,
    pub(super) model: String,
    /// Tokens of the prompt, as far as they can be guessed.
    pub(super) prompt_estimate: u64,
    /// Whether the provider charges for it.
    pub(super) is_billed: bool,
    /// Whether the provider can be asked later what it has cost.
    pub(super) is_correctable: bool,
}

/// An account, which is settled when it is dropped.
pub(super) struct RequestAccount {
    state: Rc<ProxyState>,
    subject: Subject,
    admission: Admission,
    live: u64,
    watch: Stopwatch,
    first: Option<Duration>,
    outcome: RequestEnd,
    /// The request may have reached the provider.
    is_sent: bool,
    wait: Option<Duration>,
    /// What the answer says about itself.
    pub(super) answer: AnswerUsage,
}

impl RequestAccount {
    pub(super) fn open(state: &Rc<ProxyState>, subject: Subject, admission: Admission) -> Self {
        let live = state.next_live.get();
        state.next_live.set(live + 1);
        state.live.borrow_mut().insert(
            live,
            LiveRequest {
                token: subject.token.clone(),
                route: subject.route,
                model: subject.model.clone(),
                since: state.clock.now(),
            },
        );
        Self {
            state: Rc::clone(state),
            subject,
            admission,
            live,
            watch: state.clock.stopwatch(),
            first: None,
            outcome: RequestEnd::Stopped,
            is_sent: false,
            wait: None,
            answer: AnswerUsage::default(),
        }
    }

    /// The request goes out now.
    pub(super) const fn sending(&mut self) {
        self.is_sent = true;
    }

    /// The provider has certainly not processed it.
    pub(super) const fn not_processed(&mut self) {
        self.is_sent = false;
    }

    /// The first byte of the answer is here.
    pub(super) fn begun(&mut self) {
        self.first.get_or_insert(self.watch.elapsed());
    }

    pub(super) fn answered(&mut self) {
        self.outcome = RequestEnd::Answered;
    }

    pub(super) const fn failed(&mut self, code: &'static str) {
        self.outcome = RequestEnd::Failed(code);
    }

    /// The provider asked to wait.
    pub(super) const fn asked_to_wait(&mut self, wait: Duration) {
        self.wait = Some(wait);
    }

    /// Tokens: as reported, else guessed from the sizes, if anything can have been charged.
    fn usage(&self) -> Option<TokenUsage> {
        if !self.subject.is_billed || !self.is_sent {
            return None;
        }
        let reported = self.answer.usage.clone().filter(|usage| {
            usage.total_cost().is_some() || usage.prompt_tokens + usage.completion_tokens > 0
        });
        if reported.is_some() && (self.answer.ended || self.outcome == RequestEnd::Answered) {
            return reported;
        }
        if matches!(self.outcome, RequestEnd::Failed(_)) && self.answer.bytes == 0 {
            return None;
        }
        // Half an answer may have reported half of its usage.
        let known = reported.unwrap_or_default();
        Some(TokenUsage {
            prompt_tokens: known.prompt_tokens.max(self.subject.prompt_estimate),
            completion_tokens: known.completion_tokens.max(self.answer.estimated_tokens()),
            ..known
        })
    }
}

impl Drop for RequestAccount {
    fn drop(&mut self) {
        let subject = &self.subject;
        self.state.live.borrow_mut().remove(&self.live);
        let usage = self.usage();
        let elapsed = self.watch.elapsed();
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (word, failure) = match &self.outcome {
            RequestEnd::Answered => ("answered", None),
            RequestEnd::Stopped => ("stopped", None),
            RequestEnd::Failed(code) => ("failed", Some(*code)),
        };
        let model = self.answer.model.as_deref().unwrap_or(&subject.model);
        let mut finished = Event::new(EventKind::Request)
            .word("provider", &subject.provider)
            .word("model", model)
            .word("outcome", word)
            .number("milliseconds", elapsed.as_millis())
            .word("token", &subject.token)
            .word("route", subject.route);
        if let Some(first) = self.first {
            finished = finished.number("first_token_ms", first.as_millis());
        }
        if let Some(code) = failure {
            finished = finished.severity(Severity::Warning).word("failure", code);
        }
        if let Some(wait) = self.wait {
            finished = finished.number("retry_after", wait.as_secs());
        }
        let entry = usage.as_ref().map(|usage| UsageEntry {
            at: self.state.clock.now(),
            provider: subject.provider.clone(),
            profile: self.state.profile.clone(),
            model: sanitize_model(model),
            conversation: None,
            prompt: whole(usage.prompt_tokens),
            completion: whole(usage.completion_tokens),
            ms: (self.outcome == RequestEnd::Answered).then(|| millis(elapsed)),
            first_token_ms: self.first.map(millis),
            nanos: None,
            estimated: false,
            correction: false,
            was_unknown: false,
        });
        if let Some(usage) = &usage {
            finished = finished
                .number("prompt_tokens", usage.prompt_tokens)
                .number("completion_tokens", usage.completion_tokens);
            let usage = usage.clone();
            self.state.count(&subject.token, |used| {
                used.prompt += usage.prompt_tokens;
                used.cached += usage.cached_tokens;
                used.completion += usage.completion_tokens;
            });
        }
        if failure.is_some() {
            self.state.count(&subject.token, |used| used.failed += 1);
        }
        self.state
            .metrics
            .borrow_mut()
            .finished(subject.route, word, elapsed);
        let who = format!(
            "{}/{}/{}",
            subject.provider, self.state.profile, subject.model
        );
        if let Some(ledger) = self.state.ledger.borrow().as_ref() {
            ledger.settle(Settlement {
                token: subject.token.clone(),
                hold: self.admission.hold.take(),
                entry,
                usage: usage.unwrap_or_default(),
                priced_as: subject.model.clone(),
                id: self.answer.id.take().filter(|_| subject.is_correctable),
                finished,
                wait: self.wait.map(|wait| (who, wait)),
            });
        }
    }
}
