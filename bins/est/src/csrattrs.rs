//! `est csrattrs`.

use std::time::Duration;

use est_core::client::{Answer, Call};
use est_core::pkix::{CsrAttr, Oid};

use crate::cli::CsrattrsArguments;
use crate::output::{Failure, say};
use crate::peer::Peer;

pub(crate) async fn run(arguments: CsrattrsArguments) -> Result<(), Failure> {
    let peer = Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?;
    let call = Call::csr_attrs(peer.base_path(), peer.label.as_deref());
    match peer.ask(call, Duration::ZERO).await? {
        Answer::CsrAttrs(elements) => elements.iter().for_each(|element| say(&show(element))),
        Answer::NoCsrAttrs => say("none"),
        _ => return Err(Failure::error("the server sent something other than CSR attributes")),
    }
    Ok(())
}

fn show(element: &[u8]) -> String {
    match CsrAttr::parse(element) {
        Some(CsrAttr::Id(id)) => show_id(&id),
        Some(CsrAttr::Attribute { id, values }) => {
            let values: Vec<String> = values.iter().map(|value| show_value(value)).collect();
            format!("{} = {}", show_id(&id), values.join(", "))
        }
        None => hexadecimal(element),
    }
}

fn show_value(value: &[u8]) -> String {
    Oid::from_der(value).map_or_else(|| hexadecimal(value), |id| show_id(&id))
}

fn show_id(id: &Oid) -> String {
    let dotted = id.to_string();
    match NAMES.iter().find(|(known, _)| *known == dotted) {
        Some((_, name)) => format!("{dotted} {name}"),
        None => dotted,
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What servers have been seen to ask for, or RFC 7030, 7894 and 9908 name.
const NAMES: [(&str, &str); 48] = [
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.2.840.113549.1.9.14", "extensionRequest"),
    ("1.2.840.113549.1.9.16.2.56", "otpChallenge"),
    ("1.2.840.113549.1.9.16.2.57", "revocationChallenge"),
    ("1.2.840.113549.1.9.16.2.58", "estIdentityLinking"),
    ("1.2.840.113549.1.9.16.2.61", "certificationRequestInfoTemplate"),
    ("1.2.840.113549.1.1.1", "rsaEncryption"),
    ("1.2.840.113549.1.1.10", "rsassaPss"),
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption"),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption"),
    ("1.2.840.10045.2.1", "ecPublicKey"),
    ("1.2.840.10045.3.1.7", "prime256v1"),
    ("1.3.132.0.34", "secp384r1"),
    ("1.3.132.0.35", "secp521r1"),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384"),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512"),
    ("1.3.101.112", "Ed25519"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    ("1.3.6.1.1.1.1.22", "macAddress"),
    ("0.9.2342.19200300.100.1.1", "userId"),
    ("0.9.2342.19200300.100.1.25", "domainComponent"),
    ("2.5.4.3", "commonName"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "countryName"),
    ("2.5.4.7", "localityName"),
    ("2.5.4.8", "stateOrProvinceName"),
    ("2.5.4.10", "organizationName"),
    ("2.5.4.11", "organizationalUnitName"),
    ("2.5.29.15", "keyUsage"),
    ("2.5.29.17", "subjectAltName"),
    ("2.5.29.19", "basicConstraints"),
    ("2.5.29.32", "certificatePolicies"),
    ("2.5.29.37", "extKeyUsage"),
    ("1.3.6.1.5.5.7.1.24", "tlsFeature"),
    ("1.3.6.1.5.5.7.3.1", "serverAuth"),
    ("1.3.6.1.5.5.7.3.2", "clientAuth"),
    ("1.3.6.1.5.5.7.3.3", "codeSigning"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    ("1.3.6.1.5.5.7.3.8", "timeStamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSPSigning"),
    ("1.3.6.1.5.5.7.3.28", "cmcRA"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_knows_and_shows_the_rest() {
        assert_eq!(show(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"), "1.2.840.113549.1.9.7 challengePassword");
        assert_eq!(show(b"\x06\x02\x2a\x03"), "1.2.3");
        assert_eq!(
            show(b"\x30\x12\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22"),
            "1.2.840.10045.2.1 ecPublicKey = 1.3.132.0.34 secp384r1"
        );
        assert_eq!(show(b"\x30\x09\x06\x02\x2a\x03\x31\x03\x02\x01\x05"), "1.2.3 = 020105");
        assert_eq!(show(b"\x30\x00"), "3000");
    }

    #[test]
    fn names_nothing_twice() {
        for (index, (dotted, name)) in NAMES.iter().enumerate() {
            assert!(Oid::from_dotted(dotted).is_some(), "{dotted}");
            assert!(NAMES[..index].iter().all(|(known, other)| known != dotted && other != name), "{dotted} {name}");
        }
    }
}
