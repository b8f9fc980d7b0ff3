//! Tests of error responses.

use super::*;

#[test]
fn error_body_all_shapes() {
    for (body, message, code) in [
        (
            r#"{"error":{"code":401,"message":"User not found."}}"#,
            "User not found.",
            "401",
        ),
        (
            r#"{"error":{"message":"No","type":"x","param":null,"code":"invalid_api_key"}}"#,
            "No",
            "invalid_api_key",
        ),
        (
            r#"{"error":{"message":"No","type":"insufficient_quota","param":null,"code":null}}"#,
            "No",
            "insufficient_quota",
        ),
        (r#"{"error":"model not found"}"#, "model not found", ""),
        (r#"{"detail":"Not Found"}"#, "Not Found", ""),
        (
            r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
            "field required",
            "",
        ),
        (
            r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
            "API key not valid.",
            "400",
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "Overloaded",
            "overloaded_error",
        ),
        (r#"{"message":"no Route matched"}"#, "no Route matched", ""),
        (
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"too long\"}}"}}}"#,
            "too long",
            "400",
        ),
        (r#"{"error":{"error_type":"x","http_status":500}}"#, "", ""),
        ("upstream connect error", "upstream connect error", ""),
        ("null", "", ""),
        ("", "", ""),
    ] {
        let refusal = ErrorBody::read(body.as_bytes());
        assert_eq!(
            (refusal.message.as_str(), refusal.code.as_str()),
            (message, code),
            "{body}"
        );
    }
    assert!(ErrorBody::read(b"\n <!doctype html>").is_html);
}

#[test]
fn error_body_privacy_or_missing_model() {
    let restricted = |by: &str| {
        format!(
            r#"{{"error":{{"code":404,"message":"No","availability":{{"code":"privacy_restricted","excluded_by":["{by}"]}}}}}}"#
        )
    };
    assert_eq!(
        ErrorBody::read(restricted("data_policy:zdr").as_bytes()).privacy,
        Some(PrivacyRefusal::Zdr)
    );
    assert_eq!(
        ErrorBody::read(restricted("data_policy:training").as_bytes()).privacy,
        Some(PrivacyRefusal::DataCollection)
    );
    let older =
        r#"{"error":{"message":"No endpoints found matching your data policy","code":404}}"#;
    assert_eq!(
        ErrorBody::read(older.as_bytes()).kind(404, None),
        ProviderErrorKind::PrivacyRestricted
    );
    assert_eq!(
        ErrorBody::read(b"{}").kind(404, None),
        ProviderErrorKind::NotFound
    );
}

#[test]
fn error_body_quota_is_not_rate_limit() {
    let quota = ErrorBody::read(br#"{"error":{"message":"x","code":"insufficient_quota"}}"#);
    assert_eq!(quota.kind(429, None), ProviderErrorKind::NoCredit);
    assert_eq!(
        ErrorBody::default().kind(429, None),
        ProviderErrorKind::RateLimited { retry_after: None }
    );
    assert_eq!(
        ErrorBody::read(br#"[{"error":{"code":400,"message":"API key not valid."}}]"#)
            .kind(400, None),
        ProviderErrorKind::InvalidKey
    );
}
