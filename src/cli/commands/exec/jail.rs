//! `exec --jail`: the program reaches only the proxy, and writes only where it may.
//!
//! The rules are set by a process for itself, and every program that it starts inherits them. So
//! `exec` starts a hidden command of this program, which restricts itself and then becomes the
//! program. Reads stay allowed, and so do UDP and sockets in the file system.

use super::not_started;
use crate::cli::context::Context;
use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use crate::fs;
use anyhow::{Result, bail};
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the hidden command.
const COMMAND: &str = "run-jailed";

// The hidden command. It is described where the commands are.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunJailedArgs {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    write: Vec<PathBuf>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// What the program may do.
#[derive(Debug)]
pub(super) struct Jail {
    /// Where it may write.
    writable: Vec<PathBuf>,
}

impl Jail {
    /// Checks that the system can enforce it, and that it does not contain this program's own files.
    pub(super) fn new(context: &Context, more: &[PathBuf]) -> Result<Self> {
        require_kernel()?;
        let temporary = context.env.path("TMPDIR");
        let temporary = temporary.unwrap_or_else(|| PathBuf::from("/tmp"));
        let mut writable = Vec::new();
        for path in [PathBuf::from("."), temporary].iter().chain(more) {
            let Some(real) = fs::real_path(path) else {
                let shown = crate::cli::term::display_path(path);
                bail!(
                    CliError::misuse(format!("`{shown}` does not exist"))
                        .hint("a folder must exist before the program may write in it: create it")
                );
            };
            writable.push(real);
        }
        let own = [context.settings_file(), context.home.state()];
        for path in own {
            let real = existing_part(path);
            if let Some(wide) = writable.iter().find(|folder| real.starts_with(folder)) {
                let shown = crate::cli::term::display_path(wide);
                bail!(
                    CliError::new(
                        CliExit::Refused,
                        "jail_too_wide",
                        format!("the program could change the settings of chatbot in `{shown}`")
                    )
                    .hint("start it in the folder of a project")
                );
            }
        }
        Ok(Self { writable })
    }

    /// The command that restricts itself and then becomes `command`, with the same environment.
    pub(super) fn around(&self, env: Env, command: &Command, port: u16) -> Result<Command> {
        let own = env.own_child(COMMAND)?;
        let mut jailed = Command::new(own.get_program());
        jailed.arg(COMMAND).arg(format!("--port={port}"));
        for path in &self.writable {
            jailed.arg("--write").arg(path);
        }
        jailed.arg("--").arg(command.get_program());
        jailed.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => jailed.env(name, value),
                None => jailed.env_remove(name),
            };
        }
        Ok(jailed)
    }
}

/// The real path of what exists of a path.
fn existing_part(path: &Path) -> PathBuf {
    let mut folders = path.ancestors();
    folders.find_map(fs::real_path).unwrap_or_default()
}

/// Restricts this process and becomes the program.
pub(crate) fn run(options: &RunJailedArgs) -> Result<()> {
    restrict(options.port, &options.write)?;
    become_program(&options.command)
}

#[cfg(unix)]
fn become_program(command: &[OsString]) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let Some((program, args)) = command.split_first() else {
        return Ok(());
    };
    let error = Command::new(program).args(args).exec();
    bail!(not_started(&program.to_string_lossy(), &error))
}

#[cfg(not(unix))]
fn become_program(command: &[OsString]) -> Result<()> {
    let name = command.first().cloned().unwrap_or_default();
    let error = std::io::ErrorKind::Unsupported.into();
    bail!(not_started(&name.to_string_lossy(), &error))
}

fn cannot(what: &str, hint: &str) -> CliError {
    CliError::new(CliExit::Failure, "no_jail", what).hint(hint.to_owned())
}

#[cfg(target_os = "linux")]
mod rules {
    use super::cannot;
    use crate::cli::errors::CliError;
    use anyhow::Result;
    use landlock::{
        ABI, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
        Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    };
    use std::path::{Path, PathBuf};

    /// The first version of Landlock that knows ports.
    const NEEDED: ABI = ABI::V4;
    /// Devices without content of their own, and terminals.
    const DEVICES: [&str; 8] = [
        "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts",
    ];

    /// What the rules are about. The kernel must know all of it.
    fn handled(abi: ABI) -> Result<Ruleset, RulesetError> {
        let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let rules = rules.handle_access(AccessFs::from_write(abi))?;
        if abi < NEEDED {
            return Ok(rules);
        }
        rules.handle_access(AccessNet::ConnectTcp)
    }

    /// Fails if the kernel cannot enforce the rules.
    pub(in super::super) fn require_kernel() -> Result<(), CliError> {
        let can = |abi| handled(abi).and_then(Ruleset::create).is_ok();
        if can(NEEDED) {
            return Ok(());
        }
        let found = [(3, ABI::V3), (2, ABI::V2), (1, ABI::V1)];
        let found = found.iter().find(|(_, abi)| can(*abi));
        Err(missing(found.map(|(number, _)| *number)))
    }

    /// The error for a kernel that has only this version of Landlock.
    pub(super) fn missing(found: Option<u8>) -> CliError {
        let has = found.map_or_else(
            || String::from("has no Landlock"),
            |number| format!("has Landlock ABI {number}"),
        );
        cannot(
            &format!("`--jail` needs Landlock ABI 4, and this kernel {has}"),
            "Linux 6.7 and later have it, if the boot parameter `lsm` includes landlock",
        )
    }

    /// Restricts this process.
    pub(super) fn restrict(port: u16, writable: &[PathBuf]) -> Result<(), CliError> {
        let failed = |error: &dyn std::fmt::Display| {
            cannot(
                &format!("cannot restrict the program: {error}"),
                "without `--jail` it is not restricted",
            )
        };
        let status = try_restrict(port, writable).map_err(|error| failed(&error))?;
        if status == RulesetStatus::FullyEnforced {
            return Ok(());
        }
        Err(failed(&"the kernel enforces only a part of the rules"))
    }

    fn try_restrict(port: u16, writable: &[PathBuf]) -> Result<RulesetStatus> {
        let all = AccessFs::from_write(NEEDED);
        let mut rules = handled(NEEDED)?
            .create()?
            .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        for path in writable {
            rules = rules.add_rule(beneath(path, all)?)?;
        }
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
        for path in devices.filter(|path| crate::fs::exists(path)) {
            rules = rules.add_rule(beneath(&path, AccessFs::WriteFile.into())?)?;
        }
        Ok(rules.restrict_self()?.ruleset)
    }

    /// A rule for a file, or for a folder and all in it.
    fn beneath(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>> {
        let access = if crate::fs::is_folder(path) {
            access
        } else {
            access & AccessFs::from_file(NEEDED)
        };
        Ok(PathBeneath::new(PathFd::new(path)?, access))
    }
}

#[cfg(target_os = "linux")]
use rules::{require_kernel, restrict};

#[cfg(not(target_os = "linux"))]
fn require_kernel() -> Result<(), CliError> {
    Err(cannot("`--jail` needs Linux", "run it without `--jail`"))
}

#[cfg(not(target_os = "linux"))]
fn restrict(_: u16, _: &[PathBuf]) -> Result<(), CliError> {
    require_kernel()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::rules::missing;

    #[test]
    fn jail_errors_name_what_the_kernel_lacks() {
        let said = [None, Some(3)].map(|found| missing(found).to_string());
        assert_eq!(
            said,
            [
                "`--jail` needs Landlock ABI 4, and this kernel has no Landlock",
                "`--jail` needs Landlock ABI 4, and this kernel has Landlock ABI 3",
            ]
        );
    }
}
