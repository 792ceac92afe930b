//! How the tables come to be what this program expects.
//!
//! A migration is a file for each kind of database, with the same number and name. It is applied once, and the table
//! `migrations` says when. A database with a migration that this program does not know is refused, because what it means
//! is not known either.

mod server;
mod sqlite;

use est_core::UnixTime;

use crate::server::{Server, blocking};
use crate::url::{Place, Product};
use crate::{Clock, DatabaseUrl, Options, StoreError};

pub(crate) use sqlite::{apply_to, pending_in};

/// A change to the tables, in the words of each kind of database.
struct Migration {
    number: u32,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    mariadb: &'static str,
}

macro_rules! migration {
    ($number:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
            mariadb: include_str!(concat!("../migrations/mariadb/", $name, ".sql")),
        }
    };
}

static ALL: &[Migration] = &[
    migration!(1, "0001_initial"),
    migration!(2, "0002_compromised_keys"),
    migration!(3, "0003_operation"),
    migration!(4, "0004_keys"),
    migration!(5, "0005_stories"),
    migration!(6, "0006_imports"),
    migration!(7, "0007_holders"),
    migration!(8, "0008_former_ids"),
];

/// Which migrations a database has, and which it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Those that it has, in order.
    pub applied: Vec<Applied>,
    /// The names of those that it lacks, in order.
    pub pending: Vec<&'static str>,
}

/// A migration that a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: UnixTime,
}

/// Tells which migrations the database at `url` has. Changes nothing; a file that is not there lacks them all. Blocks.
///
/// # Errors
/// [`StoreError::NewerDatabase`], or that the database cannot be read.
pub fn status(url: &DatabaseUrl) -> Result<Status, StoreError> {
    match &url.0 {
        Place::File(path) => sqlite::status(path),
        Place::Server(address) => {
            let server = Server::new(address, &Options::default());
            blocking(async { server::status(&mut server.connect().await?, address.product).await })
        }
    }
}

/// Applies what the database at `url` lacks, making the file if there is none, and tells the names. Blocks.
///
/// # Errors
/// [`StoreError::NewerDatabase`], or that a migration failed; the ones before it stay applied.
pub fn apply(url: &DatabaseUrl) -> Result<Vec<&'static str>, StoreError> {
    match &url.0 {
        Place::File(path) => sqlite::apply(path),
        Place::Server(address) => {
            let server = Server::new(address, &Options::default());
            blocking(apply_to_server(&server, &Clock::system()))
        }
    }
}

/// Applies what a server's database lacks.
pub(crate) async fn apply_to_server(server: &Server, clock: &Clock) -> Result<Vec<&'static str>, StoreError> {
    // A connection of its own, which takes the lock along when it is closed.
    server::apply(&mut server.connect().await?, server.address.product, ALL, clock).await
}

/// The names of those that a server's database lacks.
pub(crate) async fn pending_in_server(server: &Server) -> Result<Vec<&'static str>, StoreError> {
    Ok(server::status(&mut server.connect().await?, server.address.product).await?.pending)
}

/// The names of all.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|migration| migration.name).collect()
}

/// Those of `known` that are not in `numbers`.
fn lacking<'a>(known: &'a [Migration], numbers: &[u32]) -> Result<Vec<&'a Migration>, StoreError> {
    let last_known = known.last().map_or(0, |migration| migration.number);
    match numbers.iter().max() {
        Some(&found) if found > last_known => Err(StoreError::NewerDatabase { found, known: last_known }),
        _ => Ok(known.iter().filter(|migration| !numbers.contains(&migration.number)).collect()),
    }
}
