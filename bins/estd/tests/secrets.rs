//! Nothing secret is ever written down, at the most talkative log level.

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

#[test]
fn no_key_and_no_password_reaches_a_log() {
    let mut server = Launch::dev(ESTD).env("RUST_LOG", "trace").start();
    let key = Key::p256();
    let mut secrets = Vec::new();
    let client = Client::new(server.port(), &server.ca());
    let body = base64(&key.csr("CN=quiet", &[]));
    for wrong in ["guess.wrongwrongwrongwrong", "nodot", "", ":::"] {
        let answer = client.enroll("/simpleenroll", Some(wrong), body.as_bytes());
        assert_eq!(answer.status, 401);
    }
    secrets.push("wrongwrongwrongwrong".to_owned());
    for body in [body.as_str(), "garbage"] {
        let password = server.password(1);
        let _ = client.enroll("/simpleenroll", Some(&password), body.as_bytes());
        let (_, secret) = password.split_once('.').expect("id.secret");
        secrets.extend([secret.to_owned(), base64(format!(":{password}").as_bytes())]);
    }
    // Those that `dev` printed for its user must not be in the log either.
    for line in server.printed() {
        let passwords = line.split_whitespace().filter_map(|word| word.trim_matches('\'').rsplit_once(':'));
        secrets.extend(
            passwords
                .filter(|(_, word)| word.len() > 30 && !word.contains('/'))
                .filter_map(|(_, word)| word.split_once('.').map(|(_, secret)| secret.to_owned())),
        );
    }
    for name in ["ca-key.pem", "server-key.pem"] {
        let pem = std::fs::read_to_string(server.folder().join(name)).expect("a key file");
        secrets.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    }
    assert!(secrets.len() >= 10, "{}", secrets.len());
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(log.lines().count() > 50, "trace logs something: {log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "a secret of {} characters is in the log", secret.len());
    }
}

#[test]
fn key_files_and_the_database_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::dev(ESTD);
    for name in ["ca-key.pem", "server-key.pem", "estd.db"] {
        let mode = std::fs::metadata(server.folder().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
