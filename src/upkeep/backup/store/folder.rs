//! Objects in a folder of this machine, as files that only the user can read.

use super::Error;
use super::objects::{LONGEST, Listed};
use crate::disk::{self, Draft};
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<Listed>, Error> {
        let folder = self.0.join(folder);
        disk::refuse_special(&folder)?;
        let listed = disk::list_regular(&folder)?.into_iter();
        Ok(listed.map(|e| Listed { name: e.name, bytes: e.bytes, modified_ms: e.modified_ms }).collect())
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name)?;
        match disk::read_regular(&path, LONGEST as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.draft(name, bytes)?.keep()?)
    }

    /// Writes several objects and syncs them together.
    pub(super) fn put_together(&self, things: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let drafts = things.iter().map(|(name, bytes)| self.draft(name, bytes)).collect::<Result<Vec<_>, _>>()?;
        Ok(Draft::keep_all(drafts)?)
    }

    pub(super) fn put_first(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.draft(name, bytes)?.keep_first()?)
    }

    /// The permissions of the folder are not checked: its content is encrypted, and a USB stick
    /// often has no owners.
    fn draft(&self, name: &str, bytes: &[u8]) -> Result<Draft, Error> {
        let path = self.path(name)?;
        disk::folder_anywhere(path.parent().unwrap_or(&self.0))?;
        let mut draft = Draft::held(&path)?;
        draft.add(bytes)?;
        Ok(draft)
    }

    /// Deletes temporary files of killed processes in a folder of the repository, where all files
    /// are ours. Errors are ignored, because leftovers do no harm.
    pub(super) fn sweep(&self, folder: &str) {
        let folder = self.0.join(folder);
        if disk::refuse_special(&folder).is_ok() {
            disk::sweep_left_behind(&folder, |_, _| true).unwrap_or_default();
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        disk::remove(&self.path(name)?)?;
        Ok(())
    }

    /// The path of an object. Refuses a link in place of its folder, which would redirect all
    /// access to somewhere outside the repository.
    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        if let Some((folder, _)) = name.split_once('/') {
            disk::refuse_special(&self.0.join(folder))?;
        }
        Ok(self.0.join(name))
    }
}
