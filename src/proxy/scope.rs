//! What a token is for: its kind, what it may request, and the provider whose keys it looks like.

use std::fmt;

/// The kind of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// Requests are sent to the provider.
    #[default]
    Proxy,
    /// Only short-lived secrets of the realtime API are created, which clients then use themselves.
    Realtime,
    /// The built-in demo answers; nothing is sent.
    Demo,
}

impl TokenKind {
    /// Each kind with its name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("proxy", Self::Proxy),
        ("realtime", Self::Realtime),
        ("demo", Self::Demo),
    ];

    /// The scopes of a token of this kind if none are named.
    #[must_use]
    pub const fn default_scopes(self) -> Scopes {
        match self {
            Self::Proxy => Scopes::of(&[
                Scope::Chat,
                Scope::Embeddings,
                Scope::Audio,
                Scope::Models,
                Scope::Usage,
            ]),
            Self::Realtime => Scopes::of(&[Scope::Realtime]),
            Self::Demo => Scopes::of(&[Scope::Chat, Scope::Models]),
        }
    }
}

/// One thing that a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Questions to models, in any protocol, and counting their tokens.
    Chat,
    /// Embeddings.
    Embeddings,
    /// Speech and transcriptions.
    Audio,
    /// The list of models.
    Models,
    /// Short-lived secrets of the realtime API.
    Realtime,
    /// Usage, limits and budgets.
    Usage,
    /// Metrics in Prometheus format.
    Metrics,
    /// Creating tokens that allow no more than this one.
    Mint,
    /// Listing and revoking the tokens of others. Only the owner's own commands and page have it.
    Admin,
}

impl Scope {
    /// Each scope with its name.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("chat", Self::Chat),
        ("embeddings", Self::Embeddings),
        ("audio", Self::Audio),
        ("models", Self::Models),
        ("realtime", Self::Realtime),
        ("usage", Self::Usage),
        ("metrics", Self::Metrics),
        ("mint", Self::Mint),
        ("admin", Self::Admin),
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// The set of these scopes.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut rest = scopes;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Parses names; returns the first that is unknown.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut bits = 0;
        for name in names {
            let known = Scope::NAMES.iter().find(|(known, _)| *known == name);
            let (_, scope) = known.ok_or_else(|| name.to_owned())?;
            bits |= scope.bit();
        }
        Ok(Self(bits))
    }

    /// Whether the set has a scope.
    #[must_use]
    pub const fn allows(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of another set is in this one.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The names of its scopes.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = Scope::NAMES.iter();
        all.filter(|(_, scope)| self.allows(*scope))
            .map(|(name, _)| *name)
            .collect()
    }
}

/// The keys that a token looks like. Some programs refuse a key whose beginning they do not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenShape {
    /// A key of OpenAI.
    #[default]
    OpenAi,
    /// A key of Anthropic.
    Anthropic,
    /// A key of Google.
    Google,
}

impl TokenShape {
    /// Each shape with its name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("openai", Self::OpenAi),
        ("anthropic", Self::Anthropic),
        ("google", Self::Google),
    ];

    /// What its tokens begin with, before [`crate::catalog::PROXY_TOKEN_INFIX`].
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::OpenAi => "sk-proj-",
            Self::Anthropic => "sk-ant-api03-",
            Self::Google => "AIza",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, *self))
    }
}

/// The name of a value in a table of names.
pub(super) fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names
        .iter()
        .find(|(_, one)| *one == value)
        .map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_sets() {
        let some = Scopes::parse(["chat", "usage"]).unwrap();
        assert_eq!(some.names(), ["chat", "usage"]);
        assert!(some.allows(Scope::Usage) && !some.allows(Scope::Admin));
        assert!(TokenKind::Proxy.default_scopes().includes(some));
        assert!(!some.includes(TokenKind::Proxy.default_scopes()));
        assert_eq!(Scopes::parse(["chat", "root"]), Err(String::from("root")));
        for (name, scope) in Scope::NAMES {
            assert_eq!(Scopes::of(&[scope]).names(), [name]);
        }
    }
}
