//! A repository in object storage: reached, decrypted, listed, and a backup downloaded from it.

use super::known_secret;
use crate::cli::app::App;
use crate::cli::network::{Runtime, runtime};
use crate::cli::report::{Exit, Problem};
use crate::disk;
use crate::name::Name;
use crate::upkeep::backup::store::{self, Address, Fetched, Head, Keys, Kind, Objects, Seen, Snapshot, Snapshots, Surroundings};
use anyhow::{Result, bail};
use std::sync::Arc;

/// A repository with its keys.
#[derive(Debug)]
pub(in crate::cli::commands) struct Place {
    pub(super) runtime: Runtime,
    pub(super) objects: Objects,
    pub(super) head: Head,
    pub(super) keys: Arc<Keys>,
}

/// A client for the objects at an address. It makes no request yet.
pub(super) fn objects(app: &mut App, address: &Address) -> Result<Objects> {
    Objects::at(address, || -> Result<Surroundings> {
        let start = match address {
            Address::Cloud(cloud) => match cloud.kind {
                Kind::S3 => "AWS_",
                Kind::Google => "GOOGLE_",
                Kind::Azure => "AZURE_",
                Kind::WebDav => "WEBDAV_",
            },
            Address::Folder(_) => "",
        };
        let variables = app.env.beginning_with(start);
        Ok(Surroundings { reach: app.reach()?, variables })
    })
}

impl Place {
    /// Opens an existing repository: asks for its passphrase and reads its header.
    pub(in crate::cli::commands) fn open(app: &mut App, address: &Address) -> Result<Self> {
        let objects = objects(app, address)?;
        let runtime = runtime()?;
        let head = runtime.block_on(store::head(&objects))?.ok_or(store::Error::Nothing)?;
        let keys = Arc::new(head.open(&known_secret(app, "the repository")?)?);
        Ok(Self { runtime, objects, head, keys })
    }

    /// Lists the backups, and warns if one that was seen before is missing.
    pub(in crate::cli::commands) fn snapshots(&self, app: &App) -> Result<Snapshots> {
        let found = self.runtime.block_on(store::snapshots(&self.objects, &self.keys, &self.head.id))?;
        // An older copy of a repository is consistent in itself: only the list of backups seen
        // before reveals it.
        if let Some(missing) = store::newest_missing(app.home.state(), &self.head.id, &found, app.clock.now())? {
            app.ui.error_line(&format!(
                "chatbot: warning: the repository is an older copy: backup `{}` of {} is missing",
                missing.id,
                missing.created_at.local_minute()
            ));
        }
        Ok(found)
    }

    pub(super) fn seen<'a>(&'a self, snapshot: &'a Snapshot) -> Seen<'a> {
        Seen { objects: &self.objects, head: &self.head, keys: Arc::clone(&self.keys), snapshot }
    }

    /// Downloads a backup to the cache, encrypted with a key that exists only in memory. The lock
    /// keeps other processes from using the same file.
    pub(in crate::cli::commands) fn fetch(
        &self,
        app: &App,
        snapshot: &Snapshot,
        only: &[String],
        salvage: bool,
    ) -> Result<(Fetched, disk::Lock)> {
        let cache = app.home.cache();
        disk::folder(cache)?;
        let Some(lock) = disk::Lock::try_now(&cache.join("restore.lock"))? else {
            bail!(Problem::new(Exit::Storage, "busy", "another chatbot is restoring right now").hint("wait until it has finished"));
        };
        let path = cache.join("restore.backup");
        disk::sweep(&path)?;
        let (ui, of) = (app.ui, snapshot.conversations);
        let bar = &mut |done: usize| ui.progress("downloaded", done, of);
        let fetched = self.runtime.block_on(store::fetch(&self.seen(snapshot), &path, only, salvage, app.clock.now(), bar));
        app.ui.end_progress();
        Ok((fetched?, lock))
    }
}

/// The random id of this installation within a repository, created once.
pub(super) fn home_id(app: &App) -> Result<Name> {
    let path = app.home.state().join("home-id");
    if let Some(name) = disk::read_at_most(&path, 100)?.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()) {
        return Ok(name);
    }
    let made = crate::archive::new_id()?;
    disk::write(&path, format!("{made}\n").as_bytes())?;
    Ok(made)
}
