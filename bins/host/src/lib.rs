//! What the servers share: configuration, wiring, telemetry.

pub mod config;
mod site;

pub use site::{SiteError, site};
