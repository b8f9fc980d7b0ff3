//! The timers in `contrib/`: they are well-formed, and the command lines in them are ones that the
//! program knows.

use super::harness::Sandbox;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROTATE: &str = "key rotate --if-due --all";
const BACKUP: &str = "backup";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// The settings of a unit by `Section.Name`. Commented-out ones are settings too, with a `#`.
fn unit(name: &str) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut settings = BTreeMap::new();
    for line in read(name).lines().filter(|line| !line.starts_with("# ")) {
        if let Some(title) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            title.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            assert!(!section.is_empty(), "{name}: {line}");
            let key = format!("{section}.{key}");
            assert!(
                settings.insert(key, value.to_owned()).is_none(),
                "{name}: {line}"
            );
        } else {
            assert!(line.is_empty() || line == "#", "{name}: {line}");
        }
    }
    settings
}

/// The texts of an element of a property list, in order, and a check that its tags are closed.
fn plist_strings(text: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut strings = Vec::new();
    let body = text.split_once("-->").unwrap().1;
    for part in body.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{text}"),
            None => {
                let name = tag.split(' ').next().unwrap();
                open.push(name.to_owned());
                if name == "string" {
                    strings.push(content.to_owned());
                }
            }
        }
    }
    assert_eq!(open, Vec::<String>::new(), "{text}");
    strings
}

/// Asks the program's own parser: with `--help` behind it, a command line is read and not run.
fn is_known(arguments: &str) {
    let sandbox = Sandbox::new();
    let words = arguments.split_whitespace().chain(["--help"]);
    let help = sandbox.run(words).succeeds().stdout;
    for option in arguments
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
    {
        assert!(help.contains(&format!(" {option} ")), "{option}: {help}");
    }
}

#[test]
fn timers_run_commands_that_exist() {
    is_known(ROTATE);
    is_known(BACKUP);
    for (job, arguments) in [("rotate", ROTATE), ("backup", BACKUP)] {
        let service = unit(&format!("systemd/chatbot-{job}.service"));
        assert_eq!(service["Service.Type"], "oneshot");
        assert_eq!(service["Service.ExecStart"], format!("chatbot {arguments}"));
        // The credential has the name that the program looks for.
        assert!(
            service["Service.#LoadCredentialEncrypted"].starts_with("chatbot-passphrase:"),
            "{service:#?}"
        );
        let timer = unit(&format!("systemd/chatbot-{job}.timer"));
        assert!(timer.contains_key("Timer.OnCalendar"), "{timer:#?}");
        assert_eq!(timer["Install.WantedBy"], "timers.target");

        let strings = plist_strings(&read(&format!("launchd/chatbot.{job}.plist")));
        assert_eq!(strings[0], format!("chatbot.{job}"));
        let words: Vec<&str> = arguments.split(' ').collect();
        assert_eq!(strings[1], "/usr/local/bin/chatbot");
        assert_eq!(strings[2..2 + words.len()], words);
    }
    let lines = read("cron/chatbot.cron");
    let jobs: Vec<(&str, &str)> = lines
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_once(" chatbot ").unwrap())
        .collect();
    assert_eq!(jobs, [("17 4 * * *", ROTATE), ("47 4 * * 0", BACKUP)]);
}
