//! Resumed conversations: which one is found, which model goes on, and what is shown.

use super::harness::provider::{Reply, Request, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;

fn echo_server() -> Server {
    Server::always(|request: &Request| {
        let body = request.json();
        let last = body["messages"].as_array().unwrap().last().unwrap();
        Reply::says(&format!("you said {}", last["content"].as_str().unwrap()))
    })
}

fn models(server: &Server) -> Vec<String> {
    server
        .requests()
        .iter()
        .map(|request| request.json()["model"].as_str().unwrap().to_owned())
        .collect()
}

fn leave(screen: &mut Screen) {
    screen.send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

fn say(screen: &mut Screen, text: &str) {
    screen
        .line(text)
        .wait_for(&format!("you said {text}"))
        .wait_for("\n> ");
}

/// The id in the line that the chat prints when it is left.
fn id_of(screen: &Screen) -> String {
    let text = screen.text();
    let from = text.rsplit("--resume ").next().unwrap();
    from.split('`').next().unwrap().to_owned()
}

#[test]
fn resume_goes_on_with_the_last_model() {
    let server = echo_server();
    let other = echo_server();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"env:OWN_KEY\"\nmodel = \"maker/model-1\"\n\
         [providers.other]\nbase_url = \"{}\"\nkey = \"none\"\nmodel = \"default-model\"\n",
        server.base_url(),
        other.base_url()
    ));
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("\n> ");
    say(&mut screen, "first things first");
    screen.line("/model maker/model-2").wait_for("\n> ");
    say(&mut screen, "and then?");
    leave(&mut screen);
    let id = id_of(&screen);

    let mut screen = sandbox.screen(["chat", "--continue"]);
    screen
        .wait_for("maker/model-2 · /help for help")
        .wait_for("resumed \"first things first\" (2 questions)")
        .wait_for("> and then?")
        .wait_for("you said and then?")
        .wait_for("\n> ");
    screen.line("/provider other").wait_for("\n> ");
    say(&mut screen, "to another");
    leave(&mut screen);
    assert_eq!(models(&server), ["maker/model-1", "maker/model-2"]);

    // The same from within another conversation, which has another model.
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("maker/model-1 ·").wait_for("\n> ");
    screen
        .line(&format!("/resume {}", &id[..6]))
        .wait_for("default-model ·")
        .wait_for("you said to another")
        .wait_for("\n> ");
    say(&mut screen, "still there?");
    leave(&mut screen);
    assert_eq!(models(&other), ["default-model", "default-model"]);
    // An option wins.
    sandbox
        .run([
            "ask",
            "-c",
            "-p",
            "own",
            "-m",
            "maker/model-3",
            "--no-stdin",
            "x",
        ])
        .succeeds();
    sandbox.run(["ask", "-c", "--no-stdin", "y"]).succeeds();
    assert_eq!(models(&server)[2..], ["maker/model-3", "maker/model-3"]);
    let dry = sandbox
        .run(["ask", "-c", "--dry-run", "--no-stdin", "z"])
        .succeeds()
        .stdout;
    assert!(dry.contains("\"model\":\"maker/model-3\""), "{dry}");
}

#[test]
fn resume_by_title_lists_several_matches() {
    let server = echo_server();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    for question in ["my first talk", "my second talk", "birds"] {
        sandbox.run(["ask", "--no-stdin", question]).succeeds();
    }
    let shown = sandbox.run(["history", "show", "BIRDS"]).succeeds().stdout;
    assert!(shown.contains("you said birds"), "{shown}");
    sandbox
        .run(["ask", "--resume", "second", "--no-stdin", "more"])
        .succeeds();
    let shown = sandbox.run(["history", "show", "second"]).succeeds().stdout;
    assert!(shown.contains("you said more"), "{shown}");
    let several = sandbox
        .run(["ask", "--resume", "talk", "--no-stdin", "more"])
        .fails(2)
        .stderr;
    assert!(
        several.contains("more than one conversation matches `talk`: ")
            && several.contains("\"my first talk\"")
            && several.contains("\"my second talk\""),
        "{several}"
    );
    sandbox
        .run(["history", "show", "nothing like it"])
        .stderr("chatbot: error: there is no conversation `nothing like it`\nchatbot: hint: list them with `chatbot history list`\n")
        .code(2)
        .check();
}

#[test]
fn continue_asks_for_the_rest_of_an_answer() {
    let server = Server::replies([
        Reply::stream().text("half of").finish("length").done(),
        Reply::says(" the answer"),
    ]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("/continue")
        .wait_for("there is no answer to continue")
        .wait_for("\n> ")
        .line("tell me")
        .wait_for("the answer is incomplete (length); `/continue` goes on with it")
        .wait_for("\n> ")
        .line("/continue")
        .wait_for("the answer")
        .wait_for("\n> ")
        .send(key::UP)
        .wait_for("tell me")
        .send(key::CTRL_C)
        .wait_for("\n> ");
    leave(&mut screen);
    let body = server.requests()[1].json();
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[1]["content"], "half of");
    assert_eq!(
        messages[2]["content"],
        "Continue exactly where your last answer stopped. Repeat nothing."
    );
}

#[test]
fn delete_names_the_title() {
    let server = echo_server();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("/delete")
        .wait_for("this conversation is not saved")
        .wait_for("\n> ");
    say(&mut screen, "about herons");
    screen
        .line("/delete")
        .wait_for("Delete the conversation \"about herons\"? [y/N] ")
        .line("n")
        .wait_for("\n> ");
    leave(&mut screen);
    let mut screen = sandbox.screen(["history", "delete", "about herons"]);
    screen
        .wait_for("Delete the conversation `")
        .wait_for("\"about herons\"? [y/N] ")
        .line("y");
    assert_eq!(screen.end(), 0);
    assert!(sandbox.conversations().is_empty());
}
