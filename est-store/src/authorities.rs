//! What happens to the CAs themselves, for the trail.

use est_core::pkix::Certificate;

use crate::audit::Event;
use crate::database::Database;
use crate::session::Session;
use crate::work::Work;
use crate::{Actor, StoreError, UnixMicros};

/// What happens to a CA that belongs in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaEvent {
    /// It is ready to sign.
    Started,
    /// A key was made for it.
    KeyGenerated,
    /// A certificate was made for it, or by it for the key that precedes or follows its own.
    CertificateIssued,
    /// A certificate was made by it for the server's own TLS.
    TlsRenewed,
    /// A CRL of it is due and could not be made.
    CrlFailed,
}

impl CaEvent {
    const fn name(self) -> &'static str {
        match self {
            Self::Started => "ca.started",
            Self::KeyGenerated => "ca.key.generated",
            Self::CertificateIssued => "ca.cert.issued",
            Self::TlsRenewed => "tls.renewed",
            Self::CrlFailed => "crl.failed",
        }
    }

    const fn is_success(self) -> bool {
        match self {
            Self::Started | Self::KeyGenerated | Self::CertificateIssued | Self::TlsRenewed => true,
            Self::CrlFailed => false,
        }
    }
}

/// Something that happened to a CA.
#[derive(Clone, Debug)]
pub struct CaNote {
    /// The CA's id.
    pub ca: String,
    /// What.
    pub event: CaEvent,
    /// The certificate that it is about, if it is about one.
    pub certificate: Option<Certificate>,
    /// What else there is to say.
    pub reason: String,
}

impl Database {
    /// Writes down what happened to CAs, all of it or nothing; on `actor`'s behalf, if it was not the server itself.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note_cas(&self, notes: Vec<CaNote>, actor: Option<&Actor>) -> Result<(), StoreError> {
        self.write(Notes { notes, actor: actor.cloned() }).await
    }
}

struct Notes {
    notes: Vec<CaNote>,
    actor: Option<Actor>,
}

impl Work for Notes {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        for CaNote { ca, event, certificate, reason } in &self.notes {
            let by = match &self.actor {
                Some(actor) => Event::by(actor, event.name()),
                None => Event { name: event.name(), ..Event::EMPTY },
            };
            Event {
                success: event.is_success(),
                ca: Some(ca),
                reason: Some(reason),
                serial: certificate.as_ref().map(Certificate::serial),
                fingerprint: certificate.as_ref().map(Certificate::fingerprint),
                ..by
            }
            .insert(db, at)
            .await?;
        }
        Ok(())
    }
}
