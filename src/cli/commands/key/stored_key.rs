//! Finds the key of a provider, checks the form of a new one, and saves it.

use crate::catalog::check_any_key;
use crate::cli::commands::key::target::KeyTarget;
use crate::cli::commands::key::validation::KeyValidation;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::secret::Secret;
use anyhow::Result;
use clap::Args;

/// The default profile of the management key.
pub(super) const MANAGEMENT_PROFILE: &str = "management";

/// How a new key is given and checked.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct NewKeyArgs {
    /// Read the key from the first line of standard input
    #[arg(long)]
    pub(super) stdin: bool,
    /// Do not check the key with the provider
    #[arg(long)]
    pub(super) no_validate: bool,
    /// Save the key even if it looks wrong, looks like another provider's, is rejected or cannot be
    /// checked
    #[arg(long)]
    pub(super) force: bool,
}

/// A key, and where it was found.
pub(super) struct LocatedKey {
    pub(super) secret: Secret,
    /// `os-keyring`, `vault`, or the name of the environment variable.
    pub(super) source: String,
    pub(super) stored: bool,
}

/// Finds the key of a provider: the saved one, else the one in its variable.
pub(super) fn locate(context: &mut Context, target: &KeyTarget) -> Result<Option<LocatedKey>> {
    let variable = target.variable.clone().filter(|name| context.env.has(name));
    match context.keys()?.manager().get(&target.slot) {
        Ok(Some(secret)) => {
            return Ok(Some(LocatedKey {
                secret,
                source: context.store_name(),
                stored: true,
            }));
        }
        Ok(None) => {}
        Err(error) if variable.is_some() && means_no_store(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(name) = variable else {
        return Ok(None);
    };
    Ok(context.env.secret(&name)?.map(|secret| LocatedKey {
        secret,
        source: format!("env `{name}`"),
        stored: false,
    }))
}

/// Saves a key and the result of its validation.
pub(super) fn store_key(
    context: &mut Context,
    target: &KeyTarget,
    key: &Secret,
    answer: &KeyValidation,
) -> Result<()> {
    let now = context.clock.now();
    let manager = context.keys()?.manager();
    let host = target.endpoint.host();
    // The permit is written first: if the process is killed in between, the saved key can still be
    // used.
    manager.update_index(|index| index.allow_host(key, &host))?;
    manager.store(&target.slot, key)?;
    manager.update_index(|index| {
        if let Some(record) = index.record_mut(&target.slot) {
            record.host = Some(host);
            answer.write(record, now);
        }
    })?;
    Ok(())
}

/// Checks that it can be a key at all, and that it looks like one of this provider.
pub(super) fn check_format(target: &KeyTarget, key: &Secret, force: bool) -> Result<()> {
    let text = key.expose();
    let wrong = |why: String| CliError::new(CliExit::Key, "bad_key", why);
    check_any_key(text).map_err(|why| {
        wrong(why.to_string()).hint("copy only the key, complete and on one line")
    })?;
    // A management key cannot answer messages, so it is accepted only in its own profile.
    let makes_keys = target.profile.as_str() == MANAGEMENT_PROFILE
        && target.known.is_some_and(|entry| entry.is_admin_key(text));
    if let (Some(entry), false) = (target.known, force || makes_keys) {
        entry.check_key(text).map_err(|why| {
            wrong(why.to_string()).hint(format!(
                "check it at {}, or save it anyway with `--force`",
                entry.key_page
            ))
        })?;
    }
    Ok(())
}
