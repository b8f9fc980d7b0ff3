//! Reads a damaged backup: keeps every record that can be decrypted and is in its place, and
//! reports the rest.
//!
//! A damaged backup is not trusted more than a complete one: a record that belongs to another
//! backup, is repeated or is out of order is skipped and reported. Only missing records are
//! tolerated.

use super::check::{Checked, Contents, Item, LARGEST, head_of, noted};
use super::form::{Conversation, End, Head, Key, LONGEST, Lock, Record, hex, open_head};
use super::{Error, partly};
use crate::archive::Judge;
use crate::disk::{self, Lines};
use crate::name::Name;
use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;

/// Decrypts what can be decrypted of a backup, and reports what cannot.
pub fn salvage(path: &Path, passphrase: &mut dyn FnMut(&Head) -> Result<Secret, Error>) -> Result<Checked, Error> {
    let head = head_of(path)?;
    let lock = head.lock(&passphrase(&head)?)?;
    let (contents, lost) = contents(path, &lock, &mut |_, _| Ok(()))?;
    Ok(Checked { head, lock, contents, lost: Some(lost) })
}

type Each<'a> = &'a mut dyn FnMut(usize, Item<'_>) -> Result<(), Error>;

/// Hands over each item that can be decrypted. Returns the totals, and a sentence for each loss.
pub(super) fn contents(path: &Path, lock: &Lock, each: Each<'_>) -> Result<(Contents, Vec<String>), Error> {
    let mut lines = Lines::open(path, LONGEST)?;
    let (mut line, mut hash) = (Vec::new(), Sha256::new());
    lines.next(&mut line)?;
    let mut salvage = Salvage::of(open_head(&line)?.id);
    let (mut number, mut opened) = (1, false);
    while salvage.end.is_none() {
        number += 1;
        hash.update(&line);
        match lines.next(&mut line) {
            Ok(true) => {}
            Ok(false) => break,
            // The line exceeds the size limit, so this program did not write it, and the beginning
            // of the next record is unknown. Stop here.
            Err(disk::Error::TooLarge { .. }) => {
                salvage.closed(number);
                break;
            }
            Err(error) => return Err(error.into()),
        }
        let token = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line)).ok();
        let Some(plain) = token.and_then(|token| lock.0.open(token).ok()) else {
            salvage.closed(number);
            continue;
        };
        opened = true;
        match serde_json::from_slice(&plain) {
            Ok(record) => salvage.take(number, record, each)?,
            Err(_) => salvage.lost.push(format!("line {number} is not a valid record")),
        }
    }
    if !opened {
        return Err(Error::WrongPassphrase);
    }
    salvage.finish(number, &hex(&hash.finalize()), each)
}

/// A conversation that is not complete yet.
struct Open {
    id: Name,
    judge: Judge,
    size: usize,
}

struct Salvage {
    backup: Name,
    last: u64,
    open: Option<Open>,
    seen: BTreeSet<Name>,
    gaps: BTreeSet<Name>,
    /// Ranges of lines that cannot be decrypted.
    runs: Vec<(usize, usize)>,
    contents: Contents,
    end: Option<End>,
    lost: Vec<String>,
}

impl Salvage {
    fn of(backup: Name) -> Self {
        Self {
            backup,
            last: 0,
            open: None,
            seen: BTreeSet::new(),
            gaps: BTreeSet::new(),
            runs: Vec::new(),
            contents: Contents::default(),
            end: None,
            lost: Vec::new(),
        }
    }

    fn closed(&mut self, number: usize) {
        match self.runs.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => self.runs.push((number, number)),
        }
    }

    fn take(&mut self, number: usize, record: Record<'_>, each: Each<'_>) -> Result<(), Error> {
        if record.backup != self.backup || record.i <= self.last {
            self.lost.push(format!("line {number} is out of place: it was moved or repeated, or is from another backup"));
            return Ok(());
        }
        self.last = record.i;
        match (record.conversation, record.text, record.key, record.end) {
            (Some(part), None, None, None) => self.part(number, part, each),
            (None, Some(text), None, None) => {
                self.cut_off(number, each)?;
                if noted(&text, &mut self.contents).is_none() {
                    self.lost.push(format!("line {number} is not a valid record"));
                    return Ok(());
                }
                each(number, Item::Text(text.file, &text.text))
            }
            (None, None, Some(Key { slot, secret }), None) => {
                self.cut_off(number, each)?;
                self.contents.keys += 1;
                each(number, Item::Key(&slot, Secret::new(secret.into_owned())))
            }
            (None, None, None, Some(end)) => {
                self.cut_off(number, each)?;
                self.end = Some(end);
                Ok(())
            }
            _ => {
                self.lost.push(format!("line {number} is not a valid record"));
                Ok(())
            }
        }
    }

    fn part(&mut self, number: usize, part: Conversation<'_>, each: Each<'_>) -> Result<(), Error> {
        if self.open.as_ref().is_some_and(|open| open.id != part.id) {
            self.cut_off(number, each)?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None if !self.seen.insert(part.id.clone()) => {
                self.lost.push(format!("line {number} is out of place: conversation `{}` was already complete", part.id));
                return Ok(());
            }
            None => Open { judge: Judge::new(&part.id), id: part.id, size: 0 },
        };
        let mut good = 0;
        for record in &part.records {
            open.size += record.get().len();
            let what = match open.size {
                ..=LARGEST if open.judge.take(record.get().as_bytes()).is_some() => {
                    good += 1;
                    continue;
                }
                ..=LARGEST => "has a record of another conversation",
                _ => "exceeds the size limit",
            };
            self.lost.push(format!("conversation `{}` {what}", open.id));
            break;
        }
        let (own, others) = part.records.split_at(good);
        each(number, Item::Records(&open.id, own))?;
        if part.more && others.is_empty() {
            self.open = Some(open);
            return Ok(());
        }
        self.done(number, open, each)
    }

    /// Ends a conversation whose last part is missing. The parts that were read are kept.
    fn cut_off(&mut self, number: usize, each: Each<'_>) -> Result<(), Error> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.lost.push(format!("conversation `{}` is incomplete: its end is missing", open.id));
        self.done(number, open, each)
    }

    fn done(&mut self, number: usize, open: Open, each: Each<'_>) -> Result<(), Error> {
        let Open { id, judge, .. } = open;
        let known = judge.end();
        if !known.whole {
            self.gaps.insert(id.clone());
        }
        self.contents.conversations += 1;
        self.contents.messages += known.messages;
        each(number, Item::Conversation(&id, &known))
    }

    fn finish(mut self, number: usize, sha256: &str, each: Each<'_>) -> Result<(Contents, Vec<String>), Error> {
        self.cut_off(number, each)?;
        let mut lost: Vec<String> =
            self.runs
                .iter()
                .map(|(from, to)| {
                    if from == to {
                        format!("line {from} cannot be decrypted")
                    } else {
                        format!("lines {from} to {to} cannot be decrypted")
                    }
                })
                .collect();
        lost.append(&mut self.lost);
        match self.end {
            Some(mut end) => {
                self.contents.proved_by(&mut end, &self.backup, sha256);
                let (of, there) = ((end.conversations, end.messages), (self.contents.conversations, self.contents.messages));
                if of != there {
                    lost.push(partly(of, there));
                }
                self.contents.left_out = end.left_out;
            }
            None => lost.push("the last record, which contains the totals, is missing".to_owned()),
        }
        let gaps = self.gaps.iter().filter(|id| !self.contents.left_out.contains_key(*id));
        lost.extend(gaps.map(|id| format!("conversation `{id}` is incomplete")));
        Ok((self.contents, lost))
    }
}
