//! What `docs/operate.md` says about backups.

use est_testkit::https::{Client, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::Server;
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

#[test]
fn a_backup_made_while_serving_serves_again() {
    if !is_installed("sqlite3") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let enroll = |server: &Server, name: &str, password: &str, key: &Key| {
        let body = base64(&key.csr(&format!("CN={name}"), &[]));
        Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(password), body.as_bytes()).certificate()
    };
    let (key, password) = (Key::p256(), server.password(1));
    let before = enroll(&server, "before", &password, &key);

    let backup = shell.folder().join("estd.db");
    shell.run(&format!("sqlite3 {}/estd.db \".backup '{}'\"", server.folder().display(), backup.display()));
    enroll(&server, "after", &server.password(1), &Key::p256());

    let folder = server.folder().to_owned();
    let launch = server.kill();
    for name in ["estd.db", "estd.db-wal", "estd.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    std::fs::copy(&backup, folder.join("estd.db")).expect("the backup is put in place");
    let server = launch.start();
    let listed = server.estd_json(&["certs", "list"]);
    assert_eq!(listed["certificates"].as_array().map(Vec::len), Some(1));
    assert_eq!(enroll(&server, "before", &password, &key), before);
    enroll(&server, "later", &server.password(1), &Key::p256());
}
