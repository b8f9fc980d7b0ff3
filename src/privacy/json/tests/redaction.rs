//! Tests of what is replaced in a request, and of what stays.

use super::{EMAIL, KEY, redacted, scope};
use crate::privacy::Raw;
use crate::privacy::json::{JsonError, KindCounts, RestorePolicy};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn becomes(body: &str, expected: &str) {
    let scope = scope(RestorePolicy::All);
    for turn in ["scanned", "remembered"] {
        assert_eq!(redacted(&scope, body), expected, "{turn}");
    }
}

#[track_caller]
fn stays(body: &str) {
    becomes(body, body);
}

#[test]
fn values_are_replaced_in_every_string() {
    becomes(
        r#"{ "messages" : [ {"role":"user","content":"ask ann.miller@initech.com\n"} ] , "n":1.0e+2 }"#,
        r#"{ "messages" : [ {"role":"user","content":"ask [EMAIL_1]\n"} ] , "n":1.0e+2 }"#,
    );
    becomes(
        r#"{"ann.miller@initech.com":["ann.miller@initech.com","bob.miller@initech.com"]}"#,
        r#"{"[EMAIL_1]":["[EMAIL_1]","[EMAIL_2]"]}"#,
    );
    becomes(r#""ann.miller@initech.com""#, r#""[EMAIL_1]""#);
    // Keys may repeat, and whatever is escaped without need stays so.
    becomes(
        r#"{"a":"\u0061nn.miller\u0040initech.com","a":"\/ \u00e9 \ud83d ann.miller@initech.com \ud83d\ude00"}"#,
        r#"{"a":"[EMAIL_1]","a":"\/ \u00e9 \ud83d [EMAIL_1] \ud83d\ude00"}"#,
    );
}

#[test]
fn key_says_what_the_value_is() {
    becomes(
        r#"{"password":"hunter2x","db":{"DB_PASSWORD":"hun\"ter2x\\n9"},"passwords":["hunter2x"]}"#,
        r#"{"password":"[PASSWORD_1]","db":{"DB_PASSWORD":"[PASSWORD_2]"},"passwords":["[PASSWORD_1]"]}"#,
    );
    becomes(
        r#"{"env":[{"name":"DB_PASSWORD","value":"hunter2x"},{"name":"HOME","value":"/root"}]}"#,
        r#"{"env":[{"name":"DB_PASSWORD","value":"[PASSWORD_1]"},{"name":"HOME","value":"/root"}]}"#,
    );
    becomes(
        r#"{"args":["-v","--password","hunter2x","--port","5432"]}"#,
        r#"{"args":["-v","--password","[PASSWORD_1]","--port","5432"]}"#,
    );
}

#[test]
fn json_in_strings_is_replaced() {
    let inner = json!({"to": EMAIL, "auth": {"password": "hunter2x"}, "text": "a\n\"b\""});
    let call = json!({"name": "send", "arguments": inner.to_string()});
    let outer = json!({"input": [{"type": "function_call", "arguments": call.to_string()}]});
    let nested = json!({"content": outer.to_string()}).to_string();
    let expected = nested
        .replace(EMAIL, "[EMAIL_1]")
        .replace("hunter2x", "[PASSWORD_1]");
    becomes(&nested, &expected);
    // A number of JSON in a string becomes a string, so that it stays JSON.
    becomes(
        r#"{"arguments":"{\"card\": 4111111111111111, \"n\": 12}"}"#,
        r#"{"arguments":"{\"card\": \"[CREDIT_CARD_1]\", \"n\": 12}"}"#,
    );
    // JSON with a mistake is text.
    becomes(
        r#"{"arguments":"{\"to\": \"ann.miller@initech.com\","}"#,
        r#"{"arguments":"{\"to\": \"[EMAIL_1]\","}"#,
    );
}

#[test]
fn placeholders_in_text_stay() {
    let scope = scope(RestorePolicy::All);
    assert_eq!(
        redacted(
            &scope,
            r#"["bob.miller@initech.com","see [EMAIL_1] and [EMAIL_7]"]"#
        ),
        r#"["[EMAIL_8]","see [EMAIL_1] and [EMAIL_7]"]"#
    );
    assert_eq!(
        redacted(&scope, r#"["ann.miller@initech.com","[EMAIL_8]"]"#),
        r#"["[EMAIL_9]","[EMAIL_8]"]"#
    );
    // The number of a placeholder in a signed thought is reserved, too.
    let thought = r#"{"type":"thinking","thinking":"of [PHONE_3]","signature":"c2ln"}"#;
    assert_eq!(
        redacted(&scope, &format!(r#"[{thought},"call 415-555-2671"]"#)),
        format!(r#"[{thought},"call [PHONE_4]"]"#)
    );
}

#[test]
fn signed_and_encrypted_blocks_stay() {
    let long = KEY.repeat(4).replace('_', "");
    stays(&format!(
        r#"{{"content":[{{"type":"thinking","thinking":"mail {EMAIL}, password: hunter2x","signature":"Zm9v{KEY}"}}]}}"#
    ));
    stays(&format!(
        r#"[{{"thinking":"{EMAIL}","signature":"Zm9v","type":"thinking"}},{{"type":"redacted_thinking","data":"{KEY}"}}]"#
    ));
    stays(&format!(
        r#"{{"type":"reasoning","summary":[],"encrypted_content":"gAAAA{long}"}}"#
    ));
    stays(&format!(
        r#"{{"parts":[{{"functionCall":{{"name":"a","args":{{}}}},"thoughtSignature":"{long}"}}]}}"#
    ));
    // A thought without a signature, and a text that says it is one, are not signed.
    becomes(
        r#"[{"type":"thinking","thinking":"ann.miller@initech.com"},{"type":"thinking","thinking":"ann.miller@initech.com","signature":""}]"#,
        r#"[{"type":"thinking","thinking":"[EMAIL_1]"},{"type":"thinking","thinking":"[EMAIL_1]","signature":""}]"#,
    );
    becomes(
        r#"{"signature":"ann.miller@initech.com","text":"{\"type\":\"thinking\",\"thinking\":\"ann.miller@initech.com\",\"signature\":\"Zm9v\"}"}"#,
        r#"{"signature":"[EMAIL_1]","text":"{\"type\":\"thinking\",\"thinking\":\"[EMAIL_1]\",\"signature\":\"Zm9v\"}"}"#,
    );
}

#[test]
fn payloads_stay_and_documents_do_not() {
    let payload = "4111111111111111".repeat(5);
    stays(&format!(
        r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{payload}"}}}},{{"type":"input_audio","input_audio":{{"data":"{payload}","format":"wav"}}}}]"#
    ));
    stays(&format!(
        r#"{{"source":{{"type":"base64","media_type":"application/pdf","data":"{payload}"}},"inlineData":{{"mimeType":"image/png","data":"{payload}"}}}}"#
    ));
    stays(&format!(
        r#"{{"output":"{{\"data\":\"iVBORw0KGgo{payload}\"}}"}}"#
    ));
    becomes(
        r#"{"source":{"type":"text","media_type":"text/plain","data":"ann.miller@initech.com"},"image_url":"data:image/png;base64,ann.miller@initech.com"}"#,
        r#"{"source":{"type":"text","media_type":"text/plain","data":"[EMAIL_1]"},"image_url":"data:image/png;base64,[EMAIL_1]"}"#,
    );
}

#[test]
fn ids_of_the_api_stay() {
    stays(
        r#"{"id":"msg_01XFDUDYJgAACzvnptVvoYEL","model":"claude-opus-4-5-20261101","tool_call_id":"call_62136354a9b8c7d6e5f41234","previous_response_id":"resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b","tool_use_id":"toolu_01D7FLrfh4GYq7yT1ULFeyMV","container_id":"0190a8f2-5d3b-7c41-9e1f-3b2a4c5d6e7f","x":"call_4155552671415555"}"#,
    );
    becomes(
        &format!(r#"{{"id":"{KEY}","user_id":"ann.miller@initech.com"}}"#),
        r#"{"id":"[API_KEY_1]","user_id":"[EMAIL_1]"}"#,
    );
}

#[test]
fn malformed_bodies_are_refused() {
    for (body, at) in [
        ("", 0),
        (" ", 1),
        ("{", 1),
        ("[1,]", 3),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{a:1}", 1),
        ("[1 2]", 3),
        ("1 2", 2),
        ("[1}", 2),
        ("]", 0),
        ("{]", 1),
        ("\u{feff}{}", 0),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("\"\\x\"", 1),
        ("\"\\u12g4\"", 1),
        ("01", 0),
        ("-", 0),
        ("1.", 0),
        ("1e", 0),
        ("nul", 0),
        ("NaN", 0),
        ("'a'", 0),
    ] {
        let error = scope(RestorePolicy::All).redact_body(body.as_bytes().to_vec());
        assert_eq!(error.unwrap_err(), JsonError::Syntax { at }, "{body:?}");
    }
    let broken = scope(RestorePolicy::All).redact_body(b"\"a\xff\"".to_vec());
    assert_eq!(broken.unwrap_err(), JsonError::Syntax { at: 2 });
    let deep = |depth: usize| ("[".repeat(depth) + &"]".repeat(depth)).into_bytes();
    let accepted = scope(RestorePolicy::All).redact_body(deep(256));
    assert_eq!(accepted.unwrap().0.as_bytes(), deep(256));
    let refused = scope(RestorePolicy::All).redact_body(deep(257));
    assert_eq!(refused.unwrap_err(), JsonError::TooDeep { at: 256 });
}

#[test]
fn card_numbers_without_quotes_are_refused() {
    for (body, at) in [
        (
            r#"{"messages":[{"content":[{"input":{"card":4111111111111111}}]}]}"#,
            42,
        ),
        (r#"{"input":[4111111111111111]}"#, 10),
        (
            r#"{"contents":[{"parts":[{"functionCall":{"args":{"n":378282246310005}}}]}]}"#,
            52,
        ),
    ] {
        let error = scope(RestorePolicy::All).redact_body(body.as_bytes().to_vec());
        assert_eq!(
            error.unwrap_err(),
            JsonError::PrivateNumber { at },
            "{body}"
        );
    }
    // Settings, ids, and what only looks like one.
    stays(r#"{"seed":4111111111111111,"metadata":{"n":4111111111111111}}"#);
    stays(
        r#"{"messages":[{"id":4111111111111111,"user_id":4111111111111111,"at":1732999999999,"n":4111111111111112,"x":-4111111111111111,"y":4.111111111111111e15}]}"#,
    );
}

#[test]
fn odd_spellings_stay() {
    stays(
        "\t{\"a\":1E400,\"a\":-0.0e-0,\"b\":123456789012345678901234567890,\"\":\"\\u0000\\ud800\",\"c\":[true,false,null,{},[]]}\r\n ",
    );
}

#[test]
fn summary_counts_new_values() {
    let scope = scope(RestorePolicy::All);
    let counts = |counts: &KindCounts| {
        let counts = counts.iter().map(|(kind, n)| format!("{kind} {n}"));
        counts.collect::<Vec<_>>().join(", ")
    };
    let summary = |body: &str| {
        let summary = scope.redact_body(body.as_bytes().to_vec()).unwrap().1;
        (counts(&summary.all), counts(&summary.new))
    };
    let first = format!(r#"["{EMAIL}","{KEY} {EMAIL}"]"#);
    let second = format!(r#"["{EMAIL}","{KEY} {EMAIL}","call 415-555-2671"]"#);
    let all = |text: &str| (text.to_owned(), text.to_owned());
    assert_eq!(summary(&first), all("EMAIL 2, API_KEY 1"));
    assert_eq!(
        summary(&second),
        (
            "EMAIL 2, API_KEY 1, PHONE 1".to_owned(),
            "PHONE 1".to_owned()
        )
    );
}

#[test]
fn plain_text_gets_the_same_placeholders() {
    let scope = scope(RestorePolicy::All);
    let (text, findings) = scope.redact_text(Raw::from(format!("to {EMAIL}").as_str()));
    assert_eq!((text.as_str(), findings.len()), ("to [EMAIL_1]", 1));
    assert_eq!(
        redacted(&scope, &format!(r#"["{EMAIL}"]"#)),
        r#"["[EMAIL_1]"]"#
    );
}

/// Requests as clients send them, of every protocol.
const REQUESTS: &[&str] = &[
    r#"{"model":"gpt-x","messages":[{"role":"developer","content":"a","name":"b"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"d","detail":"auto"}},{"type":"file","file":{"file_data":"e","filename":"f"}}]},{"role":"assistant","content":null,"refusal":"g","tool_calls":[{"id":"h","type":"function","function":{"name":"i","arguments":"{\"j\":\"k\",\"l\":{\"m\":[\"n\"]}}"}}]},{"role":"tool","tool_call_id":"o","content":"{\"p\":\"q\"}"}],"tools":[{"type":"function","function":{"name":"r","description":"s","parameters":{"type":"object","properties":{"t":{"type":"string","description":"u","enum":["v"]}}}}}],"metadata":{"w":"x"},"user":"y","stop":["z"],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}},"prediction":{"type":"content","content":"b"}}"#,
    r#"{"model":"gpt-x","instructions":"a","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"b"},{"type":"input_image","image_url":"c"},{"type":"input_file","filename":"d","file_data":"e"}]},{"type":"function_call","call_id":"f","name":"g","arguments":"{\"h\":\"i\"}"},{"type":"function_call_output","call_id":"j","output":"k"},{"type":"custom_tool_call","call_id":"l","name":"m","input":"n"},{"type":"local_shell_call","action":{"type":"exec","command":["o","p"],"env":{"q":"r"},"working_directory":"s"}},{"type":"reasoning","summary":[{"type":"summary_text","text":"t"}]}],"text":{"format":{"type":"text"}},"metadata":{"u":"v"},"prompt_cache_key":"w","tools":[{"type":"mcp","server_url":"x","headers":{"y":"z"}}]}"#,
    r#"{"model":"claude-x","max_tokens":1,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"b"},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"tool_use","id":"d","name":"e","input":{"f":"g","h":[{"i":"j"}]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"k","content":[{"type":"text","text":"l"}],"is_error":false},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"m"},"title":"n","context":"o"}]}],"tools":[{"name":"p","description":"q","input_schema":{"type":"object","properties":{"r":{"description":"s"}}}}],"metadata":{"user_id":"t"},"stop_sequences":["u"],"mcp_servers":[{"url":"v","authorization_token":"w"}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"text/plain","data":"b"}},{"fileData":{"fileUri":"c"}}]},{"role":"model","parts":[{"functionCall":{"name":"d","args":{"e":"f"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"h":"i"}}}]}],"systemInstruction":{"parts":[{"text":"j"}]},"tools":[{"functionDeclarations":[{"name":"k","description":"l","parameters":{"properties":{"m":{"description":"n"}}}}]}],"labels":{"o":"p"}}"#,
    r#"{"model":"a","prompt":["b","c"],"suffix":"d","input":["e"],"voice":{"id":"f"},"instructions":"g"}"#,
];

/// Every string of a document, its keys included, with the canary.
fn with_canary(value: &Value, canary: &str, place: &mut usize, wanted: usize) -> Value {
    let mut string = |text: &str| {
        *place += 1;
        if *place - 1 == wanted {
            format!("{text} {canary}")
        } else {
            text.to_owned()
        }
    };
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ Value::Object(_)) => {
                Value::String(with_canary(&inner, canary, place, wanted).to_string())
            }
            _ => Value::String(string(text)),
        },
        Value::Array(values) => values
            .iter()
            .map(|value| with_canary(value, canary, place, wanted))
            .collect(),
        Value::Object(members) => {
            let mut out = serde_json::Map::new();
            for (key, value) in members {
                let key = {
                    *place += 1;
                    if *place - 1 == wanted {
                        format!("{key} {canary}")
                    } else {
                        key.clone()
                    }
                };
                out.insert(key, with_canary(value, canary, place, wanted));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

#[test]
fn canary_is_replaced_in_every_string_of_every_request() {
    let scope = scope(RestorePolicy::All);
    redacted(&scope, &format!(r#"["{KEY}"]"#));
    let mut places = 0;
    for request in REQUESTS {
        let request: Value = serde_json::from_str(request).unwrap();
        assert_eq!(redacted(&scope, &request.to_string()), request.to_string());
        for wanted in 0.. {
            let mut place = 0;
            let body = with_canary(&request, KEY, &mut place, wanted).to_string();
            if wanted >= place {
                break;
            }
            places += 1;
            assert!(body.contains(KEY));
            assert_eq!(redacted(&scope, &body), body.replace(KEY, "[API_KEY_1]"));
        }
    }
    assert!(places > 300, "{places}");
}

/// Documents with and without private values.
fn documents() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        4 => "\\PC{0,8}",
        2 => prop::sample::select(&["password", "content", "text", "id", "a\n\"b\"\\", "type", "name", "value"][..])
            .prop_map(str::to_owned),
        1 => Just(format!("ask {EMAIL} about {KEY}")),
        1 => Just("hunter2x".to_owned()),
        1 => Just(json!({"to": EMAIL, "n": [1, "x"]}).to_string()),
    ];
    let leaf = prop_oneof![
        4 => text.clone().prop_map(Value::String),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// With the values put back, a redacted body is the body, byte for byte.
    #[test]
    fn everything_else_stays(document in documents(), pretty in any::<bool>()) {
        let scope = scope(RestorePolicy::All);
        let body = if pretty {
            serde_json::to_string_pretty(&document).unwrap()
        } else {
            document.to_string()
        };
        let redacted_body = redacted(&scope, &body);
        prop_assert!(!redacted_body.contains(EMAIL) && !redacted_body.contains(KEY));
        prop_assert!(serde_json::from_str::<Value>(&redacted_body).is_ok());
        let values = scope.values.read().unwrap();
        let mut back = redacted_body.clone();
        for (name, _) in values.table.list() {
            let index = values.table.index_of(name.trim_matches(['[', ']'])).unwrap();
            let value = values.table.at(index).unwrap().value().to_owned();
            let encoded = serde_json::to_string(&value).unwrap();
            back = back.replace(&name, encoded.trim_matches('"'));
        }
        let back: Value = serde_json::from_str(&back).unwrap();
        prop_assert_eq!(back, document);
    }

    /// No bytes make it panic, and what it accepts is what others call JSON.
    #[test]
    fn any_bytes_are_json_or_refused(
        bytes in prop::collection::vec(prop::sample::select(&b"{}[]\"\"\\,,::0123456789-+.eEtrufalsn \n\xc3\xa9\x00u/"[..]), 0..24),
        noise in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        for bytes in [bytes, noise] {
            let accepted = scope(RestorePolicy::All).redact_body(bytes.clone());
            let expected = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes);
            prop_assert_eq!(accepted.is_ok(), expected.is_ok(), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
