//! An offline root: a folder with its key, its certificate, its last CRL, and what it has certified.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use est_backends::authority::{self, SubordinateCa, Validity};
use est_backends::{CertList, CrlSigner, FileSigner, Signer as _, encrypt_pkcs8};
use est_core::pkix::{
    Certificate, Csr, IssuedCrl, KeyType, Name, RevocationReason, RevokedCertificate, SubjectPublicKeyInfo, pem,
};
use est_core::{Body, Ca, Seconds, Secret, UnixTime};
use host::shell;
use zeroize::Zeroizing;

use super::super::init::serial;
use crate::cli::{Certify, NewRoot, Root, RootCrl};
use crate::file::{self, Readers};
use crate::output;

const KEY: &str = "root-key.pem";
/// The root's certificate in its folder.
pub(crate) const CERTIFICATE: &str = "root.pem";
const CRL: &str = "root.crl";

const CRL_VALIDITY: Seconds = Seconds::from_days(365);

/// `estd ca root`.
pub(super) async fn make(options: &NewRoot) -> Result<()> {
    let subject = ca_name(&options.subject).context("--subject")?;
    let validity = Validity { not_before: shell::now(), span: Seconds::from_days(options.days) };
    let at = Root { root: options.dir.clone(), passphrase_file: options.passphrase_file.clone() };
    let root = OfflineRoot::make(&at, &subject, options.key_type, validity).await?;
    root.tell_made()?;
    Ok(output::line(format!(
        "certify a CA: estd ca certify --root {} --csr ca.csr --out ca.pem",
        output::path(&options.dir)
    ))?)
}

/// `estd ca certify`.
pub(super) async fn certify(options: &Certify) -> Result<()> {
    let root = OfflineRoot::open(&options.root)?;
    file::refuse_existing(Path::new(""), &[&options.out.to_string_lossy()])?;
    if let Some(folder) = options.out.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        bail!("--out {}: the folder {} does not exist", options.out.display(), folder.display());
    }
    let body = fs::read(&options.csr).with_context(|| format!("cannot read {}", options.csr.display()))?;
    let csr = Body::Text(body).into_der(false).map_err(|refusal| anyhow::anyhow!("{refusal}"));
    let csr = csr.and_then(|der| Ok(Csr::parse(&der, est_backends::algorithms())?));
    let csr = csr.with_context(|| options.csr.display().to_string())?;
    let wanted = Below {
        subject: csr.subject(),
        public_key: csr.public_key(),
        validity: Validity { not_before: shell::now(), span: Seconds::from_days(options.days) },
        path_length: options.path_length,
        crl_urls: &options.crl_urls,
    };
    let made = root.certify(&wanted).await?;
    let text = [&made, &root.certificate].map(|one| pem::encode("CERTIFICATE", one.as_der())).concat();
    file::write_new(&options.out, &text, Readers::All)?;
    Ok(output::line(format!(
        "certified {}, until {}, in {}; its SHA-256 fingerprint is {}",
        made.subject(),
        made.not_after(),
        options.out.display(),
        made.fingerprint()
    ))?)
}

/// `estd ca root-crl`.
pub(super) async fn next_crl(options: &RootCrl) -> Result<()> {
    let root = OfflineRoot::open(&options.root)?;
    let mut revoked = Vec::new();
    for path in &options.revoke {
        let certificate = file::certificates(path)?.swap_remove(0);
        if !certificate.is_issued_by(&root.certificate, est_backends::algorithms()) || certificate == root.certificate {
            bail!("{}: {} is not a certificate that this root issued", path.display(), certificate.subject());
        }
        revoked.push(certificate);
    }
    let validity = Validity { not_before: shell::now(), span: Seconds::from_days(options.days) };
    let (number, listed) = root.publish(&revoked, options.reason, validity).await?;
    Ok(output::line(format!(
        "made CRL {number} in {}, which lists {}; publish it where the CAs' certificates say",
        root.folder.join(CRL).display(),
        super::super::count(listed, "certificate")
    ))?)
}

/// A root whose folder is there.
pub(crate) struct OfflineRoot {
    folder: PathBuf,
    pub(crate) certificate: Certificate,
    signer: Arc<FileSigner>,
    is_encrypted: bool,
}

/// A CA to be certified by a root.
pub(crate) struct Below<'a> {
    pub(crate) subject: &'a Name,
    pub(crate) public_key: &'a SubjectPublicKeyInfo,
    pub(crate) validity: Validity,
    pub(crate) path_length: u8,
    pub(crate) crl_urls: &'a [String],
}

impl OfflineRoot {
    /// Whether the folder has a root.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(KEY).exists()
    }

    /// Makes a root and its first CRL. With a passphrase the key is encrypted.
    ///
    /// # Errors
    /// When the folder has one already: nothing is overwritten.
    pub(crate) async fn make(at: &Root, subject: &Name, key_type: KeyType, validity: Validity) -> Result<Self> {
        let folder = &at.root;
        let passphrase = at.passphrase_file.as_deref().map(passphrase).transpose()?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        file::refuse_existing(folder, &[KEY, CERTIFICATE, CRL])?;
        let (signer, key_pem) = FileSigner::generate(key_type).context("the key of the root")?;
        let der = authority::self_signed_ca(subject, &signer, validity, serial()?).await?;
        let certificate = Certificate::parse(&der).context("the root's certificate just made")?;
        let key_pem = match &passphrase {
            Some(passphrase) => encrypted(&key_pem, passphrase)?,
            None => key_pem,
        };
        let (signer, is_encrypted) = (Arc::new(signer), passphrase.is_some());
        let root = Self { folder: folder.clone(), certificate, signer, is_encrypted };
        file::write_new(&folder.join(KEY), &key_pem, Readers::Owner)?;
        file::write_new(&folder.join(CERTIFICATE), &pem::encode("CERTIFICATE", &der), Readers::All)?;
        let first = Validity { not_before: validity.not_before, span: CRL_VALIDITY };
        root.sign_crl(1, &[], first).await?;
        Ok(root)
    }

    /// Opens the root in a folder.
    ///
    /// # Errors
    /// When a file is missing or cannot be read, and when the key is of another certificate.
    pub(crate) fn open(at: &Root) -> Result<Self> {
        let folder = at.root.clone();
        let key = folder.join(KEY);
        let text = fs::read_to_string(&key).map(Zeroizing::new);
        let text = text.with_context(|| format!("cannot read {}", key.display()))?;
        let passphrase = at.passphrase_file.as_deref().map(passphrase).transpose()?;
        let signer = FileSigner::from_pem(&text, passphrase.as_ref());
        let signer = signer.with_context(|| format!("{} (--passphrase-file names its passphrase)", key.display()))?;
        let path = folder.join(CERTIFICATE);
        let certificate = file::certificates(&path)?.swap_remove(0);
        if certificate.public_key_der() != signer.public_key().as_der() {
            bail!("{} is not the certificate of {KEY}", path.display());
        }
        let is_encrypted = text.contains("ENCRYPTED PRIVATE KEY");
        Ok(Self { folder, certificate, signer: Arc::new(signer), is_encrypted })
    }

    /// Certifies a CA, and keeps a copy.
    pub(crate) async fn certify(&self, wanted: &Below<'_>) -> Result<Certificate> {
        if wanted.subject.is_empty() {
            bail!("a CA has a name (RFC 5280 §4.1.2.6): the request has an empty subject");
        }
        check_crl_urls(wanted.crl_urls)?;
        if wanted.subject == self.certificate.subject() {
            bail!("{} is the name of the root: the CA below it needs another one", wanted.subject);
        }
        if let Some(path) = self.namesake(wanted)? {
            bail!(
                "{} is the certificate of another key for {}: two CAs of one name cannot be told apart. Choose another name, such as \
                 \"CN=Example Issuing CA 2\"",
                path.display(),
                wanted.subject
            );
        }
        let certificate = SubordinateCa {
            subject: wanted.subject,
            public_key: wanted.public_key,
            validity: wanted.validity,
            serial: serial()?,
            path_length: wanted.path_length,
            crl_urls: wanted.crl_urls,
        };
        let made = authority::subordinate_ca(&self.certificate, &*self.signer, &certificate).await?;
        let made = Certificate::parse(&made).context("the certificate just made")?;
        let copy = format!("issued-{}.pem", made.serial_text().replace(':', ""));
        file::write_new(&self.folder.join(copy), &pem::encode("CERTIFICATE", made.as_der()), Readers::All)?;
        Ok(made)
    }

    /// The certificate that the root has issued for the same name and another key, if there is one.
    fn namesake(&self, wanted: &Below<'_>) -> Result<Option<PathBuf>> {
        let unreadable = || format!("cannot read {}", self.folder.display());
        for entry in fs::read_dir(&self.folder).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("issued-")) {
                let known = file::certificates(&path)?.swap_remove(0);
                if known.subject() == wanted.subject && known.public_key_der() != wanted.public_key.as_der() {
                    return Ok(Some(path));
                }
            }
        }
        Ok(None)
    }

    /// Makes the next CRL: what the last one lists, and these certificates. Returns its number and how many it lists.
    async fn publish(
        &self,
        certificates: &[Certificate],
        reason: RevocationReason,
        validity: Validity,
    ) -> Result<(u64, usize)> {
        let path = self.folder.join(CRL);
        let der = fs::read(&path).with_context(|| {
            format!(
                "cannot read {}: bring the last CRL back, whose entries and number the next one needs",
                path.display()
            )
        })?;
        let last = IssuedCrl::parse(&der, &self.certificate, est_backends::algorithms());
        let IssuedCrl { number, mut revoked, .. } = last.with_context(|| path.display().to_string())?;
        for certificate in certificates {
            if revoked.iter().all(|known| known.serial != certificate.serial()) {
                let (serial, revocation_date) = (certificate.serial().to_vec(), validity.not_before);
                revoked.push(RevokedCertificate { serial, revocation_date, reason });
            }
        }
        let number = number.checked_add(1).context("no CRL can have a greater number")?;
        self.sign_crl(number, &revoked, validity).await?;
        Ok((number, revoked.len()))
    }

    async fn sign_crl(&self, number: u64, revoked: &[RevokedCertificate], validity: Validity) -> Result<()> {
        let ca =
            Ca { id: "root".into(), certificate: self.certificate.clone(), chain: Vec::new(), rollover: Vec::new() };
        let signer = CrlSigner::new(Arc::new(ca), self.signer.clone())?;
        let next_update: UnixTime = validity.not_before + validity.span;
        let list = CertList { number, this_update: validity.not_before, next_update, revoked };
        file::replace(&self.folder.join(CRL), &signer.sign(&list).await?)
    }

    /// Says what was made, and what to do with it.
    pub(crate) fn tell_made(&self) -> Result<()> {
        let [folder, key, encrypted, crl] =
            ["", KEY, "encrypted.pem", CRL].map(|name| output::path(&self.folder.join(name)));
        let keep = if self.is_encrypted {
            "Keep the folder offline, and the passphrase of its key elsewhere".to_owned()
        } else {
            format!(
                "Encrypt its key, and keep the folder offline:\n  \
                 openssl pkcs8 -topk8 -v2 aes-256-cbc -in {key} -out {encrypted} && mv {encrypted} {key}"
            )
        };
        Ok(output::line(format!(
            "made the root {} in {folder}\nIts SHA-256 fingerprint is {}\n{keep}\n\
             Publish {crl}, and make the next one within a year: estd ca root-crl --root {folder}",
            self.certificate.subject(),
            self.certificate.fingerprint(),
        ))?)
    }
}

/// The name of a CA, which cannot be empty (RFC 5280 §4.1.2.6).
pub(crate) fn ca_name(text: &str) -> Result<Name> {
    if let Some(odd) = text.chars().find(|one| one.is_control() || est_core::is_hidden(*one)) {
        bail!("there is an invisible character in it, U+{:04X}", u32::from(odd));
    }
    let name = Name::from_text(text)?;
    if name.is_empty() {
        bail!("a CA has a name: write CN=Example CA, or more of it");
    }
    Ok(name)
}

/// Whether CRLs can be fetched from there.
pub(crate) fn check_crl_urls(urls: &[String]) -> Result<()> {
    let is_one = |url: &&String| url.starts_with("http://") && url.bytes().all(|octet| octet.is_ascii_graphic());
    match urls.iter().find(|url| !is_one(url)) {
        Some(url) => bail!("{url}: a CRL is fetched from http://…, since https:// would need one first"),
        None => Ok(()),
    }
}

fn passphrase(path: &Path) -> Result<Secret> {
    let text =
        fs::read_to_string(path).map(Zeroizing::new).with_context(|| format!("cannot read {}", path.display()))?;
    match text.lines().next() {
        Some(first) if !first.is_empty() => Ok(Secret::new(first.to_owned())),
        _ => bail!("{}: its first line is empty, and should be the passphrase", path.display()),
    }
}

/// The text of a key file, encrypted.
fn encrypted(key_pem: &str, passphrase: &Secret) -> Result<Zeroizing<String>> {
    let blocks = pem::decode(key_pem).context("the key just made")?;
    let der = encrypt_pkcs8(&blocks[0].contents, passphrase, &shell::entropy()?)?;
    Ok(Zeroizing::new(pem::encode("ENCRYPTED PRIVATE KEY", &der)))
}
