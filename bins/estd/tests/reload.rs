//! Another configuration while the server runs.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use est_core::pkix::{Certificate, pem};
use est_testkit::https::{Client, Connection, base64, post, read_response};
use est_testkit::pki::Key;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};
use serde_json::json;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long a reload may take: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until it is so, or patience has run out.
fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if is_so() {
            return true;
        }
    }
    false
}

/// A server whose first configuration is kept, to read its audit trail by when the file has mistakes.
fn served() -> Server {
    let launch = Launch::configured(ESTD, |text| text + BUSY_PRINCIPALS);
    std::fs::copy(launch.folder().join("estd.toml"), launch.folder().join(FIRST)).expect("a copy");
    launch.start()
}

const FIRST: &str = "first.toml";

fn config(server: &Server) -> PathBuf {
    server.folder().join("estd.toml")
}

fn hang_up(server: &Server) {
    let status = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

fn label(name: &str) -> String {
    format!("\n[est]\nunlabelled = true\n[[est.label]]\nname = \"{name}\"\nca_id = \"main\"\n")
}

fn get(path: &str) -> String {
    format!("GET /.well-known/est{path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Asks on a connection that stays open.
fn ask(connection: &mut Connection, request: &[u8]) -> u16 {
    connection.write_all(request).and_then(|()| connection.flush()).expect("sent");
    read_response(connection).expect("an answer").status
}

/// Has the server serve `text` and one more label, and waits until it does, asking by `client`.
fn reload(server: &Server, client: &Client, text: &str, marker: &str) {
    std::fs::write(config(server), format!("{text}{}", label(marker))).expect("the configuration can be written");
    hang_up(server);
    let request = get(&format!("/{marker}/cacerts")).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let is_served = || client.exchange(request.as_bytes()).is_ok_and(|answer| answer.status == 200);
    assert!(comes_true(is_served), "the label {marker} never came");
}

/// The reasons of the audit records of this kind, the latest first.
fn reasons(server: &Server, event: &str) -> Vec<String> {
    let mut command = Command::new(ESTD);
    command.args(["audit", "list", "--json", "--event", event, "--config"]).arg(server.folder().join(FIRST));
    let output = command.output().expect("estd runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let records = listed["events"].as_array().expect("a list");
    records.iter().map(|record| record["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).expect("a file can be copied");
    }
}

/// Enrolls at `server` with a password.
fn enroll(server: &Server, name: &str) -> (Vec<u8>, String) {
    let key = Key::p256();
    let body = base64(&key.csr(&format!("CN={name}"), &[]));
    let client = Client::new(server.port(), &server.ca());
    let answer = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes());
    (answer.certificate(), key.to_pem())
}

#[test]
fn a_new_handshake_shows_the_new_certificate_and_an_open_connection_goes_on() {
    let server = served();
    let other = Launch::configured(ESTD, |text| text);
    let (before, after) =
        (Client::new(server.port(), &server.ca()), Client::new(server.port(), &other.folder().join("ca.pem")));
    assert!(after.connect().is_err());
    let mut open = before.connect().expect("a connection");
    assert_eq!(ask(&mut open, get("/cacerts").as_bytes()), 200);
    copy(other.folder(), server.folder(), &["server.pem", "server-key.pem"]);
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    reload(&server, &after, &text, "fresh");
    assert_eq!(ask(&mut open, get("/cacerts").as_bytes()), 200);
    // What is configured is the same on every connection, however old.
    assert_eq!(ask(&mut open, get("/fresh/cacerts").as_bytes()), 200);
    assert_eq!(reasons(&server, "config.reloaded"), ["changed: est, tls"]);
}

#[test]
fn a_trust_anchor_that_is_gone_lets_nobody_in_over_old_or_new_connections() {
    let other = Launch::configured(ESTD, |text| text).start();
    let (certificate, key) = enroll(&other, "stranger");
    let server = Launch::configured(ESTD, |text| {
        text.replace("trust_anchors = \"ca.pem\"", "trust_anchors = [\"ca.pem\", \"other.pem\"]")
            .replace("trust_anchors = [\"ca.pem\"]", "trust_anchors = [\"ca.pem\", \"other.pem\"]")
    });
    std::fs::copy(other.ca(), server.folder().join("other.pem")).expect("a copy");
    let server = server.start();
    let mine = enroll(&server, "mine");
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    assert!(text.contains("other.pem"), "{text}");
    let nobody = Client::new(server.port(), &server.ca());
    let friend = Client::showing(server.port(), &server.ca(), &[certificate], &key);
    let known = Client::showing(server.port(), &server.ca(), &[mine.0], &mine.1);
    let body = base64(&Key::p256().csr("CN=stranger", &[]));
    let renewal = post("/simpleenroll", None, body.as_bytes());
    let renewal = String::from_utf8(renewal).expect("text").replace("Connection: close\r\n", "");
    let mut open = friend.connect().expect("a connection");
    assert_eq!(ask(&mut open, renewal.as_bytes()), 200);
    let without = text.replace(", \"other.pem\"", "");
    reload(&server, &nobody, &without, "without");
    assert_eq!(ask(&mut open, renewal.as_bytes()), 401);
    let mut again = friend.connect().expect("a connection");
    assert_eq!(ask(&mut again, renewal.as_bytes()), 401);

    // In mode `required` the handshake itself refuses, also one that would resume a session.
    let required = text.replace("mode = \"optional\"", "mode = \"required\"");
    assert_ne!(required, text);
    reload(&server, &known, &required, "required");
    let mut open = friend.connect().expect("a connection");
    assert_eq!(ask(&mut open, get("/cacerts").as_bytes()), 200);
    assert!(friend.exchange(get("/cacerts").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).is_ok());
    reload(&server, &known, &required.replace(", \"other.pem\"", ""), "strict");
    assert!(friend.exchange(get("/cacerts").as_bytes()).is_err());
    assert_eq!(ask(&mut open, get("/cacerts").as_bytes()), 401);
    let mut rest = Vec::new();
    assert!(open.read_to_end(&mut rest).is_ok_and(|count| count == 0), "the connection ends");
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_says_why() {
    let server = served();
    let client = Client::new(server.port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    let is_rejected = |server: &Server, count: usize| {
        assert!(comes_true(|| reasons(server, "config.rejected").len() == count), "nothing was rejected");
        reasons(server, "config.rejected").remove(0)
    };
    std::fs::write(config(&server), text.replace("[tls]", "[tls]\nfoo = \"hunter2\"")).expect("written");
    hang_up(&server);
    let reason = is_rejected(&server, 1);
    assert!(reason.contains("estd.toml:") && reason.contains("tls.foo") && !reason.contains("hunter2"), "{reason}");
    // The file is well, but a key that it names is not: found out when everything is put together.
    std::fs::write(config(&server), format!("{text}{}", label("never"))).expect("written");
    std::fs::rename(server.folder().join("ca-key.pem"), server.folder().join("kept.pem")).expect("renamed");
    std::fs::write(server.folder().join("ca-key.pem"), Key::p256().to_pem()).expect("written");
    hang_up(&server);
    assert!(is_rejected(&server, 2).contains("ca-key.pem"));
    let never = get("/never/cacerts").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert_eq!(client.exchange(never.as_bytes()).expect("an answer").status, 404);
    std::fs::rename(server.folder().join("kept.pem"), server.folder().join("ca-key.pem")).expect("renamed");
    std::fs::write(config(&server), &text).expect("written");
    let body = base64(&Key::p256().csr("CN=after", &[]));
    client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    assert_eq!(reasons(&server, "config.reloaded"), [""; 0]);
    let (_, log) = server.stop();
    assert!(log.contains("not reloaded") && log.contains("tls.foo") && !log.contains("hunter2"), "{log}");
}

#[test]
fn what_needs_a_restart_is_told_and_kept() {
    let server = served();
    let client = Client::new(server.port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    let moved = text.replace("listen = \"0.0.0.0:8443\"", "listen = \"127.0.0.1:1\"\nworkers = 3");
    assert_ne!(moved, text);
    let moved = moved.replace("sqlite://estd.db", "sqlite://other.db");
    reload(&server, &client, &moved, "moved");
    let expected = "changed: db, est, server; not before a restart: server.listen, server.workers, db";
    assert_eq!(reasons(&server, "config.reloaded").first().map(String::as_str), Some(expected));
    assert!(!server.folder().join("other.db").exists());
}

#[test]
fn a_request_that_has_begun_ends_by_the_rules_that_it_began_with() {
    let server = Launch::configured(ESTD, |text| text + &label("old")).start();
    let client = Client::new(server.port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    let body = base64(&Key::p256().csr("CN=slow", &["slow.example"]));
    let request = String::from_utf8(post("/old/simpleenroll", Some(&server.password(1)), body.as_bytes()));
    let request = request.expect("text").replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    let (head, body) = request.split_at(request.find("\r\n\r\n").expect("a head") + 4);
    let mut connection = client.connect().expect("a connection");
    connection.write_all(head.as_bytes()).and_then(|()| connection.flush()).expect("sent");
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).expect("an answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let without = text.replace(&label("old"), "");
    reload(&server, &client, &without, "next");
    connection.write_all(body.as_bytes()).and_then(|()| connection.flush()).expect("sent");
    read_response(&mut connection).expect("an answer").certificate();
    assert_eq!(client.enroll("/old/simpleenroll", None, b"AAAA").status, 404);
}

/// Ends the load, also when a test fails.
struct EndsLoad<'a>(&'a AtomicBool);

impl Drop for EndsLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_hundred_reloads_under_load_lose_no_request() {
    let server = served();
    let client = Client::new(server.port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    let (certificate, key) = enroll(&server, "busy");
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _end = EndsLoad(&over);
        for worker in 0..4 {
            let busy = Client::showing(server.port(), &server.ca(), std::slice::from_ref(&certificate), &key);
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                let body = base64(&Key::p256().csr("CN=busy", &[]));
                let request = String::from_utf8(post("/simpleenroll", None, body.as_bytes())).expect("text");
                let kept = request.replace("Connection: close\r\n", "");
                let mut open = busy.connect().expect("a connection");
                while !over.load(Ordering::Relaxed) {
                    // Two keep their connection, two make one for each request.
                    let status = if worker % 2 == 0 {
                        ask(&mut open, kept.as_bytes())
                    } else {
                        busy.exchange(request.as_bytes()).expect("an answer").status
                    };
                    assert_eq!(status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..200 {
            reload(&server, &client, &text, &format!("r{number}"));
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 200);
    assert_eq!(reasons(&server, "config.rejected"), [""; 0]);
}

#[test]
fn a_ca_publishes_crls_from_the_reload_on_that_wants_them() {
    let server =
        Launch::configured(ESTD, |text| text.replace("\nid = \"main\"\n", "\nid = \"main\"\ncrl = false\n")).start();
    let client = Client::new(server.port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration");
    let crl = || {
        let request = b"GET /crl/main.crl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        client.exchange(request).expect("an answer").status
    };
    assert_eq!(crl(), 404);
    reload(&server, &client, &text.replace("crl = false\n", ""), "with");
    assert_eq!(crl(), 200);
    reload(&server, &client, &text, "without");
    assert_eq!(crl(), 404);
}

#[test]
fn a_reload_goes_on_though_the_operator_who_asked_for_it_hangs_up() {
    let server = served();
    let client = Client::new(server.port(), &server.ca());
    let operator = Client::new(server.admin_port(), &server.ca());
    let text = std::fs::read_to_string(config(&server)).expect("the configuration") + &label("late");
    // A pipe in the file's place: whoever opens it for writing knows that the server has opened it for reading.
    let (pipe, file) = (server.folder().join("pipe"), server.folder().join("late.toml"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    std::fs::write(&file, &text).expect("the configuration can be written");
    std::fs::rename(&pipe, config(&server)).expect("the pipe takes its place");

    let mut connection = operator.connect().expect("a connection");
    let token = server.admin_token();
    let request = format!(
        "POST /admin/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).and_then(|()| connection.flush()).expect("sent");
    let (sender, opened) = mpsc::channel();
    let path = config(&server);
    std::thread::spawn(move || sender.send(OpenOptions::new().write(true).open(path)));
    let mut written = opened.recv_timeout(PATIENCE).expect("the reload begins").expect("the pipe");

    std::fs::rename(&file, config(&server)).expect("the file takes its place again");
    connection.sock.shutdown(Shutdown::Write).expect("shut down");
    // The server has closed it too: nobody waits for the answer any more.
    let _ = connection.sock.read_to_end(&mut Vec::new());
    drop(connection);
    written.write_all(text.as_bytes()).expect("the configuration is read");
    drop(written);
    let is_served = get("/late/cacerts").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert!(comes_true(|| client.exchange(is_served.as_bytes()).is_ok_and(|answer| answer.status == 200)));
}

#[test]
fn a_reload_records_a_new_token_and_not_the_log_that_the_server_writes() {
    let launch = Launch::configured(ESTD, |text| text + "\n[audit]\nfile = \"audit.jsonl\"\n");
    std::fs::copy(launch.folder().join("estd.toml"), launch.folder().join(FIRST)).expect("a copy");
    let server = launch.start();
    let operator = Client::new(server.admin_port(), &server.ca());
    let opens = |token: &str| {
        let request = format!(
            "GET /admin/otp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        operator.exchange(request.as_bytes()).expect("an answer").status == 200
    };
    let old = server.admin_token();
    assert!(opens(&old));
    let reloaded = |count: usize| {
        hang_up(&server);
        assert!(comes_true(|| reasons(&server, "config.reloaded").len() == count), "nothing was reloaded");
        reasons(&server, "config.reloaded").remove(0)
    };
    assert_eq!(reloaded(1), "nothing changed");
    let new = "another-token-of-32-characters--";
    std::fs::write(server.folder().join("admin-token"), new).expect("the token can be written");
    assert_eq!(reloaded(2), "changed: admin");
    assert!(opens(new) && !opens(&old));
    assert_eq!(reloaded(3), "nothing changed");
    let (_, log) = server.stop();
    assert!(!log.contains("after a restart") && !log.contains("only a restart"), "{log}");
}

fn leaf(file: &Path) -> Certificate {
    let text = std::fs::read_to_string(file).expect("a certificate");
    Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate")
}

/// The certificate that a listener shows.
fn shown(port: u16, server: &Server) -> Certificate {
    let connection = Client::new(port, &server.ca()).connect().expect("a connection");
    let chain = connection.conn.peer_certificates().expect("a certificate");
    Certificate::parse(&chain[0]).expect("a certificate")
}

fn is_renewed(before: &Certificate, after: &Certificate) -> bool {
    let same = (before.subject(), before.subject_alt_name(), before.public_key_der());
    assert_eq!((after.subject(), after.subject_alt_name(), after.public_key_der()), same, "names and key stay");
    after.not_after() > before.not_after()
}

#[test]
fn a_server_renews_its_own_certificate_and_shows_it_without_a_restart() {
    let launch = Launch::configured(ESTD, |text| text).with_certificate_of(70, 30);
    let file = launch.folder().join("server.pem");
    let before = leaf(&file);
    let server = launch.start();
    assert!(comes_true(|| is_renewed(&before, &shown(server.port(), &server))));
    assert!(comes_true(|| is_renewed(&before, &shown(server.admin_port(), &server))), "the admin API's too");
    let after = leaf(&file);
    assert_eq!(after, shown(server.port(), &server));
    assert_eq!(after.not_after().0 - after.not_before().0, before.not_after().0 - before.not_before().0);
    let events = server.estd_json(&["audit", "list", "--event", "tls.renewed"]);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(events["events"][0]["fingerprint"], after.fingerprint().to_string());
    // What is in the file is in force, and so nothing changes.
    hang_up(&server);
    assert!(comes_true(|| server.estd_json(&["audit", "list", "--event", "config.reloaded"])["events"] != json!([])));
    assert_eq!(after, shown(server.port(), &server));
}

#[test]
fn a_server_that_may_not_write_the_file_shows_the_renewed_certificate_all_the_same() {
    let launch = Launch::configured(ESTD, |text| text.replace("\"server.pem\"", "\"tls/server.pem\""));
    let launch = launch.with_certificate_of(70, 30);
    let folder = launch.folder().join("tls");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::rename(launch.folder().join("server.pem"), folder.join("server.pem")).expect("moved");
    let mode = |mode| std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode));
    mode(0o555).expect("a mode");
    // Root may write everywhere, unless it gives that up.
    let wrapper = launch.folder().join("without-privileges");
    let script =
        "#!/bin/sh\n[ $(id -u) = 0 ] && exec setpriv --bounding-set=-dac_override ESTD \"$@\"\nexec ESTD \"$@\"\n";
    std::fs::write(&wrapper, script.replace("ESTD", ESTD)).expect("a file");
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let before = leaf(&folder.join("server.pem"));
    let server = launch.by(&wrapper).start();
    assert!(comes_true(|| is_renewed(&before, &shown(server.port(), &server))));
    let after = shown(server.port(), &server);
    assert_eq!(leaf(&folder.join("server.pem")), before);
    hang_up(&server);
    assert!(comes_true(|| server.estd_json(&["audit", "list", "--event", "config.reloaded"])["events"] != json!([])));
    assert_eq!(after, shown(server.port(), &server), "a reload does not take it back");
    let health = server.estd(&["health", "--address", server.url().trim_start_matches("https://")]);
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    mode(0o755).expect("a mode");
}

#[test]
fn estd_tls_renew_keeps_names_and_key_and_makes_another_key_if_asked() {
    let launch = Launch::configured(ESTD, |text| text.replace("[tls]\n", "[tls]\nrenew = false\n"));
    let launch = launch.with_certificate_of(70, 30);
    let (file, key) = (launch.folder().join("server.pem"), launch.folder().join("server-key.pem"));
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("a mode");
    let before = leaf(&file);
    let server = launch.start();
    let renewed = server.estd(&["tls", "renew"]);
    let said = String::from_utf8_lossy(&renewed.stdout).into_owned();
    assert!(
        renewed.status.success() && said.contains("DNS:localhost") && said.contains("systemctl reload estd"),
        "{said}"
    );
    let after = leaf(&file);
    assert!(is_renewed(&before, &after));
    let mode = std::fs::metadata(&file).expect("a file");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o640);
    assert_eq!(shown(server.port(), &server), before, "until the reload");
    hang_up(&server);
    assert!(comes_true(|| shown(server.port(), &server) == after));

    assert!(server.estd(&["tls", "renew", "--new-key"]).status.success());
    let other = leaf(&file);
    assert_ne!(other.public_key_der(), after.public_key_der());
    assert_eq!(other.subject_alt_name(), after.subject_alt_name());
    let mode = std::fs::metadata(&key).expect("a file");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    hang_up(&server);
    assert!(comes_true(|| shown(server.port(), &server) == other));
    let events = server.estd_json(&["audit", "list", "--event", "tls.renewed"]);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(2), "{events}");
}

#[test]
fn a_certificate_of_somebody_elses_is_not_renewed() {
    let launch = Launch::configured(ESTD, |text| text).with_certificate_of(70, 30);
    let own = launch.folder().join("server.pem");
    // Another CA of the same name.
    let other = Launch::configured(ESTD, |text| text);
    std::fs::copy(other.folder().join("ca.pem"), launch.folder().join("ca.pem")).expect("copied");
    std::fs::copy(other.folder().join("ca-key.pem"), launch.folder().join("ca-key.pem")).expect("copied");
    let before = leaf(&own);
    let output = Command::new(ESTD).args(["tls", "renew", "--config"]).arg(launch.folder().join("estd.toml")).output();
    let output = output.expect("estd runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("which is no [[ca]] here: renew it there"), "{said}");
    assert_eq!(leaf(&own), before);
}
