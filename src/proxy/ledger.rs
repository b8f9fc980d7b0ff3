//! Limits, budget, usage and audit log of the proxy, on a thread of their own, because each waits for
//! the disk and requests must not wait for each other.
//!
//! It uses the same files and the same rules as a chat, so that all programs together cannot exceed
//! them.

use crate::audit::log::AuditLog;
use crate::audit::{Event, EventKind, Severity};
use crate::limits::{self, Admitted, Backoff, Limiter, Lockdown};
use crate::provider::{CostBound, Price, Pricing, RequestSize, TokenUsage, reserve_cost};
use crate::proxy::refusal::Refusal;
use crate::time::{Clock, Time, humanize};
use crate::usage::UsageEntry;
use crate::usage::budget::{self, BudgetTracker, SessionSpend};
use crate::usage::totals::{Hold, ReservationRequest};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc as unbounded;
use tokio::sync::oneshot;

/// What the ledger is kept with.
#[derive(Debug)]
pub struct LedgerServices {
    /// Stops all sending during an incident.
    pub lockdown: Lockdown,
    /// Enforces the rate limits.
    pub limiter: Limiter,
    /// Remembers the waiting times that providers asked for.
    pub backoff: Backoff,
    /// Enforces the budgets.
    pub budget: BudgetTracker,
    /// Looks up the prices of models, by provider.
    pub pricing: HashMap<String, Pricing>,
    /// Writes the audit log.
    pub audit: AuditLog,
    /// Reads the time.
    pub clock: Clock,
    /// Allow a model with unknown price although a budget is set.
    pub allow_unknown_price: bool,
}

/// A request that asks to be sent.
#[derive(Debug)]
pub(super) struct AdmissionRequest {
    pub(super) request: ReservationRequest,
    pub(super) size: RequestSize,
    /// Other models that the provider may choose instead.
    pub(super) other_models: Vec<String>,
    /// Whether the provider charges for it.
    pub(super) is_billed: bool,
    /// The id of its token.
    pub(super) token: String,
    /// The budget of the token, if it has one.
    pub(super) token_budget: Option<i64>,
    /// Recorded before the request is sent.
    pub(super) sent: Event,
    /// What was redacted in it, if anything.
    pub(super) redacted: Option<Event>,
}

/// A request that may be sent.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub(super) hold: Option<Hold>,
    /// The longest answer that the budget pays for, if there is a budget.
    pub(super) max_tokens: Option<u32>,
}

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Settlement {
    /// The id of its token.
    pub(super) token: String,
    pub(super) hold: Option<Hold>,
    /// Its usage, without its cost; `None` if no request was made that could have cost anything.
    pub(super) entry: Option<UsageEntry>,
    /// What the usage was, to compute the cost.
    pub(super) usage: TokenUsage,
    /// The model that was requested, whose price applies.
    pub(super) priced_as: String,
    /// The provider's id of the answer, to ask for its cost later.
    pub(super) id: Option<String>,
    pub(super) finished: Event,
    /// The provider asked to wait.
    pub(super) wait: Option<(String, Duration)>,
}

/// A request that was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BookedCost {
    /// The id of its token.
    pub(super) token: String,
    /// Its cost; `None` if it is unknown, and 0 if it cost nothing.
    pub(super) nanos: Option<i64>,
}

enum Task {
    Admit(
        Box<AdmissionRequest>,
        oneshot::Sender<Result<Admission, Refusal>>,
    ),
    Settle(Box<Settlement>),
    Record(Box<Event>),
}

/// The thread, seen from the requests.
#[derive(Debug)]
pub(super) struct Ledger {
    tasks: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Starts the thread.
    pub(super) fn open(
        services: LedgerServices,
        booked: unbounded::UnboundedSender<BookedCost>,
    ) -> std::io::Result<Self> {
        let (tasks, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(String::from("ledger"))
            .spawn(move || {
                let mut worker = LedgerWorker {
                    services,
                    booked,
                    all: Spending::default(),
                    tokens: HashMap::new(),
                };
                for task in received {
                    worker.work(task);
                }
            })?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Asks whether a request may be sent. With the answer everything about it is on disk; without
    /// one, the proxy is stopping.
    pub(super) fn admit(
        &self,
        request: AdmissionRequest,
    ) -> oneshot::Receiver<Result<Admission, Refusal>> {
        let (answer, hear) = oneshot::channel();
        self.give(Task::Admit(Box::new(request), answer));
        hear
    }

    /// Books a request that has ended.
    pub(super) fn settle(&self, settlement: Settlement) {
        self.give(Task::Settle(Box::new(settlement)));
    }

    /// Records an event.
    pub(super) fn record(&self, event: Event) {
        self.give(Task::Record(Box::new(event)));
    }

    fn give(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // The thread ends only after the last sender.
            tasks.send(task).unwrap_or_default();
        }
    }

    /// Waits until everything is booked.
    pub(super) fn close(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported already.
            drop(thread.join());
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

/// Does the work of the thread.
struct LedgerWorker {
    services: LedgerServices,
    booked: unbounded::UnboundedSender<BookedCost>,
    /// What this run of the program has spent and reserved.
    all: Spending,
    /// The same for each token.
    tokens: HashMap<String, Spending>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spending {
    spent: i64,
    held: i64,
}

impl Spending {
    const fn total(self) -> i64 {
        self.spent.saturating_add(self.held)
    }

    const fn hold(&mut self, nanos: i64) {
        self.held = self.held.saturating_add(nanos);
    }

    const fn release(&mut self, nanos: i64) {
        self.held = self.held.saturating_sub(nanos);
    }

    const fn spend(&mut self, nanos: i64) {
        self.spent = self.spent.saturating_add(nanos);
    }
}

impl LedgerWorker {
    fn work(&mut self, task: Task) {
        match task {
            Task::Admit(application, answer) => {
                let result = self.admit(&application);
                if let Err(refusal) = &result {
                    self.append(&refused_event(&application, refusal));
                }
                // The client may have hung up while it waited.
                if let Err(Ok(admission)) = answer.send(result)
                    && let Some(hold) = &admission.hold
                {
                    self.release(&application.token, hold);
                }
            }
            Task::Settle(settlement) => self.settle(*settlement),
            Task::Record(event) => self.append(&event),
        }
    }

    fn admit(&mut self, application: &AdmissionRequest) -> Result<Admission, Refusal> {
        self.services
            .lockdown
            .check()
            .map_err(|e| limit_refusal(&e))?;
        let request = &application.request;
        let who = format!("{}/{}/{}", request.provider, request.profile, request.model);
        let wait = self.services.backoff.remaining(&who);
        if let Some(wait) = wait.map_err(|e| disk_refusal(&e))? {
            return Err(Refusal::new(
                429,
                "provider_asked_to_wait",
                format!("`{}` asked to wait {}", request.provider, humanize(wait)),
            )
            .after(wait));
        }
        let admission = if application.is_billed {
            self.reserve(application)?
        } else {
            Admission::default()
        };
        let counted = self.count().and_then(|()| {
            if let Some(redacted) = &application.redacted {
                self.append(redacted);
            }
            self.append_required(&application.sent)
        });
        if let Err(refusal) = counted {
            if let Some(hold) = &admission.hold {
                self.release(&application.token, hold);
            }
            return Err(refusal);
        }
        Ok(admission)
    }

    /// Reserves the most that the request can cost, in the budgets and in that of its token.
    fn reserve(&mut self, application: &AdmissionRequest) -> Result<Admission, Refusal> {
        let services = &self.services;
        let Some(pricing) = services.pricing.get(&application.request.provider) else {
            return Err(Refusal::new(
                500,
                "no_price_list",
                "the provider has no price list",
            ));
        };
        let request = self.dearest(application, pricing);
        let own = SessionSpend {
            conversation: 0,
            command: self.all.total(),
        };
        let mut budget = services.budget.clone();
        let limits = budget.limits();
        let token = self
            .tokens
            .get(&application.token)
            .copied()
            .unwrap_or_default();
        let of_token = application.token_budget.map(|most| {
            own.command
                .saturating_add(most.saturating_sub(token.total()).max(0))
        });
        // The token's own budget is checked as one of this run: whichever is lower decides.
        let is_tighter =
            of_token.is_some_and(|most| limits.per_command.is_none_or(|other| most < other));
        if is_tighter {
            budget.set_limits(budget::BudgetLimits {
                per_command: of_token,
                ..limits
            });
        }
        let reserved = reserve_cost(
            &budget,
            pricing,
            services.allow_unknown_price,
            &request,
            || application.size,
            own,
        );
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
            self.append(&rebuilt_event("tally"));
        }
        let nanos = reserved.hold.nanos();
        self.all.hold(nanos);
        self.tokens
            .entry(application.token.clone())
            .or_default()
            .hold(nanos);
        Ok(Admission {
            max_tokens: reserved.max_tokens,
            hold: Some(reserved.hold),
        })
    }

    /// The request, with the dearest of the models that may answer it.
    fn dearest(&self, application: &AdmissionRequest, pricing: &Pricing) -> ReservationRequest {
        let cost = |model: &str| {
            let bound = CostBound::new(pricing.price_of(model), model, application.size, true);
            bound.ok().flatten().map_or(0, |bound| bound.want)
        };
        let first = &application.request.model;
        let models = application.other_models.iter();
        let dearest = models.max_by_key(|model| cost(model));
        let model = dearest
            .filter(|model| cost(model) > cost(first))
            .unwrap_or(first);
        ReservationRequest {
            model: model.clone(),
            ..application.request.clone()
        }
    }

    fn count(&self) -> Result<(), Refusal> {
        let services = &self.services;
        let found = Cell::new(0);
        let seen = |since| -> Vec<Time> {
            let times = services.audit.sent_since(since);
            found.set(times.len());
            times
        };
        let taken = services.limiter.acquire(services.clock.moment(), &seen);
        let rebuilt = matches!(
            taken,
            Ok(Admitted {
                rebuilt: Some(_),
                ..
            })
        );
        if found.get() > 0 || rebuilt {
            self.append(&rebuilt_event("requests").number("found", found.get()));
        }
        taken.map(|_| ()).map_err(|error| limit_refusal(&error))
    }

    fn settle(&mut self, settlement: Settlement) {
        if let Some((who, wait)) = &settlement.wait {
            // Without the note the provider asks again.
            self.services.backoff.record(who, *wait).unwrap_or_default();
        }
        let hold = settlement.hold.as_ref();
        let reserved = hold.map_or(0, Hold::nanos);
        let mut finished = settlement.finished;
        let nanos = if let Some(mut entry) = settlement.entry {
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
            let id = settlement.id.as_deref();
            let own = SessionSpend::default();
            // If booking fails the reservation stays, and counts as spent.
            drop(self.services.budget.commit(hold, &entry, id, own));
            entry.nanos
        } else {
            if let Some(hold) = hold {
                // If this fails the amount counts as spent after a quarter of an hour.
                self.services.budget.release(hold).unwrap_or_default();
            }
            Some(0)
        };
        let token = self.tokens.entry(settlement.token.clone()).or_default();
        for spending in [token, &mut self.all] {
            spending.release(reserved);
            spending.spend(nanos.unwrap_or(0));
        }
        self.append(&finished);
        // The proxy has stopped if nothing listens.
        let token = settlement.token;
        self.booked
            .send(BookedCost { token, nanos })
            .unwrap_or_default();
    }

    fn release(&mut self, token: &str, hold: &Hold) {
        self.all.release(hold.nanos());
        if let Some(token) = self.tokens.get_mut(token) {
            token.release(hold.nanos());
        }
        // If this fails the amount counts as spent after a quarter of an hour.
        self.services.budget.release(hold).unwrap_or_default();
    }

    /// Records that a request is about to be sent. If that fails it is not sent, unless the settings
    /// say that a missing record does not stop requests.
    fn append_required(&self, event: &Event) -> Result<(), Refusal> {
        match self.services.audit.append(event) {
            Err(error) if self.services.audit.is_required() => Err(Refusal::new(
                503,
                "no_audit_log",
                format!("nothing is sent, because the audit log cannot be written: {error}"),
            )),
            _ => Ok(()),
        }
    }

    fn append(&self, event: &Event) {
        // Requests that need a record use `append_required`.
        self.services.audit.append(event).unwrap_or_default();
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
