//! Tests of the rate windows.

use super::*;
use crate::fs::Appender;

fn limiter(per_minute: u32, per_hour: u32) -> (tempfile::TempDir, Limiter) {
    let dir = tempfile::tempdir().unwrap();
    let limiter = Limiter::new(dir.path().join("state/requests"), per_minute, per_hour);
    (dir, limiter)
}

fn wall(seconds: i64) -> Time {
    Time::from_millis(1_800_000_000_000 + seconds * 1000)
}

/// Only the wall clock is there.
fn at(seconds: i64) -> Moment {
    Moment {
        wall: wall(seconds),
        uptime: None,
    }
}

/// Both clocks are there, and the wall clock is off by so much.
fn both(seconds: i64, off: i64) -> Moment {
    Moment {
        wall: wall(seconds + off),
        uptime: Some(Uptime {
            boot_id: 7,
            millis: 50_000 + seconds * 1000,
        }),
    }
}

fn waits(limiter: &Limiter, now: Moment) -> Option<u64> {
    match limiter.acquire(now, &|_| Vec::new()) {
        Ok(_) => None,
        Err(Error::Full { wait, .. }) => Some(wait.as_secs()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn limiter_windows_slide() {
    let (_dir, limiter) = limiter(2, 3);
    assert_eq!(waits(&limiter, at(0)), None);
    assert_eq!(waits(&limiter, at(10)), None);
    assert_eq!(waits(&limiter, at(20)), Some(40));
    assert_eq!(waits(&limiter, at(59)), Some(1));
    assert_eq!(waits(&limiter, at(60)), None);
    assert_eq!(waits(&limiter, at(130)), Some(3470));
    assert_eq!(waits(&limiter, at(3599)), Some(1));
    assert_eq!(waits(&limiter, at(3600)), None);
}

#[test]
fn limiter_ignores_wall_clock_changes() {
    for off in [-86_400, -3600, 3600, 86_400] {
        let (_dir, limiter) = limiter(2, 3);
        assert_eq!(waits(&limiter, both(0, 0)), None);
        assert_eq!(waits(&limiter, both(10, 0)), None);
        assert_eq!(waits(&limiter, both(20, off)), Some(40), "{off}");
        assert_eq!(waits(&limiter, both(59, off)), Some(1), "{off}");
        assert_eq!(waits(&limiter, both(60, off)), None, "{off}");
        assert_eq!(waits(&limiter, both(130, 0)), Some(3470), "{off}");
        assert_eq!(waits(&limiter, both(3600, off)), None, "{off}");
    }
}

#[test]
fn limiter_clock_set_back_locks_out_one_window() {
    for off in [3600, 86_400] {
        let (_dir, limiter) = limiter(1, 100);
        assert_eq!(waits(&limiter, at(off)), None);
        assert_eq!(waits(&limiter, at(0)), Some(60));
        assert_eq!(waits(&limiter, at(30)), Some(30));
        assert_eq!(waits(&limiter, at(60)), None);
    }
}

#[test]
fn limiter_after_reboot_uses_uptime() {
    let (_dir, limiter) = limiter(1, 100);
    assert_eq!(waits(&limiter, both(0, 86_400)), None);
    let later = |millis, off| Moment {
        wall: wall(off),
        uptime: Some(Uptime { boot_id: 8, millis }),
    };
    // The wall clock was a day ahead before the start: only what runs now tells the time.
    assert_eq!(waits(&limiter, later(20_000, 20)), Some(40));
    assert_eq!(waits(&limiter, later(60_000, 60)), None);
}

#[test]
fn limiter_drops_torn_line() {
    let (dir, limiter) = limiter(2, 3);
    assert_eq!(waits(&limiter, at(0)), None);
    Appender::open(&dir.path().join("state/requests"))
        .unwrap()
        .append(b"18000")
        .unwrap();
    assert_eq!(waits(&limiter, at(1)), None);
    assert_eq!(waits(&limiter, at(2)), Some(58));
    assert_eq!(
        fs::read(&dir.path().join("state/requests"))
            .unwrap()
            .unwrap()
            .len(),
        2 * LINE_BYTES
    );
}

#[test]
fn limiter_rebuilds_damaged_state() {
    let seen = |since: Time| {
        [wall(-4000), wall(0), wall(1)]
            .into_iter()
            .filter(|t| *t >= since)
            .collect::<Vec<_>>()
    };
    for spoil in [
        "",
        "what is this?\n",
        "1800000000000 00000000 000000000000x\n",
        "gone",
    ] {
        let (dir, limiter) = limiter(2, 10);
        let path = dir.path().join("state/requests");
        match spoil {
            "gone" => drop(fs::remove(&path)),
            other => fs::write(&path, other.repeat(3).as_bytes()).unwrap(),
        }
        match limiter.acquire(at(20), &seen) {
            Err(Error::Full { wait, usage: level }) => {
                assert_eq!((wait.as_secs(), level.used), (40, 2), "{spoil:?}");
            }
            other => panic!("{spoil:?} {other:?}"),
        }
        assert_eq!(
            limiter
                .acquire(at(70), &|_| panic!("it was written again"))
                .unwrap()
                .rebuilt,
            None
        );
    }
    let (_dir, limiter) = limiter(9, 9);
    let passed = limiter.acquire(at(20), &seen).unwrap();
    assert_eq!((passed.rebuilt, passed.windows[1].used), (Some(2), 3));
}

#[test]
fn older_copy_of_the_file_is_raised_to_its_mark() {
    let (dir, limiter) = limiter(9, 9);
    let path = dir.path().join("state/requests");
    let none = |_: Time| Vec::new();
    assert_eq!(limiter.mark(at(0)).unwrap(), None);
    limiter.acquire(at(0), &none).unwrap();
    let copy = fs::read(&path).unwrap().unwrap();
    limiter.acquire(at(10), &none).unwrap();
    limiter.acquire(at(20), &none).unwrap();
    let mark = limiter.mark(at(20)).unwrap().unwrap();
    assert_eq!(limiter.raise_to(&mark, at(30), &none).unwrap(), 0);
    fs::write(&path, &copy).unwrap();
    assert_eq!(limiter.raise_to(&mark, at(30), &none).unwrap(), 2);
    let levels = limiter.usage(at(30), &none).unwrap();
    assert_eq!(levels.map(|l| l.used), [3, 3]);
    assert_eq!(limiter.raise_to(&mark, at(30), &none).unwrap(), 0);
    // An hour later none of them is in a window.
    fs::remove(&path).unwrap();
    assert_eq!(limiter.raise_to(&mark, at(3620), &none).unwrap(), 0);
    assert_eq!(limiter.raise_to(&mark, at(3619), &none).unwrap(), 3);
}

#[test]
fn limiter_first_run_is_not_damage() {
    let (_dir, limiter) = limiter(9, 9);
    assert_eq!(
        limiter.acquire(at(0), &|_| Vec::new()).unwrap().rebuilt,
        None
    );
}

#[test]
fn limiter_removes_expired_lines() {
    let (dir, limiter) = limiter(1_000_000, 1_000_000);
    let old: String = (0..2 * i64::try_from(COMPACT_AFTER_LINES).unwrap())
        .map(|i| format_line(at(i / 1000)))
        .collect();
    fs::write(&dir.path().join("state/requests"), old.as_bytes()).unwrap();
    assert_eq!(waits(&limiter, at(10_000)), None);
    assert_eq!(
        fs::read(&dir.path().join("state/requests"))
            .unwrap()
            .unwrap()
            .len(),
        LINE_BYTES
    );
}

#[test]
fn limiter_admits_the_first_requests_of_a_batch() {
    let (dir, limiter) = limiter(5, 100);
    let none = |_: Time| Vec::new();
    let take = |many, second| {
        let batch = limiter.acquire_up_to(many, at(second), &none).unwrap();
        let wait = batch.refusal().and_then(|refusal| refusal.wait());
        let used = batch.admitted.windows.map(|window| window.used);
        (batch.count, used, wait.map(|wait| wait.as_secs()))
    };
    assert_eq!(take(3, 0), (3, [3, 3], None));
    assert_eq!(take(4, 10), (2, [5, 5], Some(50)));
    assert_eq!(take(1, 20), (0, [5, 5], Some(40)));
    assert_eq!(take(4, 60), (3, [5, 8], Some(10)));
    let file = fs::read(&dir.path().join("state/requests")).unwrap();
    assert_eq!(file.unwrap().len(), 8 * LINE_BYTES);
}

#[test]
fn limiter_counts_requests_of_other_processes_before_the_next() {
    let (dir, own) = limiter(6, 100);
    let path = dir.path().join("state/requests");
    let other = Limiter::new(path.clone(), 6, 100);
    let none = |_: Time| Vec::new();
    let used = |limiter: &Limiter, now| {
        let admitted = limiter.acquire(now, &none).map(|admitted| admitted.windows);
        admitted.map_or(0, |windows| windows[0].used)
    };
    for (limiter, second, expected) in [(&own, 0, 1), (&other, 1, 2), (&other, 2, 3), (&own, 3, 4)]
    {
        assert_eq!(used(limiter, both(second, 0)), expected);
    }
    // A file that was put back, damaged or removed is read again as a whole.
    let copy = fs::read(&path).unwrap().unwrap();
    assert_eq!(used(&other, both(4, 0)), 5);
    fs::write(&path, &copy).unwrap();
    assert_eq!(used(&own, both(5, 0)), 5);
    Appender::open(&path).unwrap().append(b"18000").unwrap();
    assert_eq!(used(&own, both(6, 0)), 6);
    assert_eq!(used(&own, both(7, 0)), 0);
    fs::remove(&path).unwrap();
    assert_eq!(used(&own, both(8, 0)), 1);
    // So is one that was read before the clock was set.
    assert_eq!(used(&own, both(9, 7200)), 2);
    assert_eq!(used(&other, both(10, 0)), 3);
}
