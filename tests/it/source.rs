//! `Source`: a file of `src/`, read as far as the plan of the house asks: its code without words, and the paths it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of `src/`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its place under `src/`, without the ending: `keys/vault`, `keys/mod`, `disk`.
    pub(crate) file: String,
    /// All of it.
    pub(crate) text: String,
    /// Comments and the insides of strings blanked.
    blank: String,
    /// The same, and without what is only there for tests.
    code: String,
    /// How many lines are only there for tests.
    test_lines: usize,
}

/// Every file of `src/`.
pub(crate) fn read_all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the source") {
            let path = entry.expect("an entry of the source").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    files.sort();
    let name = |f: &Path| f.strip_prefix(&root).expect("it lies in src").with_extension("").to_string_lossy().replace('\\', "/");
    files.iter().map(|f| Source::new(&name(f), &std::fs::read_to_string(f).expect("a source"))).collect()
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let blank = blanked(text);
        // A file of tests is declared behind `#[cfg(test)]` in its room.
        let (code, test_lines) = if file.ends_with("/tests") { (String::new(), text.lines().count()) } else { without_tests(&blank) };
        Self { file: file.to_owned(), text: text.to_owned(), blank, code, test_lines }
    }

    /// How a person finds it.
    pub(crate) fn path(&self) -> String {
        format!("src/{}.rs", self.file)
    }

    /// The room it belongs to.
    pub(crate) fn room(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// What is compiled into the program.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// What is compiled, the tests included.
    pub(crate) fn code_with_tests(&self) -> &str {
        &self.blank
    }

    /// How many lines it has, those of its tests not counted.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count() - self.test_lines
    }

    /// How deep its module lies below the crate.
    fn depth(&self) -> usize {
        match self.file.as_str() {
            "lib" | "main" => 0,
            file => file.strip_suffix("/mod").unwrap_or(file).split('/').count(),
        }
    }

    /// Every path it names, written out, with its line: `use` groups are spread, and what is imported stands for what it is.
    pub(crate) fn paths(&self) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        let mut imported: BTreeMap<String, String> = BTreeMap::new();
        let tokens = tokens(&self.code);
        let mut at = 0;
        while let Some((line, token)) = tokens.get(at) {
            if *token == "use" {
                let end = tokens[at..].iter().position(|(_, t)| *t == ";").map_or(tokens.len(), |n| at + n);
                let mut rest = &tokens[at + 1..end];
                for (path, name) in spread(&mut rest, "") {
                    imported.insert(name, path.clone());
                    paths.push((*line, path));
                }
                at = end;
            } else if is_word(token) && (at == 0 || !matches!(tokens[at - 1].1, "::" | ".")) {
                let mut path = (*token).to_owned();
                while let (Some((_, "::")), Some((_, next))) = (tokens.get(at + 1), tokens.get(at + 2)) {
                    if !is_word(next) {
                        break;
                    }
                    path = format!("{path}::{next}");
                    at += 2;
                }
                if path.contains("::") {
                    paths.push((*line, path));
                }
            }
            at += 1;
        }
        for (_, path) in &mut paths {
            let (head, rest) = path.split_once("::").map_or((path.as_str(), None), |(h, r)| (h, Some(r)));
            if let (Some(whole), Some(rest)) = (imported.get(head).filter(|w| w.as_str() != head), rest) {
                *path = format!("{whole}::{rest}");
            }
        }
        paths
    }

    /// The rooms it names. `outer` says which room a name at the top of the crate comes from.
    pub(crate) fn rooms_named(&self, outer: &BTreeMap<String, String>) -> BTreeSet<String> {
        let up = vec!["super"; self.depth()];
        let mut rooms = BTreeSet::new();
        for (_, path) in self.paths() {
            let parts: Vec<&str> = path.split("::").collect();
            let inner = match parts.as_slice() {
                ["crate" | "chatbot", inner, ..] => inner,
                parts if self.depth() > 0 && parts.len() > up.len() && parts.starts_with(&up) && parts[up.len()] != "super" => {
                    &parts[up.len()]
                }
                _ => continue,
            };
            match outer.get(*inner) {
                Some(room) => rooms.insert(room.clone()),
                // A name of the crate's top that is no module: a function of `lib`.
                None if self.room() == "main" && *inner == "run" => rooms.insert("lib".to_owned()),
                None => rooms.insert((*inner).to_owned()),
            };
        }
        rooms
    }

    /// What `lib` lifts out of the rooms, and out of which.
    pub(crate) fn reexports(&self) -> Vec<(String, String)> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        for (at, window) in tokens.windows(2).enumerate() {
            if matches!(window, [(_, "pub"), (_, "use")]) {
                let end = tokens[at..].iter().position(|(_, t)| *t == ";").map_or(tokens.len(), |n| at + n);
                let mut rest = &tokens[at + 2..end];
                for (path, name) in spread(&mut rest, "") {
                    let room = path.trim_start_matches("crate::").split("::").next().unwrap_or_default().to_owned();
                    found.push((name, room));
                }
            }
        }
        found
    }
}

/// A tree of `use`, as whole paths and the name each is known by.
fn spread(tokens: &mut &[(usize, &str)], before: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut path = before.to_owned();
    let mut name = String::new();
    while let Some(((_, token), rest)) = tokens.split_first().filter(|((_, t), _)| !matches!(*t, "}" | ",")) {
        *tokens = rest;
        match *token {
            "{" => {
                loop {
                    found.extend(spread(tokens, &path));
                    let Some(((_, token), rest)) = tokens.split_first() else { break };
                    *tokens = rest;
                    if *token == "}" {
                        break;
                    }
                }
                name.clear();
                path.clear();
            }
            "::" => path.push_str("::"),
            "as" => {
                if let Some(((_, other), rest)) = tokens.split_first() {
                    (*other).clone_into(&mut name);
                    *tokens = rest;
                }
            }
            "self" if !path.is_empty() => {
                path.truncate(path.trim_end_matches("::").len());
                path.rsplit("::").next().unwrap_or_default().clone_into(&mut name);
            }
            word => {
                path.push_str(word);
                word.clone_into(&mut name);
            }
        }
    }
    if !name.is_empty() {
        found.push((path, name));
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other sign by itself, with the line each is in.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                c if c.is_alphanumeric() || c == '_' => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            if !first.is_whitespace() {
                found.push((number + 1, &rest[..length]));
            }
            rest = &rest[length..];
        }
    }
    found
}

/// `text` with comments, and the insides of strings and characters, as spaces. Lines stay where they are.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !out.ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && (rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let here = &text[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += c.len_utf8();
        }
    }
    at
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - inside.len() + inside.find(&end)? + end.len())
}

/// `code` with every item behind `#[cfg(test)]` as spaces, and how many lines those items have.
fn without_tests(code: &str) -> (String, usize) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    let mut lines = 0;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let mut depth = 0;
        let mut end = item.len();
        for (at, c) in item.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                end = at + c.len_utf8();
                break;
            }
        }
        out.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        lines += item[..end].lines().count();
        rest = &item[end..];
    }
    (out + rest, lines)
}

#[test]
fn source_paths_are_expanded() {
    let source =
        Source::new("x", "use std::{fs::{self, File}, io};\nuse a::b as c;\nfn f() { io::stdin(); c::d(); x.fs::<u8>(); File::open(y) }");
    let paths: Vec<String> = source.paths().into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(paths, ["1 std::fs", "1 std::fs::File", "1 std::io", "2 a::b", "3 std::io::stdin", "3 a::b::d", "3 std::fs::File::open"]);
}
