//! Things with names, wherever they lie: listed, read, written, removed.

#![cfg_attr(
    not(feature = "object-storage"),
    expect(clippy::unused_async, reason = "in the small build a place is a folder, and nothing waits")
)]

use super::folder::Folder;
use super::{Address, Error};
use crate::provider::Reach;
use crate::secret::Secret;

/// No object is longer than this: it is read into memory whole.
pub(super) const LONGEST: usize = 96 << 20;
/// No place has more things than this.
#[cfg(feature = "object-storage")]
pub(super) const MOST: usize = 4_000_000;

/// A thing in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its name within its folder.
    pub(super) name: String,
    /// How long it is.
    pub(super) bytes: u64,
    /// When it was written, by the clock of where it lies, in milliseconds since 1970.
    pub(super) modified_ms: i64,
}

/// What it takes to reach the network.
#[derive(Debug)]
pub struct Surroundings {
    /// The network.
    pub reach: Reach,
    /// What the environment says about the storage, by the names of its variables.
    pub variables: Vec<(String, Secret)>,
}

/// A place of things. Names are `folder/name`, or a name alone.
#[derive(Clone, Debug)]
pub struct Objects(Where);

#[derive(Clone, Debug)]
enum Where {
    Folder(Folder),
    #[cfg(feature = "object-storage")]
    Bucket(super::cloud::Bucket),
}

impl Objects {
    /// The things at an address. Nothing is reached yet. What the network needs is only asked for if it is needed.
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

    /// Whether asking takes so long that many are better asked for at once.
    pub(super) fn is_far(&self) -> bool {
        !matches!(self.0, Where::Folder(_))
    }

    /// What is in a folder; nothing if it is not there.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, Error> {
        match &self.0 {
            Where::Folder(place) => place.list(folder),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.list(folder).await,
        }
    }

    /// The bytes of a thing; `None` if it is not there.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            Where::Folder(place) => place.get(name),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.get(name).await,
        }
    }

    /// Puts a thing there, whole, over whatever has its name.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.put(name, &bytes),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.put(name, bytes).await,
        }
    }

    /// Puts many things of one folder there, each whole.
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

    /// Puts a thing there if nothing has its name. Whether it was this one can only be told by reading it.
    pub(super) async fn put_first(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.put_first(name, &bytes),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.put_first(name, bytes).await,
        }
    }

    /// Removes from a folder what is not whole and whose sender is dead. Far away nothing is there that is not whole.
    pub(super) fn sweep(&self, folder: &str) {
        match &self.0 {
            Where::Folder(place) => place.sweep(folder),
            #[cfg(feature = "object-storage")]
            Where::Bucket(_) => {}
        }
    }

    /// Removes a thing, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        match &self.0 {
            Where::Folder(place) => place.remove(name),
            #[cfg(feature = "object-storage")]
            Where::Bucket(place) => place.remove(name).await,
        }
    }
}
