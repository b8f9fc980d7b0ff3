//! `key`: the API keys of the providers.

mod clear;
mod delete;
mod get;
mod import;
mod list;
mod login;
mod model_offer;
mod move_all;
mod recovery;
mod rotate;
mod rotate_all;
mod rotate_auto;
mod scrub;
mod set;
mod stored_key;
mod target;
mod validate;
mod validation;

pub(crate) use list::{key_json, list_entries, load_full_index};
pub(crate) use rotate::{RotationOutcome, rotate_key};
pub(crate) use target::display_key;
pub(crate) use validate::{key_notices, revalidate};

use crate::cli::context::Context;
use crate::keys::Slot;
use crate::name::Name;
use anyhow::Result;
use clap::{Args, Subcommand};

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

pub(crate) fn run(context: &mut Context, options: KeyArgs) -> Result<()> {
    match options.command {
        KeyCommand::Set(options) => set::run(context, &options),
        KeyCommand::Get(options) => get::run(context, &options),
        KeyCommand::Delete(options) => delete::run(context, &options),
        KeyCommand::List(options) => list::run(context, &options),
        KeyCommand::Validate(options) => validate::run(context, &options),
        KeyCommand::Login(options) => login::run(context, &options),
        KeyCommand::Import(options) => import::run(context, &options),
        KeyCommand::Rotate(options) if options.all || options.if_due => {
            rotate_all::run(context, &options)
        }
        KeyCommand::Rotate(options) => rotate::run(context, &options),
        KeyCommand::Move(options) => move_all::run(context, &options),
        KeyCommand::Clear(options) => clear::run(context, options),
        KeyCommand::Recovery(options) => recovery::run(context, &options),
    }
}

/// Asks for a key of this provider and saves it.
pub(crate) fn set_key_of(context: &mut Context, provider: Name, profile: Name) -> Result<()> {
    set::run(context, &set::KeySetArgs::for_key(provider, profile))
}

/// The keys that are recorded as saved.
pub(crate) fn stored_keys(context: &mut Context) -> Result<Vec<(Name, Name)>> {
    let Some(index) = load_full_index(context)? else {
        return Ok(Vec::new());
    };
    let slots = index.records().filter_map(|(slot, _)| match slot {
        Slot::ApiKey { provider, profile } => Some((provider, profile)),
        _ => None,
    });
    Ok(slots.collect())
}
