//! Looking after the house.

pub mod backup;
