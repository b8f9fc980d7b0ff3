//! Check of the vault's key derivation.

use crate::crypto::kdf::KdfParams;
use crate::doctor::examination::Examination;
use crate::doctor::outcome::CheckOutcome;
use crate::keys::stores::vault;

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
    CheckOutcome::ok(described.cost.to_string())
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
