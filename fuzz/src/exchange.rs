//! A whole exchange: one octet answers each step, the rest of the input is the body.

use std::sync::{Arc, LazyLock};

use est_core::pkix::{Certificate, SubjectPublicKeyInfo, certs_only};
use est_core::{
    Body, Claimed, Doubt, Evidence, Generated, GeneratedKey, Issuance, KeyPart, KeyRefusal, Operation, Outcome,
    PortError, Principal, Reply, Request, Seconds, Site, Step, Ticket, Verdict, begin,
};
use est_testkit::pki::{Key, NOW, TestCa, entropy, password_holder};
use est_testkit::trusting::TRUSTING;

/// How many octets of the input answer: operation and label, then at most one for each step.
const ANSWERS: usize = 7;

struct World {
    ca: TestCa,
    site: Arc<Site>,
    device: Arc<Certificate>,
    generated: SubjectPublicKeyInfo,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let ca = TestCa::new();
    let site = Arc::new(Site { algorithms: *TRUSTING, ..ca.site() });
    let device = ca.device(&Key::p256(), "CN=device-1,O=Example", &["DNS:a.example"]);
    let generated = Key::p256().public_key().clone();
    World { ca, site, device, generated }
});

/// Drives the exchange to its reply: steps come in order and once, and only what was recorded is handed out.
pub fn run(input: &[u8]) {
    let (answers, body) = input.split_at(input.len().min(ANSWERS));
    let mut answers = answers.iter().copied();
    let mut answer = || answers.next().unwrap_or_default();
    let operation = Operation::ALL[usize::from(answer()) % Operation::ALL.len()];
    let (label, body) = match answer() % 8 {
        0 => (Some("devices"), Body::Text(body.to_vec())),
        1 => (Some("nobody"), Body::Text(body.to_vec())),
        2..5 => (None, Body::Text(body.to_vec())),
        _ => (None, Body::Der(body.to_vec())),
    };
    let request = Request { operation, label: label.map(Into::into), evidence: Evidence::default(), body };
    let mut step = begin(WORLD.site.clone(), request, NOW, &entropy(1));
    let (mut last, mut recorded) = (0, None);
    let reply = loop {
        let place = match &step {
            Step::Authenticate(_) => 1,
            Step::Claim(_) => 2,
            Step::GenerateKey(_) => 3,
            Step::Issue(_) => 4,
            Step::Record(_) => 5,
            Step::Done(_) => 6,
        };
        assert!(place > last, "each step comes once and in order");
        last = place;
        step = match step {
            Step::Authenticate(step) => step.answer(verdict(answer())),
            Step::Claim(step) => step.answer(claimed(answer())),
            Step::GenerateKey(step) => step.answer(generated(answer())),
            Step::Issue(step) => {
                let issued = WORLD.ca.issue(&step.order().plan, step.order().serial);
                step.answer(issuance(answer(), issued))
            }
            Step::Record(step) => {
                let certificate = match &step.entry().outcome {
                    Outcome::Issued { certificate, .. } => Some(certificate.as_der().to_vec()),
                    Outcome::Replayed(certificate) => Some(certificate.clone()),
                    Outcome::Pending(..)
                    | Outcome::AwaitingApproval
                    | Outcome::CsrAttrs(_)
                    | Outcome::Refused(_)
                    | Outcome::Interrupted(_) => None,
                };
                assert!(!step.entry().events.is_empty(), "every outcome leaves an audit event");
                if answer() % 4 == 0 {
                    step.answer(Err(PortError("down".into())))
                } else {
                    recorded = certificate;
                    step.answer(Ok(()))
                }
            }
            Step::Done(reply) => break reply,
        };
    };
    match reply {
        Reply::Certificate(message) => {
            let recorded = recorded.expect("recorded before it is handed out");
            assert_eq!(message, certs_only([recorded.as_slice()]));
        }
        Reply::KeyAndCertificate { key, certificate } => {
            assert_eq!(operation, Operation::ServerKeyGen);
            let recorded = recorded.expect("recorded before it is handed out");
            assert_eq!(certificate, certs_only([recorded.as_slice()]));
            assert_eq!(key, KeyPart::Enveloped(b"a key".to_vec()));
        }
        Reply::RetryAfter(_) | Reply::Refused(_) => assert_eq!(recorded, None, "what was recorded is handed out"),
        Reply::CaCertificates(_) => assert_eq!(operation, Operation::CaCerts),
        Reply::CsrAttrs(_) => assert_eq!(operation, Operation::CsrAttrs),
        Reply::ThenClose(_) => panic!("nothing is linked where there is no channel binding"),
    }
}

fn verdict(answer: u8) -> Result<Verdict, PortError> {
    match answer % 8 {
        0..3 => Ok(Verdict::Known(password_holder("p"))),
        3..5 => Ok(Verdict::Known(Principal::Certificate(WORLD.device.clone().into()))),
        5 => Ok(Verdict::Unknown(Doubt::NothingShown)),
        6 => Ok(Verdict::Unknown(Doubt::CertificateExpired { not_after: NOW })),
        _ => Err(PortError("down".into())),
    }
}

fn claimed(answer: u8) -> Result<Claimed, PortError> {
    Ok(match answer % 12 {
        0..4 => Claimed::Fresh,
        4 => Claimed::Open(Ticket(vec![answer])),
        5 => Claimed::Finished(vec![0x30, 0x00]),
        6 => Claimed::AwaitingApproval,
        7 => Claimed::Denied,
        8 => Claimed::Revoked,
        9 => Claimed::Busy,
        10 => Claimed::PasswordSpent,
        _ => return Err(PortError("down".into())),
    })
}

fn generated(answer: u8) -> Result<Generated, PortError> {
    match answer % 4 {
        0..2 => {
            let public_key = WORLD.generated.clone();
            Ok(Generated::Key(GeneratedKey { public_key, part: KeyPart::Enveloped(b"a key".to_vec()) }))
        }
        2 => Ok(Generated::Refused(KeyRefusal::NoCommonAlgorithm)),
        _ => Err(PortError("down".into())),
    }
}

/// The certificate that was ordered, one with a bit flipped, somebody else's, or none.
fn issuance(answer: u8, mut issued: Vec<u8>) -> Result<Issuance, PortError> {
    Ok(match answer % 8 {
        0..3 => Issuance::Issued(issued),
        3 => {
            let at = usize::from(answer) * 7 % issued.len();
            issued[at] ^= 1 << (answer >> 5);
            Issuance::Issued(issued)
        }
        4 => Issuance::Issued(WORLD.device.as_der().to_vec()),
        5 => Issuance::Pending(Ticket(Vec::new()), Seconds(1)),
        6 => Issuance::Refused,
        _ => return Err(PortError("down".into())),
    })
}
