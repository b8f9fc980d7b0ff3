//! `config`: shows, creates, edits and checks the settings file.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::editor;
use crate::cli::errors::settings::describe_problem;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::provider;
use crate::cli::term::display_path;
use crate::cli::term::format::json_dollars;
use crate::config::{self, Settings, TEMPLATE};
use crate::fs;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};

/// Show, edit and check the settings
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// Print the path of the settings file
    Path,
    /// Print the settings in effect
    Show,
    /// Create a settings file with every setting explained
    Init,
    /// Open the settings file in your editor, then check it
    Edit,
    /// Check the settings file and the environment for mistakes
    Check,
}

pub(crate) fn run(app: &mut Context, options: &ConfigArgs) -> Result<()> {
    match options.command {
        ConfigCommand::Path => app
            .ui
            .out(&format!("{}\n", display_path(app.settings_file()))),
        ConfigCommand::Show => show(app),
        ConfigCommand::Init => init(app),
        ConfigCommand::Edit => edit(app),
        ConfigCommand::Check => check(app),
    }
}

fn init(app: &Context) -> Result<()> {
    let path = app.settings_file();
    if fs::read_user_edited(path, u64::MAX)?.is_some() {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(path)))
                .hint("print the settings in use with `chatbot config show`")
        );
    }
    fs::write(path, TEMPLATE.as_bytes())?;
    app.audit_event(&Event::new(EventKind::Config).word("action", "init"));
    app.ui.out(&format!("{}\n", display_path(path)))
}

fn edit(app: &mut Context) -> Result<()> {
    let path = app.settings_file().clone();
    if fs::read_user_edited(&path, u64::MAX)?.is_none() {
        fs::write(&path, TEMPLATE.as_bytes())?;
    }
    loop {
        let before = fs::read_user_edited(&path, u64::MAX)?;
        editor::open_file(app, &path)?;
        if fs::read_user_edited(&path, u64::MAX)? != before {
            app.audit_event(&Event::new(EventKind::Config).word("action", "edit"));
        }
        match check(app) {
            // A file with a mistake stops every other command, so offer to fix it now.
            Err(error)
                if app.ui.can_ask()
                    && error.is::<SilentExit>()
                    && app.ui.confirm("edit it again?", "`chatbot config edit`")? => {}
            result => return result,
        }
    }
}

fn check(app: &mut Context) -> Result<()> {
    let (settings, problems) = config::parse(&app.settings_text()?);
    for problem in &problems {
        app.ui.out(&format!(
            "{}\n",
            describe_problem(app.settings_file(), problem)
        ))?;
    }
    let usable = app
        .redactor_for(&settings.privacy.policy)
        .map(drop)
        .and_then(|()| {
            // Errors of the settings file are printed above; the checks below need valid settings.
            if problems.iter().all(|p| p.unknown) {
                provider::check_env(app)
            } else {
                Ok(())
            }
        });
    if let Err(error) = &usable {
        app.ui.out(&format!("{error}\n"))?;
    }
    if problems.is_empty() && usable.is_ok() {
        app.ui.out(&format!(
            "{}: no mistakes\n",
            display_path(app.settings_file())
        ))
    } else {
        bail!(SilentExit(CliExit::Findings))
    }
}

fn show(app: &mut Context) -> Result<()> {
    let settings = app.settings()?;
    let text = render(&settings);
    app.ui.out(&text)
}

/// Formats the settings as a file that produces the same settings.
fn render(s: &Settings) -> String {
    let quoted = |text: &str| {
        serde_json::to_string(&crate::privacy::Raw::from(text).printable()).unwrap_or_default()
    };
    let list = |texts: &[String]| {
        format!(
            "[{}]",
            texts
                .iter()
                .map(|t| quoted(t))
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    let mut out = String::new();
    let provider = s
        .provider
        .as_ref()
        .map_or(crate::catalog::DEFAULT_PROVIDER, |p| p.as_str());
    let model = s
        .model
        .clone()
        .or_else(|| crate::catalog::find(provider).map(|e| e.model.to_owned()));
    out += &format!("provider = {}\n", quoted(provider));
    out += &model.map_or(String::new(), |m| format!("model = {}\n", quoted(&m)));
    out += &format!(
        "audit = \"{}\"\n",
        if s.audit_required {
            "required"
        } else {
            "best-effort"
        }
    );
    let l = &s.limits;
    out += &format!(
        "\n[limits]\nrequests_per_minute = {}\nrequests_per_hour = {}\nmax_message_chars = {}\nmax_attachment_bytes = {}\nmax_messages = {}\n",
        l.requests_per_minute,
        l.requests_per_hour,
        l.max_message_chars,
        l.max_attachment_bytes,
        l.max_messages
    );
    out += "\n[budget]\n";
    for (name, nanos) in [
        ("per_day", s.budget.per_day),
        ("per_month", s.budget.per_month),
        ("per_conversation", s.budget.per_conversation),
    ] {
        out += &nanos.map_or_else(
            || format!("# {name}: none\n"),
            |n| format!("{name} = {}\n", json_dollars(n)),
        );
    }
    let p = &s.privacy;
    let patterns: Vec<String> = p
        .policy
        .patterns
        .iter()
        .map(|(kind, pattern)| {
            format!(
                "{{ kind = {}, pattern = {} }}",
                quoted(kind),
                quoted(pattern)
            )
        })
        .collect();
    let suspicious = match p.suspicious {
        crate::privacy::input_check::Suspicious::Warn => "warn",
        crate::privacy::input_check::Suspicious::Block => "block",
        crate::privacy::input_check::Suspicious::Off => "off",
    };
    out += &format!(
        "\n[privacy]\nredact = {}\ndisable = {}\nallow = {}\npatterns = [{}]\nsuspicious = \"{suspicious}\"\non_secret = \"{}\"\nretention = {{ pii = \"{}\", days = {} }}\ndata_collection = \"{}\"\nzdr = {}\n",
        !p.policy.off,
        list(&p.policy.disable),
        list(&p.policy.allow),
        patterns.join(", "),
        if p.ask_on_secret { "ask" } else { "redact" },
        if p.drop_findings { "drop" } else { "redact" },
        p.retention_days,
        if p.deny_collection { "deny" } else { "allow" },
        p.zdr
    );
    let store = match s.keys.store {
        config::StoreSetting::Auto => "auto",
        config::StoreSetting::Os => "os-keyring",
        config::StoreSetting::Vault => "vault",
    };
    out += &format!(
        "\n[keys]\nrotate_after_days = {}\nkeyring_timeout_s = {}\nkeyring_remember_s = {}\nstore = \"{store}\"\n",
        s.keys.rotate_after_days, s.keys.keyring_timeout_s, s.keys.keyring_remember_s
    );
    out += &format!("\n[alerts]\ncommand = {}\n", list(&s.alerts.command));
    for (name, custom) in &s.providers {
        let key = match &custom.key {
            config::KeySource::NoKey => "none".to_owned(),
            config::KeySource::Stored => "stored".to_owned(),
            config::KeySource::Env(variable) => format!("env:{variable}"),
        };
        out += &format!(
            "\n[providers.{name}]\nbase_url = {}\nkey = \"{key}\"\n",
            quoted(&custom.base_url)
        );
        out += &custom
            .model
            .as_ref()
            .map_or(String::new(), |m| format!("model = {}\n", quoted(m)));
    }
    out
}
