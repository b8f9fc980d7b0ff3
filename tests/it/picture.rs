//! The picture of a session in the README, drawn from what the program writes to a real terminal.
//!
//! `CHATBOT_REFRESH=picture cargo test --test it picture` draws it again.

use super::harness::provider::{Reply, Server};
use crate::harness::{Sandbox, Screen, pty};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const COLUMNS: u16 = 92;
const ROWS: u16 = 22;
/// The size of a cell, in pixels.
const CELL: (f32, f32) = (8.4, 19.0);
/// The space around the text, and above it for the bar of a window.
const MARGIN: (f32, f32) = (18.0, 46.0);

const QUESTION: &str = "write a reply to bob.miller@initech.com, my card is 4111 1111 1111 1111";
const ANSWER: &str = "Dear Bob,\n\nthank you for your mail from **[EMAIL_1]**. Please do *not* ask for card numbers there:\n\n- I will call you tomorrow,\n- and until then `[CREDIT_CARD_1]` stays with me.\n";
const SECOND: &str =
    "why does sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef fail?";
const SECOND_ANSWER: &str =
    "The key **[API_KEY_1]** was probably revoked. `chatbot key validate` asks the provider.\n";

const MODEL: &str = "openai/gpt-5.2";

/// An answer of the model in two pieces.
fn says(text: &str, usage: &str) -> Reply {
    let piece = |text: &str| {
        let choice = serde_json::json!({"index": 0, "delta": {"content": text}});
        serde_json::json!({"id": "gen-1", "model": MODEL, "choices": [choice]})
    };
    let (start, end) = text.split_at(text.len() / 2);
    Reply::stream()
        .event(&piece(start).to_string())
        .event(&piece(end).to_string())
        .finish("stop")
        .usage(usage)
        .done()
}

/// The colours of a terminal with a dark background: the sixteen of the palette.
const PALETTE: [&str; 16] = [
    "#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
    "#7a8394", "#e88b93", "#b2d69b", "#ecd09a", "#83c1f3", "#d59be6", "#7fcad3", "#ffffff",
];
const FOREGROUND: &str = "#d8dee9";

fn color(color: vt100::Color) -> String {
    match color {
        vt100::Color::Default => FOREGROUND.to_owned(),
        vt100::Color::Idx(n) => PALETTE
            .get(usize::from(n))
            .map_or_else(|| from_cube(n), |color| (*color).to_owned()),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// A colour above the palette: a cube of 6 × 6 × 6, then greys.
fn from_cube(n: u8) -> String {
    if let Some(grey) = n.checked_sub(232) {
        let level = 8 + 10 * grey;
        return format!("#{level:02x}{level:02x}{level:02x}");
    }
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    let (n, levels) = (n - 16, [36, 6, 1]);
    let [r, g, b] = levels.map(|unit| level(n / unit % 6));
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The attributes of a cell as SVG.
fn attributes(cell: &vt100::Cell) -> String {
    let (mut fill, mut more) = (color(cell.fgcolor()), String::new());
    if cell.inverse() {
        fill = color(cell.bgcolor());
    }
    if cell.bold() {
        more += " font-weight=\"bold\"";
    }
    if cell.italic() {
        more += " font-style=\"italic\"";
    }
    if cell.underline() {
        more += " text-decoration=\"underline\"";
    }
    if cell.dim() {
        more += " opacity=\"0.65\"";
    }
    format!("fill=\"{fill}\"{more}")
}

/// Draws a screen. Pieces of one colour are one text, whose length is set, so that columns stay
/// columns in any font.
fn draw(bytes: &[u8]) -> String {
    let mut terminal = vt100::Parser::new(
        ROWS.try_into().expect("a row"),
        COLUMNS.try_into().expect("a column"),
        0,
    );
    terminal.process(bytes);
    let screen = terminal.screen();
    let height = MARGIN.1 + f32::from(ROWS) * CELL.1 + MARGIN.0;
    let width = f32::from(COLUMNS).mul_add(CELL.0, 2.0 * MARGIN.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n<title>A chat in which private data is replaced before it is sent</title>\n<rect width=\"100%\" height=\"100%\" rx=\"9\" fill=\"#20242c\"/>\n<circle cx=\"22\" cy=\"20\" r=\"6\" fill=\"#e06c75\"/><circle cx=\"42\" cy=\"20\" r=\"6\" fill=\"#e5c07b\"/><circle cx=\"62\" cy=\"20\" r=\"6\" fill=\"#98c379\"/>\n"
    );
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else {
                column += 1;
                continue;
            };
            let (start, look) = (column, attributes(cell));
            let mut text = String::new();
            while let Some(cell) = screen.cell(row, column)
                && cell.has_contents()
                && attributes(cell) == look
            {
                text += cell.contents();
                column += 1;
            }
            if text.trim().is_empty() {
                continue;
            }
            let (x, y) = (
                f32::from(start).mul_add(CELL.0, MARGIN.0),
                f32::from(row).mul_add(CELL.1, MARGIN.1) + 14.0,
            );
            let length = f32::from(column - start) * CELL.0;
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" {look}>{}</text>",
                escape(&text)
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}

/// What the program wrote, with the same time for every answer.
fn with_fixed_times(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let pieces: Vec<&str> = text.split(" tok · ").collect();
    let mut fixed = pieces[0].to_owned();
    for piece in &pieces[1..] {
        let (cost, rest) = piece.split_once(" · ").expect("the time after the cost");
        let (_, rest) = rest.split_once(" s").expect("a time in seconds");
        write!(fixed, " tok · {cost} · 1.9 s{rest}").unwrap();
    }
    fixed.into_bytes()
}

#[test]
fn picture_in_the_readme_is_what_the_program_shows() {
    let server = Server::replies([
        says(
            ANSWER,
            r#"{"prompt_tokens":31,"completion_tokens":84,"cost":0.0012}"#,
        ),
        says(
            SECOND_ANSWER,
            r#"{"prompt_tokens":148,"completion_tokens":27,"cost":0.0007}"#,
        ),
    ]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let settings = fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.configure(&settings.replace("maker/model-1", MODEL));
    let mut screen = Screen::open(&sandbox, ["chat"], COLUMNS, ROWS);
    for question in [QUESTION, SECOND] {
        screen
            .wait_for("\n> ")
            .line(question)
            .wait_for(" tok")
            .wait_for(" s");
    }
    screen.wait_for("\n> ");
    let picture = draw(&with_fixed_times(&screen.transcript()));
    screen.send(pty::key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let sent: Vec<String> = server
        .requests()
        .iter()
        .map(|r| r.text().to_owned())
        .collect();
    assert!(
        sent.iter()
            .all(|body| !body.contains("4111") && !body.contains("initech"))
    );

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/session.svg");
    if std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "picture") {
        fs::write(&path, &picture).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == picture,
        "`CHATBOT_REFRESH=picture cargo test --test it picture` draws it again:\n{picture}"
    );
}
