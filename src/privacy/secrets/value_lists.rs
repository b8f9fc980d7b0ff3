//! Secrets written as a list: of bytes, or of characters.

use crate::privacy::scan::bytes::{TextBytes, count_byte, list_element};

/// Finds a list of at least 16 bytes: `[17, 203, …]`, `{0x11, 0xcb, …}`.
pub(super) fn byte_list(text: TextBytes<'_>, from: usize) -> Option<(usize, usize)> {
    // Skip what may precede the list: `[u8; 32] = [`, `[]byte{`, `new byte[] {`,
    // `Uint8Array.from([`.
    let head = text.slice(from, from + 40);
    let list = head
        .windows(2)
        .position(|w| matches!(w, [b'[' | b'{', b'0'..=b'9' | b' ' | b'\n']))?;
    let plain = |b: &u8| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'[' | b']' | b' ' | b';' | b'=' | b'&' | b'.' | b'(' | b'!' | b'*'
            )
    };
    if !head.get(..list).unwrap_or_default().iter().all(plain) {
        return None;
    }
    let from = from + list;
    let end = text.scan_while(from + 1, 4096, |b| {
        b.is_ascii_hexdigit() || b.is_ascii_whitespace() || matches!(b, b',' | b'x' | b'X')
    });
    let list = text.slice(from + 1, end);
    let byte = |word: &[u8]| match word
        .strip_prefix(b"0x")
        .or_else(|| word.strip_prefix(b"0X"))
    {
        Some(hex) => (1..=2).contains(&hex.len()),
        None => (1..=3).contains(&word.len()) && word.iter().all(u8::is_ascii_digit),
    };
    let mut words = list
        .split(|&b| b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty());
    let many = count_byte(list, b',') >= 15 && words.all(byte);
    (many && matches!(text.at(end), b']' | b'}')).then_some((from + 1, end))
}

/// Finds a list of characters: `{'h', 'u', 'n', 't'}`.
pub(super) fn char_list(text: TextBytes<'_>, from: usize) -> Option<(usize, usize)> {
    let head = text.slice(from, from + 24);
    let plain = |b: &u8| {
        b.is_ascii_digit() || matches!(b, b' ' | b'[' | b']' | b'=' | b'(' | b'"' | b'\'' | b':')
    };
    let open = head
        .iter()
        .position(|b| matches!(b, b'{' | b'[') && !matches!(head.first(), Some(b'.' | b',')))?;
    let open = if head.get(open) == Some(&b'[') {
        head.iter().rposition(|b| matches!(b, b'{' | b'['))?
    } else {
        open
    };
    head.get(..open)?.iter().all(plain).then_some(())?;
    let start = text.scan_while(from + open + 1, 16, |b| b.is_ascii_whitespace());
    let (mut count, mut at, mut end) = (0, start, start);
    while count < 512 && text.at(at) == b'\'' {
        let Some((_, next)) = list_element(text, at) else {
            break;
        };
        (count, end) = (count + 1, next);
        at = text.scan_while(next, 16, |b| b.is_ascii_whitespace() || b == b',');
    }
    (count >= 4).then_some((start, end))
}
