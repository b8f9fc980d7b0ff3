//! Parses the settings file: every mistake is reported with line, key and reason, and the rest is
//! used all the same.

use crate::config::section::{SectionReader, SettingsProblem, line_of};
use crate::config::{
    CustomProvider, KeySettings, KeySource, PrivacySettings, Settings, StoreSetting, closest_name,
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
        s.read(
            "provider",
            "a name of a-z, 0-9 and `-`",
            |v| v.as_str()?.parse().ok().map(Some),
            &mut self.provider,
        );
        s.read(
            "model",
            "a string",
            |v| {
                Some(Some(
                    v.as_str().filter(|m| !m.trim().is_empty())?.to_owned(),
                ))
            },
            &mut self.model,
        );
        let kept = [("required", true), ("best-effort", false)];
        s.read(
            "audit",
            "`required` or `best-effort`",
            |v| parse_word(v, &kept),
            &mut self.audit_required,
        );
        s.section("limits", |s| {
            let l = &mut self.limits;
            s.read(
                "requests_per_minute",
                U32_HINT,
                parse_uint,
                &mut l.requests_per_minute,
            );
            s.read(
                "requests_per_hour",
                U32_HINT,
                parse_uint,
                &mut l.requests_per_hour,
            );
            s.read(
                "max_message_chars",
                UINT_HINT,
                parse_uint,
                &mut l.max_message_chars,
            );
            s.read(
                "max_attachment_bytes",
                UINT_HINT,
                parse_uint,
                &mut l.max_attachment_bytes,
            );
            s.read("max_messages", UINT_HINT, parse_uint, &mut l.max_messages);
        });
        s.section("budget", |s| {
            s.read(
                "per_day",
                MONEY_HINT,
                |v| parse_dollars(v).map(Some),
                &mut self.budget.per_day,
            );
            s.read(
                "per_month",
                MONEY_HINT,
                |v| parse_dollars(v).map(Some),
                &mut self.budget.per_month,
            );
            s.read(
                "per_conversation",
                MONEY_HINT,
                |v| parse_dollars(v).map(Some),
                &mut self.budget.per_conversation,
            );
            let words = [("refuse", false), ("allow", true)];
            s.read(
                "unknown_price",
                "`refuse` or `allow`",
                |v| parse_word(v, &words),
                &mut self.budget.allow_unknown_price,
            );
        });
        s.section("privacy", |s| self.privacy.read_section(s));
        s.section("keys", |s| self.keys.read_section(s));
        s.section("alerts", |s| {
            s.read(
                "command",
                "a list of strings: a program and its arguments",
                parse_texts,
                &mut self.alerts.command,
            );
        });
        s.section("network", |s| {
            s.read(
                "deadline_s",
                "a whole number from 10 to 86400",
                |v| parse_uint(v).filter(|n| (10..=86_400).contains(n)),
                &mut self.network.deadline_s,
            );
        });
        s.section("children", |s| {
            s.read(
                "pass_env",
                "a list of names of environment variables",
                parse_variables,
                &mut self.children.pass_env,
            );
        });
        s.section("ui", |s| {
            s.read("vi", BOOL_HINT, DeValue::as_bool, &mut self.interface.vi);
        });
        s.sections("providers", |s, name| self.read_provider(s, name));
    }

    fn read_provider(&mut self, s: &mut SectionReader<'_, '_>, name: Name) {
        let mut custom = CustomProvider {
            base_url: String::new(),
            key: KeySource::Stored,
            model: None,
            compatible_with: None,
        };
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
            "compatible_with",
            "the name of a provider, such as \"openrouter\"",
            |v| Some(Some(v.as_str()?.parse().ok()?)),
            &mut custom.compatible_with,
        );
        if custom.base_url.is_empty() {
            s.report_missing("base_url");
        } else {
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
    }
}

impl PrivacySettings {
    fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        let suspicious = [
            ("warn", Suspicious::Warn),
            ("block", Suspicious::Block),
            ("off", Suspicious::Off),
        ];
        let mut redact = true;
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

const UINT_HINT: &str = "a whole number that is not negative";
const U32_HINT: &str = "a whole number from 0 to 4294967295";
const BOOL_HINT: &str = "`true` or `false`";
const MONEY_HINT: &str = "an amount in dollars such as 1.00";

fn parse_uint<T: TryFrom<u64>>(value: &DeValue<'_>) -> Option<T> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .and_then(|n| T::try_from(n).ok())
}

fn parse_dollars(value: &DeValue<'_>) -> Option<i64> {
    let whole = || {
        value
            .as_integer()
            .filter(|n| n.radix() == 10)
            .map(toml::de::DeInteger::as_str)
    };
    parse_nanos(
        value
            .as_float()
            .map(toml::de::DeFloat::as_str)
            .or_else(whole)?,
    )
}

/// Parses an amount of dollars exactly: `1.25` is 1,250,000,000 billionths.
#[must_use]
pub fn parse_nanos(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let part: i64 = format!("{part:0<9}").parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(part)
}

/// Parses a list of names of environment variables.
fn parse_variables(value: &DeValue<'_>) -> Option<Vec<String>> {
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    parse_texts(value).filter(|names| names.iter().all(is_name))
}

fn parse_texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|v| Some(v.get_ref().as_str()?.to_owned()))
        .collect()
}

fn parse_patterns(value: &DeValue<'_>) -> Option<Vec<(String, String)>> {
    let pair = |v: &DeValue<'_>| {
        let table = v.as_table()?;
        let text = |name| Some(table.get(name)?.get_ref().as_str()?.to_owned());
        (table.len() == 2).then_some((text("kind")?, text("pattern")?))
    };
    value
        .as_array()?
        .iter()
        .map(|v| pair(v.get_ref()))
        .collect()
}

fn parse_word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| Some(*word) == value.as_str())
        .map(|(_, meaning)| *meaning)
}

fn parse_key_source(value: &DeValue<'_>) -> Option<KeySource> {
    match value.as_str()? {
        "none" => Some(KeySource::NoKey),
        "stored" => Some(KeySource::Stored),
        other => {
            let name = other.strip_prefix("env:")?;
            let fit =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            fit.then(|| KeySource::Env(name.to_owned()))
        }
    }
}

/// Whether an unknown key is probably a misspelt limit or budget, so that ignoring it is unsafe.
#[must_use]
pub fn is_protective(key: &str) -> bool {
    let names = [
        "budget",
        "limits",
        "per_day",
        "per_month",
        "per_conversation",
        "requests_per_minute",
        "requests_per_hour",
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
            ..Settings::default()
        };
        assert_eq!(format!("{settings:?}"), format!("{default:?}"));
        assert_eq!(parse(TEMPLATE).1, []);
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

    #[test]
    fn config_dollars_are_exact() {
        for (text, nanos) in [
            ("1.00", 1_000_000_000),
            ("0.000000001", 1),
            ("12", 12_000_000_000),
            (".5", 500_000_000),
        ] {
            assert_eq!(parse_nanos(text), Some(nanos));
        }
        for text in ["", ".", "-1", "1e3", "0.0000000001", "99999999999"] {
            assert_eq!(parse_nanos(text), None, "{text}");
        }
    }
}
