//! Tests of the redaction and restoring of JSON bodies.

mod cache;
mod forms;
mod redaction;
mod restoring;
mod streams;

use super::{JsonScope, RestorePolicy};
use crate::privacy::{Policy, Redactor};
use std::sync::Arc;

/// A key of a known form.
const KEY: &str = "ghp_x7Kd92mQpL4vT8nRwZ3bYc6HsJ1fGa5eUoi0";
const EMAIL: &str = "ann.miller@initech.com";

fn scope(policy: RestorePolicy) -> JsonScope {
    JsonScope::new(Arc::new(Redactor::new(&Policy::default()).unwrap()), policy)
}

fn redacted(scope: &JsonScope, body: &str) -> String {
    let (redacted, _) = scope.redact_body(body.as_bytes().to_vec()).unwrap();
    String::from_utf8(redacted.into_bytes()).unwrap()
}

fn restored(scope: &JsonScope, body: &str) -> String {
    String::from_utf8(scope.restore_body(body.as_bytes()).0).unwrap()
}

/// A scope that knows [`EMAIL`], [`KEY`] and the password `hunter2"\x`, as 1 of their kinds.
fn scope_with_values(policy: RestorePolicy) -> JsonScope {
    let scope = scope(policy);
    let body = serde_json::json!({"a": EMAIL, "b": KEY, "password": "hunter2\"\\x"}).to_string();
    assert_eq!(
        redacted(&scope, &body),
        r#"{"a":"[EMAIL_1]","b":"[API_KEY_1]","password":"[PASSWORD_1]"}"#
    );
    scope
}
