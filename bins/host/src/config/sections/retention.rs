//! `[retention]`.

use est_core::Seconds;
use est_store::Retention;

use super::{DAY, Reader};
use crate::config::diagnostic::Fault;

/// `grace` is for how long certificates that have ended are renewed.
pub(super) fn read(section: &Reader<'_>, grace: Option<Seconds>) -> Option<(Retention, Seconds)> {
    let span = |name| section.optional(name, |given| given.seconds(36_500 * DAY));
    let (certificates, requests, passwords) = (span("certificates"), span("requests"), span("passwords"));
    if certificates.flatten().is_some_and(|kept| grace.is_some_and(|grace| kept < grace)) {
        let fault = Fault::new("is shorter than tls.client_auth.expired_grace: what was revoked could be renewed");
        section.fault("certificates", fault.help("keep certificates for as long at least"));
    }
    let waiting = span("waiting").map(|span| span.unwrap_or(Seconds::from_days(30)));
    if waiting.is_some_and(|waiting| waiting < Seconds(3_600)) {
        section.fault("waiting", Fault::new("is shorter than an hour: clients may ask again as seldom as once a day"));
    }
    let retention = Retention { certificates: certificates?, requests: requests?, passwords: passwords? };
    Some((retention, waiting?))
}
