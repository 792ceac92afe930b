//! Linking identity and possession: what a request says of its connection, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::client::CsrAdvice;
use est_core::pkix::{CsrAttr, CsrError, CsrTemplate, Oid, oid, read_csr_attrs};
use est_core::{
    Body, Claimed, Evidence, Identity, Issuance, Linking, Operation, Outcome, Refusal, Reply, Request, Step,
    TlsExporter, Verdict, begin,
};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, entropy, name, parse_csr, password_holder};

const THIS: TlsExporter = TlsExporter([7; 32]);
const OTHER: TlsExporter = TlsExporter([8; 32]);

/// A CA, a label's policy, and a device's key.
struct World {
    ca: TestCa,
    key: Key,
}

impl World {
    fn new() -> Self {
        Self { ca: TestCa::new(), key: Key::p256() }
    }

    /// A request with these attributes of one text each.
    fn csr(&self, texts: &[(Oid, &str)]) -> Vec<u8> {
        let public_key = self.key.public_key().clone();
        let template = CsrTemplate {
            subject: name("CN=device"),
            subject_alt_name: None,
            public_key,
            challenge_password: None,
            extensions: Vec::new(),
        };
        self.key.signed(template.to_be_signed_with(texts))
    }

    /// Goes on to the claim, or to the refusal.
    fn claim(&self, linking: Linking, on: Option<TlsExporter>, csr: Vec<u8>) -> Result<est_core::Claim, Refusal> {
        let mut site = self.ca.site();
        site.default_label = Some(Arc::new(self.ca.label(None).with_linking(linking)));
        let evidence = Evidence { channel_binding: on, ..Evidence::default() };
        let request = Request { operation: Operation::SimpleEnroll, label: None, evidence, body: Body::Der(csr) };
        let step = begin(Arc::new(site), request, NOW, &entropy(1));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        match step.answer(Ok(Verdict::Known(password_holder("p")))) {
            Step::Claim(step) => Ok(step),
            Step::Record(step) => match &step.entry().outcome {
                Outcome::Refused(refusal) => Err(refusal.clone()),
                outcome => panic!("{outcome:?}"),
            },
            step => panic!("{step:?}"),
        }
    }

    fn verdict(&self, linking: Linking, on: Option<TlsExporter>, texts: &[(Oid, &str)]) -> Result<(), Refusal> {
        self.claim(linking, on, self.csr(texts)).map(|_| ())
    }

    fn identity(&self, on: TlsExporter) -> Identity {
        let csr = self.csr(&[(oid::CHALLENGE_PASSWORD, &on.to_text())]);
        self.claim(Linking::Required, Some(on), csr).unwrap().intent().identity
    }
}

#[test]
fn judges_every_value_under_every_policy() {
    use Linking::{Off, Optional, Required};
    let world = World::new();
    let (good, stale) = (THIS.to_text(), OTHER.to_text());
    let (tls_unique, of_tls13) = ("AAECAwQFBgcICQoL", "MTIz".repeat(16));
    let mismatch = Err(Refusal::LinkingMismatch);
    for id in [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING] {
        for (linking, text, expected) in [
            (Off, Some(good.as_str()), Ok(())),
            (Off, Some(&stale), Ok(())),
            (Off, Some("hunter2"), Ok(())),
            (Off, None, Ok(())),
            (Optional, Some(&good), Ok(())),
            (Optional, Some(&stale), mismatch.clone()),
            (Optional, Some("hunter2"), mismatch.clone()),
            (Optional, Some(&good[..43]), mismatch.clone()),
            (Optional, Some(tls_unique), Err(Refusal::LinkingTlsUnique)),
            (Optional, Some(&of_tls13), Err(Refusal::LinkingTlsUnique)),
            (Optional, None, Ok(())),
            (Required, Some(&good), Ok(())),
            (Required, Some(&stale), mismatch.clone()),
            (Required, Some("hunter2"), mismatch.clone()),
            (Required, Some(tls_unique), Err(Refusal::LinkingTlsUnique)),
            (Required, None, Err(Refusal::LinkingRequired)),
        ] {
            let texts: Vec<_> = text.map(|text| (id.clone(), text)).into_iter().collect();
            assert_eq!(world.verdict(linking, Some(THIS), &texts), expected, "{id} {linking:?} {text:?}");
        }
    }
}

#[test]
fn fails_closed_where_the_connection_ends_at_a_proxy() {
    let world = World::new();
    let good = THIS.to_text();
    let texts = [(oid::CHALLENGE_PASSWORD, good.as_str())];
    let unavailable = Err(Refusal::LinkingUnavailable);
    assert_eq!(world.verdict(Linking::Required, None, &[]), unavailable);
    assert_eq!(world.verdict(Linking::Required, None, &texts), unavailable);
    assert_eq!(world.verdict(Linking::Optional, None, &texts), unavailable);
    assert_eq!(world.verdict(Linking::Optional, None, &[]), Ok(()));
    assert_eq!(world.verdict(Linking::Off, None, &texts), Ok(()));
}

#[test]
fn of_two_links_both_must_be_right() {
    let world = World::new();
    let (good, stale) = (THIS.to_text(), OTHER.to_text());
    fn both<'a>(password: &'a str, linking: &'a str) -> [(Oid, &'a str); 2] {
        [(oid::CHALLENGE_PASSWORD, password), (oid::EST_IDENTITY_LINKING, linking)]
    }
    assert_eq!(world.verdict(Linking::Optional, Some(THIS), &both(&good, &good)), Ok(()));
    for texts in [both(&good, &stale), both(&stale, &good), both(&good, "hunter2")] {
        assert_eq!(world.verdict(Linking::Optional, Some(THIS), &texts), Err(Refusal::LinkingMismatch));
    }
}

#[test]
fn a_retry_on_another_connection_is_the_same_request() {
    let world = World::new();
    assert_eq!(world.identity(THIS), world.identity(OTHER));
}

#[test]
fn ends_the_connection_after_a_linked_issuance_and_tells_the_auditor() {
    let world = World::new();
    for (texts, linked) in [(vec![(oid::EST_IDENTITY_LINKING, THIS.to_text())], true), (vec![], false)] {
        let texts: Vec<_> = texts.iter().map(|(id, text)| (id.clone(), text.as_str())).collect();
        let claim = || world.claim(Linking::Optional, Some(THIS), world.csr(&texts)).unwrap();
        let Step::Issue(step) = claim().answer(Ok(Claimed::Fresh)) else { panic!("issue") };
        let certificate = world.ca.issue(&step.order().plan, step.order().serial);
        let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("record") };
        let reason = step.entry().events[1].reason.clone().unwrap();
        assert_eq!(reason.ends_with("; linked by tls-exporter"), linked, "{reason}");
        let Step::Done(reply) = step.answer(Ok(())) else { panic!("done") };
        assert_eq!(matches!(reply, Reply::ThenClose(_)), linked, "{reply:?}");

        // The answer of old is fetched on a connection that has served, too.
        let Step::Record(step) = claim().answer(Ok(Claimed::Finished(b"\x30\x00".to_vec()))) else { panic!("record") };
        let Step::Done(reply) = step.answer(Ok(())) else { panic!("done") };
        assert_eq!(matches!(reply, Reply::ThenClose(_)), linked, "{reply:?}");
    }
}

#[test]
fn no_debug_output_has_the_octets_of_a_password() {
    let world = World::new();
    let csr = world.csr(&[(oid::CHALLENGE_PASSWORD, "hunter2")]);
    let claim = world.claim(Linking::Off, None, csr).unwrap();
    let octets = format!("{:?}", b"hunter2");
    assert!(!format!("{claim:?}").contains(octets.trim_matches(['[', ']'])));
}

#[test]
fn csrattrs_asks_for_what_the_label_requires() {
    let ca = TestCa::new();
    let listed = |label: est_core::Label| -> Vec<_> {
        let elements = read_csr_attrs(label.csrattrs().unwrap()).unwrap();
        elements.iter().filter_map(|element| CsrAttr::parse(element)).collect()
    };
    let (password, linking) = (CsrAttr::Id(oid::CHALLENGE_PASSWORD), CsrAttr::Id(oid::EST_IDENTITY_LINKING));
    // The label lists challengePassword on its own.
    let optional = listed(ca.label(None).with_linking(Linking::Optional));
    assert!(optional.contains(&password) && !optional.contains(&linking), "{optional:?}");
    let required = ca.label(None).with_linking(Linking::Required);
    // In the list for old clients, and in the template that new ones follow alone.
    let advice = CsrAdvice::read(&read_csr_attrs(required.csrattrs().unwrap()).unwrap()).unwrap();
    assert_eq!(advice.attributes, [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING]);
    let required = listed(required);
    assert!(required.contains(&password) && required.contains(&linking), "{required:?}");
}

#[test]
fn reads_the_attributes_in_every_string_type() {
    let key = Key::p256();
    let subject = name("CN=device");
    let read = |id: &Oid, value: &[u8]| {
        let attribute = der::attribute(id.as_der(), &[value]);
        let csr = key.csr_with_attributes(subject.as_der(), &[&attribute]);
        est_core::pkix::Csr::parse(&csr, est_testkit::pki::ALGORITHMS)
    };
    let long = [&[0x13, 0x81, 255][..], &[b'a'; 255]].concat();
    let too_long = [&[0x0c, 0x82, 1, 0][..], &[b'a'; 256]].concat();
    for value in [&b"\x13\x01a"[..], b"\x0c\x01a", b"\x16\x01a", b"\x14\x01a", b"\x1e\x02\0a", b"\x1c\x04\0\0\0a"] {
        for id in [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING, oid::OTP_CHALLENGE, oid::REVOCATION_CHALLENGE] {
            let csr = read(&id, value).unwrap();
            let challenges = csr.challenges();
            let all = [
                (&oid::CHALLENGE_PASSWORD, &challenges.challenge_password),
                (&oid::EST_IDENTITY_LINKING, &challenges.est_identity_linking),
                (&oid::OTP_CHALLENGE, &challenges.otp_challenge),
                (&oid::REVOCATION_CHALLENGE, &challenges.revocation_challenge),
            ];
            for (known, found) in all {
                assert_eq!(
                    found.as_ref().map(|text| text.reveal()),
                    (*known == id).then_some("a"),
                    "{known} {value:?}"
                );
            }
        }
    }
    assert!(read(&oid::OTP_CHALLENGE, &long).is_ok());
    for value in
        [&too_long[..], b"\x0c\x00", b"\x0c\x01\xff", b"\x16\x01\xff", b"\x1e\x01a", b"\x04\x01a", b"\x02\x01\x05"]
    {
        let read = read(&oid::OTP_CHALLENGE, value).unwrap();
        assert_eq!(read.challenges().check(), Err(CsrError::NotText(oid::OTP_CHALLENGE)), "{value:?}");
    }
}

#[test]
fn keeps_what_is_in_the_attributes_out_of_debug() {
    let csr = World::new().csr(&[(oid::OTP_CHALLENGE, "sesame")]);
    assert!(!format!("{:?}", parse_csr(&csr).challenges()).contains("sesame"));
}
