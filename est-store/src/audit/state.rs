//! Whether the tables say what the audit trail says: the trail proves itself, and the tables do not.

mod certificates;
mod rows;
mod told;

use std::fmt;

use crate::database::Database;
use crate::{ConfiguredCa, StoreError};
use rows::{Certificates, Records, Tables};
use told::Told;

/// How many rows are read at a time.
const PIECE: i64 = 2_000;

/// A row of the tables that is not what the records of the trail have made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// What it is about: `certificate 4A:3F`, `password p1`, `request 7k3m-p2qx`.
    pub object: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// It is there, and no record says how it came there.
    NotRecorded,
    /// It is not there, and no record says that it was deleted.
    Missing,
    /// It is in another state than the last record of it has left it in.
    State {
        /// What the record says.
        recorded: String,
        /// What the table says.
        found: String,
    },
    /// Its key was compromised, and is not refused any more.
    KeyForgotten,
    /// A column does not say what the certificate says that it is about.
    Misfit {
        /// The table and the column.
        column: &'static str,
    },
    /// One of these columns, which nothing changes, is not what it was when the row was written.
    Altered {
        /// The columns.
        columns: &'static str,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.fault {
            Fault::NotRecorded => write!(f, "{object} is in the database, and no record says how it came there"),
            Fault::Missing => write!(f, "{object} is on record, and not in the database"),
            Fault::State { recorded, found } => {
                write!(f, "{object} is {recorded} on record, and {found} in the database")
            }
            Fault::KeyForgotten => {
                write!(f, "the key of {object} is compromised on record, and not among the keys that are refused")
            }
            Fault::Misfit { column } => write!(f, "{object}: {column} in the database does not fit the certificate"),
            Fault::Altered { columns } => {
                write!(f, "{object} was changed in the database, in one of these columns: {columns}")
            }
        }
    }
}

impl Database {
    /// Compares certificates, their revocations, CRLs, passwords and requests, as the tables have them, with what the audit
    /// trail says about them, and certificates with themselves and with the keys of `cas` that issued them. Keeps a few hundred
    /// octets for each in memory.
    ///
    /// Whether the trail itself is what was written is what [`verify`](Self::verify) tells. docs/audit.md lists what is not
    /// compared.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn compare_with_trail(&self, cas: &[ConfiguredCa]) -> Result<Vec<Mismatch>, StoreError> {
        let first = self.compare_once(cas).await?;
        if first.is_empty() {
            return Ok(first);
        }
        // What was written between two of the reads looks wrong once, and not twice.
        let second = self.compare_once(cas).await?;
        Ok(first.into_iter().filter(|one| second.contains(one)).collect())
    }

    async fn compare_once(&self, cas: &[ConfiguredCa]) -> Result<Vec<Mismatch>, StoreError> {
        let mut told = Told::default();
        let mut after = 0;
        loop {
            let records = self.read(Records { after }).await?;
            let Some(last) = records.last() else { break };
            after = last.number;
            records.into_iter().for_each(|record| told.take(record));
        }
        let mut mismatches = Vec::new();
        let tables = self.read(Tables::default()).await?;
        let mut after = 0;
        loop {
            let rows = self.read(Certificates { after }).await?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            rows.iter().for_each(|row| mismatches.extend(told.compare_certificate(row, &tables, cas)));
        }
        mismatches.extend(told.compare(tables));
        mismatches.sort();
        mismatches.dedup();
        Ok(mismatches)
    }
}
