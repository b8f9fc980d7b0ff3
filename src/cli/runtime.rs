//! The async runtime, and what stops an answer: a cancellation or a signal.

use anyhow::{Context as _, Result};
use tokio::sync::watch;

pub(crate) type Runtime = tokio::runtime::Runtime;

/// A single-threaded runtime: a chat waits for the network and computes little. Timers are looked at
/// after a few steps and not after 61: a server that sends without a pause would postpone deadlines
/// by as much work as it can cause in a step.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(4)
        .build()
        .context("cannot start the network")
}

/// Which signals stop an answer, in addition to Ctrl-C.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has these signals"))]
pub(crate) struct StopSignals {
    /// SIGHUP, if a terminal was watching: then the program was not meant to outlive its window.
    pub(crate) window: bool,
    /// SIGTERM, for a command that ends with its answer; a chat would return to its prompt instead.
    pub(crate) program: bool,
}

/// Waits for Ctrl-C, for `cancelled` to become true, or for a signal of `ends`. The caller keeps the
/// partial answer and records its cost.
pub(crate) async fn wait_for_interrupt(mut cancelled: watch::Receiver<bool>, ends: StopSignals) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = cancelled.wait_for(|cancelled| *cancelled) => (),
        () = wait_for_signal(ends) => (),
    }
}

/// Waits for one of the signals, also for one that came between this call and the waiting.
#[cfg(unix)]
pub(crate) fn wait_for_signal(ends: StopSignals) -> impl Future<Output = ()> {
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
    async move {
        tokio::select! {
            () = came(window) => (),
            () = came(program) => (),
        }
    }
}

#[cfg(not(unix))]
pub(crate) async fn wait_for_signal(_: StopSignals) {
    std::future::pending().await
}
