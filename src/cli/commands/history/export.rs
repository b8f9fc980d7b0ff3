//! `history export`: conversations in a form that others read, redacted once more.

use super::{list, meant, redacted_title, show};
use crate::archive::{Stored, StoredMessage, Summary};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::talk::tell_damage;
use crate::cli::ui::shown;
use crate::disk::{self, Draft};
use crate::ledger::{Event, What};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::{Displayable, Placeholders};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Write conversations as Markdown, JSON or one HTML page
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Which: ids or beginnings of them; the last one if left out
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
    /// The form
    #[arg(long, value_name = "FORM", default_value = "md")]
    format: Form,
    /// Write to this file, readable by you alone, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Markdown
    Md,
    /// One JSON object, which `history import` reads
    Json,
    /// One page with nothing from elsewhere in it
    Html,
}

/// A conversation as it may leave.
struct Page {
    summary: Summary,
    title: String,
    messages: Vec<(StoredMessage, String)>,
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let ids = wanted(app, options)?;
    let mut out = open(options.output.as_deref())?;
    let mut damaged = false;
    put(app, &mut out, head(options.format))?;
    for (n, id) in ids.iter().enumerate() {
        let stored = app.archive()?.read(id)?;
        tell_damage(app, &stored);
        damaged |= !stored.damage.is_empty();
        let page = page(app, id, &stored)?;
        let text = match options.format {
            Form::Md => markdown(&page).into(),
            Form::Html => html(&page).into(),
            Form::Json => Displayable::from(if n > 0 { ",\n" } else { "" }) + Displayable::json(&in_json(app, &page)?)?,
        };
        put(app, &mut out, text)?;
    }
    put(app, &mut out, foot(options.format))?;
    if let (Some(draft), Some(path)) = (out, &options.output) {
        draft.keep()?;
        app.ui.notice(&format!("{} written", shown(path)));
    }
    app.note(&Event::new(What::History).word("deed", "export").number("conversations", ids.len()));
    if damaged {
        bail!(Quiet(Exit::Storage))
    }
    Ok(())
}

/// Writes one conversation to a file; its ending says in which form.
pub(crate) fn to_file(app: &mut App, id: &Name, path: &Path) -> Result<()> {
    let format = match path.extension().and_then(|e| e.to_str()) {
        Some("md") => Form::Md,
        Some("json") => Form::Json,
        Some("html") => Form::Html,
        _ => bail!(
            Problem::misuse(format!("in which form is `{}` to be?", shown(path)))
                .hint("name a file that ends with `.md`, `.html` or `.json`")
        ),
    };
    run(app, &Options { ids: vec![id.to_string()], all: false, format, output: Some(path.to_path_buf()) })
}

fn wanted(app: &mut App, options: &Options) -> Result<Vec<Name>> {
    if options.all {
        return if super::nothing_sealed(app)? { Ok(Vec::new()) } else { Ok(app.archive()?.newest_first()?) };
    }
    if options.ids.is_empty() {
        return Ok(vec![meant(app, None)?.1]);
    }
    options.ids.iter().map(|typed| Ok(meant(app, Some(typed))?.1)).collect()
}

fn open(path: Option<&Path>) -> Result<Option<Draft>> {
    let Some(path) = path else { return Ok(None) };
    if disk::exists(path) {
        bail!(Problem::misuse(format!("`{}` is there already", shown(path))).hint("name another file"));
    }
    let path = if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path.to_path_buf() };
    Ok(Some(Draft::beside(&path)?))
}

/// A file is as harmless to show as the screen: it is made to be read, and `cat` shows it raw.
fn put(app: &App, out: &mut Option<Draft>, text: impl Into<Displayable>) -> Result<()> {
    let text = text.into();
    match out {
        Some(draft) => Ok(draft.add(&text.bytes(false))?),
        None => app.ui.out(text),
    }
}

fn page(app: &mut App, id: &Name, stored: &Stored) -> Result<Page> {
    let title = redacted_title(app, stored.header.as_ref().map_or("", |h| h.title.as_str()))?;
    let redactor = app.redactor()?;
    let mut table = Placeholders::default();
    let updated_at = stored.messages.last().map_or_else(|| app.clock.now(), |m| m.at);
    let summary = Summary { header: stored.header.clone(), id: id.clone(), updated_at, messages: stored.messages.len() };
    let safe = |m: &StoredMessage| (m.clone(), redactor.redact_again(m.text.clone(), m.rules, &mut table).as_str().to_owned());
    Ok(Page { summary, title, messages: stored.messages.iter().map(safe).collect() })
}

const fn head(form: Form) -> &'static str {
    match form {
        Form::Md => "",
        Form::Json => "{\"schema_version\":1,\"conversations\":[\n",
        Form::Html => HEAD,
    }
}

const fn foot(form: Form) -> &'static str {
    match form {
        Form::Md => "",
        Form::Json => "\n]}\n",
        Form::Html => "</body>\n</html>\n",
    }
}

fn in_json(app: &mut App, page: &Page) -> Result<Value> {
    let mut object = list::summary_json(app, &page.summary)?;
    let messages: Vec<Value> = page.messages.iter().map(|(m, text)| show::message_json(m, text)).collect();
    if let Some(object) = object.as_object_mut() {
        object.insert("messages".to_owned(), json!(messages));
    }
    Ok(object)
}

fn markdown(page: &Page) -> String {
    let mut text = format!("# {}\n\n{}\n", page.title, about(page));
    for (message, said) in &page.messages {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {}\n\n{}\n", line(message), said.trim_end());
    }
    text.push('\n');
    text
}

fn about(page: &Page) -> String {
    let model = page.summary.header.as_ref().map_or("", |h| h.model.as_str());
    let model = crate::privacy::Raw::from(model).printable_line();
    let messages = super::counted(page.messages.len(), "message");
    let when = page.summary.header.as_ref().map_or(page.summary.updated_at, |h| h.created_at).local_minute();
    [when, model, messages, page.summary.id.to_string()].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn line(message: &StoredMessage) -> String {
    let cut = if message.cut { " · cut" } else { "" };
    format!("{} · {}{cut}", show::who(message), message.at.local_minute())
}

fn html(page: &Page) -> String {
    let mut text = format!("<main>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n", escaped(&page.title), escaped(&about(page)));
    for (message, said) in &page.messages {
        let who = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        let head = escaped(&line(message));
        let said = escaped(&crate::privacy::Raw::from(said.trim_end()).printable());
        // Writing to a string cannot fail.
        let _ = write!(text, "<section class=\"{who}\">\n<h2>{head}</h2>\n<div>{said}</div>\n</section>\n");
    }
    text.push_str("</main>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const HEAD: &str = "\
<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"referrer\" content=\"no-referrer\">
<title>Conversations</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1rem; }
main + main { border-top: 1px solid color-mix(in srgb, CanvasText 25%, transparent); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
.about, h2 { color: color-mix(in srgb, CanvasText 62%, transparent); font-size: .85rem; font-weight: 500; }
.about { margin: .3rem 0 1.5rem; }
section { margin: 0 0 1.25rem; padding: .1rem 1rem .9rem; border-radius: .6rem; }
section.user { background: color-mix(in srgb, LinkText 10%, transparent); }
section.assistant { background: color-mix(in srgb, CanvasText 5%, transparent); }
section.system { border: 1px dashed color-mix(in srgb, CanvasText 35%, transparent); }
h2 { margin: .6rem 0 .35rem; }
div { white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
</head>
<body>
";
