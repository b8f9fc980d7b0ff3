//! What `config set`, `config get` and `config unset` share: keys, and how the file is replaced.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::config::{self, EditError, SettingKey};
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
    let is_meant = |problem: &&config::SettingsProblem| {
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
