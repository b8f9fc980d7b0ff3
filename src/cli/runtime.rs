//! The async runtime, and what stops an answer: a cancellation or a signal.

use anyhow::{Context as _, Result};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

pub(crate) type Runtime = tokio::runtime::Runtime;

/// A single-threaded runtime: a chat waits for the network and computes little.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network")
}

/// A cancellation token for an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Rc<RefCell<(bool, Option<Waker>)>>);

impl Cancel {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Requests cancellation and wakes the waiter.
    pub(crate) fn cancel(&self) {
        let mut inner = self.0.borrow_mut();
        inner.0 = true;
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.borrow().0
    }

    /// Waits for cancellation.
    pub(crate) async fn cancelled(&self) {
        std::future::poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            if inner.0 {
                return Poll::Ready(());
            }
            inner.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Which signals stop an answer, in addition to Ctrl-C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopSignals {
    /// SIGHUP, if a terminal was watching: then the program was not meant to outlive its window.
    pub(crate) window: bool,
    /// SIGTERM, for a command that ends with its answer; a chat would return to its prompt instead.
    pub(crate) program: bool,
}

/// Waits for Ctrl-C, a closed standard output, or a signal of `ends`. The caller keeps the partial
/// answer and records its cost.
pub(crate) async fn wait_for_interrupt(stop: &Cancel, ends: StopSignals) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        () = stop.cancelled() => (),
        () = wait_for_signal(ends) => (),
    }
}

/// Waits for one of the signals.
#[cfg(unix)]
pub(crate) async fn wait_for_signal(ends: StopSignals) {
    use tokio::signal::unix::{SignalKind, signal};
    let hear = |wanted: bool, kind| wanted.then(|| signal(kind).ok()).flatten();
    let window = hear(ends.window, SignalKind::hangup());
    let program = hear(ends.program, SignalKind::terminate());
    let came = |signal: Option<tokio::signal::unix::Signal>| async move {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = came(window) => (),
        () = came(program) => (),
    }
}

#[cfg(not(unix))]
pub(crate) async fn wait_for_signal(_: StopSignals) {
    std::future::pending().await
}
