//! Warnings about API keys before a request fails: too old, expired, rejected, nearly out of
//! credit.

use super::metadata::{Record, Status};
use crate::clock::{Time, in_words};
use std::fmt;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// How long before its expiry a key is reported.
const SOON: Duration = Duration::from_secs(7 * 86_400);
/// A dollar in billionths.
const DOLLAR: i64 = 1_000_000_000;

/// A warning about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The provider rejected it.
    Invalid,
    /// It has expired.
    Ended(Time),
    /// It expires soon.
    Ends(Duration),
    /// It is older than the setting `keys.rotate_after_days` allows.
    Old {
        /// Its age.
        days: u64,
        /// The limit in the settings.
        most: u32,
    },
    /// Its spending limit is nearly or fully used; what is left, in billionths of a dollar.
    NearlySpent(i64),
}

impl Record {
    /// Returns the warnings about a key, the most serious first.
    #[must_use]
    pub fn troubles(&self, now: Time, rotate_after_days: u32) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if self.status == Status::Invalid {
            troubles.push(Trouble::Invalid);
        }
        match self.expires_at {
            Some(end) if end <= now => troubles.push(Trouble::Ended(end)),
            Some(end) if end.since(now) < SOON => troubles.push(Trouble::Ends(end.since(now))),
            _ => {}
        }
        if let Some(left) = self.remaining
            && self.limit.map_or(left < DOLLAR, |limit| left < limit / 10)
        {
            troubles.push(Trouble::NearlySpent(left));
        }
        let days = now.since(self.updated_at).as_secs() / DAY.as_secs();
        if rotate_after_days > 0 && days > u64::from(rotate_after_days) {
            troubles.push(Trouble::Old { days, most: rotate_after_days });
        }
        troubles
    }
}

/// The end of a sentence that starts with `the key for …`.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("was rejected by its provider"),
            Self::Ended(at) => write!(f, "expired on {}", at.local_day()),
            Self::Ends(left) => write!(f, "expires in {}", in_words(*left)),
            Self::Old { days, most } => write!(f, "is {days} days old (limit: {most}): run `chatbot key rotate`"),
            Self::NearlySpent(left) if *left <= 0 => f.write_str("has used up its spending limit"),
            Self::NearlySpent(left) => {
                write!(f, "has only ${}.{:02} of its spending limit left", left / DOLLAR, left % DOLLAR / (DOLLAR / 100))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::StoreKind;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn record() -> Record {
        Record {
            store: StoreKind::Vault,
            fingerprint: String::new(),
            created_at: NOW.minus(DAY * 300),
            updated_at: NOW.minus(DAY * 90),
            status: Status::Valid,
            last_validated: None,
            expires_at: None,
            host: None,
            label: None,
            limit: None,
            remaining: None,
        }
    }

    #[test]
    fn a_good_key_is_not_spoken_of() {
        let good = Record { expires_at: Some(NOW.plus(SOON)), limit: Some(10 * DOLLAR), remaining: Some(DOLLAR), ..record() };
        assert_eq!(good.troubles(NOW, 90), []);
        assert_eq!(Record { updated_at: NOW.minus(DAY * 4000), ..record() }.troubles(NOW, 0), []);
    }

    #[test]
    fn each_trouble_is_a_sentence() {
        let said = |record: Record| record.troubles(NOW, 89).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(said(record()), ["is 90 days old (limit: 89): run `chatbot key rotate`"]);
        let young = Record { updated_at: NOW, ..record() };
        assert_eq!(said(Record { status: Status::Invalid, ..young.clone() }), ["was rejected by its provider"]);
        assert_eq!(said(Record { expires_at: Some(NOW.plus(DAY * 2)), ..young.clone() }), ["expires in 2 days"]);
        assert_eq!(said(Record { expires_at: Some(Time::from_millis(1_794_916_800_000)), ..young.clone() }).len(), 1);
        let spent = Record { limit: Some(10 * DOLLAR), remaining: Some(DOLLAR / 4), ..young.clone() };
        assert_eq!(said(spent), ["has only $0.25 of its spending limit left"]);
        assert_eq!(said(Record { limit: Some(DOLLAR), remaining: Some(-1), ..young }), ["has used up its spending limit"]);
    }
}
