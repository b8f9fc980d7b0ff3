//! Alerts: unusual events are printed once and passed to the user's own command.

use crate::audit::alerts::{Alert, AlertMonitor, FileScope, Observation};
use crate::audit::log;
use crate::audit::{Event, EventKind, Label, Severity};
use crate::cli::app::App;
use crate::cli::errors::CliError;
use crate::cli::term::Style;
use crate::crypto::encoding::hex;
use crate::fs;
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::keys::stores::vault;
use crate::privacy::{Displayable, Raw};
use anyhow::Result;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

impl App {
    pub(crate) fn alerts(&self) -> AlertMonitor {
        AlertMonitor::new(self.home.state(), self.audit(), self.clock.clone())
    }

    /// Checks for alerts, prints each new one on a line and passes it to `alerts.command`. A
    /// failure here never stops a command.
    pub(crate) fn check_alerts(&mut self) {
        // A home without a log has never been used: nothing to check, and nothing is created for
        // the check.
        if !fs::exists(self.audit().path()) {
            return;
        }
        match self
            .alerts()
            .scan(self.ui.notices(), |walk| self.observations(walk))
        {
            Ok(found) => {
                self.show_alerts(&found.to_show);
                found
                    .new_alerts
                    .iter()
                    .for_each(|alert| self.run_alert_command(alert));
            }
            Err(error) => self
                .ui
                .warning(&format!("cannot check for alerts: {error}")),
        }
    }

    fn show_alerts(&self, alerts: &[Alert]) {
        let line = |text: &str| {
            self.ui
                .error_line(self.ui.paint(Style::Red, "alert:") + " " + Displayable::line(text));
        };
        for alert in alerts.iter().take(3) {
            line(&format!(
                "{}; `chatbot audit alerts` lists it",
                alert.describe()
            ));
        }
        if let Some(more) = alerts.len().checked_sub(3).filter(|more| *more > 0) {
            line(&format!(
                "and {more} more; `chatbot audit alerts` lists them"
            ));
        }
    }

    fn run_alert_command(&mut self, alert: &Alert) {
        let event = Event::new(EventKind::AlertRaised)
            .severity(Severity::Warning)
            .word("kind", alert.kind.name());
        self.audit_event(&event.number("id", alert.id).number("figure", alert.figure));
        let Ok(settings) = self.settings() else {
            return;
        };
        let Some((program, arguments)) = settings.alerts.command.split_first() else {
            return;
        };
        let object = json!({
            "schema_version": 1,
            "alert": { "id": alert.id, "at": alert.at, "kind": alert.kind, "summary": alert.describe(), "figure": alert.figure },
        });
        let mut command = self.env.command(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let told = command
            .spawn()
            .and_then(|mut child| match child.stdin.take() {
                // The process is not waited for: it must not delay the chat.
                Some(mut pipe) => pipe.write_all(format!("{object}\n").as_bytes()),
                None => Ok(()),
            });
        if let Err(error) = told {
            let program = Raw::from(program.as_str()).printable();
            self.ui.warning(&format!(
                "cannot pass the alert to `{program}` of `alerts.command`: {error}"
            ));
            self.audit_event(
                &Event::new(EventKind::AlertRaised)
                    .severity(Severity::Warning)
                    .word("action", "run_command")
                    .word("outcome", "failed")
                    .number("id", alert.id),
            );
        }
    }

    /// Facts about the current state. `walk` adds the permissions of each conversation and each
    /// backup, which takes longer.
    fn observations(&self, walk: bool) -> Vec<Observation> {
        let home = &self.home;
        let folders = [
            home.state().to_path_buf(),
            home.data().to_path_buf(),
            home.conversations(),
            home.backups(),
        ];
        let state =
            ["audit.head", "alerts.json", "tally", "requests"].map(|name| home.state().join(name));
        let files = [
            home.vault(),
            KeyIndex::path_in(home),
            self.audit().path().to_path_buf(),
            self.usage().path().clone(),
        ];
        let open = |paths: &[PathBuf]| {
            paths
                .iter()
                .filter(|path| fs::is_open_to_others(path))
                .count()
        };
        let mut facts = vec![Observation::TooPermissive {
            among: FileScope::Core,
            files: open(&[&folders[..], &files, &state].concat()),
        }];
        if walk {
            let inside = |folder: PathBuf| {
                fs::list(&folder)
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |file| folder.join(file.name))
            };
            let kept: Vec<PathBuf> = inside(home.conversations())
                .chain(inside(home.backups()))
                .collect();
            facts.push(Observation::TooPermissive {
                among: FileScope::All,
                files: open(&kept),
            });
        }
        if let Ok(Some(index)) = KeyIndex::read(&KeyIndex::path_in(home)) {
            facts.extend(
                index
                    .records()
                    .filter(|(slot, _)| matches!(slot, Slot::ApiKey { .. }))
                    .filter_map(|(slot, record)| {
                        let at = record.expires_at?;
                        let soon = self
                            .clock
                            .now()
                            .saturating_add(std::time::Duration::from_secs(8 * 86_400));
                        (at < soon).then(|| Observation::KeyExpires {
                            key: Label::new(&slot.to_string()),
                            at,
                        })
                    }),
            );
        }
        facts
    }

    /// Logs that the settings have changed since they were last read, by chatbot or by another
    /// program.
    pub(crate) fn audit_changed_settings(&self, text: &str) {
        // A file named by `--config` may differ each time; and a home that was never used gets no
        // files.
        if *self.settings_file() != self.home.settings() || !fs::exists(self.audit().path()) {
            return;
        }
        let seen = self.home.state().join("settings.sha256");
        let mut sum = hex(&Sha256::digest(text));
        sum.truncate(16);
        let before = fs::read_at_most(&seen, 64).unwrap_or_default();
        if before.as_deref() == Some(sum.as_bytes()) {
            return;
        }
        if before.is_some() {
            self.audit_event(
                &Event::new(EventKind::ConfigChanged)
                    .severity(Severity::Notice)
                    .word("sha256", &sum)
                    .number("bytes", text.len()),
            );
        }
        fs::write_cache(&seen, sum.as_bytes()).unwrap_or_default();
    }

    /// Logs a failure that the module below could not log itself.
    pub(crate) fn audit_failure(&self, error: &anyhow::Error) {
        if error
            .chain()
            .any(|cause| matches!(cause.downcast_ref(), Some(vault::Error::WrongPassphrase)))
        {
            self.audit_event(
                &Event::new(EventKind::Vault)
                    .severity(Severity::Warning)
                    .word("action", "open")
                    .word("outcome", "failed"),
            );
        }
        if let Some(reason) = error.downcast_ref::<CliError>().and_then(CliError::refusal) {
            self.audit_event(
                &Event::new(EventKind::Refused)
                    .severity(Severity::Warning)
                    .word("reason", reason),
            );
        }
    }

    /// Logs an event about keys. The key store is open then, so the audit key can be read too.
    pub(crate) fn audit_key_event(&mut self, event: &Event) {
        if self.audit_key.is_none() {
            // Without the key the record has only its hash; the next record with a MAC covers it.
            self.read_audit_key().unwrap_or_default();
        }
        self.audit_event(event);
    }

    /// Reads the audit key if the key store has one, and never creates it; returns whether it is
    /// available.
    pub(crate) fn read_audit_key(&mut self) -> Result<bool> {
        let key = self.keys()?.manager().get(&Slot::AuditKey)?;
        if let Some(key) = &key {
            self.use_audit_key(Arc::new(log::AuditKey::new(key)));
        }
        Ok(key.is_some())
    }
}
