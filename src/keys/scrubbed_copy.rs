//! The copy of a file from which imported keys were removed: its name and its content.
//!
//! The content is JSON, encrypted with the data key: `{"format":"chatbot-scrubbed 1","path":…,
//! "text":…}`. It lies in the backup folder as `scrubbed-<milliseconds since 1970>.fernet`.

use crate::fs;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

const FORMAT: &str = "chatbot-scrubbed 1";
/// Prefix and suffix of the file name.
const NAME: (&str, &str) = ("scrubbed-", ".fernet");

/// A file as it was before its keys were removed. The text is wiped when it is dropped.
#[derive(Serialize, Deserialize)]
pub(crate) struct ScrubbedCopy {
    format: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl ScrubbedCopy {
    pub(crate) fn new(path: PathBuf, text: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            path,
            text: text.to_owned(),
        }
    }

    /// The content to encrypt. It fails if the path is not UTF-8.
    pub(crate) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        serde_json::to_vec(self).map(Zeroizing::new)
    }

    /// Reads a decrypted copy; `None` if it is something else.
    pub(crate) fn from_json(plain: &[u8]) -> Option<Self> {
        serde_json::from_slice(plain)
            .ok()
            .filter(|copy: &Self| copy.format == FORMAT)
    }
}

impl Drop for ScrubbedCopy {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// The file for a copy that is made now.
pub(crate) fn path_for(folder: &Path, now: Time) -> PathBuf {
    let (prefix, suffix) = NAME;
    folder.join(format!("{prefix}{}{suffix}", now.millis()))
}

/// Every copy in a folder, oldest first.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, fs::Error> {
    let (prefix, suffix) = NAME;
    let mut copies: Vec<PathBuf> = fs::names(folder, suffix)?
        .into_iter()
        .filter(|name| name.starts_with(prefix))
        .map(|name| folder.join(format!("{name}{suffix}")))
        .collect();
    copies.sort();
    Ok(copies)
}
