//! Records for tests.

use est_core::UnixTime;
use est_core::pkix::{Certificate, Fingerprint};
use est_store::{AuditRecord, Chain, IssuedCertificate, Method, SerialNumber, UnixMicros};
use est_testkit::pki::{Key, TestCa};

use super::ChainedRecord;

pub(super) fn issued(sequence: u64) -> ChainedRecord {
    let place = Chain { node: "node-1".into(), sequence, hash: [sequence.to_le_bytes()[0]; 32] };
    ChainedRecord {
        chain: place.clone(),
        record: AuditRecord {
            number: sequence,
            at: UnixMicros(1_795_253_400_000_000 + sequence),
            event: "cert.issued".into(),
            success: true,
            actor: Some("operator".into()),
            source: Some("192.0.2.45".into()),
            label: Some("devices".into()),
            ca: Some("main".into()),
            method: Some(Method::Otp),
            reason: Some("profile device".into()),
            serial: Some(SerialNumber::from_contents(&[0x4a, 0x3f])),
            fingerprint: Some(Fingerprint([0x22; 32])),
            chain: Some(place),
        },
        certificate: None,
    }
}

pub(super) fn with_certificate(sequence: u64) -> ChainedRecord {
    let certificate: Certificate = (*TestCa::new().device(&Key::p256(), "CN=device-1", &[])).clone();
    let issued = IssuedCertificate {
        ca: "main".into(),
        serial: SerialNumber::from_contents(certificate.serial()),
        fingerprint: certificate.fingerprint(),
        subject: certificate.subject().to_string(),
        names: None,
        not_before: UnixTime(1_795_253_400),
        not_after: certificate.not_after(),
        label: None,
        profile: "device".into(),
        principal: "operator".into(),
        password: None,
        request: None,
        predecessor: None,
        issued_at: UnixTime(1_795_253_400),
        revoked: None,
        der: certificate.as_der().to_vec(),
    };
    ChainedRecord { certificate: Some(issued), ..self::issued(sequence) }
}

/// Texts that mean something to a log, a terminal or a grammar, by themselves and in 2,000 mixtures.
pub(super) fn hostile_texts() -> impl Iterator<Item = String> {
    const PIECES: [&str; 24] = [
        "\"",
        "]",
        "\\",
        "\n",
        "\r\n",
        "\0",
        "\x1b[31m",
        "\x7f",
        "\u{85}",
        "\u{9b}",
        "é",
        "日本",
        "🔑",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "[audit@32473 outcome=\"success\"]",
        "<0>1 - - - - - -",
        " ",
        "=",
        "CN=a\\,b",
        "\\]",
        "\\n",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap_or(0)
    };
    let mixtures = (0..2_000).map(move |_| {
        let length = 1 + below(60);
        (0..length).map(|_| PIECES[below(PIECES.len())]).collect::<String>()
    });
    PIECES.into_iter().map(str::to_owned).chain(mixtures)
}
