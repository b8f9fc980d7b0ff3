//! Words that do not look like ordinary words, as passwords do not, and terms that only look like
//! it.
//!
//! The test is lenient on purpose: it is asked only about words that a secret's name already points
//! to.

use crate::privacy::scan::bytes::to_lowercase;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::char_stats::char_stats;

/// Whether a word cannot be an ordinary word: it contains digits or signs, or capitals inside.
pub(in crate::privacy) fn looks_like_password(value: &[u8]) -> bool {
    let stats = char_stats(value);
    let letters = stats.lower + stats.upper;
    let inner_sign = value
        .get(1..value.len().saturating_sub(1))
        .unwrap_or_default()
        .iter()
        .any(|b| {
            matches!(
                b,
                b'!' | b'@'
                    | b'#'
                    | b'$'
                    | b'%'
                    | b'^'
                    | b'&'
                    | b'*'
                    | b'+'
                    | b'='
                    | b'~'
                    | b'?'
                    | b'_'
                    | b'|'
            )
        });
    let inner_capital = stats.lower >= 2
        && value
            .windows(2)
            .filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
            .count()
            >= 1;
    (letters >= 1 && stats.digits >= 1 && stats.length >= 4)
        || is_hyphenated_passphrase(value)
        || (inner_sign && letters + stats.digits >= 3)
        || (inner_capital && stats.length >= 8)
        || (stats.signs >= 2 && letters >= 3 && inner_sign)
}

/// Words for things, which occur in hyphenated names.
#[rustfmt::skip]
static HYPHENATED_WORDS: WordSet = word_set!([
    "password", "passwords", "secret", "secrets", "token", "tokens", "credentials", "manager", "service", "server", "client", "config",
    "user", "users", "name", "prod", "staging", "test", "production", "default", "cluster", "database", "account", "admin", "data",
    "volume", "value", "file", "here", "your", "with", "this", "that", "from", "reset", "login", "auth", "access", "keys", "factor",
    "sign", "time", "step", "based", "case", "page", "form", "local", "system", "network", "group", "role", "policy", "node", "modules",
]);

/// Whether it is four or more hyphenated words, as in passphrases: no generated name of that many
/// words is free of the words above.
fn is_hyphenated_passphrase(value: &[u8]) -> bool {
    let mut words = 0;
    value.len() >= 16
        && value.split(|&b| b == b'-').all(|word| {
            words += 1;
            (3..=10).contains(&word.len())
                && word.iter().skip(1).all(u8::is_ascii_lowercase)
                && word.first().is_some_and(u8::is_ascii_alphabetic)
                && !std::str::from_utf8(word).is_ok_and(|word| HYPHENATED_WORDS.contains(word))
        })
        && words >= 4
}

#[rustfmt::skip]
static TECHNICAL_TERMS: WordSet = word_set!([
    "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512", "sha3", "md5", "base64", "base32", "oauth2", "oauth2.0", "argon2",
    "argon2id", "pbkdf2", "2fa", "utf8", "utf-8", "http2", "x509", "x.509", "pkcs8", "pkcs12", "pkcs#12", "p12", "i18n", "l10n", "s3",
    "ec2", "k8s", "aes256", "aes-256", "aes-256-gcm", "aes128", "hs256", "rs256", "es256", "ed25519", "rsa2048", "totp", "ipv4", "ipv6",
    "win10", "windows10", "py3", "python3", "node18", "node20", "postgres15", "mysql8", "web3", "1password", "keepassxc", "lastpass",
    "bitwarden", "github", "gitlab", "javascript", "typescript", "postgresql", "mysql", "mongodb", "openssl", "openid", "oauth", "saml2",
    "log4j", "macos", "ios", "wifi", "wi-fi", "linux", "openrouter", "openai", "chatgpt", "and/or", "yes/no", "on/off", "read/write",
    "i/o", "n/a", "24/7", "case-sensitive", "e-mail", "sign-in", "log-in", "12-factor", "8-character", "a-z", "0-9", "a-z0-9", "8+",
    "12+", "16+",
]);

/// Whether it is a technical term with digits or signs, as it occurs in sentences about passwords.
pub(in crate::privacy) fn is_technical_term(value: &[u8]) -> bool {
    if TECHNICAL_TERMS.contains_ignore_case(value) {
        return true;
    }
    // Quick exit: none of the forms below begins or continues like this.
    let opens = value.first().is_some_and(|b| {
        b.is_ascii_digit() || matches!(b, b'<' | b'>' | b'~' | b'=' | b'-' | b'.' | b'v' | b'V')
    });
    if !opens && !value.iter().any(|b| matches!(b, b'.' | b'/' | b'@'))
        || !value
            .iter()
            .any(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/' | b'@' | b'%' | b'-'))
    {
        return false;
    }
    let lower = to_lowercase(value);
    let stats = char_stats(value);
    let letters = stats.lower + stats.upper;
    let amount = stats.digits > 0
        && (letters > 0 && letters <= 2
            || stats.length <= 2
            || stats.signs > 0 && letters == 0 && stats.length <= 5)
        && lower
            .trim_start_matches(|c: char| {
                c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | '~' | '<' | '>' | '=')
            })
            .len()
            <= 2
        && stats.length <= 6
        && value
            .first()
            .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'<' | b'>' | b'~' | b'='));
    let numbered = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let ordinal = || {
        numbered
            && [
                "st",
                "nd",
                "rd",
                "th",
                "chars",
                "characters",
                "days",
                "min",
                "ms",
                "bit",
                "bits",
                "x",
                "%",
                "k",
                "kb",
                "mb",
                "-digit",
                "-bit",
                "-char",
                "-character",
                "-day",
                "-day",
                "-step",
                "-factor",
            ]
            .iter()
            .any(|unit| {
                lower.strip_suffix(unit).is_some_and(|n| {
                    !n.is_empty()
                        && n.chars()
                            .all(|c| c.is_ascii_digit() || c == '-' || c == '.')
                })
            })
    };
    let version = || {
        lower
            .strip_prefix('v')
            .unwrap_or(&lower)
            .chars()
            .all(|c| c.is_ascii_digit() || c == '.')
            && (lower.contains('.') || lower.starts_with('v'))
    };
    let address = || {
        lower.contains("://")
            || lower.contains('@')
                && lower.rsplit('@').next().is_some_and(|host| {
                    host.contains('.')
                        && !host
                            .contains(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-')
                })
    };
    let file = || {
        lower.contains('.')
            && [
                ".txt", ".md", ".py", ".js", ".ts", ".rs", ".go", ".json", ".yaml", ".yml",
                ".toml", ".env", ".cfg", ".conf", ".ini", ".pem", ".key", ".html", ".com", ".org",
                ".net", ".io", ".dev", ".java", ".sh", ".xml", ".sql", ".c", ".h", ".rb", ".php",
                ".log", ".csv", ".kdbx", ".zip", ".pdf", ".local",
            ]
            .iter()
            .any(|end| lower.ends_with(end))
    };
    let fraction = || lower.contains('/') && stats.digits == 0;
    amount || ordinal() || version() || address() || file() || fraction()
}
