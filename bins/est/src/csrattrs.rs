//! `est csrattrs`.

use est_core::client::{Call, CsrAdvice};
use est_core::pkix::{CsrAttr, ExtensionTemplate, GeneralNames, KeyRequirement, KeyUsage, Oid, der, oid};
use serde_json::{Value, json};

use crate::cli::CsrattrsArguments;
use crate::output::{Failure, say};
use crate::peer::{Peer, READ_PATIENCE, Wanted};

pub(crate) async fn run(arguments: CsrattrsArguments) -> Result<(), Failure> {
    let peer = Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?;
    let wanted = peer.csr_attrs(READ_PATIENCE).await?;
    if let Wanted::NotFound(failure) = wanted {
        // Where /cacerts is there, the label is.
        let call = Call::ca_certs(peer.base_path(), peer.label.as_deref());
        peer.ask(call, READ_PATIENCE).await.map_err(|_| failure)?;
        return tell(&[], arguments.json);
    }
    tell(&wanted.elements(), arguments.json)
}

fn tell(elements: &[Vec<u8>], as_json: bool) -> Result<(), Failure> {
    let advice = CsrAdvice::read(elements);
    if as_json {
        let elements: Vec<Value> = elements.iter().map(|element| element_json(element)).collect();
        let advice = advice.as_ref().map_or(Value::Null, advice_json);
        say(&json!({ "elements": elements, "wanted": advice }).to_string())?;
    } else if elements.is_empty() {
        say("none")?;
    } else {
        elements.iter().try_for_each(|element| say(&show(element)))?;
    }
    advice.map(drop).map_err(|error| Failure::error(error.to_string()))
}

/// What the server wants and `est` does not send: attributes of the request, and extensions without a value.
pub(crate) fn left_out(advice: &CsrAdvice) -> Vec<Oid> {
    let is_open = |extension: &&ExtensionTemplate| extension.value.is_none();
    let extensions = advice.extensions.iter().filter(is_open).map(|extension| extension.id.clone());
    advice.attributes.iter().cloned().chain(extensions).collect()
}

/// An element in a line; the extensions or the template within it in a line each.
fn show(element: &[u8]) -> String {
    let nested = [oid::EXTENSION_REQUEST, oid::CERTIFICATION_REQUEST_INFO_TEMPLATE];
    match CsrAttr::parse(element) {
        Some(CsrAttr::Attribute { id, .. }) if nested.contains(&id) => match CsrAdvice::read(&[element.to_vec()]) {
            Ok(advice) => format!("{}:\n  {}", show_id(&id), show_advice(&advice).join("\n  ")),
            Err(_) => format!("{} = {}", show_id(&id), hexadecimal(element)),
        },
        Some(CsrAttr::Id(id)) => show_id(&id),
        Some(CsrAttr::Attribute { id, values }) => {
            let values: Vec<String> = values.iter().map(|value| show_value(value)).collect();
            let values = if values.is_empty() { "(any)".to_string() } else { values.join(", ") };
            format!("{} = {values}", show_id(&id))
        }
        None => hexadecimal(element),
    }
}

fn show_advice(advice: &CsrAdvice) -> Vec<String> {
    let mut lines: Vec<String> = advice.key.iter().map(|key| format!("key          {}", show_key(key))).collect();
    for part in &advice.subject {
        lines.push(format!("subject      {}{}", show_id(&part.id), show_given(part.value.as_deref().map(show_text))));
    }
    if let Some(names) = &advice.subject_alt_name {
        let given = names.given.iter().map(ToString::to_string);
        let open = names.to_fill.iter().map(|kind| format!("{kind} (to fill in)"));
        let names: Vec<String> = given.chain(open).collect();
        lines.push(format!("names        {}", if names.is_empty() { "(to fill in)".into() } else { names.join(", ") }));
    }
    for extension in &advice.extensions {
        let critical = if extension.critical { ", critical" } else { "" };
        let value = show_given(extension.value.as_deref().map(|value| show_extension(&extension.id, value)));
        lines.push(format!("extension    {}{critical}{value}", show_id(&extension.id)));
    }
    lines.extend(advice.attributes.iter().map(|id| format!("attribute    {}", show_id(id))));
    lines
}

fn show_given(value: Option<String>) -> String {
    value.map_or_else(|| " (to fill in)".to_string(), |value| format!(" = {value}"))
}

fn show_key(key: &KeyRequirement) -> String {
    match key {
        KeyRequirement::Type(key_type) => key_type.to_string(),
        KeyRequirement::Algorithm(id) => show_id(id),
        KeyRequirement::Unsupported(id) => format!("{} (not supported)", show_id(id)),
    }
}

fn show_extension(id: &Oid, value: &[u8]) -> String {
    let known = match id {
        id if *id == oid::KEY_USAGE => KeyUsage::from_der(value).map(|usage| usage.to_string()),
        id if *id == oid::SUBJECT_ALT_NAME => GeneralNames::parse(value).map(|names| names.to_string()),
        id if *id == oid::EXT_KEY_USAGE => {
            let purposes: Option<Vec<Oid>> = der::parts(der::contents(value)).map(Oid::from_der).collect();
            purposes.map(|purposes| purposes.iter().map(show_id).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    known.unwrap_or_else(|| hexadecimal(value))
}

/// A string of a name, without what could mislead on a terminal.
fn show_text(value: &[u8]) -> String {
    let text =
        std::str::from_utf8(der::contents(value)).ok().filter(|_| matches!(value.first(), Some(0x0c | 0x13 | 0x16)));
    text.map_or_else(|| hexadecimal(value), |text| text.escape_default().to_string())
}

fn element_json(element: &[u8]) -> Value {
    match CsrAttr::parse(element) {
        Some(CsrAttr::Id(id)) => json!({ "id": id.to_string(), "name": name_of(&id) }),
        Some(CsrAttr::Attribute { id, values }) => {
            let values: Vec<String> = values.iter().map(|value| hexadecimal(value)).collect();
            json!({ "id": id.to_string(), "name": name_of(&id), "values": values })
        }
        None => json!({ "der": hexadecimal(element) }),
    }
}

fn advice_json(advice: &CsrAdvice) -> Value {
    let ids = |ids: &[Oid]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let subject = advice.subject.iter().map(|part| {
        json!({ "id": part.id.to_string(), "name": name_of(&part.id), "value": part.value.as_deref().map(show_text) })
    });
    let extensions = advice.extensions.iter().map(|extension| {
        json!({
            "id": extension.id.to_string(),
            "name": name_of(&extension.id),
            "critical": extension.critical,
            "value": extension.value.as_deref().map(hexadecimal),
        })
    });
    let names = advice.subject_alt_name.as_ref().map(|names| {
        json!({
            "given": names.given.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "to_fill": names.to_fill.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({
        "key": advice.key.as_ref().map(show_key),
        "signature_algorithm": advice.signature_algorithm.as_ref().map(ToString::to_string),
        "subject": subject.collect::<Vec<_>>(),
        "subject_alt_name": names,
        "extensions": extensions.collect::<Vec<_>>(),
        "attributes": ids(&advice.attributes),
    })
}

fn show_value(value: &[u8]) -> String {
    Oid::from_der(value).map_or_else(|| hexadecimal(value), |id| show_id(&id))
}

pub(crate) fn show_id(id: &Oid) -> String {
    match name_of(id) {
        Some(name) => format!("{id} {name}"),
        None => id.to_string(),
    }
}

fn name_of(id: &Oid) -> Option<&'static str> {
    let dotted = id.to_string();
    NAMES.iter().find(|(known, _)| *known == dotted).map(|(_, name)| *name)
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What servers have been seen to ask for, or RFC 7030, 7894 and 9908 name.
const NAMES: [(&str, &str); 49] = [
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.2.840.113549.1.9.14", "extensionRequest"),
    ("1.2.840.113549.1.9.16.2.56", "otpChallenge"),
    ("1.2.840.113549.1.9.16.2.57", "revocationChallenge"),
    ("1.2.840.113549.1.9.16.2.58", "estIdentityLinking"),
    ("1.2.840.113549.1.9.16.2.61", "certificationRequestInfoTemplate"),
    ("1.2.840.113549.1.9.16.2.62", "extensionReqTemplate"),
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
