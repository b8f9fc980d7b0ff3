//! Values assigned to a secret's field name, in any syntax: settings, code, markup, commands.
//!
//! Behind the name comes a sign or a space (`find_separator`), then a value (`value_parser`), and
//! `classify` says whether that is a secret.

use crate::privacy::kind::PRIVATE_KEY;
use crate::privacy::scan::bytes::{TextBytes, count_byte, find};
use crate::privacy::scan::detector_state::Syntax;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::classify::is_secret;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::value_lists::{byte_list, char_list};
use crate::privacy::secrets::value_parser::value_at;

/// Looks for a sign of assignment behind the name and a value behind it. Says whether this place is settled.
pub(in crate::privacy) fn match_assignment(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    let holds = matches!(
        name.word,
        FieldKind::Password | FieldKind::Pass | FieldKind::Secret | FieldKind::Key
    );
    if let Some((start, end)) = char_list(text, name.end).filter(|_| holds) {
        scan.report(start, end, kind_of(name), "listed-characters", FIELD_NAME);
        scan.cursors.field_names = end;
        return true;
    }
    let Some((from, syntax)) = find_separator(text, name) else {
        return false;
    };
    scan.cursors.field_names = name.end;
    // The name repeated.
    let own = text.slice(name.at, name.to);
    if !own.is_empty()
        && text.slice(from, from + own.len()).eq_ignore_ascii_case(own)
        && matches!(text.at(from + own.len()), b':' | b'=')
    {
        return true;
    }
    if let Some((start, end)) =
        byte_list(text, from).filter(|_| matches!(name.word, FieldKind::Secret | FieldKind::Key))
    {
        scan.report(start, end, PRIVATE_KEY, "key-bytes", FIELD_NAME);
        scan.cursors.field_names = end;
        return true;
    }
    let mut from = from;
    // Up to two more values: after a type, or the other side of a comparison.
    for _ in 0..2 {
        let Some(candidate) = value_at(text, &mut scan.run, from, syntax, name) else {
            return syntax != Syntax::Bare;
        };
        if candidate.is_type {
            let kind = text.slice(candidate.start, candidate.end);
            if NUMERIC_TYPES.contains(&kind) {
                return true;
            }
            from = candidate.next;
            continue;
        }
        if is_secret(text, name, &candidate) {
            let kind = kind_of(name);
            scan.report(
                candidate.start,
                candidate.end,
                kind,
                rule_of(name.word),
                FIELD_NAME,
            );
            scan.cursors.field_names = candidate.end;
            return true;
        }
        // `password: the one on the fridge is hunter2` is a sentence: leave it to `prose`.
        return candidate.syntax != Syntax::Bare;
    }
    true
}

/// Types that a secret never has.
const NUMERIC_TYPES: &[&[u8]] = &[
    b"u8", b"u16", b"u32", b"u64", b"usize", b"i8", b"i16", b"i32", b"i64", b"isize", b"f32",
    b"f64", b"bool", b"int", b"long", b"float", b"boolean", b"number", b"Int", b"Bool", b"Boolean",
    b"integer",
];

fn rule_of(word: FieldKind) -> &'static str {
    match word {
        FieldKind::Password | FieldKind::Pass | FieldKind::Credentials => "named-password",
        FieldKind::Pin => "named-code",
        FieldKind::Secret | FieldKind::Phrase => "named-secret",
        FieldKind::Key => "named-key",
        FieldKind::Opaque => "named-session",
    }
}

/// Skips the signs that close a name and the sign that connects it with a value.
fn find_separator(text: TextBytes<'_>, name: &FieldName<'_>) -> Option<(usize, Syntax)> {
    let closed = text.scan_while(name.end, 12, |b| {
        matches!(b, b'"' | b'\'' | b'`' | b']' | b'\\' | b'*' | b')' | b'}')
    });
    let quoted = text
        .slice(name.end, closed)
        .iter()
        .any(|b| matches!(b, b'"' | b'\'' | b'`'));
    let i = text.skip_blanks(closed);
    let tight = i == closed;
    let rest = text.slice(i, i + 4);
    let after = |n: usize| text.scan_while(i + n, 2, |b| b == b'*');
    if quoted
        && matches!(rest.first(), Some(b',' | b'\n' | b'\r'))
        && let Some(value) = space_separated(text, name, closed, quoted)
    {
        return Some(value);
    }
    if text.starts_with_at(i, b"by lazy") {
        return Some((
            text.scan_while(i + 7, 6, |b| matches!(b, b' ' | b'{')),
            Syntax::Bare,
        ));
    }
    if quoted && rest.first() == Some(&b'{') {
        // `variable "db_password" { default = "…" }`
        let end = text.scan_while(i, 300, |b| b != b'}');
        let word = find(text.slice(i, end), b"default")?;
        let sign = text.scan_while(i + word + 7, 12, |b| b == b' ');
        return (text.at(sign) == b'=').then(|| (text.skip_blanks(sign + 1), Syntax::Bare));
    }
    if quoted {
        // `get('#password').type('…')`, `find_element(By.NAME, "password").send_keys("…")`
        for call in [
            &b".type("[..],
            b".fill(",
            b".send_keys(",
            b".sendKeys(",
            b".setValue(",
            b".val(",
            b".clear().type(",
        ] {
            if text.starts_with_at(closed, call) {
                return Some((closed + call.len(), Syntax::Bare));
            }
        }
    }
    if let Some(from) = skip_tags(text, closed) {
        return Some((from, Syntax::Cell));
    }
    if text.at(closed) == b'\t'
        && !quoted
        && name.word == FieldKind::Password
        && !matches!(rest.first(), Some(b':' | b'=' | b'|'))
    {
        return Some((i, Syntax::Cell));
    }
    match rest {
        [b'-', b'>', ..] if tight => None,
        [b'<', b'-', ..] if !tight => Some((text.skip_blanks(i + 2), Syntax::Bare)),
        [b':' | b'+' | b'?' | b'!' | b'.' | b'=', b'=', ..]
        | [b'=' | b'-', b'>', ..]
        | [b'|', b'|', b'=', ..] => {
            let signs = text.scan_while(i, 4, |b| {
                matches!(
                    b,
                    b':' | b'=' | b'>' | b'-' | b'?' | b'!' | b'+' | b'.' | b'|'
                )
            });
            Some((text.skip_blanks(signs), Syntax::Bare))
        }
        [b'=', ..] => {
            let from = text.skip_blanks(i + 1);
            let before = text.byte_before(name.start);
            if matches!(before, b'?' | b'&') {
                return Some((i + 1, Syntax::Query));
            }
            Some((
                from,
                if tight && from == i + 1 {
                    Syntax::Line
                } else {
                    Syntax::Bare
                },
            ))
        }
        [b':', b':', ..] => None,
        [b':', ..] => {
            let from = text.skip_blanks(after(1));
            Some((next_line_value(text, from, quoted), Syntax::Bare))
        }
        [0xEF, 0xBC, 0x9A, ..] => Some((text.skip_blanks(i + 3), Syntax::Bare)),
        // `set("password", "hunter2")`, but not an item of a list of words.
        [b',', ..] if quoted => {
            // `fill('input[name=password]', '…')`
            let open = text.scan_back(name.start, 40, |b| {
                !matches!(b, b'"' | b'\'' | b'`' | b'\n' | b',' | b'(')
            });
            let open = text.scan_back(open, 3, |b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b':'));
            let first = matches!(
                text.byte_before(text.scan_back(open, 4, |b| b == b' ')),
                b'(' | b'[' | b'{'
            );
            Some((text.skip_blanks(i + 1), Syntax::Bare))
                .filter(|&(from, _)| first && opens_quote(text, from))
        }
        [b'>', ..] if tight => {
            let opened = text.byte_before(name.start);
            (matches!(opened, b'<' | b':') || quoted).then_some((
                text.scan_while(i + 1, 64, |b| b.is_ascii_whitespace()),
                Syntax::Cell,
            ))
        }
        // `{{ .Values.password | b64enc }}`, `echo $password | wc`: a pipe, not a value.
        [b'|', ..] if in_expression(text, name.start) => None,
        [b'|' | b'\t', ..] if !quoted => Some((
            text.scan_while(i, 16, |b| matches!(b, b'|' | b' ' | b'\t' | b'`' | b'*')),
            Syntax::Cell,
        ))
        .filter(|_| rest.first() == Some(&b'|')),
        [b'(', b'"' | b'\'', ..] if tight => Some((i + 1, Syntax::Bare)),
        _ => space_separated(text, name, closed, quoted),
    }
}

/// Whether a position is inside a template expression, or the name there is a shell variable.
fn in_expression(text: TextBytes<'_>, at: usize) -> bool {
    let before = text.slice(text.line_start(at, 80), at);
    let open = before
        .windows(2)
        .rposition(|w| matches!(w, b"{{" | b"{%" | b"<%"));
    matches!(before.last(), Some(b'$'))
        || open.is_some_and(|p| {
            !before
                .windows(2)
                .skip(p)
                .any(|w| matches!(w, b"}}" | b"%}" | b"%>"))
        })
}

/// Skips the tags and the sign between a name and its value in markup: `<b>Password:</b> <code>`,
/// `<key>password</key><string>`.
fn skip_tags(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let mut i = text.scan_while(from, 1, |b| b == b':');
    if text.at(i) != b'<' || text.at(i + 1) != b'/' {
        return None;
    }
    let mut opened = false;
    for _ in 0..5 {
        let end = text.scan_while(i + 1, 24, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'/' | b' ' | b'=' | b'"' | b'-')
        });
        if text.at(i) != b'<' || text.at(end) != b'>' {
            break;
        }
        opened |= text.at(i + 1) != b'/';
        i = text.scan_while(end + 1, 40, |b| b.is_ascii_whitespace() || b == b':');
    }
    (opened && text.at(i) != b'<').then_some(i)
}

/// Words before a name whose value follows after a space; and those that also count before
/// lower-case names.
static SPACE_SEPARATED_PREFIXES: WordSet = word_set!([
    "env ",
    "arg ",
    "machine ",
    "login ",
    "setenv ",
    "requirepass",
    "masterauth",
    "config set ",
    "set "
]);
static LOWERCASE_PREFIXES: WordSet = word_set!(["machine ", "login ", "config set"]);

/// Finds a value separated by a space only: flags, SQL, Dockerfiles, `.netrc`, `value="…"` in
/// markup.
fn space_separated(
    text: TextBytes<'_>,
    name: &FieldName<'_>,
    closed: usize,
    quoted: bool,
) -> Option<(usize, Syntax)> {
    let i = text.scan_while(closed, 40, |b| {
        b == b' ' || b == b'\t' || b == b'\n' || b == b'\r' || (quoted && matches!(b, b',' | b'-'))
    });
    if quoted || text.byte_before(name.start) == b':' {
        // `name="password" value="…"`, `"name": "TOKEN", "value": "…"`, and the same in YAML.
        let label = text.scan_while(i, 3, |b| matches!(b, b'"' | b'\'' | b'-'));
        if text.starts_with_ignore_case_at(label, b"value")
            || text.starts_with_ignore_case_at(label, b"content")
        {
            let end = text.scan_while(label, 8, |b| b.is_ascii_alphabetic());
            let sign = text.scan_while(end, 6, |b| matches!(b, b'"' | b'\'' | b'=' | b':' | b' '));
            return text
                .slice(end, sign)
                .iter()
                .any(|b| matches!(b, b'=' | b':'))
                .then(|| {
                    let open = text
                        .scan_while(end, 6, |b| matches!(b, b'=' | b':' | b' '))
                        .max(end + usize::from(matches!(text.at(end), b'"' | b'\'')));
                    let from = text.scan_while(open, 3, |b| matches!(b, b'=' | b':' | b' '));
                    // The same in YAML, where the value may stand in the lines below.
                    (
                        if text.at(end) == b':' {
                            next_line_value(text, from, false)
                        } else {
                            from
                        },
                        Syntax::Bare,
                    )
                });
        }
        return None;
    }
    let line_start = text.line_start(name.start, 160);
    let line = text.slice(line_start, name.start);
    let i = text.skip_blanks(closed);
    if i == closed {
        // `- name: DB_PASSWORD` and `value: …` on the next line.
        let behind = |label: &[u8]| {
            name.start
                .checked_sub(label.len())
                .is_some_and(|at| at >= line_start && text.starts_with_ignore_case_at(at, label))
        };
        if matches!(text.at(i), b'\n' | 0)
            && (behind(b"name: ") || behind(b"key: "))
            && let Some(value) = value_below(text, i).or_else(|| value_above(text, line_start))
        {
            return Some((
                next_line_value(text, text.skip_blanks(value + 6), false),
                Syntax::Bare,
            ));
        }
        return None;
    }
    let flag = name.head().starts_with(b"-")
        && (text.byte_before(name.start).is_ascii_whitespace()
            || text.byte_before(name.start) == 0)
        || line.ends_with(b"--");
    if flag || text.slice(name.start, name.at).starts_with(b"--") {
        return Some((i, Syntax::Argument));
    }
    let is_evident = name.is_upper()
        || line.len() < 64
            && line
                .iter()
                .any(|b| matches!(b, b'm' | b'M' | b'l' | b'L' | b'c' | b'C'));
    if !is_evident {
        return (matches!(text.at(i), b'\'' | b'"') && name.word == FieldKind::Password)
            .then_some((i, Syntax::Bare));
    }
    // `set TOKEN to …`, `my login is bob and the password is …` are sentences.
    let words: [&[u8]; 7] = [
        b"to ", b"is ", b"was ", b"for ", b"should ", b"ist ", b"are ",
    ];
    let to = words
        .iter()
        .any(|word| text.starts_with_ignore_case_at(i, word));
    // `ENV NAME value`: nothing follows the value, unlike in a sentence.
    let alone = || {
        let value = text.scan_while(i, 256, |b| !b.is_ascii_whitespace());
        text.slice(value, text.line_end(value, 16))
            .trim_ascii()
            .is_empty()
            || !text.at(i).is_ascii_lowercase()
            || !text.slice(i, value).iter().all(u8::is_ascii_lowercase)
    };
    if !to
        && alone()
        && SPACE_SEPARATED_PREFIXES.occurs_in(line)
        && (name.is_upper() || LOWERCASE_PREFIXES.occurs_in(line))
    {
        return Some((i, Syntax::Argument));
    }
    if matches!(
        name.text.slice(name.at, name.to),
        b"requirepass" | b"masterauth"
    ) {
        return Some((i, Syntax::Argument));
    }
    // SQL: `WITH PASSWORD 'x'`, `SET PASSWORD 'x'`.
    (matches!(text.at(i), b'\'' | b'"') && name.word == FieldKind::Password)
        .then_some((i, Syntax::Bare))
}

/// The `value:` of the item of YAML whose `name:` ends at a place: within the next three lines, before the next item.
fn value_below(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let mut line = from;
    for _ in 0..3 {
        let next = text.scan_while(line, 40, |b| b.is_ascii_whitespace());
        if text.starts_with_ignore_case_at(next, b"value:") {
            return Some(next);
        }
        if text.at(next) == b'-' || next == line {
            return None;
        }
        line = text.line_end(next, 100);
    }
    None
}

/// The `value:` of the same item in the lines above, if the name does not begin the item.
fn value_above(text: TextBytes<'_>, line: usize) -> Option<usize> {
    let mut line = line;
    for _ in 0..4 {
        if text.at(text.skip_blanks(line)) == b'-' || line == 0 {
            return None;
        }
        line = text.line_start(line - 1, 160);
        let first = text.scan_while(line, 40, |b| matches!(b, b' ' | b'-'));
        if text.starts_with_ignore_case_at(first, b"value:") {
            return Some(first);
        }
    }
    None
}

/// Where a value begins that stands in the line below its name.
fn next_line_value(text: TextBytes<'_>, from: usize, quoted: bool) -> usize {
    let sign = text.scan_while(from, 1, |b| matches!(b, b'|' | b'>'));
    let block = text.scan_while(sign, 2 * (sign - from), |b| {
        matches!(b, b'-' | b'+' | b'0'..=b'9')
    });
    // `|- # a comment`
    let comment = text.skip_blanks(block);
    let block = if sign > from && text.at(comment) == b'#' {
        text.line_end(comment, 100)
    } else {
        block
    };
    if matches!(text.at(block), b'\n' | b'\r') && !quoted {
        let below = text.scan_while(block, 60, |b| b.is_ascii_whitespace());
        let end = text.line_end(below, 200);
        let line = text.slice(below, end);
        let alone = !line.is_empty()
            && !line.contains(&b' ')
            && !line.contains(&b':')
            && !line.contains(&b'=');
        let blank = count_byte(text.slice(block, below), b'\n') > if sign > from { 2 } else { 1 };
        if alone && !blank && (block > from || char_stats::looks_like_password(line)) {
            return below;
        }
    }
    from
}

fn opens_quote(text: TextBytes<'_>, at: usize) -> bool {
    let at = text.scan_while(at, 2, |b| b == b'\\');
    matches!(text.at(at), b'"' | b'\'' | b'`')
}
