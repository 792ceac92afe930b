//! What the servers share: configuration, wiring, telemetry.

pub mod config;
#[cfg(feature = "fault-points")]
pub mod fault;
pub mod shell;
pub mod site;
pub mod telemetry;
pub mod wiring;
