//! The debug log: a line with its time, to standard error or to a file. Every line passes the
//! redactor first.

use crate::cli::term::Ui;
use crate::fs::Appender;
use crate::privacy::{Placeholders, Raw, Redactor};
use crate::time::{Clock, Stopwatch};
use std::path::PathBuf;
use std::sync::Arc;

/// How much to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    /// Events.
    Info,
    /// Events and every step in between.
    Debug,
}

#[derive(Clone, Debug)]
pub(crate) enum LogSink {
    Stderr,
    File(PathBuf),
}

#[derive(Clone, Debug)]
pub(crate) struct DebugLog {
    level: LogLevel,
    sink: LogSink,
    ui: Ui,
    clock: Clock,
    since: Stopwatch,
    redactor: Arc<Redactor>,
}

impl DebugLog {
    pub(crate) fn new(
        level: LogLevel,
        sink: LogSink,
        ui: Ui,
        clock: &Clock,
        redactor: Arc<Redactor>,
    ) -> Self {
        Self {
            level,
            sink,
            ui,
            clock: clock.clone(),
            since: clock.stopwatch(),
            redactor,
        }
    }

    pub(crate) const fn level(&self) -> LogLevel {
        self.level
    }

    /// Writes a line if the level is enabled. A failed write is ignored: the command continues.
    pub(crate) fn write(&self, level: LogLevel, text: &str) {
        if level > self.level {
            return;
        }
        let (text, _) = self
            .redactor
            .redact(Raw::from(text), &mut Placeholders::default());
        let line = format!(
            "{} +{:.3} {}",
            self.clock.now(),
            self.since.elapsed().as_secs_f64(),
            text.printable_line()
        );
        match &self.sink {
            LogSink::Stderr => self.ui.error_raw(&line),
            LogSink::File(path) => {
                Appender::open(path)
                    .and_then(|mut file| file.append(format!("{line}\n").as_bytes()))
                    .unwrap_or_default();
            }
        }
    }
}
