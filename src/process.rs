//! Process hardening: no other process of the same user can look into this one, and a crash leaves
//! no core file.
//!
//! `cli::run` calls it first, in every command: arguments and piped text are private as soon as they
//! are read. On macOS and other systems without `PR_SET_DUMPABLE` only the core limit is set, because
//! refusing debuggers there takes unsafe code.
//!
//! Children inherit the core limit: an editor, a pager and a passphrase command hold the same texts
//! and secrets. They do not inherit the protection from other processes, because the kernel resets
//! it when a program is started.

/// Makes the process non-dumpable (no ptrace, no `/proc/<pid>/mem` or `environ` for other processes
/// of the same user) and its core files empty. Best effort: ignored where unsupported.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // The hard limit stays, so that a child can raise its own limit if the user wants core files.
        let maximum = getrlimit(Resource::Core).maximum;
        setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum,
            },
        )
        .unwrap_or_default();
    }
}

/// What the system says about the protection of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessProtection {
    /// Whether a crash leaves no core file; `None` where there is no such limit.
    pub no_core_file: Option<bool>,
    /// Whether other programs of this user cannot read its memory; `None` where this cannot be set.
    pub memory_is_private: Option<bool>,
}

/// Asks the system what [`harden`] has achieved.
#[must_use]
pub fn protection() -> ProcessProtection {
    #[cfg(unix)]
    let no_core_file = {
        use rustix::process::{Resource, getrlimit};
        Some(getrlimit(Resource::Core).current == Some(0))
    };
    #[cfg(not(unix))]
    let no_core_file = None;
    #[cfg(target_os = "linux")]
    let memory_is_private = {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        Some(dumpable_behavior().is_ok_and(|now| now == DumpableBehavior::NotDumpable))
    };
    #[cfg(not(target_os = "linux"))]
    let memory_is_private = None;
    ProcessProtection {
        no_core_file,
        memory_is_private,
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn hardening_prevents_core_dumps() {
        harden();
        assert_eq!(
            protection(),
            ProcessProtection {
                no_core_file: Some(true),
                memory_is_private: Some(true),
            }
        );
    }
}
