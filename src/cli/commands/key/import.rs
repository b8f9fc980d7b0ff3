//! `key import`: keys from the environment and from other programs' plaintext files, which can be
//! scrubbed afterwards.

use super::set::{event, keep};
use super::validate::{self, Answer};
use super::{Target, scrub, target_of};
use crate::catalog;
use crate::cli::app::App;
use crate::cli::commands::vault::with_store;
use crate::cli::report::{Exit, Problem};
use crate::cli::ui::shown;
use crate::disk;
use crate::keys::foreign::{self, Found};
use crate::keys::{Status, same};
use crate::ledger::{Severity, What};
use crate::name::Name;
use crate::secret::Secret;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Settings files are smaller than this.
const LARGEST: u64 = 1 << 20;

/// Files in which other programs keep keys in plain text: below the configuration folder, or below
/// home.
const BELOW_CONFIG: &[&str] = &[
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
const BELOW_HOME: &[&str] = &[".codex/auth.json", ".local/share/crush/crush.json", ".config/goose/secrets.yaml"];

const DETAILS: &str = "\
Without a file and without --from-env, the settings of aichat, llm, shell_gpt, mods, crush, codex, \
goose and ort are searched. You are asked before anything is imported or changed; without a \
terminal, `--yes` is required.";

#[derive(Clone, Debug, Args)]
#[command(after_help = DETAILS)]
pub(super) struct Options {
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
type Place = (usize, usize);

struct Offer {
    target: Target,
    secret: Secret,
    /// `None` for a key from the environment.
    place: Option<Place>,
    from: String,
    /// How it compares to the key that is saved now.
    now: Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Nothing,
    Same,
    Another,
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    if let Some(copy) = &options.restore {
        return scrub::restore(app, copy);
    }
    let texts = texts(app, options)?;
    let found: Vec<Vec<Found>> = texts.iter().map(|(_, text)| foreign::find(text.as_str())).collect();
    if found.iter().all(Vec::is_empty) && !from_env(app, options) {
        let seen = if texts.is_empty() { String::new() } else { format!(" in {}", plural(texts.len(), "file")) };
        return app.ui.say(&format!("found no keys{seen}\n"), 2);
    }
    with_store(app)?;
    let offers = offers(app, options, &texts, &found)?;
    for (n, offer) in offers.iter().enumerate() {
        let state = match offer.now {
            Now::Nothing => "new",
            Now::Same => "already saved",
            Now::Another => "another key is saved",
        };
        app.ui.say(&format!("{:>2}. {} from {}: {state}\n", n + 1, offer.target.said().replace('`', ""), offer.from), 2)?;
    }
    let chosen = chosen(app, options, &offers)?;
    for (n, offer) in offers.iter().enumerate().filter(|(n, _)| chosen.contains(n)) {
        // An earlier iteration may have saved another key for the same provider and profile.
        let now = state(app, &offer.target, &offer.secret)?;
        let nobody_to_ask = app.yes || !app.ui.can_ask();
        if now == Now::Another && offer.now == Now::Nothing && nobody_to_ask && !options.force {
            let said = offer.target.said().replace('`', "");
            app.ui.say(&format!("skipped number {}: another key for {said} was just imported\n", n + 1), 2)?;
            continue;
        }
        store(app, options, offer, now)?;
    }
    // Only keys that are saved now are removed from their file: of two keys for one provider, the
    // other exists nowhere else.
    let mut done: BTreeSet<Place> = BTreeSet::new();
    for offer in &offers {
        if let Some(place) = offer.place
            && state(app, &offer.target, &offer.secret)? == Now::Same
        {
            done.insert(place);
        }
    }
    for (n, (path, text)) in texts.iter().enumerate() {
        let numbered = found.get(n).into_iter().flatten().enumerate();
        let gone: Vec<&Found> = numbered.filter(|(k, _)| done.contains(&(n, *k))).map(|(_, found)| found).collect();
        if !gone.is_empty() {
            scrub::offer(app, path, text.as_str(), &gone, options.scrub)?;
        }
    }
    Ok(())
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

type Text = zeroize::Zeroizing<String>;

/// The texts of the given files, or of the known files of other programs that exist.
fn texts(app: &App, options: &Options) -> Result<Vec<(PathBuf, Text)>> {
    let named = !options.files.is_empty();
    let mut texts: Vec<(PathBuf, Text)> = Vec::new();
    let paths = if named || options.from_env { options.files.clone() } else { known_places(app) };
    for path in paths {
        match disk::read_foreign(&path, LARGEST) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) if !texts.iter().any(|(seen, _)| *seen == path) => texts.push((path, Text::new(text))),
                Ok(text) => drop(Text::new(text)),
                Err(error) => {
                    drop(zeroize::Zeroizing::new(error.into_bytes()));
                    if named {
                        bail!(Problem::misuse(format!("`{}` is not text", shown(&path))));
                    }
                }
            },
            Err(error) if named => return Err(error.into()),
            Err(error) if error.is_missing() => {}
            Err(error) => app.ui.warning(&error.to_string()),
        }
    }
    Ok(texts)
}

fn known_places(app: &App) -> Vec<PathBuf> {
    let home = app.env.path("HOME").or_else(|| app.env.path("USERPROFILE"));
    let config = app.env.path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|h| h.join(".config")));
    let below = |folder: &Option<PathBuf>, names: &[&str]| -> Vec<PathBuf> {
        folder.iter().flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name))).collect()
    };
    let mut places = below(&config, BELOW_CONFIG);
    places.extend(below(&home, BELOW_HOME));
    places.dedup();
    places
}

fn from_env(app: &App, options: &Options) -> bool {
    options.from_env && catalog::all().iter().filter_map(|entry| entry.env).any(|name| app.env.has(name))
}

fn offers(app: &mut App, options: &Options, texts: &[(PathBuf, Text)], found: &[Vec<Found>]) -> Result<Vec<Offer>> {
    let mut raw: Vec<(&'static str, Secret, Option<Place>, String)> = Vec::new();
    for (n, ((path, _), found)) in texts.iter().zip(found).enumerate() {
        for (k, f) in found.iter().enumerate() {
            let lines: Vec<String> = f.places.iter().map(|(line, _)| line.to_string()).collect();
            let from = format!("{} line {}", shown(path), lines.join(", "));
            raw.push((f.provider.name, Secret::new(f.secret.expose().to_owned()), Some((n, k)), from));
        }
    }
    for entry in catalog::all().iter().filter(|_| options.from_env) {
        if let Some(name) = entry.env.filter(|name| app.env.has(name))
            && let Some(secret) = app.env.secret(name)?
        {
            raw.push((entry.name, secret, None, format!("the environment: {name}")));
        }
    }
    let mut offers = Vec::new();
    for (provider, secret, place, from) in raw {
        let provider: Name = provider.parse()?;
        let (_, profile) = app.whose(Some(&provider), options.profile.as_ref())?;
        let target = target_of(app, &provider, &profile)?;
        let now = state(app, &target, &secret)?;
        offers.push(Offer { target, secret, place, from, now });
    }
    Ok(offers)
}

/// How a key compares to the saved one.
fn state(app: &mut App, target: &Target, secret: &Secret) -> Result<Now> {
    Ok(match app.keys()?.custody().get(&target.slot)? {
        None => Now::Nothing,
        Some(stored) if same(&stored, secret) => Now::Same,
        Some(_) => Now::Another,
    })
}

/// Which keys to import: the numbers that the user types, or with `--yes` all that replace nothing.
fn chosen(app: &App, options: &Options, offers: &[Offer]) -> Result<BTreeSet<usize>> {
    let free = |offer: &Offer| offer.now == Now::Nothing || (offer.now == Now::Another && options.force);
    let all: BTreeSet<usize> = offers.iter().enumerate().filter(|(_, o)| free(o)).map(|(n, _)| n).collect();
    if app.yes {
        return Ok(all);
    }
    if offers.iter().all(|offer| offer.now == Now::Same) {
        return Ok(BTreeSet::new());
    }
    if !app.ui.can_ask() {
        bail!(
            Problem::new(Exit::Misuse, "not_a_terminal", "cannot ask which keys to import: there is no terminal")
                .hint("import all new keys with `--yes`")
        );
    }
    let typed = app.ui.ask("Import which keys? Numbers such as `1 3`, `all` for all new keys, or Enter for none: ", "`--yes`")?;
    if typed == "all" {
        return Ok(all);
    }
    let numbers = typed.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    numbers
        .map(|part| {
            let n = part.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < offers.len());
            n.with_context(|| Problem::misuse(format!("there is no number {part}")))
        })
        .collect()
}

/// Saves a key; with `--force` or after a confirmation it replaces another one.
fn store(app: &mut App, options: &Options, offer: &Offer, now: Now) -> Result<()> {
    let said = offer.target.said().replace('`', "");
    if now == Now::Another
        && !options.force
        && !(app.ui.can_ask() && app.ui.confirm(&format!("Replace the saved key for {said}?"), "`--force`")?)
    {
        return Ok(());
    }
    offer.target.must_be_kept_here()?;
    // The settings may give this provider another host than that of the key's issuer.
    app.refuse_a_foreign_key(&offer.target.endpoint, &offer.secret, None)?;
    let answer = if options.no_validate { Answer::not_asked() } else { validate::ask(app, &offer.target, &offer.secret)? };
    if answer.status == Status::Invalid && !options.force {
        return app.ui.say(&format!("skipped {said}: {}\n", answer.sentence()), 2);
    }
    keep(app, &offer.target, &offer.secret, &answer)?;
    let store = app.keys_kind();
    let from = if offer.place.is_some() { "file" } else { "env" };
    app.note_of_keys(&event(What::KeyImported, &offer.target, &store).severity(Severity::Notice).word("from", from));
    app.ui.say(&format!("imported {said} into the {store}: {}\n", answer.sentence()), 2)
}
