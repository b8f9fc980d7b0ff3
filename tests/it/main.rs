//! The house from outside, a chapter a noun.
