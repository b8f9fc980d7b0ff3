//! Money in the hands of several, of the dead, and of those who change the clock.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const NOON: i64 = 1_800_000_000_000;

fn purse(dir: &Path, clock: &Clock, caps: Caps) -> Purse {
    let state = dir.join("state");
    Purse::new(&state, Audit::new(&state, clock.clone()), clock.clone(), caps)
}

fn intent() -> Intent {
    Intent { provider: "p".to_owned(), profile: "default".to_owned(), model: "m".to_owned(), conversation: None }
}

fn entry(clock: &Clock, nanos: Option<i64>) -> Entry {
    Entry {
        at: clock.now(),
        provider: "p".to_owned(),
        profile: "default".to_owned(),
        model: "m".to_owned(),
        conversation: None,
        prompt: 10,
        completion: 5,
        nanos,
        estimated: false,
        correction: false,
        was_unknown: false,
    }
}

fn day(limit: i64) -> Caps {
    Caps { per_day: Some(limit), ..Caps::default() }
}

fn spent(purse: &Purse) -> (i64, i64) {
    let fill = purse.standing(Own::default()).unwrap()[0];
    (fill.spent, fill.held)
}

fn place() -> (tempfile::TempDir, Clock) {
    (tempfile::tempdir().unwrap(), Clock::fixed(Time::from_millis(NOON)))
}

#[test]
fn what_is_set_aside_cannot_be_spent_twice() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    let first = purse.reserve(&intent(), 40, 60, Own::default()).unwrap();
    let second = purse.reserve(&intent(), 40, 60, Own::default()).unwrap();
    assert_eq!((first.nanos, second.nanos), (60, 40));
    let refused = purse.reserve(&intent(), 1, 60, Own::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "budget of $0.0000001 for today reached: $0.00 spent and $0.0000001 reserved for running requests, and this request may cost up to $0.000000001"
    );
    let fills = purse.settle(Some(&first.hold), &entry(&clock, Some(25)), None, Own::default()).unwrap();
    assert_eq!((fills[0].spent, fills[0].held, fills[0].room(), fills[0].is_high()), (25, 40, 35, false));
    purse.release(&second.hold).unwrap();
    assert_eq!(spent(&purse), (25, 0));
}

#[test]
fn every_span_has_its_own_limit_and_the_tightest_counts() {
    let (dir, clock) = place();
    let caps = Caps { per_day: Some(100), per_month: Some(1000), per_conversation: Some(50), per_command: Some(30) };
    let purse = purse(dir.path(), &clock, caps);
    let span = |own| match purse.reserve(&intent(), 20, 20, own) {
        Ok(grant) => {
            purse.release(&grant.hold).unwrap();
            None
        }
        Err(Error::Spent { fill, .. }) => Some(fill.span),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(span(Own::default()), None);
    assert_eq!(span(Own { conversation: 0, command: 11 }), Some(Span::Command));
    assert_eq!(span(Own { conversation: 31, command: 0 }), Some(Span::Conversation));
    purse.settle(None, &entry(&clock, Some(81)), None, Own::default()).unwrap();
    assert_eq!(span(Own::default()), Some(Span::Day));
    clock.set(clock.now().plus(Duration::from_secs(86_400)));
    assert_eq!(span(Own::default()), None);
    purse.settle(None, &entry(&clock, Some(901)), None, Own::default()).unwrap();
    clock.set(clock.now().plus(Duration::from_secs(86_400)));
    assert_eq!(span(Own::default()), Some(Span::Month));
    clock.set(clock.now().plus(Duration::from_secs(32 * 86_400)));
    assert_eq!(span(Own::default()), None);
}

#[test]
fn what_the_dead_had_set_aside_counts_as_spent_and_is_mended_if_they_were_only_slow() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    let slow = purse.reserve(&intent(), 60, 60, Own::default()).unwrap();
    clock.set(clock.now().plus(Duration::from_secs(899)));
    assert!(purse.reserve(&intent(), 60, 60, Own::default()).is_err());
    assert_eq!(spent(&purse), (0, 60));
    clock.set(clock.now().plus(Duration::from_secs(1)));
    assert!(purse.reserve(&intent(), 60, 60, Own::default()).is_err());
    assert_eq!(spent(&purse), (60, 0));
    purse.settle(Some(&slow.hold), &entry(&clock, Some(7)), None, Own::default()).unwrap();
    assert_eq!(spent(&purse), (7, 0));
}

#[test]
fn the_sums_survive_whatever_happens_to_their_file() {
    for spoil in [None, Some(&b""[..]), Some(b"{}"), Some(b"{\"counted\":0}\nabc\n"), Some(&[0xff; 100])] {
        let (dir, clock) = place();
        let purse = purse(dir.path(), &clock, day(100));
        purse.settle(None, &entry(&clock, Some(30)), None, Own::default()).unwrap();
        purse.settle(None, &entry(&clock, Some(40)), None, Own::default()).unwrap();
        let tally = dir.path().join("state/tally");
        match spoil {
            None => drop(disk::remove(&tally).unwrap()),
            Some(bytes) => disk::write(&tally, bytes).unwrap(),
        }
        let error = purse.reserve(&intent(), 31, 31, Own::default()).unwrap_err();
        assert!(matches!(error, Error::Spent { fill: Fill { spent: 70, .. }, .. }), "{spoil:?} {error}");
    }
    // A changed digit is a damage too.
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    purse.settle(None, &entry(&clock, Some(70)), None, Own::default()).unwrap();
    let tally = dir.path().join("state/tally");
    let text = String::from_utf8(disk::read(&tally).unwrap().unwrap()).unwrap();
    disk::write(&tally, text.replace("\"nanos\":70", "\"nanos\":10").as_bytes()).unwrap();
    assert!(purse.reserve(&intent(), 31, 31, Own::default()).is_err());
}

#[test]
fn a_record_that_became_shorter_gives_no_money_back() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    purse.settle(None, &entry(&clock, Some(70)), None, Own::default()).unwrap();
    disk::remove(&dir.path().join("state/usage.jsonl")).unwrap();
    assert!(purse.reserve(&intent(), 31, 31, Own::default()).is_err());
}

#[test]
fn an_entry_that_never_reached_the_sums_is_counted_from_the_record() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    purse.settle(None, &entry(&clock, Some(30)), None, Own::default()).unwrap();
    Usage::new(&dir.path().join("state")).add(&[entry(&clock, Some(45))]).unwrap();
    assert_eq!(spent(&purse), (75, 0));
}

#[test]
fn the_clock_set_forward_finds_another_day_and_set_back_gives_nothing_back() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    purse.settle(None, &entry(&clock, Some(70)), None, Own::default()).unwrap();
    let today = clock.now();
    for (off, expected) in [(3600, 70), (-3600, 70), (86_400, 0), (-86_400, 70), (0, 70)] {
        clock.set(Time::from_millis(today.millis() + off * 1000));
        assert_eq!(spent(&purse).0, expected, "{off}");
        let grant = purse.reserve(&intent(), 1, 1, Own::default()).unwrap();
        purse.release(&grant.hold).unwrap();
    }
}

#[test]
fn an_estimate_is_mended_by_the_provider_s_own_figure() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    let stopped = Entry { estimated: true, ..entry(&clock, Some(50)) };
    purse.settle(None, &stopped, Some("gen-1"), Own::default()).unwrap();
    purse.settle(None, &entry(&clock, Some(1)), Some("gen-2"), Own::default()).unwrap();
    assert!(purse.pending("q", "default").unwrap().is_empty());
    let pending = purse.pending("p", "default").unwrap();
    assert_eq!(pending.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["gen-1"]);
    assert!(purse.correct(&pending[0], 12, 3, 20).unwrap());
    // Another process had asked as well.
    assert!(!purse.correct(&pending[0], 12, 3, 20).unwrap());
    assert_eq!(spent(&purse), (21, 0));
    assert!(purse.pending("p", "default").unwrap().is_empty());
    let mut sum = crate::ledger::usage::Sum::default();
    Usage::new(&dir.path().join("state")).read(Time::from_millis(0), |e| sum.add(&e)).unwrap();
    assert_eq!((sum.requests, sum.prompt, sum.completion, sum.nanos, sum.estimated), (2, 22, 8, 21, 0));
}

#[test]
fn a_cost_that_was_not_known_is_known_when_it_is_mended() {
    let (dir, clock) = place();
    let purse = purse(dir.path(), &clock, day(100));
    purse.settle(None, &entry(&clock, None), Some("gen-1"), Own::default()).unwrap();
    let pending = purse.pending("p", "default").unwrap();
    assert!(purse.correct(&pending[0], 12, 3, 20).unwrap());
    let mut sum = crate::ledger::usage::Sum::default();
    Usage::new(&dir.path().join("state")).read(Time::from_millis(0), |e| sum.add(&e)).unwrap();
    assert_eq!((sum.requests, sum.nanos, sum.estimated, sum.unknown), (1, 20, 0, 0));
    assert_eq!(purse.spent().unwrap()[0], (20, 1, 0));
}

#[test]
fn many_at_once_get_exactly_what_there_is() {
    let (dir, clock) = place();
    let granted = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let purse = purse(dir.path(), &clock, day(1000));
                for _ in 0..100 {
                    if let Ok(grant) = purse.reserve(&intent(), 7, 7, Own::default()) {
                        purse.settle(Some(&grant.hold), &entry(&clock, Some(7)), None, Own::default()).unwrap();
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(granted.load(Ordering::SeqCst), 1000 / 7);
}

#[test]
fn budget_period_ends_no_sooner_than_a_day_after_the_one_before_whatever_midnight_is_said_to_be() {
    use super::super::tally::Period;
    let at = |hours: u64| Time::from_millis(1_800_000_000_000).plus(Duration::from_secs(hours * 3600));
    let day = Duration::from_secs(23 * 3600);
    // Whoever asks says that midnight was just now and is again in an hour.
    let (mut period, mut begun) = (Period::default(), Vec::new());
    for hour in 0..24 * 10 {
        let before = period.until;
        period.roll(at(hour), day, at(hour), |now| now.plus(Duration::from_secs(3600)));
        if period.until != before {
            begun.push(hour);
        }
    }
    // The first may be short; from then on there is one a day.
    assert!(begun.len() <= 12 && begun.windows(2).skip(1).all(|pair| pair[1] - pair[0] >= 23), "{begun:?}");
}
