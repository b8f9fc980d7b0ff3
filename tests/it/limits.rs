//! Rate limits and budgets hold under parallel requests and damaged state files.

use super::harness::Sandbox;
use super::harness::provider::{Gate, Reply, Server};
use chatbot::Clock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

/// Makes eight times `each` attempts in parallel and counts their exit codes.
fn attempts(sandbox: &Sandbox, each: usize, args: &[&str]) -> BTreeMap<Option<i32>, usize> {
    let codes: Vec<Option<i32>> = thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..each)
                        .map(|_| sandbox.run(args).output().code)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        askers.into_iter().flat_map(|a| a.join().unwrap()).collect()
    });
    codes.into_iter().fold(BTreeMap::new(), |mut count, code| {
        *count.entry(code).or_default() += 1;
        count
    })
}

/// A provider whose answers cost a cent each, with public prices.
fn one_cent_per_answer() -> Server {
    Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0","request":"0.01"}},{"id":"maker/odd"}]}"#,
        ),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.01}"#)
            .done(),
    })
}

#[test]
fn rate_limit_is_exact_for_eight_processes() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 37\n");
    let codes = attempts(
        &sandbox,
        10,
        &["ask", "--provider=demo", "--no-log", "hello"],
    );
    assert_eq!(codes, BTreeMap::from([(Some(0), 37), (Some(5), 43)]));
}

#[test]
fn budget_is_exact_for_eight_processes() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\n[budget]\nper_day = 0.13\n");
    let codes = attempts(&sandbox, 5, &["ask", "--no-log", "hello"]);
    assert_eq!(codes, BTreeMap::from([(Some(0), 13), (Some(5), 27)]));
    let asked = server
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .count();
    assert_eq!(asked, 13);
    let usage: Value =
        serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(usage["budget"]["spans"][0]["spent"], 0.13);
    assert_eq!(usage["budget"]["spans"][0]["held"], 0.0);
}

#[test]
fn rate_limit_of_zero_does_not_wait() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = 0\n");
    for args in [
        &["ask", "--provider=demo", "--no-log", "hello"][..],
        &["ask", "--provider=demo", "--no-log", "--wait", "hello"],
    ] {
        sandbox
            .run(args)
            .code(5)
            .stderr("chatbot: error: the rate limit is 0 requests in 1 min: no request is allowed\nchatbot: hint: raise `limits.requests_per_minute` in the settings\n")
            .check();
    }
}

/// A local provider that needs no key.
fn keyless(server: &Server, more: &str) -> Sandbox {
    let sandbox = Sandbox::under_one_root();
    let own = format!(
        "[providers.own]\nbase_url = \"{}\"\nkey = \"none\"\nmodel = \"maker/model-1\"\n",
        server.base_url()
    );
    sandbox.configure(&format!(
        "provider = \"own\"\n[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\n[budget]\nper_day = 0.13\n{own}{more}"
    ));
    sandbox
}

#[test]
fn budget_applies_to_keyless_provider() {
    let server = one_cent_per_answer();
    let sandbox = keyless(&server, "");
    let codes = attempts(&sandbox, 5, &["ask", "--no-log", "hello"]);
    assert_eq!(codes, BTreeMap::from([(Some(0), 13), (Some(5), 27)]));
}

#[test]
fn budget_applies_without_price_list() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(404, "{}"),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.05}"#)
            .done(),
    });
    let sandbox = keyless(&server, "");
    // The cost of the first request is unknown; after that the price is known.
    for _ in 0..2 {
        sandbox
            .run(["ask", "--no-log", "hello"])
            .stdout("yes\n")
            .check();
    }
    let refused = sandbox.run(["ask", "--no-log", "hello"]).fails(5);
    assert!(
        refused
            .stderr
            .contains("$0.10 spent, and this request may cost up to $0.05"),
        "{refused:?}"
    );
}

#[test]
fn budget_hold_stays_when_recording_fails() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.05\n");
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    let record = sandbox.state().join("usage.jsonl");
    std::fs::rename(&record, sandbox.root().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(sandbox.root().join("elsewhere"), &record).unwrap();
    let codes: Vec<_> = (0..8)
        .map(|_| sandbox.run(["ask", "--no-log", "hello"]).output().code)
        .collect();
    assert!(
        codes.iter().filter(|code| **code == Some(0)).count() <= 4,
        "{codes:?}"
    );
    assert!(matches!(codes[7], Some(5 | 8)), "{codes:?}");
    assert!(
        server
            .requests()
            .iter()
            .filter(|r| r.method == "POST")
            .count()
            <= 5
    );
}

#[test]
fn budget_waits_for_other_holds() {
    let (arrived, go) = (Gate::default(), Gate::default());
    let (reached, gate) = (arrived.clone(), go.clone());
    let server = Server::always(move |request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0.00001"}}]}"#,
        ),
        _ => Reply::stream()
            .text("yes")
            .open_gate(&reached)
            .wait(&gate)
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.001}"#)
            .done(),
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.01\n");
    let first = sandbox.run(["ask", "--no-log", "hello"]).start();
    arrived.wait();
    let refused = sandbox.run(["ask", "--no-log", "hello"]).fails(5);
    assert!(
        refused.stderr.ends_with("chatbot: hint: a running request has reserved the rest: try again when it has finished\n"),
        "{refused:?}"
    );
    go.open();
    first.end();
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
}

#[test]
fn budget_cancelled_retry_costs_nothing() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0.001","completion":"0.001"}}]}"#,
        ),
        _ => Reply::full(
            429,
            &[("Retry-After", "15")],
            r#"{"error":{"code":429,"message":"Slowly"}}"#,
        ),
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 10\n");
    let mut screen = sandbox.screen(["ask", "--no-log", "hello"]);
    screen
        .wait_for("retrying in 15 s")
        .send(crate::harness::pty::key::CTRL_C);
    assert_eq!(screen.end(), 130);
    let usage: Value =
        serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(
        (&usage["totals"], &usage["budget"]["spans"][0]["held"]),
        (&Value::Array(vec![]), &0.0.into()),
        "{usage}"
    );
}

#[test]
fn budget_of_run_spans_conversations() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    let output = sandbox
        .run(["chat", "--no-log", "--budget", "0.02"])
        .stdin("one\n/new\ntwo\n/new\nthree\n")
        .fails(5);
    assert_eq!(output.stdout.matches("yes").count(), 2, "{output:?}");
    // A budget that is set in the chat fetches the prices.
    let output = sandbox
        .run(["chat", "--no-log"])
        .stdin("/budget 0.02\none\ntwo\nthree\n")
        .fails(5);
    assert_eq!(output.stdout.matches("yes").count(), 2, "{output:?}");
}

#[test]
fn budget_spent_allows_free_models() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0","request":"0.01"}},{"id":"maker/free","pricing":{"prompt":"0","completion":"0"}}]}"#,
        ),
        _ if request.text().contains("maker/free") => Reply::says("free"),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.01}"#)
            .done(),
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.01\n");
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    sandbox.run(["ask", "--no-log", "hello"]).fails(5);
    sandbox
        .run(["ask", "--no-log", "-m", "maker/free", "hello"])
        .stdout("free\n")
        .check();
}

#[test]
fn usage_zero_counts_are_not_trusted() {
    for usage in [
        "{}",
        r#"{"prompt_tokens":null,"completion_tokens":null}"#,
        r#"{"total_tokens":55}"#,
    ] {
        let server = Server::always(move |request| match request.path.as_str() {
            "/v1/models" => Reply::json(
                200,
                r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0.001","completion":"0.001"}}]}"#,
            ),
            _ => Reply::stream()
                .text("yes")
                .finish("stop")
                .usage(usage)
                .done(),
        });
        let mut sandbox = Sandbox::under_one_root();
        sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 10\n");
        sandbox
            .run(["ask", "--no-log", "--max-tokens", "10", "hello"])
            .succeeds();
        let usage: Value =
            serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
        assert_eq!(
            (
                &usage["totals"][0]["estimated_costs"],
                &usage["totals"][0]["cost"]
            ),
            (&1.into(), &0.007.into()),
            "{usage}"
        );
    }
}

#[test]
fn config_misspelt_protective_setting_stops() {
    for slip in [
        "per_day = 0\n",
        "[Budget]\nper_day = 0\n",
        "[budgets]\nper_day = 0\n",
        "[limit]\nrequests_per_minute = 0\n",
        "[budget]\nper_day = 0x10\n",
    ] {
        let sandbox = Sandbox::under_one_root();
        sandbox.configure(slip);
        sandbox
            .run(["ask", "--provider=demo", "--no-log", "hello"])
            .fails(2);
    }
}

#[test]
fn killed_chat_saves_and_records_answer() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let (arrived, never) = (Gate::default(), Gate::default());
        let server = Server::always(move |request| match request.path.as_str() {
            "/v1/models" => Reply::json(
                200,
                r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0.001","completion":"0.001"}}]}"#,
            ),
            _ => Reply::stream()
                .text("it begins ")
                .open_gate(&arrived.clone())
                .wait(&never.clone()),
        });
        let mut sandbox = Sandbox::with_vault();
        sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 10\n");
        let mut screen = sandbox.screen(["ask", "hello"]);
        screen.wait_for("it begins");
        rustix::process::kill_process(screen.pid(), signal).unwrap();
        assert_eq!(screen.end(), 130);
        let usage: Value =
            serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
        assert_eq!(usage["budget"]["spans"][0]["held"], 0.0, "{usage}");
        assert_eq!(usage["totals"][0]["estimated_costs"], 1, "{usage}");
        let kept = sandbox.run(["history", "show", "--json"]).succeeds().stdout;
        assert!(kept.contains("it begins"), "{kept}");
    }
}

#[test]
fn budget_spent_hints() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.01\n");
    sandbox
        .run(["ask", "--no-log", "hello"])
        .stdout("yes\n")
        .check();
    sandbox
        .run(["ask", "--no-log", "hello"])
        .code(5)
        .stderr("chatbot: error: budget of $0.01 for today reached: $0.01 spent, and this request may cost up to $0.01\nchatbot: hint: it resets at [..] 00:00; raise `budget.per_day` in the settings, lower `--max-tokens`, or choose a cheaper model\n")
        .check();
    sandbox.run(["ask", "--no-log", "--model", "maker/odd", "hello"]).code(5).stderr("chatbot: error: a budget is set, but the price of `maker/odd` is unknown\nchatbot: hint: choose a model with a price in `chatbot models`, or set `budget.unknown_price = \"allow\"` in the settings\n").check();
}

#[test]
fn budget_of_run_counts_only_that_run() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    for _ in 0..3 {
        sandbox
            .run(["ask", "--no-log", "--budget", "0.01", "hello"])
            .stdout("yes\n")
            .check();
    }
    let refused = sandbox
        .run(["ask", "--no-log", "--budget", "0.009", "hello"])
        .fails(5);
    assert!(
        refused.stderr.contains("raise `--budget`"),
        "{}",
        refused.stderr
    );
    let two = sandbox
        .run(["chat", "--no-log", "--budget", "0.02"])
        .stdin("one\ntwo\nthree\n")
        .output();
    assert_eq!(two.stdout.matches("yes").count(), 2, "{two:#?}");
    assert!(
        two.stderr
            .contains("budget of $0.02 for this command reached"),
        "{two:#?}"
    );
}

#[test]
fn budget_limits_max_tokens() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0.000001","completion":"0.00001"}}]}"#,
        ),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.0001}"#)
            .done(),
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.01\n");
    sandbox
        .run(["ask", "--no-log", "hello"])
        .stdout("yes\n")
        .check();
    let body = server
        .requests()
        .iter()
        .find(|r| r.method == "POST")
        .unwrap()
        .json();
    // $0.01 minus at most 26 prompt tokens at $0.00001 each leaves 997 tokens.
    assert_eq!(body["max_tokens"], 997);
    let asked: Value = serde_json::from_str(
        &sandbox
            .run(["ask", "--no-log", "--dry-run", "hello"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(asked["max_tokens"], 987);
    sandbox
        .run(["ask", "--no-log", "--max-tokens", "2000", "hello"])
        .fails(5);
}

#[test]
fn limits_survive_damaged_state() {
    for spoil in ["deleted", "emptied", "damaged", "torn"] {
        let sandbox = Sandbox::under_one_root();
        sandbox.configure("[limits]\nrequests_per_hour = 3\n");
        for _ in 0..3 {
            sandbox
                .run(["ask", "--provider=demo", "--no-log", "hello"])
                .succeeds();
        }
        let state = sandbox.state().join("requests");
        let bytes = std::fs::read(&state).unwrap();
        match spoil {
            "deleted" => std::fs::remove_file(&state).unwrap(),
            "emptied" => std::fs::write(&state, b"").unwrap(),
            "damaged" => std::fs::write(&state, vec![b'x'; bytes.len()]).unwrap(),
            _ => std::fs::write(&state, [&bytes[..], b"18000000"].concat()).unwrap(),
        }
        sandbox
            .run(["ask", "--provider=demo", "--no-log", "hello"])
            .fails(5);
        let stdout = sandbox
            .run(["audit", "list", "--event", "state.rebuilt"])
            .succeeds()
            .stdout;
        assert!(
            stdout.contains("file=requests found=3"),
            "{spoil}: {stdout}"
        );
    }
}

#[test]
fn killed_request_counts() {
    let (arrived, never) = (Gate::default(), Gate::default());
    let server = Server::replies([Reply::stream()
        .text("it begins")
        .open_gate(&arrived)
        .wait(&never)]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[limits]\nrequests_per_hour = 1\n");
    let running = sandbox.run(["ask", "--no-log", "hello"]).start();
    arrived.wait();
    running.kill();
    let stdout = sandbox.run(["audit", "list"]).succeeds().stdout;
    let [line] = stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{stdout}")
    };
    assert_eq!(
        &line[18..],
        "message.sent          provider=own model=maker/model-1 bytes=5"
    );
    std::fs::remove_file(sandbox.state().join("requests")).unwrap();
    sandbox.run(["ask", "--no-log", "hello"]).fails(5);
}

#[test]
fn retry_after_is_respected() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    let wish = serde_json::json!({"own/default/maker/model-1": {"at": Clock::system().now(), "run": 0, "uptime": 0, "wait_ms": 2500}});
    sandbox.write(sandbox.state().join("backoff.json"), wish.to_string());
    let shown = sandbox.run(["usage"]).succeeds().stdout;
    assert!(
        shown.contains("own/default/maker/model-1 accepts no requests for"),
        "{shown}"
    );
    let began = Instant::now();
    sandbox
        .run(["ask", "--no-log", "--wait", "hello"])
        .stderr("chatbot: waiting [..] for a limit\n")
        .stdout("yes\n")
        .check();
    assert!(began.elapsed().as_millis() > 1000, "{:?}", began.elapsed());
}

#[test]
fn budget_day_survives_time_zone_change() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 0.01\n");
    let spent = |zone: &str| {
        let usage: Value = serde_json::from_str(
            &sandbox
                .run(["usage", "--json"])
                .env("TZ", zone)
                .succeeds()
                .stdout,
        )
        .unwrap();
        usage["budget"]["spans"][0]["spent"].as_f64().unwrap()
    };
    sandbox
        .run(["ask", "--no-log", "hello"])
        .env("TZ", "UTC")
        .succeeds();
    assert!(spent("UTC") > 0.0099);
    // In every time zone and back again, also after the totals were deleted and are computed again
    // from the usage log.
    for deleted in [false, true] {
        for hours in -12..=14 {
            for minutes in ["", ":30:07"] {
                if deleted {
                    std::fs::remove_file(sandbox.state().join("tally")).unwrap_or_default();
                }
                let zone = format!("AAA{}{minutes}", -hours);
                assert!(spent(&zone) > 0.0099, "{zone}, deleted: {deleted}");
            }
        }
    }
    // Offsets beyond every real time zone.
    for zone in ["AAA-20:45:07", "AAA20:45:07", "AAA-24", "AAA+24"] {
        assert!(spent(zone) > 0.0099, "{zone}");
        sandbox
            .run(["ask", "--no-log", "hello"])
            .env("TZ", zone)
            .fails(5);
    }
    sandbox
        .run(["ask", "--no-log", "hello"])
        .env("TZ", "UTC")
        .fails(5);
}

#[test]
fn rate_limit_windows_have_the_lengths_of_the_settings() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure(
        "[limits]\nrequests_per_minute = 1\nminute_window_s = 600\nrequests_per_hour = 2\nhour_window_s = 7200\n",
    );
    let ask = ["ask", "--provider=demo", "--no-log", "hello"];
    sandbox.run(ask).succeeds();
    let refused = sandbox.run(ask).fails(5).stderr;
    assert!(
        refused.starts_with("chatbot: error: rate limit of 1 requests in 10 min reached\n"),
        "{refused}"
    );
    sandbox.configure("[limits]\nminute_window_s = 0\nhour_window_s = 9999999\n");
    let checked = sandbox.run(["config", "check"]).output();
    assert_ne!(checked.code, Some(0));
    let said = format!("{}{}", checked.stdout, checked.stderr);
    for reason in [
        "`limits.minute_window_s`: must be a whole number from 1 to 3600",
        "`limits.hour_window_s`: must be a whole number from 60 to 86400",
    ] {
        assert!(said.contains(reason), "{said}");
    }
}
