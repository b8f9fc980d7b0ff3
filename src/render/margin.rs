//! The margins of quotes and list items.

use super::width::columns;

const BULLET: &str = "•";

/// What stands at the beginning of each line within a quote or a list item.
#[derive(Debug)]
pub(super) enum Margin {
    Quote,
    Item {
        marker: String,
        /// The marker has been written; further lines are indented by its width.
        written: bool,
    },
}

impl Margin {
    /// The margin of a list item: `marker` is its number, or nothing for a bullet.
    pub(super) fn item(marker: &str, task: Option<bool>) -> Self {
        let marker = if marker.is_empty() { BULLET } else { marker };
        let task = match task {
            None => "",
            Some(false) => "[ ] ",
            Some(true) => "[x] ",
        };
        Self::Item {
            marker: format!("{marker} {task}"),
            written: false,
        }
    }

    pub(super) fn columns(&self) -> usize {
        match self {
            Self::Quote => 2,
            Self::Item { marker, .. } => columns(marker),
        }
    }
}
