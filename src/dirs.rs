//! The folders of an installation, determined once at the start.

use crate::name::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folders of an installation, by the lifetime of their content: settings are edited by the
/// user, data is permanent, state can be rebuilt, the cache can be deleted at any time, and `run`
/// ends at logout.
#[derive(Clone, Debug)]
pub struct Dirs {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
    cache: PathBuf,
    run: PathBuf,
}

/// The reason why the folders cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment names no home folder.
    #[error("this system defines no home folder")]
    NoHomeDir,
    /// The root is relative, so it would depend on the current folder.
    #[error("`{0}` is not an absolute path")]
    Relative(PathBuf),
}

impl Dirs {
    /// Places all folders under one root.
    pub fn under_root(root: &Path) -> Result<Self, Error> {
        if !root.is_absolute() {
            return Err(Error::Relative(root.to_path_buf()));
        }
        let [config, data, state, cache, run] =
            ["config", "data", "state", "cache", "run"].map(|part| root.join(part));
        Ok(Self {
            config,
            data,
            state,
            cache,
            run,
        })
    }

    /// Uses the platform's standard folders: XDG on Linux, `Library` on macOS, `AppData` on
    /// Windows.
    pub fn platform_default() -> Result<Self, Error> {
        let ours =
            |folder: Option<PathBuf>| folder.map(|f| f.join("chatbot")).ok_or(Error::NoHomeDir);
        let data = ours(dirs::data_local_dir())?;
        // Only Linux has standard folders for state and runtime files; elsewhere use the data
        // folder.
        let state = ours(dirs::state_dir()).unwrap_or_else(|_| data.join("state"));
        let run = ours(dirs::runtime_dir()).unwrap_or_else(|_| state.join("run"));
        Ok(Self {
            config: ours(dirs::config_dir())?,
            data,
            state,
            cache: ours(dirs::cache_dir())?,
            run,
        })
    }

    /// All folders, each once: on some systems one lies in another.
    #[must_use]
    pub fn outermost(&self) -> Vec<PathBuf> {
        let all: BTreeSet<&PathBuf> = [
            &self.config,
            &self.data,
            &self.state,
            &self.cache,
            &self.run,
        ]
        .into();
        let outermost = all.iter().filter(|one| {
            !all.iter()
                .any(|other| one != &other && one.starts_with(other))
        });
        outermost.map(|folder| (*folder).clone()).collect()
    }

    /// The path of the settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The folder of roles.
    #[must_use]
    pub fn roles(&self) -> PathBuf {
        self.config.join("roles")
    }

    /// The folder of permanent data.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of conversations.
    #[must_use]
    pub fn conversations(&self) -> PathBuf {
        self.data.join("conversations")
    }

    /// The path of a conversation file.
    #[must_use]
    pub fn conversation(&self, id: &Name) -> PathBuf {
        self.conversations().join(format!("{id}.jsonl.fernet"))
    }

    /// The path of the vault.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.data.join("vault.json")
    }

    /// The default folder of backups.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }

    /// The folder of limits, usage, audit log and key metadata.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder of files that can be downloaded again.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The folder of sockets.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }
}
