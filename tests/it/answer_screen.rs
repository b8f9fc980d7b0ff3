//! Answers as a terminal shows them: rendered as Markdown while they arrive.

use super::harness::provider::{Gate, Reply, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;

const ANSWER: &str = "# Herons\n\nA *grey* heron **waits** a very long time in `water`.\n\n- one\n  \
    - two\n\n```rust\nlet heron = 1;\n```\n";

/// The answer in 40 columns, without its styles.
const SHOWN: &str = "# Herons\n\nA grey heron waits a very long time in\nwater.\n\n• one\n  • two\n\n\
    rust\nlet heron = 1;\n";

fn sandbox_with(replies: impl IntoIterator<Item = Reply>) -> (Sandbox, Server) {
    let server = Server::replies(replies);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    (sandbox, server)
}

fn ask(sandbox: &Sandbox, args: &[&str]) -> Screen {
    let mut screen = Screen::open(sandbox, [&["ask", "-q"], args].concat(), 40, 30);
    assert_eq!(screen.end(), 0, "{}", screen.text());
    screen
}

#[test]
fn answer_is_rendered_on_a_terminal() {
    let (sandbox, _server) = sandbox_with((0..2).map(|_| Reply::says(ANSWER)));
    let screen = ask(&sandbox, &["hi"]);
    assert_eq!(screen.text(), SHOWN);
    let bytes = String::from_utf8(screen.transcript()).unwrap();
    for styled in [
        "\x1b[1;36m# Herons\x1b[0m",
        "\x1b[3mgrey\x1b[0m",
        "\x1b[1mwaits\x1b[0m",
        "\x1b[33mwater\x1b[0m",
        "\x1b[35mlet\x1b[0m",
    ] {
        assert!(bytes.contains(styled), "{styled:?}: {bytes:?}");
    }
    let mut chat = Screen::open(&sandbox, ["chat", "-q"], 40, 30);
    chat.wait_for("> ").line("hi").wait_for("let heron = 1;");
    chat.wait_for("> ").send(key::CTRL_D);
    assert_eq!(chat.end(), 0);
    let text = chat.text();
    assert!(text.contains(SHOWN), "{text}");
}

#[test]
fn answer_is_shown_as_written_where_it_is_not_rendered() {
    let (mut sandbox, _server) = sandbox_with((0..5).map(|_| Reply::says(ANSWER)));
    let piped = sandbox.run(["ask", "hi", "--no-stdin"]).succeeds().stdout;
    assert_eq!(piped, ANSWER);
    let forced = sandbox.run(["ask", "hi", "--no-stdin", "--color", "always"]);
    assert_eq!(forced.succeeds().stdout, ANSWER);
    let written = ANSWER.replace("time in `water`.", "tim\ne in `water`.");
    assert_eq!(ask(&sandbox, &["--raw", "hi"]).text(), written);

    sandbox.set("NO_COLOR", "1");
    let screen = ask(&sandbox, &["hi"]);
    let plain = "# Herons\n\nA *grey* heron **waits** a very long\ntime in `water`.\n\n• one\n  • two\n\n\
        rust\nlet heron = 1;\n";
    assert_eq!(screen.text(), plain);
    assert!(!screen.transcript().contains(&0x1b));
    sandbox.unset("NO_COLOR");

    sandbox.set("TERM", "dumb");
    let screen = ask(&sandbox, &["hi"]);
    assert_eq!(screen.text(), written);
    assert!(!screen.transcript().contains(&0x1b));
}

#[test]
fn part_of_a_word_is_shown_when_the_rest_is_late() {
    let gate = Gate::default();
    let reply = Reply::stream().text("a her").wait(&gate).text("on");
    let (sandbox, _server) = sandbox_with([reply.finish("stop").done()]);
    let mut screen = Screen::open(&sandbox, ["ask", "-q", "hi"], 40, 30);
    screen.wait_for("a her");
    gate.open();
    assert_eq!(screen.end(), 0);
    assert_eq!(screen.text(), "a heron\n");
}

#[test]
fn links_are_opened_by_terminals_that_can() {
    let answer = "See [herons](https://example.org/herons) there.";
    let (mut sandbox, _server) = sandbox_with((0..3).map(|_| Reply::says(answer)));
    let link = "\x1b]8;;https://example.org/herons\x1b\\";
    for (variable, value, links) in [
        ("TERM", "xterm-256color", false),
        ("TERM", "xterm-kitty", true),
        ("TERM", "tmux-256color", false),
    ] {
        sandbox.set(variable, value);
        sandbox.set(
            "VTE_VERSION",
            if value.starts_with("tmux") {
                "7600"
            } else {
                ""
            },
        );
        let screen = ask(&sandbox, &["hi"]);
        let bytes = String::from_utf8(screen.transcript()).unwrap();
        assert_eq!(bytes.contains(link), links, "{value}: {bytes:?}");
    }
}

#[test]
fn reasoning_is_shown_before_the_answer_and_never_in_json() {
    let reply = || {
        Reply::stream()
            .event(r#"{"choices":[{"delta":{"reasoning":"hm, \u001b[2J herons"}}]}"#)
            .text("here it is")
            .finish("stop")
            .done()
    };
    let (sandbox, _server) = sandbox_with([reply(), reply(), reply()]);
    let show = |options: &[&str]| {
        let args = [&["ask", "--reasoning", "show"], options, &["hi"]].concat();
        let mut screen = Screen::open(&sandbox, args, 100, 30);
        assert_eq!(screen.end(), 0);
        screen.text()
    };
    let text = show(&[]);
    let lines: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(lines, ["hm, ␛[2J herons", "", "here it is"], "{text}");
    for options in [&["--json"][..], &["--json-lines"]] {
        let text = show(options);
        assert!(text.starts_with('{'), "{text}");
    }
}

#[test]
fn wait_for_an_answer_is_shown_and_erased() {
    let (begins, ends) = (Gate::default(), Gate::default());
    let reasoning = r#"{"choices":[{"delta":{"reasoning":"hm"}}]}"#;
    let reply = Reply::stream().bytes(": waiting\n\n").wait(&begins);
    let reply = reply.event(reasoning).wait(&ends).text("here it is");
    let (sandbox, _server) = sandbox_with([reply.finish("stop").done()]);
    let mut screen = Screen::open(&sandbox, ["ask", "hi"], 100, 30);
    screen
        .wait_for("waiting for maker/model-1… 0 s (Ctrl-C stops)")
        .wait_for("waiting for maker/model-1… 1 s (Ctrl-C stops)");
    begins.open();
    screen.wait_for("thinking… ").wait_for(" s (Ctrl-C stops)");
    ends.open();
    assert_eq!(screen.end(), 0);
    let text = screen.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "here it is", "{text}");
    assert_eq!(lines.len(), 2, "an answer and its statistics: {text}");
    let bytes = String::from_utf8(screen.transcript()).unwrap();
    assert!(bytes.contains("stops)\x1b[0m\r\x1b[K") || bytes.contains("stops)\r\x1b[K"));
    assert!(!bytes.contains("\x1b[A"), "{bytes:?}");
}

#[test]
fn wait_is_cut_to_the_terminal_and_ends_with_an_interrupt() {
    let (sandbox, _server) = sandbox_with([Reply::stream().bytes(": waiting\n\n").stall()]);
    let mut screen = Screen::open(&sandbox, ["ask", "hi"], 36, 10);
    screen.wait_for("waiting for maker/model-1… 0 s (");
    screen.send(key::CTRL_C);
    assert_eq!(screen.end(), 130);
    let text = screen.text();
    assert!(!text.contains("waiting for"), "{text}");
}

#[test]
fn history_renders_answers_and_shows_questions_as_they_are() {
    let (sandbox, _server) = sandbox_with([Reply::says(&format!("{ANSWER}\n<b>bold</b>\n"))]);
    sandbox
        .run(["ask", "--no-stdin", "how *long* do `they` wait?"])
        .succeeds();
    let mut screen = Screen::open(&sandbox, ["history", "show"], 42, 40);
    assert_eq!(screen.end(), 0);
    let text = screen.text();
    let (_, question) = text.split_once('\n').expect("a heading");
    let (question, answer) = question.split_once("\n── ").expect("a heading");
    assert_eq!(question.trim_end(), "  how *long* do `they` wait?");
    let (_, answer) = answer.split_once('\n').expect("a heading");
    let indented: String = format!("{SHOWN}\n<b>bold</b>")
        .lines()
        .map(|line| format!("{}{line}\n", if line.is_empty() { "" } else { "  " }))
        .collect();
    assert_eq!(answer, indented);
    let raw = sandbox.run(["history", "show", "--raw"]).succeeds().stdout;
    assert!(raw.contains("  A *grey* heron"), "{raw}");

    let page = sandbox
        .run(["history", "export", "--format", "html"])
        .succeeds()
        .stdout;
    let answer = "<div class=\"answer\">\n<h1>Herons</h1>\n\
        <p>A <em>grey</em> heron <strong>waits</strong> a very long time in <code>water</code>.</p>\n\
        <ul>\n<li>one\n<ul>\n<li>two</li>\n</ul>\n</li>\n</ul>\n\
        <pre><code class=\"language-rust\">let heron = 1;\n</code></pre>\n\
        <p>&lt;b&gt;bold&lt;/b&gt;</p>\n</div>";
    assert!(page.contains(answer), "{page}");
    assert!(
        page.contains("<div>how *long* do `they` wait?</div>"),
        "{page}"
    );
}

/// What a terminal was given, without the carriage returns.
fn lines_of(screen: &Screen) -> String {
    let bytes = String::from_utf8(screen.transcript()).unwrap();
    bytes.replace('\r', "").replace('\x1b', "␛")
}

#[test]
fn resized_terminal_gets_lines_of_its_new_width() {
    let gate = Gate::default();
    let reply = Reply::stream()
        .text("- one two three four five six seven eight nine ten ")
        .wait(&gate)
        .text("eleven twelve thirteen fourteen\n\n```\n")
        .text("a line of code that is longer than the terminal\n```\n\nthe end of the answer");
    let (mut sandbox, _server) = sandbox_with([reply.finish("stop").done()]);
    sandbox.set("NO_COLOR", "1");
    let mut screen = Screen::open(&sandbox, ["ask", "-q", "hi"], 40, 30);
    screen.wait_for("nine ten").resize(20, 30);
    gate.open();
    assert_eq!(screen.end(), 0);
    assert_eq!(
        lines_of(&screen),
        "• one two three four five six seven\n  eight nine ten\n  eleven twelve\n  thirteen \
         fourteen\n\na line of code that is longer than the terminal\n\nthe end of the\nanswer\n"
    );
}

#[test]
fn theme_is_that_of_the_settings_or_of_the_terminal() {
    let answer = "# One\n\nA `two` [three](https://x.org).\n\n```rs\nlet four = 5;\n```\n";
    let dark = "␛[1;36m# One␛[0m\n\nA ␛[33mtwo␛[0m ␛[94mthree␛[0m ␛[2m(https://x.org)␛[0m.\n\n\
        ␛[2mrs␛[0m\n␛[35mlet␛[0m four = ␛[33m5␛[0m;\n";
    let light = "␛[1;34m# One␛[0m\n\nA ␛[35mtwo␛[0m ␛[34mthree␛[0m ␛[2m(https://x.org)␛[0m.\n\n\
        ␛[2mrs␛[0m\n␛[35mlet␛[0m four = ␛[31m5␛[0m;\n";
    let plain = "# One\n\nA `two` three (https://x.org).\n\nrs\nlet four = 5;\n";
    let cases = [
        (None, "", dark),
        (None, "0;15", light),
        (None, "15;0", dark),
        (Some("auto"), "0;15", light),
        (Some("dark"), "0;15", dark),
        (Some("light"), "15;0", light),
        (Some("plain"), "0;15", plain),
    ];
    let (mut sandbox, _server) = sandbox_with(cases.map(|_| Reply::says(answer)));
    for (theme, background, expected) in cases {
        if let Some(theme) = theme {
            sandbox.run(["config", "set", "ui.theme", theme]).check();
        }
        sandbox.set("COLORFGBG", background);
        let screen = ask(&sandbox, &["hi"]);
        assert_eq!(lines_of(&screen), expected, "{theme:?} {background:?}");
    }
    sandbox.run(["config", "set", "ui.theme", "none"]).fails(2);
}

#[test]
fn end_of_a_long_answer_is_announced_as_the_settings_say() {
    let desktop = "␛]9;chatbot: the answer is complete\u{7}";
    let cases = [
        ("off", "0", ""),
        ("bell", "0", "\u{7}"),
        ("bell", "600", ""),
        ("desktop", "0", desktop),
    ];
    let (sandbox, _server) = sandbox_with((0..=cases.len()).map(|_| Reply::says("yes")));
    for (notify, after, announced) in cases {
        sandbox.run(["config", "set", "ui.notify", notify]).check();
        sandbox
            .run(["config", "set", "ui.notify_after_s", after])
            .check();
        let screen = ask(&sandbox, &["hi"]);
        assert_eq!(
            lines_of(&screen),
            format!("{announced}yes\n"),
            "{notify} {after}"
        );
    }
    sandbox
        .run(["config", "set", "ui.notify_after_s", "0"])
        .check();
    let piped = sandbox.run(["ask", "hi", "--no-stdin"]).succeeds();
    assert_eq!(piped.stdout, "yes\n");
}

#[test]
fn reasoning_is_shown_or_hidden_as_the_settings_and_the_option_say() {
    let reply = || {
        Reply::stream()
            .event(r#"{"choices":[{"delta":{"reasoning":"a bird, "}}]}"#)
            .event(r#"{"choices":[{"delta":{"reasoning":"so *grey*"}}]}"#)
            .text("A *heron*.")
            .finish("stop")
            .done()
    };
    let hidden = "A ␛[3mheron␛[0m.\n";
    let shown = "␛[2ma bird, ␛[0m␛[2mso *grey*␛[0m\n\nA ␛[3mheron␛[0m.\n";
    let cases = [
        ("hide", &[][..], hidden),
        ("hide", &["--reasoning", "show"], shown),
        ("show", &[], shown),
        ("show", &["--reasoning", "hide"], hidden),
        (
            "show",
            &["--raw"],
            "␛[2ma bird, ␛[0m␛[2mso *grey*␛[0m\n\nA *heron*.\n",
        ),
    ];
    let (sandbox, _server) = sandbox_with(cases.map(|_| reply()));
    for (setting, options, expected) in cases {
        sandbox
            .run(["config", "set", "ui.reasoning", setting])
            .check();
        let screen = ask(&sandbox, &[options, &["hi"]].concat());
        assert_eq!(lines_of(&screen), expected, "{setting} {options:?}");
    }
}

#[test]
fn farewell_has_its_own_line_in_a_dumb_terminal() {
    let (mut sandbox, _server) = sandbox_with([Reply::says("a heron")]);
    sandbox.set("TERM", "dumb");
    let mut chat = Screen::open(&sandbox, ["chat"], 80, 30);
    chat.wait_for("\n> ").line("hi").wait_for(" tok");
    chat.wait_for("\n> ").send(key::CTRL_D);
    assert_eq!(chat.end(), 0);
    let text = chat.text();
    assert!(text.contains("\n\n>\n-- resume with "), "{text}");
}

#[test]
fn question_answer_and_statistics_are_told_apart() {
    let (mut sandbox, _server) = sandbox_with((0..6).map(|_| Reply::says("a heron")));
    for (variable, value, mark) in [
        ("NO_COLOR", "1", "-- "),
        ("TERM", "dumb", "-- "),
        ("TERM", "xterm-256color", ""),
    ] {
        sandbox.set(variable, value);
        let mut chat = Screen::open(&sandbox, ["chat"], 80, 30);
        for question in ["what is it?", "sure?"] {
            chat.wait_for("\n> ").line(question).wait_for(" tok");
        }
        chat.wait_for("\n> ").line("/exit");
        assert_eq!(chat.end(), 0);
        let text = chat.text();
        // Without what differs from run to run.
        let lines = text.lines().map(|line| match line.split_once(" tok") {
            Some((before, _)) => format!("{before} tok"),
            None => line.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let (text, _) = text.split_once("resume with").unwrap();
        assert_eq!(
            text,
            format!(
                "{mark}maker/model-1 · /help for help\n\
                > what is it?\n\na heron\n{mark}maker/model-1 · 12→7 tok\n\n\
                > sure?\n\na heron\n{mark}12→7 tok\n\n> /exit\n{mark}"
            ),
            "{variable}={value}"
        );
        let bytes = String::from_utf8(chat.transcript()).unwrap();
        assert_eq!(bytes.contains("\x1b[1;32m> \x1b[0m"), mark.is_empty());
        sandbox.unset("NO_COLOR");
    }
}
