//! `key list`: the keys, where they are stored and when they were last checked.

use crate::catalog;
use crate::cli::context::Context;
use crate::cli::term::Style;
use crate::cli::term::format::pluralize;
use crate::config::KeySettings;
use crate::keys::index::KeyIndex;
use crate::keys::stores::vault;
use crate::keys::{KeyRecord, KeyStatus, Slot, StoreKind};
use crate::name::Name;
use crate::privacy::Displayable;
use crate::time::Time;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

/// List the stored keys with their location and status
#[derive(Clone, Debug, Args)]
pub(super) struct KeyListArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
    /// List at most this many keys
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct ListedKeyEntry {
    pub(super) provider: Name,
    pub(super) profile: Name,
    source: String,
    fingerprint: Option<String>,
    record: Option<KeyRecord>,
    /// Whether requests use it: a key in a variable is ignored if one is saved.
    used: bool,
}

pub(super) fn run(context: &mut Context, options: &KeyListArgs) -> Result<()> {
    let mut entries = list_entries(context)?;
    entries.truncate(options.limit.unwrap_or(usize::MAX));
    if options.json {
        let settings = context.settings()?;
        let now = context.clock.now();
        let as_json = |entry| key_json(entry, &settings.keys, now);
        let keys: Vec<Value> = entries.iter().map(as_json).collect();
        return context
            .ui
            .json(&json!({ "schema_version": 1, "keys": keys }));
    }
    let table = render(context, &entries)?;
    context.ui.say(&table, 2)?;
    // The records can be listed even if the key store cannot be opened.
    if context
        .keys()?
        .manager()
        .selected_store()
        .is_ok_and(|chosen| chosen.store.kind() == StoreKind::Vault)
    {
        vault::describe(&context.home.vault())?;
    }
    Ok(())
}

/// All known keys, saved ones first, by profile and provider.
pub(crate) fn list_entries(context: &mut Context) -> Result<Vec<ListedKeyEntry>> {
    let variables: Vec<(Name, String)> = catalog::all()
        .iter()
        .filter_map(|entry| Some((entry.name.parse().ok()?, entry.env?.to_owned())))
        .filter(|(_, variable)| context.env.has(variable))
        .collect();
    let settings = context.settings()?;
    let own = settings
        .providers
        .iter()
        .filter_map(|(name, custom)| match &custom.key {
            crate::config::KeySource::Env(variable) => Some((name.clone(), variable.clone())),
            _ => None,
        });
    let variables: Vec<(Name, String)> = variables
        .into_iter()
        .filter(|(name, _)| !settings.providers.contains_key(name))
        .chain(own)
        .collect();
    let index = load_index(context)?;
    let mut entries = Vec::new();
    for (slot, record) in index.iter().flat_map(KeyIndex::records) {
        if let Slot::ApiKey { provider, profile } = slot {
            let fingerprint = Some(record.fingerprint.clone()).filter(|f| !f.is_empty());
            entries.push(ListedKeyEntry {
                provider,
                profile,
                source: record.store.to_string(),
                fingerprint,
                record: Some(record.clone()),
                used: true,
            });
        }
    }
    entries.sort_by(|a, b| (&a.profile, &a.provider).cmp(&(&b.profile, &b.provider)));
    for (provider, variable) in variables {
        let Some(secret) = context.env.secret(&variable)? else {
            continue;
        };
        let profile: Name = "default".parse()?;
        let fingerprint = Some(
            context
                .keys()?
                .manager()
                .update_index(|index| index.fingerprint(&secret))?,
        );
        let used = !entries
            .iter()
            .any(|e| e.provider == provider && e.profile == profile);
        entries.push(ListedKeyEntry {
            provider,
            profile,
            source: String::from("env"),
            fingerprint,
            record: None,
            used,
        });
    }
    Ok(entries)
}

/// The recorded keys. A lost record is rebuilt from the store.
fn load_index(context: &mut Context) -> Result<Option<KeyIndex>> {
    match context.keys()?.manager().index() {
        Ok(Some(index)) if index.records().next().is_some() => Ok(Some(index)),
        _ => load_full_index(context),
    }
}

/// The recorded keys and those that the store has without a record, for callers that must not miss
/// a key.
pub(crate) fn load_full_index(context: &mut Context) -> Result<Option<KeyIndex>> {
    let manager = context.keys()?.manager();
    let index = match manager.index() {
        Ok(index) => index,
        Err(crate::keys::Error::Index(crate::keys::index::Error::Damaged(_))) => None,
        Err(error) => return Err(error.into()),
    };
    // Without a key store there are no keys.
    let Ok(kind) = manager.selected_store().map(|chosen| chosen.store.kind()) else {
        return Ok(index);
    };
    let mut slots = manager.list_slots(kind)?;
    slots.retain(|slot| {
        index
            .as_ref()
            .is_none_or(|index| index.record(slot).is_none())
    });
    let now = context.clock.now();
    let manager = context.keys()?.manager();
    let mut found = Vec::new();
    for slot in slots {
        if let Some(secret) = manager.get(&slot)? {
            found.push((slot, secret));
        }
    }
    if found.is_empty() {
        return Ok(index);
    }
    manager.update_index(|index| {
        for (slot, secret) in &found {
            index.record_key(slot, secret, kind, now);
        }
    })?;
    Ok(manager.index()?)
}

/// A key for JSON, without the key.
pub(crate) fn key_json(entry: &ListedKeyEntry, settings: &KeySettings, now: Time) -> Value {
    let record = entry.record.as_ref();
    let warnings = record
        .iter()
        .flat_map(|record| record.warnings(now, settings.rotate_after_days))
        .map(|warning| json!({ "code": warning.code(), "message": warning.to_string() }));
    let warnings: Vec<Value> = warnings.collect();
    json!({
        "provider": entry.provider,
        "profile": entry.profile,
        "source": entry.source,
        "fingerprint": entry.fingerprint,
        "status": record.map_or(KeyStatus::Unknown, |r| r.status),
        "created_at": record.map(|r| r.created_at),
        "updated_at": record.map(|r| r.updated_at),
        "last_validated": record.and_then(|r| r.last_validated),
        "expires_at": record.and_then(|r| r.expires_at),
        "host": record.and_then(|r| r.host.clone()),
        "age_days": record.map(|r| r.age_days(now)),
        "validation_due": record.map(|r| r.is_validation_due(now, settings.validate_every_days)),
        "rotation_due": record.map(|r| r.is_rotation_due(now, settings.rotate_after_days)),
        "warnings": warnings,
    })
}

fn render(context: &mut Context, entries: &[ListedKeyEntry]) -> Result<Displayable> {
    let mut out = if entries.is_empty() {
        Displayable::from("no keys yet: save one with `chatbot key set`\n")
    } else {
        render_table(context, entries)
    };
    let rotate_after = context.settings()?.keys.rotate_after_days;
    let now = context.clock.now();
    for entry in entries {
        let said = super::target::display_key(&entry.provider, &entry.profile);
        for warning in entry
            .record
            .iter()
            .flat_map(|r| r.warnings(now, rotate_after))
        {
            out +=
                context.ui.paint(Style::Yellow, "!") + format!(" the key for {said} {warning}\n");
        }
        if !entry.used {
            out += format!(
                "the key for {said} in the environment is not used: a saved key takes precedence\n"
            );
        }
    }
    match context.keys()?.manager().selected_store() {
        Ok(chosen) => {
            out += format!(
                "store: {}, because {}\n",
                chosen.store.kind(),
                chosen.reason
            );
        }
        Err(error) => out += format!("store: none: {error}\n"),
    }
    Ok(out)
}

fn render_table(context: &Context, entries: &[ListedKeyEntry]) -> Displayable {
    let head = [
        "provider",
        "profile",
        "source",
        "fingerprint",
        "status",
        "since",
        "age",
        "validated",
    ]
    .map(str::to_owned);
    let now = context.clock.now();
    let rows: Vec<[String; 8]> = entries
        .iter()
        .map(|entry| {
            let record = entry.record.as_ref();
            [
                entry.provider.to_string(),
                entry.profile.to_string(),
                entry.source.clone(),
                entry
                    .fingerprint
                    .clone()
                    .unwrap_or_else(|| String::from("-")),
                record.map_or(KeyStatus::Unknown, |r| r.status).to_string(),
                record.map_or_else(|| String::from("-"), |r| r.updated_at.local_day()),
                record.map_or_else(
                    || String::from("-"),
                    |r| {
                        pluralize(
                            usize::try_from(r.age_days(now)).unwrap_or(usize::MAX),
                            "day",
                        )
                    },
                ),
                record
                    .and_then(|r| r.last_validated)
                    .map_or_else(|| String::from("never"), Time::local_minute),
            ]
        })
        .collect();
    let mut out = Displayable::default();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = Displayable::default();
        for (column, cell) in row.iter().enumerate() {
            let width = std::iter::once(&head)
                .chain(&rows)
                .filter_map(|r| r.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0);
            let cell = format!("{cell:<width$}");
            let style = match cell.trim_end() {
                "valid" => Some(Style::Green),
                "invalid" => Some(Style::Red),
                _ => None,
            };
            line += style.filter(|_| column == 4).map_or_else(
                || Displayable::line(&cell),
                |style| context.ui.paint(style, &cell),
            );
            line += "  ";
        }
        out += line.trim_end();
        out += "\n";
    }
    out
}
