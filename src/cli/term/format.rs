//! Amounts, counts, sizes and texts as they are shown.

pub(crate) use crate::fs::format_size;
use crate::time::Time;

/// A count with its noun: `1 conversation`, `12 conversations`.
pub(crate) fn pluralize(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// An amount for JSON: the decimal number that equals these nanodollars exactly.
pub(crate) fn json_dollars(nanos: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the nanodollar below nine million dollars"
    )]
    let exact = nanos as f64 / 1e9;
    exact
}

/// `1204` → `1,204`
pub(crate) fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// An amount for people: cents from one dollar up, below that two significant digits.
pub(crate) fn format_dollars(nanos: i64) -> String {
    let (sign, nanos) = if nanos < 0 {
        ("-", nanos.unsigned_abs())
    } else {
        ("", nanos.unsigned_abs())
    };
    if nanos == 0 || nanos >= 1_000_000_000 {
        let cents = (nanos + 5_000_000) / 10_000_000;
        return format!("{sign}${}.{:02}", group_thousands(cents / 100), cents % 100);
    }
    let digits = format!("{nanos:09}");
    let first = digits.bytes().position(|b| b != b'0').unwrap_or(0);
    let places = (first + 2).clamp(2, 9);
    let unit = 10_u64.pow(u32::try_from(9 - places).unwrap_or(0));
    let rounded = (nanos + unit / 2) / unit * unit;
    let digits = format!("{:09}", rounded % 1_000_000_000);
    format!(
        "{sign}${}.{}",
        rounded / 1_000_000_000,
        digits.get(..places).unwrap_or_default()
    )
}

/// How long ago something was: `5 min ago`, `3 days ago`; after a month its date.
pub(crate) fn format_age(then: Time, now: Time) -> String {
    let minutes = now.since(then).as_secs() / 60;
    match (minutes, minutes / 60, minutes / 60 / 24) {
        (0, ..) => "just now".to_owned(),
        (minutes, 0, _) => format!("{minutes} min ago"),
        (_, hours, 0) => format!("{hours} h ago"),
        (_, _, 1) => "1 day ago".to_owned(),
        (_, _, days @ 2..=30) => format!("{days} days ago"),
        _ => then.local_day(),
    }
}

/// Truncates a text to a number of terminal columns; wide characters count as two.
pub(crate) fn truncate_to_width(text: &str, columns: usize) -> String {
    use unicode_width::UnicodeWidthChar;
    let (mut used, mut end, mut whole) = (0, 0, true);
    for (at, c) in text.char_indices() {
        let before = used;
        used += if matches!(c, ' '..='~' | '\n' | '\t') {
            1
        } else {
            c.width().unwrap_or(0)
        };
        // From here on the ellipsis would no longer fit.
        if before < columns && used >= columns {
            end = at;
        }
        if used > columns {
            whole = false;
            break;
        }
    }
    let shown = if whole {
        text
    } else {
        text.get(..end).unwrap_or_default()
    };
    let mut out = String::with_capacity(shown.len() + '…'.len_utf8());
    out.push_str(shown);
    if out.contains(['\n', '\t']) {
        out = out.replace(['\n', '\t'], " ");
    }
    if !whole {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_formatted_with_two_digits() {
        let cases = [
            (0, "$0.00"),
            (1, "$0.000000001"),
            (3_100_000, "$0.0031"),
            (147_000, "$0.00015"),
            (12_345_678, "$0.012"),
            (995_000_000, "$1.00"),
            (420_000_000, "$0.42"),
            (1_234_567_890_000, "$1,234.57"),
            (-5_000_000, "-$0.0050"),
        ];
        for (nanos, text) in cases {
            assert_eq!(format_dollars(nanos), text);
        }
        assert_eq!(
            [
                group_thousands(0),
                group_thousands(999),
                group_thousands(1204),
                group_thousands(1_000_000)
            ],
            ["0", "999", "1,204", "1,000,000"]
        );
    }

    #[test]
    fn age_is_formatted_in_the_largest_unit() {
        let then = Time::parse("2026-11-01T10:00:00Z").unwrap();
        for (seconds, age) in [
            (0, "just now"),
            (119, "1 min ago"),
            (3600, "1 h ago"),
            (86_400, "1 day ago"),
            (9 * 86_400, "9 days ago"),
            (40 * 86_400, "2026-11-01"),
        ] {
            let now = then.saturating_add(std::time::Duration::from_secs(seconds));
            assert_eq!(format_age(then, now), age);
        }
    }

    #[test]
    fn truncate_to_width_fills_columns() {
        for (text, columns, shown) in [
            ("short", 10, "short"),
            ("exactly ten", 11, "exactly ten"),
            ("one too many", 11, "one too ma…"),
            ("two\nlines\tand", 20, "two lines and"),
            ("two\nlines\tand", 8, "two lin…"),
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("", 5, ""),
            ("x", 0, "…"),
        ] {
            assert_eq!(
                truncate_to_width(text, columns),
                shown,
                "{text:?} in {columns}"
            );
        }
    }
}
