//! Who may use a label, and whose certificates authenticate there.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Algorithms, Ca, Label, PurposeBinding};
use crate::pkix::{Certificate, Extension, oid};
use crate::policy::purposes_within;
use crate::{CertificatePath, Issuers, Operation, Principal, Refusal};

impl Label {
    /// Whether the principal may use this label for `operation`.
    ///
    /// A password that was created for a label is good there alone, and a principal with labels of an
    /// [`IdentityRule`](crate::policy::IdentityRule) may use no others. At a label that makes registration
    /// authorities, a certificate must be one of an authority that this CA made, and a password must have been created
    /// for this label: names alone, which others may give, make no authority.
    ///
    /// A certificate authenticates where its issuer is the label's own CA, or below a CA that the label names, or one
    /// that a rule for this label names. It is renewed by its own CA alone (RFC 7030 §4.2.2). Its holder gets no purposes
    /// that it lacks, unless the label or a rule says so.
    ///
    /// # Errors
    /// [`Refusal::NotForLabel`], [`Refusal::NoAuthority`], [`Refusal::OtherCa`], [`Refusal::PurposeNotHeld`].
    pub fn admit(&self, principal: &Principal, operation: Operation, algorithms: Algorithms) -> Result<(), Refusal> {
        let here = self.name.as_deref();
        let rules = || self.identities.iter().filter(|rule| rule.is(principal));
        let is_listed = rules().any(|rule| rule.lists(here));
        if !is_listed && rules().any(|rule| rule.labels.is_some()) {
            let labels: Vec<&str> = rules().flat_map(|rule| rule.labels.iter().flatten()).map(String::as_str).collect();
            return Err(Refusal::NotForLabel { labels: labels.join(", ") });
        }
        let makes_authorities = self.profile.ext_key_usage.contains(&oid::CMC_RA);
        let own = match principal {
            Principal::OneTimePassword { label: Some(label), .. } if here != Some(label) => {
                return Err(Refusal::NotForLabel { labels: label.clone() });
            }
            Principal::OneTimePassword { label: None, .. } if makes_authorities => return Err(Refusal::NoAuthority),
            Principal::OneTimePassword { .. } => return Ok(()),
            Principal::Certificate(own) => own,
        };
        if makes_authorities && !(own.is_for_ra() && self.ca.has_issued(own, algorithms)) {
            return Err(Refusal::NoAuthority);
        }
        let names_its_issuer = || {
            self.names_a_ca_above(own, algorithms)
                || rules().any(|rule| rule.lists(here) && rule.who.tells_issuers_apart())
        };
        let is_renewal = operation == Operation::SimpleReenroll;
        if !self.ca.issued(own, algorithms) && (is_renewal || !names_its_issuer()) {
            let (issuer, label_ca) = (own.issuer().to_string(), self.ca.certificate.subject().to_string());
            return Err(Refusal::OtherCa { issuer, label_ca, operation });
        }
        if self.certificate_purposes == PurposeBinding::Any || is_listed || self.authority(own, algorithms).is_some() {
            return Ok(());
        }
        self.check_purposes(own)
    }

    /// Whether a CA of this server is above the certificate, by its key or by its name.
    #[must_use]
    pub fn is_issued_here(&self, own: &CertificatePath) -> bool {
        let is_below = |ca: &Ca| {
            own.issuer() == ca.certificate.subject()
                || own.paths().iter().flat_map(|path| path.iter()).any(|one| ca.is(one))
        };
        self.server_cas.iter().any(|ca| is_below(ca))
    }

    /// Whether there is a path on which a CA that the label names is above the certificate, and no other CA of this server
    /// that it does not name.
    fn names_a_ca_above(&self, own: &CertificatePath, algorithms: Algorithms) -> bool {
        let is_named = |issuer: &Certificate| self.client_anchors.iter().any(|anchor| is_same_ca(anchor, issuer));
        let leads_there = |issuers: &Issuers| {
            issuers.iter().any(|one| is_named(one))
                && issuers.iter().all(|one| is_named(one) || !self.is_of_another_ca(one))
        };
        match own.paths() {
            [] => self.client_anchors.iter().any(|anchor| own.is_issued_by(anchor, algorithms)),
            paths => paths.iter().any(leads_there),
        }
    }

    /// Whether the certificate is that of another CA of this server than the label's own: with its key or its name.
    ///
    /// Two CAs with one key are one.
    #[must_use]
    pub fn is_of_another_ca(&self, certificate: &Certificate) -> bool {
        let is_own = |ca: &Ca| self.ca.own_certificates().any(|own| ca.has_key_of(own));
        let has_own_name = certificate.subject() == self.ca.certificate.subject();
        self.server_cas
            .iter()
            .filter(|ca| !is_own(ca))
            .any(|ca| ca.has_key_of(certificate) || !has_own_name && ca.is(certificate))
    }

    /// Whether the certificate is for a purpose of this label, and for those that the label insists on.
    fn check_purposes(&self, own: &Certificate) -> Result<(), Refusal> {
        let held = own.extension(&oid::EXT_KEY_USAGE).and_then(Extension::read_ext_key_usage);
        purposes_within(&self.profile, held.as_deref()).map(|_| ())
    }
}

impl Ca {
    /// Whether this is a certificate of the CA: with its name, or with one of its keys.
    ///
    /// The name counts, too, because the CA may have had another key before.
    #[must_use]
    pub fn is(&self, certificate: &Certificate) -> bool {
        certificate.subject() == self.certificate.subject() || self.has_key_of(certificate)
    }

    fn has_key_of(&self, certificate: &Certificate) -> bool {
        self.own_certificates().any(|own| own.public_key_der() == certificate.public_key_der())
    }

    /// Whether the CA itself issued the certificate. On a verified path, its key is that of the certificate above.
    fn issued(&self, own: &CertificatePath, algorithms: Algorithms) -> bool {
        let is_this =
            |issuer: &Arc<Certificate>| issuer.subject() == self.certificate.subject() && self.has_key_of(issuer);
        match own.paths() {
            [] => self.has_issued(own, algorithms),
            paths => paths.iter().filter_map(|path| path.first()).any(is_this),
        }
    }
}

fn is_same_ca(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.public_key_der() == other.public_key_der()
}
