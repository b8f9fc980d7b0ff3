//! The sentence for a mistake in the settings file.

use crate::cli::term::display_path;
use crate::config::SettingsProblem;
use crate::privacy::{Raw, mask_keys};
use std::path::Path;

/// Formats a problem of the settings with its place in the file.
pub(crate) fn describe_problem(file: &Path, problem: &SettingsProblem) -> String {
    let place = format!("{} line {}: ", display_path(file), problem.line);
    mask_keys(&place) + &describe_reason(problem)
}

/// Formats a problem of the settings, without any key that was pasted into them.
pub(crate) fn describe_reason(problem: &SettingsProblem) -> String {
    let key = if problem.key.is_empty() {
        String::new()
    } else {
        format!("`{}`: ", Raw::from(problem.key.as_str()).printable())
    };
    let meant = problem
        .nearest
        .as_ref()
        .map_or(String::new(), |n| format!("; did you mean `{n}`?"));
    mask_keys(&format!("{key}{}{meant}", problem.reason))
}
