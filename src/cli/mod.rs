//! The command line: parses the arguments and runs the command.

mod alerts;
mod answer_events;
mod answer_printer;
mod answer_schema;
mod answer_screen;
mod args;
mod attachments;
mod batch;
mod child_env;
mod code_blocks;
mod command;
mod commands;
mod connection;
mod context;
mod conversation_lookup;
mod debug_log;
mod default_command;
mod editor;
mod env;
mod errors;
mod key_binding;
mod key_validity;
mod keys;
mod line_history;
mod lockdown;
mod logging;
mod model_cache;
mod outcome;
mod passphrase;
mod prices;
mod provider;
mod repl;
mod request_limits;
mod roles;
mod rollback;
mod runtime;
mod second_factor;
mod session;
mod settings_change;
mod settings_check;
mod state_marks;
mod term;
mod time_zone;

use crate::audit::{Event, EventKind, Severity};
use crate::keys::stores::vault;
use crate::privacy::Raw;
use crate::process;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};
use command::CliCommand;
#[cfg(feature = "pdf")]
use commands::pdf_text;
use commands::{chat, completions};
use context::Context;
use default_command::{hint_for_unknown, with_default_command};
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

/// Runs the program with these arguments and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    process::harden();
    term::install_panic_hook();
    let env = Env::from_process();
    let interactive = {
        let ui = env.ui(Color::Auto);
        ui.input_is_terminal() && ui.output_is_terminal()
    };
    let args = with_default_command(args.into_iter().collect(), interactive);
    let (cli, as_json) = match parse(&args) {
        Ok(parsed) => parsed,
        Err(error) => return misuse(&args, &env, &error),
    };
    #[cfg(feature = "pdf")]
    if matches!(cli.command, Some(CliCommand::PdfText)) {
        return pdf_text::run();
    }
    let ui = env.ui(cli.global.color);
    // The environment is already that of the other program.
    if let Some(CliCommand::RunJailed(options)) = &cli.command {
        return match commands::exec::run_jailed(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&ui, &error, as_json),
        };
    }
    let mut context = match Context::new(ui, env, cli.global) {
        Ok(context) => context,
        Err(error) => return report(&ui, &error, as_json),
    };
    if let Some(profile) = cli.command.as_ref().and_then(CliCommand::profile) {
        context.select_profile(profile);
    }
    let done = match cli.command {
        // `config check` and `doctor` list every mistake by themselves, and `config edit` must work
        // on a wrong file.
        Some(command @ (CliCommand::Config(_) | CliCommand::Doctor(_))) => {
            logging::start_if_possible(&mut context);
            command.run(&mut context)
        }
        // What the program says about itself, also where it is only being packaged.
        Some(command @ (CliCommand::Man(_) | CliCommand::Version(_))) => command.run(&mut context),
        // Completion must not disturb the line that is being typed.
        Some(CliCommand::Complete(options)) => {
            completions::complete(&context, &options).unwrap_or_default();
            return ExitCode::SUCCESS;
        }
        // A lockdown must work whatever is wrong, so nothing is checked before it.
        Some(CliCommand::Incident(options)) if options.is_lockdown() => {
            let done = CliCommand::Incident(options).run(&mut context);
            logging::start_if_possible(&mut context);
            done
        }
        Some(command) => begin(&mut context).and_then(|()| command.run(&mut context)),
        None if ui.input_is_terminal() && ui.output_is_terminal() => begin(&mut context)
            .and_then(|()| chat::run(&mut context, chat::ChatCommandArgs::default())),
        None => return misuse(&args, &context.env, &no_command()),
    };
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            audit_failure(&context, &error);
            report(&context.ui, &error, as_json)
        }
    };
    alerts::check(&mut context);
    if let Some(when) = context.compare_at_end {
        rollback::compare_with_marks(&mut context, when);
    }
    context.close();
    code
}

/// Refuses malformed variables and starts logging, before a command runs.
fn begin(context: &mut Context) -> anyhow::Result<()> {
    context.env.refuse_malformed()?;
    logging::start_from_env(context)
}

/// Logs a failure that the module below could not log itself.
fn audit_failure(context: &Context, error: &anyhow::Error) {
    if error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(vault::Error::WrongPassphrase(_))))
    {
        context.audit_event(
            &Event::new(EventKind::Vault)
                .severity(Severity::Warning)
                .word("action", "open")
                .word("outcome", "failed"),
        );
    }
    if error
        .downcast_ref::<CliError>()
        .is_some_and(|error| error.has_code("bad_key"))
    {
        context.audit_event(&Event::new(EventKind::KeyRefused).severity(Severity::Warning));
    }
    if let Some(reason) = error.downcast_ref::<CliError>().and_then(CliError::refusal) {
        context.audit_event(
            &Event::new(EventKind::Refused)
                .severity(Severity::Warning)
                .word("reason", reason),
        );
    }
}

/// Parses the command line; returns also whether errors are to be printed as JSON.
fn parse(args: &[OsString]) -> Result<(Cli, bool), clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(args)?;
    let as_json = wants_json(&matches);
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, as_json))
}

/// Whether `--json` was given to the command, whichever it is: every command that has this option
/// prints its errors as JSON too.
fn wants_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, matches)) => wants_json(matches),
        None => matches!(matches.try_get_one::<bool>("json"), Ok(Some(true))),
    }
}

fn no_command() -> clap::Error {
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
    let rendered = error.render().to_string();
    let (what, hint) = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => (
            format!(
                "there is no command `{}`",
                Raw::from(word.as_str()).printable_line()
            ),
            hint_for_unknown(args, word),
        ),
        _ => split_clap_error(&rendered),
    };
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
    // What is missing is seen best in the usage of the command.
    let usage = rendered
        .lines()
        .find_map(|l| l.strip_prefix("Usage: "))
        .filter(|_| what.contains(&"the following required arguments were not provided:"))
        .map(|usage| format!("usage: `{usage}`"));
    let tips: Vec<&str> = rendered
        .lines()
        .map(str::trim)
        .filter_map(|l| l.strip_prefix("tip: "))
        .collect();
    let hint = tips
        .first()
        .map(|tip| (*tip).to_owned())
        .or(usage)
        .unwrap_or_else(|| "see `chatbot --help`".to_owned());
    (
        Raw::from(what.join(" ")).printable(),
        Raw::from(hint).printable(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_actions(command: &clap::Command) -> Vec<clap::ArgAction> {
        let own = command.get_arguments().filter(|a| a.get_id() == "json");
        let own = own.map(|a| a.get_action().clone());
        own.chain(command.get_subcommands().flat_map(json_actions))
            .collect()
    }

    #[test]
    fn descriptions_are_the_same_in_the_list_and_in_help() {
        let described = |root: &clap::Command| -> Vec<String> {
            root.get_subcommands()
                .map(|command| format!("{command}: {:?}", command.get_about()))
                .collect()
        };
        let listed = described(&Cli::command());
        let mut command = Cli::command();
        command.build();
        assert_eq!(described(&command), listed);
    }

    #[test]
    fn json_errors_follow_the_option_of_every_command() {
        let mut command = Cli::command();
        command.build();
        let actions = json_actions(&command);
        assert!(actions.len() >= 20, "{actions:?}");
        let is_flag = |action: &clap::ArgAction| matches!(action, clap::ArgAction::SetTrue);
        assert!(actions.iter().all(is_flag), "{actions:?}");
        for (line, as_json) in [
            ("chatbot audit --json", true),
            ("chatbot audit verify --json", true),
            ("chatbot audit verify", false),
            ("chatbot redact --json-lines", false),
            ("chatbot chat", false),
            ("chatbot", false),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(parse(&words).unwrap().1, as_json, "{line}");
        }
    }
}
