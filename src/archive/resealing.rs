//! The same conversations under another key: line by line, file by file, whole at every moment.

use super::store::Archive;
use super::{Error, reading};
use crate::clock::Time;
use crate::disk::{self, Appender};
use crate::name::Name;
use crate::seal::KeyRing;
use std::path::Path;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resealed {
    /// Everything that opens opened with the first key already.
    Already,
    /// It was written anew.
    Anew,
}

impl Archive {
    /// Seals a conversation with the first key of the ring. Lines that no key opens stay as they are.
    pub fn reseal(&self, id: &Name) -> Result<Resealed, Error> {
        let path = self.path(id);
        if !disk::exists(&path) {
            return Ok(Resealed::Already);
        }
        let mut file = Appender::open(&path)?;
        if !file.try_lock()? || !file.is_current() {
            return Err(Error::Busy(id.clone()));
        }
        reseal(&path, &file.read_all()?, file.modified_ms()?, self.ring(), self.now())
    }

    /// Seals a file of sealed lines that is no conversation with the first key of the ring, if it is there.
    pub fn reseal_lines(&self, path: &Path) -> Result<Resealed, Error> {
        if !disk::exists(path) {
            return Ok(Resealed::Already);
        }
        let mut file = Appender::open(path)?;
        reseal(path, &file.read_all()?, file.modified_ms()?, self.ring(), self.now())
    }

    /// Removes what writers that were killed left behind. Only for whom nobody else writes meanwhile.
    pub fn sweep(&self) -> Result<(), Error> {
        for name in disk::names(self.folder(), ".new")? {
            if name.contains(super::ENDING) {
                disk::remove(&self.folder().join(format!("{name}.new")))?;
            }
        }
        Ok(())
    }

    /// The conversations that have a line which only another key than the first opens.
    pub fn sealed_before(&self) -> Result<Vec<Name>, Error> {
        let ids = self.ids()?;
        let looked = self.for_each(&ids, |_, bytes| lines(bytes).any(|l| needs(l, self.ring())));
        let mut before = Vec::new();
        for (id, looked) in ids.into_iter().zip(looked) {
            if looked?.unwrap_or_default() {
                before.push(id);
            }
        }
        Ok(before)
    }
}

/// The lines of a file, each with its end if it has one.
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

/// Whether a line opens, and not with the first key. Two that stand together for want of a line end need to be taken apart.
fn needs(line: &[u8], ring: &KeyRing) -> bool {
    match token(line) {
        Some(token) if ring.is_first(token) => false,
        Some(token) if ring.open(token).is_ok() => true,
        _ => reading::pieces(line, ring).iter().any(Option::is_some),
    }
}

/// The file keeps its place among the others: it is a moment younger than it was, so that a cache sees the change.
fn reseal(path: &Path, bytes: &[u8], modified_ms: i64, ring: &KeyRing, now: Time) -> Result<Resealed, Error> {
    if !lines(bytes).any(|l| needs(l, ring)) {
        return Ok(Resealed::Already);
    }
    let mut anew = Vec::with_capacity(bytes.len());
    let seal = |plain: &[u8], anew: &mut Vec<u8>| {
        anew.extend_from_slice(ring.seal(plain, now).as_bytes());
        anew.push(b'\n');
    };
    for line in lines(bytes) {
        if !needs(line, ring) {
            anew.extend_from_slice(line);
        } else if let Some(plain) = token(line).and_then(|t| ring.open(t).ok()) {
            seal(&plain, &mut anew);
        } else {
            reading::pieces(line, ring).iter().flatten().for_each(|plain| seal(plain, &mut anew));
        }
    }
    disk::write_dated(path, &anew, Some(modified_ms + 1))?;
    Ok(Resealed::Anew)
}
