//! Redacts standard input, and with `--findings` lists the findings on standard error.
//!
//! `cargo run --release --example redact < some.log`

use chatbot::{Placeholders, Policy, Raw, Redactor};
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redactor = Redactor::new(&Policy::default())?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let (redacted, findings) = redactor.redact(Raw::from(text), &mut Placeholders::default());
    std::io::stdout().write_all(redacted.as_str().as_bytes())?;
    if std::env::args().any(|argument| argument == "--findings") {
        for finding in &findings {
            writeln!(
                std::io::stderr(),
                "{} {} {}..{}",
                finding.kind,
                finding.rule,
                finding.start,
                finding.end
            )?;
        }
    }
    Ok(())
}
