//! Every endpoint of the description: a request that it answers, and the roles that may send it.

use est_testkit::https::Client;
use est_testkit::server::Server;
use serde_json::{Value, json};

use crate::api::{AUDITOR, Api, VIEWER, enrolled, json, patient, pending, problem};

/// An operation of the description.
struct Operation {
    method: String,
    path: String,
    /// The role that it asks for; everybody's if `None`.
    role: Option<String>,
    takes_query: bool,
    takes_body: bool,
}

fn operations(api: &Api) -> Vec<Operation> {
    let document = api.read("/admin/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().expect("parameters");
            let role = operation["x-role"].as_str().map(str::to_owned);
            assert_eq!(role.is_none(), operation["security"] == json!([]), "{path}");
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                role,
                takes_query: parameters.iter().any(|parameter| parameter["in"] == "query"),
                takes_body: operation["requestBody"].is_object(),
            });
        }
    }
    operations
}

/// The path with something in the places of its parameters that does not exist, but might.
fn filled(path: &str) -> String {
    path.replace("{serial}", "0A:0B:0C").replace("{id}", "none")
}

#[test]
fn each_is_open_to_the_roles_that_it_names_and_to_nobody_else() {
    let server = patient();
    let nobody = Api::nobody(&server);
    let wrong = Api::bearing(&server, "a-token-that-nobody-has");
    let rank = |role: &str| ["viewer", "auditor", "operator"].iter().position(|known| *known == role).expect("a role");
    let operator = server.admin_token();
    for Operation { method, path, role, .. } in operations(&nobody) {
        let call = |api: &Api| api.send(&method, &filled(&path), "", &[]);
        let Some(role) = role else {
            assert_eq!(call(&nobody).status, 200, "{method} {path}");
            continue;
        };
        for stranger in [&nobody, &wrong] {
            let answer = call(stranger);
            assert_eq!(problem(&answer).1, "unauthorized", "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ohia admin\""), "{method} {path}");
        }
        for (own, token) in [("viewer", VIEWER), ("auditor", AUDITOR), ("operator", &operator)] {
            let answer = call(&Api::bearing(&server, token));
            let is_refused = answer.status == 403;
            assert_eq!(is_refused, rank(own) < rank(&role), "{own}: {method} {path} answers {}", answer.status);
            assert_ne!(answer.status, 401, "{own}: {method} {path}");
        }
    }
}

#[test]
fn each_does_what_it_is_for() {
    let server = patient();
    let api = Api::operator(&server);
    let serials = ["CN=one", "CN=two"].map(|subject| enrolled(&server, subject).serial_text());
    let requests = ["CN=three", "CN=four"].map(|subject| pending(&server, &api, subject));
    let passwords = ["device-1", "device-2"].map(|entity| {
        let made = json(&api.post("/admin/otp", &json!({ "entity_id": entity })));
        made["id"].as_str().expect("an id").to_owned()
    });
    for Operation { method, path, .. } in operations(&api) {
        let (path_with, body, expected) = match (method.as_str(), path.as_str()) {
            ("POST", "/admin/otp") => (path.clone(), json!({ "entity_id": "device-2", "ttl": 7200 }), 201),
            ("GET", "/admin/otp/{id}") => (path.replace("{id}", &passwords[0]), Value::Null, 200),
            ("DELETE", "/admin/otp/{id}") => (path.replace("{id}", &passwords[1]), Value::Null, 204),
            ("GET", "/admin/certs/{serial}") => (path.replace("{serial}", &serials[0]), Value::Null, 200),
            ("POST", "/admin/certs/{serial}/revoke") => {
                (path.replace("{serial}", &serials[0]), json!({ "reason": "keyCompromise" }), 200)
            }
            ("POST", "/admin/certs/{serial}/release") => {
                let hold = path.replace("{serial}", &serials[0]).replace("release", "revoke");
                assert_eq!(api.post(&hold, &json!({ "reason": "certificateHold" })).status, 200);
                (path.replace("{serial}", &serials[0]), Value::Null, 200)
            }
            ("POST", "/admin/revoke") => (path.clone(), json!({ "serial": serials[1] }), 200),
            ("GET", "/admin/requests/{id}") => (path.replace("{id}", &requests[0]), Value::Null, 200),
            ("POST", "/admin/requests/decide") => {
                (path.clone(), json!({ "ids": [requests[0]], "decision": "approve" }), 200)
            }
            ("POST", "/admin/requests/{id}/approve") => (path.replace("{id}", &requests[0]), Value::Null, 200),
            ("POST", "/admin/requests/{id}/deny") => (path.replace("{id}", &requests[1]), Value::Null, 200),
            ("POST", "/admin/ha/failover") => (path.clone(), json!({ "group": "main" }), 409),
            ("POST", "/admin/lockouts/unlock") => (path.clone(), json!({ "who": "user nobody" }), 404),
            ("POST", "/admin/session") => (path.clone(), Value::Null, 201),
            ("DELETE", "/admin/session") => (path.clone(), Value::Null, 204),
            ("POST", "/admin/reload") => (path.clone(), Value::Null, 200),
            ("GET", _) => (path.replace("{id}", "main"), Value::Null, 200),
            other => panic!("{other:?} is not tested: say here how it is asked for"),
        };
        let answer = match &body {
            Value::Null => api.send(&method, &path_with, "", &[]),
            body => api.post(&path_with, body),
        };
        assert_eq!(answer.status, expected, "{method} {path_with}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {path}");
    }
}

#[test]
fn each_refuses_what_it_does_not_know() {
    let server = patient();
    let api = Api::operator(&server);
    for Operation { method, path, takes_query, takes_body, .. } in operations(&api) {
        let path = filled(&path);
        if takes_query {
            let answer = api.send(&method, &format!("{path}?colour=red"), "", &[]);
            let (status, error, message) = problem(&answer);
            assert_eq!((status, error.as_str()), (400, "bad_request"), "{path}");
            assert!(message.contains("unknown field `colour`, expected"), "{message}");
        }
        if takes_body {
            let unknown = problem(&api.post(&path, &json!({ "colour": "red" })));
            assert_eq!((unknown.0, unknown.1.as_str()), (400, "bad_request"), "{path}");
            assert!(unknown.2.contains("unknown field `colour`, expected"), "{}", unknown.2);
            let wrong = [(&b"{"[..], 400), (b"[]", 400), (b"\"\"", 400), (b"\xff", 400), (&[b' '; 70_000], 413)];
            for (body, status) in wrong {
                let answer = api.send("POST", &path, "Content-Type: application/json\r\n", body);
                assert_eq!(problem(&answer).0, status, "{path}: {:?}", String::from_utf8_lossy(&body[..1]));
            }
            let answer = api.send("POST", &path, "Content-Type: text/plain\r\n", b"{}");
            assert_eq!(problem(&answer).1, "unsupported_media_type", "{path}");
        }
        if path.contains("none") {
            let answer = api.send(&method, &path.replace("none", "%FF"), "", &[]);
            assert_eq!(problem(&answer).1, "bad_request", "{method} {path}: not UTF-8");
        }
        let answer = api.send("PUT", &path, "", &[]);
        assert_eq!(problem(&answer).1, "method_not_allowed", "{path}");
        assert!(answer.header("allow").is_some_and(|allowed| !allowed.is_empty()), "{path}");
    }
}

#[test]
fn each_listener_serves_its_own_paths_alone() {
    let server = patient();
    let (api, on_est) = (Api::operator(&server), Client::new(server.port(), &server.ca()));
    for Operation { method, path, .. } in operations(&api) {
        let request = format!(
            "{method} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 0\r\n\r\n",
            filled(&path),
            server.admin_token()
        );
        assert_eq!(on_est.exchange(request.as_bytes()).expect("an answer").status, 404, "{path}");
    }
    for operation in ["cacerts", "csrattrs", "simpleenroll", "simplereenroll", "serverkeygen"] {
        for method in ["GET", "POST"] {
            let answer = api.send(method, &format!("/.well-known/est/{operation}"), "", &[]);
            assert_eq!(problem(&answer).1, "not_found", "{operation}");
        }
    }
}

#[test]
fn none_is_there_unless_it_is_enabled() {
    let server: Server = crate::api::with("").start();
    let config = server.folder().join("estd.toml");
    let launch = server.kill();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, text.replace("[admin]\nenabled = true", "[admin]\nenabled = false")).expect("written");
    let mut server = launch.start();
    assert!(server.printed().iter().all(|line| !line.contains("admin API")));
}
