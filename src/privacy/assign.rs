//! Values assigned to a secret's field name, in any syntax: settings, code, markup, tables,
//! commands.
//!
//! `read` is called where the index saw a field name. It tries, in order: seed phrase, column of
//! a table, assignment (`connected`, then `found` and `judgement`); only if none of these
//! decides, the prose readers in `sentence`, `script` and `aside`.

use super::context::begins_word;
use super::detect::{NAMED, Pass};
use super::found::value_at;
use super::kind::{PASSWORD, SECRET};
use super::lexicon::{Lexicon, lexicon};
use super::names::{self, Word};
use super::sentence;
use super::text::{Text, count, find, is_ident};
use super::value;

/// The syntax a value is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Quoted,
    /// `NAME=value` to the end of the line, as in `.env` files and shells.
    Line,
    /// After `name: ` or `name = `, without quotes.
    Bare,
    Query,
    /// A command-line argument.
    Argument,
    /// The text of an XML element or a cell of a table.
    Cell,
}

/// A field name with its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'t> {
    pub(super) text: Text<'t>,
    pub(super) word: Word,
    /// The whole identifier.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The word in it that marks a secret.
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

    /// Whether it is written in the style of environment variables: `DB_PASSWORD`.
    pub(super) fn is_upper(&self) -> bool {
        let name = self.text.cut(self.start, self.end);
        !name.iter().any(u8::is_ascii_lowercase) && name.iter().any(u8::is_ascii_uppercase)
    }
}

/// Words that make a `key` the password of a wireless network.
static WIRELESS: Lexicon = lexicon!(["wifi", "wi-fi", "wlan", "ssid", "wpa", "wpa2", "hotspot"]);

/// Looks for a value after a field name.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize, word: Word) {
    let text = pass.text;
    if at < pass.named || pass.covered(at) {
        return;
    }
    // Some keywords include the sign after the name; exclude it.
    let to = at + text.cut(at, to).iter().rposition(|b| b.is_ascii_alphanumeric() || *b >= 0x80).map_or(to - at, |last| last + 1);
    let Some(name) = name_at(text, at, to, word) else { return };
    // `webhook_secret`: the word behind tells more.
    let opens = word == Word::Opaque && [&b"_secret"[..], b"Secret", b"-secret"].iter().any(|tail| name.tail().starts_with(tail));
    if opens || !super::beside::head_tells(name.head(), word) || !super::beside::tail_tells(name.tail(), word) {
        // Another word of the same name may tell: `key-store-password`.
        pass.named = pass.named.max(to);
        return;
    }
    let wireless =
        matches!(word, Word::Key | Word::Secret) && name.start == name.at && super::context::said_within(text, name.start, 60, &WIRELESS);
    let name = if wireless { Name { word: Word::Password, ..name } } else { name };
    if word == Word::Phrase {
        sentence::phrase(pass, &name);
        return;
    }
    if matches!(name.word, Word::Password | Word::Pass | Word::Secret) && super::table::column(pass, &name) {
        pass.named = pass.named.max(name.end);
        return;
    }
    if super::output::grouped(pass, &name) || word != Word::Pair && assigned(pass, &name) {
        return;
    }
    pass.named = pass.named.max(name.end);
    sentence::read(pass, &name);
}

/// Returns the identifier around a word, if the word is a whole part of it.
fn name_at(text: Text<'_>, at: usize, to: usize, word: Word) -> Option<Name<'_>> {
    let start = text.run_back(at, 48, |b| is_ident(b) || b == b'-' || b == b'.');
    let short = to - at <= 6;
    if text.at(at) < 0x80 && short && !begins_word(text, at) {
        let glued = text.cut(text.run_back(at, 16, |b| b.is_ascii_alphabetic()), at);
        if !super::beside::is_glued(glued) && !names::words(glued).last().is_some_and(super::beside::is_glued) {
            return None;
        }
    }
    let (next, last) = (text.at(to), text.before(to));
    if (next.is_ascii_lowercase() && last.is_ascii_alphabetic()) || (next.is_ascii_uppercase() && last.is_ascii_uppercase()) {
        // A plural, or the beginning of another word.
        let plural = next.eq_ignore_ascii_case(&b's') && !text.at(to + 1).is_ascii_alphanumeric();
        let compound = word == Word::Password && !glued_pass(text.cut(at, to))
            || (to - at > 4 && matches!(text.cut(to, to + 4), b"key " | b"key=" | b"key:" | b"key\"" | b"key_"));
        if !plural && !compound {
            return None;
        }
        if plural && matches!(word, Word::Key | Word::Pin) {
            return None;
        }
    }
    let mut end = text.run(to, 48, is_ident);
    // Include `-hash` of `password-hash` and `.old` of `spring.datasource.password.old`, but not
    // the end of a sentence.
    while matches!(text.at(end), b'-' | b'.') && text.at(end + 1).is_ascii_alphabetic() && end - to < 48 {
        end = text.run(end + 1, 48, is_ident);
    }
    Some(Name { text, word, start, end, at, to })
}

/// `userpass`: behind it more of another name may follow, `userPassword`, which tells more itself.
fn glued_pass(word: &[u8]) -> bool {
    word.len() > 4 && word.to_ascii_lowercase().ends_with(b"pass")
}

/// Looks for a sign of assignment behind the name and a value behind it. Says whether this place is settled.
fn assigned(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    let holds = matches!(name.word, Word::Password | Word::Pass | Word::Secret | Word::Key);
    if let Some((start, end)) = characters_of(text, name.end).filter(|_| holds) {
        pass.hit(start, end, kind_of(name), "listed-characters", NAMED);
        pass.named = end;
        return true;
    }
    let Some((from, syntax)) = connected(text, name) else {
        return false;
    };
    pass.named = name.end;
    // The name repeated.
    let own = text.cut(name.at, name.to);
    if !own.is_empty() && text.cut(from, from + own.len()).eq_ignore_ascii_case(own) && matches!(text.at(from + own.len()), b':' | b'=') {
        return true;
    }
    if let Some((start, end)) = bytes_of(text, from).filter(|_| matches!(name.word, Word::Secret | Word::Key)) {
        pass.hit(start, end, super::kind::PRIVATE_KEY, "key-bytes", NAMED);
        pass.named = end;
        return true;
    }
    let mut from = from;
    // Up to two more values: after a type, or the other side of a comparison.
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
        // `password: the one on the fridge is hunter2` is a sentence: leave it to `sentence`.
        return found.syntax != Syntax::Bare;
    }
    true
}

/// Finds a list of at least 16 bytes: `[17, 203, …]`, `{0x11, 0xcb, …}`.
fn bytes_of(text: Text<'_>, from: usize) -> Option<(usize, usize)> {
    // Skip what may precede the list: `[u8; 32] = [`, `[]byte{`, `new byte[] {`,
    // `Uint8Array.from([`.
    let head = text.cut(from, from + 40);
    let list = head.windows(2).position(|w| matches!(w, [b'[' | b'{', b'0'..=b'9' | b' ' | b'\n']))?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'[' | b']' | b' ' | b';' | b'=' | b'&' | b'.' | b'(' | b'!' | b'*');
    if !head.get(..list).unwrap_or_default().iter().all(plain) {
        return None;
    }
    let from = from + list;
    let end = text.run(from + 1, 4096, |b| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || matches!(b, b',' | b'x' | b'X'));
    let list = text.cut(from + 1, end);
    let byte = |word: &[u8]| match word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")) {
        Some(hex) => (1..=2).contains(&hex.len()),
        None => (1..=3).contains(&word.len()) && word.iter().all(u8::is_ascii_digit),
    };
    let mut words = list.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty());
    let many = count(list, b',') >= 15 && words.all(byte);
    (many && matches!(text.at(end), b']' | b'}')).then_some((from + 1, end))
}

/// Types that a secret never has.
const NUMERIC: &[&[u8]] = &[
    b"u8", b"u16", b"u32", b"u64", b"usize", b"i8", b"i16", b"i32", b"i64", b"isize", b"f32", b"f64", b"bool", b"int", b"long", b"float",
    b"boolean", b"number", b"Int", b"Bool", b"Boolean", b"integer",
];

/// Words in the names of service keys, which are of kind `API_KEY`.
static OF_SERVICES: Lexicon = lexicon!(["api", "token", "access"]);

/// The kind reported for a value of this name.
pub(super) fn kind_of(name: &Name<'_>) -> &'static str {
    match name.word {
        Word::Password | Word::Pass | Word::Pin | Word::Pair => PASSWORD,
        Word::Secret | Word::Key | Word::Phrase | Word::Opaque => {
            if OF_SERVICES.is_in(name.text.cut(name.start, name.end)) {
                super::kind::API_KEY
            } else {
                SECRET
            }
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

/// Skips the signs that close a name and the sign that connects it with a value.
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
    if text.has(i, b"by lazy") {
        return Some((text.run(i + 7, 6, |b| matches!(b, b' ' | b'{')), Syntax::Bare));
    }
    if quoted && rest.first() == Some(&b'{') {
        // `variable "db_password" { default = "…" }`
        let end = text.run(i, 300, |b| b != b'}');
        let word = find(text.cut(i, end), b"default")?;
        let sign = text.run(i + word + 7, 12, |b| b == b' ');
        return (text.at(sign) == b'=').then(|| (text.blanks(sign + 1), Syntax::Bare));
    }
    if quoted {
        // `get('#password').type('…')`, `find_element(By.NAME, "password").send_keys("…")`
        for call in [&b".type("[..], b".fill(", b".send_keys(", b".sendKeys(", b".setValue(", b".val(", b".clear().type("] {
            if text.has(closed, call) {
                return Some((closed + call.len(), Syntax::Bare));
            }
        }
    }
    if let Some(from) = past_tags(text, closed) {
        return Some((from, Syntax::Cell));
    }
    if text.at(closed) == b'\t' && !quoted && name.word == Word::Password && !matches!(rest.first(), Some(b':' | b'=' | b'|')) {
        return Some((i, Syntax::Cell));
    }
    match rest {
        [b'-', b'>', ..] if tight => None,
        [b'<', b'-', ..] if !tight => Some((text.blanks(i + 2), Syntax::Bare)),
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
        // `set("password", "hunter2")`, but not an item of a list of words.
        [b',', ..] if quoted => {
            // `fill('input[name=password]', '…')`
            let open = text.run_back(name.start, 40, |b| !matches!(b, b'"' | b'\'' | b'`' | b'\n' | b',' | b'('));
            let open = text.run_back(open, 3, |b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b':'));
            let first = matches!(text.before(text.run_back(open, 4, |b| b == b' ')), b'(' | b'[' | b'{');
            Some((text.blanks(i + 1), Syntax::Bare)).filter(|&(from, _)| first && opens_quote(text, from))
        }
        [b'>', ..] if tight => {
            let opened = text.before(name.start);
            (matches!(opened, b'<' | b':') || quoted).then_some((text.run(i + 1, 64, |b| b.is_ascii_whitespace()), Syntax::Cell))
        }
        // `{{ .Values.password | b64enc }}`, `echo $password | wc`: a pipe, not a value.
        [b'|', ..] if in_expression(text, name.start) => None,
        [b'|' | b'\t', ..] if !quoted => Some((text.run(i, 16, |b| matches!(b, b'|' | b' ' | b'\t' | b'`' | b'*')), Syntax::Cell))
            .filter(|_| rest.first() == Some(&b'|')),
        [b'(', b'"' | b'\'', ..] if tight => Some((i + 1, Syntax::Bare)),
        _ => spaced(text, name, closed, quoted),
    }
}

/// Whether a position is inside a template expression, or the name there is a shell variable.
fn in_expression(text: Text<'_>, at: usize) -> bool {
    let before = text.cut(text.line_start(at, 80), at);
    let open = before.windows(2).rposition(|w| matches!(w, b"{{" | b"{%" | b"<%"));
    matches!(before.last(), Some(b'$')) || open.is_some_and(|p| !before.windows(2).skip(p).any(|w| matches!(w, b"}}" | b"%}" | b"%>")))
}

/// Finds a list of characters: `{'h', 'u', 'n', 't'}`.
fn characters_of(text: Text<'_>, from: usize) -> Option<(usize, usize)> {
    let head = text.cut(from, from + 24);
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b' ' | b'[' | b']' | b'=' | b'(' | b'"' | b'\'' | b':');
    let open = head.iter().position(|b| matches!(b, b'{' | b'[') && !matches!(head.first(), Some(b'.' | b',')))?;
    let open = if head.get(open) == Some(&b'[') { head.iter().rposition(|b| matches!(b, b'{' | b'['))? } else { open };
    head.get(..open)?.iter().all(plain).then_some(())?;
    let start = text.run(from + open + 1, 16, |b| b.is_ascii_whitespace());
    let (mut count, mut at, mut end) = (0, start, start);
    while count < 512 && text.at(at) == b'\'' {
        let Some((_, next)) = super::packed::element(text, at) else { break };
        (count, end) = (count + 1, next);
        at = text.run(next, 16, |b| b.is_ascii_whitespace() || b == b',');
    }
    (count >= 4).then_some((start, end))
}

/// Skips the tags and the sign between a name and its value in markup: `<b>Password:</b> <code>`,
/// `<key>password</key><string>`.
fn past_tags(text: Text<'_>, from: usize) -> Option<usize> {
    let mut i = text.run(from, 1, |b| b == b':');
    if text.at(i) != b'<' || text.at(i + 1) != b'/' {
        return None;
    }
    let mut opened = false;
    for _ in 0..5 {
        let end = text.run(i + 1, 24, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b' ' | b'=' | b'"' | b'-'));
        if text.at(i) != b'<' || text.at(end) != b'>' {
            break;
        }
        opened |= text.at(i + 1) != b'/';
        i = text.run(end + 1, 40, |b| b.is_ascii_whitespace() || b == b':');
    }
    (opened && text.at(i) != b'<').then_some(i)
}

/// Words before a name whose value follows after a space; and those that also count before
/// lower-case names.
static SETTING: Lexicon = lexicon!(["env ", "arg ", "machine ", "login ", "setenv ", "requirepass", "masterauth", "config set ", "set "]);
static LOGGING_IN: Lexicon = lexicon!(["machine ", "login ", "config set"]);

/// Finds a value separated by a space only: flags, SQL, Dockerfiles, `.netrc`, `value="…"` in
/// markup.
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
                let from = text.run(open, 3, |b| matches!(b, b'=' | b':' | b' '));
                // The same in YAML, where the value may stand in the lines below.
                (if text.at(end) == b':' { next_line(text, from, false) } else { from }, Syntax::Bare)
            });
        }
        return None;
    }
    let line_start = text.line_start(name.start, 160);
    let line = text.cut(line_start, name.start);
    let i = text.blanks(closed);
    if i == closed {
        // `- name: DB_PASSWORD` and `value: …` on the next line.
        let behind = |label: &[u8]| name.start.checked_sub(label.len()).is_some_and(|at| at >= line_start && text.has_folded(at, label));
        if matches!(text.at(i), b'\n' | 0)
            && (behind(b"name: ") || behind(b"key: "))
            && let Some(value) = value_below(text, i).or_else(|| value_above(text, line_start))
        {
            return Some((next_line(text, text.blanks(value + 6), false), Syntax::Bare));
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
    // `set TOKEN to …`, `my login is bob and the password is …` are sentences.
    let words: [&[u8]; 7] = [b"to ", b"is ", b"was ", b"for ", b"should ", b"ist ", b"are "];
    let to = words.iter().any(|word| text.has_folded(i, word));
    // `ENV NAME value`: nothing follows the value, unlike in a sentence.
    let alone = || {
        let value = text.run(i, 256, |b| !b.is_ascii_whitespace());
        text.cut(value, text.line_end(value, 16)).trim_ascii().is_empty()
            || !text.at(i).is_ascii_lowercase()
            || !text.cut(i, value).iter().all(u8::is_ascii_lowercase)
    };
    if !to && alone() && SETTING.is_in(line) && (name.is_upper() || LOGGING_IN.is_in(line)) {
        return Some((i, Syntax::Argument));
    }
    if matches!(name.text.cut(name.at, name.to), b"requirepass" | b"masterauth") {
        return Some((i, Syntax::Argument));
    }
    // SQL: `WITH PASSWORD 'x'`, `SET PASSWORD 'x'`.
    (matches!(text.at(i), b'\'' | b'"') && name.word == Word::Password).then_some((i, Syntax::Bare))
}

/// The `value:` of the item of YAML whose `name:` ends at a place: within the next three lines, before the next item.
fn value_below(text: Text<'_>, from: usize) -> Option<usize> {
    let mut line = from;
    for _ in 0..3 {
        let next = text.run(line, 40, |b| b.is_ascii_whitespace());
        if text.has_folded(next, b"value:") {
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
fn value_above(text: Text<'_>, line: usize) -> Option<usize> {
    let mut line = line;
    for _ in 0..4 {
        if text.at(text.blanks(line)) == b'-' || line == 0 {
            return None;
        }
        line = text.line_start(line - 1, 160);
        let first = text.run(line, 40, |b| matches!(b, b' ' | b'-'));
        if text.has_folded(first, b"value:") {
            return Some(first);
        }
    }
    None
}

/// Where a value begins that stands in the line below its name.
fn next_line(text: Text<'_>, from: usize, quoted: bool) -> usize {
    let sign = text.run(from, 1, |b| matches!(b, b'|' | b'>'));
    let block = text.run(sign, 2 * (sign - from), |b| matches!(b, b'-' | b'+' | b'0'..=b'9'));
    // `|- # a comment`
    let comment = text.blanks(block);
    let block = if sign > from && text.at(comment) == b'#' { text.line_end(comment, 100) } else { block };
    if matches!(text.at(block), b'\n' | b'\r') && !quoted {
        let below = text.run(block, 60, |b| b.is_ascii_whitespace());
        let end = text.line_end(below, 200);
        let line = text.cut(below, end);
        let alone = !line.is_empty() && !line.contains(&b' ') && !line.contains(&b':') && !line.contains(&b'=');
        let blank = count(text.cut(block, below), b'\n') > if sign > from { 2 } else { 1 };
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
