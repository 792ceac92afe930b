//! Sessions of browsers, and what operators read again and again.

use std::fs;

use serde_json::json;

use crate::api::{Api, VIEWER, json, problem, with};

/// A header with the cookie that an answer sets, and whatever else a browser says of its page.
fn showing(cookie: &str, site: &str) -> String {
    format!("Cookie: {cookie}\r\nSec-Fetch-Site: {site}\r\n")
}

/// Begins a session with a token; the answer's Set-Cookie, and the cookie alone.
fn begun(api: &Api) -> (String, String) {
    let answer = api.send("POST", "/admin/session", "Sec-Fetch-Site: same-origin\r\n", b"");
    assert_eq!(answer.status, 201, "{}", answer.text());
    let set = answer.header("set-cookie").expect("a cookie").to_owned();
    let cookie = set.split(';').next().expect("a pair").to_owned();
    (set, cookie)
}

#[test]
fn a_session_stands_for_the_token_with_its_role_and_its_name() {
    let server = with("title = \"Plant 7\"").start();
    let (set, cookie) = begun(&Api::bearing(&server, VIEWER));
    for attribute in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains(VIEWER));
    let browser = Api::nobody(&server);
    let me = json(&browser.send("GET", "/admin/whoami", &showing(&cookie, "same-origin"), b""));
    assert_eq!((&me["name"], &me["role"], &me["title"]), (&json!("admin:vera"), &json!("viewer"), &json!("Plant 7")));
    let refused = browser.send("POST", "/admin/reload", &showing(&cookie, "same-origin"), b"");
    assert_eq!(problem(&refused).1, "forbidden");
    // It prolongs nothing: only the token begins another one.
    let again = browser.send("POST", "/admin/session", &showing(&cookie, "same-origin"), b"");
    assert_eq!(problem(&again).1, "conflict");

    let ended = browser.send("DELETE", "/admin/session", &showing(&cookie, "same-origin"), b"");
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")));
    assert_eq!(browser.send("GET", "/admin/whoami", &showing(&cookie, "same-origin"), b"").status, 401);
}

#[test]
fn a_cookie_counts_only_for_pages_of_this_origin() {
    let server = with("").start();
    let (_, cookie) = begun(&Api::operator(&server));
    let browser = Api::nobody(&server);
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(browser.send("GET", "/admin/certs", &showing(&cookie, site), b"").status, 401, "{site}");
    }
    assert_eq!(browser.send("GET", "/admin/certs", &format!("Cookie: {cookie}\r\n"), b"").status, 401);
    let forged = showing("__Host-ohia-session=0000", "same-origin");
    assert_eq!(browser.send("GET", "/admin/certs", &forged, b"").status, 401);
    assert_eq!(browser.send("GET", "/admin/certs", &showing(&cookie, "same-origin"), b"").status, 200);
}

#[test]
fn a_session_ends_with_its_token() {
    let server = with("").start();
    let (_, cookie) = begun(&Api::operator(&server));
    let browser = Api::nobody(&server);
    assert_eq!(browser.send("GET", "/admin/certs", &showing(&cookie, "same-origin"), b"").status, 200);
    fs::write(server.folder().join("admin-token"), "another-token-of-the-operator").expect("it is written");
    assert_eq!(Api::bearing(&server, &server.admin_token()).send("POST", "/admin/reload", "", b"").status, 401);
    assert_eq!(browser.send("POST", "/admin/reload", &showing(&cookie, "same-origin"), b"").status, 200);
    assert_eq!(browser.send("GET", "/admin/certs", &showing(&cookie, "same-origin"), b"").status, 401);
}

#[test]
fn the_same_read_by_the_same_operator_is_on_record_once() {
    let server = with("").start();
    let (operator, viewer) = (Api::operator(&server), Api::bearing(&server, VIEWER));
    for api in [&operator, &viewer, &operator, &viewer, &operator] {
        assert_eq!(api.get("/admin/certs?per_page=1").status, 200);
    }
    for _ in 0..2 {
        assert_eq!(operator.send("POST", "/admin/reload", "", b"").status, 200);
    }
    let log = server.estd_json(&["audit", "list", "--event", "admin.access"]);
    let reads = |what: &str| {
        let events = log["events"].as_array().expect("events").iter();
        events.filter(|event| event["reason"] == what).count()
    };
    assert_eq!(reads("GET /admin/certs"), 2, "one for each of them: {log}");
    assert_eq!(reads("POST /admin/reload"), 2, "what changes something is on record each time: {log}");
}
