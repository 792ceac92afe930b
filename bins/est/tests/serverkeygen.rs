//! `est serverkeygen` against a real `estd`: every way to have a key encrypted, undone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use aws_lc_rs::agreement::{PrivateKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::kem::{self, DecapsulationKey};
use est_backends::{FileSigner, Signer};
use est_core::pkix::{Certificate, Extension, KeyType, KeyUsage, Oid, TbsCertificate, oid, pem};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, name, serial};
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const EST: &str = env!("CARGO_BIN_EXE_est");

fn launch(more: &str) -> Launch {
    let estd: PathBuf = Path::new(EST).with_file_name("estd");
    assert!(estd.exists(), "build it first: cargo build --workspace --all-features --bins");
    let usage = "[[ca]]\ndefault_key_usage = [\"digitalSignature\", \"keyEncipherment\", \"keyAgreement\"]";
    Launch::configured(estd, |text| {
        text.replace("[[ca]]", usage) + "\n[est]\nserverkeygen = true\nunlabelled = true\n" + more
    })
}

fn est(folder: &Shell, server: &Server, arguments: &[&str]) -> Output {
    let url = server.url().replace("127.0.0.1", "localhost");
    let mut est = Command::new(EST);
    est.current_dir(folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
    est.arg(arguments[0]).args(["--server", &url, "--cacert"]).arg(server.ca()).args(&arguments[1..]);
    est.output().expect("est runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs it, then finds a key that only its owner may read beside a certificate for it.
fn succeeds(folder: &Shell, server: &Server, name: &str, more: &[&str]) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let asked = ["serverkeygen", "--subject", "CN=device-1", "--key-out", &key, "--out", &certificate];
    let output = est(folder, server, &[&asked, more].concat());
    assert!(output.status.success(), "{name}: {}", text(&output));
    let path = folder.folder().join(&key);
    let signer = FileSigner::from_pem(&fs::read_to_string(&path).expect("a key"), None).expect("a key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(read(folder, &certificate).public_key_der(), signer.public_key().as_der(), "{name}");
    assert!(!folder.folder().join(format!("{key}.request")).exists(), "the request's own key is gone");
    assert!(!text(&output).contains("is not in --cacert"), "{}", text(&output));
}

fn read(folder: &Shell, name: &str) -> Certificate {
    let text = fs::read_to_string(folder.folder().join(name)).expect("a certificate");
    Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate")
}

#[test]
fn gets_a_key_in_the_clear_and_of_the_type_it_asks_for() {
    let (server, folder) = (launch("").start(), Shell::new());
    for (key_type, expected) in [("ecdsa-p384", KeyType::EcdsaP384), ("ed25519", KeyType::Ed25519)] {
        succeeds(&folder, &server, key_type, &["--password", &server.password(1), "--key-type", key_type]);
        let text = fs::read_to_string(folder.folder().join(format!("{key_type}.key"))).expect("a key");
        assert_eq!(FileSigner::from_pem(&text, None).expect("a key").public_key().key_type(), expected);
    }
    let more = ["serverkeygen", "--subject", "CN=a", "--key-out", "ed25519.key", "--password", &server.password(1)];
    let output = est(&folder, &server, &more);
    assert!(text(&output).contains("is there already"), "a key is never overwritten: {}", text(&output));
}

#[test]
fn undoes_a_shared_key() {
    let key = "[[est.symmetric_key]]\nid = \"hex:0102\"\nkey = \"000102030405060708090a0b0c0d0e0f\"\n";
    let (server, folder) = (launch(key).start(), Shell::new());
    fs::write(folder.folder().join("kek"), "000102030405060708090a0b0c0d0e0f\n").expect("a file");
    let kek = ["--kek-id", "hex:0102", "--kek-file", "kek"];
    for (name, contents) in [("usual", None), ("cbc", Some(oid::AES128_CBC)), ("gcm", Some(oid::AES128_GCM))] {
        let password = server.password(1);
        let listed = contents.map(|content| [oid::AES128_WRAP.to_string(), content.to_string()]).unwrap_or_default();
        let listed = listed.iter().filter(|oid| !oid.is_empty()).flat_map(|oid| ["--capability", oid]);
        let more: Vec<&str> = kek.into_iter().chain(["--password", &password]).chain(listed).collect();
        succeeds(&folder, &server, name, &more);
    }
    let password = server.password(1);
    let unknown =
        ["serverkeygen", "--subject", "CN=a", "--kek-id", "other", "--kek-file", "kek", "--password", &password];
    let output = est(&folder, &server, &unknown);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("knows no key with this identifier"), "{}", text(&output));
}

#[test]
fn undoes_what_was_encrypted_to_its_own_certificate() {
    let (server, folder) = (launch("").start(), Shell::new());
    let agreements = [oid::STD_DH_SHA256_KDF, oid::STD_DH_SHA384_KDF, oid::STD_DH_SHA512_KDF];
    for (key_type, algorithms) in [
        ("rsa-2048", vec![oid::RSAES_OAEP, oid::RSA_ENCRYPTION]),
        ("ecdsa-p256", agreements.to_vec()),
        ("ecdsa-p384", agreements.to_vec()),
        ("ecdsa-p521", agreements.to_vec()),
    ] {
        let (own_key, own) = (format!("own-{key_type}.key"), format!("own-{key_type}.pem"));
        let password = server.password(1);
        let enroll = ["enroll", "--subject", "CN=device-1", "--key-type", key_type, "--key-out", &own_key];
        let output = est(&folder, &server, &[&enroll[..], &["--out", &own, "--password", &password]].concat());
        assert!(output.status.success(), "{}", text(&output));
        let identity = ["--cert", &own, "--key", &own_key, "--decrypt-cert", &own, "--decrypt-key", &own_key];
        succeeds(&folder, &server, &format!("{key_type}-usual"), &identity);
        for algorithm in algorithms {
            let (algorithm, wrap) = (algorithm.to_string(), oid::AES256_WRAP.to_string());
            let more = [&identity[..], &["--capability", &algorithm, "--capability", &wrap]].concat();
            succeeds(&folder, &server, &format!("{key_type}-{algorithm}"), &more);
        }
    }
}

#[test]
fn undoes_what_was_encrypted_to_x25519_and_ml_kem() {
    let folder = Shell::new();
    let names = ["x25519", "ml-kem-512", "ml-kem-768", "ml-kem-1024"];
    for name in names {
        let (pkcs8, certificate) = recipient(name);
        fs::write(folder.folder().join(format!("own-{name}.key")), pem::encode("PRIVATE KEY", &pkcs8)).expect("a file");
        let certificate = pem::encode("CERTIFICATE", &certificate);
        fs::write(folder.folder().join(format!("own-{name}.pem")), certificate).expect("a file");
    }
    let paths: Vec<String> =
        names.iter().map(|name| format!("{:?}", folder.folder().join(format!("own-{name}.pem")))).collect();
    // Before the shared section: the configuration's [est] is the last one.
    let server = launch(&format!("recipients = [{}]\n", paths.join(", "))).start();
    for name in names {
        let (key, certificate) = (format!("own-{name}.key"), format!("own-{name}.pem"));
        let password = server.password(1);
        let more = ["--password", &password, "--decrypt-key", &key, "--decrypt-cert", &certificate];
        succeeds(&folder, &server, name, &more);
    }
    // One device's key does not open what is meant for another.
    let password = server.password(1);
    let mixed = ["--decrypt-key", "own-x25519.key", "--decrypt-cert", "own-ml-kem-768.pem", "--password", &password];
    let output = est(&folder, &server, &[&["serverkeygen", "--subject", "CN=mixed"][..], &mixed].concat());
    assert!(!output.status.success());
    assert!(!folder.folder().join("mixed.key").exists());
}

#[test]
fn asks_for_the_same_key_again_until_an_operator_has_decided() {
    let label = "[[est.label]]\nname = \"vetted\"\nca_id = \"main\"\nrequire_san = false\napproval = \"manual\"\n";
    let (server, folder) = (launch(label).start(), Shell::new());
    let password = server.password(1);
    let more = ["--label", "vetted", "--password", &password, "--max-wait", "0s"];
    let asked = ["serverkeygen", "--subject", "CN=device-1", "--key-out", "vetted.key", "--out", "vetted.pem"];
    for _ in 0..2 {
        let output = est(&folder, &server, &[&asked[..], &more].concat());
        assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    }
    let requests = server.estd_json(&["requests", "list"]);
    let [request] = requests["requests"].as_array().expect("a list").as_slice() else { panic!("{requests}") };
    assert!(server.estd(&["requests", "approve", request["id"].as_str().expect("an id")]).status.success());
    succeeds(&folder, &server, "vetted", &more);
}

/// A key that only decrypts, in PKCS #8, and a certificate of somebody for it.
fn recipient(kind: &str) -> (Vec<u8>, Vec<u8>) {
    let build = |algorithm: Oid, private: &[u8], public: &[u8]| {
        let identifier = der::sequence(&[algorithm.as_der()]);
        let private = der::octet_string(&der::octet_string(private));
        let pkcs8 = der::sequence(&[b"\x02\x01\x00", &identifier, &private]);
        (pkcs8, der::sequence(&[&identifier, &der::bit_string(public)]))
    };
    let ml_kem = |set, algorithm| {
        let key = DecapsulationKey::generate(set).expect("a key");
        let public = key.encapsulation_key().expect("a public half");
        build(algorithm, key.key_bytes().expect("octets").as_ref(), public.key_bytes().expect("octets").as_ref())
    };
    let (pkcs8, public_key) = match kind {
        "x25519" => {
            let key = PrivateKey::generate(&X25519).expect("a key");
            let scalar: Curve25519SeedBin<'_> = key.as_be_bytes().expect("octets");
            build(oid::X25519, scalar.as_ref(), key.compute_public_key().expect("a public half").as_ref())
        }
        "ml-kem-512" => ml_kem(&kem::ML_KEM_512, oid::ML_KEM_512),
        "ml-kem-768" => ml_kem(&kem::ML_KEM_768, oid::ML_KEM_768),
        _ => ml_kem(&kem::ML_KEM_1024, oid::ML_KEM_1024),
    };
    let usage = if kind == "x25519" { KeyUsage::KEY_AGREEMENT } else { KeyUsage::KEY_ENCIPHERMENT };
    let (issuer, own) = (Key::p256(), name("CN=device-1"));
    let to_be_signed = TbsCertificate {
        serial: serial(1),
        signature_algorithm: issuer.signature_algorithm(),
        issuer: &own,
        subject: &own,
        not_before: NOW,
        not_after: NOW + est_core::Seconds::from_days(36_500),
        public_key: &public_key,
        extensions: &[Extension::subject_key_identifier(kind.as_bytes()), Extension::key_usage(usage)],
    };
    (pkcs8, issuer.signed(to_be_signed.to_der()))
}
