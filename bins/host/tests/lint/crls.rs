//! The CRLs of the same CAs.

use std::sync::Arc;

use est_backends::{CertList, CrlSigner};
use est_core::pkix::{RevocationReason, RevokedCertificate, TbsCertList};
use est_core::{Ca, Seconds, UnixTime};
use est_testkit::pki::{NOW, TestCa};
use host::config::{self, Settings};
use host::wiring;

use crate::linter::Linter;
use crate::now;

const WEEK: Seconds = Seconds::from_days(7);
/// 2 January 2050: from that year on, times are written otherwise.
const IN_2050: UnixTime = UnixTime(2_524_694_400);

/// What the Baseline Requirements allow (§7.2.2.1).
const OF_BR: [RevocationReason; 6] = [
    RevocationReason::Unspecified,
    RevocationReason::KeyCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::PrivilegeWithdrawn,
];

/// Has CRLs of every CA looked at: short and long ones, with small and large numbers.
pub(crate) fn lint(settings: &Settings, linter: &mut Linter) {
    for ca in &settings.cas {
        let signer = signer(ca);
        for (what, number, this_update, revoked, is_br) in [
            ("empty", 1, NOW, Vec::new(), true),
            ("every reason of BR", 0x7f, NOW, entries(&OF_BR, 6), true),
            ("every reason", 0x80, NOW, entries(&RevocationReason::ALL, 9), false),
            ("hundreds", u64::MAX, NOW, entries(&OF_BR, 300), true),
            ("in 2050", 0x1_0000, IN_2050, entries(&OF_BR, 6), true),
        ] {
            let next_update = this_update + WEEK;
            let list = CertList { number, this_update, next_update, revoked: &revoked };
            let crl = now(signer.sign(&list)).unwrap();
            linter.add_crl(&format!("crl/{}/{what}", ca.id), &crl, &ca.id, is_br);
        }
    }
}

fn signer(ca: &config::Ca) -> CrlSigner {
    let identity =
        Ca { id: ca.id.clone(), certificate: ca.certificate.clone(), chain: Vec::new(), rollover: Vec::new() };
    CrlSigner::new(Arc::new(identity), Arc::new(wiring::ca_signer(ca).unwrap())).unwrap()
}

fn entries(reasons: &[RevocationReason], count: usize) -> Vec<RevokedCertificate> {
    let entry = |(number, reason): (usize, &RevocationReason)| RevokedCertificate {
        serial: [&[0x40; 18][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
        revocation_date: NOW,
        reason: *reason,
    };
    reasons.iter().cycle().take(count).enumerate().map(|(number, reason)| entry((number, reason))).collect()
}

/// A CRL of somebody else's, with a reason that the Baseline Requirements do not allow.
pub(crate) fn wrong() -> Vec<u8> {
    let other = TestCa::new();
    let to_be_signed = TbsCertList {
        signature_algorithm: other.key.signature_algorithm(),
        issuer: other.certificate().subject(),
        authority_key_identifier: &other.key.public_key().key_identifier(),
        this_update: NOW,
        next_update: NOW + WEEK,
        number: 1,
        revoked: &entries(&[RevocationReason::CertificateHold], 1),
    };
    other.key.signed(to_be_signed.to_der())
}
