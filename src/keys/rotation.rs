//! What a rotation is about to do, written down before it does it, so that a run that was cut off is ended by the next.

use super::custody::Custody;
use super::{Error, Slot, metadata};
use crate::clock::Time;
use crate::disk;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const VERSION: u32 = 1;
const LARGEST: u64 = 64 * 1024;

/// How far it has come. Each is written before what it names is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The provider is asked for a new key of the name in the record. If that was cut off, a key of that name is nobody's.
    Create,
    /// The new key takes the old one's place in the store.
    Switch,
    /// The old key is disabled at the provider.
    Disable,
    /// It is done; the old key can still be taken back.
    Confirm,
}

/// The record. It holds no key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    schema_version: u32,
    /// The name the new key is given at the provider: nobody else's.
    pub name: String,
    /// When it began.
    pub begun_at: Time,
    /// How far it has come.
    pub step: Step,
    /// What the provider calls the old key.
    pub old_hash: String,
    /// What the provider calls the new one.
    #[serde(default)]
    pub new_hash: Option<String>,
    /// How the new key is told in this home.
    #[serde(default)]
    pub new_fingerprint: Option<String>,
}

impl Intent {
    /// A rotation that begins now.
    pub fn new(slot: &Slot, old_hash: String, now: Time) -> Result<Self, Error> {
        let random = super::cipher::random::<4>().map_err(Error::Random)?;
        let name = format!("chatbot {} {} {:08x}", slot, now.local_day(), u32::from_be_bytes(random));
        Ok(Self { schema_version: VERSION, name, begun_at: now, step: Step::Create, old_hash, new_hash: None, new_fingerprint: None })
    }
}

impl Custody {
    fn intent_path(&self, slot: &Slot) -> PathBuf {
        // A name has no dot in it.
        self.beside_book("rotations").join(format!("{}.json", slot.to_string().replace('/', ".")))
    }

    /// The rotation of a slot that has begun and is not confirmed.
    pub fn intent(&self, slot: &Slot) -> Result<Option<Intent>, Error> {
        let path = self.intent_path(slot);
        let Some(bytes) = disk::read_at_most(&path, LARGEST)? else { return Ok(None) };
        match serde_json::from_slice::<Intent>(&bytes) {
            Ok(intent) if intent.schema_version == VERSION => Ok(Some(intent)),
            Ok(_) => Err(metadata::Error::Newer(path).into()),
            Err(_) => Err(metadata::Error::Damaged(path).into()),
        }
    }

    /// Writes down what is about to be done.
    pub fn intend(&self, slot: &Slot, intent: &Intent) -> Result<(), Error> {
        let path = self.intent_path(slot);
        let bytes = serde_json::to_vec_pretty(intent).map_err(|_| metadata::Error::Damaged(path.clone()))?;
        Ok(disk::write(&path, &bytes)?)
    }

    /// Forgets it: it is confirmed or undone.
    pub fn intend_nothing(&self, slot: &Slot) -> Result<(), Error> {
        let path = self.intent_path(slot);
        if disk::exists(&path) {
            disk::remove(&path)?;
        }
        Ok(())
    }

    /// Alone with the rotations of this home.
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
