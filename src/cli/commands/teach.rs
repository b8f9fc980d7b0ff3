//! `allow` and `never`: correct the redactor, with one line in the settings.

use super::config::change_list;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::config::{self, SettingKey};
use crate::crypto::aead::random_bytes;
use crate::privacy::{Policy, Raw, taught};
use anyhow::{Result, bail};
use clap::Args;

const ALLOW_EXAMPLES: &str = "\
Examples:
  chatbot allow \"192.0.2.10\"
  chatbot allow \"*@example.org\"
  chatbot allow --undo \"192.0.2.10\"";

const NEVER_EXAMPLES: &str = "\
Examples:
  chatbot never                          ask for the text, without echo
  chatbot never \"Project Blue Heron\"
  pass show office | chatbot never -
  chatbot never --undo";

#[derive(Clone, Debug, Args)]
#[command(after_help = ALLOW_EXAMPLES)]
pub(crate) struct AllowArgs {
    /// The text as it stands in your messages, or a pattern
    text: Raw,
    /// Redact it again
    #[arg(long)]
    undo: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = NEVER_EXAMPLES)]
pub(crate) struct NeverArgs {
    /// The text, exactly as it is written; `-` reads a line from standard input
    text: Option<Raw>,
    /// Forget the text
    #[arg(long)]
    undo: bool,
}

pub(crate) fn allow(context: &mut Context, options: &AllowArgs) -> Result<()> {
    let text = options.text.printable_line();
    if text.trim().is_empty() {
        bail!(CliError::misuse("the text is empty").hint("name what is redacted without reason"));
    }
    let changed = change(context, "privacy.allow", &text, "allow", options.undo)?;
    context.ui.out(match (options.undo, changed) {
        (false, true) => "allowed: the text is no longer redacted\n",
        (false, false) => "the text is allowed already\n",
        (true, true) => "the text is redacted again\n",
        (true, false) => "the text is not in `privacy.allow`\n",
    })?;
    if !options.undo {
        say_what_is_found(context, &options.text)?;
    }
    Ok(())
}

pub(crate) fn never(context: &mut Context, options: &NeverArgs) -> Result<()> {
    let text = match &options.text {
        Some(text) if !text.is_single_dash() => text.clone(),
        other => {
            let asked = if other.is_some() {
                context.ui.secret_input()
            } else {
                let question = if options.undo {
                    "Text to forget: "
                } else {
                    "Text to redact from now on: "
                };
                let option = "`chatbot never -` to read it from standard input";
                context.ui.ask_hidden(question, option)
            };
            Raw::from(asked?.expose())
        }
    };
    let policy = context.settings()?.privacy.policy.clone();
    let entry = taught::teach(&text, &policy.never, random_bytes()?).map_err(|error| {
        CliError::misuse(error.to_string())
            .hint("teach a longer or a shorter part of it, on one line")
    })?;
    let changed = change(context, "privacy.never", &entry, "never", options.undo)?;
    context.ui.out(match (options.undo, changed) {
        (false, true) => "taught: the text is sent and kept as `[PRIVATE_1]` from now on\n",
        (false, false) => "the text is taught already\n",
        (true, true) => "forgotten: only the usual rules apply to the text\n",
        (true, false) => "the text was never taught\n",
    })?;
    Ok(())
}

/// Adds an element to a list in the settings, or takes it out. Returns whether the list changed.
fn change(
    context: &mut Context,
    key: &str,
    element: &str,
    command: &'static str,
    undo: bool,
) -> Result<bool> {
    let policy = context.settings()?.privacy.policy.clone();
    let list = if command == "allow" {
        policy.allow
    } else {
        policy.never
    };
    if list.iter().any(|known| known == element) != undo {
        return Ok(false);
    }
    let day = context.clock.now().local_day();
    change_list(context, command, |text| {
        let key = SettingKey::parse(key)?;
        if undo {
            return config::remove(text, &key, element);
        }
        config::append(text, &key, element, &format!("{day}, `chatbot {command}`"))
    })?;
    Ok(true)
}

/// Says so if an allowed text is redacted all the same.
fn say_what_is_found(context: &mut Context, text: &Raw) -> Result<()> {
    let policy = Policy {
        off: false,
        ..context.settings()?.privacy.policy.clone()
    };
    let found = context.redactor_for(&policy)?.findings_in(text);
    if let Some(finding) = found.iter().next() {
        context.ui.error_line(&format!(
            "chatbot: warning: a part of it is redacted all the same: {} by the rule `{}`: {}",
            finding.kind, finding.rule, finding.evidence
        ));
    }
    Ok(())
}
