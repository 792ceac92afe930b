//! Makes the corpora again: `corpora` writes every seed input to `corpus/<target>/`. Keys are new each time.
//!
//! Inputs that a fuzzer found are kept beside them under names of their own; this overwrites none of those.

use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use est_backends::authority::{Validity, self_signed_ca};
use est_backends::{FileSigner, LocalKeyGenerator, open};
use est_core::cms::{Capabilities, Digest, SignedData, signed_attributes, write_key_package};
use est_core::pkix::{
    Certificate, CsrAttr, Extension, KeyType, TbsCertificate, certs_only, csr_attrs, oid, pem, read_csr_attrs,
};
use est_core::policy::{NameKind, NameRules, Profile, SubjectRules, csr_attributes, decide};
use est_core::{Generated, KeyGenerator, KeyPart, KeyWish, Protection, Seconds};
use est_testkit::der::{attribute, extension, octet_string, sequence, set, utf8, value};
use est_testkit::peers::OpenSsl;
use est_testkit::pki::{Key, NOW, TestCa, name, parse_csr, password_holder, serial};
use ohia_fuzz::{corpus, envelope};

fn main() {
    let openssl = OpenSsl::find().expect("openssl makes some of the inputs");
    let requests = requests(&openssl);
    der();
    keys();
    certificates(&openssl);
    messages(&openssl);
    crls(&openssl);
    names();
    attributes();
    heads(&requests);
    forwarded();
    exchanges(&requests);
    key_requests();
    envelopes();
}

fn write(target: &str, name: &str, input: &[u8]) {
    let directory = corpus::directory(target);
    fs::create_dir_all(&directory).expect("a directory for the corpus");
    fs::write(directory.join(name), input).expect("an input can be written");
}

fn der() {
    for (name, input) in [
        ("empty-sequence", &b"\x30\x00"[..]),
        ("integers", b"\x30\x0c\x02\x01\x00\x02\x02\x00\x80\x02\x01\xff\x01\x01\xff"),
        ("indefinite", b"\x30\x80\x00\x00"),
        ("long-length", b"\x30\x81\x02\x05\x00"),
        ("high-tag", b"\x3f\x81\x00\x00"),
        ("strings", b"\x30\x0d\x0c\x01a\x13\x01b\x16\x01c\x03\x02\x04\xf0"),
        ("context", b"\xa0\x05\xa3\x03\x80\x01\x00"),
        ("truncated", b"\x30\x84\xff\xff\xff\xff"),
    ] {
        write("der", name, input);
    }
    let mut deep = Vec::new();
    (0..30).for_each(|_| deep = sequence(&[&deep]));
    write("der", "deep", &deep);
    write("der", "wide", &sequence(&vec![&b"\x05\x00"[..]; 5_000]));
    write("der", "octet-string-200", &octet_string(&[7; 200]));
    write("der", "octet-string-70000", &octet_string(&[7; 70_000]));
}

/// Sound keys; the flawed ones beside them are those of `est-core/tests/keys`.
fn keys() {
    for key_type in KeyType::USUAL {
        write("spki", &key_type.to_string(), Key::generate(key_type).public_key().as_der());
    }
}

/// Requests for a key: every combination of what may ask for encryption.
fn key_requests() {
    let key = Key::p256();
    let algorithms = [oid::RSAES_OAEP, oid::STD_DH_SHA256_KDF, oid::AES256_WRAP, oid::AES256_GCM];
    let capabilities = Capabilities::of(algorithms).to_der();
    write("key_request", "capabilities", &capabilities);
    let wrap = sequence(&[oid::AES128_WRAP.as_der()]);
    let agreement = sequence(&[&sequence(&[oid::STD_DH_SHA256_KDF.as_der(), &wrap])]);
    write("key_request", "capabilities-with-parameters", &agreement);
    let capabilities = attribute(oid::SMIME_CAPABILITIES.as_der(), &[&capabilities]);
    let symmetric = attribute(oid::DECRYPT_KEY_IDENTIFIER.as_der(), &[&octet_string(b"kek")]);
    let asymmetric = attribute(oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER.as_der(), &[&octet_string(&[7; 20])]);
    let (c, s, a) = (capabilities.as_slice(), symmetric.as_slice(), asymmetric.as_slice());
    let combinations: [(&str, &[&[u8]]); 8] = [
        ("plain", &[]),
        ("capabilities-alone", &[c]),
        ("symmetric-alone", &[s]),
        ("asymmetric-alone", &[a]),
        ("symmetric", &[c, s]),
        ("asymmetric", &[c, a]),
        ("two-identifiers", &[s, a]),
        ("everything", &[c, s, a]),
    ];
    let subject = name("CN=a");
    for (name, attributes) in combinations {
        write("key_request", name, &key.csr_with_attributes(subject.as_der(), attributes));
    }
    let strange = sequence(&[&sequence(&[b"\x06\x03\x2a\x03\x04"]), &value(0x03, &[b"\0?"])]);
    let info = sequence(&[b"\x02\x01\x00", subject.as_der(), &strange, &value(0xa0, &[])]);
    write(
        "key_request",
        "unknown-key",
        &sequence(&[&info, &sequence(&[oid::SHA256.as_der()]), &value(0x03, &[b"\0?"])]),
    );
}

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Encrypted keys: with the target's own key, and to others.
fn envelopes() {
    let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).expect("a key");
    let validity = Validity { not_before: NOW, span: Seconds::from_days(90) };
    let root = now(self_signed_ca(&name("CN=CA"), &signer, validity, serial(1))).expect("a certificate");
    let root = Certificate::parse(&root).expect("a certificate");
    let generator = LocalKeyGenerator::new(Arc::new(signer), root.clone()).with_symmetric_key(vec![1], envelope::key());
    let ask = |protection| {
        let wish = KeyWish { key_type: KeyType::EcdsaP256, protection };
        let Ok(Generated::Key(made)) = now(generator.generate(&wish)) else { panic!("a key") };
        let KeyPart::Enveloped(message) = made.part else { panic!("encrypted") };
        message
    };
    for (name, content) in [("kek-cbc", oid::AES128_CBC), ("kek-gcm", oid::AES256_GCM)] {
        let capabilities = Capabilities::of([oid::AES128_WRAP, content]);
        let message = ask(Protection::Symmetric { key_id: vec![1], capabilities });
        assert!(open(&message, &envelope::own()).is_ok(), "the target opens it");
        write("envelope", name, &message);
    }
    let own = name("CN=a");
    for (name, key_type, algorithms) in [
        ("rsa-oaep", KeyType::Rsa(2048), vec![oid::RSAES_OAEP]),
        ("rsa-pkcs1", KeyType::Rsa(2048), vec![oid::RSA_ENCRYPTION]),
        ("ecdh", KeyType::EcdsaP384, vec![oid::STD_DH_SHA384_KDF, oid::AES256_WRAP]),
    ] {
        let key = Key::generate(key_type);
        let to_be_signed = TbsCertificate {
            serial: serial(3),
            signature_algorithm: key.signature_algorithm(),
            issuer: &own,
            subject: &own,
            not_before: NOW,
            not_after: NOW,
            public_key: key.public_key().as_der(),
            extensions: &[Extension::subject_key_identifier(b"own")],
        };
        let shown = Some(Arc::new(Certificate::parse(&key.signed(to_be_signed.to_der())).expect("a certificate")));
        let capabilities = Capabilities::of(algorithms);
        write("envelope", name, &ask(Protection::Asymmetric { key_id: b"own".to_vec(), capabilities, shown }));
    }
    let package =
        write_key_package(&sequence(&[b"\x02\x01\x00", &sequence(&[oid::X25519.as_der()]), &octet_string(&[7; 34])]));
    write("envelope", "package", &package);
    let attributes = signed_attributes(&[7; 32]);
    let signed = SignedData {
        package,
        digest: Digest::Sha256,
        signed_attributes: attributes,
        signature_algorithm: sequence(&[oid::RSA_ENCRYPTION.as_der(), b"\x05\x00"]),
        signature: vec![7; 64],
        certificate: root,
    };
    write("envelope", "signed", &signed.to_der());
}

/// Writes the requests and returns some that are sound.
fn requests(openssl: &OpenSsl) -> Vec<Vec<u8>> {
    let mut sound = Vec::new();
    for key_type in KeyType::USUAL {
        let der = Key::generate(key_type).csr("CN=device-1,O=Example", &["DNS:a.example", "IP:192.0.2.1"]);
        write("csr", &key_type.to_string(), &der);
        sound.push(der);
    }
    let rsa = Key::generate(KeyType::Rsa(2048));
    write("csr", "rsa-sha256-then-pss", &rsa.with_pss(256).csr("CN=a", &[]));
    for (name, arguments) in [
        ("openssl-p256", "ec -pkeyopt ec_paramgen_curve:P-256 -subj /C=DE/ST=Berlin/O=Example/CN=a"),
        (
            "openssl-multi-valued",
            "ec -pkeyopt ec_paramgen_curve:P-256 -subj /O=Example/CN=a+serialNumber=1 -multivalue-rdn",
        ),
        ("openssl-ed25519", "ed25519 -subj /CN=a -addext keyUsage=digitalSignature"),
        (
            "openssl-many-extensions",
            "ec -pkeyopt ec_paramgen_curve:P-384 -subj /CN=a -addext basicConstraints=CA:FALSE \
             -addext extendedKeyUsage=clientAuth,codeSigning -addext tlsfeature=status_request \
             -addext subjectAltName=DNS:a.example,DNS:*.b.example,email:a@b.example,URI:urn:x:1,RID:1.2.3.4",
        ),
        ("openssl-ca", "ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=a -addext basicConstraints=critical,CA:TRUE"),
        ("openssl-sha1", "rsa:2048 -sha1 -subj /CN=a"),
        ("openssl-pss", "rsa:2048 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -subj /CN=a"),
    ] {
        openssl.run(&format!("req -new -nodes -keyout k.pem -outform DER -out r.der -newkey {arguments}"));
        write("csr", name, &openssl.read("r.der"));
        sound.push(openssl.read("r.der"));
    }
    let key = Key::p256();
    let subject = name("CN=a");
    let with = |attributes: &[&[u8]]| key.csr_with_attributes(subject.as_der(), attributes);
    let request = |id: &est_core::pkix::Oid, extensions: &[&[u8]]| attribute(id.as_der(), &[&sequence(extensions)]);
    let san = |names: &[u8]| extension(oid::SUBJECT_ALT_NAME.as_der(), false, names);
    let usage = extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let upn =
        value(0xa0, &[b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03", &value(0xa0, &[&utf8("u@e.example")])]);
    let every_kind = sequence(&[
        &upn,
        b"\x81\x03a@b",
        b"\x82\x01a",
        &value(0xa4, &[subject.as_der()]),
        b"\x86\x03a:b",
        b"\x87\x04\xc0\x00\x02\x01",
        b"\x88\x02\x2a\x03",
    ]);
    let uuid = [&[0x06, 20, 0x69, 0x83][..], &[0xff; 17], &[0x7f]].concat();
    let one = sequence(&[oid::COMMON_NAME.as_der(), &utf8("x")]);
    let strings =
        [&b"\x0c\x02\xc3\xab"[..], b"\x13\x01a", b"\x16\x01a", b"\x14\x01\xe9", b"\x1e\x02\0a", b"\x1c\x04\0\0\0a"];
    let of_each_type: Vec<_> =
        strings.iter().map(|text| set(&[&sequence(&[oid::COMMON_NAME.as_der(), text])])).collect();
    let explicit_false = sequence(&[oid::KEY_USAGE.as_der(), b"\x01\x01\x00", &octet_string(b"\x03\x02\x07\x80")]);
    for (name, der) in [
        ("no-attributes", with(&[])),
        ("every-kind-of-name", with(&[&request(&oid::EXTENSION_REQUEST, &[&san(&every_kind)])])),
        ("microsoft", with(&[&request(&oid::MS_EXTENSION_REQUEST, &[&san(b"\x30\x03\x82\x01a"), &usage])])),
        ("challenge-password", with(&[&attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("x")])])),
        ("uuid-attribute", with(&[&attribute(&uuid, &[b"\x05\x00"])])),
        ("uuid-extension", with(&[&request(&oid::EXTENSION_REQUEST, &[&extension(&uuid, true, b"\x05\x00")])])),
        ("uuid-in-subject", key.csr_with_attributes(&sequence(&[&set(&[&sequence(&[&uuid, &utf8("x")])])]), &[])),
        (
            "string-types",
            key.csr_with_attributes(&sequence(&of_each_type.iter().map(Vec::as_slice).collect::<Vec<_>>()), &[]),
        ),
        ("empty-subject", key.csr("", &["DNS:a.example"])),
        ("wide-rdn", key.csr_with_attributes(&sequence(&[&set(&vec![&one[..]; 1_200])]), &[])),
        ("explicit-false", with(&[&request(&oid::EXTENSION_REQUEST, &[&explicit_false])])),
        ("duplicate-extension", with(&[&request(&oid::EXTENSION_REQUEST, &[&usage, &usage])])),
        (
            "both-extension-requests",
            with(&[&request(&oid::EXTENSION_REQUEST, &[]), &request(&oid::MS_EXTENSION_REQUEST, &[])]),
        ),
        ("two-values", with(&[&attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00", b"\x30\x00"])])),
        ("empty-san", with(&[&request(&oid::EXTENSION_REQUEST, &[&san(b"\x30\x00")])])),
        (
            "version-1",
            key.signed(sequence(&[b"\x02\x01\x01", subject.as_der(), key.public_key().as_der(), b"\xa0\x00"])),
        ),
        ("trailing-octet", [&with(&[])[..], b"\0"].concat()),
        (
            "bad-signature",
            with(&[]).iter().rev().enumerate().rev().map(|(left, octet)| octet ^ u8::from(left == 0)).collect(),
        ),
    ] {
        write("csr", name, &der);
    }
    sound
}

fn certificates(openssl: &OpenSsl) {
    for key_type in KeyType::USUAL {
        let ca = TestCa::with_key(Key::generate(key_type), NOW + est_core::Seconds::from_days(3650));
        write("certificate", &format!("ca-{key_type}"), ca.certificate().as_der());
    }
    let ca = TestCa::new();
    for (file, subject, names) in [
        ("leaf", "CN=device-1,O=Example", &["DNS:a.example"][..]),
        ("leaf-without-subject", "", &["DNS:a.example", "IP:2001:db8::1", "URI:urn:x:1", "email:a@b.example"]),
        ("leaf-without-names", "CN=device-1", &[]),
    ] {
        let csr = parse_csr(&Key::p256().csr(subject, names));
        let plan = decide(&ca.label(None), &password_holder("p"), &csr, None, NOW).expect("a request that is granted");
        write("certificate", file, &ca.issue(&plan, serial(3)));
    }
    for (name, arguments) in [
        ("openssl-rsa", "rsa:2048 -subj /C=DE/O=Example/CN=root -days 30"),
        ("openssl-past-2049", "ed25519 -subj /CN=root -days 10000"),
        (
            "openssl-many-extensions",
            "ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=a -days 30 -addext nameConstraints=permitted;DNS:example \
             -addext certificatePolicies=1.2.3.4 -addext crlDistributionPoints=URI:http://a.example/crl \
             -addext authorityInfoAccess=OCSP;URI:http://a.example/ -addext subjectAltName=DNS:a.example,RID:1.2.3",
        ),
    ] {
        openssl.run(&format!("req -x509 -nodes -keyout k.pem -outform DER -out c.der -newkey {arguments}"));
        write("certificate", name, &openssl.read("c.der"));
    }
    let mut broken = ca.certificate().as_der().to_vec();
    broken.truncate(broken.len() - 20);
    write("certificate", "truncated", &broken);
}

fn messages(openssl: &OpenSsl) {
    let (ca, other) = (TestCa::new(), TestCa::new());
    write("certs_only", "one", &certs_only([ca.certificate().as_der()]));
    write("certs_only", "two", &certs_only([ca.certificate().as_der(), other.certificate().as_der()]));
    write("certs_only", "none", &certs_only([]));
    openssl.write("ca.pem", pem::encode("CERTIFICATE", ca.certificate().as_der()));
    openssl.run("crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out m.der");
    write("certs_only", "openssl", &openssl.read("m.der"));
    openssl.run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=a -out c.pem");
    openssl.write("text", "hello");
    openssl.run("cms -sign -in text -signer c.pem -inkey k.pem -outform DER -out s.der -nodetach");
    write("certs_only", "openssl-signed", &openssl.read("s.der"));
    openssl.run("cms -data_create -in text -outform DER -out d.der");
    write("certs_only", "openssl-data", &openssl.read("d.der"));
}

fn crls(openssl: &OpenSsl) {
    let make = |extensions: &str, index: &str, name: &str| {
        let config =
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ncrl_extensions=e\n[e]\n";
        openssl.write("ca.conf", format!("{config}{extensions}"));
        openssl.write("index", index);
        openssl.write("number", "01\n");
        openssl.run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /O=Example/CN=ca -out c.pem",
        );
        openssl.run("ca -config ca.conf -gencrl -cert c.pem -keyfile k.pem -crldays 30 -out crl.pem");
        let pem = openssl.read("crl.pem");
        let text = std::str::from_utf8(&pem).expect("PEM is text");
        write("crl", name, &pem::decode(text).expect("PEM").remove(0).contents);
        pem
    };
    let revoked = |reason: &str| format!("R\t401121000000Z\t261121000000Z{reason}\t0A\tunknown\t/CN=a\n");
    let identifier = "authorityKeyIdentifier=keyid\n";
    let empty = make(identifier, "", "empty");
    let entry = make(identifier, &revoked(",keyCompromise"), "entry-with-reason");
    make("authorityKeyIdentifier=keyid,issuer:always\n", &revoked(""), "issuer-and-serial");
    make(
        "issuingDistributionPoint=critical,@i\n[i]\nonlyuser=TRUE\nfullname=URI:http://a.example/crl\n",
        "",
        "only-users",
    );
    make("issuingDistributionPoint=critical,@i\n[i]\nindirectCRL=TRUE\n", "", "indirect");
    make("2.5.29.27=critical,DER:020101\n", "", "delta");
    write("crl", "two-in-pem", &[&empty[..], b"between\n", &entry].concat());
    write("crl", "half-of-pem", &empty[..empty.len() / 2]);
}

fn names() {
    let dns = |text: &str| value(0x82, &[text.as_bytes()]);
    let email = |text: &str| value(0x81, &[text.as_bytes()]);
    let uri = |text: &str| value(0x86, &[text.as_bytes()]);
    let directory = |text: &str| value(0xa4, &[name(text).as_der()]);
    let address = |octets: &[u8]| value(0x87, &[octets]);
    let mailbox = |text: &str| value(0xa0, &[oid::SMTP_UTF8_MAILBOX.as_der(), &value(0xa0, &[&utf8(text)])]);
    let subtrees = |tag: u8, bases: &[Vec<u8>]| {
        value(tag, &[&bases.iter().map(|base| sequence(&[base])).collect::<Vec<_>>().concat()])
    };
    let list = |parts: &[Vec<u8>]| sequence(&[&parts.concat()]);
    let network = address(b"\x0a\0\0\0\xff\0\0\0");
    let six = address(&[&b"\x20\x01\x0d\xb8"[..], &[0; 12], &[0xff; 4], &[0; 12]].concat());
    for (file, constraints, names) in [
        ("permitted-host", vec![subtrees(0xa0, &[dns("a.example")])], vec![dns("b.a.example"), dns("*.a.example")]),
        ("excluded-host", vec![subtrees(0xa1, &[dns("a.example")])], vec![dns("b.example"), dns("*.b.example")]),
        ("excluded-below-wildcard", vec![subtrees(0xa1, &[dns("www.a.example")])], vec![dns("*.a.example")]),
        ("every-host", vec![subtrees(0xa0, &[dns("")])], vec![dns("a.example")]),
        (
            "networks",
            vec![subtrees(0xa0, &[network.clone(), six])],
            vec![address(b"\x0a\x01\x02\x03"), address(&[&b"\x20\x01\x0d\xb8"[..], &[7; 12]].concat())],
        ),
        ("excluded-network", vec![subtrees(0xa1, &[network])], vec![address(b"\x0b\x01\x02\x03"), dns("a.example")]),
        (
            "mailboxes",
            vec![subtrees(0xa0, &[email("a.example"), email(".b.example"), email("x@c.example")])],
            vec![email("x@a.example"), email("y@x.b.example"), email("x@c.example")],
        ),
        ("utf8-mailboxes", vec![subtrees(0xa0, &[email("a.example")])], vec![mailbox("ë@a.example")]),
        (
            "uris",
            vec![subtrees(0xa0, &[uri("a.example"), uri(".b.example")])],
            vec![uri("https://a.example/x"), uri("coaps://u@x.b.example:1")],
        ),
        (
            "uris-without-host",
            vec![subtrees(0xa1, &[uri("a.example")])],
            vec![uri("urn:a:b"), uri("https://10.0.0.1/"), uri("coaps://[::1]")],
        ),
        ("directories", vec![subtrees(0xa0, &[directory("O=Example,C=DE")])], vec![directory("CN=a,O=EXAMPLE,C=DE")]),
        (
            "both",
            vec![subtrees(0xa0, &[dns("example")]), subtrees(0xa1, &[dns("a.example")])],
            vec![dns("b.example"), uri("urn:a:b"), b"\x88\x02\x2a\x03".to_vec()],
        ),
        (
            "forms-of-nobody",
            vec![subtrees(0xa1, &[b"\x88\x02\x2a\x03".to_vec(), value(0xa3, &[])])],
            vec![value(0xa3, &[]), value(0xa5, &[&value(0xa1, &[&utf8("a")])])],
        ),
        ("twice", vec![subtrees(0xa0, &[dns("a.example")])], vec![dns("a.example"), dns("a.example")]),
        ("minimum", vec![value(0xa0, &[&sequence(&[&dns("a.example"), b"\x80\x01\x01"])])], vec![dns("a.example")]),
        ("dot-before", vec![subtrees(0xa0, &[dns(".a.example")])], vec![dns("b.a.example")]),
        ("wildcard-base", vec![subtrees(0xa0, &[dns("*.a.example")])], vec![dns("*.a.example")]),
        (
            "mask-with-a-hole",
            vec![subtrees(0xa0, &[address(b"\x0a\0\0\0\xff\0\xff\0")])],
            vec![address(b"\x0a\x01\x02\x03")],
        ),
        ("nothing", vec![], vec![]),
    ] {
        write("names", file, &sequence(&[&list(&constraints), &list(&names)]));
    }
}

fn attributes() {
    write("csrattrs", "oids", &csr_attrs(&[oid::CHALLENGE_PASSWORD, oid::EXTENSION_REQUEST].map(CsrAttr::Id)));
    write("csrattrs", "none", &csr_attrs(&[]));
    let wanted = attribute(oid::EXTENSION_REQUEST.as_der(), &[oid::SUBJECT_ALT_NAME.as_der()]);
    // The example of RFC 7030 §4.5.2.
    let curve = attribute(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", &[b"\x06\x05\x2b\x81\x04\x00\x22"]);
    let hash = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    write("csrattrs", "rfc-7030", &sequence(&[oid::CHALLENGE_PASSWORD.as_der(), &curve, &wanted, hash]));
    write("csrattrs", "set", b"\x31\x02\x05\x00");
    write("csrattrs", "null", b"\x30\x02\x05\x00");
    templates();
}

/// Whole answers with a template in them, and the templates alone.
fn templates() {
    let narrow = Profile {
        key_types: Some(vec![KeyType::Rsa(2048)]),
        subject: SubjectRules { required: vec![oid::COMMON_NAME, oid::SERIAL_NUMBER], ..SubjectRules::default() },
        names: NameRules { required: vec![NameKind::Ip, NameKind::Directory], ..NameRules::default() },
        ..Profile::new("narrow")
    };
    let p384 = Profile { key_types: Some(vec![KeyType::EcdsaP384]), ..Profile::built_in("tls-server").expect("it is") };
    let device = Profile::built_in("device").expect("it is");
    for (name, profile) in [("narrow", narrow), ("p384", p384), ("device", device)] {
        let answer = csr_attributes(&profile, &[oid::CHALLENGE_PASSWORD]).expect("something is asked for");
        let elements = read_csr_attrs(&answer).expect("our own answer");
        let Some(CsrAttr::Attribute { values, .. }) = elements.last().and_then(|last| CsrAttr::parse(last)) else {
            panic!("the template comes last")
        };
        write("csrattrs_template", name, &answer);
        write("csrattrs_template", &format!("{name}-alone"), &values[0]);
    }
    let given = sequence(&[oid::COMMON_NAME.as_der(), b"\x0c\x01a"]);
    let subject = sequence(&[&set(&[&given])]);
    let san = sequence(&[b"\x82\x01a", b"\x82\x00", b"\x87\x00"]);
    let extensions = sequence(&[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, &san)]);
    let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[&extensions]);
    let filled = sequence(&[b"\x02\x01\x00", &subject, &value(0xa1, &[&request])]);
    write("csrattrs_template", "filled-alone", &filled);
    let id = oid::CERTIFICATION_REQUEST_INFO_TEMPLATE;
    write("csrattrs_template", "filled", &sequence(&[&attribute(id.as_der(), &[&filled])]));
    write("csrattrs_template", "list", &sequence(&[&request, oid::SERIAL_NUMBER.as_der()]));
}

fn heads(requests: &[Vec<u8>]) {
    let text = base64(&requests[3]);
    for (name, head, body) in [
        ("cacerts", "GET\n/.well-known/est/cacerts\n\n\n*/*\n", ""),
        ("csrattrs-label", "HEAD\n/.well-known/est/devices/csrattrs\n\n\n\n", ""),
        ("enroll", "POST\n/.well-known/est/simpleenroll\napplication/pkcs10\nBasic dXNlcjpwYXNz\n\n", text.as_str()),
        (
            "renew",
            "POST\n/.well-known/est/devices/simplereenroll\napplication/pkcs10; x=y\n\napplication/json\n",
            text.as_str(),
        ),
        ("encoded-label", "POST\n/.well-known/est/d%65vices/simpleenroll\nAPPLICATION/PKCS10\n\n\n", "MAA="),
        ("encoded-slash", "POST\n/.well-known/est/devices%2f/simpleenroll\napplication/pkcs10\n\n\n", "MAA="),
        ("dots", "POST\n/.well-known/est/../simpleenroll\napplication/pkcs10\n\n\n", ""),
        ("wrong-method", "DELETE\n/.well-known/est/simpleenroll\n\n\napplication/problem+json\n", ""),
        ("wrong-type", "POST\n/.well-known/est/simpleenroll\ntext/plain\n\n\n", ""),
        ("bad-basic", "POST\n/.well-known/est/simpleenroll\napplication/pkcs10\nBasic ???\n\n", ""),
        ("bearer", "POST\n/.well-known/est/simpleenroll\napplication/pkcs10\nBearer x\n\n", "MA A=\r\n"),
        ("empty-body", "POST\n/.well-known/est/simpleenroll\napplication/pkcs10\nBasic OnA=\n\n", " \r\n"),
    ] {
        write("http", name, &[head.as_bytes(), body.as_bytes()].concat());
    }
    let pem = pem::encode("CERTIFICATE REQUEST", &requests[3]);
    let head = &b"POST\n/.well-known/est/simpleenroll\napplication/pkcs10\n\n\n"[..];
    write("http", "pem", &[head, pem.as_bytes()].concat());
    write("http", "raw-der", &[head, &requests[3]].concat());
}

fn exchanges(requests: &[Vec<u8>]) {
    let text = base64(&requests[3]);
    let names = ["p256", "p384", "p521", "ed25519"];
    for (name, request) in names.iter().zip(&requests[3..]) {
        write("exchange", &format!("enroll-{name}"), &[b"\x01\x07\x01\x01\x01\x01\x01", &request[..]].concat());
    }
    for (name, answers) in [
        ("renew", b"\x02\x02\x03\x01\x01\x01"),
        ("label", b"\x01\x00\x01\x01\x01\x01"),
        ("replay", b"\x01\x02\x01\x05\x01\x01"),
        ("approval", b"\x01\x02\x01\x06\x01\x01"),
        ("pending", b"\x01\x02\x01\x04\x05\x01"),
        ("wrong-certificate", b"\x01\x02\x01\x01\x04\x01"),
        ("flipped-certificate", b"\x01\x02\x01\x01\x0b\x01"),
        ("not-recorded", b"\x01\x02\x01\x01\x01\x00"),
        ("nobody", b"\x01\x02\x05\x01\x00\x00"),
        ("outage", b"\x01\x02\x07\x01\x00\x00"),
        ("unknown-label", b"\x01\x01\x00\x00\x00\x00"),
        ("cacerts", b"\x00\x02\x00\x00\x00\x00"),
    ] {
        // Only a request for a key has a seventh answer.
        write("exchange", name, &[answers, &b"\x01"[..], text.as_bytes()].concat());
    }
    for (name, answers) in [
        ("key", b"\x03\x02\x01\x01\x00\x01\x01"),
        ("key-again", b"\x03\x02\x01\x05\x01\x00\x00"),
        ("key-refused", b"\x03\x02\x01\x01\x02\x01\x00"),
        ("key-outage", b"\x03\x02\x01\x01\x03\x01\x00"),
        ("key-pending", b"\x03\x02\x01\x01\x00\x05\x01"),
        ("key-not-recorded", b"\x03\x02\x01\x01\x00\x01\x00"),
    ] {
        write("exchange", name, &[answers, text.as_bytes()].concat());
    }
    write("exchange", "garbage", b"\x01\x02\x01\x01\x01\x01\x01 garbage");
    write("exchange", "nothing", b"");
}

fn base64(der: &[u8]) -> String {
    pem::encode("X", der).lines().filter(|line| !line.starts_with('-')).collect()
}

/// The headers of proxies: lines of Client-Cert, an empty line, lines of Client-Cert-Chain.
fn forwarded() {
    for (name, input) in [
        ("leaf", ":bGVhZg==:"),
        ("unpadded", " :bGVhZg: "),
        ("chain", ":bGVhZg==:\n\n:Zmlyc3Q=:, :c2Vjb25k:"),
        ("chain-in-lines", ":bGVhZg==:\n\n:Zmlyc3Q=:\n:c2Vjb25k:"),
        ("chain-alone", "\n:Zmlyc3Q=:"),
        ("empty-chain", ":bGVhZg==:\n\n"),
        ("twice", ":bGVhZg==:\n:bGVhZg==:"),
        ("parameter", ":bGVhZg==:;a=1"),
        ("empty", "::"),
        ("pem", "-----BEGIN CERTIFICATE-----"),
        ("inner-list", ":bGVhZg==:\n\n(:Zmlyc3Q=:)"),
    ] {
        write("client_cert", name, input.as_bytes());
    }
}
