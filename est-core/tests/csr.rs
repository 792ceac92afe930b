//! Certification requests: which are read, and why the others are not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use est_core::Secret;
use est_core::pkix::der::DerError;
use est_core::pkix::{
    AlternativeNameError, Csr, CsrError, CsrTemplate, GeneralName, KeyError, KeyType, NameError, Oid,
    SubjectPublicKeyInfo, assemble_csr, oid,
};
use est_testkit::der;
use est_testkit::peers::OpenSsl;
use est_testkit::pki::{ALGORITHMS, Key, general_names, name, parse_csr};

// What is read.

#[test]
fn reads_a_request_of_every_key_type() {
    for key_type in KeyType::USUAL {
        let key = Key::generate(key_type);
        let csr = parse_csr(&key.csr("CN=device-1,O=Example", &["DNS:a.example", "IP:2001:db8::1"]));
        assert_eq!(csr.subject().to_string(), "CN=device-1,O=Example", "{key_type}");
        assert_eq!(csr.subject_alt_name().unwrap().to_string(), "DNS:a.example, IP:2001:db8::1");
        assert_eq!((csr.public_key(), csr.public_key().key_type()), (key.public_key(), key_type));
        assert_eq!(csr.extensions().len(), 1);
    }
}

#[test]
fn reads_requests_signed_with_pss() {
    let mut key = Key::generate(KeyType::Rsa(2048));
    for hash_bits in [256, 384, 512] {
        key = key.with_pss(hash_bits);
        assert_eq!(parse_csr(&key.csr("CN=a", &[])).public_key().key_type(), KeyType::Rsa(2048));
    }
}

#[test]
fn reads_requests_that_openssl_makes() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (key, sign, key_type) in [
        ("rsa:2048", "-sha256", KeyType::Rsa(2048)),
        ("rsa:2048", "-sha512", KeyType::Rsa(2048)),
        ("rsa:3072", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest", KeyType::Rsa(3072)),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "-sha256", KeyType::EcdsaP256),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha384", KeyType::EcdsaP384),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "-sha512", KeyType::EcdsaP521),
        ("ed25519", "", KeyType::Ed25519),
    ] {
        openssl.run(&format!(
            "req -new -newkey {key} -nodes -keyout k.pem {sign} -subj /C=DE/O=Example/CN=device-1 \
             -addext subjectAltName=DNS:a.example,IP:192.0.2.1,email:a@b.example,URI:urn:x:1 \
             -addext keyUsage=critical,digitalSignature -outform DER -out r.der"
        ));
        let csr = parse_csr(&openssl.read("r.der"));
        assert_eq!(csr.public_key().key_type(), key_type, "{key} {sign}");
        assert_eq!(csr.subject().to_string(), "CN=device-1,O=Example,C=DE");
        let names = csr.subject_alt_name().unwrap().to_string();
        assert_eq!(names, "DNS:a.example, IP:192.0.2.1, email:a@b.example, URI:urn:x:1");
        assert_eq!(csr.extensions()[1].id, oid::KEY_USAGE);
        assert!(csr.extensions()[1].critical && !csr.extensions()[0].critical);
    }
}

#[test]
fn openssl_reads_requests_that_we_make() {
    let Some(openssl) = OpenSsl::find() else { return };
    for key_type in KeyType::USUAL.into_iter().filter(|key_type| key_type.to_string().starts_with(['r', 'e'])) {
        let key = Key::generate(key_type);
        openssl.write("r.der", key.csr("CN=device-1,O=Zoë\\, Inc.", &["DNS:a.example", "IP:192.0.2.1"]));
        let printed = openssl.run("req -inform DER -in r.der -verify -noout -text -nameopt RFC2253,utf8,-esc_msb");
        assert!(printed.contains("self-signature verify OK"), "{printed}");
        assert!(printed.contains("Subject: CN=device-1,O=Zoë\\, Inc."), "{printed}");
        assert!(printed.contains("DNS:a.example, IP Address:192.0.2.1"), "{printed}");
    }
}

#[test]
fn carries_a_challenge_password() {
    let key = Key::p256();
    let template = CsrTemplate {
        subject: name("CN=a"),
        subject_alt_name: general_names(&["DNS:a.example"]),
        public_key: key.public_key().clone(),
        challenge_password: Some(Secret::new("c2VjcmV0".into())),
        extensions: Vec::new(),
    };
    assert!(!format!("{template:?}").contains("c2VjcmV0"));
    let der = key.signed(template.to_be_signed());
    assert_eq!(parse_csr(&der).subject_alt_name().unwrap().to_string(), "DNS:a.example");
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.write("r.der", &der);
    let printed = openssl.run("req -inform DER -in r.der -noout -text");
    assert!(printed.contains("challengePassword") && printed.contains("c2VjcmV0"), "{printed}");
}

#[test]
fn reads_microsofts_extension_request() {
    let names = general_names(&["DNS:a.example"]).unwrap();
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, names.as_der());
    let request = der::attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&san])]);
    let os_version = der::attribute(b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x03", &[b"\x16\x0a6.1.7601.2"]);
    let csr = parse_csr(&with_attributes(&[&os_version, &request]));
    assert_eq!(csr.subject_alt_name(), Some(&names));
}

#[test]
fn keeps_object_identifiers_with_arcs_of_128_bits() {
    let uuid = uuid_oid();
    let extension = der::extension(&uuid, false, b"\x05\x00");
    let subject = der::sequence(&[&der::set(&[&der::sequence(&[&uuid, &der::utf8("x")])])]);
    let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&extension])]);
    let attribute = der::attribute(&uuid, &[b"\x05\x00"]);
    let csr = parse_csr(&Key::p256().csr_with_attributes(&subject, &[&request, &attribute]));
    assert_eq!(csr.extensions()[0].id.as_der(), uuid);
    assert_eq!(csr.subject().to_string(), "2.25.?=x");
}

#[test]
fn keeps_a_user_principal_name() {
    let upn = upn("user@example.org");
    let csr = parse_csr(&with_san(&der::sequence(&[&upn, b"\x82\x01a"])));
    let names = csr.subject_alt_name().unwrap().names();
    assert_eq!(names, [GeneralName::Other(upn), GeneralName::Dns("a".into())]);
}

#[test]
fn openssl_makes_a_user_principal_name_that_is_kept() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=u \
         -addext subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.org -outform DER -out r.der",
    );
    let csr = parse_csr(&openssl.read("r.der"));
    assert_eq!(csr.subject_alt_name().unwrap().names(), [GeneralName::Other(upn("user@example.org"))]);
}

#[test]
fn reads_a_request_without_attributes() {
    let csr = parse_csr(&with_attributes(&[]));
    assert_eq!((csr.extensions().len(), csr.subject_alt_name()), (0, None));
}

#[test]
fn does_not_mind_the_order_of_attributes() {
    let password = der::attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&der::utf8("x")]);
    let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    for attributes in [[password.as_slice(), &request], [&request, &password]] {
        assert!(Csr::parse(&with_attributes(&attributes), ALGORITHMS).is_ok());
    }
}

// Possession.

#[test]
fn refuses_a_signature_that_does_not_match() {
    for key_type in [KeyType::Rsa(2048), KeyType::EcdsaP256, KeyType::EcdsaP521, KeyType::Ed25519, KeyType::MlDsa44] {
        let der = Key::generate(key_type).csr("CN=device-1", &[]);
        let mut changed = der.clone();
        let at = changed.windows(8).position(|octets| octets == b"device-1").unwrap();
        changed[at + 7] = b'2';
        assert_eq!(refused(&changed), CsrError::Possession, "{key_type}");
        let mut broken = der;
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&broken), CsrError::Possession, "{key_type}");
    }
}

#[test]
fn no_flipped_bit_is_accepted() {
    let der = Key::p256().csr("CN=device-1", &["DNS:a.example"]);
    assert!(Csr::parse(&der, ALGORITHMS).is_ok());
    for bit in 0..der.len() * 8 {
        let mut flipped = der.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Csr::parse(&flipped, ALGORITHMS).is_err(), "bit {bit}");
    }
}

#[test]
fn refuses_the_key_of_somebody_else() {
    let (own, other) = (Key::p256(), Key::p256());
    let to_be_signed =
        der::sequence(&[b"\x02\x01\x00", name("CN=a").as_der(), other.public_key().as_der(), b"\xa0\x00"]);
    assert_eq!(refused(&own.signed(to_be_signed)), CsrError::Possession);
}

#[test]
fn refuses_weak_hashes_by_name() {
    let rsa = Key::generate(KeyType::Rsa(2048));
    for (algorithm, key) in [
        (&b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00"[..], &rsa),
        (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00", &rsa),
        (b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", &Key::p256()),
    ] {
        let info = der::sequence(&[b"\x02\x01\x00", b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"]);
        let der = assemble_csr(info.clone(), &der::sequence(&[algorithm]), &key.sign(&info));
        assert_eq!(refused(&der), CsrError::WeakHash);
    }
}

#[test]
fn refuses_weak_hashes_that_openssl_signs_with() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (key, hash) in [("rsa:2048", "-sha1"), ("rsa:2048", "-md5"), ("ec -pkeyopt ec_paramgen_curve:P-256", "-sha1")] {
        openssl.run(&format!("req -new -newkey {key} -nodes -keyout k.pem {hash} -subj /CN=a -outform DER -out r.der"));
        assert_eq!(refused(&openssl.read("r.der")), CsrError::WeakHash, "{hash}");
    }
    let pss = "-sha1 -sigopt rsa_padding_mode:pss";
    openssl.run(&format!("req -new -newkey rsa:2048 -nodes -keyout k.pem {pss} -subj /CN=a -outform DER -out r.der"));
    assert_eq!(refused(&openssl.read("r.der")), CsrError::WeakHash);
}

#[test]
fn names_the_hash_and_the_salt_that_openssl_signs_with() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (options, text) in [
        ("rsa:2048 -sha224", "is signed with SHA-224: use SHA-256"),
        ("rsa:2048 -sha512-256", "is signed with SHA-512/256: use"),
        ("rsa:2048 -sha3-256", "is signed with SHA3-256: use"),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -sha224", "is signed with SHA-224: use"),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -sha3-384", "is signed with SHA3-384: use"),
        ("rsa:2048 -sha256 -sigopt rsa_padding_mode:pss", "a salt of 222 octets: use as many as SHA-256 has, 32"),
        (
            "rsa:2048 -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:0",
            "a salt of 0 octets: use as many as SHA-384 has, 48",
        ),
        ("rsa:2048 -sha224 -sigopt rsa_padding_mode:pss", "is signed with SHA-224: use"),
        (
            "rsa:2048 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sigopt rsa_mgf1_md:sha1",
            "MGF1 with another hash",
        ),
    ] {
        openssl.run(&format!("req -new -newkey {options} -nodes -keyout k.pem -subj /CN=a -outform DER -out r.der"));
        let said = refused(&openssl.read("r.der")).to_string();
        assert!(said.contains(text), "{options}: {said}");
    }
}

#[test]
fn refuses_a_signature_algorithm_that_does_not_fit_the_key() {
    let key = Key::p256();
    let info = der::sequence(&[b"\x02\x01\x00", b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"]);
    let refused_as = |algorithm: &[u8]| refused(&assemble_csr(info.clone(), algorithm, &key.sign(&info)));
    let ed25519 = Key::generate(KeyType::Ed25519);
    assert!(matches!(refused_as(ed25519.signature_algorithm()), CsrError::SignatureKey { .. }));
    assert!(matches!(refused_as(&der::sequence(&[&uuid_oid()])), CsrError::SignatureAlgorithm(_)));
}

#[test]
fn takes_null_for_no_parameters_of_ecdsa_and_nothing_else() {
    for key_type in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521] {
        let key = Key::generate(key_type);
        let info = der::sequence(&[b"\x02\x01\x00", name("CN=a").as_der(), key.public_key().as_der(), b"\xa0\x00"]);
        let identifier = &key.signature_algorithm()[2..];
        let with =
            |parameters: &[u8]| assemble_csr(info.clone(), &der::sequence(&[identifier, parameters]), &key.sign(&info));
        assert_eq!(parse_csr(&with(b"\x05\x00")).public_key().key_type(), key_type);
        for other in [&b"\x30\x00"[..], b"\x04\x00", oid::EC_PUBLIC_KEY.as_der()] {
            let said = refused(&with(other)).to_string();
            assert!(said.contains("has parameters that it cannot have"), "{said}");
        }
    }
}

#[test]
fn refuses_a_signature_that_is_not_whole_octets() {
    let key = Key::p256();
    let info = der::sequence(&[b"\x02\x01\x00", b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"]);
    let signature = der::value(0x03, &[&[4], b"\xf0"]);
    assert_eq!(refused(&der::sequence(&[&info, key.signature_algorithm(), &signature])), CsrError::NotACsr);
}

// Keys.

#[test]
fn refuses_keys_that_nobody_should_have() {
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let key = der::sequence(&[&der::value(2, &[modulus]), &der::value(2, &[exponent])]);
        spki(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &key)
    };
    let modulus = |octets: usize, last: u8| [&[0, 0xff][..], &vec![7; octets - 2], &[last]].concat();
    let three = b"\x01\x00\x01";
    let p256 = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    for (der, error) in [
        (rsa(&modulus(128, 7), three), KeyError::RsaSize { bits: 1024 }),
        (rsa(&modulus(513, 7), three), KeyError::RsaSize { bits: 4104 }),
        (rsa(&modulus(255, 7), three), KeyError::RsaSize { bits: 2040 }),
        (rsa(&[&[0x0f][..], &[7; 256]].concat(), three), KeyError::RsaSize { bits: 2052 }),
        (rsa(b"\x00", three), KeyError::RsaSize { bits: 0 }),
        (rsa(&modulus(256, 8), three), KeyError::RsaEvenModulus),
        (rsa(&modulus(256, 7)[1..], three), KeyError::RsaNegative),
        (rsa(&modulus(256, 7), b"\x03"), KeyError::RsaExponent),
        (rsa(&modulus(256, 7), b"\x01\x00\x02"), KeyError::RsaExponent),
        (rsa(&modulus(256, 7), &[1; 33]), KeyError::RsaExponent),
        (rsa(&modulus(256, 7), b"\xff"), KeyError::RsaNegative),
        (spki(p256, &[&[2][..], &[7; 32]].concat()), KeyError::EcCompressed),
        (spki(p256, &[&[4][..], &[7; 63]].concat()), KeyError::EcForm),
        (spki(p256, &[0]), KeyError::EcInfinity),
        (spki(b"\x06\x03\x2b\x65\x70", &[7; 31]), KeyError::Length),
        (spki(b"\x06\x03\x2b\x65\x70\x05\x00", &[7; 32]), KeyError::Parameters),
        (spki(b"\x06\x03\x2b\x65\x71", &[7; 57]), KeyError::Unsupported),
        (spki(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12", &[7; 1951]), KeyError::Length),
        (spki(b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", &[7; 32]), KeyError::Unsupported),
        (b"\x30\x00".to_vec(), KeyError::Malformed),
        (b"\x30\x80\x00\x00".to_vec(), KeyError::Malformed),
        (der::sequence(&[&der::sequence(&[p256]), b"\x03\x02\x04\xf0"]), KeyError::Malformed),
    ] {
        assert_eq!(SubjectPublicKeyInfo::parse(&der), Err(error));
    }
}

#[test]
fn refuses_a_key_whose_algorithm_is_not_a_sequence() {
    let key = Key::p256();
    for tag in [0x31, 0xa0, 0x04] {
        let algorithm = der::value(tag, &[key.public_key().algorithm()]);
        let der = der::sequence(&[&algorithm, &der::bit_string(key.public_key().key())]);
        assert_eq!(SubjectPublicKeyInfo::parse(&der), Err(KeyError::Malformed), "tag {tag:#x}");
    }
}

// Shape.

#[test]
fn refuses_other_versions() {
    let key = Key::p256();
    for version in [&b"\x02\x01\x01"[..], b"\x02\x01\x02", b"\x02\x01\xff", b"\x02\x09\x01\0\0\0\0\0\0\0\0"] {
        let info = der::sequence(&[version, b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"]);
        assert_eq!(refused(&key.signed(info)), CsrError::Version);
    }
    for no_integer in [&b"\x02\x00"[..], b"\x02\x02\x00\x00"] {
        let info = der::sequence(&[no_integer, b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"]);
        assert_eq!(refused(&key.signed(info)), CsrError::Version, "which is not DER either");
    }
}

#[test]
fn refuses_what_is_not_one_der_value() {
    let der = Key::p256().csr("CN=a", &[]);
    assert_eq!(refused(&[&der[..], b"\0"].concat()), CsrError::Der(DerError::TrailingData));
    assert_eq!(refused(&der[..der.len() - 1]), CsrError::Der(DerError::Truncated));
    assert_eq!(refused(b""), CsrError::Der(DerError::Truncated));
    let long = [&[0x30, 0x83, 0], &der[2..]].concat();
    assert_eq!(refused(&long), CsrError::Der(DerError::Length));
    assert_eq!(refused(&[0x30, 0x80, 0x00, 0x00]), CsrError::Der(DerError::Length));
}

#[test]
fn refuses_der_of_something_else() {
    let ca = est_testkit::pki::TestCa::new();
    for der in [b"\x30\x00", &b"\x05\x00"[..], b"\x02\x01\x00", ca.certificate().as_der(), &spki(b"\x05\x00", b"")] {
        assert_eq!(refused(der), CsrError::NotACsr);
    }
}

#[test]
fn refuses_parts_that_do_not_belong_there() {
    let key = Key::p256();
    let parts = [&b"\x02\x01\x00"[..], b"\x30\x00", key.public_key().as_der(), b"\xa0\x00"];
    let extra = der::sequence(&[&parts.concat(), b"\x05\x00"]);
    assert_eq!(refused(&key.signed(extra)), CsrError::NotACsr, "after the attributes");
    let info = der::sequence(&parts);
    let signature = der::bit_string(&key.sign(&info));
    let four = der::sequence(&[&info, key.signature_algorithm(), &signature, b"\x05\x00"]);
    assert_eq!(refused(&four), CsrError::NotACsr, "after the signature");
}

#[test]
fn reads_a_request_that_leaves_the_attributes_out() {
    let key = Key::p256();
    let info = der::sequence(&[b"\x02\x01\x00", name("CN=a").as_der(), key.public_key().as_der()]);
    let csr = parse_csr(&key.signed(info));
    assert_eq!((csr.subject().common_name(), csr.extensions().len()), (Some("a"), 0));
}

#[test]
fn refuses_constructed_parts_in_primitive_form() {
    // The strict walker cannot look into what claims to be primitive.
    let key = Key::p256();
    let password = der::attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&der::utf8("x")]);
    for attributes in [b"\x80\x00".to_vec(), der::value(0x80, &[&password])] {
        let info = der::sequence(&[b"\x02\x01\x00", b"\x30\x00", key.public_key().as_der(), &attributes]);
        assert_eq!(refused(&key.signed(info)), CsrError::NotACsr);
    }
}

// Attributes and extensions.

#[test]
fn refuses_an_attribute_that_stands_there_twice() {
    let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    let microsofts = der::attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    let unknown = der::attribute(&uuid_oid(), &[b"\x05\x00"]);
    for (attributes, id) in [
        ([&request, &request], oid::EXTENSION_REQUEST),
        ([&microsofts, &microsofts], oid::MS_EXTENSION_REQUEST),
        ([&unknown, &unknown], Oid::from_der(&uuid_oid()).unwrap()),
    ] {
        let attributes = attributes.map(Vec::as_slice);
        assert_eq!(refused(&with_attributes(&attributes)), CsrError::Attribute(id));
    }
}

#[test]
fn takes_both_extension_requests_where_they_ask_for_the_same() {
    let usage = der::extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x30\x03\x82\x01a");
    let asking = |id: &Oid, extensions: &[&[u8]]| der::attribute(id.as_der(), &[&der::sequence(extensions)]);
    let one = asking(&oid::EXTENSION_REQUEST, &[&usage, &san]);
    for same in [[&usage[..], &san], [&san, &usage]] {
        let other = asking(&oid::MS_EXTENSION_REQUEST, &same);
        for both in [[&one[..], &other], [&other, &one]] {
            assert_eq!(parse_csr(&with_attributes(&both)).extensions().len(), 2);
        }
    }
    for different in
        [&[&usage[..]][..], &[], &[&usage, &der::extension(oid::SUBJECT_ALT_NAME.as_der(), true, b"\x30\x03\x82\x01a")]]
    {
        let refused = refused(&with_attributes(&[&one, &asking(&oid::MS_EXTENSION_REQUEST, different)]));
        assert_eq!(refused, CsrError::ExtensionRequestsDiffer);
        let text = refused.to_string();
        assert!(text.contains("1.2.840.113549.1.9.14") && text.contains("1.3.6.1.4.1.311.2.1.14"), "{text}");
    }
}

#[test]
fn refuses_an_attribute_without_exactly_one_value() {
    for id in [oid::EXTENSION_REQUEST, oid::MS_EXTENSION_REQUEST] {
        for values in [&[][..], &[&b"\x30\x00"[..], b"\x30\x00"]] {
            let attribute = der::attribute(id.as_der(), values);
            assert_eq!(refused(&with_attributes(&[&attribute])), CsrError::Attribute(id.clone()));
        }
    }
    let password = der::utf8("x");
    for values in [&[][..], &[&password[..], &password[..]]] {
        let csr = parse_csr(&with_attributes(&[&der::attribute(oid::CHALLENGE_PASSWORD.as_der(), values)]));
        assert_eq!(csr.challenges().check(), Err(CsrError::Attribute(oid::CHALLENGE_PASSWORD)));
    }
}

#[test]
fn refuses_an_extension_that_stands_there_twice() {
    let usage = der::extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let other = der::extension(oid::SUBJECT_KEY_IDENTIFIER.as_der(), false, b"\x04\x01\x01");
    let twice = Key::p256().csr_with_extensions("CN=a", &[&usage, &other, &usage]);
    assert_eq!(refused(&twice), CsrError::DuplicateExtension(oid::KEY_USAGE));
}

#[test]
fn refuses_extensions_that_are_none() {
    for value in [
        &b"\x05\x00"[..],
        b"\x31\x00",
        b"\x30\x02\x05\x00",
        b"\x30\x04\x30\x02\x04\x00",
        b"\x30\x07\x30\x05\x02\x01\x05\x04\x00",
    ] {
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[value]);
        assert_eq!(refused(&with_attributes(&[&request])), CsrError::Extensions, "{value:02x?}");
    }
}

#[test]
fn refuses_a_san_that_is_none() {
    for names in [
        &b""[..],
        b"\x30\x00",
        b"\x31\x03\x82\x01a",
        b"\x30\x03\x02\x01a",
        b"\x30\x02\x05\x00",
        b"\x30\x05\x87\x03\x01\x02\x03",
        b"\x30\x03\x82\x01\xff",
        b"\x30\x03\x82\x01a\x00",
        b"\x30\x81\x03\x82\x01a",
    ] {
        assert!(matches!(refused(&with_san(names)), CsrError::SubjectAltName(_)), "{names:02x?}");
    }
}

#[test]
fn refuses_other_names_and_registered_ids_that_are_malformed() {
    // What goes into a certificate octet for octet must be readable by everybody.
    for malformed in [
        &b"\xa0\x00"[..],
        b"\xa0\x02\x05\x00",
        b"\xa0\x03\x06\x01\x2a",
        b"\xa0\x05\x06\x01\x2a\x05\x00",
        b"\xa0\x05\x06\x01\x2a\xa1\x00",
        b"\xa0\x05\x06\x01\x2a\xa0\x00",
        b"\xa0\x07\x06\x01\x2a\x80\x02\x05\x00",
        b"\xa0\x09\x06\x01\x2a\xa0\x04\x05\x00\x05\x00",
        b"\xa0\x09\x06\x01\x2a\xa0\x02\x05\x00\x05\x00",
        b"\x88\x00",
        b"\x88\x01\x81",
        b"\x88\x02\x80\x01",
    ] {
        let refused = refused(&with_san(&der::sequence(&[malformed])));
        assert!(matches!(refused, CsrError::SubjectAltName(_)), "{malformed:02x?}");
    }
    for sound in [&upn("u")[..], b"\xa0\x07\x06\x01\x2a\xa0\x02\x05\x00", b"\x88\x03\x2a\x03\x04"] {
        assert!(Csr::parse(&with_san(&der::sequence(&[sound])), ALGORITHMS).is_ok(), "{sound:02x?}");
    }
}

#[test]
fn says_which_name_is_malformed_and_what_it_must_be() {
    let sound = b"\x82\x01a";
    for (name, said) in [
        (&b"\x87\x09192.0.2.7"[..], "entry 2 is an iPAddress of 9 octets, an address as text: it must be the 4 octets"),
        (b"\x87\x08\x0a\0\0\0\xff\0\0\0", "entry 2 is an iPAddress of 8 octets, an address with a mask: it must"),
        (b"\x87\x00", "entry 2 is an iPAddress of 0 octets, neither: it must"),
        (b"\x82\x02\xc3\xab", "entry 2 is a dNSName with letters beyond ASCII: write the host's name in A-labels"),
        (b"\x81\x02\xc3\xab", "entry 2 is a rfc822Name with letters beyond ASCII"),
        (b"\x86\x02\xc3\xab", "entry 2 is a uniformResourceIdentifier with letters beyond ASCII: percent-encode"),
        (b"\x88\x01\x81", "entry 2 is a registeredID that is not an OBJECT IDENTIFIER"),
        (b"\xa0\x02\x05\x00", "entry 2 is an otherName without a type and a value"),
        (b"\xa4\x04\x30\x02\x31\x00", "entry 2 is a directoryName that is not accepted: the name is malformed"),
        (b"\x89\x01a", "entry 2 has the tag 89, which no kind of name has"),
    ] {
        let text = refused(&with_san(&der::sequence(&[sound, name]))).to_string();
        assert!(text.starts_with("the requested subjectAltName's ") && text.contains(said), "{text}");
    }
}

// What goes into certificates is DER.

#[test]
fn sorts_each_rdn_of_a_subject_and_of_a_directory_name() {
    let key = Key::p256();
    let attribute = |id: &Oid, text: &str| der::sequence(&[id.as_der(), &der::utf8(text)]);
    let (organization, common) = (attribute(&oid::ORGANIZATION, "Example"), attribute(&oid::COMMON_NAME, "meter-7"));
    let of = |attributes: &[&[u8]]| der::sequence(&[&der::set(attributes)]);
    let (unsorted, sorted) = (of(&[&organization, &common]), of(&[&common, &organization]));
    assert_eq!(der_fault(&unsorted), Some(DerError::SetOrder));
    let with = |name: &[u8]| {
        let names = der::sequence(&[&der::value(0xa4, &[name])]);
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &names);
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&san])]);
        let change = der::sequence(&[name, &der::value(0xa1, &[&der::value(0xa4, &[name])])]);
        let change = der::attribute(oid::CHANGE_SUBJECT_NAME.as_der(), &[&change]);
        parse_csr(&key.csr_with_attributes(name, &[&request, &change]))
    };
    let (one, other) = (with(&unsorted), with(&sorted));
    assert_eq!(one.subject().as_der(), sorted);
    assert_eq!((one.subject(), one.subject_alt_name()), (other.subject(), other.subject_alt_name()));
    assert_eq!(one.change_subject_name(), other.change_subject_name());
    assert_eq!(der_fault(one.subject_alt_name().unwrap().as_der()), None);
}

#[test]
fn refuses_a_type_of_attribute_that_an_rdn_has_twice() {
    let common = |text: &str| der::sequence(&[oid::COMMON_NAME.as_der(), &der::utf8(text)]);
    let twice = der::sequence(&[&der::set(&[&common("a"), &common("b")])]);
    let said = refused(&Key::p256().csr_with_attributes(&twice, &[]));
    assert_eq!(said, CsrError::Subject(NameError::TypeTwice(oid::COMMON_NAME)));
    let said = refused(&with_san(&der::sequence(&[&der::value(0xa4, &[&twice])]))).to_string();
    assert!(
        said.contains("entry 1 is a directoryName that is not accepted: the name has CN twice in one RDN"),
        "{said}"
    );
}

#[test]
fn lists_a_name_once_that_is_asked_for_twice() {
    let csr = parse_csr(&Key::p256().csr("CN=a", &["DNS:b.example", "DNS:a.example", "DNS:b.example"]));
    assert_eq!(csr.subject_alt_name(), general_names(&["DNS:b.example", "DNS:a.example"]).as_ref());
}

fn der_fault(der: &[u8]) -> Option<DerError> {
    est_core::pkix::der::check_distinguished(der).err()
}

// Limits.

#[test]
fn refuses_an_rdn_of_20_000_values_before_it_is_taken_apart() {
    let value = |number: usize| {
        let id = Oid::from_dotted(&format!("1.3.6.1.4.1.99999.{number}")).unwrap();
        der::sequence(&[id.as_der(), &der::utf8("x")])
    };
    let subject = |count: usize| {
        let values: Vec<_> = (0..count).map(value).collect();
        der::sequence(&[&der::set(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())])
    };
    let key = Key::p256();
    let refused_subject = |count| refused(&key.csr_with_attributes(&subject(count), &[]));
    assert_eq!(refused_subject(20_000), CsrError::Der(DerError::TooMany));
    assert_eq!(refused_subject(1_000), CsrError::Subject(NameError::TooLong));
    assert_eq!(refused_subject(65), CsrError::Subject(NameError::TooLong));
    assert!(Csr::parse(&key.csr_with_attributes(&subject(64), &[]), ALGORITHMS).is_ok());
}

#[test]
fn refuses_a_san_of_20_000_names_before_it_is_taken_apart() {
    let names = der::sequence(&vec![&b"\x82\x01a"[..]; 20_000]);
    let refused = refused(&with_san(&names)).to_string();
    assert_eq!(refused, "the requested subjectAltName has more than 4095 names");
}

#[test]
fn refuses_an_empty_rdn() {
    let csr = Key::p256().csr_with_attributes(b"\x30\x02\x31\x00", &[]);
    assert_eq!(refused(&csr), CsrError::Subject(NameError::Malformed));
}

#[test]
fn says_what_is_wrong_in_one_line() {
    for error in [
        CsrError::Der(DerError::TooDeep),
        CsrError::NotACsr,
        CsrError::Version,
        CsrError::Subject(NameError::TooLong),
        CsrError::Key(KeyError::Unsupported),
        CsrError::WeakHash,
        CsrError::SignatureAlgorithm(oid::COMMON_NAME),
        CsrError::Possession,
        CsrError::Attribute(oid::CHALLENGE_PASSWORD),
        CsrError::Extensions,
        CsrError::DuplicateExtension(oid::KEY_USAGE),
        CsrError::SubjectAltName(AlternativeNameError::Empty),
    ] {
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    }
}

// Helpers.

fn refused(der: &[u8]) -> CsrError {
    Csr::parse(der, ALGORITHMS).expect_err("a request that cannot be acted on")
}

fn with_attributes(attributes: &[&[u8]]) -> Vec<u8> {
    Key::p256().csr_with_attributes(name("CN=a").as_der(), attributes)
}

fn with_san(names: &[u8]) -> Vec<u8> {
    Key::p256().csr_with_extensions("CN=a", &[&der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, names)])
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::sequence(&[algorithm]), &der::bit_string(key)])
}

/// 2.25 and a UUID of 128 bits.
fn uuid_oid() -> Vec<u8> {
    let mut contents = vec![0x69, 0x83];
    contents.extend_from_slice(&[0xff; 17]);
    contents.push(0x7f);
    der::value(0x06, &[&contents])
}

fn upn(text: &str) -> Vec<u8> {
    der::value(0xa0, &[b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03", &der::value(0xa0, &[&der::utf8(text)])])
}

#[test]
fn refuses_ed25519_keys_for_which_anybody_can_sign() {
    let (algorithm, mut signature) = (b"\x30\x05\x06\x03\x2b\x65\x70", [0; 64]);
    // R is the neutral element and S is 0: with a key that is the neutral element, this verifies for every message.
    signature[0] = 1;
    let order_8: [u8; 32] = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    let small = |lowest: u8, others: u8, highest: u8| {
        let mut point = [others; 32];
        (point[0], point[31]) = (lowest, highest);
        point
    };
    let points =
        [order_8, small(0, 0, 0), small(1, 0, 0), small(1, 0, 0x80), small(0xec, 0xff, 0x7f), small(0xee, 0xff, 0xff)];
    for point in points {
        let info = der::sequence(&[
            &[0x02, 1, 0],
            name("CN=nobody").as_der(),
            &der::sequence(&[algorithm, &der::bit_string(&point)]),
            &[0xa0, 0],
        ]);
        assert_eq!(refused(&assemble_csr(info, algorithm, &signature)), CsrError::Key(KeyError::Ed25519SmallOrder));
    }
}
