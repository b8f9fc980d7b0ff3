//! The answer as standard output shows it: rendered as Markdown on a terminal, and as it is
//! elsewhere.

use crate::cli::context::Context;
use crate::cli::term::Ui;
use crate::privacy::{Displayable, MarkdownDisplay};
use crate::time::{Clock, Stopwatch};
use anyhow::Result;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How often it is checked whether something is to be shown.
const TICK: Duration = Duration::from_millis(50);
/// A word whose end has not arrived is shown after this time.
const IDLE: Duration = Duration::from_millis(200);

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
    /// When the last text arrived, unless all of it is shown.
    held_since: Option<Stopwatch>,
}

impl AnswerScreen {
    /// A screen for one answer; with `raw` it is shown as it is, also on a terminal.
    pub(crate) fn new(context: &Context, raw: bool) -> Result<Self> {
        let markdown = if raw || !context.ui.output_takes_styles() {
            None
        } else {
            Some(MarkdownDisplay::new(
                context.env.render_options(context.ui)?,
            ))
        };
        Ok(Self(Rc::new(RefCell::new(AnswerState {
            ui: context.ui,
            clock: context.clock.clone(),
            markdown,
            ends_line: true,
            held_since: None,
        }))))
    }

    /// Shows the next part of the answer.
    pub(crate) fn show(&self, part: &Displayable) -> Result<()> {
        let state = &mut *self.0.borrow_mut();
        let Some(markdown) = &mut state.markdown else {
            state.ends_line = part.ends_line();
            return state.ui.out(part);
        };
        state.held_since = Some(state.clock.stopwatch());
        let shown = markdown.push(part);
        state.write(&shown)
    }

    /// Waits for the answer, and meanwhile shows what depends on time.
    pub(crate) async fn watch<T>(&self, answer: impl Future<Output = T>) -> T {
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                result = &mut answer => return result,
                () = tokio::time::sleep(TICK) => self.tick(),
            }
        }
    }

    /// Shows the rest of the answer. `ended` tells whether a last line without its end gets one.
    /// Returns whether anything was written.
    pub(crate) fn finish(&self, ended: bool) -> Result<bool> {
        let state = &mut *self.0.borrow_mut();
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

    fn tick(&self) {
        let state = &mut *self.0.borrow_mut();
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
    fn write(&self, shown: &Displayable) -> Result<()> {
        if shown.is_empty() {
            Ok(())
        } else {
            self.ui.out(shown)
        }
    }
}
