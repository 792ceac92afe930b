//! `estd prune`: what has been over for longer than the configuration keeps it.

use est_core::{Seconds, Secret, UnixTime};
use est_store::{Actor, Database, NewPassword, Options};
use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::json;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn served(retention: &str) -> Server {
    Launch::configured(ESTD, |text| text + retention).start()
}

/// Makes a password that ended a day ago.
fn add_ended_password(server: &Server) {
    let store = Database::open(&server.folder().join("estd.db"), Options::default()).expect("the database");
    let now = host::shell::now();
    let ago = |days| UnixTime(now.0 - Seconds::from_days(days).0);
    let password = NewPassword {
        id: "ended".to_owned(),
        hash: Secret::new("a hash".to_owned()),
        entity: None,
        label: None,
        names: Vec::new(),
        created: ago(2),
        expires: ago(1),
        max_uses: 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.create_password(password, &Actor::local("test"))).expect("a password");
}

#[test]
fn deletes_what_is_over_beside_a_server_that_runs_and_nothing_else() {
    let server = served("\n[retention]\ncertificates = \"1s\"\nrequests = \"30d\"\npasswords = \"12h\"\n");
    let password = server.password(1);
    let request = base64(&Key::p256().csr("CN=device", &[]));
    let client = Client::new(server.port(), &server.ca());
    assert_eq!(client.enroll("/simpleenroll", Some(&password), request.as_bytes()).status, 200);
    add_ended_password(&server);

    let foretold = server.estd_json(&["prune", "--dry-run"]);
    assert_eq!(foretold, json!({ "dry_run": true, "certificates": 0, "requests": 0, "passwords": 1 }));
    assert_eq!(server.estd_json(&["otp", "show", "ended"])["id"], "ended");
    let pruned = server.estd_json(&["prune"]);
    assert_eq!(pruned, json!({ "dry_run": false, "certificates": 0, "requests": 0, "passwords": 1 }));
    assert!(!server.estd(&["otp", "show", "ended"]).status.success());

    let listed = server.estd_json(&["audit", "list", "--event", "store.pruned"]);
    let [record] = listed["events"].as_array().expect("a list").as_slice() else { panic!("{listed}") };
    assert!(record["reason"].as_str().expect("a reason").starts_with("passwords: 1 that ended"), "{record}");
    assert!(record["actor"].as_str().expect("an actor").starts_with("local:"), "{record}");
    assert!(server.estd(&["audit", "verify"]).status.success());
    let certificates = server.estd_json(&["certs", "list"]);
    assert_eq!(certificates["certificates"].as_array().map(Vec::len), Some(1), "{certificates}");
}

#[test]
fn keeps_everything_where_nothing_says_for_how_long() {
    let server = served("");
    add_ended_password(&server);
    let output = server.estd(&["prune"]);
    assert!(output.status.success());
    let expected = "certificates kept for ever\nrequests     kept for ever\npasswords    kept for ever\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(server.estd_json(&["otp", "show", "ended"])["id"], "ended");
}
