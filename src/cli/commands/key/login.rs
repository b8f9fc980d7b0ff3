//! `key login`: creates a key by logging in with the browser.

use super::set::{check, event, keep};
use super::validate;
use super::{Target, Whose, target};
use crate::catalog::Account;
use crate::cli::app::App;
use crate::cli::commands::vault::with_store;
use crate::cli::network::runtime;
use crate::cli::report::{Exit, Problem};
use crate::keys::login::{Door, Proof, encoded};
use crate::ledger::What;
use crate::provider::exchange;
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;
use std::process::Stdio;
use std::time::Duration;

/// The code that the browser returns is valid for ten minutes.
const DEADLINE: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Paste a code from the page instead of receiving it from the browser, for machines without a
    /// browser
    #[arg(long)]
    headless: bool,
    /// Print the address of the login page instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// Limit what can be spent with the key, in US dollars
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    limit: Option<String>,
}

fn dollars(text: &str) -> Result<String, &'static str> {
    let number = text.parse::<f64>().map_err(|_| "must be an amount in dollars, such as 5 or 2.50")?;
    if number.is_finite() && number > 0.0 { Ok(text.to_owned()) } else { Err("must be an amount in dollars, such as 5 or 2.50") }
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let target = target(app, &options.whose)?;
    target.must_be_kept_here()?;
    if target.endpoint.account != Account::OpenRouter {
        let page = target.known.map_or_else(|| String::from("there"), |entry| format!("at {}", entry.key_page));
        bail!(
            Problem::misuse(format!("{} does not support login", target.endpoint.title))
                .hint(format!("create a key {page}, and save it with `chatbot key set{}`", target.options()))
        );
    }
    with_store(app)?;
    let proof = Proof::new()?;
    let code = if options.headless { pasted(app, &target, options, &proof)? } else { brought(app, &target, options, &proof)? };
    let reach = app.reach()?;
    let key = runtime()?.block_on(exchange(&target.endpoint, &code, &proof.verifier, reach))?;
    check(&target, &key, false)?;
    let answer = validate::ask(app, &target, &key)?;
    keep(app, &target, &key, &answer)?;
    let store = app.keys_kind();
    app.note_of_keys(&event(What::KeySet, &target, &store).word("status", &answer.status.to_string()).word("from", "login"));
    app.ui.say(&format!("saved the key for {} in the {store}: {}\n", target.said(), answer.sentence()), 2)
}

/// The address of the login page, at the root of the provider's host.
fn page(target: &Target, options: &Options, proof: &Proof, callback: Option<&str>) -> String {
    let base = &target.endpoint.base_url;
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let host = rest.split('/').next().unwrap_or_default();
    let callback = callback.map_or_else(String::new, |to| format!("callback_url={}&", encoded(to)));
    let limit = options.limit.as_ref().map_or_else(String::new, |limit| format!("&limit={limit}"));
    format!("{scheme}://{host}/auth?{callback}code_challenge={}&code_challenge_method=S256&key_label=chatbot{limit}", proof.challenge)
}

fn brought(app: &mut App, target: &Target, options: &Options, proof: &Proof) -> Result<Secret> {
    // The listener starts before the browser is opened, so that no callback is missed.
    let door = Door::open()?;
    let page = page(target, options, proof, Some(&door.address()));
    app.ui.error_line(&format!("Log in at {}:\n\n  {page}\n", target.endpoint.title));
    if !options.no_browser && app.ui.can_ask() {
        browse(app, &page);
    }
    app.ui.error_line(
        "Waiting for the browser; press Ctrl-C to cancel. Without a browser on this machine, use `chatbot key login --headless`.",
    );
    Ok(door.wait(DEADLINE)?)
}

fn pasted(app: &mut App, target: &Target, options: &Options, proof: &Proof) -> Result<Secret> {
    let page = page(target, options, proof, None);
    app.ui.error_line(&format!("Log in at {}, on any machine:\n\n  {page}\n", target.endpoint.title));
    let code = app.ui.hidden("Code from the page (input hidden): ", "`key login` without `--headless`")?;
    if code.is_empty() {
        bail!(Problem::new(Exit::Failure, "declined", "no code was entered; nothing was saved"));
    }
    Ok(code)
}

/// Opens the page in the browser. Errors are ignored, because the address is also printed.
fn browse(app: &App, page: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = app.env.command(opener);
    // `cmd /C start` would interpret the `&` of the address.
    if cfg!(windows) {
        command = app.env.command("rundll32");
        command.arg("url.dll,FileProtocolHandler");
    }
    drop(command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn());
}
