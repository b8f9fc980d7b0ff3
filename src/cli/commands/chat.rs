//! `chat`: the interactive chat.

use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments::AttachedFiles;
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::provider;
use crate::cli::repl;
use crate::cli::session;
use crate::privacy::{Audience, Raw};
use anyhow::Result;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot chat --demo        try it offline, without a key
  chatbot chat --continue    continue the most recent conversation
  chatbot chat \"why is the sky blue?\"
  chatbot chat -m openai/gpt-5.2 -s \"answer briefly\"";

/// Start an interactive chat
///
/// Every message is validated, redacted, checked against limits and budgets, encrypted and saved
/// before it is sent. Type /help in the chat to list its commands.
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
    /// Resume the conversation with this ID
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
}

pub(crate) fn run(context: &mut Context, mut options: ChatCommandArgs) -> Result<()> {
    let resume = Resume::from_args(options.resume.clone(), options.r#continue);
    let restore = context.ui.output_is_terminal().then_some(Audience::Screen);
    let started = match session::begin(context, &options.conversation, &resume, restore) {
        Err(error)
            if context.ui.can_ask()
                && !options.conversation.demo
                && diagnose(&error).is_no_key() =>
        {
            if !offer_key_or_demo(context, &error)? {
                options.conversation.demo = true;
            }
            session::begin(context, &options.conversation, &resume, restore)?
        }
        other => other?,
    };
    if !options.conversation.demo {
        let (provider, profile) = provider::resolve(
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
        .add(
            &options.conversation.file,
            context.settings()?.limits.max_attachment_bytes,
        )?
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

/// Offers to save a key when there is none. Returns whether one was saved; otherwise the user chose
/// the demo.
fn offer_key_or_demo(context: &mut Context, error: &anyhow::Error) -> Result<bool> {
    context
        .ui
        .error_line(&format!("There is no API key yet ({error})."));
    match context
        .ui
        .ask(
            "Save one now (k), try the offline demo (d), or quit (Enter)? ",
            "`chatbot key set` or `chatbot chat --demo`",
        )?
        .to_lowercase()
        .as_str()
    {
        "k" => super::key::set_default_key(context).map(|()| true),
        "d" => Ok(false),
        _ => Err(CliError::new(CliExit::Key, "no_key", "there is no API key")
            .hint("save one with `chatbot key set`, or try `chatbot chat --demo`")
            .into()),
    }
}
