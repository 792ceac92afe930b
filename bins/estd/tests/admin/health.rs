//! What `/admin/health` says when something is wrong, and where the end of it is reported.

use std::fs;
use std::time::{Duration, Instant};

use est_testkit::server::Launch;
use serde_json::Value;

use crate::api::{Api, enrolled, patient, with};

/// How long something may take before a test gives up on it; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for the health until it is so.
fn health_until(api: &Api, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let health = api.read("/admin/health");
        if is_so(&health) {
            return health;
        }
        assert!(started.elapsed() < PATIENCE, "it never comes to this: {what}: {health}");
        std::thread::yield_now();
    }
}

#[test]
fn a_crl_that_cannot_be_made_is_told_until_it_can() {
    let server = patient();
    let api = Api::operator(&server);
    health_until(&api, "all is well", |health| health["status"] == "healthy");
    let serial = enrolled(&server, "CN=device").serial_text();
    // Another key in its place: as good as none.
    let (key, other) = (server.folder().join("ca-key.pem"), server.folder().join("server-key.pem"));
    let right = fs::read(&key).expect("a key");
    fs::copy(&other, &key).expect("copied");
    assert_eq!(api.post(&format!("/admin/certs/{serial}/revoke"), &serde_json::json!({})).status, 200);
    let health = health_until(&api, "no CRL", |health| health["status"] == "degraded");
    let error = health["cas"][0]["error"].as_str().expect("it says why");
    assert!(error.starts_with("no new CRL, and the last one ends at 2"), "{error}");
    assert!(error.contains("does not belong to its certificate"), "{error}");
    assert_eq!(api.read("/admin/ca/health")[0]["status"], "degraded");
    assert!(api.get("/admin/metrics").text().contains("ohia_ca_health{ca=\"main\"} 0"));
    let failed = server.estd_json(&["audit", "list", "--event", "crl.failed"]);
    let failed = failed["events"].as_array().expect("events");
    assert_eq!(failed.len(), 1, "one for all tries: {failed:?}");
    assert_eq!((&failed[0]["outcome"], &failed[0]["ca_id"]), (&"failure".into(), &"main".into()), "{failed:?}");

    fs::write(&key, right).expect("written");
    let health = health_until(&api, "a CRL", |health| health["status"] == "healthy");
    assert_eq!(health["cas"][0]["error"], Value::Null);
    assert!(api.get("/admin/metrics").text().contains("ohia_crl_next_update_timestamp_seconds{ca=\"main\"} "));
}

#[test]
fn a_sink_that_takes_no_records_is_told_until_it_does() {
    let launch = with("max_requests = 1000000");
    let (folder, aside) = (launch.folder().join("log"), launch.folder().join("aside"));
    fs::create_dir(&folder).expect("a folder");
    let config = launch.folder().join("estd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text + "\n[audit]\nfile = \"log/audit.jsonl\"\n").expect("written");
    let server = launch.start();
    let api = Api::operator(&server);
    let metric = |name: &str| {
        let text = api.get("/admin/metrics").text().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{sink=\"file\"}} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse::<f64>().expect("a number")
    };
    let took_all = |health: &Value| health["status"] == "healthy" && health["sinks"][0]["lag"] == 0;
    health_until(&api, "the file has everything", took_all);
    assert_eq!(metric("ohia_audit_sink_up"), 1.0);

    fs::rename(&folder, &aside).expect("moved");
    assert_eq!(api.post("/admin/otp", &serde_json::json!({})).status, 201);
    let health = health_until(&api, "the file is gone", |health| health["status"] == "degraded");
    let sink = &health["sinks"][0];
    assert!(sink["sink"] == "file" && sink["status"] == "degraded" && sink["lag"].as_u64() > Some(0), "{health}");
    assert!(sink["error"].as_str().is_some_and(|error| error.contains("No such file")), "{health}");
    assert_eq!(metric("ohia_audit_sink_up"), 0.0);
    assert!(metric("ohia_audit_sink_lag_records") > 0.0);

    fs::rename(&aside, &folder).expect("moved");
    health_until(&api, "the file has the rest", took_all);
    assert_eq!((metric("ohia_audit_sink_up"), metric("ohia_audit_sink_lag_records")), (1.0, 0.0));
}

/// Prepares a server whose TLS certificate ends so many days from now, and which leaves it at that.
fn ending(days: i64) -> Launch {
    let launch = with("max_requests = 1000000").with_certificate_of(100, days);
    let config = launch.folder().join("estd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text.replace("[tls]\n", "[tls]\nrenew = false\n")).expect("it can be written");
    launch
}

fn end_of<'a>(health: &'a Value, what: &str) -> &'a Value {
    let ends = health["ends"].as_array().expect("ends");
    ends.iter().find(|end| end["what"] == what).unwrap_or_else(|| panic!("{what} does not end: {health}"))
}

#[test]
fn a_tls_certificate_that_ends_soon_is_in_health_check_metrics_and_log() {
    let server = ending(12).start();
    let api = Api::operator(&server);
    let health = health_until(&api, "a CRL", |health| health["ends"].to_string().contains("\"crl\""));
    assert_eq!(health["status"], "degraded");
    let end = end_of(&health, "tls");
    assert_eq!(end["status"], "degraded");
    let told = end["error"].as_str().expect("it says what to do");
    assert!(told.contains("server.pem ends at 2") && told.contains(" days: `estd tls renew`"), "{told}");
    // How many days that is may change in between.
    let (told, _) = told.split_once(", in ").expect("when, and in how many days");
    assert_eq!(health["ends"][0]["what"], "crl", "the next to end comes first: {health}");
    for what in ["ca", "crl"] {
        assert_eq!(
            (&end_of(&health, what)["name"], &end_of(&health, what)["status"]),
            (&"main".into(), &"healthy".into())
        );
    }
    let metrics = api.get("/admin/metrics").text().to_owned();
    for series in ["{name=\"main\",what=\"ca\"} ", "{name=\"main\",what=\"crl\"} ", "server.pem\",what=\"tls\"} "] {
        let line =
            metrics.lines().find(|line| line.contains(series) && line.starts_with("ohia_certificate_not_after_"));
        assert!(line.is_some(), "{series} in {metrics}");
    }
    for command in ["check", "health"] {
        let address = server.url().trim_start_matches("https://");
        let more: &[&str] = if command == "health" { &["--address", address] } else { &[] };
        let output = server.estd(&[&[command][..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains(told), "{command}: {said}");
    }
    let (_, log) = server.stop();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(told)), "{log}");
}

#[test]
fn a_tls_certificate_that_has_ended_is_unhealthy() {
    let server = ending(-1).start();
    // No client that looks at it gets in, those of the tests either.
    let shell = est_testkit::shell::Shell::new();
    let health = shell.run(&format!(
        "curl -sk -H 'Authorization: Bearer {}' https://127.0.0.1:{}/admin/health",
        server.admin_token(),
        server.admin_port()
    ));
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!(health["status"], "unhealthy");
    let told = end_of(&health, "tls")["error"].as_str().expect("it says what to do").to_owned();
    assert!(told.contains("server.pem ended at 2"), "{told}");
    let output = server.estd(&["health", "--address", server.url().trim_start_matches("https://")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(&told), "{said}");
    let (_, log) = server.stop();
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(&told)), "{log}");
}
