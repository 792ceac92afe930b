//! A root gets another key while the server is in use, as `estd ca rollover` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use est_auth::{PathValidator, Purpose};
use est_backends::algorithms;
use est_core::pkix::{Certificate, pem, read_certs_only};
use est_testkit::https::Client;
use est_testkit::peers::is_installed;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use host::shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn certificate(path: &Path) -> Certificate {
    let text = fs::read_to_string(path).expect("a certificate");
    Certificate::parse(&pem::decode(&text).expect("PEM")[0].contents).expect("a certificate")
}

/// The line that `estd ca rollover` printed for this key of the configuration, below this step.
fn line_for(told: &str, step: &str, key: &str) -> String {
    let (_, below) = told.split_once(step).expect("the step is there");
    let found = below.lines().find(|line| line.starts_with(&format!("  {key} = ")));
    found.unwrap_or_else(|| panic!("{step} has no {key} in {told}")).trim().to_owned()
}

/// A server whose root is being replaced, and a device that got its certificate before.
struct Story {
    shell: Shell,
    /// What `estd ca rollover` printed.
    told: String,
    /// The files that it made.
    made: PathBuf,
    /// The root of the beginning.
    old: PathBuf,
}

impl Story {
    /// Enrolls `before`, and rolls over to a key of this type.
    fn begin(key_type: &str) -> (Self, Server) {
        let server = Launch::configured(ESTD, |text| text).start();
        let shell = Shell::new();
        let made = shell.folder().join("made");
        let folder = made.to_str().expect("UTF-8").to_owned();
        let told = printed(&server.estd(&["ca", "rollover", "--ca", "main", "--key-type", key_type, "--out", &folder]));
        let old = shell.folder().join("trusted.pem");
        fs::copy(server.ca(), &old).expect("a copy");
        let story = Self { shell, told, made, old };
        story.enroll(&server, "before");
        (story, server)
    }

    /// Has the server serve by another configuration.
    fn reload(server: &Server, edit: impl FnOnce(String) -> String) {
        let path = server.folder().join("estd.toml");
        let text = fs::read_to_string(&path).expect("the configuration");
        fs::write(&path, edit(text)).expect("the configuration can be written");
        let request = format!(
            "POST /admin/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 0\r\n\r\n",
            server.admin_token()
        );
        let answer = Client::new(server.admin_port(), &server.ca()).exchange(request.as_bytes()).expect("an answer");
        assert_eq!(answer.text(), "{\"status\":\"reloaded\",\"warnings\":[]}");
    }

    /// Does what the first step says.
    fn announce(&self, server: &Server) {
        let rollover = line_for(&self.told, "Step 1", "rollover");
        Self::reload(server, |text| text.replace("key = \"ca-key.pem\"", &format!("key = \"ca-key.pem\"\n{rollover}")));
    }

    /// Does what the second step says.
    fn switch(&self, server: &Server) {
        let line = |key| line_for(&self.told, "Step 2", key);
        let tls = server.folder().join("server.pem");
        let chain = [&tls, &self.made.join("old-with-new.pem")].map(|path| fs::read_to_string(path).expect("PEM"));
        fs::write(tls, chain.concat()).expect("it can be written");
        Self::reload(server, |text| {
            let announced = line_for(&self.told, "Step 1", "rollover");
            let text = text.replace(&announced, &line("rollover"));
            let text = text.replace("cert = \"ca.pem\"\nkey = \"ca-key.pem\"", &[line("cert"), line("key")].join("\n"));
            text.replace("trust_anchors = \"ca.pem\"", &line("trust_anchors"))
        });
    }

    /// The new root.
    fn successor(&self) -> PathBuf {
        self.made.join("new.pem")
    }

    /// Posts a request for NAME with a new key, and keeps what comes as `NAME.pem`.
    fn post(&self, server: &Server, operation: &str, name: &str, trusted: &Path, who: &str) {
        self.shell.run(&format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -subj /CN=device \
                 -outform DER 2>/dev/null | openssl base64 -out {name}.b64
             curl -fsS --cacert {trusted} {who} -H 'Content-Type: application/pkcs10' --data-binary @{name}.b64 {url} |
                 openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out {name}.pem",
            trusted = trusted.display(),
            url = server.est(operation),
        ));
    }

    fn enroll(&self, server: &Server, name: &str) {
        self.post(server, "/simpleenroll", name, &self.old, &format!("-u :{}", server.password(1)));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shell.folder().join(name)
    }

    /// Fetches `/cacerts` as who trusts this root alone.
    fn cacerts(&self, server: &Server, trusted: &Path) -> Vec<Certificate> {
        self.shell.run(&format!(
            "curl -fsS --cacert {} {} | openssl base64 -d -A > fetched.p7",
            trusted.display(),
            server.est("/cacerts")
        ));
        let message = fs::read(self.path("fetched.p7")).expect("an answer");
        let listed = read_certs_only(&message).expect("a certs-only message");
        let mut listed: Vec<_> = listed.iter().map(|der| Certificate::parse(der).expect("a certificate")).collect();
        // openssl takes the first certificate of the issuer's name and key for the issuer's, and a root of itself
        // leads no further.
        listed.sort_by_key(|certificate| certificate.is_issued_by(certificate, algorithms()));
        listed
    }

    /// openssl, and rustls's validator, get from the leaf to the one root that is trusted, by what was fetched.
    fn verifies(&self, trusted: &Path, fetched: &[Certificate], leaf: &str, openssl_can: bool) {
        if openssl_can {
            let text: String = fetched.iter().map(|one| pem::encode("CERTIFICATE", one.as_der())).collect();
            fs::write(self.path("cacerts.pem"), text).expect("it can be written");
            self.shell.run(&format!(
                "openssl verify -x509_strict -purpose sslclient -trusted {} -untrusted cacerts.pem {leaf}",
                trusted.display()
            ));
        }
        let fetched: Vec<&[u8]> = fetched.iter().map(Certificate::as_der).collect();
        let anchor = certificate(trusted);
        let validator = PathValidator::new(&[anchor.as_der()], &fetched, Purpose::ClientAuth).expect("certificates");
        let leaf = certificate(&self.path(leaf)).as_der().to_vec();
        validator.validate(&[leaf], shell::now()).expect("a path");
    }
}

/// From the server's first root, which has a P-256 key, to one of this type.
fn roll_over(key_type: &str, openssl_can: bool) {
    let (story, server) = Story::begin(key_type);
    let (old, new) = (story.old.clone(), story.successor());
    assert_eq!(story.cacerts(&server, &old).len(), 1);

    story.announce(&server);
    let announced = story.cacerts(&server, &old);
    assert_eq!(announced.len(), 4);
    story.enroll(&server, "meanwhile");
    let meanwhile = certificate(&story.path("meanwhile.pem"));
    assert!(meanwhile.is_issued_by(&certificate(&old), algorithms()), "the old key goes on signing");

    story.switch(&server);
    let started = server.estd_json(&["audit", "list", "--event", "ca.started"]);
    let by = started["events"].as_array().expect("events").iter();
    let by: Vec<_> = by.map(|event| event["fingerprint"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(by, [&new, &old].map(|path| certificate(path).fingerprint().to_string()), "one for each that signs");
    story.enroll(&server, "after");
    let after = certificate(&story.path("after.pem"));
    assert!(after.is_issued_by(&certificate(&new), algorithms()), "the new key signs");
    let fetched = story.cacerts(&server, &old);
    assert_eq!(fetched, announced, "the same four");
    story.verifies(&old, &fetched, "after.pem", openssl_can);
    for leaf in ["before.pem", "meanwhile.pem"] {
        story.verifies(&new, &fetched, leaf, openssl_can);
    }

    // Clients from before and after renew; a curl whose openssl does not know the new algorithm cannot show the latter.
    for (name, of) in
        [("renewed-before", "before"), ("renewed-after", "after")].into_iter().take(1 + usize::from(openssl_can))
    {
        story.post(&server, "/simplereenroll", name, &old, &format!("--cert {of}.pem --key {of}.key"));
        story.verifies(&old, &fetched, &format!("{name}.pem"), openssl_can);
    }
    if openssl_can {
        assert_eq!(story.cacerts(&server, &new), fetched, "who trusts the new root alone gets to the server");
    }
}

#[test]
fn clients_of_both_roots_go_on_through_a_rollover_to_another_curve() {
    if is_installed("curl") && is_installed("openssl") {
        roll_over("ecdsa-p384", true);
    }
}

#[test]
fn clients_of_both_roots_go_on_through_a_rollover_to_rsa() {
    if is_installed("curl") && is_installed("openssl") {
        roll_over("rsa-2048", true);
    }
}

#[test]
fn clients_of_both_roots_go_on_through_a_rollover_to_ml_dsa() {
    if is_installed("curl") && is_installed("openssl") {
        // openssl before 3.5, and curl with it, have no ML-DSA: webpki looks alone.
        roll_over("ml-dsa-65", false);
    }
}

#[test]
fn a_rollover_overwrites_nothing_and_hides_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let estd = |arguments: &[&str]| std::process::Command::new(ESTD).args(arguments).output().expect("estd runs");
    printed(&estd(&["init", &path("pki")]));
    let config = path("pki/estd.toml");
    let (key, made) = (fs::read(path("pki/ca-key.pem")).expect("a key"), path("made"));
    let told = printed(&estd(&["ca", "rollover", "--config", &config, "--out", &made]));
    assert!(!told.contains("PRIVATE KEY") && told.contains("Step 1") && told.contains("Step 2"), "{told}");
    let new_key = fs::read(path("made/new-key.pem")).expect("a key");
    let metadata = fs::metadata(path("made/new-key.pem")).expect("a key");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
    let old = certificate(Path::new(&path("made/old.pem")));
    assert_eq!(old, certificate(Path::new(&path("pki/ca.pem"))));

    for more in [&[][..], &["--ca", "main"]] {
        let again = estd(&[&["ca", "rollover", "--config", &config, "--out", &made][..], more].concat());
        assert!(!again.status.success());
        assert!(String::from_utf8_lossy(&again.stderr).contains("new-key.pem exists already"));
    }
    assert_eq!(fs::read(path("made/new-key.pem")).expect("a key"), new_key);
    assert_eq!(fs::read(path("pki/ca-key.pem")).expect("a key"), key);

    let unknown = estd(&["ca", "rollover", "--config", &config, "--out", &path("other"), "--ca", "mine"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("--ca mine: there is no such [[ca]], but main"));
    assert!(!Path::new(&path("other")).exists());
}

#[test]
fn a_rollover_is_in_the_audit_trail_before_it_is_in_a_file() {
    let server = Server::dev(ESTD);
    let started = server.estd_json(&["audit", "list", "--event", "ca.started"]);
    let own = certificate(&server.ca());
    assert_eq!(started["events"][0]["fingerprint"], own.fingerprint().to_string());
    assert_eq!(started["events"][0]["ca_id"], "main");
    let made = server.folder().join("made");
    printed(&server.estd(&["ca", "rollover", "--key-type", "ecdsa-p384", "--out", made.to_str().expect("UTF-8")]));
    let events = server.estd_json(&["audit", "list", "--event", "ca", "--limit", "4"]);
    let events = events["events"].as_array().expect("events");
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["ca.cert.issued", "ca.cert.issued", "ca.cert.issued", "ca.key.generated"]);
    assert!(events.iter().all(|event| event["actor"].as_str().is_some_and(|actor| actor.starts_with("local:"))));
    for (event, name) in events.iter().zip(["new-with-old.pem", "old-with-new.pem", "new.pem"]) {
        let certificate = certificate(&made.join(name));
        assert_eq!(event["fingerprint"], certificate.fingerprint().to_string(), "{event}");
        assert!(event["reason"].as_str().is_some_and(|reason| reason.starts_with(name)), "{event}");
    }
    let reason = events[3]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("ecdsa-p384, key sha-256:"), "{reason}");
}

#[test]
fn a_ca_below_a_root_is_told_where_to_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let estd = |arguments: &[&str]| std::process::Command::new(ESTD).args(arguments).output().expect("estd runs");
    printed(&estd(&["init", &path("pki")]));
    let config = path("pki/estd.toml");
    printed(&estd(&["ca", "rollover", "--config", &config, "--out", &path("made")]));
    // The new key as the old root certified it: a CA that is no root.
    let text = fs::read_to_string(&config).expect("the configuration").replace(
        "cert = \"ca.pem\"\nkey = \"ca-key.pem\"",
        "cert = \"../made/new-with-old.pem\"\nkey = \"../made/new-key.pem\"",
    );
    fs::write(&config, text).expect("the configuration can be written");
    let refused = estd(&["ca", "rollover", "--config", &config, "--out", &path("again")]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("have CN=Ohia CA certify a new key"), "{told}");
    assert!(!Path::new(&path("again")).exists());
}

#[test]
fn curl_asks_again_only_for_what_has_changed() {
    if !is_installed("curl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let curl = |flags: &str| {
        let (ca, url) = (server.ca(), server.est("/cacerts"));
        shell.run(&format!("curl -sS --cacert {} {flags} {url}", ca.display()))
    };
    for version in ["--http1.1", "--http2"] {
        let first = curl(&format!("{version} -i --etag-save etag"));
        let (head, body) = first.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.to_ascii_lowercase().contains("cache-control: max-age=86400"), "{head}");
        let again = curl(&format!("{version} -i --etag-compare etag"));
        let (head, rest) = again.split_once("\r\n\r\n").expect("a head");
        assert!(head.lines().next().is_some_and(|line| line.contains(" 304")) && rest.is_empty(), "{again}");
        let head_alone = curl(&format!("{version} --head"));
        assert!(head_alone.to_ascii_lowercase().contains("etag: \""), "{head_alone}");
        assert!(head_alone.to_ascii_lowercase().contains(&format!("content-length: {}", body.len())), "{head_alone}");
    }
}
