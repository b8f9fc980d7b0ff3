//! Arguments that several commands share, and the parsers of their values.

use crate::cli::errors::CliError;
use crate::config;
use crate::crypto::kdf::{self, KdfParams};
use crate::name::Name;
use crate::privacy::Raw;
use crate::time::Time;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Attach a text file, a folder without ignored files, or all files that match a pattern such as
    /// 'notes-*.md'; can be repeated
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

impl ConversationArgs {
    pub(crate) fn is_saved(&self) -> bool {
        !self.no_log && !self.private
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

fn parse_model(text: &str) -> Result<String, &'static str> {
    let fit = !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
    if fit {
        Ok(text.to_owned())
    } else {
        Err("a model name has no spaces and at most 256 characters")
    }
}

fn parse_dollars(text: &str) -> Result<i64, &'static str> {
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

/// Parses a point in time: a duration before now, such as `12h`, or a date.
pub(crate) fn parse_since(text: &str, now: Time) -> Result<Time> {
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(7 * 86_400),
        _ => None,
    };
    let span = text.chars().last().and_then(unit).and_then(|u: u64| {
        text.get(..text.len() - 1)?
            .parse::<u64>()
            .ok()?
            .checked_mul(u)
    });
    if let Some(seconds) = span {
        return Ok(now.saturating_sub(Duration::from_secs(seconds)));
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
