//! `chat`: the interactive chat.

use crate::cli::app::App;
use crate::cli::attachment;
use crate::cli::repl;
use crate::cli::report::{Exit, Problem, explain};
use crate::cli::talk::{self, Talk, Which};
use crate::privacy::Audience;
use anyhow::Result;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot chat --demo        try it offline, without a key
  chatbot chat --continue    continue the most recent conversation
  chatbot chat -m openai/gpt-5.2 -s \"answer briefly\"";

/// Start an interactive chat
///
/// Every message is validated, redacted, checked against limits and budgets, encrypted and saved
/// before it is sent. Type /help in the chat to list its commands.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// Continue the most recent conversation
    #[arg(short, long, conflicts_with = "resume")]
    r#continue: bool,
    /// Resume the conversation with this ID
    #[arg(short, long, value_name = "ID")]
    resume: Option<String>,
}

pub(crate) fn run(app: &mut App, mut options: Options) -> Result<()> {
    let which = Which::of(options.resume.clone(), options.r#continue);
    let restore = app.ui.output_is_terminal().then_some(Audience::Screen);
    let begun = match talk::begin(app, &options.talk, &which, restore) {
        Err(error) if app.ui.can_ask() && !options.talk.demo && explain(&error).is_no_key() => {
            if !offer(app, &error)? {
                options.talk.demo = true;
            }
            talk::begin(app, &options.talk, &which, restore)?
        }
        other => other?,
    };
    if !options.talk.demo {
        let (provider, profile) = app.whose(options.talk.provider.as_ref(), options.talk.profile.as_ref())?;
        for notice in super::key::notices(app, &provider, &profile)? {
            app.ui.warning(&notice);
        }
    }
    let attached = attachment::attach(&options.talk.file, app.settings()?.limits.max_attachment_bytes)?;
    repl::run(app, begun, options.talk, attached)
}

/// Offers to save a key when there is none. Returns whether one was saved; otherwise the user chose
/// the demo.
fn offer(app: &mut App, error: &anyhow::Error) -> Result<bool> {
    app.ui.error_line(&format!("There is no API key yet ({error})."));
    match app
        .ui
        .ask("Save one now (k), try the offline demo (d), or quit (Enter)? ", "`chatbot key set` or `chatbot chat --demo`")?
        .to_lowercase()
        .as_str()
    {
        "k" => super::key::set_now(app).map(|()| true),
        "d" => Ok(false),
        _ => Err(Problem::new(Exit::Key, "no_key", "there is no API key")
            .hint("save one with `chatbot key set`, or try `chatbot chat --demo`")
            .into()),
    }
}
