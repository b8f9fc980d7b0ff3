//! Asks a provider about a key, and what it answered.

use crate::audit::{EventKind, Severity};
use crate::cli::commands::key::target::{KeyTarget, key_event};
use crate::cli::context::Context;
use crate::cli::runtime::runtime;
use crate::keys::{KeyRecord, KeyStatus};
use crate::provider::{KeyCheck, KeyInfo, check_key};
use crate::secret::Secret;
use crate::time::Time;
use anyhow::Result;

/// The result of a validation, which may be that none was made.
#[derive(Debug)]
pub(super) struct KeyValidation {
    pub(super) status: KeyStatus,
    words: String,
    info: Option<KeyInfo>,
}

impl KeyValidation {
    pub(super) fn not_asked() -> Self {
        Self {
            status: KeyStatus::Unknown,
            words: String::from("not validated"),
            info: None,
        }
    }

    /// For a login: the provider has just created the key.
    pub(super) fn valid() -> Self {
        Self {
            status: KeyStatus::Valid,
            words: String::from("valid"),
            info: None,
        }
    }

    fn from_check(result: KeyCheck) -> Self {
        match result {
            KeyCheck::Valid(info) => Self {
                status: KeyStatus::Valid,
                words: String::from("valid"),
                info: Some(info),
            },
            // The provider knows the key, so it is not a wrong one; that it cannot be used for
            // messages is shown.
            KeyCheck::Restricted(why) => Self {
                status: KeyStatus::Valid,
                words: format!("valid, but {why}"),
                info: None,
            },
            KeyCheck::Invalid(why) => Self {
                status: KeyStatus::Invalid,
                words: format!("invalid: {why}"),
                info: None,
            },
            KeyCheck::Unknown(why) => Self {
                status: KeyStatus::Unknown,
                words: format!("unknown: {why}"),
                info: None,
            },
        }
    }

    pub(super) fn describe(&self) -> String {
        self.words.clone()
    }

    /// Records the result. If the provider could not be asked, the earlier result stays.
    pub(super) fn write(&self, record: &mut KeyRecord, now: Time) {
        if self.status == KeyStatus::Unknown {
            return;
        }
        record.status = self.status;
        record.last_validated = Some(now);
        if let Some(info) = &self.info {
            record.expires_at = info.expires_at;
            record.remaining = info.remaining.map(|left| left.0);
            record.limit = info.limit.map(|limit| limit.0);
            // The provider's label may be the key with its middle left out: it is not stored.
            record.label = info
                .label
                .clone()
                .filter(|label| !label.contains("...") && !label.starts_with("sk-"));
        }
    }
}

/// Validates a key with its provider.
pub(super) fn ask_provider(
    context: &mut Context,
    target: &KeyTarget,
    key: &Secret,
) -> Result<KeyValidation> {
    let http = context.http_context()?;
    let result = runtime()?.block_on(check_key(&target.endpoint, key, http))?;
    let answer = KeyValidation::from_check(result);
    let severity = if answer.status == KeyStatus::Invalid {
        Severity::Warning
    } else {
        Severity::Info
    };
    let store = context.store_name();
    context.audit_key_event(
        &key_event(EventKind::KeyValidated, target, &store)
            .severity(severity)
            .word("status", &answer.status.to_string()),
    );
    Ok(answer)
}
