//! Values that are not secrets themselves: placeholders of documentation, references to a secret
//! stored elsewhere, masks.

use crate::privacy::scan::bytes::{find, to_lowercase};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::wordlike::stands_as_word;

/// Values that are placeholders as a whole, in lower case.
#[rustfmt::skip]
static EMPTY_VALUES: WordSet = word_set!([
    "", "null", "none", "nil", "undefined", "true", "false", "yes", "no", "on", "off", "n/a", "na", "tbd", "todo", "fixme", "password",
    "passwd", "pass", "pwd", "passwort", "secret", "token", "key", "apikey", "api_key", "api-key", "value", "string", "str", "text",
    "test", "example", "foo", "bar", "baz", "foobar", "xxx", "abc", "default", "empty", "blank", "unset", "hidden", "masked", "redacted",
    "removed", "filtered", "required", "optional", "secret_key", "access_token", "my-secret", "mysecret", "my_secret", "mypassword",
    "my_password", "my-password", "some_password", "some-secret", "contraseña", "senha", "пароль", "geheim", "user", "username", "login",
    "name", "email", "bearer", "basic", "auto", "generated", "random", "new", "old", "same", "here", "below", "above", "unknown",
    "missing", "invalid", "incorrect", "wrong", "expired", "sha256", "sha512", "md5", "bcrypt", "argon2", "argon2id", "aes", "aes256",
    "hs256", "rs256", "base64", "utf8", "utf-8", "plain", "plaintext", "md5sum", "oauth2", "oauth", "jwt", "2fa", "mfa", "ldap", "saml",
    "oidc", "pam", "not-set", "not set", "not_set", "notset", "scram-sha-256", "mysql_native_password",
    "caching_sha2_password", "sha256_password",
]);

/// Parts that mark a placeholder, in lower case.
#[rustfmt::skip]
static DUMMY_PARTS: WordSet = word_set!([
    "your", "****", "....", "…", "example", "placeholder", "changeme", "change_me", "change-me", "change this", "redacted",
    "insert", "replace", "dummy", "todo", "fixme", "_here", "-here", " here", "enter_", "enter-", "masked", "removed", "filtered",
    "sanitized", "censored", "goes_here", "put_", "put-", "notreal", "not-a-real", "not_a_real", "not-real", "fake_", "fake-", "sample",
    "••", "●●", "[email", "<secret", "<pass", "<token", "_placeholder", "tutorial", "#####", "-----", "_____", "deadbeefdeadbeef",
    "00000000000", "-goes-", "supersecretkey", "lorem",
]);

/// Those of the parts that must begin a word.
static WORD_START_PARTS: WordSet = word_set!([
    "enter_", "enter-", "put_", "put-", "insert", "replace", "sample", "masked", "removed",
    "filtered", "lorem", "todo", "fake_", "fake-", "dummy", "your",
]);

/// Prefixes of references to a secret stored elsewhere.
#[rustfmt::skip]
static REFERENCE_PREFIXES: WordSet = word_set!([
    "$", "\\$", "%", "{{", "{%", "<%", "#{", "@{", "&{", "${", "op://", "vault:", "vault://", "env:", "env.", "env(", "env[", "file:", "file://",
    "keyring:", "ref+", "ref:", "secretref:", "awssm://", "gcpsm://", "ssm:", "arn:", "projects/", "secretsmanager", "!ref", "!sub",
    "!secret", "!vault", "!env", "!getatt", "enc[", "ansible_vault", "process.env", "import.meta", "os.environ", "os.getenv", "getenv",
    "std::env", "env!", "system.getenv", "system.getproperty", "settings.", "config.", "conf.", "self.", "this.", "args.", "opts.",
    "options.", "params.", "props.", "secrets.", "vars.", "var.", "local.", "data.", "module.", "req.", "request.", "ctx.", "app.",
    "user.", "http://", "https://", "./", "../", "~/", "/run/", "/etc/", "/var/", "/home/", "/path", "c:\\", "sha256:", "sha512-",
    "sha384-", "sha1:", "data:", "ssh-rsa", "ssh-ed25519", "env::", "viper.", "credentials(", "secret(", "base64:…", "conjur", "kms:",
    "akv://", "azurekv", "lookup(",
]);

/// Whether one of the parts occurs as a word, and not by chance inside a key.
fn has_dummy_part(value: &[u8]) -> bool {
    DUMMY_PARTS.any_in(value, |i, part| {
        // Some of them occur by chance inside another word: `cENTER-9`.
        let inside = || {
            i.checked_sub(1)
                .and_then(|p| value.get(p))
                .is_some_and(u8::is_ascii_alphabetic)
        };
        !(WORD_START_PARTS.contains(part) && inside()
            || part.ends_with("here") && value.len() > i + part.len())
            && stands_as_word(value, i, part)
    })
}

/// `xxxx` or `XXXX`. In mixed case it occurs by chance in random text.
fn has_run_of_x(value: &[u8]) -> bool {
    find(value, b"xxxx").is_some() || find(value, b"XXXX").is_some()
}

/// Whether it is a regular expression: `[a-z0-9]{8,}`, `^\\w+$`.
fn is_regex(lower: &[u8]) -> bool {
    if !lower
        .iter()
        .any(|b| matches!(b, b'(' | b'-' | b'\\' | b'*' | b'['))
    {
        return false;
    }
    find(lower, b"(?:").is_some()
        || find(lower, b"(?=").is_some()
        || [&b"a-z"[..], b"0-9]", b"\\w", b"\\d", b".*", b"[^"]
            .iter()
            .filter(|sign| find(lower, sign).is_some())
            .count()
            >= if lower.starts_with(b"^") || lower.starts_with(b"/^") || lower.contains(&b'[') {
                1
            } else {
                2
            }
}

/// Whether a value is a placeholder, a mask or a reference.
pub(in crate::privacy) fn is_dummy_value(value: &[u8]) -> bool {
    if value.contains(&b'[') && !crate::privacy::placeholders::placeholder_spans(value).is_empty() {
        return true;
    }
    let lower = to_lowercase(value);
    let lower = lower.trim();
    if EMPTY_VALUES.contains(lower)
        || REFERENCE_PREFIXES
            .find(lower.as_bytes(), |start| {
                lower.starts_with(start)
                    && !(start == "$" && looks_like_dollar_secret(lower))
                    && !(start == "%"
                        && !lower.trim_end_matches(['%', 's']).is_empty()
                        && !lower.ends_with('%')
                        && !lower.starts_with("%("))
            })
            .is_some()
    {
        return true;
    }
    if has_dummy_part(value.trim_ascii()) || has_run_of_x(value) || is_regex(lower.as_bytes()) {
        return true;
    }
    let first = lower.chars().next().unwrap_or(' ');
    let last = lower.chars().next_back().unwrap_or(' ');
    let inside =
        || lower.trim_matches(['<', '>', '[', ']', '{', '}', '(', ')', '_', '%', ':', '@']);
    let wrapped = matches!(
        (first, last),
        ('<', '>') | ('[', ']') | ('{', '}') | ('%', '%') | ('_', '_') | ('(', ')') | ('@', '@')
    );
    let words = || {
        inside().chars().all(|c| {
            c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '|' | '\'' | '"' | ',' | '?')
        })
    };
    if wrapped
        && words()
        && (first != '_' || inside().chars().all(|c| c.is_alphabetic() || c == '_'))
    {
        return true;
    }
    // `:password` and `@password` are bound parameters.
    if matches!(first, ':' | '@' | '?') && inside().chars().all(|c| c.is_alphabetic() || c == '_') {
        return true;
    }
    let distinct = distinct_capped(lower.as_bytes());
    distinct <= 1 && !(lower.len() >= 6 && lower.bytes().all(|b| matches!(b, b'1'..=b'9')))
        || (distinct <= 2 && lower.len() >= 8 && !lower.bytes().any(|b| b.is_ascii_digit()))
}

/// The number of different bytes in a value, counted up to two.
fn distinct_capped(value: &[u8]) -> usize {
    let Some(&one) = value.first() else { return 0 };
    let Some(&other) = value.iter().find(|&&b| b != one) else {
        return 1;
    };
    if value.iter().all(|&b| b == one || b == other) {
        2
    } else {
        3
    }
}

/// Whether a value with `$` is a secret: `$2b$12$…` and `$ecret9` are, `$VAR`, `${VAR}`, `$(cmd)`
/// and `$1` are not.
fn looks_like_dollar_secret(lower: &str) -> bool {
    let rest = lower.get(1..).unwrap_or_default();
    // Only positional parameters of a script begin with a digit.
    let within = rest
        .as_bytes()
        .windows(2)
        .filter(|w| matches!(w, [b'0'..=b'9', b'a'..=b'z']))
        .count();
    if rest.len() > 3
        && (rest.starts_with(|c: char| c.is_ascii_digit()) || within >= 2)
        && !rest.contains('_')
    {
        return true;
    }
    let variable = rest.starts_with(['{', '('])
        || rest.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '_' | ':' | '.' | '>' | '-' | '[' | ']' | '\'' | '"')
        });
    !variable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dummy_values_are_not_secrets() {
        for value in [
            "changeme",
            "<your password>",
            "${DB_PASSWORD}",
            "$PASSWORD",
            "{{ pw }}",
            "xxxxxxxx",
            "********",
            "[PASSWORD_1]",
            "%PASSWORD%",
            "%s",
            "op://vault/x",
            "process.env.TOKEN",
            "null",
            "your-key-here",
            ":password",
            "/run/secrets/db",
            "%(pw)s",
            "$(pass show x)",
        ] {
            assert!(is_dummy_value(value.as_bytes()), "{value}");
        }
        for value in [
            "hunter2",
            "Tr0ub4dor&3",
            "$ecr3t!",
            "p@ssw0rd",
            "letmein",
            "admin123",
            "%tgB6yhn",
            "[x9#k!2",
            "(S3cure)!",
            "correcthorse",
        ] {
            assert!(!is_dummy_value(value.as_bytes()), "{value}");
        }
    }
}
