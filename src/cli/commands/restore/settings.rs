//! The settings of a backup: shown before they are applied, and never in place of existing
//! settings.
//!
//! The backup may come from someone else, and settings can run a program or send messages to
//! another server. So they are applied only if there are no settings yet and the user agrees after
//! reading them; otherwise they are saved to `config.toml.restored` for review.

use crate::cli::app::App;
use crate::cli::ui::shown;
use crate::disk;
use crate::ledger::{Event, Severity, What};
use crate::privacy::{Placeholders, Raw, Redacted};
use crate::settings::{self, Given};
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// At most this many settings are shown, and this many characters of each.
const SHOWN: (usize, usize) = (60, 300);

pub(super) struct Offered {
    text: Redacted,
    /// `None` if the settings contain an error that would stop every command.
    given: Option<Vec<Given>>,
    /// Whether there are settings here already.
    others: bool,
}

pub(super) enum Outcome {
    /// Shown only, by `--dry-run`.
    Shown,
    /// Applied, to this file.
    Installed(PathBuf),
    /// Saved to this file instead of being applied, and why.
    Beside(PathBuf, &'static str),
}

impl Offered {
    /// The settings of the backup that differ from those here; `None` if there are none.
    pub(super) fn of(app: &mut App, raw: Option<&Raw>) -> Result<Option<Self>> {
        let Some(raw) = raw else { return Ok(None) };
        let (text, _) = app.redactor()?.redact(raw.clone(), &mut Placeholders::default());
        let others = disk::exists(app.settings_file());
        if others && app.settings_text().is_ok_and(|here| here == text.as_str()) {
            return Ok(None);
        }
        let given = settings::given(text.as_str());
        Ok(Some(Self { text, given, others }))
    }

    /// Applies the settings, or saves them for review.
    pub(super) fn settle(&self, app: &App) -> Result<Outcome> {
        let path = app.settings_file().clone();
        let guarded = self.given.as_ref().is_none_or(|all| all.iter().any(|g| g.guarded));
        let why = if self.others {
            "there are other settings here"
        } else if self.given.is_none() {
            "they contain an error"
        } else if self.is_too_much() {
            "too many are marked `!` to show them all: review the file"
        } else if app.yes && guarded {
            "`--yes` does not apply those marked `!`"
        } else if app.yes || self.agreed(app)? {
            // Another process may have created settings while the question was open: they are kept.
            disk::draft(&path, self.text.as_str().as_bytes(), None)?.keep_first()?;
            if app.settings_text()? == self.text.as_str() {
                app.note(&Event::new(What::Config).severity(Severity::Notice).word("deed", "restore"));
                return Ok(Outcome::Installed(path));
            }
            "there are other settings here"
        } else if app.ui.can_ask() {
            "you declined"
        } else {
            "there is no terminal to ask on"
        };
        let beside = path.with_extension("toml.restored");
        disk::write(&beside, self.text.as_str().as_bytes())?;
        Ok(Outcome::Beside(beside, why))
    }

    fn agreed(&self, app: &App) -> Result<bool> {
        if !app.ui.can_ask() {
            return Ok(false);
        }
        app.ui.error_line(&format!("the backup contains settings, and there are none here:\n{}", self.list()));
        app.ui.confirm("apply them?", "`--yes`")
    }

    /// Whether there are more guarded settings than can be shown before a confirmation.
    fn is_too_much(&self) -> bool {
        let guarded = || self.given.iter().flatten().filter(|given| given.guarded);
        guarded().count() > SHOWN.0 || guarded().any(|given| written(given).chars().count() > SHOWN.1)
    }

    /// Lists the settings. Guarded ones, which the user must confirm, are marked and come first.
    fn list(&self) -> String {
        let (many, wide) = SHOWN;
        let all = self.given.as_deref().unwrap_or_default();
        let mut list = String::new();
        let (guarded, others): (Vec<&Given>, Vec<&Given>) = all.iter().partition(|given| given.guarded);
        for given in guarded.into_iter().chain(others).take(many) {
            let whole = written(given);
            let mut line: String = whole.chars().take(wide).collect();
            // The end of a long value is shown too: it may be the part that matters.
            let rest = whole.chars().count() - line.chars().count();
            if rest > 0 {
                let _ = write!(line, " … and {rest} more characters");
            }
            // Writing to a string cannot fail.
            let _ = writeln!(list, "  {} {}", if given.guarded { '!' } else { ' ' }, line.replace('\n', " "));
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
    pub(super) fn told(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Shown if self.others => format!("settings in the backup, which would be saved next to yours:\n{}", self.list()),
            Outcome::Shown => {
                format!(
                    "settings in the backup, applied only if you agree; those marked `!` are never applied by `--yes`:\n{}",
                    self.list()
                )
            }
            Outcome::Installed(path) => format!("settings applied: `{}`\n", shown(path)),
            Outcome::Beside(path, why) => {
                format!("settings not applied, but saved to `{}`: {why}\n{}", shown(path), self.list())
            }
        }
    }

    /// The result for scripts.
    pub(super) fn json(&self, outcome: &Outcome) -> Value {
        let (installed, file) = match outcome {
            Outcome::Shown => (false, None),
            Outcome::Installed(path) => (true, Some(path)),
            Outcome::Beside(path, _) => (false, Some(path)),
        };
        let given = self.given.as_deref().unwrap_or_default();
        let each: Vec<Value> = given.iter().map(|g| json!({ "key": g.key, "value": g.value, "guarded": g.guarded })).collect();
        json!({ "installed": installed, "file": file.map(|path| path.display().to_string()), "valid": self.given.is_some(), "given": each })
    }
}

/// A setting as TOML, made harmless.
fn written(given: &Given) -> String {
    Raw::from(format!("{} = {}", given.key, given.value)).printable()
}
