//! `/serverkeygen`, driven by hand: the key that comes with the request counts for nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::cms::Capabilities;
use est_core::pkix::{Certificate, Csr, CsrError, KeyBlocklist, KeyRequest, KeyType, certs_only, oid};
use est_core::wire::http::{Preferences, respond};
use est_core::{
    Approval, Body, Claimed, EventKind, Evidence, Generated, GeneratedKey, Issuance, KeyPart, KeyRefusal, Operation,
    Outcome, PortError, Principal, Protection, Refusal, Reply, Request, Seconds, Site, Step, Ticket, TlsExporter,
    Verdict, begin,
};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, entropy, name, password_holder};
use zeroize::Zeroizing;

const SUBJECT: &str = "CN=device-1,O=Example";

#[test]
fn hands_out_a_key_and_its_certificate_once_both_are_recorded() {
    let fixture = Fixture::new();
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    assert_eq!(step.wish().key_type, KeyType::EcdsaP256);
    assert!(matches!(step.wish().protection, Protection::None));
    let Step::Issue(step) = step.answer(Ok(Generated::Key(fixture.key()))) else { panic!("then issue") };
    assert_eq!(&step.order().plan.public_key, fixture.generated.public_key());
    let certificate = fixture.ca.issue(&step.order().plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate.clone()))) else { panic!("then record") };
    assert!(!format!("{step:?}").contains("107, 101, 121"), "the key is in no debug output");
    let issued = Certificate::parse(&certificate).unwrap();
    let own_identifier = fixture.generated.public_key().key_identifier().to_vec();
    assert_eq!(issued.subject_key_identifier(), Some(own_identifier));
    let kinds: Vec<EventKind> = step.entry().events.iter().map(|event| event.kind).collect();
    let expected = [EventKind::OtpSuccess, EventKind::KeyGenerated, EventKind::CertIssued, EventKind::EnrollSuccess];
    assert_eq!(kinds, expected);
    let Step::Done(reply) = step.answer(Ok(())) else { panic!("then done") };
    let certificate = certs_only([certificate.as_slice()]);
    assert_eq!(reply, Reply::KeyAndCertificate { key: fixture.key().part, certificate });
}

#[test]
fn hands_out_no_key_that_was_not_recorded() {
    let fixture = Fixture::new();
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let Step::Issue(step) = step.answer(Ok(Generated::Key(fixture.key()))) else { panic!("then issue") };
    let certificate = fixture.ca.issue(&step.order().plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("then record") };
    let Step::Done(reply) = step.answer(Err(PortError("down".into()))) else { panic!("then done") };
    assert_eq!(reply, Reply::Refused(Refusal::StoreUnavailable));
}

#[test]
fn refuses_a_retry_because_the_key_is_gone() {
    let fixture = Fixture::new();
    let certificate = fixture.ca.certificate();
    let step = fixture.claimed(Ok(Claimed::Finished(certificate.as_der().to_vec())));
    let refusal = refusal(step);
    assert_eq!(refusal, Refusal::KeyAlreadyDelivered { serial: certificate.serial_text() });
    assert_eq!(refusal.row().http_status, 403);
    let text = refusal.to_string();
    assert!(text.contains("never kept") && text.contains("superseded"), "{text}");
    assert!(text.contains(&certificate.serial_text()), "{text}");
}

#[test]
fn makes_no_key_before_an_operator_has_decided() {
    let mut fixture = Fixture::new();
    let mut label = fixture.ca.label(None);
    label.approval = Approval::Manual;
    Arc::make_mut(&mut fixture.site).default_label = Some(Arc::new(label));
    let Step::Record(step) = fixture.claimed(Ok(Claimed::AwaitingApproval)) else { panic!("no key, but a record") };
    let Step::Done(reply) = step.answer(Ok(())) else { panic!("then done") };
    assert_eq!(reply, Reply::RetryAfter(Seconds(60)));
}

#[test]
fn keeps_no_key_for_a_ca_that_takes_its_time() {
    let fixture = Fixture::new();
    let ticket = || Ticket(b"1".to_vec());
    assert_eq!(refusal(fixture.claimed(Ok(Claimed::Open(ticket())))), Refusal::KeyCannotWait);
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let Step::Issue(step) = step.answer(Ok(Generated::Key(fixture.key()))) else { panic!("then issue") };
    assert_eq!(refusal(step.answer(Ok(Issuance::Pending(ticket(), Seconds(5))))), Refusal::KeyCannotWait);
}

#[test]
fn ends_where_no_key_can_be_made() {
    let fixture = Fixture::new();
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let step = step.answer(Ok(Generated::Refused(KeyRefusal::UnknownKeyIdentifier)));
    let refusal = refusal(step);
    assert_eq!((refusal.row().code, refusal.row().http_status), ("unknown-key-identifier", 400));
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let Step::Record(step) = step.answer(Err(PortError("down".into()))) else { panic!("record") };
    assert!(matches!(step.entry().outcome, Outcome::Interrupted(Refusal::KeyGeneratorUnavailable)));
}

#[test]
fn holds_the_generated_key_to_the_label_as_well() {
    let fixture = Fixture::new();
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let part = fixture.key().part;
    let public_key = est_core::pkix::SubjectPublicKeyInfo::parse(fixture.ca.certificate().public_key_der()).unwrap();
    let step = step.answer(Ok(Generated::Key(GeneratedKey { public_key, part })));
    assert_eq!(refusal(step), Refusal::KeyOfCa);
}

#[test]
fn refuses_where_the_label_leaves_keys_to_their_users() {
    let mut fixture = Fixture::new();
    let mut label = fixture.ca.label(None);
    label.profile.server_key_generation = false;
    Arc::make_mut(&mut fixture.site).default_label = Some(Arc::new(label));
    let Step::Authenticate(step) = fixture.begin(fixture.csr.clone()) else { panic!("who asks") };
    let refusal = refusal(step.answer(Ok(Verdict::Known(password_holder("p")))));
    assert_eq!((&refusal, refusal.row().http_status), (&Refusal::ServerKeyGenerationForbidden, 403));
}

#[test]
fn ignores_the_signature_and_the_key_of_the_request() {
    let fixture = Fixture::new();
    let mut corrupted = fixture.csr.clone();
    *corrupted.last_mut().unwrap() ^= 1;
    assert_eq!(Csr::parse(&corrupted, fixture.site.algorithms).unwrap_err(), CsrError::Possession);
    assert!(KeyRequest::parse(&corrupted).is_ok());
    let strange =
        key_request(&der::sequence(&[&der::sequence(&[b"\x06\x03\x2a\x03\x04"]), &der::bit_string(b"?")]), &[]);
    assert_eq!(KeyRequest::parse(&strange).unwrap().key_type(None), KeyType::EcdsaP256);
}

#[test]
fn takes_the_type_of_the_key_from_the_request_and_then_from_the_label() {
    let hint = |key_type| {
        let key = Key::generate(key_type);
        KeyRequest::parse(&key.csr(SUBJECT, &[])).unwrap()
    };
    assert_eq!(hint(KeyType::EcdsaP384).key_type(None), KeyType::EcdsaP384);
    assert_eq!(hint(KeyType::MlDsa65).key_type(None), KeyType::MlDsa65);
    let allowed = [KeyType::Ed25519, KeyType::EcdsaP384];
    assert_eq!(hint(KeyType::EcdsaP384).key_type(Some(&allowed)), KeyType::EcdsaP384);
    assert_eq!(hint(KeyType::EcdsaP256).key_type(Some(&allowed)), KeyType::Ed25519);
}

#[test]
fn makes_no_long_rsa_key_unless_the_profile_lists_it() {
    let hint = |bits| {
        let key = Key::generate(KeyType::Rsa(bits));
        KeyRequest::parse(&key.csr(SUBJECT, &[])).unwrap()
    };
    assert_eq!(hint(2048).key_type(None), KeyType::Rsa(2048));
    assert_eq!(hint(4096).key_type(None), KeyType::Rsa(3072));
    assert_eq!(hint(4096).key_type(Some(&[KeyType::EcdsaP256, KeyType::Rsa(4096)])), KeyType::Rsa(4096));
    assert_eq!(hint(4096).key_type(Some(&[KeyType::EcdsaP256])), KeyType::EcdsaP256);
}

#[test]
fn takes_the_eight_combinations_of_what_may_ask_for_encryption() {
    let capabilities =
        der::attribute(oid::SMIME_CAPABILITIES.as_der(), &[&Capabilities::of([oid::AES256_WRAP]).to_der()]);
    let symmetric = der::attribute(oid::DECRYPT_KEY_IDENTIFIER.as_der(), &[&der::octet_string(b"kek")]);
    let asymmetric = der::attribute(oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER.as_der(), &[&der::octet_string(b"ski")]);
    let key = Key::p256();
    let ask = |attributes: &[&[u8]]| {
        let csr = key.csr_with_attributes(name(SUBJECT).as_der(), attributes);
        KeyRequest::parse(&csr).map(|request| request.wish(KeyType::EcdsaP256, None).1.protection)
    };
    let (c, s, a) = (capabilities.as_slice(), symmetric.as_slice(), asymmetric.as_slice());
    assert!(matches!(ask(&[]), Ok(Protection::None)));
    assert!(matches!(ask(&[c, s]), Ok(Protection::Symmetric { key_id, .. }) if key_id == b"kek"));
    assert!(matches!(ask(&[c, a]), Ok(Protection::Asymmetric { key_id, .. }) if key_id == b"ski"));
    for (attributes, error) in [
        (&[c][..], CsrError::KeyIdentifierMissing),
        (&[s], CsrError::CapabilitiesMissing),
        (&[a], CsrError::CapabilitiesMissing),
        (&[s, a], CsrError::TwoKeyIdentifiers),
        (&[c, s, a], CsrError::TwoKeyIdentifiers),
    ] {
        assert_eq!(ask(attributes).unwrap_err(), error);
        assert_eq!(Refusal::Csr(error).row().http_status, 400);
    }
    let (broken, flat) = (der::attribute(oid::SMIME_CAPABILITIES.as_der(), &[b"\x05\x00"]), der::octet_string(b"kek"));
    assert_eq!(ask(&[&broken, s]).unwrap_err(), CsrError::Capabilities);
    let sequence = der::attribute(oid::DECRYPT_KEY_IDENTIFIER.as_der(), &[&der::sequence(&[&flat])]);
    assert_eq!(ask(&[c, &sequence]).unwrap_err(), CsrError::KeyIdentifier);
}

#[test]
fn shows_the_generator_the_certificate_that_the_client_authenticated_with() {
    let fixture = Fixture::new();
    let capabilities = der::attribute(oid::SMIME_CAPABILITIES.as_der(), &[&Capabilities::of([]).to_der()]);
    let asymmetric = der::attribute(oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER.as_der(), &[&der::octet_string(b"ski")]);
    let csr = fixture.own.csr_with_attributes(name(SUBJECT).as_der(), &[&capabilities, &asymmetric]);
    let device = fixture.ca.device(&fixture.own, SUBJECT, &[]);
    let Step::Authenticate(step) = fixture.begin(csr) else { panic!("who asks") };
    let Step::Claim(step) = step.answer(Ok(Verdict::Known(Principal::Certificate(device.clone().into())))) else {
        panic!("claim")
    };
    let Step::GenerateKey(step) = step.answer(Ok(Claimed::Fresh)) else { panic!("a key") };
    let Protection::Asymmetric { shown, .. } = &step.wish().protection else { panic!("asymmetric") };
    assert_eq!(shown.as_deref(), Some(&*device));
}

#[test]
fn tells_requests_apart_by_the_key_in_them_although_it_is_not_certified() {
    let fixture = Fixture::new();
    let identity = |csr: Vec<u8>| {
        let Step::Authenticate(step) = fixture.begin(csr) else { panic!("who asks") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("claim") };
        (step.intent().identity, step.intent().csr.public_key().digest())
    };
    let (one, digest) = identity(fixture.csr.clone());
    assert_eq!(one, identity(fixture.csr.clone()).0);
    assert_ne!(one, identity(Key::p256().csr(SUBJECT, &[])).0);
    assert_ne!(digest, fixture.own.public_key().digest(), "what is known about that key is not about the one to come");
}

#[test]
fn writes_two_parts_that_say_what_they_are() {
    let fixture = Fixture::new();
    let respond = |key: KeyPart, line: Option<usize>| {
        let site = Site { base64_line_length: line, ..(*fixture.site).clone() };
        let reply = Reply::KeyAndCertificate { key, certificate: vec![0x30; 100] };
        let response = respond(&site, &reply, Preferences::default(), NOW);
        assert_eq!(response.status, 200);
        assert!(response.headers.iter().any(|(name, value)| *name == "Cache-Control" && value == "no-store"));
        assert_eq!(response.headers[0], ("Content-Type", "multipart/mixed; boundary=est-server-generated-key".into()));
        String::from_utf8(response.body).unwrap()
    };
    let certificate = "MDAw".repeat(33) + "MA==";
    assert_eq!(
        respond(KeyPart::Pkcs8(Zeroizing::new(vec![0; 6])), None),
        format!(
            "--est-server-generated-key\r\nContent-Type: application/pkcs8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             AAAAAAAA\r\n\r\n--est-server-generated-key\r\n\
             Content-Type: application/pkcs7-mime; smime-type=certs-only\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             {certificate}\r\n\r\n--est-server-generated-key--\r\n"
        )
    );
    let wrapped = respond(KeyPart::Enveloped(vec![0; 99]), Some(64));
    assert!(wrapped.contains("Content-Type: application/pkcs7-mime; smime-type=server-generated-key\r\n"), "{wrapped}");
    assert!(wrapped.lines().all(|line| line.len() <= 76), "{wrapped}");
    assert!(wrapped.contains(&format!("\r\n\r\n{0}\r\n{0}\r\nAAAA\r\n\r\n--", "A".repeat(64))), "{wrapped}");
}

struct Fixture {
    ca: TestCa,
    site: Arc<Site>,
    own: Key,
    generated: Key,
    csr: Vec<u8>,
}

impl Fixture {
    fn new() -> Self {
        let (ca, own) = (TestCa::new(), Key::p256());
        let site = Arc::new(ca.site());
        let csr = own.csr(SUBJECT, &[]);
        Self { ca, site, own, generated: Key::p256(), csr }
    }

    fn key(&self) -> GeneratedKey {
        let part = KeyPart::Pkcs8(Zeroizing::new(b"key".to_vec()));
        GeneratedKey { public_key: self.generated.public_key().clone(), part }
    }

    fn begin(&self, csr: Vec<u8>) -> Step {
        let (evidence, body) = (Evidence::default(), Body::Der(csr));
        let request = Request { operation: Operation::ServerKeyGen, label: None, evidence, body };
        begin(self.site.clone(), request, NOW, &entropy(7))
    }

    fn claimed(&self, outcome: Result<Claimed, PortError>) -> Step {
        let Step::Authenticate(step) = self.begin(self.csr.clone()) else { panic!("first, who asks") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("then claim") };
        step.answer(outcome)
    }
}

#[test]
fn a_generated_key_that_the_operator_blocks_gets_no_certificate() {
    let mut fixture = Fixture::new();
    let digest = fixture.generated.public_key().digest();
    let line: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut site = Site::clone(&fixture.site);
    site.key_blocklists = vec![KeyBlocklist::parse(line.as_bytes()).unwrap()];
    fixture.site = Arc::new(site);
    let Step::GenerateKey(step) = fixture.claimed(Ok(Claimed::Fresh)) else { panic!("a key first") };
    assert_eq!(refusal(step.answer(Ok(Generated::Key(fixture.key())))), Refusal::KeyBlocked);
}

#[test]
fn ends_the_connection_over_which_a_linked_key_went_out() {
    let fixture = Fixture::new();
    let binding = TlsExporter([7; 32]);
    let password = der::attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&der::utf8(&binding.to_text())]);
    let body = Body::Der(key_request(fixture.own.public_key().as_der(), &[&password]));
    let evidence = Evidence { channel_binding: Some(binding), ..Evidence::default() };
    let request = Request { operation: Operation::ServerKeyGen, label: None, evidence, body };
    let step = begin(fixture.site.clone(), request, NOW, &entropy(7));
    let Step::Authenticate(step) = step else { panic!("first, who asks") };
    let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("then claim") };
    let Step::GenerateKey(step) = step.answer(Ok(Claimed::Fresh)) else { panic!("a key first") };
    let Step::Issue(step) = step.answer(Ok(Generated::Key(fixture.key()))) else { panic!("then issue") };
    let certificate = fixture.ca.issue(&step.order().plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("then record") };
    let Step::Done(Reply::ThenClose(reply)) = step.answer(Ok(())) else { panic!("the last answer") };
    assert!(matches!(*reply, Reply::KeyAndCertificate { .. }));
}

/// Records and returns what the client is told.
fn refusal(step: Step) -> Refusal {
    let Step::Record(step) = step else { panic!("recorded first") };
    let Step::Done(Reply::Refused(refusal)) = step.answer(Ok(())) else { panic!("refused") };
    refusal
}

/// A request with this SubjectPublicKeyInfo and a signature that is none.
fn key_request(public_key: &[u8], attributes: &[&[u8]]) -> Vec<u8> {
    let subject = name(SUBJECT);
    let info = der::sequence(&[b"\x02\x01\x00", subject.as_der(), public_key, &der::value(0xa0, attributes)]);
    der::sequence(&[&info, &der::sequence(&[b"\x06\x03\x2a\x03\x04"]), &der::bit_string(b"none")])
}
