//! What detectors remember from one keyword to the next, where a cursor does not suffice.

/// The state of a manifest that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) enum OpenManifest {
    Yaml(YamlState),
    Json(JsonState),
}

/// Where a manifest was read, and the parser state at its beginning.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct ManifestRegion {
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    pub(in crate::privacy) open: OpenManifest,
}

/// The state of the parser of YAML manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) struct YamlState {
    /// The column of the mapping's names.
    pub(in crate::privacy) column: usize,
    /// The column of `data:` or `stringData:`, while inside it.
    pub(in crate::privacy) block: Option<usize>,
    /// The column of the last name in it. Deeper lines belong to its value.
    pub(in crate::privacy) name: Option<usize>,
    /// Inside a plain-text certificate, which is public.
    pub(in crate::privacy) public: bool,
    /// The text ended inside a line of data, or inside another line.
    pub(in crate::privacy) inside: bool,
    pub(in crate::privacy) skips: bool,
    /// Nothing has confirmed yet that it is a `Secret`.
    pub(in crate::privacy) assumed: bool,
    /// The first line, which may begin with a list dash.
    pub(in crate::privacy) first: bool,
}

/// The state of the parser of JSON manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) struct JsonState {
    /// Backslashes before each quote: the object may be inside a string.
    pub(in crate::privacy) level: usize,
    /// Open braces.
    pub(in crate::privacy) depth: usize,
    /// Open braces around `data` or `stringData`, while inside it.
    pub(in crate::privacy) block: Option<usize>,
    /// The text ended inside a value.
    pub(in crate::privacy) inside: bool,
}

/// The syntax a value is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) enum Syntax {
    Quoted,
    /// `NAME=value` to the end of the line, as in `.env` files and shells.
    Line,
    /// After `name: ` or `name = `, without quotes.
    Bare,
    Query,
    /// A command-line argument.
    Argument,
    /// The text of an XML element or a cell of a table.
    Cell,
}

/// The end of the word that was read last, cached for later names in the same word.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::privacy) struct LastWord {
    pub(in crate::privacy) syntax: Option<Syntax>,
    pub(in crate::privacy) from: usize,
    pub(in crate::privacy) end: usize,
}
