//! Streams an answer to standard output, and its notices to standard error.

use crate::chat::Observer;
use crate::cli::answer_screen::AnswerScreen;
use crate::cli::debug_log::{DebugLog, LogLevel};
use crate::cli::outcome::{confirm_images, describe_redactions};
use crate::cli::term::Ui;
use crate::name::Name;
use crate::privacy::{Displayable, Findings};
use crate::provider::{ProviderErrorKind, StreamEvent};
use std::time::Duration;
use tokio::sync::watch;

/// Streams an answer to standard output.
#[derive(Debug)]
pub(crate) struct AnswerPrinter {
    pub(crate) ui: Ui,
    pub(crate) yes: bool,
    pub(crate) show: bool,
    /// Becomes true when the reader of standard output is gone, so that the rest of the answer is
    /// not paid for.
    pub(crate) cancelled: watch::Sender<bool>,
    pub(crate) screen: AnswerScreen,
    pub(crate) log: Option<DebugLog>,
    /// Appended to the list of redacted values: the command that shows them.
    pub(crate) aside: &'static str,
}

impl Observer for AnswerPrinter {
    fn on_warning(&mut self, warning: &str) {
        self.screen.make_room();
        self.ui.warning(warning);
    }

    fn on_redacted(&mut self, findings: &Findings) {
        self.screen.make_room();
        self.ui.notice(&format!(
            "{}{}",
            describe_redactions(&findings.counts()),
            self.aside
        ));
    }

    fn confirm_send(&mut self, findings: &Findings) -> bool {
        let question = format!(
            "{}; send it redacted?",
            describe_redactions(&findings.counts())
        );
        let confirmed = self.yes || self.ui.confirm(&question, "`--yes`").unwrap_or(false);
        self.screen.restart_wait();
        confirmed
    }

    fn confirm_images(&mut self, count: usize, provider: &Name) -> bool {
        let confirmed = self.yes || confirm_images(self.ui, count, provider);
        self.screen.restart_wait();
        confirmed
    }

    fn on_text(&mut self, shown: &Displayable) {
        if self.show && self.screen.show(shown).is_err() {
            self.show = false;
            self.cancelled.send_replace(true);
        }
    }

    fn on_wait_start(&mut self, wait: Duration) {
        // Without the countdown of a terminal, the program would seem to hang.
        if !self.ui.error_is_terminal() {
            let wait = crate::time::humanize(Duration::from_secs(wait.as_secs() + 1));
            self.ui
                .error_line(&format!("chatbot: waiting {wait} for a limit"));
        }
    }

    fn on_wait(&mut self, left: Duration) {
        let text = if left.is_zero() {
            self.screen.restart_wait();
            String::new()
        } else {
            self.screen.pause_wait();
            format!(
                "waiting {} for a limit; press Ctrl-C to cancel",
                crate::time::humanize(left)
            )
        };
        self.ui.countdown(&text);
    }

    fn trace(&mut self, what: &str) {
        if let Some(log) = &self.log {
            log.write(LogLevel::Debug, what);
        }
    }

    fn on_event(&mut self, heard: &StreamEvent) {
        if let Some(log) = &self.log {
            match heard {
                StreamEvent::Retrying {
                    after,
                    attempt,
                    why,
                } => {
                    log.write(
                        LogLevel::Info,
                        &format!(
                            "retrying in {} ms, attempt {attempt}: {}",
                            after.as_millis(),
                            why.code()
                        ),
                    );
                }
                StreamEvent::Reasoning(_) => log.write(LogLevel::Debug, "received reasoning"),
                StreamEvent::KeepAlive => log.write(LogLevel::Debug, "received a keep-alive"),
                _ => {}
            }
        }
        if let StreamEvent::Reasoning(part) = heard {
            self.screen.on_reasoning(part, self.show);
        }
        if let StreamEvent::Retrying {
            after,
            attempt,
            why,
        } = heard
        {
            let what = match why {
                ProviderErrorKind::RateLimited { .. } => "the provider's rate limit is reached",
                ProviderErrorKind::Upstream => "the provider failed",
                ProviderErrorKind::Timeout => "no answer in time",
                _ => "no connection",
            };
            self.screen.make_room();
            self.ui.notice(&format!(
                "{what}; retrying in {} (attempt {attempt})",
                crate::time::humanize(*after)
            ));
        }
    }
}
