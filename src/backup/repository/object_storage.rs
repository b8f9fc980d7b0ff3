//! Lists, reads, writes and deletes named objects, in a folder or in object storage.

#![cfg_attr(
    not(feature = "object-storage"),
    expect(
        clippy::unused_async,
        reason = "in the small build a place is a folder, and nothing waits"
    )
)]

use crate::backup::repository::local::LocalStore;
use crate::backup::repository::object::{ListedObject, NetworkContext};
use crate::backup::repository::{Error, RepositoryAddress};

/// The objects of a repository. A name is `folder/name` or `name`.
#[derive(Clone, Debug)]
pub struct ObjectStorage(StoreLocation);

#[derive(Clone, Debug)]
enum StoreLocation {
    Folder(LocalStore),
    #[cfg(feature = "object-storage")]
    Bucket(crate::backup::repository::cloud::Bucket),
}

impl ObjectStorage {
    /// The objects at an address. Nothing is accessed yet, and `surroundings` is called only for
    /// object storage.
    pub fn open<E: From<Error>>(
        address: &RepositoryAddress,
        network: impl FnOnce() -> Result<NetworkContext, E>,
    ) -> Result<Self, E> {
        match address {
            RepositoryAddress::Folder(path) => {
                Ok(Self(StoreLocation::Folder(LocalStore::new(path.clone()))))
            }
            #[cfg(feature = "object-storage")]
            RepositoryAddress::Cloud(cloud) => Ok(Self(StoreLocation::Bucket(
                crate::backup::repository::cloud::Bucket::open(cloud, network()?)?,
            ))),
            #[cfg(not(feature = "object-storage"))]
            RepositoryAddress::Cloud(_) => {
                drop(network);
                Err(Error::LeftOut.into())
            }
        }
    }

    /// Whether access is so slow that several requests should be sent at once.
    pub(super) fn is_remote(&self) -> bool {
        !matches!(self.0, StoreLocation::Folder(_))
    }

    /// Lists a folder; a missing one is empty.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<ListedObject>, Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.list(folder),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => place.list(folder).await,
        }
    }

    /// Reads an object; `None` if it does not exist.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.get(name),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => place.get(name).await,
        }
    }

    /// Writes an object atomically, and overwrites an existing one.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.put(name, &bytes),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => place.put(name, bytes).await,
        }
    }

    /// Writes several objects of one folder, each atomically.
    pub(super) async fn put_batch(&self, things: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.put_batch(&things),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => {
                for (name, bytes) in things {
                    place.put(&name, bytes).await?;
                }
                Ok(())
            }
        }
    }

    /// Writes an object if it does not exist. Read it afterwards to find out whether this process
    /// or another one wrote it.
    pub(super) async fn put_if_absent(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.put_if_absent(name, &bytes),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => place.put_if_absent(name, bytes).await,
        }
    }

    /// Deletes temporary files of killed processes. Object storage has none.
    pub(super) fn sweep(&self, folder: &str) {
        match &self.0 {
            StoreLocation::Folder(place) => place.sweep(folder),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(_) => {}
        }
    }

    /// Deletes an object, if it exists.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        match &self.0 {
            StoreLocation::Folder(place) => place.remove(name),
            #[cfg(feature = "object-storage")]
            StoreLocation::Bucket(place) => place.remove(name).await,
        }
    }
}
