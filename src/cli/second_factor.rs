//! What opens the vault in addition to its passphrase: a key file, and a program that asks a device.
//!
//! The program gets the challenge as hexadecimal digits on standard input and prints the response in
//! the same form, as a wrapper of `ykchalresp` or of FIDO2 `hmac-secret` does. It never gets the
//! passphrase.

use crate::cli::env::Env;
use crate::cli::term::{Ui, display_path};
use crate::config::KeySettings;
use crate::crypto::encoding::{from_hex, hex};
use crate::crypto::kdf::FactorKey;
use crate::fs;
use crate::keys::stores::vault::Challenge;
use crate::privacy::Raw;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// A shorter file can be guessed.
const MIN_KEY_FILE_BYTES: usize = 32;
const MAX_KEY_FILE_BYTES: u64 = 1 << 20;
/// From half of an HMAC-SHA256 to two outputs of FIDO2 `hmac-secret`.
const RESPONSE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// More than the digits of the longest response.
const MAX_OUTPUT_BYTES: u64 = 1024;

/// The factors that the settings name.
#[derive(Clone, Debug)]
pub(crate) struct SecondFactor {
    ui: Ui,
    env: Env,
    key_file: Option<PathBuf>,
    command: Vec<String>,
    timeout: Duration,
}

impl SecondFactor {
    pub(crate) fn from_settings(ui: Ui, env: Env, settings: &KeySettings) -> Self {
        let full = |path: &String| match (path.strip_prefix("~/"), env.home_folder()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        };
        Self {
            ui,
            env,
            key_file: settings.key_file.as_ref().map(full),
            command: settings.second_factor_command.clone(),
            timeout: Duration::from_secs(settings.second_factor_timeout_s.into()),
        }
    }

    /// The key file, if the settings name one.
    pub(crate) fn key_file_path(&self) -> Option<&Path> {
        self.key_file.as_deref()
    }

    /// Whether the settings name a program.
    pub(crate) const fn has_device(&self) -> bool {
        !self.command.is_empty()
    }

    /// Hashes the key file of the settings.
    pub(crate) fn read_key_file(&self) -> Result<FactorKey, String> {
        let path = self.key_file_path();
        hash_key_file(self.ui, path.ok_or("`keys.key_file` is not set")?)
    }

    /// Gets the response of the device to a challenge.
    pub(crate) fn respond(&self, challenge: &Challenge) -> Result<FactorKey, String> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or("`keys.second_factor_command` is not set")?;
        let shown = Raw::from(program.as_str()).printable_line();
        self.ui
            .notice(&format!("Waiting for `{shown}` and its device …"));
        let text = self
            .run(program, arguments, challenge)
            .map_err(|why| format!("`{shown}` {why}"))?;
        let response = from_hex(text.trim_ascii())
            .ok_or_else(|| format!("`{shown}` does not print hexadecimal digits"))?;
        if !RESPONSE_BYTES.contains(&response.len()) {
            return Err(format!(
                "`{shown}` does not print a response of {} to {} bytes",
                RESPONSE_BYTES.start(),
                RESPONSE_BYTES.end()
            ));
        }
        Ok(FactorKey::new(&response))
    }

    /// Runs the program and returns what it prints; what it says on standard error is for the user.
    fn run(
        &self,
        program: &str,
        arguments: &[String],
        challenge: &Challenge,
    ) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut child = self
            .env
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("cannot be run: {}", error.kind()))?;
        let (send, receive) = mpsc::channel();
        if let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) {
            let line = hex(challenge) + "\n";
            thread::spawn(move || input.write_all(line.as_bytes()).unwrap_or_default());
            thread::spawn(move || {
                // Large enough from the start, so that no copy stays behind when it grows.
                let mut text = Zeroizing::new(Vec::with_capacity(2048));
                let read = output.take(MAX_OUTPUT_BYTES).read_to_end(&mut text);
                send.send(read.map(|_| text)).unwrap_or_default();
            });
        }
        let text = receive.recv_timeout(self.timeout);
        if text.is_err() {
            child.kill().unwrap_or_default();
        }
        let status = wait_shortly(&mut child);
        match text {
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "did not answer within {} s",
                self.timeout.as_secs()
            )),
            Ok(Ok(text)) => match status {
                Some(status) if status.success() => Ok(text),
                Some(status) => Err(format!("failed ({status})")),
                None => Err(String::from("did not exit")),
            },
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(String::from("failed")),
        }
    }
}

/// Waits for a program that has closed its output; one that goes on is killed.
fn wait_shortly(child: &mut Child) -> Option<ExitStatus> {
    for _ in 0..100 {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap_or_default();
    drop(child.wait());
    None
}

/// Hashes a key file, or says why it cannot be one.
pub(crate) fn hash_key_file(ui: Ui, path: &Path) -> Result<FactorKey, String> {
    if fs::is_open_to_others(path) {
        ui.warning(&format!(
            "other users can read the key file `{}`",
            display_path(path)
        ));
    }
    let content = fs::read_external(path, MAX_KEY_FILE_BYTES).map_err(|error| error.to_string())?;
    let content = Zeroizing::new(content);
    if content.len() < MIN_KEY_FILE_BYTES {
        return Err(format!(
            "`{}` has less than {MIN_KEY_FILE_BYTES} bytes",
            display_path(path)
        ));
    }
    Ok(FactorKey::new(&content))
}
