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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn hardening_prevents_core_dumps() {
        harden();
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable
        );
        assert_eq!(
            rustix::process::getrlimit(rustix::process::Resource::Core).current,
            Some(0)
        );
    }
}
