//! Tests of the redactor.

use super::*;

fn redacted(policy: &Policy, text: &str) -> String {
    let redactor = Redactor::new(policy).unwrap();
    redactor
        .redact(Raw::from(text), &mut Placeholders::default())
        .0
        .as_str()
        .to_owned()
}

#[test]
fn placeholder_is_stable_per_value() {
    let redactor = Redactor::new(&Policy::default()).unwrap();
    let mut table = Placeholders::default();
    let mut say = |text: &str| {
        redactor
            .redact(Raw::from(text), &mut table)
            .0
            .as_str()
            .to_owned()
    };
    assert_eq!(
        say("ask ann@initech.com or bob@initech.com"),
        "ask [EMAIL_1] or [EMAIL_2]"
    );
    assert_eq!(say("bob@initech.com it is"), "[EMAIL_2] it is");
}

#[test]
fn placeholder_numbers_in_text_are_reserved() {
    let text = "what does [EMAIL_1] mean? I am ann@initech.com";
    assert_eq!(
        redacted(&Policy::default(), text),
        "what does [EMAIL_1] mean? I am [EMAIL_2]"
    );
}

#[test]
fn policy_disables_allows_and_adds() {
    let text = "ann@initech.com, it@initech.com and TICKET-1234 on 415-555-2671";
    let policy = Policy {
        disable: vec!["PHONE".into()],
        allow: vec!["IT@initech.com".into()],
        patterns: vec![("ticket".into(), r"\bTICKET-\d+\b".into())],
        ..Policy::default()
    };
    assert_eq!(
        redacted(&policy, text),
        "[EMAIL_1], it@initech.com and [TICKET_1] on 415-555-2671"
    );
    let all = Policy {
        allow: vec!["*@initech.com".into(), r"/[\d-]{12}/".into()],
        ..Policy::default()
    };
    assert_eq!(redacted(&all, text), text);
    assert_eq!(
        redacted(
            &Policy {
                off: true,
                ..Policy::default()
            },
            text
        ),
        text
    );
}

#[test]
fn policy_rejects_bad_patterns() {
    let refusal = |policy: Policy| Redactor::new(&policy).unwrap_err().to_string();
    let pattern = |p: &str| Policy {
        patterns: vec![("X".into(), p.into())],
        ..Policy::default()
    };
    assert_eq!(
        refusal(pattern("(")),
        "`(` is not a valid regular expression: unclosed group"
    );
    assert_eq!(refusal(pattern("x*")), "`x*` matches the empty string");
    assert_eq!(
        refusal(pattern(r"\w{900}{900}")),
        r"`\w{900}{900}` takes too much memory when compiled"
    );
    assert_eq!(
        refusal(Policy {
            disable: vec!["EMAILS".into()],
            ..Policy::default()
        }),
        "`EMAILS` is not a known kind"
    );
    assert_eq!(
        refusal(Policy {
            allow: vec!["*".into()],
            ..Policy::default()
        }),
        "`*` would allow everything; to turn redaction off, set `redact = false`"
    );
}

#[test]
fn redaction_of_long_text_is_stable() {
    let filler = "nothing of note happened on this day, and the next was quiet too\n".repeat(200);
    let mut text = String::new();
    for part in [
        "ask ann@initech.com, password: hunter2x\n",
        "pin 4821, my password is [x] hunter3x bob@initech.com\n",
        "token abc=def, user bob@initech.com:hunter4x\n",
    ] {
        text += &filler;
        text += part;
    }
    let redactor = Redactor::new(&Policy::default()).unwrap();
    let mut table = Placeholders::default();
    let once = redactor.redact(Raw::from(text.as_str()), &mut table).0;
    let (twice, more) = redactor.redact(once.clone().into_raw(), &mut table);
    assert_eq!(twice.as_str(), once.as_str());
    assert!(more.is_empty());
}

use proptest::prelude::*;

/// Pieces of text that rules look at, so that chance finds their seams.
fn pieces() -> impl Strategy<Value = String> {
    let known = [
        "password",
        "pass",
        "is",
        ": ",
        "=",
        "\"",
        "'",
        " ",
        "\n",
        "hunter2",
        "P@ss!9",
        "bob@initech.com",
        "bob",
        "@",
        "[EMAIL_1]",
        "[PASSWORD_2]",
        "[",
        "]",
        "4111 1111 1111 1111",
        "+49 30 1234567",
        "415-555-2671",
        "sk-ant-",
        "0123456789abcdef",
        "Bearer ",
        "Cookie: sid=",
        "https://",
        "user:pw",
        "/",
        "%40",
        "\\u0040",
        "＠",
        "\u{200b}",
        "-----BEGIN PRIVATE KEY-----",
        "born",
        "1982-05-14",
        "12 Main Street",
        "token",
        "secret",
        "key",
        "api_",
        "pin ",
        "4821",
        "пароль",
        "密码",
        "é",
        ",",
        ".",
        "login",
        "curl -u ",
        "&#64;",
        "12",
        "DE89 3704 0044 0532 0130 00",
        "0x",
        "lat: ",
        "52.5200, 13.4050",
        "\x1b[0m",
        "password is [PASSWORD_1]x",
        "(",
        ")",
        "value",
        "name=",
        "\\",
    ];
    let piece = prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,6}", 1 => "\\PC{0,3}"];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn redaction_is_idempotent(text in pieces()) {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut table = Placeholders::default();
        let (once, _) = redactor.redact(Raw::from(text.as_str()), &mut table);
        let (twice, again) = redactor.redact(once.clone().into_raw(), &mut table);
        prop_assert_eq!(once.as_str(), twice.as_str(), "{:?}", again);
        let (fresh, _) = redactor.redact(once.clone().into_raw(), &mut Placeholders::default());
        prop_assert_eq!(once.as_str(), fresh.as_str());
    }

    #[test]
    fn redaction_is_reversed_by_restore(text in pieces()) {
        let text = text.replace(['[', '%', '\\'], "");
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut table = Placeholders::default();
        let (redacted, findings) = redactor.redact(Raw::from(text.as_str()), &mut table);
        prop_assert_eq!(table.substitute(redacted.as_str()), text.as_str());
        for finding in &findings {
            prop_assert!(text.get(finding.start..finding.end).is_some());
        }
    }
}
