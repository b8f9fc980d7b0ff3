//! Reads the beginning of a line: which of the open quotes and list items it continues, which it
//! opens, and what kind of block follows. The rules are those of CommonMark, section 4 and 5.

use super::html_block::{HtmlEnd, html_end};
use super::link::may_be_definition;

/// Deeper quotes and list items are shown as text, so that a line costs a bounded amount of work.
pub(super) const MAX_DEPTH: usize = 32;

/// A quote or a list item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Quote,
    Item {
        /// Further lines of the item are indented by at least this much.
        indent: usize,
        /// The number of an ordered item with its delimiter.
        number: String,
        task: Option<bool>,
        /// Nothing has followed the marker so far.
        empty: bool,
    },
}

/// The open block, as far as it decides what a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenBlock {
    None,
    Paragraph,
    /// Lines that may turn out to be a paragraph, but are held.
    Undecided,
    Table,
    Fence {
        symbol: u8,
        length: usize,
        indent: usize,
    },
    Indented,
    Html(HtmlEnd),
}

impl OpenBlock {
    /// Whether the block takes any line whole, however it begins. A quote or an item around a fence
    /// can end with a line, and prose follow.
    pub(super) const fn takes_whole_lines(self, is_outermost: bool) -> bool {
        match self {
            Self::Undecided | Self::Table => true,
            Self::Fence { .. } => is_outermost,
            Self::None | Self::Paragraph | Self::Indented | Self::Html(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    /// Text of a paragraph, a table or a link definition.
    Text,
    Heading(usize),
    /// A thematic break.
    Rule,
    /// The underline of a setext heading.
    Underline(u8),
    Fence {
        symbol: u8,
        length: usize,
        indent: usize,
    },
    FenceEnd,
    /// A line of the open fenced or indented code block.
    Code,
    Indented,
    Html(HtmlEnd),
    HtmlText,
}

#[derive(Clone, Debug)]
pub(super) struct LineStart {
    /// How many of the open containers the line continues.
    pub(super) matched: usize,
    pub(super) opened: Vec<Container>,
    pub(super) kind: LineKind,
    /// Where the content begins.
    pub(super) content: usize,
    /// Columns of a tab that belong to the content.
    pub(super) padding: usize,
}

/// What has to arrive before the beginning of a line can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Bracket,
    Newline,
}

/// Whether a character cannot be part of what begins a block, so that text which has it can be
/// told from a block.
pub(super) fn is_ordinary(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t'
            | b'>'
            | b'-'
            | b'+'
            | b'*'
            | b'_'
            | b'='
            | b'#'
            | b'`'
            | b'~'
            | b'|'
            | b':'
            | b'<'
            | b'['
            | b'.'
            | b')'
            | b'0'..=b'9'
    )
}

/// Reads the beginning of a line. If the line is not `complete`, it has an ordinary character.
pub(super) fn read_line(
    containers: &[Container],
    block: OpenBlock,
    line: &str,
    complete: bool,
) -> Result<LineStart, Missing> {
    let mut cursor = Cursor::new(line);
    let mut matched = 0;
    for container in containers {
        if !cursor.continues(container) {
            break;
        }
        matched += 1;
    }
    let all = matched == containers.len();
    let mut start = LineStart {
        matched,
        opened: Vec::new(),
        kind: LineKind::Blank,
        content: 0,
        padding: 0,
    };
    let inside = if all { cursor.inside(block) } else { None };
    start.kind = match inside {
        Some(kind) => kind,
        None => cursor.open_blocks(&mut start, block, containers.len(), all),
    };
    (start.content, start.padding) = (cursor.at, cursor.padding);
    if complete || streams(&start, block, cursor.rest())? {
        Ok(start)
    } else {
        Err(Missing::Newline)
    }
}

/// Whether the rest of an incomplete line is text that can be shown as it arrives.
fn streams(start: &LineStart, block: OpenBlock, rest: &str) -> Result<bool, Missing> {
    let held = matches!(block, OpenBlock::Undecided | OpenBlock::Table);
    // The ordinary character may be in the box of a task, and the text still begin a block.
    let undecided = rest.starts_with('|') || !rest.bytes().any(is_ordinary);
    if start.kind != LineKind::Text || held || undecided {
        return Ok(false);
    }
    let begins = block != OpenBlock::Paragraph || !start.opened.is_empty();
    if begins && rest.starts_with('[') {
        return may_be_definition(rest)
            .map(|may| !may)
            .ok_or(Missing::Bracket);
    }
    Ok(!rest.starts_with("```") && !rest.starts_with("~~~") && !rest.starts_with('<'))
}

/// A position in a line, which may be within a tab.
#[derive(Debug)]
struct Cursor<'a> {
    line: &'a str,
    at: usize,
    column: usize,
    /// Columns of the tab before `at` that have not been used.
    padding: usize,
}

impl<'a> Cursor<'a> {
    const fn new(line: &'a str) -> Self {
        Self {
            line,
            at: 0,
            column: 0,
            padding: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// The columns of white space from here on, and its length.
    fn indent(&self) -> (usize, usize) {
        let mut column = self.column + self.padding;
        let mut length = 0;
        for byte in self.rest().bytes() {
            match byte {
                b' ' => column += 1,
                b'\t' => column = (column / 4 + 1) * 4,
                _ => break,
            }
            length += 1;
        }
        (column - self.column, length)
    }

    fn first(&self) -> Option<u8> {
        self.rest().as_bytes().get(self.indent().1).copied()
    }

    fn skip_indent(&mut self) {
        let (columns, length) = self.indent();
        self.at += length;
        self.column += columns;
        self.padding = 0;
    }

    /// Skips columns of white space, or a part of a tab.
    fn skip_columns(&mut self, count: usize) {
        let mut left = count;
        let from_padding = left.min(self.padding);
        self.padding -= from_padding;
        self.column += from_padding;
        left -= from_padding;
        while left > 0 {
            let columns = match self.rest().bytes().next() {
                Some(b' ') => 1,
                Some(b'\t') => 4 - self.column % 4,
                _ => return,
            };
            self.at += 1;
            let used = columns.min(left);
            self.column += used;
            self.padding = columns - used;
            left -= used;
        }
    }

    fn skip_bytes(&mut self, count: usize) {
        self.at += count;
        self.column += count;
    }

    fn continues(&mut self, container: &Container) -> bool {
        let columns = self.indent().0;
        match container {
            Container::Quote => columns < 4 && self.skip_quote(),
            Container::Item { indent, empty, .. } => {
                if self.first().is_none() {
                    if *empty {
                        return false;
                    }
                    self.skip_indent();
                    true
                } else if columns >= *indent {
                    self.skip_columns(*indent);
                    true
                } else {
                    false
                }
            }
        }
    }

    fn skip_quote(&mut self) -> bool {
        if self.first() != Some(b'>') {
            return false;
        }
        self.skip_indent();
        self.skip_bytes(1);
        self.skip_columns(1);
        true
    }

    /// What the line is within an open block that takes lines as they are.
    fn inside(&mut self, block: OpenBlock) -> Option<LineKind> {
        let (columns, _) = self.indent();
        match block {
            OpenBlock::Fence {
                symbol,
                length,
                indent,
            } => {
                let text = self.rest().trim_ascii();
                let closes =
                    columns < 4 && text.len() >= length && text.bytes().all(|b| b == symbol);
                if !closes {
                    self.skip_columns(indent.min(columns));
                }
                Some(if closes {
                    LineKind::FenceEnd
                } else {
                    LineKind::Code
                })
            }
            OpenBlock::Html(HtmlEnd::BlankLine) if self.first().is_none() => None,
            OpenBlock::Html(_) => Some(LineKind::HtmlText),
            OpenBlock::Indented if self.first().is_some() && columns >= 4 => {
                self.skip_columns(4);
                Some(LineKind::Code)
            }
            OpenBlock::Indented if self.first().is_none() => {
                self.skip_columns(4);
                Some(LineKind::Code)
            }
            _ => None,
        }
    }

    /// Opens containers until a block begins, and returns its kind.
    fn open_blocks(
        &mut self,
        start: &mut LineStart,
        block: OpenBlock,
        depth: usize,
        all: bool,
    ) -> LineKind {
        let paragraph = matches!(block, OpenBlock::Paragraph | OpenBlock::Undecided);
        loop {
            let (columns, length) = self.indent();
            let Some(first) = self.first() else {
                return LineKind::Blank;
            };
            // Whether the line would continue an open paragraph.
            let lazy = paragraph && start.opened.is_empty();
            if columns >= 4 {
                if lazy {
                    self.skip_indent();
                    return LineKind::Text;
                }
                self.skip_columns(4);
                return LineKind::Indented;
            }
            let interrupts = lazy && all;
            let text = self.rest().get(length..).unwrap_or_default();
            let deep = depth.min(start.matched) + start.opened.len() >= MAX_DEPTH;
            if first == b'>' && !deep {
                self.skip_quote();
                start.opened.push(Container::Quote);
                continue;
            }
            if let Some(kind) = leaf(text, columns, interrupts, lazy) {
                self.skip_indent();
                return kind;
            }
            if !deep && let Some(item) = self.item(text, columns, interrupts) {
                start.opened.push(item);
                continue;
            }
            self.skip_indent();
            return LineKind::Text;
        }
    }

    /// Reads the marker of a list item and the white space behind it.
    fn item(&mut self, text: &str, columns: usize, interrupts: bool) -> Option<Container> {
        let bytes = text.as_bytes();
        let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let marker = match bytes.get(digits)? {
            b'-' | b'+' | b'*' if digits == 0 => 1,
            b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
            _ => return None,
        };
        let number = text
            .get(..marker)
            .filter(|_| digits > 0)
            .unwrap_or_default();
        let after = text.get(marker..)?;
        let blank = is_blank(after);
        if !blank && !after.starts_with([' ', '\t']) {
            return None;
        }
        // Only an item with text, and only the first of a list, can interrupt a paragraph.
        if interrupts && (blank || digits > 0 && number.trim_end_matches(['.', ')']) != "1") {
            return None;
        }
        self.skip_indent();
        self.skip_bytes(marker);
        let spaces = self.indent().0;
        let skipped = if blank || spaces > 4 { 1 } else { spaces };
        self.skip_columns(skipped);
        let mut task = None;
        if let Some(box_text) = self.rest().get(..4).filter(|_| self.padding == 0) {
            task = match box_text {
                "[ ] " => Some(false),
                "[x] " | "[X] " => Some(true),
                _ => None,
            };
        }
        if task.is_some() {
            self.skip_bytes(4);
        }
        Some(Container::Item {
            indent: columns + marker + skipped,
            number: number.to_owned(),
            task,
            empty: true,
        })
    }
}

/// The block that a line begins, if it is not a container and not text.
fn leaf(text: &str, indent: usize, interrupts: bool, lazy: bool) -> Option<LineKind> {
    let first = text.bytes().next()?;
    if !matches!(first, b'#' | b'`' | b'~' | b'<' | b'=' | b'-' | b'*' | b'_') {
        return None;
    }
    let run = text.bytes().take_while(|b| *b == first).count();
    let after = text.get(run..)?;
    let blank_after = is_blank(after);
    match first {
        b'#' if run <= 6 && (blank_after || after.starts_with([' ', '\t'])) => {
            Some(LineKind::Heading(run))
        }
        b'`' | b'~' if run >= 3 && (first == b'~' || !after.contains('`')) => {
            Some(LineKind::Fence {
                symbol: first,
                length: run,
                indent,
            })
        }
        b'<' => html_end(text, lazy).map(LineKind::Html),
        b'=' | b'-' if interrupts && blank_after => Some(LineKind::Underline(first)),
        b'*' | b'-' | b'_' if is_rule(text, first) => Some(LineKind::Rule),
        _ => None,
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t'))
}

fn is_rule(text: &str, symbol: u8) -> bool {
    text.bytes()
        .all(|b| b == symbol || matches!(b, b' ' | b'\t'))
        && text.bytes().filter(|b| *b == symbol).count() >= 3
}

/// The text of a heading, without the closing `#`s.
pub(super) fn heading_text(content: &str) -> &str {
    let text = content.trim_start_matches('#').trim_matches([' ', '\t']);
    let open = text.trim_end_matches('#');
    if open.is_empty() || open.ends_with([' ', '\t']) {
        open.trim_end_matches([' ', '\t'])
    } else {
        text
    }
}
