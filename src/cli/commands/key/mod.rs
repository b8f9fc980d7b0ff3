//! `key`: the API keys of the providers.

mod clear;
mod delete;
mod get;
mod import;
mod list;
mod login;
mod move_all;
mod recovery;
mod rotate;
mod rotate_auto;
mod scrub;
mod set;
mod stored_key;
mod target;
mod validate;
mod validation;

pub(crate) use list::load_full_index;
pub(crate) use rotate::{RotationOutcome, rotate_key};
pub(crate) use target::display_key;
pub(crate) use validate::key_notices;

use crate::cli::context::Context;
use crate::keys::Slot;
use crate::name::Name;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Manage API keys
///
/// Keys are stored in the OS keyring, or in a vault file encrypted with a passphrase. They are
/// never accepted as arguments and never written to files or logs in plain text.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum KeyCommand {
    Set(set::KeySetArgs),
    Get(get::KeyGetArgs),
    Delete(delete::KeyDeleteArgs),
    List(list::KeyListArgs),
    Validate(validate::KeyValidateArgs),
    Login(login::KeyLoginArgs),
    Import(import::KeyImportArgs),
    Rotate(rotate::KeyRotateArgs),
    Move(move_all::KeyMoveArgs),
    Clear(clear::KeyClearArgs),
    Recovery(recovery::KeyRecoveryArgs),
}

pub(crate) fn run(app: &mut Context, options: KeyArgs) -> Result<()> {
    match options.command {
        KeyCommand::Set(options) => set::run(app, &options),
        KeyCommand::Get(options) => get::run(app, &options),
        KeyCommand::Delete(options) => delete::run(app, &options),
        KeyCommand::List(options) => list::run(app, &options),
        KeyCommand::Validate(options) => validate::run(app, &options),
        KeyCommand::Login(options) => login::run(app, &options),
        KeyCommand::Import(options) => import::run(app, &options),
        KeyCommand::Rotate(options) => rotate::run(app, &options),
        KeyCommand::Move(options) => move_all::run(app, &options),
        KeyCommand::Clear(_) => clear::run(app),
        KeyCommand::Recovery(options) => recovery::run(app, &options),
    }
}

/// Asks for a key of the default provider and saves it.
pub(crate) fn set_default_key(app: &mut Context) -> Result<()> {
    set::run(app, &set::KeySetArgs::default())
}

/// The keys that are recorded as saved.
pub(crate) fn stored_keys(app: &mut Context) -> Result<Vec<(Name, Name)>> {
    let Some(index) = load_full_index(app)? else {
        return Ok(Vec::new());
    };
    let slots = index.records().filter_map(|(slot, _)| match slot {
        Slot::ApiKey { provider, profile } => Some((provider, profile)),
        _ => None,
    });
    Ok(slots.collect())
}
