//! `key import`: keys from the environment and from other programs' plaintext files, which can be
//! scrubbed afterwards.

use super::model_offer::offer_model;
use super::scrub;
use super::stored_key::store_key;
use super::target::{KeyTarget, key_event, target_for};
use super::validation::{KeyValidation, ask_provider};
use crate::audit::{EventKind, Severity};
use crate::catalog;
use crate::cli::commands::vault::ensure_store;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::key_binding;
use crate::cli::provider;
use crate::cli::term::display_path;
use crate::cli::term::format::pluralize;
use crate::fs;
use crate::keys::discover::{self, FoundKey};
use crate::keys::{KeyStatus, same_secret};
use crate::name::Name;
use crate::secret::Secret;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Settings files are smaller than this.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Files in which other programs keep keys in plain text: below the configuration folder, or below
/// home.
const CONFIG_FILES: &[&str] = &[
    "aichat/config.yaml",
    "aichat/.env",
    "io.datasette.llm/keys.json",
    "shell_gpt/.sgptrc",
    "mods/mods.yml",
    "crush/crush.json",
    "goose/secrets.yaml",
    "ort.cfg",
    "ort/ort.cfg",
];
const HOME_FILES: &[&str] = &[
    ".codex/auth.json",
    ".local/share/crush/crush.json",
    ".config/goose/secrets.yaml",
];

const DETAILS: &str = "\
Without a file and without --from-env, the settings of aichat, llm, shell_gpt, mods, crush, codex, \
goose and ort are searched. You are asked before anything is imported or changed; without a \
terminal, `--yes` is required.";

/// Import keys from the environment and from other programs' files
#[derive(Clone, Debug, Args)]
#[command(after_help = DETAILS)]
pub(super) struct KeyImportArgs {
    /// Files to search: a `.env` file, or another program's settings
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Search the environment variables
    #[arg(long)]
    from_env: bool,
    /// Save the keys in this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// Do not check the keys with the providers
    #[arg(long)]
    no_validate: bool,
    /// Replace stored keys that differ, and save keys that are rejected
    #[arg(long)]
    force: bool,
    /// Remove imported keys from their file, and keep an encrypted copy of the file
    #[arg(long)]
    scrub: bool,
    /// Restore a scrubbed file from its encrypted copy
    #[arg(long, value_name = "COPY", conflicts_with_all = ["files", "from_env", "scrub"])]
    restore: Option<PathBuf>,
}

/// Index of a file, and index of a key in it.
type KeyIndexes = (usize, usize);

struct ImportOffer {
    target: KeyTarget,
    secret: Secret,
    /// `None` for a key from the environment.
    place: Option<KeyIndexes>,
    from: String,
    /// How it compares to the key that is saved now.
    now: StoredState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoredState {
    Empty,
    Same,
    Different,
}

pub(super) fn run(context: &mut Context, options: &KeyImportArgs) -> Result<()> {
    if let Some(copy) = &options.restore {
        return scrub::restore_copy(context, copy);
    }
    let texts = read_files(context, options)?;
    let found: Vec<Vec<FoundKey>> = texts
        .iter()
        .map(|(_, text)| discover::find_keys(text.as_str()))
        .collect();
    if found.iter().all(Vec::is_empty) && !imports_env(context, options) {
        let seen = if texts.is_empty() {
            String::new()
        } else {
            format!(" in {}", pluralize(texts.len(), "file"))
        };
        context.ui.say(&format!("found no keys{seen}\n"), 2)?;
        let mut variables = catalog::all().iter().filter_map(|entry| entry.env);
        if let Some(name) = variables.find(|name| context.env.has(name)) {
            context.ui.notice(&format!(
                "there is a key in `{name}`; `--from-env` imports it"
            ));
        }
        return Ok(());
    }
    ensure_store(context)?;
    let offers = list_offers(context, options, &texts, &found)?;
    print_offers(context, &offers)?;
    let chosen = select_offers(context, options, &offers)?;
    import_offers(context, options, &offers, &chosen)?;
    scrub_files(context, options, &offers, &texts, &found)?;
    offer_model(context, texts.iter().map(|(_, text)| text.as_str()))
}

fn print_offers(context: &Context, offers: &[ImportOffer]) -> Result<()> {
    for (n, offer) in offers.iter().enumerate() {
        let state = match offer.now {
            StoredState::Empty => "new",
            StoredState::Same => "already saved",
            StoredState::Different => "another key is saved",
        };
        context.ui.say(
            &format!(
                "{:>2}. {} from {}: {state}\n",
                n + 1,
                offer.target.display().replace('`', ""),
                offer.from
            ),
            2,
        )?;
    }
    Ok(())
}

fn import_offers(
    context: &mut Context,
    options: &KeyImportArgs,
    offers: &[ImportOffer],
    chosen: &BTreeSet<usize>,
) -> Result<()> {
    for (n, offer) in offers
        .iter()
        .enumerate()
        .filter(|(n, _)| chosen.contains(n))
    {
        // An earlier iteration may have saved another key for the same provider and profile.
        let now = stored_state(context, &offer.target, &offer.secret)?;
        let cannot_ask = context.yes || !context.ui.can_ask();
        if now == StoredState::Different
            && offer.now == StoredState::Empty
            && cannot_ask
            && !options.force
        {
            let said = offer.target.display().replace('`', "");
            context.ui.say(
                &format!(
                    "skipped number {}: another key for {said} was just imported\n",
                    n + 1
                ),
                2,
            )?;
            continue;
        }
        store_offer(context, options, offer, now)?;
    }
    Ok(())
}

/// Offers to remove the imported keys from their files. Only keys that are saved now are removed:
/// of two keys for one provider, the other exists nowhere else.
fn scrub_files(
    context: &mut Context,
    options: &KeyImportArgs,
    offers: &[ImportOffer],
    texts: &[(PathBuf, SecretText)],
    found: &[Vec<FoundKey>],
) -> Result<()> {
    let mut done: BTreeSet<KeyIndexes> = BTreeSet::new();
    for offer in offers {
        if let Some(place) = offer.place
            && stored_state(context, &offer.target, &offer.secret)? == StoredState::Same
        {
            done.insert(place);
        }
    }
    for (n, (path, text)) in texts.iter().enumerate() {
        let numbered = found.get(n).into_iter().flatten().enumerate();
        let gone: Vec<&FoundKey> = numbered
            .filter(|(k, _)| done.contains(&(n, *k)))
            .map(|(_, found)| found)
            .collect();
        if !gone.is_empty() {
            scrub::offer_scrub(context, path, text.as_str(), &gone, options.scrub)?;
        }
    }
    Ok(())
}

type SecretText = zeroize::Zeroizing<String>;

/// The texts of the given files, or of the known files of other programs that exist.
fn read_files(context: &Context, options: &KeyImportArgs) -> Result<Vec<(PathBuf, SecretText)>> {
    let named = !options.files.is_empty();
    let mut texts: Vec<(PathBuf, SecretText)> = Vec::new();
    let paths = if named || options.from_env {
        options.files.clone()
    } else {
        known_places(context)
    };
    for path in paths {
        match fs::read_external(&path, MAX_FILE_BYTES) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) if !texts.iter().any(|(seen, _)| *seen == path) => {
                    texts.push((path, SecretText::new(text)));
                }
                Ok(text) => drop(SecretText::new(text)),
                Err(error) => {
                    drop(zeroize::Zeroizing::new(error.into_bytes()));
                    if named {
                        bail!(CliError::misuse(format!(
                            "`{}` is not text",
                            display_path(&path)
                        )));
                    }
                }
            },
            Err(error) if named => return Err(error.into()),
            Err(error) if error.is_missing() => {}
            Err(error) => context.ui.warning(&error.to_string()),
        }
    }
    Ok(texts)
}

fn known_places(context: &Context) -> Vec<PathBuf> {
    let home = context
        .env
        .path("HOME")
        .or_else(|| context.env.path("USERPROFILE"));
    let config = context
        .env
        .path("XDG_CONFIG_HOME")
        .or_else(|| home.as_ref().map(|h| h.join(".config")));
    let below = |folder: &Option<PathBuf>, names: &[&str]| -> Vec<PathBuf> {
        folder
            .iter()
            .flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name)))
            .collect()
    };
    let mut places = below(&config, CONFIG_FILES);
    places.extend(below(&home, HOME_FILES));
    places.dedup();
    places
}

fn imports_env(context: &Context, options: &KeyImportArgs) -> bool {
    options.from_env
        && catalog::all()
            .iter()
            .filter_map(|entry| entry.env)
            .any(|name| context.env.has(name))
}

fn list_offers(
    context: &mut Context,
    options: &KeyImportArgs,
    texts: &[(PathBuf, SecretText)],
    found: &[Vec<FoundKey>],
) -> Result<Vec<ImportOffer>> {
    let mut raw: Vec<(&'static str, Secret, Option<KeyIndexes>, String)> = Vec::new();
    for (n, ((path, _), found)) in texts.iter().zip(found).enumerate() {
        for (k, f) in found.iter().enumerate() {
            let lines: Vec<String> = f.places.iter().map(|(line, _)| line.to_string()).collect();
            let from = format!("{} line {}", display_path(path), lines.join(", "));
            raw.push((
                f.provider.name,
                Secret::new(f.secret.expose().to_owned()),
                Some((n, k)),
                from,
            ));
        }
    }
    for entry in catalog::all().iter().filter(|_| options.from_env) {
        if let Some(name) = entry.env.filter(|name| context.env.has(name))
            && let Some(secret) = context.env.secret(name)?
        {
            raw.push((entry.name, secret, None, format!("the environment: {name}")));
        }
    }
    let mut offers = Vec::new();
    for (provider, secret, place, from) in raw {
        let provider: Name = provider.parse()?;
        let (_, profile) = provider::resolve(context, Some(&provider), options.profile.as_ref())?;
        let target = target_for(context, &provider, &profile)?;
        let now = stored_state(context, &target, &secret)?;
        offers.push(ImportOffer {
            target,
            secret,
            place,
            from,
            now,
        });
    }
    Ok(offers)
}

/// How a key compares to the saved one.
fn stored_state(context: &mut Context, target: &KeyTarget, secret: &Secret) -> Result<StoredState> {
    Ok(match context.keys()?.manager().get(&target.slot)? {
        None => StoredState::Empty,
        Some(stored) if same_secret(&stored, secret) => StoredState::Same,
        Some(_) => StoredState::Different,
    })
}

/// Which keys to import: the numbers that the user types, or with `--yes` all that replace nothing.
fn select_offers(
    context: &Context,
    options: &KeyImportArgs,
    offers: &[ImportOffer],
) -> Result<BTreeSet<usize>> {
    let free = |offer: &ImportOffer| {
        offer.now == StoredState::Empty || (offer.now == StoredState::Different && options.force)
    };
    let all: BTreeSet<usize> = offers
        .iter()
        .enumerate()
        .filter(|(_, o)| free(o))
        .map(|(n, _)| n)
        .collect();
    if context.yes {
        return Ok(all);
    }
    if offers.iter().all(|offer| offer.now == StoredState::Same) {
        return Ok(BTreeSet::new());
    }
    if !context.ui.can_ask() {
        bail!(
            CliError::new(
                CliExit::Misuse,
                "not_a_terminal",
                "cannot ask which keys to import: there is no terminal"
            )
            .hint("import all new keys with `--yes`")
        );
    }
    let typed = context.ui.ask(
        "Import which keys? Numbers such as `1 3`, `all` for all new keys, or Enter for none: ",
        "`--yes`",
    )?;
    if typed == "all" {
        return Ok(all);
    }
    let numbers = typed
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    numbers
        .map(|part| {
            let n = part
                .parse::<usize>()
                .ok()
                .and_then(|n| n.checked_sub(1))
                .filter(|n| *n < offers.len());
            n.with_context(|| CliError::misuse(format!("there is no number {part}")))
        })
        .collect()
}

/// Saves a key; with `--force` or after a confirmation it replaces another one.
fn store_offer(
    context: &mut Context,
    options: &KeyImportArgs,
    offer: &ImportOffer,
    now: StoredState,
) -> Result<()> {
    let said = offer.target.display().replace('`', "");
    if now == StoredState::Different
        && !options.force
        && !(context.ui.can_ask()
            && context
                .ui
                .confirm(&format!("Replace the saved key for {said}?"), "`--force`")?)
    {
        return Ok(());
    }
    offer.target.require_stored()?;
    // The settings may give this provider another host than that of the key's issuer.
    key_binding::refuse_foreign_key(context, &offer.target.endpoint, &offer.secret, None)?;
    let answer = if options.no_validate {
        KeyValidation::not_asked()
    } else {
        ask_provider(context, &offer.target, &offer.secret)?
    };
    if answer.status == KeyStatus::Invalid && !options.force {
        return context
            .ui
            .say(&format!("skipped {said}: {}\n", answer.describe()), 2);
    }
    store_key(context, &offer.target, &offer.secret, &answer)?;
    let store = context.store_name();
    let from = if offer.place.is_some() { "file" } else { "env" };
    context.audit_key_event(
        &key_event(EventKind::KeyImported, &offer.target, &store)
            .severity(Severity::Notice)
            .word("from", from),
    );
    context.ui.say(
        &format!("imported {said} into the {store}: {}\n", answer.describe()),
        2,
    )
}
