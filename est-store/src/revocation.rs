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
