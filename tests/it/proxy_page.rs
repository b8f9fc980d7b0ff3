//! The owner's page of the proxy in a real browser.

use super::harness::browser::Browser;
use super::harness::provider::{Gate, Reply};
use super::harness::{ci_markers, http};
use super::proxy::{EMAIL, Proxy, echo, provider, question};
use serde_json::{Value, json};
use std::io::Write;

/// What the page shows: each section with the cells of its rows, without times and ids.
const SECTIONS: &str = r#"
[...document.querySelectorAll("main > section")].filter((one) => !one.hidden).map((one) => {
  const meter = (cell) => cell.querySelector("meter")?.getAttribute("aria-valuetext");
  const cells = (row) => [...row.cells].map((cell) => meter(cell) || cell.innerText.trim()).join(" | ");
  const items = [...one.querySelectorAll("li, dl > div")].map((item) => item.innerText.replace(/\s+/g, " "));
  const quiet = [...one.querySelectorAll("p")].filter((p) => !p.hidden).map((p) => p.innerText.replace(/\s+/g, " "));
  return [one.querySelector("h2").innerText, ...items, ...[...one.querySelectorAll("tbody tr")].map(cells), ...quiet]
    .map((text) => text.replace(/\bt[0-9a-f]{12}\b/g, "ID").replace(/\b\d+ (h \d+ min|min|s|days?)\b/g, "TIME").replace(/ \(\d.*[AP]M\)/, " (TIME)"));
})"#;

#[test]
fn proxy_page_shows_what_happens_and_revokes_tokens() {
    let begun = Gate::default();
    let opened = begun.clone();
    let server = provider(move |request| {
        if request.text().contains("take your time") {
            Reply::stream().text("one").open_gate(&opened).stall()
        } else {
            echo(request)
        }
    });
    let proxy = Proxy::before(&server, "[budget]\nper_day = 50\n");
    let Some(mut browser) = Browser::start(proxy.sandbox.root()) else {
        return ci_markers::left_out("proxy-page", "no `chromium`");
    };
    let limits = ["--name=editor", "--budget=20", "--max-requests=50"];
    let editor = proxy.token(&[&limits[..], &["--model=maker/*", "--rpm=40"]].concat());
    let script = proxy.token(&["--name=script", "--scope=models"]);
    let path = "/v1/chat/completions";
    let asked = question(&format!("write to {EMAIL}"));
    assert_eq!(proxy.post(path, &editor, &asked).status, 200);
    assert_eq!(proxy.post(path, &script, &asked).status, 403);
    for _ in 0..10 {
        assert_eq!(proxy.post(path, "wrong", &asked).status, 401);
    }
    proxy.sandbox.run(["audit", "alerts"]).succeeds();
    let mut body = question("take your time");
    (body["stream"], body["max_tokens"]) = (json!(true), json!(100));
    let body = body.to_string();
    let mut running = http::connect(proxy.port);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {editor}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        proxy.port,
        body.len()
    );
    running.write_all(head.as_bytes()).unwrap();
    begun.wait();

    // Without a token it says how to open it.
    let root = format!("http://127.0.0.1:{}/", proxy.port);
    browser.show_at(1280, "light");
    browser.open(&root);
    assert_eq!(
        browser.value(SECTIONS),
        json!([[
            "Open this page with its token",
            "Start chatbot proxy serve on a terminal. It prints the address of this page, which ends in # and a token. The page keeps the token in its memory only, so after a reload open that address again."
        ]])
    );
    browser.take_picture("without-token-1280-light");

    let owner = proxy.owner_token();
    browser.open(&format!("{root}#{owner}"));
    browser.wait_for("document.querySelectorAll('#tokens tbody tr').length === 2");
    assert_eq!(browser.value("location.href"), json!(root));
    assert_eq!(
        browser.value("document.body.innerHTML.includes('TOKEN')"),
        json!(false)
    );
    let kept = format!("document.documentElement.outerHTML.includes('{owner}')");
    assert_eq!(browser.value(&kept), json!(false));
    let shown = browser.value(SECTIONS);
    assert_eq!(shown, expected(), "{shown:#}");

    for (width, scheme) in [
        (1280, "light"),
        (1280, "dark"),
        (360, "light"),
        (360, "dark"),
    ] {
        browser.show_at(width, scheme);
        let too_wide = "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('thead, .unseen')).map((one) => one.outerHTML)";
        assert_eq!(browser.value(too_wide), json!([]), "{width}");
        browser.take_picture(&format!("page-{width}-{scheme}"));
    }
    roles_are_told(&mut browser);

    // With the keyboard: the question opens, Escape keeps the token, Enter on the second button
    // revokes it.
    let focus =
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent";
    browser.press("Tab");
    assert_eq!(browser.value(focus), json!("Revoke editor"));
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outline), json!("solid"));
    browser.press("Enter");
    browser.wait_for("document.querySelector('dialog').open");
    browser.take_picture("question-360-dark");
    browser.press("Escape");
    browser.wait_for("!document.querySelector('dialog').open");
    assert_eq!(browser.value(focus), json!("Revoke editor"));
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for("document.querySelector('dialog').open");
    assert_eq!(browser.value(focus), json!("Keep it"));
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for("document.querySelector('#news').textContent === 'Revoked script.'");
    browser.wait_for("document.querySelectorAll('#tokens tbody tr').length === 1");
    // Or 429, if the wrong tokens before were too many for a minute.
    let status = proxy.get("/v1/models", &script).status;
    assert!(matches!(status, 401 | 429), "{status}");

    // Nothing was loaded from elsewhere, and the policy of the page was not violated.
    let mut asked: Vec<String> = browser
        .events("Network.requestWillBeSent")
        .iter()
        .map(|event| event["request"]["url"].as_str().unwrap().to_owned())
        .collect();
    asked.sort();
    asked.dedup();
    let id = asked.iter().position(|url| url.contains("/api/tokens/"));
    asked.remove(id.unwrap());
    assert_eq!(asked, [root.clone(), format!("{root}api/status")]);
    assert_eq!(browser.events("Log.entryAdded"), Vec::<Value>::new());

    drop(running);
    proxy.stop();
    browser.wait_for("document.querySelector('#state').textContent.startsWith('no answer')");
    ci_markers::ran("proxy-page");
}

fn expected() -> Value {
    json!([
        [
            "Alerts",
            "wrong tokens were sent to the proxy 10 times within an hour (TIME)",
            "chatbot audit alerts --acknowledge all acknowledges them."
        ],
        [
            "Since the start",
            "Requests 2",
            "Tokens in 10",
            "Tokens out 5",
            "Prompt cache 0 %",
            "Cost $0.01",
            "Values redacted 1",
            "Secrets not put back 0"
        ],
        [
            "Limits and budgets",
            "Requests this minute | 2 of 1,000 | 0 percent | in TIME",
            "Requests this hour | 2 of 5,000 | 0 percent | in TIME",
            "Budget per day | $0.20 of $50.00, $0.19 of it reserved | 0 percent | in TIME"
        ],
        ["Running requests", "editor | chat | maker/model-1 | TIME"],
        [
            "Tokens",
            "editor (ID) | chat, embeddings, audio, models, usage · models maker/* · 40 a minute | 2 of 50 | $0.01 of $20.00 | in TIME | Revoke",
            "script (ID) | models | 0 | $0.00 | in TIME | Revoke"
        ],
        [
            "Spent",
            "today | 1 | 10 | 5 | $0.01",
            "this week | 1 | 10 | 5 | $0.01",
            "this month | 1 | 10 | 5 | $0.01",
            "All programs together, chats included."
        ],
        ["Redacted", "email | 1"],
        ["Refused", "invalid proxy token | 10", "scope missing | 1"]
    ])
}

/// What a screen reader is told, at the width of a phone too.
fn roles_are_told(browser: &mut Browser) {
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap().iter();
    let mut told: Vec<String> = nodes
        .filter(|node| node["ignored"] != json!(true))
        .filter_map(|node| {
            let role = node["role"]["value"].as_str()?;
            let name = node["name"]["value"].as_str().unwrap_or_default();
            let is_told = [
                "main",
                "banner",
                "contentinfo",
                "table",
                "columnheader",
                "status",
            ]
            .contains(&role);
            is_told.then(|| format!("{role} {name}").trim().to_owned())
        })
        .collect();
    told.dedup();
    assert_eq!(
        told,
        [
            "banner",
            "main",
            "contentinfo",
            "status",
            "table Limits and budgets",
            "table Running requests",
            "table Tokens",
            "table Spent",
            "table Redacted",
            "table Refused",
            "columnheader Limit",
            "columnheader Used",
            "columnheader Filled",
            "columnheader Resets",
            "columnheader Token",
            "columnheader Request",
            "columnheader Model",
            "columnheader Running for",
            "columnheader Token",
            "columnheader Allows",
            "columnheader Requests",
            "columnheader Cost",
            "columnheader Ends",
            "columnheader Action",
            "columnheader Period",
            "columnheader Requests",
            "columnheader Tokens in",
            "columnheader Tokens out",
            "columnheader Cost",
            "columnheader Kind",
            "columnheader Values",
            "columnheader Reason",
            "columnheader Requests",
        ]
    );
}
