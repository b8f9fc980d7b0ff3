//! Secrets after names in non-Latin scripts: skips words and punctuation of the script and takes
//! the next ASCII run that is not an ordinary word.

use super::assign::{Name, kind_of};
use super::detect::{Pass, SAID};
use super::names::Word;
use super::sentence::looks_like_name;
use super::value;

/// Reads the value after a name in a non-Latin script: particles and punctuation, then a striking
/// ASCII run.
pub(super) fn read(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    let limit = text.line_end(name.to, 90);
    let mut i = name.to;
    let mut words = 0;
    let asked = |i: usize| matches!(text.cut(i, i + 3), [0xEF, 0xBC, 0x9F | 0x81] | [0xE3, 0x80, 0x82] | [0xD8, 0x9F, _]);
    while i < limit
        && words < 6
        && !asked(i)
        && (text.at(i) >= 0x80 || matches!(text.at(i), b' ' | b':' | b'=' | b'"' | b'\'' | b'`' | b'-' | b'(' | b'*' | b'\t' | b'<'))
    {
        words += usize::from(text.at(i) == b' ');
        i += 1;
    }
    if asked(i) {
        return;
    }
    let end = text.run(i, 100, |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'`' | b'\''));
    let mut stop = end;
    while stop > i && matches!(text.before(stop), b'.' | b',' | b';' | b')' | b'*' | b':') {
        stop -= 1;
    }
    let bytes = text.cut(i, stop);
    let made = value::made(bytes);
    let good = made.length >= 4
        && (value::is_striking(bytes)
            || made.digits == made.length && matches!(name.word, Word::Password | Word::Pin) && text.at(stop) != b'-')
        && !value::is_placeholder(bytes)
        && !value::is_term(bytes)
        && !value::is_code(bytes)
        && !(looks_like_name(bytes) && words > 1);
    let heavy = !matches!(name.word, Word::Secret) || made.length >= 10;
    if good && heavy && i < limit {
        pass.hit(i, stop, kind_of(name), "spoken", SAID);
        pass.named = stop;
    }
}
