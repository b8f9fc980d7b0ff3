//! `usage --watch`: the same view, redrawn every two seconds.

use super::table::render;
use super::view::{GroupBy, gather};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::runtime::runtime;
use crate::cli::term::{SingleKeys, Style};
use anyhow::{Result, bail};
use std::time::Duration;

/// Redraws the usage every two seconds on the alternate screen, so that the terminal keeps its
/// contents.
pub(super) fn run(context: &mut Context, since: &str, by: GroupBy) -> Result<()> {
    if !context.ui.output_is_terminal() {
        bail!(CliError::misuse("`--watch` needs a terminal").hint("leave it out, or use `--json`"));
    }
    if context.env.text("TERM")?.is_none_or(|term| term == "dumb") {
        bail!(
            CliError::misuse("`--watch` needs a terminal that can be redrawn")
                .hint("leave it out, or set `TERM`")
        );
    }
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let mut keys = SingleKeys::begin();
        let mut end = std::pin::pin!(tokio::signal::ctrl_c());
        // The signal handler is installed before the screen is switched: from here on Ctrl-C does
        // not end the process, so the screen is restored.
        tokio::select! {
            biased;
            _ = &mut end => return Ok(()),
            () = std::future::ready(()) => {}
        }
        context.ui.alternate_screen(true)?;
        loop {
            let view = gather(context, since, by)?;
            let width = context.ui.width();
            let whole = render(context.ui, &view, by, width);
            let mut lines = last_lines(
                &whole.lines().collect::<Vec<_>>(),
                context.ui.height().saturating_sub(1),
            );
            lines.push(
                context
                    .ui
                    .paint(Style::Dim, "refreshes every two seconds; press q to quit"),
            );
            context.ui.repaint(&lines)?;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
                _ = &mut end => return Ok(()),
                () = keys.pressed(b'q') => return Ok(()),
            }
        }
    });
    context.ui.alternate_screen(false)?;
    done
}

/// The lines that fit on the screen: of a long table the last ones, which have the newest days and
/// the total.
fn last_lines<L: AsRef<str> + Clone>(lines: &[L], rows: usize) -> Vec<L> {
    let table = lines
        .iter()
        .position(|l| l.as_ref().contains("by "))
        .map_or(lines.len(), |at| at + 1);
    let over = lines.len().saturating_sub(rows);
    let cut = table..(table + over).min(lines.len());
    lines
        .iter()
        .enumerate()
        .filter(|(n, _)| !cut.contains(n))
        .map(|(_, line)| line.clone())
        .take(rows)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_short_screen_shows_table_end() {
        let whole = ["a", "b", "", "by day", "1", "2", "3", "all"];
        assert_eq!(last_lines(&whole, 20).len(), 8);
        assert_eq!(last_lines(&whole, 6), ["a", "b", "", "by day", "3", "all"]);
        assert_eq!(last_lines(&whole, 3), ["a", "b", ""]);
    }
}
