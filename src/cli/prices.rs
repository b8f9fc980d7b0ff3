//! Budgets and price lists: the settings of the one, and the cache of the other, which is fetched
//! at most once a day.

use crate::chat::Session;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::provider::ProviderChoice;
use crate::cli::runtime::runtime;
use crate::cli::term::Ui;
use crate::cli::term::format::format_dollars;
use crate::config::{self, KeySource};
use crate::fs;
use crate::name::Name;
use crate::net::HttpContext;
use crate::provider::ModelLimits;
use crate::provider::{ModelInfo, Price, Prices, Pricing, Provider, list_models};
use crate::secret::Secret;
use crate::time::Time;
use crate::usage::budget::BudgetLimits;
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An older price list is fetched again when a price is needed.
const MAX_PRICE_AGE: Duration = Duration::from_secs(24 * 3600);
/// Time limit for the price list of a server that needs no key, such as a local one: it may not
/// have one.
const OPEN_LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// The most prices that are remembered: the names of models come from other programs.
const MAX_KNOWN_PRICES: usize = 256;

fn price_file(context: &Context, provider: &Name) -> PathBuf {
    context.home.cache().join(format!("prices-{provider}.tsv"))
}

/// The cached price list. A provider that needs no key and publishes no prices counts as free.
pub(crate) fn pricing(context: &Context, choice: Option<&ProviderChoice>) -> Pricing {
    let Some(choice) = choice else {
        return Pricing::new(|_| Price::Free);
    };
    let (path, keyless) = (
        price_file(context, &choice.endpoint.name),
        choice.key == KeySource::NoKey,
    );
    // The proxy asks for every request, and the list is long.
    let known = RefCell::new((None, HashMap::<String, Price>::new()));
    Pricing::new(move |model| {
        let version = fs::modified_ms(&path);
        let mut known = known.borrow_mut();
        if known.0 != Some(version) || known.1.len() > MAX_KNOWN_PRICES {
            *known = (Some(version), HashMap::new());
        }
        if let Some(price) = known.1.get(model) {
            return price.clone();
        }
        let price = match find_price(&path, model) {
            Some(prices) => Price::Known(Box::new(prices)),
            None if keyless => Price::Free,
            None => Price::Unknown,
        };
        known.1.insert(model.to_owned(), price.clone());
        price
    })
}

/// Fetches the price list if it is older than a day. If that fails, the cached one is used.
pub(crate) fn fetch(
    context: &mut Context,
    choice: &ProviderChoice,
    key: Option<&Secret>,
) -> Result<()> {
    let now = context.clock.now();
    if fetched_at(&price_file(context, &choice.endpoint.name))
        .is_some_and(|at| at <= now && now.since(at) < MAX_PRICE_AGE)
    {
        return Ok(());
    }
    let http = context.http_context()?;
    // A server without keys may have no price list, so a failure is not reported.
    let timeout = if choice.key == KeySource::NoKey {
        OPEN_LIST_TIMEOUT
    } else {
        Duration::MAX
    };
    let asked = runtime()?.block_on(async {
        tokio::time::timeout(timeout, list_models(&choice.endpoint, key, http)).await
    });
    match asked {
        Ok(Ok(list)) => remember(context, &choice.endpoint.name, &list),
        Err(_) => {}
        Ok(Err(_)) if choice.key == KeySource::NoKey => {}
        Ok(Err(error)) => context.ui.warning(&format!(
            "cannot fetch the price list of `{}`: {error}",
            choice.endpoint.name
        )),
    }
    Ok(())
}

/// Caches a price list.
pub(crate) fn remember(context: &Context, provider: &Name, list: &[ModelInfo]) {
    save_prices(&price_file(context, provider), context.clock.now(), list);
}

/// Fetches a public price list in the background if an earlier run missed a price.
pub(crate) fn fetch_missed(context: &mut Context, choice: &ProviderChoice) -> Result<()> {
    let wanted = price_file(context, &choice.endpoint.name).with_extension("wanted");
    if is_public_price_list(choice) && fs::exists(&wanted) {
        refresh_in_background(
            choice,
            price_file(context, &choice.endpoint.name),
            context.http_context()?,
        );
    }
    Ok(())
}

/// Notes that the cost of an answer is unknown, because the list may have the price for the
/// next one. A process that continues fetches it now; otherwise the next run fetches it while
/// its answer streams.
pub(crate) fn schedule_refresh(
    context: &mut Context,
    choice: &ProviderChoice,
    goes_on: bool,
) -> Result<()> {
    let (file, now) = (
        price_file(context, &choice.endpoint.name),
        context.clock.now(),
    );
    if !is_public_price_list(choice)
        || fetched_at(&file).is_some_and(|at| at <= now && now.since(at) < MAX_PRICE_AGE)
    {
        return Ok(());
    }
    if goes_on {
        refresh_in_background(choice, file, context.http_context()?);
    } else {
        fs::write_cache(&file.with_extension("wanted"), b"")?;
    }
    Ok(())
}

/// Whether the price list is public: then it is fetched without a key.
const fn is_public_price_list(choice: &ProviderChoice) -> bool {
    choice.endpoint.dialect.routing
}

/// Fetches a price list in the background, once. If that fails, the next unknown price tries again.
fn refresh_in_background(choice: &ProviderChoice, file: PathBuf, http: HttpContext) {
    let (endpoint, now) = (choice.endpoint.clone(), http.clock.now());
    let work = move || {
        fs::remove(&file.with_extension("wanted")).unwrap_or_default();
        if let Ok(list) =
            runtime().and_then(|r| Ok(r.block_on(list_models(&endpoint, None, http))?))
        {
            save_prices(&file, now, &list);
        }
    };
    // If no thread can be started, the price stays unknown.
    drop(
        std::thread::Builder::new()
            .name("prices".to_owned())
            .spawn(work),
    );
}

/// The file of what models can read, next to the price list.
fn limits_file(prices: &Path) -> PathBuf {
    prices.with_extension("limits")
}

/// What a model can read: from the settings, else from the provider's list.
pub(crate) fn model_limits(
    context: &mut Context,
    choice: Option<&ProviderChoice>,
    model: &str,
) -> Result<ModelLimits> {
    let Some(choice) = choice else {
        return Ok(ModelLimits::default());
    };
    let name = &choice.endpoint.name;
    let settings = context.settings()?;
    let own = settings.providers.get(name);
    let own_tokens = own.and_then(|own| own.context_tokens);
    let file = limits_file(&price_file(context, name));
    let listed: ModelLimits = find_line(&file, model)
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default();
    Ok(ModelLimits {
        context_tokens: own_tokens.or(listed.context_tokens),
        ..listed
    })
}

fn save_prices(file: &Path, now: Time, list: &[ModelInfo]) {
    let mut text = format!("{now}\n");
    let mut limits = text.clone();
    for model in list
        .iter()
        .filter(|m| m.id.bytes().all(|b| b.is_ascii_graphic()))
    {
        let read = ModelLimits {
            context_tokens: model.context_length,
            takes_images: model.takes_images,
        };
        if let Ok(json) = serde_json::to_string(&read)
            && read != ModelLimits::default()
        {
            limits += &format!("{}\t{json}\n", model.id);
        }
        if let Some(json) = model
            .prices
            .as_ref()
            .and_then(|p| serde_json::to_string(p).ok())
        {
            text += &format!("{}\t{json}\n", model.id);
        }
    }
    // Without these caches a price or a limit is only unknown.
    fs::write_cache(file, text.as_bytes()).unwrap_or_default();
    fs::write_cache(&limits_file(file), limits.as_bytes()).unwrap_or_default();
}

/// Shows the budgets, or sets one for this conversation.
pub(crate) fn show_or_set_budget<P: Provider>(
    ui: Ui,
    session: &mut Session<P>,
    arguments: &str,
) -> Result<()> {
    if !arguments.is_empty() {
        let amount = if arguments == "off" {
            Some(None)
        } else {
            config::parse_nanos(arguments.trim_start_matches('$')).map(Some)
        };
        let Some(amount) = amount else {
            bail!(
                CliError::misuse("not an amount in dollars")
                    .hint("type `/budget 0.50` or `/budget off`")
            );
        };
        let limits = session.budget().limits();
        session.budget().set_limits(BudgetLimits {
            per_conversation: amount,
            ..limits
        });
    }
    let own = session.spend();
    let budgets = session.budget().status(own)?;
    if budgets.is_empty() {
        ui.notice("no budget is set; `/budget 0.50` sets one for this conversation");
    }
    for fill in budgets {
        let resets = fill
            .resets
            .map_or(String::new(), |at| format!(", resets {}", at.local_day()));
        ui.out(&format!(
            "  {:<17} {} of {}{resets}\n",
            fill.span.to_string(),
            format_dollars(fill.spent),
            format_dollars(fill.limit)
        ))?;
    }
    Ok(())
}

fn fetched_at(path: &Path) -> Option<Time> {
    let bytes = fs::read_start(path, 64).ok()??;
    Time::parse(std::str::from_utf8(bytes.split(|b| *b == b'\n').next()?).ok()?)
}

/// The prices of a model. Only its own line is parsed as JSON, because the list is long.
fn find_price(path: &Path, model: &str) -> Option<Prices> {
    serde_json::from_str(&find_line(path, model)?).ok()
}

/// What a list says about a model.
fn find_line(path: &Path, model: &str) -> Option<String> {
    let bytes = fs::read_at_most(path, 1 << 24).ok()??;
    let text = std::str::from_utf8(&bytes).ok()?;
    let line = text
        .lines()
        .skip(1)
        .find_map(|line| line.strip_prefix(model)?.strip_prefix('\t'))?;
    Some(line.to_owned())
}
