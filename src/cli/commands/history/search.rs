//! `history search`: finds the messages that match.

use crate::cli::args::parse_since;
use crate::cli::commands::history::{is_history_empty, redacted_title};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::term::Style;
use crate::cli::term::format::pluralize;
use crate::conversations::{self, SearchHit, SearchQuery, SearchResults};
use crate::message::Role;
use crate::privacy::{Displayable, Placeholders, Query};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

/// Search all messages
///
/// A message matches if it contains all the words, in upper or lower case. Put a "phrase" in quotes
/// and a /regular expression/ between slashes.
#[derive(Clone, Debug, Args)]
pub(super) struct HistorySearchArgs {
    /// Words, '"a phrase"' or '/a regular expression/' to search for
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Search only messages with this role
    #[arg(long, value_name = "WHO")]
    role: Option<RoleArg>,
    /// Search only messages newer than this age or date: 12h, 7d, 30d, 2026-11-21
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show at most this many messages
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// Your messages
    User,
    /// Answers of the model
    Assistant,
    /// System prompts
    System,
}

struct SearchMatch {
    hit: SearchHit,
    title: String,
    snippet: String,
}

pub(super) fn run(context: &mut Context, options: &HistorySearchArgs) -> Result<()> {
    let text = Query::new(&options.text.join(" ")).map_err(|e| {
        CliError::misuse(format!(
            "`{}`: {}",
            crate::privacy::Raw::from(e.pattern).printable(),
            e.reason
        ))
    })?;
    let role = options.role.map(|who| match who {
        RoleArg::User => Role::User,
        RoleArg::Assistant => Role::Assistant,
        RoleArg::System => Role::System,
    });
    let since = options
        .since
        .as_deref()
        .map(|s| parse_since(s, context.clock.now()))
        .transpose()?;
    let wanted = SearchQuery { text, role, since };
    let searched = if is_history_empty(context)? {
        SearchResults::default()
    } else {
        search(context, &wanted)?
    };
    let SearchResults {
        hits: found,
        damaged,
        unreadable: failed,
    } = searched;
    let (matches, more) = matches_to_show(context, found, &wanted.text, options.limit)?;
    if options.json {
        let list: Vec<_> = matches
            .iter()
            .map(|m| json!({ "id": m.hit.id, "title": m.title, "message": m.hit.message.n, "snippet": m.snippet, "role": m.hit.message.role, "at": m.hit.message.at }))
            .collect();
        context
            .ui
            .json(&json!({ "schema_version": 1, "matches": list }))?;
    } else {
        print_matches(context, &matches)?;
        if matches.is_empty() {
            context.ui.notice("no matches");
        } else if more > 0 {
            context
                .ui
                .notice(&format!("{more} more; raise `--limit` to see them"));
        }
    }
    if damaged > 0 {
        context.ui.error_line(&format!(
            "chatbot: warning: {} damaged: `chatbot history verify` shows what",
            pluralize(damaged, "conversation")
        ));
    }
    for (id, error) in &failed {
        context.ui.error_line(&format!(
            "chatbot: warning: cannot read conversation `{id}`: {error}"
        ));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// Searches all conversations. A thread lists the folder while the keys are fetched, because both
/// are slow.
fn search(context: &mut Context, wanted: &SearchQuery) -> Result<SearchResults> {
    let folder = context.home.conversations();
    std::thread::scope(|scope| {
        let ids = scope.spawn(|| conversations::ids(&folder));
        let opened = context.archive_read_only()?;
        // The join fails only if the thread panicked, and a panic ends the process.
        let ids = ids.join().unwrap_or_else(|_| conversations::ids(&folder))?;
        Ok(opened.search(ids, wanted))
    })
}

/// The snippets to show, and how many matches are left. A message is redacted before a snippet is
/// cut from it: a secret that is cut in half would not be recognised.
fn matches_to_show(
    context: &mut Context,
    found: Vec<SearchHit>,
    text: &Query,
    limit: usize,
) -> Result<(Vec<SearchMatch>, usize)> {
    let redactor = context.redactor()?;
    let mut matches = Vec::new();
    let mut rest = found.into_iter();
    while matches.len() < limit {
        let Some(found) = rest.next() else { break };
        let redacted = redactor.redact_stored(
            found.message.text.clone(),
            found.message.rules,
            &mut Placeholders::default(),
        );
        if let Some(snippet) = text.snippet(&redacted) {
            let title = redacted_title(context, &found.title)?;
            matches.push(SearchMatch {
                hit: found,
                title,
                snippet,
            });
        }
    }
    Ok((matches, rest.count()))
}

fn print_matches(context: &Context, matches: &[SearchMatch]) -> Result<()> {
    let mut text = Displayable::default();
    let mut last = None;
    for SearchMatch {
        hit: found,
        title,
        snippet,
    } in matches
    {
        if last != Some(&found.id) {
            text += format!("{}{}  ", if last.is_some() { "\n" } else { "" }, found.id);
            text += context.ui.paint(Style::Bold, Displayable::line(title)) + "\n";
            last = Some(&found.id);
        }
        let head = format!(
            "{:>5} {} {}",
            found.message.n,
            found.message.at.local_minute(),
            found.message.role.as_str()
        );
        text += context.ui.paint(Style::Dim, &head) + "  " + Displayable::line(snippet) + "\n";
    }
    context.ui.out(text)
}
