//! Tests of the token rules.

use super::*;
use crate::privacy::scan::dispatch::detect;
use crate::privacy::tokens::pattern::samples::fill_pattern;

/// What a sample may stand in without anything changing.
const SAMPLE_CONTEXTS: &[(&str, &str)] = &[
    ("", ""),
    ("Here it is: ", ", thanks!"),
    ("const k = \"", "\";\n"),
    ("{\"a\": [\"", "\"]}"),
    ("2026-01-02T03:04:05Z INFO [main] sent <", "> to 3 hosts\n"),
    ("密钥是", "，谢谢"),
    ("`", "`."),
    ("line\\n", "\\nline"),
    ("_", "\u{200b}"),
];

#[test]
fn token_rules_match_their_samples() {
    let mut wrong = String::new();
    for rule in all_rules() {
        assert!(
            !rule.matches.is_empty() && !rule.non_matches.is_empty(),
            "{} has no samples",
            rule.name
        );
        for sample in rule.matches {
            for (before, after) in SAMPLE_CONTEXTS {
                let text = format!("{before}{}{after}", fill_pattern(sample));
                let hits = detect(text.as_bytes());
                if !hits.iter().any(|hit| hit.rule == rule.name) {
                    wrong += &format!("{} does not find {text:?}: {hits:?}\n", rule.name);
                }
            }
        }
        for sample in rule.non_matches {
            let text = fill_pattern(sample);
            let hits = detect(text.as_bytes());
            if hits.iter().any(|hit| hit.rule == rule.name) {
                wrong += &format!("{} finds {text:?}: {hits:?}\n", rule.name);
            }
        }
    }
    assert_eq!(wrong, "");
}

/// A generator of numbers that are always the same (splitmix64).
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }
}

/// Every form of every rule: its shapes, and the tokens in its samples. Tokens that decode to
/// something cannot be drawn at random.
fn templates() -> Vec<(&'static Rule, &'static str)> {
    let mut templates = Vec::new();
    for rule in all_rules().filter(|rule| rule.check != TokenCheck::Jwt) {
        templates.extend(rule.shapes.iter().map(|shape| (rule, *shape)));
        templates.extend(
            rule.matches
                .iter()
                .filter(|find| !find.contains([' ', ':', '=', '$']))
                .map(|find| (rule, *find)),
        );
    }
    templates
}

/// Draws tokens of every form. Returns those that are not redacted whole, and the number drawn.
fn leaks(each: usize, keep: fn(u8) -> bool, among: fn(&Rule) -> bool) -> (Vec<String>, usize) {
    let (mut leaked, mut count) = (Vec::new(), 0);
    for (rule, template) in templates().into_iter().filter(|(rule, _)| among(rule)) {
        // The same tokens for a form wherever it stands in the table.
        let mut draw = numbers(template.bytes().fold(0, |seed, b| {
            (seed ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3)
        }));
        let near = match rule.check {
            TokenCheck::Near(words) => words[0],
            _ => "see",
        };
        let mut left = 0;
        for _ in 0..each {
            let token = pattern::samples::random_sample(template, &mut draw, keep);
            // A key that says it is published is none.
            if token.starts_with("pk_") && rule.name == "prefixed" {
                continue;
            }
            let text = format!("{near} {token} here");
            let (from, to) = (near.len() + 1, near.len() + 1 + token.len());
            let hits =
                crate::privacy::scan::overlaps::resolve_overlaps(detect(text.as_bytes()), &[]);
            if !hits
                .iter()
                .any(|hit| hit.start <= from && hit.end + 1 >= to)
            {
                left += 1;
                if left <= 3 {
                    leaked.push(format!("{} {template}: {token}", rule.name));
                }
            }
        }
        count += each;
        if left > 0 {
            leaked.push(format!("{} {template}: {left} of {each}", rule.name));
        }
    }
    (leaked, count)
}

/// Tokens drawn per form: few by default, more with the variable `TOKEN_DRAWS`.
fn draws(usual: usize) -> usize {
    std::env::var("TOKEN_DRAWS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn token_rules_find_every_random_token() {
    let (leaked, count) = leaks(draws(150), |_| true, |_| true);
    println!("{} of {count} leaked", leaked.len());
    assert!(
        leaked.is_empty(),
        "of {count} tokens:\n{}",
        leaked.join("\n")
    );
}

#[test]
fn token_rules_find_tokens_of_letters_only_and_of_one_case() {
    let kinds: [fn(u8) -> bool; 4] = [
        |b| b.is_ascii_alphabetic(),
        |b| b.is_ascii_lowercase(),
        |b| b.is_ascii_uppercase(),
        |b| !b.is_ascii_uppercase(),
    ];
    for keep in kinds {
        // Behind a word that names in code have too, one case alone is the name of something.
        let (leaked, count) = leaks(10, keep, |rule| rule.check != TokenCheck::Random);
        assert!(
            leaked.is_empty(),
            "of {count} tokens:\n{}",
            leaked.join("\n")
        );
    }
}

#[test]
fn token_rule_names_are_unique() {
    let mut names: Vec<_> = all_rules().map(|rule| rule.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
