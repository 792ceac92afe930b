//! What is counted: each part of an enrollment, and an exchange as a whole.
//!
//! Keys and requests are files, so that two runs count the same work; only ECDSA's own randomness differs.

use std::sync::Arc;

use est_core::pkix::{Csr, assemble_certificate, certs_only};
use est_core::policy::{Plan, decide};
use est_core::wire::http::{Head, Preferences, Response, Route, respond};
use est_core::{
    Algorithms, Body, Claimed, Evidence, Issuance, Label, Operation, Principal, Reply, Request, Seconds, Site, Step,
    Verdict, begin,
};
use est_testkit::pki::{ALGORITHMS, Key, NOW, TestCa, entropy, parse_csr, password_holder, serial};
use est_testkit::trusting::TRUSTING;

/// A request for a P-256 key with a subjectAltName of two names, DER.
pub const P256: &[u8] = include_bytes!("../data/request-p256.der");

/// The same for an RSA key of 2048 bits.
pub const RSA_2048: &[u8] = include_bytes!("../data/request-rsa-2048.der");

/// Everything that stands ready before an enrollment is counted.
#[derive(Debug)]
pub struct Fixture {
    ca: TestCa,
    site: Arc<Site>,
    label: Label,
    principal: Principal,
    csr: Csr,
    plan: Plan,
    certificate: Vec<u8>,
    body: Vec<u8>,
    algorithms: [Algorithms; 2],
}

impl Fixture {
    /// Makes a CA with a P-256 key, and has it issue a certificate already: first uses initialise.
    ///
    /// # Panics
    /// When the committed files do not fit.
    #[must_use]
    pub fn new() -> Self {
        let key = Key::p256_from_pkcs8(include_bytes!("../data/ca-p256.pk8"));
        let ca = TestCa::with_key(key, NOW + Seconds::from_days(3650));
        let (label, principal, csr) = (ca.label(None), password_holder("p"), parse_csr(P256));
        let plan = decide(&label, &principal, &csr, None, NOW).expect("the profile takes it");
        let certificate = ca.issue(&plan, serial(1));
        let site = Arc::new(ca.site());
        let body = respond(&site, &Reply::Certificate(P256.to_vec()), Preferences::default(), NOW).body;
        let algorithms = [ALGORITHMS, *TRUSTING];
        Self { ca, site, label, principal, csr, plan, certificate, body, algorithms }
    }

    /// Reads a request and checks its signature.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn parse(&self, der: &[u8]) -> Csr {
        Csr::parse(der, self.algorithms[0]).expect("a sound request")
    }

    /// Reads a request and believes its signature.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn parse_unchecked(&self, der: &[u8]) -> Csr {
        Csr::parse(der, self.algorithms[1]).expect("a sound request")
    }

    /// Decides what the request gets.
    ///
    /// # Panics
    /// When it gets nothing.
    #[must_use]
    pub fn decide(&self) -> Plan {
        decide(&self.label, &self.principal, &self.csr, None, NOW).expect("the profile takes it")
    }

    /// Writes what is to be signed and puts the certificate together; the signature is given.
    #[must_use]
    pub fn assemble(&self) -> Vec<u8> {
        let algorithm = self.ca.key.signature_algorithm();
        let to_be_signed = self.plan.to_be_signed(self.ca.certificate(), serial(1), algorithm);
        assemble_certificate(to_be_signed, algorithm, &[7; 70])
    }

    /// Wraps a certificate for the client.
    #[must_use]
    pub fn certs_only(&self) -> Vec<u8> {
        certs_only([self.certificate.as_slice()])
    }

    /// Understands the head of a request, and decodes its body.
    ///
    /// # Panics
    /// When it is not understood.
    #[must_use]
    pub fn route(&self) -> Request {
        let authorized = Head { authorization: Some(b"Basic b3RwOnRlc3Q="), ..Head::default() };
        let path = "/.well-known/est/devices/simpleenroll";
        let head = Head { method: "POST", path, content_type: Some("application/pkcs10"), ..authorized };
        let route = Route::find(&self.site, &head).expect("an operation");
        let request = route.request(Evidence::default(), self.body.clone());
        Request { body: Body::Der(request.body.into_der(true).expect("base64")), ..request }
    }

    /// Drives an enrollment from the routed request to the response, with a real signature check and a real signature.
    ///
    /// # Panics
    /// When it ends in anything but a certificate.
    #[must_use]
    pub fn exchange(&self) -> Response {
        let request = self.route();
        assert_eq!(request.operation, Operation::SimpleEnroll);
        let step = begin(self.site.clone(), request, NOW, &entropy(1));
        let Step::Authenticate(step) = step else { panic!("who asks") };
        let Step::Claim(step) = step.answer(Ok(Verdict::Known(self.principal.clone()))) else { panic!("claim") };
        let Step::Issue(step) = step.answer(Ok(Claimed::Fresh)) else { panic!("issue") };
        let certificate = self.ca.issue(&step.order().plan, step.order().serial);
        let Step::Record(step) = step.answer(Ok(Issuance::Issued(certificate))) else { panic!("record") };
        let Step::Done(reply) = step.answer(Ok(())) else { panic!("done") };
        assert!(matches!(reply, Reply::Certificate(_)));
        respond(&self.site, &reply, Preferences::default(), NOW)
    }

    /// Signs with the CA's key, for comparison.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        self.ca.key.sign(&self.certificate)
    }
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_does_what_it_says() {
        let fixture = Fixture::new();
        assert_eq!(fixture.parse(RSA_2048).subject(), fixture.parse_unchecked(P256).subject());
        assert_eq!(fixture.decide().subject, fixture.plan.subject);
        assert!(est_core::pkix::Certificate::parse(&fixture.assemble()).is_ok());
        assert_eq!(est_core::pkix::read_certs_only(&fixture.certs_only()), Some(vec![fixture.certificate.clone()]));
        assert_eq!(fixture.exchange().status, 200);
    }
}
