//! ML-DSA before other eyes: PyPI's `cryptography`, which has an OpenSSL of its own.

use std::fs;

use est_backends::{FileSigner, Signer, algorithms};
use est_core::Secret;
use est_core::pkix::{Certificate, Csr, CsrTemplate, GeneralName, GeneralNames, KeyType, Name, assemble_csr};
use est_testkit::peers::Directory;
use est_testkit::python::Python;

use crate::pki::{issue, local_ca, order, root};

const SETS: [KeyType; 3] = [KeyType::MlDsa44, KeyType::MlDsa65, KeyType::MlDsa87];

/// `root.der`, `leaf.der` and `request.der` are sound, and the leaf is the root's.
const VERIFY: &str = r#"
import sys
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa

wanted = getattr(mldsa, f"MLDSA{sys.argv[1]}PublicKey")
root, leaf = (x509.load_der_x509_certificate(open(name, "rb").read()) for name in ("root.der", "leaf.der"))
request = x509.load_der_x509_csr(open("request.der", "rb").read())
for one in (root, leaf, request):
    assert isinstance(one.public_key(), wanted), type(one.public_key())
    assert one.signature_algorithm_oid.dotted_string == sys.argv[2], one.signature_algorithm_oid
    assert one.signature_hash_algorithm is None
root.verify_directly_issued_by(root)
leaf.verify_directly_issued_by(root)
root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes)
assert request.is_signature_valid
assert leaf.public_key() == request.public_key()
usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
assert usage.critical and usage.value.digital_signature and not usage.value.key_encipherment, usage
"#;

/// Writes `request.der`, and its key in `key.der`, `closed.pem` (encrypted with `secret`) and `public.der`.
const REQUEST: &str = r#"
import sys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

key = getattr(mldsa, f"MLDSA{sys.argv[1]}PrivateKey").generate()
subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device-1")])
names = x509.SubjectAlternativeName([x509.DNSName("device-1.example")])
request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, False).sign(key, None)
der = serialization.Encoding.DER
open("request.der", "wb").write(request.public_bytes(der))
with open("key.der", "wb") as file:
    file.write(key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
with open("closed.pem", "wb") as file:
    encryption = serialization.BestAvailableEncryption(b"secret")
    file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
with open("public.der", "wb") as file:
    file.write(key.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo))
"#;

fn number(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::MlDsa44 => "44",
        KeyType::MlDsa65 => "65",
        KeyType::MlDsa87 => "87",
        other => panic!("{other}"),
    }
}

async fn request(signer: &FileSigner) -> Vec<u8> {
    let template = CsrTemplate {
        subject: Name::from_text("CN=device-1").unwrap(),
        subject_alt_name: GeneralNames::from_names(&[GeneralName::from_text("DNS:device-1.example").unwrap()]),
        public_key: signer.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let to_be_signed = template.to_be_signed();
    let signature = signer.sign(&to_be_signed).await.unwrap();
    assemble_csr(to_be_signed, signer.signature_algorithm(), &signature)
}

#[tokio::test]
async fn verifies_our_ml_dsa_roots_leafs_and_requests() {
    let Some(python) = Python::with(&["cryptography"]) else { return };
    let folder = Directory::new();
    for (key_type, oid) in SETS.into_iter().zip(17..) {
        let (ca_signer, _) = FileSigner::generate(key_type).unwrap();
        let (device, _) = FileSigner::generate(key_type).unwrap();
        let ca = root("root", &ca_signer).await;
        let csr = request(&device).await;
        let leaf = issue(&local_ca(&ca, ca_signer), &order(&ca, &csr)).await.unwrap();
        for (name, der) in [("root.der", ca.certificate.as_der()), ("leaf.der", &leaf), ("request.der", &csr)] {
            fs::write(folder.path().join(name), der).unwrap();
        }
        let oid = format!("2.16.840.1.101.3.4.3.{oid}");
        python.run(VERIFY, folder.path(), &[number(key_type), &oid]);
    }
}

#[tokio::test]
async fn makes_ml_dsa_requests_and_keys_that_we_read() {
    let Some(python) = Python::with(&["cryptography"]) else { return };
    let folder = Directory::new();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for key_type in SETS {
        python.run(REQUEST, folder.path(), &[number(key_type)]);
        let csr = Csr::parse(&read("request.der"), algorithms()).unwrap();
        assert_eq!(csr.public_key().key_type(), key_type);
        let signer = FileSigner::from_der(&read("key.der"), None).unwrap();
        assert_eq!(signer.public_key().as_der(), read("public.der"));
        assert_eq!(signer.public_key(), csr.public_key());
        let closed = String::from_utf8(read("closed.pem")).unwrap();
        let opened = FileSigner::from_pem(&closed, Some(&Secret::new("secret".into()))).unwrap();
        assert_eq!(opened.public_key(), signer.public_key());
        let (ca_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let ca = root("root", &ca_signer).await;
        let leaf = issue(&local_ca(&ca, ca_signer), &order(&ca, &read("request.der"))).await.unwrap();
        assert_eq!(Certificate::parse(&leaf).unwrap().public_key_der(), signer.public_key().as_der());
    }
}
