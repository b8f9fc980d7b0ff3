//! Re-encrypts conversations with a new data key, line by line. Each file is replaced atomically,
//! and until the end both keys are needed.

use crate::conversations::conversation::partial_path;
use crate::conversations::store::Archive;
use crate::conversations::{EXTENSION, Error, PARTIAL_EXTENSION, parallel, reader};
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::fs::{self, Appender};
use crate::name::Name;
use crate::time::Time;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The result for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekeyed {
    /// Nothing in it needed re-encryption.
    Unchanged,
    /// It was re-encrypted.
    Rewritten,
}

/// What the first key cannot decrypt in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsOldKey {
    /// The path of the file.
    pub path: PathBuf,
    /// Whether another key decrypts some of its lines.
    pub with_old_key: bool,
    /// The lines, from 1, that no key decrypts.
    pub undecryptable: Vec<usize>,
    /// The number of lines.
    pub total: usize,
}

impl NeedsOldKey {
    /// The lines that no key decrypts, as text.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.undecryptable.len() == self.total {
            return "all lines".to_owned();
        }
        let mut said = String::from(if self.undecryptable.len() == 1 {
            "line "
        } else {
            "lines "
        });
        let mut comma = "";
        for run in self.undecryptable.chunk_by(|a, b| a + 1 == *b) {
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
    pub fn reencrypt(&self, id: &Name) -> Result<Rekeyed, Error> {
        let path = self.path(id);
        if !fs::exists(&path) {
            return Ok(Rekeyed::Unchanged);
        }
        let mut file = Appender::open(&path)?;
        if !file.try_lock()? || !file.is_current() {
            return Err(Error::Busy(id.clone()));
        }
        let resealed = reencrypt_file(&path, &mut file, self.data_keys(), self.now())?;
        let partial = partial_path(&path);
        if fs::exists(&partial) {
            reencrypt_file(
                &partial,
                &mut Appender::open(&partial)?,
                self.data_keys(),
                self.now(),
            )?;
        }
        Ok(resealed)
    }

    /// Re-encrypts another file of encrypted lines, if it exists.
    pub fn reencrypt_lines(&self, path: &Path, purpose: Purpose) -> Result<Rekeyed, Error> {
        if !fs::exists(path) {
            return Ok(Rekeyed::Unchanged);
        }
        let mut file = Appender::open(path)?;
        reencrypt_file(path, &mut file, &self.data_keys_for(purpose)?, self.now())
    }

    /// Removes temporary files of killed processes. The caller must be the only writer.
    pub fn sweep(&self) -> Result<(), Error> {
        for name in fs::names(self.folder(), ".new")? {
            if name.contains(EXTENSION) || name.contains(PARTIAL_EXTENSION) {
                fs::remove(&self.folder().join(format!("{name}.new")))?;
            }
        }
        Ok(())
    }

    /// The files that the first key alone does not decrypt, among the conversations and `others`.
    /// Only if there are none can the other keys be deleted.
    pub fn needing_old_key(
        &self,
        others: &[(PathBuf, Purpose)],
    ) -> Result<Vec<NeedsOldKey>, Error> {
        let mut ids = self.ids()?;
        ids.sort();
        let mut all = Vec::new();
        for looked in parallel::par_map(&ids, |id| {
            let path = self.path(id);
            Ok::<_, Error>([
                check_old_key_use(&partial_path(&path), self.data_keys())?,
                check_old_key_use(&path, self.data_keys())?,
            ])
        }) {
            all.extend(looked?.into_iter().flatten());
        }
        for (path, purpose) in others {
            all.extend(check_old_key_use(path, &self.data_keys_for(*purpose)?)?);
        }
        Ok(all)
    }
}

fn check_old_key_use(path: &Path, data_keys: &DataKeys) -> Result<Option<NeedsOldKey>, Error> {
    let mut left = NeedsOldKey {
        path: path.to_path_buf(),
        with_old_key: false,
        undecryptable: Vec::new(),
        total: 0,
    };
    let mut look = |bytes: &[u8]| {
        for line in lines(bytes) {
            left.total += 1;
            if needs_rekey(line, data_keys) {
                left.with_old_key = true;
            } else if !token(line)
                .is_some_and(|token| token.is_empty() || data_keys.is_encrypted_with_primary(token))
            {
                left.undecryptable.push(left.total);
            }
        }
    };
    let read = fs::read_lines(path, |bytes| {
        look(bytes);
        Ok::<(), fs::Error>(())
    })?;
    look(&read.map(|(_, torn)| torn).unwrap_or_default());
    Ok((left.with_old_key || !left.undecryptable.is_empty()).then_some(left))
}

/// The lines of a file, including newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', bytes)
        .map(|at| at + 1)
        .chain([bytes.len()])
        .filter_map(move |end| {
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
fn needs_rekey(line: &[u8], data_keys: &DataKeys) -> bool {
    match token(line) {
        Some(token) if data_keys.is_encrypted_with_primary(token) => false,
        Some(token) if data_keys.decrypt(token).is_ok() => true,
        _ => reader::decrypt_merged_line(line.trim_ascii_end(), data_keys)
            .iter()
            .any(Option::is_some),
    }
}

/// Re-encrypts a file. Its modification time grows by only 1 ms: it keeps its place in lists that
/// are sorted by time, and the index notices the change.
fn reencrypt_file(
    path: &Path,
    file: &mut Appender,
    data_keys: &DataKeys,
    now: Time,
) -> Result<Rekeyed, Error> {
    let mut anything = false;
    let (_, torn) = file.read_lines(|bytes| {
        anything = anything || lines(bytes).any(|l| needs_rekey(l, data_keys));
        Ok::<(), Error>(())
    })?;
    if !anything && !needs_rekey(&torn, data_keys) {
        return Ok(Rekeyed::Unchanged);
    }
    let mut draft = fs::prepare_file(path, &[], None)?;
    let (_, torn) = file.read_lines(|bytes| {
        for line in lines(bytes) {
            draft.write(&reencrypt_line(line, data_keys, now))?;
        }
        Ok::<(), Error>(())
    })?;
    draft.write(&reencrypt_line(&torn, data_keys, now))?;
    draft.set_modified(file.modified_ms()? + 1)?;
    draft.commit()?;
    Ok(Rekeyed::Rewritten)
}

/// Re-encrypts a line with the first key. A part that does not decrypt stays unchanged, on its own
/// line.
fn reencrypt_line(line: &[u8], data_keys: &DataKeys, now: Time) -> Vec<u8> {
    let seal = |plain: &[u8]| data_keys.encrypt(plain, now) + "\n";
    if !needs_rekey(line, data_keys) {
        return line.to_vec();
    }
    if let Some(plain) = token(line).and_then(|t| data_keys.decrypt(t).ok()) {
        return seal(&plain).into_bytes();
    }
    let mut lines = Vec::with_capacity(line.len() + 2);
    for part in reader::split_at_tokens(line.trim_ascii_end()) {
        match token(part).and_then(|t| data_keys.decrypt(t).ok()) {
            Some(plain) => lines.extend_from_slice(seal(&plain).as_bytes()),
            None => lines.extend_from_slice(&[part, b"\n"].concat()),
        }
    }
    lines
}
