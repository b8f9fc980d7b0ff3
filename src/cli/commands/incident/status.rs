//! `incident status`: whether there is a lockdown, since when and why.

use crate::cli::alerts;
use crate::cli::context::Context;
use crate::privacy::{Displayable, Raw};
use anyhow::Result;
use clap::Args;
use serde_json::json;

/// Show whether there is a lockdown, since when and why, and how many alerts are open
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct IncidentStatusArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, options: IncidentStatusArgs) -> Result<()> {
    let known = alerts::monitor(context).all()?;
    let open = known.iter().filter(|alert| !alert.acknowledged).count();
    let lockdown = context.lockdown().status();
    if options.json {
        let status = lockdown.clone().unwrap_or_default();
        return context.ui.json(&json!({
            "schema_version": 1,
            "lockdown": lockdown.is_some(),
            "since": status.since,
            "automatic": status.automatic,
            "reason": status.reason,
            "open_alerts": open,
        }));
    }
    let mut out = Displayable::from("lockdown  ");
    match lockdown {
        None => out += "off\n",
        Some(status) => {
            out += "on";
            if let Some(since) = status.since {
                out += &format!(" since {}", since.local_minute());
            }
            out += if status.automatic {
                ", began by itself\n"
            } else {
                "\n"
            };
            if let Some(reason) = status.reason {
                out += Displayable::from("reason    ") + Raw::from(reason).printable_line() + "\n";
            }
        }
    }
    out += &match open {
        0 => String::from("alerts    none open\n"),
        _ => format!("alerts    {open} open; `chatbot audit alerts` lists them\n"),
    };
    context.ui.say(out, 10)
}
