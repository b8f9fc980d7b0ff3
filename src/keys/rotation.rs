//! The persisted state of an API key rotation, `state/rotations/SLOT.json`: each step is recorded
//! before it is executed, so that the next run can complete an interrupted rotation.

use super::custody::Custody;
use super::{Error, Slot, metadata};
use crate::clock::Time;
use crate::disk;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const VERSION: u32 = 1;
const LARGEST: u64 = 64 * 1024;

/// The step that a rotation has reached. It is recorded before its action is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
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
pub struct Intent {
    schema_version: u32,
    /// The unique name of the new key at the provider.
    pub name: String,
    /// When the rotation started.
    pub begun_at: Time,
    /// The step that it has reached.
    pub step: Step,
    /// The provider's id of the old key.
    pub old_hash: String,
    /// The provider's id of the new key.
    #[serde(default)]
    pub new_hash: Option<String>,
    /// The fingerprint of the new key in the key metadata.
    #[serde(default)]
    pub new_fingerprint: Option<String>,
}

impl Intent {
    /// Starts a record at the first step.
    pub fn new(slot: &Slot, old_hash: String, now: Time) -> Result<Self, Error> {
        let random = super::cipher::random::<4>().map_err(Error::Random)?;
        let name = format!("chatbot {} {} {:08x}", slot, now.local_day(), u32::from_be_bytes(random));
        Ok(Self { schema_version: VERSION, name, begun_at: now, step: Step::Create, old_hash, new_hash: None, new_fingerprint: None })
    }
}

impl Custody {
    fn intent_path(&self, slot: &Slot) -> PathBuf {
        // A name contains no dot, so different slots have different files.
        self.beside_book("rotations").join(format!("{}.json", slot.to_string().replace('/', ".")))
    }

    /// Reads the rotation of a slot that was started and not confirmed.
    pub fn intent(&self, slot: &Slot) -> Result<Option<Intent>, Error> {
        let path = self.intent_path(slot);
        let Some(bytes) = disk::read_at_most(&path, LARGEST)? else { return Ok(None) };
        match serde_json::from_slice::<Intent>(&bytes) {
            Ok(intent) if intent.schema_version == VERSION => Ok(Some(intent)),
            Ok(_) => Err(metadata::Error::Newer(path).into()),
            Err(_) => Err(metadata::Error::Damaged(path).into()),
        }
    }

    /// Saves the record. Call it before the action of the step.
    pub fn intend(&self, slot: &Slot, intent: &Intent) -> Result<(), Error> {
        let path = self.intent_path(slot);
        let bytes = serde_json::to_vec_pretty(intent).map_err(|_| metadata::Error::Damaged(path.clone()))?;
        Ok(disk::write(&path, &bytes)?)
    }

    /// Deletes the record, after the rotation was confirmed or undone.
    pub fn intend_nothing(&self, slot: &Slot) -> Result<(), Error> {
        let path = self.intent_path(slot);
        if disk::exists(&path) {
            disk::remove(&path)?;
        }
        Ok(())
    }

    /// Waits for an exclusive lock on the rotations of this installation.
    pub fn rotating(&self) -> Result<disk::Lock, Error> {
        self.lock("rotate.lock")
    }
}

#[cfg(test)]
mod tests {
    use super::super::custody::trial::{custody, place};
    use super::*;
    use crate::keys::Preference;

    #[test]
    fn an_intent_is_found_again_until_it_is_done_with() {
        let (_dir, home) = place();
        let keys = custody(&home, Preference::Vault);
        let slot: Slot = "work/openrouter".parse().unwrap();
        assert_eq!(keys.intent(&slot).unwrap(), None);
        let mut intent = Intent::new(&slot, String::from("0a1b"), Time::from_millis(0)).unwrap();
        keys.intend(&slot, &intent).unwrap();
        intent.step = Step::Switch;
        intent.new_hash = Some(String::from("2c3d"));
        keys.intend(&slot, &intent).unwrap();
        assert_eq!(keys.intent(&slot).unwrap(), Some(intent.clone()));
        assert_ne!(Intent::new(&slot, String::new(), Time::from_millis(0)).unwrap().name, intent.name);
        assert_eq!(keys.intent(&"default/openrouter".parse().unwrap()).unwrap(), None);
        keys.intend_nothing(&slot).unwrap();
        keys.intend_nothing(&slot).unwrap();
        assert_eq!(keys.intent(&slot).unwrap(), None);
    }
}
