//! Why a public key is not accepted.

use core::fmt;

/// Why a public key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a SubjectPublicKeyInfo.
    Malformed,
    /// An algorithm or a curve that is not supported.
    Unsupported,
    /// Parameters that the algorithm does not have, or none where it has some.
    Parameters,
    /// A key of the wrong length for its algorithm.
    Length,
    /// An RSA modulus of a size that is not supported.
    RsaSize {
        /// Its length in bits.
        bits: usize,
    },
    /// An RSA modulus or exponent below zero.
    RsaNegative,
    /// An RSA modulus divisible by two.
    RsaEvenModulus,
    /// An RSA exponent that is even, under 65537 or longer than 256 bits.
    RsaExponent,
    /// An RSA modulus with a small prime factor.
    RsaSmallFactor {
        /// The smallest one.
        factor: u32,
    },
    /// An RSA modulus that is a power of one number.
    RsaPower {
        /// Which: 2 for a square.
        exponent: u32,
    },
    /// An RSA modulus with the structure of CVE-2017-15361 (ROCA).
    RsaRoca,
    /// An RSA modulus of two primes so close together that Fermat's method finds them.
    RsaClosePrimes,
    /// A curve that the key describes itself.
    EcExplicitParameters,
    /// An elliptic-curve point in compressed form.
    EcCompressed,
    /// An elliptic-curve point in another form than the uncompressed one, or of the wrong length.
    EcForm,
    /// The point at infinity.
    EcInfinity,
    /// A coordinate that is not reduced modulo the curve's prime.
    EcCoordinate,
    /// A point that is not on its curve.
    EcNotOnCurve,
    /// An Ed25519 point of small order, for which anybody can sign.
    Ed25519SmallOrder,
    /// An Ed25519 point whose y is not reduced modulo 2^255 − 19.
    Ed25519NotCanonical,
    /// An Ed25519 key whose y belongs to no point of the curve.
    Ed25519NotOnCurve,
    /// A key of the weak generator of CVE-2008-0166, of which there are few.
    DebianWeak,
    /// A key whose private key stands in a standard or in published test data.
    Published,
}

impl KeyError {
    /// A name for logs, metrics and audit records; never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "key-malformed",
            Self::Unsupported => "key-unsupported",
            Self::Parameters => "key-parameters",
            Self::Length => "key-length",
            Self::RsaSize { .. } => "rsa-size",
            Self::RsaNegative => "rsa-negative",
            Self::RsaEvenModulus => "rsa-even-modulus",
            Self::RsaExponent => "rsa-exponent",
            Self::RsaSmallFactor { .. } => "rsa-small-factor",
            Self::RsaPower { .. } => "rsa-power",
            Self::RsaRoca => "rsa-roca",
            Self::RsaClosePrimes => "rsa-close-primes",
            Self::EcExplicitParameters => "ec-explicit-parameters",
            Self::EcCompressed => "ec-compressed",
            Self::EcForm => "ec-form",
            Self::EcInfinity => "ec-infinity",
            Self::EcCoordinate => "ec-coordinate",
            Self::EcNotOnCurve => "ec-point-not-on-curve",
            Self::Ed25519SmallOrder => "ed25519-small-order",
            Self::Ed25519NotCanonical => "ed25519-not-canonical",
            Self::Ed25519NotOnCurve => "ed25519-point-not-on-curve",
            Self::DebianWeak => "debian-weak-key",
            Self::Published => "published-key",
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaSize { bits } => {
                return write!(f, "the RSA modulus has {bits} bits: between 2048 and 4096 in whole bytes are supported");
            }
            Self::RsaSmallFactor { factor } => {
                return write!(f, "the RSA modulus has the factor {factor}: the key was made by a broken generator");
            }
            Self::RsaPower { exponent } => {
                return write!(
                    f,
                    "the RSA modulus is one number to the power of {exponent}: the key was made by a broken generator"
                );
            }
            Self::Malformed => "the public key is malformed",
            Self::Unsupported => {
                "the public key's algorithm is not supported: use RSA, ECDSA on P-256, P-384 or P-521, Ed25519 or ML-DSA"
            }
            Self::Parameters => {
                "the public key's algorithm has the wrong parameters: they are NULL for RSA and absent for Ed25519 and ML-DSA"
            }
            Self::Length => "the public key has the wrong length for its algorithm",
            Self::RsaNegative => "the RSA modulus or exponent is negative: the encoder left out its leading zero octet",
            Self::RsaEvenModulus => "the RSA modulus is even: the key was made by a broken generator",
            Self::RsaExponent => {
                "the RSA exponent is even, under 65537 or over 256 bits: make a key with the exponent 65537"
            }
            Self::RsaRoca => {
                "the RSA modulus shows the flaw ROCA (CVE-2017-15361): make the key with other software or on another chip"
            }
            Self::RsaClosePrimes => {
                "the RSA modulus is the product of two close primes, which anybody can find: the key was made by a broken generator"
            }
            Self::EcExplicitParameters => {
                "the key describes its elliptic curve by explicit parameters: name the curve, P-256, P-384 or P-521"
            }
            Self::EcCompressed => "the elliptic-curve point is compressed: send it in uncompressed form",
            Self::EcForm => "the elliptic-curve point is not in uncompressed form, or has the wrong length",
            Self::EcInfinity => "the elliptic-curve point is the point at infinity, which is nobody's key",
            Self::EcCoordinate => "a coordinate of the elliptic-curve point is not below the prime of its field",
            Self::EcNotOnCurve => "the elliptic-curve point is not on its curve",
            Self::Ed25519SmallOrder => "the Ed25519 key is a point of small order, which is nobody's key",
            Self::Ed25519NotCanonical => "the Ed25519 key is not in canonical form: its y is not below 2^255 - 19",
            Self::Ed25519NotOnCurve => "the Ed25519 key is not a point of its curve",
            Self::DebianWeak => {
                "the key was made by the broken generator of Debian's OpenSSL of 2006 to 2008 (CVE-2008-0166): everybody knows its private key"
            }
            Self::Published => "the key's private key is published, in a standard or as test data: make a key of your own",
        })
    }
}

impl core::error::Error for KeyError {}
