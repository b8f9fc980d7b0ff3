//! Roles: finds the file of a role, and fills in what the command line left open.

use super::context::Context;
use crate::cli::args::ConversationArgs;
use crate::cli::args::ReasoningArg;
use crate::cli::errors::settings::describe_problem;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::config::{RoleFile, SettingsProblem, closest_name, parse_role};
use crate::fs;
use crate::name::Name;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The largest role file.
const MAX_ROLE_BYTES: u64 = 1 << 20;

/// The arguments with those of their role where they say nothing themselves.
pub(crate) fn apply(context: &Context, args: &ConversationArgs) -> Result<ConversationArgs> {
    let mut args = args.clone();
    let Some(name) = &args.role else {
        if !args.var.is_empty() {
            bail!(CliError::misuse("`--var` needs a role").hint("add `--role NAME`"));
        }
        return Ok(args);
    };
    let (path, role) = load(context, name)?;
    let system = role
        .fill(&args.var.iter().cloned().collect())
        .map_err(|problem| wrong_role(&path, &problem))?;
    args.system = args.system.or_else(|| system.map(Raw::from));
    // A provider on the command line has models of its own.
    if args.provider.is_none() {
        args.model = args.model.or(role.model);
        args.provider = role.provider;
    }
    args.temperature = args.temperature.or(role.options.temperature);
    args.max_tokens = args.max_tokens.or(role.options.max_tokens);
    if args.reasoning_effort().is_none()
        && let Some(effort) = role.options.reasoning
    {
        args.reasoning.push(ReasoningArg::Effort(effort));
    }
    Ok(args)
}

fn load(context: &Context, name: &Name) -> Result<(PathBuf, RoleFile)> {
    let path = context.home.roles().join(format!("{name}.md"));
    let Some(bytes) = fs::read_user_edited(&path, MAX_ROLE_BYTES)? else {
        let all = names(context);
        let hint = closest_name(name.as_str(), all.iter().map(String::as_str)).map_or_else(
            || format!("write its system prompt to `{}`", display_path(&path)),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        bail!(CliError::misuse(format!("there is no role `{name}`")).hint(hint));
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        CliError::misuse(format!("`{}` is not UTF-8 text", display_path(&path)))
            .hint("save it as UTF-8")
    })?;
    let (role, problems) = parse_role(&text);
    match problems.first() {
        Some(problem) => bail!(wrong_role(&path, problem)),
        None => Ok((path, role)),
    }
}

fn wrong_role(path: &Path, problem: &SettingsProblem) -> CliError {
    CliError::new(CliExit::Misuse, "role", describe_problem(path, problem))
        .hint("fix the file of the role, or the values given with `--var`")
}

/// The names of all roles, in order.
pub(crate) fn names(context: &Context) -> Vec<String> {
    let mut names = fs::names(&context.home.roles(), ".md").unwrap_or_default();
    names.retain(|name| name.parse::<Name>().is_ok());
    names.sort();
    names
}
