//! The ledger of promises, `docs/claims.toml`: each promise of the README and of the threat model
//! has an entry, each entry has tests that exist, and a change to the source that they notice.
//!
//! `.ci/mutants` makes these changes, one at a time, and runs the tests: each has to fail.

use crate::source;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    claim: Vec<Claim>,
}

/// A promise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    id: String,
    /// The sentences that make it, or their beginnings.
    says: Vec<String>,
    /// `module::test` in `tests/it`, or the path of a test in `src`.
    tests: Vec<String>,
    /// Expressions of the source, what replaces them, and the test that then fails.
    #[serde(default)]
    mutant: Vec<Mutant>,
    /// Why there is no change to the source that breaks it.
    no_mutant: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    file: String,
    from: String,
    to: String,
    test: String,
}

/// The sections whose sentences are promises.
const PROMISES: &[(&str, &[&str])] = &[
    (
        "README.md",
        &[
            "chatbot",
            "What is stored where",
            "What leaves your machine",
        ],
    ),
    ("docs/threat-model.md", &["What is protected"]),
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn ledger() -> Ledger {
    toml::from_str(&read("docs/claims.toml")).unwrap()
}

/// The sentences of a section, without code blocks, headings of tables and pictures.
fn sentences(document: &str, section: &str) -> Vec<String> {
    let text = read(document);
    let prose: String = text.split("```").step_by(2).collect();
    let mut inside = false;
    let mut paragraphs = vec![String::new()];
    for line in prose.lines() {
        if let Some(title) = line.strip_prefix('#') {
            inside = title.trim_start_matches('#').trim() == section;
            continue;
        }
        if !inside || line.starts_with("|---") || line.starts_with("![") {
            continue;
        }
        let starts = line.is_empty() || line.starts_with("- ") || line.starts_with('|');
        if starts {
            paragraphs.push(String::new());
        }
        let line = line.strip_prefix("- ").unwrap_or(line).trim();
        let line = line.replace("**", "");
        let paragraph = paragraphs.last_mut().expect("one paragraph");
        if !paragraph.is_empty() {
            paragraph.push(' ');
        }
        paragraph.push_str(&line);
    }
    let ends = |paragraph: &str| {
        let mut found = Vec::new();
        let mut rest = paragraph;
        // A sentence ends where a capital follows.
        while let Some(at) = rest.match_indices(". ").map(|(at, _)| at).find(|at| {
            rest[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`' || c == '[')
        }) {
            found.push(rest[..=at].to_owned());
            rest = &rest[at + 2..];
        }
        found.push(rest.to_owned());
        found
    };
    let sentences = paragraphs.iter().flat_map(|paragraph| ends(paragraph));
    sentences
        .filter(|sentence| !sentence.is_empty() && sentence != "| what | where | how |")
        .collect()
}

#[test]
fn every_promise_is_in_the_ledger() {
    let ledger = ledger();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (document, sections) in PROMISES {
        for section in *sections {
            let sentences = sentences(document, section);
            assert!(
                !sentences.is_empty(),
                "{document} has no section `{section}`"
            );
            for sentence in sentences {
                let claims: Vec<(&str, &String)> = ledger
                    .claim
                    .iter()
                    .flat_map(|c| c.says.iter().map(|says| (c.id.as_str(), says)))
                    .filter(|(_, says)| sentence.starts_with(says.as_str()))
                    .collect();
                if claims.is_empty() {
                    wrong.push(format!("{document}: no claim says: {sentence}"));
                }
                used.extend(claims.into_iter().map(|(_, says)| says.clone()));
            }
        }
    }
    for claim in &ledger.claim {
        for says in claim.says.iter().filter(|says| !used.contains(*says)) {
            wrong.push(format!("{}: no document says: {says}", claim.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every test of the repository, as the ledger names it.
fn all_tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |module: &str, text: &str| {
        for part in text.split("#[test]").skip(1) {
            let name = part.split_once("fn ").map(|(_, rest)| rest);
            let name = name.and_then(|rest| rest.split('(').next());
            found.insert(format!("{module}::{}", name.unwrap_or_default()));
        }
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            add(&module, &fs::read_to_string(&path).unwrap());
        }
    }
    for source in source::read_all() {
        let module = source.file.replace('/', "::");
        let module = module.trim_end_matches("::mod");
        let module = if module.ends_with("tests") {
            module.to_owned()
        } else {
            format!("{module}::tests")
        };
        add(&module, &source.text);
    }
    found
}

#[test]
fn every_promise_has_tests_and_a_mutant() {
    let tests = all_tests();
    let (mut wrong, mut ids) = (Vec::new(), BTreeSet::new());
    for claim in ledger().claim {
        let Claim {
            id,
            says,
            tests: held_by,
            mutant,
            no_mutant,
        } = claim;
        if !ids.insert(id.clone()) {
            wrong.push(format!("{id}: there are two claims of this name"));
        }
        if says.is_empty() || held_by.is_empty() {
            wrong.push(format!("{id}: a claim needs a sentence and a test"));
        }
        if mutant.is_empty() == no_mutant.is_none() {
            wrong.push(format!(
                "{id}: a claim needs a mutant, or why there is none"
            ));
        }
        for test in held_by.iter().chain(mutant.iter().map(|m| &m.test)) {
            if !tests.contains(test) {
                wrong.push(format!("{id}: there is no test `{test}`"));
            }
        }
        for Mutant {
            file,
            from,
            to,
            test,
        } in mutant
        {
            if !held_by.contains(&test) {
                wrong.push(format!("{id}: `{test}` is not one of its tests"));
            }
            let times = read(&file).matches(&from).count();
            if times != 1 || from == to {
                wrong.push(format!("{id}: {file} has `{from}` {times} times"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sentences_are_found_in_a_section() {
    let found = sentences("docs/threat-model.md", "What is protected");
    assert_eq!(
        found[..2],
        [
            "Your keys from thieves of a disk or a backup.",
            "Keys are in the OS keyring, or in a vault encrypted with your passphrase and, if you want, a key file or a device.",
        ]
    );
}
