//! What a folder and object storage have in common: objects in a listing and their limits.

use crate::net::HttpContext;
use crate::secret::Secret;

/// The longest object, which is read into memory as a whole.
pub(super) const MAX_OBJECT_BYTES: usize = 96 << 20;
/// The most objects of a repository.
#[cfg(feature = "object-storage")]
pub(super) const MAX_OBJECTS: usize = 4_000_000;

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedObject {
    /// The name within its folder.
    pub(super) name: String,
    /// The length in bytes.
    pub(super) bytes: u64,
    /// The modification time by the clock of the storage, in milliseconds since 1970.
    pub(super) modified_ms: i64,
}

/// What is needed to access object storage.
#[derive(Debug)]
pub struct NetworkContext {
    /// The network configuration.
    pub context: HttpContext,
    /// The environment variables that configure the storage, such as credentials.
    pub variables: Vec<(String, Secret)>,
}
