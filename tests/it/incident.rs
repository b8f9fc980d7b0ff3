//! `chatbot incident`: lockdown, assessment, evidence and recovery.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn lockdown_blocks_sending_and_keys() {
    let server = Server::replies([Reply::says("Hello."), Reply::says("Again.")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "hello"]).stdout("Hello.\n").check();
    sandbox
        .run(["incident", "lockdown"])
        .stdout("lockdown: nothing is sent, no key is revealed; end it with `chatbot incident release`\n")
        .check();
    let refused = "chatbot: error: lockdown is active since [..]: nothing is sent\nchatbot: hint: end it with `chatbot incident release`\n";
    for command in [
        &["ask", "hello"][..],
        &["ask", "--provider=demo", "hello"],
        &["chat"],
        &["models"],
    ] {
        sandbox.run(command).code(4).stderr(refused).check();
    }
    // Local data can still be read.
    sandbox.run(["history", "list"]).succeeds();
    sandbox.run(["incident", "release"]).fails(2);
    sandbox
        .run(["incident", "release", "--yes"])
        .stdout("the lockdown has ended\n")
        .check();
    sandbox.run(["ask", "hello"]).stdout("Again.\n").check();
    sandbox.run(["incident", "release", "--yes"]).fails(2);
}

#[test]
fn lockdown_needs_no_key_store() {
    // There is no session bus, and the settings are invalid.
    let sandbox = Sandbox::new();
    sandbox.configure("this is = = no toml");
    let began = Instant::now();
    sandbox.run(["incident", "lockdown"]).succeeds();
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    sandbox.configure("");
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .fails(4);
    // The lockdown file counts whatever its content is.
    std::fs::write(sandbox.state().join("lockdown"), b"garbage").unwrap();
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .fails(4);
    sandbox.is_private();
}

#[test]
fn incident_report_counts_and_encrypts() {
    let mut sandbox = Sandbox::with_vault();
    let server = Server::replies([Reply::says("Hello."), Reply::says("Fine.")]);
    sandbox.ask_at(&server.base_url(), "[privacy]\nredact = false\n");
    sandbox
        .run(["ask", "my mail is ann.bell@initech.com"])
        .succeeds();
    let config = std::fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.configure(&config.replace("redact = false", "redact = true"));
    sandbox
        .run(["ask", "--continue", "my card is 4111 1111 1111 1111"])
        .succeeds();
    let found: Value = serde_json::from_str(
        &sandbox
            .run(["incident", "assess", "--json"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(
        (
            &found["conversations"],
            &found["opened"],
            &found["messages"]
        ),
        (&1.into(), &1.into(), &4.into()),
        "{found}"
    );
    assert_eq!(
        (&found["unredacted"], &found["values"]["EMAIL"]),
        (&1.into(), &1.into()),
        "{found}"
    );
    assert_eq!(found["requests"]["own"], 2);
    let later: Value = serde_json::from_str(
        &sandbox
            .run(["incident", "assess", "--json", "--since", "2999-01-01"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(
        (&later["changed"], &later["unredacted"]),
        (&0.into(), &0.into())
    );
    let bundle = sandbox.root().join("evidence.sealed");
    sandbox.run(["incident", "report"]).arg(&bundle).succeeds();
    let sealed = std::fs::read_to_string(&bundle).unwrap();
    assert!(
        !sealed.contains("initech") && !sealed.contains("audit"),
        "it is not sealed"
    );
    let opened = sandbox
        .run(["incident", "report", "--open"])
        .arg(&bundle)
        .succeeds()
        .stdout;
    let evidence: Value = serde_json::from_str(&opened).unwrap();
    assert!(
        evidence["logs"]["audit.jsonl"]
            .as_str()
            .unwrap()
            .contains("\"action\":\"report\"")
    );
    assert!(
        evidence["files"]
            .as_object()
            .unwrap()
            .keys()
            .any(|f| f.ends_with("vault.json"))
    );
    assert!(!opened.contains("initech"), "no message text unless asked");
    let whole = sandbox.root().join("whole.sealed");
    sandbox
        .run(["incident", "report", "--with-messages"])
        .arg(&whole)
        .succeeds();
    let opened = sandbox
        .run(["incident", "report", "--open"])
        .arg(&whole)
        .succeeds()
        .stdout;
    assert!(
        opened.contains("my mail is [EMAIL_1]") && !opened.contains("initech"),
        "{opened}"
    );
    sandbox.run(["incident", "report"]).arg(&whole).fails(2);
    // Reports of the same minute get different names.
    let made = [0; 3].map(|_| sandbox.run(["incident", "report"]).succeeds().stdout);
    assert!(made[0] != made[1] && made[1] != made[2], "{made:?}");
    sandbox.is_private();
}

const STEPS: &str =
    "1. check the audit log: was any record changed or removed? (`chatbot audit verify`)
2. check every conversation: is anything damaged or moved? (`chatbot history verify`)
";

#[test]
fn incident_recover_resumes() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox
        .run(["ask", "--provider=demo", "hello again"])
        .succeeds();
    sandbox.run(["backup"]).succeeds();
    sandbox.store_key("openrouter", &crate::harness::sandbox::key());
    sandbox.run(["incident", "lockdown"]).succeeds();
    let lost = sandbox.conversations().remove(0);
    std::fs::remove_file(&lost).unwrap();
    let restore = "3. restore what is missing (`chatbot restore [..].backup`, made [..]): nothing is overwritten\n";
    let more = "4. re-encrypt every conversation with a new key (`chatbot history rekey`)\n";
    let keys = "5. replace the API keys with new ones (`chatbot key rotate`): `openrouter`\n";
    let release = "6. end the lockdown: messages and keys can leave this machine again (`chatbot incident release`)\n";
    // Without a terminal the steps are shown and not run.
    sandbox
        .run(["incident", "recover"])
        .code(2)
        .stdout(format!("{STEPS}{restore}{more}{keys}{release}"))
        .stderr("chatbot: error: nothing was done: each step needs an answer, but there is no terminal to ask on\nchatbot: hint: use `--yes` to agree to every step\n")
        .check();
    assert!(!lost.exists() && !sandbox.state().join("recovery.json").exists());
    // `--yes` does not end the lockdown while an old key is still in use.
    let stays = "   the lockdown is still active: see above; end it with `chatbot incident release`\nsteps not done, run this command again: 5, 6\n";
    let left = "   the vault keeps its passphrase and its key; if someone may have a copy of it, run `chatbot vault passwd`\n   not replaced: the key for `openrouter`: you must create the new key at the provider, and there is no terminal to enter it\n";
    let (log, conversations) = STEPS.split_at(STEPS.find("2.").unwrap());
    let done = "[..] records, [..] of them with a MAC: no changes found\n";
    let expected = format!(
        "{log}{done}{conversations}1 conversation, 2 messages: nothing is damaged\n{restore}1 restored, 1 already present, 0 restored as copies\n\
         {more}re-encrypted 2 conversations; the old key was deleted\n{keys}{left}{release}{stays}"
    );
    sandbox
        .run(["incident", "recover", "--yes"])
        .code(9)
        .stdout(expected)
        .check();
    assert!(lost.exists());
    sandbox.run(["ask", "--provider=demo", "hello"]).fails(4);
    // Finished steps are not repeated. The key was deleted in the meantime.
    sandbox.run(["key", "delete", "--yes"]).succeeds();
    let before = "   already done\n";
    let keys = "5. replace the API keys with new ones (`chatbot key rotate`)\n   skipped: there are no keys\n";
    let end =
        "the lockdown has ended\nrecovery complete; make a new backup now with `chatbot backup`\n";
    let expected = format!(
        "{log}{before}{conversations}{before}{restore}{before}{more}{before}{keys}{release}{end}"
    );
    sandbox
        .run(["incident", "recover", "--yes"])
        .stdout(expected)
        .check();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["history", "verify"]).succeeds();
    assert!(!sandbox.state().join("recovery.json").exists());
    sandbox.is_private();
}

#[test]
fn incident_recover_confirms_each_step() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["incident", "lockdown"]).succeeds();
    let audit = sandbox.state().join("audit.jsonl");
    let whole = std::fs::read_to_string(&audit).unwrap();
    std::fs::write(&audit, whole.replace("answered", "Answered")).unwrap();
    let mut screen = sandbox.screen(["incident", "recover"]);
    screen
        .wait_for("1. check the audit log")
        .wait_for("Continue? [y/N]")
        .line("y")
        .wait_for("is damaged");
    screen
        .wait_for("2. check every")
        .wait_for("Continue? [y/N]")
        .line("n");
    screen
        .wait_for("3. restore what is missing")
        .wait_for("skipped: there is no backup");
    screen
        .wait_for("4. re-encrypt")
        .wait_for("Continue? [y/N]")
        .line("y")
        .wait_for("re-encrypted 1 conversation");
    screen.wait_for("skipped: there are no keys");
    screen
        .wait_for("6. end")
        .wait_for("A step above found damage or is not done. Continue anyway? [y/N]")
        .line("n");
    screen.wait_for("steps not done, run this command again: 2, 6");
    assert_eq!(screen.end(), 9);
    let mut screen = sandbox.screen(["incident", "recover"]);
    screen
        .wait_for("continuing the recovery started at")
        .wait_for("1. check")
        .wait_for("already done");
    screen
        .wait_for("2. check every")
        .wait_for("Continue? [y/N]")
        .line("y")
        .wait_for("nothing is damaged");
    screen
        .wait_for("6. end")
        .wait_for("A step above found damage")
        .line("y")
        .wait_for("recovery complete");
    assert_eq!(screen.end(), 9);
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
}

#[test]
fn lockdown_reason_is_redacted_and_shown() {
    let sandbox = Sandbox::new();
    sandbox
        .run(["incident", "status"])
        .stdout("lockdown  off\nalerts    none open\n")
        .check();
    sandbox
        .run(["incident", "lockdown", "--reason"])
        .arg("laptop of bob.miller@initech.com stolen")
        .succeeds();
    sandbox
        .run(["incident", "status"])
        .stdout("lockdown  on since [..]\nreason    laptop of [EMAIL_1] stolen\nalerts    1 open; `chatbot audit alerts` lists them\n")
        .check();
    let log = sandbox
        .run(["audit", "list", "--event", "incident.recorded"])
        .succeeds()
        .stdout;
    assert!(log.contains(" reason=laptop_of__EMAIL_1__stolen"), "{log}");
    sandbox.run(["incident", "release", "--yes"]).succeeds();
    let status: Value = serde_json::from_str(
        &sandbox
            .run(["incident", "status", "--json"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(
        status,
        json!({"schema_version": 1, "lockdown": false, "since": null, "automatic": false, "reason": null, "open_alerts": 0})
    );
    // It does not depend on the settings.
    sandbox.configure("[limits");
    sandbox
        .run(["incident", "lockdown", "--reason", "bob.miller@initech.com"])
        .succeeds();
    let file = std::fs::read_to_string(sandbox.state().join("lockdown")).unwrap();
    assert!(file.contains("[EMAIL_1]"), "{file}");
}

#[test]
fn lockdown_begins_by_itself_on_a_critical_alert() {
    let sandbox = Sandbox::with_vault();
    let alert_file = sandbox.root().join("alert_file");
    let command = format!("cat >> {}", alert_file.display());
    sandbox.configure(&format!(
        "[alerts]\nlockdown = true\ncommand = [\"sh\", \"-c\", {command:?}]\n"
    ));
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    std::fs::remove_file(sandbox.state().join("audit.head")).unwrap();
    let noticed = sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let said = "chatbot: a lockdown began by itself: the audit log was changed, cut or damaged near record ";
    assert_eq!(noticed.stderr.matches(said).count(), 1, "{noticed:?}");
    sandbox.run(["ask", "--provider=demo", "hello"]).fails(4);
    let status = sandbox.run(["incident", "status"]).succeeds().stdout;
    assert!(
        status.contains(", began by itself\nreason    the audit log "),
        "{status}"
    );
    let began = Instant::now();
    let mut text = String::new();
    while text.lines().count() < 2 && began.elapsed() < Duration::from_secs(20) {
        text = std::fs::read_to_string(&alert_file).unwrap_or_default();
        std::thread::yield_now();
    }
    let mut kinds: Vec<_> = text
        .lines()
        .map(|line| {
            let alert: Value = serde_json::from_str(line).unwrap();
            let part = |name: &str| alert["alert"][name].as_str().unwrap().to_owned();
            (part("kind"), part("severity"))
        })
        .collect();
    kinds.sort();
    let expected = [("chain", "critical"), ("lockdown", "warning")];
    assert_eq!(kinds, expected.map(|(k, s)| (k.to_owned(), s.to_owned())));
    // It begins once for one cause.
    sandbox.run(["incident", "release", "--yes"]).succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
}

#[test]
fn lockdown_audits_each_attempt() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.store_key("openrouter", &crate::harness::sandbox::key());
    sandbox.run(["incident", "lockdown"]).succeeds();
    let tries = [
        &["ask", "--provider=demo", "hello"][..],
        &["key", "recovery", "export", "key.recovery"],
        &["vault", "unlock"],
        &["backup", "--with-keys", "--yes"],
    ];
    for command in tries {
        sandbox.run(command).fails(4);
    }
    let refused = sandbox
        .run(["audit", "list", "--event", "limit.reached"])
        .succeeds()
        .stdout;
    assert_eq!(
        refused.matches("window=lockdown").count(),
        tries.len(),
        "{refused}"
    );
    // The lockdown blocks sending, not checking.
    sandbox.run(["config", "check"]).succeeds();
}

#[test]
fn lockdown_works_with_broken_setup() {
    let sandbox = Sandbox::new();
    sandbox.configure("[limits");
    for log in ["debug", "/nowhere/to/log"] {
        sandbox
            .run(["incident", "lockdown"])
            .env("CHATBOT_LOG", log)
            .succeeds();
        std::fs::remove_file(sandbox.state().join("lockdown")).unwrap();
    }
}

#[test]
fn incident_counts_unanswered_messages() {
    let mut sandbox = Sandbox::under_one_root();
    let server = Server::always(|_| Reply::json(400, r#"{"error":{"code":400,"message":"No"}}"#));
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "--no-log", "hello"]).output();
    let found: Value = serde_json::from_str(
        &sandbox
            .run(["incident", "assess", "--json"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(found["requests"]["own"], 1, "{found}");
}

#[test]
fn incident_finds_key_without_index() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.store_key("openrouter", &crate::harness::sandbox::key());
    let key_index = sandbox.state().join("keys.json");
    let lose = || std::fs::remove_file(&key_index).unwrap();
    lose();
    let found: Value = serde_json::from_str(
        &sandbox
            .run(["incident", "assess", "--json"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(found["keys"].as_array().unwrap().len(), 1, "{found}");
    lose();
    let recovered = sandbox
        .run(["incident", "recover", "--yes"])
        .fails(9)
        .stdout;
    assert!(
        recovered
            .contains("replace the API keys with new ones (`chatbot key rotate`): `openrouter`"),
        "{recovered}"
    );
    lose();
    let kept = sandbox.run(["backup", "--with-keys", "--yes"]).succeeds();
    assert!(
        kept.stderr.contains("1 API key is in this backup"),
        "{kept:?}"
    );
}

#[test]
fn incident_recover_continues_after_failure() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["backup"]).succeeds();
    let backup = std::fs::read_dir(sandbox.data().join("backups"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&backup).unwrap();
    std::fs::write(&backup, &bytes[..bytes.len() / 2]).unwrap();
    let recovered = sandbox
        .run(["incident", "recover", "--yes"])
        .fails(9)
        .stdout;
    assert!(
        recovered.contains("re-encrypted 1 conversation"),
        "{recovered}"
    );
    assert!(
        recovered.ends_with("steps not done, run this command again: 3\n"),
        "{recovered}"
    );
    sandbox.run(["backup", "--verify"]).arg(&backup).fails(8);
    let stdout = sandbox
        .run(["audit", "list", "--event", "backup"])
        .succeeds()
        .stdout;
    assert!(
        stdout.ends_with("action=verify outcome=failed\n"),
        "{stdout}"
    );
}

#[test]
fn key_leaked_names_steps_with_the_facts() {
    let server = Server::replies([Reply::says("Hello.")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "hello"]).succeeds();
    sandbox
        .run(["incident", "key-leaked"])
        .stdout(
            "The key for own (default) got out\n\n\
             key        it is not stored here\n\
             last day   1 request, [..] from this machine\n\
             last week  1 request, [..] from this machine\n\n\
             1. Revoke the key at the provider: a key that still works costs money by the minute:\n   \
             the key page of your provider\n\
             2. Save its replacement; this asks for the new key and checks it before the old one goes:\n   \
             chatbot key rotate --provider own --profile default\n\
             3. Compare the provider's activity with what this program sent: the rest was someone else:\n   \
             chatbot usage --by day --since 30d\n\
             4. Find out where it got out: transcripts of other tools, shell histories, files:\n   \
             chatbot scan\n\
             5. Check that nothing on this machine gives away the next one:\n   \
             chatbot doctor\n\
             6. Save the evidence, if someone else has to know:\n   \
             chatbot incident report\n\
             7. Tell them:\n   \
             chatbot incident notice\n\n\
             `chatbot incident lockdown` stops everything that leaves this machine until you know more.\n",
        )
        .check();
    sandbox.store_key("openrouter", &super::harness::sandbox::key());
    let page = sandbox
        .run(["incident", "key-leaked", "--json", "-p", "openrouter"])
        .succeeds()
        .stdout;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["key_page"], "https://openrouter.ai/settings/keys");
    assert_eq!(page["last_week"]["requests"], 0);
    assert!(page["fingerprint"].is_string(), "{page}");
    assert!(!page.to_string().contains(&super::harness::sandbox::key()));
}

#[test]
fn notice_has_what_is_known_and_names_what_is_not() {
    let server = Server::replies([Reply::says("Hello.")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(
        &server.base_url(),
        "[incident]\ncontact = \"Security desk, desk@example.org\"\n",
    );
    sandbox.run(["ask", "hello"]).succeeds();
    let all = sandbox.run(["incident", "notice"]).succeeds().stdout;
    for part in [
        "# Checklist\n",
        "# To the employer or client\n",
        "# To the provider\n",
        "# To the people concerned\n",
        "(Article 33 paragraph 5)",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains('{') && !all.contains('}'), "{all}");
    let one = sandbox
        .run(["incident", "notice", "employer"])
        .succeeds()
        .stdout;
    assert!(one.starts_with("# To the employer or client\n"), "{one}");
    assert!(one.ends_with("Security desk, desk@example.org\n"), "{one}");
    assert!(one.contains("They\nwere sent to: own."), "{one}");
    assert!(!one.contains("# To the provider"), "{one}");
}
