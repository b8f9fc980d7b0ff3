//! `exec`: runs a program with a token instead of the key.

mod child;
mod jail;
mod recipe;

use super::proxy::TokenLimits;
use super::proxy::serve::{ProxyHostArgs, parts};
use crate::cli::args::parse_duration;
use crate::cli::context::Context;
use crate::cli::errors::{ChildExit, CliError, CliExit};
use crate::cli::runtime::runtime;
use crate::cli::term::format::{format_dollars, pluralize};
use crate::config::KeySource;
use crate::privacy::json::RestorePolicy;
use crate::proxy::scope::TokenKind;
use crate::proxy::token::TokenRequest;
use crate::proxy::{ProxyConfig, ProxyServer, ProxyTotals};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use glob::Pattern;
use jail::Jail;
pub(in crate::cli) use jail::{RunJailedArgs, run as run_jailed};
use recipe::{Recipe, RecipeValues};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;
use tokio::sync::oneshot;

#[derive(Clone, Debug, Args)]
pub(crate) struct ExecArgs {
    /// End the token after this time
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = parse_duration)]
    ttl: Duration,
    /// Allow models whose names match this pattern, such as 'openai/*'
    #[arg(long, value_name = "GLOB", value_parser = parse_pattern)]
    model: Option<Pattern>,
    #[command(flatten)]
    limits: TokenLimits,
    /// Put these values back into answers: all, personal (no secrets) or none
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = parse_restore)]
    restore: RestorePolicy,
    /// Let the program reach over TCP only the port of the proxy, and write only in the current
    /// folder and the temporary one (Linux)
    #[arg(long)]
    jail: bool,
    /// With --jail, let it write here too; can be repeated
    #[arg(long, value_name = "PATH", requires = "jail")]
    jail_write: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) host: ProxyHostArgs,
    /// List the programs that have a recipe
    #[arg(long, conflicts_with = "command")]
    list: bool,
    /// Print what would be set, or with --list the recipes, and run nothing
    #[arg(long)]
    print: bool,
    /// Do not print the account at the end
    #[arg(short, long)]
    quiet: bool,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "list")]
    command: Vec<OsString>,
}

fn parse_pattern(text: &str) -> Result<Pattern, &'static str> {
    Pattern::new(text).map_err(|_| "is not a pattern")
}

fn parse_restore(text: &str) -> Result<RestorePolicy, &'static str> {
    match text {
        "all" => Ok(RestorePolicy::All),
        "personal" => Ok(RestorePolicy::Personal),
        "none" => Ok(RestorePolicy::Nothing),
        _ => Err("must be all, personal or none"),
    }
}

pub(crate) fn run(context: &mut Context, options: &ExecArgs) -> Result<()> {
    let folder = context.settings_file().with_file_name("recipes");
    let recipes = recipe::all(&folder)?;
    if options.list {
        return list(context, &recipes, options.print);
    }
    let (program, args) = options
        .command
        .split_first()
        .context("the command line names no program")?;
    let name = program.to_string_lossy();
    let recipe = recipe::find(&recipes, &name).context("there is no recipe for all programs")?;
    if options.print {
        return print(context, recipe);
    }
    warn_about_logins(context, recipe);
    let jail = options
        .jail
        .then(|| Jail::new(context, &options.jail_write))
        .transpose()?;
    let own = key_variables(context)?;
    let parts = parts(context, &options.host, ProxyConfig::default())?;
    let runtime = runtime()?;
    let local = tokio::task::LocalSet::new();
    let (status, totals) = local.block_on(&runtime, async {
        let server = ProxyServer::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, parts).await?;
        // Not registered for other commands: the program could read the token that creates others.
        let token = server.mint(token_request(options, recipe, &name))?;
        let values = RecipeValues {
            root: &server.address(),
            token: token.secret.expose(),
        };
        let mut prepared = child::prepare(context.env, program, args, recipe, &values, &own)?;
        if !prepared.removed.is_empty() {
            context.ui.notice(&format!(
                "removed from the environment of the program: {}",
                prepared.removed.join(", ")
            ));
        }
        if let Some((jail, port)) = jail.zip(server.port()) {
            prepared.command = jail.around(context.env, &prepared.command, port)?;
        }
        // From here on signals of the terminal are the program's.
        let signals = ForwardedSignals::listen()?;
        let child = prepared.command.spawn();
        let child = child.map_err(|error| not_started(&name, &error))?;
        let (ended, stop) = oneshot::channel();
        let waiting = wait(child, signals, ended);
        let (totals, status) = tokio::join!(server.run(async { drop(stop.await) }), waiting);
        anyhow::Ok((status?, totals))
    })?;
    if !options.quiet {
        context.ui.error_line(&account(&totals));
    }
    end_like(status)
}

/// The variables from which the settings take keys.
fn key_variables(context: &mut Context) -> Result<Vec<String>> {
    let settings = context.settings()?;
    let keys = settings.providers.values().map(|custom| &custom.key);
    let names = keys.filter_map(|key| match key {
        KeySource::Env(name) => Some(name.clone()),
        KeySource::NoKey | KeySource::Stored => None,
    });
    Ok(names.collect())
}

fn token_request(options: &ExecArgs, recipe: &Recipe, program: &str) -> TokenRequest {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let kind = if options.host.demo {
        TokenKind::Demo
    } else {
        TokenKind::Proxy
    };
    TokenRequest {
        name: program.chars().filter(is_word).take(64).collect(),
        ttl: options.ttl,
        model: options.model.clone(),
        budget: options.limits.budget,
        max_requests: options.limits.max_requests,
        per_minute: options.limits.rpm,
        shape: recipe.shape(),
        restore: options.restore,
        ..TokenRequest::new(kind)
    }
}

fn list(context: &Context, recipes: &[Recipe], as_text: bool) -> Result<()> {
    if as_text {
        return context.ui.out(recipe::text());
    }
    let mut out = String::new();
    for recipe in recipes {
        out += &format!("{:<10}  {}\n", recipe.program.join(", "), recipe.title);
        if let Some(note) = &recipe.note {
            out += &format!("            {note}\n");
        }
    }
    context.ui.say(&out, 12)
}

/// Shows what a recipe sets, with the names of what is filled in.
fn print(context: &Context, recipe: &Recipe) -> Result<()> {
    let values = RecipeValues {
        root: "http://127.0.0.1:PORT",
        token: "TOKEN",
    };
    let mut out = format!("# {}\n", recipe.title);
    for (name, value) in recipe.variables(&values) {
        out += &format!("{name}={value}\n");
    }
    for name in &recipe.remove {
        out += &format!("unset {name}\n");
    }
    let arguments = recipe.arguments(&values);
    if !arguments.is_empty() {
        out += &format!("arguments: {}\n", arguments.join(" "));
    }
    context.ui.out(&out)
}

/// Says which saved logins win over the token: then the program would not use the proxy.
fn warn_about_logins(context: &Context, recipe: &Recipe) {
    let Some(home) = context.env.home_folder() else {
        return;
    };
    for login in &recipe.logins {
        if crate::fs::exists(&home.join(login)) {
            context.ui.warning(&format!(
                "{} has a saved login in `~/{login}`, which may win over the token",
                recipe.title
            ));
        }
    }
}

fn not_started(name: &str, error: &std::io::Error) -> CliError {
    let name = crate::privacy::Raw::from(name).printable_line();
    let what = format!("cannot start `{name}`: {error}");
    CliError::new(CliExit::Failure, "not_started", what).hint("is it installed, and in `PATH`?")
}

/// Waits for the program, passes signals on, and tells the proxy to stop.
async fn wait(
    mut child: Child,
    signals: ForwardedSignals,
    ended: oneshot::Sender<()>,
) -> Result<ExitStatus> {
    let id = child.id();
    let mut waiting = tokio::task::spawn_blocking(move || child.wait());
    let status = loop {
        tokio::select! {
            status = &mut waiting => break status,
            () = signals.forward(id) => {}
        }
    };
    // The proxy may have stopped by itself, in a lockdown.
    ended.send(()).unwrap_or_default();
    Ok(status.context("cannot wait for the program")??)
}

/// The signals that end programs. Those of the terminal reach the program by themselves.
struct ForwardedSignals {
    #[cfg(unix)]
    listeners: std::cell::RefCell<Vec<(i32, tokio::signal::unix::Signal)>>,
}

#[cfg(unix)]
impl ForwardedSignals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut listeners = Vec::new();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            listeners.push((kind.as_raw_value(), signal(kind)?));
        }
        Ok(Self {
            listeners: std::cell::RefCell::new(listeners),
        })
    }

    /// Waits for one signal, and passes it on if it was sent to this process alone.
    async fn forward(&self, child: u32) {
        let number = std::future::poll_fn(|context| {
            for (number, signal) in self.listeners.borrow_mut().iter_mut() {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await;
        let from_terminal = [
            rustix::process::Signal::INT.as_raw(),
            rustix::process::Signal::QUIT.as_raw(),
        ];
        if from_terminal.contains(&number) {
            return;
        }
        let child = i32::try_from(child)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some((child, signal)) = child.zip(rustix::process::Signal::from_named_raw(number)) {
            // It may have ended already.
            rustix::process::kill_process(child, signal).unwrap_or_default();
        }
    }
}

#[cfg(not(unix))]
impl ForwardedSignals {
    fn listen() -> Result<Self> {
        Ok(Self {})
    }

    async fn forward(&self, _: u32) {
        drop(tokio::signal::ctrl_c().await);
    }
}

/// One line about what the program did.
fn account(totals: &ProxyTotals) -> String {
    let used = &totals.used;
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut line = format!(
        "chatbot: {}, {} tokens in, {} out, {}",
        pluralize(count(used.requests), "request"),
        used.prompt,
        used.completion,
        format_dollars(used.nanos),
    );
    if used.unknown > 0 {
        line += &format!(
            " and {} of unknown cost",
            pluralize(count(used.unknown), "request")
        );
    }
    if used.cached > 0 && used.prompt > 0 {
        line += &format!(", {} % from the cache", used.cached * 100 / used.prompt);
    }
    line += &format!(", {} redacted", pluralize(count(used.redactions), "value"));
    for (number, what) in [
        (used.held_back, "not put back"),
        (used.repeated, "sent again by the program"),
        (used.failed, "failed"),
        (totals.refused, "refused"),
    ] {
        if number > 0 {
            line += &format!(", {number} {what}");
        }
    }
    line
}

/// Ends with the exit code of the program, or as if by its signal.
fn end_like(status: ExitStatus) -> Result<()> {
    #[cfg(unix)]
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let by_signal = None::<i32>;
    let code = by_signal.map_or_else(|| status.code().unwrap_or(1), |signal| 128 + signal);
    if code == 0 {
        return Ok(());
    }
    bail!(ChildExit(u8::try_from(code).unwrap_or(1)))
}
