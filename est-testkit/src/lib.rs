//! What tests share: a throwaway PKI, real peers, real servers.

pub mod https;
pub mod server;
pub mod shell;
