//! How the other commands find a running proxy and talk to it.
//!
//! A running proxy has a file `proxy/ID.json` in the state folder, which only this user can read, with
//! its address and the token of the user's own commands. It holds a lock on `proxy/ID.lock`, so that the file of a
//! proxy that was killed is recognised.

use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::runtime::runtime;
use crate::crypto::encoding::random_id;
use crate::fs::{self, FileLock};
use crate::net::ControlClient;
use crate::secret::Secret;
use crate::time::Time;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The file of a running proxy.
#[derive(Debug, Serialize, Deserialize)]
struct ProxyFile {
    pid: u32,
    listening: String,
    owner_token: String,
    started_at: Time,
}

/// A running proxy, as the other commands see it.
#[derive(Debug)]
pub(super) struct RunningProxy {
    pub(super) pid: u32,
    pub(super) listening: String,
    pub(super) started_at: Time,
    owner: Secret,
}

/// The registration of this process as a proxy, until it is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    file: PathBuf,
    lock_file: PathBuf,
    _lock: FileLock,
}

impl Drop for Registration {
    fn drop(&mut self) {
        fs::remove(&self.file).unwrap_or_default();
        fs::remove(&self.lock_file).unwrap_or_default();
    }
}

fn folder(context: &Context) -> PathBuf {
    context.home.state().join("proxy")
}

/// Registers this process.
pub(super) fn register(context: &Context, listening: &str, owner: &Secret) -> Result<Registration> {
    let folder = folder(context);
    fs::create_private_dir(&folder)?;
    remove_stale_files(context);
    let id = random_id::<12>().context("the system has no random numbers")?;
    let (file, lock_file) = (
        folder.join(format!("{id}.json")),
        folder.join(format!("{id}.lock")),
    );
    let lock = FileLock::acquire(&lock_file)?;
    let file_content = ProxyFile {
        pid: std::process::id(),
        listening: listening.to_owned(),
        owner_token: owner.expose().to_owned(),
        started_at: context.clock.now(),
    };
    fs::write(&file, &serde_json::to_vec(&file_content)?)?;
    Ok(Registration {
        file,
        lock_file,
        _lock: lock,
    })
}

/// The ids of the files, and whether each belongs to a running proxy.
fn files(context: &Context) -> Vec<(PathBuf, bool)> {
    let folder = folder(context);
    let names = fs::names(&folder, ".json").unwrap_or_default();
    let mut found: Vec<(PathBuf, bool)> = names
        .into_iter()
        .map(|name| folder.join(format!("{name}.json")))
        .map(|path| {
            let lock = FileLock::try_acquire(&path.with_extension("lock"));
            let is_running = matches!(lock, Ok(None));
            (path, is_running)
        })
        .collect();
    found.sort();
    found
}

/// Removes the files of proxies that were killed. Their tokens ended with them.
fn remove_stale_files(context: &Context) {
    for (path, is_running) in files(context) {
        if !is_running {
            fs::remove(&path).unwrap_or_default();
            fs::remove(&path.with_extension("lock")).unwrap_or_default();
        }
    }
}

fn read(path: &Path) -> Option<RunningProxy> {
    let bytes = fs::read_at_most(path, 1 << 16).ok()??;
    let file: ProxyFile = serde_json::from_slice(&bytes).ok()?;
    Some(RunningProxy {
        pid: file.pid,
        listening: file.listening,
        started_at: file.started_at,
        owner: Secret::new(file.owner_token),
    })
}

/// All running proxies of this home, oldest first.
pub(super) fn running(context: &Context) -> Vec<RunningProxy> {
    let files = files(context).into_iter();
    let mut running: Vec<RunningProxy> = files
        .filter(|(_, is_running)| *is_running)
        .filter_map(|(path, _)| read(&path))
        .collect();
    running.sort_by_key(|proxy| proxy.started_at);
    running
}

/// The proxy that a command is about: the one with this port, else the only one.
pub(super) fn find(context: &Context, port: Option<u16>) -> Result<RunningProxy> {
    let mut running = running(context);
    if let Some(port) = port {
        running.retain(|proxy| proxy.listening.ends_with(&format!(":{port}")));
    }
    match (running.pop(), running.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => bail!(
            CliError::misuse("several proxies are running")
                .hint("name one with `--port`; `chatbot proxy status` lists them")
        ),
        (None, _) => bail!(
            CliError::new(CliExit::Failure, "no_proxy", "no proxy is running")
                .hint("start one with `chatbot proxy serve`")
        ),
    }
}

/// Asks a proxy.
pub(super) fn ask(
    context: &mut Context,
    proxy: &RunningProxy,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let http = context.network()?;
    let client = ControlClient::new(&proxy.listening, http)?;
    let body = body.map(Value::to_string);
    let (status, answer) = runtime()?.block_on(client.ask(method, path, &proxy.owner, body))?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if status == 200 {
        return Ok(answer);
    }
    let said = answer
        .pointer("/error/message")
        .and_then(Value::as_str)
        .unwrap_or("the proxy did not answer as expected");
    let said = said.trim_start_matches("chatbot proxy: ").to_owned();
    let mut error = CliError::new(CliExit::Failure, "proxy_refused", said);
    if answer.pointer("/error/code").and_then(Value::as_str) == Some("no_such_token") {
        error = error.hint("`chatbot proxy list` shows the tokens");
    }
    bail!(error)
}
