//! `/csrattrs`: what profiles ask for, what clients make of it, and that it is what the profiles accept.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;

use est_core::client::{CsrAdvice, Missing, NamesAdvice};
use est_core::pkix::{
    CertificationRequestInfoTemplate, CsrAttr, CsrAttrsError, CsrTemplate, Extension, ExtensionTemplate, GeneralName,
    GeneralNames, KeyRequirement, KeyType, KeyUsage, Name, Oid, SingleAttributeTemplate, oid, read_csr_attrs,
};
use est_core::policy::{NameKind, NameRules, Profile, SubjectRules, csr_attributes, decide};
use est_core::{Approval, Label, NameBinding};
use est_testkit::der::{attribute, extension, octet_string, sequence, set, utf8, value};
use est_testkit::pki::{Key, NOW, TestCa, general_names, name, parse_csr, password_holder};
use est_testkit::python::Python;

// What is asked for is what is accepted.

#[test]
fn a_request_made_from_csrattrs_is_accepted_by_every_built_in_profile() {
    let mut client = Client::new();
    for built_in in Profile::BUILT_IN {
        client.enrolls(&Profile::built_in(built_in).unwrap());
    }
    assert_eq!(client.accepted, 2 * Profile::BUILT_IN.len());
}

#[test]
fn a_request_made_from_csrattrs_is_accepted_by_profiles_of_all_kinds() {
    let key_types: [Option<&[KeyType]>; 6] = [
        None,
        Some(&[KeyType::EcdsaP256]),
        Some(&[KeyType::Rsa(2048), KeyType::EcdsaP384]),
        Some(&[KeyType::Ed25519, KeyType::Rsa(2048)]),
        Some(&[KeyType::EcdsaP384, KeyType::Ed25519]),
        Some(&[KeyType::MlDsa65]),
    ];
    let kinds: [&[NameKind]; 9] = [
        &[],
        &[NameKind::Dns],
        &[NameKind::Ip],
        &[NameKind::Directory, NameKind::Ip],
        &[NameKind::Email],
        &[NameKind::Uri, NameKind::Dns],
        &[NameKind::RegisteredId],
        &[NameKind::Other(oid::UPN)],
        &[NameKind::Other(oid::SMTP_UTF8_MAILBOX), NameKind::Ip],
    ];
    let attributes: [&[Oid]; 3] =
        [&[], &[oid::COMMON_NAME, oid::ORGANIZATION], &[oid::SERIAL_NUMBER, oid::COUNTRY, oid::EMAIL_ADDRESS]];
    let signing = KeyUsage::DIGITAL_SIGNATURE;
    let usages = [
        signing,
        signing.with(KeyUsage::KEY_ENCIPHERMENT).with(KeyUsage::KEY_AGREEMENT),
        KeyUsage::KEY_ENCIPHERMENT,
        KeyUsage::NON_REPUDIATION,
        KeyUsage::KEY_AGREEMENT,
    ];
    let purposes: [&[Oid]; 4] =
        [&[], &[oid::CLIENT_AUTH], &[oid::SERVER_AUTH, oid::EMAIL_PROTECTION], &[oid::CODE_SIGNING]];
    let mut client = Client::new();
    let mut unserved = 0;
    for key_types in key_types {
        for (key_usage, ext_key_usage) in usages.iter().flat_map(|usage| purposes.map(|purposes| (*usage, purposes))) {
            for (required, attributes) in kinds.iter().flat_map(|kinds| attributes.map(|all| (*kinds, all))) {
                for (require_san, is_narrow) in [(false, false), (true, true)] {
                    let rule = |kind: &NameKind| est_core::policy::NameRule { kind: kind.clone(), pattern: None };
                    let is_narrow = is_narrow && !required.is_empty();
                    let profile = Profile {
                        key_types: key_types.map(<[KeyType]>::to_vec),
                        key_usage,
                        ext_key_usage: ext_key_usage.to_vec(),
                        subject: SubjectRules { required: attributes.to_vec(), ..SubjectRules::default() },
                        names: NameRules {
                            require_san,
                            required: required.to_vec(),
                            allowed: is_narrow.then(|| required.iter().map(rule).collect()),
                            ..NameRules::default()
                        },
                        tells_extensions: !is_narrow,
                        ..Profile::new("custom")
                    };
                    // Where no key can have one of the usages, nobody gets a certificate; nor where the subject must
                    // have an emailAddress that the subjectAltName may not have.
                    let types = key_types.unwrap_or(&KeyType::USUAL);
                    let wants_mailbox = attributes.contains(&oid::EMAIL_ADDRESS);
                    if types.iter().all(|key_type| profile.key_usage_of(*key_type).is_empty())
                        || wants_mailbox && is_narrow && !required.contains(&NameKind::Email)
                    {
                        unserved += 1;
                        continue;
                    }
                    client.enrolls(&profile);
                }
            }
        }
    }
    assert_eq!(client.accepted / 2 + unserved, 6 * 5 * 4 * 9 * 3 * 2);
    assert!(unserved < client.accepted / 4, "{unserved}");
}

/// A client that makes requests from csrattrs alone, with names of its own to fill in.
struct Client {
    ca: TestCa,
    keys: HashMap<KeyType, Key>,
    accepted: usize,
}

impl Client {
    fn new() -> Self {
        Self { ca: TestCa::new(), keys: HashMap::new(), accepted: 0 }
    }

    /// Enrolls by the template, and as a client that knows RFC 7030 alone.
    fn enrolls(&mut self, profile: &Profile) {
        let ca = self.ca.label(None).ca;
        let label = Label::new(None, ca, profile.clone(), Approval::Automatic, NameBinding::Own, &[]);
        let elements = label.csrattrs().map(|der| read_csr_attrs(der).unwrap()).unwrap_or_default();
        let is_template =
            |element: &Vec<u8>| *CsrAttr::parse(element).unwrap().id() == oid::CERTIFICATION_REQUEST_INFO_TEMPLATE;
        assert_eq!(elements.iter().filter(|element| is_template(element)).count(), usize::from(!elements.is_empty()));
        self.enrolls_as_told(&label, &elements);
        let old: Vec<Vec<u8>> = elements.into_iter().filter(|element| !is_template(element)).collect();
        self.enrolls_as_told(&label, &old);
    }

    fn enrolls_as_told(&mut self, label: &Label, elements: &[Vec<u8>]) {
        let profile = &label.profile;
        let advice = CsrAdvice::read(elements).unwrap();
        let (mut subject, mut names) = (String::new(), Vec::new());
        for missing in advice.missing(&name(""), &[]) {
            match missing {
                Missing::SubjectAttribute(id) => subject = format!("{}{subject}", attribute_text(&id, &subject)),
                Missing::Name(kind) => names.push(name_of(&kind)),
                // Which kind that is, is what the sender knows of the service.
                Missing::SubjectAltName => {
                    let required = profile.names.required.iter().cloned();
                    let allowed = profile.names.allowed.iter().flatten().map(|rule| rule.kind.clone());
                    let mut kinds: Vec<NameKind> = required.collect();
                    if kinds.is_empty() {
                        kinds.push(allowed.chain([NameKind::Dns]).next().unwrap());
                    }
                    names.extend(kinds.iter().map(name_of));
                }
                other => panic!("nothing is known about {other}"),
            }
        }
        if subject.contains("emailAddress") && !names.contains(&name_of(&NameKind::Email)) {
            names.push(name_of(&NameKind::Email));
        }
        if subject.is_empty() && names.is_empty() {
            subject = "CN=device-1".to_string();
        }
        let subject = name(&subject);
        assert_eq!(advice.missing(&subject, &names), []);
        let key_type = advice.key.as_ref().map_or(KeyType::EcdsaP256, |key| key.key_type().unwrap());
        let key = self.keys.entry(key_type).or_insert_with(|| Key::generate(key_type));
        let request = advice.complete(CsrTemplate {
            subject,
            subject_alt_name: GeneralNames::from_names(&names),
            public_key: key.public_key().clone(),
            challenge_password: None,
            extensions: Vec::new(),
        });
        let csr = parse_csr(&key.signed(request.to_be_signed()));
        let decided = decide(label, &password_holder("p"), &csr, None, NOW);
        let plan = decided.unwrap_or_else(|refusal| panic!("{refusal}: {profile:?}"));
        assert_eq!(plan.dropped, [], "{profile:?}");
        self.accepted += 1;
    }
}

fn attribute_text(id: &Oid, rest: &str) -> String {
    let text = match id {
        id if *id == oid::COMMON_NAME => "CN=device-1",
        id if *id == oid::ORGANIZATION => "O=Example",
        id if *id == oid::SERIAL_NUMBER => "serialNumber=4711",
        id if *id == oid::COUNTRY => "C=DE",
        id if *id == oid::EMAIL_ADDRESS => "emailAddress=device@example.com",
        id => panic!("no value for {id}"),
    };
    if rest.is_empty() { text.to_string() } else { format!("{text},") }
}

fn name_of(kind: &NameKind) -> GeneralName {
    let other = |text: &str| {
        let NameKind::Other(id) = kind else { panic!("an otherName") };
        value(0xa0, &[id.as_der(), &value(0xa0, &[&utf8(text)])])
    };
    let text = |text| GeneralName::from_text(text).unwrap();
    match kind {
        NameKind::Dns => text("DNS:device-1.example.com"),
        NameKind::Ip => text("IP:2001:db8::1"),
        NameKind::Email => text("email:device@example.com"),
        NameKind::Uri => text("URI:urn:dev:1"),
        NameKind::Directory => GeneralName::Directory(name("CN=device-1")),
        NameKind::RegisteredId => GeneralName::Other(b"\x88\x02\x2a\x03".to_vec()),
        NameKind::Other(id) if *id == oid::SMTP_UTF8_MAILBOX => GeneralName::Other(other("gerät@example.com")),
        NameKind::Other(id) if *id == oid::UPN => GeneralName::Other(other("device@example.com")),
        kind => panic!("no name for {kind}"),
    }
}

// What is written.

fn rsa_devices() -> Profile {
    Profile {
        key_types: Some(vec![KeyType::Rsa(4096), KeyType::EcdsaP256]),
        subject: SubjectRules { required: vec![oid::SERIAL_NUMBER], ..SubjectRules::default() },
        names: NameRules { required: vec![NameKind::Ip, NameKind::Directory], ..NameRules::default() },
        ext_key_usage: vec![oid::CLIENT_AUTH],
        ..Profile::new("rsa-devices")
    }
}

#[test]
fn says_nothing_where_nothing_is_asked_for() {
    assert_eq!(csr_attributes(&Profile::new("any"), &[]), None);
    let ca_settings = Profile { ext_key_usage: vec![oid::CLIENT_AUTH], tells_extensions: false, ..Profile::new("any") };
    assert_eq!(csr_attributes(&ca_settings, &[]), None);
    let listed = csr_attributes(&ca_settings, &[oid::CHALLENGE_PASSWORD, oid::CHALLENGE_PASSWORD]).unwrap();
    assert_eq!(listed, sequence(&[oid::CHALLENGE_PASSWORD.as_der()]));
}

#[test]
fn writes_the_list_of_rfc_7030_before_the_template() {
    let more = [oid::CHALLENGE_PASSWORD, oid::KEY_USAGE, oid::SERIAL_NUMBER, oid::ORGANIZATION];
    let written = csr_attributes(&rsa_devices(), &more).unwrap();
    assert_eq!(written, csr_attributes(&rsa_devices(), &more).unwrap());
    let elements = read_csr_attrs(&written).unwrap();
    let usage = extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x05\xa0");
    let purposes = extension(oid::EXT_KEY_USAGE.as_der(), false, &sequence(&[oid::CLIENT_AUTH.as_der()]));
    let sha256_with_rsa = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    let expected = [
        attribute(oid::RSA_ENCRYPTION.as_der(), &[b"\x02\x02\x10\x00"]),
        sha256_with_rsa.to_vec(),
        attribute(oid::EXTENSION_REQUEST.as_der(), &[&sequence(&[&usage, &purposes])]),
        oid::SUBJECT_ALT_NAME.as_der().to_vec(),
        oid::SERIAL_NUMBER.as_der().to_vec(),
        oid::CHALLENGE_PASSWORD.as_der().to_vec(),
        oid::ORGANIZATION.as_der().to_vec(),
    ];
    assert_eq!(elements[..elements.len() - 1], expected);
    // The template has what the list has.
    let Some(CsrAttr::Attribute { values, .. }) = CsrAttr::parse(elements.last().unwrap()) else {
        panic!("a template")
    };
    let template = CertificationRequestInfoTemplate::parse(&values[0]).unwrap();
    let names = ExtensionTemplate {
        value: Some(sequence(&[b"\x87\x00", b"\xa4\x02\x30\x00"])),
        ..ExtensionTemplate::to_fill(oid::SUBJECT_ALT_NAME)
    };
    let usage = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
    assert_eq!(
        template,
        CertificationRequestInfoTemplate {
            subject: [oid::SERIAL_NUMBER, oid::ORGANIZATION].map(SingleAttributeTemplate::to_fill).to_vec(),
            key: Some(KeyRequirement::Type(KeyType::Rsa(4096))),
            extensions: vec![
                Extension::key_usage(usage).into(),
                Extension::ext_key_usage(&[oid::CLIENT_AUTH]).into(),
                names
            ],
            attributes: vec![oid::CHALLENGE_PASSWORD],
        }
    );
    assert_eq!(template.to_der(), values[0]);
}

#[test]
fn an_ec_key_is_asked_for_by_its_curve_and_an_ed25519_key_by_its_algorithm_alone() {
    let first = |key_type| {
        let profile = Profile { key_types: Some(vec![key_type]), tells_extensions: false, ..Profile::new("one") };
        let elements = read_csr_attrs(&csr_attributes(&profile, &[]).unwrap()).unwrap();
        (elements[0].clone(), elements.len())
    };
    let p384 = b"\x06\x05\x2b\x81\x04\x00\x22";
    assert_eq!(first(KeyType::EcdsaP384), (attribute(oid::EC_PUBLIC_KEY.as_der(), &[p384]), 3));
    assert_eq!(first(KeyType::Ed25519), (attribute(b"\x06\x03\x2b\x65\x70", &[]), 2));
    let ml_dsa_65 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12";
    assert_eq!(first(KeyType::MlDsa65), (attribute(ml_dsa_65, &[]), 2));
}

#[test]
fn prefers_a_type_of_key_that_can_be_used_as_the_profile_wants() {
    let enciphering = Profile {
        key_types: Some(vec![KeyType::EcdsaP256, KeyType::Rsa(3072)]),
        key_usage: KeyUsage::KEY_ENCIPHERMENT,
        ..Profile::new("enciphering")
    };
    for profile in [Profile { key_types: None, ..enciphering.clone() }, enciphering] {
        let advice = advice(&csr_attributes(&profile, &[]).unwrap()).unwrap();
        assert!(matches!(advice.key, Some(KeyRequirement::Type(KeyType::Rsa(_)))), "{advice:?}");
    }
}

// What is read.

fn advice(csr_attrs: &[u8]) -> Result<CsrAdvice, CsrAttrsError> {
    CsrAdvice::read(&read_csr_attrs(csr_attrs).expect("a CsrAttrs"))
}

fn template(subject: &[u8], key: &[u8], attributes: &[&[u8]]) -> Vec<u8> {
    let template = sequence(&[b"\x02\x01\x00", subject, key, &value(0xa1, attributes)]);
    sequence(&[&attribute(oid::CERTIFICATION_REQUEST_INFO_TEMPLATE.as_der(), &[&template])])
}

const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The template of RFC 9908 §3.4: a commonName to fill in below two units, a P-256 key, a host and an address to fill in,
/// digitalSignature and keyAgreement, purposes to fill in.
#[test]
fn reads_the_template_of_rfc_9908() {
    let unit = |text| set(&[&sequence(&[oid::ORGANIZATIONAL_UNIT.as_der(), &utf8(text)])]);
    let subject = sequence(&[&set(&[&sequence(&[oid::COMMON_NAME.as_der()])]), &unit("myDept"), &unit("myGroup")]);
    let key = value(0xa0, &[&sequence(&[oid::EC_PUBLIC_KEY.as_der(), P256])]);
    let names = sequence(&[b"\x82\x10www.myServer.com", b"\x87\x00"]);
    let extensions = sequence(&[
        &extension(oid::SUBJECT_ALT_NAME.as_der(), false, &names),
        &extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x03\x88"),
        &sequence(&[oid::EXT_KEY_USAGE.as_der()]),
    ]);
    let request = attribute(oid::EXTENSION_REQ_TEMPLATE.as_der(), &[&extensions]);
    let advice = advice(&template(&subject, &key, &[&request])).unwrap();
    assert_eq!(advice.key.as_ref().and_then(KeyRequirement::key_type), Some(KeyType::EcdsaP256));
    let host = GeneralName::Dns("www.myServer.com".into());
    let names = NamesAdvice { given: vec![host], to_fill: vec![NameKind::Ip] };
    assert_eq!(advice.subject_alt_name, Some(names));
    let missing = [Missing::SubjectAttribute(oid::COMMON_NAME), Missing::Name(NameKind::Ip)];
    assert_eq!(advice.missing(&name("O=Example"), &[]), missing);

    let key = Key::p256();
    let request = advice.complete(CsrTemplate {
        subject: name("CN=device-1,OU=myDept"),
        subject_alt_name: general_names(&["IP:192.0.2.1"]),
        public_key: key.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    });
    let csr = parse_csr(&key.signed(request.to_be_signed()));
    assert_eq!(csr.subject().to_string(), "OU=myGroup,CN=device-1,OU=myDept");
    assert_eq!(csr.subject_alt_name(), general_names(&["DNS:www.myServer.com", "IP:192.0.2.1"]).as_ref());
    let usage = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_AGREEMENT);
    assert_eq!(csr.extensions()[1..], [Extension::key_usage(usage)]);
}

#[test]
fn follows_the_template_alone_where_there_is_one() {
    let only_key = template(b"", &value(0xa0, &[&sequence(&[oid::EC_PUBLIC_KEY.as_der(), P256])]), &[]);
    let [template] = read_csr_attrs(&only_key).unwrap().try_into().unwrap();
    let list = sequence(&[oid::COMMON_NAME.as_der(), b"\x06\x03\x2b\x65\x70", &template]);
    let expected = CsrAdvice { key: Some(KeyRequirement::Type(KeyType::EcdsaP256)), ..CsrAdvice::default() };
    assert_eq!(advice(&list), Ok(expected));
}

/// RFC 9908 §5: an RSA key of 4096 bits; the corrected example of RFC 7030; an extension with its value.
#[test]
fn reads_the_lists_of_rfc_9908() {
    let rsa = attribute(oid::RSA_ENCRYPTION.as_der(), &[b"\x02\x02\x10\x00"]);
    let sha256_with_rsa = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    let read = advice(&sequence(&[oid::CHALLENGE_PASSWORD.as_der(), &rsa, sha256_with_rsa])).unwrap();
    assert_eq!(read.key, Some(KeyRequirement::Type(KeyType::Rsa(4096))));
    assert_eq!(read.signature_algorithm, Oid::from_der(sha256_with_rsa));
    assert_eq!(read.attributes, [oid::CHALLENGE_PASSWORD]);

    let p384 = attribute(oid::EC_PUBLIC_KEY.as_der(), &[b"\x06\x05\x2b\x81\x04\x00\x22"]);
    let (mac_address, sha384) = (b"\x06\x07\x2b\x06\x01\x01\x01\x01\x16", b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
    let corrected = advice(&sequence(&[oid::CHALLENGE_PASSWORD.as_der(), &p384, mac_address, sha384])).unwrap();
    assert_eq!(corrected.key, Some(KeyRequirement::Type(KeyType::EcdsaP384)));
    assert_eq!(corrected.attributes, [oid::CHALLENGE_PASSWORD, Oid::from_der(mac_address).unwrap()]);
    // As RFC 7030 §4.5.2 itself has it.
    let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[mac_address]);
    let original = advice(&sequence(&[oid::CHALLENGE_PASSWORD.as_der(), &p384, &request, sha384])).unwrap();
    assert_eq!(original, corrected);

    // id-on-AcpNodeName (RFC 8994).
    let node = utf8("rfc8994+fd739fc23c3440112233445500000000+@acp.example.com");
    let node = value(0xa0, &[b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x0a", &value(0xa0, &[&node])]);
    let names = extension(oid::SUBJECT_ALT_NAME.as_der(), true, &sequence(&[&node]));
    let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[&sequence(&[&names])]);
    let acp = advice(&sequence(&[&request])).unwrap();
    assert_eq!(acp.subject_alt_name.as_ref().unwrap().given, [GeneralName::Other(node)]);
    assert_eq!(acp.missing(&name(""), &[]), []);
}

#[test]
fn refuses_what_rfc_9908_says_must_not_be() {
    let usage = extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let one = sequence(&[&usage]);
    let twice = sequence(&[&usage, &usage]);
    let open = sequence(&[&sequence(&[oid::KEY_USAGE.as_der()])]);
    let request = |values: &[&[u8]]| attribute(oid::EXTENSION_REQUEST.as_der(), values);
    let partial = |values: &[&[u8]]| attribute(oid::EXTENSION_REQ_TEMPLATE.as_der(), values);
    let in_template = |attributes: &[&[u8]]| advice(&template(b"", b"", attributes));
    let in_list = |elements: &[&[u8]]| advice(&sequence(elements));
    let (asked, filled) = (oid::EXTENSION_REQUEST, oid::EXTENSION_REQ_TEMPLATE);
    for (read, error) in [
        (in_list(&[&request(&[&one]), &request(&[&one])]), CsrAttrsError::Repeated(asked.clone())),
        (in_list(&[&request(&[&one, &one])]), CsrAttrsError::Values(asked.clone())),
        (in_list(&[&request(&[])]), CsrAttrsError::Values(asked.clone())),
        (in_list(&[&request(&[&twice])]), CsrAttrsError::DuplicateExtension(oid::KEY_USAGE)),
        (in_list(&[&request(&[&sequence(&[])])]), CsrAttrsError::Extensions),
        (in_list(&[&request(&[&open])]), CsrAttrsError::Extensions),
        (in_list(&[&request(&[&one]), &request(&[oid::KEY_USAGE.as_der()])]), CsrAttrsError::Repeated(asked.clone())),
        (in_template(&[&request(&[&one]), &partial(&[&open])]), CsrAttrsError::BothExtensionRequests),
        (in_template(&[&partial(&[&open]), &partial(&[&open])]), CsrAttrsError::Repeated(filled.clone())),
        (in_template(&[&request(&[&one]), &request(&[&one])]), CsrAttrsError::Repeated(asked.clone())),
        (in_template(&[&partial(&[&open, &open])]), CsrAttrsError::Values(filled.clone())),
        (in_template(&[&partial(&[])]), CsrAttrsError::Values(filled)),
        // The single ExtensionTemplate that the prose has, where the module has a list.
        (in_template(&[&partial(&[&sequence(&[oid::KEY_USAGE.as_der()])])]), CsrAttrsError::Extensions),
        (in_template(&[&request(&[&open])]), CsrAttrsError::Extensions),
        (in_template(&[&request(&[&one, &one])]), CsrAttrsError::Values(asked)),
    ] {
        assert_eq!(read, Err(error.clone()), "{error}");
    }
}

#[test]
fn refuses_templates_that_are_none() {
    let id = oid::CERTIFICATION_REQUEST_INFO_TEMPLATE;
    let whole = sequence(&[b"\x02\x01\x00", b"\xa1\x00"]);
    let of = |values: &[&[u8]]| advice(&sequence(&[&attribute(id.as_der(), values)]));
    assert_eq!(of(&[&whole]), Ok(CsrAdvice::default()));
    assert_eq!(of(&[]), Err(CsrAttrsError::Values(id.clone())));
    assert_eq!(of(&[&whole, &whole]), Err(CsrAttrsError::Values(id.clone())));
    let element = attribute(id.as_der(), &[&whole]);
    assert_eq!(advice(&sequence(&[&element, &element])), Err(CsrAttrsError::Repeated(id.clone())));
    assert_eq!(advice(&sequence(&[id.as_der()])), Err(CsrAttrsError::Values(id.clone())));
    let spki = sequence(&[&sequence(&[oid::EC_PUBLIC_KEY.as_der(), P256])]);
    for malformed in [
        sequence(&[b"\x02\x01\x01", b"\xa1\x00"]),
        sequence(&[b"\x02\x01\x00"]),
        sequence(&[b"\x02\x01\x00", b"\x81\x00"]),
        sequence(&[b"\x02\x01\x00", b"\xa0\x00", b"\xa1\x00"]),
        // An explicit tag, and the attributes as those of a request.
        sequence(&[b"\x02\x01\x00", &value(0xa0, &[&spki]), b"\xa1\x00"]),
        sequence(&[b"\x02\x01\x00", b"\xa0\x00"]),
        sequence(&[b"\x02\x01\x00", &sequence(&[&octet_string(b"a")]), b"\xa1\x00"]),
    ] {
        assert_eq!(of(&[&malformed]), Err(CsrAttrsError::Template), "{malformed:02x?}");
    }
    let names = |names: &[&[u8]]| {
        let extensions = sequence(&[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, &sequence(names))]);
        advice(&template(b"", b"", &[&attribute(oid::EXTENSION_REQUEST.as_der(), &[&extensions])]))
    };
    assert_eq!(names(&[]), Err(CsrAttrsError::SubjectAltName));
    assert_eq!(names(&[b"\x87\x01\x00"]), Err(CsrAttrsError::SubjectAltName));
    assert!(names(&[b"\x82\x00", b"\x87\x00", b"\xa4\x02\x30\x00"]).is_ok());
}

#[test]
fn asks_for_key_usages_only_with_the_key_that_they_are_meant_for() {
    let asked = advice(&csr_attributes(&rsa_devices(), &[]).unwrap()).unwrap();
    let request = asked.complete(CsrTemplate {
        subject: Name::from_text("").unwrap(),
        subject_alt_name: None,
        public_key: Key::p256().public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    });
    assert_eq!(request.extensions, [Extension::ext_key_usage(&[oid::CLIENT_AUTH])]);
}

// What somebody else's library reads.

const DECODE: &str = include_str!("csrattrs/decode.py");

#[test]
fn an_independent_library_reads_what_every_built_in_profile_asks_for() {
    let Some(python) = Python::with(&["pyasn1_alt_modules.rfc9908"]) else { return };
    let usage = "2.5.29.15 critical 03 02 05 a0";
    let purposes = |last: &[&str]| {
        let purposes: Vec<String> = last.iter().map(|last| format!("06 08 2b 06 01 05 05 07 03 {last}")).collect();
        format!("2.5.29.37 30 {:02x} {}", 10 * last.len(), purposes.join(" "))
    };
    let rsa_2048 = "attribute 1.2.840.113549.1.1.1 02 02 08 00";
    let cases: [(Profile, Vec<String>); 7] = [
        (built_in("device"), extensions_alone(&[&purposes(&["02"])])),
        (built_in("tls-client"), extensions_alone(&[&purposes(&["02"])])),
        (built_in("ra"), extensions_alone(&["2.5.29.15 critical 03 02 07 80", &purposes(&["02", "1c"])])),
        (built_in("tls-server"), extensions_and_names(&[&purposes(&["01"])])),
        (built_in("smime"), extensions_and_names(&[&purposes(&["04"])])),
        (built_in("br-tls"), {
            let mut lines = extensions_and_names(&["2.5.29.15 critical 03 02 07 80", &purposes(&["01"])]);
            let key = "key 1.2.840.113549.1.1.1 05 00, 2048 bits";
            lines.splice(0..0, [rsa_2048.to_string(), "oid 1.2.840.113549.1.1.11".into()]);
            let at = lines.iter().position(|line| line == "template").unwrap();
            lines.insert(at + 1, key.into());
            lines
        }),
        (rsa_devices(), {
            let purposes = purposes(&["02"]);
            let lines = [
                "attribute 1.2.840.113549.1.1.1 02 02 10 00",
                "oid 1.2.840.113549.1.1.11",
                "extensionRequest",
                usage,
                &purposes,
                "oid 2.5.29.17",
                "oid 2.5.4.5",
                "template",
                "subject 2.5.4.5",
                "key 1.2.840.113549.1.1.1 05 00, 4096 bits",
                "extensionReqTemplate",
                usage,
                &purposes,
                "2.5.29.17 30 06 87 00 a4 02 30 00",
            ];
            lines.map(String::from).to_vec()
        }),
    ];
    let folder = std::env::temp_dir();
    for (profile, expected) in cases {
        let written = csr_attributes(&profile, &[]).unwrap();
        let hexadecimal: String = written.iter().map(|octet| format!("{octet:02x}")).collect();
        let printed = python.run(DECODE, &folder, &[hexadecimal]);
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{}", profile.name);
    }
}

fn built_in(name: &str) -> Profile {
    Profile::built_in(name).unwrap()
}

fn extensions_alone(extensions: &[&str]) -> Vec<String> {
    let list = [&["extensionRequest"], extensions].concat();
    [&list[..], &["template"], &list].concat().into_iter().map(String::from).collect()
}

fn extensions_and_names(extensions: &[&str]) -> Vec<String> {
    let first = [&["extensionRequest"], extensions, &["oid 2.5.29.17"]].concat();
    let second = [&["template", "extensionReqTemplate"], extensions, &["2.5.29.17 to fill"]].concat();
    [first, second].concat().into_iter().map(String::from).collect()
}
