//! Words next to a secret word in the same identifier. They can make it the name of something else
//! (`password_length`) or leave it a secret's.

use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::field_names::{FieldKind, split_identifier};

/// Words after a secret word that make it the name of something else: `password_length`,
/// `token_type`, `secretName`.
#[rustfmt::skip]
static NON_SECRET_SUFFIXES: WordSet = word_set!([
    "length", "len", "min", "max", "size", "count", "policy", "policies", "type", "types", "name", "names", "field", "fields", "label",
    "hint", "placeholder", "prompt", "url", "uri", "endpoint", "file", "filename", "path", "dir", "directory", "expiry", "expires",
    "expired", "expiration", "expire", "exp", "ttl", "timeout", "id", "ids", "rotation", "version", "enabled", "disabled", "required",
    "strength", "reset", "change", "changed", "regex", "pattern", "validator", "validation", "validate", "generator", "manager",
    "management", "service", "provider", "providers", "store", "storage", "error", "errors", "message", "limit", "limits", "usage",
    "budget", "index", "header", "headers", "format", "prefix", "suffix", "alg", "algorithm", "algo", "issuer", "audience", "scope",
    "scopes", "bucket", "arn", "ref", "refs", "column", "input", "output", "at", "date", "time", "timestamp", "age", "attempts",
    "retries", "rate", "cost", "price", "mode", "method", "handler", "helper", "factory", "class", "form", "page", "screen", "view",
    "button", "icon", "text", "title", "info", "status", "state", "is", "exists", "set", "map", "list", "array", "table", "rotate",
    "fingerprint", "thumbprint", "encoder", "encoding", "digest", "checker", "visible", "visibility", "toggle", "confirm", "confirmation",
    "mismatch", "match", "matches", "history", "less", "based", "protected", "auth", "authentication", "dialog", "modal", "bytes", "bits",
    "characters", "chars", "env", "var", "variable", "source", "vault", "scanner", "scanning", "detection", "board", "frame", "pair",
    "press", "down", "up", "word", "words", "code_challenge", "ring", "stroke", "usages", "parser", "stream", "kind", "num", "number",
    "ids_to", "bucket_name", "hasher", "iterations", "rounds", "revoked", "created", "updated", "refresh", "sync", "schema", "spec",
    "config", "settings", "options", "stdin", "fd", "request", "response", "callback", "event", "entropy", "uuid",
]);

/// Words before a secret word that make it the name of something else: `max_tokens`,
/// `next_page_token`, `public_key`.
#[rustfmt::skip]
static NON_SECRET_PREFIXES: WordSet = word_set!([
    "max", "min", "num", "n", "total", "reset", "forgot", "forgotten", "change", "is", "has", "no", "require", "requires", "need",
    "public", "publishable", "pub", "primary", "foreign", "partition", "sort", "object", "row", "cache", "cached", "translation", "i18n",
    "prompt", "completion", "input", "output", "eos", "bos", "pad", "unk", "cls", "mask", "stop", "next", "prev", "page", "pages",
    "pagination", "continuation", "sync", "cursor", "idempotency", "dedup", "hot", "arrow", "enter", "escape", "shift", "ctrl", "home",
    "turn", "low", "mon", "don", "tur", "whis", "hoc", "joc", "jer", "mal", "por", "the", "group", "sorting", "lookup", "map", "dict",
    "json", "hash", "unique", "composite", "index", "natural", "surrogate", "config", "column", "host", "known", "authorized", "validate",
    "verify", "check", "hide", "show", "toggle", "compare", "invalid", "missing", "bad", "wrong", "used", "prompts", "reasoning",
    "thinking", "context", "image", "audio", "text", "special", "added", "vocab", "per", "avg", "cost", "price", "count", "rate",
    "remaining", "model", "by", "press", "keyboard", "object_", "blob", "s3", "state", "parameter", "query", "react", "item", "ref",
    "entity", "access_key_id",
]);

/// Words before `key` that make it a secret.
#[rustfmt::skip]
static SECRET_KEY_PREFIXES: WordSet = word_set!([
    "api", "access", "auth", "secret", "private", "encryption", "signing", "master", "service", "account", "storage", "shared", "license",
    "licence", "app", "application", "client", "consumer", "admin", "deploy", "hmac", "aes", "crypto", "jwt", "session", "cookie", "anon",
    "role", "write", "read", "ingest", "instrumentation", "subscription", "functions", "maps", "openai", "anthropic", "gemini", "groq",
    "mistral", "deepseek", "xai", "cohere", "stripe", "datadog", "dd", "sendgrid", "mailgun", "twilio", "algolia", "sentry", "newrelic",
    "fernet", "vault", "unseal", "root", "cipher", "symmetric", "data", "kek", "dek", "wallet", "ssh", "gpg", "wg", "wireguard",
    "preshared", "shared", "storage", "cosmos", "redis", "search", "project", "server", "bot", "google", "aws", "azure", "gcp", "my",
    "openrouter", "weather", "tts", "stt", "rsa", "tls", "ssl", "webhook", "integration", "user", "authentication", "authorization", "x",
    "decrypt", "decryption", "hash", "flask", "django", "rails", "laravel", "nextauth",
]);

/// Words written together with a following secret word: `dbpass`, `authtoken`.
#[rustfmt::skip]
static FUSED_PREFIXES: WordSet = word_set!([
    "db", "my", "user", "root", "admin", "auth", "access", "api", "app", "ftp", "smtp", "mail", "email", "ssh", "bot", "sql", "pg",
    "redis", "login", "wifi", "web", "client", "jwt", "id", "refresh", "bearer", "session", "mysql", "postgres", "mongo", "rabbitmq",
    "ldap", "http", "proxy", "vpn", "sudo", "host", "dba", "sa", "bind", "key", "trust", "store", "keystore", "truststore", "imap", "pop",
    "sftp", "svn", "git", "wp", "new", "old", "test", "the", "wlan", "sec", "private", "secret", "master", "service", "encryption",
    "signing", "account", "storage", "license", "consumer", "shared",
]);

/// Words after `pass` that confirm a password; with any other word it is something else:
/// `PassManager`, `pass_by_value`.
static PASS_SUFFIXES: WordSet = word_set!([
    "word", "wd", "wrd", "phrase", "code", "new", "old", "env", "value", "val", "prod", "dev",
    "staging", "test", "txt", "hash",
]);

/// Whether the identifier still names a secret, given the words after the secret word.
pub(in crate::privacy) fn suffix_allows(tail: &[u8], word: FieldKind) -> bool {
    split_identifier(tail).all(|w| {
        if word == FieldKind::Pass {
            return PASS_SUFFIXES.contains_ignore_case(w);
        }
        !NON_SECRET_SUFFIXES.contains_ignore_case(w)
            || (w.eq_ignore_ascii_case(b"text") && word == FieldKind::Password)
            || (w.eq_ignore_ascii_case(b"env") && tail.len() < 6)
            || (w.eq_ignore_ascii_case(b"id") && word == FieldKind::Opaque)
    })
}

/// Words before a secret word for something that is counted, requested or displayed.
#[rustfmt::skip]
static NON_VALUE_PREFIXES: WordSet = word_set!([
    "max", "min", "num", "total", "is", "has", "require", "requires", "reset", "forgot", "next", "page", "continuation", "sync",
    "pagination", "pad", "eos", "bos", "unk", "completion", "prompt", "reasoning", "public", "publishable", "pub", "count", "validate",
    "verify", "check", "hide", "show", "toggle", "n", "no", "cost", "csrf", "invalid", "missing", "hash", "hashed", "encode", "per", "type",
    "cancellation", "cancel",
]);

/// Whether the identifier still names a secret, given the words before the secret word.
pub(in crate::privacy) fn prefix_allows(head: &[u8], word: FieldKind) -> bool {
    match word {
        // `FunctionPass`, `renderPass` are not passwords, `dbPass` is one.
        FieldKind::Pass if head.last().is_some_and(u8::is_ascii_alphanumeric) => {
            split_identifier(head).last().is_some_and(is_fused)
        }
        FieldKind::Key => {
            split_identifier(head).all(|w| !NON_SECRET_PREFIXES.contains_ignore_case(w))
        }
        _ => !split_identifier(head).any(|w| NON_VALUE_PREFIXES.contains_ignore_case(w)),
    }
}

/// Words before `key` that make it a record, a location or a counter rather than a secret.
#[rustfmt::skip]
static AMBIGUOUS_PREFIXES: WordSet = word_set!([
    "cache", "record", "document", "doc", "file", "path", "message", "msg", "event", "trace", "span", "request", "correlation", "tracking",
    "order", "product", "node", "cluster", "shard", "routing", "commit", "content", "etag", "asset", "media", "build", "artifact",
    "layer", "digest", "checksum", "block", "tx", "transaction", "job", "task", "queue", "topic", "kafka", "resource", "component", "issue",
    "ticket", "registry", "business", "merge", "join", "temp", "tmp", "snapshot", "backup", "version", "store", "bucket", "entry",
    "element", "child", "parent", "class", "type", "id", "uuid", "guid", "name", "label", "tag", "category", "section", "tab", "menu",
    "route", "url", "link", "post", "comment", "customer", "invoice", "payment", "device", "tenant", "org", "organization", "team",
    "channel", "thread", "conversation", "chat", "run", "step", "stage", "pipeline", "workflow", "feature", "flag", "experiment",
    "variant", "metric", "dedupe", "deduplication", "nonce", "lock", "mutex", "semaphore_", "redis", "stream", "consumer_", "reference",
    "external", "internal", "local", "remote", "current", "last", "first", "old", "new", "unknown", "any", "some", "this", "that", "the",
    "a", "an", "its", "their", "each", "every", "one", "same", "another", "which", "and", "or", "of", "in", "to", "for", "with", "is",
    "git", "sha", "hash", "md", "content_", "integrity", "figure", "translation_", "test",
]);

/// Whether the words before `key` make it a secret: a listed word, or a name that means nothing
/// else.
pub(in crate::privacy) fn is_secret_key_prefix(head: &[u8]) -> bool {
    split_identifier(head).last().is_some_and(|last| {
        SECRET_KEY_PREFIXES.contains_ignore_case(last)
            || is_fused(last)
            || !head.last().is_some_and(u8::is_ascii_whitespace)
                && last.len() >= 3
                && !AMBIGUOUS_PREFIXES.contains_ignore_case(last)
                && !NON_SECRET_PREFIXES.contains_ignore_case(last)
    })
}

/// Whether a short secret word may directly follow these letters.
pub(in crate::privacy) fn is_fused(letters: &[u8]) -> bool {
    FUSED_PREFIXES.contains_ignore_case(letters)
}
