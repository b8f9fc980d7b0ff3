//! The state of log, limits and budgets that the key store remembers, and when it is compared.

use crate::audit::log::LogMark;
use crate::limits::RequestMark;
use crate::usage::budget::SpendingMark;
use serde::{Deserialize, Serialize};

/// The state of log, limits and budgets when the marks were written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StateMarks {
    pub(super) log: Option<LogMark>,
    pub(super) requests: Option<RequestMark>,
    pub(super) spending: Option<SpendingMark>,
}

/// When to compare the state with its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// If the last write is more than a minute ago; the marks are then written only if something
    /// was raised.
    BeforeSending,
    /// If the last write is more than a minute ago.
    IfDue,
    /// Always.
    Now,
}
