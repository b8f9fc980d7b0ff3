//! The settings of a backup: shown before they are applied, and never in place of existing
//! settings.
//!
//! The backup may come from someone else, and settings can run a program or send messages to
//! another server. So they are applied only if there are no settings yet and the user agrees after
//! reading them; otherwise they are saved to `config.toml.restored` for review.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::cli::term::display_path;
use crate::config::{self, RawSetting};
use crate::fs;
use crate::privacy::{Placeholders, Raw, Redacted};
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// At most this many settings are shown, and this many characters of each.
const MAX_SHOWN: (usize, usize) = (60, 300);

pub(super) struct BackupSettings {
    text: Redacted,
    /// `None` if the settings contain an error that would stop every command.
    given: Option<Vec<RawSetting>>,
    /// Whether there are settings here already.
    others: bool,
}

pub(super) enum SettingsOutcome {
    /// Shown only, by `--dry-run`.
    Shown,
    /// Applied, to this file.
    Installed(PathBuf),
    /// Saved to this file instead of being applied, and why.
    SavedAsCopy(PathBuf, &'static str),
}

impl BackupSettings {
    /// The settings of the backup that differ from those here; `None` if there are none.
    pub(super) fn from_backup(context: &mut Context, raw: Option<&Raw>) -> Result<Option<Self>> {
        let Some(raw) = raw else { return Ok(None) };
        let (text, _) = context
            .redactor()?
            .redact(raw.clone(), &mut Placeholders::default());
        let others = fs::exists(context.settings_file());
        if others
            && context
                .settings_text()
                .is_ok_and(|here| here == text.as_str())
        {
            return Ok(None);
        }
        let setting = config::list_raw(text.as_str());
        Ok(Some(Self {
            text,
            given: setting,
            others,
        }))
    }

    /// Applies the settings, or saves them for review.
    pub(super) fn apply(&self, context: &Context) -> Result<SettingsOutcome> {
        let path = context.settings_file().to_path_buf();
        let guarded = self
            .given
            .as_ref()
            .is_none_or(|all| all.iter().any(|g| g.guarded));
        let why = if self.others {
            "there are other settings here"
        } else if self.given.is_none() {
            "they contain an error"
        } else if self.is_too_much() {
            "too many are marked `!` to show them all: review the file"
        } else if context.yes && guarded {
            "`--yes` does not apply those marked `!`"
        } else if context.yes || self.confirm(context)? {
            // Another process may have created settings while the question was open: they are kept.
            fs::prepare_file(&path, self.text.as_str().as_bytes(), None)?.commit_new()?;
            if context.settings_text()? == self.text.as_str() {
                context.audit_event(
                    &Event::new(EventKind::Config)
                        .severity(Severity::Notice)
                        .word("action", "restore"),
                );
                return Ok(SettingsOutcome::Installed(path));
            }
            "there are other settings here"
        } else if context.ui.can_ask() {
            "you declined"
        } else {
            "there is no terminal to ask on"
        };
        let copy_path = path.with_extension("toml.restored");
        fs::write(&copy_path, self.text.as_str().as_bytes())?;
        Ok(SettingsOutcome::SavedAsCopy(copy_path, why))
    }

    fn confirm(&self, context: &Context) -> Result<bool> {
        if !context.ui.can_ask() {
            return Ok(false);
        }
        context.ui.error_line(&format!(
            "the backup contains settings, and there are none here:\n{}",
            self.list()
        ));
        context.ui.confirm("Apply them?", "`--yes`")
    }

    /// Whether there are more guarded settings than can be shown before a confirmation.
    fn is_too_much(&self) -> bool {
        let guarded = || {
            self.given
                .iter()
                .flatten()
                .filter(|setting| setting.guarded)
        };
        guarded().count() > MAX_SHOWN.0
            || guarded().any(|setting| format_setting(setting).chars().count() > MAX_SHOWN.1)
    }

    /// Lists the settings. Guarded ones, which the user must confirm, are marked and come first.
    fn list(&self) -> String {
        let (many, wide) = MAX_SHOWN;
        let all = self.given.as_deref().unwrap_or_default();
        let mut list = String::new();
        let (guarded, others): (Vec<&RawSetting>, Vec<&RawSetting>) =
            all.iter().partition(|setting| setting.guarded);
        for setting in guarded.into_iter().chain(others).take(many) {
            let whole = format_setting(setting);
            let mut line: String = whole.chars().take(wide).collect();
            // The end of a long value is shown too: it may be the part that matters.
            let rest = whole.chars().count() - line.chars().count();
            if rest > 0 {
                let _ = write!(line, " … and {rest} more characters");
            }
            // Writing to a string cannot fail.
            let _ = writeln!(
                list,
                "  {} {}",
                if setting.guarded { '!' } else { ' ' },
                line.replace('\n', " ")
            );
        }
        if let Some(more) = all.len().checked_sub(many).filter(|more| *more > 0) {
            let _ = writeln!(list, "  ! and {more} more");
        }
        if self.given.is_none() {
            list.push_str("  ! they contain an error that would stop every command\n");
        }
        list
    }

    /// The result for people.
    pub(super) fn describe(&self, outcome: &SettingsOutcome) -> String {
        match outcome {
            SettingsOutcome::Shown if self.others => {
                format!(
                    "settings in the backup, which would be saved next to yours:\n{}",
                    self.list()
                )
            }
            SettingsOutcome::Shown => {
                format!(
                    "settings in the backup, applied only if you agree; those marked `!` are never applied by `--yes`:\n{}",
                    self.list()
                )
            }
            SettingsOutcome::Installed(path) => {
                format!("settings applied: `{}`\n", display_path(path))
            }
            SettingsOutcome::SavedAsCopy(path, why) => {
                format!(
                    "settings not applied, but saved to `{}`: {why}\n{}",
                    display_path(path),
                    self.list()
                )
            }
        }
    }

    /// The result for scripts.
    pub(super) fn json(&self, outcome: &SettingsOutcome) -> Value {
        let (installed, file) = match outcome {
            SettingsOutcome::Shown => (false, None),
            SettingsOutcome::Installed(path) => (true, Some(path)),
            SettingsOutcome::SavedAsCopy(path, _) => (false, Some(path)),
        };
        let setting = self.given.as_deref().unwrap_or_default();
        let each: Vec<Value> = setting
            .iter()
            .map(|g| json!({ "key": g.key, "value": g.value, "guarded": g.guarded }))
            .collect();
        json!({ "installed": installed, "file": file.map(|path| path.display().to_string()), "valid": self.given.is_some(), "given": each })
    }
}

/// A setting as TOML, made harmless.
fn format_setting(setting: &RawSetting) -> String {
    Raw::from(format!("{} = {}", setting.key, setting.value)).printable()
}
