//! Clients that other people wrote, each in every flow that it has: Bouncy Castle, wolfSSL, mbedTLS, usg-est-client, and
//! certbot with acme2certifier between. And what libest looks for in the octets of an answer.

mod acme;
mod bouncy_castle;
mod c;
mod libest;
mod session;
mod usg;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
