//! ML-DSA from the CA's key to the client's, and classical clients beside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::future::Future;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use est_backends::authority::{ServerCertificate, Validity, local_names, self_signed_ca, server_certificate};
use est_backends::{FileSigner, Signer};
use est_core::pkix::{Certificate, KeyType, SubjectPublicKeyInfo, pem};
use est_core::{Seconds, UnixTime};
use est_testkit::https::{Client, base64};
use est_testkit::peers::{Directory, is_installed};
use est_testkit::pki::{name, serial};
use est_testkit::python::Python;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

const EST: &str = env!("CARGO_BIN_EXE_est");

fn estd() -> PathBuf {
    let estd = Path::new(EST).with_file_name("estd");
    assert!(estd.exists(), "build it first: cargo build --workspace --all-features --bins");
    estd
}

/// A CA and a server's certificate, `NAME.pem`, `NAME-key.pem`, `NAME-server.pem` and `NAME-server-key.pem` in a folder.
struct Pki {
    folder: Directory,
}

impl Pki {
    /// Makes them for each type of key.
    fn new(key_types: &[(&str, KeyType)]) -> Self {
        let pki = Self { folder: Directory::new() };
        let not_before = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 60);
        let validity = Validity { not_before, span: Seconds::from_days(30) };
        for (id, key_type) in key_types {
            let (signer, key) = FileSigner::generate(*key_type).unwrap();
            let ca = now(self_signed_ca(&name(&format!("CN={id} root")), &signer, validity, serial(1))).unwrap();
            pki.write(id, &ca, &key);
            let (server, server_key) = FileSigner::generate(*key_type).unwrap();
            let wanted = ServerCertificate {
                names: &local_names(),
                public_key: server.public_key(),
                validity,
                serial: serial(2),
            };
            let ca = Certificate::parse(&ca).unwrap();
            let server = now(server_certificate(&ca, &signer, &wanted)).unwrap();
            pki.write(&format!("{id}-server"), &server, &server_key);
        }
        pki
    }

    fn write(&self, id: &str, certificate: &[u8], key: &str) {
        fs::write(self.path(id), pem::encode("CERTIFICATE", certificate)).unwrap();
        fs::write(self.path(&format!("{id}-key")), key).unwrap();
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.path().join(format!("{id}.pem"))
    }

    /// The lines `cert` and `key` of a configuration.
    fn lines(&self, id: &str) -> String {
        format!("cert = \"{}\"\nkey = \"{}\"", self.path(id).display(), self.path(&format!("{id}-key")).display())
    }

    fn certificate(&self, id: &str) -> Vec<u8> {
        let text = fs::read_to_string(self.path(id)).unwrap();
        pem::decode(&text).unwrap().remove(0).contents.clone()
    }
}

/// A server whose TLS shows these certificates, the first by `[tls]`, and whose CA is `ca`.
fn server(pki: &Pki, shown: &[&str], ca: &str) -> Server {
    let (first, additional) = shown.split_first().unwrap();
    let additional: String =
        additional.iter().map(|id| format!("[[tls.additional]]\n{}\n", pki.lines(&format!("{id}-server")))).collect();
    let edit = |text: String| {
        let edited = text
            .replace("cert = \"server.pem\"\nkey = \"server-key.pem\"", &pki.lines(&format!("{first}-server")))
            .replace("cert = \"ca.pem\"\nkey = \"ca-key.pem\"", &pki.lines(ca))
            .replace("trust_anchors = \"ca.pem\"", &format!("trust_anchors = \"{}\"", pki.path(ca).display()));
        assert!(!edited.contains("\"ca.pem\"") && !edited.contains("\"server.pem\""), "{edited}");
        edited + "\n" + &additional
    };
    Launch::configured(estd(), edit).start()
}

/// The certificate that a rustls client sees which trusts `anchor` and knows all that rustls knows.
fn shown_to_rustls(
    server: &Server,
    pki: &Pki,
    anchor: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Vec<u8> {
    let mut anchors = RootCertStore::empty();
    anchors.add(CertificateDer::from(pki.certificate(anchor))).unwrap();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| versions.contains(&suite.version()));
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions).unwrap();
    let config = builder.with_root_certificates(anchors).with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
    }
    tls.peer_certificates().unwrap()[0].to_vec()
}

/// The certificate that OpenSSL sees, which before 3.5 knows no ML-DSA.
fn shown_to_openssl(shell: &Shell, server: &Server, arguments: &str) -> Vec<u8> {
    let connect = format!("openssl s_client -connect 127.0.0.1:{} {arguments}", server.port());
    let text = shell.run(&format!("{connect} </dev/null 2>/dev/null | openssl x509"));
    pem::decode(&text).unwrap().remove(0).contents.clone()
}

/// Whether this OpenSSL is one of before ML-DSA.
fn is_classical(shell: &Shell) -> bool {
    !shell.run("openssl list -signature-algorithms").to_ascii_uppercase().contains("ML-DSA")
}

const TYPES: [(&str, KeyType); 3] =
    [("ecdsa", KeyType::EcdsaP256), ("rsa", KeyType::Rsa(2048)), ("ml-dsa", KeyType::MlDsa65)];

#[test]
fn shows_each_client_the_certificate_that_it_can_verify() {
    let pki = Pki::new(&TYPES);
    let server = server(&pki, &["ecdsa", "rsa", "ml-dsa"], "ecdsa");
    let [ecdsa, rsa, ml_dsa] = TYPES.map(|(id, _)| pki.certificate(&format!("{id}-server")));
    assert!(shown_to_rustls(&server, &pki, "ml-dsa", &[&version::TLS13]) == ml_dsa);
    // Nobody signs with ML-DSA in TLS 1.2, whatever the client offers.
    assert!(shown_to_rustls(&server, &pki, "ecdsa", &[&version::TLS12]) == ecdsa);
    if !is_installed("openssl") || !is_installed("curl") {
        return;
    }
    let shell = Shell::new();
    let classical = "-sigalgs ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256";
    for protocol in ["-tls1_2", "-tls1_3"] {
        assert!(shown_to_openssl(&shell, &server, &format!("{protocol} {classical}")) == ecdsa, "{protocol}");
        let only_rsa = "-sigalgs RSA-PSS+SHA256:RSA+SHA256";
        assert!(shown_to_openssl(&shell, &server, &format!("{protocol} {only_rsa}")) == rsa, "{protocol}");
    }
    if is_classical(&shell) {
        let anchor = pki.path("ecdsa");
        shell.run(&format!("curl -sS --fail --cacert {} {}", anchor.display(), server.est("/cacerts")));
    }
    // Who names the CAs that it trusts gets a certificate of theirs.
    let naming = format!("-tls1_3 {classical} -requestCAfile {}", pki.path("rsa").display());
    assert!(shown_to_openssl(&shell, &server, &naming) == rsa);
}

#[test]
fn says_why_a_classical_client_finds_no_certificate() {
    if !is_installed("openssl") {
        return;
    }
    let (pki, shell) = (Pki::new(&TYPES[2..]), Shell::new());
    let server = server(&pki, &["ml-dsa"], "ml-dsa");
    for protocol in ["-tls1_2", "-tls1_3"] {
        let sigalgs = "-sigalgs ECDSA+SHA256:RSA-PSS+SHA256";
        let connect = format!("openssl s_client -connect 127.0.0.1:{} {protocol} {sigalgs}", server.port());
        let printed = shell.fails(&format!("{connect} </dev/null"));
        assert!(printed.contains("alert handshake failure"), "{printed}");
    }
    let (_, log) = server.stop();
    assert_eq!(log.matches("a client can verify no signature of this server's keys").count(), 2, "{log}");
    assert!(log.contains("ECDSA_NISTP256_SHA256"), "{log}");
}

fn est(folder: &Shell, server: &Server, anchor: &Path, command: &str, more: &[&str]) -> Output {
    let url = server.url().replace("127.0.0.1", "localhost");
    let mut est = Command::new(EST);
    est.current_dir(folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
    est.args([command, "--server", &url, "--cacert"]).arg(anchor).args(more);
    est.output().unwrap()
}

/// It names the CAs that it trusts, so that the server can choose.
#[test]
fn est_finds_the_certificate_of_the_ca_that_it_trusts() {
    let pki = Pki::new(&TYPES);
    let (server, folder) = (server(&pki, &["ml-dsa", "rsa", "ecdsa"], "ecdsa"), Shell::new());
    for (id, _) in TYPES {
        succeed(&est(&folder, &server, &pki.path(id), "csrattrs", &[]));
    }
}

fn succeed(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn est_enrolls_and_renews_with_ml_dsa_alone() {
    let pki = Pki::new(&TYPES[2..]);
    let (server, folder) = (server(&pki, &["ml-dsa"], "ml-dsa"), Shell::new());
    let anchor = pki.path("ml-dsa");
    let password = server.password(1);
    let wanted = ["--subject", "CN=device-1", "--key-type", "ml-dsa-44", "--key-out", "d.key", "--out", "d.pem"];
    succeed(&est(&folder, &server, &anchor, "enroll", &[&["--password", &password][..], &wanted].concat()));
    let read = || {
        let text = fs::read_to_string(folder.folder().join("d.pem")).unwrap();
        Certificate::parse(&pem::decode(&text).unwrap()[0].contents).unwrap()
    };
    let first = read();
    let renew = ["--cert", "d.pem", "--key", "d.key", "--key-type", "ml-dsa-87"];
    succeed(&est(&folder, &server, &anchor, "reenroll", &renew));
    let renewed = read();
    assert_ne!(renewed.serial(), first.serial());
    for (certificate, key_type) in [(first, KeyType::MlDsa44), (renewed, KeyType::MlDsa87)] {
        let key = SubjectPublicKeyInfo::parse(certificate.public_key_der()).unwrap();
        assert_eq!(key.key_type(), key_type);
    }
}

/// Writes a request for each parameter set, `44.csr` and so on.
const REQUEST: &str = r#"
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

for number in ("44", "65", "87"):
    key = getattr(mldsa, f"MLDSA{number}PrivateKey").generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"device-{number}")])
    names = x509.SubjectAlternativeName([x509.DNSName(f"device-{number}.example")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, False).sign(key, None)
    open(f"{number}.csr", "wb").write(request.public_bytes(serialization.Encoding.DER))
"#;

/// What the server answered, `44.der` and so on, is below `root.der` and for the key and the names of the request.
const VERIFY: &str = r#"
from cryptography import x509

root = x509.load_der_x509_certificate(open("root.der", "rb").read())
root.verify_directly_issued_by(root)
for number in ("44", "65", "87"):
    request = x509.load_der_x509_csr(open(f"{number}.csr", "rb").read())
    issued = x509.load_der_x509_certificate(open(f"{number}.der", "rb").read())
    issued.verify_directly_issued_by(root)
    assert issued.public_key() == request.public_key()
    assert issued.subject == request.subject
    names = [one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value for one in (issued, request)]
    assert names[0] == names[1]
"#;

#[test]
fn cryptography_enrolls_with_ml_dsa_and_verifies_what_it_gets() {
    let Some(python) = Python::with(&["cryptography"]) else { return };
    let (pki, folder) = (Pki::new(&TYPES[2..]), Directory::new());
    let server = server(&pki, &["ml-dsa"], "ml-dsa");
    python.run(REQUEST, folder.path(), &[""; 0]);
    fs::write(folder.path().join("root.der"), pki.certificate("ml-dsa")).unwrap();
    let client = Client::new(server.port(), &pki.path("ml-dsa"));
    for number in ["44", "65", "87"] {
        let request = base64(&fs::read(folder.path().join(format!("{number}.csr"))).unwrap());
        let issued = client.enroll("/simpleenroll", Some(&server.password(1)), request.as_bytes()).certificate();
        fs::write(folder.path().join(format!("{number}.der")), issued).unwrap();
    }
    python.run(VERIFY, folder.path(), &[""; 0]);
}

/// Runs a future that never waits: without a runtime nothing of ours does.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
