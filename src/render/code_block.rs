//! The lines of blocks that are shown as they are written: code, and HTML.

use super::block::{Block, BlockParser};
use super::html_block::HtmlEnd;
use super::inline::InlineParser;
use super::style::Look;

/// The language of a code block is not shown longer than this.
const MAX_LANGUAGE_CHARS: usize = 40;
impl BlockParser {
    /// Begins a code block with the name of its language on a line of its own.
    pub(super) fn begin_code(&mut self, info: &str) {
        let info = InlineParser::read_info(info);
        let name = info.split_whitespace().next().unwrap_or_default();
        let name = name.trim_start_matches("{.").trim_end_matches('}');
        self.highlighter.begin(name);
        let shown = name
            .chars()
            .filter(|c| c.is_alphanumeric() || "+-#._/:=".contains(*c));
        let shown: String = shown.take(MAX_LANGUAGE_CHARS).collect();
        if shown.is_empty() {
            self.text.writer.write_markers();
        } else {
            let muted = self.text.writer.muted();
            self.text.writer.text(&shown, muted);
            self.text.writer.end_line();
        }
    }

    /// A line of code: exactly as in the source, from the first column on, so that it can be
    /// selected and pasted.
    pub(super) fn code_line(&mut self, content: &str, padding: usize) {
        if let Block::Indented { blank } = &mut self.block {
            let line = format!("{:padding$}{content}", "");
            if line.trim_matches([' ', '\t']).is_empty() {
                blank.push(line);
                return;
            }
            for blank in std::mem::take(blank) {
                self.text.writer.verbatim(&blank, Look::default());
                self.text.writer.end_verbatim();
            }
        }
        self.text.code_line(content, padding, &mut self.highlighter);
    }

    /// A line of HTML, shown as it is written.
    pub(super) fn html_line(&mut self, content: &str) {
        self.text.literal_line(content);
        if let Block::Html(HtmlEnd::Text(end)) = self.block
            && content
                .to_ascii_lowercase()
                .contains(&end.to_ascii_lowercase())
        {
            self.block = Block::None;
        }
    }
}
