//! The settings: their types and defaults.

mod defaults;
mod edit;
mod parse;
mod preset;
mod profile;
mod raw;
mod role;
mod section;
mod ui;
mod values;

pub use defaults::{ReasoningEffort, RequestDefaults};
pub use edit::{EditError, SettingKey, append, entries, line_of_setting, remove, set, unset};
pub use parse::{is_protective, parse};
pub use preset::Preset;
pub use profile::ProfileSettings;
pub use raw::{RawSetting, list_raw};
pub use role::{RoleFile, parse_role};
pub use section::SettingsProblem;
pub use ui::{EditMode, Notification, ReasoningDisplay, ThemeSetting, UiSettings};
pub use values::parse_nanos;

use crate::name::Name;
use crate::privacy::Policy;
use crate::privacy::input_check::Suspicious;
use std::collections::BTreeMap;

/// The file that `config init` writes: every setting with its default, commented out.
pub const TEMPLATE: &str = include_str!("template.toml");

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The default provider.
    pub provider: Option<Name>,
    /// The default model; otherwise that of the provider.
    pub model: Option<String>,
    /// Options of all requests.
    pub defaults: RequestDefaults,
    /// Options of requests to a provider or model, by its name.
    pub defaults_by_name: BTreeMap<String, RequestDefaults>,
    /// Short names of models, each for `provider/model`.
    pub aliases: BTreeMap<String, String>,
    /// Whether a message that cannot be recorded in the audit log is refused.
    pub audit_required: bool,
    /// Limits on the number of requests and the size of messages.
    pub limits: LimitSettings,
    /// Limits on costs.
    pub budget: BudgetSettings,
    /// What is redacted, sent and saved.
    pub privacy: PrivacySettings,
    /// Where and how long keys are stored.
    pub keys: KeySettings,
    /// Who is notified about alerts.
    pub alerts: AlertSettings,
    /// Time limits of requests.
    pub network: NetworkSettings,
    /// How answers look, and how the line is edited.
    pub ui: UiSettings,
    /// The environment of child processes.
    pub children: ChildSettings,
    /// Whom to ask after an incident.
    pub incident: IncidentSettings,
    /// Servers of the user's own, by name.
    pub providers: BTreeMap<Name, CustomProvider>,
    /// The profile whose keys are used, if the selected profile names another one.
    pub key_profile: Option<Name>,
    /// What each profile replaces, by its name.
    pub profiles: BTreeMap<Name, ProfileSettings>,
}

/// `[limits]`
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// The most requests within any window of `minute_window_s` seconds.
    pub requests_per_minute: u32,
    /// The most requests within any window of `hour_window_s` seconds.
    pub requests_per_hour: u32,
    /// The length of the shorter window, in seconds.
    pub minute_window_s: u32,
    /// The length of the longer window, in seconds.
    pub hour_window_s: u32,
    /// The most characters of a typed message.
    pub max_message_chars: usize,
    /// The most characters of a text that is pasted into the prompt.
    pub max_paste_chars: usize,
    /// The most bytes of attachments or piped input.
    pub max_attachment_bytes: u64,
    /// The most bytes of an attached picture.
    pub max_image_bytes: u64,
    /// The most messages of a conversation.
    pub max_messages: usize,
}

/// `[budget]`, in billionths of a dollar.
#[derive(Clone, Copy, Debug, Default)]
pub struct BudgetSettings {
    /// The limit for a day.
    pub per_day: Option<i64>,
    /// The limit for a month.
    pub per_month: Option<i64>,
    /// The limit for a conversation.
    pub per_conversation: Option<i64>,
    /// Whether a model with an unknown price can be used although a budget is set.
    pub allow_unknown_price: bool,
}

/// `[privacy]`
#[derive(Clone, Debug)]
pub struct PrivacySettings {
    /// The rules of redaction.
    pub policy: Policy,
    /// How suspicious text is treated.
    pub suspicious: Suspicious,
    /// Whether a message with private data is not saved at all.
    pub drop_findings: bool,
    /// Whether the user is asked before a message that contains a secret is sent.
    pub ask_on_secret: bool,
    /// Whether the user is asked before a picture is sent.
    pub ask_on_image: bool,
    /// Conversations older than this are deleted; 0 keeps them.
    pub retention_days: u32,
    /// Whether only providers are used that neither store messages nor train on them.
    pub deny_collection: bool,
    /// Whether only endpoints with zero data retention are used.
    pub zdr: bool,
}

/// The key store that the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreSetting {
    /// The store that has the keys; else an existing vault; else the OS keyring.
    #[default]
    Auto,
    /// Only the OS keyring.
    Os,
    /// Only the vault.
    Vault,
}

/// `[keys]`
#[derive(Clone, Debug)]
pub struct KeySettings {
    /// The user is warned about an API key older than this; 0 turns the warning off.
    pub rotate_after_days: u32,
    /// A saved key that was neither checked nor used for this long is checked before it is used; 0
    /// turns the check off.
    pub validate_every_days: u32,
    /// The longest that a call of the OS keyring can take.
    pub keyring_timeout_s: u32,
    /// How long the kernel caches a secret from the OS keyring.
    pub keyring_remember_s: u32,
    /// The key store.
    pub store: StoreSetting,
    /// A file that opens the vault together with the passphrase.
    pub key_file: Option<String>,
    /// A program and its arguments. It answers the challenge of the vault.
    pub second_factor_command: Vec<String>,
    /// The longest that the program can take.
    pub second_factor_timeout_s: u32,
}

/// `[alerts]`
#[derive(Clone, Debug, Default)]
pub struct AlertSettings {
    /// A program and its arguments. It receives each alert as JSON on standard input.
    pub command: Vec<String>,
    /// Whether a critical alert starts a lockdown.
    pub lockdown: bool,
}

/// `[network]`
#[derive(Clone, Copy, Debug)]
pub struct NetworkSettings {
    /// The longest that one request can take, including retries.
    pub deadline_s: u32,
    /// The longest wait for a connection.
    pub connect_timeout_s: u32,
    /// The longest wait for the beginning of an answer.
    pub first_byte_timeout_s: u32,
    /// The longest pause within an answer.
    pub idle_timeout_s: u32,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            deadline_s: 1800,
            connect_timeout_s: 10,
            first_byte_timeout_s: 120,
            idle_timeout_s: 60,
        }
    }
}

/// `[children]`
#[derive(Clone, Debug, Default)]
pub struct ChildSettings {
    /// Variables that child processes inherit in addition to the usual ones.
    pub pass_env: Vec<String>,
}

/// `[incident]`
#[derive(Clone, Debug, Default)]
pub struct IncidentSettings {
    /// The name and address that notices are signed with.
    pub contact: Option<String>,
}

/// The source of the key for a server of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The server needs no key.
    NoKey,
    /// The key store.
    Stored,
    /// An environment variable.
    Env(String),
}

/// `[providers.NAME]`
#[derive(Clone, Debug)]
pub struct CustomProvider {
    /// The base URL of its API.
    pub base_url: String,
    /// The source of its key.
    pub key: KeySource,
    /// The default model.
    pub model: Option<String>,
    /// Whether plain http is accepted at a host of the local network.
    pub allow_http: bool,
    /// The known provider that it is compatible with, for a gateway in front of one.
    pub compatible_with: Option<Name>,
    /// The context window of its models, in tokens, if the server does not report it.
    pub context_tokens: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider: None,
            model: None,
            defaults: RequestDefaults::default(),
            defaults_by_name: BTreeMap::new(),
            aliases: BTreeMap::new(),
            audit_required: true,
            limits: LimitSettings {
                requests_per_minute: 20,
                requests_per_hour: 100,
                minute_window_s: 60,
                hour_window_s: 3600,
                max_message_chars: 4000,
                max_paste_chars: 100_000,
                max_attachment_bytes: 1_048_576,
                max_image_bytes: 5_242_880,
                max_messages: 1000,
            },
            budget: BudgetSettings::default(),
            privacy: PrivacySettings {
                policy: Policy::default(),
                suspicious: Suspicious::Warn,
                drop_findings: false,
                ask_on_secret: false,
                ask_on_image: true,
                retention_days: 0,
                deny_collection: true,
                zdr: false,
            },
            keys: KeySettings {
                rotate_after_days: 90,
                validate_every_days: 7,
                keyring_timeout_s: 15,
                keyring_remember_s: 2,
                store: StoreSetting::Auto,
                key_file: None,
                second_factor_command: Vec::new(),
                second_factor_timeout_s: 60,
            },
            alerts: AlertSettings::default(),
            network: NetworkSettings::default(),
            ui: UiSettings::default(),
            children: ChildSettings::default(),
            incident: IncidentSettings::default(),
            providers: BTreeMap::new(),
            key_profile: None,
            profiles: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The options of requests to a model: those for the model, else for its provider, else for
    /// all.
    #[must_use]
    pub fn defaults_for(&self, provider: &str, model: &str) -> RequestDefaults {
        let named = |name: &str| self.defaults_by_name.get(name).cloned().unwrap_or_default();
        named(&format!("{provider}/{model}"))
            .or(&named(model))
            .or(&named(provider))
            .or(&self.defaults)
    }

    /// The provider and model that an alias stands for.
    #[must_use]
    pub fn alias(&self, name: &str) -> Option<(Name, String)> {
        let (provider, model) = self.aliases.get(name)?.split_once('/')?;
        Some((provider.parse().ok()?, model.to_owned()))
    }
}

/// The name that `word` was probably meant to be: at most a third of its letters differ. Two letters
/// in the wrong order count once.
pub fn closest_name<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names
        .into_iter()
        .map(|name| (strsim::osa_distance(word, name), name))
        .min()?;
    (scored.0 <= (word.chars().count().max(3)) / 3).then_some(scored.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_suggests_closest_name() {
        let names = ["redact", "disable", "allow"];
        assert_eq!(closest_name("redcat", names), Some("redact"));
        assert_eq!(closest_name("alow", names), Some("allow"));
        assert_eq!(closest_name("xyzzy", names), None);
    }
}
