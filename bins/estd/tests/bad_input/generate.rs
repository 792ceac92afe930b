//! Makes the cases whose bodies need a signature over hostile contents. The files are what counts: this runs once, and
//! again when a case is added or a file was removed in order to be made anew.

use std::fs;

use est_core::Refusal;
use est_core::pkix::der::DerError;
use est_core::pkix::{CsrError, KeyError, KeyType, KeyUsage, NameError, Oid, assemble_csr, oid};
use est_testkit::der::{attribute, bit_string, extension, sequence, set, utf8, value};
use est_testkit::https::base64;
use est_testkit::pki::{Key, TestCa, name};

#[test]
#[ignore = "writes case files that are not there"]
fn write_the_cases_that_need_a_signature() {
    let mut maker = Maker { group: "", path: "/simpleenroll", count: 0 };
    der(&mut maker);
    signature(&mut maker);
    keys(&mut maker);
    attributes(&mut maker);
    extensions(&mut maker);
    subjects(&mut maker);
    alternative_names(&mut maker);
    labels(&mut maker);
    assert!(maker.count > 100, "{}", maker.count);
}

struct Maker {
    group: &'static str,
    path: &'static str,
    count: usize,
}

impl Maker {
    fn bad(&mut self, name: &str, about: &str, refusal: impl Into<Reason>, cite: &str, body: &[u8]) {
        let Reason(refusal) = refusal.into();
        let status = refusal.row().http_status;
        self.write(name, about, &format!("expect: {status}\ntext: {refusal}\n"), cite, body);
    }

    fn granted(&mut self, about: &str, cite: &str, body: &[u8]) {
        self.write("granted", about, "expect: certificate\n", cite, body);
    }

    fn write(&mut self, name: &str, about: &str, expected: &str, cite: &str, body: &[u8]) {
        let encoded = base64(body);
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let (path, body) = (self.path, lines.join("\n"));
        let text = format!(
            "# {about}\n{expected}cite: {cite}\n\n\
             POST /.well-known/est{path} HTTP/1.1\nHost: localhost\nConnection: close\nAuthorization: Basic {{basic}}\n\
             Content-Type: application/pkcs10\nContent-Length: {{length}}\n\n{body}\n"
        );
        let folder = crate::folder().join(self.group);
        let file = folder.join(name).with_extension("http");
        self.count += 1;
        if file.exists() {
            return;
        }
        fs::create_dir_all(&folder).expect("a folder for the group");
        fs::write(file, text).expect("a file for the case");
    }
}

/// Why a case is refused.
struct Reason(Refusal);

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<CsrError> for Reason {
    fn from(error: CsrError) -> Self {
        Self(Refusal::Csr(error))
    }
}

impl From<DerError> for Reason {
    fn from(error: DerError) -> Self {
        CsrError::Der(error).into()
    }
}

impl From<KeyError> for Reason {
    fn from(error: KeyError) -> Self {
        CsrError::Key(error).into()
    }
}

const VERSION: &[u8] = b"\x02\x01\x00";
const NO_ATTRIBUTES: &[u8] = b"\xa0\x00";
const RFC_2986: &str = "RFC 2986 §4";

fn der(maker: &mut Maker) {
    maker.group = "der";
    let key = Key::p256();
    let sound = key.csr("CN=der", &["DNS:der.example"]);
    let subject = name("CN=der");
    let info = |parts: &[&[u8]]| key.signed(sequence(parts));
    let spki = key.public_key().as_der();
    maker.granted("A request that is what all others here are not", RFC_2986, &sound);
    let x690 = "X.690 §10.1";
    maker.bad(
        "trailing-octet",
        "An octet follows the request",
        DerError::TrailingData,
        RFC_2986,
        &[&sound[..], b"\0"].concat(),
    );
    maker.bad(
        "two-requests",
        "A second request follows the first",
        DerError::TrailingData,
        "RFC 7030 §4.2.1",
        &[&sound[..], &sound].concat(),
    );
    maker.bad("truncated", "The last octet is missing", DerError::Truncated, RFC_2986, &sound[..sound.len() - 1]);
    maker.bad("one-octet", "A tag and nothing else", DerError::Truncated, "X.690 §8.1", b"\x30");
    maker.bad(
        "indefinite-length",
        "BER's indefinite length",
        DerError::Length,
        x690,
        &[b"\x30\x80", &sound[4..], b"\0\0"].concat(),
    );
    maker.bad(
        "long-length",
        "A length in more octets than it needs",
        DerError::Length,
        x690,
        &[b"\x30\x83\x00", &sound[2..]].concat(),
    );
    maker.bad(
        "reserved-length",
        "A length of 127 octets' length",
        DerError::Length,
        "X.690 §8.1.3.5",
        b"\x30\xff\x01\x01",
    );
    maker.bad(
        "length-of-4-gib",
        "A length that promises 4 GiB",
        DerError::Truncated,
        "X.690 §8.1.3",
        b"\x30\x84\xff\xff\xff\xff\x02\x01\x00",
    );
    maker.bad(
        "length-of-64-bits",
        "A length that overflows 32 bits",
        DerError::Length,
        "X.690 §8.1.3",
        b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    let mut nested = b"\x05\x00".to_vec();
    (0..5_000).for_each(|_| nested = sequence(&[&nested]));
    maker.bad(
        "nested-5000-deep",
        "Sequences in sequences, for a parser's stack",
        DerError::TooDeep,
        "X.690 §8.9",
        &nested,
    );
    maker.bad(
        "nested-30-deep-in-an-attribute",
        "The same where an open type hides it",
        DerError::TooDeep,
        "RFC 2986 §4.1",
        &{
            let mut deep = b"\x05\x00".to_vec();
            (0..30).for_each(|_| deep = sequence(&[&deep]));
            key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[&deep])])
        },
    );
    maker.bad(
        "twenty-thousand-values",
        "Many small values, for a parser's memory",
        DerError::TooMany,
        "X.690 §8.9",
        &sequence(&vec![&b"\x05\x00"[..]; 20_000]),
    );
    maker.bad("high-tag", "A tag over 30", DerError::Tag, "X.690 §8.1.2", &[b"\x3f\x81\x00", &sound[1..]].concat());
    maker.bad("end-of-contents", "The tag 0", DerError::Tag, "X.690 §8.1.5", b"\x30\x02\x00\x00");
    maker.bad(
        "constructed-bit-string",
        "The signature in pieces, as BER allows",
        DerError::Tag,
        "X.690 §10.2",
        &sequence(&[
            &sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]),
            key.signature_algorithm(),
            &value(0x23, &[&bit_string(b"a")]),
        ]),
    );
    maker.bad(
        "primitive-sequence",
        "A SEQUENCE in primitive form",
        DerError::Tag,
        "X.690 §8.9.1",
        &[b"\x10", &sound[1..]].concat(),
    );
    maker.bad(
        "long-integer",
        "A version with a superfluous zero",
        DerError::Value,
        "X.690 §8.3.2",
        &info(&[b"\x02\x02\x00\x00", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "empty-integer",
        "A version without octets",
        DerError::Value,
        "X.690 §8.3.1",
        &info(&[b"\x02\x00", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "boolean-one",
        "TRUE written as 01",
        DerError::Value,
        "X.690 §11.1",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[b"\x01\x01\x01"])]),
    );
    maker.bad(
        "long-oid-arc",
        "An object identifier with a padded arc",
        DerError::Value,
        "X.690 §8.19.2",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x03\x2a\x80\x01", &[b"\x05\x00"])]),
    );
    maker.bad(
        "dirty-padding",
        "Unused bits that are not zero",
        DerError::Value,
        "X.690 §11.2.1",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[b"\x03\x02\x04\xff"])]),
    );
    maker.bad("empty-sequence", "An empty SEQUENCE", CsrError::NotACsr, RFC_2986, b"\x30\x00");
    maker.bad("null", "NULL", CsrError::NotACsr, RFC_2986, b"\x05\x00");
    maker.bad(
        "certificate",
        "A certificate in the place of a request",
        CsrError::NotACsr,
        RFC_2986,
        TestCa::new().certificate().as_der(),
    );
    maker.bad(
        "certs-only",
        "The message that the server itself sends",
        CsrError::NotACsr,
        RFC_2986,
        &est_core::pkix::certs_only([TestCa::new().certificate().as_der()]),
    );
    maker.bad("public-key", "A public key alone", CsrError::NotACsr, RFC_2986, spki);
    maker.bad(
        "info-without-signature",
        "What was to be signed, without the signature",
        CsrError::NotACsr,
        RFC_2986,
        &sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-1",
        "Version 1, which does not exist",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x01\x01", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-negative",
        "Version -1",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x01\xff", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-of-72-bits",
        "A version over 64 bits",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x09\x01\0\0\0\0\0\0\0\0", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-missing",
        "No version",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "attributes-missing",
        "No attributes, not even an empty set of them",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki]),
    );
    maker.bad(
        "attributes-twice",
        "Two sets of attributes",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES, NO_ATTRIBUTES]),
    );
    maker.bad(
        "attributes-primitive",
        "Attributes in primitive form, where a strict walker cannot look",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, b"\x80\x00"]),
    );
    maker.bad(
        "attributes-with-another-tag",
        "Attributes tagged [1]",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, b"\xa1\x00"]),
    );
    maker.bad("fourth-part", "Something after the signature", CsrError::NotACsr, RFC_2986, &{
        let info = sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]);
        let signature = key.sign(&info);
        sequence(&[&info, key.signature_algorithm(), &bit_string(&signature), b"\x05\x00"])
    });
}

fn signature(maker: &mut Maker) {
    maker.group = "signature";
    let key = Key::p256();
    let cite = "RFC 7030 §4.2.1";
    let sound = key.csr("CN=signature", &["DNS:signature.example"]);
    let info = sequence(&[VERSION, name("CN=signature").as_der(), key.public_key().as_der(), NO_ATTRIBUTES]);
    let ecdsa_sha256 = key.signature_algorithm();
    maker.granted("A request with the signature that the others lack", cite, &sound);
    let mut broken = sound.clone();
    *broken.last_mut().expect("octets") ^= 1;
    maker.bad("flipped-bit", "One bit of the signature is another", CsrError::Possession, cite, &broken);
    let mut changed = sound.clone();
    let at = changed.windows(9).position(|octets| octets == b"signature").expect("the subject");
    changed[at] = b'S';
    maker.bad("changed-subject", "The subject was changed after signing", CsrError::Possession, cite, &changed);
    maker.bad(
        "key-of-another",
        "A request for somebody else's key",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, &Key::p256().sign(&info)),
    );
    maker.bad(
        "empty",
        "No octets in the signature",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, b""),
    );
    maker.bad(
        "zeros",
        "The signature (0, 0)",
        CsrError::Possession,
        "FIPS 186-5 §6.4.2",
        &assemble_csr(info.clone(), ecdsa_sha256, b"\x30\x06\x02\x01\x00\x02\x01\x00"),
    );
    maker.bad("group-order", "The signature (n, n)", CsrError::Possession, "FIPS 186-5 §6.4.2", &{
        let order = value(2, &[b"\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"]);
        assemble_csr(info.clone(), ecdsa_sha256, &sequence(&[&order, &order]))
    });
    maker.bad(
        "raw-form",
        "r and s one after the other, without DER",
        CsrError::Possession,
        "RFC 5758 §3.2",
        &assemble_csr(info.clone(), ecdsa_sha256, &[7; 64]),
    );
    maker.bad(
        "half-an-octet",
        "A signature of a broken number of octets",
        CsrError::NotACsr,
        RFC_2986,
        &sequence(&[&info, ecdsa_sha256, &value(3, &[&[4], b"\xf0"])]),
    );
    maker.bad(
        "of-another-message",
        "A sound signature over other octets",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, &key.sign(b"something else")),
    );
    let rsa = Key::generate(KeyType::Rsa(2048));
    let rsa_info = sequence(&[VERSION, name("CN=signature").as_der(), rsa.public_key().as_der(), NO_ATTRIBUTES]);
    for (case, algorithm, info, key) in [
        ("md5-with-rsa", &b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00"[..], &rsa_info, &rsa),
        ("sha1-with-rsa", b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", &rsa_info, &rsa),
        ("ecdsa-with-sha1", b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", &info, &key),
    ] {
        let body = assemble_csr(info.clone(), &sequence(&[algorithm]), &key.sign(info));
        maker.bad(case, "A hash for which collisions can be bought", CsrError::WeakHash, "RFC 9155 §2", &body);
    }
    let unsupported = |oid: &[u8]| CsrError::SignatureAlgorithm(Oid::from_der(oid).expect("an object identifier"));
    for (case, about, algorithm, oid) in [
        (
            "md2-with-rsa",
            "MD2",
            &b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02\x05\x00"[..],
            &b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"[..],
        ),
        ("of-an-unknown-algorithm", "An algorithm that nobody knows", b"\x06\x03\x2a\x03\x04", b"\x06\x03\x2a\x03\x04"),
        (
            "algorithm-of-another-key",
            "ECDSA named over an RSA key",
            b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
            b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
        ),
        (
            "pss-with-sha1",
            "PSS with its defaults, which are SHA-1",
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00",
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
        ),
    ] {
        let body = assemble_csr(rsa_info.clone(), &sequence(&[algorithm]), &rsa.sign(&rsa_info));
        maker.bad(case, about, unsupported(oid), "RFC 8017 §A.2", &body);
    }
    maker.bad(
        "ecdsa-with-null",
        "NULL parameters, which ECDSA does not have",
        unsupported(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"),
        "RFC 5758 §3.2",
        &assemble_csr(
            info.clone(),
            &sequence(&[b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"]),
            &key.sign(&info),
        ),
    );
    let no_signature = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x06\x02";
    maker.bad(
        "none",
        "id-alg-noSignature, a digest in place of a signature",
        unsupported(no_signature),
        "RFC 6402 §2.4",
        &assemble_csr(info, &sequence(&[no_signature, b"\x05\x00"]), &[7; 32]),
    );
}

fn keys(maker: &mut Maker) {
    maker.group = "keys";
    let signer = Key::p256();
    let with_key = |algorithm: &[u8], key: &[u8]| {
        let spki = sequence(&[&sequence(&[algorithm]), &bit_string(key)]);
        signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &spki, NO_ATTRIBUTES]))
    };
    maker.granted(
        "A key that the server takes",
        "RFC 7030 §4.2.1",
        &Key::generate(KeyType::EcdsaP384).csr("CN=keys", &["DNS:keys.example"]),
    );
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let key = sequence(&[&value(2, &[modulus]), &value(2, &[exponent])]);
        with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &key)
    };
    let modulus = |octets: usize, last: u8| [&[0, 0xff][..], &vec![7; octets - 2], &[last]].concat();
    let e = b"\x01\x00\x01";
    let size = |bits| KeyError::RsaSize { bits };
    let br = "CA/Browser Forum BR §6.1.5";
    maker.bad("rsa-512", "A modulus that anybody can factor", size(512), br, &rsa(&modulus(64, 7), e));
    maker.bad("rsa-1024", "A modulus that somebody can factor", size(1024), br, &rsa(&modulus(128, 7), e));
    maker.bad("rsa-2047", "A modulus one bit short", size(2047), br, &rsa(&[&[0x7f][..], &[7; 255]].concat(), e));
    maker.bad("rsa-16384", "A modulus that keeps a server busy", size(16_384), br, &rsa(&modulus(2048, 7), e));
    maker.bad(
        "rsa-even-modulus",
        "A modulus divisible by two",
        KeyError::RsaValue,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 8), e),
    );
    maker.bad(
        "rsa-negative-modulus",
        "A modulus below zero",
        KeyError::RsaValue,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7)[1..], e),
    );
    maker.bad(
        "rsa-exponent-1",
        "An exponent that encrypts nothing",
        KeyError::RsaValue,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7), b"\x01"),
    );
    maker.bad(
        "rsa-exponent-3",
        "A small exponent",
        KeyError::RsaValue,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 7), b"\x03"),
    );
    maker.bad(
        "rsa-even-exponent",
        "An even exponent",
        KeyError::RsaValue,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7), b"\x01\x00\x02"),
    );
    maker.bad(
        "rsa-huge-exponent",
        "An exponent that keeps a server busy",
        KeyError::RsaValue,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 7), &[1; 200]),
    );
    maker.bad("rsa-zero-modulus", "A modulus of zero", size(0), "RFC 8017 §3.1", &rsa(b"\x00", e));
    maker.bad(
        "rsa-of-garbage",
        "Random octets in place of an RSA key",
        KeyError::Malformed,
        "RFC 8017 §A.1.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &[0x5a; 270]),
    );
    maker.bad(
        "rsa-without-null",
        "An rsaEncryption without its NULL",
        KeyError::Unsupported,
        "RFC 3279 §2.3.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", b"\x30\x00"),
    );
    maker.bad(
        "rsa-pss-key",
        "A key bound to PSS",
        KeyError::Unsupported,
        "CA/Browser Forum BR §7.1.3.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", b"\x30\x00"),
    );
    let p256 = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let sp800 = "NIST SP 800-186 §D.1.1";
    maker.bad(
        "p256-off-the-curve",
        "A point that is not on its curve",
        CsrError::Possession,
        sp800,
        &with_key(p256, &[&[4][..], &[7; 64]].concat()),
    );
    maker.bad("p256-infinity", "The point at infinity", KeyError::EcPoint, sp800, &with_key(p256, &[0]));
    maker.bad(
        "p256-zero",
        "The point (0, 0)",
        CsrError::Possession,
        sp800,
        &with_key(p256, &[&[4][..], &[0; 64]].concat()),
    );
    maker.bad(
        "p256-compressed",
        "A compressed point",
        KeyError::EcPoint,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[2][..], &[7; 32]].concat()),
    );
    maker.bad(
        "p256-hybrid",
        "A point in hybrid form",
        KeyError::EcPoint,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[6][..], &[7; 64]].concat()),
    );
    maker.bad(
        "p256-short",
        "A point with an octet missing",
        KeyError::EcPoint,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[4][..], &[7; 63]].concat()),
    );
    maker.bad("p256-empty", "A key without octets", KeyError::EcPoint, "RFC 5480 §2.2", &with_key(p256, b""));
    let ec = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    for (case, about, parameters) in [
        ("p224", "P-224", &b"\x06\x05\x2b\x81\x04\x00\x21"[..]),
        ("secp256k1", "secp256k1", b"\x06\x05\x2b\x81\x04\x00\x0a"),
        ("brainpool", "brainpoolP256r1", b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07"),
        ("implicit-curve", "A curve that is said elsewhere", b"\x05\x00"),
        ("explicit-curve", "A curve that the client made up", b"\x30\x06\x02\x01\x01\x02\x01\x07"),
    ] {
        let body = with_key(&[&ec[..], parameters].concat(), &[&[4][..], &[7; 64]].concat());
        maker.bad(case, about, KeyError::Unsupported, "RFC 5480 §2.1.1", &body);
    }
    for (case, about, algorithm, octets) in [
        ("ed448", "Ed448", &b"\x06\x03\x2b\x65\x71"[..], 57),
        ("x25519", "A key that cannot sign", b"\x06\x03\x2b\x65\x6e", 32),
        ("ed25519-with-null", "Ed25519 with parameters, which it does not have", b"\x06\x03\x2b\x65\x70\x05\x00", 32),
        ("dsa", "DSA", b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", 32),
        ("ml-kem-768", "ML-KEM, which cannot sign", b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02", 1184),
        ("slh-dsa", "SLH-DSA", b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x14", 32),
        ("unknown", "An algorithm that nobody knows", b"\x06\x03\x2a\x03\x04", 32),
    ] {
        maker.bad(case, about, KeyError::Unsupported, "RFC 7030 §4.2.1", &with_key(algorithm, &vec![7; octets]));
    }
    maker.bad(
        "ed25519-short",
        "An Ed25519 key with an octet missing",
        KeyError::Length,
        "RFC 8410 §4",
        &with_key(b"\x06\x03\x2b\x65\x70", &[7; 31]),
    );
    maker.bad(
        "ml-dsa-65-short",
        "An ML-DSA-65 key with an octet missing",
        KeyError::Length,
        "RFC 9881 §4",
        &with_key(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12", &[7; 1951]),
    );
    maker.bad(
        "ml-dsa-with-null",
        "ML-DSA with parameters, which it does not have",
        KeyError::Unsupported,
        "RFC 9881 §2",
        &with_key(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x05\x00", &[7; 1952]),
    );
    let not_whole = sequence(&[&sequence(&[p256]), b"\x03\x02\x04\xf0"]);
    maker.bad(
        "half-an-octet",
        "A key of a broken number of octets",
        KeyError::Malformed,
        "RFC 5280 §4.1.2.7",
        &signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &not_whole, NO_ATTRIBUTES])),
    );
    maker.bad("algorithm-is-a-set", "An algorithm in a SET", KeyError::Malformed, "RFC 5280 §4.1.1.2", &{
        let spki = sequence(&[&set(&[p256]), &bit_string(signer.public_key().key())]);
        signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &spki, NO_ATTRIBUTES]))
    });
}

fn attributes(maker: &mut Maker) {
    maker.group = "attributes";
    let key = Key::p256();
    let with = |attributes: &[&[u8]]| key.csr_with_attributes(name("CN=attributes").as_der(), attributes);
    let password = attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("hush-challenge-password")]);
    let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    let microsofts = attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    let unknown = attribute(b"\x06\x03\x2a\x03\x04", &[b"\x05\x00"]);
    let twice = |id: Oid| CsrError::Attribute(id);
    let single = "RFC 2985 §5.4";
    maker.granted("Each attribute once", "RFC 2986 §4.1", &with(&[&request, &unknown]));
    maker.bad(
        "extension-request-twice",
        "Two requests for extensions",
        twice(oid::EXTENSION_REQUEST),
        "RFC 9908 §3.2",
        &with(&[&request, &request]),
    );
    maker.bad(
        "both-extension-requests",
        "The standard's request for extensions and Microsoft's",
        twice(oid::MS_EXTENSION_REQUEST),
        "RFC 9908 §3.2",
        &with(&[&request, &microsofts]),
    );
    maker.bad(
        "challenge-password-twice",
        "Two passwords",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&password, &password]),
    );
    maker.bad(
        "challenge-password-of-two-values",
        "A password with two values",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("hush-one"), &utf8("hush-two")])]),
    );
    maker.bad(
        "challenge-password-of-no-value",
        "A password without a value",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&attribute(oid::CHALLENGE_PASSWORD.as_der(), &[])]),
    );
    maker.bad(
        "extension-request-of-no-value",
        "A request for extensions without a value",
        twice(oid::EXTENSION_REQUEST),
        single,
        &with(&[&attribute(oid::EXTENSION_REQUEST.as_der(), &[])]),
    );
    maker.bad(
        "extension-request-of-two-values",
        "A request for extensions with two values",
        twice(oid::EXTENSION_REQUEST),
        single,
        &with(&[&attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00", b"\x30\x00"])]),
    );
    maker.bad(
        "unknown-twice",
        "An attribute that nobody knows, twice",
        twice(Oid::from_der(b"\x06\x03\x2a\x03\x04").expect("an identifier")),
        "RFC 2986 §4.1",
        &with(&[&unknown, &unknown]),
    );
    maker.bad(
        "without-a-set",
        "An attribute whose values are no SET",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &with(&[&sequence(&[b"\x06\x03\x2a\x03\x04", b"\x05\x00"])]),
    );
    maker.bad(
        "id-is-an-integer",
        "An attribute named by a number",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &with(&[&attribute(b"\x02\x01\x05", &[b"\x05\x00"])]),
    );
}

fn extensions(maker: &mut Maker) {
    maker.group = "extensions";
    let key = Key::p256();
    let with = |extensions: &[&[u8]]| key.csr_with_extensions("CN=extensions", extensions);
    let of = |id: &Oid, contents: &[u8]| extension(id.as_der(), true, contents);
    let rfc5280 = |section: &str| format!("RFC 5280 §{section}");
    let usage = of(&oid::KEY_USAGE, b"\x03\x02\x07\x80");
    maker.granted("An extension as it should be", &rfc5280("4.2.1.3"), &with(&[&usage]));
    let constraints = rfc5280("4.2.1.9");
    maker.bad(
        "ca-true",
        "A request to be a CA",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff")]),
    );
    maker.bad(
        "ca-true-with-a-path-length",
        "A request to be a CA for others",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x06\x01\x01\xff\x02\x01\x05")]),
    );
    maker.bad(
        "ca-true-not-critical",
        "The same, not critical",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&extension(oid::BASIC_CONSTRAINTS.as_der(), false, b"\x30\x03\x01\x01\xff")]),
    );
    maker.bad(
        "ca-true-in-ber",
        "TRUE written as 01, which a lenient parser takes for TRUE",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\x01")]),
    );
    maker.bad(
        "basic-constraints-of-garbage",
        "basicConstraints that nobody can read",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"hush")]),
    );
    maker.bad(
        "ca-true-by-microsofts-attribute",
        "A request to be a CA in Microsoft's attribute",
        Refusal::CaCertificate,
        &constraints,
        &{
            let constraints = of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff");
            let request = attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[&sequence(&[&constraints])]);
            key.csr_with_attributes(name("CN=extensions").as_der(), &[&request])
        },
    );
    let usages = rfc5280("4.2.1.3");
    maker.bad(
        "key-cert-sign",
        "A request to sign certificates",
        Refusal::CaCertificate,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x02\x84")]),
    );
    maker.bad(
        "crl-sign",
        "A request to sign CRLs",
        Refusal::CaCertificate,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x01\x82")]),
    );
    let allowed = KeyUsage::DIGITAL_SIGNATURE;
    maker.bad(
        "key-usage-of-another-kind",
        "Only a usage that the key is not given",
        Refusal::KeyUsage { allowed },
        "RFC 10002 §3.1",
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x06\x40")]),
    );
    maker.bad(
        "key-usage-empty",
        "No usage at all",
        Refusal::KeyUsage { allowed },
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x01\x00")]),
    );
    maker.bad(
        "key-usage-of-garbage",
        "A keyUsage that is no BIT STRING",
        Refusal::MalformedKeyUsage,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x05\x00")]),
    );
    maker.bad(
        "key-usage-twice",
        "An extension twice",
        CsrError::DuplicateExtension(oid::KEY_USAGE),
        &rfc5280("4.2"),
        &with(&[&usage, &usage]),
    );
    maker.bad(
        "names-twice",
        "Two subjectAltNames",
        CsrError::DuplicateExtension(oid::SUBJECT_ALT_NAME),
        &rfc5280("4.2"),
        &with(&[&of(&oid::SUBJECT_ALT_NAME, b"\x30\x03\x82\x01a"), &of(&oid::SUBJECT_ALT_NAME, b"\x30\x03\x82\x01b")]),
    );
    for (case, about, list) in [
        ("list-is-null", "NULL in place of the list", &b"\x05\x00"[..]),
        ("list-is-a-set", "A SET in place of the list", b"\x31\x00"),
        ("entry-is-null", "NULL in place of an extension", b"\x30\x02\x05\x00"),
        ("entry-without-an-id", "An extension without a name", b"\x30\x04\x30\x02\x04\x00"),
        ("entry-named-by-a-number", "An extension named by a number", b"\x30\x07\x30\x05\x02\x01\x05\x04\x00"),
    ] {
        let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[list]);
        let body = key.csr_with_attributes(name("CN=extensions").as_der(), &[&request]);
        maker.bad(case, about, CsrError::Extensions, "RFC 2985 §5.4.2", &body);
    }
    maker.bad(
        "value-is-no-octet-string",
        "An extension whose value stands there bare",
        CsrError::Extensions,
        &rfc5280("4.1"),
        &with(&[&sequence(&[oid::KEY_USAGE.as_der(), b"\x03\x02\x07\x80"])]),
    );
}

fn subjects(maker: &mut Maker) {
    maker.group = "subjects";
    let key = Key::p256();
    let of = |text: &[u8]| sequence(&[&set(&[&sequence(&[oid::COMMON_NAME.as_der(), text])])]);
    let with = |subject: &[u8]| key.csr_with_attributes(subject, &[]);
    let names = "RFC 5280 §4.1.2.4";
    let common_name = || oid::COMMON_NAME;
    maker.granted("A subject as it should be", names, &with(&of(&utf8("subjects"))));
    maker.bad(
        "none-at-all",
        "Neither a subject nor a subjectAltName",
        Refusal::NoName,
        "RFC 5280 §4.1.2.6",
        &with(b"\x30\x00"),
    );
    for (case, about, text) in [
        ("nul", "A NUL, at which other software stops reading", &b"www.example\0.attacker.example"[..]),
        ("line-feed", "A line of its own in somebody's log", b"a\n2026-11-21 INFO certificate issued to root"),
        ("carriage-return", "Text that overwrites a line on a terminal", b"a\rroot"),
        ("escape-sequence", "A terminal's control sequence", b"a\x1b[2J"),
        ("delete", "A character that deletes", b"a\x7f"),
        ("c1-control", "A control character of two octets", "a\u{9b}2J".as_bytes()),
    ] {
        let refusal = Refusal::Subject(NameError::ControlCharacter(common_name()));
        maker.bad(case, about, refusal, names, &with(&of(&value(0x0c, &[text]))));
    }
    maker.bad(
        "empty-value",
        "An empty commonName",
        Refusal::Subject(NameError::Empty(common_name())),
        names,
        &with(&of(&utf8(""))),
    );
    for (case, about, text) in [
        ("no-utf-8", "UTF8String with other octets", value(0x0c, &[b"\xff\xfe"])),
        ("overlong-utf-8", "UTF-8 longer than it needs to be", value(0x0c, &[b"\xc0\xaf"])),
        ("surrogates", "Half a character of UTF-16", value(0x0c, &[b"\xed\xa0\x80"])),
        ("printable-asterisk", "PrintableString with an asterisk", value(0x13, &[b"*"])),
        ("teletex-string", "TeletexString, which means what the reader likes", value(0x14, &[b"a"])),
        ("bmp-string", "BMPString", value(0x1e, &[b"\0a"])),
        ("universal-string", "UniversalString", value(0x1c, &[b"\0\0\0a"])),
        ("integer", "A number as a name", b"\x02\x01\x05".to_vec()),
        ("null", "NULL as a name", b"\x05\x00".to_vec()),
    ] {
        maker.bad(case, about, Refusal::Subject(NameError::NotText(common_name())), names, &with(&of(&text)));
    }
    let reversed = Refusal::Subject(NameError::ControlCharacter(common_name()));
    maker.bad(
        "right-to-left",
        "Text that reads backwards for whoever approves it",
        reversed,
        "UAX #9 §2.2",
        &with(&of(&utf8("a\u{202e}elpmaxe.toor"))),
    );
    let length = |id: Oid| Refusal::Subject(NameError::Length(id));
    let bounds = "RFC 5280 Appendix A.1";
    maker.bad(
        "common-name-of-65",
        "A commonName one character too long",
        length(common_name()),
        bounds,
        &with(&of(&utf8(&"ë".repeat(65)))),
    );
    maker.bad(
        "country-of-3",
        "A country of three letters",
        length(oid::COUNTRY),
        bounds,
        &with(&sequence(&[&set(&[&sequence(&[oid::COUNTRY.as_der(), &value(0x13, &[b"DEU"])])])])),
    );
    let malformed = || CsrError::Subject(NameError::Malformed);
    maker.bad("is-a-set", "A SET in place of a name", malformed(), names, &with(b"\x31\x00"));
    maker.bad("empty-rdn", "A relative name without an attribute", malformed(), names, &with(b"\x30\x02\x31\x00"));
    maker.bad(
        "rdn-is-a-sequence",
        "A SEQUENCE in place of a SET",
        malformed(),
        names,
        &with(&sequence(&[&sequence(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("a")])])])),
    );
    maker.bad(
        "attribute-without-a-value",
        "An attribute without a value",
        malformed(),
        names,
        &with(&sequence(&[&set(&[&sequence(&[oid::COMMON_NAME.as_der()])])])),
    );
    let one = set(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("a")])]);
    maker.bad(
        "of-65-names",
        "More attributes than any real name has",
        CsrError::Subject(NameError::TooLong),
        names,
        &with(&sequence(&vec![&one[..]; 65])),
    );
}

fn alternative_names(maker: &mut Maker) {
    maker.group = "alternative-names";
    let key = Key::p256();
    let with = |names: &[&[u8]]| {
        key.csr_with_extensions("CN=names", &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, &sequence(names))])
    };
    let san = "RFC 5280 §4.2.1.6";
    maker.granted(
        "Names as they should be",
        san,
        &with(&[&value(0x82, &[b"names.example"]), b"\x87\x04\xc0\x00\x02\x01"]),
    );
    let unreadable = || CsrError::SubjectAltName;
    maker.bad("empty", "A list without a name", unreadable(), san, &with(&[]));
    maker.bad(
        "address-of-3-octets",
        "An address of three octets",
        unreadable(),
        san,
        &with(&[b"\x87\x03\x01\x02\x03"]),
    );
    maker.bad(
        "address-with-a-mask",
        "An address with a mask, as name constraints have it",
        unreadable(),
        san,
        &with(&[b"\x87\x08\x0a\0\0\0\xff\0\0\0"]),
    );
    maker.bad(
        "dns-in-utf-8",
        "A name outside of ASCII",
        unreadable(),
        san,
        &with(&[&value(0x82, &["zoë.example".as_bytes()])]),
    );
    maker.bad(
        "constructed-dns",
        "A dNSName in constructed form",
        unreadable(),
        san,
        &with(&[&value(0xa2, &[&utf8("a.example")])]),
    );
    maker.bad("of-no-kind", "A tag that no kind of name has", unreadable(), san, &with(&[&value(0x89, &[b"a"])]));
    maker.bad("other-name-of-garbage", "An otherName that is none", unreadable(), san, &with(&[b"\xa0\x02\x05\x00"]));
    maker.bad(
        "ten-thousand-names",
        "Many names, for a parser's memory",
        unreadable(),
        san,
        &with(&vec![&b"\x82\x01a"[..]; 10_000]),
    );
    maker.bad(
        "not-a-list",
        "A name without a list around it",
        unreadable(),
        san,
        &key.csr_with_extensions("CN=names", &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x82\x01a")]),
    );
    maker.bad(
        "after-the-list",
        "An octet after the list",
        unreadable(),
        san,
        &key.csr_with_extensions(
            "CN=names",
            &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x30\x03\x82\x01a\x00")],
        ),
    );
    maker.bad("twice", "A name twice", Refusal::DuplicateName, san, &with(&[b"\x82\x01a", b"\x82\x01a"]));
    for (case, about, tag, text) in [
        ("dns-with-a-nul", "A NUL, at which other software stops reading", 0x82, "www.example\0.attacker.example"),
        ("dns-empty", "No name at all", 0x82, ""),
        ("dns-of-a-dot", "The root", 0x82, "."),
        ("dns-with-a-blank", "A blank", 0x82, " "),
        ("dns-with-a-line-feed", "A line of its own in somebody's log", 0x82, "a.example\nroot"),
        ("dns-with-an-empty-label", "Two dots", 0x82, "a..example"),
        ("dns-with-a-last-dot", "A dot at the end", 0x82, "a.example."),
        ("dns-with-a-hyphen-first", "A label that begins with a hyphen", 0x82, "-a.example"),
        ("dns-with-markup", "Markup for whoever shows it", 0x82, "<script>alert(1)</script>"),
        ("dns-with-a-quote", "A quote for whoever puts it into a query", 0x82, "a'; DROP TABLE certificates; --"),
        ("dns-with-a-path", "A path", 0x82, "../../etc/passwd"),
        ("wildcard-of-everything", "All names", 0x82, "*"),
        ("wildcard-of-a-top-level", "All names of a top-level domain", 0x82, "*.com"),
        ("wildcard-in-the-middle", "A wildcard that is not first", 0x82, "a.*.example"),
        ("wildcard-of-a-part", "A wildcard for part of a label", 0x82, "a*.example.org"),
        ("wildcard-twice", "Two wildcards", 0x82, "*.*.example.org"),
        ("mail-without-a-host", "A mailbox nowhere", 0x81, "root"),
        ("mail-with-two-hosts", "A mailbox at two hosts", 0x81, "a@b@c.example"),
        ("mail-with-a-line-feed", "A header for whoever sends mail", 0x81, "a\nBcc:@example.org"),
        ("uri-without-a-scheme", "A URI without a scheme", 0x86, "//example.org/"),
        ("uri-with-a-blank", "A URI with a blank", 0x86, "urn:a b"),
    ] {
        let kind = match tag {
            0x82 => "DNS",
            0x81 => "email",
            _ => "URI",
        };
        let refusal = Refusal::MalformedName(format!("{kind}:{}", text.escape_default()));
        maker.bad(case, about, refusal, san, &with(&[&value(tag, &[text.as_bytes()])]));
    }
    let long_label = "a".repeat(64);
    maker.bad(
        "dns-label-of-64",
        "A label one octet too long",
        Refusal::MalformedName(format!("DNS:{long_label}")),
        "RFC 1035 §2.3.4",
        &with(&[&value(0x82, &[long_label.as_bytes()])]),
    );
    let long_name = vec!["a".repeat(62); 5].join(".");
    maker.bad(
        "dns-of-314",
        "A name too long for the DNS",
        Refusal::MalformedName(format!("DNS:{long_name}")),
        "RFC 1035 §2.3.4",
        &with(&[&value(0x82, &[long_name.as_bytes()])]),
    );
    maker.bad(
        "directory-name-empty",
        "A directory name without an attribute",
        Refusal::MalformedName("dirName:".into()),
        san,
        &with(&[b"\xa4\x02\x30\x00"]),
    );
    maker.bad(
        "x400",
        "An X.400 address, whose contents nobody looks at",
        Refusal::MalformedName("other:a30430020500".into()),
        san,
        &with(&[b"\xa3\x04\x30\x02\x05\x00"]),
    );
}

fn labels(maker: &mut Maker) {
    maker.group = "labels";
    let cite = "RFC 7030 §3.2.2";
    let key = Key::p256();
    maker.path = "/servers/simpleenroll";
    maker.granted("A request that keeps to the label's rules", cite, &key.csr("CN=servers", &["DNS:servers.example"]));
    maker.bad(
        "key-type",
        "A key of a type that the label does not take",
        Refusal::KeyTypeNotAllowed { key_type: KeyType::Ed25519, allowed: "ecdsa-p256".into() },
        cite,
        &Key::generate(KeyType::Ed25519).csr("CN=servers", &["DNS:servers.example"]),
    );
    maker.bad(
        "without-names",
        "No subjectAltName where the label requires one",
        Refusal::SubjectAltNameRequired,
        cite,
        &key.csr("CN=servers", &[]),
    );
    maker.path = "/people/simpleenroll";
    let pattern = || Refusal::SubjectPattern { pattern: "^CN=[a-z]+,O=Example$".into() };
    maker.bad(
        "subject",
        "A subject that the label's pattern does not match",
        pattern(),
        cite,
        &key.csr("CN=Ann,O=Attacker", &[]),
    );
    maker.bad(
        "subject-with-an-escaped-comma",
        "A value that looks like a second attribute",
        pattern(),
        cite,
        &key.csr("CN=ann\\,O=Example", &[]),
    );
    maker.bad(
        "subject-on-a-second-line",
        "A pattern's end of line is no end of text",
        pattern(),
        cite,
        &key.csr("CN=ann,O=Example,OU=x", &[]),
    );
    maker.path = "/simpleenroll";
}
