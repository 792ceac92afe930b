//! A server with operators, and a client that speaks for one of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use est_core::pkix::Certificate;
use est_testkit::https::{Client, Response, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::Value;

pub(crate) const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A label whose requests a person looks at, somebody for each role, and nothing that slows a test down.
const MORE: &str = r#"
[[admin.token]]
name = "vera"
token = "file:viewer-token"
role = "viewer"

[[admin.token]]
name = "ada"
token = "file:auditor-token"
role = "auditor"

[est]
unlabelled = true

[[est.label]]
name = "vetted"
ca_id = "main"
require_san = false
approval = "manual"
"#;

pub(crate) const VIEWER: &str = "a-viewer-and-nothing-else";
pub(crate) const AUDITOR: &str = "an-auditor-and-nothing-else";

/// Prepares a server whose `[admin]` also has these lines.
pub(crate) fn with(lines: &str) -> Launch {
    let launch = Launch::configured(ESTD, |text| {
        let changed = text.replace("auth = \"bearer\"\n", &format!("auth = \"bearer\"\n{lines}\n"));
        assert_ne!(changed, text, "estd init enables the admin API");
        changed + MORE
    });
    for (name, token) in [("viewer-token", VIEWER), ("auditor-token", AUDITOR)] {
        let path = launch.folder().join(name);
        fs::write(&path, token).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's");
    }
    launch
}

/// A server that limits nobody.
pub(crate) fn patient() -> Server {
    with("max_requests = 1000000\nmax_failures = 1000000\nfailure_delay = \"0s\"").start()
}

/// A client of the admin API.
pub(crate) struct Api {
    client: Client,
    token: Option<String>,
}

impl Api {
    /// With the token that `estd init` made: an operator.
    pub(crate) fn operator(server: &Server) -> Self {
        Self::bearing(server, &server.admin_token())
    }

    pub(crate) fn bearing(server: &Server, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::nobody(server) }
    }

    /// Without a credential.
    pub(crate) fn nobody(server: &Server) -> Self {
        Self { client: Client::new(server.admin_port(), &server.ca()), token: None }
    }

    /// Over a client's own connections.
    pub(crate) fn of(client: Client) -> Self {
        Self { client, token: None }
    }

    /// Sends one request that also has these header lines.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        self.client.exchange(&request).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, "", &[])
    }

    /// Reads JSON that must be there.
    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        json(&answer)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, "", &[])
    }
}

pub(crate) fn json(answer: &Response) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// What an answer that tells of a problem says.
pub(crate) fn problem(answer: &Response) -> (u16, String, String) {
    let body = json(answer);
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body} has no {name}")).to_owned();
    (answer.status, text("error"), text("message"))
}

/// Enrolls a new key with a one-time password; what the EST server answers.
pub(crate) fn ask(server: &Server, path: &str, subject: &str, password: &str) -> Response {
    let body = base64(&Key::p256().csr(subject, &[]));
    Client::new(server.port(), &server.ca()).enroll(path, Some(password), body.as_bytes())
}

/// Enrolls a new key; its certificate.
pub(crate) fn enrolled(server: &Server, subject: &str) -> Certificate {
    let answer = ask(server, "/simpleenroll", subject, &server.password(1));
    Certificate::parse(&answer.certificate()).expect("a certificate")
}

/// Asks at the label where a person has to look first; the id of the request.
pub(crate) fn pending(server: &Server, api: &Api, subject: &str) -> String {
    let answer = ask(server, "/vetted/simpleenroll", subject, &server.password(1));
    assert_eq!(answer.status, 202, "{}", answer.text());
    let requests = api.read("/admin/requests");
    requests["requests"][0]["id"].as_str().expect("an id").to_owned()
}
