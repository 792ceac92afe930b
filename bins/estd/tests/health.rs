//! `estd health`, as a container runs it.

use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn health(server: &Server) -> (String, bool) {
    let output = server.estd(&["health", "--address", &format!("127.0.0.1:{}", server.port())]);
    let printed = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&printed).into_owned(), output.status.success())
}

#[test]
fn a_server_that_answers_is_well_whomever_it_lets_in() {
    for (mode, says) in
        [("optional", "it serves HTTPS\n"), ("required", "it serves HTTPS, and asks for a client certificate\n")]
    {
        let wanted = format!("mode = \"{mode}\"");
        let server = Launch::configured(ESTD, |text| text.replace("mode = \"optional\"", &wanted)).start();
        let (printed, succeeded) = health(&server);
        assert!(succeeded && printed.contains(says), "{mode}: {printed}");
    }
}

#[test]
fn a_server_that_is_gone_or_another_is_not_well() {
    let (server, other) = (Server::dev(ESTD), Server::dev(ESTD));
    let output = server.estd(&["health", "--address", &format!("127.0.0.1:{}", other.port())]);
    assert!(!output.status.success(), "it has another certificate");

    let port = other.port();
    assert!(other.stop().0.success());
    let output = server.estd(&["health", "--address", &format!("127.0.0.1:{port}")]);
    assert!(!output.status.success(), "nobody listens");
}
