//! How this program was built, as `build.rs` recorded it. Nothing in it depends on the time or the
//! place of the build, so that two builds of one commit are equal.

use serde::Serialize;

/// How this program was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildInfo {
    /// The version of the program.
    pub version: &'static str,
    /// The commit; `None` if it was not known, as in builds for development.
    pub commit: Option<&'static str>,
    /// Whether files differed from the commit.
    pub modified: bool,
    /// The hash of `Cargo.lock`, as `git hash-object` prints it.
    pub lock: Option<&'static str>,
    /// The features that were built in.
    pub features: Vec<&'static str>,
    /// The platform.
    pub target: &'static str,
    /// The compiler.
    pub toolchain: &'static str,
    /// What was known about the dependencies; `None` if no one looked.
    pub advisories: Option<KnownAdvisories>,
}

/// The security advisories for the dependencies that were known when the program was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownAdvisories {
    /// The date of the database that was searched, `2026-11-30`.
    pub date: &'static str,
    /// Their ids.
    pub ids: Vec<&'static str>,
}

impl BuildInfo {
    /// How this program was built.
    #[must_use]
    pub fn of_this_program() -> Self {
        let (commit, modified) = match env!("CHATBOT_BUILD_COMMIT").split_once(' ') {
            Some((commit, _)) => (commit, true),
            None => (env!("CHATBOT_BUILD_COMMIT"), false),
        };
        let features = [
            ("object-storage", cfg!(feature = "object-storage")),
            ("pdf", cfg!(feature = "pdf")),
        ];
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: unless_empty(commit),
            modified,
            lock: unless_empty(env!("CHATBOT_BUILD_LOCK")),
            features: features
                .iter()
                .filter(|(_, is_on)| *is_on)
                .map(|(name, _)| *name)
                .collect(),
            target: env!("CHATBOT_BUILD_TARGET"),
            toolchain: env!("CHATBOT_BUILD_TOOLCHAIN"),
            advisories: KnownAdvisories::parse(env!("CHATBOT_BUILD_ADVISORIES")),
        }
    }

    /// The commit in words.
    #[must_use]
    pub fn describe_commit(&self) -> String {
        let changes = if self.modified { ", with changes" } else { "" };
        self.commit.map_or_else(
            || String::from("not recorded"),
            |id| format!("{id}{changes}"),
        )
    }
}

impl KnownAdvisories {
    /// Parses the date of the database and the ids.
    fn parse(text: &'static str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Some(Self {
            date: words.next()?,
            ids: words.collect(),
        })
    }
}

fn unless_empty(text: &'static str) -> Option<&'static str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_are_a_date_and_ids() {
        assert_eq!(KnownAdvisories::parse(""), None);
        assert_eq!(
            KnownAdvisories::parse("2026-11-30"),
            Some(KnownAdvisories {
                date: "2026-11-30",
                ids: Vec::new()
            })
        );
        assert_eq!(
            KnownAdvisories::parse("2026-11-30 RUSTSEC-2026-0001 RUSTSEC-2026-0002"),
            Some(KnownAdvisories {
                date: "2026-11-30",
                ids: vec!["RUSTSEC-2026-0001", "RUSTSEC-2026-0002"]
            })
        );
    }
}
