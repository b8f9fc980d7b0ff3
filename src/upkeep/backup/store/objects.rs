//! Lists, reads, writes and deletes named objects, in a folder or in object storage.

#![cfg_attr(
    not(feature = "object-storage"),
    expect(clippy::unused_async, reason = "in the small build a place is a folder, and nothing waits")
)]

use super::folder::Folder;
use super::{Address, Error};
use crate::provider::Reach;
use crate::secret::Secret;

/// The longest object, which is read into memory as a whole.
pub(super) const LONGEST: usize = 96 << 20;
/// The most objects of a repository.
#[cfg(feature = "object-storage")]
pub(super) const MOST: usize = 4_000_000;

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The name within its folder.
    pub(super) name: String,
    /// The length in bytes.
    pub(super) bytes: u64,
    /// The modification time by the clock of the storage, in milliseconds since 1970.
    pub(super) modified_ms: i64,
}

/// What is needed to access object storage.
#[derive(Debug)]
pub struct Surroundings {
    /// The network configuration.
    pub reach: Reach,
    /// The environment variables that configure the storage, such as credentials.
    pub variables: Vec<(String, Secret)>,
}

/// The objects of a repository. A name is `folder/name` or `name`.
#[derive(Clone, Debug)]
pub struct Objects(Where);

#[derive(Clone, Debug)]
enum Where {
    Folder(Folder),
    #[cfg(feature = "object-storage")]
    Bucket(super::cloud::Bucket),
}

impl Objects {
    /// The objects at an address. Nothing is accessed yet, and `surroundings` is called only for
    /// object storage.
    pub fn at<E: From<Error>>(address: &Address, surroundings: impl FnOnce() -> Result<Surroundings, E>) -> Result<Self, E> {
        match address {
            Address::Folder(path) => Ok(Self(Where::Folder(Folder::at(path.clone())))),
            #[cfg(feature = "object-storage")]
            Address::Cloud(cloud) => Ok(Self(Where::Bucket(super::cloud::Bucket::open(cloud, surroundings()?)?))),
            #[cfg(not(feature = "object-storage"))]
            Address::Cloud(_) => {
                drop(surroundings);
                Err(Error::LeftOut.into())
            }
        }
    }

    /// Whether access is so slow that several requests should be sent at once.
    pub(super) fn is_far(&self) -> bool {
        !matches!(self.0, Where::Folder(_))
    }

    /// Lists a folder; a missing one is empty.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, Error> {
        match &self.0 {
            Where::Folder(place) => place.list(folder),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.list(folder).await,
        }
    }

    /// Reads an object; `None` if it does not exist.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            Where::Folder(place) => place.get(name),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.get(name).await,
        }
    }

    /// Writes an object atomically, and overwrites an existing one.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.put(name, &bytes),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.put(name, bytes).await,
        }
    }

    /// Writes several objects of one folder, each atomically.
    pub(super) async fn put_together(&self, things: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.put_together(&things),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => {
                for (name, bytes) in things {
                    place.put(&name, bytes).await?;
                }
                Ok(())
            }
        }
    }

    /// Writes an object if it does not exist. Read it afterwards to find out whether this process
    /// or another one wrote it.
    pub(super) async fn put_first(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.put_first(name, &bytes),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.put_first(name, bytes).await,
        }
    }

    /// Deletes temporary files of killed processes. Object storage has none.
    pub(super) fn sweep(&self, folder: &str) {
        match &self.0 {
            Where::Folder(place) => place.sweep(folder),
            #[cfg(feature = "object-storage")]
            Where::Bucket(_) => {}
        }
    }

    /// Deletes an object, if it exists.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.remove(name),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.remove(name).await,
        }
    }
}
