//! National identity, tax and health numbers, recognised by checksum and form.

use super::context::{follows, said, said_within};
use super::detect::{FORMED, NAMED, Pass};
use super::documents::{document, named_document};
use super::iban::iban;
use super::issued::FORMS;
use super::kind::{BANK_ACCOUNT, DRIVER_LICENSE, IBAN, NATIONAL_ID};
use super::lexicon::{Lexicon, lexicon};
use super::numbers::Number;
use super::text::{is_ident, is_word};

/// Reads a token of letters and digits whose first digit is at a position. Returns where to
/// continue.
pub(super) fn lettered(pass: &mut Pass<'_>, at: usize) -> usize {
    let text = pass.text;
    let start = text.run_back(at, 7, |b| b.is_ascii_alphabetic());
    if pass.covered(at) {
        return at + 1;
    }
    if is_ident(text.before(start)) {
        // A wallet address may have many letters before its first digit.
        if at - start < 7 || !text.at(at + 1).is_ascii_alphanumeric() {
            return at + 1;
        }
        let (start, end) = (text.run_back(at, 35, is_word), text.run(at, 35, is_word));
        if (26..=35).contains(&(end - start)) && !is_ident(text.before(start)) {
            super::wallet::base58(pass, start, end);
        }
        return at + 1;
    }
    if at - start == 2
        && text.before(start) != b'-'
        && let Some(end) = iban(text, start)
    {
        pass.hit(start, end, IBAN, "iban", FORMED);
        return end;
    }
    // No number in this file is longer.
    let end = text.run(start, 40, is_word);
    // Pairs and fours may belong to a MAC address; a UUID is not private.
    if matches!(end - start, 2 | 4) && super::net::hardware(pass, at).is_some() {
        return at + 1;
    }
    if end - start == 8
        && let Some(stop) = super::numbers::uuid_end(text, start)
    {
        return stop;
    }
    let token = text.cut(start, end);
    // `Y8063915-Z`
    if token.len() == 8 && text.at(end) == b'-' && !is_word(text.at(end + 2)) && is_nie(&[token, text.cut(end + 1, end + 2)].concat()) {
        pass.hit(start, end + 2, NATIONAL_ID, "es-nie", FORMED);
        return at + 1;
    }
    if is_ident(text.at(end)) || matches!(text.before(start), b'/' | b'#') {
        return at + 1;
    }
    if nino_at(pass, start) {
        return at + 1;
    }
    if token.len() >= 9 && token.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) || token.len() == 16 {
        let name = match token.len() {
            9 if is_nie(token) => "es-nie",
            9 if is_nino(token) && (!matches!(text.before(start), b'-' | b'.') || said(text, start, &["nino", "national insurance"])) => {
                "uk-nino"
            }
            10 if is_pan(token) => "in-pan",
            11 if is_medicare_beneficiary(token) && said(text, start, &["medicare", "mbi", "patient", "beneficiary"]) => "us-mbi",
            15 if is_gstin(token) => "in-gstin",
            16 if is_uk_licence(token) => "uk-driving-licence",
            16 if is_codice_fiscale(token) => "it-codice-fiscale",
            _ => "",
        };
        if !name.is_empty() {
            pass.hit(start, end, if name == "uk-driving-licence" { DRIVER_LICENSE } else { NATIONAL_ID }, name, FORMED);
            return at + 1;
        }
    }
    if (26..=35).contains(&token.len()) && super::wallet::base58(pass, start, end) {
        return at + 1;
    }
    if let Some((kind, name)) = document(text, start, token) {
        pass.hit(start, end, kind, name, NAMED);
    } else if text.at(end) == b'-' && at - start <= 2 {
        // Some driving licences are written in groups: `F255-921-50-094-0`.
        let whole = text.run(start, 24, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        let digits = text.cut(start, whole).iter().filter(|b| b.is_ascii_digit()).count();
        if let Some((kind, name)) =
            named_document(text, start).filter(|_| digits >= 6 && is_word(text.before(whole)) && !is_word(text.at(whole)))
        {
            pass.hit(start, whole, kind, name, NAMED);
        }
    }
    at + 1
}

/// UK national insurance number: two letters, six digits, a letter from A to D.
fn is_nino(token: &[u8]) -> bool {
    let [a, b, digits @ .., last] = token else { return false };
    let first = !matches!(a, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    let second = !matches!(b, b'D' | b'F' | b'I' | b'O' | b'Q' | b'U' | b'V');
    let never = matches!([*a, *b], [b'B', b'G'] | [b'G', b'B'] | [b'K' | b'T', b'N'] | [b'N', b'K' | b'T'] | [b'Z', b'Z']);
    a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
        && first
        && second
        && !never
        && digits.len() == 6
        && digits.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(last)
}

/// A national insurance number in groups: `AB 12 34 56 C`.
pub(super) fn nino_at(pass: &mut Pass<'_>, start: usize) -> bool {
    let text = pass.text;
    if !text.at(start).is_ascii_uppercase() || !text.at(start + 1).is_ascii_uppercase() {
        return false;
    }
    let mut compact = Vec::with_capacity(9);
    let mut i = start;
    while compact.len() < 9 && i < start + 14 {
        match text.at(i) {
            b if is_word(b) => compact.push(b),
            b' ' | b'-' => {}
            _ => return false,
        }
        i += 1;
    }
    if i > start + 9 && is_nino(&compact) && !is_word(text.at(i)) {
        pass.hit(start, i, NATIONAL_ID, "uk-nino", FORMED);
        return true;
    }
    false
}

/// The check letter of a Spanish number.
fn spanish_letter(number: u32) -> u8 {
    let place = usize::try_from(number % 23).unwrap_or(0);
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(place).copied().unwrap_or(0)
}

fn is_nie(token: &[u8]) -> bool {
    let [first @ (b'X' | b'Y' | b'Z'), digits @ .., last] = token else { return false };
    if digits.len() != 7 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = digits.iter().fold(u32::from(first - b'X'), |all, d| all * 10 + u32::from(d - b'0'));
    spanish_letter(number) == *last
}

/// Indian PAN: five letters, of which the fourth is the type of holder, four digits, a letter.
fn is_pan(token: &[u8]) -> bool {
    let letters = token.get(..5).is_some_and(|t| t.iter().all(u8::is_ascii_uppercase));
    let digits = token.get(5..9).is_some_and(|t| t.iter().all(u8::is_ascii_digit));
    let holder = token.get(3).is_some_and(|b| b"ABCFGHLJPTKE".contains(b));
    letters && digits && holder && token.get(9).is_some_and(u8::is_ascii_uppercase)
}

/// Italian tax code: its form and its check letter.
fn is_codice_fiscale(token: &[u8]) -> bool {
    const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    // Quick exit: most tokens of this length are hashes or parts of something else.
    if !token.iter().take(6).all(u8::is_ascii_alphabetic) {
        return false;
    }
    let token = token.to_ascii_uppercase();
    let letter = |i: usize| token.get(i).is_some_and(u8::is_ascii_uppercase);
    let digit = |i: usize| token.get(i).is_some_and(|b| b.is_ascii_digit() || b"LMNPQRSTUV".contains(b));
    let form = token.len() == 16
        && (0..6).all(letter)
        && digit(6)
        && digit(7)
        && token.get(8).is_some_and(|b| b"ABCDEHLMPRST".contains(b))
        && digit(9)
        && digit(10)
        && letter(11)
        && (12..15).all(digit)
        && letter(15);
    if !form {
        return false;
    }
    let sum: u32 = token
        .iter()
        .take(15)
        .enumerate()
        .map(|(i, &b)| {
            let value = if b.is_ascii_digit() { b - b'0' } else { b - b'A' };
            if i % 2 == 0 { ODD.get(usize::from(value)).copied().unwrap_or(0) } else { u32::from(value) }
        })
        .sum();
    token.last().is_some_and(|&b| u32::from(b - b'A') == sum % 26)
}

/// Indian GSTIN: state, PAN of the holder, and a `Z` before the check digit.
fn is_gstin(token: &[u8]) -> bool {
    let [a, b, pan @ .., entity, b'Z', check] = token else { return false };
    a.is_ascii_digit()
        && b.is_ascii_digit()
        && pan.len() == 10
        && pan.get(..5).is_some_and(|t| t.iter().all(u8::is_ascii_uppercase))
        && pan.get(5..9).is_some_and(|t| t.iter().all(u8::is_ascii_digit))
        && pan.last().is_some_and(u8::is_ascii_uppercase)
        && entity.is_ascii_alphanumeric()
        && check.is_ascii_alphanumeric()
}

/// British driving licence: five letters of the name, date of birth rearranged, initials, check.
fn is_uk_licence(token: &[u8]) -> bool {
    let name = token.get(..5).is_some_and(|t| {
        let letters = t.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        letters >= 1 && t.iter().skip(letters).all(|&b| b == b'9')
    });
    let digits = token.get(5..11).is_some_and(|t| t.iter().all(u8::is_ascii_digit));
    let two = |i: usize| token.get(i..i + 2).map_or(99, |t| t.iter().fold(0u32, |all, b| all * 10 + u32::from(b.wrapping_sub(b'0'))));
    let month = matches!(two(6), 1..=12 | 51..=62);
    let day = (1..=31).contains(&two(8));
    let initials = token.get(11..13).is_some_and(|t| t.iter().all(|b| b.is_ascii_alphabetic() || *b == b'9'));
    token.len() == 16
        && name
        && digits
        && month
        && day
        && initials
        && token.get(13..).is_some_and(|t| t.iter().all(u8::is_ascii_alphanumeric))
        && token.get(14..).is_some_and(|t| t.iter().all(u8::is_ascii_alphabetic))
}

/// US Medicare: letters and digits at fixed positions, without letters that look like digits.
fn is_medicare_beneficiary(token: &[u8]) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() && !b"SLOIBZ".contains(&b);
    token.len() == 11
        && token.iter().enumerate().all(|(i, &b)| match i {
            0 => (b'1'..=b'9').contains(&b),
            3 | 6 | 9 | 10 => b.is_ascii_digit(),
            1 | 4 | 7 | 8 => letter(b),
            _ => b.is_ascii_digit() || letter(b),
        })
}

/// Reads digits followed by a letter: `12345678Z`, and documents after their names.
pub(super) fn digits_then_letter(pass: &mut Pass<'_>, at: usize, end: usize, stop: usize) {
    let text = pass.text;
    // All of these but Spanish numbers are written in capitals.
    let capitals = !text.cut(end, stop).iter().any(u8::is_ascii_lowercase);
    let spanish = end - at == 8 && stop == end + 1;
    if !capitals && !spanish {
        return;
    }
    if is_ident(text.at(stop)) || is_ident(text.before(at)) || matches!(text.before(at), b'/' | b'.' | b'#') {
        return;
    }
    let token = text.cut(at, stop);
    // `1EG4-TE5-MK73`
    let grouped = text.cut(at, at + 13);
    if grouped.get(4) == Some(&b'-') && grouped.get(8) == Some(&b'-') && !is_word(text.at(at + 13)) {
        let compact: Vec<u8> = grouped.iter().copied().filter(|&b| b != b'-').collect();
        if is_medicare_beneficiary(&compact) {
            pass.hit(at, at + 13, NATIONAL_ID, "us-mbi", FORMED);
            return;
        }
    }
    let formed = match token.len() {
        11 if is_medicare_beneficiary(token) && said(text, at, &["medicare", "mbi", "patient", "beneficiary"]) => "us-mbi",
        15 if is_gstin(token) => "in-gstin",
        _ => "",
    };
    if !formed.is_empty() {
        pass.hit(at, stop, NATIONAL_ID, formed, FORMED);
        return;
    }
    if spanish {
        let number = text.cut(at, end).iter().fold(0u32, |all, d| all * 10 + u32::from(d - b'0'));
        if text.at(end).to_ascii_uppercase() == spanish_letter(number)
            && (text.at(end).is_ascii_uppercase() || said(text, at, &["dni", "nif"]))
        {
            pass.hit(at, stop, NATIONAL_ID, "es-dni", FORMED);
            return;
        }
    }
    if let Some((kind, name)) = document(text, at, token) {
        pass.hit(at, stop, kind, name, NAMED);
    }
}

/// Numbers recognised by grouping and checksum.
pub(super) fn grouped(pass: &mut Pass<'_>, number: &Number<'_>) -> Option<usize> {
    let total = number.digits_in(number.groups());
    if total < 8 || !number.begins() {
        return None;
    }
    for form in FORMS {
        let groups = form.lengths.len();
        if !number.grouped(form.lengths) || !number.ends(groups) || !joined(number, groups) || !(form.check)(number.digits(groups)) {
            continue;
        }
        // A form that needs no word must be alone and grouped as such numbers are.
        if form.words.is_empty() && groups > 1 {
            let dotted =
                number.between(0) == b"." && !form.name.starts_with("br-") && form.name != "ch-ahv" && form.name != "be-rijksregister";
            let listed = number.groups() > groups && number.between(groups - 1) == b" ";
            if dotted || listed || number.tabled(groups) {
                continue;
            }
        }
        let (start, end) = (number.start, number.end(groups));
        if !form.words.is_empty() && !said(number.text, start, form.words) && !follows(number.text, end, form.words) {
            continue;
        }
        let kind = if form.name == "us-routing" { BANK_ACCOUNT } else { NATIONAL_ID };
        pass.hit(start, end, kind, form.name, FORMED);
        return Some(end);
    }
    None
}

/// `208-702-026 33`, `7179 1211 1565`
fn in_groups(pass: &mut Pass<'_>, number: &Number<'_>) -> Option<usize> {
    // The first number of a list was checked for a name; the others share it.
    if number.start < pass.counted {
        return None;
    }
    pass.counted = number.end(number.groups());
    let groups = (2..=number.groups().min(6)).rev().find(|&g| number.ends(g) && number.digits_in(g) <= 20 && joined(number, g))?;
    if number.digits_in(1) < 2 || number.digits_in(groups) < 8 || number.grouped(&[4, 4]) && groups == 2 {
        return None;
    }
    let (kind, name) = named_document(number.text, number.start).filter(|&(kind, _)| kind != DRIVER_LICENSE)?;
    pass.hit(number.start, number.end(groups), kind, name, NAMED);
    Some(number.end(groups))
}

/// `76657929-X`, `47.760.181-Z`: the check letter follows a dash.
fn spanish(pass: &mut Pass<'_>, number: &Number<'_>) -> Option<usize> {
    let text = number.text;
    let dotted = number.grouped(&[2, 3, 3]) && number.separated(3, b'.');
    let groups = if dotted { 3 } else { 1 };
    let end = number.end(groups);
    let letter = end + usize::from(matches!(text.at(end), b'-' | b' '));
    if !dotted && (!number.grouped(&[8]) || letter == end) || is_ident(text.at(letter + 1)) {
        return None;
    }
    let value = number.digits(groups).iter().fold(0u32, |all, &d| all * 10 + u32::from(d));
    let checked = text.at(letter) == spanish_letter(value);
    let told = || said(text, number.start, &["dni", "nif", "nie"]);
    (text.at(letter).is_ascii_uppercase() && (checked && dotted || told())).then(|| {
        pass.hit(number.start, letter + 1, NATIONAL_ID, "es-dni", FORMED);
        letter + 1
    })
}

/// Whether the groups are joined to one number: by single signs.
fn joined(number: &Number<'_>, groups: usize) -> bool {
    (0..groups - 1).all(|g| matches!(number.between(g), b" " | b"-" | b"." | b"/"))
}

#[rustfmt::skip]
static ACCOUNTS: Lexicon = lexicon!([
    "account number", "your account", "my account", "account no", "acct", "account #", "accountnumber", "account_number", "bank account", "kontonummer", "konto",
    "numéro de compte", "número de cuenta", "numero di conto", "conta", "checking account", "savings account", "sort code", "rekeningnummer",
    "numer konta",
]);

/// Numbers named by the words before them: documents, bank accounts.
pub(super) fn spoken(pass: &mut Pass<'_>, number: &Number<'_>) -> Option<usize> {
    let text = number.text;
    if !number.begins() {
        return None;
    }
    if let Some(end) = spanish(pass, number) {
        return Some(end);
    }
    let digits = number.digits_in(1);
    if !(6..=18).contains(&digits) {
        return in_groups(pass, number);
    }
    let groups = if number.ends(1) { 1 } else { (1..=number.groups()).find(|&g| number.ends(g))? };
    let end = number.end(groups);
    if let Some((kind, name)) = named_document(text, number.start) {
        pass.hit(number.start, end, kind, name, NAMED);
        return Some(end);
    }
    if said_within(text, number.start, 32, &ACCOUNTS) && !said_within(text, number.start, 12, &["id"]) {
        pass.hit(number.start, end, BANK_ACCOUNT, "bank-account", NAMED);
        return Some(end);
    }
    None
}
