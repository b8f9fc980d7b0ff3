//! Completion in real shells: values, and no key store that is opened for them.

use super::harness::ci_markers::{left_out, ran, tool};
use super::harness::provider::{Reply, Server};
use super::harness::run::BINARY;
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use std::path::Path;
use std::process::Command;

/// A sandbox with one conversation whose vault is locked, cached models, and a file with a blank in
/// its name. Returns also the id of the conversation.
fn sandbox() -> (Sandbox, String) {
    let server = Server::replies([Reply::says("a bird")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox
        .run(["ask", "--no-stdin", "about the heron"])
        .succeeds();
    sandbox.ask_at("http://127.0.0.1:9/v1", "");
    sandbox.write(
        "one-root/cache/models-own.jsonl",
        "2026-01-02T03:04:05Z\n{\"id\":\"maker/qwen:7b\"}\n{\"id\":\"other/large\"}\n",
    );
    sandbox.write("cwd/my docs.txt", "x");
    sandbox.unset("CHATBOT_PASSPHRASE_FILE");
    let folder = Path::new(BINARY).parent().unwrap();
    sandbox.set(
        "PATH",
        format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()),
    );
    sandbox.set("PS1", "$ ");
    let [file] = sandbox.conversations().try_into().unwrap();
    let name = file.file_name().unwrap().to_string_lossy();
    let id = name.split('.').next().unwrap().to_owned();
    (sandbox, id)
}

/// Types beginnings of lines and Tab, and waits for what the shell makes of them.
fn type_and_complete(screen: &mut Screen, id: &str, quoted_file: &str) {
    for (typed, completed) in [
        ("chatbot hist", "chatbot history".to_owned()),
        (
            "chatbot history show ",
            format!("chatbot history show {id}"),
        ),
        (
            "chatbot ask -m other/",
            "chatbot ask -m other/large".to_owned(),
        ),
        (
            "chatbot ask -m maker/qwen:",
            "chatbot ask -m maker/qwen:7b".to_owned(),
        ),
        ("chatbot ask -p ow", "chatbot ask -p own".to_owned()),
        (
            "chatbot ask --profile ",
            "chatbot ask --profile default".to_owned(),
        ),
        ("chatbot ask -f my", format!("chatbot ask -f {quoted_file}")),
    ] {
        screen.send(typed).wait_for(typed).send(key::TAB);
        let rest = &completed[typed.len().min(completed.len())..];
        screen.wait_for(if completed.starts_with(typed) {
            rest
        } else {
            quoted_file
        });
        // Ctrl-U: a shell that still completes ignores Ctrl-C.
        screen.send("\x15");
    }
}

#[test]
fn completion_works_in_bash() {
    let Some(bash) = tool("bash") else {
        return left_out("completion in bash", "no bash");
    };
    let (sandbox, id) = sandbox();
    let mut screen = Screen::open_program(&sandbox, bash, ["--norc", "--noprofile", "-i"], 100, 40);
    screen.wait_for("$ ");
    screen
        .line("source <(chatbot completions bash)")
        .wait_for("$ ");
    type_and_complete(&mut screen, &id, "my\\ docs.txt");
    screen.line("exit");
    screen.end();
    ran("completion-bash");
}

#[test]
fn completion_works_in_zsh() {
    let Some(zsh) = tool("zsh") else {
        return left_out("completion in zsh", "no zsh");
    };
    let (sandbox, id) = sandbox();
    let mut screen = Screen::open_program(&sandbox, zsh, ["-f", "-i"], 100, 40);
    screen.wait_for("$ ");
    screen
        .line("autoload -U compinit; compinit -u -D; source <(chatbot completions zsh); echo ok")
        .wait_for("\nok")
        .wait_for("$ ");
    type_and_complete(&mut screen, &id, "my\\ docs.txt");
    screen.line("exit");
    screen.end();
    ran("completion-zsh");
}

#[test]
fn completion_works_in_fish() {
    let Some(fish) = tool("fish") else {
        return left_out("completion in fish", "no fish");
    };
    let (sandbox, id) = sandbox();
    let completed = |line: &str| {
        let script = format!("chatbot completions fish | source; complete -C '{line}'");
        let output = Command::new(&fish)
            .args(["--no-config", "-c", &script])
            .env_clear()
            .envs(sandbox.env())
            .current_dir(sandbox.cwd())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let values = text
            .lines()
            .map(|l| l.split('\t').next().unwrap().to_owned());
        values.collect::<Vec<_>>()
    };
    assert_eq!(completed("chatbot hist"), ["history"]);
    assert_eq!(completed("chatbot history show "), [id]);
    assert_eq!(completed("chatbot ask -m maker/"), ["maker/qwen:7b"]);
    assert_eq!(completed("chatbot ask -p ow"), ["own"]);
    assert_eq!(completed("chatbot ask -f my"), ["my docs.txt"]);
    ran("completion-fish");
}

#[test]
fn completion_says_nothing_about_mistakes() {
    let sandbox = Sandbox::new();
    sandbox.configure("provider = 7\n[budgt]\n");
    let output = sandbox
        .run(["complete", "--", "chatbot ask -p op"])
        .succeeds();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("openai\nopenrouter\n", "")
    );
    assert_eq!(
        sandbox
            .run(["complete", "--", "chatbot history show "])
            .succeeds()
            .stdout,
        ""
    );
}
