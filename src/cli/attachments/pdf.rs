//! The text of a PDF. A child process reads it: the format is large and often broken, so what goes
//! wrong there ends the child and not the chat, and it has neither keys nor variables.

use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::fs;
use crate::privacy::Raw;
use anyhow::{Context as _, Result, bail};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// The largest file that is read. Its text has its own limit.
const MAX_PDF_BYTES: u64 = 64 << 20;
/// A file that takes longer is given up.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Whether the beginning of a file is that of a PDF.
pub(super) fn is_pdf(start: &[u8]) -> bool {
    start.starts_with(b"%PDF-")
}

/// Reads the text of a PDF; a longer one than `room` is refused.
pub(super) fn read_text(env: Env, path: &Path, room: u64) -> Result<String> {
    let shown = display_path(path);
    let pdf = fs::read_external(path, MAX_PDF_BYTES).map_err(|error| match error {
        fs::Error::TooLarge { max_bytes, .. } => {
            let size = crate::cli::term::format::format_size(max_bytes);
            too_long(format!("`{shown}` is larger than {size}"), "attach a part")
        }
        other => other.into(),
    })?;
    let mut child = env
        .own_child("pdf-text")?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the process that reads PDFs")?;
    let (send, receive) = mpsc::channel();
    if let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) {
        std::thread::spawn(move || input.write_all(&pdf).unwrap_or_default());
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let read = output.take(room + 1).read_to_end(&mut text);
            send.send(read.map(|_| text)).unwrap_or_default();
        });
    }
    let text = receive.recv_timeout(MAX_TIME);
    let is_complete = matches!(&text, Ok(Ok(text)) if text.len() as u64 <= room);
    if !is_complete {
        child.kill().unwrap_or_default();
    }
    let is_read = child.wait().is_ok_and(|status| status.success());
    match text {
        Ok(Ok(text)) if text.len() as u64 > room => bail!(too_long(
            format!("the text of `{shown}` is too long: {room} bytes are left for attachments"),
            "raise `limits.max_attachment_bytes` in the settings, or attach less",
        )),
        Ok(Ok(text)) if is_read => {
            let text = String::from_utf8(text).context("the text of a PDF is not UTF-8")?;
            if text.trim().is_empty() {
                bail!(
                    CliError::misuse(format!("`{shown}` has no text"))
                        .hint("if its pages are pictures, attach them as PNG or JPEG")
                );
            }
            Ok(text)
        }
        Err(mpsc::RecvTimeoutError::Timeout) => bail!(
            CliError::misuse(format!(
                "reading `{shown}` took more than {} seconds",
                MAX_TIME.as_secs()
            ))
            .hint("convert it to text, for example with `pdftotext`, and attach that")
        ),
        _ => bail!(
            CliError::misuse(format!(
                "the text of `{shown}` cannot be read: it is damaged, protected by a password or unusual"
            ))
            .hint("convert it to text, for example with `pdftotext`, and attach that")
        ),
    }
}

fn too_long(what: String, hint: &str) -> anyhow::Error {
    CliError::new(
        CliExit::Refused,
        "too_long",
        Raw::from(what).printable_line(),
    )
    .hint(hint)
    .into()
}
