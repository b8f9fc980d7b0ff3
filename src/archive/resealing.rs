//! Re-encrypts conversations with a new data key, line by line. Each file is replaced atomically,
//! and until the end both keys are needed.

use super::store::Archive;
use super::writing::partial_path;
use super::{ENDING, Error, PARTIAL_ENDING, many, reading};
use crate::clock::Time;
use crate::disk::{self, Appender};
use crate::name::Name;
use crate::seal::{KeyRing, Purpose};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The result for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resealed {
    /// Nothing in it needed re-encryption.
    Already,
    /// It was re-encrypted.
    Anew,
}

/// What the first key cannot decrypt in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The path of the file.
    pub path: PathBuf,
    /// Whether another key decrypts some of its lines.
    pub opens: bool,
    /// The lines, from 1, that no key decrypts.
    pub closed: Vec<usize>,
    /// The number of lines.
    pub of: usize,
}

impl Remaining {
    /// The lines that no key decrypts, as text.
    #[must_use]
    pub fn sentence(&self) -> String {
        if self.closed.len() == self.of {
            return "all lines".to_owned();
        }
        let mut said = String::from(if self.closed.len() == 1 { "line " } else { "lines " });
        let mut comma = "";
        for run in self.closed.chunk_by(|a, b| a + 1 == *b) {
            // Writing to a string cannot fail.
            let _ = match run {
                [first, .., last] => write!(said, "{comma}{first} to {last}"),
                _ => write!(said, "{comma}{}", run.first().copied().unwrap_or_default()),
            };
            comma = ", ";
        }
        said
    }
}

impl Archive {
    /// Re-encrypts a conversation with the first key. Lines that no key decrypts stay unchanged.
    pub fn reseal(&self, id: &Name) -> Result<Resealed, Error> {
        let path = self.path(id);
        if !disk::exists(&path) {
            return Ok(Resealed::Already);
        }
        let mut file = Appender::open(&path)?;
        if !file.try_lock()? || !file.is_current() {
            return Err(Error::Busy(id.clone()));
        }
        let resealed = reseal(&path, &mut file, self.ring(), self.now())?;
        let partial = partial_path(&path);
        if disk::exists(&partial) {
            reseal(&partial, &mut Appender::open(&partial)?, self.ring(), self.now())?;
        }
        Ok(resealed)
    }

    /// Re-encrypts another file of encrypted lines, if it exists.
    pub fn reseal_lines(&self, path: &Path, purpose: Purpose) -> Result<Resealed, Error> {
        if !disk::exists(path) {
            return Ok(Resealed::Already);
        }
        let mut file = Appender::open(path)?;
        reseal(path, &mut file, &self.ring_for(purpose)?, self.now())
    }

    /// Removes temporary files of killed processes. The caller must be the only writer.
    pub fn sweep(&self) -> Result<(), Error> {
        for name in disk::names(self.folder(), ".new")? {
            if name.contains(ENDING) || name.contains(PARTIAL_ENDING) {
                disk::remove(&self.folder().join(format!("{name}.new")))?;
            }
        }
        Ok(())
    }

    /// The files that the first key alone does not decrypt, among the conversations and `others`.
    /// Only if there are none can the other keys be deleted.
    pub fn remaining(&self, others: &[(PathBuf, Purpose)]) -> Result<Vec<Remaining>, Error> {
        let mut ids = self.ids()?;
        ids.sort();
        let mut all = Vec::new();
        for looked in many::each(&ids, |id| {
            let path = self.path(id);
            Ok::<_, Error>([remaining(&partial_path(&path), self.ring())?, remaining(&path, self.ring())?])
        }) {
            all.extend(looked?.into_iter().flatten());
        }
        for (path, purpose) in others {
            all.extend(remaining(path, &self.ring_for(*purpose)?)?);
        }
        Ok(all)
    }
}

fn remaining(path: &Path, ring: &KeyRing) -> Result<Option<Remaining>, Error> {
    let mut left = Remaining { path: path.to_path_buf(), opens: false, closed: Vec::new(), of: 0 };
    let mut look = |bytes: &[u8]| {
        for line in lines(bytes) {
            left.of += 1;
            if needs(line, ring) {
                left.opens = true;
            } else if !token(line).is_some_and(|token| token.is_empty() || ring.is_first(token)) {
                left.closed.push(left.of);
            }
        }
    };
    let read = disk::read_lines(path, |bytes| {
        look(bytes);
        Ok::<(), disk::Error>(())
    })?;
    look(&read.map(|(_, torn)| torn).unwrap_or_default());
    Ok((left.opens || !left.closed.is_empty()).then_some(left))
}

/// The lines of a file, including newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', bytes).map(|at| at + 1).chain([bytes.len()]).filter_map(move |end| {
        let line = bytes.get(from..end).filter(|l| !l.is_empty());
        from = end;
        line
    })
}

fn token(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok().map(str::trim_end)
}

/// Whether a line must be re-encrypted: it decrypts, but not with the first key, or it consists of
/// two lines that have lost the newline between them.
fn needs(line: &[u8], ring: &KeyRing) -> bool {
    match token(line) {
        Some(token) if ring.is_first(token) => false,
        Some(token) if ring.open(token).is_ok() => true,
        _ => reading::pieces(line.trim_ascii_end(), ring).iter().any(Option::is_some),
    }
}

/// Re-encrypts a file. Its modification time grows by only 1 ms: it keeps its place in lists that
/// are sorted by time, and the index notices the change.
fn reseal(path: &Path, file: &mut Appender, ring: &KeyRing, now: Time) -> Result<Resealed, Error> {
    let mut anything = false;
    let (_, torn) = file.read_lines(|bytes| {
        anything = anything || lines(bytes).any(|l| needs(l, ring));
        Ok::<(), Error>(())
    })?;
    if !anything && !needs(&torn, ring) {
        return Ok(Resealed::Already);
    }
    let mut draft = disk::draft(path, &[], None)?;
    let (_, torn) = file.read_lines(|bytes| {
        for line in lines(bytes) {
            draft.add(&resealed(line, ring, now))?;
        }
        Ok::<(), Error>(())
    })?;
    draft.add(&resealed(&torn, ring, now))?;
    draft.date(file.modified_ms()? + 1)?;
    draft.keep()?;
    Ok(Resealed::Anew)
}

/// Re-encrypts a line with the first key. A part that does not decrypt stays unchanged, on its own
/// line.
fn resealed(line: &[u8], ring: &KeyRing, now: Time) -> Vec<u8> {
    let seal = |plain: &[u8]| ring.seal(plain, now) + "\n";
    if !needs(line, ring) {
        return line.to_vec();
    }
    if let Some(plain) = token(line).and_then(|t| ring.open(t).ok()) {
        return seal(&plain).into_bytes();
    }
    let mut lines = Vec::with_capacity(line.len() + 2);
    for part in reading::parts(line.trim_ascii_end()) {
        match token(part).and_then(|t| ring.open(t).ok()) {
            Some(plain) => lines.extend_from_slice(seal(&plain).as_bytes()),
            None => lines.extend_from_slice(&[part, b"\n"].concat()),
        }
    }
    lines
}
