//! Lockdown: while its file exists, nothing is sent and no key is handed out. It needs no key, no
//! key store and no network, so that it works in every incident.

use crate::fs;
use crate::limits::Error;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The lockdown switch.
#[derive(Clone, Debug)]
pub struct Lockdown {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct LockdownFile {
    since: Time,
}

impl Lockdown {
    /// The switch in a state folder.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            path: state.join("lockdown"),
        }
    }

    /// Fails while lockdown is active, which it is if the file exists, whatever it contains and
    /// even if it cannot be read.
    pub fn check(&self) -> Result<(), Error> {
        match fs::read_at_most(&self.path, 4096) {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => Err(Error::Lockdown {
                since: serde_json::from_slice::<LockdownFile>(&bytes)
                    .ok()
                    .map(|w| w.since),
            }),
            Err(_) => Err(Error::Lockdown { since: None }),
        }
    }

    /// Starts lockdown. Returns whether it was off before.
    pub fn begin(&self, now: Time) -> Result<bool, fs::Error> {
        if self.check().is_err() {
            return Ok(false);
        }
        // On a full disk an empty file can still be created.
        fs::write(
            &self.path,
            &serde_json::to_vec(&LockdownFile { since: now }).unwrap_or_default(),
        )
        .or_else(|_| fs::touch(&self.path))?;
        Ok(true)
    }

    /// Ends lockdown. Returns whether it was active.
    pub fn end(&self, now: Time) -> Result<bool, fs::Error> {
        if self.check().is_ok() {
            return Ok(false);
        }
        match fs::remove(&self.path) {
            // Something else occupies its path: move it away.
            Err(_) => fs::rename(
                &self.path,
                &self.path.with_extension(format!("was-{}", now.millis())),
            )
            .map(|()| true),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lockdown_is_on_whatever_the_file_says() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let switch = Lockdown::new(&state);
        assert!(switch.check().is_ok());
        let at = Time::from_millis(1_800_000_000_000);
        assert!(switch.begin(at).unwrap());
        assert!(!switch.begin(at).unwrap());
        assert!(
            matches!(switch.check(), Err(Error::Lockdown { since: Some(since) }) if since == at)
        );
        assert!(switch.end(at).unwrap());
        assert!(!switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        std::fs::create_dir_all(state.join("lockdown/inside")).unwrap();
        assert!(switch.check().is_err());
        assert!(switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        for bytes in [&b""[..], b"{", &[0xff; 9000]] {
            fs::write(&state.join("lockdown"), bytes).unwrap();
            assert!(matches!(switch.check(), Err(Error::Lockdown { .. })));
        }
    }
}
