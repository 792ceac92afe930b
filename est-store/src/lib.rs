//! Who remembers: claims, certificates, one-time passwords, requests that await approval, and the audit trail.
//!
//! [`Database`] is a database file, or a database of a PostgreSQL or MariaDB server. It answers the [`Store`](est_core::Store) port, so that every enrollment is claimed
//! before anything is signed and recorded before anything leaves, and it has what an operator asks for beside
//! that: passwords to create, certificates to list and revoke, requests to decide, events to read.
//!
//! All writing is done by one thread. It takes whatever is queued, runs it in one transaction, and commits once: the disk is
//! waited for once for all that came together. Where a piece fails, they are run once more, each in a savepoint of its own,
//! and it takes nothing but itself back. Reading goes through a few connections of its own, which writing never holds up.
//!
//! With a file, the thread also copies the write-ahead log into the database, between two batches, and writes nothing more once the
//! disk has failed: nobody knows then what is on it ([`StoreError::Broken`]).
//!
//! With a server, only what leaves an audit record goes through that thread; claims have transactions of their own, on
//! connections of a pool. Every operation is written once, in one dialect of SQL that each connection translates.
//!
//! The tables are in `migrations/`; [`migrations`] applies them and tells which are.

#![warn(missing_debug_implementations)]

mod admin;
mod audit;
mod authorities;
mod census;
mod claims;
mod clock;
mod connection;
mod crls;
mod database;
mod error;
mod failures;
mod file;
mod holds;
mod imports;
mod inventory;
mod issued_per_hour;
mod listed;
pub mod migrations;
mod page;
mod passwords;
mod pool;
mod prune;
mod readers;
mod records;
mod registry;
mod requests;
mod revocation;
mod revoking;
mod serial_number;
mod server;
mod session;
mod sinks;
mod story;
mod url;
mod value;
mod work;
mod working;
mod writer;

pub use admin::AdminEvent;
pub use audit::{
    Actor, AuditFilter, AuditRecord, Chain, ChainPiece, ChainPlace, Checkpoint, EVENTS, Extent, Fault, Finding,
    Instigator, KnownEvent, Method, Mismatch, Report, ServerEvent, Tampering, TrailUse, UNREADABLE, Unreadable,
    VOUCHED, Verdict, Verifier,
};
pub use authorities::{CaEvent, CaNote};
pub use census::Census;
pub use clock::{Clock, UnixMicros, UnixMicrosError};
pub use crls::{CrlState, NewCrl, NextCrl, Publication, PublishedCrl, Revocations};
pub use database::{Database, Options, Pending};
pub use error::StoreError;
pub use est_core::pkix::RevocationReason;
pub use failures::Failures;
pub use holds::Release;
pub use imports::{Import, Imported, ImportedCrl};
pub use inventory::{CertificateFilter, CertificateStatus, IssuedCertificate};
pub use page::{Cursor, Page};
pub use passwords::{NewPassword, Password, PasswordSummary};
pub use prune::{Pruned, Retention};
pub use registry::{Authority, ConfiguredCa, RegisteredCas, Renamed};
pub use requests::{ApprovalRequest, Decided, Decision, RequestState, Ruling};
pub use revocation::{Revocation, Revoked};
pub use revoking::{Withdrawal, Withdrawn};
pub use serial_number::{SerialNumber, SerialNumberError};
pub use sinks::SinkChain;
pub use story::{Chapter, Story};
pub use url::{DatabaseUrl, UrlError};
pub use writer::{LogUse, Trouble};
