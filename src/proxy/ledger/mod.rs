//! Limits, budget, usage and audit log of the proxy.
//!
//! It uses the same files and the same rules as a chat, so that all programs together cannot exceed
//! them. What arrives in one turn of the runtime is done together: each file is locked and written
//! once, and then all requests are answered.
//!
//! Files are read from and written to the page cache, which takes less time than to hand the work to
//! another thread and back. Only if another process holds a lock, or a file has to be synced, a thread
//! does the work, because requests must not wait for each other.

mod locks;
mod spending;
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
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc as unbounded;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
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

/// The tasks, and who does them.
struct LedgerQueue {
    tasks: RefCell<Vec<Task>>,
    /// Not here while a thread works.
    worker: RefCell<Option<LedgerWorker>>,
    /// Tells that there are tasks, or that no more will come.
    changed: Notify,
    is_closed: Cell<bool>,
}

/// The ledger, seen from the requests.
pub(super) struct Ledger {
    queue: Rc<LedgerQueue>,
    running: JoinHandle<()>,
}

impl Ledger {
    /// Starts the task that works. Call it within a `LocalSet`.
    pub(super) fn open(
        services: LedgerServices,
        booked: unbounded::UnboundedSender<Vec<BookedCost>>,
    ) -> Self {
        let queue = Rc::new(LedgerQueue {
            tasks: RefCell::default(),
            worker: RefCell::new(Some(LedgerWorker::new(services, booked))),
            changed: Notify::new(),
            is_closed: Cell::new(false),
        });
        Self {
            running: tokio::task::spawn_local(Rc::clone(&queue).run()),
            queue,
        }
    }

    /// Asks whether a request may be sent. With the answer everything about it is on disk; without
    /// one, the proxy is stopping.
    pub(super) fn admit(
        &self,
        request: AdmissionRequest,
    ) -> oneshot::Receiver<Result<Admission, Refusal>> {
        let (answer, hear) = oneshot::channel();
        self.queue.give(Task::Admit(Box::new(request), answer));
        hear
    }

    /// Books a request that has ended.
    pub(super) fn settle(&self, settlement: Settlement) {
        self.queue.give(Task::Settle(Box::new(settlement)));
    }

    /// Records an event.
    pub(super) fn record(&self, event: Event) {
        self.queue.give(Task::Record(Box::new(event)));
    }

    /// Waits until everything is booked.
    pub(super) async fn close(mut self) {
        self.queue.is_closed.set(true);
        self.queue.changed.notify_one();
        // A panic has been reported already.
        drop((&mut self.running).await);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.running.abort();
        self.queue.finish();
    }
}

impl LedgerQueue {
    fn give(&self, task: Task) {
        if !self.is_closed.get() {
            self.tasks.borrow_mut().push(task);
            self.changed.notify_one();
        }
    }

    /// The tasks that are done together next.
    fn take_batch(&self) -> Vec<Task> {
        let mut tasks = self.tasks.borrow_mut();
        let count = tasks.len().min(MAX_BATCH);
        tasks.drain(..count).collect()
    }

    /// Does tasks until no more will come. What has to wait is done on another thread, so that
    /// answers go on meanwhile.
    async fn run(self: Rc<Self>) {
        loop {
            let mut tasks = self.take_batch();
            if tasks.is_empty() {
                if self.is_closed.get() {
                    return;
                }
                self.changed.notified().await;
                continue;
            }
            let worker = self.worker.take();
            let Some(mut worker) = worker else { return };
            if !worker.try_work(&mut tasks) {
                let work = move || {
                    worker.work(tasks);
                    worker
                };
                worker = match tokio::task::spawn_blocking(work).await {
                    Ok(worker) => worker,
                    // It has panicked. Without it nothing may be sent.
                    Err(_) => return self.refuse_all(),
                };
            }
            self.worker.replace(Some(worker));
        }
    }

    /// Does what is left, if the task that worked has ended early.
    fn finish(&self) {
        if let Some(mut worker) = self.worker.take() {
            worker.work(self.tasks.take());
        }
    }

    fn refuse_all(&self) {
        self.is_closed.set(true);
        self.tasks.take();
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
