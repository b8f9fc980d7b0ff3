//! Writes two records to an audit log, and verifies it. Change a record with an editor and run it
//! again: the damage is found.
//!
//! `cargo run --example audit -- /path/to/folder`

use chatbot::Clock;
use chatbot::audit::log::AuditLog;
use chatbot::audit::{Event, EventKind, Severity};
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let log = AuditLog::new(Path::new(&folder), Clock::system());
    // An event has numbers, names and flags; there is no field for text.
    log.append(&Event::new(EventKind::KeyRevealed).word("provider", "openrouter"))?;
    log.append(
        &Event::new(EventKind::Limited)
            .severity(Severity::Warning)
            .word("window", "hour")
            .number("used", 100),
    )?;
    let report = log.verify()?;
    let mut out = std::io::stdout();
    match report.first_bad {
        None => writeln!(out, "{} records, none changed", report.records)?,
        Some((number, why)) => writeln!(out, "record {number}: {why}")?,
    }
    Ok(())
}
