//! Limits on sending: rate windows, the waiting times that providers ask for, and lockdown.

mod backoff;
mod lockdown;
mod rate;

pub use backoff::Backoff;
pub use lockdown::{Lockdown, LockdownStatus};
pub use rate::{Admitted, AdmittedBatch, Limiter, LockedLimiter, RequestMark, Window, WindowUsage};

use crate::fs;
use crate::time::Time;
use std::time::Duration;

/// Why a request is not allowed now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A window is full.
    #[error("{}", describe_full(usage.window))]
    Full {
        /// The window that stays full the longest.
        usage: WindowUsage,
        /// How long until a request is allowed.
        wait: Duration,
    },
    /// The state cannot be read or written, so no request is allowed.
    #[error("cannot count requests")]
    Disk(#[from] fs::Error),
    /// The provider asked to wait.
    #[error("`{who}` asked to wait {} before the next request", crate::time::humanize(*wait))]
    AskedToWait {
        /// The provider, profile and model.
        who: String,
        /// The remaining waiting time.
        wait: Duration,
    },
    /// Lockdown is active.
    #[error("lockdown is active{}: nothing is sent", since.map_or(String::new(), |s| format!(" since {}", s.local_minute())))]
    Lockdown {
        /// Since when, if known.
        since: Option<Time>,
    },
}

fn describe_full(window: Window) -> String {
    let length = crate::time::humanize(window.length);
    match window.max_requests {
        0 => format!("the rate limit is 0 requests in {length}: no request is allowed"),
        most => format!("rate limit of {most} requests in {length} reached"),
    }
}

impl Error {
    /// How long until a retry makes sense.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            // With a limit of 0, waiting does not help.
            Self::Full { usage: level, .. } if level.window.max_requests == 0 => None,
            Self::Full { wait, .. } | Self::AskedToWait { wait, .. } => Some(*wait),
            Self::Disk(_) | Self::Lockdown { .. } => None,
        }
    }
}
