//! Tests of damaged conversation files: flipped bytes, truncation, moved lines, interrupted writes.

use crate::conversations::*;
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::message::Message;
use crate::privacy::{Placeholders, Policy, Raw, Redactor};
use crate::time::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct TestArchive {
    dir: tempfile::TempDir,
    archive: Archive,
}

impl TestArchive {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_keys = Arc::new(DataKeys::new(&fernet::generate_key().unwrap()).unwrap());
        let archive = Archive::new(
            dir.path().join("conversations"),
            data_keys,
            Clock::fixed(Time::from_millis(1_800_000_000_000)),
        );
        Self { dir, archive }
    }

    fn path(&self, id: &Name) -> PathBuf {
        self.dir
            .path()
            .join("conversations")
            .join(format!("{id}{EXTENSION}"))
    }

    /// Creates a conversation of `count` messages. Returns its id and file.
    fn conversation(&self, messages: usize) -> (Name, PathBuf) {
        let mut conversation = self.archive.create("demo", "demo").unwrap();
        for n in 0..messages {
            let role = if n % 2 == 0 {
                Role::User
            } else {
                Role::Assistant
            };
            conversation
                .save(&[(
                    &message(role, &format!("text {n}")),
                    &MessageMeta::default(),
                )])
                .unwrap();
        }
        let id = conversation.id().clone();
        let path = self.path(&id);
        (id, path)
    }
}

fn message(role: Role, text: &str) -> Message {
    let (text, _) = Redactor::new(&Policy::default())
        .unwrap()
        .redact(Raw::from(text), &mut Placeholders::default());
    Message::new(role, text, Time::from_millis(1_800_000_000_000))
}

fn texts(stored: &LoadedConversation) -> Vec<(u32, String)> {
    stored
        .messages
        .iter()
        .map(|m| (m.n, m.text.printable()))
        .collect()
}

fn sentences(stored: &LoadedConversation) -> Vec<String> {
    stored.damage.iter().map(Damage::describe).collect()
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = String::from_utf8(fs::read(path).unwrap().unwrap()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, (lines.join("\n") + "\n").as_bytes()).unwrap();
}

#[test]
fn conversation_round_trips() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(3);
    let stored = place.archive.read(&id).unwrap();
    assert_eq!(
        texts(&stored),
        [
            (1, "text 0".into()),
            (2, "text 1".into()),
            (3, "text 2".into())
        ]
    );
    assert_eq!(stored.header.as_ref().unwrap().title, "text 0");
    assert!(stored.damage.is_empty());
    let bytes = fs::read(&path).unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("text"));
    assert!(
        bytes
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .all(|l| l.starts_with(b"gAAAAA"))
    );
}

#[test]
fn conversation_flipped_byte_costs_one_message() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(4);
    let whole = fs::read(&path).unwrap().unwrap();
    let right: Vec<(u32, String)> = texts(&place.archive.read(&id).unwrap());
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= [1, 0x40, 0x47][at % 3];
        fs::write(&path, &bytes).unwrap();
        let stored = place.archive.read(&id).unwrap();
        let got = texts(&stored);
        assert!(
            got.iter().all(|m| right.contains(m)),
            "byte {at}: wrong text"
        );
        let lost = right.len() - got.len();
        assert!(lost <= 1, "byte {at}: {lost} messages lost");
        assert!(
            lost == 0 || !stored.damage.is_empty(),
            "byte {at}: lost without a word"
        );
    }
}

#[test]
fn conversation_lost_line_end_costs_nothing() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(4);
    let whole = fs::read(&path).unwrap().unwrap();
    let right = texts(&place.archive.read(&id).unwrap());
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    for end in &ends[..4] {
        for other in [0x0b, b'J', b'=', b' ', 0xff] {
            let mut bytes = whole.clone();
            bytes[*end] = other;
            fs::write(&path, &bytes).unwrap();
            let stored = place.archive.read(&id).unwrap();
            assert_eq!(texts(&stored), right);
            assert!(
                sentences(&stored)[0].ends_with("the end of a line is damaged"),
                "{:?}",
                sentences(&stored)
            );
        }
    }
    let mut bytes = whole.clone();
    bytes[ends[1] + 50] = b'\n';
    fs::write(&path, &bytes).unwrap();
    let stored = place.archive.read(&id).unwrap();
    assert_eq!(
        sentences(&stored),
        ["message 2 (line 3): the line is damaged"]
    );
    assert_eq!(stored.messages.len(), 3);
}

#[test]
fn conversation_truncation_keeps_complete_lines() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(3);
    let whole = fs::read(&path).unwrap().unwrap();
    for length in 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length].split(|b| *b == b'\n').count() - 1;
        let stored = place.archive.read(&id).unwrap();
        assert_eq!(stored.messages.len(), lines.saturating_sub(1), "{length}");
        assert_eq!(stored.truncated > 0, whole[length - 1] != b'\n', "{length}");
    }
}

#[test]
fn conversation_torn_end_is_set_aside() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(2);
    let whole = fs::read(&path).unwrap().unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let mut opened = place.archive.open(&id).unwrap();
    assert_eq!(sentences(&opened.stored), ["the last line is incomplete"]);
    opened
        .conversation
        .save(&[(&message(Role::User, "again"), &MessageMeta::default())])
        .unwrap();
    let stored = place.archive.read(&id).unwrap();
    assert_eq!(texts(&stored), [(1, "text 0".into()), (2, "again".into())]);
    assert!(stored.damage.is_empty());
    assert!(
        fs::read(&path.with_extension("torn"))
            .unwrap()
            .unwrap()
            .starts_with(b"gAAAAA")
    );
}

#[test]
fn conversation_reordered_lines_are_reported() {
    type Change = Box<dyn FnOnce(&mut Vec<String>)>;
    let place = TestArchive::new();
    let (_, other) = place.conversation(3);
    let foreign = String::from_utf8(fs::read(&other).unwrap().unwrap())
        .unwrap()
        .lines()
        .nth(2)
        .unwrap()
        .to_owned();
    let cases: Vec<(Change, Vec<&str>, usize)> = vec![
        (
            Box::new(|l| l.swap(1, 2)),
            vec!["message 1 (line 3): the message is out of order"],
            4,
        ),
        (
            Box::new(|l| l.push(l[2].clone())),
            vec!["message 2 (line 6): the message is repeated"],
            4,
        ),
        (
            Box::new(|l| drop(l.remove(2))),
            vec!["message 2: the message is missing"],
            3,
        ),
        (
            Box::new(|l| drop(l.remove(0))),
            vec!["the header is missing"],
            4,
        ),
        (
            Box::new(move |l| l[2] = foreign),
            vec![
                "line 3: the line belongs to another conversation",
                "message 2: the message is missing",
            ],
            3,
        ),
        (
            Box::new(|l| l[2].replace_range(20..21, "!")),
            vec!["message 2 (line 3): the line is damaged"],
            3,
        ),
        (
            Box::new(|l| l[0].replace_range(20..21, "!")),
            vec!["line 1: the header is damaged"],
            4,
        ),
        (
            Box::new(|l| l[4].replace_range(20..21, "!")),
            vec!["message 4 (line 5): the line is damaged"],
            3,
        ),
    ];
    for (change, damage, left) in cases {
        let (id, path) = place.conversation(4);
        rewrite(&path, change);
        let stored = place.archive.read(&id).unwrap();
        assert_eq!(sentences(&stored), damage);
        assert_eq!(stored.messages.len(), left);
    }
}

#[test]
fn conversation_second_writer_is_refused() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(2);
    let first = place.archive.open(&id).unwrap();
    assert!(matches!(place.archive.open(&id), Err(Error::Busy(_))));
    drop(first);
    let data_keys = Arc::new(DataKeys::new(&fernet::generate_key().unwrap()).unwrap());
    let other = Archive::new(
        place.dir.path().join("conversations"),
        data_keys,
        Clock::system(),
    );
    assert!(matches!(other.open(&id), Err(Error::Undecryptable { .. })));
    assert!(place.archive.open(&id).is_ok());
}

#[test]
fn conversation_partial_reply_is_replaced() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(1);
    let mut conversation = place.archive.open(&id).unwrap().conversation;
    let partial = MessageMeta {
        partial: true,
        ..MessageMeta::default()
    };
    conversation
        .save(&[(&message(Role::Assistant, "half an"), &partial)])
        .unwrap();
    let stored = place.archive.read(&id).unwrap();
    assert_eq!(
        (texts(&stored)[1].1.as_str(), stored.messages[1].cut),
        ("half an", true)
    );
    conversation
        .save(&[(
            &message(Role::Assistant, "half an answer"),
            &MessageMeta::default(),
        )])
        .unwrap();
    let stored = place.archive.read(&id).unwrap();
    assert_eq!(
        (texts(&stored)[1].1.as_str(), stored.messages[1].cut),
        ("half an answer", false)
    );
    conversation.truncate(2).unwrap();
    conversation
        .save(&[(
            &message(Role::Assistant, "second try"),
            &MessageMeta::default(),
        )])
        .unwrap();
    assert_eq!(
        texts(&place.archive.read(&id).unwrap()),
        [(1, "text 0".into()), (2, "second try".into())]
    );
}

/// The names and sizes of the files in the folder.
fn folder(path: &Path) -> Vec<(String, u64)> {
    let mut all: Vec<_> = fs::list(path.parent().unwrap())
        .unwrap()
        .into_iter()
        .map(|e| (e.name, e.bytes))
        .collect();
    all.sort();
    all
}

#[test]
fn checkpoint_leaves_only_the_reply() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(1);
    let path = place.archive.path(&id);
    let before = std::fs::read(&path).unwrap();
    let mut conversation = place.archive.open(&id).unwrap().conversation;
    let mut text = String::new();
    for _ in 0..100 {
        text.push_str(&"some words of it ".repeat(50));
        let partial = MessageMeta {
            partial: true,
            ..MessageMeta::default()
        };
        conversation
            .save(&[(&message(Role::Assistant, &text), &partial)])
            .unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            before,
            "the earlier conversation has changed"
        );
        let size: u64 = folder(&path).iter().map(|(_, bytes)| bytes).sum();
        let most = before.len() + 2 * text.len() + 1000;
        assert!(usize::try_from(size).unwrap() < most, "{size} of {most}");
    }
    conversation
        .save(&[(&message(Role::Assistant, &text), &MessageMeta::default())])
        .unwrap();
    let after = std::fs::read(&path).unwrap();
    assert!(
        after.starts_with(&before),
        "the earlier conversation has changed"
    );
    let lines = |bytes: &[u8]| bytes.split(|b| *b == b'\n').count();
    assert_eq!(lines(&after), lines(&before) + 1);
    assert_eq!(folder(&path).len(), 1, "{:?}", folder(&path));
    let stored = place.archive.read(&id).unwrap();
    assert!(stored.damage.is_empty() && texts(&stored)[1].1 == text);
}

#[test]
fn checkpoint_survives_a_kill_at_every_step() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(1);
    let partial = path.with_extension("partial");
    assert!(partial.to_str().unwrap().ends_with(PARTIAL_EXTENSION));
    let archive = place
        .archive
        .clone()
        .with_index(place.dir.path().join("cache/index.fernet"));
    let mut conversation = archive.open(&id).unwrap().conversation;
    let note = MessageMeta {
        partial: true,
        ..MessageMeta::default()
    };
    let mut states = Vec::new();
    let mut state = |text: &str, cut: bool| {
        states.push((
            std::fs::read(&path).unwrap(),
            std::fs::read(&partial).ok(),
            text.to_owned(),
            cut,
        ));
    };
    // Each step is atomic: a rename, one append to the conversation file, a removal.
    for text in ["half", "half an"] {
        conversation
            .save(&[(&message(Role::Assistant, text), &note)])
            .unwrap();
        state(text, true);
    }
    let checkpoint = std::fs::read(&partial).unwrap();
    conversation
        .save(&[(
            &message(Role::Assistant, "half an answer"),
            &MessageMeta::default(),
        )])
        .unwrap();
    state("half an answer", false);
    drop(conversation);
    let whole = std::fs::read(&path).unwrap();
    let before = states[0].0.len();
    // The append of the complete answer, interrupted after any number of bytes; then the partial
    // file that was not removed.
    for end in (before..whole.len()).step_by(41) {
        states.push((
            whole[..end].to_vec(),
            Some(checkpoint.clone()),
            "half an".to_owned(),
            true,
        ));
    }
    states.push((whole, Some(checkpoint), "half an answer".to_owned(), false));
    for (conversation, kept, text, cut) in states {
        fs::write(&path, &conversation).unwrap();
        fs::remove(&partial).unwrap();
        if let Some(kept) = kept {
            fs::write(&partial, &kept).unwrap();
        }
        let check = |stored: &LoadedConversation, reading: &str| {
            let expected = [(1, "text 0".to_owned()), (2, text.clone())];
            assert_eq!(
                (&texts(stored)[..2], stored.messages[1].cut),
                (&expected[..], cut),
                "{reading}"
            );
        };
        check(&archive.read(&id).unwrap(), "read");
        assert_eq!(titles(&archive), [("text 0".to_owned(), 2)]);
        assert_eq!(archive.verify().unwrap().messages, 2);
        assert_eq!(archive.export(&id).unwrap().unwrap().messages, 2);
        let wanted = SearchQuery {
            text: crate::privacy::Query::new(&text).unwrap(),
            role: None,
            since: None,
        };
        assert_eq!(archive.search(vec![id.clone()], &wanted).hits.len(), 1);
        // The next writer appends after what was saved.
        let mut opened = archive.open(&id).unwrap();
        check(&opened.stored, "open");
        assert!(!partial.exists());
        opened
            .conversation
            .save(&[(&message(Role::User, "more"), &MessageMeta::default())])
            .unwrap();
        drop(opened);
        let stored = archive.read(&id).unwrap();
        check(&stored, "open and read");
        assert_eq!(
            (texts(&stored)[2].clone(), sentences(&stored)),
            ((3, "more".to_owned()), vec![])
        );
        assert_eq!(titles(&archive), [("text 0".to_owned(), 3)]);
        fs::remove(&path.with_extension("torn")).unwrap();
    }
}

#[test]
fn checkpoint_of_other_conversation_is_damage() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(1);
    let (other, other_path) = place.conversation(1);
    let partial = |path: &Path| path.with_extension("partial");
    let note = MessageMeta {
        partial: true,
        ..MessageMeta::default()
    };
    place
        .archive
        .open(&other)
        .unwrap()
        .conversation
        .save(&[(&message(Role::Assistant, "of another"), &note)])
        .unwrap();
    for foreign in [
        std::fs::read(partial(&other_path)).unwrap(),
        b"nonsense".to_vec(),
        std::fs::read(&path).unwrap(),
    ] {
        fs::write(&partial(&path), &foreign).unwrap();
        let stored = place.archive.read(&id).unwrap();
        assert_eq!(texts(&stored), [(1, "text 0".into())]);
        assert_eq!(
            sentences(&stored),
            ["message 2: the partially saved answer is damaged"]
        );
    }
}

#[test]
fn conversation_full_refuses_question_saves_reply() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(2);
    let mut conversation = place.archive.open(&id).unwrap().conversation;
    // A sparse file: it has the length, but takes no disk space.
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(MAX_FILE_BYTES + 1)
        .unwrap();
    let refused = conversation.save(&[(&message(Role::User, "one more"), &MessageMeta::default())]);
    let Err(Error::Full { bytes, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*bytes, MAX_FILE_BYTES + 1);
    assert_eq!(
        std::fs::metadata(&path).unwrap().len(),
        MAX_FILE_BYTES + 1,
        "something was written"
    );
    conversation
        .save(&[(
            &message(Role::Assistant, "paid for"),
            &MessageMeta::default(),
        )])
        .unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > MAX_FILE_BYTES + 1);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(MAX_FILE_BYTES)
        .unwrap();
    conversation
        .save(&[(&message(Role::User, "just fits"), &MessageMeta::default())])
        .unwrap();
}

#[test]
fn conversation_rejects_token_of_other_purpose() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(1);
    let path = place.archive.path(&id);
    let forged = format!(
        r#"{{"id":"{id}","n":2,"role":"system","text":"forged","at":"2026-01-01T00:00:00Z"}}"#
    );
    for purpose in [
        Purpose::LineHistory,
        Purpose::Index,
        Purpose::ImportCopy,
        Purpose::Evidence,
        Purpose::Conversation,
    ] {
        let token = place
            .archive
            .data_keys_for(purpose)
            .unwrap()
            .encrypt(forged.as_bytes(), Time::from_millis(0));
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, [before.as_slice(), token.as_bytes(), b"\n"].concat()).unwrap();
        let stored = place.archive.read(&id).unwrap();
        // The last one shows that the record itself is acceptable.
        assert_eq!(
            stored.messages.len(),
            if purpose == Purpose::Conversation {
                2
            } else {
                1
            },
            "{purpose:?}"
        );
        assert_eq!(
            stored.damage.is_empty(),
            purpose == Purpose::Conversation,
            "{purpose:?}"
        );
        std::fs::write(&path, before).unwrap();
    }
}

#[test]
fn conversation_found_by_unique_prefix() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(1);
    assert_eq!(place.archive.find(&id.as_str()[..4]).unwrap(), id);
    assert!(matches!(place.archive.find(""), Err(Error::Ambiguous(_))));
    assert!(matches!(
        place.archive.find("../../etc/passwd"),
        Err(Error::Missing(_))
    ));
}

fn redacted(text: &str) -> crate::privacy::Redacted {
    message(Role::User, text).text
}

fn titles(archive: &Archive) -> Vec<(String, usize)> {
    let Summaries {
        summaries: found,
        unreadable: failed,
    } = archive.summaries().unwrap();
    assert!(failed.is_empty());
    found
        .into_iter()
        .map(|s| (s.header.map_or_else(String::new, |h| h.title), s.messages))
        .collect()
}

#[test]
fn index_matches_folder() {
    let place = TestArchive::new();
    let index = place.dir.path().join("cache/index.fernet");
    let archive = place.archive.clone().with_index(index.clone());
    let (id, path) = place.conversation(2);
    assert_eq!(titles(&archive), [("text 0".to_owned(), 2)]);
    let written = fs::read(&index).unwrap().unwrap();
    assert_eq!(titles(&archive), [("text 0".to_owned(), 2)]);
    assert_eq!(
        fs::read(&index).unwrap().unwrap(),
        written,
        "nothing changed, and yet it was written"
    );
    archive
        .open(&id)
        .unwrap()
        .conversation
        .save(&[(&message(Role::User, "more"), &MessageMeta::default())])
        .unwrap();
    assert_eq!(titles(&archive), [("text 0".to_owned(), 3)]);
    archive.rename(&id, &redacted("another\ttitle")).unwrap();
    assert_eq!(
        titles(&archive),
        [("another\ttitle".to_owned(), 3)],
        "read from the file"
    );
    assert_eq!(
        titles(&archive),
        [("another title".to_owned(), 3)],
        "read from the index"
    );
    for damaged in [
        &b""[..],
        b"nonsense\n",
        &written[..written.len() / 2],
        &written,
    ] {
        fs::write(&index, damaged).unwrap();
        assert_eq!(titles(&archive), [("another\ttitle".to_owned(), 3)]);
    }
    fs::remove(&path).unwrap();
    assert_eq!(titles(&archive), []);
}

#[test]
fn index_does_not_change_listing() {
    let place = TestArchive::new();
    for _ in 0..900 {
        place.conversation(1);
    }
    let archive = place
        .archive
        .clone()
        .with_index(place.dir.path().join("cache/index.fernet"));
    let ids = |archive: &Archive| {
        archive
            .summaries()
            .unwrap()
            .summaries
            .into_iter()
            .map(|s| s.id)
            .collect::<Vec<_>>()
    };
    let without = ids(&place.archive);
    assert_eq!(without.len(), 900);
    assert_eq!(ids(&archive), without);
    assert_eq!(ids(&archive), without);
}

#[test]
fn rename_repairs_damaged_header() {
    let place = TestArchive::new();
    let (id, path) = place.conversation(3);
    let before = fs::list(path.parent().unwrap()).unwrap()[0].modified_ms;
    place.archive.rename(&id, &redacted("one")).unwrap();
    let entry = fs::list(path.parent().unwrap()).unwrap().remove(0);
    assert_eq!(entry.modified_ms, before + 1);
    for damage in [
        Box::new(|l: &mut Vec<String>| l[0].replace_range(20..21, "!"))
            as Box<dyn Fn(&mut Vec<String>)>,
        Box::new(|l| drop(l.remove(0))),
    ] {
        rewrite(&path, damage);
        assert!(place.archive.header(&id).unwrap().is_none());
        place.archive.rename(&id, &redacted("two")).unwrap();
        let stored = place.archive.read(&id).unwrap();
        assert_eq!((stored.messages.len(), sentences(&stored)), (3, vec![]));
        assert_eq!(place.archive.header(&id).unwrap().unwrap().title, "two");
    }
}

#[test]
fn search_filters_by_word_role_and_date() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(4);
    let (other, path) = place.conversation(2);
    let wanted = |text: &str, role, since| SearchQuery {
        text: crate::privacy::Query::new(text).unwrap(),
        role,
        since,
    };
    let places = |wanted: &SearchQuery| {
        let searched = place.archive.search(place.archive.ids().unwrap(), wanted);
        let mut places: Vec<(Name, u32)> = searched
            .hits
            .into_iter()
            .map(|f| (f.id, f.message.n))
            .collect();
        places.sort();
        (places, searched.damaged)
    };
    let both = |n: u32| {
        let mut both = vec![(id.clone(), n), (other.clone(), n)];
        both.sort();
        both
    };
    assert_eq!(places(&wanted("TEXT 0", None, None)), (both(1), 0));
    assert_eq!(
        places(&wanted("text 3", None, None)),
        (vec![(id.clone(), 4)], 0)
    );
    assert_eq!(
        places(&wanted("text", Some(Role::System), None)),
        (vec![], 0)
    );
    assert_eq!(
        places(&wanted("/t [01]$/", Some(Role::Assistant), None)),
        (both(2), 0)
    );
    assert_eq!(
        places(&wanted(
            "text",
            None,
            Some(Time::from_millis(1_800_000_000_001))
        )),
        (vec![], 0)
    );
    rewrite(&path, |l| l[2].replace_range(20..21, "!"));
    assert_eq!(
        places(&wanted("text 1", None, None)),
        (vec![(id.clone(), 2)], 1)
    );
}

#[test]
fn conversation_partial_can_be_discarded() {
    let place = TestArchive::new();
    let (id, _) = place.conversation(1);
    let mut conversation = place.archive.open(&id).unwrap().conversation;
    conversation
        .save(&[(
            &message(Role::Assistant, "half an"),
            &MessageMeta {
                partial: true,
                ..MessageMeta::default()
            },
        )])
        .unwrap();
    conversation.discard_partial().unwrap();
    conversation.discard_partial().unwrap();
    assert_eq!(
        texts(&place.archive.read(&id).unwrap()),
        [(1, "text 0".into())]
    );
}
