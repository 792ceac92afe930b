//! The bodies of the fuzz targets: plain functions over octets that panic when an invariant does not hold.
//!
//! They run in three ways:
//!
//! - `cargo +nightly fuzz run csr --features libfuzzer`: libFuzzer, guided by coverage;
//! - `cargo test`: every committed input of `corpus/<target>/`, once;
//! - `cargo run --release --bin smoke -- --seconds 5`: seeded mutations of the corpora, on any compiler.

pub mod certificate;
pub mod certs_only;
pub mod client;
pub mod client_cert;
pub mod corpus;
pub mod crl;
pub mod csr;
pub mod csrattrs;
pub mod csrattrs_template;
pub mod der;
pub mod envelope;
pub mod exchange;
pub mod http;
pub mod key_request;
pub mod mutation;
pub mod names;
pub mod oracle;
pub mod spki;

/// A target: its name, which is its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("der", der::run),
    ("csr", csr::run),
    ("spki", spki::run),
    ("key_request", key_request::run),
    ("envelope", envelope::run),
    ("certificate", certificate::run),
    ("crl", crl::run),
    ("names", names::run),
    ("certs_only", certs_only::run),
    ("csrattrs", csrattrs::run),
    ("csrattrs_template", csrattrs_template::run),
    ("client", client::run),
    ("http", http::run),
    ("client_cert", client_cert::run),
    ("exchange", exchange::run),
];
