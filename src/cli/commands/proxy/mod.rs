//! `proxy`: other programs use models with a token instead of the key.

mod control;
mod list;
mod revoke;
pub(super) mod serve;
mod setup;
mod setup_edit;
mod status;
mod token;

use crate::cli::context::Context;
use crate::name::Name;
use anyhow::Result;
use clap::{Args, Subcommand};

pub(super) use token::TokenLimits;

#[derive(Clone, Debug, Args)]
pub(crate) struct ProxyArgs {
    #[command(subcommand)]
    command: ProxyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ProxyCommand {
    Serve(serve::ProxyServeArgs),
    Token(token::ProxyTokenArgs),
    List(list::ProxyListArgs),
    Revoke(revoke::ProxyRevokeArgs),
    Status(status::ProxyStatusArgs),
    Setup(setup::ProxySetupArgs),
}

impl ProxyArgs {
    /// The profile whose settings apply.
    pub(crate) fn profile(&self) -> Option<&Name> {
        match &self.command {
            ProxyCommand::Serve(options) => options.host.profile.as_ref(),
            _ => None,
        }
    }
}

pub(crate) fn run(context: &mut Context, options: &ProxyArgs) -> Result<()> {
    match &options.command {
        ProxyCommand::Serve(options) => serve::run(context, options),
        ProxyCommand::Token(options) => token::run(context, options),
        ProxyCommand::List(options) => list::run(context, options),
        ProxyCommand::Revoke(options) => revoke::run(context, options),
        ProxyCommand::Status(options) => status::run(context, options),
        ProxyCommand::Setup(options) => setup::run(context, options),
    }
}
