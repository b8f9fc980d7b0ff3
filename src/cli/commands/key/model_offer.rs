//! The model that a `.env` names next to a key: offered for the settings when the key is imported.

use crate::catalog;
use crate::cli::args::parse_model;
use crate::cli::commands::config::set_model;
use crate::cli::context::Context;
use anyhow::Result;

/// The variable by which programs for OpenRouter name their model.
const VARIABLE: &str = "OPENROUTER_MODEL";

/// Offers the first model that the texts name, if it is not the model of the settings already. A
/// model in the settings is replaced only if the user agrees.
pub(super) fn offer_model<'a>(
    context: &mut Context,
    mut texts: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let Some(model) = texts.find_map(find_model) else {
        return Ok(());
    };
    let settings = context.settings()?;
    let provider = settings.provider.as_ref().map(crate::name::Name::as_str);
    if settings.model.as_deref() == Some(model)
        || provider.is_some_and(|name| name != catalog::DEFAULT_PROVIDER)
    {
        return Ok(());
    }
    let instead = match &settings.model {
        Some(now) => format!(" instead of `{now}`"),
        None => String::new(),
    };
    let agreed = context.yes && settings.model.is_none()
        || !context.yes
            && context.ui.can_ask()
            && context.ui.confirm(
                &format!("Use the model of `{VARIABLE}`, `{model}`{instead}?"),
                "`--yes`",
            )?;
    if agreed {
        return set_model(context, model);
    }
    context.ui.say(
        &format!("`chatbot config set model {model}` uses the model of `{VARIABLE}`\n"),
        2,
    )
}

/// `OPENROUTER_MODEL=maker/model`, also quoted, and with `export`.
fn find_model(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim() == VARIABLE && parse_model(value).is_ok()).then_some(value)
    })
}
