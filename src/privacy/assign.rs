//! Values beside a telling name, in any syntax: settings, code, markup, tables, commands. Sentences are read by `sentence`.

use super::context::begins_word;
use super::detect::{NAMED, Pass};
use super::kind::{PASSWORD, SECRET};
use super::names::{self, Word};
use super::sentence;
use super::text::{Text, count, is_ident};
use super::value;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Between quotes.
    Quoted,
    /// `NAME=value` to the end of the line, as in `.env` files and shells.
    Line,
    /// Behind `name: ` or `name = `, without quotes.
    Bare,
    /// In a query string or a connection string.
    Query,
    /// An argument of a command.
    Argument,
    /// The text of an XML element or a cell of a table.
    Cell,
}

/// A name in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'t> {
    pub(super) text: Text<'t>,
    pub(super) word: Word,
    /// The whole identifier.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The telling word in it.
    pub(super) at: usize,
    pub(super) to: usize,
}

impl<'t> Name<'t> {
    pub(super) fn head(&self) -> &'t [u8] {
        self.text.cut(self.start, self.at)
    }

    fn tail(&self) -> &'t [u8] {
        self.text.cut(self.to, self.end)
    }

    /// Whether it is written as names in settings are: `DB_PASSWORD`.
    fn is_upper(&self) -> bool {
        let name = self.text.cut(self.start, self.end);
        !name.iter().any(u8::is_ascii_lowercase) && name.iter().any(u8::is_ascii_uppercase)
    }
}

/// Reads on from a telling word.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize, word: Word) {
    let text = pass.text;
    if at < pass.named || pass.covered(at) {
        return;
    }
    // Keywords that carry the sign behind them give it back.
    let to = at + text.cut(at, to).iter().rposition(|b| b.is_ascii_alphanumeric() || *b >= 0x80).map_or(to - at, |last| last + 1);
    let Some(name) = name_at(text, at, to, word) else { return };
    if !names::head_tells(name.head(), word) || !names::tail_tells(name.tail(), word) {
        if name.end > to {
            pass.named = name.end;
        }
        return;
    }
    if word == Word::Phrase {
        sentence::phrase(pass, &name);
        return;
    }
    if word != Word::Pair && assigned(pass, &name) {
        return;
    }
    pass.named = pass.named.max(name.end);
    sentence::read(pass, &name);
}

/// The identifier around a telling word, if the word is one in it.
fn name_at(text: Text<'_>, at: usize, to: usize, word: Word) -> Option<Name<'_>> {
    let start = text.run_back(at, 48, |b| is_ident(b) || b == b'-' || b == b'.');
    let short = to - at <= 6;
    if text.at(at) < 0x80 && short && !begins_word(text, at) {
        let glued = text.cut(text.run_back(at, 16, |b| b.is_ascii_alphabetic()), at);
        if !names::is_glued(glued) && !names::words(glued).last().is_some_and(|w| names::is_glued(w.as_bytes())) {
            return None;
        }
    }
    let (next, last) = (text.at(to), text.before(to));
    if (next.is_ascii_lowercase() && last.is_ascii_alphabetic()) || (next.is_ascii_uppercase() && last.is_ascii_uppercase()) {
        // A plural, or another word of which this is the beginning.
        let plural = next.eq_ignore_ascii_case(&b's') && !text.at(to + 1).is_ascii_alphanumeric();
        let compound =
            word == Word::Password || (to - at > 4 && matches!(text.cut(to, to + 4), b"key " | b"key=" | b"key:" | b"key\"" | b"key_"));
        if !plural && !compound {
            return None;
        }
        if plural && matches!(word, Word::Key | Word::Pin) {
            return None;
        }
    }
    let mut end = text.run(to, 48, is_ident);
    // `password-hash`, `spring.datasource.password.old`, but not the end of a sentence.
    while matches!(text.at(end), b'-' | b'.') && text.at(end + 1).is_ascii_alphabetic() && end - to < 48 {
        end = text.run(end + 1, 48, is_ident);
    }
    Some(Name { text, word, start, end, at, to })
}

/// Looks for a sign of assignment behind the name and a value behind it. Says whether this place is settled.
fn assigned(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    let Some((from, syntax)) = connected(text, name) else {
        return false;
    };
    pass.named = name.end;
    let mut from = from;
    // Up to three values: a type, a value, the other half of a comparison.
    for _ in 0..2 {
        let Some(found) = value_at(text, from, syntax, name) else {
            return syntax != Syntax::Bare;
        };
        if found.typed {
            from = found.next;
            continue;
        }
        if is_secret(text, name, &found) {
            let kind = kind_of(name);
            pass.hit(found.start, found.end, kind, rule_of(name.word), NAMED);
            pass.named = found.end;
            return true;
        }
        // `password: the one on the fridge is hunter2` is a sentence.
        return found.syntax != Syntax::Bare;
    }
    true
}

/// What a value beside a name is called.
pub(super) fn kind_of(name: &Name<'_>) -> &'static str {
    match name.word {
        Word::Password | Word::Pass | Word::Pin | Word::Pair => PASSWORD,
        Word::Secret | Word::Key | Word::Phrase | Word::Opaque => {
            let lower = name.text.cut(name.start, name.end).to_ascii_lowercase();
            let api = [&b"api"[..], b"token", b"access"].iter().any(|w| lower.windows(w.len()).any(|there| there == *w));
            if api { super::kind::API_KEY } else { SECRET }
        }
    }
}

fn rule_of(word: Word) -> &'static str {
    match word {
        Word::Password | Word::Pass | Word::Pair => "named-password",
        Word::Pin => "named-code",
        Word::Secret | Word::Phrase => "named-secret",
        Word::Key => "named-key",
        Word::Opaque => "named-session",
    }
}

/// Past the signs that close a name, and the sign that connects it to a value.
fn connected(text: Text<'_>, name: &Name<'_>) -> Option<(usize, Syntax)> {
    let closed = text.run(name.end, 12, |b| matches!(b, b'"' | b'\'' | b'`' | b']' | b'\\' | b'*' | b')' | b'}'));
    let quoted = text.cut(name.end, closed).iter().any(|b| matches!(b, b'"' | b'\'' | b'`'));
    let i = text.blanks(closed);
    let tight = i == closed;
    let rest = text.cut(i, i + 4);
    let after = |n: usize| text.run(i + n, 2, |b| b == b'*');
    if quoted
        && matches!(rest.first(), Some(b',' | b'\n' | b'\r'))
        && let Some(value) = spaced(text, name, closed, quoted)
    {
        return Some(value);
    }
    match rest {
        [b':' | b'+' | b'?' | b'!' | b'.' | b'=', b'=', ..] | [b'=' | b'-', b'>', ..] | [b'|', b'|', b'=', ..] => {
            let signs = text.run(i, 4, |b| matches!(b, b':' | b'=' | b'>' | b'-' | b'?' | b'!' | b'+' | b'.' | b'|'));
            Some((text.blanks(signs), Syntax::Bare))
        }
        [b'=', ..] => {
            let from = text.blanks(i + 1);
            let before = text.before(name.start);
            if matches!(before, b'?' | b'&') || (before == b';' && tight) {
                return Some((i + 1, Syntax::Query));
            }
            Some((from, if tight && from == i + 1 { Syntax::Line } else { Syntax::Bare }))
        }
        [b':', b':', ..] => None,
        [b':', ..] => {
            let from = text.blanks(after(1));
            Some((next_line(text, from, quoted), Syntax::Bare))
        }
        [0xEF, 0xBC, 0x9A, ..] => Some((text.blanks(i + 3), Syntax::Bare)),
        [b',', ..] if quoted => Some((text.blanks(i + 1), Syntax::Bare)).filter(|&(from, _)| opens_quote(text, from)),
        [b'>', ..] if tight => {
            let opened = text.before(name.start);
            (matches!(opened, b'<' | b':') || quoted).then_some((text.run(i + 1, 64, |b| b.is_ascii_whitespace()), Syntax::Cell))
        }
        [b'|' | b'\t', ..] if !quoted => Some((text.run(i, 16, |b| matches!(b, b'|' | b' ' | b'\t' | b'`' | b'*')), Syntax::Cell))
            .filter(|_| rest.first() == Some(&b'|')),
        [b'(', b'"' | b'\'', ..] if tight => Some((i + 1, Syntax::Bare)),
        _ => spaced(text, name, closed, quoted),
    }
}

/// A value behind nothing but a space: flags, SQL, Docker files, `.netrc`, `value="…"` of markup.
fn spaced(text: Text<'_>, name: &Name<'_>, closed: usize, quoted: bool) -> Option<(usize, Syntax)> {
    let i = text.run(closed, 40, |b| b == b' ' || b == b'\t' || b == b'\n' || b == b'\r' || (quoted && matches!(b, b',' | b'-')));
    if quoted || text.before(name.start) == b':' {
        // `name="password" value="…"`, `"name": "TOKEN", "value": "…"`, and the same in YAML.
        let label = text.run(i, 3, |b| matches!(b, b'"' | b'\'' | b'-'));
        if text.has_folded(label, b"value") || text.has_folded(label, b"content") {
            let end = text.run(label, 8, |b| b.is_ascii_alphabetic());
            let sign = text.run(end, 6, |b| matches!(b, b'"' | b'\'' | b'=' | b':' | b' '));
            return text.cut(end, sign).iter().any(|b| matches!(b, b'=' | b':')).then(|| {
                let open =
                    text.run(end, 6, |b| matches!(b, b'=' | b':' | b' ')).max(end + usize::from(matches!(text.at(end), b'"' | b'\'')));
                (text.run(open, 3, |b| matches!(b, b'=' | b':' | b' ')), Syntax::Bare)
            });
        }
        return None;
    }
    let line_start = text.line_start(name.start, 160);
    let line = text.cut(line_start, name.start);
    let i = text.blanks(closed);
    if i == closed {
        // `- name: DB_PASSWORD` and `value: …` on the next line.
        let before = text.cut(line_start, name.start).to_ascii_lowercase();
        if text.at(i) == b'\n' && (before.ends_with(b"name: ") || before.ends_with(b"key: ")) {
            let next = text.run(i, 40, |b| b.is_ascii_whitespace());
            if text.has_folded(next, b"value:") {
                return Some((text.blanks(next + 6), Syntax::Bare));
            }
        }
        return None;
    }
    let flag = name.head().starts_with(b"-") && (text.before(name.start).is_ascii_whitespace() || text.before(name.start) == 0)
        || line.ends_with(b"--");
    if flag || text.cut(name.start, name.at).starts_with(b"--") {
        return Some((i, Syntax::Argument));
    }
    let lower = line.to_ascii_lowercase();
    let told = [&b"env "[..], b"arg ", b"machine ", b"login ", b"setenv ", b"requirepass", b"masterauth", b"config set ", b"set "]
        .iter()
        .any(|word| memchr::memmem::find(&lower, word).is_some());
    if told
        && (name.is_upper()
            || memchr::memmem::find(&lower, b"machine ").is_some()
            || memchr::memmem::find(&lower, b"login ").is_some()
            || memchr::memmem::find(&lower, b"config set").is_some())
    {
        return Some((i, Syntax::Argument));
    }
    if matches!(name.text.cut(name.at, name.to), b"requirepass" | b"masterauth") {
        return Some((i, Syntax::Argument));
    }
    // SQL: `WITH PASSWORD 'x'`, `SET PASSWORD 'x'`.
    (matches!(text.at(i), b'\'' | b'"') && name.word == Word::Password).then_some((i, Syntax::Bare))
}

/// Where a value begins that stands in the line below its name.
fn next_line(text: Text<'_>, from: usize, quoted: bool) -> usize {
    let block = text.run(from, 2, |b| matches!(b, b'|' | b'>' | b'-'));
    if matches!(text.at(block), b'\n' | b'\r') && !quoted {
        let below = text.run(block, 60, |b| b.is_ascii_whitespace());
        let end = text.line_end(below, 200);
        let line = text.cut(below, end);
        let alone = !line.is_empty() && !line.contains(&b' ') && !line.contains(&b':') && !line.contains(&b'=');
        let blank = count(text.cut(block, below), b'\n') > 1;
        if alone && !blank && (block > from || value::is_striking(line)) {
            return below;
        }
    }
    from
}

fn opens_quote(text: Text<'_>, at: usize) -> bool {
    let at = text.run(at, 2, |b| b == b'\\');
    matches!(text.at(at), b'"' | b'\'' | b'`')
}

/// A value in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) syntax: Syntax,
    /// It was a type: the value comes at `next`.
    typed: bool,
    next: usize,
    /// It came as the argument of a call of this name.
    wrapped: bool,
}

/// The value that begins at a place.
fn value_at(text: Text<'_>, from: usize, syntax: Syntax, name: &Name<'_>) -> Option<Found> {
    // Prefixes of string literals: b"…", r#"…"#, @"…", $'…'.
    let literal = text.run(from, 3, |b| matches!(b, b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'L' | b'@' | b'$' | b'#' | b'&'));
    for open in [from, literal] {
        if let Some((start, end)) = quoted(text, open) {
            return Some(Found { start, end, syntax: Syntax::Quoted, typed: false, next: end, wrapped: false });
        }
    }
    if syntax == Syntax::Cell {
        let end = text.run(from, 256, |b| !matches!(b, b'<' | b'|' | b'\n' | b'\r' | b'`' | b'\t'));
        let end = trim_end(text, from, end, b" *");
        return (end > from).then_some(Found { start: from, end, syntax, typed: false, next: end, wrapped: false });
    }
    if let Some(found) = wrapped(text, from) {
        return Some(found);
    }
    let stop: fn(u8) -> bool = match syntax {
        Syntax::Query => |b| b.is_ascii_whitespace() || matches!(b, b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b';' | b')' | b'|'),
        Syntax::Line | Syntax::Argument => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`'),
        _ => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`' | b'|'),
    };
    let mut end = text.run(from, 1024, |b| !stop(b));
    // Signs beyond ASCII that end a sentence or a quotation.
    while let Some(shorter) =
        text.cut(from, end).len().checked_sub(3).filter(|&n| matches!(text.cut(from + n, end), [0xE3 | 0xE2, 0x80, _] | [0xEF, 0xBC, _]))
    {
        end = from + shorter;
    }
    if let Some(cut) = next_pair(text, from, end) {
        end = cut;
    }
    end = trim_end(text, from, end, if syntax == Syntax::Line { b",;)]}>'\\" } else { b",;)]}>'\\.*" });
    if matches!(syntax, Syntax::Line | Syntax::Bare)
        && let Some(escape) = text.cut(from, end).windows(2).position(|w| w == b"\\n" || w == b"\\r")
    {
        end = from + escape;
    }
    if end == from {
        return None;
    }
    let found = Found { start: from, end, syntax, typed: false, next: end, wrapped: false };
    if syntax == Syntax::Bare {
        // `password: str = "…"`, `let token: &'static str = …`
        let line = text.cut(end, text.line_end(end, 48));
        let sign = line.iter().position(|&b| b == b'=');
        let typed = sign.filter(|&p| {
            line.get(..p)
                .unwrap_or_default()
                .iter()
                .all(|&b| is_ident(b) || matches!(b, b' ' | b'|' | b'[' | b']' | b'<' | b'>' | b'?' | b'.' | b'\'' | b'&'))
        });
        if let (Some(p), false) = (typed, value::is_striking(text.cut(from, end))) {
            let next = text.blanks(end + p + 1);
            return Some(Found { typed: true, next, ..found });
        }
    }
    let _ = name;
    Some(found)
}

/// Where the next `name=` begins inside a value: `Password=x;Server=y`, `password=x,host=y`.
fn next_pair(text: Text<'_>, from: usize, end: usize) -> Option<usize> {
    let value = text.cut(from, end);
    for (i, &b) in value.iter().enumerate() {
        if matches!(b, b';' | b',' | b'&') {
            let name = text.run(from + i + 1, 40, |b| is_ident(b) || matches!(b, b'-' | b'.'));
            if name > from + i + 1 && matches!(text.at(name), b'=' | b':') || (b == b';' && text.at(from + i + 1) == b' ') {
                return Some(from + i);
            }
        }
        // `Password=x;Initial Catalog=y`
        if b == b';' {
            let line = text.cut(from + i + 1, from + i + 40);
            if line
                .iter()
                .position(|&b| b == b'=')
                .is_some_and(|p| line.get(..p).unwrap_or_default().iter().all(|&b| is_ident(b) || b == b' '))
            {
                return Some(from + i);
            }
        }
    }
    None
}

fn trim_end(text: Text<'_>, from: usize, end: usize, signs: &[u8]) -> usize {
    let mut end = end;
    while end > from && signs.contains(&text.before(end)) {
        // A closing sign that was opened inside belongs to the value.
        let close = text.before(end);
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            b'>' => b'<',
            _ => 0,
        };
        if open != 0 && text.cut(from, end).contains(&open) {
            break;
        }
        end -= 1;
    }
    end
}

/// The inside of a quotation that begins at a place, escaped or not.
pub(super) fn quoted(text: Text<'_>, at: usize) -> Option<(usize, usize)> {
    let slashes = text.run(at, 4, |b| b == b'\\') - at;
    let quote = text.at(at + slashes);
    if !matches!(quote, b'"' | b'\'' | b'`') {
        // “…”, «…», „…“, 「…」
        return typographic(text, at);
    }
    let mut start = at + slashes + 1;
    // """…"""
    let triple = text.at(start) == quote && text.at(start + 1) == quote;
    if triple {
        start += 2;
    }
    let mut i = start;
    let limit = (start + 2048).min(text.len());
    while i < limit {
        let b = text.at(i);
        if b == b'\\' {
            let run = text.run(i, 8, |b| b == b'\\') - i;
            if slashes > 0 && text.at(i + run) == quote && run <= slashes {
                return (i > start).then_some((start, i));
            }
            i += if slashes > 0 { run } else { 2 };
            continue;
        }
        if b == quote {
            return (i > start).then_some((start, i));
        }
        if b == b'\n' {
            break;
        }
        i += 1;
    }
    // A quotation that is not closed ends with the line.
    (i > start && i < start + 2048 && slashes == 0 && !text.cut(start, i).contains(&b' ')).then_some((start, i))
}

fn typographic(text: Text<'_>, at: usize) -> Option<(usize, usize)> {
    const PAIRS: &[(&str, &[&str])] = &[
        ("“", &["”", "“"]),
        ("„", &["“", "”"]),
        ("‘", &["’"]),
        ("«", &["»"]),
        ("»", &["«"]),
        ("「", &["」"]),
        ("『", &["』"]),
        ("‚", &["‘"]),
        ("《", &["》"]),
    ];
    let (open, closes) = PAIRS.iter().find(|(open, _)| text.has(at, open.as_bytes()))?;
    let start = text.blanks(at + open.len());
    let inside = text.cut(start, start + 256);
    let end = closes.iter().filter_map(|close| memchr::memmem::find(inside, close.as_bytes())).min()?;
    let end = trim_end(text, start, start + end, b" ");
    let end = if text.cut(start, end).ends_with("\u{a0}".as_bytes()) { end - 2 } else { end };
    (end > start && !text.cut(start, end).contains(&b'\n')).then_some((start, end))
}

/// A literal as the argument of a call that only wraps it: `Secret::new("…")`, `String.valueOf('…')`.
fn wrapped(text: Text<'_>, from: usize) -> Option<Found> {
    const FETCHES: &[&[u8]] = &[
        b"env",
        b"get",
        b"prompt",
        b"input",
        b"read",
        b"getpass",
        b"lookup",
        b"find",
        b"load",
        b"fetch",
        b"require",
        b"config",
        b"field",
        b"column",
        b"property",
        b"param",
        b"header",
        b"query",
        b"test",
        b"translate",
        b"error",
        b"log",
        b"print",
        b"label",
        b"ask",
        b"var",
        b"key",
        b"attr",
        b"select",
        b"file",
        b"open",
        b"path",
        b"regex",
        b"validate",
        b"is",
        b"has",
        b"equal",
        b"hash",
        b"generate",
        b"secret_key_base",
        b"decrypt",
        b"arg",
        b"option",
        b"flag",
        b"name",
        b"column",
        b"locator",
        b"element",
        b"i18n",
        b"gettext",
    ];
    let end = text.run(from, 48, |b| is_ident(b) || matches!(b, b'.' | b':' | b'!' | b' ' | b'<' | b'>'));
    if text.at(end) != b'(' || end == from {
        return None;
    }
    let call = text.cut(from, end).to_ascii_lowercase();
    let last = call.rsplit(|b| matches!(b, b'.' | b':' | b' ')).find(|part| !part.is_empty()).unwrap_or_default();
    if FETCHES.iter().any(|fetch| last.windows(fetch.len()).any(|w| w == *fetch))
        || last == b"t"
        || last == b"_"
        || last == b"__"
        || last == b"tr"
    {
        return None;
    }
    let (start, stop) = quoted(text, text.run(end + 1, 4, |b| matches!(b, b' ' | b'b' | b'&')))?;
    Some(Found { start, end: stop, syntax: Syntax::Quoted, typed: false, next: stop, wrapped: true })
}

/// Whether the value beside a name is a secret.
fn is_secret(text: Text<'_>, name: &Name<'_>, found: &Found) -> bool {
    let bytes = text.cut(found.start, found.end);
    let made = value::made(bytes);
    if made.length < 3 || value::is_placeholder(bytes) || is_own_name(name, bytes) {
        return false;
    }
    let quoted = found.syntax == Syntax::Quoted;
    if !quoted && found.syntax != Syntax::Cell && value::is_code(bytes) {
        return false;
    }
    match name.word {
        Word::Password => password(text, name, found, bytes),
        Word::Pass | Word::Pair => {
            (password(text, name, found, bytes)
                && (value::is_striking(bytes)
                    || (quoted || found.syntax == Syntax::Line && name.is_upper()) && made.spaces == 0 && name.start < name.at))
                && !value::is_term(bytes)
        }
        Word::Secret => secret(name, found, bytes),
        Word::Key => key(name, bytes, quoted),
        Word::Pin => {
            made.digits == made.length && (3..=8).contains(&made.length)
                || made.length >= 6 && made.digits >= 3 && made.spaces == 0 && made.lower == 0
        }
        Word::Opaque => value::is_random(bytes) && made.length >= 20 && !value::is_uuid(bytes) && made.spaces == 0,
        Word::Phrase => false,
    }
}

/// `"password": "password_field"`, `token = token_value`: a value that only repeats the name.
fn is_own_name(name: &Name<'_>, bytes: &[u8]) -> bool {
    let own = name.text.cut(name.start, name.end);
    bytes.eq_ignore_ascii_case(own) || bytes.eq_ignore_ascii_case(name.text.cut(name.at, name.to))
}

/// Whether a value beside the name of a password is one.
fn password(text: Text<'_>, name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    let plain_word = made.length == made.lower + made.upper + made.beyond;
    match found.syntax {
        Syntax::Quoted => {
            if made.spaces > 0 {
                return passphrase(bytes, &made);
            }
            let label = plain_word
                && made.upper == 1
                && bytes.first().is_some_and(u8::is_ascii_uppercase)
                && LABELS.contains(&bytes.to_ascii_lowercase().as_slice());
            let mention = bytes.iter().all(|&b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
                && ["password", "passwd", "secret", "token", "credential"]
                    .iter()
                    .any(|w| memchr::memmem::find(&bytes.to_ascii_lowercase(), w.as_bytes()).is_some())
                && !value::is_striking(bytes);
            let pattern = bytes.starts_with(b"^") || bytes.starts_with(b"/^") || bytes.windows(3).any(|w| w == b"(?=" || w == b"[a-");
            let digest = value::is_digest(bytes) && !names::words(name.head()).iter().any(|w| w == "db");
            let other = label || mention || pattern || found.wrapped_word(plain_word) || digest && made.length == 36;
            !other && made.beyond * 2 < made.length.max(1) + usize::from(made.beyond < 8) * made.length
        }
        Syntax::Line | Syntax::Argument | Syntax::Query => {
            let argument = found.syntax == Syntax::Line && matches!(text.at(found.end), b')' | b',') && plain_word;
            !argument
                && !(found.syntax == Syntax::Argument
                    && (bytes.starts_with(b"-") || bytes.starts_with(b"/") || bytes.starts_with(b"[") || bytes.starts_with(b"<")))
                && !TYPES.contains(&bytes.to_ascii_lowercase().as_slice())
        }
        Syntax::Cell => {
            let words = made.spaces > 0;
            !words
                && !LABELS.contains(&bytes.to_ascii_lowercase().as_slice())
                && !(plain_word && (made.upper == 1 || made.length < 5))
                && !bytes.iter().all(|&b| matches!(b, b'-' | b':' | b' '))
        }
        Syntax::Bare => bare_password(text, found, bytes, plain_word),
    }
}

impl Found {
    /// A plain word as the argument of a call is a name of something more often than a value.
    fn wrapped_word(&self, plain_word: bool) -> bool {
        self.wrapped && plain_word
    }
}

/// `password: hunter2`, `password = hunter2`
fn bare_password(text: Text<'_>, found: &Found, bytes: &[u8], plain_word: bool) -> bool {
    let lower = bytes.to_ascii_lowercase();
    if TYPES.contains(&lower.as_slice()) || LABELS.contains(&lower.as_slice()) || value::is_term(bytes) {
        return false;
    }
    if bytes.first().is_some_and(|b| matches!(b, b'{' | b'[' | b'(' | b'<' | b'|' | b'/' | b'\\' | b'\'')) && !value::is_striking(bytes) {
        return false;
    }
    let line_end = text.line_end(found.end, 200);
    let rest = text.cut(found.end, line_end);
    let alone = rest.iter().all(u8::is_ascii_whitespace) || rest.trim_ascii_start().starts_with(b"#") || rest.starts_with(b"\\n");
    if plain_word {
        // A variable is followed by the signs of code; the word of a sentence by other words.
        let made = value::made(bytes);
        let capital = made.upper == 1 && bytes.first().is_some_and(u8::is_ascii_uppercase);
        return alone && made.length >= 4 && !capital && !sentence::is_common(&lower) && made.beyond == 0;
    }
    value::is_striking(bytes)
        || alone && value::made(bytes).digits > 0 && bytes.len() >= 4
        || bytes.iter().all(u8::is_ascii_digit) && bytes.len() >= 4
}

/// Several words in quotes as one passphrase, not a sentence of a program.
fn passphrase(bytes: &[u8], made: &value::Made) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let says = [
        "password",
        "passwort",
        "please",
        "must",
        "enter",
        "invalid",
        "required",
        "incorrect",
        "your",
        "forgot",
        "the ",
        "is ",
        "not ",
        "cannot",
        "contraseña",
        "mot de passe",
        "confirm",
        "new ",
        "character",
        "at least",
        "optional",
        "used ",
        " for ",
        " of ",
        " to ",
    ]
    .iter()
    .any(|w| memchr::memmem::find(&lower, w.as_bytes()).is_some());
    let prose = bytes.ends_with(b".") || bytes.ends_with(b":") || bytes.ends_with(b"?") || bytes.ends_with(b"...");
    !says
        && !prose
        && (made.spaces >= 3 && made.upper == 0
            || made.digits > 0 && made.signs > 0
            || made.spaces >= 3 && made.digits > 0
            || made.digits >= 2 && made.spaces == 1)
}

/// Whether a value beside the name of a secret is one.
fn secret(name: &Name<'_>, found: &Found, bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    if made.spaces > 0 || made.beyond > 0 || value::is_term(bytes) || bytes.len() < 6 {
        return false;
    }
    let words = names::words(name.text.cut(name.start, name.end));
    let strong = words.iter().any(|w| matches!(w.as_str(), "secret" | "credential" | "credentials" | "geheimnis"))
        && !words.iter().any(|w| matches!(w.as_str(), "secrets" | "manager"));
    let letters = made.lower + made.upper;
    let identifier = bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    let of_words = identifier
        && bytes.split(|b| matches!(b, b'_' | b'-' | b'.' | b'/' | b':')).all(|part| part.len() <= 14 && !value::is_striking(part))
        && made.digits <= 2;
    if value::is_digest(bytes) {
        return bytes.len() >= 32
            && !names::words(name.head()).iter().any(|w| matches!(w.as_str(), "commit" | "sha" | "etag" | "trace" | "id"))
            && (!value::is_uuid(bytes) || strong || words.iter().any(|w| w == "token" || w == "key" || w == "apikey"));
    }
    if value::is_random(bytes) {
        return true;
    }
    let written = matches!(found.syntax, Syntax::Quoted | Syntax::Line | Syntax::Argument | Syntax::Cell | Syntax::Query);
    if strong {
        let quoted_word = written && bytes.len() >= 8 && !of_words;
        return quoted_word || value::is_striking(bytes) && bytes.len() >= 6;
    }
    // A token, an API key: letters and digits, of some length.
    let solid = made.digits >= 2 && letters >= 2 && bytes.len() >= 10 && made.distinct >= 6;
    solid && !of_words || made.digits >= 8 && bytes.len() >= 16
}

/// Whether a value beside the name of a key is one.
fn key(name: &Name<'_>, bytes: &[u8], quoted: bool) -> bool {
    let made = value::made(bytes);
    if made.spaces > 0 || made.beyond > 0 || bytes.len() < 16 || bytes.iter().any(|b| matches!(b, b'/' | b':' | b',')) && bytes.len() < 30 {
        return false;
    }
    let told = names::head_is_secret(name.head());
    if value::is_digest(bytes) {
        return told && bytes.len() >= 32;
    }
    let _ = quoted;
    value::is_random(bytes)
        && (told
            || name.is_upper() && bytes.len() >= 20
            || bytes.len() >= 32 && made.upper > 0 && made.lower > 0 && !bytes.contains(&b'/') && !bytes.contains(&b'.'))
}

/// What stands behind `password:` in schemas and types.
#[rustfmt::skip]
const TYPES: &[&[u8]] = &[
    b"string", b"str", b"text", b"varchar", b"char", b"bytes", b"bool", b"boolean", b"int", b"integer", b"number", b"any", b"object",
    b"optional", b"secretstr", b"securestring", b"secretstring", b"password", b"required", b"nullable", b"unique", b"true", b"false",
    b"null", b"none", b"nil", b"void", b"unknown", b"never", b"buffer", b"uint8array", b"func", b"function", b"def", b"const", b"let",
    b"var", b"new", b"await", b"async", b"return", b"if", b"else", b"and", b"or", b"not", b"in", b"self", b"this", b"yes", b"no",
    b"plaintext", b"hashed", b"encrypted", b"bcrypt", b"argon2", b"scrypt", b"rocket", b"is", b"was", b"must", b"should", b"missing",
    b"z", b"yup", b"joi", b"faker", b"graphql", b"schema", b"field", b"column", b"charfield", b"textfield", b"stringfield", b"binary",
    b"file", b"stdin", b"env", b"prompt", b"ask", b"interactive", b"random", b"auto", b"generated",
];

/// What fields for passwords are labelled with.
#[rustfmt::skip]
const LABELS: &[&[u8]] = &[
    b"password", b"passwort", b"kennwort", b"passwd", b"contrase\xc3\xb1a", b"senha", b"wachtwoord", b"parola", b"email", b"username",
    b"login", b"required", b"optional", b"description", b"type", b"value", b"default", b"string", b"notes", b"comment", b"yes", b"no",
    b"none", b"name", b"field", b"secret", b"token", b"example", b"n/a", b"user", b"admin", b"role", b"hash", b"hashed", b"encrypted",
    b"hidden", b"submit", b"text", b"invalid", b"incorrect", b"wrong", b"expired", b"missing", b"changed", b"reset", b"weak", b"strong",
    b"medium", b"forgotten", b"failed", b"ok", b"ok.", b"error", b"success", b"accepted", b"rejected", b"denied", b"unset", b"set",
    b"stored", b"saved", b"disabled", b"enabled", b"unchanged", b"prompt", b"show", b"hide", b"authentication", b"authorization",
    b"protected", b"mandatory", b"obligatorio", b"erforderlich", b"requis", b"verplicht",
];
