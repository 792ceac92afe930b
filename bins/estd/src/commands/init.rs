//! The files of a first run.

mod database;
mod names;
mod next_steps;
mod template;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use est_backends::authority::{self, ServerCertificate, Validity};
use est_backends::{FileSigner, Signer as _};
use est_core::pkix::{Certificate, CsrTemplate, GeneralNames, KeyType, KeyUsage, assemble_csr, pem};
use est_core::{Entropy, Seconds, Serial, UnixTime};
use host::shell;
use zeroize::Zeroizing;

use super::ca::root::{Below, OfflineRoot, ca_name, check_crl_urls};
use crate::cli::{Init, NewLabel, Root};
use crate::file::{self, Readers};
use crate::output;

use database::{FirstDatabase, URL_FILE};

/// The configuration's name in the folder.
pub(crate) const CONFIG: &str = "estd.toml";
/// The CA certificate's.
pub(crate) const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
/// A request for the CA's certificate, for a root elsewhere.
const CA_CSR: &str = "ca.csr";
/// The root above the CA, if it is not a root itself.
const ROOT: &str = "root.pem";
/// The certificates above the CA, up to the root.
const CHAIN: &str = "chain.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";
/// The file with the token of the admin API.
pub(crate) const ADMIN_TOKEN: &str = "admin-token";

const ROOT_VALIDITY: Seconds = Seconds::from_days(7300);
const CA_VALIDITY: Seconds = Seconds::from_days(3650);
const CA_BELOW_VALIDITY: Seconds = Seconds::from_days(1825);
const SERVER_VALIDITY: Seconds = Seconds::from_days(825);

/// `estd init`.
pub(crate) async fn run(options: &Init) -> Result<()> {
    let now = shell::now();
    if options.csr {
        return request(options).await;
    }
    check_crl_urls(&options.root_crl_urls)?;
    let names: BTreeSet<&str> = options.labels.iter().map(|label| label.name.as_str()).collect();
    if names.len() < options.labels.len() {
        bail!("--label: a name is there twice");
    }
    let origin = match (&options.root, &options.ca_cert) {
        (Some(root), _) => Origin::Root {
            at: Root { root: root.clone(), passphrase_file: options.passphrase_file.clone() },
            subject: &options.root_subject,
            crl_urls: &options.root_crl_urls,
        },
        (None, Some(certificate)) => Origin::Elsewhere { certificate, chain: options.chain.as_deref() },
        (None, None) => Origin::Itself,
    };
    let first = FirstRun {
        dir: &options.dir,
        names: &options.names,
        subject: &options.subject,
        key_type: options.key_type.unwrap_or(KeyType::EcdsaP256),
        origin,
        database: FirstDatabase::find(options.db.as_deref(), &options.dir)?,
        labels: &options.labels,
    };
    let made = first.make(now).await?;
    next_steps::tell(&made, options, &first)
}

/// Makes the key of a CA and the request for its certificate, and says how to go on.
async fn request(options: &Init) -> Result<()> {
    let subject = ca_name(&options.subject).context("--subject")?;
    fs::create_dir_all(&options.dir).with_context(|| format!("cannot make the folder {}", options.dir.display()))?;
    file::refuse_existing(&options.dir, &[CA_KEY, CA_CSR, CA, CONFIG])?;
    let (signer, key_pem) =
        FileSigner::generate(options.key_type.unwrap_or(KeyType::EcdsaP256)).context("--key-type")?;
    let template = CsrTemplate {
        subject,
        subject_alt_name: None,
        public_key: signer.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let to_be_signed = template.to_be_signed();
    let signature = signer.sign(&to_be_signed).await.context("the request for the CA's certificate")?;
    let csr = assemble_csr(to_be_signed, signer.signature_algorithm(), &signature);
    file::write_new(&options.dir.join(CA_KEY), &key_pem, Readers::Owner)?;
    file::write_new(&options.dir.join(CA_CSR), &pem::encode("CERTIFICATE REQUEST", &csr), Readers::All)?;
    let (dir, csr) = (output::path(&options.dir), output::path(&options.dir.join(CA_CSR)));
    Ok(output::line(format!(
        "made {csr}. Have it certified as a CA by a root elsewhere, or by an offline root of estd:\n  \
         estd ca certify --root ROOT --csr {csr} --out ca-and-root.pem\n\
         Then go on with the CA's certificate and those above it:\n  \
         estd init {dir} --ca-cert ca-and-root.pem --name est.example.com"
    ))?)
}

/// Where the CA's certificate comes from.
pub(crate) enum Origin<'a> {
    /// The CA is a root.
    Itself,
    /// An offline root, which is made if its folder has none.
    Root { at: Root, subject: &'a str, crl_urls: &'a [String] },
    /// Files, and the key is in the folder.
    Elsewhere { certificate: &'a Path, chain: Option<&'a Path> },
}

/// What `estd init` needs to know.
pub(crate) struct FirstRun<'a> {
    dir: &'a Path,
    names: &'a [String],
    subject: &'a str,
    key_type: KeyType,
    origin: Origin<'a>,
    database: FirstDatabase,
    labels: &'a [NewLabel],
}

/// What a first run has made.
pub(crate) struct Made {
    ca: Certificate,
    /// The certificates above it, the root last.
    above: Vec<Certificate>,
    names: GeneralNames,
    /// The root, if it was made, too.
    new_root: Option<OfflineRoot>,
}

/// A CA, and its signer.
struct Authority {
    certificate: Certificate,
    signer: FileSigner,
    /// The key for its file, if it was made.
    key_pem: Option<Zeroizing<String>>,
    above: Vec<Certificate>,
    /// The root, if it was made.
    new_root: Option<OfflineRoot>,
}

impl<'a> FirstRun<'a> {
    /// What `estd dev` makes.
    pub(crate) fn for_development(dir: &'a Path) -> Result<Self> {
        Ok(Self {
            dir,
            names: &[],
            subject: "CN=Ohia development CA",
            key_type: KeyType::EcdsaP256,
            origin: Origin::Itself,
            database: FirstDatabase::find(None, dir)?,
            labels: &[],
        })
    }

    /// Makes keys, certificates and configuration; the configuration comes last, so that its presence tells that
    /// everything is there.
    ///
    /// # Errors
    /// When a file is there already: nothing is overwritten.
    pub(crate) async fn make(&self, now: UnixTime) -> Result<Made> {
        let names = names::server_names(self.names)?;
        let has_key = matches!(self.origin, Origin::Elsewhere { .. });
        let made = [CA_KEY, CA, ROOT, CHAIN, SERVER, SERVER_KEY, ADMIN_TOKEN, URL_FILE, CONFIG];
        file::refuse_existing(self.dir, &made[usize::from(has_key)..])?;
        fs::create_dir_all(self.dir).with_context(|| format!("cannot make the folder {}", self.dir.display()))?;

        let ca = self.authority(now).await?;
        let server_key_type = match ca.signer.public_key().key_type() {
            rsa @ KeyType::Rsa(2048 | 3072 | 4096) => rsa,
            // What every TLS client knows.
            _ => KeyType::EcdsaP256,
        };
        let (server_key, server_key_pem) = FileSigner::generate(server_key_type)?;
        let server = ServerCertificate {
            names: &names,
            public_key: server_key.public_key(),
            validity: Validity { not_before: now, span: SERVER_VALIDITY },
            serial: serial()?,
        };
        let server_der = authority::server_certificate(&ca.certificate, &ca.signer, &server).await?;
        let server = Certificate::parse(&server_der).context("the server's certificate just made")?;

        if let Some(key_pem) = &ca.key_pem {
            self.write(CA_KEY, key_pem, Readers::Owner)?;
        }
        self.write(SERVER_KEY, &server_key_pem, Readers::Owner)?;
        self.write(CA, &to_pem([&ca.certificate]), Readers::All)?;
        let mut shown = vec![&server];
        if let Some(root) = ca.above.last() {
            self.write(ROOT, &to_pem([root]), Readers::All)?;
            self.write(CHAIN, &to_pem(&ca.above), Readers::All)?;
            // Clients know the root: they need everything between it and the server.
            shown.push(&ca.certificate);
            shown.extend(&ca.above[..ca.above.len() - 1]);
        }
        self.write(SERVER, &to_pem(shown), Readers::All)?;
        self.write(ADMIN_TOKEN, &token()?, Readers::Owner)?;
        if let Some(url) = &self.database.secret {
            self.write(URL_FILE, url, Readers::Owner)?;
        }
        let text = template::configuration(&self.database.setting, !ca.above.is_empty(), self.labels);
        self.write(CONFIG, &text, Readers::All)?;
        Ok(Made { ca: ca.certificate, above: ca.above, names, new_root: ca.new_root })
    }

    async fn authority(&self, now: UnixTime) -> Result<Authority> {
        if let Origin::Elsewhere { certificate, chain } = self.origin {
            return self.certified_elsewhere(certificate, chain, now);
        }
        let subject = ca_name(self.subject).context("--subject")?;
        let (signer, key_pem) = FileSigner::generate(self.key_type).context("--key-type")?;
        let Origin::Root { at, subject: root_subject, crl_urls } = &self.origin else {
            let validity = Validity { not_before: now, span: CA_VALIDITY };
            let der = authority::self_signed_ca(&subject, &signer, validity, serial()?).await?;
            let certificate = Certificate::parse(&der).context("the CA certificate just made")?;
            return Ok(Authority { certificate, signer, key_pem: Some(key_pem), above: Vec::new(), new_root: None });
        };
        let is_there = OfflineRoot::is_in(&at.root);
        let root = if is_there {
            OfflineRoot::open(at)?
        } else {
            let root_subject = ca_name(root_subject).context("--root-subject")?;
            let validity = Validity { not_before: now, span: ROOT_VALIDITY };
            OfflineRoot::make(at, &root_subject, self.key_type, validity).await?
        };
        let wanted = Below {
            subject: &subject,
            public_key: signer.public_key(),
            validity: Validity { not_before: now, span: CA_BELOW_VALIDITY },
            path_length: 0,
            crl_urls,
        };
        let certificate = root.certify(&wanted).await?;
        let above = vec![root.certificate.clone()];
        let new_root = (!is_there).then_some(root);
        Ok(Authority { certificate, signer, key_pem: Some(key_pem), above, new_root })
    }

    /// A CA whose key is in the folder, and whose certificate another CA has made.
    fn certified_elsewhere(&self, file: &Path, chain: Option<&Path>, now: UnixTime) -> Result<Authority> {
        let key = self.dir.join(CA_KEY);
        let text = fs::read_to_string(&key).map(Zeroizing::new);
        let text = text.with_context(|| {
            format!(
                "cannot read {}: --ca-cert is the certificate of the key that is there, as --csr makes it",
                key.display()
            )
        })?;
        let signer = FileSigner::from_pem(&text, None).with_context(|| key.display().to_string())?;
        let mut certificates = file::certificates(file)?;
        if let Some(chain) = chain {
            certificates.extend(file::certificates(chain)?);
        }
        let certificate = certificates.remove(0);
        if certificate.public_key_der() != signer.public_key().as_der() {
            bail!("{}: {} is not the certificate of {}", file.display(), certificate.subject(), key.display());
        }
        if !certificate.is_ca() || !certificate.allows(KeyUsage::KEY_CERT_SIGN) {
            bail!(
                "{}: {} is not the certificate of a CA that may sign certificates",
                file.display(),
                certificate.subject()
            );
        }
        if certificate.not_after() <= now {
            bail!("{}: {} ended at {}", file.display(), certificate.subject(), certificate.not_after());
        }
        let above = path_to_root(&certificate, certificates)?;
        Ok(Authority { certificate, signer, key_pem: None, above, new_root: None })
    }

    fn write(&self, name: &str, text: &str, readers: Readers) -> Result<()> {
        file::write_new(&self.dir.join(name), text, readers)
    }

    fn config(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }
}

/// The certificates that lead from a CA to its root, in this order, the root last; empty if the CA is a root.
fn path_to_root(ca: &Certificate, mut others: Vec<Certificate>) -> Result<Vec<Certificate>> {
    let algorithms = est_backends::algorithms();
    let mut path: Vec<Certificate> = Vec::new();
    loop {
        let last = path.last().unwrap_or(ca);
        if last.is_issued_by(last, algorithms) {
            return Ok(path);
        }
        match others.iter().position(|other| last.is_issued_by(other, algorithms)) {
            Some(above) => path.push(others.swap_remove(above)),
            None => bail!(
                "the certificate of {}, which issued {}, is missing: append it to --ca-cert, or give it in --chain",
                last.issuer(),
                last.subject()
            ),
        }
    }
}

fn to_pem<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(|certificate| pem::encode("CERTIFICATE", certificate.as_der())).collect()
}

/// A bearer token that nobody can guess, and a line's end.
fn token() -> Result<Zeroizing<String>> {
    let entropy: Entropy = shell::entropy()?;
    let digits: String = entropy.0.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Zeroizing::new(digits + "\n"))
}

/// A serial number that nobody can guess.
pub(crate) fn serial() -> Result<Serial> {
    let entropy: Entropy = shell::entropy()?;
    Ok(Serial::from_entropy(&entropy))
}
