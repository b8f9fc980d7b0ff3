//! Text as a string of JSON, sixteen bytes at a time: a long conversation is written out with every question.

/// Adds a text to JSON, in quotes.
pub(super) fn quoted(text: &str, json: &mut Vec<u8>) {
    json.push(b'"');
    for piece in text.as_bytes().chunks(16) {
        // No branch within the piece: the compiler looks at all of it at once.
        if piece.iter().fold(0, |others, byte| others | u8::from(!is_plain(*byte))) == 0 {
            json.extend_from_slice(piece);
            continue;
        }
        for byte in piece {
            escaped(*byte, json);
        }
    }
    json.push(b'"');
}

/// What stands for itself in a string. The bytes of a longer character all do.
const fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..=0x1F | b'"' | b'\\')
}

fn escaped(byte: u8, json: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        _ if is_plain(byte) => return json.push(byte),
        _ => return json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
    };
    json.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        let mut json = Vec::new();
        quoted(text, &mut json);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn every_character_is_written_as_serde_json_writes_it() {
        let all: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for text in ["", "a", &all, "a\u{1F600}\"b", "C:\\new\n\ttext of more than sixteen bytes"] {
            assert_eq!(json(text), serde_json::to_string(text).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_text_is(text in "\\PC{0,40}[\"\\\\\\x00-\\x20]{0,4}\\PC{0,40}") {
            prop_assert_eq!(json(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
