//! Digits as they are written: groups of them with separators, and UUIDs.

use crate::privacy::scan::bytes::{TextBytes, is_word};

/// The most groups and digits read as one number.
const MAX_GROUPS: usize = 20;
pub(in crate::privacy) const MAX_DIGITS: usize = 36;

/// A number as written: groups of digits with few separators.
#[derive(Debug)]
pub(in crate::privacy) struct DigitGroups<'t> {
    pub(in crate::privacy) text: TextBytes<'t>,
    pub(in crate::privacy) start: usize,
    /// The start and end of each group, relative to `start`.
    groups: [(u8, u8); MAX_GROUPS],
    count: usize,
    digits: [u8; MAX_DIGITS],
    pub(in crate::privacy) total: usize,
}

impl<'t> DigitGroups<'t> {
    /// Reads groups from the first digit on.
    pub(in crate::privacy) fn read(text: TextBytes<'t>, start: usize) -> Self {
        let mut number = Self {
            text,
            start,
            groups: [(0, 0); MAX_GROUPS],
            count: 0,
            digits: [0; MAX_DIGITS],
            total: 0,
        };
        let mut at = start;
        while number.count < MAX_GROUPS {
            let end = text.scan_while(at, MAX_DIGITS + 1, |b| b.is_ascii_digit());
            if end == at || number.total + end - at > MAX_DIGITS {
                break;
            }
            let (Ok(from), Ok(to)) = (u8::try_from(at - start), u8::try_from(end - start)) else {
                break;
            };
            for (slot, &b) in number
                .digits
                .iter_mut()
                .skip(number.total)
                .zip(text.slice(at, end))
            {
                *slot = b - b'0';
            }
            number.total += end - at;
            if let Some(slot) = number.groups.get_mut(number.count) {
                *slot = (from, to);
            }
            number.count += 1;
            let next = text.scan_while(end, 3, is_separator);
            if next == end || !text.at(next).is_ascii_digit() {
                break;
            }
            at = next;
        }
        number
    }

    pub(in crate::privacy) fn groups(&self) -> usize {
        self.count
    }

    /// The number of digits in the first groups.
    pub(in crate::privacy) fn digits_in(&self, groups: usize) -> usize {
        self.groups
            .iter()
            .take(groups.min(self.count))
            .map(|(start, end)| usize::from(end - start))
            .sum()
    }

    /// The digits of the first groups.
    pub(in crate::privacy) fn digits(&self, groups: usize) -> &[u8] {
        self.digits
            .get(..self.digits_in(groups))
            .unwrap_or_default()
    }

    /// Where the first groups end.
    pub(in crate::privacy) fn end(&self, groups: usize) -> usize {
        groups
            .checked_sub(1)
            .and_then(|g| self.groups.get(g))
            .map_or(self.start, |&(_, end)| self.start + usize::from(end))
    }

    /// The lengths of the groups, in order.
    pub(in crate::privacy) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups
            .iter()
            .take(self.count)
            .map(|(start, end)| usize::from(end - start))
    }

    /// Whether the number begins with groups of these lengths.
    pub(in crate::privacy) fn has_group_lengths(&self, lengths: &[usize]) -> bool {
        self.count >= lengths.len() && self.lengths().zip(lengths).all(|(a, b)| a == *b)
    }

    /// The separator between group `g` and the next.
    pub(in crate::privacy) fn separator(&self, g: usize) -> &'t [u8] {
        match (self.groups.get(g), self.groups.get(g + 1)) {
            (Some(&(_, end)), Some(&(start, _))) if g + 1 < self.count => self.text.slice(
                self.start + usize::from(end),
                self.start + usize::from(start),
            ),
            _ => b"",
        }
    }

    /// Whether the first groups are separated by exactly this byte.
    pub(in crate::privacy) fn is_separated_by(&self, groups: usize, by: u8) -> bool {
        (0..groups.saturating_sub(1)).all(|g| self.separator(g) == [by])
    }

    /// Whether the number can end after its first groups: no digits or letters follow directly.
    pub(in crate::privacy) fn can_end(&self, groups: usize) -> bool {
        let end = self.end(groups);
        let next = self.text.at(end);
        if is_word(next) || next == b'_' {
            return false;
        }
        let joined = matches!(next, b'-' | b'/' | b'.' | b':' | b'+' | b'%')
            && self.text.at(end + 1).is_ascii_digit();
        !(joined || next == b'-' && is_word(self.text.at(end + 1)))
    }

    /// Whether the number is part of a table of four-digit codes: `676E 6763 6764 6789`.
    pub(in crate::privacy) fn in_code_table(&self, groups: usize) -> bool {
        // 1 for four digits, 2 for four hex digits with a letter.
        let code = |from: usize, to: usize| {
            let word = self.text.slice(from, to);
            let alone = !matches!(self.text.byte_before(from), b'-' | b'.' | b'/' | b'_');
            match word {
                [_, _, _, _] if alone && word.iter().all(u8::is_ascii_digit) => 1,
                [_, _, _, _]
                    if alone
                        && word.iter().all(u8::is_ascii_hexdigit)
                        && word.iter().any(u8::is_ascii_digit) =>
                {
                    2
                }
                _ => 0,
            }
        };
        let end = self.end(groups);
        let next = self.text.scan_while(end, 2, |b| b == b' ' || b == b'\n');
        let after = if next > end {
            code(next, self.text.scan_while(next, 5, is_word))
        } else {
            0
        };
        let last = self
            .text
            .scan_back(self.start, 2, |b| b == b' ' || b == b'\n');
        let before = if last < self.start {
            code(self.text.scan_back(last, 5, is_word), last)
        } else {
            0
        };
        before + after >= 2 || self.text.starts_with_at(end, b" ;")
    }

    /// Whether the number can begin here: not inside an identifier, a path or another number.
    pub(in crate::privacy) fn can_begin(&self) -> bool {
        let before = self.text.byte_before(self.start);
        let second = self.text.byte_before(self.start.saturating_sub(1));
        let joined = matches!(before, b'.' | b'-' | b'/' | b':')
            && (second.is_ascii_digit() || (before != b':' && is_word(second)));
        // `1,234` is one number; `12,415-555-2671` are two cells.
        let thousands =
            before == b',' && second.is_ascii_digit() && self.count == 1 && self.digits_in(1) == 3;
        !(is_word(before) || before == b'_' || joined || thousands)
    }
}

/// Returns the end of a UUID that begins at a position.
pub(in crate::privacy) fn uuid_end(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let end = at + 36;
    let fits = text.at(at + 8) == b'-'
        && text.at(at + 13) == b'-'
        && text.at(at + 18) == b'-'
        && text.at(at + 23) == b'-'
        && !is_word(text.byte_before(at))
        && !is_word(text.at(end))
        && crate::privacy::secrets::char_stats::is_uuid(text.slice(at, end));
    fits.then_some(end)
}

/// Whether a byte may separate the groups of a number.
pub(in crate::privacy) fn is_separator(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'_')
}

/// The number of different digits.
pub(in crate::privacy) fn distinct(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0u16, |seen, &d| seen | 1 << (d & 15))
        .count_ones()
}
