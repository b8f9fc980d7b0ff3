//! Limits, budget, usage and audit log of the proxy, on a thread of their own, because each waits for
//! the disk and requests must not wait for each other.
//!
//! It uses the same files and the same rules as a chat, so that all programs together cannot exceed
//! them. What arrives while it works is done together afterwards: each file is locked and written
//! once, and then all requests are answered.

mod worker;

use crate::audit::Event;
use crate::audit::log::AuditLog;
use crate::limits::{Backoff, Limiter, Lockdown};
use crate::provider::{Pricing, RequestSize, TokenUsage};
use crate::proxy::refusal::Refusal;
use crate::time::Clock;
use crate::usage::UsageEntry;
use crate::usage::budget::BudgetTracker;
use crate::usage::totals::{Hold, ReservationRequest};
use std::collections::HashMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc as unbounded;
use tokio::sync::oneshot;
use worker::LedgerWorker;

/// The most tasks that are done together: each waits for all of them.
const MAX_BATCH: usize = 128;

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

type AdmissionSender = oneshot::Sender<Result<Admission, Refusal>>;

enum Task {
    Admit(Box<AdmissionRequest>, AdmissionSender),
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
        booked: unbounded::UnboundedSender<Vec<BookedCost>>,
    ) -> std::io::Result<Self> {
        let (tasks, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(String::from("ledger"))
            .spawn(move || {
                let mut worker = LedgerWorker::new(services, booked);
                while let Ok(first) = received.recv() {
                    let others = received.try_iter().take(MAX_BATCH - 1);
                    worker.work(std::iter::once(first).chain(others));
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
