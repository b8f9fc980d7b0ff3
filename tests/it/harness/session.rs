//! A session with its own kernel keyring, for tests of the key cache.

use crate::harness::ci_markers;
use std::process::{Command, Stdio};

/// Set in a test process that runs in such a session.
const INSIDE: &str = "CHATBOT_TEST_SESSION";

/// Whether `keyctl` can start a session; if not, reports that `check` is skipped.
pub(crate) fn can_start(check: &str) -> bool {
    let works = Command::new("keyctl")
        .args(["session", "-", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !works {
        ci_markers::left_out(check, "no `keyctl` that may start a session");
    }
    works
}

/// Whether this process runs in such a session. If not, runs the test `test` in one as a new
/// process: a process joins a session as a whole, and this one runs other tests meanwhile.
pub(crate) fn is_private(check: &str, test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if can_start(check) {
        let tests = std::env::current_exe().expect("the program of the tests");
        let mut command = Command::new("keyctl");
        command
            .args(["session", "-"])
            .arg(tests)
            .args(["--exact", test, "--nocapture"])
            .env(INSIDE, "yes");
        let output = command.output().expect("keyctl runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && stdout.contains("1 passed"),
            "{test} in a session of its own:\n{stdout}\n{failed}"
        );
    }
    false
}
