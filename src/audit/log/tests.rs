//! Tests of the audit log: changes that are detected.

use crate::audit::log::*;

fn log(dir: &Path, key: Option<&str>) -> AuditLog {
    let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
    let key = key.map(|k| {
        Arc::new(AuditKey::newly_created(&crate::secret::Secret::new(
            k.to_owned(),
        )))
    });
    AuditLog::new(&dir.join("state"), clock).with_key(key)
}

/// The same with a key that was made in another run.
fn known(log: &AuditLog) -> AuditLog {
    let key = AuditKey::new(&crate::secret::Secret::new("not a real key".to_owned()));
    log.clone().with_key(Some(Arc::new(key)))
}

fn event(n: u64) -> Event {
    Event::new(EventKind::Request)
        .word("model", "maker/model-1")
        .number("prompt_tokens", n)
}

/// A log of `count` records, every third of them written without the key.
fn written(count: u64) -> (tempfile::TempDir, AuditLog, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (with, without) = (
        log(dir.path(), Some("not a real key")),
        log(dir.path(), None),
    );
    for n in 0..count {
        if n % 3 == 1 {
            without.append(&event(n))
        } else {
            with.append(&event(n))
        }
        .unwrap();
    }
    let bytes = fs::read(with.path()).unwrap().unwrap();
    (dir, with, bytes)
}

fn first_bad(log: &AuditLog) -> Option<u64> {
    log.verify().unwrap().first_bad.map(|(seq, _)| seq)
}

#[test]
fn audit_verify_accepts_own_log() {
    let (dir, with, _) = written(200);
    assert_eq!(
        with.verify().unwrap(),
        CheckReport {
            records: 200,
            signed: 133,
            keyed: 133,
            first_bad: None
        }
    );
    assert_eq!(
        log(dir.path(), None).verify().unwrap(),
        CheckReport {
            records: 200,
            signed: 133,
            keyed: 0,
            first_bad: None
        }
    );
    assert!(
        log(dir.path(), Some("another key"))
            .verify()
            .unwrap()
            .first_bad
            .is_some()
    );
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        log(empty.path(), None).verify().unwrap(),
        CheckReport::default()
    );
}

#[test]
fn audit_verify_finds_changed_byte() {
    let (_dir, with, bytes) = written(200);
    let text = String::from_utf8(bytes).unwrap();
    let head = ChainHead::read(&with.head_path()).unwrap();
    let key = AuditKey::new(&crate::secret::Secret::new("not a real key".to_owned()));
    for key in [Some(&key), None] {
        // What stands before a record is well; the look begins where it would come to the changed one.
        let mut check = ChainCheck::new(key);
        let (mut start, mut seq) = (0, 1);
        while start < text.len() {
            let before = check.clone();
            let length = text[start..].find('\n').unwrap() + 1;
            let line = &text[start..start + length];
            assert!(check.check_record(
                line,
                text.get(start + length..).and_then(|t| t.lines().next()),
                head.as_ref()
            ));
            let follows: usize = text[start..]
                .split_inclusive('\n')
                .take(4)
                .map(str::len)
                .sum();
            for at in 0..length {
                for other in [if text.as_bytes()[start + at] == b'1' {
                    b'2'
                } else {
                    b'1'
                }] {
                    let mut spoilt = text.as_bytes()[start..start + follows].to_vec();
                    if std::mem::replace(&mut spoilt[at], other) == other {
                        continue;
                    }
                    let spoilt = String::from_utf8(spoilt).unwrap();
                    let report = before.clone().check_all(&spoilt, head.as_ref());
                    // Cut off after the fourth record, the end never fits: what is asked is who is named.
                    let (named, _) = report.first_bad.unwrap();
                    assert!(
                        named == seq,
                        "byte {at} of record {seq} to {other}: {named}, key {}",
                        key.is_some()
                    );
                }
            }
            (start, seq) = (start + length, seq + 1);
        }
    }
}

#[test]
fn audit_verify_finds_removed_and_swapped_records() {
    let (dir, with, bytes) = written(200);
    let without = log(dir.path(), None);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let put = |lines: &[&[u8]]| std::fs::write(with.path(), lines.concat()).unwrap();
    for n in 0..lines.len() {
        let named = Some(n as u64 + 1);
        let mut removed = lines.clone();
        removed.remove(n);
        put(&removed);
        assert_eq!(
            (first_bad(&with), first_bad(&without)),
            (named, named),
            "record {n} removed"
        );
        put(&lines[..n]);
        assert_eq!(
            (first_bad(&with), first_bad(&without)),
            (named, named),
            "cut before {n}"
        );
        let mut repeated = lines.clone();
        repeated.insert(n, lines[n]);
        put(&repeated);
        assert_eq!(first_bad(&with), Some(n as u64 + 2), "record {n} repeated");
        if n > 0 {
            let mut swapped = lines.clone();
            swapped.swap(n - 1, n);
            put(&swapped);
            assert_eq!(first_bad(&with), Some(n as u64), "record {n} swapped");
        }
    }
    put(&lines);
    assert_eq!(first_bad(&with), None);
}

#[test]
fn audit_log_cannot_be_forged_without_key() {
    let (dir, with, bytes) = written(20);
    // Everything from record 5 on is written again without the key, the chain of hashes and the head in order.
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    std::fs::write(with.path(), lines[..4].concat()).unwrap();
    let kept = ChainHead::read(&with.head_path()).unwrap().unwrap();
    let record: AuditRecord = serde_json::from_slice(lines[3]).unwrap();
    let hash = hash(lines[3].strip_suffix(b"\n").unwrap());
    let bytes = lines[..4].concat().len() as u64;
    ChainHead {
        seq: record.seq,
        hash,
        bytes,
        ..kept
    }
    .write(&with.head_path())
    .unwrap();
    let forger = log(dir.path(), None);
    for n in 4..20 {
        forger.append(&event(n + 1000)).unwrap();
    }
    assert_eq!(first_bad(&forger), None);
    assert!(first_bad(&with).is_some());
    // Nor does it help to let the head go.
    fs::remove(&with.head_path()).unwrap();
    assert!(first_bad(&with).is_some());
}

#[test]
fn audit_verify_finds_a_record_with_a_foreign_mac() {
    let (_dir, log, bytes) = written(3);
    let last = bytes.split_inclusive(|b| *b == b'\n').next_back().unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(last).unwrap();
    record["seq"] = 4.into();
    record["prev"] = hash(last.strip_suffix(b"\n").unwrap()).into();
    record["mac"] = "0".repeat(64).into();
    // The head does not know it, as after a crash: only the MAC tells that it was not written here.
    let added = format!("{record}\n");
    std::fs::write(log.path(), [&bytes, added.as_bytes()].concat()).unwrap();
    assert_eq!(first_bad(&log), Some(4));
}

/// The lines of a log as an attacker without the key would write them: no MACs, matching hashes and a matching end.
fn forged(
    log: &AuditLog,
    lines: &[&[u8]],
    keyed: impl FnOnce(&ChainHead) -> Option<KeyedCheckpoint>,
) {
    let mut prev = GENESIS_HASH.to_owned();
    let mut text = String::new();
    for line in lines {
        let mut record: serde_json::Value = serde_json::from_slice(line).unwrap();
        record["prev"] = prev.clone().into();
        record["mac"] = serde_json::Value::Null;
        record["details"]["model"] = "forged".into();
        let line = record.to_string();
        prev = hash(line.as_bytes());
        text += &line;
        text.push('\n');
    }
    std::fs::write(log.path(), &text).unwrap();
    let kept = ChainHead::read(&log.head_path()).unwrap().unwrap();
    let keyed = keyed(&kept);
    ChainHead {
        seq: lines.len() as u64,
        hash: prev,
        bytes: text.len() as u64,
        keyed,
        ..kept
    }
    .write(&log.head_path())
    .unwrap();
}

#[test]
fn audit_next_record_does_not_bless_forgery() {
    type Tampering = fn(&AuditLog, &[&[u8]]);
    let tamperings: [(&str, Tampering); 6] = [
        ("cut", |log, lines| {
            let bytes = lines[..7].concat();
            std::fs::write(log.path(), &bytes).unwrap();
            let kept = ChainHead::read(&log.head_path()).unwrap().unwrap();
            let hash = hash(lines[6].strip_suffix(b"\n").unwrap());
            ChainHead {
                seq: 7,
                hash,
                bytes: bytes.len() as u64,
                ..kept
            }
            .write(&log.head_path())
            .unwrap();
        }),
        ("edited, the old checkpoint", |log, lines| {
            forged(log, lines, |head| head.keyed.clone());
        }),
        ("edited, no checkpoint", |log, lines| {
            forged(log, lines, |_| None);
        }),
        ("no head", |log, _| {
            fs::remove(&log.head_path()).unwrap();
        }),
        ("cut and no head", |log, lines| {
            std::fs::write(log.path(), lines[..7].concat()).unwrap();
            fs::remove(&log.head_path()).unwrap();
        }),
        ("gone", |log, _| {
            fs::remove(log.path()).unwrap();
            fs::remove(&log.head_path()).unwrap();
        }),
    ];
    for (what, tamper) in tamperings {
        let (_dir, with, bytes) = written(10);
        let log = known(&with);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        tamper(&with, &lines);
        assert!(first_bad(&log).is_some(), "{what}: at once");
        log.append(&event(11)).unwrap();
        log.append(&event(12)).unwrap();
        assert!(first_bad(&log).is_some(), "{what}: after the next records");
        log.append(&Event::new(EventKind::Verified).number("first_bad", 3))
            .unwrap();
        assert!(first_bad(&log).is_some(), "{what}: after a look");
        let mut broken = 0;
        log.read(|r, _| broken += usize::from(r.event == EventKind::Broken.name()))
            .unwrap();
        assert_eq!(broken, 1, "{what}");
    }
}

#[test]
fn audit_acknowledged_damage_is_past() {
    let (dir, with, _) = written(10);
    fs::remove(&with.head_path()).unwrap();
    let log = known(&with);
    log.append(&event(11)).unwrap();
    let acknowledged = Event::new(EventKind::AlertAcknowledged)
        .number("alerts", 1)
        .flag("log", true);
    tests::log(dir.path(), None).append(&acknowledged).unwrap();
    assert!(first_bad(&log).is_some(), "anybody could have written that");
    log.append(&acknowledged).unwrap();
    assert_eq!(first_bad(&log), None);
}

#[test]
fn audit_unfinished_line_costs_only_itself() {
    let (_dir, with, bytes) = written(5);
    std::fs::write(
        with.path(),
        [bytes.as_slice(), b"{\"seq\":6,\"at\":\"20"].concat(),
    )
    .unwrap();
    with.append(&event(6)).unwrap();
    assert_eq!(with.verify().unwrap().records, 6);
    assert_eq!(first_bad(&with), None);
}

#[test]
fn audit_record_without_head_is_adopted() {
    let (dir, with, _) = written(5);
    let head = fs::read(&with.head_path()).unwrap().unwrap();
    with.append(&event(6)).unwrap();
    fs::write(&with.head_path(), &head).unwrap();
    assert_eq!(first_bad(&with), None, "a process died between the two");
    log(dir.path(), Some("not a real key"))
        .append(&event(7))
        .unwrap();
    assert_eq!(
        with.verify().unwrap(),
        CheckReport {
            records: 7,
            signed: 5,
            keyed: 5,
            first_bad: None
        }
    );
}

#[test]
fn audit_truncated_tail_stays_reported() {
    let (_dir, with, bytes) = written(10);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    std::fs::write(with.path(), lines[..8].concat()).unwrap();
    with.append(&event(11)).unwrap();
    assert_eq!(first_bad(&with), Some(9));
    let mut records = Vec::new();
    with.read(|r, _| {
        records.push((
            r.seq,
            r.event.clone(),
            r.number("expected"),
            r.number("found"),
        ));
    })
    .unwrap();
    assert_eq!(
        records[8],
        (11, "audit.broken".to_owned(), Some(10), Some(8))
    );
    assert_eq!((records[9].0, records.len()), (12, 10));
}

#[test]
fn audit_chain_continues_in_next_file() {
    let (dir, with, _) = written(3);
    let long = Event::new(EventKind::Request).word("model", &"x".repeat(128));
    let long = (0..90).fold(long, |e, _| e.word("again", &"y".repeat(128)));
    while with.files().unwrap().len() < 3 {
        with.append(&long).unwrap();
    }
    let report = with.verify().unwrap();
    assert_eq!(report.first_bad, None);
    let mut seqs = Vec::new();
    with.read(|r, _| seqs.push(r.seq)).unwrap();
    assert_eq!(seqs, (1..=report.records).collect::<Vec<_>>());
    let mut after = Vec::new();
    assert!(
        with.read_after(report.records - 3, "", |r, _| after.push(r.seq))
            .unwrap()
    );
    assert_eq!(
        after,
        [report.records - 2, report.records - 1, report.records]
    );
    // A file that is missing is missed.
    let first = with.files().unwrap()[0].clone();
    fs::remove(&first).unwrap();
    assert_eq!(first_bad(&with), Some(1));
    drop(dir);
}

#[test]
fn audit_chain_with_many_writers() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let dir = dir.path();
            scope.spawn(move || {
                let log = log(dir, (n % 2 == 0).then_some("not a real key"));
                (0..25).for_each(|i| log.append(&event(i)).unwrap());
            });
        }
    });
    let report = log(dir.path(), Some("not a real key")).verify().unwrap();
    assert_eq!((report.records, report.first_bad), (200, None));
}

#[test]
fn audit_records_written_together_are_one_chain() {
    let (dir, with, _) = written(3);
    let other = log(dir.path(), Some("not a real key"));
    let events: Vec<Event> = (0..300).map(event).collect();
    with.append_all(&events).unwrap();
    other.append_all(&events[..2]).unwrap();
    with.append_all(&[]).unwrap();
    with.append_all(&events[..2]).unwrap();
    let report = with.verify().unwrap();
    assert_eq!((report.records, report.first_bad), (307, None));
    // A crash after the records and before the head.
    let head = std::fs::read(with.head_path()).unwrap();
    let before = with.clone();
    before
        .append_all(&events[..MAX_RECORDS_AT_ONCE - 1])
        .unwrap();
    std::fs::write(with.head_path(), &head).unwrap();
    assert_eq!(first_bad(&other), None);
    with.append(&event(1)).unwrap();
    let report = other.verify().unwrap();
    assert_eq!((report.records, report.first_bad), (435, None));
}

#[test]
fn audit_change_of_the_last_record_is_found_by_the_process_that_wrote_it() {
    let (_dir, with, _) = written(3);
    with.append(&event(7)).unwrap();
    let text = fs::read(with.path()).unwrap().unwrap();
    let text = String::from_utf8(text).unwrap();
    let (before, last) = text.split_at(text.rfind("{\"seq\":4").unwrap());
    let changed = last.replace("\"prompt_tokens\":7", "\"prompt_tokens\":8");
    assert_ne!(last, changed);
    // In place: the file stays the same one, and as long as it was.
    std::fs::write(with.path(), format!("{before}{changed}")).unwrap();
    with.append(&event(8)).unwrap();
    let mut broken = 0;
    with.read(|record, _| broken += usize::from(record.event == EventKind::Broken.name()))
        .unwrap();
    assert_eq!((broken, first_bad(&with)), (1, Some(4)));
}
