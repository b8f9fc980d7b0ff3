//! Everything that this program keeps on the disk, found by name, so that it can be deleted. A file
//! of another name was put there by someone else, and stays.

use crate::dirs::Dirs;
use crate::fs::{self, TreeEntry, TreeKind, walk_tree};
use std::fmt;
use std::path::{Path, PathBuf};

/// What files are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoredKind {
    /// The vault, and the file that names the items in the OS keyring.
    Keys,
    /// Conversations.
    Conversations,
    /// Backups, evidence and copies of scrubbed files in the backup folder.
    Backups,
    /// The settings and the roles.
    Settings,
    /// The input history, limits, usage, the audit log and key metadata.
    State,
    /// Files that can be fetched or made again.
    Cache,
}

impl fmt::Display for StoredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "vault",
            Self::Conversations => "conversations",
            Self::Backups => "backups",
            Self::Settings => "settings",
            Self::State => "state",
            Self::Cache => "cache",
        })
    }
}

/// A file of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// What it is about.
    pub kind: StoredKind,
    /// Its path.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// The files of this program, and what else is in its folders.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The files of this program: keys first, and the key metadata last, because an interrupted
    /// deletion is repeated with what these say.
    pub files: Vec<StoredFile>,
    /// Everything else: files of other names, links, and files of other users.
    pub foreign: Vec<PathBuf>,
    /// The folders of this program, the innermost first.
    folders: Vec<PathBuf>,
}

/// `*` stands for anything.
type NamePatterns = &'static [&'static str];

const CONVERSATIONS: NamePatterns = &["*.jsonl.fernet", "*.jsonl.partial", "*.jsonl.torn"];
const BACKUPS: NamePatterns = &["*.backup", "chatbot-evidence-*.sealed", "scrubbed-*.fernet"];
const KEYS: NamePatterns = &["vault.json", "vault.lock", KEYRING_NAMESPACE];
const SETTINGS: NamePatterns = &["config.toml", "config.toml.restored"];
const CACHE: NamePatterns = &[
    "index.fernet",
    "models-*.jsonl",
    "prices-*.tsv",
    "prices-*.wanted",
    "prices-*.limits",
    "restore.backup",
    "restore.lock",
];
const STATE: NamePatterns = &[
    "alerts.json",
    "alerts.lock",
    "audit-*.jsonl",
    "audit-key.lock",
    "audit.head",
    "audit.jsonl",
    "audit.lock",
    "backoff.json",
    "backoff.lock",
    "backup-stores.json",
    "data-key-in-use.lock",
    "data-key.lock",
    "home-id",
    "keyring-namespace.lock",
    "keys.damaged",
    "keys.lock",
    KEY_METADATA,
    "line-history.fernet",
    "lockdown",
    "lockdown.was-*",
    "marks.at",
    "marks.lock",
    "move.lock",
    "recovery.json",
    "requests",
    "requests.lock",
    "retention",
    "rotate.lock",
    "self-test.lock",
    "settings.lock",
    "settings.sha256",
    "storage.lock",
    "tally",
    "tally.lock",
    "tally.new",
    "usage.jsonl",
];
/// What `vault reset` sets aside.
const SET_ASIDE: NamePatterns = &["vault.json", KEY_METADATA, "line-history.fernet"];

const KEYRING_NAMESPACE: &str = "keyring-namespace";
const KEY_METADATA: &str = "keys.json";
/// The folder of `vault reset` in the data folder.
const SET_ASIDE_PREFIX: &str = "set-aside-";

impl StoredFile {
    /// Whether the items in the OS keyring cannot be found without this file.
    #[must_use]
    pub fn leads_to_keyring(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        matches!(name, Some(KEYRING_NAMESPACE | KEY_METADATA))
    }
}

impl Inventory {
    /// Looks through the folders of an installation.
    #[must_use]
    pub fn of(home: &Dirs) -> Self {
        let mut found = Self::default();
        for root in home.outermost() {
            for entry in walk_tree(&root, usize::MAX) {
                found.add(home, entry);
            }
        }
        found.files.sort_by(|a, b| {
            let order = |f: &StoredFile| (f.leads_to_keyring(), f.kind);
            order(a).cmp(&order(b)).then_with(|| a.path.cmp(&b.path))
        });
        found.folders.sort_by(|a, b| b.cmp(a));
        found
    }

    fn add(&mut self, home: &Dirs, entry: TreeEntry) {
        match entry.kind {
            TreeKind::Folder if is_own_folder(home, &entry.path) => self.folders.push(entry.path),
            // A foreign folder stays because it is not empty, or because it is not ours.
            TreeKind::Folder => {}
            // The text in an editor, which `fs::sweep_scratch_folders` wipes if it is not in use.
            _ if entry.path.starts_with(home.run()) && entry.is_own => {}
            TreeKind::File if entry.is_own => match kind_of(home, &entry.path) {
                Some(kind) => self.files.push(StoredFile {
                    kind,
                    path: entry.path,
                    bytes: entry.bytes,
                }),
                None => self.foreign.push(entry.path),
            },
            TreeKind::File | TreeKind::Link | TreeKind::Special => self.foreign.push(entry.path),
        }
    }

    /// Deletes the files, then the folders that are empty. Returns an error for each file that is
    /// left.
    #[must_use]
    pub fn delete(&self) -> Vec<fs::Error> {
        let errors = fs::remove_all(self.files.iter().map(|file| file.path.as_path()));
        for folder in &self.folders {
            // One with foreign files in it stays.
            let _was_empty = fs::remove_empty_dir(folder);
        }
        errors
    }
}

/// What a file of this program is about; `None` for a file of another name.
fn kind_of(home: &Dirs, path: &Path) -> Option<StoredKind> {
    let folder = path.parent()?;
    let name = path.file_name()?.to_str()?;
    // A temporary file of a killed process.
    let name = fs::target_name(name).unwrap_or(name);
    let settings = home.settings();
    let places: [(&Path, NamePatterns, StoredKind); 11] = [
        (
            &home.conversations(),
            CONVERSATIONS,
            StoredKind::Conversations,
        ),
        (&home.backups(), BACKUPS, StoredKind::Backups),
        (home.data(), KEYS, StoredKind::Keys),
        (settings.parent()?, SETTINGS, StoredKind::Settings),
        (&home.roles(), &["*.md"], StoredKind::Settings),
        (
            &home.roles().with_file_name("recipes"),
            &["*.toml"],
            StoredKind::Settings,
        ),
        (home.state(), STATE, StoredKind::State),
        (&home.state().join("setup"), &["*.json"], StoredKind::State),
        (
            &home.state().join("proxy"),
            &["*.json", "*.lock"],
            StoredKind::State,
        ),
        (
            &home.state().join("rotations"),
            &["*.json"],
            StoredKind::State,
        ),
        (home.cache(), CACHE, StoredKind::Cache),
    ];
    let fits = |patterns: NamePatterns| patterns.iter().any(|pattern| matches(pattern, name));
    places
        .iter()
        .find(|(place, patterns, _)| *place == folder && fits(patterns))
        .map(|(_, _, kind)| *kind)
        .or_else(|| match folder.parent() {
            _ if is_set_aside(home, folder) && fits(SET_ASIDE) => Some(StoredKind::Keys),
            Some(above) if is_set_aside(home, above) && fits(CONVERSATIONS) => {
                Some(StoredKind::Conversations)
            }
            _ => None,
        })
}

fn is_own_folder(home: &Dirs, path: &Path) -> bool {
    let fixed = [
        home.conversations(),
        home.backups(),
        home.roles(),
        home.roles().with_file_name("recipes"),
        home.state().join("rotations"),
        home.state().join("proxy"),
        home.state().join("setup"),
        home.data().to_path_buf(),
        home.state().to_path_buf(),
        home.cache().to_path_buf(),
        home.run().to_path_buf(),
    ];
    fixed.iter().any(|own| own == path)
        || home.settings().parent() == Some(path)
        || is_set_aside(home, path)
        || path.ends_with("conversations")
            && path.parent().is_some_and(|above| is_set_aside(home, above))
}

/// Whether this is `data/set-aside-<seconds>`.
fn is_set_aside(home: &Dirs, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    path.parent() == Some(home.data())
        && name
            .and_then(|name| name.strip_prefix(SET_ASIDE_PREFIX))
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erasure_finds_own_files_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let home = Dirs::under_root(root).unwrap();
        let own = [
            "data/set-aside-17/vault.json",
            "data/vault.json",
            "data/conversations/ab.jsonl.fernet",
            "data/conversations/ab.jsonl.fernet.0123456789abcdef.new",
            "data/set-aside-17/conversations/ab.jsonl.fernet",
            "data/backups/mine.backup",
            "config/config.toml",
            "config/recipes/mine.toml",
            "config/roles/translator.md",
            "state/audit-000000000100.jsonl",
            "state/audit.jsonl",
            "state/proxy/a.json",
            "state/rotations/default.openrouter.json",
            "cache/prices-openrouter.tsv",
            "data/keyring-namespace",
            "state/keys.json",
        ];
        let foreign = [
            "cache/notes.txt",
            "config/roles/notes.txt",
            "data/audit.jsonl",
            "data/backups/holiday.jpg",
            "data/conversations/letter.md",
            "data/set-aside-x/vault.json",
            "other/vault.json",
            "state/vault.json",
        ];
        for file in own.iter().chain(&foreign) {
            fs::write(&root.join(file), b"12").unwrap();
        }
        let found = Inventory::of(&home);
        let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        let names: Vec<String> = found.files.iter().map(|f| relative(&f.path)).collect();
        assert_eq!(names, own);
        let left: Vec<String> = found.foreign.iter().map(relative).collect();
        assert_eq!(
            left,
            foreign
                .map(str::to_owned)
                .into_iter()
                .filter(|f| !f.starts_with("other"))
                .collect::<Vec<_>>()
        );
        assert!(found.delete().is_empty());
        let left: Vec<String> = walk_tree(root, usize::MAX)
            .into_iter()
            .filter(|entry| entry.kind == TreeKind::File)
            .map(|entry| relative(&entry.path))
            .collect();
        assert_eq!(left, foreign);
        assert!(!fs::exists(&home.state().join("rotations")));
    }
}
