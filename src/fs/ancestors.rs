//! Checks the folders above the data: a user who can rename one of them can substitute all files
//! below it.

use crate::fs::Error;
#[cfg(unix)]
use crate::fs::permissions::own_uid;
use std::fs;
use std::path::Path;

/// Checks the parent folder of a user-edited file, if it exists: others may read it, but must not
/// be able to replace entries.
pub fn check_parent_dir(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    if let Ok(meta) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        // In a sticky folder such as `/tmp` everyone can create files, but rename only their own.
        let (sticky, theirs) = (meta.mode() & 0o1000 != 0, meta.mode() & 0o022 != 0);
        if theirs && !sticky {
            return Err(Error::TooPermissive {
                path: path.to_path_buf(),
                mode: meta.mode() & 0o777,
                should: 0o700,
            });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Checks a private folder and all folders above it: another user who can rename one of them can
/// replace the home.
///
/// Accepts folders of this user and of root that only their owner can write to, and sticky ones such
/// as `/tmp`, where users can rename only their own files. The owner of a folder can always rename
/// what is in it, sticky or not.
pub fn inspect_ancestors(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Of a missing path, check the part that exists. Follow links, because the real location
        // counts.
        let (exists, real) = match fs::canonicalize(path) {
            Ok(real) => (true, Some(real)),
            Err(_) => (
                false,
                path.ancestors()
                    .find_map(|part| fs::canonicalize(part).ok()),
            ),
        };
        for (above, folder) in real.iter().flat_map(|real| real.ancestors()).enumerate() {
            let Ok(meta) = fs::metadata(folder) else {
                continue;
            };
            if meta.uid() != 0 && meta.uid() != own_uid() {
                return Err(Error::ForeignAncestor {
                    path: folder.to_path_buf(),
                    uid: meta.uid(),
                });
            }
            // Homes are often open to a group of which the user is the only member. Our own folder never is.
            let others = if exists && above == 0 { 0o022 } else { 0o002 };
            if meta.mode() & others != 0 && meta.mode() & 0o1000 == 0 {
                if exists && above == 0 {
                    return Err(Error::TooPermissive {
                        path: path.to_path_buf(),
                        mode: meta.mode() & 0o777,
                        should: 0o700,
                    });
                }
                return Err(Error::Ancestor {
                    path: folder.to_path_buf(),
                    mode: meta.mode() & 0o777,
                });
            }
        }
    }
    #[cfg(not(unix))]
    let _no_modes_here = path;
    Ok(())
}
