//! What the OS keyring gave a moment ago. Getting a secret out of the Secret Service costs a key exchange, ten times what the
//! rest of a short command takes. So the Linux kernel keeps for two seconds what was got, and it is given again while the OS
//! keyring says, asked each time, that it is open and the item is the same: locked, removed or changed there, it is not given.
//!
//! Nothing of this program runs between two commands, so nothing hears that the keyring was locked. Instead the kernel drops
//! what it keeps two seconds after the keyring last said that it is open.

use super::Slot;
use super::kernel;
use super::witness::{Item, Witness};
use crate::clock::Clock;
use crate::home::Home;
use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The Secret Service tells to the second when an item was changed. One that has just been may be changed again unseen.
const SETTLED_S: i64 = 2;

/// The secrets of one home that were got a moment ago.
#[derive(Clone, Debug)]
pub struct Recent {
    /// Part of the name of each, so that no home sees those of another.
    home: String,
    length: Duration,
    clock: Clock,
    witness: Arc<Witness>,
}

impl Recent {
    /// Those of a home, each kept for so long; for no time, none are.
    #[must_use]
    pub fn of(home: &Home, length: Duration, clock: Clock) -> Self {
        let sum = Sha256::digest(home.state().as_os_str().as_encoded_bytes());
        let home = sum.iter().take(8).fold(String::with_capacity(16), |sum, byte| format!("{sum}{byte:02x}"));
        Self { home, length, clock, witness: Arc::default() }
    }

    /// Forgets every one of the home, without asking anyone.
    pub fn forget_all(&self) {
        kernel::forget_all(&format!("chatbot:recent:{}:", self.home));
    }

    /// Whether a secret may be here. Nobody is asked.
    pub(super) fn may_have(&self, slot: &Slot) -> bool {
        self.found(slot).is_some()
    }

    /// Connects to the one who is asked, so that the connection stands when the first question comes.
    pub(super) fn warm(&self) {
        self.witness.connect();
    }

    /// The secret of a slot, if the OS keyring would give the same under this name.
    pub(super) fn get(&self, slot: &Slot, name: &str) -> Option<Secret> {
        let (item, secret) = self.found(slot)?;
        if self.witness.confirms(name, &item) {
            kernel::renew_bytes(&self.name(slot), self.length);
            return Some(secret);
        }
        self.forget(slot);
        None
    }

    /// What the OS keyring says of an item, before its secret is got from it: what is changed in between is then not the same.
    pub(super) fn seen(&self, slot: &Slot, name: &str) -> Option<Item> {
        // Where nothing can be cached, the question would only cost time.
        if self.length.is_zero() || !kernel::has_private_keyring() {
            return None;
        }
        // The house's own keys are changed by this program alone, and whoever changes one forgets what is kept of it.
        let unsettled = if slot.is_of_a_provider() { SETTLED_S } else { 0 };
        let settled = self.clock.now().seconds().saturating_sub(unsettled);
        self.witness.item(name).filter(|item| i64::try_from(item.modified).is_ok_and(|at| at <= settled))
    }

    /// Keeps a secret that was got from an item. Where the kernel keeps none, the next command is slower and that is all.
    pub(super) fn keep(&self, slot: &Slot, item: &Item, secret: &Secret) {
        let Item { bus, owner, path, modified } = item;
        let mut bytes = Zeroizing::new(Vec::with_capacity(512 + secret.len()));
        bytes.extend_from_slice(format!("{bus}\n{owner}\n{path}\n{modified}\n").as_bytes());
        bytes.extend_from_slice(secret.expose().as_bytes());
        kernel::keep_bytes(&self.name(slot), &bytes, self.length).unwrap_or_default();
    }

    /// Forgets a secret.
    pub(super) fn forget(&self, slot: &Slot) {
        kernel::forget_bytes(&self.name(slot));
    }

    fn found(&self, slot: &Slot) -> Option<(Item, Secret)> {
        if self.length.is_zero() {
            return None;
        }
        let bytes = kernel::bytes(&self.name(slot))?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.splitn(5, '\n');
        let mut part = || parts.next().map(str::to_owned);
        let (bus, owner, path, modified, secret) = (part()?, part()?, part()?, part()?.parse().ok()?, part()?);
        Some((Item { bus, owner, path, modified }, Secret::new(secret)))
    }

    fn name(&self, slot: &Slot) -> String {
        format!("chatbot:recent:{}:{slot}", self.home)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn what_is_kept_is_found_again_whole_and_forgotten_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(&dir.path().join("home")).unwrap();
        let clock = Clock::fixed(Time::from_millis(0));
        let recent = Recent::of(&home, Duration::from_secs(60), clock.clone());
        let item = Item { bus: String::from("b"), owner: String::from(":1.2"), path: String::from("/a/1"), modified: 7 };
        recent.keep(&Slot::DataKey, &item, &Secret::new(String::from("two\nlines")));
        let Some((found, secret)) = recent.found(&Slot::DataKey) else {
            // The kernel keeps no keys here: then nothing is remembered, and that is no error.
            return assert!(!recent.may_have(&Slot::DataKey));
        };
        assert_eq!((found, secret.expose()), (item, "two\nlines"));
        assert!(!recent.may_have(&Slot::AuditKey));
        assert!(!Recent::of(&home, Duration::ZERO, clock).may_have(&Slot::DataKey));
        recent.forget(&Slot::DataKey);
        assert!(!recent.may_have(&Slot::DataKey));
    }
}
