//! What people do with the trail itself.

use super::{Actor, Event};
use crate::database::Database;
use crate::session::Session;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// What somebody did with the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrailUse {
    /// They took a copy of it; in words, of what.
    Exported(String),
    /// They verified it, and found it as it was written; in words.
    Verified(String),
    /// They verified it, and found it changed, or could not tell; in words.
    NotVerified(String),
}

impl Database {
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
            TrailUse::Verified(reason) => ("audit.verified", true, reason),
            TrailUse::NotVerified(reason) => ("audit.verified", false, reason),
        };
        Event { success, reason: Some(reason), ..Event::by(&self.actor, name) }.insert(db, at).await
    }
}
