//! `history search`: finds the messages that match.

use super::{counted, nothing_sealed, redacted_title};
use crate::archive::{self, Found, Searched, Wanted};
use crate::cli::app::App;
use crate::cli::commands::audit;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::Style;
use crate::message::Role;
use crate::privacy::{Displayable, Placeholders, Sought};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

/// Search all messages
///
/// A message matches if it contains all the words, in upper or lower case. Put a "phrase" in quotes
/// and a /regular expression/ between slashes.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Words, '"a phrase"' or '/a regular expression/' to search for
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Search only messages with this role
    #[arg(long, value_name = "WHO")]
    role: Option<Who>,
    /// Search only messages newer than this age or date: 12h, 7d, 30d, 2026-11-21
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show at most this many messages
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Output JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Who {
    /// Your messages
    User,
    /// Answers of the model
    Assistant,
    /// System prompts
    System,
}

struct Match {
    found: Found,
    title: String,
    snippet: String,
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let text = Sought::new(&options.text.join(" "))
        .map_err(|e| Problem::misuse(format!("`{}`: {}", crate::privacy::Raw::from(e.pattern).printable(), e.reason)))?;
    let role = options.role.map(|who| match who {
        Who::User => Role::User,
        Who::Assistant => Role::Assistant,
        Who::System => Role::System,
    });
    let since = options.since.as_deref().map(|s| audit::since(s, app.clock.now())).transpose()?;
    let wanted = Wanted { text, role, since };
    let searched = if nothing_sealed(app)? { Searched::default() } else { search(app, &wanted)? };
    let Searched { found, damaged, failed } = searched;
    let (matches, more) = shown(app, found, &wanted.text, options.limit)?;
    if options.json {
        let list: Vec<_> = matches
            .iter()
            .map(|m| json!({ "id": m.found.id, "title": m.title, "message": m.found.message.n, "snippet": m.snippet, "role": m.found.message.role, "at": m.found.message.at }))
            .collect();
        app.ui.json(&json!({ "schema_version": 1, "matches": list }))?;
    } else {
        print(app, &matches)?;
        if matches.is_empty() {
            app.ui.notice("no matches");
        } else if more > 0 {
            app.ui.notice(&format!("{more} more; raise `--limit` to see them"));
        }
    }
    if damaged > 0 {
        app.ui.error_line(&format!("chatbot: warning: {} damaged: `chatbot history verify` shows what", counted(damaged, "conversation")));
    }
    for (id, error) in &failed {
        app.ui.error_line(&format!("chatbot: warning: cannot read conversation `{id}`: {error}"));
    }
    if failed.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

/// Searches all conversations. A thread lists the folder while the keys are fetched, because both
/// are slow.
fn search(app: &mut App, wanted: &Wanted) -> Result<Searched> {
    let folder = app.home.conversations();
    std::thread::scope(|scope| {
        let ids = scope.spawn(|| archive::ids(&folder));
        let opened = app.archive_to_look_at()?;
        // The join fails only if the thread panicked, and a panic ends the process.
        let ids = ids.join().unwrap_or_else(|_| archive::ids(&folder))?;
        Ok(opened.search(ids, wanted))
    })
}

/// The snippets to show, and how many matches are left. A message is redacted before a snippet is
/// cut from it: a secret that is cut in half would not be recognised.
fn shown(app: &mut App, found: Vec<Found>, text: &Sought, limit: usize) -> Result<(Vec<Match>, usize)> {
    let redactor = app.redactor()?;
    let mut matches = Vec::new();
    let mut rest = found.into_iter();
    while matches.len() < limit {
        let Some(found) = rest.next() else { break };
        let redacted = redactor.redact_again(found.message.text.clone(), found.message.rules, &mut Placeholders::default());
        if let Some(snippet) = text.snippet(&redacted) {
            let title = redacted_title(app, &found.title)?;
            matches.push(Match { found, title, snippet });
        }
    }
    Ok((matches, rest.count()))
}

fn print(app: &App, matches: &[Match]) -> Result<()> {
    let mut text = Displayable::default();
    let mut last = None;
    for Match { found, title, snippet } in matches {
        if last != Some(&found.id) {
            text += format!("{}{}  ", if last.is_some() { "\n" } else { "" }, found.id);
            text += app.ui.paint(Style::Bold, Displayable::line(title)) + "\n";
            last = Some(&found.id);
        }
        let head = format!("{:>5} {} {}", found.message.n, found.message.at.local_minute(), found.message.role.as_str());
        text += app.ui.paint(Style::Dim, &head) + "  " + Displayable::line(snippet) + "\n";
    }
    app.ui.out(text)
}
