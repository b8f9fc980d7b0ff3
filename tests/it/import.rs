//! `chatbot key import`: keys from the environment and from files of other programs, scrubbed only
//! on request.

use super::harness::Sandbox;
use std::fs;
use std::path::PathBuf;

fn router(letter: char) -> String {
    format!("sk-or-v1-{}", letter.to_string().repeat(64))
}

fn openai() -> String {
    format!("sk-proj-{}", "Zq7".repeat(20))
}

fn dotenv(sandbox: &Sandbox) -> PathBuf {
    let text = format!(
        "# secrets of mine\nOPENROUTER_API_KEY=\"{}\"\nPORT=8080\nexport OPENAI_API_KEY={}\n",
        router('a'),
        openai()
    );
    sandbox.write("cwd/.env", text)
}

#[test]
fn key_import_lists_and_asks() {
    let sandbox = Sandbox::with_vault();
    let file = dotenv(&sandbox);
    let before = fs::read(&file).unwrap();
    sandbox
        .run(["key", "import", ".env", "--no-validate"])
        .code(2)
        .stdout(" 1. openrouter from .env line 2: new\n 2. openai from .env line 4: new\n")
        .stderr(
            "chatbot: error: cannot ask which keys to import: there is no terminal\n\
         chatbot: hint: import all new keys with `--yes`\n",
        )
        .check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes"])
        .stdout(
            " 1. openrouter from .env line 2: new\n 2. openai from .env line 4: new\n\
         imported openrouter into the vault: not validated\nimported openai into the vault: not validated\n\
         .env still contains them; `--scrub` removes them\n",
        )
        .check();
    assert_eq!(fs::read(&file).unwrap(), before);
    sandbox.run(["key", "get"]).succeeds();
    sandbox.run(["key", "get", "-p", "openai"]).succeeds();
    let events = sandbox
        .run(["audit", "--json", "--event", "key.imported"])
        .succeeds()
        .stdout;
    assert_eq!(events.lines().count(), 2, "{events}");
}

#[test]
fn key_import_scrub_and_restore() {
    let sandbox = Sandbox::with_vault();
    let file = dotenv(&sandbox);
    let before = fs::read_to_string(&file).unwrap();
    let stdout = sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes", "--scrub"])
        .succeeds()
        .stdout;
    let shown = "in .env:\n     2: OPENROUTER_API_KEY=\"\"\n     4: export OPENAI_API_KEY=\nremoved; `chatbot key import --restore ";
    assert!(stdout.contains(shown), "{stdout}");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "# secrets of mine\nOPENROUTER_API_KEY=\"\"\nPORT=8080\nexport OPENAI_API_KEY=\n"
    );
    // The copy is encrypted: no key is stored in plain text.
    for key in [router('a'), openai()] {
        assert!(sandbox.files_with(key.as_bytes()).is_empty());
    }
    let copy = fs::read_dir(sandbox.data().join("backups"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    sandbox
        .run(["key", "import", "--restore"])
        .arg(&copy)
        .fails(2);
    sandbox
        .run(["key", "import", "--yes", "--restore"])
        .arg(&copy)
        .succeeds();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    sandbox
        .run(["key", "import", "--restore", ".env", "--yes"])
        .fails(8);
    sandbox.is_private();
}

#[test]
fn key_import_keeps_existing_key() {
    let sandbox = Sandbox::with_vault();
    dotenv(&sandbox);
    sandbox.store_key("openrouter", &router('b'));
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes"])
        .stdout(
            " 1. openrouter from .env line 2: another key is saved\n 2. openai from .env line 4: new\n\
         imported openai into the vault: not validated\n.env still contains them; `--scrub` removes them\n",
        )
        .check();
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes", "--force"])
        .succeeds();
    sandbox
        .run(["key", "import", ".env", "--no-validate"])
        .stdout(
            " 1. openrouter from .env line 2: already saved\n 2. openai from .env line 4: already saved\n\
         .env still contains them; `--scrub` removes them\n",
        )
        .check();
}

#[test]
fn key_import_two_keys_one_slot() {
    let sandbox = Sandbox::with_vault();
    // `--scrub` also removes the key of a provider that the settings define.
    sandbox.configure("[providers.openrouter]\nbase_url = \"https://openrouter.ai/api/v1\"\nkey = \"stored\"\nmodel = \"m\"\n");
    let file = sandbox.write(
        "cwd/.env",
        format!(
            "OPENROUTER_API_KEY={}\nOLD_OPENROUTER_KEY={}\n",
            router('a'),
            router('b')
        ),
    );
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes", "--scrub"])
        .stdout(
            " 1. openrouter from .env line 1: new\n 2. openrouter from .env line 2: new\n\
             imported openrouter into the vault: not validated\n\
             skipped number 2: another key for openrouter was just imported\n\
             in .env:\n     1: OPENROUTER_API_KEY=\n\
             removed; `chatbot key import --restore [..]` restores the file\n",
        )
        .check();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("OPENROUTER_API_KEY=\nOLD_OPENROUTER_KEY={}\n", router('b'))
    );
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes", "--force"])
        .stdout(
            " 1. openrouter from .env line 2: another key is saved\n\
             imported openrouter into the vault: not validated\n.env still contains them; `--scrub` removes them\n",
        )
        .check();
}

#[test]
fn key_import_known_locations() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["key", "import"])
        .stdout("found no keys\n")
        .check();
    let mut with_variable = Sandbox::with_vault();
    with_variable.set("OPENROUTER_API_KEY", router('e'));
    let mut screen = with_variable.screen(["key", "import"]);
    assert_eq!(screen.end(), 0);
    assert_eq!(
        screen.text(),
        "found no keys\nthere is a key in `OPENROUTER_API_KEY`; `--from-env` imports it\n"
    );
    sandbox.write(
        "home/.config/io.datasette.llm/keys.json",
        format!("{{\n  \"openrouter\": \"{}\"\n}}\n", router('a')),
    );
    sandbox.write(
        "home/.codex/auth.json",
        format!("{{\"OPENAI_API_KEY\":\"{}\"}}", openai()),
    );
    sandbox
        .run(["key", "import", "--no-validate", "--yes", "--profile", "work"])
        .stdout(
            " 1. openrouter in profile work from [ROOT]/home/.config/io.datasette.llm/keys.json line 2: new\n\
         \u{20}2. openai in profile work from [ROOT]/home/.codex/auth.json line 1: new\n\
         imported openrouter in profile work into the vault: not validated\nimported openai in profile work into the vault: not validated\n\
         [ROOT]/home/.config/io.datasette.llm/keys.json still contains them; `--scrub` removes them\n\
         [ROOT]/home/.codex/auth.json still contains them; `--scrub` removes them\n",
        )
        .check();
    sandbox
        .run(["key", "import", "--from-env", "--no-validate", "--yes"])
        .env("OPENROUTER_API_KEY", router('c'))
        .stdout(" 1. openrouter from the environment: OPENROUTER_API_KEY: new\nimported openrouter into the vault: not validated\n")
        .check();
    sandbox
        .run(["key", "import", "--from-env"])
        .stdout("found no keys\n")
        .check();
    sandbox.run(["key", "import", "nowhere.env"]).fails(8);
}

#[test]
fn key_import_choice_by_number() {
    let sandbox = Sandbox::with_vault();
    let file = dotenv(&sandbox);
    let mut screen = sandbox.screen(["key", "import", ".env", "--no-validate"]);
    screen
        .wait_for("Import which keys?")
        .line("2")
        .wait_for("imported openai into the vault");
    screen
        .wait_for("4: export OPENAI_API_KEY=")
        .wait_for("Remove them like this?")
        .line("y")
        .wait_for("removed;");
    assert_eq!(screen.end(), 0);
    assert!(!String::from_utf8_lossy(&screen.transcript()).contains("sk-"));
    let text = fs::read_to_string(file).unwrap();
    assert!(
        text.contains(&router('a')) && !text.contains(&openai()),
        "{text}"
    );
    sandbox.run(["key", "get"]).fails(3);
}

#[test]
fn key_import_offers_the_model_of_the_file() {
    let sandbox = Sandbox::with_vault();
    let text = format!(
        "OPENROUTER_API_KEY={}\nexport OPENROUTER_MODEL=\"maker/model-1\"\n",
        router('a')
    );
    sandbox.write("cwd/.env", text);
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes"])
        .stdout(
            " 1. openrouter from .env line 1: new\nimported openrouter into the vault: not validated\n\
             .env still contains them; `--scrub` removes them\n",
        )
        .check();
    let model = || {
        let shown = sandbox.run(["config", "get", "model"]).succeeds().stdout;
        shown.trim().to_owned()
    };
    assert_eq!(model(), "maker/model-1");
    // A model that was chosen is replaced only if the user agrees.
    sandbox
        .run(["config", "set", "model", "maker/other"])
        .succeeds();
    let hint = "`chatbot config set model maker/model-1` uses the model of `OPENROUTER_MODEL`\n";
    let again = sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes"])
        .succeeds();
    assert!(again.stdout.ends_with(hint), "{}", again.stdout);
    assert_eq!(model(), "maker/other");
    let mut screen = sandbox.screen(["key", "import", ".env", "--no-validate"]);
    screen
        .wait_for("Remove them like this?")
        .line("n")
        .wait_for("Use the model of `OPENROUTER_MODEL`, `maker/model-1` instead of `maker/other`?")
        .line("y");
    assert_eq!(screen.end(), 0);
    assert_eq!(model(), "maker/model-1");
    // The model of another provider is not one of this.
    sandbox.configure("provider = \"openai\"\n");
    let other = sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes"])
        .succeeds();
    assert!(
        !other.stdout.contains("OPENROUTER_MODEL"),
        "{}",
        other.stdout
    );
}
