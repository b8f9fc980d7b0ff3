//! Debug logging: whether and where, as the environment and the options say.
//!
//! The log has events and their durations, as numbers and names: never a body, a header's value or
//! a key.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::cli::debug_log::{DebugLog, LogLevel, LogSink};
use crate::cli::errors::CliError;
use crate::cli::term::display_path;
use crate::fs::{self, Appender};
use crate::privacy::Raw;
use crate::time::Time;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Starts logging if possible, for commands that must run even if the settings are wrong.
pub(crate) fn start_if_possible(context: &mut Context) {
    if let Err(error) = start_from_env(context) {
        context
            .ui
            .warning(&format!("cannot start logging: {error}"));
    }
}

/// Starts logging as `CHATBOT_LOG` says: `info` or `debug` to standard error, an absolute path
/// to that file.
pub(crate) fn start_from_env(context: &mut Context) -> Result<()> {
    match target(context)? {
        Some((level, sink)) => start(context, level, sink),
        None => Ok(()),
    }
}

/// How much is logged and where, as `CHATBOT_LOG` says; `None` if nothing.
pub(crate) fn target(context: &Context) -> Result<Option<(LogLevel, LogSink)>> {
    let Some(options) = context.env.text("CHATBOT_LOG")? else {
        return Ok(None);
    };
    Ok(match options.as_str() {
        "off" => None,
        "info" => Some((LogLevel::Info, LogSink::Stderr)),
        "debug" => Some((LogLevel::Debug, LogSink::Stderr)),
        path if PathBuf::from(path).is_absolute() => {
            Some((LogLevel::Debug, LogSink::File(PathBuf::from(path))))
        }
        other => bail!(
            CliError::misuse(format!(
                "`CHATBOT_LOG` is `{}`, but must be `off`, `info`, `debug` or an absolute path",
                Raw::from(other).printable()
            ))
            .hint("change `CHATBOT_LOG`, or unset it")
        ),
    })
}

/// Starts logging to standard error; `-v` given twice includes every step.
pub(crate) fn start_verbose(context: &mut Context, times: u8) -> Result<()> {
    match times {
        0 => Ok(()),
        1 => start(context, LogLevel::Info, LogSink::Stderr),
        _ => start(context, LogLevel::Debug, LogSink::Stderr),
    }
}

fn start(context: &mut Context, level: LogLevel, sink: LogSink) -> Result<()> {
    if context.logging().is_some_and(|log| log.level() >= level) {
        return Ok(());
    }
    let to = match &sink {
        LogSink::Stderr => "to standard error".to_owned(),
        LogSink::File(path) => {
            require_log_file(context, path)?;
            // A file that cannot be written is an error now, because later writes fail
            // silently. The folder is not created: its name may be a typing error.
            if let Some(folder) = path.parent().filter(|folder| !fs::exists(folder)) {
                bail!(
                    CliError::misuse(format!(
                        "`CHATBOT_LOG` names a file in `{}`, which does not exist",
                        display_path(folder)
                    ))
                    .hint("create the folder, or name a file elsewhere")
                );
            }
            Appender::open(path)?;
            format!("to `{}`", display_path(path))
        }
    };
    let redactor = context.redactor()?;
    context.ui.error_line(&format!(
        "chatbot: warning: logging {to}: times, providers and models, never message text or keys"
    ));
    context.use_log(DebugLog::new(
        level,
        sink,
        context.ui,
        &context.clock,
        redactor,
    ));
    let level = if level == LogLevel::Debug {
        "debug"
    } else {
        "info"
    };
    context.audit_event(
        &Event::new(EventKind::Debug)
            .severity(Severity::Notice)
            .word("level", level),
    );
    step(
        context,
        &format!(
            "chatbot {}, state in {}",
            env!("CARGO_PKG_VERSION"),
            display_path(context.home.state())
        ),
    );
    let length = context.settings_text()?.len();
    let source = if length == 0 {
        "the defaults".to_owned()
    } else {
        format!("{}, {length} bytes", display_path(context.settings_file()))
    };
    step(context, &format!("settings: {source}"));
    Ok(())
}

/// Refuses to append to a file that is not a log: inside this program's folders its name must
/// end in `.log`, and elsewhere its content must begin like a log.
fn require_log_file(context: &Context, path: &Path) -> Result<()> {
    let home = &context.home;
    let ours = [home.state(), home.data(), home.cache()]
        .into_iter()
        .any(|folder| path.starts_with(folder))
        || context
            .settings_file()
            .parent()
            .is_some_and(|folder| path.starts_with(folder));
    let named = path.extension().is_some_and(|ending| ending == "log");
    let begins = fs::read_start(path, 24).ok().flatten().unwrap_or_default();
    let other = !begins.is_empty()
        && Time::parse(
            String::from_utf8_lossy(&begins)
                .split(' ')
                .next()
                .unwrap_or_default(),
        )
        .is_none();
    if (ours && !named) || other {
        bail!(
            CliError::misuse(format!(
                "`CHATBOT_LOG` names `{}`, which is not a log file",
                display_path(path)
            ))
            .hint("name a file that does not exist yet")
        );
    }
    Ok(())
}

/// Logs which key store is in use and why. Without a log it does nothing, because selecting the
/// store may contact it.
pub(crate) fn log_key_store(context: &mut Context) {
    if context.logging().is_some()
        && let Ok(keys) = context.keys()
        && let Ok(chosen) = keys.manager().selected_store()
    {
        let text = format!(
            "key store: {}, because {}",
            chosen.store.kind(),
            chosen.reason
        );
        step(context, &text);
    }
}

/// Logs a step at level debug.
pub(crate) fn step(context: &Context, text: &str) {
    if let Some(log) = context.logging() {
        log.write(LogLevel::Debug, text);
    }
}
