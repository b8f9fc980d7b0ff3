//! What has been learnt from the log, and which records raise an alert.

use crate::audit::EventKind;
use crate::audit::alerts::series::{DAY_MS, MIN_BASELINE_DAYS, Series};
use crate::audit::alerts::{Alert, AlertKind, FileScope, MAX_PATHS, Observation};
use crate::audit::record::AuditRecord;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const HOUR_MS: i64 = 3_600_000;
/// The history from which the usual values are learnt.
const BASELINE_MS: i64 = 30 * DAY_MS;
/// Events of the same sort belong to one cause until there is a pause of this length.
const ONGOING_GAP_MS: i64 = HOUR_MS;
/// The failures that a provider causes. The others are the user's, or those of the connection.
const PROVIDER_FAILURES: &[&str] = &[
    "timeout",
    "provider_rate_limited",
    "provider_failed",
    "reset",
    "truncated",
    "empty_answer",
    "malformed",
    "not_json",
];
/// The most moments that are kept to count how many there were lately.
const MAX_RECENT: usize = 1000;
/// The most alerts that are stored.
const MAX_ALERTS: usize = 200;

/// Something that continues over several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OngoingCause {
    cause: String,
    last: Time,
}

/// What has been learnt from the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MonitorState {
    /// The number of the last record that was read, and the hash of its line.
    pub(super) seq: u64,
    pub(super) hash: String,
    /// How often the log was found damaged. Damage found after that is a new cause.
    pub(super) broken: u64,
    /// Requests per hour.
    hours: BTreeMap<i64, u32>,
    /// Amounts per day.
    days: BTreeMap<i64, i64>,
    /// The times of recent events, by cause.
    recent: BTreeMap<String, Vec<Time>>,
    /// Whether requests failed, by provider.
    failures: BTreeMap<String, Series>,
    /// The milliseconds until answers began, by provider and model.
    first_tokens: BTreeMap<String, Series>,
    /// The most values redacted in one message so far.
    redactions: i64,
    /// Causes that were continuing at the last look, by kind.
    going: BTreeMap<String, OngoingCause>,
    /// When every conversation and backup was last checked.
    pub(super) walked: Option<Time>,
    pub(super) alerts: Vec<Alert>,
    pub(super) next: u64,
    /// Whether a record has ended an alert, so that the state has to be written.
    #[serde(skip)]
    pub(super) resolved: bool,
}

impl MonitorState {
    fn raise(&mut self, kind: AlertKind, at: Time, cause: String, figure: i64) {
        if let Some(known) = self
            .alerts
            .iter_mut()
            .rev()
            .find(|a| a.kind == kind && a.cause == cause)
        {
            if !known.acknowledged && kind.grows() {
                // Show the latest figure.
                known.figure = known.figure.max(figure);
            }
            if !known.acknowledged || !kind.grows() || figure < known.figure.saturating_mul(2) {
                return;
            }
        }
        self.next += 1;
        self.alerts.push(Alert {
            id: self.next,
            at,
            kind,
            cause,
            figure,
            paths: Vec::new(),
            // A lockdown is announced when it begins.
            shown: kind == AlertKind::Lockdown,
            acknowledged: false,
        });
    }

    /// Raises an alert about a damaged log, unless the last one has not been acknowledged yet.
    pub(super) fn raise_broken(&mut self, at: Time, how: &str, place: i64) {
        if !self
            .alerts
            .iter()
            .any(|a| a.kind == AlertKind::Chain && !a.acknowledged)
        {
            self.raise(
                AlertKind::Chain,
                at,
                format!("{how} {place} {}", self.broken),
                place,
            );
        }
    }

    /// Raises an alert about something that may continue: it is one cause until there is a pause.
    fn raise_ongoing(&mut self, kind: AlertKind, which: &str, at: Time, pause: i64, figure: i64) {
        let goes_on = |going: &&OngoingCause| (at.millis() - going.last.millis()).abs() < pause;
        let cause = self.going.get(which).filter(goes_on).map_or_else(
            || format!("{which} {}", at.millis()),
            |going| going.cause.clone(),
        );
        self.going.insert(
            which.to_owned(),
            OngoingCause {
                cause: cause.clone(),
                last: at,
            },
        );
        self.raise(kind, at, cause, figure);
    }

    /// Raises an alert if an event happened at least `least` times within a time.
    fn count(&mut self, kind: AlertKind, which: &str, at: Time, within: i64, least: i64) {
        let times = self.recent.entry(which.to_owned()).or_default();
        times.push(at);
        times.retain(|t| at.millis() - t.millis() < within && t.millis() <= at.millis());
        let over = times.len().saturating_sub(MAX_RECENT);
        times.drain(..over);
        let many = i64::try_from(times.len()).unwrap_or(i64::MAX);
        if many >= least {
            self.raise_ongoing(kind, which, at, ONGOING_GAP_MS, many);
        }
    }

    /// The same for what can only be called many when there are a few days to compare with: who
    /// tries out a new program runs into its limits.
    fn count_unusual(&mut self, kind: AlertKind, which: &str, at: Time, least: i64) {
        if self.days_before(at) >= MIN_BASELINE_DAYS {
            self.count(kind, which, at, HOUR_MS, least);
        }
    }

    /// The number of days with requests before this hour.
    fn days_before(&self, at: Time) -> usize {
        let hour = at.millis().div_euclid(HOUR_MS) * HOUR_MS;
        self.hours
            .range(hour - BASELINE_MS..hour)
            .map(|(h, _)| h.div_euclid(DAY_MS))
            .collect::<BTreeSet<_>>()
            .len()
    }

    pub(super) fn prune(&mut self) {
        let last = self
            .hours
            .keys()
            .next_back()
            .copied()
            .unwrap_or(0)
            .max(self.days.keys().next_back().copied().unwrap_or(0));
        self.hours
            .retain(|hour, _| *hour >= last - BASELINE_MS - DAY_MS);
        self.days
            .retain(|day, _| *day >= last - BASELINE_MS - DAY_MS);
        for series in [&mut self.failures, &mut self.first_tokens] {
            series.retain(|_, s| s.last().is_some_and(|at| at.millis() >= last - BASELINE_MS));
        }
        // What a series raised is no longer going on without it; its name comes from outside.
        let (failures, first_tokens) = (&self.failures, &self.first_tokens);
        self.going.retain(|which, _| match which.split_once(' ') {
            Some(("failures", name)) => failures.contains_key(name),
            Some(("slow", name)) => first_tokens.contains_key(name),
            _ => true,
        });
        let over = self.alerts.len().saturating_sub(MAX_ALERTS);
        self.alerts.drain(..over);
    }

    /// Records a fact. Returns whether it was resolved.
    pub(super) fn observe(&mut self, fact: &Observation, now: Time) -> bool {
        match fact {
            Observation::TooPermissive { among, files } => {
                let which = if *among == FileScope::Core {
                    "modes home"
                } else {
                    "modes kept"
                };
                if files.is_empty() {
                    return self.going.remove(which).is_some();
                }
                let many = i64::try_from(files.len()).unwrap_or(i64::MAX);
                self.raise_ongoing(AlertKind::Modes, which, now, i64::MAX, many);
                let cause = self.going.get(which).map(|going| going.cause.clone());
                let alerts = self.alerts.iter_mut().rev();
                let mut raised = alerts.filter(|a| a.kind == AlertKind::Modes);
                if let Some(alert) = raised.find(|a| Some(&a.cause) == cause.as_ref()) {
                    let paths = files.iter().take(MAX_PATHS);
                    alert.paths = paths.map(|path| path.display().to_string()).collect();
                }
            }
            Observation::KeyExpires { key, at } => {
                let left = (at.millis() - now.millis()).div_euclid(DAY_MS);
                if (0..=7).contains(&left) {
                    self.raise(
                        AlertKind::Expiry,
                        now,
                        format!("expiry {key} {}", at.millis().div_euclid(DAY_MS)),
                        left,
                    );
                }
            }
        }
        false
    }

    pub(super) fn observe_record(&mut self, record: &AuditRecord) {
        self.seq = self.seq.max(record.seq);
        let at = record.at;
        let is = |what: EventKind| record.event == what.name();
        if is(EventKind::Request) {
            self.observe_request(record);
        } else if is(EventKind::KeyRevealed) || is(EventKind::KeyShown) {
            self.count(AlertKind::KeyReads, "reads", at, 10 * 60_000, 5);
        } else if is(EventKind::KeyValidated)
            && record.word("status") == "invalid"
            // The request itself was counted already.
            && record.word("by") != "request"
        {
            self.observe_refusal(at);
        } else if is(EventKind::Limited) {
            // During a lockdown every request is refused, which the user wanted.
            if record.word("window") != "lockdown" {
                self.count_unusual(AlertKind::Limits, "limits", at, 10);
            }
        } else if is(EventKind::Budget) {
            self.count(AlertKind::Budget, "budget", at, HOUR_MS, 3);
        } else if is(EventKind::Refused) {
            if record.word("reason") != "empty" {
                self.count_unusual(AlertKind::Refused, "refused", at, 10);
            }
        } else if is(EventKind::KeyRefused) {
            self.count_unusual(AlertKind::KeyFormat, "key_format", at, 5);
        } else if is(EventKind::Vault) {
            if record.word("outcome") == "failed" {
                self.count(AlertKind::Passphrase, "passphrase", at, HOUR_MS, 5);
            }
        } else if is(EventKind::Redacted) {
            let values: i64 = record
                .details
                .values()
                .filter_map(serde_json::Value::as_i64)
                .sum();
            if values >= 25.max(self.redactions.saturating_mul(2)) {
                self.raise(
                    AlertKind::Redactions,
                    at,
                    format!("redactions {}", record.seq),
                    values,
                );
            }
            self.redactions = self.redactions.max(values);
        } else if is(EventKind::Broken) {
            let place = record
                .number("expected")
                .or_else(|| record.number("found"))
                .unwrap_or(0);
            self.broken += 1;
            self.raise_broken(at, "broken", place);
        } else if is(EventKind::Verified) {
            if let Some(bad) = record.number("first_bad") {
                self.raise_broken(at, "found", bad);
            }
        } else if is(EventKind::ProxyRefused) {
            if matches!(record.word("reason"), "invalid_proxy_token" | "locked_out") {
                self.count(AlertKind::ProxyTokens, "proxy_tokens", at, HOUR_MS, 10);
            }
        } else if is(EventKind::HeldBack) {
            self.count(AlertKind::HeldBack, "held_back", at, HOUR_MS, 1);
        } else if is(EventKind::Incident) {
            self.observe_incident(record);
        } else if is(EventKind::Backup) {
            if record.word("outcome") == "failed" || record.number("skipped").is_some_and(|n| n > 0)
            {
                self.raise_ongoing(AlertKind::Backup, "backup", at, 6 * ONGOING_GAP_MS, 1);
            } else if record.word("action") == "write" {
                self.going.remove("backup");
            }
        }
    }

    fn observe_request(&mut self, record: &AuditRecord) {
        let (at, now) = (record.at, record.at.millis());
        if record.word("failure") == "invalid_key" {
            self.observe_refusal(at);
        }
        self.observe_provider(record);
        let hour = now.div_euclid(HOUR_MS) * HOUR_MS;
        let count = self
            .hours
            .entry(hour)
            .and_modify(|n| *n = n.saturating_add(1))
            .or_insert(1);
        let count = i64::from(*count);
        let history = || self.hours.range(hour - BASELINE_MS..hour);
        let most = history().map(|(_, n)| i64::from(*n)).max().unwrap_or(0);
        // Without a few days to compare with, a busy hour is no sign of anything.
        if self.days_before(at) >= MIN_BASELINE_DAYS && count > (most * 5 / 2).max(40) {
            self.raise_ongoing(AlertKind::Burst, "burst", at, 2 * ONGOING_GAP_MS, count);
        }
        let day = now.div_euclid(DAY_MS) * DAY_MS;
        let spent = *self
            .days
            .entry(day)
            .and_modify(|n| *n = n.saturating_add(record.number("nano_dollars").unwrap_or(0)))
            .or_insert_with(|| record.number("nano_dollars").unwrap_or(0));
        let most = self
            .days
            .range(day - BASELINE_MS..day)
            .map(|(_, n)| *n)
            .max()
            .unwrap_or(0);
        let days = self
            .days
            .range(day - BASELINE_MS..day)
            .filter(|(_, n)| **n > 0)
            .count();
        let ordinary = if days >= 5 {
            most.saturating_mul(3).max(1_000_000_000)
        } else {
            10_000_000_000
        };
        if spent > ordinary {
            self.raise(
                AlertKind::Spend,
                at,
                format!("spend {}", day / DAY_MS),
                spent,
            );
        }
    }

    /// A lockdown is an alert until it ends.
    fn observe_incident(&mut self, record: &AuditRecord) {
        let mut open = self
            .alerts
            .iter_mut()
            .filter(|a| a.kind == AlertKind::Lockdown && !a.acknowledged);
        match record.word("action") {
            "release" => {
                open.for_each(|alert| alert.acknowledged = true);
                self.resolved = true;
            }
            "lockdown" if open.next().is_none() => {
                let who = if record.flag("automatic") {
                    "automatic"
                } else {
                    "manual"
                };
                let cause = format!("lockdown {who} {}", record.seq);
                self.raise(AlertKind::Lockdown, record.at, cause, 1);
            }
            _ => {}
        }
    }

    fn observe_refusal(&mut self, at: Time) {
        self.count(
            AlertKind::Authentication,
            "authentication",
            at,
            15 * 60_000,
            3,
        );
    }

    /// Compares how often a provider fails, and how late it answers, with the past.
    fn observe_provider(&mut self, record: &AuditRecord) {
        let (at, provider) = (record.at, record.word("provider"));
        let failed = record.word("outcome") == "failed";
        if record.word("outcome") == "stopped"
            || (failed && !PROVIDER_FAILURES.contains(&record.word("failure")))
        {
            return;
        }
        let failures = self.failures.entry(provider.to_owned()).or_default();
        failures.add(at, i64::from(failed));
        if let Some(many) = failures.many_failures(HOUR_MS) {
            let which = format!("failures {provider}");
            self.raise_ongoing(AlertKind::Failures, &which, at, DAY_MS, many);
        }
        if let Some(first) = record.number("first_token_ms") {
            let name = format!("{provider}/{}", record.word("model"));
            let times = self.first_tokens.entry(name.clone()).or_default();
            times.add(at, first);
            if let Some(median) = times.slow_median(DAY_MS) {
                self.raise_ongoing(AlertKind::Slow, &format!("slow {name}"), at, DAY_MS, median);
            }
        }
    }
}
