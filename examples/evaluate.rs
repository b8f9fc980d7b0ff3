//! Scores the redactor on labelled documents.
//!
//! `cargo run --release --example evaluate -- DIR [--misses] [--by GROUPING]…`
//!
//! `DIR` holds text files, at any depth. A document begins with `=== id language category tier`,
//! and private values are marked: `⟪kind|value⟫`. Files below a folder `tune` and files below a
//! folder `test` are scored apart.
//!
//! A value is safe if nothing usable of it is left: no rest of four or more letters and digits that
//! makes up half of the value. A finding is right if it overlaps a mark.

use chatbot::{Policy, Redactor};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

#[path = "labelled/mod.rs"]
mod labelled;
use labelled::Document;

/// The kinds of each group that has a goal of its own.
const GROUPS: [(&str, &str); 4] = [
    (
        "secrets",
        "password pin otp api_key token private_key seed_phrase connection hash cvv",
    ),
    ("core", "email phone iban card ip mac ssn url_password"),
    (
        "extended",
        "address birthday account record_number insurance_number tax_number national_id device_id \
         passport licence name_of_user wallet location plate",
    ),
    ("names", "name"),
];
const GROUPINGS: [&str; 5] = ["kind", "language", "category", "source", "tier"];

/// How many values are safe, of how many.
#[derive(Clone, Copy, Default)]
struct Share {
    good: usize,
    all: usize,
}

impl Share {
    fn add(&mut self, good: bool) {
        self.good += usize::from(good);
        self.all += 1;
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.all == 0 {
            return write!(f, "    –  (0)");
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of documents")]
        let share = self.good as f64 / self.all as f64;
        write!(f, "{share:.3}  ({}/{})", self.good, self.all)
    }
}

#[derive(Default)]
struct Scores {
    groups: BTreeMap<&'static str, Share>,
    precision: Share,
    clean_untouched: Share,
    private_with_leak: Share,
    /// Safe recall without names, by grouping and its value.
    by: BTreeMap<(&'static str, String), Share>,
    /// Wrong findings by rule.
    wrong_rules: BTreeMap<String, usize>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut folder = None;
    let mut lists = false;
    let mut groupings = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--misses" => lists = true,
            "--by" => groupings.extend(arguments.next()),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let folder = folder.ok_or("usage: evaluate DIR [--misses] [--by GROUPING]…")?;
    let files = labelled::text_files(&folder)?;
    let redactor = Redactor::new(&Policy::default())?;
    let mut out = io::stdout().lock();
    let mut halves: BTreeMap<&str, Scores> = BTreeMap::new();
    for file in files {
        let half = ["tune", "test"]
            .into_iter()
            .find(|half| file.components().any(|part| part.as_os_str() == *half))
            .unwrap_or("all");
        let source = file
            .file_stem()
            .map_or(String::new(), |s| s.to_string_lossy().into());
        let scores = halves.entry(half).or_default();
        for document in labelled::documents(&fs::read_to_string(&file)?) {
            score(&redactor, (&document, &source), scores, lists, &mut out)?;
        }
    }
    for (half, scores) in &halves {
        write_table(half, scores, &groupings, &mut out)?;
    }
    Ok(())
}

/// Whether what is left of a value between the findings is of no use.
fn is_safe(text: &str, value: &Range<usize>, found: &[Range<usize>]) -> bool {
    let (mut whole, mut rest, mut longest) = (0, 0, 0);
    for (at, c) in text.get(value.clone()).unwrap_or_default().char_indices() {
        if !c.is_alphanumeric() {
            continue;
        }
        let at = value.start + at;
        whole += 1;
        if found.iter().any(|hit| hit.contains(&at)) {
            rest = 0;
        } else {
            rest += 1;
            longest = longest.max(rest);
        }
    }
    let touched = found
        .iter()
        .any(|hit| hit.start < value.end && value.start < hit.end);
    touched && (longest < 4 && longest * 2 < whole.max(1) || longest == 0)
}

fn score(
    redactor: &Redactor,
    (document, source): (&Document, &str),
    scores: &mut Scores,
    lists: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let text = &document.text;
    let findings = redactor.findings(text.as_bytes());
    let found: Vec<Range<usize>> = findings.iter().map(|f| f.start..f.end).collect();
    let mut list = |sign: &str, what: &str, place: &Range<usize>| {
        if !lists {
            return Ok(());
        }
        let head = text.get(..place.start).unwrap_or_default();
        let tail = text.get(place.end..).unwrap_or_default();
        let before: String = head.chars().rev().take(50).collect();
        let before: String = before.chars().rev().collect();
        let after: String = tail.chars().take(40).collect();
        let value = text.get(place.clone()).unwrap_or_default();
        let [id, ..] = &document.labels;
        let line = format!("{before}⟪{value}⟫{after}").replace('\n', "⏎");
        writeln!(out, "{sign} {id} {what}: {line}")
    };
    let mut leaks = false;
    for mark in &document.marks {
        let safe = is_safe(text, &mark.place, &found);
        let group = GROUPS
            .iter()
            .find(|(_, kinds)| kinds.split(' ').any(|kind| kind == mark.kind))
            .map_or("other", |(group, _)| group);
        scores.groups.entry(group).or_default().add(safe);
        let [_, language, category, tier] = document.labels.clone();
        let values = [
            mark.kind.clone(),
            language,
            category,
            source.to_owned(),
            tier,
        ];
        for (grouping, value) in GROUPINGS.iter().zip(&values) {
            if group != "names" || *grouping == "kind" {
                let key = (*grouping, value.clone());
                scores.by.entry(key).or_default().add(safe);
            }
        }
        if !safe && group != "names" {
            leaks = true;
            list("miss ", &mark.kind, &mark.place)?;
        }
    }
    for (finding, place) in findings.iter().zip(&found) {
        let right = document
            .marks
            .iter()
            .any(|mark| place.start < mark.place.end && mark.place.start < place.end);
        scores.precision.add(right);
        if !right {
            *scores
                .wrong_rules
                .entry(finding.rule.to_owned())
                .or_default() += 1;
            list(
                "wrong",
                &format!("{} {}", finding.kind, finding.rule),
                place,
            )?;
        }
    }
    if document.marks.is_empty() {
        scores.clean_untouched.add(found.is_empty());
    } else {
        scores.private_with_leak.add(leaks);
    }
    Ok(())
}

fn write_table(
    half: &str,
    scores: &Scores,
    groupings: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "\n{half}")?;
    for (group, share) in &scores.groups {
        writeln!(out, "  {group:<28} {share}")?;
    }
    writeln!(out, "  {:<28} {}", "precision", scores.precision)?;
    writeln!(
        out,
        "  {:<28} {}",
        "clean untouched", scores.clean_untouched
    )?;
    writeln!(
        out,
        "  {:<28} {}",
        "private with a leak", scores.private_with_leak
    )?;
    for ((grouping, value), share) in &scores.by {
        if groupings.iter().any(|wanted| wanted == grouping) {
            writeln!(out, "  {grouping:<10} {value:<17} {share}")?;
        }
    }
    if groupings.iter().any(|wanted| wanted == "rule") {
        for (rule, count) in &scores.wrong_rules {
            writeln!(out, "  wrong      {rule:<17} {count}")?;
        }
    }
    Ok(())
}
