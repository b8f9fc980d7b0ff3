//! `multipart/form-data` as it arrives: private values in its text fields are replaced, and its files
//! pass as they are.
//!
//! What follows a boundary is read as strictly as it can be: a form that another reader could
//! understand in another way is refused.

use super::{JsonError, JsonScope, RedactedBody, RedactionSummary};
use crate::privacy::{Findings, Raw};
use memchr::memmem;
use std::fmt;
use std::sync::Arc;

/// The most fields of a form.
pub(super) const MAX_FIELDS: usize = 100;
/// The largest head of a field, and the largest field that is not a file. They are held until they
/// are complete.
pub(super) const MAX_HEAD_BYTES: usize = 8 << 10;
pub(super) const MAX_FIELD_BYTES: usize = 64 << 10;
/// The field with the model.
const MODEL: &str = "model";

/// Redacts a form, of which it holds one field at a time, and of a file no more than a boundary.
pub struct FormRedactor {
    scope: Arc<JsonScope>,
    /// What separates fields, with the line end before it.
    delimiter: Vec<u8>,
    expected: FormPart,
    /// What was not decided yet, and where it begins in the form.
    held: Vec<u8>,
    at: usize,
    fields: usize,
    has_file: bool,
    model: Option<String>,
    /// The model stood before the first file.
    names_model_early: bool,
    findings: Findings,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FormPart {
    FirstBoundary,
    /// The rest of the line of a boundary.
    BoundaryEnd,
    Head,
    Field {
        is_model: bool,
    },
    File,
    /// Nothing but white space.
    End,
}

impl FormRedactor {
    /// Redacts a form with this boundary, which its content type names.
    #[must_use]
    pub fn new(scope: Arc<JsonScope>, boundary: &str) -> Self {
        Self {
            scope,
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            expected: FormPart::FirstBoundary,
            held: Vec::new(),
            at: 0,
            fields: 0,
            has_file: false,
            model: None,
            names_model_early: false,
            findings: Findings::default(),
        }
    }

    /// Takes the next bytes, and returns what can be sent.
    pub fn push(&mut self, piece: &[u8]) -> Result<RedactedBody, JsonError> {
        self.held.extend_from_slice(piece);
        let mut out = Vec::with_capacity(piece.len());
        while self.read_part(&mut out)? {}
        Ok(RedactedBody(out))
    }

    /// Ends the form, which must be complete.
    pub fn finish(&self) -> Result<(), JsonError> {
        let is_complete = self.expected == FormPart::End;
        is_complete.then_some(()).ok_or_else(|| self.bad())
    }

    /// Whether the first file has begun.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.has_file
    }

    /// The model, if it stands before the first file.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref().filter(|_| self.names_model_early)
    }

    /// What was replaced since the last call.
    pub fn take_summary(&mut self) -> RedactionSummary {
        RedactionSummary::of(&std::mem::take(&mut self.findings))
    }

    const fn bad(&self) -> JsonError {
        JsonError::Form { at: self.at }
    }

    /// Reads one part. Returns whether it was complete, so that the next one can be read.
    fn read_part(&mut self, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        match self.expected {
            FormPart::FirstBoundary => self.read_first_boundary(out),
            FormPart::BoundaryEnd => self.read_boundary_end(out),
            FormPart::Head => self.read_head(out),
            FormPart::Field { is_model } => self.read_field(is_model, out),
            FormPart::File => Ok(self.read_file(out)),
            FormPart::End => {
                if !self.held.trim_ascii().is_empty() {
                    return Err(self.bad());
                }
                self.pass(self.held.len(), out);
                Ok(false)
            }
        }
    }

    /// No one reads text before the first field, so that there must be none.
    fn read_first_boundary(&mut self, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        let boundary = self.delimiter.get(2..).unwrap_or_default();
        let length = boundary.len().min(self.held.len());
        if self.held.get(..length) != boundary.get(..length) {
            return Err(self.bad());
        }
        if length < boundary.len() {
            return Ok(false);
        }
        self.pass(length, out);
        self.expected = FormPart::BoundaryEnd;
        Ok(true)
    }

    fn read_boundary_end(&mut self, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        self.expected = match self.held.get(..2) {
            None => return Ok(false),
            Some(b"--") => FormPart::End,
            Some(b"\r\n") if self.fields < MAX_FIELDS => FormPart::Head,
            Some(_) => return Err(self.bad()),
        };
        self.fields += 1;
        self.pass(2, out);
        Ok(true)
    }

    fn read_head(&mut self, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        let Some(length) = self.find_end(b"\r\n\r\n", MAX_HEAD_BYTES)? else {
            return Ok(false);
        };
        let head = self.held.get(..length).unwrap_or_default();
        let has_boundary = memmem::find(head, &self.delimiter).is_some();
        let field = FieldHead::read(head).filter(|_| !has_boundary);
        let field = field.ok_or_else(|| self.bad())?;
        let (is_file, is_model) = (field.is_file, field.name == MODEL);
        // The head has the name of the file.
        self.redact(length, out)?;
        self.pass(4, out);
        self.has_file |= is_file;
        self.expected = if is_file {
            FormPart::File
        } else {
            FormPart::Field { is_model }
        };
        Ok(true)
    }

    fn read_field(&mut self, is_model: bool, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        let Some(length) = self.find_end(&self.delimiter, MAX_FIELD_BYTES)? else {
            return Ok(false);
        };
        let begin = out.len();
        self.redact(length, out)?;
        if is_model {
            let model = out.get(begin..).unwrap_or_default();
            let model = String::from_utf8_lossy(model).into_owned();
            // The provider might read the other one.
            if self.model.replace(model).is_some() {
                return Err(self.bad());
            }
            self.names_model_early = !self.has_file;
        }
        self.pass(self.delimiter.len(), out);
        self.expected = FormPart::BoundaryEnd;
        Ok(true)
    }

    /// The length of what is before `end`. `None` if it did not arrive yet; fails if it is too long.
    fn find_end(&self, end: &[u8], most: usize) -> Result<Option<usize>, JsonError> {
        let found = memmem::find(&self.held, end);
        // A part of the end may be there.
        let length = found.unwrap_or_else(|| self.held.len().saturating_sub(end.len()));
        if length > most {
            return Err(self.bad());
        }
        Ok(found)
    }

    fn read_file(&mut self, out: &mut Vec<u8>) -> bool {
        let found = memmem::find(&self.held, &self.delimiter);
        match found {
            Some(length) => {
                self.pass(length + self.delimiter.len(), out);
                self.expected = FormPart::BoundaryEnd;
            }
            // The end may be the beginning of a boundary.
            None => self.pass(
                (self.held.len() + 1).saturating_sub(self.delimiter.len()),
                out,
            ),
        }
        found.is_some()
    }

    /// Passes on bytes as they are.
    fn pass(&mut self, length: usize, out: &mut Vec<u8>) {
        let length = length.min(self.held.len());
        out.extend(self.held.drain(..length));
        self.at += length;
    }

    /// Passes on text without its private values.
    fn redact(&mut self, length: usize, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let text = self.held.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| self.bad())?;
        let (text, found) = self.scope.redact_text(Raw::from(text));
        out.extend_from_slice(text.as_str().as_bytes());
        self.findings.extend(found);
        self.held.drain(..length);
        self.at += length;
        Ok(())
    }
}

impl fmt::Debug for FormRedactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormRedactor({:?})", self.expected)
    }
}

/// What the head of a field says.
struct FieldHead<'h> {
    name: &'h str,
    is_file: bool,
}

impl<'h> FieldHead<'h> {
    /// Reads the lines of a head. `None` if they have no name, more than one, or control characters.
    fn read(head: &'h [u8]) -> Option<Self> {
        const DISPOSITION: &str = "content-disposition:";
        let head = std::str::from_utf8(head).ok()?;
        let is_disposition = |line: &&str| {
            let name = line.get(..DISPOSITION.len());
            name.is_some_and(|name| name.eq_ignore_ascii_case(DISPOSITION))
        };
        let mut lines = head.split("\r\n");
        if lines.clone().any(|line| {
            line.starts_with([' ', '\t']) || line.contains(|c: char| c < ' ' && c != '\t')
        }) {
            return None;
        }
        let line = lines.find(is_disposition)?;
        if lines.any(|line| is_disposition(&line)) {
            return None;
        }
        let (form_data, mut rest) = line.get(DISPOSITION.len()..)?.split_once(';')?;
        if !form_data.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut is_file) = (None, false);
        loop {
            let (key, value, after) = read_parameter(rest)?;
            if key.eq_ignore_ascii_case("name") {
                if name.replace(value).is_some() {
                    return None;
                }
            } else if ["filename", "filename*"]
                .iter()
                .any(|k| key.eq_ignore_ascii_case(k))
            {
                is_file = true;
            } else {
                return None;
            }
            let after = after.trim();
            if after.is_empty() {
                break;
            }
            rest = after.strip_prefix(';')?;
        }
        Some(Self {
            name: name?,
            is_file,
        })
    }
}

/// A name, its value, and what is after it: `name="file"; …`.
fn read_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_once('=')?;
    let key = key.trim();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(';').unwrap_or(rest.len());
        let (value, after) = rest.split_at(end);
        return Some((key, value.trim(), after));
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    let (value, after) = quoted.split_at(end);
    Some((key, value, after.get(1..)?))
}
