//! Who reads what was issued.

use std::fs;

use est_testkit::java::Java;
use est_testkit::peers::{Directory, OpenSsl};
use est_testkit::python::Python;

/// Reads each certificate with every part that the library reads by itself only when it is asked for.
const PYTHON: &str = r#"
import sys
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

ca = x509.load_der_x509_certificate(open("ca.der", "rb").read())
for name in sys.argv[1:]:
    der = open(name, "rb").read()
    try:
        certificate = x509.load_der_x509_certificate(der)
        assert certificate.public_bytes(Encoding.DER) == der
        certificate.verify_directly_issued_by(ca)
        certificate.subject.rfc4514_string()
        for extension in certificate.extensions:
            extension.value.public_bytes()
    except Exception as error:
        raise SystemExit(f"{name}: {error!r}")
"#;

/// Has everybody read every certificate that `ca` issued; DER.
pub(crate) fn read_back(ca: &[u8], certificates: &[(String, Vec<u8>)]) {
    if let Some(openssl) = OpenSsl::find() {
        openssl.write("ca.der", ca);
        openssl.run("x509 -inform DER -in ca.der -out ca.pem");
        for (name, der) in certificates {
            openssl.write("leaf.der", der);
            let printed = openssl.run("x509 -inform DER -in leaf.der -noout -text -nameopt RFC2253");
            assert!(!printed.contains("Unable to load"), "{name}: {printed}");
            openssl.run("x509 -inform DER -in leaf.der -out leaf.pem");
            let verified = openssl.run("verify -x509_strict -CAfile ca.pem leaf.pem");
            assert!(verified.contains("leaf.pem: OK"), "{name}: {verified}");
        }
    }
    if let Some(python) = Python::with(&["cryptography"]) {
        let folder = Directory::new();
        fs::write(folder.path().join("ca.der"), ca).expect("a file");
        for (name, der) in certificates {
            fs::write(folder.path().join(name), der).expect("a file");
        }
        python.run(PYTHON, folder.path(), &certificates.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
    if let Some(java) = Java::with_bouncy_castle() {
        java.read_back(ca, certificates);
    }
}
