//! Every command of the README runs.

use super::harness::provider::{Reply, Server};
use super::harness::sandbox::{PASSPHRASE, own_key};
use super::harness::{Sandbox, run, screen};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README")
}

/// The lines of its code blocks of a language, without their comments.
fn lines(language: &str) -> Vec<String> {
    let readme = readme();
    let mut inside = false;
    let mut found = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = !inside && line == format!("```{language}");
        } else if inside {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if !line.is_empty() {
                found.push(line.to_owned());
            }
        }
    }
    found
}

/// A provider that is asked by those who read the README.
fn provider() -> Server {
    Server::whatever(|request| {
        if request.method == "GET" { Reply::json(200, r#"{"data":[{"id":"maker/model-1"}]}"#) } else { Reply::says("an answer") }
    })
}

#[test]
fn every_command_runs() {
    let server = provider();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"maker/model-1\"\n",
        server.base_url()
    ));
    // What the README says of a machine without a keyring comes first here, as it does there.
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_KEYRING", "vault");
    let tools = sandbox.root().join("tools");
    fs::create_dir(&tools).unwrap();
    symlink(run::BINARY, tools.join("chatbot")).unwrap();
    fs::write(tools.join("git"), "#!/bin/sh\necho '+a line that was added'\n").unwrap();
    fs::set_permissions(tools.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", tools.display()));

    let mut commands = lines("sh");
    assert!(commands.len() >= 8, "{commands:#?}");
    // A vault before a key, whatever the order of telling.
    commands.sort_by_key(|c| !c.starts_with("chatbot vault create"));
    let mut done = Vec::new();
    for command in &commands {
        match command.as_str() {
            "cargo test" | "cargo install --path ." => {}
            "cargo run --release -- chat --demo" | "chatbot chat" => {
                let words: Vec<&str> = command.split_whitespace().skip_while(|w| *w != "chat").collect();
                let mut screen = sandbox.screen(words);
                screen.wait_for("\n> ").line("hello").wait_for(" tok").wait_for("\n> ").send(screen::key::CTRL_D);
                assert_eq!(screen.end(), 0, "{command}");
            }
            "chatbot vault create" => {
                let mut screen = sandbox.screen(["vault", "create"]);
                screen.wait_for(": ").line(PASSPHRASE).wait_for("Strength").wait_for(": ").line(PASSPHRASE).wait_for("made the vault");
                assert_eq!(screen.end(), 0, "{command}");
                sandbox.set("CHATBOT_PASSPHRASE_FILE", &passphrase);
            }
            "chatbot key set" => {
                let mut screen = sandbox.screen(["key", "set"]);
                screen.wait_for("nothing is shown): ").line(&own_key()).wait_for("stored the key");
                assert_eq!(screen.end(), 0, "{command}");
            }
            _ => {
                let mut shell = Command::new("sh");
                let output = shell
                    .args(["-c", command])
                    .env_clear()
                    .envs(sandbox.env())
                    .current_dir(sandbox.desk())
                    .stdin(std::process::Stdio::null())
                    .output()
                    .unwrap();
                assert!(output.status.success(), "`{command}`: {}", String::from_utf8_lossy(&output.stderr));
                assert!(!output.stdout.is_empty(), "`{command}` says nothing");
            }
        }
        done.push(command.as_str());
    }
    for needed in ["cargo test", "cargo run --release -- chat --demo"] {
        assert!(done.contains(&needed), "the README no longer says `{needed}`");
    }
}

#[test]
fn the_settings_it_shows_are_settings() {
    let sandbox = Sandbox::new();
    let toml: String = lines("toml").iter().map(|l| format!("{l}\n")).collect();
    assert!(toml.contains("[providers.local]"), "{toml}");
    sandbox.configure(&toml);
    sandbox.run(["config", "check"]).stdout("[..]config.toml: no mistakes\n").check();
}

#[test]
fn what_ci_runs_is_what_it_says() {
    let ci = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect("the check");
    assert!(ci.lines().any(|line| line.trim_end().ends_with("cargo test")), "the README's `cargo test` is what is run");
}
