//! Whose certificates authenticate at which label.

use est_core::NameBinding;
use est_core::pkix::Certificate;

use super::Reader;
use super::ca::Cas;
use crate::config::diagnostic::Fault;
use crate::config::settings::{Ca, ClientAnchors, ClientAuth, ClientAuthMode, Est, Label};

/// Warns when no client's chain can lead to a CA that is listed.
pub(super) fn check(section: &Reader<'_>, anchors: &ClientAnchors, auth: &ClientAuth) {
    let ClientAnchors::These(anchors) = anchors else { return };
    if !section.has("client_anchors") || auth.mode == ClientAuthMode::None {
        return;
    }
    let known = || auth.trust_anchors.iter().chain(&auth.intermediates).chain(anchors);
    let is_below =
        |one: &Certificate| known().any(|other| other != one && one.is_issued_by(other, est_backends::algorithms()));
    for anchor in anchors {
        if !auth.trust_anchors.iter().any(|trusted| is_same_ca(trusted, anchor)) && !is_below(anchor) {
            let fault = Fault::new(format!(
                "no client can authenticate below {}: it leads to no trust anchor",
                anchor.subject()
            ));
            section
                .warn("client_anchors", fault.help("add it, or the root above it, to tls.client_auth.trust_anchors"));
        }
    }
}

/// Warns when `certificate_names = "any"` is for nobody: it is for certificates that no CA of this server issued.
pub(super) fn warn_if_names_stay(section: &Reader<'_>, label: &Label, cas: &Cas, auth: &ClientAuth) {
    if label.certificate_names == NameBinding::Own || auth.mode == ClientAuthMode::None {
        return;
    }
    let anchors = match &label.client_anchors {
        ClientAnchors::These(anchors) => anchors,
        ClientAnchors::NotOfThisServer => &auth.trust_anchors,
    };
    if anchors.iter().all(|anchor| cas.known().any(|ca| is_of(ca, anchor))) {
        let fault =
            Fault::new("has no effect: the only certificates that authenticate here are those of CAs of this server");
        let help = "their holders keep to their own names: add the other CA to tls.client_auth.trust_anchors";
        section.warn("certificate_names", fault.help(help));
    }
}

/// Warns when a CA of this server is trusted, its certificates do not authenticate at the labels of another one, and
/// nobody wrote that they shall not.
pub(super) fn warn_of_other_cas<'a>(
    section: &Reader<'_>,
    est: &Est,
    labels: impl Iterator<Item = &'a Label>,
    cas: &Cas,
    auth: &ClientAuth,
) {
    let is_trusted = |ca: &Ca| auth.trust_anchors.iter().any(|anchor| is_of(ca, anchor));
    let labels: Vec<&Label> = labels.filter(|label| label.client_anchors == ClientAnchors::NotOfThisServer).collect();
    let mut left_out = Vec::new();
    for ca in cas.known().filter(|ca| auth.mode != ClientAuthMode::None && is_trusted(ca)) {
        let is_other = |id: &str| cas.find(id).is_some_and(|other| !shares_key(ca, other));
        let mut names: Vec<String> =
            labels.iter().filter(|label| is_other(&label.ca_id)).map(|label| format!("{:?}", label.name)).collect();
        let serves_others = est.unlabelled && est.client_anchors == ClientAnchors::NotOfThisServer;
        let first = cas.known().next().is_some_and(|first| !shares_key(ca, first));
        names.extend((serves_others && est.default_label.is_none() && first).then(|| "the unlabelled path".to_owned()));
        if !names.is_empty() {
            left_out.push(format!("those of the CA {:?} not at {}", ca.id, names.join(", ")));
        }
    }
    if !left_out.is_empty() {
        let what = format!("certificates authenticate at the labels of their own CA alone: {}", left_out.join("; "));
        let help = "where others shall, list the CA's certificate in client_anchors of the label; client_anchors = [] says that none shall";
        section.warn("client_anchors", Fault::new(what).help(help));
    }
}

fn own_certificates(ca: &Ca) -> impl Iterator<Item = &Certificate> {
    let rollover = ca.rollover.iter().filter(|other| other.subject() == ca.certificate.subject());
    std::iter::once(&ca.certificate).chain(rollover)
}

fn shares_key(one: &Ca, other: &Ca) -> bool {
    own_certificates(one).any(|one| own_certificates(other).any(|other| one.public_key_der() == other.public_key_der()))
}

/// Whether it is a certificate of this CA: with its name or with one of its keys.
fn is_of(ca: &Ca, certificate: &Certificate) -> bool {
    certificate.subject() == ca.certificate.subject()
        || own_certificates(ca).any(|own| own.public_key_der() == certificate.public_key_der())
}

pub(super) fn is_same_ca(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.public_key_der() == other.public_key_der()
}
