//! The CAs of the site that the requests are for.

use std::fs;

use est_core::pkix::{Extension, KeyUsage, TbsCertificate, oid, pem};
use est_core::{Seconds, UnixTime};
use est_testkit::der::{sequence, value};
use est_testkit::pki::{Key, NOW, name, serial};

use crate::{Maker, dns, email, kept_key, uri};

/// The CAs: one without constraints, one with permitted subtrees and one below it, and one with excluded subtrees.
pub(crate) fn cas(maker: &Maker) {
    let network = |octets: &[u8]| value(0x87, &[octets]);
    let base = |text: &str| value(0xa4, &[name(text).as_der()]);
    let permitted = subtrees(
        0xa0,
        &[
            dns("plant.example"),
            network(&[10, 0, 0, 0, 255, 0, 0, 0]),
            email("plant.example"),
            uri(".plant.example"),
            base("O=Plant,C=DE"),
        ],
    );
    let excluded = subtrees(
        0xa1,
        &[
            dns("office.example"),
            dns("private.hosts.example"),
            network(&[192, 0, 2, 0, 255, 255, 255, 0]),
            email("office.example"),
            email(".office.example"),
            email("root@plant.example"),
            uri("office.example"),
            base("O=Office,C=DE"),
        ],
    );
    let main = kept_key(&maker.site(), "main");
    certify(maker, "main", &main, None, None);
    let narrow = kept_key(&maker.site(), "permitted");
    certify(maker, "permitted", &narrow, Some(&sequence(&[&permitted])), None);
    certify(maker, "excluded", &kept_key(&maker.site(), "excluded"), Some(&sequence(&[&excluded])), None);
    certify(maker, "below", &kept_key(&maker.site(), "below"), None, Some(("permitted", &narrow)));
}

fn subtrees(tag: u8, bases: &[Vec<u8>]) -> Vec<u8> {
    let subtrees: Vec<_> = bases.iter().map(|base| sequence(&[base])).collect();
    value(tag, &subtrees.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn subject_of(id: &str) -> String {
    match id {
        // Self-issued certificates apart, a CA's subject lies within the constraints of those above it.
        "permitted" | "below" => format!("CN=The CA {id},O=Plant,C=DE"),
        _ => format!("CN=The CA {id},O=Example"),
    }
}

fn certify(maker: &Maker, id: &str, key: &Key, constraints: Option<&[u8]>, above: Option<(&str, &Key)>) {
    let file = maker.site().join(format!("{id}.pem"));
    if file.exists() {
        return;
    }
    let (issuer, signer) = above.unwrap_or((id, key));
    let usage = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN).with(KeyUsage::DIGITAL_SIGNATURE);
    let mut extensions = vec![
        Extension::certificate_authority(),
        Extension::key_usage(usage),
        Extension::subject_key_identifier(&key.public_key().key_identifier()),
    ];
    if above.is_some() {
        extensions.push(Extension::authority_key_identifier(&signer.public_key().key_identifier()));
    }
    if let Some(value) = constraints {
        extensions.push(Extension { id: oid::NAME_CONSTRAINTS, critical: true, value: value.to_vec() });
    }
    let to_be_signed = TbsCertificate {
        serial: serial(id.len() as u8),
        signature_algorithm: signer.signature_algorithm(),
        issuer: &name(&subject_of(issuer)),
        subject: &name(&subject_of(id)),
        not_before: UnixTime(NOW.0 - Seconds::from_days(365).0),
        not_after: NOW + Seconds::from_days(3650),
        public_key: key.public_key().as_der(),
        extensions: &extensions,
    };
    let certificate = signer.signed(to_be_signed.to_der());
    fs::write(file, pem::encode("CERTIFICATE", &certificate)).expect("a file for the CA");
}
