//! Starts a session for `ask` and `chat`: opens the conversation, connects the provider, loads the
//! history.

use crate::audit::{Event, EventKind, Severity};
use crate::catalog::{self, ReasoningForm};
use crate::chat::{Services, Session, SessionConfig, UserInput};
use crate::cli::answer_schema;
use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::connection;
use crate::cli::context::Context;
use crate::cli::conversation_lookup;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::key_binding;
use crate::cli::key_validity;
use crate::cli::keys::is_no_store_error;
use crate::cli::logging;
use crate::cli::prices;
use crate::cli::provider;
use crate::cli::provider::ProviderChoice;
use crate::cli::roles;
use crate::cli::rollback;
use crate::cli::state_marks::When;
use crate::config::KeySource;
use crate::conversations::{Archive, Conversation, Damage, LoadedConversation, OpenedConversation};
use crate::name::Name;
use crate::privacy::input_check::InputLimits;
use crate::privacy::{Audience, Findings, Raw};
use crate::provider::{AnyProvider, Demo, OpenAi, Provider, RequestOptions};
use anyhow::{Result, bail};

/// A session, and what the user must be told about it.
#[derive(Debug)]
pub(crate) struct StartedSession {
    pub(crate) session: Session<AnyProvider>,
    pub(crate) model: String,
    /// `None` in the demo.
    pub(crate) choice: Option<ProviderChoice>,
}

/// Sets up a session: opens the conversation, connects the provider, loads the history.
pub(crate) fn begin(
    context: &mut Context,
    args: &ConversationArgs,
    resume: &Resume,
    restore: Option<Audience>,
) -> Result<StartedSession> {
    if args.quiet {
        context.ui.set_quiet();
    }
    logging::start_verbose(context, args.verbose)?;
    context.refuse_in_lockdown()?;
    let args = &roles::apply(context, args)?;
    if !args.is_saved() && !matches!(resume, Resume::New) {
        bail!(
            CliError::misuse("cannot resume a conversation without saving it")
                .hint("leave out `--no-log`, `--private` and `--demo`, or start a new one")
        );
    }
    // A resumed conversation says which model it is with.
    let resumed = match find(context, resume)? {
        Some(id) => Some(open_conversation(context, &id)?),
        None => None,
    };
    let args = &with_last_model(context, args, resumed.as_ref().map(|r| &r.stored))?;
    let (provider, choice, options) = if args.uses_demo_provider() {
        demo_provider(restore == Some(Audience::Screen))
    } else {
        connect(context, args)?
    };
    let kept = match resumed {
        Some(resumed) => Some((resumed.conversation, Some(resumed.stored))),
        None if args.is_saved() => Some((start_conversation(context, &provider, &options)?, None)),
        None => None,
    };
    logging::step(context, &format!("conversation kept: {}", kept.is_some()));
    let model = options.model.clone();
    let (conversation, stored) = kept.map_or((None, None), |(c, s)| (Some(c), s));
    context.compare_at_end.get_or_insert(When::IfDue);
    rollback::compare_with_marks(context, When::BeforeSending);
    let mut session = build_session(
        context,
        args,
        provider,
        options,
        choice.as_ref(),
        restore,
        conversation,
    )?;
    let is_new = stored.is_none();
    if let Some(stored) = stored {
        if context.settings()?.budget.per_conversation.is_some()
            && let Some(id) = session.conversation().map(|c| c.id().to_string())
        {
            session.set_conversation_spend(conversation_spend(context, &id)?);
        }
        report_damage(context, &stored.damage);
        session.load_history(stored);
    }
    let system = match &args.system {
        None if is_new => default_system_prompt(context, choice.as_ref())?,
        given => given.clone(),
    };
    if let Some(system) = system {
        session.set_system_prompt(system);
    }
    if let Some(choice) = &choice {
        prices::fetch_missed(context, choice)?;
    }
    Ok(StartedSession {
        session,
        model,
        choice,
    })
}

fn build_session(
    context: &mut Context,
    args: &ConversationArgs,
    provider: AnyProvider,
    options: RequestOptions,
    choice: Option<&ProviderChoice>,
    restore: Option<Audience>,
    conversation: Option<Conversation>,
) -> Result<Session<AnyProvider>> {
    let model_limits = prices::model_limits(context, choice, &options.model)?;
    let settings = context.settings()?;
    let config = SessionConfig {
        rules: InputLimits {
            max_chars: settings.limits.max_message_chars,
            suspicious: settings.privacy.suspicious,
        },
        max_messages: settings.limits.max_messages,
        drop_findings: settings.privacy.drop_findings,
        ask_on_secret: settings.privacy.ask_on_secret,
        restore,
        profile: profile_name(choice),
        wait: args.wait,
        is_counted: !args.demo,
        ask_on_image: settings.privacy.ask_on_image,
        model_limits,
        allow_unknown_price: settings.budget.allow_unknown_price,
    };
    let services = Services {
        redactor: context.redactor()?,
        lockdown: context.lockdown(),
        limiter: context.limiter()?,
        backoff: context.backoff(),
        budget: context.budget(args.budget)?,
        pricing: prices::pricing(context, choice),
        audit: context.audit(),
        clock: context.clock.clone(),
    };
    Ok(Session::new(
        provider,
        options,
        config,
        services,
        conversation,
    ))
}

/// The profile of the key, for the usage record.
pub(crate) fn profile_name(choice: Option<&ProviderChoice>) -> String {
    choice.map_or_else(|| "default".to_owned(), |c| c.profile.to_string())
}

/// The options of requests to a model: from the command line, else from the settings.
pub(crate) fn request_options(
    context: &mut Context,
    args: &ConversationArgs,
    choice: &ProviderChoice,
) -> Result<RequestOptions> {
    let settings = context.settings()?;
    let defaults = settings.defaults_for(choice.endpoint.name.as_str(), &choice.model);
    let mut options = RequestOptions::new(&choice.model);
    options.temperature = args.temperature.or(defaults.temperature);
    options.max_tokens = args.max_tokens.or(defaults.max_tokens);
    options.reasoning = args.reasoning_effort().or(defaults.reasoning);
    if options.reasoning.is_some()
        && choice.endpoint.dialect.reasoning == ReasoningForm::Unsupported
    {
        context.ui.notice(&format!(
            "`{}` has no option for reasoning; the model's default applies",
            choice.endpoint.name
        ));
        options.reasoning = None;
    }
    if let Some(path) = &args.schema {
        options.schema = Some(answer_schema::read(context, path)?);
    }
    options.stream = !args.no_stream;
    options.deny_data_collection = settings.privacy.deny_collection || args.private;
    options.zdr = settings.privacy.zdr || args.private;
    Ok(options)
}

/// The system prompt of a new conversation, by the settings.
fn default_system_prompt(
    context: &mut Context,
    choice: Option<&ProviderChoice>,
) -> Result<Option<Raw>> {
    let Some(choice) = choice else {
        return Ok(None);
    };
    let settings = context.settings()?;
    let defaults = settings.defaults_for(choice.endpoint.name.as_str(), &choice.model);
    Ok(defaults.system.map(Raw::from))
}

fn demo_provider(paced: bool) -> (AnyProvider, Option<ProviderChoice>, RequestOptions) {
    let demo = if paced { Demo::paced() } else { Demo::new() };
    (AnyProvider::from(demo), None, RequestOptions::new("demo"))
}

/// The exact body of a request, for `--dry-run`. It needs no key, and nothing is counted or saved.
pub(crate) fn preview(
    context: &mut Context,
    args: &ConversationArgs,
    resume: &Resume,
    input: UserInput,
) -> Result<(String, Findings)> {
    let stored = match find(context, resume)? {
        Some(id) => Some((context.archive()?.read(&id)?, id)),
        None => None,
    };
    let args = &roles::apply(context, args)?;
    let args = &with_last_model(context, args, stored.as_ref().map(|(stored, _)| stored))?;
    let (provider, choice, options) = if args.uses_demo_provider() {
        demo_provider(false)
    } else {
        let choice = provider::choose(
            context,
            args.provider.as_ref(),
            args.profile.as_ref(),
            args.model.as_deref(),
        )?;
        let options = request_options(context, args, &choice)?;
        (
            AnyProvider::from(OpenAi::new(
                &choice.endpoint,
                None,
                context.http_context()?,
            )?),
            Some(choice),
            options,
        )
    };
    let mut session = build_session(
        context,
        args,
        provider,
        options,
        choice.as_ref(),
        None,
        None,
    )?;
    let default_system = default_system_prompt(context, choice.as_ref())?;
    let is_new = matches!(resume, Resume::New);
    if let Some((stored, id)) = stored {
        session.load_history(stored);
        if context.settings()?.budget.per_conversation.is_some() {
            session.set_conversation_spend(conversation_spend(context, id.as_str())?);
        }
    }
    let system = match &args.system {
        None if is_new => default_system,
        given => given.clone(),
    };
    if let Some(system) = system {
        session.set_system_prompt(system);
    }
    Ok(session.preview(input)?)
}

/// Connects the provider with its key. Everything that can fail without the key is checked before
/// the key store is opened.
pub(crate) fn connect(
    context: &mut Context,
    args: &ConversationArgs,
) -> Result<(AnyProvider, Option<ProviderChoice>, RequestOptions)> {
    let choice = provider::choose(
        context,
        args.provider.as_ref(),
        args.profile.as_ref(),
        args.model.as_deref(),
    )?;
    connection::refuse_malformed_proxy(context.env, &choice.endpoint)?;
    let key = key_for(context, &choice)?;
    if let Some(key) = &key {
        key_validity::revalidate_if_due(context, &choice, key)?;
    }
    let budget = context.settings()?.budget;
    if args.budget.is_some()
        || budget.per_day.is_some()
        || budget.per_month.is_some()
        || budget.per_conversation.is_some()
    {
        prices::fetch(context, &choice, key.as_ref())?;
    }
    if matches!(choice.key, KeySource::Stored) {
        logging::log_key_store(context);
    }
    let whence = match &choice.key {
        KeySource::NoKey => "none",
        KeySource::Env(_) => "from the environment",
        KeySource::Stored => "from the key store or the provider's variable",
    };
    let proxied = connection::proxy_in_force(context.env, &choice.endpoint).is_some();
    connection::announce(context.ui, context.env, &choice.endpoint);
    logging::step(
        context,
        &format!(
            "route: {} at {}, model {}, profile {}, key {whence}, proxy: {proxied}",
            choice.endpoint.name,
            // The path of the address is not logged: it may contain a token.
            choice
                .endpoint
                .base_url
                .split_inclusive('/')
                .take(3)
                .collect::<String>()
                .trim_end_matches('/'),
            choice.model,
            choice.profile
        ),
    );
    let provider = OpenAi::new(&choice.endpoint, key, context.http_context()?)?;
    let options = request_options(context, args, &choice)?;
    Ok((AnyProvider::from(provider), Some(choice), options))
}

/// The cost of a conversation so far: by the usage record or by the audit log, whichever is
/// higher.
pub(crate) fn conversation_spend(context: &Context, conversation: &str) -> Result<i64> {
    Ok(context
        .usage()
        .conversation_cost(conversation)?
        .max(context.audit().cost_of(conversation)))
}

/// The key of the selected provider, from where the settings say.
pub(crate) fn key_for(
    context: &mut Context,
    choice: &ProviderChoice,
) -> Result<Option<crate::secret::Secret>> {
    match (key_binding::key_for(context, choice)?, &choice.key) {
        (None, KeySource::Env(variable)) => bail!(no_env_key(choice, variable)),
        (key, _) => Ok(key),
    }
}

/// The error of a request. A refused key is replaced where it comes from.
pub(crate) fn explain_refused_key(
    error: crate::chat::Error,
    choice: Option<&ProviderChoice>,
) -> anyhow::Error {
    let is_refused = matches!(&error, crate::chat::Error::Provider(error)
        if error.kind() == crate::provider::ProviderErrorKind::InvalidKey);
    let Some(choice) = choice.filter(|_| is_refused) else {
        return error.into();
    };
    let name = &choice.endpoint.name;
    let hint = match &choice.key {
        KeySource::NoKey => {
            format!("the settings say that it needs none: change `key` in `[providers.{name}]`")
        }
        KeySource::Env(variable) => format!("put a valid key into `{variable}`"),
        KeySource::Stored => {
            let mut command = String::from("chatbot key set");
            if name.as_str() != catalog::DEFAULT_PROVIDER {
                command += &format!(" --provider {name}");
            }
            if choice.profile.as_str() != "default" {
                command += &format!(" --profile {}", choice.profile);
            }
            format!("save another one with `{command}`")
        }
    };
    diagnose(&error.into()).hint(hint).into()
}

fn no_env_key(choice: &ProviderChoice, variable: &str) -> CliError {
    CliError::new(
        CliExit::Key,
        "no_key",
        format!(
            "no key for `{}`: `{variable}` is not set",
            choice.endpoint.name
        ),
    )
    .hint(format!(
        "set `{variable}`, or change `key` in `[providers.{}]`",
        choice.endpoint.name
    ))
}

/// A resumed conversation goes on with the provider and the model of its last question, unless the
/// options or the environment name others.
fn with_last_model(
    context: &mut Context,
    args: &ConversationArgs,
    stored: Option<&LoadedConversation>,
) -> Result<ConversationArgs> {
    let mut args = args.clone();
    let Some((provider, model)) = stored.and_then(LoadedConversation::last_asked) else {
        return Ok(args);
    };
    if args.uses_demo_provider() || model.is_empty() {
        return Ok(args);
    }
    // A file from elsewhere does not choose where the next question goes.
    let is_own = !stored.is_some_and(|stored| stored.messages.iter().any(|m| m.foreign));
    if is_own
        && args.provider.is_none()
        && context.env.text("CHATBOT_PROVIDER")?.is_none()
        && let Ok(name) = provider.parse::<Name>()
        && provider::endpoint(context, &name).is_ok()
    {
        args.provider = Some(name);
    }
    let (used, _) = provider::resolve(context, args.provider.as_ref(), args.profile.as_ref())?;
    if args.model.is_none()
        && used.as_str() == provider
        && context.env.text("CHATBOT_MODEL")?.is_none()
    {
        args.model = Some(model.to_owned());
    }
    Ok(args)
}

fn find(context: &mut Context, resume: &Resume) -> Result<Option<Name>> {
    Ok(match resume {
        // A new conversation needs no archive, so no key store is opened.
        Resume::New => None,
        Resume::Id(typed) => Some(conversation_lookup::find(context, typed)?),
        Resume::Latest => {
            let nothing = || {
                CliError::misuse("there is no conversation to resume")
                    .hint("leave out `--continue` to start one")
            };
            Some(context.archive()?.latest()?.ok_or_else(nothing)?)
        }
    })
}

/// The code of [`cannot_save`].
const CANNOT_SAVE: &str = "cannot_save";

/// Without a key store nothing can be encrypted, and so nothing saved.
fn cannot_save(error: &anyhow::Error) -> CliError {
    CliError::new(
        CliExit::Key,
        CANNOT_SAVE,
        format!("cannot save conversations: {error}"),
    )
    .hint("create an encrypted vault file with `chatbot vault create`, or add `--no-log` to go on without saving")
}

/// Whether the only obstacle is that conversations cannot be saved.
pub(crate) fn is_saving_the_obstacle(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<CliError>()
        .is_some_and(|problem| problem.has_code(CANNOT_SAVE))
}

/// The conversations, with those deleted that are older than the settings allow.
fn archive_to_save_in(context: &mut Context) -> Result<Archive> {
    let archive = match context.archive() {
        Ok(archive) => archive,
        Err(error) if is_no_store_error(&error) => bail!(cannot_save(&error)),
        Err(error) => return Err(error),
    };
    crate::cli::commands::history::apply_retention(context)?;
    Ok(archive)
}

fn open_conversation(context: &mut Context, id: &Name) -> Result<OpenedConversation> {
    Ok(archive_to_save_in(context)?.open(id)?)
}

fn start_conversation(
    context: &mut Context,
    provider: &AnyProvider,
    options: &RequestOptions,
) -> Result<Conversation> {
    Ok(archive_to_save_in(context)?.create(provider.name().as_str(), &options.model)?)
}

/// Prints and logs what is damaged in a conversation.
pub(crate) fn report_damage(context: &Context, damage: &[Damage]) {
    for damage in damage {
        context
            .ui
            .error_line(&format!("chatbot: warning: {}", damage.describe()));
    }
    if !damage.is_empty() {
        context.audit_event(
            &Event::new(EventKind::Damage)
                .severity(Severity::Critical)
                .number("records", damage.len()),
        );
    }
}
