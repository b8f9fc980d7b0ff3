//! The JSON schema that an answer is to follow.

use super::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::fs;
use crate::privacy::{Placeholders, Raw, Redacted};
use anyhow::{Result, bail};
use serde_json::Value;
use std::path::Path;

/// The largest schema.
const MAX_SCHEMA_BYTES: u64 = 256 << 10;

/// Reads a schema from a file. One that contains private data is refused: a placeholder in it would
/// change what it means.
pub(crate) fn read(context: &mut Context, path: &Path) -> Result<Redacted> {
    let shown = display_path(path);
    let bytes = fs::read_external(path, MAX_SCHEMA_BYTES)?;
    let schema: Value = serde_json::from_slice(&bytes).map_err(|error| {
        CliError::misuse(format!("`{shown}` is not JSON: {error}")).hint("fix the schema")
    })?;
    if !schema.is_object() {
        bail!(
            CliError::misuse(format!("`{shown}` is not a JSON schema"))
                .hint("a schema is an object such as {\"type\":\"object\",\"properties\":{…}}")
        );
    }
    let raw = Raw::from(schema.to_string());
    let (text, findings) = context
        .redactor()?
        .redact(raw, &mut Placeholders::default());
    if let Some((kind, _)) = findings.counts().first() {
        bail!(
            CliError::new(
                CliExit::Refused,
                "private_schema",
                format!("the schema `{shown}` contains private data ({kind})")
            )
            .hint("remove it; a schema is sent as it is")
        );
    }
    Ok(text)
}

/// Refuses an answer that is not JSON, which a model that knows no schemas can give.
pub(crate) fn require_json(answer: &str) -> Result<()> {
    if serde_json::from_str::<serde::de::IgnoredAny>(answer).is_ok() {
        return Ok(());
    }
    bail!(
        CliError::new(
            CliExit::Failure,
            "not_json",
            "the answer is not JSON, although a schema was given"
        )
        .hint("choose a model that supports structured output")
    )
}
