//! Hints: what an error tells the user to do can be done, and helps.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use std::io::{Read, Write};
use std::net::TcpListener;

fn refused_key() -> Reply {
    Reply::json(401, r#"{"error":{"message":"no","code":401}}"#)
}

#[test]
fn refused_key_is_replaced_where_it_comes_from() {
    let server = Server::replies([refused_key(), refused_key(), refused_key()]);
    let mut sandbox = Sandbox::with_vault();
    for (source, hint) in [
        ("env:OWN_KEY", "put a valid key into `OWN_KEY`"),
        (
            "none",
            "the settings say that it needs none: change `key` in `[providers.own]`",
        ),
        (
            "stored",
            "save another one with `chatbot key set --provider own --profile work`",
        ),
    ] {
        sandbox.ask_at(&server.base_url(), "");
        sandbox.configure(&format!(
            "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"{source}\"\nmodel = \"m\"\n",
            server.base_url()
        ));
        let mut profile = vec!["ask", "--no-stdin", "hello"];
        if source == "stored" {
            sandbox
                .run([
                    "key",
                    "set",
                    "--stdin",
                    "--no-validate",
                    "--force",
                    "--provider",
                    "own",
                    "--profile",
                    "work",
                ])
                .stdin("a-key-of-my-own-0123456789")
                .succeeds();
            profile.extend(["--profile", "work"]);
        }
        let stderr = sandbox.run(profile).fails(3).stderr;
        assert!(stderr.ends_with(&format!("hint: {hint}\n")), "{stderr}");
    }
}

#[test]
fn hints_say_what_can_be_done() {
    let server = Server::replies([Reply::nothing().close()]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    std::fs::create_dir(sandbox.cwd().join("sub")).unwrap();
    for (args, hint) in [
        (
            &["history", "prune"][..],
            "usage: `chatbot history prune --older-than <AGE>`",
        ),
        (&["key", "move"], "usage: `chatbot key move --to <STORE>`"),
        (
            &["ask", "-f", "sub", "hello"],
            "hidden and ignored files are left out; attach them by name",
        ),
        (
            &["redact", "sub"],
            "name a file in it, or a pattern such as `sub/*.md`",
        ),
    ] {
        let stderr = sandbox.run(args).fails(2).stderr;
        assert!(
            stderr.contains(&format!("hint: {hint}")),
            "{args:?}: {stderr}"
        );
    }
    let stderr = sandbox
        .run(["ask", "--no-log", "--no-stdin", "hello"])
        .fails(7)
        .stderr;
    assert!(stderr.contains("hint: try again\n"), "{stderr}");
    // A server that takes the greeting of TLS for a bad request.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            (&stream).read_exact(&mut [0; 5]).unwrap();
            (&stream)
                .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
        }
    });
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"https://127.0.0.1:{port}/v1\"\nkey = \"none\"\nmodel = \"m\"\n"
    ));
    let stderr = sandbox
        .run(["ask", "--no-log", "--no-stdin", "hello"])
        .fails(7)
        .stderr;
    assert!(
        stderr.contains("`127.0.0.1` does not speak TLS: is its address `http://`?"),
        "{stderr}"
    );
}
