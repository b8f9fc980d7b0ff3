//! The features of a token: rows of the model's weights, by hashes of what stands in it and around
//! it.

use crate::privacy::judge::hash::{mix, row_of};
use crate::privacy::judge::label::TokenLabel;
use crate::privacy::judge::lexicon::CueTopic;
use crate::privacy::judge::line::{LineBefore, LineFacts, TableHead};
use crate::privacy::judge::model::ROW_BITS;
use crate::privacy::judge::tokens::{TextToken, TokenClass};

/// How many words before and behind a token are looked at, and over how many signs.
const WORDS_BEFORE: usize = 8;
const WORDS_BEHIND: usize = 6;
const MAX_STEPS: usize = 24;

/// What stands in for a word, a label or a topic that is not there.
const MISSING: u32 = 3;
const LINE_START: u32 = 20;
const FAR: u32 = 9;

/// The surroundings of a token.
pub(super) struct TokenPlace<'p> {
    pub(super) tokens: &'p [TextToken],
    pub(super) labels: &'p [TokenLabel],
    pub(super) at: usize,
    pub(super) line: &'p LineFacts,
    pub(super) before: &'p LineBefore,
    pub(super) head: &'p TableHead,
    pub(super) next_topic: CueTopic,
    /// The last topic in the lines before, and how many lines ago it was.
    pub(super) last_topic: CueTopic,
    pub(super) lines_since_topic: u32,
}

/// The words next to a token, the nearest first, and a hash of the signs between.
struct Side<'p> {
    words: [Option<&'p TextToken>; WORDS_BEFORE],
    /// The index of the nearest.
    nearest: Option<usize>,
    signs: u32,
    sign_count: usize,
}

impl<'p> Side<'p> {
    fn new(
        steps: impl Iterator<Item = (usize, &'p TextToken)>,
        most: usize,
        most_signs: usize,
    ) -> Self {
        let mut side = Self {
            words: [None; WORDS_BEFORE],
            nearest: None,
            signs: 0,
            sign_count: 0,
        };
        let mut count = 0;
        for (index, token) in steps.take(MAX_STEPS) {
            if token.class != TokenClass::Sign {
                if let Some(place) = side.words.get_mut(count) {
                    *place = Some(token);
                }
                side.nearest = side.nearest.or(Some(index));
                count += 1;
                if count == most {
                    break;
                }
            } else if count == 0 && side.sign_count < most_signs {
                side.signs = mix(side.signs, token.word);
                side.sign_count += 1;
            }
        }
        side
    }

    fn word(&self, n: usize) -> Option<&'p TextToken> {
        self.words.get(n).copied().flatten()
    }

    fn stem(&self, n: usize) -> u32 {
        self.word(n).map_or(MISSING, |token| token.long_stem)
    }

    /// The nearest topic, and how far away it is.
    fn topic(&self) -> (u32, u32) {
        let words = self.words.iter().flatten().zip(0u32..);
        let mut found = words.filter(|(token, _)| token.topic != CueTopic::None);
        found.next().map_or((0, FAR), |(token, distance)| {
            let distance = match distance {
                0 | 1 => distance,
                2..=3 => 2,
                _ => 4,
            };
            (token.topic as u32, distance)
        })
    }
}

/// Writes the rows of a token.
pub(super) fn write_rows(place: &TokenPlace<'_>, rows: &mut Vec<u32>) {
    rows.clear();
    let mut add = |template: u32, a: u32, b: u32| rows.push(row_of(template, a, b, ROW_BITS));
    let Some(token) = place.tokens.get(place.at) else {
        return;
    };
    let line = place.line;
    let class = token.class as u32;
    let form = if token.class == TokenClass::Sign {
        token.word
    } else {
        token.form
    };
    let numbered = |range: std::ops::Range<usize>| {
        let part = place.tokens.get(range.clone()).unwrap_or_default();
        range.zip(part)
    };
    let mut left = Side::new(numbered(line.tokens.start..place.at).rev(), WORDS_BEFORE, 3);
    let mut right = Side::new(numbered(place.at + 1..line.tokens.end), WORDS_BEHIND, 2);
    if token.after_blank {
        left.signs = mix(left.signs, 5);
    }
    if place
        .tokens
        .get(place.at + 1)
        .is_some_and(|next| next.after_blank)
    {
        right.signs = mix(right.signs, 5);
    }
    if right.nearest.is_none() && right.sign_count == 0 {
        right.signs = 9;
    }
    let label_at = |at: Option<usize>| {
        at.filter(|at| *at >= line.tokens.start)
            .and_then(|at| place.labels.get(at))
            .map_or(LINE_START, |label| *label as u32)
    };
    let previous = label_at(place.at.checked_sub(1));
    let second = label_at(place.at.checked_sub(2));
    let previous_word = label_at(left.nearest);

    // The token and its neighbours.
    add(0, class, 0);
    add(1, token.shape, 0);
    add(2, token.shape, left.signs);
    add(3, token.shape, right.signs);
    add(4, token.word, 0);
    add(5, token.stem, 0);
    add(6, token.suffix, class);
    add(7, form, 0);
    add(8, form, left.stem(0));
    add(9, left.word(0).map_or(MISSING, |word| word.word), class);
    add(10, left.stem(1), class);
    add(11, left.stem(2), class);
    add(12, right.stem(0), class);
    add(13, right.stem(1), class);
    add(14, mix(left.signs, right.signs), class);
    add(15, mix(left.signs, left.stem(0)), class);
    add(16, token.shape, left.stem(0));
    add(17, token.shape, right.stem(0));
    add(18, left.stem(0), right.stem(0));
    for word in left.words.iter().flatten() {
        add(20, word.long_stem, class);
    }
    for word in right.words.iter().take(5).flatten() {
        add(21, word.long_stem, class);
    }
    add(22, left.word(0).map_or(MISSING, |word| word.shape), class);
    add(23, right.word(0).map_or(MISSING, |word| word.shape), class);

    // The label of the line.
    match line.colon.map(|colon| line.tokens.start + colon) {
        Some(colon) if place.at > colon => {
            let distance = u32::try_from((place.at - colon).min(3)).unwrap_or(3);
            let topic = line.label.topic as u32;
            add(29, line.label.word, class);
            add(30, topic, token.shape);
            add(60, mix(line.label.word, line.second_label.word), class);
            add(61, topic, mix(form, distance));
            add(62, line.second_label.topic as u32, form);
        }
        colon => add(63, u32::from(colon.is_some()), class),
    }

    // Topics: of the nearest words, of the line, of the lines around it.
    let (left_topic, left_distance) = left.topic();
    let (right_topic, right_distance) = right.topic();
    let topic = line.topic as u32;
    let topic_before = place.before.topic.map_or(0, |topic| topic as u32);
    let since = place.lines_since_topic.min(5);
    let single = u32::from(line.is_single);
    add(31, mix(left_topic, left_distance), form);
    add(32, mix(right_topic, right_distance), form);
    add(64, left_topic, token.shape);
    add(65, mix(left_topic, left_distance), left.signs);
    add(66, left_topic, class);
    add(67, topic, form);
    add(68, topic, token.shape);
    add(33, mix(topic_before, since), form);
    add(
        34,
        mix(topic_before, place.before.ending()),
        mix(class, single),
    );
    add(69, topic_before, token.shape);
    add(70, mix(place.last_topic as u32, since), form);
    add(71, place.next_topic as u32, form);
    for word in place.before.words.iter().flatten() {
        add(35, *word, class);
    }
    add(36, place.before.first.unwrap_or(MISSING), class);

    // The column of a table.
    if line.in_table {
        let (word, topic) = place.head.column(line.cell(place.at - line.tokens.start));
        add(41, word, class);
        add(42, topic as u32, form);
        add(72, topic as u32, token.shape);
        add(73, word, token.shape);
    } else {
        add(74, u32::from(line.separator), class);
    }

    // What the tokens before were taken for.
    add(43, previous, class);
    add(44, previous, mix(left.signs, class));
    add(45, mix(previous, second), class);
    add(46, previous, token.word);
    add(75, previous_word, form);
    add(76, mix(previous, previous_word), right.stem(0));
    add(80, mix(token.topic as u32, class), previous);

    // The syntax it stands in.
    let byte = |at: Option<usize>| {
        at.filter(|at| line.tokens.contains(at))
            .and_then(|at| place.tokens.get(at))
            .map_or(0, |token| token.first)
    };
    let (open, close) = (byte(place.at.checked_sub(1)), byte(Some(place.at + 1)));
    let quoted = u32::from(matches!(open, b'"' | b'\'' | b'`') && open == close);
    let first = u32::from(place.at == line.tokens.start);
    let last = u32::from(place.at + 1 == line.tokens.end);
    let position = first + 2 * last + 4 * single;
    add(47, quoted, form);
    add(
        77,
        quoted + 2 * u32::from(line.code > 1),
        mix(token.shape, left.stem(0)),
    );
    add(48, mix(position, u32::from(place.before.is_empty)), form);
    add(49, line.code, form);
    add(50, line.code, mix(previous, class));
    add(78, mix(line.words, line.code), class);
    add(79, line.indent, form);
    add(81, line.code, token.shape);
}
