//! A repository in object storage: reached, decrypted, listed, and a backup downloaded from it.

use crate::backup::repository::{
    self, BackupSource, CloudKind, DownloadedBackup, NetworkContext, ObjectStorage,
    RepositoryAddress, RepositoryHeader, RepositoryKeys, Snapshot, SnapshotList, is_repository,
};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::passphrase;
use crate::cli::runtime::{Runtime, runtime};
use crate::cli::term::display_path;
use crate::fs;
use crate::name::Name;
use crate::privacy::Raw;
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::path::Path;
use std::sync::Arc;

/// A repository with its keys.
#[derive(Debug)]
pub(in crate::cli::commands) struct Repository {
    pub(super) runtime: Runtime,
    pub(super) objects: ObjectStorage,
    pub(super) head: RepositoryHeader,
    pub(super) keys: Arc<RepositoryKeys>,
}

/// A client for the objects at an address. It makes no request yet.
pub(super) fn open_objects(
    context: &mut Context,
    address: &RepositoryAddress,
) -> Result<ObjectStorage> {
    ObjectStorage::open(address, || -> Result<NetworkContext> {
        let start = match address {
            RepositoryAddress::Cloud(cloud) => match cloud.kind {
                CloudKind::S3 => "AWS_",
                CloudKind::Google => "GOOGLE_",
                CloudKind::Azure => "AZURE_",
                CloudKind::WebDav => "WEBDAV_",
            },
            RepositoryAddress::Folder(_) => "",
        };
        let variables = context.env.with_prefix(start);
        Ok(NetworkContext {
            context: context.http_context()?,
            variables,
        })
    })
}

impl Repository {
    /// Opens an existing repository: asks for its passphrase and reads its header.
    pub(in crate::cli::commands) fn open(
        context: &mut Context,
        address: &RepositoryAddress,
    ) -> Result<Self> {
        let objects = open_objects(context, address)?;
        let runtime = runtime()?;
        let header = runtime
            .block_on(repository::read_header(&objects))?
            .ok_or(repository::Error::NoRepository)?;
        let keys = Arc::new(header.open(&backup_passphrase(context, "the repository")?)?);
        Ok(Self {
            runtime,
            objects,
            head: header,
            keys,
        })
    }

    /// Lists the backups, and warns if one that was seen before is missing.
    pub(in crate::cli::commands) fn snapshots(&self, context: &Context) -> Result<SnapshotList> {
        let found = self.runtime.block_on(repository::list_snapshots(
            &self.objects,
            &self.keys,
            &self.head.id,
        ))?;
        // An older copy of a repository is consistent in itself: only the list of backups seen
        // before reveals it.
        if let Some(missing) = repository::missing_newest(
            context.home.state(),
            &self.head.id,
            &found,
            context.clock.now(),
        )? {
            context.ui.error_line(&format!(
                "chatbot: warning: the repository is an older copy: backup `{}` of {} is missing",
                missing.id,
                missing.created_at.local_minute()
            ));
        }
        Ok(found)
    }

    pub(super) fn source<'a>(&'a self, snapshot: &'a Snapshot) -> BackupSource<'a> {
        BackupSource {
            objects: &self.objects,
            keys: Arc::clone(&self.keys),
            snapshot,
        }
    }

    /// Downloads a backup to the cache, encrypted with a key that exists only in memory. The lock
    /// keeps other processes from using the same file.
    pub(in crate::cli::commands) fn download(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        only: &[String],
        salvage: bool,
    ) -> Result<(DownloadedBackup, fs::FileLock)> {
        let cache = context.home.cache();
        fs::create_private_dir(cache)?;
        let Some(lock) = fs::FileLock::try_acquire(&cache.join("restore.lock"))? else {
            bail!(
                CliError::new(
                    CliExit::Storage,
                    "busy",
                    "another chatbot is restoring right now"
                )
                .hint("wait until it has finished")
            );
        };
        let path = cache.join("restore.backup");
        fs::sweep_drafts(&path)?;
        let (ui, of) = (context.ui, snapshot.conversations);
        let bar = &mut |done: usize| ui.progress("downloaded", done, of);
        let fetched = self.runtime.block_on(repository::download(
            &self.source(snapshot),
            &path,
            only,
            salvage,
            context.clock.now(),
            bar,
        ));
        context.ui.end_progress();
        Ok((fetched?, lock))
    }
}

/// The random id of this installation within a repository, created once.
pub(super) fn home_id(context: &Context) -> Result<Name> {
    let path = context.home.state().join("home-id");
    if let Some(name) = fs::read_at_most(&path, 100)?
        .and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok())
    {
        return Ok(name);
    }
    let made = crate::conversations::new_id()?;
    fs::write(&path, format!("{made}\n").as_bytes())?;
    Ok(made)
}

/// Locks the repository for this installation: two processes of one installation would write the
/// same lease.
pub(super) fn lock_uploads(context: &Context) -> Result<fs::FileLock> {
    fs::FileLock::try_acquire(&context.home.state().join("storage.lock"))?.ok_or_else(|| {
        let busy = CliError::new(
            CliExit::Storage,
            "busy",
            "another chatbot of this installation is using the repository",
        );
        busy.hint("wait until it has finished").into()
    })
}

/// Parses an argument that must be the address of a repository.
pub(super) fn parse_url(url: &Path) -> Result<RepositoryAddress> {
    match parse_address(url)? {
        Some(address) => Ok(address),
        None => bail!(
            CliError::misuse(format!(
                "`{}` is not the address of a repository",
                display_path(url)
            ))
            .hint("use an address with `s3://`, `gs://`, `az://`, `https://` or `file:`")
        ),
    }
}

pub(super) fn format_address(address: &RepositoryAddress) -> String {
    Raw::from(address.to_string()).printable_line()
}

/// The passphrase of an existing backup.
pub(super) fn backup_passphrase(context: &Context, what: &str) -> Result<Secret> {
    passphrase::obtain(context.ui, context.env, what, CliExit::Key)
}

/// Parses the argument as an address, unless it is the path of a file. A folder with a repository
/// in it counts as an address, whatever its name.
pub(in crate::cli::commands) fn parse_address(typed: &Path) -> Result<Option<RepositoryAddress>> {
    if is_repository(typed) {
        return Ok(Some(RepositoryAddress::Folder(typed.to_path_buf())));
    }
    Ok(typed
        .to_str()
        .map(RepositoryAddress::parse)
        .transpose()?
        .flatten())
}
