//! Names that refer to something else: algorithms, purposes, attributes, CAs, labels.

use est_core::Operation;
use est_core::pkix::{KeyType, KeyUsage, Name, Oid, oid};

use super::diagnostic::Fault;
use super::spelling;
use super::value::Given;

/// The purposes of RFC 5280 §4.2.1.12, RFC 6402 §2.10, RFC 4945 §5.1.3.12 and RFC 4556 §3.2.2.
static PURPOSES: [(&str, Named); 9] = [
    ("serverAuth", Named::Known(oid::SERVER_AUTH)),
    ("clientAuth", Named::Known(oid::CLIENT_AUTH)),
    ("codeSigning", Named::Known(oid::CODE_SIGNING)),
    ("emailProtection", Named::Known(oid::EMAIL_PROTECTION)),
    ("timeStamping", Named::Known(oid::TIME_STAMPING)),
    ("OCSPSigning", Named::Known(oid::OCSP_SIGNING)),
    ("cmcRA", Named::Known(oid::CMC_RA)),
    ("ipsecIKE", Named::Dotted("1.3.6.1.5.5.7.3.17")),
    ("pkinitKPClientAuth", Named::Dotted("1.3.6.1.5.2.3.4")),
];

/// What `/csrattrs` usually lists (RFC 7030 §4.5.2): attributes of a request, extensions, algorithms, parts of a name.
static ATTRIBUTES: [(&str, Named); 23] = [
    ("challengePassword", Named::Known(oid::CHALLENGE_PASSWORD)),
    ("extensionRequest", Named::Known(oid::EXTENSION_REQUEST)),
    ("subjectAltName", Named::Known(oid::SUBJECT_ALT_NAME)),
    ("keyUsage", Named::Known(oid::KEY_USAGE)),
    ("extKeyUsage", Named::Known(oid::EXT_KEY_USAGE)),
    ("basicConstraints", Named::Known(oid::BASIC_CONSTRAINTS)),
    ("commonName", Named::Known(oid::COMMON_NAME)),
    ("serialNumber", Named::Known(oid::SERIAL_NUMBER)),
    ("countryName", Named::Known(oid::COUNTRY)),
    ("localityName", Named::Known(oid::LOCALITY)),
    ("stateOrProvinceName", Named::Known(oid::STATE)),
    ("organizationName", Named::Known(oid::ORGANIZATION)),
    ("organizationalUnitName", Named::Known(oid::ORGANIZATIONAL_UNIT)),
    ("emailAddress", Named::Known(oid::EMAIL_ADDRESS)),
    ("userId", Named::Known(oid::USER_ID)),
    ("domainComponent", Named::Known(oid::DOMAIN_COMPONENT)),
    ("rsaEncryption", Named::Dotted("1.2.840.113549.1.1.1")),
    ("id-ecPublicKey", Named::Dotted("1.2.840.10045.2.1")),
    ("secp256r1", Named::Dotted("1.2.840.10045.3.1.7")),
    ("secp384r1", Named::Dotted("1.3.132.0.34")),
    ("ecdsa-with-SHA256", Named::Dotted("1.2.840.10045.4.3.2")),
    ("ecdsa-with-SHA384", Named::Dotted("1.2.840.10045.4.3.3")),
    ("macAddress", Named::Dotted("1.3.6.1.1.1.1.22")),
];

enum Named {
    Known(Oid),
    Dotted(&'static str),
}

impl Named {
    fn id(&self) -> Oid {
        match self {
            Self::Known(id) => id.clone(),
            Self::Dotted(text) => Oid::from_dotted(text).expect("a listed identifier is one"),
        }
    }
}

/// An extended key usage, by name or as an OID.
pub(super) fn ext_key_usage(given: &Given<'_>) -> Result<Oid, Fault> {
    identified(given, &PURPOSES)
}

/// What people call an extended key usage: `clientAuth`; the dotted form of one without a name.
#[must_use]
pub fn purpose(id: &Oid) -> String {
    let known = PURPOSES.iter().find(|(_, named)| named.id() == *id);
    known.map_or_else(|| id.to_string(), |(name, _)| (*name).to_owned())
}

/// What `/csrattrs` lists, by name or as an OID.
pub(super) fn csr_attribute(given: &Given<'_>) -> Result<Oid, Fault> {
    identified(given, &ATTRIBUTES)
}

/// An attribute of a name, as RFC 4514 spells it, or as an OID.
pub(super) fn name_attribute(given: &Given<'_>) -> Result<Oid, Fault> {
    let text = given.text()?;
    match Name::from_text(&format!("{text}=AA")) {
        Ok(name) if !text.contains([',', '=', '/', '+']) => {
            let id = name.attributes().next().map(|(id, _)| id.clone());
            id.ok_or_else(|| Fault::new(format!("{} is not an attribute of a name", given.quoted())))
        }
        _ => Err(Fault::new(format!("{} is not an attribute of a name", given.quoted()))
            .help("write CN, O, OU, C, serialNumber, …, or an OID in numbers and dots")),
    }
}

/// An OID in numbers and dots.
pub(super) fn object_identifier(given: &Given<'_>) -> Result<Oid, Fault> {
    let id = Oid::from_dotted(&given.text()?);
    id.ok_or_else(|| Fault::new(format!("{} is not an object identifier", given.quoted())).help("write 1.3.6.1.…"))
}

fn identified(given: &Given<'_>, known: &'static [(&'static str, Named)]) -> Result<Oid, Fault> {
    let text = given.text()?;
    let plain = text.strip_prefix("id-kp-").unwrap_or(&text);
    if let Some((_, named)) = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(plain)) {
        return Ok(named.id());
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Oid::from_dotted(&text)
            .ok_or_else(|| Fault::new(format!("{} is not an object identifier", given.quoted())));
    }
    let fault = Fault::new(format!("{} is not a name that is known", given.quoted()));
    Err(match spelling::nearest(plain, known.iter().map(|(name, _)| *name)) {
        Some(name) => fault.help(format!("did you mean {name:?}?")),
        None => fault.help("write its OID in numbers and dots"),
    })
}

/// A key usage of an end entity (RFC 5280 §4.2.1.3).
pub(super) fn key_usage(given: &Given<'_>) -> Result<KeyUsage, Fault> {
    const NAMES: [&str; 5] =
        ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement"];
    let text = given.text()?;
    match text.as_str() {
        "keyCertSign" | "cRLSign" => Err(Fault::new(format!("{} is for CAs alone", given.quoted()))),
        "contentCommitment" => Ok(KeyUsage::NON_REPUDIATION),
        name if NAMES.contains(&name) => KeyUsage::from_name(name).ok_or_else(|| Fault::new("is not known")),
        name => Err(given.not_one_of(name, NAMES.into_iter())),
    }
}

/// A key type in any of its spellings.
pub(super) fn key_type(given: &Given<'_>) -> Result<KeyType, Fault> {
    given.text()?.parse().map_err(|()| {
        let usual = KeyType::USUAL.map(|key_type| key_type.to_string()).join(", ");
        Fault::new(format!("{} is not a key type", given.quoted())).help(format!("they are {usual}"))
    })
}

/// The id of a CA.
pub(super) fn identifier(given: &Given<'_>) -> Result<String, Fault> {
    let text = given.text()?;
    if text.is_empty() || text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(Fault::new("must be a word without spaces"));
    }
    Ok(text)
}

/// The name of a label: one path segment that is no operation's (RFC 7030 §3.2.2).
pub(super) fn label(given: &Given<'_>) -> Result<String, Fault> {
    let name = identifier(given)?;
    // An operation that is not served yet would take the label's place one day.
    let is_operation = Operation::from_segment(&name).is_some() || matches!(name.as_str(), "fullcmc" | "serverkeygen");
    if is_operation {
        return Err(Fault::new(format!("{} is the name of an operation (RFC 7030 §3.2.2)", given.quoted())));
    }
    if matches!(name.as_str(), "." | "..") || name.contains(['/', '\\', '?', '#', '%']) {
        return Err(Fault::new(format!("{} is not a path segment", given.quoted()))
            .help("leave out slashes and the other characters that URLs use for themselves"));
    }
    Ok(name)
}

/// The name of something that is there.
pub(super) fn existing(given: &Given<'_>, what: &str, header: &str, known: &[&str]) -> Result<String, Fault> {
    let name = given.text()?;
    if known.contains(&name.as_str()) {
        return Ok(name);
    }
    let fault = Fault::new(format!("there is no {what} {}", given.quoted()));
    Err(match spelling::nearest(&name, known.iter().copied()) {
        Some(near) => fault.help(format!("did you mean {near:?}?")),
        None if known.is_empty() => fault.help(format!("write a {header}")),
        None => fault.help(format!("those that are there: {}", known.join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_an_identifier_of_its_own() {
        for table in [&PURPOSES[..], &ATTRIBUTES[..]] {
            let mut ids: Vec<Oid> = table.iter().map(|(_, named)| named.id()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), table.len());
        }
    }
}
