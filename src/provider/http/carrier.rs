//! Transfers encrypted objects to and from object storage, with the same client, TLS and timeouts
//! as for providers.

use super::{Address, Line};
use crate::clock::in_words;
use crate::name::Name;
use crate::provider::Reach;
use crate::provider::error::{Error, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// Sends requests and returns whole responses. The caller decides about address, content and
/// signature.
pub struct Carrier {
    name: Name,
    reach: Reach,
    lines: Mutex<BTreeMap<String, Arc<Line>>>,
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Carrier {
    /// Creates a carrier; `name` is used in error messages. It connects with the first request.
    #[must_use]
    pub fn new(name: Name, reach: Reach) -> Self {
        Self { name, reach, lines: Mutex::default() }
    }

    /// Sends a request and returns its response of at most `most` bytes. Plain http is allowed for
    /// this machine only.
    pub async fn carry(&self, request: http::Request<Vec<u8>>, most: usize) -> Result<http::Response<Vec<u8>>, Error> {
        let line = self.line(request.uri())?;
        let request = reqwest::Request::try_from(request).map_err(|_| line.error(Kind::BadAddress, "has an invalid address"))?;
        let deadline = line.patience().deadline;
        let carried = async {
            let mut reply = line.send(request).await?;
            let mut answer = http::Response::new(Vec::new());
            *answer.status_mut() = reply.response.status();
            *answer.headers_mut() = reply.response.headers().clone();
            *answer.body_mut() = reply.whole(most).await?;
            Ok(answer)
        };
        match tokio::time::timeout(deadline, carried).await {
            Ok(result) => result,
            Err(_) => Err(line.error(Kind::Timeout, &format!("did not finish its answer within {}", in_words(deadline)))),
        }
    }

    /// The connection for an address: one for each host.
    fn line(&self, uri: &http::Uri) -> Result<Arc<Line>, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Error::new(Kind::BadAddress, format!("the address of `{}` is not valid", self.name)));
        };
        let origin = format!("{scheme}://{authority}");
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(line) = lines.get(&origin) {
            return Ok(Arc::clone(line));
        }
        let address = Address::parse(&self.name, &origin)?;
        let line = Arc::new(Line { name: self.name.clone(), address, reach: self.reach.clone(), client: OnceLock::new() });
        lines.insert(origin, Arc::clone(&line));
        Ok(line)
    }
}
