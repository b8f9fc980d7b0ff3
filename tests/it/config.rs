//! `chatbot config`, and how the program reacts to invalid settings.

use crate::harness::Sandbox;
use serde_json::Value;

#[test]
fn config_init_writes_valid_template() {
    let sandbox = Sandbox::under_one_root();
    let path = "[ROOT]/one-root/config/config.toml\n";
    sandbox.run(["config", "path"]).stdout(path).check();
    sandbox.run(["config", "init"]).stdout(path).check();
    sandbox
        .run(["config", "check"])
        .stdout("[ROOT]/one-root/config/config.toml: no mistakes\n")
        .check();
    sandbox
        .run(["config", "init"])
        .stderr("chatbot: error: `[ROOT]/one-root/config/config.toml` already exists\nchatbot: hint: [..]\n")
        .code(2)
        .check();
    sandbox.is_private();
}

#[test]
fn config_show_round_trips() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = 7\n[privacy]\nallow = [\"initech\"]\n");
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    assert!(
        shown.contains("requests_per_minute = 7") && shown.contains("initech"),
        "{shown}"
    );
    sandbox.configure(&shown);
    sandbox.run(["config", "show"]).stdout(shown).check();
}

#[test]
fn config_check_reports_line_and_reason() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = \"many\"\nrequest_per_hour = 3\n");
    let output = sandbox.run(["config", "check"]).fails(9);
    assert!(
        output
            .stdout
            .contains("line 2: `limits.requests_per_minute`"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("line 3: ")
            && output
                .stdout
                .contains("did you mean `limits.requests_per_hour`?"),
        "{}",
        output.stdout
    );
    assert_eq!(
        output.stdout.matches("line 2").count(),
        1,
        "{}",
        output.stdout
    );
    // An invalid setting stops every command: the user may have meant it as a protection.
    let output = sandbox.run(["ask", "--demo", "x"]).fails(2);
    assert!(
        output.stderr.contains("line 2") && output.stderr.contains("hint: "),
        "{}",
        output.stderr
    );
    sandbox
        .run(["ask", "--demo", "x", "--config", "/nowhere/config.toml"])
        .fails(2);
}

#[test]
fn audit_list_holds_numbers_and_names() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run([
            "ask",
            "--demo",
            "no one writes down that bob.miller@initech.com likes herons",
        ])
        .succeeds();
    let log = sandbox.run(["audit", "--json"]).succeeds().stdout;
    let records: Vec<Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(records.len() >= 3, "{log}");
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], n + 1, "{log}");
        for field in [
            "seq", "at", "event", "severity", "session", "details", "prev", "mac",
        ] {
            assert!(record.get(field).is_some(), "{field}: {record:#}");
        }
    }
    assert!(!log.contains("heron") && !log.contains("initech"), "{log}");
    let one = sandbox
        .run(["audit", "--json", "--event", "message.redacted"])
        .succeeds()
        .stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
    sandbox
        .run(["audit", "--event", "mesage.redacted"])
        .stderr("chatbot: error: unknown event `mesage.redacted`\nchatbot: hint: did you mean `message.redacted`?\n")
        .code(2)
        .check();
}

#[test]
fn config_edit_checks_result() {
    let mut sandbox = Sandbox::under_one_root();
    let editor = sandbox.write(
        "editor",
        "#!/bin/sh\nprintf '\\n[limits]\\nrequests_per_minute = 7\\n' >\"$1\"\n",
    );
    std::process::Command::new("chmod")
        .arg("755")
        .arg(&editor)
        .status()
        .unwrap();
    sandbox.set("EDITOR", &editor);
    sandbox
        .run(["config", "edit"])
        .stdout("[ROOT]/one-root/config/config.toml: no mistakes\n")
        .check();
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    assert!(shown.contains("requests_per_minute = 7"), "{shown}");
    sandbox.write("editor", "#!/bin/sh\nprintf 'provider = 7\\n' >\"$1\"\n");
    let output = sandbox.run(["config", "edit"]).fails(9);
    assert!(
        output.stdout.contains("line 1: `provider`"),
        "{}",
        output.stdout
    );
    // On a terminal, `config edit` offers to edit again until the file is valid.
    let mut screen = sandbox.screen(["config", "edit"]);
    screen
        .wait_for("line 1: `provider`")
        .wait_for("edit it again?");
    sandbox.write(
        "editor",
        "#!/bin/sh\nprintf 'provider = \"openai\"\\n' >\"$1\"\n",
    );
    screen.line("y").wait_for("no mistakes");
    assert_eq!(screen.end(), 0);
    sandbox.is_private();
}

#[test]
fn config_misspelt_limit_stops() {
    let sandbox = Sandbox::with_vault();
    for (line, key, meant) in [
        (
            "[budget]\nper_dya = 1\n",
            "budget.per_dya",
            "budget.per_day",
        ),
        (
            "[limits]\nrequest_per_hour = 3\n",
            "limits.request_per_hour",
            "limits.requests_per_hour",
        ),
    ] {
        sandbox.configure(line);
        let stderr = sandbox.run(["ask", "--demo", "hello"]).fails(2).stderr;
        assert!(
            stderr.contains(&format!("`{key}`"))
                && stderr.contains(&format!("did you mean `{meant}`?")),
            "{stderr}"
        );
    }
    sandbox.configure("colour = 1\n");
    sandbox.run(["ask", "--demo", "hello"]).succeeds();
}

#[test]
fn proxy_notice_omits_password() {
    let mut sandbox = Sandbox::with_vault();
    sandbox.set("OPENROUTER_API_KEY", crate::harness::sandbox::key());
    sandbox.set(
        "HTTPS_PROXY",
        "http://user:canary-of-the-proxy@127.0.0.1:9/",
    );
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("requests go through the proxy `127.0.0.1:9` (`HTTPS_PROXY`)");
    assert_eq!(screen.end(), 7);
    assert!(
        !screen.text().contains("canary-of-the-proxy"),
        "{}",
        screen.text()
    );
    let file = sandbox.write("extra.pem", "no certificate");
    sandbox.set("SSL_CERT_FILE", &file);
    sandbox.set("NO_PROXY", "openrouter.ai");
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("extra.pem").wait_for("trusted as well");
    assert_ne!(screen.end(), 0);
    assert!(
        !screen.text().contains("requests go through"),
        "{}",
        screen.text()
    );
    // Neither a script nor the user of a local server gets the warning.
    let output = sandbox.run(["ask", "hi"]).output();
    assert!(
        !output.stderr.contains("trusted as well"),
        "{}",
        output.stderr
    );
}
