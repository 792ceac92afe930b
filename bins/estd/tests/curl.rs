//! curl and OpenSSL, as an operator with nothing else would use them.

use std::path::Path;

use est_testkit::peers::is_installed;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// Makes a key of `openssl req -newkey ARGUMENTS` and a request, and leaves its base64 in `NAME.b64`.
fn request(shell: &Shell, name: &str, newkey: &str, subject: &str, san: &str) {
    shell.run(&format!(
        "openssl req -new -newkey {newkey} -nodes -keyout {name}.key -subj '{subject}' {san} -outform DER -out {name}.csr 2>/dev/null
         openssl base64 -in {name}.csr -out {name}.b64"
    ));
}

fn post(shell: &Shell, server: &Server, path: &str, name: &str, who: &str) {
    let (url, ca) = (server.est(path), server.ca());
    shell.run(&format!(
        "curl -sS --fail-with-body --cacert {ca} {who} -H 'Content-Type: application/pkcs10' --data-binary @{name}.b64 -o {name}.p7.b64 {url}
         openssl base64 -d -A -in {name}.p7.b64 -out {name}.p7
         openssl pkcs7 -inform DER -in {name}.p7 -print_certs -out {name}.pem",
        ca = ca.display()
    ));
    verify(shell, &ca, name);
}

/// `openssl verify` accepts the certificate for a server and for a client, and its key is the one that was made.
fn verify(shell: &Shell, ca: &Path, name: &str) {
    let ca = ca.display();
    shell.run(&format!(
        "openssl verify -x509_strict -CAfile {ca} -purpose sslclient {name}.pem
         openssl verify -x509_strict -CAfile {ca} -purpose sslserver {name}.pem
         openssl x509 -in {name}.pem -noout -pubkey > {name}.cert.pub
         openssl pkey -in {name}.key -pubout > {name}.key.pub
         cmp {name}.cert.pub {name}.key.pub"
    ));
}

#[test]
fn enrolls_by_password_then_by_certificate_and_renews() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let ec = "ec -pkeyopt ec_paramgen_curve:P-256";

    let ca = server.ca();
    shell.run(&format!(
        "curl -sS --fail --cacert {ca} {url} | openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs | openssl x509 > fetched.pem
         openssl x509 -in {ca} > known.pem
         cmp fetched.pem known.pem",
        ca = ca.display(),
        url = server.est("/cacerts")
    ));

    let san = "-addext 'subjectAltName=DNS:device-1.example,IP:192.0.2.7'";
    request(&shell, "first", ec, "/O=Example/CN=device-1", san);
    post(&shell, &server, "/simpleenroll", "first", &format!("-u device-1:{}", server.password(1)));

    request(&shell, "second", ec, "/O=Example/CN=device-1", san);
    post(&shell, &server, "/simpleenroll", "second", "--cert first.pem --key first.key");

    request(&shell, "third", ec, "/O=Example/CN=device-1", san);
    post(&shell, &server, "/simplereenroll", "third", "--cert second.pem --key second.key");

    let text = shell.run("openssl x509 -in third.pem -noout -text");
    assert!(text.contains("DNS:device-1.example, IP Address:192.0.2.7"), "{text}");
    assert!(text.contains("TLS Web Server Authentication, TLS Web Client Authentication"), "{text}");
    assert!(text.contains("CA:FALSE"), "{text}");
}

#[test]
fn enrolls_every_kind_of_key_that_openssl_makes() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    for (name, newkey) in [
        ("rsa2048", "rsa:2048"),
        ("rsa3072", "rsa:3072"),
        ("pss", "rsa:2048 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"),
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "ed25519"),
    ] {
        request(&shell, name, newkey, &format!("/CN={name}"), "");
        post(&shell, &server, "/simpleenroll", name, &format!("-u :{}", server.password(1)));
    }
}

#[test]
fn speaks_http_1_and_2_over_tls_1_2_and_1_3_and_nothing_older() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let get = |flags: &str| {
        let command = format!(
            "curl -sS --fail {flags} --cacert {} -o /dev/null -w '%{{http_version}} %{{http_code}}' {}",
            server.ca().display(),
            server.est("/cacerts")
        );
        shell.run(&command)
    };
    assert_eq!(get("--http1.1 --tlsv1.3"), "1.1 200");
    assert_eq!(get("--http1.1 --tls-max 1.2"), "1.1 200");
    assert_eq!(get("--http2 --tlsv1.3"), "2 200");
    assert_eq!(get("--http2 --tls-max 1.2"), "2 200");
    let refused = shell.fails(&format!(
        "openssl s_client -connect 127.0.0.1:{} -tls1_1 -cipher 'ALL:@SECLEVEL=0' < /dev/null 2>&1",
        server.port()
    ));
    assert!(refused.contains("alert") || refused.contains("no protocols"), "{refused}");
}

#[test]
fn an_answer_that_needs_no_body_reaches_who_sends_one() {
    if !is_installed("curl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    shell.run("head -c 40000 /dev/zero | base64 -w0 > body");
    let (ca, admin) = (server.ca(), format!("https://localhost:{}/admin", server.admin_port()));
    for (url, content_type, status) in [
        (server.est("/nowhere"), "application/pkcs10", 404),
        (server.est("/simpleenroll"), "text/plain", 415),
        (server.est("/cacerts"), "application/pkcs10", 405),
        (format!("{admin}/otp"), "application/json", 401),
        (format!("{admin}/nowhere"), "application/json", 404),
    ] {
        for version in ["--http1.1", "--http2"] {
            // Whether the answer or the body is faster is a matter of luck.
            let told = shell.run(&format!(
                "for try in $(seq 20); do curl -sS {version} --cacert {ca} -H 'Content-Type: {content_type}' \
                 --data-binary @body -o /dev/null -w '%{{http_code}}\n' {url}; done | sort | uniq -c",
                ca = ca.display()
            ));
            assert_eq!(told.trim(), format!("20 {status}"), "{version} {url}");
        }
    }
}

#[test]
fn sends_headers_as_old_clients_want_them() {
    if !is_installed("curl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let answer =
        shell.run(&format!("curl -sS --http1.1 -i --cacert {} {}", server.ca().display(), server.est("/cacerts")));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains("Content-Type: application/pkcs7-mime\r\n"), "{head}");
    assert!(head.contains("\r\nETag: \""), "{head}");
    assert!(head.contains("Content-Transfer-Encoding: base64"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
    assert!(head.len() < 1000 && head.lines().count() <= 16, "{head}");
    assert!(body.ends_with('\n') && body.matches('\n').count() == 1, "{body}");
}

#[test]
fn waits_for_a_person_where_the_label_says_so() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let label = "\n[est]\nunlabelled = true\n[[est.label]]\nname = \"vetted\"\nca_id = \"main\"\nrequire_san = false\napproval = \"manual\"\n";
    let server = Launch::configured(ESTD, |text| text + label).start();
    let shell = Shell::new();
    let ec = "ec -pkeyopt ec_paramgen_curve:P-256";
    for (name, decision, status) in [("good", "approve", "200"), ("bad", "deny", "403")] {
        request(&shell, name, ec, &format!("/CN={name}"), "");
        let ask = format!(
            "curl -sS -D {name}.head --cacert {} -u :{} -H 'Content-Type: application/pkcs10' --data-binary @{name}.b64 -o {name}.p7.b64 -w '%{{http_code}}' {}",
            server.ca().display(),
            server.password(1),
            server.est("/vetted/simpleenroll")
        );
        assert_eq!(shell.run(&ask), "202");
        assert_eq!(shell.run(&ask), "202");
        let head = shell.run(&format!("cat {name}.head"));
        let seconds =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
        assert!(seconds.is_some_and(|seconds| seconds.trim().parse::<u32>().is_ok()), "{head}");

        let waiting = server.estd_json(&["requests", "list"]);
        let waiting = waiting["requests"].as_array().expect("a list");
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0]["subject"], format!("CN={name}"));
        let id = waiting[0]["id"].as_str().expect("an id");
        let decided = server.estd(&["requests", decision, id]);
        assert!(decided.status.success(), "{}", String::from_utf8_lossy(&decided.stderr));
        assert_eq!(shell.run(&ask), status);
    }
    shell.run("openssl base64 -d -A -in good.p7.b64 | openssl pkcs7 -inform DER -print_certs -out good.pem");
    verify(&shell, &server.ca(), "good");
    let listed = server.estd_json(&["certs", "list"]);
    assert_eq!(listed["certificates"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_revoked_certificate_neither_enrolls_nor_renews() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let ec = "ec -pkeyopt ec_paramgen_curve:P-256";
    request(&shell, "lost", ec, "/CN=lost", "");
    post(&shell, &server, "/simpleenroll", "lost", &format!("-u :{}", server.password(1)));
    let serial = shell.run("openssl x509 -in lost.pem -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=");
    let revoked = server.estd(&["certs", "revoke", serial, "--reason", "keyCompromise"]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    request(&shell, "again", ec, "/CN=lost", "");
    for path in ["/simpleenroll", "/simplereenroll"] {
        let answer = shell.run(&format!(
            "curl -sS --cacert {} --cert lost.pem --key lost.key -H 'Content-Type: application/pkcs10' --data-binary @again.b64 -w '%{{http_code}}' {}",
            server.ca().display(),
            server.est(path)
        ));
        assert_eq!(answer, "the client certificate has been revoked\n403");
    }
}
