//! Certification requests in stock.

use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use est_core::client::Call;
use est_core::pkix::{Certificate, CsrTemplate, SubjectPublicKeyInfo, assemble_csr};
use hyper::body::Bytes;

use super::numbered;
use crate::output::Failure;

/// Everything of a P-256 SubjectPublicKeyInfo before its point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The AlgorithmIdentifier of ecdsa-with-SHA256.
const ECDSA_SHA256: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// What the requests ask for.
pub(super) enum Names {
    /// The names of this certificate: servers hold its holder to them.
    Of(Box<Certificate>),
    /// `CN=bench-1` and so on.
    Numbered,
}

/// A body that is ready to be sent.
pub(super) struct Prepared {
    pub(super) body: Bytes,
    /// The public key's point, which ends its SubjectPublicKeyInfo.
    pub(super) point: [u8; 65],
}

/// Makes a key and its request, both DER, and forgets the private half.
///
/// By the library itself and not by a `FileSigner`, which proves every key once before it is used.
pub(super) fn make(names: &Names, number: usize) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let failed = || Failure::error("a key cannot be made");
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| failed())?;
    let public_key = [&P256_PREFIX, key.public_key().as_ref()].concat();
    let (subject, subject_alt_name) = match names {
        Names::Of(certificate) => (certificate.subject().clone(), certificate.subject_alt_name().cloned()),
        Names::Numbered => (numbered(number)?, None),
    };
    let template = CsrTemplate {
        subject,
        subject_alt_name,
        public_key: SubjectPublicKeyInfo::parse(&public_key).map_err(|_| failed())?,
        challenge_password: None,
        extensions: Vec::new(),
    };
    let to_be_signed = template.to_be_signed();
    let signature = key.sign(&SystemRandom::new(), &to_be_signed).map_err(|_| failed())?;
    Ok((assemble_csr(to_be_signed, &ECDSA_SHA256, signature.as_ref()), public_key))
}

/// Makes `count` requests on `threads` threads.
pub(super) fn prepare(count: usize, names: &Names, threads: usize) -> Result<Vec<Prepared>, Failure> {
    let share = |thread: usize| (1 + thread..=count).step_by(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || share(thread).map(|number| prepare_one(names, number)).collect()))
            .collect();
        let mut prepared = Vec::with_capacity(count);
        for worker in workers {
            let share: Result<Vec<_>, Failure> = worker.join().map_err(|_| Failure::error("a thread ended early"))?;
            prepared.extend(share?);
        }
        Ok(prepared)
    })
}

fn prepare_one(names: &Names, number: usize) -> Result<Prepared, Failure> {
    let (csr, public_key) = make(names, number)?;
    let body = Bytes::from(Call::simple_enroll("", None, &csr).body);
    let point = public_key[P256_PREFIX.len()..].try_into().map_err(|_| Failure::error("a key cannot be made"))?;
    Ok(Prepared { body, point })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use est_core::pkix::{Csr, KeyType};

    #[test]
    fn makes_requests_that_a_server_takes() {
        let (csr, public_key) = make(&Names::Numbered, 7).unwrap();
        let csr = Csr::parse(&csr, est_backends::algorithms()).unwrap();
        assert_eq!(csr.subject().to_string(), "CN=bench-7");
        assert_eq!(csr.public_key().as_der(), public_key);
        assert_eq!(csr.public_key().key_type(), KeyType::EcdsaP256);
    }

    #[test]
    fn makes_every_request_once() {
        let prepared = prepare(7, &Names::Numbered, 3).unwrap();
        let mut points: Vec<_> = prepared.iter().map(|request| request.point).collect();
        points.sort_unstable();
        points.dedup();
        assert_eq!(points.len(), 7);
    }
}
