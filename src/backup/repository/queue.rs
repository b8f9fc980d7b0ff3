//! Downloads objects in order, several at the same time.

use crate::backup::repository::Error;
use crate::backup::repository::object_storage::ObjectStorage;
use std::collections::VecDeque;
use tokio::task::{JoinHandle, JoinSet};

/// The number of simultaneous requests.
const MAX_IN_FLIGHT: usize = 8;

/// How many requests to a repository can run at the same time.
pub(super) fn max_in_flight(objects: &ObjectStorage) -> usize {
    if objects.is_remote() {
        MAX_IN_FLIGHT
    } else {
        1
    }
}

/// A running download.
type Pending = JoinHandle<Result<Option<Vec<u8>>, Error>>;

/// Downloads of objects of one folder.
pub(super) struct DownloadQueue {
    objects: ObjectStorage,
    folder: &'static str,
    names: VecDeque<String>,
    pending: VecDeque<(String, Pending)>,
}

impl DownloadQueue {
    pub(super) fn new(
        objects: &ObjectStorage,
        folder: &'static str,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            objects: objects.clone(),
            folder,
            names: names.into_iter().collect(),
            pending: VecDeque::new(),
        }
    }

    /// The name and content of the next object. The content is `None` if it does not exist.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Option<Vec<u8>>)>, Error> {
        while self.pending.len() < max_in_flight(&self.objects)
            && let Some(name) = self.names.pop_front()
        {
            let (objects, place) = (self.objects.clone(), format!("{}/{name}", self.folder));
            self.pending
                .push_back((name, tokio::spawn(async move { objects.get(&place).await })));
        }
        let Some((name, coming)) = self.pending.pop_front() else {
            return Ok(None);
        };
        // A task is aborted only when the program ends.
        let bytes = coming
            .await
            .map_err(|_| Error::Missing(crate::backup::repository::format::short_name(&name)))??;
        Ok(Some((name, bytes)))
    }
}

/// Waits until fewer than `most` requests are running.
pub(super) async fn wait_for_slot(
    under_way: &mut JoinSet<Result<(), Error>>,
    most: usize,
) -> Result<(), Error> {
    while under_way.len() >= most.max(1) {
        match under_way.join_next().await {
            Some(Ok(done)) => done?,
            Some(Err(_)) => return Err(Error::ReadBackMismatch(String::new())),
            None => return Ok(()),
        }
    }
    Ok(())
}
