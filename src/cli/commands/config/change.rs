//! What `config set`, `config get` and `config unset` share: keys, and how the file is replaced.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::errors::settings::describe_reason;
use crate::cli::settings_check::check_settings;
use crate::config::{self, EditError, SettingKey, SettingsProblem};
use crate::fs;
use crate::privacy::Raw;
use anyhow::{Result, bail};

pub(super) fn parse_key(key: &Raw) -> Result<SettingKey> {
    SettingKey::parse(&key.printable_line()).map_err(|error| {
        CliError::misuse(error.to_string())
            .hint("`chatbot config show` prints all settings")
            .into()
    })
}

pub(super) fn cannot_edit(error: &EditError) -> anyhow::Error {
    CliError::misuse(error.to_string())
        .hint("nothing was changed; `chatbot config check` names mistakes in the file")
        .into()
}

/// Refuses a key that no setting has.
pub(super) fn reject_unknown(text: &str, key: &SettingKey) -> Result<()> {
    // A value that is a wrong one for every setting: what remains are unknown names.
    let Ok(probe) = config::set(text, key, "[[]]") else {
        return Ok(());
    };
    let (_, problems) = config::parse(&probe);
    let named = key.path();
    let is_meant = |problem: &&SettingsProblem| {
        problem.unknown && (problem.key == named || named.starts_with(&format!("{}.", problem.key)))
    };
    let Some(problem) = problems.iter().find(is_meant) else {
        return Ok(());
    };
    let hint = problem.nearest.as_ref().map_or_else(
        || "`chatbot config show` prints all settings".to_owned(),
        |nearest| format!("did you mean `{nearest}`?"),
    );
    bail!(CliError::misuse(format!("there is no setting `{key}`")).hint(hint))
}

/// Replaces the settings file at once. A link to a file elsewhere stays a link.
pub(super) fn write(context: &Context, text: &str, action: &'static str) -> Result<()> {
    let path = context.settings_file();
    let target = fs::real_path(path).unwrap_or_else(|| path.to_path_buf());
    fs::write(&target, text.as_bytes())?;
    context.audit_event(&Event::new(EventKind::Config).word("action", action));
    Ok(())
}

/// Changes a list, and reads the settings again.
pub(crate) fn change_list(
    context: &mut Context,
    action: &'static str,
    change: impl FnOnce(&str) -> Result<String, EditError>,
) -> Result<()> {
    let _lock = fs::FileLock::acquire(&context.home.state().join("settings.lock"))?;
    let text = context.settings_text()?;
    let new = change(&text).map_err(|error| cannot_edit(&error))?;
    if let Some(problem) = new_problem(&new, &check_settings(&text).1) {
        bail!(
            CliError::misuse(describe_reason(&problem))
                .hint("nothing was changed; `chatbot config show` prints the settings")
        );
    }
    write(context, &new, action)?;
    context.forget_settings();
    Ok(())
}

/// The first mistake that was not there before.
pub(super) fn new_problem(text: &str, before: &[SettingsProblem]) -> Option<SettingsProblem> {
    let is_new = |problem: &SettingsProblem| {
        !before
            .iter()
            .any(|old| old.key == problem.key && old.reason == problem.reason)
    };
    check_settings(text).1.into_iter().find(is_new)
}
