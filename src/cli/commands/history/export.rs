//! `history export`: conversations as Markdown, JSON or HTML, redacted once more.

use super::unanswered::{ShownMessage, UnansweredMarker};
use super::{list, redacted_title, resolve_id, show};
use crate::audit::{Event, EventKind};
use crate::cli::args::with_folder;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::session::report_damage;
use crate::cli::term::display_path;
use crate::cli::term::format::pluralize;
use crate::conversations::Summary;
use crate::fs::{self, AtomicFile};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::{Displayable, Placeholders};
use crate::render::to_html;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Export conversations as Markdown, JSON or HTML
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryExportArgs {
    /// IDs of the conversations, or the start of each; the most recent one if omitted
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<String>,
    /// Export all conversations
    #[arg(long)]
    all: bool,
    /// Select the format; by default the ending of the output file, else Markdown
    #[arg(long, value_name = "FORM")]
    format: Option<ExportFormat>,
    /// Write to this file, readable only by you, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Markdown
    Md,
    /// JSON, which `chatbot history import` can read
    Json,
    /// A self-contained HTML page
    Html,
}

/// The heading of an exported conversation, redacted.
struct ExportPage {
    summary: Summary,
    title: String,
}

/// The output: a file that appears only when it is complete, or standard output.
struct ExportOutput {
    draft: Option<AtomicFile>,
    waiting: Displayable,
}

/// Output is written in pieces of this size.
const BATCH_BYTES: usize = 64 * 1024;

pub(super) fn run(context: &mut Context, options: &HistoryExportArgs) -> Result<()> {
    let format = choose_format(options.format, options.output.as_deref())?;
    let ids = selected_ids(context, options)?;
    let mut out = open(options.output.as_deref())?;
    let (mut damaged, mut images) = (false, 0);
    out.add(context, format_head(format))?;
    for (n, id) in ids.iter().enumerate() {
        if n > 0 && format == ExportFormat::Json {
            out.add(context, ",\n")?;
        }
        damaged |= export_one(context, &mut out, id, format, &mut images)?;
    }
    out.add(context, format_foot(format))?;
    out.write(context)?;
    if let (Some(draft), Some(path)) = (out.draft, &options.output) {
        draft.commit()?;
        context.ui.notice(&format!("wrote {}", display_path(path)));
    }
    if images > 0 {
        context
            .ui
            .notice(&format!("left out: {}", pluralize(images, "picture")));
    }
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", "export")
            .number("conversations", ids.len()),
    );
    if damaged {
        bail!(SilentExit(CliExit::Storage))
    }
    Ok(())
}

/// Writes one conversation, message by message, and returns whether it is damaged. Its pictures are
/// counted and not written. The file is read twice, because the heading has the number of messages.
fn export_one(
    context: &mut Context,
    out: &mut ExportOutput,
    id: &Name,
    form: ExportFormat,
    images: &mut usize,
) -> Result<bool> {
    let archive = context.archive()?;
    let ending = archive.stream(id, &mut |_| anyhow::Ok(()))?;
    report_damage(context, &ending.damage);
    let title = redacted_title(
        context,
        ending.header.as_ref().map_or("", |h| h.title.as_str()),
    )?;
    let page = ExportPage {
        summary: Summary::from_state(id, &ending),
        title,
    };
    let above = match form {
        ExportFormat::Md => {
            Displayable::from(format!("# {}\n\n{}\n", page.title, page_header(&page)))
        }
        ExportFormat::Html => Displayable::from(format!(
            "<main>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n",
            escape_html(&page.title),
            escape_html(&page_header(&page))
        )),
        ExportFormat::Json => {
            let mut object = list::summary_json(context, &page.summary)?;
            object
                .as_object_mut()
                .map(|object| object.remove("messages"));
            let object = object.to_string();
            Displayable::json_text(&format!(
                "{},\"messages\":[",
                object.strip_suffix('}').unwrap_or(&object)
            ))
        }
    };
    out.add(context, above)?;
    let redactor = context.redactor()?;
    let mut table = Placeholders::default();
    let mut comma = "";
    let mut give = |m: &ShownMessage| {
        let said = redactor.redact_stored(m.message.text.clone(), m.message.rules, &mut table);
        let said = said.as_str();
        let text = match form {
            ExportFormat::Md => {
                format!("\n## {}\n\n{}", json_line(m), quoted(said.trim_end())).into()
            }
            ExportFormat::Html => message_section(m, said).into(),
            ExportFormat::Json => {
                Displayable::json_text(&format!("{comma}{}", show::message_json(m, said)))
            }
        };
        comma = ",";
        *images += m.message.images.len();
        out.add(context, text)
    };
    let mut questions = UnansweredMarker::default();
    archive.stream(id, &mut |m| questions.add(m, &mut give))?;
    questions.finish(&mut give)?;
    out.add(
        context,
        match form {
            ExportFormat::Md => "\n",
            ExportFormat::Html => "</main>\n",
            ExportFormat::Json => "]}",
        },
    )?;
    Ok(!ending.damage.is_empty())
}

/// The format: that of the option or of the ending of the file name, which must not contradict each
/// other.
fn choose_format(asked: Option<ExportFormat>, path: Option<&Path>) -> Result<ExportFormat> {
    let Some(path) = path else {
        return Ok(asked.unwrap_or(ExportFormat::Md));
    };
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let named = match ending.as_deref() {
        Some("md" | "markdown") => Some(ExportFormat::Md),
        Some("json") => Some(ExportFormat::Json),
        Some("html" | "htm") => Some(ExportFormat::Html),
        _ => None,
    };
    match (asked, named) {
        (Some(asked), Some(named)) if asked != named => bail!(
            CliError::misuse(format!(
                "`{}` does not end as `--format` says",
                display_path(path)
            ))
            .hint("leave out `--format`, or change the file name")
        ),
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => bail!(
            CliError::misuse(format!("unknown export format `{}`", display_path(path)))
                .hint("use a file name that ends in `.md`, `.html` or `.json`")
        ),
    }
}

/// A file name for a conversation, made from its title, that does not exist yet.
pub(crate) fn default_file_name(id: &Name, title: &str) -> PathBuf {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() || slug.chars().count() + word.chars().count() > 50 {
            continue;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug += &word.to_lowercase();
    }
    if slug.is_empty() {
        slug = id.to_string();
    }
    let numbered = (2..1000).map(|n| format!("{slug}-{n}.md"));
    std::iter::once(format!("{slug}.md"))
        .chain(numbered)
        .map(PathBuf::from)
        .find(|path| !fs::exists(path))
        .unwrap_or_else(|| PathBuf::from(format!("{id}.md")))
}

/// Exports one conversation to a file; the ending of its name selects the format.
pub(crate) fn export_to_file(context: &mut Context, id: &Name, path: &Path) -> Result<()> {
    run(
        context,
        &HistoryExportArgs {
            ids: vec![id.to_string()],
            all: false,
            format: None,
            output: Some(path.to_path_buf()),
        },
    )
}

fn selected_ids(context: &mut Context, options: &HistoryExportArgs) -> Result<Vec<Name>> {
    if options.all {
        return if super::is_history_empty(context)? {
            Ok(Vec::new())
        } else {
            Ok(context.archive()?.newest_first()?)
        };
    }
    if options.ids.is_empty() {
        return Ok(vec![resolve_id(context, None)?.1]);
    }
    options
        .ids
        .iter()
        .map(|typed| Ok(resolve_id(context, Some(typed))?.1))
        .collect()
}

fn open(path: Option<&Path>) -> Result<ExportOutput> {
    let Some(path) = path else {
        return Ok(ExportOutput {
            draft: None,
            waiting: Displayable::default(),
        });
    };
    if fs::exists(path) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(path)))
                .hint("choose another file name")
        );
    }
    let path = with_folder(path);
    Ok(ExportOutput {
        draft: Some(AtomicFile::create_for(&path)?),
        waiting: Displayable::default(),
    })
}

impl ExportOutput {
    fn add(&mut self, context: &Context, text: impl Into<Displayable>) -> Result<()> {
        self.waiting += text;
        if self.waiting.as_ref().len() >= BATCH_BYTES {
            self.write(context)
        } else {
            Ok(())
        }
    }

    /// Writes what has been collected. A file is made harmless like the screen, because `cat` would
    /// show it unchanged.
    fn write(&mut self, context: &Context) -> Result<()> {
        let text = std::mem::take(&mut self.waiting);
        match &mut self.draft {
            Some(draft) => Ok(draft.write(&text.bytes(false))?),
            None => context.ui.out(text),
        }
    }
}

const fn format_head(form: ExportFormat) -> &'static str {
    match form {
        ExportFormat::Md => "",
        ExportFormat::Json => "{\"schema_version\":1,\"conversations\":[\n",
        ExportFormat::Html => HTML_HEAD,
    }
}

const fn format_foot(form: ExportFormat) -> &'static str {
    match form {
        ExportFormat::Md => "",
        ExportFormat::Json => "\n]}\n",
        ExportFormat::Html => "</body>\n</html>\n",
    }
}

fn page_header(page: &ExportPage) -> String {
    let model = page
        .summary
        .header
        .as_ref()
        .map_or("", |h| h.model.as_str());
    let model = crate::privacy::Raw::from(model).printable_line();
    let messages = pluralize(page.summary.messages, "message");
    let when = page
        .summary
        .header
        .as_ref()
        .map_or(page.summary.updated_at, |h| h.created_at)
        .local_minute();
    [when, model, messages, page.summary.id.to_string()]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" · ")
}

fn json_line(shown: &ShownMessage) -> String {
    format!(
        "{} · {}{}",
        show::role_label(&shown.message),
        shown.message.at.local_minute(),
        shown.state()
    )
}

/// Quotes a text in Markdown, so that a heading, a code block or a comment in it ends with it and
/// does not look like one of this page.
fn quoted(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                ">\n".to_owned()
            } else {
                format!("> {line}\n")
            }
        })
        .collect()
}

fn message_section(shown: &ShownMessage, said: &str) -> String {
    let who = match shown.message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    };
    let head = escape_html(&json_line(shown));
    let said = crate::privacy::Raw::from(said.trim_end()).printable();
    // What a person wrote is no Markdown.
    let body = if shown.message.role == Role::Assistant {
        format!("<div class=\"answer\">\n{}</div>", to_html(&said))
    } else {
        format!("<div>{}</div>", escape_html(&said))
    };
    format!("<section class=\"{who}\">\n<h2>{head}</h2>\n{body}\n</section>\n")
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

const HTML_HEAD: &str = "\
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
main > h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
.about, section > h2 { color: color-mix(in srgb, CanvasText 62%, transparent); font-size: .85rem; font-weight: 500; }
.about { margin: .3rem 0 1.5rem; }
section { margin: 0 0 1.25rem; padding: .1rem 1rem .9rem; border-radius: .6rem; }
section.user { background: color-mix(in srgb, LinkText 10%, transparent); }
section.assistant { background: color-mix(in srgb, CanvasText 5%, transparent); }
section.system { border: 1px dashed color-mix(in srgb, CanvasText 35%, transparent); }
section > h2 { margin: .6rem 0 .35rem; }
div { white-space: pre-wrap; overflow-wrap: anywhere; }
.answer { white-space: normal; }
.answer p { white-space: pre-line; }
.answer :is(h1, h2, h3, h4, h5, h6) { font-size: 1.1rem; margin: 1rem 0 .4rem; }
.answer pre { overflow-x: auto; padding: .6rem .8rem; border-radius: .4rem; background: color-mix(in srgb, CanvasText 7%, transparent); }
.answer code { font-size: .9em; overflow-wrap: normal; }
.answer table { border-collapse: collapse; }
.answer :is(th, td) { border: 1px solid color-mix(in srgb, CanvasText 25%, transparent); padding: .2rem .6rem; }
</style>
</head>
<body>
";
