//! The table of tokens that are known by their form: who issues them, how they look, and samples of both sides.

mod ai;
mod cloud;
mod code;
mod more;
mod pay;
mod talk;

use super::detect::{Pass, SURE};
use super::lexicon::{Lexicon, lexicon};
use super::shape;
use super::text::{Text, find, is_word};

/// What is asked of a token beyond its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: its prefix and length say enough.
    Form,
    /// It must look random: capitals, small letters and digits.
    Mixed,
    /// It must hold capitals and small letters.
    Cased,
    /// It must hold a digit.
    Digit,
    /// What stands behind the last sign of it must be random.
    Random,
    /// One of these words must stand before it.
    Near(&'static [&'static str]),
    /// It must decode to a JSON object.
    Jwt,
}

/// A rule: one kind of token.
#[derive(Debug)]
pub(super) struct Rule {
    /// What its findings are called.
    pub(super) name: &'static str,
    /// The kind.
    pub(super) kind: &'static str,
    /// The forms; the first literal of each is the keyword it is looked for by.
    pub(super) shapes: &'static [&'static str],
    /// What is asked beyond the form.
    pub(super) check: Check,
    /// Texts in which it finds a token; runs in braces are filled.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests of the table"))]
    pub(super) finds: &'static [&'static str],
    /// Texts it leaves alone.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests of the table"))]
    pub(super) spares: &'static [&'static str],
}

/// The rules of every theme, one after the other.
pub(super) const THEMES: &[&[Rule]] = &[ai::RULES, cloud::RULES, code::RULES, pay::RULES, talk::RULES, more::RULES];

/// Every rule.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    THEMES.iter().flat_map(|theme| theme.iter())
}

/// Looks whether a token of a rule begins at its keyword, and notes it.
pub(super) fn try_token(pass: &mut Pass<'_>, at: usize, (theme, place, shape): (u8, u8, u8)) {
    if pass.hits.last().is_some_and(|hit| hit.rank == SURE && hit.start <= at && at < hit.end) {
        return;
    }
    let Some(rule) = THEMES.get(usize::from(theme)).and_then(|theme| theme.get(usize::from(place))) else { return };
    let Some(shape) = rule.shapes.get(usize::from(shape)) else { return };
    let joined = |start| is_word(pass.text.before(start)) && is_word(pass.text.at(start)) && !escaped(pass.text, start);
    if !shape.contains('|') && joined(at) {
        return;
    }
    // Inside a long run of what was none of this rule's tokens there is none either.
    if pass.refused.0 == (theme, place) && at < pass.refused.1 {
        return;
    }
    let Some((start, end)) = shape::matches(pass.text, at, shape) else { return };
    if joined(start) {
        return;
    }
    // Of an address that is a secret as a whole nothing is left standing.
    let start = if shape.contains(".com/") || shape.contains(".com{") { scheme_before(pass.text, start) } else { start };
    if passes(pass.text, start, end, rule) {
        let end = wrapped_end(pass.text, start, end);
        pass.hit(start, end, rule.kind, rule.name, SURE);
        if rule.name == "aws-id" {
            secret_behind(pass, end);
        }
    } else if end - start > 256 {
        pass.refused = ((theme, place), end);
    }
}

/// The secret that stands shortly behind the public half of a key: `AKIA… / wJalr…`.
fn secret_behind(pass: &mut Pass<'_>, from: usize) {
    let text = pass.text;
    let mut i = from;
    let limit = (from + 80).min(text.len());
    while i < limit {
        let end = text.run(i, 64, |b| is_word(b) || matches!(b, b'+' | b'/'));
        if end - i == 40 && super::value::is_random(text.cut(i, end)) && !text.cut(i, end).iter().all(u8::is_ascii_hexdigit) {
            pass.hit(i, end, super::kind::SECRET, "aws-secret-behind", SURE);
            return;
        }
        i = end.max(i + 1);
    }
}

/// Where a token ends whose rest was wrapped to the next lines: one word there that looks drawn by lot, and nothing else.
fn wrapped_end(text: Text<'_>, start: usize, end: usize) -> usize {
    let (mut end, mut wrapped) = (end, text.cut(start, end).contains(&b'\n'));
    for _ in 0..40 {
        let Some(next) = shape::line_break(text, end) else { break };
        // A sign says that the line goes on.
        let signed = matches!(text.at(end), b'\\' | b'=' | b'"' | b'\'');
        let stop = text.run(next, 200, |b| is_word(b) || matches!(b, b'_' | b'-' | b'.'));
        let stop = text.run_back(stop, 1, |b| b == b'.').max(next);
        let rest = text.cut(next, stop);
        let made = super::value::made(rest);
        let alone = matches!(text.at(stop), 0 | b'\n' | b'\r' | b' ' | b'"' | b'\'' | b'`' | b'\\' | b'=' | b'.');
        let drawn = made.length >= 8 && made.digits >= 1 && made.lower + made.upper >= 3 && made.changes * 3 >= made.length;
        // The last line of several.
        let rest_of_it = wrapped && made.length >= 2 && made.digits + made.upper > 0;
        if !alone
            || made.length == 0
            || !(drawn || signed || rest_of_it)
            || super::value::is_uuid(rest)
            || super::value::is_wordy(rest) && !signed
        {
            break;
        }
        wrapped |= made.length >= 30;
        end = stop;
    }
    end
}

/// Where the address begins that holds a place: at its `https://`, if there is one.
fn scheme_before(text: Text<'_>, at: usize) -> usize {
    let host = text.run_back(at, 100, |b| is_word(b) || matches!(b, b'.' | b'-'));
    let scheme = text.run_back(host, 3, |b| matches!(b, b':' | b'/'));
    let start = text.run_back(scheme, 5, |b| b.is_ascii_lowercase());
    if host - scheme == 3 && text.cut(start, scheme).starts_with(b"http") { start } else { at }
}

/// Whether the letter before a token is the end of an escape: `\n`, `\t`, `%3D`.
fn escaped(text: Text<'_>, start: usize) -> bool {
    let (first, second, third) = (text.before(start), text.before(start.saturating_sub(1)), text.before(start.saturating_sub(2)));
    second == b'\\' && matches!(first, b'n' | b't' | b'r') || third == b'%' && first.is_ascii_hexdigit() && second.is_ascii_hexdigit()
}

/// Whether a token passes what its rule asks beyond the shape, and is no one's placeholder.
fn passes(text: Text<'_>, start: usize, end: usize, rule: &Rule) -> bool {
    let token = text.cut(start, end);
    let fits = match rule.check {
        Check::Form => true,
        Check::Mixed => {
            token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_lowercase) && token.iter().any(u8::is_ascii_uppercase)
        }
        Check::Cased => token.iter().any(u8::is_ascii_lowercase) && token.iter().any(u8::is_ascii_uppercase),
        Check::Random => {
            let tail = token.iter().rposition(|b| matches!(b, b'_' | b'.')).map_or(token, |p| token.get(p + 1..).unwrap_or_default());
            let digits = tail.iter().filter(|b| b.is_ascii_digit()).count();
            !token.starts_with(b"pk_")
                && find(token, b"pub").is_none()
                && tail.len() >= 14
                && digits >= 2
                && digits < tail.len()
                && (super::value::is_random(tail) || tail.len() < 16)
        }
        Check::Digit => token.iter().any(u8::is_ascii_digit),
        Check::Near(words) => super::context::said(text, start, words),
        Check::Jwt => jwt(token),
    };
    fits && !is_sample(token)
}

/// Whether the first part of a token decodes to the beginning of a JSON object with a word in it.
fn jwt(token: &[u8]) -> bool {
    use base64::Engine;
    let first = token.split(|&b| b == b'.').next().unwrap_or_default();
    let whole = first.get(..first.len() - first.len() % 4).unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(whole).is_ok_and(|json| json.starts_with(b"{") && json.contains(&b'"'))
}

/// What samples have in them.
static SAMPLES: Lexicon = lexicon!([
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

/// Whether a token is a sample: it says so, or it is one character over and over.
pub(super) fn is_sample(token: &[u8]) -> bool {
    let tail = token.get(token.len().min(8)..).unwrap_or_default();
    (tail.len() >= 12 && super::value::distinct(&tail.to_ascii_lowercase()) < 4) || SAMPLES.is_in(token)
}

#[cfg(test)]
mod tests {
    use super::super::detect::detect;
    use super::super::shape::samples::fill;
    use super::*;

    /// What a sample may stand in without anything changing.
    const SURROUNDINGS: &[(&str, &str)] = &[
        ("", ""),
        ("Here it is: ", ", thanks!"),
        ("const k = \"", "\";\n"),
        ("{\"a\": [\"", "\"]}"),
        ("2026-01-02T03:04:05Z INFO [main] sent <", "> to 3 hosts\n"),
        ("密钥是", "，谢谢"),
        ("`", "`."),
        ("line\\n", "\\nline"),
        ("_", "\u{200b}"),
    ];

    #[test]
    fn every_rule_finds_and_spares_what_it_says() {
        let mut wrong = String::new();
        for rule in all() {
            assert!(!rule.finds.is_empty() && !rule.spares.is_empty(), "{} has no samples", rule.name);
            for sample in rule.finds {
                for (before, after) in SURROUNDINGS {
                    let text = format!("{before}{}{after}", fill(sample));
                    let hits = detect(text.as_bytes());
                    if !hits.iter().any(|hit| hit.rule == rule.name) {
                        wrong += &format!("{} does not find {text:?}: {hits:?}\n", rule.name);
                    }
                }
            }
            for sample in rule.spares {
                let text = fill(sample);
                let hits = detect(text.as_bytes());
                if hits.iter().any(|hit| hit.rule == rule.name) {
                    wrong += &format!("{} finds {text:?}: {hits:?}\n", rule.name);
                }
            }
        }
        assert_eq!(wrong, "");
    }

    #[test]
    fn names_are_not_used_twice() {
        let mut names: Vec<_> = all().map(|rule| rule.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
