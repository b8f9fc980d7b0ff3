//! The commands, with what the help says about each.

use super::commands;
use super::commands::{
    ask, audit, chat, completions, config, history, man, models, usage, version,
};
use super::context::Context;
use crate::name::Name;
use anyhow::Result;
use clap::Subcommand;

// What a command does is said here and not with its options, because its options are built only
// when it is called: building those of all commands took longer than the rest of `--version`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum CliCommand {
    /// Start an interactive chat
    ///
    /// Every message is validated, redacted, checked against limits and budgets, encrypted and
    /// saved before it is sent. Type /help in the chat to list its commands.
    Chat(Box<chat::ChatCommandArgs>),
    /// Ask one question and print the answer
    ///
    /// Piped input is added as context, after the question and a blank line. If the question is
    /// `-`, it is read from standard input. Only the answer is written to standard output.
    Ask(Box<ask::AskArgs>),
    /// Manage API keys
    ///
    /// Keys are stored in the OS keyring, or in a vault file encrypted with a passphrase. They are
    /// never accepted as arguments and never written to files or logs in plain text.
    Key(commands::key::KeyArgs),
    /// Manage saved conversations
    History(history::HistoryArgs),
    /// Back up conversations, settings and usage to an encrypted file or to object storage
    ///
    /// The backup is encrypted with a passphrase and checked after it is written; `chatbot restore`
    /// restores it on any machine. The passphrase is asked for, or read from the file named by
    /// `CHATBOT_PASSPHRASE_FILE` or from the program named by `CHATBOT_PASSPHRASE_COMMAND`. API
    /// keys are included only with `--with-keys`.
    ///
    /// A repository in object storage holds many backups, and only new data is uploaded. Everything
    /// is encrypted first, and object names reveal nothing. Credentials come from the standard
    /// environment variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT_URL`; `GOOGLE_APPLICATION_CREDENTIALS`; `AZURE_STORAGE_ACCOUNT_NAME`,
    /// `AZURE_STORAGE_ACCOUNT_KEY`; `WEBDAV_USERNAME`, `WEBDAV_PASSWORD`.
    Backup(commands::backup::BackupArgs),
    /// Restore conversations, settings and usage from a backup
    ///
    /// Nothing is overwritten: if a conversation has changed since the backup, the backup's version
    /// is restored as a copy. The whole backup is checked before anything is changed. If the
    /// command is interrupted, run it again to finish.
    ///
    /// Settings in a backup are applied only if you have none and agree. Settings that run a
    /// program, redirect requests or weaken protection are never applied by `--yes`; they are
    /// written to `config.toml.restored` for you to review.
    ///
    /// A backup made by this installation is recognised. Any other backup is treated like an
    /// import: its system prompts are never sent, nothing in it is dated in the future, its usage
    /// is not counted, and its keys are asked for one by one. To trust your own backup after the
    /// loss of a machine, use `--mine`.
    Restore(commands::restore::RestoreArgs),
    /// Show requests, tokens and costs
    ///
    /// Shows usage against the limits and budgets, then today, this week and this month, then
    /// totals. `~` marks figures that are partly estimated. Unknown costs are shown as `unknown`,
    /// not as 0. The last table has the share of requests that failed, and the time until answers
    /// began and ended: half of them took at most the first time (p50), and 95 in 100 at most the
    /// second (p95). Below it stands what was refused in the period: messages, and requests over
    /// limits and budgets; and the results of checks of keys.
    Usage(usage::UsageArgs),
    /// Show the audit log: keys, refusals, limits, requests
    ///
    /// The log holds numbers and names, never keys and never the text of a conversation.
    Audit(audit::AuditArgs),
    /// Check storage, keys, backups, limits, network and this machine
    ///
    /// Each check looks at what really happens: a conversation is saved and searched for on the
    /// disk, the key store is written and read, the newest backup is decrypted. Keys in plain text
    /// in `.env` files, in the settings of other AI tools and in the history of the shell are
    /// named, never shown.
    Doctor(commands::doctor::DoctorArgs),
    /// Respond to a suspected leak: stop sending, assess, collect evidence, recover
    Incident(commands::incident::IncidentArgs),
    /// Look for secrets that are in other tools' transcripts, or in files
    Scan(commands::scan::ScanArgs),
    /// Redact private data in a file or stream; everything else is unchanged
    ///
    /// The input can be text, logs or binary data of any size. Kinds, patterns and exceptions come
    /// from the settings. Nothing is sent or saved.
    Redact(commands::redact::RedactArgs),
    /// Stop redacting a text that is not private
    ///
    /// The text is added to `privacy.allow` in the settings. It can be a pattern: `*` stands for any
    /// text, and a regular expression is written between slashes.
    Allow(commands::teach::AllowArgs),
    /// Redact a text of yours from now on, wherever it appears
    ///
    /// For what no rule can know: the name of a project or of a customer, a password that looks like
    /// a word. Only a keyed hash and the length are written to the settings, as `privacy.never`; so
    /// the text cannot be listed later. Without TEXT it is asked for, so that it stays out of the
    /// history of the shell.
    Never(commands::teach::NeverArgs),
    /// List a provider's models with their prices in US dollars per million tokens
    ///
    /// The list is kept for a day, and longer while the provider cannot be reached.
    Models(models::ModelsArgs),
    /// Let other programs use models without the key
    ///
    /// `serve` listens on this machine only. Programs get a token that expires, is limited, and is
    /// worth nothing elsewhere. Their requests are redacted, limited, budgeted and recorded like
    /// messages, and private values are put back into the answers. `chatbot exec -- TOOL` does all
    /// of it for one program.
    Proxy(Box<commands::proxy::ProxyArgs>),
    /// Run a program with a token instead of the key
    ///
    /// Starts a proxy for the life of the program, and tells the program to use it: `--list` shows
    /// which programs have a recipe, others get the variables that most read. Real keys are removed
    /// from the environment of the program. Its exit code is passed on.
    Exec(Box<commands::exec::ExecArgs>),
    /// Manage the vault, an encrypted file for keys
    ///
    /// The vault replaces the OS keyring on machines that have none. Its passphrase is asked for
    /// once per run, or read from the file named by `CHATBOT_PASSPHRASE_FILE` or from the program
    /// named by `CHATBOT_PASSPHRASE_COMMAND`. A key file (`--key-file`) and a device whose program
    /// the setting `keys.second_factor_command` names can be needed too. If you forget the
    /// passphrase, the contents of the vault are lost; `chatbot vault reset` sets it aside, and
    /// `chatbot key recovery import` or `chatbot restore` bring your conversations back if you have
    /// a recovery key or a backup.
    Vault(commands::vault::VaultArgs),
    /// Show, change and check the settings
    Config(config::ConfigArgs),
    /// Export everything that is kept about you, or delete it
    Data(commands::data::DataArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands to a folder
    Man(man::ManArgs),
    /// Print the version, and how the program was built
    Version(version::VersionArgs),
    /// Print what can follow an unfinished command line, for completion scripts
    #[command(hide = true)]
    Complete(completions::CompleteArgs),
    /// Restrict this process, and become a program
    #[command(hide = true)]
    RunJailed(commands::exec::RunJailedArgs),
    /// Print the text of a PDF from standard input
    #[cfg(feature = "pdf")]
    #[command(hide = true)]
    PdfText,
}

impl CliCommand {
    /// The profile whose settings apply, if the command line selects one. Commands about keys select
    /// only a key by it.
    pub(super) fn profile(&self) -> Option<&Name> {
        match self {
            Self::Chat(options) => options.conversation.profile.as_ref(),
            Self::Ask(options) => options.conversation.profile.as_ref(),
            Self::Models(options) => options.profile.as_ref(),
            Self::Exec(options) => options.host.profile.as_ref(),
            Self::Proxy(options) => options.profile(),
            _ => None,
        }
    }

    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Chat(o) => chat::run(context, *o),
            Self::Ask(o) => ask::run(context, &o),
            Self::Key(o) => commands::key::run(context, o),
            Self::History(o) => history::run(context, o),
            Self::Backup(o) => commands::backup::run(context, &o),
            Self::Restore(o) => commands::restore::run(context, &o),
            Self::Usage(o) => usage::run(context, &o),
            Self::Audit(o) => audit::run(context, &o),
            Self::Doctor(o) => commands::doctor::run(context, &o),
            Self::Incident(o) => commands::incident::run(context, o),
            Self::Scan(o) => commands::scan::run(context, &o),
            Self::Redact(o) => commands::redact::run(context, &o),
            Self::Allow(o) => commands::teach::allow(context, &o),
            Self::Never(o) => commands::teach::never(context, &o),
            Self::Models(o) => models::run(context, &o),
            Self::Proxy(o) => commands::proxy::run(context, &o),
            Self::Exec(o) => commands::exec::run(context, &o),
            Self::Vault(o) => commands::vault::run(context, &o),
            Self::Config(o) => config::run(context, &o),
            Self::Data(o) => commands::data::run(context, &o),
            Self::Completions(o) => completions::run(context, &o),
            Self::Man(o) => man::run(context, &o),
            Self::Version(o) => version::run(context, o),
            Self::Complete(o) => completions::complete(context, &o),
            Self::RunJailed(o) => commands::exec::run_jailed(&o),
            #[cfg(feature = "pdf")]
            Self::PdfText => Ok(()),
        }
    }
}
