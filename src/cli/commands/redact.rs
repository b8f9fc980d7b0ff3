//! `redact`: the redactor as a filter for files and pipes.

use crate::cli::attachments;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::term::input_stream;
use crate::cli::term::output::ByteOutput;
use crate::fs;
use crate::privacy::{
    Displayable, Finding, Findings, Placeholders, Policy, Raw, Redacted, Redactor,
};
use anyhow::{Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;

/// Input is read in pieces of this size.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longer lines of `--json-lines` are refused, because a line is held in memory.
const MAX_LINE_BYTES: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  chatbot redact server.log > clean.log
  git diff | chatbot redact --fail
  chatbot redact --json .env";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RedactArgs {
    /// File to read; standard input if omitted or `-`
    file: Option<PathBuf>,
    /// Output the findings as JSON, with byte offsets, instead of the text
    #[arg(long, conflicts_with = "json_lines")]
    json: bool,
    /// Read `{"id","text"}` lines and answer each at once with a `{"id","text","findings"}` line
    #[arg(long)]
    json_lines: bool,
    /// Exit with code 9 if anything was found
    #[arg(long)]
    fail: bool,
}

pub(crate) fn run(context: &mut Context, options: &RedactArgs) -> Result<()> {
    // The command redacts even if the settings turn redaction off for the chat.
    let policy = Policy {
        off: false,
        ..context.settings()?.privacy.policy.clone()
    };
    let redactor = context.redactor_for(&policy)?;
    let mut input: Box<dyn Read> = match &options.file {
        Some(file) if file.as_os_str() != "-" => {
            attachments::refuse_folder(file)?;
            Box::new(fs::open_external(file)?)
        }
        _ if options.json_lines => return finish(options, redact_lines(context, &redactor)?),
        _ => Box::new(input_stream()),
    };
    if options.json_lines {
        bail!(
            CliError::misuse("`--json-lines` reads standard input")
                .hint("leave out the file name, or pipe the file in")
        );
    }
    let found = if options.json {
        print_findings(context, &redactor, &mut input)?
    } else {
        filter(&redactor, &mut input)?
    };
    finish(options, found)
}

fn finish(options: &RedactArgs, found: bool) -> Result<()> {
    if found && options.fail {
        bail!(SilentExit(CliExit::Findings));
    }
    Ok(())
}

/// Copies the bytes with placeholders in place of what was found.
fn filter(redactor: &Redactor, input: &mut impl Read) -> Result<bool> {
    let mut found = false;
    let mut output = ByteOutput::default();
    redact_stream(
        redactor,
        input,
        &mut |bytes| output.write(bytes),
        &mut |_| {
            found = true;
            Ok(())
        },
    )?;
    output.finish()?;
    Ok(found)
}

/// Writes the findings as one JSON object, as they are found.
fn print_findings(context: &Context, redactor: &Redactor, input: &mut impl Read) -> Result<bool> {
    let mut found = false;
    context.ui.out("{\"schema_version\":1,\"findings\":[")?;
    redact_stream(redactor, input, &mut |_| Ok(()), &mut |finding| {
        let comma = if found { "," } else { "" };
        found = true;
        context
            .ui
            .out(Displayable::from(comma) + Displayable::json(&finding)?)
    })?;
    context.ui.out("]}\n")?;
    Ok(found)
}

/// Reads to the end, passing on bytes and findings as soon as they are decided.
fn redact_stream(
    redactor: &Redactor,
    input: &mut impl Read,
    write: &mut impl FnMut(&[u8]) -> Result<()>,
    tell: &mut impl FnMut(Finding) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; CHUNK_BYTES];
    let (mut out, mut findings) = (Vec::new(), Vec::new());
    let mut stream = redactor.stream();
    loop {
        let read = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        stream.push(
            piece.get(..read).unwrap_or_default(),
            &mut out,
            &mut |finding| findings.push(finding),
        );
        write(&out)?;
        out.clear();
        findings.drain(..).try_for_each(&mut *tell)?;
    }
    stream.finish(&mut out, &mut |finding| findings.push(finding));
    write(&out)?;
    findings.into_iter().try_for_each(tell)
}

#[derive(Deserialize)]
struct JsonLineInput {
    #[serde(default)]
    id: Value,
    text: String,
}

#[derive(Serialize)]
struct JsonLineOutput<'a> {
    id: &'a Value,
    text: &'a Redacted,
    findings: &'a Findings,
}

/// Answers each line with a line and flushes it, for a program that keeps this one running.
fn redact_lines(context: &Context, redactor: &Redactor) -> Result<bool> {
    let (mut found, mut bad) = (false, false);
    while let Some(line) = context.ui.input_line(MAX_LINE_BYTES)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = match serde_json::from_slice::<JsonLineInput>(&line) {
            Ok(asked) => {
                let (text, findings) =
                    redactor.redact(Raw::from(asked.text), &mut Placeholders::default());
                found |= !findings.is_empty();
                Displayable::json(&JsonLineOutput {
                    id: &asked.id,
                    text: &text,
                    findings: &findings,
                })?
            }
            Err(_) => {
                bad = true;
                Displayable::from("{\"id\":null,\"error\":\"not a JSON object with a `text`\"}")
            }
        };
        context.ui.out(answer + "\n")?;
    }
    if bad {
        bail!(CliError::new(
            CliExit::Failure,
            "bad_line",
            "some lines were not JSON objects with a `text`"
        ));
    }
    Ok(found)
}
