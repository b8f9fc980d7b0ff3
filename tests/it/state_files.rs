//! State files: a full disk, open permissions, a clock that jumps, and damaged files.

use crate::harness::provider::{Reply, Server};
use crate::harness::{Sandbox, Screen, ci_markers};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// A small disk mounted over a folder until this value is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Needs permission to mount.
    fn over(folder: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=700", "none"])
            .arg(folder)
            .output();
        mounted
            .is_ok_and(|o| o.status.success())
            .then(|| Self(folder.to_owned()))
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.join("stuffing");
        // More than the disk holds: the write fails and the disk is full.
        assert!(std::fs::write(&filler, vec![0; 1 << 20]).is_err());
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn chat_survives_full_disk() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = 1000\n");
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .succeeds();
    let state = sandbox.state();
    std::fs::rename(&state, state.with_extension("before")).unwrap();
    std::fs::create_dir(&state).unwrap();
    let Some(disk) = SmallDisk::over(&state) else {
        return ci_markers::left_out("full-disk", "this user cannot mount a small disk");
    };
    // Fills the log's last page, so that the next record needs a new one.
    let pages = (0..40).any(|_| {
        sandbox
            .run(["ask", "--provider=demo", "--no-log", "hello"])
            .succeeds();
        std::fs::metadata(state.join("audit.jsonl")).unwrap().len() % 4096 > 4096 - 320
    });
    assert!(pages);
    let filler = disk.fill();
    // The audit log is written before a message is sent.
    let mut asked = (0..3).map(|_| {
        sandbox
            .run(["ask", "--provider=demo", "--no-log", "hello"])
            .output()
    });
    let refused = asked.find(|asked| asked.code == Some(8)).unwrap().stderr;
    assert!(
        refused.contains("error: cannot write the audit log, so the message was not sent"),
        "{refused}"
    );
    sandbox.configure("audit = \"best-effort\"\n[limits]\nrequests_per_minute = 1000\n");
    let mut screen = Screen::open(&sandbox, ["chat", "--provider=demo", "--no-log"], 120, 40);
    screen.wait_for("> ");
    for _ in 0..2 {
        screen
            .line("hello")
            .wait_for("warning: cannot write the audit log: ")
            .wait_for(" tok · ")
            .wait_for("> ");
    }
    screen.send(crate::harness::pty::key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert!(
        screen
            .text()
            .contains("cannot write the audit log: cannot write"),
        "{}",
        screen.text()
    );
    // If the request cannot be counted, it is not sent.
    std::fs::remove_file(state.join("requests")).unwrap();
    let mut more = std::fs::OpenOptions::new()
        .append(true)
        .open(&filler)
        .unwrap();
    assert!(more.write_all(&vec![0; 1 << 16]).is_err());
    drop(more);
    let closed = sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .fails(8);
    assert!(
        closed.stderr.contains("free some space and try again"),
        "{closed:?}"
    );
    // A lockdown is an empty file and needs no disk space.
    sandbox.run(["incident", "lockdown"]).succeeds();
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .fails(4);
    std::fs::remove_file(state.join("lockdown")).unwrap();
    // With free space everything works again, and the log is intact.
    std::fs::remove_file(&filler).unwrap();
    sandbox
        .run(["ask", "--provider=demo", "--no-log", "hello"])
        .succeeds();
    sandbox.run(["audit", "verify"]).succeeds();
    ci_markers::ran("full-disk");
}

fn alerts(sandbox: &Sandbox) -> Vec<(String, i64)> {
    let alerts: Value =
        serde_json::from_str(&sandbox.run(["audit", "alerts", "--json"]).succeeds().stdout)
            .unwrap();
    let list = alerts["alerts"].as_array().unwrap().clone();
    list.iter()
        .map(|a| {
            (
                a["kind"].as_str().unwrap().to_owned(),
                a["figure"].as_i64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn alert_open_permissions_once() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    assert_eq!(alerts(&sandbox), []);
    sandbox.run(["backup"]).succeeds();
    for open in ["conversations", "backups"] {
        std::fs::set_permissions(
            sandbox.data().join(open),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
    let mut screen = sandbox.screen(["history", "list"]);
    screen
        .wait_for("alert: 2 files or folders of this program are accessible to other users:")
        .wait_for("/data/conversations, ")
        .wait_for("/data/backups;");
    assert_eq!(screen.end(), 8);
    sandbox.run(["ask", "--provider=demo", "hello"]).output();
    assert_eq!(alerts(&sandbox), [("modes".to_owned(), 2)]);
    let listed = sandbox
        .run(["audit", "alerts", "--json", "--limit", "1"])
        .succeeds();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(
        listed["alerts"][0]["paths"],
        serde_json::json!([
            "[ROOT]/one-root/data/conversations",
            "[ROOT]/one-root/data/backups"
        ])
    );
    sandbox
        .run(["audit", "alerts", "--limit", "0"])
        .stdout("")
        .check();
}

#[test]
fn alert_key_expiry_once() {
    let at = |days: u64| {
        chatbot::Clock::system()
            .now()
            .saturating_add(std::time::Duration::from_secs(days * 86_400 + 3600))
    };
    let body = |days| {
        format!(
            r#"{{"data":{{"label":"x...y","expires_at":"{}","is_management_key":false}}}}"#,
            at(days)
        )
    };
    for (days, expected) in [(3, vec![("expiry".to_owned(), 3)]), (30, vec![])] {
        let answer = body(days);
        let server = Server::always(move |_| Reply::json(200, &answer));
        let sandbox = Sandbox::with_vault();
        sandbox.configure(&format!(
            "provider = \"gate\"\n[providers.gate]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\ncompatible_with = \"openrouter\"\n",
            server.base_url()
        ));
        sandbox
            .run(["key", "set", "--stdin", "--force"])
            .stdin(crate::harness::sandbox::key())
            .succeeds();
        sandbox.run(["key", "list"]).succeeds();
        sandbox.run(["key", "list"]).succeeds();
        assert_eq!(alerts(&sandbox), expected, "{days} days");
    }
}

/// A library that overrides the wall clock and moves it by `CLOCK_MOVED` seconds.
fn clock_library(folder: &Path) -> Option<PathBuf> {
    let source = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdlib.h>\n#include <time.h>\n\
        int clock_gettime(clockid_t which, struct timespec *at) {\n\
        static int (*real)(clockid_t, struct timespec *);\n\
        if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, \"clock_gettime\");\n\
        int result = real(which, at);\n\
        const char *moved = getenv(\"CLOCK_MOVED\");\n\
        if (which == CLOCK_REALTIME && moved) at->tv_sec += atol(moved);\n\
        return result;\n}\n";
    let (file, library) = (folder.join("mover.c"), folder.join("mover.so"));
    std::fs::write(&file, source).unwrap();
    let made = Command::new(ci_markers::tool("cc")?)
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&file)
        .arg("-ldl")
        .status();
    made.is_ok_and(|s| s.success()).then_some(library)
}

#[test]
fn alert_open_conversation_within_a_day() {
    let sandbox = Sandbox::with_vault();
    let Some(library) = clock_library(sandbox.root()) else {
        return ci_markers::left_out("clock", "no compiler for the library that moves it");
    };
    for _ in 0..2 {
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    }
    for file in sandbox.conversations() {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    sandbox
        .run(["audit", "list"])
        .env("LD_PRELOAD", &library)
        .env("CLOCK_MOVED", "86400")
        .succeeds();
    assert_eq!(alerts(&sandbox), [("modes".to_owned(), 2)]);
}

#[test]
fn limits_survive_moved_clock() {
    let moves = [
        ("-1 h", -3600),
        ("+1 h", 3600),
        ("-1 d", -86_400),
        ("+1 d", 86_400),
    ];
    let tried: Vec<bool> = thread::scope(|scope| {
        let each: Vec<_> = moves
            .iter()
            .map(|(name, seconds)| scope.spawn(move || moved_clock_is_harmless(name, *seconds)))
            .collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    if tried.into_iter().all(|tried| tried) {
        ci_markers::ran("clock");
    }
}

/// How far the clock has to be moved to noon of the 15th.
fn seconds_to_the_middle_of_the_month() -> i64 {
    let now = chatbot::Clock::system().now();
    let noon = now.calendar().month.seconds() + 14 * 86_400 + 43_200;
    noon - now.seconds()
}

fn moved_clock_is_harmless(name: &str, seconds: i64) -> bool {
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
    let mut sandbox = Sandbox::under_one_root();
    let Some(library) = clock_library(sandbox.root()) else {
        ci_markers::left_out("clock", "no compiler for the library that moves it");
        return false;
    };
    let seen = sandbox
        .run(["audit", "list"])
        .env("LD_PRELOAD", &library)
        .output();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    sandbox.ask_at(&server.base_url(), "[limits]\nrequests_per_hour = 3\n");
    // All of it happens within one month, whatever day it is.
    let middle = seconds_to_the_middle_of_the_month();
    let ask = |moved: i64| {
        sandbox
            .run(["ask", "--no-log", "hello"])
            .env("LD_PRELOAD", &library)
            .env("CLOCK_MOVED", (middle + moved).to_string())
    };
    ask(0).succeeds();
    // One of the three requests is counted on the moved clock.
    ask(seconds).succeeds();
    ask(0).succeeds();
    for at in [0, seconds, 0] {
        let refused = ask(at).fails(5);
        assert!(
            refused
                .stderr
                .contains("rate limit of 3 requests in 1 h reached"),
            "{name}: {refused:?}"
        );
        // No wait is longer than the window.
        let wait = refused.stderr.split("wait ").nth(1).unwrap();
        assert!(
            wait.starts_with("59 min") || wait.starts_with("1 h,"),
            "{name}: {wait}"
        );
    }
    // Budgets: a clock that moves back keeps the spent money; a clock that moves forward starts a
    // new period.
    sandbox.ask_at(
        &server.base_url(),
        "[limits]\nrequests_per_hour = 100\n[budget]\nper_month = 0.03\n",
    );
    let ask = |moved: i64| {
        sandbox
            .run(["ask", "--no-log", "hello"])
            .env("LD_PRELOAD", &library)
            .env("CLOCK_MOVED", (middle + moved).to_string())
    };
    ask(0).fails(5);
    if seconds < 0 {
        ask(seconds).fails(5);
    }
    sandbox.run(["audit", "verify"]).succeeds();
    true
}

#[test]
fn limits_hold_with_damaged_state_files() {
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
    for full in [
        "[limits]\nrequests_per_hour = 2\n",
        "[budget]\nper_day = 0.02\n",
    ] {
        let mut sandbox = Sandbox::under_one_root();
        sandbox.ask_at(&server.base_url(), full);
        for _ in 0..2 {
            sandbox.run(["ask", "--no-log", "hello"]).succeeds();
        }
        sandbox.run(["ask", "--no-log", "hello"]).fails(5);
        let state = sandbox.state();
        let whole: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect();
        assert!(whole.len() > 5, "{whole:?}");
        for (path, bytes) in whole.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let torn = &bytes[..bytes.len() * 2 / 3];
            let turned: Vec<u8> = bytes.iter().map(|b| b ^ 1).collect();
            for (spoil, new) in [
                ("deleted", None),
                ("emptied", Some(&b""[..])),
                ("torn", Some(torn)),
                ("spoilt", Some(&turned)),
            ] {
                match new {
                    None => std::fs::remove_file(path).unwrap(),
                    Some(new) => std::fs::write(path, new).unwrap(),
                }
                let asked = sandbox.run(["ask", "--no-log", "hello"]).output();
                assert!(
                    matches!(asked.code, Some(5 | 8)),
                    "{} {spoil}: {asked:?}",
                    path.display()
                );
                assert!(
                    !asked.stderr.contains("bug"),
                    "{} {spoil}: {asked:?}",
                    path.display()
                );
                for (path, bytes) in &whole {
                    std::fs::write(path, bytes).unwrap();
                }
            }
        }
    }
}

#[test]
fn conversation_from_wrong_clock_opens() {
    let sandbox = Sandbox::with_vault();
    let Some(library) = clock_library(sandbox.root()) else {
        return ci_markers::left_out("clock", "no compiler for the library that moves it");
    };
    let on = |moved: i64, args: &[&str]| {
        sandbox
            .run(args)
            .env("LD_PRELOAD", &library)
            .env("CLOCK_MOVED", moved.to_string())
            .succeeds()
    };
    let years = 365 * 86_400;
    on(0, &["ask", "--provider=demo", "now"]);
    for moved in [20 * years, -30 * years, 86_400] {
        on(moved, &["ask", "--provider=demo", "--continue", "and now?"]);
    }
    on(-30 * years, &["backup", "early.backup"]);
    for moved in [0, 20 * years, -30 * years] {
        for args in [
            ["history", "verify"].as_slice(),
            &["history", "show"],
            &["history", "search", "now"],
            &["backup", "--verify", "early.backup"],
        ] {
            on(moved, args);
        }
        let listed = on(moved, &["history", "list", "--json"]).stdout;
        assert!(listed.contains("\"messages\":8"), "{listed}");
    }
}
