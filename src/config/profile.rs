//! Profiles: settings that replace others while their profile is selected.

use super::section::SectionReader;
use super::values::{MONEY_HINT, U32_HINT, UINT_HINT, parse_dollars, parse_uint, parse_word};
use super::{BudgetSettings, LimitSettings, PrivacySettings, RequestDefaults, Settings};
use crate::name::Name;

/// `[profile.NAME]`: the settings that a profile can replace, complete with those that it does not
/// mention.
#[derive(Clone, Debug)]
pub struct ProfileSettings {
    /// The default provider.
    pub provider: Option<Name>,
    /// The default model; otherwise that of the provider.
    pub model: Option<String>,
    /// The profile whose keys are used; otherwise the profile itself.
    pub key_profile: Option<Name>,
    /// Options of all requests.
    pub defaults: RequestDefaults,
    /// Limits on the number of requests and the size of messages.
    pub limits: LimitSettings,
    /// Limits on costs.
    pub budget: BudgetSettings,
    /// What is redacted, sent and saved.
    pub privacy: PrivacySettings,
}

impl Settings {
    /// These settings with those of a profile. A profile that the settings do not mention has only
    /// keys of its own, and changes nothing here.
    #[must_use]
    pub fn for_profile(mut self, name: &Name) -> Self {
        if let Some(profile) = self.profiles.get(name).cloned() {
            self.replace_common(profile);
        }
        self
    }

    /// The settings that a profile can replace.
    pub(super) fn common(&self) -> ProfileSettings {
        ProfileSettings {
            provider: self.provider.clone(),
            model: self.model.clone(),
            key_profile: None,
            defaults: self.defaults.clone(),
            limits: self.limits,
            budget: self.budget,
            privacy: self.privacy.clone(),
        }
    }

    pub(super) fn replace_common(&mut self, profile: ProfileSettings) {
        self.provider = profile.provider;
        self.model = profile.model;
        self.key_profile = profile.key_profile;
        self.defaults = profile.defaults;
        self.limits = profile.limits;
        self.budget = profile.budget;
        self.privacy = profile.privacy;
    }
}

impl ProfileSettings {
    /// Reads what a profile replaces.
    pub(super) fn read_profile(&mut self, s: &mut SectionReader<'_, '_>) {
        let (before, names_model) = (self.provider.clone(), s.has("model"));
        self.read_section(s);
        s.read(
            "key_profile",
            "a name of a-z, 0-9 and `-`",
            |v| v.as_str()?.parse().ok().map(Some),
            &mut self.key_profile,
        );
        // The model of another provider is unknown to this one.
        if self.provider != before && !names_model {
            self.model = None;
        }
    }

    pub(super) fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
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
        self.defaults.read_section(s);
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
                "minute_window_s",
                "a whole number from 1 to 3600",
                |v| parse_uint(v).filter(|n| (1..=3600).contains(n)),
                &mut l.minute_window_s,
            );
            s.read(
                "hour_window_s",
                "a whole number from 60 to 86400",
                |v| parse_uint(v).filter(|n| (60..=86_400).contains(n)),
                &mut l.hour_window_s,
            );
            s.read(
                "max_message_chars",
                UINT_HINT,
                parse_uint,
                &mut l.max_message_chars,
            );
            s.read(
                "max_paste_chars",
                UINT_HINT,
                parse_uint,
                &mut l.max_paste_chars,
            );
            s.read(
                "max_attachment_bytes",
                UINT_HINT,
                parse_uint,
                &mut l.max_attachment_bytes,
            );
            s.read(
                "max_image_bytes",
                UINT_HINT,
                parse_uint,
                &mut l.max_image_bytes,
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
    }
}
