//! Checks of the settings of other AI tools: keys in plain text, addresses that are not those of a
//! known provider, and commands that they run.

use crate::catalog::{self, Endpoint};
use crate::doctor::examination::{Examination, UserFolders};
use crate::doctor::outcome::{CheckOutcome, edit, list_some, shell_word, shown};
use crate::doctor::plain_keys::{TokenScanner, issuers, read_text};
use crate::fs;
use std::path::{Path, PathBuf};

/// More files are not named in one sentence.
const MAX_NAMED: usize = 6;

/// Where a tool keeps a file.
#[derive(Clone, Copy)]
enum Place {
    Home,
    Config,
    Data,
    /// The current folder and those above it: a cloned repository can bring such a file.
    Project,
}

use Place::{Config, Data, Home, Project};

/// A tool: its name, its files, and the settings in them that run a command.
struct ToolSettings {
    name: &'static str,
    files: &'static [(Place, &'static str)],
    commands: &'static [&'static str],
}

const TOOLS: &[ToolSettings] = &[
    ToolSettings {
        name: "Claude Code",
        files: &[
            (Home, ".claude/settings.json"),
            (Home, ".claude/settings.local.json"),
            (Home, ".claude.json"),
            (Project, ".claude/settings.json"),
            (Project, ".claude/settings.local.json"),
        ],
        commands: &[
            "hooks",
            "apiKeyHelper",
            "statusLine",
            "awsAuthRefresh",
            "awsCredentialExport",
            "otelHeadersHelper",
        ],
    },
    ToolSettings {
        name: "Codex",
        files: &[
            (Home, ".codex/config.toml"),
            (Home, ".codex/auth.json"),
            (Project, ".codex/config.toml"),
        ],
        commands: &["notify", "hooks"],
    },
    ToolSettings {
        name: "aider",
        files: &[(Home, ".aider.conf.yml"), (Project, ".aider.conf.yml")],
        commands: &["lint-cmd", "test-cmd", "notifications-command"],
    },
    ToolSettings {
        name: "aichat",
        files: &[
            (Config, "aichat/config.yaml"),
            (Home, "Library/Application Support/aichat/config.yaml"),
        ],
        commands: &[],
    },
    ToolSettings {
        name: "llm",
        files: &[
            (Config, "io.datasette.llm/keys.json"),
            (
                Home,
                "Library/Application Support/io.datasette.llm/keys.json",
            ),
        ],
        commands: &[],
    },
    ToolSettings {
        name: "shell_gpt",
        files: &[(Config, "shell_gpt/.sgptrc")],
        commands: &[],
    },
    ToolSettings {
        name: "goose",
        files: &[
            (Config, "goose/config.yaml"),
            (Config, "goose/secrets.yaml"),
        ],
        commands: &[],
    },
    ToolSettings {
        name: "crush",
        files: &[
            (Config, "crush/crush.json"),
            (Data, "crush/crush.json"),
            (Project, "crush.json"),
            (Project, ".crush.json"),
        ],
        commands: &["hooks"],
    },
    ToolSettings {
        name: "opencode",
        files: &[
            (Data, "opencode/auth.json"),
            (Config, "opencode/opencode.json"),
            (Project, "opencode.json"),
        ],
        commands: &["plugin", "hooks"],
    },
    ToolSettings {
        name: "Continue",
        files: &[
            (Home, ".continue/config.yaml"),
            (Home, ".continue/config.json"),
        ],
        commands: &[],
    },
];

/// A file of a tool that exists.
struct ToolFile {
    tool: &'static ToolSettings,
    path: PathBuf,
    text: String,
}

impl ToolFile {
    fn describe(&self, what: &str) -> String {
        format!("{} in {} ({what})", self.tool.name, shown(&self.path))
    }
}

fn tool_files(folders: &UserFolders) -> Vec<ToolFile> {
    let mut found: Vec<ToolFile> = Vec::new();
    for tool in TOOLS {
        for (place, name) in tool.files {
            for base in bases(*place, folders) {
                let path = base.join(name);
                if found.iter().any(|known| known.path == path) {
                    continue;
                }
                if let Some(text) = fs::exists(&path).then(|| read_text(&path)).flatten() {
                    found.push(ToolFile { tool, path, text });
                }
            }
        }
    }
    found
}

fn bases(place: Place, folders: &UserFolders) -> Vec<&Path> {
    let folder = match place {
        Home => &folders.home,
        Config => &folders.config,
        Data => &folders.data,
        Project => return folders.project(),
    };
    folder.iter().map(PathBuf::as_path).collect()
}

/// What was found in files: the texts, the first file, and the command for it.
fn report(
    found: &[(&ToolFile, String)],
    seen: usize,
    problem: &str,
    healthy: &str,
    fix: impl Fn(&Path) -> String,
) -> CheckOutcome {
    if seen == 0 {
        return CheckOutcome::skip("there are no settings of other AI tools");
    }
    let Some((first, _)) = found.first() else {
        return CheckOutcome::ok(healthy);
    };
    let texts: Vec<String> = found
        .iter()
        .map(|(file, what)| file.describe(what))
        .collect();
    CheckOutcome::warn(
        format!("{problem}: {}", list_some(&texts, MAX_NAMED)),
        fix(&first.path),
    )
}

pub(super) fn keys(examination: &Examination<'_>) -> CheckOutcome {
    let files = tool_files(&examination.folders);
    let scanner = TokenScanner::new();
    let found: Vec<(&ToolFile, String)> = files
        .iter()
        .filter_map(|file| {
            let names = issuers(&file.text, &scanner);
            let open = if fs::is_open_to_others(&file.path) {
                ", readable by other users"
            } else {
                ""
            };
            (!names.is_empty()).then(|| (file, format!("{}{open}", names.join(", "))))
        })
        .collect();
    report(
        &found,
        files.len(),
        "keys in plain text",
        "no keys in plain text",
        |path| format!("chatbot key import {} --scrub", shell_word(path)),
    )
}

pub(super) fn addresses(examination: &Examination<'_>) -> CheckOutcome {
    let files = tool_files(&examination.folders);
    let found: Vec<(&ToolFile, String)> = files
        .iter()
        .filter_map(|file| {
            let hosts = foreign_hosts(&file.text);
            (!hosts.is_empty()).then(|| (file, hosts.join(", ")))
        })
        .collect();
    report(
        &found,
        files.len(),
        "requests and keys go to hosts of no known provider",
        "no foreign base URLs",
        edit,
    )
}

pub(super) fn commands(examination: &Examination<'_>) -> CheckOutcome {
    let files = tool_files(&examination.folders);
    let found: Vec<(&ToolFile, String)> = files
        .iter()
        .filter_map(|file| {
            let names: Vec<String> = top_level_settings(&file.path, &file.text)
                .into_iter()
                .filter(|name| file.tool.commands.contains(&name.as_str()))
                .collect();
            (!names.is_empty()).then(|| (file, names.join(", ")))
        })
        .collect();
    report(
        &found,
        files.len(),
        "settings that run commands",
        "no hooks or other commands",
        edit,
    )
}

/// Parts of the names of settings that hold the address of an API.
const ADDRESS_FIELDS: [&str; 5] = ["baseurl", "apibase", "endpoint", "apihost", "apiurl"];

/// The hosts of base URLs that belong to no known provider and not to this machine, each once.
fn foreign_hosts(text: &str) -> Vec<String> {
    let known: Vec<String> = catalog::all()
        .iter()
        .filter_map(|entry| Some(entry.endpoint()?.host()))
        .collect();
    let mut hosts = Vec::new();
    for scheme in ["https://", "http://"] {
        for (at, _) in text.match_indices(scheme) {
            let (before, rest) = text.split_at(at);
            let end = rest
                .find(|c: char| c.is_whitespace() || c.is_control() || "\"'`,;}])<>".contains(c))
                .unwrap_or(rest.len());
            let url = rest.get(..end).unwrap_or_default();
            let Some(endpoint) = "tool"
                .parse()
                .ok()
                .map(|name| Endpoint::custom(name, url.to_owned()))
            else {
                continue;
            };
            // A user name and a password may stand in front of the host.
            let host = endpoint.host();
            let host = host.rsplit('@').next().unwrap_or_default().to_owned();
            let is_known = known.contains(&host) || endpoint.is_loopback();
            if names_address(before) && !is_known && !host.is_empty() {
                hosts.push(host);
            }
        }
    }
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// Whether the setting in front of a value is one for an address: `"base_url": "`, `api_base = `.
fn names_address(before: &str) -> bool {
    let is_between = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let Some(before) = before.trim_end_matches(is_between).strip_suffix([':', '=']) else {
        return false;
    };
    let before = before.trim_end_matches(is_between);
    let start = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
        .map_or(0, |at| at + 1);
    let name: String = before
        .get(start..)
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let name = name.to_ascii_lowercase();
    ADDRESS_FIELDS.iter().any(|field| name.contains(field))
}

/// The names of the settings of a file that are not empty, at its top level.
fn top_level_settings(path: &Path, text: &str) -> Vec<String> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => {
            let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
                return Vec::new();
            };
            let is_set = |value: &serde_json::Value| match value {
                serde_json::Value::Null => false,
                serde_json::Value::Object(inner) => !inner.is_empty(),
                serde_json::Value::Array(inner) => !inner.is_empty(),
                serde_json::Value::String(inner) => !inner.is_empty(),
                _ => true,
            };
            let set = object.into_iter().filter(|(_, value)| is_set(value));
            set.map(|(name, _)| name).collect()
        }
        Some("toml") => text
            .parse::<toml::Table>()
            .map(|table| table.into_iter().map(|(name, _)| name).collect())
            .unwrap_or_default(),
        // YAML: a name in the first column.
        _ => text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_base_urls_are_found() {
        for (text, hosts) in [
            (
                r#"{"env":{"ANTHROPIC_BASE_URL":"https://proxy.evil.example/v1"}}"#,
                vec!["proxy.evil.example"],
            ),
            ("base_url = \"https://api.openai.com/v1\"\n", vec![]),
            ("api_base: http://127.0.0.1:11434/v1\n", vec![]),
            (
                "apiBase: https://u:p@llm.corp.example:8443/v1\n",
                vec!["llm.corp.example:8443"],
            ),
            ("OPENAI_BASE_URL=https://a.example\n", vec!["a.example"]),
            (
                "homepage: https://example.org\n# see https://docs.example\n",
                vec![],
            ),
        ] {
            assert_eq!(foreign_hosts(text), hosts, "{text}");
        }
    }

    #[test]
    fn settings_that_are_set_are_listed() {
        for (name, text, settings) in [
            (
                "a.json",
                r#"{"hooks":{"Stop":[1]},"model":"x"}"#,
                vec!["hooks", "model"],
            ),
            (
                "a.json",
                r#"{"hooks":{},"apiKeyHelper":"","x":null}"#,
                vec![],
            ),
            ("a.json", "{", vec![]),
            (
                "a.toml",
                "notify = [\"x\"]\n[mcp_servers.a]\n",
                vec!["mcp_servers", "notify"],
            ),
            (
                "a.yml",
                "lint-cmd: x\n  inner: y\n",
                vec!["lint-cmd", "  inner"],
            ),
        ] {
            let mut found = top_level_settings(Path::new(name), text);
            found.sort_unstable_by_key(|name| name.starts_with(' '));
            assert_eq!(found, settings, "{text}");
        }
    }
}
