//! Why the store could not do what it was asked to.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use est_core::PortError;
use rusqlite::{ErrorCode, ffi};

/// Why the store could not do what it was asked to. Its text is for operators and logs, never for an EST client.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file could not be made or opened.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refused.
    Database(Box<dyn Error + Send + Sync>),
    /// The database has undone the transaction, since it met another one: it can be tried again.
    Contended(Box<dyn Error + Send + Sync>),
    /// Another process has the database file locked.
    Locked,
    /// The database file is not at its path any more: it was moved, deleted or replaced. Nothing is written to it before it
    /// is back.
    Moved {
        /// The path.
        path: PathBuf,
    },
    /// The disk has failed under the database file, and nothing is written to it any more: nobody knows what the disk
    /// holds of that which was written last.
    Broken(Arc<str>),
    /// An audit record was to be written where none can be: a mistake of this program.
    Unaudited,
    /// There is no connection to the database, or there is none any more.
    Unreachable(String),
    /// The transaction that this belonged to was not committed, and nothing of it remains.
    NotCommitted(Arc<str>),
    /// Migrations have yet to be applied, and were not to be.
    PendingMigrations {
        /// Their names, in order.
        pending: Vec<&'static str>,
    },
    /// The database was made by a later version of this program.
    NewerDatabase {
        /// The number of its last migration.
        found: u32,
        /// The number of the last migration that this program knows.
        known: u32,
    },
    /// The claim is not this exchange's any more: its lease ran out and somebody else took over, or it was closed.
    ClaimLost,
    /// The CA has issued a certificate with this serial number before.
    CertificateExists,
    /// Somebody else has the key of the certificate, which was found out while the CA signed: it was revoked as it was
    /// recorded.
    KeyCompromised,
    /// What the client has authenticated with was revoked while the CA signed: the certificate was revoked as it was
    /// recorded.
    CredentialRevoked,
    /// There is a password with this id.
    PasswordExists,
    /// More than one CA has issued a certificate with this serial number: one has to be named.
    SeveralCertificates {
        /// Their ids.
        cas: Vec<String>,
    },
    /// A stored value is not one that this program writes.
    Damaged {
        /// Where.
        column: &'static str,
    },
    /// The store was closed.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "the database {} cannot be opened: {source}", path.display()),
            Self::Database(source) => write!(f, "the database refused: {source}"),
            Self::Contended(source) => write!(f, "the database undid a transaction that met another: {source}"),
            Self::Locked => f.write_str("another process has locked the database, and does not let go of it"),
            Self::Moved { path } => write!(
                f,
                "the database {} is not there any more: put the file back that was moved or replaced, or start estd again",
                path.display()
            ),
            Self::Broken(why) => write!(
                f,
                "the disk has failed under the database ({why}): nothing more is written, for nobody knows what the disk \
                 holds; every certificate that was handed out is in the database. Look into the kernel's log, have the \
                 file system checked and mounted again, then start estd"
            ),
            Self::Unaudited => f.write_str("an audit record has no place in this transaction"),
            Self::Unreachable(why) => write!(f, "the database cannot be reached: {why}"),
            Self::NotCommitted(why) => write!(f, "the database did not commit: {why}"),
            Self::PendingMigrations { pending } => {
                write!(f, "the database lacks the migrations {}: run estd migrate", pending.join(", "))
            }
            Self::NewerDatabase { found, known } => write!(
                f,
                "the database is at migration {found}, this program knows {known}: run a version that is at least as new as the one that made it"
            ),
            Self::ClaimLost => f.write_str("the claim was taken over or closed by somebody else"),
            Self::CertificateExists => f.write_str("this CA has issued a certificate with this serial number before"),
            Self::KeyCompromised => {
                f.write_str("the key was compromised meanwhile: the certificate was revoked at once")
            }
            Self::CredentialRevoked => f.write_str(
                "the certificate or password of the client was revoked meanwhile: what was issued for it was revoked at once",
            ),
            Self::PasswordExists => f.write_str("there is a one-time password with this id"),
            Self::SeveralCertificates { cas } => {
                write!(
                    f,
                    "several CAs have issued a certificate with this serial number ({}): name one",
                    cas.join(", ")
                )
            }
            Self::Damaged { column } => write!(f, "the database holds a value in {column} that cannot be read"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

/// Without a source: the text has the cause in it, and printing both would say it twice.
impl Error for StoreError {}

/// What SQLite says when the system could not write something. That a disk is full is no part of it: then nothing was
/// written that does not last.
const WRITING_FAILED: [i32; 4] =
    [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC, ffi::SQLITE_IOERR_TRUNCATE];

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(code) if code.code == ErrorCode::DatabaseBusy => Self::Locked,
            Some(code) if WRITING_FAILED.contains(&code.extended_code) => Self::Broken(error.to_string().into()),
            Some(_) | None => Self::Database(Box::new(error)),
        }
    }
}

impl From<StoreError> for PortError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
