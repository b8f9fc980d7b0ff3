//! `history show`: prints a conversation.

use super::unanswered::{ShownMessage, UnansweredMarker};
use super::{list, resolve_id};
use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::session::report_damage;
use crate::cli::term::Style;
use crate::cli::term::format::truncate_to_width;
use crate::cli::term::wrap::{INDENT, indented};
use crate::config::UiSettings;
use crate::conversations::{self, Archive, ConversationState, StoredMessage, Summary};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::{Displayable, MarkdownDisplay, Placeholders, Raw};
use crate::render::RenderOptions;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};

/// Show a conversation
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryShowArgs {
    /// ID of the conversation, or the start of it; the most recent one if omitted
    id: Option<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
    /// Print without styling and without a pager
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(context: &mut Context, options: &HistoryShowArgs) -> Result<()> {
    let (archive, id) = resolve_id(context, options.id.as_deref())?;
    let ending = if options.json {
        show_json(context, &archive, &id)?
    } else if let Some(ending) = show_text(
        context,
        &archive,
        &id,
        PagedOutput::new(context, !options.raw),
        options.raw,
    )? {
        ending
    } else {
        // The pager does not exist: write to standard output instead.
        show_text(
            context,
            &archive,
            &id,
            PagedOutput::new(context, false),
            options.raw,
        )?
        .ok_or_else(|| conversations::Error::Missing(id.to_string()))?
    };
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", "show")
            .word("conversation", id.as_str()),
    );
    report_damage(context, &ending.damage);
    if ending.damage.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// Writes each message when it is read, so that a long conversation is not held in memory; what is
/// known only at the end follows.
fn show_json(context: &mut Context, archive: &Archive, id: &Name) -> Result<ConversationState> {
    let redactor = context.redactor()?;
    let mut table = Placeholders::default();
    let mut out = PagedOutput::new(context, false);
    let mut before = "{\"messages\":[";
    let mut give = |m: &ShownMessage| {
        let text = redactor.redact_stored(m.message.text.clone(), m.message.rules, &mut table);
        out.add(
            context,
            Displayable::json_text(&format!("{before}{}", message_json(m, text.as_str()))),
        )?;
        before = ",";
        anyhow::Ok(())
    };
    let mut questions = UnansweredMarker::default();
    let ending = archive.stream(id, &mut |m| questions.add(m, &mut give))?;
    questions.finish(&mut give)?;
    if ending.messages == 0 {
        out.add(context, before)?;
    }
    let mut about = list::summary_json(context, &Summary::from_state(id, &ending))?;
    if let Some(about) = about.as_object_mut() {
        about.remove("messages");
        about.insert("schema_version".to_owned(), json!(1));
    }
    let about = about.to_string();
    out.add(
        context,
        Displayable::json_text(&format!("],{}", about.strip_prefix('{').unwrap_or(&about))) + "\n",
    )?;
    out.finish(context)?;
    Ok(ending)
}

/// Writes each message when it is read; `None` if the pager could not be started.
fn show_text(
    context: &mut Context,
    archive: &Archive,
    id: &Name,
    mut out: PagedOutput,
    raw: bool,
) -> Result<Option<ConversationState>> {
    let redactor = context.redactor()?;
    let mut table = Placeholders::default();
    let ui = context.settings()?.ui;
    let mut give = |m: &ShownMessage| {
        let redacted = redactor.redact_stored(m.message.text.clone(), m.message.rules, &mut table);
        out.add(
            context,
            format_message(context, m, &redacted.printable(), raw, ui)?,
        )
    };
    let mut questions = UnansweredMarker::default();
    let ending = archive.stream(id, &mut |m| questions.add(m, &mut give))?;
    questions.finish(&mut give)?;
    Ok(out.finish(context)?.then_some(ending))
}

/// Output is written in pieces of this size.
const BATCH_BYTES: usize = 64 * 1024;

/// Standard output, or the user's pager as soon as the text is longer than the screen.
struct PagedOutput {
    waiting: Displayable,
    may_page: bool,
    pager: Option<(Child, ChildStdin)>,
}

impl PagedOutput {
    fn new(context: &Context, may_page: bool) -> Self {
        Self {
            waiting: Displayable::default(),
            may_page: may_page && context.ui.output_is_terminal(),
            pager: None,
        }
    }

    fn add(&mut self, context: &Context, text: impl Into<Displayable>) -> Result<()> {
        self.waiting += text;
        if self.may_page && context.ui.overflows(&self.waiting) {
            self.may_page = false;
            self.pager = start_pager(context)?;
            self.write(context)?;
        }
        if self.waiting.as_ref().len() >= BATCH_BYTES {
            self.write(context)
        } else {
            Ok(())
        }
    }

    fn write(&mut self, context: &Context) -> Result<()> {
        let text = std::mem::take(&mut self.waiting);
        match &mut self.pager {
            // The user may quit the pager before the end.
            Some((_, pipe)) => pipe.write_all(&context.ui.output_bytes(&text)).or(Ok(())),
            None => context.ui.out(text),
        }
    }

    /// Writes the rest and waits for the pager; `false` if it could not be started.
    fn finish(mut self, context: &Context) -> Result<bool> {
        self.write(context)?;
        let Some((mut pager, pipe)) = self.pager else {
            return Ok(true);
        };
        drop(pipe);
        // A shell exits with 127 if the program does not exist.
        Ok(pager.wait().is_ok_and(|status| status.code() != Some(127)))
    }
}

/// Starts the user's pager, if there is one and the terminal can show it.
fn start_pager(context: &Context) -> Result<Option<(Child, ChildStdin)>> {
    let pager = context
        .env
        .text("PAGER")?
        .unwrap_or_else(|| "less -R".to_owned());
    if context.env.text("TERM")?.is_none_or(|term| term == "dumb") || pager == "cat" {
        return Ok(None);
    }
    let Ok(mut child) = context
        .env
        .command("sh")
        .arg("-c")
        .arg(&pager)
        .stdin(Stdio::piped())
        .spawn()
    else {
        return Ok(None);
    };
    Ok(child.stdin.take().map(|pipe| (child, pipe)))
}

/// A message as JSON, with its text redacted.
pub(super) fn message_json(shown: &ShownMessage, text: &str) -> Value {
    let message = &shown.message;
    let mut object =
        json!({ "role": message.role, "text": text, "at": message.at, "n": message.n });
    if let Some(object) = object.as_object_mut() {
        if let Some(model) = &message.model {
            object.insert("model".to_owned(), json!(model));
        }
        for (name, is) in [
            ("cut", message.cut),
            ("foreign", message.foreign),
            ("unanswered", shown.is_unanswered),
        ] {
            if is {
                object.insert(name.to_owned(), json!(true));
            }
        }
    }
    object
}

/// Who said it, for a person. A model is named behind its role: it could be called `you`.
pub(super) fn role_label(message: &StoredMessage) -> String {
    match message.role {
        Role::User => "you".to_owned(),
        Role::System if message.foreign => "imported system prompt, not sent".to_owned(),
        Role::System => "system".to_owned(),
        Role::Assistant => message.model.as_deref().map_or_else(
            || "assistant".to_owned(),
            |m| format!("assistant, {}", Raw::from(m).printable_line()),
        ),
    }
}

fn format_message(
    context: &Context,
    shown: &ShownMessage,
    text: &str,
    raw: bool,
    ui: UiSettings,
) -> Result<Displayable> {
    let message = &shown.message;
    let about = format!(" · {}{}", message.at.local_minute(), shown.state());
    let width = context.ui.output_is_terminal().then(|| context.ui.width());
    // A heading that the terminal breaks would go on in the first column.
    let room = width.map_or(usize::MAX, |width| {
        width.saturating_sub(about.chars().count() + 3).max(16)
    });
    let head = format!(
        "── {}{about}",
        truncate_to_width(&role_label(message), room)
    );
    let head = if raw {
        Displayable::line(&head)
    } else {
        context.ui.paint(Style::Dim, &head)
    };
    // What a person wrote is no Markdown.
    let is_rendered = ui.markdown && !raw && message.role == Role::Assistant;
    let body = if !is_rendered || !context.ui.output_takes_styles() {
        Displayable::from(indented(text.trim_end(), width))
    } else {
        let options = context.env.render_options(context.ui, ui.theme)?;
        let options = RenderOptions {
            width: options.width.saturating_sub(INDENT),
            ..options
        };
        // Code is not wrapped, so a line may still be too long.
        MarkdownDisplay::whole(text.trim_end(), options).with_layout(|text| indented(text, width))
    };
    Ok(head + "\n" + body + "\n")
}
