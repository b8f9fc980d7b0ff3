//! Does what the ledger is asked, in batches: budgets, limits and the audit log are each locked and
//! written once for all requests of a batch, in the order of a single one.

use super::locks::LedgerLocks;
use super::spending::RunSpending;
use super::{
    Admission, AdmissionRequest, AdmissionSender, BookedCost, LedgerServices, Settlement, Task,
};
use crate::audit::{Event, EventKind, Severity};
use crate::limits;
use crate::provider::{CostBound, CostNeed, Price, reserve_cost_in_batch};
use crate::proxy::refusal::Refusal;
use crate::time::{Time, humanize};
use crate::usage::budget::{self, BudgetBatch, BudgetLimits, SessionSpend, SettledRequest};
use crate::usage::totals::{Hold, ReservationRequest};
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Does the work, and knows what this run has spent.
pub(super) struct LedgerWorker {
    services: LedgerServices,
    booked: UnboundedSender<Vec<BookedCost>>,
    spending: RunSpending,
}

/// A request that waits for its answer.
struct Waiting {
    request: Box<AdmissionRequest>,
    answer: AdmissionSender,
    outcome: Result<Admission, Refusal>,
}

/// What a request may cost: the model and the limits that decide.
struct PricedRequest {
    request: ReservationRequest,
    need: Result<CostNeed, budget::Error>,
}

impl LedgerWorker {
    pub(super) fn new(services: LedgerServices, booked: UnboundedSender<Vec<BookedCost>>) -> Self {
        Self {
            services,
            booked,
            spending: RunSpending::default(),
        }
    }

    /// Does all tasks if nothing has to be waited for. Returns whether it did; if not, nothing is
    /// done yet.
    pub(super) fn try_work(&mut self, tasks: &mut Vec<Task>) -> bool {
        let Some(locks) = LedgerLocks::try_all(&self.services, tasks) else {
            return false;
        };
        let mut batch = LedgerBatch {
            services: &self.services,
            booked: &self.booked,
            spending: &mut self.spending,
            locks,
        };
        batch.work(tasks.drain(..));
        true
    }

    /// Does all tasks, and waits for what other processes hold.
    pub(super) fn work(&mut self, tasks: Vec<Task>) {
        let mut batch = LedgerBatch {
            services: &self.services,
            booked: &self.booked,
            spending: &mut self.spending,
            locks: LedgerLocks::default(),
        };
        batch.work(tasks.into_iter());
    }
}

/// Tasks that are done together.
struct LedgerBatch<'a> {
    services: &'a LedgerServices,
    booked: &'a UnboundedSender<Vec<BookedCost>>,
    spending: &'a mut RunSpending,
    locks: LedgerLocks<'a>,
}

impl LedgerBatch<'_> {
    /// Does all tasks. With the answers everything about the requests is written.
    fn work(&mut self, tasks: impl Iterator<Item = Task>) {
        let (mut waiting, mut settlements, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for task in tasks {
            match task {
                Task::Admit(request, answer) => waiting.push(Waiting {
                    request,
                    answer,
                    outcome: Ok(Admission::default()),
                }),
                Task::Settle(settlement) => settlements.push(*settlement),
                Task::Record(event) => events.push(*event),
            }
        }
        self.check_allowed(&mut waiting);
        self.settle_and_reserve(settlements, &mut waiting, &mut events);
        self.count(&mut waiting, &mut events);
        self.record(&mut waiting, events);
        self.answer(waiting);
    }

    /// Refuses all requests during a lockdown, and those whose provider asked to wait.
    fn check_allowed(&self, waiting: &mut [Waiting]) {
        if waiting.is_empty() {
            return;
        }
        let lockdown = self.services.lockdown.check();
        let pauses = self.services.backoff.all();
        for waiting in waiting {
            waiting.outcome = match (&lockdown, &pauses) {
                (Err(error), _) => Err(limit_refusal(error)),
                (_, Err(error)) => Err(disk_refusal(error)),
                (Ok(()), Ok(pauses)) => check_pause(&waiting.request.request, pauses),
            }
            .map(|()| Admission::default());
        }
    }

    /// Books the requests that have ended, and reserves the most that the new ones can cost.
    fn settle_and_reserve(
        &mut self,
        settlements: Vec<Settlement>,
        waiting: &mut [Waiting],
        events: &mut Vec<Event>,
    ) {
        let mut settled = Vec::with_capacity(settlements.len());
        let mut booked = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            if let Some((who, wait)) = &settlement.wait {
                // Without the note the provider asks again.
                self.services.backoff.record(who, *wait).unwrap_or_default();
            }
            booked.push(self.price(settlement, &mut settled, events));
        }
        let limits = self.services.budget.limits();
        let mut priced: Vec<Option<PricedRequest>> = Vec::with_capacity(waiting.len());
        for waiting in &mut *waiting {
            let must_reserve = waiting.outcome.is_ok() && waiting.request.is_billed;
            let request = must_reserve.then(|| self.dearest(&waiting.request, limits));
            priced.push(match request {
                Some(Err(refusal)) => {
                    waiting.outcome = Err(refusal);
                    None
                }
                Some(Ok(priced)) => priced,
                None => None,
            });
        }
        if !settled.is_empty() || priced.iter().any(Option::is_some) {
            let locked = match self.locks.budget.take() {
                Some(locked) => Ok(locked),
                None => self.services.budget.lock(),
            };
            let spending = &mut *self.spending;
            let done = locked.and_then(|locked| {
                locked.batch(|batch| {
                    // If booking fails the reservations stay, and count as spent.
                    batch.settle(&settled).unwrap_or_default();
                    for (waiting, priced) in waiting.iter_mut().zip(priced) {
                        if let Some(priced) = priced {
                            waiting.outcome =
                                reserve(batch, limits, spending, &waiting.request, priced, events);
                        }
                    }
                })
            });
            if let Err(error) = done {
                for waiting in waiting
                    .iter_mut()
                    .filter(|waiting| waiting.request.is_billed)
                {
                    if let Ok(Admission {
                        hold: Some(hold), ..
                    }) = &waiting.outcome
                    {
                        self.spending.release(&waiting.request.token, hold.nanos());
                    }
                    if waiting.outcome.is_ok() {
                        waiting.outcome = Err(budget_refusal(&error));
                    }
                }
            }
        }
        if !booked.is_empty() {
            // The proxy has stopped if nothing listens.
            self.booked.send(booked).unwrap_or_default();
        }
    }

    /// Computes the cost of a request that has ended.
    fn price(
        &mut self,
        settlement: Settlement,
        settled: &mut Vec<SettledRequest>,
        events: &mut Vec<Event>,
    ) -> BookedCost {
        let mut finished = settlement.finished;
        let mut entry = settlement.entry;
        let nanos = match &mut entry {
            None => Some(0),
            Some(entry) => {
                let exact = settlement.usage.total_cost().map(|cost| cost.0);
                let pricing = self.services.pricing.get(&entry.provider);
                entry.nanos = exact.or_else(|| match pricing?.price_of(&settlement.priced_as) {
                    Price::Known(prices) if !settlement.usage.is_byok => {
                        prices.estimate(&settlement.usage).map(|cost| cost.0)
                    }
                    _ => None,
                });
                entry.estimated = exact.is_none() && entry.nanos.is_some();
                if let Some(nanos) = entry.nanos {
                    finished = finished
                        .number("nano_dollars", nanos)
                        .flag("estimated", entry.estimated);
                }
                entry.nanos
            }
        };
        events.push(finished);
        let reserved = settlement.hold.as_ref().map_or(0, Hold::nanos);
        self.spending.release(&settlement.token, reserved);
        self.spending.spend(&settlement.token, nanos.unwrap_or(0));
        if settlement.hold.is_some() || entry.is_some() {
            settled.push(SettledRequest {
                hold: settlement.hold,
                entry,
                id: settlement.id,
            });
        }
        BookedCost {
            token: settlement.token,
            nanos,
        }
    }

    /// The request, with the dearest of the models that may answer it; `None` if there is no budget.
    fn dearest(
        &self,
        application: &AdmissionRequest,
        limits: BudgetLimits,
    ) -> Result<Option<PricedRequest>, Refusal> {
        let services = self.services;
        let Some(pricing) = services.pricing.get(&application.request.provider) else {
            return Err(Refusal::new(
                500,
                "no_price_list",
                "the provider has no price list",
            ));
        };
        if !limits.is_set() && application.token_budget.is_none() {
            return Ok(None);
        }
        let cost = |model: &str| {
            let bound = CostBound::new(pricing.price_of(model), model, application.size, true);
            bound.ok().flatten().map_or(0, |bound| bound.want)
        };
        let mut request = application.request.clone();
        let others = application.other_models.iter();
        if let Some(dearest) = others.max_by_key(|model| cost(model))
            && cost(dearest) > cost(&request.model)
        {
            request.model.clone_from(dearest);
        }
        let allow = services.allow_unknown_price;
        let need = CostNeed::new(pricing, allow, &request, application.size);
        Ok(Some(PricedRequest { request, need }))
    }

    /// Counts the requests, as far as the rate limits allow.
    fn count(&mut self, waiting: &mut [Waiting], events: &mut Vec<Event>) {
        let allowed = waiting.iter_mut().filter(|waiting| waiting.outcome.is_ok());
        let mut allowed: Vec<&mut Waiting> = allowed.collect();
        if allowed.is_empty() {
            return;
        }
        let services = self.services;
        let found = Cell::new(0);
        let recover = |since| -> Vec<Time> {
            let times = services.audit.sent_since(since);
            found.set(times.len());
            times
        };
        let many = u32::try_from(allowed.len()).unwrap_or(u32::MAX);
        let now = services.clock.moment();
        let locked = match self.locks.requests.take() {
            Some(locked) => Ok(locked),
            None => services.limiter.lock(),
        };
        let taken = locked.and_then(|locked| locked.acquire_up_to(many, now, &recover));
        let (count, rebuilt, refusal) = match &taken {
            Ok(batch) => (
                batch.count as usize,
                batch.admitted.rebuilt.is_some(),
                batch.refusal().as_ref().map(limit_refusal),
            ),
            Err(error) => (0, false, Some(limit_refusal(error))),
        };
        if found.get() > 0 || rebuilt {
            events.push(rebuilt_event("requests").number("found", found.get()));
        }
        let Some(refusal) = refusal else { return };
        let refused = allowed.iter_mut().skip(count);
        let unsent: Vec<SettledRequest> = refused
            .filter_map(|waiting| refuse(waiting, &refusal, self.spending))
            .collect();
        self.release(&unsent);
    }

    /// Records the requests before they are sent. If that fails they are not, unless the settings say
    /// that a missing record does not stop requests.
    fn record(&mut self, waiting: &mut [Waiting], mut events: Vec<Event>) {
        for waiting in &mut *waiting {
            match &waiting.outcome {
                Ok(_) => {
                    events.extend(waiting.request.redacted.take());
                    events.push(waiting.request.sent.clone());
                }
                Err(refusal) => events.push(refused_event(&waiting.request, refusal)),
            }
        }
        let audit = &self.services.audit;
        let written = match self.locks.audit.take() {
            Some(locked) => locked.append_all(&events),
            None => audit.append_all(&events),
        };
        let Err(error) = written else {
            return;
        };
        if !audit.is_required() {
            return;
        }
        let refusal = Refusal::new(
            503,
            "no_audit_log",
            format!("nothing is sent, because the audit log cannot be written: {error}"),
        );
        let sent = waiting.iter_mut().filter(|waiting| waiting.outcome.is_ok());
        let unsent: Vec<SettledRequest> = sent
            .filter_map(|waiting| refuse(waiting, &refusal, self.spending))
            .collect();
        self.release(&unsent);
    }

    /// Answers all requests.
    fn answer(&mut self, waiting: Vec<Waiting>) {
        let mut unsent = Vec::new();
        for Waiting {
            request,
            answer,
            outcome,
        } in waiting
        {
            // The client may have hung up while it waited.
            if let Err(Ok(Admission {
                hold: Some(hold), ..
            })) = answer.send(outcome)
            {
                self.spending.release(&request.token, hold.nanos());
                unsent.push(SettledRequest::unsent(hold));
            }
        }
        self.release(&unsent);
    }

    fn release(&self, unsent: &[SettledRequest]) {
        if !unsent.is_empty() {
            // If this fails the amounts count as spent after a quarter of an hour.
            let released = self.services.budget.batch(|batch| batch.settle(unsent));
            released.and_then(|done| done).unwrap_or_default();
        }
    }
}

/// Reserves the most that a request can cost, in the budgets and in that of its token.
fn reserve(
    batch: &mut BudgetBatch<'_>,
    limits: BudgetLimits,
    spending: &mut RunSpending,
    application: &AdmissionRequest,
    priced: PricedRequest,
    events: &mut Vec<Event>,
) -> Result<Admission, Refusal> {
    let own = SessionSpend {
        conversation: 0,
        command: spending.all.total(),
    };
    let token = spending.tokens.get(&application.token).copied();
    let token = token.unwrap_or_default();
    let of_token = application.token_budget.map(|most| {
        own.command
            .saturating_add(most.saturating_sub(token.total()).max(0))
    });
    // The token's own budget is checked as one of this run: whichever is lower decides.
    let is_tighter =
        of_token.is_some_and(|most| limits.per_command.is_none_or(|other| most < other));
    let limits = if is_tighter {
        BudgetLimits {
            per_command: of_token,
            ..limits
        }
    } else {
        limits
    };
    let reserved = reserve_cost_in_batch(batch, &limits, priced.need, &priced.request, own);
    let reserved = reserved.map_err(|error| match error {
        budget::Error::Spent { status, .. }
            if is_tighter && status.span == budget::Period::Command =>
        {
            Refusal::new(
                402,
                "token_budget_reached",
                "the budget of this token does not pay for this request",
            )
        }
        other => budget_refusal(&other),
    })?;
    let Some(reserved) = reserved else {
        return Ok(Admission::default());
    };
    if reserved.rebuilt {
        events.push(rebuilt_event("tally"));
    }
    spending.hold(&application.token, reserved.hold.nanos());
    Ok(Admission {
        max_tokens: reserved.max_tokens,
        hold: Some(reserved.hold),
    })
}

/// Refuses a request after all. Returns its reservation, which has to be released.
fn refuse(
    waiting: &mut Waiting,
    refusal: &Refusal,
    spending: &mut RunSpending,
) -> Option<SettledRequest> {
    let before = std::mem::replace(&mut waiting.outcome, Err(refusal.clone()));
    let hold = before.ok()?.hold?;
    spending.release(&waiting.request.token, hold.nanos());
    Some(SettledRequest::unsent(hold))
}

fn check_pause(request: &ReservationRequest, pauses: &[(String, Duration)]) -> Result<(), Refusal> {
    if pauses.is_empty() {
        return Ok(());
    }
    let who = format!("{}/{}/{}", request.provider, request.profile, request.model);
    match pauses.iter().find(|(other, _)| *other == who) {
        None => Ok(()),
        Some((_, wait)) => Err(Refusal::new(
            429,
            "provider_asked_to_wait",
            format!("`{}` asked to wait {}", request.provider, humanize(*wait)),
        )
        .after(*wait)),
    }
}

fn rebuilt_event(file: &str) -> Event {
    Event::new(EventKind::Rebuilt)
        .severity(Severity::Warning)
        .word("file", file)
}

fn refused_event(application: &AdmissionRequest, refusal: &Refusal) -> Event {
    let kind = match refusal.code {
        "budget_reached" | "token_budget_reached" | "unknown_price" => EventKind::Budget,
        _ => EventKind::Limited,
    };
    Event::new(kind)
        .severity(Severity::Warning)
        .word("reason", refusal.code)
        .word("model", &application.request.model)
        .flag("proxy", true)
}

fn limit_refusal(error: &limits::Error) -> Refusal {
    let (status, code) = match error {
        limits::Error::Lockdown { .. } => (403, "lockdown"),
        limits::Error::Full { .. } => (429, "rate_limited"),
        limits::Error::AskedToWait { .. } => (429, "provider_asked_to_wait"),
        limits::Error::Disk(_) => (503, "no_counter"),
    };
    let refusal = Refusal::new(status, code, error.to_string());
    match error.wait() {
        Some(wait) => refusal.after(wait),
        None => refusal,
    }
}

fn disk_refusal(error: &crate::fs::Error) -> Refusal {
    Refusal::new(503, "no_counter", format!("cannot count requests: {error}"))
}

fn budget_refusal(error: &budget::Error) -> Refusal {
    let (status, code) = match error {
        budget::Error::Spent { .. } => (402, "budget_reached"),
        budget::Error::NoPrice { .. } => (402, "unknown_price"),
        budget::Error::Disk(_) => (503, "no_totals"),
    };
    Refusal::new(status, code, error.to_string())
}
