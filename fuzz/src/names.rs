//! Names and what a CA's constraints say of them: a SEQUENCE of NameConstraints and GeneralNames.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use est_auth::{PathValidator, Purpose};
use est_core::pkix::{
    Certificate, Csr, CsrTemplate, Extension, GeneralName, GeneralNames, KeyUsage, NameConstraints, TbsCertificate,
    assemble_csr, der, oid,
};
use est_core::policy::decide;
use est_core::{Approval, Ca, Label, NameBinding, Seconds};
use est_testkit::der::sequence;
use est_testkit::pki::{Key, NOW, name, password_holder, profile, serial};
use est_testkit::trusting::TRUSTING;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix;

use crate::mutation::{visit, with_sorted_sets};
use crate::oracle;

/// That of a CA, and that of a device.
static KEYS: LazyLock<(Key, Key)> = LazyLock::new(|| (Key::p256(), Key::p256()));

/// Reads both.
///
/// They say the same to us as to `x509-cert`, what constraints allow keeps to some laws, and what the policy grants
/// below a CA with these constraints is a certificate that webpki verifies below it.
///
/// # Panics
/// When it is not so.
pub fn run(input: &[u8]) {
    if der::check(input).is_err() {
        assert!(GeneralNames::parse(input).is_none() && NameConstraints::parse(input).is_none());
        return;
    }
    let parts: Vec<_> = der::parts(der::contents(input)).collect();
    let [constraints_der, names_der] = parts[..] else { return };
    let names = GeneralNames::parse(names_der);
    let constraints = NameConstraints::parse(constraints_der);
    if let Some(names) = &names {
        names_are_sound(names, names_der);
    }
    if constraints.is_some() {
        let theirs = pkix::NameConstraints::from_der(constraints_der);
        assert!(theirs.is_ok() || is_known(constraints_der), "x509-cert does not read the constraints: {theirs:?}");
    }
    if let (Some(names), Some(constraints)) = (&names, &constraints) {
        names.names().iter().for_each(|name| keeps_the_laws(constraints, constraints_der, name));
    }
    if let Some(names) = &names {
        policy_agrees(constraints.as_ref(), constraints_der, names);
    }
}

fn names_are_sound(names: &GeneralNames, input: &[u8]) {
    assert_eq!(names.as_der(), input);
    assert!(!names.to_string().contains(char::is_control), "{names}");
    let mut backwards = names.names().to_vec();
    backwards.reverse();
    let backwards = GeneralNames::from_names(&backwards).expect("each was read");
    assert!(names.same_names(&backwards) && names.names().iter().all(|name| backwards.contains(name)));

    let theirs = match pkix::SubjectAltName::from_der(input) {
        Ok(theirs) => theirs.0,
        Err(error) => return assert!(is_known(input), "x509-cert does not read the names: {error}"),
    };
    assert_eq!(names.names().len(), theirs.len());
    for (ours, theirs) in names.names().iter().zip(theirs) {
        use pkix::name::GeneralName as Theirs;
        match (ours, &theirs) {
            (GeneralName::Dns(ours), Theirs::DnsName(theirs))
            | (GeneralName::Rfc822(ours), Theirs::Rfc822Name(theirs))
            | (GeneralName::Uri(ours), Theirs::UniformResourceIdentifier(theirs)) => assert_eq!(ours, theirs.as_str()),
            (GeneralName::Ip(IpAddr::V4(ours)), Theirs::IpAddress(theirs)) => {
                assert_eq!(ours.octets(), theirs.as_bytes());
            }
            (GeneralName::Ip(IpAddr::V6(ours)), Theirs::IpAddress(theirs)) => {
                assert_eq!(ours.octets(), theirs.as_bytes());
            }
            (GeneralName::Directory(ours), Theirs::DirectoryName(theirs)) => {
                let theirs = theirs.to_der().expect("it was read");
                assert_eq!(with_sorted_sets(ours.as_der()), with_sorted_sets(&theirs));
            }
            (GeneralName::Other(_), Theirs::OtherName(_) | Theirs::RegisteredId(_) | Theirs::EdiPartyName(_)) => {}
            (ours, theirs) => panic!("{ours} is {theirs:?}"),
        }
    }
}

/// A difference that is known for all inputs, or one about the forms that are told by their tags alone: `x509-cert` looks
/// into those that we do not, and knows no object identifier with arcs of more than its integers hold.
fn is_known(input: &[u8]) -> bool {
    let mut found = oracle::known_difference(input).is_some();
    visit(input, &mut |tag, contents| {
        found |= match tag {
            0xa0 | 0xa3 | 0xa5 => true,
            0x88 => ObjectIdentifier::from_bytes(contents).is_err(),
            _ => false,
        };
    });
    found
}

fn keeps_the_laws(constraints: &NameConstraints, input: &[u8], name: &GeneralName) {
    let allowed = constraints.allow(name);
    // Permitted and excluded subtrees are two conditions, each of which can be put alone.
    let mut alone =
        der::parts(der::contents(input)).map(|list| NameConstraints::parse(&sequence(&[list])).expect("half"));
    assert_eq!(allowed, alone.all(|half| half.allow(name)));
    if let GeneralName::Dns(text) = name {
        assert_eq!(allowed, constraints.allow(&GeneralName::Dns(text.to_ascii_uppercase())));
        if let Some(parent) = text.strip_prefix("*.").filter(|_| allowed) {
            let hosts = ["a", "www", "xn--bcher-kva"].map(|label| GeneralName::Dns(format!("{label}.{parent}")));
            assert!(hosts.iter().all(|host| constraints.allow(host)), "a wildcard stands for more than is allowed");
        }
    }
}

/// A request for these names below a CA with these constraints.
fn policy_agrees(constraints: Option<&NameConstraints>, constraints_der: &[u8], names: &GeneralNames) {
    let (ca_key, device_key) = &*KEYS;
    let ca = constrained(ca_key, constraints_der);
    let label = Label::new(None, ca.clone(), profile(), Approval::Automatic, NameBinding::Own, &[]);
    let wanted = CsrTemplate {
        subject: name(""),
        subject_alt_name: Some(names.clone()),
        public_key: device_key.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let request = assemble_csr(wanted.to_be_signed(), device_key.signature_algorithm(), b"any");
    // One RDN with a type of attribute twice can be read, and is not issued.
    let Ok(csr) = Csr::parse(&request, &TRUSTING) else { return };
    let Ok(plan) = decide(&label, &password_holder("p"), &csr, None, NOW) else { return };
    let constraints = constraints.expect("nothing is granted below what cannot be read");
    assert!(names.names().iter().all(|name| constraints.allow(name)));

    let are_hosts = |der: &[u8]| der::parts(der::contents(der)).all(|part| matches!(part[0], 0x82 | 0x87));
    let mut bases = der::parts(der::contents(constraints_der)).flat_map(|list| der::parts(der::contents(list)));
    if !bases.all(are_hosts) || !are_hosts(names.as_der()) {
        // webpki refuses whatever other constraints are about.
        return;
    }
    let leaf = ca_key.signed(plan.to_be_signed(&ca.certificate, serial(3), ca_key.signature_algorithm()));
    let validator = PathValidator::new(&[ca.certificate.as_der()], &[[0; 0]; 0], Purpose::ClientAuth).expect("a CA");
    let validated = validator.validate(&[leaf], NOW);
    assert!(validated.is_ok(), "what was granted does not verify: {:?}", validated.err());
}

/// A root with these constraints.
fn constrained(key: &Key, constraints: &[u8]) -> Arc<Ca> {
    let subject = name("CN=names");
    let extensions = [
        Extension::certificate_authority(),
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN),
        Extension::subject_key_identifier(&key.public_key().key_identifier()),
        Extension { id: oid::NAME_CONSTRAINTS, critical: true, value: constraints.to_vec() },
    ];
    let to_be_signed = TbsCertificate {
        serial: serial(2),
        signature_algorithm: key.signature_algorithm(),
        issuer: &subject,
        subject: &subject,
        not_before: NOW,
        not_after: NOW + Seconds::from_days(30),
        public_key: key.public_key().as_der(),
        extensions: &extensions,
    };
    let certificate = Certificate::parse(&key.signed(to_be_signed.to_der())).expect("a certificate that was just made");
    Arc::new(Ca { id: "names".into(), certificate, chain: Vec::new(), rollover: Vec::new() })
}
