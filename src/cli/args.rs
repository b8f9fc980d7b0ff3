//! Arguments that several commands share, and the parsers of their values.

use crate::cli::errors::CliError;
use crate::config::{self, ReasoningDisplay, ReasoningEffort, UiSettings};
use crate::crypto::kdf::{self, KdfParams};
use crate::name::Name;
use crate::privacy::Raw;
use crate::time::Time;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

// Options of a conversation. As a doc comment this would be the description of the commands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConversationArgs {
    /// Use this model
    #[arg(short, long, value_name = "MODEL", value_parser = parse_model)]
    pub(crate) model: Option<String>,
    /// Use this provider: openrouter, openai, anthropic, gemini, groq, mistral, deepseek, xai,
    /// ollama, or one from the settings
    #[arg(short, long, value_name = "NAME")]
    pub(crate) provider: Option<Name>,
    /// Use the key and the settings in this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Name>,
    /// Set the system prompt
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) system: Option<Raw>,
    /// Use the system prompt and the options in this role: `roles/NAME.md` next to the settings
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<Name>,
    /// Set a variable of the role; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub(crate) var: Vec<(String, String)>,
    /// Attach a text, a picture or a PDF, a folder without ignored files, or all files that match a
    /// pattern such as 'notes-*.md'; can be repeated
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
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) max_tokens: Option<u32>,
    /// How much the model reasons before it answers: off, low, medium or high; show or hide chooses
    /// what is printed of it. Can be repeated
    #[arg(long, value_name = "WORD", value_parser = parse_reasoning)]
    pub(crate) reasoning: Vec<ReasoningArg>,
    /// Demand an answer in JSON that follows the JSON schema in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Spend at most this many US dollars in this run
    #[arg(long, value_name = "USD", value_parser = parse_dollars, allow_negative_numbers = true)]
    pub(crate) budget: Option<i64>,
    /// When a limit is reached, wait instead of failing
    #[arg(long)]
    pub(crate) wait: bool,
    /// Show the answer only when it is complete
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Show the answer as it was written, without rendering its Markdown
    #[arg(long)]
    pub(crate) raw: bool,
    /// Use the built-in offline demo, which needs no key and no network; nothing is saved or counted
    #[arg(long)]
    pub(crate) demo: bool,
    /// Log to standard error, redacted; repeat for more detail (-vv)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Do not print notices and statistics
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// A value of `--reasoning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningArg {
    Effort(ReasoningEffort),
    Display(ReasoningDisplay),
}

fn parse_reasoning(text: &str) -> Result<ReasoningArg, &'static str> {
    let effort = ReasoningEffort::WORDS
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, effort)| ReasoningArg::Effort(*effort));
    match text {
        "show" => Ok(ReasoningArg::Display(ReasoningDisplay::Show)),
        "hide" => Ok(ReasoningArg::Display(ReasoningDisplay::Hide)),
        _ => effort.ok_or("must be show, hide, off, low, medium or high"),
    }
}

impl ConversationArgs {
    /// How much the model is to reason, if the command line says so.
    pub(crate) fn reasoning_effort(&self) -> Option<ReasoningEffort> {
        self.reasoning.iter().rev().find_map(|word| match word {
            ReasoningArg::Effort(effort) => Some(*effort),
            ReasoningArg::Display(_) => None,
        })
    }

    /// What is shown of the reasoning: as the command line says, else the settings.
    pub(crate) fn reasoning_display(&self, settings: &UiSettings) -> ReasoningDisplay {
        let said = self.reasoning.iter().rev().find_map(|word| match word {
            ReasoningArg::Display(display) => Some(*display),
            ReasoningArg::Effort(_) => None,
        });
        said.unwrap_or(settings.reasoning)
    }

    pub(crate) fn is_saved(&self) -> bool {
        !self.no_log && !self.private && !self.demo
    }

    /// Whether the built-in assistant answers. As a provider it is used like any other, with
    /// limits, history and usage; `--demo` only shows what a chat looks like.
    pub(crate) fn uses_demo_provider(&self) -> bool {
        self.demo
            || self
                .provider
                .as_ref()
                .is_some_and(|name| name.as_str() == "demo")
    }
}

/// A path that has a folder: a bare file name means the current one.
pub(crate) fn with_folder(path: &Path) -> PathBuf {
    if path.parent() == Some(Path::new("")) {
        Path::new(".").join(path)
    } else {
        path.to_path_buf()
    }
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

pub(crate) fn parse_model(text: &str) -> Result<String, &'static str> {
    let fit = !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
    if fit {
        Ok(text.to_owned())
    } else {
        Err("a model name has no spaces and at most 256 characters")
    }
}

pub(crate) fn parse_variable(text: &str) -> Result<(String, String), &'static str> {
    text.split_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .ok_or("must be NAME=VALUE")
}

pub(crate) fn parse_dollars(text: &str) -> Result<i64, &'static str> {
    config::parse_nanos(text).ok_or("must be an amount in dollars, such as 0.50")
}

pub(crate) fn parse_tokens(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .ok()
        .filter(|tokens| *tokens > 0)
        .ok_or("must be a whole number of at least 1")
}

pub(crate) fn parse_temperature(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|t| (0.0..=2.0).contains(t))
        .ok_or("must be a number from 0 to 2")
}

pub(crate) fn parse_kdf(text: &str) -> Result<KdfParams, String> {
    text.parse().map_err(|error: kdf::Error| error.to_string())
}

/// A duration such as `60s`, `15m`, `12h` or `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    duration(text)
        .filter(|length| !length.is_zero())
        .ok_or("must be a duration such as 60s, 15m, 12h or 7d")
}

fn duration(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let number: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    number.checked_mul(unit).map(Duration::from_secs)
}

/// Parses a point in time: a duration before now, such as `12h`, or a date.
pub(crate) fn parse_since(text: &str, now: Time) -> Result<Time> {
    if let Some(length) = duration(text) {
        return Ok(now.saturating_sub(length));
    }
    if let Some(time) = Time::from_local_day(text).or_else(|| Time::parse(text)) {
        return Ok(time);
    }
    let shown = Raw::from(text).printable();
    bail!(
        CliError::misuse(format!("`{shown}` is neither a duration nor a date"))
            .hint("use 30m, 12h, 7d or a date such as 2026-11-21")
    )
}
