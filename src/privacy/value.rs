//! Values: whether what stands beside a telling name is a secret, or a placeholder, a reference, code, a word.

use super::lexicon::{Lexicon, lexicon};
use super::text::{find, lowered};

/// What a value is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) length: usize,
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    /// Everything else of ASCII but spaces.
    pub(super) signs: usize,
    pub(super) spaces: usize,
    /// Bytes beyond ASCII.
    pub(super) beyond: usize,
    /// How many different bytes.
    pub(super) distinct: usize,
    /// Changes between letters, capitals and digits.
    pub(super) changes: usize,
}

/// Counts what a value is made of.
pub(super) fn made(value: &[u8]) -> Made {
    let mut made = Made { length: value.len(), ..Made::default() };
    let mut seen = [0u64; 4];
    let mut last = 0u8;
    for &b in value {
        let class = match b {
            b'a'..=b'z' => {
                made.lower += 1;
                1
            }
            b'A'..=b'Z' => {
                made.upper += 1;
                2
            }
            b'0'..=b'9' => {
                made.digits += 1;
                3
            }
            b' ' | b'\t' => {
                made.spaces += 1;
                4
            }
            0x80.. => {
                made.beyond += 1;
                5
            }
            _ => {
                made.signs += 1;
                6
            }
        };
        made.changes += usize::from(class != last && last != 0);
        last = class;
        if let Some(word) = seen.get_mut(usize::from(b >> 6)) {
            *word |= 1 << (b & 63);
        }
    }
    made.distinct = seen.iter().map(|word| word.count_ones()).sum::<u32>().try_into().unwrap_or(0);
    made
}

/// Shannon's entropy in bits a character.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &b in value {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(value.len().max(1)).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = f64::from(count) / length;
            -share * share.log2()
        })
        .sum()
}

/// Values that say of themselves that they are none, whole and in lower case.
#[rustfmt::skip]
static NOTHING: Lexicon = lexicon!([
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

/// Parts by which a value says that it is a placeholder, in lower case.
#[rustfmt::skip]
static PLACEHOLDER_PARTS: Lexicon = lexicon!([
    "your", "****", "....", "…", "example", "placeholder", "changeme", "change_me", "change-me", "change this", "redacted",
    "insert", "replace", "dummy", "todo", "fixme", "_here", "-here", " here", "enter_", "enter-", "masked", "removed", "filtered",
    "sanitized", "censored", "goes_here", "put_", "put-", "notreal", "not-a-real", "not_a_real", "not-real", "fake_", "fake-", "sample",
    "••", "●●", "[email", "<secret", "<pass", "<token", "_placeholder", "tutorial", "#####", "-----", "_____", "deadbeefdeadbeef",
    "00000000000", "-goes-", "supersecretkey", "lorem",
]);

/// Those of them that must begin a word.
static BOUNDED: Lexicon = lexicon!([
    "enter_", "enter-", "put_", "put-", "insert", "replace", "sample", "masked", "removed", "filtered", "lorem", "todo", "fake_", "fake-",
    "dummy", "your",
]);

/// Beginnings of references to a secret that is somewhere else.
#[rustfmt::skip]
static REFERENCES: Lexicon = lexicon!([
    "$", "\\$", "%", "{{", "{%", "<%", "#{", "@{", "&{", "${", "op://", "vault:", "vault://", "env:", "env.", "env(", "env[", "file:", "file://",
    "keyring:", "ref+", "ref:", "secretref:", "awssm://", "gcpsm://", "ssm:", "arn:", "projects/", "secretsmanager", "!ref", "!sub",
    "!secret", "!vault", "!env", "!getatt", "enc[", "ansible_vault", "process.env", "import.meta", "os.environ", "os.getenv", "getenv",
    "std::env", "env!", "system.getenv", "system.getproperty", "settings.", "config.", "conf.", "self.", "this.", "args.", "opts.",
    "options.", "params.", "props.", "secrets.", "vars.", "var.", "local.", "data.", "module.", "req.", "request.", "ctx.", "app.",
    "user.", "http://", "https://", "./", "../", "~/", "/run/", "/etc/", "/var/", "/home/", "/path", "c:\\", "sha256:", "sha512-",
    "sha384-", "sha1:", "data:", "ssh-rsa", "ssh-ed25519", "env::", "viper.", "credentials(", "secret(", "base64:…", "conjur", "kms:",
    "akv://", "azurekv", "lookup(",
]);

/// Whether one of the parts stands anywhere in a value in lower case.
fn has_placeholder_part(lower: &[u8]) -> bool {
    (0..lower.len()).any(|i| {
        let rest = lower.get(i..).unwrap_or_default();
        // Inside another word some of them come by chance: `cENTER-9`.
        let inside = || i.checked_sub(1).and_then(|p| lower.get(p)).is_some_and(u8::is_ascii_alphabetic);
        PLACEHOLDER_PARTS
            .find(rest, |part| {
                rest.starts_with(part.as_bytes())
                    && !(BOUNDED.has(part) && inside())
                    && !(part.ends_with("here") && rest.len() > part.len())
            })
            .is_some()
    })
}

/// `xxxx` and `XXXX`, in one case: in random text they come by chance in mixed case.
fn has_run_of_x(value: &[u8]) -> bool {
    value.windows(4).any(|w| w == b"xxxx" || w == b"XXXX")
}

/// A regular expression: `[a-z0-9]{8,}`, `^\\w+$`.
fn is_pattern(lower: &[u8]) -> bool {
    find(lower, b"(?:").is_some()
        || find(lower, b"(?=").is_some()
        || [&b"a-z"[..], b"0-9]", b"\\w", b"\\d", b".*", b"[^"].iter().filter(|sign| find(lower, sign).is_some()).count()
            >= if lower.starts_with(b"^") || lower.starts_with(b"/^") || lower.contains(&b'[') { 1 } else { 2 }
}

/// Whether a value stands for another or says that it is none.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    if value.contains(&b'[') && !super::placeholders::spans(value).is_empty() {
        return true;
    }
    let lower = lowered(value);
    let lower = lower.trim();
    if NOTHING.has(lower)
        || REFERENCES
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
    if has_placeholder_part(lower.as_bytes()) || has_run_of_x(value) || is_pattern(lower.as_bytes()) {
        return true;
    }
    let first = lower.chars().next().unwrap_or(' ');
    let last = lower.chars().next_back().unwrap_or(' ');
    let inside = lower.trim_matches(['<', '>', '[', ']', '{', '}', '(', ')', '_', '%', ':', '@']);
    let wrapped = matches!((first, last), ('<', '>') | ('[', ']') | ('{', '}') | ('%', '%') | ('_', '_') | ('(', ')'));
    let words = inside.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '|' | '\'' | '"' | ',' | '?'));
    if wrapped && words && (first != '_' || inside.chars().all(|c| c.is_alphabetic() || c == '_')) {
        return true;
    }
    // `:password` and `@password` are bound parameters.
    if matches!(first, ':' | '@' | '?') && inside.chars().all(|c| c.is_alphabetic() || c == '_') {
        return true;
    }
    let distinct = made(lower.as_bytes()).distinct;
    distinct <= 1 && !(lower.len() >= 6 && lower.bytes().all(|b| matches!(b, b'1'..=b'9')))
        || (distinct <= 2 && lower.len() >= 8 && !lower.bytes().any(|b| b.is_ascii_digit()))
}

/// `$2b$12$…` and `$ecret9` are values, `$VAR`, `${VAR}`, `$(cmd)` and `$1` are not.
fn looks_like_dollar_secret(lower: &str) -> bool {
    let rest = lower.get(1..).unwrap_or_default();
    // No variable begins with a digit, but for those of a script's arguments.
    if rest.len() > 3 && rest.starts_with(|c: char| c.is_ascii_digit()) {
        return true;
    }
    let variable = rest.starts_with(['{', '('])
        || rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '>' | '-' | '[' | ']' | '\'' | '"'));
    !variable
}

/// Hex digits of the length of a hash, a UUID, or an encoded hash with its name before it.
pub(super) fn is_digest(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    (hex && matches!(value.len(), 7 | 8 | 12 | 32 | 40 | 56 | 64 | 96 | 128)) || is_uuid(value)
}

/// Eight, four, four, four and twelve hex digits.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Whether a value is made of words: `user_authentication_key_2`, `HTTP2ServerConnection`.
pub(super) fn is_wordy(value: &[u8]) -> bool {
    let (mut pieces, mut letters, mut long) = (0usize, 0usize, 0usize);
    for part in value.split(|b| !b.is_ascii_alphanumeric()) {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        if digits > 2 && digits < part.len() || digits > 4 {
            return false;
        }
        for word in super::names::words(part) {
            pieces += 1;
            letters += word.len();
            long += usize::from(
                word.len() > 18 || word.len() > 4 && !word.bytes().any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')),
            );
        }
    }
    pieces > 0 && long == 0 && letters * 2 >= pieces * 7
}

/// Whether a value looks as if it was drawn by lot: many kinds of characters, many changes between them, much entropy.
pub(super) fn is_random(value: &[u8]) -> bool {
    if is_wordy(value) {
        return false;
    }
    let made = made(value);
    if made.length < 16 || made.spaces > 0 || made.digits == 0 || made.lower + made.upper == 0 {
        return made.length >= 24
            && made.spaces == 0
            && made.lower > 4
            && made.upper > 4
            && made.changes * 4 > made.length
            && entropy(value) > 3.8;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let least = if hex { 2.6 } else { 3.0 };
    let broken = made.changes * 6 >= made.length || made.length >= 20 && made.changes >= 4 && entropy(value) > 3.7;
    broken && entropy(value) >= least
}

/// Whether a value without quotes is an expression: a call, a member, an index, a variable with a telling name.
pub(super) fn is_code(value: &[u8]) -> bool {
    // `secrets[0`, `password:`: what the punctuation was cut off from.
    let value = value.strip_suffix(b":").unwrap_or(value);
    let index = value.iter().position(|&b| b == b'[').filter(|&p| p > 0);
    if index.is_some_and(|p| {
        value.iter().take(p).all(|&b| b.is_ascii_alphabetic() || b == b'_')
            && value.iter().skip(p + 1).all(|b| b.is_ascii_alphanumeric() || *b == b']')
    }) {
        return true;
    }
    let has = |signs: &[u8]| value.windows(signs.len()).any(|w| w == signs);
    if value.contains(&b'(')
        && value.first() != Some(&b'(')
        && value
            .iter()
            .take_while(|&&b| b != b'(')
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'<' | b'>' | b'!' | b'&' | b'*' | b'$'))
    {
        return true;
    }
    // A type with its parameters.
    if value.contains(&b'<') && value.ends_with(b">") && value.first().is_some_and(u8::is_ascii_alphabetic) {
        return true;
    }
    let signed = || value.iter().any(|b| matches!(b, b':' | b'-' | b'=' | b'(' | b'$' | b'{' | b'[' | b'?'));
    if signed()
        && (has(b"::") || has(b"->") || has(b"=>") || has(b"()") || has(b"${") || has(b"{{") || has(b"[\"") || has(b"['") || has(b"?."))
    {
        return true;
    }
    if let Some(dash) = value.iter().position(|&b| b == b'-')
        && [&b"Get"[..], b"Read", b"ConvertTo", b"ConvertFrom", b"New", b"Import", b"Invoke"]
            .contains(&value.get(..dash).unwrap_or_default())
        && value.iter().skip(dash + 1).all(u8::is_ascii_alphabetic)
    {
        return true;
    }
    let identifier =
        value.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$' | b'!' | b'?' | b'&' | b'*' | b'[' | b']'))
            && !value.first().is_some_and(u8::is_ascii_digit);
    if !identifier {
        return false;
    }
    // `a.b.c`: names with points between them.
    let members = value.contains(&b'.')
        && value.split(|&b| b == b'.').all(|part| {
            part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && part.len() < 32
                && part.iter().filter(|b| b.is_ascii_digit()).count() <= 1
        })
        && is_worded(value);
    let indexed = value.ends_with(b"]") && value.contains(&b'[');
    members || indexed || (!value.iter().any(u8::is_ascii_digit) && names_itself(value))
}

/// Whether an identifier falls into words rather than into letters: `config.dbUser`, not `TXLqfh.eHEyaP`.
fn is_worded(value: &[u8]) -> bool {
    let words = super::names::words(value);
    let letters: usize = words.iter().map(String::len).sum();
    letters * 2 >= words.len() * 5
        && !words.iter().any(|w| w.len() > 4 && !w.bytes().any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')))
}

/// Whether an identifier has one of the words in it that values of secrets are called by.
fn names_itself(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"token",
        b"apikey",
        b"api_key",
        b"credential",
        b"pwd",
        b"passwort",
        b"hash",
        b"input",
        b"value",
        b"config",
        b"string",
        b"params",
        b"get",
        b"read",
        b"load",
        b"user",
        b"_key",
        b"Key",
        b"auth",
    ];
    if !value.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_') {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    WORDS.iter().any(|word| find(&lower, word).is_some())
}

/// Whether a word of a sentence is plainly not a word of the language: digits or signs inside, or capitals.
pub(super) fn is_striking(value: &[u8]) -> bool {
    let made = made(value);
    let letters = made.lower + made.upper;
    let inner_sign = value
        .get(1..value.len().saturating_sub(1))
        .unwrap_or_default()
        .iter()
        .any(|b| matches!(b, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'=' | b'~' | b'?' | b'_' | b'|'));
    let inner_capital = made.lower >= 2
        && value.windows(2).filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase())).count() >= 1;
    (letters >= 1 && made.digits >= 1 && made.length >= 4)
        || is_joined(value)
        || (inner_sign && letters + made.digits >= 3)
        || (inner_capital && made.length >= 8)
        || (made.signs >= 2 && letters >= 3 && inner_sign)
}

/// Words that speak of things, in names that are joined with dashes.
#[rustfmt::skip]
static JOINED: Lexicon = lexicon!([
    "password", "passwords", "secret", "secrets", "token", "tokens", "credentials", "manager", "service", "server", "client", "config",
    "user", "users", "name", "prod", "staging", "test", "production", "default", "cluster", "database", "account", "admin", "data",
    "volume", "value", "file", "here", "your", "with", "this", "that", "from", "reset", "login", "auth", "access", "keys", "factor",
    "sign", "time", "step", "based", "case", "page", "form", "local", "system", "network", "group", "role", "policy", "node", "modules",
]);

/// Four or more words with dashes between them, as people make passphrases.
fn is_joined(value: &[u8]) -> bool {
    let mut words = 0;
    value.len() >= 16
        && value.split(|&b| b == b'-').all(|word| {
            words += 1;
            (3..=10).contains(&word.len())
                && word.iter().skip(1).all(u8::is_ascii_lowercase)
                && word.first().is_some_and(u8::is_ascii_alphabetic)
                && !std::str::from_utf8(word).is_ok_and(|word| JOINED.has(word))
        })
        && words >= 4
}

#[rustfmt::skip]
static TERMS: Lexicon = lexicon!([
    "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512", "sha3", "md5", "base64", "base32", "oauth2", "oauth2.0", "argon2",
    "argon2id", "pbkdf2", "2fa", "utf8", "utf-8", "http2", "x509", "x.509", "pkcs8", "pkcs12", "pkcs#12", "p12", "i18n", "l10n", "s3",
    "ec2", "k8s", "aes256", "aes-256", "aes-256-gcm", "aes128", "hs256", "rs256", "es256", "ed25519", "rsa2048", "totp", "ipv4", "ipv6",
    "win10", "windows10", "py3", "python3", "node18", "node20", "postgres15", "mysql8", "web3", "1password", "keepassxc", "lastpass",
    "bitwarden", "github", "gitlab", "javascript", "typescript", "postgresql", "mysql", "mongodb", "openssl", "openid", "oauth", "saml2",
    "log4j", "macos", "ios", "wifi", "wi-fi", "linux", "openrouter", "openai", "chatgpt", "and/or", "yes/no", "on/off", "read/write",
    "i/o", "n/a", "24/7", "case-sensitive", "e-mail", "sign-in", "log-in", "12-factor", "8-character", "a-z", "0-9", "a-z0-9", "8+",
    "12+", "16+",
]);

/// Things with digits or signs in them that are written in sentences about passwords and are none.
pub(super) fn is_term(value: &[u8]) -> bool {
    let lower = lowered(value);
    if TERMS.has(&lower) {
        return true;
    }
    // Without a digit or one of these signs it is nothing below.
    if !value.iter().any(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/' | b'@' | b'%' | b'-')) {
        return false;
    }
    let made = made(value);
    let letters = made.lower + made.upper;
    let amount = made.digits > 0
        && (letters > 0 && letters <= 2 || made.length <= 2 || made.signs > 0 && letters == 0 && made.length <= 5)
        && lower.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | '~' | '<' | '>' | '=')).len() <= 2
        && made.length <= 6
        && value.first().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'<' | b'>' | b'~' | b'='));
    let numbered = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let ordinal = numbered
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
            lower.strip_suffix(unit).is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit() || c == '-' || c == '.'))
        });
    let version = lower.strip_prefix('v').unwrap_or(&lower).chars().all(|c| c.is_ascii_digit() || c == '.')
        && (lower.contains('.') || lower.starts_with('v'));
    let address = lower.contains("://")
        || lower.contains('@')
            && lower
                .rsplit('@')
                .next()
                .is_some_and(|host| host.contains('.') && !host.contains(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-'));
    let file = lower.contains('.')
        && [
            ".txt", ".md", ".py", ".js", ".ts", ".rs", ".go", ".json", ".yaml", ".yml", ".toml", ".env", ".cfg", ".conf", ".ini", ".pem",
            ".key", ".html", ".com", ".org", ".net", ".io", ".dev", ".java", ".sh", ".xml", ".sql", ".c", ".h", ".rb", ".php", ".log",
            ".csv", ".kdbx", ".zip", ".pdf", ".local",
        ]
        .iter()
        .any(|end| lower.ends_with(end));
    let fraction = lower.contains('/') && made.digits == 0;
    amount || ordinal || version || address || file || fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_references_are_no_secrets() {
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
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in
            ["hunter2", "Tr0ub4dor&3", "$ecr3t!", "p@ssw0rd", "letmein", "admin123", "%tgB6yhn", "[x9#k!2", "(S3cure)!", "correcthorse"]
        {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn random_values_are_told_from_names() {
        for value in ["9aK2mX7qLp0Zr4Tn", "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzqqwe", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        for value in ["getUserAuthenticationToken", "user_authentication_key_2", "organization-default", "HTTP2ServerConnection"] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn code_is_told_from_values() {
        for value in
            ["getpass()", "os.environ[\"X\"]", "self.password", "userPassword", "Secret::new(x)", "config.db.password", "hashed_password"]
        {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "Tr0ub4dor.3xyz9", "s3cr3t!"] {
            assert!(!is_code(value.as_bytes()), "{value}");
        }
    }
}
