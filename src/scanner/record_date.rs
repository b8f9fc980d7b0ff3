//! When a line of a transcript was written, as the line says it: by its record in JSON, or by the
//! mark that a shell, aider or aichat puts in front of it.

use crate::conversations::import::sqlite::{SqlRow, SqlValue};
use crate::time::Time;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// The fields of records that hold their time, the most common first.
static TIME_FIELDS: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    [
        "\"timestamp\":",
        "\"ts\":",
        "\"created_at\":",
        "\"created\":",
    ]
    .map(Finder::new)
});

/// The time in a line of JSON that was not decoded. Text in a string is not taken for a field,
/// because its quotes are escaped.
pub(super) fn json_time(line: &[u8]) -> Option<Time> {
    TIME_FIELDS.iter().find_map(|field| {
        let start = field
            .find_iter(line)
            .find(|at| at.checked_sub(1).and_then(|before| line.get(before)) != Some(&b'\\'))?;
        let value = line.get(start + field.needle().len()..)?;
        parse_time(value.get(..64).unwrap_or(value).trim_ascii_start())
    })
}

/// Whose date a line of text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateMark {
    /// That of the lines from here on.
    Below(Time),
    /// That of the line above.
    Above(Time),
}

/// The date in a line that marks one: of bash (`#1700000000`), zsh (`: 1700000000:0;ls`), fish
/// (`  when: 1700000000`), aider (`# aider chat started at 2026-05-01 09:30:00`, `# 2026-05-01 …`)
/// or aichat (`# CHAT: A title [2026-05-01T09:30:00+02:00]`).
pub(super) fn text_mark(line: &[u8]) -> Option<DateMark> {
    let line = line.get(..256).unwrap_or(line);
    if let Some(title) = line.strip_prefix(b"# CHAT: ") {
        let at = title.iter().rposition(|b| *b == b'[')?;
        return parse_time(title.get(at + 1..)?).map(DateMark::Below);
    }
    if let Some(when) = line.strip_prefix(b"  when: ") {
        return parse_time(when).map(DateMark::Above);
    }
    let mark = line
        .strip_prefix(b"# aider chat started at ")
        .or_else(|| line.strip_prefix(b": "))
        .or_else(|| line.strip_prefix(b"# "))
        .or_else(|| line.strip_prefix(b"#"))?;
    parse_time(mark).map(DateMark::Below)
}

/// The time in a row of a database, in a column whose name says so.
pub(super) fn row_time(row: &SqlRow<'_>) -> Option<Time> {
    let names_a_time = |column: &str| {
        ["time", "date", "created", "updated"]
            .iter()
            .any(|word| column.contains(word))
    };
    row.cells()
        .filter(|(column, _)| names_a_time(column))
        .find_map(|(_, value)| match value {
            SqlValue::Integer(number) => unix_time(u64::try_from(*number).ok()?),
            SqlValue::Text(text) => parse_time(text.as_bytes()),
            SqlValue::Null => None,
        })
}

/// Parses what begins with a time: seconds or milliseconds since 1970, or a date with the time of
/// day.
fn parse_time(text: &[u8]) -> Option<Time> {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 4 {
        let number = std::str::from_utf8(text.get(..digits)?).ok()?;
        return unix_time(number.parse().ok()?);
    }
    let end = text
        .iter()
        .position(|b| !(b.is_ascii_digit() || b"-:.TZ+ ".contains(b)))
        .unwrap_or(text.len());
    let text = std::str::from_utf8(text.get(..end)?).ok()?.trim_end();
    // Without a zone it is taken for UTC: a report names days.
    Time::parse(text).or_else(|| Time::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
}

/// Seconds or milliseconds, if that is a moment from 2001 to 2100.
fn unix_time(number: u64) -> Option<Time> {
    const SECONDS: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;
    let millis = if SECONDS.contains(&number) {
        number * 1000
    } else {
        number
    };
    (SECONDS.contains(&(millis / 1000)))
        .then(|| i64::try_from(millis).ok().map(Time::from_millis))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: Option<Time>) -> String {
        time.map_or_else(String::new, |time| time.to_string())
    }

    #[test]
    fn record_times_are_read() {
        let day = "2026-05-01T09:30:00.000Z";
        for (line, expected) in [
            (
                r#"{"timestamp":"2026-05-01T09:30:00.000Z","type":"user"}"#,
                day,
            ),
            (
                r#"{"text":"\"timestamp\":1","timestamp": 1777627800000}"#,
                day,
            ),
            (r#"{"session_id":"x","ts":1777627800,"text":"hi"}"#, day),
            (r#"{"time":{"created":1777627800000}}"#, day),
            (r#"{"created_at":"2026-05-01 09:30:00"}"#, day),
            (r#"{"created_at":"2026-05-01T11:30:00.000+02:00"}"#, day),
            (r#"{"text":"\"timestamp\":1777627800000"}"#, ""),
            (r#"{"timestamp":12,"ts":"now","created":1}"#, ""),
        ] {
            assert_eq!(shown(json_time(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn history_times_are_read() {
        let day = Time::parse("2026-05-01T09:30:00Z").unwrap();
        let (below, above) = (Some(DateMark::Below(day)), Some(DateMark::Above(day)));
        for (line, expected) in [
            ("#1777627800", below),
            (": 1777627800:0;ls", below),
            ("  when: 1777627800", above),
            ("# aider chat started at 2026-05-01 09:30:00", below),
            ("# 2026-05-01 09:30:00.000000", below),
            ("# CHAT: A [b] [2026-05-01T11:30:00+02:00]", below),
            ("# Heading", None),
            ("ls 1777627800", None),
            ("#1", None),
        ] {
            assert_eq!(text_mark(line.as_bytes()), expected, "{line}");
        }
    }
}
