//! Keys, requests and certificates to fill a store with: all of them real.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use est_core::pkix::{
    Certificate, CrlHead, Csr, CsrTemplate, Extension, GeneralName, GeneralNames, IssuedCrl, Name, RevocationReason,
    RevokedCertificate, SubjectPublicKeyInfo, TbsCertList, TbsCertificate, assemble_cert_list, assemble_certificate,
    assemble_csr, oid,
};
use est_core::{
    Approval, Entropy, Entry, Event, EventKind, Identity, Intent, Operation, Outcome, Principal, Seconds, Secret,
    Serial, UnixTime,
};
use est_store::{Clock, ImportedCrl, NewPassword, Options, UnixMicros};
use est_testkit::der;
use est_testkit::pki::TestCa;

/// When every test begins.
pub(crate) const START: UnixTime = UnixTime(1_800_000_000);

/// For how long the same request gets the same certificate, in these tests.
pub(crate) const WINDOW: Seconds = Seconds(3_600);

pub(crate) const LEASE: Seconds = Seconds(30);

pub(crate) fn after(seconds: u64) -> UnixTime {
    START + Seconds(seconds)
}

/// A clock that stands still until told.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START.0 * 1_000_000)))
    }

    pub(crate) fn advance(&self, span: Seconds) {
        self.0.fetch_add(span.0 * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, span: Seconds) {
        self.0.fetch_sub(span.0 * 1_000_000, Ordering::SeqCst);
    }

    /// Options with this clock.
    pub(crate) fn to_options(&self) -> Options {
        let mut options = Options::default();
        options.clock = self.to_clock();
        options
    }

    pub(crate) fn to_clock(&self) -> Clock {
        let micros = self.0.clone();
        Clock::new(move || UnixMicros(micros.load(Ordering::SeqCst)))
    }
}

/// An empty folder that is deleted with what is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("store-{}-{}", std::process::id(), next());
        // Examples have no folder of Cargo's.
        let parent = option_env!("CARGO_TARGET_TMPDIR").unwrap_or(".");
        let path = Path::new(parent).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A serial number that no other intent has.
pub(crate) fn serial() -> Serial {
    let mut entropy = [0x5a; 32];
    entropy[12..20].copy_from_slice(&next().to_be_bytes());
    entropy[1..9].copy_from_slice(&(next() ^ 0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Serial::from_entropy(&Entropy(entropy))
}

/// ecdsa-with-SHA256 (RFC 5758 §3.2).
const ECDSA_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

fn generate() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
}

fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

fn public_key(key: &EcdsaKeyPair) -> SubjectPublicKeyInfo {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    SubjectPublicKeyInfo::parse(der.as_ref()).unwrap()
}

/// A device's certification request, with a key of its own.
pub(crate) fn csr(name: &str) -> Arc<Csr> {
    let key = generate();
    let template = CsrTemplate {
        subject: Name::from_text(&format!("CN={name},O=Example")).unwrap(),
        subject_alt_name: GeneralNames::from_names(&[GeneralName::Dns(format!("{name}.example"))]),
        public_key: public_key(&key),
        challenge_password: None,
        extensions: Vec::new(),
    };
    signed(&key, template.to_be_signed())
}

fn signed(key: &EcdsaKeyPair, to_be_signed: Vec<u8>) -> Arc<Csr> {
    let signature = sign(key, &to_be_signed);
    Arc::new(Csr::parse(&assemble_csr(to_be_signed, ECDSA_SHA256, &signature), webpki::ALL_VERIFICATION_ALGS).unwrap())
}

/// A request with the subject `CN=from` that wants `CN=to` instead, and no subjectAltName.
pub(crate) fn csr_changing(from: &str, to: &str) -> Arc<Csr> {
    fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        let length = u8::try_from(contents.len()).unwrap();
        let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, contents].concat()
    }
    let key = generate();
    let subject = |name: &str| Name::from_text(&format!("CN={name}")).unwrap();
    let change = value(0x31, &[&value(0x30, &[subject(to).as_der()])]);
    let attributes = value(0xa0, &[&value(0x30, &[oid::CHANGE_SUBJECT_NAME.as_der(), &change])]);
    signed(&key, value(0x30, &[b"\x02\x01\x00", subject(from).as_der(), public_key(&key).as_der(), &attributes]))
}

/// Signs what an intent asks for, as a CA would.
pub(crate) fn sign_certificate(intent: &Intent) -> Arc<Certificate> {
    let names = intent.csr.subject_alt_name().unwrap().as_der().to_vec();
    let names = Extension { id: oid::SUBJECT_ALT_NAME, critical: false, value: names };
    let to_be_signed = TbsCertificate {
        serial: intent.serial,
        signature_algorithm: ECDSA_SHA256,
        issuer: &Name::from_text("CN=Example CA").unwrap(),
        subject: intent.csr.subject(),
        not_before: intent.now,
        not_after: intent.now + Seconds::from_days(90),
        public_key: intent.csr.public_key().as_der(),
        extensions: &[Extension::end_entity(), names],
    }
    .to_der();
    let signature = sign(&generate(), &to_be_signed);
    Arc::new(Certificate::parse(&assemble_certificate(to_be_signed, ECDSA_SHA256, &signature)).unwrap())
}

/// A certificate with another serial number than a CA would give it.
pub(crate) fn with_serial(contents: &[u8]) -> Arc<Certificate> {
    let certificate = sign_certificate(&intent(password_holder("odd"), &csr("odd")));
    let [to_be_signed, algorithm, signature] = parts(certificate.as_der());
    let (mut elements, serial) = (parts::<8>(to_be_signed), der::value(0x02, &[contents]));
    elements[1] = &serial;
    let to_be_signed = der::sequence(&elements);
    Arc::new(Certificate::parse(&der::sequence(&[&to_be_signed, algorithm, signature])).unwrap())
}

/// The elements of a SEQUENCE, DER.
fn parts<const N: usize>(sequence: &[u8]) -> [&[u8]; N] {
    let contents = est_core::pkix::der::contents(sequence);
    est_core::pkix::der::parts(contents).collect::<Vec<_>>().try_into().unwrap()
}

/// Somebody who knows the password `id`, which ends a while after START.
pub(crate) fn password_holder(id: &str) -> Principal {
    Principal::OneTimePassword {
        id: id.to_owned(),
        entity: None,
        expires: after(600),
        label: None,
        allowance: Arc::default(),
    }
}

/// Somebody with a certificate.
pub(crate) fn certificate_holder(name: &str) -> Principal {
    let request = intent(password_holder("bootstrap"), &csr(name));
    Principal::Certificate(sign_certificate(&request).into())
}

pub(crate) fn new_password(id: &str, max_uses: u32) -> NewPassword {
    NewPassword {
        id: id.to_owned(),
        hash: Secret::new(format!("hash of {id}")),
        entity: Some("device-1".to_owned()),
        label: Some("factory".to_owned()),
        names: vec!["dns:*.lab.example".to_owned(), "subject:CN=\"*\"".to_owned()],
        created: START,
        expires: after(600),
        max_uses,
    }
}

/// What a store is asked to reserve for this request at START.
pub(crate) fn intent(principal: Principal, csr: &Arc<Csr>) -> Intent {
    intent_at(principal, csr, START)
}

pub(crate) fn intent_at(principal: Principal, csr: &Arc<Csr>, now: UnixTime) -> Intent {
    let octets = [principal.id().as_bytes(), csr.public_key().as_der()].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets);
    Intent {
        identity: Identity(digest.as_ref().try_into().unwrap()),
        principal,
        source: Some("192.0.2.7".to_owned()),
        serial: serial(),
        label: Some("factory".to_owned()),
        ca: "root".to_owned(),
        operation: Operation::SimpleEnroll,
        csr: csr.clone(),
        approval: Approval::Automatic,
        now,
        lease: LEASE,
        replay_until: now + WINDOW,
    }
}

/// The same request again, later: only the serial number and the times are others.
pub(crate) fn again(intent: &Intent, now: UnixTime) -> Intent {
    Intent { serial: serial(), now, replay_until: now + WINDOW, ..intent.clone() }
}

pub(crate) fn manual(intent: Intent) -> Intent {
    Intent { approval: Approval::Manual, ..intent }
}

/// The record of an exchange that held a claim.
pub(crate) fn entry(intent: &Intent, outcome: Outcome) -> Entry {
    let (kinds, reason): (&[EventKind], _) = match &outcome {
        Outcome::CsrAttrs(_) => (&[EventKind::OtpSuccess], None),
        Outcome::Issued { .. } => (&[EventKind::OtpSuccess, EventKind::CertIssued, EventKind::EnrollSuccess], None),
        Outcome::Replayed(_) => (&[EventKind::OtpSuccess, EventKind::EnrollReplayed], None),
        Outcome::Pending(..) | Outcome::AwaitingApproval => (&[EventKind::OtpSuccess, EventKind::EnrollPending], None),
        Outcome::Refused(refusal) | Outcome::Interrupted(refusal) => {
            (&[EventKind::OtpSuccess, EventKind::EnrollFailure], Some(refusal.row().code.to_owned()))
        }
    };
    Entry {
        now: intent.now,
        principal: Some(intent.principal.clone()),
        rejected: None,
        source: Some("192.0.2.7".to_owned()),
        label: intent.label.clone(),
        ca: intent.ca.clone(),
        operation: intent.operation,
        intent: Some(Box::new(intent.clone())),
        outcome,
        guess: None,
        events: kinds.iter().map(|kind| Event { kind: *kind, reason: reason.clone() }).collect(),
    }
}

/// The record of an exchange that ended with this certificate.
pub(crate) fn issued(intent: &Intent, certificate: &Arc<Certificate>) -> Entry {
    entry(intent, Outcome::Issued { certificate: certificate.clone(), profile: "device".to_owned() })
}

/// A CRL of the CA `root`, by the name that issued `one`.
pub(crate) fn crl(number: u64, one: &Certificate, revoked: &[RevokedCertificate]) -> ImportedCrl {
    let ca = TestCa::new();
    let list = TbsCertList {
        signature_algorithm: ca.key.signature_algorithm(),
        issuer: one.issuer(),
        authority_key_identifier: b"key",
        this_update: START,
        next_update: after(1_000),
        number,
        revoked,
    };
    let to_be_signed = list.to_der();
    let der = assemble_cert_list(&to_be_signed, ca.key.signature_algorithm(), &ca.key.sign(&to_be_signed));
    let crl = IssuedCrl { head: CrlHead::parse(&der).unwrap(), number, revoked: revoked.to_vec() };
    ImportedCrl { ca: "root".to_owned(), authority: "root".to_owned(), crl, der }
}

/// What a CRL says of a certificate.
pub(crate) fn listed(certificate: &Certificate, reason: RevocationReason) -> RevokedCertificate {
    RevokedCertificate { serial: certificate.serial().to_vec(), revocation_date: after(7), reason }
}
