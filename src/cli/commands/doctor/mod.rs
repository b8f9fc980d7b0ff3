//! `doctor`: checks this installation and this machine.

mod facts;
mod report;

use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::config::ThemeSetting;
use crate::doctor::{CheckResult, CheckStatus, THREAT_MODEL, repair};
use crate::privacy::MarkdownDisplay;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  chatbot doctor                  check everything; exit code 9 if a check fails
  chatbot doctor --fix            repair what can be repaired safely, asking first
  chatbot doctor --json | jq -r '.checks[] | select(.status == \"fail\") | .fix'
  chatbot doctor --explain        what is protected from whom, and what is not";

#[derive(Clone, Copy, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
    /// Explain what is protected from whom, by what, and what is not
    #[arg(long, conflicts_with_all = ["json", "fix"])]
    explain: bool,
    /// Repair permissions and delete leftovers first, asking for each
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(context: &mut Context, options: &DoctorArgs) -> Result<()> {
    if options.explain {
        return explain(context);
    }
    if options.fix {
        fix(context)?;
    }
    let results = facts::examine(context);
    if options.json {
        context
            .ui
            .json(&json!({ "schema_version": 1, "checks": results }))?;
    } else {
        report::print(context, &results)?;
    }
    if has_failure(&results) {
        bail!(SilentExit(CliExit::Findings))
    }
    Ok(())
}

fn has_failure(results: &[CheckResult]) -> bool {
    results
        .iter()
        .any(|result| result.status == CheckStatus::Fail)
}

fn explain(context: &mut Context) -> Result<()> {
    if !context.ui.output_takes_styles() {
        return context.ui.out(THREAT_MODEL);
    }
    let theme = context
        .settings()
        .map_or(ThemeSetting::Auto, |settings| settings.ui.theme);
    let options = context.env.render_options(context.ui, theme)?;
    let page = MarkdownDisplay::whole(THREAT_MODEL, options);
    context.ui.out(page)
}

/// Repairs what the user agrees to.
fn fix(context: &Context) -> Result<()> {
    for repair in repair::plan(&context.home, &context.clock) {
        let question = repair.question();
        if !context.yes && !context.ui.confirm(&question, "`--yes`")? {
            continue;
        }
        let (done, failure) = repair.apply();
        context.ui.notice(&format!("repaired: {done}"));
        if let Some(error) = failure {
            bail!(CliError::new(
                CliExit::Storage,
                "not_repaired",
                error.to_string()
            ));
        }
    }
    Ok(())
}

/// Runs the checks for `/doctor`, whatever they find.
pub(crate) fn show(context: &mut Context) -> Result<()> {
    let results = facts::examine(context);
    report::print(context, &results)
}
