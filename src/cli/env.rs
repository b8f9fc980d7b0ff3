//! The environment: which variables are read, and what makes one malformed.

use super::report::Problem;
use super::ui::{Color, Ui};
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Variables that the settings name as holding a key: what is started from here does not inherit them, whatever they are called.
static KEPT_BACK: OnceLock<Vec<String>> = OnceLock::new();

/// The process's variables. They are asked for one by one, when they are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env(());

impl Env {
    pub(crate) const fn of_the_process() -> Self {
        Self(())
    }

    fn raw(self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    /// A variable as text. One that is set and empty counts as not set.
    pub(crate) fn text(self, name: &str) -> Result<Option<String>> {
        match self.raw(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if !text.contains(['\n', '\r', '\0']) => Ok(Some(text)),
            Some(_) => bail!(Problem::misuse(format!("`{name}` is not one line of text")).hint(format!("set `{name}` anew, or unset it"))),
        }
    }

    /// A variable as a path.
    pub(crate) fn path(self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// Where programs are looked for, in order.
    pub(crate) fn program_folders(self) -> Vec<PathBuf> {
        self.raw("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
    }

    /// A variable that holds a key. The process's own copy of its environment cannot be wiped; what is started from here
    /// does not inherit it.
    pub(crate) fn secret(self, name: &str) -> Result<Option<Secret>> {
        match self.raw(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(Secret::new(text))),
            Some(_) => {
                bail!(
                    Problem::misuse(format!("`{name}` does not hold a key: it has white space or odd characters"))
                        .hint(format!("set `{name}` anew, or unset it"))
                )
            }
        }
    }

    /// Every variable whose name begins so, to be handed to those who know them.
    pub(crate) fn beginning_with(self, start: &str) -> Vec<(String, Secret)> {
        let text = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        text.filter(|(name, value)| name.starts_with(start) && !value.is_empty()).map(|(name, value)| (name, Secret::new(value))).collect()
    }

    /// Whether it is set at all.
    pub(crate) fn has(self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let list: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                let shown = crate::privacy::Raw::from(text).printable();
                bail!(
                    Problem::misuse(format!("`{name}` is `{shown}`, and should be {}", list.join(", ")))
                        .hint(format!("set `{name}` anew, or unset it"))
                )
            }
        }
    }

    /// These hold keys as well. Said once, when the settings are read.
    pub(crate) fn keep_back(self, names: Vec<String>) {
        KEPT_BACK.set(names).unwrap_or_default();
    }

    /// Something to be started from here: it does not inherit the keys that this process may have been given.
    pub(crate) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|n| n.ends_with("_API_KEY") || n.ends_with("_KEY") || n.ends_with("_TOKEN") || n.contains("SECRET"))
            {
                command.env_remove(&name);
            }
        }
        for name in KEPT_BACK.get().into_iter().flatten() {
            command.env_remove(name);
        }
        command
    }

    /// Runs a line in the shell and gives what it printed; its errors go to the terminal.
    pub(crate) fn shell(self, line: &str) -> std::io::Result<std::process::Output> {
        let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        self.command(shell).arg(option).arg(line).stderr(std::process::Stdio::inherit()).output()
    }

    /// The streams, as the environment wants them.
    pub(crate) fn ui(self, color: Color) -> Ui {
        let term = self.raw("TERM");
        let dumb = term.is_none_or(|t| t == "dumb");
        let force = self.raw("CLICOLOR_FORCE").is_some_and(|v| v != "0");
        Ui::new(color, self.has("NO_COLOR"), force, dumb)
    }
}
