//! National identity, tax and health numbers, recognised by checksum and form.

use crate::privacy::kind::{BANK_ACCOUNT, DRIVER_LICENSE, IBAN, NATIONAL_ID};
use crate::privacy::personal::digits::DigitGroups;
use crate::privacy::personal::iban::iban_end;
use crate::privacy::personal::id_documents::{document_named_before, document_token};
use crate::privacy::personal::national_id_formats::ID_FORMATS;
use crate::privacy::personal::national_id_letters::{
    is_codice_fiscale, is_gstin, is_medicare_beneficiary, is_nie, is_nino, is_pan, is_uk_licence,
    spanish_letter,
};
use crate::privacy::scan::bytes::{is_ident, is_word};
use crate::privacy::scan::context::{followed_by, preceded_by, preceded_within};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CHECKSUM, FIELD_NAME, Scan};

/// Reads a token of letters and digits whose first digit is at a position. Returns where to
/// continue.
pub(in crate::privacy) fn alphanumeric(scan: &mut Scan<'_>, at: usize) -> usize {
    let text = scan.text;
    let start = text.scan_back(at, 7, |b| b.is_ascii_alphabetic());
    if scan.is_covered(at) {
        return at + 1;
    }
    if is_ident(text.byte_before(start)) {
        // A wallet address may have many letters before its first digit.
        if at - start < 7 || !text.at(at + 1).is_ascii_alphanumeric() {
            return at + 1;
        }
        let (start, end) = (
            text.scan_back(at, 35, is_word),
            text.scan_while(at, 35, is_word),
        );
        if (26..=35).contains(&(end - start)) && !is_ident(text.byte_before(start)) {
            crate::privacy::personal::wallets::base58_address(scan, start, end);
        }
        return at + 1;
    }
    if at - start == 2
        && text.byte_before(start) != b'-'
        && let Some(end) = iban_end(text, start)
    {
        scan.report(start, end, IBAN, "iban", CHECKSUM);
        return end;
    }
    // No number in this file is longer.
    let end = text.scan_while(start, 40, is_word);
    // Pairs and fours may belong to a MAC address; a UUID is not private.
    if matches!(end - start, 2 | 4)
        && crate::privacy::personal::ip_mac::mac_address(scan, at).is_some()
    {
        return at + 1;
    }
    if end - start == 8
        && let Some(stop) = crate::privacy::personal::digits::uuid_end(text, start)
    {
        return stop;
    }
    let token = text.slice(start, end);
    // `Y8063915-Z`
    if token.len() == 8
        && text.at(end) == b'-'
        && !is_word(text.at(end + 2))
        && is_nie(&[token, text.slice(end + 1, end + 2)].concat())
    {
        scan.report(start, end + 2, NATIONAL_ID, "es-nie", CHECKSUM);
        return at + 1;
    }
    if is_ident(text.at(end)) || matches!(text.byte_before(start), b'/' | b'#') {
        return at + 1;
    }
    if nino_at(scan, start) {
        return at + 1;
    }
    if token.len() >= 9
        && token
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        || token.len() == 16
    {
        let name = match token.len() {
            9 if is_nie(token) => "es-nie",
            9 if is_nino(token)
                && (!matches!(text.byte_before(start), b'-' | b'.')
                    || preceded_by(text, start, &["nino", "national insurance"])) =>
            {
                "uk-nino"
            }
            10 if is_pan(token) => "in-pan",
            11 if is_medicare_beneficiary(token)
                && preceded_by(text, start, &["medicare", "mbi", "patient", "beneficiary"]) =>
            {
                "us-mbi"
            }
            15 if is_gstin(token) => "in-gstin",
            16 if is_uk_licence(token) => "uk-driving-licence",
            16 if is_codice_fiscale(token) => "it-codice-fiscale",
            _ => "",
        };
        if !name.is_empty() {
            scan.report(
                start,
                end,
                if name == "uk-driving-licence" {
                    DRIVER_LICENSE
                } else {
                    NATIONAL_ID
                },
                name,
                CHECKSUM,
            );
            return at + 1;
        }
    }
    if (26..=35).contains(&token.len())
        && crate::privacy::personal::wallets::base58_address(scan, start, end)
    {
        return at + 1;
    }
    if let Some((kind, name)) = document_token(text, start, token) {
        scan.report(start, end, kind, name, FIELD_NAME);
    } else if text.at(end) == b'-' && at - start <= 2 {
        // Some driving licences are written in groups: `F255-921-50-094-0`.
        let whole = text.scan_while(start, 24, |b| {
            b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'
        });
        let digits = text
            .slice(start, whole)
            .iter()
            .filter(|b| b.is_ascii_digit())
            .count();
        if let Some((kind, name)) = document_named_before(text, start)
            .filter(|_| digits >= 6 && is_word(text.byte_before(whole)) && !is_word(text.at(whole)))
        {
            scan.report(start, whole, kind, name, FIELD_NAME);
        }
    }
    at + 1
}

/// A national insurance number in groups: `AB 12 34 56 C`.
pub(in crate::privacy) fn nino_at(scan: &mut Scan<'_>, start: usize) -> bool {
    let text = scan.text;
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
        scan.report(start, i, NATIONAL_ID, "uk-nino", CHECKSUM);
        return true;
    }
    false
}

/// Reads digits followed by a letter: `12345678Z`, and documents after their names.
pub(in crate::privacy) fn digits_then_letter(
    scan: &mut Scan<'_>,
    at: usize,
    end: usize,
    stop: usize,
) {
    let text = scan.text;
    // All of these but Spanish numbers are written in capitals.
    let capitals = !text.slice(end, stop).iter().any(u8::is_ascii_lowercase);
    let spanish = end - at == 8 && stop == end + 1;
    if !capitals && !spanish {
        return;
    }
    if is_ident(text.at(stop))
        || is_ident(text.byte_before(at))
        || matches!(text.byte_before(at), b'/' | b'.' | b'#')
    {
        return;
    }
    let token = text.slice(at, stop);
    // `1EG4-TE5-MK73`
    let grouped = text.slice(at, at + 13);
    if grouped.get(4) == Some(&b'-') && grouped.get(8) == Some(&b'-') && !is_word(text.at(at + 13))
    {
        let compact: Vec<u8> = grouped.iter().copied().filter(|&b| b != b'-').collect();
        if is_medicare_beneficiary(&compact) {
            scan.report(at, at + 13, NATIONAL_ID, "us-mbi", CHECKSUM);
            return;
        }
    }
    let formed = match token.len() {
        11 if is_medicare_beneficiary(token)
            && preceded_by(text, at, &["medicare", "mbi", "patient", "beneficiary"]) =>
        {
            "us-mbi"
        }
        15 if is_gstin(token) => "in-gstin",
        _ => "",
    };
    if !formed.is_empty() {
        scan.report(at, stop, NATIONAL_ID, formed, CHECKSUM);
        return;
    }
    if spanish {
        let number = text
            .slice(at, end)
            .iter()
            .fold(0u32, |all, d| all * 10 + u32::from(d - b'0'));
        if text.at(end).to_ascii_uppercase() == spanish_letter(number)
            && (text.at(end).is_ascii_uppercase() || preceded_by(text, at, &["dni", "nif"]))
        {
            scan.report(at, stop, NATIONAL_ID, "es-dni", CHECKSUM);
            return;
        }
    }
    if let Some((kind, name)) = document_token(text, at, token) {
        scan.report(at, stop, kind, name, FIELD_NAME);
    }
}

/// Numbers recognised by grouping and checksum.
pub(in crate::privacy) fn grouped_digits(
    scan: &mut Scan<'_>,
    number: &DigitGroups<'_>,
) -> Option<usize> {
    let total = number.digits_in(number.groups());
    if total < 8 || !number.can_begin() {
        return None;
    }
    for form in ID_FORMATS {
        let groups = form.lengths.len();
        if !number.has_group_lengths(form.lengths)
            || !number.can_end(groups)
            || !is_joined(number, groups)
            || !(form.check)(number.digits(groups))
        {
            continue;
        }
        // A form that needs no word must be alone and grouped as such numbers are.
        if form.words.is_empty() && groups > 1 {
            let dotted = number.separator(0) == b"."
                && !form.name.starts_with("br-")
                && form.name != "ch-ahv"
                && form.name != "be-rijksregister";
            let listed = number.groups() > groups && number.separator(groups - 1) == b" ";
            if dotted || listed || number.in_code_table(groups) {
                continue;
            }
        }
        let (start, end) = (number.start, number.end(groups));
        if !form.words.is_empty()
            && !preceded_by(number.text, start, form.words)
            && !followed_by(number.text, end, form.words)
        {
            continue;
        }
        let kind = if form.name == "us-routing" {
            BANK_ACCOUNT
        } else {
            NATIONAL_ID
        };
        scan.report(start, end, kind, form.name, CHECKSUM);
        return Some(end);
    }
    None
}

/// `208-702-026 33`, `7179 1211 1565`
fn grouped_id(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    // The first number of a list was checked for a name; the others share it.
    if number.start < scan.cursors.id_lists {
        return None;
    }
    scan.cursors.id_lists = number.end(number.groups());
    let groups = (2..=number.groups().min(6))
        .rev()
        .find(|&g| number.can_end(g) && number.digits_in(g) <= 20 && is_joined(number, g))?;
    if number.digits_in(1) < 2
        || number.digits_in(groups) < 8
        || number.has_group_lengths(&[4, 4]) && groups == 2
    {
        return None;
    }
    let (kind, name) = document_named_before(number.text, number.start)
        .filter(|&(kind, _)| kind != DRIVER_LICENSE)?;
    scan.report(number.start, number.end(groups), kind, name, FIELD_NAME);
    Some(number.end(groups))
}

/// `76657929-X`, `47.760.181-Z`: the check letter follows a dash.
fn spanish_id(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    let text = number.text;
    let dotted = number.has_group_lengths(&[2, 3, 3]) && number.is_separated_by(3, b'.');
    let groups = if dotted { 3 } else { 1 };
    let end = number.end(groups);
    let letter = end + usize::from(matches!(text.at(end), b'-' | b' '));
    if !dotted && (!number.has_group_lengths(&[8]) || letter == end)
        || is_ident(text.at(letter + 1))
    {
        return None;
    }
    let value = number
        .digits(groups)
        .iter()
        .fold(0u32, |all, &d| all * 10 + u32::from(d));
    let checked = text.at(letter) == spanish_letter(value);
    let introduced = || preceded_by(text, number.start, &["dni", "nif", "nie"]);
    (text.at(letter).is_ascii_uppercase() && (checked && dotted || introduced())).then(|| {
        scan.report(number.start, letter + 1, NATIONAL_ID, "es-dni", CHECKSUM);
        letter + 1
    })
}

/// Whether the groups are joined to one number: by single signs.
fn is_joined(number: &DigitGroups<'_>, groups: usize) -> bool {
    (0..groups - 1).all(|g| matches!(number.separator(g), b" " | b"-" | b"." | b"/"))
}

#[rustfmt::skip]
static ACCOUNT_WORDS: WordSet = word_set!([
    "account number", "your account", "my account", "account no", "acct", "account #", "accountnumber", "account_number", "bank account", "kontonummer", "konto",
    "numéro de compte", "número de cuenta", "numero di conto", "conta", "checking account", "savings account", "sort code", "rekeningnummer",
    "numer konta",
]);

/// Numbers named by the words before them: documents, bank accounts.
pub(in crate::privacy) fn by_context(
    scan: &mut Scan<'_>,
    number: &DigitGroups<'_>,
) -> Option<usize> {
    let text = number.text;
    if !number.can_begin() {
        return None;
    }
    if let Some(end) = spanish_id(scan, number) {
        return Some(end);
    }
    let digits = number.digits_in(1);
    if !(6..=18).contains(&digits) {
        return grouped_id(scan, number);
    }
    let groups = if number.can_end(1) {
        1
    } else {
        (1..=number.groups()).find(|&g| number.can_end(g))?
    };
    let end = number.end(groups);
    if let Some((kind, name)) = document_named_before(text, number.start) {
        scan.report(number.start, end, kind, name, FIELD_NAME);
        return Some(end);
    }
    if preceded_within(text, number.start, 32, &ACCOUNT_WORDS)
        && !preceded_within(text, number.start, 12, &["id"])
    {
        scan.report(number.start, end, BANK_ACCOUNT, "bank-account", FIELD_NAME);
        return Some(end);
    }
    None
}
