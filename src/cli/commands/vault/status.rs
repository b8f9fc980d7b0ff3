//! `vault status`: where the vault is, how it is encrypted, and what it has.

use crate::cli::context::Context;
use crate::cli::term::display_path;
use crate::keys::StoreKind;
use crate::keys::stores::vault;
use crate::time::humanize;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

/// Show the vault's location, key derivation, factors and contents
#[derive(Clone, Debug, Args)]
pub(super) struct VaultStatusArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &VaultStatusArgs) -> Result<()> {
    let path = context.home.vault();
    let Some(vault) = vault::describe(&path)? else {
        bail!(vault::Error::Missing(path))
    };
    let now = context.clock.now();
    let factors: Vec<&str> = [
        ("passphrase", true),
        ("key file", vault.needs_key_file),
        ("second factor", vault.needs_device),
    ]
    .into_iter()
    .filter_map(|(name, is_needed)| is_needed.then_some(name))
    .collect();
    if options.json {
        let used = context
            .keys()?
            .manager()
            .selected_store()
            .is_ok_and(|chosen| chosen.store.kind() == StoreKind::Vault);
        let object = json!({
            "schema_version": 1,
            "file": path.to_string_lossy(),
            "kdf": vault.cost.to_string(),
            "factors": factors,
            "entries": vault.entries.len(),
            "open_until": vault.open_until,
            "in_use": used,
        });
        return context.ui.json(&object);
    }
    let state = match vault.open_until {
        Some(until) => format!("open for {} more", humanize(until.since(now))),
        None => String::from("locked"),
    };
    let used = match context.keys()?.manager().selected_store() {
        Ok(chosen) if chosen.store.kind() == StoreKind::Vault => {
            format!("yes, because {}", chosen.reason)
        }
        Ok(chosen) => format!(
            "no, the {} is, because {}",
            chosen.store.kind(),
            chosen.reason
        ),
        Err(error) => format!("no: {error}"),
    };
    context.ui.say(
        &format!(
            "file:     {}\ncost:     {}\nfactors:  {}\nentries:  {}\nstate:    {state}\nin use:   {used}\n",
            display_path(&path),
            vault.cost,
            factors.join(", "),
            vault.entries.len()
        ),
        2,
    )
}
