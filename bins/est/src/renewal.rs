//! One renewal: a certificate in place of another with the same names, and the files that change with it.

mod pair;

use std::path::Path;

use est_backends::{FileSigner, Signer, algorithms};
use est_core::client::{Answer, Call};
use est_core::pkix::Certificate;

use crate::cli::RenewalArguments;
use crate::file;
use crate::hook::Hook;
use crate::issued::Issued;
use crate::key;
use crate::link::Link;
use crate::output::{Failure, describe, note, say};
use crate::peer::{Peer, now};

use pair::Pair;

/// A certificate and its key in files, and the server that renews it.
pub(crate) struct Renewal<'a> {
    pub(crate) cert: &'a Path,
    pub(crate) hook: Hook<'a>,
    key: &'a Path,
    arguments: &'a RenewalArguments,
    pair: Pair,
}

impl<'a> Renewal<'a> {
    pub(crate) fn new(arguments: &'a RenewalArguments) -> Result<Self, Failure> {
        let (Some(cert), Some(key)) = (&arguments.identity.cert, &arguments.identity.key) else {
            return Err(Failure::usage("--cert and --key name the certificate to renew and its key"));
        };
        if file::resolved(cert) == file::resolved(key) {
            return Err(Failure::usage(
                "--cert and --key name the same file: a renewal writes them apart, so put certificate and key into \
                 files of their own first",
            ));
        }
        Ok(Self { cert, key, arguments, hook: Hook::new(arguments), pair: Pair::new(cert, key) })
    }

    /// The certificate in use, after a replacement that was interrupted has been finished.
    pub(crate) fn current(&self) -> Result<Certificate, Failure> {
        if self.pair.finish_interrupted()? {
            note("an earlier renewal had been interrupted after its certificate had come: the new pair is in place");
        }
        let certificates = file::read_certificates(self.cert)?;
        Certificate::parse(&certificates[0])
            .map_err(|error| Failure::error(format!("{}: its first certificate is {error}", self.cert.display())))
    }

    /// Gets a certificate for the names of the current one, and puts it in place with its key.
    pub(crate) async fn renew(&self) -> Result<Certificate, Failure> {
        let RenewalArguments { server, identity, linking, patience, .. } = self.arguments;
        let peer = Peer::new(server, identity, rustls::DEFAULT_VERSIONS)?.renewing();
        let Some(identity) = &peer.identity else {
            return Err(Failure::usage("--cert and --key name the certificate to renew and its key"));
        };
        let current = &identity.leaf;
        if current.not_after() < now() {
            let ended = current.not_after();
            note(&format!("warning: the certificate ended at {ended}; most servers want a new enrollment"));
        }
        let signer = self.signer()?;
        let (subject, names) = (current.subject().clone(), current.subject_alt_name().cloned());
        let request = key::request(&signer, subject.clone(), names.clone());
        let link = Link::find(&peer, linking.link, patience.max_wait).await;
        let call = async |exporter| {
            let csr = key::sign(&signer, &request, &link.texts(exporter)).await?;
            Ok(peer.authorize(Call::simple_reenroll(peer.base_path(), peer.label.as_deref(), &csr)))
        };
        let Answer::Certificates(certificates) = peer.ask_on(&link.tls, call, patience.max_wait).await? else {
            return Err(Failure::error("the server sent something other than a certificate"));
        };
        let issued = Issued::find(certificates, signer.public_key().as_der())?;
        self.hook.owe(if self.arguments.keep_key { &["certificate"] } else { &["certificate", "key"] })?;
        self.pair.replace(&issued.to_pem(self.chain(&issued.certificate, identity.intermediates())))?;
        for difference in issued.differences(&subject, names.as_ref()) {
            note(&format!("note: {difference}"));
        }
        if issued.certificate.not_after() <= current.not_after() {
            note("note: it ends no later than the one before: the CA's own certificate may be about to end");
        }
        Ok(issued.certificate)
    }

    /// Says what has been renewed, and where it is.
    pub(crate) fn report(&self, renewed: &Certificate) -> Result<(), Failure> {
        let (certificate, key) = (self.cert.display(), self.key.display());
        say(&format!("{}\ncertificate  {certificate}\nkey          {key}", describe(renewed)))
    }

    /// The key to have certified: the one in use, or one that waits beside it.
    fn signer(&self) -> Result<FileSigner, Failure> {
        if self.arguments.keep_key {
            return key::load(self.key);
        }
        let key_type = match self.arguments.key_type {
            Some(key_type) => key_type,
            None => key::load(self.key)?.public_key().key_type(),
        };
        key::load_or_make(&self.pair.new_key(), self.pair.key_readers(), Some(key_type), key_type)
    }

    /// The intermediates of old, while their first one has issued this certificate, too.
    fn chain<'c>(&self, issued: &Certificate, known: &'c [Vec<u8>]) -> &'c [Vec<u8>] {
        let issuer = known.first().and_then(|der| Certificate::parse(der).ok());
        match issuer {
            Some(issuer) if issued.is_issued_by(&issuer, algorithms()) => known,
            Some(_) => {
                let cert = self.cert.display();
                note(&format!(
                    "note: another CA has issued it, so the intermediate certificates in {cert} are left out: \
                     `est cacerts` fetches those of the new one"
                ));
                &[]
            }
            None => &[],
        }
    }
}
