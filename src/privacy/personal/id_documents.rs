//! Passports, driving licences and identity cards: numbers without a checksum, recognised by a word
//! nearby.

use crate::privacy::kind::{DRIVER_LICENSE, NATIONAL_ID, PASSPORT};
use crate::privacy::scan::bytes::{TextBytes, is_ident};
use crate::privacy::scan::context::{followed_by, preceded_within};
use crate::privacy::scan::word_set::{WordSet, word_set};

/// Checks a token with digits against the document names near it.
pub(in crate::privacy) fn document_token(
    text: TextBytes<'_>,
    start: usize,
    token: &[u8],
) -> Option<(&'static str, &'static str)> {
    if !(6..=20).contains(&token.len()) {
        return None;
    }
    let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
    let upper = token
        .iter()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if digits < 2 || !upper && !is_lowercase_document(token) || token.starts_with(b"0x") {
        return None;
    }
    // `AAA123456 is my passport`
    let behind = || {
        followed_by(text, start + token.len(), &PASSPORT_WORDS).then_some((PASSPORT, "passport"))
    };
    document_named_before(text, start).or_else(behind)
}

/// `aaa123456`: lower-case letters followed by digits only.
fn is_lowercase_document(token: &[u8]) -> bool {
    let letters = token.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    (1..=3).contains(&letters)
        && token.len() - letters >= 6
        && token.iter().skip(letters).all(u8::is_ascii_digit)
}

#[rustfmt::skip]
static PASSPORT_WORDS: WordSet = word_set!([
    "passport", "passports", "passportno", "passportnumber", "reisepass", "reisepassnummer", "passnummer", "pasaporte", "passeport",
    "passaporto", "passaporte", "paspoort", "paspoortnummer", "paszport", "paszportu", "паспорт", "паспорта", "Паспорт", "passinumero", "pasnummer", "pasaport", "pasaportum",
    "pașaport", "útlevél", "पासपोर्ट", "جواز السفر", "جواز سفر", "الجواز", "דרכון", "여권번호", "hộ chiếu", "paspor", "διαβατήριο", "護照", "旅券番号", "旅券", "nr paszportu", "útlevélszám", "护照", "护照号", "パスポート", "여권",
    "pass-nr", "passnr",
]);

#[rustfmt::skip]
static LICENCE_WORDS: WordSet = word_set!([
    "license", "licence", "driver", "drivers", "driving", "dl", "driverslicense", "licensenumber", "dln", "führerschein",
    "führerscheinnummer", "fahrerlaubnis", "permis", "licencia", "carnet de conducir", "patente", "carta de condução", "cnh", "rijbewijs",
    "prawo jazdy", "prawa jazdy", "rijbewijsnummer", "ehliyet", "sürücü belgesi", "водительское", "права", "驾驶证", "驾照", "駕照", "運転免許", "運転免許証", "免許証番号",
    "운전면허", "ड्राइविंग लाइसेंस", "رخصة القيادة", "körkort", "kørekort", "førerkort", "ajokortti", "permiso de conducir", "patente di guida", "licença de condução",
]);

#[rustfmt::skip]
static ID_CARD_WORDS: WordSet = word_set!([
    "personalausweis", "ausweis", "ausweisnummer", "personalausweisnummer", "id card", "identity card", "identity number", "national id",
    "nationalid", "dni", "nie", "nif", "nino", "ni number", "national insurance", "insurance number", "carta d'identità",
    "carta di identità", "cédula", "cedula", "dowód osobisty", "dowodu", "bsn", "codice fiscale", "tax id", "steuernummer", "ssn",
    "sozialversicherungsnummer", "rentenversicherungsnummer", "rvnr", "svnr", "curp", "rfc:", "health card", "medicare",
    "carte d'identité", "krankenversichertennummer", "personnummer", "cpr", "hetu", "rodné číslo", "pps", "ppsn", "nric", "fin", "hkid",
    "mykad", "身份证", "身份证号", "cni", "kvnr", "krankenkasse", "versichertennummer", "egk-nummer", "egk", "gesundheitskarte", "steuer-id",
    "steuerid", "steueridentifikationsnummer", "identifikationsnummer", "idnr", "steuer-identifikationsnummer", "tax file number",
    "social insurance number", "social insurance", "nhs number", "nhs no", "aadhaar", "aadhar", "pesel", "cpf", "sécurité sociale",
    "numéro de sécu", "personal identity", "personal number", "kimlik", "tckn", "thai id", "tnin", "citizen id", "citizenship number",
    "resident number", "emirates id", "voter", "voter id", "epic", "vote", "gstin", "gst", "mbi", "medicare id", "vat", "vat id", "vat-id", "vatin", "ust-id-nr", "n° tva", "nip", "regon", "vat number", "btw-nummer", "btw-nr", "vat no",
    "ust-id", "ust-idnr", "ustid", "tva", "p.iva", "partita iva", "moms", "nss", "numéro fiscal", "id nummer", "id-nummer",
    "identiteitskaart", "identity document", "identification number", "id number", "id no", "national identity", "número de identidad",
    "documento de identidad", "rodné", "инн", "ИНН", "Инн", "снилс", "СНИЛС", "огрн", "ОГРН",
    "іпн", "ІПН", "рнокпп", "РНОКПП", "マイナンバー", "個人番号", "基礎年金番号", "个人番号", "身分證", "身份證字號", "身份证号码", "居民身份证", "주민등록번호", "주민번호", "رقم الهوية",
    "الهوية", "الرقم الوطني", "الرقم القومي", "आधार", "पैन", "cccd", "cmnd", "căn cước", "nik", "ktp", "kimlik no", "t.c.", "ausweis-nr", "perso-nr", "identifiant national",
    "tarjeta de identidad", "sv-nummer", "rijksregisternummer", "fødselsnummer", "henkilötunnus", "oib", "egn", "jmbg", "amka", "afm", "cnp", "ssn",
]);

/// Names that are ordinary words unless written in capitals.
const CAPITALIZED_ONLY: &[&[u8]] = &[
    b"SIN", b"TFN", b"PAN", b"NIE", b"FIN", b"PPS", b"CPR", b"TIN", b"NIR", b"RRN", b"RUT", b"NIN",
    b"BTW", b"VAT",
];

/// All document names.
static DOCUMENT_WORDS: WordSet = word_set!(PASSPORT_WORDS, LICENCE_WORDS, ID_CARD_WORDS);

/// Which document the words before a position name.
pub(in crate::privacy) fn document_named_before(
    text: TextBytes<'_>,
    start: usize,
) -> Option<(&'static str, &'static str)> {
    let reach = search_start(text, start);
    if preceded_within(text, start, reach, &DOCUMENT_WORDS) {
        if preceded_within(text, start, reach, &PASSPORT_WORDS) {
            return Some((PASSPORT, "passport"));
        }
        if preceded_within(text, start, reach, &LICENCE_WORDS)
            && preceded_within(text, start, 48, DRIVING_WORDS)
            && !preceded_within(text, start, 30, PRODUCT_WORDS)
        {
            return Some((DRIVER_LICENSE, "driving-licence"));
        }
        if preceded_within(text, start, reach.min(36), &ID_CARD_WORDS) {
            return Some((NATIONAL_ID, "identity-card"));
        }
    }
    is_capitalized_before(text, start, reach.min(24)).then_some((NATIONAL_ID, "identity-card"))
}

/// How far before a number its name is searched for: not past another number, which the name would
/// belong to.
fn search_start(text: TextBytes<'_>, start: usize) -> usize {
    let before = text.slice(start.saturating_sub(44), start);
    let other = before
        .windows(4)
        .rposition(|four| four.iter().all(u8::is_ascii_digit));
    let placeholder = before
        .windows(2)
        .rposition(|two| matches!(two, [b'0'..=b'9', b']']))
        .map(|p| p + 2);
    other
        .map(|p| p + 4)
        .max(placeholder)
        .map_or(40, |p| before.len() - p)
        .min(40)
}

/// Words that make a licence a driving licence.
const DRIVING_WORDS: &[&str] = &[
    "driver",
    "drivers",
    "driving",
    "dl",
    "dln",
    "license",
    "licence",
    "führerschein",
    "führerscheinnummer",
    "fahrerlaubnis",
    "permis",
    "licencia",
    "patente",
    "cnh",
    "rijbewijs",
    "prawo jazdy",
    "carnet de conducir",
    "carta de condução",
    "rijbewijsnummer",
    "ehliyet",
    "sürücü belgesi",
    "водительское",
    "驾驶证",
    "驾照",
    "駕照",
    "運転免許",
    "運転免許証",
    "免許証番号",
    "운전면허",
    "ड्राइविंग लाइसेंस",
    "رخصة القيادة",
    "körkort",
    "kørekort",
    "førerkort",
    "ajokortti",
    "permiso de conducir",
];

/// Words that make a licence something else.
const PRODUCT_WORDS: &[&str] = &[
    "plate", "key", "software", "mit", "apache", "gpl", "usb", "nvidia", "gpu", "printer",
    "version", "install",
];

/// Whether a document name in capitals occurs shortly before a position.
fn is_capitalized_before(text: TextBytes<'_>, start: usize, reach: usize) -> bool {
    let from = text.line_start(start, reach);
    text.slice(from, start)
        .windows(3)
        .enumerate()
        .any(|(i, word)| {
            word.first().is_some_and(u8::is_ascii_uppercase)
                && !is_ident(text.byte_before(from + i))
                && !is_ident(text.at(from + i + 3))
                && CAPITALIZED_ONLY.contains(&word)
        })
}
