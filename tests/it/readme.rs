//! Every command in the README and in `docs/` runs, every setting is accepted and every link works.

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

/// The README, the run book and the pages in `docs/`: their paths and texts.
pub(super) fn documents() -> Vec<(String, String)> {
    let mut paths = vec![
        String::from("README.md"),
        String::from("contrib/incident.md"),
    ];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        paths.push(format!(
            "docs/{}",
            entry.unwrap().file_name().to_string_lossy()
        ));
    }
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The lines of the code blocks in one language, without their comments.
fn lines(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, text) in documents() {
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside && line == format!("```{language}");
            } else if inside {
                let line = line.split(" #").next().unwrap_or_default().trim();
                if !line.is_empty() {
                    found.push(line.to_owned());
                }
            }
        }
    }
    found
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

#[test]
fn readme_commands_run() {
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

    let mut commands = lines("sh");
    assert!(commands.len() >= 8, "{commands:#?}");
    // The vault has to exist before the first key, wherever the text mentions it.
    commands.sort_by_key(|c| !c.starts_with("chatbot vault create"));
    let mut done = Vec::new();
    for command in &commands {
        match command.as_str() {
            "cargo test" | "cargo install --locked --path ." => {}
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
fn readme_settings_are_valid() {
    let sandbox = Sandbox::new();
    let toml: String = lines("toml").iter().map(|l| format!("{l}\n")).collect();
    assert!(toml.contains("[providers.local]"), "{toml}");
    sandbox.configure(&toml);
    sandbox
        .run(["config", "check"])
        .stdout("[..]config.toml: no mistakes\n")
        .check();
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
    let page = fs::read_to_string(root().join("docs/settings.md")).unwrap();
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
