//! The architecture: layers, import cycles, the owner of each external crate, where secrets may be exposed, and the one way to
//! the terminal. It reads the tokens of `src/`.

use crate::source::{ImportGraph, Source, read_all};
use std::collections::BTreeMap;

/// The layers, from bottom to top. A module may use modules of lower layers.
const LAYERS: [&[&str]; 6] = [
    &[
        "secret",
        "name",
        "dirs",
        "fs",
        "time",
        "privacy",
        "process",
        "crypto",
        "render",
        "image",
        "build_info",
    ],
    &[
        "message", "net", "limits", "audit", "usage", "config", "catalog", "erasure",
    ],
    &["conversations", "provider", "keys"],
    &["chat", "proxy", "backup", "incident", "scanner", "doctor"],
    &["cli"],
    &["main", "lib"],
];

/// Dependencies within a layer, each with its reason.
const SAME_LAYER_ALLOWED: &[(&str, &str, &str)] = &[
    ("time", "fs", "a file of the system identifies the boot"),
    (
        "dirs",
        "name",
        "the file of a conversation is named by its id",
    ),
    ("crypto", "secret", "keys and passphrases are secrets"),
    ("crypto", "time", "a token contains when it was made"),
    (
        "usage",
        "audit",
        "the audit log has what a lost usage log had",
    ),
    (
        "privacy",
        "render",
        "an answer is rendered after it was made harmless, on the one way to the terminal",
    ),
    ("doctor", "backup", "a check decrypts the newest backup"),
    ("main", "lib", "the binary runs the library"),
];

/// Dependencies on lower layers that are forbidden all the same.
const FORBIDDEN: &[(&str, &str, &str)] = &[(
    "chat",
    "keys",
    "a session is given a `Provider` that already holds its key",
)];

/// External crates and system facilities, and the modules that may use them: a file, or a folder if it ends with `/`.
const DEPENDENCY_OWNERS: &[(&str, &[&str], &str)] = &[
    ("clap", &["cli/"], "only the command line parses arguments"),
    (
        "clap_mangen",
        &["cli/commands/man"],
        "manual pages are made in one place",
    ),
    (
        "anyhow",
        &["cli/"],
        "other modules have error types of their own; see `thiserror`",
    ),
    ("rustyline", &["cli/repl/"], "there is one line editor"),
    (
        "rpassword",
        &["cli/term/"],
        "hidden prompts are part of the terminal",
    ),
    (
        "std::io::stdin",
        &["cli/term/", "cli/commands/pdf_text"],
        "the standard streams are part of the terminal",
    ),
    (
        "std::io::stdout",
        &["cli/term/output", "cli/commands/pdf_text"],
        "output is `Displayable`: use `Ui`",
    ),
    (
        "std::io::stderr",
        &["cli/term/output"],
        "output is `Displayable`: use `Ui`",
    ),
    (
        "std::io::Stdin",
        &["cli/term/"],
        "the standard streams are part of the terminal",
    ),
    (
        "std::io::Stdout",
        &["cli/term/output"],
        "output is `Displayable`: use `Ui`",
    ),
    (
        "std::io::Stderr",
        &["cli/term/output"],
        "output is `Displayable`: use `Ui`",
    ),
    (
        "std::io::IsTerminal",
        &["cli/term/"],
        "ask `Ui` whether there is a terminal",
    ),
    (
        "std::env",
        &["main", "cli/env"],
        "the environment is read in one place; pass on what it says",
    ),
    (
        "std::process::ExitCode",
        &["main", "lib", "cli/"],
        "only the command line knows exit codes",
    ),
    (
        "fernet",
        &["crypto/fernet/"],
        "there is one implementation of encryption",
    ),
    (
        "zbus",
        &["keys/stores/os_keyring/"],
        "only the OS keyring talks to D-Bus",
    ),
    (
        "keyring",
        &["keys/stores/os_keyring/"],
        "its calls block, and its errors contain secrets: use `keys`",
    ),
    (
        "regex",
        &["privacy/"],
        "patterns over text belong to redaction",
    ),
    (
        "aho_corasick",
        &["privacy/"],
        "patterns over text belong to redaction",
    ),
    (
        "sha3",
        &["privacy/personal/"],
        "only checksums of addresses need Keccak",
    ),
    (
        "glob",
        &["cli/attachments", "cli/commands/exec/", "proxy/"],
        "attachments and the models of a token are named by patterns",
    ),
    (
        "strsim",
        &["config/"],
        "use `closest_name`, which knows how much may differ",
    ),
    (
        "percent_encoding",
        &["keys/oauth"],
        "only the login builds and reads URLs; use `percent_encode`",
    ),
    (
        "saphyr_parser",
        &["conversations/import/"],
        "settings are TOML; only imported files are YAML",
    ),
    (
        "pulldown_cmark",
        &["render/"],
        "there is one reading of Markdown",
    ),
    (
        "pdf_extract",
        &["cli/commands/pdf_text"],
        "PDFs are read in a process of its own",
    ),
    (
        "landlock",
        &["cli/commands/exec/jail"],
        "only a program that is run gives up rights",
    ),
    (
        "unicode_segmentation",
        &["render/"],
        "lines are wrapped in one place",
    ),
    ("dirs", &["dirs"], "folders are determined once"),
    (
        "std::fs",
        &["fs/"],
        "files are private from creation and written whole: use `fs`",
    ),
    ("SystemTime::now", &["time"], "ask a `Clock` for the time"),
    ("Instant::now", &["time"], "measure with a `Stopwatch`"),
    ("Timestamp::now", &["time"], "ask a `Clock` for the time"),
    ("Zoned::now", &["time"], "ask a `Clock` for the time"),
    (
        "object_store",
        &["backup/repository/cloud"],
        "use `ObjectStorage`",
    ),
    (
        "reqwest",
        &["net/"],
        "timeouts, size limits, redirects and TLS are set in one place",
    ),
    (
        "TcpListener",
        &["keys/oauth", "proxy/listener", "proxy/server"],
        "only the login's callback and the proxy listen",
    ),
    (
        "hyper",
        &["proxy/", "net/upload"],
        "there is one server; requests are sent by `net`, which streams a body",
    ),
    (
        "hyper_util",
        &["proxy/"],
        "there is one server; requests are sent by `net`",
    ),
    (
        "subtle",
        &["proxy/token"],
        "tokens are compared in one place",
    ),
    (
        "tokio::runtime",
        &["cli/runtime", "cli/repl/"],
        "there is one runtime, made when it is needed",
    ),
];

/// Where secrets may be exposed, how often, and why.
const EXPOSE_ALLOWLIST: &[(&str, usize, &str)] = &[
    (
        "cli/commands/exec/child",
        1,
        "looks for keys in the environment of a program",
    ),
    ("cli/commands/exec/mod", 1, "gives a program its token"),
    (
        "cli/commands/teach",
        1,
        "a text to be hashed is read without echo",
    ),
    (
        "cli/commands/proxy/control",
        1,
        "writes the token of the user's commands to a file of the user",
    ),
    (
        "cli/commands/proxy/serve",
        1,
        "shows the address of the user's page",
    ),
    (
        "provider/upstream",
        1,
        "masks the key in errors of the provider",
    ),
    ("proxy/control", 1, "shows a new token once"),
    (
        "proxy/credentials",
        1,
        "computes the signature of a request",
    ),
    (
        "proxy/token",
        2,
        "hashes tokens; keeps the key of signatures",
    ),
    (
        "cli/key_binding",
        3,
        "recognises which provider issued a key; checks the format of one in a variable",
    ),
    (
        "cli/rollback",
        1,
        "parses the marks that the key store holds",
    ),
    (
        "cli/commands/key/stored_key",
        1,
        "checks the format of a new key",
    ),
    ("cli/commands/key/get", 1, "shows a key on the terminal"),
    ("cli/passphrase", 1, "shows a generated passphrase once"),
    ("audit/chain", 1, "makes the MACs of the audit log"),
    ("cli/commands/key/import", 1, "imports a key that was found"),
    (
        "keys/discover/mod",
        1,
        "recognises a key that is in a file twice",
    ),
    ("keys/data_key/mod", 1, "checks the length of a data key"),
    (
        "keys/oauth",
        1,
        "derives the PKCE challenge from the verifier",
    ),
    (
        "keys/index/mod",
        2,
        "makes the fingerprint of a key; signs the host it may be sent to",
    ),
    ("keys/mod", 2, "compares two secrets"),
    (
        "keys/stores/os_keyring/mod",
        1,
        "stores a key in the OS keyring",
    ),
    (
        "keys/stores/os_keyring/cache",
        2,
        "caches a key in the kernel keyring",
    ),
    ("crypto/kdf/mod", 1, "derives a key from a passphrase"),
    (
        "keys/recovery/mod",
        2,
        "encrypts the data key for recovery; makes its fingerprint",
    ),
    (
        "doctor/keys",
        1,
        "checks the format of keys in the environment",
    ),
    (
        "crypto/strength",
        1,
        "estimates the entropy of a passphrase",
    ),
    ("keys/stores/vault/mod", 1, "encrypts a key"),
    (
        "provider/key_admin/openrouter",
        4,
        "hash and mask of a key; code and verifier of a login",
    ),
    (
        "provider/key_check",
        1,
        "asks another API about a management key",
    ),
    ("provider/key_admin/openai", 1, "finds a key by its mask"),
    ("provider/error", 1, "masks the key in a server's message"),
    (
        "net/mod",
        2,
        "the authorization header; the password of a proxy",
    ),
    ("net/proxy", 2, "checks and names the address of a proxy"),
    ("backup/format", 1, "adds an API key to a backup on request"),
    (
        "backup/origin",
        1,
        "makes the MAC by which an installation recognises its backups",
    ),
    (
        "backup/repository/cloud",
        2,
        "passes credentials to the storage engine; the header of WebDAV",
    ),
    (
        "crypto/fernet/mod",
        1,
        "derives the cipher of each purpose from a data key",
    ),
];

/// The functions of `cli/term/output` that write. Each takes sanitized text or a fixed sequence; foreign bytes go through
/// `ByteOutput`, which sanitizes them on a terminal.
const WRITERS: &[&str] = &[
    "fn write(self, text: &Displayable, styles: bool) -> io::Result<()>",
    "fn write_parts(self, parts: &[OutputPart<'_>], styles: bool) -> io::Result<()>",
    "fn write(&mut self, bytes: &[u8]) -> Result<()>",
    "fn finish(mut self) -> Result<()>",
    "fn copy_to_clipboard(text: &Displayable) -> io::Result<()>",
];

#[test]
fn architecture_rules_hold() {
    let violations = violations(&read_all(), EXPOSE_ALLOWLIST);
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn no_import_cycles_between_files() {
    let graph = ImportGraph::new(&read_all());
    let describe = |cycle: Vec<String>| {
        let next = cycle.iter().cycle().skip(1);
        let edges = cycle.iter().zip(next).map(|(from, to)| {
            format!(
                "src/{from}.rs:{} → {to}",
                graph.edges[&(from.clone(), to.clone())]
            )
        });
        edges.collect::<Vec<_>>().join(", ")
    };
    let cycles: Vec<String> = graph.cycles().into_iter().map(describe).collect();
    assert!(
        cycles.is_empty(),
        "cut one import of each cycle:\n{}\n",
        cycles.join("\n")
    );
}

/// Every violation of the layers, the owners and the list of exposed secrets, each with what to do.
fn violations(sources: &[Source], exposes: &[(&str, usize, &str)]) -> Vec<String> {
    let mut violations = Vec::new();
    let reexports = sources
        .iter()
        .find(|s| s.file == "lib")
        .map(Source::reexported_modules)
        .unwrap_or_default();
    let mut edges: BTreeMap<(String, String), String> = BTreeMap::new();
    for source in sources {
        for named in source.modules_named(&reexports) {
            edges
                .entry((source.module().to_owned(), named))
                .or_insert_with(|| source.path());
        }
        violations.extend(wrong_owners(source));
        violations.extend(exposed(source, exposes));
    }
    for (file, _, _) in exposes
        .iter()
        .filter(|(file, _, _)| !sources.iter().any(|s| s.file == *file))
    {
        violations.push(format!(
            "EXPOSE_ALLOWLIST names `{file}`, which does not exist: remove the line"
        ));
    }
    for ((from, to), path) in &edges {
        violations
            .extend(forbidden(from, to).map(|why| format!("{path}: `{from}` uses `{to}`: {why}")));
    }
    violations
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Why a module may not use another.
fn forbidden(from: &str, to: &str) -> Option<String> {
    let (Some(above), Some(below)) = (layer(from), layer(to)) else {
        let unknown = if layer(from).is_none() { from } else { to };
        return Some(format!("`{unknown}` is in no layer: add it to LAYERS"));
    };
    let allowed = |list: &[(&str, &str, &str)]| list.iter().any(|(f, t, _)| (*f, *t) == (from, to));
    if let Some((_, _, why)) = FORBIDDEN.iter().find(|(f, t, _)| (*f, *t) == (from, to)) {
        return Some(format!("this dependency is forbidden: {why}"));
    }
    if below > above {
        return Some(format!(
            "layer {} may not use layer {}: pass `{from}` a value or a trait of its own, or move what both need down",
            above + 1,
            below + 1
        ));
    }
    (below == above && !allowed(SAME_LAYER_ALLOWED))
        .then(|| format!("both are in layer {}: combine them in a module above, or add a reason to SAME_LAYER_ALLOWED", above + 1))
}

/// External crates and facilities used by modules that do not own them.
fn wrong_owners(source: &Source) -> Vec<String> {
    let paths = source.paths();
    let mut violations = Vec::new();
    for (thing, owners, why) in DEPENDENCY_OWNERS {
        let owns = |owner: &&str| {
            let module = owner.trim_end_matches('/');
            source.file == module
                || source
                    .file
                    .strip_prefix(module)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        if owners.iter().any(owns) {
            continue;
        }
        if let Some((line, path)) = paths.iter().find(|(_, path)| names(path, thing)) {
            let owners = owners.join(", ");
            violations.push(format!(
                "{}:{line}: `{path}`: `{thing}` belongs to {owners}: {why}",
                source.path()
            ));
        }
    }
    violations
}

/// Whether `path` begins with the crate or module, or contains the type and its function.
fn names(path: &str, thing: &str) -> bool {
    let (path, thing): (Vec<&str>, Vec<&str>) =
        (path.split("::").collect(), thing.split("::").collect());
    if thing[0].chars().next().is_some_and(char::is_uppercase) {
        path.windows(thing.len()).any(|w| w == thing)
    } else {
        path.starts_with(&thing)
    }
}

/// Secrets exposed more or less often than the list says.
fn exposed(source: &Source, exposes: &[(&str, usize, &str)]) -> Option<String> {
    let count = source.lines_with(&[".", "expose", "(", ")"]).len();
    let listed = exposes
        .iter()
        .find(|(file, _, _)| *file == source.file)
        .map_or(0, |(_, count, _)| *count);
    (count != listed && source.file != "secret").then(|| {
        format!(
            "{}: secrets are exposed {count} times, {listed} are listed: pass the `Secret` on, or change \
             EXPOSE_ALLOWLIST with a reason",
            source.path()
        )
    })
}

#[test]
fn terminal_output_is_sanitized() {
    let mut violations = Vec::new();
    for source in read_all() {
        // The line editor writes as well: it asks its highlighter how to show a line, which sanitizes it.
        for print in ["println", "eprintln", "print", "eprint", "dbg"] {
            for line in source.lines_with(&[print, "!"]) {
                violations.push(format!(
                    "{}:{line}: `{print}!`: print through `Ui`",
                    source.path()
                ));
            }
        }
        let writers = [
            "cli/term/output",
            "privacy/display/displayable",
            // Its output is made of harmless text and of the sequences in this file.
            "render/style",
            "render/tests",
        ];
        if !writers.contains(&source.file.as_str()) {
            for sequence in [
                "\\x1b[",
                "\\x1b]",
                "/dev/tty",
                "/dev/stdout",
                "/dev/stderr",
                "from_raw_fd",
            ] {
                if let Some(line) = source.line_containing(sequence) {
                    violations.push(format!(
                        "{}:{line}: `{sequence}`: use `Style` and `cli/term/output`",
                        source.path()
                    ));
                }
            }
        }
        if source.file == "cli/term/output" {
            // Each signature on one line, however it is formatted.
            let program = source.text.split("#[cfg(test)]").next().unwrap_or_default();
            let one_line = program.split_whitespace().collect::<Vec<_>>().join(" ");
            let one_line = one_line.replace("( ", "(").replace(", )", ")");
            let written: Vec<&str> = one_line
                .split("pub(")
                .filter_map(|item| {
                    item.split(" {")
                        .next()?
                        .split_once(" fn ")
                        .map(|(_, name)| name)
                })
                .filter(|signature| signature.ends_with("Result<()>"))
                .collect();
            let expected: Vec<&str> = WRITERS
                .iter()
                .map(|writer| writer.trim_start_matches("fn "))
                .collect();
            assert_eq!(
                written, expected,
                "the functions of cli/term/output that write"
            );
            assert_eq!(
                source.lines_with(&[".", "write_all", "("]).len(),
                2,
                "one place writes to each stream"
            );
        }
    }
    let displayable = include_str!("../../src/privacy/display/displayable.rs");
    assert!(
        displayable.contains("pub struct Displayable(String);"),
        "the text is private"
    );
    assert!(
        !displayable.contains("impl fmt::Display"),
        "it cannot be formatted"
    );
    assert!(!displayable.contains("DerefMut"), "it cannot be changed");
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The rules, tried on sources that violate them.
mod rules {
    use super::{EXPOSE_ALLOWLIST, Source, violations};

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = sources
            .iter()
            .map(|(file, text)| Source::new(file, text))
            .collect();
        violations(&sources, &[])
    }

    #[track_caller]
    fn is_found(sources: &[(&str, &str)], part: &str) {
        let found = found(sources);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{part:?} was not found: {found:#?}"
        );
    }

    #[test]
    fn dependency_on_a_higher_layer_is_found() {
        is_found(
            &[("fs/mod", "use crate::chat::Session;")],
            "src/fs/mod.rs: `fs` uses `chat`: layer 1 may not use layer 4",
        );
        is_found(
            &[("fs/mod", "fn f() { crate::cli::ui::print(); }")],
            "`fs` uses `cli`",
        );
        is_found(
            &[("fs/mod", "fn f() { vec![crate::cli::x()]; }")],
            "`fs` uses `cli`",
        );
        is_found(
            &[(
                "privacy/tokens/mod",
                "use super::super::conversations::Store;",
            )],
            "`privacy` uses `conversations`",
        );
        is_found(
            &[
                ("lib", "pub use conversations::Store;"),
                ("crypto/fernet", "use crate::{secret::Secret, Store};"),
            ],
            "`crypto` uses `conversations`",
        );
    }

    #[test]
    fn forbidden_dependency_is_found() {
        is_found(
            &[("chat/mod", "use crate::keys;")],
            "this dependency is forbidden",
        );
        is_found(
            &[(
                "provider/openai",
                "use crate::{message::Message, conversations::Store};",
            )],
            "both are in layer 3",
        );
        is_found(
            &[("chat/mod", "use crate::unknown::Thing;")],
            "`unknown` is in no layer",
        );
    }

    #[test]
    fn use_of_a_crate_outside_its_owner_is_found() {
        is_found(
            &[("conversations/store", "use std::{fs, io};")],
            "src/conversations/store.rs:1: `std::fs`: `std::fs` belongs to fs/",
        );
        is_found(
            &[(
                "conversations/store",
                "fn f() {\n    std::fs::read(\"x\");\n}",
            )],
            "src/conversations/store.rs:2",
        );
        is_found(
            &[(
                "keys/stores/vault",
                "use std::time::SystemTime;\nfn f() { SystemTime::now(); }",
            )],
            "`SystemTime::now`",
        );
        is_found(
            &[("cli/commands/ask", "use std::io;\nfn f() { io::stdin(); }")],
            "`std::io::stdin`",
        );
        is_found(
            &[("chat/mod", "fn f(r: &regex::Regex) {}")],
            "`regex` belongs to privacy/",
        );
        is_found(
            &[("provider/openai", "use reqwest::Client;")],
            "`reqwest` belongs to net/",
        );
    }

    #[test]
    fn exposed_secret_is_found() {
        is_found(
            &[("chat/mod", "fn f(s: &Secret) -> &str { s.expose() }")],
            "exposed 1 times, 0 are listed",
        );
        let closed = Source::new("keys/mod", "");
        assert_eq!(
            violations(std::slice::from_ref(&closed), &[("keys/mod", 1, "")]).len(),
            1
        );
        assert_eq!(violations(&[closed], &[("gone", 1, "")]).len(), 1);
    }

    #[test]
    fn comments_strings_and_tests_are_not_checked() {
        let text = r##"
            // use std::fs; and crate::cli
            /* use std::env; /* crate::chat */ */
            /// let key = crate::cli::key().expose();
            const A: &str = "use std::fs; \" .expose()";
            const B: &str = r#"crate::cli " std::env"#;
            const C: char = '"';
            fn life<'a>(x: &'a str) -> &'a str { x }
            #[cfg(test)]
            mod tests { use std::fs; fn f() { "}"; crate::cli::x(); s.expose(); } }
            #[cfg(test)]
            use crate::cli::Fake;
        "##;
        assert_eq!(found(&[("name", text)]), Vec::<String>::new());
    }

    #[test]
    fn allowed_dependencies_pass() {
        let sources = [
            (
                "lib",
                "pub use secret::Secret; fn run() { crate::cli::run(); }",
            ),
            ("main", "fn main() { chatbot::run() }"),
            (
                "cli/env",
                "use std::env; use crate::{chat::Session, keys, Secret};",
            ),
            (
                "cli/term/output",
                "use std::io::{self, IsTerminal}; fn f() { io::stdout(); }",
            ),
            (
                "chat/mod",
                "use crate::{conversations::Store, privacy::{Raw, Redactor}, provider::Provider};",
            ),
            (
                "privacy/redactor",
                "use super::{Raw, tokens}; use regex::bytes::Regex;",
            ),
            ("fs/mod", "use std::fs::{self, File};"),
            ("dirs", "use crate::name::Name;"),
        ];
        assert_eq!(found(&sources), Vec::<String>::new());
        assert!(
            EXPOSE_ALLOWLIST
                .iter()
                .all(|(_, count, why)| *count > 0 && !why.is_empty())
        );
    }
}
