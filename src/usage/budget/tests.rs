//! Tests of budgets: several processes, killed processes, a changed clock.

use crate::usage::budget::*;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const NOON: i64 = 1_800_000_000_000;

fn budget(dir: &Path, clock: &Clock, limits: BudgetLimits) -> BudgetTracker {
    let state = dir.join("state");
    BudgetTracker::new(
        &state,
        AuditLog::new(&state, clock.clone()),
        clock.clone(),
        limits,
    )
}

fn intent() -> ReservationRequest {
    ReservationRequest {
        provider: "p".to_owned(),
        profile: "default".to_owned(),
        model: "m".to_owned(),
        conversation: None,
    }
}

fn entry(clock: &Clock, nanos: Option<i64>) -> UsageEntry {
    UsageEntry {
        at: clock.now(),
        provider: "p".to_owned(),
        profile: "default".to_owned(),
        model: "m".to_owned(),
        conversation: None,
        prompt: 10,
        completion: 5,
        ms: Some(1_500),
        first_token_ms: Some(400),
        nanos,
        estimated: false,
        correction: false,
        was_unknown: false,
    }
}

fn day(limit: i64) -> BudgetLimits {
    BudgetLimits {
        per_day: Some(limit),
        ..BudgetLimits::default()
    }
}

fn spent(budget: &BudgetTracker) -> (i64, i64) {
    let status = budget.status(SessionSpend::default()).unwrap()[0];
    (status.spent, status.held)
}

fn place() -> (tempfile::TempDir, Clock) {
    (
        tempfile::tempdir().unwrap(),
        Clock::fixed(Time::from_millis(NOON)),
    )
}

#[test]
fn budget_hold_cannot_be_spent_twice() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    let first = tracker
        .reserve(&intent(), 40, 60, SessionSpend::default())
        .unwrap();
    let second = tracker
        .reserve(&intent(), 40, 60, SessionSpend::default())
        .unwrap();
    assert_eq!((first.nanos, second.nanos), (60, 40));
    let refused = tracker
        .reserve(&intent(), 1, 60, SessionSpend::default())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "budget of $0.0000001 for today reached: $0.00 spent and $0.0000001 reserved for running requests, and this request may cost up to $0.000000001"
    );
    let budgets = tracker
        .commit(
            Some(&first.hold),
            &entry(&clock, Some(25)),
            None,
            SessionSpend::default(),
        )
        .unwrap()
        .budgets;
    assert_eq!(
        (
            budgets[0].spent,
            budgets[0].held,
            budgets[0].remaining(),
            budgets[0].is_high()
        ),
        (25, 40, 35, false)
    );
    tracker.release(&second.hold).unwrap();
    assert_eq!(spent(&tracker), (25, 0));
}

#[test]
fn budget_tightest_period_counts() {
    let (dir, clock) = place();
    let limits = BudgetLimits {
        per_day: Some(100),
        per_month: Some(1000),
        per_conversation: Some(50),
        per_command: Some(30),
    };
    let tracker = budget(dir.path(), &clock, limits);
    let span = |own| match tracker.reserve(&intent(), 20, 20, own) {
        Ok(reservation) => {
            tracker.release(&reservation.hold).unwrap();
            None
        }
        Err(Error::Spent { status: fill, .. }) => Some(fill.span),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(span(SessionSpend::default()), None);
    assert_eq!(
        span(SessionSpend {
            conversation: 0,
            command: 11
        }),
        Some(Period::Command)
    );
    assert_eq!(
        span(SessionSpend {
            conversation: 31,
            command: 0
        }),
        Some(Period::Conversation)
    );
    tracker
        .commit(
            None,
            &entry(&clock, Some(81)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    assert_eq!(span(SessionSpend::default()), Some(Period::Day));
    clock.set(clock.now().saturating_add(Duration::from_secs(86_400)));
    assert_eq!(span(SessionSpend::default()), None);
    tracker
        .commit(
            None,
            &entry(&clock, Some(901)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    clock.set(clock.now().saturating_add(Duration::from_secs(86_400)));
    assert_eq!(span(SessionSpend::default()), Some(Period::Month));
    clock.set(clock.now().saturating_add(Duration::from_secs(32 * 86_400)));
    assert_eq!(span(SessionSpend::default()), None);
}

#[test]
fn budget_stale_hold_counts_as_spent() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    let slow = tracker
        .reserve(&intent(), 60, 60, SessionSpend::default())
        .unwrap();
    clock.set(clock.now().saturating_add(Duration::from_secs(899)));
    assert!(
        tracker
            .reserve(&intent(), 60, 60, SessionSpend::default())
            .is_err()
    );
    assert_eq!(spent(&tracker), (0, 60));
    clock.set(clock.now().saturating_add(Duration::from_secs(1)));
    assert!(
        tracker
            .reserve(&intent(), 60, 60, SessionSpend::default())
            .is_err()
    );
    assert_eq!(spent(&tracker), (60, 0));
    tracker
        .commit(
            Some(&slow.hold),
            &entry(&clock, Some(7)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    assert_eq!(spent(&tracker), (7, 0));
}

#[test]
fn budget_totals_are_rebuilt() {
    for spoil in [
        None,
        Some(&b""[..]),
        Some(b"{}"),
        Some(b"{\"counted\":0}\nabc\n"),
        Some(&[0xff; 100]),
    ] {
        let (dir, clock) = place();
        let tracker = budget(dir.path(), &clock, day(100));
        tracker
            .commit(
                None,
                &entry(&clock, Some(30)),
                None,
                SessionSpend::default(),
            )
            .unwrap();
        tracker
            .commit(
                None,
                &entry(&clock, Some(40)),
                None,
                SessionSpend::default(),
            )
            .unwrap();
        let totals = dir.path().join("state/tally");
        match spoil {
            None => drop(fs::remove(&totals).unwrap()),
            Some(bytes) => fs::write(&totals, bytes).unwrap(),
        }
        let error = tracker
            .reserve(&intent(), 31, 31, SessionSpend::default())
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Spent {
                    status: BudgetStatus { spent: 70, .. },
                    ..
                }
            ),
            "{spoil:?} {error}"
        );
    }
    // A changed digit is a damage too.
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    tracker
        .commit(
            None,
            &entry(&clock, Some(70)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    let totals = dir.path().join("state/tally");
    let text = String::from_utf8(fs::read(&totals).unwrap().unwrap()).unwrap();
    fs::write(
        &totals,
        text.replace("\"nanos\":70", "\"nanos\":10").as_bytes(),
    )
    .unwrap();
    assert!(
        tracker
            .reserve(&intent(), 31, 31, SessionSpend::default())
            .is_err()
    );
}

#[test]
fn budget_shorter_usage_log_returns_nothing() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    tracker
        .commit(
            None,
            &entry(&clock, Some(70)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    fs::remove(&dir.path().join("state/usage.jsonl")).unwrap();
    assert!(
        tracker
            .reserve(&intent(), 31, 31, SessionSpend::default())
            .is_err()
    );
}

#[test]
fn budget_missing_entry_is_counted() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    tracker
        .commit(
            None,
            &entry(&clock, Some(30)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    UsageLog::new(&dir.path().join("state"))
        .append(&[entry(&clock, Some(45))])
        .unwrap();
    assert_eq!(spent(&tracker), (75, 0));
}

#[test]
fn budget_clock_changes_return_nothing() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    tracker
        .commit(
            None,
            &entry(&clock, Some(70)),
            None,
            SessionSpend::default(),
        )
        .unwrap();
    let today = clock.now();
    for (off, expected) in [(3600, 70), (-3600, 70), (86_400, 0), (-86_400, 70), (0, 70)] {
        clock.set(Time::from_millis(today.millis() + off * 1000));
        assert_eq!(spent(&tracker).0, expected, "{off}");
        let reservation = tracker
            .reserve(&intent(), 1, 1, SessionSpend::default())
            .unwrap();
        tracker.release(&reservation.hold).unwrap();
    }
}

#[test]
fn budget_estimate_is_corrected() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    let stopped = UsageEntry {
        estimated: true,
        ..entry(&clock, Some(50))
    };
    tracker
        .commit(None, &stopped, Some("gen-1"), SessionSpend::default())
        .unwrap();
    tracker
        .commit(
            None,
            &entry(&clock, Some(1)),
            Some("gen-2"),
            SessionSpend::default(),
        )
        .unwrap();
    assert!(
        tracker
            .pending_corrections("q", "default")
            .unwrap()
            .is_empty()
    );
    let pending = tracker.pending_corrections("p", "default").unwrap();
    assert_eq!(
        pending.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(),
        ["gen-1"]
    );
    assert!(tracker.correct(&pending[0], 12, 3, 20).unwrap());
    // Another process had asked as well.
    assert!(!tracker.correct(&pending[0], 12, 3, 20).unwrap());
    assert_eq!(spent(&tracker), (21, 0));
    assert!(
        tracker
            .pending_corrections("p", "default")
            .unwrap()
            .is_empty()
    );
    let mut sum = crate::usage::UsageTotals::default();
    UsageLog::new(&dir.path().join("state"))
        .read(Time::from_millis(0), |e| sum.add(&e))
        .unwrap();
    assert_eq!(
        (
            sum.requests,
            sum.prompt,
            sum.completion,
            sum.nanos,
            sum.estimated
        ),
        (2, 22, 8, 21, 0)
    );
}

#[test]
fn budget_unknown_cost_is_corrected() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    tracker
        .commit(
            None,
            &entry(&clock, None),
            Some("gen-1"),
            SessionSpend::default(),
        )
        .unwrap();
    let pending = tracker.pending_corrections("p", "default").unwrap();
    assert!(tracker.correct(&pending[0], 12, 3, 20).unwrap());
    let mut sum = crate::usage::UsageTotals::default();
    UsageLog::new(&dir.path().join("state"))
        .read(Time::from_millis(0), |e| sum.add(&e))
        .unwrap();
    assert_eq!(
        (sum.requests, sum.nanos, sum.estimated, sum.unknown),
        (1, 20, 0, 0)
    );
    assert_eq!(tracker.spent().unwrap()[0], (20, 1, 0));
}

#[test]
fn budget_concurrent_reservations_are_exact() {
    let (dir, clock) = place();
    let granted = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let tracker = budget(dir.path(), &clock, day(1000));
                for _ in 0..100 {
                    if let Ok(reservation) =
                        tracker.reserve(&intent(), 7, 7, SessionSpend::default())
                    {
                        tracker
                            .commit(
                                Some(&reservation.hold),
                                &entry(&clock, Some(7)),
                                None,
                                SessionSpend::default(),
                            )
                            .unwrap();
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(granted.load(Ordering::SeqCst), 1000 / 7);
}

#[test]
fn budget_period_lasts_at_least_a_day() {
    use crate::usage::period::BudgetPeriod;
    let at = |hours: u64| {
        Time::from_millis(1_800_000_000_000).saturating_add(Duration::from_secs(hours * 3600))
    };
    let day = Duration::from_secs(23 * 3600);
    // The calendar says that midnight was just now and is again in an hour.
    let (mut period, mut begun) = (BudgetPeriod::default(), Vec::new());
    for hour in 0..24 * 10 {
        let before = period.until;
        period.roll(at(hour), day, at(hour), |now| {
            now.saturating_add(Duration::from_secs(3600))
        });
        if period.until != before {
            begun.push(hour);
        }
    }
    // The first may be short; from then on there is one a day.
    assert!(
        begun.len() <= 12 && begun.windows(2).skip(1).all(|pair| pair[1] - pair[0] >= 23),
        "{begun:?}"
    );
}

#[test]
fn budget_batch_settles_and_reserves_under_one_lock() {
    let (dir, clock) = place();
    let own = SessionSpend::default();
    let tracker = budget(dir.path(), &clock, day(100));
    let other = budget(dir.path(), &clock, day(100));
    let limits = tracker.limits();
    let reserve =
        |batch: &mut BudgetBatch<'_>, nanos| batch.reserve(&limits, &intent(), nanos, nanos, own);
    let holds = tracker.batch(|batch| [40, 50].map(|nanos| reserve(batch, nanos).unwrap().hold));
    let [first, second] = holds.unwrap();
    // What another process has reserved meanwhile counts too.
    assert!(other.reserve(&intent(), 11, 11, own).is_err());
    other.reserve(&intent(), 10, 10, own).unwrap();
    let full = tracker.batch(|batch| reserve(batch, 1).is_err()).unwrap();
    assert!(full);
    let settled = [
        SettledRequest {
            hold: Some(first),
            entry: Some(entry(&clock, Some(5))),
            id: None,
        },
        SettledRequest::unsent(second),
    ];
    let third = tracker.batch(|batch| {
        batch.settle(&settled).unwrap();
        (reserve(batch, 86).is_err(), reserve(batch, 85).is_ok())
    });
    assert_eq!(third.unwrap(), (true, true));
    assert_eq!(spent(&other), (5, 95));
}

#[test]
#[cfg(unix)]
fn budget_batch_that_cannot_be_recorded_keeps_its_reservations() {
    let (dir, clock) = place();
    let tracker = budget(dir.path(), &clock, day(100));
    let hold = tracker
        .reserve(&intent(), 40, 40, SessionSpend::default())
        .unwrap()
        .hold;
    let record = dir.path().join("state/usage.jsonl");
    // The record is never opened through a link.
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &record).unwrap();
    let settled = SettledRequest {
        hold: Some(hold),
        entry: Some(entry(&clock, Some(5))),
        id: None,
    };
    let done = tracker.batch(|batch| batch.settle(std::slice::from_ref(&settled)));
    assert!(matches!(done, Ok(Err(Error::Disk(_)))), "{done:?}");
    std::fs::remove_file(&record).unwrap();
    assert_eq!(spent(&tracker), (0, 40));
    tracker
        .batch(|batch| batch.settle(&[settled]))
        .unwrap()
        .unwrap();
    assert_eq!(spent(&tracker), (5, 0));
}
