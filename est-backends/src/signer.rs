//! What makes signatures.

pub(crate) mod file;

use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use est_core::{PortError, PortFuture};

use crate::aws_lc;

/// Makes signatures with one private key, wherever that is.
pub trait Signer: Send + Sync {
    /// The AlgorithmIdentifier of its signatures, DER.
    fn signature_algorithm(&self) -> &[u8];

    /// The public half of its key.
    fn public_key(&self) -> &SubjectPublicKeyInfo;

    /// Signs `message`: hashes it, as far as the algorithm does, and returns the contents of the signature BIT STRING.
    ///
    /// # Errors
    /// [`PortError`] when no signature could be made.
    fn sign<'a>(&'a self, message: &'a [u8]) -> PortFuture<'a, Vec<u8>>;

    /// Whether the key lies in this process's own memory. A signer outside of it (a token, a remote service) can
    /// answer with anything.
    fn is_in_process(&self) -> bool;
}

/// Which signatures are verified before anybody sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Every one.
    Always,
    /// Those made with RSA, where one faulty signature gives the private key away (the CRT fault attack), and those
    /// made outside the process.
    #[default]
    WhereFaultsLeak,
}

impl SignatureCheck {
    fn applies_to(self, signer: &dyn Signer) -> bool {
        match self {
            Self::Always => true,
            Self::WhereFaultsLeak => {
                !signer.is_in_process() || matches!(signer.public_key().key_type(), KeyType::Rsa(_))
            }
        }
    }
}

/// Signs `message` and verifies the signature where `check` wants it.
pub(crate) async fn sign_checked(
    signer: &dyn Signer,
    check: SignatureCheck,
    message: &[u8],
) -> Result<Vec<u8>, PortError> {
    let signature = signer.sign(message).await?;
    if check.applies_to(signer)
        && !aws_lc::verifies(signer.public_key(), signer.signature_algorithm(), message, &signature)
    {
        return Err(PortError("the signer made a signature that does not verify: it was thrown away".into()));
    }
    Ok(signature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::FileSigner;

    /// Flips one bit of every signature, as a fault would.
    struct Faulty {
        signer: FileSigner,
        in_process: bool,
    }

    impl Signer for Faulty {
        fn signature_algorithm(&self) -> &[u8] {
            self.signer.signature_algorithm()
        }

        fn public_key(&self) -> &SubjectPublicKeyInfo {
            self.signer.public_key()
        }

        fn sign<'a>(&'a self, message: &'a [u8]) -> PortFuture<'a, Vec<u8>> {
            Box::pin(async move {
                let mut signature = self.signer.sign(message).await?;
                *signature.last_mut().unwrap() ^= 1;
                Ok(signature)
            })
        }

        fn is_in_process(&self) -> bool {
            self.in_process
        }
    }

    fn faulty(key_type: KeyType, in_process: bool) -> Faulty {
        Faulty { signer: FileSigner::generate(key_type).unwrap().0, in_process }
    }

    #[tokio::test]
    async fn never_hands_on_a_faulty_rsa_signature() {
        let signer = faulty(KeyType::Rsa(2048), true);
        assert!(sign_checked(&signer, SignatureCheck::WhereFaultsLeak, b"message").await.is_err());
        assert!(sign_checked(&signer.signer, SignatureCheck::WhereFaultsLeak, b"message").await.is_ok());
    }

    #[tokio::test]
    async fn never_hands_on_a_faulty_signature_from_outside_the_process() {
        let signer = faulty(KeyType::EcdsaP256, false);
        assert!(sign_checked(&signer, SignatureCheck::WhereFaultsLeak, b"message").await.is_err());
    }

    #[tokio::test]
    async fn checks_every_other_signature_only_when_told_to() {
        let signer = faulty(KeyType::EcdsaP256, true);
        assert!(sign_checked(&signer, SignatureCheck::WhereFaultsLeak, b"message").await.is_ok());
        assert!(sign_checked(&signer, SignatureCheck::Always, b"message").await.is_err());
        assert!(sign_checked(&signer.signer, SignatureCheck::Always, b"message").await.is_ok());
    }
}
