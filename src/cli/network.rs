//! The async runtime, the cancellation of an answer, and the hint for each error of a provider.

use super::report::{Exit, Meaning, meaning};
use crate::provider::{Error, Kind};
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
pub(crate) struct Stop(Rc<RefCell<(bool, Option<Waker>)>>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Requests cancellation and wakes the waiter.
    pub(crate) fn want(&self) {
        let mut inner = self.0.borrow_mut();
        inner.0 = true;
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.borrow().0
    }

    /// Waits for cancellation.
    pub(crate) async fn wanted(&self) {
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

/// The exit code and the hint for an error of a provider.
pub(crate) fn explain(error: &Error) -> Meaning {
    let (exit, hint) = match error.kind() {
        Kind::InvalidKey => (Exit::Key, "save another one with `chatbot key set`"),
        Kind::NoCredit => (Exit::Provider, "add credit at the provider, or raise the key's own limit there"),
        Kind::Forbidden => (Exit::Provider, "check the key's permissions and limits at the provider"),
        Kind::NotFound => (Exit::Failure, "list the models with `chatbot models`"),
        Kind::PrivacyRestricted => (
            Exit::Refused,
            "choose another model, or allow providers that store your messages: `privacy.data_collection = \"allow\"` in the settings",
        ),
        Kind::BadRequest => (Exit::Failure, "change the message or the options"),
        Kind::Timeout => (Exit::Network, "try again, or choose another model"),
        Kind::RateLimited { .. } => (Exit::Provider, "wait, then try again"),
        Kind::Upstream => (Exit::Network, "try again, or choose another model"),
        Kind::Refused => (Exit::Network, "check that the server is running and that `base_url` is right"),
        Kind::Dns => (Exit::Network, "check the network, and `base_url` if you set it"),
        Kind::Connect => (Exit::Network, "check the network"),
        Kind::Tls => (Exit::Network, "if you use your own certificate authority, set `SSL_CERT_FILE`; verification cannot be turned off"),
        Kind::Reset => (Exit::Network, "the partial answer is kept; try again"),
        Kind::Truncated => (Exit::Network, "the partial answer is kept; try again"),
        Kind::Empty => (Exit::Network, "try again, or choose another model"),
        Kind::Malformed => (Exit::Network, "the partial answer is kept; check that `base_url` is an OpenAI-compatible server"),
        Kind::TooLarge => (Exit::Network, "the partial answer is kept"),
        Kind::NotJson => {
            (Exit::Network, "check that `base_url` is an OpenAI-compatible server, and that no login page intercepts the connection")
        }
        Kind::Compressed => (Exit::Network, "turn off compression at the server or the proxy in between"),
        Kind::Redirect => (Exit::Network, "if you trust the new host with your key, set `base_url` to its address"),
        Kind::PlainHttp => (Exit::Misuse, "use https; plain http is allowed for this machine only"),
        Kind::BadAddress => (Exit::Misuse, "fix `base_url` in the settings"),
        Kind::BadNet => (Exit::Misuse, "check `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY`"),
    };
    meaning(exit, error.kind().code(), hint)
}
