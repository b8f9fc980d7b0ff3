//! Secrets after names in non-Latin scripts: skips words and punctuation of the script and takes
//! the next ASCII run that is not an ordinary word.

use crate::privacy::scan::{CONTEXT_WORDS, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::prose_word::looks_like_name;

/// Reads the value after a name in a non-Latin script: particles and punctuation, then a striking
/// ASCII run.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    let limit = text.line_end(name.to, 90);
    let mut i = name.to;
    let mut words = 0;
    let asked = |i: usize| {
        matches!(
            text.slice(i, i + 3),
            [0xEF, 0xBC, 0x9F | 0x81] | [0xE3, 0x80, 0x82] | [0xD8, 0x9F, _]
        )
    };
    while i < limit
        && words < 6
        && !asked(i)
        && (text.at(i) >= 0x80
            || matches!(
                text.at(i),
                b' ' | b':' | b'=' | b'"' | b'\'' | b'`' | b'-' | b'(' | b'*' | b'\t' | b'<'
            ))
    {
        words += usize::from(text.at(i) == b' ');
        i += 1;
    }
    if asked(i) {
        return;
    }
    let end = text.scan_while(i, 100, |b| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b'`' | b'\'')
    });
    let mut stop = end;
    while stop > i
        && matches!(
            text.byte_before(stop),
            b'.' | b',' | b';' | b')' | b'*' | b':'
        )
    {
        stop -= 1;
    }
    let bytes = text.slice(i, stop);
    let made = char_stats::char_stats(bytes);
    let good = made.length >= 4
        && (char_stats::looks_like_password(bytes)
            || made.digits == made.length
                && matches!(name.word, FieldKind::Password | FieldKind::Pin)
                && text.at(stop) != b'-')
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_code(bytes)
        && !(looks_like_name(bytes) && words > 1);
    let heavy = !matches!(name.word, FieldKind::Secret) || made.length >= 10;
    if good && heavy && i < limit {
        scan.report(i, stop, kind_of(name), "spoken", CONTEXT_WORDS);
        scan.cursors.field_names = stop;
    }
}
