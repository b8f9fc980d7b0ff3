//! What `ask` and `chat` share: the options of a conversation, and how a session is set up.

use crate::audit::{Event, EventKind, Severity};
use crate::chat::{Services, Session, SessionConfig, UserInput};
use crate::cli::app::{App, ProviderChoice};
use crate::cli::errors::{CliError, CliExit};
use crate::cli::state_marks::When;
use crate::config::KeySource;
use crate::conversations::{Conversation, Damage, LoadedConversation, OpenedConversation};
use crate::name::Name;
use crate::privacy::input_check::InputLimits;
use crate::privacy::{Audience, Raw};
use crate::provider::{AnyProvider, Demo, OpenAi, RequestOptions};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Options of a conversation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConversationArgs {
    /// Use this model
    #[arg(short, long, value_name = "MODEL", value_parser = parse_model)]
    pub(crate) model: Option<String>,
    /// Use this provider: openrouter, openai, anthropic, gemini, groq, mistral, deepseek, xai,
    /// ollama, or one from the settings
    #[arg(short, long, value_name = "NAME")]
    pub(crate) provider: Option<Name>,
    /// Use the key in this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Name>,
    /// Set the system prompt
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) system: Option<Raw>,
    /// Attach a text file, or all files that match a pattern such as 'notes-*.md'; can be repeated
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Do not save this conversation
    #[arg(short, long)]
    pub(crate) no_log: bool,
    /// Do not save this conversation, and use only endpoints with zero data retention
    #[arg(long)]
    pub(crate) private: bool,
    /// Set the sampling temperature, from 0 to 2
    #[arg(long, value_name = "NUMBER", value_parser = parse_temperature)]
    pub(crate) temperature: Option<f64>,
    /// Limit each answer to this many tokens
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: Option<u32>,
    /// Spend at most this many US dollars in this run
    #[arg(long, value_name = "USD", value_parser = parse_dollars, allow_negative_numbers = true)]
    pub(crate) budget: Option<i64>,
    /// When a limit is reached, wait instead of failing
    #[arg(long)]
    pub(crate) wait: bool,
    /// Show the answer only when it is complete
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Use the built-in offline demo, which needs no key and no network
    #[arg(long)]
    pub(crate) demo: bool,
    /// Log to standard error, redacted; repeat for more detail (-vv)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Do not print notices and statistics
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

fn parse_model(text: &str) -> Result<String, &'static str> {
    let fit = !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
    if fit {
        Ok(text.to_owned())
    } else {
        Err("a model name has no spaces and at most 256 characters")
    }
}

fn parse_dollars(text: &str) -> Result<i64, &'static str> {
    crate::config::parse_nanos(text).ok_or("must be an amount in dollars, such as 0.50")
}

fn parse_temperature(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|t| (0.0..=2.0).contains(t))
        .ok_or("must be a number from 0 to 2")
}

/// Which conversation to continue.
#[derive(Clone, Debug)]
pub(crate) enum Resume {
    New,
    Latest,
    /// The one with this id, or the beginning of it.
    Id(String),
}

impl Resume {
    pub(crate) fn from_args(resume: Option<String>, last: bool) -> Self {
        match (resume, last) {
            (Some(id), _) => Self::Id(id),
            (None, true) => Self::Latest,
            (None, false) => Self::New,
        }
    }
}

/// A session, and what the user must be told about it.
#[derive(Debug)]
pub(crate) struct StartedSession {
    pub(crate) session: Session<AnyProvider>,
    /// Why the conversation cannot be saved, if it cannot.
    pub(crate) not_saved_because: Option<String>,
    pub(crate) model: String,
    /// `None` in the demo.
    pub(crate) choice: Option<ProviderChoice>,
}

impl ConversationArgs {
    fn is_saved(&self) -> bool {
        !self.no_log && !self.private
    }
}

/// Sets up a session: opens the conversation, connects the provider, loads the history.
pub(crate) fn begin(
    app: &mut App,
    args: &ConversationArgs,
    resume: &Resume,
    restore: Option<Audience>,
) -> Result<StartedSession> {
    if args.quiet {
        app.ui.set_quiet();
    }
    app.log_verbosely(args.verbose)?;
    app.refuse_in_lockdown()?;
    if !args.is_saved() && !matches!(resume, Resume::New) {
        bail!(
            CliError::misuse("cannot resume a conversation without saving it")
                .hint("leave out `--no-log` and `--private`, or start a new one")
        );
    }
    let (provider, choice, options) = if args.demo {
        demo_provider(restore == Some(Audience::Screen))
    } else {
        connect(app, args, resume)?
    };
    let mut unkept = None;
    let kept = if args.is_saved() {
        open_conversation(app, args, resume, &provider, &options, &mut unkept)?
    } else {
        None
    };
    app.step(&format!("conversation kept: {}", kept.is_some()));
    let model = options.model.clone();
    let (conversation, stored) = kept.map_or((None, None), |(c, s)| (Some(c), s));
    app.compare_at_end.get_or_insert(When::IfDue);
    app.compare_with_marks(When::BeforeSending);
    let mut session = build_session(
        app,
        args,
        provider,
        options,
        choice.as_ref(),
        restore,
        conversation,
    )?;
    if let Some(stored) = stored {
        if app.settings()?.budget.per_conversation.is_some()
            && let Some(id) = session.conversation().map(|c| c.id().to_string())
        {
            session.set_conversation_spend(conversation_spend(app, &id)?);
        }
        report_damage(app, &stored.damage);
        session.load_history(stored);
    }
    if let Some(system) = &args.system {
        session.set_system_prompt(system.clone());
    }
    if let Some(choice) = &choice {
        app.fetch_missed_prices(choice)?;
    }
    Ok(StartedSession {
        session,
        not_saved_because: unkept,
        model,
        choice,
    })
}

fn build_session(
    app: &mut App,
    args: &ConversationArgs,
    provider: AnyProvider,
    options: RequestOptions,
    choice: Option<&ProviderChoice>,
    restore: Option<Audience>,
    conversation: Option<Conversation>,
) -> Result<Session<AnyProvider>> {
    let settings = app.settings()?;
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
        allow_unknown_price: settings.budget.allow_unknown_price,
    };
    let services = Services {
        redactor: app.redactor()?,
        lockdown: app.lockdown(),
        limiter: app.limiter()?,
        backoff: app.backoff(),
        budget: app.budget(args.budget)?,
        pricing: app.pricing(choice),
        audit: app.audit(),
        clock: app.clock.clone(),
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

fn request_options(
    app: &mut App,
    args: &ConversationArgs,
    choice: &ProviderChoice,
) -> Result<RequestOptions> {
    let settings = app.settings()?;
    let mut options = RequestOptions::new(&choice.model);
    options.temperature = args.temperature;
    options.max_tokens = args.max_tokens;
    options.stream = !args.no_stream;
    options.deny_data_collection = settings.privacy.deny_collection || args.private;
    options.zdr = settings.privacy.zdr || args.private;
    Ok(options)
}

fn demo_provider(paced: bool) -> (AnyProvider, Option<ProviderChoice>, RequestOptions) {
    let demo = if paced { Demo::paced() } else { Demo::new() };
    (AnyProvider::from(demo), None, RequestOptions::new("demo"))
}

/// The exact body of a request, for `--dry-run`. It needs no key, and nothing is counted or saved.
pub(crate) fn preview(
    app: &mut App,
    args: &ConversationArgs,
    resume: &Resume,
    input: UserInput,
) -> Result<String> {
    let (provider, choice, options) = if args.demo {
        demo_provider(false)
    } else {
        let mut choice = app.choose_provider(
            args.provider.as_ref(),
            args.profile.as_ref(),
            args.model.as_deref(),
        )?;
        if args.model.is_none() && !matches!(resume, Resume::New) {
            stay_with_model(app, resume, &mut choice)?;
        }
        let options = request_options(app, args, &choice)?;
        (
            AnyProvider::from(OpenAi::new(&choice.endpoint, None, app.http_context()?)?),
            Some(choice),
            options,
        )
    };
    let mut session = build_session(app, args, provider, options, choice.as_ref(), None, None)?;
    if let Some(id) = find(app, resume)? {
        session.load_history(app.archive()?.read(&id)?);
        if app.settings()?.budget.per_conversation.is_some() {
            session.set_conversation_spend(conversation_spend(app, id.as_str())?);
        }
    }
    if let Some(system) = &args.system {
        session.set_system_prompt(system.clone());
    }
    Ok(session.preview(input)?)
}

/// Connects the provider with its key. Everything that can fail without the key is checked before
/// the key store is opened.
pub(crate) fn connect(
    app: &mut App,
    args: &ConversationArgs,
    resume: &Resume,
) -> Result<(AnyProvider, Option<ProviderChoice>, RequestOptions)> {
    let mut choice = app.choose_provider(
        args.provider.as_ref(),
        args.profile.as_ref(),
        args.model.as_deref(),
    )?;
    if args.model.is_none() && !matches!(resume, Resume::New) {
        stay_with_model(app, resume, &mut choice)?;
    }
    let key = key_for(app, &choice)?;
    let budget = app.settings()?.budget;
    if args.budget.is_some()
        || budget.per_day.is_some()
        || budget.per_month.is_some()
        || budget.per_conversation.is_some()
    {
        app.fetch_prices(&choice, key.as_ref())?;
    }
    if matches!(choice.key, KeySource::Stored) {
        app.log_key_store();
    }
    let whence = match &choice.key {
        KeySource::NoKey => "none",
        KeySource::Env(_) => "from the environment",
        KeySource::Stored => "from the key store or the provider's variable",
    };
    let proxied = app.proxy_in_force(&choice.endpoint).is_some();
    app.announce_connection(&choice.endpoint);
    app.step(&format!(
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
    ));
    let provider = OpenAi::new(&choice.endpoint, key, app.http_context()?)?;
    let options = request_options(app, args, &choice)?;
    Ok((AnyProvider::from(provider), Some(choice), options))
}

/// The cost of a conversation so far: by the usage record or by the audit log, whichever is
/// higher.
pub(crate) fn conversation_spend(app: &App, conversation: &str) -> Result<i64> {
    Ok(app
        .usage()
        .conversation_cost(conversation)?
        .max(app.audit().cost_of(conversation)))
}

/// The key of the selected provider, from where the settings say.
pub(crate) fn key_for(
    app: &mut App,
    choice: &ProviderChoice,
) -> Result<Option<crate::secret::Secret>> {
    match (app.key_for(choice)?, &choice.key) {
        (None, KeySource::Env(variable)) => bail!(no_env_key(choice, variable)),
        (key, _) => Ok(key),
    }
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

/// A resumed conversation keeps its model, if it was with this provider.
fn stay_with_model(app: &mut App, resume: &Resume, choice: &mut ProviderChoice) -> Result<()> {
    let archive = app.archive()?;
    let Some(id) = find(app, resume)? else {
        return Ok(());
    };
    if let Some(header) = archive.header(&id)?
        && header.provider == choice.endpoint.name.as_str()
        && !header.model.is_empty()
        && app.env.text("CHATBOT_MODEL")?.is_none()
    {
        choice.model = header.model;
    }
    Ok(())
}

fn find(app: &mut App, resume: &Resume) -> Result<Option<Name>> {
    Ok(match resume {
        // A new conversation needs no archive, so no key store is opened.
        Resume::New => None,
        Resume::Id(id) => Some(app.archive()?.find(id)?),
        Resume::Latest => {
            let nothing = || {
                CliError::misuse("there is no conversation to resume")
                    .hint("leave out `--continue` to start one")
            };
            Some(app.archive()?.latest()?.ok_or_else(nothing)?)
        }
    })
}

type SavedConversation = Option<(Conversation, Option<LoadedConversation>)>;

/// Opens the conversation to save to. Without any key store, the demo continues unsaved and prints
/// a notice.
fn open_conversation(
    app: &mut App,
    args: &ConversationArgs,
    resume: &Resume,
    provider: &AnyProvider,
    options: &RequestOptions,
    unkept: &mut Option<String>,
) -> Result<SavedConversation> {
    use crate::provider::Provider;
    let archive = match app.archive() {
        Ok(archive) => archive,
        Err(error)
            if args.demo
                && matches!(resume, Resume::New)
                && crate::cli::keys::is_no_store_error(&error) =>
        {
            *unkept = Some("this conversation is not saved: there is no key store yet; create one with `chatbot vault create`".to_owned());
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    crate::cli::commands::history::apply_retention(app)?;
    match find(app, resume)? {
        None => Ok(Some((
            archive.create(provider.name().as_str(), &options.model)?,
            None,
        ))),
        Some(id) => {
            let OpenedConversation {
                conversation,
                stored,
            } = archive.open(&id)?;
            Ok(Some((conversation, Some(stored))))
        }
    }
}

/// Prints and logs what is damaged in a conversation.
pub(crate) fn report_damage(app: &App, damage: &[Damage]) {
    for damage in damage {
        app.ui
            .error_line(&format!("chatbot: warning: {}", damage.describe()));
    }
    if !damage.is_empty() {
        app.audit_event(
            &Event::new(EventKind::Damage)
                .severity(Severity::Critical)
                .number("records", damage.len()),
        );
    }
}

/// Lists what was redacted, in one line: `2 values replaced: EMAIL ×1, API_KEY ×1`.
pub(crate) fn describe_redactions(counts: &[(String, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let kinds: Vec<String> = counts
        .iter()
        .map(|(kind, n)| format!("{kind} ×{n}"))
        .collect();
    format!(
        "{all} {} replaced: {}",
        if all == 1 { "value" } else { "values" },
        kinds.join(", ")
    )
}

/// `model · 1,204→356 tok · $0.0031 · 2.1 s`
pub(crate) fn describe_statistics(outcome: &crate::chat::Outcome, model: &str) -> String {
    let mut parts = vec![
        Raw::from(
            outcome
                .completion
                .as_ref()
                .map_or(model, |a| a.model.as_str()),
        )
        .printable_line(),
    ];
    if let Some(usage) = outcome.completion.as_ref().and_then(|a| a.usage.as_ref()) {
        parts.push(format!(
            "{}→{} tok",
            group_thousands(usage.prompt_tokens),
            group_thousands(usage.completion_tokens)
        ));
        parts.push(
            outcome
                .cost
                .map_or_else(|| "cost unknown".to_owned(), format_cost),
        );
    } else if let Some(cost) = outcome.cost {
        parts.push(format_cost(cost));
    }
    parts.push(format!("{:.1} s", outcome.elapsed.as_secs_f64()));
    parts.join(" · ")
}

fn format_cost(cost: crate::chat::Cost) -> String {
    format!(
        "{}{}",
        if cost.estimated { "~" } else { "" },
        format_dollars(cost.nanos)
    )
}

/// An amount for JSON: the decimal number that equals these nanodollars exactly.
pub(crate) fn json_dollars(nanos: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the nanodollar below nine million dollars"
    )]
    let exact = nanos as f64 / 1e9;
    exact
}

/// `1204` → `1,204`
pub(crate) fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// An amount for people: cents from one dollar up, below that two significant digits.
pub(crate) fn format_dollars(nanos: i64) -> String {
    let (sign, nanos) = if nanos < 0 {
        ("-", nanos.unsigned_abs())
    } else {
        ("", nanos.unsigned_abs())
    };
    if nanos == 0 || nanos >= 1_000_000_000 {
        let cents = (nanos + 5_000_000) / 10_000_000;
        return format!("{sign}${}.{:02}", group_thousands(cents / 100), cents % 100);
    }
    let digits = format!("{nanos:09}");
    let first = digits.bytes().position(|b| b != b'0').unwrap_or(0);
    let places = (first + 2).clamp(2, 9);
    let unit = 10_u64.pow(u32::try_from(9 - places).unwrap_or(0));
    let rounded = (nanos + unit / 2) / unit * unit;
    let digits = format!("{:09}", rounded % 1_000_000_000);
    format!(
        "{sign}${}.{}",
        rounded / 1_000_000_000,
        digits.get(..places).unwrap_or_default()
    )
}

/// Prints warnings and statistics after an answer. If its cost is unknown, the price list is
/// fetched.
pub(crate) fn report_outcome(
    app: &mut App,
    outcome: &crate::chat::Outcome,
    model: &str,
    choice: Option<&ProviderChoice>,
    goes_on: bool,
) {
    let ui = app.ui;
    if let Some(choice) = choice.filter(|_| outcome.cost.is_none()) {
        // Without this cache a price is only unknown.
        app.schedule_refresh(choice, goes_on).unwrap_or_default();
    }
    for warning in &outcome.warnings {
        ui.warning(warning);
    }
    for level in &outcome.rate_limits {
        if level.is_high() {
            ui.warning(&format!(
                "{} of {} requests used this {}",
                level.used, level.window.max_requests, level.window.name
            ));
        }
    }
    for fill in outcome.budgets.iter().filter(|f| f.is_high()) {
        ui.warning(&format!(
            "{} of the budget of {} for {} is spent",
            format_dollars(fill.spent),
            format_dollars(fill.limit),
            fill.span
        ));
    }
    if outcome.completion.as_ref().is_some_and(|a| !a.complete) {
        let why = outcome
            .completion
            .as_ref()
            .and_then(|a| a.finish.clone())
            .unwrap_or_else(|| "no reason given".to_owned());
        ui.warning(&format!(
            "the answer is incomplete ({})",
            Raw::from(why).printable()
        ));
    }
    if let Some(calls) = describe_tool_calls(outcome).filter(|_| !outcome.text.as_str().is_empty())
    {
        ui.warning(&format!(
            "the model also asked for {calls}; chatbot has no tools and made none"
        ));
    }
    ui.notice(&describe_statistics(outcome, model));
}

fn describe_tool_calls(outcome: &crate::chat::Outcome) -> Option<String> {
    let answer = outcome.completion.as_ref()?;
    match answer.tool_calls {
        0 if answer.finish.as_deref() == Some("tool_calls") => Some(String::from("tool calls")),
        0 => None,
        1 => Some(String::from("1 tool call")),
        many => Some(format!("{many} tool calls")),
    }
}

/// Fails if an answer has no text: a script would take the empty output for an answer.
pub(crate) fn require_text(outcome: &crate::chat::Outcome, model: &str) -> Result<()> {
    let Some(answer) = outcome
        .completion
        .as_ref()
        .filter(|_| outcome.text.as_str().is_empty())
    else {
        return Ok(());
    };
    let model = Raw::from(model).printable();
    let what = match describe_tool_calls(outcome) {
        Some(calls) => format!("`{model}` asked for {calls} and wrote no text"),
        None => {
            let why = answer.finish.clone().map_or_else(String::new, |why| {
                format!(" ({})", Raw::from(why).printable())
            });
            format!("`{model}` ended its answer without any text{why}")
        }
    };
    bail!(CliError::new(CliExit::Network, "empty_answer", what).hint(
        "chatbot makes no tool calls: ask in other words, or choose another model with `--model`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_formatted_with_two_digits() {
        let cases = [
            (0, "$0.00"),
            (1, "$0.000000001"),
            (3_100_000, "$0.0031"),
            (147_000, "$0.00015"),
            (12_345_678, "$0.012"),
            (995_000_000, "$1.00"),
            (420_000_000, "$0.42"),
            (1_234_567_890_000, "$1,234.57"),
            (-5_000_000, "-$0.0050"),
        ];
        for (nanos, text) in cases {
            assert_eq!(format_dollars(nanos), text);
        }
        assert_eq!(
            [
                group_thousands(0),
                group_thousands(999),
                group_thousands(1204),
                group_thousands(1_000_000)
            ],
            ["0", "999", "1,204", "1,000,000"]
        );
    }
}
