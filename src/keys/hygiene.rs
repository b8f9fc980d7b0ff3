//! What the process does before it holds its first secret: it lets nobody of the same user look into it, and leaves no core.

/// Makes the process non-dumpable (no ptrace, no `/proc/<pid>/mem` or `environ` for other processes of the same user) and
/// its core files empty. Where the system has no such thing, or refuses it, nothing is lost but this.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // The upper limit stays, so that a child may ask for what is its own.
        let maximum = getrlimit(Resource::Core).maximum;
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum }).unwrap_or_default();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_process_is_not_dumpable_and_leaves_no_core() {
        harden();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
        assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Core).current, Some(0));
    }
}
