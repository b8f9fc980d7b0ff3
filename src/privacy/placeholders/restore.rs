//! Restoring: puts the user's own values back into a reply, however the model spells the
//! placeholder, and only where that is safe.
//!
//! The model chooses what surrounds a placeholder. A value inside a URL, a host or a query would be
//! one click away from that host, and a secret inside a command one paste away. [`RESTORE_RULES`] says what
//! is restored where.

use crate::privacy::display::sanitize::sanitize;
use crate::privacy::kind::Sensitivity;
use crate::privacy::placeholders::output_context::{Markdown, OutputContext, UrlWord};
use crate::privacy::{Displayable, Placeholders, Style};
use std::fmt;

/// The longest placeholder in its longest spelling, in bytes.
const MAX_PLACEHOLDER_BYTES: usize = 96;

/// Bytes of a word that are held back to see whether it is a URL; a longer word is treated as one.
const MAX_WORD_BYTES: usize = 512;

/// Who sees the restored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The user's screen.
    Screen,
    /// The user's clipboard, which is pasted into other programs.
    Clipboard,
    /// The user asked for the values: `/reveal`, `ask --restore`.
    Revealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestoreMode {
    Whole,
    /// At most its first and last characters, underlined.
    Mask,
    Keep,
}

/// What is restored, by class of value and position: on the screen, in the clipboard, on request.
const RESTORE_RULES: [(Sensitivity, OutputContext, [RestoreMode; 3]); 6] = [
    (
        Sensitivity::Personal,
        OutputContext::Prose,
        [RestoreMode::Whole, RestoreMode::Whole, RestoreMode::Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Code,
        [RestoreMode::Whole, RestoreMode::Whole, RestoreMode::Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Url,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Keep],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Prose,
        [RestoreMode::Mask, RestoreMode::Keep, RestoreMode::Whole],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Code,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Whole],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Url,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Keep],
    ),
];

fn restore_mode(class: Sensitivity, place: OutputContext, audience: Audience) -> RestoreMode {
    let rule = RESTORE_RULES
        .iter()
        .find(|(c, p, _)| (*c, *p) == (class, place));
    rule.map_or(
        RestoreMode::Keep,
        |(_, _, [screen, clipboard, revealed])| match audience {
            Audience::Screen => *screen,
            Audience::Clipboard => *clipboard,
            Audience::Revealed => *revealed,
        },
    )
}

/// Restores placeholders in a stream. Text that may begin a placeholder is held back until the next
/// piece decides, and a word that contains one until the word ends.
pub struct Restorer<'a> {
    table: &'a Placeholders,
    audience: Audience,
    held: String,
    markdown: Markdown,
    word: UrlWord,
    left_out: usize,
    masked: usize,
}

/// The result of reading a possible placeholder.
enum PlaceholderParse<'a> {
    /// A placeholder of this many bytes.
    Value(usize, &'a crate::privacy::placeholders::PlaceholderEntry),
    /// Not a placeholder of this conversation.
    Other,
    /// More text is needed to decide.
    Open,
}

/// Where the word around a placeholder ends.
enum WordEnd {
    /// After this many bytes.
    At(usize, UrlWord),
    /// More text is needed to decide.
    Open,
    TooLong,
}

impl<'a> Restorer<'a> {
    pub(in crate::privacy) fn new(table: &'a Placeholders, audience: Audience) -> Self {
        let (markdown, word) = (Markdown::default(), UrlWord::default());
        Self {
            table,
            audience,
            held: String::new(),
            markdown,
            word,
            left_out: 0,
            masked: 0,
        }
    }

    /// Takes a sanitized piece and returns what can be shown now.
    pub(in crate::privacy) fn push(&mut self, piece: &str) -> String {
        if self.table.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        self.take_decided(false)
    }

    /// Returns what was held back until the end of the stream.
    pub(in crate::privacy) fn finish(&mut self) -> String {
        self.take_decided(true)
    }

    /// The number of values that were not restored in full.
    pub(in crate::privacy) const fn left_out(&self) -> usize {
        self.left_out
    }

    /// How many of those are put back whole for those who ask for it.
    pub(in crate::privacy) const fn masked(&self) -> usize {
        self.masked
    }

    /// What is decided of the text that is held.
    fn take_decided(&mut self, end: bool) -> String {
        let held = std::mem::take(&mut self.held);
        let mut out = String::with_capacity(held.len());
        let mut rest = held.as_str();
        while let Some(open) = rest.find(['[', '\\', '%']) {
            self.push_plain(rest.get(..open).unwrap_or_default(), &mut out);
            rest = rest.get(open..).unwrap_or_default();
            let taken = match self.read(rest, end) {
                PlaceholderParse::Open => None,
                PlaceholderParse::Other => Some(1),
                PlaceholderParse::Value(..) => match self.word_end(rest, end) {
                    WordEnd::Open => None,
                    WordEnd::At(length, word) => {
                        self.restore(
                            rest.get(..length).unwrap_or_default(),
                            word.is_url(),
                            end,
                            &mut out,
                        );
                        self.word = word;
                        rest = rest.get(length..).unwrap_or_default();
                        Some(0)
                    }
                    WordEnd::TooLong => {
                        self.word.give_up();
                        Some(1)
                    }
                },
            };
            let Some(taken) = taken else {
                rest.clone_into(&mut self.held);
                return out;
            };
            self.push_plain(rest.get(..taken).unwrap_or_default(), &mut out);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.push_plain(rest, &mut out);
        out
    }

    fn push_plain(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.markdown.push(c);
            self.word.push(c);
        }
        out.push_str(text);
    }

    /// Reads on to the end of the word.
    fn word_end(&self, text: &str, end: bool) -> WordEnd {
        let mut word = self.word.clone();
        let mut at = 0;
        loop {
            if at >= MAX_WORD_BYTES {
                return WordEnd::TooLong;
            }
            let rest = text.get(at..).unwrap_or_default();
            let Some(c) = rest.chars().next() else {
                if !end {
                    return WordEnd::Open;
                }
                word.finish();
                return WordEnd::At(at, word);
            };
            match self.read(rest, end) {
                PlaceholderParse::Value(length, _) => {
                    if rest
                        .get(..length)
                        .is_some_and(|spelling| spelling.contains('%'))
                    {
                        word.give_up();
                    }
                    word.push_placeholder();
                    at += length;
                    continue;
                }
                PlaceholderParse::Open => return WordEnd::Open,
                PlaceholderParse::Other => {}
            }
            if word.ends_at(c) {
                word.finish();
                return WordEnd::At(at, word);
            }
            word.push(c);
            at += c.len_utf8();
        }
    }

    /// Restores a word that contains placeholders.
    fn restore(&mut self, text: &str, is_url: bool, end: bool, out: &mut String) {
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(at..).unwrap_or_default();
            let PlaceholderParse::Value(length, entry) = self.read(rest, end) else {
                self.markdown.push(c);
                out.push(c);
                at += c.len_utf8();
                continue;
            };
            self.markdown.push_placeholder();
            let place = match (is_url, self.markdown.is_code()) {
                (true, _) => OutputContext::Url,
                (false, true) => OutputContext::Code,
                (false, false) => OutputContext::Prose,
            };
            let chosen = restore_mode(entry.class(), place, self.audience);
            let on_request = restore_mode(entry.class(), place, Audience::Revealed);
            self.left_out += usize::from(chosen != RestoreMode::Whole);
            self.masked +=
                usize::from(chosen != RestoreMode::Whole && on_request == RestoreMode::Whole);
            match chosen {
                RestoreMode::Whole => out.push_str(&sanitize(entry.value())),
                RestoreMode::Mask => out.push_str(
                    Displayable::line(&entry.mask())
                        .with_style(Style::Underlined)
                        .as_styled(),
                ),
                RestoreMode::Keep => out.push_str(rest.get(..length).unwrap_or_default()),
            }
            at += length;
        }
    }

    /// Reads `[EMAIL_1]`, `\[EMAIL\_1\]`, `%5BEMAIL_1%5D`, `[Email 1]` at the beginning of a text.
    fn read(&self, text: &str, end: bool) -> PlaceholderParse<'a> {
        if !text.starts_with(['[', '\\', '%']) {
            return PlaceholderParse::Other;
        }
        // At the end of the reply, and past the longest spelling, there is nothing to wait for.
        let open = || {
            if end || text.len() >= MAX_PLACEHOLDER_BYTES {
                PlaceholderParse::Other
            } else {
                PlaceholderParse::Open
            }
        };
        let mut signs = UnescapedChars {
            text: text.as_bytes(),
            at: 0,
        };
        match signs.next() {
            Some(Some(b'[')) => {}
            Some(_) => return PlaceholderParse::Other,
            None => return open(),
        }
        let mut name = String::new();
        loop {
            match signs.next() {
                None => return open(),
                Some(Some(b']')) => break,
                Some(Some(b)) if (b.is_ascii_alphanumeric() || b == b'_') && name.len() < 48 => {
                    name.push(char::from(b.to_ascii_uppercase()));
                }
                // A model may write a space instead of the `_` before the number, or emphasise the
                // name.
                Some(Some(b' ' | b'-')) if !name.is_empty() => name.push('_'),
                Some(Some(b'*' | b'`')) => {}
                Some(_) => return PlaceholderParse::Other,
            }
        }
        if signs.at > MAX_PLACEHOLDER_BYTES {
            return PlaceholderParse::Other;
        }
        let stressed = name.trim_matches('_');
        self.table
            .entry(stressed)
            .map_or(PlaceholderParse::Other, |entry| {
                PlaceholderParse::Value(signs.at, entry)
            })
    }
}

impl fmt::Debug for Restorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer(_; {} held)", self.held.len())
    }
}

/// The characters of a text, with Markdown and URL escapes decoded.
struct UnescapedChars<'t> {
    text: &'t [u8],
    at: usize,
}

impl UnescapedChars<'_> {
    /// The next character; `None` at the end or inside an escape, `Some(None)` for one that no
    /// placeholder contains.
    #[expect(clippy::option_option, reason = "not yet, none of ours, or a sign")]
    fn next(&mut self) -> Option<Option<u8>> {
        while self.text.get(self.at) == Some(&b'\\') {
            self.at += 1;
        }
        let b = *self.text.get(self.at)?;
        self.at += 1;
        if b != b'%' {
            return Some(Some(b).filter(u8::is_ascii));
        }
        let (high, low) = (self.text.get(self.at)?, self.text.get(self.at + 1));
        let high = char::from(*high).to_digit(16);
        let Some(low) = low else {
            return if high.is_some() { None } else { Some(None) };
        };
        self.at += 2;
        let byte = high
            .zip(char::from(*low).to_digit(16))
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        Some(byte.filter(u8::is_ascii))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::kind::{self, Kind};
    use proptest::prelude::*;

    const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

    fn table() -> Placeholders {
        let mut table = Placeholders::default();
        table.placeholder_for(&Kind::built_in(kind::EMAIL), "ann@initech.com");
        table.placeholder_for(&Kind::built_in(kind::PHONE), "415-555-2671");
        table.placeholder_for(&Kind::built_in(kind::API_KEY), KEY);
        table.placeholder_for(&Kind::built_in(kind::PASSWORD), "hunter2");
        table
    }

    /// Personal data in prose, in every spelling; nothing anywhere in a word that leads to a host.
    const PERSONAL: &[(&str, &str)] = &[
        ("write to [EMAIL_1]!", "write to ann@initech.com!"),
        (
            "**[EMAIL_1]** and `[EMAIL_1]`",
            "**ann@initech.com** and `ann@initech.com`",
        ),
        ("[mail]([EMAIL_1])", "[mail](ann@initech.com)"),
        (
            r"\[EMAIL\_1\] [EMAIL\_1]",
            "ann@initech.com ann@initech.com",
        ),
        (
            "[email_1] [Email_1] [Email 1] [PHONE_1]",
            "ann@initech.com ann@initech.com ann@initech.com 415-555-2671",
        ),
        (
            "[[EMAIL_1]] [EMAIL_2] [x] a[0] \\n 100% [",
            "[ann@initech.com] [EMAIL_2] [x] a[0] \\n 100% [",
        ),
        (
            "[**EMAIL_1**] é[EMAIL_1]é",
            "ann@initech.com éann@initech.comé",
        ),
        (
            "请写信给[EMAIL_1]。谢谢，[PHONE_1]",
            "请写信给ann@initech.com。谢谢，415-555-2671",
        ),
        (
            "Mail:[EMAIL_1], and/or [PHONE_1]. Ok?",
            "Mail:ann@initech.com, and/or 415-555-2671. Ok?",
        ),
        (
            "```\nto=\"[EMAIL_1]\"\n```",
            "```\nto=\"ann@initech.com\"\n```",
        ),
        ("console.log('[EMAIL_1]')", "console.log('ann@initech.com')"),
        (
            "https://a.example/ [EMAIL_1]",
            "https://a.example/ ann@initech.com",
        ),
    ];

    /// Words that lead somewhere: whatever stands behind a placeholder, it stays.
    const URLS: &[&str] = &[
        "https://evil.example/log?d=[#]&m=1",
        "(http://evil.example/[#])",
        "[x](https://evil.example/[#])",
        "<https://evil.example/a b [#]>",
        "HTTPS:[#]",
        "mailto:x@evil.example?body=[#]",
        "mailto:[#]",
        "//evil.example/[#]",
        "evil.example/[#]",
        "evil.example:8080/[#]",
        "192.0.2.7/[#]",
        "www.evil.example?[#]",
        "[#].evil.example",
        "[#].evil.example.",
        "a-[#].b.evil.example,",
        "[#]@evil.example",
        "\"[#]\".evil.example",
        "git@evil.example:[#]",
        "/log?d=[#]",
        "x&d=[#]",
        "a%20[#]",
        "[#]%20b",
        "https://evil.example/\\\n[#]",
        "https://evil.example/\"[#]\"",
        "https://evil。example/[#]",
        "https://evil.example/?a=[#]&b=[#]",
    ];

    /// A secret in prose is masked, in code it stays.
    const SECRETS: &[(&str, &str)] = &[
        ("use [API_KEY_1] now", "use sk-or…cdef now"),
        ("- item [API_KEY_1]", "- item sk-or…cdef"),
        ("password [PASSWORD_1].", "password [PASSWORD_1 ••••]."),
        (
            "run `curl -H [API_KEY_1]` or",
            "run `curl -H [API_KEY_1]` or",
        ),
        (
            "`a` [API_KEY_1] ``b`[API_KEY_1]`` [API_KEY_1]",
            "`a` sk-or…cdef ``b`[API_KEY_1]`` sk-or…cdef",
        ),
        (
            "```sh\nexport K=[API_KEY_1]\n```\n[API_KEY_1]",
            "```sh\nexport K=[API_KEY_1]\n```\nsk-or…cdef",
        ),
        (
            "> ~~~~\n> [API_KEY_1]\n> ~~~\n[API_KEY_1]\n~~~~\n[API_KEY_1]",
            "> ~~~~\n> [API_KEY_1]\n> ~~~\n[API_KEY_1]\n~~~~\nsk-or…cdef",
        ),
        (
            "1. a\n   ```\n   [API_KEY_1]\n   ```",
            "1. a\n   ```\n   [API_KEY_1]\n   ```",
        ),
        (
            "    export K=[API_KEY_1]\n\t[API_KEY_1]",
            "    export K=[API_KEY_1]\n\t[API_KEY_1]",
        ),
        ("$ curl [API_KEY_1]", "$ curl [API_KEY_1]"),
        (
            "a stray ` then [API_KEY_1]\n\n[API_KEY_1]",
            "a stray ` then [API_KEY_1]\n\nsk-or…cdef",
        ),
        ("```a``` [API_KEY_1]", "```a``` sk-or…cdef"),
    ];

    fn shown(said: &str, audience: Audience) -> String {
        table().restore(said, audience).0.plain().into_owned()
    }

    #[test]
    fn restore_personal_data_by_context() {
        for (said, screen) in PERSONAL {
            for audience in [Audience::Screen, Audience::Clipboard, Audience::Revealed] {
                assert_eq!(shown(said, audience), *screen, "{said:?}");
            }
        }
    }

    #[test]
    fn restore_leaves_urls_alone() {
        let names = ["EMAIL_1", "API_KEY_1", "PASSWORD_1"];
        for said in URLS
            .iter()
            .flat_map(|url| names.map(|name| url.replace('#', name)))
        {
            for audience in [Audience::Screen, Audience::Clipboard, Audience::Revealed] {
                assert_eq!(shown(&said, audience), said, "{audience:?}");
            }
        }
        for said in ["%5BEMAIL_1%5D", "see %5bapi_key_1%5d."] {
            assert_eq!(shown(said, Audience::Revealed), said);
        }
        let long = format!("[EMAIL_1]{}", "a".repeat(MAX_WORD_BYTES));
        assert_eq!(shown(&long, Audience::Screen), long);
    }

    #[test]
    fn restore_masks_secrets() {
        for (said, screen) in SECRETS {
            assert_eq!(shown(said, Audience::Screen), *screen, "{said:?}");
            assert_eq!(shown(said, Audience::Clipboard), *said);
            let whole = said
                .replace("[API_KEY_1]", KEY)
                .replace("[PASSWORD_1]", "hunter2");
            assert_eq!(shown(said, Audience::Revealed), whole);
        }
        let (text, left_out) =
            table().restore("[API_KEY_1] `[PASSWORD_1]` [EMAIL_1]", Audience::Clipboard);
        assert_eq!(
            (text.plain().as_ref(), left_out),
            ("[API_KEY_1] `[PASSWORD_1]` ann@initech.com", 2)
        );
        assert!(
            table()
                .restore("[API_KEY_1]", Audience::Screen)
                .0
                .as_styled()
                .starts_with("\x1b[4m")
        );
    }

    #[test]
    fn restore_sanitizes_values() {
        let mut table = Placeholders::default();
        table.placeholder_for(
            &Kind::built_in(kind::EMAIL),
            "a\x1b]52;c;x\x07\u{9b}b\u{202e}",
        );
        assert_eq!(
            table.restore("[EMAIL_1]", Audience::Screen).0.as_styled(),
            "a␛]52;c;x␇<U+009B>b<U+202E>"
        );
    }

    fn in_pieces(said: &str, cuts: &[usize]) -> String {
        let table = table();
        let mut restorer = table.restorer(Audience::Screen);
        let (mut out, mut from) = (String::new(), 0);
        for at in cuts.iter().copied().filter(|at| said.is_char_boundary(*at)) {
            out += &restorer.push(said.get(from..at).unwrap_or_default());
            from = from.max(at);
        }
        out += &restorer.push(&said[from..]);
        out + &restorer.finish()
    }

    #[test]
    fn restore_is_independent_of_chunks() {
        let samples = PERSONAL
            .iter()
            .chain(SECRETS)
            .map(|(said, _)| (*said).to_owned());
        for said in samples.chain(URLS.iter().map(|url| url.replace('#', "API_KEY_1"))) {
            let whole = in_pieces(&said, &[]);
            for cut in 0..=said.len() {
                assert_eq!(in_pieces(&said, &[cut]), whole, "{said:?} cut at {cut}");
            }
            assert_eq!(
                in_pieces(&said, &(0..said.len()).collect::<Vec<_>>()),
                whole
            );
        }
    }

    proptest! {
        #[test]
        fn restore_any_text_any_chunks(
            parts in proptest::collection::vec(prop_oneof![
                "[a-z`~\\[\\]\\\\%/:.?&=@<> \n*_0-9。é-]{0,6}", Just("[EMAIL_1]".to_owned()), Just("%5BAPI_KEY_1%5D".to_owned()),
                Just("[API_KEY_1]".to_owned()), Just("```\n".to_owned()), Just("https://".to_owned()), Just("a".repeat(300)),
                Just("[*".to_owned() + &"*".repeat(95)), Just("EMAIL_1]".to_owned()),
            ], 0..12),
            mut cuts in proptest::collection::vec(0usize..900, 0..12),
        ) {
            let said = parts.concat();
            cuts.retain(|at| *at <= said.len());
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(&said, &cuts), in_pieces(&said, &[]));
            // A secret is on the screen only where it was asked for.
            prop_assert!(!in_pieces(&said, &[]).contains(KEY));
        }
    }
}
