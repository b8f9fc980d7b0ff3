//! The commands, one file for each: the options with their help text first, then the code.

pub(super) mod ask;
pub(super) mod audit;
pub(super) mod backup;
pub(super) mod chat;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod data;
pub(super) mod doctor;
pub(super) mod exec;
pub(super) mod history;
pub(super) mod incident;
pub(super) mod key;
pub(super) mod man;
pub(super) mod models;
#[cfg(feature = "pdf")]
pub(super) mod pdf_text;
pub(super) mod proxy;
pub(super) mod redact;
pub(super) mod restore;
pub(super) mod scan;
pub(super) mod teach;
pub(super) mod usage;
pub(super) mod vault;
pub(super) mod version;
