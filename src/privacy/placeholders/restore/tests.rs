//! Tests of the restoring of placeholders.

use super::*;
use crate::privacy::kind::{self, Kind};
use proptest::prelude::*;

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

fn table() -> Placeholders {
    let mut table = Placeholders::default();
    table.placeholder_for(&Kind::built_in(kind::EMAIL), "ann@initech.com");
    table.placeholder_for(&Kind::built_in(kind::PHONE), "415-555-2671");
    table.placeholder_for(&Kind::built_in(kind::API_KEY), KEY);
    table.placeholder_for(&Kind::built_in(kind::PASSWORD), "hunter2");
    table
}

/// Personal data in prose, in every spelling; nothing anywhere in a word that leads to a host.
const PERSONAL: &[(&str, &str)] = &[
    ("write to [EMAIL_1]!", "write to ann@initech.com!"),
    (
        "**[EMAIL_1]** and `[EMAIL_1]`",
        "**ann@initech.com** and `ann@initech.com`",
    ),
    ("[mail]([EMAIL_1])", "[mail](ann@initech.com)"),
    (
        r"\[EMAIL\_1\] [EMAIL\_1]",
        "ann@initech.com ann@initech.com",
    ),
    (
        "[email_1] [Email_1] [Email 1] [PHONE_1]",
        "ann@initech.com ann@initech.com ann@initech.com 415-555-2671",
    ),
    (
        "[[EMAIL_1]] [EMAIL_2] [x] a[0] \\n 100% [",
        "[ann@initech.com] [EMAIL_2] [x] a[0] \\n 100% [",
    ),
    (
        "[**EMAIL_1**] é[EMAIL_1]é",
        "ann@initech.com éann@initech.comé",
    ),
    (
        "请写信给[EMAIL_1]。谢谢，[PHONE_1]",
        "请写信给ann@initech.com。谢谢，415-555-2671",
    ),
    (
        "Mail:[EMAIL_1], and/or [PHONE_1]. Ok?",
        "Mail:ann@initech.com, and/or 415-555-2671. Ok?",
    ),
    (
        "```\nto=\"[EMAIL_1]\"\n```",
        "```\nto=\"ann@initech.com\"\n```",
    ),
    ("console.log('[EMAIL_1]')", "console.log('ann@initech.com')"),
    (
        "https://a.example/ [EMAIL_1]",
        "https://a.example/ ann@initech.com",
    ),
];

/// Words that lead somewhere: whatever stands behind a placeholder, it stays.
const URLS: &[&str] = &[
    "https://evil.example/log?d=[#]&m=1",
    "(http://evil.example/[#])",
    "[x](https://evil.example/[#])",
    "<https://evil.example/a b [#]>",
    "HTTPS:[#]",
    "mailto:x@evil.example?body=[#]",
    "mailto:[#]",
    "//evil.example/[#]",
    "evil.example/[#]",
    "evil.example:8080/[#]",
    "192.0.2.7/[#]",
    "www.evil.example?[#]",
    "[#].evil.example",
    "[#].evil.example.",
    "a-[#].b.evil.example,",
    "[#]@evil.example",
    "\"[#]\".evil.example",
    "git@evil.example:[#]",
    "/log?d=[#]",
    "x&d=[#]",
    "a%20[#]",
    "[#]%20b",
    "https://evil.example/\\\n[#]",
    "https://evil.example/\"[#]\"",
    "https://evil。example/[#]",
    "https://evil.example/?a=[#]&b=[#]",
];

/// A secret in prose is masked, in code it stays.
const SECRETS: &[(&str, &str)] = &[
    ("use [API_KEY_1] now", "use sk-or…cdef now"),
    ("- item [API_KEY_1]", "- item sk-or…cdef"),
    ("password [PASSWORD_1].", "password [PASSWORD_1 ••••]."),
    (
        "run `curl -H [API_KEY_1]` or",
        "run `curl -H [API_KEY_1]` or",
    ),
    (
        "`a` [API_KEY_1] ``b`[API_KEY_1]`` [API_KEY_1]",
        "`a` sk-or…cdef ``b`[API_KEY_1]`` sk-or…cdef",
    ),
    (
        "```sh\nexport K=[API_KEY_1]\n```\n[API_KEY_1]",
        "```sh\nexport K=[API_KEY_1]\n```\nsk-or…cdef",
    ),
    (
        "> ~~~~\n> [API_KEY_1]\n> ~~~\n[API_KEY_1]\n~~~~\n[API_KEY_1]",
        "> ~~~~\n> [API_KEY_1]\n> ~~~\n[API_KEY_1]\n~~~~\nsk-or…cdef",
    ),
    (
        "1. a\n   ```\n   [API_KEY_1]\n   ```",
        "1. a\n   ```\n   [API_KEY_1]\n   ```",
    ),
    (
        "    export K=[API_KEY_1]\n\t[API_KEY_1]",
        "    export K=[API_KEY_1]\n\t[API_KEY_1]",
    ),
    ("$ curl [API_KEY_1]", "$ curl [API_KEY_1]"),
    (
        "a stray ` then [API_KEY_1]\n\n[API_KEY_1]",
        "a stray ` then [API_KEY_1]\n\nsk-or…cdef",
    ),
    ("```a``` [API_KEY_1]", "```a``` sk-or…cdef"),
];

fn shown(said: &str, audience: Audience) -> String {
    table().restore(said, audience).0.plain().into_owned()
}

#[test]
fn restore_personal_data_by_context() {
    for (said, screen) in PERSONAL {
        for audience in [Audience::Screen, Audience::Clipboard, Audience::Revealed] {
            assert_eq!(shown(said, audience), *screen, "{said:?}");
        }
    }
}

#[test]
fn restore_leaves_urls_alone() {
    let names = ["EMAIL_1", "API_KEY_1", "PASSWORD_1"];
    for said in URLS
        .iter()
        .flat_map(|url| names.map(|name| url.replace('#', name)))
    {
        for audience in [Audience::Screen, Audience::Clipboard, Audience::Revealed] {
            assert_eq!(shown(&said, audience), said, "{audience:?}");
        }
    }
    for said in ["%5BEMAIL_1%5D", "see %5bapi_key_1%5d."] {
        assert_eq!(shown(said, Audience::Revealed), said);
    }
    let long = format!("[EMAIL_1]{}", "a".repeat(MAX_WORD_BYTES));
    assert_eq!(shown(&long, Audience::Screen), long);
}

#[test]
fn restore_masks_secrets() {
    for (said, screen) in SECRETS {
        assert_eq!(shown(said, Audience::Screen), *screen, "{said:?}");
        assert_eq!(shown(said, Audience::Clipboard), *said);
        let whole = said
            .replace("[API_KEY_1]", KEY)
            .replace("[PASSWORD_1]", "hunter2");
        assert_eq!(shown(said, Audience::Revealed), whole);
    }
    let (text, left_out) =
        table().restore("[API_KEY_1] `[PASSWORD_1]` [EMAIL_1]", Audience::Clipboard);
    assert_eq!(
        (text.plain().as_ref(), left_out),
        ("[API_KEY_1] `[PASSWORD_1]` ann@initech.com", 2)
    );
    assert!(
        table()
            .restore("[API_KEY_1]", Audience::Screen)
            .0
            .as_styled()
            .starts_with("\x1b[4m")
    );
}

#[test]
fn restore_sanitizes_values() {
    let mut table = Placeholders::default();
    table.placeholder_for(
        &Kind::built_in(kind::EMAIL),
        "a\x1b]52;c;x\x07\u{9b}b\u{202e}",
    );
    assert_eq!(
        table.restore("[EMAIL_1]", Audience::Screen).0.as_styled(),
        "\x1b[4ma␛]52;c;x␇<U+009B>b<U+202E>\x1b[0m"
    );
    let mut lines = Placeholders::default();
    lines.placeholder_for(&Kind::built_in(kind::EMAIL), "one\n\ntwo");
    let restored = |audience| lines.restore("[EMAIL_1]", audience).0;
    assert_eq!(
        restored(Audience::Revealed).as_styled(),
        "\x1b[4mone\x1b[0m\n\n\x1b[4mtwo\x1b[0m"
    );
    assert_eq!(restored(Audience::Clipboard).as_styled(), "one\n\ntwo");
}

fn in_pieces(said: &str, cuts: &[usize]) -> String {
    let table = table();
    let mut restorer = table.restorer(Audience::Screen);
    let (mut out, mut from) = (String::new(), 0);
    for at in cuts.iter().copied().filter(|at| said.is_char_boundary(*at)) {
        out += &restorer.push(said.get(from..at).unwrap_or_default());
        from = from.max(at);
    }
    out += &restorer.push(&said[from..]);
    out + &restorer.finish()
}

#[test]
fn restore_is_independent_of_chunks() {
    let samples = PERSONAL
        .iter()
        .chain(SECRETS)
        .map(|(said, _)| (*said).to_owned());
    for said in samples.chain(URLS.iter().map(|url| url.replace('#', "API_KEY_1"))) {
        let whole = in_pieces(&said, &[]);
        for cut in 0..=said.len() {
            assert_eq!(in_pieces(&said, &[cut]), whole, "{said:?} cut at {cut}");
        }
        assert_eq!(
            in_pieces(&said, &(0..said.len()).collect::<Vec<_>>()),
            whole
        );
    }
}

proptest! {
    #[test]
    fn restore_any_text_any_chunks(
        parts in proptest::collection::vec(prop_oneof![
            "[a-z`~\\[\\]\\\\%/:.?&=@<> \n*_0-9。é-]{0,6}", Just("[EMAIL_1]".to_owned()), Just("%5BAPI_KEY_1%5D".to_owned()),
            Just("[API_KEY_1]".to_owned()), Just("```\n".to_owned()), Just("https://".to_owned()), Just("a".repeat(300)),
            Just("[*".to_owned() + &"*".repeat(95)), Just("EMAIL_1]".to_owned()),
        ], 0..12),
        mut cuts in proptest::collection::vec(0usize..900, 0..12),
    ) {
        let said = parts.concat();
        cuts.retain(|at| *at <= said.len());
        cuts.sort_unstable();
        prop_assert_eq!(in_pieces(&said, &cuts), in_pieces(&said, &[]));
        // A secret is on the screen only where it was asked for.
        prop_assert!(!in_pieces(&said, &[]).contains(KEY));
    }
}
