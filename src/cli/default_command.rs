//! The command that a command line without one means, and the one that was meant by an unknown
//! word.

use crate::cli::Cli;
use crate::cli::commands::ask::AskArgs;
use crate::cli::commands::chat::ChatCommandArgs;
use crate::config::closest_name;
use clap::{Args, Command, CommandFactory};
use std::ffi::{OsStr, OsString};

/// Words that are not commands, with the commands that do what they say.
const OTHER_WORDS: [(&str, &str); 7] = [
    ("demo", "chatbot chat --demo"),
    ("setup", "chatbot key set"),
    ("init", "chatbot config init"),
    ("resume", "chatbot chat --resume ID"),
    ("continue", "chatbot chat --continue"),
    ("version", "chatbot --version"),
    ("settings", "chatbot config show"),
];

/// Completes a command line without a command: a question or an option of a conversation starts
/// `chat`, or `ask` where no one types. `help COMMAND` is `COMMAND --help`.
pub(super) fn with_default_command(mut args: Vec<OsString>, interactive: bool) -> Vec<OsString> {
    let default = if interactive { "chat" } else { "ask" };
    let mut at = 1;
    while let Some(word) = args.get(at).and_then(|arg| arg.to_str()) {
        match word {
            "--color" | "--config" => at += 2,
            "-y" | "--yes" => at += 1,
            _ if word.starts_with("--color=") || word.starts_with("--config=") => at += 1,
            "-h" | "--help" | "-V" | "--version" => return args,
            "help" => {
                args.remove(at);
                args.push(OsString::from("--help"));
                return args;
            }
            _ => {
                let starts = if word == "--" {
                    true
                } else if word.starts_with('-') {
                    let command = Command::new(default);
                    let command = if interactive {
                        ChatCommandArgs::augment_args(command)
                    } else {
                        AskArgs::augment_args(command)
                    };
                    has_option(&command, word)
                } else {
                    word.contains(char::is_whitespace)
                };
                if starts {
                    args.insert(at, OsString::from(default));
                }
                return args;
            }
        }
    }
    args
}

fn has_option(command: &Command, word: &str) -> bool {
    let mut options = command.get_arguments();
    match word.strip_prefix("--") {
        Some(name) => {
            let name = name.split('=').next();
            options.any(|option| option.get_long() == name)
        }
        None => {
            let letter = word.chars().nth(1);
            letter.is_some() && options.any(|option| option.get_short() == letter)
        }
    }
}

/// A hint for a word that is no command: the command that was probably meant.
pub(super) fn hint_for_unknown(args: &[OsString], word: &str) -> String {
    let mut root = Cli::command();
    root.build();
    let (mut parent, mut path) = (&root, String::from("chatbot"));
    for arg in args
        .iter()
        .skip(1)
        .take_while(|arg| *arg != OsStr::new(word))
    {
        if let Some(below) = arg.to_str().and_then(|arg| parent.find_subcommand(arg)) {
            parent = below;
            path = format!("{path} {}", below.get_name());
        }
    }
    let top_level = path == "chatbot";
    if top_level && let Some((_, command)) = OTHER_WORDS.iter().find(|(other, _)| *other == word) {
        return format!("did you mean `{command}`?");
    }
    let names = |command: &Command| -> Vec<String> {
        let visible = command.get_subcommands().filter(|c| !c.is_hide_set());
        visible.map(|c| c.get_name().to_owned()).collect()
    };
    let deeper: Vec<String> = root
        .get_subcommands()
        .filter(|below| below.find_subcommand(word).is_some())
        .map(|below| format!("`chatbot {} {word}`", below.get_name()))
        .collect();
    if top_level && !deeper.is_empty() {
        return format!("did you mean {}?", deeper.join(" or "));
    }
    let siblings = names(parent);
    match closest_name(word, siblings.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{path} {near}`?"),
        None if top_level => {
            "see `chatbot --help`; a question goes in quotes: `chatbot ask \"…\"`".to_owned()
        }
        None => format!("see `{path} --help`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_command_is_inserted() {
        for (line, completed) in [
            ("ask|hi", "ask|hi"),
            ("why is it?", "chat|why is it?"),
            ("-c", "chat|-c"),
            ("--color|never|-m|x", "--color|never|chat|-m|x"),
            ("--model=x|hi", "chat|--model=x|hi"),
            ("--|hi", "chat|--|hi"),
            ("-y", "-y"),
            ("--version", "--version"),
            ("help", "--help"),
            ("help|key|set", "key|set|--help"),
            ("--nonsense", "--nonsense"),
            ("word", "word"),
        ] {
            let words = std::iter::once("chatbot").chain(line.split('|'));
            let args = with_default_command(words.map(OsString::from).collect(), true);
            let args: Vec<&str> = args.iter().skip(1).filter_map(|a| a.to_str()).collect();
            assert_eq!(args.join("|"), completed, "{line}");
        }
    }

    #[test]
    fn unknown_command_gets_a_hint() {
        for (line, hint) in [
            ("aks", "did you mean `chatbot ask`?"),
            ("demo", "did you mean `chatbot chat --demo`?"),
            ("login", "did you mean `chatbot key login`?"),
            ("history lst", "did you mean `chatbot history list`?"),
            ("history xyzzy", "see `chatbot history --help`"),
        ] {
            let words = std::iter::once("chatbot").chain(line.split(' '));
            let args: Vec<OsString> = words.map(OsString::from).collect();
            let word = line.split(' ').next_back().unwrap();
            assert_eq!(hint_for_unknown(&args, word), hint, "{line}");
        }
    }
}
