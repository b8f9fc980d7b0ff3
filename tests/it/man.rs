//! Manual pages of all commands, and what the program says about how it was built.

use super::harness::Sandbox;
use super::harness::ci_markers::{left_out, ran, tool};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(ending).unwrap().to_owned())
        .collect()
}

/// Writes all pages and returns their folder.
fn pages(sandbox: &Sandbox) -> PathBuf {
    sandbox.run(["man", "pages/man1"]).check();
    sandbox.cwd().join("pages/man1")
}

#[test]
fn every_command_has_a_manual_page_with_full_sections() {
    let sandbox = Sandbox::new();
    let folder = pages(&sandbox);
    let help = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    assert_eq!(names(&folder, ".1"), names(&help, ".txt"));
    for name in names(&folder, ".1") {
        let text = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        let sections: Vec<&str> = text.split("\n.SH ").skip(1).collect();
        assert!(sections.len() >= 4, "{name}: {text}");
        for section in sections {
            let lines: Vec<&str> = section.lines().collect();
            assert!(lines.len() >= 2, "{name}: an empty section: {section}");
        }
        assert_eq!(
            text.matches("\n.nf\n").count(),
            text.matches("\n.fi\n").count()
        );
    }
    // Without a folder, the page of the program itself.
    let printed = sandbox.run(["man"]).succeeds().stdout;
    assert_eq!(
        printed,
        fs::read_to_string(folder.join("chatbot.1")).unwrap()
    );
}

#[test]
fn manual_page_reads_well() {
    let Some(mandoc) = tool("mandoc") else {
        return left_out("manual pages", "no mandoc");
    };
    let sandbox = Sandbox::new();
    let folder = pages(&sandbox);
    for name in names(&folder, ".1") {
        let file = folder.join(format!("{name}.1"));
        let lint = Command::new(&mandoc)
            .args(["-T", "lint", "-W", "warning"])
            .arg(&file)
            .output()
            .unwrap();
        let found = String::from_utf8(lint.stdout).unwrap();
        assert!(lint.status.success() && found.is_empty(), "{name}: {found}");
    }
    let shown = Command::new(&mandoc)
        .args(["-T", "ascii", "-O", "width=100"])
        .arg(folder.join("chatbot-completions.1"))
        .output()
        .unwrap();
    // A letter, a backspace and a letter again are bold or underlined.
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut plain = String::new();
    for c in text.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    for part in [
        "NAME\n       chatbot-completions - Print a completion script for a shell\n",
        "       chatbot completions [--color] [--config] [-y|--yes] [-h|--help] <SHELL>\n",
        "EXAMPLES\n       chatbot completions bash > ~/.local/share/bash-completion/completions/chatbot\n",
        "SEE ALSO\n       chatbot(1)\n",
    ] {
        assert!(plain.contains(part), "{part}\n{plain}");
    }
    ran("man-pages");
}

#[test]
fn version_says_how_the_program_was_built() {
    let mut sandbox = Sandbox::new();
    let verbose = Command::new("rustc").arg("-vV").output().unwrap();
    let verbose = String::from_utf8(verbose.stdout).unwrap();
    let toolchain = verbose.lines().next().unwrap();
    let target = verbose.lines().find_map(|l| l.strip_prefix("host: "));
    let target = target.unwrap();
    let json = sandbox.run(["version", "--json"]).succeeds().stdout;
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        value,
        json!({
            "schema_version": 1,
            "version": env!("CARGO_PKG_VERSION"),
            "commit": null,
            "modified": false,
            "lock": null,
            "features": ["object-storage", "pdf"],
            "target": target,
            "toolchain": toolchain,
            "advisories": null,
        })
    );
    let text = format!(
        "chatbot {}\n\
         commit:      not recorded\n\
         Cargo.lock:  not recorded\n\
         features:    object-storage, pdf\n\
         target:      {target}\n\
         toolchain:   {}\n\
         advisories:  not looked up when it was built\n",
        env!("CARGO_PKG_VERSION"),
        toolchain
    );
    sandbox.run(["version"]).stdout(&text).check();
    // A package is made, and a bug reported, wherever settings or variables are wrong.
    sandbox.configure("provider = 7\n");
    sandbox.set("OPENROUTER_API_KEY", "garbage");
    sandbox.run(["version"]).stdout(&text).check();
    sandbox.run(["man", "pages"]).check();
}
