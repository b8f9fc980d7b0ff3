//! Costs in whole nano-dollars: the provider's figure, parsed exactly, or an estimate from its
//! price list.
//!
//! Integers rather than floats, so that sums of small amounts are exact.

#[cfg(test)]
mod tests;

use crate::provider::TokenUsage;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// Billionths of a dollar, written as a decimal number of dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoDollars(pub i64);

impl NanoDollars {
    /// Parses a decimal number of dollars exactly, `0.000147` or `1.47e-4`. Digits beyond a
    /// billionth are rounded.
    #[must_use]
    pub fn parse(dollars: &str) -> Option<Self> {
        i64::try_from(parse_decimal(dollars, 9)?).ok().map(Self)
    }

    /// The sum; an overflow stays at the largest amount.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

/// Writes a decimal number of dollars without exponent and trailing zeros: `0.000147`.
impl fmt::Display for NanoDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (
            self.0.unsigned_abs() / 1_000_000_000,
            self.0.unsigned_abs() % 1_000_000_000,
        );
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let part = format!("{part:09}");
        write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
    }
}

/// As a JSON number, digit for digit.
impl Serialize for NanoDollars {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(s)
    }
}

/// From a JSON number, or a string with one.
impl<'de> Deserialize<'de> for NanoDollars {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(d)?;
        Self::parse(unquote(&raw))
            .ok_or_else(|| serde::de::Error::custom("not an amount of dollars"))
    }
}

/// The text of a JSON number, or of a JSON string that contains one.
pub(super) fn unquote(raw: &RawValue) -> &str {
    raw.get().trim_matches('"')
}

/// A decimal number times ten to the power of `places`, rounded to the nearest integer.
fn parse_decimal(text: &str, places: i32) -> Option<i128> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + part.len() > 60
        || !whole
            .bytes()
            .chain(part.bytes())
            .all(|b| b.is_ascii_digit())
        || (whole.is_empty() && part.is_empty())
    {
        return None;
    }
    // The number of digits before the point after scaling.
    let before = i32::try_from(whole.len())
        .ok()?
        .checked_add(exponent)?
        .checked_add(places)?;
    if before > 36 {
        // Far beyond any price; a zero with many digits is still zero.
        return whole
            .bytes()
            .chain(part.bytes())
            .all(|b| b == b'0')
            .then_some(0);
    }
    let mut digits = whole.bytes().chain(part.bytes());
    let mut value: i128 = 0;
    let mut round_up = false;
    if before < 0 {
        return Some(0);
    }
    for _ in 0..before {
        value = value * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0');
    }
    if digits.next().is_some_and(|d| d >= b'5') {
        round_up = true;
    }
    value += i128::from(round_up);
    Some(if negative { -value } else { value })
}

/// The price of one token (or request), in millionths of a nano-dollar, because prices per token
/// are that small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate(i128);

/// [`Rate`] counts in 10^-15 dollars.
const RATE_DECIMALS: i32 = 15;
const RATE_UNITS_PER_NANO: i128 = 1_000_000;

impl Rate {
    /// Parses a decimal number of dollars. A negative number is a router's way to say that the
    /// price varies.
    #[must_use]
    pub fn parse(dollars: &str) -> Option<Self> {
        parse_decimal(dollars, RATE_DECIMALS)
            .filter(|r| *r >= 0)
            .map(Self)
    }

    /// The price of a million tokens.
    #[must_use]
    pub fn per_million(self) -> NanoDollars {
        NanoDollars(i64::try_from(self.0).unwrap_or(i64::MAX))
    }

    fn multiply(self, n: u64) -> i128 {
        self.0.saturating_mul(i128::from(n))
    }
}

/// A model's prices, as listed by its provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    base: PriceRow,
    /// The discount on the total, in millionths.
    discount: u32,
    tiers: Vec<PriceTier>,
}

/// One row of a price list. In a tier, absent prices are those of the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PriceRow {
    prompt: Option<Rate>,
    completion: Option<Rate>,
    request: Option<Rate>,
    cache_read: Option<Rate>,
    cache_write: Option<Rate>,
    reasoning: Option<Rate>,
}

/// Prices for long prompts or for certain hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PriceTier {
    min_prompt_tokens: u64,
    /// Applies at certain hours only. An estimate does not know them and ignores this tier.
    timed: bool,
    row: PriceRow,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PriceJson<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    completion: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    input_cache_read: Option<&'a RawValue>,
    #[serde(borrow)]
    input_cache_write: Option<&'a RawValue>,
    #[serde(borrow)]
    internal_reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    discount: Option<&'a RawValue>,
    min_prompt_tokens: Option<u64>,
    utc_start: Option<IgnoredAny>,
    utc_end: Option<IgnoredAny>,
    utc_days: Option<IgnoredAny>,
    #[serde(borrow)]
    overrides: Option<Vec<Self>>,
}

impl PriceJson<'_> {
    fn to_row(&self) -> PriceRow {
        let rate = |raw: Option<&RawValue>| raw.and_then(|raw| Rate::parse(unquote(raw)));
        PriceRow {
            prompt: rate(self.prompt),
            completion: rate(self.completion),
            request: rate(self.request),
            cache_read: rate(self.input_cache_read),
            cache_write: rate(self.input_cache_write),
            reasoning: rate(self.internal_reasoning),
        }
    }
}

impl PriceRow {
    /// This row with the prices of a tier in place of its own.
    fn overlay(self, tier: &Self) -> Self {
        Self {
            prompt: tier.prompt.or(self.prompt),
            completion: tier.completion.or(self.completion),
            request: tier.request.or(self.request),
            cache_read: tier.cache_read.or(self.cache_read),
            cache_write: tier.cache_write.or(self.cache_write),
            reasoning: tier.reasoning.or(self.reasoning),
        }
    }
}

impl Prices {
    /// Parses a `pricing` object of a model list; `None` if it contains no price.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let wire: PriceJson<'_> = serde_json::from_str(json).ok()?;
        let base = wire.to_row();
        // Require both: an estimate from half a list would be wrong.
        base.prompt.and(base.completion)?;
        let tiers = wire.overrides.iter().flatten().map(|tier| PriceTier {
            min_prompt_tokens: tier.min_prompt_tokens.unwrap_or(0),
            timed: tier.utc_start.is_some() || tier.utc_end.is_some() || tier.utc_days.is_some(),
            row: tier.to_row(),
        });
        let discount = wire
            .discount
            .and_then(|raw| parse_decimal(unquote(raw), 6))
            .and_then(|d| u32::try_from(d).ok())
            .unwrap_or(0)
            .min(1_000_000);
        Some(Self {
            base,
            discount,
            tiers: tiers.collect(),
        })
    }

    /// The price of a million prompt tokens, before tiers and discount.
    #[must_use]
    pub fn prompt(&self) -> Option<NanoDollars> {
        self.base.prompt.map(Rate::per_million)
    }

    /// The price of a million answer tokens, before tiers and discount.
    #[must_use]
    pub fn completion(&self) -> Option<NanoDollars> {
        self.base.completion.map(Rate::per_million)
    }

    /// Whether prompt and answer are free.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.tiers.is_empty()
            && self.base.prompt == Some(Rate(0))
            && self.base.completion == Some(Rate(0))
    }

    /// Estimates the cost of a request by this list. The provider that serves it may charge other
    /// prices.
    #[must_use]
    pub fn estimate(&self, usage: &TokenUsage) -> Option<NanoDollars> {
        let row = (self.tiers.iter())
            .filter(|tier| {
                !tier.timed
                    && (tier.min_prompt_tokens == 0 || usage.prompt_tokens > tier.min_prompt_tokens)
            })
            .fold(self.base, |row, tier| row.overlay(&tier.row));
        let (prompt, completion) = (row.prompt?, row.completion?);
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let written = usage.cache_write_tokens.min(usage.prompt_tokens - cached);
        let reasoned = usage.reasoning_tokens.min(usage.completion_tokens);
        let sum = prompt.multiply(usage.prompt_tokens - cached - written)
            + row.cache_read.unwrap_or(prompt).multiply(cached)
            + row.cache_write.unwrap_or(prompt).multiply(written)
            + completion.multiply(usage.completion_tokens - reasoned)
            + row
                .reasoning
                .filter(|r| r.0 > 0)
                .unwrap_or(completion)
                .multiply(reasoned)
            + row.request.map_or(0, |r| r.0);
        let sum = sum.saturating_mul(i128::from(1_000_000 - self.discount)) / 1_000_000;
        i64::try_from((sum + RATE_UNITS_PER_NANO / 2) / RATE_UNITS_PER_NANO)
            .ok()
            .map(NanoDollars)
    }

    /// The most a request can cost by this list: the highest price of any tier, all of the prompt
    /// written to a cache, all of the answer reasoning, no discount.
    #[must_use]
    pub fn upper_bound(&self, prompt: u64, completion: u64) -> Option<NanoDollars> {
        let rows = || std::iter::once(&self.base).chain(self.tiers.iter().map(|tier| &tier.row));
        let sent = rows()
            .flat_map(|r| [r.prompt, r.cache_write, r.cache_read])
            .flatten()
            .max()?;
        let event = rows()
            .flat_map(|r| [r.completion, r.reasoning])
            .flatten()
            .max()?;
        let request = rows().filter_map(|r| r.request).max().map_or(0, |r| r.0);
        let most = sent
            .multiply(prompt)
            .saturating_add(event.multiply(completion))
            .saturating_add(request);
        Some(NanoDollars(
            i64::try_from((most + RATE_UNITS_PER_NANO - 1) / RATE_UNITS_PER_NANO)
                .unwrap_or(i64::MAX),
        ))
    }

    /// The number of answer tokens, at most `most`, that an amount certainly pays for after such a
    /// prompt.
    #[must_use]
    pub fn max_affordable_tokens(&self, prompt: u64, money: NanoDollars, most: u64) -> Option<u64> {
        let fits = |completion| {
            self.upper_bound(prompt, completion)
                .is_some_and(|cost| cost <= money)
        };
        if !fits(0) {
            return None;
        }
        let (mut low, mut high) = (0, most.saturating_add(1));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}
