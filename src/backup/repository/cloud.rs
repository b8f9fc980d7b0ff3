//! Objects in object storage, accessed with the `object_store` crate. Its requests are sent with
//! this program's own HTTP client, so that proxy settings and network rules apply to them.

use crate::backup::repository::Error;
use crate::backup::repository::address::{CloudAddress, CloudKind};
use crate::backup::repository::object::{
    ListedObject, MAX_OBJECT_BYTES, MAX_OBJECTS, NetworkContext,
};
use crate::name::Name;
use crate::net::{self, BaseUrl, NetErrorKind, StorageTransport};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, CopyMode, CopyOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    RetryConfig,
};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A bucket, a container, or a WebDAV folder.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    place: CloudAddress,
    post: StorageConnector,
}

impl Bucket {
    /// Configures the client. Nothing is accessed yet.
    pub(super) fn open(place: &CloudAddress, network: NetworkContext) -> Result<Self, Error> {
        let kind = place.kind;
        let name: Name = kind.as_str().parse().map_err(|_| Error::LeftOut)?;
        let variables = network.variables;
        let login = if kind == CloudKind::WebDav {
            webdav_authorization(&variables)?
        } else {
            None
        };
        let carrier = StorageTransport::new(name.clone(), network.context);
        let post = StorageConnector {
            kind,
            carrier: Arc::new(carrier),
            login,
            failed: Arc::default(),
        };
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(5),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: Duration::from_secs(60),
        };
        // The HTTP client allows plain http for this machine only.
        let options = ClientOptions::new().with_allow_http(true);
        // The builders have the same methods, but no trait in common.
        macro_rules! build {
            ($builder:expr) => {
                Arc::new(
                    $builder
                        .with_client_options(options)
                        .with_retry(retry)
                        .with_http_connector(post.clone())
                        .build()
                        .map_err(|_| Error::Incomplete(kind))?,
                )
            };
        }
        let store: Arc<dyn ObjectStore> = match kind {
            CloudKind::S3 => {
                use AmazonS3ConfigKey::{Bucket, Client, Endpoint, S3Endpoint, StsEndpoint};
                let mut builder = AmazonS3Builder::new().with_bucket_name(&place.bucket);
                for (key, value) in engine_settings(
                    &name,
                    &variables,
                    |key| matches!(key, Client(_) | Bucket),
                    |key| matches!(key, Endpoint | S3Endpoint | StsEndpoint),
                )? {
                    builder = builder.with_config(key, value);
                }
                build!(builder)
            }
            CloudKind::Google => {
                use GoogleConfigKey::{BaseUrl, Bucket, Client};
                let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(&place.bucket);
                for (key, value) in engine_settings(
                    &name,
                    &variables,
                    |key| matches!(key, Client(_) | Bucket),
                    |key| matches!(key, BaseUrl),
                )? {
                    builder = builder.with_config(key, value);
                }
                build!(builder)
            }
            CloudKind::Azure => {
                use AzureConfigKey::{Client, ContainerName, Endpoint, UseAzureCli};
                let mut builder = MicrosoftAzureBuilder::new().with_container_name(&place.bucket);
                for (key, value) in engine_settings(
                    &name,
                    &variables,
                    |key| matches!(key, Client(_) | ContainerName | UseAzureCli),
                    |key| matches!(key, Endpoint),
                )? {
                    builder = builder.with_config(key, value);
                }
                build!(builder)
            }
            CloudKind::WebDav => {
                BaseUrl::parse(&name, &place.bucket)?;
                build!(HttpBuilder::new().with_url(&place.bucket))
            }
        };
        Ok(Self {
            store,
            place: place.clone(),
            post,
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(if self.place.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.place.prefix)
        })
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<ListedObject>, Error> {
        let folder = self.path(folder);
        let mut listed = Vec::new();
        if self.place.kind == CloudKind::WebDav {
            // Few WebDAV servers list recursively, and one level is enough.
            match self.store.list_with_delimiter(Some(&folder)).await {
                Err(object_store::Error::NotFound { .. }) => {}
                level => {
                    level
                        .map_err(|e| self.map_error(&e))?
                        .objects
                        .iter()
                        .try_for_each(|meta| collect_listed(&mut listed, &folder, meta))?;
                }
            }
        } else {
            let mut all = self.store.list(Some(&folder));
            while let Some(meta) = all.try_next().await.map_err(|e| self.map_error(&e))? {
                collect_listed(&mut listed, &folder, &meta)?;
            }
        }
        Ok(listed)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let bytes = match self.store.get(&self.path(name)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.map_error(&error)),
        }
    }

    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.store
            .put(&self.path(name), bytes.into())
            .await
            .map(drop)
            .map_err(|e| self.map_error(&e))
    }

    pub(super) async fn put_if_absent(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let done = if self.place.kind == CloudKind::WebDav {
            // WebDAV has no conditional PUT, but a conditional COPY.
            let draft = self.path(&format!("{name}.{}", crate::conversations::new_id()?));
            self.store
                .put(&draft, bytes.into())
                .await
                .map_err(|e| self.map_error(&e))?;
            let copied = self
                .store
                .copy_opts(
                    &draft,
                    &self.path(name),
                    CopyOptions::new().with_mode(CopyMode::Create),
                )
                .await;
            self.store
                .delete(&draft)
                .await
                .map_err(|e| self.map_error(&e))?;
            copied
        } else {
            let first = self
                .store
                .put_opts(
                    &self.path(name),
                    bytes.clone().into(),
                    PutMode::Create.into(),
                )
                .await
                .map(drop);
            match first {
                // The server does not support conditional puts (501). The last writer wins; both
                // read the object back and use what they find.
                Err(error) if StorageRefusal::find_in(&error).is_some_and(|r| r.status == 501) => {
                    self.store
                        .put(&self.path(name), bytes.into())
                        .await
                        .map(drop)
                }
                other => other,
            }
        };
        match done {
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(()),
            other => other.map_err(|e| self.map_error(&e)),
        }
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&self.path(name)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => other.map_err(|e| self.map_error(&e)),
        }
    }

    /// Converts an error, without any text of request or response, which can contain credentials.
    fn map_error(&self, error: &object_store::Error) -> Error {
        let kind = self.place.kind;
        if let Some(refusal) = StorageRefusal::find_in(error) {
            let StorageRefusal { status, code } = refusal.clone();
            return match status {
                0 => Error::NoCredentials(kind),
                404 => Error::NoBucket(code),
                401 | 403 => Error::Refused { kind, status, code },
                _ => Error::Failed { kind, status, code },
            };
        }
        if let Some(error) = find_cause::<net::Error>(error) {
            return Error::Network(error.clone());
        }
        match self.post.failed.load(Ordering::Relaxed) {
            0 => Error::UnexpectedReply(kind),
            status => Error::Failed {
                kind,
                status,
                code: String::new(),
            },
        }
    }
}

/// Adds an object that is directly in the folder, not in a subfolder.
fn collect_listed(
    listed: &mut Vec<ListedObject>,
    folder: &Path,
    meta: &ObjectMeta,
) -> Result<(), Error> {
    let name = meta
        .location
        .as_ref()
        .strip_prefix(folder.as_ref())
        .and_then(|rest| rest.strip_prefix('/'));
    if let Some(name) = name.filter(|name| !name.contains('/')) {
        listed.push(ListedObject {
            name: name.to_owned(),
            bytes: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
        });
    }
    if listed.len() < MAX_OBJECTS {
        Ok(())
    } else {
        Err(Error::TooLarge)
    }
}

/// The settings of the engine that environment variables contain. Those that `is_fixed` are decided
/// by the address of the repository or by this program.
fn engine_settings<'a, K: FromStr>(
    name: &Name,
    variables: &'a [(String, Secret)],
    is_fixed: impl Fn(&K) -> bool,
    is_address: impl Fn(&K) -> bool,
) -> Result<Vec<(K, &'a str)>, Error> {
    let mut settings = Vec::new();
    for (variable, value) in variables {
        if let Ok(key) = variable.to_ascii_lowercase().parse::<K>()
            && !is_fixed(&key)
        {
            let value = checked_variable(name, variable, value, is_address(&key))?;
            settings.push((key, value));
        }
    }
    Ok(settings)
}

/// The value of a variable. A URL is checked before anything is sent there.
fn checked_variable<'a>(
    name: &Name,
    variable: &str,
    value: &'a Secret,
    is_address: bool,
) -> Result<&'a str, Error> {
    let value = value.expose();
    if is_address {
        BaseUrl::parse(name, value).map_err(|_| {
            Error::Setting(format!(
                "`{variable}` must be a URL such as `https://storage.example.org` (plain http is accepted for this machine only)"
            ))
        })?;
    }
    Ok(value)
}

/// The `Authorization` header for WebDAV, from user and password or from a token.
fn webdav_authorization(
    variables: &[(String, Secret)],
) -> Result<Option<Arc<http::HeaderValue>>, Error> {
    let value = |name: &str| {
        variables
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.expose())
    };
    let text = match (
        value("WEBDAV_USERNAME"),
        value("WEBDAV_PASSWORD"),
        value("WEBDAV_TOKEN"),
    ) {
        (Some(user), Some(password), _) => zeroize::Zeroizing::new(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        )),
        (None, None, Some(token)) => zeroize::Zeroizing::new(format!("Bearer {token}")),
        (None, None, None) => return Ok(None),
        _ => {
            return Err(Error::Setting(
                "`WEBDAV_USERNAME` and `WEBDAV_PASSWORD` must be set together".to_owned(),
            ));
        }
    };
    let mut header = http::HeaderValue::from_str(&text).map_err(|_| {
        Error::Setting(
            "`WEBDAV_USERNAME`, `WEBDAV_PASSWORD` or `WEBDAV_TOKEN` contains a character that is not allowed in a header".to_owned(),
        )
    })?;
    header.set_sensitive(true);
    Ok(Some(Arc::new(header)))
}

/// Sends the requests of the `object_store` crate.
#[derive(Clone)]
struct StorageConnector {
    kind: CloudKind,
    carrier: Arc<StorageTransport>,
    login: Option<Arc<http::HeaderValue>>,
    /// The last HTTP status with which the server reported a failure.
    failed: Arc<AtomicU16>,
}

impl fmt::Debug for StorageConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageConnector")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for StorageConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for StorageConnector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if let Some(login) = &self.login {
            parts
                .headers
                .insert(http::header::AUTHORIZATION, http::HeaderValue::clone(login));
        }
        let makes_folder = parts.method.as_str() == "MKCOL";
        let answer = self
            .carrier
            .execute(
                http::Request::from_parts(parts, body.to_vec()),
                MAX_OBJECT_BYTES + (1 << 20),
            )
            .await;
        let (mut parts, body) = answer.map_err(to_engine_error)?.into_parts();
        if makes_folder && parts.status == http::StatusCode::METHOD_NOT_ALLOWED {
            // The folder exists, possibly created by another process: treat it as success.
            parts.status = http::StatusCode::CREATED;
        }
        let status = parts.status.as_u16();
        match status {
            ..300 | 304 | 409 | 412 | 416 => {}
            404 | 405 if !is_missing_bucket(&body) => {}
            408 | 429 | 500.. if status != 501 => self.failed.store(status, Ordering::Relaxed),
            // Errors of the crate quote the response, which can quote the credentials.
            _ => {
                return Err(HttpError::new(
                    HttpErrorKind::Unknown,
                    StorageRefusal {
                        status,
                        code: error_code(&body),
                    },
                ));
            }
        }
        Ok(http::Response::from_parts(
            parts,
            HttpResponseBody::from(body),
        ))
    }
}

fn is_missing_bucket(body: &[u8]) -> bool {
    matches!(
        error_code(body).as_str(),
        "NoSuchBucket" | "ContainerNotFound" | "BucketNotFound"
    )
}

/// The error code of the server, if it consists of letters and digits only.
fn error_code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let word = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("", |(word, _)| word);
    if word.len() <= 60 && word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        word.to_owned()
    } else {
        String::new()
    }
}

/// A request that the server refused. Status 0: it was not sent, because there are no credentials.
#[derive(Clone, Debug, thiserror::Error)]
#[error("refused")]
struct StorageRefusal {
    status: u16,
    code: String,
}

impl StorageRefusal {
    fn find_in(error: &object_store::Error) -> Option<&Self> {
        find_cause(error)
    }
}

/// Hands an error of the network to the crate, which repeats some requests by its kind.
fn to_engine_error(error: net::Error) -> HttpError {
    let kind = match error.kind() {
        // The crate asks the metadata server of cloud machines for credentials, at a plain http
        // URL. This is not supported.
        NetErrorKind::PlainHttp => {
            return HttpError::new(
                HttpErrorKind::Unknown,
                StorageRefusal {
                    status: 0,
                    code: String::new(),
                },
            );
        }
        NetErrorKind::Timeout => HttpErrorKind::Timeout,
        NetErrorKind::Reset | NetErrorKind::Truncated => HttpErrorKind::Interrupted,
        NetErrorKind::Dns | NetErrorKind::Refused | NetErrorKind::Proxy | NetErrorKind::Connect
            if error.is_retryable() =>
        {
            HttpErrorKind::Connect
        }
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// Finds an error of this program among the causes of an error of the crate.
fn find_cause<T: std::error::Error + 'static>(error: &object_store::Error) -> Option<&T> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = next {
        if let Some(ours) = one.downcast_ref() {
            return Some(ours);
        }
        next = one.source();
    }
    None
}
