//! Tests of the import from `mods`.

use super::*;

/// Encodes as Go does: an integer, a text, a message with its length.
fn number(n: i64, out: &mut Vec<u8>) {
    let whole = if n < 0 {
        (u64::try_from(!n).unwrap() << 1) | 1
    } else {
        u64::try_from(n).unwrap() << 1
    };
    length(whole, out);
}

fn length(whole: u64, out: &mut Vec<u8>) {
    if whole < 0x80 {
        out.push(u8::try_from(whole).unwrap());
    } else {
        let bytes: Vec<u8> = whole
            .to_be_bytes()
            .into_iter()
            .skip_while(|b| *b == 0)
            .collect();
        out.push(0_u8.wrapping_sub(u8::try_from(bytes.len()).unwrap()));
        out.extend(bytes);
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    length(text.len() as u64, out);
    out.extend(text.as_bytes());
}

fn message(body: &[u8], out: &mut Vec<u8>) {
    length(body.len() as u64, out);
    out.extend(body);
}

/// The definition of `type Name struct { … }` or `[]Of` with an id.
fn defined(id: i64, name: &str, fields: &[(&str, i64)], of: Option<i64>, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    number(-id, &mut body);
    // The field of `wireType`, then `CommonType`: its name, if it has one, and its id.
    body.extend([if of.is_some() { 2 } else { 3 }, 1]);
    if name.is_empty() {
        body.push(2);
    } else {
        body.push(1);
        text(name, &mut body);
        body.push(1);
    }
    number(id, &mut body);
    body.push(0);
    body.push(1);
    match of {
        Some(of) => number(of, &mut body),
        None => {
            length(fields.len() as u64, &mut body);
            for (name, of) in fields {
                body.push(1);
                text(name, &mut body);
                body.push(1);
                number(*of, &mut body);
                body.push(0);
            }
        }
    }
    body.extend([0, 0]);
    message(&body, out);
}

/// What `gob.NewEncoder(w).Encode(&messages)` writes for messages of `mods`.
pub(super) fn kept(said: &[(&str, &str)]) -> Vec<u8> {
    let mut file = Vec::new();
    defined(65, "", &[], Some(66), &mut file);
    defined(
        66,
        "Message",
        &[("Role", 6), ("Content", 6), ("ToolCalls", 67)],
        None,
        &mut file,
    );
    defined(67, "[]proto.ToolCall", &[], Some(68), &mut file);
    defined(
        68,
        "ToolCall",
        &[("ID", 6), ("Function", 69), ("IsError", 1)],
        None,
        &mut file,
    );
    defined(
        69,
        "Function",
        &[("Name", 6), ("Arguments", 5)],
        None,
        &mut file,
    );
    let mut body = Vec::new();
    number(65, &mut body);
    body.push(0);
    length(said.len() as u64, &mut body);
    for (role, content) in said {
        body.push(1);
        text(role, &mut body);
        if content.is_empty() {
            // Empty fields are not written; tool calls are.
            body.extend([2, 1]);
            for part in [
                b"\x01\x02id\x01".as_slice(),
                b"\x01\x03run\x01\x02{}\x00",
                b"\x01\x01\x00",
            ] {
                body.extend(part);
            }
        } else {
            body.push(1);
            text(content, &mut body);
        }
        body.push(0);
    }
    message(&body, &mut file);
    file
}

#[test]
fn import_gob_documentation_example() {
    let point = b"\x1f\xff\x81\x03\x01\x01\x05Point\x01\xff\x82\x00\x01\x02\x01\x01X\x01\x04\x00\x01\x01Y\x01\x04\x00\x00\x00\x07\xff\x82\x01\x2c\x01\x42\x00";
    // A record instead of a list: its definition is read, and then it is refused.
    let mut seen = 0;
    let read = gob::records(point, ["X", "Y"], &mut |_| {
        seen += 1;
        Some(())
    });
    assert_eq!((read, seen), (None, 0));
}

#[test]
fn import_mods_conversation() {
    let long = "an answer ".repeat(5000);
    let file = kept(&[
        ("system", "be brief"),
        ("user", "hi \u{fc}"),
        ("assistant", ""),
        ("tool", "{}"),
        ("assistant", &long),
    ]);
    let found = read(&file).unwrap();
    let said: Vec<_> = found
        .messages
        .iter()
        .map(|m| (m.role, m.text.printable()))
        .collect();
    assert_eq!(
        said,
        [
            (Role::System, "be brief".to_owned()),
            (Role::User, "hi \u{fc}".to_owned()),
            (Role::Assistant, long)
        ]
    );
}

#[test]
fn import_mods_survives_corruption() {
    let file = kept(&[("user", "hi"), ("assistant", ""), ("assistant", "hello")]);
    for end in 0..file.len() {
        assert!(read(&file[..end]).is_err(), "{end}");
    }
    for at in 0..file.len() {
        for mask in [1, 0x7f, 0x80, 0xff] {
            let mut file = file.clone();
            file[at] ^= mask;
            drop(read(&file));
        }
    }
}
