//! The authenticator over paths and an inventory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use est_auth::{CertificateAuthenticator, Inventory};
use est_core::pkix::Certificate;
use est_core::{
    Authenticator, Credentials, Doubt, Evidence, PortError, PortFuture, Principal, Seconds, Secret, UnixTime, Verdict,
};

use crate::now;
use crate::pki::{CLIENT, Pki, days_into};

const GOOD: u8 = 0;
const REVOKED: u8 = 1;
const DOWN: u8 = 2;

/// Says the same of every certificate, until told otherwise.
#[derive(Default)]
struct Says(AtomicU8);

impl Inventory for Says {
    fn is_revoked<'a>(&'a self, _: &'a Certificate) -> PortFuture<'a, bool> {
        let answer = match self.0.load(Ordering::Relaxed) {
            DOWN => Err(PortError("down".into())),
            state => Ok(state == REVOKED),
        };
        Box::pin(async { answer })
    }
}

fn evidence(certificates: &[&Vec<u8>]) -> Evidence {
    Evidence { certificates: Arc::new(certificates.iter().copied().cloned().collect()), ..Evidence::default() }
}

fn doubt(authenticator: &CertificateAuthenticator, evidence: &Evidence, at: UnixTime) -> Doubt {
    match now(authenticator.authenticate(evidence, at)).unwrap() {
        Verdict::Unknown(doubt) => doubt,
        other @ (Verdict::Known(_)
        | Verdict::KnownDespite(..)
        | Verdict::Guessed(..)
        | Verdict::Throttled(_)
        | Verdict::Crowded) => {
            panic!("{other:?}")
        }
    }
}

#[test]
fn knows_the_holder_of_a_certificate() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let authenticator = CertificateAuthenticator::new(Arc::new(pki.paths()), Arc::new(Says::default()));
    let verdict = now(authenticator.authenticate(&evidence(&[&leaf]), days_into(&leaf, 1))).unwrap();
    let Verdict::Known(Principal::Certificate(certificate)) = verdict else { panic!("{verdict:?}") };
    assert_eq!(certificate.as_der(), leaf);
}

#[test]
fn says_why_it_does_not_know_somebody() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let authenticator = CertificateAuthenticator::new(Arc::new(pki.paths()), Arc::new(Says::default()));
    let (good, late) = (days_into(&leaf, 1), days_into(&leaf, 31));
    assert_eq!(doubt(&authenticator, &Evidence::default(), good), Doubt::NothingShown);
    assert_eq!(doubt(&authenticator, &evidence(&[&b"junk".to_vec()]), good), Doubt::CertificateMalformed);
    assert!(matches!(doubt(&authenticator, &evidence(&[&leaf]), late), Doubt::CertificateExpired { .. }));
}

#[test]
fn asks_the_inventory_every_time_and_lets_nobody_in_without_it() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let (paths, inventory) = (Arc::new(pki.paths()), Arc::new(Says::default()));
    let authenticator = CertificateAuthenticator::new(paths.clone(), inventory.clone());
    let (evidence, at) = (evidence(&[&leaf]), days_into(&leaf, 1));

    assert!(matches!(now(authenticator.authenticate(&evidence, at)), Ok(Verdict::Known(_))));
    assert_eq!(paths.remembered_paths(), 1);
    inventory.0.store(REVOKED, Ordering::Relaxed);
    assert_eq!(doubt(&authenticator, &evidence, at), Doubt::CertificateRevoked);
    inventory.0.store(DOWN, Ordering::Relaxed);
    assert!(now(authenticator.authenticate(&evidence, at)).is_err());
    inventory.0.store(GOOD, Ordering::Relaxed);
    assert!(matches!(now(authenticator.authenticate(&evidence, at)), Ok(Verdict::Known(_))));
}

#[test]
fn lets_a_password_count_beside_an_expired_certificate_that_has_grace() {
    let Some(pki) = Pki::new() else { return };
    let leaf = pki.issue("leaf", "root", 30, CLIENT);
    let root = Certificate::parse(&pki.der("root")).unwrap();
    let paths = pki.paths().with_own_cas(vec![root]).with_expired_grace(Seconds::from_days(7));
    let authenticator = CertificateAuthenticator::new(Arc::new(paths), Arc::new(Says::default()));
    let (late, alone) = (days_into(&leaf, 31), evidence(&[&leaf]));
    assert!(matches!(now(authenticator.authenticate(&alone, late)), Ok(Verdict::Known(_))));
    let credentials = Some(Credentials { user: String::new(), password: Secret::new("p".to_owned()) });
    let both = Evidence { credentials, ..alone };
    assert!(matches!(doubt(&authenticator, &both, late), Doubt::CertificateExpired { .. }));
    assert!(matches!(now(authenticator.authenticate(&both, days_into(&leaf, 1))), Ok(Verdict::Known(_))));
}
