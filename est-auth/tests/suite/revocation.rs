//! CRLs that openssl made, and certificates that are over.

use std::slice;

use est_auth::{Crl, PathValidator, Purpose, RevocationPolicy, RevocationStatus, Validated};
use est_core::pkix::Certificate;
use est_core::{Doubt, Seconds, UnixTime};

use crate::pki::{CA, CLIENT, DAY, Pki, days_into, trusting};

const NONE: &[&str] = &[];

fn status(validated: Result<Validated, Doubt>) -> Result<RevocationStatus, Doubt> {
    validated.map(|validated| validated.revocation)
}

/// Trusts the root and asks these CRLs.
fn asking(pki: &Pki, crls: Vec<Crl>, policy: RevocationPolicy) -> PathValidator {
    pki.paths().with_crls(crls, policy)
}

#[test]
fn refuses_whom_a_crl_lists_and_accepts_whom_it_does_not() {
    let Some(pki) = Pki::new() else { return };
    let good = pki.issue("good", "root", 30, CLIENT);
    let bad = pki.issue("bad", "root", 30, CLIENT);
    let now = days_into(&bad, 1);
    for policy in [RevocationPolicy::Hard, RevocationPolicy::Soft] {
        let paths = asking(&pki, vec![pki.crl("root", &["bad"], 7)], policy);
        assert_eq!(status(paths.validate(slice::from_ref(&good), now)), Ok(RevocationStatus::Good));
        assert_eq!(status(paths.validate(slice::from_ref(&bad), now)), Err(Doubt::CertificateRevoked));
    }
    assert_eq!(status(pki.paths().validate(&[bad], now)), Ok(RevocationStatus::NotAsked));
}

#[test]
fn asks_about_every_certificate_of_the_path() {
    let Some(pki) = Pki::new() else { return };
    let upper = pki.issue("upper", "root", 90, CA);
    let leaf = pki.issue("leaf", "upper", 30, CLIENT);
    let (shown, now) = ([leaf.clone(), upper], days_into(&leaf, 1));
    let of_leaf = || pki.crl("upper", NONE, 7);
    for (crls, expected) in [
        (vec![of_leaf(), pki.crl("root", NONE, 7)], Ok(RevocationStatus::Good)),
        (vec![of_leaf(), pki.crl("root", &["upper"], 7)], Err(Doubt::CertificateRevoked)),
        (vec![pki.crl("upper", &["leaf"], 7), pki.crl("root", NONE, 7)], Err(Doubt::CertificateRevoked)),
        (vec![of_leaf()], Err(Doubt::RevocationUnknown)),
        (vec![pki.crl("root", NONE, 7)], Err(Doubt::RevocationUnknown)),
        (vec![], Err(Doubt::RevocationUnknown)),
    ] {
        let found = status(asking(&pki, crls, RevocationPolicy::Hard).validate(&shown, now));
        assert_eq!(found, expected);
    }
}

#[test]
fn lets_the_soft_policy_pass_what_cannot_be_told_and_says_so() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let bad = pki.issue("bad", "root", 30, CLIENT);
    let (now, late) = (days_into(&leaf, 1), days_into(&leaf, 8));
    let none = asking(&pki, vec![], RevocationPolicy::Soft);
    assert_eq!(status(none.validate(slice::from_ref(&leaf), now)), Ok(RevocationStatus::Unknown));
    // An expired CRL vouches for nothing, and still counts against what it lists.
    let over = asking(&pki, vec![pki.crl("root", &["bad"], 7)], RevocationPolicy::Soft);
    assert_eq!(status(over.validate(&[leaf], late)), Ok(RevocationStatus::Unknown));
    assert_eq!(status(over.validate(&[bad], late)), Err(Doubt::CertificateRevoked));
}

#[test]
fn believes_a_crl_until_its_next_update_even_from_memory() {
    let Some(pki) = Pki::new() else { return };
    let leaf = [pki.issue("leaf", "root", 30, CLIENT)];
    let crl = pki.crl("root", NONE, 7);
    let next_update = crl.next_update();
    let paths = asking(&pki, vec![crl], RevocationPolicy::Hard);
    let before = UnixTime(next_update.0 - 1);
    assert_eq!(status(paths.validate(&leaf, before)), Ok(RevocationStatus::Good));
    assert_eq!(paths.remembered_paths(), 1);
    assert_eq!(status(paths.validate(&leaf, next_update)), Err(Doubt::RevocationUnknown));
    // It is the refusal that is remembered last, and yet the path that counts when it was good.
    assert_eq!(status(paths.validate(&leaf, before)), Ok(RevocationStatus::Good));
}

#[test]
fn forgets_what_other_crls_said() {
    let Some(pki) = Pki::new() else { return };
    let leaf = [pki.issue("leaf", "root", 30, CLIENT)];
    let now = days_into(&leaf[0], 1);
    let paths = asking(&pki, vec![pki.crl("root", NONE, 7)], RevocationPolicy::Hard);
    assert_eq!(status(paths.validate(&leaf, now)), Ok(RevocationStatus::Good));
    paths.replace_crls(vec![pki.crl("root", &["leaf"], 7)]);
    assert_eq!(status(paths.validate(&leaf, now)), Err(Doubt::CertificateRevoked));
    paths.replace_crls(vec![]);
    assert_eq!(status(paths.validate(&leaf, now)), Err(Doubt::RevocationUnknown));
    paths.replace_crls(vec![pki.crl("root", NONE, 7)]);
    assert_eq!(status(paths.validate(&leaf, now)), Ok(RevocationStatus::Good));
}

#[test]
fn asks_the_newest_of_two_crls() {
    let Some(pki) = Pki::new() else { return };
    let leaf = [pki.issue("leaf", "root", 30, CLIENT)];
    let now = days_into(&leaf[0], 1);
    let dated = |revoked: &[&str], from| pki.crl_with("root", revoked, &format!("-crl_lastupdate {from} -crldays 100"));
    let old = || dated(&["leaf"], "20260101000000Z");
    let new = || dated(NONE, "20260102000000Z");
    for crls in [vec![old(), new()], vec![new(), old()]] {
        let paths = asking(&pki, crls, RevocationPolicy::Soft);
        assert!(paths.validate(&leaf, now).is_ok());
    }
    let paths = asking(&pki, vec![old()], RevocationPolicy::Soft);
    assert_eq!(status(paths.validate(&leaf, now)), Err(Doubt::CertificateRevoked));
}

#[test]
fn tells_the_crls_of_an_old_and_a_new_key_apart() {
    let Some(pki) = Pki::new() else { return };
    // Both are called CN=root.
    let new_root = pki.root("new-root", "EC -pkeyopt ec_paramgen_curve:P-256", "");
    let of_old = pki.issue("of-old", "root", 30, CLIENT);
    let of_new = pki.issue("of-new", "new-root", 30, CLIENT);
    let now = days_into(&of_new, 1);
    for swapped in [false, true] {
        let mut crls = vec![pki.crl("root", NONE, 7), pki.crl("new-root", NONE, 7)];
        if swapped {
            crls.reverse();
        }
        let paths = trusting(&[pki.der("root"), new_root.clone()]).with_crls(crls, RevocationPolicy::Hard);
        assert_eq!(status(paths.validate(slice::from_ref(&of_old), now)), Ok(RevocationStatus::Good));
        assert_eq!(status(paths.validate(slice::from_ref(&of_new), now)), Ok(RevocationStatus::Good));
    }
}

#[test]
fn does_not_believe_a_crl_of_somebody_else() {
    let Some(pki) = Pki::new() else { return };
    pki.root("impostor", "EC -pkeyopt ec_paramgen_curve:P-256", "");
    let leaf = [pki.issue("leaf", "root", 30, CLIENT)];
    let now = days_into(&leaf[0], 1);
    let forged = || vec![pki.crl("impostor", NONE, 7)];
    let hard = asking(&pki, forged(), RevocationPolicy::Hard);
    assert_eq!(status(hard.validate(&leaf, now)), Err(Doubt::RevocationUnknown));
    let soft = asking(&pki, forged(), RevocationPolicy::Soft);
    assert_eq!(status(soft.validate(&leaf, now)), Ok(RevocationStatus::Unknown));
}

#[test]
fn needs_no_crl_for_what_its_own_ca_issued_and_believes_one_that_is_there() {
    let Some(pki) = Pki::new() else { return };
    let own = pki.issue("own", "root", 90, CA);
    let (mine, other) = (pki.issue("mine", "own", 30, CLIENT), pki.issue("other", "root", 30, CLIENT));
    let now = days_into(&other, 1);
    let paths = |crls| {
        let paths = PathValidator::new(&[pki.der("root")], slice::from_ref(&own), Purpose::ClientAuth).unwrap();
        paths.with_own_cas(vec![Certificate::parse(&own).unwrap()]).with_crls(crls, RevocationPolicy::Hard)
    };
    assert_eq!(status(paths(vec![]).validate(slice::from_ref(&mine), now)), Ok(RevocationStatus::Good));
    assert_eq!(status(paths(vec![]).validate(&[other], now)), Err(Doubt::RevocationUnknown));
    for crls in [
        vec![pki.crl("own", &["mine"], 7), pki.crl("root", NONE, 7)],
        vec![pki.crl("own", NONE, 7), pki.crl("root", &["own"], 7)],
        vec![pki.crl("own", &["mine"], 7)],
    ] {
        assert_eq!(status(paths(crls).validate(slice::from_ref(&mine), now)), Err(Doubt::CertificateRevoked));
    }
}

#[test]
fn gives_grace_after_the_end_to_certificates_of_its_own_ca_alone() {
    let Some(pki) = Pki::new() else { return };
    let own = pki.issue("own", "root", 60, CA);
    let (mine, other) = (pki.issue("mine", "own", 30, CLIENT), pki.issue("other", "root", 30, CLIENT));
    let not_after = Certificate::parse(&mine).unwrap().not_after();
    let (mine, other) = ([mine, own.clone()], [other]);
    let own = Certificate::parse(&own).unwrap();
    let with = |days| pki.paths().with_own_cas(vec![own.clone()]).with_expired_grace(Seconds::from_days(days));
    let paths = with(7);
    let at = |days: u64| UnixTime(not_after.0 + days * DAY);
    let expired = |now| paths.validate(&mine, now).map(|validated| validated.has_expired);
    for _ in ["searched for", "from memory"] {
        assert_eq!(expired(at(0)), Ok(false));
        assert_eq!(expired(UnixTime(not_after.0 + 1)), Ok(true));
        assert_eq!(expired(at(7)), Ok(true));
        assert_eq!(expired(UnixTime(at(7).0 + 1)), Err(Doubt::CertificateExpired { not_after }));
    }
    assert!(matches!(paths.validate(&other, at(1)), Err(Doubt::CertificateExpired { .. })));
    assert_eq!(with(0).validate(&mine, at(1)), Err(Doubt::CertificateExpired { not_after }));
    // The CA that issued it has no grace.
    let late = UnixTime(own.not_after().0 + 1);
    assert!(matches!(with(90).validate(&mine, late), Err(Doubt::CertificateExpired { .. })));
}

#[test]
fn gives_no_grace_to_a_revoked_certificate() {
    let Some(pki) = Pki::new() else { return };
    let root = Certificate::parse(&pki.der("root")).unwrap();
    let leaf = [pki.issue("leaf", "root", 30, CLIENT)];
    let late = days_into(&leaf[0], 31);
    let paths = pki.paths().with_own_cas(vec![root]).with_expired_grace(Seconds::from_days(7));
    let paths = paths.with_crls(vec![pki.crl("root", &["leaf"], 60)], RevocationPolicy::Hard);
    assert_eq!(status(paths.validate(&leaf, late)), Err(Doubt::CertificateRevoked));
}

#[test]
fn reads_crls_in_der_and_pem_and_names_what_it_cannot_use() {
    let Some(pki) = Pki::new() else { return };
    let pem = pki.crl_pem("root", NONE, "-crldays 7");
    let two = format!("{pem}text between\n{pem}");
    assert_eq!(Crl::read_all(two.as_bytes()).unwrap().len(), 2);
    let der = est_core::pkix::pem::decode(&pem).unwrap().remove(0).contents.clone();
    assert_eq!(Crl::read_all(&der).unwrap()[0].issuer().to_string(), "CN=root");
    let certificate = est_core::pkix::pem::encode("CERTIFICATE", &pki.der("root"));
    for (octets, complaint) in [
        (&b""[..], "it has no CRL"),
        (b"\xff\xfe", "it is neither PEM nor DER"),
        (&pem.as_bytes()[..pem.len() / 2], "it has a broken PEM block"),
        (certificate.as_bytes(), "it has no CRL"),
        (&der[..der.len() - 1], "it holds a CRL that is malformed"),
    ] {
        assert_eq!(Crl::read_all(octets).unwrap_err().to_string(), complaint);
    }
}

#[test]
fn remembers_a_refusal_for_a_minute() {
    let Some(pki) = Pki::new() else { return };
    let root = pki.der("root");
    let impostor = pki.root("impostor", "EC -pkeyopt ec_paramgen_curve:P-256", "");
    let orphan = [pki.issue("orphan", "impostor", 30, CLIENT), impostor];
    let paths = trusting(&[root]);
    let now = days_into(&orphan[0], 1);
    assert_eq!(status(paths.validate(&orphan, now)), Err(Doubt::CertificateUntrusted));
    assert_eq!((paths.remembered_paths(), paths.remembered_refusals()), (0, 1));
    assert_eq!(status(paths.validate(&orphan, now + Seconds(59))), Err(Doubt::CertificateUntrusted));
    // Not even then does it keep a certificate waiting whose time has come.
    let early = [pki.issue("early", "root", 30, CLIENT)];
    let not_before = Certificate::parse(&early[0]).unwrap().not_before();
    let refused = paths.validate(&early, UnixTime(not_before.0 - 5));
    assert_eq!(status(refused), Err(Doubt::CertificateNotYetValid { not_before }));
    assert!(paths.validate(&early, not_before).is_ok());
}
