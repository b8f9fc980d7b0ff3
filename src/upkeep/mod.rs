//! Backup, restore, and the response to incidents.

pub mod backup;
pub mod incident;
pub mod recovery;
