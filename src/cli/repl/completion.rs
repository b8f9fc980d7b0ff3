//! Completion in the chat: commands, and the arguments that each of them takes.

use crate::catalog;
use crate::cli::attachments::expand_home;
use crate::cli::model_cache;
use crate::conversations::Archive;
use crate::fs;
use crate::privacy::{KINDS, Raw};
use rustyline::completion::Pair;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

/// What can be completed now. Lists that take time are read when Tab is pressed.
#[derive(Debug, Default)]
pub(in crate::cli) struct CompletionSources {
    /// The names of the commands, with their slash.
    pub(super) commands: Vec<&'static str>,
    /// What `~` stands for.
    pub(super) home: Option<PathBuf>,
    /// The folder of the cached model lists.
    pub(super) cache: PathBuf,
    /// The provider whose models are offered.
    pub(super) provider: String,
    /// The providers in the settings.
    pub(super) custom_providers: Vec<String>,
    /// The saved conversations, if their key is at hand.
    pub(super) archive: Option<Archive>,
}

impl CompletionSources {
    /// The candidates for the end of a line, and where the text begins that they replace.
    pub(super) fn complete(&self, typed: &str) -> (usize, Vec<Pair>) {
        let Some((command, argument)) = typed.split_once(' ') else {
            let commands = self.commands.iter().map(|name| (*name).to_owned());
            let candidates = starting_with(typed, commands);
            return (
                0,
                if typed.starts_with('/') {
                    candidates
                } else {
                    Vec::new()
                },
            );
        };
        let at = typed.len() - argument.len();
        match command {
            "/file" | "/export" => {
                let (start, pairs) = self.paths(argument);
                (at + start, pairs)
            }
            "/resume" => (at, self.conversations(argument)),
            "/model" => {
                let names = model_cache::known_names(&self.cache, &self.provider).into_iter();
                (at, starting_with(argument, names))
            }
            "/provider" => {
                let mut names: Vec<String> =
                    catalog::all().iter().map(|e| e.name.to_owned()).collect();
                names.extend(self.custom_providers.iter().cloned());
                names.sort();
                names.dedup();
                (at, starting_with(argument, names))
            }
            "/redact" => match argument.split_once(' ') {
                Some(("off", kind)) => {
                    let kinds = KINDS.iter().map(|(kind, _)| (*kind).to_owned());
                    let typed_kind = kind.to_uppercase();
                    (at + "off ".len(), starting_with(&typed_kind, kinds))
                }
                Some(_) => (typed.len(), Vec::new()),
                None => (at, fixed(argument, &["show", "why", "off", "on"])),
            },
            "/budget" => (at, fixed(argument, &["off"])),
            "/copy" => (at, fixed(argument, &["code"])),
            "/set" => (at, fixed(argument, &["temperature", "max-tokens"])),
            _ => (typed.len(), Vec::new()),
        }
    }

    /// The files and folders that begin with `typed`, which can contain blanks.
    fn paths(&self, typed: &str) -> (usize, Vec<Pair>) {
        if typed == "~" && self.home.is_some() {
            return (0, vec![pair("~/".to_owned())]);
        }
        let start = typed
            .rfind(['/', MAIN_SEPARATOR])
            .map_or(0, |slash| slash + 1);
        let (folder, begin) = typed.split_at(start);
        let folder = if folder.is_empty() {
            PathBuf::from(".")
        } else {
            expand_home(folder, self.home.as_deref())
        };
        (
            start,
            starting_with(begin, names_in(&folder, begin.starts_with('.'))),
        )
    }

    /// The conversations whose id begins with `typed` or whose title contains it, newest first.
    fn conversations(&self, typed: &str) -> Vec<Pair> {
        let Some(summaries) = self.archive.as_ref().and_then(|a| a.summaries().ok()) else {
            return Vec::new();
        };
        let wanted = typed.to_lowercase();
        let title = |summary: &crate::conversations::Summary| {
            let title = summary.header.as_ref().map_or("", |h| h.title.as_str());
            Raw::from(title).printable_line()
        };
        summaries
            .summaries
            .iter()
            .map(|summary| (summary.id.to_string(), title(summary)))
            .filter(|(id, title)| id.starts_with(&wanted) || title.to_lowercase().contains(&wanted))
            .map(|(id, title)| Pair {
                display: format!("{id}  {title}").trim_end().to_owned(),
                replacement: id,
            })
            .collect()
    }
}

/// The names in a folder; those of folders end with a slash.
fn names_in(folder: &Path, hidden: bool) -> Vec<String> {
    let files = fs::list(folder).unwrap_or_default().into_iter();
    let folders = fs::list_folders(folder).unwrap_or_default().into_iter();
    let mut names: Vec<String> = files
        .map(|file| file.name)
        .chain(folders.map(|name| name + "/"))
        .filter(|name| hidden || !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn starting_with(typed: &str, names: impl IntoIterator<Item = String>) -> Vec<Pair> {
    let fits = |name: &String| name.starts_with(typed);
    names.into_iter().filter(fits).map(pair).collect()
}

fn fixed(typed: &str, words: &[&str]) -> Vec<Pair> {
    starting_with(typed, words.iter().map(|word| (*word).to_owned()))
}

/// The line editor writes candidates to the terminal, so they are made harmless.
fn pair(name: String) -> Pair {
    Pair {
        display: Raw::from(name.as_str()).printable_line(),
        replacement: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_knows_the_arguments() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["my notes.md", "my plan.md", ".hidden"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let sources = CompletionSources {
            commands: vec!["/file", "/fork", "/model"],
            home: Some(folder.path().to_path_buf()),
            provider: "own".to_owned(),
            custom_providers: vec!["own".to_owned()],
            ..CompletionSources::default()
        };
        let completed = |typed: &str| {
            let (at, pairs) = sources.complete(typed);
            let names: Vec<String> = pairs.into_iter().map(|p| p.replacement).collect();
            format!("{at}: {}", names.join("|"))
        };
        for (typed, candidates) in [
            ("/f", "0: /file|/fork"),
            ("hello", "0: "),
            ("/file ~", "6: ~/"),
            ("/file ~/", "8: my notes.md|my plan.md|sub/"),
            ("/file ~/my n", "8: my notes.md"),
            ("/file ~/.h", "8: .hidden"),
            ("/provider o", "10: ollama|openai|openrouter|own"),
            ("/redact o", "8: off|on"),
            ("/redact off em", "12: EMAIL"),
            ("/resume a", "8: "),
            ("/copy ", "6: code"),
        ] {
            assert_eq!(completed(typed), candidates, "{typed}");
        }
    }
}
