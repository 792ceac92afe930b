//! What tests need and no server does: a throwaway PKI, hostile encodings, other people's tools, real servers.
//!
//! - [`pki`] makes keys, certification requests, CAs, and a [`Site`](est_core::Site) around them;
//! - [`der`] puts arbitrary values together, the wrong ones too;
//! - [`trusting`] passes by signature checks, for fuzzers;
//! - [`peers`] runs what other people wrote (`openssl`), [`python`] and [`java`] their libraries; a test is skipped by name
//!   where they are not installed;
//! - [`rsyslog`] collects syslog messages;
//! - [`packed`] reads and writes files of many cases;
//! - [`shell`] runs scripts as an operator would type them;
//! - [`databases`] runs PostgreSQL and MariaDB, and a network before them that fails;
//! - [`server`] runs a real `estd`, and [`https`] sends it exactly the octets that a test wants.
//!
//! Everything here panics when something goes wrong: a test is what uses it.

pub mod browser;
pub mod databases;
pub mod der;
pub mod https;
pub mod java;
pub mod nodes;
pub mod packed;
pub mod peers;
pub mod pki;
pub mod python;
pub mod rsyslog;
pub mod server;
pub mod shell;
pub mod trusting;
