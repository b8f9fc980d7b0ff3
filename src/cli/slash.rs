//! The slash commands of the chat, as a table.

use super::folding::folded;
use crate::settings::nearest;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A message; a doubled slash at its beginning has become one.
    Say(&'a str),
    /// A command and its arguments.
    Do(Deed, &'a str),
    /// A command without arguments that was given some: it may be a message that begins with the
    /// command's name.
    TooMuch(&'a str),
    /// An unknown command and the nearest known one. It is never sent as a message.
    Unknown(&'a str, Option<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Help,
    Exit,
    New,
    Model,
    Provider,
    System,
    Retry,
    Undo,
    Edit,
    File,
    History,
    Resume,
    Save,
    Rename,
    Delete,
    Export,
    Usage,
    Budget,
    Redact,
    Incognito,
    Copy,
    Reveal,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) help: &'static str,
    deed: Deed,
}

const fn command(name: &'static str, arguments: &'static str, help: &'static str, deed: Deed) -> Command {
    Command { name, arguments, help, deed }
}

/// The commands, in the order of `/help`.
pub(crate) const TABLE: &[Command] = &[
    command("/help", "", "show this help", Deed::Help),
    command("/exit", "", "leave the chat (Ctrl-D)", Deed::Exit),
    command("/new", "", "start a new conversation", Deed::New),
    command("/model", "[NAME]", "show or change the model", Deed::Model),
    command("/provider", "[NAME]", "show or change the provider", Deed::Provider),
    command("/system", "TEXT", "set the system prompt", Deed::System),
    command("/retry", "", "ask the last question again", Deed::Retry),
    command("/undo", "", "remove the last question and its answer", Deed::Undo),
    command("/edit", "[TEXT]", "write the next message in your editor (Ctrl-O)", Deed::Edit),
    command("/file", "PATH", "attach a text file to the next message", Deed::File),
    command("/history", "", "list conversations", Deed::History),
    command("/resume", "ID", "resume another conversation", Deed::Resume),
    command("/rename", "TITLE", "rename this conversation", Deed::Rename),
    command("/delete", "", "delete this conversation", Deed::Delete),
    command("/export", "[FILE]", "export to a .md, .html or .json file", Deed::Export),
    command("/usage", "", "show requests, tokens and costs", Deed::Usage),
    command("/budget", "[USD|off]", "show budgets, or set one for this chat", Deed::Budget),
    command("/redact", "[show|off KIND|on]", "list redacted values, or stop redacting a kind", Deed::Redact),
    command("/incognito", "", "stop saving this chat", Deed::Incognito),
    command("/save", "", "save this chat after all", Deed::Save),
    command("/reveal", "[NAME]", "show secrets in the last answer, all or one", Deed::Reveal),
    command("/copy", "", "copy the last answer to the clipboard", Deed::Copy),
];

/// Names that other chat programs use for these commands.
const ALIASES: &[(&str, Deed)] = &[("/quit", Deed::Exit), ("/q", Deed::Exit), ("/?", Deed::Help), ("/stats", Deed::Usage)];

pub(crate) fn parse(line: &str) -> Line<'_> {
    let start = line.trim_start();
    if let Some(rest) = start.strip_prefix("//") {
        // The second slash of the two is kept.
        return Line::Say(start.get(start.len() - rest.len() - 1..).unwrap_or(rest));
    }
    if !start.starts_with('/') {
        return Line::Say(line);
    }
    let (name, arguments) = start.split_once(char::is_whitespace).unwrap_or((start, ""));
    let known = TABLE.iter().map(|c| (c.name, c.deed)).chain(ALIASES.iter().copied());
    match known.into_iter().find(|(n, _)| *n == name) {
        Some((_, deed)) if !arguments.trim().is_empty() && takes_nothing(deed) => Line::TooMuch(name),
        Some((_, deed)) => Line::Do(deed, arguments.trim()),
        None => Line::Unknown(name, nearest(name, TABLE.iter().map(|c| c.name))),
    }
}

fn takes_nothing(deed: Deed) -> bool {
    TABLE.iter().any(|c| c.deed == deed && c.arguments.is_empty())
}

/// How the keys are.
const KEYS: [&str; 3] = [
    "New line: Alt-Enter, Ctrl-J, \\ at the end of a line, or a \"\"\" block.",
    "To send a message that begins with a slash, type two slashes.",
    "Ctrl-C stops an answer and saves its text; at the prompt it clears the line.",
];

/// The text of `/help`; on a narrow terminal a command takes several lines.
pub(crate) fn help(width: usize) -> String {
    let mut text = String::new();
    for c in TABLE {
        let head = format!("{} {}", c.name, c.arguments);
        text += &format!("{}\n", folded(&format!("  {:<27} {}", head.trim_end(), c.help), width, 30));
    }
    text.push('\n');
    KEYS.iter().fold(text, |text, keys| text + &format!("{}\n", folded(&format!("  {keys}"), width, 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_look_like() {
        assert_eq!(parse("hello /help"), Line::Say("hello /help"));
        assert_eq!(parse("//etc/passwd is a file"), Line::Say("/etc/passwd is a file"));
        assert_eq!(parse("/model  openai/gpt-5.2 "), Line::Do(Deed::Model, "openai/gpt-5.2"));
        assert_eq!(parse("/quit"), Line::Do(Deed::Exit, ""));
        assert_eq!(parse("/hlep"), Line::Unknown("/hlep", Some("/help")));
        assert_eq!(parse("/etc/passwd"), Line::Unknown("/etc/passwd", None));
    }

    #[test]
    fn help_fits_a_narrow_terminal() {
        for width in [60, 80, 200] {
            assert!(help(width).lines().all(|l| l.chars().count() <= width.min(80)), "{}", help(width));
        }
    }

    #[test]
    fn what_takes_nothing_is_given_nothing() {
        assert_eq!(parse("/usage --json"), Line::TooMuch("/usage"));
        assert_eq!(parse("/quit now"), Line::TooMuch("/quit"));
        assert_eq!(parse("/undo  "), Line::Do(Deed::Undo, ""));
    }
}
