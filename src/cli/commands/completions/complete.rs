//! The hidden command that completion scripts call at each Tab. It opens no key store, asks no one
//! and reports no mistakes: titles are encrypted, so conversations are offered by their id alone.

use crate::catalog;
use crate::cli::Cli;
use crate::cli::attachments::split_words;
use crate::cli::commands::completions::candidates::{LineCompletion, ValueKind, complete};
use crate::cli::context::Context;
use crate::cli::model_cache;
use crate::config;
use crate::conversations;
use crate::fs;
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::name::Name;
use crate::privacy::Displayable;
use crate::time::Time;
use anyhow::Result;
use clap::{Args, CommandFactory};

#[derive(Clone, Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The command line up to the cursor
    #[arg(last = true)]
    line: String,
}

/// Prints one candidate a line, with a description after a tab; `:files` if the shell completes
/// file names.
pub(crate) fn run(context: &Context, options: &CompleteArgs) -> Result<()> {
    let mut words = split_words(&options.line);
    if options.line.ends_with(char::is_whitespace) {
        words.push(String::new());
    }
    let mut command = Cli::command();
    command.build();
    // The first word is the program itself.
    let completion = complete(&command, words.get(1..).unwrap_or_default());
    let (kind, typed) = match completion {
        LineCompletion::Words(found) => return print(context, found),
        LineCompletion::Values(kind, typed) => (kind, typed),
    };
    let provider = provider(context, &words);
    let plain = |names: Vec<String>| {
        names
            .into_iter()
            .map(|name| (name, String::new()))
            .collect()
    };
    let mut found: Vec<(String, String)> = match kind {
        ValueKind::Files => vec![(":files".to_owned(), String::new())],
        ValueKind::Models => plain(model_cache::known_names(context.home.cache(), &provider)),
        ValueKind::Providers => plain(providers(context)),
        ValueKind::Profiles => plain(profiles(context)),
        ValueKind::Conversations => conversations(context),
    };
    if kind != ValueKind::Files {
        found.retain(|(name, _)| name.starts_with(&typed));
    }
    print(context, found)
}

fn print(context: &Context, found: Vec<(String, String)>) -> Result<()> {
    let mut text = Displayable::default();
    for (value, description) in found {
        let separator = if description.is_empty() { "" } else { "\t" };
        text += format!("{value}{separator}{description}\n");
    }
    context.ui.out(text)
}

fn settings(context: &Context) -> config::Settings {
    config::parse(&context.settings_text().unwrap_or_default()).0
}

/// The provider whose models are offered: that of the line, else that of the environment or the
/// settings.
fn provider(context: &Context, words: &[String]) -> String {
    let mut before = words.iter().rev().skip(1).rev();
    while let Some(word) = before.next() {
        if word == "-p" || word == "--provider" {
            return before.next().cloned().unwrap_or_default();
        }
        if let Some(name) = word.strip_prefix("--provider=") {
            return name.to_owned();
        }
    }
    let named = context.env.name("CHATBOT_PROVIDER").ok().flatten();
    named.or_else(|| settings(context).provider).map_or_else(
        || catalog::DEFAULT_PROVIDER.to_owned(),
        |name| name.to_string(),
    )
}

fn providers(context: &Context) -> Vec<String> {
    let known = catalog::all().iter().map(|entry| entry.name.to_owned());
    let settings = settings(context);
    let mut names: Vec<String> = known
        .chain(settings.providers.keys().map(Name::to_string))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The profiles of the saved keys; the record of keys has their names and no secret.
fn profiles(context: &Context) -> Vec<String> {
    let index = KeyIndex::read(&KeyIndex::path_in(&context.home));
    let mut names = vec!["default".to_owned()];
    if let Ok(Some(index)) = index {
        names.extend(index.records().filter_map(|(slot, _)| match slot {
            Slot::ApiKey { profile, .. } => Some(profile.to_string()),
            _ => None,
        }));
    }
    names.sort();
    names.dedup();
    names
}

/// The ids of the conversations, newest first, each with the time of its last message.
fn conversations(context: &Context) -> Vec<(String, String)> {
    let listing = fs::list(&context.home.conversations()).unwrap_or_default();
    let mut found: Vec<(i64, String)> = listing
        .into_iter()
        .filter_map(|file| {
            let id = file.name.strip_suffix(conversations::EXTENSION)?;
            Some((file.modified_ms, id.to_owned()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    let described = |(at, id)| (id, Time::from_millis(at).local_minute());
    found.into_iter().map(described).collect()
}
