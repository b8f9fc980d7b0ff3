//! Finds a conversation by what the user typed: its id, the start of it, or its title.

use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::conversations::{self, Archive, Summary};
use crate::name::Name;
use crate::privacy::Raw;
use anyhow::{Result, bail};

/// An error names at most this many candidates.
const MAX_CANDIDATES: usize = 5;

/// The conversation whose id begins with the text, else the one with it in its title.
pub(crate) fn find(context: &mut Context, typed: &str) -> Result<Name> {
    let archive = context.archive()?;
    find_in(&archive, typed)
}

pub(crate) fn find_in(archive: &Archive, typed: &str) -> Result<Name> {
    let missing = match archive.find(typed) {
        Ok(id) => return Ok(id),
        Err(conversations::Error::Ambiguous(_)) => {
            let all = archive.summaries()?.summaries;
            let found = all.iter().filter(|s| s.id.as_str().starts_with(typed));
            bail!(ambiguous(typed, &found.collect::<Vec<_>>()));
        }
        Err(missing @ conversations::Error::Missing(_)) => missing,
        Err(error) => return Err(error.into()),
    };
    let wanted = typed.trim().to_lowercase();
    if wanted.is_empty() {
        bail!(missing);
    }
    let all = archive.summaries()?.summaries;
    let matching = |is: fn(&str, &str) -> bool| -> Vec<&Summary> {
        all.iter()
            .filter(|s| {
                let title = s.header.as_ref().map_or("", |h| h.title.as_str());
                is(&title.to_lowercase(), &wanted)
            })
            .collect()
    };
    let mut found = matching(|title, wanted| title == wanted);
    if found.is_empty() {
        found = matching(|title, wanted| title.contains(wanted));
    }
    match found.as_slice() {
        [] => bail!(missing),
        [one] => Ok(one.id.clone()),
        _ => bail!(ambiguous(typed, &found)),
    }
}

/// Lists the candidates: the newest first.
fn ambiguous(typed: &str, found: &[&Summary]) -> CliError {
    let shown: Vec<String> = found
        .iter()
        .take(MAX_CANDIDATES)
        .map(|s| {
            let title = s.header.as_ref().map_or("", |h| h.title.as_str());
            format!("{} \"{}\"", s.id, Raw::from(title).printable_line())
        })
        .collect();
    let more = found.len().saturating_sub(MAX_CANDIDATES);
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    let typed = Raw::from(typed).printable_line();
    CliError::misuse(format!(
        "more than one conversation matches `{typed}`: {}{more}",
        shown.join(", ")
    ))
    .hint("type more of the ID or of the title")
}
