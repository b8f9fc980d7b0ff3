//! Records for the program:
//!
//! - `CHATBOT_RULES`: a hash of `src/privacy`. Text that was saved under the same rules and
//!   settings need not be redacted a second time.
//! - `CHATBOT_BUILD_…`: what `chatbot version` prints. Commit and lock file are recorded in
//!   optimised builds only, because a build for development would be repeated with each commit.
//!
//! And options of the linker that make an optimised program smaller, where the linker and the system
//! know them.
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
    if is_release {
        make_smaller(&compiler);
    }
}

/// Makes an optimised program smaller with options of the linker:
///
/// - Relative relocations are a bitmap (RELR): 36,000 of them take 24 bytes each otherwise, and all
///   are read at each start. The C library must be glibc 2.36 or newer.
/// - Equal functions are one (ICF). LLVM's linker knows this, GNU's does not.
/// - Functions that each start calls are next to each other, and what only unwinding needs is left
///   out: see `linker.ld`.
///
/// Each option is tried with a program that does nothing: it must be linked, and must start. So
/// none is used for a system whose programs do not run here.
fn make_smaller(compiler: &str) {
    println!("cargo::rerun-if-changed=linker.ld");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let folder = PathBuf::from(variable("OUT_DIR"));
    let source = folder.join("nothing.rs");
    if fs::write(&source, "fn main() {}").is_err() {
        return;
    }
    let script = format!("-T{}/linker.ld", variable("CARGO_MANIFEST_DIR"));
    let options: [&[&str]; 3] = [
        &["-Wl,-z,pack-relative-relocs"],
        &["-Wl,--icf=all"],
        &[&script, "-Wl,--no-eh-frame-hdr"],
    ];
    for options in options {
        if is_supported(compiler, &source, options) {
            for option in options {
                println!("cargo::rustc-link-arg-bins={option}");
            }
        }
    }
}

/// Whether a program that is linked with these options starts.
fn is_supported(compiler: &str, source: &Path, options: &[&str]) -> bool {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let program = source.with_extension("out");
    let mut build = Command::new(compiler);
    build
        .args(["--target", &variable("TARGET"), "-Cpanic=abort"])
        .args(
            variable("CARGO_ENCODED_RUSTFLAGS")
                .split('\x1f')
                .filter(|flag| !flag.is_empty()),
        )
        .args(options.iter().map(|option| format!("-Clink-arg={option}")))
        .arg(source)
        .arg("-o")
        .arg(&program);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        build.arg(format!("-Clinker={linker}"));
    }
    [build, Command::new(program)]
        .iter_mut()
        .all(|command| command.output().is_ok_and(|output| output.status.success()))
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
