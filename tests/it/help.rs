//! Every help page equals its file in `tests/it/help/`, and every command that a text names exists.
//!
//! `CHATBOT_REFRESH=help cargo test --test it help` rewrites the files: read the difference before you
//! commit it.

use super::harness::Sandbox;
use super::harness::run::difference;
use super::{documents, source};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help")
}

/// The pages of a command and of all below it: the words that lead there, and the text.
fn pages(sandbox: &Sandbox, words: &[&str], found: &mut Vec<(String, String)>) {
    let text = sandbox
        .run(words.iter().copied().chain(["--help"]))
        .succeeds();
    assert_eq!(
        text.stderr, "",
        "help is an answer, and answers are on standard output"
    );
    found.push((
        ["chatbot"]
            .iter()
            .chain(words)
            .copied()
            .collect::<Vec<_>>()
            .join("-"),
        text.stdout.clone(),
    ));
    let below = text
        .stdout
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.is_empty());
    // A name stands two columns in; what is further in is the end of a description.
    for name in below
        .filter_map(|l| l.strip_prefix("  "))
        .filter(|l| !l.starts_with(' '))
        .filter_map(|l| l.split_whitespace().next())
    {
        if name != "help" {
            pages(sandbox, &[words, &[name]].concat(), found);
        }
    }
}

#[test]
fn help_pages_match_files() {
    let mut found = Vec::new();
    pages(&Sandbox::new(), &[], &mut found);
    if std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "help") {
        fs::create_dir_all(folder()).unwrap();
        for entry in fs::read_dir(folder()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, text) in &found {
            fs::write(folder().join(format!("{name}.txt")), text).unwrap();
        }
        return;
    }
    let mut wrong = String::new();
    for (name, text) in &found {
        let expected = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap_or_default();
        if expected != *text {
            writeln!(wrong, "{name}.txt:\n{}", difference(&expected, text)).unwrap();
        }
    }
    let names: BTreeSet<String> = found
        .iter()
        .map(|(name, _)| format!("{name}.txt"))
        .collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !names.contains(&name) {
            writeln!(wrong, "{name}: there is no such command any more").unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}\nIf this is as it should be: `CHATBOT_REFRESH=help cargo test --test it help`"
    );
}

#[test]
fn help_fits_terminal() {
    let mut found = Vec::new();
    pages(&Sandbox::new(), &[], &mut found);
    assert!(found.len() > 20, "{found:#?}");
    let mut wrong = String::new();
    for (name, text) in &found {
        for line in text.lines().filter(|l| l.chars().count() > 100) {
            writeln!(wrong, "{name}: wider than 100 columns: {line}").unwrap();
        }
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| l.starts_with("--") && !l.contains("  "))
        {
            let described = text
                .lines()
                .map(str::trim)
                .skip_while(|l| *l != line)
                .nth(1)
                .is_some_and(|next| !next.is_empty() && !next.starts_with('-'));
            if !described {
                writeln!(wrong, "{name}: not described: {line}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Words that a reader has to decipher, with the plain ones.
const UNCLEAR: [(&str, &str); 18] = [
    ("anew", "again"),
    ("beside", "in the same folder, as a copy"),
    ("goes along", "is attached"),
    ("house", "installation, machine"),
    ("its owner", "the user"),
    ("mend", "fix, repair"),
    ("nobody", "no one, or the active voice"),
    ("of ours", "of this program"),
    ("oneself", "yourself"),
    ("seal", "encrypt"),
    ("sealed", "encrypted"),
    ("so many", "this many"),
    ("so much", "this much"),
    ("so old", "newer than"),
    ("somebody", "someone"),
    ("standing instructions", "system prompt"),
    ("what came", "the text so far"),
    ("whoever", "anyone who"),
];

/// The unclear words of a text, without its code blocks. Options such as `--restart` are not words.
fn unclear(text: &str) -> String {
    let prose: String = text.split("```").step_by(2).collect();
    let trimmed = |word: &str| {
        word.trim_matches(|c: char| !c.is_alphanumeric() && c != '-')
            .to_lowercase()
    };
    let words: Vec<String> = prose.split_whitespace().map(trimmed).collect();
    let words = format!(" {} ", words.join(" "));
    let found = UNCLEAR
        .iter()
        .filter(|(word, _)| words.contains(&format!(" {word} ")));
    found.fold(String::new(), |found, (word, plain)| {
        found + &format!("  {word} ({plain})\n")
    })
}

#[test]
fn texts_for_users_are_in_plain_words() {
    let mut texts = Vec::new();
    pages(&Sandbox::new(), &[], &mut texts);
    texts.extend(documents::documents());
    texts.push((
        String::from("settings.toml"),
        chatbot::config::TEMPLATE.to_owned(),
    ));
    let wrong = texts
        .iter()
        .map(|(name, text)| (name, unclear(text)))
        .filter(|(_, words)| !words.is_empty());
    let wrong: String = wrong
        .map(|(name, words)| format!("{name}:\n{words}"))
        .collect();
    assert!(wrong.is_empty(), "use the words in brackets:\n{wrong}");
}

/// The commands in back quotes of a text: `chatbot key set --provider NAME`.
pub(super) fn named_commands(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in text.match_indices("`chatbot ").map(|(at, _)| at + 1) {
        let rest = &text[start..];
        if let Some(end) = rest.find('`').filter(|end| !rest[..*end].contains('\n')) {
            found.insert(rest[..end].to_owned());
        }
    }
    found
}

/// The words of a command that can be typed as they are, up to the first that stands for something.
pub(super) fn typed_words(command: &str) -> Vec<String> {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let mut words: Vec<String> = command
        .split_whitespace()
        .skip(1)
        .take_while(plain)
        .map(str::to_owned)
        .collect();
    // An option whose value stands for something is not typed without it.
    if words.len() + 1 < command.split_whitespace().count()
        && words.last().is_some_and(|w| w.starts_with("--"))
    {
        words.pop();
    }
    words
}

#[test]
fn help_commands_in_hints_exist() {
    let sandbox = Sandbox::new();
    let mut wrong = String::new();
    let mut commands = BTreeSet::new();
    for file in source::read_all() {
        commands.extend(named_commands(&file.text));
    }
    for (_, text) in documents::documents() {
        commands.extend(named_commands(&text));
    }
    assert!(commands.len() > 10, "{commands:#?}");
    for command in &commands {
        let words = typed_words(command);
        let output = sandbox.run(words).arg("--help").output();
        if output.code != Some(0) {
            writeln!(
                wrong,
                "`{command}`: {}",
                output.stderr.lines().next().unwrap_or_default()
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "hints name what there is not:\n{wrong}");
}
