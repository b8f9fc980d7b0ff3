//! Which host a key may be sent to. Every key passes here before it is sent, saved or not.

use crate::audit::{Event, EventKind};
use crate::catalog::{self, Endpoint};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::cli::provider::ProviderChoice;
use crate::config::KeySource;
use crate::keys::Slot;
use crate::privacy::Raw;
use crate::secret::Secret;
use anyhow::{Result, bail};

/// The key for the selected provider, if it may be sent to the provider's host.
pub(crate) fn key_for(context: &mut Context, choice: &ProviderChoice) -> Result<Option<Secret>> {
    match &choice.key {
        KeySource::NoKey => Ok(None),
        KeySource::Stored => api_key(context, choice).map(Some),
        KeySource::Env(variable) => env_key(context, &choice.endpoint, variable),
    }
}

/// The key in a variable, if it may be sent to this endpoint; `None` if the variable is not
/// set.
pub(crate) fn env_key(
    context: &mut Context,
    endpoint: &Endpoint,
    variable: &str,
) -> Result<Option<Secret>> {
    let Some(key) = context.env.secret(variable)? else {
        return Ok(None);
    };
    refuse_foreign_key(context, endpoint, &key, Some(variable))?;
    refuse_malformed_key(endpoint, variable, &key)?;
    Ok(Some(key))
}

/// Refuses a key in a known provider's own variable that cannot be one of its keys.
pub(crate) fn refuse_malformed_key(
    endpoint: &Endpoint,
    variable: &str,
    key: &Secret,
) -> Result<()> {
    let Some(entry) = catalog::all().iter().find(|entry| {
        entry.env == Some(variable)
            && entry
                .endpoint()
                .is_some_and(|own| own.host() == endpoint.host())
    }) else {
        return Ok(());
    };
    let Err(why) = entry.check_key(key.expose()) else {
        return Ok(());
    };
    let provider = if entry.name == catalog::DEFAULT_PROVIDER {
        String::new()
    } else {
        format!(" --provider {}", entry.name)
    };
    bail!(
        CliError::new(
            CliExit::Key,
            "bad_key",
            format!("`{variable}` is not a key of {}: {why}", entry.title)
        )
        .hint(format!(
            "nothing was sent; change `{variable}` or unset it; a key that is right all the same \
             can be saved with `chatbot key set{provider} --force`"
        ))
    )
}

/// Refuses to send a key that another provider issued, unless the user has allowed exactly this
/// pair of key and host.
pub(crate) fn refuse_foreign_key(
    context: &mut Context,
    endpoint: &Endpoint,
    key: &Secret,
    variable: Option<&str>,
) -> Result<()> {
    let host = endpoint.host();
    let Some(issuer) =
        catalog::find_issuer(key.expose(), variable).filter(|issuer| !issuer.hosts.contains(&host))
    else {
        return Ok(());
    };
    // A variable that the settings name for a server on this machine, and that no known
    // provider uses: a local gateway, whose key may look like any other. The key does not leave
    // the machine.
    if variable.is_some_and(|name| !catalog::is_provider_key_variable(name))
        && endpoint.is_loopback()
    {
        return Ok(());
    }
    let index = context.keys()?.manager().index().ok().flatten();
    if index.is_some_and(|index| index.allows_host(key, &host)) {
        return Ok(());
    }
    let (name, shown_host) = (&endpoint.name, Raw::from(host.as_str()).printable());
    let from = variable.map_or_else(
        || String::from("this key"),
        |variable| format!("the key in `{variable}`"),
    );
    let what = format!(
        "{from} looks like {}, but `{name}` is at `{shown_host}`",
        issuer.title
    );
    // `--yes` does not answer this: many scripts pass it, and someone else may have edited the
    // settings.
    if context.ui.can_ask()
        && context
            .ui
            .confirm(&format!("{what}; always send it there?"), "`--allow-host`")?
    {
        return allow_host(context, endpoint, key);
    }
    let command = format!("chatbot key validate --provider {name} --allow-host {shown_host}");
    let hint = match variable {
        Some(_) => format!("nothing was sent; if it belongs there, run `{command}` once"),
        None => String::from("nothing was sent; if it belongs there, save it with `--force`"),
    };
    bail!(CliError::new(CliExit::Key, "foreign_key", what).hint(hint))
}

/// Refuses to replace a key with one of another issuer, unless the user allows it.
pub(crate) fn refuse_other_issuer(
    context: &mut Context,
    endpoint: &Endpoint,
    slot: &Slot,
    old: &Secret,
    new: &Secret,
) -> Result<()> {
    require_bound(context, endpoint, slot, old)?;
    let [before, after] = [old, new].map(|key| catalog::find_issuer(key.expose(), None));
    if before == after {
        Ok(())
    } else {
        refuse_foreign_key(context, endpoint, new, None)
    }
}

/// Records that this key may be sent to the host of this endpoint.
pub(crate) fn allow_host(context: &mut Context, endpoint: &Endpoint, key: &Secret) -> Result<()> {
    let host = endpoint.host();
    Ok(context
        .keys()?
        .manager()
        .update_index(|index| index.allow_host(key, &host))?)
}

/// The key of the selected provider: from the store, else from the provider's own environment
/// variable.
pub(crate) fn api_key(context: &mut Context, choice: &ProviderChoice) -> Result<Secret> {
    context.refuse_in_lockdown()?;
    let slot = Slot::ApiKey {
        provider: choice.endpoint.name.clone(),
        profile: choice.profile.clone(),
    };
    let named = choice
        .env_name
        .clone()
        .filter(|name| choice.profile.as_str() == "default" && context.env.has(name));
    let stored = match context.keys()?.manager().get(&slot) {
        Ok(stored) => stored,
        // Without a key store there is no key in it; the variable below may still have one.
        Err(error) if means_no_store(&error) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(key) = stored {
        require_bound(context, &choice.endpoint, &slot, &key)?;
        note_use(context, slot, &key)?;
        return Ok(key);
    }
    context.keys_in_use.remove(&slot);
    if let Some(name) = named
        && let Some(key) = env_key(context, &choice.endpoint, &name)?
    {
        return Ok(key);
    }
    let provider = &choice.endpoint.name;
    let profile = if choice.profile.as_str() == "default" {
        String::new()
    } else {
        format!(" in profile `{}`", choice.profile)
    };
    let other = provider.as_str() != catalog::DEFAULT_PROVIDER;
    let of = if other {
        format!(" --provider {provider}")
    } else {
        String::new()
    };
    let within = if profile.is_empty() {
        String::new()
    } else {
        format!(" --profile {}", choice.profile)
    };
    let set = choice
        .env_name
        .as_ref()
        .filter(|_| within.is_empty())
        .map_or_else(String::new, |name| format!(" set `{name}`,"));
    bail!(
        CliError::new(
            CliExit::Key,
            "no_key",
            format!("no key for `{provider}`{profile}")
        )
        .hint(format!(
            "save one with `chatbot key set{of}{within}`,{set} or try `chatbot chat --demo`"
        ))
    )
}

/// Remembers which saved key the requests to a provider use, and logs it once in a run.
fn note_use(context: &mut Context, slot: Slot, key: &Secret) -> Result<()> {
    let index = context.keys()?.manager().index().ok().flatten();
    let Some(fingerprint) = index.map(|index| index.fingerprint(key)) else {
        return Ok(());
    };
    if context.keys_in_use.get(&slot) == Some(&fingerprint) {
        return Ok(());
    }
    if let Slot::ApiKey { provider, profile } = &slot {
        let event = Event::new(EventKind::KeyUsed)
            .word("provider", provider.as_str())
            .word("profile", profile.as_str())
            .word("store", &context.store_name());
        context.audit_key_event(&event);
    }
    context.keys_in_use.insert(slot, fingerprint);
    Ok(())
}

/// Sends a saved key only to the host it was saved for, even if the settings name another one
/// later. If no authentic record says which host that was, the key is sent to its provider's
/// own host only.
pub(crate) fn require_bound(
    context: &mut Context,
    endpoint: &Endpoint,
    slot: &Slot,
    key: &Secret,
) -> Result<()> {
    let (host, name) = (endpoint.host(), &endpoint.name);
    let clock = context.clock.clone();
    let manager = context.keys()?.manager();
    let index = manager.index().ok().flatten();
    let record = index.as_ref().and_then(|index| index.record(slot));
    if let Some(bound) = record.and_then(|record| record.host.as_ref()) {
        if *bound != host {
            bail!(
                CliError::new(
                    CliExit::Key,
                    "other_host",
                    format!("the key for `{name}` was saved for `{bound}`, not for `{host}`")
                )
                .hint(format!(
                    "save the key for `{host}` with `chatbot key set --provider {name}`"
                ))
            );
        }
        // Anyone who can write the file can write a host into it; a permit cannot be made
        // without the key.
        if index
            .as_ref()
            .is_some_and(|index| index.allows_host(key, &host))
        {
            return Ok(());
        }
    }
    if catalog::find(name.as_str())
        .and_then(catalog::ProviderInfo::endpoint)
        .is_none_or(|own| own.host() != host)
    {
        bail!(
            CliError::new(
                CliExit::Key,
                "unbound",
                format!("cannot tell whether the key for `{name}` was saved for `{host}`")
            )
            .hint(format!(
                "nothing was sent; save it again with `chatbot key set --provider {name}`"
            ))
        );
    }
    // A key that another installation saved, or whose record was lost, is recorded now. If that
    // fails, the next run comes here again.
    let store = manager.selected_store()?.store.kind();
    manager
        .update_index(|index| {
            index.record_key(slot, key, store, clock.now());
            index.allow_host(key, &host);
            if let Some(record) = index.record_mut(slot) {
                record.host = Some(host);
            }
        })
        .unwrap_or_default();
    Ok(())
}
