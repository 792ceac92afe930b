//! The system has no more threads to give.

use std::process::{Command, Stdio};

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::Launch;

use crate::ESTD;
use crate::faults::Faults;

#[test]
fn a_server_that_can_have_no_threads_says_so_and_does_not_start() {
    let Some(faults) = Faults::none_yet() else { return };
    let launch = Launch::configured(ESTD, |text| text);
    faults.begin("threads");
    let ended = Command::new(ESTD)
        .args(["run", "--listen", "127.0.0.1:0", "--config"])
        .arg(launch.folder().join("estd.toml"))
        .envs(faults.environment())
        .stdin(Stdio::null())
        .output()
        .expect("estd runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.lines().last().is_some_and(|line| line.starts_with("estd: ") && line.contains("TasksMax=")), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_server_that_gets_no_more_threads_for_a_while_goes_on_afterwards() {
    let Some(faults) = Faults::none_yet() else { return };
    let server = faults.befall(Launch::configured(ESTD, |text| text)).start();
    let (client, password) = (Client::new(server.port(), &server.ca()), server.password(10));
    let enroll = || {
        let csr = base64(&Key::p256().csr("CN=device", &[]));
        client.enroll("/simpleenroll", Some(&password), csr.as_bytes()).status
    };
    faults.begin("threads");
    assert_eq!(enroll(), 503, "no thread checks a password");
    faults.end("threads");
    assert_eq!(enroll(), 200);
    let (ended, log) = server.stop();
    assert!(ended.success() && !log.contains("panicked"), "{log}");
}
