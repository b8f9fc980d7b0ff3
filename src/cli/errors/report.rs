//! Prints an error, as sentences or as JSON.

use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{ChildExit, CliError, CliExit, SilentExit};
use crate::cli::term::{BrokenPipeError, Style, Ui};
use crate::privacy::{Displayable, mask_keys};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Prints the error and returns the exit code.
pub(crate) fn report(ui: &Ui, error: &anyhow::Error, as_json: bool) -> ExitCode {
    if error.is::<BrokenPipeError>() {
        return ExitCode::SUCCESS;
    }
    if let Some(SilentExit(exit)) = error.downcast_ref() {
        return ExitCode::from(*exit as u8);
    }
    if let Some(ChildExit(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    let problem = mask_problem(&diagnose(error));
    if as_json {
        ui.error_json(&json!({ "schema_version": 1, "error": problem_json(&problem) }));
    } else {
        print_problem(ui, &problem);
    }
    ExitCode::from(problem.exit as u8)
}

/// Prints the error only: the chat continues. Its hints name the commands of the chat.
pub(crate) fn report_in_chat(ui: &Ui, error: &anyhow::Error) -> CliExit {
    if let Some(SilentExit(exit)) = error.downcast_ref() {
        return *exit;
    }
    let problem = diagnose(error).map_hint(|hint| {
        let commands = [("--file", "/file"), ("--model", "/model")];
        commands.iter().fold(hint, |hint, (option, command)| {
            hint.replace(&format!("`{option}`"), &format!("`{command}`"))
        })
    });
    if !error.is::<BrokenPipeError>() {
        print_problem(ui, &mask_problem(&problem));
    }
    problem.exit
}

/// The exit code of an error, and its description for scripts.
pub(crate) fn error_json(error: &anyhow::Error) -> (CliExit, Value) {
    let problem = mask_problem(&diagnose(error));
    (problem.exit, problem_json(&problem))
}

fn problem_json(problem: &CliError) -> Value {
    let mut body =
        json!({ "code": problem.code, "exit": problem.exit as i32, "message": problem.message });
    if let Some(body) = body.as_object_mut() {
        if let Some(hint) = &problem.hint {
            body.insert("hint".to_owned(), json!(hint));
        }
        if let Some(after) = problem.retry_after {
            body.insert("retry_after".to_owned(), json!(seconds(after)));
        }
    }
    body
}

/// Masks keys in a problem.
fn mask_problem(problem: &CliError) -> CliError {
    CliError {
        message: mask_keys(&problem.message),
        hint: problem.hint.as_deref().map(mask_keys),
        ..*problem
    }
}

fn print_problem(ui: &Ui, problem: &CliError) {
    // One line each: a line break in the text of a server or a file must not look like another
    // message of this program.
    let message = Displayable::line(&problem.message);
    ui.error_line(if problem.code == "declined" {
        // The user chose this.
        Displayable::from("chatbot: ") + message
    } else {
        Displayable::from("chatbot: ") + ui.paint(Style::Red, "error:") + " " + message
    });
    if let Some(hint) = &problem.hint {
        ui.error_line(
            Displayable::from("chatbot: ")
                + ui.paint(Style::Bold, "hint:")
                + " "
                + Displayable::line(hint),
        );
    }
}

/// Whole seconds, rounded up, so that waiting this long is enough.
fn seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_nanos() > 0)
}
