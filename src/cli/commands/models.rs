//! `models`: lists the models of a provider.

use crate::cli::context::Context;
use crate::cli::model_cache::{self, ModelList};
use crate::cli::provider::{self, ProviderChoice};
use crate::cli::term::Style;
use crate::cli::term::format::{format_dollars, json_dollars, truncate_to_width};
use crate::name::Name;
use crate::privacy::Raw;
use crate::provider::ModelInfo;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::cmp::Reverse;

#[derive(Clone, Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Show only models whose name contains all of these words
    #[arg(value_name = "PATTERN")]
    pattern: Vec<String>,
    /// List the models of this provider
    #[arg(short, long, value_name = "NAME")]
    provider: Option<Name>,
    /// Use the key and the settings in this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Name>,
    /// Sort by name, context, input (price) or output (price)
    #[arg(long, value_enum, default_value_t, value_name = "FIELD")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    sort: ModelOrder,
    /// List at most this many models
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Fetch the list even if there is one of today
    #[arg(long)]
    refresh: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// The order of a list of models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelOrder {
    #[default]
    Name,
    Context,
    Input,
    Output,
}

pub(crate) fn run(context: &mut Context, options: &ModelsArgs) -> Result<()> {
    let choice = provider::choose(
        context,
        options.provider.as_ref(),
        options.profile.as_ref(),
        Some("any"),
    )?;
    let mut list = model_cache::list(context, &choice, options.refresh)?;
    select(&mut list.models, &options.pattern, options.sort);
    list.models.truncate(options.limit.unwrap_or(usize::MAX));
    if options.json {
        let models: Vec<Value> = list.models.iter().map(as_json).collect();
        return context.ui.json(&json!({
            "schema_version": 1,
            "provider": choice.endpoint.name.as_str(),
            "fetched_at": list.fetched_at.to_string(),
            "models": models,
        }));
    }
    print(context, &list)
}

/// Prints the models of the provider in use, for `/models`.
pub(crate) fn show(context: &mut Context, choice: &ProviderChoice, pattern: &str) -> Result<()> {
    let mut list = model_cache::list(context, choice, false)?;
    let words: Vec<String> = pattern.split_whitespace().map(str::to_owned).collect();
    select(&mut list.models, &words, ModelOrder::Name);
    print(context, &list)
}

/// Keeps the models that have all words in their names, in order.
fn select(models: &mut Vec<ModelInfo>, words: &[String], order: ModelOrder) {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    models.retain(|m| {
        let names = format!("{} {}", m.id, m.name.as_deref().unwrap_or_default()).to_lowercase();
        words.iter().all(|word| names.contains(word))
    });
    models.sort_by(|a, b| a.id.cmp(&b.id));
    // Unknown prices come last.
    let price = |m: &ModelInfo| per_million(m).unwrap_or((i64::MAX, i64::MAX));
    match order {
        ModelOrder::Name => {}
        ModelOrder::Context => models.sort_by_key(|m| Reverse(m.context_length)),
        ModelOrder::Input => models.sort_by_key(|m| price(m).0),
        ModelOrder::Output => models.sort_by_key(|m| price(m).1),
    }
}

fn print(context: &Context, list: &ModelList) -> Result<()> {
    let ui = context.ui;
    if list.models.is_empty() {
        ui.notice("no matching models");
        return Ok(());
    }
    let wide = list
        .models
        .iter()
        .map(|m| m.id.chars().count())
        .max()
        .unwrap_or(0)
        .min(ui.width().saturating_sub(36).max(24));
    // Scripts get lines of models only.
    if ui.output_is_terminal() {
        let header = format!(
            "{:<wide$}  {:>7}  {:>9} {:>9}\n",
            "model", "context", "$/M input", "output"
        );
        ui.out(ui.paint(Style::Bold, header.trim_end()) + "\n")?;
    }
    let text: String = list.models.iter().map(|m| model_line(m, wide)).collect();
    ui.out(&text)?;
    if let Some(age) = model_cache::describe_age(list, context.clock.now()) {
        ui.notice(&format!(
            "this list is {age} old; `chatbot models --refresh` fetches a new one"
        ));
    }
    Ok(())
}

fn per_million(m: &ModelInfo) -> Option<(i64, i64)> {
    let prices = m.prices.as_ref()?;
    Some((prices.prompt()?.0, prices.completion()?.0))
}

fn as_json(m: &ModelInfo) -> Value {
    let price = per_million(m);
    json!({
        "id": m.id,
        "name": m.name,
        "context_length": m.context_length,
        "prompt_per_million": price.map(|(p, _)| json_dollars(p)),
        "completion_per_million": price.map(|(_, c)| json_dollars(c)),
    })
}

fn model_line(m: &ModelInfo, wide: usize) -> String {
    let id = truncate_to_width(&Raw::from(m.id.as_str()).printable_line(), wide);
    let context = m.context_length.map_or(String::new(), format_context);
    let price = per_million(m).map_or(String::new(), |(p, c)| {
        format!("{:>9} {:>9}", format_dollars(p), format_dollars(c))
    });
    let line = format!("{id:<wide$}  {context:>7}  {price}");
    format!("{}\n", line.trim_end())
}

/// `128k`, `1M`
fn format_context(tokens: u64) -> String {
    if tokens >= 1_000_000 {
        let tenths = tokens / 100_000 % 10;
        let part = if tenths == 0 {
            String::new()
        } else {
            format!(".{tenths}")
        };
        return format!("{}{part}M", tokens / 1_000_000);
    }
    format!("{}k", tokens / 1000)
}
