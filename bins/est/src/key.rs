//! Private keys in files, and certification requests signed with them.

use std::path::Path;

use est_backends::{FileSigner, Signer};
use est_core::Protection;
use est_core::pkix::{CsrTemplate, GeneralNames, KeyType, Name, Oid, assemble_csr};
use zeroize::Zeroizing;

use crate::file::{self, Readers};
use crate::output::{Failure, note};

pub(crate) fn load(path: &Path) -> Result<FileSigner, Failure> {
    let text = Zeroizing::new(file::read_text(path)?);
    warn_if_exposed(path);
    FileSigner::from_pem(&text, None).map_err(|error| Failure::error(format!("{}: {error}", path.display())))
}

/// Loads the key at `path`, or makes one and writes it there, for `readers`, before anything else happens with it: of
/// the type that is `wanted`, or else of the `usual` one.
pub(crate) fn load_or_make(
    path: &Path,
    readers: Readers,
    wanted: Option<KeyType>,
    usual: KeyType,
) -> Result<FileSigner, Failure> {
    if !path.exists() {
        let made = wanted.unwrap_or(usual);
        let (signer, text) = FileSigner::generate(made)
            .map_err(|error| Failure::error(format!("a key of type {made} cannot be made: {error}")))?;
        if file::write_new(path, &text, readers)? {
            note(&format!("made a key of type {made}: {}", path.display()));
            return Ok(signer);
        }
    }
    let signer = load(path)?;
    let found = signer.public_key().key_type();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(Failure::error(format!(
            "{} holds a key of type {found} already, not {wanted}: move it away, or name another file",
            path.display()
        )));
    }
    note(&format!("using the key of type {found} that is in {}", path.display()));
    Ok(signer)
}

fn warn_if_exposed(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
        // A group that may read it is the service that uses it.
        if mode & 0o037 != 0 {
            let text = "warning: others than its owner and its group may use";
            note(&format!("{text} {} (mode {:03o})", path.display(), mode & 0o777));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// A request for these names, to be signed by `signer`.
pub(crate) fn request(signer: &FileSigner, subject: Name, subject_alt_name: Option<GeneralNames>) -> CsrTemplate {
    let public_key = signer.public_key().clone();
    CsrTemplate { subject, subject_alt_name, public_key, challenge_password: None, extensions: Vec::new() }
}

/// Signs a request, with `texts` as further attributes of one text each; returns the PKCS #10, DER.
pub(crate) async fn sign(
    signer: &FileSigner,
    request: &CsrTemplate,
    texts: &[(Oid, String)],
) -> Result<Vec<u8>, Failure> {
    let to_be_signed = request.to_be_signed_with(texts);
    finish(signer, to_be_signed).await
}

/// A request for a key that the server makes and is to protect like this; signed all the same.
pub(crate) async fn sign_key_request(
    signer: &FileSigner,
    subject: Name,
    subject_alt_name: Option<GeneralNames>,
    protection: &Protection,
    texts: &[(Oid, String)],
) -> Result<Vec<u8>, Failure> {
    let to_be_signed = request(signer, subject, subject_alt_name).to_be_signed_for(protection, texts);
    finish(signer, to_be_signed).await
}

async fn finish(signer: &FileSigner, to_be_signed: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let signature = signer.sign(&to_be_signed).await;
    let signature = signature.map_err(|error| Failure::error(format!("the request cannot be signed: {error}")))?;
    Ok(assemble_csr(to_be_signed, signer.signature_algorithm(), &signature))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::file::Scratch;
    use est_core::pkix::{Csr, GeneralName};

    #[test]
    fn uses_the_key_that_is_there() {
        let scratch = Scratch::new("key");
        let path = scratch.path("device.key");
        let made = load_or_make(&path, Readers::Owner, None, KeyType::EcdsaP256).unwrap();
        let again = load_or_make(&path, Readers::Owner, Some(KeyType::EcdsaP256), KeyType::Ed25519).unwrap();
        assert_eq!(made.public_key(), again.public_key());
        let failure = load_or_make(&path, Readers::Owner, Some(KeyType::Ed25519), KeyType::Ed25519).err().unwrap();
        assert!(failure.text.contains("holds a key of type ecdsa-p256 already"), "{}", failure.text);
    }

    #[tokio::test]
    async fn signs_a_request_that_proves_possession() {
        let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let subject = Name::from_text("CN=device-1").unwrap();
        let names = GeneralNames::from_names(&[GeneralName::from_text("DNS:a.example").unwrap()]);
        let csr = sign(&signer, &request(&signer, subject.clone(), names.clone()), &[]).await.unwrap();
        let csr = Csr::parse(&csr, est_backends::algorithms()).unwrap();
        assert_eq!((csr.subject(), csr.subject_alt_name()), (&subject, names.as_ref()));
        assert_eq!(csr.public_key(), signer.public_key());
    }
}
