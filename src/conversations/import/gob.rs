//! A minimal reader of Go's `gob` encoding, which contains the definitions of its own types.
//!
//! A file is a sequence of messages, each with its length: type definitions (negative ids) and
//! values. The file is not trusted: anything invalid ends the reading. Only texts are needed, so
//! numbers and booleans are skipped.
//!
//! Written by hand: the crate `gob` 0.1.0 is of 2018 and brings twelve more crates of that time,
//! among them another `syn`. It copies each text, which this reader does not.

use std::collections::BTreeMap;

/// The deepest nesting of types.
const MAX_TYPE_DEPTH: usize = 24;
/// The predefined types.
const BYTES_TYPE: i64 = 5;
const STRING_TYPE: i64 = 6;
/// The type `wireType`, which describes types, and its parts.
const WIRE_TYPE: i64 = 16;
/// The lowest id of a type that a file defines.
const FIRST_DEFINED: i64 = 64;

/// A decoded value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum GobValue {
    /// Anything but a text, list or record.
    Other,
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Record(BTreeMap<String, Self>),
}

impl GobValue {
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
enum GobType {
    List(i64),
    Map(i64, i64),
    Record(Vec<(String, i64)>),
    /// Opaque bytes of a type with its own encoding (`GobEncoder` and the like).
    Custom,
}

/// The longest definition, and the most definitions of a file. Those of `mods` have about a hundred
/// bytes, and there are half a dozen. Each is decoded into a tree of many times its size, so this
/// limits the memory.
const MAX_DEFINITION_BYTES: usize = 16 << 10;
const MAX_DEFINITIONS: usize = 256;

/// Reads the first value of a file, which must be a list of records, and hands over the two named
/// texts of each.
///
/// Nothing of the value is kept, and every item takes at least one byte of the file, so the time is
/// bounded by the size of the file.
pub(super) fn records<'a>(
    bytes: &'a [u8],
    names: [&str; 2],
    each: &mut dyn FnMut([&'a [u8]; 2]) -> Option<()>,
) -> Option<()> {
    let mut types = builtin_types();
    let mut rest = GobReader(bytes);
    let mut definitions = 0;
    while !rest.0.is_empty() {
        let length = usize::try_from(rest.read_uint()?).ok()?;
        let mut message = GobReader(rest.take(length)?);
        let number = message.read_int()?;
        if number < 0 {
            definitions += 1;
            if length > MAX_DEFINITION_BYTES || definitions > MAX_DEFINITIONS {
                return None;
            }
            let definition = message.read_value(WIRE_TYPE, &types, 0)?;
            // A file cannot redefine the predefined types.
            let number = number
                .checked_neg()
                .filter(|number| *number >= FIRST_DEFINED)?;
            types.insert(number, parse_definition(&definition)?);
            continue;
        }
        // A value that is not a record has an empty byte in front.
        let GobType::List(item) = types.get(&number)? else {
            return None;
        };
        let GobType::Record(fields) = types.get(item)? else {
            return None;
        };
        if message.read_uint()? != 0 {
            return None;
        }
        for _ in 0..message.read_uint()? {
            let mut found: [&[u8]; 2] = [&[]; 2];
            message.read_fields(fields, &mut |message, name, of| {
                let at = names
                    .iter()
                    .position(|wanted| *wanted == name)
                    .filter(|_| of == STRING_TYPE);
                match at.and_then(|at| found.get_mut(at)) {
                    Some(place) => *place = message.read_bytes()?,
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
fn builtin_types() -> BTreeMap<i64, GobType> {
    // A file never refers to this type by id, so any id that no definition can have will do.
    const COMMON_TYPE: i64 = -1;
    const SLICE_TYPE: i64 = -2;
    const ARRAY_TYPE: i64 = -3;
    const STRUCT_TYPE: i64 = -4;
    const FIELD_TYPE: i64 = -5;
    const FIELD_SLICE_TYPE: i64 = -6;
    const MAP_TYPE: i64 = -7;
    const CUSTOM_TYPE: i64 = -8;
    let record = |fields: &[(&str, i64)]| {
        GobType::Record(
            fields
                .iter()
                .map(|(name, of)| ((*name).to_owned(), *of))
                .collect(),
        )
    };
    BTreeMap::from([
        (
            WIRE_TYPE,
            record(&[
                ("array", ARRAY_TYPE),
                ("slice", SLICE_TYPE),
                ("struct", STRUCT_TYPE),
                ("map", MAP_TYPE),
                ("own", CUSTOM_TYPE),
                ("binary", CUSTOM_TYPE),
                ("words", CUSTOM_TYPE),
            ]),
        ),
        (COMMON_TYPE, record(&[("name", STRING_TYPE), ("id", 2)])),
        (
            ARRAY_TYPE,
            record(&[("common", COMMON_TYPE), ("of", 2), ("length", 2)]),
        ),
        (SLICE_TYPE, record(&[("common", COMMON_TYPE), ("of", 2)])),
        (
            STRUCT_TYPE,
            record(&[("common", COMMON_TYPE), ("fields", FIELD_SLICE_TYPE)]),
        ),
        (FIELD_SLICE_TYPE, GobType::List(FIELD_TYPE)),
        (FIELD_TYPE, record(&[("name", STRING_TYPE), ("of", 2)])),
        (
            MAP_TYPE,
            record(&[("common", COMMON_TYPE), ("key", 2), ("of", 2)]),
        ),
        (CUSTOM_TYPE, record(&[("common", COMMON_TYPE)])),
    ])
}

/// Converts a decoded definition into a type.
fn parse_definition(definition: &GobValue) -> Option<GobType> {
    if let Some(record) = definition.field("struct") {
        let Some(GobValue::List(fields)) = record.field("fields") else {
            return Some(GobType::Record(Vec::new()));
        };
        let field = |f: &GobValue| Some((f.text("name")?.to_owned(), f.number("of")?));
        return Some(GobType::Record(
            fields.iter().map(field).collect::<Option<_>>()?,
        ));
    }
    if let Some(list) = definition
        .field("slice")
        .or_else(|| definition.field("array"))
    {
        return Some(GobType::List(list.number("of")?));
    }
    if let Some(map) = definition.field("map") {
        return Some(GobType::Map(map.number("key")?, map.number("of")?));
    }
    Some(GobType::Custom)
}

struct GobReader<'a>(&'a [u8]);

impl<'a> GobReader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Decodes an unsigned integer: one byte if it is below 128, else the negated number of bytes,
    /// followed by them.
    fn read_uint(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let length = usize::from(first.wrapping_neg());
        let bytes = self.take(length).filter(|b| b.len() <= 8)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
        )
    }

    /// Decodes a signed integer, whose lowest bit is the sign.
    fn read_int(&mut self) -> Option<i64> {
        let whole = self.read_uint()?;
        let half = (whole >> 1).cast_signed();
        Some(if whole & 1 == 1 { !half } else { half })
    }

    fn read_bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.read_uint()?).ok()?;
        self.take(length)
    }

    fn read_value(
        &mut self,
        of: i64,
        types: &BTreeMap<i64, GobType>,
        depth: usize,
    ) -> Option<GobValue> {
        if depth > MAX_TYPE_DEPTH {
            return None;
        }
        match of {
            2 => return Some(GobValue::Number(self.read_int()?)),
            1 | 3 | 4 => return self.read_uint().map(|_| GobValue::Other),
            BYTES_TYPE => return self.read_bytes().map(|_| GobValue::Other),
            STRING_TYPE => {
                return Some(GobValue::Text(
                    String::from_utf8_lossy(self.read_bytes()?).into_owned(),
                ));
            }
            _ => {}
        }
        match types.get(&of)? {
            GobType::Custom => self.read_bytes().map(|_| GobValue::Other),
            GobType::List(item) => {
                let count = self.read_uint()?;
                let mut list = Vec::new();
                for _ in 0..count {
                    // Every item has at least one byte, so a false count ends at the end of the
                    // file.
                    if self.0.is_empty() {
                        return None;
                    }
                    list.push(self.read_value(*item, types, depth + 1)?);
                }
                Some(GobValue::List(list))
            }
            GobType::Map(key, item) => {
                for _ in 0..self.read_uint()? {
                    self.read_value(*key, types, depth + 1)?;
                    self.read_value(*item, types, depth + 1)?;
                }
                Some(GobValue::Other)
            }
            GobType::Record(fields) => {
                let mut record = BTreeMap::new();
                self.read_fields(fields, &mut |reader, name, of| {
                    record.insert(name.to_owned(), reader.read_value(of, types, depth + 1)?);
                    Some(())
                })?;
                Some(GobValue::Record(record))
            }
        }
    }

    /// Calls `each` for every field of a record, to read its value.
    fn read_fields(
        &mut self,
        fields: &[(String, i64)],
        each: &mut dyn FnMut(&mut Self, &str, i64) -> Option<()>,
    ) -> Option<()> {
        let mut at = 0_usize;
        loop {
            let step = usize::try_from(self.read_uint()?).ok()?;
            if step == 0 {
                return Some(());
            }
            at = at.checked_add(step)?;
            let (name, of) = fields.get(at.checked_sub(1)?)?;
            each(self, name, *of)?;
        }
    }

    /// Skips a value.
    fn skip(&mut self, of: i64, types: &BTreeMap<i64, GobType>, depth: usize) -> Option<()> {
        if depth > MAX_TYPE_DEPTH {
            return None;
        }
        match of {
            1..=4 => return self.read_uint().map(drop),
            BYTES_TYPE | STRING_TYPE => return self.read_bytes().map(drop),
            _ => {}
        }
        match types.get(&of)? {
            GobType::Custom => self.read_bytes().map(drop),
            GobType::List(item) => {
                (0..self.read_uint()?).try_for_each(|_| self.skip(*item, types, depth + 1))
            }
            GobType::Map(key, item) => (0..self.read_uint()?).try_for_each(|_| {
                self.skip(*key, types, depth + 1)?;
                self.skip(*item, types, depth + 1)
            }),
            GobType::Record(fields) => self.read_fields(fields, &mut |reader, _, of| {
                reader.skip(of, types, depth + 1)
            }),
        }
    }
}
