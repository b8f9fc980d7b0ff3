//! The persisted state of an API key rotation, `state/rotations/SLOT.json`: each step is recorded
//! before it is executed, so that the next run can complete an interrupted rotation.

use crate::fs;
use crate::keys::manager::KeyManager;
use crate::keys::{Error, Slot, index};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const VERSION: u32 = 1;
const MAX_STATE_BYTES: u64 = 64 * 1024;

/// The step that a rotation has reached. It is recorded before its action is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RotationStep {
    /// Create a new key at the provider, with the name in the record. After an interruption, a key
    /// of that name is unused and can be deleted.
    Create,
    /// Replace the old key in the key store with the new one.
    Switch,
    /// Disable the old key at the provider.
    Disable,
    /// Wait for confirmation; until then the old key can be restored.
    Confirm,
}

/// The record of a rotation. It contains no key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationState {
    schema_version: u32,
    /// The unique name of the new key at the provider.
    pub name: String,
    /// When the rotation started.
    pub begun_at: Time,
    /// The step that it has reached.
    pub step: RotationStep,
    /// The provider's id of the old key.
    pub old_hash: String,
    /// The provider's id of the new key.
    #[serde(default)]
    pub new_hash: Option<String>,
    /// The fingerprint of the new key in the key metadata.
    #[serde(default)]
    pub new_fingerprint: Option<String>,
}

impl RotationState {
    /// Starts a record at the first step.
    pub fn new(slot: &Slot, old_hash: String, now: Time) -> Result<Self, Error> {
        let random = crate::crypto::aead::random_bytes::<4>().map_err(Error::Random)?;
        let name = format!(
            "chatbot {} {} {:08x}",
            slot,
            now.local_day(),
            u32::from_be_bytes(random)
        );
        Ok(Self {
            schema_version: VERSION,
            name,
            begun_at: now,
            step: RotationStep::Create,
            old_hash,
            new_hash: None,
            new_fingerprint: None,
        })
    }
}

impl KeyManager {
    fn rotation_path(&self, slot: &Slot) -> PathBuf {
        // A name contains no dot, so different slots have different files.
        self.sibling_path("rotations")
            .join(format!("{}.json", slot.to_string().replace('/', ".")))
    }

    /// Reads the rotation of a slot that was started and not confirmed.
    pub fn load_rotation(&self, slot: &Slot) -> Result<Option<RotationState>, Error> {
        let path = self.rotation_path(slot);
        let Some(bytes) = fs::read_at_most(&path, MAX_STATE_BYTES)? else {
            return Ok(None);
        };
        match serde_json::from_slice::<RotationState>(&bytes) {
            Ok(rotation) if rotation.schema_version == VERSION => Ok(Some(rotation)),
            Ok(_) => Err(index::Error::Newer(path).into()),
            Err(_) => Err(index::Error::Damaged(path).into()),
        }
    }

    /// Saves the record. Call it before the action of the step.
    pub fn save_rotation(&self, slot: &Slot, rotation: &RotationState) -> Result<(), Error> {
        let path = self.rotation_path(slot);
        let bytes =
            serde_json::to_vec_pretty(rotation).map_err(|_| index::Error::Damaged(path.clone()))?;
        Ok(fs::write(&path, &bytes)?)
    }

    /// Deletes the record, after the rotation was confirmed or undone.
    pub fn clear_rotation(&self, slot: &Slot) -> Result<(), Error> {
        let path = self.rotation_path(slot);
        if fs::exists(&path) {
            fs::remove(&path)?;
        }
        Ok(())
    }

    /// Waits for an exclusive lock on the rotations of this installation.
    pub fn lock_rotation(&self) -> Result<fs::FileLock, Error> {
        self.lock("rotate.lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreSetting;
    use crate::keys::manager::trial::{key_manager, place};

    #[test]
    fn rotation_state_round_trips() {
        let (_dir, home) = place();
        let keys = key_manager(&home, StoreSetting::Vault);
        let slot: Slot = "work/openrouter".parse().unwrap();
        assert_eq!(keys.load_rotation(&slot).unwrap(), None);
        let mut rotation =
            RotationState::new(&slot, String::from("0a1b"), Time::from_millis(0)).unwrap();
        keys.save_rotation(&slot, &rotation).unwrap();
        rotation.step = RotationStep::Switch;
        rotation.new_hash = Some(String::from("2c3d"));
        keys.save_rotation(&slot, &rotation).unwrap();
        assert_eq!(keys.load_rotation(&slot).unwrap(), Some(rotation.clone()));
        assert_ne!(
            RotationState::new(&slot, String::new(), Time::from_millis(0))
                .unwrap()
                .name,
            rotation.name
        );
        assert_eq!(
            keys.load_rotation(&"default/openrouter".parse().unwrap())
                .unwrap(),
            None
        );
        keys.clear_rotation(&slot).unwrap();
        keys.clear_rotation(&slot).unwrap();
        assert_eq!(keys.load_rotation(&slot).unwrap(), None);
    }
}
