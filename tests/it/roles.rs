//! Roles, aliases and the options of requests that the settings give.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::{Value, json};

/// The request that `ask --dry-run` prints.
fn request(sandbox: &Sandbox, args: &[&str]) -> Value {
    let args = ["ask", "--dry-run"].iter().chain(args).chain(&["hello"]);
    let output = sandbox.run(args).succeeds();
    serde_json::from_str(&output.stdout).unwrap()
}

fn with_role(name: &str, text: &str) -> Sandbox {
    let sandbox = Sandbox::under_one_root();
    sandbox.write(format!("one-root/config/roles/{name}.md"), text);
    sandbox
}

#[test]
fn settings_give_options_by_model_provider_and_for_all() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure(
        "system = \"be brief\"\ntemperature = 0.5\nmax_tokens = 900\n\
         [aliases]\nfast = \"openai/gpt-mini\"\nwide = \"openrouter/openai/gpt-5.2\"\n\
         [defaults.openai]\ntemperature = 1\nreasoning = \"low\"\n\
         [defaults.\"openai/gpt-5.2\"]\nsystem = \"be thorough\"\n",
    );
    assert_eq!(
        request(&sandbox, &["-m", "fast"]),
        json!({
            "model": "gpt-mini",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hello"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "temperature": 1.0,
            "max_completion_tokens": 900,
            "reasoning_effort": "low",
        })
    );
    let body = request(&sandbox, &["-m", "wide", "--temperature", "0.1"]);
    assert_eq!(body["model"], "openai/gpt-5.2");
    assert_eq!(body["temperature"], 0.1);
    assert_eq!(body["messages"][0]["content"], "be thorough");
    assert_eq!(body["reasoning"], Value::Null);
    let body = request(&sandbox, &["-s", "be kind"]);
    assert_eq!(body["messages"][0]["content"], "be kind");
    assert_eq!(body["messages"][1]["role"], "user");
    sandbox
        .run(["ask", "--dry-run", "-p", "groq", "-m", "fast", "x"])
        .stderr(
            "chatbot: error: this alias is for a model of `openai`\n\
             chatbot: hint: leave out `--provider`, or write the full name of the model\n",
        )
        .code(2)
        .check();
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    sandbox.configure(&shown);
    sandbox.run(["config", "show"]).stdout(shown).check();
    sandbox.configure("[aliases]\nfast = \"opnai/m\"\nslow = \"x\"\n");
    sandbox
        .run(["config", "check"])
        .stdout(
            "[ROOT]/one-root/config/config.toml line 2: `aliases.fast`: there is no provider `opnai`; did you mean `openai`?\n\
             [ROOT]/one-root/config/config.toml line 3: `aliases.slow`: must be `provider/model`, such as \"openrouter/openai/gpt-5.2\"\n",
        )
        .code(9)
        .check();
}

#[test]
fn reasoning_is_sent_in_the_form_of_the_provider() {
    let sandbox = Sandbox::under_one_root();
    for (provider, word, fields) in [
        (
            "openrouter",
            "high",
            json!({"reasoning": {"effort": "high"}}),
        ),
        ("openai", "off", json!({"reasoning_effort": "none"})),
        ("deepseek", "off", json!({"thinking": {"type": "disabled"}})),
        (
            "anthropic",
            "medium",
            json!({"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ),
        ("mistral", "high", json!({})),
        ("openai", "show", json!({})),
    ] {
        let mut body = request(&sandbox, &["-p", provider, "--reasoning", word]);
        let body = body.as_object_mut().unwrap();
        body.retain(|name, _| {
            ["reasoning", "reasoning_effort", "thinking"].contains(&name.as_str())
        });
        assert_eq!(Value::Object(body.clone()), fields, "{provider} {word}");
    }
    let output = sandbox
        .run(["ask", "--dry-run", "--reasoning", "much", "x"])
        .fails(2);
    assert!(
        output
            .stderr
            .contains("must be show, hide, off, low, medium or high"),
        "{}",
        output.stderr
    );
}

#[test]
fn role_gives_prompt_model_and_options() {
    let sandbox = with_role(
        "translator",
        "+++\nprovider = \"openai\"\nmodel = \"gpt-mini\"\ntemperature = 0.2\n[variables]\nto = \"French\"\n+++\nTranslate into {{to}}; sign as bob.miller@initech.com.\n",
    );
    let body = request(&sandbox, &["--role", "translator"]);
    assert_eq!(body["model"], "gpt-mini");
    assert_eq!(body["temperature"], 0.2);
    assert_eq!(
        body["messages"][0],
        json!({"role": "system", "content": "Translate into French; sign as [EMAIL_1]."})
    );
    let body = request(
        &sandbox,
        &["--role", "translator", "--var", "to=Welsh", "-m", "gpt-5.2"],
    );
    assert_eq!(body["model"], "gpt-5.2");
    assert_eq!(
        body["messages"][0]["content"],
        "Translate into Welsh; sign as [EMAIL_1]."
    );
    let refuse = |args: &[&str], error: &str, hint: &str| {
        sandbox
            .run(["ask", "--dry-run", "x"].iter().chain(args))
            .stderr(format!("chatbot: error: {error}\nchatbot: hint: {hint}\n"))
            .code(2)
            .check();
    };
    let file = "[ROOT]/one-root/config/roles/translator.md";
    let fix = "fix the file of the role, or the values given with `--var`";
    refuse(
        &["--role", "translater"],
        "there is no role `translater`",
        "did you mean `translator`?",
    );
    refuse(
        &["--role", "translator", "--var", "too=x"],
        &format!("{file} line 1: `variables`: there is no variable `too`; did you mean `to`?"),
        fix,
    );
    refuse(
        &["--var", "to=x"],
        "`--var` needs a role",
        "add `--role NAME`",
    );
    sandbox.write(
        "one-root/config/roles/translator.md",
        "+++\nmodel = \"m\"\ntemperature = \"hot\"\n+++\nx\n",
    );
    refuse(
        &["--role", "translator"],
        &format!("{file} line 3: `temperature`: must be a number from 0 to 2"),
        fix,
    );
    // A file that others can change decides about what is sent: it is refused.
    let path = sandbox.write("one-root/config/roles/translator.md", "x\n");
    std::process::Command::new("chmod")
        .arg("666")
        .arg(&path)
        .status()
        .unwrap();
    let output = sandbox
        .run(["ask", "--dry-run", "--role", "translator", "x"])
        .output();
    assert!(
        output.code != Some(0) && output.stderr.contains("translator.md"),
        "{output:#?}"
    );
}

#[test]
fn role_can_be_changed_in_the_chat() {
    let mut sandbox = Sandbox::with_vault();
    let server = Server::replies([Reply::says("one"), Reply::says("two"), Reply::says("three")]);
    sandbox.ask_at(&server.base_url(), "[aliases]\nsmall = \"own/maker/small\"");
    let roles = sandbox.settings().with_file_name("roles");
    sandbox.write(
        roles.join("brief.md"),
        "+++\nmodel = \"maker/brief\"\ntemperature = 0.3\n+++\nBe brief.\n",
    );
    sandbox.write(
        roles.join("kind.md"),
        "Be {{how}} kind.\n".replace("{{how}} ", ""),
    );
    let output = sandbox
        .run(["chat"])
        .stdin(
            "/role\n/role brief\nq1\n/new\nq2\n/role off\n/new\n/model small\nq3\n/role nobody\n",
        )
        .output();
    assert!(
        output.stdout.starts_with("  brief\n  kind\n"),
        "{output:#?}"
    );
    assert!(
        output.stderr.contains("there is no role `nobody`"),
        "{output:#?}"
    );
    let seen: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| {
            let body = request.json();
            json!([
                body["model"],
                body["temperature"],
                body["messages"][0]["content"]
            ])
        })
        .collect();
    assert_eq!(
        seen,
        [
            json!(["maker/brief", 0.3, "Be brief."]),
            json!(["maker/brief", 0.3, "Be brief."]),
            json!(["maker/small", null, "q3"]),
        ]
    );
}

#[test]
fn plain_http_in_the_local_network_is_warned_about() {
    let sandbox = Sandbox::with_vault();
    let lan = "provider = \"lan\"\n[providers.lan]\nbase_url = \"http://no-such-host.local:9/v1\"\nkey = \"none\"\nmodel = \"m\"\n";
    sandbox.configure(lan);
    sandbox
        .run(["ask", "-n", "x"])
        .stderr(
            "chatbot: error: `lan` uses plain http at `no-such-host.local`, [..]\n\
             chatbot: hint: use https; for a host in your own network you can set `allow_http = true` in its `[providers.…]`\n",
        )
        .code(2)
        .check();
    sandbox
        .run(["config", "set", "providers.lan.allow_http", "true"])
        .check();
    let mut screen = sandbox.screen(["ask", "-n", "x"]);
    screen
        .wait_for("warning:")
        .wait_for("`lan` is used without encryption (`allow_http`)");
    screen.kill();
    sandbox
        .run(["config", "set", "providers.lan.base_url", "http://example.org/v1"])
        .stderr(
            "chatbot: error: `providers.lan.base_url`: `lan` uses plain http at `example.org`, which is not a host of the local network: use https\n\
             chatbot: hint: nothing was changed; `chatbot config show` prints the settings\n",
        )
        .code(2)
        .check();
}
