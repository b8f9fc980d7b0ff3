//! Redaction measured against labelled texts: what is found, missed and redacted by mistake.

use chatbot::privacy::input_check::{InputLimits, Suspicious, TextSource, validate};
use chatbot::{Policy, Raw, Redactor};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One text of the corpus and the private values in it.
struct Document {
    file: String,
    title: String,
    text: String,
    labels: Vec<(String, usize, usize)>,
}

/// Replaces `{x:64}` by that many random-looking but fixed characters, so that the files contain no
/// real token.
fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let run = rest.find('}').and_then(|close| {
            let (class, count) = rest[1..close].split_once(':')?;
            let letters = match class {
                "d" => "0123456789",
                "x" => "0123456789abcdef",
                "L" => "0123456789abcdefghijklmnopqrstuvwxyz",
                "U" => "234567ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                "w" | "b" => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "B" => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/",
                _ => return None,
            };
            Some((letters.as_bytes(), count.parse::<usize>().ok()?, close))
        });
        let Some((letters, count, close)) = run else {
            out.push('{');
            rest = &rest[1..];
            continue;
        };
        for _ in 0..count {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            out.push(char::from(
                letters[usize::try_from(state >> 33).unwrap() % letters.len()],
            ));
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

/// Reads the corpus: `=== title`, then a text in which `⟦KIND:value⟧` marks a private value.
fn documents() -> Vec<Document> {
    let mut documents = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    for path in files {
        let content = std::fs::read_to_string(&path).unwrap();
        for part in content.split("=== ").skip(1) {
            let (title, marked) = part.split_once('\n').unwrap();
            let marked = expand(marked.strip_suffix('\n').unwrap_or(marked));
            let (mut text, mut labels) = (String::new(), Vec::new());
            let mut rest = marked.as_str();
            while let Some((before, after)) = rest.split_once('⟦') {
                text.push_str(before);
                let (label, after) = after.split_once('⟧').unwrap();
                let (kind, value) = label.split_once(':').unwrap();
                labels.push((kind.to_owned(), text.len(), text.len() + value.len()));
                text.push_str(value);
                rest = after;
            }
            text.push_str(rest);
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            documents.push(Document {
                file,
                title: title.to_owned(),
                text,
                labels,
            });
        }
    }
    documents
}

/// The counts for one kind.
#[derive(Default)]
struct Tally {
    labels: usize,
    found: usize,
}

/// The counts for the whole corpus.
#[derive(Default)]
struct Score {
    kinds: BTreeMap<String, Tally>,
    findings: usize,
    right: usize,
    clean: usize,
    untouched: usize,
    leaking: usize,
    misses: String,
}

impl Score {
    fn of(documents: &[Document]) -> Self {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut score = Self::default();
        for document in documents {
            score.add(document, &redactor);
        }
        score
    }

    fn add(&mut self, document: &Document, redactor: &Redactor) {
        let findings = redactor.findings(document.text.as_bytes());
        let mut leaks = false;
        for (kind, start, end) in &document.labels {
            let covered: usize = findings
                .iter()
                .map(|f| f.end.min(*end).saturating_sub(f.start.max(*start)))
                .sum();
            let tally = self.kinds.entry(kind.clone()).or_default();
            tally.labels += 1;
            let spared = (end - start) / 8;
            if covered + spared.min(6) >= end - start {
                tally.found += 1;
            } else {
                leaks = true;
                writeln!(
                    self.misses,
                    "MISS {}/{} {kind}: {:?}\n     {}",
                    document.file,
                    document.title,
                    &document.text[*start..*end],
                    document.text.replace('\n', "\n     ")
                )
                .unwrap();
            }
        }
        self.leaking += usize::from(leaks);
        for finding in &findings {
            self.findings += 1;
            if document
                .labels
                .iter()
                .any(|(_, start, end)| finding.start < *end && *start < finding.end)
            {
                self.right += 1;
            } else {
                writeln!(
                    self.misses,
                    "WRONG {}/{} {} ({}): {:?}\n     {}",
                    document.file,
                    document.title,
                    finding.kind,
                    finding.rule,
                    &document.text[finding.start..finding.end],
                    document.text.replace('\n', "\n     ")
                )
                .unwrap();
            }
        }
        if document.labels.is_empty() {
            self.clean += 1;
            self.untouched += usize::from(findings.is_empty());
        }
    }

    fn table(&self) -> String {
        let mut out = self.misses.clone();
        for (kind, tally) in &self.kinds {
            writeln!(out, "{kind:<16} {:>4} of {:>4}", tally.found, tally.labels).unwrap();
        }
        let (labels, found) = self
            .kinds
            .values()
            .fold((0, 0), |(l, f), tally| (l + tally.labels, f + tally.found));
        writeln!(
            out,
            "all {found}/{labels}, precise {}/{}, untouched {}/{}, leaking documents {}",
            self.right, self.findings, self.untouched, self.clean, self.leaking
        )
        .unwrap();
        out
    }
}

#[test]
fn corpus_precision_and_recall() {
    let score = Score::of(&documents());
    let misses = score
        .misses
        .lines()
        .filter(|line| line.starts_with("MISS") || line.starts_with("WRONG"))
        .count();
    assert_eq!(misses, 0, "\n{}", score.table());
}

/// Ordinary messages of developers: every text of the corpus, without the marks of its labels.
fn ordinary_messages() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for message in text.split("\n=== ") {
            let body = message.split_once('\n').map_or("", |(_, body)| body);
            let mut plain = String::new();
            for (n, piece) in body.split(['⟦', '⟧']).enumerate() {
                let labelled = n % 2 == 1;
                let value = piece.split_once(':').map_or(piece, |(_, value)| value);
                plain += if labelled { value } else { piece };
            }
            messages.push(plain);
        }
    }
    messages
}

#[test]
fn suspicious_text_is_rarely_found_in_ordinary_messages() {
    let messages = ordinary_messages();
    let rules = InputLimits {
        max_chars: usize::MAX,
        suspicious: Suspicious::Warn,
    };
    let warned = |source| -> Vec<&String> {
        let is_warned = |text: &&String| {
            validate(&Raw::from(text.as_str()), &rules, source).is_ok_and(|w| !w.is_empty())
        };
        messages.iter().filter(is_warned).collect()
    };
    let (typed, attached) = (warned(TextSource::Typed), warned(TextSource::Attached));
    println!(
        "{} messages, {} typed, {} attached",
        messages.len(),
        typed.len(),
        attached.len()
    );
    assert!(messages.len() >= 1000, "{}", messages.len());
    assert!(typed.len() * 200 <= messages.len(), "{typed:#?}");
    // Attachments are said to be suspicious more often, but far from always.
    assert!(attached.len() * 50 <= messages.len(), "{attached:#?}");
}
