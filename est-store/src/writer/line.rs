//! The connection that the thread writes with.

use tokio::time::Instant;

use crate::StoreError;
use crate::file::DatabaseFile;
use crate::server::{REQUEST, Server, until};
use crate::session::Session;

/// The connection that the thread writes with.
pub(crate) enum Line {
    /// One to a file, which lasts; and the file, unless it is in memory.
    Kept(Session, Option<DatabaseFile>),
    /// One to a server, which can break; then another one is made.
    Made(Server, Option<Session>),
}

impl Line {
    /// A connection that something can be written with.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where nobody would find it again; that there is no connection.
    pub(super) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        match self {
            Self::Kept(session, file) => {
                file.iter().try_for_each(DatabaseFile::check)?;
                Ok(session)
            }
            Self::Made(server, session) => {
                let usable = session.take().filter(Session::is_usable);
                Ok(session.insert(match usable {
                    Some(session) => session,
                    None => server.connect().await?,
                }))
            }
        }
    }

    /// Leaves nothing of a transaction that failed.
    pub(super) async fn clear(&mut self, error: &StoreError) {
        let undone = match self {
            // Whatever else it was, it may have left a connection that does not answer, a ROLLBACK neither.
            Self::Made(_, session) if !matches!(error, StoreError::Contended(_)) => {
                *session = None;
                Ok(())
            }
            Self::Kept(session, _) | Self::Made(_, Some(session)) => {
                until(Instant::now() + REQUEST, session.roll_back()).await
            }
            Self::Made(_, None) => Ok(()),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "the failed batch was not rolled back");
        }
    }

    pub(super) fn can_be_made_again(&self) -> bool {
        matches!(self, Self::Made(..))
    }

    /// The file's connection, where it is one.
    pub(super) fn file(&mut self) -> Option<&mut Session> {
        match self {
            Self::Kept(session, _) => Some(session),
            Self::Made(..) => None,
        }
    }
}
