//! Secrets inside base64 and hex, recognised by how known prefixes look when encoded.

use crate::privacy::kind::API_KEY;
use crate::privacy::scan::bytes::{TextBytes, is_word};
use crate::privacy::scan::{CHECKSUM, Scan};
use base64::Engine;

/// Encoded forms of known prefixes, one for each of the three alignments base64 can give them.
pub(in crate::privacy) const BASE64_KEYWORDS: &[&str] = &[
    // sk-or-, sk-ant, sk-proj, sk_live
    "c2stb3It",
    "NrLW9yL",
    "zay1vci",
    "c2stYW50",
    "NrLWFudC",
    "zay1hbnQ",
    "c2stcHJv",
    "NrLXByb2",
    "zay1wcm9q",
    "c2tfbGl2",
    "NrX2xpdm",
    "za19saXZl",
    // ghp_, gho_, ghs_, github_pat_, glpat-
    "Z2hwX",
    "docF",
    "naHBf",
    "Z2hvX",
    "dob1",
    "Z2hzX",
    "dHNf",
    "Z2l0aHViX3Bh",
    "dpdGh1Yl9wYX",
    "naXRodWJfcGF0",
    "Z2xwYXQt",
    "dscGF0L",
    "nbHBhdC",
    // AKIA, AIza, xoxb-, xoxp-, npm_, hf_, SG.
    "QUtJQ",
    "FLSU",
    "BS0lB",
    "QUl6Y",
    "FJem",
    "BSXph",
    "eG94Yi",
    "eG94cC",
    "hveGIt",
    "4b3hiL",
    "bnBtX",
    "5wbV",
    "ucG1f",
    "aGZf",
    "U0cu",
    // Further prefixes, and JSON objects.
    "eyJ",
    "eyAi",
    "ewog",
    // "pass=" and addresses, which may hold a password.
    "cGFzcz",
    "Bhc3M9",
    "wYXNzP",
    "aHR0cHM6Ly",
    "aHR0cDovL",
    "c2st",
    "QVNJQ",
    "FTSU",
    "BU0lB",
    "Z3NrX",
    "dza1",
    "nc2tf",
    "eGFpL",
    "hhaS",
    "4YWkt",
    "c2tfdGVzd",
    "NrX3Rlc3",
    "za190ZXN0",
    "cmtfbGl2Z",
    "JrX2xpdm",
    "ya19saXZl",
    "ZG9wX3Yx",
    "RvcF92M",
    "kb3Bfdj",
    "cHlwaS",
    "B5cGkt",
    "weXBpL",
    "c2hwYXRf",
    "NocGF0X",
    "zaHBhdF",
    "aHZzL",
    "h2cy",
    "odnMu",
    "QVRBVF",
    "FUQVRU",
    "BVEFUV",
    "Z2xzYV",
    "dsc2Ff",
    "nbHNhX",
    "bnZhcGkt",
    "52YXBpL",
    "udmFwaS",
    "cHBseC",
    "BwbHgt",
    "wcGx4L",
    "bHN2Ml",
    "xzdjJf",
    "sc3YyX",
    "QUl6YVN5",
    "FJemFTe",
    "BSXphU3",
    "Z2l0aHViX",
    "dpdGh1Yl",
    "naXRodWJf",
    "NrLWFud",
    "zay1hbn",
    "c2stcHJva",
    // Secret names, and URLs with credentials: "password", "secret", PASSWORD, mysql://, postgres,
    // redis://, mongodb, amqp://
    "cGFzc3dvcmQ",
    "Bhc3N3b3Jk",
    "wYXNzd29yZ",
    "c2VjcmV0",
    "NlY3JldC",
    "zZWNyZX",
    "UEFTU1dPUk",
    "BBU1NXT1JE",
    "QQVNTV09SR",
    "bXlzcWw6Ly",
    "cG9zdGdyZXM",
    "cmVkaXM6Ly",
    "bW9uZ29kYi",
    "YW1xcDovL",
    // -----BEGIN
    "LS0tLS1CRUdJTi",
    "0tLS0tQkVHSU4g",
    "tLS0tLUJFR0lOI",
];

/// Decodes the base64 run around an encoded prefix.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, _to: usize) {
    if scan.is_covered(at) || at < scan.cursors.encoded {
        return;
    }
    let (start, end) = base64_run(scan.text, at);
    scan.cursors.encoded = end;
    let run = scan.text.slice(start, end);
    if run.len() < 24 {
        return;
    }
    let bare: Vec<u8> = run
        .iter()
        .filter(|&&b| b != b'=')
        .map(|&b| {
            if b == b'-' {
                b'+'
            } else if b == b'_' {
                b'/'
            } else {
                b
            }
        })
        .collect();
    let whole = bare
        .get(..bare.len() - usize::from(bare.len() % 4 == 1))
        .unwrap_or_default();
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let Ok(decoded) = lenient.decode(whole) else {
        return;
    };
    if scan.holds_secret(&decoded) {
        scan.report(start, end, API_KEY, "base64-token", CHECKSUM);
    }
}

/// The run of base64 characters around a position.
fn base64_run(text: TextBytes<'_>, at: usize) -> (usize, usize) {
    let start = text.scan_back(at, 4096, |b| {
        is_word(b) || matches!(b, b'+' | b'/' | b'-' | b'_')
    });
    let end = text.scan_while(at, 16 * 1024, |b| {
        is_word(b) || matches!(b, b'+' | b'/' | b'-' | b'_')
    });
    let end = text.scan_while(end, 2, |b| b == b'=');
    (start, end)
}

/// The beginnings of known tokens in hex digits.
pub(in crate::privacy) const HEX_KEYWORDS: &[&str] = &[
    "736b2d",
    "736b5f",
    "6768705f",
    "6769746875625f",
    "676c7061742d",
    "414b4941",
    "41497a61",
    "786f78622d",
    "68665f",
    "67736b5f",
    "73776f7264",
    "6f6b656e",
];

/// Decodes the run of hex digits around an encoded prefix.
pub(in crate::privacy) fn read_hex(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if at < scan.cursors.encoded || scan.is_covered(at) {
        return;
    }
    // A name may stand before what begins known tokens.
    let start = text.scan_back(at, 64, |b| b.is_ascii_hexdigit());
    if text.byte_before(start).is_ascii_alphanumeric() || !(at - start).is_multiple_of(2) {
        return;
    }
    let at = start;
    let end = text.scan_while(at, 4096, |b| b.is_ascii_hexdigit());
    scan.cursors.encoded = end;
    let value = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
            .unwrap_or(0)
    };
    let decoded: Vec<u8> = text
        .slice(at, end)
        .chunks(2)
        .map(|two| two.iter().fold(0, |all, &b| all << 4 | value(b)))
        .collect();
    if decoded.len() >= 16 && scan.holds_secret(&decoded) {
        scan.report(at, end, API_KEY, "hex-token", CHECKSUM);
    }
}
