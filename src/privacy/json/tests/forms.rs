//! Tests of forms, in pieces of any size.

use super::scope;
use crate::privacy::json::form::{FormRedactor, MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEAD_BYTES};
use crate::privacy::json::{JsonError, RestorePolicy};
use std::sync::Arc;

fn form() -> FormRedactor {
    FormRedactor::new(Arc::new(scope(RestorePolicy::All)), "xyz")
}

/// A form in pieces of this size, and the model before its file.
fn redact(body: &str, size: usize) -> Result<(String, Option<String>), JsonError> {
    let mut form = form();
    let mut out = Vec::new();
    for piece in body.as_bytes().chunks(size) {
        out.extend(form.push(piece)?.into_bytes());
    }
    form.finish()?;
    let model = form.model().map(str::to_owned);
    Ok((String::from_utf8(out).unwrap(), model))
}

fn field(name: &str, text: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

const FILE: &str = "--xyz\r\ncontent-disposition: form-data; filename=\"a\\\"; name=x.wav\"; name=file\r\nContent-Type: audio/wav\r\n\r\nbob.miller@initech.com \x01\r\n--xy\r\n";

#[test]
fn form_fields_are_redacted_and_files_are_not() {
    let named = field("f\"; filename=\"bob.miller@initech.com", "x");
    let prompt = field("prompt", "ask bob.miller@initech.com");
    let model = field("model", "whisper-1");
    let replaced = |text: &str| text.replace("bob.miller@initech.com", "[EMAIL_1]");
    let early = Some(String::from("whisper-1"));
    for (form, redacted, name) in [
        (named.clone(), replaced(&named), None),
        (
            format!("{model}{FILE}{prompt}"),
            format!("{model}{FILE}{}", replaced(&prompt)),
            early.clone(),
        ),
        // Only what stands before the file is known before it is sent.
        (format!("{FILE}{model}"), format!("{FILE}{model}"), None),
    ] {
        for end in ["--xyz--", "--xyz--\r\n"] {
            for size in (1..form.len()).chain([1 << 20]) {
                let result = redact(&format!("{form}{end}"), size);
                assert_eq!(
                    result,
                    Ok((format!("{redacted}{end}"), name.clone())),
                    "{size}"
                );
            }
        }
    }
}

#[test]
fn form_that_can_be_read_in_two_ways_is_refused() {
    let head = |lines: &str| format!("--xyz\r\n{lines}\r\n\r\nx\r\n--xyz--");
    let model = field("model", "a");
    for broken in [
        String::new(),
        String::from("bob.miller@initech.com"),
        String::from("bob.miller@initech.com\r\n--xyz--"),
        String::from("--xyz\r\n\r\nx"),
        String::from("--xyz\r\nno end of the head"),
        String::from("--xyz--\r\nbob.miller@initech.com"),
        field("prompt", "x"),
        FILE.to_owned(),
        format!("{}--xyz--", field("a", "x").repeat(MAX_FIELDS + 1)),
        format!("{}--xyz--", field("a", &"x".repeat(MAX_FIELD_BYTES + 1))),
        format!("{model}{FILE}{model}--xyz--"),
        head(""),
        head("content-type: a/b"),
        head("content-disposition: form-data"),
        head("content-disposition: attachment; name=\"a\""),
        head("content-disposition: form-data; name=\"a\"; name=\"model\""),
        head("content-disposition: form-data; name*=utf-8''model"),
        head("content-disposition: form-data; name=\"a"),
        head("content-disposition: form-data; name=\"a\" name=\"model\""),
        head(
            "content-disposition: form-data; name=\"a\"\ncontent-disposition: form-data; name=\"model\"",
        ),
        head("content-disposition: form-data; name=\"a\"\r\n ; filename=\"b\""),
        head(
            "content-disposition: form-data; name=\"a\"\r\ncontent-disposition: form-data; name=\"model\"",
        ),
        head(&format!(
            "content-disposition: form-data; name=\"{}\"",
            "a".repeat(MAX_HEAD_BYTES)
        )),
        head("content-disposition: form-data; name=\"a\"\r\n--xyz"),
    ] {
        for size in [1, 7, 1 << 20] {
            assert!(redact(&broken, size).is_err(), "{size} {broken}");
        }
    }
}

#[test]
fn form_with_a_large_file_is_not_held() {
    let mut form = form();
    let (begin, _) = FILE.split_once("\r\n\r\n").unwrap();
    form.push(begin.as_bytes()).unwrap();
    form.push(b"\r\n\r\n").unwrap();
    let piece = vec![b'\r'; 1 << 16];
    let mut waiting = 0;
    for _ in 0..100 {
        let sent = form.push(&piece).unwrap();
        waiting = waiting + piece.len() - sent.as_bytes().len();
        assert!(waiting < "\r\n--xyz".len());
    }
}
