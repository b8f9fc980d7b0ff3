//! What `ask` and `chat` share: the options of a conversation, and how a session is set up.

use super::app::{App, Choice};
use super::report::{Exit, Problem};
use super::rollback::When;
use crate::archive::{Conversation, Damage, Opened, Stored};
use crate::chat::{Machines, Manners, Said, Session};
use crate::ledger::{Event, Severity, What};
use crate::name::Name;
use crate::privacy::validate::Rules;
use crate::privacy::{Audience, Raw};
use crate::provider::{AnyProvider, Demo, OpenAi, Wish};
use crate::settings::KeyFrom;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Options of a conversation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Talk {
    /// Use this model
    #[arg(short, long, value_name = "MODEL", value_parser = model)]
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
    #[arg(long, value_name = "NUMBER", value_parser = temperature)]
    pub(crate) temperature: Option<f64>,
    /// Limit each answer to this many tokens
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: Option<u32>,
    /// Spend at most this many US dollars in this run
    #[arg(long, value_name = "USD", value_parser = dollars_of, allow_negative_numbers = true)]
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

fn model(text: &str) -> Result<String, &'static str> {
    let fit = !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
    if fit { Ok(text.to_owned()) } else { Err("a model name has no spaces and at most 256 characters") }
}

fn dollars_of(text: &str) -> Result<i64, &'static str> {
    crate::settings::nanos(text).ok_or("must be an amount in dollars, such as 0.50")
}

fn temperature(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|t| (0.0..=2.0).contains(t)).ok_or("must be a number from 0 to 2")
}

/// Which conversation to continue.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    New,
    Last,
    /// The one with this id, or the beginning of it.
    Named(String),
}

impl Which {
    pub(crate) fn of(resume: Option<String>, last: bool) -> Self {
        match (resume, last) {
            (Some(id), _) => Self::Named(id),
            (None, true) => Self::Last,
            (None, false) => Self::New,
        }
    }
}

/// A session, and what the user must be told about it.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) session: Session<AnyProvider>,
    /// Why the conversation cannot be saved, if it cannot.
    pub(crate) unkept: Option<String>,
    pub(crate) model: String,
    /// `None` in the demo.
    pub(crate) choice: Option<Choice>,
}

impl Talk {
    fn keeps(&self) -> bool {
        !self.no_log && !self.private
    }
}

/// Sets up a session: opens the conversation, connects the provider, loads the history.
pub(crate) fn begin(app: &mut App, talk: &Talk, which: &Which, restore: Option<Audience>) -> Result<Begun> {
    if talk.quiet {
        app.ui.hush();
    }
    app.log_verbosely(talk.verbose)?;
    app.refuse_in_lockdown()?;
    if !talk.keeps() && !matches!(which, Which::New) {
        bail!(
            Problem::misuse("cannot resume a conversation without saving it")
                .hint("leave out `--no-log` and `--private`, or start a new one")
        );
    }
    let (provider, choice, wish) = if talk.demo { demo(restore == Some(Audience::Screen)) } else { connect(app, talk, which)? };
    let mut unkept = None;
    let kept = if talk.keeps() { keep(app, talk, which, &provider, &wish, &mut unkept)? } else { None };
    app.step(&format!("conversation kept: {}", kept.is_some()));
    let model = wish.model.clone();
    let (conversation, stored) = kept.map_or((None, None), |(c, s)| (Some(c), s));
    app.compare_at_end.get_or_insert(When::IfDue);
    app.compare_with_marks(When::BeforeSending);
    let mut session = session(app, talk, provider, wish, choice.as_ref(), restore, conversation)?;
    if let Some(stored) = stored {
        if app.settings()?.budget.per_conversation.is_some()
            && let Some(id) = session.conversation().map(|c| c.id().to_string())
        {
            session.spent_before(spent_in(app, &id)?);
        }
        tell_damage(app, &stored.damage);
        session.remember(stored);
    }
    if let Some(system) = &talk.system {
        session.instruct(system.clone());
    }
    if let Some(choice) = &choice {
        app.fetch_missed_prices(choice)?;
    }
    Ok(Begun { session, unkept, model, choice })
}

fn session(
    app: &mut App,
    talk: &Talk,
    provider: AnyProvider,
    wish: Wish,
    choice: Option<&Choice>,
    restore: Option<Audience>,
    conversation: Option<Conversation>,
) -> Result<Session<AnyProvider>> {
    let settings = app.settings()?;
    let manners = Manners {
        rules: Rules { max_chars: settings.limits.max_message_chars, suspicious: settings.privacy.suspicious },
        max_messages: settings.limits.max_messages,
        drop_findings: settings.privacy.drop_findings,
        ask_on_secret: settings.privacy.ask_on_secret,
        restore,
        profile: profile(choice),
        wait: talk.wait,
        allow_unknown_price: settings.budget.allow_unknown_price,
    };
    let machines = Machines {
        redactor: app.redactor()?,
        lockdown: app.lockdown(),
        limiter: app.limiter()?,
        backoff: app.backoff(),
        purse: app.purse(talk.budget)?,
        pricing: app.pricing(choice),
        audit: app.audit(),
        clock: app.clock.clone(),
    };
    Ok(Session::new(provider, wish, manners, machines, conversation))
}

/// The profile of the key, for the usage record.
pub(crate) fn profile(choice: Option<&Choice>) -> String {
    choice.map_or_else(|| "default".to_owned(), |c| c.profile.to_string())
}

fn wish(app: &mut App, talk: &Talk, choice: &Choice) -> Result<Wish> {
    let settings = app.settings()?;
    let mut wish = Wish::new(&choice.model);
    wish.temperature = talk.temperature;
    wish.max_tokens = talk.max_tokens;
    wish.stream = !talk.no_stream;
    wish.deny_data_collection = settings.privacy.deny_collection || talk.private;
    wish.zdr = settings.privacy.zdr || talk.private;
    Ok(wish)
}

fn demo(paced: bool) -> (AnyProvider, Option<Choice>, Wish) {
    let demo = if paced { Demo::paced() } else { Demo::new() };
    (AnyProvider::from(demo), None, Wish::new("demo"))
}

/// The exact body of a request, for `--dry-run`. It needs no key, and nothing is counted or saved.
pub(crate) fn preview(app: &mut App, talk: &Talk, which: &Which, said: Said) -> Result<String> {
    let (provider, choice, wish) = if talk.demo {
        demo(false)
    } else {
        let mut choice = app.choice(talk.provider.as_ref(), talk.profile.as_ref(), talk.model.as_deref())?;
        if talk.model.is_none() && !matches!(which, Which::New) {
            stay_with_model(app, which, &mut choice)?;
        }
        let wish = wish(app, talk, &choice)?;
        (AnyProvider::from(OpenAi::new(&choice.endpoint, None, app.reach()?)?), Some(choice), wish)
    };
    let mut session = session(app, talk, provider, wish, choice.as_ref(), None, None)?;
    if let Some(id) = find(app, which)? {
        session.remember(app.archive()?.read(&id)?);
        if app.settings()?.budget.per_conversation.is_some() {
            session.spent_before(spent_in(app, id.as_str())?);
        }
    }
    if let Some(system) = &talk.system {
        session.instruct(system.clone());
    }
    Ok(session.preview(said)?)
}

/// Connects the provider with its key. Everything that can fail without the key is checked before
/// the key store is opened.
pub(crate) fn connect(app: &mut App, talk: &Talk, which: &Which) -> Result<(AnyProvider, Option<Choice>, Wish)> {
    let mut choice = app.choice(talk.provider.as_ref(), talk.profile.as_ref(), talk.model.as_deref())?;
    if talk.model.is_none() && !matches!(which, Which::New) {
        stay_with_model(app, which, &mut choice)?;
    }
    let key = key_of(app, &choice)?;
    let budget = app.settings()?.budget;
    if talk.budget.is_some() || budget.per_day.is_some() || budget.per_month.is_some() || budget.per_conversation.is_some() {
        app.fetch_prices(&choice, key.as_ref())?;
    }
    if matches!(choice.key, KeyFrom::Stored) {
        app.log_key_store();
    }
    let whence = match &choice.key {
        KeyFrom::Nowhere => "none",
        KeyFrom::Env(_) => "from the environment",
        KeyFrom::Stored => "from the key store or the provider's variable",
    };
    let proxied = app.proxy_in_force(&choice.endpoint).is_some();
    app.announce_connection(&choice.endpoint);
    app.step(&format!(
        "route: {} at {}, model {}, profile {}, key {whence}, proxy: {proxied}",
        choice.endpoint.name,
        // The path of the address is not logged: it may contain a token.
        choice.endpoint.base_url.split_inclusive('/').take(3).collect::<String>().trim_end_matches('/'),
        choice.model,
        choice.profile
    ));
    let provider = OpenAi::new(&choice.endpoint, key, app.reach()?)?;
    let wish = wish(app, talk, &choice)?;
    Ok((AnyProvider::from(provider), Some(choice), wish))
}

/// The cost of a conversation so far: by the usage record or by the audit log, whichever is
/// higher.
pub(crate) fn spent_in(app: &App, conversation: &str) -> Result<i64> {
    Ok(app.usage().of_conversation(conversation)?.max(app.audit().cost_of(conversation)))
}

/// The key of the selected provider, from where the settings say.
pub(crate) fn key_of(app: &mut App, choice: &Choice) -> Result<Option<crate::secret::Secret>> {
    match (app.key_of(choice)?, &choice.key) {
        (None, KeyFrom::Env(variable)) => bail!(no_env_key(choice, variable)),
        (key, _) => Ok(key),
    }
}

fn no_env_key(choice: &Choice, variable: &str) -> Problem {
    Problem::new(Exit::Key, "no_key", format!("no key for `{}`: `{variable}` is not set", choice.endpoint.name))
        .hint(format!("set `{variable}`, or change `key` in `[providers.{}]`", choice.endpoint.name))
}

/// A resumed conversation keeps its model, if it was with this provider.
fn stay_with_model(app: &mut App, which: &Which, choice: &mut Choice) -> Result<()> {
    let archive = app.archive()?;
    let Some(id) = find(app, which)? else { return Ok(()) };
    if let Some(header) = archive.header(&id)?
        && header.provider == choice.endpoint.name.as_str()
        && !header.model.is_empty()
        && app.env.text("CHATBOT_MODEL")?.is_none()
    {
        choice.model = header.model;
    }
    Ok(())
}

fn find(app: &mut App, which: &Which) -> Result<Option<Name>> {
    Ok(match which {
        // A new conversation needs no archive, so no key store is opened.
        Which::New => None,
        Which::Named(id) => Some(app.archive()?.find(id)?),
        Which::Last => {
            let nothing = || Problem::misuse("there is no conversation to resume").hint("leave out `--continue` to start one");
            Some(app.archive()?.latest()?.ok_or_else(nothing)?)
        }
    })
}

type Kept = Option<(Conversation, Option<Stored>)>;

/// Opens the conversation to save to. Without any key store, the demo continues unsaved and prints
/// a notice.
fn keep(app: &mut App, talk: &Talk, which: &Which, provider: &AnyProvider, wish: &Wish, unkept: &mut Option<String>) -> Result<Kept> {
    use crate::provider::Provider;
    let archive = match app.archive() {
        Ok(archive) => archive,
        Err(error) if talk.demo && matches!(which, Which::New) && super::keys::is_no_store(&error) => {
            *unkept = Some("this conversation is not saved: there is no key store yet; create one with `chatbot vault create`".to_owned());
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    super::commands::history::retain(app)?;
    match find(app, which)? {
        None => Ok(Some((archive.begin(provider.name().as_str(), &wish.model)?, None))),
        Some(id) => {
            let Opened { conversation, stored } = archive.open(&id)?;
            Ok(Some((conversation, Some(stored))))
        }
    }
}

/// Prints and logs what is damaged in a conversation.
pub(crate) fn tell_damage(app: &App, damage: &[Damage]) {
    for damage in damage {
        app.ui.error_line(&format!("chatbot: warning: {}", damage.sentence()));
    }
    if !damage.is_empty() {
        app.note(&Event::new(What::Damage).severity(Severity::Critical).number("records", damage.len()));
    }
}

/// Lists what was redacted, in one line: `2 values replaced: EMAIL ×1, API_KEY ×1`.
pub(crate) fn replaced(counts: &[(String, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let kinds: Vec<String> = counts.iter().map(|(kind, n)| format!("{kind} ×{n}")).collect();
    format!("{all} {} replaced: {}", if all == 1 { "value" } else { "values" }, kinds.join(", "))
}

/// `model · 1,204→356 tok · $0.0031 · 2.1 s`
pub(crate) fn statistics(outcome: &crate::chat::Outcome, model: &str) -> String {
    let mut parts = vec![Raw::from(outcome.answer.as_ref().map_or(model, |a| a.model.as_str())).printable_line()];
    if let Some(usage) = outcome.answer.as_ref().and_then(|a| a.usage.as_ref()) {
        parts.push(format!("{}→{} tok", grouped(usage.prompt_tokens), grouped(usage.completion_tokens)));
        parts.push(outcome.cost.map_or_else(|| "cost unknown".to_owned(), said_cost));
    } else if let Some(cost) = outcome.cost {
        parts.push(said_cost(cost));
    }
    parts.push(format!("{:.1} s", outcome.took.as_secs_f64()));
    parts.join(" · ")
}

fn said_cost(cost: crate::chat::Cost) -> String {
    format!("{}{}", if cost.estimated { "~" } else { "" }, dollars(cost.nanos))
}

/// An amount for JSON: the decimal number that equals these nanodollars exactly.
pub(crate) fn exact_dollars(nanos: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact to the nanodollar below nine million dollars")]
    let exact = nanos as f64 / 1e9;
    exact
}

/// `1204` → `1,204`
pub(crate) fn grouped(number: u64) -> String {
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
pub(crate) fn dollars(nanos: i64) -> String {
    let (sign, nanos) = if nanos < 0 { ("-", nanos.unsigned_abs()) } else { ("", nanos.unsigned_abs()) };
    if nanos == 0 || nanos >= 1_000_000_000 {
        let cents = (nanos + 5_000_000) / 10_000_000;
        return format!("{sign}${}.{:02}", grouped(cents / 100), cents % 100);
    }
    let digits = format!("{nanos:09}");
    let first = digits.bytes().position(|b| b != b'0').unwrap_or(0);
    let places = (first + 2).clamp(2, 9);
    let unit = 10_u64.pow(u32::try_from(9 - places).unwrap_or(0));
    let rounded = (nanos + unit / 2) / unit * unit;
    let digits = format!("{:09}", rounded % 1_000_000_000);
    format!("{sign}${}.{}", rounded / 1_000_000_000, digits.get(..places).unwrap_or_default())
}

/// Prints warnings and statistics after an answer. If its cost is unknown, the price list is
/// fetched.
pub(crate) fn tell(app: &mut App, outcome: &crate::chat::Outcome, model: &str, choice: Option<&Choice>, goes_on: bool) {
    let ui = app.ui;
    if let Some(choice) = choice.filter(|_| outcome.cost.is_none()) {
        // Without this cache a price is only unknown.
        app.miss_prices(choice, goes_on).unwrap_or_default();
    }
    for trouble in &outcome.trouble {
        ui.warning(trouble);
    }
    for level in &outcome.levels {
        if level.is_high() {
            ui.warning(&format!("{} of {} requests used this {}", level.used, level.window.most, level.window.name));
        }
    }
    for fill in outcome.fills.iter().filter(|f| f.is_high()) {
        ui.warning(&format!("{} of the budget of {} for {} is spent", dollars(fill.spent), dollars(fill.limit), fill.span));
    }
    if outcome.answer.as_ref().is_some_and(|a| !a.complete) {
        let why = outcome.answer.as_ref().and_then(|a| a.finish.clone()).unwrap_or_else(|| "no reason given".to_owned());
        ui.warning(&format!("the answer is incomplete ({})", Raw::from(why).printable()));
    }
    if let Some(calls) = tool_calls(outcome).filter(|_| !outcome.text.as_str().is_empty()) {
        ui.warning(&format!("the model also asked for {calls}; chatbot has no tools and made none"));
    }
    ui.notice(&statistics(outcome, model));
}

fn tool_calls(outcome: &crate::chat::Outcome) -> Option<String> {
    let answer = outcome.answer.as_ref()?;
    match answer.tool_calls {
        0 if answer.finish.as_deref() == Some("tool_calls") => Some(String::from("tool calls")),
        0 => None,
        1 => Some(String::from("1 tool call")),
        many => Some(format!("{many} tool calls")),
    }
}

/// Fails if an answer has no text: a script would take the empty output for an answer.
pub(crate) fn refuse_an_empty_answer(outcome: &crate::chat::Outcome, model: &str) -> Result<()> {
    let Some(answer) = outcome.answer.as_ref().filter(|_| outcome.text.as_str().is_empty()) else { return Ok(()) };
    let model = Raw::from(model).printable();
    let what = match tool_calls(outcome) {
        Some(calls) => format!("`{model}` asked for {calls} and wrote no text"),
        None => {
            let why = answer.finish.clone().map_or_else(String::new, |why| format!(" ({})", Raw::from(why).printable()));
            format!("`{model}` ended its answer without any text{why}")
        }
    };
    bail!(
        Problem::new(Exit::Network, "empty_answer", what)
            .hint("chatbot makes no tool calls: ask in other words, or choose another model with `--model`")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_says_as_much_as_it_can() {
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
            assert_eq!(dollars(nanos), text);
        }
        assert_eq!([grouped(0), grouped(999), grouped(1204), grouped(1_000_000)], ["0", "999", "1,204", "1,000,000"]);
    }
}
