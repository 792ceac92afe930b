//! Enrollment over Secure Transport (EST) without I/O.
//!
//! One idea carries the crate: **an enrollment is a chain of owned steps**. The core never waits, reads no clock,
//! draws no randomness and opens no socket. It says what it needs next; somebody answers; the answer consumes the
//! step and yields the next one.
//!
//! ```text
//! begin(site, request, now, entropy) -> Step
//!
//! Step::Authenticate   which client asks?              answer(Verdict)   -> Step
//! Step::Claim          reserve, once and for all       answer(Claimed)   -> Step
//! Step::GenerateKey    make a key (/serverkeygen)      answer(Generated) -> Step
//! Step::Issue          ask the CA                      answer(Issuance)  -> Step
//! Step::Record         make it durable                 answer(())        -> Step
//! Step::Done(Reply)    send this
//! ```
//!
//! A freshly issued certificate can only come out of [`Record`], so nothing unrecorded is handed out. [`drive()`]
//! answers the steps from async [`Ports`]; a blocking server, a test or a fuzzer answers them by hand.
//!
//! Around the chain: [`pkix`] reads and writes what RFC 5280, 2986 and 5652 define, [`policy`] decides what a
//! request may have, [`wire`] turns transport bytes into a [`Request`] and a [`Reply`] into transport bytes,
//! `tower` (a feature) mounts it all in any hyper or axum server, and [`client`] is the other half.

#![no_std]
#![warn(missing_debug_implementations, clippy::wildcard_enum_match_arm)]

extern crate alloc;
#[cfg(any(test, feature = "tower"))]
extern crate std;

mod base64;
pub mod client;
pub mod cms;
mod drive;
mod evidence;
mod exchange;
mod hidden;
mod key_generation;
mod linking;
mod lockout;
pub mod pkix;
pub mod policy;
mod ports;
mod record;
mod refusal;
mod reply;
mod request;
mod secret;
mod serial;
mod site;
mod time;
#[cfg(feature = "tower")]
pub mod tower;
pub mod wire;

pub use drive::drive;
pub use evidence::{CertificatePath, Credentials, Doubt, Evidence, Issuers, Principal, Verdict};
pub use exchange::{Authenticate, Claim, GenerateKey, Issue, Record, Step, begin};
pub use hidden::{is_hidden, with_hidden_escaped};
pub use key_generation::{Generated, GeneratedKey, KeyPart, KeyRefusal, KeyWish, Protection};
pub use linking::{Linking, TlsExporter};
pub use lockout::{Counted, Guess, Lockout, Network, networks};
pub use ports::{Authenticator, CaBackend, KeyGenerator, NoKeyGenerator, PortFuture, Ports, Store};
pub use record::{Claimed, Entry, Event, EventKind, Identity, Intent, Issuance, Order, Outcome, PortError, Ticket};
pub use refusal::{Refusal, Row, Rule};
pub use reply::Reply;
pub use request::{Body, Operation, Request};
pub use secret::Secret;
pub use serial::{Entropy, Serial};
pub use site::{Algorithms, Approval, Ca, CaCerts, Label, NameBinding, Operations, PurposeBinding, Site};
pub use time::{Seconds, UnixTime};
