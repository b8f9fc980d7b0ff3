//! `Home`: where everything lives, worked out once.

use crate::name::Name;
use std::path::{Path, PathBuf};

/// The five folders of the house, by what happens to them: settings are edited, data is kept, state may be rebuilt, the
/// cache may go at any time, and what runs is gone at logout.
#[derive(Clone, Debug)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
    cache: PathBuf,
    run: PathBuf,
}

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system names no home folder.
    #[error("this system defines no home folder")]
    Homeless,
    /// A root that is not absolute would move with the current folder.
    #[error("`{0}` is not an absolute path")]
    Relative(PathBuf),
}

impl Home {
    /// Everything under one root.
    pub fn under(root: &Path) -> Result<Self, Error> {
        if !root.is_absolute() {
            return Err(Error::Relative(root.to_path_buf()));
        }
        let [config, data, state, cache, run] = ["config", "data", "state", "cache", "run"].map(|part| root.join(part));
        Ok(Self { config, data, state, cache, run })
    }

    /// The platform's own places: XDG on Linux, `Library` on macOS, `AppData` on Windows.
    pub fn of_the_platform() -> Result<Self, Error> {
        let ours = |folder: Option<PathBuf>| folder.map(|f| f.join("chatbot")).ok_or(Error::Homeless);
        let data = ours(dirs::data_local_dir())?;
        // Only Linux has a place for state and for what runs; elsewhere they live beside the data.
        let state = ours(dirs::state_dir()).unwrap_or_else(|_| data.join("state"));
        let run = ours(dirs::runtime_dir()).unwrap_or_else(|_| state.join("run"));
        Ok(Self { config: ours(dirs::config_dir())?, data, state, cache: ours(dirs::cache_dir())?, run })
    }

    /// The settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The folder of what is kept.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of conversations.
    #[must_use]
    pub fn conversations(&self) -> PathBuf {
        self.data.join("conversations")
    }

    /// The file of one conversation.
    #[must_use]
    pub fn conversation(&self, id: &Name) -> PathBuf {
        self.conversations().join(format!("{id}.jsonl.fernet"))
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.data.join("vault.json")
    }

    /// Where backups go when nothing else is said.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }

    /// The folder of limits, usage, the audit log and what is known about keys.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder of what can be fetched again.
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
