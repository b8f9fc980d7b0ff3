//! Tests of alerts: a month of ordinary use raises none, and each kind of misuse does.

use crate::audit::alerts::series::DAY_MS;
use crate::audit::alerts::state::HOUR_MS;
use crate::audit::alerts::*;
use crate::audit::{Event, EventKind, Severity};

/// 2027-01-15 00:00 UTC.
const START: i64 = 1_800_000_000_000 / DAY_MS * DAY_MS;

struct SimulatedUse {
    _dir: tempfile::TempDir,
    clock: Clock,
    audit: AuditLog,
    alerts: AlertMonitor,
    dice: u64,
    raised: Vec<Alert>,
}

impl SimulatedUse {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let clock = Clock::fixed(Time::from_millis(START));
        let audit = AuditLog::new(&state, clock.clone());
        let alerts = AlertMonitor::new(&state, audit.clone(), clock.clone());
        Self {
            _dir: dir,
            clock,
            audit,
            alerts,
            dice: seed,
            raised: Vec::new(),
        }
    }

    /// A number below `below`.
    fn roll(&mut self, below: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }

    fn add(&mut self, event: &Event) {
        self.audit.append(event).unwrap();
    }

    fn look(&mut self) {
        self.raised
            .extend(self.alerts.scan(true, |_| Vec::new()).unwrap().new_alerts);
    }

    fn request(&mut self, nanos: i64) {
        // One answer in thirty is late, and one in twenty fails.
        let first = 300 + self.roll(1500) + if self.roll(30) == 0 { 20_000 } else { 0 };
        self.answered(nanos, first);
        if self.roll(20) == 0 {
            self.failed("provider_failed");
        }
    }

    fn answered(&mut self, nanos: i64, first_token_ms: u64) {
        self.add(
            &Event::new(EventKind::Request)
                .word("provider", "openrouter")
                .word("model", "maker/model-1")
                .word("outcome", "answered")
                .number("first_token_ms", first_token_ms)
                .number("nano_dollars", nanos),
        );
    }

    fn failed(&mut self, failure: &str) {
        self.add(
            &Event::new(EventKind::Request)
                .severity(Severity::Warning)
                .word("provider", "openrouter")
                .word("model", "maker/model-1")
                .word("outcome", "failed")
                .word("failure", failure),
        );
    }

    fn refused(&mut self) {
        self.failed("invalid_key");
    }

    fn wait(&self, seconds: u64) {
        self.clock.set(
            self.clock
                .now()
                .saturating_add(std::time::Duration::from_secs(seconds)),
        );
    }

    /// A working day: a few sittings of a few questions, now and then something unusual but honest.
    fn day(&mut self, day: i64) {
        self.clock
            .set(Time::from_millis(START + day * DAY_MS + 8 * HOUR_MS));
        let weekend = day % 7 >= 5;
        let sittings = if weekend {
            self.roll(2)
        } else {
            1 + self.roll(4)
        };
        for _ in 0..sittings {
            let pause = 600 + self.roll(7000);
            self.wait(pause);
            for _ in 0..=self.roll(14) {
                let pause = 20 + self.roll(200);
                self.wait(pause);
                let redacted = self.roll(10);
                if redacted < 3 {
                    let many = if self.roll(60) == 0 {
                        8 + self.roll(12)
                    } else {
                        1 + self.roll(4)
                    };
                    self.add(
                        &Event::new(EventKind::Redacted)
                            .count("EMAIL", usize::try_from(many).unwrap()),
                    );
                }
                let cents = self.roll(100);
                let nanos = i64::try_from(
                    300_000 + cents * 200_000 + if cents == 0 { 120_000_000 } else { 0 },
                )
                .unwrap();
                self.request(nanos);
                self.look();
            }
            match self.roll(25) {
                0 => self.refused(),
                1 => self.add(&Event::new(EventKind::KeyShown)),
                2 => self.add(&Event::new(EventKind::KeyValidated).word("status", "valid")),
                3 => self.add(
                    &Event::new(EventKind::Backup)
                        .word("action", "write")
                        .number("skipped", 0),
                ),
                _ => {}
            }
            self.look();
        }
    }

    fn month(seed: u64) -> Self {
        let mut life = Self::new(seed);
        (0..30).for_each(|day| life.day(day));
        life
    }

    /// The alerts that an activity raises after an ordinary month.
    #[track_caller]
    fn plant(self, kind: AlertKind, plant: impl FnOnce(&mut Self)) {
        let mut life = self;
        life.clock
            .set(Time::from_millis(START + 30 * DAY_MS + 12 * HOUR_MS));
        life.raised.clear();
        plant(&mut life);
        let kinds: Vec<AlertKind> = life.raised.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [kind], "{:#?}", life.raised);
    }
}

#[test]
fn alerts_none_in_ordinary_use() {
    let mut raised = Vec::new();
    for seed in 1..=5 {
        let life = SimulatedUse::month(seed);
        let mut requests = 0;
        life.audit
            .read(|r, _| requests += u32::from(r.event == "request.finished"))
            .unwrap();
        assert!(requests > 200, "{requests} requests are no month");
        assert!(life.raised.len() <= 2, "seed {seed}: {:#?}", life.raised);
        raised.push(life.raised.len());
    }
    assert!(raised.iter().sum::<usize>() <= 2, "{raised:?}");
}

#[test]
fn alerts_are_raised_once() {
    SimulatedUse::month(1).plant(AlertKind::Burst, |life| {
        for _ in 0..90 {
            life.wait(30);
            life.request(1_000);
            life.look();
        }
    });
    SimulatedUse::month(2).plant(AlertKind::Authentication, |life| {
        for _ in 0..6 {
            life.wait(100);
            life.refused();
            life.look();
        }
    });
    SimulatedUse::month(3).plant(AlertKind::Spend, |life| {
        for _ in 0..20 {
            life.wait(300);
            life.request(400_000_000);
            life.look();
        }
    });
    SimulatedUse::month(4).plant(AlertKind::KeyReads, |life| {
        for _ in 0..8 {
            life.wait(60);
            life.add(&Event::new(EventKind::KeyRevealed));
            life.look();
        }
    });
    SimulatedUse::month(5).plant(AlertKind::Redactions, |life| {
        life.add(
            &Event::new(EventKind::Redacted)
                .count("EMAIL", 60)
                .count("PHONE", 40),
        );
        life.look();
        life.look();
    });
    SimulatedUse::month(6).plant(AlertKind::Backup, |life| {
        life.add(
            &Event::new(EventKind::Backup)
                .severity(Severity::Warning)
                .word("action", "write")
                .word("outcome", "failed"),
        );
        life.look();
        life.add(
            &Event::new(EventKind::Backup)
                .severity(Severity::Critical)
                .word("action", "write")
                .number("skipped", 3),
        );
        life.look();
    });
    SimulatedUse::month(7).plant(AlertKind::Chain, |life| {
        let bytes = fs::read(life.audit.path()).unwrap().unwrap();
        fs::write(life.audit.path(), &bytes[..bytes.len() / 2]).unwrap();
        life.request(1_000);
        life.look();
        life.request(1_000);
        life.look();
    });
}

/// Repeats an action `count` times, a number of seconds apart.
fn again_and_again(life: &mut SimulatedUse, times: u32, seconds: u64, what: fn(&mut SimulatedUse)) {
    for _ in 0..times {
        life.wait(seconds);
        what(life);
        life.look();
    }
}

#[test]
fn alerts_ongoing_cause_is_raised_once() {
    let looked_at = |life: &mut SimulatedUse| life.add(&Event::new(EventKind::KeyShown));
    for (kind, action) in [
        (
            AlertKind::Authentication,
            SimulatedUse::refused as fn(&mut SimulatedUse),
        ),
        (AlertKind::KeyReads, looked_at),
    ] {
        let mut life = SimulatedUse::new(1);
        // All night long, and acknowledged on the way.
        again_and_again(&mut life, 100, 100, action);
        assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
        again_and_again(&mut life, 300, 100, action);
        assert_eq!(life.raised.len(), 1, "{:#?}", life.raised);
        // In the evening of the same day.
        life.wait(5 * 3600);
        again_and_again(&mut life, 8, 100, action);
        let kinds: Vec<AlertKind> = life.raised.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [kind; 2], "{:#?}", life.raised);
        // Twice as bad as what was acknowledged.
        assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
        again_and_again(&mut life, 30, 10, action);
        assert_eq!(life.raised.len(), 3, "{:#?}", life.raised);
    }
}

/// What a misuse adds to the log, how often it has to happen, and the alert.
type Misuse = (fn(&mut SimulatedUse), u32, AlertKind, &'static str);

const MISUSES: &[Misuse] = &[
    (
        |life| life.add(&Event::new(EventKind::Limited).word("window", "minute")),
        10,
        AlertKind::Limits,
        "rate limits refused 10 requests within an hour",
    ),
    (
        |life| life.add(&Event::new(EventKind::Budget).word("span", "day")),
        3,
        AlertKind::Budget,
        "budgets refused 3 requests within an hour",
    ),
    (
        |life| life.add(&Event::new(EventKind::Refused).word("reason", "suspicious")),
        10,
        AlertKind::Refused,
        "10 messages were refused within an hour",
    ),
    (
        |life| life.add(&Event::new(EventKind::KeyRefused)),
        5,
        AlertKind::KeyFormat,
        "5 keys with a wrong format were refused within an hour",
    ),
    (
        |life| {
            let event = Event::new(EventKind::Vault).word("action", "open");
            life.add(&event.word("outcome", "failed"));
        },
        5,
        AlertKind::Passphrase,
        "a wrong passphrase was entered 5 times within an hour",
    ),
    (
        |life| life.failed("provider_failed"),
        5,
        AlertKind::Failures,
        "5 of the last 10 requests to openrouter failed, many more than before",
    ),
    (
        |life| life.answered(1_000, 9_400),
        5,
        AlertKind::Slow,
        "answers of openrouter/maker/model-1 begin after 9.4 s, much later than before",
    ),
];

#[test]
fn alerts_misuse_is_raised_at_its_threshold() {
    for (action, least, kind, summary) in MISUSES {
        let mut life = SimulatedUse::month(8);
        life.clock
            .set(Time::from_millis(START + 30 * DAY_MS + 12 * HOUR_MS));
        // What is compared with the past begins with ten good answers.
        for _ in 0..10 {
            life.wait(10);
            life.answered(1_000, 700);
        }
        life.look();
        life.raised.clear();
        again_and_again(&mut life, least - 1, 10, *action);
        assert_eq!(life.raised, [], "{kind:?}");
        again_and_again(&mut life, 1, 10, *action);
        let raised: Vec<_> = life.raised.iter().map(|a| (a.kind, a.describe())).collect();
        assert_eq!(raised, [(*kind, (*summary).to_owned())]);
        // It goes on, and is acknowledged on the way.
        assert!(life.alerts.acknowledge(None).unwrap() >= 1);
        again_and_again(&mut life, *least / 2, 10, *action);
        assert_eq!(life.raised.len(), 1, "{:#?}", life.raised);
    }
}

#[test]
fn alerts_need_days_to_compare_with() {
    for (action, _, kind, _) in MISUSES {
        let mut life = SimulatedUse::new(1);
        for _ in 0..30 {
            life.wait(10);
            life.answered(1_000, 700);
        }
        again_and_again(&mut life, 30, 10, *action);
        let raised: Vec<AlertKind> = life.raised.iter().map(|a| a.kind).collect();
        // What the user has set, and what is guessed, needs no past.
        let expected: &[AlertKind] = match kind {
            AlertKind::Budget | AlertKind::Passphrase => &[*kind],
            _ => &[],
        };
        assert_eq!(raised, expected, "{kind:?}");
    }
}

#[test]
fn alerts_ignore_what_the_user_caused() {
    let harmless: &[fn(&mut SimulatedUse)] = &[
        |life| life.add(&Event::new(EventKind::Limited).word("window", "lockdown")),
        |life| life.add(&Event::new(EventKind::Refused).word("reason", "empty")),
        |life| life.failed("no_connection"),
        |life| life.failed("bad_request"),
    ];
    for action in harmless {
        let mut life = SimulatedUse::month(9);
        life.clock
            .set(Time::from_millis(START + 30 * DAY_MS + 12 * HOUR_MS));
        life.raised.clear();
        again_and_again(&mut life, 30, 10, *action);
        assert_eq!(life.raised, []);
    }
}

#[test]
fn alerts_lockdown_is_open_until_released() {
    let mut life = SimulatedUse::new(1);
    let step = |action: &str| Event::new(EventKind::Incident).word("action", action);
    for event in [step("lockdown"), step("lockdown"), step("assess")] {
        life.add(&event);
        life.look();
    }
    let lockdown = (AlertKind::Lockdown, "a lockdown began: nothing is sent");
    let raised = |life: &SimulatedUse| {
        let known = life.alerts.all().unwrap();
        known
            .iter()
            .map(|a| (a.kind, a.describe(), a.acknowledged))
            .collect::<Vec<_>>()
    };
    assert_eq!(raised(&life), [(lockdown.0, lockdown.1.to_owned(), false)]);
    // It was announced when it began.
    assert_eq!(life.alerts.scan(true, |_| Vec::new()).unwrap().to_show, []);
    life.add(&step("release"));
    life.look();
    assert_eq!(raised(&life), [(lockdown.0, lockdown.1.to_owned(), true)]);
    life.add(&step("lockdown").flag("automatic", true));
    life.look();
    let automatic = "a lockdown began by itself: nothing is sent".to_owned();
    assert_eq!(
        raised(&life),
        [
            (lockdown.0, lockdown.1.to_owned(), true),
            (lockdown.0, automatic, false)
        ]
    );
}

#[test]
fn alerts_spend_repeats_when_doubled() {
    let mut life = SimulatedUse::new(1);
    again_and_again(&mut life, 11, 60, |life| life.request(1_000_000_000));
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
    again_and_again(&mut life, 10, 60, |life| life.request(1_000_000_000));
    assert_eq!(life.raised.len(), 1, "{:#?}", life.raised);
    again_and_again(&mut life, 5, 60, |life| life.request(1_000_000_000));
    assert_eq!(
        life.raised
            .iter()
            .map(|a| a.figure / 1_000_000_000)
            .collect::<Vec<_>>(),
        [11, 22],
        "{:#?}",
        life.raised
    );
}

#[test]
fn alerts_failed_backup_repeats() {
    let mut life = SimulatedUse::new(1);
    let failed = |life: &mut SimulatedUse| {
        life.add(
            &Event::new(EventKind::Backup)
                .word("action", "write")
                .word("outcome", "failed"),
        );
    };
    again_and_again(&mut life, 3, 600, failed);
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
    again_and_again(&mut life, 3, 600, failed);
    assert_eq!(life.raised.len(), 1, "{:#?}", life.raised);
    life.add(
        &Event::new(EventKind::Backup)
            .word("action", "write")
            .number("skipped", 0),
    );
    again_and_again(&mut life, 1, 600, failed);
    assert_eq!(life.raised.len(), 2, "{:#?}", life.raised);
    // Every night is another.
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
    again_and_again(&mut life, 2, 86_400, failed);
    assert_eq!(life.raised.len(), 4, "{:#?}", life.raised);
}

#[test]
fn alerts_observations_are_raised_once() {
    let life = SimulatedUse::new(1);
    let now = life.clock.now();
    let ends = |days: i64| Observation::KeyExpires {
        key: Label::new("default/openrouter"),
        at: Time::from_millis(now.millis() + days * DAY_MS),
    };
    let look = |facts: &[Observation]| {
        life.alerts
            .scan(true, |_| facts.to_vec())
            .unwrap()
            .new_alerts
            .iter()
            .map(Alert::describe)
            .collect::<Vec<_>>()
    };
    let files = |many: usize| -> Vec<PathBuf> {
        (1..=many)
            .map(|n| PathBuf::from(format!("/f{n}")))
            .collect()
    };
    let open = |many| Observation::TooPermissive {
        among: FileScope::Core,
        files: files(many),
    };
    assert_eq!(look(&[ends(8), open(0)]), [""; 0]);
    assert_eq!(
        look(&[ends(5)]),
        ["the key default/openrouter expires in 5 days"]
    );
    assert_eq!(
        look(&[ends(5), open(2)]),
        ["2 files or folders of this program are accessible to other users: /f1, /f2"]
    );
    assert_eq!(look(&[ends(5), open(2)]), [""; 0]);
    assert_eq!(life.alerts.acknowledge(Some(1)).unwrap(), 1);
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 0);
    assert!(life.alerts.all().unwrap().iter().all(|a| a.acknowledged));
    // An acknowledged finding stays acknowledged until it changes: fixed and open again, or larger.
    assert_eq!(look(&[ends(5), open(3)]), [""; 0]);
    assert_eq!(
        look(&[open(4)]),
        [
            "4 files or folders of this program are accessible to other users: /f1, /f2, /f3 and 1 more"
        ]
    );
    assert_eq!(life.alerts.acknowledge(None).unwrap(), 1);
    assert_eq!(look(&[open(0)]), [""; 0]);
    life.wait(1);
    assert_eq!(
        look(&[open(1)]),
        ["1 file or folder of this program is accessible to other users: /f1"]
    );
    assert_eq!(
        look(&[
            open(1),
            Observation::TooPermissive {
                among: FileScope::All,
                files: files(5)
            }
        ]),
        [
            "5 files or folders of this program are accessible to other users: /f1, /f2, /f3 and 2 more"
        ]
    );
}

#[test]
fn alerts_check_all_files_daily() {
    let life = SimulatedUse::new(1);
    let walks = || {
        let mut walks = false;
        let look = life.alerts.scan(true, |walk| {
            walks = walk;
            Vec::new()
        });
        assert_eq!(look.unwrap().new_alerts, []);
        walks
    };
    assert_eq!((walks(), walks()), (true, false));
    life.wait(86_399);
    assert!(!walks());
    life.wait(1);
    assert_eq!((walks(), walks()), (true, false));
}

#[test]
fn alerts_huge_costs_do_not_overflow() {
    let mut life = SimulatedUse::new(1);
    again_and_again(&mut life, 3, 60, |life| life.request(i64::MAX / 2 + 1));
    assert_eq!(
        life.raised.iter().map(|a| a.kind).collect::<Vec<_>>(),
        [AlertKind::Spend],
        "{:#?}",
        life.raised
    );
}
