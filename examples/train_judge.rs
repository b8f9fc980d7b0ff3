//! Trains the judge of `src/privacy/judge` and writes its weights.
//!
//! `cargo run --release --example train_judge -- DOCUMENTS OUT [CODE…]`
//!
//! `DOCUMENTS` holds labelled documents (see `tests/corpus/documents`), `CODE` are folders of source
//! code and documentation in which nothing is private. The result depends on nothing else: the same
//! files give the same weights.
//!
//! It is a logistic regression with one class for each label, trained by `AdaGrad` on single tokens in
//! the order of the text, each with the labels that were chosen before it. Half of the features are
//! left out at random, so that none is trusted alone. The thresholds are set by cross-validation:
//! files are held out in turn, and a label's threshold is the least at which enough of its tokens
//! are right.

#![expect(
    clippy::indexing_slicing,
    reason = "rows and labels are within their tables, and a mistake may stop the training"
)]

use chatbot::privacy::judge_training::{LABELS, ROWS, STEPS, judge_text};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

#[path = "labelled/mod.rs"]
mod labelled;

type Scores = [f32; LABELS];

/// Passes over the documents. The second half of them is averaged.
const EPOCHS: usize = 12;
const RATE: f32 = 0.1;
/// What the squared gradients begin with: the larger, the smaller are the first steps.
const CAUTION: f32 = 10.0;
/// A feature counts if it occurs in so many documents.
const MIN_DOCUMENTS: u32 = 6;
/// How many of 256 features are left out.
const LEFT_OUT: u64 = 90;
/// A row of smaller weights is not stored.
const LEAST_STEPS: u8 = 2;
/// Parts of the documents for the cross-validation.
const FOLDS: usize = 4;
/// The share of right tokens that a threshold is set for.
const PRECISION: f32 = 0.83;

struct Sample {
    text: String,
    /// The label of each marked value.
    marks: Vec<(Range<usize>, usize)>,
    /// The number of its file.
    source: usize,
    is_code: bool,
}

impl Sample {
    /// The label of a token: that of the mark that covers more than half of it.
    fn label(&self, token: &Range<usize>) -> usize {
        let covered = |mark: &Range<usize>| {
            let end = mark.end.min(token.end);
            end.saturating_sub(mark.start.max(token.start)) * 2 > token.len()
        };
        self.marks
            .iter()
            .find(|(mark, _)| covered(mark))
            .map_or(0, |(_, label)| *label)
    }
}

/// Kinds that the judge does not look for: rules find them, or nothing does.
const NOT_JUDGED: [&str; 7] = [
    "card",
    "wallet",
    "mac",
    "ip",
    "email",
    "name",
    "name_of_user",
];

/// The label of a kind of the documents, in the order of the judge's labels.
fn label_of(kind: &str) -> usize {
    match kind {
        "password" | "seed_phrase" | "connection" | "url_password" => 1,
        "otp" | "pin" | "cvv" => 2,
        "api_key" | "token" | "hash" | "private_key" => 3,
        "phone" => 4,
        "iban" | "account" => 5,
        "ssn" | "national_id" | "insurance_number" | "tax_number" | "record_number"
        | "passport" | "licence" | "plate" | "device_id" => 6,
        "birthday" => 7,
        "address" | "location" => 8,
        _ => 0,
    }
}

/// Numbers without order, the same each time.
struct Shuffle(u64);

impl Shuffle {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or(0)
    }
}

struct Model {
    weights: Vec<Scores>,
}

impl Model {
    fn scores(&self, rows: impl Iterator<Item = usize>) -> Scores {
        let mut scores = [0.0; LABELS];
        for row in rows {
            for (score, weight) in scores.iter_mut().zip(&self.weights[row]) {
                *score += weight;
            }
        }
        scores
    }
}

/// The likeliest private label, and the odds that the token is private at all.
fn best_of(scores: &Scores) -> (usize, f32) {
    let best = (1..LABELS).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let best = best.unwrap_or(0);
    let rest: f32 = (1..LABELS)
        .map(|label| (scores[label] - scores[best]).exp())
        .sum();
    (best, scores[best] + rest.ln() - scores[0])
}

fn probabilities(mut scores: Scores) -> Scores {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    for score in &mut scores {
        *score = (*score - most).exp();
    }
    let sum: f32 = scores.iter().sum();
    scores.map(|score| score / sum)
}

/// In how many samples each row occurs.
fn document_counts(samples: &[&Sample]) -> Vec<u32> {
    let mut counts = vec![0u32; ROWS];
    let mut last = vec![usize::MAX; ROWS];
    for (number, sample) in samples.iter().enumerate() {
        if sample.is_code && number % 4 != 0 {
            continue;
        }
        judge_text(sample.text.as_bytes(), |token, rows| {
            for row in rows.iter().map(|row| *row as usize) {
                if last[row] != number {
                    last[row] = number;
                    counts[row] += 1;
                }
            }
            sample.label(&token)
        });
    }
    counts
}

fn train(samples: &[&Sample]) -> Model {
    let counts = document_counts(samples);
    let mut model = Model {
        weights: vec![[0.0; LABELS]; ROWS],
    };
    let mut squares = vec![[CAUTION; LABELS]; ROWS];
    let mut sums = vec![[0.0; LABELS]; ROWS];
    let mut shuffle = Shuffle(88_172_645_463_325_252);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut kept: Vec<usize> = Vec::new();
    for epoch in 0..EPOCHS {
        for i in (1..order.len()).rev() {
            order.swap(i, shuffle.below(i + 1));
        }
        for &number in &order {
            let sample = samples[number];
            judge_text(sample.text.as_bytes(), |token, rows| {
                kept.clear();
                for row in rows.iter().map(|row| *row as usize) {
                    if counts[row] >= MIN_DOCUMENTS && shuffle.next() & 255 >= LEFT_OUT {
                        kept.push(row);
                    }
                }
                let scores = model.scores(kept.iter().copied());
                let chosen = (0..LABELS).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
                let right = sample.label(&token);
                let odds = probabilities(scores);
                if odds[right] < 0.995 {
                    step(&mut model, &mut squares, &kept, &odds, right);
                }
                // At first the labels before a token are right, later they are its own.
                if epoch == 0 || shuffle.below(4) == 0 {
                    right
                } else {
                    chosen.unwrap_or(0)
                }
            });
        }
        if epoch * 2 >= EPOCHS {
            for (sum, row) in sums.iter_mut().zip(&model.weights) {
                for (sum, weight) in sum.iter_mut().zip(row) {
                    *sum += weight;
                }
            }
        }
    }
    // What was left out at random is there when the model is used.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let share = (256 - LEFT_OUT) as f32 / 256.0 / (EPOCHS - EPOCHS / 2) as f32;
    for (row, sum) in model.weights.iter_mut().zip(&sums) {
        *row = sum.map(|sum| sum * share);
    }
    model
}

fn step(model: &mut Model, squares: &mut [Scores], rows: &[usize], odds: &Scores, right: usize) {
    for label in 0..LABELS {
        let gradient = odds[label] - if label == right { 1.0 } else { 0.0 };
        if gradient.abs() < 1e-3 {
            continue;
        }
        for &row in rows {
            squares[row][label] += gradient * gradient;
            model.weights[row][label] -= RATE * gradient / squares[row][label].sqrt();
        }
    }
}

/// The thresholds, by cross-validation.
fn thresholds(samples: &[&Sample]) -> Scores {
    let mut tokens: Vec<(usize, f32, bool)> = Vec::new();
    for fold in 0..FOLDS {
        let is_out = |sample: &&&Sample| !sample.is_code && sample.source % FOLDS == fold;
        let (out, rest): (Vec<&Sample>, Vec<&Sample>) = samples.iter().partition(is_out);
        let model = train(&rest);
        for sample in out {
            judge_text(sample.text.as_bytes(), |token, rows| {
                let scores = model.scores(rows.iter().map(|row| *row as usize));
                let (best, odds) = best_of(&scores);
                if odds > -4.0 {
                    tokens.push((best, odds, sample.label(&token) != 0));
                }
                if odds > 0.0 { best } else { 0 }
            });
        }
        say(&format!("fold {fold} of {FOLDS}"));
    }
    let mut least = [2.5; LABELS];
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (label, threshold) in least.iter_mut().enumerate().skip(1) {
        let (mut right, mut all) = (0.0, 0.0);
        for (_, odds, is_right) in tokens.iter().filter(|(best, ..)| *best == label) {
            all += 1.0;
            right += f32::from(u8::from(*is_right));
            if all >= 12.0 && right / all >= PRECISION {
                *threshold = *odds;
            }
        }
    }
    least
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: train_judge DOCUMENTS OUT [CODE…]";
    let documents = PathBuf::from(arguments.next().ok_or(usage)?);
    let out = PathBuf::from(arguments.next().ok_or(usage)?);
    let mut samples = Vec::new();
    for (source, file) in labelled::text_files(&documents)?.iter().enumerate() {
        for document in labelled::documents(&fs::read_to_string(file)?) {
            let [id, ..] = &document.labels;
            let is_known = |kind: &str| label_of(kind) > 0 || NOT_JUDGED.contains(&kind);
            if let Some(mark) = document.marks.iter().find(|mark| !is_known(&mark.kind)) {
                return Err(format!("{id}: `{}` is not a kind", mark.kind).into());
            }
            let marks = document.marks.iter();
            samples.push(Sample {
                marks: marks
                    .map(|mark| (mark.place.clone(), label_of(&mark.kind)))
                    .collect(),
                text: document.text,
                source,
                is_code: false,
            });
        }
    }
    for folder in arguments {
        let mut files = Vec::new();
        all_files(Path::new(&folder), &mut files)?;
        files.sort();
        for file in files {
            // What is not text is no code.
            if let Ok(text) = fs::read_to_string(&file) {
                samples.push(Sample {
                    text,
                    marks: Vec::new(),
                    source: 0,
                    is_code: true,
                });
            }
        }
    }
    let samples: Vec<&Sample> = samples.iter().collect();
    let thresholds = thresholds(&samples);
    let model = train(&samples);
    say(&format!("thresholds: {thresholds:?}"));
    fs::write(out, bytes_of(&model, &thresholds))?;
    Ok(())
}

/// The file of the model, as `src/privacy/judge/model.rs` describes it. Weights are stored as the
/// difference to those of "nothing private".
fn bytes_of(model: &Model, thresholds: &Scores) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "within the limits")]
    let byte = |weight: f32| ((weight * STEPS).round().clamp(-127.0, 127.0) as i8).cast_unsigned();
    let mut bytes: Vec<u8> = thresholds
        .iter()
        .skip(1)
        .map(|least| byte(*least))
        .collect();
    let mut weights = Vec::new();
    let mut count = 0u32;
    for group in model.weights.chunks(64) {
        let before = count;
        let mut bits = 0u64;
        for (bit, row) in group.iter().enumerate() {
            let stored: Vec<u8> = row.iter().skip(1).map(|w| byte(w - row[0])).collect();
            if stored
                .iter()
                .any(|w| w.cast_signed().unsigned_abs() >= LEAST_STEPS)
            {
                bits |= 1 << bit;
                count += 1;
                weights.extend(stored);
            }
        }
        bytes.extend(bits.to_le_bytes());
        bytes.extend(before.to_le_bytes());
    }
    say(&format!("{count} of {ROWS} rows have weights"));
    bytes.extend(weights);
    bytes
}

/// Tells how far the training is.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}

fn all_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
