//! The blocks of an answer: takes lines as they arrive, opens and closes quotes, lists and blocks,
//! and hands their content on.
//!
//! A line of prose is passed on word by word as soon as its beginning shows that it is prose. The
//! lines of other blocks are taken whole. Held until the next line are only a row that may be the
//! header of a table, a line that may be the definition of a link, and the last word of a paragraph
//! that is a link if its definition follows. A setext heading would have to be held until the line
//! below it: its text is shown as prose, and its underline as a rule.
//!
//! Line breaks in prose are kept as they are written. A model does not break lines to fit a width,
//! so a line break in an answer means something: a poem, an address, the output of a program.

use super::code::CodeHighlighter;
use super::html_block::HtmlEnd;
use super::line::{
    Container, LineKind, LineStart, Missing, OpenBlock, heading_text, is_ordinary, read_line,
};
use super::link::{DefinitionParse, LinkDefinition, may_be_definition, parse_definition};
use super::margin::Margin;
use super::prose::TextWriter;
use super::style::Look;
use super::table::{
    CellAlignment, MAX_CELLS, TableBuilder, delimiter_row, fitted_cells, header_look, split_cells,
};
use memchr::memchr;

/// The definitions that a link waits for, so that not much is held.
const MAX_HELD_DEFINITIONS: usize = 16;

/// The block that is open.
#[derive(Debug)]
pub(super) enum Block {
    None,
    Paragraph,
    /// A line that is the header of a table if a delimiter row follows. It may be within a
    /// paragraph.
    Header {
        line: String,
        in_paragraph: bool,
    },
    Definition(String),
    Table(TableBuilder),
    Fence {
        symbol: u8,
        length: usize,
        indent: usize,
    },
    Indented {
        /// Blank lines, which belong to the block if more of it follows.
        blank: Vec<String>,
    },
    Html(HtmlEnd),
}

/// A definition behind a paragraph that is not complete without it.
#[derive(Debug)]
struct HeldDefinition {
    definition: LinkDefinition,
    /// A blank line is before it.
    set_off: bool,
}

/// What of a line has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineProgress {
    /// Its beginning is held until a character comes that cannot belong to a block's beginning.
    Beginning,
    /// Its beginning is held until a bracket is closed.
    Bracket,
    /// It is held until it is complete.
    Whole,
    /// The rest is the text of a paragraph.
    Prose,
}

#[derive(Debug)]
pub(super) struct BlockParser {
    pub(super) text: TextWriter,
    pub(super) highlighter: CodeHighlighter,
    containers: Vec<Container>,
    pub(super) block: Block,
    /// The paragraph before has ended, but its last word is held until it is known which definitions
    /// follow: these so far.
    held_definitions: Option<Vec<HeldDefinition>>,
    line: String,
    progress: LineProgress,
    /// A blank line was read since the last block.
    blank: bool,
    /// The last block is set off from the next one.
    gap: bool,
    /// Something has been written.
    started: bool,
}

impl BlockParser {
    pub(super) fn new(text: TextWriter) -> Self {
        Self {
            text,
            highlighter: CodeHighlighter::default(),
            containers: Vec::new(),
            block: Block::None,
            held_definitions: None,
            line: String::new(),
            progress: LineProgress::Beginning,
            blank: false,
            gap: false,
            started: false,
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest.as_bytes());
            let (part, after) = match end {
                Some(end) => (
                    rest.get(..end).unwrap_or_default(),
                    rest.get(end + 1..).unwrap_or_default(),
                ),
                None => (rest, ""),
            };
            if self.progress == LineProgress::Prose {
                self.text.push(part);
                if end.is_some() {
                    self.text.end_line();
                }
            } else if end.is_none() {
                let from = self.line.len();
                self.line.push_str(part);
                self.try_beginning(from);
            } else if self.line.is_empty() {
                self.whole_line(part);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.push_str(part);
                self.whole_line(&line);
                line.clear();
                self.line = line;
            }
            if end.is_some() {
                self.progress = LineProgress::Beginning;
            }
            rest = after;
        }
    }

    /// Shows the beginning of a word of prose, and what is held because a definition may follow.
    pub(super) fn release_word(&mut self) {
        if !matches!(self.block, Block::Definition(_)) {
            self.show_held();
        }
        self.text.release_word();
    }

    pub(super) fn finish(&mut self) {
        if self.progress == LineProgress::Prose {
            self.text.end_line();
        } else if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.whole_line(&line);
        }
        self.close_block();
        self.show_held();
        self.text.writer.truncate_margins(0);
        self.text.writer.end_line();
    }

    /// Reads the beginning of an incomplete line when there is enough of it: at most twice, so that
    /// a long line costs no more than its length.
    fn try_beginning(&mut self, from: usize) {
        if self
            .open_block()
            .takes_whole_lines(self.containers.is_empty())
        {
            self.progress = LineProgress::Whole;
        }
        let ready = match self.progress {
            LineProgress::Beginning => {
                let added = self.line.as_bytes().get(from..).unwrap_or_default();
                added.iter().any(|byte| is_ordinary(*byte))
            }
            LineProgress::Bracket => {
                let from = from.saturating_sub(2);
                let added = self.line.as_bytes().get(from..).unwrap_or_default();
                memchr(b']', added).is_some_and(|at| at + 2 < added.len())
            }
            LineProgress::Whole | LineProgress::Prose => false,
        };
        if !ready {
            return;
        }
        match read_line(&self.containers, self.open_block(), &self.line, false) {
            Ok(start) => {
                let mut line = std::mem::take(&mut self.line);
                self.begin_line(&start, &line);
                self.progress = LineProgress::Prose;
                self.text
                    .push(line.get(start.content..).unwrap_or_default());
                line.clear();
                self.line = line;
            }
            Err(Missing::Bracket) if self.progress == LineProgress::Beginning => {
                self.progress = LineProgress::Bracket;
            }
            Err(_) => self.progress = LineProgress::Whole,
        }
    }

    fn open_block(&self) -> OpenBlock {
        match &self.block {
            Block::None => OpenBlock::None,
            Block::Paragraph => OpenBlock::Paragraph,
            Block::Header { .. } | Block::Definition(_) => OpenBlock::Undecided,
            Block::Table(_) => OpenBlock::Table,
            Block::Fence {
                symbol,
                length,
                indent,
            } => OpenBlock::Fence {
                symbol: *symbol,
                length: *length,
                indent: *indent,
            },
            Block::Indented { .. } => OpenBlock::Indented,
            Block::Html(end) => OpenBlock::Html(*end),
        }
    }

    fn whole_line(&mut self, line: &str) {
        let Ok(start) = read_line(&self.containers, self.open_block(), line, true) else {
            return;
        };
        let content = line.get(start.content..).unwrap_or_default();
        match start.kind {
            LineKind::Text => self.text_line(&start, line, content),
            LineKind::Code => self.code_line(content, start.padding),
            LineKind::HtmlText => self.html_line(content),
            LineKind::Blank => self.blank_line(&start),
            LineKind::FenceEnd => self.close_block(),
            LineKind::Underline(symbol) => self.underline(&start, line, content, symbol),
            _ => self.leaf_line(&start, content),
        }
    }

    /// The underline of the lines before it, unless they are a definition.
    fn underline(&mut self, start: &LineStart, line: &str, content: &str, symbol: u8) {
        let is_definition = matches!(&self.block, Block::Definition(lines)
            if matches!(parse_definition(lines), DefinitionParse::Complete { .. }));
        self.close_block();
        self.show_held();
        match (is_definition, symbol) {
            (true, b'=') => self.text_line(start, line, content),
            (true, _) => self.text.writer.rule("─", false),
            (false, b'=') => self.text.writer.rule("═", true),
            (false, _) => self.text.writer.rule("─", true),
        }
    }

    /// A line that begins a block other than a paragraph.
    fn leaf_line(&mut self, start: &LineStart, content: &str) {
        self.begin_block(start);
        match start.kind {
            LineKind::Heading(level) => self.text.heading(level, heading_text(content)),
            LineKind::Rule => self.text.writer.rule("─", false),
            LineKind::Fence {
                symbol,
                length,
                indent,
            } => {
                self.begin_code(content.get(length..).unwrap_or_default().trim());
                self.block = Block::Fence {
                    symbol,
                    length,
                    indent,
                };
            }
            LineKind::Indented => {
                self.begin_code("");
                self.block = Block::Indented { blank: Vec::new() };
                self.code_line(content, start.padding);
            }
            LineKind::Html(end) => {
                self.block = Block::Html(end);
                self.html_line(content);
            }
            _ => {}
        }
    }

    /// Closes what the line does not continue, and opens its containers.
    fn begin_block(&mut self, start: &LineStart) {
        self.close_block();
        self.show_held();
        self.containers.truncate(start.matched);
        self.text.writer.truncate_margins(start.matched);
        let set_off =
            self.gap || matches!(start.kind, LineKind::Heading(_) | LineKind::Fence { .. });
        let inside = start.opened.is_empty() && set_off;
        if self.started && (self.blank || self.gap || inside) && self.text.writer.markers_written()
        {
            self.text.writer.blank_line(start.matched);
        }
        self.started = true;
        self.blank = false;
        self.gap = false;
        for container in &start.opened {
            self.text.writer.push_margin(match container {
                Container::Quote => Margin::Quote,
                Container::Item { number, task, .. } => Margin::item(number, *task),
            });
            self.containers.push(container.clone());
        }
        for container in &mut self.containers {
            if let Container::Item { empty, .. } = container {
                *empty = false;
            }
        }
    }

    fn blank_line(&mut self, start: &LineStart) {
        if start.opened.is_empty() {
            if let Block::Html(HtmlEnd::Text(_)) = self.block
                && start.matched == self.containers.len()
            {
                return;
            }
            let all = start.matched == self.containers.len();
            if all && matches!(self.block, Block::Paragraph) && self.text.has_reference() {
                self.block = Block::None;
                self.held_definitions = Some(Vec::new());
            }
            self.close_block();
            if !all {
                self.show_held();
            }
            self.containers.truncate(start.matched);
            self.text.writer.truncate_margins(start.matched);
            self.blank = self.started;
            return;
        }
        self.begin_block(start);
        if let Some(Container::Item { empty, .. }) = self.containers.last_mut() {
            *empty = true;
        }
    }

    fn text_line(&mut self, start: &LineStart, line: &str, content: &str) {
        let continues = start.opened.is_empty();
        let all = start.matched == self.containers.len();
        match std::mem::replace(&mut self.block, Block::None) {
            Block::Header {
                line: header,
                in_paragraph,
            } if continues => {
                if all
                    && let Some(alignments) = delimiter_row(content)
                    && alignments.len() <= MAX_CELLS
                    && split_cells(&header).len() == alignments.len()
                {
                    if in_paragraph {
                        self.block = Block::Paragraph;
                    }
                    self.begin_table(start, &header, alignments);
                    return;
                }
                self.block = Block::Paragraph;
                self.text.line(&header);
                self.text_line(start, line, content);
            }
            Block::Definition(mut lines) if continues => {
                if let DefinitionParse::Complete { .. } = parse_definition(&lines)
                    && (content.starts_with('[') || !continues_definition(&lines, content))
                {
                    self.definition(&lines);
                    self.text_line(start, line, content);
                    return;
                }
                lines.push('\n');
                lines.push_str(content);
                self.definition_lines(lines);
            }
            Block::Table(mut table) if continues && all => {
                let mut row = table.spare_row();
                let cells = fitted_cells(content, table.columns());
                self.text.cells(&cells, Look::default(), &mut row);
                table.push_row(row, &mut self.text.writer);
                self.block = Block::Table(table);
            }
            Block::Paragraph if continues => {
                self.block = Block::Paragraph;
                if all && content.starts_with('|') {
                    self.block = Block::Header {
                        line: content.to_owned(),
                        in_paragraph: true,
                    };
                } else {
                    self.text.line(content);
                }
            }
            block => {
                self.block = block;
                let defines = may_be_definition(content).unwrap_or(content.starts_with('['));
                if !(defines && continues && all && self.held_definitions.is_some()) {
                    self.begin_line(start, line);
                }
                if content.starts_with('|') {
                    self.block = Block::Header {
                        line: content.to_owned(),
                        in_paragraph: false,
                    };
                } else if defines {
                    self.definition_lines(content.to_owned());
                } else {
                    self.text.line(content);
                }
            }
        }
    }

    /// Begins or continues a paragraph.
    fn begin_line(&mut self, start: &LineStart, _line: &str) {
        let continues = matches!(self.block, Block::Paragraph) && start.opened.is_empty();
        if !continues {
            self.begin_block(start);
            self.block = Block::Paragraph;
        }
    }

    /// Ends the open block.
    fn close_block(&mut self) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None | Block::Html(_) => {}
            Block::Paragraph => self.text.end_paragraph(),
            Block::Header { line, .. } => {
                self.text.line(&line);
                self.text.end_paragraph();
            }
            Block::Definition(lines) => {
                match parse_definition(&lines) {
                    DefinitionParse::Complete { .. } => self.definition(&lines),
                    _ => self.text_of_definition(&lines),
                }
                self.block = Block::None;
                if self.held_definitions.is_none() {
                    self.text.end_paragraph();
                }
            }
            Block::Table(table) => {
                table.finish(&mut self.text.writer);
                self.text.writer.clear_links();
                self.gap = true;
            }
            Block::Fence { .. } => self.gap = true,
            Block::Indented { blank } => {
                self.gap = true;
                self.blank |= !blank.is_empty();
            }
        }
    }

    fn begin_table(&mut self, start: &LineStart, header: &str, alignments: Vec<CellAlignment>) {
        if matches!(self.block, Block::Paragraph) {
            self.gap = true;
            self.begin_block(start);
        }
        let cells = fitted_cells(header, alignments.len());
        let mut row = Vec::new();
        let look = header_look(&self.text.writer);
        self.text.cells(&cells, look, &mut row);
        self.block = Block::Table(TableBuilder::new(alignments, row));
    }

    /// Lines that may be a definition.
    fn definition_lines(&mut self, lines: String) {
        match parse_definition(&lines) {
            DefinitionParse::Complete { open: true, .. } | DefinitionParse::Incomplete => {
                self.block = Block::Definition(lines);
            }
            DefinitionParse::Complete { .. } => self.definition(&lines),
            DefinitionParse::Text => self.text_of_definition(&lines),
        }
    }

    /// Shows a definition, unless it is none after all, or holds it with the word that it may be
    /// the definition of.
    fn definition(&mut self, lines: &str) {
        self.block = Block::None;
        let Some(definition) = self.text.define(lines) else {
            self.text_of_definition(lines);
            return;
        };
        let Some(held) = &mut self.held_definitions else {
            self.text.definition(&definition);
            return;
        };
        held.push(HeldDefinition {
            definition,
            set_off: std::mem::take(&mut self.blank),
        });
        if held.len() >= MAX_HELD_DEFINITIONS {
            self.show_held();
        }
    }

    /// Lines that were no definition.
    fn text_of_definition(&mut self, lines: &str) {
        if self.held_definitions.is_some() {
            self.show_held();
            if std::mem::take(&mut self.blank) {
                self.text.writer.blank_line(self.containers.len());
            }
        }
        self.block = Block::Paragraph;
        self.text.lines(lines);
    }

    /// Shows the word that waited for its definition, and the definitions behind it.
    fn show_held(&mut self) {
        let Some(held) = self.held_definitions.take() else {
            return;
        };
        self.text.end_paragraph();
        for HeldDefinition {
            definition,
            set_off,
        } in held
        {
            if set_off {
                self.text.writer.blank_line(self.containers.len());
            }
            self.text.definition(&definition);
        }
    }
}

/// Whether a line may be the title of a definition that is complete without it.
fn continues_definition(lines: &str, line: &str) -> bool {
    let joined = format!("{lines}\n{line}");
    !matches!(parse_definition(&joined), DefinitionParse::Text)
}
