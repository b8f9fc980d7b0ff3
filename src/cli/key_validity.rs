//! What is known about the validity of a saved key follows its use: a request that its provider
//! refuses marks it invalid, an answer marks it valid, and one that was unused for long is checked
//! before it is used again.

use crate::audit::{Event, EventKind, Severity};
use crate::chat::{self, Outcome};
use crate::cli::commands::key::revalidate;
use crate::cli::context::Context;
use crate::cli::provider::ProviderChoice;
use crate::config::KeySource;
use crate::keys::{KeyStatus, Slot};
use crate::provider::ProviderErrorKind;
use crate::secret::Secret;
use anyhow::Result;
use std::time::Duration;

/// A result that only repeats what is known is written again after this long.
const WRITE_INTERVAL: Duration = Duration::from_secs(86_400);

/// Records what the result of a request says about the saved key that it used. A failure is ignored:
/// the next request comes here again.
pub(crate) fn record(
    context: &mut Context,
    choice: Option<&ProviderChoice>,
    result: &Result<Outcome, chat::Error>,
) {
    let Some((slot, fingerprint)) = choice.and_then(|choice| saved_key(context, choice)) else {
        return;
    };
    let status = match result {
        Ok(outcome) if outcome.completion.is_some() => KeyStatus::Valid,
        Err(chat::Error::Provider(error)) if error.kind() == ProviderErrorKind::InvalidKey => {
            KeyStatus::Invalid
        }
        _ => return,
    };
    write(context, &slot, &fingerprint, status).unwrap_or_default();
}

/// The saved key that the requests to a provider use, and its fingerprint; `None` if their key comes
/// from elsewhere.
fn saved_key(context: &Context, choice: &ProviderChoice) -> Option<(Slot, String)> {
    if choice.key != KeySource::Stored {
        return None;
    }
    let slot = Slot::ApiKey {
        provider: choice.endpoint.name.clone(),
        profile: choice.profile.clone(),
    };
    let fingerprint = context.keys_in_use.get(&slot)?.clone();
    Some((slot, fingerprint))
}

fn write(context: &mut Context, slot: &Slot, fingerprint: &str, status: KeyStatus) -> Result<()> {
    let now = context.clock.now();
    let manager = context.keys()?.manager();
    let index = manager.index()?;
    // Another process may have saved another key since.
    let Some(known) = index
        .as_ref()
        .and_then(|index| index.record(slot))
        .filter(|record| record.fingerprint == fingerprint)
    else {
        return Ok(());
    };
    let is_recent = known
        .last_validated
        .is_some_and(|at| at <= now && now.since(at) < WRITE_INTERVAL);
    if known.status == status && is_recent {
        return Ok(());
    }
    let has_changed = known.status != status;
    manager.update_index(|index| {
        if let Some(record) = index
            .record_mut(slot)
            .filter(|record| record.fingerprint == fingerprint)
        {
            record.status = status;
            record.last_validated = Some(now);
        }
    })?;
    if let (true, Slot::ApiKey { provider, profile }) = (has_changed, slot) {
        let severity = if status == KeyStatus::Invalid {
            Severity::Warning
        } else {
            Severity::Info
        };
        let event = Event::new(EventKind::KeyValidated)
            .severity(severity)
            .word("provider", provider.as_str())
            .word("profile", profile.as_str())
            .word("status", &status.to_string())
            .word("by", "request");
        context.audit_key_event(&event);
    }
    Ok(())
}

/// Checks a saved key with its provider if it was neither checked nor used for longer than the
/// settings allow. Fails if the provider refuses it; a provider that cannot be asked is no reason to
/// stop here.
pub(crate) fn revalidate_if_due(
    context: &mut Context,
    choice: &ProviderChoice,
    key: &Secret,
) -> Result<()> {
    let days = context.settings()?.keys.validate_every_days;
    let Some((slot, _)) = saved_key(context, choice) else {
        return Ok(());
    };
    let now = context.clock.now();
    let index = context.keys()?.manager().index().ok().flatten();
    let is_due = index
        .as_ref()
        .and_then(|index| index.record(&slot))
        .is_some_and(|record| record.is_validation_due(now, days));
    if is_due {
        revalidate(context, &choice.endpoint.name, &choice.profile, key)?;
    }
    Ok(())
}
