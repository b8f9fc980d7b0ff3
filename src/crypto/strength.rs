//! Estimates the entropy of a passphrase from its characters. The estimate is deliberately low.
//!
//! Written by hand: `zxcvbn` is ten more crates, and its lists of English words add 2.4 MB to the
//! program. Without such lists a common password is rated like any word with digits; rows of the
//! keyboard, dates, and letters replaced by digits are not detected.

use crate::secret::Secret;

/// Bits below which a stolen vault can be decrypted within days, whatever the cost of the
/// derivation.
pub const WEAK_BELOW_BITS: u32 = 45;
/// Bits from which guessing is not feasible.
pub const STRONG_FROM_BITS: u32 = 70;
/// Bits of a word of a language: one of about 8000.
const BITS_PER_WORD: f64 = 13.0;

/// Estimates the bits of a passphrase. A run of letters that may be a word counts as one word,
/// digits and signs count one by one, and repeated or consecutive characters count almost nothing.
#[must_use]
pub fn entropy_bits(passphrase: &Secret) -> u32 {
    let text = passphrase.expose().trim_end_matches(['\n', '\r']);
    let mut total = 0.0;
    let mut run: Vec<char> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        if c.is_alphabetic() {
            run.push(c);
        } else {
            total += run_bits(&std::mem::take(&mut run));
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
    total += run_bits(&run);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few bits a character, of at most 4096"
    )]
    let whole = total as u32;
    whole
}

fn run_bits(run: &[char]) -> f64 {
    let fresh = run
        .windows(2)
        .filter(|w| matches!(w, [a, b] if u32::from(*a).abs_diff(u32::from(*b)) > 1))
        .count();
    let fresh = f64::from(u32::try_from(fresh).unwrap_or(u32::MAX))
        + if run.is_empty() { 0.0 } else { 1.0 };
    let mixed = run.iter().skip(1).any(|c| c.is_uppercase());
    let each = fresh * if mixed { 5.7 } else { 4.7 };
    let vowels = run.iter().filter(|c| "aeiouyAEIOUY".contains(**c)).count();
    // A run with few vowels is not a word.
    let word = vowels * 4 >= run.len() && !mixed;
    if word { each.min(BITS_PER_WORD) } else { each }
}

/// Rates a number of bits.
#[must_use]
pub const fn describe(bits: u32) -> &'static str {
    match bits {
        0..WEAK_BELOW_BITS => "weak",
        WEAK_BELOW_BITS..STRONG_FROM_BITS => "fair",
        _ => "strong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_is_underestimated() {
        let said = |text: &str| describe(entropy_bits(&Secret::new(text.to_owned())));
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
        for strong in [
            "seven quiet herons over a harbour",
            "lusab-gutih-tugad-bofam-zuzuz-lusab",
            "k7Qv9ZtP2mX4wRs8",
        ] {
            assert_eq!(said(strong), "strong", "{strong}");
        }
    }
}
