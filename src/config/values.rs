//! Parsers of single values in the settings file.

use crate::config::KeySource;
use toml::de::DeValue;

pub(super) const UINT_HINT: &str = "a whole number that is not negative";
pub(super) const U32_HINT: &str = "a whole number from 0 to 4294967295";
pub(super) const BOOL_HINT: &str = "`true` or `false`";
pub(super) const MONEY_HINT: &str = "an amount in dollars such as 1.00";

pub(super) fn parse_uint<T: TryFrom<u64>>(value: &DeValue<'_>) -> Option<T> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .and_then(|n| T::try_from(n).ok())
}

pub(super) fn parse_number(value: &DeValue<'_>) -> Option<f64> {
    let whole = value.as_integer().filter(|n| n.radix() == 10);
    let text = value
        .as_float()
        .map(toml::de::DeFloat::as_str)
        .or_else(|| whole.map(toml::de::DeInteger::as_str))?;
    text.parse().ok()
}

pub(super) fn parse_dollars(value: &DeValue<'_>) -> Option<i64> {
    let whole = || {
        value
            .as_integer()
            .filter(|n| n.radix() == 10)
            .map(toml::de::DeInteger::as_str)
    };
    parse_nanos(
        value
            .as_float()
            .map(toml::de::DeFloat::as_str)
            .or_else(whole)?,
    )
}

/// Parses an amount of dollars exactly: `1.25` is 1,250,000,000 billionths.
#[must_use]
pub fn parse_nanos(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let part: i64 = format!("{part:0<9}").parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(part)
}

/// Parses a list of names of environment variables.
pub(super) fn parse_variables(value: &DeValue<'_>) -> Option<Vec<String>> {
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    parse_texts(value).filter(|names| names.iter().all(is_name))
}

pub(super) fn parse_texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|v| Some(v.get_ref().as_str()?.to_owned()))
        .collect()
}

pub(super) fn parse_patterns(value: &DeValue<'_>) -> Option<Vec<(String, String)>> {
    let pair = |v: &DeValue<'_>| {
        let table = v.as_table()?;
        let text = |name| Some(table.get(name)?.get_ref().as_str()?.to_owned());
        (table.len() == 2).then_some((text("kind")?, text("pattern")?))
    };
    value
        .as_array()?
        .iter()
        .map(|v| pair(v.get_ref()))
        .collect()
}

pub(super) fn parse_word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| Some(*word) == value.as_str())
        .map(|(_, meaning)| *meaning)
}

pub(super) fn parse_key_source(value: &DeValue<'_>) -> Option<KeySource> {
    match value.as_str()? {
        "none" => Some(KeySource::NoKey),
        "stored" => Some(KeySource::Stored),
        other => {
            let name = other.strip_prefix("env:")?;
            let fit =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            fit.then(|| KeySource::Env(name.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_dollars_are_exact() {
        for (text, nanos) in [
            ("1.00", 1_000_000_000),
            ("0.000000001", 1),
            ("12", 12_000_000_000),
            (".5", 500_000_000),
        ] {
            assert_eq!(parse_nanos(text), Some(nanos));
        }
        for text in ["", ".", "-1", "1e3", "0.0000000001", "99999999999"] {
            assert_eq!(parse_nanos(text), None, "{text}");
        }
    }
}
