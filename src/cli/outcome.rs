//! What is printed after an answer: warnings, statistics, and an error if it has no text.

use crate::chat::{Cost, Outcome};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::prices;
use crate::cli::provider::ProviderChoice;
use crate::cli::term::Ui;
use crate::cli::term::format::{format_dollars, group_thousands, pluralize};
use crate::name::Name;
use crate::privacy::Raw;
use anyhow::{Result, bail};

/// Lists what was redacted, in one line: `2 values replaced: EMAIL ×1, API_KEY ×1`.
pub(crate) fn describe_redactions(counts: &[(String, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let kinds: Vec<String> = counts
        .iter()
        .map(|(kind, n)| format!("{kind} ×{n}"))
        .collect();
    format!("{} replaced: {}", pluralize(all, "value"), kinds.join(", "))
}

/// `model · 1,204→356 tok · $0.0031 · 2.1 s`; a chat names the model only when it has changed.
fn describe_statistics(outcome: &Outcome, model: Option<&str>) -> String {
    let mut parts: Vec<String> = model.map(str::to_owned).into_iter().collect();
    if let Some(usage) = outcome.completion.as_ref().and_then(|a| a.usage.as_ref()) {
        parts.push(format!(
            "{}→{} tok",
            group_thousands(usage.prompt_tokens),
            group_thousands(usage.completion_tokens)
        ));
        parts.push(
            outcome
                .cost
                .map_or_else(|| "cost unknown".to_owned(), format_cost),
        );
    } else if let Some(cost) = outcome.cost {
        parts.push(format_cost(cost));
    }
    // The fill of the context window matters when half of it is used.
    if let Some((used, window)) = outcome.context.filter(|(used, window)| used * 2 >= *window) {
        parts.push(format!(
            "{} of {}",
            format_tokens(used),
            format_tokens(window)
        ));
    }
    parts.push(format!("{:.1} s", outcome.elapsed.as_secs_f64()));
    parts.join(" · ")
}

/// `12k`
fn format_tokens(tokens: u64) -> String {
    match tokens {
        0..1000 => tokens.to_string(),
        1000..10_000 if tokens % 1000 >= 100 => {
            format!("{}.{}k", tokens / 1000, tokens % 1000 / 100)
        }
        _ => format!("{}k", tokens / 1000),
    }
}

fn format_cost(cost: Cost) -> String {
    format!(
        "{}{}",
        if cost.estimated { "~" } else { "" },
        format_dollars(cost.nanos)
    )
}

/// Prints warnings and statistics after an answer. If its cost is unknown, the price list is
/// fetched.
pub(crate) fn report_outcome(
    context: &mut Context,
    outcome: &Outcome,
    model: &str,
    choice: Option<&ProviderChoice>,
    goes_on: bool,
) {
    let ui = context.ui;
    if let Some(choice) = choice.filter(|_| outcome.cost.is_none()) {
        // Without this cache a price is only unknown.
        prices::schedule_refresh(context, choice, goes_on).unwrap_or_default();
    }
    for warning in &outcome.warnings {
        ui.warning(warning);
    }
    for level in &outcome.rate_limits {
        if level.is_high() {
            ui.warning(&format!(
                "{} of {} requests used this {}",
                level.used, level.window.max_requests, level.window.name
            ));
        }
    }
    for fill in outcome.budgets.iter().filter(|f| f.is_high()) {
        ui.warning(&format!(
            "{} of the budget of {} for {} is spent",
            format_dollars(fill.spent),
            format_dollars(fill.limit),
            fill.span
        ));
    }
    if outcome.completion.as_ref().is_some_and(|a| !a.complete) {
        let why = outcome
            .completion
            .as_ref()
            .and_then(|a| a.finish.clone())
            .unwrap_or_else(|| "no reason given".to_owned());
        let next = if goes_on && why == "length" {
            "; `/continue` goes on with it"
        } else {
            ""
        };
        ui.warning(&format!(
            "the answer is incomplete ({}){next}",
            Raw::from(why).printable()
        ));
    }
    if let Some(calls) = describe_tool_calls(outcome).filter(|_| !outcome.text.as_str().is_empty())
    {
        ui.warning(&format!(
            "the model also asked for {calls}; chatbot has no tools and made none"
        ));
    }
    let answering = outcome.completion.as_ref().map(|a| a.model.as_str());
    let answering = Raw::from(answering.unwrap_or(model)).printable_line();
    let is_new = context.reported_model.as_ref() != Some(&answering);
    ui.notice(&describe_statistics(
        outcome,
        is_new.then_some(answering.as_str()),
    ));
    context.reported_model = Some(answering);
}

fn describe_tool_calls(outcome: &Outcome) -> Option<String> {
    let answer = outcome.completion.as_ref()?;
    match answer.tool_calls {
        0 if answer.finish.as_deref() == Some("tool_calls") => Some(String::from("tool calls")),
        0 => None,
        calls => Some(pluralize(calls, "tool call")),
    }
}

/// Fails if an answer has no text: a script would take the empty output for an answer.
pub(crate) fn require_text(outcome: &Outcome, model: &str) -> Result<()> {
    let Some(answer) = outcome
        .completion
        .as_ref()
        .filter(|_| outcome.text.as_str().is_empty())
    else {
        return Ok(());
    };
    let model = Raw::from(model).printable();
    let what = match describe_tool_calls(outcome) {
        Some(calls) => format!("`{model}` asked for {calls} and wrote no text"),
        None => {
            let why = answer.finish.clone().map_or_else(String::new, |why| {
                format!(" ({})", Raw::from(why).printable())
            });
            format!("`{model}` ended its answer without any text{why}")
        }
    };
    bail!(CliError::new(CliExit::Network, "empty_answer", what).hint(
        "chatbot makes no tool calls: ask in other words, or choose another model with `--model`"
    ))
}

/// Asks whether pictures may be sent. Where no one can be asked, they may not.
pub(crate) fn confirm_images(ui: Ui, count: usize, provider: &Name) -> bool {
    let (pictures, they) = match count {
        1 => ("a picture".to_owned(), "it"),
        _ => (format!("{count} pictures"), "them"),
    };
    if !ui.can_ask() {
        ui.error_line(&format!(
            "chatbot: the message has {pictures}, which cannot be redacted; `--yes` sends {they} unasked"
        ));
        return false;
    }
    let question =
        format!("The message has {pictures}, which cannot be redacted; send {they} to {provider}?");
    ui.confirm(&question, "`--yes`").unwrap_or(false)
}
