//! The columns that text takes, and where text without spaces can be broken.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What may not begin a line.
const NOT_FIRST: &str = "、。，．・：；？！」』】》〉〕］｝）ー々ゝゞぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ…‥%％,.!?:;)]}”’";
/// What may not end a line.
const NOT_LAST: &str = "「『【《〈〔［｛（“‘([{";

/// The columns that a text without escape sequences takes.
pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    // A character of a script without spaces is a word.
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => c.width().unwrap_or(0),
        // Few terminals join a lam and an alef, which would make the text narrower.
        _ if text.contains(is_arabic) => text.chars().map(|c| c.width().unwrap_or(0)).sum(),
        _ => text.width(),
    }
}

fn is_arabic(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{6FF}')
}

/// Whether a character belongs to a script that is written without spaces: Chinese and Japanese.
/// Korean has spaces.
pub(super) fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{A000}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF00}'..='\u{FF60}' | '\u{20000}'..='\u{3FFFD}')
}

/// Whether a line may end between two characters that no space separates.
pub(super) fn may_break_between(before: char, after: char) -> bool {
    (is_east_asian(before) || is_east_asian(after))
        && !(may_be_punctuation(after) && NOT_FIRST.contains(after))
        && !(may_be_punctuation(before) && NOT_LAST.contains(before))
        && after.width() != Some(0)
}

/// A quick answer for most characters, before one of the lists is searched.
fn may_be_punctuation(c: char) -> bool {
    matches!(c, '!'..='~' | '\u{2010}'..='\u{2030}' | '\u{3000}'..='\u{30FF}' | '\u{FF00}'..='\u{FF60}')
}
