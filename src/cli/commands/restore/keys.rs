//! The API keys of a backup: listed by name, and restored only on request.

use super::RestoreArgs;
use crate::audit::{Event, EventKind, Severity};
use crate::backup::RestorePlan;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::conversations::Trust;
use crate::keys::Slot;
use crate::secret::Secret;
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// A key of a backup, and what happens to it.
pub(super) struct RestoredKey<'a> {
    slot: Slot,
    secret: &'a Secret,
    fingerprint: Option<String>,
    wanted: bool,
    outcome: &'static str,
}

impl RestoredKey<'_> {
    /// `openrouter/default`
    fn name(&self) -> String {
        match &self.slot {
            Slot::ApiKey { provider, profile } => format!("{provider}/{profile}"),
            other => other.to_string(),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        name == self.name()
            || matches!(&self.slot, Slot::ApiKey { provider, profile } if profile.as_str() == "default" && name == provider.as_str())
    }

    pub(super) fn line(&self) -> String {
        let fingerprint = self
            .fingerprint
            .as_deref()
            .map_or_else(String::new, |f| format!(" ({f})"));
        format!("key {}{fingerprint}: {}\n", self.name(), self.outcome)
    }

    pub(super) fn json(&self) -> Value {
        json!({ "key": self.name(), "fingerprint": self.fingerprint, "outcome": self.outcome })
    }
}

/// Selects the keys to restore. Those of another installation are confirmed one by one: the maker
/// of the backup would pay for requests made with them, and could read those requests.
pub(super) fn select_keys<'a>(
    context: &mut Context,
    options: &RestoreArgs,
    plan: &'a RestorePlan,
    keyed: bool,
) -> Result<Vec<RestoredKey<'a>>> {
    let index = if keyed && !plan.keys.is_empty() {
        context.keys()?.manager().index()?
    } else {
        None
    };
    let mut keys: Vec<RestoredKey<'_>> = Vec::new();
    for (name, secret) in &plan.keys {
        if let Ok(slot @ Slot::ApiKey { .. }) = name.parse::<Slot>() {
            let fingerprint = index.as_ref().map(|index| index.fingerprint(secret));
            keys.push(RestoredKey {
                slot,
                secret,
                fingerprint,
                wanted: false,
                outcome: "not restored",
            });
        }
    }
    if let Some(missing) = options
        .key
        .iter()
        .find(|name| !keys.iter().any(|key| key.is_named(name)))
    {
        let missing = crate::privacy::Raw::from(missing.as_str()).printable();
        bail!(
            CliError::misuse(format!("the backup has no key `{missing}`"))
                .hint("list them with `chatbot restore FILE --dry-run`")
        );
    }
    let each = options.with_keys
        && options.key.is_empty()
        && plan.trust != Trust::Trusted
        && !options.dry_run;
    if each && !keys.is_empty() && !context.ui.can_ask() {
        bail!(CliError::misuse("keys of another installation are confirmed one by one, but there is no terminal to ask on").hint(format!(
            "select each with `--key {}`, or confirm with `--mine` that the backup is yours",
            keys.first().map_or_else(String::new, RestoredKey::name)
        )));
    }
    for key in &mut keys {
        key.wanted = if options.key.is_empty() {
            options.with_keys
        } else {
            options.key.iter().any(|name| key.is_named(name))
        };
        if each {
            context
                .ui
                .error_line(&format!("the backup has a key for {}", key.name()));
            key.wanted = context.ui.confirm("Save it here?", "`--key`")?;
        }
    }
    Ok(keys)
}

/// Saves the selected keys. A key that is saved here is never replaced.
pub(super) fn store_keys(context: &mut Context, keys: &mut [RestoredKey<'_>]) -> Result<()> {
    for key in keys.iter_mut() {
        if !key.wanted {
            continue;
        }
        let manager = context.keys()?.manager();
        key.outcome = match manager.get(&key.slot)? {
            Some(here) if crate::keys::same_secret(&here, key.secret) => "already saved",
            Some(_) => "not restored: another key is saved",
            None => {
                manager.store(&key.slot, key.secret)?;
                context.audit_key_event(
                    &Event::new(EventKind::KeyImported)
                        .severity(Severity::Notice)
                        .word("key", &key.slot.to_string()),
                );
                "restored"
            }
        };
    }
    Ok(())
}
