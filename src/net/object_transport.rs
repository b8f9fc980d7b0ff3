//! Transfers encrypted objects to and from object storage, with the same client, TLS and timeouts
//! as for providers.

use crate::name::Name;
use crate::net::error::{Error, NetErrorKind};
use crate::net::{BaseUrl, HttpClient, HttpContext};
use crate::time::humanize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Sends requests and returns whole responses. The caller decides about address, content and
/// signature.
pub struct StorageTransport {
    name: Name,
    context: HttpContext,
    clients: Mutex<BTreeMap<String, Arc<HttpClient>>>,
}

impl fmt::Debug for StorageTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageTransport")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl StorageTransport {
    /// Creates a transport; `name` is used in error messages. It connects with the first request.
    #[must_use]
    pub fn new(name: Name, context: HttpContext) -> Self {
        Self {
            name,
            context,
            clients: Mutex::default(),
        }
    }

    /// Sends a request and returns its response of at most `most` bytes. Plain http is allowed for
    /// this machine only.
    pub async fn execute(
        &self,
        request: http::Request<Vec<u8>>,
        most: usize,
    ) -> Result<http::Response<Vec<u8>>, Error> {
        let client = self.client_for(request.uri())?;
        let request = reqwest::Request::try_from(request)
            .map_err(|_| client.error(NetErrorKind::BadAddress, "has an invalid address"))?;
        let deadline = client.timeouts().deadline;
        let exchange = async {
            let mut reply = client.send(request).await?;
            let mut answer = http::Response::new(Vec::new());
            *answer.status_mut() = reply.response.status();
            *answer.headers_mut() = reply.response.headers().clone();
            *answer.body_mut() = reply.read_all(most).await?;
            Ok(answer)
        };
        match tokio::time::timeout(deadline, exchange).await {
            Ok(result) => result,
            Err(_) => Err(client.error(
                NetErrorKind::Timeout,
                &format!("did not finish its answer within {}", humanize(deadline)),
            )),
        }
    }

    /// The connection for an address: one for each host.
    fn client_for(&self, uri: &http::Uri) -> Result<Arc<HttpClient>, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Error::new(
                NetErrorKind::BadAddress,
                format!("the address of `{}` is not valid", self.name),
            ));
        };
        let origin = format!("{scheme}://{authority}");
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(client) = clients.get(&origin) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(HttpClient::new(
            &self.name,
            BaseUrl::parse(&self.name, &origin)?,
            self.context.clone(),
        ));
        clients.insert(origin, Arc::clone(&client));
        Ok(client)
    }
}
