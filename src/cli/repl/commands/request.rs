//! The commands about the next requests: model, provider, system prompt, budget and attachments.

use crate::chat::UserInput;
use crate::cli::args::{ConversationArgs, parse_variable};
use crate::cli::attachments;
use crate::cli::commands::{models, usage};
use crate::cli::editor;
use crate::cli::editor::EditResult;
use crate::cli::errors::CliError;
use crate::cli::outcome::describe_redactions;
use crate::cli::prices;
use crate::cli::provider;
use crate::cli::repl::state::Repl;
use crate::cli::roles;
use crate::cli::session;
use crate::cli::term::{Style, display_path};
use crate::name::Name;
use crate::privacy::Raw;
use crate::provider::Provider;
use anyhow::Result;
use std::path::PathBuf;

pub(in crate::cli::repl) fn show_usage(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    usage::show_today(repl.context)
}

/// Shows the budgets, or sets one. A budget needs the price list and the earlier spending of
/// the conversation.
pub(in crate::cli::repl) fn budget(repl: &mut Repl<'_>, amount: &str) -> Result<()> {
    if !amount.is_empty()
        && let Some(choice) = repl.choice.clone()
    {
        let key = session::key_for(repl.context, &choice)?;
        prices::fetch(repl.context, &choice, key.as_ref())?;
    }
    let kept = repl.session()?.conversation().map(|c| c.id().to_string());
    if let Some(id) = kept {
        let before = session::conversation_spend(repl.context, &id)?;
        let session = repl.session()?;
        session.set_conversation_spend(before.max(session.spend().conversation));
    }
    prices::show_or_set_budget(repl.context.ui, repl.session()?, amount)
}

pub(in crate::cli::repl) fn change_model(repl: &mut Repl<'_>, name: &str) -> Result<()> {
    if name.is_empty() {
        return repl.context.ui.out(&format!(
            "{}\n",
            Raw::from(repl.model.as_str()).printable_line()
        ));
    }
    if repl.args.uses_demo_provider() {
        return Err(CliError::misuse("the demo has only one assistant")
            .hint("start `chatbot chat --model NAME` to use a model")
            .into());
    }
    if name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CliError::misuse("not a model name")
            .hint("list them with `chatbot models`")
            .into());
    }
    if let Some((provider, model)) = repl.context.settings()?.alias(name) {
        let args = ConversationArgs {
            provider: Some(provider),
            model: Some(model),
            ..repl.args.clone()
        };
        return switch(repl, args);
    }
    repl.model = provider::check_model_name(repl.context, name.to_owned())?;
    if let Some(mut choice) = repl.choice.clone() {
        name.clone_into(&mut choice.model);
        let options = session::request_options(repl.context, &repl.args, &choice)?;
        *repl.session()?.options_mut() = options;
        repl.choice = Some(choice);
    }
    let window = prices::context_tokens(repl.context, repl.choice.as_ref(), name)?;
    repl.session()?.set_context_tokens(window);
    repl.context.ui.notice(&format!("model: {name}"));
    Ok(())
}

/// Lists the models of the provider in use whose names contain all words of `pattern`.
pub(in crate::cli::repl) fn list_models(repl: &mut Repl<'_>, pattern: &str) -> Result<()> {
    match repl.choice.clone() {
        Some(choice) => models::show(repl.context, &choice, pattern),
        None => Err(CliError::misuse("the demo has only one assistant")
            .hint("start `chatbot chat` to use a model")
            .into()),
    }
}

/// Switches the provider for the following messages; the history stays and is sent to it.
pub(in crate::cli::repl) fn change_provider(repl: &mut Repl<'_>, name: &str) -> Result<()> {
    if name.is_empty() {
        let answers = repl.session()?.provider().name().to_string();
        return repl.context.ui.out(&format!("{answers}\n"));
    }
    if repl.args.uses_demo_provider() {
        return Err(CliError::misuse("the demo has only one assistant")
            .hint("start `chatbot chat --provider NAME` to use another")
            .into());
    }
    let name: Name = name
        .parse()
        .map_err(|why| CliError::misuse(format!("not a provider name: {why}")))?;
    let args = ConversationArgs {
        provider: Some(name),
        model: None,
        ..repl.args.clone()
    };
    switch(repl, args)
}

/// Sends the following messages to the provider and model of the arguments.
fn switch(repl: &mut Repl<'_>, args: ConversationArgs) -> Result<()> {
    let (provider, choice, options) = session::connect(repl.context, &args)?;
    let (pricing, profile) = (
        prices::pricing(repl.context, choice.as_ref()),
        session::profile_name(choice.as_ref()),
    );
    options.model.clone_into(&mut repl.model);
    let window = prices::context_tokens(repl.context, choice.as_ref(), &options.model)?;
    repl.session()?
        .switch_provider(provider, options, pricing, profile);
    repl.session()?.set_context_tokens(window);
    repl.choice = choice;
    repl.args = args;
    let model = Raw::from(repl.model.as_str()).printable_line();
    let name = repl.session()?.provider().name().to_string();
    repl.context
        .ui
        .notice(&format!("model: {model}, provider: {name}"));
    Ok(())
}

pub(in crate::cli::repl) fn set_system_prompt(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(CliError::misuse("missing system prompt")
            .hint("for example `/system answer in one sentence`")
            .into());
    }
    let findings = repl.session()?.set_system_prompt(Raw::from(text));
    if !findings.is_empty() {
        repl.context
            .ui
            .notice(&describe_redactions(&findings.counts()));
    }
    repl.context.ui.notice("system prompt set");
    Ok(())
}

/// Lists the roles, or uses one from now on: `/role NAME variable=value …`.
pub(in crate::cli::repl) fn role(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    let mut words = text.split_whitespace();
    let name = match words.next() {
        None => return list_roles(repl),
        Some("off") => {
            repl.args.role = None;
            repl.args.var.clear();
            repl.context
                .ui
                .notice("no role; `/new` starts a conversation without its system prompt");
            return Ok(());
        }
        Some(name) => name
            .parse::<Name>()
            .map_err(|why| CliError::misuse(format!("not the name of a role: {why}")))?,
    };
    let variables: Result<Vec<_>, _> = words.map(parse_variable).collect();
    let own = ConversationArgs {
        role: Some(name.clone()),
        var: variables.map_err(|why| CliError::misuse(format!("a variable {why}")))?,
        system: None,
        ..repl.args.clone()
    };
    // The model in use gives way to that of the role.
    let mut filled = roles::apply(
        repl.context,
        &ConversationArgs {
            provider: None,
            model: None,
            ..own.clone()
        },
    )?;
    let has_model = filled.model.is_some() || filled.provider.is_some();
    filled.provider = filled.provider.or_else(|| own.provider.clone());
    if repl.choice.is_some() && has_model {
        switch(repl, filled.clone())?;
    } else if let Some(choice) = repl.choice.clone() {
        *repl.session()?.options_mut() = session::request_options(repl.context, &filled, &choice)?;
    }
    // The next conversation starts from the role again.
    repl.args = ConversationArgs {
        provider: filled.provider,
        ..own
    };
    if let Some(system) = filled.system {
        let findings = repl.session()?.set_system_prompt(system);
        if !findings.is_empty() {
            let counts = describe_redactions(&findings.counts());
            repl.context.ui.notice(&counts);
        }
    }
    repl.context.ui.notice(&format!("role: {name}"));
    Ok(())
}

fn list_roles(repl: &Repl<'_>) -> Result<()> {
    let names = roles::names(repl.context);
    if names.is_empty() {
        let folder = display_path(&repl.context.home.roles());
        repl.context.ui.notice(&format!(
            "there are no roles; a role is a file `{folder}/NAME.md`"
        ));
    }
    let used = repl.args.role.as_ref().map(Name::as_str);
    let lines: String = names
        .iter()
        .map(|name| {
            let mark = if used == Some(name) { "*" } else { " " };
            format!("{mark} {name}\n")
        })
        .collect();
    repl.context.ui.out(&lines)
}

pub(in crate::cli::repl) fn attach(repl: &mut Repl<'_>, path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(CliError::misuse("missing file name")
            .hint("type `/file PATH`")
            .into());
    }
    let most = repl.context.settings()?.limits.max_attachment_bytes;
    let text = attachments::attach(
        &[PathBuf::from(path)],
        most.saturating_sub(repl.attached.len() as u64),
    )?;
    if !repl.attached.is_empty() {
        repl.attached.push(&Raw::from("\n\n"));
    }
    repl.attached.push(&text);
    repl.context.ui.notice(&format!(
        "attached {} to the next message",
        display_path(&PathBuf::from(path))
    ));
    Ok(())
}

/// Opens the text in the user's editor, and sends the result as a message.
pub(in crate::cli::repl) fn edit(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    let EditResult { text, failure } = editor::edit_text(repl.context, text)?;
    if let Some(failure) = failure {
        // The text is one arrow key away, so that a failed editor does not lose it.
        repl.keyboard.remember(text.printable());
        return Err(failure);
    }
    if text.is_empty() {
        repl.context.ui.notice("the editor returned no text");
        return Ok(());
    }
    repl.context
        .ui
        .out(repl.context.ui.paint(Style::Dim, &text.printable()) + "\n")?;
    let input = UserInput {
        text,
        attachments: std::mem::replace(&mut repl.attached, Raw::from("")),
    };
    repl.send(input)
}
