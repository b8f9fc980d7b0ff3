//! Codes that grant access once: in a text message, from an app, of a bank.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::is_word;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};

/// Words for how codes are sent, and for asking for one.
#[rustfmt::skip]
static CODE_CHANNELS: WordSet = word_set!([
    "sent", "send", "sms", "texted", "text", "bank", "login", "log in", "verify", "verification", "confirm", "confirmation", "authenticator",
    "2fa", "mfa", "otp", "received", "got", "your", "envoyé", "reçu",
    "banque", "bank", "banco", "banca", "mandó", "enviado", "recibí", "enviou", "inviato", "arrivato", "ricevuto", "geschickt", "bekommen",
    "erhalten", "entered", "whatsapp", "paypal", "google", "apple", "signal", "telegram", "unlock", "transfer",
]);

/// Codes that grant no access.
#[rustfmt::skip]
static OTHER_CODES: WordSet = word_set!([
    "error", "exit", "status", "http", "return", "response", "country", "area", "zip", "postal", "post", "qr", "source", "promo", "discount",
    "product", "color", "colour", "build", "version", "line", "key", "char", "op", "machine", "fault", "stop", "reason", "language", "dial",
]);

/// Reads the number after the word "code", if the text is about a code that was sent to someone.
pub(in crate::privacy) fn one_time_code(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !crate::privacy::scan::context::is_whole_word(text, at, to)
        || scan.is_covered(at)
        || coded_before(scan, at, to)
    {
        return;
    }
    let mut from = text.skip_blanks(to);
    for link in [&b"is "[..], b"was ", b": ", b"= ", b"= "] {
        if text.starts_with_ignore_case_at(from, link) {
            from += link.len();
        }
    }
    let from = text.scan_while(from, 2, |b| matches!(b, b'"' | b'`' | b'*'));
    let first = text.scan_while(from, 9, |b| b.is_ascii_digit());
    // `483 920`
    let second = text.scan_while(first + 1, 4, |b| b.is_ascii_digit());
    let end = if first - from == 3 && second == first + 4 && matches!(text.at(first), b' ' | b'-') {
        second
    } else {
        first
    };
    let behind = text.at(end);
    let goes_on =
        matches!(behind, b'.' | b',' | b':' | b'-' | b'/') && text.at(end + 1).is_ascii_digit();
    let whole = !is_word(behind) && !goes_on;
    let words = crate::privacy::scan::context::preceded_within(text, at, 64, &CODE_CHANNELS)
        || crate::privacy::scan::context::followed_by(text, end, &CODE_CHANNELS);
    let counted = crate::privacy::scan::context::preceded_within(text, at, 12, &OTHER_CODES);
    if (4..=8).contains(&(end - from)) && whole && words && !counted {
        scan.report(from, end, PASSWORD, "sent-code", CONTEXT_WORDS);
    }
}

/// Words between a code and the word for it: `483920 is your verification code`, `texted me 483920 as code`.
#[rustfmt::skip]
static BEFORE_CODE: WordSet = word_set!([
    "is", "as", "was", "the", "your", "my", "a", "our", "new", "google", "microsoft", "apple", "bank", "verification", "security", "login",
    "access", "confirmation", "one-time", "sms", "ist", "als", "der", "dein", "ihr", "est", "es", "el", "tu", "su", "le", "votre", "ton",
    "comme", "como", "come", "il", "tuo", "è", "é", "seu", "o",
]);

/// Reads a number before the word "code", with such words between. Says whether there was one.
fn coded_before(scan: &mut Scan<'_>, at: usize, to: usize) -> bool {
    let text = scan.text;
    let mut end = text.scan_back(at, 1, |b| b == b' ');
    let mut between = 0;
    while end > 0 && between < 6 {
        let start = text.scan_back(end, 24, |b| !b.is_ascii_whitespace());
        let word = text.slice(start, end);
        if !BEFORE_CODE.contains_ignore_case(&crate::privacy::scan::bytes::fold_case(word)) {
            break;
        }
        between += 1;
        end = text.scan_back(start, 1, |b| b == b' ');
    }
    let start = text.scan_back(end, 8, |b| b.is_ascii_digit());
    let lead = text.byte_before(start);
    let alone = lead == 0
        || lead.is_ascii_whitespace()
        || matches!(lead, b'"' | b'*' | b'`')
        || text.slice(start.saturating_sub(2), start) == b"G-";
    let said = crate::privacy::scan::context::preceded_within(text, start, 40, &CODE_CHANNELS)
        || crate::privacy::scan::context::contains_word(
            text,
            end,
            text.line_end(to, 40),
            &CODE_CHANNELS,
        );
    let found = between > 0
        && (4..=8).contains(&(end - start))
        && alone
        && said
        && !text.starts_with_at(start, b"20");
    if found {
        scan.report(start, end, PASSWORD, "sent-code", CONTEXT_WORDS);
    }
    found
}

/// Reads the six digits behind `TAN`, which banks write in capitals.
pub(in crate::privacy) fn transaction_number(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if text.slice(at, at + 3) != b"TAN" || is_word(text.byte_before(at)) {
        return;
    }
    let limit = text.line_end(to, 48);
    let start = text.scan_while(to, limit.saturating_sub(to), |b| !b.is_ascii_digit());
    let end = text.scan_while(start, 9, |b| b.is_ascii_digit());
    if end - start == 6 && !is_word(text.byte_before(start)) && !is_word(text.at(end)) {
        scan.report(start, end, PASSWORD, "sent-code", CONTEXT_WORDS);
    }
}
