//! Changes one setting in the text of the settings file. Comments, order and layout stay.

use super::section::line_of;
use std::fmt;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_edit::{Array, DocumentMut, Item, Key, Table, TableLike, Value};

/// Why a setting cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is not valid TOML, so nothing in it can be found.
    #[error("line {line} is not valid TOML: {reason}")]
    InvalidFile {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// The key cannot be parsed.
    #[error("`{0}` is not a setting such as `limits.max_messages`")]
    InvalidKey(String),
    /// The value cannot be parsed.
    #[error("the value is not valid TOML")]
    InvalidValue,
    /// A part of the key names a value.
    #[error("`{0}` is a value and not a table")]
    NotATable(String),
    /// The key names a table.
    #[error("`{0}` is a table: name a setting in it")]
    IsTable(String),
}

/// The full key of a setting, such as `limits.max_messages`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingKey(Vec<String>);

impl SettingKey {
    /// Parses a dotted key.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        let parts = Key::parse(text).map_err(|_| EditError::InvalidKey(text.to_owned()))?;
        Ok(Self(
            parts.iter().map(|part| part.get().to_owned()).collect(),
        ))
    }

    /// Whether this is `table` or a key in it.
    #[must_use]
    pub fn is_in(&self, table: &Self) -> bool {
        self.0.starts_with(&table.0)
    }

    /// The name without its table.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The names, joined by dots without quotes, as the parser reports them.
    #[must_use]
    pub fn path(&self) -> String {
        self.0.join(".")
    }

    fn tables(&self) -> &[String] {
        self.0.split_last().map_or(&[], |(_, tables)| tables)
    }
}

impl fmt::Display for SettingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.0.iter().enumerate() {
            let dot = if n == 0 { "" } else { "." };
            let is_bare = !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if is_bare {
                write!(f, "{dot}{part}")?;
            } else {
                write!(f, "{dot}{part:?}")?;
            }
        }
        Ok(())
    }
}

/// Each setting in a text with its value as it is written there, in the order of the file.
pub fn entries(text: &str) -> Result<Vec<(SettingKey, String)>, EditError> {
    let table = parse_table(text)?;
    let mut leaves = Vec::new();
    collect_leaves(text, &mut Vec::new(), table.get_ref(), &mut leaves);
    leaves.sort_by_key(|leaf| leaf.at);
    Ok(leaves
        .into_iter()
        .map(|leaf| (leaf.key, leaf.value))
        .collect())
}

/// The line of a setting, from 1, or of an element of its list.
#[must_use]
pub fn line_of_setting(text: &str, key: &str, element: Option<usize>) -> usize {
    let find = || {
        let table = DeTable::parse(text).ok()?;
        let parts: Vec<String> = key.split('.').map(str::to_owned).collect();
        let (name, value) = find_value(table.get_ref(), &parts)?;
        let element = element.and_then(|n| value.get_ref().as_array()?.get(n));
        Some(element.map_or(name, |element| element.span().start))
    };
    line_of(text, find().unwrap_or(0))
}

/// Sets a value, which is TOML: in its place, else in place of the comment with its default, else
/// at the end of its table.
pub fn set(text: &str, key: &SettingKey, value: &str) -> Result<String, EditError> {
    let parsed: Value = value.parse().map_err(|_| EditError::InvalidValue)?;
    let table = parse_table(text)?;
    if let Some((_, old)) = find_value(table.get_ref(), &key.0)
        && is_leaf(text, old)
    {
        let (before, after) = (text.get(..old.span().start), text.get(old.span().end..));
        return Ok([before.unwrap_or_default(), value, after.unwrap_or_default()].concat());
    }
    let mut wanted = entries(text)?;
    wanted.push((key.clone(), value.to_owned()));
    if let Some(new) = replace_comment(text, key, value)
        && has_entries(&new, &wanted)
    {
        return Ok(new);
    }
    let is_new_table = find_value(table.get_ref(), key.tables()).is_none();
    if is_new_table
        && let Some(new) = append_table(text, key, value)
        && has_entries(&new, &wanted)
    {
        return Ok(new);
    }
    let mut document = parse_document(text)?;
    let mut inner: &mut dyn TableLike = document.as_table_mut();
    for (n, part) in key.tables().iter().enumerate() {
        inner = inner
            .entry(part)
            .or_insert_with(|| {
                let mut table = Table::new();
                // A table that holds only other tables gets no header.
                table.set_implicit(true);
                Item::Table(table)
            })
            .as_table_like_mut()
            .ok_or_else(|| EditError::NotATable(key.0.get(..=n).unwrap_or_default().join(".")))?;
    }
    if inner.get(key.name()).is_some_and(Item::is_table_like) {
        return Err(EditError::IsTable(key.to_string()));
    }
    inner.insert(key.name(), Item::Value(parsed));
    Ok(document.to_string())
}

/// Adds a text to a list, on a line of its own below a comment.
pub fn append(
    text: &str,
    key: &SettingKey,
    element: &str,
    comment: &str,
) -> Result<String, EditError> {
    let quoted = Value::from(element).to_string();
    let quoted = quoted.trim();
    let table = parse_table(text)?;
    if find_value(table.get_ref(), &key.0).is_none() {
        return set(text, key, &format!("[\n    # {comment}\n    {quoted},\n]"));
    }
    change_list(text, key, |list| {
        let mut value = Value::from(element);
        value
            .decor_mut()
            .set_prefix(format!("\n    # {comment}\n    "));
        list.push_formatted(value);
        list.set_trailing_comma(true);
        list.set_trailing("\n");
    })
}

/// Takes a text out of a list.
pub fn remove(text: &str, key: &SettingKey, element: &str) -> Result<String, EditError> {
    change_list(text, key, |list| {
        list.retain(|value| value.as_str() != Some(element));
    })
}

fn change_list(
    text: &str,
    key: &SettingKey,
    change: impl FnOnce(&mut Array),
) -> Result<String, EditError> {
    let mut document = parse_document(text)?;
    let mut inner: &mut dyn TableLike = document.as_table_mut();
    for part in key.tables() {
        inner = inner
            .get_mut(part)
            .and_then(Item::as_table_like_mut)
            .ok_or(EditError::InvalidValue)?;
    }
    let list = inner.get_mut(key.name()).and_then(Item::as_array_mut);
    change(list.ok_or(EditError::InvalidValue)?);
    Ok(document.to_string())
}

/// Removes a setting or a table; `None` if it is not in the text.
pub fn unset(text: &str, key: &SettingKey) -> Result<Option<String>, EditError> {
    let all = entries(text)?;
    let wanted: Vec<_> = all.iter().filter(|(k, _)| !k.is_in(key)).cloned().collect();
    let table = parse_table(text)?;
    if find_value(table.get_ref(), &key.0).is_none() {
        return Ok(None);
    }
    let new = remove_lines(text, key, table.get_ref());
    if has_entries(&new, &wanted) {
        return Ok(Some(new));
    }
    // It shares its line with others, as in an inline table.
    let mut document = parse_document(text)?;
    let mut inner: &mut dyn TableLike = document.as_table_mut();
    for part in key.tables() {
        let Some(table) = inner.get_mut(part).and_then(Item::as_table_like_mut) else {
            return Ok(None);
        };
        inner = table;
    }
    inner.remove(key.name());
    Ok(Some(document.to_string()))
}

struct Leaf {
    key: SettingKey,
    value: String,
    /// Where the key begins.
    at: usize,
    /// Where the value ends.
    end: usize,
}

fn collect_leaves(text: &str, path: &mut Vec<String>, table: &DeTable<'_>, all: &mut Vec<Leaf>) {
    for (name, value) in table {
        path.push(name.get_ref().to_string());
        match value.get_ref() {
            // An empty table has no settings.
            DeValue::Table(table) => collect_leaves(text, path, table, all),
            _ => all.push(Leaf {
                key: SettingKey(path.clone()),
                value: text.get(value.span()).unwrap_or_default().to_owned(),
                at: name.span().start,
                end: value.span().end,
            }),
        }
        path.pop();
    }
}

fn parse_table(text: &str) -> Result<Spanned<DeTable<'_>>, EditError> {
    DeTable::parse(text).map_err(|error| EditError::InvalidFile {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    })
}

fn parse_document(text: &str) -> Result<DocumentMut, EditError> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| EditError::InvalidFile {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })
}

/// Where a key begins, and its value.
fn find_value<'a, 't>(
    table: &'a DeTable<'t>,
    path: &[String],
) -> Option<(usize, &'a Spanned<DeValue<'t>>)> {
    let (first, rest) = path.split_first()?;
    let (name, value) = table.get_key_value(first.as_str())?;
    if rest.is_empty() {
        return Some((name.span().start, value));
    }
    find_value(value.get_ref().as_table()?, rest)
}

/// Whether the text of a value can be replaced: it is no table, or one within braces.
fn is_leaf(text: &str, value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().as_table().is_none()
        || text
            .get(value.span())
            .is_some_and(|written| written.starts_with('{'))
}

fn has_entries(text: &str, wanted: &[(SettingKey, String)]) -> bool {
    let sorted = |mut all: Vec<(SettingKey, String)>| {
        all.sort();
        all
    };
    entries(text).is_ok_and(|all| sorted(all) == sorted(wanted.to_vec()))
}

/// Puts a setting in place of the comment that shows it: `# name = default`.
fn replace_comment(text: &str, key: &SettingKey, value: &str) -> Option<String> {
    let mut section: Option<Vec<String>> = Some(Vec::new());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let plain = line.trim();
        let comment = plain.strip_prefix('#').map(str::trim);
        if plain.starts_with('[') {
            section = header(plain);
        } else if comment.is_some_and(|comment| comment.starts_with('[')) {
            section = None;
        } else if let Some(comment) = comment
            && section.as_deref() == Some(key.tables())
            && is_assignment(comment, key.name())
        {
            let end = at + line.trim_end_matches(['\n', '\r']).len();
            return Some(format!(
                "{}{} = {value}{}",
                text.get(..at)?,
                key.name(),
                text.get(end..)?
            ));
        }
        at += line.len();
    }
    None
}

/// Adds a table with one setting at the end, behind all comments.
fn append_table(text: &str, key: &SettingKey, value: &str) -> Option<String> {
    let (name, tables) = key.0.split_last()?;
    let table = SettingKey(tables.to_vec());
    let name = SettingKey(vec![name.clone()]);
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    (!tables.is_empty()).then(|| format!("{text}{gap}[{table}]\n{name} = {value}\n"))
}

/// The key of a line such as `[a.b]`.
fn header(line: &str) -> Option<Vec<String>> {
    let inside = line.split(']').next()?.strip_prefix('[')?;
    let parts = Key::parse(inside).ok()?;
    Some(parts.iter().map(|part| part.get().to_owned()).collect())
}

fn is_assignment(comment: &str, name: &str) -> bool {
    comment
        .split_once('=')
        .is_some_and(|(key, _)| key.trim() == name)
        && DeTable::parse(comment).is_ok()
}

/// The text without the lines of a setting, or of a table and its header.
fn remove_lines(text: &str, key: &SettingKey, table: &DeTable<'_>) -> String {
    let mut leaves = Vec::new();
    collect_leaves(text, &mut Vec::new(), table, &mut leaves);
    let gone: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.key.is_in(key)).collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let is_value = gone.iter().any(|leaf| leaf.at < end && leaf.end > start);
        let is_header = line.trim_start().starts_with('[')
            && header(line.trim()).is_some_and(|path| path.starts_with(&key.0));
        if !is_value && !is_header {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TEMPLATE;

    fn key(text: &str) -> SettingKey {
        SettingKey::parse(text).unwrap()
    }

    #[track_caller]
    fn is_set(before: &str, name: &str, value: &str, after: &str) {
        assert_eq!(set(before, &key(name), value).as_deref(), Ok(after));
    }

    #[track_caller]
    fn is_unset(before: &str, name: &str, after: Option<&str>) {
        assert_eq!(unset(before, &key(name)), Ok(after.map(str::to_owned)));
    }

    #[test]
    fn edit_replaces_only_the_value() {
        is_set(
            "# head\n[limits] # all\n  max_messages   =  5   # few\n\n# tail\n",
            "limits.max_messages",
            "7",
            "# head\n[limits] # all\n  max_messages   =  7   # few\n\n# tail\n",
        );
        is_set(
            "[privacy]\nretention = { pii = \"drop\", days = 3 } # x\nallow = [\n  \"a\", # one\n]\n",
            "privacy.retention.days",
            "9",
            "[privacy]\nretention = { pii = \"drop\", days = 9 } # x\nallow = [\n  \"a\", # one\n]\n",
        );
        is_set(
            "limits.max_messages = 5\r\n",
            "limits.max_messages",
            "7",
            "limits.max_messages = 7\r\n",
        );
    }

    #[test]
    fn edit_adds_to_the_table() {
        is_set("", "model", "\"x\"", "model = \"x\"\n");
        is_set(
            "",
            "providers.lan.base_url",
            "\"u\"",
            "[providers.lan]\nbase_url = \"u\"\n",
        );
        is_set(
            "model = \"m\"\n[limits]\nmax_messages = 5 # few\n\n# about money\n[budget]\nper_day = 1.00\n",
            "limits.requests_per_hour",
            "8",
            "model = \"m\"\n[limits]\nmax_messages = 5 # few\nrequests_per_hour = 8\n\n# about money\n[budget]\nper_day = 1.00\n",
        );
        is_set(
            "[privacy]\nretention = { days = 3 }\n",
            "privacy.retention.pii",
            "\"drop\"",
            "[privacy]\nretention = { days = 3 , pii = \"drop\" }\n",
        );
        assert_eq!(
            set("model = \"m\"\n", &key("model.x"), "1"),
            Err(EditError::NotATable("model".to_owned()))
        );
    }

    #[test]
    fn edit_replaces_the_comment_with_the_default() {
        let new = set(TEMPLATE, &key("limits.max_messages"), "7").unwrap();
        assert_eq!(
            new,
            TEMPLATE.replace("# max_messages = 1000", "max_messages = 7")
        );
        let new = set(TEMPLATE, &key("providers.local.key"), "\"none\"").unwrap();
        assert_eq!(
            new,
            format!("{TEMPLATE}\n[providers.local]\nkey = \"none\"\n")
        );
        for (name, value) in entries(&new).unwrap() {
            assert_eq!(
                (name, value),
                (key("providers.local.key"), "\"none\"".to_owned())
            );
        }
    }

    #[test]
    fn edit_removes_lines_and_keeps_comments() {
        is_unset(
            "# head\nmodel = \"m\" # mine\n# about limits\n[limits]\nmax_messages = 5\n",
            "model",
            Some("# head\n# about limits\n[limits]\nmax_messages = 5\n"),
        );
        is_unset(
            "[privacy]\nallow = [\n  \"a\", # one\n  \"b\",\n]\nzdr = true\n",
            "privacy.allow",
            Some("[privacy]\nzdr = true\n"),
        );
        is_unset(
            "[providers.a]\nkey = \"none\"\nbase_url = \"u\"\n\n# the other\n[providers.b]\nkey = \"none\"\n",
            "providers.a",
            Some("\n# the other\n[providers.b]\nkey = \"none\"\n"),
        );
        is_unset(
            "[privacy]\nretention = { pii = \"drop\", days = 3 }\n",
            "privacy.retention.pii",
            Some("[privacy]\nretention = { days = 3 }\n"),
        );
        is_unset("[limits]\n", "limits.max_messages", None);
        is_unset(
            "a = '''\n[limits]\n'''\n[limits]\nx = 1\n",
            "limits",
            Some("a = '''\n[limits]\n'''\n"),
        );
    }

    #[test]
    fn edit_names_the_line_of_a_broken_file() {
        let error = set("model = 1\n= 2\n", &key("model"), "3").unwrap_err();
        assert!(
            matches!(error, EditError::InvalidFile { line: 2, .. }),
            "{error}"
        );
        assert_eq!(
            line_of_setting("\n[a]\nb = [\n 1,\n 2]\n", "a.b", Some(1)),
            5
        );
        assert_eq!(line_of_setting("\n[a]\nb = [\n 1,\n 2]\n", "a.b", None), 3);
    }
}
