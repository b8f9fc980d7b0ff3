//! `completions`: the completion script for a shell.

use crate::cli::Cli;
use crate::cli::context::Context;
use crate::cli::term::output::ByteOutput;
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  chatbot completions bash > ~/.local/share/bash-completion/completions/chatbot
  chatbot completions fish > ~/.config/fish/completions/chatbot.fish";

/// Print a completion script for a shell
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Shell to generate the script for
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(_: &mut Context, options: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "chatbot", &mut script);
    let mut output = ByteOutput::default();
    output.write(&script)?;
    output.finish()
}
