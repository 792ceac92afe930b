//! What is counted, read by Prometheus' own library.

use est_testkit::python::Python;
use serde_json::{Value, json};

use crate::api::{Api, ask, enrolled, patient};

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
    assert_eq!(value("ohia_connections", json!({ "listener": "admin" })), 1.0);
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
