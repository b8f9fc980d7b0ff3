//! Values beside a telling name, in any syntax: settings, code, markup, tables, commands. Sentences are read by `sentence`.

use super::context::begins_word;
use super::detect::{NAMED, Pass};
use super::kind::{PASSWORD, SECRET};
use super::lexicon::Lexicon;
use super::names::{self, Word};
use super::quotation::quoted;
use super::sentence;
use super::text::{Text, count, find, is_ident};
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
    pub(super) fn is_upper(&self) -> bool {
        let name = self.text.cut(self.start, self.end);
        !name.iter().any(u8::is_ascii_lowercase) && name.iter().any(u8::is_ascii_uppercase)
    }
}

/// Words that make a key the password of a network.
static WIRELESS: Lexicon = Lexicon::new(&["wifi", "wi-fi", "wlan", "ssid", "wpa", "wpa2", "router", "hotspot"]);

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
    let wireless = matches!(word, Word::Key | Word::Secret) && super::context::said_within(text, name.start, 60, &WIRELESS);
    let name = if wireless { Name { word: Word::Password, ..name } } else { name };
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
    // The name again, over and over.
    let own = text.cut(name.at, name.to);
    if !own.is_empty() && text.cut(from, from + own.len()).eq_ignore_ascii_case(own) && matches!(text.at(from + own.len()), b':' | b'=') {
        return true;
    }
    let mut from = from;
    // Up to three values: a type, a value, the other half of a comparison.
    for _ in 0..2 {
        let Some(found) = value_at(text, &mut pass.run, from, syntax, name) else {
            return syntax != Syntax::Bare;
        };
        if found.typed {
            let kind = text.cut(found.start, found.end);
            if NUMERIC.contains(&kind) {
                return true;
            }
            from = found.next;
            continue;
        }
        if super::judgement::is_secret(text, name, &found) {
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

/// Types that no secret has.
const NUMERIC: &[&[u8]] = &[
    b"u8", b"u16", b"u32", b"u64", b"usize", b"i8", b"i16", b"i32", b"i64", b"isize", b"f32", b"f64", b"bool", b"int", b"long", b"float",
    b"boolean", b"number", b"Int", b"Bool", b"Boolean", b"integer",
];

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
    if quoted && rest.first() == Some(&b'{') {
        // `variable "db_password" { default = "…" }`
        let end = text.run(i, 300, |b| b != b'}');
        let word = find(text.cut(i, end), b"default")?;
        let sign = text.run(i + word + 7, 12, |b| b == b' ');
        return (text.at(sign) == b'=').then(|| (text.blanks(sign + 1), Syntax::Bare));
    }
    match rest {
        [b':' | b'+' | b'?' | b'!' | b'.' | b'=', b'=', ..] | [b'=' | b'-', b'>', ..] | [b'|', b'|', b'=', ..] => {
            let signs = text.run(i, 4, |b| matches!(b, b':' | b'=' | b'>' | b'-' | b'?' | b'!' | b'+' | b'.' | b'|'));
            Some((text.blanks(signs), Syntax::Bare))
        }
        [b'=', ..] => {
            let from = text.blanks(i + 1);
            let before = text.before(name.start);
            if matches!(before, b'?' | b'&') {
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
        // `set("password", "hunter2")`, not one of a list of words.
        [b',', ..] if quoted => {
            let open = text.run_back(name.start, 3, |b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b':'));
            let first = matches!(text.before(text.run_back(open, 4, |b| b == b' ')), b'(' | b'[' | b'{');
            Some((text.blanks(i + 1), Syntax::Bare)).filter(|&(from, _)| first && opens_quote(text, from))
        }
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
    let told = name.is_upper() || line.len() < 64 && line.iter().any(|b| matches!(b, b'm' | b'M' | b'l' | b'L' | b'c' | b'C'));
    if !told {
        return (matches!(text.at(i), b'\'' | b'"') && name.word == Word::Password).then_some((i, Syntax::Bare));
    }
    let lower = line.to_ascii_lowercase();
    let told = [&b"env "[..], b"arg ", b"machine ", b"login ", b"setenv ", b"requirepass", b"masterauth", b"config set ", b"set "]
        .iter()
        .any(|word| find(&lower, word).is_some());
    if told
        && (name.is_upper()
            || find(&lower, b"machine ").is_some()
            || find(&lower, b"login ").is_some()
            || find(&lower, b"config set").is_some())
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
    pub(super) typed: bool,
    pub(super) next: usize,
    /// It came as the argument of a call of this name.
    pub(super) wrapped: bool,
}

/// Where the word ends that was read last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    syntax: Option<Syntax>,
    from: usize,
    end: usize,
}

/// The value that begins at a place.
fn value_at(text: Text<'_>, run: &mut Run, from: usize, syntax: Syntax, name: &Name<'_>) -> Option<Found> {
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
    // One word may hold many names: where it ends is looked for once.
    let mut end = match run {
        Run { syntax: known, from: first, end } if *known == Some(syntax) && *first <= from && from < *end => *end,
        _ => {
            let end = text.run(from, 4096, |b| !stop(b));
            *run = Run { syntax: Some(syntax), from, end };
            end
        }
    };
    // Signs beyond ASCII that end a sentence or a quotation.
    while let Some(shorter) =
        text.cut(from, end).len().checked_sub(3).filter(|&n| matches!(text.cut(from + n, end), [0xE3 | 0xE2, 0x80, _] | [0xEF, 0xBC, _]))
    {
        end = from + shorter;
    }
    if let Some(cut) = next_pair(text, from, end) {
        end = cut;
    }
    let stressed = text.before(name.start) == b'*' || text.at(name.end) == b'*' || text.before(from) == b'*';
    end = match syntax {
        Syntax::Line => trim_end(text, from, end, b",;)]}>'\\"),
        _ if stressed => trim_end(text, from, end, b",;)]}>'\\.*"),
        _ => trim_end(text, from, end, b",;)]}>'\\."),
    };
    if matches!(syntax, Syntax::Line | Syntax::Bare)
        && let Some(escape) = text.cut(from, end).windows(2).position(|w| w == b"\\n" || w == b"\\r")
    {
        end = from + escape;
    }
    if end == from {
        return None;
    }
    let found = Found { start: from, end, syntax, typed: false, next: end, wrapped: false };
    // `process.env.DB_PASS || 'hunter2'`
    if let Some((start, stop)) = alternative(text, end)
        && (text.cut(from, end).contains(&b'.') || value::is_placeholder(text.cut(from, end)))
    {
        return Some(Found { start, end: stop, syntax: Syntax::Quoted, next: stop, ..found });
    }
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
        let word = text.cut(from, end);
        let valued = value::is_striking(word) && (word.iter().any(u8::is_ascii_digit) || !word.iter().all(|&b| is_ident(b)));
        if let (Some(p), false) = (typed, valued) {
            let next = text.blanks(end + p + 1);
            return Some(Found { typed: true, next, ..found });
        }
    }
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

pub(super) fn trim_end(text: Text<'_>, from: usize, end: usize, signs: &[u8]) -> usize {
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

/// What is taken when nothing is set: `getenv("PASSWORD", "hunter2")`, `get("PASSWORD") or "hunter2"`, `env("X") ?? "hunter2"`.
fn fallback(text: Text<'_>, open: usize) -> Option<(usize, usize)> {
    let first = text.run(open + 1, 4, |b| b == b' ');
    let (_, stop) = quoted(text, first)?;
    let comma = text.blanks(stop + 1);
    if text.at(comma) == b',' {
        return quoted(text, text.run(comma + 1, 8, |b| b.is_ascii_whitespace()));
    }
    (text.at(comma) == b')').then_some(())?;
    alternative(text, comma + 1)
}

/// The literal behind `or`, `||`, `??`.
fn alternative(text: Text<'_>, from: usize) -> Option<(usize, usize)> {
    let at = text.blanks(from);
    let signs: [&[u8]; 4] = [b"or ", b"||", b"??", b"?:"];
    let length = signs.iter().find(|sign| text.has(at, sign)).map(|sign| sign.len())?;
    quoted(text, text.blanks(at + length))
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
    if let Some((start, stop)) = fallback(text, end) {
        return Some(Found { start, end: stop, syntax: Syntax::Quoted, typed: false, next: stop, wrapped: false });
    }
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
