//! What people do with the trail itself.

use super::{Actor, Chain, Event};
use crate::database::Database;
use crate::session::Session;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// What somebody did with the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrailUse {
    /// They took a copy of it; in words, of what.
    Exported(String),
    /// They signed where chains end; in words, which.
    Checkpointed(String),
    /// They verified it, and found it as it was written; in words.
    Verified(String),
    /// They verified it, and found it changed, or could not tell; in words.
    NotVerified(String),
}

/// The event with which a node vouches for its own chain.
pub const VOUCHED: &str = "audit.vouched";

impl Database {
    /// Writes down, in words, that this node vouches for its own chain up to `end`; tells whether that is where it ends still,
    /// and does nothing otherwise.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note_vouched(&self, end: Chain, words: String) -> Result<bool, StoreError> {
        self.write(Vouched { end, words }).await
    }

    /// Where the chain of this node ends: at its beginning, if it has written nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn own_chain(&self) -> Result<Chain, StoreError> {
        let node = &self.inner.node;
        Ok(self.chain_end(node).await?.unwrap_or_else(|| Chain::genesis(node.as_str())))
    }

    /// Writes down what somebody did with the audit trail.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note_trail_use(&self, what: TrailUse, actor: &Actor) -> Result<(), StoreError> {
        self.write(Noted { what, actor: actor.clone() }).await
    }
}

struct Noted {
    what: TrailUse,
    actor: Actor,
}

impl Work for Noted {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let (name, success, reason) = match &self.what {
            TrailUse::Exported(reason) => ("audit.exported", true, reason),
            TrailUse::Checkpointed(reason) => ("audit.checkpoint", true, reason),
            TrailUse::Verified(reason) => ("audit.verified", true, reason),
            TrailUse::NotVerified(reason) => ("audit.verified", false, reason),
        };
        Event { success, reason: Some(reason), ..Event::by(&self.actor, name) }.insert(db, at).await
    }
}

struct Vouched {
    end: Chain,
    words: String,
}

impl Work for Vouched {
    type Answer = bool;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<bool, StoreError> {
        if *db.trail()? != self.end {
            return Ok(false);
        }
        Event { name: VOUCHED, reason: Some(&self.words), ..Event::EMPTY }.insert(db, at).await?;
        Ok(true)
    }
}
