//! Records for the program:
//!
//! - `CHATBOT_RULES`: a hash of `src/privacy`. Text that was saved under the same rules and
//!   settings need not be redacted a second time.
//! - `CHATBOT_BUILD_…`: what `chatbot version` prints. Commit and lock file are recorded in
//!   optimised builds only, because a build for development would be repeated with each commit.
//!
//! No time and no path is recorded: two builds of one commit are equal.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/privacy");
    println!("cargo::rerun-if-changed=build.rs");
    record("CHATBOT_RULES", &rules());
    record(
        "CHATBOT_BUILD_TARGET",
        &env::var("TARGET").unwrap_or_default(),
    );
    let compiler = env::var("RUSTC").unwrap_or_else(|_| String::from("rustc"));
    let toolchain = output(&compiler, &["--version"]).unwrap_or_default();
    record("CHATBOT_BUILD_TOOLCHAIN", &toolchain);
    record("CHATBOT_BUILD_ADVISORIES", &advisories());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let recorded = |find: fn() -> Option<String>| is_release.then(find).flatten();
    record(
        "CHATBOT_BUILD_COMMIT",
        &recorded(commit).unwrap_or_default(),
    );
    record("CHATBOT_BUILD_LOCK", &recorded(lock).unwrap_or_default());
}

fn record(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn rules() -> String {
    let mut files = Vec::new();
    gather(Path::new("src/privacy"), &mut files);
    files.sort();
    // FNV-1a: it distinguishes versions and is no protection.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in files
        .iter()
        .flat_map(|file| fs::read(file).unwrap_or_default())
    {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What a release looked up before the build: the date of the database of advisories, then the ids
/// of those about dependencies.
fn advisories() -> String {
    let name = "CHATBOT_BUILD_ADVISORIES";
    println!("cargo::rerun-if-env-changed={name}");
    let text = env::var(name).unwrap_or_default();
    let is_date =
        |word: &str| word.len() == 10 && word.chars().all(|c| c.is_ascii_digit() || c == '-');
    let is_id = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let mut words = text.split(' ');
    if text.is_empty() || words.next().is_some_and(is_date) && words.all(is_id) {
        return text;
    }
    println!("cargo::error={name} must be a date and ids, `2026-11-30 RUSTSEC-2026-0001`");
    String::new()
}

/// The commit, followed by `modified` if files differ from it. A package has a file that names it;
/// a source archive has none, and a variable names it.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=CHATBOT_BUILD_COMMIT");
    if let Ok(named) = env::var("CHATBOT_BUILD_COMMIT") {
        return Some(named.trim().to_owned());
    }
    if let Ok(package) = fs::read_to_string(".cargo_vcs_info.json") {
        let id = package.split("\"sha1\": \"").nth(1)?.split('"').next()?;
        let is_modified = package.contains("\"dirty\": true");
        return Some(with_mark(id, is_modified));
    }
    // The repository could also be one around a folder into which this source was copied.
    if output("git", &["rev-parse", "--show-prefix"])?.is_empty() {
        for file in ["HEAD", "logs/HEAD"] {
            let path = output("git", &["rev-parse", "--git-path", file])?;
            if Path::new(&path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        for path in ["src", "Cargo.toml", "Cargo.lock"] {
            println!("cargo::rerun-if-changed={path}");
        }
        let id = output("git", &["rev-parse", "HEAD"])?;
        // A refreshed index would be a change of the repository by its own build.
        let status = [
            "--no-optional-locks",
            "status",
            "--porcelain",
            "--untracked-files=no",
        ];
        let changes = output("git", &status)?;
        return Some(with_mark(&id, !changes.is_empty()));
    }
    None
}

fn with_mark(id: &str, is_modified: bool) -> String {
    let mark = if is_modified { " modified" } else { "" };
    format!("{id}{mark}")
}

fn lock() -> Option<String> {
    println!("cargo::rerun-if-changed=Cargo.lock");
    output("git", &["hash-object", "Cargo.lock"])
}

/// What a program prints, if it exists and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
