//! How long the connections to a database server wait.

use std::time::Duration;

/// How long a transaction waits for a row that another one holds.
pub(crate) const LOCK_SECS: u32 = 5;

/// How long the server may take for a statement, and how long it waits for the next one within a transaction.
pub(crate) const ANSWER_SECS: u32 = 30;

/// After how long without a word the other end is asked whether it is still there.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(15);
