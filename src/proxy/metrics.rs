//! Counts and durations of requests, in the text format of Prometheus.

use crate::proxy::token::TokenUse;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a proxy did in all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyTotals {
    /// Sums over all tokens.
    pub used: TokenUse,
    /// Requests that were refused before they had a token.
    pub refused: u64,
    /// Tokens that were created.
    pub minted: u64,
}

/// The upper ends of the buckets of durations, in milliseconds.
const BUCKETS_MS: [u64; 9] = [50, 100, 250, 500, 1000, 2500, 5000, 15_000, 60_000];

/// What was measured since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: BTreeMap<(&'static str, &'static str), u64>,
    refusals: BTreeMap<&'static str, u64>,
    buckets: [u64; BUCKETS_MS.len()],
    seconds: f64,
    count: u64,
}

impl Metrics {
    pub(super) fn finished(
        &mut self,
        route: &'static str,
        outcome: &'static str,
        elapsed: Duration,
    ) {
        *self.requests.entry((route, outcome)).or_default() += 1;
        let millis = elapsed.as_millis();
        for (bucket, most) in self.buckets.iter_mut().zip(BUCKETS_MS) {
            *bucket += u64::from(millis <= u128::from(most));
        }
        self.seconds += elapsed.as_secs_f64();
        self.count += 1;
    }

    pub(super) fn refused(&mut self, code: &'static str) {
        *self.refusals.entry(code).or_default() += 1;
    }

    pub(super) fn refusals(&self) -> &BTreeMap<&'static str, u64> {
        &self.refusals
    }

    /// The text that Prometheus reads.
    pub(super) fn render(
        &self,
        totals: &ProxyTotals,
        live: usize,
        tokens: usize,
        redactions: &BTreeMap<String, u64>,
    ) -> String {
        let mut out = String::new();
        let mut family = |name: &str, kind: &str, help: &str, rows: Vec<(String, String)>| {
            out += &format!(
                "# HELP chatbot_proxy_{name} {help}\n# TYPE chatbot_proxy_{name} {kind}\n"
            );
            for (labels, value) in rows {
                out += &format!("chatbot_proxy_{name}{labels} {value}\n");
            }
        };
        let requests = self.requests.iter().map(|((route, outcome), count)| {
            (
                format!("{{route=\"{route}\",outcome=\"{outcome}\"}}"),
                count.to_string(),
            )
        });
        family(
            "requests_total",
            "counter",
            "Requests that were sent.",
            requests.collect(),
        );
        let refusals = self
            .refusals
            .iter()
            .map(|(code, count)| (format!("{{reason=\"{code}\"}}"), count.to_string()));
        family(
            "refusals_total",
            "counter",
            "Requests that were refused.",
            refusals.collect(),
        );
        let redactions = redactions
            .iter()
            .map(|(kind, count)| (format!("{{kind=\"{kind}\"}}"), count.to_string()));
        family(
            "redactions_total",
            "counter",
            "Values that were replaced.",
            redactions.collect(),
        );
        let single = |value: String| vec![(String::new(), value)];
        let used = &totals.used;
        for (name, help, value) in [
            ("prompt_tokens_total", "Prompt tokens.", used.prompt),
            (
                "cached_tokens_total",
                "Prompt tokens from the provider's cache.",
                used.cached,
            ),
            ("completion_tokens_total", "Answer tokens.", used.completion),
            (
                "unknown_costs_total",
                "Requests with unknown cost.",
                used.unknown,
            ),
            (
                "held_back_total",
                "Secrets that were not put back into answers.",
                used.held_back,
            ),
            (
                "cache_hits_total",
                "Answers from the response cache.",
                used.from_cache,
            ),
            (
                "tokens_created_total",
                "Tokens that were created.",
                totals.minted,
            ),
        ] {
            family(name, "counter", help, single(value.to_string()));
        }
        let dollars = crate::provider::NanoDollars(used.nanos).to_string();
        family(
            "cost_dollars_total",
            "counter",
            "Known costs.",
            single(dollars),
        );
        family(
            "live_requests",
            "gauge",
            "Requests that are running.",
            single(live.to_string()),
        );
        family(
            "tokens",
            "gauge",
            "Tokens that exist.",
            single(tokens.to_string()),
        );
        let mut rows: Vec<(String, String)> = BUCKETS_MS
            .iter()
            .zip(self.buckets)
            .map(|(most, count)| {
                let le = format!("{}.{:03}", most / 1000, most % 1000);
                (format!("_bucket{{le=\"{le}\"}}"), count.to_string())
            })
            .collect();
        rows.push((String::from("_bucket{le=\"+Inf\"}"), self.count.to_string()));
        rows.push((String::from("_sum"), self.seconds.to_string()));
        rows.push((String::from("_count"), self.count.to_string()));
        family(
            "request_duration_seconds",
            "histogram",
            "Time until answers ended.",
            rows,
        );
        out
    }
}
