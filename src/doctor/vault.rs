//! Check of the vault's key derivation and of its key file.

use crate::crypto::kdf::KdfParams;
use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, shell_word, shown};
use crate::fs;
use crate::keys::stores::vault;
use std::path::PathBuf;

/// Compares the cost with that of a new vault. A vault below the least accepted cost is not read.
pub(super) fn parameters(examination: &Examination<'_>) -> CheckOutcome {
    let described = match vault::describe(&examination.home.vault()) {
        Ok(Some(described)) => described,
        Ok(None) => return CheckOutcome::skip("there is no vault"),
        Err(error) => return CheckOutcome::fail(error.to_string(), "chatbot vault status"),
    };
    let today = KdfParams::default();
    if is_weaker(described.cost, today) {
        return CheckOutcome::warn(
            format!(
                "{} is cheaper to guess than today's default, {today}",
                described.cost
            ),
            format!("chatbot vault passwd --kdf {today}"),
        );
    }
    if let Some(problem) = key_file_problem(examination, described.needs_key_file) {
        return problem;
    }
    let factors = match (described.needs_key_file, described.needs_device) {
        (false, false) => "",
        (true, false) => "; passphrase and key file open it",
        (false, true) => "; passphrase and second factor open it",
        (true, true) => "; passphrase, key file and second factor open it",
    };
    let source = examination
        .passphrase_source
        .map_or_else(String::new, |name| {
            format!("; its passphrase comes from {name}")
        });
    CheckOutcome::ok(format!("{}{factors}{source}", described.cost))
}

/// A key file that a thief of the vault or another user has too protects nothing.
fn key_file_problem(examination: &Examination<'_>, is_needed: bool) -> Option<CheckOutcome> {
    let settings = examination.settings.as_ref().ok()?;
    let named = settings.keys.key_file.as_ref()?;
    let path = match (named.strip_prefix("~/"), &examination.folders.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(named),
    };
    if !is_needed {
        return Some(CheckOutcome::warn(
            "the vault opens without the key file that `keys.key_file` names",
            "chatbot vault passwd",
        ));
    }
    if fs::is_open_to_others(&path) {
        return Some(CheckOutcome::warn(
            format!("other users can read the key file {}", shown(&path)),
            format!("chmod 600 {}", shell_word(&path)),
        ));
    }
    path.starts_with(examination.home.data()).then(|| {
        CheckOutcome::warn(
            format!(
                "the key file {} is in the folder of the vault: who copies one copies both",
                shown(&path)
            ),
            "chatbot config set keys.key_file PATH",
        )
    })
}

fn is_weaker(cost: KdfParams, than: KdfParams) -> bool {
    match (cost, than) {
        (
            KdfParams::Argon2id {
                memory_kib, passes, ..
            },
            KdfParams::Argon2id {
                memory_kib: memory_of_new,
                passes: passes_of_new,
                ..
            },
        ) => memory_kib < memory_of_new || passes < passes_of_new,
        // PBKDF2 is for those who must use it; its least accepted cost is the recommended one.
        _ => false,
    }
}
