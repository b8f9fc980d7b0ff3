//! Cryptocurrency addresses, recognised by their checksums, and seed phrases.
//!
//! Base58 and Bech32 are written by hand: `bs58` and `bech32` are two more crates in place of 88
//! lines, and decode into values of which only the checksum is asked for here.

use crate::privacy::kind::CRYPTO_WALLET;
use crate::privacy::scan::bytes::{count_byte, is_ident, is_word};
use crate::privacy::scan::context;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CHECKSUM, Scan};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

/// Names of wallets.
#[rustfmt::skip]
static WALLET_WORDS: WordSet = word_set!([
    "wallet", "address", "addr", "eth", "ethereum", "btc", "bitcoin", "usdt", "usdc", "metamask", "send", "donate", "deposit", "payout",
    "tip", "ledger", "token", "erc20", "bnb", "bsc", "polygon", "crypto", "coin", "litecoin", "dogecoin", "tron", "recipient", "from",
    "to", "solana", "monero", "ripple", "xrp", "cardano",
]);

/// Reads an address that begins with the digit at a position (`0x…`, `1…`, `3…`). Returns its end,
/// or the position itself.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize) -> usize {
    let text = scan.text;
    if !matches!(text.at(at), b'0' | b'1' | b'3') || is_ident(text.byte_before(at)) {
        return at;
    }
    let end = text.scan_while(at, 64, is_word);
    let token = text.slice(at, end);
    if token.len() < 26 || is_ident(text.at(end)) || text.at(end) == b'=' {
        return at;
    }
    let found = match token {
        [b'0', b'x' | b'X', hex @ ..] if hex.len() == 40 => {
            is_ethereum_address(hex)
                || (context::preceded_by(text, at, &WALLET_WORDS)
                    && hex.iter().all(u8::is_ascii_hexdigit))
        }
        [b'1' | b'3', ..] if (26..=35).contains(&token.len()) => is_base58_check(token),
        _ => false,
    };
    if found {
        scan.report(at, end, CRYPTO_WALLET, "wallet", CHECKSUM);
        return end;
    }
    at
}

/// Reads an address after a distinctive prefix: `bc1`, `ltc1`, `addr1`, and base58 addresses after
/// a letter.
pub(in crate::privacy) fn prefixed_address(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if is_ident(text.byte_before(at)) || text.byte_before(at) == b'/' || scan.is_covered(at) {
        return;
    }
    let end = text.scan_while(at, 120, is_word);
    let token = text.slice(at, end);
    if !is_ident(text.at(end)) && token.len() >= 14 && is_bech32(token) {
        scan.report(at, end, CRYPTO_WALLET, "wallet", CHECKSUM);
    }
}

/// Reads a base58 address after the name of its currency: Litecoin, Dogecoin, Tron, Ripple, Solana,
/// Monero.
pub(in crate::privacy) fn named_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !context::begins_word(text, at) {
        return;
    }
    let limit = text.line_end(to, 48);
    let mut i = to;
    while i < limit {
        let end = text.scan_while(i, 110, is_word);
        let token = text.slice(i, end);
        let base58 = (25..=108).contains(&token.len())
            && token.iter().all(|b| base58_value(*b).is_some())
            && !is_ident(text.byte_before(i))
            && !is_ident(text.at(end));
        let mixed = token.iter().any(u8::is_ascii_digit)
            && token.iter().any(u8::is_ascii_uppercase)
            && token.iter().any(u8::is_ascii_lowercase);
        if base58
            && mixed
            && (is_base58_check(token) || matches!(token.len(), 43 | 44 | 95 | 106 | 33 | 34))
        {
            scan.report(i, end, CRYPTO_WALLET, "wallet-named", CHECKSUM);
            return;
        }
        i = end.max(i + 1);
    }
}

/// Words near a seed phrase.
#[rustfmt::skip]
pub(in crate::privacy) const SEED_PHRASE_WORDS: &[&str] = &[
    "wallet", "metamask", "ledger", "trezor", "exodus", "12 words", "24 words", "twelve words", "twenty-four words", "seed", "recovery words",
    "bip39", "bip-39", "restore", "phrase", "mnemonic",
];

/// Words of every English sentence that are not on the list of seed words.
#[rustfmt::skip]
static SENTENCE_WORDS: WordSet = word_set!([
    "the", "and", "for", "are", "was", "but", "not", "you", "all", "can", "had", "her", "his", "our", "out", "has", "him", "how", "its",
    "with", "from", "have", "they", "will", "what", "your", "them", "then", "than", "were", "been", "into", "could", "would", "should",
    "their", "there", "which", "when", "while", "where", "does", "did", "get", "got", "after", "before", "because", "these", "those",
    "die", "der", "das", "und", "ist", "den", "mit", "von", "que", "los", "las", "por", "con", "les", "des", "une", "est", "per", "che",
]);

/// Reads 12 or more plain words that do not form a sentence, after a word for a wallet.
pub(in crate::privacy) fn seed_words(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.seed_phrases || is_word(text.byte_before(at)) {
        return;
    }
    let limit = (to + 160).min(text.len());
    // `import army van … into metamask`
    let mut at = text.line_start(at, 120).max(scan.cursors.seed_phrases);
    while at < limit {
        let start = text.scan_while(at, 160, |b| !is_ident(b));
        let (mut count, mut i, mut end) = (0, start, start);
        while count < 25 {
            let stop = text.scan_while(i, 12, is_ident);
            let word = text.slice(i, stop);
            if !(3..=8).contains(&word.len())
                || !word.iter().all(u8::is_ascii_lowercase)
                || SENTENCE_WORDS.contains_ignore_case(word)
            {
                break;
            }
            (count, end) = (count + 1, stop);
            i = text.scan_while(stop, 6, |b| {
                matches!(b, b' ' | b'\n' | b'\r' | b',' | b'.' | b')' | b'"' | b'\'')
                    || b.is_ascii_digit()
            });
            if i == stop {
                break;
            }
        }
        if count >= 12 {
            scan.report(
                start,
                end,
                CRYPTO_WALLET,
                "seed-phrase",
                crate::privacy::scan::CONTEXT_WORDS,
            );
            scan.cursors.seed_phrases = end;
            return;
        }
        at = text.scan_while(end.max(start), 64, is_ident).max(start + 1);
    }
    scan.cursors.seed_phrases = to + 80;
}

/// Reads a token that may be a base58 address with a checksum and begins with a letter. Returns
/// whether it is one.
pub(in crate::privacy) fn base58_address(scan: &mut Scan<'_>, start: usize, end: usize) -> bool {
    let token = scan.text.slice(start, end);
    let found = matches!(
        token.first(),
        Some(b'T' | b'L' | b'M' | b'D' | b'A' | b'X' | b't' | b'm' | b'n' | b'2')
    ) && is_base58_check(token);
    if found {
        scan.report(start, end, CRYPTO_WALLET, "wallet", CHECKSUM);
    }
    found
}

/// The value of a base58 character.
fn base58_value(b: u8) -> Option<u32> {
    const BASE58_ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    BASE58_ALPHABET
        .iter()
        .position(|&a| a == b)
        .and_then(|p| u32::try_from(p).ok())
}

/// `Base58Check`: four bytes of a double SHA-256 at the end.
fn is_base58_check(token: &[u8]) -> bool {
    // Quick exit: most tokens of this length are hashes.
    if !token.iter().any(u8::is_ascii_uppercase) {
        return false;
    }
    let mut bytes = [0u8; 25];
    for &b in token {
        let Some(mut carry) = base58_value(b) else {
            return false;
        };
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let (body, check) = bytes.split_at(21);
    let hash = Sha256::digest(Sha256::digest(body));
    hash.starts_with(check)
}

/// Bech32 and Bech32m: checksum over the human-readable part and the data.
fn is_bech32(token: &[u8]) -> bool {
    const BECH32_CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = token.to_ascii_lowercase();
    if token.iter().any(u8::is_ascii_lowercase) && token.iter().any(u8::is_ascii_uppercase) {
        return false;
    }
    let Some(separator) = lower.iter().rposition(|&b| b == b'1') else {
        return false;
    };
    let (readable, data) = (
        lower.get(..separator).unwrap_or_default(),
        lower.get(separator + 1..).unwrap_or_default(),
    );
    if readable.is_empty() || data.len() < 6 {
        return false;
    }
    let mut sum = 1u32;
    let mut step = |value: u8| {
        const BECH32_GENERATOR: [u32; 5] = [
            0x3b6a_57b2,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3,
        ];
        let top = sum >> 25;
        sum = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        for (i, g) in BECH32_GENERATOR.iter().enumerate() {
            if top >> i & 1 == 1 {
                sum ^= g;
            }
        }
    };
    for b in readable {
        step(b >> 5);
    }
    step(0);
    for b in readable {
        step(b & 31);
    }
    for b in data {
        let Some(value) = BECH32_CHARSET
            .iter()
            .position(|c| c == b)
            .and_then(|p| u8::try_from(p).ok())
        else {
            return false;
        };
        step(value);
    }
    sum == 1 || sum == 0x2bc8_30a3
}

/// Forty hex digits; in mixed case, the capitals must match the hash of the address (EIP-55).
fn is_ethereum_address(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) || count_byte(hex, b'0') > 30 {
        return false;
    }
    if !hex.iter().any(u8::is_ascii_lowercase) || !hex.iter().any(u8::is_ascii_uppercase) {
        return true;
    }
    let hash = Keccak256::digest(hex.to_ascii_lowercase());
    hex.iter().enumerate().all(|(i, b)| {
        let byte = hash.get(i / 2).copied().unwrap_or(0);
        let nibble = if i % 2 == 0 { byte >> 4 } else { byte & 15 };
        !b.is_ascii_alphabetic() || b.is_ascii_uppercase() == (nibble >= 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ethereum uses Keccak with its original padding, not that of SHA-3.
    #[test]
    fn keccak_published_vectors() {
        let hex = |bytes: &[u8]| {
            Keccak256::digest(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        assert_eq!(
            hex(b""),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(
            hex(b"abc"),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
        );
    }

    #[test]
    fn ethereum_published_addresses() {
        for address in [
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "dbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert!(is_ethereum_address(address.as_bytes()), "{address}");
            let wrong = address.replacen('a', "A", 1);
            assert!(!is_ethereum_address(wrong.as_bytes()), "{wrong}");
        }
    }
}
