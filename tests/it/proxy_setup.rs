//! `chatbot proxy setup`: the lines in the settings of an editor, the token, and the way back.

use super::harness::Sandbox;
use super::proxy::{Proxy, question};

const ZED: &str = "home/.config/zed/settings.json";
const CONTINUE: &str = "home/.continue/config.yaml";
const HINT: &str = "chatbot: hint: add the lines above by hand, with a token from `chatbot proxy token --ttl 30d`\n";

fn read(sandbox: &Sandbox, path: &str) -> String {
    std::fs::read_to_string(sandbox.root().join(path)).unwrap()
}

/// The lines for Zed, as they are shown.
fn zed_lines(port: u16, mark: &str) -> String {
    let root = format!("http://127.0.0.1:{port}");
    [
        String::from("\"language_models\": {"),
        format!("  \"anthropic\": {{ \"api_url\": \"{root}\" }},"),
        format!("  \"google\": {{ \"api_url\": \"{root}\" }},"),
        format!("  \"openai\": {{ \"api_url\": \"{root}/v1\" }}"),
        String::from("}"),
    ]
    .map(|line| format!("{mark}{line}\n"))
    .concat()
}

#[test]
fn proxy_setup_of_zed_is_undone() {
    let proxy = Proxy::start(Sandbox::under_one_root(), &["--demo"]);
    let (sandbox, port) = (&proxy.sandbox, proxy.port);
    let port_option = format!("--port={port}");
    let setup = ["proxy", "setup", "zed", "--yes", &port_option];
    sandbox
        .run(setup)
        .stderr("chatbot: error: Zed has no settings at `[ROOT]/home/.config/zed/settings.json`\nchatbot: hint: start it once\n")
        .code(1)
        .check();
    let before = "// mine\n{\n  \"theme\": \"One\", // dark\n}\n";
    sandbox.write(ZED, before);
    let shown = zed_lines(port, "  + ");
    let output = sandbox
        .run(setup)
        .stdout(format!("[ROOT]/{ZED}:\n{shown}sk-proj-[..]\n"))
        .check();
    let lines = zed_lines(port, "  ").replace("  }\n", "  },\n");
    assert_eq!(
        read(sandbox, ZED),
        format!(
            "// mine\n{{\n  // >>> chatbot proxy setup\n{lines}  // <<< chatbot proxy setup\n  \"theme\": \"One\", // dark\n}}\n"
        )
    );
    let token = output.stdout.lines().last().unwrap();
    let ask = || {
        proxy
            .post("/v1/chat/completions", token, &question("hello"))
            .status
    };
    assert_eq!(ask(), 200);
    sandbox
        .run(setup)
        .stderr("chatbot: error: Zed is set up already\nchatbot: hint: `chatbot proxy setup zed --undo` first\n")
        .code(2)
        .check();
    sandbox.is_private();
    let undo = ["proxy", "setup", "zed", "--undo", "--yes"];
    sandbox.run(undo).check();
    assert_eq!(read(sandbox, ZED), before);
    assert_eq!(ask(), 401);
    sandbox
        .run(undo)
        .stderr("chatbot: error: Zed is not set up\n")
        .code(2)
        .check();
    // What was changed since then stays.
    sandbox.run(setup).succeeds();
    let changed = read(sandbox, ZED).replace("One", "Two");
    sandbox.write(ZED, changed);
    sandbox.run(undo).check();
    assert_eq!(read(sandbox, ZED), before.replace("One", "Two"));
    // Nor is anything overwritten that cannot be merged.
    let own = "{ \"language_models\": {} }";
    sandbox.write(ZED, own);
    sandbox
        .run(setup)
        .stdout(zed_lines(port, ""))
        .stderr(format!(
            "chatbot: error: cannot change `[ROOT]/{ZED}` without breaking it\n{HINT}"
        ))
        .code(1)
        .check();
    assert_eq!(read(sandbox, ZED), own);
    proxy.stop();
}

#[test]
fn proxy_setup_of_continue_asks_first() {
    let proxy = Proxy::start(Sandbox::under_one_root(), &["--demo"]);
    let (sandbox, port) = (&proxy.sandbox, proxy.port);
    let port_option = format!("--port={port}");
    let setup = [
        "proxy",
        "setup",
        "continue",
        "--model=maker/m",
        &port_option,
    ];
    let before = "models: # mine\n  - name: other\n";
    sandbox.write(CONTINUE, before);
    let mut screen = sandbox.screen(setup);
    screen
        .wait_for("+   apiKey: TOKEN\n")
        .wait_for("Change the file? [y/N] ")
        .line("n");
    assert_eq!(screen.end(), 0);
    assert_eq!(read(sandbox, CONTINUE), before);
    let mut screen = sandbox.screen(setup);
    screen.wait_for("Change the file? [y/N] ").line("y");
    assert_eq!(screen.end(), 0);
    let now = read(sandbox, CONTINUE);
    let token = now
        .lines()
        .find_map(|line| line.strip_prefix("    apiKey: "))
        .unwrap();
    assert_eq!(
        now,
        format!(
            "models: # mine\n  # >>> chatbot proxy setup\n  - name: chatbot\n    provider: openai\n    model: \"maker/m\"\n    apiBase: http://127.0.0.1:{port}/v1\n    apiKey: {token}\n    roles: [chat, edit, apply]\n  # <<< chatbot proxy setup\n  - name: other\n"
        )
    );
    let answer = proxy.post("/v1/chat/completions", token, &question("hello"));
    assert_eq!(answer.status, 200);
    // The token is in no file of this program.
    let files = sandbox.files_with(token.as_bytes());
    assert_eq!(files, [sandbox.root().join(CONTINUE)]);
    let undo = ["proxy", "setup", "continue", "--undo", "--yes"];
    sandbox.run(undo).check();
    assert_eq!(read(sandbox, CONTINUE), before);
    // A file that there was not is removed.
    std::fs::remove_file(sandbox.root().join(CONTINUE)).unwrap();
    sandbox.run(setup).arg("--yes").succeeds();
    assert!(read(sandbox, CONTINUE).contains("schema: v1\n"));
    sandbox.run(undo).check();
    assert!(!sandbox.root().join(CONTINUE).exists());
    let sandbox = proxy.stop();
    sandbox
        .run(setup)
        .stderr("chatbot: error: no proxy is running\nchatbot: hint: start one with `chatbot proxy serve`\n")
        .code(1)
        .check();
}
