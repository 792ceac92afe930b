//! Settings in, a working set of ports out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use est_auth::{
    AnyOf, CertificateAuthenticator, Hashing, Inventory, PasswordAuthenticator, PasswordState, Passwords,
    PathValidator, Purpose, RevocationPolicy, StoredPassword,
};
use est_backends::{Cas, FileSigner, LocalCa, LocalKeyGenerator, SignatureCheck, Signer as _, decrypt_pkcs8};
use est_core::pkix::{Certificate, KeyUsage, pem};
use est_core::{Authenticator, KeyGenerator, NoKeyGenerator, PortError, PortFuture, Ports, Secret, Site, UnixTime};
use est_store::Database;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::{
    Ca, ClientAuthMode, ClientPurpose, ClientRevocation, KeyFile, RsaPadding, SecretSource, Settings, Tls,
    TlsCertificate,
};
use crate::crls::{self, CrlFiles};
use crate::shell;
use crate::telemetry::logged;

/// Why a server cannot be put together. Its text is for the operator.
#[derive(Debug)]
pub struct WiringError(pub(crate) String);

impl std::fmt::Display for WiringError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WiringError {}

impl WiringError {
    /// About a file.
    pub(crate) fn about(path: &Path, error: &dyn std::error::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

/// What stands behind a server.
pub struct Services {
    /// The ports, for EST.
    pub ports: Ports,
    /// Validates client certificates; `None` when none are asked for.
    pub paths: Option<ClientPaths>,
}

/// Validates client certificates.
pub struct ClientPaths {
    /// The validator.
    pub validator: Arc<PathValidator>,
    /// Where its CRLs come from, if it asks some.
    pub crls: Option<CrlFiles>,
}

/// Reads a private key from its file.
///
/// # Errors
/// [`WiringError`] with the file's name and what to do.
pub fn signer(key: &KeyFile) -> Result<FileSigner, WiringError> {
    let text = read_secret(&key.path)?;
    FileSigner::from_pem(&text, passphrase(key)?.as_ref())
        .map_err(|error| WiringError(format!("{}: {error}", key.path.display())))
}

/// Reads a CA's private key from its file; it will sign as the configuration says.
///
/// # Errors
/// [`WiringError`] with the file's name and what to do.
pub fn ca_signer(ca: &Ca) -> Result<FileSigner, WiringError> {
    Ok(signer(&ca.key)?.with_rsa_padding(rsa_padding(ca)))
}

/// A key of a CA that makes CRLs.
#[derive(Clone, Debug)]
pub struct CaKey {
    /// The root, or else the CA's certificate, that it belongs to.
    pub certificate: Certificate,
    /// Where it is.
    pub key: KeyFile,
}

/// The keys of a CA that make CRLs: its own first, then those of other roots. Reads the latter.
///
/// # Errors
/// [`WiringError`] when one cannot be read, or is of no certificate in `rollover` that may sign CRLs.
pub fn crl_keys(ca: &Ca) -> Result<Vec<CaKey>, WiringError> {
    let mut keys = vec![CaKey { certificate: ca.certificate.clone(), key: ca.key.clone() }];
    for key in &ca.rollover_keys {
        let read = signer(key)?;
        let is_of_it = |one: &&Certificate| {
            one.public_key_der() == read.public_key().as_der()
                && one.subject() == ca.certificate.subject()
                && one.allows(KeyUsage::CRL_SIGN)
        };
        let certificate = ca.rollover.iter().find(is_of_it).ok_or_else(|| {
            let text = "it is not the key of a certificate in `rollover` with the CA's name: set rollover_key to the key \
                        of the other root, or leave it out";
            WiringError(format!("{}: {text}", key.path.display()))
        })?;
        if keys.iter().all(|known| known.certificate.key_digest() != certificate.key_digest()) {
            keys.push(CaKey { certificate: certificate.clone(), key: key.clone() });
        }
    }
    Ok(keys)
}

/// How a CA pads what it signs with RSA.
#[must_use]
pub fn rsa_padding(ca: &Ca) -> est_backends::RsaPadding {
    match ca.rsa_padding {
        RsaPadding::Pkcs1 => est_backends::RsaPadding::Pkcs1,
        RsaPadding::Pss => est_backends::RsaPadding::Pss,
    }
}

/// The certificates that a TLS server can show, each with its key.
///
/// # Errors
/// [`WiringError`] with the file's name when a key cannot be read or is not its certificate's.
pub fn tls_certificates(tls: &Tls) -> Result<Vec<Arc<CertifiedKey>>, WiringError> {
    tls.certificates.iter().map(tls_certificate).collect()
}

/// A certificate that a TLS server can show, with its key.
///
/// # Errors
/// As [`tls_certificates`].
pub fn tls_certificate(certificate: &TlsCertificate) -> Result<Arc<CertifiedKey>, WiringError> {
    certified(certificate, &tls_key_file(certificate))
}

/// The file that holds the key of a certificate: its own, or the [`new_key_file`] where that alone fits, since a renewal was
/// interrupted between the two files that it replaces.
#[must_use]
pub fn tls_key_file(certificate: &TlsCertificate) -> PathBuf {
    let (own, new) = (&certificate.key.path, new_key_file(&certificate.key.path));
    if certified(certificate, own).is_err() && certified(certificate, &new).is_ok() { new } else { own.clone() }
}

/// Where a new key waits beside this one, or beside what a link there leads to, until its certificate is in place.
#[must_use]
pub fn new_key_file(key: &Path) -> PathBuf {
    let mut path = fs::canonicalize(key).unwrap_or_else(|_| key.to_owned()).into_os_string();
    path.push(".new");
    path.into()
}

fn certified(certificate: &TlsCertificate, key: &Path) -> Result<Arc<CertifiedKey>, WiringError> {
    let failed = |error: &dyn std::fmt::Display| WiringError(format!("{}: {error}", key.display()));
    let text = read_secret(key)?;
    let passphrase = passphrase(&certificate.key)?;
    let private = private_key(&text, passphrase.as_ref()).map_err(|error| failed(&error))?;
    let private = aws_lc_rs::sign::any_supported_type(&private).map_err(|error| {
        // The reader of the CAs' keys reports better why a key is not one.
        match FileSigner::from_pem(&text, passphrase.as_ref()) {
            Err(why) => failed(&why),
            Ok(_) => failed(&error),
        }
    })?;
    let chain = certificate.chain.iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
    let certified = CertifiedKey::new(chain, private);
    match certified.keys_match() {
        Ok(()) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let subject = certificate.chain.first().map(|leaf| leaf.subject().to_string()).unwrap_or_default();
            Err(failed(&format!("it is not the key of the certificate of {subject}: give the file that is")))
        }
        Err(error) => Err(failed(&error)),
    }
}

fn private_key(text: &str, passphrase: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    let blocks = pem::decode(text).unwrap_or_default();
    match blocks.into_iter().find(|block| block.label == "ENCRYPTED PRIVATE KEY") {
        Some(block) => {
            let decrypted = decrypt_pkcs8(&block.contents, passphrase).map_err(|error| error.to_string())?;
            Ok(PrivatePkcs8KeyDer::from(decrypted.to_vec()).into())
        }
        None => PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| error.to_string()),
    }
}

/// What a key is encrypted with.
fn passphrase(key: &KeyFile) -> Result<Option<Secret>, WiringError> {
    key.passphrase.as_ref().map(SecretSource::read).transpose().map_err(|error| WiringError(error.to_string()))
}

/// Reads a file that holds a secret; the copy in memory is overwritten when it is dropped.
///
/// # Errors
/// [`WiringError`] with the file's name.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, WiringError> {
    let text = fs::read_to_string(path);
    text.map(Zeroizing::new).map_err(|error| WiringError(format!("cannot read {}: {error}", path.display())))
}

/// Puts the ports together; passwords are hashed as `hashing` gives turns.
///
/// # Errors
/// [`WiringError`] when a key cannot be read or is not its certificate's.
pub fn services(
    settings: &Settings,
    site: &Site,
    store: &Database,
    hashing: &Arc<Hashing>,
) -> Result<Services, WiringError> {
    let paths = client_paths(settings)?;
    let mut authenticators: Vec<Arc<dyn Authenticator>> = Vec::new();
    if let Some(paths) = &paths {
        let inventory = Arc::new(Stored(store.clone()));
        authenticators.push(Arc::new(CertificateAuthenticator::new(paths.validator.clone(), inventory)));
    }
    if settings.otp.enabled {
        let entropy = shell::entropy().map_err(|error| WiringError(error.to_string()))?;
        authenticators.push(Arc::new(PasswordAuthenticator::new(
            Arc::new(Stored(store.clone())),
            settings.otp.hasher().map_err(WiringError)?,
            settings.otp.lockout,
            hashing.clone(),
            &entropy,
        )));
    }
    let ports = Ports {
        authenticator: Arc::new(AnyOf::new(authenticators)),
        ca: Arc::new(backends(settings, site)?),
        keys: key_generator(settings, site)?,
        store: Arc::new(store.clone()),
    };
    let ports = logged(ports);
    #[cfg(feature = "fault-points")]
    let ports = crate::fault::around(ports);
    Ok(Services { ports, paths })
}

/// Validates client certificates; `None` when none are asked for.
///
/// # Errors
/// [`WiringError`] when a trust anchor or a CRL cannot be used.
pub fn client_paths(settings: &Settings) -> Result<Option<ClientPaths>, WiringError> {
    let client_auth = &settings.tls.client_auth;
    if client_auth.mode == ClientAuthMode::None {
        return Ok(None);
    }
    let purpose = match client_auth.ext_key_usage {
        ClientPurpose::ClientAuth => Purpose::ClientAuth,
        ClientPurpose::Any => Purpose::Any,
    };
    let octets =
        |certificates: &[Certificate]| certificates.iter().map(|one| one.as_der().to_vec()).collect::<Vec<_>>();
    let validator =
        PathValidator::new(&octets(&client_auth.trust_anchors), &octets(&client_auth.intermediates), purpose)
            .map_err(|error| WiringError(format!("tls.client_auth.trust_anchors: {error}")))?
            .with_algorithms(est_backends::algorithms())
            .with_own_cas(own_cas(settings))
            .with_expired_grace(client_auth.expired_grace);
    if client_auth.crls.is_empty() {
        return Ok(Some(ClientPaths { validator: Arc::new(validator), crls: None }));
    }
    let policy = match client_auth.revocation {
        ClientRevocation::Hard => RevocationPolicy::Hard,
        ClientRevocation::Soft => RevocationPolicy::Soft,
    };
    let (files, crls) = CrlFiles::read(client_auth.crls.clone())
        .map_err(|error| WiringError(format!("tls.client_auth.crls: {error}")))?;
    crls::tell(&crls);
    Ok(Some(ClientPaths { validator: Arc::new(validator.with_crls(crls, policy)), crls: Some(files) }))
}

/// The certificates of the CAs here, also those of the keys before and after a rollover. `rollover` may have certificates of
/// the CAs above, too: what those issued, the inventory does not know.
#[must_use]
pub fn own_cas(settings: &Settings) -> Vec<Certificate> {
    let of_ca = |ca: &Ca| {
        let own = ca.rollover.iter().filter(|one| one.subject() == ca.certificate.subject()).cloned();
        std::iter::once(ca.certificate.clone()).chain(own).collect::<Vec<_>>()
    };
    settings.cas.iter().flat_map(of_ca).collect()
}

/// The CAs that the labels of `site` name.
///
/// # Errors
/// [`WiringError`] when a key cannot be read or is not its certificate's.
pub fn backends(settings: &Settings, site: &Site) -> Result<Cas, WiringError> {
    let labels = site.labels.values().chain(&site.default_label);
    let mut cas: Vec<Arc<est_core::Ca>> = labels.map(|label| label.ca.clone()).collect();
    cas.sort_by(|one, other| one.id.cmp(&other.id));
    cas.dedup_by(|one, other| one.id == other.id);
    let mut backends = Cas::new();
    for ca in cas {
        let Some(settings) = settings.cas.iter().find(|settings| settings.id == ca.id) else {
            return Err(WiringError(format!("a label names the CA {}, which is not configured", ca.id)));
        };
        let signer = ca_signer(settings)?;
        let check = if settings.check_signatures { SignatureCheck::Always } else { SignatureCheck::WhereFaultsLeak };
        let backend = LocalCa::new(ca.clone(), Arc::new(signer), check)
            .map_err(|error| WiringError(format!("{}: {error}", settings.key.path.display())))?;
        backends = backends.with(ca.id.clone(), Arc::new(backend));
    }
    Ok(backends)
}

/// Makes keys for clients, where `/serverkeygen` is served. The CA of requests without a label signs what is encrypted;
/// where there is none, the first.
fn key_generator(settings: &Settings, site: &Site) -> Result<Arc<dyn KeyGenerator>, WiringError> {
    if !settings.est.operations.serverkeygen {
        return Ok(Arc::new(NoKeyGenerator));
    }
    let unlabelled = site.default_label.as_ref().map(|label| &label.ca.id);
    let own = settings.cas.iter().find(|ca| unlabelled.is_none_or(|id| *id == ca.id));
    let own = own.ok_or_else(|| WiringError("the CA of requests without a label is not configured".to_owned()))?;
    let mut generator = LocalKeyGenerator::new(Arc::new(ca_signer(own)?), own.certificate.clone());
    for shared in &settings.est.symmetric_keys {
        generator = generator.with_symmetric_key(shared.id.clone(), shared.key.clone());
    }
    for recipient in &settings.est.recipients {
        generator = generator.with_recipient(recipient.clone());
    }
    Ok(Arc::new(generator))
}

/// The store, as the authenticators see it.
struct Stored(Database);

impl Inventory for Stored {
    fn is_revoked<'a>(&'a self, certificate: &'a Certificate) -> PortFuture<'a, bool> {
        Box::pin(async move {
            let revoked = self.0.is_revoked(certificate).await;
            revoked.map_err(|error| PortError(error.to_string()))
        })
    }
}

impl Passwords for Stored {
    fn find<'a>(&'a self, id: &'a str, now: UnixTime) -> PortFuture<'a, Option<StoredPassword>> {
        Box::pin(async move {
            let found = self.0.password(id, now).await.map_err(|error| PortError(error.to_string()))?;
            let Some(found) = found else { return Ok(None) };
            let state = match (found.is_revoked, found.has_expired) {
                (true, _) => PasswordState::Revoked,
                (false, true) => PasswordState::Expired,
                (false, false) => PasswordState::Good,
            };
            Ok(Some(StoredPassword {
                hash: found.hash.reveal().to_owned(),
                entity: found.entity,
                expires: found.expires,
                label: found.label,
                names: found.names,
                state,
            }))
        })
    }

    fn locked_until<'a>(&'a self, who: &'a [String], now: UnixTime) -> PortFuture<'a, Option<UnixTime>> {
        Box::pin(async move {
            let locked = self.0.locked_until(who, now).await;
            locked.map_err(|error| PortError(error.to_string()))
        })
    }
}
