//! A revoked certificate is revoked however its signature is written.

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::Server;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// The order of the group of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The certificate with the other signature that is as good: (r, n − s) instead of (r, s). Anyone can make it.
fn with_the_other_signature(certificate: &[u8]) -> Vec<u8> {
    // SEQUENCE { tbs, algorithm, BIT STRING { SEQUENCE { r, s } } }
    let tbs_length = 4 + usize::from(u16::from_be_bytes([certificate[6], certificate[7]]));
    let (tbs, rest) = certificate[4..].split_at(tbs_length);
    let (algorithm, bits) = rest.split_at(2 + usize::from(rest[1]));
    let numbers = &bits[5..];
    let (r, s) = numbers.split_at(2 + usize::from(numbers[1]));
    let mut left = ORDER;
    let magnitude = s[2..].iter().rev().chain(std::iter::repeat(&0));
    let mut borrow = 0;
    for (digit, subtracted) in left.iter_mut().rev().zip(magnitude) {
        let difference = i16::from(*digit) - i16::from(*subtracted) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.rem_euclid(256) as u8;
    }
    let start = left.iter().position(|octet| *octet != 0).expect("s is not n");
    let pad: &[u8] = if left[start] & 0x80 == 0 { &[] } else { &[0] };
    let s = est_testkit::der::value(0x02, &[pad, &left[start..]]);
    let signature = est_testkit::der::bit_string(&est_testkit::der::sequence(&[r, &s]));
    est_testkit::der::sequence(&[tbs, algorithm, &signature])
}

#[test]
fn refuses_a_revoked_certificate_that_carries_the_other_ecdsa_signature() {
    let server = Server::dev(ESTD);
    let (key, path) = (Key::p256(), |name: &str| server.folder().join(name));
    let body = base64(&key.csr("CN=stolen", &["DNS:stolen.example"]));
    let password = server.password(1);
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate();
    let twin = with_the_other_signature(&certificate);
    assert_ne!(twin, certificate);
    std::fs::write(path("device.key"), key.to_pem()).expect("written");
    let holder = |name: &str, der: &[u8]| {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(der));
        std::fs::write(path(name), pem).expect("written");
        Client::with_certificate(server.port(), &server.ca(), &path(name), &path("device.key"))
    };
    let (original, twin) = (holder("device.pem", &certificate), holder("twin.pem", &twin));
    assert_eq!(twin.enroll("/simplereenroll", None, body.as_bytes()).status, 200, "it is a valid certificate");

    let listed = server.estd_json(&["certs", "list"]);
    let serials = listed["certificates"].as_array().expect("a list");
    for certificate in serials {
        let serial = certificate["serial"].as_str().expect("a serial number");
        assert!(server.estd(&["certs", "revoke", serial]).status.success());
    }
    let next = base64(&Key::p256().csr("CN=stolen", &["DNS:stolen.example"]));
    for client in [original, twin] {
        for operation in ["/simplereenroll", "/simpleenroll"] {
            let answer = client.enroll(operation, None, next.as_bytes());
            assert_eq!((answer.status, answer.text()), (403, "the client certificate has been revoked\n"));
        }
    }
}
