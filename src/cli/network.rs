//! The runtime, what stops an answer, and what a provider's errors mean to people.

use super::report::{Exit, Meaning, meaning};
use crate::provider::{Error, Kind};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What waits for the network.
pub(crate) type Runtime = tokio::runtime::Runtime;

/// One thread is enough: a chat waits, it does not compute.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the network")
}

/// Whether the answer is still wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Rc<RefCell<(bool, Option<Waker>)>>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// It is not.
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

    /// Waits until it is not.
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

/// What a provider's error means, and what to do.
pub(crate) fn explain(error: &Error) -> Meaning {
    let (exit, hint) = match error.kind() {
        Kind::InvalidKey => (Exit::Key, "store another with `chatbot key set`"),
        Kind::NoCredit => (Exit::Provider, "add credit at the provider, or raise the key's own limit there"),
        Kind::Forbidden => (Exit::Provider, "look at the key's permissions and limits at the provider"),
        Kind::NotFound => (Exit::Failure, "`chatbot models` lists what there is"),
        Kind::PrivacyRestricted => (
            Exit::Refused,
            "choose another model, or accept providers that keep your words: `privacy.data_collection = \"allow\"` in the settings",
        ),
        Kind::BadRequest => (Exit::Failure, "change the question or the options"),
        Kind::Timeout => (Exit::Network, "try again, or choose another model"),
        Kind::RateLimited { .. } => (Exit::Provider, "wait, then ask again"),
        Kind::Upstream => (Exit::Network, "try again, or choose another model"),
        Kind::Refused => (Exit::Network, "is the server running, and is `base_url` right?"),
        Kind::Dns => (Exit::Network, "check the network, and `base_url` if it is your own"),
        Kind::Connect => (Exit::Network, "check the network"),
        Kind::Tls => (
            Exit::Network,
            "if a certificate authority of your own is used here, name it in `SSL_CERT_FILE`; verification cannot be switched off",
        ),
        Kind::Reset => (Exit::Network, "what came is kept; ask again"),
        Kind::Truncated => (Exit::Network, "what came is kept; ask again"),
        Kind::Empty => (Exit::Network, "ask again, or choose another model"),
        Kind::Malformed => (Exit::Network, "what came is kept; check that `base_url` is an OpenAI-compatible server"),
        Kind::TooLarge => (Exit::Network, "what came is kept"),
        Kind::NotJson => (Exit::Network, "check that `base_url` is an OpenAI-compatible server, and that no login page is in between"),
        Kind::Compressed => (Exit::Network, "switch compression off at the server or the proxy in between"),
        Kind::Redirect => (Exit::Network, "set `base_url` to where it leads, if you trust that host with your key"),
        Kind::PlainHttp => (Exit::Misuse, "use https; plain http is for this machine only"),
        Kind::BadAddress => (Exit::Misuse, "mend `base_url` in the settings"),
        Kind::BadNet => (Exit::Misuse, "check `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY`"),
    };
    meaning(exit, error.kind().code(), hint)
}
