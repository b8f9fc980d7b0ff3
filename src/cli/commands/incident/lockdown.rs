//! `incident lockdown`: stops everything that leaves this machine.

use super::audit_incident;
use crate::audit::Severity;
use crate::cli::context::Context;
use crate::keys::stores::os_keyring::cache::KeyringCache;
use crate::keys::stores::vault;
use anyhow::Result;
use clap::Args;
use std::time::Duration;

/// Stop sending and refuse to reveal keys until `release`; needs no key store and no network
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct IncidentLockdownArgs {}

/// Writes one file and one line of the log. It must work in any state, so it uses no key store,
/// settings or network.
pub(super) fn run(context: &Context) -> Result<()> {
    // Each of the three is tried even if the others fail.
    let began = context.lockdown().begin(context.clock.now());
    KeyringCache::for_home(&context.home, Duration::ZERO, context.clock.clone()).forget_all();
    // Locked too, because an unlocked vault does not ask for its passphrase.
    let shut = vault::lock(&context.home.vault()).unwrap_or(false);
    audit_incident(context, "lockdown", Severity::Critical);
    let began = began?;
    let vault = if shut {
        ", and the vault is locked"
    } else {
        ""
    };
    let word = if began {
        "lockdown"
    } else {
        "lockdown (already active)"
    };
    context.ui.say(&format!("{word}: nothing is sent, no key is revealed{vault}; end it with `chatbot incident release`\n"), 2)
}
