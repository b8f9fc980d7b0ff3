//! Creates and deletes keys at providers that have an API for it. A key is identified by the
//! provider's own id.

pub(super) mod openai;
pub(super) mod openrouter;

use crate::catalog::{Endpoint, KeyCheckApi};
use crate::net::HttpContext;
use crate::provider::error::Error;
use crate::provider::key_admin::openai::{KeyLocation, KeySearch, ServiceAccounts};
use crate::provider::key_admin::openrouter::{ManagedKey, OpenRouterAdmin, key_hash};
use crate::secret::Secret;

/// Creates and deletes keys with a management key.
#[derive(Debug)]
pub enum KeyAdmin<'a> {
    /// `OpenRouter`, with a management key.
    OpenRouter(OpenRouterAdmin<'a>),
    /// `OpenAI`, with an admin key.
    OpenAi(ServiceAccounts<'a>),
}

/// Why a key cannot be rotated by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRotatable {
    /// The account has no such key.
    Unknown,
    /// Several keys match.
    Ambiguous,
    /// It belongs to a person, who must create another by hand.
    PersonalKey,
}

impl<'a> KeyAdmin<'a> {
    /// Whether this kind of account has such an API.
    #[must_use]
    pub const fn is_for(account: KeyCheckApi) -> bool {
        matches!(account, KeyCheckApi::OpenRouter | KeyCheckApi::OpenAi)
    }

    /// The manager for an endpoint.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, context: HttpContext) -> Result<Self, Error> {
        Ok(match endpoint.key_check_api {
            KeyCheckApi::OpenAi => Self::OpenAi(ServiceAccounts::new(endpoint, key, context)?),
            _ => Self::OpenRouter(OpenRouterAdmin::new(endpoint, key, context)?),
        })
    }

    /// The provider's id of a key.
    pub async fn find_key_id(&self, key: &Secret) -> Result<Result<String, NotRotatable>, Error> {
        match self {
            Self::OpenRouter(manager) => {
                if let Some(found) = manager.find(&key_hash(key)).await? {
                    return Ok(Ok(found.hash));
                }
                // The hash may be computed in a way that is not documented. The masked form is the
                // fallback, if it matches one key only.
                let mut like: Vec<ManagedKey> = manager
                    .list()
                    .await?
                    .into_iter()
                    .filter(|listed| listed.is_mask_of(key))
                    .collect();
                Ok(if like.len() == 1 {
                    like.pop()
                        .map(|found| found.hash)
                        .ok_or(NotRotatable::Unknown)
                } else {
                    Err(NotRotatable::Unknown)
                })
            }
            Self::OpenAi(accounts) => {
                Ok(match accounts.find(key).await? {
                    KeySearch::Found(place, lives) => Ok(lives
                        .map_or_else(|| place.to_string(), |seconds| format!("{place} {seconds}"))),
                    KeySearch::PersonalKey => Err(NotRotatable::PersonalKey),
                    KeySearch::Ambiguous => Err(NotRotatable::Ambiguous),
                    KeySearch::NotFound => Err(NotRotatable::Unknown),
                })
            }
        }
    }

    /// Creates a key with this name and the permissions of the old one, and returns its id too.
    /// Keys with the same name are left over from an interrupted run and belong to no one, so they
    /// are deleted first.
    pub async fn create(&self, name: &str, old: &str) -> Result<(String, Secret), Error> {
        match self {
            Self::OpenRouter(manager) => {
                let all = manager.list().await?;
                for orphan in all.iter().filter(|key| key.name == name) {
                    manager.delete(&orphan.hash).await?;
                }
                let like = match all.into_iter().find(|key| key.hash == old) {
                    Some(like) => like,
                    None => manager.find(old).await?.unwrap_or_default(),
                };
                manager
                    .create(name, &like)
                    .await
                    .map(|(managed, key)| (managed.hash, key))
            }
            Self::OpenAi(accounts) => {
                let (place, lives) =
                    parse_location(old).ok_or_else(|| accounts.unexpected_reply())?;
                for orphan in accounts.find_by_name(name, &place).await? {
                    accounts.delete(&orphan).await?;
                }
                accounts
                    .create(name, &place, lives)
                    .await
                    .map(|(place, key)| (place.to_string(), key))
            }
        }
    }

    /// Disables a key, or enables it again. Does nothing if the provider cannot disable keys.
    pub async fn disable(&self, key_id: &str, disabled: bool) -> Result<(), Error> {
        match self {
            Self::OpenRouter(manager) => manager.disable(key_id, disabled).await,
            Self::OpenAi(_) => Ok(()),
        }
    }

    /// Deletes a key permanently. Returns whether the provider did.
    pub async fn delete(&self, key_id: &str) -> Result<bool, Error> {
        match self {
            Self::OpenRouter(manager) => manager.delete(key_id).await.map(|()| true),
            Self::OpenAi(accounts) => {
                let (place, _) =
                    parse_location(key_id).ok_or_else(|| accounts.unexpected_reply())?;
                accounts.delete(&place).await
            }
        }
    }

    /// Deletes every key with this name. Returns whether the provider did.
    pub async fn delete_named(&self, name: &str, old: &str) -> Result<bool, Error> {
        match self {
            Self::OpenRouter(manager) => {
                for key in manager.list().await?.iter().filter(|key| key.name == name) {
                    manager.delete(&key.hash).await?;
                }
                Ok(true)
            }
            Self::OpenAi(accounts) => {
                let (place, _) = parse_location(old).ok_or_else(|| accounts.unexpected_reply())?;
                let mut gone = true;
                for key in accounts.find_by_name(name, &place).await? {
                    gone &= accounts.delete(&key).await?;
                }
                Ok(gone)
            }
        }
    }
}

/// The location of a key in its id, and the lifetime of its kind.
fn parse_location(key_id: &str) -> Option<(KeyLocation, Option<i64>)> {
    let (place, lives) = key_id
        .split_once(' ')
        .map_or((key_id, None), |(place, seconds)| {
            (place, seconds.parse().ok())
        });
    Some((place.parse().ok()?, lives))
}
