//! Renewal, and whose names a client with a certificate may ask for.

use super::*;

#[test]
fn renews_the_same_names_in_whatever_order() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]);
    assert!(renewal.ask("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]).is_ok());
    assert!(renewal.ask("CN=device,O=Example", &["DNS:b.example", "DNS:a.example"]).is_ok());
}

#[test]
fn refuses_a_renewal_that_changes_the_subject() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    for subject in ["CN=other,O=Example", "CN=Device,O=Example", "O=Example,CN=device", "CN=device", ""] {
        renewal.refuses(subject, &["DNS:a.example"]);
    }
}

#[test]
fn refuses_a_renewal_that_changes_the_san() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "IP:192.0.2.1"]);
    for names in [
        &["DNS:a.example"][..],
        &["DNS:a.example", "IP:192.0.2.1", "DNS:b.example"],
        &["DNS:A.example", "IP:192.0.2.1"],
        &["DNS:a.example", "DNS:192.0.2.1"],
        &[],
    ] {
        renewal.refuses("CN=device,O=Example", names);
    }
    Renewal::of("CN=device,O=Example", &[]).refuses("CN=device,O=Example", &["DNS:a.example"]);
}

#[test]
fn refuses_a_renewal_that_only_looks_the_same() {
    // The same text in another string type is another name, octet for octet.
    let renewal = Renewal::of("CN=device", &[]);
    let printable = der::sequence(&[oid::COMMON_NAME.as_der(), b"\x13\x06device"]);
    let subject = der::sequence(&[&der::set(&[&printable])]);
    let csr = parse_csr(&renewal.key.csr_with_attributes(&subject, &[]));
    assert_eq!(csr.subject().to_string(), name("CN=device").to_string());
    assert_eq!(renewal.decide(&csr).unwrap_err().row().code, "names-differ");
}

#[test]
fn tells_whose_names_a_renewal_must_have() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    let refused = renewal.ask("CN=other", &[]).unwrap_err();
    let Refusal::NamesDiffer { expected, held, .. } = refused else { panic!("{refused}") };
    assert_eq!((&*expected, held), ("CN=device,O=Example; DNS:a.example", Held::Renewing));
}

#[test]
fn tells_in_what_the_names_of_a_renewal_differ() {
    let told = |renewal: &Renewal, subject: &[u8], names: &[&str]| {
        let san = general_names(names);
        let san = san.map(|names| der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, names.as_der()));
        let extensions = der::sequence(&san.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&extensions]);
        let attributes = if names.is_empty() { vec![] } else { vec![&*request] };
        let csr = renewal.key.csr_with_attributes(subject, &attributes);
        let Refusal::NamesDiffer { difference, .. } = renewal.decide(&parse_csr(&csr)).unwrap_err() else { panic!() };
        difference
    };
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]);
    let own = name("CN=device,O=Example");
    for (subject, difference) in [
        (name("CN=Device,O=Example").as_der(), "the subject's CN differs in upper and lower case"),
        (name("O=Example,CN=device").as_der(), "the subject has its attributes in another order"),
        (name("CN=device").as_der(), "the subject has CN where O is expected"),
        (name("OU=x,CN=device,O=Example").as_der(), "the subject has another OU"),
        (name("O=Example").as_der(), "the subject lacks CN"),
        (name("CN=other,O=Example").as_der(), "the subject's CN is another"),
        (name("").as_der(), "the subject lacks O"),
    ] {
        assert_eq!(told(&renewal, subject, &["DNS:a.example", "DNS:b.example"]), difference);
    }
    let attribute = |id: &Oid, value: &[u8]| der::sequence(&[id.as_der(), value]);
    let (o, cn) =
        (attribute(&oid::ORGANIZATION, &der::utf8("Example")), attribute(&oid::COMMON_NAME, &der::utf8("device")));
    let joined = der::sequence(&[&der::set(&[&o, &cn])]);
    let names = ["DNS:a.example", "DNS:b.example"];
    assert_eq!(told(&renewal, &joined, &names), "the subject puts its attributes into other RDNs");
    let printable = attribute(&oid::COMMON_NAME, b"\x13\x06device");
    let printable = der::sequence(&[&der::set(&[&o]), &der::set(&[&printable])]);
    assert_eq!(told(&renewal, &printable, &names), "the subject's CN is a PrintableString, not a UTF8String");
    for (names, difference) in [
        (&["DNS:A.example", "DNS:b.example"][..], "DNS:A.example is not DNS:a.example: upper and lower case count"),
        (&["DNS:a.example"], "the subjectAltName lacks DNS:b.example"),
        (&["DNS:a.example", "DNS:b.example", "IP:192.0.2.1"], "the subjectAltName has also IP:192.0.2.1"),
        (
            &["DNS:a.example", "DNS:c.example"],
            "the subjectAltName lacks DNS:b.example; the subjectAltName has also DNS:c.example",
        ),
        (&[], "the subjectAltName lacks DNS:a.example, DNS:b.example"),
    ] {
        assert_eq!(told(&renewal, own.as_der(), names), difference);
    }
}

#[test]
fn names_that_authenticate_need_not_have_the_form_of_new_ones() {
    // T61String and BMPString, IA5String, a UTF8String country, a mailbox that no rfc822Name repeats.
    let value = |id: &Oid, value: &[u8]| der::set(&[&der::sequence(&[id.as_der(), value])]);
    let subjects = [
        der::sequence(&[&value(&oid::COMMON_NAME, b"\x14\x06device")]),
        der::sequence(&[&value(&oid::COMMON_NAME, b"\x1e\x04\0d\0e")]),
        der::sequence(&[&value(&oid::COUNTRY, &der::utf8("DE")), &value(&oid::SERIAL_NUMBER, &der::utf8("7"))]),
        der::sequence(&[&value(&oid::EMAIL_ADDRESS, b"\x16\x07a@b.com")]),
        der::sequence(&[&value(&oid::COMMON_NAME, der::utf8(&"x".repeat(70)).as_slice())]),
    ];
    for subject in subjects {
        let strict = NameRules { require_san: true, ..NameRules::default() };
        let renewal = Renewal::of_subject(&subject, Profile { names: strict, ..profile() });
        let csr = parse_csr(&renewal.key.csr_with_attributes(&subject, &[]));
        assert!(renewal.decide(&csr).is_ok(), "{:02x?}: {:?}", subject, renewal.decide(&csr));
        // The same names as those of another certificate, and of nobody's.
        let holder = Principal::Certificate(renewal.certificate.clone().into());
        assert!(decide(&renewal.label, &holder, &csr, None, NOW).is_ok());
        assert!(decide(&renewal.label, &password_holder("p"), &csr, None, NOW).is_err());
    }
}

#[test]
fn names_that_the_label_does_not_give_are_refused_in_renewals_too() {
    let mut renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    renewal.label.profile.subject = matching(Pattern::new("^CN=[a-z]+,O=Other$").unwrap());
    let refused = renewal.ask("CN=device,O=Example", &["DNS:a.example"]).unwrap_err();
    assert_eq!(refused.row().code, "subject-pattern");
    renewal.label.profile = Profile { names: only("dns:^.*[.]other$"), ..profile() };
    let refused = renewal.ask("CN=device,O=Example", &["DNS:a.example"]).unwrap_err();
    assert_eq!(refused.row().code, "name-pattern");
}

#[test]
fn no_pattern_of_the_operators_is_told_to_a_client() {
    let rules = Profile { names: only("dns:^[a-z]+[.]secret[.]example$"), ..profile() };
    let refused = decided(rules, &Key::p256().csr("CN=a", &["DNS:a.example"])).unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match ^[a-z]+[.]secret[.]example$"));
    let subjects = Profile { subject: matching(Pattern::new("^CN=secret$").unwrap()), ..profile() };
    let refused = decided(subjects, &Key::p256().csr("CN=a", &[])).unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match ^CN=secret$"));
    let holder = Principal::OneTimePassword {
        id: "p".into(),
        entity: Some("a".into()),
        expires: NOW + Seconds(3600),
        label: None,
        allowance: Arc::new(Allowance::parse(&["dns:^[a-z]+[.]secret[.]example$"]).unwrap()),
    };
    let csr = parse_csr(&Key::p256().csr("CN=a", &["DNS:b.example"]));
    let refused = decide(&TestCa::new().label(None), &holder, &csr, None, NOW).unwrap_err();
    assert!(refused.to_string().starts_with("you may not ask for DNS:b.example: your own names are a; "), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match dns:^[a-z]+[.]secret[.]example$"));
}

#[test]
fn any_name_is_for_certificates_that_no_ca_of_the_server_issued() {
    let (ca, manufacturer) = (TestCa::new(), TestCa::named("CN=Manufacturer"));
    let mut label = ca.label(None);
    label.certificate_names = NameBinding::Any;
    let ask = |ca: &TestCa, above: &[&TestCa]| {
        let device = ca.device(&Key::p256(), "CN=device", &[]);
        let issuers = above.iter().map(|ca| Arc::new(ca.certificate().clone())).collect();
        let holder = Principal::Certificate(CertificatePath::new(device, issuers));
        decide(&label, &holder, &parse_csr(&Key::p256().csr("CN=other", &[])), None, NOW).map(drop)
    };
    assert_eq!(ask(&manufacturer, &[&manufacturer]), Ok(()));
    let line = manufacturer.certifies("CN=Line 4", Key::p256());
    assert_eq!(ask(&line, &[&line, &manufacturer]), Ok(()));
    // The CA itself; one with another key and its name, as before a rollover; one below it.
    let (renamed, below) = (TestCa::new(), ca.certifies("CN=Below", Key::p256()));
    for (issuer, above) in [(&ca, &[&ca][..]), (&ca, &[]), (&renamed, &[&renamed]), (&below, &[&below, &ca])] {
        assert_eq!(ask(issuer, above).unwrap_err().row().code, "names-differ");
    }
}

#[test]
fn holds_a_certificate_to_its_own_names_where_the_label_says_so() {
    let ca = TestCa::new();
    let device = ca.device(&Key::p256(), "CN=device", &["DNS:a.example"]);
    let holder = Principal::Certificate(device.into());
    let csr = |subject: &str, names: &[&str]| parse_csr(&Key::p256().csr(subject, names));
    let label = ca.label(None);
    let ask = |label: &Label, csr: &Csr| decide(label, &holder, csr, None, NOW).map(|_| ());
    assert_eq!(ask(&label, &csr("CN=other", &[])).unwrap_err().row().code, "names-differ");
    assert_eq!(ask(&label, &csr("CN=device", &["DNS:a.example"])), Ok(()));
}

#[test]
fn a_renewal_is_bound_to_its_names_whatever_the_label_says_of_others() {
    let mut renewal = Renewal::of("CN=device", &[]);
    renewal.label.certificate_names = NameBinding::Any;
    renewal.refuses("CN=other", &[]);
}
