//! Parses the settings file: every mistake is reported with line, key and reason, and the rest is
//! used all the same.

use crate::config::section::{SectionReader, SettingsProblem, line_of};
use crate::config::values::{
    BOOL_HINT, UINT_HINT, parse_key_source, parse_patterns, parse_texts, parse_uint,
    parse_variables, parse_word,
};
use crate::config::{
    CustomProvider, KeySettings, KeySource, PrivacySettings, RequestDefaults, Settings,
    StoreSetting, closest_name,
};
use crate::name::Name;
use crate::privacy::input_check::Suspicious;
use toml::de::{DeTable, DeValue};

/// Parses a settings file. Returns the settings that are valid, and all mistakes.
#[must_use]
pub fn parse(text: &str) -> (Settings, Vec<SettingsProblem>) {
    let mut settings = Settings::default();
    let mut problems = Vec::new();
    match DeTable::parse(text) {
        Ok(table) => {
            let mut section = SectionReader::new(text, table.into_inner(), &mut problems);
            settings.read_section(&mut section);
            section.finish();
        }
        Err(error) => problems.push(SettingsProblem {
            line: line_of(text, error.span().map_or(0, |s| s.start)),
            key: String::new(),
            reason: error.message().to_owned(),
            nearest: None,
            unknown: false,
        }),
    }
    problems.sort_by_key(|p| p.line);
    (settings, problems)
}

impl Settings {
    fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        let mut common = self.common();
        common.read_section(s);
        self.replace_common(common);
        s.named_tables("defaults", |s, name| {
            let mut defaults = RequestDefaults::default();
            defaults.read_section(s);
            self.defaults_by_name.insert(name.to_owned(), defaults);
        });
        s.named_values(
            "aliases",
            "`provider/model`, such as \"openrouter/openai/gpt-5.2\"",
            |name, value| {
                let target = value.as_str().filter(|target| {
                    let parts = target.split_once('/');
                    parts.is_some_and(|(provider, model)| {
                        provider.parse::<Name>().is_ok()
                            && !model.is_empty()
                            && model.bytes().all(|b| b.is_ascii_graphic())
                    })
                });
                target.is_some_and(|target| {
                    self.aliases.insert(name.to_owned(), target.to_owned());
                    true
                })
            },
        );
        let kept = [("required", true), ("best-effort", false)];
        s.read(
            "audit",
            "`required` or `best-effort`",
            |v| parse_word(v, &kept),
            &mut self.audit_required,
        );
        s.section("keys", |s| self.keys.read_section(s));
        s.section("alerts", |s| {
            s.read(
                "command",
                "a list of strings: a program and its arguments",
                parse_texts,
                &mut self.alerts.command,
            );
            s.read(
                "lockdown",
                BOOL_HINT,
                DeValue::as_bool,
                &mut self.alerts.lockdown,
            );
        });
        s.section("incident", |s| {
            s.read(
                "contact",
                "a string",
                |v| Some(Some(v.as_str()?.to_owned())),
                &mut self.incident.contact,
            );
        });
        s.section("network", |s| {
            let network = &mut self.network;
            s.read(
                "deadline_s",
                "a whole number from 10 to 86400",
                |v| parse_uint(v).filter(|n| (10..=86_400).contains(n)),
                &mut network.deadline_s,
            );
            for (name, target) in [
                ("connect_timeout_s", &mut network.connect_timeout_s),
                ("first_byte_timeout_s", &mut network.first_byte_timeout_s),
                ("idle_timeout_s", &mut network.idle_timeout_s),
            ] {
                s.read(
                    name,
                    "a whole number from 1 to 3600",
                    |v| parse_uint(v).filter(|n| (1..=3600).contains(n)),
                    target,
                );
            }
        });
        s.section("ui", |s| self.ui.read_section(s));
        s.section("children", |s| {
            s.read(
                "pass_env",
                "a list of names of environment variables",
                parse_variables,
                &mut self.children.pass_env,
            );
        });
        s.sections("providers", |s, name| self.read_provider(s, name));
        s.sections("profile", |s, name| {
            let mut profile = self.common();
            profile.read_profile(s);
            self.profiles.insert(name, profile);
        });
    }

    fn read_provider(&mut self, s: &mut SectionReader<'_, '_>, name: Name) {
        let mut custom = CustomProvider {
            base_url: String::new(),
            key: KeySource::Stored,
            model: None,
            allow_http: false,
            compatible_with: None,
            context_tokens: None,
        };
        let has_address = s.has("base_url");
        s.read(
            "base_url",
            "an address such as \"http://127.0.0.1:11434/v1\"",
            |v| Some(v.as_str().filter(|u| u.contains("://"))?.to_owned()),
            &mut custom.base_url,
        );
        s.read(
            "key",
            "`none`, `stored` or `env:NAME`",
            parse_key_source,
            &mut custom.key,
        );
        s.read(
            "model",
            "a string",
            |v| Some(Some(v.as_str()?.to_owned())),
            &mut custom.model,
        );
        s.read(
            "allow_http",
            BOOL_HINT,
            DeValue::as_bool,
            &mut custom.allow_http,
        );
        s.read(
            "compatible_with",
            "the name of a provider, such as \"openrouter\"",
            |v| Some(Some(v.as_str()?.parse().ok()?)),
            &mut custom.compatible_with,
        );
        s.read(
            "context_tokens",
            "a whole number from 1000",
            |v| Some(Some(parse_uint(v).filter(|n| *n >= 1000)?)),
            &mut custom.context_tokens,
        );
        if !has_address {
            s.report_missing("base_url");
        } else if !custom.base_url.is_empty() {
            self.providers.insert(name, custom);
        }
    }
}

impl KeySettings {
    fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        let stores = [
            ("auto", StoreSetting::Auto),
            ("os-keyring", StoreSetting::Os),
            ("os", StoreSetting::Os),
            ("vault", StoreSetting::Vault),
        ];
        s.read(
            "rotate_after_days",
            UINT_HINT,
            parse_uint,
            &mut self.rotate_after_days,
        );
        s.read(
            "validate_every_days",
            UINT_HINT,
            parse_uint,
            &mut self.validate_every_days,
        );
        s.read(
            "keyring_timeout_s",
            "a whole number from 1 to 600",
            |v| parse_uint(v).filter(|n| (1..=600).contains(n)),
            &mut self.keyring_timeout_s,
        );
        s.read(
            "keyring_remember_s",
            "0, 1 or 2",
            // No process notices that the keyring was locked: a cached secret must expire soon.
            |v| parse_uint(v).filter(|n| (0..=2).contains(n)),
            &mut self.keyring_remember_s,
        );
        s.read(
            "store",
            "`auto`, `os-keyring` or `vault`",
            |v| parse_word(v, &stores),
            &mut self.store,
        );
        s.read(
            "key_file",
            "an absolute path, or one that begins with `~/`",
            |v| {
                let path = v.as_str()?;
                let is_fixed = path.starts_with("~/") || std::path::Path::new(path).is_absolute();
                is_fixed.then(|| Some(path.to_owned()))
            },
            &mut self.key_file,
        );
        s.read(
            "second_factor_command",
            "a list of strings: a program and its arguments",
            parse_texts,
            &mut self.second_factor_command,
        );
        s.read(
            "second_factor_timeout_s",
            "a whole number from 1 to 600",
            |v| parse_uint(v).filter(|n| (1..=600).contains(n)),
            &mut self.second_factor_timeout_s,
        );
    }
}

impl PrivacySettings {
    pub(super) fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        let suspicious = [
            ("warn", Suspicious::Warn),
            ("block", Suspicious::Block),
            ("off", Suspicious::Off),
        ];
        let mut redact = !self.policy.off;
        s.read("redact", BOOL_HINT, DeValue::as_bool, &mut redact);
        self.policy.off = !redact;
        s.read(
            "disable",
            "a list of kinds such as [\"IP_ADDRESS\"]",
            parse_texts,
            &mut self.policy.disable,
        );
        s.read(
            "allow",
            "a list of strings or patterns",
            parse_texts,
            &mut self.policy.allow,
        );
        s.read(
            "never",
            "a list that `chatbot never` writes",
            parse_texts,
            &mut self.policy.never,
        );
        s.read(
            "patterns",
            "a list of { kind = \"TICKET\", pattern = \"…\" }",
            parse_patterns,
            &mut self.policy.patterns,
        );
        s.read(
            "suspicious",
            "`warn`, `block` or `off`",
            |v| parse_word(v, &suspicious),
            &mut self.suspicious,
        );
        s.read(
            "on_secret",
            "`redact` or `ask`",
            |v| parse_word(v, &[("redact", false), ("ask", true)]),
            &mut self.ask_on_secret,
        );
        s.read(
            "ask_on_image",
            BOOL_HINT,
            DeValue::as_bool,
            &mut self.ask_on_image,
        );
        s.section("retention", |s| {
            s.read(
                "pii",
                "`redact` or `drop`",
                |v| parse_word(v, &[("redact", false), ("drop", true)]),
                &mut self.drop_findings,
            );
            s.read("days", UINT_HINT, parse_uint, &mut self.retention_days);
        });
        s.read(
            "data_collection",
            "`deny` or `allow`",
            |v| parse_word(v, &[("deny", true), ("allow", false)]),
            &mut self.deny_collection,
        );
        s.read("zdr", BOOL_HINT, DeValue::as_bool, &mut self.zdr);
    }
}

/// Whether an unknown key is probably a misspelt limit, budget or factor of the vault, so that
/// ignoring it is unsafe.
#[must_use]
pub fn is_protective(key: &str) -> bool {
    let names = [
        "budget",
        "limits",
        "profile",
        "per_day",
        "per_month",
        "per_conversation",
        "requests_per_minute",
        "requests_per_hour",
        "key_file",
        "second_factor_command",
    ];
    let meant = |part: &str| closest_name(&part.to_lowercase(), names).is_some();
    key.starts_with("budget.") || key.starts_with("limits.") || key.split('.').any(meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TEMPLATE;

    fn problems(text: &str) -> Vec<String> {
        parse(text)
            .1
            .iter()
            .map(|p| {
                format!(
                    "{}: {}: {}{}",
                    p.line,
                    p.key,
                    p.reason,
                    p.nearest
                        .as_ref()
                        .map_or(String::new(), |n| format!(" ({n}?)"))
                )
            })
            .collect()
    }

    #[test]
    fn config_template_matches_defaults() {
        let uncommented: String = TEMPLATE
            .lines()
            .map(|l| l.strip_prefix("# ").unwrap_or(l))
            .filter(|l| l.is_empty() || l.starts_with('[') || l.contains(" = "))
            .fold(String::new(), |t, l| t + l + "\n");
        let (settings, problems) = parse(&uncommented);
        assert_eq!(problems, [], "{uncommented}");
        let default = Settings {
            providers: settings.providers.clone(),
            provider: settings.provider.clone(),
            budget: settings.budget,
            model: settings.model.clone(),
            defaults: settings.defaults.clone(),
            defaults_by_name: settings.defaults_by_name.clone(),
            aliases: settings.aliases.clone(),
            profiles: settings.profiles.clone(),
            incident: settings.incident.clone(),
            keys: KeySettings {
                key_file: settings.keys.key_file.clone(),
                second_factor_command: settings.keys.second_factor_command.clone(),
                ..Settings::default().keys
            },
            ..Settings::default()
        };
        assert_eq!(format!("{settings:?}"), format!("{default:?}"));
        assert_eq!(parse(TEMPLATE).1, []);
    }

    #[test]
    fn config_profile_replaces_what_it_mentions() {
        let text = "provider = \"openai\"\nmodel = \"m\"\n[privacy]\nredact = false\nzdr = true\n\
                    [limits]\nmax_messages = 5\n[profile.work]\nprovider = \"groq\"\n\
                    [profile.work.limits]\nrequests_per_hour = 7\n[profile.work.budget]\nper_day = 1.5\n\
                    [profile.home]\ntemperature = 0.5\n[profile.home.privacy]\nredact = true\n";
        let (settings, problems) = parse(text);
        assert_eq!(problems, []);
        let of = |name: &str| settings.clone().for_profile(&name.parse().unwrap());
        let seen = |s: &Settings| {
            format!(
                "{} {:?} {:?} {} {} {:?} {} {}",
                s.provider.as_ref().unwrap(),
                s.model,
                s.defaults.temperature,
                s.limits.max_messages,
                s.limits.requests_per_hour,
                s.budget.per_day,
                s.privacy.policy.off,
                s.privacy.zdr
            )
        };
        // The model of the settings is not one of the profile's provider.
        assert_eq!(
            seen(&of("work")),
            "groq None None 5 7 Some(1500000000) true true"
        );
        assert_eq!(
            seen(&of("home")),
            "openai Some(\"m\") Some(0.5) 5 100 None false true"
        );
        assert_eq!(seen(&of("other")), seen(&settings));
        assert_eq!(
            self::problems(
                "[profile.work]\nkeys = 1\n[profile.work.limits]\nmax_mesages = 1\n[profil.x]\n"
            ),
            [
                "2: profile.work.keys: unknown setting",
                "4: profile.work.limits.max_mesages: unknown setting (profile.work.limits.max_messages?)",
                "5: profil: unknown setting (profile?)",
            ]
        );
        assert!(is_protective("keys.second_factor_comand") && is_protective("keys.keyfile"));
        assert!(is_protective("profil") && is_protective("profile.work.limits.x"));
    }

    #[test]
    fn config_template_names_the_default_model() {
        let model = crate::catalog::find(crate::catalog::DEFAULT_PROVIDER)
            .unwrap()
            .model;
        assert!(TEMPLATE.contains(&format!("\n# model = \"{model}\"\n")));
    }

    #[test]
    fn config_problems_have_line_key_reason() {
        let text = "provider = 3\n[limits]\nrequest_per_minute = 5\nrequests_per_hour = -1\nmax_messages = \"many\"\n\n[privacy]\nsuspicious = \"maybe\"\nretention = { pii = \"keep\", days = 1 }\n[privcy]\nx = 1\n[providers.local]\nkey = \"secret\"\n[providers.UP]\nbase_url = \"http://x\"\n";
        assert_eq!(
            problems(text),
            [
                "1: provider: must be a name of a-z, 0-9 and `-`",
                "3: limits.request_per_minute: unknown setting (limits.requests_per_minute?)",
                "4: limits.requests_per_hour: must be a whole number from 0 to 4294967295",
                "5: limits.max_messages: must be a whole number that is not negative",
                "8: privacy.suspicious: must be `warn`, `block` or `off`",
                "9: privacy.retention.pii: must be `redact` or `drop`",
                "10: privcy: unknown setting (privacy?)",
                "12: providers.local: `base_url` is missing",
                "13: providers.local.key: must be `none`, `stored` or `env:NAME`",
                "14: providers.UP: a name can contain only the characters a-z, 0-9 and `-`",
            ]
        );
        assert_eq!(problems("a = = 1").len(), 1);
    }
}
