//! The settings of a backup, which someone else may have written: each one as text, and whether
//! only the user may accept it.

use crate::config::{Settings, parse};
use crate::privacy::input_check::Suspicious;
use toml::de::{DeTable, DeValue};

/// A setting as it is written in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSetting {
    /// The full key, such as `limits.max_messages`.
    pub key: String,
    /// The value as written in the file.
    pub value: String,
    /// Whether it runs a program, redirects requests or protects less than the default. Only the
    /// user can apply such a setting, after reading it.
    pub guarded: bool,
}

/// Lists every setting in the text of a file; `None` if the text is invalid, so that none of it may
/// be applied.
#[must_use]
pub fn list_raw(text: &str) -> Option<Vec<RawSetting>> {
    let (settings, problems) = parse(text);
    let table = DeTable::parse(text)
        .ok()
        .filter(|_| problems.iter().all(|p| p.unknown))?;
    let mut all = Vec::new();
    collect_leaves(text, "", table.get_ref(), &settings, &mut all);
    Some(all)
}

fn collect_leaves(
    text: &str,
    path: &str,
    table: &DeTable<'_>,
    settings: &Settings,
    all: &mut Vec<RawSetting>,
) {
    for (name, value) in table {
        let key = format!("{path}{}", name.get_ref());
        if let DeValue::Table(table) = value.get_ref() {
            collect_leaves(text, &format!("{key}."), table, settings, all);
        } else {
            let value = text.get(value.span()).unwrap_or_default().to_owned();
            all.push(RawSetting {
                guarded: settings.is_weaker(&key),
                key,
                value,
            });
        }
    }
}

impl Settings {
    /// Whether a setting protects less than its default, or is one that a stranger must not choose.
    /// Anything not known to be harmless counts as such.
    fn is_weaker(&self, key: &str) -> bool {
        let (here, usual) = (self, Self::default());
        let more = |here: u64, usual: u64| here == 0 || here > usual;
        match key {
            "limits.requests_per_minute" => more(
                here.limits.requests_per_minute.into(),
                usual.limits.requests_per_minute.into(),
            ),
            "limits.requests_per_hour" => more(
                here.limits.requests_per_hour.into(),
                usual.limits.requests_per_hour.into(),
            ),
            "limits.minute_window_s" => here.limits.minute_window_s < usual.limits.minute_window_s,
            "limits.hour_window_s" => here.limits.hour_window_s < usual.limits.hour_window_s,
            "limits.max_message_chars" => more(
                here.limits.max_message_chars as u64,
                usual.limits.max_message_chars as u64,
            ),
            "limits.max_paste_chars" => more(
                here.limits.max_paste_chars as u64,
                usual.limits.max_paste_chars as u64,
            ),
            "limits.max_attachment_bytes" => more(
                here.limits.max_attachment_bytes,
                usual.limits.max_attachment_bytes,
            ),
            "limits.max_image_bytes" => {
                more(here.limits.max_image_bytes, usual.limits.max_image_bytes)
            }
            "privacy.ask_on_image" => !here.privacy.ask_on_image,
            "limits.max_messages" => more(
                here.limits.max_messages as u64,
                usual.limits.max_messages as u64,
            ),
            "budget.unknown_price" => here.budget.allow_unknown_price,
            "audit" => !here.audit_required,
            "privacy.redact" => here.privacy.policy.off,
            "privacy.disable" => !here.privacy.policy.disable.is_empty(),
            "privacy.allow" => !here.privacy.policy.allow.is_empty(),
            "privacy.suspicious" => here.privacy.suspicious == Suspicious::Off,
            "privacy.data_collection" => !here.privacy.deny_collection,
            "keys.rotate_after_days" => more(
                here.keys.rotate_after_days.into(),
                usual.keys.rotate_after_days.into(),
            ),
            "keys.validate_every_days" => more(
                here.keys.validate_every_days.into(),
                usual.keys.validate_every_days.into(),
            ),
            "keys.keyring_remember_s" => {
                here.keys.keyring_remember_s > usual.keys.keyring_remember_s
            }
            key if key.starts_with("ui.") || key.starts_with("incident.") => false,
            // Without the setting there is no budget at all, so any budget protects more. So does
            // redacting more or sending to fewer providers.
            "budget.per_day" | "budget.per_month" | "budget.per_conversation" => false,
            "privacy.patterns" | "privacy.on_secret" | "privacy.retention.pii" | "privacy.zdr" => {
                false
            }
            "temperature" | "max_tokens" | "reasoning" | "alerts.lockdown" => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_settings_weaker_values_are_recognized() {
        let marked = |text: &str| -> Vec<String> {
            let line = |g: RawSetting| {
                format!(
                    "{}{} = {}",
                    if g.guarded { "! " } else { "" },
                    g.key,
                    g.value
                )
            };
            list_raw(text).unwrap().into_iter().map(line).collect()
        };
        let harmless = "[budget]\nper_day = 1.00\n[limits]\nmax_messages = 5\n[privacy]\nretention = { pii = \"drop\" }\nzdr = true\n[ui]\ntheme = \"light\"\n";
        let said = [
            "budget.per_day = 1.00",
            "limits.max_messages = 5",
            "privacy.retention.pii = \"drop\"",
            "privacy.zdr = true",
            "ui.theme = \"light\"",
        ];
        assert_eq!(marked(harmless), said);
        let guarded = [
            "provider = \"own\"",
            "model = \"x\"",
            "[limits]\nrequests_per_hour = 101",
            "[limits]\nmax_messages = 0",
            "[budget]\nunknown_price = \"allow\"",
            "[privacy]\nredact = false",
            "[privacy]\nallow = [\"*\"]",
            "[privacy]\nretention = { days = 1 }",
            "[keys]\nstore = \"os\"",
            "[keys]\nkey_file = \"/etc/hostname\"",
            "[keys]\nsecond_factor_command = [\"sh\"]",
            "alerts.command = [\"sh\"]",
            "alerts = { command = [\"sh\"] }",
            "\"alerts\".\"command\" = [\"sh\"]",
            "[providers.own]\nbase_url = \"https://elsewhere.example/v1\"",
            "nobody_knows = 1",
        ];
        for text in guarded {
            assert!(
                marked(text).iter().all(|line| line.starts_with("! ")),
                "{text}"
            );
        }
        assert_eq!(list_raw("[limits]\nmax_messages = \"many\""), None);
        assert_eq!(list_raw("= no TOML"), None);
    }
}
