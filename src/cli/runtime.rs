//! The async runtime, and the cancellation of an answer.

use anyhow::{Context, Result};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

pub(crate) type Runtime = tokio::runtime::Runtime;

/// A single-threaded runtime: a chat waits for the network and computes little.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the network")
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
