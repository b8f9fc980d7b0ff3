//! `vault`: the encrypted file for keys, for machines without a keyring.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::app::App;
use crate::cli::args::{parse_kdf, parse_since};
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::display_path;
use crate::crypto::kdf::KdfParams;
use crate::fs;
use crate::keys::stores::vault;
use crate::keys::{StoreKind, Vault};
use crate::time::humanize;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// The longest time for which the kernel may cache the vault's key.
const MAX_UNLOCK: Duration = Duration::from_secs(7 * 86_400);

/// Manage the vault, an encrypted file for keys
///
/// The vault replaces the OS keyring on machines that have none. Its passphrase is asked for once
/// per run, or read from the file named by `CHATBOT_PASSPHRASE_FILE` or from the program named by
/// `CHATBOT_PASSPHRASE_COMMAND`. If you forget the passphrase, the contents of the vault are lost.
#[derive(Clone, Debug, Args)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    command: VaultCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum VaultCommand {
    /// Create a vault
    Create {
        /// Set the key derivation, which decides how costly it is to guess the passphrase:
        /// `argon2id:m=65536,t=3` (64 MiB, 3 passes; the default) or `pbkdf2:600000`
        #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
        kdf: Option<KdfParams>,
        /// Accept a passphrase that is easy to guess
        #[arg(long)]
        weak: bool,
    },
    /// Change the passphrase and re-encrypt the vault with a new key
    Passwd {
        /// Change the key derivation too
        #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
        kdf: Option<KdfParams>,
        /// Read the new passphrase from this file instead of asking for it
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Accept a passphrase that is easy to guess
        #[arg(long)]
        weak: bool,
    },
    /// Keep the vault unlocked for a while (Linux)
    Unlock {
        /// Keep it unlocked for this long: 15m, 8h
        #[arg(long = "for", value_name = "SPAN", default_value = "15m")]
        span: String,
    },
    /// Lock the vault
    Lock,
    /// Show the vault's location, key derivation and contents
    Status {
        /// Output JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(app: &mut App, options: VaultArgs) -> Result<()> {
    match options.command {
        VaultCommand::Create { kdf, weak } => create(app, kdf.unwrap_or_default(), weak),
        VaultCommand::Passwd {
            kdf,
            new_passphrase_file,
            weak,
        } => {
            let source = PassphraseSource::File(new_passphrase_file.as_deref());
            passwd(
                app,
                kdf,
                NewPassphrase {
                    purpose: "the vault",
                    source,
                    weak,
                },
            )
        }
        VaultCommand::Unlock { span } => unlock(app, &span),
        VaultCommand::Lock => lock(app),
        VaultCommand::Status { json } => status(app, json),
    }
}

fn audit_vault(app: &App, action: &str) {
    app.audit_event(
        &Event::new(EventKind::Vault)
            .severity(Severity::Notice)
            .word("action", action),
    );
}

fn create(app: &mut App, cost: KdfParams, weak: bool) -> Result<()> {
    let path = app.home.vault();
    if fs::exists(&path) {
        bail!(vault::Error::Exists(path));
    }
    let kept = app
        .keys()?
        .manager()
        .index()
        .ok()
        .flatten()
        .and_then(|index| index.store);
    let passphrase = passphrase::choose(
        app.ui,
        app.env,
        app.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak,
        },
    )?;
    Vault::create(&path, &passphrase, cost)?;
    audit_vault(app, "create");
    app.ui.say(
        &format!("created the vault `{}` ({cost})\n", display_path(&path)),
        2,
    )?;
    if kept == Some(StoreKind::OsKeyring) {
        app.ui.notice(
            "Existing keys stay in the OS keyring; `chatbot key move --to vault` moves them here.",
        );
    } else {
        app.ui
            .notice("Write the passphrase down: without it, the contents of the vault are lost.");
    }
    Ok(())
}

/// Makes sure that there is a key store; on a terminal, offers to create a vault if there is none.
pub(super) fn ensure_store(app: &mut App) -> Result<()> {
    let error = match app.keys()?.manager().probe() {
        Ok(()) => return Ok(()),
        Err(error) if means_no_store(&error) && app.ui.can_ask() => error,
        Err(error) => return Err(error.into()),
    };
    app.ui
        .error_line(&format!("There is no key store yet: {error}."));
    if !offer_vault(app)? {
        return Err(error.into());
    }
    Ok(app.keys()?.manager().probe()?)
}

/// Makes sure that there is a vault; on a terminal, offers to create one.
pub(super) fn ensure_vault(app: &mut App) -> Result<()> {
    let path = app.home.vault();
    if fs::exists(&path) {
        return Ok(());
    }
    if app.ui.can_ask() {
        app.ui.error_line("There is no vault yet.");
        if offer_vault(app)? {
            return Ok(());
        }
    }
    bail!(vault::Error::Missing(path))
}

fn offer_vault(app: &mut App) -> Result<bool> {
    app.ui
        .error_line("A vault is a file with your keys, encrypted with a passphrase.");
    if !app
        .ui
        .confirm("Create one now?", "`chatbot vault create`")?
    {
        return Ok(false);
    }
    let passphrase = passphrase::choose(
        app.ui,
        app.env,
        app.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak: false,
        },
    )?;
    Vault::create(&app.home.vault(), &passphrase, KdfParams::default())?;
    audit_vault(app, "create");
    // The user has just typed the passphrase twice: do not ask again in this run.
    app.keys()?.preset_passphrase(passphrase);
    Ok(true)
}

/// Asks for a new passphrase and changes it, for `incident recover`.
pub(super) fn passwd_typed(app: &mut App) -> Result<()> {
    passwd(
        app,
        None,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::File(None),
            weak: false,
        },
    )
}

fn passwd(app: &mut App, kdf: Option<KdfParams>, wanted: NewPassphrase<'_>) -> Result<()> {
    let path = app.home.vault();
    let Some(before) = vault::describe(&path)? else {
        bail!(vault::Error::Missing(path))
    };
    let vault = app.keys()?.open_vault();
    // The old passphrase is asked for first: without it, a new one is of no use.
    vault.names()?;
    let passphrase = passphrase::choose(app.ui, app.env, app.yes, wanted)?;
    let cost = kdf.unwrap_or(before.cost);
    vault.change_passphrase(&passphrase, cost)?;
    audit_vault(app, "passwd");
    app.ui.say(
        &format!("changed the passphrase and the key of the vault ({cost})\n"),
        2,
    )?;
    app.ui.notice(
        "Older copies of the vault can still be decrypted with the old passphrase; keys saved from now on cannot be decrypted with them.",
    );
    Ok(())
}

fn unlock(app: &mut App, span: &str) -> Result<()> {
    app.refuse_in_lockdown()?;
    let now = app.clock.now();
    let length = now.since(parse_since(span, now)?);
    if length.is_zero() || length > MAX_UNLOCK {
        bail!(
            CliError::misuse(format!(
                "`--for {span}` is not a duration of up to seven days"
            ))
            .hint("use `--for 15m`")
        );
    }
    let until = app.keys()?.open_vault().unlock_for(now, length)?;
    audit_vault(app, "unlock");
    app.ui.say(
        &format!(
            "the vault is open until {}, in the kernel's memory only\n",
            until.local_minute()
        ),
        2,
    )
}

fn lock(app: &mut App) -> Result<()> {
    let was_open = vault::lock(&app.home.vault())?;
    audit_vault(app, "lock");
    app.ui.out(if was_open {
        "the vault is locked\n"
    } else {
        "the vault was locked already\n"
    })
}

fn status(app: &mut App, as_json: bool) -> Result<()> {
    let path = app.home.vault();
    let Some(vault) = vault::describe(&path)? else {
        bail!(vault::Error::Missing(path))
    };
    let now = app.clock.now();
    if as_json {
        let used = app
            .keys()?
            .manager()
            .selected_store()
            .is_ok_and(|chosen| chosen.store.kind() == StoreKind::Vault);
        let object = json!({
            "schema_version": 1,
            "file": path.to_string_lossy(),
            "kdf": vault.cost.to_string(),
            "entries": vault.entries.len(),
            "open_until": vault.open_until,
            "in_use": used,
        });
        return app.ui.json(&object);
    }
    let state = match vault.open_until {
        Some(until) => format!("open for {} more", humanize(until.since(now))),
        None => String::from("locked"),
    };
    let used = match app.keys()?.manager().selected_store() {
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
    app.ui.say(
        &format!(
            "file:     {}\ncost:     {}\nentries:  {}\nstate:    {state}\nin use:   {used}\n",
            display_path(&path),
            vault.cost,
            vault.entries.len()
        ),
        2,
    )
}
