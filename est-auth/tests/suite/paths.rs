//! Chains, good and bad.

use std::sync::Arc;
use std::time::Instant;

use est_auth::{PathValidator, Purpose, UnreadableCertificate};
use est_core::pkix::Certificate;
use est_core::{Doubt, Issuers, UnixTime};

use crate::pki::{CA, CLIENT, DAY, Pki, days_into, trusting};

#[test]
fn accepts_a_leaf_directly_below_an_anchor() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let accepted = pki.paths().validate(std::slice::from_ref(&leaf), days_into(&leaf, 1)).unwrap();
    assert_eq!(accepted.path.as_der(), leaf);
    assert!(pki.openssl_accepts("root", &[], "leaf"));
}

#[test]
fn accepts_chains_of_every_signature_algorithm() {
    let Some(pki) = Pki::new() else { return };
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    for (index, (algorithm, options)) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", ""),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "-sha384"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", pss),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "-sha384"),
        ("EC -pkeyopt ec_paramgen_curve:P-521", "-sha512"),
        ("ED25519", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("root-{index}");
        let root = pki.root(&name, algorithm, options);
        let leaf = pki.issue_with(&format!("leaf-{index}"), &name, 30, CLIENT, options);
        let now = days_into(&leaf, 1);
        assert!(trusting(&[root]).validate(&[leaf], now).is_ok(), "{algorithm} {options}");
    }
}

#[test]
fn refuses_signatures_with_sha1() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue_with("leaf", "root", 30, CLIENT, "-sha1");
    let now = days_into(&leaf, 1);
    let fault = "is signed with SHA-1, which is not accepted";
    let refused = |which| Err(Doubt::CertificateNonconforming { which, fault });
    assert_eq!(pki.paths().validate(&[leaf], now), refused("the client certificate"));
    let upper = pki.issue_with("upper", "root", 30, CA, "-sha1");
    let leaf = pki.issue("below", "upper", 30, CLIENT);
    let refused = refused("a CA certificate above the client certificate");
    assert_eq!(pki.paths().validate(&[leaf, upper], now), refused);
}

#[test]
fn a_self_signed_certificate_is_one_that_no_ca_issued() {
    let Some(pki) = Pki::new() else { return };
    let own = pki.root("own", "ED25519", "");
    let now = days_into(&own, 1);
    assert_eq!(pki.paths().validate(&[own], now), Err(Doubt::CertificateUntrusted));
}

#[test]
fn needs_no_authority_key_identifier_in_a_clients_certificate() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, "authorityKeyIdentifier=none");
    let now = days_into(&leaf, 1);
    assert!(Certificate::parse(&leaf).unwrap().authority_key_identifier().is_none());
    let path = pki.paths().validate(&[leaf], now).unwrap().path;
    assert_eq!(path.paths()[0].last().unwrap().as_der(), pki.der("root"));
}

#[test]
fn takes_intermediates_in_any_order_and_skips_what_it_does_not_need() {
    let Some(pki) = Pki::new() else { return };
    let root = pki.der("root");
    let upper = pki.issue("upper", "root", 90, CA);
    let lower = pki.issue("lower", "upper", 90, CA);
    let leaf = pki.issue("leaf", "lower", 30, CLIENT);
    let stranger = pki.root("stranger", "ED25519", "");
    assert!(pki.openssl_accepts("root", &["upper", "lower"], "leaf"));
    let now = days_into(&leaf, 1);
    let junk = b"not a certificate".to_vec();
    for above in [
        vec![&lower, &upper],
        vec![&upper, &lower],
        vec![&root, &upper, &lower],
        vec![&junk, &upper, &stranger, &lower],
    ] {
        let shown: Vec<_> = std::iter::once(&leaf).chain(above).cloned().collect();
        assert!(pki.paths().validate(&shown, now).is_ok());
    }
}

#[test]
fn misses_an_intermediate_unless_it_was_configured() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, CA);
    let leaf = pki.issue("leaf", "upper", 30, CLIENT);
    let (shown, now) = ([leaf.clone()], days_into(&leaf, 1));
    assert_eq!(pki.paths().validate(&shown, now), Err(Doubt::CertificateUntrusted));
    let configured = PathValidator::new(&[pki.der("root")], &[upper], Purpose::ClientAuth).unwrap();
    assert!(configured.validate(&shown, now).is_ok());
}

#[test]
fn trusts_an_intermediate_by_itself() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, CA);
    let leaf = pki.issue("leaf", "upper", 30, CLIENT);
    let sibling = pki.issue("sibling", "root", 30, CLIENT);
    let (paths, now) = (trusting(&[upper]), days_into(&leaf, 1));
    assert!(paths.validate(&[leaf], now).is_ok());
    assert_eq!(paths.validate(&[sibling], now), Err(Doubt::CertificateUntrusted));
}

#[test]
fn refuses_an_unknown_ca_and_one_with_a_known_name() {
    let Some(pki) = Pki::new() else { return };
    // Both are called CN=root, as the trusted one is.
    let impostor = pki.root("impostor", "EC -pkeyopt ec_paramgen_curve:P-256", "");
    let leaf = pki.issue("leaf", "impostor", 30, CLIENT);
    let unnamed = pki.issue("unnamed", "leaf", 30, CLIENT);
    let now = days_into(&leaf, 1);
    for shown in [vec![leaf.clone()], vec![leaf, impostor], vec![unnamed]] {
        assert_eq!(pki.paths().validate(&shown, now), Err(Doubt::CertificateUntrusted));
    }
}

#[test]
fn names_the_end_or_the_beginning_that_is_not_met() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let certificate = Certificate::parse(&leaf).unwrap();
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    let shown = [leaf];
    assert!(pki.paths().validate(&shown, not_before).is_ok());
    assert!(pki.paths().validate(&shown, not_after).is_ok());
    let (early, late) = (UnixTime(not_before.0 - 1), UnixTime(not_after.0 + 1));
    assert_eq!(pki.paths().validate(&shown, early), Err(Doubt::CertificateNotYetValid { not_before }));
    assert_eq!(pki.paths().validate(&shown, late), Err(Doubt::CertificateExpired { not_after }));
}

#[test]
fn looks_at_extended_key_usage_as_told() {
    let Some(pki) = Pki::new() else { return };
    let root = pki.der("root");
    let any = PathValidator::new(&[root], &[] as &[Vec<u8>], Purpose::Any).unwrap();
    for (name, extensions, fits) in [
        ("client", CLIENT, true),
        ("none", "keyUsage=digitalSignature", true),
        ("any", "extendedKeyUsage=anyExtendedKeyUsage", true),
        ("both", "extendedKeyUsage=serverAuth,clientAuth", true),
        ("server", "extendedKeyUsage=serverAuth", false),
        ("code", "extendedKeyUsage=codeSigning,emailProtection", false),
    ] {
        let leaf = pki.issue(name, "root", 30, extensions);
        let (shown, now) = ([leaf.clone()], days_into(&leaf, 1));
        assert!(any.validate(&shown, now).is_ok(), "{name}");
        let verdict = pki.paths().validate(&shown, now).map(drop);
        assert_eq!(verdict, if fits { Ok(()) } else { Err(Doubt::CertificatePurpose) }, "{name}");
    }
}

#[test]
fn looks_at_the_extended_key_usage_of_intermediates_too() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, &format!("{CA}\nextendedKeyUsage=serverAuth"));
    let leaf = pki.issue("leaf", "upper", 30, CLIENT);
    let now = days_into(&leaf, 1);
    assert_eq!(pki.paths().validate(&[leaf, upper], now), Err(Doubt::CertificatePurpose));
    assert!(!pki.openssl_accepts("root", &["upper"], "leaf"));
}

#[test]
fn keeps_to_path_lengths() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, "basicConstraints=critical,CA:TRUE,pathlen:0");
    let lower = pki.issue("lower", "upper", 90, CA);
    let (near, far) = (pki.issue("near", "upper", 30, CLIENT), pki.issue("far", "lower", 30, CLIENT));
    let now = days_into(&far, 1);
    assert!(pki.paths().validate(&[near, upper.clone()], now).is_ok());
    assert_eq!(pki.paths().validate(&[far, lower, upper], now), Err(Doubt::CertificateUntrusted));
    assert!(!pki.openssl_accepts("root", &["upper", "lower"], "far"));
}

#[test]
fn refuses_a_ca_as_a_client_and_a_client_as_a_ca() {
    let Some(pki) = Pki::new() else { return };
    let ca = pki.issue("ca", "root", 90, &format!("{CA}\n{CLIENT}"));
    let client = pki.issue("client", "root", 90, CLIENT);
    let leaf = pki.issue("leaf", "client", 30, CLIENT);
    let now = days_into(&leaf, 1);
    assert_eq!(pki.paths().validate(&[ca], now), Err(Doubt::CertificatePurpose));
    assert_eq!(pki.paths().validate(&[leaf, client], now), Err(Doubt::CertificateUntrusted));
    assert!(!pki.openssl_accepts("root", &["client"], "leaf"));
}

#[test]
fn refuses_a_ca_that_may_not_sign_certificates() {
    let Some(pki) = Pki::new() else { return };
    let mute = pki.issue("mute", "root", 90, &format!("{CA}\nkeyUsage=critical,cRLSign"));
    let leaf = pki.issue("leaf", "mute", 30, CLIENT);
    let now = days_into(&leaf, 1);
    let fault = "may not sign certificates (RFC 5280 §4.2.1.3)";
    let which = "a CA certificate above the client certificate";
    assert_eq!(pki.paths().validate(&[leaf, mute], now), Err(Doubt::CertificateNonconforming { which, fault }));
    assert!(!pki.openssl_accepts("root", &["mute"], "leaf"));
}

#[test]
fn keeps_to_name_constraints() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, &format!("{CA}\nnameConstraints=critical,permitted;DNS:inside.example"));
    let inside = pki.issue("inside", "upper", 30, &format!("{CLIENT}\nsubjectAltName=DNS:device.inside.example"));
    let outside = pki.issue("outside", "upper", 30, &format!("{CLIENT}\nsubjectAltName=DNS:device.outside.example"));
    let now = days_into(&outside, 1);
    assert!(pki.paths().validate(&[inside, upper.clone()], now).is_ok());
    assert_eq!(pki.paths().validate(&[outside, upper.clone()], now), Err(Doubt::CertificateUntrusted));
    assert!(pki.openssl_accepts("root", &["upper"], "inside"));
    assert!(!pki.openssl_accepts("root", &["upper"], "outside"));
}

#[test]
fn refuses_extensions_that_it_must_know_and_does_not() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, &format!("{CLIENT}\n1.2.3.4=critical,DER:0500"));
    let now = days_into(&leaf, 1);
    let fault = "has a critical extension that is not known here (RFC 5280 §4.2)";
    let refused = Doubt::CertificateNonconforming { which: "the client certificate", fault };
    assert_eq!(pki.paths().validate(&[leaf], now), Err(refused));
    // One of version 1 has no extensions at all.
    let old = pki.version_1("old", "root");
    let fault = "is not of version 3 (RFC 5280 §4.1.2.1)";
    let refused = Doubt::CertificateNonconforming { which: "the client certificate", fault };
    assert_eq!(pki.paths().validate(&[old], now), Err(refused));
}

#[test]
fn says_which_rule_a_certificate_breaks() {
    let Some(pki) = Pki::new() else { return };
    for (name, extensions, fault) in [
        ("signing", "keyUsage=keyCertSign", "has the key usage keyCertSign and is not a CA's (RFC 5280 §4.2.1.3)"),
        (
            "enciphering",
            "keyUsage=keyEncipherment",
            "has a keyUsage without digitalSignature, and authenticates by a signature (RFC 5280 §4.2.1.3)",
        ),
        (
            "constraining",
            "nameConstraints=permitted;DNS:a.example",
            "has nameConstraints, which are for CAs (RFC 5280 §4.2.1.10)",
        ),
    ] {
        let leaf = pki.issue(name, "root", 30, extensions);
        let now = days_into(&leaf, 1);
        let refused = Err(Doubt::CertificateNonconforming { which: "the client certificate", fault });
        assert_eq!(pki.paths().validate(&[leaf], now), refused, "{name}");
    }
}

#[test]
fn refuses_an_anchor_that_is_over() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 200, CLIENT);
    let not_after = Certificate::parse(&pki.der("root")).unwrap().not_after();
    assert!(pki.paths().validate(std::slice::from_ref(&leaf), not_after).is_ok());
    let late = UnixTime(not_after.0 + 1);
    assert_eq!(pki.paths().validate(&[leaf], late), Err(Doubt::CertificateExpired { not_after }));
}

#[test]
fn never_accepts_a_damaged_certificate() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let (paths, now) = (pki.paths(), days_into(&leaf, 1));
    for index in 0..leaf.len() {
        let mut damaged = leaf.clone();
        damaged[index] ^= 0x10;
        assert!(paths.validate(&[damaged], now).is_err(), "octet {index}");
        let cut = paths.validate(&[leaf[..index].to_vec()], now);
        assert_eq!(cut, Err(Doubt::CertificateMalformed), "cut at {index}");
    }
    assert_eq!(paths.remembered_paths(), 0);
}

#[test]
fn gives_up_chains_that_are_too_long_too_large_or_too_tangled() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let (paths, now) = (pki.paths(), days_into(&leaf, 1));
    let root = pki.der("root");
    let with = |above: Vec<Vec<u8>>| -> Vec<_> { std::iter::once(leaf.clone()).chain(above).collect() };
    assert!(paths.validate(&with(vec![root.clone(); 4]), now).is_ok());
    let refused = |above| paths.validate(&with(above), now).unwrap_err();
    for (above, fault) in [
        (vec![root.clone(); 5], "has more than 4 certificates above it: send those that lead to the trust anchor"),
        (vec![vec![0x30; 16 * 1024 + 1]], "has a certificate larger than 16 KiB"),
        (vec![vec![0x30; 10 * 1024 + 923]; 3], "is larger than 32 KiB: send what leads to the trust anchor"),
    ] {
        let which = "the client certificate's chain";
        assert_eq!(refused(above), Doubt::CertificateNonconforming { which, fault });
    }

    // Four impostors with the root's name, each of which could have issued every other one.
    let impostors = (0..4).map(|index| pki.root(&format!("impostor-{index}"), "ED25519", "")).collect();
    let orphan = pki.issue("orphan", "impostor-3", 30, CLIENT);
    let mut shown = with(impostors);
    shown[0] = orphan;
    assert_eq!(paths.validate(&shown, now), Err(Doubt::CertificateUntrusted));
    assert_eq!(paths.remembered_paths(), 1);
}

#[test]
fn remembers_a_verified_path_until_it_ends() {
    let Some(pki) = Pki::new() else { return };
    // The path ends with the intermediate, before the leaf does.
    let upper = pki.issue("upper", "root", 10, CA);
    let leaf = pki.issue("leaf", "upper", 30, CLIENT);
    let not_after = Certificate::parse(&upper).unwrap().not_after();
    let (paths, shown) = (pki.paths(), [leaf, upper]);
    let now = UnixTime(not_after.0 - DAY);
    let first = paths.validate(&shown, now).unwrap();
    let again = paths.validate(&shown, not_after).unwrap();
    assert!(Arc::ptr_eq(first.path.leaf(), again.path.leaf()));
    assert_eq!(paths.remembered_paths(), 1);
    let late = UnixTime(not_after.0 + 1);
    assert_eq!(paths.validate(&shown, late), Err(Doubt::CertificateExpired { not_after }));
    let early = UnixTime(now.0 - 1000 * DAY);
    assert!(matches!(paths.validate(&shown, early), Err(Doubt::CertificateNotYetValid { .. })));
}

#[test]
fn says_which_trust_anchor_it_cannot_read() {
    let Some(pki) = Pki::new() else { return };
    let anchors = [pki.der("root"), b"nothing".to_vec()];
    let error = PathValidator::new(&anchors, &[] as &[Vec<u8>], Purpose::Any).err().unwrap();
    assert_eq!(error, UnreadableCertificate { index: 1 });
    assert!(error.to_string().contains("number 2"));
}

#[test]
fn finds_each_path_when_there_are_several() {
    let Some(pki) = Pki::new() else { return };
    let (one, other) = (pki.der("root"), pki.root("other", "ED25519", ""));
    let (upper, device) = (pki.issue("upper", "root", 30, CA), pki.issue("device", "upper", 30, CLIENT));
    let cross = pki.cross("cross", "upper", "other");
    let paths = trusting(&[one.clone(), other.clone()]);
    let anchors = |shown: &[&Vec<u8>]| {
        let shown: Vec<Vec<u8>> = shown.iter().map(|der| (*der).clone()).collect();
        let validated = paths.validate(&shown, days_into(&device, 1)).unwrap();
        let anchor = |path: &Issuers| path.last().unwrap().as_der().to_vec();
        validated.path.paths().iter().map(anchor).collect::<Vec<_>>()
    };
    assert_eq!(anchors(&[&device, &upper]), [&*one]);
    assert_eq!(anchors(&[&device, &cross]), [&*other]);
    for shown in [&[&device, &upper, &cross][..], &[&device, &cross, &upper, &cross]] {
        let found = anchors(shown);
        assert!(found.len() == 2 && found.contains(&one) && found.contains(&other), "{}", found.len());
    }
}

#[test]
fn a_chain_of_cas_named_like_the_anchor_takes_no_longer_than_twelve_signatures() {
    const ALGORITHM: &str = "EC -pkeyopt ec_paramgen_curve:P-384";
    let Some(pki) = Pki::new() else { return };
    let anchor = pki.root("anchor", ALGORITHM, "");
    let ring: Vec<Vec<u8>> = (0..4).map(|number| pki.root(&format!("ring-{number}"), ALGORITHM, "")).collect();
    let good = pki.issue("good", "anchor", 30, CLIENT);
    let leaf = pki.issue("leaf", "ring-0", 30, CLIENT);
    let now = days_into(&leaf, 1);
    let took = |shown: &[Vec<u8>]| {
        // Another validator each time, for each remembers what it has seen.
        let once = || {
            let paths = trusting(std::slice::from_ref(&anchor));
            let begun = Instant::now();
            let accepted = paths.validate(shown, now).is_ok();
            (begun.elapsed(), accepted)
        };
        (0..20).map(|_| once()).min().unwrap()
    };
    let (of_good, is_accepted) = took(&[good]);
    assert!(is_accepted);
    let (of_ring, is_accepted) = took(&[vec![leaf], ring].concat());
    assert!(!is_accepted && of_ring < 20 * of_good, "{of_ring:?} for what takes {of_good:?} with one signature");
}
