//! Tokens: what other programs get instead of a key. They live in the memory of one running proxy,
//! as SHA-256 hashes, and end with it.
//!
//! Every check of a token goes through [`TokenTable`]: whether it exists, is expired, may do this,
//! and has requests and money left.

use crate::catalog::PROXY_TOKEN_INFIX;
use crate::crypto::aead::random_bytes;
use crate::privacy::Redactor;
use crate::privacy::json::{JsonScope, RestorePolicy};
use crate::proxy::scope::{Scope, Scopes, TokenKind, TokenShape};
use crate::secret::Secret;
use crate::time::{Clock, Moment, Time};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glob::Pattern;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The most tokens that exist at a time.
const MAX_TOKENS: usize = 1000;
/// The longest life of a token.
pub const MAX_TTL: Duration = Duration::from_secs(30 * 86_400);
/// How long a token lives if nothing else is said.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// How many tokens the holder of a token with the scope `mint` can create in an hour.
const MINTED_PER_HOUR: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What a token is to allow.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// A name, for lists.
    pub name: String,
    /// The kind.
    pub kind: TokenKind,
    /// What it may request.
    pub scopes: Scopes,
    /// How long it lives.
    pub ttl: Duration,
    /// A pattern of models; `None` for any.
    pub model: Option<Pattern>,
    /// The most that may be spent with it, in billionths of a dollar.
    pub budget: Option<i64>,
    /// The most requests.
    pub max_requests: Option<u64>,
    /// The most requests in a minute.
    pub per_minute: Option<u32>,
    /// The keys that it looks like.
    pub shape: TokenShape,
    /// Whether every request must be signed.
    pub signed: bool,
    /// What is put back into answers.
    pub restore: RestorePolicy,
}

impl TokenRequest {
    /// A token of a kind with its usual scopes, for a minute.
    #[must_use]
    pub fn new(kind: TokenKind) -> Self {
        Self {
            name: String::new(),
            kind,
            scopes: kind.default_scopes(),
            ttl: DEFAULT_TTL,
            model: None,
            budget: None,
            max_requests: None,
            per_minute: None,
            shape: TokenShape::default(),
            signed: false,
            restore: RestorePolicy::All,
        }
    }
}

/// What happened with a token so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenUse {
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that failed at the provider.
    pub failed: u64,
    /// Requests that repeat one that was broken off.
    pub repeated: u64,
    /// Prompt tokens.
    pub prompt: u64,
    /// Prompt tokens that the provider read from its cache.
    pub cached: u64,
    /// Answer tokens.
    pub completion: u64,
    /// The cost, in billionths of a dollar.
    pub nanos: i64,
    /// Requests whose cost is unknown.
    pub unknown: u64,
    /// Values replaced in requests.
    pub redactions: u64,
    /// Secrets that answers asked for and that were not put back.
    pub held_back: u64,
    /// Answers from the response cache.
    pub from_cache: u64,
}

/// A token that exists.
pub struct Token {
    /// Its id in lists and logs, which allows nothing.
    pub id: String,
    /// What it allows.
    pub request: TokenRequest,
    /// When it was created.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
    /// What happened with it.
    pub used: TokenUse,
    /// The placeholders of its conversations.
    pub memory: Arc<JsonScope>,
    /// Money reserved for its running requests, in billionths of a dollar.
    pub(super) held: i64,
    hash: [u8; 32],
    /// The key of its signatures, if it signs.
    signing: Option<Secret>,
    /// Checked against the clock that cannot be set.
    born: Moment,
    recent: VecDeque<Moment>,
    minted: VecDeque<Moment>,
    /// The hash of the last request that was broken off.
    pub(super) broken_off: Option<[u8; 32]>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a token does not allow a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenDenied {
    /// It does not exist, is expired or was revoked.
    Unknown,
    /// It has no more requests.
    Requests,
    /// It has had its requests of this minute.
    TooFast {
        /// How long until the next is allowed.
        wait: Duration,
    },
}

/// Why a token cannot be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// Too many exist.
    #[error("{MAX_TOKENS} tokens exist already: revoke some")]
    TooMany,
    /// It was to allow more than its creator.
    #[error("a token cannot create one that allows more than itself")]
    MoreThanParent,
    /// Its creator has created its share.
    #[error("no more than {MINTED_PER_HOUR} tokens can be created in an hour")]
    TooFast,
    /// It was to live for longer than a token may.
    #[error("a token lives for at most 30 days")]
    TooLong,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

/// A new token: the only moment in which it can be read.
#[derive(Debug)]
pub struct NewToken {
    /// The id.
    pub id: String,
    /// The token.
    pub secret: Secret,
    /// When it ends.
    pub expires: Time,
    /// What it may request.
    pub scopes: Scopes,
}

/// The tokens of a running proxy.
pub struct TokenTable {
    tokens: Vec<Token>,
    redactor: Arc<Redactor>,
    clock: Clock,
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenTable(_; {})", self.tokens.len())
    }
}

impl TokenTable {
    /// A table without tokens.
    #[must_use]
    pub const fn new(redactor: Arc<Redactor>, clock: Clock) -> Self {
        Self {
            tokens: Vec::new(),
            redactor,
            clock,
        }
    }

    /// Creates the token by which the owner's commands and page talk to the proxy, for as long as it
    /// runs.
    pub fn mint_for_owner(&mut self) -> Result<NewToken, MintError> {
        self.add(TokenRequest {
            name: String::from("owner"),
            scopes: Scopes::of(&[Scope::Admin, Scope::Usage, Scope::Metrics]),
            ttl: Duration::MAX,
            ..TokenRequest::new(TokenKind::Proxy)
        })
    }

    /// Creates a token on the owner's command.
    pub fn mint(&mut self, request: TokenRequest) -> Result<NewToken, MintError> {
        self.drop_expired();
        if self.tokens.len() >= MAX_TOKENS {
            return Err(MintError::TooMany);
        }
        if request.ttl > MAX_TTL {
            return Err(MintError::TooLong);
        }
        self.add(request)
    }

    fn add(&mut self, request: TokenRequest) -> Result<NewToken, MintError> {
        let random = random_bytes::<32>().map_err(|_| MintError::Random)?;
        let id = random_bytes::<6>().map_err(|_| MintError::Random)?;
        let id = format!("t{}", id.map(|b| format!("{b:02x}")).concat());
        let mut text = String::with_capacity(80);
        text += request.shape.prefix();
        text += PROXY_TOKEN_INFIX;
        URL_SAFE_NO_PAD.encode_string(random, &mut text);
        let secret = Secret::new(text);
        let born = self.clock.moment();
        let expires = born.wall.saturating_add(request.ttl);
        let scopes = request.scopes;
        self.tokens.push(Token {
            id: id.clone(),
            created: born.wall,
            expires,
            used: TokenUse::default(),
            memory: Arc::new(JsonScope::new(Arc::clone(&self.redactor), request.restore)),
            held: 0,
            hash: hash(&secret),
            signing: request
                .signed
                .then(|| Secret::new(secret.expose().to_owned())),
            request,
            born,
            recent: VecDeque::new(),
            minted: VecDeque::new(),
            broken_off: None,
        });
        Ok(NewToken {
            id,
            secret,
            expires,
            scopes,
        })
    }

    /// Creates a token on the command of the holder of another, which it cannot exceed: it has no
    /// more scopes, time, requests and money, and no other models.
    pub fn mint_for(&mut self, parent: &str, request: TokenRequest) -> Result<NewToken, MintError> {
        let now = self.clock.moment();
        let Some(holder) = self.get_mut(parent) else {
            return Err(MintError::MoreThanParent);
        };
        let own = &holder.request;
        let mut allowed = own.scopes.includes(request.scopes)
            && own.kind == request.kind
            && now.wall.saturating_add(request.ttl) <= holder.expires
            && own.restore.includes(request.restore)
            && (!own.signed || request.signed);
        let left = own
            .budget
            .map(|most| most - holder.used.nanos - holder.held);
        for (of_parent, of_child) in [
            (left, request.budget),
            (
                own.max_requests
                    .and_then(|most| i64::try_from(most.saturating_sub(holder.used.requests)).ok()),
                request
                    .max_requests
                    .and_then(|most| i64::try_from(most).ok()),
            ),
            (
                own.per_minute.map(i64::from),
                request.per_minute.map(i64::from),
            ),
        ] {
            // What the parent has a limit for, the child must have a lower or the same one for.
            allowed &= of_parent.is_none_or(|most| of_child.is_some_and(|want| want <= most));
        }
        allowed &= own.model.is_none() || own.model == request.model;
        if !allowed {
            return Err(MintError::MoreThanParent);
        }
        forget_before(&mut holder.minted, now, HOUR);
        if holder.minted.len() >= MINTED_PER_HOUR {
            return Err(MintError::TooFast);
        }
        holder.minted.push_back(now);
        // The child's share is the parent's no longer: together they cannot spend more.
        holder.request.budget = holder
            .request
            .budget
            .map(|most| most - request.budget.unwrap_or(0));
        holder.request.max_requests = holder
            .request
            .max_requests
            .map(|most| most.saturating_sub(request.max_requests.unwrap_or(0)));
        self.mint(request)
    }

    /// Finds the token of a request. Takes the same time whichever token it is, and whether or not
    /// there is one.
    #[must_use]
    pub fn find(&self, secret: &Secret) -> Option<&Token> {
        let given = hash(secret);
        let mut found = None;
        for token in &self.tokens {
            if bool::from(token.hash.ct_eq(&given)) {
                found = Some(token);
            }
        }
        found.filter(|token| self.is_alive(token))
    }

    /// The token with this id, and the key of its signatures.
    #[must_use]
    pub fn find_signing(&self, id: &str) -> Option<(&Token, &Secret)> {
        let token = self.tokens.iter().find(|token| token.id == id)?;
        let key = token.signing.as_ref()?;
        self.is_alive(token).then_some((token, key))
    }

    /// Counts a request of a token, if it has one left.
    pub fn admit(&mut self, id: &str) -> Result<(), TokenDenied> {
        let now = self.clock.moment();
        let token = self.get_mut(id).ok_or(TokenDenied::Unknown)?;
        let denied = if token
            .request
            .max_requests
            .is_some_and(|most| token.used.requests >= most)
        {
            Some(TokenDenied::Requests)
        } else if let Some(most) = token.request.per_minute {
            forget_before(&mut token.recent, now, MINUTE);
            (token.recent.len() >= usize::try_from(most).unwrap_or(usize::MAX)).then(|| {
                let oldest = token.recent.front().map_or(MINUTE, |at| now.since(*at));
                TokenDenied::TooFast {
                    wait: MINUTE.saturating_sub(oldest).max(Duration::from_secs(1)),
                }
            })
        } else {
            None
        };
        if let Some(denied) = denied {
            return Err(denied);
        }
        if token.request.per_minute.is_some() {
            token.recent.push_back(now);
        }
        token.used.requests += 1;
        Ok(())
    }

    /// The token with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Token> {
        self.tokens
            .iter()
            .find(|token| token.id == id && self.is_alive(token))
    }

    /// The same, to change it. Also if it has expired: a request that was admitted may end later.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.id == id)
    }

    /// Whether the token was not revoked, expired or not.
    #[must_use]
    pub fn exists(&self, id: &str) -> bool {
        self.tokens.iter().any(|token| token.id == id)
    }

    /// Removes a token. Returns whether it existed.
    pub fn revoke(&mut self, id: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.id != id);
        self.tokens.len() < before
    }

    /// Removes all tokens.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// The tokens that exist.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| self.is_alive(token))
    }

    fn is_alive(&self, token: &Token) -> bool {
        self.clock.moment().since(token.born) < token.request.ttl
    }

    fn drop_expired(&mut self) {
        let now = self.clock.moment();
        // A request that was admitted may still have to be settled.
        self.tokens
            .retain(|token| now.since(token.born) < token.request.ttl || token.held > 0);
    }
}

impl Token {
    /// Whether a model may be used.
    #[must_use]
    pub fn allows_model(&self, model: &str) -> bool {
        self.request
            .model
            .as_ref()
            .is_none_or(|pattern| pattern.matches(model))
    }

    /// The money that is left; `None` without a budget.
    #[must_use]
    pub fn money_left(&self) -> Option<i64> {
        let most = self.request.budget?;
        Some(
            most.saturating_sub(self.used.nanos)
                .saturating_sub(self.held),
        )
    }
}

fn hash(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret.expose().as_bytes()).into()
}

fn forget_before(times: &mut VecDeque<Moment>, now: Moment, length: Duration) {
    while times.front().is_some_and(|at| now.since(*at) >= length) {
        times.pop_front();
    }
}
