//! The most that a request can cost, and its reservation in the budget, before it is sent.

use crate::provider::{NanoDollars, Prices};
use crate::usage;
use crate::usage::budget::{self, BudgetBatch, BudgetLimits, BudgetTracker, SessionSpend};
use crate::usage::totals::{Hold, ReservationRequest};
use std::fmt;

/// The assumed maximum length of an answer for the budget if none is set, in tokens.
const DEFAULT_MAX_TOKENS: u64 = 8192;
/// An answer that the budget would cut shorter than this is not requested.
const MIN_USEFUL_TOKENS: u64 = 256;

/// What is known about a model's price.
#[derive(Clone, Debug, PartialEq)]
pub enum Price {
    /// It runs on the user's machine.
    Free,
    /// The provider's list has its price.
    Known(Box<Prices>),
    /// The provider's list has no price for it.
    Unknown,
}

/// Looks up the price of a model by its name.
pub struct Pricing(Box<dyn Fn(&str) -> Price + Send>);

impl Pricing {
    /// Creates one from a function that is called for each model.
    pub fn new(of: impl Fn(&str) -> Price + Send + 'static) -> Self {
        Self(Box::new(of))
    }

    /// The price of a model.
    #[must_use]
    pub fn price_of(&self, model: &str) -> Price {
        (self.0)(model)
    }
}

impl fmt::Debug for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pricing(_)")
    }
}

/// The size of a request, as far as it decides its cost.
#[derive(Clone, Copy, Debug)]
pub struct RequestSize {
    /// No fewer tokens than the prompt can have.
    pub prompt: u64,
    /// The most tokens of the answer, if the request limits it.
    pub max_tokens: Option<u32>,
}

/// The possible cost of a request.
#[derive(Debug)]
pub struct CostBound {
    prices: Box<Prices>,
    prompt: u64,
    max: u64,
    /// The cost of the shortest answer that is of use.
    pub min: i64,
    /// The cost of the longest answer.
    pub want: i64,
}

impl CostBound {
    /// The possible cost at a price; `None` if the request is free.
    pub fn new(
        price: Price,
        model: &str,
        size: RequestSize,
        allow_unknown_price: bool,
    ) -> Result<Option<Self>, budget::Error> {
        let prices = match price {
            Price::Free => return Ok(None),
            Price::Known(prices) => prices,
            Price::Unknown if allow_unknown_price => return Ok(None),
            Price::Unknown => {
                return Err(budget::Error::NoPrice {
                    model: usage::sanitize_model(model),
                });
            }
        };
        let max = size.max_tokens.map_or(DEFAULT_MAX_TOKENS, u64::from);
        let min = if size.max_tokens.is_some() {
            max
        } else {
            MIN_USEFUL_TOKENS
        };
        let cost = |tokens| {
            prices
                .upper_bound(size.prompt, tokens)
                .map_or(i64::MAX, |n| n.0)
        };
        let (min, want) = (cost(min), cost(max));
        Ok((want > 0).then_some(Self {
            prices,
            prompt: size.prompt,
            max,
            min,
            want,
        }))
    }

    /// The number of answer tokens an amount pays for.
    #[must_use]
    pub fn affordable_tokens(&self, nanos: i64) -> Option<u32> {
        self.prices
            .max_affordable_tokens(self.prompt, NanoDollars(nanos), self.max)
            .and_then(|n| u32::try_from(n).ok())
    }
}

/// A reservation for a request.
#[derive(Debug)]
pub struct ReservedCost {
    /// The reservation.
    pub hold: Hold,
    /// The longest answer that it pays for.
    pub max_tokens: Option<u32>,
    /// Whether the totals had to be recalculated.
    pub rebuilt: bool,
}

/// Reserves the most that a request can cost, if a budget is set and the request is not free.
pub fn reserve_cost(
    budget: &BudgetTracker,
    pricing: &Pricing,
    allow_unknown_price: bool,
    request: &ReservationRequest,
    size: impl FnOnce() -> RequestSize,
    own: SessionSpend,
) -> Result<Option<ReservedCost>, budget::Error> {
    let limits = budget.limits();
    if !limits.is_set() {
        return Ok(None);
    }
    let need = CostNeed::new(pricing, allow_unknown_price, request, size())?;
    if need.is_free(own) && !budget.has_paid(&request.provider)? {
        return Ok(None);
    }
    budget.batch(|batch| need.reserve(batch, &limits, request, own))?
}

/// The same for one of several requests, with the budgets locked.
pub fn reserve_cost_in_batch(
    batch: &mut BudgetBatch<'_>,
    limits: &BudgetLimits,
    need: Result<CostNeed, budget::Error>,
    request: &ReservationRequest,
    own: SessionSpend,
) -> Result<Option<ReservedCost>, budget::Error> {
    if !limits.is_set() {
        return Ok(None);
    }
    let need = need?;
    if need.is_free(own) && !batch.has_paid(&request.provider) {
        return Ok(None);
    }
    need.reserve(batch, limits, request, own)
}

/// What a reservation depends on, besides the budgets.
#[derive(Debug)]
pub struct CostNeed {
    is_listed: bool,
    bound: Option<CostBound>,
}

impl CostNeed {
    /// The possible cost of a request.
    pub fn new(
        pricing: &Pricing,
        allow_unknown_price: bool,
        request: &ReservationRequest,
        size: RequestSize,
    ) -> Result<Self, budget::Error> {
        let price = pricing.price_of(&request.model);
        Ok(Self {
            is_listed: matches!(price, Price::Known(_)),
            bound: CostBound::new(price, &request.model, size, allow_unknown_price)?,
        })
    }

    const fn is_free(&self, own: SessionSpend) -> bool {
        self.bound.is_none() && own.conversation == 0
    }

    fn reserve(
        self,
        batch: &mut BudgetBatch<'_>,
        limits: &BudgetLimits,
        request: &ReservationRequest,
        own: SessionSpend,
    ) -> Result<Option<ReservedCost>, budget::Error> {
        let (least, want) = match &self.bound {
            Some(bound) => (bound.min, bound.want),
            // The list says it is free, and it never charged anything.
            None if self.is_listed && batch.max_recent_cost(request, false)? == 0 => {
                return Ok(None);
            }
            // The prices are unknown, but the provider did charge before: reserve the most it
            // charged.
            None => {
                let asked = batch.max_recent_cost(request, true)?.max(1);
                (asked, asked)
            }
        };
        let reservation = batch.reserve(limits, request, least, want, own)?;
        Ok(Some(ReservedCost {
            max_tokens: self
                .bound
                .and_then(|bound| bound.affordable_tokens(reservation.nanos)),
            hold: reservation.hold,
            rebuilt: reservation.rebuilt,
        }))
    }
}
