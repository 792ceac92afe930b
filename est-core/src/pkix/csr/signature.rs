//! Whether the key in a request made its signature, and what is wrong with the algorithm otherwise.

use pki_types::SignatureVerificationAlgorithm;

use crate::pkix::asn1::{self, fitting};
use crate::pkix::{CsrError, Oid, SubjectPublicKeyInfo, der, oid};

/// Checks that the key in the request made its signature.
pub(super) fn prove_possession(
    signed: &asn1::Signed,
    public_key: &SubjectPublicKeyInfo,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), CsrError> {
    let named: asn1::AlgorithmIdentifier = asn1::decode_checked(signed.algorithm.as_bytes())?;
    let id = Oid::from_der(named.algorithm.as_bytes()).ok_or(CsrError::NotACsr)?;
    if !signed.signature.len().is_multiple_of(8) {
        return Err(CsrError::NotACsr);
    }
    let parameters = named.parameters.as_ref().map(rasn::types::Any::as_bytes);
    // mbedTLS before 3.5 and tpm2-openssl before 1.2 write NULL. RFC 5758 §3.2 forbids it to the encoder; here it is
    // neither signed nor copied anywhere.
    let identifier = match parameters {
        Some(NULL) if id.is_below(ECDSA_WITH_SHA2) => id.as_der(),
        _ => der::contents(signed.algorithm.as_bytes()),
    };
    match fitting(identifier, public_key, algorithms) {
        Some(algorithm) if signed.verifies(public_key, algorithm) => Ok(()),
        Some(_) => Err(CsrError::Possession),
        None => Err(fault(id, parameters, public_key, algorithms)),
    }
}

const NULL: &[u8] = b"\x05\x00";

/// The arcs above the identifiers of ECDSA with SHA-224 to SHA-512 (RFC 5758 §3.2).
const ECDSA_WITH_SHA2: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03";
/// Those above md2, md5, sha1 and sha2 with RSA (RFC 8017 §A.2.4), and RSASSA-PSS.
const PKCS_1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01";
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
/// Those above the signatures of NIST: DSA, ECDSA and RSA with SHA-3.
const NIST_SIGNATURES: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x03";
/// Those above RSASSA-PSS and ECDSA with SHAKE (RFC 8692 §3).
const SHAKES: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x06";

/// The hashes that no longer count, by the algorithms that use them: md5WithRSAEncryption, sha1WithRSAEncryption,
/// ecdsa-with-SHA1, dsa-with-SHA1, sha1WithRSASignature (OIW).
const WEAK: [&[u8]; 5] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05",
    b"\x2a\x86\x48\xce\x3d\x04\x01",
    b"\x2a\x86\x48\xce\x38\x04\x03",
    b"\x2b\x0e\x03\x02\x1d",
];

/// Why no algorithm has this identifier and fits the key.
fn fault(
    id: Oid,
    parameters: Option<&[u8]>,
    public_key: &SubjectPublicKeyInfo,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> CsrError {
    let arcs = der::contents(id.as_der());
    if WEAK.contains(&arcs) {
        return CsrError::WeakHash;
    }
    if let Some(hash) = unsupported_hash(arcs) {
        return CsrError::SignatureHash(hash);
    }
    let is_same = |known: &&&dyn SignatureVerificationAlgorithm| {
        der::parts(known.signature_alg_id().as_ref()).next() == Some(id.as_der())
    };
    let mut known = algorithms.iter().filter(is_same).peekable();
    if known.peek().is_none() {
        return CsrError::SignatureAlgorithm(id);
    }
    if !known.any(|known| known.public_key_alg_id().as_ref() == public_key.algorithm()) {
        return CsrError::SignatureKey { algorithm: id, key_type: public_key.key_type() };
    }
    let pss = parameters.filter(|_| arcs == RSASSA_PSS).and_then(pss_fault);
    pss.unwrap_or(CsrError::SignatureParameters(id))
}

/// The hash of a signature algorithm that is known, but not supported.
fn unsupported_hash(arcs: &[u8]) -> Option<&'static str> {
    let last = |above: &[u8]| match arcs.strip_prefix(above) {
        Some([last]) => Some(*last),
        _ => None,
    };
    match (last(ECDSA_WITH_SHA2), last(PKCS_1), last(NIST_SIGNATURES), last(SHAKES)) {
        (_, Some(2), ..) => Some("MD2"),
        (_, Some(3), ..) => Some("MD4"),
        (Some(1), ..) | (_, Some(14), ..) => Some("SHA-224"),
        (_, Some(15), ..) => Some("SHA-512/224"),
        (_, Some(16), ..) => Some("SHA-512/256"),
        (_, _, Some(9 | 13), _) => Some("SHA3-224"),
        (_, _, Some(10 | 14), _) => Some("SHA3-256"),
        (_, _, Some(11 | 15), _) => Some("SHA3-384"),
        (_, _, Some(12 | 16), _) => Some("SHA3-512"),
        (_, _, _, Some(30 | 32)) => Some("SHAKE128"),
        (_, _, _, Some(31 | 33)) => Some("SHAKE256"),
        _ => None,
    }
}

/// What is wrong with RSASSA-PSS-params (RFC 4055 §3.1): `None` where nothing is that can be named.
fn pss_fault(parameters: &[u8]) -> Option<CsrError> {
    let parameter = |tag: u8| {
        let found = der::parts(der::contents(parameters)).find(|part| part.first() == Some(&tag));
        found.and_then(|explicit| der::parts(der::contents(explicit)).next())
    };
    // SHA-1 is the default of both, and 20 octets that of the salt.
    let hash_of = |identifier: Option<&[u8]>| match identifier {
        Some(identifier) => hash(der::parts(der::contents(identifier)).next()?),
        None => Some(SHA_1),
    };
    let (name, octets) = hash_of(parameter(0xa0))?;
    if (name, octets) == SHA_1 {
        return Some(CsrError::WeakHash);
    }
    if !["SHA-256", "SHA-384", "SHA-512"].contains(&name) {
        return Some(CsrError::SignatureHash(name));
    }
    let mask = parameter(0xa1).map(|mgf1| der::parts(der::contents(mgf1)).nth(1).unwrap_or_default());
    if hash_of(mask)? != (name, octets) {
        return Some(CsrError::MaskHash);
    }
    let salt = match parameter(0xa2) {
        Some(salt) => der::contents(salt)
            .iter()
            .try_fold(0usize, |length, octet| length.checked_mul(256).map(|length| length + usize::from(*octet)))?,
        None => SHA_1.1,
    };
    (salt != octets).then_some(CsrError::SaltLength { salt, hash: (name, octets) })
}

const SHA_1: (&str, usize) = ("SHA-1", 20);

/// The hash with this identifier, DER, and its octets.
fn hash(id: &[u8]) -> Option<(&'static str, usize)> {
    const SHA_1_ID: &[u8] = b"\x06\x05\x2b\x0e\x03\x02\x1a";
    /// The arcs above the hashes of NIST.
    const NIST_HASHES: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02";
    match id {
        SHA_1_ID => Some(SHA_1),
        id if id == oid::SHA256.as_der() => Some(("SHA-256", 32)),
        id if id == oid::SHA384.as_der() => Some(("SHA-384", 48)),
        id if id == oid::SHA512.as_der() => Some(("SHA-512", 64)),
        id => match id.strip_prefix(NIST_HASHES)? {
            [4] => Some(("SHA-224", 28)),
            [5] => Some(("SHA-512/224", 28)),
            [6] => Some(("SHA-512/256", 32)),
            [7] => Some(("SHA3-224", 28)),
            [8] => Some(("SHA3-256", 32)),
            [9] => Some(("SHA3-384", 48)),
            [10] => Some(("SHA3-512", 64)),
            _ => None,
        },
    }
}
