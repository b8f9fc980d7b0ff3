//! What all requests of a running proxy share.

use crate::audit::Event;
use crate::limits::Lockdown;
use crate::privacy::Redactor;
use crate::provider::{Upstream, UpstreamApi};
use crate::proxy::credentials::Authenticator;
use crate::proxy::forward::cache::ResponseCache;
use crate::proxy::guard::Guard;
use crate::proxy::ledger::{BookedCost, Ledger, LedgerServices};
use crate::proxy::metrics::{Metrics, ProxyTotals};
use crate::proxy::routes::Api;
use crate::proxy::token::{TokenTable, TokenUse};
use crate::time::{Clock, Time};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Settings of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Web pages that may use it, such as `https://app.example`.
    pub origins: Vec<String>,
    /// The largest body of a request.
    pub max_body_bytes: usize,
    /// How long answers to identical deterministic requests are kept; `None` for not at all.
    pub cache_ttl: Option<Duration>,
    /// Which providers OpenRouter may use, as a JSON object, unless a request says so itself.
    pub routing: Option<&'static str>,
    /// Whether the built-in demo answers all requests.
    pub is_demo: bool,
    /// How long running requests may go on after the proxy was told to stop.
    pub stop_deadline: Duration,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            max_body_bytes: 64 << 20,
            cache_ttl: None,
            is_demo: false,
            routing: None,
            stop_deadline: Duration::from_secs(10),
        }
    }
}

/// What the command that runs the proxy tells it, and is asked by it.
pub trait OwnerReports {
    /// Usage, limits and budgets, as `chatbot usage --json` prints them.
    fn usage(&mut self) -> serde_json::Value;

    /// Alerts that were not acknowledged.
    fn alerts(&mut self) -> serde_json::Value;

    /// Looks for new alerts. Called every few seconds and run on a thread, because it reads what was
    /// recorded since.
    fn alert_look(&self) -> Box<dyn FnOnce() + Send>;
}

/// What a proxy is made of.
pub struct ProxyParts {
    /// The settings.
    pub config: ProxyConfig,
    /// Limits, budgets, usage and audit log.
    pub services: LedgerServices,
    /// The providers, by protocol; none in the demo.
    pub upstreams: Vec<(UpstreamApi, Upstream)>,
    /// The profile of the key, for the usage record.
    pub profile: String,
    /// Finds private values.
    pub redactor: Arc<Redactor>,
    /// The owner's side.
    pub reports: Box<dyn OwnerReports>,
}

impl std::fmt::Debug for ProxyParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyParts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A running request.
#[derive(Clone, Debug)]
pub(super) struct LiveRequest {
    pub(super) token: String,
    pub(super) route: &'static str,
    pub(super) model: String,
    pub(super) since: Time,
}

/// The shared state. One thread uses it, and no borrow of a cell lasts across a wait.
pub(super) struct ProxyState {
    pub(super) config: ProxyConfig,
    pub(super) guard: Guard,
    pub(super) tokens: RefCell<TokenTable>,
    pub(super) authenticator: RefCell<Authenticator>,
    pub(super) ledger: RefCell<Option<Ledger>>,
    pub(super) upstreams: Vec<(UpstreamApi, Rc<Upstream>)>,
    pub(super) profile: String,
    pub(super) lockdown: Lockdown,
    pub(super) clock: Clock,
    pub(super) started: Time,
    pub(super) reports: RefCell<Box<dyn OwnerReports>>,
    pub(super) live: RefCell<BTreeMap<u64, LiveRequest>>,
    pub(super) next_live: Cell<u64>,
    pub(super) totals: RefCell<ProxyTotals>,
    pub(super) redactions: RefCell<BTreeMap<String, u64>>,
    pub(super) metrics: RefCell<Metrics>,
    pub(super) cache: RefCell<ResponseCache>,
    /// Set to stop: running requests end.
    pub(super) stop: watch::Sender<bool>,
}

impl ProxyState {
    pub(super) fn new(
        parts: ProxyParts,
        port: Option<u16>,
    ) -> (Self, mpsc::UnboundedReceiver<Vec<BookedCost>>) {
        let clock = parts.services.clock.clone();
        let lockdown = parts.services.lockdown.clone();
        let (booked, hear) = mpsc::unbounded_channel();
        let state = Self {
            guard: Guard::new(port, parts.config.origins.clone()),
            tokens: RefCell::new(TokenTable::new(parts.redactor, clock.clone())),
            authenticator: RefCell::new(Authenticator::new(clock.clone())),
            ledger: RefCell::new(Some(Ledger::open(parts.services, booked))),
            upstreams: parts
                .upstreams
                .into_iter()
                .map(|(api, upstream)| (api, Rc::new(upstream)))
                .collect(),
            profile: parts.profile,
            lockdown,
            started: clock.now(),
            cache: RefCell::new(ResponseCache::new(parts.config.cache_ttl, clock.clone())),
            clock,
            reports: RefCell::new(parts.reports),
            live: RefCell::new(BTreeMap::new()),
            next_live: Cell::new(0),
            totals: RefCell::new(ProxyTotals::default()),
            redactions: RefCell::new(BTreeMap::new()),
            metrics: RefCell::new(Metrics::default()),
            stop: watch::Sender::new(false),
            config: parts.config,
        };
        (state, hear)
    }

    /// The provider for a protocol.
    pub(super) fn upstream(&self, api: Api) -> Option<&Rc<Upstream>> {
        let wanted = match api {
            Api::OpenAi => UpstreamApi::OpenAi,
            Api::Anthropic => UpstreamApi::Anthropic,
            Api::Google => UpstreamApi::Google,
        };
        let found = self.upstreams.iter().find(|(api, _)| *api == wanted);
        found.map(|(_, upstream)| upstream)
    }

    /// Changes the counts of a token and the sums.
    pub(super) fn count(&self, token: &str, change: impl Fn(&mut TokenUse)) {
        if let Some(token) = self.tokens.borrow_mut().get_mut(token) {
            change(&mut token.used);
        }
        change(&mut self.totals.borrow_mut().used);
    }

    pub(super) fn record(&self, event: Event) {
        if let Some(ledger) = self.ledger.borrow().as_ref() {
            ledger.record(event);
        }
    }

    /// Books what the ledger reports.
    pub(super) fn add_booked(&self, booked: &[BookedCost]) {
        for booked in booked {
            self.count(&booked.token, |used| match booked.nanos {
                Some(nanos) => used.nanos = used.nanos.saturating_add(nanos),
                None => used.unknown += 1,
            });
        }
    }
}
