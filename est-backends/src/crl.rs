//! The CRLs of a CA whose key a signer of ours holds.

use std::fmt;
use std::sync::Arc;

use est_core::pkix::{CrlHead, KeyUsage, RevokedCertificate, TbsCertList, assemble_cert_list};
use est_core::{Ca, PortError, UnixTime};

use crate::LocalCaError;
use crate::local::refuse_strangers;
use crate::signer::{SignatureCheck, Signer, sign_checked};

/// What a CRL is to say.
#[derive(Clone, Copy, Debug)]
pub struct CertList<'a> {
    /// The cRLNumber: more than that of every CRL of this CA before.
    pub number: u64,
    /// When it is made.
    pub this_update: UnixTime,
    /// By when there will be another one.
    pub next_update: UnixTime,
    /// The entries, in their order.
    pub revoked: &'a [RevokedCertificate],
}

/// Makes the CRLs of a CA.
pub struct CrlSigner {
    ca: Arc<Ca>,
    signer: Arc<dyn Signer>,
}

impl fmt::Debug for CrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrlSigner").field("ca", &self.ca.id).finish_non_exhaustive()
    }
}

impl CrlSigner {
    /// Puts a CA and its signer together.
    ///
    /// # Errors
    /// [`LocalCaError`] when the signer's key is not the certificate's, or the certificate is not one that may sign CRLs.
    pub fn new(ca: Arc<Ca>, signer: Arc<dyn Signer>) -> Result<Self, LocalCaError> {
        refuse_strangers(&ca, &*signer)?;
        if !ca.certificate.allows(KeyUsage::CRL_SIGN) {
            return Err(LocalCaError::CrlUsage { ca: ca.id.clone() });
        }
        Ok(Self { ca, signer })
    }

    /// Signs a CRL, and returns its DER.
    ///
    /// # Errors
    /// [`PortError`] when the signer made no signature, or one that does not verify.
    pub async fn sign(&self, list: &CertList<'_>) -> Result<Vec<u8>, PortError> {
        let certificate = &self.ca.certificate;
        let algorithm = self.signer.signature_algorithm();
        // RFC 5280 §5.2.1 wants an identifier, also of a CA whose certificate has none.
        let identifier = certificate.subject_key_identifier();
        let to_be_signed = TbsCertList {
            signature_algorithm: algorithm,
            issuer: certificate.subject(),
            authority_key_identifier: &identifier.unwrap_or_else(|| self.signer.public_key().key_identifier().to_vec()),
            this_update: list.this_update,
            next_update: list.next_update,
            number: list.number,
            revoked: list.revoked,
        }
        .to_der();
        // One signature for a long time: it is not too expensive to check.
        let signature = sign_checked(&*self.signer, SignatureCheck::Always, &to_be_signed).await?;
        let der = assemble_cert_list(&to_be_signed, algorithm, &signature);
        let head = CrlHead::parse(&der).ok_or_else(|| PortError("what was made is not a readable CRL".into()))?;
        if head.issuer() != certificate.subject() || head.next_update() != list.next_update {
            return Err(PortError("what was made is another CRL: it was thrown away".into()));
        }
        Ok(der)
    }
}
