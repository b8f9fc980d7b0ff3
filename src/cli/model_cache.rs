//! The cached list of a provider's models: fetched at most once a day, and used without a network.

use super::context::Context;
use super::key_binding;
use super::prices;
use super::provider::ProviderChoice;
use super::runtime::runtime;
use crate::catalog;
use crate::fs;
use crate::name::Name;
use crate::provider::{ModelInfo, list_models};
use crate::time::{Time, humanize};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An older list is fetched again.
const MAX_LIST_AGE: Duration = Duration::from_secs(24 * 3600);
/// The largest list that is read.
const MAX_LIST_BYTES: u64 = 1 << 24;

/// The models of a provider, and when it listed them.
#[derive(Debug)]
pub(crate) struct ModelList {
    pub(crate) models: Vec<ModelInfo>,
    pub(crate) fetched_at: Time,
}

/// The models of a provider: from the cache if it is younger than a day, else from the provider. An
/// old list is used if the provider cannot be reached, unless a new one was demanded.
pub(crate) fn list(
    context: &mut Context,
    choice: &ProviderChoice,
    refresh: bool,
) -> Result<ModelList> {
    let now = context.clock.now();
    let cached = load(context.home.cache(), choice.endpoint.name.as_str())
        .filter(|list| list.fetched_at <= now);
    if !refresh
        && let Some(list) = &cached
        && now.since(list.fetched_at) < MAX_LIST_AGE
    {
        return Ok(cached.unwrap_or(ModelList {
            models: Vec::new(),
            fetched_at: now,
        }));
    }
    match (fetch(context, choice), cached) {
        (Ok(models), _) => Ok(ModelList {
            models,
            fetched_at: now,
        }),
        (Err(error), Some(list)) if !refresh => {
            context
                .ui
                .warning(&format!("cannot fetch the list of models: {error}"));
            Ok(list)
        }
        (Err(error), _) => Err(error),
    }
}

/// How old a list is, if it is not new.
pub(crate) fn describe_age(list: &ModelList, now: Time) -> Option<String> {
    let age = now.since(list.fetched_at);
    (age >= Duration::from_secs(60)).then(|| {
        // Whole units are enough for an age.
        let unit = if age < Duration::from_secs(3600) {
            60
        } else {
            3600
        };
        humanize(Duration::from_secs(age.as_secs() / unit * unit))
    })
}

fn fetch(context: &mut Context, choice: &ProviderChoice) -> Result<Vec<ModelInfo>> {
    // OpenRouter's list is public, so no key is sent for it.
    let key = if choice.endpoint.dialect.routing {
        None
    } else {
        key_binding::key_for(context, choice)?
    };
    let http = context.http_context()?;
    let models = runtime()?.block_on(list_models(&choice.endpoint, key.as_ref(), http))?;
    save(context, &choice.endpoint.name, &models);
    prices::remember(context, &choice.endpoint.name, &models);
    Ok(models)
}

/// The cached model names of a provider, or its default model if there is no cache yet.
pub(crate) fn known_names(cache: &Path, provider: &str) -> Vec<String> {
    if let Some(list) = load(cache, provider) {
        let names = list.models.into_iter().map(|m| m.id);
        return names
            .filter(|name| name.bytes().all(|b| b.is_ascii_graphic()))
            .collect();
    }
    let default = catalog::find(provider).map(|entry| entry.model.to_owned());
    default.into_iter().filter(|m| !m.is_empty()).collect()
}

fn file(cache: &Path, provider: &str) -> PathBuf {
    cache.join(format!("models-{provider}.jsonl"))
}

/// The time on the first line, then a model on each line.
fn save(context: &Context, provider: &Name, models: &[ModelInfo]) {
    let mut text = format!("{}\n", context.clock.now());
    for line in models.iter().filter_map(|m| serde_json::to_string(m).ok()) {
        text += &line;
        text.push('\n');
    }
    // Without this cache the list is fetched again.
    fs::write_cache(
        &file(context.home.cache(), provider.as_str()),
        text.as_bytes(),
    )
    .unwrap_or_default();
}

fn load(cache: &Path, provider: &str) -> Option<ModelList> {
    let bytes = fs::read_at_most(&file(cache, provider), MAX_LIST_BYTES).ok()??;
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let fetched_at = Time::parse(lines.next()?)?;
    let models: Vec<ModelInfo> = lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    (!models.is_empty()).then_some(ModelList { models, fetched_at })
}
