//! `key login`: creates a key by logging in with the browser.

use super::stored_key::{check_format, store_key};
use super::target::{KeyTarget, KeyTargetArgs, key_event, resolve_target};
use super::validation::ask_provider;
use crate::audit::EventKind;
use crate::catalog::KeyCheckApi;
use crate::cli::commands::vault::ensure_store;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::runtime::runtime;
use crate::keys::oauth::{CallbackServer, Pkce, percent_encode};
use crate::provider::exchange_code;
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;
use std::process::Stdio;
use std::time::Duration;

/// The code that the browser returns is valid for ten minutes.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(600);

/// Get a key by logging in with a browser (OpenRouter)
#[derive(Clone, Debug, Args)]
pub(super) struct KeyLoginArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
    /// Paste a code from the page instead of receiving it from the browser, for machines without a
    /// browser
    #[arg(long)]
    headless: bool,
    /// Print the address of the login page instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// Limit what can be spent with the key, in US dollars
    #[arg(long, value_name = "USD", value_parser = parse_limit, allow_negative_numbers = true)]
    limit: Option<String>,
}

fn parse_limit(text: &str) -> Result<String, &'static str> {
    let number = text
        .parse::<f64>()
        .map_err(|_| "must be an amount in dollars, such as 5 or 2.50")?;
    if number.is_finite() && number > 0.0 {
        Ok(text.to_owned())
    } else {
        Err("must be an amount in dollars, such as 5 or 2.50")
    }
}

pub(super) fn run(context: &mut Context, options: &KeyLoginArgs) -> Result<()> {
    let target = resolve_target(context, &options.target)?;
    target.require_stored()?;
    if target.endpoint.key_check_api != KeyCheckApi::OpenRouter {
        let page = target.known.map_or_else(
            || String::from("there"),
            |entry| format!("at {}", entry.key_page),
        );
        bail!(
            CliError::misuse(format!("{} does not support login", target.endpoint.title)).hint(
                format!(
                    "create a key {page}, and save it with `chatbot key set{}`",
                    target.format_options()
                )
            )
        );
    }
    ensure_store(context)?;
    let proof = Pkce::new()?;
    let code = if options.headless {
        ask_for_code(context, &target, options, &proof)?
    } else {
        wait_for_browser(context, &target, options, &proof)?
    };
    let http = context.http_context()?;
    let key = runtime()?.block_on(exchange_code(
        &target.endpoint,
        &code,
        &proof.verifier,
        http,
    ))?;
    check_format(&target, &key, false)?;
    let answer = ask_provider(context, &target, &key)?;
    store_key(context, &target, &key, &answer)?;
    let store = context.store_name();
    context.audit_key_event(
        &key_event(EventKind::KeySet, &target, &store)
            .word("status", &answer.status.to_string())
            .word("from", "login"),
    );
    context.ui.say(
        &format!(
            "saved the key for {} in the {store}: {}\n",
            target.display(),
            answer.describe()
        ),
        2,
    )
}

/// The address of the login page, at the root of the provider's host.
fn login_page(
    target: &KeyTarget,
    options: &KeyLoginArgs,
    proof: &Pkce,
    callback: Option<&str>,
) -> String {
    let base = &target.endpoint.base_url;
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let host = rest.split('/').next().unwrap_or_default();
    let callback = callback.map_or_else(String::new, |to| {
        format!("callback_url={}&", percent_encode(to))
    });
    let limit = options
        .limit
        .as_ref()
        .map_or_else(String::new, |limit| format!("&limit={limit}"));
    format!(
        "{scheme}://{host}/auth?{callback}code_challenge={}&code_challenge_method=S256&key_label=chatbot{limit}",
        proof.challenge
    )
}

fn wait_for_browser(
    context: &mut Context,
    target: &KeyTarget,
    options: &KeyLoginArgs,
    proof: &Pkce,
) -> Result<Secret> {
    // The listener starts before the browser is opened, so that no callback is missed.
    let door = CallbackServer::open()?;
    let page = login_page(target, options, proof, Some(&door.callback_url()));
    context.ui.error_line(&format!(
        "Log in at {}:\n\n  {page}\n",
        target.endpoint.title
    ));
    if !options.no_browser && context.ui.can_ask() {
        open_browser(context, &page);
    }
    context.ui.error_line(
        "Waiting for the browser; press Ctrl-C to cancel. Without a browser on this machine, use `chatbot key login --headless`.",
    );
    Ok(door.wait(LOGIN_TIMEOUT)?)
}

fn ask_for_code(
    context: &mut Context,
    target: &KeyTarget,
    options: &KeyLoginArgs,
    proof: &Pkce,
) -> Result<Secret> {
    let page = login_page(target, options, proof, None);
    context.ui.error_line(&format!(
        "Log in at {}, on any machine:\n\n  {page}\n",
        target.endpoint.title
    ));
    let code = context.ui.ask_hidden(
        "Code from the page (input hidden): ",
        "`key login` without `--headless`",
    )?;
    if code.is_empty() {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "no code was entered; nothing was saved"
        ));
    }
    Ok(code)
}

/// Opens the page in the browser. Errors are ignored, because the address is also printed.
fn open_browser(context: &Context, page: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let mut command = context.env.command(opener);
    // `cmd /C start` would interpret the `&` of the address.
    if cfg!(windows) {
        command = context.env.command("rundll32");
        command.arg("url.dll,FileProtocolHandler");
    }
    drop(
        command
            .arg(page)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn(),
    );
}
