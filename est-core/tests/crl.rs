//! Heads of CRLs, as openssl writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use est_core::pkix::{Certificate, CrlHead, pem};
use est_testkit::der::{sequence, value};
use est_testkit::peers::OpenSsl;
use est_testkit::pki::name;

/// A CA of openssl's, and a CRL with this many entries.
fn crl(openssl: &OpenSsl, entries: usize) -> Vec<u8> {
    let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=7\n\
                  crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid,issuer\n";
    let revoked = |serial| format!("R\t401121000000Z\t261121000000Z\t{serial:06X}\tunknown\t/CN=device\n");
    openssl.write("ca.conf", config);
    openssl.write("index", (0x10_0000..0x10_0000 + entries).map(revoked).collect::<String>());
    openssl.write("number", "01\n");
    openssl.run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=ca -out ca.pem");
    openssl.run("ca -config ca.conf -gencrl -cert ca.pem -keyfile ca.key -out crl.pem");
    pem::decode(std::str::from_utf8(&openssl.read("crl.pem")).unwrap()).unwrap().remove(0).contents.clone()
}

#[test]
fn reads_the_head_of_a_crl_however_long_its_list_is() {
    let Some(openssl) = OpenSsl::find() else { return };
    for entries in [0, 1, 10_000] {
        let head = CrlHead::parse(&crl(&openssl, entries)).unwrap();
        let ca = pem::decode(std::str::from_utf8(&openssl.read("ca.pem")).unwrap()).unwrap().remove(0).contents.clone();
        let ca = Certificate::parse(&ca).unwrap();
        assert_eq!(head.issuer(), &name("CN=ca"));
        assert_eq!(head.next_update().0 - head.this_update().0, 7 * 86_400);
        assert_eq!(head.authority_key_identifier(), ca.subject_key_identifier().as_deref());
        assert_eq!(ca.authority_key_identifier(), ca.subject_key_identifier());
    }
}

#[test]
fn reads_nothing_that_is_cut_or_lacks_what_a_crl_must_have() {
    let time = b"\x17\x0d261121000000Z";
    let number = sequence(&[b"\x06\x03\x55\x1d\x14", b"\x04\x03\x02\x01\x05"]);
    let critical = sequence(&[b"\x06\x03\x55\x1d\x14", b"\x01\x01\xff", b"\x04\x03\x02\x01\x05"]);
    let issuer = name("CN=ca");
    let crl = |version: &[u8], times: &[u8], extensions: &[&[u8]]| {
        let extensions = value(0xa0, &[&sequence(extensions)]);
        let tbs = sequence(&[version, b"\x30\x00", issuer.as_der(), times, &extensions]);
        sequence(&[&tbs, b"\x30\x00", b"\x03\x01\x00"])
    };
    let v2 = b"\x02\x01\x01";
    let whole = crl(v2, &[&time[..], time].concat(), &[&number]);
    assert!(CrlHead::parse(&whole).is_some());
    for end in 0..whole.len() {
        assert_eq!(CrlHead::parse(&whole[..end]), None, "cut at {end}");
    }
    assert_eq!(CrlHead::parse(&[&whole[..], b"\0"].concat()), None);
    for odd in [
        crl(b"\x02\x01\x00", &[&time[..], time].concat(), &[&number]),
        crl(v2, time, &[&number]),
        crl(v2, &[&time[..], time].concat(), &[]),
        crl(v2, &[&time[..], time].concat(), &[&critical]),
        crl(v2, &[&time[..], time].concat(), &[&number, &number]),
    ] {
        assert_eq!(CrlHead::parse(&odd), None, "{odd:02x?}");
    }
}
