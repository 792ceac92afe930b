//! For how long a certificate is valid.

use super::{Profile, Requirements, baseline};
use crate::pkix::Certificate;
use crate::{Refusal, UnixTime};

pub(super) struct Validity {
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    pub(super) clamped_from: Option<UnixTime>,
}

/// From `now` on, or as much earlier as the profile says; N days are N × 86,400 seconds with both ends counted
/// (RFC 5280 §4.1.2.5), and never past the CA's own time.
pub(super) fn decide(profile: &Profile, ca: &Certificate, now: UnixTime) -> Result<Validity, Refusal> {
    if now < ca.not_before() || now > ca.not_after() {
        return Err(Refusal::CaNotValid);
    }
    let not_before = UnixTime(now.0.saturating_sub(profile.backdate.0)).max(ca.not_before());
    let last_second = |from: UnixTime, secs: u64| UnixTime(from.0.saturating_add(secs.saturating_sub(1)));
    let wanted = last_second(now, profile.validity.0);
    let mut not_after = wanted.min(last_second(now, profile.max_validity.0)).min(ca.not_after());
    if profile.requirements == Requirements::Baseline {
        not_after = not_after.min(last_second(not_before, baseline::max_validity(now).0));
    }
    Ok(Validity { not_before, not_after, clamped_from: (not_after < wanted).then_some(wanted) })
}
