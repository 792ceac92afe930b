//! `/serverkeygen`, as curl and OpenSSL see it.

use std::fs;
use std::path::Path;

use est_core::client::{self, Answer, Received};
use est_core::cms::Capabilities;
use est_core::pkix::{Certificate, Oid, oid, pem};
use est_core::{KeyPart, Operation, UnixTime};
use est_testkit::der;
use est_testkit::https::{Client, Response, base64, decode_base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::{Key, name};
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A server that makes keys; `more` goes to the end of its configuration.
fn launch(more: &str) -> Launch {
    let usage = "[[ca]]\ndefault_key_usage = [\"digitalSignature\", \"keyEncipherment\", \"keyAgreement\"]";
    Launch::configured(ESTD, |text| {
        text.replace("[[ca]]", usage) + "\n[est]\nserverkeygen = true\nunlabelled = true\n" + SHARED_KEY + more
    })
}

const SHARED_KEY: &str = "[[est.symmetric_key]]\nid = \"kek\"\nkey = \"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\"\n";

const SHARED: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

fn server() -> Server {
    launch("").start()
}

/// A key and its certificate out of an answer; the octets are those of the message or the PKCS #8.
fn read(response: &Response) -> (KeyPart, Certificate) {
    assert_eq!(response.status, 200, "{}", response.text());
    let headers: Vec<(&str, &[u8])> =
        response.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let received = Received { status: 200, headers: &headers, body: &response.body };
    let answer = client::read(Operation::ServerKeyGen, &received, UnixTime(0)).expect("an answer");
    let Answer::KeyAndCertificates { key, certificates } = answer else { panic!("{answer:?}") };
    assert_eq!(certificates.len(), 1, "the new certificate alone");
    (key, Certificate::parse(&certificates[0]).expect("a certificate"))
}

fn clear(key: KeyPart) -> Vec<u8> {
    let KeyPart::Pkcs8(der) = key else { panic!("in the clear") };
    der.to_vec()
}

fn attribute(id: &Oid, value: &[u8]) -> Vec<u8> {
    der::attribute(id.as_der(), &[value])
}

fn listed(algorithms: &[Oid]) -> Vec<u8> {
    attribute(&oid::SMIME_CAPABILITIES, &Capabilities::of(algorithms.iter().cloned()).to_der())
}

fn ask(client: &Client, server: &Server, csr: &[u8]) -> Response {
    client.enroll("/serverkeygen", Some(&server.password(1)), base64(csr).as_bytes())
}

#[test]
fn curl_gets_a_key_of_the_type_in_the_request_whose_signature_is_broken() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (server(), Shell::new());
    shell.run(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout own.key -subj /CN=device-1 -outform DER -out own.csr 2>/dev/null",
    );
    let path = shell.folder().join("own.csr");
    let mut csr = fs::read(&path).expect("a request");
    *csr.last_mut().expect("a signature") ^= 1;
    fs::write(shell.folder().join("own.b64"), base64(&csr)).expect("a file");
    shell.run(&format!(
        "curl -sS --fail-with-body --cacert {ca} -u device-1:{password} -H 'Content-Type: application/pkcs10' --data-binary @own.b64 -D head -o body {url}",
        ca = server.ca().display(),
        password = server.password(1),
        url = server.est("/serverkeygen")
    ));
    let head = shell.run("tr -d '\\r' < head");
    let body = fs::read_to_string(shell.folder().join("body")).expect("text");
    assert!(head.contains("content-type: multipart/mixed; boundary=est-server-generated-key"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(!body.replace("\r\n", "").contains('\n'), "lines end in CRLF");
    let parts: Vec<&str> = body.split("--est-server-generated-key").collect();
    let ["", key, certificate, "--\r\n"] = parts[..] else { panic!("two parts: {body}") };
    for (name, part) in [("key.der", key), ("certs.p7", certificate)] {
        let (headers, contents) = part.split_once("\r\n\r\n").expect("headers");
        assert!(headers.contains("Content-Transfer-Encoding: base64"), "{headers}");
        fs::write(shell.folder().join(name), decode_base64(contents.as_bytes())).expect("a file");
    }
    shell.run(&format!(
        "openssl pkcs7 -inform DER -in certs.p7 -print_certs -out cert.pem
         openssl x509 -in cert.pem -noout -pubkey > cert.pub
         openssl pkey -inform DER -in key.der -check -noout
         openssl pkey -inform DER -in key.der -pubout > key.pub
         openssl pkey -in own.key -pubout > own.pub
         cmp cert.pub key.pub
         openssl verify -x509_strict -CAfile {} cert.pem",
        server.ca().display()
    ));
    shell.fails("cmp cert.pub own.pub");
    assert!(shell.run("openssl pkey -pubin -in key.pub -noout -text").contains("P-384"));
}

#[test]
fn answers_each_combination_of_what_asks_for_encryption() {
    let server = server();
    let client = Client::new(server.port(), &server.ca());
    let capabilities = listed(&[oid::AES128_WRAP, oid::AES128_CBC]);
    let symmetric = attribute(&oid::DECRYPT_KEY_IDENTIFIER, &der::octet_string(b"kek"));
    let asymmetric = attribute(&oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, &der::octet_string(b"nobody's"));
    let unknown = attribute(&oid::DECRYPT_KEY_IDENTIFIER, &der::octet_string(b"another"));
    let uncommon = listed(&[oid::AES256_WRAP]);
    let (c, s, a) = (capabilities.as_slice(), symmetric.as_slice(), asymmetric.as_slice());
    let cases: [(&[&[u8]], u16, &str); 10] = [
        (&[], 200, "Content-Type: application/pkcs8\r\n"),
        (&[c, s], 200, "Content-Type: application/pkcs7-mime; smime-type=server-generated-key\r\n"),
        (&[c, a], 400, "knows no key with this identifier"),
        (&[c], 400, "no key to encrypt the new key with"),
        (&[s], 400, "without SMIMECapabilities"),
        (&[a], 400, "without SMIMECapabilities"),
        (&[s, a], 400, "not both"),
        (&[c, s, a], 400, "not both"),
        (&[c, &unknown], 400, "knows no key with this identifier"),
        (&[&uncommon, s], 400, "nothing in the SMIMECapabilities is supported"),
    ];
    for (attributes, status, text) in cases {
        let csr = Key::p256().csr_with_attributes(name("CN=device-1").as_der(), attributes);
        let response = ask(&client, &server, &csr);
        assert_eq!((response.status, response.text().contains(text)), (status, true), "{}", response.text());
    }
}

#[test]
fn refuses_to_send_a_key_twice_and_says_why() {
    let server = server();
    let client = Client::new(server.port(), &server.ca());
    let (csr, password) = (Key::p256().csr("CN=device-1", &[]), server.password(1));
    let first = client.enroll("/serverkeygen", Some(&password), base64(&csr).as_bytes());
    let (_, certificate) = read(&first);
    let again = client.enroll("/serverkeygen", Some(&password), base64(&csr).as_bytes());
    assert_eq!(again.status, 403);
    let text = again.text();
    assert!(text.contains("never kept") && text.contains("superseded"), "{text}");
    assert!(text.contains(&certificate.serial_text()), "{text}");
}

#[test]
fn no_generated_key_is_written_down_anywhere() {
    let server = launch("").env("RUST_LOG", "trace").start();
    let client = Client::new(server.port(), &server.ca());
    let response = ask(&client, &server, &Key::p256().csr("CN=quiet", &[]));
    let pkcs8 = clear(read(&response).0);
    let audit = server.estd_json(&["audit", "list"]).to_string();
    assert!(audit.contains("key.generated"), "that there was one is audited: {audit}");
    let mut places = vec![("audit", audit.into_bytes())];
    let folder = server.folder().to_owned();
    let files: Vec<_> = fs::read_dir(&folder)
        .expect("the server's folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    places.extend(files.iter().map(|path| ("a file", fs::read(path).expect("a file"))));
    assert!(files.iter().any(|path| path.ends_with("estd.db")), "{files:?}");
    let (_, log) = server.stop();
    assert!(log.contains("/serverkeygen") || log.contains("serverkeygen"), "{log}");
    places.push(("log", log.into_bytes()));
    // The private scalar follows the version of the ECPrivateKey.
    let at = pkcs8.windows(5).position(|window| window == b"\x02\x01\x01\x04\x20").expect("an ECPrivateKey") + 5;
    let scalar = &pkcs8[at..at + 32];
    let hex: String = scalar.iter().map(|octet| format!("{octet:02x}")).collect();
    let debug = format!("{scalar:?}");
    let debug = debug.trim_matches(['[', ']']);
    let middle = base64(&pkcs8[at / 3 * 3 + 3..at / 3 * 3 + 27]);
    assert!(response.text().contains(&middle), "what is looked for is what was sent");
    for (place, contents) in places {
        for needle in [scalar, hex.as_bytes(), hex.to_uppercase().as_bytes(), debug.as_bytes(), middle.as_bytes()] {
            let found = contents.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "the key is in {place}");
        }
    }
}

#[test]
fn openssl_undoes_what_was_encrypted_with_a_shared_key_and_to_the_client_certificate() {
    if !is_installed("openssl") {
        return;
    }
    let (server, shell) = (server(), Shell::new());
    let client = Client::new(server.port(), &server.ca());
    let verify = |shell: &Shell| {
        // What is encrypted is the SignedData alone: its ContentInfo is put around it again.
        let signed = fs::read(shell.folder().join("signed.der")).expect("a SignedData");
        let info = der::sequence(&[oid::ID_SIGNED_DATA.as_der(), &der::value(0xa0, &[&signed])]);
        fs::write(shell.folder().join("info.der"), info).expect("a file");
        shell.run(&format!(
            "openssl cms -verify -binary -inform DER -in info.der -CAfile {} -purpose any -out package.der",
            server.ca().display()
        ));
        let package = fs::read(shell.folder().join("package.der")).expect("a package");
        let key = est_core::cms::read_key_package(&package).expect("one key");
        fs::write(shell.folder().join("key.der"), key).expect("a file");
        shell.run("openssl pkey -inform DER -in key.der -pubout -outform DER -out key.pub");
        fs::read(shell.folder().join("key.pub")).expect("a public key")
    };

    let named = attribute(&oid::DECRYPT_KEY_IDENTIFIER, &der::octet_string(b"kek"));
    let csr = Key::p256().csr_with_attributes(name("CN=a").as_der(), &[&listed(&[oid::AES128_WRAP]), &named]);
    let (KeyPart::Enveloped(message), certificate) = read(&ask(&client, &server, &csr)) else { panic!("encrypted") };
    fs::write(shell.folder().join("envelope.der"), message).expect("a file");
    shell.run(&format!(
        "openssl cms -decrypt -binary -inform DER -in envelope.der -secretkey {SHARED} -secretkeyid 6b656b -out signed.der"
    ));
    assert_eq!(verify(&shell), certificate.public_key_der());

    for (newkey, algorithms) in [
        ("rsa:2048", vec![oid::RSAES_OAEP]),
        ("ec -pkeyopt ec_paramgen_curve:P-256", vec![oid::STD_DH_SHA256_KDF, oid::AES128_WRAP]),
    ] {
        let own = enroll(&server, &shell, &client, newkey);
        let named = attribute(&oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, &der::octet_string(&own));
        let csr = Key::p256().csr_with_attributes(name("CN=device-1").as_der(), &[&listed(&algorithms), &named]);
        let (certificate, key) = (shell.folder().join("own.pem"), shell.folder().join("own.key"));
        let holder = Client::with_certificate(server.port(), &server.ca(), &certificate, &key);
        let response = holder.enroll("/serverkeygen", None, base64(&csr).as_bytes());
        let (KeyPart::Enveloped(message), certificate) = read(&response) else { panic!("encrypted") };
        fs::write(shell.folder().join("envelope.der"), message).expect("a file");
        shell.run(
            "openssl cms -decrypt -binary -inform DER -in envelope.der -recip own.pem -inkey own.key -out signed.der",
        );
        assert_eq!(verify(&shell), certificate.public_key_der(), "{newkey}");
    }
}

/// Enrolls `own.key` for `own.pem`; returns the subjectKeyIdentifier.
fn enroll(server: &Server, shell: &Shell, client: &Client, newkey: &str) -> Vec<u8> {
    shell.run(&format!(
        "openssl req -new -newkey {newkey} -nodes -keyout own.key -subj /CN=device-1 -outform DER -out own.csr 2>/dev/null"
    ));
    let csr = fs::read(shell.folder().join("own.csr")).expect("a request");
    let response = client.enroll("/simpleenroll", Some(&server.password(1)), base64(&csr).as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    let message = decode_base64(&response.body);
    let der = est_core::pkix::read_certs_only(&message).expect("certificates").remove(0);
    write_pem(&shell.folder().join("own.pem"), &der);
    Certificate::parse(&der).expect("a certificate").subject_key_identifier().expect("an identifier")
}

fn write_pem(path: &Path, der: &[u8]) {
    fs::write(path, pem::encode("CERTIFICATE", der)).expect("a file");
}

#[test]
fn refuses_where_keys_must_be_made_by_their_users() {
    let label = "\n[[profile]]\nname = \"web\"\nbase = \"br-tls\"\n\
                 issuer_urls = [\"http://ca.example.com/ca.cer\"]\ncrl_urls = [\"http://ca.example.com/ca.crl\"]\n\
                 [[est.label]]\nname = \"web\"\nca_id = \"main\"\nprofile = \"web\"\n";
    let server = launch(label).start();
    let client = Client::new(server.port(), &server.ca());
    let csr = Key::p256().csr("CN=www.example.com", &["DNS:www.example.com"]);
    let response = client.enroll("/web/serverkeygen", Some(&server.password(1)), base64(&csr).as_bytes());
    assert_eq!((response.status, response.text().contains("enroll with your own")), (403, true), "{}", response.text());
}

#[test]
fn makes_no_key_before_an_operator_has_said_yes() {
    let label = "\n[[est.label]]\nname = \"vetted\"\nca_id = \"main\"\nrequire_san = false\napproval = \"manual\"\n";
    let server = launch(label).start();
    let client = Client::new(server.port(), &server.ca());
    let (csr, password) = (base64(&Key::p256().csr("CN=device-1", &[])), server.password(1));
    let ask = || client.enroll("/vetted/serverkeygen", Some(&password), csr.as_bytes());
    assert_eq!(ask().status, 202);
    let audit = server.estd_json(&["audit", "list"]).to_string();
    assert!(!audit.contains("key.generated"), "{audit}");
    let requests = server.estd_json(&["requests", "list"]);
    let id = requests["requests"][0]["id"].as_str().expect("an id").to_owned();
    assert!(server.estd(&["requests", "approve", &id]).status.success());
    let _ = read(&ask());
    assert_eq!(ask().status, 403, "and it is sent once");
}
