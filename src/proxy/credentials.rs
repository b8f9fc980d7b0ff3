//! Who makes a request: finds its token, checks its signature, and slows down guesses.

use crate::crypto::encoding;
use crate::proxy::guard::only;
use crate::proxy::refusal::Refusal;
use crate::proxy::token::TokenTable;
use crate::secret::Secret;
use crate::time::{Clock, Moment};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};
use ring::hmac;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How far the time of a signed request may be off.
const MAX_SKEW: Duration = Duration::from_secs(60);
/// The most nonces that are remembered; then signed requests are refused until old ones expire.
const MAX_NONCES: usize = 100_000;
/// Wrong tokens of a peer in a minute after which it is locked out.
const MAX_FAILURES: u32 = 10;
/// Wrong tokens of all peers together in a minute.
const MAX_FAILURES_OF_ALL: u32 = 50;
const MAX_LOCKOUT: Duration = Duration::from_secs(300);
const MINUTE: Duration = Duration::from_secs(60);

/// The token of a request, in whichever header its protocol puts it.
///
/// Two that differ are refused: one of them is not meant for this proxy.
fn presented(headers: &HeaderMap) -> Result<Option<Secret>, Refusal> {
    let keys = ["x-api-key", "api-key", "x-goog-api-key"];
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let value = value.as_bytes();
        match value.get(..7) {
            Some(word) if word.eq_ignore_ascii_case(b"bearer ") => {
                value.get(7..).unwrap_or_default().trim_ascii()
            }
            _ => b"",
        }
    });
    let others = keys
        .iter()
        .flat_map(|name| headers.get_all(*name).iter())
        .map(|value| value.as_bytes().trim_ascii());
    let mut found: Option<&[u8]> = None;
    for value in bearer.chain(others) {
        match found {
            Some(first) if first != value => {
                return Err(Refusal::new(
                    400,
                    "two_credentials",
                    "the request has two different credentials",
                ));
            }
            _ => found = Some(value),
        }
    }
    let text = found.and_then(|value| std::str::from_utf8(value).ok());
    Ok(text.map(|text| Secret::new(text.to_owned())))
}

/// The headers of a signed request.
struct Signature<'a> {
    id: &'a str,
    time: &'a str,
    nonce: &'a str,
    mac: Vec<u8>,
}

impl<'a> Signature<'a> {
    fn read(headers: &'a HeaderMap) -> Option<Self> {
        let header = |name: &'static str| only(headers, &HeaderName::from_static(name));
        let nonce = header("x-chatbot-nonce")?;
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(is_word) {
            return None;
        }
        Some(Self {
            id: header("x-chatbot-token")?,
            time: header("x-chatbot-time")?,
            nonce,
            mac: encoding::from_hex(header("x-chatbot-signature")?.as_bytes())?.to_vec(),
        })
    }
}

/// What a client signs: the version, the method, the path with its query, the time in seconds, the
/// nonce, and the SHA-256 of the body in hexadecimal digits, each on a line.
#[must_use]
pub fn text_to_sign(method: &str, path: &str, time: &str, nonce: &str, body: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let digest = encoding::hex(&digest);
    format!("chatbot-proxy-v1\n{method}\n{path}\n{time}\n{nonce}\n{digest}")
}

/// What is signed besides the headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedParts<'a> {
    pub(super) method: &'a str,
    /// With its query.
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// Whether a request has the headers of a signature. Then its body is read before its token is
/// checked.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key("x-chatbot-signature")
}

/// Checks tokens and signatures, and remembers failures.
#[derive(Debug)]
pub(super) struct Authenticator {
    clock: Clock,
    /// Nonces of signed requests, oldest first.
    nonces: VecDeque<(Moment, String)>,
    seen: std::collections::HashSet<String>,
    failures: HashMap<String, Failures>,
    all: Failures,
}

/// The wrong tokens of a peer.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    since: Option<Moment>,
    count: u32,
    /// How often it was locked out; each time is twice as long.
    lockouts: u32,
    until: Option<(Moment, Duration)>,
}

impl Failures {
    fn locked(&self, now: Moment) -> Option<Duration> {
        let (begun, length) = self.until?;
        length
            .checked_sub(now.since(begun))
            .filter(|left| !left.is_zero())
    }

    /// Counts a failure. Returns whether it starts a lockout.
    fn add(&mut self, now: Moment, most: u32) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= MINUTE) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count < most {
            return false;
        }
        let length = Duration::from_secs(1 << self.lockouts.min(10)).min(MAX_LOCKOUT);
        self.until = Some((now, length));
        self.lockouts += 1;
        (self.since, self.count) = (None, 0);
        true
    }
}

/// The outcome of a wrong token.
#[derive(Debug)]
pub(super) struct WrongToken {
    pub(super) refusal: Refusal,
    /// A lockout begins, which is worth an alert.
    pub(super) starts_lockout: bool,
}

impl Authenticator {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            nonces: VecDeque::new(),
            seen: std::collections::HashSet::new(),
            failures: HashMap::new(),
            all: Failures::default(),
        }
    }

    /// The id of the token of a request. A valid token passes even while its peer is locked out: all
    /// programs of a machine are one peer, and must not lock out each other.
    pub(super) fn check(
        &mut self,
        peer: &str,
        headers: &HeaderMap,
        signed: Option<SignedParts<'_>>,
        tokens: &TokenTable,
    ) -> Result<String, WrongToken> {
        let found = match signed {
            Some(parts) => self.check_signature(headers, parts, tokens),
            None => presented(headers).map(|secret| {
                let token = secret.and_then(|secret| tokens.find(&secret));
                token
                    .filter(|token| !token.request.signed)
                    .map(|token| token.id.clone())
            }),
        };
        match found {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err(self.fail(peer)),
            Err(refusal) => Err(WrongToken {
                refusal,
                starts_lockout: false,
            }),
        }
    }

    fn check_signature(
        &mut self,
        headers: &HeaderMap,
        parts: SignedParts<'_>,
        tokens: &TokenTable,
    ) -> Result<Option<String>, Refusal> {
        let now = self.clock.moment();
        let Some(signature) = Signature::read(headers) else {
            return Ok(None);
        };
        let Some((token, key)) = tokens.find_signing(signature.id) else {
            return Ok(None);
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        let text = text_to_sign(
            parts.method,
            parts.path,
            signature.time,
            signature.nonce,
            parts.body,
        );
        if hmac::verify(&key, text.as_bytes(), &signature.mac).is_err() {
            return Ok(None);
        }
        let time = signature.time.parse::<i64>().ok();
        let off = time.map(|time| now.wall.seconds().abs_diff(time));
        if off.is_none_or(|off| off > MAX_SKEW.as_secs()) {
            return Ok(None);
        }
        // A request can arrive twice its tolerance after the first, and not later.
        while let Some((at, _)) = self.nonces.front()
            && now.since(*at) > MAX_SKEW * 2
        {
            if let Some((_, nonce)) = self.nonces.pop_front() {
                self.seen.remove(&nonce);
            }
        }
        if self.nonces.len() >= MAX_NONCES {
            return Err(Refusal::new(
                503,
                "too_many_requests",
                "too many signed requests in the last two minutes",
            ));
        }
        let nonce = format!("{}/{}", token.id, signature.nonce);
        if !self.seen.insert(nonce.clone()) {
            return Ok(None);
        }
        self.nonces.push_back((now, nonce));
        Ok(Some(token.id.clone()))
    }

    fn fail(&mut self, peer: &str) -> WrongToken {
        let now = self.clock.moment();
        if self.failures.len() > 1000 {
            self.failures
                .retain(|_, f| f.since.is_some_and(|at| now.since(at) < MINUTE));
        }
        let own = self.failures.entry(peer.to_owned()).or_default();
        if let Some(wait) = own.locked(now).max(self.all.locked(now)) {
            return WrongToken {
                refusal: Refusal::new(429, "locked_out", "too many wrong tokens").after(wait),
                starts_lockout: false,
            };
        }
        let of_peer = own.add(now, MAX_FAILURES);
        let of_all = self.all.add(now, MAX_FAILURES_OF_ALL);
        WrongToken {
            refusal: Refusal::invalid_token(),
            starts_lockout: of_peer || of_all,
        }
    }
}
