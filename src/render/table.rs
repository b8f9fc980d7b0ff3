//! Tables. The widths of the columns are decided when the header and the first rows are known, and
//! never change: a later cell that is wider is wrapped within its column. A table that does not fit
//! even so is written as records, a line for each cell.

use super::style::{Look, StyledText, TextRole};
use super::width::columns;
use super::wrap::{CellText, LineWriter};
use memchr::memchr2;
use std::borrow::Cow;

/// How many rows decide the widths of the columns. Until they are known, nothing of a table can be
/// shown, and most tables that a model writes are not longer.
const ROWS_BEFORE_FREEZE: usize = 6;
/// Columns are not narrowed below this to make a table fit: few words are longer.
const MIN_COLUMN: usize = 12;
/// Wider cells are wrapped, so that one long cell does not pad every row.
const MAX_COLUMN: usize = 100;
/// A line of more cells is not the header of a table, because every row would be padded to them.
pub(super) const MAX_CELLS: usize = 64;
/// The name of a column is cut to this in every record but the first.
const MAX_RECORD_NAME_CHARS: usize = 40;

/// Between two columns; in the row below the header it is `CROSSING`.
const SEPARATOR_COLUMNS: usize = 3;
const CROSSING: &str = "─┼─";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellAlignment {
    Left,
    Center,
    Right,
}

#[derive(Debug)]
enum TableLayout {
    /// The widths of the columns.
    Grid(Vec<usize>),
    Records,
}

#[derive(Debug)]
pub(super) struct TableBuilder {
    alignments: Vec<CellAlignment>,
    header: Vec<StyledText>,
    /// The rows that have not been written.
    rows: Vec<Vec<StyledText>>,
    /// A row that has been written, to reuse its memory.
    spare: Vec<StyledText>,
    layout: Option<TableLayout>,
    /// The first record has been written.
    has_record: bool,
}

impl TableBuilder {
    pub(super) const fn new(alignments: Vec<CellAlignment>, header: Vec<StyledText>) -> Self {
        Self {
            alignments,
            header,
            rows: Vec::new(),
            spare: Vec::new(),
            layout: None,
            has_record: false,
        }
    }

    pub(super) const fn columns(&self) -> usize {
        self.header.len()
    }

    /// Where the next row is to be put; what is in it is to be cleared.
    pub(super) fn spare_row(&mut self) -> Vec<StyledText> {
        std::mem::take(&mut self.spare)
    }

    pub(super) fn push_row(&mut self, row: Vec<StyledText>, writer: &mut LineWriter) {
        self.rows.push(row);
        if self.layout.is_some() || self.rows.len() >= ROWS_BEFORE_FREEZE {
            self.write_rows(writer);
        }
    }

    pub(super) fn finish(mut self, writer: &mut LineWriter) {
        self.write_rows(writer);
        if let (Some(TableLayout::Records), false) = (&self.layout, self.has_record) {
            for name in &self.header {
                writer.styled(name);
                writer.end_line();
            }
        }
    }

    fn write_rows(&mut self, writer: &mut LineWriter) {
        let layout = match self.layout.take() {
            // A grid that the terminal has become too narrow for goes on as another table.
            Some(TableLayout::Grid(widths)) if grid_columns(&widths) > writer.available() => {
                self.decide_layout(writer)
            }
            Some(layout) => layout,
            None => self.decide_layout(writer),
        };
        let mut rows = std::mem::take(&mut self.rows);
        for row in rows.drain(..) {
            match &layout {
                TableLayout::Grid(widths) => self.write_grid_row(&row, widths, writer),
                TableLayout::Records => self.write_record(&row, writer),
            }
            self.spare = row;
        }
        self.rows = rows;
        self.layout = Some(layout);
    }

    fn decide_layout(&self, writer: &mut LineWriter) -> TableLayout {
        let count = self.header.len();
        let cells = |column: usize| {
            let rows = self.rows.iter().filter_map(move |row| row.get(column));
            rows.chain(self.header.get(column))
        };
        let widest = |cell: &StyledText| {
            let lines = cell.text.lines();
            lines.map(|line| columns(line.trim_ascii())).max()
        };
        let mut widths: Vec<usize> = (0..count)
            .map(|column| {
                cells(column)
                    .filter_map(widest)
                    .max()
                    .unwrap_or(0)
                    .clamp(1, MAX_COLUMN)
            })
            .collect();
        let separators = SEPARATOR_COLUMNS * count.saturating_sub(1);
        let Some(room) = writer.available().checked_sub(separators) else {
            return TableLayout::Records;
        };
        if widths.iter().sum::<usize>() > room {
            let level = common_limit(&widths, room);
            if level < MIN_COLUMN {
                return TableLayout::Records;
            }
            for width in &mut widths {
                *width = level.min(*width);
            }
        }
        self.write_grid_row(&self.header, &widths, writer);
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        writer.muted_line(&rules.join(CROSSING));
        TableLayout::Grid(widths)
    }

    fn write_grid_row(&self, row: &[StyledText], widths: &[usize], writer: &mut LineWriter) {
        let pairs = || row.iter().zip(widths);
        let is_simple =
            |(cell, width): (&StyledText, &usize)| cell.text.len() <= *width && is_one_line(cell);
        if row.len() == widths.len() && pairs().all(is_simple) {
            // One line, and all of it ASCII: as most rows are.
            writer.row(pairs().enumerate().map(|(column, (cell, width))| {
                let (before, after) = self.spread(column, width - cell.text.len());
                (CellText::Styled(cell), before, after)
            }));
            return;
        }
        let cells: Vec<GridCell<'_>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| GridCell::new(cell, *width, writer))
            .collect();
        let height = cells.iter().map(GridCell::height).max();
        let height = height.unwrap_or(1).max(1);
        for number in 0..height {
            writer.row(widths.iter().enumerate().map(|(column, width)| {
                let (text, used) = cells
                    .get(column)
                    .and_then(|cell| cell.line(number))
                    .unwrap_or((CellText::Finished(""), 0));
                let (before, after) = self.spread(column, width.saturating_sub(used));
                (text, before, after)
            }));
        }
    }

    /// The free columns of a cell, before and after its text.
    fn spread(&self, column: usize, free: usize) -> (usize, usize) {
        let before = match self.alignments.get(column) {
            Some(CellAlignment::Right) => free,
            Some(CellAlignment::Center) => free / 2,
            _ => 0,
        };
        (before, free - before)
    }

    /// A row as lines of `name: value`.
    fn write_record(&mut self, row: &[StyledText], writer: &mut LineWriter) {
        if self.has_record {
            writer.blank_line(usize::MAX);
        }
        for (name, value) in self.header.iter().zip(row) {
            if self.has_record && value.is_empty() {
                continue;
            }
            if self.has_record && name.text.chars().count() > MAX_RECORD_NAME_CHARS {
                let look = name
                    .pieces()
                    .next()
                    .map_or_else(Look::default, |(_, look)| look);
                let cut: String = name.text.chars().take(MAX_RECORD_NAME_CHARS).collect();
                writer.text(&cut, Look { link: 0, ..look });
                writer.text("…", Look { link: 0, ..look });
            } else {
                writer.styled(name);
            }
            writer.text(if name.is_empty() { "" } else { ": " }, Look::default());
            writer.styled(value);
            writer.end_line();
        }
        self.has_record = true;
    }
}

/// A cell of a row that is being written.
enum GridCell<'a> {
    /// It fits: the text and its width.
    Whole(&'a StyledText, usize),
    /// The lines of its text, each with its width.
    Wrapped(Vec<(String, usize)>),
}

impl<'a> GridCell<'a> {
    fn new(cell: &'a StyledText, width: usize, writer: &mut LineWriter) -> Self {
        let bytes = cell.text.as_bytes();
        let is_space = |b: &u8| matches!(b, b' ' | b'\n' | b'\t');
        let mut pairs = bytes.iter().zip(bytes.iter().skip(1));
        // What wrapping would change even if there is room for it.
        let changes = bytes.iter().any(|b| matches!(b, b'\n' | b'\t'))
            || pairs.any(|(a, b)| is_space(a) && is_space(b));
        let used = columns(&cell.text);
        if used <= width && !changes {
            Self::Whole(cell, used)
        } else {
            Self::Wrapped(wrapped(cell, width, writer))
        }
    }

    const fn height(&self) -> usize {
        match self {
            Self::Whole(..) => 1,
            Self::Wrapped(lines) => lines.len(),
        }
    }

    fn line(&self, number: usize) -> Option<(CellText<'_>, usize)> {
        match self {
            Self::Whole(text, used) => (number == 0).then_some((CellText::Styled(text), *used)),
            Self::Wrapped(lines) => {
                let (line, used) = lines.get(number)?;
                Some((CellText::Finished(line), *used))
            }
        }
    }
}

/// Whether a cell is ASCII text without white space that wrapping would change.
fn is_one_line(cell: &StyledText) -> bool {
    let mut after_space = false;
    cell.text.bytes().all(|byte| {
        let is_space = byte == b' ';
        let is_plain = matches!(byte, b' '..=b'~') && !(is_space && after_space);
        after_space = is_space;
        is_plain
    })
}

/// The columns that the rows of a grid take.
fn grid_columns(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + SEPARATOR_COLUMNS * widths.len().saturating_sub(1)
}

/// The width to which the widest columns have to be narrowed.
fn common_limit(widths: &[usize], room: usize) -> usize {
    let mut sorted = widths.to_vec();
    sorted.sort_unstable();
    let mut left = room;
    for (number, width) in sorted.iter().enumerate() {
        let share = left / (sorted.len() - number);
        if *width > share {
            return share;
        }
        left -= width;
    }
    usize::MAX
}

/// The lines of a cell, each with its width.
fn wrapped(cell: &StyledText, width: usize, writer: &mut LineWriter) -> Vec<(String, usize)> {
    let mut widths = Vec::new();
    let lines = writer.formatted(width, |inner| {
        for (piece, look) in cell.pieces() {
            inner.text(piece, look);
        }
    });
    for line in lines.lines() {
        widths.push((line.to_owned(), visible_columns(line)));
    }
    widths
}

/// The width of a line with escape sequences.
fn visible_columns(line: &str) -> usize {
    if !line.contains('\x1b') {
        return columns(line);
    }
    let mut total = 0;
    for (number, part) in line.split('\x1b').enumerate() {
        let text = match part.as_bytes().first() {
            _ if number == 0 => part,
            Some(b'[') => part.split_once('m').map_or("", |(_, text)| text),
            Some(b'\\') => part.get(1..).unwrap_or_default(),
            _ => "",
        };
        total += columns(text);
    }
    total
}

/// The cells of a row. A `\|` is a `|` within a cell, even in code.
pub(super) fn split_cells(line: &str) -> Vec<Cow<'_, str>> {
    let line = line.trim_ascii();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells: Vec<Cow<'_, str>> = Vec::new();
    let (mut start, mut from) = (0, 0);
    let mut escaped = false;
    while let Some(at) = memchr2(b'|', b'\\', line.as_bytes().get(from..).unwrap_or_default()) {
        let at = from + at;
        if line.as_bytes().get(at) == Some(&b'|') {
            cells.push(cell(line.get(start..at).unwrap_or_default(), escaped));
            (start, from, escaped) = (at + 1, at + 1, false);
        } else {
            escaped = true;
            let next = line.get(at + 1..).and_then(|rest| rest.chars().next());
            from = at + 1 + next.map_or(0, char::len_utf8);
        }
    }
    let last = line.get(start..).unwrap_or_default();
    if cells.is_empty() || !last.trim_ascii().is_empty() {
        cells.push(cell(last, escaped));
    }
    cells
}

fn cell(text: &str, escaped: bool) -> Cow<'_, str> {
    if escaped {
        Cow::Owned(text.replace("\\|", "|"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The cells of a row for a table of `count` columns. What is too much is added to the last cell,
/// so that nothing is lost.
pub(super) fn fitted_cells(line: &str, count: usize) -> Vec<Cow<'_, str>> {
    let mut cells = split_cells(line);
    if cells.len() > count {
        let rest = cells.split_off(count.max(1));
        if let Some(last) = cells.last_mut() {
            for cell in rest {
                last.to_mut().push_str(" \\|");
                last.to_mut().push_str(&cell);
            }
        }
    }
    cells
}

/// The alignments of a delimiter row, such as `|:--|--:|`.
pub(super) fn delimiter_row(line: &str) -> Option<Vec<CellAlignment>> {
    if !line.contains('|') && !line.contains(':') || !line.contains('-') {
        return None;
    }
    split_cells(line)
        .iter()
        .map(|cell| {
            let cell = cell.trim();
            let dashes = cell.strip_prefix(':').unwrap_or(cell);
            let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
            if dashes.is_empty() || dashes.bytes().any(|b| b != b'-') {
                return None;
            }
            Some(match (cell.starts_with(':'), cell.ends_with(':')) {
                (true, true) => CellAlignment::Center,
                (false, true) => CellAlignment::Right,
                _ => CellAlignment::Left,
            })
        })
        .collect()
}

/// The look of a header's cell.
pub(super) fn header_look(writer: &LineWriter) -> Look {
    Look::default().with(writer.theme, TextRole::Strong)
}
