//! `OpenRouter` key management with a management key (create, find, disable, delete), and the code
//! exchange at the end of a login.

use crate::catalog::Endpoint;
use crate::crypto::encoding::hex;
use crate::net::{AuthHeader, BodyKind, HttpContext, HttpMethod, HttpReply};
use crate::provider::client::ProviderClient;
use crate::provider::error::{Error, ProviderErrorKind};
use crate::provider::error_body::error_from_response;
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Keys on one page of the list.
const PAGE_SIZE: usize = 100;
/// An upper limit far above any real account, so that a server cannot keep the client listing
/// forever.
const MAX_PAGES: usize = 100;

/// A key as the account lists it; never the key itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ManagedKey {
    /// Its id in requests.
    pub hash: String,
    /// The name given by the user.
    #[serde(default)]
    pub name: String,
    /// The provider's masked form.
    #[serde(default)]
    pub label: String,
    /// Whether it is disabled.
    #[serde(default)]
    pub disabled: bool,
    /// The spending limit: a number of dollars, or null.
    #[serde(default)]
    pub limit: serde_json::Value,
    /// How often the limit resets.
    #[serde(default)]
    pub limit_reset: Option<String>,
    /// When it expires.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Whether usage of the user's own upstream keys counts towards the limit.
    #[serde(default)]
    pub include_byok_in_limit: Option<bool>,
    /// Its workspace.
    #[serde(default)]
    pub workspace_id: Option<String>,
}

impl ManagedKey {
    /// Whether its masked form, `sk-or-v1-0a1...9f0`, matches this key.
    #[must_use]
    pub fn is_mask_of(&self, key: &Secret) -> bool {
        let text = key.expose();
        self.label.split_once("...").is_some_and(|(begin, end)| {
            begin.len() >= 12 && text.starts_with(begin) && text.ends_with(end)
        })
    }
}

/// Manages the keys of one account.
#[derive(Debug)]
pub struct OpenRouterAdmin<'a> {
    client: ProviderClient,
    key: &'a Secret,
}

/// The hash that identifies a key, computed as the provider's links do.
#[must_use]
pub(in crate::provider) fn key_hash(key: &Secret) -> String {
    hex(&Sha256::digest(key.expose().as_bytes()))
}

impl<'a> OpenRouterAdmin<'a> {
    /// Creates a manager with a management key.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, context: HttpContext) -> Result<Self, Error> {
        Ok(Self {
            client: ProviderClient::new(endpoint, context)?,
            key,
        })
    }

    /// All keys of the account, including disabled ones.
    pub async fn list(&self) -> Result<Vec<ManagedKey>, Error> {
        #[derive(Deserialize)]
        struct KeyPage {
            data: Vec<ManagedKey>,
        }
        let mut all = Vec::new();
        for page in 0..MAX_PAGES {
            let path = format!("/keys?include_disabled=true&offset={}", page * PAGE_SIZE);
            let KeyPage { data } = self.read(&path).await?;
            let last = data.len() < PAGE_SIZE;
            all.extend(data);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// The key with this hash; `None` if the account has none.
    pub async fn find(&self, hash: &str) -> Result<Option<ManagedKey>, Error> {
        #[derive(Deserialize)]
        struct SingleKey {
            data: ManagedKey,
        }
        match self.read::<SingleKey>(&format!("/keys/{hash}")).await {
            Ok(SingleKey { data }) => Ok(Some(data)),
            Err(error) if error.kind() == ProviderErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a key with this name and the permissions of `compatible_with`.
    pub async fn create(
        &self,
        name: &str,
        like: &ManagedKey,
    ) -> Result<(ManagedKey, Secret), Error> {
        #[derive(Deserialize)]
        struct CreatedKey {
            data: ManagedKey,
            #[serde(default)]
            key: Option<String>,
        }
        #[derive(Deserialize)]
        struct CreatedData {
            data: CreatedInner,
        }
        #[derive(Deserialize)]
        struct CreatedInner {
            key: String,
        }
        let mut options = json!({ "name": name });
        if let Some(options) = options.as_object_mut() {
            let carried = [
                ("limit", like.limit.clone()),
                ("limit_reset", json!(like.limit_reset)),
                ("expires_at", json!(like.expires_at)),
                ("include_byok_in_limit", json!(like.include_byok_in_limit)),
                ("workspace_id", json!(like.workspace_id)),
            ];
            options.extend(
                carried
                    .into_iter()
                    .filter(|(_, v)| !v.is_null())
                    .map(|(k, v)| (k.to_owned(), v)),
            );
        }
        let body = change(
            &self.client,
            HttpMethod::Post,
            "/keys",
            Some(self.key),
            Some(options.to_string()),
        )
        .await?;
        let made: CreatedKey =
            serde_json::from_slice(&body).map_err(|_| self.unexpected_reply())?;
        // The key is returned once, either at the top level or in the data.
        let key = match made.key {
            Some(key) => key,
            None => {
                serde_json::from_slice::<CreatedData>(&body)
                    .map_err(|_| self.unexpected_reply())?
                    .data
                    .key
            }
        };
        Ok((made.data, Secret::new(key)))
    }

    /// Disables a key, or enables it again.
    pub async fn disable(&self, hash: &str, disabled: bool) -> Result<(), Error> {
        let body = json!({ "disabled": disabled }).to_string();
        change(
            &self.client,
            HttpMethod::Patch,
            &format!("/keys/{hash}"),
            Some(self.key),
            Some(body),
        )
        .await
        .map(drop)
    }

    /// Deletes a key permanently. A key that does not exist is not an error.
    pub async fn delete(&self, hash: &str) -> Result<(), Error> {
        match change(
            &self.client,
            HttpMethod::Delete,
            &format!("/keys/{hash}"),
            Some(self.key),
            None,
        )
        .await
        {
            Err(error) if error.kind() == ProviderErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, Error> {
        let body = get(&self.client, path, self.key).await?;
        serde_json::from_slice(&body).map_err(|_| self.unexpected_reply())
    }

    fn unexpected_reply(&self) -> Error {
        self.client.error(
            ProviderErrorKind::Malformed,
            "sent an answer that cannot be parsed",
        )
    }
}

/// Asks for something; its whole answer.
pub(in crate::provider) async fn get(
    client: &ProviderClient,
    path: &str,
    key: &Secret,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    client
        .http
        .short(async {
            let reply = client
                .http
                .get(&client.http.base_url, path, AuthHeader::BEARER, Some(key))
                .await?;
            read_reply(client, reply, Some(key)).await
        })
        .await
}

/// Changes something; the whole answer to that.
pub(in crate::provider) async fn change(
    client: &ProviderClient,
    verb: HttpMethod,
    path: &str,
    key: Option<&Secret>,
    body: Option<String>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    client
        .http
        .short(async {
            let reply = client.http.send_once(verb, path, key, body).await?;
            read_reply(client, reply, key).await
        })
        .await
}

/// The whole body of an answer that is not a refusal.
async fn read_reply(
    client: &ProviderClient,
    mut reply: HttpReply<'_>,
    key: Option<&Secret>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if !matches!(reply.status(), 200 | 201 | 204) {
        return Err(error_from_response(client, reply, key).await);
    }
    reply.reject_compressed()?;
    match reply.body_kind() {
        BodyKind::Json | BodyKind::Unknown => {
            let body = reply.read_all(client.http.size_limits().whole).await?;
            Ok(Zeroizing::new(body))
        }
        _ => Err(client.error(
            ProviderErrorKind::NotJson,
            "answered with something that is not JSON",
        )),
    }
}

/// Ends a login: exchanges the code from the browser and the PKCE verifier for a key.
pub async fn exchange_code(
    endpoint: &Endpoint,
    code: &Secret,
    verifier: &Secret,
    context: HttpContext,
) -> Result<Secret, Error> {
    #[derive(Deserialize)]
    struct ExchangedKey {
        key: String,
    }
    let client = ProviderClient::new(endpoint, context)?;
    let body = json!({ "code": code.expose(), "code_verifier": verifier.expose(), "code_challenge_method": "S256" });
    let body = change(
        &client,
        HttpMethod::Post,
        "/auth/keys",
        None,
        Some(body.to_string()),
    )
    .await?;
    let made: ExchangedKey = serde_json::from_slice(&body).map_err(|_| {
        client.error(
            ProviderErrorKind::Malformed,
            "answered with something that is not a key",
        )
    })?;
    Ok(Secret::new(made.key))
}
