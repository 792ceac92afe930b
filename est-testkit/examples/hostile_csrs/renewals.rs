//! Requests of clients with a certificate.

use std::fs;
use std::sync::Arc;

use est_core::pkix::{Certificate, pem};
use est_core::{Ca, Seconds};
use est_testkit::pki::{Key, NOW, TestCa};

use crate::{Maker, kept_key};

pub(crate) fn renewals(maker: &Maker) {
    let text = fs::read_to_string(maker.site().join("main.pem")).expect("the CA");
    let certificate = Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate");
    let ca = Arc::new(Ca { id: "main".into(), certificate, chain: Vec::new(), rollover: Vec::new() });
    let ca = TestCa { ca, ..TestCa::with_key(kept_key(&maker.site(), "main"), NOW + Seconds::from_days(1)) };
    let old = Key::p256();
    let names = ["DNS:a.example", "IP:192.0.2.1"];
    let device = ca.device(&old, "CN=device-1,O=Example", &names);
    let request = |subject: &str, names: &[&str]| maker.key.csr(subject, names);
    let twin = request("CN=device-1,O=Example", &names);
    let cite = "RFC 7030 §4.2.2";
    for (what, hostile) in [
        ("subject-of-another", request("CN=device-2,O=Example", &names)),
        ("subject-shorter", request("CN=device-1", &names)),
        ("subject-longer", request("CN=device-1,O=Example,C=DE", &names)),
        ("subject-in-another-order", request("O=Example,CN=device-1", &names)),
        ("subject-in-another-case", request("CN=Device-1,O=Example", &names)),
        ("subject-empty", request("", &names)),
        ("names-more", request("CN=device-1,O=Example", &["DNS:a.example", "IP:192.0.2.1", "DNS:b.example"])),
        ("names-fewer", request("CN=device-1,O=Example", &names[..1])),
        ("names-none", request("CN=device-1,O=Example", &[])),
        ("names-others", request("CN=device-1,O=Example", &["DNS:b.example", "IP:192.0.2.1"])),
        ("names-in-another-case", request("CN=device-1,O=Example", &["DNS:A.example", "IP:192.0.2.1"])),
        ("names-of-another-kind", request("CN=device-1,O=Example", &["DNS:a.example", "DNS:192-0-2-1.example"])),
    ] {
        for operation in ["simplereenroll", "simpleenroll"] {
            let what = format!("{what}-at-{operation}");
            let about = ("device", "names-differ", &*what, cite);
            maker.held_pair(about, operation, device.as_der(), &hostile, &twin);
        }
    }
    let unnamed = ca.device(&old, "CN=device-1,O=Example", &[]);
    maker.held_pair(
        ("device", "names-differ", "names-where-there-were-none", cite),
        "simplereenroll",
        unnamed.as_der(),
        &twin,
        &request("CN=device-1,O=Example", &[]),
    );
    maker.held_pair(
        ("fresh", "key-reuse", "the-key-of-before", cite),
        "simplereenroll",
        device.as_der(),
        &old.csr("CN=device-1,O=Example", &names),
        &twin,
    );
}
