//! A minimal reader of Go's `gob` encoding, which contains the definitions of its own types.
//!
//! A file is a sequence of messages, each with its length: type definitions (negative ids) and
//! values. The file is not trusted: anything invalid ends the reading. Only texts are needed, so
//! numbers and booleans are skipped.

use std::collections::BTreeMap;

/// The deepest nesting of types.
const DEEPEST: usize = 24;
/// The predefined types.
const BYTES: i64 = 5;
const TEXT: i64 = 6;
/// The type `wireType`, which describes types, and its parts.
const WIRE: i64 = 16;
/// The lowest id of a type that a file defines.
const FIRST_DEFINED: i64 = 64;

/// A decoded value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Anything but a text, list or record.
    Other,
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Record(BTreeMap<String, Self>),
}

impl Value {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self {
            Self::Record(fields) => match fields.get(field)? {
                Self::Text(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn number(&self, field: &str) -> Option<i64> {
        match self.field(field)? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn field(&self, field: &str) -> Option<&Self> {
        match self {
            Self::Record(fields) => fields.get(field),
            _ => None,
        }
    }
}

/// A type definition.
#[derive(Clone, Debug)]
enum Type {
    List(i64),
    Map(i64, i64),
    Record(Vec<(String, i64)>),
    /// Opaque bytes of a type with its own encoding (`GobEncoder` and the like).
    Own,
}

/// The longest definition, and the most definitions of a file. Those of `mods` have about a hundred
/// bytes, and there are half a dozen. Each is decoded into a tree of many times its size, so this
/// limits the memory.
const LONGEST_DEFINITION: usize = 16 << 10;
const MOST_DEFINITIONS: usize = 256;

/// Reads the first value of a file, which must be a list of records, and hands over the two named
/// texts of each.
///
/// Nothing of the value is kept, and every item takes at least one byte of the file, so the time is
/// bounded by the size of the file.
pub(super) fn records<'a>(bytes: &'a [u8], names: [&str; 2], each: &mut dyn FnMut([&'a [u8]; 2]) -> Option<()>) -> Option<()> {
    let mut types = known();
    let mut rest = Reader(bytes);
    let mut definitions = 0;
    while !rest.0.is_empty() {
        let length = usize::try_from(rest.whole()?).ok()?;
        let mut message = Reader(rest.take(length)?);
        let number = message.signed()?;
        if number < 0 {
            definitions += 1;
            if length > LONGEST_DEFINITION || definitions > MOST_DEFINITIONS {
                return None;
            }
            let definition = message.value(WIRE, &types, 0)?;
            // A file cannot redefine the predefined types.
            let number = number.checked_neg().filter(|number| *number >= FIRST_DEFINED)?;
            types.insert(number, defined(&definition)?);
            continue;
        }
        // A value that is not a record has an empty byte in front.
        let Type::List(item) = types.get(&number)? else { return None };
        let Type::Record(fields) = types.get(item)? else { return None };
        if message.whole()? != 0 {
            return None;
        }
        for _ in 0..message.whole()? {
            let mut found: [&[u8]; 2] = [&[]; 2];
            message.fields(fields, &mut |message, name, of| {
                let at = names.iter().position(|wanted| *wanted == name).filter(|_| of == TEXT);
                match at.and_then(|at| found.get_mut(at)) {
                    Some(place) => *place = message.bytes()?,
                    None => message.skip(of, &types, 1)?,
                }
                Some(())
            })?;
            each(found)?;
        }
        return Some(());
    }
    None
}

/// The definitions of `wireType` and its parts.
fn known() -> BTreeMap<i64, Type> {
    // A file never refers to this type by id, so any id that no definition can have will do.
    const COMMON: i64 = -1;
    const LISTED: i64 = -2;
    const ARRAY: i64 = -3;
    const RECORD: i64 = -4;
    const FIELD: i64 = -5;
    const FIELDS: i64 = -6;
    const MAP: i64 = -7;
    const OWN: i64 = -8;
    let record = |fields: &[(&str, i64)]| Type::Record(fields.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect());
    BTreeMap::from([
        (
            WIRE,
            record(&[("array", ARRAY), ("slice", LISTED), ("struct", RECORD), ("map", MAP), ("own", OWN), ("binary", OWN), ("words", OWN)]),
        ),
        (COMMON, record(&[("name", TEXT), ("id", 2)])),
        (ARRAY, record(&[("common", COMMON), ("of", 2), ("length", 2)])),
        (LISTED, record(&[("common", COMMON), ("of", 2)])),
        (RECORD, record(&[("common", COMMON), ("fields", FIELDS)])),
        (FIELDS, Type::List(FIELD)),
        (FIELD, record(&[("name", TEXT), ("of", 2)])),
        (MAP, record(&[("common", COMMON), ("key", 2), ("of", 2)])),
        (OWN, record(&[("common", COMMON)])),
    ])
}

/// Converts a decoded definition into a type.
fn defined(definition: &Value) -> Option<Type> {
    if let Some(record) = definition.field("struct") {
        let Some(Value::List(fields)) = record.field("fields") else { return Some(Type::Record(Vec::new())) };
        let field = |f: &Value| Some((f.text("name")?.to_owned(), f.number("of")?));
        return Some(Type::Record(fields.iter().map(field).collect::<Option<_>>()?));
    }
    if let Some(list) = definition.field("slice").or_else(|| definition.field("array")) {
        return Some(Type::List(list.number("of")?));
    }
    if let Some(map) = definition.field("map") {
        return Some(Type::Map(map.number("key")?, map.number("of")?));
    }
    Some(Type::Own)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Decodes an unsigned integer: one byte if it is below 128, else the negated number of bytes,
    /// followed by them.
    fn whole(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let length = usize::from(first.wrapping_neg());
        let bytes = self.take(length).filter(|b| b.len() <= 8)?;
        Some(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// Decodes a signed integer, whose lowest bit is the sign.
    fn signed(&mut self) -> Option<i64> {
        let whole = self.whole()?;
        let half = (whole >> 1).cast_signed();
        Some(if whole & 1 == 1 { !half } else { half })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.whole()?).ok()?;
        self.take(length)
    }

    fn value(&mut self, of: i64, types: &BTreeMap<i64, Type>, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match of {
            2 => return Some(Value::Number(self.signed()?)),
            1 | 3 | 4 => return self.whole().map(|_| Value::Other),
            BYTES => return self.bytes().map(|_| Value::Other),
            TEXT => return Some(Value::Text(String::from_utf8_lossy(self.bytes()?).into_owned())),
            _ => {}
        }
        match types.get(&of)? {
            Type::Own => self.bytes().map(|_| Value::Other),
            Type::List(item) => {
                let count = self.whole()?;
                let mut list = Vec::new();
                for _ in 0..count {
                    // Every item has at least one byte, so a false count ends at the end of the
                    // file.
                    if self.0.is_empty() {
                        return None;
                    }
                    list.push(self.value(*item, types, depth + 1)?);
                }
                Some(Value::List(list))
            }
            Type::Map(key, item) => {
                for _ in 0..self.whole()? {
                    self.value(*key, types, depth + 1)?;
                    self.value(*item, types, depth + 1)?;
                }
                Some(Value::Other)
            }
            Type::Record(fields) => {
                let mut record = BTreeMap::new();
                self.fields(fields, &mut |reader, name, of| {
                    record.insert(name.to_owned(), reader.value(of, types, depth + 1)?);
                    Some(())
                })?;
                Some(Value::Record(record))
            }
        }
    }

    /// Calls `each` for every field of a record, to read its value.
    fn fields(&mut self, fields: &[(String, i64)], each: &mut dyn FnMut(&mut Self, &str, i64) -> Option<()>) -> Option<()> {
        let mut at = 0_usize;
        loop {
            let step = usize::try_from(self.whole()?).ok()?;
            if step == 0 {
                return Some(());
            }
            at = at.checked_add(step)?;
            let (name, of) = fields.get(at.checked_sub(1)?)?;
            each(self, name, *of)?;
        }
    }

    /// Skips a value.
    fn skip(&mut self, of: i64, types: &BTreeMap<i64, Type>, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match of {
            1..=4 => return self.whole().map(drop),
            BYTES | TEXT => return self.bytes().map(drop),
            _ => {}
        }
        match types.get(&of)? {
            Type::Own => self.bytes().map(drop),
            Type::List(item) => (0..self.whole()?).try_for_each(|_| self.skip(*item, types, depth + 1)),
            Type::Map(key, item) => (0..self.whole()?).try_for_each(|_| {
                self.skip(*key, types, depth + 1)?;
                self.skip(*item, types, depth + 1)
            }),
            Type::Record(fields) => self.fields(fields, &mut |reader, _, of| reader.skip(of, types, depth + 1)),
        }
    }
}
