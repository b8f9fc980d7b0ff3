//! What the desk knows of money: the purse with its budgets, and providers' price lists, kept for a day.

use super::app::{App, Choice};
use super::network::runtime;
use super::report::Problem;
use super::talk::dollars;
use super::ui::Ui;
use crate::chat::{Price, Pricing, Session};
use crate::clock::Time;
use crate::disk;
use crate::ledger::budget::{Caps, Purse};
use crate::name::Name;
use crate::provider::{Model, Prices, Provider, Reach, models};
use crate::secret::Secret;
use crate::settings::{self, KeyFrom};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A price list older than this is fetched anew where it matters.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// A server that wants no key is asked for its prices for no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// The purse, with the budgets of the settings and that of this run.
    pub(crate) fn purse(&mut self, per_command: Option<i64>) -> Result<Purse> {
        let budget = self.settings()?.budget;
        let caps = Caps { per_day: budget.per_day, per_month: budget.per_month, per_conversation: budget.per_conversation, per_command };
        Ok(Purse::new(self.home.state(), self.audit(), self.clock.clone(), caps))
    }

    fn price_file(&self, provider: &Name) -> PathBuf {
        self.home.cache().join(format!("prices-{provider}.tsv"))
    }

    /// What the models of a provider cost, as it last said; who asks for no key and names no price bills nobody.
    pub(crate) fn pricing(&self, choice: Option<&Choice>) -> Pricing {
        let Some(choice) = choice else { return Pricing::new(|_| Price::Free) };
        let (path, keyless) = (self.price_file(&choice.endpoint.name), choice.key == KeyFrom::Nowhere);
        Pricing::new(move |model| match find(&path, model) {
            Some(prices) => Price::Known(Box::new(prices)),
            None if keyless => Price::Free,
            None => Price::Unknown,
        })
    }

    /// Sees to it that the price list is at most a day old. Where that fails, the one that is there has to do.
    pub(crate) fn fetch_prices(&mut self, choice: &Choice, key: Option<&Secret>) -> Result<()> {
        let now = self.clock.now();
        if fetched(&self.price_file(&choice.endpoint.name)).is_some_and(|at| at <= now && now.since(at) < FRESH) {
            return Ok(());
        }
        let reach = self.reach()?;
        // One that wants no key need not have a list, and is not waited for.
        let patience = if choice.key == KeyFrom::Nowhere { PATIENCE } else { Duration::MAX };
        let asked = runtime()?.block_on(async { tokio::time::timeout(patience, models(&choice.endpoint, key, reach)).await });
        match asked {
            Ok(Ok(list)) => self.remember_prices(&choice.endpoint.name, &list),
            Err(_) => {}
            Ok(Err(_)) if choice.key == KeyFrom::Nowhere => {}
            Ok(Err(error)) => self.ui.warning(&format!("cannot fetch the price list of `{}`: {error}", choice.endpoint.name)),
        }
        Ok(())
    }

    /// Keeps a price list.
    pub(crate) fn remember_prices(&self, provider: &Name, list: &[Model]) {
        keep(&self.price_file(provider), self.clock.now(), list);
    }

    /// Fetches the price list of a provider that gives it to everybody, if an earlier run missed it: nobody waits for it.
    pub(crate) fn fetch_missed_prices(&mut self, choice: &Choice) -> Result<()> {
        let wanted = self.price_file(&choice.endpoint.name).with_extension("wanted");
        if is_open(choice) && disk::exists(&wanted) {
            fetch_beside(choice, self.price_file(&choice.endpoint.name), self.reach()?);
        }
        Ok(())
    }

    /// What an answer cost is not known: the list may say what the next one does. Where this process goes on, it is fetched
    /// now, else while the next one answers.
    pub(crate) fn miss_prices(&mut self, choice: &Choice, goes_on: bool) -> Result<()> {
        let (file, now) = (self.price_file(&choice.endpoint.name), self.clock.now());
        if !is_open(choice) || fetched(&file).is_some_and(|at| at <= now && now.since(at) < FRESH) {
            return Ok(());
        }
        if goes_on {
            fetch_beside(choice, file, self.reach()?);
        } else {
            disk::write_cache(&file.with_extension("wanted"), b"")?;
        }
        Ok(())
    }
}

/// Whether the price list is open to everybody: then it is fetched without a key.
const fn is_open(choice: &Choice) -> bool {
    choice.endpoint.dialect.routing
}

/// Fetches a price list beside the conversation. One attempt: the next unknown price wants another.
fn fetch_beside(choice: &Choice, file: PathBuf, reach: Reach) {
    let (endpoint, now) = (choice.endpoint.clone(), reach.clock.now());
    let work = move || {
        disk::remove(&file.with_extension("wanted")).unwrap_or_default();
        if let Ok(list) = runtime().and_then(|r| Ok(r.block_on(models(&endpoint, None, reach))?)) {
            keep(&file, now, &list);
        }
    };
    // Where no thread can be had, a price stays unknown.
    drop(std::thread::Builder::new().name("prices".to_owned()).spawn(work));
}

fn keep(file: &Path, now: Time, list: &[Model]) {
    let mut text = format!("{now}\n");
    for model in list.iter().filter(|m| m.id.bytes().all(|b| b.is_ascii_graphic())) {
        if let Some(json) = model.prices.as_ref().and_then(|p| serde_json::to_string(p).ok()) {
            text += &format!("{}\t{json}\n", model.id);
        }
    }
    // A cache: without it a price is only not known.
    disk::write_cache(file, text.as_bytes()).unwrap_or_default();
}

/// Shows the budgets of a conversation, or gives it one of its own.
pub(crate) fn budget<P: Provider>(ui: Ui, session: &mut Session<P>, arguments: &str) -> Result<()> {
    if !arguments.is_empty() {
        let amount = if arguments == "off" { Some(None) } else { settings::nanos(arguments.trim_start_matches('$')).map(Some) };
        let Some(amount) = amount else {
            bail!(Problem::misuse("not an amount in dollars").hint("type `/budget 0.50` or `/budget off`"));
        };
        let caps = session.purse().caps();
        session.purse().set_caps(Caps { per_conversation: amount, ..caps });
    }
    let own = session.own();
    let fills = session.purse().standing(own)?;
    if fills.is_empty() {
        ui.notice("no budget is set; `/budget 0.50` sets one for this conversation");
    }
    for fill in fills {
        let anew = fill.resets.map_or(String::new(), |at| format!(", resets {}", at.local_day()));
        ui.out(&format!("  {:<17} {} of {}{anew}\n", fill.span.to_string(), dollars(fill.spent), dollars(fill.limit)))?;
    }
    Ok(())
}

fn fetched(path: &Path) -> Option<Time> {
    let bytes = disk::read_start(path, 64).ok()??;
    Time::parse(std::str::from_utf8(bytes.split(|b| *b == b'\n').next()?).ok()?)
}

/// Only the line of the model is read as JSON.
fn find(path: &Path, model: &str) -> Option<Prices> {
    let bytes = disk::read_at_most(path, 1 << 24).ok()??;
    let text = std::str::from_utf8(&bytes).ok()?;
    let line = text.lines().skip(1).find_map(|line| line.strip_prefix(model)?.strip_prefix('\t'))?;
    serde_json::from_str(line).ok()
}
