//! Objects in a folder of this machine, as files that only the user can read.

use crate::backup::repository::Error;
use crate::backup::repository::object::{ListedObject, MAX_OBJECT_BYTES};
use crate::fs::{self, AtomicFile};
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub(super) struct LocalStore(PathBuf);

impl LocalStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<ListedObject>, Error> {
        let folder = self.0.join(folder);
        fs::reject_special(&folder)?;
        let listed = fs::list_regular(&folder)?.into_iter();
        Ok(listed
            .map(|e| ListedObject {
                name: e.name,
                bytes: e.bytes,
                modified_ms: e.modified_ms,
            })
            .collect())
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name)?;
        match fs::read_regular(&path, MAX_OBJECT_BYTES as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.prepare(name, bytes)?.commit()?)
    }

    /// Writes several objects and syncs them together.
    pub(super) fn put_batch(&self, things: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let drafts = things
            .iter()
            .map(|(name, bytes)| self.prepare(name, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(AtomicFile::commit_all(drafts)?)
    }

    pub(super) fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.prepare(name, bytes)?.commit_new()?)
    }

    /// The permissions of the folder are not checked: its content is encrypted, and a USB stick
    /// often has no owners.
    fn prepare(&self, name: &str, bytes: &[u8]) -> Result<AtomicFile, Error> {
        let path = self.path(name)?;
        fs::create_dir(path.parent().unwrap_or(&self.0))?;
        let mut draft = AtomicFile::create_locked(&path)?;
        draft.write(bytes)?;
        Ok(draft)
    }

    /// Deletes temporary files of killed processes in a folder of the repository, where all files
    /// are ours. Errors are ignored, because leftovers do no harm.
    pub(super) fn sweep(&self, folder: &str) {
        let folder = self.0.join(folder);
        if fs::reject_special(&folder).is_ok() {
            fs::sweep_stale_drafts(&folder, |_, _| true).unwrap_or_default();
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        fs::remove(&self.path(name)?)?;
        Ok(())
    }

    /// The path of an object. Refuses a link in place of its folder, which would redirect all
    /// access to somewhere outside the repository.
    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        if let Some((folder, _)) = name.split_once('/') {
            fs::reject_special(&self.0.join(folder))?;
        }
        Ok(self.0.join(name))
    }
}
