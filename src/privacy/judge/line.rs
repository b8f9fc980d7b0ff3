//! What the judge knows of a line as a whole: its label, its table, how much of it is code, and the
//! lines around it.

use crate::privacy::judge::hash::mix;
use crate::privacy::judge::lexicon::CueTopic;
use crate::privacy::judge::tokens::{TextToken, TokenClass};
use crate::privacy::scan::bytes::TextBytes;
use std::ops::Range;

/// The words before a colon or an equals sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineLabel {
    pub(super) word: u32,
    pub(super) topic: CueTopic,
}

const NO_LABEL: LineLabel = LineLabel {
    word: 0,
    topic: CueTopic::None,
};

/// The head of the table that a line may belong to.
#[derive(Debug, Default)]
pub(super) struct TableHead {
    separator: u8,
    cells: usize,
    columns: Vec<(u32, Option<CueTopic>)>,
}

/// The line before, as far as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineBefore {
    pub(super) words: [Option<u32>; 6],
    pub(super) first: Option<u32>,
    pub(super) topic: Option<CueTopic>,
    pub(super) ends_with_question: bool,
    pub(super) ends_with_colon: bool,
    pub(super) is_empty: bool,
}

/// A line and what is known of it.
#[derive(Debug)]
pub(super) struct LineFacts {
    pub(super) tokens: Range<usize>,
    /// The separator of cells; 0 for none, a blank for columns with gaps.
    pub(super) separator: u8,
    pub(super) in_table: bool,
    /// The cell of each token.
    cells: Vec<usize>,
    pub(super) code_signs: usize,
    /// How much of the line is code, roughly.
    pub(super) code: u32,
    pub(super) words: u32,
    pub(super) indent: u32,
    pub(super) label: LineLabel,
    pub(super) second_label: LineLabel,
    /// The token that ends the label, counted from the beginning of the line.
    pub(super) colon: Option<usize>,
    pub(super) topic: CueTopic,
    /// Whether a word for a password is in it.
    pub(super) has_password: bool,
    pub(super) is_single: bool,
}

pub(super) fn is_code_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'{' | b'}' | b'(' | b')' | b';' | b'=' | b'<' | b'>' | b'[' | b']' | b'&' | b'$'
    )
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The first topic of tokens.
pub(super) fn first_topic<'t>(tokens: impl Iterator<Item = &'t TextToken>) -> CueTopic {
    tokens
        .map(|token| token.topic)
        .find(|topic| *topic != CueTopic::None)
        .unwrap_or(CueTopic::None)
}

impl LineFacts {
    pub(super) fn new(text: TextBytes<'_>, tokens: &[TextToken], range: Range<usize>) -> Self {
        let line = tokens.get(range.clone()).unwrap_or_default();
        let start = line.first().map_or(0, |token| token.start);
        let end = line.last().map_or(start, |token| token.end);
        let signs = || line.iter().filter(|t| t.class == TokenClass::Sign);
        let count = |byte| signs().filter(|token| token.first == byte).count();
        let raw = text.slice(start, end);
        let gaps = raw.windows(2).any(|pair| pair == b"  ");
        let separator = if count(b'|') >= 2 {
            b'|'
        } else if raw.contains(&b'\t') {
            b'\t'
        } else if count(b';') >= 1 {
            b';'
        } else if count(b',') >= 2 {
            b','
        } else if gaps {
            b' '
        } else {
            0
        };
        let code_signs = signs().filter(|token| is_code_sign(token.first)).count();
        let (label, second_label, colon) = labels_of(text, line);
        let blanks = start - text.scan_back(start, 16, |b| b == b' ' || b == b'\t');
        Self {
            tokens: range,
            separator,
            in_table: false,
            cells: cells_of(text, line, separator),
            code_signs,
            code: number((code_signs * 4 / (line.len() + 1)).min(3) * 4 + code_signs.min(3)),
            words: number(
                line.iter()
                    .filter(|t| matches!(t.class, TokenClass::Word | TokenClass::Ideographs))
                    .count()
                    .min(9),
            ),
            indent: number(blanks.min(9) / 2),
            label,
            second_label,
            colon,
            topic: first_topic(line.iter()),
            has_password: line.iter().any(|token| token.topic == CueTopic::Password),
            is_single: line.len() <= 2,
        }
    }

    /// The cell of a token of this line, counted from the beginning of the line.
    pub(super) fn cell(&self, place: usize) -> usize {
        self.cells.get(place).copied().unwrap_or(0)
    }
}

/// The cell of each token of a line.
fn cells_of(text: TextBytes<'_>, line: &[TextToken], separator: u8) -> Vec<usize> {
    let mut cells = Vec::with_capacity(line.len());
    let mut cell = 0;
    let mut end = line.first().map_or(0, |token| token.start);
    for token in line {
        let between = text.slice(end, token.start);
        match separator {
            0 => {}
            b' ' => cell += usize::from(between.len() >= 2),
            b'\t' => cell += memchr::memchr_iter(b'\t', between).count(),
            _ => cell += usize::from(token.class == TokenClass::Sign && token.first == separator),
        }
        end = token.end;
        cells.push(cell);
    }
    cells
}

/// The label of a line, the one before it, and where the label ends. `Anna: password: …` has two.
fn labels_of(text: TextBytes<'_>, line: &[TextToken]) -> (LineLabel, LineLabel, Option<usize>) {
    let (mut label, mut second, mut colon) = (NO_LABEL, NO_LABEL, None);
    for (place, token) in line.iter().enumerate().take(14) {
        let sign = text.slice(token.start, token.end);
        if token.class != TokenClass::Sign
            || !matches!(sign, b":" | b"=") && sign != "：".as_bytes() && sign != "→".as_bytes()
        {
            continue;
        }
        let before = line.get(..place).unwrap_or_default().iter().rev();
        let mut words = before.filter(|token| token.class != TokenClass::Sign);
        let last = words.next();
        let found = LineLabel {
            word: last.map_or(0, |token| token.long_stem),
            topic: first_topic(last.into_iter().chain(words.clone())),
        };
        second = if colon.is_some() {
            label
        } else {
            LineLabel {
                word: words.next().map_or(0, |token| token.long_stem),
                topic: CueTopic::None,
            }
        };
        label = found;
        colon = Some(place);
        if label.topic != CueTopic::None {
            break;
        }
    }
    (label, second, colon)
}

impl TableHead {
    /// Says whether a line is a row of this table; if not, it is the head of the next.
    pub(super) fn take(&mut self, line: &mut LineFacts, tokens: &[TextToken]) {
        let row = tokens.get(line.tokens.clone()).unwrap_or_default();
        let cells = line.cells.last().copied().unwrap_or(0);
        let same_cells = line.separator == b' ' || cells == self.cells;
        line.in_table = line.separator != 0 && line.separator == self.separator && same_cells;
        let is_rule = line.separator == b'|' && row.iter().all(|t| t.class == TokenClass::Sign);
        if line.in_table || is_rule {
            return;
        }
        self.columns.clear();
        (self.separator, self.cells) = (line.separator, cells);
        if line.separator == 0 {
            return;
        }
        for (place, token) in row.iter().enumerate() {
            if token.class == TokenClass::Sign {
                continue;
            }
            let cell = line.cell(place);
            if self.columns.len() <= cell {
                self.columns.resize(cell + 1, (0, None));
            }
            if let Some(column) = self.columns.get_mut(cell) {
                if column.0 == 0 {
                    column.0 = token.long_stem;
                }
                if token.topic != CueTopic::None {
                    column.1 = Some(token.topic);
                }
            }
        }
    }

    /// The first word of a column's head, and its topic.
    pub(super) fn column(&self, cell: usize) -> (u32, CueTopic) {
        let (word, topic) = self.columns.get(cell).copied().unwrap_or_default();
        (word, topic.unwrap_or(CueTopic::None))
    }

    pub(super) fn has_topic(&self) -> bool {
        self.columns.iter().any(|(_, topic)| topic.is_some())
    }
}

impl LineBefore {
    pub(super) fn new(text: TextBytes<'_>, line: &[TextToken]) -> Self {
        let mut words = [None; 6];
        let backwards = || {
            line.iter()
                .rev()
                .filter(|t| t.class != TokenClass::Sign)
                .take(8)
        };
        for (to, token) in words.iter_mut().zip(backwards()) {
            *to = Some(token.long_stem);
        }
        let is_sign = |token: &TextToken, ascii: u8, wide: &str| {
            token.first == ascii || text.slice(token.start, token.end) == wide.as_bytes()
        };
        let topic = first_topic(backwards());
        Self {
            words,
            first: line
                .iter()
                .find(|t| t.class != TokenClass::Sign)
                .map(|token| token.long_stem),
            topic: (topic != CueTopic::None).then_some(topic),
            ends_with_question: line.iter().rev().take(2).any(|t| is_sign(t, b'?', "？")),
            ends_with_colon: line.last().is_some_and(|t| is_sign(t, b':', "：")),
            is_empty: line.is_empty(),
        }
    }

    /// A hash of how the line ends.
    pub(super) fn ending(&self) -> u32 {
        mix(
            u32::from(self.ends_with_question),
            u32::from(self.ends_with_colon),
        )
    }
}
