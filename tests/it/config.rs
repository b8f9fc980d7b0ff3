//! `chatbot config`, and how the program reacts to invalid settings.

use crate::harness::Sandbox;
use crate::harness::provider::{Reply, Server};
use crate::harness::sandbox::own_key;
use serde_json::Value;

#[test]
fn config_init_writes_valid_template() {
    let sandbox = Sandbox::under_one_root();
    let path = "[ROOT]/one-root/config/config.toml\n";
    sandbox.run(["config", "path"]).stdout(path).check();
    sandbox.run(["config", "init"]).stdout(path).check();
    sandbox
        .run(["config", "check"])
        .stdout("[ROOT]/one-root/config/config.toml: no mistakes\n")
        .check();
    sandbox
        .run(["config", "init"])
        .stderr("chatbot: error: `[ROOT]/one-root/config/config.toml` already exists\nchatbot: hint: [..]\n")
        .code(2)
        .check();
    sandbox.is_private();
}

#[test]
fn config_show_round_trips() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = 7\n[privacy]\nallow = [\"initech\"]\n");
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    assert!(
        shown.contains("requests_per_minute = 7") && shown.contains("initech"),
        "{shown}"
    );
    sandbox.configure(&shown);
    sandbox.run(["config", "show"]).stdout(shown).check();
}

#[test]
fn config_profile_uses_the_keys_of_another() {
    let server = Server::always(|_| Reply::says("yes"));
    let sandbox = Sandbox::with_vault();
    let settings = format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n\
         [profile.work.limits]\nmax_messages = 9\n",
        server.base_url()
    );
    sandbox.configure(&settings);
    sandbox.store_key("own", &own_key());
    sandbox
        .run(["ask", "--profile=work", "hello"])
        .stderr("chatbot: error: no key for `own` in profile `work`\nchatbot: hint: save one with `chatbot key set --provider own --profile work`, or try `chatbot chat --demo`\n")
        .code(3)
        .check();
    sandbox.configure(&format!(
        "{settings}[profile.work]\nkey_profile = \"default\"\n"
    ));
    sandbox
        .run(["ask", "--profile=work", "hello"])
        .stdout("yes\n")
        .check();
    let authorization = server.request().header("authorization").map(str::to_owned);
    assert_eq!(authorization, Some(format!("Bearer {}", own_key())));
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    assert!(
        shown.contains("\n[profile.work]\nkey_profile = \"default\"\n"),
        "{shown}"
    );
    // Commands about keys mean the profile that they name.
    sandbox.run(["key", "get", "--profile=work"]).fails(3);
}

#[test]
fn certificate_file_that_is_missing_is_incorrect_usage() {
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at("http://127.0.0.1:9", "");
    sandbox
        .run(["ask", "--no-log", "hello"])
        .env("SSL_CERT_FILE", "/nonexistent")
        .stderr("chatbot: error: `SSL_CERT_FILE` cannot be used: cannot read `/nonexistent`: [..]\nchatbot: hint: change `SSL_CERT_FILE`, or unset it\n")
        .code(2)
        .check();
}

#[test]
fn config_json_for_scripts() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nmax_messages = 9\n");
    let shown = sandbox.run(["config", "show", "--json"]).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["schema_version"], 1);
    assert_eq!(shown["settings"]["limits"]["max_messages"], 9);
    assert_eq!(shown["settings"]["privacy"]["redact"], true);
    sandbox
        .run(["config", "check", "--json"])
        .stdout("{\"schema_version\":1,\"file\":\"[ROOT]/one-root/config/config.toml\",\"problems\":[]}\n")
        .check();
    sandbox.configure("[limits]\nmax_messages = \"many\"\n");
    sandbox
        .run(["config", "check", "--json"])
        .env("OPENROUTER_API_KEY", "garbage")
        .stdout("{\"schema_version\":1,\"file\":\"[..]\",\"problems\":[\"[..] line 2: `limits.max_messages`: must be a whole number[..]\",\"`OPENROUTER_API_KEY` is not a key of OpenRouter: [..]\"]}\n")
        .code(9)
        .check();
}

#[test]
fn config_profile_replaces_settings() {
    let sandbox = Sandbox::with_vault();
    sandbox.configure(
        "[limits]\nmax_messages = 9\n[profile.work]\nmodel = \"m\"\n\
         [profile.work.limits]\nmax_message_chars = 5\n[profile.play.privacy]\nredact = false\n",
    );
    let ask = || sandbox.run(["ask", "--provider=demo", "hello there"]);
    ask().succeeds();
    let refused = "chatbot: error: the message has 11 characters; at most 5 are allowed\nchatbot: hint: [..]\n";
    ask()
        .env("CHATBOT_PROFILE", "work")
        .stderr(refused)
        .code(4)
        .check();
    sandbox
        .run(["ask", "--provider=demo", "--profile=work", "hello there"])
        .stderr(refused)
        .code(4)
        .check();
    // The option comes before the variable, and a profile may have only a key.
    sandbox
        .run(["ask", "--provider=demo", "--profile=other", "hello there"])
        .env("CHATBOT_PROFILE", "work")
        .succeeds();
    let work = sandbox.run(["config", "show", "--profile=work"]);
    let work = work.succeeds().stdout;
    for line in [
        "model = \"m\"\n",
        "max_message_chars = 5\n",
        "max_messages = 9\n",
        "redact = true\n",
    ] {
        assert!(work.contains(line), "{line}: {work}");
    }
    assert!(!work.contains("[profile"), "{work}");
    let play = sandbox.run(["config", "show", "--profile=play"]);
    assert!(play.succeeds().stdout.contains("redact = false\n"));
    sandbox
        .run(["config", "show", "--profile=wrok"])
        .stderr("chatbot: error: there is no profile `wrok` in the settings\nchatbot: hint: did you mean `work`?\n")
        .code(2)
        .check();
    // All profiles together are printed as a file that has the same effect.
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    sandbox.configure(&shown);
    sandbox.run(["config", "show"]).stdout(shown).check();
    sandbox
        .run(["config", "show", "--profile=work"])
        .stdout(work)
        .check();
    let key = "profile.work.limits.max_message_chars";
    sandbox.run(["config", "set", key, "6"]).succeeds();
    sandbox.run(["config", "get", key]).stdout("6\n").check();
    sandbox.configure(
        "[profile.work]\nprovider = \"opnai\"\n[profile.work.privacy]\ndisable = [\"MAIL\"]\n",
    );
    sandbox
        .run(["config", "check"])
        .stdout("[..] line 2: `profile.work.provider`: there is no provider `opnai`; did you mean `openai`?\n\
                 [..] line 4: `profile.work.privacy.disable`: `MAIL` is not a known kind; did you mean `EMAIL`?\n")
        .code(9)
        .check();
}

#[test]
fn config_init_writes_presets() {
    for (option, limit, suspicious) in [("--strict", "10", "block"), ("--relaxed", "60", "off")] {
        let sandbox = Sandbox::under_one_root();
        sandbox.run(["config", "init", option]).succeeds();
        for (key, value) in [
            ("limits.requests_per_minute", limit),
            ("privacy.suspicious", suspicious),
            ("privacy.redact", "true"),
        ] {
            let value = format!("{value}\n");
            sandbox.run(["config", "get", key]).stdout(value).check();
        }
        sandbox.run(["config", "check"]).succeeds();
    }
    Sandbox::under_one_root()
        .run(["config", "init", "--strict", "--relaxed"])
        .fails(2);
}

#[test]
fn config_check_reports_line_and_reason() {
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[limits]\nrequests_per_minute = \"many\"\nrequest_per_hour = 3\n");
    let output = sandbox.run(["config", "check"]).fails(9);
    assert!(
        output
            .stdout
            .contains("line 2: `limits.requests_per_minute`"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("line 3: ")
            && output
                .stdout
                .contains("did you mean `limits.requests_per_hour`?"),
        "{}",
        output.stdout
    );
    assert_eq!(
        output.stdout.matches("line 2").count(),
        1,
        "{}",
        output.stdout
    );
    // An invalid setting stops every command: the user may have meant it as a protection.
    let output = sandbox.run(["ask", "--provider=demo", "x"]).fails(2);
    assert!(
        output.stderr.contains("line 2") && output.stderr.contains("hint: "),
        "{}",
        output.stderr
    );
    sandbox
        .run([
            "ask",
            "--provider=demo",
            "x",
            "--config",
            "/nowhere/config.toml",
        ])
        .fails(2);
}

#[test]
fn audit_list_holds_numbers_and_names() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run([
            "ask",
            "--provider=demo",
            "no one writes down that bob.miller@initech.com likes herons",
        ])
        .succeeds();
    let log = sandbox.run(["audit", "--json"]).succeeds().stdout;
    let records: Vec<Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(records.len() >= 3, "{log}");
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], n + 1, "{log}");
        for field in [
            "seq", "at", "event", "severity", "session", "details", "prev", "mac",
        ] {
            assert!(record.get(field).is_some(), "{field}: {record:#}");
        }
    }
    assert!(!log.contains("heron") && !log.contains("initech"), "{log}");
    let one = sandbox
        .run(["audit", "--json", "--event", "message.redacted"])
        .succeeds()
        .stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
    sandbox
        .run(["audit", "--event", "mesage.redacted"])
        .stderr("chatbot: error: unknown event `mesage.redacted`\nchatbot: hint: did you mean `message.redacted`?\n")
        .code(2)
        .check();
}

#[test]
fn config_edit_checks_result() {
    let mut sandbox = Sandbox::under_one_root();
    let editor = sandbox.write(
        "editor",
        "#!/bin/sh\nprintf '\\n[limits]\\nrequests_per_minute = 7\\n' >\"$1\"\n",
    );
    std::process::Command::new("chmod")
        .arg("755")
        .arg(&editor)
        .status()
        .unwrap();
    sandbox.set("EDITOR", &editor);
    sandbox
        .run(["config", "edit"])
        .stdout("[ROOT]/one-root/config/config.toml: no mistakes\n")
        .check();
    let shown = sandbox.run(["config", "show"]).succeeds().stdout;
    assert!(shown.contains("requests_per_minute = 7"), "{shown}");
    sandbox.write("editor", "#!/bin/sh\nprintf 'provider = 7\\n' >\"$1\"\n");
    let output = sandbox.run(["config", "edit"]).fails(9);
    assert!(
        output.stdout.contains("line 1: `provider`"),
        "{}",
        output.stdout
    );
    // On a terminal, `config edit` offers to edit again until the file is valid.
    let mut screen = sandbox.screen(["config", "edit"]);
    screen
        .wait_for("line 1: `provider`")
        .wait_for("edit it again?");
    sandbox.write(
        "editor",
        "#!/bin/sh\nprintf 'provider = \"openai\"\\n' >\"$1\"\n",
    );
    // Enter edits again.
    screen.line("").wait_for("no mistakes");
    assert_eq!(screen.end(), 0);
    sandbox.is_private();
}

#[test]
fn config_edit_keeps_or_restores_on_request() {
    let mut sandbox = Sandbox::under_one_root();
    sandbox.configure("# mine\nprovider = \"openai\"\n");
    let editor = sandbox.write("editor", "#!/bin/sh\nprintf 'provider = 7\\n' >\"$1\"\n");
    std::process::Command::new("chmod")
        .arg("755")
        .arg(&editor)
        .status()
        .unwrap();
    sandbox.set("EDITOR", &editor);
    let mut screen = sandbox.screen(["config", "edit"]);
    screen
        .wait_for("edit it again? [Y/n]")
        .line("r")
        .wait_for("the file is as it was before");
    assert_eq!(screen.end(), 0);
    let text = || std::fs::read_to_string(sandbox.settings()).unwrap();
    assert_eq!(text(), "# mine\nprovider = \"openai\"\n");
    let mut screen = sandbox.screen(["config", "edit"]);
    screen
        .wait_for("edit it again? [Y/n]")
        .line("n")
        .wait_for("the file is kept as it is; chatbot will not run until it is fixed");
    assert_eq!(screen.end(), 9);
    assert_eq!(text(), "provider = 7\n");
    sandbox
        .run(["config", "edit"])
        .env("EDITOR", "no-such-editor")
        .stderr(
            "chatbot: error: cannot start the editor `no-such-editor`: there is no such program\n\
             chatbot: hint: set `VISUAL` or `EDITOR` to an editor that is installed\n",
        )
        .code(2)
        .check();
}

#[test]
fn config_check_finds_every_mistake_once() {
    let sandbox = Sandbox::under_one_root();
    let file = "[ROOT]/one-root/config/config.toml";
    sandbox
        .run(["config", "check"])
        .stdout(format!(
            "{file}: there is no settings file, so the defaults apply\n"
        ))
        .check();
    sandbox.configure(
        "provider = \"opnai\"\n\
         [privacy]\n\
         disable = [\n  \"IP_ADDRESS\",\n  \"MAIL\",\n]\n\
         allow = [\"*\"]\n\
         patterns = [{ kind = \"TICKET\", pattern = \"(\" }]\n\
         [children]\n\
         pass_env = [\"OPENAI_API_KEY\"]\n\
         [providers.a]\n\
         base_url = \"http://example.com/v1\"\n\
         [providers.b]\n\
         base_url = \"localhost:11434\"\n\
         [providers.c]\n\
         base_url = \"https://example.com/v1\"\n\
         compatible_with = \"openruter\"\n",
    );
    sandbox
        .run(["config", "check"])
        .env("CHATBOT_KEYRING", "paper")
        .env("CHATBOT_LOG", "loud")
        .stdout(format!(
            "{file} line 1: `provider`: there is no provider `opnai`; did you mean `openai`?\n\
             {file} line 5: `privacy.disable`: `MAIL` is not a known kind; did you mean `EMAIL`?\n\
             {file} line 7: `privacy.allow`: `*` would allow everything; to turn redaction off, set `redact = false`\n\
             {file} line 8: `privacy.patterns`: `(` is not a valid regular expression: unclosed group\n\
             {file} line 10: `children.pass_env`: `OPENAI_API_KEY` holds a secret of chatbot itself\n\
             {file} line 12: `providers.a.base_url`: `a` uses plain http at `example.com`, [..]\n\
             {file} line 14: `providers.b.base_url`: must be an address such as \"http://127.0.0.1:11434/v1\"\n\
             {file} line 17: `providers.c.compatible_with`: there is no known provider `openruter`; did you mean `openrouter`?\n\
             `CHATBOT_KEYRING` is `paper`, but must be one of [..]\n\
             `CHATBOT_LOG` is `loud`, but must be [..]\n"
        ))
        .code(9)
        .check();
    sandbox.configure(
        "provider = \"own\"\n[budgt]\n[providers.own]\nbase_url = \"https://example.com/v1\"\nkey = \"env:NOPE\"\nmodel = \"m\"\n",
    );
    sandbox
        .run(["config", "check"])
        .stdout(format!(
            "{file} line 2: `budgt`: unknown setting; did you mean `budget`?\n"
        ))
        .code(9)
        .check();
    sandbox
        .run(["config", "unset", "budgt"])
        .stderr("")
        .code(0)
        .check();
    sandbox
        .run(["config", "check"])
        .stdout(format!(
            "{file} line 4: `providers.own.key`: the variable `NOPE` is not set\n"
        ))
        .code(9)
        .check();
    // Outside `config check` the place is named too.
    sandbox.configure("[privacy]\ndisable = [\"MAIL\"]\n");
    sandbox
        .run(["ask", "--demo", "--no-log", "x"])
        .stderr(format!(
            "chatbot: error: {file} line 2: `privacy.disable`: `MAIL` is not a known kind; did you mean `EMAIL`?\n\
             chatbot: hint: fix it, then run `chatbot config check`\n"
        ))
        .code(2)
        .check();
}

#[test]
fn config_check_lists_every_variable() {
    let sandbox = Sandbox::under_one_root();
    let check = || sandbox.run(["config", "check"]);
    let no_ca = sandbox.write("no-ca.pem", "nothing of the kind");
    check()
        .env("OPENROUTER_API_KEY", "garbage")
        .env("OPENAI_API_KEY", crate::harness::sandbox::key())
        .env("GROQ_API_KEY", "two words")
        .env("CHATBOT_PASSPHRASE_FILE", "/nonexistent")
        .env("HTTPS_PROXY", "http://user:canary@")
        .env("SSL_CERT_FILE", &no_ca)
        .stdout(
            "`CHATBOT_PASSPHRASE_FILE`: cannot read `/nonexistent`[..]\n\
             `HTTPS_PROXY` is not the address of a proxy, such as `http://proxy.example:3128`\n\
             `SSL_CERT_FILE` cannot be used: it has no usable certificate\n\
             `OPENROUTER_API_KEY` is not a key of OpenRouter: a key of OpenRouter begins with `sk-or-v1-`\n\
             `OPENAI_API_KEY` is not a key of OpenAI: this looks like a key of OpenRouter, not of OpenAI\n\
             `GROQ_API_KEY` does not contain a valid key: it has white space or unexpected characters\n",
        )
        .code(9)
        .check();
    for (line, why) in [
        (
            "no-such-program --now",
            "there is no program `no-such-program`",
        ),
        ("echo 'half", "the shell cannot parse this line"),
    ] {
        check()
            .env("CHATBOT_PASSPHRASE_COMMAND", line)
            .env("HTTPS_PROXY", "proxy.example:3128")
            .env("NO_PROXY", "localhost *.lan")
            .env("SSL_CERT_FILE", "/nonexistent")
            .stdout(format!(
                "`CHATBOT_PASSPHRASE_COMMAND`: {why}\n\
                 `NO_PROXY` has `localhost *.lan`, which is not the name of a host or domain: write names such as `.example.org`, separated by commas\n\
                 `SSL_CERT_FILE` cannot be used: cannot read `/nonexistent`[..]\n"
            ))
            .code(9)
            .check();
    }
    // The command is not run, and a line that only the shell understands is not judged.
    for line in ["touch was-run", "X=1 pass show x", "\"$HOME\"/pw", "cat"] {
        check()
            .env("CHATBOT_PASSPHRASE_COMMAND", line)
            .stdout("[..]: there is no settings file, so the defaults apply\n")
            .check();
    }
}

#[test]
fn config_malformed_key_in_variable_is_refused_before_sending() {
    let sandbox = Sandbox::with_vault();
    for args in [
        &["ask", "hello"][..],
        &["ask", "--no-log", "hello"],
        &["key", "validate"],
    ] {
        sandbox
            .run(args)
            .env("OPENROUTER_API_KEY", "garbage")
            .stderr(
                "chatbot: error: `OPENROUTER_API_KEY` is not a key of OpenRouter: a key of OpenRouter begins with `sk-or-v1-`\n\
                 chatbot: hint: nothing was sent; change `OPENROUTER_API_KEY` or unset it; a key that is right all the same can be saved with `chatbot key set --force`\n",
            )
            .code(3)
            .check();
    }
    // A variable that is not used is not judged.
    sandbox
        .run(["ask", "--provider=demo", "hello"])
        .env("OPENROUTER_API_KEY", "garbage")
        .succeeds();
    sandbox.store_key("openrouter", &crate::harness::sandbox::key());
    sandbox
        .run(["ask", "hello"])
        .env("OPENROUTER_API_KEY", "garbage")
        .env("HTTPS_PROXY", "socks5://127.0.0.1:9")
        .stderr(
            "chatbot: error: `HTTPS_PROXY` names a proxy that is spoken to neither by http nor by https\n\
             chatbot: hint: nothing was sent; change the variable, or unset it\n",
        )
        .code(2)
        .check();
}

#[test]
fn config_set_get_unset_keep_the_rest() {
    let sandbox = Sandbox::under_one_root();
    let before = "# mine\nmodel = \"m\" # the best\n\n[limits] # few\nmax_messages = 5 # not many\n# max_message_chars = 4000\n\n# the cellar\n[providers.cellar]\nbase_url = \"http://127.0.0.1:1/v1\" # there\n";
    sandbox.configure(before);
    let text = || std::fs::read_to_string(sandbox.settings()).unwrap();
    let get = |key: &str, value: &str| {
        let value = format!("{value}\n");
        sandbox.run(["config", "get", key]).stdout(value).check();
    };
    let set = |key: &str, value: &str| sandbox.run(["config", "set", key, value]).check();
    get("model", "m");
    get("limits.max_messages", "5");
    get("privacy.suspicious", "warn");
    get("budget", "budget.unknown_price = \"refuse\"");
    set("model", "openai/gpt-5.2");
    set("limits.max_messages", "7");
    set("limits.max_message_chars", "9000");
    set("providers.cellar.key", "none");
    set("budget.per_day", "1.50");
    set("privacy.disable", "[\"IP_ADDRESS\"]");
    let after = "# mine\nmodel = \"openai/gpt-5.2\" # the best\n\n[limits] # few\nmax_messages = 7 # not many\nmax_message_chars = 9000\n\n# the cellar\n[providers.cellar]\nbase_url = \"http://127.0.0.1:1/v1\" # there\nkey = \"none\"\n\n[budget]\nper_day = 1.50\n\n[privacy]\ndisable = [\"IP_ADDRESS\"]\n";
    assert_eq!(text(), after);
    get("budget.per_day", "1.5");
    get("providers.cellar.base_url", "http://127.0.0.1:1/v1");
    let refused = [
        (
            "limits.max_messages",
            "many",
            "`limits.max_messages`: must be a whole number that is not negative",
            "nothing was changed; [..]",
        ),
        (
            "privacy.redact",
            "maybe",
            "`privacy.redact`: must be `true` or `false`",
            "nothing was changed; [..]",
        ),
        (
            "privacy.disable",
            "[\"MAIL\"]",
            "`privacy.disable`: `MAIL` is not a known kind; did you mean `EMAIL`?",
            "nothing was changed; [..]",
        ),
        (
            "limits.max_mesages",
            "7",
            "there is no setting `limits.max_mesages`",
            "did you mean `limits.max_messages`?",
        ),
        (
            "limits",
            "7",
            "`limits` is a table: name a setting in it",
            "[..]",
        ),
        (
            "providers.attic.key",
            "none",
            "`providers.attic`: `base_url` is missing",
            "nothing was changed; [..]",
        ),
        (
            "a b",
            "7",
            "`a b` is not a setting such as `limits.max_messages`",
            "[..]",
        ),
    ];
    for (key, value, error, hint) in refused {
        sandbox
            .run(["config", "set", key, value])
            .stderr(format!("chatbot: error: {error}\nchatbot: hint: {hint}\n"))
            .code(2)
            .check();
    }
    let key = crate::harness::sandbox::key();
    let output = sandbox.run(["config", "set", "model", &key]).fails(2);
    assert!(!output.stderr.contains("0123456789"), "{}", output.stderr);
    sandbox
        .run(["config", "unset", "providers.cellar.base_url"])
        .stderr("chatbot: error: `providers.cellar`: `base_url` is missing\nchatbot: hint: nothing was changed\n")
        .code(2)
        .check();
    assert_eq!(text(), after);
    for key in ["budget.per_day", "privacy.disable", "providers.cellar"] {
        sandbox.run(["config", "unset", key]).check();
    }
    assert_eq!(
        text(),
        "# mine\nmodel = \"openai/gpt-5.2\" # the best\n\n[limits] # few\nmax_messages = 7 # not many\nmax_message_chars = 9000\n\n# the cellar\n\n[budget]\n\n[privacy]\n"
    );
    sandbox
        .run(["config", "get", "budget.per_day"])
        .stderr("chatbot: error: `budget.per_day` is not set\nchatbot: hint: set it with `chatbot config set budget.per_day VALUE`\n")
        .code(1)
        .check();
    sandbox.is_private();
    // In a file that explains every setting, the line with the default is replaced.
    let sandbox = Sandbox::under_one_root();
    sandbox.run(["config", "init"]).succeeds();
    let text = || std::fs::read_to_string(sandbox.settings()).unwrap();
    let template = text();
    sandbox.run(["config", "set", "ui.theme", "light"]).check();
    assert_eq!(
        text(),
        template.replace("# theme = \"auto\"", "theme = \"light\"")
    );
}

#[test]
fn config_misspelt_limit_stops() {
    let sandbox = Sandbox::with_vault();
    for (line, key, meant) in [
        (
            "[budget]\nper_dya = 1\n",
            "budget.per_dya",
            "budget.per_day",
        ),
        (
            "[limits]\nrequest_per_hour = 3\n",
            "limits.request_per_hour",
            "limits.requests_per_hour",
        ),
    ] {
        sandbox.configure(line);
        let stderr = sandbox
            .run(["ask", "--provider=demo", "hello"])
            .fails(2)
            .stderr;
        assert!(
            stderr.contains(&format!("`{key}`"))
                && stderr.contains(&format!("did you mean `{meant}`?")),
            "{stderr}"
        );
    }
    sandbox.configure("colour = 1\n");
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
}

#[test]
fn proxy_notice_omits_password() {
    let mut sandbox = Sandbox::with_vault();
    sandbox.set("OPENROUTER_API_KEY", crate::harness::sandbox::key());
    sandbox.set(
        "HTTPS_PROXY",
        "http://user:canary-of-the-proxy@127.0.0.1:9/",
    );
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("requests go through the proxy `127.0.0.1:9` (`HTTPS_PROXY`)");
    assert_eq!(screen.end(), 7);
    assert!(
        !screen.text().contains("canary-of-the-proxy"),
        "{}",
        screen.text()
    );
    let file = sandbox.write("extra.pem", "no certificate");
    sandbox.set("SSL_CERT_FILE", &file);
    sandbox.set("NO_PROXY", "openrouter.ai");
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("extra.pem").wait_for("trusted as well");
    assert_ne!(screen.end(), 0);
    assert!(
        !screen.text().contains("requests go through"),
        "{}",
        screen.text()
    );
    // Neither a script nor the user of a local server gets the warning.
    let output = sandbox.run(["ask", "hi"]).output();
    assert!(
        !output.stderr.contains("trusted as well"),
        "{}",
        output.stderr
    );
}
