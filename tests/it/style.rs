//! Names, sentences and sizes: what can be checked of the rules by which `src/` is written.

use crate::source::{Source, read_all};
use std::collections::BTreeMap;

/// The longest file, its tests not counted. Longer files had two subjects whenever one was looked at.
const MAX_FILE_LINES: usize = 540;

/// Words that a reader has to translate, and what to write.
const FORBIDDEN_WORDS: &[(&str, &str)] = &[
    ("anew", "again"),
    ("beside", "next to, in the same folder, as a copy"),
    ("deed", "action, command"),
    ("goes along", "is attached, is included"),
    ("its owner", "the user"),
    ("mend", "fix, repair"),
    ("nobody", "no one, or the active voice"),
    ("of this house", "of this installation"),
    ("so many", "the name of the number"),
    ("somebody", "someone, another process"),
    ("standing instructions", "system prompt"),
    ("what came", "the text so far"),
    ("whoever", "anyone who"),
];

/// Module names that say nothing about what is in the module.
const VAGUE_MODULES: &[&str] = &[
    "common", "helper", "helpers", "misc", "types", "util", "utils",
];

/// Attributes that hide a problem.
const FORBIDDEN_ATTRIBUTES: &[(&[&str], &str)] = &[
    (
        &["#", "[", "allow", "("],
        "fix what the lint found, or use `#[expect(…, reason = \"…\")]`",
    ),
    (
        &["#", "!", "[", "allow", "("],
        "fix what the lint found, or use `#[expect(…, reason = \"…\")]`",
    ),
    (
        &["error", "(", "transparent", ")"],
        "a transparent error hides its cause from the hints: `#[error(\"{0}\")]`",
    ),
    (
        &["#", "[", "ignore"],
        "a test that never runs: fix or remove it",
    ),
];

#[test]
fn source_follows_the_style() {
    let sources = read_all();
    let mut violations: Vec<String> = sources.iter().flat_map(style_violations).collect();
    violations.extend(duplicate_types(&sources));
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn style_violations(source: &Source) -> Vec<String> {
    let path = source.path();
    let mut violations = Vec::new();
    if !source.text.starts_with("//! ") {
        violations.push(format!(
            "{path}: begin with `//!` and the job of the file in one sentence"
        ));
    }
    let lines = source.lines();
    if lines > MAX_FILE_LINES {
        violations.push(format!(
            "{path}: {lines} lines, more than {MAX_FILE_LINES}: divide it by subject"
        ));
    }
    for (attribute, advice) in FORBIDDEN_ATTRIBUTES {
        for line in source.lines_with_in_tests_too(attribute) {
            violations.push(format!("{path}:{line}: `{}`: {advice}", attribute.concat()));
        }
    }
    for vague in VAGUE_MODULES
        .iter()
        .filter(|vague| source.file.split('/').any(|part| part == **vague))
    {
        violations.push(format!(
            "{path}: `{vague}` says nothing: name the module by its subject"
        ));
    }
    for (number, line) in source.text.lines().enumerate() {
        let sentence = sentences(line);
        for (word, instead) in FORBIDDEN_WORDS
            .iter()
            .filter(|(word, _)| contains_word(&sentence, word))
        {
            violations.push(format!("{path}:{}: `{word}`: write {instead}", number + 1));
        }
        if let Some(doc) = line
            .trim()
            .strip_prefix("/// ")
            .filter(|doc| says_nothing(doc))
        {
            violations.push(format!(
                "{path}:{}: `{doc}` says nothing: remove it or say more",
                number + 1
            ));
        }
    }
    violations
}

/// The comment of a line, and the strings in it that are sentences, in lower case.
fn sentences(line: &str) -> String {
    let comment = line.find("//").map_or("", |at| &line[at..]);
    let strings = line
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.split(' ').count() > 3);
    strings
        .fold(comment.to_owned(), |all, text| all + " " + text)
        .to_lowercase()
}

fn contains_word(text: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        !is_letter(text[..at].chars().next_back())
            && !is_letter(text[at + word.len()..].chars().next())
    })
}

/// A comment of a question word, which repeats what the type says: `Which.`, `How many.`, `When.`
fn says_nothing(doc: &str) -> bool {
    let words: Vec<&str> = doc.trim_end_matches('.').split(' ').collect();
    let questions = [
        "Which", "When", "Who", "Where", "What", "Whose", "Whether", "How", "Why",
    ];
    words.len() <= 2 && questions.contains(&words[0])
}

/// Names of types that more than one module defines. `Error` is the exception; macro parameters and types within a function
/// are not seen from outside.
fn duplicate_types(sources: &[Source]) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for (line, name) in source.public_types() {
            files
                .entry(name)
                .or_default()
                .push(format!("{}:{line}", source.path()));
        }
    }
    files.retain(|name, places| places.len() > 1 && name != "Error");
    files
        .into_iter()
        .map(|(name, places)| format!("`{name}` is defined more than once: {}", places.join(", ")))
        .collect()
}

/// The rules, tried on sources that violate them.
mod rules {
    use super::{Source, duplicate_types, style_violations};

    #[track_caller]
    fn is_found(file: &str, text: &str, part: &str) {
        let found = style_violations(&Source::new(file, text));
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{part:?} was not found: {found:#?}"
        );
    }

    #[test]
    fn style_violations_are_found() {
        is_found("fs/mod", "use std::path::Path;\n", "begin with `//!`");
        is_found(
            "fs/mod",
            &format!("//! Files.\n{}", "\n".repeat(super::MAX_FILE_LINES)),
            &format!("{} lines", super::MAX_FILE_LINES + 1),
        );
        is_found(
            "fs/mod",
            "//! Files.\n#[allow(dead_code)]\nfn f() {}",
            "src/fs/mod.rs:2: `#[allow(`",
        );
        is_found(
            "fs/mod",
            "//! Files.\n#[cfg(test)]\nmod tests {\n#[test]\n#[ignore]\nfn f() {}\n}",
            "src/fs/mod.rs:5: `#[ignore`",
        );
        is_found(
            "fs/mod",
            "//! Files.\nenum Error {\n#[error(transparent)]\nIo(io::Error) }",
            "src/fs/mod.rs:3",
        );
        is_found("chat/utils", "//! Things.", "`utils` says nothing");
        is_found(
            "fs/mod",
            "//! Files.\n// It is written anew.\n",
            "src/fs/mod.rs:2: `anew`: write again",
        );
        is_found(
            "fs/mod",
            "//! Files.\nconst A: &str = \"a file that nobody can read\";",
            "`nobody`",
        );
        is_found(
            "fs/mod",
            "//! Files.\n/// How many.\nconst A: u8 = 1;",
            "`How many.` says nothing",
        );
    }

    #[test]
    fn plain_source_passes() {
        let text = "//! Files.\n/// How many files are open.\nconst A: &[&str] = &[\"beside\"];\n";
        assert_eq!(
            style_violations(&Source::new("fs/mod", text)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn type_that_is_defined_twice_is_found() {
        let sources = [
            (
                "a",
                "pub struct Head; enum Error {} fn f() { struct Text; }",
            ),
            ("b", "pub(crate) enum Head {} enum Error {} struct Text;"),
        ];
        let sources = sources.map(|(file, text)| Source::new(file, text));
        assert_eq!(
            duplicate_types(&sources),
            ["`Head` is defined more than once: src/a.rs:1, src/b.rs:1"]
        );
    }
}
