//! Clients that other people wrote, each in every flow that it has: Bouncy Castle, wolfSSL, mbedTLS, usg-est-client, and
//! certbot with acme2certifier between. And what libest looks for in the octets of an answer.

mod acme;
mod bouncy_castle;
mod c;
mod libest;
mod session;
mod usg;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// What the clients with every flow are served by: keys that are made here, attributes to ask for, a person that decides.
const EVERY_FLOW: &str = r#"
[est]
unlabelled = true
serverkeygen = true
csr_attributes = ["serialNumber"]

[[est.label]]
name = "vetted"
ca_id = "main"
require_san = false
approval = "manual"
"#;
