//! Looking after the house.

pub mod backup;
pub mod incident;
