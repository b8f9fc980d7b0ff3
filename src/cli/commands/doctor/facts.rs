//! Opens what the checks of `doctor` look at. What cannot be opened becomes the outcome of the check
//! that needs it: nothing here ends the command.

use crate::catalog::{self, Endpoint};
use crate::cli::alerts;
use crate::cli::attachments::git_ignores;
use crate::cli::commands::config::problems;
use crate::cli::connection;
use crate::cli::context::Context;
use crate::cli::debug_log::LogSink;
use crate::cli::env::Env;
use crate::cli::errors::CliExit;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::keys::is_no_store_error;
use crate::cli::logging;
use crate::cli::passphrase;
use crate::cli::provider;
use crate::cli::rollback;
use crate::cli::runtime::runtime;
use crate::cli::state_marks::When;
use crate::cli::term::{Ui, display_path};
use crate::config::KeySource;
use crate::conversations::{self, Archive};
use crate::doctor::{
    self, CheckOutcome, CheckResult, Examination, KeyVariable, NetworkRoute, ReachedProvider,
    UserFolders,
};
use crate::fs;
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::keys::stores::vault;
use crate::name::Name;
use crate::secret::Secret;
use anyhow::Result;
use std::collections::BTreeMap;

/// Runs all checks.
pub(super) fn examine(context: &mut Context) -> Vec<CheckResult> {
    // First, because it also lets the passphrase command inherit its variables.
    let settings = context
        .settings()
        .map_err(|_| CheckOutcome::skip("the settings have mistakes"));
    let mistakes = problems(context);
    // New alerts, such as one about permissions, belong to the report.
    alerts::check_unseen(context);
    let redactor = outcome_of(context.redactor());
    let opened = match &settings {
        Ok(_) => open_store(context),
        Err(outcome) => Err(outcome.as_skip()),
    };
    let archive = match &opened {
        Ok(()) => outcome_of(archive(context)),
        Err(outcome) => Err(outcome.as_skip()),
    };
    let has_audit_key = match &opened {
        Ok(()) => outcome_of(context.read_audit_key()),
        Err(outcome) => Err(outcome.as_skip()),
    };
    if matches!(has_audit_key, Ok(true)) {
        rollback::compare_with_marks(context, When::Now);
    }
    let endpoint = provider::choose(context, None, None, Some("any")).map(|choice| choice.endpoint);
    let endpoint = match &settings {
        Ok(_) => outcome_of(endpoint),
        Err(outcome) => Err(outcome.as_skip()),
    };
    let (ui, env) = (context.ui, context.env);
    let mut facts = Examination {
        home: context.home.clone(),
        root: env.path("CHATBOT_HOME"),
        clock: context.clock.clone(),
        mistakes,
        settings,
        redactor,
        keys: Err(CheckOutcome::skip("")),
        archive,
        audit: context.audit(),
        has_audit_key,
        alerts: alerts::monitor(context),
        key_variables: key_variables(context),
        hosts: hosts(context),
        debug_log: debug_log(context),
        provider: endpoint.clone().and_then(|to| reach(context, &to)),
        route: endpoint.map(|endpoint| route(context, &endpoint)),
        folders: user_folders(context),
        git_ignores,
        passphrase_source: passphrase::source_name(env),
        backup_passphrase: Box::new(move |what| backup_passphrase(ui, env, what)),
        repositories: repositories(context),
    };
    facts.keys = match opened {
        Ok(()) => outcome_of(context.keys().map(|keys| keys.manager())),
        Err(outcome) => Err(outcome),
    };
    doctor::examine(&facts)
}

/// Asks for the passphrase of a backup, unless the environment names it.
fn backup_passphrase(ui: Ui, env: Env, what: &str) -> Result<Secret, String> {
    if !passphrase::is_named(env) && !ui.can_ask() {
        return Err(String::from(
            "there is no terminal to ask for the passphrase of the backup",
        ));
    }
    let what = format!("{what} (Enter skips it)");
    let typed =
        passphrase::obtain(ui, env, &what, CliExit::Key).map_err(|error| error.to_string())?;
    if typed.is_empty() {
        return Err(String::from("no passphrase of the backup was given"));
    }
    Ok(typed)
}

/// What is in the repositories in folders.
fn repositories(context: &Context) -> CheckOutcome {
    let (ui, env) = (context.ui, context.env);
    let passphrase = move |what: &str| backup_passphrase(ui, env, what);
    let verified = outcome_of(runtime()).map(|runtime| {
        runtime.block_on(doctor::verify_repositories(
            &context.home,
            &context.clock,
            &passphrase,
        ))
    });
    verified.unwrap_or_else(|outcome| outcome)
}

/// Turns an error into the outcome to report: a vault that needs a passphrase is not a fault, and
/// neither is a machine without a key store.
fn outcome_of<T>(result: Result<T>) -> Result<T, CheckOutcome> {
    result.map_err(|error| {
        let problem = diagnose(&error);
        let is_locked = error.chain().any(|cause| {
            matches!(
                cause.downcast_ref(),
                Some(
                    vault::Error::Locked(_)
                        | vault::Error::NoKeyFile(_)
                        | vault::Error::NoSecondFactor(_)
                )
            )
        });
        if is_locked {
            return CheckOutcome::skip(problem.to_string());
        }
        if is_no_store_error(&error) {
            return CheckOutcome::warn(problem.to_string(), "chatbot vault create");
        }
        match problem.hint_command() {
            Some(command) => CheckOutcome::fail(problem.to_string(), command),
            None => CheckOutcome::fail_without_fix(problem.to_string()),
        }
    })
}

/// Contacts the key store, which asks for the passphrase of the vault if it must and can. An item is
/// read, because a locked keyring answers a probe.
fn open_store(context: &mut Context) -> Result<(), CheckOutcome> {
    let open = |context: &mut Context| -> Result<()> {
        let manager = context.keys()?.manager();
        manager.probe()?;
        manager.get(&Slot::AuditKey)?;
        Ok(())
    };
    outcome_of(open(context))
}

/// The conversations; `None` before the first one, because opening them would create a data key.
fn archive(context: &mut Context) -> Result<Option<Archive>> {
    let has_any = conversations::has_conversations(&context.home.conversations())?;
    if !has_any && context.keys()?.manager().get(&Slot::DataKey)?.is_none() {
        return Ok(None);
    }
    context.archive_read_only().map(Some)
}

/// The variables of known providers and of the user's own servers that are set.
fn key_variables(context: &mut Context) -> Vec<KeyVariable> {
    let mut variables: Vec<(Option<Name>, String)> = Vec::new();
    let own = context.settings().ok();
    let own = own.iter().flat_map(|settings| &settings.providers);
    for (_, custom) in own.clone() {
        if let KeySource::Env(variable) = &custom.key {
            variables.push((None, variable.clone()));
        }
    }
    for entry in catalog::all() {
        let Some((name, variable)) = entry.name.parse::<Name>().ok().zip(entry.env) else {
            continue;
        };
        // A server of the user's own can have the name or the variable of a known provider.
        let is_own = own.clone().any(|(other, _)| *other == name)
            || variables.iter().any(|(_, other)| other == variable);
        if !is_own {
            variables.push((Some(name), variable.to_owned()));
        }
    }
    let env = context.env;
    variables
        .into_iter()
        .filter_map(|(provider, variable)| {
            let key = env.secret(&variable).transpose()?;
            let key = key.map_err(|_| String::from("has white space or unexpected characters"));
            Some(KeyVariable {
                provider,
                variable,
                key,
            })
        })
        .collect()
}

/// The host of each provider that a key is stored for.
fn hosts(context: &mut Context) -> BTreeMap<Name, String> {
    let index = KeyIndex::read(&KeyIndex::path_in(&context.home));
    let index = index.ok().flatten();
    let slots = index.iter().flat_map(KeyIndex::records);
    let names: Vec<Name> = slots
        .filter_map(|(slot, _)| match slot {
            Slot::ApiKey { provider, .. } => Some(provider),
            _ => None,
        })
        .collect();
    names
        .into_iter()
        .filter_map(|name| {
            let host = provider::endpoint(context, &name).ok()?.host();
            Some((name, host))
        })
        .collect()
}

fn debug_log(context: &Context) -> Option<String> {
    let (_, sink) = logging::target(context).ok()??;
    Some(match sink {
        LogSink::Stderr => String::from("to standard error"),
        LogSink::File(path) => format!("to `{}`", display_path(&path)),
    })
}

fn reach(context: &mut Context, endpoint: &Endpoint) -> Result<ReachedProvider, CheckOutcome> {
    if let Err(error) = context.lockdown().check() {
        return Err(CheckOutcome::skip(error.to_string()));
    }
    let network = outcome_of(context.network())?;
    outcome_of(runtime())?.block_on(doctor::reach(endpoint, network))
}

fn route(context: &Context, endpoint: &Endpoint) -> NetworkRoute {
    let is_https = connection::is_https(endpoint);
    NetworkRoute {
        proxy: connection::proxy_in_force(context.env, endpoint),
        extra_certificates: context.env.path("SSL_CERT_FILE").filter(|_| is_https),
        unencrypted: !is_https && !endpoint.is_loopback(),
    }
}

fn user_folders(context: &Context) -> UserFolders {
    let env = context.env;
    let home = env.home_folder().filter(|path| path.is_absolute());
    let base = |variable: &str, default: &str| {
        env.path(variable)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(home.as_ref()?.join(default)))
    };
    UserFolders {
        config: base("XDG_CONFIG_HOME", ".config"),
        data: base("XDG_DATA_HOME", ".local/share"),
        current: fs::real_path(std::path::Path::new(".")),
        home,
    }
}
