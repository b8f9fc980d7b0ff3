//! A terminal chat client for people who treat their API key and their conversations as secrets.
//!
//! One message goes this way, and no other (`chat::Session::say`):
//!
//! ```text
//! typed ─► Raw ─► validate ─► redact ─► limits and budget ─► keep (sealed, synced) ─► send ─► hear piece by piece
//!                                                                                       │
//!         screen ◄─ restore placeholders ◄─ printable ◄─────────────────────────────────┤
//!         disk   ◄─ seal ◄─ redact ◄── reply ◄───────────────────────────────────────────┘  ─► ledger (numbers only)
//! ```
//!
//! Nothing leaves that was not kept first; nothing is kept that was not redacted; nothing is shown that was not made harmless.

pub mod archive;
pub mod catalog;
pub mod chat;
mod cli;
pub mod clock;
pub mod disk;
pub mod home;
pub mod keys;
pub mod ledger;
pub mod limit;
pub mod message;
pub mod name;
pub mod privacy;
pub mod process;
pub mod provider;
pub mod seal;
pub mod secret;
pub mod settings;
pub mod upkeep;

pub use cli::run;
pub use clock::{Clock, Time};
pub use home::Home;
pub use message::{Message, Role};
pub use name::Name;
pub use privacy::{Displayable, Placeholders, Policy, Raw, Redacted, Redactor, Style};
pub use secret::Secret;
