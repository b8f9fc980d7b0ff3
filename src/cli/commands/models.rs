//! `models`: lists the models of a provider.

use crate::cli::context::Context;
use crate::cli::key_binding;
use crate::cli::prices;
use crate::cli::provider;
use crate::cli::runtime::runtime;
use crate::cli::term::format::{format_dollars, json_dollars, truncate_to_width};
use crate::fs;
use crate::name::Name;
use crate::privacy::Raw;
use crate::provider::{ModelInfo, list_models};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// List a provider's models with their prices in US dollars per million tokens
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Show only models whose name contains this text
    pattern: Option<String>,
    /// List the models of this provider
    #[arg(short, long, value_name = "NAME")]
    provider: Option<Name>,
    /// Use the key in this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &mut Context, options: &ModelsArgs) -> Result<()> {
    let choice = provider::choose(
        context,
        options.provider.as_ref(),
        options.profile.as_ref(),
        Some("any"),
    )?;
    // OpenRouter's list is public, so no key is sent for it.
    let key = if choice.endpoint.dialect.routing {
        None
    } else {
        key_binding::key_for(context, &choice)?
    };
    let mut list = runtime()?.block_on(list_models(
        &choice.endpoint,
        key.as_ref(),
        context.http_context()?,
    ))?;
    remember(context, &choice.endpoint.name, &list);
    prices::remember(context, &choice.endpoint.name, &list);
    if let Some(pattern) = &options.pattern {
        let pattern = pattern.to_lowercase();
        list.retain(|m| {
            m.id.to_lowercase().contains(&pattern)
                || m.name
                    .as_ref()
                    .is_some_and(|n| n.to_lowercase().contains(&pattern))
        });
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    if options.json {
        let list: Vec<Value> = list.iter().map(as_json).collect();
        return context
            .ui
            .json(&json!({ "schema_version": 1, "models": list }));
    }
    let wide = list
        .iter()
        .map(|m| m.id.chars().count())
        .max()
        .unwrap_or(0)
        .min(context.ui.width().saturating_sub(34).max(24));
    let text: String = list.iter().map(|m| model_line(m, wide)).collect();
    context.ui.out(&text)?;
    if list.is_empty() {
        context.ui.notice("no matching models");
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
    let context = m
        .context_length
        .map_or(String::new(), |c| format!("{}k", c / 1000));
    let price = per_million(m).map_or(String::new(), |(p, c)| {
        format!("{:>8} {:>8}", format_dollars(p), format_dollars(c))
    });
    let line = format!("{id:<wide$}  {context:>6}  {price}");
    format!("{}\n", line.trim_end())
}

/// Caches the names of models for completion.
pub(crate) fn remember(context: &Context, provider: &Name, models: &[ModelInfo]) {
    let names: String = models
        .iter()
        .filter(|m| m.id.bytes().all(|b| b.is_ascii_graphic()))
        .map(|m| format!("{}\n", m.id))
        .collect();
    // Without this cache there is only no completion.
    fs::write(
        &models_file(context.home.cache(), provider.as_str()),
        names.as_bytes(),
    )
    .unwrap_or_default();
}

/// The cached model names of a provider, or its default model if there is no cache yet.
pub(crate) fn known(cache: &Path, provider: &str) -> Vec<String> {
    let bytes = fs::read_at_most(&models_file(cache, provider), 1 << 20);
    let text = bytes.ok().flatten().unwrap_or_default();
    let names: Vec<String> = String::from_utf8_lossy(&text)
        .lines()
        .filter(|m| m.bytes().all(|b| b.is_ascii_graphic()))
        .map(str::to_owned)
        .collect();
    if !names.is_empty() {
        return names;
    }
    let entry = crate::catalog::find(provider);
    let default = entry.map(|e| e.model.to_owned());
    default.into_iter().filter(|m| !m.is_empty()).collect()
}

fn models_file(cache: &Path, provider: &str) -> PathBuf {
    cache.join(format!("models-{provider}.txt"))
}
