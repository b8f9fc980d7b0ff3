//! LDIF: the passwords of a directory, as they are or in base64: `userPassword: hunter2`, `userPassword:: aHVudGVyMg==`.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::is_word;
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;

/// Attributes that hold a password.
pub(in crate::privacy) const KEYWORDS: &[&str] = &[
    "userpassword:",
    "unicodepwd:",
    "olcrootpw:",
    "sambantpassword:",
    "sambalmpassword:",
    "authpassword:",
    "rootpw ",
];

/// Reads the value to the end of its line, and the lines it goes on in: they begin with a blank.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    // An attribute begins its line; a field of code is indented.
    if !matches!(text.byte_before(at), 0 | b'\n') {
        return;
    }
    let encoded = text.at(to) == b':';
    let mut start = text.skip_blanks(to + usize::from(encoded));
    for flag in [&b"--iscrypted "[..], b"--plaintext "] {
        start += if text.starts_with_at(start, flag) {
            flag.len()
        } else {
            0
        };
    }
    let base64 = |b: u8| is_word(b) || matches!(b, b'+' | b'/' | b'=');
    let mut end = text
        .scan_back(text.line_end(start, 400), 8, |b| b == b' ' || b == b'\t')
        .max(start);
    if encoded {
        end = text.scan_while(start, 400, base64);
        while text.at(end) == b'\n' && text.at(end + 1) == b' ' && base64(text.at(end + 2)) {
            end = text.scan_while(end + 2, 400, base64);
        }
    }
    let bytes = text.slice(start, end);
    if bytes.len() < 3
        || char_stats::is_dummy_value(bytes.trim_ascii_end())
        || bytes.ends_with(b";")
        || bytes.ends_with(b",")
    {
        return;
    }
    scan.report(start, end, PASSWORD, "directory-password", FIELD_NAME);
    scan.cursors.field_names = scan.cursors.field_names.max(end);
}
