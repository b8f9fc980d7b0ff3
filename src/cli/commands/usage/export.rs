//! Usage as JSON and as CSV.

use super::view::{GroupBy, UsageView, known_cost};
use crate::cli::term::format::json_dollars;
use crate::config::BudgetSettings;
use crate::provider::NanoDollars;
use crate::usage::UsageTotals;
use crate::usage::performance::Percentiles;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The JSON object of `--json`.
pub(super) fn as_json(view: &UsageView, by: GroupBy, budget: &BudgetSettings) -> Value {
    let [_, hour] = view.rate_limits;
    let start = hour.oldest.unwrap_or(view.now);
    let limits: Vec<Value> = view
        .rate_limits
        .iter()
        .map(|l| json!({ "window": l.window.name, "used": l.used, "max": l.window.max_requests, "resets_at": l.frees.map(|f| view.now.saturating_add(f)) }))
        .collect();
    let sum = |s: &UsageTotals| json!({ "requests": s.requests, "prompt_tokens": s.prompt, "completion_tokens": s.completion, "cost": known_cost(s), "unknown_costs": s.unknown, "estimated_costs": s.estimated });
    let named = |name: &str, key: &str, s: &UsageTotals| {
        let mut object = sum(s);
        if let Some(object) = object.as_object_mut() {
            object.insert(name.to_owned(), json!(key));
        }
        object
    };
    let totals: Vec<Value> = view
        .sums
        .iter()
        .map(|(key, s)| named(by.name(), &key.name, s))
        .collect();
    let performance: Vec<Value> = view
        .performance
        .iter()
        .map(|(key, p)| {
            json!({ by.name(): key.name, "requests": p.finished, "failed": p.failed, "error_rate": p.error_rate(), "ms": percentiles(p.answers()), "first_token_ms": percentiles(p.first_tokens()) })
        })
        .collect();
    let spans: BTreeMap<String, Value> = view
        .spans
        .iter()
        .map(|(name, s)| (name.replace(' ', "_"), sum(s)))
        .collect();
    let budgets: Vec<Value> = view
        .budgets
        .iter()
        .map(|f| json!({ "span": f.span.name(), "limit": json_dollars(f.limit), "spent": json_dollars(f.spent), "held": json_dollars(f.held), "resets_at": f.resets }))
        .collect();
    let backoff: Vec<Value> = view
        .backoff
        .iter()
        .map(|(who, left)| json!({ "who": who, "until": view.now.saturating_add(*left) }))
        .collect();
    json!({
        "schema_version": 1,
        "success": true,
        "usage": { "requests_this_hour": hour.used, "max_requests_per_hour": hour.window.max_requests, "window_start": start.millis().div_euclid(1000) },
        "limits": limits,
        "provider_limits": backoff,
        "spans": spans,
        "totals": totals,
        "performance": performance,
        "violations": view.violations.as_json(),
        "validations": view.violations.validations_json(),
        "budget": { "per_day": budget.per_day.map(json_dollars), "per_month": budget.per_month.map(json_dollars), "spans": budgets },
    })
}

fn percentiles(times: Option<Percentiles>) -> Option<Value> {
    times.map(|times| json!({ "p50": times.p50, "p95": times.p95 }))
}

/// The totals as CSV. Quoting takes four lines, for which the crate `csv` would be two more crates.
pub(super) fn as_csv(view: &UsageView, by: GroupBy) -> String {
    // A spreadsheet would run a value that begins like a formula, so it gets a quote in front.
    let field = |text: &str| {
        let text = if text.starts_with(['=', '+', '-', '@', '\t']) {
            format!("'{text}")
        } else {
            text.to_owned()
        };
        if text.contains([',', '"', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let mut out = format!(
        "{},requests,prompt_tokens,completion_tokens,cost_usd,unknown_costs,estimated_costs\n",
        by.name()
    );
    for (key, s) in &view.sums {
        let cost = known_cost(s).map_or(String::new(), |_| NanoDollars(s.nanos).to_string());
        out += &format!(
            "{},{},{},{},{cost},{},{}\n",
            field(&key.name),
            s.requests,
            s.prompt,
            s.completion,
            s.unknown,
            s.estimated
        );
    }
    out
}
