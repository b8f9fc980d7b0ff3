//! What is checked of a request before its token: the host it names, the page it comes from, its
//! form. Web pages and other programs can reach the port, so nothing is taken on trust.

use crate::proxy::body::ReplyBody;
use crate::proxy::refusal::Refusal;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
};
use hyper::{Response, StatusCode, Uri};

/// The addresses under which the proxy is reached, and the pages that may use it.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The values of `Host` that name this proxy.
    hosts: Vec<String>,
    /// Origins of web pages that the user allowed.
    origins: Vec<String>,
}

impl Guard {
    /// For a port on the loopback address; without a port for a Unix socket, which no page reaches.
    pub(super) fn new(port: Option<u16>, origins: Vec<String>) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let hosts = match port {
            Some(port) => names.iter().map(|name| format!("{name}:{port}")).collect(),
            None => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        Self { hosts, origins }
    }

    /// Refuses requests that do not name this proxy, come from a web page, or can be understood in
    /// two ways.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let bad = |what: &str| Refusal::new(400, "malformed_request", what);
        if uri.authority().is_some() || !uri.path().starts_with('/') {
            return Err(bad("the request names a server in its first line"));
        }
        let host = only(headers, &HOST).ok_or_else(|| bad("the request needs one `Host`"))?;
        if !self
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
        {
            return Err(Refusal::new(
                403,
                "unknown_host",
                "the request names another host than this proxy",
            ));
        }
        if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
            return Err(bad("the request gives its length in two ways"));
        }
        if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
            return Err(bad("the request gives its length twice"));
        }
        let from_page = headers
            .get_all(ORIGIN)
            .iter()
            .any(|origin| !self.allows(origin));
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let cross_site =
            matches!(site, Some(b"cross-site" | b"same-site")) && self.origins.is_empty();
        if from_page || cross_site {
            return Err(Refusal::new(
                403,
                "origin_not_allowed",
                "requests of web pages are refused; `--allow-origin` allows one",
            ));
        }
        Ok(())
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        // The owner's page asks from the proxy's own address.
        let own = |host: &String| origin.as_bytes() == format!("http://{host}").as_bytes();
        self.hosts.iter().any(own)
            || self
                .origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }

    /// The allowed page that a request comes from, to be named in the answer.
    pub(super) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let is_listed = self
            .origins
            .iter()
            .any(|one| one.as_bytes() == origin.as_bytes());
        is_listed.then(|| origin.clone())
    }

    /// Answers the question of a browser whether an allowed page may send a request.
    pub(super) fn preflight(&self, headers: &HeaderMap) -> Result<Response<ReplyBody>, Refusal> {
        if self.allowed_origin(headers).is_none() {
            return Err(Refusal::new(
                403,
                "origin_not_allowed",
                "this page may not ask",
            ));
        }
        let mut response = Response::new(ReplyBody::whole(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, x-api-key, api-key, x-goog-api-key, anthropic-version, anthropic-beta, openai-beta, x-chatbot-token, x-chatbot-time, x-chatbot-nonce, x-chatbot-signature",
            ),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

/// Refuses a body that is not of the type a route takes: a page can send others without asking.
pub(super) fn check_content_type(headers: &HeaderMap, wanted: &str) -> Result<(), Refusal> {
    let given = only(headers, &CONTENT_TYPE).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Refusal::new(
            415,
            "wrong_content_type",
            format!("the body must be `{wanted}`"),
        ))
    }
}

/// The value of a header that must be there once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// The headers of a client that are passed on: what belongs to the protocols, byte for byte.
/// Everything else stays here: credentials, cookies, ids of installations, names of programs.
pub(super) fn headers_to_pass_on(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    const PASSED_ON: [&str; 8] = [
        "accept",
        "content-type",
        "anthropic-version",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
        "openai-beta",
        "http-referer",
        "x-title",
    ];
    headers
        .iter()
        .filter(|(name, _)| PASSED_ON.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The headers of an answer that are passed back.
pub(super) fn headers_to_pass_back(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    const PASSED_BACK: [&str; 5] = [
        "content-type",
        "retry-after",
        "retry-after-ms",
        "request-id",
        "x-should-retry",
    ];
    const FAMILIES: [&str; 4] = ["x-ratelimit-", "anthropic-", "openai-", "x-request-"];
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            PASSED_BACK.contains(&name)
                || FAMILIES.iter().any(|family| name.starts_with(family))
                    // Who pays is no business of the client.
                    && !name.contains("organization")
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&str, &str)], uri: &str) -> Result<(), u16> {
        let guard = Guard::new(Some(4000), vec![String::from("https://app.example")]);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        guard
            .check(&uri.parse().unwrap(), &headers)
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn guard_takes_only_its_own_host() {
        for host in [
            "127.0.0.1:4000",
            "localhost:4000",
            "LOCALHOST:4000",
            "[::1]:4000",
        ] {
            assert_eq!(check(&[("host", host)], "/v1/models"), Ok(()), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:4001",
            "127.0.0.2:4000",
            "127.1:4000",
            "0.0.0.0:4000",
            "localhost.:4000",
            "evil.example:4000",
            "127.0.0.1.nip.io:4000",
            "127.0.0.1:4000, evil.example",
            "user@127.0.0.1:4000",
            "127.0.0.1:04000",
            "2130706433:4000",
        ] {
            assert_eq!(check(&[("host", host)], "/v1/models"), Err(403), "{host}");
        }
        assert_eq!(check(&[], "/v1/models"), Err(400));
        let twice = [("host", "localhost:4000"), ("host", "localhost:4000")];
        assert_eq!(check(&twice, "/v1/models"), Err(400));
        let host = [("host", "localhost:4000")];
        assert_eq!(check(&host, "http://evil.example/v1/models"), Err(400));
        assert_eq!(check(&host, "http://localhost:4000/v1/models"), Err(400));
    }

    #[test]
    fn guard_refuses_pages_and_ambiguous_lengths() {
        let with = |name: &str, value: &str| {
            check(&[("host", "localhost:4000"), (name, value)], "/v1/models")
        };
        assert_eq!(with("origin", "https://evil.example"), Err(403));
        assert_eq!(with("origin", "null"), Err(403));
        assert_eq!(with("origin", "http://localhost:4001"), Err(403));
        assert_eq!(with("origin", "http://localhost:4000"), Ok(()));
        assert_eq!(with("origin", "https://app.example"), Ok(()));
        assert_eq!(with("origin", "https://app.example.evil.example"), Err(403));
        let host = ("host", "localhost:4000");
        let both = [
            host,
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(check(&both, "/"), Err(400));
        let two = [host, ("content-length", "3"), ("content-length", "4")];
        assert_eq!(check(&two, "/"), Err(400));
    }

    #[test]
    fn headers_of_clients_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("cookie", "x"),
            ("x-gemini-api-privileged-user-id", "x"),
            ("x-stainless-os", "Linux"),
            ("user-agent", "tool/1"),
            ("openai-organization", "org"),
            ("anthropic-beta", "a,  b"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let names = |kept: Vec<(HeaderName, HeaderValue)>| {
            let mut names: Vec<String> = kept.iter().map(|(n, _)| n.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(headers_to_pass_on(&headers)),
            ["anthropic-beta", "content-type"]
        );
        assert_eq!(
            names(headers_to_pass_back(&headers)),
            ["anthropic-beta", "content-type"]
        );
    }
}
