//! A choice from a numbered list: by number, or by a part of the name.

use crate::cli::repl::input::InputEvent;
use crate::cli::repl::state::Repl;
use crate::cli::term::format::truncate_to_width;
use anyhow::Result;

/// More entries are not shown at once: typing a part of the name is faster than reading them.
const MAX_SHOWN: usize = 15;

/// Shows a list and asks for one of its entries; `None` if the user does not choose.
pub(super) fn pick(repl: &mut Repl<'_>, labels: &[String]) -> Result<Option<usize>> {
    let mut shown: Vec<usize> = (0..labels.len()).collect();
    loop {
        show(repl, labels, &shown)?;
        let most = repl.context.settings()?.limits.max_attachment_bytes;
        let ui = repl.context.ui;
        let InputEvent::Text(answer) =
            repl.keyboard
                .read(&ui, "number or part of the name> ", most)?
        else {
            return Ok(None);
        };
        let answer = answer.trim();
        if answer.is_empty() {
            return Ok(None);
        }
        if let Ok(number) = answer.parse::<usize>()
            && let Some(at) = number.checked_sub(1).and_then(|n| shown.get(n))
            && number <= MAX_SHOWN
        {
            return Ok(Some(*at));
        }
        match matching(labels, answer).as_slice() {
            [] => repl.context.ui.notice("nothing matches"),
            [one] => return Ok(Some(*one)),
            many => shown = many.to_vec(),
        }
    }
}

fn show(repl: &Repl<'_>, labels: &[String], shown: &[usize]) -> Result<()> {
    let ui = repl.context.ui;
    let room = ui.width().saturating_sub(6);
    let lines = shown.iter().filter_map(|at| labels.get(*at));
    for (n, label) in lines.take(MAX_SHOWN).enumerate() {
        ui.out(&format!(
            "{:>3}  {}\n",
            n + 1,
            truncate_to_width(label, room)
        ))?;
    }
    if shown.len() > MAX_SHOWN {
        ui.out(&format!("     and {} more\n", shown.len() - MAX_SHOWN))?;
    }
    Ok(())
}

/// The entries that contain every word of `typed`, in any case. If there are none, those that
/// contain its letters in this order.
pub(super) fn matching(labels: &[String], typed: &str) -> Vec<usize> {
    let typed = typed.to_lowercase();
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let select = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let all = lower.iter().enumerate();
        all.filter(|(_, label)| fits(label))
            .map(|(at, _)| at)
            .collect()
    };
    let with_words = select(&|label| typed.split_whitespace().all(|word| label.contains(word)));
    if !with_words.is_empty() {
        return with_words;
    }
    select(&|label| {
        let mut letters = label.chars();
        let mut wanted = typed.chars().filter(|c| !c.is_whitespace());
        wanted.all(|c| letters.any(|letter| letter == c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picker_matches_words_then_letters() {
        let labels = [
            "openai/gpt-5.2",
            "openai/gpt-5.2-mini",
            "anthropic/claude-sonnet",
        ];
        let labels = labels.map(str::to_owned);
        for (typed, matches) in [
            ("gpt", vec![0, 1]),
            ("mini GPT", vec![1]),
            ("sonnet", vec![2]),
            ("acs", vec![2]),
            ("xyz", vec![]),
        ] {
            assert_eq!(matching(&labels, typed), matches, "{typed}");
        }
    }
}
