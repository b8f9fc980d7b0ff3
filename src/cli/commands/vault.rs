//! `vault`: the sealed file for machines without a keyring.

use crate::cli::app::App;
use crate::cli::env::Env;
use crate::cli::keys::passphrase;
use crate::keys::{Cost, Vault};
use anyhow::Result;
use clap::{Args, Subcommand};

/// Look after the vault: keys in one sealed file
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make a vault
    Create {
        /// How hard the passphrase is to guess: argon2id:m=65536,t=3 or pbkdf2:600000
        #[arg(long)]
        kdf: Option<String>,
    },
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        false
    }
}

pub(crate) fn run(app: &mut App, options: Options) -> Result<()> {
    match options.command {
        Command::Create { kdf } => {
            let env: Env = app.env;
            let secret = passphrase(app.ui, env, "Passphrase: ", 0).map_err(|e| anyhow::anyhow!(e.0))?;
            let cost = kdf.map_or(Ok(Cost::default()), |k| k.parse())?;
            Vault::create(&app.home.vault(), &secret, cost)?;
            Ok(())
        }
    }
}
