//! A terminal chat client for people who treat their API key and their conversations as secrets.
//!
//! Every message takes the same path (`chat::Session::send`):
//!
//! ```text
//! typed ─► Raw ─► validate ─► redact ─► limits, budget ─► save (encrypted) ─► send ─► stream answer
//!                                                                                      │
//!         screen ◄─ restore placeholders ◄─ sanitize ◄─────────────────────────────────┤
//!         disk   ◄─ encrypt ◄─ redact ◄── answer ◄─────────────────────────────────────┘
//!                                          └─► usage, audit (numbers only)
//! ```
//!
//! Nothing is sent before it is saved, nothing is saved before it is redacted, and nothing is
//! displayed before it is sanitized. Types carry this: only the redactor makes a [`Redacted`] from
//! [`Raw`] text, a [`Message`] holds a [`Redacted`], and a terminal accepts a [`Displayable`] only.
//! `tests/it/types.rs` tries to get around them, `tests/it/leaks.rs` looks for a planted secret in
//! everything that leaves the program, and `tests/it/architecture.rs` holds the layers and the
//! imports. `docs/architecture.md` is the map of the modules.

pub mod audit;
pub mod backup;
pub mod build_info;
pub mod catalog;
pub mod chat;
mod cli;
pub mod config;
pub mod conversations;
/// Encryption, key derivation and encodings.
pub mod crypto;
pub mod dirs;
pub mod doctor;
pub mod erasure;
pub mod fs;
pub mod image;
pub mod incident;
pub mod keys;
pub mod limits;
pub mod message;
pub mod name;
pub mod net;
pub mod privacy;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod render;
mod scanner;
pub mod secret;
pub mod time;
pub mod usage;

pub use self::dirs::Dirs;
pub use cli::run;
pub use message::{Message, Role};
pub use name::Name;
pub use privacy::{Displayable, Placeholders, Policy, Raw, Redacted, Redactor, Style};
pub use secret::Secret;
pub use time::{Clock, Time};
