//! `chatbot doctor`: a table of checks, one function each, that look at what really happens on this
//! machine rather than at what the settings say.
//!
//! - `outcome` has the result of a check, `examination` what the checks can look at.
//! - `table` has the checks in the order in which they are shown. To add one, write a function in
//!   the file of its topic and add a row.
//! - `repair` is what `--fix` may do.
//!
//! A check returns an outcome whatever it meets, prints nothing, and asks for nothing but the
//! passphrase of a backup. A summary names files, lines and kinds, never a value that was found.

mod audit;
mod backup;
mod env_files;
mod examination;
mod installation;
mod keys;
mod limits;
mod network;
mod other_tools;
mod outcome;
mod plain_keys;
mod privacy;
mod program;
pub mod repair;
mod repositories;
mod shell_history;
mod storage;
mod system;
mod table;
mod vault;

pub use examination::{
    BackupPassphrase, Examination, KeyVariable, NetworkRoute, ReachedProvider, UserFolders,
};
pub use network::reach;
pub use outcome::{CheckOutcome, CheckResult, CheckStatus};
pub use repositories::verify_repositories;
pub use table::{CHECKS, CheckRow, examine};

/// What is protected from whom, and what is not: the page of the documentation.
pub const THREAT_MODEL: &str = include_str!("../../docs/threat-model.md");
