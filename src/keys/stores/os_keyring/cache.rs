//! A cache for secrets of the OS keyring, in the Linux kernel keyring.
//!
//! Reading a secret from the Secret Service needs a key exchange, which takes ten times as long as
//! the rest of a short command. So the kernel caches it for two seconds. Before each use, the
//! Secret Service is asked whether the keyring is still unlocked and the item unchanged, which
//! needs no key exchange. If it is locked, removed or changed, the cached secret is not used.
//!
//! No part of this program runs between two commands, so none can notice that the keyring was
//! locked. Instead, the kernel drops the secret two seconds after the keyring was last known to be
//! unlocked.

use crate::crypto::encoding::hex;
use crate::dirs::Dirs;
use crate::keys::Slot;
use crate::keys::stores::kernel_keyring;
use crate::keys::stores::os_keyring::secret_service::{ItemProbe, KeyringItem};
use crate::secret::Secret;
use crate::time::Clock;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The Secret Service reports modification times in seconds, so a second change within the same
/// second is invisible. An item is cached only when its last change is older than this.
const MIN_AGE_S: i64 = 2;

/// The cache of one installation.
#[derive(Clone, Debug)]
pub struct KeyringCache {
    /// A hash of the state folder. It is part of each name, so that installations do not share
    /// entries.
    home: String,
    length: Duration,
    clock: Clock,
    probe: Arc<ItemProbe>,
}

impl KeyringCache {
    /// Creates the cache of an installation. An entry lives for `length`; zero disables the cache.
    #[must_use]
    pub fn for_home(home: &Dirs, length: Duration, clock: Clock) -> Self {
        let mut home = hex(&Sha256::digest(home.state().as_os_str().as_encoded_bytes()));
        home.truncate(16);
        Self {
            home,
            length,
            clock,
            probe: Arc::default(),
        }
    }

    /// Discards all entries of the installation, without contacting the OS keyring.
    pub fn forget_all(&self) {
        kernel_keyring::forget_all(&format!("chatbot:recent:{}:", self.home));
    }

    /// Whether a secret may be cached. Does not contact the OS keyring.
    pub(in crate::keys) fn maybe_cached(&self, slot: &Slot) -> bool {
        self.lookup(slot).is_some()
    }

    /// Connects to the Secret Service, so that the first request does not wait.
    pub(in crate::keys) fn preconnect(&self) {
        self.probe.connect();
    }

    /// The cached secret of a slot, if the item of this name is unlocked and unchanged.
    pub(in crate::keys) fn get(&self, slot: &Slot, name: &str) -> Option<Secret> {
        let (item, secret) = self.lookup(slot)?;
        if self.probe.is_unchanged(name, &item) {
            kernel_keyring::renew_bytes(&self.cache_key(slot), self.length);
            return Some(secret);
        }
        self.forget(slot);
        None
    }

    /// The state of an item. Take it before reading the secret: a change in between then
    /// invalidates the entry.
    pub(in crate::keys) fn probe(&self, slot: &Slot, name: &str) -> Option<KeyringItem> {
        // Where nothing can be cached, the question would only cost time.
        if self.length.is_zero() || !kernel_keyring::can_cache() {
            return None;
        }
        // Keys other than API keys are changed by this program alone, which then discards their
        // entry.
        let unsettled = if slot.is_provider_key() { MIN_AGE_S } else { 0 };
        let settled = self.clock.now().seconds().saturating_sub(unsettled);
        self.probe
            .item(name)
            .filter(|item| i64::try_from(item.modified).is_ok_and(|at| at <= settled))
    }

    /// Caches the secret of an item. A failure is ignored: it only makes the next command slower.
    pub(in crate::keys) fn store(&self, slot: &Slot, item: &KeyringItem, secret: &Secret) {
        let KeyringItem {
            bus,
            owner,
            path,
            modified,
        } = item;
        let mut bytes = Zeroizing::new(Vec::with_capacity(512 + secret.len()));
        bytes.extend_from_slice(format!("{bus}\n{owner}\n{path}\n{modified}\n").as_bytes());
        bytes.extend_from_slice(secret.expose().as_bytes());
        kernel_keyring::store_bytes(&self.cache_key(slot), &bytes, self.length).unwrap_or_default();
    }

    /// Discards the entry of a slot.
    pub(in crate::keys) fn forget(&self, slot: &Slot) {
        kernel_keyring::forget_bytes(&self.cache_key(slot));
    }

    fn lookup(&self, slot: &Slot) -> Option<(KeyringItem, Secret)> {
        if self.length.is_zero() {
            return None;
        }
        let bytes = kernel_keyring::read_bytes(&self.cache_key(slot))?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.splitn(5, '\n');
        let mut part = || parts.next().map(str::to_owned);
        let (bus, owner, path, modified, secret) =
            (part()?, part()?, part()?, part()?.parse().ok()?, part()?);
        Some((
            KeyringItem {
                bus,
                owner,
                path,
                modified,
            },
            Secret::new(secret),
        ))
    }

    fn cache_key(&self, slot: &Slot) -> String {
        format!("chatbot:recent:{}:{slot}", self.home)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn keyring_cache_round_trips() {
        let dir = tempfile::tempdir().unwrap();
        let home = Dirs::under_root(&dir.path().join("home")).unwrap();
        let clock = Clock::fixed(Time::from_millis(0));
        let recent = KeyringCache::for_home(&home, Duration::from_secs(60), clock.clone());
        let item = KeyringItem {
            bus: String::from("b"),
            owner: String::from(":1.2"),
            path: String::from("/a/1"),
            modified: 7,
        };
        recent.store(
            &Slot::DataKey,
            &item,
            &Secret::new(String::from("two\nlines")),
        );
        let Some((found, secret)) = recent.lookup(&Slot::DataKey) else {
            // The kernel keyring cannot be used here; then nothing is cached, which is not an
            // error.
            return assert!(!recent.maybe_cached(&Slot::DataKey));
        };
        assert_eq!((found, secret.expose()), (item, "two\nlines"));
        assert!(!recent.maybe_cached(&Slot::AuditKey));
        assert!(!KeyringCache::for_home(&home, Duration::ZERO, clock).maybe_cached(&Slot::DataKey));
        recent.forget(&Slot::DataKey);
        assert!(!recent.maybe_cached(&Slot::DataKey));
    }
}
