//! Benchmarks of the costs that a user notices.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on says so by failing"
)]

fn main() {
    divan::main();
}

/// Reading an answer.
mod stream {
    use chatbot::provider::{StreamEvent, replay};
    use divan::{Bencher, counter::ItemsCount};

    const CHUNKS: usize = 5_000;

    /// A stream as a router sends it: 5,000 chunks of six letters, the usage, the end.
    fn recorded() -> String {
        let chunk = r#"data: {"id":"gen-1790000000-abcdefghijklmnop","provider":"Maker","model":"maker/model-1","object":"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":"assistant","content":"words "},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#;
        let bill = r#"data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":21,"completion_tokens":9,"total_tokens":30,"cost":0.000147}}"#;
        format!(
            "{}{bill}\n\ndata: [DONE]\n\n",
            format!("{chunk}\n\n").repeat(CHUNKS)
        )
    }

    /// Parse a stream of 5,000 chunks that arrives in pieces of `piece` bytes.
    #[divan::bench(args = [300, 16_384])]
    fn parse_5000_chunks(bencher: Bencher<'_, '_>, piece: usize) {
        let recorded = recorded();
        bencher.counter(ItemsCount::new(CHUNKS)).bench(|| {
            let mut bytes = 0;
            let answer = replay(recorded.as_bytes(), piece, &mut |event| {
                if let StreamEvent::Text(text) = event {
                    bytes += text.len();
                }
            });
            assert!(answer.is_some() && bytes == CHUNKS * 6);
            bytes
        });
    }
}

/// The overhead of a turn (limits, budget, audit log, alerts) after 100,000 earlier turns.
mod ledger {
    use chatbot::audit::alerts::AlertMonitor;
    use chatbot::audit::log::{AuditKey, AuditLog};
    use chatbot::audit::{Event, EventKind};
    use chatbot::limits::{Limiter, Lockdown};
    use chatbot::usage::UsageEntry;
    use chatbot::usage::budget::{BudgetLimits, BudgetTracker, SessionSpend};
    use chatbot::usage::totals::ReservationRequest;
    use chatbot::{Clock, Secret, Time};
    use divan::Bencher;
    use std::sync::Arc;
    use std::time::Duration;

    const PAST: i64 = 100_000;
    /// More than one file of the log holds: older files are not opened.
    const LOGGED: i64 = 12_000;

    struct Ledger {
        clock: Clock,
        lockdown: Lockdown,
        limiter: Limiter,
        audit: AuditLog,
        budget: BudgetTracker,
        alerts: AlertMonitor,
        _folder: tempfile::TempDir,
    }

    fn event(n: i64) -> Event {
        let event = Event::new(EventKind::Request)
            .word("provider", "openrouter")
            .word("model", "maker/model-1")
            .word("outcome", "answered");
        event
            .number("milliseconds", n)
            .number("prompt_tokens", 1204)
            .number("completion_tokens", 356)
            .number("nano_dollars", 3_100_000)
    }

    fn entry(at: Time) -> UsageEntry {
        let text = str::to_owned;
        let (provider, profile, model) =
            (text("openrouter"), text("default"), text("maker/model-1"));
        let (prompt, completion, nanos) = (1204, 356, Some(3_100_000));
        UsageEntry {
            at,
            provider,
            profile,
            model,
            conversation: None,
            prompt,
            completion,
            ms: Some(1_500),
            first_token_ms: Some(400),
            nanos,
            estimated: false,
            correction: false,
            was_unknown: false,
        }
    }

    fn ledger() -> Ledger {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        let key = Arc::new(AuditKey::new(&Secret::new(String::from("not a real key"))));
        let audit = AuditLog::new(&state, clock.clone()).with_key(Some(key));
        let limits = BudgetLimits {
            per_day: Some(i64::MAX),
            per_month: Some(i64::MAX),
            ..BudgetLimits::default()
        };
        let budget = BudgetTracker::new(&state, audit.clone(), clock.clone(), limits);
        let alerts = AlertMonitor::new(&state, audit.clone(), clock.clone());
        let limiter = Limiter::new(state.join("requests"), 1_000_000, 1_000_000);
        let mut lines = String::new();
        for n in 0..LOGGED {
            audit.append(&event(n)).unwrap();
        }
        for n in 0..PAST {
            lines += &format!(
                "{}\n",
                serde_json::to_string(&entry(Time::from_millis(1_800_000_000_000 - n * 20_000)))
                    .unwrap()
            );
        }
        chatbot::fs::write(&state.join("usage.jsonl"), lines.as_bytes()).unwrap();
        Ledger {
            lockdown: Lockdown::new(&state),
            clock,
            limiter,
            audit,
            budget,
            alerts,
            _folder: folder,
        }
    }

    /// All records of a turn.
    #[divan::bench(sample_count = 1000, sample_size = 1)]
    fn one_turn(bencher: Bencher<'_, '_>) {
        let ledger = ledger();
        let intent = ReservationRequest {
            provider: String::from("openrouter"),
            profile: String::from("default"),
            model: String::from("m"),
            conversation: None,
        };
        let turn = || {
            ledger
                .clock
                .set(ledger.clock.now().saturating_add(Duration::from_secs(40)));
            ledger.lockdown.check().unwrap();
            let grant = ledger
                .budget
                .reserve(&intent, 1, 1000, SessionSpend::default())
                .unwrap();
            ledger
                .limiter
                .acquire(ledger.clock.moment(), &|_| Vec::new())
                .unwrap();
            ledger
                .audit
                .append(&Event::new(EventKind::Redacted).count("EMAIL", 1))
                .unwrap();
            ledger
                .audit
                .try_add(
                    &Event::new(EventKind::Sent)
                        .word("provider", "openrouter")
                        .word("model", "maker/model-1"),
                )
                .unwrap();
            ledger.audit.append(&event(0)).unwrap();
            ledger
                .budget
                .commit(
                    Some(&grant.hold),
                    &entry(ledger.clock.now()),
                    None,
                    SessionSpend::default(),
                )
                .unwrap();
            ledger.alerts.scan(false, |_| Vec::new()).unwrap();
        };
        turn();
        bencher.bench_local(turn);
    }

    /// One event.
    #[divan::bench(sample_count = 1000, sample_size = 1)]
    fn one_event(bencher: Bencher<'_, '_>) {
        let ledger = ledger();
        bencher.bench_local(|| ledger.audit.append(&event(0)).unwrap());
    }
}

/// Saved conversations: append, open, list, search.
mod archive {
    use chatbot::conversations::import::{self, ImportPolicy};
    use chatbot::conversations::{Archive, MessageMeta, SearchQuery};
    use chatbot::crypto::fernet::{DataKeys, generate_key};
    use chatbot::privacy::Query;
    use chatbot::{Clock, Message, Name, Placeholders, Policy, Raw, Redactor, Role, Time};
    use divan::{Bencher, counter::ItemsCount};
    use std::sync::Arc;

    struct Folder {
        archive: Archive,
        _dir: tempfile::TempDir,
    }

    /// An archive of conversations of `messages` messages with a thousand characters each.
    fn folder(conversations: usize, messages: usize) -> Folder {
        let dir = tempfile::tempdir().expect("a folder");
        let data_keys = Arc::new(DataKeys::new(&generate_key().expect("a key")).expect("a ring"));
        let archive = Archive::new(dir.path().join("conversations"), data_keys, Clock::system())
            .with_index(dir.path().join("cache/index"));
        let content = r#"{"role":"user","content":"WORDS"},"#
            .repeat(messages)
            .replace("WORDS", &"some words ".repeat(90));
        let one = format!(r#"{{"messages":[{}]}}"#, content.trim_end_matches(','));
        let all = format!("[{}]", vec![one; conversations].join(","));
        let mut found = Vec::new();
        let source = import::read(all.as_bytes(), &mut |one| found.push(one)).expect("a list");
        let redactor = Redactor::new(&Policy {
            off: true,
            ..Policy::default()
        })
        .expect("a redactor");
        while !found.is_empty() {
            let some = found.split_off(found.len().saturating_sub(256));
            assert!(
                archive
                    .import(
                        source,
                        some,
                        &ImportPolicy {
                            redactor: &redactor,
                            drop_findings: false
                        }
                    )
                    .iter()
                    .all(Result::is_ok)
            );
        }
        Folder { archive, _dir: dir }
    }

    fn message() -> Message {
        let redactor = Redactor::new(&Policy::default()).expect("a redactor");
        let (text, _) = redactor.redact(
            Raw::from("some words ".repeat(180)),
            &mut Placeholders::default(),
        );
        Message::new(Role::User, text, Time::from_millis(1_800_000_000_000))
    }

    fn only(folder: &Folder) -> Name {
        folder.archive.latest().expect("a list").expect("one")
    }

    /// Append a turn to a conversation of `messages` messages: the time does not depend on the number.
    #[divan::bench(args = [10, 1_000])]
    fn add_a_turn(bencher: Bencher<'_, '_>, messages: usize) {
        let folder = folder(1, messages);
        let mut conversation = folder
            .archive
            .open(&only(&folder))
            .expect("opened")
            .conversation;
        let message = message();
        bencher.bench_local(|| {
            conversation
                .save(&[(&message, &MessageMeta::default())])
                .expect("kept")
        });
    }

    /// Open a conversation: read, decrypt, check the order.
    #[divan::bench(args = [1_000])]
    fn open(bencher: Bencher<'_, '_>, messages: usize) {
        let folder = folder(1, messages);
        let id = only(&folder);
        bencher.counter(ItemsCount::new(messages)).bench_local(|| {
            assert_eq!(
                folder.archive.read(&id).expect("read").messages.len(),
                messages
            );
        });
    }

    /// Encrypt messages of two thousand characters.
    #[divan::bench(args = [1_000])]
    fn seal(bencher: Bencher<'_, '_>, messages: usize) {
        let data_keys = DataKeys::new(&generate_key().expect("a key")).expect("a ring");
        let text = "some words ".repeat(180);
        bencher.counter(ItemsCount::new(messages)).bench_local(|| {
            (0..messages)
                .map(|_| {
                    data_keys
                        .encrypt(text.as_bytes(), Time::from_millis(1_800_000_000_000))
                        .len()
                })
                .sum::<usize>()
        });
    }

    /// List conversations with an existing index.
    #[divan::bench(args = [2_000, 10_000])]
    fn list(bencher: Bencher<'_, '_>, conversations: usize) {
        let folder = folder(conversations, 2);
        folder.archive.summaries().expect("a list");
        bencher
            .counter(ItemsCount::new(conversations))
            .bench_local(|| {
                assert_eq!(
                    folder.archive.summaries().expect("a list").summaries.len(),
                    conversations
                );
            });
    }

    /// Search for a word that no conversation contains.
    #[divan::bench(args = [2_000, 10_000])]
    fn search(bencher: Bencher<'_, '_>, conversations: usize) {
        let folder = folder(conversations, 2);
        let wanted = SearchQuery {
            text: Query::new("nowhere").expect("a word"),
            role: None,
            since: None,
        };
        bencher
            .counter(ItemsCount::new(conversations))
            .bench_local(|| {
                let ids = folder.archive.ids().expect("ids");
                assert!(folder.archive.search(ids, &wanted).hits.is_empty());
            });
    }
}

/// Redaction of a message and of a megabyte of a log.
mod redaction {
    use chatbot::{Placeholders, Policy, Raw, Redactor};
    use divan::{Bencher, counter::BytesCount};

    /// Text of `bytes` bytes in which about every tenth line contains private data.
    fn text(bytes: usize) -> String {
        let mut text = String::new();
        for n in 0.. {
            text += &format!(
                "2026-05-14T10:22:{:02}.123Z INFO [worker-{n}] request handled in {} ms, nothing to see here\n",
                n % 60,
                n % 977
            );
            if n % 10 == 0 {
                text += &format!(
                    "user{n}@initech.com logged in from 81.2.{}.{} with password=hunter{n}x\n",
                    n % 200,
                    n % 250
                );
            }
            if text.len() >= bytes {
                break;
            }
        }
        text.truncate(bytes);
        text
    }

    /// One message or a large attachment, with a redactor that was used before.
    #[divan::bench(args = [4_000, 1 << 20])]
    fn redact(bencher: Bencher<'_, '_>, bytes: usize) {
        let redactor = Redactor::new(&Policy::default()).expect("nothing of a user's own");
        let text = text(bytes);
        bencher.counter(BytesCount::new(bytes)).bench(|| {
            redactor
                .redact(Raw::from(text.as_str()), &mut Placeholders::default())
                .1
                .len()
        });
    }

    /// The filter, in blocks.
    #[divan::bench]
    fn filter_1_mb(bencher: Bencher<'_, '_>) {
        let redactor = Redactor::new(&Policy::default()).expect("nothing of a user's own");
        let text = text(1 << 20);
        bencher.counter(BytesCount::new(text.len())).bench(|| {
            let (mut out, mut found) = (Vec::with_capacity(text.len()), 0);
            let mut stream = redactor.stream();
            stream.push(text.as_bytes(), &mut out, &mut |_| found += 1);
            stream.finish(&mut out, &mut |_| found += 1);
            (out.len(), found)
        });
    }

    /// Patterns that make rules work hard when repeated: unfinished beginnings, near matches, names
    /// without values.
    const STUBBORN: &[&str] = &[
        "a",
        "1",
        "1234567890",
        "1.",
        "1:",
        "ab:",
        "@",
        "a@",
        "a@a.",
        "alice@example.com ",
        "eyJ",
        "eyJhbGciOi.",
        "-----BEGIN ",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "password=",
        "password ",
        "password: ",
        "password is ",
        "password='\\",
        "password=a,",
        "pwd=a;",
        "password one is ",
        "key ",
        "key=\"",
        "api key is ",
        "secret_",
        "token",
        "bearer ",
        "cookie: a=b; ",
        "login bob / ",
        "login with a1b2c3D4! ",
        "x1y2 is my ",
        "a1b2 as the new root password ",
        "пароль",
        "密码是abc1 ",
        "seed phrase ",
        "sk-",
        "sk-ant-",
        "AKIA",
        "ghp_aaaaaaaa",
        "a_live_",
        "c2stb3It",
        "deadbeef",
        "https://a:b@",
        "https://example.com/x ",
        "://",
        "a:b@c/d?",
        "+1 415 555 2671 ",
        "(415) 555 ",
        "1 1 ",
        "41-",
        "DE89 ",
        "2001:db8:",
        "a1:b2:c3:d4:e5:f6:",
        "0012.3456.",
        "0x",
        "bc1",
        "550e8400-e29b-41d4-a716-446655440000 ",
        "born 1/",
        "1 A Street ",
        "12 Rue de ",
        " Am Bahn ",
        "lat ",
        "[EMAIL_1",
        "[EMAIL_1] ",
        "%41",
        "\\u0041",
        "a\u{200b}",
        "１",
        "&#65;",
        "\u{1b}[0m",
        "\\",
        "\"",
        "(",
        "\r\n",
        "\n",
        " ",
        "curl -u ",
        "mysql -p ",
        "vault login ",
        "echo x | sudo -S ",
        "jwt.encode(",
        "the password for the thing that we had was not the one ",
        "?sig=",
        "auth=(",
        "密码：",
        "xoxb-",
        "pin 1",
        "otp 123456 ",
        "99 99 99 99 ",
        "1 800 555 ",
        "'password': '",
        "пароль — ",
        "https://x.com/?code=",
        "MIIEpgIBA",
    ];

    /// A megabyte of each pattern; the target for the slowest one is a tenth of a second.
    #[divan::bench(args = STUBBORN, sample_count = 5, sample_size = 1)]
    fn stubborn(bencher: Bencher<'_, '_>, piece: &str) {
        let redactor = Redactor::new(&Policy::default()).expect("nothing of a user's own");
        let text = piece.repeat((1 << 20) / piece.len());
        bencher.counter(BytesCount::new(text.len())).bench(|| {
            let (mut out, mut found) = (Vec::with_capacity(text.len()), 0);
            let mut stream = redactor.stream();
            stream.push(text.as_bytes(), &mut out, &mut |_| found += 1);
            stream.finish(&mut out, &mut |_| found += 1);
            (out.len(), found)
        });
    }
}

/// JSON bodies of programs: redacting requests, restoring answers.
mod body {
    use chatbot::privacy::json::{JsonScope, RestorePolicy};
    use chatbot::{Policy, Redactor};
    use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
    use std::sync::Arc;

    fn scope() -> JsonScope {
        let redactor = Redactor::new(&Policy::default()).expect("nothing of a user's own");
        JsonScope::new(Arc::new(redactor), RestorePolicy::All)
    }

    /// A request with about this many bytes of text: an agent that reads files and runs tools.
    fn request(bytes: usize) -> Vec<u8> {
        let mut messages = String::new();
        for n in 0.. {
            let code = format!("    let value_{n} = parse(&line[{n}..], options)?;\\n").repeat(20);
            messages += &format!(
                r#"{{"role":"user","content":"step {n}: ask user{n}@initech.com, then go on"}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{n}","type":"function","function":{{"name":"read_file","arguments":"{{\"path\":\"src/file_{n}.rs\"}}"}}}}]}},{{"role":"tool","tool_call_id":"call_{n}","content":"{code}"}},"#
            );
            if messages.len() >= bytes {
                break;
            }
        }
        format!(
            r#"{{"model":"maker/model-1","messages":[{}],"stream":true}}"#,
            messages.trim_end_matches(',')
        )
        .into_bytes()
    }

    /// A request of an agent whose strings were all in the request before.
    #[divan::bench(args = [2_000, 400_000])]
    fn known_request(bencher: Bencher<'_, '_>, bytes: usize) {
        let (scope, body) = (scope(), request(bytes));
        scope.redact_body(body.clone()).expect("valid JSON");
        bencher
            .counter(BytesCount::new(body.len()))
            .with_inputs(|| body.clone())
            .bench_values(|body| scope.redact_body(body).expect("valid JSON").1.all.total());
    }

    /// The first request of a client.
    #[divan::bench(args = [2_000, 400_000])]
    fn new_request(bencher: Bencher<'_, '_>, bytes: usize) {
        let body = request(bytes);
        bencher
            .counter(BytesCount::new(body.len()))
            .with_inputs(|| (scope(), body.clone()))
            .bench_values(|(scope, body)| {
                scope.redact_body(body).expect("valid JSON").1.all.total()
            });
    }

    /// A prompt of 2,000 characters that was not seen before.
    #[divan::bench]
    fn new_prompt(bencher: Bencher<'_, '_>) {
        let text =
            "Please look at this and tell me what you think of it, in a few words. ".repeat(29);
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let body = body.into_bytes();
        bencher
            .with_inputs(|| (scope(), body.clone()))
            .bench_values(|(scope, body)| {
                scope.redact_body(body).expect("valid JSON").0.into_bytes()
            });
    }

    /// The restoring of 5,000 chunks, a placeholder in each tenth.
    #[divan::bench]
    fn restore_5000_chunks(bencher: Bencher<'_, '_>) {
        const CHUNKS: usize = 5_000;
        let scope = scope();
        let known = br#"["user@initech.com"]"#.to_vec();
        scope.redact_body(known).expect("valid JSON");
        let mut stream = String::new();
        for n in 0..CHUNKS {
            let text = if n % 10 == 0 { "[EMAIL_1]" } else { "words " };
            stream += &format!(
                r#"data: {{"id":"gen-1790000000-abcdefghijklmnop","provider":"Maker","model":"maker/model-1","object":"chat.completion.chunk","created":1790000000,"choices":[{{"index":0,"delta":{{"role":"assistant","content":"{text}"}},"finish_reason":null,"native_finish_reason":null,"logprobs":null}}]}}"#
            );
            stream += "\n\n";
        }
        bencher.counter(ItemsCount::new(CHUNKS)).bench(|| {
            let (mut restorer, mut out) = (scope.restore_stream(), Vec::new());
            for piece in stream.as_bytes().chunks(1_000) {
                restorer.push(piece, &mut out);
            }
            let held_back = restorer.finish(&mut out);
            (out.len(), held_back.secrets)
        });
    }
}

/// Showing an answer: Markdown to terminal text.
mod render {
    use chatbot::render::{RenderOptions, Renderer, Theme};
    use divan::{Bencher, counter::BytesCount};

    const ANSWER: &str = include_str!("../tests/corpus/markdown/answer.md");
    const OPTIONS: RenderOptions = RenderOptions {
        width: 80,
        theme: Theme::Dark,
        hyperlinks: true,
    };

    fn render(text: &str, piece: usize) -> usize {
        let mut renderer = Renderer::new(OPTIONS);
        let mut out = String::new();
        let mut bytes = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let mut end = piece.min(rest.len());
            while !rest.is_char_boundary(end) {
                end += 1;
            }
            let (first, last) = rest.split_at(end);
            renderer.push(first, &mut out);
            bytes += out.len();
            out.clear();
            rest = last;
        }
        renderer.finish(&mut out);
        bytes + out.len()
    }

    fn bench(bencher: Bencher<'_, '_>, text: &str, piece: usize) {
        bencher
            .counter(BytesCount::of_str(text))
            .bench(|| render(text, piece));
    }

    /// An answer of 1 MB, whole and in pieces as a model sends them.
    #[divan::bench(args = [20, usize::MAX])]
    fn answer_1_mb(bencher: Bencher<'_, '_>, piece: usize) {
        bench(bencher, &ANSWER.repeat(1_000_000 / ANSWER.len()), piece);
    }

    #[divan::bench(args = [20, usize::MAX])]
    fn answer_10_mb(bencher: Bencher<'_, '_>, piece: usize) {
        bench(bencher, &ANSWER.repeat(10_000_000 / ANSWER.len()), piece);
    }

    /// What answers consist of. The target is 50 MB/s for each, whole or in pieces.
    const PARTS: [(&str, &str); 3] = [
        (
            "prose",
            "The heron stands still for most of the morning, because fish notice movement.\n\
            It takes **three** to five minutes until the `first` catch, and *often* longer; see \
            the [report](https://example.org/herons) for numbers.\n\n\
            A second paragraph has no styles at all. It is what a model writes when it explains \
            something at length, with commas, numbers like 1,234 and (some) parentheses.\n\n",
        ),
        (
            "table",
            "| Name | Size | What it is for |\n|:-----|-----:|----------------|\n\
            | heron | 12 | stands in shallow water |\n| grebe | 7 | dives for `fish` |\n\
            | coot | 345 | **noisy**, everywhere |\n| swan | 1 | white and large |\n\
            | duck | 22 | the common one |\n| goose | 9 | eats grass on the bank |\n\
            | gull | 81 | not from here |\n| tern | 3 | dives from the air |\n\n",
        ),
        (
            "code",
            "```rust\nfn main() {\n    let mut total = 0usize; // the sum\n\
            \x20   for (index, value) in values.iter().enumerate() {\n\
            \x20       total += value.weight(index) * 12;\n\
            \x20       println!(\"{index}: {total}\");\n    }\n}\n```\n\n\
            ```python\ndef heron(name: str, count: int = 3) -> list[str]:\n\
            \x20   return [f\"{name} {i}\" for i in range(count)]  # done\n```\n\n",
        ),
    ];

    fn repeated(part: &str, bytes: usize) -> String {
        let known = PARTS.iter().find(|(name, _)| *name == part);
        let (_, text) = known.expect("a part");
        text.repeat(bytes / text.len())
    }

    #[divan::bench(args = ["prose", "table", "code"], consts = [20, usize::MAX])]
    fn part_1_mb<const PIECE: usize>(bencher: Bencher<'_, '_>, part: &str) {
        bench(bencher, &repeated(part, 1_000_000), PIECE);
    }

    #[divan::bench(args = ["prose", "table", "code"], consts = [20, usize::MAX])]
    fn part_10_mb<const PIECE: usize>(bencher: Bencher<'_, '_>, part: &str) {
        bench(bencher, &repeated(part, 10_000_000), PIECE);
    }

    /// Texts of 1 MB that are slow to parse if the work is not linear.
    #[divan::bench(args = ["*", "*a ", "a**b", "[", "[a](", "`a ``", "|", "|a\n", "<a ", "&amp; ", "> ", "- ", "a"])]
    fn worst_1_mb(bencher: Bencher<'_, '_>, part: &str) {
        bench(bencher, &part.repeat(1_000_000 / part.len()), 20);
    }
}
