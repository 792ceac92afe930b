//! The exchange, driven by hand: every step is answered by the test itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::{Certificate, certs_only, oid};
use est_core::{
    Approval, Body, Claimed, Credentials, Doubt, EventKind, Evidence, Generated, GeneratedKey, Issuance, KeyPart,
    KeyRefusal, NameBinding, Operation, Outcome, PortError, Principal, Record, Refusal, Reply, Request, Seconds,
    Secret, Site, Step, Ticket, UnixTime, Verdict, begin,
};
use zeroize::Zeroizing;

use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, entropy, name, password_holder, serial};

#[test]
fn enrolls_with_answers_fed_by_hand() {
    let fixture = Fixture::new();
    let Step::Authenticate(step) = fixture.enroll() else { panic!("first, who asks") };
    assert_eq!(step.now(), NOW);
    let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("then claim") };
    let intent = step.intent().clone();
    assert_eq!(
        (intent.serial, intent.operation, intent.approval),
        (serial(7), Operation::SimpleEnroll, Approval::Automatic)
    );
    assert_eq!((intent.ca.as_str(), intent.label.as_deref(), intent.now), ("test", None, NOW));
    let Step::Issue(step) = step.answer(Ok(Claimed::Fresh)) else { panic!("then issue") };
    assert_eq!((step.order().serial, step.order().ticket.as_ref()), (serial(7), None));
    let certificate = fixture.ca.issue(&step.order().plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate.clone()))) else { panic!("then record") };
    let Outcome::Issued { certificate: recorded, profile } = &step.entry().outcome else { panic!("issued") };
    assert_eq!((recorded.as_der(), profile.as_str()), (certificate.as_slice(), "default"));
    assert_eq!(step.entry().intent.as_ref().unwrap().identity, intent.identity);
    assert_eq!(kinds(&step), [EventKind::OtpSuccess, EventKind::CertIssued, EventKind::EnrollSuccess]);
    let Step::Done(reply) = step.answer(Ok(())) else { panic!("then done") };
    assert_eq!(reply, Reply::Certificate(certs_only([certificate.as_slice()])));
}

#[test]
fn every_script_of_answers_ends_in_a_reply_and_hands_out_only_what_was_recorded() {
    let fixture = Fixture::new();
    // 7 claims that end the exchange and 2 that go on to 6 issuances; 8 doubts and an outage; recorded or not.
    // Renewal ends at once for the principal that has no certificate.
    let claimed = 7 + 2 * 6;
    // A generated key goes out once: 8 claims end the exchange, 1 goes on to a key, 2 answers without one, 6 issuances.
    let generated = 8 + 2 + 6;
    for (operation, scripts, certificates) in [
        // Fresh, open and issued; finished before: each only where it was recorded.
        (Operation::SimpleEnroll, (2 * claimed + 9) * 2, 3 * 2),
        (Operation::SimpleReenroll, (claimed + 1 + 9) * 2, 3),
        (Operation::ServerKeyGen, (2 * generated + 9) * 2, 2),
    ] {
        let mut script = Script::default();
        let (mut walked, mut handed_out) = (0, 0);
        loop {
            walked += 1;
            handed_out += u32::from(fixture.walk(operation, &mut script));
            if !script.advance() {
                break;
            }
        }
        assert_eq!((walked, handed_out), (scripts, certificates), "{operation}");
    }
}

#[test]
fn replays_a_certificate_that_was_recorded_before() {
    let fixture = Fixture::new();
    let step = fixture.claim();
    let Step::Record(step) = step.answer(Ok(Claimed::Finished(b"\x30\x00".to_vec()))) else { panic!("record") };
    assert!(matches!(&step.entry().outcome, Outcome::Replayed(der) if der == b"\x30\x00"));
    assert!(step.entry().intent.is_none(), "the claim was closed before");
    assert_eq!(kinds(&step), [EventKind::OtpSuccess, EventKind::EnrollReplayed]);
    assert_eq!(reply(step), Reply::Certificate(certs_only([&b"\x30\x00"[..]])));
}

#[test]
fn waits_for_approval_as_long_as_the_site_says() {
    let fixture = Fixture::new();
    let step = fixture.claim();
    let Step::Record(step) = step.answer(Ok(Claimed::AwaitingApproval)) else { panic!("record") };
    assert!(matches!(step.entry().outcome, Outcome::AwaitingApproval));
    assert_eq!(reply(step), Reply::RetryAfter(Seconds(60)));
}

#[test]
fn tells_the_store_that_a_label_wants_approval() {
    let mut fixture = Fixture::new();
    let mut label = fixture.ca.label(None);
    label.approval = Approval::Manual;
    Arc::make_mut(&mut fixture.site).default_label = Some(Arc::new(label));
    assert_eq!(fixture.claim().intent().approval, Approval::Manual);
}

#[test]
fn asks_the_ca_again_about_an_open_ticket() {
    let fixture = Fixture::new();
    let ticket = Ticket(b"42".to_vec());
    let Step::Issue(step) = fixture.claim().answer(Ok(Claimed::Open(ticket.clone()))) else { panic!("issue") };
    assert_eq!(step.order().ticket, Some(ticket.clone()));
    let Step::Record(step) = step.answer(Ok(Issuance::Pending(ticket, Seconds(30)))) else { panic!("record") };
    assert_eq!(kinds(&step), [EventKind::OtpSuccess, EventKind::EnrollPending]);
    assert_eq!(reply(step), Reply::RetryAfter(Seconds(30)));
}

#[test]
fn records_a_refusal_before_it_is_told() {
    let fixture = Fixture::new();
    for (body, refusal) in [
        (Vec::new(), Refusal::EmptyBody),
        (b"not base64!".to_vec(), Refusal::NotBase64),
        (b"MAA=".to_vec(), Refusal::Csr(est_core::pkix::CsrError::NotACsr)),
    ] {
        let step = fixture.begin(Operation::SimpleEnroll, None, Body::Text(body));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        let Step::Record(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("record") };
        assert!(matches!(&step.entry().outcome, Outcome::Refused(recorded) if *recorded == refusal));
        assert_eq!(kinds(&step), [EventKind::OtpSuccess, EventKind::CertDenied, EventKind::EnrollFailure]);
        let reason = step.entry().events[1].reason.clone().unwrap();
        assert!(reason.starts_with(&format!("{}: {refusal}", refusal.row().code)), "{reason}");
        assert_eq!(step.entry().principal.as_ref().unwrap().id(), "otp:p1");
        assert_eq!(reply(step), Reply::Refused(refusal));
    }
}

#[test]
fn does_not_read_a_body_before_its_sender_is_known() {
    let fixture = Fixture::new();
    for garbage in [&b"\0\xff garbage"[..], b"", &[0x30; 5000]] {
        let ask = || {
            let step = fixture.begin(Operation::SimpleEnroll, None, Body::Text(garbage.to_vec()));
            let Step::Authenticate(step) = step else { panic!("who asks") };
            step
        };
        let Step::Record(step) = ask().answer(Ok(Verdict::Unknown(Doubt::NothingShown))) else { panic!("record") };
        assert_eq!(status(reply(step)), 401);
        let Step::Record(step) = ask().answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("record") };
        assert_eq!(status(reply(step)), 400);
        let Step::Record(step) = ask().answer(Err(PortError("down".into()))) else { panic!("record") };
        assert_eq!(status(reply(step)), 503);
    }
}

#[test]
fn notes_by_what_means_somebody_failed_to_authenticate() {
    let fixture = Fixture::new();
    let credentials = Credentials { user: "u".into(), password: Secret::new("p".into()) };
    let certificates = Arc::new(vec![b"\x30\x00".to_vec()]);
    for (evidence, kind) in [
        (Evidence::default(), EventKind::AuthFailure),
        (Evidence { certificates: certificates.clone(), ..Evidence::default() }, EventKind::MtlsFailure),
        (Evidence { credentials: Some(credentials), certificates, ..Evidence::default() }, EventKind::OtpFailure),
    ] {
        let body = Body::Der(fixture.csr.clone());
        let request = Request { operation: Operation::SimpleEnroll, label: None, evidence, body };
        let Step::Authenticate(step) = begin(fixture.site.clone(), request, NOW, &entropy(7)) else { panic!("who") };
        let Step::Record(step) = step.answer(Ok(Verdict::Unknown(Doubt::PasswordRejected))) else { panic!("record") };
        assert_eq!(kinds(&step), [kind, EventKind::EnrollFailure]);
        assert!(step.entry().principal.is_none());
        let claimed = if kind == EventKind::OtpFailure { " as user u" } else { "" };
        assert_eq!(step.entry().events[0].reason, Some(format!("password-rejected{claimed}")));
    }
}

#[test]
fn leaves_no_record_of_a_client_whose_turn_did_not_come() {
    let fixture = Fixture::new();
    let Step::Authenticate(step) = fixture.enroll() else { panic!("who asks") };
    let step = step.answer(Ok(Verdict::Crowded));
    assert!(matches!(step, Step::Done(Reply::Refused(Refusal::Overloaded))), "{step:?}");
}

#[test]
fn notes_whose_certificate_was_not_accepted() {
    let fixture = Fixture::new();
    let Principal::Certificate(shown) = fixture.device() else { panic!("a certificate") };
    let evidence = Evidence { certificates: Arc::new(vec![shown.as_der().to_vec()]), ..Evidence::default() };
    let body = Body::Der(fixture.csr.clone());
    let request = Request { operation: Operation::SimpleEnroll, label: None, evidence, body };
    let Step::Authenticate(step) = begin(fixture.site.clone(), request, NOW, &entropy(7)) else { panic!("who") };
    let Step::Record(step) = step.answer(Ok(Verdict::Unknown(Doubt::CertificateRevoked))) else { panic!("record") };
    assert_eq!(step.entry().rejected.as_deref(), Some(&**shown.leaf()));
    assert!(step.entry().principal.is_none());
    let reason = format!("client-certificate-revoked as {}", shown.subject());
    assert_eq!(step.entry().events[0].reason.as_deref(), Some(&*reason));
}

#[test]
fn names_every_doubt_to_the_client() {
    let fixture = Fixture::new();
    for (doubt, status_expected) in [
        (Doubt::NothingShown, 401),
        (Doubt::PasswordRejected, 401),
        (Doubt::PasswordExpired, 401),
        (Doubt::PasswordRevoked, 401),
        (Doubt::CertificateMalformed, 401),
        (Doubt::CertificateUntrusted, 401),
        (Doubt::CertificateExpired { not_after: NOW }, 401),
        (Doubt::CertificateNotYetValid { not_before: NOW }, 401),
        (Doubt::CertificatePurpose, 401),
        (Doubt::CertificateNonconforming { which: "it", fault: "is odd" }, 401),
        (Doubt::CertificateRevoked, 403),
        (Doubt::RevocationUnknown, 503),
        (Doubt::LockedOut(Seconds(60)), 403),
    ] {
        let Step::Authenticate(step) = fixture.enroll() else { panic!("who asks") };
        let Step::Record(step) = step.answer(Ok(Verdict::Unknown(doubt.clone()))) else { panic!("record") };
        assert_eq!(status(reply(step)), status_expected, "{doubt:?}");
    }
}

#[test]
fn refuses_an_unknown_label_and_an_operation_that_is_switched_off() {
    let mut fixture = Fixture::new();
    let unknown = fixture.begin(Operation::SimpleEnroll, Some("nobody"), Body::Der(Vec::new()));
    assert!(matches!(unknown, Step::Done(Reply::Refused(Refusal::UnknownLabel))));
    let operations = &mut Arc::make_mut(&mut fixture.site).operations;
    (operations.cacerts, operations.simpleenroll) = (false, false);
    (operations.simplereenroll, operations.serverkeygen, operations.csrattrs) = (false, false, false);
    for operation in Operation::ALL {
        let step = fixture.begin(operation, None, Body::Der(Vec::new()));
        let Step::Done(Reply::Refused(refusal)) = step else { panic!("refused at once") };
        assert_eq!(refusal, Refusal::OperationDisabled(operation));
    }
}

#[test]
fn answers_plain_reads_at_once() {
    let fixture = Fixture::new();
    let label = fixture.site.default_label.as_ref().unwrap();
    let Step::Done(reply) = fixture.begin(Operation::CaCerts, None, Body::Der(Vec::new())) else { panic!("done") };
    assert_eq!(reply, Reply::CaCertificates(label.cacerts(NOW)));
    let Step::Done(reply) = fixture.begin(Operation::CsrAttrs, Some("devices"), Body::Der(Vec::new())) else {
        panic!("done")
    };
    assert_eq!(reply, Reply::CsrAttrs(label.csrattrs().cloned()));
}

#[test]
fn asks_who_reads_csrattrs_where_the_site_wants_it() {
    let mut fixture = Fixture::new();
    Arc::make_mut(&mut fixture.site).csrattrs_auth = true;
    let ask = || {
        let step = fixture.begin(Operation::CsrAttrs, None, Body::Der(Vec::new()));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        step
    };
    let kinds = |step: &Record| step.entry().events.iter().map(|event| event.kind).collect::<Vec<_>>();
    let Step::Record(step) = ask().answer(Ok(Verdict::Known(password_holder("p")))) else { panic!("on record") };
    assert_eq!(kinds(&step), [EventKind::OtpSuccess], "who authenticated, and nothing that was not asked for");
    let Step::Done(reply) = step.answer(Ok(())) else { panic!("done") };
    assert!(matches!(reply, Reply::CsrAttrs(Some(_))));
    for (outcome, told) in [
        (Ok(Verdict::Unknown(Doubt::NothingShown)), "unauthenticated"),
        (Err(PortError("down".into())), "directory-unavailable"),
    ] {
        let Step::Record(step) = ask().answer(outcome) else { panic!("on record") };
        assert_eq!(kinds(&step), [EventKind::AuthFailure]);
        assert_eq!(step.entry().events[0].reason.as_deref(), Some(told));
    }
}

#[test]
fn does_not_hand_out_a_certificate_that_is_not_the_planned_one() {
    let fixture = Fixture::new();
    let other_key = Key::p256();
    type Change = fn(&mut est_core::policy::Plan, &Key);
    let changes: [(&str, Change); 6] = [
        ("another subject", |plan, _| plan.subject = name("CN=somebody")),
        ("another key", |plan, key| plan.public_key = key.public_key().clone()),
        ("a longer life", |plan, _| plan.not_after = plan.not_after + Seconds(1)),
        ("no names", |plan, _| plan.extensions.retain(|e| e.id != oid::SUBJECT_ALT_NAME)),
        ("other names", |plan, _| {
            let names = est_testkit::pki::general_names(&["DNS:other.example"]).unwrap();
            plan.extensions.last_mut().unwrap().value = names.as_der().to_vec();
        }),
        ("a CA", |plan, _| plan.extensions[0] = est_core::pkix::Extension::certificate_authority()),
    ];
    for (what, change) in changes {
        let Step::Issue(step) = fixture.claim().answer(Ok(Claimed::Fresh)) else { panic!("issue") };
        let mut plan = step.order().plan.clone();
        change(&mut plan, &other_key);
        let certificate = fixture.ca.issue(&plan, step.order().serial);
        assert!(Certificate::parse(&certificate).is_ok());
        let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("record") };
        assert!(matches!(step.entry().outcome, Outcome::Interrupted(Refusal::CaUnavailable)), "{what}");
        assert!(step.entry().intent.is_some(), "the claim is told what became of it");
        assert_eq!(reply(step), Reply::Refused(Refusal::CaUnavailable));
    }
}

#[test]
fn takes_a_certificate_that_ends_earlier_than_planned() {
    let fixture = Fixture::new();
    let Step::Issue(step) = fixture.claim().answer(Ok(Claimed::Fresh)) else { panic!("issue") };
    let mut plan = step.order().plan.clone();
    plan.not_after = UnixTime(plan.not_after.0 - 1);
    let certificate = fixture.ca.issue(&plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("record") };
    assert!(matches!(reply(step), Reply::Certificate(_)));
}

#[test]
fn renews_only_for_who_shows_a_certificate() {
    let fixture = Fixture::new();
    let ask = || {
        let step = fixture.begin(Operation::SimpleReenroll, None, Body::Der(fixture.csr.clone()));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        step
    };
    let Step::Record(step) = ask().answer(Ok(Verdict::Known(password_holder("p")))) else { panic!("record") };
    assert_eq!(kinds(&step), [EventKind::OtpSuccess, EventKind::CertDenied, EventKind::ReenrollFailure]);
    assert_eq!(reply(step), Reply::Refused(Refusal::CertificateRequired));

    let Step::Claim(step) = ask().answer(Ok(Verdict::Known(fixture.device()))) else { panic!("claim") };
    let Step::Issue(step) = step.answer(Ok(Claimed::Fresh)) else { panic!("issue") };
    let certificate = fixture.ca.issue(&step.order().plan, step.order().serial);
    let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("record") };
    assert_eq!(kinds(&step), [EventKind::MtlsSuccess, EventKind::CertRenewed, EventKind::ReenrollSuccess]);
    assert!(matches!(reply(step), Reply::Certificate(_)));
}

#[test]
fn lets_an_expired_certificate_do_nothing_but_renew_itself() {
    let fixture = Fixture::new();
    let Principal::Certificate(certificate) = fixture.device() else { panic!("a certificate") };
    let not_after = certificate.not_after();
    let ask = |operation, now| {
        let evidence = Evidence { certificates: Arc::new(vec![b"shown".to_vec()]), ..Evidence::default() };
        let request = Request { operation, label: None, evidence, body: Body::Der(fixture.csr.clone()) };
        let Step::Authenticate(step) = begin(fixture.site.clone(), request, now, &entropy(7)) else { panic!("who") };
        step.answer(Ok(Verdict::Known(fixture.device())))
    };
    let late = not_after + Seconds(1);
    assert!(matches!(ask(Operation::SimpleReenroll, late), Step::Claim(_)));
    assert!(matches!(ask(Operation::SimpleEnroll, not_after), Step::Claim(_)));
    let Step::Record(step) = ask(Operation::SimpleEnroll, late) else { panic!("refused") };
    assert_eq!(kinds(&step), [EventKind::MtlsFailure, EventKind::EnrollFailure]);
    assert!(step.entry().principal.is_none());
    assert_eq!(reply(step), Reply::Refused(Refusal::ClientCertificateExpired { not_after }));
}

#[test]
fn recognises_the_same_request_by_what_it_asks_for_and_not_by_its_octets() {
    let fixture = Fixture::new();
    let again = fixture.key.csr(SUBJECT, NAMES);
    assert_ne!(again, fixture.csr, "ECDSA signatures are randomised");
    let identity_of = |operation, label, principal: Principal, csr: &[u8]| {
        let Step::Authenticate(step) = fixture.begin(operation, label, Body::Der(csr.to_vec())) else { panic!("who") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(principal))) else { panic!("claim") };
        step.intent().identity
    };
    let enroll = Operation::SimpleEnroll;
    let first = identity_of(enroll, None, password_holder("p"), &fixture.csr);
    assert_eq!(first, identity_of(enroll, None, password_holder("p"), &again));
    let reordered = fixture.key.csr(SUBJECT, &["DNS:b.example", "DNS:a.example"]);
    assert_eq!(first, identity_of(enroll, None, password_holder("p"), &reordered));
    for (what, other) in [
        ("principal", identity_of(enroll, None, password_holder("q"), &fixture.csr)),
        ("label", identity_of(enroll, Some("devices"), password_holder("p"), &fixture.csr)),
        ("key", identity_of(enroll, None, password_holder("p"), &Key::p256().csr(SUBJECT, NAMES))),
        ("subject", identity_of(enroll, None, password_holder("p"), &fixture.key.csr("CN=b", NAMES))),
        ("names", identity_of(enroll, None, password_holder("p"), &fixture.key.csr(SUBJECT, &NAMES[..1]))),
        ("no names", identity_of(enroll, None, password_holder("p"), &fixture.key.csr(SUBJECT, &[]))),
    ] {
        assert_ne!(first, other, "{what}");
    }
    let device = fixture.device();
    assert_ne!(
        identity_of(enroll, None, device.clone(), &fixture.csr),
        identity_of(Operation::SimpleReenroll, None, device, &fixture.csr)
    );
}

#[test]
fn tells_requests_apart_by_all_that_they_ask_for_and_not_by_their_challenges() {
    const OWN: &[u8] = b"\x06\x03\x2a\x03\x04";
    let fixture = Fixture::new();
    let identity_of = |attributes: &[&[u8]]| {
        let csr = fixture.key.csr_with_attributes(name(SUBJECT).as_der(), attributes);
        let begun = fixture.begin(Operation::SimpleEnroll, None, Body::Der(csr));
        let Step::Authenticate(step) = begun else { panic!("who") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p")))) else { panic!("claim") };
        step.intent().identity
    };
    let extensions =
        |extensions: &[&[u8]]| der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(extensions)]);
    let usage = |bits: &'static [u8]| der::extension(oid::KEY_USAGE.as_der(), true, bits);
    let own = |critical, text| der::extension(OWN, critical, &der::utf8(text));
    let (signing, text) = (usage(b"\x03\x02\x07\x80"), own(false, "a"));
    let plain = identity_of(&[]);
    let asked = identity_of(&[&extensions(&[&signing, &text])]);
    for (what, other) in [
        ("no extension", plain),
        ("one less", identity_of(&[&extensions(&[&signing])])),
        ("another key usage", identity_of(&[&extensions(&[&usage(b"\x03\x02\x05\xa0"), &text])])),
        ("another value", identity_of(&[&extensions(&[&signing, &own(false, "b")])])),
        ("critical", identity_of(&[&extensions(&[&signing, &own(true, "a")])])),
        (
            "another attribute",
            identity_of(&[&der::attribute(OWN, &[&der::utf8("a")]), &extensions(&[&signing, &text])]),
        ),
    ] {
        assert_ne!(asked, other, "{what}");
    }
    assert_eq!(asked, identity_of(&[&extensions(&[&text, &signing])]), "in another order");
    for id in [oid::OTP_CHALLENGE, oid::REVOCATION_CHALLENGE] {
        assert_eq!(plain, identity_of(&[&der::attribute(id.as_der(), &[&der::utf8("this time")])]), "{id}");
    }
}

#[test]
fn lets_a_password_replay_until_it_ends_or_the_window_closes() {
    let mut fixture = Fixture::new();
    let replay_until = |fixture: &Fixture| fixture.claim().intent().replay_until;
    Arc::make_mut(&mut fixture.site).replay_window = Seconds(60);
    assert_eq!(replay_until(&fixture), NOW + Seconds(3600), "the password ends later");
    Arc::make_mut(&mut fixture.site).replay_window = Seconds(7200);
    assert_eq!(replay_until(&fixture), NOW + Seconds(7200), "the window closes later");
}

#[test]
fn gives_a_manufacturers_certificate_other_names_where_the_label_says_so() {
    let mut fixture = Fixture::new();
    let manufacturer = TestCa::named("CN=Manufacturer");
    let csr = fixture.key.csr("CN=another", &[]);
    let ask = |fixture: &Fixture| {
        let step = fixture.begin(Operation::SimpleEnroll, None, Body::Der(csr.clone()));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        let device = manufacturer.device(&fixture.key, SUBJECT, NAMES);
        step.answer(Ok(Verdict::Known(Principal::Certificate(device.into()))))
    };
    let code = |step: Step| match step {
        Step::Record(step) => match reply(step) {
            Reply::Refused(refusal) => refusal.row().code,
            reply => panic!("{reply:?}"),
        },
        step => panic!("{step:?}"),
    };
    assert_eq!(code(ask(&fixture)), "other-ca");
    let mut label = fixture.ca.label(None);
    label.client_anchors = vec![manufacturer.certificate().clone()];
    Arc::make_mut(&mut fixture.site).default_label = Some(Arc::new(label.clone()));
    assert_eq!(code(ask(&fixture)), "names-differ");
    label.certificate_names = NameBinding::Any;
    Arc::make_mut(&mut fixture.site).default_label = Some(Arc::new(label));
    assert!(matches!(ask(&fixture), Step::Claim(_)));
}

#[test]
fn a_request_without_a_label_is_refused_where_none_serves_it() {
    let mut fixture = Fixture::new();
    Arc::make_mut(&mut fixture.site).default_label = None;
    for operation in [Operation::CaCerts, Operation::CsrAttrs, Operation::SimpleEnroll, Operation::ServerKeyGen] {
        let evidence = Evidence::default();
        let request = Request { operation, label: None, evidence, body: Body::Der(fixture.csr.clone()) };
        let Step::Done(Reply::Refused(refusal)) = begin(fixture.site.clone(), request, NOW, &entropy(7)) else {
            panic!("{operation} is served")
        };
        assert_eq!((refusal.row().code, refusal.row().http_status), ("unknown-label", 404));
    }
}

#[test]
fn a_step_can_be_sent_anywhere() {
    fn goes_anywhere<T: Send + 'static>() {}
    goes_anywhere::<Step>();
}

const SUBJECT: &str = "CN=device-1,O=Example";
const NAMES: &[&str] = &["DNS:a.example", "DNS:b.example"];

struct Fixture {
    ca: TestCa,
    site: Arc<Site>,
    key: Key,
    generated: Key,
    csr: Vec<u8>,
}

impl Fixture {
    fn new() -> Self {
        let (ca, key) = (TestCa::new(), Key::p256());
        let site = Arc::new(ca.site());
        let csr = key.csr(SUBJECT, NAMES);
        Self { ca, site, key, generated: Key::p256(), csr }
    }

    fn begin(&self, operation: Operation, label: Option<&str>, body: Body) -> Step {
        let request = Request { operation, label: label.map(Into::into), evidence: Evidence::default(), body };
        begin(self.site.clone(), request, NOW, &entropy(7))
    }

    fn enroll(&self) -> Step {
        self.begin(Operation::SimpleEnroll, None, Body::Der(self.csr.clone()))
    }

    fn claim(&self) -> est_core::Claim {
        let Step::Authenticate(step) = self.enroll() else { panic!("first, who asks") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(password_holder("p1")))) else { panic!("then claim") };
        step
    }

    fn generated(&self) -> GeneratedKey {
        let part = KeyPart::Pkcs8(Zeroizing::new(b"a key".to_vec()));
        GeneratedKey { public_key: self.generated.public_key().clone(), part }
    }

    fn device(&self) -> Principal {
        Principal::Certificate(self.ca.device(&self.key, SUBJECT, NAMES).into())
    }

    /// Walks one script to its end; tells whether a certificate was handed out.
    fn walk(&self, operation: Operation, script: &mut Script) -> bool {
        let outage = || PortError("down".into());
        let ticket = || Ticket(b"1".to_vec());
        let replayed = b"\x30\x00".to_vec();
        let (mut recorded, mut order) = (None, Vec::new());
        let mut step = self.begin(operation, None, Body::Der(self.csr.clone()));
        script.at = 0;
        let reply = loop {
            step = match step {
                Step::Authenticate(step) => {
                    order.push(0);
                    let doubt = |doubt| Ok(Verdict::Unknown(doubt));
                    step.answer(match script.choose(11) {
                        0 => Ok(Verdict::Known(self.device())),
                        1 => Ok(Verdict::Known(password_holder("p"))),
                        2 => doubt(Doubt::NothingShown),
                        3 => doubt(Doubt::PasswordRejected),
                        4 => doubt(Doubt::CertificateMalformed),
                        5 => doubt(Doubt::CertificateUntrusted),
                        6 => doubt(Doubt::CertificateExpired { not_after: NOW }),
                        7 => doubt(Doubt::CertificateNotYetValid { not_before: NOW }),
                        8 => doubt(Doubt::CertificatePurpose),
                        9 => doubt(Doubt::CertificateRevoked),
                        _ => Err(outage()),
                    })
                }
                Step::Claim(step) => {
                    order.push(1);
                    step.answer(match script.choose(9) {
                        0 => Ok(Claimed::Fresh),
                        1 => Ok(Claimed::Open(ticket())),
                        2 => Ok(Claimed::Finished(replayed.clone())),
                        3 => Ok(Claimed::AwaitingApproval),
                        4 => Ok(Claimed::Denied),
                        5 => Ok(Claimed::Revoked),
                        6 => Ok(Claimed::Busy),
                        7 => Ok(Claimed::PasswordSpent),
                        _ => Err(outage()),
                    })
                }
                Step::GenerateKey(step) => {
                    order.push(2);
                    step.answer(match script.choose(3) {
                        0 => Ok(Generated::Key(self.generated())),
                        1 => Ok(Generated::Refused(KeyRefusal::NoCommonAlgorithm)),
                        _ => Err(outage()),
                    })
                }
                Step::Issue(step) => {
                    order.push(3);
                    let planned = self.ca.issue(&step.order().plan, step.order().serial);
                    step.answer(match script.choose(6) {
                        0 => Ok(Issuance::Issued(planned)),
                        1 => Ok(Issuance::Issued(self.ca.certificate().as_der().to_vec())),
                        2 => Ok(Issuance::Issued(b"garbage".to_vec())),
                        3 => Ok(Issuance::Pending(ticket(), Seconds(5))),
                        4 => Ok(Issuance::Refused),
                        _ => Err(outage()),
                    })
                }
                Step::Record(step) => {
                    order.push(4);
                    let certificate = match &step.entry().outcome {
                        Outcome::Issued { certificate, .. } => Some(certificate.as_der().to_vec()),
                        Outcome::Replayed(certificate) => Some(certificate.clone()),
                        Outcome::Pending(..)
                        | Outcome::AwaitingApproval
                        | Outcome::Refused(_)
                        | Outcome::CsrAttrs(_)
                        | Outcome::Interrupted(_) => None,
                    };
                    assert!(!step.entry().events.is_empty(), "every outcome leaves an audit event");
                    if script.choose(2) == 0 {
                        recorded = certificate;
                        step.answer(Ok(()))
                    } else {
                        step.answer(Err(outage()))
                    }
                }
                Step::Done(reply) => break reply,
            };
        };
        assert!(order.is_sorted() && order.last() == Some(&4), "each step once, recorded last: {order:?}");
        match reply {
            Reply::Certificate(message) => {
                assert_eq!(message, certs_only([recorded.expect("recorded before it is handed out").as_slice()]));
                true
            }
            Reply::KeyAndCertificate { key, certificate } => {
                let recorded = recorded.expect("recorded before it is handed out");
                assert_eq!((key, certificate), (self.generated().part, certs_only([recorded.as_slice()])));
                true
            }
            Reply::RetryAfter(_) | Reply::Refused(_) => {
                assert_eq!(recorded, None, "what was recorded as issued is handed out");
                false
            }
            Reply::CaCertificates(_) | Reply::CsrAttrs(_) | Reply::ThenClose(_) => panic!("not what was asked for"),
        }
    }
}

/// The answers of one walk, as numbers; counts up through all of them.
#[derive(Default)]
struct Script {
    choices: Vec<(usize, usize)>,
    at: usize,
}

impl Script {
    fn choose(&mut self, among: usize) -> usize {
        if self.at == self.choices.len() {
            self.choices.push((0, among));
        }
        let (choice, _) = self.choices[self.at];
        self.at += 1;
        choice
    }

    fn advance(&mut self) -> bool {
        while let Some((choice, among)) = self.choices.pop() {
            if choice + 1 < among {
                self.choices.push((choice + 1, among));
                return true;
            }
        }
        false
    }
}

fn kinds(step: &Record) -> Vec<EventKind> {
    step.entry().events.iter().map(|event| event.kind).collect()
}

fn reply(step: Record) -> Reply {
    let Step::Done(reply) = step.answer(Ok(())) else { panic!("nothing follows a record") };
    reply
}

fn status(reply: Reply) -> u16 {
    let Reply::Refused(refusal) = reply else { panic!("refused: {reply:?}") };
    refusal.row().http_status
}
