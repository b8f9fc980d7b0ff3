//! Every document: its commands exist with their options, those in `sh` blocks run, its settings
//! are accepted, its JSON is JSON and its links lead somewhere.

use super::harness::provider::{Reply, Server};
use super::harness::sandbox::{PASSPHRASE, own_key};
use crate::harness::{Sandbox, pty, run};
use crate::source;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document of the repository: its path and its text.
pub(super) fn documents() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in ["", "contrib/", "docs/"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                paths.push(format!("{folder}{name}"));
            }
        }
    }
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The code blocks of a text: their language and their lines.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            if inside {
                found.push((language.to_owned(), Vec::new()));
            }
        } else if let Some((_, lines)) = found.last_mut().filter(|_| inside) {
            lines.push(line.trim().to_owned());
        }
    }
    found
}

/// The lines of the `sh` blocks, without their comments.
fn shell_lines() -> Vec<String> {
    let all = documents();
    let blocks = all.iter().flat_map(|(_, text)| blocks(text));
    let lines = blocks
        .filter(|(language, _)| language == "sh")
        .flat_map(|(_, lines)| lines);
    lines
        .map(|line| without_comment(&line).to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn without_comment(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    line.split("  #").next().unwrap_or_default().trim()
}

/// The provider that the commands talk to.
fn provider() -> Server {
    Server::always(|request| {
        if request.method == "GET" {
            Reply::json(200, r#"{"data":[{"id":"maker/model-1"}]}"#)
        } else {
            Reply::says("an answer")
        }
    })
}

/// What the documents speak of: files of other programs in the home folder.
fn prepare(sandbox: &Sandbox) {
    let messages = r#"[{"role": "user", "content": "a question"}, {"role": "assistant", "content": "an answer"}]"#;
    let session = "model: openai:gpt-5.2\nmessages:\n- role: user\n  content: from aichat\n- role: assistant\n  content: an answer\n";
    sandbox.write("home/.config/aichat/sessions/temp.yaml", session);
    sandbox.write("home/.config/shell_gpt/chat_cache/one", messages);
    sandbox.write("home/notes.json", messages.replace("a question", "another"));
    let seeds = root().join("fuzz/seeds");
    for (seed, file) in [
        ("chatgpt", "home/Downloads/conversations.json"),
        ("sqlite", "home/.config/io.datasette.llm/logs.db"),
    ] {
        let mut files: Vec<_> = fs::read_dir(seeds.join(seed))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort_by_key(|file| fs::metadata(file).unwrap().len());
        let largest = files.last().expect("a seed");
        sandbox.write(file, fs::read(largest).unwrap());
    }
}

#[test]
fn document_commands_run() {
    let server = provider();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"maker/model-1\"\n",
        server.base_url()
    ));
    // For a machine without a keyring, the README says to create a vault first.
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_KEYRING", "vault");
    let tools = sandbox.root().join("tools");
    fs::create_dir(&tools).unwrap();
    symlink(run::BINARY, tools.join("chatbot")).unwrap();
    fs::write(
        tools.join("git"),
        "#!/bin/sh\necho '+a line that was added'\n",
    )
    .unwrap();
    fs::set_permissions(tools.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", tools.display()));

    prepare(&sandbox);

    let mut commands: Vec<String> = Vec::new();
    for command in shell_lines() {
        // Several documents say how to begin.
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    assert!(commands.len() >= 8, "{commands:#?}");
    // The vault has to exist before the first key, and a conversation before an export.
    let first = ["chatbot vault create", "chatbot key set", "chatbot ask "];
    let place = |command: &String| first.iter().position(|start| command.starts_with(start));
    commands.sort_by_key(|command| place(command).unwrap_or(first.len()));
    let mut done = Vec::new();
    for command in &commands {
        match command.as_str() {
            _ if command.starts_with("cargo ") && !command.contains("--demo") => {}
            "cargo run -- chat --demo" | "chatbot chat" => {
                let words: Vec<&str> = command
                    .split_whitespace()
                    .skip_while(|w| *w != "chat")
                    .collect();
                let mut screen = sandbox.screen(words);
                screen
                    .wait_for("\n> ")
                    .line("hello")
                    .wait_for(" tok")
                    .wait_for("\n> ")
                    .send(pty::key::CTRL_D);
                assert_eq!(screen.end(), 0, "{command}");
            }
            "chatbot vault create" => {
                let mut screen = sandbox.screen(["vault", "create"]);
                screen
                    .wait_for(": ")
                    .line(PASSPHRASE)
                    .wait_for("Strength")
                    .wait_for(": ")
                    .line(PASSPHRASE)
                    .wait_for("created the vault");
                assert_eq!(screen.end(), 0, "{command}");
                sandbox.set("CHATBOT_PASSPHRASE_FILE", &passphrase);
            }
            "chatbot key set" => {
                let mut screen = sandbox.screen(["key", "set"]);
                screen
                    .wait_for("input hidden): ")
                    .line(&own_key())
                    .wait_for("saved the key");
                assert_eq!(screen.end(), 0, "{command}");
            }
            _ => {
                let mut shell = Command::new("sh");
                let output = shell
                    .args(["-c", command])
                    .env_clear()
                    .envs(sandbox.env())
                    .current_dir(sandbox.cwd())
                    .stdin(std::process::Stdio::null())
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "`{command}`: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                assert!(!output.stdout.is_empty(), "`{command}` says nothing");
            }
        }
        done.push(command.as_str());
    }
    for needed in ["cargo test", "cargo run -- chat --demo"] {
        assert!(
            done.contains(&needed),
            "the README no longer says `{needed}`"
        );
    }
}

#[test]
fn document_settings_and_json_are_valid() {
    let mut checked = 0;
    for (path, text) in documents() {
        for (kind, lines) in blocks(&text) {
            if kind == "json" {
                for line in &lines {
                    let value: Result<serde_json::Value, _> = serde_json::from_str(line);
                    assert!(value.is_ok(), "{path}: {line}");
                }
            }
            if kind != "toml" {
                continue;
            }
            let sandbox = Sandbox::new();
            sandbox.configure(&lines.join("\n"));
            let output = sandbox.run(["config", "check"]).output();
            assert_eq!(
                output.code,
                Some(0),
                "{path}: {lines:#?}\n{}",
                output.stderr
            );
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked}");
}

/// The values of placeholders that must be a number, a time or one of a few words.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("USD", "1"),
    ("TIME", "1h"),
    ("N", "3"),
    ("PORT", "4000"),
    ("SCOPES", "chat"),
    ("IP", "127.0.0.1"),
    ("SPAN", "7d"),
    ("KDF", "argon2id:m=65536,t=3,p=1"),
];

/// Languages of blocks in which commands stand.
const COMMAND_LANGUAGES: [&str; 4] = ["sh", "text", "toml", "yaml"];

/// Questions that a document puts without a command.
const QUESTIONS: [&str; 1] = ["question"];

/// The words of a shell command, as far as documents use the shell: quotes, pipes and variables.
fn shell_words(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '|' | ';' | '&' | '(' | ')' | '>' | '<') => {
                let commands_so_far = commands.len();
                commands[commands_so_far - 1].extend(word.take());
                if c != ' ' {
                    commands.push(Vec::new());
                }
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut().expect("one command").extend(word);
    commands
}

/// The command lines of the program in a text: what follows `chatbot` in code blocks and between
/// back quotes.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let prose: String = text
        .split("```")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n\n");
    // A command may be broken where a line ends.
    let prose = prose.replace('\n', " ");
    let spans = prose.split('`').skip(1).step_by(2);
    let spans = spans.filter(|span| span.starts_with("chatbot "));
    let mut lines: Vec<String> = spans.map(str::to_owned).collect();
    for (language, block) in blocks(text) {
        if !COMMAND_LANGUAGES.contains(&language.as_str()) {
            continue;
        }
        // What a program prints is not typed.
        let is_session = block.iter().any(|line| line.starts_with("$ "));
        for line in block {
            let typed = line.strip_prefix("$ ").map(str::to_owned);
            let typed = typed.or((!is_session).then_some(line));
            lines.extend(typed.map(|line| without_comment(&line).to_owned()));
        }
    }
    let mut found = Vec::new();
    for line in lines {
        for mut words in shell_words(&line) {
            let before = words.iter().position(|word| word == "chatbot");
            // `chatbot: warning` is a message, and a table has words after two spaces.
            if let Some(before) = before.filter(|_| !line.starts_with("chatbot:")) {
                words.drain(..=before);
                if line.starts_with("chatbot ") && line.contains("   ") {
                    let typed = line.split("   ").next().unwrap_or_default();
                    words = shell_words(typed).remove(0);
                    words.remove(0);
                }
                let first = words.first().map_or("", String::as_str);
                if !first.ends_with(':') && !QUESTIONS.contains(&first) {
                    found.push(words);
                }
            }
        }
    }
    found
}

/// The words as they could be typed: with values in place of placeholders.
fn typed(words: &[String]) -> Vec<String> {
    let fill = |word: &String| {
        let word = word.trim_end_matches('…');
        if word.is_empty() || word == "..." || word == "COMMAND" || word == "[OPTIONS]" {
            return None;
        }
        let is_placeholder = word
            .chars()
            .all(|c| c.is_ascii_uppercase() || "-_=".contains(c))
            && word.contains(|c: char| c.is_ascii_uppercase());
        let value = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
        Some(match value {
            Some((_, value)) => (*value).to_owned(),
            None if is_placeholder => word.to_ascii_lowercase(),
            None => word.to_owned(),
        })
    };
    words.iter().filter_map(fill).collect()
}

#[test]
fn commands_in_documents_exist_with_their_options() {
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    let mut checked = BTreeSet::new();
    for (path, text) in documents() {
        for words in command_lines(&text) {
            let mut args = typed(&words);
            // Behind `--` stand the words of another program.
            let own = args.iter().position(|word| word == "--");
            args.insert(own.unwrap_or(args.len()), String::from("--help"));
            if !checked.insert(args.clone()) {
                continue;
            }
            let output = sandbox.run(&args).output();
            if output.code != Some(0) {
                let why = output.stderr.lines().next().unwrap_or_default().to_owned();
                wrong.push(format!("{path}: chatbot {}: {why}", words.join(" ")));
            }
        }
    }
    assert!(checked.len() > 100, "{}", checked.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn command_lines_are_found_in_documents() {
    let text = "Use `chatbot key set`, or `chatbot ask\n--json`.\n\n```text\n$ git diff | chatbot ask \"a b\" > out   # note\nchatbot says\n```\n\n```sh\nssh host chatbot usage && true\nchatbot redact < FILE\n```\n";
    let found: Vec<String> = command_lines(text).iter().map(|w| w.join("+")).collect();
    assert_eq!(
        found,
        ["key+set", "ask+--json", "ask+a b", "usage", "redact"]
    );
    assert_eq!(typed(&["a".into(), "USD".into(), "…".into()]), ["a", "1"]);
}

/// The settings of the template as rows of a table: name, default or example, and what it does.
fn settings_table() -> String {
    let mut rows = String::from("| setting | default | what it does |\n|---|---|---|\n");
    let (mut table, mut about_table, mut is_example_table) = (String::new(), String::new(), false);
    let (mut comment, mut complete, mut last) = (String::new(), false, String::new());
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    // The first paragraph is about the file.
    let lines = chatbot::config::TEMPLATE.lines();
    for line in lines.skip_while(|line| !line.is_empty()) {
        let text = line.trim_start_matches("# ");
        let setting = text.split_once(" = ").filter(|(name, _)| is_name(name));
        if line.is_empty() {
            comment.clear();
        } else if let Some(name) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            table = format!("{}.", name.replace('"', ""));
            about_table = std::mem::take(&mut comment);
            is_example_table = line.starts_with('#');
        } else if let Some((name, value)) = setting {
            let about = if comment.is_empty() {
                &about_table
            } else {
                &comment
            };
            let is_example = is_example_table || format!("{about} {value}").contains("xample");
            let start = if is_example { "none; " } else { "" };
            // One text explains all settings below it.
            let shown = if *about == last {
                ""
            } else {
                about.trim_end_matches(':')
            };
            rows += &format!("| `{table}{name}` | {start}`{value}` | {shown} |\n");
            last.clone_from(about);
            complete = true;
        } else {
            if std::mem::take(&mut complete) {
                comment.clear();
            }
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(text);
        }
    }
    rows
}

const TABLE_START: &str = "<!-- made from src/config/template.toml -->\n";
const TABLE_END: &str = "<!-- end -->\n";

#[test]
fn settings_table_is_that_of_the_template() {
    let path = root().join("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page
        .split_once(TABLE_START)
        .expect("the start of the table");
    let (kept, after) = rest.split_once(TABLE_END).expect("the end of the table");
    let table = settings_table();
    if std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "settings") {
        let page = format!("{before}{TABLE_START}\n{table}\n{TABLE_END}{after}");
        fs::write(path, page).unwrap();
        return;
    }
    let kept = kept.trim_start_matches('\n').trim_end_matches('\n');
    let difference = run::difference(kept, table.trim_end());
    assert!(
        kept == table.trim_end(),
        "`CHATBOT_REFRESH=settings cargo test --test it` writes it\n{difference}"
    );
}

#[test]
fn readme_matches_ci() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect("the check");
    assert!(
        ci.lines()
            .any(|line| line.trim_end().ends_with("cargo test")),
        "the README's `cargo test` is what is run"
    );
}

#[test]
fn the_readme_is_short_and_every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        if path == "README.md" && text.lines().count() >= 200 {
            wrong.push(format!(
                "{path}: {} lines, move details to docs/",
                text.lines().count()
            ));
        }
        let folder = root().join(&path).parent().unwrap().to_owned();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !file.is_empty() && !folder.join(file).exists() {
                wrong.push(format!("{path}: no such file: {target}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Variables that say something about the terminal or the system, and nothing to set.
const UNDOCUMENTED: [&str; 10] = [
    "HOME",
    "PATH",
    "TEMP",
    "TMPDIR",
    "USERPROFILE",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "TERM_PROGRAM",
    "VTE_VERSION",
];

#[test]
fn every_variable_that_is_read_is_documented() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let calls = [
        ".path(\"",
        ".text(\"",
        ".name(\"",
        ".has(\"",
        ".raw(\"",
        ".choice(\"",
    ];
    let mut missing = BTreeSet::new();
    for source in source::read_all() {
        let names = calls
            .iter()
            .flat_map(|call| source.text.split(call).skip(1));
        for name in names.filter_map(|rest| rest.split('"').next()) {
            let is_variable = |c: char| c.is_ascii_uppercase() || c == '_';
            if name.len() > 1
                && name.chars().all(is_variable)
                && !UNDOCUMENTED.contains(&name)
                && !page.contains(&format!("`{name}`"))
            {
                missing.insert(name.to_owned());
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
