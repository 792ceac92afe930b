//! Three servers on one PostgreSQL: what holds for one server holds for all of them together.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use est_testkit::databases::PostgresServer;
use est_testkit::https::{Response, base64, post};
use est_testkit::nodes::Nodes;
use est_testkit::pki::Key;
use est_testkit::server::BUSY_PRINCIPALS;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const CLIENTS: usize = 64;

/// Three nodes on one database; `None` skips the test.
fn three() -> Option<(Nodes, &'static PostgresServer)> {
    let server = PostgresServer::shared()?;
    let url = server.url();
    let manual = "\n[est]\nunlabelled = true\n[[est.label]]\nname = \"looked-at\"\nca_id = \"main\"\napproval = \"manual\"\nrequire_san = false\n";
    let configured = |text: String| text.replace("sqlite://estd.db", &url) + manual + BUSY_PRINCIPALS;
    Some((Nodes::start(ESTD, 3, configured), server))
}

fn ask(nodes: &Nodes, node: usize, path: &str, password: &str, body: &str) -> Response {
    let answer = nodes.client(node).exchange(&post(path, Some(password), body.as_bytes()));
    answer.expect("an answer")
}

/// Sends each body at the same moment, to one node after the other.
fn all_at_once(nodes: &Nodes, password: &str, bodies: &[String]) -> Vec<Response> {
    let barrier = Barrier::new(bodies.len());
    thread::scope(|scope| {
        let start = |(number, body): (usize, &String)| {
            let (body, barrier) = (body.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                // Another node may be at the same request: then a client is told to ask again.
                let again = (0..200).map(|_| ask(nodes, number % nodes.count(), "/simpleenroll", password, &body));
                let mut again = again.skip_while(|answer| answer.status == 503);
                again.next().expect("an answer in the end")
            })
        };
        let threads: Vec<_> = bodies.iter().enumerate().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn inventory(nodes: &Nodes, node: usize) -> usize {
    let listed = nodes.with(node, |server| server.estd_json(&["certs", "list"]));
    listed["certificates"].as_array().expect("a list").len()
}

#[test]
fn the_same_request_to_three_nodes_gets_one_certificate() {
    let Some((nodes, _)) = three() else { return };
    let password = nodes.with(0, |server| server.password(1));
    let body = base64(&Key::p256().csr("CN=once", &[]));
    let answers = all_at_once(&nodes, &password, &vec![body; CLIENTS]);
    let certificates: HashSet<Vec<u8>> = answers.iter().map(Response::certificate).collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(inventory(&nodes, 1), 1);
}

#[test]
fn of_64_requests_to_three_nodes_with_one_password_one_gets_a_certificate() {
    let Some((nodes, _)) = three() else { return };
    let password = nodes.with(0, |server| server.password(1));
    let key = Key::p256();
    let bodies: Vec<String> = (0..CLIENTS).map(|number| base64(&key.csr(&format!("CN=d-{number}"), &[]))).collect();
    let answers = all_at_once(&nodes, &password, &bodies);
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(401)), (1, CLIENTS - 1));
    assert_eq!(inventory(&nodes, 2), 1);
}

#[test]
fn any_node_finishes_what_another_began() {
    let Some((nodes, _)) = three() else { return };
    let password = nodes.with(0, |server| server.password(1));
    let body = base64(&Key::p256().csr("CN=visitor", &[]));
    assert_eq!(ask(&nodes, 0, "/looked-at/simpleenroll", &password, &body).status, 202);
    let waiting = nodes.with(1, |server| server.estd_json(&["requests", "list"]));
    let id = waiting["requests"][0]["id"].as_str().expect("a request that waits").to_owned();
    let approved = nodes.with(1, |server| server.estd(&["requests", "approve", &id]));
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let answer = ask(&nodes, 2, "/looked-at/simpleenroll", &password, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // And the one that it began with hands out the same.
    assert_eq!(ask(&nodes, 0, "/looked-at/simpleenroll", &password, &body).certificate(), answer.certificate());
}

#[test]
fn a_node_that_is_killed_takes_nothing_with_it() {
    let Some((nodes, _)) = three() else { return };
    let password = nodes.with(0, |server| server.password(1));
    let body = base64(&Key::p256().csr("CN=device-1", &[]));
    let before = ask(&nodes, 0, "/simpleenroll", &password, &body).certificate();
    nodes.kill_and_restart(0, || {
        assert_eq!(ask(&nodes, 1, "/simpleenroll", &password, &body).certificate(), before);
        let other = base64(&Key::p256().csr("CN=device-2", &[]));
        assert_eq!(ask(&nodes, 2, "/simpleenroll", &password, &other).status, 401, "the password is spent");
    });
    assert_eq!(ask(&nodes, 0, "/simpleenroll", &password, &body).certificate(), before);
}

#[test]
fn whoever_is_locked_out_at_one_node_is_at_all() {
    let Some((nodes, _)) = three() else { return };
    let body = base64(&Key::p256().csr("CN=device-1", &[]));
    let password = nodes.with(0, |server| server.password(1));
    let (id, _) = password.split_once('.').expect("two halves");
    let guess = format!("{id}.{}", "x".repeat(20));
    let statuses: Vec<u16> =
        (0..6).map(|number| ask(&nodes, number % 3, "/simpleenroll", &guess, &body).status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 403]);
    let right = ask(&nodes, 1, "/simpleenroll", &password, &body);
    assert_eq!(right.status, 403, "{}", right.text());
    assert!(right.header("Retry-After").is_some());
}

#[test]
fn each_node_has_a_chain_and_all_of_them_hold() {
    let Some((nodes, _)) = three() else { return };
    for node in 0..3 {
        let password = nodes.with(node, |server| server.password(1));
        let body = base64(&Key::p256().csr("CN=device-1", &[]));
        assert_eq!(ask(&nodes, node, "/simpleenroll", &password, &body).status, 200);
    }
    let verified = nodes.with(0, |server| server.estd_json(&["audit", "verify"]));
    let text = verified.to_string();
    for node in ["node-1", "node-2", "node-3"] {
        assert!(text.contains(node), "{node} is not in {text}");
    }
}
