//! `estd` on PostgreSQL and MariaDB, and what its clients hear while the database is gone.

use est_testkit::databases::{MariadbServer, PostgresServer};
use est_testkit::https::{Client, Response, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn serve(url: &str) -> Server {
    let edit = |text: String| text.replace("sqlite://estd.db\"", &format!("{url}\"\nconnect_timeout = \"200ms\""));
    Launch::configured(ESTD, edit).start()
}

fn enroll(server: &Server, password: &str, body: &str) -> Response {
    Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(password), body.as_bytes())
}

fn goes_on_after_an_outage(server: &Server, stop: impl FnOnce(), start: impl FnOnce()) {
    let body = |name: &str| base64(&Key::p256().csr(&format!("CN={name}"), &[]));
    let (before, during) = (body("before"), body("during"));
    let passwords = [server.password(1), server.password(1)];
    assert_eq!(enroll(server, &passwords[0], &before).status, 200);
    stop();
    for _ in 0..3 {
        let refused = enroll(server, &passwords[1], &during);
        assert_eq!(refused.status, 503);
        assert!(refused.header("retry-after").is_some());
    }
    start();
    let certificate = enroll(server, &passwords[1], &during).certificate();
    assert_eq!(enroll(server, &passwords[1], &during).certificate(), certificate);
    let listed = server.estd_json(&["certs", "list"]);
    assert_eq!(listed["certificates"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_server_on_postgres_goes_on_after_an_outage() {
    let Some(database) = PostgresServer::find() else { return };
    let server = serve(&database.url());
    goes_on_after_an_outage(&server, || database.stop(), || database.start());
    let (_, log) = server.stop();
    assert!(!log.contains("p%w/rd@1") && !log.contains("p%25w"), "the log has no password");
}

#[test]
fn a_server_on_mariadb_goes_on_after_an_outage() {
    let Some(database) = MariadbServer::find() else { return };
    let server = serve(&database.url());
    goes_on_after_an_outage(&server, || database.stop(), || database.start());
    let (_, log) = server.stop();
    assert!(!log.contains("p%w/rd@1") && !log.contains("p%25w"), "the log has no password");
}

#[test]
fn migrate_tells_what_a_server_has() {
    let Some(database) = PostgresServer::find() else { return };
    let launch = Launch::configured(ESTD, |text| text.replace("sqlite://estd.db", &database.url()));
    let migrate = |arguments: &[&str]| {
        let mut command = std::process::Command::new(ESTD);
        command.arg("migrate").args(arguments).arg("--config").arg(launch.folder().join("estd.toml"));
        String::from_utf8(command.output().expect("estd runs").stdout).expect("it prints UTF-8")
    };
    assert!(migrate(&["--status"]).contains("pending"));
    assert!(migrate(&[]).contains("applied  0001_initial"));
    let status = migrate(&["--status"]);
    assert!(status.contains("applied") && status.contains("0 pending migrations"), "{status}");
    assert!(status.contains("postgres://ohia@127.0.0.1") && !status.contains("p%"), "{status}");
}
