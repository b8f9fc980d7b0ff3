//! Passports, licences and identity cards: numbers without a checksum, known by the word beside them.

use super::context::{follows, said_within};
use super::kind::{DRIVER_LICENSE, NATIONAL_ID, PASSPORT};
use super::lexicon::{Lexicon, lexicon};
use super::text::{Text, is_ident};

/// A token with digits behind the word for it.
pub(super) fn document(text: Text<'_>, start: usize, token: &[u8]) -> Option<(&'static str, &'static str)> {
    let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
    let upper = token.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !(6..=20).contains(&token.len()) || digits < 3 || !upper && !small_document(token) || token.starts_with(b"0x") {
        return None;
    }
    // `AAA123456 is my passport`
    let behind = || follows(text, start + token.len(), &PASSPORTS).then_some((PASSPORT, "passport"));
    named_document(text, start).or_else(behind)
}

/// `aaa123456`: letters and then nothing but digits.
fn small_document(token: &[u8]) -> bool {
    let letters = token.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    (1..=3).contains(&letters) && token.len() - letters >= 6 && token.iter().skip(letters).all(u8::is_ascii_digit)
}

#[rustfmt::skip]
static PASSPORTS: Lexicon = lexicon!([
    "passport", "passports", "passportno", "passportnumber", "reisepass", "reisepassnummer", "passnummer", "pasaporte", "passeport",
    "passaporto", "passaporte", "paspoort", "paspoortnummer", "paszport", "paszportu", "паспорт", "паспорта", "护照", "护照号", "パスポート", "여권",
    "pass-nr", "passnr",
]);

#[rustfmt::skip]
static LICENCES: Lexicon = lexicon!([
    "license", "licence", "driver", "drivers", "driving", "dl", "driverslicense", "licensenumber", "dln", "führerschein",
    "führerscheinnummer", "fahrerlaubnis", "permis", "licencia", "carnet de conducir", "patente", "carta de condução", "cnh", "rijbewijs",
    "prawo jazdy", "prawa jazdy",
]);

#[rustfmt::skip]
static CARDS: Lexicon = lexicon!([
    "personalausweis", "ausweis", "ausweisnummer", "personalausweisnummer", "id card", "identity card", "identity number", "national id",
    "nationalid", "dni", "nie", "nif", "nino", "ni number", "national insurance", "insurance number", "carta d'identità",
    "carta di identità", "cédula", "cedula", "dowód osobisty", "dowodu", "bsn", "codice fiscale", "tax id", "steuernummer", "ssn",
    "sozialversicherungsnummer", "rentenversicherungsnummer", "rvnr", "svnr", "curp", "rfc:", "health card", "medicare",
    "carte d'identité", "krankenversichertennummer", "personnummer", "cpr", "hetu", "rodné číslo", "pps", "ppsn", "nric", "fin", "hkid",
    "mykad", "身份证", "身份证号", "cni", "kvnr", "krankenkasse", "versichertennummer", "egk-nummer", "egk", "gesundheitskarte", "steuer-id",
    "steuerid", "steueridentifikationsnummer", "identifikationsnummer", "idnr", "steuer-identifikationsnummer", "tax file number",
    "social insurance number", "social insurance", "nhs number", "nhs no", "aadhaar", "aadhar", "pesel", "cpf", "sécurité sociale",
    "numéro de sécu", "personal identity", "personal number", "kimlik", "tckn", "thai id", "tnin", "citizen id", "citizenship number",
    "resident number", "emirates id", "voter", "voter id", "epic", "vote", "gstin", "gst", "mbi", "medicare id", "vat", "vat id", "vat no",
    "ust-id", "ust-idnr", "ustid", "tva", "btw", "p.iva", "partita iva", "moms", "nss", "numéro fiscal", "id nummer", "id-nummer",
    "identiteitskaart", "identity document", "identification number", "id number", "id no", "national identity", "número de identidad",
    "documento de identidad", "rodné", "oib", "egn", "jmbg", "amka", "afm", "cnp", "ssn",
]);

/// Names that are other words when they are not written in capitals.
const CAPITALS: &[&[u8]] = &[b"SIN", b"TFN", b"PAN", b"NIE", b"FIN", b"PPS", b"CPR", b"TIN", b"NIR", b"RRN", b"RUT", b"NIN"];

/// All that documents are called.
static NAMES: Lexicon = lexicon!(PASSPORTS, LICENCES, CARDS);

/// What document the words before a place name.
pub(super) fn named_document(text: Text<'_>, start: usize) -> Option<(&'static str, &'static str)> {
    if said_within(text, start, 40, &NAMES) {
        if said_within(text, start, 40, &PASSPORTS) {
            return Some((PASSPORT, "passport"));
        }
        if said_within(text, start, 40, &LICENCES) && said_within(text, start, 48, LICENSED) && !said_within(text, start, 30, PRODUCTS) {
            return Some((DRIVER_LICENSE, "driving-licence"));
        }
        if said_within(text, start, 36, &CARDS) {
            return Some((NATIONAL_ID, "identity-card"));
        }
    }
    in_capitals(text, start).then_some((NATIONAL_ID, "identity-card"))
}

/// Words that make a licence one to drive.
const LICENSED: &[&str] = &[
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
];

/// Words that make it one of something else.
const PRODUCTS: &[&str] = &["plate", "key", "software", "mit", "apache", "gpl", "usb", "nvidia", "gpu", "printer", "version", "install"];

/// Whether a name in capitals stands shortly before a place.
fn in_capitals(text: Text<'_>, start: usize) -> bool {
    let from = text.line_start(start, 24);
    text.cut(from, start).windows(3).enumerate().any(|(i, word)| {
        word.first().is_some_and(u8::is_ascii_uppercase)
            && !is_ident(text.before(from + i))
            && !is_ident(text.at(from + i + 3))
            && CAPITALS.contains(&word)
    })
}
