//! The slash commands, as a table: name, help and action. `/help`, completion and the parser of a
//! line read it.

mod conversation;
mod privacy;
mod request;

pub(super) use request::edit;

use crate::cli::repl::slash::SlashCommand;
use crate::cli::repl::state::Repl;
use crate::cli::term::wrap::wrap_text;
use anyhow::Result;

/// The commands, in the order of `/help`.
pub(super) const COMMANDS: &[SlashCommand] = &[
    SlashCommand {
        name: "/help",
        aliases: &["/?"],
        arguments: "",
        help: "show this help",
        run: help,
    },
    SlashCommand {
        name: "/exit",
        aliases: &["/quit", "/q"],
        arguments: "",
        help: "leave the chat (Ctrl-D)",
        run: exit,
    },
    SlashCommand {
        name: "/new",
        aliases: &[],
        arguments: "",
        help: "start a new conversation",
        run: conversation::new,
    },
    SlashCommand {
        name: "/model",
        aliases: &[],
        arguments: "[NAME]",
        help: "pick a model, or change to this one",
        run: request::change_model,
    },
    SlashCommand {
        name: "/models",
        aliases: &[],
        arguments: "[PATTERN]",
        help: "list the provider's models and prices",
        run: request::list_models,
    },
    SlashCommand {
        name: "/provider",
        aliases: &[],
        arguments: "[NAME]",
        help: "list the providers, or change to one",
        run: request::change_provider,
    },
    SlashCommand {
        name: "/system",
        aliases: &[],
        arguments: "[TEXT]",
        help: "show or set the system prompt",
        run: request::set_system_prompt,
    },
    SlashCommand {
        name: "/role",
        aliases: &[],
        arguments: "[NAME|off]",
        help: "list the roles, or use one",
        run: request::role,
    },
    SlashCommand {
        name: "/set",
        aliases: &[],
        arguments: "[OPTION VALUE]",
        help: "show or set temperature and max-tokens",
        run: request::set_option,
    },
    SlashCommand {
        name: "/info",
        aliases: &[],
        arguments: "",
        help: "show model, options and this conversation",
        run: request::show_info,
    },
    SlashCommand {
        name: "/retry",
        aliases: &[],
        arguments: "",
        help: "ask the last question again",
        run: conversation::retry,
    },
    SlashCommand {
        name: "/continue",
        aliases: &[],
        arguments: "",
        help: "go on with an answer that was cut off",
        run: conversation::continue_answer,
    },
    SlashCommand {
        name: "/compact",
        aliases: &[],
        arguments: "",
        help: "go on with a summary of this chat",
        run: conversation::compact,
    },
    SlashCommand {
        name: "/fork",
        aliases: &[],
        arguments: "",
        help: "go on in a copy of this chat",
        run: conversation::fork,
    },
    SlashCommand {
        name: "/undo",
        aliases: &[],
        arguments: "",
        help: "remove the last question and its answer",
        run: conversation::undo,
    },
    SlashCommand {
        name: "/edit",
        aliases: &[],
        arguments: "[TEXT]",
        help: "write the next message in your editor (Ctrl-O)",
        run: edit,
    },
    SlashCommand {
        name: "/file",
        aliases: &[],
        arguments: "[PATH|-NAME|clear]",
        help: "attach files, list or remove them",
        run: request::attach,
    },
    SlashCommand {
        name: "/history",
        aliases: &[],
        arguments: "",
        help: "list conversations",
        run: conversation::list,
    },
    SlashCommand {
        name: "/resume",
        aliases: &[],
        arguments: "[ID|TITLE]",
        help: "pick another conversation, or resume this one",
        run: conversation::resume,
    },
    SlashCommand {
        name: "/rename",
        aliases: &[],
        arguments: "TITLE",
        help: "rename this conversation",
        run: conversation::rename,
    },
    SlashCommand {
        name: "/delete",
        aliases: &[],
        arguments: "",
        help: "delete this conversation",
        run: conversation::delete,
    },
    SlashCommand {
        name: "/export",
        aliases: &[],
        arguments: "[FILE]",
        help: "export to a .md, .html or .json file",
        run: conversation::export,
    },
    SlashCommand {
        name: "/usage",
        aliases: &["/stats"],
        arguments: "",
        help: "show requests, tokens and costs",
        run: request::show_usage,
    },
    SlashCommand {
        name: "/budget",
        aliases: &[],
        arguments: "[USD|off]",
        help: "show budgets, or set one for this chat",
        run: request::budget,
    },
    SlashCommand {
        name: "/doctor",
        aliases: &[],
        arguments: "",
        help: "check storage, keys, network and this machine",
        run: request::check_machine,
    },
    SlashCommand {
        name: "/redact",
        aliases: &[],
        arguments: "[why|off KIND|on]",
        help: "show redacted values, why; stop a kind",
        run: privacy::redact,
    },
    SlashCommand {
        name: "/incognito",
        aliases: &[],
        arguments: "",
        help: "stop saving this chat",
        run: conversation::incognito,
    },
    SlashCommand {
        name: "/save",
        aliases: &[],
        arguments: "",
        help: "save this chat after all",
        run: conversation::save,
    },
    SlashCommand {
        name: "/reveal",
        aliases: &[],
        arguments: "[NAME]",
        help: "show secrets in the last answer, all or one",
        run: privacy::reveal,
    },
    SlashCommand {
        name: "/copy",
        aliases: &[],
        arguments: "[N|code [N]]",
        help: "copy an answer or its code to the clipboard",
        run: privacy::copy,
    },
];

/// What the keys do.
const KEY_HELP: [&str; 3] = [
    "New line: Alt-Enter, Ctrl-J, \\ at the end of a line, or a \"\"\" block.",
    "To send a message that begins with a slash, type two slashes.",
    "Ctrl-C stops an answer and saves its text; at the prompt it clears the line.",
];

fn help(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    repl.context.ui.out(&help_text(repl.context.ui.width()))
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this signature")]
fn exit(repl: &mut Repl<'_>, _: &str) -> Result<()> {
    repl.leaving = true;
    Ok(())
}

/// The text of `/help`; on a narrow terminal a command takes several lines.
fn help_text(width: usize) -> String {
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
    use crate::cli::repl::slash::{InputLine, parse};

    /// The command and its arguments, or what is wrong with the line.
    fn parsed(line: &str) -> String {
        match parse(line, COMMANDS) {
            InputLine::Message(text) => format!("message {text}"),
            InputLine::Command(command, arguments) => format!("{} {arguments}", command.name),
            InputLine::TooMuch(name) => format!("too much for {name}"),
            InputLine::Unknown(name, meant) => format!("unknown {name}, {meant:?}"),
        }
    }

    #[test]
    fn slash_lines_are_parsed() {
        for (line, meaning) in [
            ("hello /help", "message hello /help"),
            ("//etc/passwd is a file", "message /etc/passwd is a file"),
            ("/model  openai/gpt-5.2 ", "/model openai/gpt-5.2"),
            ("/quit", "/exit "),
            ("/stats", "/usage "),
            ("/hlep", "unknown /hlep, Some(\"/help\")"),
            ("/etc/passwd", "unknown /etc/passwd, None"),
            ("/usage --json", "too much for /usage"),
            ("/quit now", "too much for /quit"),
            ("/undo  ", "/undo "),
        ] {
            assert_eq!(parsed(line), meaning, "{line}");
        }
    }

    #[test]
    fn slash_help_fits_narrow_terminal() {
        for width in [60, 80, 200] {
            let help = help_text(width);
            assert!(
                help.lines().all(|l| l.chars().count() <= width.min(80)),
                "{help}"
            );
        }
    }
}
