//! `config show`: the settings in effect, as a file that produces the same settings.

use crate::catalog;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::term::format::json_dollars;
use crate::config::{
    BudgetSettings, KeySettings, KeySource, LimitSettings, NetworkSettings, PrivacySettings,
    RequestDefaults, Settings, StoreSetting, closest_name,
};
use crate::name::Name;
use crate::privacy::Raw;
use crate::privacy::input_check::Suspicious;
use anyhow::{Result, bail};
use clap::Args;

/// Print the settings in effect
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigShowArgs {
    /// Print the settings in effect while this profile is selected
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &ConfigShowArgs) -> Result<()> {
    let settings = context.settings()?;
    let Some(name) = &options.profile else {
        return print(context, &format_settings(&settings), options.json);
    };
    if !settings.profiles.contains_key(name) {
        let known = settings.profiles.keys().map(Name::as_str);
        let hint = match closest_name(name.as_str(), known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("add `[profile.{name}]` to the settings"),
        };
        let what = format!("there is no profile `{name}` in the settings");
        bail!(CliError::misuse(what).hint(hint));
    }
    let mut settings = (*settings).clone().for_profile(name);
    settings.profiles.clear();
    print(context, &format_settings(&settings), options.json)
}

fn print(context: &Context, text: &str, as_json: bool) -> Result<()> {
    if !as_json {
        return context.ui.out(text);
    }
    let settings: serde_json::Value = toml::from_str(text)?;
    let object = serde_json::json!({ "schema_version": 1, "settings": settings });
    context.ui.json(&object)
}

pub(super) fn format_settings(settings: &Settings) -> String {
    [
        format_general(settings),
        format_names(settings),
        format_limits(&settings.limits),
        format_budget(&settings.budget),
        format_privacy(&settings.privacy),
        format_keys(&settings.keys),
        format!(
            "\n[alerts]\ncommand = {}\nlockdown = {}\n",
            quote_list(&settings.alerts.command),
            settings.alerts.lockdown
        ),
        settings
            .incident
            .contact
            .as_ref()
            .map_or_else(String::new, |contact| {
                format!("\n[incident]\ncontact = {}\n", quote(contact))
            }),
        format_network(&settings.network),
        format_ui(settings),
        format!(
            "\n[children]\npass_env = {}\n",
            quote_list(&settings.children.pass_env)
        ),
        format_providers(settings),
        format_profiles(settings),
    ]
    .concat()
}

fn quote(text: &str) -> String {
    serde_json::to_string(&Raw::from(text).printable()).unwrap_or_default()
}

fn quote_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(", "))
}

fn format_general(settings: &Settings) -> String {
    let provider = settings
        .provider
        .as_ref()
        .map_or(catalog::DEFAULT_PROVIDER, |p| p.as_str());
    let model = settings
        .model
        .clone()
        .or_else(|| catalog::find(provider).map(|e| e.model.to_owned()));
    let model = model.map_or(String::new(), |m| format!("model = {}\n", quote(&m)));
    let audit = if settings.audit_required {
        "required"
    } else {
        "best-effort"
    };
    format!(
        "provider = {}\n{model}{}audit = \"{audit}\"\n",
        quote(provider),
        format_defaults(&settings.defaults)
    )
}

fn format_defaults(defaults: &RequestDefaults) -> String {
    let line = |name: &str, value: Option<String>| {
        value.map_or(String::new(), |value| format!("{name} = {value}\n"))
    };
    [
        line("system", defaults.system.as_deref().map(quote)),
        line(
            "temperature",
            defaults.temperature.map(|n| format!("{n:?}")),
        ),
        line("max_tokens", defaults.max_tokens.map(|n| n.to_string())),
        line("reasoning", defaults.reasoning.map(|r| quote(r.name()))),
    ]
    .concat()
}

fn format_names(settings: &Settings) -> String {
    let mut out = String::new();
    if !settings.aliases.is_empty() {
        out += "\n[aliases]\n";
    }
    for (name, target) in &settings.aliases {
        out += &format!("{} = {}\n", quote(name), quote(target));
    }
    for (name, defaults) in &settings.defaults_by_name {
        out += &format!(
            "\n[defaults.{}]\n{}",
            quote(name),
            format_defaults(defaults)
        );
    }
    out
}

fn format_limits(limits: &LimitSettings) -> String {
    format!(
        "\n[limits]\nrequests_per_minute = {}\nrequests_per_hour = {}\nminute_window_s = {}\nhour_window_s = {}\nmax_message_chars = {}\nmax_paste_chars = {}\nmax_attachment_bytes = {}\nmax_image_bytes = {}\nmax_messages = {}\n",
        limits.requests_per_minute,
        limits.requests_per_hour,
        limits.minute_window_s,
        limits.hour_window_s,
        limits.max_message_chars,
        limits.max_paste_chars,
        limits.max_attachment_bytes,
        limits.max_image_bytes,
        limits.max_messages
    )
}

fn format_budget(budget: &BudgetSettings) -> String {
    let mut out = String::from("\n[budget]\n");
    for (name, nanos) in [
        ("per_day", budget.per_day),
        ("per_month", budget.per_month),
        ("per_conversation", budget.per_conversation),
    ] {
        out += &nanos.map_or_else(
            || format!("# {name}: none\n"),
            |n| format!("{name} = {}\n", json_dollars(n)),
        );
    }
    let unknown = if budget.allow_unknown_price {
        "allow"
    } else {
        "refuse"
    };
    out + &format!("unknown_price = \"{unknown}\"\n")
}

fn format_privacy(privacy: &PrivacySettings) -> String {
    let policy = &privacy.policy;
    let patterns: Vec<String> = policy
        .patterns
        .iter()
        .map(|(kind, pattern)| {
            format!("{{ kind = {}, pattern = {} }}", quote(kind), quote(pattern))
        })
        .collect();
    let suspicious = match privacy.suspicious {
        Suspicious::Warn => "warn",
        Suspicious::Block => "block",
        Suspicious::Off => "off",
    };
    let choose = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    format!(
        "\n[privacy]\nredact = {}\ndisable = {}\nallow = {}\nnever = {}\npatterns = [{}]\nsuspicious = \"{suspicious}\"\non_secret = \"{}\"\nask_on_image = {}\nretention = {{ pii = \"{}\", days = {} }}\ndata_collection = \"{}\"\nzdr = {}\n",
        !policy.off,
        quote_list(&policy.disable),
        quote_list(&policy.allow),
        quote_list(&policy.never),
        patterns.join(", "),
        choose(privacy.ask_on_secret, "ask", "redact"),
        privacy.ask_on_image,
        choose(privacy.drop_findings, "drop", "redact"),
        privacy.retention_days,
        choose(privacy.deny_collection, "deny", "allow"),
        privacy.zdr
    )
}

fn format_keys(keys: &KeySettings) -> String {
    let store = match keys.store {
        StoreSetting::Auto => "auto",
        StoreSetting::Os => "os-keyring",
        StoreSetting::Vault => "vault",
    };
    let key_file = keys.key_file.as_ref();
    let key_file = key_file.map_or_else(String::new, |f| format!("key_file = {}\n", quote(f)));
    format!(
        "\n[keys]\nrotate_after_days = {}\nvalidate_every_days = {}\nkeyring_timeout_s = {}\nkeyring_remember_s = {}\nstore = \"{store}\"\n{key_file}second_factor_command = {}\nsecond_factor_timeout_s = {}\n",
        keys.rotate_after_days,
        keys.validate_every_days,
        keys.keyring_timeout_s,
        keys.keyring_remember_s,
        quote_list(&keys.second_factor_command),
        keys.second_factor_timeout_s
    )
}

fn format_network(network: &NetworkSettings) -> String {
    format!(
        "\n[network]\ndeadline_s = {}\nconnect_timeout_s = {}\nfirst_byte_timeout_s = {}\nidle_timeout_s = {}\n",
        network.deadline_s,
        network.connect_timeout_s,
        network.first_byte_timeout_s,
        network.idle_timeout_s
    )
}

fn format_ui(settings: &Settings) -> String {
    let entries = settings.ui.entries();
    let lines = entries.map(|(name, value)| format!("{name} = {value}\n"));
    format!("\n[ui]\n{}", lines.concat())
}

fn format_providers(settings: &Settings) -> String {
    let mut out = String::new();
    for (name, custom) in &settings.providers {
        let key = match &custom.key {
            KeySource::NoKey => "none".to_owned(),
            KeySource::Stored => "stored".to_owned(),
            KeySource::Env(variable) => format!("env:{variable}"),
        };
        out += &format!(
            "\n[providers.{name}]\nbase_url = {}\nkey = \"{key}\"\n",
            quote(&custom.base_url)
        );
        out += &custom
            .model
            .as_ref()
            .map_or(String::new(), |m| format!("model = {}\n", quote(m)));
        if custom.allow_http {
            out += "allow_http = true\n";
        }
        out += &custom
            .compatible_with
            .as_ref()
            .map_or(String::new(), |like| {
                format!("compatible_with = \"{like}\"\n")
            });
    }
    out
}

/// Each profile with all that it can replace.
fn format_profiles(settings: &Settings) -> String {
    let mut out = String::new();
    for (name, profile) in &settings.profiles {
        // What is the same here is taken over when this file is read.
        let provider = profile.provider.as_ref();
        let provider = provider
            .filter(|_| profile.provider != settings.provider)
            .map(|p| format!("provider = {}\n", quote(p.as_str())));
        let model = profile.model.as_ref();
        let model = model
            .filter(|_| profile.model != settings.model)
            .map(|m| format!("model = {}\n", quote(m)));
        let key_profile = profile.key_profile.as_ref();
        let key_profile = key_profile.map(|p| format!("key_profile = {}\n", quote(p.as_str())));
        let tables = [
            format_limits(&profile.limits),
            format_budget(&profile.budget),
            format_privacy(&profile.privacy),
        ];
        out += &format!(
            "\n[profile.{name}]\n{}{}{}{}{}",
            provider.unwrap_or_default(),
            model.unwrap_or_default(),
            key_profile.unwrap_or_default(),
            format_defaults(&profile.defaults),
            // No value holds a line break, so each of these begins a table.
            tables
                .concat()
                .replace("\n[", &format!("\n[profile.{name}."))
        );
    }
    out
}
