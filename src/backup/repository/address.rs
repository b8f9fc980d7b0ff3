//! Addresses of backup repositories: `s3://`, `gs://`, `az://`, `https://` (WebDAV) and `file:`.

use crate::backup::repository::Error;
use std::fmt;
use std::path::PathBuf;

/// The address of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryAddress {
    /// A folder: `file:/media/stick/backups`.
    Folder(PathBuf),
    /// Object storage in the network.
    Cloud(CloudAddress),
}

/// The address of object storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudAddress {
    /// The protocol.
    pub kind: CloudKind,
    /// The bucket or container; for WebDAV the URL without its path.
    pub bucket: String,
    /// The path within the bucket; can be empty.
    pub prefix: String,
}

/// The protocol of object storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudKind {
    /// Amazon S3 and compatible servers.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// WebDAV.
    WebDav,
}

impl CloudKind {
    /// The URL scheme, for messages and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
            Self::WebDav => "webdav",
        }
    }
}

impl RepositoryAddress {
    /// Parses an address; `None` if it is the path of a file or folder.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if let Some(path) = text.strip_prefix("file:") {
            return parse_folder(path).map(Some);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(None);
        };
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
        {
            return Ok(None);
        }
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "s3" => CloudKind::S3,
            "gs" => CloudKind::Google,
            "az" => CloudKind::Azure,
            "https" | "http" => CloudKind::WebDav,
            other => return Err(Error::Scheme(other.to_owned())),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(Error::Credentials);
        }
        if rest.contains(['?', '#']) {
            return Err(Error::Address("contains a `?` or `#`"));
        }
        if !host.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || b"._-".contains(&b)
                || kind == CloudKind::WebDav && b":[]".contains(&b)
        }) {
            return Err(Error::Address(
                "contains an invalid character in the name of the bucket or host",
            ));
        }
        if host.is_empty() || host.starts_with('.') {
            return Err(Error::Address("contains no bucket or host"));
        }
        let bucket = if kind == CloudKind::WebDav {
            format!("{}://{host}", scheme.to_ascii_lowercase())
        } else {
            host.to_owned()
        };
        Ok(Some(Self::Cloud(CloudAddress {
            kind,
            bucket,
            prefix: parse_prefix(path)?,
        })))
    }
}

fn parse_folder(path: &str) -> Result<RepositoryAddress, Error> {
    let path = match path.strip_prefix("//") {
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) => {
            return Err(Error::Address(
                "names another machine; use `file:///path` for a folder of this one",
            ));
        }
        None => path,
    };
    if path.is_empty() || path.contains('\0') {
        return Err(Error::Address("contains no folder"));
    }
    Ok(RepositoryAddress::Folder(PathBuf::from(path)))
}

/// Checks a path: it can contain only characters that all servers interpret in the same way.
fn parse_prefix(path: &str) -> Result<String, Error> {
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    for word in &words {
        let plain = word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-+=,@!".contains(&b));
        if !plain || *word == "." || *word == ".." {
            return Err(Error::Address(
                "contains characters in its path other than letters, digits and `._-+=,@!`",
            ));
        }
    }
    Ok(words.join("/"))
}

impl fmt::Display for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file:{}", path.display()),
            Self::Cloud(cloud) => cloud.fmt(f),
        }
    }
}

impl fmt::Display for CloudAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CloudKind::WebDav => write!(f, "{}", self.bucket)?,
            kind => write!(f, "{}://{}", kind.as_str(), self.bucket)?,
        }
        if self.prefix.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_normalized() {
        for (given, want) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("S3://bucket/a//b/", "s3://bucket/a/b"),
            ("gs://my_bucket/chat", "gs://my_bucket/chat"),
            ("az://container/x", "az://container/x"),
            (
                "https://dav.example.org/remote.php/dav/files/me",
                "https://dav.example.org/remote.php/dav/files/me",
            ),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("file:/media/stick", "file:/media/stick"),
            ("file:///media/a stick", "file:/media/a stick"),
            ("file:here", "file:here"),
        ] {
            assert_eq!(
                RepositoryAddress::parse(given)
                    .unwrap()
                    .unwrap()
                    .to_string(),
                want,
                "{given}"
            );
        }
        for path in ["a.backup", "/tmp/x", "C:\\x", "a b://c", "://x"] {
            assert_eq!(RepositoryAddress::parse(path).unwrap(), None, "{path}");
        }
    }

    #[test]
    fn repository_address_with_secret_is_refused() {
        for given in [
            "s3://key:canary@bucket/x",
            "https://me:canary@example.org/",
            "https://me@example.org",
        ] {
            let error = RepositoryAddress::parse(given).unwrap_err();
            assert!(
                matches!(error, Error::Credentials) && !error.to_string().contains("canary"),
                "{given}"
            );
        }
        for given in [
            "s3://",
            "s3:///x",
            "s3://b/../c",
            "s3://b/a%2e",
            "s3://b/a b",
            "s3://b/\u{e4}",
            "s3://b:80/",
            "https://h/x?sig=1",
            "az://c/x#y",
            "file:",
            "file://host/x",
        ] {
            assert!(
                matches!(RepositoryAddress::parse(given), Err(Error::Address(_))),
                "{given}"
            );
        }
        assert!(matches!(
            RepositoryAddress::parse("ftp://x/y"),
            Err(Error::Scheme(_))
        ));
    }
}
