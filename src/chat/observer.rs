//! The interface through which the user interface follows a message.

use crate::name::Name;
use crate::privacy::{Displayable, Findings};
use crate::provider::StreamEvent;
use std::time::Duration;

/// Follows a message from input to answer.
pub trait Observer {
    /// A warning of validation or of a limit.
    fn on_warning(&mut self, warning: &str);
    /// Values were replaced.
    fn on_redacted(&mut self, findings: &Findings);
    /// Asks whether a message with these findings may be sent. Called only if the policy requires
    /// it.
    fn confirm_send(&mut self, findings: &Findings) -> bool;
    /// Asks whether this many pictures may be sent, which are not redacted. Called only if the
    /// policy requires it.
    fn confirm_images(&mut self, count: usize, provider: &Name) -> bool;
    /// The next part of the answer, safe to display.
    fn on_text(&mut self, shown: &Displayable);
    /// Something other than text was received.
    fn on_event(&mut self, heard: &StreamEvent);
    /// A wait for a limit begins.
    fn on_wait_start(&mut self, _wait: Duration) {}
    /// A wait for a limit has this much time left. Called every second, at last with zero.
    fn on_wait(&mut self, left: Duration);
    /// A trace message for debugging: numbers and names only.
    fn trace(&mut self, _what: &str) {}
}
