//! Answers of the built-in demo to tokens of its kind, in each protocol. Nothing is sent.

use crate::proxy::body::ReplyBody;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::RequestFacts;
use crate::proxy::routes::{Api, Route};
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

/// The name of the model in its answers.
const MODEL: &str = "demo";
const TEXT: &str = "This is the demo of the chatbot proxy. Nothing was sent to a provider.";

/// The answer to a request.
pub(super) fn answer(
    route: &Route,
    facts: &RequestFacts,
    body: &[u8],
) -> Result<Response<ReplyBody>, Refusal> {
    let events = match (route.api, route.name, facts.is_streamed) {
        (_, "models" | "model", _) => return Ok(whole(&models())),
        (_, "count_tokens", _) => {
            let tokens = body.len().div_ceil(4);
            return Ok(whole(&match route.api {
                Api::Google => json!({ "totalTokens": tokens }),
                Api::OpenAi | Api::Anthropic => json!({ "input_tokens": tokens }),
            }));
        }
        (Api::OpenAi, "chat", false) => return Ok(whole(&chat_completion())),
        (Api::OpenAi, "chat", true) => chat_events(),
        (Api::OpenAi, "responses", false) => return Ok(whole(&response("completed"))),
        (Api::OpenAi, "responses", true) => response_events(),
        (Api::Anthropic, "messages", false) => return Ok(whole(&message())),
        (Api::Anthropic, "messages", true) => message_events(),
        (Api::Google, "generate", false) => return Ok(whole(&candidates(TEXT, true))),
        (Api::Google, "generate", true) => {
            let words = TEXT.split_inclusive(' ');
            let mut events: Vec<(Option<&str>, Value)> =
                words.map(|word| (None, candidates(word, false))).collect();
            events.push((None, candidates("", true)));
            events
        }
        _ => {
            return Err(Refusal::new(
                403,
                "not_in_demo",
                "the demo does not answer this kind of request",
            ));
        }
    };
    let mut stream = String::new();
    for (name, data) in events {
        if let Some(name) = name {
            stream += &format!("event: {name}\n");
        }
        stream += &format!("data: {data}\n\n");
    }
    if route.name == "chat" {
        stream += "data: [DONE]\n\n";
    }
    Ok(with_type(stream, "text/event-stream"))
}

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn whole(value: &Value) -> Response<ReplyBody> {
    with_type(value.to_string(), "application/json")
}

fn with_type(body: String, content_type: &'static str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    let value = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": MODEL, "object": "model", "created": 0, "owned_by": "chatbot" }] })
}

fn chat_completion() -> Value {
    json!({
        "id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": MODEL,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": TEXT }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 15, "total_tokens": 16 },
    })
}

fn chat_events() -> Vec<(Option<&'static str>, Value)> {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({
            "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0, "model": MODEL,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        })
    };
    let mut events = vec![(
        None,
        chunk(json!({ "role": "assistant", "content": "" }), None),
    )];
    let words = TEXT.split_inclusive(' ');
    events.extend(words.map(|word| (None, chunk(json!({ "content": word }), None))));
    events.push((None, chunk(json!({}), Some("stop"))));
    events
}

fn response(status: &str) -> Value {
    let output = json!([{
        "type": "message", "id": "msg_demo", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": TEXT, "annotations": [] }],
    }]);
    json!({
        "id": "resp_demo", "object": "response", "created_at": 0, "status": status, "model": MODEL,
        "output": if status == "completed" { output } else { json!([]) },
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": { "input_tokens": 1, "output_tokens": 15, "total_tokens": 16 },
    })
}

fn response_events() -> Vec<(Option<&'static str>, Value)> {
    let place = |mut event: Value, kind: &str| {
        for (name, value) in [
            ("type", json!(kind)),
            ("item_id", json!("msg_demo")),
            ("output_index", json!(0)),
            ("content_index", json!(0)),
        ] {
            set(&mut event, name, value);
        }
        event
    };
    let item = json!({ "type": "message", "id": "msg_demo", "role": "assistant", "status": "in_progress", "content": [] });
    let mut events = vec![
        (
            Some("response.created"),
            json!({ "type": "response.created", "response": response("in_progress") }),
        ),
        (
            Some("response.output_item.added"),
            json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
        ),
    ];
    for word in TEXT.split_inclusive(' ') {
        let event = place(json!({ "delta": word }), "response.output_text.delta");
        events.push((Some("response.output_text.delta"), event));
    }
    let done = place(json!({ "text": TEXT }), "response.output_text.done");
    events.push((Some("response.output_text.done"), done));
    let completed = json!({ "type": "response.completed", "response": response("completed") });
    events.push((Some("response.completed"), completed));
    for (number, (_, event)) in events.iter_mut().enumerate() {
        set(event, "sequence_number", json!(number));
    }
    events
}

fn message() -> Value {
    json!({
        "id": "msg_demo", "type": "message", "role": "assistant", "model": MODEL,
        "content": [{ "type": "text", "text": TEXT }],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 15 },
    })
}

fn message_events() -> Vec<(Option<&'static str>, Value)> {
    let mut begun = message();
    set(&mut begun, "content", json!([]));
    set(&mut begun, "stop_reason", Value::Null);
    let mut events = vec![
        (
            Some("message_start"),
            json!({ "type": "message_start", "message": begun }),
        ),
        (
            Some("content_block_start"),
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        ),
    ];
    for word in TEXT.split_inclusive(' ') {
        events.push((
            Some("content_block_delta"),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": word } }),
        ));
    }
    events.push((
        Some("content_block_stop"),
        json!({ "type": "content_block_stop", "index": 0 }),
    ));
    events.push((
        Some("message_delta"),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 15 } }),
    ));
    events.push((Some("message_stop"), json!({ "type": "message_stop" })));
    events
}

fn candidates(text: &str, is_last: bool) -> Value {
    let mut candidate =
        json!({ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } });
    if is_last {
        set(&mut candidate, "finishReason", json!("STOP"));
    }
    json!({
        "candidates": [candidate], "modelVersion": MODEL, "responseId": "demo",
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 15, "totalTokenCount": 16 },
    })
}
