//! What a registration authority may do, and what not even it may.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::{Certificate, CsrTemplate, oid};
use est_core::policy::{NameChange, Pattern, Plan, Profile, RegistrationAuthority, decide, decide_for};
use est_core::{
    Body, Evidence, Label, Linking, NameBinding, Operation, Outcome, Principal, Refusal, Request, Secret, Step,
    TlsExporter, Verdict, begin,
};
use est_testkit::der;
use est_testkit::pki::{ALGORITHMS, Key, NOW, TestCa, entropy, name, parse_csr, password_holder, profile, serial};

const OWN: &str = "CN=ra";
const WITHIN: &str = "CN=meter-7";
const BEYOND: &str = "CN=root";

/// A label, and an authority that may enroll meters there.
struct World {
    ca: TestCa,
    label: Label,
    own: Arc<Certificate>,
}

impl World {
    fn new() -> Self {
        let ca = TestCa::new();
        let mut label = ca.label(None);
        label.profile = Profile { ext_key_usage: vec![oid::CLIENT_AUTH, oid::CMC_RA], ..profile() };
        let csr = parse_csr(&Key::p256().csr(OWN, &[]));
        let plan = decide(&label, &password_holder("p"), &csr, None, NOW).unwrap();
        let own = Arc::new(Certificate::parse(&ca.issue(&plan, serial(3))).unwrap());
        label.profile = Profile { change_subject_name: NameChange::Any, ..profile() };
        label.authorities = vec![RegistrationAuthority {
            name: "line-4".into(),
            certificate: Pattern::new("^CN=ra$").unwrap(),
            subject_pattern: Some(Pattern::new("^CN=meter-[0-9]+$").unwrap()),
            names: None,
        }];
        Self { ca, label, own }
    }

    fn principal(&self) -> Principal {
        Principal::Certificate(self.own.clone().into())
    }

    fn decide(&self, csr: &[u8]) -> Result<Plan, Refusal> {
        let ra = self.label.authorities.first();
        decide_for(&self.label, &self.principal(), ra, &parse_csr(csr), None, NOW)
    }

    /// What becomes of a request that says `said` of its connection, where that must be right.
    fn linked(&self, operation: Operation, subject: &str, said: Option<&str>) -> Result<(), Refusal> {
        let key = Key::p256();
        let challenge_password = said.map(|said| Secret::new(said.into()));
        let public_key = key.public_key().clone();
        let template = CsrTemplate {
            subject: name(subject),
            subject_alt_name: None,
            public_key,
            challenge_password,
            extensions: Vec::new(),
        };
        let mut site = self.ca.site();
        site.default_label = Some(Arc::new(self.label.clone().with_linking(Linking::Required)));
        let evidence = Evidence { channel_binding: Some(TlsExporter([7; 32])), ..Evidence::default() };
        let body = Body::Der(key.signed(template.to_be_signed()));
        let step = begin(Arc::new(site), Request { operation, label: None, evidence, body }, NOW, &entropy(1));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        match step.answer(Ok(Verdict::Known(self.principal()))) {
            Step::Claim(_) => Ok(()),
            Step::Record(step) => match &step.entry().outcome {
                Outcome::Refused(refusal) => Err(refusal.clone()),
                outcome => panic!("{outcome:?}"),
            },
            step => panic!("{step:?}"),
        }
    }
}

/// A request in these names that wants others.
fn changing(from: &str, to: &str) -> Vec<u8> {
    let change = der::sequence(&[name(to).as_der()]);
    let change = der::attribute(oid::CHANGE_SUBJECT_NAME.as_der(), &[&change]);
    Key::p256().csr_with_attributes(name(from).as_der(), &[&change])
}

#[test]
fn its_limits_hold_for_the_names_that_it_changes_its_own_to() {
    let world = World::new();
    for from in [OWN, WITHIN, BEYOND] {
        assert_eq!(world.decide(&changing(from, BEYOND)).unwrap_err().row().code, "outside-of-ra", "{from}");
        assert_eq!(world.decide(&changing(from, WITHIN)).unwrap().ra.as_deref(), Some("line-4"), "{from}");
    }
}

#[test]
fn its_limits_hold_where_others_may_ask_for_any_name() {
    let mut world = World::new();
    world.label.certificate_names = NameBinding::Any;
    let ask = |subject| world.decide(&Key::p256().csr(subject, &[]));
    assert_eq!(ask(BEYOND).unwrap_err().row().code, "outside-of-ra");
    assert_eq!(ask(WITHIN).unwrap().ra.as_deref(), Some("line-4"));
    assert_eq!(ask(OWN).unwrap().ra, None);
}

#[test]
fn nobody_becomes_an_authority_by_another_certificate() {
    let mut world = World::new();
    world.label.profile.ext_key_usage.push(oid::CMC_RA);
    let admitted = |own: Arc<Certificate>| {
        world.label.admit(&Principal::Certificate(own.into()), Operation::SimpleEnroll, ALGORITHMS)
    };
    assert_eq!(admitted(world.own.clone()), Ok(()));
    assert_eq!(admitted(world.ca.device(&Key::p256(), OWN, &[])), Err(Refusal::NoAuthority));
    // Another CA of the same name gave the purpose.
    assert_eq!(admitted(World::new().own), Err(Refusal::NoAuthority));
    // A password that was not created for this label.
    assert_eq!(
        world.label.admit(&password_holder("p"), Operation::SimpleEnroll, ALGORITHMS),
        Err(Refusal::NoAuthority)
    );
}

#[test]
fn stays_one_when_the_root_gets_another_key() {
    let (old, new) = (World::new(), TestCa::new());
    let ca = est_core::Ca { rollover: vec![old.ca.certificate().clone()], ..(*new.label(None).ca).clone() };
    assert!(ca.has_issued(&old.own, ALGORITHMS));
    assert!(!new.label(None).ca.has_issued(&old.own, ALGORITHMS));
}

#[test]
fn links_its_own_requests_like_everybody() {
    let world = World::new();
    let (right, wrong) = (TlsExporter([7; 32]).to_text(), TlsExporter([8; 32]).to_text());
    for operation in [Operation::SimpleEnroll, Operation::SimpleReenroll] {
        assert_eq!(world.linked(operation, OWN, None), Err(Refusal::LinkingRequired), "{operation}");
        assert_eq!(world.linked(operation, OWN, Some(&wrong)), Err(Refusal::LinkingMismatch), "{operation}");
        assert_eq!(world.linked(operation, OWN, Some(&right)), Ok(()), "{operation}");
    }
    // The subscriber's connection ended at the authority.
    for said in [None, Some(wrong.as_str())] {
        assert_eq!(world.linked(Operation::SimpleEnroll, WITHIN, said), Ok(()));
    }
}
