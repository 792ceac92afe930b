//! Records: how an exchange ended, written down in one transaction before its client gets the answer.

use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Approval, Entry, Event, EventKind, Guess, Intent, Outcome, Principal, Ticket, UnixTime};

use crate::audit::{self, Method};
use crate::claims::Held;
use crate::database::{Database, seconds};
use crate::failures::{self, LockedOut};
use crate::imports::issuer_digest;
use crate::revoking::revoke_at_once;
use crate::session::{Change, Session};
use crate::value::values;
use crate::work::Work;
use crate::{RevocationReason, StoreError, UnixMicros};

impl Database {
    pub(crate) async fn remember(&self, entry: &Entry) -> Result<(), StoreError> {
        let recorded = self.write(Record::of(entry, self.authority(&entry.ca))).await;
        if let Some(intent) = &entry.intent {
            self.inner.working.end(intent.serial);
            if recorded.is_err() {
                self.abandon(Held { identity: intent.identity.0, serial: intent.serial });
            }
            self.inner.settled.bell(&intent.identity.0).notify_waiters();
        }
        match recorded? {
            Recorded::AsItIs => Ok(()),
            // What was signed is in the inventory, and nobody gets it.
            Recorded::Revoked(Flaw::Key) => Err(StoreError::KeyCompromised),
            Recorded::Revoked(Flaw::Credential) => Err(StoreError::CredentialRevoked),
        }
    }
}

/// An [`Entry`] as far as the tables want it, with every text made, so that the thread that writes only writes.
struct Record {
    actor: Option<String>,
    source: Option<String>,
    label: Option<String>,
    ca: String,
    /// The name of the key that the CA signs with.
    authority: String,
    method: Option<Method>,
    shown: Option<Arc<Certificate>>,
    events: Vec<Event>,
    /// A wrong password, to be counted.
    guess: Option<Guess>,
    /// Whose failures are forgotten.
    cleared: Vec<String>,
    issued: Option<Arc<Certificate>>,
    /// What the holder of the claim has authenticated with.
    credential: Option<Credential>,
    closing: Option<(Held, Closing)>,
}

/// What somebody has authenticated with.
enum Credential {
    Certificate { contents: [u8; 32], key: [u8; 32], serial: Vec<u8>, issuer: [u8; 32] },
    Password { id: String },
}

impl From<&Principal> for Credential {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Certificate(certificate) => Self::Certificate {
                contents: certificate.contents_digest(),
                key: certificate.key_digest(),
                serial: certificate.serial().to_vec(),
                issuer: issuer_digest(certificate.issuer()),
            },
            Principal::OneTimePassword { id, .. } => Self::Password { id: id.clone() },
        }
    }
}

/// What becomes of the claim.
enum Closing {
    Finish(Issued),
    Postpone(Ticket),
    Release,
    Interrupt,
}

/// A row of `certificates`, as far as it is not in the certificate and the [`Record`].
struct Issued {
    certificate: Arc<Certificate>,
    subject: String,
    names: Option<String>,
    profile: String,
    principal: String,
    password: Option<String>,
    /// The identity of the request, where an operator had to approve it.
    approved: Option<[u8; 32]>,
    /// The certificate that its client authenticated with.
    shown: Option<Arc<Certificate>>,
    at: UnixTime,
}

impl Record {
    fn of(entry: &Entry, authority: String) -> Self {
        let closing = entry.intent.as_deref().and_then(|intent| {
            let held = Held { identity: intent.identity.0, serial: intent.serial };
            Closing::of(&entry.outcome, intent).map(|closing| (held, closing))
        });
        let issued = match &entry.outcome {
            Outcome::Issued { certificate, .. } => Some(certificate.clone()),
            Outcome::Replayed(der) => Certificate::parse(der).ok().map(Arc::new),
            Outcome::Pending(..)
            | Outcome::AwaitingApproval
            | Outcome::CsrAttrs(_)
            | Outcome::Refused(_)
            | Outcome::Interrupted(_) => None,
        };
        let (method, shown) = match &entry.principal {
            Some(Principal::Certificate(path)) => (Some(Method::Certificate), Some(path.leaf().clone())),
            Some(Principal::OneTimePassword { .. }) => (Some(Method::Otp), None),
            None => (None, entry.rejected.clone()),
        };
        Self {
            actor: entry.principal.as_ref().map(Principal::to_string),
            source: entry.source.clone(),
            label: entry.label.clone(),
            ca: entry.ca.clone(),
            authority,
            method,
            shown,
            events: entry.events.clone(),
            guess: entry.guess.clone(),
            cleared: entry.principal.as_ref().map(Principal::clears).unwrap_or_default(),
            issued,
            credential: entry.intent.as_deref().map(|intent| Credential::from(&intent.principal)),
            closing,
        }
    }

    /// The statements that write the certificate down and answer the request with it.
    fn finish<'a>(&'a self, held: Held, issued: &'a Issued) -> [Change<'a>; 3] {
        let certificate = &issued.certificate;
        let shown = issued.shown.as_deref();
        let values = values![
            certificate.serial(),
            &self.authority,
            certificate.fingerprint().0,
            &issued.subject,
            &issued.names,
            seconds(certificate.not_before()),
            seconds(certificate.not_after()),
            &self.label,
            &issued.profile,
            &issued.principal,
            seconds(issued.at),
            certificate.as_der(),
            certificate.key_digest(),
            certificate.contents_digest(),
            &issued.password,
            issued.approved,
            shown.map(Certificate::serial),
            shown.map(Certificate::contents_digest),
        ];
        // Nothing is revoked while it is written down: neither misses the other.
        let hold = Change {
            sql: "SELECT 1 FROM authorities WHERE name = ?1 FOR SHARE",
            values: vec![(&self.authority).into()],
            otherwise: None,
        };
        let insert = Change {
            sql: "INSERT INTO certificates (serial, ca, fingerprint, subject, names, not_before, not_after, label, \
                  profile, principal, issued_at, der, key_digest, contents, password, request, predecessor, \
                  predecessor_ca) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
                  (SELECT id FROM requests WHERE identity = ?16 AND state = 2 ORDER BY number DESC LIMIT 1), \
                  (SELECT p.serial FROM (SELECT serial FROM certificates WHERE serial = ?17 AND contents = ?18 LIMIT 1) p), \
                  (SELECT p.ca FROM (SELECT ca FROM certificates WHERE serial = ?17 AND contents = ?18 LIMIT 1) p)) \
                  ON CONFLICT (serial, ca) DO NOTHING",
            values: values.into(),
            otherwise: Some(StoreError::CertificateExists),
        };
        [hold, insert, held.finish(certificate.serial(), &self.authority)]
    }

    fn event<'a>(&'a self, event: &'a Event) -> audit::Event<'a> {
        let certificate = if is_authentication(event.kind) { &self.shown } else { &self.issued };
        audit::Event {
            name: event.kind.name(),
            success: event.kind.is_success(),
            actor: self.actor.as_deref(),
            source: self.source.as_deref(),
            label: self.label.as_deref(),
            ca: Some(&self.ca),
            method: self.method.or_else(|| attempted(event.kind)),
            reason: event.reason.as_deref(),
            serial: certificate.as_ref().map(|certificate| certificate.serial()),
            fingerprint: certificate.as_ref().map(|certificate| certificate.fingerprint()),
        }
    }
}

/// What became of an entry.
enum Recorded {
    AsItIs,
    /// Its certificate is revoked already.
    Revoked(Flaw),
}

/// What was found out while the CA signed.
#[derive(Clone, Copy)]
enum Flaw {
    /// Somebody else has the key.
    Key,
    /// What the client has authenticated with was revoked.
    Credential,
}

impl Record {
    /// What is wrong with a certificate by now, or with its client.
    async fn flaw(&self, db: &mut Session, certificate: &Certificate) -> Result<Option<Flaw>, StoreError> {
        let (shown, password) = match &self.credential {
            Some(Credential::Certificate { contents, key, serial, issuer }) => {
                (Some((contents, key, serial, issuer)), None)
            }
            Some(Credential::Password { id }) => (None, Some(id)),
            None => (None, None),
        };
        let sql = "SELECT EXISTS (SELECT 1 FROM compromised_keys WHERE digest = ?1), \
                   EXISTS (SELECT 1 FROM revocations WHERE contents = ?2) \
                   OR EXISTS (SELECT 1 FROM compromised_keys WHERE digest = ?3) \
                   OR EXISTS (SELECT 1 FROM listed_revocations WHERE serial = ?5 AND issuer = ?6) \
                   OR EXISTS (SELECT 1 FROM passwords WHERE id = ?4 AND revoked_at IS NOT NULL)";
        let values = values![
            certificate.key_digest(),
            shown.map(|shown| shown.0),
            shown.map(|shown| shown.1),
            password,
            shown.map(|shown| shown.2),
            shown.map(|shown| shown.3),
        ];
        let Some(mut row) = db.query_one(sql, &values).await? else { return Ok(None) };
        let flaws = [(row.take(0)?, Flaw::Key), (row.take(1)?, Flaw::Credential)];
        Ok(flaws.into_iter().find_map(|(is_so, flaw): (bool, _)| is_so.then_some(flaw)))
    }

    /// Revokes what was just written down, for a flaw.
    async fn take_back(
        &self,
        db: &mut Session,
        certificate: &Certificate,
        flaw: Flaw,
        at: UnixMicros,
    ) -> Result<(), StoreError> {
        let reason = match flaw {
            Flaw::Key => RevocationReason::KeyCompromise,
            Flaw::Credential => RevocationReason::PrivilegeWithdrawn,
        };
        let event = audit::Event { ca: Some(&self.ca), label: self.label.as_deref(), ..audit::Event::EMPTY };
        revoke_at_once(db, certificate, &self.authority, reason, event, at).await
    }
}

impl Work for Record {
    type Answer = Recorded;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Recorded, StoreError> {
        let mut changes = Vec::with_capacity(2 + self.events.len());
        if let Some((held, closing)) = &self.closing {
            match closing {
                Closing::Finish(issued) => changes.extend(self.finish(*held, issued)),
                Closing::Postpone(ticket) => changes.push(held.postpone(ticket)),
                Closing::Release => changes.extend(held.release()),
                Closing::Interrupt => changes.push(held.interrupt()),
            }
        }
        changes.extend(failures::clear(&self.cleared, at.seconds()));
        let trail = db.trail()?;
        changes.extend(self.events.iter().map(|event| self.event(event).append(trail, at)));
        db.change(changes).await?;
        if let Some((_, Closing::Finish(issued))) = &self.closing
            && let Some(flaw) = self.flaw(db, &issued.certificate).await?
        {
            self.take_back(db, &issued.certificate, flaw, at).await?;
            return Ok(Recorded::Revoked(flaw));
        }
        let Some(guess) = &self.guess else { return Ok(Recorded::AsItIs) };
        for locked_out in failures::count(db, guess, at.seconds()).await? {
            let reason = locked_out.reason();
            LockedOut::event(&reason, self.source.as_deref(), self.label.as_deref()).insert(db, at).await?;
        }
        Ok(Recorded::AsItIs)
    }
}

impl Closing {
    fn of(outcome: &Outcome, intent: &Intent) -> Option<Self> {
        match outcome {
            Outcome::Issued { certificate, profile } => Some(Self::Finish(Issued {
                certificate: certificate.clone(),
                subject: certificate.subject().to_string(),
                names: certificate.subject_alt_name().map(ToString::to_string),
                profile: profile.clone(),
                principal: intent.principal.id(),
                password: intent.principal.password().map(str::to_owned),
                approved: (intent.approval == Approval::Manual).then_some(intent.identity.0),
                shown: match &intent.principal {
                    Principal::Certificate(path) => Some(path.leaf().clone()),
                    Principal::OneTimePassword { .. } => None,
                },
                at: intent.now,
            })),
            Outcome::Pending(ticket, _) => Some(Self::Postpone(ticket.clone())),
            Outcome::Refused(_) => Some(Self::Release),
            Outcome::Interrupted(_) => Some(Self::Interrupt),
            Outcome::Replayed(_) | Outcome::AwaitingApproval | Outcome::CsrAttrs(_) => None,
        }
    }
}

fn is_authentication(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::MtlsSuccess
            | EventKind::MtlsFailure
            | EventKind::OtpSuccess
            | EventKind::OtpFailure
            | EventKind::AuthFailure
    )
}

/// How a client tried to authenticate, where that failed.
fn attempted(kind: EventKind) -> Option<Method> {
    match kind {
        EventKind::MtlsFailure => Some(Method::Certificate),
        EventKind::OtpFailure => Some(Method::Otp),
        _ => None,
    }
}
