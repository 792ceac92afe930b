//! Every event that a record can be of.

/// An event that a record can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    /// Its dotted name.
    pub name: &'static str,
    /// What has happened.
    pub about: &'static str,
    /// Whether what was attempted came about; `None` where a record can say either.
    pub success: Option<bool>,
}

const fn success(name: &'static str, about: &'static str) -> KnownEvent {
    KnownEvent { name, about, success: Some(true) }
}

const fn failure(name: &'static str, about: &'static str) -> KnownEvent {
    KnownEvent { name, about, success: Some(false) }
}

const fn either(name: &'static str, about: &'static str) -> KnownEvent {
    KnownEvent { name, about, success: None }
}

/// Every event, in the order in which the documentation lists them.
pub const EVENTS: &[KnownEvent] = &[
    success("auth.mtls.success", "A client certificate was accepted."),
    failure("auth.mtls.failure", "A client certificate was not accepted."),
    success(
        "auth.otp.success",
        "A one-time password was accepted; the reason says why a certificate that was shown beside it did not count.",
    ),
    failure("auth.otp.failure", "A one-time password was not accepted."),
    failure(
        "auth.otp.lockout",
        "After too many failures, nobody gets in as this entity or from this address for a while.",
    ),
    success("auth.otp.unlocked", "An operator ended a lockout."),
    failure("auth.failure", "Nothing was shown."),
    failure(
        "auth.failures",
        "More attempts to authenticate failed than are written down one by one; the reason says how many.",
    ),
    failure("tls.failure", "A TLS handshake failed; the reason says why, or how many more failed."),
    success("tls.renewed", "The server's own certificate was renewed by a CA of it; the reason has the file."),
    success("enroll.success", "An enrollment ended with a certificate."),
    failure("enroll.failure", "An enrollment ended without one."),
    failure(
        "enroll.failures",
        "More requests of somebody who is known were refused than are written down one by one; the reason says how many.",
    ),
    success("enroll.pending", "An enrollment waits."),
    success("enroll.replayed", "An enrollment was answered again."),
    success("reenroll.success", "A renewal ended with a certificate."),
    failure("reenroll.failure", "A renewal ended without one."),
    success("reenroll.pending", "A renewal waits."),
    success("reenroll.replayed", "A renewal was answered again."),
    success("key.generated", "The server made a key for a client."),
    success("cert.issued", "A certificate was issued."),
    success("cert.renewed", "A certificate was issued in place of another."),
    failure("cert.denied", "A certificate was not issued because a rule forbids it."),
    success(
        "cert.revoked",
        "A certificate was revoked, or its key is now known to be compromised; the reason is RFC 5280's.",
    ),
    success("cert.released", "A certificateHold was taken back; the reason has since when it was."),
    success("cert.imported", "A certificate that another server of the CA has issued was taken into the inventory."),
    success(
        "cert.listed",
        "An imported CRL lists a certificate that is not in the inventory; the reason is RFC 5280's, and since when.",
    ),
    success("key.compromised", "A key is known to be compromised: no certificate for it is issued or accepted again."),
    success("otp.created", "A one-time password was created."),
    success("otp.revoked", "A one-time password was revoked."),
    success("request.created", "A request came that an operator has to decide."),
    success("request.approved", "An operator approved a request."),
    success("request.denied", "An operator denied a request."),
    failure("request.expired", "A request ended since its client did not ask again for `retention.waiting`."),
    success("crl.published", "A CRL was made; the reason has its number."),
    success(
        "crl.imported",
        "A CRL of another server of the CA was taken over; the reason has its number and its entries.",
    ),
    failure(
        "crl.failed",
        "A CRL was due and could not be made; the reason says why. One for all tries until one is made.",
    ),
    success("ca.started", "A CA is ready to sign, from the start of a server or a reload on; the reason has its key."),
    success(
        "ca.renamed",
        "The configuration gives a CA's key another id than before; its certificates and CRLs go along. The reason has the old id.",
    ),
    success("ca.key.generated", "A key was made for a CA by `estd ca rollover`; the reason has it."),
    success("ca.cert.issued", "A certificate was made for a CA's next key, or by it for the one before."),
    either("admin.access", "Somebody used the admin API."),
    failure("admin.auth.failure", "Somebody was not let into the admin API."),
    success("config.loaded", "The server serves by a configuration."),
    success("config.reloaded", "A server serves by another configuration; the reason names the sections that differ."),
    failure("config.rejected", "It was to, and the configuration has mistakes: nothing changed."),
    failure(
        "limit.exceeded",
        "Requests were refused: somebody asked too often, or the server was busy; the reason says how many.",
    ),
    success("audit.started", "What happens is written down from here on."),
    success("audit.stopped", "What happens is not written down any more."),
    success("audit.exported", "Somebody took a copy of the audit records."),
    success("audit.checkpoint", "Somebody signed where the chains end; the reason names the nodes."),
    success(
        "audit.vouched",
        "A node signed its own chain up to the record before; the reason has its hash and the signature.",
    ),
    either(
        "audit.verified",
        "Somebody verified the audit records; a failure says what was changed, or what hides that.",
    ),
    failure(
        "audit.sink.failed",
        "A file or a collector has taken no audit records for a minute; the reason says which, and why.",
    ),
    success("audit.sink.restored", "One of which that was written down takes them again."),
    success("time.changed", "The system's clock was set; the reason has what it would have told, and what it tells."),
    success("store.pruned", "What was over long ago was deleted; the reason tells of what kind, how many, and which."),
    success("store.migrated", "The database was made, or brought to another version; the reason names the migrations."),
    success("server.startup", "A server started to serve."),
    success("server.shutdown", "A server stopped serving."),
];

pub(super) fn is_known(name: &str) -> bool {
    EVENTS.iter().any(|event| event.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_name_of_its_own() {
        let names: std::collections::HashSet<&str> = EVENTS.iter().map(|event| event.name).collect();
        assert_eq!(names.len(), EVENTS.len());
        assert!(names.iter().all(|name| name.contains('.') && name.len() <= 32), "syslog's MSGID has 32 characters");
    }
}
