//! `chatbot exec`: the environment, the streams and the end of a program that has a token instead of
//! the key.

use super::harness::Sandbox;
use super::harness::ci_markers;
use super::harness::http;
use super::harness::provider::{Reply, Server};
use super::harness::pty::key::{CTRL_C, ENTER};
use super::harness::python;
use super::harness::run::BINARY;
use super::harness::sandbox::{key, own_key};
use super::proxy::{echo, posts, provider};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EMAIL: &str = "bob.miller@initech.com";
/// A token that another service issued.
const SECRET: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";
/// What is said of a run without requests.
const NOTHING: &str = "chatbot: 0 requests, 0 tokens in, 0 out, $0.00, 0 values redacted\n";

/// A line of the shell that asks a model, and prints the answer.
fn ask(model: &str, text: &str) -> String {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
    format!(
        "curl -s \"$OPENAI_BASE_URL/chat/completions\" -H \"Authorization: Bearer $OPENAI_API_KEY\" -H 'content-type: application/json' -d '{body}'\n"
    )
}

/// The same, and prints only the status: 000 if no one answers.
fn status(text: &str) -> String {
    ask("maker/model-1", text).replace("curl -s", "curl -s -o /dev/null -w '%{http_code}\\n'")
}

/// A home that uses this provider, with limits that tests do not reach.
fn home_of(server: &Server) -> Sandbox {
    let mut sandbox = Sandbox::under_one_root();
    let limits = "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 5000\n";
    sandbox.ask_at(&server.base_url(), limits);
    sandbox
}

/// The arguments that run a line of the shell.
fn shell<'a>(options: &[&'a str], line: &'a str) -> Vec<&'a str> {
    [&["exec"], options, &["--", "sh", "-c", line]].concat()
}

/// A program of the user in `PATH`.
fn install(sandbox: &mut Sandbox, name: &str, script: &str) {
    let program = sandbox.write(format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let bin = sandbox.root().join("bin");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    sandbox.set("PATH", path);
}

/// Waits until a file is there, and returns what is in it.
fn wait_for(path: &PathBuf) -> String {
    let begun = Instant::now();
    while !path.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            path.display()
        );
        std::thread::yield_now();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn exec_sets_the_token_and_removes_keys() {
    let server = provider(echo);
    let mut sandbox = home_of(&server);
    let before = sandbox.env().clone();
    for (name, value) in [
        ("OPENAI_ADMIN_KEY", "short"),
        ("OPENAI_API_KEY", "x"),
        ("openrouter_api_key", "in small letters"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "x"),
        ("CHATBOT_PASSPHRASE_FILE", "/nowhere"),
        // A key under any name, alone.
        ("MY_WORD", key().as_str()),
    ] {
        sandbox.set(name, value);
    }
    // The program's own work.
    sandbox.set("GH_TOKEN", SECRET);
    sandbox.set("EDITOR_NAME", "sk-learn");
    let output = sandbox
        .run(["exec", "--", "env"])
        .stderr(NOTHING)
        .stdout("[..]\n".repeat(before.len() - 1 + 2 + 10))
        .check();
    let mut seen: BTreeMap<&str, &str> = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let token = seen["OPENAI_API_KEY"];
    let root = seen["ANTHROPIC_BASE_URL"];
    assert!(token.starts_with("sk-proj-"), "{token}");
    assert!(root.starts_with("http://127.0.0.1:"), "{root}");
    let v1 = format!("{root}/v1");
    for (name, value) in [
        ("OPENAI_BASE_URL", v1.as_str()),
        ("OPENAI_API_BASE", &v1),
        ("OPENAI_API_KEY", token),
        ("OPENROUTER_BASE_URL", &v1),
        ("OPENROUTER_API_BASE", &v1),
        ("OPENROUTER_API_KEY", token),
        ("ANTHROPIC_BASE_URL", root),
        ("ANTHROPIC_API_KEY", token),
        ("GOOGLE_GEMINI_BASE_URL", root),
        ("GEMINI_API_KEY", token),
        ("GH_TOKEN", SECRET),
        ("EDITOR_NAME", "sk-learn"),
    ] {
        assert_eq!(seen.remove(name), Some(value), "{name}");
    }
    // On a terminal the names are shown.
    let mut screen = sandbox.screen(["exec", "--", "true"]);
    screen.wait_for("removed from the environment of the program: CHATBOT_PASSPHRASE_FILE,");
    screen.wait_for(" CLAUDE_CODE_OAUTH_TOKEN,\n  MY_WORD, OPENAI_ADMIN_KEY, OWN_KEY,");
    screen.wait_for(" openrouter_api_key\n");
    assert_eq!(screen.end(), 0);
    let mut left: Vec<&str> = before.keys().map(|name| name.to_str().unwrap()).collect();
    left.retain(|name| *name != "OWN_KEY");
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), left);
}

#[test]
fn exec_refuses_a_key_within_another_value() {
    let mut sandbox = Sandbox::under_one_root();
    sandbox.set("DATABASE_URL", format!("https://{}@db.example/app", key()));
    let started = sandbox.root().join("started");
    sandbox
        .run(["exec", "--demo", "--", "touch"])
        .arg(&started)
        .stderr("chatbot: error: `DATABASE_URL` contains a key of OpenRouter\nchatbot: hint: the program would see it: start it with `env -u DATABASE_URL chatbot exec …`\n")
        .code(4)
        .check();
    assert!(!started.exists());
}

#[test]
fn exec_requests_take_the_way_of_the_proxy() {
    let server = provider(echo);
    let sandbox = home_of(&server);
    let text = format!("write to {EMAIL}");
    let line = ask("maker/model-1", &text);
    let output = sandbox.run(shell(&[], &line)).succeeds();
    assert!(output.stdout.contains(&text), "{output:?}");
    assert_eq!(
        output.stderr,
        format!("chatbot: 1 request, 10 tokens in, 5 out, $0.010, 1 value redacted\n")
    );
    let [request] = posts(&server).try_into().unwrap();
    assert_eq!(
        request.text(),
        r#"{"model":"maker/model-1","messages":[{"role":"user","content":"write to [EMAIL_1]"}]}"#
    );
    let bearer = format!("Bearer {}", own_key());
    assert_eq!(request.header("authorization"), Some(bearer.as_str()));
}

#[test]
fn exec_account_names_everything() {
    let server = provider(|request| {
        if request.text().contains("fail") {
            return Reply::json(500, r#"{"error":{"message":"no"}}"#);
        }
        let said = format!(
            "see https://evil.example/{}",
            request.json()["messages"][0]["content"].as_str().unwrap()
        );
        let body = json!({
            "id": "c1", "model": "maker/model-1",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": said }, "finish_reason": "stop" }],
            "usage": {
                "prompt_tokens": 100, "completion_tokens": 5, "cost": 0.01,
                "prompt_tokens_details": { "cached_tokens": 40 },
            },
        });
        Reply::json(200, &body.to_string())
    });
    let sandbox = home_of(&server);
    let line = [
        ask("maker/model-1", SECRET),
        ask("maker/model-1", "fail"),
        ask("other/model", "hello"),
    ]
    .concat();
    let output = sandbox.run(shell(&["--model=maker/*"], &line)).succeeds();
    assert_eq!(
        output.stderr,
        format!(
            "chatbot: 2 requests, 100 tokens in, 5 out, $0.010, 40 % from the cache, 1 value redacted, 1 not put back, 1 failed, 1 refused\n"
        ),
        "{output:?}"
    );
    let quiet = sandbox.run(shell(&["--quiet"], "true"));
    quiet.check();
}

#[test]
fn exec_passes_exit_codes_and_streams() {
    let sandbox = Sandbox::under_one_root();
    for (line, code) in [
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        let run = sandbox.run(shell(&["--demo"], line));
        run.stderr(NOTHING).code(code).check();
    }
    sandbox
        .run(["exec", "--demo", "--quiet", "--", "sh", "-c"])
        .arg("cat; echo error >&2")
        .stdin("input")
        .stdout("input")
        .stderr("error\n")
        .check();
    sandbox
        .run(["exec", "--demo", "--", "no-such-program"])
        .stderr("chatbot: error: cannot start `no-such-program`: No such file or directory (os error 2)\nchatbot: hint: is it installed, and in `PATH`?\n")
        .code(1)
        .check();
    // A program could read the token with which others are created.
    assert!(!sandbox.state().join("proxy").exists());
}

#[test]
fn exec_passes_signals_on() {
    let sandbox = Sandbox::under_one_root();
    for (signal, name, code) in [(Signal::TERM, "TERM", 4), (Signal::HUP, "HUP", 5)] {
        let line = format!(
            "sleep 60 >/dev/null 2>&1 & trap 'kill $!; echo {name}; exit {code}' {name}; echo ready; wait"
        );
        let running = sandbox.run(shell(&["--demo"], &line)).start();
        running.begins();
        rustix::process::kill_process(running.pid(), signal).unwrap();
        let output = running.end();
        assert_eq!(
            (output.code, output.stdout, output.stderr.as_str()),
            (Some(code), format!("ready\n{name}\n"), NOTHING)
        );
    }
}

#[test]
fn exec_leaves_the_terminal_to_the_program() {
    let sandbox = Sandbox::under_one_root();
    let line = "test -t 0 && test -t 1 && test -t 2 && stty size";
    let mut screen = sandbox.screen(shell(&["--demo"], line));
    screen.wait_for("40 100\n").wait_for("0 values redacted");
    assert_eq!(screen.end(), 0);
    // Ctrl-C is the program's: it ends, or goes on. (`read` is of the shell itself: dash loses a
    // signal that comes while it starts another program.)
    let mut screen = sandbox.screen(shell(&["--demo"], "echo ready; read line"));
    screen
        .wait_for("ready\n")
        .send(CTRL_C)
        .wait_for("0 values redacted");
    assert_eq!(screen.end(), 130);
    let line = "sleep 60 & trap 'kill $!' INT; echo ready; wait; echo more; read line; echo \"got $line\"; exit 3";
    let mut screen = sandbox.screen(shell(&["--demo"], line));
    screen.wait_for("ready\n").send(CTRL_C).wait_for("more\n");
    screen.send("words").send(ENTER).wait_for("got words\n");
    assert_eq!(screen.end(), 3);
}

#[test]
fn exec_token_ends_with_the_program() {
    let server = provider(echo);
    let sandbox = home_of(&server);
    let answer = sandbox.cwd().join("answer");
    let go = sandbox.cwd().join("go");
    let late = status("hello").replace("\\n'", "\\n' > part");
    let line = format!(
        "mkfifo go; (cat go; {late} mv part answer) >/dev/null 2>&1 </dev/null & {} echo \"$OPENAI_BASE_URL $OPENAI_API_KEY\"",
        status("hello")
    );
    let output = sandbox.run(shell(&[], &line)).succeeds();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], "200");
    std::fs::write(&go, "go").unwrap();
    // No one listens any more.
    assert_eq!(wait_for(&answer), "000\n");
    std::fs::remove_file(go).unwrap();
    // Nor does another proxy accept it.
    let (_, token) = lines[1].split_once(' ').unwrap();
    let serve = sandbox.run(["proxy", "serve"]).start();
    serve.begins();
    let list = sandbox.run(["proxy", "status", "--json"]).succeeds();
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let address = list["proxies"][0]["listening"].as_str().unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let bearer = format!("Bearer {token}");
    let answer = http::send(port, "GET /v1/models", &[("authorization", &bearer)], b"");
    assert_eq!(answer.status, 401);
    rustix::process::kill_process(serve.pid(), Signal::TERM).unwrap();
    assert_eq!(serve.end().code, Some(0));
    assert_eq!(posts(&server).len(), 1);
    assert_eq!(sandbox.files_with(token.as_bytes()), Vec::<PathBuf>::new());
}

#[test]
fn exec_options_reach_the_token() {
    let server = provider(echo);
    let sandbox = home_of(&server);
    let list = "curl -s -H \"Authorization: Bearer $OPENAI_API_KEY\" \"${OPENAI_BASE_URL%/v1}/api/usage\"; echo";
    let options = [
        "--ttl=1h",
        "--budget=0.5",
        "--max-requests=2",
        "--rpm=7",
        "--model=maker/*",
        "--restore=none",
    ];
    let text = ask("maker/model-1", EMAIL);
    let line = format!("{list}; {text} echo; {text} echo; {text}");
    let output = sandbox.run(shell(&options, &line)).succeeds();
    let mut lines = output.stdout.lines();
    let mut listed: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let token = listed["token"].as_object_mut().unwrap();
    for random in ["id", "created_at", "expires_at", "used"] {
        assert!(token.remove(random).is_some(), "{random}: {token:?}");
    }
    assert_eq!(
        Value::Object(token.clone()),
        json!({
            "name": "sh", "kind": "proxy", "scopes": ["chat", "embeddings", "audio", "models", "usage"],
            "model": "maker/*", "budget": 0.5, "max_requests": 2, "rpm": 7, "signed": false,
            "restore": "none",
        })
    );
    let answers: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said = |n: usize| answers[n]["choices"][0]["message"]["content"].clone();
    assert_eq!([said(0), said(1)], [json!("[EMAIL_1]"), json!("[EMAIL_1]")]);
    assert_eq!(answers[2]["error"]["code"], "token_requests_used");
    let dear = sandbox
        .run(shell(&["--budget=0.001"], &status("hello")))
        .succeeds();
    assert_eq!(dear.stdout, "402\n");
    let often = status("hello").repeat(2);
    let often = sandbox.run(shell(&["--rpm=1"], &often)).succeeds();
    assert_eq!(often.stdout, "200\n429\n");
    // The program goes on without its token.
    let brief = "while [ $(curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $OPENAI_API_KEY\" \"$OPENAI_BASE_URL/models\") = 200 ]; do :; done; echo over";
    let brief = sandbox.run(shell(&["--ttl=1s"], brief)).succeeds();
    assert_eq!(brief.stdout, "over\n");
}

#[test]
fn exec_shows_recipes() {
    let sandbox = Sandbox::under_one_root();
    sandbox
        .run(["exec", "--list"])
        .stdout(concat!(
            "claude      Claude Code\n",
            "codex       Codex\n",
            "opencode    opencode\n",
            "gemini      Gemini CLI\n",
            "            set `security.auth.selectedType` to \"gemini-api-key\" in `~/.gemini/settings.json` once\n",
            "aider       aider\n",
            "            name the model as openai/MODEL\n",
            "goose       goose\n",
            "crush       crush\n",
            "llm         llm\n",
            "            its own saved key for openai wins over the token: pass the model with `-m`, and remove that key\n",
            "aichat      aichat\n",
            "            name the model as openai:MODEL; an address or a key in its own configuration wins over these\n",
            "cn          Continue\n",
            "            its configuration (`--config FILE`) must name a model with `apiBase: ${{ secrets.OPENAI_BASE_URL }}` and `apiKey: ${{ secrets.OPENAI_API_KEY }}`\n",
            "*           any program\n",
        ))
        .check();
    sandbox
        .run(["exec", "--print", "--", "/opt/bin/claude", "--help"])
        .stdout(concat!(
            "# Claude Code\n",
            "ANTHROPIC_AUTH_TOKEN=TOKEN\n",
            "ANTHROPIC_BASE_URL=http://127.0.0.1:PORT\n",
            "CLAUDE_CODE_ATTRIBUTION_HEADER=0\n",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n",
            "ENABLE_TOOL_SEARCH=true\n",
            "unset CLAUDE_CODE_OAUTH_TOKEN\n",
            "unset ANTHROPIC_CUSTOM_HEADERS\n",
            "unset CLAUDE_CODE_USE_BEDROCK\n",
            "unset CLAUDE_CODE_USE_VERTEX\n",
        ))
        .check();
    let text = sandbox.run(["exec", "--list", "--print"]).succeeds();
    assert_eq!(
        text.stdout,
        include_str!("../../src/cli/commands/exec/recipes.toml")
    );
}

#[test]
fn exec_uses_recipes_of_the_user() {
    let mut sandbox = Sandbox::under_one_root();
    let folder = sandbox.settings().with_file_name("recipes");
    let own = folder.join("mine.toml");
    sandbox.write(
        &own,
        "[[recipe]]\nprogram = [\"mytool\", \"claude\"]\ntitle = \"My tool\"\nshape = \"google\"\nenv.MY_URL = \"{v1}\"\nenv.MY_HOST = \"{host}\"\nenv.MY_TOKEN = \"{token}\"\nremove = [\"GONE\"]\nargs = [\"--base\", \"{root}\"]\nlogins = [\".mytool/login\"]\nnote = \"a note\"\n",
    );
    let list = sandbox.run(["exec", "--list"]).succeeds();
    assert!(
        list.stdout
            .starts_with("mytool, claude  My tool\n            a note\nclaude      Claude Code\n"),
        "{}",
        list.stdout
    );
    install(
        &mut sandbox,
        "mytool",
        "echo \"$# $1 $2 $3\"; env | grep -E '^(MY_|GONE|OPENAI)' | sort",
    );
    sandbox.set("GONE", "x");
    sandbox.write("home/.mytool/login", "");
    sandbox
        .run(["exec", "--demo", "--", "mytool", "last"])
        .stdout("3 --base http://127.0.0.1:[..] last\nMY_HOST=127.0.0.1:[..]\nMY_TOKEN=AIza[..]\nMY_URL=http://127.0.0.1:[..]/v1\n")
        .stderr(NOTHING)
        .check();
    let mut screen = sandbox.screen(["exec", "--demo", "--", "mytool"]);
    screen.wait_for(
        "warning: My tool has a saved login in `~/.mytool/login`, which may win over the token\n",
    );
    screen.wait_for("removed from the environment of the program: GONE\n");
    assert_eq!(screen.end(), 0);
    for (text, what) in [
        ("[[recipe]", "[..]"),
        (
            "[[recipe]]\nprogram = [\"a\"]\ntitle = \"A\"\nenviron = 1",
            "unknown field `environ`, expected one of [..]",
        ),
        (
            "[[recipe]]\nprogram = [\"a\"]\ntitle = \"A\"\nshape = \"cohere\"",
            "`shape` must be openai, anthropic or google",
        ),
        (
            "[[recipe]]\nprogram = [\"a\"]\ntitle = \"A\"\nenv.URL = \"{base}/v1\"",
            "`{base}` stands for nothing",
        ),
    ] {
        sandbox.write(&own, text);
        sandbox
            .run(["exec", "--demo", "--", "true"])
            .stderr(format!("chatbot: error: `recipes/mine.toml` is not a recipe: {what}\nchatbot: hint: `chatbot exec --list --print` shows the form of a recipe\n"))
            .code(2)
            .check();
    }
}

#[test]
fn exec_demo_needs_neither_key_nor_network() {
    let sandbox = Sandbox::under_one_root();
    let line = ask("any", EMAIL);
    let output = sandbox.run(shell(&["--demo"], &line)).succeeds();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(
        answer["choices"][0]["message"]["content"].is_string(),
        "{output:?}"
    );
    assert!(
        output.stderr.starts_with("chatbot: 1 request, "),
        "{output:?}"
    );
    // Without the demo a key is needed, and the program is not started.
    let output = sandbox.run(shell(&[], "echo started")).fails(3);
    assert_eq!(output.stdout, "");
}

#[test]
fn exec_without_a_key_store_says_so_once() {
    let server = provider(echo);
    let mut sandbox = home_of(&server);
    sandbox.set("CHATBOT_KEYRING", "vault");
    let output = sandbox.run(shell(&[], "true")).output();
    let warning = "chatbot: warning: cannot tell whether `state` is an older copy: there is no vault at \
                   `[ROOT]/one-root/data/vault.json`\n";
    assert_eq!(output.stderr, format!("{warning}{NOTHING}"));
}

#[test]
fn exec_proxy_ends_in_a_lockdown() {
    let server = provider(echo);
    let sandbox = home_of(&server);
    let line = format!(
        "{ask}{BINARY} incident lockdown >/dev/null 2>&1; until [ \"$({ask})\" = 000 ]; do :; done; echo over; exit 6",
        ask = status("hello")
    );
    let output = sandbox.run(shell(&[], &line)).fails(6);
    assert_eq!(output.stdout, "200\nover\n");
    sandbox.run(shell(&[], "echo started")).stdout("").output();
}

#[test]
#[cfg(target_os = "linux")]
fn exec_jail_limits_connections_and_writes() {
    let server = provider(echo);
    let mut sandbox = home_of(&server);
    let probe = sandbox.run(shell(&["--jail"], "true")).output();
    if probe.stderr.contains("needs Landlock ABI") {
        ci_markers::left_out("exec-jail", "the kernel has no Landlock ABI 4");
        return;
    }
    let out = sandbox
        .write("home/out/there", "to read")
        .parent()
        .unwrap()
        .to_owned();
    let named = sandbox.root().join("named");
    std::fs::create_dir(&named).unwrap();
    sandbox.set("OUT", &out);
    sandbox.set("NAMED", &named);
    sandbox.set("OTHER", server.base_url().trim_end_matches("/v1"));
    let line = format!(
        "{ask}
curl -s -o /dev/null -w '%{{http_code}}\\n' $OTHER/v1/models
for place in . \"$TMPDIR\" \"$NAMED\" \"$OUT\"; do
  mkdir \"$place/folder\" && echo text > \"$place/folder/file\" && mv \"$place/folder/file\" \"$place/file\" && echo written
done 2>/dev/null
(echo more >> \"$OUT/there\") 2>/dev/null || echo refused
rm \"$OUT/there\" 2>/dev/null || echo refused
cat \"$OUT/there\" && echo
(echo x >/dev/null) && test \"$0\" = name && exit 9",
        ask = status("hello")
    );
    let named = named.display().to_string();
    let args = [
        "exec",
        "--jail",
        "--jail-write",
        &named,
        "--",
        "sh",
        "-c",
        &line,
        "name",
    ];
    sandbox
        .run(args)
        .stdout("200\n000\nwritten\nwritten\nwritten\nrefused\nrefused\nto read\n")
        .stderr("chatbot: 1 request, 10 tokens in, 5 out, $0.010, 0 values redacted\n")
        .code(9)
        .check();
    // Without the jail both are possible, so it is what refused them.
    let line = "curl -s -o /dev/null -w '%{http_code}\\n' $OTHER/v1/models; echo x > \"$OUT/there\" && echo written";
    let free = sandbox.run(shell(&[], line)).succeeds();
    assert_eq!(free.stdout, "200\nwritten\n");
    ci_markers::ran("exec-jail");
}

#[test]
#[cfg(target_os = "linux")]
fn exec_jail_refuses_what_it_cannot_keep() {
    let sandbox = Sandbox::under_one_root();
    let run = |args: &[&str]| sandbox.run([&["exec", "--demo", "--jail"], args].concat());
    if run(&["--", "true"])
        .output()
        .stderr
        .contains("needs Landlock ABI")
    {
        return;
    }
    let root = sandbox.root().display().to_string();
    run(&["--jail-write", &root, "--", "true"])
        .stderr("chatbot: error: the program could change the settings of chatbot in `[ROOT]`\nchatbot: hint: start it in the folder of a project\n")
        .code(4)
        .check();
    run(&["--jail-write", "missing", "--", "true"])
        .stderr("chatbot: error: `missing` does not exist\nchatbot: hint: a folder must exist before the program may write in it: create it\n")
        .code(2)
        .check();
    run(&["--", "no-such-program"])
        .stderr(format!("chatbot: error: cannot start `no-such-program`: No such file or directory (os error 2)\nchatbot: hint: is it installed, and in `PATH`?\n{NOTHING}"))
        .code(1)
        .check();
    run(&["--", "sh", "-c", "kill -TERM $$"])
        .stderr(NOTHING)
        .code(143)
        .check();
}

/// What the SDKs of Python do, unmodified. Each line of its output is an answer.
const SDKS: &str = r#"
import anthropic, openai
text = "write to bob.miller@initech.com"
messages = [{"role": "user", "content": text}]
tool = {"type": "object", "properties": {"to": {"type": "string"}}}
client = openai.OpenAI()
print(client.chat.completions.create(model="m", messages=messages).choices[0].message.content)
stream = client.chat.completions.create(model="m", messages=messages, stream=True)
print("".join(event.choices[0].delta.content or "" for event in stream if event.choices))
print(client.responses.create(model="m", input=text).output_text)
print(client.embeddings.create(model="m", input=text, encoding_format="float").data[0].embedding)
print([model.id for model in client.models.list()])
try:
    openai.OpenAI(api_key="wrong").models.list()
except openai.AuthenticationError as error:
    print(error.code)
client = anthropic.Anthropic()
tools = [{"name": "send", "input_schema": tool}]
answer = client.messages.create(model="m", max_tokens=9, messages=messages, tools=tools)
print(answer.content[0].input["to"])
print(client.messages.count_tokens(model="m", messages=messages).input_tokens)
"#;

#[test]
fn exec_runs_python_sdks_unmodified() {
    let check = "python-sdks";
    let Some(python) = python::with(&["openai", "anthropic"]) else {
        ci_markers::left_out(check, "no Python with `openai` and `anthropic`");
        return;
    };
    let server = provider(|request| {
        let answer = match request.path.as_str() {
            "/v1/chat/completions" if request.json()["stream"] == true => {
                return Reply::stream()
                    .text("dear [EM")
                    .text("AIL_1]")
                    .finish("stop")
                    .usage(r#"{"prompt_tokens":10,"completion_tokens":5,"cost":0.01}"#)
                    .done();
            }
            "/v1/chat/completions" => return echo(request),
            "/v1/responses" => json!({
                "id": "r1", "object": "response", "status": "completed", "model": "m",
                "output": [{
                    "type": "message", "id": "m1", "role": "assistant", "status": "completed",
                    "content": [{ "type": "output_text", "text": "[EMAIL_1]", "annotations": [] }],
                }],
                "usage": { "input_tokens": 10, "output_tokens": 5, "total_tokens": 15 },
            }),
            "/v1/embeddings" => json!({
                "object": "list", "model": "m",
                "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }],
                "usage": { "prompt_tokens": 3, "total_tokens": 3 },
            }),
            "/v1/messages" => json!({
                "id": "m1", "type": "message", "role": "assistant", "model": "m",
                "content": [{ "type": "tool_use", "id": "t1", "name": "send", "input": { "to": "[EMAIL_1]" } }],
                "stop_reason": "tool_use", "stop_sequence": null,
                "usage": { "input_tokens": 10, "output_tokens": 5 },
            }),
            _ => json!({ "input_tokens": 7 }),
        };
        Reply::json(200, &answer.to_string())
    });
    let mut sandbox = Sandbox::under_one_root();
    let limits = "[limits]\nrequests_per_minute = 1000\n[budget]\nunknown_price = \"allow\"\n";
    sandbox.ask_at(&server.base_url(), limits);
    let output = sandbox
        .run(["exec", "--anthropic=own", "--"])
        .arg(python)
        .arg("-c")
        .arg(SDKS)
        .succeeds();
    assert_eq!(
        output.stdout,
        format!(
            "write to {EMAIL}\ndear {EMAIL}\n{EMAIL}\n[0.5]\n['maker/model-1']\ninvalid_proxy_token\n{EMAIL}\n7\n"
        ),
        "{output:?}"
    );
    let sent: Vec<String> = posts(&server)
        .iter()
        .map(super::harness::provider::Request::line)
        .collect();
    assert_eq!(
        sent,
        [
            "POST /v1/chat/completions",
            "POST /v1/chat/completions",
            "POST /v1/responses",
            "POST /v1/embeddings",
            "POST /v1/messages",
            "POST /v1/messages/count_tokens",
        ]
    );
    for request in posts(&server) {
        let text = request.text();
        assert!(
            !text.contains(EMAIL) && text.contains("[EMAIL_1]"),
            "{text}"
        );
        let bearer = format!("Bearer {}", own_key());
        assert_eq!(request.header("authorization"), Some(bearer.as_str()));
    }
    ci_markers::ran(check);
}
