//! The plan of the house: who may know whom, who keeps what, where secrets are opened. It reads `src/` as text.

use crate::source::{Source, read_all};
use std::collections::{BTreeMap, BTreeSet};

/// The floors, from the ground up. A room may name rooms on floors below its own.
const LAYERS: [&[&str]; 6] = [
    &["secret", "name", "dirs", "fs", "time", "privacy", "process"],
    &["message", "limits", "audit", "usage", "config", "crypto", "catalog"],
    &["conversations", "provider", "keys"],
    &["chat", "proxy", "backup", "incident"],
    &["cli"],
    &["main", "lib"],
];

/// Arrows between rooms of one floor are decisions, each with its reason.
const SAME_LAYER_ALLOWED: &[(&str, &str, &str)] = &[
    ("time", "fs", "which run of the machine this is stands in a file of the system"),
    ("dirs", "name", "the file of a conversation is named by its id"),
    ("usage", "audit", "what a lost usage log does not say, the audit log does"),
    ("lib", "main", "the map and the door"),
    ("main", "lib", "the door opens into the house"),
];

/// Arrows that run down and yet may not be: what is absent is the architecture.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("chat", "keys", "a conversation is handed a `Provider` that already holds its key"),
    ("proxy", "keys", "the proxy is handed a `Provider` that already holds its key"),
];

/// Things of the outside and the one place that knows each. A place is a file, or a folder if it ends with `/`.
const DEPENDENCY_OWNERS: &[(&str, &[&str], &str)] = &[
    ("clap", &["cli/"], "the command line is the front desk's"),
    ("anyhow", &["cli/"], "rooms have errors of their own; see `thiserror`"),
    ("rustyline", &["cli/repl/"], "the line editor has one home"),
    ("rpassword", &["cli/term/mod"], "hidden prompts are the terminal's manners"),
    ("std::io::stdin", &["cli/term/mod"], "the standard streams are the terminal's manners"),
    ("std::io::stdout", &["cli/term/output"], "what is written there is `Displayable`: use `Ui`"),
    ("std::io::stderr", &["cli/term/output"], "what is written there is `Displayable`: use `Ui`"),
    ("std::io::Stdin", &["cli/term/mod"], "the standard streams are the terminal's manners"),
    ("std::io::Stdout", &["cli/term/output"], "what is written there is `Displayable`: use `Ui`"),
    ("std::io::Stderr", &["cli/term/output"], "what is written there is `Displayable`: use `Ui`"),
    ("std::io::IsTerminal", &["cli/term/mod", "cli/term/output"], "whether there is a terminal is the terminal's manners"),
    ("std::env", &["main", "cli/env"], "the environment is read in one place; hand down what it says"),
    ("std::process::ExitCode", &["main", "lib", "cli/"], "nobody below the front desk knows an exit code"),
    ("fernet", &["crypto/fernet"], "there is one kind of seal"),
    ("zbus", &["keys/stores/os_keyring/dbus", "keys/stores/os_keyring/secret_service"], "who says what the keyring holds: ask `keys`"),
    ("keyring", &["keys/stores/os_keyring/mod"], "the OS keyring blocks, and its errors carry secrets: ask `keys`"),
    ("regex", &["privacy/"], "patterns over text are rules of privacy"),
    ("aho_corasick", &["privacy/"], "patterns over text are rules of privacy"),
    ("dirs", &["dirs"], "places are worked out once"),
    ("std::fs", &["fs"], "files are private from birth, and whole: ask `fs`"),
    ("SystemTime::now", &["time"], "the time is asked of a `Clock`"),
    ("Instant::now", &["time"], "a stretch of time is measured by a `Stopwatch`"),
    ("Timestamp::now", &["time"], "the time is asked of a `Clock`"),
    ("Zoned::now", &["time"], "the time is asked of a `Clock`"),
    ("object_store", &["backup/repository/cloud"], "the languages of the clouds have one interpreter; ask `ObjectStorage`"),
    ("reqwest", &["provider/http/"], "time limits, caps, redirects and TLS are set in one place"),
    ("TcpListener", &["proxy/server", "keys/oauth"], "there is one door to the network inwards"),
    ("UnixListener", &["proxy/server"], "there is one door to the network inwards"),
    ("tokio::runtime", &["cli/runtime", "cli/repl/"], "there is one runtime, made when there is something to wait for"),
];

/// Where secrets are opened, how often, and what for.
const EXPOSE_ALLOWLIST: &[(&str, usize, &str)] = &[
    ("cli/key_binding", 2, "a key is looked at for whose it is"),
    ("cli/rollback", 1, "the marks of the state are in the key store"),
    ("cli/commands/key/set", 1, "a new key is looked at"),
    ("cli/commands/key/get", 1, "a key is shown to its owner on a terminal"),
    ("cli/commands/vault", 1, "a passphrase that was made is shown once"),
    ("audit/chain", 1, "the key of the audit log makes its MACs"),
    ("cli/commands/key/import", 1, "a key that was found is taken along"),
    ("keys/discover", 1, "a key that stands twice in a file is one"),
    ("keys/data_key", 1, "a data key has the right length"),
    ("keys/oauth", 1, "the half of a login's proof that may be seen is made of the other"),
    ("keys/index", 2, "a fingerprint is made of a key; a key signs which host it may go to"),
    ("keys/mod", 2, "what was kept is what was given"),
    ("keys/stores/os_keyring/mod", 1, "a key goes into the OS keyring"),
    ("keys/stores/os_keyring/cache", 2, "a key waits in the kernel's memory"),
    ("crypto/kdf", 1, "a passphrase becomes a key"),
    ("keys/recovery", 2, "the data key is sealed for recovery; its fingerprint is made"),
    ("crypto/strength", 1, "a passphrase is weighed"),
    ("keys/stores/vault", 1, "a key is sealed"),
    ("provider/key_admin/openrouter", 4, "a key's hash and mask; the two halves of a login's proof"),
    ("provider/key_check", 1, "a key that makes other keys is asked about elsewhere"),
    ("provider/key_admin/openai", 1, "a key is found by its mask"),
    ("provider/error", 1, "a server's sentence is searched for the key, to mask it"),
    ("provider/http/mod", 2, "the one header of a provider; the proxy's password"),
    ("backup/format", 1, "an API key goes into a backup, where its owner says so"),
    ("backup/origin", 1, "the proof that a backup was made here is made with a key of this installation"),
    ("backup/repository/cloud", 2, "what the environment says of object storage goes to its engine; the one header of WebDAV"),
    ("crypto/fernet", 1, "a data key becomes ciphers, one for each purpose"),
];

/// Past this many lines, its tests not counted, a file hides a seam.
const LONGEST: usize = 500;

#[test]
fn architecture_rules_hold() {
    let faults = faults(&read_all(), EXPOSE_ALLOWLIST);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Everything in which `sources` depart from the plan, each with what to do.
fn faults(sources: &[Source], openers: &[(&str, usize, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    let outer: BTreeMap<String, String> = sources.iter().filter(|s| s.file == "lib").flat_map(Source::reexports).collect();
    let mut arrows: BTreeMap<(String, String), String> = BTreeMap::new();
    for source in sources {
        for named in source.rooms_named(&outer) {
            if named != source.room() {
                arrows.entry((source.room().to_owned(), named)).or_insert_with(|| source.path());
            }
        }
        faults.extend(check_style(source));
        faults.extend(kept(source));
        faults.extend(opened(source, openers));
    }
    for (file, _, _) in openers {
        if !sources.iter().any(|s| s.file == *file) {
            faults.push(format!("tests/it/architecture.rs: OPENERS names `{file}`, which is not there: take the line out"));
        }
    }
    for ((from, to), path) in &arrows {
        faults.extend(arrow(from, to).map(|why| format!("{path}: `{from}` names `{to}`: {why}")));
    }
    faults.extend(circles(&arrows));
    faults
}

/// The functions of `cli/terminal` that write. Each is handed text that was sanitized, or one of the program's own sequences;
/// bytes of somebody else's go through `ByteOutput`, which sanitizes them on a terminal.
const WRITERS: &[&str] = &[
    "fn write(self, text: &Displayable, styles: bool) -> io::Result<()>",
    "fn write_parts(self, parts: &[Part<'_>], styles: bool) -> io::Result<()>",
    "fn write(&mut self, bytes: &[u8]) -> Result<()>",
    "fn finish(mut self) -> Result<()>",
    "fn clipboard(text: &Displayable) -> io::Result<()>",
];

/// There is one way to a terminal: nothing else in the program prints, and what does takes the type.
#[test]
fn terminal_output_is_sanitized() {
    let mut faults = Vec::new();
    for source in read_all() {
        let code = source.code();
        // The line editor is the other one that writes: it asks its highlighter how to show a line, which sanitizes it.
        for print in ["println!", "eprintln!", "print!", "eprint!", "dbg!", "from_raw_fd"] {
            let stands_alone = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if code.match_indices(print).any(|(at, _)| stands_alone(at)) {
                faults.push(format!("{}: `{print}`: print through `Ui`", source.path()));
            }
        }
        let program = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        if !["cli/term/output", "privacy/display/displayable"].contains(&source.file.as_str()) {
            for sequence in ["\\x1b[", "\\x1b]", "/dev/tty", "/dev/stdout", "/dev/stderr"] {
                if program.contains(sequence) {
                    faults.push(format!("{}: `{sequence}`: `Style` and `cli/terminal` have all there is", source.path()));
                }
            }
        }
        if source.file == "cli/term/output" {
            let written: Vec<&str> = code.lines().filter(|l| l.contains("pub(") && l.contains("Result<()>")).map(str::trim).collect();
            for line in &written {
                if !WRITERS.iter().any(|writer| line.ends_with(&format!("{writer} {{"))) {
                    faults.push(format!("src/cli/term/output.rs: `{line}` is not among WRITERS of tests/it/architecture.rs"));
                }
            }
            assert_eq!(written.len(), WRITERS.len(), "WRITERS names one that is not there: {written:#?}");
            assert_eq!(code.matches(".write_all(").count(), 2, "one place writes to each stream");
        }
    }
    let type_file = include_str!("../../src/privacy/display/displayable.rs");
    assert!(type_file.contains("pub struct Displayable(String);"), "the text within is private");
    assert!(!type_file.contains("impl fmt::Display") && !type_file.contains("DerefMut"), "it cannot be formatted or changed");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn floor(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Why the arrow may not be.
fn arrow(from: &str, to: &str) -> Option<String> {
    let (Some(above), Some(below)) = (floor(from), floor(to)) else {
        let stranger = if floor(from).is_none() { from } else { to };
        return Some(format!("`{stranger}` is on no floor: give it one in FLOORS of tests/it/architecture.rs"));
    };
    if let Some((_, _, why)) = FORBIDDEN.iter().find(|(f, t, _)| (*f, *t) == (from, to)) {
        return Some(format!("this arrow is absent by design: {why}"));
    }
    if below > above {
        return Some(format!(
            "the arrow runs up, from floor {} to floor {}: hand `{from}` a value or a trait of its own, or move what both need down",
            above + 1,
            below + 1
        ));
    }
    if below == above && !SAME_LAYER_ALLOWED.iter().any(|(f, t, _)| (*f, *t) == (from, to)) {
        return Some(format!(
            "both are on floor {}: let a room above bring them together, or put the arrow among SIBLINGS with its reason",
            above + 1
        ));
    }
    None
}

/// Rooms that know each other, directly or by way of others.
fn circles(arrows: &BTreeMap<(String, String), String>) -> Vec<String> {
    let rooms: BTreeSet<&str> = arrows.keys().flat_map(|(f, t)| [f.as_str(), t.as_str()]).collect();
    let mut faults = Vec::new();
    let mut told = BTreeSet::new();
    for start in rooms {
        let mut ways = vec![vec![start]];
        let mut been = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let here = *way.last().expect("a way has a beginning");
            for (_, to) in arrows.keys().filter(|(f, _)| f == here) {
                if to == start {
                    let mut members = way.clone();
                    members.sort_unstable();
                    if told.insert(members) {
                        faults.push(format!("src: a circle: {} → {start}: cut one of these arrows", way.join(" → ")));
                    }
                } else if been.insert(to.as_str()) {
                    ways.push([way.as_slice(), &[to]].concat());
                }
            }
        }
    }
    faults
}

/// What every file owes its reader.
fn check_style(source: &Source) -> Vec<String> {
    let path = source.path();
    let mut faults = Vec::new();
    if !source.text.starts_with("//! ") {
        faults.push(format!("{path}: it does not open with `//!` and its one job: say it in a sentence"));
    }
    let lines = source.lines();
    if lines > LONGEST {
        faults.push(format!("{path}: {lines} lines, more than {LONGEST}: look for the seam and make it two files"));
    }
    for (number, line) in source.code_with_tests().lines().enumerate() {
        if line.contains("#[allow(") || line.contains("#![allow(") {
            faults.push(format!("{path}:{}: `allow`: mend what the lint found, or `#[expect(…, reason = \"…\")]`", number + 1));
        }
        if line.contains("error(transparent)") {
            faults
                .push(format!("{path}:{}: a transparent error hides its cause from the table of hints: `#[error(\"{{0}}\")]`", number + 1));
        }
        if line.contains("#[ignore") {
            faults.push(format!("{path}:{}: a test that never runs: mend it or take it out", number + 1));
        }
    }
    if let Some(drawer) =
        ["utils", "util", "common", "helpers", "helper", "types", "misc"].iter().find(|d| source.file.split('/').any(|p| p == **d))
    {
        faults.push(format!("{path}: `{drawer}` is a drawer, not a room: name it by what lives there"));
    }
    faults
}

/// Outside things used outside their keeper.
fn kept(source: &Source) -> Vec<String> {
    let paths = source.paths();
    let mut faults = Vec::new();
    for (thing, keepers, why) in DEPENDENCY_OWNERS {
        let is_kept_here = |keeper: &&str| {
            let room = keeper.trim_end_matches('/');
            source.file == room || source.file.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'))
        };
        if keepers.iter().any(is_kept_here) {
            continue;
        }
        if let Some((line, said)) = paths.iter().find(|(_, path)| names(path, thing)) {
            faults.push(format!("{}:{line}: `{said}`: `{thing}` is kept by {}: {why}", source.path(), keepers.join(", ")));
        }
    }
    faults
}

/// Whether `path` begins with the crate, or has within it the type and its function.
fn names(path: &str, thing: &str) -> bool {
    let (path, thing): (Vec<&str>, Vec<&str>) = (path.split("::").collect(), thing.split("::").collect());
    if thing[0].chars().next().is_some_and(char::is_uppercase) {
        path.windows(thing.len()).any(|w| w == thing)
    } else {
        path.starts_with(&thing)
    }
}

/// Secrets opened where the list does not say so.
fn opened(source: &Source, openers: &[(&str, usize, &str)]) -> Option<String> {
    let count = source.code().matches(".expose()").count();
    let listed = openers.iter().find(|(file, _, _)| *file == source.file).map_or(0, |(_, count, _)| *count);
    (count != listed && source.file != "secret").then(|| {
        format!(
            "{}: secrets are opened {count} times, {listed} are listed: hand the `Secret` on unopened, or change OPENERS in tests/it/architecture.rs with its reason",
            source.path()
        )
    })
}

/// The reader of `src/` and the judge, tried on houses that are not built to the plan.
mod tried {
    use crate::architecture::{EXPOSE_ALLOWLIST, Source, faults};

    fn told(sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = sources.iter().map(|(file, text)| Source::new(file, &format!("//! A room.\n{text}"))).collect();
        faults(&sources, &[])
    }

    #[track_caller]
    fn is_told(sources: &[(&str, &str)], part: &str) {
        let told = told(sources);
        assert!(told.len() == 1 && told[0].contains(part), "{part:?} is not what was told: {told:#?}");
    }

    #[test]
    fn upward_dependency_is_reported() {
        is_told(&[("fs", "use crate::chat::Session;")], "src/fs.rs: `fs` names `chat`: the arrow runs up, from floor 1 to floor 4");
        is_told(&[("fs", "fn f() { crate::cli::ui::print(); }")], "`fs` names `cli`");
        is_told(&[("privacy/tokens/mod", "use crate::conversations::Store;")], "`privacy` names `conversations`");
        is_told(
            &[("lib", "pub use conversations::Store;"), ("crypto/fernet", "use crate::{name::Name, Store};")],
            "`crypto` names `conversations`",
        );
    }

    #[test]
    fn forbidden_dependency_is_reported() {
        is_told(&[("chat/mod", "use crate::keys;")], "absent by design");
        is_told(&[("provider/openai", "use crate::{message::Message, conversations::Store};")], "both are on floor 3");
    }

    #[test]
    fn cycle_is_reported() {
        let told = told(&[("main", "use crate::lib::run;"), ("lib", "use crate::main;")]);
        assert!(told.iter().any(|t| t.contains("a circle: lib → main → lib")), "{told:#?}");
    }

    #[test]
    fn module_without_layer_is_reported() {
        is_told(&[("chat/mod", "use crate::cellar::Wine;")], "`cellar` is on no floor");
    }

    #[test]
    fn dependency_outside_owner_is_reported() {
        is_told(&[("conversations/store", "use std::{fs, io};")], "src/conversations/store.rs:2: `std::fs`: `std::fs` is kept by fs");
        is_told(&[("conversations/store", "fn f() {\n    std::fs::read(\"x\");\n}")], "src/conversations/store.rs:3");
        is_told(&[("keys/stores/vault", "use std::time::SystemTime;\nfn f() { SystemTime::now(); }")], "`SystemTime::now`");
        is_told(&[("cli/commands/ask", "use std::io::{self, Read};\nfn f() { std::io::stdin(); }")], "`std::io::stdin`");
        is_told(&[("cli/commands/ask", "use std::io;\nfn f() { io::stdin(); }")], "`std::io::stdin`");
        is_told(&[("chat/mod", "fn f(r: &regex::Regex) {}")], "`regex` is kept by privacy/");
        is_told(&[("provider/openai", "use reqwest::Client;")], "provider/http");
        is_told(&[("audit/mod", "use std::env;")], "`std::env`");
    }

    #[test]
    fn exposed_secret_is_reported() {
        is_told(&[("chat/mod", "fn f(s: &Secret) -> &str { s.expose() }")], "opened 1 times, 0 are listed");
        let closed = Source::new("keys/mod", "//! Keys.\n");
        assert_eq!(faults(std::slice::from_ref(&closed), &[("keys/mod", 1, "")]).len(), 1);
        assert_eq!(faults(&[closed], &[("gone", 1, "")]).len(), 1);
    }

    #[test]
    fn style_violations_are_reported() {
        assert!(faults(&[Source::new("fs", "use std::path::Path;\n")], &[])[0].contains("does not open with `//!`"));
        is_told(&[("fs", &"\n".repeat(600))], "601 lines");
        is_told(&[("fs", "#[allow(dead_code)]\nfn f() {}")], "src/fs.rs:2: `allow`");
        is_told(&[("fs", "#[cfg(test)]\nmod tests {\n#[test]\n#[ignore]\nfn f() {}\n}")], "src/fs.rs:5: a test that never runs");
        is_told(&[("fs", "enum Error {\n#[error(transparent)]\nIo(io::Error) }")], "src/fs.rs:3: a transparent error");
        is_told(&[("chat/utils", "")], "is a drawer");
    }

    #[test]
    fn comments_and_strings_are_ignored() {
        let quiet = r##"
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
        assert_eq!(told(&[("fs", quiet)]), Vec::<String>::new());
    }

    #[test]
    fn downward_dependency_is_allowed() {
        let sources = [
            ("lib", "pub use secret::Secret; fn run() { crate::cli::run(); }"),
            ("cli/env", "use std::env; use crate::{chat::Session, keys, Secret};"),
            ("cli/term/output", "use std::io::{self, IsTerminal}; fn f() { io::stdout(); }"),
            ("chat/mod", "use crate::{conversations::Store, privacy::{Raw, Redactor}, provider::Provider};"),
            ("privacy/redactor", "use super::{Raw, tokens}; use regex::bytes::Regex;"),
            ("privacy/mod", "pub mod redactor;"),
            ("fs", "use std::fs::{self, File};"),
            ("dirs", "use crate::name::Name;"),
        ];
        assert_eq!(told(&sources), Vec::<String>::new());
        assert!(EXPOSE_ALLOWLIST.iter().all(|(_, count, why)| *count > 0 && !why.is_empty()));
    }
}
