//! `scan`: secrets and personal data in files of other tools, and in any others.

mod places;
mod print;

use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::runtime::{StopSignals, runtime, wait_for_interrupt};
use crate::cli::term::format::{format_size, group_thousands, pluralize};
use crate::cli::term::{Ui, display_path};
use crate::fs;
use crate::privacy::Policy;
use crate::scanner::{self, ScanControl, ScanReport};
use anyhow::{Result, bail};
use clap::Args;
use places::{KnownPlace, known_places};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(100);

const DETAILS: &str = "\
Without PATH, the transcripts and histories of Claude Code, Codex, Gemini CLI, aider, aichat, llm, \
opencode and shell_gpt are scanned, and the histories of bash, zsh and fish, where these tools \
keep them. With PATH, files and folders with everything below them: symbolic links are not \
followed, binary files are skipped, and no ignore file is honoured, because secrets are often in \
ignored files.

Values are masked. Kinds, patterns and exceptions come from the settings. Nothing is changed, sent \
or saved.

Exit codes: 0 if nothing was found, 9 if something was found, 1 if nothing was found and a file \
could not be read, 130 if you pressed Ctrl-C; then the report covers the files scanned until then.

Examples:
  chatbot scan
  chatbot scan ~/work/project notes.md
  chatbot scan --json | jq -r '.findings[] | select(.class == \"secret\") | .issuer'";

#[derive(Clone, Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct ScanArgs {
    /// Files and folders to scan
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// A report, and what it is shown with.
struct FinishedScan {
    report: ScanReport,
    interrupted: bool,
    elapsed: Duration,
    /// Where the files of known tools are.
    known: Vec<KnownPlace>,
}

pub(crate) fn run(context: &mut Context, options: &ScanArgs) -> Result<()> {
    // The command looks for everything even if the settings turn redaction off for the chat.
    let policy = Policy {
        off: false,
        // A list of what may be private would hide what is.
        rules_only: true,
        ..context.settings()?.privacy.policy.clone()
    };
    let redactor = context.redactor_for(&policy)?;
    let known = known_places(context.env);
    let roots = if options.paths.is_empty() {
        known.iter().map(|place| place.path.clone()).collect()
    } else {
        refuse_missing(&options.paths)?;
        options.paths.clone()
    };
    let control = ScanControl::default();
    let watch = context.clock.stopwatch();
    let ui = context.ui;
    let (report, interrupted) =
        run_until_interrupt(ui, &control, || scanner::scan(&roots, &redactor, &control))?;
    let mut done = FinishedScan {
        report,
        interrupted,
        elapsed: watch.elapsed(),
        known,
    };
    let values = done.report.take_values();
    let found = !values.is_empty() || done.report.unlisted > 0;
    if options.json {
        ui.json(&print::as_json(&done, &values))?;
    } else if roots.is_empty() {
        ui.say("no transcripts or histories of other tools are here\n", 2)?;
    } else {
        print::print(context, &done, &values)?;
    }
    if interrupted {
        bail!(SilentExit(CliExit::Interrupted));
    }
    if found {
        bail!(SilentExit(CliExit::Findings));
    }
    if done.report.unreadable_count > 0 {
        let files = pluralize(done.report.unreadable_count, "path");
        bail!(
            CliError::new(
                CliExit::Failure,
                "unreadable",
                format!("nothing found, but {files} could not be read")
            )
            .hint("the report names them; check their permissions")
        );
    }
    Ok(())
}

/// Fails for a path that was mistyped, before anything is scanned.
fn refuse_missing(paths: &[PathBuf]) -> Result<()> {
    match paths.iter().find(|path| !fs::exists(path)) {
        Some(path) => bail!(CliError::misuse(format!(
            "`{}` does not exist",
            display_path(path)
        ))),
        None => Ok(()),
    }
}

/// Runs a scan in another thread, shows its progress, and stops it if the user wants to. Returns
/// also whether it was stopped.
fn run_until_interrupt(
    ui: Ui,
    control: &ScanControl,
    scan: impl FnOnce() -> ScanReport + Send,
) -> Result<(ScanReport, bool)> {
    let runtime = runtime()?;
    let (end, ended) = watch::channel(false);
    let ends = StopSignals {
        window: ui.error_is_terminal(),
        program: true,
    };
    let report = thread::scope(|scope| {
        let scan = scope.spawn(move || {
            let report = scan();
            // The receiver waits below.
            end.send(true).unwrap_or_default();
            report
        });
        runtime.block_on(async {
            let stop = wait_for_interrupt(ended.clone(), ends);
            tokio::pin!(stop);
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    // Signals are heard before the progress says so.
                    biased;
                    () = &mut stop => break,
                    _ = tick.tick() => show_progress(ui, control),
                }
            }
        });
        let interrupted = !*ended.borrow();
        control.stop();
        // A panic ends the process, so a thread always returns.
        (scan.join().unwrap_or_default(), interrupted)
    });
    ui.countdown("");
    Ok(report)
}

fn show_progress(ui: Ui, control: &ScanControl) {
    let (files, bytes) = control.progress();
    ui.countdown(&format!(
        "{} files, {} scanned; press Ctrl-C to stop",
        group_thousands(files as u64),
        format_size(bytes)
    ));
}
