//! Checks of the network: whether the provider answers, what stands in between, and how the last
//! requests compare with those before.

use crate::audit::EventKind;
use crate::audit::alerts::series::{self, RECENT};
use crate::catalog::Endpoint;
use crate::doctor::examination::{Examination, ReachedProvider};
use crate::doctor::outcome::{CheckOutcome, shown};
use crate::net::{AuthHeader, BaseUrl, HttpClient, HttpContext, PlainHttpPolicy};
use std::time::Duration;

/// A person waits for the report.
const DEADLINE: Duration = Duration::from_secs(5);

/// Asks for the list of models without a key. Any answer will do.
pub async fn reach(
    endpoint: &Endpoint,
    context: HttpContext,
) -> Result<ReachedProvider, CheckOutcome> {
    let policy = if endpoint.allow_http {
        PlainHttpPolicy::LocalNetwork
    } else {
        PlainHttpPolicy::Loopback
    };
    let clock = context.clock.clone();
    let url = BaseUrl::parse_with(&endpoint.name, &endpoint.base_url, policy)
        .map_err(|error| CheckOutcome::fail(error.to_string(), "chatbot config check"))?;
    let retry = format!("curl -sSI {}", url.as_str());
    let client = HttpClient::new(&endpoint.name, url.clone(), context);
    let watch = clock.stopwatch();
    let request = client.get(&url, "/models", AuthHeader::BEARER, None);
    match tokio::time::timeout(DEADLINE, request).await {
        Err(_) => Err(CheckOutcome::fail(
            format!(
                "`{}` did not answer within {} s",
                endpoint.name,
                DEADLINE.as_secs()
            ),
            retry,
        )),
        Ok(Err(error)) => Err(CheckOutcome::fail(error.to_string(), retry)),
        Ok(Ok(reply)) => Ok(ReachedProvider {
            name: endpoint.name.clone(),
            host: endpoint.host(),
            status: reply.status(),
            elapsed: watch.elapsed(),
            date: reply.date().map(|there| (there, clock.now())),
        }),
    }
}

pub(super) fn provider(examination: &Examination<'_>) -> CheckOutcome {
    let reached = match &examination.provider {
        Ok(reached) => reached,
        Err(outcome) => return outcome.clone(),
    };
    let summary = format!(
        "`{}` at `{}` answers after {} ms (HTTP {})",
        reached.name,
        reached.host,
        reached.elapsed.as_millis(),
        reached.status
    );
    if reached.status >= 500 {
        CheckOutcome::warn(summary, format!("curl -sSI https://{}/", reached.host))
    } else {
        CheckOutcome::ok(summary)
    }
}

pub(super) fn route(examination: &Examination<'_>) -> CheckOutcome {
    let route = match &examination.route {
        Ok(route) => route,
        Err(outcome) => return outcome.as_skip(),
    };
    let proxy = route.proxy.as_ref().map_or_else(
        || String::from("no proxy"),
        |proxy| format!("through the proxy `{proxy}` (`HTTPS_PROXY`)"),
    );
    if route.unencrypted {
        return CheckOutcome::warn(
            format!(
                "{proxy}; without encryption (`allow_http`): others in the network can read along"
            ),
            "chatbot config edit",
        );
    }
    if let Some(file) = &route.extra_certificates {
        return CheckOutcome::warn(
            format!(
                "{proxy}; the certificates in {} are trusted as well: their holders can read along",
                shown(file)
            ),
            "unset SSL_CERT_FILE",
        );
    }
    CheckOutcome::ok(format!(
        "{proxy}; certificates are checked against the built-in authorities"
    ))
}

/// A finished request.
#[derive(Clone, Copy)]
struct PastRequest {
    failed: bool,
    millis: i64,
}

pub(super) fn past_requests(examination: &Examination<'_>) -> CheckOutcome {
    let mut requests = Vec::new();
    let read = examination.audit.read(|record, _| {
        // A stopped request says nothing about the provider.
        if record.event == EventKind::Request.name() && record.word("outcome") != "stopped" {
            requests.push(PastRequest {
                failed: record.word("outcome") == "failed",
                millis: record.number("milliseconds").unwrap_or(0),
            });
        }
    });
    if read.is_err() || requests.is_empty() {
        return CheckOutcome::skip("there are no finished requests yet");
    }
    judge_requests(&requests)
}

fn judge_requests(requests: &[PastRequest]) -> CheckOutcome {
    let describe = |requests: &[PastRequest]| {
        let median = series::median(times(requests))
            .map_or_else(String::new, |millis| format!(", {millis} ms at the median"));
        let failed: i64 = failures(requests).iter().sum();
        format!("{failed} of {} failed{median}", requests.len())
    };
    let Some((past, recent)) = series::split_recent(requests) else {
        return CheckOutcome::ok(format!("{}; too few to compare", describe(requests)));
    };
    let summary = format!(
        "the last {RECENT}: {}; before: {}",
        describe(recent),
        describe(past)
    );
    let fails_more = series::many_failures(&failures(past), &failures(recent)).is_some();
    let is_slower = series::slow_median(times(past), times(recent)).is_some();
    if fails_more || is_slower {
        CheckOutcome::warn(summary, "chatbot audit --event request")
    } else {
        CheckOutcome::ok(summary)
    }
}

/// 1 for each that failed.
fn failures(requests: &[PastRequest]) -> Vec<i64> {
    requests
        .iter()
        .map(|request| i64::from(request.failed))
        .collect()
}

/// The times of those that were answered.
fn times(requests: &[PastRequest]) -> Vec<i64> {
    let answered = requests.iter().filter(|request| !request.failed);
    answered.map(|request| request.millis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus::{Ok, Warn};

    #[test]
    fn last_requests_are_compared_with_the_past() {
        let request = |failed, millis| PastRequest { failed, millis };
        let (good, slow, bad) = (request(false, 500), request(false, 5000), request(true, 90));
        for (past, recent, status) in [
            (vec![good; 30], vec![good; 10], Ok),
            (vec![good; 5], vec![bad; 10], Ok),
            (vec![good; 30], vec![bad; 10], Warn),
            (vec![good; 30], [vec![good; 8], vec![bad; 2]].concat(), Ok),
            (vec![bad; 30], vec![bad; 10], Ok),
            (vec![good; 30], vec![slow; 10], Warn),
            (vec![slow; 30], vec![slow; 10], Ok),
        ] {
            let outcome = judge_requests(&[past, recent].concat());
            assert_eq!(outcome.status, status, "{}", outcome.summary);
        }
    }
}
