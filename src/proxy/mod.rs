//! The proxy: other programs use models through it, with a token instead of the key.
//!
//! It listens on the loopback address or on a Unix socket. Every request takes the same path:
//!
//! ```text
//! connection ─► guard: host, origin, form            guard
//!            ─► token or signature, scope            credentials, token, scope
//!            ─► route                                routes
//!            ─► redact                               privacy::json
//!            ─► limits, budget, audit record         ledger
//!            ─► send with the key                    provider::Upstream
//!            ◄─ restore what is safe to restore      privacy::json
//!            ◄─ book usage and cost                  answer_usage, ledger
//! ```
//!
//! One thread runs all requests, and a second one writes to the disk. Tokens live in memory and end
//! with the proxy.

mod account;
mod answer_usage;
mod body;
mod control;
mod credentials;
mod demo;
mod event_filter;
mod forward;
mod guard;
mod ledger;
mod listener;
mod metrics;
mod page;
mod read_body;
mod refusal;
mod request;
mod routes;
pub mod scope;
mod server;
mod state;
pub mod token;

pub use credentials::text_to_sign;
pub use ledger::LedgerServices;
pub use metrics::ProxyTotals;
pub use server::{ProxyServer, ServerError};
pub use state::{OwnerReports, ProxyConfig, ProxyParts};
