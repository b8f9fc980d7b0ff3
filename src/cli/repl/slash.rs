//! The slash commands of the chat, as a table.

use crate::cli::term::wrap::wrap_text;
use crate::config::closest_name;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputLine<'a> {
    /// A message; a doubled slash at its beginning has become one.
    Message(&'a str),
    /// A command and its arguments.
    Command(SlashCommand, &'a str),
    /// A command without arguments that was given some: it may be a message that begins with the
    /// command's name.
    TooMuch(&'a str),
    /// An unknown command and the nearest known one. It is never sent as a message.
    Unknown(&'a str, Option<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlashCommand {
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
pub(crate) struct SlashHelp {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) help: &'static str,
    command: SlashCommand,
}

const fn slash_help(
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    action: SlashCommand,
) -> SlashHelp {
    SlashHelp {
        name,
        arguments,
        help,
        command: action,
    }
}

/// The commands, in the order of `/help`.
pub(crate) const COMMANDS: &[SlashHelp] = &[
    slash_help("/help", "", "show this help", SlashCommand::Help),
    slash_help("/exit", "", "leave the chat (Ctrl-D)", SlashCommand::Exit),
    slash_help("/new", "", "start a new conversation", SlashCommand::New),
    slash_help(
        "/model",
        "[NAME]",
        "show or change the model",
        SlashCommand::Model,
    ),
    slash_help(
        "/provider",
        "[NAME]",
        "show or change the provider",
        SlashCommand::Provider,
    ),
    slash_help(
        "/system",
        "TEXT",
        "set the system prompt",
        SlashCommand::System,
    ),
    slash_help(
        "/retry",
        "",
        "ask the last question again",
        SlashCommand::Retry,
    ),
    slash_help(
        "/undo",
        "",
        "remove the last question and its answer",
        SlashCommand::Undo,
    ),
    slash_help(
        "/edit",
        "[TEXT]",
        "write the next message in your editor (Ctrl-O)",
        SlashCommand::Edit,
    ),
    slash_help(
        "/file",
        "PATH",
        "attach a text file to the next message",
        SlashCommand::File,
    ),
    slash_help("/history", "", "list conversations", SlashCommand::History),
    slash_help(
        "/resume",
        "ID",
        "resume another conversation",
        SlashCommand::Resume,
    ),
    slash_help(
        "/rename",
        "TITLE",
        "rename this conversation",
        SlashCommand::Rename,
    ),
    slash_help(
        "/delete",
        "",
        "delete this conversation",
        SlashCommand::Delete,
    ),
    slash_help(
        "/export",
        "[FILE]",
        "export to a .md, .html or .json file",
        SlashCommand::Export,
    ),
    slash_help(
        "/usage",
        "",
        "show requests, tokens and costs",
        SlashCommand::Usage,
    ),
    slash_help(
        "/budget",
        "[USD|off]",
        "show budgets, or set one for this chat",
        SlashCommand::Budget,
    ),
    slash_help(
        "/redact",
        "[show|off KIND|on]",
        "list redacted values, or stop redacting a kind",
        SlashCommand::Redact,
    ),
    slash_help(
        "/incognito",
        "",
        "stop saving this chat",
        SlashCommand::Incognito,
    ),
    slash_help("/save", "", "save this chat after all", SlashCommand::Save),
    slash_help(
        "/reveal",
        "[NAME]",
        "show secrets in the last answer, all or one",
        SlashCommand::Reveal,
    ),
    slash_help(
        "/copy",
        "",
        "copy the last answer to the clipboard",
        SlashCommand::Copy,
    ),
];

/// Names that other chat programs use for these commands.
const ALIASES: &[(&str, SlashCommand)] = &[
    ("/quit", SlashCommand::Exit),
    ("/q", SlashCommand::Exit),
    ("/?", SlashCommand::Help),
    ("/stats", SlashCommand::Usage),
];

pub(crate) fn parse(line: &str) -> InputLine<'_> {
    let start = line.trim_start();
    if let Some(rest) = start.strip_prefix("//") {
        // The second slash of the two is kept.
        return InputLine::Message(start.get(start.len() - rest.len() - 1..).unwrap_or(rest));
    }
    if !start.starts_with('/') {
        return InputLine::Message(line);
    }
    let (name, arguments) = start.split_once(char::is_whitespace).unwrap_or((start, ""));
    let known = COMMANDS
        .iter()
        .map(|c| (c.name, c.command))
        .chain(ALIASES.iter().copied());
    match known.into_iter().find(|(n, _)| *n == name) {
        Some((_, command)) if !arguments.trim().is_empty() && takes_no_arguments(command) => {
            InputLine::TooMuch(name)
        }
        Some((_, command)) => InputLine::Command(command, arguments.trim()),
        None => InputLine::Unknown(name, closest_name(name, COMMANDS.iter().map(|c| c.name))),
    }
}

fn takes_no_arguments(action: SlashCommand) -> bool {
    COMMANDS
        .iter()
        .any(|c| c.command == action && c.arguments.is_empty())
}

/// How the keys are.
const KEY_HELP: [&str; 3] = [
    "New line: Alt-Enter, Ctrl-J, \\ at the end of a line, or a \"\"\" block.",
    "To send a message that begins with a slash, type two slashes.",
    "Ctrl-C stops an answer and saves its text; at the prompt it clears the line.",
];

/// The text of `/help`; on a narrow terminal a command takes several lines.
pub(crate) fn help(width: usize) -> String {
    let mut text = String::new();
    for c in COMMANDS {
        let head = format!("{} {}", c.name, c.arguments);
        text += &format!(
            "{}\n",
            wrap_text(&format!("  {:<27} {}", head.trim_end(), c.help), width, 30)
        );
    }
    text.push('\n');
    KEY_HELP.iter().fold(text, |text, keys| {
        text + &format!("{}\n", wrap_text(&format!("  {keys}"), width, 2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_lines_are_parsed() {
        assert_eq!(parse("hello /help"), InputLine::Message("hello /help"));
        assert_eq!(
            parse("//etc/passwd is a file"),
            InputLine::Message("/etc/passwd is a file")
        );
        assert_eq!(
            parse("/model  openai/gpt-5.2 "),
            InputLine::Command(SlashCommand::Model, "openai/gpt-5.2")
        );
        assert_eq!(parse("/quit"), InputLine::Command(SlashCommand::Exit, ""));
        assert_eq!(parse("/hlep"), InputLine::Unknown("/hlep", Some("/help")));
        assert_eq!(
            parse("/etc/passwd"),
            InputLine::Unknown("/etc/passwd", None)
        );
    }

    #[test]
    fn slash_help_fits_narrow_terminal() {
        for width in [60, 80, 200] {
            assert!(
                help(width)
                    .lines()
                    .all(|l| l.chars().count() <= width.min(80)),
                "{}",
                help(width)
            );
        }
    }

    #[test]
    fn slash_commands_reject_extra_arguments() {
        assert_eq!(parse("/usage --json"), InputLine::TooMuch("/usage"));
        assert_eq!(parse("/quit now"), InputLine::TooMuch("/quit"));
        assert_eq!(parse("/undo  "), InputLine::Command(SlashCommand::Undo, ""));
    }
}
