//! What came of revoking, and when.

use est_core::UnixTime;
use est_core::pkix::RevocationReason;

/// When and why a certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

impl Revoked {
    /// Whether another reason takes the place of this one: a key that is compromised of any, and any of a hold.
    pub(crate) fn gives_way_to(self, reason: RevocationReason) -> bool {
        reason != self.reason
            && (reason == RevocationReason::KeyCompromise || self.reason == RevocationReason::CertificateHold)
    }

    /// As records tell it where it was not revoked when the record was written: `superseded, since 2026-11-21T09:30:00Z`.
    pub(crate) fn since(self) -> String {
        format!("{}, since {}", self.reason.name(), self.at)
    }
}

/// What came of revoking something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It is revoked from now on.
    Revoked,
    /// It was revoked before; nothing has changed.
    AlreadyRevoked,
    /// It was revoked before for another reason, which is from now on that somebody has its key.
    NowCompromised,
    /// There is no such thing.
    Unknown,
}
