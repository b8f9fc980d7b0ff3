//! The settings file that `config init` writes, with the values of a preset.

use super::TEMPLATE;

/// Settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Protects more than the defaults.
    Strict,
    /// Protects less than the defaults; private data is redacted all the same.
    Relaxed,
}

/// Table, name and value of a setting.
type PresetValue = (&'static str, &'static str, &'static str);

const STRICT: &[PresetValue] = &[
    ("", "audit", "\"required\""),
    ("limits", "requests_per_minute", "10"),
    ("limits", "requests_per_hour", "50"),
    ("budget", "per_day", "1.00"),
    ("budget", "per_month", "10.00"),
    ("budget", "unknown_price", "\"refuse\""),
    ("privacy", "suspicious", "\"block\""),
    ("privacy", "on_secret", "\"ask\""),
    ("privacy", "ask_on_image", "true"),
    ("privacy", "retention", "{ pii = \"drop\", days = 0 }"),
    ("privacy", "data_collection", "\"deny\""),
    ("privacy", "zdr", "true"),
    ("keys", "rotate_after_days", "30"),
    ("keys", "keyring_remember_s", "0"),
];

const RELAXED: &[PresetValue] = &[
    ("", "audit", "\"best-effort\""),
    ("limits", "requests_per_minute", "60"),
    ("limits", "requests_per_hour", "1000"),
    ("limits", "max_message_chars", "20000"),
    ("limits", "max_attachment_bytes", "10485760"),
    ("budget", "unknown_price", "\"allow\""),
    ("privacy", "suspicious", "\"off\""),
    ("privacy", "ask_on_image", "false"),
    ("keys", "rotate_after_days", "365"),
];

impl Preset {
    const fn values(self) -> &'static [PresetValue] {
        match self {
            Self::Strict => STRICT,
            Self::Relaxed => RELAXED,
        }
    }

    /// The template with the values of the preset in place of the comments with the defaults.
    #[must_use]
    pub fn template(self) -> String {
        let mut table = "";
        let mut out = String::with_capacity(TEMPLATE.len());
        for line in TEMPLATE.lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_end_matches(']');
            }
            let commented = line
                .strip_prefix("# ")
                .and_then(|line| line.split_once(" = "));
            let chosen = commented.and_then(|(name, _)| {
                self.values()
                    .iter()
                    .find(|(of, known, _)| *of == table && *known == name)
            });
            match chosen {
                Some((_, name, value)) => out += &format!("{name} = {value}\n"),
                None => out += &format!("{line}\n"),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{entries, list_raw, parse};

    #[test]
    fn config_preset_uncomments_its_values() {
        for preset in [Preset::Strict, Preset::Relaxed] {
            let text = preset.template();
            assert_eq!(parse(&text).1, []);
            let written: Vec<String> = entries(&text)
                .unwrap()
                .into_iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            let wanted: Vec<String> = preset
                .values()
                .iter()
                .map(|(table, name, value)| {
                    let dot = if table.is_empty() { "" } else { "." };
                    format!("{table}{dot}{name} = {value}")
                })
                .flat_map(|line| {
                    match line.strip_prefix("privacy.retention = { pii = \"drop\", days = 0 }") {
                        Some(_) => vec![
                            String::from("privacy.retention.pii = \"drop\""),
                            String::from("privacy.retention.days = 0"),
                        ],
                        None => vec![line],
                    }
                })
                .collect();
            assert_eq!(written, wanted);
            assert_eq!(text.lines().count(), TEMPLATE.lines().count());
        }
        // Nothing of the strict one protects less than the default.
        let weaker: Vec<String> = list_raw(&Preset::Strict.template())
            .unwrap()
            .into_iter()
            .filter(|setting| setting.guarded)
            .map(|setting| setting.key)
            .collect();
        assert_eq!(weaker, ["privacy.retention.days"]);
        assert!(!parse(&Preset::Relaxed.template()).0.privacy.policy.off);
    }
}
