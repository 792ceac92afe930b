//! What a client makes of CsrAttrs, and templates alone.

use est_core::client::CsrAdvice;
use est_core::pkix::{
    CertificationRequestInfoTemplate, CsrTemplate, GeneralName, GeneralNames, KeyRequirement, Name,
    SubjectPublicKeyInfo, der, read_csr_attrs,
};

/// The generator of P-256, which is a public key.
const PUBLIC_KEY: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\
    \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
    \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

/// Reads a template, and writes and reads it again; follows CsrAttrs, and what comes of it is a request that asks for
/// everything that was given.
pub fn run(input: &[u8]) {
    if let Ok(template) = CertificationRequestInfoTemplate::parse(input) {
        round_trip(template);
    }
    let Some(Ok(advice)) = read_csr_attrs(input).map(|elements| CsrAdvice::read(&elements)) else { return };
    let subject = Name::from_text("CN=device-1").expect("a name");
    let names = GeneralNames::from_names(&[GeneralName::Dns("device-1.example".into())]);
    let missing = advice.missing(&subject, names.as_ref().map(GeneralNames::names).unwrap_or_default());
    let request = advice.complete(CsrTemplate {
        subject,
        subject_alt_name: names,
        public_key: SubjectPublicKeyInfo::parse(PUBLIC_KEY).expect("a key"),
        challenge_password: None,
        extensions: Vec::new(),
    });
    assert_eq!(Name::parse(request.subject.as_der()).as_ref(), Ok(&request.subject));
    // A name as long as a name may be takes no more.
    let given = advice.subject.iter().filter(|part| part.value.is_some());
    assert!(given.clone().count() > 32 || given.map(|part| &part.id).all(|id| has(&request.subject, id)));
    let names = request.subject_alt_name.as_ref().expect("one was there");
    assert!(advice.subject_alt_name.iter().flat_map(|names| &names.given).all(|name| names.names().contains(name)));
    let mut ids: Vec<_> = request.extensions.iter().map(|extension| &extension.id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    // What was missing still is.
    assert_eq!(advice.missing(&request.subject, names.names()).len(), missing.len());
    assert!(der::check(&request.to_be_signed()).is_ok() || input.len() > 4096);
}

fn has(subject: &Name, id: &est_core::pkix::Oid) -> bool {
    subject.attributes().any(|(own, _)| own == id)
}

fn round_trip(mut template: CertificationRequestInfoTemplate) {
    let mut again = CertificationRequestInfoTemplate::parse(&template.to_der()).expect("our own template");
    // The algorithm alone is kept of a key that is not supported, and a SET OF has no order.
    if matches!(template.key, Some(KeyRequirement::Unsupported(_))) {
        (template.key, again.key) = (None, None);
    }
    template.attributes.sort_unstable();
    again.attributes.sort_unstable();
    assert_eq!(again, template);
}
