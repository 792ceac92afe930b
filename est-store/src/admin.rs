//! Who used the admin API.

use crate::audit::Event;
use crate::database::Database;
use crate::session::Session;
use crate::work::Work;
use crate::{Actor, StoreError, UnixMicros};

/// What came of somebody's wish to use the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminEvent {
    /// They were let in.
    Allowed,
    /// Their role did not let them.
    Denied,
    /// They showed a credential that does not hold.
    Rejected,
}

impl Database {
    /// Writes down that `actor` used the admin API, or wanted to; `what` says for what, or why it does not hold.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note_admin(&self, event: AdminEvent, what: String, actor: &Actor) -> Result<(), StoreError> {
        self.write(Note { event, what, actor: actor.clone() }).await
    }
}

struct Note {
    event: AdminEvent,
    what: String,
    actor: Actor,
}

impl Work for Note {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let (name, success) = match self.event {
            AdminEvent::Allowed => ("admin.access", true),
            AdminEvent::Denied => ("admin.access", false),
            AdminEvent::Rejected => ("admin.auth.failure", false),
        };
        Event { success, reason: Some(&self.what), ..Event::by(&self.actor, name) }.insert(db, at).await
    }
}
