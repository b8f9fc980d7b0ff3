//! What may reach a terminal: escape sequences, control and bidirectional characters made harmless, also when cut by chunks.

/// A whole text made harmless.
pub(super) fn printable(text: &str) -> String {
    let mut printer = Printer::default();
    printer.push(text)
}

/// Makes a stream of text harmless. Every control character but newline and tab is shown as its control picture, so no
/// sequence can begin, wherever the chunks are cut; `\r\n` becomes `\n`.
#[derive(Debug, Default)]
pub struct Printer;

impl Printer {
    /// The harmless form of the next piece.
    #[must_use]
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            match c {
                '\n' | '\t' => out.push(c),
                '\r' => {}
                '\0'..='\x1f' => {
                    out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{FFFD}'))
                }
                '\x7f' => out.push('\u{2421}'),
                '\u{80}'..='\u{9f}' => out.push('\u{FFFD}'),
                '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{61c}' => {
                    out.push_str(&format!("<U+{:04X}>", u32::from(c)));
                }
                _ => out.push(c),
            }
        }
        out
    }
}
