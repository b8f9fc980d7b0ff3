//! Stress: kills at random moments, and many processes at once.

use crate::harness::{Output, Run, Sandbox, ci_markers};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Limits that no stress test reaches.
const HIGH_LIMITS: &str =
    "[limits]\nrequests_per_minute = 100000\nrequests_per_hour = 100000\nmax_messages = 100000\n";

/// A generator with a fixed seed. The moments of the kills still vary with the load of the machine.
fn random(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|e| panic!("`{}` prints no JSON ({e}): {}", output.title, output.stdout))
}

/// The role and text of every message of the latest conversation.
fn last_conversation(sandbox: &Sandbox) -> Vec<(String, String)> {
    // Code 8 reports a last line that the kill cut off; everything before it is shown.
    let output = sandbox.run(["history", "show", "--json"]).output();
    assert!(matches!(output.code, Some(0 | 8)), "{output:#?}");
    let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
    json(&output)["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| (text(&m["role"]), text(&m["text"])))
        .collect()
}

/// The start of the demo's answer to a message without a known topic.
const ACKNOWLEDGED: &str = "You wrote ";

/// Kills a conversation of many messages after a pause from its first answer. Returns how many of
/// its messages were answered on the screen.
fn killed_conversation(sandbox: &Sandbox, round: u64, pause: Duration) -> usize {
    // The first message is answered with a welcome, each later one with a sentence.
    let lines: String = (0..4000)
        .map(|n| format!("round{round} message{n} sent\n"))
        .collect();
    let running = sandbox
        .run(["chat", "--provider=demo"])
        .stdin(lines)
        .start();
    running.begins();
    let (_never, moment) = mpsc::channel::<()>();
    assert!(moment.recv_timeout(pause).is_err());
    let output = running.kill();
    assert_eq!(
        output.code, None,
        "it ended before it was killed: {}",
        output.stderr
    );
    output.stdout.matches(ACKNOWLEDGED).count()
}

#[test]
fn chat_kill_loses_nothing_acknowledged() {
    let workers: Vec<_> = (0..5)
        .map(|worker: u64| {
            thread::spawn(move || {
                let mut seed = 7 + worker;
                let sandbox = Sandbox::with_vault();
                sandbox.configure(HIGH_LIMITS);
                sandbox.run(["ask", "--provider=demo", "the data key is made"]).succeeds();
                for round in 0..ci_markers::rounds(50) / 5 {
                    let answered = killed_conversation(&sandbox, round, Duration::from_micros(random(&mut seed) % 200_000));
                    let kept = last_conversation(&sandbox);
                    let sent: Vec<&str> = kept.iter().filter(|(role, _)| role == "user").map(|(_, text)| text.as_str()).collect();
                    assert!(sent.len() > answered, "round {round}: {answered} messages were acknowledged, {} were kept", sent.len());
                    for (n, text) in sent.iter().enumerate() {
                        assert_eq!(*text, format!("round{round} message{n} sent"), "round {round}: a message is lost or out of place");
                    }
                    let replies = kept.iter().filter(|(role, _)| role == "assistant").count();
                    assert!(replies >= answered, "round {round}: {answered} answers were shown to their end, {replies} were kept");
                }
                // The home is consistent: every file can be read, and the killed conversation
                // continues.
                let verified = sandbox.run(["history", "verify", "--json"]).output();
                assert!(matches!(verified.code, Some(0 | 9)), "{verified:#?}");
                sandbox.run(["ask", "--provider=demo", "--continue", "and on it goes"]).succeeds();
                assert_eq!(last_conversation(&sandbox).iter().filter(|(_, text)| text == "and on it goes").count(), 1);
                sandbox.is_private();
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("a worker");
    }
}

#[test]
fn rate_limit_of_seven_with_twenty_processes() {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("[limits]\nrequests_per_minute = 7\n");
    let all: Vec<_> = (0..20)
        .map(|n| {
            sandbox
                .run(["ask", "--provider=demo"])
                .arg(format!("parallel {n}"))
        })
        .map(Run::start)
        .collect();
    let ended: Vec<Output> = all
        .into_iter()
        .map(crate::harness::run::Running::end)
        .collect();
    let (passed, refused): (Vec<&Output>, Vec<&Output>) =
        ended.iter().partition(|o| o.code == Some(0));
    assert_eq!(passed.len(), 7, "{ended:#?}");
    for output in refused {
        assert_eq!(output.code, Some(5), "{output:#?}");
        assert!(
            output.stderr.starts_with("chatbot: error: ") && output.stdout.is_empty(),
            "{output:#?}"
        );
    }
    let list = json(
        &sandbox
            .run(["history", "list", "--json", "--limit", "100"])
            .succeeds(),
    );
    let answered = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["messages"] == 2)
        .count();
    assert_eq!(answered, 7, "{list:#}");
    sandbox.run(["history", "verify", "--json"]).succeeds();
    let usage = json(&sandbox.run(["usage", "--json"]).succeeds());
    assert_eq!(usage["limits"][0]["used"], 7, "{usage:#}");
    let requests = sandbox
        .run(["audit", "--json", "--event", "request"])
        .succeeds();
    assert_eq!(requests.stdout.lines().count(), 7, "{}", requests.stdout);
    sandbox.is_private();
}
