//! What `est` makes of the CSR attributes of a real `estd`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use est_core::pkix::{Certificate, Extension, KeyType, KeyUsage, SubjectPublicKeyInfo, oid, pem};
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const EST: &str = env!("CARGO_BIN_EXE_est");

fn estd() -> PathBuf {
    let estd = Path::new(EST).with_file_name("estd");
    assert!(estd.exists(), "build it first: cargo build --workspace --all-features --bins");
    estd
}

/// A label for each built-in profile, and one that asks for much.
const LABELS: &str = r#"
[est]
unlabelled = true
csr_attributes = ["challengePassword"]

[[profile]]
name = "narrow"
key_types = ["ecdsa-p384", "rsa-2048"]
required_subject_attributes = ["serialNumber"]
required_names = ["ip"]
ext_key_usage = ["clientAuth"]

[[profile]]
name = "public"
base = "br-tls"
issuer_urls = ["http://ca.example.com/ca.cer"]
crl_urls = ["http://ca.example.com/ca.crl"]
"#;

fn start() -> Server {
    Launch::configured(estd(), |text| {
        let profiles = ["device", "tls-server", "tls-client", "ra", "smime", "narrow", "public"];
        let label =
            |profile: &str| format!("[[est.label]]\nname = \"{profile}\"\nca_id = \"main\"\nprofile = \"{profile}\"\n");
        text + LABELS + &profiles.map(label).concat()
    })
    .start()
}

fn run(folder: &Shell, server: &Server, arguments: &[&str]) -> Output {
    let (url, ca) = (server.url().replace("127.0.0.1", "localhost"), server.ca());
    let mut est = Command::new(EST);
    est.current_dir(folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
    est.args(arguments).args(["--server", &url, "--cacert", ca.to_str().expect("UTF-8")]);
    est.output().expect("est runs")
}

fn enroll(folder: &Shell, server: &Server, label: &str, more: &[&str]) -> Output {
    let created = server.estd_json(&["otp", "create", "--label", label]);
    let password = created["otp"].as_str().expect("the clear password");
    let out = format!("{label}.pem");
    let arguments = ["enroll", "--label", label, "--password", password, "--key-out", "k.key", "--out", &out];
    let _ = std::fs::remove_file(folder.folder().join("k.key"));
    run(folder, server, &[&arguments[..], more].concat())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn certificate(folder: &Shell, label: &str) -> Certificate {
    let text = std::fs::read_to_string(folder.folder().join(format!("{label}.pem"))).expect("a certificate");
    Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate")
}

#[test]
fn enrolls_by_what_every_profile_asks_for() {
    let (server, folder) = (start(), Shell::new());
    for (label, names, key_type) in [
        ("device", &["--subject", "CN=device-1"][..], KeyType::EcdsaP256),
        ("tls-client", &["--subject", "CN=client-1"], KeyType::EcdsaP256),
        ("ra", &["--subject", "CN=ra-1"], KeyType::EcdsaP256),
        ("tls-server", &["--san", "DNS:www.example.com"], KeyType::EcdsaP256),
        ("smime", &["--san", "email:somebody@example.com"], KeyType::EcdsaP256),
        ("public", &["--san", "DNS:www.example.com"], KeyType::Rsa(2048)),
        ("narrow", &["--subject", "serialNumber=4711", "--san", "IP:192.0.2.1"], KeyType::EcdsaP384),
    ] {
        let enrolled = enroll(&folder, &server, label, names);
        assert!(enrolled.status.success(), "{label}: {}", text(&enrolled));
        let certificate = certificate(&folder, label);
        let key = SubjectPublicKeyInfo::parse(certificate.public_key_der()).expect("a key");
        assert_eq!(key.key_type(), key_type, "{label}");
    }
    let ra = certificate(&folder, "ra");
    let usage = Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE);
    assert_eq!(ra.extension(&oid::KEY_USAGE), Some(usage.value.as_slice()));
    assert!(ra.is_for_ra());
}

#[test]
fn says_what_only_the_user_knows_before_it_makes_a_key() {
    let (server, folder) = (start(), Shell::new());
    let refused = enroll(&folder, &server, "narrow", &["--subject", "CN=device-1", "--san", "DNS:a.example"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    let wanted = "the server wants serialNumber in the subject, and a subject alternative name of the kind ip";
    assert!(text(&refused).contains(wanted), "{}", text(&refused));
    assert!(!folder.folder().join("k.key").exists());
    // The server says the same.
    let asked = enroll(&folder, &server, "narrow", &["--subject", "CN=a", "--no-csrattrs", "--key-type", "p384"]);
    assert_eq!(asked.status.code(), Some(3), "{}", text(&asked));
    // A key of another type that the profile takes is the user's to choose.
    let names = ["--subject", "serialNumber=4711", "--san", "IP:192.0.2.1", "--key-type", "rsa-2048"];
    let enrolled = enroll(&folder, &server, "narrow", &names);
    assert!(enrolled.status.success(), "{}", text(&enrolled));
    assert!(text(&enrolled).contains("the server asks for a key of another type: ecdsa-p384"), "{}", text(&enrolled));
    let usage = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
    let certificate = certificate(&folder, "narrow");
    assert_eq!(certificate.extension(&oid::KEY_USAGE), Some(Extension::key_usage(usage).value.as_slice()));
}

#[test]
fn shows_the_list_and_the_template() {
    let (server, folder) = (start(), Shell::new());
    let shown = run(&folder, &server, &["csrattrs", "--label", "narrow"]);
    assert!(shown.status.success(), "{}", text(&shown));
    let expected = "\
1.2.840.10045.2.1 ecPublicKey = 1.3.132.0.34 secp384r1
1.2.840.10045.4.3.3 ecdsa-with-SHA384
1.2.840.113549.1.9.14 extensionRequest:
  extension    2.5.29.15 keyUsage, critical = digitalSignature
  extension    2.5.29.37 extKeyUsage = 1.3.6.1.5.5.7.3.2 clientAuth
2.5.29.17 subjectAltName
2.5.4.5 serialNumber
1.2.840.113549.1.9.7 challengePassword
1.2.840.113549.1.9.16.2.61 certificationRequestInfoTemplate:
  key          ecdsa-p384
  subject      2.5.4.5 serialNumber (to fill in)
  names        ip (to fill in)
  extension    2.5.29.15 keyUsage, critical = digitalSignature
  extension    2.5.29.37 extKeyUsage = 1.3.6.1.5.5.7.3.2 clientAuth
  attribute    1.2.840.113549.1.9.7 challengePassword
";
    assert_eq!(String::from_utf8_lossy(&shown.stdout), expected);
    let json = run(&folder, &server, &["csrattrs", "--label", "narrow", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["elements"].as_array().map(Vec::len), Some(7));
    assert_eq!(json["elements"][3]["name"], "subjectAltName");
    assert_eq!(json["wanted"]["key"], "ecdsa-p384");
    assert_eq!(json["wanted"]["subject_alt_name"]["to_fill"], serde_json::json!(["ip"]));
    assert_eq!(json["wanted"]["extensions"][0]["critical"], true);
}

#[test]
fn shows_the_password_to_a_server_that_wants_it_for_csrattrs() {
    let folder = Shell::new();
    let server = Launch::configured(estd(), |text| {
        let label = "[[est.label]]\nname = \"named\"\nca_id = \"main\"\nallowed_key_types = [\"ed25519\"]\n";
        format!("{text}\n[est]\ncsrattrs_auth = true\nunlabelled = true\n\n{label}")
    })
    .start();
    let enrolled = enroll(&folder, &server, "named", &["--san", "DNS:a.example"]);
    assert!(enrolled.status.success(), "{}", text(&enrolled));
    let key = certificate(&folder, "named").public_key_der().to_vec();
    assert_eq!(SubjectPublicKeyInfo::parse(&key).expect("a key").key_type(), KeyType::Ed25519);
}
