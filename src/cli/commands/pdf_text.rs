//! The hidden command that reads a PDF from standard input and prints its text: the child process of
//! an attachment. It reads no settings and opens no key store.

use std::io::{Read, Write};
use std::process::ExitCode;

/// The memory that the process may use. Compressed pages can be a thousand times their size.
#[cfg(unix)]
const MAX_MEMORY: u64 = 1 << 30;

/// Prints the text of the PDF, each page under its number.
pub(crate) fn run() -> ExitCode {
    limit_memory();
    match read() {
        Some(text) if std::io::stdout().write_all(text.as_bytes()).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn read() -> Option<String> {
    let mut pdf = Vec::new();
    std::io::stdin().read_to_end(&mut pdf).ok()?;
    let pages = pdf_extract::extract_text_from_mem_by_pages(&pdf).ok()?;
    let mut text = String::new();
    for (n, page) in pages.iter().enumerate() {
        let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
        let page = lines.join("\n");
        let page = page.trim_matches('\n');
        if page.is_empty() {
            continue;
        }
        if pages.len() > 1 {
            text += &format!("[page {}]\n", n + 1);
        }
        text += page;
        text += "\n\n";
    }
    text.truncate(text.trim_end().len());
    Some(text)
}

#[cfg(unix)]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(MAX_MEMORY),
        maximum: Some(MAX_MEMORY),
    };
    // Where the limit is unknown, the time limit of the parent remains.
    setrlimit(Resource::As, limit).unwrap_or_default();
}

#[cfg(not(unix))]
const fn limit_memory() {}
