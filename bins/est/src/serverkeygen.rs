//! `est serverkeygen`.

use std::fs;
use std::path::PathBuf;

use est_backends::{FileSigner, RecipientKey, Signer, SymmetricKey, open};
use est_core::client::{Answer, Call};
use est_core::cms::Capabilities;
use est_core::pkix::{Certificate, GeneralNames, KeyType, pem};
use est_core::{KeyPart, Protection};
use zeroize::Zeroizing;

use crate::cli::{ProtectionArguments, ServerkeygenArguments};
use crate::enroll::file_stem;
use crate::file::{self, Readers};
use crate::issued::Issued;
use crate::key;
use crate::link::Link;
use crate::output::{Exit, Failure, describe, note, say};
use crate::peer::Peer;

pub(crate) async fn run(arguments: ServerkeygenArguments) -> Result<(), Failure> {
    let peer = Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?;
    let names = GeneralNames::from_names(&arguments.san);
    let stem = file_stem(&arguments.subject, &arguments.san);
    let key_path = arguments.key_out.unwrap_or_else(|| PathBuf::from(format!("{stem}.key")));
    let certificate_path = arguments.out.unwrap_or_else(|| PathBuf::from(format!("{stem}.pem")));
    if key_path == certificate_path {
        return Err(Failure::usage("--key-out and --out name the same file"));
    }
    // What the server sends is sent once: there must be a place for it.
    if key_path.exists() {
        let text = format!("{} is there already: move it away, or name another file by --key-out", key_path.display());
        return Err(Failure::error(text));
    }
    let (protection, own) = protection(&arguments.protection)?;

    // The key that signs the request is certified for nobody; it makes it the same request when it is sent again.
    let request_path = file::beside(&key_path, ".request");
    let signer = key::load_or_make(&request_path, Readers::Owner, arguments.key_type, KeyType::EcdsaP256)?;
    let link = Link::find(&peer, arguments.linking.link, arguments.patience.max_wait).await;
    let call = async |exporter| {
        let texts = link.texts(exporter);
        let (subject, names) = (arguments.subject.clone(), names.clone());
        let csr = key::sign_key_request(&signer, subject, names, &protection, &texts).await?;
        Ok(peer.authorize(Call::server_key_gen(peer.base_path(), peer.label.as_deref(), &csr)))
    };
    let answer = peer.ask_on(&link.tls, call, arguments.patience.max_wait).await;
    if answer.as_ref().err().is_none_or(|failure| failure.exit == Exit::Refused) {
        // Decided, either way: whatever is asked for next is another request.
        let _ = fs::remove_file(&request_path);
    }
    let Answer::KeyAndCertificates { key, certificates } = answer? else {
        return Err(Failure::error("the server sent something other than a key and a certificate"));
    };
    let pkcs8 = opened(key, own.as_ref(), arguments.server.cacert.as_deref())?;
    let made = FileSigner::from_der(&pkcs8, None)
        .map_err(|error| Failure::error(format!("the key that the server sent cannot be used: {error}")))?;
    let issued = Issued::find(certificates, made.public_key().as_der())?;
    let text = Zeroizing::new(pem::encode("PRIVATE KEY", &pkcs8));
    if !file::write_new(&key_path, &text, Readers::Owner)? {
        return Err(Failure::error(format!("{} has come to be there meanwhile", key_path.display())));
    }
    file::write(&certificate_path, &issued.to_pem(&[]), Readers::Anyone)?;
    say(&describe(&issued.certificate))?;
    for difference in issued.differences(&arguments.subject, names.as_ref()) {
        note(&format!("note: {difference}"));
    }
    if let Some(wanted) = arguments.key_type.filter(|wanted| *wanted != made.public_key().key_type()) {
        note(&format!("note: the server made a key of type {}, not {wanted}", made.public_key().key_type()));
    }
    say(&format!("certificate  {}\nkey          {}", certificate_path.display(), key_path.display()))?;
    Ok(())
}

/// How to have the key protected, and what will open it.
fn protection(arguments: &ProtectionArguments) -> Result<(Protection, Option<RecipientKey>), Failure> {
    let listed = |own: &RecipientKey| match arguments.capability.as_slice() {
        [] => own.capabilities(),
        listed => Capabilities::of(listed.iter().cloned()),
    };
    if let (Some(key_path), Some(certificate_path)) = (&arguments.decrypt_key, &arguments.decrypt_cert) {
        let text = Zeroizing::new(file::read_text(key_path)?);
        let own = RecipientKey::from_pem(&text, None)
            .map_err(|error| Failure::error(format!("{}: {error}", key_path.display())))?;
        let der = file::read_certificates(certificate_path)?.remove(0);
        let certificate = Certificate::parse(&der)
            .map_err(|error| Failure::error(format!("{}: {error}", certificate_path.display())))?;
        let key_id = certificate.subject_key_identifier().ok_or_else(|| {
            Failure::error(format!("{} lacks a subjectKeyIdentifier to name its key by", certificate_path.display()))
        })?;
        return Ok((Protection::Asymmetric { key_id, capabilities: listed(&own), shown: None }, Some(own)));
    }
    if let (Some(key_id), Some(path)) = (&arguments.kek_id, &arguments.kek_file) {
        let text = Zeroizing::new(file::read_text(path)?);
        let octets = file::from_hex(text.trim())
            .ok_or_else(|| Failure::error(format!("{} is not hexadecimal", path.display())))?;
        let key = SymmetricKey::new(octets).map_err(|error| Failure::error(format!("{}: {error}", path.display())))?;
        let own = RecipientKey::from(key);
        return Ok((Protection::Symmetric { key_id: key_id.0.clone(), capabilities: listed(&own) }, Some(own)));
    }
    if !arguments.capability.is_empty() {
        return Err(Failure::usage("--capability wants --decrypt-key or --kek-id"));
    }
    Ok((Protection::None, None))
}

/// The key in PKCS #8, DER.
fn opened(
    part: KeyPart,
    own: Option<&RecipientKey>,
    cacert: Option<&std::path::Path>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match (part, own) {
        (KeyPart::Pkcs8(der), None) => Ok(der),
        (KeyPart::Enveloped(message), Some(own)) => {
            let opened = open(&message, own).map_err(|error| Failure::error(error.to_string()))?;
            let known = cacert.map(file::read_certificates).transpose()?.unwrap_or_default();
            if !known.iter().any(|der| der == opened.signer.as_der()) {
                note(&format!("note: the key is signed by {}, which is not in --cacert", opened.signer.subject()));
            }
            Ok(opened.key)
        }
        (KeyPart::Pkcs8(_), Some(_)) => {
            Err(Failure::error("the server sent the key without the encryption that was asked for; it was thrown away"))
        }
        (KeyPart::Enveloped(_), None) => {
            Err(Failure::error("the server sent an encrypted key, although none was asked for"))
        }
    }
}
