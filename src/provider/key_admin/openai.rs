//! `OpenAI` keys of service accounts: finds, creates and deletes them with an admin key. Personal
//! keys can only be created by hand.

use crate::catalog::Endpoint;
use crate::net::{HttpContext, HttpMethod};
use crate::provider::client::ProviderClient;
use crate::provider::error::{Error, ProviderErrorKind};
use crate::provider::key_admin::openrouter::{change, get};
use crate::secret::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt;
use std::str::FromStr;

/// Entries on one page of a list.
const PAGE_SIZE: usize = 100;
/// An upper limit far above any real organization, so that a server cannot keep the client listing
/// forever.
const MAX_PAGES: usize = 50;

/// The location of a key: its project, its service account, its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLocation {
    project: String,
    account: String,
    key: String,
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.account, self.key)
    }
}

impl FromStr for KeyLocation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/').map(|part| safe_id(part).map(str::to_owned));
        match (
            parts.next().flatten(),
            parts.next().flatten(),
            parts.next().flatten(),
            parts.next(),
        ) {
            (Some(project), Some(account), Some(key), None) => Ok(Self {
                project,
                account,
                key,
            }),
            _ => Err(()),
        }
    }
}

/// An id that is safe in a URL.
fn safe_id(text: &str) -> Option<&str> {
    let fit = !text.is_empty()
        && text.len() <= 128
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    fit.then_some(text)
}

/// The result of searching for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySearch {
    /// Its location, and its lifetime in seconds if it expires.
    Found(KeyLocation, Option<i64>),
    /// It belongs to a person; the provider has no API to create another.
    PersonalKey,
    /// Several keys match.
    Ambiguous,
    /// No key matches.
    NotFound,
}

/// The service account keys of one organization.
#[derive(Debug)]
pub struct ServiceAccounts<'a> {
    client: ProviderClient,
    key: &'a Secret,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListPage<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Deserialize)]
struct ListedKey {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    redacted_value: String,
    #[serde(default)]
    created_at: Option<i64>,
    #[serde(default)]
    expires_at: Option<i64>,
    #[serde(default)]
    owner: KeyOwner,
}

#[derive(Default, Deserialize)]
struct KeyOwner {
    #[serde(default)]
    service_account: Option<Project>,
}

impl ListedKey {
    /// Whether its masked form, `sk-svcac...9f0A`, matches this key.
    fn is_mask_of(&self, key: &Secret) -> bool {
        let hidden = |c: char| matches!(c, '.' | '*' | '…');
        let (begin, end) = (
            self.redacted_value.split(hidden).next(),
            self.redacted_value.rsplit(hidden).next(),
        );
        let (begin, end) = (begin.unwrap_or_default(), end.unwrap_or_default());
        let masked = begin.len() + end.len() < self.redacted_value.len()
            && begin.len() >= 3
            && end.len() >= 3;
        let text = key.expose();
        masked
            && text.len() > begin.len() + end.len()
            && text.starts_with(begin)
            && text.ends_with(end)
    }
}

impl<'a> ServiceAccounts<'a> {
    /// Creates a client with an admin key.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, context: HttpContext) -> Result<Self, Error> {
        Ok(Self {
            client: ProviderClient::new(endpoint, context)?,
            key,
        })
    }

    /// Searches all projects for a key.
    pub async fn find(&self, key: &Secret) -> Result<KeySearch, Error> {
        let mut found = KeySearch::NotFound;
        for project in self.list_all::<Project>("/organization/projects").await? {
            let Some(project) = safe_id(&project.id) else {
                continue;
            };
            for listed in self
                .list_keys(project)
                .await?
                .into_iter()
                .filter(|listed| listed.is_mask_of(key))
            {
                if found != KeySearch::NotFound {
                    return Ok(KeySearch::Ambiguous);
                }
                let lives = listed
                    .expires_at
                    .zip(listed.created_at)
                    .map(|(end, begin)| end.saturating_sub(begin))
                    .filter(|s| *s > 0);
                found = match listed.owner.service_account {
                    Some(account) => {
                        match format!("{project}/{}/{}", account.id, listed.id).parse() {
                            Ok(place) => KeySearch::Found(place, lives),
                            Err(()) => return Err(self.unexpected_reply()),
                        }
                    }
                    None => KeySearch::PersonalKey,
                };
            }
        }
        Ok(found)
    }

    /// The other keys with this name in the service account of a key.
    pub async fn find_by_name(
        &self,
        name: &str,
        location: &KeyLocation,
    ) -> Result<Vec<KeyLocation>, Error> {
        let keys = self.list_keys(&location.project).await?;
        let named = keys
            .into_iter()
            .filter(|listed| listed.name.as_deref() == Some(name));
        Ok(named
            .filter_map(|listed| {
                safe_id(&listed.id).map(|key| KeyLocation {
                    key: key.to_owned(),
                    ..location.clone()
                })
            })
            .collect())
    }

    /// Creates a key with this name for the service account of a key.
    pub async fn create(
        &self,
        name: &str,
        location: &KeyLocation,
        lives: Option<i64>,
    ) -> Result<(KeyLocation, Secret), Error> {
        #[derive(Deserialize)]
        struct CreatedKeyResponse {
            id: String,
            value: String,
        }
        let mut options = json!({ "name": name });
        if let (Some(options), Some(seconds)) = (options.as_object_mut(), lives) {
            options.insert("expires_in_seconds".to_owned(), json!(seconds));
        }
        let path = format!(
            "/organization/projects/{}/service_accounts/{}/api_keys",
            location.project, location.account
        );
        let body = change(
            &self.client,
            HttpMethod::Post,
            &path,
            Some(self.key),
            Some(options.to_string()),
        )
        .await?;
        let made: CreatedKeyResponse =
            serde_json::from_slice(&body).map_err(|_| self.unexpected_reply())?;
        let key = Secret::new(made.value);
        let place = safe_id(&made.id).map(|key| KeyLocation {
            key: key.to_owned(),
            ..location.clone()
        });
        Ok((place.ok_or_else(|| self.unexpected_reply())?, key))
    }

    /// Deletes a key permanently. A key that does not exist is not an error. Returns whether the
    /// provider did it: for some service accounts it can only be done on its web page.
    pub async fn delete(&self, place: &KeyLocation) -> Result<bool, Error> {
        let path = format!(
            "/organization/projects/{}/api_keys/{}",
            place.project, place.key
        );
        match change(
            &self.client,
            HttpMethod::Delete,
            &path,
            Some(self.key),
            None,
        )
        .await
        {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ProviderErrorKind::NotFound => Ok(true),
                ProviderErrorKind::BadRequest | ProviderErrorKind::Forbidden => Ok(false),
                _ => Err(error),
            },
        }
    }

    async fn list_keys(&self, project: &str) -> Result<Vec<ListedKey>, Error> {
        self.list_all(&format!("/organization/projects/{project}/api_keys"))
            .await
    }

    async fn list_all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut after = String::new();
        for _ in 0..MAX_PAGES {
            let address = format!("{path}?limit={PAGE_SIZE}{after}");
            let body = get(&self.client, &address, self.key).await?;
            let ListPage {
                data,
                has_more,
                last_id,
            } = serde_json::from_slice::<ListPage<T>>(&body)
                .map_err(|_| self.unexpected_reply())?;
            all.extend(data);
            match last_id.as_deref().and_then(safe_id).filter(|_| has_more) {
                Some(last) => after = format!("&after={last}"),
                None => break,
            }
        }
        Ok(all)
    }

    /// The error for an answer that cannot be parsed.
    pub(in crate::provider) fn unexpected_reply(&self) -> Error {
        self.client.error(
            ProviderErrorKind::Malformed,
            "sent an answer that cannot be parsed",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_location_is_three_ids() {
        let place: KeyLocation = "proj_a/svc_acct_b/key_c".parse().unwrap();
        assert_eq!(place.to_string(), "proj_a/svc_acct_b/key_c");
        for bad in [
            "",
            "a/b",
            "a/b/c/d",
            "a//c",
            "a/b/../c",
            "a/b/c?x=1",
            "a/b/c d",
        ] {
            assert_eq!(bad.parse::<KeyLocation>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn key_mask_matches_only_its_key() {
        let key = Secret::new("sk-svcacct-abcdefghijklmnopqrstuvwxyz0123".to_owned());
        let listed = |mask: &str| {
            serde_json::from_value::<ListedKey>(json!({ "id": "k", "redacted_value": mask }))
                .unwrap()
        };
        for mask in [
            "sk-svcacct-abc...0123",
            "sk-***123",
            "sk-svcacct-abc****************************0123",
        ] {
            assert!(listed(mask).is_mask_of(&key), "{mask}");
        }
        for mask in [
            "",
            "...",
            "sk-...124",
            "sk-proj-a...0123",
            "sk-svcacct-abcdefghijklmnopqrstuvwxyz0123",
            "sk-...3",
        ] {
            assert!(!listed(mask).is_mask_of(&key), "{mask}");
        }
    }
}
