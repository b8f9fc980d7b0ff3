//! The commands about the next requests: model, provider, system prompt, budget and attachments.

use crate::catalog;
use crate::cli::args::{ConversationArgs, parse_temperature, parse_tokens, parse_variable};
use crate::cli::attachments;
use crate::cli::commands::{doctor, models, usage};
use crate::cli::editor;
use crate::cli::editor::EditResult;
use crate::cli::errors::CliError;
use crate::cli::model_cache;
use crate::cli::outcome::describe_redactions;
use crate::cli::prices;
use crate::cli::provider;
use crate::cli::repl::picker;
use crate::cli::repl::state::Repl;
use crate::cli::roles;
use crate::cli::session;
use crate::cli::term::display_path;
use crate::cli::term::format::{format_dollars, format_size, pluralize};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::{Audience, Displayable, Raw};
use crate::provider::{Provider, RequestOptions};
use anyhow::Result;

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

/// Changes the model. Without a name, and if several models match, the user picks one.
pub(in crate::cli::repl) fn change_model(repl: &mut Repl<'_>, name: &str) -> Result<()> {
    if repl.args.uses_demo_provider() && !name.is_empty() {
        return Err(CliError::misuse("the demo has only one assistant")
            .hint("start `chatbot chat --model NAME` to use a model")
            .into());
    }
    if name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
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
    let provider = repl.session()?.provider().name().to_string();
    let known = model_cache::known_names(repl.context.home.cache(), &provider);
    // A list of one is only the default, and not the provider's list.
    let has_list = known.len() > 1;
    let candidates = if name.is_empty() {
        repl.context.ui.out(&format!(
            "{}\n",
            Raw::from(repl.model.as_str()).printable_line()
        ))?;
        if !repl.keyboard.is_terminal() || repl.args.uses_demo_provider() || !has_list {
            return Ok(());
        }
        known
    } else {
        find_models(&known, name)
    };
    let is_unlisted = has_list && candidates.is_empty();
    let name = match candidates.as_slice() {
        [] if name.contains(' ') => {
            return Err(CliError::misuse("no such model")
                .hint("list them with `chatbot models`")
                .into());
        }
        [] => name.to_owned(),
        [one] => one.clone(),
        many if repl.keyboard.is_terminal() => match picker::pick(repl, many)? {
            Some(at) => many.get(at).cloned().unwrap_or_default(),
            None => return Ok(()),
        },
        _ => name.to_owned(),
    };
    repl.model = provider::check_model_name(repl.context, name.clone())?;
    if is_unlisted {
        repl.context.ui.warning(&format!(
            "`{name}` is not in the list of {provider}'s models"
        ));
    }
    if let Some(mut choice) = repl.choice.clone() {
        name.clone_into(&mut choice.model);
        let options = session::request_options(repl.context, &repl.args, &choice)?;
        *repl.session()?.options_mut() = options;
        repl.choice = Some(choice);
    }
    let limits = prices::model_limits(repl.context, repl.choice.as_ref(), &name)?;
    repl.session()?.set_model_limits(limits);
    repl.context.ui.notice(&format!("model: {name}"));
    say_what_is_left_out(repl)
}

/// Says that earlier pictures are not sent to the model or the provider that was chosen now.
fn say_what_is_left_out(repl: &mut Repl<'_>) -> Result<()> {
    if repl.session()?.leaves_out_images() {
        let name = repl.session()?.provider().name().to_string();
        let model = Raw::from(repl.model.as_str()).printable_line();
        repl.context.ui.notice(&format!(
            "pictures of earlier messages are not sent to `{model}` of {name}"
        ));
    }
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

/// Checks this installation and this machine.
pub(in crate::cli::repl) fn check_machine(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    doctor::show(repl.context)
}

/// The models that a name can mean: the one with exactly this name or this last part, else all that
/// match.
fn find_models(known: &[String], name: &str) -> Vec<String> {
    let is_name = |model: &&String| model.as_str() == name;
    let ends = |model: &&String| model.rsplit('/').next() == Some(name);
    let exact = known.iter().find(is_name).or_else(|| {
        let mut ending = known.iter().filter(ends);
        ending.next().filter(|_| ending.next().is_none())
    });
    match exact {
        Some(model) => vec![model.clone()],
        None => picker::matching(known, name)
            .into_iter()
            .filter_map(|at| known.get(at).cloned())
            .collect(),
    }
}

/// Switches the provider for the following messages; the history stays and is sent to it.
pub(in crate::cli::repl) fn change_provider(repl: &mut Repl<'_>, name: &str) -> Result<()> {
    if name.is_empty() {
        return list_providers(repl);
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
    let limits = prices::model_limits(repl.context, choice.as_ref(), &options.model)?;
    repl.session()?
        .switch_provider(provider, options, pricing, profile);
    repl.session()?.set_model_limits(limits);
    repl.choice = choice;
    repl.args = args;
    let model = Raw::from(repl.model.as_str()).printable_line();
    let name = repl.session()?.provider().name().to_string();
    repl.context
        .ui
        .notice(&format!("model: {model}, provider: {name}"));
    say_what_is_left_out(repl)
}

/// Lists the providers that can be named, and marks the current one.
fn list_providers(repl: &mut Repl<'_>) -> Result<()> {
    let current = repl.session()?.provider().name().to_string();
    let settings = repl.context.settings()?;
    let known = catalog::all().iter().map(|entry| entry.name.to_owned());
    let mut names: Vec<String> = known
        .chain(settings.providers.keys().map(Name::to_string))
        .chain([current.clone()])
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        let mark = if name == current { " (current)" } else { "" };
        repl.context.ui.out(&format!("{name}{mark}\n"))?;
    }
    Ok(())
}

/// The system prompt in force, on the user's own screen.
fn system_prompt(repl: &mut Repl<'_>) -> Result<Option<Displayable>> {
    let session = repl.session()?;
    let mut prompts = session.history().iter().rev();
    let prompt = prompts.find(|message| message.role == Role::System);
    let shown = |text: &str| session.placeholders().restore(text, Audience::Screen).0;
    Ok(prompt.map(|message| shown(message.text.as_str())))
}

/// Sets a sampling option for the next requests, or shows them.
pub(in crate::cli::repl) fn set_option(repl: &mut Repl<'_>, arguments: &str) -> Result<()> {
    let ui = repl.context.ui;
    let options = repl.session()?.options_mut();
    match arguments.split_whitespace().collect::<Vec<_>>().as_slice() {
        [] => return ui.out(&format_options(options)),
        ["temperature", "off"] => options.temperature = None,
        ["temperature", number] => {
            let number = parse_temperature(number).map_err(|why| {
                CliError::misuse(format!("`temperature` {why}"))
                    .hint("type `/set temperature 0.7` or `/set temperature off`")
            })?;
            options.temperature = Some(number);
        }
        ["max-tokens", "off"] => options.max_tokens = None,
        ["max-tokens", number] => {
            let number = parse_tokens(number).map_err(|why| {
                CliError::misuse(format!("`max-tokens` {why}"))
                    .hint("type `/set max-tokens 500` or `/set max-tokens off`")
            })?;
            options.max_tokens = Some(number);
        }
        _ => {
            return Err(CliError::misuse("invalid arguments for `/set`")
                .hint("type `/set temperature NUMBER` or `/set max-tokens NUMBER`")
                .into());
        }
    }
    let (temperature, max_tokens) = (options.temperature, options.max_tokens);
    ui.out(&format_options(options))?;
    (repl.args.temperature, repl.args.max_tokens) = (temperature, max_tokens);
    Ok(())
}

fn format_options(options: &RequestOptions) -> String {
    let or_default = |value: Option<String>| value.unwrap_or_else(|| "default".to_owned());
    format!(
        "temperature  {}\nmax-tokens   {}\n",
        or_default(options.temperature.map(|number| number.to_string())),
        or_default(options.max_tokens.map(|number| number.to_string()))
    )
}

/// Shows what the next request is made of, and where this conversation is.
pub(in crate::cli::repl) fn show_info(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    let system = system_prompt(repl)?;
    let system = system.map_or_else(|| "none".to_owned(), |text| text.plain().into_owned());
    let attached = match repl.attached.files().len() {
        0 => "nothing".to_owned(),
        files => format!(
            "{} ({})",
            pluralize(files, "file"),
            format_size(repl.attached.bytes())
        ),
    };
    let model = Raw::from(repl.model.as_str()).printable_line();
    let session = repl.session()?;
    let saved = match session.conversation() {
        None => "not saved (incognito)".to_owned(),
        Some(saved) if saved.is_saved() => {
            let title = Raw::from(saved.header().title.as_str()).printable_line();
            format!("{} · {title}", saved.id())
        }
        Some(_) => "saved with the first message".to_owned(),
    };
    let lines = [
        ("provider", session.provider().name().to_string()),
        ("model", model),
        ("system", system),
        ("conversation", saved),
        ("messages", session.history().len().to_string()),
        (
            "redacted",
            pluralize(session.placeholders().list().len(), "value"),
        ),
        (
            "cost",
            format!("{} in this run", format_dollars(session.spend().command)),
        ),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        text += &format!("{name:<12}  {value}\n");
    }
    text += &format!("{:<12}  {attached}\n", "attached");
    for line in format_options(session.options_mut()).lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        text += &format!("{name:<12}  {}\n", value.trim());
    }
    repl.context.ui.out(&text)
}

/// Sets the system prompt, or shows the one in force.
pub(in crate::cli::repl) fn set_system_prompt(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    if text.is_empty() {
        match system_prompt(repl)? {
            Some(prompt) => repl.context.ui.out(prompt.trim_end() + "\n")?,
            None => repl
                .context
                .ui
                .notice("no system prompt; for example `/system answer in one sentence`"),
        }
        return Ok(());
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

/// Attaches files, lists them or removes some.
pub(in crate::cli::repl) fn attach(repl: &mut Repl<'_>, line: &str) -> Result<()> {
    match line.strip_prefix('-').map(str::trim) {
        _ if line.is_empty() => list_attached(repl),
        _ if line == "clear" => {
            repl.attached.clear();
            repl.context.ui.notice("nothing is attached any more");
            Ok(())
        }
        Some(name) => {
            if repl.attached.remove(name) == 0 {
                let name = Raw::from(name).printable_line();
                return Err(CliError::misuse(format!("`{name}` is not attached"))
                    .hint("`/file` lists what is attached")
                    .into());
            }
            let name = Raw::from(name).printable_line();
            repl.context
                .ui
                .notice(&format!("no longer attached: {name}"));
            Ok(())
        }
        None => {
            let home = repl.context.env.home_folder();
            let paths = attachments::parse_paths(line, home.as_deref());
            repl.attached
                .add(repl.context, &paths)?
                .report(repl.context.ui);
            Ok(())
        }
    }
}

fn list_attached(repl: &Repl<'_>) -> Result<()> {
    let ui = repl.context.ui;
    let files = repl.attached.files();
    if files.is_empty() {
        ui.notice("nothing is attached; type `/file PATH`");
        return Ok(());
    }
    for file in files {
        let size = format_size(file.bytes);
        ui.out(&format!("  {size:>10}  {}\n", file.label))?;
    }
    ui.notice("`/file -NAME` removes one, `/file clear` all");
    Ok(())
}

/// Opens the text in the user's editor. The result is put into the prompt; from a pipe, which has no
/// prompt, it is sent.
pub(in crate::cli::repl) fn edit(repl: &mut Repl<'_>, text: &str) -> Result<()> {
    let EditResult { text, failure } = editor::edit_text(repl.context, text)?;
    if let Some(failure) = failure {
        // The text is one arrow key away, so that a failed editor does not lose it.
        repl.keyboard.remember(text.as_str());
        return Err(failure);
    }
    if text.is_empty() {
        repl.context.ui.notice("the editor returned no text");
        return Ok(());
    }
    if repl.keyboard.is_terminal() {
        repl.keyboard.prefill(text);
        return Ok(());
    }
    let input = repl.attached.take_with(Raw::from(text.as_str()));
    repl.send(input)
}
