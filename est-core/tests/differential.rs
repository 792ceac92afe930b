//! Every certification request and certificate of the fuzzing corpora, read by us and by `x509-cert`.
//!
//! Both agree, or the difference is listed with its reason; a listed difference that is none any more fails too.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use est_core::pkix::{Certificate, Csr, Extension, oid};
use est_testkit::pki::ALGORITHMS;
use x509_cert::der::{Decode, Encode};
use x509_cert::request::CertReq;

/// Requests that one reads and the other refuses.
const REQUESTS: [(&str, Reader, &str); 13] = [
    ("bad-signature", Reader::Theirs, "x509-cert checks no signature"),
    ("both-extension-requests", Reader::Theirs, "which of two lists is meant would be a guess"),
    ("duplicate-extension", Reader::Theirs, "which of two values is meant would be a guess"),
    ("empty-san", Reader::Theirs, "x509-cert does not look into extensions; RFC 5280 §4.2.1.6 wants a name"),
    ("openssl-sha1", Reader::Theirs, "x509-cert checks no signature; SHA-1 no longer counts"),
    ("string-types", Reader::Ours, "x509-cert knows no UniversalString; the policy refuses such a subject"),
    ("trailing-octet", Reader::Neither, "it does not end where it should"),
    ("two-values", Reader::Theirs, "an extensionRequest has one value (RFC 2985 §5.4.2)"),
    ("uuid-attribute", Reader::Ours, "x509-cert takes arcs of 32 bits; UUIDs are arcs of 128 (X.667)"),
    ("uuid-extension", Reader::Both, "the extension's identifier is read by us alone, see below"),
    ("uuid-in-subject", Reader::Ours, "x509-cert takes arcs of 32 bits"),
    ("version-1", Reader::Neither, "both want version 0"),
    ("wide-rdn", Reader::Theirs, "1,200 attributes are no name"),
];

/// Certificates that one reads and the other refuses.
const CERTIFICATES: [(&str, Reader, &str); 1] = [("truncated", Reader::Neither, "it ends too early")];

/// Who reads an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Both,
    Ours,
    Theirs,
    Neither,
}

impl Reader {
    fn of(ours: bool, theirs: bool) -> Self {
        match (ours, theirs) {
            (true, true) => Self::Both,
            (true, false) => Self::Ours,
            (false, true) => Self::Theirs,
            (false, false) => Self::Neither,
        }
    }
}

#[test]
fn reads_requests_as_x509_cert_does() {
    compare("csr", &REQUESTS, |der| {
        let (ours, theirs) = (Csr::parse(der, ALGORITHMS), CertReq::from_der(der));
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
            assert_eq!(theirs.info.public_key.to_der().unwrap(), ours.public_key().as_der());
            same_name(&theirs.info.subject, ours.subject());
            let ids = [oid::EXTENSION_REQUEST, oid::MS_EXTENSION_REQUEST];
            let requests = theirs.info.attributes.iter().filter(|attribute| {
                let id = attribute.oid.to_der().unwrap();
                ids.iter().any(|known| known.as_der() == id)
            });
            let listed = requests.flat_map(|attribute| attribute.values.iter());
            let listed: Result<Vec<_>, _> =
                listed.map(|value| value.decode_as::<Vec<x509_cert::ext::Extension>>()).collect();
            match listed {
                Ok(listed) => same_extensions(&listed.concat(), ours.extensions()),
                Err(error) => assert!(
                    ours.extensions().iter().any(|extension| extension.id.to_string().contains('?')),
                    "only an arc over 64 bits keeps x509-cert from reading extensions: {error}"
                ),
            }
        }
        Reader::of(ours.is_ok(), theirs.is_ok())
    });
}

#[test]
fn reads_certificates_as_x509_cert_does() {
    compare("certificate", &CERTIFICATES, |der| {
        let (ours, theirs) = (Certificate::parse(der), x509_cert::Certificate::from_der(der));
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
            let tbs = theirs.tbs_certificate();
            assert_eq!(tbs.subject_public_key_info().to_der().unwrap(), ours.public_key_der());
            assert_eq!(tbs.serial_number().as_bytes(), ours.serial());
            assert_eq!(tbs.validity().not_before.to_unix_duration().as_secs(), ours.not_before().0);
            assert_eq!(tbs.validity().not_after.to_unix_duration().as_secs(), ours.not_after().0);
            same_name(tbs.subject(), ours.subject());
            same_name(tbs.issuer(), ours.issuer());
            same_extensions(tbs.extensions().map_or(&[][..], |listed| listed), ours.extensions());
        }
        Reader::of(ours.is_ok(), theirs.is_ok())
    });
}

/// Compares the readers over a corpus. Whoever is not listed is read by both.
fn compare(corpus: &str, listed: &[(&str, Reader, &str)], readers: impl Fn(&[u8]) -> Reader) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(corpus);
    let mut names = Vec::new();
    for file in fs::read_dir(&directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = listed.iter().find(|(known, ..)| *known == name);
        let (expected, reason) = expected.map_or((Reader::Both, "nothing stands against it"), |row| (row.1, row.2));
        assert_eq!(readers(&fs::read(&path).unwrap()), expected, "{corpus}/{name}: {reason}");
        names.push(name);
    }
    for (name, ..) in listed {
        assert!(names.iter().any(|known| known == name), "{corpus}/{name} is not there");
    }
}

/// `x509-cert` sorts the attributes of an RDN, we keep their order: the octets are compared, sorted.
fn same_name(theirs: &x509_cert::name::Name, ours: &est_core::pkix::Name) {
    let der = theirs.to_der().unwrap();
    if der != ours.as_der() {
        assert!(ours.to_string().contains('+'), "only an RDN of several attributes can be in another order");
        let (mut theirs, mut ours) = (der, ours.as_der().to_vec());
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(theirs, ours);
    }
}

fn same_extensions(theirs: &[x509_cert::ext::Extension], ours: &[Extension]) {
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(ours) {
        assert_eq!(theirs.extn_id.to_der().unwrap(), ours.id.as_der());
        assert_eq!((theirs.critical, theirs.extn_value.as_bytes()), (ours.critical, ours.value.as_slice()));
    }
}
