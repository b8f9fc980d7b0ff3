//! The hint for each error of object storage.

use crate::backup::repository::{CloudKind, Error};
#[cfg(feature = "object-storage")]
use crate::cli::errors::network::explain_kind;
use crate::cli::errors::{CliExit, Diagnosis, diagnosis};
#[cfg(feature = "object-storage")]
use crate::net::NetErrorKind;

const ADDRESSES: &str = "name `s3://bucket/path`, `gs://`, `az://`, `https://` (WebDAV), `file:/folder`, or the path of a file";

/// The exit code and the hint for an error of object storage.
pub(crate) fn explain_storage(error: &Error) -> Diagnosis {
    match error {
        // The cause has its own row.
        Error::Backup(_) => None,
        Error::Scheme(_) | Error::Address(_) => {
            diagnosis(CliExit::Misuse, "bad_address", ADDRESSES)
        }
        Error::Credentials => diagnosis(
            CliExit::Misuse,
            "credentials_in_address",
            "remove them: credentials belong in environment variables, and these may have been seen",
        ),
        Error::LeftOut => diagnosis(
            CliExit::Misuse,
            "skipped",
            "back up to a file or to `file:`, and copy that: it is encrypted",
        ),
        Error::Setting(_) => diagnosis(CliExit::Misuse, "bad_variable", "change it, or unset it"),
        Error::NoCredentials(kind) | Error::Incomplete(kind) => {
            diagnosis(CliExit::Key, "no_credentials", credential_hint(*kind))
        }
        Error::Refused { kind, status, .. } => diagnosis(
            CliExit::Key,
            "credentials_refused",
            refusal_hint(*kind, *status),
        ),
        Error::NoBucket(_) => diagnosis(
            CliExit::Misuse,
            "no_bucket",
            "create it first, or fix its name",
        ),
        Error::Failed {
            status: 301 | 302 | 307 | 308,
            ..
        } => diagnosis(
            CliExit::Network,
            "elsewhere",
            "it is elsewhere: for S3 set `AWS_REGION`, for others fix the address",
        ),
        Error::Failed {
            status: 400, code, ..
        } if code == "AuthorizationHeaderMalformed" => diagnosis(
            CliExit::Network,
            "elsewhere",
            "it is in another region: set `AWS_REGION`",
        ),
        Error::UnexpectedReply(_) => diagnosis(
            CliExit::Network,
            "storage_odd",
            "check the address: it may be another kind of server",
        ),
        Error::Failed { .. } => diagnosis(
            CliExit::Network,
            "storage_failed",
            "try again: uploaded data is not sent twice",
        ),
        #[cfg(feature = "object-storage")]
        Error::Network(error) => {
            let (exit, code, _) = explain_kind(error.kind().into())?;
            diagnosis(exit, code, network_hint(error.kind()))
        }
        Error::NoRepository => diagnosis(
            CliExit::Misuse,
            "no_backup",
            "check the address, or create the first backup with `chatbot backup URL`",
        ),
        Error::NoSnapshot(_) | Error::Ambiguous(_) => diagnosis(
            CliExit::Misuse,
            "no_such_backup",
            "list them with `chatbot backup list URL`",
        ),
        Error::Damaged(_)
        | Error::Missing(_)
        | Error::UnknownPayload(_)
        | Error::TooLarge
        | Error::ReadBackMismatch(_) => diagnosis(
            CliExit::Storage,
            "backup_damaged",
            "nothing was changed; choose another with `--snapshot`, restore what can be decrypted with `chatbot restore URL --salvage`, or \
             upload everything again with `chatbot backup --reupload URL`",
        ),
        Error::Uploading => diagnosis(
            CliExit::Storage,
            "busy",
            "wait until it has finished, or finish it with `chatbot backup URL`; it is ignored after a day",
        ),
        Error::Pruning => diagnosis(
            CliExit::Storage,
            "busy",
            "wait until it has finished; if it was interrupted, it is ignored after an hour",
        ),
        Error::LeaseExpired => diagnosis(
            CliExit::Storage,
            "interrupted",
            "run it again: it continues where it stopped",
        ),
        Error::Unknown(_) => diagnosis(
            CliExit::Storage,
            "backup_damaged",
            "to delete that backup, use the storage's own tools",
        ),
    }
}

const fn credential_hint(kind: CloudKind) -> &'static str {
    match kind {
        CloudKind::S3 => {
            "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (`AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` where needed)"
        }
        CloudKind::Google => {
            "set `GOOGLE_APPLICATION_CREDENTIALS` to the file of a service account"
        }
        CloudKind::Azure => {
            "set `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, or `AZURE_STORAGE_SAS_TOKEN`"
        }
        CloudKind::WebDav => "set `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`, or `WEBDAV_TOKEN`",
    }
}

const fn refusal_hint(kind: CloudKind, status: u16) -> &'static str {
    match (kind, status) {
        (CloudKind::S3, _) => {
            "check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, and their permissions for this bucket"
        }
        (CloudKind::Google, _) => {
            "check `GOOGLE_APPLICATION_CREDENTIALS`, and that account's permissions for this bucket"
        }
        (CloudKind::Azure, _) => {
            "check `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, and their permissions for this container"
        }
        (CloudKind::WebDav, _) => {
            "check `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`, and their permissions for this folder"
        }
    }
}

#[cfg(feature = "object-storage")]
const fn network_hint(kind: NetErrorKind) -> &'static str {
    match kind {
        NetErrorKind::Tls => {
            "if you use your own certificate authority, set `SSL_CERT_FILE`; verification cannot be turned off"
        }
        NetErrorKind::PlainHttp => "use https; plain http is allowed for this machine only",
        NetErrorKind::BadNetworkConfig => "check `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY`",
        NetErrorKind::BadAddress => ADDRESSES,
        _ => "check the network and the address, and try again: uploaded data is not sent twice",
    }
}
