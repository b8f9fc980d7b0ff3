//! The judge: weighs the evidence for values that no rule has decided.
//!
//! A linear model over hashed features says of each token near a word of the lexicon, and of each
//! number in prose, whether it is private and of which kind: by its form, its neighbours, its line,
//! the lines around it, the head of its column, and what stands before it. It sees values that
//! rules have found as placeholders, so that text that was redacted looks to it as it did before.
//! What it finds has the lowest confidence: in an overlap a rule with proof decides the kind.
//!
//! Time: each token of a judged line costs some ninety features, whatever the text is.

pub(in crate::privacy) mod hash;
pub(in crate::privacy) mod label;
pub(in crate::privacy) mod lexicon;
pub(in crate::privacy) mod model;

mod features;
mod line;
mod tokens;

use crate::privacy::judge::features::TokenPlace;
use crate::privacy::judge::label::{MaskedSpan, TokenLabel};
use crate::privacy::judge::lexicon::CueTopic;
use crate::privacy::judge::line::{LineBefore, LineFacts, TableHead, first_topic, is_code_sign};
use crate::privacy::judge::tokens::{TextToken, TokenClass};
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::context::{COUNTED_THINGS, preceded_within};
use crate::privacy::scan::word_set::{WordSet, word_set};

/// A longer line is read in parts.
const MAX_LINE_BYTES: usize = 1000;
/// How many lines behind a line with a cue are judged.
const LINES_BEHIND_CUE: usize = 2;
/// Values with fewer letters and digits are too short to be told from other text.
const MIN_VALUE_CHARS: usize = 3;
const MIN_KEY_CHARS: usize = 8;
const MAX_VALUE_BYTES: usize = 256;
/// How far before a number its name is looked for.
const OTHER_THING_BYTES: usize = 20;

/// What the judge takes for private.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct Verdict {
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    pub(in crate::privacy) label: TokenLabel,
}

/// A text and what was seen in it: values that rules have found, words of the lexicon, and numbers
/// of four or more digits, each in the order of the text.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct Evidence<'t> {
    pub(in crate::privacy) text: TextBytes<'t>,
    pub(in crate::privacy) masked: &'t [MaskedSpan],
    pub(in crate::privacy) cues: &'t [usize],
    pub(in crate::privacy) numbers: &'t [usize],
}

/// Judges a text.
pub(in crate::privacy) fn verdicts(evidence: &Evidence<'_>) -> Vec<Verdict> {
    judge_with(evidence, &mut |_, rows| model::label_of(rows))
}

/// A part of a line, and why it is judged.
#[derive(Clone, Copy, Debug)]
struct LinePart {
    start: usize,
    end: usize,
    has_cue: bool,
    has_number: bool,
}

/// Judges a text with a function that gives each token its label, from its position and its
/// features.
pub(in crate::privacy) fn judge_with(
    evidence: &Evidence<'_>,
    choose: &mut impl FnMut(std::ops::Range<usize>, &[u32]) -> TokenLabel,
) -> Vec<Verdict> {
    let mut found = Vec::new();
    if evidence.cues.is_empty() && evidence.numbers.is_empty() {
        return found;
    }
    let mut passage = Passage::default();
    let mut lines = line_parts(evidence).peekable();
    let mut recent: [Option<LinePart>; LINES_BEHIND_CUE] = [None; LINES_BEHIND_CUE];
    let mut lines_to_judge = 0;
    let mut continues = false;
    while let Some(line) = lines.next() {
        let cue_behind = lines.peek().is_some_and(|next| next.has_cue);
        if line.has_cue {
            lines_to_judge = LINES_BEHIND_CUE + 1;
        }
        let is_judged = lines_to_judge > 0 || cue_behind || line.has_number;
        if is_judged {
            if passage.lines.is_empty() && !continues {
                for before in recent.iter().flatten() {
                    passage.add(evidence, before, false, false);
                }
            }
            passage.add(evidence, &line, true, lines_to_judge > 0 || cue_behind);
            if passage.tokens.len() >= MAX_TOKENS {
                passage.judge(evidence.text, choose, &mut found);
                continues = true;
            }
        } else if continues || !passage.lines.is_empty() {
            passage.add(evidence, &line, false, false);
            passage.judge(evidence.text, choose, &mut found);
            passage.state = PassageState::default();
            continues = false;
        }
        lines_to_judge = lines_to_judge.saturating_sub(1);
        recent.rotate_left(1);
        if let Some(last) = recent.last_mut() {
            *last = Some(line);
        }
    }
    passage.judge(evidence.text, choose, &mut found);
    found
}

/// The lines of a text.
fn line_parts<'e>(evidence: &'e Evidence<'_>) -> impl Iterator<Item = LinePart> + 'e {
    let text = evidence.text;
    let (mut cues, mut numbers) = (evidence.cues, evidence.numbers);
    let mut masked = evidence.masked;
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let window = text.slice(start, start + MAX_LINE_BYTES);
        let end = memchr::memchr(b'\n', window).map_or_else(
            || {
                // Between two words, if there are any.
                let blank = window.iter().rposition(u8::is_ascii_whitespace);
                let whole = start + window.len() >= text.len();
                blank
                    .filter(|_| !whole)
                    .map_or(window.len(), |place| place + 1)
            },
            |place| place + 1,
        ) + start;
        let take = |positions: &mut &[usize]| {
            let count = positions.partition_point(|at| *at < end);
            *positions = positions.get(count..).unwrap_or_default();
            count > 0
        };
        let (cue, number) = (take(&mut cues), take(&mut numbers));
        let count = masked.partition_point(|span| span.start < end);
        masked = masked.get(count..).unwrap_or_default();
        let part = LinePart {
            start,
            end,
            has_cue: cue || count > 0,
            has_number: number,
        };
        start = end;
        Some(part)
    })
}

/// Tokens that are held at once; more are judged in parts.
const MAX_TOKENS: usize = 8192;

/// Lines that are read together.
#[derive(Default)]
struct Passage {
    tokens: Vec<TextToken>,
    labels: Vec<TokenLabel>,
    lines: Vec<PassageLine>,
    rows: Vec<u32>,
    state: PassageState,
}

/// What is known of the lines before, in the same passage.
struct PassageState {
    head: TableHead,
    before: LineBefore,
    last_topic: CueTopic,
    lines_since_topic: u32,
    lines_since_password: u32,
}

impl Default for PassageState {
    fn default() -> Self {
        Self {
            head: TableHead::default(),
            before: LineBefore {
                is_empty: true,
                ..LineBefore::default()
            },
            last_topic: CueTopic::None,
            lines_since_topic: u32::MAX,
            lines_since_password: u32::MAX,
        }
    }
}

struct PassageLine {
    tokens: std::ops::Range<usize>,
    is_judged: bool,
    /// Whether a cue is near.
    has_cue: bool,
}

impl Passage {
    fn add(&mut self, evidence: &Evidence<'_>, line: &LinePart, is_judged: bool, has_cue: bool) {
        let from = self.tokens.len();
        let (text, masked) = (evidence.text, evidence.masked);
        tokens::tokenize(text, line.start, line.end, masked, &mut self.tokens);
        let mut to = self.tokens.len();
        if self
            .tokens
            .last()
            .is_some_and(|token| token.class == TokenClass::LineEnd)
        {
            to -= 1;
        }
        // Code is full of numbers that mean nothing.
        let line = self.tokens.get(from..to).unwrap_or_default();
        let is_sign = |token: &&TextToken| token.class == TokenClass::Sign;
        let signs = line
            .iter()
            .filter(is_sign)
            .filter(|token| is_code_sign(token.first));
        let is_code = signs.count() > 1;
        let has_placeholder = line.iter().any(|token| token.class == TokenClass::Masked);
        self.lines.push(PassageLine {
            tokens: from..to,
            is_judged: is_judged && (has_cue || !is_code || has_placeholder),
            has_cue: has_cue || has_placeholder,
        });
    }

    /// Labels the tokens, reports the values, and forgets the lines.
    fn judge(
        &mut self,
        text: TextBytes<'_>,
        choose: &mut impl FnMut(std::ops::Range<usize>, &[u32]) -> TokenLabel,
        found: &mut Vec<Verdict>,
    ) {
        self.labels.clear();
        self.labels
            .extend(self.tokens.iter().map(|token| token.label));
        let mut state = std::mem::take(&mut self.state);
        let mut rows = std::mem::take(&mut self.rows);
        for (i, line) in self.lines.iter().enumerate() {
            let mut facts = LineFacts::new(text, &self.tokens, line.tokens.clone());
            state.head.take(&mut facts, &self.tokens);
            let next = self.lines.get(i + 1).map(|next| next.tokens.clone());
            let next = next
                .and_then(|next| self.tokens.get(next))
                .unwrap_or_default();
            let next_topic = first_topic(next.iter());
            if line.is_judged {
                let near_topic = facts.topic != CueTopic::None
                    || state.before.topic.is_some()
                    || state.lines_since_topic < 2
                    || facts.in_table && state.head.has_topic();
                let near_password = facts.has_password || state.lines_since_password < 2;
                for at in line.tokens.clone() {
                    if !self.may_be_private(at, &facts, (near_topic, near_password)) {
                        continue;
                    }
                    let place = TokenPlace {
                        tokens: &self.tokens,
                        labels: &self.labels,
                        at,
                        line: &facts,
                        before: &state.before,
                        head: &state.head,
                        next_topic,
                        last_topic: state.last_topic,
                        lines_since_topic: state.lines_since_topic,
                    };
                    features::write_rows(&place, &mut rows);
                    let (Some(token), Some(label)) = (self.tokens.get(at), self.labels.get_mut(at))
                    else {
                        continue;
                    };
                    let chosen = choose(token.start..token.end, &rows);
                    if line.has_cue || !chosen.needs_cue() {
                        *label = chosen;
                    }
                }
                self.report(text, line.tokens.clone(), found);
            }
            let tokens = self.tokens.get(line.tokens.clone()).unwrap_or_default();
            match tokens.iter().rev().find(|t| t.topic != CueTopic::None) {
                Some(token) => (state.last_topic, state.lines_since_topic) = (token.topic, 0),
                None => state.lines_since_topic = state.lines_since_topic.saturating_add(1),
            }
            state.lines_since_password = if facts.has_password {
                0
            } else {
                state.lines_since_password.saturating_add(1)
            };
            state.before = LineBefore::new(text, tokens);
        }
        (self.rows, self.state) = (rows, state);
        self.tokens.clear();
        self.lines.clear();
    }

    /// Whether a token may begin or continue a value. Most words and signs cannot.
    fn may_be_private(
        &self,
        at: usize,
        line: &LineFacts,
        (near_topic, near_password): (bool, bool),
    ) -> bool {
        let Some(token) = self.tokens.get(at) else {
            return false;
        };
        if token.class == TokenClass::Masked {
            return false;
        }
        let continues = at > line.tokens.start
            && at
                .checked_sub(1)
                .and_then(|before| self.labels.get(before))
                .is_some_and(|label| *label != TokenLabel::None);
        if continues {
            return true;
        }
        if token.class == TokenClass::Sign || line.code_signs >= 2 && !near_topic {
            return false;
        }
        let digits = usize::from(token.digits);
        match token.class {
            TokenClass::Number => near_topic || digits >= 3,
            TokenClass::Word => near_password || self.may_be_of_address(at, line),
            _ => true,
        }
    }

    /// Whether a word stands near a number, as those of addresses and dates do.
    fn may_be_of_address(&self, at: usize, line: &LineFacts) -> bool {
        let from = at.saturating_sub(3).max(line.tokens.start);
        let to = (at + 4).min(line.tokens.end);
        let is_capital = self.tokens.get(at).is_some_and(|token| token.is_capital);
        (is_capital || matches!(line.topic, CueTopic::Address | CueTopic::Birth))
            && self.tokens.get(from..to).is_some_and(|near| {
                near.iter()
                    .any(|t| matches!(t.class, TokenClass::Number | TokenClass::Mixed))
            })
    }

    /// Reports each run of tokens with the same label.
    fn report(&self, text: TextBytes<'_>, line: std::ops::Range<usize>, found: &mut Vec<Verdict>) {
        let tokens = self.tokens.get(line.clone()).unwrap_or_default();
        let labels = self.labels.get(line).unwrap_or_default();
        let labelled: Vec<(&TextToken, TokenLabel)> =
            tokens.iter().zip(labels.iter().copied()).collect();
        for run in labelled.chunk_by(|a, b| {
            a.1 == b.1 && a.0.class != TokenClass::Masked && b.0.class != TokenClass::Masked
        }) {
            let ([(first, label), ..], [.., (last, _)]) = (run, run) else {
                continue;
            };
            if *label == TokenLabel::None || first.class == TokenClass::Masked {
                continue;
            }
            let verdict = Verdict {
                start: first.start,
                end: end_of_value(text, last.end, *label),
                label: *label,
            };
            if is_value(text, &verdict) {
                found.push(verdict);
            }
        }
    }
}

/// A sign behind a password belongs to it: `Sommer2024!`.
fn end_of_value(text: TextBytes<'_>, end: usize, label: TokenLabel) -> usize {
    if label != TokenLabel::Password && label != TokenLabel::Key {
        return end;
    }
    text.scan_while(end, 4, |b| {
        matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'*' | b'+' | b'=' | b'@' | b'^' | b'~'
        )
    })
}

/// Whether a run of tokens can be a value of its label at all.
fn is_value(text: TextBytes<'_>, verdict: &Verdict) -> bool {
    let value = text.slice(verdict.start, verdict.end);
    let chars = value
        .iter()
        .filter(|b| b.is_ascii_alphanumeric() || **b >= 0xc0)
        .count();
    let fits = match verdict.label {
        TokenLabel::Key => chars >= MIN_KEY_CHARS,
        TokenLabel::Address => value.iter().any(|b| b.is_ascii_digit() || *b >= 0xe3),
        TokenLabel::Code | TokenLabel::Account | TokenLabel::Person => {
            !is_of_other_thing(text, verdict.start)
        }
        TokenLabel::Password => !is_system_id(value),
        _ => true,
    };
    fits && chars >= MIN_VALUE_CHARS
        && value.len() <= MAX_VALUE_BYTES
        && !is_in_template(text, verdict.start)
}

/// Words directly before a number that is no one's secret.
#[rustfmt::skip]
static OTHER_THINGS: WordSet = word_set!([
    "error", "status", "exit", "product", "promo", "zip", "postal", "postcode", "response", "return", "http", "article", "artikel", "artikelnummer",
    "fehler", "fehlercode", "postleitzahl", "erreur", "error code", "estado", "stato", "errore", "erro", "port", "page", "line", "row", "section",
]);

/// Whether a number is named as that of an order, an error, a version or the like.
fn is_of_other_thing(text: TextBytes<'_>, at: usize) -> bool {
    preceded_within(text, at, OTHER_THING_BYTES, &OTHER_THINGS)
        || preceded_within(text, at, OTHER_THING_BYTES, &COUNTED_THINGS)
}

/// `uid1000`
fn is_system_id(value: &[u8]) -> bool {
    [b"uid", b"gid", b"pid"].iter().any(|name| {
        value
            .strip_prefix(name.as_slice())
            .is_some_and(|id| id.iter().all(u8::is_ascii_digit))
    })
}

/// Whether a position is inside of an expression of a template: `{{ .Values.password | b64enc }}`.
fn is_in_template(text: TextBytes<'_>, at: usize) -> bool {
    let before = text.slice(text.line_start(at, 120), at);
    [("{{", "}}"), ("${", "}"), ("<%", "%>")]
        .iter()
        .any(|(open, close)| {
            find_last(before, open.as_bytes()).is_some_and(|open| {
                before
                    .get(open..)
                    .is_some_and(|inner| find_last(inner, close.as_bytes()).is_none())
            })
        })
}

fn find_last(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

#[cfg(test)]
mod tests {
    use crate::privacy::{Placeholders, Policy, Raw, Redactor};

    /// What becomes of a text, which must not change when it is redacted again.
    fn redacted(text: &str) -> String {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let once = redactor.redact(Raw::from(text), &mut Placeholders::default());
        let again = redactor.redact(Raw::from(once.0.as_str()), &mut Placeholders::default());
        assert_eq!(again.0, once.0);
        once.0.as_str().to_owned()
    }

    #[test]
    fn judge_finds_values_by_what_stands_around_them() {
        for (text, expected) in [
            (
                "[19:02] Nils: what's the sauna booking password?\n[19:05] Hege: steamyTuesday8",
                "[19:02] Nils: what's the sauna booking password?\n[19:05] Hege: [PASSWORD_1]",
            ),
            ("paswsord: brickOwl_77", "paswsord: [PASSWORD_1]"),
            (
                "Le code du portail est le 4471B, la clé est chez la voisine.",
                "Le code du portail est le [PASSWORD_1], la clé est chez la voisine.",
            ),
            (
                "Карта лежит в столе, пин 4817.",
                "Карта лежит в столе, пин [PASSWORD_1].",
            ),
            (
                "门锁密码是 582013,到了给我打电话。",
                "门锁密码是 [PASSWORD_1],到了给我打电话。",
            ),
            (
                "Meine Kundennummer ist 4471 9920 18, geboren am 4. Mai 1979.",
                "Meine Kundennummer ist [BANK_ACCOUNT_1], geboren am [DATE_OF_BIRTH_1].",
            ),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn judge_leaves_code_and_messages() {
        for text in [
            "fun unlock(secret: ByteArray, password: CharSequence): Session",
            "04 11 00 2a 07 19 05 33 06 20 14 55",
            "key,tokens,cost\nk1,2097152,0.31",
            "log_passwd: __u32,",
            "I logged in with OAuth2 and signed in with Auth0.",
            "Bus 44\nKirkgate      0614 0644 0714 0734 0754 0814",
            "New escape codes ([#1696]) are compliant with RFC 3986/3987.",
            "Copyright 2017, 2018 The developers",
            "password: {{ .Values.password | b64enc }}",
            "export TOKEN=\"${VAULT_TOKEN_2:-none}\"",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
