//! `OpenRouter` key management with a management key (create, find, disable, delete), and the code
//! exchange at the end of a login.

use super::error::{Error, Kind};
use super::http::{Auth, Line, Reach, Reply, Sort, Verb};
use super::refusal::refused;
use crate::catalog::Endpoint;
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Keys on one page of the list.
const PAGE: usize = 100;
/// An upper limit far above any real account, so that a server cannot keep the client listing
/// forever.
const MOST_PAGES: usize = 100;

/// A key as the account lists it; never the key itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Managed {
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

impl Managed {
    /// Whether its masked form, `sk-or-v1-0a1...9f0`, matches this key.
    #[must_use]
    pub fn is_mask_of(&self, key: &Secret) -> bool {
        let text = key.expose();
        self.label.split_once("...").is_some_and(|(begin, end)| begin.len() >= 12 && text.starts_with(begin) && text.ends_with(end))
    }
}

/// Manages the keys of one account.
#[derive(Debug)]
pub struct Manager<'a> {
    line: Line,
    key: &'a Secret,
}

/// The hash that identifies a key, computed as the provider's links do.
#[must_use]
pub(super) fn hash_of(key: &Secret) -> String {
    Sha256::digest(key.expose().as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

impl<'a> Manager<'a> {
    /// Creates a manager with a management key.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, reach: Reach) -> Result<Self, Error> {
        Ok(Self { line: Line::new(endpoint, reach)?, key })
    }

    /// All keys of the account, including disabled ones.
    pub async fn list(&self) -> Result<Vec<Managed>, Error> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<Managed>,
        }
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let path = format!("/keys?include_disabled=true&offset={}", page * PAGE);
            let Page { data } = self.read(&path).await?;
            let last = data.len() < PAGE;
            all.extend(data);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// The key with this hash; `None` if the account has none.
    pub async fn find(&self, hash: &str) -> Result<Option<Managed>, Error> {
        #[derive(Deserialize)]
        struct One {
            data: Managed,
        }
        match self.read::<One>(&format!("/keys/{hash}")).await {
            Ok(One { data }) => Ok(Some(data)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a key with this name and the permissions of `like`.
    pub async fn create(&self, name: &str, like: &Managed) -> Result<(Managed, Secret), Error> {
        #[derive(Deserialize)]
        struct Made {
            data: Managed,
            #[serde(default)]
            key: Option<String>,
        }
        #[derive(Deserialize)]
        struct Within {
            data: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            key: String,
        }
        let mut wish = json!({ "name": name });
        if let Some(wish) = wish.as_object_mut() {
            let carried = [
                ("limit", like.limit.clone()),
                ("limit_reset", json!(like.limit_reset)),
                ("expires_at", json!(like.expires_at)),
                ("include_byok_in_limit", json!(like.include_byok_in_limit)),
                ("workspace_id", json!(like.workspace_id)),
            ];
            wish.extend(carried.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)));
        }
        let body = change(&self.line, Verb::Post, "/keys", Some(self.key), Some(wish.to_string())).await?;
        let made: Made = serde_json::from_slice(&body).map_err(|_| self.unread())?;
        // The key is returned once, either at the top level or in the data.
        let key = match made.key {
            Some(key) => key,
            None => serde_json::from_slice::<Within>(&body).map_err(|_| self.unread())?.data.key,
        };
        Ok((made.data, Secret::new(key)))
    }

    /// Disables a key, or enables it again.
    pub async fn disable(&self, hash: &str, disabled: bool) -> Result<(), Error> {
        let body = json!({ "disabled": disabled }).to_string();
        change(&self.line, Verb::Patch, &format!("/keys/{hash}"), Some(self.key), Some(body)).await.map(drop)
    }

    /// Deletes a key permanently. A key that does not exist is not an error.
    pub async fn delete(&self, hash: &str) -> Result<(), Error> {
        match change(&self.line, Verb::Delete, &format!("/keys/{hash}"), Some(self.key), None).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, Error> {
        let body = get(&self.line, path, self.key).await?;
        serde_json::from_slice(&body).map_err(|_| self.unread())
    }

    fn unread(&self) -> Error {
        self.line.error(Kind::Malformed, "sent an answer that cannot be parsed")
    }
}

/// Asks for something; its whole answer.
pub(super) async fn get(line: &Line, path: &str, key: &Secret) -> Result<Zeroizing<Vec<u8>>, Error> {
    line.short(async {
        let reply = line.get(&line.address, path, Auth::Bearer, Some(key)).await?;
        whole(line, reply, Some(key)).await
    })
    .await
}

/// Changes something; the whole answer to that.
pub(super) async fn change(
    line: &Line,
    verb: Verb,
    path: &str,
    key: Option<&Secret>,
    body: Option<String>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    line.short(async {
        let reply = line.change(verb, path, key, body).await?;
        whole(line, reply, key).await
    })
    .await
}

/// The whole body of an answer that is not a refusal.
async fn whole(line: &Line, mut reply: Reply<'_>, key: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, Error> {
    if !matches!(reply.status(), 200 | 201 | 204) {
        return Err(refused(line, reply, key).await);
    }
    reply.plain()?;
    match reply.sort() {
        Sort::Json | Sort::Unsaid => reply.whole(line.caps().whole).await.map(Zeroizing::new),
        _ => Err(line.error(Kind::NotJson, "answered with something that is not JSON")),
    }
}

/// Ends a login: exchanges the code from the browser and the PKCE verifier for a key.
pub async fn exchange(endpoint: &Endpoint, code: &Secret, verifier: &Secret, reach: Reach) -> Result<Secret, Error> {
    #[derive(Deserialize)]
    struct Made {
        key: String,
    }
    let line = Line::new(endpoint, reach)?;
    let body = json!({ "code": code.expose(), "code_verifier": verifier.expose(), "code_challenge_method": "S256" });
    let body = change(&line, Verb::Post, "/auth/keys", None, Some(body.to_string())).await?;
    let made: Made = serde_json::from_slice(&body).map_err(|_| line.error(Kind::Malformed, "answered with something that is not a key"))?;
    Ok(Secret::new(made.key))
}
