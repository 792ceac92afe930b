//! Small clients in C on TLS libraries of devices: wolfSSL and mbedTLS make keys, requests, base64 and CMS by themselves.

use std::path::Path;

use est_testkit::peers::{has_file, is_installed};
use est_testkit::server::Server;
use est_testkit::shell::Shell;

use crate::ESTD;

/// Compiles `NAME.c` to `NAME`; `None` skips the test.
fn compiled(name: &str, header: &str, libraries: &str) -> Option<Shell> {
    if !is_installed("cc") || !has_file(name, &Path::new("/usr/include").join(header)) {
        return None;
    }
    let shell = Shell::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name).with_extension("c");
    shell.run(&format!("cc -O1 -Wall -Wextra -Werror -o {name} {} {libraries}", source.display()));
    Some(shell)
}

/// Fetches the CA certificates, enrolls by password, and renews with the same key and with another.
fn runs_every_flow(server: &Server, shell: &Shell, client: &str, kind: &str) {
    let (port, ca) = (server.port(), server.ca());
    let ca = ca.display();
    shell.run(&format!(
        "./{client} {port} {ca} cacerts fetched.pem
         openssl x509 -in {ca} > known.pem && openssl x509 -in fetched.pem | cmp - known.pem
         rm -f *.key
         ./{client} {port} {ca} enroll {password} device {kind}1.key first.pem
         ./{client} {port} {ca} reenroll first.pem {kind}1.key device {kind}1.key second.pem
         ./{client} {port} {ca} reenroll second.pem {kind}1.key device {kind}2.key third.pem
         openssl verify -x509_strict -CAfile {ca} first.pem second.pem third.pem
         for pair in {kind}1:first {kind}1:second {kind}2:third; do
             openssl x509 -in ${{pair#*:}}.pem -noout -pubkey > cert.pub
             openssl pkey -in ${{pair%:*}}.key -pubout | cmp - cert.pub
         done",
        password = server.password(1)
    ));
    let refused = shell.fails(&format!("./{client} {port} {ca} enroll no-such.password device {kind}3.key new.pem"));
    assert!(refused.contains("the one-time password is not accepted"), "{refused}");
}

#[test]
fn wolfssl_fetches_enrolls_and_renews_in_tls_1_2_and_1_3() {
    let Some(shell) = compiled("wolfssl", "wolfssl/options.h", "-lwolfssl") else { return };
    let server = Server::dev(ESTD);
    for version in ["1.2", "1.3"] {
        runs_every_flow(&server, &shell, &format!("wolfssl {version}"), "ec");
    }
}

#[test]
fn mbedtls_fetches_enrolls_and_renews() {
    let libraries = "-lmbedtls -lmbedx509 -lmbedcrypto";
    let Some(shell) = compiled("mbedtls", "mbedtls/ssl.h", libraries) else { return };
    let server = Server::dev(ESTD);
    for kind in ["ec", "rsa"] {
        runs_every_flow(&server, &shell, "mbedtls", kind);
    }
}
