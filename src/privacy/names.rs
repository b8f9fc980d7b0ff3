//! Names that secrets are given, in several languages.

/// What a name says of the value beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A password: any value may be one.
    Password,
}

/// The names and what they say.
pub(super) const WORDS: &[(&[&str], Word)] = &[(&["password"], Word::Password)];
