//! Time: moments, calendar days, and a clock that tests can replace.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// The time zone that `TZ` names. Set once at the start: without it, `jiff` would search all zone
/// names, which takes longer than a short command.
static TIME_ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Sets the local time zone: its name in `TZ`, and the content of its time zone file (`TZif`).
pub fn set_time_zone(name: &str, rules: &[u8]) {
    if let Ok(zone) = TimeZone::tzif(name, rules) {
        TIME_ZONE.get_or_init(|| zone);
    }
}

fn time_zone() -> TimeZone {
    TIME_ZONE.get().cloned().unwrap_or_else(TimeZone::system)
}

/// A moment: milliseconds since 1970 in UTC. In files and in JSON it is an RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// Converts from milliseconds since the beginning of 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning of 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the beginning of 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time since `earlier`; zero if this moment is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment after this one by `more`.
    #[must_use]
    pub fn saturating_add(self, more: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(more.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment before this one by `less`.
    #[must_use]
    pub fn saturating_sub(self, less: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(less.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// `2026-11-21 09:30` in the user's own time zone.
    #[must_use]
    pub fn local_minute(self) -> String {
        self.timestamp()
            .to_zoned(time_zone())
            .strftime("%Y-%m-%d %H:%M")
            .to_string()
    }

    /// `2026-11-21` in the user's own time zone.
    #[must_use]
    pub fn local_day(self) -> String {
        self.timestamp()
            .to_zoned(time_zone())
            .strftime("%Y-%m-%d")
            .to_string()
    }

    /// `09:00`: the hour of the day in the user's own time zone.
    #[must_use]
    pub fn local_hour(self) -> String {
        self.timestamp()
            .to_zoned(time_zone())
            .strftime("%H:00")
            .to_string()
    }

    /// The number of the weekday, Monday is 1, and its name, in the user's own time zone.
    #[must_use]
    pub fn local_weekday(self) -> (i8, String) {
        let now = self.timestamp().to_zoned(time_zone());
        let number = now.weekday().to_monday_one_offset();
        (number, now.strftime("%A").to_string())
    }

    /// The beginning of a day like `2026-11-21` in the user's own time zone.
    #[must_use]
    pub fn from_local_day(text: &str) -> Option<Self> {
        let day: jiff::civil::Date = text.parse().ok()?;
        (text.len() == 10).then_some(())?;
        Some(Self(
            day.to_zoned(time_zone()).ok()?.timestamp().as_millisecond(),
        ))
    }

    /// The beginning of this day in the user's own time zone.
    #[must_use]
    pub fn start_of_day(self) -> Self {
        let zone = time_zone();
        let day = self.timestamp().to_zoned(zone.clone()).date();
        day.to_zoned(zone)
            .map_or(self, |z| Self(z.timestamp().as_millisecond()))
    }

    /// The day, week and month of this moment in the user's own time zone.
    #[must_use]
    pub fn calendar(self) -> Calendar {
        let zone = time_zone();
        let now = self.timestamp().to_zoned(zone.clone());
        let start = |day: jiff::civil::Date| {
            day.to_zoned(zone.clone())
                .map_or(self, |z| Self(z.timestamp().as_millisecond()))
        };
        let day = now.date();
        let next_month = day.last_of_month().tomorrow().unwrap_or(day);
        Calendar {
            day: start(day),
            next_day: start(day.tomorrow().unwrap_or(day)),
            week: start(
                day.checked_sub(
                    jiff::Span::new().days(i64::from(day.weekday().to_monday_zero_offset())),
                )
                .unwrap_or(day),
            ),
            month: start(day.first_of_month()),
            next_month: start(next_month),
        }
    }

    /// Parses an RFC 3339 text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>()
            .ok()
            .map(|t| Self(t.as_millisecond()))
    }
}

/// RFC 3339 in UTC, to the millisecond: `2026-11-21T08:30:00.000Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// The calendar periods of a moment, in the user's own time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The beginning of the day.
    pub day: Time,
    /// The beginning of the next day.
    pub next_day: Time,
    /// The beginning of the week, a Monday.
    pub week: Time,
    /// The beginning of the month.
    pub month: Time,
    /// The beginning of the next month.
    pub next_month: Time,
}

/// How long the machine has been running. Unlike the wall clock it cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Identifies the boot: the number changes when the machine is restarted.
    pub boot_id: u32,
    /// Milliseconds since the boot, including time asleep.
    pub millis: i64,
}

/// A moment on two clocks: the wall clock, which can be set, and the uptime, which cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Time,
    /// The uptime, on systems that report it.
    pub uptime: Option<Uptime>,
}

impl Moment {
    /// The time since `earlier`, even if the wall clock was set in between. After a restart of the
    /// machine only the wall clock is left, with the uptime as a lower bound.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = |m: i64| Duration::from_millis(u64::try_from(m).unwrap_or(0));
        match (self.uptime, earlier.uptime) {
            (Some(now), Some(then)) if now.boot_id == then.boot_id && now.millis >= then.millis => {
                millis(now.millis - then.millis)
            }
            (Some(now), Some(then)) if now.boot_id != then.boot_id => {
                self.wall.since(earlier.wall).max(millis(now.millis))
            }
            _ => self.wall.since(earlier.wall),
        }
    }
}

/// The source of the current time. It is passed to everything that needs the time, so that tests
/// can pass a fixed one.
#[derive(Clone, Debug, Default)]
pub struct Clock(TimeSource);

#[derive(Clone, Debug, Default)]
enum TimeSource {
    #[default]
    System,
    Fixed(Arc<FixedTime>),
}

/// The readings of a fixed clock.
#[derive(Debug, Default)]
struct FixedTime {
    wall: AtomicI64,
    boot_id: AtomicI64,
    uptime: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(TimeSource::System)
    }

    /// A clock that is fixed at `at` until it is [set](Self::set).
    #[must_use]
    pub fn fixed(at: Time) -> Self {
        Self(TimeSource::Fixed(Arc::new(FixedTime {
            wall: AtomicI64::new(at.0),
            ..FixedTime::default()
        })))
    }

    /// Sets a fixed clock. Has no effect on the system clock.
    pub fn set(&self, at: Time) {
        if let TimeSource::Fixed(now) = &self.0 {
            now.wall.store(at.0, Ordering::SeqCst);
        }
    }

    /// Sets the uptime of a fixed clock.
    pub fn set_uptime(&self, uptime: Uptime) {
        if let TimeSource::Fixed(now) = &self.0 {
            now.boot_id
                .store(i64::from(uptime.boot_id), Ordering::SeqCst);
            now.uptime.store(uptime.millis, Ordering::SeqCst);
        }
    }

    /// The current time on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let uptime = match &self.0 {
            TimeSource::Fixed(now) => u32::try_from(now.boot_id.load(Ordering::SeqCst))
                .ok()
                .filter(|run| *run != 0)
                .map(|run| Uptime {
                    boot_id: run,
                    millis: now.uptime.load(Ordering::SeqCst),
                }),
            TimeSource::System => uptime(),
        };
        Moment {
            wall: self.now(),
            uptime,
        }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Time {
        match &self.0 {
            TimeSource::Fixed(now) => Time(now.wall.load(Ordering::SeqCst)),
            TimeSource::System => {
                let now = SystemTime::now();
                let millis = now.duration_since(SystemTime::UNIX_EPOCH).map_or_else(
                    |before| i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |m| -m),
                    |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
                );
                Time(millis)
            }
        }
    }

    /// Starts to measure a duration with the monotonic clock.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }
}

#[cfg(target_os = "linux")]
fn uptime() -> Option<Uptime> {
    use rustix::time::{ClockId, clock_gettime};
    use std::sync::OnceLock;
    /// The id of this boot.
    static BOOT_ID: OnceLock<Option<u32>> = OnceLock::new();
    let read = || {
        let id =
            crate::fs::read_external(std::path::Path::new("/proc/sys/kernel/random/boot_id"), 64)
                .ok()?;
        // A UUID, whose first 32 bits are enough to tell one boot from the next.
        u32::from_str_radix(std::str::from_utf8(id.get(..8)?).ok()?, 16)
            .ok()
            .filter(|run| *run != 0)
    };
    let run = (*BOOT_ID.get_or_init(read))?;
    let now = clock_gettime(ClockId::Boottime);
    Some(Uptime {
        boot_id: run,
        millis: now
            .tv_sec
            .saturating_mul(1000)
            .saturating_add(now.tv_nsec / 1_000_000),
    })
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> Option<Uptime> {
    None
}

/// Measures a duration.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Formats a duration for people: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 days`.
#[must_use]
pub fn humanize(length: Duration) -> String {
    let rounded = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    let s = rounded.as_secs() + i64::from(rounded.subsec_nanos() > 0);
    match s {
        0..60 => format!("{s} s"),
        60..3600 if s % 60 == 0 => format!("{} min", s / 60),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..172_800 if s % 3600 < 60 => format!("{} h", s / 3600),
        3600..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} days", s / 86400),
    }
}
