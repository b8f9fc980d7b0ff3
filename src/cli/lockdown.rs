//! The start of a lockdown: on the user's command, or by itself on a critical alert.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::keys::stores::os_keyring::cache::KeyringCache;
use crate::keys::stores::vault;
use crate::privacy::{Placeholders, Policy, Raw, Redacted, Redactor};
use anyhow::Result;
use std::time::Duration;

/// What the start of a lockdown changed.
pub(crate) struct LockdownStart {
    /// Whether there was no lockdown before.
    pub(crate) was_off: bool,
    /// Whether the vault was unlocked before.
    pub(crate) vault_locked: bool,
}

/// Writes one file and one line of the log. It must work in any state, so it uses no key store and
/// no network; the settings are read only for the reason, when the lockdown is active already.
pub(crate) fn begin(
    context: &mut Context,
    reason: Option<&str>,
    automatic: bool,
) -> Result<LockdownStart> {
    let now = context.clock.now();
    // Each step is tried even if the others fail.
    let began = context.lockdown().begin(now, automatic);
    KeyringCache::for_home(&context.home, Duration::ZERO, context.clock.clone()).forget_all();
    // Locked too, because an unlocked vault does not ask for its passphrase.
    let vault_locked = vault::lock(&context.home.vault()).unwrap_or(false);
    let reason = reason.and_then(|text| redact(context, text));
    let explained = match &reason {
        Some(reason) => context.lockdown().explain(now, reason),
        None => Ok(()),
    };
    let mut event = Event::new(EventKind::Incident)
        .severity(Severity::Critical)
        .word("action", "lockdown");
    if automatic {
        event = event.flag("automatic", true);
    }
    if let Some(reason) = &reason {
        event = event.word("reason", reason.as_str());
    }
    context.audit_event(&event);
    let was_off = began?;
    explained?;
    Ok(LockdownStart {
        was_off,
        vault_locked,
    })
}

/// Redacts with the built-in rules, even if the settings turn them off, and with those of the
/// settings if these can be read.
fn redact(context: &mut Context, text: &str) -> Option<Redacted> {
    let mut placeholders = Placeholders::default();
    let built_in = Redactor::new(&Policy::default()).ok()?;
    let (text, _) = built_in.redact(Raw::from(text), &mut placeholders);
    Some(match context.redactor() {
        Ok(own) => own.redact(Raw::from(text.as_str()), &mut placeholders).0,
        Err(_) => text,
    })
}
