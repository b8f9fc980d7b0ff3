//! A minimal reader of the SQLite file format: it reads the rows of a table, without queries.
//!
//! The file is not trusted. A missing page, a truncated record or a cycle in a tree ends the
//! reading of that branch; the rest of the file is still read.
//!
//! Written by hand, because SQLite is large for what is needed of it: `rusqlite` 0.43 with SQLite
//! built in takes 17 seconds of processor time in a debug build and 65 in a release build, and adds
//! 1.0 MiB to the program (a two-core machine, optimised for size). A crafted file would be parsed
//! by C code, and a database that is read in place gets files next to it.

use crate::conversations::import::decode_utf8_lossy;
use std::borrow::Cow;
use std::collections::HashSet;

/// The deepest B-tree accepted. A real one grows by a large factor with each level, so it has only
/// a few.
const MAX_TREE_DEPTH: usize = 48;
/// The most columns read; the rest of a row is ignored. The tables read here have less than half as
/// many.
const MAX_COLUMNS: usize = 64;
/// The longest `CREATE TABLE` statement parsed. Those of the tables read here are far shorter.
const MAX_STATEMENT_BYTES: usize = 64 << 10;
/// The most tables read. A log has a few dozen.
const MAX_TABLES: usize = 1000;
/// The least that a row counts towards the size of the file. Real rows contain several hashes and
/// times and are longer; keeping one in memory takes about twice this.
const MIN_ROW_BYTES: usize = 64;
/// Added to the size of the file, so that about 16,000 rows can be shorter than that.
const SHORT_ROW_ALLOWANCE_BYTES: usize = 1 << 20;

/// A value of a row. Floating-point numbers and blobs are not needed here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SqlValue<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
}

/// A row, whose values are accessed by column name.
#[derive(Debug)]
pub(crate) struct SqlRow<'a> {
    /// The rowid, which is also the value of an `INTEGER PRIMARY KEY` column.
    pub(crate) number: i64,
    columns: &'a [String],
    values: Vec<SqlValue<'a>>,
}

impl SqlRow<'_> {
    fn value(&self, column: &str) -> Option<&SqlValue<'_>> {
        self.columns
            .iter()
            .position(|c| c == column)
            .and_then(|at| self.values.get(at))
    }

    pub(super) fn text(&self, column: &str) -> Option<&str> {
        match self.value(column) {
            Some(SqlValue::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl<'a> SqlRow<'a> {
    /// The columns with their values. A table that was changed later has rows without the last ones.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&'a str, &SqlValue<'a>)> {
        let columns = self.columns.iter().map(String::as_str);
        columns.zip(&self.values)
    }
}

impl SqlRow<'_> {
    pub(super) fn integer(&self, column: &str) -> Option<i64> {
        match self.value(column) {
            Some(SqlValue::Integer(number)) => Some(*number),
            _ => None,
        }
    }
}

/// A table of the schema.
pub(super) struct SqlTable {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    root: usize,
}

/// The state of a walk through a tree.
struct TreeWalk {
    visited: HashSet<usize>,
    depth: usize,
    /// How many bytes of records the file can still contain. Records of a valid file never overlap;
    /// in a crafted one, millions could share the same bytes. Each claimed length is subtracted
    /// before anything is copied.
    left: usize,
    /// Whether more was claimed than the file can contain.
    spent: bool,
}

impl TreeWalk {
    /// Subtracts a record of `length` bytes, and four for its cell header.
    fn charge(&mut self, length: usize) -> Option<()> {
        let left = self
            .left
            .checked_sub(length.checked_add(4)?.max(MIN_ROW_BYTES));
        self.spent |= left.is_none();
        self.left = left?;
        Some(())
    }

    fn new(bytes: &[u8]) -> Self {
        Self {
            visited: HashSet::new(),
            depth: 0,
            left: bytes.len().saturating_add(SHORT_ROW_ALLOWANCE_BYTES),
            spent: false,
        }
    }
}

/// Hands over each row of each table, with the name of the table. Returns false if the file is not a
/// database with text in UTF-8.
pub(crate) fn for_each_row(bytes: &[u8], each: &mut dyn FnMut(&str, &SqlRow<'_>)) -> bool {
    let Some(database) = Database::open(bytes) else {
        return false;
    };
    for table in database.tables() {
        database.rows(&table, &mut |row| each(&table.name, row));
    }
    true
}

/// An open database file.
pub(super) struct Database<'a> {
    bytes: &'a [u8],
    page: usize,
    usable: usize,
}

impl<'a> Database<'a> {
    /// Opens a database with UTF-8 encoding.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let page = match u16_at(bytes, 16)? {
            1 => 65_536,
            size => size,
        };
        let usable = page.checked_sub(usize::from(*bytes.get(20)?))?;
        let encoding = bytes.get(56..60)?;
        (page >= 512 && usable >= 480 && encoding == [0, 0, 0, 1]).then_some(Self {
            bytes,
            page,
            usable,
        })
    }

    /// Whether the file has all pages that its header claims. Old versions of SQLite do not write
    /// that number.
    pub(super) fn is_complete(&self) -> bool {
        let says = u32_at(self.bytes, 28)
            .filter(|_| self.bytes.get(24..28) == self.bytes.get(92..96))
            .unwrap_or(0);
        says.checked_mul(self.page)
            .is_some_and(|length| length <= self.bytes.len())
    }

    /// Reads the schema.
    pub(super) fn tables(&self) -> Vec<SqlTable> {
        let schema: Vec<String> = ["type", "name", "tbl_name", "rootpage", "sql"]
            .map(str::to_owned)
            .into();
        let mut tables = Vec::new();
        self.walk(1, &mut TreeWalk::new(self.bytes), &mut |number, values| {
            let row = SqlRow {
                number,
                columns: &schema,
                values,
            };
            if row.text("type") == Some("table")
                && let (Some(name), Some(root), Some(sql)) =
                    (row.text("name"), row.integer("rootpage"), row.text("sql"))
                && let Ok(root) = usize::try_from(root)
                && sql.len() <= MAX_STATEMENT_BYTES
                && tables.len() < MAX_TABLES
            {
                tables.push(SqlTable {
                    name: name.to_owned(),
                    columns: parse_columns(sql),
                    root,
                });
            }
        });
        tables
    }

    /// Hands over each row of a table. Returns false if the table claims more rows than fit into
    /// the file.
    pub(super) fn rows(&self, table: &SqlTable, each: &mut dyn FnMut(&SqlRow<'_>)) -> bool {
        let mut walk = TreeWalk::new(self.bytes);
        self.walk(table.root, &mut walk, &mut |number, values| {
            each(&SqlRow {
                number,
                columns: &table.columns,
                values,
            });
        });
        !walk.spent
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let from = number.checked_sub(1)?.checked_mul(self.page)?;
        self.bytes.get(from..from.checked_add(self.page)?)
    }

    /// Walks through the records of a table B-tree, in order.
    fn walk(
        &self,
        number: usize,
        walk: &mut TreeWalk,
        each: &mut dyn FnMut(i64, Vec<SqlValue<'_>>),
    ) -> Option<()> {
        // Remember only existing pages: a crafted file can name any number.
        self.page(number)?;
        if walk.spent || walk.depth == MAX_TREE_DEPTH || !walk.visited.insert(number) {
            return None;
        }
        walk.depth += 1;
        let walked = self.walk_page(number, walk, each);
        walk.depth -= 1;
        walked
    }

    fn walk_page(
        &self,
        number: usize,
        walk: &mut TreeWalk,
        each: &mut dyn FnMut(i64, Vec<SqlValue<'_>>),
    ) -> Option<()> {
        let page = self.page(number)?;
        let head = if number == 1 { 100 } else { 0 };
        let count = u16_at(page, head + 3)?;
        match page.get(head)? {
            0x0d => {
                for cell in 0..count {
                    let at = u16_at(page, head + 8 + cell * 2)?;
                    if let Some((number, record)) = self.payload(page, at, walk) {
                        each(number, parse_record(&record));
                    } else if walk.spent {
                        return None;
                    }
                }
            }
            0x05 => {
                for cell in 0..count {
                    let at = u16_at(page, head + 12 + cell * 2)?;
                    // A damaged branch only loses its own rows.
                    let _ = self.walk(u32_at(page, at)?, walk, each);
                }
                self.walk(u32_at(page, head + 8)?, walk, each)?;
            }
            _ => {}
        }
        Some(())
    }

    /// Reads the rowid and the record of a leaf cell, including its overflow pages.
    fn payload(
        &self,
        page: &'a [u8],
        at: usize,
        walk: &mut TreeWalk,
    ) -> Option<(i64, Cow<'a, [u8]>)> {
        let (length, at) = varint(page, at)?;
        let (number, at) = varint(page, at)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|l| *l <= self.bytes.len())?;
        walk.charge(length)?;
        let most = self.usable - 35;
        let local = if length <= most {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let fit = least + (length - least) % (self.usable - 4);
            if fit <= most { fit } else { least }
        };
        let here = page.get(at..at + local)?;
        if length == local {
            return Some((number.cast_signed(), Cow::Borrowed(here)));
        }
        let mut record = Vec::with_capacity(length);
        record.extend_from_slice(here);
        let mut next = u32_at(page, at + local)?;
        // A cycle in the chain ends too, because the length of the record is limited.
        while record.len() < length {
            let more = self.page(next)?;
            let take = (length - record.len()).min(self.usable - 4);
            record.extend_from_slice(more.get(4..4 + take)?);
            next = u32_at(more, 0)?;
        }
        Some((number.cast_signed(), Cow::Owned(record)))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}

/// Decodes a variable-length integer of one to nine bytes. Returns it with its end.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for n in 0..9 {
        let byte = *bytes.get(at + n)?;
        if n == 8 {
            return Some(((number << 8) | u64::from(byte), at + 9));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + n + 1));
        }
    }
    None
}

fn parse_record(record: &[u8]) -> Vec<SqlValue<'_>> {
    let mut values = Vec::new();
    let Some((head, mut at)) = varint(record, 0) else {
        return values;
    };
    let Some(mut body) = usize::try_from(head).ok().filter(|h| *h <= record.len()) else {
        return values;
    };
    let end = body;
    while at < end && values.len() < MAX_COLUMNS {
        let Some((kind, next)) = varint(record, at) else {
            break;
        };
        at = next;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            _ => kind.saturating_sub(12) / 2,
        };
        let Some(bytes) = usize::try_from(size)
            .ok()
            .and_then(|size| record.get(body..body.checked_add(size)?))
        else {
            break;
        };
        body += bytes.len();
        values.push(match kind {
            8 => SqlValue::Integer(0),
            9 => SqlValue::Integer(1),
            1..=6 => SqlValue::Integer(bytes.iter().enumerate().fold(0, |n, (i, b)| {
                if i == 0 {
                    i64::from(b.cast_signed())
                } else {
                    (n << 8) | i64::from(*b)
                }
            })),
            kind if kind >= 13 && kind % 2 == 1 => SqlValue::Text(decode_utf8_lossy(bytes)),
            _ => SqlValue::Null,
        });
    }
    values
}

/// Parses the column names of a `CREATE TABLE` statement.
fn parse_columns(sql: &str) -> Vec<String> {
    let inside = sql.split_once('(').map_or("", |(_, rest)| rest);
    let (mut depth, mut quote, mut item) = (0, None, String::new());
    let mut items = Vec::new();
    for c in inside.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`' | '\'') => quote = Some(c),
            (None, '[') => quote = Some(']'),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => break,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    let rules = ["primary", "foreign", "unique", "check", "constraint"];
    let name = |item: &String| {
        let item = item.trim();
        let end = match item.chars().next()? {
            '"' | '`' | '\'' => item.get(1..)?.find(['"', '`', '\''])? + 2,
            '[' => item.find(']')? + 1,
            _ => item.find(|c: char| c.is_whitespace()).unwrap_or(item.len()),
        };
        Some(
            item.get(..end)?
                .trim_matches(['"', '`', '\'', '[', ']'])
                .to_owned(),
        )
    };
    items
        .iter()
        .filter_map(name)
        .filter(|n| !rules.contains(&n.to_lowercase().as_str()))
        .take(MAX_COLUMNS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_column_names_in_any_quoting() {
        let sql = "CREATE TABLE [responses] (\n  [id] TEXT PRIMARY KEY,\n  \"prompt\" TEXT, n DECIMAL(10, 2), `x` TEXT DEFAULT ',',\n  FOREIGN KEY ([id]) REFERENCES [a]([b])\n, [later] TEXT)";
        assert_eq!(parse_columns(sql), ["id", "prompt", "n", "x", "later"]);
    }

    #[test]
    fn sqlite_varints_of_every_length() {
        for (bytes, number) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x81, 0x00], 128),
            (&[0xff; 9], u64::MAX),
        ] {
            assert_eq!(varint(bytes, 0), Some((number, bytes.len())));
        }
        assert_eq!(varint(&[0x80], 0), None);
    }

    /// Pages of 512 bytes; the schema on the first refers to a table on the second.
    fn pages(count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count * 512];
        bytes[..16].copy_from_slice(b"SQLite format 3\0");
        bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
        bytes[59] = 1;
        let record = b"\x06\x17\x0f\x0f\x01\x2ftableaa\x02CREATE TABLE a(b)";
        bytes[100] = 0x0d;
        bytes[104] = 1;
        bytes[108..110].copy_from_slice(&300_u16.to_be_bytes());
        bytes[300] = u8::try_from(record.len()).unwrap();
        bytes[301] = 1;
        bytes[302..302 + record.len()].copy_from_slice(record);
        bytes
    }

    fn rows(bytes: &[u8]) -> usize {
        let database = Database::open(bytes).unwrap();
        let tables = database.tables();
        assert_eq!(
            (tables[0].name.as_str(), &tables[0].columns),
            ("a", &vec!["b".to_owned()])
        );
        let mut rows = 0;
        database.rows(&tables[0], &mut |_| rows += 1);
        rows
    }

    #[test]
    fn sqlite_bounds_tree_depth() {
        let count = 100_000;
        let mut bytes = pages(count);
        for page in 1..count - 1 {
            let at = page * 512;
            bytes[at] = 0x05;
            bytes[at + 8..at + 12].copy_from_slice(&u32::try_from(page + 2).unwrap().to_be_bytes());
        }
        assert_eq!(rows(&bytes), 0);
    }

    #[test]
    fn sqlite_bounds_shared_records() {
        let mut bytes = pages(2);
        bytes[512] = 0x0d;
        // A hundred rows that share the same two hundred bytes.
        bytes[512 + 4] = 100;
        for cell in 0..100 {
            bytes[512 + 8 + cell * 2..512 + 10 + cell * 2].copy_from_slice(&210_u16.to_be_bytes());
        }
        bytes[512 + 210..512 + 216].copy_from_slice(b"\x81\x48\x01\x02\x00\x00");
        let many = rows(&bytes);
        assert!(many <= 100, "{many}");
    }

    #[test]
    fn sqlite_rejects_non_database() {
        let mut bytes = b"SQLite format 3\0".to_vec();
        assert!(Database::open(&bytes).is_none());
        bytes.resize(4096, 0xff);
        bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
        bytes[20] = 0;
        bytes[56..60].copy_from_slice(&[0, 0, 0, 1]);
        for (at, byte) in [(100, 0x0d), (100, 0x05), (103, 0), (104, 3)] {
            bytes[at] = byte;
            let database = Database::open(&bytes).unwrap();
            assert!(database.tables().is_empty());
            let table = SqlTable {
                name: "responses".to_owned(),
                columns: Vec::new(),
                root: 1,
            };
            database.rows(&table, &mut |_| panic!("a row out of nothing"));
        }
    }
}
