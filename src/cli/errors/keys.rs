//! The exit code and the hint for an error about keys.

use crate::cli::errors::{CliExit, Diagnosis, diagnosis};
use crate::keys::stores::vault;
use crate::keys::{self, recovery};
use std::error::Error;

/// The exit code and the hint for an error about keys.
pub(crate) fn explain_keys(cause: &(dyn Error + 'static)) -> Option<Diagnosis> {
    if let Some(error) = cause.downcast_ref::<vault::Error>() {
        return Some(explain_vault(error));
    }
    if let Some(error) = cause.downcast_ref::<recovery::Error>() {
        return Some(explain_recovery(error));
    }
    let error = cause.downcast_ref::<keys::Error>()?;
    Some(match error {
        keys::Error::NoKeyring { .. } => diagnosis(
            CliExit::Key,
            "no_store",
            "create an encrypted vault file with `chatbot vault create`",
        ),
        keys::Error::StoreUnavailable { .. } => diagnosis(
            CliExit::Key,
            "store_unreachable",
            "run it in the session of that keyring, or select a store with `CHATBOT_KEYRING`",
        ),
        keys::Error::Locked { .. } => diagnosis(
            CliExit::Key,
            "keyring_locked",
            "unlock the keyring, then try again; nothing was changed",
        ),
        keys::Error::TimedOut(_) => diagnosis(
            CliExit::Key,
            "keyring_timeout",
            "answer the keyring's prompt on its screen, or raise `keys.keyring_timeout_s`",
        ),
        keys::Error::Ambiguous { .. } => diagnosis(
            CliExit::Key,
            "keyring_ambiguous",
            "delete one of them in your keyring's own program",
        ),
        keys::Error::DataKeyMissing { .. } => diagnosis(
            CliExit::Storage,
            "data_key_missing",
            "restore it with `chatbot key recovery import`, select the store that has it with `CHATBOT_KEYRING`, or set the conversations aside with `chatbot vault reset --conversations`; nothing was changed",
        ),
        keys::Error::InvalidDataKey { .. } => diagnosis(
            CliExit::Storage,
            "data_key_damaged",
            "restore it with `chatbot key recovery import`; nothing was changed",
        ),
        keys::Error::OtherDataKey => diagnosis(
            CliExit::Storage,
            "another_data_key",
            "move `conversations/` away first, or select the store this key belongs to; nothing was changed",
        ),
        keys::Error::CallbackListen(_) | keys::Error::LoginTimeout | keys::Error::Denied => {
            diagnosis(
                CliExit::Failure,
                "no_login",
                "try again, or run `chatbot key login --headless`",
            )
        }
        keys::Error::Conflict { .. } => diagnosis(
            CliExit::Key,
            "conflict",
            "delete the one you do not need; nothing was moved",
        ),
        keys::Error::Vault(error) => explain_vault(error),
        keys::Error::Disk(_) => None,
        _ => diagnosis(CliExit::Key, "key_store", ""),
    })
}

fn explain_recovery(error: &recovery::Error) -> Diagnosis {
    use recovery::Error;
    match error {
        Error::WrongPassphrase => diagnosis(
            CliExit::Key,
            "wrong_passphrase",
            "try again; nothing was changed",
        ),
        Error::Corrupt => diagnosis(
            CliExit::Storage,
            "torn",
            "name the file that `chatbot key recovery export` wrote, or type its words",
        ),
        Error::Word(_) | Error::Line(_) => diagnosis(
            CliExit::Storage,
            "wrong_words",
            "check that line and type the words again",
        ),
        Error::Newer(_) => diagnosis(
            CliExit::Storage,
            "newer_format",
            "use the newer chatbot that wrote it",
        ),
        Error::KdfOutOfRange(_) => diagnosis(
            CliExit::Storage,
            "hostile",
            "this file was not written by chatbot",
        ),
        Error::Passphrase(_) => {
            diagnosis(CliExit::Misuse, "passphrase", "choose another passphrase")
        }
        Error::InvalidDataKey | Error::OutOfMemory(_) => diagnosis(CliExit::Failure, "failed", ""),
    }
}

fn explain_vault(error: &vault::Error) -> Diagnosis {
    match error {
        vault::Error::Missing { .. } => diagnosis(
            CliExit::Key,
            "no_vault",
            "create one with `chatbot vault create`",
        ),
        vault::Error::WrongPassphrase(_) => diagnosis(
            CliExit::Key,
            "wrong_passphrase",
            "try again; if it is lost, `chatbot vault reset` sets the vault aside, and `chatbot key recovery import` or `chatbot restore` bring your conversations back; nothing was changed",
        ),
        vault::Error::Locked(_) => diagnosis(
            CliExit::Key,
            "vault_locked",
            "run it in a terminal, or set `CHATBOT_PASSPHRASE_FILE` or `CHATBOT_PASSPHRASE_COMMAND`",
        ),
        vault::Error::NoKeyFile(_) => diagnosis(
            CliExit::Key,
            "no_key_file",
            "bring the file back, or name it with `chatbot config set keys.key_file PATH`; `chatbot key recovery import` and `chatbot restore` bring your conversations back without it",
        ),
        vault::Error::NoSecondFactor(_) => diagnosis(
            CliExit::Key,
            "no_second_factor",
            "connect the device and try again, or name its program with `chatbot config set keys.second_factor_command '[\"PROGRAM\"]'`; `chatbot key recovery import` and `chatbot restore` bring your conversations back without it",
        ),
        vault::Error::Exists(_) => diagnosis(
            CliExit::Misuse,
            "vault_exists",
            "change its passphrase with `chatbot vault passwd`, or set it aside with `chatbot vault reset` if the passphrase is lost",
        ),
        vault::Error::Kernel(_) => diagnosis(
            CliExit::Failure,
            "kernel_refuses",
            "set `CHATBOT_PASSPHRASE_COMMAND` to a program that prints the passphrase",
        ),
        vault::Error::Passphrase(_) => {
            diagnosis(CliExit::Misuse, "passphrase", "choose another passphrase")
        }
        vault::Error::Newer { .. } => diagnosis(
            CliExit::Storage,
            "newer_format",
            "use the newer chatbot that wrote it",
        ),
        vault::Error::OutOfMemory(_) => diagnosis(CliExit::Failure, "no_randomness", ""),
        vault::Error::Disk(_) => None,
        _ => diagnosis(
            CliExit::Storage,
            "vault_damaged",
            "restore a copy of `vault.json`; this one was not changed",
        ),
    }
}
