//! `est cacerts`.

use std::path::Path;

use est_core::client::{Answer, Call};
use est_core::pkix::{Certificate, Fingerprint};

use crate::anchors;
use crate::cli::CacertsArguments;
use crate::file::{self, Readers};
use crate::output::{Failure, describe, note, say};
use crate::peer::{Peer, READ_PATIENCE, now};

pub(crate) async fn run(arguments: CacertsArguments) -> Result<(), Failure> {
    let is_authenticated = arguments.server.cacert.is_some();
    let peer = if is_authenticated {
        Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?
    } else {
        Peer::unauthenticated(&arguments.server, &arguments.identity)?
    };
    let call = Call::ca_certs(peer.base_path(), peer.label.as_deref());
    let Answer::Certificates(certificates) = peer.ask(call, READ_PATIENCE).await? else {
        return Err(Failure::error("the server sent something other than certificates"));
    };
    let certificates = read(&certificates)?;

    // Where the certificates themselves go to standard output, the words about them do not.
    let to_stdout = arguments.out.as_deref() == Some(Path::new("-"));
    let tell = |text: &str| match to_stdout {
        true => {
            note(text);
            Ok(())
        }
        false => say(text),
    };
    for certificate in &certificates {
        tell(&format!("role         {}\n{}\n", anchors::role(certificate, &certificates), describe(certificate)))?;
        if certificate.not_after() < now() {
            note("warning: this certificate has expired\n");
        }
    }
    let kept = vouched_for(certificates, &arguments.fingerprint)?;
    if !is_authenticated && arguments.fingerprint.is_empty() {
        note(
            "warning: the server was NOT authenticated. Compare each SHA-256 fingerprint with the one that the CA's \
             operator tells you in another way before you trust these certificates, or let --fingerprint do it.",
        );
    }
    let pem = file::certificates_to_pem(kept.iter().map(Certificate::as_der));
    match &arguments.out {
        Some(_) if to_stdout => say(pem.trim_end())?,
        Some(path) => {
            file::write(path, &pem, Readers::Anyone)?;
            note(&format!("wrote {} of these certificates to {}", kept.len(), path.display()));
        }
        None => {}
    }
    Ok(())
}

/// Reads every certificate; the roots first, since readers of the file may look no further.
fn read(certificates: &[Vec<u8>]) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = certificates
        .iter()
        .map(|der| Certificate::parse(der).map_err(|error| Failure::error(format!("the server sent {error}"))))
        .collect::<Result<Vec<_>, _>>()?;
    certificates.sort_by_key(|certificate| !certificate.is_self_issued());
    Ok(certificates)
}

/// Keeps what has one of the fingerprints, or everything where none is given.
///
/// One right fingerprint says nothing about the certificates beside it, which an impostor could have added.
fn vouched_for(certificates: Vec<Certificate>, fingerprints: &[[u8; 32]]) -> Result<Vec<Certificate>, Failure> {
    let has = |certificate: &Certificate, fingerprint: &[u8; 32]| certificate.fingerprint().0 == *fingerprint;
    for fingerprint in fingerprints {
        if !certificates.iter().any(|certificate| has(certificate, fingerprint)) {
            return Err(Failure::error(format!(
                "no certificate of the server has the fingerprint {}: it is not the server you mean, or somebody is \
                 in between. Nothing was written",
                Fingerprint(*fingerprint)
            )));
        }
    }
    let is_kept = |certificate: &Certificate| fingerprints.iter().any(|fingerprint| has(certificate, fingerprint));
    let all = fingerprints.is_empty();
    Ok(certificates.into_iter().filter(|certificate| all || is_kept(certificate)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::issued::tests::certificate;
    use est_backends::FileSigner;
    use est_core::pkix::KeyType;

    #[test]
    fn keeps_only_what_a_fingerprint_vouches_for() {
        let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let (root, added) = (certificate(&signer, "CN=Root"), certificate(&signer, "CN=Added"));
        let certificates = || read(&[added.clone(), root.clone()]).unwrap();
        let fingerprint = Certificate::parse(&root).unwrap().fingerprint().0;
        let kept = vouched_for(certificates(), &[fingerprint]).unwrap();
        assert_eq!(kept.iter().map(Certificate::as_der).collect::<Vec<_>>(), [root.as_slice()]);
        assert_eq!(vouched_for(certificates(), &[]).unwrap().len(), 2);
        let failure = vouched_for(certificates(), &[fingerprint, [0; 32]]).unwrap_err();
        assert!(failure.text.contains("00:00"), "{}", failure.text);
    }
}
