//! What one caller may take.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use est_testkit::https::{Client, Response, read_response};

use crate::api::{Api, VIEWER, patient, problem, with};

#[test]
fn requests_beyond_the_limit_have_to_wait() {
    let server = with("max_requests = 5").start();
    let api = Api::operator(&server);
    let answers: Vec<_> = (0..6).map(|_| api.get("/live")).collect();
    assert_eq!(answers[4].status, 200);
    assert_eq!(problem(&answers[5]).1, "too_many_requests");
    let wait: u64 = answers[5].header("retry-after").and_then(|wait| wait.parse().ok()).expect("Retry-After");
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn who_guesses_tokens_is_not_heard_any_more_even_with_the_right_one() {
    let server = with("max_failures = 3\nfailure_delay = \"0s\"").start();
    for _ in 0..3 {
        assert_eq!(Api::bearing(&server, "not-the-right-token").get("/admin/certs").status, 401);
    }
    assert_eq!(problem(&Api::bearing(&server, "not-the-right-token").get("/admin/certs")).1, "too_many_requests");
    assert_eq!(problem(&Api::operator(&server).get("/admin/certs")).1, "too_many_requests");
    assert_eq!(Api::nobody(&server).get("/live").status, 200, "probes go on");
    let log = server.estd_json(&["audit", "list", "--event", "admin.auth"]);
    assert_eq!(log["events"].as_array().map(Vec::len), Some(3), "what is not heard is not written down: {log}");
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let server = with("").start();
    let api = Api::operator(&server);
    for foreign in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example", "Origin: null"] {
        let answer = api.send("POST", "/admin/otp", &format!("{foreign}\r\nContent-Type: application/json\r\n"), b"{}");
        assert_eq!(problem(&answer).1, "forbidden", "{foreign}");
    }
    let own = "Sec-Fetch-Site: same-origin\r\nOrigin: https://localhost\r\nContent-Type: application/json\r\n";
    assert_eq!(api.send("POST", "/admin/otp", own, b"{}").status, 201);
}

#[test]
fn connections_over_the_limit_push_out_who_has_waited_longest() {
    let server = with("max_connections = 2").start();
    let client = Client::new(server.admin_port(), &server.ca());
    let idle: Vec<_> = (0..4).map(|_| client.connect().expect("a connection")).collect();
    assert_eq!(Api::bearing(&server, VIEWER).get("/admin/health").status, 200);
    drop(idle);
}

#[test]
fn who_keeps_back_the_body_of_a_request_that_was_answered_has_no_place_for_it() {
    let server = with("max_connections = 2\nmax_requests = 10000").start();
    let client = Client::new(server.admin_port(), &server.ca());
    let mut operator = client.connect().expect("a connection");
    let token = server.admin_token();
    let mut ask = || {
        let request =
            format!("GET /admin/metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        operator.write_all(request.as_bytes()).and_then(|()| operator.flush()).expect("sent");
        read_response(&mut operator).expect("an answer")
    };
    assert_eq!(ask().status, 200);
    let mut stranger = client.connect().expect("a connection");
    let head = b"POST /admin/nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n";
    stranger.write_all(head).and_then(|()| stranger.flush()).expect("sent");
    let is_known =
        |metrics: &Response| metrics.text().lines().any(|line| line.contains("\"4xx\"") && line.contains("admin"));
    let started = Instant::now();
    while !is_known(&ask()) {
        assert!(started.elapsed() < Duration::from_secs(60), "the request is not counted");
    }
    let newcomer = client.connect().expect("a connection");
    assert_eq!(ask().status, 200, "the stranger had to make room, not the operator");
    drop((stranger, newcomer));
}

#[test]
fn a_flood_of_wrong_credentials_is_counted_and_not_written_down_one_by_one() {
    let server = patient();
    for _ in 0..200 {
        assert_eq!(Api::bearing(&server, "not-the-right-token").get("/admin/certs").status, 401);
    }
    assert_eq!(Api::operator(&server).get("/admin/certs").status, 200);
    let status = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status().expect("kill runs");
    assert!(status.success());
    let server = server.ended().start();
    let records = |event: &str| {
        let log = server.estd_json(&["audit", "list", "--event", event, "--limit", "1000"]);
        log["events"].as_array().expect("events").clone()
    };
    let single = records("admin.auth.failure").len();
    assert!((100..180).contains(&single), "{single}");
    let counted = records("auth.failures");
    assert_eq!(counted[0]["source"], "127.0.0.1");
    let rest = format!("{} more attempts to authenticate to the admin API failed", 200 - single);
    assert_eq!(counted.iter().map(|record| record["reason"].as_str().unwrap_or_default()).collect::<Vec<_>>(), [rest]);
}

#[test]
fn the_page_and_what_is_not_there_count_as_requests() {
    let server = with("max_requests = 5").start();
    let api = Api::nobody(&server);
    for path in ["/", "/ui/", "/ui/app.js", "/ui/nothing", "/nothing"] {
        assert_ne!(api.get(path).status, 429, "{path}");
    }
    for path in ["/ui/app.js", "/nothing", "/live"] {
        assert_eq!(problem(&api.get(path)).1, "too_many_requests", "{path}");
    }
}

#[test]
fn a_reload_changes_how_many_connections_may_be_open() {
    let server = with("max_connections = 60").start();
    let config = server.folder().join("estd.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, text.replace("max_connections = 60", "max_connections = 2")).expect("written");
    let api = Api::operator(&server);
    assert_eq!(api.send("POST", "/admin/reload", "", &[]).status, 200);
    let client = Client::new(server.admin_port(), &server.ca());
    let idle: Vec<_> = (0..10).map(|_| client.connect().expect("a connection")).collect();
    let metrics = api.get("/admin/metrics");
    let open = metrics.text().lines().find_map(|line| line.strip_prefix("ohia_connections{listener=\"admin\"} "));
    let open: f64 = open.and_then(|open| open.parse().ok()).expect("the number of connections");
    assert!(open <= 2.0, "{open} are open");
    drop(idle);
}
