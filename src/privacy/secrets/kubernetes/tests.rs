//! Manifests of any size and style, whole and in pieces; and what is no secret's.

use crate::privacy::{Placeholders, Policy, Raw, Redactor};
use base64::Engine;

fn redact(text: &str) -> String {
    Redactor::new(&Policy::default())
        .unwrap()
        .redact(Raw::from(text), &mut Placeholders::default())
        .0
        .as_str()
        .to_owned()
}

fn redact_stream(text: &str, piece: usize) -> String {
    let redactor = Redactor::new(&Policy::default()).unwrap();
    let (mut out, mut stream) = (Vec::new(), redactor.stream());
    for bytes in text.as_bytes().chunks(piece) {
        stream.push(bytes, &mut out, &mut |_| {});
    }
    stream.finish(&mut out, &mut |_| {});
    String::from_utf8(out).unwrap()
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A random-looking value that contains its number.
fn secret_value(n: usize) -> String {
    encoded(&format!("value number {n} of many"))
}

/// A certificate of `length` bytes as it looks in a manifest.
fn certificates(bytes: usize) -> String {
    encoded(&format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        "MIIDdzCCAl+gAwIBAgIE\n".repeat(bytes / 22)
    ))
}

fn entries(count: usize) -> String {
    (0..count)
        .map(|n| format!("  entry-{n}: {}\n", secret_value(n)))
        .collect()
}

fn assert_hidden(out: &str, count: usize, what: &str) {
    let left: Vec<usize> = (0..count)
        .filter(|n| out.contains(&secret_value(*n)))
        .collect();
    assert!(
        left.is_empty(),
        "{what}: {} of {count} left, first {:?}",
        left.len(),
        left.first()
    );
}

#[test]
fn kubernetes_secret_is_redacted_to_its_end() {
    for count in [3, 900] {
        let data = entries(count);
        let authority = certificates(4_000);
        for (what, text) in [
            (
                "kind first",
                format!(
                    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ntype: Opaque\ndata:\n{data}"
                ),
            ),
            (
                "kind last",
                format!("apiVersion: v1\ndata:\n{data}kind: Secret\nmetadata:\n  name: app\n"),
            ),
            (
                "certificates between",
                format!(
                    "apiVersion: v1\ndata:\n  ca.crt: {authority}\n{data}kind: Secret\nmetadata:\n  name: app\n"
                ),
            ),
            (
                "list",
                format!(
                    "apiVersion: v1\nitems:\n- apiVersion: v1\n  data:\n{}  kind: Secret\nkind: List\n",
                    data.replace("  entry", "    entry")
                ),
            ),
            (
                "quoted",
                format!(
                    "> apiVersion: v1\n> kind: Secret\n> data:\n{}",
                    data.replace("  entry", ">   entry")
                ),
            ),
            (
                "fence",
                format!("look:\n```yaml\nkind: Secret\ndata:\n{data}```\nwhat is wrong?"),
            ),
            (
                "quotes",
                format!(
                    "kind: \"Secret\"\ndata:\n{}",
                    data.replace(": ", ": \"").replace('\n', "\"\n")
                ),
            ),
            (
                "json",
                format!(
                    "{{\"apiVersion\": \"v1\",\n \"data\": {{{}}},\n \"kind\": \"Secret\", \"metadata\": {{\"name\": \"app\"}}}}",
                    (0..count)
                        .map(|n| format!("\"entry-{n}\": \"{}\"", secret_value(n)))
                        .collect::<Vec<_>>()
                        .join(",\n  ")
                ),
            ),
            (
                "annotation",
                format!(
                    "metadata:\n  annotations:\n    last-applied: |\n      {{\"data\":{{{}}},\"kind\":\"Secret\"}}\n",
                    (0..count)
                        .map(|n| format!("\"entry-{n}\":\"{}\"", secret_value(n)))
                        .collect::<Vec<_>>()
                        .join(",")
                ),
            ),
            (
                "escaped",
                format!(
                    "{{\"text\": \"{{\\\"kind\\\":\\\"Secret\\\",\\\"data\\\":{{{}}}}}\"}}",
                    (0..count)
                        .map(|n| format!("\\\"entry-{n}\\\":\\\"{}\\\"", secret_value(n)))
                        .collect::<Vec<_>>()
                        .join(",")
                ),
            ),
        ] {
            let out = redact(&text);
            assert_hidden(&out, count, what);
            assert!(
                !what.starts_with("cert") || out.contains(&authority),
                "{what}: a certificate is public"
            );
            let out = redact_stream(&text, 10_007);
            assert_hidden(&out, count, &format!("{what}, streamed"));
            assert_eq!(
                out,
                redact_stream(&text, 4096),
                "{what}: pieces decide nothing"
            );
        }
    }
}

#[test]
fn kubernetes_secret_across_blocks_is_redacted() {
    let count = 7_000;
    for lead in [0, 240_000, 255_000] {
        let filler = "nothing of note on this line\n".repeat(lead / 29);
        for text in [
            format!(
                "{filler}---\napiVersion: v1\nkind: Secret\ndata:\n{}---\nkind: ConfigMap\ndata:\n  some-setting: visiblesetting\n",
                entries(count)
            ),
            format!(
                "{filler}---\napiVersion: v1\ndata:\n{}kind: Secret\nmetadata:\n  name: app\n---\nkind: ConfigMap\ndata:\n  some-setting: visiblesetting\n",
                entries(count)
            ),
        ] {
            let out = redact_stream(&text, 65_536);
            assert_hidden(&out, count, "streamed");
            assert!(
                out.contains("visiblesetting") && out.starts_with(filler.as_str()),
                "what is none stays"
            );
        }
    }
}

#[test]
fn helm_release_payload_is_redacted_whole() {
    let payload = encoded(&"H4sIAAAAAAAC/6yRQW+ DMAyF/4rPK4U0".repeat(9_000));
    for text in [
        format!(
            "apiVersion: v1\ndata:\n  release: {payload}\nkind: Secret\nmetadata:\n  name: sh.helm.release.v1.app.v1\ntype: helm.sh/release.v1\n"
        ),
        format!("data:\n  release: {payload}\ntype: helm.sh/release.v1\n"),
        format!(
            "{{\"kind\":\"Secret\",\"data\":{{\"release\":\"{payload}\"}},\"type\":\"helm.sh/release.v1\"}}"
        ),
    ] {
        for out in [redact(&text), redact_stream(&text, 50_000)] {
            assert!(
                out.len() < 600,
                "{} bytes of {} are left",
                out.len(),
                text.len()
            );
        }
    }
}

#[test]
fn kubernetes_secret_values_are_read_in_every_style() {
    for (text, expected) in [
        (
            "kind: Secret\nstringData:\n  a: plainvalue7 with words # note\n",
            "kind: Secret\nstringData:\n  a: [SECRET_1] # note\n",
        ),
        (
            "kind: Secret\nstringData:\n  conf: |\n    host: db.initech\n    user kbrandt\n  other: 'x y z 1234'\n",
            "kind: Secret\nstringData:\n  conf: |\n    [SECRET_1]\n    [SECRET_2]\n  other: '[SECRET_3]'\n",
        ),
        (
            "kind: Secret\ndata: {one: cGxhaW52YWx1ZTc=, two: \"cGxhaW52YWx1ZTg=\"}\n",
            "kind: Secret\ndata: {one: [SECRET_1], two: \"[SECRET_2]\"}\n",
        ),
        (
            "kind: Secret\ndata:\n  a: !!binary cGxhaW52YWx1ZTc=\n",
            "kind: Secret\ndata:\n  a: !!binary [SECRET_1]\n",
        ),
        (
            "data:\n  a: cGxhaW52YWx1ZTc=\nimmutable: true\nkind: Secret\n",
            "data:\n  a: [SECRET_1]\nimmutable: true\nkind: Secret\n",
        ),
        (
            "kind: Secret\ndata:\n  a: >-\n    cGxhaW52YWx1\n    ZTdwbGFpbnY=\n",
            "kind: Secret\ndata:\n  a: >-\n    [SECRET_1]\n    [SECRET_2]\n",
        ),
    ] {
        assert_eq!(redact(text), expected);
    }
}

#[test]
fn kubernetes_other_manifests_are_kept() {
    for text in [
        "kind: ConfigMap\ndata:\n  mode: cGxhaW52YWx1ZTc=\n",
        "apiVersion: v1\ndata:\n  mode: visiblesetting\nkind: ConfigMap\n",
        "apiVersion: v1\ndata:\n  mode: cGxhaW52YWx1ZTc=\nkind: ConfigMap\nmetadata:\n  name: x\n",
        "kind: ExternalSecret\nspec:\n  data:\n    - secretKey: password\n      remoteRef:\n        key: application/database\n",
        "kind: SecretStore\nspec:\n  data:\n    path: application/database\n",
        "kind: Secret\nmetadata:\n  name: application-database\n---\nkind: ConfigMap\ndata:\n  path: application-database\n",
        "kind: List\nitems:\n- kind: Secret\n  metadata:\n    name: application\n- kind: ConfigMap\n  data:\n    path: application-database\n",
        "kind: Secret\ndata:\n  password: {{ .Values.password | b64enc }}\n  other: {{ include \"app.token\" . | b64enc | quote }}\n",
        "kind: Secret\ndata:\n  password: ${DB_PASSWORD_BASE64}\n  token: <base64 of the token>\n",
        "{\"kind\": \"ConfigMap\", \"data\": {\"a\": \"cGxhaW52YWx1ZTc=\"}}",
        "We keep a kind: Secret manifest per team and rotate the data: every month, see the runbook.\n",
    ] {
        assert_eq!(redact(text), text);
    }
}
