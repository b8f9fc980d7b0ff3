//! What makes text safe to show: control characters are made visible, placeholders are restored,
//! and answers are rendered.

pub(super) mod displayable;
pub(super) mod filter;
pub(super) mod markdown;
pub(crate) mod sanitize;
