//! What `docs/operate.md` says about backups, with its own commands.

use std::path::Path;
use std::{fs, thread};

use est_core::pkix::Certificate;
use est_testkit::databases::{MariadbServer, PostgresServer};
use est_testkit::https::{Client, Response, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const OPERATE: &str = include_str!("../../../docs/operate.md");

/// The command of the page that begins so.
fn command(beginning: &str) -> &'static str {
    OPERATE.lines().find(|line| line.starts_with(beginning)).expect("the page has such a command")
}

fn enroll(server: &Server, password: &str, csr: &[u8]) -> Response {
    Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(password), base64(csr).as_bytes())
}

fn renew(server: &Server, certificate: &[u8], key: &Key) -> Response {
    let client = Client::showing(server.port(), &server.ca(), &[certificate.to_vec()], &key.to_pem());
    client.enroll("/simplereenroll", None, base64(&Key::p256().csr("CN=before", &[])).as_bytes())
}

fn fingerprints(server: &Server, command: &[&str], what: &str) -> Vec<String> {
    let listed = server.estd_json(&[command, &["--limit", "1000"]].concat());
    let listed = listed[what].as_array().expect("a list").iter();
    let mut found: Vec<_> = listed.map(|one| one["fingerprint"].as_str().expect("a text").to_owned()).collect();
    found.sort();
    found
}

/// Runs a server with `url`, and `back_up` while it serves; then, after `restore`, one with the URL `restored`. Commands
/// are told the folder of the data, and that of the backup.
fn serves_again(
    url: &str,
    restored: &str,
    back_up: impl Fn(&Path, &Path) -> String,
    restore: impl Fn(&Path, &Path) -> String,
) {
    // One password enrolls for as long as the backup takes.
    let server = Launch::configured(ESTD, |text| text.replace("sqlite://estd.db", url) + BUSY_PRINCIPALS).start();
    let (folder, shell) = (server.folder().to_owned(), Shell::new());
    let (key, spent, unused) = (Key::p256(), server.password(1), server.password(1));
    let csr = key.csr("CN=before", &[]);
    let before = enroll(&server, &spent, &csr).certificate();
    let (crowd, script) = (server.password(1000), back_up(&folder, shell.folder()));
    thread::scope(|scope| {
        let backup = scope.spawn(|| shell.run(&script));
        while !backup.is_finished() {
            assert_eq!(enroll(&server, &crowd, &Key::p256().csr("CN=meanwhile", &[])).status, 200);
        }
        backup.join().expect("a backup");
    });
    let after = enroll(&server, &server.password(1), &Key::p256().csr("CN=after", &[])).certificate();
    let launch = server.kill();
    shell.run(&restore(&folder, shell.folder()));
    let file = folder.join("estd.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    fs::write(&file, text.replace(url, restored)).expect("a file of our own");
    let server = launch.start();

    let certificate = |octets: &[u8]| Certificate::parse(octets).expect("a certificate");
    let known = fingerprints(&server, &["certs", "list"], "certificates");
    assert_eq!(fingerprints(&server, &["audit", "list", "--event", "cert"], "events"), known);
    assert!(known.contains(&certificate(&before).fingerprint().to_string()));
    assert!(!known.contains(&certificate(&after).fingerprint().to_string()), "it came after the backup");

    assert_eq!(enroll(&server, &spent, &csr).certificate(), before);
    assert_eq!(enroll(&server, &spent, &Key::p256().csr("CN=before", &[])).status, 401);
    assert_eq!(enroll(&server, &unused, &Key::p256().csr("CN=later", &[])).status, 200);
    assert_eq!(renew(&server, &before, &key).status, 200);
    let serial = certificate(&before).serial_text();
    assert!(server.estd(&["certs", "revoke", &serial]).status.success());
    assert_eq!(renew(&server, &before, &key).status, 403);
    let verified = server.estd(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_backup_of_sqlite_made_while_serving_serves_again() {
    if !is_installed("sqlite3") {
        return;
    }
    let placed = |line: &str, data: &Path, backup: &Path| {
        let line = line.replace("/var/lib/ohia/", &format!("{}/", data.display()));
        line.replace("/backup/", &format!("{}/", backup.display()))
    };
    serves_again(
        "sqlite://estd.db",
        "sqlite://estd.db",
        |data, backup| placed(command("sqlite3 "), data, backup),
        |data, backup| ["rm -f ", "install -m 600 "].map(|words| placed(command(words), data, backup)).join("\n"),
    );
}

#[test]
fn a_backup_of_postgres_made_while_serving_serves_again() {
    let Some(database) = PostgresServer::shared() else { return };
    let (url, fresh) = (database.url(), database.url());
    let placed = |words: &str, url: &str, backup: &Path| {
        let line = command(words).replace("postgres://ohia@db.example/ohia", &format!("'{url}'"));
        let line = line.replace("/backup/", &format!("{}/", backup.display()));
        format!("{}/{line}", database.programs().display())
    };
    serves_again(
        &url,
        &fresh,
        |_, backup| placed("pg_dump ", &url, backup),
        |_, backup| placed("pg_restore ", &fresh, backup),
    );
}

#[test]
fn a_backup_of_mariadb_made_while_serving_serves_again() {
    let Some(database) = MariadbServer::shared() else { return };
    if !is_installed("mariadb-dump") {
        return;
    }
    let (url, fresh) = (database.url(), database.url());
    let placed = |words: &str, url: &str, backup: &Path| {
        let name = url.rsplit('/').next().expect("a URL with a database");
        let line =
            command(words).replace("--host=db.example", "\"${server[@]}\"").replace(" ohia", &format!(" {name}"));
        let line = line.replace("/backup/", &format!("{}/", backup.display()));
        format!("server=(--host=127.0.0.1 --port={} --password='p%w/rd@1')\n{line}", database.port())
    };
    serves_again(
        &url,
        &fresh,
        |_, backup| placed("mariadb-dump ", &url, backup),
        |_, backup| placed("mariadb ", &fresh, backup),
    );
}
