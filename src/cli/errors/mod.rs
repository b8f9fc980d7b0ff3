//! The error of a command: what went wrong, what to type, and the exit code.
//!
//! - `mod.rs` has the types and is below everything else in `cli`.
//! - `diagnose` finds the exit code and the hint for the error of any module. The tables for keys,
//!   network and object storage are in files of their own.
//! - `report` prints an error, as sentences or as JSON.

pub(super) mod diagnose;
mod keys;
mod network;
pub(super) mod report;
pub(super) mod settings;
mod storage;

use std::fmt;
use std::time::Duration;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CliExit {
    /// Any other failure.
    Failure = 1,
    /// The command line or the settings are wrong.
    Misuse = 2,
    /// No key, an invalid key, a locked vault.
    Key = 3,
    /// Refused by validation or by the privacy policy.
    Refused = 4,
    /// A local rate limit or budget.
    Limit = 5,
    /// The provider's rate limit or credit.
    Provider = 6,
    /// Network, TLS or timeout.
    Network = 7,
    /// Storage, decryption or integrity.
    Storage = 8,
    /// A check found something.
    Findings = 9,
    /// Stopped by the user.
    Interrupted = 130,
}

/// An error with a hint that the user can act on.
#[derive(Clone, Debug)]
pub(crate) struct CliError {
    exit: CliExit,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

impl CliError {
    pub(crate) fn new(exit: CliExit, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: what.into(),
            hint: None,
            retry_after: None,
        }
    }

    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self::new(CliExit::Misuse, "usage", what)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Rewrites the hint, if there is one.
    pub(crate) fn map_hint(mut self, rewrite: impl FnOnce(String) -> String) -> Self {
        self.hint = self.hint.map(rewrite);
        self
    }

    /// Puts the operation that failed in front, with that operation's exit code.
    pub(crate) fn context(mut self, exit: CliExit, undone: &str) -> Self {
        self.message = format!("{undone}: {}", self.message);
        Self { exit, ..self }
    }

    /// Reports damage as what a check has found.
    pub(crate) fn damage_as_finding(mut self) -> Self {
        if self.code == "backup_damaged" {
            self.exit = CliExit::Findings;
        }
        self
    }

    /// The code, if the user's message was refused.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        (self.exit == CliExit::Refused).then_some(self.code)
    }

    pub(crate) const fn exit_code(&self) -> CliExit {
        self.exit
    }

    /// The first command that the hint names.
    pub(crate) fn hint_command(&self) -> Option<&str> {
        let mut quoted = self.hint.as_deref()?.split('`').skip(1).step_by(2);
        quoted.find(|text| text.starts_with("chatbot "))
    }

    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code == code
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

/// The command failed, but everything has been printed already: only the exit code is left to
/// report.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("ended")]
pub(crate) struct SilentExit(pub(crate) CliExit);

/// The exit code of a program that was run for the user; it has said itself what went wrong.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the program ended with {0}")]
pub(crate) struct ChildExit(pub(crate) u8);

/// The exit code of an error, its code for scripts, and the hint.
pub(crate) type Diagnosis = Option<(CliExit, &'static str, Option<String>)>;

#[expect(
    clippy::unnecessary_wraps,
    reason = "a row of the tables, where some errors have no meaning of their own"
)]
pub(crate) fn diagnosis(exit: CliExit, code: &'static str, hint: &str) -> Diagnosis {
    Some((exit, code, (!hint.is_empty()).then(|| hint.to_owned())))
}
