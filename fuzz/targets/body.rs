#![no_main]

use chatbot::privacy::json::{JsonScope, RestorePolicy};
use chatbot::{Policy, Redactor};
use std::sync::{Arc, LazyLock};

static REDACTOR: LazyLock<Arc<Redactor>> =
    LazyLock::new(|| Arc::new(Redactor::new(&Policy::default()).unwrap()));

// The bytes are a body and a stream. A body gets the same placeholders twice, and a stream does not
// depend on the cut.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let scope = JsonScope::new(Arc::clone(&REDACTOR), RestorePolicy::All);
    let known = br#"{"a":"ann@initech.com","password":"hunter2\"x"}"#;
    scope.redact_body(known.to_vec()).unwrap();
    let first = scope
        .redact_body(bytes.to_vec())
        .map(|(body, _)| body.into_bytes());
    let second = scope
        .redact_body(bytes.to_vec())
        .map(|(body, _)| body.into_bytes());
    assert_eq!(first, second);
    drop(scope.restore_body(bytes));
    let restored = |cut: usize| {
        let (mut restorer, mut out) = (scope.restore_stream(), Vec::new());
        let (before, after) = bytes.split_at(cut);
        restorer.push(before, &mut out);
        restorer.push(after, &mut out);
        let held_back = restorer.finish(&mut out);
        (out, held_back)
    };
    let cut = bytes
        .first()
        .map_or(0, |first| usize::from(*first) % bytes.len());
    assert_eq!(restored(cut), restored(0));
});
