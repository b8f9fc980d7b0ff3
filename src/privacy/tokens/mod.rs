//! The table of tokens recognised by their form: issuer, shape, and samples that must and must not
//! match.
//!
//! To add a token, add a [`Rule`] with samples to a theme; the index and the tests pick it up.

mod ai;
mod cloud;
mod dev_tools;
pub(super) mod encoded;
mod messaging;
mod other;
pub(super) mod packed;
pub(super) mod pattern;
mod payments;
#[cfg(test)]
mod tests;

use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{KNOWN_TOKEN, Scan};
use crate::privacy::secrets::wordlike::{has_numbers_inside, reads_as_words, stands_as_word};

/// The condition on a token besides its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenCheck {
    /// None: prefix and length are specific enough.
    Form,
    /// Must look random: capitals, lower case and digits, or letters and digits that do not read as
    /// words.
    Mixed,
    /// Must contain both cases, or letters that do not read as words.
    Cased,
    /// Must contain a digit, or letters that do not read as words.
    Digit,
    /// The part after the prefix must look random, because names in code begin with the same
    /// prefix.
    Random,
    /// One of these words must occur before it.
    Near(&'static [&'static str]),
    /// Must decode to a JSON object.
    Jwt,
}

/// One kind of token.
#[derive(Debug)]
pub(super) struct Rule {
    /// The rule name in findings.
    pub(super) name: &'static str,
    /// The kind in findings.
    pub(super) kind: &'static str,
    /// The shapes. The first literal of each is its keyword in the index.
    pub(super) shapes: &'static [&'static str],
    /// The condition besides the shape.
    pub(super) check: TokenCheck,
    /// Texts in which the rule must find a token; runs in braces are filled by the tests.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the tests of the table")
    )]
    pub(super) matches: &'static [&'static str],
    /// Texts in which the rule must find nothing.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the tests of the table")
    )]
    pub(super) non_matches: &'static [&'static str],
}

/// The rules of every theme, in order.
pub(super) const RULE_GROUPS: &[&[Rule]] = &[
    ai::AI_RULES,
    cloud::CLOUD_RULES,
    dev_tools::DEV_TOOL_RULES,
    payments::PAYMENT_RULES,
    messaging::MESSAGING_RULES,
    other::OTHER_RULES,
];

#[cfg(test)]
pub(super) fn all_rules() -> impl Iterator<Item = &'static Rule> {
    RULE_GROUPS.iter().flat_map(|theme| theme.iter())
}

/// Checks whether a token of a rule begins at its keyword, and records it.
pub(super) fn try_token(scan: &mut Scan<'_>, at: usize, (theme, place, shape): (u8, u8, u8)) {
    // Of several shapes that begin at the same position the longest wins.
    let known = scan
        .matches
        .last()
        .filter(|hit| hit.confidence == KNOWN_TOKEN && hit.start <= at && at < hit.end)
        .map(|hit| (hit.start, hit.end));
    let inside = known.is_some_and(|(start, _)| start < at);
    let Some(rule) = RULE_GROUPS
        .get(usize::from(theme))
        .and_then(|theme| theme.get(usize::from(place)))
    else {
        return;
    };
    let Some(shape) = rule.shapes.get(usize::from(shape)) else {
        return;
    };
    // A shape with a head may begin where the known token begins and reach further.
    if inside && !shape.contains('|') {
        return;
    }
    // In the path of an address the token of a bot of Telegram stands right behind the word.
    let bot = |start: usize| {
        rule.name == "telegram"
            && start
                .checked_sub(3)
                .is_some_and(|word| scan.text.starts_with_at(word, b"bot"))
    };
    let joined = |start| {
        is_word(scan.text.byte_before(start))
            && is_word(scan.text.at(start))
            && !is_after_escape(scan.text, start)
            && !bot(start)
    };
    if !shape.contains('|') && joined(at) {
        return;
    }
    // A long run that this rule rejected contains none of its tokens further on either. Without
    // this, a megabyte of one prefix takes quadratic time.
    if scan.refused.0 == (theme, place) && at < scan.refused.1 {
        return;
    }
    let Some((start, end)) = pattern::matches(scan.text, at, shape) else {
        return;
    };
    if joined(start) || known.is_some_and(|known| start > known.0 || end <= known.1) {
        return;
    }
    // If a whole URL is a secret, redact it with its scheme.
    let start = if shape.contains(".com/") || shape.contains(".com{") {
        url_start(scan.text, start)
    } else {
        start
    };
    if satisfies(
        scan.text,
        (start, at + pattern::keyword(shape).len(), end),
        rule,
    ) {
        let end = wrapped_end(scan.text, start, end);
        scan.report(start, end, rule.kind, rule.name, KNOWN_TOKEN);
        if rule.name == "aws-id" {
            secret_after_key_id(scan, end);
        }
        if rule.name == "twilio-account" {
            secret_after_account(scan, end);
        }
    } else if end - start > 256 {
        scan.refused = ((theme, place), end);
    }
}

/// Records the secret key shortly after an access key id: `AKIA… / wJalr…`.
fn secret_after_key_id(scan: &mut Scan<'_>, from: usize) {
    let text = scan.text;
    let mut i = from;
    let limit = (from + 80).min(text.len());
    while i < limit {
        let end = text.scan_while(i, 64, |b| is_word(b) || matches!(b, b'+' | b'/'));
        if end - i == 40
            && crate::privacy::secrets::char_stats::is_random(text.slice(i, end))
            && !text.slice(i, end).iter().all(u8::is_ascii_hexdigit)
        {
            scan.report(
                i,
                end,
                crate::privacy::kind::SECRET,
                "aws-secret-behind",
                KNOWN_TOKEN,
            );
            return;
        }
        i = end.max(i + 1);
    }
}

/// Records the token directly after an account id: `Client("AC…", "…")`.
fn secret_after_account(scan: &mut Scan<'_>, from: usize) {
    let text = scan.text;
    let start = text.scan_while(from, 24, |b| !b.is_ascii_alphanumeric());
    let end = text.scan_while(start, 33, |b| b.is_ascii_hexdigit());
    if start > from && end - start == 32 {
        scan.report(
            start,
            end,
            crate::privacy::kind::API_KEY,
            "twilio-secret-behind",
            KNOWN_TOKEN,
        );
    }
}

/// Returns the end of a token that is wrapped over several lines: each further line must be a
/// single random-looking word.
fn wrapped_end(text: TextBytes<'_>, start: usize, end: usize) -> usize {
    let (mut end, mut wrapped) = (end, text.slice(start, end).contains(&b'\n'));
    for _ in 0..40 {
        let Some(next) = pattern::skip_line_break(text, end) else {
            break;
        };
        // A continuation sign at the line end.
        let signed = matches!(text.at(end), b'\\' | b'=' | b'"' | b'\'');
        let stop = text.scan_while(next, 200, |b| is_word(b) || matches!(b, b'_' | b'-' | b'.'));
        let stop = text.scan_back(stop, 1, |b| b == b'.').max(next);
        let rest = text.slice(next, stop);
        let made = crate::privacy::secrets::char_stats::char_stats(rest);
        let alone = matches!(
            text.at(stop),
            0 | b'\n' | b'\r' | b' ' | b'"' | b'\'' | b'`' | b'\\' | b'=' | b'.'
        );
        let drawn = made.length >= 8
            && made.digits >= 1
            && made.lower + made.upper >= 3
            && made.changes * 3 >= made.length;
        // The last of several lines.
        let rest_of_it = wrapped && made.length >= 2 && made.digits + made.upper > 0;
        if !alone
            || made.length == 0
            || !(drawn || signed || rest_of_it)
            || crate::privacy::secrets::char_stats::is_uuid(rest)
            || crate::privacy::secrets::char_stats::looks_like_words(rest) && !signed
        {
            break;
        }
        wrapped |= made.length >= 30;
        end = stop;
    }
    end
}

/// Returns where the URL around a position begins, if it has a scheme.
fn url_start(text: TextBytes<'_>, at: usize) -> usize {
    let host = text.scan_back(at, 100, |b| is_word(b) || matches!(b, b'.' | b'-'));
    let scheme = text.scan_back(host, 3, |b| matches!(b, b':' | b'/'));
    let start = text.scan_back(scheme, 5, |b| b.is_ascii_lowercase());
    if host - scheme == 3 && text.slice(start, scheme).starts_with(b"http") {
        start
    } else {
        at
    }
}

/// Whether the letter before a token ends an escape: `
/// `, `\t`, `%3D`.
fn is_after_escape(text: TextBytes<'_>, start: usize) -> bool {
    let (first, second, third) = (
        text.byte_before(start),
        text.byte_before(start.saturating_sub(1)),
        text.byte_before(start.saturating_sub(2)),
    );
    second == b'\\' && matches!(first, b'n' | b't' | b'r')
        || third == b'%' && first.is_ascii_hexdigit() && second.is_ascii_hexdigit()
}

/// Whether a token meets the condition of its rule and is not a placeholder. A real token must
/// never be rejected for the characters chance gave it: letters without a digit or of one case pass
/// unless they read as words.
fn satisfies(
    text: TextBytes<'_>,
    (start, prefix_end, end): (usize, usize, usize),
    rule: &Rule,
) -> bool {
    let token = text.slice(start, end);
    // If the random part comes before the keyword, it is part of the body.
    let behind = text.slice(prefix_end.min(end), end);
    let body = if behind.len() * 2 < token.len() {
        token
    } else {
        behind
    };
    let has = |class: fn(&u8) -> bool| token.iter().any(class);
    let (digit, lower, upper) = (
        u8::is_ascii_digit,
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
    );
    let fits = match rule.check {
        TokenCheck::Form => true,
        TokenCheck::Mixed => {
            has(digit) && has(lower) && has(upper)
                // A digest after a word that happens to be a prefix: `app-7d9f…`.
                || !body.iter().all(|&b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) && !reads_as_words(body)
        }
        TokenCheck::Cased => has(lower) && has(upper) || !reads_as_words(body),
        TokenCheck::Random => is_random_behind_word(token, text.slice(start, prefix_end), behind),
        TokenCheck::Digit => has(digit) || !reads_as_words(body),
        TokenCheck::Near(words) => {
            crate::privacy::scan::context::preceded_by(text, start, words)
                || crate::privacy::scan::context::contains_word(
                    text,
                    end,
                    text.line_end(end, 96),
                    words,
                )
        }
        TokenCheck::Jwt => is_jwt(token),
    };
    fits && !is_sample(token)
}

/// Whether the text after a word such as `_live_` is a key: random, or with both cases or numbers
/// and no words in it.
fn is_random_behind_word(token: &[u8], head: &[u8], body: &[u8]) -> bool {
    if token.starts_with(b"pk_") || find(head, b"pub").is_some() {
        return false;
    }
    // A random token may end with a sign.
    let last = token.iter().rposition(u8::is_ascii_alphanumeric);
    let trimmed = token.get(..last.map_or(0, |p| p + 1)).unwrap_or_default();
    let tail = trimmed
        .iter()
        .rposition(|b| matches!(b, b'_' | b'.'))
        .map_or(trimmed, |p| trimmed.get(p + 1..).unwrap_or_default());
    let digits = tail.iter().filter(|b| b.is_ascii_digit()).count();
    let drawn = tail.len() >= 14
        && digits >= 2
        && digits < tail.len()
        && (crate::privacy::secrets::char_stats::is_random(tail) || tail.len() < 16);
    let made = crate::privacy::secrets::char_stats::char_stats(body);
    let mixed = made.lower > 0 && made.upper > 0
        || has_numbers_inside(body)
        || body.len() >= 16 && made.digits > 0;
    // Parts too short for words, as `-Qk9_0ar0-Cjob-M` has by chance.
    let part = |part: &&[u8]| {
        part.len() >= 3
            && part.iter().any(u8::is_ascii_digit)
            && part.iter().any(u8::is_ascii_alphabetic)
    };
    let parts = || body.split(|b| !b.is_ascii_alphanumeric());
    // Capitals, lower case and digits without a single part as long as a word: `68f-axy_V-Zw-Qan`.
    let scattered = made.digits > 0 && parts().all(|part| part.len() <= 4);
    let short =
        made.lower > 0 && made.upper > 0 && (scattered || parts().filter(part).count() >= 2);
    drawn || body.len() >= 14 && (mixed && !reads_as_words(body) || short)
}

/// Whether the first part of a token decodes to the beginning of a JSON object with a member.
fn is_jwt(token: &[u8]) -> bool {
    use base64::Engine;
    let first = token.split(|&b| b == b'.').next().unwrap_or_default();
    let whole = first
        .get(..first.len() - first.len() % 4)
        .unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(whole)
        .is_ok_and(|json| json.starts_with(b"{") && json.contains(&b'"'))
}

/// Words typical of sample tokens.
static SAMPLE_WORDS: WordSet = word_set!([
    "example",
    "your",
    "placeholder",
    "redacted",
    "xxxxx",
    "insert",
    "replace",
    "changeme",
    "dummy",
    "sample",
    "goes-here",
    "goes_here",
    "0000000000",
    "....",
    "*****",
]);

/// Whether a token is a sample: it contains such a word, or repeats one character.
pub(super) fn is_sample(token: &[u8]) -> bool {
    let tail = token.get(token.len().min(8)..).unwrap_or_default();
    (tail.len() >= 12
        && crate::privacy::secrets::char_stats::distinct_bytes(&tail.to_ascii_lowercase()) < 4)
        || SAMPLE_WORDS.any_in(token, |at, word| stands_as_word(token, at, word))
}
