//! `chatbot redact`: a filter that changes nothing but private data.

use crate::harness::Sandbox;

#[test]
fn redact_passes_any_bytes() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .run(["redact"])
        .stdin("mail bob.miller@initech.com\r\n\u{0} pw: hunter2x\n")
        .succeeds();
    assert_eq!(output.stdout, "mail [EMAIL_1]\r\n\u{0} pw: [PASSWORD_1]\n");
    let again = sandbox.run(["redact"]).stdin(&output.stdout).succeeds();
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn redact_lists_findings() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("notes.txt", "call +49 30 1234567");
    let output = sandbox
        .run(["redact".as_ref(), "--json".as_ref(), file.as_os_str()])
        .succeeds();
    assert_eq!(
        output.stdout,
        "{\"schema_version\":1,\"findings\":[{\"kind\":\"PHONE\",\"rule\":\"phone-international\",\"start\":5,\"end\":19}]}\n"
    );
    let output = sandbox
        .run(["redact", "--fail"])
        .stdin("bob.miller@initech.com")
        .fails(9);
    assert_eq!(output.stdout, "[EMAIL_1]");
    assert_eq!(
        sandbox
            .run(["redact", "--fail"])
            .stdin("nothing")
            .succeeds()
            .stdout,
        "nothing"
    );
}

#[test]
fn redact_json_lines_one_per_line() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .run(["redact", "--json-lines"])
        .stdin("{\"id\":7,\"text\":\"ssn 123-45-6789\"}\n{\"id\":\"b\",\"text\":\"x\"}\n")
        .succeeds();
    assert_eq!(
        output.stdout,
        "{\"id\":7,\"text\":\"ssn [SSN_1]\",\"findings\":[{\"kind\":\"SSN\",\"rule\":\"us-ssn\",\"start\":4,\"end\":15}]}\n{\"id\":\"b\",\"text\":\"x\",\"findings\":[]}\n"
    );
}
