//! `Source`: a file of `src/` as its tokens, the paths it names, and the files those lead to.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of `src/`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path below `src/`, without the extension: `keys/stores/vault`, `keys/mod`, `time`.
    pub(crate) file: String,
    /// The whole text.
    pub(crate) text: String,
    /// What is compiled into the program, and the line each token is on.
    tokens: Vec<(usize, String)>,
    /// The same with the tests.
    tokens_with_tests: Vec<(usize, String)>,
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
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    files.sort();
    let name = |f: &Path| {
        let path = f
            .strip_prefix(&root)
            .expect("a file of src")
            .with_extension("");
        path.to_string_lossy().replace('\\', "/")
    };
    files
        .iter()
        .map(|f| Source::new(&name(f), &std::fs::read_to_string(f).expect("a source")))
        .collect()
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("src/{file}.rs: {e}"));
        let tokens_with_tests = flat(parsed.to_token_stream());
        // `tests.rs` is declared behind `#[cfg(test)]` in the module it tests.
        let is_test_file = file.ends_with("/tests") || file == "tests";
        let mut test_lines = if is_test_file {
            text.lines().count()
        } else {
            0
        };
        let mut tokens = Vec::new();
        for item in parsed.items.into_iter().filter(|_| !is_test_file) {
            let is_test =
                attributes(&item).is_some_and(|attributes| attributes.iter().any(is_cfg_test));
            let flattened = flat(item.into_token_stream());
            if is_test {
                let lines = flattened.iter().map(|(line, _)| *line);
                let first = lines.clone().min().unwrap_or(0);
                test_lines += lines.max().map_or(0, |last| last + 1 - first);
            } else {
                tokens.extend(flattened);
            }
        }
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            tokens,
            tokens_with_tests,
            test_lines,
        }
    }

    /// The path a person opens.
    pub(crate) fn path(&self) -> String {
        format!("src/{}.rs", self.file)
    }

    /// The top-level module it belongs to.
    pub(crate) fn module(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// How many lines it has, without its tests.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count() - self.test_lines
    }

    /// Where these tokens follow each other, in what is compiled into the program.
    pub(crate) fn lines_with(&self, wanted: &[&str]) -> Vec<usize> {
        lines_with(&self.tokens, wanted)
    }

    /// The same, tests included.
    pub(crate) fn lines_with_in_tests_too(&self, wanted: &[&str]) -> Vec<usize> {
        lines_with(&self.tokens_with_tests, wanted)
    }

    /// The line of the first token that contains a text, in what is compiled into the program. A
    /// string is one token, as it is written in the source.
    pub(crate) fn line_containing(&self, part: &str) -> Option<usize> {
        let (line, _) = self.tokens.iter().find(|(_, token)| token.contains(part))?;
        Some(*line)
    }

    /// The types it defines outside functions, with their lines.
    pub(crate) fn public_types(&self) -> Vec<(usize, String)> {
        let mut types = Vec::new();
        let mut depth = 0_usize;
        for (at, (line, token)) in self.tokens.iter().enumerate() {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                "struct" | "enum" | "trait" | "union" | "type" if depth == 0 => {
                    types.extend(
                        self.tokens
                            .get(at + 1)
                            .map(|(_, name)| (*line, name.clone())),
                    );
                }
                _ => {}
            }
        }
        types
    }

    /// The other top-level modules it names. `reexports` says which module a name at the top of the crate comes from.
    pub(crate) fn modules_named(&self, reexports: &BTreeMap<String, String>) -> BTreeSet<String> {
        let module_path = self.module_path();
        let mut modules = BTreeSet::new();
        for (_, path) in self.paths() {
            let segments: Vec<&str> = path.split("::").collect();
            let supers = segments.iter().take_while(|s| **s == "super").count();
            let named = match segments.as_slice() {
                ["crate" | "chatbot", named, ..] => *named,
                _ if supers > 0 && supers == module_path.len() => {
                    segments.get(supers).copied().unwrap_or_default()
                }
                _ => continue,
            };
            let named = match (reexports.get(named), self.file.as_str()) {
                (Some(module), _) => module.as_str(),
                // A function of `lib`.
                (None, "main") if named == "run" => "lib",
                (None, _) => named,
            };
            modules.insert(named.to_owned());
        }
        modules.remove(self.module());
        modules
    }

    /// What `lib` re-exports, and the module each name comes from.
    pub(crate) fn reexported_modules(&self) -> BTreeMap<String, String> {
        let module = |path: &str| {
            path.trim_start_matches("crate::")
                .split("::")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        self.reexports()
            .into_iter()
            .map(|(name, path)| (name, module(&path)))
            .collect()
    }

    /// Whether it is the other file or lies within its module. What a module defines is there for its submodules, as in the
    /// module itself: that is not an import.
    fn is_below(&self, other: &Self) -> bool {
        self.module_path().starts_with(&other.module_path())
    }

    /// The module path: `[]` for `lib` and `main`.
    fn module_path(&self) -> Vec<&str> {
        match self.file.as_str() {
            "lib" | "main" => Vec::new(),
            file => file
                .strip_suffix("/mod")
                .unwrap_or(file)
                .split('/')
                .collect(),
        }
    }

    /// Every path it names, with its line: groups of `use` are expanded, and an imported name stands for what it is.
    pub(crate) fn paths(&self) -> Vec<(usize, String)> {
        self.all_paths(false)
    }

    fn all_paths(&self, without_reexports: bool) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        let mut imported: BTreeMap<String, String> = BTreeMap::new();
        let tokens = &self.tokens;
        let mut at = 0;
        while let Some((line, token)) = tokens.get(at) {
            if token == "use" {
                let end = self.end_of_use(at);
                let mut rest = &tokens[at + 1..end];
                let reexport = self.is_reexport(at);
                for (path, name) in expand(&mut rest, "") {
                    imported.insert(name, path.clone());
                    if !(reexport && without_reexports) {
                        paths.push((*line, path));
                    }
                }
                at = end;
            } else if is_word(token)
                && (at == 0 || !matches!(tokens[at - 1].1.as_str(), "::" | "."))
            {
                let mut path = token.clone();
                while let (Some((_, colons)), Some((_, next))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    if colons != "::" || !is_word(next) {
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
            let (head, rest) = path
                .split_once("::")
                .map_or((path.as_str(), None), |(h, r)| (h, Some(r)));
            if let (Some(whole), Some(rest)) =
                (imported.get(head).filter(|w| w.as_str() != head), rest)
            {
                *path = format!("{whole}::{rest}");
            }
        }
        paths
    }

    fn end_of_use(&self, at: usize) -> usize {
        self.tokens[at..]
            .iter()
            .position(|(_, t)| t == ";")
            .map_or(self.tokens.len(), |n| at + n)
    }

    /// Whether the `use` at this token has a visibility: then it names where something is found, and uses nothing.
    fn is_reexport(&self, at: usize) -> bool {
        at > 0 && matches!(self.tokens[at - 1].1.as_str(), "pub" | ")")
    }

    /// The names it re-exports, each with its path.
    fn reexports(&self) -> BTreeMap<String, String> {
        let uses = self
            .tokens
            .iter()
            .enumerate()
            .filter(|(at, (_, t))| t == "use" && self.is_reexport(*at));
        uses.flat_map(|(at, _)| {
            let mut rest = &self.tokens[at + 1..self.end_of_use(at)];
            expand(&mut rest, "")
        })
        .map(|(path, name)| (name, path))
        .collect()
    }
}

/// Which file imports which.
#[derive(Debug)]
pub(crate) struct ImportGraph {
    /// From file to file, with the first line that names it.
    pub(crate) edges: BTreeMap<(String, String), usize>,
}

impl ImportGraph {
    pub(crate) fn new(sources: &[Source]) -> Self {
        let modules: BTreeMap<Vec<&str>, &Source> = sources
            .iter()
            .filter(|s| s.file != "main")
            .map(|s| (s.module_path(), s))
            .collect();
        let reexports: BTreeMap<Vec<&str>, BTreeMap<String, String>> = modules
            .iter()
            .map(|(path, source)| (path.clone(), source.reexports()))
            .collect();
        let mut edges = BTreeMap::new();
        for source in sources {
            for (line, path) in source.all_paths(true) {
                let target = resolve(&modules, &reexports, &source.module_path(), &path, 0);
                if let Some(target) = target.filter(|target| !source.is_below(target)) {
                    edges
                        .entry((source.file.clone(), target.file.clone()))
                        .or_insert(line);
                }
            }
        }
        Self { edges }
    }

    /// The shortest cycle through each file that lies on one, every cycle once.
    pub(crate) fn cycles(&self) -> Vec<Vec<String>> {
        let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (from, to) in self.edges.keys() {
            next.entry(from).or_default().push(to);
        }
        let mut cycles = Vec::new();
        let mut known = BTreeSet::new();
        for start in next.keys() {
            let mut before: BTreeMap<&str, &str> = BTreeMap::new();
            let mut queue = std::collections::VecDeque::from([*start]);
            'search: while let Some(here) = queue.pop_front() {
                for to in next.get(here).into_iter().flatten() {
                    if to == start {
                        let mut cycle = vec![here.to_owned()];
                        let mut at = here;
                        while at != *start {
                            at = before[at];
                            cycle.push(at.to_owned());
                        }
                        cycle.reverse();
                        let mut members = cycle.clone();
                        members.sort_unstable();
                        if known.insert(members) {
                            cycles.push(cycle);
                        }
                        break 'search;
                    }
                    if !before.contains_key(to) {
                        before.insert(to, here);
                        queue.push_back(to);
                    }
                }
            }
        }
        cycles
    }
}

/// The file in which what a path names is defined.
fn resolve<'s>(
    modules: &BTreeMap<Vec<&str>, &'s Source>,
    reexports: &BTreeMap<Vec<&str>, BTreeMap<String, String>>,
    from: &[&str],
    path: &str,
    depth: usize,
) -> Option<&'s Source> {
    let mut segments = path.split("::").peekable();
    let mut here: Vec<&str> = from.to_vec();
    match *segments.peek()? {
        "crate" | "chatbot" => {
            segments.next();
            here.clear();
        }
        "self" => {
            segments.next();
        }
        "super" => {
            while segments.next_if_eq(&"super").is_some() {
                here.pop();
            }
        }
        first => {
            // A child module; everything else is of another crate or defined in this file.
            let child = [from, &[first]].concat();
            modules.get(&child)?;
        }
    }
    while let Some(segment) = segments.next() {
        let child = [here.as_slice(), &[segment]].concat();
        if let Some((key, _)) = modules.get_key_value(&child) {
            here = key.clone();
        } else if let Some(target) = reexports
            .get(&here)
            .and_then(|names| names.get(segment))
            .filter(|_| depth < 8)
        {
            let rest: String = segments.map(|s| format!("::{s}")).collect();
            return resolve(
                modules,
                reexports,
                &here,
                &format!("{target}{rest}"),
                depth + 1,
            );
        } else {
            break;
        }
    }
    modules.get(&here).copied()
}

fn attributes(item: &syn::Item) -> Option<&[syn::Attribute]> {
    Some(match item {
        syn::Item::Const(i) => &i.attrs,
        syn::Item::Enum(i) => &i.attrs,
        syn::Item::Fn(i) => &i.attrs,
        syn::Item::Impl(i) => &i.attrs,
        syn::Item::Macro(i) => &i.attrs,
        syn::Item::Mod(i) => &i.attrs,
        syn::Item::Static(i) => &i.attrs,
        syn::Item::Struct(i) => &i.attrs,
        syn::Item::Trait(i) => &i.attrs,
        syn::Item::Type(i) => &i.attrs,
        syn::Item::Use(i) => &i.attrs,
        _ => return None,
    })
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .meta
            .require_list()
            .is_ok_and(|list| list.tokens.to_string() == "test")
}

/// The tokens in order, groups with their brackets, `::` as one token; literals as they are written.
fn flat(stream: TokenStream) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push((group.span_open().start().line, open.to_owned()));
                tokens.extend(flat(group.stream()));
                tokens.push((group.span_close().end().line, close.to_owned()));
            }
            TokenTree::Punct(punct)
                if punct.as_char() == ':' && tokens.last().is_some_and(|(_, t)| t == ":") =>
            {
                tokens.pop();
                tokens.push((line, String::from("::")));
            }
            other => tokens.push((line, other.to_string())),
        }
    }
    tokens.retain(|(_, token)| !token.is_empty());
    tokens
}

fn lines_with(tokens: &[(usize, String)], wanted: &[&str]) -> Vec<usize> {
    let matches = |window: &&[(usize, String)]| {
        window
            .iter()
            .zip(wanted)
            .all(|((_, token), wanted)| token == wanted)
    };
    tokens
        .windows(wanted.len())
        .filter(matches)
        .map(|window| window[0].0)
        .collect()
}

/// A tree of `use`, as whole paths and the name each is known by.
fn expand(tokens: &mut &[(usize, String)], before: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut path = before.to_owned();
    let mut name = String::new();
    while let Some(((_, token), rest)) = tokens
        .split_first()
        .filter(|((_, t), _)| !matches!(t.as_str(), "}" | ","))
    {
        *tokens = rest;
        match token.as_str() {
            "{" => {
                loop {
                    found.extend(expand(tokens, &path));
                    let Some(((_, token), rest)) = tokens.split_first() else {
                        break;
                    };
                    *tokens = rest;
                    if token == "}" {
                        break;
                    }
                }
                name.clear();
                path.clear();
            }
            "::" => path.push_str("::"),
            "as" => {
                if let Some(((_, other), rest)) = tokens.split_first() {
                    name.clone_from(other);
                    *tokens = rest;
                }
            }
            "self" if !path.is_empty() && path != "::" => {
                path.truncate(path.trim_end_matches("::").len());
                path.rsplit("::")
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut name);
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

#[test]
fn paths_are_expanded() {
    let source = Source::new(
        "x",
        "use std::{fs::{self, File}, io};\nuse a::b as c;\nfn f() { io::stdin(); c::d(); x.fs::<u8>(); File::open(y) }",
    );
    let paths: Vec<String> = source
        .paths()
        .into_iter()
        .map(|(line, path)| format!("{line} {path}"))
        .collect();
    assert_eq!(
        paths,
        [
            "1 std::fs",
            "1 std::fs::File",
            "1 std::io",
            "2 a::b",
            "3 std::io::stdin",
            "3 a::b::d",
            "3 std::fs::File::open"
        ]
    );
}

#[test]
fn import_graph_finds_a_cycle_and_follows_re_exports() {
    let sources = [
        ("lib", "mod a; mod b;"),
        ("a/mod", "pub use one::One; mod one; mod two;"),
        ("a/one", "use super::two; pub struct One;"),
        ("a/two", "pub fn f() {}"),
        (
            "b",
            "use crate::a::One; fn g() { crate::a::two::f(); vec![self::g()]; }",
        ),
    ];
    let sources = sources.map(|(file, text)| Source::new(file, text));
    let graph = ImportGraph::new(&sources);
    let edges: Vec<String> = graph
        .edges
        .keys()
        .map(|(from, to)| format!("{from} {to}"))
        .collect();
    assert_eq!(edges, ["a/one a/two", "b a/one", "b a/two"]);
    assert!(graph.cycles().is_empty());
    let cyclic = [
        ("a", "use crate::b::B;"),
        ("b", "use crate::c::C;"),
        ("c", "fn f() { crate::a::x() }"),
    ];
    let graph = ImportGraph::new(&cyclic.map(|(file, text)| Source::new(file, text)));
    assert_eq!(graph.cycles(), [["a", "b", "c"]]);
}
