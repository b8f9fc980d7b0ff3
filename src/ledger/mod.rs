//! What happened: events of numbers and names, never text.

pub mod alarm;
pub mod audit;
pub mod budget;
mod chain;
pub mod tally;
pub mod usage;

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What happens every day.
    Info,
    /// Worth a look.
    Notice,
    /// Something was refused or failed.
    Warning,
    /// Something may have been tampered with or lost.
    Critical,
}

/// The word of an outsider (a model, a host, a kind), cut down to what cannot be prose: no white space, no quotes, 128 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// Takes the harmless characters of a text; each other one becomes `_`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let fit = |c: char| {
            if c.is_ascii_alphanumeric() || "-_./:~@+".contains(c) { c } else { '_' }
        };
        Self(text.chars().take(128).map(fit).collect())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A detail of an event: a number, a word, or whether.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// How many.
    Number(i64),
    /// Which.
    Word(Word),
    /// Whether.
    Flag(bool),
}

macro_rules! events {
    ($($(#[$doc:meta])* $what:ident = $name:literal,)*) => {
        /// Everything that is written down. The names are those of the file, for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum What { $($(#[$doc])* $what,)* }

        impl What {
            /// Every name there is, for those who filter by it.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in the file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$what => $name,)* }
            }
        }
    };
}

events! {
    /// A key was stored.
    KeySet = "key.set",
    /// A key was shown to its owner.
    KeyRevealed = "key.reveal",
    /// A key was asked for, and shown masked.
    KeyShown = "key.get",
    /// A key was removed.
    KeyDeleted = "key.delete",
    /// A provider was asked about a key.
    KeyValidated = "key.validate",
    /// A key was swapped for another.
    KeyRotated = "key.rotate",
    /// A key came from elsewhere.
    KeyImported = "key.import",
    /// A key went to the other store.
    KeyMoved = "key.move",
    /// The data key was made.
    DataKeyMade = "datakey.make",
    /// The key of this log was made.
    AuditKeyMade = "auditkey.make",
    /// The data key left or came back, sealed for recovery.
    DataKeyRecovery = "datakey.recovery",
    /// The vault was made, opened, closed or got another passphrase.
    Vault = "vault",
    /// A message was refused by validation.
    Refused = "message.refused",
    /// Values were replaced in a message.
    Redacted = "message.redacted",
    /// A rate limit stopped a request.
    Limited = "limit.reached",
    /// A budget stopped a request.
    Budget = "budget.reached",
    /// A message is about to leave for a provider: written down before anybody can answer it.
    Sent = "message.sent",
    /// A request was answered, failed or was stopped.
    Request = "request",
    /// A conversation file was found damaged.
    Damage = "archive.damage",
    /// A conversation was removed, renamed, exported or imported.
    History = "history",
    /// A backup was written or checked.
    Backup = "backup",
    /// A backup was restored.
    Restore = "restore",
    /// The settings were changed through the program.
    Config = "config",
    /// The settings are not what they were when they were last read.
    ConfigChanged = "config.changed",
    /// Logging was on.
    Debug = "debug",
    /// An alarm was raised or acknowledged.
    Alarm = "alarm",
    /// Something about an incident: lockdown, release, report, recovery.
    Incident = "incident",
    /// Counts or sums were gone or damaged, and were worked out anew.
    Rebuilt = "state.rebuilt",
    /// The audit log was looked through.
    Verified = "audit.verify",
    /// The end of the audit log was not where it was left.
    Broken = "audit.broken",
    /// A token of the proxy was handed out or revoked.
    ProxyToken = "proxy.token",
    /// The proxy passed a request on, or refused it.
    ProxyRequest = "proxy.request",
}

/// One thing that happened. There is no field that could hold free text.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub what: What,
    /// How much it matters.
    pub severity: Severity,
    /// Numbers and names.
    pub details: Vec<(Cow<'static, str>, Detail)>,
}

impl Event {
    /// An everyday event.
    #[must_use]
    pub const fn new(what: What) -> Self {
        Self { what, severity: Severity::Info, details: Vec::new() }
    }

    /// The same, of that severity.
    #[must_use]
    pub const fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With a number.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: impl TryInto<i64>) -> Self {
        self.details.push((Cow::Borrowed(name), Detail::Number(number.try_into().unwrap_or(i64::MAX))));
        self
    }

    /// With how many of a kind; the kind may be a name of the user's own.
    #[must_use]
    pub fn count(mut self, kind: &str, many: usize) -> Self {
        self.details.push((Cow::Owned(Word::new(kind).0), Detail::Number(i64::try_from(many).unwrap_or(i64::MAX))));
        self
    }

    /// With a word.
    #[must_use]
    pub fn word(mut self, name: &'static str, word: &str) -> Self {
        self.details.push((Cow::Borrowed(name), Detail::Word(Word::new(word))));
        self
    }

    /// With a yes or no.
    #[must_use]
    pub fn flag(mut self, name: &'static str, flag: bool) -> Self {
        self.details.push((Cow::Borrowed(name), Detail::Flag(flag)));
        self
    }
}
