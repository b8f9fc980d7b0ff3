//! Dependencies of the commands, each opened when a command first needs it.
//!
//! The order matters for the keys, because opening one can open another:
//! 1. `keys` checks that the folders are private before anything is encrypted for them, reads the
//!    settings and selects a store. It does not contact the store yet.
//! 2. `data_keys_only` shares the lock of the data keys, so that `history rekey` cannot replace the data key
//!    while it is in use, then reads the data key. The key is created only if there are no
//!    encrypted conversations yet. Its creation is the one event for which the audit key is opened
//!    here: that record needs a MAC.
//! 3. `open_audit_key` comes last and may fail. It runs only after something else had a reason to
//!    open the key store, so that no command asks for a passphrase only to write the log.
//!
//! `data_keys` and `archive` do both steps. `archive_read_only` leaves out the third, for commands
//! that only read.

use super::GlobalArgs;
use super::env::Env;
use super::keys::{KeyAccess, opens_anything};
use super::state_marks::When;
use crate::audit::log::{self, AuditLog};
use crate::audit::{Event, EventKind, Severity};
use crate::catalog::{self, Endpoint};
use crate::cli::debug_log::{DebugLog, LogLevel};
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::{Ui, display_path};
use crate::config::{self, KeySource, Settings, StoreSetting};
use crate::conversations::{self, Archive};
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::dirs::Dirs;
use crate::fs;
use crate::limits::{Backoff, Limiter, Lockdown};
use crate::name::Name;
use crate::net::HttpContext;
use crate::privacy::{Placeholders, Policy, Raw, Redactor, mask_keys};
use crate::time::{self, Clock};
use crate::usage::UsageLog;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything a command may need, and what has been opened so far.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) ui: Ui,
    pub(crate) env: Env,
    pub(crate) home: Dirs,
    pub(crate) clock: Clock,
    pub(crate) yes: bool,
    settings_file: PathBuf,
    settings: Option<Arc<Settings>>,
    keys: Option<KeyAccess>,
    data_keys: Option<Arc<DataKeys>>,
    /// Shared with other processes for as long as the data key is in use.
    data_key_lock: Option<fs::FileLock>,
    pub(super) audit_key: Option<Arc<log::AuditKey>>,
    log: Option<DebugLog>,
    /// Providers may be asked about keys during a lockdown, because no message is sent.
    key_calls_allowed: bool,
    /// This command sends messages, and when it compares the state with its marks at its end.
    pub(super) compare_at_end: Option<When>,
}

/// The provider, model and key to use for a request.
#[derive(Clone, Debug)]
pub(crate) struct ProviderChoice {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: KeySource,
    pub(crate) env_name: Option<String>,
    pub(crate) profile: Name,
    pub(crate) model: String,
}

/// Loads the time zone that `TZ` names, such as `Asia/Tokyo`. `jiff` understands rules and absolute
/// paths by itself.
fn apply_tz(env: Env) {
    let Ok(Some(said)) = env.text("TZ") else {
        return;
    };
    let name = said.trim_start_matches(':');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if !name.starts_with('/') && name.chars().all(plain) {
        // If the file does not exist, the value is a rule such as `JST-9`.
        if let Ok(rules) = fs::read_external(&Path::new("/usr/share/zoneinfo").join(name), 1 << 20)
        {
            time::set_time_zone(name, &rules);
        }
    }
}

impl App {
    pub(crate) fn new(ui: Ui, env: Env, global: GlobalArgs) -> Result<Self> {
        let home = match env.path("CHATBOT_HOME") {
            Some(root) => Dirs::under_root(&root),
            None => Dirs::platform_default(),
        }?;
        apply_tz(env);
        let named = global.config.or_else(|| env.path("CHATBOT_CONFIG"));
        let in_current_dir = |path: PathBuf| {
            if path.parent() == Some(Path::new("")) {
                Path::new(".").join(path)
            } else {
                path
            }
        };
        let settings_file = named.map_or_else(|| home.settings(), in_current_dir);
        Ok(Self {
            ui,
            env,
            home,
            clock: Clock::system(),
            yes: global.yes,
            settings_file,
            settings: None,
            keys: None,
            data_keys: None,
            data_key_lock: None,
            audit_key: None,
            log: None,
            key_calls_allowed: false,
            compare_at_end: None,
        })
    }

    /// Compares the state with its marks if due, then drops the keys and the lock.
    pub(crate) fn close(&mut self) {
        if let Some(when) = self.compare_at_end {
            self.compare_with_marks(when);
        }
        self.keys = None;
        self.data_keys = None;
        self.data_key_lock = None;
    }

    /// Drops the data key and the shared lock, so that `history rekey` can take the lock
    /// exclusively.
    pub(crate) fn drop_data_keys(&mut self) {
        self.data_keys = None;
        self.data_key_lock = None;
    }

    pub(crate) fn settings_file(&self) -> &PathBuf {
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
                self.ui.warning(&self.describe_problem(&problem));
            } else {
                bail!(
                    CliError::new(CliExit::Misuse, "settings", self.describe_problem(&problem))
                        .hint(format!(
                            "fix it, then run `chatbot config check` (`{}`)",
                            display_path(&self.settings_file)
                        ))
                );
            }
        }
        let settings = Arc::new(settings);
        self.settings = Some(Arc::clone(&settings));
        self.let_children_inherit(&settings)?;
        self.audit_changed_settings(&text);
        Ok(settings)
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

    /// Formats a problem of the settings, without any key that was pasted into them.
    pub(crate) fn describe_problem(&self, problem: &config::SettingsProblem) -> String {
        let key = if problem.key.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", Raw::from(problem.key.as_str()).printable())
        };
        let meant = problem
            .nearest
            .as_ref()
            .map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        mask_keys(&format!(
            "{} line {}: {key}{}{meant}",
            display_path(&self.settings_file),
            problem.line,
            problem.reason
        ))
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

    pub(crate) fn usage(&self) -> UsageLog {
        UsageLog::new(self.home.state())
    }

    pub(crate) fn limiter(&mut self) -> Result<Limiter> {
        let limits = self.settings()?.limits;
        Ok(Limiter::new(
            self.home.state().join("requests"),
            limits.requests_per_minute,
            limits.requests_per_hour,
        ))
    }

    pub(crate) fn redactor(&mut self) -> Result<Arc<Redactor>> {
        let settings = self.settings()?;
        self.redactor_for(&settings.privacy.policy)
    }

    pub(crate) fn redactor_for(&self, policy: &Policy) -> Result<Arc<Redactor>> {
        let redactor = Redactor::new(policy).map_err(|e| {
            CliError::new(CliExit::Misuse, "settings", e.to_string()).hint(format!(
                "fix `[privacy]` in `{}`",
                display_path(&self.settings_file)
            ))
        })?;
        Ok(Arc::new(redactor))
    }

    /// Opens the keys of this home; the key store itself is contacted later, when a key is needed.
    pub(crate) fn keys(&mut self) -> Result<&mut KeyAccess> {
        if self.keys.is_none() {
            self.check_permissions()?;
            let settings = self.settings()?;
            let store = self.env_store()?.unwrap_or(settings.keys.store);
            let settings = config::KeySettings {
                store,
                ..settings.keys
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

    /// Whether the key store has been asked for something in this run.
    pub(super) fn has_open_key_store(&self) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| keys.manager().is_open())
    }

    /// Refuses folders that other users can write to: they could replace the encrypted files or the
    /// programs' state.
    fn check_permissions(&self) -> Result<()> {
        let home = &self.home;
        let root = self.env.path("CHATBOT_HOME");
        for place in root
            .as_deref()
            .into_iter()
            .chain([home.data(), home.state()])
        {
            fs::inspect_ancestors(place)?;
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

    /// Opens the key of the audit log, and creates it if there is none. Without it the log is still
    /// written, but its records have no MAC.
    fn open_audit_key(&mut self) {
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

    /// Uses this key for the audit log from now on.
    pub(crate) fn use_audit_key(&mut self, key: Arc<log::AuditKey>) {
        self.audit_key = Some(key);
    }

    pub(crate) const fn logging(&self) -> Option<&DebugLog> {
        self.log.as_ref()
    }

    pub(crate) fn use_log(&mut self, log: DebugLog) {
        self.log = Some(log);
    }

    pub(crate) fn lockdown(&self) -> Lockdown {
        Lockdown::new(self.home.state())
    }

    /// The providers that asked for a pause, and how long it lasts.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.home.state(), self.clock.clone())
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

    /// The lock that every holder of the data key shares, and that `history rekey` takes
    /// exclusively.
    pub(crate) fn data_key_lock(&self) -> PathBuf {
        self.home.state().join("data-key-in-use.lock")
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

    /// Selects the provider: from the option, else the environment, else the settings, else the
    /// default.
    pub(crate) fn choose_provider(
        &mut self,
        provider: Option<&Name>,
        profile: Option<&Name>,
        model: Option<&str>,
    ) -> Result<ProviderChoice> {
        let settings = self.settings()?;
        let (name, profile) = self.resolve_provider(provider, profile)?;
        let own = settings.provider.as_ref() == Some(&name)
            || (settings.provider.is_none() && name.as_str() == catalog::DEFAULT_PROVIDER);
        let asked = match model {
            Some(model) => Some(model.to_owned()),
            None => self
                .env
                .text("CHATBOT_MODEL")?
                .or_else(|| settings.model.clone().filter(|_| own)),
        };
        let endpoint = self.endpoint(&name)?;
        if let Some(custom) = settings.providers.get(&name) {
            let model = asked
                .or_else(|| custom.model.clone())
                .or_else(|| catalog::find(name.as_str()).map(|e| e.model.to_owned()));
            let Some(model) = model else {
                bail!(
                    CliError::misuse(format!("no model set for `{name}`")).hint(format!(
                        "add `model = \"…\"` to `[providers.{name}]`, or use `--model`"
                    ))
                );
            };
            let env_name = match &custom.key {
                KeySource::Env(variable) => Some(variable.clone()),
                _ => None,
            };
            let model = self.check_model_name(model)?;
            return Ok(ProviderChoice {
                endpoint,
                key: custom.key.clone(),
                env_name,
                profile,
                model,
            });
        }
        let entry = catalog::find(name.as_str()).context("the provider is not in the catalogue")?;
        let key = if entry.needs_key {
            KeySource::Stored
        } else {
            KeySource::NoKey
        };
        Ok(ProviderChoice {
            endpoint,
            key,
            env_name: entry.env.map(str::to_owned),
            profile,
            model: self.check_model_name(asked.unwrap_or_else(|| entry.model.to_owned()))?,
        })
    }

    /// Refuses a model name that contains a key or an address: model names are sent and logged
    /// without redaction.
    pub(crate) fn check_model_name(&mut self, model: String) -> Result<String> {
        const UNWANTED_IN_MODEL_NAMES: [&str; 6] = [
            "API_KEY",
            "EMAIL",
            "JWT",
            "PASSWORD",
            "PRIVATE_KEY",
            "URL_CREDENTIALS",
        ];
        let (_, found) = self
            .redactor()?
            .redact(Raw::from(model.as_str()), &mut Placeholders::default());
        if let Some((kind, _)) = found
            .counts()
            .into_iter()
            .find(|(kind, _)| UNWANTED_IN_MODEL_NAMES.contains(&kind.as_str()))
        {
            bail!(
                CliError::new(
                    CliExit::Refused,
                    "private_model",
                    format!("the model name contains private data ({kind})")
                )
                .hint("list the model names with `chatbot models`")
            );
        }
        Ok(model)
    }

    /// The selected provider and profile, whether or not the provider exists.
    pub(crate) fn resolve_provider(
        &mut self,
        provider: Option<&Name>,
        profile: Option<&Name>,
    ) -> Result<(Name, Name)> {
        let profile = match profile {
            Some(profile) => profile.clone(),
            None => self
                .env_name("CHATBOT_PROFILE")?
                .map_or_else(|| "default".parse(), Ok)?,
        };
        let name = match provider {
            Some(name) => name.clone(),
            None => match self.env_name("CHATBOT_PROVIDER")? {
                Some(name) => name,
                None => self
                    .settings()?
                    .provider
                    .clone()
                    .map_or_else(|| catalog::DEFAULT_PROVIDER.parse(), Ok)?,
            },
        };
        Ok((name, profile))
    }

    /// Checks every variable that has a required format.
    pub(crate) fn check_env(&mut self) -> Result<()> {
        self.keys()?;
        self.choose_provider(None, None, None)?;
        self.network().map(drop)
    }

    /// Finds the endpoint of a provider. An entry in the settings replaces one of the catalogue
    /// with the same name, and then has a key of its own.
    pub(crate) fn endpoint(&mut self, name: &Name) -> Result<Endpoint> {
        let settings = self.settings()?;
        if let Some(custom) = settings.providers.get(name) {
            let mut endpoint = Endpoint::custom(name.clone(), custom.base_url.clone());
            if let Some(like) = &custom.compatible_with {
                let Some(entry) = catalog::find(like.as_str()) else {
                    bail!(
                        CliError::misuse(format!("`[providers.{name}]` is compatible with `{like}`, which is not a known provider"))
                            .hint("set `compatible_with` to a provider that chatbot knows, such as \"openrouter\"")
                    );
                };
                (endpoint.key_check_api, endpoint.dialect) = (entry.key_check_api, entry.dialect);
            }
            return Ok(endpoint);
        }
        if let Some(endpoint) =
            catalog::find(name.as_str()).and_then(catalog::ProviderInfo::endpoint)
        {
            return Ok(endpoint);
        }
        let names = catalog::all()
            .iter()
            .map(|e| e.name)
            .chain(settings.providers.keys().map(Name::as_str));
        let nearest = config::closest_name(name.as_str(), names.clone());
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                format!(
                    "known providers: {}; add others as `[providers.{name}]` in the settings",
                    names.collect::<Vec<_>>().join(", ")
                )
            }
        };
        bail!(CliError::misuse(format!("there is no provider `{name}`")).hint(hint))
    }

    /// Fails if any variable is malformed, even if the command does not need it: the user believes
    /// that it is in force.
    pub(crate) fn refuse_malformed_env(&self) -> Result<()> {
        self.env_store()?;
        for name in ["CHATBOT_PROVIDER", "CHATBOT_PROFILE"] {
            self.env_name(name)?;
        }
        self.env.text("CHATBOT_MODEL").map(drop)
    }

    fn env_store(&self) -> Result<Option<StoreSetting>> {
        self.env.choice(
            "CHATBOT_KEYRING",
            &[
                ("auto", StoreSetting::Auto),
                ("os-keyring", StoreSetting::Os),
                ("os", StoreSetting::Os),
                ("vault", StoreSetting::Vault),
            ],
        )
    }

    fn env_name(&self, variable: &str) -> Result<Option<Name>> {
        let Some(text) = self.env.text(variable)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|why| {
            CliError::misuse(format!("`{variable}`: {why}"))
                .hint(format!("change `{variable}`, or unset it"))
                .into()
        })
    }
}
