//! `history`: the conversations that were kept.

use crate::archive::{StoredMessage, Summary};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::talk::tell_damage;
use crate::cli::ui::Style;
use crate::ledger::{Event, What};
use crate::message::Role;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Look at the conversations that were kept
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List conversations, newest first
    List(List),
    /// Show a conversation
    Show(Show),
    /// Remove conversations
    Delete(Delete),
    /// Open every conversation and name what is damaged
    Verify(Verify),
}

#[derive(Clone, Debug, Args)]
struct List {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct Show {
    /// Which: its id or the beginning of it; the last one if left out
    id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct Delete {
    /// Which: ids, or beginnings of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

#[derive(Clone, Debug, Args)]
struct Verify {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::List(o) => o.json,
            Command::Show(o) => o.json,
            Command::Verify(o) => o.json,
            Command::Delete(_) => false,
        }
    }
}

pub(crate) fn run(app: &mut App, options: Options) -> Result<()> {
    match options.command {
        Command::List(o) => list(app, &o),
        Command::Show(o) => show(app, &o),
        Command::Delete(o) => delete(app, &o),
        Command::Verify(o) => verify(app, &o),
    }
}

/// What a conversation is called on a screen and in JSON. What was stored is looked at again, like everything stored.
fn title(summary: &Summary) -> String {
    let title = summary.header.as_ref().map_or("", |h| h.title.as_str());
    if title.is_empty() { "(untitled)".to_owned() } else { Raw::from(title).printable() }
}

/// The last ten, for a look in the middle of a conversation.
pub(crate) fn recent(app: &mut App) -> Result<()> {
    list(app, &List { limit: 10, json: false })
}

fn summary_json(summary: &Summary) -> Value {
    let header = summary.header.as_ref();
    json!({
        "id": summary.id,
        "title": title(summary),
        "provider": header.map(|h| h.provider.as_str()),
        "model": header.map(|h| h.model.as_str()),
        "created_at": header.map(|h| h.created_at),
        "updated_at": summary.updated_at,
        "messages": summary.messages,
    })
}

fn list(app: &mut App, options: &List) -> Result<()> {
    let (found, failed) = if nothing_sealed(app)? { (Vec::new(), Vec::new()) } else { app.archive()?.summaries()? };
    for (id, error) in &failed {
        app.ui.error_line(&format!("chatbot: warning: conversation `{id}` cannot be read: {error}"));
    }
    let more = found.len().saturating_sub(options.limit);
    let shown = found.iter().take(options.limit);
    if options.json {
        let list: Vec<Value> = shown.map(summary_json).collect();
        app.ui.out(&format!("{}\n", json!({ "schema_version": 1, "conversations": list })))?;
    } else {
        let room = app.ui.width().saturating_sub(10 + 2 + 16 + 2 + 5 + 2).max(16);
        let mut text = String::new();
        for summary in shown {
            let when = app.ui.paint(Style::Dim, &summary.updated_at.local_minute());
            let title = fitted(&title(summary), room);
            text.push_str(&format!("{:<10}  {when}  {:>5}  {title}\n", summary.id.to_string(), summary.messages));
        }
        app.ui.out(&text)?;
        if found.is_empty() && failed.is_empty() {
            app.ui.notice("no conversation has been kept yet");
        } else if more > 0 {
            app.ui.notice(&format!("{more} more; `--limit` shows them"));
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

/// Whether nothing has been kept at all: then no key is needed to say so.
fn nothing_sealed(app: &App) -> Result<bool> {
    Ok(!crate::archive::any_sealed(&app.home.conversations())?)
}

/// A text cut to so many columns, by what each character takes on a terminal.
pub(crate) fn fitted(text: &str, columns: usize) -> String {
    use unicode_width::UnicodeWidthChar;
    let width = |c: char| c.width().unwrap_or(0);
    let line: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
    if line.chars().map(width).sum::<usize>() <= columns {
        return line;
    }
    let mut used = 1;
    let mut out: String = line
        .chars()
        .take_while(|c| {
            used += width(*c);
            used <= columns
        })
        .collect();
    out.push('…');
    out
}

fn show(app: &mut App, options: &Show) -> Result<()> {
    if nothing_sealed(app)? {
        let what = options.id.as_ref().map_or_else(
            || "no conversation has been kept yet".to_owned(),
            |id| format!("there is no conversation `{}`", Raw::from(id.as_str()).printable()),
        );
        bail!(Problem::misuse(what).hint("`chatbot history list` shows them all"));
    }
    let archive = app.archive()?;
    let id = match &options.id {
        Some(typed) => archive.find(typed)?,
        None => archive.latest()?.ok_or_else(|| Problem::misuse("no conversation has been kept yet"))?,
    };
    let stored = archive.read(&id)?;
    let redactor = app.redactor()?;
    let mut table = crate::privacy::Placeholders::default();
    if options.json {
        let summary = Summary {
            header: stored.header.clone(),
            id: id.clone(),
            updated_at: stored.messages.last().map_or_else(|| app.clock.now(), |m| m.at),
            messages: stored.messages.len(),
        };
        let messages: Vec<Value> = stored
            .messages
            .iter()
            .map(|m| {
                let (text, _) = redactor.redact(m.text.clone(), &mut table);
                let mut message = json!({ "role": m.role, "text": text, "at": m.at, "n": m.n });
                if m.cut
                    && let Some(message) = message.as_object_mut()
                {
                    message.insert("cut".to_owned(), json!(true));
                }
                message
            })
            .collect();
        let mut object = summary_json(&summary);
        if let Some(object) = object.as_object_mut() {
            object.insert("schema_version".to_owned(), json!(1));
            object.insert("messages".to_owned(), json!(messages));
        }
        app.ui.out(&format!("{object}\n"))?;
    } else {
        for message in &stored.messages {
            let (text, _) = redactor.redact(message.text.clone(), &mut table);
            app.ui.out(&readable(app, message, &text.printable()))?;
        }
    }
    tell_damage(app, &stored);
    if stored.damage.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

fn readable(app: &App, message: &StoredMessage, text: &str) -> String {
    let who = match message.role {
        Role::User => "you".to_owned(),
        Role::System => "system".to_owned(),
        Role::Assistant => message.model.as_deref().map_or_else(|| "assistant".to_owned(), |m| Raw::from(m).printable()),
    };
    let cut = if message.cut { " · cut" } else { "" };
    let head = app.ui.paint(Style::Dim, &format!("── {who} · {}{cut}", message.at.local_minute()));
    format!("{head}\n{}\n\n", text.trim_end())
}

fn delete(app: &mut App, options: &Delete) -> Result<()> {
    let archive = app.archive()?;
    let ids = options.ids.iter().map(|typed| archive.find(typed)).collect::<Result<Vec<_>, _>>()?;
    let what =
        if let [id] = ids.as_slice() { format!("remove conversation `{id}`?") } else { format!("remove {} conversations?", ids.len()) };
    if !app.yes && !app.ui.confirm(&what, "`--yes`")? {
        bail!(Quiet(Exit::Failure));
    }
    for id in &ids {
        archive.delete(id)?;
        app.note(&Event::new(What::History).word("deed", "delete").word("id", id.as_str()));
        app.ui.notice(&format!("removed {id}"));
    }
    Ok(())
}

fn verify(app: &mut App, options: &Verify) -> Result<()> {
    let ids = { if nothing_sealed(app)? { Vec::new() } else { app.archive()?.ids()? } };
    let mut damaged = Vec::new();
    let (mut conversations, mut messages) = (0_usize, 0_usize);
    for id in ids {
        match app.archive()?.read(&id) {
            Ok(stored) => {
                conversations += 1;
                messages += stored.messages.len();
                damaged.extend(stored.damage.iter().map(|d| (id.clone(), d.message, d.sentence())));
            }
            Err(error) => damaged.push((id, None, error.to_string())),
        }
    }
    damaged.sort();
    if !damaged.is_empty() {
        app.note(&Event::new(What::Damage).severity(crate::ledger::Severity::Critical).number("records", damaged.len()));
    }
    if options.json {
        let list: Vec<Value> =
            damaged.iter().map(|(id, message, reason)| json!({ "id": id, "message": message, "reason": reason })).collect();
        app.ui
            .out(&format!("{}\n", json!({ "schema_version": 1, "conversations": conversations, "messages": messages, "damaged": list })))?;
    } else {
        for (id, _, reason) in &damaged {
            app.ui.out(&format!("{id}: {reason}\n"))?;
        }
        let bad = if damaged.is_empty() { "nothing is damaged".to_owned() } else { format!("{} damaged", damaged.len()) };
        app.ui.out(&format!("{conversations} conversations, {messages} messages: {bad}\n"))?;
    }
    if damaged.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Found)) }
}
