//! Checks standard input as a chat checks a message: its length, hidden characters, and text that is
//! suspicious. Fails if the message would be refused.
//!
//! `cargo run --example validate < message.txt`

use chatbot::Raw;
use chatbot::privacy::input_check::{InputLimits, Suspicious, TextSource, validate};
use std::io::{Read, Write};
use std::process::ExitCode;

fn main() -> Result<ExitCode, std::io::Error> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let limits = InputLimits {
        max_chars: 4000,
        suspicious: Suspicious::Warn,
    };
    match validate(&Raw::from(text), &limits, TextSource::Attached) {
        Ok(warnings) => {
            let mut out = std::io::stdout();
            writeln!(out, "accepted, with {} warnings", warnings.len())?;
            for warning in warnings {
                writeln!(out, "- {warning}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            writeln!(std::io::stderr(), "refused: {refusal}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
