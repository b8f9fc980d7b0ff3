//! A slash command, and what a typed line means.

use crate::cli::repl::state::Repl;
use crate::config::closest_name;
use anyhow::Result;

/// A slash command of the chat.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlashCommand {
    /// The name, with its slash.
    pub(super) name: &'static str,
    /// Names that other chat programs use for it.
    pub(super) aliases: &'static [&'static str],
    /// Its arguments as `/help` shows them; empty if it takes none.
    pub(super) arguments: &'static str,
    pub(super) help: &'static str,
    /// Runs it with the text after its name.
    pub(super) run: fn(&mut Repl<'_>, &str) -> Result<()>,
}

#[derive(Clone, Debug)]
pub(super) enum InputLine<'a> {
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

pub(super) fn parse<'a>(line: &'a str, commands: &[SlashCommand]) -> InputLine<'a> {
    let start = line.trim_start();
    if let Some(rest) = start.strip_prefix("//") {
        // The second slash of the two is kept.
        return InputLine::Message(start.get(start.len() - rest.len() - 1..).unwrap_or(rest));
    }
    if !start.starts_with('/') {
        return InputLine::Message(line);
    }
    let (name, arguments) = start.split_once(char::is_whitespace).unwrap_or((start, ""));
    let arguments = arguments.trim();
    match commands
        .iter()
        .find(|c| c.name == name || c.aliases.contains(&name))
    {
        Some(command) if command.arguments.is_empty() && !arguments.is_empty() => {
            InputLine::TooMuch(name)
        }
        Some(command) => InputLine::Command(*command, arguments),
        None => InputLine::Unknown(name, closest_name(name, commands.iter().map(|c| c.name))),
    }
}
