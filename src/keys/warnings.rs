//! Warnings about API keys before a request fails: too old, expired, rejected, nearly out of
//! credit.

use crate::keys::index::{KeyRecord, KeyStatus};
use crate::time::{Time, humanize};
use std::fmt;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// How long before its expiry a key is reported.
const EXPIRY_NOTICE: Duration = Duration::from_secs(7 * 86_400);
/// A dollar in billionths.
const NANOS_PER_DOLLAR: i64 = 1_000_000_000;

/// A warning about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWarning {
    /// The provider rejected it.
    Invalid,
    /// It has expired.
    Expired(Time),
    /// It expires soon.
    ExpiresSoon(Duration),
    /// It is older than the setting `keys.rotate_after_days` allows.
    Old {
        /// Its age.
        days: u64,
        /// The limit in the settings.
        max_days: u32,
    },
    /// Its spending limit is nearly or fully used; what is left, in billionths of a dollar.
    NearlySpent(i64),
}

impl KeyRecord {
    /// How many days ago the slot got this key.
    #[must_use]
    pub fn age_days(&self, now: Time) -> u64 {
        now.since(self.updated_at).as_secs() / DAY.as_secs()
    }

    /// Whether the last validation or use was more than this many days ago; never if `every_days` is
    /// 0, and not for a key that was never validated.
    #[must_use]
    pub fn is_validation_due(&self, now: Time, every_days: u32) -> bool {
        every_days > 0
            && self
                .last_validated
                .is_some_and(|at| now.since(at) > DAY * every_days)
    }

    /// Whether the key should be replaced: it is too old, has expired or expires soon, or was
    /// rejected.
    #[must_use]
    pub fn is_rotation_due(&self, now: Time, rotate_after_days: u32) -> bool {
        self.warnings(now, rotate_after_days)
            .iter()
            .any(|warning| !matches!(warning, KeyWarning::NearlySpent(_)))
    }

    /// Returns the warnings about a key, the most serious first.
    #[must_use]
    pub fn warnings(&self, now: Time, rotate_after_days: u32) -> Vec<KeyWarning> {
        let mut troubles = Vec::new();
        if self.status == KeyStatus::Invalid {
            troubles.push(KeyWarning::Invalid);
        }
        match self.expires_at {
            Some(end) if end <= now => troubles.push(KeyWarning::Expired(end)),
            Some(end) if end.since(now) < EXPIRY_NOTICE => {
                troubles.push(KeyWarning::ExpiresSoon(end.since(now)));
            }
            _ => {}
        }
        if let Some(left) = self.remaining
            && self
                .limit
                .map_or(left < NANOS_PER_DOLLAR, |limit| left < limit / 10)
        {
            troubles.push(KeyWarning::NearlySpent(left));
        }
        let days = self.age_days(now);
        if rotate_after_days > 0 && days > u64::from(rotate_after_days) {
            troubles.push(KeyWarning::Old {
                days,
                max_days: rotate_after_days,
            });
        }
        troubles
    }
}

impl KeyWarning {
    /// The code for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Expired(_) => "expired",
            Self::ExpiresSoon(_) => "expires_soon",
            Self::Old { .. } => "old",
            Self::NearlySpent(_) => "nearly_spent",
        }
    }
}

/// The end of a sentence that starts with `the key for …`.
impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("was rejected by its provider"),
            Self::Expired(at) => write!(f, "expired on {}", at.local_day()),
            Self::ExpiresSoon(left) => write!(f, "expires in {}", humanize(*left)),
            Self::Old {
                days,
                max_days: most,
            } => write!(
                f,
                "is {days} days old (limit: {most}): run `chatbot key rotate`"
            ),
            Self::NearlySpent(left) if *left <= 0 => f.write_str("has used up its spending limit"),
            Self::NearlySpent(left) => {
                write!(
                    f,
                    "has only ${}.{:02} of its spending limit left",
                    left / NANOS_PER_DOLLAR,
                    left % NANOS_PER_DOLLAR / (NANOS_PER_DOLLAR / 100)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::StoreKind;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn record() -> KeyRecord {
        KeyRecord {
            store: StoreKind::Vault,
            fingerprint: String::new(),
            created_at: NOW.saturating_sub(DAY * 300),
            updated_at: NOW.saturating_sub(DAY * 90),
            status: KeyStatus::Valid,
            last_validated: None,
            expires_at: None,
            host: None,
            label: None,
            limit: None,
            remaining: None,
        }
    }

    #[test]
    fn key_warnings_none_for_good_key() {
        let good = KeyRecord {
            expires_at: Some(NOW.saturating_add(EXPIRY_NOTICE)),
            limit: Some(10 * NANOS_PER_DOLLAR),
            remaining: Some(NANOS_PER_DOLLAR),
            ..record()
        };
        assert_eq!(good.warnings(NOW, 90), []);
        assert_eq!(
            KeyRecord {
                updated_at: NOW.saturating_sub(DAY * 4000),
                ..record()
            }
            .warnings(NOW, 0),
            []
        );
    }

    #[test]
    fn key_warnings_are_sentences() {
        let said = |record: KeyRecord| {
            record
                .warnings(NOW, 89)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            said(record()),
            ["is 90 days old (limit: 89): run `chatbot key rotate`"]
        );
        let young = KeyRecord {
            updated_at: NOW,
            ..record()
        };
        assert_eq!(
            said(KeyRecord {
                status: KeyStatus::Invalid,
                ..young.clone()
            }),
            ["was rejected by its provider"]
        );
        assert_eq!(
            said(KeyRecord {
                expires_at: Some(NOW.saturating_add(DAY * 2)),
                ..young.clone()
            }),
            ["expires in 2 days"]
        );
        assert_eq!(
            said(KeyRecord {
                expires_at: Some(Time::from_millis(1_794_916_800_000)),
                ..young.clone()
            })
            .len(),
            1
        );
        let spent = KeyRecord {
            limit: Some(10 * NANOS_PER_DOLLAR),
            remaining: Some(NANOS_PER_DOLLAR / 4),
            ..young.clone()
        };
        assert_eq!(said(spent), ["has only $0.25 of its spending limit left"]);
        assert_eq!(
            said(KeyRecord {
                limit: Some(NANOS_PER_DOLLAR),
                remaining: Some(-1),
                ..young
            }),
            ["has used up its spending limit"]
        );
    }
}
