//! The answer as standard output shows it: rendered as Markdown on a terminal, and as it is
//! elsewhere. Until it begins, standard error shows what is waited for.

use crate::cli::args::ConversationArgs;
use crate::cli::context::Context;
use crate::cli::term::format::truncate_to_width;
use crate::cli::term::{Style, Ui};
use crate::config::{ReasoningDisplay, UiSettings};
use crate::privacy::{Displayable, MarkdownDisplay, Raw};
use crate::time::{Clock, Stopwatch};
use anyhow::Result;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A word whose end has not arrived is shown after this time.
const IDLE: Duration = Duration::from_millis(200);
/// A terminal writes `^C` behind the line when that key is pressed.
const ECHO_COLUMNS: usize = 2;
/// An answer that begins within this time is not announced.
const STATUS_DELAY: Duration = Duration::from_millis(300);

/// Shows one answer. Shared by what receives the answer and what keeps the time.
#[derive(Clone, Debug)]
pub(crate) struct AnswerScreen(Rc<RefCell<AnswerState>>);

#[derive(Debug)]
struct AnswerState {
    ui: Ui,
    clock: Clock,
    /// Renders the answer; without it the text is shown as it is.
    markdown: Option<MarkdownDisplay>,
    ends_line: bool,
    /// An empty line is to be written before the answer.
    needs_gap: bool,
    model: String,
    /// When the wait for the first text began; `None` if nothing is waited for.
    waiting_since: Option<Stopwatch>,
    reasoning: bool,
    /// The line that says what is waited for, while it is on the screen.
    status: String,
    /// The seconds in it.
    status_seconds: u64,
    /// When the last text arrived, unless all of it is shown.
    held_since: Option<Stopwatch>,
    /// Whether the reasoning is shown, and whether some of it was.
    shows_reasoning: bool,
    has_reasoning: bool,
    /// When the answer was asked for, and what the settings say about its end.
    begun: Stopwatch,
    settings: UiSettings,
}

impl AnswerScreen {
    /// A screen for one answer; with `--raw` it is shown as it is, also on a terminal.
    pub(crate) fn new(context: &mut Context, args: &ConversationArgs, model: &str) -> Result<Self> {
        let settings = context.settings()?.ui;
        let is_screen = context.ui.output_takes_styles();
        let markdown = if args.raw || !settings.markdown || !is_screen {
            None
        } else {
            Some(MarkdownDisplay::new(
                context.env.render_options(context.ui, settings.theme)?,
            ))
        };
        let display = args.reasoning_display(&settings);
        Ok(Self(Rc::new(RefCell::new(AnswerState {
            ui: context.ui,
            clock: context.clock.clone(),
            markdown,
            ends_line: true,
            needs_gap: false,
            model: Raw::from(model).printable_line(),
            waiting_since: Some(context.clock.stopwatch()),
            reasoning: false,
            status: String::new(),
            status_seconds: 0,
            held_since: None,
            shows_reasoning: is_screen && display == ReasoningDisplay::Show,
            has_reasoning: false,
            begun: context.clock.stopwatch(),
            settings,
        }))))
    }

    /// Sets the answer off from the question, which is above it on a terminal.
    pub(crate) fn set_off(self) -> Self {
        {
            let state = &mut *self.0.borrow_mut();
            state.needs_gap = state.ui.output_is_terminal();
        }
        self
    }

    /// Shows the next part of the answer.
    pub(crate) fn show(&self, part: &Displayable) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.erase_status();
        state.waiting_since = None;
        state.end_reasoning()?;
        let Some(markdown) = &mut state.markdown else {
            state.ends_line = part.ends_line();
            return state.write(part);
        };
        state.held_since = Some(state.clock.stopwatch());
        // The terminal may have been resized.
        markdown.set_width(state.ui.width());
        let shown = markdown.push(part);
        state.write(&shown)
    }

    /// Waits for the answer, and meanwhile shows what depends on time.
    pub(crate) async fn watch<T>(&self, answer: impl Future<Output = T>) -> T {
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(answer, timer);
        poll_fn(|context| {
            if let Poll::Ready(result) = answer.as_mut().poll(context) {
                self.0.borrow_mut().erase_status();
                return Poll::Ready(result);
            }
            // What arrives changes what depends on time, so the timer is set again each time.
            while let Some(left) = self.next_change() {
                if left.is_zero() {
                    self.tick();
                    continue;
                }
                timer.set(tokio::time::sleep(left));
                if timer.as_mut().poll(context).is_pending() {
                    break;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The time until something changes on the screen without anything being received.
    fn next_change(&self) -> Option<Duration> {
        let state = &*self.0.borrow();
        let waited = state.waiting_since.filter(|_| state.shows_status());
        time_to_change(
            waited.map(|since| since.elapsed()),
            (!state.status.is_empty()).then_some(state.status_seconds),
            state.held_since.map(|since| since.elapsed()),
        )
    }

    /// Shows the rest of the answer. `ended` tells whether a last line without its end gets one.
    /// Returns whether anything was written.
    pub(crate) fn finish(&self, ended: bool) -> Result<bool> {
        let state = &mut *self.0.borrow_mut();
        state.end_reasoning()?;
        state.announce_end();
        if let Some(markdown) = state.markdown.take() {
            let shown = markdown.finish();
            state.write(&shown)?;
            Ok(!shown.is_empty())
        } else if ended && !state.ends_line {
            state.ends_line = true;
            state.ui.out("\n")?;
            Ok(true)
        } else {
            Ok(false)
        }
    }

    /// Makes room for a line on standard error.
    pub(crate) fn make_room(&self) {
        self.0.borrow_mut().erase_status();
    }

    /// Measures the wait from now on: the time before was not spent on the answer.
    pub(crate) fn restart_wait(&self) {
        let state = &mut *self.0.borrow_mut();
        state.erase_status();
        state.waiting_since = Some(state.clock.stopwatch());
    }

    /// Something else is waited for, and shown.
    pub(crate) fn pause_wait(&self) {
        let state = &mut *self.0.borrow_mut();
        state.erase_status();
        state.waiting_since = None;
    }

    /// A part of the reasoning was received. It is shown if the answer is: standard output may be
    /// for JSON alone.
    pub(crate) fn on_reasoning(&self, part: &Raw, is_shown: bool) {
        let state = &mut *self.0.borrow_mut();
        state.reasoning = true;
        if !state.status.is_empty() {
            state.show_status();
        }
        if is_shown && state.shows_reasoning {
            state.erase_status();
            state.waiting_since = None;
            state.has_reasoning = true;
            let shown = state
                .ui
                .paint(Style::Dim, Displayable::from(part.printable()));
            // A closed terminal is noticed by the next part of the answer.
            state.write(&shown).unwrap_or_default();
        }
    }

    fn tick(&self) {
        let state = &mut *self.0.borrow_mut();
        state.show_status();
        if state
            .held_since
            .is_some_and(|since| since.elapsed() >= IDLE)
            && let Some(markdown) = &mut state.markdown
        {
            state.held_since = None;
            let shown = markdown.idle();
            // A closed terminal is noticed by the next part of the answer.
            state.write(&shown).unwrap_or_default();
        }
    }
}

impl AnswerState {
    /// Whether there is a terminal for the line that says what is waited for.
    fn shows_status(&self) -> bool {
        self.ui.notices() && self.ui.error_takes_styles()
    }

    /// Writes over the line with the elapsed seconds, if they have changed. The line is cut to the
    /// width of the terminal: a second line could not be erased without moving up.
    fn show_status(&mut self) {
        let Some(elapsed) = self.waiting_since.map(|since| since.elapsed()) else {
            return;
        };
        if elapsed < STATUS_DELAY || !self.shows_status() {
            return;
        }
        let doing = if self.reasoning {
            "thinking".to_owned()
        } else {
            format!("waiting for {}", self.model)
        };
        self.status_seconds = elapsed.as_secs();
        let status = format!("{doing}… {} s (Ctrl-C stops)", self.status_seconds);
        if status != self.status {
            let room = self.ui.width().saturating_sub(ECHO_COLUMNS + 1);
            self.ui.countdown(&truncate_to_width(&status, room));
            self.status = status;
        }
    }

    /// Separates the answer from the reasoning before it.
    fn end_reasoning(&mut self) -> Result<()> {
        if std::mem::take(&mut self.has_reasoning) {
            self.ui.out("\n\n")?;
        }
        Ok(())
    }

    /// Announces the end of a long answer, as the settings say.
    fn announce_end(&self) {
        let long = Duration::from_secs(u64::from(self.settings.notify_after_s));
        if self.begun.elapsed() >= long && self.ui.error_takes_styles() {
            self.ui.announce(self.settings.notify);
        }
    }

    fn erase_status(&mut self) {
        if !std::mem::take(&mut self.status).is_empty() {
            self.ui.countdown("");
        }
    }

    fn write(&mut self, shown: &Displayable) -> Result<()> {
        if shown.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.needs_gap) {
            self.ui.out("\n")?;
        }
        self.ui.out(shown)
    }
}

/// The time until the line with the elapsed seconds changes, or a word is shown that is held:
/// never, if nothing is waited for and nothing is held.
fn time_to_change(
    waited: Option<Duration>,
    shown_seconds: Option<u64>,
    held: Option<Duration>,
) -> Option<Duration> {
    let status = waited.map(|waited| {
        let due = shown_seconds.map_or(STATUS_DELAY, |shown| Duration::from_secs(shown + 1));
        due.saturating_sub(waited)
    });
    let word = held.map(|held| IDLE.saturating_sub(held));
    status.into_iter().chain(word).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_redrawn_only_when_something_changes() {
        let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
        for (waited, shown_seconds, held, expected) in [
            (None, None, None, None),
            (Some(0), None, None, Some(300)),
            (Some(250), None, None, Some(50)),
            (Some(400), None, None, Some(0)),
            (Some(400), Some(0), None, Some(600)),
            (Some(2_000), Some(1), None, Some(0)),
            (Some(2_000), Some(2), None, Some(1_000)),
            (None, None, Some(20), Some(180)),
            (None, None, Some(500), Some(0)),
            (Some(900), Some(0), Some(0), Some(100)),
        ] {
            assert_eq!(
                time_to_change(ms(waited), shown_seconds, ms(held)),
                ms(expected),
                "{waited:?} {shown_seconds:?} {held:?}"
            );
        }
    }
}
