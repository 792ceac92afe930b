//! What the servers share: configuration, wiring, telemetry.

pub mod checkpoints;
pub mod config;
pub mod crls;
#[cfg(feature = "fault-points")]
pub mod fault;
pub mod shell;
mod site;
pub mod telemetry;
pub mod wiring;

pub use site::{SiteError, site};
