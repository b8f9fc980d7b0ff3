//! `redact`: the redactor as a filter for files and pipes.

use crate::cli::attachments;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::term::input_stream;
use crate::cli::term::output::ByteOutput;
use crate::fs;
use crate::privacy::{
    Displayable, Finding, Findings, FoundValue, Placeholders, Policy, Raw, Redacted, Redactor,
};
use anyhow::{Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
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
  chatbot redact --json .env
  chatbot redact --explain server.log";

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
    /// List each finding with its place, its rule and the reason; with `--json`, add the reasons
    #[arg(long, conflicts_with = "json_lines")]
    explain: bool,
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
        print_findings(context, &redactor, &mut input, options.explain)?
    } else if options.explain {
        explain(context, &redactor, &mut input)?
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
fn print_findings(
    context: &Context,
    redactor: &Redactor,
    input: &mut impl Read,
    with_evidence: bool,
) -> Result<bool> {
    let mut found = false;
    context.ui.out("{\"schema_version\":1,\"findings\":[")?;
    redact_stream(redactor, input, &mut |_| Ok(()), &mut |finding| {
        let comma = if found { "," } else { "" };
        found = true;
        context.ui.out(
            Displayable::from(comma)
                + Displayable::json(&ExplainedFinding {
                    evidence: with_evidence.then_some(finding.evidence),
                    finding,
                })?,
        )
    })?;
    context.ui.out("]}\n")?;
    Ok(found)
}

#[derive(Serialize)]
struct ExplainedFinding {
    #[serde(flatten)]
    finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
}

/// Lists the findings with line and column. Of a long key the ends are shown, of other values
/// nothing.
fn explain(context: &Context, redactor: &Redactor, input: &mut impl Read) -> Result<bool> {
    let mut any = false;
    let mut piece = vec![0; CHUNK_BYTES];
    let mut stream = redactor.finding_stream();
    let mut place = LinePosition::default();
    let mut read_before = 0;
    loop {
        let read = match input.read(&mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let bytes = piece.get(..read).unwrap_or_default();
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        place.breaks.extend(breaks.map(|(at, _)| read_before + at));
        read_before += read;
        let mut rows = Vec::new();
        let mut explain = |value: FoundValue<'_>| {
            let finding = value.finding();
            let (line, column) = place.at(finding.start);
            let shown = value
                .masked()
                .map_or(String::new(), |masked| format!(" {masked}"));
            rows.push(format!(
                "{line}:{column}  {}{shown}  {}: {}\n",
                finding.kind, finding.rule, finding.evidence
            ));
        };
        if read == 0 {
            std::mem::replace(&mut stream, redactor.finding_stream()).finish(&mut explain);
        } else {
            stream.push(bytes, &mut explain);
        }
        // Line breaks of what is decided are counted, so that they need not be kept.
        if read > 0 {
            place.at(stream.decided());
        }
        any |= !rows.is_empty();
        for row in rows {
            context.ui.say(&row, 4)?;
        }
        if read == 0 {
            break;
        }
    }
    if any {
        context.ui.notice(
            "redacted without reason? `chatbot allow TEXT`; something missed? `chatbot never`",
        );
    }
    Ok(any)
}

/// Line and column of growing offsets.
#[derive(Debug, Default)]
struct LinePosition {
    /// Offsets of the line breaks that are not passed yet.
    breaks: VecDeque<usize>,
    passed: usize,
    line_start: usize,
}

impl LinePosition {
    /// Line and column of an offset, from 1, the column in bytes.
    fn at(&mut self, offset: usize) -> (usize, usize) {
        while let Some(&at) = self.breaks.front().filter(|at| **at < offset) {
            self.breaks.pop_front();
            self.passed += 1;
            self.line_start = at + 1;
        }
        (self.passed + 1, offset.saturating_sub(self.line_start) + 1)
    }
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
