//! The commands about private values: what was redacted, and what is shown or copied in full.

use crate::cli::code_blocks::code_blocks;
use crate::cli::errors::CliError;
use crate::cli::repl::state::Repl;
use crate::cli::term::format::format_size;
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
        (Some("why"), None) => {
            let reasons = repl.session()?.placeholders().reasons();
            if reasons.is_empty() {
                repl.context
                    .ui
                    .notice("nothing has been redacted in this conversation");
            }
            for (placeholder, rule, evidence) in reasons {
                let row = format!("  {placeholder}  {rule}: {evidence}\n");
                repl.context.ui.say(&row, 4)?;
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
            .hint("type `/redact show`, `/redact why`, `/redact off KIND` or `/redact on`")
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

/// Copies an answer, or a code block of the last answer, to the clipboard.
pub(in crate::cli::repl) fn copy(repl: &mut Repl<'_>, arguments: &str) -> Result<()> {
    let (code, number) = match arguments.strip_prefix("code") {
        Some(rest) => (true, rest.trim()),
        None => (false, arguments),
    };
    let number = match number {
        "" => 1,
        number => number.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            CliError::misuse("invalid arguments for `/copy`")
                .hint("type `/copy`, `/copy 2` for the answer before the last, or `/copy code 2`")
        })?,
    };
    let session = repl
        .session
        .as_ref()
        .context("the conversation has ended")?;
    let mut answers = session
        .history()
        .iter()
        .rev()
        .filter(|m| m.role == Role::Assistant);
    let Some(answer) = answers.nth(if code { 0 } else { number - 1 }) else {
        let what = match number {
            1 => "there is no answer yet".to_owned(),
            _ if code => "there is no answer yet".to_owned(),
            _ => format!("there are fewer than {number} answers"),
        };
        return Err(CliError::misuse(what).hint("send a message first").into());
    };
    let restored = |text: &str| session.placeholders().restore(text, Audience::Clipboard);
    let (what, (text, left_out)) = if code {
        let blocks = code_blocks(answer.text.as_str());
        let Some(block) = blocks.get(number - 1) else {
            return Err(no_code_block(blocks.len()).into());
        };
        let which = format!("copied code block {number} of {}", blocks.len());
        (which, restored(block.trim_end_matches('\n')))
    } else {
        ("copied".to_owned(), restored(answer.text.as_str()))
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
    let size = format_size(text.plain().len() as u64);
    repl.context.ui.notice(&format!(
        "{what} ({size}), if your terminal allows it{kept}"
    ));
    Ok(())
}

fn no_code_block(have: usize) -> CliError {
    match have {
        0 => CliError::misuse("there is no code block in the last answer")
            .hint("`/copy` copies the whole answer"),
        1 => CliError::misuse("there is only 1 code block in the last answer")
            .hint("`/copy code` copies it"),
        _ => CliError::misuse(format!(
            "there are only {have} code blocks in the last answer"
        ))
        .hint(format!(
            "type `/copy code N` with a number from 1 to {have}"
        )),
    }
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
