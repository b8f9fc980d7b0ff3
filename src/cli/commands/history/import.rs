//! `history import`: conversations of other programs.

use super::counted;
use crate::archive::foreign::{self, Foreign, Gate, LeftOut, Source, Unread, mods};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::cli::ui::shown;
use crate::disk;
use crate::ledger::{Event, What};
use crate::privacy::Raw;
use crate::privacy::validate::{self, Rules};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// No file larger than this is read.
const LARGEST: u64 = 2 << 30;

/// Take conversations of other programs in
///
/// Reads our own export, any list of messages with `role` and `content`, ChatGPT's `conversations.json`, sessions of aichat,
/// chats of `shell_gpt`, the `logs.db` of llm and the `mods.db` of mods. All of it is redacted; standing instructions among it are
/// shown and never sent. What came before is passed over.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Default)]
struct Count {
    ids: Vec<String>,
    messages: usize,
    left_out: usize,
    here_already: usize,
    /// What is no text.
    parts: LeftOut,
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let mut count = Count::default();
    let mut known = app.archive()?.origins()?;
    for file in &options.files {
        let (source, conversations) = read(file)?;
        take_in(app, source, conversations, &mut known, &mut count)?;
    }
    app.archive()?.summaries()?;
    if options.json {
        let object = json!({ "schema_version": 1, "imported": count.ids, "messages": count.messages, "left_out": count.left_out, "here_already": count.here_already, "parts_left_out": count.parts });
        app.ui.json(&object)?;
    } else {
        let here = if count.here_already > 0 { format!("; {} here already", count.here_already) } else { String::new() };
        let (conversations, messages) = (counted(count.ids.len(), "conversation"), counted(count.messages, "message"));
        let parts: Vec<String> = count.parts.iter().map(|(kind, many)| counted(*many, kind)).collect();
        let parts = if parts.is_empty() { String::new() } else { format!("; left out, being no text: {}", parts.join(", ")) };
        app.ui.say(&format!("imported {conversations}, {messages}{here}{parts}\n"), 2)?;
        if count.left_out > 0 {
            app.ui.warning(&format!("{} left out: refused by validation, or not to be kept", counted(count.left_out, "message")));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<(Source, Vec<Foreign>)> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if disk::length(Path::new(&log)) > 0 {
        bail!(Problem::misuse(format!("`{}` is being written by another program", shown(file))).hint("end that, then try again"));
    }
    let bytes = disk::read_foreign(file, LARGEST)?;
    let bytes = zeroize::Zeroizing::new(bytes);
    if let Some(listed) = mods::index(&bytes) {
        // Its conversations lie beside it; one whose file has gone cannot be had.
        let folder = file.parent().unwrap_or(Path::new(""));
        let read = |one: &mods::Listed| one.conversation(&disk::read_foreign(&folder.join(&one.file), LARGEST).ok()?);
        return Ok((Source::Mods, listed.iter().filter_map(read).collect()));
    }
    foreign::read(&bytes).map_err(|why| {
        let what = match why {
            Unread::Cut => {
                let what = format!("`{}` is cut off: pages of the database are missing", shown(file));
                return Problem::new(Exit::Storage, "damaged", what).hint("copy it once more, while its program does not run").into();
            }
            Unread::Form => format!("`{}` holds no conversations in a form that is known", shown(file)),
            Unread::Schema(what) => format!("`{}` is {}: that form is not known", shown(file), Raw::from(what).printable()),
        };
        Problem::new(Exit::Misuse, "unknown_form", what).hint("`chatbot history import --help` names the forms").into()
    })
}

fn take_in(
    app: &mut App,
    source: Source,
    mut conversations: Vec<Foreign>,
    known: &mut BTreeMap<String, usize>,
    count: &mut Count,
) -> Result<()> {
    let settings = app.settings()?;
    let rules = Rules { max_chars: usize::MAX, suspicious: settings.privacy.suspicious };
    for conversation in &mut conversations {
        let before = conversation.said.len();
        conversation.said.retain(|said| validate::validate(&said.text, &rules).is_ok());
        count.left_out += before - conversation.said.len();
    }
    let (archive, redactor) = (app.archive()?, app.redactor()?);
    let before = conversations.len();
    // One that stands in a file twice is two.
    let (mut here, mut new) = (known.clone(), Vec::new());
    conversations.retain(|conversation| {
        let origin = conversation.origin(source);
        if conversation.here.as_ref().is_some_and(|id| archive.is_there(id)) {
            return false;
        }
        if let Some(left @ 1..) = here.get_mut(&origin) {
            *left -= 1;
            return false;
        }
        new.push(origin);
        true
    });
    for origin in new {
        *known.entry(origin).or_default() += 1;
    }
    count.here_already += before - conversations.len();
    for (kind, many) in conversations.iter().flat_map(|conversation| &conversation.left_out) {
        *count.parts.entry(kind).or_default() += many;
    }
    let gate = Gate { redactor: &redactor, drop_findings: settings.privacy.drop_findings };
    // In turns, so that a disk that is full is noticed early.
    for some in conversations.chunks(256) {
        for taken in archive.take_in(source, some, &gate) {
            if let Some(taken) = taken? {
                count.messages += taken.messages;
                count.left_out += taken.dropped;
                count.ids.push(taken.id.to_string());
            }
        }
        app.ui.progress("taken in", count.ids.len().min(conversations.len()), conversations.len());
    }
    app.ui.end_progress();
    app.note(&Event::new(What::History).word("deed", "import").word("from", &source.to_string()).number("conversations", count.ids.len()));
    Ok(())
}
