//! How hard a passphrase is to guess, as far as its looks tell: a guess on the low side.

use crate::secret::Secret;

/// Below this, a stolen vault is opened in days, whatever the derivation costs.
pub const WEAK_BELOW: u32 = 45;
/// From this on, it is not opened.
pub const STRONG_FROM: u32 = 70;
/// What a word of a language is worth: one of some eight thousand.
const WORD: f64 = 13.0;

/// The bits of a passphrase: a run of letters that may be a word counts as a word, digits and signs each for what they are,
/// and what repeats or counts up for nothing.
#[must_use]
pub fn bits(passphrase: &Secret) -> u32 {
    let text = passphrase.expose().trim_end_matches(['\n', '\r']);
    let mut total = 0.0;
    let mut run: Vec<char> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        if c.is_alphabetic() {
            run.push(c);
        } else {
            total += letters(&std::mem::take(&mut run));
            let steps = before.is_some_and(|b: char| u32::from(b).abs_diff(u32::from(c)) <= 1);
            total += match c {
                _ if steps => 0.5,
                '0'..='9' => 3.3,
                ' ' | '-' | '_' | '.' => 1.0,
                _ => 5.0,
            };
        }
        before = Some(c);
    }
    total += letters(&run);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few bits a character, of at most 4096")]
    let whole = total as u32;
    whole
}

fn letters(run: &[char]) -> f64 {
    let fresh = run.windows(2).filter(|w| matches!(w, [a, b] if u32::from(*a).abs_diff(u32::from(*b)) > 1)).count();
    let fresh = f64::from(u32::try_from(fresh).unwrap_or(u32::MAX)) + if run.is_empty() { 0.0 } else { 1.0 };
    let mixed = run.iter().skip(1).any(|c| c.is_uppercase());
    let each = fresh * if mixed { 5.7 } else { 4.7 };
    let vowels = run.iter().filter(|c| "aeiouyAEIOUY".contains(**c)).count();
    // What can hardly be spoken is no word.
    let word = vowels * 4 >= run.len() && !mixed;
    if word { each.min(WORD) } else { each }
}

/// In words.
#[must_use]
pub const fn in_words(bits: u32) -> &'static str {
    match bits {
        0..WEAK_BELOW => "weak",
        WEAK_BELOW..STRONG_FROM => "fair",
        _ => "strong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_weighed_on_the_low_side() {
        let said = |text: &str| in_words(bits(&Secret::new(text.to_owned())));
        for weak in [
            "",
            "password",
            "password1",
            "Password123!",
            "12345678901234567890",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "correct horse",
        ] {
            assert_eq!(said(weak), "weak", "{weak}");
        }
        for fair in ["correct horse battery staple", "k7Qv9ZtP2m"] {
            assert_eq!(said(fair), "fair", "{fair}");
        }
        for strong in ["seven quiet herons over a harbour", "lusab-gutih-tugad-bofam-zuzuz-lusab", "k7Qv9ZtP2mX4wRs8"] {
            assert_eq!(said(strong), "strong", "{strong}");
        }
    }
}
