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

use super::assign::{Name, Syntax};
use super::found::Found;
use super::lexicon::{Lexicon, lexicon};
use super::names::{self, Word};
use super::text::Text;
use super::value;

pub(super) fn is_secret(text: Text<'_>, name: &Name<'_>, found: &Found) -> bool {
    let bytes = text.cut(found.start, found.end);
    let made = value::made(bytes);
    if made.length < 3 || value::is_placeholder(bytes) || is_own_name(name, bytes) || is_plumbing(bytes, &made) {
        return false;
    }
    let quoted = found.syntax == Syntax::Quoted;
    let set = found.syntax == Syntax::Line && (name.is_upper() || is_property(text, name)) && is_pointed(bytes);
    if !quoted && found.syntax != Syntax::Cell && !set && value::is_code(bytes) {
        return false;
    }
    match name.word {
        Word::Password => password(text, name, found, bytes),
        Word::Pass | Word::Pair => {
            (password(text, name, found, bytes)
                && (value::is_striking(bytes)
                    || (quoted || found.syntax == Syntax::Line && name.is_upper())
                        && (made.spaces == 0 || name.is_upper())
                        && name.start < name.at))
                && !value::is_term(bytes)
        }
        Word::Secret => secret(name, found, bytes),
        Word::Key => key(name, bytes, quoted),
        Word::Pin => {
            made.digits == made.length && (3..=8).contains(&made.length)
                || made.length >= 6 && made.digits >= 3 && made.spaces == 0 && made.lower == 0
        }
        Word::Opaque => value::is_random(bytes) && made.length >= 20 && !value::is_uuid(bytes) && made.spaces == 0,
        Word::Phrase => false,
    }
}

/// A name with points in it that begins its line, as in a file of properties: `spring.datasource.password=`.
pub(super) fn is_property(text: Text<'_>, name: &Name<'_>) -> bool {
    text.at(name.end) == b'=' && begins_line(text, name.start) && name.head().contains(&b'.')
}

/// Three or more small words with points between them, none of which says where a secret is: `lantern.gravel.heron`.
fn is_pointed(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&b| b == b'.');
    parts.clone().count() >= 3
        && parts.all(|part| part.len() >= 3 && part.iter().all(u8::is_ascii_lowercase) && is_plain(part) && !MENTIONED.is_in(part))
}

/// Signs and nothing else, a type of C, an option of a mount: `?;`, `__u32`, `id=mysecret,src=file`.
fn is_plumbing(bytes: &[u8], made: &value::Made) -> bool {
    let option = bytes.iter().position(|&b| b == b'=').and_then(|p| bytes.get(..p));
    made.lower + made.upper + made.digits + made.beyond == 0 && made.signs <= 4
        || bytes.starts_with(b"__") && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        || option.is_some_and(|word| matches!(word, b"id" | b"type" | b"src" | b"source" | b"name" | b"env" | b"from" | b"file"))
}

/// A value that repeats the name: `"password": "password_field"`, `token = token_value`.
fn is_own_name(name: &Name<'_>, bytes: &[u8]) -> bool {
    let own = name.text.cut(name.start, name.end);
    bytes.eq_ignore_ascii_case(own) || bytes.eq_ignore_ascii_case(name.text.cut(name.at, name.to))
}

/// Words in values that mention a secret rather than being one.
static MENTIONED: Lexicon = lexicon!(["password", "passwd", "secret", "token", "credential"]);

/// Whether the value of a password's name is a password.
fn password(text: Text<'_>, name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    let plain_word = made.length == made.lower + made.upper + made.beyond;
    match found.syntax {
        Syntax::Quoted => {
            if made.spaces > 0 {
                // `MAIL_PASSWORD="…"` in an environment file: quoted only because it contains a
                // space.
                let set = name.is_upper() && text.at(name.end) == b'=' && name.end + 2 == found.start;
                let words = bytes.split(|&b| b == b' ').filter(|word| !word.is_empty()).count();
                let words_only = || words <= 4 && bytes.split(|&b| b == b' ').all(is_plain);
                let between = text.cut(name.end, found.start);
                let upper = name.is_upper() && between.iter().all(|b| matches!(b, b'=' | b':' | b' ' | b'"' | b'\''));
                let assigned = upper || between.first() == Some(&b'=') && between.len() == 2 && begins_line(text, name.start);
                return passphrase(bytes, &made)
                    || assigned && !SAYING.is_in(bytes) && words_only()
                    || set && words <= 6 && !SAYING.is_in(bytes) && !bytes.ends_with(b".") && !bytes.ends_with(b":");
            }
            let label = plain_word && made.upper == 1 && bytes.first().is_some_and(u8::is_ascii_uppercase) && LABELS.has_folded(bytes);
            let mention = bytes.iter().all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
                && MENTIONED.is_in(bytes)
                && !value::is_striking(bytes);
            let pattern = bytes.starts_with(b"^") || bytes.starts_with(b"/^") || bytes.windows(3).any(|w| w == b"(?=" || w == b"[a-");
            let digest =
                || made.length == 36 && value::is_digest(bytes) && !names::words(name.head()).any(|w| w.eq_ignore_ascii_case(b"db"));
            let other = label || mention || pattern || found.wrapped_word(plain_word) || digest();
            !other && made.beyond * 2 < made.length.max(1) + usize::from(made.beyond < 8) * made.length
        }
        Syntax::Line | Syntax::Argument | Syntax::Query => {
            let argument = found.syntax == Syntax::Line && matches!(text.at(found.end), b')' | b',') && plain_word;
            !argument
                && !(found.syntax == Syntax::Argument
                    && (plain_word && made.upper == 1 && text.at(found.end) == b' ' && text.at(found.end + 1).is_ascii_lowercase()
                        || bytes.starts_with(b"-")
                        || bytes.starts_with(b"/")
                        || bytes.starts_with(b"[")
                        || bytes.starts_with(b"<")))
                && !TYPES.has_folded(bytes)
        }
        Syntax::Cell => {
            let words = made.spaces > 0;
            !words
                && !LABELS.has_folded(bytes)
                && !(plain_word && (made.upper == 1 || made.length < 5 || text.before(found.start) == b'\t'))
                && !bytes.iter().all(|&b| matches!(b, b'-' | b':' | b' '))
        }
        Syntax::Bare => bare_password(text, found, bytes, plain_word),
    }
}

impl Found {
    /// Whether it is a plain word as a call argument, which is more often a name than a value.
    fn wrapped_word(&self, plain_word: bool) -> bool {
        self.wrapped && plain_word
    }
}

/// `password: hunter2`, `password = hunter2`
fn bare_password(text: Text<'_>, found: &Found, bytes: &[u8], plain_word: bool) -> bool {
    if TYPES.has_folded(bytes) || LABELS.has_folded(bytes) || value::is_term(bytes) {
        return false;
    }
    if bytes.first().is_some_and(|b| matches!(b, b'{' | b'[' | b'(' | b'<' | b'|' | b'/' | b'\\' | b'\'')) && !value::is_striking(bytes) {
        return false;
    }
    // A C cast.
    if bytes.first() == Some(&b'(') && bytes.iter().skip(1).all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'*' | b' ')) {
        return false;
    }
    let line_end = text.line_end(found.end, 200);
    let rest = text.cut(found.end, line_end);
    let alone = rest.iter().all(u8::is_ascii_whitespace) || rest.trim_ascii_start().starts_with(b"#") || rest.starts_with(b"\\n");
    if plain_word {
        // A variable is followed by code, a word of a sentence by other words.
        let made = value::made(bytes);
        let capital = made.upper == 1 && bytes.first().is_some_and(u8::is_ascii_uppercase);
        // `user, password = split`: several names and a variable.
        let tuple = text.before(text.run_back(found.start, 3, |b| b == b' ')) == b'=' && {
            let line = text.cut(text.line_start(found.start, 80), found.start);
            line.windows(2).any(|w| w == b", ")
        };
        return alone
            && !tuple
            && made.length >= 4
            && !capital
            && !super::vocabulary::is_common(&bytes.to_ascii_lowercase())
            && made.beyond == 0;
    }
    value::is_striking(bytes)
        || alone && value::made(bytes).digits > 0 && bytes.len() >= 4
        || bytes.iter().all(u8::is_ascii_digit) && bytes.len() >= 4
}

/// Words typical of sentences about passwords.
#[rustfmt::skip]
static SAYING: Lexicon = lexicon!([
    "password", "passwort", "please", "must", "enter", "invalid", "required", "incorrect", "your", "forgot", "the ", "is ",
    "not ", "cannot", "contraseña", "mot de passe", "confirm", "new ", "character", "at least", "optional", "used ", " for ", " of ", " to ",
]);

/// Whether a word is made of letters and stands for nothing that messages speak of.
fn is_plain(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_alphabetic) && !super::vocabulary::is_common(&word.to_ascii_lowercase())
}

/// Whether a name begins its line.
fn begins_line(text: Text<'_>, start: usize) -> bool {
    matches!(text.before(start), 0 | b'\n' | b'\r')
}

/// Several words in quotes as one passphrase, not a sentence of a program.
fn passphrase(bytes: &[u8], made: &value::Made) -> bool {
    let prose = bytes.ends_with(b".") || bytes.ends_with(b":") || bytes.ends_with(b"?") || bytes.ends_with(b"...");
    !SAYING.is_in(bytes)
        && !prose
        && (made.spaces >= 3 && made.upper == 0
            || made.digits > 0 && made.signs > 0
            || made.spaces >= 3 && made.digits > 0
            || made.digits >= 2 && made.spaces == 1)
}

/// Words in a name: of a certain secret, of a place that stores secrets, of something with a
/// digest, of a key that may be a UUID.
static STRONG: Lexicon = lexicon!(["secret", "credential", "credentials", "geheimnis"]);
static OF_PLACES: Lexicon = lexicon!(["secrets", "manager"]);
static OF_DIGESTS: Lexicon = lexicon!(["commit", "sha", "etag", "trace", "id"]);
static OF_KEYS: Lexicon = lexicon!(["token", "key", "apikey"]);

/// Whether the value of a secret's name is a secret.
fn secret(name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    // The name of the next column.
    if found.syntax == Syntax::Cell && made.digits == 0 && MENTIONED.is_in(bytes) {
        return false;
    }
    if made.spaces > 0 || made.beyond > 0 || value::is_term(bytes) || bytes.len() < 6 {
        return false;
    }
    let words = || names::words(name.text.cut(name.start, name.end));
    let strong = words().any(|w| STRONG.has_folded(w)) && !words().any(|w| OF_PLACES.has_folded(w));
    let letters = made.lower + made.upper;
    let identifier = bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    let of_words = identifier
        && bytes.split(|b| matches!(b, b'_' | b'-' | b'.' | b'/' | b':')).all(|part| part.len() <= 14 && !value::is_striking(part))
        && made.digits <= 2;
    if value::is_digest(bytes) {
        return bytes.len() >= 32
            && !names::words(name.head()).any(|w| OF_DIGESTS.has_folded(w))
            && (!value::is_uuid(bytes) || strong || words().any(|w| OF_KEYS.has_folded(w)));
    }
    if value::is_random(bytes) {
        return true;
    }
    let written = matches!(found.syntax, Syntax::Quoted | Syntax::Line | Syntax::Argument | Syntax::Cell | Syntax::Query);
    if strong {
        let quoted_word = written && bytes.len() >= 8 && !of_words;
        return quoted_word || value::is_striking(bytes) && bytes.len() >= 6;
    }
    // A token or an API key: letters and digits, long enough.
    let solid = made.digits >= 2 && letters >= 2 && bytes.len() >= 10 && value::distinct(bytes) >= 6;
    solid && !of_words || made.digits >= 8 && bytes.len() >= 16
}

/// Whether the value of a key's name is a key.
fn key(name: &Name<'_>, bytes: &[u8], quoted: bool) -> bool {
    let made = value::made(bytes);
    if made.spaces > 0 || made.beyond > 0 || bytes.len() < 16 || bytes.iter().any(|b| matches!(b, b'/' | b':' | b',')) && bytes.len() < 30 {
        return false;
    }
    let told = super::beside::head_is_secret(name.head());
    if value::is_digest(bytes) {
        return told && bytes.len() >= 32;
    }
    let _ = quoted;
    // `node-modules-v2-0d757aa3…`: a cache key with a digest at its end.
    let mut parts = bytes.rsplit(|&b| b == b'-');
    let cached = parts.next().is_some_and(value::is_digest) && parts.next().is_some();
    if cached && !value::is_uuid(bytes) {
        return false;
    }
    let solid = bytes.len() >= 20
        && made.digits >= 3
        && made.lower + made.upper >= 3
        && value::distinct(bytes) >= 10
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !value::is_wordy(bytes);
    (value::is_random(bytes) || told && bytes.len() >= 20 && !value::is_wordy(bytes) && made.digits > 0)
        && (told
            || solid
            || name.is_upper() && bytes.len() >= 20
            || bytes.len() >= 32 && made.upper > 0 && made.lower > 0 && !bytes.contains(&b'/') && !bytes.contains(&b'.'))
}

/// Types in schemas after `password:`.
#[rustfmt::skip]
static TYPES: Lexicon = lexicon!([
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
static LABELS: Lexicon = lexicon!([
    "password", "passwort", "kennwort", "passwd", "contraseña", "senha", "wachtwoord", "parola", "email", "username",
    "login", "required", "optional", "description", "type", "value", "default", "string", "notes", "comment", "yes", "no",
    "none", "name", "field", "secret", "token", "example", "n/a", "user", "admin", "role", "hash", "hashed", "encrypted",
    "hidden", "submit", "text", "invalid", "incorrect", "wrong", "expired", "missing", "changed", "reset", "weak", "strong",
    "medium", "forgotten", "failed", "ok", "ok.", "error", "success", "accepted", "rejected", "denied", "unset", "set",
    "stored", "saved", "disabled", "enabled", "unchanged", "prompt", "show", "hide", "authentication", "authorization",
    "protected", "mandatory", "obligatorio", "erforderlich", "requis", "verplicht",
]);
