//! Who watches a message on its way.

use crate::privacy::{Displayable, Findings};
use crate::provider::Heard;
use std::time::Duration;

/// Who watches a message on its way.
pub trait Watcher {
    /// Validation or a limit has something to say.
    fn warned(&mut self, warning: &str);
    /// Something was replaced.
    fn redacted(&mut self, findings: &Findings);
    /// Whether a message with these findings may be sent at all; asked only where the policy says so.
    fn approves(&mut self, findings: &Findings) -> bool;
    /// More of the answer, fit to be shown.
    fn text(&mut self, shown: &Displayable);
    /// Something other than text was heard.
    fn sign(&mut self, heard: &Heard);
    /// Nothing is sent for so long still; said again and again, at last with nothing left.
    fn waiting(&mut self, left: Duration);
    /// A step on the way, in numbers and names, for whoever looks for a fault.
    fn step(&mut self, _what: &str) {}
}
