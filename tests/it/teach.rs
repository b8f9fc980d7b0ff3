//! `allow`, `never` and the reasons of findings: a user corrects the redactor.

use crate::harness::provider::{Reply, Server};
use crate::harness::pty::key;
use crate::harness::{Sandbox, Screen};
use std::path::PathBuf;

fn redacted(sandbox: &Sandbox, text: &str) -> String {
    sandbox.run(["redact"]).stdin(text).succeeds().stdout
}

fn settings(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.settings()).unwrap()
}

#[test]
fn allowed_text_is_no_longer_redacted() {
    let sandbox = Sandbox::new();
    sandbox.run(["config", "init"]).succeeds();
    let before = settings(&sandbox);
    let text = "to bob.miller@initech.com, ann@initech.com\n";
    assert_eq!(redacted(&sandbox, text), "to [EMAIL_1], [EMAIL_2]\n");
    let output = sandbox.run(["allow", "bob.miller@initech.com"]).succeeds();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("allowed: the text is no longer redacted\n", "")
    );
    assert_eq!(
        redacted(&sandbox, text),
        "to bob.miller@initech.com, [EMAIL_1]\n"
    );
    sandbox.run(["allow", "/ann@.+/"]).succeeds();
    assert_eq!(redacted(&sandbox, text), text);
    let after = settings(&sandbox);
    let line = after
        .lines()
        .find(|line| line.ends_with(", `chatbot allow`"));
    let day = line.unwrap().trim().get(2..12).unwrap();
    assert!(chatbot::Time::from_local_day(day).is_some(), "{day}");
    let list = format!(
        "allow = [\n    # {day}, `chatbot allow`\n    \"bob.miller@initech.com\",\n    # {day}, `chatbot allow`\n    \"/ann@.+/\",\n]\n"
    );
    assert_eq!(after, before.replace("# allow = []\n", &list));
    let again = sandbox.run(["allow", "/ann@.+/"]).succeeds();
    assert_eq!(again.stdout, "the text is allowed already\n");
    assert_eq!(settings(&sandbox), after);
    for said in [
        "the text is redacted again\n",
        "the text is not in `privacy.allow`\n",
    ] {
        let undone = sandbox.run(["allow", "--undo", "/ann@.+/"]).succeeds();
        assert_eq!(undone.stdout, said);
    }
    assert_eq!(
        redacted(&sandbox, text),
        "to bob.miller@initech.com, [EMAIL_1]\n"
    );
}

#[test]
fn allowed_pattern_is_checked_before_it_is_written() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["allow", "/[/"]).fails(2);
    assert!(
        output.stderr.contains("is not a valid regular expression"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("nothing was changed"));
    sandbox.run(["allow", " "]).fails(2);
    sandbox.run(["allow", "*"]).fails(2);
    assert_eq!(redacted(&sandbox, "ann@initech.com"), "[EMAIL_1]");
}

#[test]
fn allowing_a_part_says_what_is_still_found() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .run(["allow", "write to ann@initech.com"])
        .succeeds();
    assert_eq!(
        output.stderr,
        "chatbot: warning: a part of it is redacted all the same: EMAIL by the rule `email`: it has \
         a form or a checksum that other texts do not have\n"
    );
}

#[test]
fn taught_text_is_redacted_and_not_kept() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["never", "-"]).stdin("Blue Heron\n").succeeds();
    assert_eq!(
        output.stdout,
        "taught: the text is sent and kept as `[PRIVATE_1]` from now on\n"
    );
    sandbox.run(["never", "Grey Wagtail"]).succeeds();
    let text = "the Blue Heron-project, Grey Wagtail, Blue Heron\n";
    assert_eq!(
        redacted(&sandbox, text),
        "the [PRIVATE_1]-project, [PRIVATE_2], [PRIVATE_1]\n"
    );
    let before = settings(&sandbox);
    let again = sandbox.run(["never", "Blue Heron"]).succeeds();
    assert_eq!(again.stdout, "the text is taught already\n");
    assert_eq!(settings(&sandbox), before);
    assert_eq!(sandbox.files_with(b"Heron"), Vec::<PathBuf>::new());
    assert_eq!(sandbox.files_with(b"Wagtail"), Vec::<PathBuf>::new());
    // What is taught is stronger than an exception.
    sandbox.run(["allow", "*Heron*"]).succeeds();
    assert_eq!(redacted(&sandbox, "a Blue Heron"), "a [PRIVATE_1]");
    sandbox.run(["never", "--undo", "Blue Heron"]).succeeds();
    assert_eq!(redacted(&sandbox, "a Blue Heron"), "a Blue Heron");
    let undone = sandbox.run(["never", "--undo", "Blue Heron"]).succeeds();
    assert_eq!(undone.stdout, "the text was never taught\n");
    assert_eq!(redacted(&sandbox, "Grey Wagtail"), "[PRIVATE_1]");
}

#[test]
fn taught_text_does_not_leave() {
    let server = Server::always(|_| Reply::says("about [PRIVATE_1]"));
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let mut screen = Screen::open(&sandbox, ["never"], 80, 24);
    screen
        .wait_for("Text to redact from now on: ")
        .line("Blue Heron")
        .wait_for("taught: the text is sent and kept as `[PRIVATE_1]` from now on");
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("what is Blue Heron?")
        .wait_for("about ")
        .wait_for("\n> ")
        .line("/redact why")
        .wait_for("[PRIVATE_1]  taught: you have taught it with `chatbot never`")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let sent = server.requests();
    assert!(sent.iter().all(|request| !request.text().contains("Heron")));
    assert!(sent[0].text().contains("what is [PRIVATE_1]?"));
}

#[test]
fn text_that_cannot_be_taught_is_refused() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["never", "abc"]).fails(2);
    assert_eq!(
        output.stderr,
        "chatbot: error: a text of 4 to 256 bytes can be taught, this one has 3\nchatbot: hint: teach a longer or a shorter part of it, on one line\n"
    );
    sandbox.run(["config", "init"]).succeeds();
    sandbox
        .run(["config", "set", "privacy.never", "[\"Blue Heron\"]"])
        .fails(2);
}

#[test]
fn findings_are_explained() {
    let sandbox = Sandbox::new();
    let text = "from ann@initech.com\n\n  the pw: hunter2x\n";
    let output = sandbox.run(["redact", "--explain"]).stdin(text).succeeds();
    assert_eq!(
        output.stdout,
        "1:6  EMAIL  email: it has a form or a checksum that other texts do not have\n\
         3:11  PASSWORD  named-password: it belongs to a name that stands for private values\n"
    );
    let output = sandbox
        .run(["redact", "--explain", "--json", "--fail"])
        .stdin("ann@initech.com")
        .fails(9);
    assert_eq!(
        output.stdout,
        "{\"schema_version\":1,\"findings\":[{\"kind\":\"EMAIL\",\"rule\":\"email\",\"start\":0,\"end\":15,\"evidence\":\"it has a form or a checksum that other texts do not have\"}]}\n"
    );
    let nothing = sandbox.run(["redact", "--explain"]).stdin("x").succeeds();
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", ""));
}
