//! Hostile files for `history import`: the kernel kills the program if it exceeds limits of memory
//! and processor time.
#![cfg(target_os = "linux")]

use super::harness::Sandbox;
use std::fs;

/// The memory of the program for any file, plus what a constant bounds and not the file (a
/// conversation of the maximum number of messages, each some hundred bytes).
const BASE: usize = 96 << 20;

/// Imports a file within four times its size in memory and several times the processor time of a
/// debug build: less than one second per megabyte.
fn import(name: &str, bytes: &[u8], code: i32) {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.write(name, bytes);
    let (kib, seconds) = (
        (BASE + 4 * bytes.len()) >> 10,
        3 + 4 * bytes.len() / (1 << 20),
    );
    let run = sandbox
        .run(["history", "import", "--yes"])
        .arg(&file)
        .limited(&format!("ulimit -d {kib}; ulimit -t {seconds}"));
    let output = run.output();
    let limits = format!(
        "{} bytes within {kib} KiB and {seconds} s of processor time",
        bytes.len()
    );
    assert_eq!(
        output.code,
        Some(code),
        "{name}: {limits}: {}",
        output.stderr
    );
}

/// An unsigned and a signed number as Go's `gob` encodes them.
fn length(n: usize, out: &mut Vec<u8>) {
    if n < 0x80 {
        out.push(u8::try_from(n).unwrap());
    } else {
        let bytes: Vec<u8> = n
            .to_be_bytes()
            .into_iter()
            .skip_while(|b| *b == 0)
            .collect();
        out.push(0_u8.wrapping_sub(u8::try_from(bytes.len()).unwrap()));
        out.extend(bytes);
    }
}

fn message(body: &[u8], out: &mut Vec<u8>) {
    length(body.len(), out);
    out.extend(body);
}

/// A list of records with `Role` and one field of the given name, followed by raw `records`.
fn gob(field: &str, count: usize, records: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    message(
        &[0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1, 0xff, 0x84, 0, 0],
        &mut file,
    );
    let mut body = vec![0xff, 0x83, 3, 1, 1, 1, b'M', 1, 0xff, 0x84, 0, 1, 2];
    body.extend(b"\x01\x04Role\x01\x0c\x00\x01");
    length(field.len(), &mut body);
    body.extend(field.as_bytes());
    body.extend([1, 12, 0, 0, 0]);
    message(&body, &mut file);
    let mut body = vec![0xff, 0x82, 0];
    length(count, &mut body);
    body.extend(records);
    message(&body, &mut file);
    file
}

#[test]
fn import_gob_shares_the_names_of_fields() {
    import(
        "name.gob",
        &gob(
            &"n".repeat(1_000_000),
            20_000,
            &b"\x02\x00\x00".repeat(20_000),
        ),
        2,
    );
    import(
        "short-name.gob",
        &gob(&"n".repeat(8_000), 20_000, &b"\x02\x00\x00".repeat(20_000)),
        2,
    );
    import(
        "empty.gob",
        &gob("Content", 4_000_000, &vec![0; 4_000_000]),
        2,
    );
    import(
        "lie.gob",
        &gob("Content", usize::MAX >> 1, &vec![0; 1_000_000]),
        2,
    );
    import(
        "many.gob",
        &gob(
            "Content",
            300_000,
            &b"\x01\x04user\x01\x01a\x00".repeat(300_000),
        ),
        2,
    );
    let mut invalid = b"\x01\x04user\x01".to_vec();
    length(3_000_000, &mut invalid);
    invalid.extend(vec![0xfe; 3_000_000]);
    invalid.push(0);
    import("invalid.gob", &gob("Content", 1, &invalid), 0);
}

/// A database of 512-byte pages with a table `responses` that starts on the second page.
fn database(pages: usize) -> Vec<u8> {
    let mut bytes = vec![0; pages * 512];
    bytes[..16].copy_from_slice(b"SQLite format 3\0");
    bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
    bytes[59] = 1;
    let sql = b"CREATE TABLE responses(id,prompt,response)";
    let mut record = vec![6, 23, 31, 31, 1, u8::try_from(13 + 2 * sql.len()).unwrap()];
    record.extend(b"tableresponsesresponses\x02");
    record.extend(sql);
    bytes[100] = 0x0d;
    bytes[104] = 1;
    bytes[108..110].copy_from_slice(&300_u16.to_be_bytes());
    bytes[300] = u8::try_from(record.len()).unwrap();
    bytes[301] = 1;
    bytes[302..302 + record.len()].copy_from_slice(&record);
    bytes
}

/// A leaf page whose cells all point to the one cell at its end.
fn same_cell(page: &mut [u8], cell: &[u8]) {
    let at = 512 - cell.len();
    let count = (at - 8) / 2;
    page[0] = 0x0d;
    page[3..5].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
    for n in 0..count {
        page[8 + 2 * n..10 + 2 * n].copy_from_slice(&u16::try_from(at).unwrap().to_be_bytes());
    }
    page[at..].copy_from_slice(cell);
}

#[test]
fn import_sqlite_counts_what_cells_claim_before_it_is_copied() {
    // On each of forty pages, two hundred cells share a record whose overflow chain covers nearly
    // the whole file. The chain ends a page too early, is a loop, or is valid.
    for (name, last) in [
        ("early.db", 0),
        ("ring.db", 1_500_u32),
        ("right.db", u32::MAX),
    ] {
        let pages = 8_000_usize;
        let mut bytes = database(pages);
        bytes[512] = 0x05;
        bytes[512 + 3..512 + 5].copy_from_slice(&40_u16.to_be_bytes());
        for leaf in 0..40 {
            let pointer = 512 + 12 + 2 * leaf;
            let at = 100 + 5 * leaf;
            bytes[pointer..pointer + 2].copy_from_slice(&u16::try_from(at).unwrap().to_be_bytes());
            bytes[512 + at..512 + at + 4]
                .copy_from_slice(&u32::try_from(3 + leaf).unwrap().to_be_bytes());
        }
        let long = 39 + 508 * 7_000_u32;
        let septet = |shift: u32| u8::try_from(long >> shift & 0x7f).unwrap();
        let mut cell = vec![
            0x80 | septet(21),
            0x80 | septet(14),
            0x80 | septet(7),
            septet(0),
            1,
        ];
        // The part of the record that SQLite stores in the leaf itself.
        let fit = 39 + (long as usize - 39) % 508;
        let local = if fit <= 477 { fit } else { 39 };
        cell.extend(vec![0; local]);
        cell.extend(100_u32.to_be_bytes());
        for leaf in 0..40 {
            same_cell(&mut bytes[(2 + leaf) * 512..(3 + leaf) * 512], &cell);
        }
        for page in 99..pages {
            let next = if page + 1 == 7_000 && last != u32::MAX {
                last
            } else {
                u32::try_from(page + 2).unwrap()
            };
            bytes[page * 512..page * 512 + 4].copy_from_slice(&next.to_be_bytes());
        }
        let code = 2;
        import(name, &bytes, code);
    }
}

#[test]
fn import_sqlite_bounds_rows_that_share_a_cell() {
    let pages = 8_000;
    let mut bytes = database(pages);
    bytes[512] = 0x05;
    // A tree of two levels: each page of the second one points to a hundred leaves.
    let interior = |bytes: &mut [u8], page: usize, first: usize, count: usize| {
        let at = page * 512;
        bytes[at] = 0x05;
        bytes[at + 3..at + 5].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
        for n in 0..count {
            let cell = 200 + 4 * n;
            bytes[at + 12 + 2 * n..at + 14 + 2 * n]
                .copy_from_slice(&u16::try_from(cell).unwrap().to_be_bytes());
            bytes[at + cell..at + cell + 4]
                .copy_from_slice(&u32::try_from(first + n + 1).unwrap().to_be_bytes());
        }
    };
    interior(&mut bytes, 1, 2, 70);
    for n in 0..70 {
        interior(&mut bytes, 2 + n, 72 + 70 * n, 70);
    }
    for leaf in 72..72 + 4_900 {
        same_cell(
            &mut bytes[leaf * 512..(leaf + 1) * 512],
            b"\x07\x01\x04\x0f\x0f\x0fabc",
        );
    }
    import("shared.db", &bytes, 2);
}

#[test]
fn import_json_keeps_no_tree_of_values() {
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    import("lists.json", list("[]", 2_500_000).as_bytes(), 2);
    import("objects.json", list("{}", 2_500_000).as_bytes(), 2);
    import("small.json", list(r#"{"a":1}"#, 1_000_000).as_bytes(), 2);
    import(
        "messages.json",
        list(r#"{"role":"user","content":"a"}"#, 250_000).as_bytes(),
        2,
    );
    let parts = format!(
        r#"[{{"role":"user","content":{}}},{{"role":"user","content":"a"}}]"#,
        list("[]", 2_500_000)
    );
    import("parts.json", parts.as_bytes(), 0);
    let calls = format!(
        r#"[{{"role":"user","content":"a","tool_calls":{}}}]"#,
        list("{}", 2_500_000)
    );
    import("calls.json", calls.as_bytes(), 0);
    let deep = format!(
        r#"{{"messages":[{{"role":"user","content":{}1{}}}]}}"#,
        r#"{"text":"#.repeat(500_000),
        "}".repeat(500_000)
    );
    import("deep-text.json", deep.as_bytes(), 0);
    import("deep.json", "[".repeat(4_000_000).as_bytes(), 2);
    let keys = format!(
        r#"{{"messages":[],{}"x":1}}"#,
        r#""x":[],"#.repeat(1_000_000)
    );
    import("keys.json", keys.as_bytes(), 0);
    import(
        "empty.json",
        format!(
            r#"{{"conversations":{}}}"#,
            list(r#"{"messages":[]}"#, 300_000)
        )
        .as_bytes(),
        2,
    );
    let whole = format!(
        r#"[{{"role":"user","content":"{}"}}]"#,
        "word ".repeat(700_000)
    );
    import("one-message.json", whole.as_bytes(), 0);
    let halves = format!(
        r#"[{{"role":"user","content":"{}"}}]"#,
        r"\ud800".repeat(600_000)
    );
    import("halves.json", halves.as_bytes(), 0);
}

#[test]
fn import_chatgpt_keeps_no_tree_of_values() {
    let nodes = |node: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..200_000)
            .map(|n| format!(r#""{n}":{}"#, node(n)))
            .collect();
        format!(
            r#"[{{"current_node":"1","mapping":{{{}}}}}]"#,
            all.join(",")
        )
    };
    import(
        "empty-nodes.json",
        nodes(&|_| "{}".to_owned()).as_bytes(),
        0,
    );
    import(
        "chain.json",
        nodes(&|n| format!(r#"{{"parent":"{}"}}"#, n + 1)).as_bytes(),
        2,
    );
    let same = format!(
        r#"[{{"current_node":"1","mapping":{{{}"2":{{}}}}}}]"#,
        r#""1":{"parent":"1"},"#.repeat(200_000)
    );
    import("same-node.json", same.as_bytes(), 2);
}

#[test]
fn import_aichat_keeps_no_list_of_lines() {
    import(
        "blank.yaml",
        format!("messages:\n{}", "\n".repeat(6_000_000)).as_bytes(),
        2,
    );
    let block = format!(
        "messages:\n- role: user\n  content: |-\n{}",
        "    a\n".repeat(600_000)
    );
    import("block.yaml", block.as_bytes(), 0);
    let blank = format!(
        "messages:\n- role: user\n  content: |+\n    a\n{}",
        "\n".repeat(3_000_000)
    );
    import("blank-block.yaml", blank.as_bytes(), 0);
    let parts = format!(
        "messages:\n- role: user\n  content:\n{}",
        "    text: a\n".repeat(400_000)
    );
    import("parts.yaml", parts.as_bytes(), 0);
    import(
        "messages.yaml",
        format!(
            "messages:\n{}",
            "- role: user\n  content: a\n".repeat(200_000)
        )
        .as_bytes(),
        2,
    );
    import(
        "blocks.yaml",
        format!(
            "messages:\n{}",
            "- role: user\n  content: |\n\n".repeat(150_000)
        )
        .as_bytes(),
        2,
    );
}

#[test]
fn import_aichat_refuses_yaml_that_costs_memory() {
    let messages = "messages:\n- role: user\n  content: a\n";
    let anchors: String = (0..50_000).map(|n| format!("- &a{n} x\n")).collect();
    let aliases: String = (1..40)
        .map(|n| format!("a{n}: &a{n} [*a{}, *a{0}]\n", n - 1))
        .collect();
    let directives: String = (0..50_000).map(|n| format!("%TAG !a{n}! x\n")).collect();
    for (name, text) in [
        ("flow.yaml", format!("{messages}x: {}", "[".repeat(150_000))),
        (
            "flow-mapping.yaml",
            format!("{messages}x: {}", "{a: ".repeat(150_000)),
        ),
        (
            "nested.yaml",
            format!("{messages}x:\n{}", "- ".repeat(250_000)),
        ),
        ("keys.yaml", format!("{messages}{}", "? ".repeat(250_000))),
        ("anchors.yaml", format!("{messages}x:\n{anchors}")),
        ("aliases.yaml", format!("a0: &a0 x\n{aliases}{messages}")),
        ("directives.yaml", format!("{directives}---\n{messages}")),
        ("open.yaml", format!("{messages}x: {{---")),
        (
            "open-text.yaml",
            format!("{messages}x: \"{}", "a\n ".repeat(150_000)),
        ),
    ] {
        import(name, text.as_bytes(), 2);
    }
    for (name, text) in [
        (
            "comments.yaml",
            format!("{}{messages}", "# a\n".repeat(250_000)),
        ),
        (
            "fields.yaml",
            format!("{messages}{}", "x: a\n".repeat(150_000)),
        ),
        (
            "list.yaml",
            format!("{messages}x: [{}]\n", "a, ".repeat(150_000)),
        ),
        (
            "one-key.yaml",
            format!("{messages}? {}\n: a\n", "word ".repeat(100_000)),
        ),
    ] {
        import(name, text.as_bytes(), 0);
    }
}

#[test]
fn import_reads_every_seed_of_the_fuzz_targets() {
    use chatbot::conversations::import::{ImportSource, read_as};
    let targets = [
        ("gob", ImportSource::Mods),
        ("sqlite", ImportSource::Llm),
        ("aichat", ImportSource::Aichat),
        ("chatgpt", ImportSource::ChatGpt),
        ("json", ImportSource::Json),
    ];
    for (target, source) in targets {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(target);
        let (mut found, mut files) = (0, 0);
        for file in fs::read_dir(folder).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(bytes.len() <= 64 << 10, "a seed is small");
            files += 1;
            // A seed may be refused now. It must not yield more text than its size allows.
            let mut text_bytes = 0;
            let read = read_as(source, &bytes, &mut |one| {
                found += 1;
                text_bytes += one.messages.iter().map(|m| m.text.len()).sum::<usize>();
            });
            drop(read);
            assert!(text_bytes <= (4 << 20) + 4 * bytes.len(), "{target}");
        }
        assert!(files > 0 && found > 0, "{target}");
    }
}

/// The messages of the only conversation in a file.
fn imported_messages(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.write(name, bytes);
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout("imported 1 conversation, [..]\n")
        .check();
    let shown: serde_json::Value =
        serde_json::from_str(&sandbox.run(["history", "show", "--json"]).succeeds().stdout)
            .unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (text(&m["role"]), text(&m["text"])))
        .collect()
}

#[test]
fn import_replaces_half_of_a_surrogate_pair() {
    let halves =
        r"\ud800|\udfff|\ud83d\ude00|\ud83d\ud83d\ude00|\ude00\ud83d|\ud83dx|\\ud83d|\\\ud83d";
    let whole = "\u{fffd}|\u{fffd}|😀|\u{fffd}😀|\u{fffd}\u{fffd}|\u{fffd}x|\\ud83d|\\\u{fffd}";
    let pair = vec![
        ("user".to_owned(), whole.to_owned()),
        ("assistant".to_owned(), "an answer".to_owned()),
    ];
    let messages = format!(
        r#"[{{"role":"user","content":"{halves}","\ud83d":0}},{{"role":"assistant","content":[{{"type":"text","text":"an answer"}}]}}]"#
    );
    assert_eq!(imported_messages("list.json", &messages), pair);
    assert_eq!(
        imported_messages(
            "own.json",
            format!(r#"{{"title":"{halves}","messages":{messages}}}"#)
        ),
        pair
    );
    let node = |role: &str, text: &str, parent: &str| {
        format!(
            r#"{{"message":{{"author":{{"role":"{role}"}},"content":{{"parts":["{text}"]}}}},"parent":"{parent}"}}"#
        )
    };
    let (first, second) = (
        node("user", halves, "root"),
        node("assistant", "an answer", r"\udfff"),
    );
    let tree = format!(
        r#"[{{"title":"t","current_node":"\ud800","mapping":{{"root":{{}},"\udfff":{first},"\ud800":{second}}}}}]"#
    );
    // With their lone surrogates replaced, both names are equal, so the node is ambiguous.
    refuses_duplicate("same-name.json", tree.as_bytes(), "\u{fffd}");
    assert_eq!(
        imported_messages("tree.json", tree.replace(r#""\udfff""#, r#""first""#)),
        pair
    );
}

/// Imports a file with a duplicate field, of which nothing may be saved.
fn refuses_duplicate(name: &str, bytes: &[u8], field: &str) {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.write(name, bytes);
    let expected = format!(
        "chatbot: error: `[ROOT]/{name}` has an object with two fields named `{field}`\n\
         chatbot: hint: export the conversations again, or remove one of the two\n"
    );
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .code(2)
        .stderr(expected)
        .check();
    assert!(sandbox.conversations().is_empty(), "{name}");
}

#[test]
fn import_refuses_two_fields_of_one_name() {
    let good = r#"{"role":"user","content":"a"}"#;
    for (name, field, text) in [
        ("list.json", "content", format!(r#"[{good},{{"role":"user","content":"a","content":"b"}}]"#)),
        ("escaped.json", "role", format!(r#"[{good},{{"role":"user","content":"a","\u0072ole":"system"}}]"#)),
        ("own.json", "messages", format!(r#"{{"messages":[{good}],"messages":[]}}"#)),
        ("many.json", "title", format!(r#"[{{"messages":[{good}]}},{{"title":"a","messages":[{good}],"title":"b"}}]"#)),
        ("part.json", "text", format!(r#"[{good},{{"role":"user","content":[{{"type":"text","text":"a","text":"b"}}]}}]"#)),
        (
            "tree.json",
            "parts",
            r#"[{"current_node":"1","mapping":{"1":{"message":{"author":{"role":"user"},"content":{"parts":["a"],"parts":[]}}}}}]"#
                .to_owned(),
        ),
        ("node.json", "1", r#"[{"current_node":"1","mapping":{"1":{"parent":"2"},"1":{"parent":"3"}}}]"#.to_owned()),
    ] {
        refuses_duplicate(name, text.as_bytes(), field);
    }
    // A duplicate of a field that is not read is accepted, and `null` is no value.
    let text = r#"[{"role":"user","content":null,"x":1,"content":"a","x":2}]"#;
    assert_eq!(
        imported_messages("unread.json", text),
        [("user".to_owned(), "a".to_owned())]
    );
}

#[test]
fn import_that_does_not_fit_into_memory_is_an_error() {
    let sandbox = Sandbox::with_vault();
    let file = sandbox.write("sparse.json", "");
    // A sparse file occupies no disk space, but would be read into memory whole.
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(500 << 20)
        .unwrap();
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .limited("ulimit -d 200000")
        .code(8)
        .stderr("chatbot: error: cannot read `[ROOT]/sparse.json`: out of memory\n[..]")
        .check();
}
