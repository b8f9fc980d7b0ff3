//! Tests of amounts and prices.

use super::*;

fn usage(prompt: u64, cached: u64, written: u64, completion: u64, reasoning: u64) -> TokenUsage {
    TokenUsage {
        prompt_tokens: prompt,
        cached_tokens: cached,
        cache_write_tokens: written,
        completion_tokens: completion,
        reasoning_tokens: reasoning,
        ..TokenUsage::default()
    }
}

#[test]
fn dollars_parse_exactly() {
    for (text, nano) in [
        ("0", 0),
        ("0.000147", 147_000),
        ("1.47e-4", 147_000),
        ("1.47E-04", 147_000),
        ("12", 12_000_000_000),
        ("0.1", 100_000_000),
        ("0.30000000000000004", 300_000_000),
        ("0.0000000005", 1),
        ("0.00000000049", 0),
        ("-0.25", -250_000_000),
        ("1e3", 1_000_000_000_000),
        ("0.0e99", 0),
        ("1e-99", 0),
    ] {
        assert_eq!(NanoDollars::parse(text), Some(NanoDollars(nano)), "{text}");
    }
    for text in [
        "",
        ".",
        "-",
        "1,5",
        "0x10",
        "NaN",
        "1e99",
        "1e",
        "9999999999999",
    ] {
        assert_eq!(NanoDollars::parse(text), None, "{text}");
    }
}

#[test]
fn dollars_round_trip() {
    for text in ["0", "0.000147", "12", "-0.25", "0.000000001", "123.45"] {
        assert_eq!(NanoDollars::parse(text).unwrap().to_string(), text);
        let json = serde_json::to_string(&NanoDollars::parse(text).unwrap()).unwrap();
        assert_eq!(json, text);
        assert_eq!(
            serde_json::from_str::<NanoDollars>(&json)
                .unwrap()
                .to_string(),
            text
        );
    }
}

#[test]
fn pricing_counts_each_token_once() {
    let prices = Prices::parse(
        r#"{"prompt":"0.000003","completion":"0.000015","input_cache_read":"0.0000003","input_cache_write":"0.00000375","request":"0","image":"0.0048"}"#,
    )
    .unwrap();
    // Plain.
    assert_eq!(
        prices.estimate(&usage(1000, 0, 0, 100, 0)),
        Some(NanoDollars(4_500_000))
    );
    // 800 of the 1000 were in the cache, 100 were written to it.
    assert_eq!(
        prices.estimate(&usage(1000, 800, 100, 100, 0)),
        Some(NanoDollars(300_000 + 240_000 + 375_000 + 1_500_000))
    );
    // Reasoning is part of the answer and costs the same where it has no price of its own.
    assert_eq!(
        prices.estimate(&usage(0, 0, 0, 100, 60)),
        Some(NanoDollars(1_500_000))
    );
    // More cached than sent cannot be.
    assert_eq!(
        prices.estimate(&usage(10, 50, 50, 0, 0)),
        Some(NanoDollars(3_000))
    );
    assert_eq!(prices.prompt().unwrap().to_string(), "3");
    assert_eq!(prices.completion().unwrap().to_string(), "15");
}

#[test]
fn pricing_below_nano_dollar_counts() {
    let prices = Prices::parse(r#"{"prompt":"0.0000000375","completion":0.00000015}"#).unwrap();
    assert_eq!(
        prices.estimate(&usage(1000, 0, 0, 10, 0)),
        Some(NanoDollars(37_500 + 1_500))
    );
    assert_eq!(
        prices.estimate(&usage(1, 0, 0, 0, 0)),
        Some(NanoDollars(38))
    );
}

#[test]
fn pricing_long_prompt_uses_tier() {
    let prices = Prices::parse(
        r#"{"prompt":"0.000001","completion":"0.000002","discount":0.5,
                "overrides":[{"min_prompt_tokens":200000,"prompt":"0.000004"},{"utc_start":0,"utc_end":800,"prompt":"0"}]}"#,
    )
    .unwrap();
    assert_eq!(
        prices.estimate(&usage(200_000, 0, 0, 1000, 0)),
        Some(NanoDollars(101_000_000))
    );
    assert_eq!(
        prices.estimate(&usage(200_001, 0, 0, 1000, 0)),
        Some(NanoDollars(401_002_000))
    );
}

#[test]
fn pricing_of_reasoning_and_requests() {
    let prices = Prices::parse(r#"{"prompt":"0","completion":"0.000001","internal_reasoning":"0.000003","request":"0.005"}"#).unwrap();
    assert_eq!(
        prices.estimate(&usage(9, 0, 0, 100, 40)),
        Some(NanoDollars(60_000 + 120_000 + 5_000_000))
    );
}

#[test]
fn pricing_unknown_is_not_free() {
    let free = Prices::parse(r#"{"prompt":"0","completion":"0"}"#).unwrap();
    assert!(free.is_free());
    assert_eq!(
        free.estimate(&usage(1000, 0, 0, 1000, 0)),
        Some(NanoDollars(0))
    );
    assert_eq!(Prices::parse(r#"{"prompt":"-1","completion":"-1"}"#), None);
    assert_eq!(Prices::parse(r#"{"prompt":"0.1"}"#), None);
    assert_eq!(Prices::parse("{}"), None);
}

#[test]
fn pricing_upper_bound_covers_cost() {
    let prices = Prices::parse(
        r#"{"prompt":"0.000003","completion":"0.000015","input_cache_write":"0.00000375","request":"0.001","discount":0.5,
               "overrides":[{"min_prompt_tokens":200000,"prompt":"0.000006"},{"utc_start":0,"utc_end":1200,"completion":"0.00003"}]}"#,
    )
    .unwrap();
    // 1000 × $0.000006 + 500 × $0.00003 + $0.001
    assert_eq!(
        prices.upper_bound(1000, 500),
        Some(NanoDollars(6_000_000 + 15_000_000 + 1_000_000))
    );
    for u in [
        usage(1000, 0, 0, 500, 0),
        usage(1000, 0, 1000, 500, 500),
        usage(300_000, 5, 5, 7, 0),
    ] {
        assert!(prices.estimate(&u) <= prices.upper_bound(u.prompt_tokens, u.completion_tokens));
    }
    let money = prices.upper_bound(1000, 321).unwrap();
    assert_eq!(prices.max_affordable_tokens(1000, money, 4096), Some(321));
    assert_eq!(
        prices.max_affordable_tokens(1000, NanoDollars(i64::MAX), 4096),
        Some(4096)
    );
    assert_eq!(
        prices.max_affordable_tokens(1000, NanoDollars(6_999_999), 4096),
        None
    );
}
