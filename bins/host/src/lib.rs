//! What the servers share: configuration, wiring, telemetry.

pub mod config;
pub mod crls;
#[cfg(feature = "fault-points")]
pub mod fault;
pub mod otp;
pub mod shell;
mod site;
pub mod telemetry;
pub mod wiring;

pub use site::{SiteError, site};
