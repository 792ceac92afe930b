//! Certificates and certs-only messages: what we make, others read, and the other way round.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use est_core::pkix::{
    Certificate, CsrAttr, Extension, KeyType, Name, TbsCertificate, assemble_certificate, certs_only, csr_attrs, oid,
    read_certs_only, read_csr_attrs,
};
use est_core::policy::{Plan, decide};
use est_core::{Seconds, UnixTime};
use est_testkit::der;
use est_testkit::peers::OpenSsl;
use est_testkit::pki::{Key, NOW, TestCa, name, parse_csr, password_holder, serial};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

#[test]
fn x509_cert_reads_the_same_fields() {
    for key_type in KeyType::USUAL {
        let ca = TestCa::new();
        let plan = plan(&ca, &Key::generate(key_type).csr("CN=device-1,O=Example", NAMES));
        let der = ca.issue(&plan, serial(9));
        let theirs = x509_cert::Certificate::from_der(&der).unwrap();
        let tbs = theirs.tbs_certificate();
        assert_eq!(tbs.serial_number().as_bytes(), serial(9).as_bytes());
        assert_eq!(tbs.issuer().to_der().unwrap(), ca.certificate().subject().as_der());
        assert_eq!(tbs.subject().to_der().unwrap(), plan.subject.as_der());
        assert_eq!(tbs.subject_public_key_info().to_der().unwrap(), plan.public_key.as_der());
        assert_eq!(tbs.validity().not_before.to_unix_duration().as_secs(), plan.not_before.0);
        assert_eq!(tbs.validity().not_after.to_unix_duration().as_secs(), plan.not_after.0);
        let ids: Vec<_> = tbs.extensions().unwrap().iter().map(|extension| extension.extn_id).collect();
        let expected = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.17", "2.5.29.35"];
        assert_eq!(ids, expected.map(ObjectIdentifier::new_unwrap));
        assert_eq!(theirs.to_der().unwrap(), der);
    }
}

#[test]
fn reads_back_what_it_made() {
    let ca = TestCa::new();
    let key = Key::p256();
    let plan = plan(&ca, &key.csr("CN=device-1,O=Example", NAMES));
    let certificate = Certificate::parse(&ca.issue(&plan, serial(9))).unwrap();
    assert!(plan.is_met_by(&certificate));
    assert_eq!(certificate.serial(), serial(9).as_bytes());
    assert_eq!(certificate.serial_text(), serial(9).to_string());
    assert_eq!((certificate.subject(), certificate.issuer()), (&plan.subject, ca.certificate().subject()));
    assert_eq!((certificate.not_before(), certificate.not_after()), (plan.not_before, plan.not_after));
    assert_eq!(certificate.public_key_der(), key.public_key().as_der());
    assert_eq!(certificate.subject_key_identifier().unwrap(), key.public_key().key_identifier());
    assert!(!certificate.is_ca() && !certificate.is_self_issued());
    assert!(ca.certificate().is_ca() && ca.certificate().is_self_issued());
    let identifier = Extension::authority_key_identifier(&ca.certificate().subject_key_identifier().unwrap());
    assert_eq!(certificate.extensions().last(), Some(&identifier));
}

#[test]
fn what_was_signed_stands_in_the_certificate_octet_for_octet() {
    let ca = TestCa::new();
    let plan = plan(&ca, &Key::p256().csr("CN=a", &[]));
    let to_be_signed = plan.to_be_signed(ca.certificate(), serial(1), ca.key.signature_algorithm());
    let der = assemble_certificate(to_be_signed.clone(), ca.key.signature_algorithm(), b"signature");
    let expected = der::sequence(&[&to_be_signed, ca.key.signature_algorithm(), &der::bit_string(b"signature")]);
    assert_eq!(der, expected);
}

#[test]
fn openssl_verifies_certificates_of_every_ca_key_it_knows() {
    let Some(openssl) = OpenSsl::find() else { return };
    for key_type in KeyType::USUAL.into_iter().filter(|key_type| key_type.to_string().starts_with(['r', 'e'])) {
        let ca = TestCa::with_key(Key::generate(key_type), NOW + Seconds::from_days(3650));
        let der = ca.issue(&plan(&ca, &Key::p256().csr("CN=device-1,O=Example", NAMES)), serial(9));
        openssl.write("ca.der", ca.certificate().as_der());
        openssl.write("leaf.der", &der);
        openssl.run("x509 -inform DER -in ca.der -out ca.pem");
        openssl.run("x509 -inform DER -in leaf.der -out leaf.pem");
        for purpose in ["sslclient", "sslserver"] {
            let at = NOW.0 + 1;
            let printed = openssl.run(&format!(
                "verify -x509_strict -attime {at} -CAfile ca.pem -purpose {purpose} -verify_hostname a.example leaf.pem"
            ));
            assert!(printed.contains("leaf.pem: OK"), "{key_type}: {printed}");
        }
    }
}

#[test]
fn openssl_counts_the_boundary_seconds_within_ours() {
    let Some(openssl) = OpenSsl::find() else { return };
    let ca = TestCa::new();
    let plan = plan(&ca, &Key::p256().csr("CN=a", &[]));
    openssl.write("ca.pem", est_core::pkix::pem::encode("CERTIFICATE", ca.certificate().as_der()));
    openssl.write("leaf.pem", est_core::pkix::pem::encode("CERTIFICATE", &ca.issue(&plan, serial(9))));
    let verifies = |at: u64| {
        let at = at.to_string();
        openssl.start(&["verify", "-attime", &at, "-CAfile", "ca.pem", "leaf.pem"]).status.success()
    };
    assert!(verifies(plan.not_before.0) && !verifies(plan.not_before.0 - 1));
    // OpenSSL takes a certificate to have ended in its last second, which RFC 5280 §4.1.2.5 includes.
    assert!(verifies(plan.not_after.0 - 1) && !verifies(plan.not_after.0 + 1));
}

#[test]
fn openssl_prints_what_was_planned() {
    let Some(openssl) = OpenSsl::find() else { return };
    let ca = TestCa::new();
    let certificate = Certificate::parse(&ca.issue(&plan(&ca, &Key::p256().csr("", NAMES)), serial(9))).unwrap();
    openssl.write("leaf.der", certificate.as_der());
    let printed = openssl.run("x509 -inform DER -in leaf.der -noout -text -fingerprint -sha256");
    for expected in [
        "Version: 3 (0x2)",
        "Not Before: Nov 21 09:30:00 2026 GMT",
        "Not After : Feb 19 09:29:59 2027 GMT",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature",
        "TLS Web Client Authentication, TLS Web Server Authentication",
        "X509v3 Subject Alternative Name: critical\n                DNS:a.example, IP Address:192.0.2.1",
        "X509v3 Authority Key Identifier",
        &certificate.fingerprint().to_string(),
    ] {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
    let serial_line = openssl.run("x509 -inform DER -in leaf.der -noout -serial");
    assert_eq!(serial_line.trim(), format!("serial={}", certificate.serial_text().replace(':', "")));
}

#[test]
fn times_past_2049_are_written_in_full() {
    let ca = TestCa::new();
    for (not_after, length) in [(UnixTime(2_524_607_999), 13), (UnixTime(2_524_608_000), 15)] {
        let der = issue_until(&ca, not_after);
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.not_after(), not_after);
        let theirs = x509_cert::Certificate::from_der(&der).unwrap();
        let time = theirs.tbs_certificate().validity().not_after;
        assert_eq!((time.to_unix_duration().as_secs(), time.to_der().unwrap().len()), (not_after.0, 2 + length));
    }
}

// Reading.

#[test]
fn reads_certificates_that_openssl_makes() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -days 30 \
         -subj /C=DE/O=Example/CN=root -addext subjectAltName=DNS:a.example -outform DER -out c.der",
    );
    let certificate = Certificate::parse(&openssl.read("c.der")).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=root,O=Example,C=DE");
    assert_eq!(certificate.subject_alt_name().unwrap().to_string(), "DNS:a.example");
    assert!(certificate.is_ca() && certificate.is_self_issued());
}

#[test]
fn refuses_what_is_no_version_3_certificate() {
    let ca = TestCa::new();
    let der = ca.certificate().as_der();
    assert!(Certificate::parse(&der[..der.len() - 1]).is_err());
    assert!(Certificate::parse(&[der, b"\0"].concat()).is_err());
    assert!(Certificate::parse(b"\x30\x00").is_err());
    assert!(Certificate::parse(&Key::p256().csr("CN=a", &[])).is_err());
    for version in [&b""[..], b"\xa0\x03\x02\x01\x00", b"\xa0\x03\x02\x01\x01", b"\xa0\x03\x02\x01\x03"] {
        assert!(Certificate::parse(&forged(version, &[])).is_err(), "{version:02x?}");
    }
    assert!(Certificate::parse(&forged(V3, &[])).is_ok());
}

#[test]
fn refuses_an_extension_that_stands_there_twice() {
    let usage = der::extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    assert!(Certificate::parse(&forged(V3, &[&usage])).is_ok());
    assert!(Certificate::parse(&forged(V3, &[&usage, &usage])).is_err());
}

#[test]
fn refuses_keys_and_algorithms_of_another_shape() {
    let sound = forged(V3, &[]);
    let key = Key::p256();
    let algorithm = der::sequence(&[key.public_key().algorithm()]);
    let point = der::bit_string(key.public_key().key());
    let with_key = |parts: &[&[u8]]| {
        let name = name("CN=a");
        let validity = der::sequence(&[b"\x17\x0d260101000000Z", b"\x17\x0d270101000000Z"]);
        let head = [V3, b"\x02\x01\x01", key.signature_algorithm(), name.as_der(), &validity, name.as_der()].concat();
        Certificate::parse(&key.signed(der::sequence(&[&head, &parts.concat()])))
    };
    assert!(with_key(&[&der::sequence(&[&algorithm, &point])]).is_ok());
    for parts in
        [&[&algorithm[..]][..], &[&algorithm, &algorithm], &[b"\x05\x00", &point], &[&algorithm, &point, &point]]
    {
        assert!(with_key(&[&der::sequence(parts)]).is_err());
    }
    let mut set = sound.clone();
    let algorithm = key.signature_algorithm();
    for at in (0..sound.len() - algorithm.len()).filter(|at| sound[*at..].starts_with(algorithm)) {
        set[at] = 0x31;
    }
    assert_ne!(set, sound);
    assert!(Certificate::parse(&set).is_err(), "an AlgorithmIdentifier that is a SET");
}

#[test]
fn refuses_explicit_tags_in_primitive_form() {
    // The strict walker cannot look into what claims to be primitive.
    assert!(Certificate::parse(&forged(b"\x80\x03\x02\x01\x02", &[])).is_err());
    let usage = der::extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let mut certificate = forged(V3, &[&usage]);
    let at = certificate.windows(5).position(|octets| octets == b"\xa3\x12\x30\x10\x30").unwrap();
    certificate[at] = 0x83;
    assert!(Certificate::parse(&certificate).is_err());
    let mut message = certs_only([&b"\x30\x00"[..]]);
    let at = message.windows(2).position(|octets| octets == b"\xa0\x1a").unwrap();
    message[at] = 0x80;
    assert_eq!(read_certs_only(&message), None);
}

#[test]
fn refuses_two_signature_algorithms_that_differ() {
    let ca = TestCa::new();
    let plan = plan(&ca, &Key::p256().csr("CN=a", &[]));
    let to_be_signed = plan.to_be_signed(ca.certificate(), serial(1), ca.key.signature_algorithm());
    let other = Key::generate(KeyType::Ed25519);
    assert!(Certificate::parse(&assemble_certificate(to_be_signed, other.signature_algorithm(), b"s")).is_err());
}

#[test]
fn takes_basic_constraints_that_cannot_be_read_for_a_ca() {
    for value in [&b"garbage"[..], b"\x30\x06\x01\x01\xff\x05\x00\x05\x00", b"", b"\x30\x03\x01\x01\x01"] {
        let constraints = der::extension(oid::BASIC_CONSTRAINTS.as_der(), true, value);
        let certificate = Certificate::parse(&forged(V3, &[&constraints])).unwrap();
        assert!(certificate.is_ca(), "{value:02x?}");
    }
    let end_entity = der::extension(oid::BASIC_CONSTRAINTS.as_der(), true, b"\x30\x00");
    assert!(!Certificate::parse(&forged(V3, &[&end_entity])).unwrap().is_ca());
    assert!(!Certificate::parse(&forged(V3, &[])).unwrap().is_ca());
}

// Certs-only messages.

#[test]
fn openssl_reads_certs_only_messages() {
    let Some(openssl) = OpenSsl::find() else { return };
    let (ca, other) = (TestCa::new(), TestCa::new());
    let message = certs_only([ca.certificate().as_der(), other.certificate().as_der()]);
    openssl.write("m.der", &message);
    for command in ["pkcs7 -inform DER -in m.der -print_certs", "cms -cmsout -inform DER -in m.der -certsout c.pem"] {
        let printed = openssl.run(command);
        let certificates =
            if command.starts_with("cms") { String::from_utf8(openssl.read("c.pem")).unwrap() } else { printed };
        let blocks = est_core::pkix::pem::decode(&certificates).unwrap();
        let mut read: Vec<_> = blocks
            .into_iter()
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| block.contents.clone())
            .collect();
        read.sort();
        let mut expected = [ca.certificate(), other.certificate()].map(|c| c.as_der().to_vec());
        expected.sort();
        assert_eq!(read, expected, "{command}");
    }
    let printed = openssl.run("cms -cmsout -print -noout -inform DER -in m.der");
    assert!(printed.contains("eContent: <ABSENT>"), "{printed}");
    assert!(printed.contains("signerInfos:\n      <EMPTY>"), "{printed}");
}

#[test]
fn a_certs_only_message_has_no_content_no_digests_and_no_signers() {
    let leaf = der::sequence(&[b"\x05\x00"]);
    let signed_data = der::sequence(&[
        b"\x02\x01\x01",
        b"\x31\x00",
        &der::sequence(&[oid::ID_DATA.as_der()]),
        &der::value(0xa0, &[&leaf]),
        b"\x31\x00",
    ]);
    let expected = der::sequence(&[oid::ID_SIGNED_DATA.as_der(), &der::value(0xa0, &[&signed_data])]);
    assert_eq!(certs_only([leaf.as_slice()]), expected);
}

#[test]
fn reads_certs_only_messages_that_openssl_makes() {
    let Some(openssl) = OpenSsl::find() else { return };
    let ca = TestCa::new();
    openssl.write("ca.pem", est_core::pkix::pem::encode("CERTIFICATE", ca.certificate().as_der()));
    openssl.run("crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out m.der");
    assert_eq!(read_certs_only(&openssl.read("m.der")).unwrap(), [ca.certificate().as_der()]);
}

#[test]
fn certs_only_messages_are_sorted_as_der_wants_it() {
    let (short, long) = (der::sequence(&[b"\x05\x00"]), der::sequence(&[b"\x02\x01\x00"]));
    let message = certs_only([long.as_slice(), short.as_slice()]);
    assert_eq!(message, certs_only([short.as_slice(), long.as_slice()]));
    assert_eq!(read_certs_only(&message).unwrap(), [short, long]);
}

#[test]
fn refuses_messages_that_are_not_certs_only() {
    let data = der::sequence(&[oid::ID_DATA.as_der(), &der::value(0xa0, &[b"\x04\x00"])]);
    let empty = der::sequence(&[oid::ID_SIGNED_DATA.as_der(), b"\xa0\x02\x30\x00"]);
    let without_certificates = der::sequence(&[
        oid::ID_SIGNED_DATA.as_der(),
        &der::value(
            0xa0,
            &[&der::sequence(&[b"\x02\x01\x01\x31\x00", &der::sequence(&[oid::ID_DATA.as_der()]), b"\x31\x00"])],
        ),
    ]);
    let trailing = [&certs_only([&b"\x30\x00"[..]])[..], b"\0"].concat();
    for message in [&b""[..], b"\x30\x00", &data, &empty, &without_certificates, &trailing] {
        assert_eq!(read_certs_only(message), None, "{message:02x?}");
    }
}

// CsrAttrs.

#[test]
fn csr_attrs_are_read_back() {
    let der = csr_attrs(&[oid::CHALLENGE_PASSWORD, oid::EXTENSION_REQUEST].map(CsrAttr::Id));
    let elements = read_csr_attrs(&der).unwrap();
    assert_eq!(elements, [oid::CHALLENGE_PASSWORD.as_der(), oid::EXTENSION_REQUEST.as_der()]);
    let attribute = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x06\x01\x2a"]);
    assert_eq!(read_csr_attrs(&der::sequence(&[&attribute])), Some(vec![attribute]));
    for malformed in [&b""[..], b"\x31\x00", b"\x30\x02\x05\x00", b"\x30\x00\x00"] {
        assert_eq!(read_csr_attrs(malformed), None);
    }
}

#[test]
fn openssl_reads_csr_attrs() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.write("a.der", csr_attrs(&[oid::CHALLENGE_PASSWORD, oid::EXTENSION_REQUEST].map(CsrAttr::Id)));
    let printed = openssl.run("asn1parse -inform DER -in a.der");
    assert!(printed.contains("challengePassword") && printed.contains("Extension Request"), "{printed}");
}

// Helpers.

const NAMES: &[&str] = &["DNS:a.example", "IP:192.0.2.1"];
const V3: &[u8] = b"\xa0\x03\x02\x01\x02";

fn plan(ca: &TestCa, csr: &[u8]) -> Plan {
    decide(&ca.label(None), &password_holder("p"), &parse_csr(csr), None, NOW).unwrap()
}

fn issue_until(ca: &TestCa, not_after: UnixTime) -> Vec<u8> {
    let subject: Name = name("CN=a");
    let key = Key::p256();
    let to_be_signed = TbsCertificate {
        serial: serial(1),
        signature_algorithm: ca.key.signature_algorithm(),
        issuer: ca.certificate().subject(),
        subject: &subject,
        not_before: NOW,
        not_after,
        public_key: key.public_key().as_der(),
        extensions: &[],
    };
    ca.key.signed(to_be_signed.to_der())
}

/// A certificate put together by hand, with this version and these extensions, DER each.
fn forged(version: &[u8], extensions: &[&[u8]]) -> Vec<u8> {
    let key = Key::p256();
    let name = name("CN=a");
    let listed = der::value(0xa3, &[&der::sequence(extensions)]);
    let extensions = if extensions.is_empty() { &[][..] } else { &listed };
    let validity = der::sequence(&[b"\x17\x0d260101000000Z", b"\x17\x0d270101000000Z"]);
    key.signed(der::sequence(&[
        version,
        b"\x02\x01\x01",
        key.signature_algorithm(),
        name.as_der(),
        &validity,
        name.as_der(),
        key.public_key().as_der(),
        extensions,
    ]))
}
