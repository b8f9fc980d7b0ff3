//! `incident`: stop sending, assess what was exposed, save the evidence, recover.

mod assess;
mod key_leaked;
mod lockdown;
mod notice;
mod recover;
mod release;
mod report;
mod status;

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

const SEQUENCE: &str = "\
Typical sequence:
  chatbot incident lockdown    stop sending
  chatbot incident assess      see what may have been exposed
  chatbot incident report      save the evidence in an encrypted file
  chatbot incident recover     verify, restore and replace keys, step by step
  chatbot incident release     allow sending again";

#[derive(Clone, Debug, Args)]
#[command(after_help = SEQUENCE)]
pub(crate) struct IncidentArgs {
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum IncidentCommand {
    Lockdown(lockdown::IncidentLockdownArgs),
    Status(status::IncidentStatusArgs),
    Release(release::IncidentReleaseArgs),
    Assess(assess::IncidentAssessArgs),
    Report(report::IncidentReportArgs),
    Recover(recover::IncidentRecoverArgs),
    Notice(notice::IncidentNoticeArgs),
    KeyLeaked(key_leaked::IncidentKeyLeakedArgs),
}

impl IncidentArgs {
    pub(crate) fn is_lockdown(&self) -> bool {
        matches!(self.command, IncidentCommand::Lockdown(_))
    }
}

pub(crate) fn run(context: &mut Context, options: IncidentArgs) -> Result<()> {
    match options.command {
        IncidentCommand::Lockdown(options) => lockdown::run(context, &options),
        IncidentCommand::Status(options) => status::run(context, options),
        IncidentCommand::Release(_) => release::run(context),
        IncidentCommand::Assess(options) => assess::run(context, &options),
        IncidentCommand::Report(options) => report::run(context, &options),
        IncidentCommand::Recover(options) => recover::run(context, &options),
        IncidentCommand::Notice(options) => notice::run(context, &options),
        IncidentCommand::KeyLeaked(options) => key_leaked::run(context, &options),
    }
}

fn audit_incident(context: &Context, action: &'static str, severity: Severity) {
    context.audit_event(
        &Event::new(EventKind::Incident)
            .severity(severity)
            .word("action", action),
    );
}
