//! The commands about private values: what was redacted, and what is shown or copied in full.

use crate::cli::errors::CliError;
use crate::cli::repl::state::Repl;
use crate::config::closest_name;
use crate::message::Role;
use crate::privacy::{Audience, KINDS, Raw, Redactor};
use anyhow::{Context as _, Result};
use std::sync::Arc;

pub(in crate::cli::repl) fn redact(repl: &mut Repl<'_>, arguments: &str) -> Result<()> {
    let mut words = arguments.split_whitespace();
    match (words.next(), words.next()) {
        (None | Some("show"), None) => {
            let list = repl.session()?.placeholders().list();
            if list.is_empty() {
                repl.context
                    .ui
                    .notice("nothing has been redacted in this conversation");
            }
            let wide = list.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
            for (placeholder, value) in list {
                repl.context
                    .ui
                    .out(&format!("  {placeholder:<wide$}  {value}\n"))?;
            }
            Ok(())
        }
        (Some("off"), Some(kind)) => disable_kind(repl, &kind.to_uppercase()),
        (Some("on"), None) => {
            let redactor = repl.context.redactor()?;
            repl.session()?.use_redactor(redactor);
            repl.context
                .ui
                .notice("redaction follows your settings again");
            Ok(())
        }
        _ => Err(CliError::misuse("invalid arguments for `/redact`")
            .hint("type `/redact show`, `/redact off KIND` or `/redact on`")
            .into()),
    }
}

fn disable_kind(repl: &mut Repl<'_>, kind: &str) -> Result<()> {
    let mut policy = repl.context.settings()?.privacy.policy.clone();
    policy.disable.push(kind.to_owned());
    let redactor = Redactor::new(&policy).map_err(|error| {
        let hint = closest_name(kind, KINDS.iter().map(|(kind, _)| *kind)).map_or_else(
            || "`/redact show` lists what was found".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        CliError::misuse(error.to_string()).hint(hint)
    })?;
    repl.session()?.use_redactor(Arc::new(redactor));
    repl.context.ui.warning(&format!(
        "{} is not redacted in this conversation from now on; `/redact on` undoes this",
        Raw::from(kind).printable()
    ));
    Ok(())
}

pub(in crate::cli::repl) fn copy(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let session = repl
        .session
        .as_ref()
        .context("the conversation has ended")?;
    let last = session
        .history()
        .iter()
        .rev()
        .find(|m| m.role == Role::Assistant);
    let Some((text, left_out)) = last.map(|m| {
        session
            .placeholders()
            .restore(m.text.as_str(), Audience::Clipboard)
    }) else {
        return Err(CliError::misuse("there is no answer yet")
            .hint("send a message first")
            .into());
    };
    if !repl.context.ui.output_is_terminal() || text.plain().len() > 74_000 {
        return Err(
            CliError::misuse("cannot copy to the clipboard of this terminal")
                .hint("select the text with the mouse")
                .into(),
        );
    }
    repl.context.ui.copy_to_clipboard(&text)?;
    let kept = match left_out {
        0 => String::new(),
        1 => "; 1 value stays a placeholder, `/reveal` shows secrets".to_owned(),
        many => format!("; {many} values stay placeholders, `/reveal` shows secrets"),
    };
    repl.context
        .ui
        .notice(&format!("copied, if your terminal allows it{kept}"));
    Ok(())
}

/// Shows one secret, or the last answer with its secrets in full. Neither is saved or logged.
pub(in crate::cli::repl) fn reveal(repl: &mut Repl<'_>, name: &str) -> Result<()> {
    if !repl.context.ui.output_is_terminal() {
        return Err(CliError::misuse("secrets are shown only on a terminal")
            .hint("use `chatbot ask --restore` to write them to a pipe")
            .into());
    }
    let session = repl
        .session
        .as_ref()
        .context("the conversation has ended")?;
    if !name.is_empty() {
        let Some(value) = session.placeholders().reveal(name) else {
            let name = Raw::from(name).printable_line();
            return Err(
                CliError::misuse(format!("there is no placeholder `{name}`"))
                    .hint("`/redact show` lists them")
                    .into(),
            );
        };
        return repl.context.ui.out(value + "\n");
    }
    let last = session
        .history()
        .iter()
        .rev()
        .find(|m| m.role == Role::Assistant);
    let Some((text, _)) = last.map(|m| {
        session
            .placeholders()
            .restore(m.text.as_str(), Audience::Revealed)
    }) else {
        return Err(CliError::misuse("there is no answer yet")
            .hint("send a message first")
            .into());
    };
    repl.context.ui.out(text.trim_end() + "\n")
}
