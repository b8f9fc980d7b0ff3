//! The report of a scan: for people, and as JSON.

use super::FinishedScan;
use super::places::{Tool, tool_of};
use crate::cli::context::Context;
use crate::cli::term::Style;
use crate::cli::term::format::{format_size, group_thousands, pluralize};
use crate::privacy::{Displayable, Raw};
use crate::scanner::{
    ReportedValue, ScanReport, SecretIssuer, ValuePlace, ValuePosition, advice_for,
};
use crate::time::{Time, humanize};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The most secrets that are listed for people; `--json` lists all.
const MAX_LISTED: usize = 100;
/// The most places of a secret that are listed for people.
const MAX_LISTED_PLACES: usize = 3;
/// The most unreadable paths that are listed for people.
const MAX_LISTED_UNREADABLE: usize = 10;

pub(super) fn as_json(done: &FinishedScan, values: &[ReportedValue]) -> Value {
    let report = &done.report;
    let unreadable: Vec<Value> = report
        .unreadable
        .iter()
        .map(|one| json!({ "path": one.path.to_string_lossy(), "reason": one.reason }))
        .collect();
    let findings: Vec<Value> = values.iter().map(|v| value_json(done, v)).collect();
    json!({
        "schema_version": 1,
        "interrupted": done.interrupted,
        "files": report.files,
        "bytes": report.bytes,
        "skipped": { "binary": report.binary, "links": report.links, "special": report.special },
        "unreadable_count": report.unreadable_count,
        "unreadable": unreadable,
        "unlisted": report.unlisted,
        "findings": findings,
    })
}

fn value_json(done: &FinishedScan, value: &ReportedValue) -> Value {
    let places: Vec<Value> = value
        .places
        .iter()
        .map(|place| {
            let tool = tool_of(&place.path, &done.known);
            let (line, table, row) = match &place.position {
                ValuePosition::Line(line) => (Some(line), None, None),
                ValuePosition::Row(table, row) => (None, Some(table), Some(row)),
            };
            json!({
                "path": place.path.to_string_lossy(),
                "line": line,
                "table": table,
                "row": row,
                "count": place.count,
                "at": place.at,
                "tool": tool.map(|tool| tool.name),
                "sent_to": tool.and_then(|tool| tool.sent_to),
            })
        })
        .collect();
    let rotate = value.is_secret.then(|| {
        json!({
            "page": value.issuer.map(|issuer| issuer.page),
            "command": value.issuer.and_then(|issuer| issuer.command),
            "advice": advice(value),
        })
    });
    json!({
        "kind": value.kind,
        "rule": value.rule,
        "class": if value.is_secret { "secret" } else { "personal" },
        "value": value.shown,
        "issuer": value.issuer.map(|issuer| issuer.name),
        "rotate": rotate,
        "count": value.count,
        "files": value.files,
        "first": value.first,
        "last": value.last,
        "places": places,
    })
}

pub(super) fn print(
    context: &Context,
    done: &FinishedScan,
    values: &[ReportedValue],
) -> Result<()> {
    let ui = context.ui;
    let secrets = values.partition_point(|value| value.is_secret);
    let (secrets, personal) = values.split_at(secrets);
    let home = context.env.path("HOME");
    let screen = ReportScreen {
        done,
        home: home.as_deref(),
    };
    if done.interrupted {
        ui.say(
            "stopped: the report covers what was scanned until then\n",
            2,
        )?;
    }
    ui.say(&screen.summary(secrets.len(), personal.len()), 2)?;
    let heading = |text: &str| ui.paint(Style::Bold, text) + "\n";
    if !secrets.is_empty() {
        ui.out(Displayable::from("\n") + heading("Secrets"))?;
        ui.say(&screen.secrets(secrets), 4)?;
    }
    if !personal.is_empty() {
        ui.out(Displayable::from("\n") + heading("Personal data"))?;
        ui.say(&screen.personal(personal), 4)?;
    }
    let tools = screen.tools(values);
    if !tools.is_empty() {
        ui.out(Displayable::from("\n") + heading("By tool"))?;
        ui.say(&tools, 4)?;
    }
    if !secrets.is_empty() {
        ui.out(Displayable::from("\n") + heading("Rotate"))?;
        ui.say(&rotation(secrets), 4)?;
    }
    let skipped = skipped(&done.report);
    if !skipped.is_empty() {
        ui.out("\n")?;
        ui.say(&skipped, 2)?;
    }
    Ok(())
}

/// What the parts of the report need.
struct ReportScreen<'a> {
    done: &'a FinishedScan,
    home: Option<&'a Path>,
}

impl ReportScreen<'_> {
    fn summary(&self, secrets: usize, personal: usize) -> String {
        let report = &self.done.report;
        let found = match (secrets, personal) {
            (0, 0) => String::from("nothing found"),
            (secrets, 0) => format!("found {}", pluralize(secrets, "secret")),
            (0, personal) => format!("found {}", pluralize(personal, "personal value")),
            (secrets, personal) => format!(
                "found {} and {}",
                pluralize(secrets, "secret"),
                pluralize(personal, "personal value")
            ),
        };
        let files = if report.files == 1 {
            String::from("1 file")
        } else {
            format!("{} files", group_thousands(report.files as u64))
        };
        format!(
            "{found} in {files} ({}, {})\n",
            format_size(report.bytes),
            humanize(self.done.elapsed)
        )
    }

    fn secrets(&self, secrets: &[ReportedValue]) -> String {
        let mut out = String::new();
        for value in secrets.iter().take(MAX_LISTED) {
            let issuer = value
                .issuer
                .map_or_else(String::new, |issuer| format!("  {}", issuer.name));
            out += &format!(
                "{}  {}{issuer}  {}\n",
                value.kind,
                value.shown,
                occurrences(value.count, value.files, value.first, value.last)
            );
            for place in value.places.iter().take(MAX_LISTED_PLACES) {
                out += &format!("  {}\n", self.place(place));
            }
            let more = value.files.saturating_sub(MAX_LISTED_PLACES);
            if more > 0 {
                out += &format!("  and {}\n", pluralize(more, "more file"));
            }
        }
        let more = secrets.len().saturating_sub(MAX_LISTED);
        if more > 0 {
            out += &format!(
                "and {}: `--json` lists all\n",
                pluralize(more, "more secret")
            );
        }
        out
    }

    /// `~/.claude/projects/a/b.jsonl:12 (Claude Code, sent to Anthropic)`
    fn place(&self, place: &ValuePlace) -> String {
        let below = self
            .home
            .and_then(|home| place.path.strip_prefix(home).ok());
        let path = below.map_or_else(|| place.path.to_path_buf(), |p| Path::new("~").join(p));
        let position = match &place.position {
            ValuePosition::Line(line) => format!(":{line}"),
            ValuePosition::Row(table, row) => format!(", table {table}, row {row}"),
        };
        let tool = tool_of(&place.path, &self.done.known)
            .map_or_else(String::new, |tool| format!(" ({})", describe_tool(tool)));
        Raw::from(format!("{}{position}{tool}", path.display())).printable_line()
    }

    /// Personal values are not listed one by one, because no one can take them back.
    fn personal(&self, personal: &[ReportedValue]) -> String {
        let mut out = String::new();
        for values in personal.chunk_by(|a, b| a.kind == b.kind) {
            let count = values.iter().map(|v| v.count).sum();
            let (Some(first), Some(last), Some(most)) = (
                values.iter().map(|v| v.first).min(),
                values.iter().map(|v| v.last).max(),
                values.first(),
            ) else {
                continue;
            };
            out += &format!(
                "{}  {}, {}\n",
                most.kind,
                pluralize(values.len(), "value"),
                occurrences(count, 1, first, last)
            );
            if let Some(place) = most.places.first() {
                out += &format!("  {}\n", self.place(place));
            }
        }
        out
    }

    fn tools(&self, values: &[ReportedValue]) -> String {
        let mut tools: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for value in values {
            let mut names: Vec<String> = value
                .places
                .iter()
                .filter_map(|place| tool_of(&place.path, &self.done.known))
                .map(describe_tool)
                .collect();
            names.sort();
            names.dedup();
            for name in names {
                let counts = tools.entry(name).or_default();
                if value.is_secret {
                    counts[0] += 1;
                } else {
                    counts[1] += 1;
                }
            }
        }
        tools
            .iter()
            .map(|(name, [secrets, personal])| {
                format!(
                    "{name}: {}, {}\n",
                    pluralize(*secrets, "secret"),
                    pluralize(*personal, "personal value")
                )
            })
            .collect()
    }
}

/// `Claude Code, sent to Anthropic`
fn describe_tool(tool: &Tool) -> String {
    match tool.sent_to {
        Some(provider) => format!("{}, sent to {provider}", tool.name),
        None => tool.name.to_owned(),
    }
}

/// `3 times in 2 files, 2026-05-01 to 2026-06-12`
fn occurrences(count: usize, files: usize, first: Time, last: Time) -> String {
    let times = if count == 1 {
        String::from("once")
    } else {
        format!("{} times", group_thousands(count as u64))
    };
    let files = if files > 1 {
        format!(" in {} files", group_thousands(files as u64))
    } else {
        String::new()
    };
    let (first, last) = (first.local_day(), last.local_day());
    if first == last {
        format!("{times}{files}, {first}")
    } else {
        format!("{times}{files}, {first} to {last}")
    }
}

/// Where each issuer revokes its keys, and what to do about other secrets, each once.
fn rotation(secrets: &[ReportedValue]) -> String {
    let mut issuers: Vec<SecretIssuer> = secrets.iter().filter_map(|v| v.issuer).collect();
    issuers.sort();
    issuers.dedup();
    let mut out = String::new();
    for issuer in issuers {
        let command = issuer
            .command
            .map_or_else(String::new, |command| format!(", or `{command}`"));
        out += &format!("{}: {}{command}\n", issuer.name, issuer.page);
    }
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for value in secrets.iter().filter(|v| v.issuer.is_none()) {
        let row = (value.kind.as_str(), advice(value));
        if !kinds.contains(&row) {
            kinds.push(row);
        }
    }
    for (kind, advice) in kinds {
        out += &format!("{kind}: {advice}\n");
    }
    out
}

fn advice(value: &ReportedValue) -> &'static str {
    advice_for(&value.kind).unwrap_or("replace it where it is used")
}

/// What was not scanned.
fn skipped(report: &ScanReport) -> String {
    let mut parts = Vec::new();
    for (count, noun) in [
        (report.binary, "binary file"),
        (report.links, "symbolic link"),
        (report.special, "special file"),
    ] {
        if count > 0 {
            parts.push(pluralize(count, noun));
        }
    }
    let mut out = String::new();
    if !parts.is_empty() {
        out += &format!("skipped {}\n", parts.join(", "));
    }
    if report.unlisted > 0 {
        out += &format!(
            "not listed: {} more occurrences of other values\n",
            group_thousands(report.unlisted as u64)
        );
    }
    for path in report.unreadable.iter().take(MAX_LISTED_UNREADABLE) {
        out += &(Raw::from(path.reason.as_str()).printable_line() + "\n");
    }
    let more = report
        .unreadable_count
        .saturating_sub(MAX_LISTED_UNREADABLE);
    if more > 0 {
        out += &format!("and {} could not be read\n", pluralize(more, "more path"));
    }
    out
}
