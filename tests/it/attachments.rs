//! Pictures and PDFs as attachments: pictures are sent without metadata, asked about first and kept
//! in the conversation; of a PDF the text is sent.

use super::harness::provider::{Reply, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const UNASKED: &str = "chatbot: the message has a picture, which cannot be redacted; \
    `--yes` sends it unasked\n\
    chatbot: the message was not sent\n";

/// A picture of one pixel, with or without a text in it.
fn png(comment: Option<&str>) -> Vec<u8> {
    let mut chunks: Vec<(&[u8; 4], Vec<u8>)> =
        vec![(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0".to_vec())];
    chunks.extend(comment.map(|text| (b"tEXt", format!("Comment\0{text}").into_bytes())));
    chunks.push((b"IDAT", b"\x08\x1dcd\0\0\0\x02\0\x01".to_vec()));
    chunks.push((b"IEND", Vec::new()));
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        picture.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        picture.extend_from_slice(kind);
        picture.extend(data);
        picture.extend(b"\0\0\0\0");
    }
    picture
}

fn sandbox_with<const N: usize>(more: &str, answers: [&str; N]) -> (Sandbox, Server) {
    let server = Server::replies(answers.map(Reply::says));
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), more);
    sandbox.write("cwd/house.png", png(Some("taken at home by Bob")));
    (sandbox, server)
}

fn content(text: &str) -> Value {
    let data = STANDARD.encode(png(None));
    json!([
        { "type": "text", "text": text },
        { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}") } },
    ])
}

fn leave(screen: &mut Screen) {
    screen.line("/exit");
    assert_eq!(screen.end(), 0);
}

#[test]
fn picture_is_sent_without_metadata_and_kept() {
    let (sandbox, server) = sandbox_with("", ["a house", "a red one"]);
    sandbox
        .run(["ask", "--file", "house.png", "what is it?"])
        .stderr(UNASKED)
        .code(4)
        .check();
    assert!(server.requests().is_empty());
    sandbox
        .run(["ask", "--yes", "--file", "house.png", "what is it?"])
        .stdout("a house\n")
        .check();
    let question = content("what is it?\n\nPicture `house.png`");
    assert_eq!(
        server.requests()[0].json()["messages"][0]["content"],
        question
    );
    // The picture is part of what is sent when the conversation goes on.
    sandbox
        .run(["ask", "--continue", "which colour?"])
        .stdout("a red one\n")
        .check();
    assert_eq!(
        server.requests()[1].json()["messages"],
        json!([
            { "role": "user", "content": question },
            { "role": "assistant", "content": "a house" },
            { "role": "user", "content": "which colour?" },
        ])
    );
    let shown = sandbox.run(["history", "show"]).succeeds().stdout;
    assert!(shown.contains("Picture `house.png`"), "{shown}");
    let mut screen = Screen::open(&sandbox, ["history", "export", "-o", "house.md"], 80, 24);
    assert_eq!(screen.end(), 0);
    assert_eq!(screen.text(), "wrote house.md\nleft out: 1 picture\n");
    sandbox.is_private();
}

#[test]
fn pictures_stay_with_the_provider_they_were_sent_to() {
    let (sandbox, server) = sandbox_with("", ["a house", "a red one", "what house?"]);
    sandbox
        .run(["ask", "--yes", "--file", "house.png", "what is it?"])
        .succeeds();
    let text = std::fs::read_to_string(sandbox.settings()).unwrap();
    let other = text.replace("[providers.own]", "[providers.other]");
    let other = &other[other.find("[providers.other]").unwrap()..];
    sandbox.configure(&format!("{text}\n{other}"));
    let mut screen = sandbox.screen(["chat", "--continue"]);
    screen
        .wait_for("a house")
        .wait_for("\n> ")
        .line("which colour?")
        .wait_for("a red one")
        .wait_for("\n> ")
        .line("/provider other")
        .wait_for("pictures of earlier messages are not sent to `maker/model-1` of other")
        .wait_for("\n> ")
        .line("and now?")
        .wait_for("what house?")
        .wait_for("\n> ");
    leave(&mut screen);
    let sent: Vec<bool> = server
        .requests()
        .iter()
        .map(|request| request.text().contains("data:image/png"))
        .collect();
    assert_eq!(sent, [true, true, false]);
}

#[test]
fn picture_is_asked_about_in_the_chat() {
    let (sandbox, server) = sandbox_with("", ["a house"]);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("/file *.png")
        .wait_for("attached house.png (")
        .wait_for("\n> ")
        .line("what is it?")
        .wait_for("The message has a picture, which cannot be redacted; send it to own? [y/N] ")
        .line("n")
        .wait_for("the message was not sent")
        .wait_for("\n> ")
        .send(key::UP)
        .wait_for("what is it?")
        .send(key::ENTER)
        .wait_for("[y/N] ")
        .line("y")
        .wait_for("a house")
        .wait_for("\n> ");
    leave(&mut screen);
    assert_eq!(
        server.request().json()["messages"][0]["content"],
        content("what is it?\n\nPicture `house.png`")
    );
}

#[test]
fn picture_is_not_asked_about_if_the_settings_say_so() {
    let more = "[privacy]\nask_on_image = false\n[limits]\nmax_image_bytes = 1000\n";
    let (sandbox, _server) = sandbox_with(more, ["a house"]);
    sandbox
        .run(["ask", "--file", "house.png", "what is it?"])
        .stdout("a house\n")
        .check();
    sandbox.write("cwd/large.png", png(Some(&"x".repeat(1000))));
    sandbox
        .run(["ask", "--file", "large.png", "what is it?"])
        .stderr(
            "chatbot: error: `large.png` is too large: a picture can have 1000 bytes\n\
             chatbot: hint: make it smaller, or raise `limits.max_image_bytes` in the settings\n",
        )
        .code(4)
        .check();
    for n in 0..11 {
        sandbox.write(format!("cwd/many/{n}.png"), png(None));
    }
    sandbox
        .run(["ask", "--file", "many/*.png", "what is it?"])
        .stderr(
            "chatbot: error: 11 pictures: a message can have 10\n\
             chatbot: hint: attach some of them to the next message\n",
        )
        .code(2)
        .check();
    for (name, bytes, error) in [
        (
            "cut.png",
            &png(None)[..40],
            "the picture is damaged or incomplete",
        ),
        (
            "a.tiff",
            b"II*\0\x08\0\0\0",
            "models do not accept TIFF pictures",
        ),
    ] {
        sandbox.write(format!("cwd/{name}"), bytes);
        sandbox
            .run(["ask", "--file", name, "what is it?"])
            .stderr(format!(
                "chatbot: error: `{name}`: {error}\nchatbot: hint: attach a PNG or JPEG\n"
            ))
            .code(2)
            .check();
    }
}

#[test]
fn picture_is_refused_for_a_model_that_takes_none() {
    let list = r#"{"data":[
        {"id":"maker/model-1","architecture":{"input_modalities":["text"]}},
        {"id":"maker/eyes","architecture":{"input_modalities":["text","image"]}}
    ]}"#;
    let server = Server::scripted([
        ("GET /v1/models", Reply::json(200, list)),
        ("POST /v1/chat/completions", Reply::says("a house")),
    ]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.write("cwd/house.png", png(None));
    sandbox.run(["models"]).succeeds();
    sandbox
        .run(["ask", "--yes", "--file", "house.png", "what is it?"])
        .stderr(
            "chatbot: error: `maker/model-1` does not take pictures, so the message was not sent\n\
             chatbot: hint: choose another model with `--model`, or attach no pictures\n",
        )
        .code(4)
        .check();
    sandbox
        .run([
            "ask",
            "--yes",
            "-m",
            "maker/eyes",
            "-f",
            "house.png",
            "what is it?",
        ])
        .stdout("a house\n")
        .check();
}

/// A PDF with one line of text on each page.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let count = pages.len();
    let kids: Vec<String> = (0..count).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Kids [{}] /Count {count} >>",
            kids.join(" ")
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
    ];
    for (n, text) in pages.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * n
        ));
        let drawn = format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET");
        objects.push(format!(
            "<< /Length {} >>\nstream\n{drawn}\nendstream",
            drawn.len()
        ));
    }
    let mut file = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let table = file.len();
    file += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in offsets {
        file += &format!("{offset:010} 00000 n \n");
    }
    file += &format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    );
    file.into_bytes()
}

#[test]
fn pdf_is_sent_as_redacted_text() {
    let (sandbox, server) = sandbox_with("", ["an invoice", "two pages"]);
    sandbox.write("cwd/a.pdf", pdf(&["Invoice for bob.miller@initech.com"]));
    sandbox
        .run(["ask", "--file", "a.pdf", "what is it?"])
        .stdout("an invoice\n")
        .check();
    sandbox.write("cwd/b.pdf", pdf(&["The first page", "The second page"]));
    sandbox
        .run(["ask", "--file", "b.pdf"])
        .stdout("two pages\n")
        .check();
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| request.json()["messages"][0]["content"].clone())
        .collect();
    assert_eq!(
        sent,
        [
            "what is it?\n\nFile `a.pdf`:\n```\nInvoice for [EMAIL_1]\n```",
            "File `b.pdf`:\n```\n[page 1]\nThe first page\n\n[page 2]\nThe second page\n```",
        ]
    );
}

#[test]
fn pdf_without_text_or_damaged_is_refused() {
    let (sandbox, server) = sandbox_with("[limits]\nmax_attachment_bytes = 20\n", []);
    let whole = pdf(&["A page with some text"]);
    let unreadable = "is damaged, protected by a password or unusual";
    let convert = "convert it to text, for example with `pdftotext`, and attach that";
    for (name, bytes, code, error, hint) in [
        (
            "empty.pdf",
            &pdf(&[""])[..],
            2,
            "`empty.pdf` has no text".to_owned(),
            "if its pages are pictures, attach them as PNG or JPEG",
        ),
        (
            "cut.pdf",
            &whole[..300],
            2,
            format!("the text of `cut.pdf` cannot be read: it {unreadable}"),
            convert,
        ),
        (
            "long.pdf",
            &whole,
            4,
            "the text of `long.pdf` is too long: 20 bytes are left for attachments".to_owned(),
            "raise `limits.max_attachment_bytes` in the settings, or attach less",
        ),
    ] {
        sandbox.write(format!("cwd/{name}"), bytes);
        sandbox
            .run(["ask", "--file", name, "what is it?"])
            .stderr(format!("chatbot: error: {error}\nchatbot: hint: {hint}\n"))
            .code(code)
            .check();
    }
    assert!(server.requests().is_empty());
}

#[test]
fn suspicious_text_is_said_of_attachments_and_imports() {
    let sandbox = Sandbox::with_vault();
    let page = "<script>alert(1)</script>\n";
    let file = sandbox.write("page.html", page);
    let said = "\"the attached text contains a script tag\"";
    let ask =
        |args: &[&str]| sandbox.run([&["ask", "--provider=demo", "--json-lines"], args].concat());
    let attached = ask(&["--file", file.to_str().unwrap(), "what is this"]).succeeds();
    assert!(attached.stdout.contains(said), "{}", attached.stdout);
    let piped = ask(&["what is this"]).stdin(page).succeeds();
    assert!(piped.stdout.contains(said), "{}", piped.stdout);
    let typed = ask(&[page]).succeeds();
    assert!(!typed.stdout.contains("\"warning\""), "{}", typed.stdout);
    let chat =
        r#"[{"role":"user","content":"run rm -rf / now"},{"role":"assistant","content":"no"}]"#;
    let chat = sandbox.write("chat.json", chat);
    let whole = sandbox
        .run(["ask", "--provider=demo", "--json", "what is this"])
        .stdin(page)
        .succeeds();
    let whole: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(
        whole["warnings"],
        json!(["the attached text contains a script tag"])
    );
    let other = sandbox.write("other.json", std::fs::read(&chat).unwrap());
    let imported = sandbox
        .run(["history", "import", "--json", other.to_str().unwrap()])
        .succeeds();
    let imported: Value = serde_json::from_str(&imported.stdout).unwrap();
    assert_eq!(imported["suspicious"], 1);
    let warning = imported["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("an imported message contains "),
        "{warning}"
    );
    let mut chat_again = std::fs::read_to_string(&chat).unwrap();
    chat_again = chat_again.replace("\"no\"", "\"never\"");
    std::fs::write(&chat, chat_again).unwrap();
    let mut screen = sandbox.screen(["history", "import", chat.to_str().unwrap()]);
    screen.wait_for("1 message with suspicious content, the first of them because");
    assert_eq!(screen.end(), 0);
    sandbox.configure("[privacy]\nsuspicious = \"block\"\n");
    for text in [
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "data:text/html;base64,AAAA",
        "call eval(x)",
        "rm -rf /",
        "shutdown; del; format",
    ] {
        let refused = ask(&[text]).fails(4);
        assert!(
            refused
                .stderr
                .contains("the message contains a suspicious pattern: a"),
            "{text}"
        );
    }
}
