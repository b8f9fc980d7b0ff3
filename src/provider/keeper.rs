//! Those who make and delete keys at a provider, as one: a key is called by a word of the provider's own.

use super::error::Error;
use super::http::Reach;
use super::management::{Managed, Manager, hash_of};
use super::service_accounts::{Found, Place, ServiceAccounts};
use crate::catalog::{Account, Endpoint};
use crate::secret::Secret;

/// Makes and deletes keys with a key that may.
#[derive(Debug)]
pub enum Keeper<'a> {
    /// `OpenRouter`, with a management key.
    Manager(Manager<'a>),
    /// `OpenAI`, with an admin key.
    ServiceAccounts(ServiceAccounts<'a>),
}

/// Why a key cannot be swapped for another by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The account has no such key.
    Unknown,
    /// Several look like it.
    Several,
    /// It belongs to a person, and only that person can make another.
    Persons,
}

impl<'a> Keeper<'a> {
    /// Whether there is one for this kind of account.
    #[must_use]
    pub const fn is_for(account: Account) -> bool {
        matches!(account, Account::OpenRouter | Account::OpenAi)
    }

    /// The one for an endpoint.
    pub fn new(endpoint: &Endpoint, key: &'a Secret, reach: Reach) -> Result<Self, Error> {
        Ok(match endpoint.account {
            Account::OpenAi => Self::ServiceAccounts(ServiceAccounts::new(endpoint, key, reach)?),
            _ => Self::Manager(Manager::new(endpoint, key, reach)?),
        })
    }

    /// What the provider calls a key.
    pub async fn call(&self, key: &Secret) -> Result<Result<String, Unfit>, Error> {
        match self {
            Self::Manager(manager) => {
                if let Some(found) = manager.find(&hash_of(key)).await? {
                    return Ok(Ok(found.hash));
                }
                // The hash may be made otherwise than the links say; the masked form is the next best, if it is one key's alone.
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

    /// A new key of that name, which may do what the old one may; what the provider calls it. Keys of the same name are
    /// left from a run that was cut off, and nobody's: they go first.
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

    /// Lets a key be refused, or taken again. One that cannot do that leaves it as it is.
    pub async fn disable(&self, called: &str, disabled: bool) -> Result<(), Error> {
        match self {
            Self::Manager(manager) => manager.disable(called, disabled).await,
            Self::ServiceAccounts(_) => Ok(()),
        }
    }

    /// Deletes a key for good; whether the provider did.
    pub async fn delete(&self, called: &str) -> Result<bool, Error> {
        match self {
            Self::Manager(manager) => manager.delete(called).await.map(|()| true),
            Self::ServiceAccounts(accounts) => {
                let (place, _) = placed(called).ok_or_else(|| accounts.unread())?;
                accounts.delete(&place).await
            }
        }
    }

    /// Deletes every key of that name; whether the provider did.
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

/// Where a key is, and how long one like it lives.
fn placed(called: &str) -> Option<(Place, Option<i64>)> {
    let (place, lives) = called.split_once(' ').map_or((called, None), |(place, seconds)| (place, seconds.parse().ok()));
    Some((place.parse().ok()?, lives))
}
