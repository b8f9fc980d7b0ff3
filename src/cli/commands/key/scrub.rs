//! Removes imported keys from other programs' files. The changed lines are shown first, and an
//! encrypted copy of the file is kept from which it can be restored.

use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::cli::ui::shown;
use crate::disk::{self, Draft};
use crate::keys::foreign::{Found, scrubbed};
use crate::ledger::{Event, Severity, What};
use crate::privacy::Raw;
use crate::seal::Purpose;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const LARGEST: u64 = 4 << 20;

/// The content of an encrypted copy.
#[derive(Serialize, Deserialize)]
struct Copy {
    format: String,
    path: PathBuf,
    text: String,
}

const FORMAT: &str = "chatbot-scrubbed 1";

/// Shows the lines with keys in them, and removes the keys if the user agrees.
pub(super) fn offer(app: &mut App, path: &Path, text: &str, keys: &[&Found], wanted: bool) -> Result<()> {
    if !wanted && !app.ui.can_ask() {
        return app.ui.say(&format!("{} still contains them; `--scrub` removes them\n", shown(path)), 2);
    }
    let after = scrubbed(text, keys);
    app.ui.out(&format!("in {}:\n", shown(path)))?;
    for line in lines(keys) {
        let now = after.lines().nth(line - 1).unwrap_or_default();
        app.ui.out(&format!("{line:>6}: {}\n", Raw::from(now).printable_line()))?;
    }
    let told = (wanted && app.yes) || app.ui.confirm("Remove them like this? An encrypted copy of the file is kept.", "`--scrub --yes`")?;
    if !told {
        return Ok(());
    }
    if disk::is_link(path) {
        bail!(Problem::new(Exit::Refused, "symlink", format!("`{}` is a symbolic link", shown(path))).hint("pass the file it points to"));
    }
    let kept = keep_copy(app, path, text)?;
    // Another program may have changed the file while the question was open.
    if disk::read_foreign(path, LARGEST)? != text.as_bytes() {
        bail!(Problem::new(Exit::Storage, "changed", format!("`{}` has changed in the meantime and was not touched", shown(path))));
    }
    let bare = path.parent().is_none_or(|parent| parent == Path::new(""));
    let mut draft = Draft::beside(&if bare { Path::new(".").join(path) } else { path.to_path_buf() })?;
    draft.add(after.as_bytes())?;
    draft.keep()?;
    app.note_of_keys(&Event::new(What::KeyImported).severity(Severity::Notice).word("deed", "scrub").number("keys", keys.len()));
    app.ui.say(&format!("removed; `chatbot key import --restore {}` restores the file\n", shown(&kept)), 2)
}

fn lines(keys: &[&Found]) -> Vec<usize> {
    let mut lines: Vec<usize> = keys.iter().flat_map(|k| &k.places).map(|(line, _)| *line).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Prefix and suffix of the name of an encrypted copy.
const NAMED: (&str, &str) = ("scrubbed-", ".fernet");

pub(in crate::cli::commands) fn copies(app: &App) -> Result<Vec<PathBuf>> {
    let folder = app.home.backups();
    let (begin, end) = NAMED;
    let names = disk::names(&folder, end)?.into_iter().filter(|name| name.starts_with(begin));
    let mut copies: Vec<PathBuf> = names.map(|name| folder.join(format!("{name}{end}"))).collect();
    copies.sort();
    Ok(copies)
}

/// Writes an encrypted copy of the file, with the data key.
fn keep_copy(app: &mut App, path: &Path, text: &str) -> Result<PathBuf> {
    let copy = Copy { format: FORMAT.to_owned(), path: std::path::absolute(path)?, text: text.to_owned() };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&copy)?);
    drop(zeroize::Zeroizing::new(copy.text));
    let now = app.clock.now();
    let sealed = app.ring(Purpose::ImportCopy)?.seal(&plain, now);
    let (begin, end) = NAMED;
    let to = app.home.backups().join(format!("{begin}{}{end}", now.millis()));
    disk::write(&to, sealed.as_bytes())?;
    Ok(to)
}

/// Restores a file from its encrypted copy, replacing what is there now.
pub(super) fn restore(app: &mut App, from: &Path) -> Result<()> {
    let sealed = String::from_utf8(disk::read_foreign(from, LARGEST)?).unwrap_or_default();
    let closed =
        |_| Problem::new(Exit::Storage, "cannot_open", format!("`{}` is damaged, or was not encrypted by this installation", shown(from)));
    let plain = app.ring(Purpose::ImportCopy)?.open(sealed.trim()).map_err(closed)?;
    let copy: Copy =
        serde_json::from_slice(&plain).map_err(|_| Problem::new(Exit::Storage, "torn", "this is not a copy of a scrubbed file"))?;
    let text = zeroize::Zeroizing::new(copy.text);
    if copy.format != FORMAT {
        bail!(Problem::new(Exit::Storage, "torn", "this is not a copy of a scrubbed file"));
    }
    let question = format!("Restore `{}`, with its keys in plain text?", shown(&copy.path));
    if !app.yes && !app.ui.confirm(&question, "`--yes`")? {
        bail!(Problem::new(Exit::Failure, "declined", "nothing was written"));
    }
    let mut draft = Draft::beside(&copy.path)?;
    draft.add(text.as_bytes())?;
    draft.keep()?;
    app.ui.say(&format!("restored `{}`\n", shown(&copy.path)), 2)
}
