//! The certificates that must exist before a server can issue its first one, and when a root gets another key.

mod renewal;
mod rollover;
mod subordinate;

use est_core::pkix::{
    Certificate, Extension, GeneralName, GeneralNames, KeyUsage, Name, NameError, SubjectPublicKeyInfo, TbsCertificate,
    assemble_certificate, oid,
};
use est_core::{PortError, Seconds, Serial, UnixTime};

use crate::signer::{SignatureCheck, Signer, sign_checked};

pub use renewal::{Successor, succeed};
pub use rollover::{NewRoot, Rollover, RolloverError, roll_over};
pub use subordinate::{SubordinateCa, subordinate_ca};

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// For how long, both ends counted: 90 days are 90 × 86,400 seconds.
    pub span: Seconds,
}

impl Validity {
    fn not_after(self) -> UnixTime {
        self.not_before + Seconds(self.span.0.saturating_sub(1))
    }
}

/// A TLS server's certificate to be made.
#[derive(Clone, Debug)]
pub struct ServerCertificate<'a> {
    /// The server's names and addresses. The first dNSName becomes the commonName.
    pub names: &'a GeneralNames,
    /// The server's key.
    pub public_key: &'a SubjectPublicKeyInfo,
    /// When it is valid; it ends with the CA's own certificate if that ends earlier.
    pub validity: Validity,
    /// The serial number.
    pub serial: Serial,
}

/// Makes the certificate of a root CA: version 3, critical basicConstraints with `CA:TRUE`, critical keyUsage with
/// keyCertSign and cRLSign, and both key identifiers, which are the same. Returns its DER.
///
/// ```
/// use est_backends::FileSigner;
/// use est_backends::authority::{Validity, self_signed_ca};
/// use est_core::pkix::{Certificate, KeyType, Name};
/// use est_core::{Entropy, Seconds, Serial, UnixTime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (signer, _pem) = FileSigner::generate(KeyType::EcdsaP256)?;
/// let validity = Validity { not_before: UnixTime(1_800_000_000), span: Seconds::from_days(3650) };
/// // 32 octets of your system's randomness.
/// let serial = Serial::from_entropy(&Entropy([7; 32]));
/// let der = self_signed_ca(&Name::from_text("CN=Plant CA,O=Example")?, &signer, validity, serial).await?;
/// assert_eq!(Certificate::parse(&der)?.subject().to_string(), "CN=Plant CA,O=Example");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`PortError`] when the signer made no signature, or one that does not verify.
pub async fn self_signed_ca(
    subject: &Name,
    signer: &dyn Signer,
    validity: Validity,
    serial: Serial,
) -> Result<Vec<u8>, PortError> {
    let identifier = signer.public_key().key_identifier();
    let extensions = [
        Extension::certificate_authority(),
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)),
        Extension::subject_key_identifier(&identifier),
        // RFC 5280 §4.2.1.1 lets a self-signed certificate do without; the Baseline Requirements (7.1.2.1) and path
        // building across a rollover are better off with it.
        Extension::authority_key_identifier(&identifier),
    ];
    let certificate = TbsCertificate {
        serial,
        signature_algorithm: signer.signature_algorithm(),
        issuer: subject,
        subject,
        not_before: validity.not_before,
        not_after: validity.not_after(),
        public_key: signer.public_key().as_der(),
        extensions: &extensions,
    };
    sign(signer, &certificate).await
}

/// Makes the certificate of an EST server: extKeyUsage serverAuth and id-kp-cmcRA (RFC 7030 §3.6.1), digitalSignature,
/// the given names, both key identifiers. Returns its DER.
///
/// # Errors
/// [`PortError`] when the signer is not the CA's or made no signature that verifies.
pub async fn server_certificate(
    ca: &Certificate,
    signer: &dyn Signer,
    wanted: &ServerCertificate<'_>,
) -> Result<Vec<u8>, PortError> {
    let subject = first_dns_name(wanted.names).map_err(|error| PortError(error.to_string()))?;
    let issued = Issued {
        subject: &subject,
        public_key: wanted.public_key,
        validity: wanted.validity,
        serial: wanted.serial,
        crl_urls: &[],
    };
    let extensions = vec![
        Extension::end_entity(),
        Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        Extension::ext_key_usage(&[oid::SERVER_AUTH, oid::CMC_RA]),
        Extension {
            id: oid::SUBJECT_ALT_NAME,
            // RFC 5280 §4.1.2.6: critical where the subject is empty.
            critical: subject.is_empty(),
            value: wanted.names.as_der().to_vec(),
        },
    ];
    issued.by(ca, signer, extensions).await
}

/// What is in a certificate that another one's key signs, its own extensions apart.
struct Issued<'a> {
    subject: &'a Name,
    public_key: &'a SubjectPublicKeyInfo,
    validity: Validity,
    serial: Serial,
    /// Where the CRLs of the issuer are; empty for nowhere.
    crl_urls: &'a [String],
}

impl Issued<'_> {
    /// Makes the certificate, with these extensions and those that tell of its key and its issuer. It ends with the
    /// issuer's certificate if that ends earlier.
    async fn by(
        &self,
        issuer: &Certificate,
        signer: &dyn Signer,
        mut extensions: Vec<Extension>,
    ) -> Result<Vec<u8>, PortError> {
        if issuer.public_key_der() != signer.public_key().as_der() {
            return Err(PortError("the signer's key is not the CA certificate's".into()));
        }
        extensions.push(Extension::subject_key_identifier(&self.public_key.key_identifier()));
        if let Some(identifier) = issuer.subject_key_identifier() {
            extensions.push(Extension::authority_key_identifier(&identifier));
        }
        if !self.crl_urls.is_empty() {
            extensions.push(Extension::crl_distribution_points(self.crl_urls));
        }
        let certificate = TbsCertificate {
            serial: self.serial,
            signature_algorithm: signer.signature_algorithm(),
            issuer: issuer.subject(),
            subject: self.subject,
            not_before: self.validity.not_before,
            not_after: self.validity.not_after().min(issuer.not_after()),
            public_key: self.public_key.as_der(),
            extensions: &extensions,
        };
        sign(signer, &certificate).await
    }
}

/// The names of a server that only its own machine reaches: `localhost`, 127.0.0.1 and ::1.
#[must_use]
pub fn local_names() -> GeneralNames {
    let names = ["localhost", "127.0.0.1", "::1"];
    let names: Vec<_> = names
        .iter()
        .map(|text| match text.parse() {
            Ok(address) => GeneralName::Ip(address),
            Err(_) => GeneralName::Dns((*text).into()),
        })
        .collect();
    GeneralNames::from_names(&names).expect("three names")
}

/// The subject `CN=<first dNSName>`; empty when there is none, or one that is too long for a commonName.
fn first_dns_name(names: &GeneralNames) -> Result<Name, NameError> {
    /// ub-common-name of RFC 5280, appendix A.1.
    const MAX_COMMON_NAME: usize = 64;

    let name = names.names().iter().find_map(|name| match name {
        GeneralName::Dns(text) if text.len() <= MAX_COMMON_NAME => Some(text),
        _ => None,
    });
    match name {
        Some(name) => Name::from_text(&format!("CN={name}")),
        None => Name::from_text(""),
    }
}

async fn sign(signer: &dyn Signer, certificate: &TbsCertificate<'_>) -> Result<Vec<u8>, PortError> {
    let to_be_signed = certificate.to_der();
    // A few signatures in a server's life: none is too expensive to check.
    let signature = sign_checked(signer, SignatureCheck::Always, &to_be_signed).await?;
    Ok(assemble_certificate(to_be_signed, signer.signature_algorithm(), &signature))
}
