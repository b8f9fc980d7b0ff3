//! Every mistake in the settings file: those of the parser, and those that only other modules
//! know, such as an unknown kind or an address that cannot be used.

use super::child_env::refused_variable;
use crate::catalog;
use crate::config::{self, Settings, SettingsProblem, closest_name};
use crate::name::Name;
use crate::net::{BaseUrl, PlainHttpPolicy};
use crate::privacy::{KINDS, Policy, Redactor};

/// Parses the text of a settings file, and returns all mistakes in the order of their lines.
pub(crate) fn check_settings(text: &str) -> (Settings, Vec<SettingsProblem>) {
    let (settings, mut problems) = config::parse(text);
    problems.extend(policy_problems(text, "", &settings.privacy.policy));
    for (name, profile) in &settings.profiles {
        // What the profile does not replace was checked above.
        let own = policy_problems(text, &format!("profile.{name}."), &profile.privacy.policy);
        let is_new = |found: &SettingsProblem| !problems.iter().any(|p| p.reason == found.reason);
        let own: Vec<SettingsProblem> = own.into_iter().filter(is_new).collect();
        problems.extend(own);
    }
    problems.extend(provider_problems(text, &settings));
    if let Some(variable) = refused_variable(&settings) {
        let reason = format!("`{variable}` holds a secret of chatbot itself");
        problems.push(problem(text, "children.pass_env", None, reason));
    }
    problems.sort_by_key(|problem| problem.line);
    (settings, problems)
}

fn problem(text: &str, key: &str, element: Option<usize>, reason: String) -> SettingsProblem {
    SettingsProblem {
        line: config::line_of_setting(text, key, element),
        key: key.to_owned(),
        reason,
        nearest: None,
        unknown: false,
    }
}

/// The mistakes in `[privacy]`, here or in the table that the prefix names. Each entry is tried alone, so that one does not hide the next.
fn policy_problems(text: &str, prefix: &str, policy: &Policy) -> Vec<SettingsProblem> {
    let mut problems = Vec::new();
    let mut add = |key: &str, n: usize, policy: &Policy| match Redactor::new(policy) {
        Ok(_) => true,
        Err(error) => {
            let full = format!("{prefix}{key}");
            let mut found = problem(text, &full, Some(n), error.to_string());
            if key == "privacy.disable" {
                let kinds = KINDS.iter().map(|(kind, _)| *kind);
                let own = policy.patterns.iter().map(|(kind, _)| kind.as_str());
                let word = error.pattern.to_ascii_uppercase();
                found.nearest = closest_name(&word, kinds.chain(own)).map(str::to_owned);
            }
            problems.push(found);
            false
        }
    };
    let mut usable = Policy::default();
    for (n, pattern) in policy.patterns.iter().enumerate() {
        let patterns = vec![pattern.clone()];
        let alone = Policy {
            patterns,
            ..Policy::default()
        };
        if add("privacy.patterns", n, &alone) {
            usable.patterns.push(pattern.clone());
        }
    }
    for (n, kind) in policy.disable.iter().enumerate() {
        let disable = vec![kind.clone()];
        let alone = Policy {
            disable,
            ..usable.clone()
        };
        add("privacy.disable", n, &alone);
    }
    for (n, entry) in policy.allow.iter().enumerate() {
        let allow = vec![entry.clone()];
        let alone = Policy {
            allow,
            ..Policy::default()
        };
        add("privacy.allow", n, &alone);
    }
    for (n, entry) in policy.never.iter().enumerate() {
        let never = vec![entry.clone()];
        let alone = Policy {
            never,
            ..Policy::default()
        };
        add("privacy.never", n, &alone);
    }
    problems
}

fn provider_problems(text: &str, settings: &Settings) -> Vec<SettingsProblem> {
    let known = || catalog::all().iter().map(|entry| entry.name);
    let mut problems = Vec::new();
    let in_profiles = settings
        .profiles
        .iter()
        .filter(|(_, profile)| profile.provider != settings.provider)
        .map(|(name, profile)| (format!("profile.{name}.provider"), &profile.provider));
    let chosen = std::iter::once((String::from("provider"), &settings.provider)).chain(in_profiles);
    for (key, name) in chosen {
        if let Some(name) = name
            && catalog::find(name.as_str()).is_none()
            && !settings.providers.contains_key(name)
        {
            let reason = format!("there is no provider `{name}`");
            let mut found = problem(text, &key, None, reason);
            let all = known().chain(settings.providers.keys().map(Name::as_str));
            found.nearest = closest_name(name.as_str(), all).map(str::to_owned);
            problems.push(found);
        }
    }
    for (alias, target) in &settings.aliases {
        let provider = target.split('/').next().unwrap_or_default();
        let mut names = known().chain(settings.providers.keys().map(Name::as_str));
        if !names.clone().any(|name| name == provider) {
            let reason = format!("there is no provider `{provider}`");
            let mut found = problem(text, &format!("aliases.{alias}"), None, reason);
            found.nearest = closest_name(provider, &mut names).map(str::to_owned);
            problems.push(found);
        }
    }
    for (name, custom) in &settings.providers {
        let table = format!("providers.{name}");
        let policy = if custom.allow_http {
            PlainHttpPolicy::LocalNetwork
        } else {
            PlainHttpPolicy::Loopback
        };
        if let Err(error) = BaseUrl::parse_with(name, &custom.base_url, policy) {
            let key = format!("{table}.base_url");
            problems.push(problem(text, &key, None, error.to_string()));
        }
        if let Some(like) = &custom.compatible_with
            && catalog::find(like.as_str()).is_none()
        {
            let key = format!("{table}.compatible_with");
            let reason = format!("there is no known provider `{like}`");
            let mut found = problem(text, &key, None, reason);
            found.nearest = closest_name(like.as_str(), known()).map(str::to_owned);
            problems.push(found);
        }
    }
    problems
}
