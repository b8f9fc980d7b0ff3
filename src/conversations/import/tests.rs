//! Tests of what all imports have in common.

use super::*;

fn read(bytes: &[u8]) -> Result<(ImportSource, Vec<ImportedConversation>), ImportError> {
    let mut all = Vec::new();
    super::read(bytes, &mut |one| all.push(one)).map(|source| (source, all))
}

fn said(text: &str) -> (String, Vec<Vec<(Role, String)>>) {
    let (source, found) = read(text.as_bytes()).unwrap();
    let texts = |f: &ImportedConversation| {
        f.messages
            .iter()
            .map(|m| (m.role, m.text.printable()))
            .collect()
    };
    (source.to_string(), found.iter().map(texts).collect())
}

#[test]
fn import_json_message_lists() {
    let pair = vec![
        (Role::User, "hi".to_owned()),
        (Role::Assistant, "hello".to_owned()),
    ];
    let messages = r#"[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"hel"},{"type":"image_url"},{"type":"text","text":"lo"}]},{"role":"tool","content":"x"},{"role":"user","content":null}]"#;
    assert_eq!(said(messages), ("shell-gpt".to_owned(), vec![pair.clone()]));
    assert_eq!(
        said(&format!(r#"{{"messages":{messages}}}"#)),
        ("import".to_owned(), vec![pair.clone()])
    );
    assert_eq!(
        said(&format!(
            r#"[{{"messages":{messages}}},{{"messages":{messages}}}]"#
        )),
        ("import".to_owned(), vec![pair.clone(), pair.clone()])
    );
    let ours = r#"{"schema_version":1,"conversations":[{"id":"x","title":"t","model":"m","messages":[{"role":"user","text":"hi","at":"2026-01-01T00:00:00Z"},{"role":"assistant","text":"hello","model":"m"}]}]}"#;
    assert_eq!(said(ours), ("import".to_owned(), vec![pair]));
    let (_, found) = read(ours.as_bytes()).unwrap();
    assert_eq!(
        (
            found[0].title.as_ref().unwrap().printable(),
            found[0].messages[0].at.is_some()
        ),
        ("t".to_owned(), true)
    );
}

#[test]
fn import_chatgpt_follows_last_branch() {
    let text = r#"[{"title":"T","create_time":1700000000.5,"current_node":"c","mapping":{
            "r":{"id":"r","message":null,"parent":null,"children":["a"]},
            "a":{"message":{"author":{"role":"user"},"create_time":1700000001.0,"content":{"content_type":"text","parts":["hi"]}},"parent":"r"},
            "b":{"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["not this"]}},"parent":"a"},
            "c":{"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["hello",{"x":1}]},"metadata":{"model_slug":"gpt-9"}},"parent":"a"}}}]"#;
    let (source, found) = read(text.as_bytes()).unwrap();
    assert_eq!(source, ImportSource::ChatGpt);
    let texts: Vec<_> = found[0]
        .messages
        .iter()
        .map(|m| (m.text.printable(), m.at.map(Time::millis), m.model.clone()))
        .collect();
    assert_eq!(
        texts,
        [
            ("hi".to_owned(), Some(1_700_000_001_000), None),
            ("hello".to_owned(), None, Some("gpt-9".to_owned()))
        ]
    );
    let data_keys = r#"[{"current_node":"a","mapping":{"a":{"message":{"author":{"role":"user"},"content":{"parts":["x"]}},"parent":"b"},"b":{"message":null,"parent":"a"}}}]"#;
    assert_eq!(said(data_keys).1[0].len(), 1, "a ring of parents ends");
}

#[test]
fn import_counts_non_text_parts_by_kind() {
    let messages = r#"[{"role":"user","content":[{"type":"input_audio"},{"type":"text","text":"hi"},{"type":"file"},{"x":1}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1"},{"id":"2"}]},{"role":"tool","content":"x"},{"role":"watcher","content":"x"}]"#;
    let (_, found) = read(messages.as_bytes()).unwrap();
    let named = [
        ("attachment", 1),
        ("other part", 1),
        ("recording", 1),
        ("tool call", 2),
        ("tool result", 1),
    ];
    assert_eq!(found[0].skipped, SkippedParts::from(named));
    let called = "messages:\n- role: assistant\n  content:\n    tool_results:\n    - call:\n        name: look\n        arguments: {}\n      output: text\n    text: I looked\n    sequence: false\n- role: user\n  content: well\n";
    let (_, found) = read(called.as_bytes()).unwrap();
    let texts: Vec<String> = found[0]
        .messages
        .iter()
        .map(|m| m.text.printable())
        .collect();
    assert_eq!(
        (texts, &found[0].skipped),
        (
            vec!["I looked".to_owned(), "well".to_owned()],
            &SkippedParts::from([("tool call", 1)])
        )
    );
}

#[test]
fn import_aichat_session() {
    let parts = "model: x:y\nmessages:\n- role: user\n  content:\n  - type: text\n    text: |-\n      what is\n\n      this\n  - type: image_url\n    image_url:\n      url: data:image/png;base64,AAAA\n  - type: text\n    text: 'and ''that'' there'\n- role: assistant\n  content: a cat\n- role: user\n  content:\n  - type: image_url\n    image_url:\n      url: https://example.org/x.png\n";
    let (_, found) = read(parts.as_bytes()).unwrap();
    let texts: Vec<String> = found[0]
        .messages
        .iter()
        .map(|m| m.text.printable())
        .collect();
    assert_eq!(
        (texts, found[0].skipped.clone()),
        (
            vec![
                "what is\n\nthis\nand 'that' there".to_owned(),
                "a cat".to_owned()
            ],
            SkippedParts::from([("image", 2)])
        )
    );
    let text = "model: openai:gpt-4o\ntemperature: null\nsave_session: null\nmessages:\n- role: system\n  content: |-\n    be brief\n\n    please\n- role: user\n  content: 'it''s'\n- role: assistant\n  content: \"tab\\there \\u00fc\"\n- role: user\n  content: 'plain: no'\n- role: assistant\n  content: |2\n      indented\n    end\n";
    let (source, all) = said(text);
    assert_eq!(source, "aichat");
    let expected = [
        (Role::System, "be brief\n\nplease"),
        (Role::User, "it's"),
        (Role::Assistant, "tab\there ü"),
        (Role::User, "plain: no"),
        (Role::Assistant, "  indented\nend\n"),
    ];
    assert_eq!(all[0], expected.map(|(role, text)| (role, text.to_owned())));
}

#[test]
fn import_aichat_any_style_of_yaml() {
    let text = "# a session\nmessages: [{\"role\": user, content: 'one\n  line'},\n  {content: \"null\", role: assistant}]\nmodel: !!str x:y\n---\nmessages: []\n";
    let (_, all) = said(text);
    let expected = [(Role::User, "one line"), (Role::Assistant, "null")];
    assert_eq!(all[0], expected.map(|(role, text)| (role, text.to_owned())));
    let none = "messages:\n- role: user\n  content: ~\n- role: user\n  content:\n- content: a\n";
    assert_eq!(
        read(none.as_bytes()).unwrap_err(),
        ImportError::UnknownFormat
    );
}

#[test]
fn import_rejects_unknown_formats() {
    for text in [
        "",
        "hello",
        "{}",
        "[]",
        "[1,2]",
        "{\"messages\":3}",
        "messages: x",
        "\u{0}",
        "[{\"messages\":[]}]",
    ] {
        let found = read(text.as_bytes());
        assert!(
            found.is_err() || found.unwrap().1.iter().all(|f| f.messages.is_empty()),
            "{text:?}"
        );
    }
    assert_eq!(read(&[0xff, 0xfe]).unwrap_err(), ImportError::UnknownFormat);
}
