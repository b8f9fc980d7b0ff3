//! `multipart/form-data`: private values in its text fields are replaced, and its files pass as they
//! are.

use super::{JsonError, JsonScope, RedactedBody, RedactionSummary};
use crate::privacy::{Findings, Raw};
use memchr::memmem;

/// The most fields of a form.
const MAX_FIELDS: usize = 100;

impl JsonScope {
    /// Replaces private values in the text fields of a form. `boundary` is that of its content type.
    pub fn redact_form(
        &self,
        boundary: &str,
        body: &[u8],
    ) -> Result<(RedactedBody, RedactionSummary), JsonError> {
        let bad = |at: usize| JsonError::Form { at };
        let delimiter = format!("--{boundary}");
        let mut out = Vec::with_capacity(body.len());
        let mut findings = Findings::default();
        let mut at = memmem::find(body, delimiter.as_bytes()).ok_or_else(|| bad(0))?;
        if at != 0 {
            // No one reads text before the first field.
            return Err(bad(0));
        }
        for _ in 0..MAX_FIELDS {
            let after = at + delimiter.len();
            let rest = body.get(after..).unwrap_or_default();
            if rest.starts_with(b"--") {
                if !rest.get(2..).unwrap_or_default().trim_ascii().is_empty() {
                    return Err(bad(after));
                }
                out.extend_from_slice(body.get(at..).unwrap_or_default());
                return Ok((RedactedBody(out), RedactionSummary::of(&findings)));
            }
            let rest = rest.strip_prefix(b"\r\n").ok_or_else(|| bad(after))?;
            let head = memmem::find(rest, b"\r\n\r\n").ok_or_else(|| bad(after))?;
            let content = after + 2 + head + 4;
            let next = format!("\r\n{delimiter}");
            let length = memmem::find(body.get(content..).unwrap_or_default(), next.as_bytes())
                .ok_or_else(|| bad(content))?;
            let head = rest.get(..head).unwrap_or_default();
            let field = body.get(content..content + length).unwrap_or_default();
            let mut redact = |text: &[u8], out: &mut Vec<u8>| {
                let text = std::str::from_utf8(text).map_err(|_| bad(content))?;
                let (text, found) = self.redact_text(Raw::from(text));
                out.extend_from_slice(text.as_str().as_bytes());
                findings.extend(found);
                Ok(())
            };
            out.extend_from_slice(delimiter.as_bytes());
            out.extend_from_slice(b"\r\n");
            // The head has the name of the file.
            redact(head, &mut out)?;
            out.extend_from_slice(b"\r\n\r\n");
            if is_file(head) {
                out.extend_from_slice(field);
            } else {
                redact(field, &mut out)?;
            }
            out.extend_from_slice(b"\r\n");
            at = content + length + 2;
        }
        Err(bad(at))
    }
}

/// Whether the head of a field names a file.
fn is_file(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = head.split("\r\n");
    lines.any(|line| {
        line.starts_with("content-disposition:")
            && (line.contains("filename=") || line.contains("filename*="))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::json::RestorePolicy;
    use crate::privacy::{Policy, Redactor};
    use std::sync::Arc;

    fn redact(body: &str) -> Result<String, JsonError> {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let scope = JsonScope::new(Arc::new(redactor), RestorePolicy::All);
        let (body, _) = scope.redact_form("xyz", body.as_bytes())?;
        Ok(String::from_utf8(body.into_bytes()).unwrap())
    }

    #[test]
    fn form_fields_are_redacted_and_files_are_not() {
        let file = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nbob.miller@initech.com \x01\r\n";
        let named = "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"bob.miller@initech.com\"\r\n\r\nx\r\n";
        let redacted = named.replace("bob.miller@initech.com", "[EMAIL_1]");
        assert_eq!(
            redact(&format!("{named}--xyz--")).unwrap(),
            format!("{redacted}--xyz--")
        );
        let field = "--xyz\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nask bob.miller@initech.com\r\n";
        assert_eq!(
            redact(&format!("{file}{field}--xyz--\r\n")).unwrap(),
            format!(
                "{file}{}--xyz--\r\n",
                field.replace("bob.miller@initech.com", "[EMAIL_1]")
            )
        );
        for broken in [
            "",
            "bob.miller@initech.com",
            "bob.miller@initech.com\r\n--xyz--",
            "--xyz\r\n\r\nx",
            "--xyz\r\nno end of the head",
            "--xyz--\r\nbob.miller@initech.com",
            &field.repeat(101),
        ] {
            assert!(redact(broken).is_err(), "{broken}");
        }
    }
}
