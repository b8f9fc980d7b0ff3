//! Lockdown: while one file is there, nothing is sent and no key is handed out. It needs no key, no keyring, no network.

use super::Error;
use crate::clock::Time;
use crate::disk;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The switch.
#[derive(Clone, Debug)]
pub struct Lockdown {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Word {
    since: Time,
}

impl Lockdown {
    /// The switch in the folder of state.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("lockdown") }
    }

    /// Refuses while it is on. Whatever is in the file, and even where it cannot be read: if it is there, it is on.
    pub fn check(&self) -> Result<(), Error> {
        match disk::read_at_most(&self.path, 4096) {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => Err(Error::Lockdown { since: serde_json::from_slice::<Word>(&bytes).ok().map(|w| w.since) }),
            Err(_) => Err(Error::Lockdown { since: None }),
        }
    }

    /// Switches it on; whether it was off before.
    pub fn begin(&self, now: Time) -> Result<bool, disk::Error> {
        if self.check().is_err() {
            return Ok(false);
        }
        // On a full disk there is still room for a name.
        disk::write(&self.path, &serde_json::to_vec(&Word { since: now }).unwrap_or_default()).or_else(|_| disk::mark(&self.path))?;
        Ok(true)
    }

    /// Switches it off; whether it was on before. What was handed out before it began stays revoked: see [`Self::revoked_before`].
    pub fn end(&self, now: Time) -> Result<bool, disk::Error> {
        let since = match self.check() {
            Ok(()) => return Ok(false),
            Err(Error::Lockdown { since: Some(since) }) => since,
            Err(_) => now,
        };
        disk::write(&self.path.with_extension("released"), &serde_json::to_vec(&Word { since }).unwrap_or_default())?;
        match disk::remove(&self.path) {
            // Whatever stands there in its place.
            Err(_) => disk::rename(&self.path, &self.path.with_extension(format!("was-{}", now.millis()))).map(|()| true),
            removed => removed,
        }
    }

    /// Whatever was handed out to others before this moment is no longer good.
    pub fn revoked_before(&self) -> Result<Option<Time>, disk::Error> {
        if self.check().is_err() {
            return Ok(Some(Time::from_millis(i64::MAX)));
        }
        let bytes = disk::read_at_most(&self.path.with_extension("released"), 4096)?;
        Ok(bytes.map(|b| serde_json::from_slice::<Word>(&b).map_or(Time::from_millis(i64::MAX), |w| w.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_whatever_the_file_says() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let switch = Lockdown::new(&state);
        assert!(switch.check().is_ok());
        let at = Time::from_millis(1_800_000_000_000);
        assert!(switch.begin(at).unwrap());
        assert!(!switch.begin(at).unwrap());
        assert!(matches!(switch.check(), Err(Error::Lockdown { since: Some(since) }) if since == at));
        assert!(switch.end(at).unwrap());
        assert!(!switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        assert_eq!(switch.revoked_before().unwrap(), Some(at));
        std::fs::create_dir_all(state.join("lockdown/inside")).unwrap();
        assert!(switch.check().is_err());
        assert!(switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        for bytes in [&b""[..], b"{", &[0xff; 9000]] {
            disk::write(&state.join("lockdown"), bytes).unwrap();
            assert!(matches!(switch.check(), Err(Error::Lockdown { .. })));
        }
    }
}
