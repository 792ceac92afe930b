//! Bouncy Castle's `ESTService`, over SunJSSE and over its own JSSE. It asks without credentials first, and fails when it
//! closes an answer that it has not read.

use std::path::Path;
use std::process::Command;

use est_testkit::java::Java;
use est_testkit::peers::has_file;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

use crate::session::Session;
use crate::{ESTD, EVERY_FLOW};

const LABELS: &str = r#"
[[est.label]]
name = "plain"
ca_id = "main"
require_san = false
csr_attributes = []

[[est.label]]
name = "unlinked"
ca_id = "main"
linking = "off"
"#;

/// A server, a client of it, and the folder of the client's files; `None` skips the test.
fn start() -> Option<(Server, Session, Shell)> {
    let jsse = Path::new("/usr/share/java/bctls.jar");
    let java = Java::with_bouncy_castle().filter(|_| has_file("Bouncy Castle's JSSE", jsse))?.and(jsse);
    let server = Launch::configured(ESTD, |text| text + EVERY_FLOW + LABELS).start();
    let shell = Shell::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/BouncyCastle.java");
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &java.class_path()]).arg(source);
    command.arg(format!("localhost:{}", server.port())).arg(server.ca()).current_dir(shell.folder());
    Some((server, Session::start(&mut command), shell))
}

fn password(server: &Server) -> String {
    format!("password device {}", server.password(50))
}

/// `openssl verify` accepts the certificate, and its key is the one in the file.
fn verify(server: &Server, shell: &Shell, name: &str) {
    shell.run(&format!(
        "openssl verify -x509_strict -CAfile {} {name}.pem
         openssl x509 -in {name}.pem -noout -pubkey > cert.pub
         openssl pkey -in {name}.key -pubout | cmp - cert.pub",
        server.ca().display()
    ));
}

#[test]
fn bouncy_castle_enrolls_by_password_and_by_certificate_and_renews() {
    let Some((server, mut client, shell)) = start() else { return };
    for tls in ["TLSv1.3 SunJSSE", "TLSv1.2 SunJSSE", "TLSv1.3 BCJSSE", "TLSv1.2 BCJSSE"] {
        client.ask(&format!("tls {tls}"));
        client.expect(&[("cacerts", "1"), ("csrattrs", "some"), ("label plain", "ok"), ("csrattrs", "none")]);
        client.expect(&[("label -", "ok"), ("as nobody", "ok")]);
        client.expect(&[("password device no-such.password", "ok"), ("key first EC", "ok")]);
        let refused = client.ask("enroll first device");
        assert!(refused.starts_with("refused 401: the one-time password is not accepted"), "{refused}");
        for kind in ["EC", "RSA"] {
            client.expect(&[
                (&format!("key first {kind}"), "ok"),
                (&password(&server), "ok"),
                ("enroll first device", "issued"),
                ("password - -", "ok"),
                ("as first", "ok"),
                ("reenroll first device", "issued"),
                (&format!("key second {kind}"), "ok"),
                ("reenroll second device", "issued"),
                ("as second", "ok"),
                ("key third EC", "ok"),
                ("enroll third device", "issued"),
                ("as nobody", "ok"),
            ]);
            for name in ["first", "second", "third"] {
                verify(&server, &shell, name);
            }
        }
    }
}

#[test]
fn bouncy_castle_enrolls_by_password_beside_a_certificate_that_does_not_count() {
    let Some((server, mut client, shell)) = start() else { return };
    shell.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout stranger.key -subj /CN=stranger \
         -out stranger.pem 2>/dev/null",
    );
    client.expect(&[
        ("key device EC", "ok"),
        ("as stranger", "ok"),
        (&password(&server), "ok"),
        ("enroll device device", "issued"),
    ]);
    verify(&server, &shell, "device");
}

#[test]
fn bouncy_castle_has_keys_made_for_it() {
    let Some((server, mut client, shell)) = start() else { return };
    for kind in ["EC", "RSA"] {
        client.expect(&[
            (&password(&server), "ok"),
            (&format!("key own {kind}"), "ok"),
            ("serverkeygen own device", "issued"),
            ("enroll own device", "issued"),
            ("password - -", "ok"),
            ("as own", "ok"),
        ]);
        verify(&server, &shell, "own-made");
        client.expect(&[("serverkeygen own device", "issued"), ("as nobody", "ok")]);
        verify(&server, &shell, "own-made");
    }
}

#[test]
fn bouncy_castle_waits_for_a_person_and_polls() {
    let Some((server, mut client, shell)) = start() else { return };
    for kind in ["EC", "RSA"] {
        client.expect(&[
            ("label vetted", "ok"),
            (&password(&server), "ok"),
            (&format!("key waiting {kind}"), "ok"),
            ("enroll waiting waiting", "wait 60"),
            ("poll", "wait 60"),
        ]);
        let waiting = server.estd_json(&["requests", "list"]);
        let id = waiting["requests"][0]["id"].as_str().expect("an id");
        assert!(server.estd(&["requests", "approve", id]).status.success());
        client.expect(&[("poll", "issued")]);
        verify(&server, &shell, "waiting");
    }
}

#[test]
fn bouncy_castle_that_links_by_tls_unique_is_told_what_an_operator_can_set() {
    let Some((server, mut client, shell)) = start() else { return };
    client.expect(&[("tls TLSv1.2 BCJSSE", "ok"), (&password(&server), "ok"), ("key linked EC", "ok")]);
    let refused = client.ask("pop linked device");
    assert!(refused.contains("tls-unique") && refused.contains("linking = \"off\""), "{refused}");
    client.expect(&[("label unlinked", "ok"), ("pop linked device", "issued")]);
    verify(&server, &shell, "linked");
    let denied = server.estd_json(&["audit", "list", "--event", "cert.denied"]);
    let reason = denied["events"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("linking-tls-unique: ") && reason.contains("linking = \"off\""), "{reason}");
    let (_, log) = server.stop();
    let line = log.lines().find(|line| line.contains("linking-tls-unique")).expect("a log line");
    // Quotes within a value are escaped in the log.
    assert!(line.replace('\\', "").contains("linking = \"off\""), "{line}");
}
