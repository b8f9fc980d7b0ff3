//! Messages in the user's editor: where the temporary file is, and that nothing of it stays.

use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use rustix::process::{Signal, kill_process};
use std::os::unix::fs::PermissionsExt;

const CANARY: &str = "kanarienvogel in the editor";

/// A sandbox whose editor is a shell script: `$1` is the file.
fn sandbox_with_editor(script: &str) -> Sandbox {
    let mut sandbox = Sandbox::with_vault();
    set_editor(&mut sandbox, script);
    sandbox
}

fn set_editor(sandbox: &mut Sandbox, script: &str) {
    let editor = sandbox.write("editor", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.set("VISUAL", editor);
}

fn chat(sandbox: &Sandbox) -> Screen {
    let mut screen = sandbox.screen(["chat", "--provider=demo"]);
    screen.wait_for("\n> ");
    screen
}

/// Writes the canary, leaves a swap file next to the message, reports that and waits to be killed.
const HANGS: &str = "printf 'kanarienvogel in the editor' >\"$1\"; cp \"$1\" \"$(dirname \"$1\")/.message.md.swp\"\n\
    echo \"editing $1\"; exec sleep 600";

#[track_caller]
fn assert_nothing_is_left(sandbox: &Sandbox) {
    let script = sandbox.root().join("editor");
    let left: Vec<_> = sandbox
        .files_with(CANARY.as_bytes())
        .into_iter()
        .filter(|file| *file != script)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn edited_files(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    sandbox
        .files()
        .into_iter()
        .filter(|file| file.ends_with("message.md"))
        .collect()
}

#[test]
fn editor_text_in_private_folder_is_wiped() {
    let sandbox = sandbox_with_editor(
        "echo more >>\"$1\"; cp \"$1\" \"$1~\"; ls -ld \"$(dirname \"$1\")\" \"$1\"",
    );
    let mut screen = chat(&sandbox);
    screen
        .line(&format!("/edit {CANARY}"))
        .wait_for("drwx------")
        .wait_for("/run/chatbot/edit-")
        .wait_for("-rw-------");
    // The text is in the prompt, to be read once more before it is sent.
    screen
        .wait_for(&format!("> {CANARY}"))
        .wait_for("more")
        .send(key::ENTER)
        .wait_for("tok")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert_nothing_is_left(&sandbox);
    assert_eq!(edited_files(&sandbox), Vec::<std::path::PathBuf>::new());
}

#[test]
fn editor_text_is_wiped_when_a_signal_ends_the_chat() {
    for signal in [Signal::HUP, Signal::TERM] {
        let sandbox = sandbox_with_editor(HANGS);
        let mut screen = chat(&sandbox);
        screen.line("/edit").wait_for("editing /");
        assert_eq!(edited_files(&sandbox).len(), 1);
        kill_process(screen.pid(), signal).unwrap();
        assert_eq!(screen.end(), 130, "{signal:?}");
        assert_nothing_is_left(&sandbox);
    }
}

#[test]
fn editor_stopped_by_ctrl_c_gives_the_text_back() {
    let sandbox = sandbox_with_editor(HANGS);
    let mut screen = chat(&sandbox);
    screen
        .line("/edit")
        .wait_for("editing /")
        .send("\x03")
        .wait_for("the editor exited with an error")
        .wait_for("\n> ");
    assert_nothing_is_left(&sandbox);
    screen
        .send(key::UP)
        .wait_for(CANARY)
        .send("\x03")
        .wait_for("> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn editor_text_of_killed_chat_is_swept() {
    let mut sandbox = sandbox_with_editor(HANGS);
    let mut killed = chat(&sandbox);
    killed.line("/edit").wait_for("editing /");
    let mut used = chat(&sandbox);
    used.line("/edit").wait_for("editing /");
    let [one, other] = <[_; 2]>::try_from(edited_files(&sandbox)).unwrap();
    assert_ne!(one, other);
    // The editor has a terminal of its own and survives its parent.
    kill_process(killed.pid(), Signal::KILL).unwrap();
    assert_eq!(edited_files(&sandbox).len(), 2);
    set_editor(&mut sandbox, "true");
    let mut next = chat(&sandbox);
    assert_eq!(edited_files(&sandbox).len(), 1);
    next.send(key::CTRL_D);
    assert_eq!(next.end(), 0);
    used.send("\x03")
        .wait_for("the editor exited with an error")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(used.end(), 0);
    assert_nothing_is_left(&sandbox);
}

#[test]
fn editor_leaves_the_prompt_to_be_ended_by_a_signal() {
    let sandbox = sandbox_with_editor("echo hello >>\"$1\"");
    let mut screen = chat(&sandbox);
    screen.line("/edit").wait_for("\n> hello");
    kill_process(screen.pid(), Signal::TERM).unwrap();
    assert_eq!(screen.end(), 128 + 15);
}
