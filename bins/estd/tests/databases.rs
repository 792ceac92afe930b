//! `estd` on PostgreSQL and MariaDB, and what its clients get while the database is gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use est_testkit::databases::{DatabaseServer, FlakyProxy, MariadbServer, PostgresServer};
use est_testkit::https::{Client, Response, base64, post};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A server on the database at `url`, with more lines in its section.
fn serve(url: &str, keys: &str) -> Server {
    let manual = "\n[est]\nunlabelled = true\n[[est.label]]\nname = \"looked-at\"\nca_id = \"main\"\napproval = \"manual\"\nrequire_san = false\n";
    let edit = |text: String| text.replace("sqlite://estd.db\"", &format!("{url}\"\n{keys}")) + manual;
    Launch::configured(ESTD, edit).start()
}

fn enroll(server: &Server, password: &str, body: &str) -> Response {
    Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(password), body.as_bytes())
}

fn body(name: &str) -> String {
    base64(&Key::p256().csr(&format!("CN={name}"), &[]))
}

fn list(server: &Server, command: &[&str], what: &str) -> Vec<serde_json::Value> {
    let listed = server.estd_json(command);
    listed[what].as_array().expect("a list").clone()
}

fn fingerprint(certificate: &[u8]) -> String {
    est_core::pkix::Certificate::parse(certificate).expect("a certificate").fingerprint().to_string()
}

fn says_when_to_come_again(answer: &Response) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some()
}

fn goes_on_after_an_outage(database: &dyn DatabaseServer) {
    let server = serve(&database.url(), "connect_timeout = \"1s\"");
    let (before, during) = (body("before"), body("during"));
    let passwords = [server.password(1), server.password(1)];
    assert_eq!(enroll(&server, &passwords[0], &before).status, 200);
    database.stop();
    for _ in 0..3 {
        assert!(says_when_to_come_again(&enroll(&server, &passwords[1], &during)));
    }
    database.start();
    let certificate = enroll(&server, &passwords[1], &during).certificate();
    assert_eq!(enroll(&server, &passwords[1], &during).certificate(), certificate);
    assert_eq!(list(&server, &["certs", "list", "--limit", "1000"], "certificates").len(), 2);
    let (_, log) = server.stop();
    assert!(!log.contains("p%w/rd@1") && !log.contains("p%25w"), "the log has no password");
}

#[test]
fn a_server_on_postgres_goes_on_after_an_outage() {
    let Some(database) = PostgresServer::find() else { return };
    goes_on_after_an_outage(&database);
}

#[test]
fn a_server_on_mariadb_goes_on_after_an_outage() {
    let Some(database) = MariadbServer::find() else { return };
    goes_on_after_an_outage(&database);
}

fn records_all_that_it_hands_out_wherever_the_network_breaks(database: &dyn DatabaseServer) {
    let (url, proxy) = (database.url(), FlakyProxy::before(database.port()));
    let server = serve(&proxy.url(&url), "connect_timeout = \"1s\"");
    let (key, stranger) = (Key::p256(), Client::new(server.port(), &server.ca()));
    let csr = base64(&key.csr("CN=device", &[]));
    let certificate = enroll(&server, &server.password(1), &csr).certificate();
    let mut held = vec![fingerprint(&certificate)];
    let holder = Client::showing(server.port(), &server.ca(), &[certificate], &key.to_pem());
    let mut waiting = 0;
    let exchanges = [
        (&stranger, "/simpleenroll", true, 200),
        (&stranger, "/looked-at/simpleenroll", true, 202),
        (&holder, "/simplereenroll", false, 200),
    ];
    for (client, path, with_password, status) in exchanges {
        // Cut one piece later each time, until the exchange is through before that.
        for pieces in 0.. {
            let password = with_password.then(|| server.password(1));
            let request = post(path, password.as_deref(), body("device").as_bytes());
            proxy.break_after(pieces);
            let answer = client.exchange(&request).expect("an answer");
            let was_cut = proxy.is_broken();
            proxy.heal();
            assert!(answer.status == status || was_cut && says_when_to_come_again(&answer), "{pieces}: {answer:?}");

            // Whoever was cut off gets what is theirs without a restart, and who was not gets the same again.
            database.end_leases(&url);
            let after = client.exchange(&request).expect("an answer");
            assert_eq!(after.status, status, "{pieces}: {}", after.text());
            match status {
                200 => held.push(fingerprint(&after.certificate())),
                _ => waiting += 1,
            }
            assert!(answer.status != 200 || answer.certificate() == after.certificate(), "after {pieces}");
            if !was_cut {
                assert!(pieces > 5, "{path} takes {pieces} pieces");
                break;
            }
        }
    }
    held.sort();
    let fingerprints = |command: &[&str], what| {
        let listed = list(&server, command, what);
        let mut found: Vec<_> =
            listed.iter().map(|one| one["fingerprint"].as_str().expect("a text").to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(fingerprints(&["certs", "list", "--limit", "1000"], "certificates"), held);
    assert_eq!(fingerprints(&["audit", "list", "--event", "cert", "--limit", "1000"], "events"), held);
    assert_eq!(list(&server, &["requests", "list"], "requests").len(), waiting);
    assert!(server.estd(&["audit", "verify"]).status.success());
}

#[test]
fn records_all_that_it_hands_out_wherever_the_network_to_postgres_breaks() {
    let Some(database) = PostgresServer::shared() else { return };
    records_all_that_it_hands_out_wherever_the_network_breaks(database);
}

#[test]
fn records_all_that_it_hands_out_wherever_the_network_to_mariadb_breaks() {
    let Some(database) = MariadbServer::shared() else { return };
    records_all_that_it_hands_out_wherever_the_network_breaks(database);
}

fn keeps_to_its_connections_under_load_and_after_a_crash(database: &dyn DatabaseServer) {
    const CLIENTS: usize = 64;
    // Those of the pool, and the one that writes the audit trail.
    const MOST: usize = 3 + 1;
    let url = database.url();
    let server = serve(&url, "max_connections = 3");
    let created = server.estd_json(&["otp", "create", "--count", &CLIENTS.to_string()]);
    // Those of the command, which may linger, are gone.
    database.stop();
    database.start();
    let (client, served) = (Client::new(server.port(), &server.ca()), AtomicUsize::new(0));
    let most = thread::scope(|scope| {
        for created in created["passwords"].as_array().expect("a list") {
            let password = created["otp"].as_str().expect("a password");
            let (client, served) = (&client, &served);
            scope.spawn(move || {
                let body = body("device");
                loop {
                    let answer = client.enroll("/simpleenroll", Some(password), body.as_bytes());
                    if answer.status == 200 {
                        break;
                    }
                    assert!(says_when_to_come_again(&answer), "{answer:?}");
                }
                served.fetch_add(1, Ordering::Relaxed);
            });
        }
        let count_until = |goal| {
            let mut most = 0;
            while served.load(Ordering::Relaxed) < goal {
                most = most.max(database.connections(&url));
            }
            most
        };
        let before = count_until(CLIENTS / 4);
        database.stop();
        database.start();
        database.end_leases(&url);
        [before, count_until(CLIENTS)]
    });
    assert!(most.iter().all(|most| (2..=MOST).contains(most)), "{most:?}");
    assert_eq!(list(&server, &["certs", "list", "--limit", "1000"], "certificates").len(), CLIENTS);
}

#[test]
fn keeps_to_its_connections_to_postgres_under_load_and_after_a_crash() {
    let Some(database) = PostgresServer::find() else { return };
    keeps_to_its_connections_under_load_and_after_a_crash(&database);
}

#[test]
fn keeps_to_its_connections_to_mariadb_under_load_and_after_a_crash() {
    let Some(database) = MariadbServer::find() else { return };
    keeps_to_its_connections_under_load_and_after_a_crash(&database);
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
