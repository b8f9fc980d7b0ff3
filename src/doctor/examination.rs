//! What the checks look at. The caller opens it, because only the command line knows the
//! environment and can ask for a passphrase; what could not be opened is the outcome to report.

use crate::audit::alerts::AlertMonitor;
use crate::audit::log::AuditLog;
use crate::config::Settings;
use crate::conversations::Archive;
use crate::dirs::Dirs;
use crate::doctor::outcome::CheckOutcome;
use crate::fs;
use crate::keys::KeyManager;
use crate::name::Name;
use crate::privacy::Redactor;
use crate::secret::Secret;
use crate::time::{Clock, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An environment variable that holds a key.
#[derive(Debug)]
pub struct KeyVariable {
    /// The known provider it is for; `None` for a server of the user's own, whose keys may have any
    /// format.
    pub provider: Option<Name>,
    /// Its name.
    pub variable: String,
    /// The key, or why the value cannot be one.
    pub key: Result<Secret, String>,
}

/// An answer of a provider to a request without a key.
#[derive(Clone, Debug)]
pub struct ReachedProvider {
    /// The provider.
    pub name: Name,
    /// Its host.
    pub host: String,
    /// The HTTP status.
    pub status: u16,
    /// How long it took, with the connection.
    pub elapsed: Duration,
    /// What its clock and ours said, if it told.
    pub date: Option<(Time, Time)>,
}

/// Gets the passphrase of what is named, or says why there is none.
pub type BackupPassphrase<'a> = dyn Fn(&str) -> Result<Secret, String> + 'a;

/// What stands between this machine and the provider.
#[derive(Clone, Debug, Default)]
pub struct NetworkRoute {
    /// Host and port of the proxy in force.
    pub proxy: Option<String>,
    /// The file with certificates that are trusted in addition.
    pub extra_certificates: Option<PathBuf>,
    /// Whether the provider is used without encryption, on another machine.
    pub unencrypted: bool,
}

/// Folders of the user, where other programs keep their files.
#[derive(Clone, Debug, Default)]
pub struct UserFolders {
    /// The home folder.
    pub home: Option<PathBuf>,
    /// The folder of settings: `~/.config`.
    pub config: Option<PathBuf>,
    /// The folder of data: `~/.local/share`.
    pub data: Option<PathBuf>,
    /// The current folder.
    pub current: Option<PathBuf>,
}

impl UserFolders {
    /// The root of the repository that the current folder is in.
    pub(super) fn repository(&self) -> Option<&Path> {
        let is_root = |folder: &&Path| fs::exists(&folder.join(".git"));
        self.current.as_deref()?.ancestors().find(is_root)
    }

    /// The current folder and, in a repository, those above it up to its root.
    pub(super) fn project(&self) -> Vec<&Path> {
        let Some(current) = self.current.as_deref() else {
            return Vec::new();
        };
        let root = self.repository().unwrap_or(current);
        current
            .ancestors()
            .take_while(|folder| folder.starts_with(root))
            .collect()
    }
}

/// Everything that the checks look at.
pub struct Examination<'a> {
    /// The folders of the installation.
    pub home: Dirs,
    /// The one folder of everything, if the environment names it.
    pub root: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
    /// The mistakes in the settings file and the environment.
    pub mistakes: Vec<String>,
    /// The settings, or why they cannot be used.
    pub settings: Result<Arc<Settings>, CheckOutcome>,
    /// The redactor that the settings describe.
    pub redactor: Result<Arc<Redactor>, CheckOutcome>,
    /// The key manager, with an unlocked store.
    pub keys: Result<&'a KeyManager, CheckOutcome>,
    /// The conversations; `None` before the first one.
    pub archive: Result<Option<Archive>, CheckOutcome>,
    /// The audit log, with its key if that is known.
    pub audit: AuditLog,
    /// Whether the key store has the key of the audit log.
    pub has_audit_key: Result<bool, CheckOutcome>,
    /// The alerts.
    pub alerts: AlertMonitor,
    /// The variables that hold keys.
    pub key_variables: Vec<KeyVariable>,
    /// The host of each provider that a key is stored for.
    pub hosts: BTreeMap<Name, String>,
    /// Where the debug log goes, if it is on.
    pub debug_log: Option<String>,
    /// The provider's answer to a request without a key.
    pub provider: Result<ReachedProvider, CheckOutcome>,
    /// What stands between this machine and the provider.
    pub route: Result<NetworkRoute, CheckOutcome>,
    /// Where other programs keep their files.
    pub folders: UserFolders,
    /// Whether git ignores a file of the repository with this root.
    pub git_ignores: fn(root: &Path, file: &Path) -> bool,
    /// Where the passphrase of the vault comes from, if it is not typed.
    pub passphrase_source: Option<&'static str>,
    /// Gets the passphrase of a backup, or says why there is none.
    pub backup_passphrase: Box<BackupPassphrase<'a>>,
    /// What was found in the repositories in folders.
    pub repositories: CheckOutcome,
}

impl fmt::Debug for Examination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examination")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
