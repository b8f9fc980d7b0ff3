//! Answers to identical requests whose answer is always the same, for a while and in memory.

use crate::time::{Clock, Moment};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::time::Duration;

/// The most bytes of answers that are kept.
const MAX_BYTES: usize = 32 << 20;
/// A larger answer is not kept.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct CachedAnswer {
    pub(in crate::proxy) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::proxy) body: Bytes,
}

/// The answers, oldest first.
#[derive(Debug)]
pub(in crate::proxy) struct ResponseCache {
    ttl: Option<Duration>,
    clock: Clock,
    answers: VecDeque<(Moment, CacheKey, CachedAnswer)>,
    bytes: usize,
}

/// A hash of everything that an answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct CacheKey([u8; 32]);

impl CacheKey {
    /// For a request of a token. Answers are restored for a token, so no other may see them.
    pub(in crate::proxy) fn new(
        token: &str,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &[u8],
    ) -> Self {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(token.as_bytes());
        add(path.as_bytes());
        for (name, value) in headers {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        add(body);
        Self(hash.finalize().into())
    }
}

impl ResponseCache {
    pub(in crate::proxy) const fn new(ttl: Option<Duration>, clock: Clock) -> Self {
        Self {
            ttl,
            clock,
            answers: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(in crate::proxy) const fn is_on(&self) -> bool {
        self.ttl.is_some()
    }

    /// The answer to a request, if there is one that is not too old.
    pub(in crate::proxy) fn get(&mut self, key: CacheKey) -> Option<CachedAnswer> {
        self.drop_old();
        let mut answers = self.answers.iter();
        answers
            .find(|(_, known, _)| *known == key)
            .map(|(_, _, answer)| answer.clone())
    }

    /// Keeps an answer.
    pub(in crate::proxy) fn put(&mut self, key: CacheKey, answer: CachedAnswer) {
        if !self.is_on() || answer.body.len() > MAX_ANSWER_BYTES {
            return;
        }
        self.drop_old();
        self.bytes += answer.body.len();
        self.answers.push_back((self.clock.moment(), key, answer));
        while self.bytes > MAX_BYTES {
            self.drop_first();
        }
    }

    fn drop_old(&mut self) {
        let (Some(ttl), now) = (self.ttl, self.clock.moment()) else {
            return;
        };
        while self
            .answers
            .front()
            .is_some_and(|(at, _, _)| now.since(*at) >= ttl)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, _, answer)) = self.answers.pop_front() {
            self.bytes -= answer.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn response_cache_ends_and_is_bounded() {
        let clock = Clock::fixed(Time::from_millis(0));
        let mut cache = ResponseCache::new(Some(Duration::from_secs(10)), clock.clone());
        let answer = |size| CachedAnswer {
            headers: Vec::new(),
            body: Bytes::from(vec![b'x'; size]),
        };
        let key = |token: &str, body: &str| CacheKey::new(token, "/p", &[], body.as_bytes());
        assert_ne!(key("a", "b"), key("b", "b"));
        assert_ne!(
            CacheKey::new("t", "/p", &[], b"x"),
            CacheKey::new("t", "/px", &[], b"")
        );
        cache.put(key("a", "1"), answer(10));
        cache.put(key("a", "2"), answer(MAX_ANSWER_BYTES + 1));
        assert!(cache.get(key("a", "1")).is_some());
        assert!(cache.get(key("a", "2")).is_none());
        clock.set(Time::from_millis(10_000));
        assert!(cache.get(key("a", "1")).is_none());
        for n in 0..40 {
            cache.put(key("a", &n.to_string()), answer(MAX_ANSWER_BYTES));
        }
        assert!(cache.bytes <= MAX_BYTES);
        assert!(cache.get(key("a", "0")).is_none() && cache.get(key("a", "39")).is_some());
    }
}
