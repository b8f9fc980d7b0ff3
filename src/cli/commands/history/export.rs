//! `history export`: conversations as Markdown, JSON or HTML, redacted once more.

use super::{list, meant, redacted_title, show};
use crate::archive::{StoredMessage, Summary};
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
use std::path::{Path, PathBuf};

/// Export conversations as Markdown, JSON or HTML
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// IDs of the conversations, or the start of each; the most recent one if omitted
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<String>,
    /// Export all conversations
    #[arg(long)]
    all: bool,
    /// Select the format
    #[arg(long, value_name = "FORM", default_value = "md")]
    format: Form,
    /// Write to this file, readable only by you, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Markdown
    Md,
    /// JSON, which `chatbot history import` can read
    Json,
    /// A self-contained HTML page
    Html,
}

/// The heading of an exported conversation, redacted.
struct Page {
    summary: Summary,
    title: String,
}

/// The output: a file that appears only when it is complete, or standard output.
struct Output {
    draft: Option<Draft>,
    waiting: Displayable,
}

/// Output is written in pieces of this size.
const BATCH: usize = 64 * 1024;

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let ids = wanted(app, options)?;
    let mut out = open(options.output.as_deref())?;
    let mut damaged = false;
    out.add(app, head(options.format))?;
    for (n, id) in ids.iter().enumerate() {
        if n > 0 && options.format == Form::Json {
            out.add(app, ",\n")?;
        }
        damaged |= one(app, &mut out, id, options.format)?;
    }
    out.add(app, foot(options.format))?;
    out.write(app)?;
    if let (Some(draft), Some(path)) = (out.draft, &options.output) {
        draft.keep()?;
        app.ui.notice(&format!("wrote {}", shown(path)));
    }
    app.note(&Event::new(What::History).word("deed", "export").number("conversations", ids.len()));
    if damaged {
        bail!(Quiet(Exit::Storage))
    }
    Ok(())
}

/// Writes one conversation, message by message, and returns whether it is damaged. The file is read
/// twice, because the heading has the number of messages.
fn one(app: &mut App, out: &mut Output, id: &Name, form: Form) -> Result<bool> {
    let archive = app.archive()?;
    let ending = archive.stream(id, &mut |_| anyhow::Ok(()))?;
    tell_damage(app, &ending.damage);
    let title = redacted_title(app, ending.header.as_ref().map_or("", |h| h.title.as_str()))?;
    let page = Page { summary: Summary::of(id, &ending), title };
    let above = match form {
        Form::Md => Displayable::from(format!("# {}\n\n{}\n", page.title, about(&page))),
        Form::Html => {
            Displayable::from(format!("<main>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n", escaped(&page.title), escaped(&about(&page))))
        }
        Form::Json => {
            let mut object = list::summary_json(app, &page.summary)?;
            object.as_object_mut().map(|object| object.remove("messages"));
            let object = object.to_string();
            Displayable::json_text(&format!("{},\"messages\":[", object.strip_suffix('}').unwrap_or(&object)))
        }
    };
    out.add(app, above)?;
    let redactor = app.redactor()?;
    let mut table = Placeholders::default();
    let mut comma = "";
    archive.stream(id, &mut |m| {
        let said = redactor.redact_again(m.text.clone(), m.rules, &mut table);
        let said = said.as_str();
        let text = match form {
            Form::Md => format!("\n## {}\n\n{}", line(&m), quoted(said.trim_end())).into(),
            Form::Html => section(&m, said).into(),
            Form::Json => Displayable::json_text(&format!("{comma}{}", show::message_json(&m, said))),
        };
        comma = ",";
        out.add(app, text)
    })?;
    out.add(
        app,
        match form {
            Form::Md => "\n",
            Form::Html => "</main>\n",
            Form::Json => "]}",
        },
    )?;
    Ok(!ending.damage.is_empty())
}

/// Exports one conversation to a file; the ending of its name selects the format.
pub(crate) fn to_file(app: &mut App, id: &Name, path: &Path) -> Result<()> {
    let format = match path.extension().and_then(|e| e.to_str()) {
        Some("md") => Form::Md,
        Some("json") => Form::Json,
        Some("html") => Form::Html,
        _ => bail!(
            Problem::misuse(format!("unknown export format `{}`", shown(path)))
                .hint("use a file name that ends in `.md`, `.html` or `.json`")
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

fn open(path: Option<&Path>) -> Result<Output> {
    let Some(path) = path else { return Ok(Output { draft: None, waiting: Displayable::default() }) };
    if disk::exists(path) {
        bail!(Problem::misuse(format!("`{}` already exists", shown(path))).hint("choose another file name"));
    }
    let path = if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path.to_path_buf() };
    Ok(Output { draft: Some(Draft::beside(&path)?), waiting: Displayable::default() })
}

impl Output {
    fn add(&mut self, app: &App, text: impl Into<Displayable>) -> Result<()> {
        self.waiting += text;
        if self.waiting.as_ref().len() >= BATCH { self.write(app) } else { Ok(()) }
    }

    /// Writes what has been collected. A file is made harmless like the screen, because `cat` would
    /// show it unchanged.
    fn write(&mut self, app: &App) -> Result<()> {
        let text = std::mem::take(&mut self.waiting);
        match &mut self.draft {
            Some(draft) => Ok(draft.add(&text.bytes(false))?),
            None => app.ui.out(text),
        }
    }
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

fn about(page: &Page) -> String {
    let model = page.summary.header.as_ref().map_or("", |h| h.model.as_str());
    let model = crate::privacy::Raw::from(model).printable_line();
    let messages = super::counted(page.summary.messages, "message");
    let when = page.summary.header.as_ref().map_or(page.summary.updated_at, |h| h.created_at).local_minute();
    [when, model, messages, page.summary.id.to_string()].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn line(message: &StoredMessage) -> String {
    let cut = if message.cut { " · incomplete" } else { "" };
    format!("{} · {}{cut}", show::who(message), message.at.local_minute())
}

/// A text as a quotation of Markdown: a heading, a code block or a comment in it is none of this page's, and
/// ends with it.
fn quoted(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { ">\n".to_owned() } else { format!("> {line}\n") }).collect()
}

fn section(message: &StoredMessage, said: &str) -> String {
    let who = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    };
    let head = escaped(&line(message));
    let said = escaped(&crate::privacy::Raw::from(said.trim_end()).printable());
    format!("<section class=\"{who}\">\n<h2>{head}</h2>\n<div>{said}</div>\n</section>\n")
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
