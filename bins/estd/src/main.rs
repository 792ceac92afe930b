//! The EST server.

mod server;
mod tls;
fn main() {}
