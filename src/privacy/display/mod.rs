//! What makes text safe to show: control characters are made visible, placeholders are restored.

pub(super) mod displayable;
pub(super) mod filter;
pub(crate) mod sanitize;
