//! Looking after the house.

pub mod backup;
pub mod incident;
pub mod recovery;
