//! Creates and deletes keys at providers that have an API for it. A key is identified by the
//! provider's own id.

use super::error::Error;
use super::http::Reach;
use super::management::{Managed, Manager, hash_of};
use super::service_accounts::{Found, Place, ServiceAccounts};
use crate::catalog::{Account, Endpoint};
use crate::secret::Secret;

/// Creates and deletes keys with a management key.
#[derive(Debug)]
pub enum Keeper<'a> {
    /// `OpenRouter`, with a management key.
    Manager(Manager<'a>),
    /// `OpenAI`, with an admin key.
    ServiceAccounts(ServiceAccounts<'a>),
}

/// Why a key cannot be rotated by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The account has no such key.
    Unknown,
    /// Several keys match.
    Several,
    /// It belongs to a person, who must create another by hand.
    Persons,
}

impl<'a> Keeper<'a> {
    /// Whether this kind of account has such an API.
    #[must_use]
    pub const fn is_for(account: Account) -> bool {
        matches!(account, Account::OpenRouter | Account::OpenAi)
    }

    /// The manager for an endpoint.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, reach: Reach) -> Result<Self, Error> {
        Ok(match endpoint.account {
            Account::OpenAi => Self::ServiceAccounts(ServiceAccounts::new(endpoint, key, reach)?),
            _ => Self::Manager(Manager::new(endpoint, key, reach)?),
        })
    }

    /// The provider's id of a key.
    pub async fn call(&self, key: &Secret) -> Result<Result<String, Unfit>, Error> {
        match self {
            Self::Manager(manager) => {
                if let Some(found) = manager.find(&hash_of(key)).await? {
                    return Ok(Ok(found.hash));
                }
                // The hash may be computed in a way that is not documented. The masked form is the
                // fallback, if it matches one key only.
                let mut like: Vec<Managed> = manager.list().await?.into_iter().filter(|listed| listed.is_mask_of(key)).collect();
                Ok(if like.len() == 1 { like.pop().map(|found| found.hash).ok_or(Unfit::Unknown) } else { Err(Unfit::Unknown) })
            }
            Self::ServiceAccounts(accounts) => Ok(match accounts.find(key).await? {
                Found::Here(place, lives) => Ok(lives.map_or_else(|| place.to_string(), |seconds| format!("{place} {seconds}"))),
                Found::Persons => Err(Unfit::Persons),
                Found::Several => Err(Unfit::Several),
                Found::Nowhere => Err(Unfit::Unknown),
            }),
        }
    }

    /// Creates a key with this name and the permissions of the old one, and returns its id too.
    /// Keys with the same name are left over from an interrupted run and belong to no one, so they
    /// are deleted first.
    pub async fn create(&self, name: &str, old: &str) -> Result<(String, Secret), Error> {
        match self {
            Self::Manager(manager) => {
                let all = manager.list().await?;
                for orphan in all.iter().filter(|key| key.name == name) {
                    manager.delete(&orphan.hash).await?;
                }
                let like = match all.into_iter().find(|key| key.hash == old) {
                    Some(like) => like,
                    None => manager.find(old).await?.unwrap_or_default(),
                };
                manager.create(name, &like).await.map(|(managed, key)| (managed.hash, key))
            }
            Self::ServiceAccounts(accounts) => {
                let (place, lives) = placed(old).ok_or_else(|| accounts.unread())?;
                for orphan in accounts.named(name, &place).await? {
                    accounts.delete(&orphan).await?;
                }
                accounts.create(name, &place, lives).await.map(|(place, key)| (place.to_string(), key))
            }
        }
    }

    /// Disables a key, or enables it again. Does nothing if the provider cannot disable keys.
    pub async fn disable(&self, called: &str, disabled: bool) -> Result<(), Error> {
        match self {
            Self::Manager(manager) => manager.disable(called, disabled).await,
            Self::ServiceAccounts(_) => Ok(()),
        }
    }

    /// Deletes a key permanently. Returns whether the provider did.
    pub async fn delete(&self, called: &str) -> Result<bool, Error> {
        match self {
            Self::Manager(manager) => manager.delete(called).await.map(|()| true),
            Self::ServiceAccounts(accounts) => {
                let (place, _) = placed(called).ok_or_else(|| accounts.unread())?;
                accounts.delete(&place).await
            }
        }
    }

    /// Deletes every key with this name. Returns whether the provider did.
    pub async fn delete_named(&self, name: &str, old: &str) -> Result<bool, Error> {
        match self {
            Self::Manager(manager) => {
                for key in manager.list().await?.iter().filter(|key| key.name == name) {
                    manager.delete(&key.hash).await?;
                }
                Ok(true)
            }
            Self::ServiceAccounts(accounts) => {
                let (place, _) = placed(old).ok_or_else(|| accounts.unread())?;
                let mut gone = true;
                for key in accounts.named(name, &place).await? {
                    gone &= accounts.delete(&key).await?;
                }
                Ok(gone)
            }
        }
    }
}

/// The location of a key in its id, and the lifetime of its kind.
fn placed(called: &str) -> Option<(Place, Option<i64>)> {
    let (place, lives) = called.split_once(' ').map_or((called, None), |(place, seconds)| (place, seconds.parse().ok()));
    Some((place.parse().ok()?, lives))
}
