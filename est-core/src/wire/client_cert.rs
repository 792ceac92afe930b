//! Client certificates in the headers of a proxy that ends the clients' TLS (RFC 9440).
//!
//! Whether the sender is such a proxy is for the transport to know: from anybody else these headers mean nothing.

use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::alphabet::STANDARD;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::Refusal;

/// Reads the Client-Cert and the Client-Cert-Chain lines of a request: the certificates as the handshake would have
/// shown them, DER, leaf first; none where the client showed none. Their contents have not been looked at.
///
/// # Errors
/// [`Refusal::ClientCertHeader`] when Client-Cert is not one byte sequence, Client-Cert-Chain is not a list of them,
/// or a chain comes without a certificate (RFC 9440 §2.2, §2.3).
pub fn forwarded_certificates<'a>(
    client_cert: impl IntoIterator<Item = &'a [u8]>,
    client_cert_chain: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut certificates = Vec::new();
    for line in client_cert {
        certificates.push(byte_sequence(line).filter(|_| certificates.is_empty()).ok_or(Refusal::ClientCertHeader)?);
    }
    // Lines of the same name are one list (RFC 9651 §4.2); an empty one adds nothing to it.
    for line in client_cert_chain.into_iter().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if certificates.is_empty() {
            return Err(Refusal::ClientCertHeader);
        }
        for member in line.split(|octet| *octet == b',') {
            certificates.push(byte_sequence(member).ok_or(Refusal::ClientCertHeader)?);
        }
    }
    Ok(certificates)
}

/// Reads a Byte Sequence of RFC 9651 §3.3.5, without parameters and not empty: base64 between colons, whose padding may
/// be left out.
fn byte_sequence(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
    let text = text.trim_ascii().strip_prefix(b":")?.strip_suffix(b":")?;
    BASE64.decode(text).ok().filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(client_cert: &[&str], chain: &[&str]) -> Result<Vec<Vec<u8>>, Refusal> {
        forwarded_certificates(client_cert.iter().map(|line| line.as_bytes()), chain.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn reads_a_certificate_and_its_chain() {
        let (leaf, first, second) = (b"leaf".to_vec(), b"first".to_vec(), b"second".to_vec());
        assert_eq!(read(&[], &[]), Ok(Vec::new()));
        assert_eq!(read(&[":bGVhZg==:"], &[]).as_ref(), Ok(&Vec::from([leaf.clone()])));
        assert_eq!(read(&[" :bGVhZg: "], &[""]).as_ref(), Ok(&Vec::from([leaf.clone()])));
        let all = Ok(Vec::from([leaf, first, second]));
        assert_eq!(read(&[":bGVhZg==:"], &[":Zmlyc3Q=:, :c2Vjb25k:"]), all);
        assert_eq!(read(&[":bGVhZg==:"], &[":Zmlyc3Q=:\t,:c2Vjb25k:"]), all);
        assert_eq!(read(&[":bGVhZg==:"], &[":Zmlyc3Q=:", ":c2Vjb25k:"]), all);
    }

    #[test]
    fn refuses_whatever_else_stands_there() {
        let good = ":bGVhZg==:";
        for (client_cert, chain) in [
            (&[""][..], &[][..]),
            (&["::"], &[]),
            (&[":"], &[]),
            (&["bGVhZg=="], &[]),
            (&[":bGVhZg=="], &[]),
            (&[":bGVh Zg==:"], &[]),
            (&[":bGVhZg-_:"], &[]),
            (&[":bGVhZh==:"], &[]),
            (&[":bGVhZg==:;a=1"], &[]),
            (&["\"bGVhZg==\""], &[]),
            (&["-----BEGIN CERTIFICATE-----"], &[]),
            (&["%2D%2D%2D%2D%2DBEGIN"], &[]),
            (&[good, good], &[]),
            (&[":bGVhZg==:, :bGVhZg==:"], &[]),
            (&[], &[good]),
            (&[good], &["bGVhZg=="]),
            (&[good], &[":bGVhZg==:,"]),
            (&[good], &[",:bGVhZg==:"]),
            (&[good], &[":bGVhZg==:,,:bGVhZg==:"]),
            (&[good], &["(:bGVhZg==:)"]),
        ] {
            assert_eq!(read(client_cert, chain), Err(Refusal::ClientCertHeader), "{client_cert:?} {chain:?}");
        }
    }
}
