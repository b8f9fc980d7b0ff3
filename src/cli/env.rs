//! The environment: which variables are read, what makes one malformed, and which ones child
//! processes inherit.

use crate::cli::errors::CliError;
use crate::cli::term::{Color, Ui};
use crate::config::{StoreSetting, ThemeSetting};
use crate::name::Name;
use crate::render::{RenderOptions, Theme};
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Variables that `children.pass_env` adds to [`INHERITED`].
static ALSO_INHERITED: OnceLock<Vec<String>> = OnceLock::new();

/// Variables that a child process inherits: editor, pager, browser, and the commands for passphrase
/// and alerts. All others are removed, because a name does not show whether its value is secret. A
/// name ending in `*` stands for all names with this prefix.
const INHERITED: &[&str] = &[
    // Finding programs and the user's files.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_*",
    // Language and time.
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    // Terminal and colours.
    "TERM",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    // Screens, and the agents that passphrase commands ask.
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "SSH_TTY",
    "SSH_CONNECTION",
    "GPG_TTY",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    // What editors, pagers and browsers are chosen and set up with.
    "VISUAL",
    "EDITOR",
    "PAGER",
    "BROWSER",
    "LESS",
    "LESSCHARSET",
    "MANPAGER",
    "VIMINIT",
    "MYVIMRC",
    "NVIM_APPNAME",
    // Where this program's own files are, for a command that calls it.
    "CHATBOT_HOME",
    "CHATBOT_CONFIG",
    "CHATBOT_KEYRING",
    "CHATBOT_PROFILE",
    "CHATBOT_PROVIDER",
    "CHATBOT_MODEL",
    // Windows: programs do not start without these.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "USERNAME",
    "USERDOMAIN",
    "COMPUTERNAME",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "COMMONPROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
    "OS",
];

/// Whether a child process inherits a variable. Windows ignores case in variable names.
fn is_inherited(name: &str) -> bool {
    let same = |one: &str, other: &str| {
        if cfg!(windows) {
            one.eq_ignore_ascii_case(other)
        } else {
            one == other
        }
    };
    let fits = |listed: &&str| match listed.strip_suffix('*') {
        Some(start) => name
            .get(..start.len())
            .is_some_and(|begin| same(begin, start)),
        None => same(name, listed),
    };
    INHERITED.iter().any(fits)
        || ALSO_INHERITED
            .get()
            .into_iter()
            .flatten()
            .any(|also| same(name, also))
}

/// The process's environment. Variables are read one by one, when they are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env(());

impl Env {
    pub(crate) const fn from_process() -> Self {
        Self(())
    }

    fn raw(self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    /// The user's home folder, which `~` stands for.
    pub(crate) fn home_folder(self) -> Option<PathBuf> {
        self.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }

    /// Reads a variable as text. An empty one counts as not set.
    pub(crate) fn text(self, name: &str) -> Result<Option<String>> {
        match self.raw(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if !text.contains(['\n', '\r', '\0']) => Ok(Some(text)),
            Some(_) => bail!(
                CliError::misuse(format!("`{name}` is not one line of text"))
                    .hint(format!("change `{name}`, or unset it"))
            ),
        }
    }

    pub(crate) fn path(self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// The folders of `FIELD_PATH`, in order.
    pub(crate) fn program_folders(self) -> Vec<PathBuf> {
        self.raw("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default()
    }

    /// Reads a variable that holds a key. The process's own copy of the environment cannot be
    /// wiped, but child processes do not inherit it.
    pub(crate) fn secret(self, name: &str) -> Result<Option<Secret>> {
        match self.raw(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Some(Secret::new(text)))
            }
            Some(_) => {
                bail!(
                    CliError::misuse(format!("`{name}` does not contain a valid key: it has white space or unexpected characters"))
                        .hint(format!("change `{name}`, or unset it"))
                )
            }
        }
    }

    /// All variables with this prefix, for the object storage clients, which know which ones they
    /// need.
    pub(crate) fn with_prefix(self, start: &str) -> Vec<(String, Secret)> {
        let text = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        text.filter(|(name, value)| name.starts_with(start) && !value.is_empty())
            .map(|(name, value)| (name, Secret::new(value)))
            .collect()
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Reads a variable that accepts one of a few values.
    pub(crate) fn choice<T: Copy>(self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let list: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                let shown = crate::privacy::Raw::from(text).printable();
                bail!(
                    CliError::misuse(format!(
                        "`{name}` is `{shown}`, but must be one of {}",
                        list.join(", ")
                    ))
                    .hint(format!("change `{name}`, or unset it"))
                )
            }
        }
    }

    /// The key store that `CHATBOT_KEYRING` selects.
    pub(crate) fn key_store(self) -> Result<Option<StoreSetting>> {
        self.choice(
            "CHATBOT_KEYRING",
            &[
                ("auto", StoreSetting::Auto),
                ("os-keyring", StoreSetting::Os),
                ("os", StoreSetting::Os),
                ("vault", StoreSetting::Vault),
            ],
        )
    }

    /// Reads a variable that holds the name of a provider or profile.
    pub(crate) fn name(self, variable: &str) -> Result<Option<Name>> {
        let Some(text) = self.text(variable)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|why| {
            CliError::misuse(format!("`{variable}`: {why}"))
                .hint(format!("change `{variable}`, or unset it"))
                .into()
        })
    }

    /// Fails if any variable is malformed, even if the command does not need it: the user believes
    /// that it is in force.
    pub(crate) fn refuse_malformed(self) -> Result<()> {
        self.key_store()?;
        for name in ["CHATBOT_PROVIDER", "CHATBOT_PROFILE"] {
            self.name(name)?;
        }
        self.text("CHATBOT_MODEL").map(drop)
    }

    /// Adds the variables of `children.pass_env`. Called once, when the settings are read.
    pub(crate) fn inherit_also(self, names: Vec<String>) {
        ALSO_INHERITED.set(names).unwrap_or_default();
    }

    /// A command for a child process, which inherits only [`INHERITED`] and the variables of
    /// `children.pass_env`.
    pub(crate) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        let inherited =
            std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_inherited));
        command.env_clear().envs(inherited);
        command
    }

    /// This program as a child process, without variables, except the one without which no program
    /// starts on Windows.
    pub(crate) fn own_child(self, command: &str) -> std::io::Result<std::process::Command> {
        let mut child = std::process::Command::new(std::env::current_exe()?);
        let root = std::env::var_os("SystemRoot");
        child.arg(command).env_clear();
        child.envs(root.map(|root| ("SystemRoot", root)));
        Ok(child)
    }

    /// Runs a line in the shell and returns its output; its standard error goes to the terminal.
    pub(crate) fn shell(self, line: &str) -> std::io::Result<std::process::Output> {
        let (shell, option) = if cfg!(windows) {
            ("cmd", "/C")
        } else {
            ("sh", "-c")
        };
        self.command(shell)
            .arg(option)
            .arg(line)
            .stderr(std::process::Stdio::inherit())
            .output()
    }

    /// Why the shell could not run a line, as far as that can be told without running it.
    pub(crate) fn shell_problem(self, line: &str) -> Option<String> {
        if cfg!(windows) {
            return None;
        }
        let succeeds = |args: &[&str]| {
            let nothing = std::process::Stdio::null;
            let mut shell = self.command("sh");
            let shell = shell.args(args).stdin(nothing()).stdout(nothing());
            shell.stderr(nothing()).status().is_ok_and(|s| s.success())
        };
        if !succeeds(&["-n", "-c", line]) {
            return Some(String::from("the shell cannot parse this line"));
        }
        let program = line.split_whitespace().next()?;
        // Anything else, such as a variable or a quote, is known only when the line is run.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+".contains(&b);
        let is_missing =
            program.bytes().all(is_plain) && !succeeds(&["-c", "command -v \"$1\"", "sh", program]);
        is_missing.then(|| format!("there is no program `{program}`"))
    }

    /// How Markdown is rendered on this terminal.
    pub(crate) fn render_options(self, ui: Ui, theme: ThemeSetting) -> Result<RenderOptions> {
        Ok(RenderOptions {
            width: ui.width(),
            theme: match theme {
                _ if !ui.output_is_colored() => Theme::Plain,
                ThemeSetting::Auto => self.terminal_theme()?,
                ThemeSetting::Dark => Theme::Dark,
                ThemeSetting::Light => Theme::Light,
                ThemeSetting::Plain => Theme::Plain,
            },
            hyperlinks: self.terminal_opens_links()?,
        })
    }

    /// The colours for the background of the terminal. Some terminals say which one they have.
    fn terminal_theme(self) -> Result<Theme> {
        let background = self.text("COLORFGBG")?;
        let number = background.as_deref().and_then(|b| b.rsplit(';').next());
        Ok(match number {
            Some("7" | "15") => Theme::Light,
            _ => Theme::Dark,
        })
    }

    /// Whether the terminal is one that opens links (OSC 8). Within `tmux` or `screen` it is not
    /// known what is around them.
    fn terminal_opens_links(self) -> Result<bool> {
        let term = self.text("TERM")?.unwrap_or_default();
        if ["tmux", "screen"].iter().any(|name| term.starts_with(name)) {
            return Ok(false);
        }
        let by_name = ["kitty", "alacritty", "foot", "ghostty", "wezterm"]
            .iter()
            .any(|name| term.contains(name));
        let by_variable = ["KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION"]
            .iter()
            .any(|name| self.has(name));
        let program = self.text("TERM_PROGRAM")?.unwrap_or_default();
        let by_program = ["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper"];
        let vte = self.text("VTE_VERSION")?.and_then(|v| v.parse().ok());
        Ok(by_name
            || by_variable
            || by_program.contains(&program.as_str())
            || vte.is_some_and(|version: u32| version >= 5000))
    }

    /// The streams, with colour as the environment demands.
    pub(crate) fn ui(self, color: Color) -> Ui {
        let term = self.raw("TERM");
        let dumb = term.is_none_or(|t| t == "dumb");
        let force = self.raw("CLICOLOR_FORCE").is_some_and(|v| v != "0");
        Ui::new(color, self.has("NO_COLOR"), force, dumb)
    }
}
