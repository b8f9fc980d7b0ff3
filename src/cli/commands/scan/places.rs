//! Where other tools keep their transcripts and histories.

use crate::cli::env::Env;
use std::path::{Path, PathBuf};

/// A tool that sends to a model what the user types or lets it read, or that records commands.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// The provider that has what is in its transcripts, if it is always the same.
    pub(super) sent_to: Option<&'static str>,
    places: &'static [(Base, &'static [&'static str])],
}

/// What a path of a tool is relative to.
#[derive(Clone, Copy, Debug)]
enum Base {
    Home,
    /// The folder that a variable of the tool names, or else this one below home.
    Folder(&'static str, &'static str),
    /// The file or folder that a variable of the tool names.
    Named(&'static str),
    Config,
    Data,
    State,
    Temp,
    CurrentFolder,
}

const AIDER_FILES: &[&str] = &[
    ".aider.chat.history.md",
    ".aider.input.history",
    ".aider.llm.history",
];

/// The tools. A path that does not exist is skipped; a folder is scanned with everything below it.
const TOOLS: &[Tool] = &[
    Tool {
        name: "Claude Code",
        sent_to: Some("Anthropic"),
        places: &[
            (
                Base::Folder("CLAUDE_CONFIG_DIR", ".claude"),
                &[
                    "projects",
                    "history.jsonl",
                    "paste-cache",
                    "plans",
                    "todos",
                    "debug",
                ],
            ),
            (Base::Config, &["claude/projects"]),
        ],
    },
    Tool {
        name: "Codex",
        sent_to: Some("OpenAI"),
        places: &[(
            Base::Folder("CODEX_HOME", ".codex"),
            &["sessions", "archived_sessions", "history.jsonl", "log"],
        )],
    },
    Tool {
        name: "Gemini CLI",
        sent_to: Some("Google"),
        places: &[(Base::Folder("GEMINI_CLI_HOME", ""), &[".gemini/tmp"])],
    },
    Tool {
        name: "aider",
        sent_to: None,
        places: &[
            (Base::Home, AIDER_FILES),
            (Base::CurrentFolder, AIDER_FILES),
            (Base::Named("AIDER_CHAT_HISTORY_FILE"), &[""]),
            (Base::Named("AIDER_INPUT_HISTORY_FILE"), &[""]),
            (Base::Named("AIDER_LLM_HISTORY_FILE"), &[""]),
        ],
    },
    Tool {
        name: "aichat",
        sent_to: None,
        places: &[
            (
                Base::Named("AICHAT_CONFIG_DIR"),
                &["sessions", "messages.md"],
            ),
            (Base::Named("AICHAT_SESSIONS_DIR"), &[""]),
            (Base::Named("AICHAT_MESSAGES_FILE"), &[""]),
            (Base::Config, &["aichat/sessions", "aichat/messages.md"]),
            (
                Base::Home,
                &[
                    "Library/Application Support/aichat/sessions",
                    "Library/Application Support/aichat/messages.md",
                ],
            ),
        ],
    },
    Tool {
        name: "llm",
        sent_to: None,
        places: &[
            (Base::Named("LLM_USER_PATH"), &["logs.db", "logs.db-wal"]),
            (
                Base::Config,
                &["io.datasette.llm/logs.db", "io.datasette.llm/logs.db-wal"],
            ),
            (
                Base::Home,
                &[
                    "Library/Application Support/io.datasette.llm/logs.db",
                    "Library/Application Support/io.datasette.llm/logs.db-wal",
                ],
            ),
        ],
    },
    Tool {
        name: "opencode",
        sent_to: None,
        places: &[
            (
                Base::Data,
                &[
                    "opencode/storage",
                    "opencode/opencode.db",
                    "opencode/opencode.db-wal",
                    "opencode/tool-output",
                    "opencode/log",
                ],
            ),
            (Base::State, &["opencode/prompt-history.jsonl"]),
            (Base::Named("OPENCODE_DB"), &[""]),
        ],
    },
    Tool {
        name: "shell_gpt",
        sent_to: None,
        places: &[
            (Base::Config, &["shell_gpt"]),
            (Base::Temp, &["chat_cache"]),
            (Base::Named("CHAT_CACHE_PATH"), &[""]),
        ],
    },
    Tool {
        name: "shell history",
        sent_to: None,
        places: &[
            (
                Base::Home,
                &[".bash_history", ".zsh_history", ".zhistory", ".histfile"],
            ),
            (Base::Named("ZDOTDIR"), &[".zsh_history"]),
            (Base::Named("HISTFILE"), &[""]),
            (Base::Data, &["fish/fish_history"]),
        ],
    },
];

/// A path where a tool keeps its files, and which exists.
#[derive(Debug)]
pub(super) struct KnownPlace {
    pub(super) tool: &'static Tool,
    pub(super) path: PathBuf,
}

/// All places of all tools that exist.
pub(super) fn known_places(env: Env) -> Vec<KnownPlace> {
    let mut known: Vec<KnownPlace> = Vec::new();
    for tool in TOOLS {
        for (base, paths) in tool.places {
            let Some(base) = base_folder(*base, env) else {
                continue;
            };
            for path in *paths {
                let path = if path.is_empty() {
                    base.clone()
                } else {
                    base.join(path)
                };
                let is_new = !known.iter().any(|place| place.path == path);
                if is_new && crate::fs::exists(&path) {
                    known.push(KnownPlace { tool, path });
                }
            }
        }
    }
    known
}

/// The folder, or `None` if nothing names it. A relative one would depend on the current folder.
fn base_folder(base: Base, env: Env) -> Option<PathBuf> {
    let home = || env.path("HOME").or_else(|| env.path("USERPROFILE"));
    let or_home = |variable: &str, below: &str| {
        env.path(variable)
            .or_else(|| home().map(|home| home.join(below)))
    };
    let folder = match base {
        Base::Home => home(),
        Base::Folder(variable, below) => or_home(variable, below),
        Base::Named(variable) => env.path(variable),
        Base::Config => or_home("XDG_CONFIG_HOME", ".config"),
        Base::Data => or_home("XDG_DATA_HOME", ".local/share"),
        Base::State => or_home("XDG_STATE_HOME", ".local/state"),
        Base::Temp => env
            .path("TMPDIR")
            .or_else(|| env.path("TEMP"))
            .or_else(|| Some(PathBuf::from("/tmp"))),
        Base::CurrentFolder => std::path::absolute(".").ok(),
    };
    folder.filter(|folder| folder.is_absolute())
}

/// The tool that keeps a file.
pub(super) fn tool_of(path: &Path, known: &[KnownPlace]) -> Option<&'static Tool> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    known
        .iter()
        .find(|place| path.starts_with(&place.path))
        .map(|place| place.tool)
}
