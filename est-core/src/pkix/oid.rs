//! Object identifiers, as their DER.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::der;

/// An object identifier: its whole DER value, tag and length included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Cow<'static, [u8]>);

impl Oid {
    /// Names an identifier by its DER; for constants.
    const fn known(der: &'static [u8]) -> Self {
        Self(Cow::Borrowed(der))
    }

    /// Reads the DER of an OBJECT IDENTIFIER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        (der.first() == Some(&0x06) && der::check(der).is_ok()).then(|| Self(Cow::Owned(der.to_vec())))
    }

    /// Reads the dotted form: `2.5.4.3`.
    #[must_use]
    pub fn from_dotted(text: &str) -> Option<Self> {
        let mut arcs = text.split('.').map(|arc| arc.parse::<u64>().ok().filter(|_| !arc.starts_with('+')));
        let (first, second) = (arcs.next()??, arcs.next()??);
        if first > 2 || (first < 2 && second > 39) {
            return None;
        }
        let mut contents = Vec::new();
        push_arc(&mut contents, (first * 40).checked_add(second)?);
        for arc in arcs {
            push_arc(&mut contents, arc?);
        }
        let mut der = Vec::from([0x06, u8::try_from(contents.len()).ok().filter(|length| *length < 0x80)?]);
        der.extend_from_slice(&contents);
        Some(Self(Cow::Owned(der)))
    }

    /// Whether it lies below `arcs`: the contents octets of another identifier.
    pub(crate) fn is_below(&self, arcs: &[u8]) -> bool {
        der::contents(&self.0).strip_prefix(arcs).is_some_and(|rest| !rest.is_empty())
    }

    /// The DER of the identifier.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

fn push_arc(contents: &mut Vec<u8>, arc: u64) {
    let groups = (u64::BITS - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        contents.push((arc >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// The dotted form; an arc over 64 bits is written as `?`.
impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let (mut arc, mut fits) = (0u64, true);
        for octet in der::contents(&self.0) {
            fits &= arc >> 57 == 0;
            arc = arc << 7 | u64::from(octet & 0x7f);
            if octet & 0x80 != 0 {
                continue;
            }
            if text.is_empty() && fits {
                let first = (arc / 40).min(2);
                write!(text, "{first}.{}", arc - first * 40)?;
            } else if fits {
                write!(text, ".{arc}")?;
            } else {
                text.push_str(if text.is_empty() { "2.?" } else { ".?" });
            }
            (arc, fits) = (0, true);
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $der:literal;)*) => {
        $($(#[$doc])* pub const $name: Oid = Oid::known($der);)*
    };
}

known! {
    /// commonName (X.520).
    COMMON_NAME = b"\x06\x03\x55\x04\x03";
    /// surname.
    SURNAME = b"\x06\x03\x55\x04\x04";
    /// serialNumber, of a device or a person.
    SERIAL_NUMBER = b"\x06\x03\x55\x04\x05";
    /// countryName.
    COUNTRY = b"\x06\x03\x55\x04\x06";
    /// localityName.
    LOCALITY = b"\x06\x03\x55\x04\x07";
    /// stateOrProvinceName.
    STATE = b"\x06\x03\x55\x04\x08";
    /// streetAddress.
    STREET = b"\x06\x03\x55\x04\x09";
    /// organizationName.
    ORGANIZATION = b"\x06\x03\x55\x04\x0a";
    /// organizationalUnitName.
    ORGANIZATIONAL_UNIT = b"\x06\x03\x55\x04\x0b";
    /// title.
    TITLE = b"\x06\x03\x55\x04\x0c";
    /// givenName.
    GIVEN_NAME = b"\x06\x03\x55\x04\x2a";
    /// dnQualifier.
    DN_QUALIFIER = b"\x06\x03\x55\x04\x2e";
    /// userId (RFC 4519).
    USER_ID = b"\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01";
    /// domainComponent (RFC 4519).
    DOMAIN_COMPONENT = b"\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19";
    /// emailAddress (PKCS #9).
    EMAIL_ADDRESS = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";
    /// unstructuredName (PKCS #9).
    UNSTRUCTURED_NAME = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02";
    /// unstructuredAddress (PKCS #9).
    UNSTRUCTURED_ADDRESS = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08";
    /// mail, also called rfc822Mailbox (RFC 4524).
    MAIL = b"\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x03";
    /// telephoneNumber (X.520).
    TELEPHONE_NUMBER = b"\x06\x03\x55\x04\x14";
    /// x121Address (X.520).
    X121_ADDRESS = b"\x06\x03\x55\x04\x18";
    /// destinationIndicator (X.520).
    DESTINATION_INDICATOR = b"\x06\x03\x55\x04\x1b";
    /// x500UniqueIdentifier (X.520).
    UNIQUE_IDENTIFIER = b"\x06\x03\x55\x04\x2d";
    /// dateOfBirth (RFC 3739).
    DATE_OF_BIRTH = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x09\x01";
    /// gender (RFC 3739).
    GENDER = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x09\x03";
    /// countryOfCitizenship (RFC 3739).
    COUNTRY_OF_CITIZENSHIP = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x09\x04";
    /// countryOfResidence (RFC 3739).
    COUNTRY_OF_RESIDENCE = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x09\x05";
    /// The jurisdiction's country in extended-validation certificates.
    JURISDICTION_COUNTRY = b"\x06\x0b\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03";
    /// challengePassword (PKCS #9).
    CHALLENGE_PASSWORD = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";
    /// smimeCapabilities (RFC 8551 §2.5.2).
    SMIME_CAPABILITIES = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f";
    /// id-aa-decryptKeyID (RFC 4108 §4.2): names a symmetric key.
    DECRYPT_KEY_IDENTIFIER = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x25";
    /// id-aa-asymmDecryptKeyID (RFC 7030 §4.4.1.2): names an asymmetric key.
    ASYMMETRIC_DECRYPT_KEY_IDENTIFIER = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x36";
    /// otpChallenge (RFC 7894).
    OTP_CHALLENGE = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x38";
    /// revocationChallenge (RFC 7894).
    REVOCATION_CHALLENGE = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x39";
    /// estIdentityLinking (RFC 7894).
    EST_IDENTITY_LINKING = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3a";
    /// extensionRequest (PKCS #9).
    EXTENSION_REQUEST = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
    /// Microsoft's own extensionRequest, with the same contents.
    MS_EXTENSION_REQUEST = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e";
    /// subjectKeyIdentifier.
    SUBJECT_KEY_IDENTIFIER = b"\x06\x03\x55\x1d\x0e";
    /// keyUsage.
    KEY_USAGE = b"\x06\x03\x55\x1d\x0f";
    /// subjectAltName.
    SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11";
    /// basicConstraints.
    BASIC_CONSTRAINTS = b"\x06\x03\x55\x1d\x13";
    /// cRLNumber.
    CRL_NUMBER = b"\x06\x03\x55\x1d\x14";
    /// cRLReasons: the CRLReason of an entry.
    CRL_REASONS = b"\x06\x03\x55\x1d\x15";
    /// nameConstraints.
    NAME_CONSTRAINTS = b"\x06\x03\x55\x1d\x1e";
    /// cRLDistributionPoints.
    CRL_DISTRIBUTION_POINTS = b"\x06\x03\x55\x1d\x1f";
    /// policyConstraints.
    POLICY_CONSTRAINTS = b"\x06\x03\x55\x1d\x24";
    /// authorityKeyIdentifier.
    AUTHORITY_KEY_IDENTIFIER = b"\x06\x03\x55\x1d\x23";
    /// extKeyUsage.
    EXT_KEY_USAGE = b"\x06\x03\x55\x1d\x25";
    /// id-kp-serverAuth.
    SERVER_AUTH = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
    /// id-kp-clientAuth.
    CLIENT_AUTH = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
    /// id-kp-codeSigning.
    CODE_SIGNING = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03";
    /// id-kp-emailProtection.
    EMAIL_PROTECTION = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x04";
    /// id-kp-timeStamping.
    TIME_STAMPING = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08";
    /// id-kp-OCSPSigning.
    OCSP_SIGNING = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09";
    /// id-kp-cmcRA (RFC 6402): the EST server's own mark.
    CMC_RA = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x1c";
    /// certificatePolicies.
    CERTIFICATE_POLICIES = b"\x06\x03\x55\x1d\x20";
    /// policyMappings.
    POLICY_MAPPINGS = b"\x06\x03\x55\x1d\x21";
    /// inhibitAnyPolicy.
    INHIBIT_ANY_POLICY = b"\x06\x03\x55\x1d\x36";
    /// authorityInfoAccess.
    AUTHORITY_INFO_ACCESS = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x01";
    /// id-ad-caIssuers.
    CA_ISSUERS = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02";
    /// id-ad-ocsp.
    OCSP = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01";
    /// anyExtendedKeyUsage.
    ANY_EXT_KEY_USAGE = b"\x06\x04\x55\x1d\x25\x00";
    /// The policy of the Baseline Requirements for domain-validated certificates.
    BR_DOMAIN_VALIDATED = b"\x06\x06\x67\x81\x0c\x01\x02\x01";
    /// id-cmc-changeSubjectName (RFC 6402).
    CHANGE_SUBJECT_NAME = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x07\x24";
    /// Microsoft's user principal name, an otherName.
    UPN = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";
    /// id-on-hardwareModuleName (RFC 4108), an otherName.
    HARDWARE_MODULE_NAME = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04";
    /// id-on-SmtpUTF8Mailbox (RFC 9598), an otherName.
    SMTP_UTF8_MAILBOX = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09";
    /// id-aa-certificationRequestInfoTemplate (RFC 9908).
    CERTIFICATION_REQUEST_INFO_TEMPLATE = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3d";
    /// id-aa-extensionReqTemplate (RFC 9908).
    EXTENSION_REQ_TEMPLATE = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3e";
    /// rsaEncryption (PKCS #1).
    RSA_ENCRYPTION = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    /// id-ecPublicKey (RFC 5480).
    EC_PUBLIC_KEY = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    /// id-data (CMS).
    ID_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    /// id-signedData (CMS).
    ID_SIGNED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    /// id-envelopedData (CMS).
    ID_ENVELOPED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
    /// id-ct-authEnvelopedData (RFC 5083).
    ID_AUTH_ENVELOPED_DATA = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
    /// id-ct-KP-aKeyPackage (RFC 5958): an AsymmetricKeyPackage.
    ID_KEY_PACKAGE = b"\x06\x0a\x60\x86\x48\x01\x65\x02\x01\x02\x4e\x05";
    /// id-contentType (CMS).
    CONTENT_TYPE = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
    /// id-messageDigest (CMS).
    MESSAGE_DIGEST = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
    /// id-aes128-CBC (RFC 3565).
    AES128_CBC = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02";
    /// id-aes256-CBC (RFC 3565).
    AES256_CBC = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a";
    /// id-aes128-GCM (RFC 5084).
    AES128_GCM = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x06";
    /// id-aes256-GCM (RFC 5084).
    AES256_GCM = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e";
    /// id-aes128-wrap (RFC 3394, RFC 3565).
    AES128_WRAP = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x05";
    /// id-aes256-wrap (RFC 3394, RFC 3565).
    AES256_WRAP = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2d";
    /// id-RSAES-OAEP (RFC 4055).
    RSAES_OAEP = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07";
    /// id-mgf1 (RFC 4055).
    MGF1 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
    /// id-X25519 (RFC 8410).
    X25519 = b"\x06\x03\x2b\x65\x6e";
    /// dhSinglePass-stdDH-sha256kdf-scheme (RFC 5753).
    STD_DH_SHA256_KDF = b"\x06\x06\x2b\x81\x04\x01\x0b\x01";
    /// dhSinglePass-stdDH-sha384kdf-scheme (RFC 5753).
    STD_DH_SHA384_KDF = b"\x06\x06\x2b\x81\x04\x01\x0b\x02";
    /// dhSinglePass-stdDH-sha512kdf-scheme (RFC 5753).
    STD_DH_SHA512_KDF = b"\x06\x06\x2b\x81\x04\x01\x0b\x03";
    /// id-ori-kem (RFC 9629).
    ID_ORI_KEM = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x0d\x03";
    /// id-alg-hkdf-with-sha256 (RFC 8619).
    HKDF_SHA256 = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x1c";
    /// id-alg-ml-kem-512 (RFC 9935).
    ML_KEM_512 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x01";
    /// id-alg-ml-kem-768 (RFC 9935).
    ML_KEM_768 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02";
    /// id-alg-ml-kem-1024 (RFC 9935).
    ML_KEM_1024 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x03";
    /// id-sha256.
    SHA256 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    /// id-sha384.
    SHA384 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02";
    /// id-sha512.
    SHA512 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03";
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn reads_and_writes_the_dotted_form() {
        for text in ["2.5.4.3", "1.2.840.113549.1.9.7", "2.999.1", "0.9.2342.19200300.100.1.25", "2.5.29.17"] {
            assert_eq!(Oid::from_dotted(text).map(|oid| oid.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Oid::from_dotted("2.5.4.3"), Some(COMMON_NAME));
        assert_eq!(EST_IDENTITY_LINKING.to_string(), "1.2.840.113549.1.9.16.2.58");
        for text in ["", "1", "3.1", "1.40", "2.5.4.", "2.-1", "a.b", "1.+2"] {
            assert_eq!(Oid::from_dotted(text), None, "{text}");
        }
    }

    #[test]
    fn writes_an_arc_of_128_bits_without_a_panic() {
        let mut der = alloc::vec![0x06, 20, 0x69];
        der.extend_from_slice(&[0xff; 18]);
        der.push(0x7f);
        assert_eq!(Oid::from_der(&der).map(|oid| oid.to_string()).as_deref(), Some("2.25.?"));
    }
}
