//! Memory: how many copies of a key a running chat has, and that no command leaves a core file.

use super::harness::provider::{Reply, Server};
use crate::harness::{Sandbox, Screen, ci_markers};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

/// A key that is in no other place: not in the settings, the environment or this file.
fn key() -> String {
    format!("sk-or-v1-{}", "5ca1ab1e".repeat(8))
}

/// The copies that may exist while a chat waits for input: the one in use, and one in a request
/// that may be sent again or in the connection's buffer. Copies that libraries freed without wiping
/// count too.
const MAX_COPIES: usize = 3;

/// Counts `needle` in the memory of a process, with the mappings that contain it; `None` if the
/// memory cannot be read.
fn find_copies(screen: &Screen, needle: &[u8]) -> Option<Vec<String>> {
    let pid = screen.pid().as_raw_pid();
    let mut memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut places = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, may) = (words.next()?, words.next()?);
        let name = words.nth(3).unwrap_or("anonymous");
        let (from, to) = range.split_once('-')?;
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap_or(0));
        if !may.starts_with('r') || name.starts_with("[v") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        places.extend(
            bytes
                .windows(needle.len())
                .enumerate()
                .filter(|(_, w)| *w == needle)
                .map(|(at, _)| format!("{name}+{at:#x} ({may})")),
        );
    }
    Some(places)
}

/// Whether the process still has a handler for SIGSEGV.
fn catches_faults(screen: &Screen) -> bool {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", screen.pid().as_raw_pid())).unwrap();
    let caught = status
        .lines()
        .find_map(|l| l.strip_prefix("SigCgt:"))
        .unwrap()
        .trim();
    u64::from_str_radix(caught, 16).unwrap() & (1 << 10) != 0
}

fn start_chat(sandbox: &Sandbox) -> Screen {
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("> ")
        .line("hello")
        .wait_for("Hello yourself.")
        .wait_for("> ");
    screen
}

/// A provider that answers, and a vault with its key.
fn home_and_server() -> (Sandbox, Server) {
    let server = Server::always(|_| Reply::says("Hello yourself."));
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"gate\"\n[providers.gate]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n",
        server.base_url()
    ));
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin(key())
        .succeeds();
    (sandbox, server)
}

#[test]
fn memory_key_copies_are_few() {
    let (sandbox, _server) = home_and_server();
    let mut screen = start_chat(&sandbox);
    // A process that is not dumpable belongs to root, so only root can read its memory.
    let owner = std::fs::metadata(format!("/proc/{}/mem", screen.pid().as_raw_pid()))
        .unwrap()
        .uid();
    assert_eq!(owner, 0, "the process is dumpable");
    let Some(places) = find_copies(&screen, key().as_bytes()) else {
        return ci_markers::left_out("memory", "only root may look into the memory of another");
    };
    assert!(
        find_copies(&screen, b"Hello yourself.").is_some_and(|p| !p.is_empty()),
        "nothing was looked at"
    );
    assert!((1..=MAX_COPIES).contains(&places.len()), "{places:#?}");
    let passphrase = find_copies(&screen, super::harness::sandbox::PASSPHRASE.as_bytes()).unwrap();
    assert_eq!(
        passphrase,
        Vec::<String>::new(),
        "the passphrase of the vault stayed"
    );
    screen.send(crate::harness::pty::key::CTRL_D);
    assert_eq!(screen.end(), 0);
    ci_markers::ran("memory");
}

#[test]
fn memory_crash_leaves_no_core() {
    for signal in [
        rustix::process::Signal::SEGV,
        rustix::process::Signal::ABORT,
    ] {
        let (sandbox, _server) = home_and_server();
        let mut screen = start_chat(&sandbox);
        rustix::process::kill_process(screen.pid(), signal).unwrap();
        if signal == rustix::process::Signal::SEGV {
            // The runtime's handler ignores the first signal from outside and removes itself; the
            // next one kills.
            while catches_faults(&screen) {
                std::thread::yield_now();
            }
            rustix::process::kill_process(screen.pid(), signal).unwrap();
        }
        assert_ne!(screen.end(), 0);
        let cores: Vec<_> = sandbox
            .files()
            .into_iter()
            .filter(|f| {
                f.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("core"))
            })
            .collect();
        assert_eq!(cores, Vec::<std::path::PathBuf>::new());
        assert!(sandbox.files_with(b"5ca1ab1e").is_empty());
    }
}

/// Every call that writes or sends, with its data and its target.
const WRITES: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,sendfile,splice";

#[test]
fn memory_key_is_written_only_to_provider() {
    let Some(strace) = crate::kill_points::strace() else {
        return ci_markers::left_out("written-keys", "no strace that may look");
    };
    let (sandbox, server) = home_and_server();
    sandbox.write("cwd/.env", format!("OWN_API_KEY={}\n", key()));
    sandbox.write("cwd/key", format!("{}\n", key()));
    let url = server.base_url();
    let provider = format!(
        "->{}]",
        url.trim_start_matches("http://").split('/').next().unwrap()
    );
    let mut sent = 0;
    for (args, stdin) in [
        (
            ["key", "set", "--stdin", "--profile", "second", "--force"].as_slice(),
            true,
        ),
        (&["key", "validate", "--force"], false),
        (&["key", "list"], false),
        (&["ask", "-vv", "hello"], false),
        (
            &["key", "rotate", "--stdin", "--no-validate", "--force"],
            true,
        ),
        (&["key", "rotate", "--confirm"], false),
        (
            &["key", "import", ".env", "--yes", "--profile", "third"],
            false,
        ),
        (
            &[
                "key",
                "recovery",
                "export",
                "recovery.txt",
                "--yes",
                "--kdf",
                super::harness::sandbox::CHEAP,
            ],
            false,
        ),
        (&["backup", "all.backup", "--with-keys"], false),
        (&["vault", "status"], false),
    ] {
        let seen = sandbox.root().join("seen");
        let stdin = if stdin {
            std::process::Stdio::from(File::open(sandbox.cwd().join("key")).unwrap())
        } else {
            std::process::Stdio::null()
        };
        let mut traced = std::process::Command::new(&strace);
        traced
            .args(["-f", "-qq", "-yy", "-s", "1000000", "-e", WRITES, "-o"])
            .arg(&seen)
            .arg(super::harness::run::BINARY)
            .args(args);
        let output = traced
            .env_clear()
            .envs(sandbox.env())
            .current_dir(sandbox.cwd())
            .stdin(stdin)
            .output()
            .unwrap();
        let trace = std::fs::read_to_string(&seen).unwrap();
        std::fs::remove_file(&seen).unwrap();
        assert!(trace.lines().count() > 0, "{args:?}: {output:#?}");
        for line in trace.lines().filter(|l| l.contains(&key())) {
            let line = line.replace(&key(), "KEY");
            assert!(
                line.contains("<TCP:[") && line.contains(&provider),
                "{args:?} writes it: {line}"
            );
            sent += 1;
        }
    }
    assert!(sent >= 2, "it was sent {sent} times: nothing was looked at");
    ci_markers::ran("written-keys");
}

/// Every command of the program, from its own help.
pub(super) fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.run(["--help"]).succeeds().stdout;
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "));
    listed
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The modes that save, send or configure least, where hardening is easily forgotten.
pub(super) const MODES: &[&[&str]] = &[
    &["ask", "--no-log", "--provider=demo", "hi"],
    &["ask", "--private", "hi"],
    &["ask", "--dry-run", "hi"],
    &["redact", "-"],
    &["no-such"],
];

#[test]
fn hardening_precedes_every_command() {
    let Some(strace) = crate::kill_points::strace() else {
        return ci_markers::left_out("hardening", "no strace that may look");
    };
    let sandbox = Sandbox::with_vault();
    let commands = commands(&sandbox);
    assert!(
        commands.len() > 10 && commands.contains(&"redact".to_owned()),
        "{commands:?}"
    );
    for args in commands
        .iter()
        .map(|name| vec![name.as_str()])
        .chain(MODES.iter().map(|mode| mode.to_vec()))
    {
        let seen = sandbox.root().join("seen");
        let mut traced = std::process::Command::new(&strace);
        traced
            .args([
                "-f",
                "-qq",
                "-e",
                "trace=prctl,prlimit64,openat,read,connect,socket",
                "-o",
            ])
            .arg(&seen);
        traced
            .arg(super::harness::run::BINARY)
            .args(&args)
            .env_clear()
            .envs(sandbox.env())
            .current_dir(sandbox.cwd());
        traced.stdin(std::process::Stdio::null()).output().unwrap();
        let trace = std::fs::read_to_string(&seen).unwrap();
        let at = |part: &str| trace.lines().position(|line| line.contains(part));
        let (undumpable, no_core) = (
            at("PR_SET_DUMPABLE, SUID_DUMP_DISABLE"),
            at("RLIMIT_CORE, {rlim_cur=0"),
        );
        assert!(
            undumpable.is_some() && no_core.is_some(),
            "{args:?}: {trace}"
        );
        // The first access to the user's files, and the first byte read from standard input or the
        // network.
        let private = ["read(0,", "connect(", &sandbox.root().display().to_string()]
            .iter()
            .filter_map(|part| at(part))
            .min();
        assert!(
            private.is_none_or(|first| undumpable.max(no_core) < Some(first)),
            "{args:?}: {trace}"
        );
    }
    ci_markers::ran("hardening");
}

#[test]
fn hardening_covers_unsaved_question() {
    let gate = super::harness::provider::Gate::default();
    let (asked, wait) = (super::harness::provider::Gate::default(), gate.clone());
    let (tell, server_gate) = (asked.clone(), wait);
    let server = Server::always(move |_| {
        tell.open();
        Reply::stream().wait(&server_gate).text("done").done()
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.set("OWN_WORD", "canary-in-the-environment");
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"env:OWN_WORD\"\nmodel = \"m\"\n",
        server.base_url()
    ));
    let mut screen = sandbox.screen(["ask", "--no-log", "canary in the question"]);
    asked.wait();
    let process = format!("/proc/{}", screen.pid().as_raw_pid());
    assert_eq!(
        std::fs::metadata(format!("{process}/mem")).unwrap().uid(),
        0,
        "the process is dumpable"
    );
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    assert!(
        limits
            .lines()
            .any(|line| line.starts_with("Max core file size        0 ")),
        "{limits}"
    );
    gate.open();
    assert_eq!(screen.end(), 0);
}
