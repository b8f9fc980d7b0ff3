//! Escapes text for JSON in pieces, rather than byte by byte: the whole
//! conversation is written with every question.

/// Bytes tested at once.
const STEP_BYTES: usize = 32;

/// Appends a text to JSON, in quotes.
pub(super) fn write_json_string(text: &str, json: &mut String) {
    json.push('"');
    let mut rest = text;
    while let Some(at) = first_escape(rest.as_bytes()) {
        let (plain, other) = rest.split_at(at);
        json.push_str(plain);
        let mut chars = other.chars();
        chars.next().into_iter().for_each(|c| write_escape(c, json));
        rest = chars.as_str();
    }
    json.push_str(rest);
    json.push('"');
}

/// The position of the first byte that must be escaped.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    for piece in bytes.chunks(STEP_BYTES) {
        // No branch inside a piece, so that the compiler vectorizes the test.
        if piece
            .iter()
            .fold(0, |others, byte| others | u8::from(!is_plain(*byte)))
            != 0
        {
            return piece
                .iter()
                .position(|byte| !is_plain(*byte))
                .map(|at| from + at);
        }
        from += STEP_BYTES;
    }
    None
}

/// Whether a byte needs no escape. All bytes of multi-byte characters need none.
const fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..=0x1F | b'"' | b'\\')
}

fn write_escape(other: char, json: &mut String) {
    let letter = match other {
        '"' | '\\' => other,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        _ => return json.push_str(&format!("\\u{:04x}", u32::from(other))),
    };
    json.push('\\');
    json.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        let mut json = String::new();
        write_json_string(text, &mut json);
        json
    }

    #[test]
    fn json_string_matches_serde_json() {
        let all: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for text in [
            "",
            "a",
            &all,
            "a\u{1F600}\"b",
            "C:\\new\n\ttext of more than sixteen bytes",
        ] {
            assert_eq!(json(text), serde_json::to_string(text).unwrap());
        }
    }

    proptest! {
        #[test]
        fn json_string_matches_serde_json_for_any_text(text in "\\PC{0,40}[\"\\\\\\x00-\\x20]{0,4}\\PC{0,40}") {
            prop_assert_eq!(json(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
