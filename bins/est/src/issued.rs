//! The certificate that came back.

use est_core::pkix::{Certificate, GeneralNames, Name};

use crate::file;
use crate::output::Failure;

/// A certificate for our key, and whatever came with it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: Certificate,
    /// Further certificates of the answer, DER. EST sends none; some servers send the chain.
    others: Vec<Vec<u8>>,
}

impl Issued {
    /// Finds the certificate for the key `public_key` (a SubjectPublicKeyInfo, DER) among those of an answer.
    pub(crate) fn find(certificates: Vec<Vec<u8>>, public_key: &[u8]) -> Result<Self, Failure> {
        let (mut ours, mut others) = (None, Vec::new());
        for der in certificates {
            let certificate =
                Certificate::parse(&der).map_err(|error| Failure::error(format!("the server sent {error}")))?;
            if ours.is_none() && certificate.public_key_der() == public_key {
                ours = Some(certificate);
            } else {
                others.push(der);
            }
        }
        match ours {
            Some(certificate) => Ok(Self { certificate, others }),
            None => Err(Failure::error("the server sent a certificate for another key than ours; nothing was written")),
        }
    }

    /// The certificate and its chain. `known_chain`, DER, serves where the answer brought none.
    pub(crate) fn to_pem(&self, known_chain: &[Vec<u8>]) -> String {
        let chain = if self.others.is_empty() { known_chain } else { &self.others };
        file::certificates_to_pem([self.certificate.as_der()].into_iter().chain(chain.iter().map(Vec::as_slice)))
    }

    /// What is not as it was asked for; the CA has the last word on it.
    pub(crate) fn differences(&self, subject: &Name, subject_alt_name: Option<&GeneralNames>) -> Vec<String> {
        let mut differences = Vec::new();
        if !self.certificate.subject().is_same_as(subject) {
            differences.push(format!("the CA chose the subject {}", self.certificate.subject()));
        }
        let same_names = match (self.certificate.subject_alt_name(), subject_alt_name) {
            (Some(issued), Some(wanted)) => issued.same_names(wanted),
            (issued, wanted) => issued.is_none() && wanted.is_none(),
        };
        if !same_names {
            let names = self.certificate.subject_alt_name().map_or("none".to_string(), ToString::to_string);
            differences.push(format!("the CA chose the subject alternative names {names}"));
        }
        differences
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use est_backends::{FileSigner, Signer};
    use est_core::pkix::{KeyType, TbsCertificate, assemble_certificate};
    use est_core::{Entropy, Serial, UnixTime};

    /// A self-signed certificate of `signer`'s key.
    pub(crate) fn certificate(signer: &FileSigner, subject: &str) -> Vec<u8> {
        let subject = Name::from_text(subject).unwrap();
        let to_be_signed = TbsCertificate {
            serial: Serial::from_entropy(&Entropy([7; 32])),
            signature_algorithm: signer.signature_algorithm(),
            issuer: &subject,
            subject: &subject,
            not_before: UnixTime(1_700_000_000),
            not_after: UnixTime(2_000_000_000),
            public_key: signer.public_key().as_der(),
            extensions: &[],
        }
        .to_der();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(signature) = signer.sign(&to_be_signed).as_mut().poll(&mut context) else {
            panic!("P-256 signs at once")
        };
        assemble_certificate(to_be_signed, signer.signature_algorithm(), &signature.unwrap())
    }

    #[test]
    fn finds_the_certificate_for_our_key_in_any_order() {
        let (ours, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let (theirs, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let (leaf, issuer) = (certificate(&ours, "CN=a"), certificate(&theirs, "CN=CA"));
        let issued = Issued::find(vec![issuer.clone(), leaf.clone()], ours.public_key().as_der()).unwrap();
        assert_eq!(issued.certificate.as_der(), leaf);
        assert_eq!(issued.to_pem(&[]), file::certificates_to_pem([leaf.as_slice(), &issuer]));
        assert!(issued.differences(&Name::from_text("CN=a").unwrap(), None).is_empty());
        assert_eq!(issued.differences(&Name::from_text("CN=b").unwrap(), None), ["the CA chose the subject CN=a"]);
    }

    #[test]
    fn refuses_a_certificate_for_another_key() {
        let (ours, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let (theirs, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let failure = Issued::find(vec![certificate(&theirs, "CN=a")], ours.public_key().as_der()).unwrap_err();
        assert!(failure.text.contains("another key"));
    }

    #[test]
    fn keeps_the_known_chain_where_the_answer_has_none() {
        let (ours, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let leaf = certificate(&ours, "CN=a");
        let issued = Issued::find(vec![leaf.clone()], ours.public_key().as_der()).unwrap();
        assert_eq!(issued.to_pem(&[vec![5, 0]]), file::certificates_to_pem([leaf.as_slice(), &[5, 0]]));
    }
}
