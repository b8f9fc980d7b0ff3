//! The input line of the chat: attachments, completion, lists to pick from, the clipboard.

use super::harness::provider::{Gate, Reply, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use crate::harness::run::BINARY;
use base64::Engine as _;
use serde_json::{Value, json};

const CTRL_R: &str = "\x12";
const MODELS: [&str; 3] = ["maker/model-1", "maker/model-2", "other/large-1"];

/// A server that repeats the last message, and lists [`MODELS`].
fn echo() -> Server {
    Server::always(|request| {
        if request.method == "GET" {
            let list = MODELS.map(|id| json!({ "id": id }));
            return Reply::json(200, &json!({ "data": list }).to_string());
        }
        let body = request.json();
        let messages = body["messages"].as_array().unwrap();
        Reply::says(messages.last().unwrap()["content"].as_str().unwrap())
    })
}

fn sandbox_at(server: &Server, settings: &str) -> Sandbox {
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), settings);
    sandbox
}

fn chat(sandbox: &Sandbox) -> Screen {
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("\n> ");
    screen
}

fn last_body(server: &Server) -> Value {
    server.requests().last().unwrap().json()
}

fn last_message(server: &Server) -> String {
    let body = last_body(server);
    let messages = body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn leave(mut screen: Screen) {
    screen.send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn file_command_attaches_lists_and_removes() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    sandbox.write("home/x y.txt", "at home\n");
    sandbox.write("cwd/a.md", "# t\n```rust\nfn main(){}\n```\n");
    sandbox.write("cwd/b.txt", "b".repeat(2048));
    sandbox.write("cwd/c.txt", b"\x00\xff");
    let mut screen = chat(&sandbox);
    screen
        .line("/file")
        .wait_for("nothing is attached; type `/file PATH`")
        .wait_for("\n> ");
    screen
        .line("/file ~/x y.txt")
        .wait_for("/home/x y.txt (8 bytes)")
        .wait_for("\n> ");
    screen
        .line("/file *.txt")
        .wait_for("attached b.txt (2.0 KB)\nskipped c.txt: not text")
        .wait_for("\n> ");
    screen
        .line("/file a.md b.txt")
        .wait_for("attached a.md (28 bytes)\nattached b.txt (2.0 KB)")
        .wait_for("\n> ");
    screen
        .line("/file")
        .wait_for("/home/x y.txt\n      2.0 KB  b.txt\n    28 bytes  a.md")
        .wait_for("\n> ");
    screen
        .line("/file -b.txt")
        .wait_for("no longer attached: b.txt")
        .wait_for("\n> ");
    screen
        .line("/file -b.txt")
        .wait_for("`b.txt` is not attached")
        .wait_for("\n> ");
    screen.line("read").wait_for("tok").wait_for("\n> ");
    assert_eq!(
        last_message(&server),
        "read\n\nFile `x y.txt`:\n```\nat home\n```\n\n\
         File `a.md`:\n````md\n# t\n```rust\nfn main(){}\n```\n````"
    );
    screen
        .line("/file a.md")
        .wait_for("attached")
        .wait_for("\n> ")
        .line("/file clear")
        .wait_for("nothing is attached any more")
        .wait_for("\n> ")
        .line("no file")
        .wait_for("tok")
        .wait_for("\n> ");
    assert_eq!(last_message(&server), "no file");
    screen
        .line("/export ~/out.md")
        .wait_for("wrote ")
        .wait_for("\n> ");
    assert!(sandbox.root().join("home/out.md").is_file());
    leave(screen);
}

#[test]
fn attached_folder_leaves_out_ignored_files() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.cwd().join(".git")).unwrap();
    for (path, text) in [
        (".gitignore", "*.log\n/src/out/\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("src/debug.log", "no"),
        ("src/out/a.rs", "no"),
        ("src/.env", "no"),
        ("src/sub/.gitignore", "!kept.log\n"),
        ("src/sub/kept.log", "yes"),
        ("src/sub/picture.png", "\0PNG"),
    ] {
        sandbox.write(format!("cwd/{path}"), text);
    }
    let sent = |args: &[&str]| {
        let args = ["ask", "--demo", "--dry-run", "--no-stdin"]
            .iter()
            .chain(args);
        let body = sandbox.run(args).succeeds().stdout;
        let body: Value = serde_json::from_str(&body).unwrap();
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    let files = "File `src/main.rs`:\n```rs\nfn main() {}\n```\n\n\
         File `src/sub/kept.log`:\n```\nyes\n```";
    assert_eq!(sent(&["-f", "src", "what?"]), format!("what?\n\n{files}"));
    // The same file is sent once.
    assert_eq!(
        sent(&["-f", "src/main.rs", "-f", "src/*.rs", "what?"]),
        "what?\n\nFile `main.rs`:\n```rs\nfn main() {}\n```"
    );
    for n in 0..201 {
        sandbox.write(format!("cwd/many/{n}.txt"), "x");
    }
    sandbox
        .run(["ask", "--demo", "-f", "many", "x"])
        .code(2)
        .stderr(
            "chatbot: error: more than 200 files in `many`\n\
             chatbot: hint: attach a smaller folder, or a pattern such as `src/*.rs`\n",
        )
        .check();
}

#[test]
fn tab_completes_arguments_of_commands() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    sandbox.run(["models"]).succeeds();
    sandbox
        .run(["ask", "--no-stdin", "about the heron"])
        .succeeds();
    sandbox.write("cwd/my notes.md", "n");
    let mut screen = chat(&sandbox);
    screen
        .send("/file my")
        .send(key::TAB)
        .wait_for("/file my notes.md");
    screen.send(key::CTRL_C).wait_for("\n> ");
    screen
        .send("/model other")
        .send(key::TAB)
        .wait_for("/model other/large-1");
    screen.send(key::CTRL_C).wait_for("\n> ");
    screen
        .send("/provider ow")
        .send(key::TAB)
        .wait_for("/provider own");
    screen.send(key::CTRL_C).wait_for("\n> ");
    let list = sandbox.run(["history", "list", "--json"]).succeeds().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list["conversations"][0]["id"].as_str().unwrap();
    screen
        .send("/resume heron")
        .send(key::TAB)
        .wait_for(&format!("/resume {id}"));
    screen
        .send(key::ENTER)
        .wait_for("resumed")
        .wait_for("\n> about the heron")
        .wait_for("\n> ");
    leave(screen);
}

#[test]
fn model_is_picked_from_a_list() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    sandbox.run(["models"]).succeeds();
    let mut screen = chat(&sandbox);
    screen
        .line("/model")
        .wait_for("maker/model-1\n  1  maker/model-1\n  2  maker/model-2\n  3  other/large-1")
        .wait_for("number or part of the name> ")
        .line("model")
        .wait_for("  1  maker/model-1\n  2  maker/model-2\nnumber or part of the name> ")
        .line("2")
        .wait_for("model: maker/model-2")
        .wait_for("\n> ");
    screen
        .line("/model large")
        .wait_for("model: other/large-1")
        .wait_for("\n> ");
    screen
        .line("/model")
        .wait_for("number or part of the name> ")
        .send(key::CTRL_C)
        .wait_for("\n> ")
        .line("hello")
        .wait_for("tok")
        .wait_for("\n> ");
    assert_eq!(last_body(&server)["model"], "other/large-1");
    screen
        .line("/model not/listed")
        .wait_for("warning: `not/listed` is not in the list of own's models")
        .wait_for("model: not/listed")
        .wait_for("\n> ");
    leave(screen);
}

#[test]
fn conversation_is_picked_from_a_list() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    for question in ["about the heron", "about the reed", "a boat"] {
        sandbox.run(["ask", "--no-stdin", question]).succeeds();
    }
    let mut screen = chat(&sandbox);
    screen
        .line("/resume about")
        .wait_for("about the reed · just now")
        .wait_for("about the heron · just now")
        .wait_for("number or part of the name> ")
        .line("2")
        .wait_for("resumed")
        .wait_for("\n> about the heron")
        .wait_for("\n> ")
        .line("more")
        .wait_for("tok")
        .wait_for("\n> ");
    assert_eq!(
        last_body(&server)["messages"][0]["content"],
        "about the heron"
    );
    screen
        .line("/resume")
        .wait_for("  3  ")
        .wait_for("number or part of the name> ")
        .line("boat")
        .wait_for("resumed")
        .wait_for("\n> a boat")
        .wait_for("\n> ");
    screen
        .line("/resume swan")
        .wait_for("there is no conversation `swan`")
        .wait_for("\n> ");
    leave(screen);
}

#[test]
fn copy_takes_an_answer_or_a_code_block() {
    let answers = ["first", "see\n```sh\nls -l\n```\nor\n```\ncat\n```\n"];
    let server = Server::replies(answers.map(Reply::says));
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    for _ in answers {
        screen.line("go on").wait_for("tok").wait_for("\n> ");
    }
    for (line, notice, copied) in [
        ("/copy 2", "copied (5 bytes)", "first"),
        ("/copy code", "copied code block 1 of 2 (5 bytes)", "ls -l"),
        ("/copy code 2", "copied code block 2 of 2 (3 bytes)", "cat"),
    ] {
        screen.line(line).wait_for(notice).wait_for("\n> ");
        let copied = base64::engine::general_purpose::STANDARD.encode(copied);
        let shown = String::from_utf8_lossy(&screen.transcript()).into_owned();
        assert!(shown.contains(&format!("\x1b]52;c;{copied}\x07")), "{line}");
    }
    for (line, error) in [
        ("/copy 3", "there are fewer than 3 answers"),
        (
            "/copy code 3",
            "there are only 2 code blocks in the last answer",
        ),
        ("/copy all", "invalid arguments for `/copy`"),
    ] {
        screen.line(line).wait_for(error).wait_for("\n> ");
    }
    leave(screen);
}

#[test]
fn recalled_line_with_old_placeholders_is_noticed() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    screen
        .line("write to bob.miller@initech.com please")
        .wait_for("tok")
        .wait_for("\n> ");
    screen
        .send(CTRL_R)
        .send("write")
        .wait_for("[EMAIL_1] please")
        .send(key::ENTER)
        .wait_for("tok")
        .wait_for("\n> ");
    assert!(
        !screen.text().contains("of an earlier conversation"),
        "{}",
        screen.text()
    );
    leave(screen);
    let mut screen = chat(&sandbox);
    screen
        .send(CTRL_R)
        .send("write")
        .wait_for("[EMAIL_1] please")
        .send(key::ENTER)
        .wait_for("this line has placeholders of an earlier conversation, which are sent as they are: [EMAIL_1]")
        .wait_for("tok")
        .wait_for("\n> ");
    leave(screen);
}

#[test]
fn vi_keys_edit_the_line_if_set() {
    let server = echo();
    let sandbox = sandbox_at(&server, "[ui]\nedit_mode = \"vi\"");
    let mut screen = chat(&sandbox);
    screen
        .send("abcX")
        .wait_for("abcX")
        .send("\x1bX")
        .send(key::ENTER)
        .wait_for("tok")
        .wait_for("\n> ");
    assert_eq!(last_message(&server), "abc");
    leave(screen);
}

#[test]
fn options_of_the_chat_are_shown_and_set() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    screen
        .line("/system")
        .wait_for("no system prompt")
        .wait_for("\n> ")
        .line("/system answer to bob.miller@initech.com")
        .wait_for("system prompt set")
        .wait_for("\n> ")
        .line("/system")
        .wait_for("\nanswer to bob.miller@initech.com")
        .wait_for("\n> ");
    screen
        .line("/set temperature 3")
        .wait_for("`temperature` must be a number from 0 to 2")
        .wait_for("\n> ")
        .line("/set temperature 0.5")
        .wait_for("temperature  0.5\nmax-tokens   default")
        .wait_for("\n> ")
        .line("/set max-tokens 99")
        .wait_for("max-tokens   99")
        .wait_for("\n> ")
        .line("hello")
        .wait_for("tok")
        .wait_for("\n> ");
    let body = last_body(&server);
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.5), &json!(99))
    );
    screen
        .line("/info")
        .wait_for("provider      own\nmodel         maker/model-1\nsystem        answer to bob.miller@initech.com\nconversation  ")
        .wait_for(" · hello\nmessages      3\nredacted      1 value\ncost          $0.00015 in this run\nattached      nothing\ntemperature   0.5\nmax-tokens    99")
        .wait_for("\n> ");
    screen
        .line("/set temperature off")
        .wait_for("temperature  default")
        .wait_for("\n> ");
    screen
        .line("/provider")
        .wait_for("openrouter\nown (current)\nxai")
        .wait_for("\n> ");
    leave(screen);
}

#[test]
fn leaving_is_explained_after_ctrl_c_in_empty_lines_only() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    for _ in 0..3 {
        screen
            .send("text")
            .wait_for("text")
            .send(key::CTRL_C)
            .wait_for("\n> ");
    }
    assert!(!screen.text().contains("to leave"), "{}", screen.text());
    screen
        .send(key::CTRL_C)
        .wait_for("\n> ")
        .send(key::CTRL_C)
        .wait_for("press Ctrl-D or type /exit to leave")
        .wait_for("\n> ");
    leave(screen);
}

/// An answer that ends when the test opens the gate.
fn held_answer(text: &str, gate: &Gate) -> Reply {
    Reply::stream()
        .text("answer to ")
        .wait(gate)
        .text(text)
        .finish("stop")
        .done()
}

#[test]
fn line_typed_during_an_answer_is_sent_after_it() {
    let gate = Gate::default();
    let server = Server::replies([held_answer("one", &gate), Reply::says("to two")]);
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    screen.line("one").wait_for("answer");
    screen.line("two").wait_for("two");
    gate.open();
    screen
        .wait_for("\n> two\n")
        .wait_for("to two")
        .wait_for("\n> ");
    assert_eq!(last_message(&server), "two");
    leave(screen);
}

#[test]
fn lines_typed_during_an_answer_wait_in_the_prompt() {
    let gates = [Gate::default(), Gate::default()];
    let server = Server::replies([
        held_answer("one", &gates[0]),
        held_answer("two", &gates[1]),
        Reply::says("to four"),
    ]);
    let sandbox = sandbox_at(&server, "");
    let mut screen = chat(&sandbox);
    screen.line("one").wait_for("answer");
    // Several lines, as from a paste, are not messages of their own.
    screen.line("two a").line("two b").wait_for("two b");
    gates[0].open();
    screen
        .wait_for("> ")
        .wait_for("two b")
        .send(key::ENTER)
        .wait_for("answer");
    assert_eq!(last_message(&server), "two a\ntwo b");
    // Enter alone says nothing, and a key of the line editor cannot be pressed again.
    screen
        .line("")
        .line(&format!("four{}", key::UP))
        .wait_for("four");
    gates[1].open();
    screen
        .wait_for("> ")
        .wait_for("four[A")
        .send("\x7f\x7f")
        .send(key::ENTER);
    screen.wait_for("to four").wait_for("\n> ");
    assert_eq!(last_message(&server), "four");
    leave(screen);
}

#[test]
fn line_typed_before_the_first_prompt_is_not_sent() {
    let server = echo();
    let sandbox = sandbox_at(&server, "");
    let script = "echo ready; until [ -e begin ]; do sleep 0.02; done; exec \"$0\" chat";
    let mut screen = Screen::open_program(&sandbox, "sh", ["-c", script, BINARY], 80, 24);
    // It could be a passphrase that is not asked for this time.
    screen.wait_for("ready").line("correct horse");
    sandbox.write("cwd/begin", "");
    screen.wait_for("> correct horse").send(" battery");
    screen.send(key::ENTER).wait_for("correct horse battery\n");
    screen.wait_for("\n> ");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(last_message(&server), "correct horse battery");
    leave(screen);
}
