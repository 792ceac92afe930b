//! What libest does with the octets of an answer. It is not packaged anywhere: this repeats what its source does, with
//! OpenSSL where libest has OpenSSL.

use std::fs;

use est_testkit::https::{Client, Response, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

use crate::ESTD;

const USER_AGENT: &str = "libest 3.2.0p";

/// Sends a request as the client `user_agent`.
fn ask(client: &Client, user_agent: &str, path: &str, password: Option<&str>, body: &str) -> Response {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let authorization = password.map(|password| base64(format!(":{password}").as_bytes()));
    let authorization = authorization.map(|text| format!("Authorization: Basic {text}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nUser-Agent: {user_agent}\r\nConnection: close\r\nHost: localhost\r\nAccept: */*\r\n\
         {authorization}Content-Type: application/pkcs10\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.exchange(request.as_bytes()).expect("an answer")
}

/// Compares names letter by letter, as `strncmp` does.
fn has(response: &Response, name: &str) -> bool {
    response.headers.iter().any(|(known, _)| known == name)
}

#[test]
fn libest_finds_the_challenge_and_the_password_enrolls() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let body = base64(&Key::p256().csr("CN=device", &[]));
    let challenge = ask(&client, USER_AGENT, "/.well-known/est/simpleenroll", None, &body);
    assert_eq!((challenge.status, challenge.text()), (401, ""));
    assert!(has(&challenge, "WWW-Authenticate"), "{:?}", challenge.headers);
    assert!(has(&challenge, "Content-Length"), "{:?}", challenge.headers);
    let password = server.password(1);
    ask(&client, USER_AGENT, "/.well-known/est/simpleenroll", Some(&password), &body).certificate();
}

#[test]
fn every_listener_spells_header_names_as_rfc_9110_does() {
    let server = Launch::configured(ESTD, |text| text).start();
    let est = Client::new(server.port(), &server.ca());
    let admin = Client::new(server.admin_port(), &server.ca());
    let body = base64(&Key::p256().csr("CN=device", &[]));
    for (client, path, body, name) in [
        (&est, "/.well-known/est/simpleenroll", body.as_str(), "WWW-Authenticate"),
        (&est, "/.well-known/est/cacerts", "", "ETag"),
        (&est, "/crl/main.crl", "", "ETag"),
        (&admin, "/admin/certs", "", "WWW-Authenticate"),
    ] {
        for _ in 0..2 {
            let answer = ask(client, "curl", path, None, body);
            assert!(has(&answer, name), "{path}: {:?}", answer.headers);
            assert!(has(&answer, "Content-Length") && has(&answer, "Date"), "{path}: {:?}", answer.headers);
        }
    }
}

#[test]
fn libest_gets_base64_in_lines_that_openssl_reads_and_others_in_one() {
    if !is_installed("openssl") {
        return;
    }
    let server = Launch::configured(ESTD, |text| format!("{text}\n[est]\nserverkeygen = true\n")).start();
    let (client, shell) = (Client::new(server.port(), &server.ca()), Shell::new());
    shell.run("openssl genrsa -out key 4096 2>/dev/null");
    let password = server.password(4);
    for (user_agent, is_libest) in [(USER_AGENT, true), ("curl/7.88.1", false)] {
        shell.run(&format!("openssl req -new -key key -subj /CN=device-{is_libest} -outform DER -out csr"));
        let body = base64(&fs::read(shell.folder().join("csr")).expect("a request"));
        let ask = |path: &str| ask(&client, user_agent, path, Some(&password), &body);
        let answer = ask("/.well-known/est/simpleenroll");
        fs::write(shell.folder().join("answer"), &answer.body).expect("a file");
        // `openssl base64 -d` reads as libest does: not more than 1,024 characters in a line.
        let read = "openssl base64 -d -in answer | openssl pkcs7 -inform DER -print_certs -noout";
        if is_libest {
            shell.run(read);
            assert!(answer.text().lines().all(|line| line.len() <= 64));
        } else {
            shell.fails(read);
            assert_eq!(answer.text().lines().count(), 1);
        }
        answer.certificate();

        let answer = ask("/.well-known/est/serverkeygen");
        assert_eq!(answer.status, 200);
        let parts: Vec<&str> = answer.text().split("\r\n--est-server-generated-key").collect();
        let [key, certificate, _] = parts[..] else { panic!("two parts: {}", answer.text()) };
        for part in [key, certificate] {
            let (_, contents) = part.split_once("\r\n\r\n").expect("a head and contents");
            assert!(contents.ends_with("\r\n"), "{user_agent}: {contents:?}");
            assert_eq!(contents.lines().all(|line| line.len() <= 64), is_libest, "{user_agent}: {contents}");
            fs::write(shell.folder().join("part"), contents).expect("a file");
            if is_libest {
                shell.run("openssl base64 -d -in part -out decoded; test -s decoded");
            }
        }
    }
}
