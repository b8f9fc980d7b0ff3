//! Dependencies of the commands, each opened when a command first needs it.
//!
//! Always there: the terminal (`ui`), the environment (`env`), the folders (`home`), the clock.
//! Opened on demand: `settings`, and from them `redactor`, `limiter`, `budget`, `http_context`;
//! `audit`, `usage`, `lockdown` and `backoff`, which are only paths until they are used; and the
//! keys with what they decrypt. What uses these dependencies is not here: `provider` chooses the
//! provider, `key_binding` its key, `prices` the price list, `logging` the debug log.
//!
//! The order matters for the keys, because opening one can open another:
//! 1. `keys` checks that the folders are private before anything is encrypted for them, reads the
//!    settings and selects a store. It does not contact the store yet.
//! 2. `data_keys_only` shares the lock of the data keys, so that `history rekey` cannot replace the
//!    data key while it is in use, then reads the data key. The key is created only if there are no
//!    encrypted conversations yet. Its creation is the one event for which the audit key is opened
//!    here: that record needs a MAC.
//! 3. `open_audit_key` comes last and may fail. It runs only after something else had a reason to
//!    open the key store, so that no command asks for a passphrase only to write the log.
//!
//! `data_keys` and `archive` do both steps. `archive_read_only` leaves out the third, for commands
//! that only read.

use super::GlobalArgs;
use super::args::with_folder;
use super::child_env::let_children_inherit;
use super::connection;
use super::env::Env;
use super::errors::settings::describe_problem;
use super::keys::{KeyAccess, opens_anything};
use super::settings_change::notice_change;
use super::settings_check::check_settings;
use super::state_marks::When;
use super::time_zone::apply_tz;
use crate::audit::log::{self, AuditLog};
use crate::audit::{Event, EventKind, Severity};
use crate::cli::debug_log::{DebugLog, LogLevel};
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::{Ui, display_path};
use crate::config::{self, Settings};
use crate::conversations::{self, Archive};
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::dirs::Dirs;
use crate::fs;
use crate::keys::{KeyManager, Slot};
use crate::limits::Lockdown;
use crate::name::Name;
use crate::net::HttpContext;
use crate::privacy::{Policy, Redactor};
use crate::time::{Clock, Time};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything a command may need, and what has been opened so far.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) ui: Ui,
    pub(crate) env: Env,
    pub(crate) home: Dirs,
    pub(crate) clock: Clock,
    pub(crate) yes: bool,
    settings_file: PathBuf,
    /// The profile whose settings replace the others.
    profile: Option<Name>,
    settings: Option<Arc<Settings>>,
    keys: Option<KeyAccess>,
    data_keys: Option<Arc<DataKeys>>,
    /// Shared with other processes for as long as the data key is in use.
    data_key_lock: Option<fs::FileLock>,
    pub(super) audit_key: Option<Arc<log::AuditKey>>,
    log: Option<DebugLog>,
    /// Providers may be asked about keys during a lockdown, because no message is sent.
    key_calls_allowed: bool,
    /// The saved keys that requests of this run use, with their fingerprints.
    pub(super) keys_in_use: BTreeMap<Slot, String>,
    /// The model that the last statistics named.
    pub(super) reported_model: Option<String>,
    /// When this command compares the state with its marks at its end; `None` for most commands.
    pub(super) compare_at_end: Option<When>,
    /// From when until when the marks need not be compared again.
    pub(super) compare_next: Option<(Time, Time)>,
    /// A failed comparison was reported.
    pub(super) compare_failed: bool,
}

impl Context {
    pub(crate) fn new(ui: Ui, env: Env, global: GlobalArgs) -> Result<Self> {
        let home = match env.path("CHATBOT_HOME") {
            Some(root) => Dirs::under_root(&root),
            None => Dirs::platform_default(),
        }?;
        apply_tz(env);
        let named = global.config.or_else(|| env.path("CHATBOT_CONFIG"));
        let settings_file = named.map_or_else(|| home.settings(), |path| with_folder(&path));
        Ok(Self {
            ui,
            env,
            home,
            clock: Clock::system(),
            yes: global.yes,
            settings_file,
            // A malformed one is refused or reported where all variables are checked.
            profile: env.name("CHATBOT_PROFILE").ok().flatten(),
            settings: None,
            keys: None,
            data_keys: None,
            data_key_lock: None,
            audit_key: None,
            log: None,
            key_calls_allowed: false,
            keys_in_use: BTreeMap::new(),
            reported_model: None,
            compare_at_end: None,
            compare_next: None,
            compare_failed: false,
        })
    }

    /// Another context of the same home and settings file, with nothing opened.
    pub(crate) fn sibling(&self) -> Self {
        self.sibling_opener()()
    }

    /// Opens such a context, on whatever thread.
    pub(crate) fn sibling_opener(&self) -> impl FnOnce() -> Self + Send + use<> {
        let (ui, env, yes) = (self.ui, self.env, self.yes);
        let (home, clock) = (self.home.clone(), self.clock.clone());
        let (settings_file, settings) = (self.settings_file.clone(), self.settings.clone());
        let (profile, log) = (self.profile.clone(), self.log.clone());
        let audit_key = self.audit_key.clone();
        move || Self {
            ui,
            env,
            home,
            clock,
            yes,
            settings_file,
            profile,
            settings,
            keys: None,
            data_keys: None,
            data_key_lock: None,
            audit_key,
            log,
            key_calls_allowed: false,
            keys_in_use: BTreeMap::new(),
            reported_model: None,
            compare_at_end: None,
            compare_next: None,
            compare_failed: false,
        }
    }

    /// Drops the keys and the lock.
    pub(crate) fn close(&mut self) {
        self.keys = None;
        self.data_keys = None;
        self.data_key_lock = None;
    }

    /// Selects the profile of the command line. Called before the settings are read.
    pub(crate) fn select_profile(&mut self, name: &Name) {
        self.profile = Some(name.clone());
    }

    pub(crate) fn settings_file(&self) -> &Path {
        &self.settings_file
    }

    /// Reads the settings. A wrong value is an error even if this command does not need it:
    /// skipping a setting that protects the user would be worse than stopping.
    pub(crate) fn settings(&mut self) -> Result<Arc<Settings>> {
        if let Some(settings) = &self.settings {
            return Ok(Arc::clone(settings));
        }
        let text = self.settings_text()?;
        let (settings, problems) = config::parse(&text);
        for problem in problems {
            // A misspelt limit would limit nothing, and a script shows its warnings to no one.
            let guards = config::is_protective(&problem.key);
            if problem.unknown && !guards {
                self.ui
                    .warning(&describe_problem(&self.settings_file, &problem));
            } else {
                bail!(
                    CliError::new(
                        CliExit::Misuse,
                        "settings",
                        describe_problem(&self.settings_file, &problem)
                    )
                    .hint(format!(
                        "fix it, then run `chatbot config check` (`{}`)",
                        display_path(&self.settings_file)
                    ))
                );
            }
        }
        let settings = Arc::new(self.with_profile(settings));
        self.settings = Some(Arc::clone(&settings));
        let_children_inherit(self.env, &settings, &self.settings_file)?;
        self.notice_changed_settings(&text);
        Ok(settings)
    }

    /// Uses settings that were parsed and whose mistakes were reported already.
    /// Reads the settings again when they are needed next.
    pub(crate) fn forget_settings(&mut self) {
        self.settings = None;
    }

    pub(crate) fn use_settings(&mut self, settings: Settings) {
        self.settings = Some(Arc::new(self.with_profile(settings)));
    }

    fn with_profile(&self, settings: Settings) -> Settings {
        match &self.profile {
            Some(name) => settings.for_profile(name),
            None => settings,
        }
    }

    /// Reads the text of the settings file; empty if there is none.
    pub(crate) fn settings_text(&self) -> Result<String> {
        let bytes = fs::read_user_edited(&self.settings_file, 1 << 20)?;
        if bytes.is_none() && self.settings_file != self.home.settings() {
            bail!(
                CliError::misuse(format!(
                    "there is no settings file `{}`",
                    display_path(&self.settings_file)
                ))
                .hint("create one with `chatbot config init`")
            );
        }
        String::from_utf8(bytes.unwrap_or_default()).map_err(|_| {
            CliError::misuse(format!(
                "`{}` is not UTF-8 text",
                display_path(&self.settings_file)
            ))
            .hint("save it as UTF-8")
            .into()
        })
    }

    /// Logs that the settings have changed since they were last read. A file named by `--config`
    /// may differ each time; and a home that was never used gets no files.
    fn notice_changed_settings(&self, text: &str) {
        if self.settings_file == self.home.settings() && fs::exists(self.audit().path()) {
            notice_change(self.home.state(), text, |event| self.audit_event(event));
        }
    }

    pub(crate) fn redactor(&mut self) -> Result<Arc<Redactor>> {
        let settings = self.settings()?;
        self.redactor_for(&settings.privacy.policy)
    }

    pub(crate) fn redactor_for(&self, policy: &Policy) -> Result<Arc<Redactor>> {
        let redactor = Redactor::new(policy).map_err(|error| {
            let text = self.settings_text().unwrap_or_default();
            let (_, problems) = check_settings(&text);
            let first = problems
                .into_iter()
                .find(|problem| problem.key.contains("privacy."));
            let said = first.map_or_else(
                || error.to_string(),
                |problem| describe_problem(&self.settings_file, &problem),
            );
            CliError::new(CliExit::Misuse, "settings", said)
                .hint("fix it, then run `chatbot config check`")
        })?;
        Ok(Arc::new(redactor))
    }

    /// Opens the keys of this home; the key store itself is contacted later, when a key is needed.
    pub(crate) fn keys(&mut self) -> Result<&mut KeyAccess> {
        if self.keys.is_none() {
            self.check_permissions()?;
            let settings = self.settings()?;
            let store = self.env.key_store()?.unwrap_or(settings.keys.store);
            let settings = config::KeySettings {
                store,
                ..settings.keys.clone()
            };
            self.keys = Some(KeyAccess::new(
                self.ui,
                self.env,
                &self.home,
                &self.clock,
                &settings,
            ));
        }
        self.keys.as_mut().context("the keys are not open")
    }

    /// Refuses folders that other users can write to: they could replace the encrypted files or the
    /// programs' state.
    fn check_permissions(&self) -> Result<()> {
        let home = &self.home;
        match self.env.path("CHATBOT_HOME") {
            // Its folders have no other ancestors, and are checked below.
            Some(root) => fs::inspect_ancestors(&root)?,
            None => {
                fs::inspect_ancestors(home.data())?;
                fs::inspect_ancestors(home.state())?;
            }
        }
        for folder in [
            home.data(),
            &home.conversations(),
            home.state(),
            home.cache(),
        ] {
            fs::check_private_dir(folder)?;
        }
        Ok(())
    }

    /// The name of the store in use; `none` without one.
    pub(crate) fn store_name(&mut self) -> String {
        let kind = |manager: &KeyManager| {
            manager
                .selected_store()
                .map(|chosen| chosen.store.kind().to_string())
        };
        self.keys()
            .ok()
            .and_then(|keys| kind(keys.manager()).ok())
            .unwrap_or_default()
    }

    /// Whether the key store has been asked for something in this run.
    pub(super) fn has_open_key_store(&self) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| keys.manager().is_open())
    }

    /// The data key for files other than conversations. The purpose is required, because each
    /// purpose has a key derived for it alone.
    pub(crate) fn data_keys(&mut self, purpose: Purpose) -> Result<DataKeys> {
        let data_keys = self.data_keys_only()?;
        self.open_audit_key();
        Ok(data_keys.for_purpose(purpose)?)
    }

    /// The data key for conversations. It is created only while no encrypted conversation exists: a
    /// second key could not decrypt the first one's files.
    fn data_keys_only(&mut self) -> Result<Arc<DataKeys>> {
        if let Some(data_keys) = &self.data_keys {
            return Ok(Arc::clone(data_keys));
        }
        // A read-only disk has no lock. Nothing can be re-encrypted there either, so no lock is
        // needed.
        self.data_key_lock = fs::FileLock::acquire_shared(&self.data_key_lock()).ok();
        let sealed = conversations::has_conversations(&self.home.conversations())?;
        let (home, clock) = (self.home.clone(), self.clock.clone());
        let (data_keys, made) = self.keys()?.data_keys(sealed, |key| {
            opens_anything(&home, &clock, key).unwrap_or(false)
        })?;
        if made {
            self.open_audit_key();
            self.audit_event(&Event::new(EventKind::DataKeyMade));
        }
        let data_keys = Arc::new(data_keys);
        self.data_keys = Some(Arc::clone(&data_keys));
        Ok(data_keys)
    }

    /// Drops the data key and the shared lock, so that `history rekey` can take the lock
    /// exclusively.
    pub(crate) fn drop_data_keys(&mut self) {
        self.data_keys = None;
        self.data_key_lock = None;
    }

    /// The lock that every holder of the data key shares, and that `history rekey` takes
    /// exclusively.
    pub(crate) fn data_key_lock(&self) -> PathBuf {
        self.home.state().join("data-key-in-use.lock")
    }

    /// The conversations, for commands that also write to the audit log.
    pub(crate) fn archive(&mut self) -> Result<Archive> {
        let archive = self.archive_read_only()?;
        self.open_audit_key();
        Ok(archive)
    }

    /// The conversations, for commands that only read: one key less to fetch.
    pub(crate) fn archive_read_only(&mut self) -> Result<Archive> {
        let data_keys = self.data_keys_only()?;
        Ok(
            Archive::new(self.home.conversations(), data_keys, self.clock.clone())
                .with_index(self.index_file()),
        )
    }

    pub(crate) fn index_file(&self) -> PathBuf {
        self.home.cache().join("index.fernet")
    }

    pub(crate) fn audit(&self) -> AuditLog {
        AuditLog::new(self.home.state(), self.clock.clone())
            .with_key(self.audit_key.clone())
            .with_required(
                self.settings
                    .as_ref()
                    .is_none_or(|settings| settings.audit_required),
            )
            .with_tap(
                self.log
                    .clone()
                    .map(|log| log::EventTap::new(move |line| log.write(LogLevel::Info, line))),
            )
    }

    /// Writes an event to the audit log. A failure is only a warning: the command continues.
    pub(crate) fn audit_event(&self, event: &Event) {
        if let Err(error) = self.audit().append(event) {
            self.ui
                .warning(&format!("cannot write the audit log: {error}"));
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

    /// Opens the key of the audit log, and creates it if there is none. Without it the log is still
    /// written, but its records have no MAC.
    pub(crate) fn open_audit_key(&mut self) {
        if self.audit_key.is_some() {
            return;
        }
        let lock = self.home.state().join("audit-key.lock");
        if let Ok(keys) = self.keys()
            && let Ok((key, made)) = keys.audit_key(&lock)
        {
            self.audit_key = Some(Arc::new(if made {
                log::AuditKey::newly_created(&key)
            } else {
                log::AuditKey::new(&key)
            }));
            if made {
                // A record under the key is written at once: a log without one was replaced.
                self.audit_event(&Event::new(EventKind::AuditKeyMade));
            }
        }
    }

    /// Reads the audit key if the key store has one, and never creates it; returns whether it is
    /// available.
    pub(crate) fn read_audit_key(&mut self) -> Result<bool> {
        let key = self.keys()?.manager().get(&Slot::AuditKey)?;
        if let Some(key) = &key {
            self.audit_key = Some(Arc::new(log::AuditKey::new(key)));
        }
        Ok(key.is_some())
    }

    pub(crate) fn lockdown(&self) -> Lockdown {
        Lockdown::new(self.home.state())
    }

    /// Fails during a lockdown, and logs the attempt.
    pub(crate) fn refuse_in_lockdown(&self) -> Result<()> {
        Ok(self.lockdown().check().inspect_err(|_| {
            self.audit_event(
                &Event::new(EventKind::Limited)
                    .severity(Severity::Warning)
                    .word("window", "lockdown"),
            );
        })?)
    }

    /// Allows requests about keys even during a lockdown, for commands that send nothing else.
    pub(crate) fn allow_key_calls(&mut self) {
        self.key_calls_allowed = true;
    }

    /// The network settings from the environment. Fails during a lockdown.
    pub(crate) fn http_context(&mut self) -> Result<HttpContext> {
        if !self.key_calls_allowed {
            self.refuse_in_lockdown()?;
        }
        self.network()
    }

    /// The network settings from the environment, whether or not requests are allowed now.
    pub(crate) fn network(&mut self) -> Result<HttpContext> {
        let settings = self.settings()?.network;
        let redactor = self.redactor()?;
        connection::http_context(self.env, settings, redactor, &self.clock)
    }

    pub(crate) const fn logging(&self) -> Option<&DebugLog> {
        self.log.as_ref()
    }

    pub(crate) fn use_log(&mut self, log: DebugLog) {
        self.log = Some(log);
    }
}
