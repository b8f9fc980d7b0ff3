//! `completions`: the completion script for a shell.

mod candidates;
mod complete;

pub(crate) use complete::{CompleteArgs, run as complete};

use crate::cli::Cli;
use crate::cli::context::Context;
use crate::cli::term::output::ByteOutput;
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Models, providers, profiles and the IDs of conversations are completed in bash, zsh and fish.

Examples:
  chatbot completions bash > ~/.local/share/bash-completion/completions/chatbot
  chatbot completions zsh > ~/.zfunc/_chatbot    with fpath+=~/.zfunc before compinit
  chatbot completions fish > ~/.config/fish/completions/chatbot.fish";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Shell to generate the script for
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(_: &mut Context, options: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    match options.shell {
        Shell::Bash => script.extend(include_bytes!("bash.sh")),
        Shell::Zsh => script.extend(include_bytes!("zsh.sh")),
        Shell::Fish => script.extend(include_bytes!("fish.fish")),
        shell => clap_complete::generate(shell, &mut Cli::command(), "chatbot", &mut script),
    }
    let mut output = ByteOutput::default();
    output.write(&script)?;
    output.finish()
}
