//! Common words that occur where a password could.

use crate::privacy::scan::word_set::{WordSet, word_set};

/// Common words that occur where a password could. A plain word counts as a password only if it is
/// not on this list.
#[rustfmt::skip]
static COMMON_WORDS: WordSet = word_set!([
    "a", "an", "the", "my", "your", "our", "his", "her", "their", "its", "it", "this", "that", "these", "those", "there", "here", "where",
    "what", "which", "who", "how", "why", "when", "not", "no", "none", "never", "always", "also", "too", "very", "so", "as", "at", "by",
    "for", "from", "in", "into", "of", "on", "to", "up", "out", "with", "without", "and", "or", "but", "if", "then", "else", "than", "is",
    "are", "was", "were", "be", "been", "being", "has", "have", "had", "do", "does", "did", "can", "could", "will", "would", "should",
    "must", "may", "might", "shall", "let", "get", "got", "set", "sent", "kept", "held", "made", "put", "read", "lost", "known",
    "unknown", "shown", "hidden", "given", "taken", "broken", "stolen", "chosen", "forgotten", "written", "wrong", "right", "correct",
    "incorrect", "invalid", "valid", "missing", "required", "optional", "mandatory", "empty", "blank", "null", "weak", "strong", "short",
    "long", "old", "new", "same", "different", "unique", "secure", "insecure", "safe", "unsafe", "plain", "plaintext", "encrypted",
    "hashed", "salted", "stored", "saved", "leaked", "exposed", "compromised", "expired", "expiring", "changed", "updated", "reset",
    "rotated", "generated", "randomly", "random", "temporary", "permanent", "default", "enabled", "disabled", "locked", "protected",
    "needed", "used", "useless", "important", "necessary", "available", "ready", "fine", "good", "bad", "great", "ok", "okay", "easy",
    "hard", "simple", "complex", "case", "sensitive", "case-sensitive", "only", "just", "still", "already", "now", "currently", "again",
    "below", "above", "attached", "inside", "outside", "written", "stuck", "under", "over", "everything", "nothing", "something",
    "anything", "someone", "anyone", "everyone", "one", "two", "three", "first", "last", "next", "at least", "more", "less", "most",
    "least", "enough", "possible", "impossible", "correctly", "properly", "true", "false", "yes", "managed", "shared", "passed", "typed",
    "entered", "accepted", "rejected", "denied", "working", "failing", "checked", "validated", "verified", "per", "compatible_with", "all", "any",
    "some", "both", "each", "every", "other", "another", "such", "about", "after", "before", "because", "until", "while", "during",
    "between", "through", "against", "cracked", "guessed", "public", "private", "secret", "confidential", "redacted", "masked",
    "obfuscated", "not-set", "unset", "undefined", "case", "based", "policy", "manager", "field", "hash", "string", "prompt",
    "authentication", "auth", "login", "input", "form", "page", "reset", "rules", "strength", "length", "protection", "security",
    "database", "server", "file", "email", "vault", "keyring", "keychain", "environment", "variable", "config", "code", "memory", "sudo",
    "root", "admin", "user", "username", "name", "account", "please", "thanks", "sorry", "hello", "btw", "lol", "haha", "maybe",
    "perhaps", "probably", "tomorrow", "today", "yesterday", "soon", "later", "expected", "recommended", "allowed", "forbidden",
    "supported", "unsupported", "deprecated", "necessary", "weird", "strange", "gone", "dead", "done", "over", "back", "off", "down",
    "different", "identical", "equal", "greater", "smaller", "bigger", "better", "worse", "best", "worst", "anyway", "anymore",
    "whatever", "somewhere", "nowhere", "everywhere", "within", "bcrypt", "argon", "sha", "json", "yaml", "http", "https", "stuff",
    "things", "thing", "people", "customers", "users", "us", "them", "him", "me", "you", "we", "they", "she", "he", "i", "hunter", "safe",
    "transmitted", "returned", "compared", "fetched", "loaded", "ignored", "omitted", "concatenated", "hardcoded", "hard-coded", "logged",
    "printed", "displayed", "visible", "invisible", "readable", "cleared", "wiped", "removed", "deleted", "created", "added", "asked",
    "prompted", "requested", "provided", "specified", "configured", "defined", "declared", "initialized", "nil", "void", "const",
    "static", "falsch", "richtig", "ungültig", "gültig", "erforderlich", "abgelaufen", "sicher", "unsicher", "zu", "nicht", "kein",
    "leer", "geheim", "bekannt", "vergessen", "gespeichert", "verschlüsselt", "notwendig", "lang", "kurz", "der", "die", "das", "ein",
    "eine", "dem", "den", "von", "für", "und", "oder", "aber", "im", "in", "auf", "sehr", "immer", "noch", "schon", "mein", "dein",
    "sein", "unser", "nötig", "korrekt", "stark", "schwach", "geändert", "hier", "dort", "unten", "oben", "auch", "nur", "mal",
    "mindestens", "gesperrt", "incorrecta", "incorrecto", "correcta", "inválida", "válida", "obligatoria", "segura", "débil", "fuerte",
    "muy", "el", "la", "los", "las", "un", "una", "de", "del", "para", "por", "con", "sin", "que", "mi", "tu", "su", "nueva", "vieja",
    "misma", "requerida", "necesaria", "secreta", "vacía", "más", "menos", "cambiada", "guardada", "incorrect", "invalide", "valide",
    "obligatoire", "requis", "sûr", "faible", "fort", "trop", "très", "le", "les", "des", "du", "pour", "par", "avec", "sans", "mon",
    "ton", "son", "notre", "votre", "leur", "nouveau", "ancien", "même", "vide", "expiré", "oublié", "perdu", "stocké", "chiffré",
    "nécessaire", "correct", "bien", "pas", "plus", "errata", "sbagliata", "corretta", "valida", "obbligatoria", "sicura", "debole",
    "forte", "molto", "il", "lo", "gli", "di", "da", "per", "con", "mia", "tua", "sua", "nuova", "vecchia", "stessa", "scaduta",
    "necessaria", "richiesta", "non", "più", "incorreta", "errada", "correta", "obrigatória", "fraca", "muito", "o", "os", "as", "do",
    "da", "não", "minha", "sua", "nova", "velha", "mesma", "expirada", "onjuist", "verkeerd", "juist", "ongeldig", "verplicht", "veilig",
    "zwak", "sterk", "te", "het", "een", "niet", "mijn", "jouw", "nieuw", "oud", "verlopen", "nieprawidłowe", "błędne", "poprawne",
    "wymagane", "słabe", "silne", "zbyt", "nie", "moje", "twoje", "nowe", "stare",
]);

/// Whether a word, in lower case, is a common one or has the ending of a participle or an adverb.
pub(in crate::privacy) fn is_common(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else {
        return true;
    };
    COMMON_WORDS.contains(word)
        || word.len() > 5
            && [
                "ed", "ing", "ly", "tion", "able", "ible", "ment", "ness", "ity", "ive", "less",
                "ful",
            ]
            .iter()
            .any(|end| word.ends_with(end))
        || word.contains('\'')
}
