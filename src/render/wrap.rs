//! Writes lines that fit the width: breaks between words, repeats the margins of quotes and list
//! items, and ends every style and link before the end of a line, so that a pager that shows any
//! part of the lines shows them right.
//!
//! A word is written when it is complete, and never changed afterwards. East Asian text has no
//! spaces, so each of its characters is a word, except where a punctuation mark may not begin or
//! end a line.

use super::bytes::ordinary_length;
use super::margin::Margin;
use super::style::{
    LINK_END, Look, STYLE_END, StyledText, TextRole, TextStyle, Theme, write_link_start,
};
use super::width::{columns, may_break_between};
use memchr::memrchr;
use std::mem;
use unicode_segmentation::UnicodeSegmentation;

/// Narrower than this, words are broken as if the terminal were this wide.
const MIN_WIDTH: usize = 8;
/// A thematic break is not wider, because on a wide terminal it would separate more than it should.
const MAX_RULE_COLUMNS: usize = 80;

const SPACES: &str = "                                                                ";
const QUOTE_BAR: &str = "│";
const COLUMN_BAR: &str = "│";

/// The text of a cell on one line.
#[derive(Clone, Copy, Debug)]
pub(super) enum CellText<'a> {
    Styled(&'a StyledText),
    /// Text with its escape sequences.
    Finished(&'a str),
}

impl CellText<'_> {
    const fn is_empty(&self) -> bool {
        match self {
            Self::Styled(text) => text.is_empty(),
            Self::Finished(line) => line.is_empty(),
        }
    }
}

#[derive(Debug)]
pub(super) struct LineWriter {
    /// What has been written since the caller took it.
    pub(super) out: String,
    pub(super) theme: Theme,
    width: usize,
    margins: Vec<Margin>,
    /// The column behind what has been written of the line.
    column: usize,
    /// The width of the last complete line.
    last_column: usize,
    /// The margin of the line has been written.
    begun: bool,
    /// The line has text besides its margin.
    has_text: bool,
    /// A space was read since the last word; it is written before the next one on the same line.
    gap: Option<Look>,
    /// The beginning of a word.
    word: StyledText,
    /// The word continues one whose beginning has been written.
    continues: bool,
    active: Look,
    /// The addresses of links in the words that have not been written.
    links: Vec<String>,
}

impl LineWriter {
    pub(super) fn new(width: usize, theme: Theme) -> Self {
        Self {
            out: String::new(),
            theme,
            width: width.max(MIN_WIDTH),
            margins: Vec::new(),
            column: 0,
            last_column: 0,
            begun: false,
            has_text: false,
            gap: None,
            word: StyledText::default(),
            continues: false,
            active: Look::default(),
            links: Vec::new(),
        }
    }

    /// Changes the width; what is on the screen stays as it is.
    pub(super) fn set_width(&mut self, width: usize) {
        self.width = width.max(MIN_WIDTH);
    }

    /// The columns that remain for text.
    pub(super) fn available(&self) -> usize {
        self.width - self.margins_shown().1
    }

    pub(super) fn push_margin(&mut self, margin: Margin) {
        self.margins.push(margin);
    }

    /// Removes margins, after the marker of an empty list item has been written.
    pub(super) fn truncate_margins(&mut self, depth: usize) {
        if depth < self.margins.len() {
            self.end_line();
            self.write_markers();
            self.margins.truncate(depth);
        }
    }

    /// Whether the marker of each list item has been written.
    pub(super) fn markers_written(&self) -> bool {
        !self
            .margins
            .iter()
            .any(|margin| matches!(margin, Margin::Item { written: false, .. }))
    }

    /// Writes markers that have no text on their line.
    pub(super) fn write_markers(&mut self) {
        if !self.markers_written() {
            self.begin_line();
            self.newline();
        }
    }

    /// Registers the address of a link, which has been checked.
    pub(super) fn add_link(&mut self, address: String) -> u32 {
        self.links.push(address);
        u32::try_from(self.links.len()).unwrap_or(0)
    }

    /// Forgets the links. Only when no word that uses one is left.
    pub(super) fn clear_links(&mut self) {
        self.links.clear();
    }

    /// Text as it is written to lines of `width` without margins, for a cell of a table.
    pub(super) fn formatted(&mut self, width: usize, write: impl FnOnce(&mut Self)) -> String {
        let mut inner = Self::new(1, self.theme);
        inner.width = width.max(1);
        mem::swap(&mut inner.links, &mut self.links);
        write(&mut inner);
        inner.end_line();
        if inner.active != Look::default() {
            inner.switch(Look::default());
        }
        mem::swap(&mut inner.links, &mut self.links);
        inner.out
    }

    /// Writes text; spaces separate words, and a line break ends the line.
    pub(super) fn text(&mut self, text: &str, look: Look) {
        let mut rest = self.ordinary_words(text, look);
        while !rest.is_empty() {
            let end = rest.bytes().position(|b| matches!(b, b' ' | b'\n' | b'\t'));
            let (run, tail) = rest.split_at(end.unwrap_or(rest.len()));
            if !run.is_empty() {
                self.run(run, look, end.is_some());
            }
            match tail.bytes().next() {
                Some(b'\n') => self.end_line(),
                Some(_) => self.space(look),
                None => {}
            }
            rest = tail.get(1..).unwrap_or_default();
        }
    }

    /// Writes the complete words at the beginning of a text, as far as they are ASCII and one space
    /// is behind each, and returns the rest. That is most of all text, and written line by line.
    fn ordinary_words<'a>(&mut self, text: &'a str, look: Look) -> &'a str {
        if !self.word.is_empty() || self.continues || self.gap.is_some_and(|gap| gap != look) {
            return text;
        }
        let end = ordinary_length(text);
        let mut start = 0;
        while start < end {
            let words = text.get(start..end).unwrap_or_default();
            let gap = usize::from(self.gap.is_some() && self.has_text);
            self.begin_line();
            let room = self.width.saturating_sub(self.column + gap);
            let fitting = if words.len() <= room {
                words.len()
            } else {
                let line = words.as_bytes().get(..=room).unwrap_or_default();
                match memrchr(b' ', line) {
                    Some(fitting) => fitting,
                    None if self.has_text => 0,
                    // A word that is wider than a line.
                    None => break,
                }
            };
            if fitting > 0 {
                if gap > 0 {
                    self.emit(" ", look);
                }
                self.emit(words.get(..fitting).unwrap_or_default(), look);
                self.column += gap + fitting;
                self.has_text = true;
                start += fitting + 1;
                self.gap = Some(look);
            }
            if start < end {
                self.newline();
                self.gap = None;
            }
        }
        text.get(start..).unwrap_or_default()
    }

    pub(super) fn styled(&mut self, text: &StyledText) {
        for (piece, look) in text.pieces() {
            self.text(piece, look);
        }
    }

    /// Ends the line, if there is anything on it.
    pub(super) fn end_line(&mut self) {
        self.place_word();
        self.gap = None;
        if self.begun {
            self.newline();
        }
    }

    /// Writes the beginning of an incomplete word.
    pub(super) fn release_word(&mut self) {
        if !self.word.is_empty() {
            self.place_word();
            self.continues = true;
        }
    }

    /// An empty line within the first `depth` margins.
    pub(super) fn blank_line(&mut self, depth: usize) {
        self.end_line();
        let bars = self
            .margins
            .iter()
            .take(depth)
            .rposition(|m| matches!(m, Margin::Quote));
        if let Some(last) = bars {
            let mut line = StyledText::default();
            let muted = self.muted();
            for margin in self.margins.iter().take(last + 1) {
                match margin {
                    Margin::Quote => line.push(QUOTE_BAR, muted),
                    Margin::Item { .. } => {
                        line.push(&" ".repeat(margin.columns()), Look::default());
                    }
                }
                line.push(" ", Look::default());
            }
            for (piece, look) in line.pieces() {
                self.emit(piece, look);
            }
            while self.active == Look::default() && self.out.ends_with(' ') {
                self.out.pop();
            }
        }
        self.newline();
    }

    /// A line of `symbol`, as wide as the text or as the line before it.
    pub(super) fn rule(&mut self, symbol: &str, under_last_line: bool) {
        self.end_line();
        self.begin_line();
        let columns = if under_last_line {
            self.last_column.saturating_sub(self.column)
        } else {
            self.width.saturating_sub(self.column)
        };
        let rule = symbol.repeat(columns.clamp(3, MAX_RULE_COLUMNS));
        self.emit(&rule, self.muted());
        self.has_text = true;
        self.newline();
    }

    /// A piece of a line of code.
    pub(super) fn code(&mut self, text: &str, look: Look) {
        self.emit(text, look);
    }

    /// A piece of text that is not wrapped and has no margin.
    pub(super) fn verbatim(&mut self, text: &str, look: Look) {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.newline();
            }
            if !line.is_empty() {
                self.emit(line, look);
            }
        }
    }

    pub(super) fn end_verbatim(&mut self) {
        self.has_text = true;
        self.newline();
    }

    pub(super) fn muted_line(&mut self, line: &str) {
        self.end_line();
        self.begin_line();
        self.has_text = true;
        self.emit(line, self.muted());
        self.newline();
    }

    /// A line of a row: the text of each cell, and the free columns before and after it.
    pub(super) fn row<'a>(&mut self, cells: impl Iterator<Item = (CellText<'a>, usize, usize)>) {
        self.end_line();
        self.begin_line();
        self.has_text = true;
        // White space is written when something follows it, so that no line ends with it.
        let mut free = 0;
        for (number, (cell, before, after)) in cells.enumerate() {
            if number > 0 {
                self.pad(free + 1);
                self.emit(COLUMN_BAR, self.muted());
                free = 1;
            }
            free += before;
            if !cell.is_empty() {
                self.pad(free);
                free = 0;
                match cell {
                    CellText::Styled(text) => {
                        for (piece, look) in text.pieces() {
                            self.emit(piece, look);
                        }
                    }
                    CellText::Finished(line) => self.emit(line, Look::default()),
                }
            }
            free += after;
        }
        self.newline();
    }

    fn pad(&mut self, count: usize) {
        self.switch(Look::default());
        for _ in 0..count / SPACES.len() {
            self.out.push_str(SPACES);
        }
        let rest = SPACES.get(..count % SPACES.len());
        self.out.push_str(rest.unwrap_or_default());
    }

    pub(super) const fn muted(&self) -> Look {
        Look {
            style: self.theme.style(TextRole::Muted),
            link: 0,
        }
    }

    fn run(&mut self, run: &str, look: Look, complete: bool) {
        if run.is_ascii() {
            if complete && self.word.is_empty() {
                self.place(std::iter::once((run, look)), run.len());
            } else {
                self.word.push(run, look);
            }
            return;
        }
        let mut start = 0;
        let mut before = self.word.text.chars().next_back();
        for (at, c) in run.char_indices() {
            if before.is_some_and(|before| may_break_between(before, c)) {
                let word = run.get(start..at).unwrap_or_default();
                if self.word.is_empty() {
                    self.place(std::iter::once((word, look)), columns(word));
                } else {
                    self.word.push(word, look);
                    self.place_word();
                }
                start = at;
            }
            before = Some(c);
        }
        self.word.push(run.get(start..).unwrap_or_default(), look);
    }

    fn space(&mut self, look: Look) {
        self.place_word();
        self.continues = false;
        if self.has_text && self.gap.is_none() {
            self.gap = Some(look);
        }
    }

    fn place_word(&mut self) {
        if !self.word.is_empty() {
            let mut word = mem::take(&mut self.word);
            let columns = word.pieces().map(|(piece, _)| columns(piece)).sum();
            self.place(word.pieces(), columns);
            word.clear();
            self.word = word;
        }
    }

    /// Writes a word, on the next line if it does not fit on this one, and over the end of the line
    /// only if it is wider than a line.
    fn place<'a>(&mut self, word: impl Iterator<Item = (&'a str, Look)>, columns: usize) {
        let gap = self.gap.take();
        let end = self.column + usize::from(gap.is_some()) + columns;
        if self.has_text && !self.continues && end > self.width {
            self.newline();
        }
        self.begin_line();
        if let Some(look) = gap.filter(|_| self.has_text) {
            self.emit(" ", look);
            self.column += 1;
        }
        self.continues = false;
        if self.column + columns <= self.width {
            for (piece, look) in word {
                self.emit(piece, look);
            }
            self.column += columns;
            self.has_text = true;
        } else {
            for (piece, look) in word {
                self.broken(piece, look);
            }
        }
    }

    /// Writes a piece of a word that is wider than a line.
    fn broken(&mut self, piece: &str, look: Look) {
        for cluster in piece.graphemes(true) {
            let columns = columns(cluster);
            if self.has_text && self.column + columns > self.width {
                self.newline();
                self.begin_line();
            }
            self.emit(cluster, look);
            self.column += columns;
            self.has_text = true;
        }
    }

    /// The margins that are shown, and their width. The innermost of a deep nesting are left out,
    /// so that half of the line remains for text.
    fn margins_shown(&self) -> (usize, usize) {
        let (mut shown, mut width) = (0, 0);
        for margin in &self.margins {
            let wider = width + margin.columns();
            if wider > self.width / 2 {
                break;
            }
            (shown, width) = (shown + 1, wider);
        }
        (shown, width)
    }

    fn begin_line(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let shown = self.margins_shown().0;
        let muted = self.muted();
        let mut margins = mem::take(&mut self.margins);
        for (number, margin) in margins.iter_mut().enumerate() {
            let columns = margin.columns();
            match margin {
                Margin::Item { written, .. } if number >= shown => *written = true,
                Margin::Quote if number >= shown => {}
                Margin::Quote => {
                    self.emit(QUOTE_BAR, muted);
                    self.emit(" ", Look::default());
                    self.column += columns;
                }
                Margin::Item { written: true, .. } => {
                    self.emit(&" ".repeat(columns), Look::default());
                    self.column += columns;
                }
                Margin::Item { marker, written } => {
                    self.emit(marker, Look::default());
                    *written = true;
                    self.column += columns;
                }
            }
        }
        self.margins = margins;
    }

    fn newline(&mut self) {
        if self.active != Look::default() {
            self.switch(Look::default());
        }
        if !self.has_text {
            let end = self.out.trim_end_matches(' ').len();
            self.out.truncate(end);
        }
        self.out.push('\n');
        self.last_column = self.column;
        self.column = 0;
        self.begun = false;
        self.has_text = false;
        self.continues = false;
    }

    fn emit(&mut self, text: &str, look: Look) {
        if look != self.active {
            self.switch(look);
        }
        self.out.push_str(text);
    }

    fn switch(&mut self, look: Look) {
        let before = mem::replace(&mut self.active, look);
        if before.link != look.link && before.link != 0 {
            self.out.push_str(LINK_END);
        }
        if before.style != look.style && before.style != TextStyle::default() {
            self.out.push_str(STYLE_END);
        }
        if before.link != look.link
            && let Some(address) = usize::try_from(look.link)
                .ok()
                .and_then(|link| self.links.get(link.checked_sub(1)?))
        {
            write_link_start(address, &mut self.out);
        }
        if before.style != look.style && look.style != TextStyle::default() {
            look.style.write(&mut self.out);
        }
    }
}
