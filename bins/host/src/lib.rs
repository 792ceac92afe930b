//! What the servers share: configuration, wiring, telemetry.

pub mod shell;
