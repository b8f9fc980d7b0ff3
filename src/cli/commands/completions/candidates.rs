//! What can follow an unfinished command line: commands, options and kinds of values, as the
//! definition of the command line has them.

use clap::{Arg, Command, ValueHint};

/// Where the values of an argument come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Files,
    Models,
    Providers,
    Profiles,
    Conversations,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineCompletion {
    /// These words, each with a description.
    Words(Vec<(String, String)>),
    /// Values of this kind that begin with the text.
    Values(ValueKind, String),
}

/// Completes the last of the words. The command must be built.
pub(super) fn complete(root: &Command, words: &[String]) -> LineCompletion {
    let (mut command, mut position, mut awaiting) = (root, 1, None);
    let mut options_end = false;
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    for (at, word) in before.iter().enumerate() {
        if word == "help" && at == 0 {
            continue;
        }
        // Bash hands over `--option=value` in three words.
        if word == "=" && awaiting.is_some() {
            continue;
        }
        if awaiting.take().is_some() {
            continue;
        }
        if options_end || !word.starts_with('-') || word == "-" {
            match command.find_subcommand(word).filter(|_| !options_end) {
                Some(below) => (command, position) = (below, 1),
                None => position += 1,
            }
        } else if word == "--" {
            options_end = true;
        } else {
            awaiting = option_awaiting_value(command, word);
        }
    }
    if let Some(option) = awaiting {
        return values_of(option, last, "");
    }
    if last.starts_with('-') && !options_end {
        if let Some((name, value)) = last.split_once('=')
            && let Some(option) = find_option(command, name)
        {
            return values_of(option, value, &format!("{name}="));
        }
        return LineCompletion::Words(options(command, last));
    }
    let below: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set() && c.get_name().starts_with(last))
        .map(|c| (c.get_name().to_owned(), first_line(c.get_about())))
        .collect();
    if !below.is_empty() {
        return LineCompletion::Words(below);
    }
    let many = |arg: &&Arg| arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let argument = command
        .get_positionals()
        .find(|arg| arg.get_index() == Some(position))
        .or_else(|| command.get_positionals().last().filter(many));
    match argument {
        Some(argument) => values_of(argument, last, ""),
        None => LineCompletion::Words(Vec::new()),
    }
}

/// The option at the end of a word, if its value is the next word.
fn option_awaiting_value<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    if word.contains('=') {
        return None;
    }
    let option = if word.starts_with("--") {
        find_option(command, word)
    } else {
        let last = word.chars().next_back()?;
        command
            .get_arguments()
            .find(|a| a.get_short() == Some(last))
    };
    option.filter(|arg| arg.get_action().takes_values())
}

fn find_option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let name = word.strip_prefix("--")?;
    command.get_arguments().find(|a| a.get_long() == Some(name))
}

fn options(command: &Command, typed: &str) -> Vec<(String, String)> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| Some((format!("--{}", arg.get_long()?), first_line(arg.get_help()))))
        .filter(|(name, _)| name.starts_with(typed))
        .collect()
}

/// The values of an argument. `before` precedes each of them in the word.
fn values_of(arg: &Arg, typed: &str, before: &str) -> LineCompletion {
    let possible: Vec<(String, String)> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && value.get_name().starts_with(typed))
        .map(|value| {
            (
                format!("{before}{}", value.get_name()),
                first_line(value.get_help()),
            )
        })
        .collect();
    let kind = match arg.get_id().as_str() {
        "model" => ValueKind::Models,
        "provider" => ValueKind::Providers,
        "profile" | "management_profile" => ValueKind::Profiles,
        "resume" | "id" | "ids" | "only" => ValueKind::Conversations,
        _ if matches!(arg.get_value_hint(), ValueHint::AnyPath) => ValueKind::Files,
        _ => return LineCompletion::Words(possible),
    };
    LineCompletion::Values(kind, typed.to_owned())
}

fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    #[test]
    fn candidates_follow_the_command_line() {
        let mut command = Cli::command();
        command.build();
        let completed = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            match complete(&command, &words) {
                LineCompletion::Words(found) => found
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect::<Vec<_>>()
                    .join(" "),
                LineCompletion::Values(kind, typed) => format!("{kind:?} {typed}"),
            }
        };
        for (line, found) in [
            ("hist", "history"),
            ("help hist", "history"),
            ("--config x hist", "history"),
            ("history sh", "show"),
            ("history show ", "Conversations "),
            ("history show --raw 7k", "Conversations 7k"),
            ("history delete 7kq 8", "Conversations 8"),
            ("chat -r ", "Conversations "),
            ("ask -nm op", "Models op"),
            ("ask --provider = op", "Providers op"),
            ("ask --prov", "--provider"),
            ("ask --profile w", "Profiles w"),
            ("ask -f my", "Files my"),
            ("--color a", "auto always"),
            ("ask --color=n", "--color=never"),
            ("completions b", "bash"),
            ("ask -- -f ", ""),
            ("chat -s ", ""),
        ] {
            assert_eq!(completed(line), found, "{line}");
        }
    }
}
