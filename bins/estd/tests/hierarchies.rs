//! Each label has a hierarchy of its own.

use std::path::Path;

use est_core::pkix::{Certificate, pem, read_certs_only};
use est_testkit::https::{Client, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// What a label's `/cacerts` lists, by subject; kept as `cacerts.pem`.
fn cacerts(shell: &Shell, server: &Server, path: &str) -> Vec<String> {
    shell.run(&format!(
        "curl -fsS --cacert {} {} | openssl base64 -d -A > cacerts.p7
         openssl pkcs7 -inform DER -in cacerts.p7 -print_certs -out cacerts.pem",
        server.ca().display(),
        server.est(path)
    ));
    let message = std::fs::read(shell.folder().join("cacerts.p7")).expect("an answer");
    let listed = read_certs_only(&message).expect("a certs-only message");
    let subject = |der: &Vec<u8>| Certificate::parse(der).expect("a certificate").subject().to_string();
    let mut subjects: Vec<_> = listed.iter().map(subject).collect();
    subjects.sort();
    subjects
}

/// Makes a root `top` and a CA `below` it.
fn two_levels(shell: &Shell, folder: &Path) {
    shell.run(&format!(
        "cd {}
         ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
         openssl req -x509 $ec -keyout top-key.pem -subj /CN=top -days 100 -out top.pem \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
         openssl req -new $ec -keyout below-key.pem -subj /CN=below -out below.csr
         printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\n' > below.ext
         printf 'subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' >> below.ext
         openssl x509 -req -in below.csr -CA top.pem -CAkey top-key.pem -CAcreateserial -days 90 -extfile below.ext -out below.pem
         chmod 600 below-key.pem",
        folder.display()
    ));
}

#[test]
fn each_label_lists_its_own_hierarchy_and_all_that_its_certificates_need() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let shell = Shell::new();
    two_levels(&shell, shell.folder());
    let folder = shell.folder().display();
    let server = Launch::configured(ESTD, |text| {
        let ca = format!("[est]\nunlabelled = true\n[[ca]]\nid = \"below\"\ncert = \"{folder}/below.pem\"\nkey = \"{folder}/below-key.pem\"");
        let label = "[[est.label]]\nname = \"devices\"\nca_id = \"below\"\nrequire_san = false";
        format!("{text}\n{ca}\nchain = \"{folder}/top.pem\"\nvalidity_days = 30\n{label}\n")
    })
    .start();
    assert_eq!(cacerts(&shell, &server, "/cacerts"), ["CN=Ohia CA"]);
    assert_eq!(cacerts(&shell, &server, "/devices/cacerts"), ["CN=below", "CN=top"]);

    shell.run(&format!(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /CN=device \
             -outform DER | openssl base64 -out leaf.b64
         curl -fsS --cacert {ca} -u :{password} -H 'Content-Type: application/pkcs10' --data-binary @leaf.b64 {url} |
             openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out leaf.pem
         openssl verify -x509_strict -purpose sslclient -trusted top.pem -untrusted cacerts.pem leaf.pem",
        ca = server.ca().display(),
        password = server.password(1),
        url = server.est("/devices/simpleenroll"),
    ));
    shell.fails(&format!("openssl verify -trusted {} -untrusted cacerts.pem leaf.pem", server.ca().display()));
}

/// What a server serves whose CA `main` has a label and whose CA `guest` has another one, both of them trusted.
fn with_guests(folder: &Path, text: &str, more: &str) -> String {
    let folder = folder.display();
    text.replace("trust_anchors = \"ca.pem\"", &format!("trust_anchors = [\"ca.pem\", \"{folder}/guest.pem\"]"))
        + &format!(
            r#"
[[ca]]
id = "guest"
cert = "{folder}/guest.pem"
key = "{folder}/guest-key.pem"

[est]
default_label = "guest"

[[est.label]]
name = "guest"
ca_id = "guest"
require_san = false
{more}"#
        )
}

/// Makes the CA `guest`.
fn guest_ca(shell: &Shell) {
    shell.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout guest-key.pem \
             -subj '/CN=Guest CA' -days 100 -out guest.pem \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
         chmod 600 guest-key.pem",
    );
}

#[test]
fn what_one_ca_issues_counts_at_the_labels_of_another_where_that_is_written_alone() {
    if !is_installed("openssl") {
        return;
    }
    let corp = "[[est.label]]\nname = \"corp\"\nca_id = \"main\"\nrequire_san = false\n";
    let named = format!("{corp}client_anchors = \"guest.pem\"\n");
    let identity = "[[identity]]\nname = \"guests\"\nissuer = \"^CN=Guest CA$\"\nlabels = [\"corp\", \"guest\"]\n";
    for (more, enrolls) in [(corp, 403), (&named, 200), (&format!("{corp}{identity}"), 200)] {
        let shell = Shell::new();
        guest_ca(&shell);
        let folder = shell.folder();
        let more = more.replace("guest.pem", &format!("{}/guest.pem", folder.display()));
        let server = Launch::configured(ESTD, |text| with_guests(folder, &text, &more)).start();
        let (key, ceo) = (Key::p256(), "CN=ceo,OU=Board,O=Corp");
        let created = server.estd_json(&["otp", "create", "--label", "guest"]);
        let password = created["otp"].as_str().expect("a password").to_owned();
        let body = base64(&key.csr(ceo, &[]));
        let answer =
            Client::new(server.port(), &server.ca()).enroll("/guest/simpleenroll", Some(&password), body.as_bytes());
        let certificate = answer.certificate();
        let file = folder.join("guest-ceo.pem");
        std::fs::write(&file, pem::encode("CERTIFICATE", &certificate)).expect("a file");
        let client = Client::showing(server.port(), &server.ca(), &[certificate], &key.to_pem());

        let ask = |path: &str| client.enroll(path, None, base64(&Key::p256().csr(ceo, &[])).as_bytes());
        assert_eq!(ask("/guest/simplereenroll").status, 200);
        assert_eq!(ask("/simplereenroll").status, 200);
        let renewed = ask("/corp/simplereenroll");
        assert_eq!(renewed.status, 403);
        let text =
            "this label renews only certificates that its own CA, CN=Ohia CA, issued, and CN=Guest CA issued this one";
        assert!(renewed.text().starts_with(text), "{}", renewed.text());
        let enrolled = ask("/corp/simpleenroll");
        assert_eq!(enrolled.status, enrolls, "{more}: {}", enrolled.text());

        let csr = folder.join("ceo.csr");
        std::fs::write(&csr, body).expect("a file");
        let (csr, file) = (csr.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
        let explained = server.estd(&["explain", "--label", "corp", "--csr", csr, "--as", file]);
        let checked = server.estd(&["check"]);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let (explained, checked) = (text(&explained.stdout), text(&checked.stdout) + &text(&checked.stderr));
        if enrolls == 200 {
            assert!(explained.contains("A certificate would be issued"), "{explained}");
        } else {
            let text = "certificates of CN=Guest CA are not accepted at this label";
            assert!(enrolled.text().starts_with(text), "{}", enrolled.text());
            assert!(explained.contains("other-ca") && explained.contains("client_anchors"), "{explained}");
            assert!(checked.contains("those of the CA \"guest\" not at \"corp\""), "{checked}");
        }
    }
}

#[test]
fn a_ca_whose_key_was_lost_hands_its_devices_to_another_one_of_its_name() {
    if !is_installed("openssl") {
        return;
    }
    let server = Launch::configured(ESTD, |text| text).start();
    let key = Key::p256();
    let body = base64(&key.csr("CN=device", &[]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let shell = Shell::new();
    let launch = server.kill();
    shell.run(&format!(
        "cd {}
         openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other-key.pem \
             -subj '/CN=Ohia CA' -days 100 -out other.pem \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
         chmod 600 other-key.pem",
        launch.folder().display()
    ));
    let config = launch.folder().join("estd.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let text = text
        .replace(
            "cert = \"ca.pem\"\nkey = \"ca-key.pem\"",
            "cert = \"other.pem\"\nkey = \"other-key.pem\"\nrollover = \"ca.pem\"",
        )
        .replace("trust_anchors = \"ca.pem\"", "trust_anchors = [\"ca.pem\", \"other.pem\"]");
    std::fs::write(&config, text).expect("the configuration can be written");
    let server = launch.start();
    let client = Client::showing(server.port(), &server.ca(), &[certificate], &key.to_pem());
    let renewed = client.enroll("/simplereenroll", None, body.as_bytes());
    assert_eq!(renewed.status, 200, "{}", renewed.text());
}

#[test]
fn a_request_that_waits_is_explained_as_it_was_admitted_also_below_an_intermediate_ca() {
    if !is_installed("openssl") {
        return;
    }
    let shell = Shell::new();
    two_levels(&shell, shell.folder());
    shell.run(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout made.key -subj /CN=made -out made.csr
         printf 'subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\nextendedKeyUsage=clientAuth,serverAuth\\n' > made.ext
         openssl x509 -req -in made.csr -CA below.pem -CAkey below-key.pem -CAcreateserial -days 30 -extfile made.ext \
             -out made.pem
         cat below.pem >> made.pem",
    );
    let label = "[est]\nunlabelled = true\n[[est.label]]\nname = \"made\"\nca_id = \"main\"\nrequire_san = false\n\
                 approval = \"manual\"\ncertificate_names = \"any\"\n";
    let server = Launch::configured(ESTD, |text| {
        let anchors = format!("trust_anchors = [\"ca.pem\", \"{}/top.pem\"]", shell.folder().display());
        text.replace("trust_anchors = \"ca.pem\"", &anchors) + label
    })
    .start();
    let path = |name: &str| shell.folder().join(name);
    let client = Client::with_certificate(server.port(), &server.ca(), &path("made.pem"), &path("made.key"));
    let body = base64(&Key::p256().csr("CN=made", &[]));
    let answer = client.enroll("/made/simpleenroll", None, body.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let listed = server.estd_json(&["requests", "list"]);
    let id = listed["requests"][0]["id"].as_str().expect("an id").to_owned();
    let shown = server.estd_json(&["requests", "show", &id]);
    assert_eq!(shown["explanation"]["would_be"], "issued", "{shown}");
}
