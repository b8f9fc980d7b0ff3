//! `chat`: the interactive chat.

use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments::AttachedFiles;
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::provider;
use crate::cli::repl;
use crate::cli::session::{self, StartedSession};
use crate::config::KeySource;
use crate::privacy::{Audience, Raw};
use anyhow::{Result, bail};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot chat --demo        try it offline, without a key
  chatbot chat --continue    continue the most recent conversation
  chatbot chat \"why is the sky blue?\"
  chatbot chat -m openai/gpt-5.2 -s \"answer briefly\"";

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ChatCommandArgs {
    /// The first message
    #[arg(value_name = "MESSAGE")]
    message: Vec<Raw>,
    #[command(flatten)]
    pub(crate) conversation: ConversationArgs,
    /// Continue the most recent conversation
    #[arg(short, long, conflicts_with = "resume")]
    r#continue: bool,
    /// Resume the conversation with this ID, or with this text in its title
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
}

pub(crate) fn run(context: &mut Context, mut options: ChatCommandArgs) -> Result<()> {
    let resume = Resume::from_args(options.resume.clone(), options.r#continue);
    let restore = context.ui.output_is_terminal().then_some(Audience::Screen);
    let started = begin(context, &mut options.conversation, &resume, restore)?;
    if !options.conversation.uses_demo_provider() {
        let (provider, profile) = provider::resolve_for_request(
            context,
            options.conversation.provider.as_ref(),
            options.conversation.profile.as_ref(),
        )?;
        for notice in super::key::key_notices(context, &provider, &profile)? {
            context.ui.warning(&notice);
        }
    }
    let mut attached = AttachedFiles::default();
    attached
        .add(context, &options.conversation.file)?
        .report(context.ui);
    let mut first = Raw::from("");
    for word in &options.message {
        if !first.is_empty() {
            first.push(&Raw::from(" "));
        }
        first.push(word);
    }
    repl::run(context, started, options.conversation, attached, first)
}

/// Begins the session. On a terminal, asks one question about each thing that is missing: a key, and
/// a place for conversations.
fn begin(
    context: &mut Context,
    args: &mut ConversationArgs,
    resume: &Resume,
    restore: Option<Audience>,
) -> Result<StartedSession> {
    let (mut key_asked, mut place_asked) = (false, false);
    loop {
        let error = match session::begin(context, args, resume, restore) {
            Err(error) if context.ui.can_ask() && !args.demo => error,
            other => return other,
        };
        if session::is_saving_the_obstacle(&error)
            && matches!(resume, Resume::New)
            && !std::mem::replace(&mut place_asked, true)
        {
            ask_for_place(context, args, &error)?;
        } else if diagnose(&error).has_code("no_key")
            && can_have_key(context, args)?
            && !std::mem::replace(&mut key_asked, true)
        {
            ask_for_key(context, args)?;
        } else {
            return Err(error);
        }
    }
}

/// Whether the key of the provider can be saved here. The settings may name a variable for it.
fn can_have_key(context: &mut Context, args: &ConversationArgs) -> Result<bool> {
    let choice = provider::choose(
        context,
        args.provider.as_ref(),
        args.profile.as_ref(),
        args.model.as_deref(),
    )?;
    Ok(choice.key == KeySource::Stored)
}

/// Nothing can be saved without a key store: creates a vault, or goes on without saving.
fn ask_for_place(
    context: &mut Context,
    args: &mut ConversationArgs,
    error: &anyhow::Error,
) -> Result<()> {
    context
        .ui
        .error_line(&Raw::from(capitalized(&error.to_string()) + ".").printable_line());
    loop {
        let answer = context.ui.ask(
            "Create a vault (c), go on without saving (g), or quit (q)? ",
            "`--no-log`",
        )?;
        match answer.to_lowercase().as_str() {
            "c" => return super::vault::create_for_this_run(context),
            "g" => {
                args.no_log = true;
                return Ok(());
            }
            "q" | "" => bail!(SilentExit(CliExit::Key)),
            _ => {}
        }
    }
}

/// Saves a key, or goes on with the demo.
fn ask_for_key(context: &mut Context, args: &mut ConversationArgs) -> Result<()> {
    let (provider, profile) =
        provider::resolve_for_request(context, args.provider.as_ref(), args.profile.as_ref())?;
    let endpoint = provider::endpoint(context, &provider)?;
    let title = Raw::from(endpoint.title).printable_line();
    context
        .ui
        .error_line(&format!("There is no {title} API key yet."));
    loop {
        let answer = context.ui.ask(
            "Save one now (k), try the offline demo (d), or quit (q)? ",
            "`chatbot key set` or `chatbot chat --demo`",
        )?;
        match answer.to_lowercase().as_str() {
            "k" => return super::key::set_key_of(context, provider, profile),
            "d" => {
                args.demo = true;
                return Ok(());
            }
            "q" | "" => bail!(SilentExit(CliExit::Key)),
            _ => {}
        }
    }
}

fn capitalized(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
