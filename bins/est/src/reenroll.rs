//! `est reenroll`.

mod pair;

use est_backends::Signer;
use est_core::Seconds;
use est_core::client::{Answer, Call};

use crate::cli::ReenrollArguments;
use crate::issued::Issued;
use crate::key;
use crate::link::Link;
use crate::output::{Failure, describe, note, say};
use crate::peer::{Peer, now};

use pair::Pair;

pub(crate) async fn run(arguments: ReenrollArguments) -> Result<(), Failure> {
    let (Some(cert), Some(key_path)) = (&arguments.identity.cert, &arguments.identity.key) else {
        return Err(Failure::usage("--cert and --key name the certificate to renew and its key"));
    };
    if cert == key_path {
        return Err(Failure::usage(
            "--cert and --key name the same file: a renewal writes them apart, so put certificate and key into files \
             of their own first",
        ));
    }
    let pair = Pair::new(cert.clone(), key_path.clone());
    if pair.finish_interrupted()? {
        note("an earlier renewal had been interrupted after its certificate had come: the new pair is in place");
    }
    let peer = Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?;
    let Some(identity) = &peer.identity else {
        return Err(Failure::usage("--cert and --key name the certificate to renew and its key"));
    };
    let current = &identity.leaf;
    let threshold = arguments.if_expires_within.map(|span| now() + Seconds(span.as_secs()));
    if threshold.is_some_and(|threshold| threshold < current.not_after()) {
        say(&format!("not due: {} is valid until {}", cert.display(), current.not_after()))?;
        return Ok(());
    }
    if current.not_after() < now() {
        note(&format!(
            "warning: the certificate expired at {}; most servers want an enrollment anew",
            current.not_after()
        ));
    }

    let signer = if arguments.keep_key {
        key::load(key_path)?
    } else {
        let key_type = match arguments.key_type {
            Some(key_type) => key_type,
            None => key::load(key_path)?.public_key().key_type(),
        };
        key::load_or_make(&pair.new_key(), Some(key_type), key_type)?
    };
    let (subject, names) = (current.subject().clone(), current.subject_alt_name().cloned());
    let request = key::request(&signer, subject.clone(), names.clone());
    let link = Link::find(&peer, arguments.linking.link).await;
    let call = async |exporter| {
        let csr = key::sign(&signer, &request, &link.texts(exporter)).await?;
        Ok(peer.authorize(Call::simple_reenroll(peer.base_path(), peer.label.as_deref(), &csr)))
    };
    let Answer::Certificates(certificates) = peer.ask_on(&link.tls, call, arguments.patience.max_wait).await? else {
        return Err(Failure::error("the server sent something other than a certificate"));
    };
    let issued = Issued::find(certificates, signer.public_key().as_der())?;
    // The intermediates of old still serve while the issuer is the same.
    let same_issuer = issued.certificate.issuer() == current.issuer();
    let known_chain = if same_issuer { identity.intermediates() } else { &[] };
    pair.replace(&issued.to_pem(known_chain))?;
    say(&describe(&issued.certificate))?;
    for difference in issued.differences(&subject, names.as_ref()) {
        note(&format!("note: {difference}"));
    }
    say(&format!("certificate  {}\nkey          {}", cert.display(), key_path.display()))?;
    Ok(())
}
