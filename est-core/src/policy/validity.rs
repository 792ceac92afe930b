//! For how long a certificate is valid.

use super::Profile;
use crate::pkix::Certificate;
use crate::{Refusal, UnixTime};

pub(super) struct Validity {
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    pub(super) clamped_from: Option<UnixTime>,
}

/// From `now` on; N days are N × 86,400 seconds with both ends counted (RFC 5280 §4.1.2.5), and never past the CA's
/// own end.
pub(super) fn decide(profile: &Profile, ca: &Certificate, now: UnixTime) -> Result<Validity, Refusal> {
    if now < ca.not_before() || now > ca.not_after() {
        return Err(Refusal::CaNotValid);
    }
    let last_second = |secs: u64| UnixTime(now.0.saturating_add(secs.saturating_sub(1)));
    let wanted = last_second(profile.validity.0);
    let not_after = wanted.min(last_second(profile.max_validity.0)).min(ca.not_after());
    Ok(Validity { not_before: now, not_after, clamped_from: (not_after < wanted).then_some(wanted) })
}
