//! `est` against a real `estd`.

mod odd;
mod renew;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use est_core::pkix::{Certificate, KeyType, SubjectPublicKeyInfo, pem};
use est_testkit::peers::is_installed;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};
use est_testkit::shell::Shell;

const EST: &str = env!("CARGO_BIN_EXE_est");

fn estd() -> PathBuf {
    let estd = Path::new(EST).with_file_name("estd");
    assert!(estd.exists(), "build it first: cargo build --workspace --all-features --bins");
    estd
}

/// `est` in a folder, about a server.
fn est(folder: &Shell, server: &Server, command: &str, more: &[&str]) -> Command {
    let mut est = Command::new(EST);
    let url = server.url().replace("127.0.0.1", "localhost");
    est.current_dir(folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
    est.arg(command).args(["--server", &url]).args(more);
    est
}

fn run(folder: &Shell, server: &Server, command: &str, more: &[&str]) -> Output {
    let ca = server.ca();
    let trust = ["--cacert", ca.to_str().expect("UTF-8")];
    est(folder, server, command, &[&trust[..], more].concat()).output().expect("est runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn succeed(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

fn certificate(folder: &Shell, name: &str) -> Certificate {
    let text = std::fs::read_to_string(folder.folder().join(name)).expect("a certificate");
    Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate")
}

#[test]
fn enrolls_renews_and_openssl_verifies() {
    let (server, folder) = (Server::dev(estd()), Shell::new());
    let password = server.password(1);
    let names =
        ["--subject", "CN=device-1,O=Example", "--san", "DNS:device-1.example", "--key-out", "d.key", "--out", "d.pem"];
    let credentials = ["--user", "device-1", "--password", &password];
    succeed(&run(&folder, &server, "enroll", &[&credentials[..], &names].concat()));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.folder().join("d.key")).expect("a key").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let first = certificate(&folder, "d.pem");

    // The same key file and the same password: the answer might have been lost.
    succeed(&run(&folder, &server, "enroll", &[&credentials[..], &names].concat()));
    assert_eq!(certificate(&folder, "d.pem"), first);

    succeed(&run(&folder, &server, "reenroll", &["--cert", "d.pem", "--key", "d.key"]));
    let renewed = certificate(&folder, "d.pem");
    assert_eq!((renewed.subject(), renewed.subject_alt_name()), (first.subject(), first.subject_alt_name()));
    assert_ne!(renewed.serial(), first.serial());
    if is_installed("openssl") {
        folder.run(&format!("openssl verify -x509_strict -CAfile {} d.pem", server.ca().display()));
    }
}

#[test]
fn enrolls_every_type_of_key() {
    let (server, folder) = (Server::dev(estd()), Shell::new());
    let types =
        ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"];
    for key_type in types {
        let password = server.password(1);
        let subject = format!("CN={key_type}");
        let out = format!("{key_type}.pem");
        let arguments = ["--password", &password, "--subject", &subject, "--key-type", key_type, "--out", &out];
        succeed(&run(&folder, &server, "enroll", &arguments));
        let key = SubjectPublicKeyInfo::parse(certificate(&folder, &out).public_key_der()).expect("a key");
        assert_eq!(Ok(key.key_type()), key_type.parse::<KeyType>());
    }
}

#[test]
fn fetches_ca_certificates_by_their_fingerprint() {
    let (server, folder) = (Server::dev(estd()), Shell::new());
    let ca = std::fs::read_to_string(server.ca()).expect("the CA");
    let ca = Certificate::parse(&pem::decode(&ca).expect("PEM")[0].contents).expect("a certificate");
    let fingerprint = ca.fingerprint().to_string();
    let shown = est(&folder, &server, "cacerts", &[]).output().expect("est runs");
    assert!(text(&shown).contains(&fingerprint), "{}", text(&shown));
    succeed(
        &est(&folder, &server, "cacerts", &["--fingerprint", &fingerprint, "--out", "ca.pem"])
            .output()
            .expect("est runs"),
    );
    assert_eq!(certificate(&folder, "ca.pem"), ca);
    let wrong = fingerprint.replace(&fingerprint[..2], "00");
    let refused =
        est(&folder, &server, "cacerts", &["--fingerprint", &wrong, "--out", "no.pem"]).output().expect("est runs");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(!folder.folder().join("no.pem").exists());
}

#[test]
fn tells_which_attributes_the_server_wants() {
    let folder = Shell::new();
    let none = Server::dev(estd());
    assert!(text(&run(&folder, &none, "csrattrs", &[])).contains("none"));
    let some =
        Launch::configured(estd(), |text| text + "\n[est]\ncsr_attributes = [\"challengePassword\", \"2.5.4.5\"]\n")
            .start();
    let listed = run(&folder, &some, "csrattrs", &[]);
    succeed(&listed);
    assert!(text(&listed).contains("challengePassword") && text(&listed).contains("2.5.4.5"), "{}", text(&listed));
}

#[test]
fn follows_a_request_until_somebody_approves() {
    let label = "\n[est]\nretry_after = 1\nunlabelled = true\n\n[[est.label]]\nname = \"vetted\"\nca_id = \"main\"\nrequire_san = false\napproval = \"manual\"\n";
    let (server, folder) = (Launch::configured(estd(), |text| text + label).start(), Shell::new());
    let (ca, password) = (server.ca(), server.password(1));
    let arguments = [
        "--cacert",
        ca.to_str().expect("UTF-8"),
        "--label",
        "vetted",
        "--password",
        &password,
        "--subject",
        "CN=patient",
    ];
    let mut child = est(&folder, &server, "enroll", &arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("est runs");
    // Looks until the request is there; a client that gives up ends the loop as well.
    let id = loop {
        let waiting = server.estd_json(&["requests", "list"]);
        if let Some(id) = waiting["requests"][0]["id"].as_str() {
            break id.to_owned();
        }
        assert!(child.try_wait().expect("a process").is_none(), "est gave up");
    };
    assert!(server.estd(&["requests", "approve", &id]).status.success());
    assert!(child.wait().expect("a process").success());
    assert_eq!(certificate(&folder, "patient.pem").subject().to_string(), "CN=patient");
}

#[test]
fn says_why_it_failed_and_exits_accordingly() {
    let (server, folder) = (Server::dev(estd()), Shell::new());
    let refused = run(&folder, &server, "enroll", &["--password", "nonsense", "--subject", "CN=x"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused).contains("the one-time password is not accepted"), "{}", text(&refused));
    let other = Server::dev(estd());
    let ca = other.ca();
    let untrusted = ["--cacert", ca.to_str().expect("UTF-8"), "--password", "x.y", "--subject", "CN=y"];
    let untrusted = est(&folder, &server, "enroll", &untrusted).output().expect("est runs");
    assert_eq!(untrusted.status.code(), Some(1));
    assert!(text(&untrusted).contains("cacerts"), "{}", text(&untrusted));
    assert_eq!(run(&folder, &server, "enroll", &["--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn measures_a_server() {
    let (server, folder) = (Launch::configured(estd(), |text| text + BUSY_PRINCIPALS).start(), Shell::new());
    let password = server.password(1);
    succeed(&run(
        &folder,
        &server,
        "enroll",
        &["--password", &password, "--subject", "CN=bench", "--key-out", "b.key", "--out", "b.pem"],
    ));
    for more in [&[][..], &["--new-connections"]] {
        let arguments = ["--cert", "b.pem", "--key", "b.key", "--duration", "1s", "--concurrency", "4", "--json"];
        let measured = run(&folder, &server, "bench", &[&arguments[..], more].concat());
        succeed(&measured);
        let measured: serde_json::Value = serde_json::from_slice(&measured.stdout).expect("JSON");
        assert!(measured["enrollments"].as_u64().is_some_and(|count| count > 0), "{measured}");
        assert_eq!(measured["failures"]["total"], 0, "{measured}");
        assert!(measured["rate_per_s"].as_f64().is_some());
        for percentile in ["p50", "p90", "p99", "max"] {
            assert!(measured["latency_ms"][percentile].as_f64().is_some(), "{measured}");
        }
    }
}

#[test]
fn links_its_requests_where_the_server_asks_for_it_or_the_user() {
    let required = |text| format!("{text}\n[est]\nlinking = \"required\"\n");
    let (server, folder) = (Launch::configured(estd(), required).start(), Shell::new());
    let password = server.password(1);
    let names = ["--subject", "CN=linked", "--key-out", "d.key", "--out", "d.pem", "--password", &password];
    let refused = run(&folder, &server, "enroll", &[&["--link=never"][..], &names].concat());
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("link the request to its TLS connection"), "{}", text(&refused));
    succeed(&run(&folder, &server, "enroll", &names));
    let first = certificate(&folder, "d.pem");
    // On another connection it is another link, and the same request.
    succeed(&run(&folder, &server, "enroll", &names));
    assert_eq!(certificate(&folder, "d.pem"), first);
    succeed(&run(&folder, &server, "reenroll", &["--cert", "d.pem", "--key", "d.key"]));

    let (server, folder) = (Server::dev(estd()), Shell::new());
    let linked = || {
        let output = server.estd(&["audit", "list", "--event", "cert.issued"]);
        String::from_utf8_lossy(&output.stdout).matches("linked by tls-exporter").count()
    };
    for (flags, count) in [(&["--subject", "CN=plain"][..], 0), (&["--subject", "CN=linked", "--link"], 1)] {
        let password = server.password(1);
        succeed(&run(&folder, &server, "enroll", &[flags, &["--password", &password]].concat()));
        assert_eq!(linked(), count);
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_closed_pipe_ends_quietly() {
    let (server, folder) = (Server::dev(estd()), Shell::new());
    let ca = server.ca();
    let trust = ["--cacert", ca.to_str().expect("UTF-8")];
    let commands = [
        est(&folder, &server, "cacerts", &[&trust[..], &["--out", "-"]].concat()),
        est(&folder, &server, "cacerts", &trust),
        est(&folder, &server, "csrattrs", &trust),
    ];
    let offline = [&["man"][..], &["completions", "bash"], &["--help"]].map(|arguments| {
        let mut est = Command::new(EST);
        est.args(arguments);
        est
    });
    for mut command in commands.into_iter().chain(offline) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let lost = command.stdout(full).stderr(Stdio::piped()).output().expect("est runs");
        assert_eq!(lost.status.code(), Some(1), "{command:?}: {}", text(&lost));
        assert!(text(&lost).contains("cannot write to standard output: No space"), "{command:?}: {}", text(&lost));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let closed = command.stdout(writer).stderr(Stdio::piped()).output().expect("est runs");
        assert_eq!(closed.status.code(), Some(141), "{command:?}: {}", text(&closed));
        assert!(!text(&closed).contains("est: "), "{command:?}: {}", text(&closed));
    }
}
