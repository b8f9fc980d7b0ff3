//! Judgement: whether the value beside a telling name is a secret.

use super::assign::{Name, Syntax};
use super::found::Found;
use super::names::{self, Word};
use super::text::{Text, find};
use super::value;

/// Whether the value beside a name is a secret.
pub(super) fn is_secret(text: Text<'_>, name: &Name<'_>, found: &Found) -> bool {
    let bytes = text.cut(found.start, found.end);
    let made = value::made(bytes);
    if made.length < 3 || value::is_placeholder(bytes) || is_own_name(name, bytes) || is_plumbing(bytes, &made) {
        return false;
    }
    let quoted = found.syntax == Syntax::Quoted;
    if !quoted && found.syntax != Syntax::Cell && value::is_code(bytes) {
        return false;
    }
    match name.word {
        Word::Password => password(text, name, found, bytes),
        Word::Pass | Word::Pair => {
            (password(text, name, found, bytes)
                && (value::is_striking(bytes)
                    || (quoted || found.syntax == Syntax::Line && name.is_upper()) && made.spaces == 0 && name.start < name.at))
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

/// Signs and nothing else, a type of C, an option of a mount: `?;`, `__u32`, `id=mysecret,src=file`.
fn is_plumbing(bytes: &[u8], made: &value::Made) -> bool {
    let option = bytes.iter().position(|&b| b == b'=').and_then(|p| bytes.get(..p));
    made.lower + made.upper + made.digits + made.beyond == 0 && made.signs <= 4
        || bytes.starts_with(b"__") && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        || option.is_some_and(|word| matches!(word, b"id" | b"type" | b"src" | b"source" | b"name" | b"env" | b"from" | b"file"))
}

/// `"password": "password_field"`, `token = token_value`: a value that only repeats the name.
fn is_own_name(name: &Name<'_>, bytes: &[u8]) -> bool {
    let own = name.text.cut(name.start, name.end);
    bytes.eq_ignore_ascii_case(own) || bytes.eq_ignore_ascii_case(name.text.cut(name.at, name.to))
}

/// Whether a value beside the name of a password is one.
fn password(text: Text<'_>, name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    let plain_word = made.length == made.lower + made.upper + made.beyond;
    match found.syntax {
        Syntax::Quoted => {
            if made.spaces > 0 {
                return passphrase(bytes, &made);
            }
            let label = plain_word
                && made.upper == 1
                && bytes.first().is_some_and(u8::is_ascii_uppercase)
                && LABELS.contains(&bytes.to_ascii_lowercase().as_slice());
            let mention = bytes.iter().all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
                && ["password", "passwd", "secret", "token", "credential"]
                    .iter()
                    .any(|w| find(&bytes.to_ascii_lowercase(), w.as_bytes()).is_some())
                && !value::is_striking(bytes);
            let pattern = bytes.starts_with(b"^") || bytes.starts_with(b"/^") || bytes.windows(3).any(|w| w == b"(?=" || w == b"[a-");
            let digest = value::is_digest(bytes) && !names::words(name.head()).iter().any(|w| w == "db");
            let other = label || mention || pattern || found.wrapped_word(plain_word) || digest && made.length == 36;
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
                && !TYPES.contains(&bytes.to_ascii_lowercase().as_slice())
        }
        Syntax::Cell => {
            let words = made.spaces > 0;
            !words
                && !LABELS.contains(&bytes.to_ascii_lowercase().as_slice())
                && !(plain_word && (made.upper == 1 || made.length < 5 || text.before(found.start) == b'\t'))
                && !bytes.iter().all(|&b| matches!(b, b'-' | b':' | b' '))
        }
        Syntax::Bare => bare_password(text, found, bytes, plain_word),
    }
}

impl Found {
    /// A plain word as the argument of a call is a name of something more often than a value.
    fn wrapped_word(&self, plain_word: bool) -> bool {
        self.wrapped && plain_word
    }
}

/// `password: hunter2`, `password = hunter2`
fn bare_password(text: Text<'_>, found: &Found, bytes: &[u8], plain_word: bool) -> bool {
    let lower = bytes.to_ascii_lowercase();
    if TYPES.contains(&lower.as_slice()) || LABELS.contains(&lower.as_slice()) || value::is_term(bytes) {
        return false;
    }
    if bytes.first().is_some_and(|b| matches!(b, b'{' | b'[' | b'(' | b'<' | b'|' | b'/' | b'\\' | b'\'')) && !value::is_striking(bytes) {
        return false;
    }
    // A cast of C.
    if bytes.first() == Some(&b'(') && bytes.iter().skip(1).all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'*' | b' ')) {
        return false;
    }
    let line_end = text.line_end(found.end, 200);
    let rest = text.cut(found.end, line_end);
    let alone = rest.iter().all(u8::is_ascii_whitespace) || rest.trim_ascii_start().starts_with(b"#") || rest.starts_with(b"\\n");
    if plain_word {
        // A variable is followed by the signs of code; the word of a sentence by other words.
        let made = value::made(bytes);
        let capital = made.upper == 1 && bytes.first().is_some_and(u8::is_ascii_uppercase);
        // `user, password = split`: the names of several things, and a variable.
        let tuple = text.before(text.run_back(found.start, 3, |b| b == b' ')) == b'=' && {
            let line = text.cut(text.line_start(found.start, 80), found.start);
            line.windows(2).any(|w| w == b", ")
        };
        return alone && !tuple && made.length >= 4 && !capital && !super::vocabulary::is_common(&lower) && made.beyond == 0;
    }
    value::is_striking(bytes)
        || alone && value::made(bytes).digits > 0 && bytes.len() >= 4
        || bytes.iter().all(u8::is_ascii_digit) && bytes.len() >= 4
}

/// Several words in quotes as one passphrase, not a sentence of a program.
fn passphrase(bytes: &[u8], made: &value::Made) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let says = [
        "password",
        "passwort",
        "please",
        "must",
        "enter",
        "invalid",
        "required",
        "incorrect",
        "your",
        "forgot",
        "the ",
        "is ",
        "not ",
        "cannot",
        "contraseña",
        "mot de passe",
        "confirm",
        "new ",
        "character",
        "at least",
        "optional",
        "used ",
        " for ",
        " of ",
        " to ",
    ]
    .iter()
    .any(|w| find(&lower, w.as_bytes()).is_some());
    let prose = bytes.ends_with(b".") || bytes.ends_with(b":") || bytes.ends_with(b"?") || bytes.ends_with(b"...");
    !says
        && !prose
        && (made.spaces >= 3 && made.upper == 0
            || made.digits > 0 && made.signs > 0
            || made.spaces >= 3 && made.digits > 0
            || made.digits >= 2 && made.spaces == 1)
}

/// Whether a value beside the name of a secret is one.
fn secret(name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    if made.spaces > 0 || made.beyond > 0 || value::is_term(bytes) || bytes.len() < 6 {
        return false;
    }
    let words = names::words(name.text.cut(name.start, name.end));
    let strong = words.iter().any(|w| matches!(w.as_str(), "secret" | "credential" | "credentials" | "geheimnis"))
        && !words.iter().any(|w| matches!(w.as_str(), "secrets" | "manager"));
    let letters = made.lower + made.upper;
    let identifier = bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    let of_words = identifier
        && bytes.split(|b| matches!(b, b'_' | b'-' | b'.' | b'/' | b':')).all(|part| part.len() <= 14 && !value::is_striking(part))
        && made.digits <= 2;
    if value::is_digest(bytes) {
        return bytes.len() >= 32
            && !names::words(name.head()).iter().any(|w| matches!(w.as_str(), "commit" | "sha" | "etag" | "trace" | "id"))
            && (!value::is_uuid(bytes) || strong || words.iter().any(|w| w == "token" || w == "key" || w == "apikey"));
    }
    if value::is_random(bytes) {
        return true;
    }
    let written = matches!(found.syntax, Syntax::Quoted | Syntax::Line | Syntax::Argument | Syntax::Cell | Syntax::Query);
    if strong {
        let quoted_word = written && bytes.len() >= 8 && !of_words;
        return quoted_word || value::is_striking(bytes) && bytes.len() >= 6;
    }
    // A token, an API key: letters and digits, of some length.
    let solid = made.digits >= 2 && letters >= 2 && bytes.len() >= 10 && made.distinct >= 6;
    solid && !of_words || made.digits >= 8 && bytes.len() >= 16
}

/// Whether a value beside the name of a key is one.
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
    // `node-modules-v2-0d757aa3…`: the key of something kept, with a digest at its end.
    let mut parts = bytes.rsplit(|&b| b == b'-');
    let cached = parts.next().is_some_and(value::is_digest) && parts.next().is_some();
    if cached && !value::is_uuid(bytes) {
        return false;
    }
    let solid = bytes.len() >= 20
        && made.digits >= 3
        && made.lower + made.upper >= 3
        && made.distinct >= 10
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !value::is_wordy(bytes);
    (value::is_random(bytes) || told && bytes.len() >= 20 && !value::is_wordy(bytes) && made.digits > 0)
        && (told
            || solid
            || name.is_upper() && bytes.len() >= 20
            || bytes.len() >= 32 && made.upper > 0 && made.lower > 0 && !bytes.contains(&b'/') && !bytes.contains(&b'.'))
}

/// What stands behind `password:` in schemas and types.
#[rustfmt::skip]
const TYPES: &[&[u8]] = &[
    b"string", b"str", b"text", b"varchar", b"char", b"bytes", b"bool", b"boolean", b"int", b"integer", b"number", b"any", b"object",
    b"optional", b"secretstr", b"securestring", b"secretstring", b"password", b"required", b"nullable", b"unique", b"true", b"false",
    b"null", b"none", b"nil", b"void", b"unknown", b"never", b"buffer", b"uint8array", b"func", b"function", b"def", b"const", b"let",
    b"var", b"new", b"await", b"async", b"return", b"if", b"else", b"and", b"or", b"not", b"in", b"self", b"this", b"yes", b"no",
    b"plaintext", b"hashed", b"encrypted", b"bcrypt", b"argon2", b"scrypt", b"rocket", b"is", b"was", b"must", b"should", b"missing",
    b"z", b"yup", b"joi", b"faker", b"graphql", b"schema", b"field", b"column", b"charfield", b"textfield", b"stringfield", b"binary",
    b"file", b"stdin", b"env", b"prompt", b"ask", b"interactive", b"random", b"auto", b"generated",
];

/// What fields for passwords are labelled with.
#[rustfmt::skip]
const LABELS: &[&[u8]] = &[
    b"password", b"passwort", b"kennwort", b"passwd", b"contrase\xc3\xb1a", b"senha", b"wachtwoord", b"parola", b"email", b"username",
    b"login", b"required", b"optional", b"description", b"type", b"value", b"default", b"string", b"notes", b"comment", b"yes", b"no",
    b"none", b"name", b"field", b"secret", b"token", b"example", b"n/a", b"user", b"admin", b"role", b"hash", b"hashed", b"encrypted",
    b"hidden", b"submit", b"text", b"invalid", b"incorrect", b"wrong", b"expired", b"missing", b"changed", b"reset", b"weak", b"strong",
    b"medium", b"forgotten", b"failed", b"ok", b"ok.", b"error", b"success", b"accepted", b"rejected", b"denied", b"unset", b"set",
    b"stored", b"saved", b"disabled", b"enabled", b"unchanged", b"prompt", b"show", b"hide", b"authentication", b"authorization",
    b"protected", b"mandatory", b"obligatorio", b"erforderlich", b"requis", b"verplicht",
];
