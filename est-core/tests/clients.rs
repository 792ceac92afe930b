//! Whose certificates authenticate at a label.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::{Certificate, Extension, TbsCertificate, oid};
use est_core::policy::{Allowance, IdentityRule, Pattern, RegistrationAuthority, Who};
use est_core::{
    Body, Ca, CertificatePath, Evidence, Label, Operation, Principal, Reply, Request, Seconds, Step, Verdict, begin,
};
use est_testkit::pki::{ALGORITHMS, Key, NOW, TestCa, entropy, name, serial};

const ENROLL: [Operation; 3] = [Operation::SimpleEnroll, Operation::ServerKeyGen, Operation::CsrAttrs];

/// A server with two CAs, each with a label, below a root that is the only trust anchor.
struct World {
    root: TestCa,
    corp: TestCa,
    guest: TestCa,
}

impl World {
    fn new() -> Self {
        let root = TestCa::named("CN=Root");
        let corp = root.certifies("CN=Corp CA", Key::p256());
        let guest = root.certifies("CN=Guest CA", Key::p256());
        Self { root, corp, guest }
    }

    /// The label of the corporate CA, where certificates below the root authenticate.
    fn label(&self) -> Label {
        let mut label = self.corp.label(Some("corp"));
        label.server_cas = vec![self.corp.ca.clone(), self.guest.ca.clone()];
        label.client_anchors = vec![self.root.certificate().clone()];
        label
    }
}

/// Somebody with a certificate of the first CA, on a path through all of them.
fn holder(path: &[&TestCa]) -> Principal {
    let device = path[0].device(&Key::p256(), "CN=ceo,OU=Board,O=Corp", &[]);
    let issuers = path.iter().map(|ca| Arc::new(ca.certificate().clone())).collect();
    Principal::Certificate(CertificatePath::new(device, issuers))
}

fn code(label: &Label, principal: &Principal, operation: Operation) -> &'static str {
    label.admit(principal, operation, ALGORITHMS).map_or_else(|refusal| refusal.row().code, |()| "admitted")
}

#[test]
fn a_certificate_of_another_ca_of_the_server_is_refused_whatever_leads_to_it() {
    let world = World::new();
    let World { root, corp, guest } = &world;
    let below_guest = guest.certifies("CN=Below guest", Key::p256());
    // The guest CA under another name that a foreign CA gave its key, and with another key as before a rollover.
    let foreign = TestCa::named("CN=Foreign");
    let cross = foreign.certifies("CN=Guest CA", Key::p256());
    let old_guest = root.certifies("CN=Guest CA", Key::p256());
    let mut label = world.label();
    label.client_anchors.push(foreign.certificate().clone());
    for (path, enrolls, renews) in [
        (&[corp, root][..], "admitted", "admitted"),
        (&[corp], "admitted", "admitted"),
        (&[guest, root], "other-ca", "other-ca"),
        (&[guest], "other-ca", "other-ca"),
        (&[&below_guest, guest, root], "other-ca", "other-ca"),
        (&[&cross, &foreign], "other-ca", "other-ca"),
        (&[&old_guest, root], "other-ca", "other-ca"),
        (&[&foreign], "admitted", "other-ca"),
        (&[root], "admitted", "other-ca"),
    ] {
        for operation in ENROLL {
            assert_eq!(code(&label, &holder(path), operation), enrolls, "{path:?}");
        }
        assert_eq!(code(&label, &holder(path), Operation::SimpleReenroll), renews, "{path:?}");
    }
}

#[test]
fn a_ca_that_certified_another_one_does_not_vouch_for_what_that_issues() {
    let root = TestCa::named("CN=Root");
    let issuing = root.certifies("CN=Issuing", Key::p256());
    for (own, other) in [(&root, &issuing), (&issuing, &root)] {
        let mut label = own.label(Some("own"));
        label.server_cas = vec![root.ca.clone(), issuing.ca.clone()];
        let anchors = [root.certificate(), issuing.certificate()];
        label.client_anchors = anchors.into_iter().filter(|anchor| !label.is_of_another_ca(anchor)).cloned().collect();
        assert_eq!(code(&label, &holder(&[other]), Operation::SimpleEnroll), "other-ca");
        assert_eq!(code(&label, &holder(&[own]), Operation::SimpleEnroll), "admitted");
    }
}

#[test]
fn a_label_names_the_cas_whose_certificates_it_takes() {
    let world = World::new();
    let World { root, corp, guest } = &world;
    let plant = root.certifies("CN=Plant", Key::p256());
    let line = plant.certifies("CN=Line 4", Key::p256());
    let of = |anchors: &[&TestCa]| {
        let mut label = world.label();
        label.client_anchors = anchors.iter().map(|ca| ca.certificate().clone()).collect();
        label
    };
    for (anchors, path, said) in [
        (&[][..], &[&plant, root][..], "other-ca"),
        (&[], &[corp, root], "admitted"),
        (&[&plant], &[&plant, root], "admitted"),
        (&[&plant], &[&line, &plant, root], "admitted"),
        (&[&line], &[&plant, root], "other-ca"),
        (&[guest], &[guest, root], "admitted"),
        (&[guest], &[corp, root], "admitted"),
        (&[guest], &[&plant, root], "other-ca"),
        // Only the CA of this server itself opens the door for what it issues, not the root above it.
        (&[root], &[guest, root], "other-ca"),
    ] {
        assert_eq!(code(&of(anchors), &holder(path), Operation::SimpleEnroll), said, "{anchors:?} {path:?}");
    }
    // What a label names is for enrolling.
    assert_eq!(code(&of(&[guest]), &holder(&[guest, root]), Operation::SimpleReenroll), "other-ca");
}

#[test]
fn a_certificate_counts_if_one_of_its_paths_leads_to_a_ca_that_the_label_names() {
    let world = World::new();
    let (maker, foreign) = (TestCa::named("CN=Maker"), TestCa::named("CN=Foreign"));
    let mut label = world.label();
    label.client_anchors = vec![maker.certificate().clone()];
    let device = foreign.device(&Key::p256(), "CN=device", &[]);
    let path = |cas: &[&TestCa]| cas.iter().map(|ca| Arc::new(ca.certificate().clone())).collect();
    let of = |paths| Principal::Certificate(CertificatePath::of_paths(device.clone(), paths));
    let (elsewhere, to_maker) = (path(&[&foreign, &world.root]), path(&[&foreign, &maker]));
    for paths in [vec![elsewhere, to_maker], vec![path(&[&foreign, &maker])]] {
        assert_eq!(code(&label, &of(paths), Operation::SimpleEnroll), "admitted");
    }
    assert_eq!(code(&label, &of(vec![path(&[&foreign, &world.root])]), Operation::SimpleEnroll), "other-ca");
    // No path makes up for what is on another one: a CA of this server stays in between.
    let through_guest = vec![path(&[&foreign, &world.root]), path(&[&foreign, &world.guest, &maker])];
    assert_eq!(code(&label, &of(through_guest), Operation::SimpleEnroll), "other-ca");
}

#[test]
fn a_client_that_may_not_use_a_label_gets_no_attributes_of_it() {
    let world = World::new();
    let mut site = world.corp.site();
    site.csrattrs_auth = true;
    site.labels.insert("corp".into(), Arc::new(world.label()));
    let site = Arc::new(site);
    let asked_by = |principal: Principal| {
        let (operation, label) = (Operation::CsrAttrs, Some("corp".into()));
        let request = Request { operation, label, evidence: Evidence::default(), body: Body::Text(Vec::new()) };
        let Step::Authenticate(step) = begin(site.clone(), request, NOW, &entropy(1)) else { panic!("who asks") };
        let Step::Record(step) = step.answer(Ok(Verdict::Known(principal))) else { panic!("on record") };
        let kinds: Vec<_> = step.entry().events.iter().map(|event| event.kind.name()).collect();
        let Step::Done(reply) = step.answer(Ok(())) else { panic!("an answer") };
        (reply, kinds)
    };
    let (reply, kinds) = asked_by(holder(&[&world.guest, &world.root]));
    assert!(matches!(&reply, Reply::Refused(refusal) if refusal.row().code == "other-ca"), "{reply:?}");
    assert_eq!(kinds, ["auth.mtls.success", "cert.denied"]);
    let (reply, kinds) = asked_by(holder(&[&world.corp, &world.root]));
    assert!(matches!(reply, Reply::CsrAttrs(_)), "{reply:?}");
    assert_eq!(kinds, ["auth.mtls.success"]);
}

#[test]
fn two_cas_with_one_key_are_one() {
    let world = World::new();
    let mut label = world.label();
    let twin = Arc::new(Ca { id: "twin".into(), ..(*world.corp.ca).clone() });
    label.server_cas.push(twin);
    let own = holder(&[&world.corp, &world.root]);
    assert_eq!(code(&label, &own, Operation::SimpleReenroll), "admitted");
    label.client_anchors = vec![world.corp.certificate().clone()];
    assert!(!label.is_of_another_ca(world.corp.certificate()));
}

#[test]
fn both_keys_of_a_rollover_are_the_labels_own() {
    let (old, new) = (TestCa::new(), TestCa::new());
    let mut label = new.label(None);
    let ca = Ca { rollover: vec![old.certificate().clone()], ..(*new.ca).clone() };
    for (ca, said) in [(Arc::new(ca), "admitted"), (new.ca.clone(), "other-ca")] {
        label.server_cas = vec![ca.clone()];
        label.ca = ca;
        for path in [&[&old][..], &[]] {
            let device = old.device(&Key::p256(), "CN=device", &[]);
            let issuers = path.iter().map(|ca| Arc::new(ca.certificate().clone())).collect();
            let principal = Principal::Certificate(CertificatePath::new(device, issuers));
            assert_eq!(code(&label, &principal, Operation::SimpleReenroll), said);
        }
    }
}

#[test]
fn what_a_certificate_says_of_its_issuers_key_counts_for_nothing() {
    let world = World::new();
    let (corp, guest) = (&world.corp, &world.guest);
    let identifier = corp.certificate().subject_key_identifier().unwrap();
    let key = Key::p256();
    let lying = TbsCertificate {
        serial: serial(9),
        signature_algorithm: guest.key.signature_algorithm(),
        issuer: corp.certificate().subject(),
        subject: &name("CN=ceo,OU=Board,O=Corp"),
        not_before: NOW,
        not_after: NOW + Seconds::from_days(1),
        public_key: key.public_key().as_der(),
        extensions: &[Extension::end_entity(), Extension::authority_key_identifier(&identifier)],
    };
    let lying = Arc::new(Certificate::parse(&guest.key.signed(lying.to_der())).unwrap());
    for issuers in [vec![], vec![Arc::new(guest.certificate().clone())]] {
        let principal = Principal::Certificate(CertificatePath::new(lying.clone(), issuers.into()));
        assert_eq!(code(&world.label(), &principal, Operation::SimpleEnroll), "other-ca");
        assert_eq!(code(&world.label(), &principal, Operation::SimpleReenroll), "other-ca");
    }
}

#[test]
fn an_identity_that_tells_issuers_apart_lets_their_certificates_in_at_its_labels() {
    let world = World::new();
    let shown = holder(&[&world.guest, &world.root]);
    let fingerprint = shown.certificate().unwrap().fingerprint();
    let pattern = |text: &str| Some(Pattern::new(text).unwrap());
    let rule = |subject, issuer, fingerprint, label: &str| IdentityRule {
        name: "guests".into(),
        who: Who::Certificate { subject, name: None, issuer, fingerprint },
        allowance: Allowance::default(),
        labels: Some(vec![label.into()]),
    };
    for (rule, said) in [
        (rule(None, pattern("^CN=Guest CA$"), None, "corp"), "admitted"),
        (rule(None, None, Some(fingerprint), "corp"), "admitted"),
        // By its subject alone, which the guest CA lets its holder choose.
        (rule(pattern("^CN=ceo,"), None, None, "corp"), "other-ca"),
        (rule(None, pattern("^CN=Guest CA$"), None, "elsewhere"), "not-for-label"),
    ] {
        let mut label = world.label();
        label.identities = vec![rule];
        assert_eq!(code(&label, &shown, Operation::SimpleEnroll), said);
        assert_ne!(code(&label, &shown, Operation::SimpleReenroll), "admitted");
    }
}

#[test]
fn an_authority_of_another_ca_is_none_here() {
    let world = World::new();
    let mut label = world.label();
    label.authorities = vec![RegistrationAuthority {
        name: "ra".into(),
        certificate: Pattern::new("^CN=ra$").unwrap(),
        subject_pattern: None,
        names: None,
    }];
    for (ca, said) in [(&world.corp, "admitted"), (&world.guest, "other-ca")] {
        let key = Key::p256();
        let own = TbsCertificate {
            serial: serial(9),
            signature_algorithm: ca.key.signature_algorithm(),
            issuer: ca.certificate().subject(),
            subject: &name("CN=ra"),
            not_before: NOW,
            not_after: NOW + Seconds::from_days(1),
            public_key: key.public_key().as_der(),
            extensions: &[Extension::end_entity(), Extension::ext_key_usage(&[oid::CMC_RA])],
        };
        let own = Arc::new(Certificate::parse(&ca.key.signed(own.to_der())).unwrap());
        let issuers = [ca, &world.root].map(|ca| Arc::new(ca.certificate().clone())).into();
        let principal = Principal::Certificate(CertificatePath::new(own, issuers));
        assert_eq!(code(&label, &principal, Operation::SimpleEnroll), said);
    }
}
