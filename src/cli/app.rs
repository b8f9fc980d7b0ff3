//! Where the house is put together: each part when it is first needed, and not before.

use super::Global;
use super::env::Env;
use super::keys::{Keys, opens_anything};
use super::log::{Level, Log};
use super::report::{Exit, Problem};
use super::rollback::When;
use super::ui::{Ui, shown};
use crate::archive::{self, Archive};
use crate::catalog::{self, Endpoint};
use crate::clock::{self, Clock};
use crate::disk;
use crate::home::Home;
use crate::ledger::audit::{self, Audit};
use crate::ledger::usage::Usage;
use crate::ledger::{Event, Severity, What};
use crate::limit::{Backoff, Limiter, Lockdown};
use crate::name::Name;
use crate::privacy::{Placeholders, Policy, Raw, Redactor};
use crate::provider::Reach;
use crate::seal::{KeyRing, Purpose};
use crate::settings::{self, KeyFrom, Settings, Store};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The parts of the house.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) ui: Ui,
    pub(crate) env: Env,
    pub(crate) home: Home,
    pub(crate) clock: Clock,
    pub(crate) yes: bool,
    settings_file: PathBuf,
    settings: Option<Arc<Settings>>,
    keys: Option<Keys>,
    ring: Option<Arc<KeyRing>>,
    /// Held as long as the ring is.
    sealing: Option<disk::Lock>,
    pub(super) audit_key: Option<Arc<audit::Key>>,
    log: Option<Log>,
    /// Providers may be asked about keys although nothing is sent.
    keys_reach_out: bool,
    /// This command sends messages, and when it compares the state with its marks at its end.
    pub(super) compare_at_end: Option<When>,
}

/// Who answers, and where the key comes from.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: KeyFrom,
    pub(crate) env_name: Option<String>,
    pub(crate) profile: Name,
    pub(crate) model: String,
}

/// `TZ` may name a place, such as `Asia/Tokyo`; rules and files in it are understood further down.
fn live_where_the_environment_says(env: Env) {
    let Ok(Some(said)) = env.text("TZ") else { return };
    let name = said.trim_start_matches(':');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if !name.starts_with('/') && name.chars().all(plain) {
        // Where there is no such file it is a rule, such as `JST-9`.
        if let Ok(rules) = disk::read_foreign(&Path::new("/usr/share/zoneinfo").join(name), 1 << 20) {
            clock::live_in(name, &rules);
        }
    }
}

impl App {
    pub(crate) fn new(ui: Ui, env: Env, global: Global) -> Result<Self> {
        let home = match env.path("CHATBOT_HOME") {
            Some(root) => Home::under(&root),
            None => Home::of_the_platform(),
        }?;
        live_where_the_environment_says(env);
        let named = global.config.or_else(|| env.path("CHATBOT_CONFIG"));
        let beside = |path: PathBuf| if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path };
        let settings_file = named.map_or_else(|| home.settings(), beside);
        Ok(Self {
            ui,
            env,
            home,
            clock: Clock::system(),
            yes: global.yes,
            settings_file,
            settings: None,
            keys: None,
            ring: None,
            sealing: None,
            audit_key: None,
            log: None,
            keys_reach_out: false,
            compare_at_end: None,
        })
    }

    /// What is to be done before the process ends.
    pub(crate) fn close(&mut self) {
        if let Some(when) = self.compare_at_end {
            self.compare_with_marks(when);
        }
        self.keys = None;
        self.ring = None;
        self.sealing = None;
    }

    /// Forgets the keys of conversations until they are needed again, so that another may be alone with them.
    pub(crate) fn let_go_of_the_ring(&mut self) {
        self.ring = None;
        self.sealing = None;
    }

    pub(crate) fn settings_file(&self) -> &PathBuf {
        &self.settings_file
    }

    /// The settings. A wrong value stops everything: what a person wrote down to protect themselves is not passed over.
    pub(crate) fn settings(&mut self) -> Result<Arc<Settings>> {
        if let Some(settings) = &self.settings {
            return Ok(Arc::clone(settings));
        }
        let text = self.settings_text()?;
        let (settings, problems) = settings::parse(&text);
        for problem in problems {
            // A misspelt limit would limit nothing, and nobody may be there to see a warning.
            let guards = settings::guards(&problem.key);
            if problem.unknown && !guards {
                self.ui.warning(&self.sentence(&problem));
            } else {
                bail!(
                    Problem::new(Exit::Misuse, "settings", self.sentence(&problem))
                        .hint(format!("fix it, then run `chatbot config check` (`{}`)", shown(&self.settings_file)))
                );
            }
        }
        let settings = Arc::new(settings);
        self.settings = Some(Arc::clone(&settings));
        self.let_children_inherit(&settings)?;
        self.note_changed_settings(&text);
        Ok(settings)
    }

    /// The text of the settings file; empty if there is none.
    pub(crate) fn settings_text(&self) -> Result<String> {
        let bytes = disk::read_by_hand(&self.settings_file, 1 << 20)?;
        if bytes.is_none() && self.settings_file != self.home.settings() {
            bail!(
                Problem::misuse(format!("there is no settings file `{}`", shown(&self.settings_file)))
                    .hint("create one with `chatbot config init`")
            );
        }
        String::from_utf8(bytes.unwrap_or_default())
            .map_err(|_| Problem::misuse(format!("`{}` is not UTF-8 text", shown(&self.settings_file))).hint("save it as UTF-8").into())
    }

    /// A problem of the settings as a sentence.
    pub(crate) fn sentence(&self, problem: &settings::Problem) -> String {
        let key = if problem.key.is_empty() { String::new() } else { format!("`{}`: ", Raw::from(problem.key.as_str()).printable()) };
        let meant = problem.nearest.as_ref().map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        super::report::without_keys(&format!("{} line {}: {key}{}{meant}", shown(&self.settings_file), problem.line, problem.reason))
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::new(self.home.state(), self.clock.clone())
            .with_key(self.audit_key.clone())
            .required(self.settings.as_ref().is_none_or(|settings| settings.audit_required))
            .with_echo(self.log.clone().map(|log| audit::Echo::new(move |line| log.line(Level::Info, line))))
    }

    /// Writes an event down; where that fails, its owner is told and the work goes on.
    pub(crate) fn note(&self, event: &Event) {
        if let Err(error) = self.audit().add(event) {
            self.ui.warning(&format!("cannot write the audit log: {error}"));
        }
    }

    /// Nothing is sent and no key is handed out while there is a lockdown; that somebody tried is written down.
    pub(crate) fn refuse_in_lockdown(&self) -> Result<()> {
        Ok(self.lockdown().check().inspect_err(|_| {
            self.note(&Event::new(What::Limited).severity(Severity::Warning).word("window", "lockdown"));
        })?)
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::new(self.home.state())
    }

    pub(crate) fn limiter(&mut self) -> Result<Limiter> {
        let limits = self.settings()?.limits;
        Ok(Limiter::new(self.home.state().join("requests"), limits.requests_per_minute, limits.requests_per_hour))
    }

    pub(crate) fn redactor(&mut self) -> Result<Arc<Redactor>> {
        let settings = self.settings()?;
        self.redactor_for(&settings.privacy.policy)
    }

    pub(crate) fn redactor_for(&self, policy: &Policy) -> Result<Arc<Redactor>> {
        let redactor = Redactor::new(policy).map_err(|e| {
            Problem::new(Exit::Misuse, "settings", e.to_string()).hint(format!("fix `[privacy]` in `{}`", shown(&self.settings_file)))
        })?;
        Ok(Arc::new(redactor))
    }

    /// Where keys are.
    pub(crate) fn keys(&mut self) -> Result<&mut Keys> {
        if self.keys.is_none() {
            self.must_be_private()?;
            let settings = self.settings()?;
            let store = self.env_store()?.unwrap_or(settings.keys.store);
            let settings = settings::Keys { store, ..settings.keys };
            self.keys = Some(Keys::new(self.ui, self.env, &self.home, &self.clock, &settings));
        }
        self.keys.as_mut().context("the keys are not open")
    }

    /// Whether the key store has been asked for something in this run.
    pub(super) fn has_open_key_store(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.custody().is_open())
    }

    /// Before a key is had: what others can open or swap is no place for what it seals.
    fn must_be_private(&self) -> Result<()> {
        let home = &self.home;
        let root = self.env.path("CHATBOT_HOME");
        for place in root.as_deref().into_iter().chain([home.data(), home.state()]) {
            disk::inspect_ancestors(place)?;
        }
        for folder in [home.data(), &home.conversations(), home.state(), home.cache()] {
            disk::inspect_folder_of_ours(folder)?;
        }
        Ok(())
    }

    /// The keys that seal something other than conversations. There is no way to the keys without naming what they are for.
    pub(crate) fn ring(&mut self, purpose: Purpose) -> Result<KeyRing> {
        let ring = self.ring_alone()?;
        self.open_audit_key();
        Ok(ring.for_purpose(purpose)?)
    }

    /// The keys that seal conversations. Made once, when nothing sealed exists yet; never again.
    fn ring_alone(&mut self) -> Result<Arc<KeyRing>> {
        if let Some(ring) = &self.ring {
            return Ok(Arc::clone(ring));
        }
        // Where no lock can be had nothing can be sealed anew either: a disk that is only read.
        self.sealing = disk::Lock::share(&self.sealing_lock()).ok();
        let sealed = archive::any_sealed(&self.home.conversations())?;
        let (home, clock) = (self.home.clone(), self.clock.clone());
        let (ring, made) = self.keys()?.data_ring(sealed, |key| opens_anything(&home, &clock, key).unwrap_or(false))?;
        if made {
            self.open_audit_key();
            self.note(&Event::new(What::DataKeyMade));
        }
        let ring = Arc::new(ring);
        self.ring = Some(Arc::clone(&ring));
        Ok(ring)
    }

    /// The key of the audit log, made when there is none. Without it the log is written all the same.
    fn open_audit_key(&mut self) {
        if self.audit_key.is_some() {
            return;
        }
        let lock = self.home.state().join("audit-key.lock");
        if let Ok(keys) = self.keys()
            && let Ok((key, made)) = keys.audit_key(&lock)
        {
            self.audit_key = Some(Arc::new(if made { audit::Key::fresh(&key) } else { audit::Key::new(&key) }));
            if made {
                // From the first moment on there is a record under it: a log without any was put in the place of this one.
                self.note(&Event::new(What::AuditKeyMade));
            }
        }
    }

    /// From here on the log is written and checked with this key.
    pub(crate) fn use_audit_key(&mut self, key: Arc<audit::Key>) {
        self.audit_key = Some(key);
    }

    /// The log, if it is on.
    pub(crate) const fn logging(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// Logs from here on.
    pub(crate) fn use_log(&mut self, log: Log) {
        self.log = Some(log);
    }

    /// Whether anything may be sent at all.
    pub(crate) fn lockdown(&self) -> Lockdown {
        Lockdown::new(self.home.state())
    }

    /// Which providers want to be left alone.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.home.state(), self.clock.clone())
    }

    /// The conversations.
    pub(crate) fn archive(&mut self) -> Result<Archive> {
        let archive = self.archive_to_look_at()?;
        self.open_audit_key();
        Ok(archive)
    }

    /// The conversations for one who only looks and has nothing to write down: a key less to fetch.
    pub(crate) fn archive_to_look_at(&mut self) -> Result<Archive> {
        let ring = self.ring_alone()?;
        Ok(Archive::new(self.home.conversations(), ring, self.clock.clone()).with_index(self.index_file()))
    }

    /// The index of the conversations.
    pub(crate) fn index_file(&self) -> PathBuf {
        self.home.cache().join("index.fernet")
    }

    /// What everyone shares who holds the keys of conversations, and who changes them has alone.
    pub(crate) fn sealing_lock(&self) -> PathBuf {
        self.home.state().join("sealing.lock")
    }

    /// From here on providers may be asked about keys, in lockdown too: for a command that sends nothing else.
    pub(crate) fn reach_for_keys(&mut self) {
        self.keys_reach_out = true;
    }

    /// The network, as the environment wants it.
    pub(crate) fn reach(&mut self) -> Result<Reach> {
        if !self.keys_reach_out {
            self.refuse_in_lockdown()?;
        }
        self.network()
    }

    /// The provider that is meant: the option, then the environment, then the settings, then the default.
    pub(crate) fn choice(&mut self, provider: Option<&Name>, profile: Option<&Name>, model: Option<&str>) -> Result<Choice> {
        let settings = self.settings()?;
        let (name, profile) = self.whose(provider, profile)?;
        let own = settings.provider.as_ref() == Some(&name) || (settings.provider.is_none() && name.as_str() == catalog::DEFAULT_PROVIDER);
        let asked = match model {
            Some(model) => Some(model.to_owned()),
            None => self.env.text("CHATBOT_MODEL")?.or_else(|| settings.model.clone().filter(|_| own)),
        };
        let endpoint = self.endpoint(&name)?;
        if let Some(custom) = settings.providers.get(&name) {
            let model = asked.or_else(|| custom.model.clone()).or_else(|| catalog::find(name.as_str()).map(|e| e.model.to_owned()));
            let Some(model) = model else {
                bail!(
                    Problem::misuse(format!("no model set for `{name}`"))
                        .hint(format!("add `model = \"…\"` to `[providers.{name}]`, or use `--model`"))
                );
            };
            let env_name = match &custom.key {
                KeyFrom::Env(variable) => Some(variable.clone()),
                _ => None,
            };
            let model = self.fit_model(model)?;
            return Ok(Choice { endpoint, key: custom.key.clone(), env_name, profile, model });
        }
        let entry = catalog::find(name.as_str()).context("the provider is not in the catalogue")?;
        let key = if entry.needs_key { KeyFrom::Stored } else { KeyFrom::Nowhere };
        Ok(Choice {
            endpoint,
            key,
            env_name: entry.env.map(str::to_owned),
            profile,
            model: self.fit_model(asked.unwrap_or_else(|| entry.model.to_owned()))?,
        })
    }

    /// The name of a model is sent and written down as it is: one that is a key or an address is a slip of the hand.
    pub(crate) fn fit_model(&mut self, model: String) -> Result<String> {
        const PRIVATE: [&str; 6] = ["API_KEY", "EMAIL", "JWT", "PASSWORD", "PRIVATE_KEY", "URL_CREDENTIALS"];
        let (_, found) = self.redactor()?.redact(Raw::from(model.as_str()), &mut Placeholders::default());
        if let Some((kind, _)) = found.counts().into_iter().find(|(kind, _)| PRIVATE.contains(&kind.as_str())) {
            bail!(
                Problem::new(Exit::Refused, "private_model", format!("the model name contains private data ({kind})"))
                    .hint("list the model names with `chatbot models`")
            );
        }
        Ok(model)
    }

    /// The provider and the profile that are meant, whether or not there is such a provider.
    pub(crate) fn whose(&mut self, provider: Option<&Name>, profile: Option<&Name>) -> Result<(Name, Name)> {
        let profile = match profile {
            Some(profile) => profile.clone(),
            None => self.env_name("CHATBOT_PROFILE")?.map_or_else(|| "default".parse(), Ok)?,
        };
        let name = match provider {
            Some(name) => name.clone(),
            None => match self.env_name("CHATBOT_PROVIDER")? {
                Some(name) => name,
                None => self.settings()?.provider.clone().map_or_else(|| catalog::DEFAULT_PROVIDER.parse(), Ok)?,
            },
        };
        Ok((name, profile))
    }

    /// Looks at every variable that has a form.
    pub(crate) fn check_env(&mut self) -> Result<()> {
        self.keys()?;
        self.choice(None, None, None)?;
        self.network().map(drop)
    }

    /// Where a provider is. One of the settings with a name of the catalogue takes its place, and with it its own key.
    pub(crate) fn endpoint(&mut self, name: &Name) -> Result<Endpoint> {
        let settings = self.settings()?;
        if let Some(custom) = settings.providers.get(name) {
            let mut endpoint = Endpoint::custom(name.clone(), custom.base_url.clone());
            if let Some(like) = &custom.like {
                let Some(entry) = catalog::find(like.as_str()) else {
                    bail!(
                        Problem::misuse(format!("`[providers.{name}]` is like `{like}`, which is not a known provider"))
                            .hint("set `like` to a provider that chatbot knows, such as \"openrouter\"")
                    );
                };
                (endpoint.account, endpoint.dialect) = (entry.account, entry.dialect);
            }
            return Ok(endpoint);
        }
        if let Some(endpoint) = catalog::find(name.as_str()).and_then(catalog::Entry::endpoint) {
            return Ok(endpoint);
        }
        let names = catalog::all().iter().map(|e| e.name).chain(settings.providers.keys().map(Name::as_str));
        let nearest = settings::nearest(name.as_str(), names.clone());
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                format!("known providers: {}; add others as `[providers.{name}]` in the settings", names.collect::<Vec<_>>().join(", "))
            }
        };
        bail!(Problem::misuse(format!("there is no provider `{name}`")).hint(hint))
    }

    /// A variable that is malformed stops everything, whether the command needs it or not: its owner believes that it holds.
    pub(crate) fn refuse_malformed_env(&self) -> Result<()> {
        self.env_store()?;
        for name in ["CHATBOT_PROVIDER", "CHATBOT_PROFILE"] {
            self.env_name(name)?;
        }
        self.env.text("CHATBOT_MODEL").map(drop)
    }

    fn env_store(&self) -> Result<Option<Store>> {
        self.env.word("CHATBOT_KEYRING", &[("auto", Store::Auto), ("os", Store::Os), ("vault", Store::Vault)])
    }

    fn env_name(&self, variable: &str) -> Result<Option<Name>> {
        let Some(text) = self.env.text(variable)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|why| Problem::misuse(format!("`{variable}`: {why}")).hint(format!("change `{variable}`, or unset it")).into())
    }
}
