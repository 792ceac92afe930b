//! What no well-meaning client sends: every case in `tests/vectors/bad_input` is sent to a real server.
//!
//! Each is answered as it says; none gets a 5xx, none changes anything, none leaves a secret behind. In each
//! group a request that differs from the others by its fault alone is granted, so that no group is refused for a
//! reason that it does not name. Bodies that are signed were made by `est-testkit/examples/bad_input`.

mod case;
mod people;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};

use est_testkit::https::{Response, read_to_end, split_response};
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};
use serde_json::Value;

use case::{Case, Expect};
use people::People;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// Labels whose rules some cases break.
const LABELS: &str = r#"
[[est.label]]
name = "servers"
ca_id = "main"
require_san = true
allowed_key_types = ["ecdsa-p256"]

[[est.label]]
name = "people"
ca_id = "main"
require_san = false
subject_pattern = "^CN=[a-z]+,O=Example$"
"#;

#[test]
fn no_bad_input_gets_a_5xx_or_changes_anything_or_leaves_a_secret_behind() {
    let cases = Case::all(&folder());
    let bad = cases.iter().filter(|case| !case.expect.is_control()).count();
    assert!(bad >= 120, "only {bad} cases");
    let server = Launch::configured(ESTD, |text| {
        // Whoever sends all this is one client to the server, and would be locked out.
        text.replace("[otp]\n", "[otp]\nmax_failures = 1000\n")
            .replace("[server]\n", "[server]\nmax_body_size = \"64KB\"\n")
            + "\n[est]\nunlabelled = true\nbase_path = \"/.well-known/est\"\n"
            + LABELS
            + BUSY_PRINCIPALS
    })
    .start();
    let people = People::of(&server);
    let mut secrets = people.secrets().to_vec();
    secrets.extend(cases.iter().flat_map(Case::secrets));

    let before = state(&server);
    let mut faults = Vec::new();
    for case in cases.iter().filter(|case| !case.expect.is_control()) {
        faults.extend(check(case, &people, &server).err());
    }
    assert!(faults.is_empty(), "{} of {bad} cases:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(state(&server), before, "bad input changed something");

    let mut granted = BTreeSet::new();
    for case in cases.iter().filter(|case| case.expect.is_control()) {
        granted.insert(case.group());
        faults.extend(check(case, &people, &server).err());
    }
    let groups: BTreeSet<&str> = cases.iter().map(Case::group).collect();
    assert_eq!(granted, groups, "each group has a request that is granted");
    assert_ne!(state(&server), before, "what is granted changes something");
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let printed = server.estd(&["audit", "list", "--limit", "10000", "--json"]).stdout;
    let file = |name: &str| std::fs::read(server.folder().join(name)).unwrap_or_default();
    let database = [file("estd.db"), file("estd.db-wal")].concat();
    assert!(!database.is_empty() && !printed.is_empty());
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(log.lines().count() > cases.len(), "trace logs something");
    assert!(secrets.len() > 30);
    let event = b"cert.denied";
    assert!(printed.windows(event.len()).any(|window| window == event), "the search finds what is there");
    for secret in secrets {
        assert!(!log.contains(&secret), "a secret of {} characters is in the log", secret.len());
        for (place, octets) in [("audit records", &printed), ("database", &database)] {
            let is_there = octets.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "a secret of {} characters is in the {place}", secret.len());
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bad_input")
}

/// Everything that an operator can see change, but for the audit records, which tell of every attempt.
fn state(server: &Server) -> [Value; 3] {
    [&["certs", "list", "--limit", "1000"][..], &["otp", "list"], &["requests", "list", "--all"]].map(|command| {
        let mut listed = server.estd_json(command);
        // Wrong passwords are counted.
        listed.as_object_mut().map(|listed| listed.remove("failures"));
        listed
    })
}

/// Sends a case. `Err` says in what the answer differs from the expected one.
fn check(case: &Case, people: &People, server: &Server) -> Result<(), String> {
    let octets = case.octets(people);
    let came = if case.who == "plain tcp" {
        let stream = TcpStream::connect(("127.0.0.1", server.port()));
        stream.map(|stream| {
            let mut stream = send(stream, &octets, case, |stream| stream.shutdown(Shutdown::Write));
            let mut came = Vec::new();
            // A reset ends it like anything else.
            let _ = stream.read_to_end(&mut came);
            came
        })
    } else {
        people.client(&case.who).connect().map(|connection| {
            let mut connection = send(connection, &octets, case, |connection| {
                connection.conn.send_close_notify();
                connection.flush()?;
                connection.sock.shutdown(Shutdown::Write)
            });
            if case.expect == Expect::HangUp { Vec::new() } else { read_to_end(&mut connection) }
        })
    };
    // Whatever ends a handshake ends the connection.
    let came = came.unwrap_or_default();
    let differs = |what: String| Err(format!("{}: {what}", case.name));
    if case.expect == Expect::HangUp {
        return Ok(());
    }
    let answer = split_response(&came).map_err(|error| format!("{}: {error}", case.name))?;
    let (response, rest) = match (answer, &case.expect) {
        (None, Expect::Closed) if !came.starts_with(b"HTTP") => return Ok(()),
        (None, _) => return differs(format!("no answer, but {}", came.escape_ascii())),
        (Some(answer), _) => answer,
    };
    if !rest.is_empty() {
        return differs(format!("a second answer: {}", rest.escape_ascii()));
    }
    let found = match &case.expect {
        Expect::Answer(..) if response.status >= 400 => {
            Expect::Answer(response.status, response.text().trim_end_matches('\n').to_owned())
        }
        Expect::Bare(401) if response.header("WWW-Authenticate").is_none() => {
            return differs("no challenge".to_owned());
        }
        Expect::Bare(_) if response.body.is_empty() => Expect::Bare(response.status),
        Expect::Certificate if response.status == 200 => {
            response.certificate();
            Expect::Certificate
        }
        Expect::Content if response.status == 200 && !response.body.is_empty() => Expect::Content,
        _ => Expect::Answer(response.status, response.text().to_owned()),
    };
    if found != case.expect {
        return differs(format!("{found:?} instead of {:?}", case.expect));
    }
    if matches!(found, Expect::Answer(..)) {
        is_fit_to_be_read(&response, server).or_else(differs)?;
    }
    Ok(())
}

fn send<S: Write>(mut stream: S, octets: &[u8], case: &Case, close: impl Fn(&mut S) -> io::Result<()>) -> S {
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(octets).and_then(|()| stream.flush());
    if case.half_closes {
        let _ = close(&mut stream);
    }
    stream
}

/// A refusal is one line of plain text that tells nothing of the inside, with the headers that its status wants.
fn is_fit_to_be_read(response: &Response, server: &Server) -> Result<(), String> {
    let text = response.text();
    if text.len() < 10 || text.matches('\n').count() != 1 || !text.ends_with('\n') {
        return Err(format!("not one line: {text:?}"));
    }
    let folder = server.folder().display().to_string();
    for inside in ["panic", "SQL", "sql", ".rs", "src/", "Error(", "Some(", "::", folder.as_str()] {
        if text.contains(inside) {
            return Err(format!("tells of the inside: {text:?}"));
        }
    }
    if response.header("Content-Type") != Some("text/plain; charset=utf-8") {
        return Err(format!("Content-Type {:?}", response.header("Content-Type")));
    }
    let wanted = match response.status {
        401 => Some("WWW-Authenticate"),
        405 => Some("Allow"),
        _ => None,
    };
    match wanted.filter(|name| response.header(name).is_none()) {
        Some(name) => Err(format!("{} without {name}", response.status)),
        None => Ok(()),
    }
}
