//! What the servers share: configuration, wiring, telemetry.

pub mod checkpoints;
pub mod config;
pub mod crl_publisher;
pub mod crls;
pub mod ends;
#[cfg(feature = "fault-points")]
pub mod fault;
pub mod known_server;
pub mod metrics;
pub mod otp;
pub mod own_certificates;
pub mod shell;
pub mod sinks;
mod site;
pub mod spans;
pub mod telemetry;
pub mod vitals;
pub mod wiring;

pub use site::{SiteError, configured_cas, site};
