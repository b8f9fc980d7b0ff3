//! Usage and audit: exact costs, a tamper-evident log, and alerts.

use crate::harness::provider::{Reply, Server};
use crate::harness::sandbox::{key, own_key};
use crate::harness::{Sandbox, Screen};
use chatbot::audit::log::AuditLog;
use chatbot::catalog::{self, Endpoint};
use chatbot::chat::{Cost, Observer, Services, Session, SessionConfig, UserInput};
use chatbot::limits::{Backoff, Limiter, Lockdown};
use chatbot::net::{HttpContext, NetworkConfig};
use chatbot::privacy::Findings;
use chatbot::privacy::input_check::{InputLimits, Suspicious};
use chatbot::provider::{self, ModelLimits, OpenAi, Price, Prices, Pricing, RequestOptions};
use chatbot::usage::budget::{BudgetLimits, BudgetTracker, SessionSpend};
use chatbot::{Clock, Name, Policy, Raw, Redactor, Secret};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Prices of a model with a cache and a tier, and of a free one.
const LIST: &str = r#"{"data":[
 {"id":"maker/model-1","pricing":{"prompt":"0.000003","completion":"0.000015","input_cache_read":"0.0000003","input_cache_write":"0.00000375",
  "overrides":[{"min_prompt_tokens":200000,"prompt":"0.000006","completion":"0.0000225"}]}},
 {"id":"maker/free","pricing":{"prompt":"0","completion":"0"}}]}"#;

fn last_entry(sandbox: &Sandbox) -> Value {
    let text = std::fs::read_to_string(sandbox.state().join("usage.jsonl")).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn usage_costs_match_hand_calculation() {
    // The provider's usage, the model, the cost in billionths of a dollar, and whether it is an
    // estimate.
    let cases: [(&str, &str, Option<i64>, bool); 9] = [
        (
            r#"{"prompt_tokens":12,"completion_tokens":7,"cost":0.000147}"#,
            "maker/model-1",
            Some(147_000),
            false,
        ),
        // 1000 × 3000 + 200 × 15000
        (
            r#"{"prompt_tokens":1000,"completion_tokens":200,"cost":null}"#,
            "maker/model-1",
            Some(6_000_000),
            true,
        ),
        // 400 × 3000 + 600 × 300 + 200 × 15000
        (
            r#"{"prompt_tokens":1000,"completion_tokens":200,"prompt_tokens_details":{"cached_tokens":600}}"#,
            "maker/model-1",
            Some(4_380_000),
            true,
        ),
        // 200 × 3000 + 300 × 300 + 500 × 3750 + 200 × 15000
        (
            r#"{"prompt_tokens":1000,"completion_tokens":200,"prompt_tokens_details":{"cached_tokens":300,"cache_write_tokens":500}}"#,
            "maker/model-1",
            Some(5_565_000),
            true,
        ),
        // Reasoning is part of the answer and has no price of its own.
        (
            r#"{"prompt_tokens":1000,"completion_tokens":200,"completion_tokens_details":{"reasoning_tokens":150}}"#,
            "maker/model-1",
            Some(6_000_000),
            true,
        ),
        // The router's fee plus the upstream charge.
        (
            r#"{"prompt_tokens":9,"completion_tokens":9,"cost":0.95,"is_byok":true,"cost_details":{"upstream_inference_cost":19}}"#,
            "maker/model-1",
            Some(19_950_000_000),
            false,
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":9,"cost":0.95,"is_byok":true}"#,
            "maker/model-1",
            None,
            false,
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":9,"cost":0}"#,
            "maker/free",
            Some(0),
            false,
        ),
        // 250000 × 6000 + 1000 × 22500
        (
            r#"{"prompt_tokens":250000,"completion_tokens":1000}"#,
            "maker/model-1",
            Some(1_522_500_000),
            true,
        ),
    ];
    for (usage, model, nanos, estimated) in cases {
        let server = Server::always(move |request| match request.path.as_str() {
            "/v1/models" => Reply::json(200, LIST),
            _ => Reply::stream()
                .text("yes")
                .finish("stop")
                .usage(usage)
                .done(),
        });
        let mut sandbox = Sandbox::under_one_root();
        sandbox.ask_at(&server.base_url(), "[budget]\nper_day = 1000\n");
        sandbox
            .run(["ask", "--no-log", "--model", model, "hello"])
            .stdout("yes\n")
            .check();
        let entry = last_entry(&sandbox);
        assert_eq!(entry["nanos"].as_i64(), nanos, "{usage}: {entry}");
        assert_eq!(
            entry["estimated"].as_bool().unwrap_or(false),
            estimated,
            "{usage}: {entry}"
        );
        let shown = sandbox.run(["usage"]).succeeds().stdout;
        assert_eq!(shown.contains('~'), estimated, "{shown}");
        assert_eq!(shown.contains("unknown"), nanos.is_none(), "{shown}");
    }
}

/// An observer that signals when the first text of the answer arrives.
#[derive(Default)]
struct TextObserver(Rc<TextSignal>);

#[derive(Default)]
struct TextSignal {
    has_text: Cell<bool>,
    waits: RefCell<Option<Waker>>,
}

impl TextSignal {
    /// Waits for the first text of the answer.
    async fn arrived(&self) {
        poll_fn(|context| {
            if self.has_text.get() {
                return Poll::Ready(());
            }
            self.waits.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Observer for TextObserver {
    fn on_warning(&mut self, _: &str) {}
    fn on_redacted(&mut self, _: &Findings) {}
    fn confirm_send(&mut self, _: &Findings) -> bool {
        true
    }

    fn confirm_images(&mut self, _: usize, _: &Name) -> bool {
        false
    }
    fn on_text(&mut self, _: &chatbot::Displayable) {
        self.0.has_text.set(true);
        self.0.waits.take().map(Waker::wake).unwrap_or_default();
    }
    fn on_event(&mut self, _: &provider::StreamEvent) {}
    fn on_wait(&mut self, _: Duration) {}
}

/// A session with a server that counts as OpenRouter, and its budget.
fn session(state: &Path, server: &Server) -> (Session<OpenAi>, BudgetTracker) {
    let clock = Clock::system();
    let redactor = Arc::new(Redactor::new(&Policy::default()).unwrap());
    let audit = AuditLog::new(state, clock.clone());
    let limits = BudgetLimits {
        per_day: Some(1_000_000_000),
        ..BudgetLimits::default()
    };
    let budget = BudgetTracker::new(state, audit.clone(), clock.clone(), limits);
    let prices = Prices::parse(r#"{"prompt":"0.000001","completion":"0.00001"}"#).unwrap();
    let services = Services {
        redactor: Arc::clone(&redactor),
        lockdown: Lockdown::new(state),
        limiter: Limiter::new(state.join("requests"), 10, 10),
        backoff: Backoff::new(state, clock.clone()),
        budget: budget.clone(),
        pricing: Pricing::new(move |_| Price::Known(Box::new(prices.clone()))),
        audit,
        clock: clock.clone(),
    };
    let config = SessionConfig {
        rules: InputLimits {
            max_chars: 4000,
            suspicious: Suspicious::Off,
        },
        max_messages: 100,
        drop_findings: false,
        ask_on_secret: false,
        restore: None,
        profile: "default".to_owned(),
        ask_on_image: true,
        model_limits: ModelLimits::default(),
        is_counted: true,
        wait: false,
        allow_unknown_price: false,
    };
    let endpoint = Endpoint {
        base_url: server.base_url(),
        ..catalog::find("openrouter").unwrap().endpoint().unwrap()
    };
    let reach = HttpContext {
        config: Arc::new(NetworkConfig::default()),
        redactor,
        clock,
    };
    let provider = OpenAi::new(&endpoint, Some(Secret::new(key())), reach).unwrap();
    (
        Session::new(
            provider,
            RequestOptions::new("maker/model-1"),
            config,
            services,
            None,
        ),
        budget,
    )
}

#[test]
fn usage_estimate_is_corrected_later() {
    let bill = r#"{"data":{"id":"gen-1","total_cost":0.0005,"native_tokens_prompt":10,"native_tokens_completion":9,"is_byok":false}}"#;
    let mut asked = 0;
    let server = Server::always(move |request| match request.line().as_str() {
        "GET /v1/generation?id=gen-1" => Reply::json(200, bill),
        "POST /v1/chat/completions" => {
            asked += 1;
            if asked == 1 {
                Reply::stream().text("Half of").stall()
            } else {
                Reply::says("Whole.")
            }
        }
        other => panic!("{other}"),
    });
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let (mut session, budget) = session(&state, &server);
    let spent = || {
        let fill = budget.status(SessionSpend::default()).unwrap()[0];
        (fill.spent, fill.held)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut observer = TextObserver::default();
    let signal = Rc::clone(&observer.0);
    let stopped = runtime
        .block_on(session.send(
            UserInput::from_typed(Raw::from("hello")),
            &mut observer,
            signal.arrived(),
        ))
        .unwrap();
    assert!(stopped.cancelled);
    // 6 prompt tokens and 2 answer tokens, estimated from the length: 6 × 1000 + 2 × 10000.
    assert_eq!(
        stopped.cost,
        Some(Cost {
            nanos: 26_000,
            estimated: true
        })
    );
    assert_eq!(spent(), (26_000, 0));
    let whole = runtime
        .block_on(session.send(
            UserInput::from_typed(Raw::from("again")),
            &mut observer,
            std::future::pending(),
        ))
        .unwrap();
    assert_eq!(
        (whole.cost, whole.warnings),
        (
            Some(Cost {
                nanos: 147_000,
                estimated: false
            }),
            vec![]
        )
    );
    assert_eq!(spent(), (500_000 + 147_000, 0));
    let lines: Vec<Value> = std::fs::read_to_string(state.join("usage.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let correction = &lines[2];
    assert_eq!(
        (
            &correction["nanos"],
            &correction["prompt"],
            &correction["completion"],
            &correction["correction"]
        ),
        (&474_000.into(), &4.into(), &7.into(), &true.into())
    );
}

#[test]
fn debug_log_contains_nothing_private() {
    let server = Server::replies([
        Reply::says("Your mail is ann.bell@initech.com."),
        Reply::says("Fine."),
    ]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    let logged = sandbox
        .run([
            "ask",
            "--no-log",
            "-vv",
            "my mail is ann.bell@initech.com, tell me",
        ])
        .succeeds()
        .stderr;
    assert!(
        logged.starts_with("chatbot: warning: logging to standard error: "),
        "{logged}"
    );
    for part in [
        "settings: ",
        "route: own at http://127.0.0.1:",
        "key from the environment, proxy: false",
        "message.redacted",
        "message: 29 bytes after redaction, 1 findings",
        "admitted: 1 of 20 in the minute, 1 of 100 in the hour; nothing reserved",
        "request to own/default/maker/model-1: 1 messages, 29 bytes",
        "answer begins after ",
        "answer: first token after ",
        "request.finished {",
        "\"outcome\":\"answered\"",
        "booked: cost 147000 nano-dollars, estimated: false; 0 problems",
    ] {
        assert!(logged.contains(part), "{part}: {logged}");
    }
    for part in ["initech", "tell me", key().as_str(), "Your mail"] {
        assert!(!logged.contains(part), "{part}: {logged}");
    }
    let file = sandbox.root().join("one-root/state/trace.log");
    let quiet = sandbox
        .run(["ask", "--no-log", "hello"])
        .env("CHATBOT_LOG", &file)
        .succeeds();
    assert_eq!(quiet.stderr.lines().count(), 1, "{}", quiet.stderr);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("request.finished {")
    );
    sandbox.is_private();
    sandbox
        .run(["ask", "hello"])
        .env("CHATBOT_LOG", "loud")
        .fails(2);
    for (other, bytes) in [
        ("state/audit.jsonl", None),
        ("config/config.toml", None),
        ("notes.txt", Some("my notes")),
    ] {
        let path = sandbox.root().join("one-root").join(other);
        let before = bytes.map_or_else(|| std::fs::read_to_string(&path).unwrap(), str::to_owned);
        sandbox.write(&path, &before);
        let refused = sandbox
            .run(["ask", "hello"])
            .env("CHATBOT_LOG", &path)
            .fails(2);
        assert!(refused.stderr.contains("is not a log file"), "{refused:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }
    let nowhere = sandbox.root().join("nowhere");
    sandbox
        .run(["ask", "hello"])
        .env("CHATBOT_LOG", nowhere.join("trace.log"))
        .fails(2);
    assert!(!nowhere.exists());
    let started = sandbox
        .run(["audit", "list", "--event", "log.enabled"])
        .succeeds()
        .stdout;
    assert_eq!(started.matches("level=debug").count(), 2, "{started}");
}

#[test]
fn usage_unknown_cost_fetches_prices() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(200, LIST),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":1000,"completion_tokens":200}"#)
            .done(),
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(
        &server.base_url(),
        "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\n",
    );
    let settings = std::fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.configure(&format!("{settings}compatible_with = \"openrouter\"\n"));
    let asked = || {
        server
            .requests()
            .iter()
            .filter(|r| r.path == "/v1/models")
            .map(|r| r.header("authorization").is_some())
            .collect::<Vec<_>>()
    };
    sandbox
        .run(["ask", "--no-log", "hello"])
        .stdout("yes\n")
        .check();
    assert_eq!(
        (last_entry(&sandbox)["nanos"].clone(), asked()),
        (Value::Null, vec![])
    );
    // The prices are fetched while later requests run; any of them may be the first to know.
    let known = (0..50).any(|_| {
        sandbox
            .run(["ask", "--no-log", "hello"])
            .stdout("yes\n")
            .check();
        last_entry(&sandbox)["nanos"] == 6_000_000
    });
    assert!(known, "{:?}", asked());
    let fetched = asked();
    assert!(
        !fetched.is_empty() && !fetched.contains(&true),
        "a public list needs no key: {fetched:?}"
    );
    // The prices are cached for a day.
    sandbox
        .run(["ask", "--no-log", "--model", "maker/unheard-of", "hello"])
        .succeeds();
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    assert_eq!(asked().len(), fetched.len());
}

#[test]
fn audit_records_failures_and_changes() {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("model = \"a\"\n");
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["backup", "one.backup"]).succeeds();
    let events = |event: &str| {
        let lines = sandbox
            .run(["audit", "list", "--event", event])
            .succeeds()
            .stdout;
        lines
            .lines()
            .map(|l| l[18..].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(events("config"), Vec::<String>::new());
    sandbox.configure("model = \"bb\"\n");
    for _ in 0..2 {
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    }
    let [changed] = &events("config")[..] else {
        panic!("{:?}", events("config"))
    };
    assert!(
        changed.starts_with("config.changed        sha256=") && changed.ends_with(" bytes=13"),
        "{changed}"
    );
    std::fs::remove_file(sandbox.settings()).unwrap();
    sandbox.run(["config", "init"]).succeeds();
    sandbox.run(["restore", "one.backup"]).succeeds();
    assert!(
        events("config")
            .iter()
            .any(|e| e == "config.edited         action=init"),
        "{:?}",
        events("config")
    );
    sandbox.write(
        "cwd/torn.backup",
        &std::fs::read(sandbox.cwd().join("one.backup")).unwrap()[..900],
    );
    sandbox.run(["restore", "torn.backup"]).fails(8);
    assert_eq!(
        events("backup.restored").last().unwrap(),
        "backup.restored       outcome=failed dry_run=false"
    );
    sandbox
        .run(["ask", "--provider=demo", "-v", "hello"])
        .succeeds();
    assert_eq!(events("log.enabled"), ["log.enabled           level=info"]);
}

#[test]
fn key_as_model_name_is_refused() {
    let server = Server::replies([]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    let name = format!("sk-or-v1-{}", "0123456789abcdef".repeat(4));
    for model in [name.as_str(), "ann.bell@initech.com"] {
        let refused = sandbox
            .run(["ask", "--no-log", "-m", model, "hello"])
            .fails(4);
        assert!(
            refused
                .stderr
                .contains("the model name contains private data"),
            "{refused:?}"
        );
    }
    assert!(server.requests().is_empty());
    let stdout = sandbox.run(["audit", "list"]).succeeds().stdout;
    assert_eq!(
        stdout
            .matches("message.refused       reason=private_model\n")
            .count(),
        2,
        "{stdout}"
    );
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
}

#[test]
fn usage_ignores_private_model_name() {
    let server = Server::replies([Reply::stream()
        .event(r#"{"model":"ann.bell@initech.com","choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}"#)
        .done()]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    sandbox
        .run(["ask", "--no-log", "hello"])
        .stdout("yes\n")
        .check();
    let stdout = sandbox
        .run(["audit", "list", "--event", "request"])
        .succeeds()
        .stdout;
    assert!(stdout.contains("model=maker/model-1"), "{stdout}");
}

#[test]
fn audit_records_reads_and_damage() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["history", "show"]).succeeds();
    let wrong = sandbox.write("wrong", "another passphrase entirely");
    sandbox
        .run(["history", "show"])
        .env("CHATBOT_PASSPHRASE_FILE", wrong)
        .fails(3);
    sandbox.write("cwd/long.txt", "word ".repeat(1 << 18));
    sandbox
        .run(["ask", "--provider=demo", "--file", "long.txt", "hello"])
        .fails(4);
    let stdout = sandbox.run(["audit", "list"]).succeeds().stdout;
    for part in [
        "conversation.changed  action=show conversation=",
        "vault.used            action=open outcome=failed",
        "message.refused       reason=too_long",
    ] {
        assert_eq!(stdout.matches(part).count(), 1, "{part}: {stdout}");
    }
}

#[test]
fn audit_key_events_have_mac() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.store_key("openrouter", &key());
    sandbox.run(["key", "get"]).succeeds();
    sandbox
        .run(["key", "recovery", "export", "key.recovery", "--yes"])
        .succeeds();
    sandbox.run(["key", "delete", "--yes"]).succeeds();
    let log = std::fs::read_to_string(sandbox.state().join("audit.jsonl")).unwrap();
    let (mut keys, mut bare) = (0, vec![]);
    for record in log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        let event = record["event"].as_str().unwrap();
        if event.starts_with("key.") || event == "data_key.transferred" {
            keys += 1;
            bare.extend(record["mac"].is_null().then(|| event.to_owned()));
        }
    }
    assert_eq!((keys, bare), (4, vec![]), "{log}");
    sandbox.run(["audit", "verify"]).succeeds();
}

/// A home in which three questions were sent to two models.
fn home_with_usage() -> (Sandbox, Server) {
    let server = Server::replies([Reply::says("one"), Reply::says("two"), Reply::says("three")]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "[limits]\nrequests_per_minute = 3\n");
    for _ in 0..3 {
        sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    }
    (sandbox, server)
}

#[test]
fn usage_records_times_of_answers() {
    let (sandbox, _server) = home_with_usage();
    let entry = last_entry(&sandbox);
    let [total, first] = ["ms", "first_token_ms"].map(|name| entry[name].as_i64().unwrap());
    assert!((0..=total).contains(&first), "{entry}");
    let log = sandbox
        .run(["audit", "list", "--event", "request.finished"])
        .succeeds()
        .stdout;
    assert_eq!(log.matches(" first_token_ms=").count(), 3, "{log}");
}

#[test]
fn usage_shows_failures_and_times() {
    let server = Server::replies([
        Reply::says("one"),
        Reply::json(400, r#"{"error":{"code":400,"message":"No"}}"#),
    ]);
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    sandbox.run(["ask", "--no-log", "hello"]).output();
    let entry = last_entry(&sandbox);
    let times = |name: &str| json!({"p50": entry[name], "p95": entry[name]});
    for (by, name) in [
        ("model", Some("maker/model-1")),
        ("provider", Some("own")),
        ("hour", None),
        ("weekday", None),
    ] {
        let usage = sandbox
            .run(["usage", "--json", "--by", by])
            .succeeds()
            .stdout;
        let usage: Value = serde_json::from_str(&usage).unwrap();
        let group = usage["performance"][0][by].as_str().unwrap();
        assert!(name.is_none_or(|name| name == group), "{usage}");
        assert_eq!(
            usage["performance"],
            json!([{by: group, "requests": 2, "failed": 1, "error_rate": 0.5, "ms": times("ms"), "first_token_ms": times("first_token_ms")}])
        );
        assert_eq!(usage["totals"][0][by], group);
        let shown = sandbox.run(["usage", "--by", by]).succeeds().stdout;
        assert!(
            shown.contains("requests  failed first p50/p95 whole p50/p95\n"),
            "{shown}"
        );
        let row = shown.lines().last().unwrap();
        assert!(
            row.starts_with(group) && row.contains("        2    50 % "),
            "{shown}"
        );
    }
}

#[test]
fn audit_records_refused_key_formats() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run([
            "key",
            "set",
            "--provider",
            "openai",
            "--stdin",
            "--no-validate",
        ])
        .stdin("garbage")
        .fails(3);
    let log = sandbox
        .run(["audit", "list", "--event", "key.refused"])
        .succeeds()
        .stdout;
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn usage_json_fields() {
    let (sandbox, _server) = home_with_usage();
    let usage: Value = serde_json::from_str(
        &sandbox
            .run(["usage", "--json", "--by", "model"])
            .succeeds()
            .stdout,
    )
    .unwrap();
    assert_eq!(
        (&usage["schema_version"], &usage["success"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (
            &usage["usage"]["requests_this_hour"],
            &usage["usage"]["max_requests_per_hour"]
        ),
        (&3.into(), &100.into())
    );
    // Seconds since 1970.
    let start = usage["usage"]["window_start"].as_i64().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    assert!((now - 600..=now).contains(&start), "{start}, now {now}");
    assert_eq!(
        usage["totals"],
        json!([{"model": "maker/model-1", "requests": 3, "prompt_tokens": 36, "completion_tokens": 21, "cost": 0.000_441, "unknown_costs": 0, "estimated_costs": 0}])
    );
    assert_eq!(
        (&usage["limits"][0]["used"], &usage["limits"][0]["max"]),
        (&3.into(), &3.into())
    );
    sandbox
        .run(["usage", "--csv", "--by", "provider"])
        .stdout("provider,requests,prompt_tokens,completion_tokens,cost_usd,unknown_costs,estimated_costs\nown,3,36,21,0.000441,0,0\n")
        .check();
}

#[test]
fn usage_fits_the_terminal_it_is_shown_on() {
    let (sandbox, _server) = home_with_usage();
    for columns in [40, 60, 120] {
        let mut screen = Screen::open(&sandbox, ["usage", "--by", "model"], columns, 40);
        assert_eq!(screen.end(), 0);
        let text = screen.text();
        for line in text.lines() {
            assert!(
                line.chars().count() <= usize::from(columns),
                "{columns}: {line}\n{text}"
            );
        }
        for part in [
            "this minute",
            "3 of 3",
            "this hour",
            "3 of 100",
            "today",
            "this week",
            "this month",
            "maker/model-1",
            "$0.00044",
        ] {
            assert!(text.contains(part), "{columns}: {part} is missing\n{text}");
        }
        assert!(
            !text.lines().any(|l| l.starts_with("in ")),
            "a line was broken\n{text}"
        );
    }
    let plain = sandbox.run(["usage"]).succeeds().stdout;
    assert!(!plain.contains('\x1b'), "{plain}");
    let coloured = sandbox
        .run(["usage", "--color", "always"])
        .succeeds()
        .stdout;
    assert!(coloured.contains("\x1b[1;31m█"), "{coloured}");
}

#[test]
fn usage_day_follows_time_zone() {
    let sandbox = Sandbox::under_one_root();
    if !Path::new("/usr/share/zoneinfo/Pacific/Kiritimati").exists() {
        return crate::harness::ci_markers::left_out(
            "time-zones",
            "this machine has no time zones",
        );
    }
    sandbox.configure("[budget]\nper_day = 1\n");
    let reset_time = |zone: &str| {
        let usage: Value = serde_json::from_str(
            &sandbox
                .run(["usage", "--json"])
                .env("TZ", zone)
                .succeeds()
                .stdout,
        )
        .unwrap();
        usage["budget"]["spans"][0]["resets_at"].as_str().unwrap()[11..].to_owned()
    };
    let zones = [
        "Pacific/Kiritimati",
        ":Pacific/Kiritimati",
        "Asia/Kolkata",
        "UTC",
        "JST-9",
    ];
    assert_eq!(
        zones.map(reset_time),
        [
            "10:00:00.000Z",
            "10:00:00.000Z",
            "18:30:00.000Z",
            "00:00:00.000Z",
            "15:00:00.000Z"
        ]
    );
}

#[test]
fn usage_watch_restores_terminal() {
    let (sandbox, _server) = home_with_usage();
    for key in ["\x03", "q"] {
        let mut screen = Screen::open(&sandbox, ["usage", "--watch"], 80, 24);
        screen
            .wait_for("3 of 100")
            .wait_for("press q to quit")
            .send(key);
        assert_eq!(screen.end(), 0);
        let transcript = screen.transcript();
        assert!(
            transcript.ends_with(b"\x1b[?25h\x1b[?1049l"),
            "{}",
            String::from_utf8_lossy(&transcript).escape_debug()
        );
    }
}

#[test]
fn audit_removed_log_alerts_until_acknowledged() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let (log, head) = (
        sandbox.state().join("audit.jsonl"),
        sandbox.state().join("audit.head"),
    );
    let whole = std::fs::read_to_string(&log).unwrap();
    let gone = "0 records, 0 of them with a MAC; record 1 is damaged: no record has a MAC: the log was replaced or removed\n";
    std::fs::remove_file(&log).unwrap();
    std::fs::remove_file(&head).unwrap();
    sandbox
        .run(["audit", "verify"])
        .code(9)
        .stdout(gone)
        .check();
    // The damage stays reported after it was recorded.
    for _ in 0..2 {
        sandbox.run(["audit", "verify"]).fails(9);
        sandbox.run(["ask", "--provider=demo", "again"]).succeeds();
    }
    std::fs::remove_file(&head).unwrap();
    std::fs::write(&log, whole.replace("\"mac\":\"", "\"mac\":null}\n\"")).unwrap();
    sandbox.run(["ask", "--provider=demo", "again"]).succeeds();
    sandbox.run(["audit", "verify"]).fails(9);
    sandbox.run(["audit", "verify"]).fails(9);
    let alerts: Value =
        serde_json::from_str(&sandbox.run(["audit", "alerts", "--json"]).succeeds().stdout)
            .unwrap();
    assert!(
        alerts["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["kind"] == "chain"),
        "{alerts}"
    );
    assert!(!alerts["alerts"].as_array().unwrap().is_empty());
}

#[test]
fn audit_damaged_log_ok_after_acknowledge() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    std::fs::remove_file(sandbox.state().join("audit.head")).unwrap();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let stdout = sandbox.run(["audit", "verify"]).fails(9).stdout;
    assert!(
        stdout.contains("the log was found damaged here"),
        "{stdout}"
    );
    sandbox
        .run(["audit", "alerts", "--acknowledge", "all"])
        .succeeds();
    sandbox.run(["audit", "verify"]).succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["audit", "verify"]).succeeds();
}

#[test]
fn audit_broken_log_alerts_each_time() {
    let sandbox = Sandbox::with_vault();
    let kinds = || {
        let alerts: Value =
            serde_json::from_str(&sandbox.run(["audit", "alerts", "--json"]).succeeds().stdout)
                .unwrap();
        alerts["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (log, head) = (
        sandbox.state().join("audit.jsonl"),
        sandbox.state().join("audit.head"),
    );
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    for how in ["removed", "garbage", "removed", "headless", "removed"] {
        match how {
            "garbage" => std::fs::write(
                &log,
                [std::fs::read(&log).unwrap(), vec![b'x'; 40_000]].concat(),
            )
            .unwrap(),
            "headless" => std::fs::remove_file(&head).unwrap(),
            _ => [&log, &head]
                .map(|file| std::fs::remove_file(file).unwrap())
                .into_iter()
                .collect(),
        }
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
        assert_eq!(kinds(), ["chain"], "{how}");
        // Without the key, no alert can be acknowledged and none leaves the list.
        let shut = sandbox
            .run(["audit", "alerts", "--acknowledge", "all"])
            .env("CHATBOT_PASSPHRASE_FILE", "/nowhere")
            .fails(3);
        assert!(
            shut.stderr
                .contains("the audit log stays marked as damaged: "),
            "{how}: {shut:?}"
        );
        assert_eq!(kinds(), ["chain"], "{how}");
        sandbox.run(["audit", "verify"]).fails(9);
        sandbox
            .run(["audit", "alerts", "--acknowledge", "all"])
            .succeeds();
        assert_eq!(kinds(), [""; 0], "{how}");
        sandbox.run(["audit", "verify"]).succeeds();
        assert_eq!(kinds(), [""; 0], "{how}");
    }
}

#[test]
fn alerts_of_scripts_shown_on_next_terminal() {
    let sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key());
    for _ in 0..6 {
        sandbox.run(["key", "get"]).succeeds();
    }
    let mut screen = sandbox.screen(["usage"]);
    screen.wait_for(
        "alert: keys were read 6 times within ten minutes; `chatbot audit alerts` lists it",
    );
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["usage"]);
    assert_eq!(screen.end(), 0);
    assert!(!screen.text().contains("alert:"), "{}", screen.text());
}

#[test]
fn budget_lost_log_allows_no_more_spend() {
    let (sandbox, _server) = home_with_usage();
    sandbox.configure(&format!(
        "{}\n[budget]\nper_day = 0.0005\n",
        std::fs::read_to_string(sandbox.settings()).unwrap()
    ));
    let spent = || {
        let usage: Value =
            serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
        usage["budget"]["spans"][0]["spent"].clone()
    };
    assert_eq!(spent(), 0.000_441);
    // The usage log is reduced and the totals are deleted: the audit log still knows the amount.
    let record = sandbox.state().join("usage.jsonl");
    let text = std::fs::read_to_string(&record).unwrap();
    for less in [
        text.replace("147000", "1"),
        text.lines().skip(2).map(|l| format!("{l}\n")).collect(),
        String::new(),
    ] {
        std::fs::write(&record, less).unwrap();
        std::fs::remove_file(sandbox.state().join("tally")).unwrap_or_default();
        assert_eq!(spent(), 0.000_441);
    }
}

#[test]
fn budget_conversation_spend_survives_lost_log() {
    let server = Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0","request":"0.01"}}]}"#,
        ),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.01}"#)
            .done(),
    });
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "[budget]\nper_conversation = 0.025\n");
    sandbox.run(["ask", "hello"]).succeeds();
    sandbox.run(["ask", "--continue", "hello"]).succeeds();
    sandbox.run(["ask", "--continue", "hello"]).fails(5);
    for lost in ["usage.jsonl", "tally"] {
        std::fs::remove_file(sandbox.state().join(lost)).unwrap_or_default();
        sandbox.run(["ask", "--continue", "hello"]).fails(5);
    }
}

#[test]
fn audit_log_detects_changes() {
    let sandbox = Sandbox::with_vault();
    for _ in 0..4 {
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    }
    let whole: Value =
        serde_json::from_str(&sandbox.run(["audit", "verify", "--json"]).succeeds().stdout)
            .unwrap();
    assert_eq!(
        (&whole["ok"], &whole["first_bad"], &whole["with_key"]),
        (&true.into(), &Value::Null, &true.into()),
        "{whole}"
    );
    // Without the key store, only the hash chain is checked, and the output says so.
    let shut = sandbox
        .run(["audit", "verify", "--json"])
        .env("CHATBOT_PASSPHRASE_FILE", "/nowhere")
        .fails(3);
    assert!(
        shut.stderr
            .contains("\"message\":\"the MACs of the audit log were not checked: "),
        "{shut:?}"
    );
    let shut: Value = serde_json::from_str(&shut.stdout).unwrap();
    assert_eq!(
        (&shut["ok"], &shut["first_bad"], &shut["with_key"]),
        (&false.into(), &Value::Null, &false.into()),
        "{shut}"
    );
    let path = sandbox.state().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replacen("\"outcome\":\"answered\"", "\"outcome\":\"anwsered\"", 1),
    )
    .unwrap();
    let bad = 1 + text
        .lines()
        .position(|l| l.contains("\"outcome\""))
        .unwrap();
    let found: Value =
        serde_json::from_str(&sandbox.run(["audit", "verify", "--json"]).fails(9).stdout).unwrap();
    assert_eq!(
        (&found["ok"], &found["first_bad"]),
        (&false.into(), &bad.into()),
        "{found}"
    );
    let alerts: Value =
        serde_json::from_str(&sandbox.run(["audit", "alerts", "--json"]).succeeds().stdout)
            .unwrap();
    assert_eq!(
        (
            &alerts["alerts"][0]["kind"],
            alerts["alerts"].as_array().unwrap().len()
        ),
        (&"chain".into(), 1),
        "{alerts}"
    );
    sandbox
        .run(["audit", "alerts", "--acknowledge", "all"])
        .stdout("1 acknowledged\n")
        .check();
    sandbox.run(["audit", "alerts"]).stdout("").check();
    sandbox
        .run(["audit", "alerts", "--acknowledge", "1"])
        .stdout("0 acknowledged\n")
        .check();
    sandbox
        .run(["audit", "alerts", "--acknowledge", "99"])
        .code(2)
        .stderr("chatbot: error: there is no alert 99\nchatbot: hint: list them with `chatbot audit alerts --all`\n")
        .check();
}

#[test]
fn alert_command_runs_once_without_keys() {
    let server = Server::always(|_| Reply::json(401, r#"{"error":{"code":401,"message":"No"}}"#));
    let mut sandbox = Sandbox::under_one_root();
    let alert_file = sandbox.root().join("alert_file");
    let command = format!("cat >> {0}; env > {0}.env", alert_file.display());
    sandbox.ask_at(
        &server.base_url(),
        &format!("[alerts]\ncommand = [\"sh\", \"-c\", {command:?}]\n"),
    );
    for _ in 0..5 {
        sandbox.run(["ask", "--no-log", "hello"]).fails(3);
    }
    let env = alert_file.with_extension("env");
    let began = std::time::Instant::now();
    while !std::fs::read(&env).is_ok_and(|e| !e.is_empty()) && began.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    let text = std::fs::read_to_string(&alert_file).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let alert: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&alert["alert"]["kind"], &alert["alert"]["figure"]),
        (&"authentication".into(), &3.into()),
        "{text}"
    );
    let env = std::fs::read_to_string(env).unwrap();
    assert!(env.contains("HOME=") && !env.contains("OWN_KEY"), "{env}");
}

#[test]
fn audit_list_filters_by_severity() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_hour = 1\n");
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .succeeds();
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .fails(5);
    sandbox
        .run(["audit", "list", "--severity", "warning"])
        .stdout("[..]  limit.reached         window=hour most=1\n")
        .check();
}

#[cfg(unix)]
#[test]
fn audit_log_that_cannot_be_written_stops_sending() {
    use std::os::unix::fs::symlink;
    let server = Server::always(|_| Reply::says("yes"));
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    let log = sandbox.state().join("audit.jsonl");
    let settings = std::fs::read_to_string(sandbox.settings()).unwrap();
    let elsewhere = sandbox.write("elsewhere", "");
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("a link to a device", &|| {
            symlink("/dev/null", &log).unwrap();
        }),
        ("a link to a file", &|| symlink(&elsewhere, &log).unwrap()),
        ("a folder", &|| std::fs::create_dir(&log).unwrap()),
        ("a hard link", &|| {
            std::fs::write(&log, "").unwrap();
            std::fs::hard_link(&log, log.with_extension("twin")).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let kept = log.with_extension("kept");
        std::fs::rename(&log, &kept).unwrap();
        spoil();
        let asked = server.requests().len();
        for mode in ["--no-log", "--private"] {
            let stderr = sandbox.run(["ask", mode, "hello"]).fails(8).stderr;
            assert!(
                stderr.starts_with(
                    "chatbot: error: cannot write the audit log, so the message was not sent"
                ),
                "{what}: {stderr}"
            );
            assert!(
                stderr.contains("\nchatbot: hint: free some space or fix the file, or set `audit = \"best-effort\"`"),
                "{what}: {stderr}"
            );
            assert_eq!(stderr.lines().count(), 2, "{what}: {stderr}");
        }
        assert_eq!(server.requests().len(), asked, "{what}");
        sandbox.configure(&format!("audit = \"best-effort\"\n{settings}"));
        sandbox.run(["ask", "--no-log", "hello"]).succeeds();
        assert_eq!(server.requests().len(), asked + 1, "{what}");
        sandbox.configure(&settings);
        if what == "a folder" {
            std::fs::remove_dir(&log)
        } else {
            std::fs::remove_file(&log)
        }
        .unwrap();
        std::fs::rename(&kept, &log).unwrap();
    }
    sandbox.run(["ask", "--no-log", "hello"]).succeeds();
}

#[test]
fn usage_counts_what_was_refused() {
    let server = Server::always(|_| Reply::json(401, r#"{"error":{"code":401,"message":"No"}}"#));
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "[limits]\nrequests_per_hour = 1\nmax_message_chars = 20\n\
         [providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\ncompatible_with = \"openrouter\"\n",
        server.base_url()
    ));
    let ask = |text: &str| sandbox.run(["ask", "--provider=demo", text]);
    ask("hello").succeeds();
    ask("hello").fails(5);
    ask("hello").fails(5);
    ask("a message that is too long").fails(4);
    ask("   ").fails(4);
    for key in ["sk-wrong", "sk-or-v1-wrong"] {
        sandbox
            .run(["key", "set", "--stdin", "--no-validate"])
            .stdin(key)
            .fails(3);
    }
    sandbox.store_key("own", &own_key());
    sandbox
        .run(["key", "validate", "--provider", "own"])
        .fails(3);
    let shown = sandbox.run(["usage"]).succeeds().stdout;
    let expected = "\nrefused\n\
        messages           2  empty 1, too long 1\n\
        rate limits        2  hour 2\n\
        key formats        2\n\
        key checks         1  invalid 1\n\
        100 % of the keys that were checked were refused\n";
    assert!(shown.ends_with(expected), "{shown}");
    let whole = sandbox.run(["usage", "--json"]).succeeds().stdout;
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(
        whole["violations"],
        json!({"messages": {"empty": 1, "too_long": 1}, "limits": {"hour": 2}, "budgets": {}, "key_formats": 2})
    );
    assert_eq!(
        whole["validations"],
        json!({"results": {"invalid": 1}, "invalid_rate": 1.0})
    );
}
