//! Decides whether the value of a secret's field name is a secret.
//!
//! The order is from cheap to costly: placeholders and code are rejected first, then the kind of
//! name decides how much the value itself has to look like a secret. A `password` may have almost
//! any value; a `key` must look random, because most keys in code are names.
//!
//! The limits on length, digits and entropy have no theory behind them: they were chosen on the
//! labelled documents in `tests/corpus`, of which the test requires that every label is covered and
//! that nothing else is touched, so a changed limit shows up there. Documents outside of the corpus
//! are found less completely.

use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::Syntax;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, begins_line, is_property};
use crate::privacy::secrets::field_names::{self, FieldKind};
use crate::privacy::secrets::value_parser::CandidateValue;

pub(in crate::privacy) fn is_secret(
    text: TextBytes<'_>,
    name: &FieldName<'_>,
    candidate: &CandidateValue,
) -> bool {
    let bytes = text.slice(candidate.start, candidate.end);
    let stats = char_stats::char_stats(bytes);
    if stats.length < 3
        || char_stats::is_dummy_value(bytes)
        || repeats_name(name, bytes)
        || is_syntax_noise(bytes, &stats)
    {
        return false;
    }
    let quoted = candidate.syntax == Syntax::Quoted;
    let set = candidate.syntax == Syntax::Line
        && (name.is_upper() || is_property(text, name))
        && is_pointed(bytes);
    if !quoted && candidate.syntax != Syntax::Cell && !set && char_stats::is_code(bytes) {
        return false;
    }
    match name.word {
        FieldKind::Password => is_password(text, name, candidate, bytes),
        FieldKind::Pass | FieldKind::Credentials => {
            (is_password(text, name, candidate, bytes)
                && (char_stats::looks_like_password(bytes)
                    || (quoted || candidate.syntax == Syntax::Line && name.is_upper())
                        && (stats.spaces == 0 || name.is_upper())
                        && name.start < name.at))
                && !char_stats::is_technical_term(bytes)
        }
        FieldKind::Secret => is_named_secret(name, candidate, bytes),
        FieldKind::Key => is_key(name, bytes),
        FieldKind::Pin => {
            stats.digits == stats.length && (3..=8).contains(&stats.length)
                || stats.length >= 6 && stats.digits >= 3 && stats.spaces == 0 && stats.lower == 0
        }
        FieldKind::Opaque => {
            char_stats::is_random(bytes)
                && stats.length >= 20
                && !char_stats::is_uuid(bytes)
                && stats.spaces == 0
        }
        FieldKind::Phrase => false,
    }
}

/// Three or more small words with points between them, none of which says where a secret is: `lantern.gravel.heron`.
fn is_pointed(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&b| b == b'.');
    parts.clone().count() >= 3
        && parts.all(|part| {
            part.len() >= 3
                && part.iter().all(u8::is_ascii_lowercase)
                && is_plain(part)
                && !SECRET_WORDS.occurs_in(part)
        })
}

/// Signs and nothing else, a type of C, an option of a mount: `?;`, `__u32`, `id=mysecret,src=file`.
fn is_syntax_noise(bytes: &[u8], stats: &char_stats::CharStats) -> bool {
    let option = bytes
        .iter()
        .position(|&b| b == b'=')
        .and_then(|p| bytes.get(..p));
    stats.lower + stats.upper + stats.digits + stats.beyond == 0 && stats.signs <= 4
        || bytes.starts_with(b"__")
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        || option.is_some_and(|word| {
            matches!(
                word,
                b"id" | b"type" | b"src" | b"source" | b"name" | b"env" | b"from" | b"file"
            )
        })
}

/// A value that repeats the name: `"password": "password_field"`, `token = token_value`.
fn repeats_name(name: &FieldName<'_>, bytes: &[u8]) -> bool {
    let own = name.text.slice(name.start, name.end);
    bytes.eq_ignore_ascii_case(own) || bytes.eq_ignore_ascii_case(name.text.slice(name.at, name.to))
}

/// Words in values that mention a secret rather than being one.
static SECRET_WORDS: WordSet = word_set!(["password", "passwd", "secret", "token", "credential"]);

/// Whether the value of a password's name is a password.
fn is_password(
    text: TextBytes<'_>,
    name: &FieldName<'_>,
    candidate: &CandidateValue,
    bytes: &[u8],
) -> bool {
    let stats = char_stats::char_stats(bytes);
    let plain_word = stats.length == stats.lower + stats.upper + stats.beyond;
    match candidate.syntax {
        Syntax::Quoted => {
            if stats.spaces > 0 {
                // `MAIL_PASSWORD="…"` in an environment file: quoted only because it contains a
                // space.
                let set =
                    name.is_upper() && text.at(name.end) == b'=' && name.end + 2 == candidate.start;
                let words = bytes
                    .split(|&b| b == b' ')
                    .filter(|word| !word.is_empty())
                    .count();
                let words_only = || words <= 4 && bytes.split(|&b| b == b' ').all(is_plain);
                let between = text.slice(name.end, candidate.start);
                let upper = name.is_upper()
                    && between
                        .iter()
                        .all(|b| matches!(b, b'=' | b':' | b' ' | b'"' | b'\''));
                let assigned = upper
                    || between.first() == Some(&b'=')
                        && between.len() == 2
                        && begins_line(text, name.start);
                return is_passphrase(bytes, &stats)
                    || assigned && !UI_PHRASES.occurs_in(bytes) && words_only()
                    || set
                        && words <= 6
                        && !UI_PHRASES.occurs_in(bytes)
                        && !bytes.ends_with(b".")
                        && !bytes.ends_with(b":");
            }
            let label = plain_word
                && stats.upper == 1
                && bytes.first().is_some_and(u8::is_ascii_uppercase)
                && FORM_LABELS.contains_ignore_case(bytes);
            let mention = bytes
                .iter()
                .all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
                && SECRET_WORDS.occurs_in(bytes)
                && !char_stats::looks_like_password(bytes);
            let pattern = bytes.starts_with(b"^")
                || bytes.starts_with(b"/^")
                || bytes.windows(3).any(|w| w == b"(?=" || w == b"[a-");
            let digest = || {
                stats.length == 36
                    && char_stats::is_digest(bytes)
                    && !field_names::split_identifier(name.head())
                        .any(|w| w.eq_ignore_ascii_case(b"db"))
            };
            let other =
                label || mention || pattern || candidate.is_wrapped_word(plain_word) || digest();
            !other
                && stats.beyond * 2
                    < stats.length.max(1) + usize::from(stats.beyond < 8) * stats.length
        }
        Syntax::Line | Syntax::Argument | Syntax::Query => {
            let argument = candidate.syntax == Syntax::Line
                && matches!(text.at(candidate.end), b')' | b',')
                && plain_word;
            !argument
                && !(candidate.syntax == Syntax::Argument
                    && (plain_word
                        && stats.upper == 1
                        && text.at(candidate.end) == b' '
                        && text.at(candidate.end + 1).is_ascii_lowercase()
                        || bytes.starts_with(b"-")
                        || bytes.starts_with(b"/")
                        || bytes.starts_with(b"[")
                        || bytes.starts_with(b"<")))
                && !TYPE_WORDS.contains_ignore_case(bytes)
        }
        Syntax::Cell => {
            let words = stats.spaces > 0;
            !words
                && !FORM_LABELS.contains_ignore_case(bytes)
                && !(plain_word
                    && (stats.upper == 1
                        || stats.length < 5
                        || text.byte_before(candidate.start) == b'\t'))
                && !bytes.iter().all(|&b| matches!(b, b'-' | b':' | b' '))
        }
        Syntax::Bare => is_bare_password(text, candidate, bytes, plain_word),
    }
}

impl CandidateValue {
    /// Whether it is a plain word as a call argument, which is more often a name than a value.
    fn is_wrapped_word(&self, plain_word: bool) -> bool {
        self.wrapped && plain_word
    }
}

/// `password: hunter2`, `password = hunter2`
fn is_bare_password(
    text: TextBytes<'_>,
    candidate: &CandidateValue,
    bytes: &[u8],
    plain_word: bool,
) -> bool {
    if TYPE_WORDS.contains_ignore_case(bytes)
        || FORM_LABELS.contains_ignore_case(bytes)
        || char_stats::is_technical_term(bytes)
    {
        return false;
    }
    if bytes
        .first()
        .is_some_and(|b| matches!(b, b'{' | b'[' | b'(' | b'<' | b'|' | b'/' | b'\\' | b'\''))
        && !char_stats::looks_like_password(bytes)
    {
        return false;
    }
    // A C cast.
    if bytes.first() == Some(&b'(')
        && bytes
            .iter()
            .skip(1)
            .all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'*' | b' '))
    {
        return false;
    }
    let line_end = text.line_end(candidate.end, 200);
    let rest = text.slice(candidate.end, line_end);
    let alone = rest.iter().all(u8::is_ascii_whitespace)
        || rest.trim_ascii_start().starts_with(b"#")
        || rest.starts_with(b"\\n");
    if plain_word {
        // A variable is followed by code, a word of a sentence by other words.
        let stats = char_stats::char_stats(bytes);
        let capital = stats.upper == 1 && bytes.first().is_some_and(u8::is_ascii_uppercase);
        // `user, password = split`: several names and a variable.
        let tuple = text.byte_before(text.scan_back(candidate.start, 3, |b| b == b' ')) == b'='
            && {
                let line = text.slice(text.line_start(candidate.start, 80), candidate.start);
                line.windows(2).any(|w| w == b", ")
            };
        return alone
            && !tuple
            && stats.length >= 4
            && !capital
            && !crate::privacy::secrets::common_words::is_common(&bytes.to_ascii_lowercase())
            && stats.beyond == 0;
    }
    char_stats::looks_like_password(bytes)
        || alone && char_stats::char_stats(bytes).digits > 0 && bytes.len() >= 4
        || bytes.iter().all(u8::is_ascii_digit) && bytes.len() >= 4
}

/// Words typical of sentences about passwords.
#[rustfmt::skip]
static UI_PHRASES: WordSet = word_set!([
    "password", "passwort", "please", "must", "enter", "invalid", "required", "incorrect", "your", "forgot", "the ", "is ",
    "not ", "cannot", "contraseña", "mot de passe", "confirm", "new ", "character", "at least", "optional", "used ", " for ", " of ", " to ",
]);

/// Whether a word is made of letters and stands for nothing that messages speak of.
fn is_plain(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_alphabetic)
        && !crate::privacy::secrets::common_words::is_common(&word.to_ascii_lowercase())
}

/// Several words in quotes as one passphrase, not a sentence of a program.
fn is_passphrase(bytes: &[u8], stats: &char_stats::CharStats) -> bool {
    let prose = bytes.ends_with(b".")
        || bytes.ends_with(b":")
        || bytes.ends_with(b"?")
        || bytes.ends_with(b"...");
    !UI_PHRASES.occurs_in(bytes)
        && !prose
        && (stats.spaces >= 3 && stats.upper == 0
            || stats.digits > 0 && stats.signs > 0
            || stats.spaces >= 3 && stats.digits > 0
            || stats.digits >= 2 && stats.spaces == 1)
}

/// Words in a name: of a certain secret, of a place that stores secrets, of something with a
/// digest, of a key that may be a UUID.
static STRONG_SECRET_WORDS: WordSet =
    word_set!(["secret", "credential", "credentials", "geheimnis"]);
static SECRET_STORE_WORDS: WordSet = word_set!(["secrets", "manager"]);
static DIGEST_WORDS: WordSet = word_set!(["commit", "sha", "etag", "trace", "id"]);
static KEY_WORDS: WordSet = word_set!(["token", "key", "apikey"]);

/// Whether the value of a secret's name is a secret.
fn is_named_secret(name: &FieldName<'_>, candidate: &CandidateValue, bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    // The name of the next column.
    if candidate.syntax == Syntax::Cell && stats.digits == 0 && SECRET_WORDS.occurs_in(bytes) {
        return false;
    }
    if stats.spaces > 0
        || stats.beyond > 0
        || char_stats::is_technical_term(bytes)
        || bytes.len() < 6
    {
        return false;
    }
    let words = || field_names::split_identifier(name.text.slice(name.start, name.end));
    let strong = words().any(|w| STRONG_SECRET_WORDS.contains_ignore_case(w))
        && !words().any(|w| SECRET_STORE_WORDS.contains_ignore_case(w));
    let letters = stats.lower + stats.upper;
    let identifier = bytes
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    let of_words = identifier
        && bytes
            .split(|b| matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
            .all(|part| part.len() <= 14 && !char_stats::looks_like_password(part))
        && stats.digits <= 2;
    if char_stats::is_digest(bytes) {
        return bytes.len() >= 32
            && !field_names::split_identifier(name.head())
                .any(|w| DIGEST_WORDS.contains_ignore_case(w))
            && (!char_stats::is_uuid(bytes)
                || strong
                || words().any(|w| KEY_WORDS.contains_ignore_case(w)));
    }
    if char_stats::is_random(bytes) {
        return true;
    }
    let written = matches!(
        candidate.syntax,
        Syntax::Quoted | Syntax::Line | Syntax::Argument | Syntax::Cell | Syntax::Query
    );
    if strong {
        let quoted_word = written && bytes.len() >= 8 && !of_words;
        return quoted_word || char_stats::looks_like_password(bytes) && bytes.len() >= 6;
    }
    // A token or an API key: letters and digits, long enough.
    let solid = stats.digits >= 2
        && letters >= 2
        && bytes.len() >= 10
        && char_stats::distinct_bytes(bytes) >= 6;
    solid && !of_words || stats.digits >= 8 && bytes.len() >= 16
}

/// Whether the value of a key's name is a key.
fn is_key(name: &FieldName<'_>, bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    if stats.spaces > 0
        || stats.beyond > 0
        || bytes.len() < 16
        || bytes.iter().any(|b| matches!(b, b'/' | b':' | b',')) && bytes.len() < 30
    {
        return false;
    }
    let has_secret_prefix = crate::privacy::secrets::affixes::is_secret_key_prefix(name.head());
    if char_stats::is_digest(bytes) {
        return has_secret_prefix && bytes.len() >= 32;
    }
    // `node-modules-v2-0d757aa3…`: a cache key with a digest at its end.
    let mut parts = bytes.rsplit(|&b| b == b'-');
    let cached = parts.next().is_some_and(char_stats::is_digest) && parts.next().is_some();
    if cached && !char_stats::is_uuid(bytes) {
        return false;
    }
    let solid = bytes.len() >= 20
        && stats.digits >= 3
        && stats.lower + stats.upper >= 3
        && char_stats::distinct_bytes(bytes) >= 10
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !char_stats::looks_like_words(bytes);
    (char_stats::is_random(bytes)
        || has_secret_prefix
            && bytes.len() >= 20
            && !char_stats::looks_like_words(bytes)
            && stats.digits > 0)
        && (has_secret_prefix
            || solid
            || name.is_upper() && bytes.len() >= 20
            || bytes.len() >= 32
                && stats.upper > 0
                && stats.lower > 0
                && !bytes.contains(&b'/')
                && !bytes.contains(&b'.'))
}

/// Types in schemas after `password:`.
#[rustfmt::skip]
static TYPE_WORDS: WordSet = word_set!([
    "string", "str", "text", "varchar", "char", "bytes", "bool", "boolean", "int", "integer", "number", "any", "object",
    "optional", "secretstr", "securestring", "secretstring", "password", "required", "nullable", "unique", "true", "false",
    "null", "none", "nil", "void", "unknown", "never", "buffer", "uint8array", "func", "function", "def", "const", "let",
    "var", "new", "await", "async", "return", "if", "else", "and", "or", "not", "in", "self", "this", "yes", "no",
    "plaintext", "hashed", "encrypted", "bcrypt", "argon2", "scrypt", "rocket", "is", "was", "must", "should", "missing",
    "z", "yup", "joi", "faker", "graphql", "schema", "field", "column", "charfield", "textfield", "stringfield", "binary",
    "file", "stdin", "env", "prompt", "ask", "interactive", "random", "auto", "generated",
]);

/// Labels of password fields.
#[rustfmt::skip]
static FORM_LABELS: WordSet = word_set!([
    "password", "passwort", "kennwort", "passwd", "contraseña", "senha", "wachtwoord", "parola", "email", "username",
    "login", "required", "optional", "description", "type", "value", "default", "string", "notes", "comment", "yes", "no",
    "none", "name", "field", "secret", "token", "example", "n/a", "user", "admin", "role", "hash", "hashed", "encrypted",
    "hidden", "submit", "text", "invalid", "incorrect", "wrong", "expired", "missing", "changed", "reset", "weak", "strong",
    "medium", "forgotten", "failed", "ok", "ok.", "error", "success", "accepted", "rejected", "denied", "unset", "set",
    "stored", "saved", "disabled", "enabled", "unchanged", "prompt", "show", "hide", "authentication", "authorization",
    "protected", "mandatory", "obligatorio", "erforderlich", "requis", "verplicht",
]);
