//! What the errors of object storage mean to people.

use super::report::{Exit, Meaning, meaning};
use crate::upkeep::backup::store::{Error, Kind};

const ADDRESSES: &str = "name `s3://bucket/path`, `gs://`, `az://`, `https://` (WebDAV), `file:/folder`, or the path of a file";

/// What an error means, and what to do.
pub(crate) fn explain(error: &Error) -> Meaning {
    match error {
        // The cause says more.
        Error::Backup(_) => None,
        Error::Scheme(_) | Error::Address(_) => meaning(Exit::Misuse, "bad_address", ADDRESSES),
        Error::Credentials => {
            meaning(Exit::Misuse, "credentials_in_address", "take them out: they belong into variables, and these may have been seen")
        }
        Error::LeftOut => meaning(Exit::Misuse, "left_out", "back up to a file or to `file:`, and copy that: it is sealed"),
        Error::Setting(_) => meaning(Exit::Misuse, "bad_variable", "set it anew, or unset it"),
        Error::NoCredentials(kind) | Error::Incomplete(kind) => meaning(Exit::Key, "no_credentials", variables(*kind)),
        Error::Refused { kind, status, .. } => meaning(Exit::Key, "credentials_refused", refused(*kind, *status)),
        Error::NoBucket(_) => meaning(Exit::Misuse, "no_bucket", "make it first, or mend its name"),
        Error::Failed { status: 301 | 302 | 307 | 308, .. } => {
            meaning(Exit::Network, "elsewhere", "it is elsewhere: for S3 set `AWS_REGION`, for others mend the address")
        }
        Error::Failed { status: 400, code, .. } if code == "AuthorizationHeaderMalformed" => {
            meaning(Exit::Network, "elsewhere", "it is in another region: set `AWS_REGION`")
        }
        Error::Odd(_) => meaning(Exit::Network, "storage_odd", "check the address: something else may be there"),
        Error::Failed { .. } => meaning(Exit::Network, "storage_failed", "try again: what has been sent is not sent twice"),
        #[cfg(feature = "object-storage")]
        Error::Network(error) => {
            let (exit, code, _) = super::network::explain(error)?;
            meaning(exit, code, network(error.kind()))
        }
        Error::Nothing => meaning(Exit::Misuse, "no_backup", "check the address; `chatbot backup URL` makes the first"),
        Error::NoSnapshot(_) | Error::Ambiguous(_) => meaning(Exit::Misuse, "no_such_backup", "`chatbot backup list URL` shows them all"),
        Error::Damaged(_) | Error::Missing(_) | Error::Strange(_) | Error::TooMuch | Error::Unlike(_) => meaning(
            Exit::Storage,
            "backup_damaged",
            "nothing has been changed; take another with `--snapshot`, bring back what opens with `chatbot restore URL --salvage`, or send \
             everything anew with `chatbot backup --again URL`",
        ),
        Error::Uploading => {
            meaning(Exit::Storage, "busy", "wait for its end, or bring it to one with `chatbot backup URL`; after a day it counts no more")
        }
        Error::Pruning => meaning(Exit::Storage, "busy", "wait for its end; if it was broken off, it counts no more after an hour"),
        Error::Slept => meaning(Exit::Storage, "interrupted", "run it again: it goes on where it was"),
        Error::Unknown(_) => meaning(Exit::Storage, "backup_damaged", "remove that backup by the storage's own means, if it is to go"),
    }
}

const fn variables(kind: Kind) -> &'static str {
    match kind {
        Kind::S3 => {
            "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (`AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` where needed)"
        }
        Kind::Google => "set `GOOGLE_APPLICATION_CREDENTIALS` to the file of a service account",
        Kind::Azure => "set `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, or `AZURE_STORAGE_SAS_TOKEN`",
        Kind::WebDav => "set `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`, or `WEBDAV_TOKEN`",
    }
}

const fn refused(kind: Kind, status: u16) -> &'static str {
    match (kind, status) {
        (Kind::S3, _) => "check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, and what they may do in this bucket",
        (Kind::Google, _) => "check `GOOGLE_APPLICATION_CREDENTIALS`, and what that account may do in this bucket",
        (Kind::Azure, _) => "check `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, and what they may do in this container",
        (Kind::WebDav, _) => "check `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`, and what they may do in this folder",
    }
}

#[cfg(feature = "object-storage")]
const fn network(kind: crate::provider::Kind) -> &'static str {
    use crate::provider::Kind as Trouble;
    match kind {
        Trouble::Tls => {
            "if a certificate authority of your own is used here, name it in `SSL_CERT_FILE`; verification cannot be switched off"
        }
        Trouble::PlainHttp => "use https; plain http is for this machine only",
        Trouble::BadNet => "check `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY`",
        Trouble::BadAddress => ADDRESSES,
        _ => "check the network and the address, and try again: what has been sent is not sent twice",
    }
}
