//! What a client proves about the certificate that it shows.

use std::fmt;

use est_auth::PathValidator;
use est_core::{Doubt, UnixTime};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, UnixTime as TlsTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};

use super::{PathCheck, handshake};

/// Proves that a client holds the key of the certificate that it shows. Whose certificate that is, and whether it
/// counts, is decided where enrollments are authenticated, so that every transport decides alike.
///
/// The key alone is taken out of the certificate. One that breaks the rules, such as one of version 1 or with an unknown
/// critical extension, so does not end the handshake of a client that has a good password as well.
pub(super) struct Possession {
    algorithms: WebPkiSupportedAlgorithms,
    path: Option<PathCheck>,
}

impl Possession {
    /// Verifies by these algorithms; with a `path` check, certificates that do not pass it end the handshake.
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms, path: Option<PathCheck>) -> Self {
        Self { algorithms, path }
    }

    /// Verifies as TLS 1.2 does: with whichever algorithm of the scheme is for the key (RFC 5246 §7.4.8, RFC 8422 §5.8).
    fn verify_of_tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        use SignatureScheme::{ML_DSA_44, ML_DSA_65, ML_DSA_87};

        let mapped = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, algorithms) = mapped
            .filter(|(scheme, _)| ![ML_DSA_44, ML_DSA_65, ML_DSA_87].contains(scheme))
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let key = PublicKey::of(certificate).ok_or(CertificateError::BadEncoding)?;
        let fitting = algorithms.iter().find(|one| one.public_key_alg_id().as_ref() == key.algorithm);
        let is_good = fitting.is_some_and(|one| one.verify_signature(key.key, message, signed.signature()).is_ok());
        if is_good { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }

    /// Verifies as TLS 1.3 does: the scheme says for which key it is (RFC 8446 §4.2.3).
    fn verify_of_tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = PublicKey::of(certificate).ok_or(CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(message, &key.whole.into(), signed, &self.algorithms)
    }
}

impl fmt::Debug for Possession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Possession")
    }
}

impl ClientCertVerifier for Possession {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.path.is_some()
    }

    /// Empty: clients may show a certificate of any issuer.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: TlsTime,
    ) -> Result<ClientCertVerified, Error> {
        // What nobody would look at is not kept for as long as the connection lasts.
        if !PathValidator::takes(std::iter::once(leaf).chain(intermediates).map(|certificate| certificate.len())) {
            handshake::distrust(leaf, Doubt::CertificateUntrusted);
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        let Some(path) = &self.path else { return Ok(ClientCertVerified::assertion()) };
        let chain: Vec<Vec<u8>> =
            std::iter::once(leaf).chain(intermediates).map(|certificate| certificate.to_vec()).collect();
        path(&chain, UnixTime(now.as_secs())).map(|()| ClientCertVerified::assertion()).map_err(|doubt| {
            handshake::distrust(leaf, doubt);
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_of_tls12(message, certificate, signed)
            .inspect_err(|error| handshake::doubt_possession(certificate, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_of_tls13(message, certificate, signed)
            .inspect_err(|error| handshake::doubt_possession(certificate, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The subjectPublicKeyInfo of a certificate (RFC 5280 §4.1).
struct PublicKey<'a> {
    whole: &'a [u8],
    /// The contents of the AlgorithmIdentifier.
    algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Looks for it where it is in a certificate of every version, and at nothing else.
    fn of(certificate: &'a [u8]) -> Option<Self> {
        const SEQUENCE: u8 = 0x30;
        const VERSION: u8 = 0xa0;
        const BIT_STRING: u8 = 0x03;
        /// What comes before it: serialNumber, signature, issuer, validity and subject.
        const BEFORE: usize = 5;

        let mut rest = Value::first(Value::first(certificate)?.0.of(SEQUENCE)?)?.0.of(SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            rest = Value::first(rest)?.1;
        }
        for _ in 0..BEFORE {
            rest = Value::first(rest)?.1;
        }
        let (info, _) = Value::first(rest)?;
        let (algorithm, key) = Value::first(info.of(SEQUENCE)?)?;
        let key = Value::first(key)?.0.of(BIT_STRING)?.strip_prefix(&[0])?;
        Some(Self { whole: info.whole, algorithm: algorithm.of(SEQUENCE)?, key })
    }
}

/// A DER value.
struct Value<'a> {
    tag: u8,
    whole: &'a [u8],
    contents: &'a [u8],
}

impl<'a> Value<'a> {
    /// The first value of `input`, and what comes after it.
    fn first(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, after) = input.split_first()?;
        let (&first, after) = after.split_first()?;
        let (length, after) = match first {
            0..=0x7f => (usize::from(first), after),
            0x81..=0x83 => {
                let (length, after) = after.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), after)
            }
            _ => return None,
        };
        let (contents, rest) = after.split_at_checked(length)?;
        Some((Self { tag, whole: &input[..input.len() - rest.len()], contents }, rest))
    }

    fn of(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.contents)
    }
}
