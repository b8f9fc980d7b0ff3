//! Words, numbers and signs of a part of a text, with what the judge wants to know of each.

use crate::privacy::judge::hash::{Hash, mix};
use crate::privacy::judge::label::{MaskedSpan, TokenLabel};
use crate::privacy::judge::lexicon::{CueTopic, topic_of, topic_of_ideographs};
use crate::privacy::scan::bytes::TextBytes;

/// The longest token in bytes, and how many of its characters are looked at.
const MAX_TOKEN_BYTES: usize = 120;
const MAX_TOKEN_CHARS: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenClass {
    /// Letters.
    Word,
    Number,
    /// Letters and digits.
    Mixed,
    /// A run of one East Asian script.
    Ideographs,
    /// One sign.
    Sign,
    /// A placeholder, or a value that a rule has found.
    Masked,
    LineEnd,
}

/// A token. Hashes stand for texts, because only equality counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextToken {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) class: TokenClass,
    /// What a masked value is.
    pub(super) label: TokenLabel,
    /// Whether white space stands before it.
    pub(super) after_blank: bool,
    /// Its first byte.
    pub(super) first: u8,
    pub(super) digits: u8,
    pub(super) is_capital: bool,
    pub(super) topic: CueTopic,
    /// Its text in lower case, digits being equal.
    pub(super) word: u32,
    /// Its first four and its first six characters.
    pub(super) stem: u32,
    pub(super) long_stem: u32,
    /// Its last three characters.
    pub(super) suffix: u32,
    /// Its sequence of digits, signs and runs of letters.
    pub(super) shape: u32,
    /// Its length and the classes of its characters, roughly.
    pub(super) form: u32,
}

/// A character of a text that need not be UTF-8, and its length in bytes.
#[inline]
fn char_at(text: TextBytes<'_>, at: usize) -> (char, usize) {
    let lead = text.at(at);
    if lead.is_ascii() {
        return (char::from(lead), 1);
    }
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    std::str::from_utf8(text.slice(at, at + length))
        .ok()
        .and_then(|valid| valid.chars().next())
        .map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, length))
}

/// The script of a character, for those that are written without blanks; 0 for all others.
fn unspaced_script(c: char) -> u8 {
    match u32::from(c) {
        0x3040..=0x309f => 1,
        0x30a0..=0x30ff | 0xff66..=0xff9f => 2,
        0x3400..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x2_ffff | 0x3005 | 0x3007 => 3,
        _ => 0,
    }
}

fn is_word_char(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && unspaced_script(c) == 0
}

/// Whether a sign holds together what stands on both sides of it, in one token.
fn joins(sign: char, before: char, behind: char, has_digits: bool) -> bool {
    let (left, right) = (is_word_char(before), is_word_char(behind));
    match sign {
        ':' => has_digits && before.is_ascii_hexdigit() && behind.is_ascii_hexdigit(),
        '/' => {
            right
                && (before.is_ascii_digit() && behind.is_ascii_digit()
                    || !before.is_ascii_digit() && has_digits)
        }
        '\\' | '?' => right && has_digits,
        '!' | '*' | '$' | '%' | '^' | '#' => right || left && is_joiner(behind),
        '-' | '.' | '\'' | '’' | '@' | '&' | '+' | '~' => right,
        _ => false,
    }
}

fn is_joiner(c: char) -> bool {
    matches!(
        c,
        '-' | '.'
            | '_'
            | '\''
            | '’'
            | '@'
            | '#'
            | '&'
            | '+'
            | '*'
            | '!'
            | '$'
            | '%'
            | '^'
            | '~'
            | '/'
            | '?'
            | '\\'
            | ':'
            | '='
    )
}

/// A placeholder of this program at a position: its end and its kind.
fn placeholder_at(text: TextBytes<'_>, at: usize) -> Option<(usize, &[u8])> {
    let end = text.scan_while(at + 1, 48, |b| {
        b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'
    });
    let name = text.slice(at + 1, end);
    let number = name.iter().rposition(|&b| b == b'_')?;
    let (kind, digits) = name.split_at(number);
    let numbered = digits.len() > 1 && digits.iter().skip(1).all(u8::is_ascii_digit);
    (text.at(end) == b']' && numbered && kind.len() > 1).then_some((end + 1, kind))
}

/// Reads the tokens between two positions. `masked` lists the values that rules have found.
pub(super) fn tokenize(
    text: TextBytes<'_>,
    from: usize,
    to: usize,
    masked: &[MaskedSpan],
    tokens: &mut Vec<TextToken>,
) {
    let mut at = from;
    let mut after_blank = true;
    let mut next = masked.partition_point(|span| span.end <= from);
    while at < to {
        if let Some(span) = masked.get(next)
            && at >= span.start
        {
            if span.end > at {
                tokens.push(masked_token(at, span.end.min(to), span.label, after_blank));
                after_blank = false;
                at = span.end;
            }
            next += 1;
            continue;
        }
        let limit = masked.get(next).map_or(to, |span| span.start.min(to));
        let (c, length) = char_at(text, at);
        if c == '\n' {
            let mut end = masked_token(at, at + 1, TokenLabel::None, false);
            end.class = TokenClass::LineEnd;
            tokens.push(end);
        } else if c == '['
            && let Some((end, kind)) = placeholder_at(text, at)
        {
            tokens.push(masked_token(
                at,
                end,
                TokenLabel::of_kind(kind),
                after_blank,
            ));
            after_blank = false;
            at = end;
            continue;
        } else if !c.is_whitespace() {
            let token = read_token(text, at, limit, after_blank);
            at = token.end;
            after_blank = false;
            tokens.push(token);
            continue;
        }
        after_blank = true;
        at += length;
    }
}

fn masked_token(start: usize, end: usize, label: TokenLabel, after_blank: bool) -> TextToken {
    let hash = mix(77, u32::from(label as u8));
    TextToken {
        start,
        end,
        class: TokenClass::Masked,
        label,
        after_blank,
        first: 0,
        digits: 0,
        is_capital: false,
        topic: CueTopic::None,
        word: hash,
        stem: hash,
        long_stem: hash,
        suffix: hash,
        shape: hash,
        form: hash,
    }
}

/// Reads the token at a position, which is not blank.
fn read_token(text: TextBytes<'_>, start: usize, limit: usize, after_blank: bool) -> TextToken {
    let (first, length) = char_at(text, start);
    let script = unspaced_script(first);
    let mut chars = ['\0'; MAX_TOKEN_CHARS];
    let mut count = 0;
    let mut end = start;
    let (mut letters, mut digits) = (false, false);
    let class = if script > 0 {
        while end < limit && end - start < 24 {
            let (c, length) = char_at(text, end);
            if unspaced_script(c) != script {
                break;
            }
            put(&mut chars, &mut count, c);
            end += length;
        }
        TokenClass::Ideographs
    } else if is_word_char(first) {
        let mut before = ' ';
        while end < limit && end - start <= MAX_TOKEN_BYTES {
            let (c, length) = char_at(text, end);
            let goes_on = is_word_char(c)
                || is_joiner(c)
                    && end + length < limit
                    && joins(c, before, char_at(text, end + length).0, digits);
            if !goes_on {
                break;
            }
            letters |= c.is_alphabetic();
            digits |= c.is_numeric();
            put(&mut chars, &mut count, c);
            before = c;
            end += length;
        }
        match (letters, digits) {
            (true, true) => TokenClass::Mixed,
            (false, true) => TokenClass::Number,
            _ => TokenClass::Word,
        }
    } else {
        put(&mut chars, &mut count, first);
        end += length;
        TokenClass::Sign
    };
    let chars = chars.get(..count).unwrap_or_default();
    describe(
        TextToken {
            class,
            first: text.at(start),
            is_capital: first.is_uppercase(),
            ..masked_token(start, end, TokenLabel::None, after_blank)
        },
        chars,
    )
}

fn put(chars: &mut [char; MAX_TOKEN_CHARS], count: &mut usize, c: char) {
    if let Some(place) = chars.get_mut(*count) {
        *place = c;
        *count += 1;
    }
}

/// Adds the hashes and the topic of a token with these characters.
fn describe(mut token: TextToken, chars: &[char]) -> TextToken {
    if token.class == TokenClass::Sign {
        let hash = chars
            .iter()
            .fold(Hash::new(), |hash, &c| hash.with(c))
            .get();
        (token.word, token.stem, token.long_stem) = (hash, hash, hash);
        (token.suffix, token.shape, token.form) = (hash, hash, hash);
        return token;
    }
    let mut lower = ['\0'; MAX_TOKEN_CHARS];
    for (to, &c) in lower.iter_mut().zip(chars) {
        *to = if c.is_ascii_digit() {
            '0'
        } else if c.is_ascii() {
            c.to_ascii_lowercase()
        } else {
            c.to_lowercase().next().unwrap_or(c)
        };
    }
    let lower = lower.get(..chars.len()).unwrap_or_default();
    let mut hash = Hash::new();
    token.stem = 0;
    token.long_stem = 0;
    for (i, &c) in lower.iter().enumerate() {
        hash = hash.with(c);
        if i == 3 {
            token.stem = mix(4, hash.get());
        } else if i == 5 {
            token.long_stem = mix(6, hash.get());
        }
    }
    token.word = hash.get();
    if lower.len() < 4 {
        token.stem = mix(4, token.word);
    }
    if lower.len() < 6 {
        token.long_stem = mix(6, token.word);
    }
    let suffix = lower
        .get(lower.len().saturating_sub(3)..)
        .unwrap_or_default();
    token.suffix = suffix
        .iter()
        .fold(Hash::new(), |hash, &c| hash.with(c))
        .get();
    (token.shape, token.form, token.digits) = shape_and_form(chars);
    token.topic = if token.class == TokenClass::Ideographs {
        topic_of_ideographs(lower)
    } else {
        topic_of_parts(chars, lower)
    };
    token
}

/// The topic of the first part of a name that has one: `db_password`, `userPin`.
fn topic_of_parts(chars: &[char], lower: &[char]) -> CueTopic {
    let mut start = 0;
    let mut before = ' ';
    for (i, &c) in chars.iter().chain([&' ']).enumerate() {
        let ends = !c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase();
        before = c;
        if !ends {
            continue;
        }
        let topic = topic_of(lower.get(start..i).unwrap_or_default());
        if topic != CueTopic::None {
            return topic;
        }
        start = if c.is_alphanumeric() { i } else { i + 1 };
    }
    CueTopic::None
}

/// A few classes for a number, finer for small ones.
fn bucket(n: u32) -> u32 {
    match n {
        0..=4 => n,
        5..=6 => 5,
        7..=9 => 6,
        _ => 7,
    }
}

fn shape_and_form(chars: &[char]) -> (u32, u32, u8) {
    let (mut upper, mut lower, mut digits, mut signs, mut foreign, mut changes) =
        (0u32, 0u32, 0u32, 0u32, 0u32, 0u32);
    let mut shape = Hash::new();
    let mut before = '\0';
    for &c in chars {
        let class = if c.is_ascii_digit() {
            digits += 1;
            '9'
        } else if c.is_uppercase() {
            upper += 1;
            'X'
        } else if c.is_alphabetic() {
            foreign += u32::from(!c.is_ascii());
            lower += 1;
            'x'
        } else {
            signs += 1;
            if c.is_ascii() { c } else { '?' }
        };
        if before != '\0' && class != before && !(before == 'X' && class == 'x') {
            changes += 1;
        }
        if class == '9' || class != before {
            shape = shape.with(class);
        }
        before = class;
    }
    let length = match u32::try_from(chars.len()).unwrap_or(u32::MAX) {
        n @ 0..=6 => n,
        7..=8 => 7,
        9..=10 => 8,
        11..=13 => 9,
        14..=18 => 10,
        19..=26 => 11,
        _ => 12,
    };
    let letters = u32::from(upper > 0) + u32::from(upper > 1);
    let classes = bucket(digits).min(4) | letters << 4 | u32::from(lower > 0) << 8;
    let rest = signs.min(2) | u32::from(foreign > 0) << 3 | bucket(changes).min(5) << 5;
    (
        shape.get(),
        mix(mix(length, classes), rest),
        u8::try_from(digits).unwrap_or(u8::MAX),
    )
}
