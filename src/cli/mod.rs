//! The command line: parses the arguments and runs the command.

mod alerts;
mod answer_printer;
mod app;
mod args;
mod attachments;
mod child_env;
mod commands;
mod connection;
mod debug_log;
mod editor;
mod env;
mod errors;
mod key_binding;
mod keys;
mod line_history;
mod logging;
mod outcome;
mod passphrase;
mod prices;
mod repl;
mod rollback;
mod runtime;
mod session;
mod state_marks;
mod term;

use crate::privacy::Raw;
use crate::process;
use app::App;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use commands::{ask, audit, chat, completions, config, history, models, usage};
use env::Env;
use errors::CliError;
use errors::report::report;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use term::Color;

const ABOUT: &str =
    "Chat with AI models in the terminal; private data is redacted before it is sent";

const AFTER_HELP: &str = "\
First steps:
  chatbot chat --demo    try it offline, without a key
  chatbot key set        save your OpenRouter key
  chatbot chat           start a chat
  chatbot ask \"why is the sky blue?\"

Exit codes:
    0  success
    1  other failure
    2  incorrect usage
    3  no key, invalid key, or vault locked
    4  refused by validation or by the privacy policy
    5  local rate limit or budget reached
    6  the provider's rate limit or credit reached
    7  network, TLS or timeout error
    8  storage, decryption or integrity error
    9  a check found something
  130  interrupted";

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(name = "chatbot", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, infer_subcommands = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

/// What may stand anywhere.
#[derive(Clone, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Use colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    color: Color,
    /// Read the settings from this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    config: Option<PathBuf>,
    /// Answer yes to confirmation prompts
    #[arg(short = 'y', long, global = true, help_heading = "Global options")]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Chat(Box<chat::ChatCommandArgs>),
    Ask(Box<ask::AskArgs>),
    Key(commands::key::KeyArgs),
    History(history::HistoryArgs),
    Backup(commands::backup::BackupArgs),
    Restore(commands::restore::RestoreArgs),
    Usage(usage::UsageArgs),
    Audit(audit::AuditArgs),
    Incident(commands::incident::IncidentArgs),
    Redact(commands::redact::RedactArgs),
    Models(models::ModelsArgs),
    Vault(commands::vault::VaultArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs the program with these arguments and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    process::harden();
    let args: Vec<OsString> = args.into_iter().collect();
    term::install_panic_hook();
    let env = Env::from_process();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misuse(&args, &env, &error),
    };
    let as_json = cli.command.as_ref().is_some_and(CliCommand::wants_json);
    let ui = env.ui(cli.global.color);
    let mut app = match App::new(ui, env, cli.global) {
        Ok(app) => app,
        Err(error) => return report(&ui, &error, as_json),
    };
    let done = match cli.command {
        // `config check` lists every mistake by itself, and `config edit` must work on a wrong
        // file.
        Some(command @ CliCommand::Config(_)) => {
            app.log_if_possible();
            command.run(&mut app)
        }
        // A lockdown must work whatever is wrong, so nothing is checked before it.
        Some(CliCommand::Incident(options)) if options.is_lockdown() => {
            let done = CliCommand::Incident(options).run(&mut app);
            app.log_if_possible();
            done
        }
        Some(command) => app.begin().and_then(|()| command.run(&mut app)),
        None if ui.input_is_terminal() && ui.output_is_terminal() => app
            .begin()
            .and_then(|()| chat::run(&mut app, chat::ChatCommandArgs::default())),
        None => return misuse(&args, &app.env, &no_command()),
    };
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            app.audit_failure(&error);
            report(&app.ui, &error, as_json)
        }
    };
    app.check_alerts();
    app.close();
    code
}

fn no_command() -> clap::Error {
    use clap::CommandFactory;
    Cli::command().error(ErrorKind::MissingSubcommand, "missing command")
}

/// Prints help and version, or reports a wrong command line in the format of all other errors.
fn misuse(args: &[OsString], env: &Env, error: &clap::Error) -> ExitCode {
    let ui = env.ui(Color::Auto);
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let asked = error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let text = error.render().to_string();
        if asked {
            // This fails only if the reader has closed the pipe.
            return ui
                .out(&text)
                .map_or(ExitCode::SUCCESS, |()| ExitCode::SUCCESS);
        }
        ui.error_line(text.trim_end());
        return ExitCode::from(2);
    }
    let as_json = args
        .iter()
        .take_while(|a| *a != "--")
        .any(|a| a == "--json");
    let (what, hint) = split_clap_error(&error.render().to_string());
    report(
        &ui,
        &anyhow::Error::new(CliError::misuse(what).hint(hint)),
        as_json,
    )
}

/// Splits an error of clap into our sentence and hint.
fn split_clap_error(rendered: &str) -> (String, String) {
    let mut paragraphs = rendered
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty());
    let what = paragraphs
        .next()
        .unwrap_or("invalid command line")
        .trim_start_matches("error: ");
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    let tips: Vec<&str> = rendered
        .lines()
        .map(str::trim)
        .filter_map(|l| l.strip_prefix("tip: "))
        .collect();
    let hint = tips
        .first()
        .map_or_else(|| "see `chatbot --help`".to_owned(), |t| (*t).to_owned());
    (
        Raw::from(what.join(" ")).printable(),
        Raw::from(hint).printable(),
    )
}

impl CliCommand {
    fn wants_json(&self) -> bool {
        match self {
            Self::Ask(o) => o.json,
            Self::Key(o) => o.json(),
            Self::History(o) => o.json(),
            Self::Backup(o) => o.json(),
            Self::Restore(o) => o.json,
            Self::Usage(o) => o.json,
            Self::Audit(o) => o.json(),
            Self::Incident(o) => o.json(),
            Self::Redact(o) => o.json,
            Self::Models(o) => o.json,
            Self::Vault(o) => o.json(),
            Self::Chat(_) | Self::Config(_) | Self::Completions(_) => false,
        }
    }

    fn run(self, app: &mut App) -> anyhow::Result<()> {
        match self {
            Self::Chat(o) => chat::run(app, *o),
            Self::Ask(o) => ask::run(app, &o),
            Self::Key(o) => commands::key::run(app, o),
            Self::History(o) => history::run(app, o),
            Self::Backup(o) => commands::backup::run(app, &o),
            Self::Restore(o) => commands::restore::run(app, &o),
            Self::Usage(o) => usage::run(app, &o),
            Self::Audit(o) => audit::run(app, &o),
            Self::Incident(o) => commands::incident::run(app, o),
            Self::Redact(o) => commands::redact::run(app, &o),
            Self::Models(o) => models::run(app, &o),
            Self::Vault(o) => commands::vault::run(app, o),
            Self::Config(o) => config::run(app, &o),
            Self::Completions(o) => completions::run(app, &o),
        }
    }
}
