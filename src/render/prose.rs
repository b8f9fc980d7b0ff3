//! The text within the blocks: paragraphs as they arrive, headings, cells, definitions of links,
//! lines of code.

use super::code::CodeHighlighter;
use super::inline::InlineParser;
use super::link::{LinkDefinition, clickable};
use super::scan::{ParagraphPiece, SpanScanner};
use super::style::{Look, StyledText, TextRole};
use super::wrap::LineWriter;
use memchr::memchr;
use std::borrow::Cow;

#[derive(Debug)]
pub(super) struct TextWriter {
    pub(super) writer: LineWriter,
    pub(super) inline: InlineParser,
    scanner: SpanScanner,
    /// Kept to reuse its memory.
    styled: StyledText,
}

impl TextWriter {
    pub(super) fn new(writer: LineWriter, inline: InlineParser) -> Self {
        Self {
            writer,
            inline,
            scanner: SpanScanner::default(),
            styled: StyledText::default(),
        }
    }

    /// Text of a paragraph.
    pub(super) fn push(&mut self, text: &str) {
        self.scan(|scanner, show| scanner.push(text, show));
    }

    /// The end of a line within a paragraph.
    pub(super) fn end_line(&mut self) {
        if self.scan(SpanScanner::end_line) {
            self.writer.end_line();
            self.writer.clear_links();
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.push(text);
        self.end_line();
    }

    pub(super) fn lines(&mut self, lines: &str) {
        for line in lines.split('\n') {
            self.line(line);
        }
    }

    pub(super) fn end_paragraph(&mut self) {
        self.scan(SpanScanner::end_paragraph);
        self.writer.end_line();
        self.writer.clear_links();
    }

    /// Whether the last word of the paragraph may be a link whose definition follows.
    pub(super) const fn has_reference(&self) -> bool {
        self.scanner.has_reference()
    }

    /// Shows the beginning of a word, and a line that is held because of its last word.
    pub(super) fn release_word(&mut self) {
        if self.scan(SpanScanner::release_word) {
            self.writer.end_line();
            self.writer.clear_links();
        } else {
            self.writer.release_word();
        }
    }

    /// Calls the scanner, and shows the pieces that it finds.
    fn scan<T>(
        &mut self,
        step: impl FnOnce(&mut SpanScanner, &mut dyn FnMut(ParagraphPiece<'_>)) -> T,
    ) -> T {
        let (writer, inline, styled) = (&mut self.writer, &mut self.inline, &mut self.styled);
        step(&mut self.scanner, &mut |piece| match piece {
            ParagraphPiece::Plain(text) => writer.text(text, Look::default()),
            ParagraphPiece::Spans { source, continues } => {
                styled.clear();
                inline.parse(source, continues, Look::default(), writer, styled);
                writer.styled(styled);
            }
        })
    }

    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let look = Look::default().with(self.writer.theme, TextRole::Heading);
        self.styled.clear();
        self.styled.push(&"#".repeat(level), look);
        self.styled.push(" ", look);
        self.inline
            .parse(text, false, look, &mut self.writer, &mut self.styled);
        self.write_styled();
    }

    /// Styles the cells of a row into `row`, whose memory is reused.
    pub(super) fn cells(&mut self, cells: &[Cow<'_, str>], look: Look, row: &mut Vec<StyledText>) {
        self.inline.in_cell = true;
        row.resize_with(cells.len(), StyledText::default);
        for (cell, styled) in cells.iter().zip(row) {
            styled.clear();
            self.inline
                .parse(cell.trim_ascii(), false, look, &mut self.writer, styled);
        }
        self.inline.in_cell = false;
    }

    /// Remembers the definition that lines consist of, unless they are none.
    pub(super) fn define(&mut self, lines: &str) -> Option<LinkDefinition> {
        let definition = InlineParser::read_definition(lines)?;
        self.inline
            .definitions
            .add(&definition.label, &definition.address);
        Some(definition)
    }

    /// Shows a definition: a link above may refer to it.
    pub(super) fn definition(&mut self, definition: &LinkDefinition) {
        let LinkDefinition { label, address } = definition;
        let muted = self.writer.muted();
        let mut link = muted;
        if let Some(checked) = clickable(address).filter(|_| self.inline.hyperlinks) {
            link.link = self.writer.add_link(checked);
        }
        self.styled.clear();
        self.inline
            .literal(&format!("[{label}]: "), muted, &mut self.styled);
        self.inline.literal(address, link, &mut self.styled);
        self.write_styled();
    }

    /// A line that is no Markdown.
    pub(super) fn literal_line(&mut self, text: &str) {
        self.styled.clear();
        self.inline.literal(text, Look::default(), &mut self.styled);
        self.write_styled();
    }

    fn write_styled(&mut self) {
        self.writer.styled(&self.styled);
        self.writer.end_line();
        self.writer.clear_links();
    }

    /// A line of code, behind `padding` columns of a tab.
    pub(super) fn code_line(
        &mut self,
        content: &str,
        padding: usize,
        highlighter: &mut CodeHighlighter,
    ) {
        let (writer, inline, styled) = (&mut self.writer, &self.inline, &mut self.styled);
        if padding > 0 {
            writer.code(&" ".repeat(padding), Look::default());
        }
        let has_values = memchr(0xF4, content.as_bytes()).is_some();
        highlighter.line(content, &mut |part, role| {
            let look = role.map_or_else(Look::default, |role| {
                Look::default().with(writer.theme, role)
            });
            if has_values {
                styled.clear();
                inline.literal(part, look, styled);
                for (piece, look) in styled.pieces() {
                    writer.verbatim(piece, look);
                }
            } else {
                writer.code(part, look);
            }
        });
        writer.end_verbatim();
    }
}
