//! The interface through which the user interface follows a message.

use crate::privacy::{Displayable, Findings};
use crate::provider::Heard;
use std::time::Duration;

/// Follows a message from input to answer.
pub trait Watcher {
    /// A warning of validation or of a limit.
    fn warned(&mut self, warning: &str);
    /// Values were replaced.
    fn redacted(&mut self, findings: &Findings);
    /// Asks whether a message with these findings may be sent. Called only if the policy requires
    /// it.
    fn approves(&mut self, findings: &Findings) -> bool;
    /// The next part of the answer, safe to display.
    fn text(&mut self, shown: &Displayable);
    /// Something other than text was received.
    fn sign(&mut self, heard: &Heard);
    /// A wait for a limit has this much time left. Called every second, at last with zero.
    fn waiting(&mut self, left: Duration);
    /// A trace message for debugging: numbers and names only.
    fn step(&mut self, _what: &str) {}
}
