//! A CA whose key a signer of ours holds.

use std::fmt;
use std::sync::Arc;

use est_core::pkix::{Certificate, KeyUsage, assemble_certificate};
use est_core::{Ca, CaBackend, Issuance, Order, PortError, PortFuture};

use crate::signer::{SignatureCheck, Signer, sign_checked};

/// Issues certificates by signing what was planned, exactly as it was emitted.
pub struct LocalCa {
    ca: Arc<Ca>,
    signer: Arc<dyn Signer>,
    check: SignatureCheck,
}

impl fmt::Debug for LocalCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCa").field("id", &self.ca.id).finish_non_exhaustive()
    }
}

/// Why a signer cannot sign for a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalCaError {
    /// The certificate's public key is not the signer's.
    OtherKey {
        /// The CA's id.
        ca: String,
    },
    /// basicConstraints does not say that the certificate is a CA's.
    NotACa {
        /// The CA's id.
        ca: String,
    },
    /// keyUsage is present without keyCertSign.
    KeyUsage {
        /// The CA's id.
        ca: String,
    },
    /// keyUsage is present without cRLSign, and a CRL is to be signed.
    CrlUsage {
        /// The CA's id.
        ca: String,
    },
}

impl fmt::Display for LocalCaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey { ca } => {
                write!(f, "the private key of CA `{ca}` does not belong to its certificate: give the file that does")
            }
            Self::NotACa { ca } => {
                write!(f, "the certificate of CA `{ca}` is not a CA certificate: its basicConstraints lacks CA:TRUE")
            }
            Self::KeyUsage { ca } => {
                write!(f, "the certificate of CA `{ca}` may not sign certificates: its keyUsage lacks keyCertSign")
            }
            Self::CrlUsage { ca } => {
                write!(f, "the certificate of CA `{ca}` may not sign CRLs: its keyUsage lacks cRLSign")
            }
        }
    }
}

impl std::error::Error for LocalCaError {}

impl LocalCa {
    /// Puts a CA and its signer together.
    ///
    /// # Errors
    /// [`LocalCaError`] when the signer's key is not the certificate's, or the certificate is not one that may sign
    /// certificates.
    pub fn new(ca: Arc<Ca>, signer: Arc<dyn Signer>, check: SignatureCheck) -> Result<Self, LocalCaError> {
        refuse_strangers(&ca, &*signer)?;
        if !ca.certificate.allows(KeyUsage::KEY_CERT_SIGN) {
            return Err(LocalCaError::KeyUsage { ca: ca.id.clone() });
        }
        Ok(Self { ca, signer, check })
    }

    async fn sign(&self, order: &Order) -> Result<Issuance, PortError> {
        if order.ca.certificate != self.ca.certificate {
            return Err(PortError(format!("an order for CA `{}` came to CA `{}`", order.ca.id, self.ca.id)));
        }
        let algorithm = self.signer.signature_algorithm();
        let to_be_signed = order.plan.to_be_signed(&self.ca.certificate, order.serial, algorithm);
        let signature = sign_checked(&*self.signer, self.check, &to_be_signed).await?;
        let der = assemble_certificate(to_be_signed, algorithm, &signature);
        // Read again from its octets: nothing is released that says anything else than was planned.
        let certificate = Certificate::parse(&der).map_err(|error| PortError(format!("what was made is {error}")))?;
        match order.plan.difference(&certificate, &self.ca.certificate, order.serial) {
            Some(field) => {
                Err(PortError(format!("the {field} is not what was planned: the certificate was thrown away")))
            }
            None => Ok(Issuance::Issued(der)),
        }
    }
}

/// The certificate must be a CA's, and the key the signer's.
pub(crate) fn refuse_strangers(ca: &Ca, signer: &dyn Signer) -> Result<(), LocalCaError> {
    if ca.certificate.public_key_der() != signer.public_key().as_der() {
        return Err(LocalCaError::OtherKey { ca: ca.id.clone() });
    }
    if !ca.certificate.is_ca() {
        return Err(LocalCaError::NotACa { ca: ca.id.clone() });
    }
    Ok(())
}

impl CaBackend for LocalCa {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        Box::pin(self.sign(order))
    }
}
