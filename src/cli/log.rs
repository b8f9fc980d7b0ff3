//! Logging for those who look for a fault: to standard error, or to a file of their own. Every line passes the redactor first.
//!
//! What is logged is what happened and how long it took, in numbers and names: never a body, the value of a header, or a key.

use super::app::App;
use super::report::Problem;
use super::ui::{Ui, shown};
use crate::clock::{Clock, Stopwatch, Time};
use crate::disk::{self, Appender};
use crate::ledger::{Event, Severity, What};
use crate::privacy::{Placeholders, Raw, Redactor};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What happened.
    Info,
    /// And every step on the way.
    Debug,
}

/// Where to.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    Errors,
    File(PathBuf),
}

/// A log that is on.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: Level,
    sink: Sink,
    ui: Ui,
    clock: Clock,
    since: Stopwatch,
    redactor: Arc<Redactor>,
}

impl Log {
    /// A line, if this much is wanted. Where it cannot be written, the work goes on.
    pub(crate) fn line(&self, level: Level, text: &str) {
        if level > self.level {
            return;
        }
        let (text, _) = self.redactor.redact(Raw::from(text), &mut Placeholders::default());
        let line = format!("{} +{:.3} {}", self.clock.now(), self.since.elapsed().as_secs_f64(), text.printable_line());
        match &self.sink {
            Sink::Errors => self.ui.error_raw(&line),
            Sink::File(path) => Appender::open(path).and_then(|mut file| file.add(format!("{line}\n").as_bytes())).unwrap_or_default(),
        }
    }
}

impl App {
    /// What comes before a command: what is malformed stops it, and logging begins.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.refuse_malformed_env()?;
        self.log_as_the_environment_says()
    }

    /// Logs where that is possible, for those who have to go on whatever is amiss.
    pub(crate) fn log_if_it_can(&mut self) {
        if let Err(error) = self.log_as_the_environment_says() {
            self.ui.warning(&format!("cannot start logging: {error}"));
        }
    }

    /// Logs as `CHATBOT_LOG` says: `info` or `debug` to standard error, an absolute path to that file.
    pub(crate) fn log_as_the_environment_says(&mut self) -> Result<()> {
        let Some(wish) = self.env.text("CHATBOT_LOG")? else { return Ok(()) };
        match wish.as_str() {
            "off" => Ok(()),
            "info" => self.log(Level::Info, Sink::Errors),
            "debug" => self.log(Level::Debug, Sink::Errors),
            path if PathBuf::from(path).is_absolute() => self.log(Level::Debug, Sink::File(PathBuf::from(path))),
            other => bail!(
                Problem::misuse(format!(
                    "`CHATBOT_LOG` is `{}`, but must be `off`, `info`, `debug` or an absolute path",
                    Raw::from(other).printable()
                ))
                .hint("change `CHATBOT_LOG`, or unset it")
            ),
        }
    }

    /// Logs as often as `-v` was said.
    pub(crate) fn log_verbosely(&mut self, times: u8) -> Result<()> {
        match times {
            0 => Ok(()),
            1 => self.log(Level::Info, Sink::Errors),
            _ => self.log(Level::Debug, Sink::Errors),
        }
    }

    fn log(&mut self, level: Level, sink: Sink) -> Result<()> {
        if self.logging().is_some_and(|log| log.level >= level) {
            return Ok(());
        }
        let to = match &sink {
            Sink::Errors => "to standard error".to_owned(),
            Sink::File(path) => {
                self.must_be_a_log(path)?;
                // What cannot be written to is told now, and not passed over line by line. A folder is not made for a slip.
                if let Some(folder) = path.parent().filter(|folder| !disk::exists(folder)) {
                    bail!(
                        Problem::misuse(format!("`CHATBOT_LOG` names a file in `{}`, which does not exist", shown(folder)))
                            .hint("create the folder, or name a file elsewhere")
                    );
                }
                Appender::open(path)?;
                format!("to `{}`", shown(path))
            }
        };
        let redactor = self.redactor()?;
        self.ui.error_line(&format!("chatbot: warning: logging {to}: times, providers and models, never message text or keys"));
        self.use_log(Log { level, sink, ui: self.ui, clock: self.clock.clone(), since: self.clock.stopwatch(), redactor });
        let level = if level == Level::Debug { "debug" } else { "info" };
        self.note(&Event::new(What::Debug).severity(Severity::Notice).word("level", level));
        self.step(&format!("chatbot {}, state in {}", env!("CARGO_PKG_VERSION"), shown(self.home.state())));
        let length = self.settings_text()?.len();
        let source = if length == 0 { "the defaults".to_owned() } else { format!("{}, {length} bytes", shown(self.settings_file())) };
        self.step(&format!("settings: {source}"));
        Ok(())
    }

    /// A file that is something else is not added to: among our own, only one that is named as a log, and elsewhere none that does
    /// not begin as a log does.
    fn must_be_a_log(&self, path: &Path) -> Result<()> {
        let home = &self.home;
        let ours = [home.state(), home.data(), home.cache()].into_iter().any(|folder| path.starts_with(folder))
            || self.settings_file().parent().is_some_and(|folder| path.starts_with(folder));
        let named = path.extension().is_some_and(|ending| ending == "log");
        let begins = disk::read_start(path, 24).ok().flatten().unwrap_or_default();
        let other = !begins.is_empty() && Time::parse(String::from_utf8_lossy(&begins).split(' ').next().unwrap_or_default()).is_none();
        if (ours && !named) || other {
            bail!(
                Problem::misuse(format!("`CHATBOT_LOG` names `{}`, which is not a log file", shown(path)))
                    .hint("name a file that does not exist yet")
            );
        }
        Ok(())
    }

    /// Which key store is used, and why; only for the log, so that nothing is asked that would not have been.
    pub(crate) fn log_key_store(&mut self) {
        if self.logging().is_some()
            && let Ok(keys) = self.keys()
            && let Ok(chosen) = keys.custody().chosen()
        {
            let text = format!("key store: {}, because {}", chosen.store.kind(), chosen.why);
            self.step(&text);
        }
    }

    /// A step on the way.
    pub(crate) fn step(&self, text: &str) {
        if let Some(log) = self.logging() {
            log.line(Level::Debug, text);
        }
    }
}
