//! What a backup has: the selected conversations, and settings, usage and API keys with them.

use crate::backup::{BackupContents, Extras, Origin, SkippedConversation};
use crate::cli::commands::backup::BackupArgs;
use crate::cli::commands::key;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::term::format::pluralize;
use crate::conversations::Archive;
use crate::fs;
use crate::keys::Slot;
use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redacted};
use crate::secret::Secret;
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// The conversations and everything else to back up.
pub(super) struct BackupSelection {
    pub(super) archive: Archive,
    pub(super) ids: Vec<Name>,
    pub(super) extras: Extras,
}

impl BackupSelection {
    pub(super) fn from_args(context: &mut Context, options: &BackupArgs) -> Result<Self> {
        if !crate::conversations::has_conversations(&context.home.conversations())? {
            let nothing =
                CliError::misuse("there is nothing to back up: no conversation has been saved yet");
            bail!(nothing.hint("start one with `chatbot chat`"));
        }
        let archive = context.archive()?;
        let ids = match options.only.as_slice() {
            [] => archive.newest_first()?,
            some => some
                .iter()
                .map(|typed| archive.find(typed))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let extras = extras(context, options)?;
        Ok(Self {
            archive,
            ids,
            extras,
        })
    }

    pub(super) fn warn_about_keys(&self, context: &Context) {
        if !self.extras.keys.is_empty() {
            let keys = self.extras.keys.len();
            let (are, like) = if keys == 1 {
                ("is", "it")
            } else {
                ("are", "them")
            };
            context.ui.error_line(&format!(
                "chatbot: warning: {} {are} in this backup: protect it and its passphrase like {like}",
                pluralize(keys, "API key")
            ));
        }
    }
}

/// The keys that prove a backup to be this installation's own: the data key, which a recovery file
/// restores, and the audit key, which `history rekey` does not change.
pub(in crate::cli::commands) fn backup_origin(context: &mut Context) -> Result<Origin> {
    let manager = context.keys()?.manager();
    let slots = [Slot::DataKey, Slot::PreviousDataKey, Slot::AuditKey];
    let secrets = slots
        .iter()
        .map(|slot| manager.get(slot))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Origin::new(
        &secrets.into_iter().flatten().collect::<Vec<_>>(),
    ))
}

fn extras(context: &mut Context, options: &BackupArgs) -> Result<Extras> {
    let mut extras = Extras {
        origin: backup_origin(context)?,
        ..Extras::default()
    };
    if options.only.is_empty() {
        extras.settings = redacted_settings(context)?;
        extras.usage = fs::read(&context.usage().path())?;
    }
    if options.with_keys {
        context.refuse_in_lockdown()?;
        extras.keys = api_keys(context)?;
    }
    Ok(extras)
}

/// The settings file without private data; `None` if there is none.
pub(in crate::cli::commands) fn redacted_settings(
    context: &mut Context,
) -> Result<Option<Redacted>> {
    let text = context.settings_text()?;
    if text.is_empty() {
        return Ok(None);
    }
    let (text, found) = context
        .redactor()?
        .redact(Raw::from(text), &mut Placeholders::default());
    if !found.is_empty() {
        context
            .ui
            .warning("private data in the settings was left out of the backup");
    }
    Ok(Some(text))
}

fn api_keys(context: &mut Context) -> Result<Vec<(Slot, Secret)>> {
    let index = key::load_full_index(context)?;
    let manager = context.keys()?.manager();
    let slots: Vec<Slot> = index
        .map(|index| index.records().map(|(slot, _)| slot).collect())
        .unwrap_or_default();
    let mut keys = Vec::new();
    for slot in slots
        .into_iter()
        .filter(|s| matches!(s, Slot::ApiKey { .. }))
    {
        if let Some(key) = manager.get(&slot)? {
            keys.push((slot, key));
        }
    }
    Ok(keys)
}

/// Warns about what could not be decrypted, and returns it as JSON.
pub(super) fn report_damaged(context: &Context, skipped: &[SkippedConversation]) -> Vec<Value> {
    for SkippedConversation { id, reason, .. } in skipped {
        context.ui.error_line(&format!(
            "chatbot: warning: left out of the backup: {id}: {reason}"
        ));
    }
    skipped
        .iter()
        .map(|l| json!({ "id": l.id, "message": l.message, "reason": l.reason }))
        .collect()
}

pub(super) fn report_undecryptable(context: &Context, contents: &BackupContents) -> Result<()> {
    contents.skipped.iter().try_for_each(|(id, reason)| {
        context.ui.say(
            &format!(
                "could not be decrypted when the backup was made: {id}: {}\n",
                Raw::from(reason.as_str()).printable_line()
            ),
            2,
        )
    })
}

/// Lists what a backup contains besides conversations.
pub(super) fn describe_extras(contents: &BackupContents) -> String {
    let texts = contents.texts.iter().map(|file| file.describe());
    texts
        .chain((contents.keys > 0).then_some("API keys"))
        .map(|what| format!(", {what}"))
        .collect()
}
