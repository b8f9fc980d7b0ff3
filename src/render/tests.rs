//! Tests of the renderer as a whole: the same bytes however the input is cut, nothing but text and
//! styles in the output, nothing lost, and the same text as CommonMark's.

use super::inline::InlineParser;
use super::link::LinkStyler;
use super::simple_spans::push_simple_spans;
use super::style::{Look, StyledText};
use super::wrap::LineWriter;
use super::{RenderOptions, Renderer, Theme, to_html};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const COMMONMARK: &str = include_str!("../../tests/corpus/markdown/commonmark-0.31.2.txt");
const GFM: &str = include_str!("../../tests/corpus/markdown/gfm-extensions.txt");
/// Answers as models write them.
const ANSWERS: &[&str] = &[
    include_str!("../../tests/corpus/markdown/answer.md"),
    include_str!("../../tests/corpus/markdown/east-asian.md"),
    include_str!("../../tests/corpus/markdown/right-to-left.md"),
    include_str!("../../tests/corpus/markdown/emoji.md"),
];

/// The numbered examples of a specification.
fn examples(corpus: &'static str) -> Vec<(usize, &'static str)> {
    let examples = corpus.strip_prefix("@@@ ").unwrap().split("\n@@@ ");
    examples
        .map(|example| {
            let (title, text) = example.split_once('\n').unwrap_or((example, ""));
            (title.split(' ').next().unwrap().parse().unwrap(), text)
        })
        .collect()
}

fn options(width: usize, theme: Theme) -> RenderOptions {
    RenderOptions {
        width,
        theme,
        hyperlinks: false,
    }
}

fn render(options: RenderOptions, pieces: &[&str]) -> String {
    let mut renderer = Renderer::new(options);
    let mut out = String::new();
    for piece in pieces {
        renderer.push(piece, &mut out);
    }
    renderer.finish(&mut out);
    out
}

/// A text without escape sequences.
fn stripped(styled: &str) -> String {
    let mut out = String::new();
    let mut rest = styled;
    while let Some((text, sequence)) = rest.split_once('\x1b') {
        out.push_str(text);
        rest = match sequence.strip_prefix(']') {
            Some(link) => link.split_once("\x1b\\").unwrap().1,
            None => sequence.split_once('m').unwrap().1,
        };
    }
    out + rest
}

/// What the renderer would show of the text, by a parser that sees the whole of it.
fn expected_text(markdown: &str) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH);
    let mut definitions: Vec<(usize, String)> = parser
        .reference_definitions()
        .iter()
        .map(|(_, definition)| {
            let label = markdown[definition.span.start..]
                .split_once("]:")
                .unwrap()
                .0;
            (
                definition.span.start,
                format!("{label}]: {}", definition.dest),
            )
        })
        .collect();
    definitions.sort();
    let mut definitions = definitions.into_iter().peekable();
    let mut out = String::new();
    let mut links = Vec::new();
    for (event, range) in parser.into_offset_iter() {
        while let Some((_, text)) = definitions.next_if(|(at, _)| *at < range.start) {
            out += &text;
        }
        match event {
            Event::Start(Tag::Heading { level, .. })
                if markdown[range.start..].trim_start().starts_with('#') =>
            {
                out += &"#".repeat(level as usize);
            }
            Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(info))) => {
                out += &info
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .replace(';', "");
            }
            Event::Start(Tag::Item) => {
                let marker = markdown[range.start..].trim_start();
                let number: String = marker.chars().take_while(char::is_ascii_digit).collect();
                if !number.is_empty() {
                    out += &number;
                    out += &marker[number.len()..=number.len()];
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => links.push((out.len(), dest_url)),
            Event::Start(Tag::Image { dest_url, .. }) => {
                out += "[image:";
                links.push((out.len(), dest_url));
            }
            Event::End(end @ (TagEnd::Link | TagEnd::Image)) => {
                let (start, address) = links.pop().unwrap();
                let address = address.strip_prefix("mailto:").unwrap_or(&address);
                let same = out[start..].trim() == address;
                if end == TagEnd::Image {
                    out += "]";
                }
                if !same && !address.is_empty() {
                    out += &format!("({address})");
                }
            }
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                out += &text;
            }
            _ => {}
        }
    }
    out.extend(definitions.map(|(_, text)| text));
    out
}

/// A text without white space and without the symbols of quotes, lists and rules.
fn symbols_removed(text: &str) -> String {
    let is_symbol = |c: &char| c.is_whitespace() || "│•─═".contains(*c);
    text.chars().filter(|c| !is_symbol(c)).collect()
}

/// Examples that are shown differently, each with the reason.
const EXCEPTIONS: &[(usize, &str)] = &[
    (204, "a definition that has no effect is shown too"),
    (491, "a line break in an address makes it no link"),
    (544, "a definition that has no effect is shown too"),
];

/// Examples that are shown differently only while they stream: the link is on the screen, as it is
/// written, before its definition arrives.
const STREAMED_EXCEPTIONS: &[(usize, &str)] = &[
    (214, "the link is in a heading"),
    (218, "the definition is in a quote"),
    (556, "text follows the link"),
    (562, "text follows the link"),
    (568, "text that may be an address follows the link"),
    (587, "text follows the link"),
];

/// The numbers of the examples that are shown with another text than they have.
fn different_examples(know_links: bool) -> Vec<usize> {
    let mut different = Vec::new();
    for (number, markdown) in examples(COMMONMARK) {
        let mut renderer = Renderer::new(options(usize::MAX, Theme::Dark));
        if know_links {
            renderer.define_links(markdown);
        }
        let mut shown = String::new();
        renderer.push(markdown, &mut shown);
        renderer.finish(&mut shown);
        let shown = stripped(&shown);
        let expected = expected_text(markdown);
        if symbols_removed(&shown) != symbols_removed(&expected) {
            eprintln!("{number}: {markdown:?}\n   shown    {shown:?}\n   expected {expected:?}");
            different.push(number);
        }
    }
    different
}

#[test]
fn render_shows_the_text_that_commonmark_has() {
    let exceptions: Vec<usize> = EXCEPTIONS.iter().map(|(number, _)| *number).collect();
    assert_eq!(different_examples(true), exceptions);
}

#[test]
fn render_shows_the_text_that_commonmark_has_while_it_streams() {
    let mut exceptions: Vec<usize> = [EXCEPTIONS, STREAMED_EXCEPTIONS]
        .concat()
        .iter()
        .map(|(number, _)| *number)
        .collect();
    exceptions.sort_unstable();
    assert_eq!(different_examples(false), exceptions);
    // The promise is 95 of 100.
    assert!(exceptions.len() * 20 <= examples(COMMONMARK).len());
}

fn documents() -> impl Iterator<Item = &'static str> {
    let examples = examples(COMMONMARK).into_iter().chain(examples(GFM));
    examples
        .map(|(_, markdown)| markdown)
        .chain(ANSWERS.iter().copied())
}

/// Three ways to render that take every path.
const MODES: [RenderOptions; 3] = [
    RenderOptions {
        width: 40,
        theme: Theme::Dark,
        hyperlinks: true,
    },
    RenderOptions {
        width: 8,
        theme: Theme::Plain,
        hyperlinks: false,
    },
    RenderOptions {
        width: usize::MAX,
        theme: Theme::Light,
        hyperlinks: false,
    },
];

#[test]
fn render_is_the_same_for_every_cut() {
    for document in documents() {
        // The long answers have more places to cut than it takes time to try in each mode.
        let modes = if document.len() > 1_000 {
            1
        } else {
            MODES.len()
        };
        for mode in MODES.iter().take(modes) {
            let whole = render(*mode, &[document]);
            for cut in (0..=document.len()).filter(|at| document.is_char_boundary(*at)) {
                let (first, second) = document.split_at(cut);
                let shown = render(*mode, &[first, second]);
                assert_eq!(shown, whole, "cut after {first:?}");
            }
        }
    }
}

/// Numbers that are always the same, and look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn render_is_the_same_for_many_cuts() {
    let mut numbers = Numbers(1);
    for (number, document) in documents().enumerate() {
        let mode = MODES[number % MODES.len()];
        let whole = render(mode, &[document]);
        let chars: Vec<String> = document.chars().map(String::from).collect();
        let chars: Vec<&str> = chars.iter().map(String::as_str).collect();
        assert_eq!(render(mode, &chars), whole, "{document:?}");
        for longest in [2, 3, 5, 8, 20, 100] {
            let mut pieces = Vec::new();
            let mut rest = document;
            while !rest.is_empty() {
                let mut end = (1 + numbers.below(longest)).min(rest.len());
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                pieces.push(&rest[..end]);
                rest = &rest[end..];
            }
            assert_eq!(render(mode, &pieces), whole, "{pieces:?}");
        }
    }
}

/// Asserts that an output is text, line breaks, styles that end before their line does, and links
/// of the web and of mail.
fn assert_grammar(out: &str, plain: bool) {
    for line in out.split('\n') {
        let (mut styled, mut linked) = (false, false);
        let mut rest = line;
        while let Some(at) = rest.find('\x1b') {
            assert!(!plain, "an escape sequence in {line:?}");
            assert_text(&rest[..at]);
            let sequence = &rest[at + 1..];
            if let Some(link) = sequence.strip_prefix("]8;;") {
                let (address, after) = link.split_once("\x1b\\").unwrap();
                let scheme = address.to_ascii_lowercase();
                let schemes = ["http://", "https://", "mailto:"];
                let is_checked = schemes.iter().any(|known| scheme.starts_with(known));
                assert!(address.is_empty() || is_checked, "{address:?}");
                assert!(
                    address
                        .bytes()
                        .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)),
                    "{address:?}"
                );
                linked = !address.is_empty();
                rest = after;
            } else {
                let (codes, after) = sequence.strip_prefix('[').unwrap().split_once('m').unwrap();
                assert!(
                    codes.bytes().all(|b| b.is_ascii_digit() || b == b';'),
                    "{codes:?}"
                );
                styled = codes != "0";
                rest = after;
            }
        }
        assert_text(rest);
        assert!(!styled && !linked, "open at the end of {line:?}");
    }
}

fn assert_text(text: &str) {
    assert!(
        text.chars().all(|c| c == '\t' || !c.is_control()),
        "{text:?}"
    );
}

#[test]
fn render_writes_text_and_styles_only() {
    for document in documents() {
        for mode in MODES {
            let out = render(mode, &[document]);
            assert_grammar(&out, mode.theme == Theme::Plain);
            assert!(out.is_empty() || out.ends_with('\n'), "{out:?}");
        }
    }
}

/// So the memory is bounded by the longest open block.
#[test]
fn render_holds_no_more_than_the_open_block() {
    for (before, block) in [
        ("", "Text N.\n\n"),
        ("", "Text N with *a* `b` [c](/d), "),
        ("", "- item N\n"),
        ("> quote\n", "> quote N\n>\n"),
        ("```rust\n", "let a = N;\n"),
        ("", "    code N\n"),
        ("|a|\n|-|\n", "|N|\n"),
        ("|a|\n", "|N|\n"),
        ("", "see [a]\n\n[N]: /N\n\n"),
        ("see [a]\n\n", "[N]: /N\n"),
        ("", "see [N]\n"),
        ("", "<b>N</b>\n\n"),
        ("", "# N\n"),
    ] {
        let number = |n: usize| format!("0{n:04}");
        let mut renderer = Renderer::new(options(40, Theme::Dark));
        let mut out = String::new();
        renderer.push(before, &mut out);
        for n in 0..2_000 {
            renderer.push(&block.replace('N', &number(n)), &mut out);
            // At most a reference with its definitions, or the rows that decide about a table.
            if n % 100 == 99 {
                assert!(out.contains(&number(n - 20)), "{block:?}: {n}");
            }
        }
    }
}

#[test]
fn render_stays_within_the_width() {
    for document in ANSWERS {
        for width in [8, 20, 40, 80, 140] {
            let out = stripped(&render(options(width, Theme::Dark), &[document]));
            let code = super::width::columns;
            let long: Vec<&str> = out.lines().filter(|line| code(line) > width).collect();
            let is_source = |line: &&str| {
                document
                    .lines()
                    .any(|source| source.trim_start() == line.trim_start())
            };
            assert!(long.iter().all(is_source), "{width}: {long:#?}");
        }
    }
}

#[test]
fn columns_are_those_of_a_terminal() {
    let columns = super::width::columns;
    for (text, expected) in [
        ("heron", 5),
        ("字e", 3),
        ("e\u{301}", 1),
        ("👍🏽", 2),
        ("\u{644}\u{627}", 2),
        ("\u{643}\u{627}\u{645}\u{644}\u{64B}\u{627}", 5),
    ] {
        assert_eq!(columns(text), expected, "{text}");
    }
}

#[test]
fn render_loses_no_character() {
    for document in ANSWERS {
        for width in [20, 40, 80, usize::MAX] {
            let out = stripped(&render(options(width, Theme::Dark), &[document]));
            let letters = |text: &str| {
                let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
                // The lines of two cells in a row alternate.
                if width < usize::MAX {
                    letters.sort_unstable();
                }
                letters
            };
            // Only the names of columns are repeated, in a table that does not fit.
            let (shown, source) = (letters(&out), letters(document));
            assert!(
                shown == source || width == 20 && shown.len() > source.len(),
                "{width}: {out}"
            );
        }
    }
}

#[test]
fn render_keeps_code_as_it_is() {
    let code = "fn main() {\n\tlet s = \"a  b\";   \n\n    // done\n}\n";
    let in_item: String = code.lines().map(|line| format!("  {line}\n")).collect();
    for document in [
        format!("```rust\n{code}```\n"),
        format!("- item\n\n  ~~~ rust\n{in_item}  ~~~\n"),
        format!(
            "> ```\n{}> ```\n",
            in_item.replace("\n  ", "\n> ").replacen("  ", "> ", 1)
        ),
    ] {
        for mode in MODES {
            let out = stripped(&render(mode, &[&document]));
            assert!(out.contains(code), "{document:?}: {out:?}");
        }
    }
}

/// Texts of up to `parts` parts that are chosen from a list.
fn random_texts(parts: &'static [&'static str], longest: usize) -> impl Iterator<Item = String> {
    let mut numbers = Numbers(7);
    std::iter::from_fn(move || {
        let count = 1 + numbers.below(longest);
        Some(
            (0..count)
                .map(|_| parts[numbers.below(parts.len())])
                .collect(),
        )
    })
}

#[test]
fn simple_spans_are_what_the_parser_makes_of_them() {
    let parts = &[
        "*a*",
        "**a b**",
        "**a `b` c**",
        "`a`",
        "(**a**)",
        "*",
        "**",
        "***",
        "`",
        "``",
        "_",
        "a",
        "b",
        "é",
        "字",
        " ",
        " ",
        "(",
        ".",
        ")",
        "\u{c}",
        "!",
        "\u{301}",
        "~",
        "&",
        "5 * 3",
        "[a](b)",
        "[a b](https://x.org/_c_*d*~~e)",
        "[a](mailto:b)",
        "[",
        "](",
    ];
    let (mut simple, mut links_found) = (0, 0);
    for continues in [false, true] {
        for text in random_texts(parts, 8).take(10_000) {
            let theme = Theme::Dark;
            let mut fast = StyledText::default();
            let mut writer = LineWriter::new(80, theme);
            let mut links = LinkStyler::new(theme, true, &mut writer);
            // A piece begins and ends at a space.
            if push_simple_spans(
                text.trim(),
                continues,
                Look::default(),
                &mut links,
                &mut fast,
            ) {
                let mut parser = InlineParser::new(theme, true);
                let mut writer = LineWriter::new(80, theme);
                let mut slow = StyledText::default();
                parser.parse_spans(
                    text.trim(),
                    continues,
                    Look::default(),
                    &mut writer,
                    &mut slow,
                );
                let pieces = |styled: &StyledText| -> Vec<(String, Look)> {
                    styled
                        .pieces()
                        .map(|(piece, look)| (piece.to_owned(), look))
                        .collect()
                };
                assert_eq!(pieces(&fast), pieces(&slow), "{text:?}");
                simple += usize::from(text.contains(['*', '`']));
                links_found += usize::from(text.contains("](https"));
            }
        }
    }
    assert!(simple > 2_000, "{simple}");
    assert!(links_found > 500, "{links_found}");
}

/// A screen that a document has in a mode, with escape characters that can be read.
fn assert_screen(document: &str, mode: RenderOptions, file: &str, expected: &str) {
    let shown = render(mode, &[document]).replace('\x1b', "␛");
    assert_eq!(shown, expected, "tests/corpus/markdown/{file} is different");
}

#[test]
fn long_answer_has_the_screens_of_its_widths() {
    for (width, theme, file, expected) in [
        (
            30,
            Theme::Plain,
            "answer.30.txt",
            include_str!("../../tests/corpus/markdown/answer.30.txt"),
        ),
        (
            60,
            Theme::Plain,
            "answer.60.txt",
            include_str!("../../tests/corpus/markdown/answer.60.txt"),
        ),
        (
            80,
            Theme::Plain,
            "answer.80.txt",
            include_str!("../../tests/corpus/markdown/answer.80.txt"),
        ),
        (
            140,
            Theme::Plain,
            "answer.140.txt",
            include_str!("../../tests/corpus/markdown/answer.140.txt"),
        ),
        (
            80,
            Theme::Dark,
            "answer.80.dark.txt",
            include_str!("../../tests/corpus/markdown/answer.80.dark.txt"),
        ),
    ] {
        let mode = RenderOptions {
            width,
            theme,
            hyperlinks: true,
        };
        assert_screen(ANSWERS[0], mode, file, expected);
    }
}

fn plain(width: usize, document: &str) -> String {
    render(options(width, Theme::Plain), &[document])
}

#[test]
fn new_width_is_used_from_the_next_line_on() {
    let mut renderer = Renderer::new(options(20, Theme::Plain));
    let mut out = String::new();
    renderer.push("> one two three four ", &mut out);
    renderer.set_width(12);
    renderer.push("five six seven ", &mut out);
    renderer.set_width(20);
    renderer.push("eight nine ten eleven\n\n", &mut out);
    assert_eq!(
        out,
        "│ one two three four\n│ five six\n│ seven eight nine\n│ ten eleven\n"
    );
    let rows = "|header|is wide|\n|-|-|\n".to_owned() + &"|one|two|\n".repeat(6);
    out.clear();
    renderer.push(&rows, &mut out);
    renderer.set_width(14);
    renderer.push("|three|four|\n|five|six|\n", &mut out);
    renderer.finish(&mut out);
    let grid = "header │ is wide\n───────┼────────\n".to_owned() + &"one    │ two\n".repeat(6);
    assert_eq!(
        out,
        format!("\n{grid}header: three\nis wide: four\n\nheader: five\nis wide: six\n")
    );
}

/// What is shown after each piece, and at the end.
fn steps(width: usize, pieces: &[&str], idle: bool) -> Vec<String> {
    let mut renderer = Renderer::new(options(width, Theme::Plain));
    let mut steps = Vec::new();
    for piece in pieces {
        let mut shown = String::new();
        renderer.push(piece, &mut shown);
        if idle {
            renderer.idle(&mut shown);
        }
        steps.push(shown);
    }
    let mut shown = String::new();
    renderer.finish(&mut shown);
    steps.push(shown);
    steps
}

#[test]
fn prose_is_shown_at_the_next_word_boundary() {
    let pieces = [
        "Hel",
        "lo wor",
        "ld **bo",
        "ld** an",
        "d `co",
        "de` [li",
        "nk](/url",
        ") 5 < 6 & ~7 end\n",
    ];
    let expected = [
        "",
        "Hello",
        " world",
        " **bold**",
        " and",
        " `code`",
        "",
        " link (/url) 5 < 6 & ~7 end\n",
        "",
    ];
    assert_eq!(steps(80, &pieces, false), expected);
    assert_eq!(
        steps(80, &["中", "文字", "。"], false),
        ["", "中", "文", "字。\n"]
    );
    // What has to be decided first is held, and no longer.
    assert_eq!(
        steps(80, &["- [x] a", " b"], false),
        ["", "• [x] a", " b\n"]
    );
    assert_eq!(
        steps(80, &["[a", "] b ", "c"], false),
        ["", "[a] b", "", " c\n"]
    );
    // The last word of a paragraph is a link if its definition follows.
    let pieces = ["see [a].\n", "\n", "[a]: /url\n", "\n", "[b]: /b\n", "c "];
    assert_eq!(
        steps(80, &pieces, false),
        [
            "see",
            "",
            "",
            "",
            "",
            "",
            " a (/url).\n\n[a]: /url\n\n[b]: /b\nc\n"
        ]
    );
    assert_eq!(
        steps(80, &["see [a]\n", "\n", "[b] c", "\n[d]\n", "e f"], false),
        ["see", "", " [a]\n\n[b]", " c\n", "[d]\ne", " f\n"]
    );
    assert_eq!(
        steps(80, &["see [a]\n\n", "[b\n", "\n", "c"], false),
        ["see", "", " [a]\n\n[b\n", "\n", "c\n"]
    );
    assert_eq!(
        steps(80, &["> see [a]\n>\n", "> [a]: /url\n", "\nb"], false),
        ["│ see", "", " a (/url)\n│\n│ [a]: /url\n\n", "b\n"]
    );
    assert_eq!(
        steps(80, &["|a|\n", "|-", "|\n", "\n"], false),
        ["", "", "", "a\n─\n", ""]
    );
    assert_eq!(steps(80, &["|a|\n", "b\n"], false), ["", "|a|\nb\n", ""]);
    assert_eq!(
        steps(80, &["```sh\n", "ls", "\n"], false),
        ["sh\n", "", "ls\n", ""]
    );
    assert_eq!(
        steps(80, &["a * b *c", " d ", "e\n", "\n"], false),
        ["a * b", "", "", " *c d e\n", ""]
    );
}

#[test]
fn idle_shows_the_beginning_of_a_word_but_nothing_open() {
    let steps = |pieces: &[&str]| steps(10, pieces, true);
    assert_eq!(
        steps(&["one tw", "o, three"]),
        ["one tw", "o,\nthree", "\n"]
    );
    assert_eq!(steps(&["a lon", "ger-word"]), ["a lon", "ger-w\nord", "\n"]);
    assert_eq!(steps(&["a **b", "c** d"]), ["a", " **bc** d", "\n"]);
    assert_eq!(steps(&["snake", "_name_ x"]), ["snake", "_name\n_ x", "\n"]);
    assert_eq!(
        steps(&["a [b]\n", "\n", "[b]: /\n"]),
        ["a [b]\n", "", "\n", "[b]: /\n"]
    );
    assert_eq!(
        steps(&["a *[b]*\n\n", "[b", "]: /\n"]),
        ["a *[b]*\n", "", "\n", "[b]: /\n"]
    );
    assert_eq!(steps(&["# Hea", "d"]), ["", "", "# Head\n"]);
    assert_eq!(steps(&["-", " it", "em"]), ["", "• it", "em", "\n"]);
    assert_eq!(steps(&["|a|", "\n|-|", "\n"]), ["", "", "", "a\n─\n"]);
    assert_eq!(
        steps(&["https://x.", "org/ab"]),
        ["", "", "https://x.\norg/ab\n"]
    );
}

#[test]
fn marked_values_are_shown_as_they_are() {
    let shown = |theme, before: &str, value: &str, after: &str| {
        let mut renderer = Renderer::new(options(80, theme));
        let mut out = String::new();
        renderer.push(before, &mut out);
        renderer.push_marked(value, &mut out);
        renderer.push(after, &mut out);
        renderer.finish(&mut out);
        out.replace('\x1b', "␛")
    };
    let dark = |before, value, after| shown(Theme::Dark, before, value, after);
    assert_eq!(dark("to ", "a*b*c", "!"), "to ␛[4ma*b*c␛[0m!\n");
    assert_eq!(dark("**", "# x", "**"), "␛[1;4m# x␛[0m\n");
    assert_eq!(dark("", "- x", ""), "␛[4m- x␛[0m\n");
    assert_eq!(dark("`", "`", "`"), "␛[4;33m`␛[0m\n");
    assert_eq!(dark("```\nk=", "v", "\n```"), "k=␛[4mv␛[0m\n");
    assert_eq!(
        dark("|a|\n|-|\n|", "x|y", "|"),
        "␛[1ma␛[0m\n␛[2m───␛[0m\n␛[4mx|y␛[0m\n"
    );
    assert_eq!(dark("", "one\ntwo", " x"), "␛[4mone␛[0m\n␛[4mtwo␛[0m x\n");
    assert_eq!(dark("<b>", "\x1b[2J", ""), "<b>␛[4m\u{fffd}[2J␛[0m\n");
    assert_eq!(shown(Theme::Plain, "to ", "a*b*c", "!"), "to a*b*c!\n");
    // The characters that stand for values cannot be named by the text.
    assert_eq!(
        dark("", "secret", " \u{100000} &#x100000;"),
        "␛[4msecret␛[0m \u{100000} \u{fffd}\n"
    );
}

#[test]
fn links_with_a_marked_value_do_not_open() {
    let mode = RenderOptions {
        width: 80,
        theme: Theme::Dark,
        hyperlinks: true,
    };
    let mut renderer = Renderer::new(mode);
    let mut out = String::new();
    renderer.push("[x](https://example.org/?q=", &mut out);
    renderer.push_marked("secret", &mut out);
    renderer.push(")", &mut out);
    renderer.finish(&mut out);
    assert!(!out.contains("\x1b]8"), "{out:?}");
    assert_eq!(stripped(&out), "x (https://example.org/?q=secret)\n");
}

#[test]
fn links_show_where_they_lead() {
    let shown = |hyperlinks, markdown: &str| {
        let mode = RenderOptions {
            width: 200,
            theme: Theme::Dark,
            hyperlinks,
        };
        render(mode, &[markdown]).replace('\x1b', "␛")
    };
    let text =
        |hyperlinks, markdown: &str| stripped(&shown(hyperlinks, markdown).replace('␛', "\x1b"));
    let opens = |markdown: &str| shown(true, markdown).contains("␛]8");
    assert_eq!(
        shown(true, "[a](https://x.org/b)"),
        "␛]8;;https://x.org/b␛\\␛[94ma␛]8;;␛\\␛[0m ␛[2m(x.org)␛[0m\n"
    );
    assert_eq!(
        shown(true, "https://x.org/b."),
        "␛]8;;https://x.org/b␛\\␛[94mhttps://x.org/b␛]8;;␛\\␛[0m.\n"
    );
    assert_eq!(
        shown(true, "<me@x.org>"),
        "␛]8;;mailto:me@x.org␛\\␛[94mme@x.org␛]8;;␛\\␛[0m\n"
    );
    assert_eq!(
        shown(true, "![alt](https://x.org/i.png)"),
        "[image: alt] ␛[2m(x.org)␛[0m\n"
    );
    assert_eq!(text(false, "[a](https://x.org/b)"), "a (https://x.org/b)\n");
    // The host, not the user name that looks like one.
    assert_eq!(
        text(true, "[bank.org](https://bank.org@evil.org/)"),
        "bank.org (evil.org)\n"
    );
    assert_eq!(text(true, "[é](https://x.org/é)"), "é (x.org)\n");
    // A host in another script, which can look like a known one.
    assert!(!opens("[a](https://х.org/)"));
    assert!(shown(true, "[é](https://x.org/é)").contains("https://x.org/%C3%A9"));
    for address in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ssh://x.org",
        "https://x.org/&#27;]8;;",
        "/local",
        "https://x.org/a\\\\",
    ] {
        let markdown = format!("[a]({address})");
        assert!(!opens(&markdown), "{address}");
        assert!(text(true, &markdown).starts_with("a ("), "{address}");
    }
}

#[test]
fn entities_cannot_make_control_characters() {
    let out = plain(
        80,
        "&#27;[2J &#x9b;x &#8238;a &zwj; &amp;lt; &ouml; a&NewLine;b &#0;",
    );
    assert_eq!(
        out,
        "\u{fffd}[2J \u{fffd}x \u{fffd}a \u{fffd} &lt; ö a b \u{fffd}\n"
    );
    assert_eq!(
        plain(80, "[a]: /&#27;[2J&#x9b;&ouml;&#x100000;\n\n[a]\n"),
        "[a]: /\u{fffd}[2J\u{fffd}ö\u{fffd}\n\na (/\u{fffd}[2J\u{fffd}ö\u{fffd})\n"
    );
    assert_eq!(plain(80, "~~~ a&#27;&#x100000;b\n"), "ab\n");
}

#[test]
fn tables_fit_the_width_or_become_records() {
    let table = "|Name|What it is for|\n|:-:|--:|\n|a|one two three four five|\n";
    assert_eq!(
        plain(40, table),
        "Name │          What it is for\n─────┼────────────────────────\n a   │ one two three four five\n"
    );
    assert_eq!(
        plain(24, table),
        "Name │    What it is for\n─────┼──────────────────\n a   │     one two three\n     │         four five\n"
    );
    assert_eq!(
        plain(12, table),
        "Name: a\nWhat it is\nfor: one two\nthree four\nfive\n"
    );
    // The widths are decided by the first six rows.
    let rows = |count: usize| format!("|a|b|\n|-|-|\n{}|long|x|\n", "|1|2|\n".repeat(count));
    assert!(plain(40, &rows(5)).ends_with("1    │ 2\nlong │ x\n"));
    assert!(plain(40, &rows(6)).ends_with("1 │ 2\nl │ x\no │\nn │\ng │\n"));
    // Cells that are too many are not lost, and missing ones are empty.
    assert_eq!(
        plain(40, "|a|b|\n|-|-|\n|1|2|3|\n|4|\n"),
        "a │ b\n──┼─────\n1 │ 2 |3\n4 │\n"
    );
    assert_eq!(plain(40, "|`a\\|b`|\n|-|\n"), "`a|b`\n─────\n");
    assert_eq!(
        plain(
            40,
            "|a|b|\n|-|-|\n|one<br>two <BR /> three|x|\n|<br>|<b>|\n"
        ),
        "a     │ b\n──────┼────\none   │ x\ntwo   │\nthree │\n      │ <b>\n"
    );
    assert_eq!(plain(40, "one<br>two"), "one<br>two\n");
    assert_eq!(plain(40, "|a|b|\n|c|d|\n"), "|a|b|\n|c|d|\n");
    assert_eq!(
        plain(40, "text\n|a|\n|-|\n|1|\n\nend"),
        "text\n\na\n─\n1\n\nend\n"
    );
}

#[test]
fn lists_and_quotes_keep_their_margin() {
    assert_eq!(
        plain(12, "- one two three\n  - four five six\n"),
        "• one two\n  three\n  • four\n    five six\n"
    );
    assert_eq!(
        plain(12, "> one two three\n>\n> - four five\n"),
        "│ one two\n│ three\n│\n│ • four\n│   five\n"
    );
    assert_eq!(
        plain(20, "9. a\n10. b c d e f g h i j\n"),
        "9. a\n10. b c d e f g h i\n    j\n"
    );
    assert_eq!(
        plain(20, "- [ ] a\n- [x] b\n-\n- c\n"),
        "• [ ] a\n• [x] b\n•\n• c\n"
    );
    assert_eq!(
        plain(20, "- ```sh\n  ls\n  ```\n- b\n"),
        "• sh\nls\n\n• b\n"
    );
    // Half of the line is for text, and deeper quotes are text.
    let deep = format!("{}a", "> ".repeat(34));
    assert_eq!(plain(20, &deep), format!("{}> > a\n", "│ ".repeat(5)));
}

#[test]
fn themes_differ_in_colours_only() {
    for document in documents() {
        let text = |theme| stripped(&render(options(60, theme), &[document]));
        assert_eq!(text(Theme::Dark), text(Theme::Light));
    }
    assert_eq!(
        plain(80, "*a* **b** `c` ~~d~~\n# e"),
        "*a* **b** `c` ~~d~~\n\n# e\n"
    );
}

#[test]
fn html_export_has_no_markup_of_the_text() {
    for (markdown, html) in [
        ("# T", "<h1>T</h1>\n"),
        (
            "<script>alert(1)</script>",
            "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
        ),
        (
            "a <b onclick=\"x\">*c*</b>",
            "<p>a &lt;b onclick=\"x\"&gt;<em>c</em>&lt;/b&gt;</p>\n",
        ),
        ("![i](https://x.org/i.png)", "<p>[image: i]</p>\n"),
        (
            "[l](https://x.org/?a=1&b='2')",
            "<p><a href=\"https://x.org/?a=1&amp;b=&#39;2&#39;\" rel=\"noopener noreferrer\">l</a></p>\n",
        ),
        ("[j](javascript:alert(1))", "<p>j</p>\n"),
        (
            "[m](mailto:a@x.org)",
            "<p><a href=\"mailto:a@x.org\" rel=\"noopener noreferrer\">m</a></p>\n",
        ),
    ] {
        assert_eq!(to_html(markdown), html);
    }
    let known = "p h1 h2 h3 h4 h5 h6 em strong del code pre ul ol li blockquote hr br a table thead tbody tr th td input";
    for document in documents() {
        let html = to_html(document);
        for tag in html.split('<').skip(1) {
            let name = tag
                .trim_start_matches('/')
                .split(['>', ' ', '/', '\n'])
                .next()
                .unwrap();
            assert!(
                known.split(' ').any(|known| known == name),
                "{name}: {html}"
            );
        }
    }
}

#[test]
fn code_has_a_colour_for_each_class() {
    let shown = |language: &str, code: &str| {
        let markdown = format!("```{language}\n{code}\n```\n");
        let out = render(options(80, Theme::Dark), &[&markdown]);
        let (_, code) = out.split_once('\n').unwrap();
        code.trim_end()
            .replace("\x1b[0m", "⟩")
            .replace("\x1b[", "⟨")
    };
    assert_eq!(shown("x-unknown", "let a = 1; // b"), "let a = 1; // b");
    for (language, code, expected) in [
        (
            "rust",
            r#"let a: Vec<'a> = f('x', "y\"", 1_0); // b"#,
            r#"⟨35mlet⟩ a: ⟨36mVec⟩<'a> = ⟨94mf⟩(⟨32m'x'⟩, ⟨32m"y\""⟩, ⟨33m1_0⟩); ⟨2m// b⟩"#,
        ),
        (
            "rust",
            "/* a /* b */ c\nd */ if",
            "⟨2m/*⟩⟨2m a /* b */ c⟩\n⟨2md */⟩ ⟨35mif⟩",
        ),
        (
            "python",
            "x = '''a\nb''' # c\n#d",
            "x = ⟨32m'''a⟩\n⟨32mb'''⟩ ⟨2m# c⟩\n⟨2m#d⟩",
        ),
        (
            "sh",
            r#"echo "$a" $# a#b # c"#,
            r#"⟨35mecho⟩ ⟨32m"$a"⟩ $# a#b ⟨2m# c⟩"#,
        ),
        (
            "sql",
            "SELECT a FROM b -- c",
            "⟨35mSELECT⟩ a ⟨35mFROM⟩ b ⟨2m-- c⟩",
        ),
        (
            "json",
            r#"{"a": ["b", true]}"#,
            r#"{⟨94m"a"⟩: [⟨32m"b"⟩, ⟨35mtrue⟩]}"#,
        ),
        ("yaml", r#"a-b: "c" # d"#, r#"⟨94ma-b⟩: ⟨32m"c"⟩ ⟨2m# d⟩"#),
        (
            "html",
            r#"<a href="x">b</a> <!-- c -->"#,
            r#"⟨35m<a⟩ ⟨94mhref⟩=⟨32m"x"⟩⟨35m>⟩b⟨35m</a>⟩ ⟨2m<!-- c -->⟩"#,
        ),
        ("diff", "-a\n+b\n c", "⟨31m-a⟩\n⟨32m+b⟩\n c"),
    ] {
        let one_style = |text: &str| text.replace("⟩⟨2m ", " ").replace("⟩⟨35m", "");
        assert_eq!(
            one_style(&shown(language, code)),
            one_style(expected),
            "{language}"
        );
    }
}

#[test]
fn render_is_harmless_for_any_text() {
    let parts = &[
        "*",
        "**",
        "_",
        "~~",
        "`",
        "```",
        "[",
        "]",
        "(",
        ")",
        "](",
        "]: ",
        "<",
        ">",
        "<a ",
        "</b>",
        "!",
        "&",
        "&#27;",
        "&lt;",
        "\\",
        "|",
        "|-|",
        "\n",
        "\n\n",
        "\n- ",
        "\n1. ",
        "\n> ",
        "\n# ",
        "\n    ",
        "\n|a|b|\n|-|-|\n",
        "\n---\n",
        "\n```rust\n",
        "\n=",
        "- [x] ",
        "\t",
        " ",
        "  ",
        "a",
        "b",
        "word",
        "https://x.org/",
        "mailto:",
        "\x1b",
        "\x1b[2J",
        "\u{9b}",
        "\u{7}",
        "\r",
        "\0",
        "字",
        "。",
        "é",
        "\u{301}",
        "👩\u{200d}💻",
        "\u{100000}",
    ];
    let mut numbers = Numbers(3);
    for (number, text) in random_texts(parts, 30).take(4_000).enumerate() {
        let mode = RenderOptions {
            width: 1 + numbers.below(30),
            theme: [Theme::Dark, Theme::Plain][number % 2],
            hyperlinks: true,
        };
        let whole = render(mode, &[&text]);
        assert_grammar(&whole, mode.theme == Theme::Plain);
        let cut = numbers.below(text.len() + 1);
        let cut = (0..=cut).rfind(|at| text.is_char_boundary(*at)).unwrap();
        let (first, second) = text.split_at(cut);
        assert_eq!(
            render(mode, &[first, second]),
            whole,
            "{first:?} {second:?}"
        );
        let chars: Vec<String> = text.chars().map(String::from).collect();
        let chars: Vec<&str> = chars.iter().map(String::as_str).collect();
        assert_eq!(render(mode, &chars), whole, "{text:?}");
    }
}
