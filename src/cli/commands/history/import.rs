//! `history import`: conversations from other programs.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::state_marks::When;
use crate::cli::term::display_path;
use crate::cli::term::format::pluralize;
use crate::conversations::import::{
    self, ImportError, ImportPolicy, ImportSource, ImportedConversation, SkippedParts, mods,
};
use crate::fs;
use crate::privacy::Raw;
use crate::privacy::input_check::{self, InputLimits, TextSource};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger files are refused: the whole file is in memory while it is read, and no known export
/// comes near this size.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Larger messages are left out: encrypting one takes several times its size in memory, and no
/// provider accepts one.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Conversations are saved in batches of this many, or of this many bytes of text: a full disk is
/// noticed early, and memory use stays bounded.
const BATCH_CONVERSATIONS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// Import conversations from other programs
///
/// Supported formats: exports of this program, any list of messages with `role` and `content`,
/// `conversations.json` from ChatGPT, aichat sessions, `shell_gpt` chats, `logs.db` from llm and
/// `mods.db` from mods.
///
/// Imported messages are redacted. Imported system prompts are shown but never sent. Conversations
/// imported earlier are skipped.
///
/// Limits: 512 MiB and 50,000 conversations per file, 100,000 messages per conversation. Messages
/// over 4 MiB are left out.
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryImportArgs {
    /// Files to import
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct ImportCount {
    ids: Vec<String>,
    messages: usize,
    left_out: usize,
    here_already: usize,
    /// Messages with suspicious content, and what the first one contains.
    suspicious: usize,
    first_warning: Option<String>,
    /// Parts of messages that are not text.
    parts: SkippedParts,
}

pub(super) fn run(context: &mut Context, options: &HistoryImportArgs) -> Result<()> {
    let mut count = ImportCount::default();
    let mut known = context.archive()?.import_origins()?;
    for file in &options.files {
        import(context, file, &mut known, &mut count)?;
    }
    // The log records each import: an older copy of it would hide one.
    context.compare_at_end.get_or_insert(When::IfDue);
    context.archive()?.summaries()?;
    if options.json {
        let object = json!({ "schema_version": 1, "imported": count.ids, "messages": count.messages, "skipped": count.left_out, "here_already": count.here_already, "skipped_parts": count.parts, "suspicious": count.suspicious, "warnings": count.first_warning.iter().collect::<Vec<_>>() });
        context.ui.json(&object)?;
    } else {
        let here = if count.here_already > 0 {
            format!("; {} imported earlier", count.here_already)
        } else {
            String::new()
        };
        let (conversations, messages) = (
            pluralize(count.ids.len(), "conversation"),
            pluralize(count.messages, "message"),
        );
        let parts: Vec<String> = count
            .parts
            .iter()
            .map(|(kind, many)| pluralize(*many, kind))
            .collect();
        let parts = if parts.is_empty() {
            String::new()
        } else {
            format!("; left out, because not text: {}", parts.join(", "))
        };
        context.ui.say(
            &format!("imported {conversations}, {messages}{here}{parts}\n"),
            2,
        )?;
        if count.left_out > 0 {
            context.ui.warning(&format!(
                "{} left out: refused by validation or by the retention settings",
                pluralize(count.left_out, "message")
            ));
        }
    }
    if let Some(first) = count.first_warning {
        context.ui.warning(&format!(
            "{} with suspicious content, the first of them because {first}",
            pluralize(count.suspicious, "message")
        ));
    }
    Ok(())
}

fn import(
    context: &mut Context,
    file: &Path,
    known: &mut BTreeMap<String, usize>,
    count: &mut ImportCount,
) -> Result<()> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if fs::length(Path::new(&log)) > 0 {
        bail!(
            CliError::misuse(format!(
                "`{}` is being written by another program",
                display_path(file)
            ))
            .hint("close it, then try again")
        );
    }
    let bytes = zeroize::Zeroizing::new(fs::read_external(file, MAX_FILE_BYTES)?);
    // A conversation that a file contains twice is imported twice.
    let here = known.clone();
    let mut taker = FileImporter {
        context,
        here,
        known,
        count,
        waiting: Vec::new(),
        bytes: 0,
        ids: 0,
        failed: None,
    };
    let source = if let Some(listed) = mods::read_index(&bytes) {
        drop(bytes);
        // A file of mods has only the index; each conversation is a file of its own, which may be
        // missing.
        let folder = file.parent().unwrap_or(Path::new(""));
        let read = |one: &mods::IndexEntry| {
            one.read_conversation(&fs::read_external(&folder.join(&one.file), MAX_FILE_BYTES).ok()?)
        };
        listed
            .iter()
            .filter_map(read)
            .for_each(|one| taker.add(ImportSource::Mods, one));
        ImportSource::Mods
    } else {
        // The first pass checks that the whole file can be read: if not, nothing of it is imported.
        let source = import::read(&bytes, &mut drop).map_err(|why| import_problem(file, why))?;
        import::read(&bytes, &mut |one| taker.add(source, one))
            .map_err(|why| import_problem(file, why))?;
        source
    };
    taker.finish(source)
}

fn import_problem(file: &Path, why: ImportError) -> CliError {
    let what = match why {
        ImportError::Truncated => {
            let what = format!(
                "`{}` is truncated: pages of the database are missing",
                display_path(file)
            );
            return CliError::new(CliExit::Storage, "damaged", what)
                .hint("copy it again while its program is not running");
        }
        ImportError::TooMuch(what) => {
            let what = format!(
                "cannot import `{}`: it has {}",
                display_path(file),
                Raw::from(what).printable()
            );
            return CliError::new(CliExit::Misuse, "too_much", what)
                .hint("export fewer conversations at a time");
        }
        ImportError::DuplicateField(name) => {
            let (file, name) = (display_path(file), Raw::from(name).printable_line());
            let what = format!("`{file}` has an object with two fields named `{name}`");
            let hint = "export the conversations again, or remove one of the two";
            return CliError::new(CliExit::Misuse, "duplicate_field", what).hint(hint);
        }
        ImportError::UnknownFormat => format!(
            "`{}` has no conversations in a known format",
            display_path(file)
        ),
        ImportError::UnknownSchema(what) => format!(
            "`{}` is {}: unknown format",
            display_path(file),
            Raw::from(what).printable()
        ),
    };
    CliError::new(CliExit::Misuse, "unknown_form", what)
        .hint("`chatbot history import --help` lists the formats")
}

/// Imports the conversations of one file.
struct FileImporter<'a> {
    context: &'a mut Context,
    /// Conversations imported earlier, by origin, minus those that this file has already repeated.
    here: BTreeMap<String, usize>,
    known: &'a mut BTreeMap<String, usize>,
    count: &'a mut ImportCount,
    /// Conversations of the current batch, and their size.
    waiting: Vec<ImportedConversation>,
    bytes: usize,
    ids: usize,
    failed: Option<anyhow::Error>,
}

impl FileImporter<'_> {
    fn add(&mut self, source: ImportSource, conversation: ImportedConversation) {
        if self.failed.is_none()
            && let Err(error) = self.try_to_add(source, conversation)
        {
            self.failed = Some(error);
        }
    }

    fn try_to_add(
        &mut self,
        source: ImportSource,
        mut conversation: ImportedConversation,
    ) -> Result<()> {
        let rules = InputLimits {
            max_chars: MAX_MESSAGE_BYTES,
            suspicious: self.context.settings()?.privacy.suspicious,
        };
        let before = conversation.messages.len();
        let count = &mut *self.count;
        conversation.messages.retain(|said| {
            let checked = input_check::validate(&said.text, &rules, TextSource::Imported);
            if let Some(warning) = checked.as_ref().ok().and_then(|found| found.first()) {
                count.suspicious += 1;
                count.first_warning.get_or_insert_with(|| warning.clone());
            }
            checked.is_ok()
        });
        self.count.left_out += before - conversation.messages.len();
        let origin = conversation.origin(source);
        if let Some(id) = &conversation.message_count
            && self.context.archive()?.exists(id)
        {
            self.count.here_already += 1;
            return Ok(());
        }
        if let Some(left @ 1..) = self.here.get_mut(&origin) {
            *left -= 1;
            self.count.here_already += 1;
            return Ok(());
        }
        *self.known.entry(origin).or_default() += 1;
        for (kind, many) in &conversation.skipped {
            *self.count.parts.entry(kind).or_default() += many;
        }
        self.bytes += conversation
            .messages
            .iter()
            .map(|said| said.text.len())
            .sum::<usize>();
        self.waiting.push(conversation);
        if self.waiting.len() >= BATCH_CONVERSATIONS || self.bytes >= BATCH_BYTES {
            self.write(source)
        } else {
            Ok(())
        }
    }

    fn write(&mut self, source: ImportSource) -> Result<()> {
        let settings = self.context.settings()?;
        let (archive, redactor) = (self.context.archive()?, self.context.redactor()?);
        let policy = ImportPolicy {
            redactor: &redactor,
            drop_findings: settings.privacy.drop_findings,
        };
        self.bytes = 0;
        for taken in archive.import(source, std::mem::take(&mut self.waiting), &policy) {
            if let Some(taken) = taken? {
                self.count.messages += taken.messages;
                self.count.left_out += taken.dropped;
                self.count.ids.push(taken.id.to_string());
                self.ids += 1;
            }
        }
        Ok(())
    }

    fn finish(mut self, source: ImportSource) -> Result<()> {
        let written = self.write(source);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        written?;
        let event = Event::new(EventKind::History)
            .word("action", "import")
            .word("from", &source.to_string());
        self.context
            .audit_event(&event.number("conversations", self.ids));
        Ok(())
    }
}
