//! Each label has a hierarchy of its own.

use std::path::Path;

use est_core::pkix::{Certificate, read_certs_only};
use est_testkit::peers::is_installed;
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
        let ca = format!("[[ca]]\nid = \"below\"\ncert = \"{folder}/below.pem\"\nkey = \"{folder}/below-key.pem\"");
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
