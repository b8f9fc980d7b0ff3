//! A session with a keyring of its own in the kernel, for tests of what is cached there.

use crate::harness::ci_markers;
use std::process::{Command, Stdio};

/// Set for a test that runs in such a session.
const INSIDE: &str = "CHATBOT_TEST_SESSION";

/// Whether `keyctl` can start a session here; if not, it is said why `chapter` is left out.
pub(crate) fn can_start(chapter: &str) -> bool {
    let works = Command::new("keyctl").args(["session", "-", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !works {
        ci_markers::left_out(chapter, "no `keyctl` that may start a session");
    }
    works
}

/// Whether this process runs in such a session. If it does not, the test of this name is run in one, as a process of its own:
/// a session is joined by whole processes, and this one runs other tests meanwhile.
pub(crate) fn is_private(chapter: &str, test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if can_start(chapter) {
        let tests = std::env::current_exe().expect("the program of the tests");
        let mut command = Command::new("keyctl");
        command.args(["session", "-"]).arg(tests).args(["--exact", test, "--nocapture"]).env(INSIDE, "yes");
        let output = command.output().expect("keyctl runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{test} in a session of its own:\n{said}\n{failed}");
    }
    false
}
