//! strongSwan's `pki`, which knows no line breaks in base64 and wants head and body in one TLS record.

use est_testkit::peers::is_installed;
use est_testkit::server::Server;
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

#[test]
fn fetches_enrolls_and_renews() {
    if !is_installed("pki") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let (url, ca) = (server.url().replace("127.0.0.1", "localhost"), server.ca());
    let ca = ca.display();

    shell.run(&format!("pki --estca --url {url} --cacert {ca} --caout fetched --outform pem"));
    shell.run(&format!("openssl x509 -in fetched*.pem > fetched.txt && openssl x509 -in {ca} | cmp - fetched.txt"));

    for (name, key) in [("ec", "ecdsa --size 256"), ("rsa", "rsa --size 2048")] {
        shell.run(&format!(
            "pki --gen --type {key} --outform pem > {name}.key
             pki --req --in {name}.key --type priv --dn 'C=CH, O=Example, CN={name}' --san {name}.example --outform pem > {name}.csr
             pki --est --url {url} --cacert {ca} --userpass '{name}:{}' --in {name}.csr --outform pem > {name}.pem
             openssl verify -x509_strict -CAfile {ca} {name}.pem
             pki --gen --type {key} --outform pem > {name}2.key
             pki --req --in {name}2.key --type priv --dn 'C=CH, O=Example, CN={name}' --san {name}.example --outform pem > {name}2.csr
             pki --est --url {url} --cacert {ca} --cert {name}.pem --key {name}.key --in {name}2.csr --outform pem > {name}2.pem
             openssl verify -x509_strict -CAfile {ca} {name}2.pem",
            server.password(1)
        ));
        let names = shell.run(&format!("openssl x509 -in {name}2.pem -noout -subject -ext subjectAltName"));
        assert!(names.contains(&format!("CN = {name}")) && names.contains(&format!("DNS:{name}.example")), "{names}");
    }
}
