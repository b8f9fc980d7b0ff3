//! `proxy setup`: the settings of programs that are not started from a shell.

use super::control;
use super::setup_edit::{continue_lines, insert_json, insert_yaml, remove, zed_lines};
use crate::cli::args::parse_duration;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::provider;
use crate::cli::term::display_path;
use crate::fs::{self, AtomicFile};
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest settings file of another program.
const MAX_BYTES: u64 = 1 << 20;
/// What stands for the token where it is not known yet.
const TOKEN: &str = "TOKEN";

/// Let an editor use a running proxy, or undo that
///
/// Writes the address of the proxy to the settings of the editor, after it has shown the lines, and
/// creates a token. Start the proxy with `chatbot proxy serve --port PORT`, so that the address stays
/// the same. The token ends with the proxy: after a restart, undo it and set it up again.
#[derive(Clone, Debug, Args)]
pub(super) struct ProxySetupArgs {
    /// The editor: zed or continue
    #[arg(value_name = "TOOL", hide_possible_values = true)]
    tool: SetupTool,
    /// Take the lines out of the settings again, and end the token
    #[arg(long, conflicts_with_all = ["port", "model"])]
    undo: bool,
    /// Use the proxy at this port
    #[arg(long, value_name = "PORT", required_unless_present = "undo")]
    port: Option<u16>,
    /// Use this model in Continue
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// End the token after this time, at most 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_duration)]
    ttl: Duration,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SetupTool {
    Zed,
    Continue,
}

impl SetupTool {
    const fn name(self) -> &'static str {
        match self {
            Self::Zed => "zed",
            Self::Continue => "continue",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Zed => "Zed",
            Self::Continue => "Continue",
        }
    }

    /// Its settings file.
    fn file(self, context: &Context) -> Result<PathBuf> {
        let home = context.env.home_folder();
        let home = home.context("`HOME` is not set")?;
        Ok(match self {
            Self::Zed if cfg!(windows) => home.join("AppData/Roaming/Zed/settings.json"),
            Self::Zed => {
                let config = context.env.path("XDG_CONFIG_HOME");
                let config = config.unwrap_or_else(|| home.join(".config"));
                config.join("zed").join("settings.json")
            }
            Self::Continue => home.join(".continue").join("config.yaml"),
        })
    }

    /// The lines to put in.
    fn lines(self, root: &str, model: &str, token: &str) -> Vec<String> {
        match self {
            Self::Zed => zed_lines(root),
            Self::Continue => continue_lines(root, model, token),
        }
    }

    fn insert(self, text: &str, lines: &[String]) -> Option<String> {
        match self {
            Self::Zed => insert_json(text, lines),
            Self::Continue => insert_yaml(text, lines),
        }
    }
}

/// What is kept for `--undo`, in a file that only the user can read.
#[derive(Debug, Serialize, Deserialize)]
struct SetupBackup {
    path: PathBuf,
    /// The file as it was; `None` if there was none.
    original: Option<String>,
    /// The id of the token.
    token: String,
}

pub(super) fn run(context: &mut Context, options: &ProxySetupArgs) -> Result<()> {
    let tool = options.tool;
    let folder = context.home.state().join("setup");
    let backup = folder.join(format!("{}.json", tool.name()));
    if options.undo {
        return undo(context, tool, &backup, options.yes);
    }
    if fs::exists(&backup) {
        let hint = format!("`chatbot proxy setup {} --undo` first", tool.name());
        bail!(CliError::misuse(format!("{} is set up already", tool.title())).hint(hint));
    }
    let proxy = control::find(context, options.port)?;
    let path = tool.file(context)?;
    if !path.parent().is_some_and(fs::is_folder) {
        let what = format!(
            "{} has no settings at `{}`",
            tool.title(),
            display_path(&path)
        );
        bail!(CliError::new(CliExit::Failure, "no_settings", what).hint("start it once"));
    }
    // A link stays one.
    let path = fs::real_path(&path).unwrap_or(path);
    let original = read(&path)?;
    let text = original.clone().unwrap_or_default();
    let model = match (tool, &options.model) {
        (_, Some(model)) => model.clone(),
        (SetupTool::Continue, None) => provider::choose(context, None, None, None)?.model,
        (SetupTool::Zed, None) => String::new(),
    };
    let root = &proxy.listening;
    let shown = tool.lines(root, &model, TOKEN);
    if tool.insert(&text, &shown).is_none() {
        context.ui.out(&format!("{}\n", shown.join("\n")))?;
        let what = format!(
            "cannot change `{}` without breaking it",
            display_path(&path)
        );
        bail!(CliError::new(CliExit::Failure, "not_changed", what).hint(
            "add the lines above by hand, with a token from `chatbot proxy token --ttl 30d`"
        ));
    }
    let lines: String = shown.iter().map(|line| format!("  + {line}\n")).collect();
    context
        .ui
        .out(&format!("{}:\n{lines}", display_path(&path)))?;
    if !options.yes && !context.ui.confirm("Change the file?", "--yes")? {
        return Ok(());
    }
    let wanted = json!({ "ttl_s": options.ttl.as_secs().max(1), "name": tool.name() });
    let minted = control::ask(context, &proxy, "POST", "/api/token", Some(&wanted))?;
    let said = |name: &str| minted.get(name).and_then(Value::as_str).unwrap_or_default();
    let token = said("token");
    let new = tool.insert(&text, &tool.lines(root, &model, token));
    let kept = SetupBackup {
        path: path.clone(),
        original,
        token: said("id").to_owned(),
    };
    fs::write(&backup, &serde_json::to_vec(&kept)?)?;
    replace(&path, &new.unwrap_or(text))?;
    if matches!(tool, SetupTool::Zed) {
        context.ui.out(&format!("{token}\n"))?;
        context.ui.notice(
            "enter this token in Zed as the API key of the provider; it is not shown again",
        );
    }
    context.ui.notice(
        "the token ends with the proxy: after a restart of it, undo this and set it up again",
    );
    Ok(())
}

fn undo(context: &mut Context, tool: SetupTool, backup: &Path, yes: bool) -> Result<()> {
    let bytes = fs::read_at_most(backup, 2 * MAX_BYTES)?;
    let Some(bytes) = bytes else {
        bail!(CliError::misuse(format!("{} is not set up", tool.title())));
    };
    let kept: SetupBackup =
        serde_json::from_slice(&bytes).with_context(|| format!("`{}`", display_path(backup)))?;
    let shown = display_path(&kept.path);
    let now = read(&kept.path)?.unwrap_or_default();
    let Some(removed) = remove(&now) else {
        bail!(
            CliError::new(
                CliExit::Failure,
                "not_changed",
                format!("the lines of the setup are not in `{shown}` any more")
            )
            .hint(format!(
                "the file as it was is in `{0}`; delete `{0}` when it is right",
                display_path(backup)
            ))
        );
    };
    let question = format!("Take the lines out of `{shown}`?");
    if !yes && !context.ui.confirm(&question, "--yes")? {
        return Ok(());
    }
    // The layout as it was, unless more has changed.
    let words = |text: &str| text.split_whitespace().collect::<String>();
    match kept.original {
        Some(original) if words(&original) == words(&removed) => replace(&kept.path, &original)?,
        None if matches!(words(&removed).as_str(), "" | "{}") => {
            fs::remove(&kept.path)?;
        }
        _ => replace(&kept.path, &removed)?,
    }
    fs::remove(backup)?;
    // The token may have ended with its proxy.
    let path = format!("/api/tokens/{}", kept.token);
    for proxy in control::running(context) {
        drop(control::ask(context, &proxy, "DELETE", &path, None));
    }
    context
        .ui
        .notice(&format!("{} is as it was before", tool.title()));
    Ok(())
}

fn read(path: &Path) -> Result<Option<String>> {
    let bytes = fs::read_user_edited(path, MAX_BYTES)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| {
        CliError::new(
            CliExit::Failure,
            "not_text",
            format!("`{}` is not text", display_path(path)),
        )
        .into()
    })
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let mut draft = AtomicFile::create_for(path)?;
    draft.write(text.as_bytes())?;
    draft.commit()?;
    Ok(())
}
