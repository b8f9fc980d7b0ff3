//! Records of what happened: events of numbers and names, never of text.

pub mod alerts;
pub(crate) mod chain;
pub(crate) mod check;
pub mod log;
pub mod record;

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// The severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Routine.
    Info,
    /// Noteworthy.
    Notice,
    /// Something was refused or failed.
    Warning,
    /// Something may have been tampered with or lost.
    Critical,
}

/// A name from outside (a model, a host, a kind), restricted so that it cannot be prose: no white
/// space, no quotes, at most 128 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// Keeps the allowed characters of a text; every other becomes `_`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let fit = |c: char| {
            if c.is_ascii_alphanumeric() || "-_./:~@+=,".contains(c) {
                c
            } else {
                '_'
            }
        };
        Self(text.chars().take(128).map(fit).collect())
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A detail of an event: a number, a name or a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// A number.
    Number(i64),
    /// A name.
    Word(Label),
    /// A flag.
    Flag(bool),
}

macro_rules! events {
    ($($(#[$doc:meta])* $what:ident = $name:literal,)*) => {
        /// All events. The names are stored in the log and must never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventKind { $($(#[$doc])* $what,)* }

        impl EventKind {
            /// All names, for filters.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in the log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$what => $name,)* }
            }
        }
    };
}

events! {
    /// A key was stored.
    KeySet = "key.stored",
    /// A key was revealed to the user.
    KeyRevealed = "key.revealed",
    /// A key was displayed masked.
    KeyShown = "key.shown",
    /// A key was removed.
    KeyDeleted = "key.deleted",
    /// A key was checked with its provider.
    KeyValidated = "key.validated",
    /// A saved key was read to be sent to its provider: the first time in a run.
    KeyUsed = "key.used",
    /// A key was refused because of its format.
    KeyRefused = "key.refused",
    /// A key was replaced by a new one.
    KeyRotated = "key.rotated",
    /// A key was imported.
    KeyImported = "key.imported",
    /// A key was moved to the other key store.
    KeyMoved = "key.moved",
    /// The data key was created.
    DataKeyMade = "data_key.created",
    /// The audit key was created.
    AuditKeyMade = "audit_key.created",
    /// A recovery copy of the data key was created or used.
    DataKeyRecovery = "data_key.transferred",
    /// The vault was created, unlocked, locked or got a new passphrase.
    Vault = "vault.used",
    /// Validation refused a message.
    Refused = "message.refused",
    /// Values were redacted in a message.
    Redacted = "message.redacted",
    /// A rate limit refused a request.
    Limited = "limit.reached",
    /// A budget refused a request.
    Budget = "budget.reached",
    /// A message is about to be sent. Recorded first, so that no message is sent without a record.
    Sent = "message.sent",
    /// A request was answered, failed or was stopped.
    Request = "request.finished",
    /// A conversation file is damaged.
    Damage = "conversation.damaged",
    /// A conversation was deleted, renamed, exported or imported.
    History = "conversation.changed",
    /// A backup was written or verified.
    Backup = "backup.finished",
    /// A backup was restored.
    Restore = "backup.restored",
    /// The settings were changed by this program.
    Config = "config.edited",
    /// The settings were changed outside of this program.
    ConfigChanged = "config.changed",
    /// Logging was switched on.
    Debug = "log.enabled",
    /// An alert was raised, or its command failed.
    AlertRaised = "alert.raised",
    /// The user acknowledged alerts.
    AlertAcknowledged = "alert.acknowledged",
    /// A step of an incident: lockdown, release, report, recovery.
    Incident = "incident.recorded",
    /// The proxy started or stopped.
    Proxy = "proxy.changed",
    /// A token of the proxy was created.
    TokenMade = "token.created",
    /// A token of the proxy was revoked.
    TokenRevoked = "token.revoked",
    /// The proxy refused a request.
    ProxyRefused = "proxy.refused",
    /// An answer to a program had secrets in places where they could leave, so they were not put
    /// back.
    HeldBack = "secret.held_back",
    /// Counts or totals were missing or damaged, and were recalculated.
    Rebuilt = "state.rebuilt",
    /// The audit log was verified.
    Verified = "audit.verified",
    /// The end of the audit log does not match the head file.
    Broken = "audit.broken",
}

/// An event. It has no field that could contain free text.
#[derive(Clone, Debug)]
pub struct Event {
    /// The kind of event.
    pub kind: EventKind,
    /// Its severity.
    pub severity: Severity,
    /// Numbers and names.
    pub details: Vec<(Cow<'static, str>, Detail)>,
}

impl Event {
    /// A routine event.
    #[must_use]
    pub const fn new(what: EventKind) -> Self {
        Self {
            kind: what,
            severity: Severity::Info,
            details: Vec::new(),
        }
    }

    /// Sets the severity.
    #[must_use]
    pub const fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: impl TryInto<i64>) -> Self {
        self.details.push((
            Cow::Borrowed(name),
            Detail::Number(number.try_into().unwrap_or(i64::MAX)),
        ));
        self
    }

    /// Adds the count of a kind, which may be one defined by the user.
    #[must_use]
    pub fn count(mut self, kind: &str, many: usize) -> Self {
        self.details.push((
            Cow::Owned(Label::new(kind).0),
            Detail::Number(i64::try_from(many).unwrap_or(i64::MAX)),
        ));
        self
    }

    /// Adds a name.
    #[must_use]
    pub fn word(mut self, name: &'static str, word: &str) -> Self {
        self.details
            .push((Cow::Borrowed(name), Detail::Word(Label::new(word))));
        self
    }

    /// Adds a flag.
    #[must_use]
    pub fn flag(mut self, name: &'static str, flag: bool) -> Self {
        self.details.push((Cow::Borrowed(name), Detail::Flag(flag)));
        self
    }
}
