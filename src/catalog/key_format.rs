//! What a key says about itself: whether it has the format of a provider's keys, and who issued it.

use crate::catalog::providers::{ADMIN_KEY_REASON, OTHER_VENDORS, PROVIDERS};
use crate::catalog::{KeyFormat, ProviderInfo};

/// The reason why a text is not a key for a provider. It never contains any part of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeyFormat(String);

/// Checks what holds for the keys of all providers: one printable word.
pub fn check_any_key(key: &str) -> Result<(), InvalidKeyFormat> {
    let said = if key.is_empty() {
        "the key is empty"
    } else if key
        .bytes()
        .any(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    {
        "the key contains a space or a line break"
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        "the key contains a control character or a character outside ASCII, which no key has"
    } else if key.len() > 4096 {
        "the key is longer than 4096 characters"
    } else {
        return Ok(());
    };
    Err(InvalidKeyFormat(said.to_owned()))
}

impl ProviderInfo {
    /// Checks that a text has the format of a key of this provider. The error contains no part of
    /// the text.
    pub fn check_key(&self, key: &str) -> Result<(), InvalidKeyFormat> {
        check_any_key(key)?;
        if self.key_formats.is_empty() {
            return Ok(());
        }
        let owners = providers_matching(key);
        if !owners.is_empty() && owners.iter().all(|owner| owner.name != self.name) {
            let titles: Vec<&str> = owners.iter().map(|owner| owner.title).collect();
            return Err(InvalidKeyFormat(format!(
                "this looks like a key of {}, not of {}",
                titles.join(" or "),
                self.title
            )));
        }
        if let Some((_, what)) = OTHER_VENDORS
            .iter()
            .find(|(prefix, _)| key.starts_with(prefix))
        {
            return Err(InvalidKeyFormat(format!(
                "this looks like {what}, not like a key of {}",
                self.title
            )));
        }
        let Some(shape) = self
            .key_formats
            .iter()
            .filter(|s| key.starts_with(s.prefix))
            .max_by_key(|s| s.prefix.len())
        else {
            return Err(InvalidKeyFormat(format!(
                "a key of {} begins with {}",
                self.title,
                self.describe_prefixes()
            )));
        };
        match (shape.check(key), shape.reject_reason) {
            (_, Some(why)) => Err(InvalidKeyFormat(format!("this looks like {why}"))),
            (Err(why), None) => Err(InvalidKeyFormat(format!(
                "a key of {} has {why}",
                self.title
            ))),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Whether a text has the format of an admin key of this provider.
    #[must_use]
    pub fn is_admin_key(&self, key: &str) -> bool {
        self.key_formats.iter().any(|shape| {
            shape.reject_reason == ADMIN_KEY_REASON
                && key.starts_with(shape.prefix)
                && shape.check(key).is_ok()
        })
    }

    /// The accepted prefixes: "`a`, `b` or `c`".
    fn describe_prefixes(&self) -> String {
        let mut all: Vec<String> = self
            .key_formats
            .iter()
            .filter(|s| s.reject_reason.is_none())
            .map(|s| format!("`{}`", s.prefix))
            .collect();
        let last = all.pop().unwrap_or_default();
        if all.is_empty() {
            last
        } else {
            format!("{} or {last}", all.join(", "))
        }
    }
}

impl KeyFormat {
    fn check(&self, key: &str) -> Result<(), String> {
        let rest = key.strip_prefix(self.prefix).unwrap_or_default();
        let after = if self.prefix.is_empty() {
            String::new()
        } else {
            format!(" after `{}`", self.prefix)
        };
        if !rest.bytes().all(|b| self.charset.contains(b)) {
            return Err(format!("only {}{after}", self.charset.describe()));
        }
        if (self.min..=self.max).contains(&rest.len()) {
            return Ok(());
        }
        let wanted = if self.min == self.max {
            self.min.to_string()
        } else {
            format!("{} to {}", self.min, self.max)
        };
        Err(format!(
            "{wanted} characters{after}, this one has {}",
            rest.len()
        ))
    }
}

/// The providers that a key can belong to, by its format: those with the longest matching prefix. A
/// prefix as short as `sk-` is shared by many providers, so it counts only if the rest of the
/// format matches.
fn providers_matching(key: &str) -> Vec<&'static ProviderInfo> {
    let shapes = || {
        PROVIDERS
            .iter()
            .flat_map(|entry| entry.key_formats.iter().map(move |shape| (entry, shape)))
    };
    let begins = |shape: &KeyFormat| !shape.prefix.is_empty() && key.starts_with(shape.prefix);
    let longest = shapes()
        .filter(|(_, s)| begins(s))
        .map(|(_, s)| s.prefix.len())
        .max()
        .unwrap_or(0);
    let mut owners: Vec<&'static ProviderInfo> = shapes()
        .filter(|(_, s)| {
            begins(s) && s.prefix.len() == longest && (longest > 3 || s.check(key).is_ok())
        })
        .map(|(entry, _)| entry)
        .collect();
    owners.dedup_by_key(|entry| entry.name);
    owners
}

/// The issuer of a key, by its format or by the variable that contained it.
#[derive(Debug, PartialEq, Eq)]
pub struct Issuer {
    /// A noun phrase for messages: "a key of OpenRouter", "a GitHub token".
    pub title: String,
    /// The hosts that accept the key. Empty if the issuer is not a known provider.
    pub hosts: Vec<String>,
}

/// Whether this environment variable usually contains the key of a known provider.
#[must_use]
pub fn is_provider_key_variable(name: &str) -> bool {
    PROVIDERS
        .iter()
        .filter_map(|entry| entry.env)
        .any(|env| env.eq_ignore_ascii_case(name))
}

/// The issuer of a key; `None` if neither its format nor its variable identifies one.
#[must_use]
pub fn find_issuer(key: &str, variable: Option<&str>) -> Option<Issuer> {
    let named = |entry: &&'static ProviderInfo| {
        entry
            .env
            .is_some_and(|env| variable.is_some_and(|v| v.eq_ignore_ascii_case(env)))
    };
    let mut entries = providers_matching(key);
    if entries.is_empty() {
        entries.extend(PROVIDERS.iter().filter(named));
    }
    if !entries.is_empty() {
        let title = entries
            .iter()
            .map(|entry| entry.title)
            .collect::<Vec<_>>()
            .join(" or ");
        let hosts = entries
            .iter()
            .filter_map(|entry| entry.endpoint())
            .map(|endpoint| endpoint.host())
            .collect();
        return Some(Issuer {
            title: format!("a key of {title}"),
            hosts,
        });
    }
    let stranger = OTHER_VENDORS
        .iter()
        .find(|(prefix, _)| key.starts_with(prefix));
    stranger.map(|(_, what)| Issuer {
        title: (*what).to_owned(),
        hosts: Vec::new(),
    })
}
