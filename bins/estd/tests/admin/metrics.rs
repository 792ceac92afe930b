//! What is counted, read by Prometheus' own library.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::python::Python;
use est_testkit::server::Launch;
use serde_json::{Value, json};

use crate::api::{Api, ESTD, ask, enrolled, patient, pending};

/// How long something may take before a test gives up on it; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints every sample as `[name, labels, value]`.
const READ: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
text = open(sys.argv[1]).read()
print(json.dumps([[s.name, s.labels, s.value] for family in text_string_to_metric_families(text) for s in family.samples]))
"#;

#[test]
fn the_counts_are_those_of_what_was_done() {
    let Some(python) = Python::with(&["prometheus_client"]) else { return };
    let server = patient();
    let api = Api::operator(&server);
    for subject in ["CN=one", "CN=two", "CN=three"] {
        enrolled(&server, subject);
    }
    assert_eq!(ask(&server, "/simpleenroll", "CN=four", "no-such.password").status, 401);
    assert_eq!(api.post("/admin/otp", &json!({})).status, 201);
    let serial = api.read("/admin/certs")["certificates"][0]["serial"].as_str().expect("a serial number").to_owned();
    for _ in 0..2 {
        assert_eq!(api.post("/admin/revoke", &json!({ "serial": serial, "reason": "superseded" })).status, 200);
    }
    // No TLS: the server hangs up.
    let mut stranger = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let _ = stranger.read_to_end(&mut Vec::new());
    let answer = api.get("/admin/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    std::fs::write(server.folder().join("metrics.txt"), &answer.body).expect("a file");
    let samples = python.run(READ, server.folder(), &["metrics.txt"]);
    let samples: Vec<(String, Value, f64)> = serde_json::from_str(&samples).expect("samples");
    let value = |name: &str, labels: Value| {
        let found = samples.iter().find(|(known, own, _)| known == name && *own == labels);
        found.unwrap_or_else(|| panic!("no {name} with {labels} in {}", answer.text())).2
    };
    assert_eq!(value("ohia_enrollments_total", json!({ "ca": "main", "result": "issued" })), 3.0);
    assert_eq!(value("ohia_reenrollments_total", json!({ "ca": "main", "result": "issued" })), 0.0);
    assert_eq!(value("ohia_otp_generated_total", json!({})), 1.0);
    assert_eq!(value("ohia_otp_consumed_total", json!({})), 3.0);
    assert_eq!(value("ohia_revocations_total", json!({ "ca": "main", "reason": "superseded" })), 1.0);
    assert_eq!(value("ohia_authentications_total", json!({ "method": "otp", "result": "success" })), 3.0);
    assert_eq!(value("ohia_ca_health", json!({ "ca": "main" })), 1.0);
    let enrollments = |status: &str| json!({ "endpoint": "simpleenroll", "status": status });
    assert_eq!(value("ohia_request_duration_seconds_count", enrollments("2xx")), 3.0);
    assert_eq!(value("ohia_request_duration_seconds_count", enrollments("4xx")), 1.0);
    assert_eq!(value("ohia_port_duration_seconds_count", json!({ "port": "issue" })), 3.0);
    assert_eq!(value("ohia_port_waiting", json!({ "port": "claim" })), 0.0);
    assert_eq!(value("ohia_database_pool_size", json!({})), 5.0);
    assert_eq!(value("ohia_database_pool_in_use", json!({})), 0.0);
    assert_eq!(value("ohia_password_hashes", json!({ "state": "running" })), 0.0);
    assert_eq!(value("ohia_exchanges", json!({ "state": "waiting" })), 0.0);
    assert_eq!(value("ohia_limit_refusals", json!({ "limit": "source" })), 0.0);
    let handshakes = |result: &str| json!({ "listener": "est", "result": result });
    assert_eq!(value("ohia_handshake_duration_seconds_count", handshakes("success")), 4.0);
    assert_eq!(value("ohia_handshake_duration_seconds_count", handshakes("failure")), 1.0);
    assert_eq!(value("ohia_connections", json!({ "listener": "admin" })), 1.0);
}

#[test]
fn the_inventory_is_counted_from_the_start() {
    let server = patient();
    enrolled(&server, "CN=one");
    enrolled(&server, "CN=two");
    let serial = Api::operator(&server).read("/admin/certs")["certificates"][0]["serial"].clone();
    let revoked = Api::operator(&server).post("/admin/revoke", &json!({ "serial": serial }));
    assert_eq!(revoked.status, 200);
    let server = server.kill().start();
    let api = Api::operator(&server);
    let wanted = ["ohia_certificates{ca=\"main\"} 2", "ohia_active_certificates{ca=\"main\"} 1"];
    let started = Instant::now();
    while !wanted.iter().all(|line| api.get("/admin/metrics").text().contains(line)) {
        assert!(started.elapsed() < PATIENCE, "{}", api.get("/admin/metrics").text());
    }
}

#[test]
fn requests_that_wait_for_a_decision_are_counted_by_their_label() {
    let server = patient();
    let api = Api::operator(&server);
    let id = pending(&server, &api, "CN=one");
    pending(&server, &api, "CN=two");
    let server = server.kill().start();
    let api = Api::operator(&server);
    let shows = |api: &Api, line: &str| {
        let started = Instant::now();
        while !api.get("/admin/metrics").text().lines().any(|shown| shown == line) {
            assert!(started.elapsed() < PATIENCE, "{line}: {}", api.get("/admin/metrics").text());
        }
    };
    shows(&api, "ohia_requests_awaiting_approval{label=\"vetted\"} 2");
    shows(&api, "ohia_requests_awaiting_approval{label=\"-\"} 0");
    assert_eq!(api.post(&format!("/admin/requests/{id}/approve"), &json!({})).status, 200);
    let server = server.kill().start();
    shows(&Api::operator(&server), "ohia_requests_awaiting_approval{label=\"vetted\"} 1");
}

#[test]
fn the_page_lists_what_there_is() {
    let server = patient();
    let api = Api::operator(&server);
    enrolled(&server, "CN=one");
    let serial = api.read("/admin/certs")["certificates"][0]["serial"].as_str().expect("a serial number").to_owned();
    assert_eq!(api.post("/admin/revoke", &json!({ "serial": serial })).status, 200);
    api.get("/admin/metrics");
    let text = api.get("/admin/metrics").text().to_owned();
    let exposed: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let page = include_str!("../../../../docs/admin.md");
    let rows = page.lines().filter(|line| line.starts_with("| `ohia_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    let listed: BTreeSet<&str> = names.collect();
    let unlisted: Vec<_> = exposed.difference(&listed).collect();
    assert!(unlisted.is_empty(), "docs/admin.md lacks {unlisted:?}");
    // Those that a server without sinks has not, and one that has only just begun.
    let elsewhere = ["ohia_audit_sink_lag_records", "ohia_audit_sink_up", "ohia_crl_next_update_timestamp_seconds"];
    let more: Vec<_> = listed.difference(&exposed).filter(|name| !elsewhere.contains(name)).collect();
    assert!(more.is_empty(), "docs/admin.md has {more:?}");
}

#[test]
fn the_gauges_tell_of_who_runs_and_who_waits() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let server = Launch::configured(ESTD, |text| {
        let text = text.replace("auth = \"bearer\"\n", "auth = \"bearer\"\nmax_requests = 1000000\n");
        let text = text.replace("[otp]\n", "[otp]\nmax_failures = 1000\n");
        // Enrollments wait for one another.
        format!("{text}\n[limits]\nmax_concurrent = 1\n")
    })
    .start();
    let api = Api::operator(&server);
    let password_of_somebody = server.password(1);
    let (id, secret) = password_of_somebody.split_once('.').expect("id.secret");
    let body = base64(&Key::p256().csr("CN=somebody", &[]));
    let has_been_seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..4 * cores {
            // Passwords that there are not, each a different one, so that nobody waits for another's hash.
            let (back, front) = id.split_at(1 + number % (id.len() - 1));
            let password = format!("{front}{back}.{secret}");
            let (client, body, has_been_seen) = (Client::new(server.port(), &server.ca()), &body, &has_been_seen);
            scope.spawn(move || {
                while !has_been_seen.load(Ordering::Relaxed) {
                    let status = client.enroll("/simpleenroll", Some(&password), body.as_bytes()).status;
                    assert_eq!(status, 401);
                }
            });
            let (client, password) = (Client::new(server.port(), &server.ca()), &password_of_somebody);
            scope.spawn(move || {
                while !has_been_seen.load(Ordering::Relaxed) {
                    assert_eq!(client.enroll("/simpleenroll", Some(password), body.as_bytes()).status, 200);
                }
            });
        }
        let wanted = [
            "ohia_exchanges{state=\"running\"}",
            "ohia_exchanges{state=\"waiting\"}",
            "ohia_password_hashes{state=\"running\"}",
            "ohia_password_hashes{state=\"waiting\"}",
            "ohia_port_waiting{port=\"authenticate\"}",
        ];
        let mut seen = BTreeSet::new();
        let started = Instant::now();
        while seen.len() < wanted.len() && started.elapsed() < PATIENCE {
            let text = api.get("/admin/metrics").text().to_owned();
            let is_up = |name: &&str| {
                // Some are there only once somebody has asked.
                let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
                value.is_some_and(|value| value > 0.0)
            };
            seen.extend(wanted.into_iter().filter(is_up));
        }
        has_been_seen.store(true, Ordering::Relaxed);
        assert_eq!(seen, BTreeSet::from(wanted));
    });
    let text = api.get("/admin/metrics").text().to_owned();
    for quiet in ["ohia_exchanges{state=\"waiting\"} 0", "ohia_password_hashes{state=\"waiting\"} 0"] {
        assert!(text.contains(quiet), "{quiet}: {text}");
    }
}

#[test]
fn no_client_makes_a_series_of_its_own() {
    let server = patient();
    let api = Api::operator(&server);
    let series = |api: &Api| api.get("/admin/metrics").text().lines().filter(|line| !line.starts_with('#')).count();
    for path in ["/admin/certs/0A", "/no/such/path"] {
        api.get(path);
    }
    ask(&server, "/no-label-0/simpleenroll", "CN=x", "none.such");
    ask(&server, "/simpleenroll", "CN=x", "none.such");
    let before = series(&api);
    for number in 0..20 {
        api.get(&format!("/no/such/path/{number}"));
        api.get(&format!("/admin/certs/{number}"));
        ask(&server, &format!("/no-label-{number}/simpleenroll"), "CN=x", &format!("no{number}.such"));
        ask(&server, &format!("/nowhere-{number}"), "CN=x", "none.such");
    }
    let endpoints_and_statuses = 2;
    assert!(series(&api) - before <= endpoints_and_statuses * 18, "one for each endpoint and status at most");
}
