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

/// Lets the second pass in which a root was made: its successor is to be a later one.
fn a_second_after(root: &Path) {
    let made = certificate(root).not_before();
    while shell::now() <= made {
        std::thread::yield_now();
    }
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
        Self::begin_with(key_type, "")
    }

    /// As [`begin`](Self::begin), with these lines in `[[ca]]`.
    fn begin_with(key_type: &str, lines: &str) -> (Self, Server) {
        let ca = format!("\nid = \"main\"\n{lines}");
        let server = Launch::configured(ESTD, |text| text.replace("\nid = \"main\"\n", &ca)).start();
        a_second_after(&server.ca());
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
        let line = |key| line_for(&self.told, "Step 1", key);
        let lines = ["key = \"ca-key.pem\"".to_owned(), line("rollover"), line("rollover_key")].join("\n");
        Self::reload(server, |text| text.replace("key = \"ca-key.pem\"", &lines));
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
            let text = text.replace(&line_for(&self.told, "Step 1", "rollover_key"), &line("rollover_key"));
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

    /// Fetches `/cacerts` as a client that trusts this root alone.
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
fn warns_until_every_root_that_has_issued_is_trusted() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (story, server) = Story::begin("ecdsa-p384");
    let config = server.folder().join("estd.toml");
    let checked = || {
        let output = server.estd(&["check"]);
        let said = [&output.stdout[..], &output.stderr].concat();
        String::from_utf8(said).expect("UTF-8").lines().filter(|line| line.contains("cannot renew")).count()
    };
    story.announce(&server);
    // The root that is announced has issued nothing yet.
    assert_eq!(checked(), 0);
    story.switch(&server);
    assert_eq!(checked(), 0);
    let text = fs::read_to_string(&config).expect("the configuration");
    let both = line_for(&story.told, "Step 2", "trust_anchors");
    let (old, new) = (story.old.display(), story.successor());
    for (anchors, warnings) in [(format!("[\"{old}\"]"), 1), (format!("[\"{}\"]", new.display()), 1)] {
        fs::write(&config, text.replace(&both, &format!("trust_anchors = {anchors}"))).expect("written");
        assert_eq!(checked(), warnings, "{anchors}");
    }
    fs::write(&config, text).expect("written");
    assert_eq!(checked(), 0);
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

/// How long a CRL may take to be made; never slept through.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Whom openssl refuses for which reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Good,
    Revoked,
}

impl Story {
    fn revoke(&self, server: &Server, name: &str) {
        let serial = certificate(&self.path(&format!("{name}.pem"))).serial_text();
        printed(&server.estd(&["certs", "revoke", &serial, "--reason", "superseded"]));
    }

    /// Where the certificate says that the CRL is: the file's name.
    fn crl_of(&self, name: &str) -> String {
        let der = certificate(&self.path(&format!("{name}.pem"))).as_der().to_vec();
        let text: String = der.iter().map(|octet| char::from(*octet)).collect();
        let (_, file) = text.split_once("http://pki.example/crl/").expect("a distribution point");
        file.split_once(".crl").expect("a CRL").0.to_owned() + ".crl"
    }

    /// Fetches a CRL, as PEM in a file of its name.
    fn fetch(&self, server: &Server, file: &str) {
        let root = if self.path("both.pem").exists() { self.path("both.pem") } else { self.old.clone() };
        self.shell.run(&format!(
            "curl -fsS --retry 60 --retry-delay 1 --retry-all-errors --cacert {} {}/crl/{file} | openssl crl -inform DER -out {file}.pem",
            root.display(),
            server.url()
        ));
    }

    /// What openssl says of a certificate when one root is trusted, what `/cacerts` lists is at hand, and these CRLs are.
    fn checked(&self, trusted: &Path, crls: &str, name: &str) -> Told {
        let said = self.shell.run(&format!(
            "openssl verify -crl_check -CRLfile {crls} -trusted {} -untrusted cacerts.pem {name}.pem 2>&1 || true",
            trusted.display()
        ));
        match said {
            good if good.contains(&format!("{name}.pem: OK")) => Told::Good,
            revoked if revoked.contains("certificate revoked") => Told::Revoked,
            other => panic!("{name} with {}: {other}", trusted.display()),
        }
    }

    /// Each certificate is what it is in every trust situation, by the CRL that it names and by all of them.
    fn check_all(&self, server: &Server, roots: &[&Path], expected: &[(&str, Told)]) {
        let listed = self.cacerts(server, roots.last().expect("a root"));
        let text: String = listed.iter().map(|one| pem::encode("CERTIFICATE", one.as_der())).collect();
        fs::write(self.path("cacerts.pem"), text).expect("written");
        // Whoever trusts all of them puts the roots first: openssl takes the first issuer that fits, and goes in circles.
        let four = self.path("four.pem");
        let text: String = listed.iter().rev().map(|one| pem::encode("CERTIFICATE", one.as_der())).collect();
        fs::write(&four, text).expect("written");
        let files: std::collections::BTreeSet<_> = expected.iter().map(|(name, _)| self.crl_of(name)).collect();
        let started = std::time::Instant::now();
        let is_so = || {
            files.iter().for_each(|file| self.fetch(server, file));
            let all: String =
                files.iter().map(|file| fs::read_to_string(self.path(&format!("{file}.pem"))).expect("PEM")).collect();
            fs::write(self.path("all.pem"), all).expect("written");
            roots.iter().copied().chain([four.as_path()]).all(|root| {
                expected.iter().all(|(name, told)| {
                    [format!("{}.pem", self.crl_of(name)), "all.pem".to_owned()]
                        .iter()
                        .all(|crls| self.checked(root, crls, name) == *told)
                })
            })
        };
        while !is_so() {
            assert!(started.elapsed() < PATIENCE, "it never comes to this: {expected:?}");
        }
    }
}

#[test]
fn each_key_of_a_ca_has_a_crl_before_during_and_after_a_rollover() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (story, server) = Story::begin_with("ecdsa-p384", "crl_url = \"http://pki.example/crl/main.{key}.crl\"\n");
    let (old, new) = (story.old.clone(), story.successor());
    for name in ["old-good", "old-bad", "old-late"] {
        story.enroll(&server, name);
    }
    story.revoke(&server, "old-bad");
    let of_old = [("old-good", Told::Good), ("old-bad", Told::Revoked), ("old-late", Told::Good)];
    story.check_all(&server, &[&old], &of_old);
    // Every CRL but the key's own is the same at the address without a key.
    story.fetch(&server, "main.crl");
    let named = story.crl_of("old-good");
    assert_eq!(
        fs::read(story.path("main.crl.pem")).expect("PEM"),
        fs::read(story.path(&format!("{named}.pem"))).expect("PEM")
    );

    story.announce(&server);
    story.check_all(&server, &[&old, &old], &of_old);

    let both: String = [&old, &new].map(|path| fs::read_to_string(path).expect("PEM")).concat();
    fs::write(story.path("both.pem"), both).expect("written");
    story.switch(&server);
    for name in ["new-good", "new-bad"] {
        story.enroll(&server, name);
    }
    assert_ne!(story.crl_of("new-good"), story.crl_of("old-good"));
    story.revoke(&server, "new-bad");
    story.revoke(&server, "old-late");
    let mut of_both = vec![("old-good", Told::Good), ("old-bad", Told::Revoked), ("old-late", Told::Revoked)];
    of_both.extend([("new-good", Told::Good), ("new-bad", Told::Revoked)]);
    story.check_all(&server, &[&old, &new], &of_both);
    // What was issued before there were addresses for keys names the one without.
    story.fetch(&server, "main.crl");
    for (name, told) in &of_both[..3] {
        assert_eq!(story.checked(&old, "main.crl.pem", name), *told);
    }

    // Another server that holds certificates against the CRLs of this one.
    let crls = story.path("crls");
    fs::create_dir(&crls).expect("a folder");
    for name in ["old-good", "new-good"] {
        fs::copy(story.path(&format!("{}.pem", story.crl_of(name))), crls.join(format!("{name}.pem"))).expect("copied");
    }
    let relying = Launch::configured(ESTD, |text| {
        let anchors =
            format!("trust_anchors = \"{}\"\ncrls = \"{}\"", story.path("both.pem").display(), crls.display());
        text.replace("trust_anchors = \"ca.pem\"", &anchors)
    });
    let relying = relying.start();
    for (name, told) in &of_both {
        let status = story.shell.run(&format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=device -outform DER \
                 2>/dev/null | openssl base64 -out x.b64
             curl -s -o /dev/null -w '%{{http_code}}' --cacert {} --cert {name}.pem --key {name}.key \
                 -H 'Content-Type: application/pkcs10' --data-binary @x.b64 {}",
            relying.ca().display(),
            relying.est("/simpleenroll")
        ));
        assert_eq!(status.trim() == "200", *told == Told::Good, "{name}: {status}");
    }

    // The old key makes a last CRL for as long as its certificates last, and goes.
    let old_key = story.crl_of("old-good").trim_start_matches("main.").trim_end_matches(".crl").to_owned();
    let made = printed(&server.estd(&["crl", "--renew", "--key", &old_key, "--valid-for", "380d"]));
    assert!(made.contains(&old_key), "{made}");
    let line = line_for(&story.told, "Step 2", "rollover_key");
    Story::reload(&server, |text| text.replace(&line, "rollover_key = []"));
    fs::remove_file(server.folder().join("ca-key.pem")).expect("the old key");
    story.check_all(&server, &[&old, &new], &of_both);
    let ends = story.shell.run(&format!("openssl crl -in {}.pem -noout -nextupdate", story.crl_of("old-good")));
    let of_new = story.shell.run(&format!("openssl crl -in {}.pem -noout -nextupdate", story.crl_of("new-good")));
    assert_ne!(ends, of_new);
    story.fetch(&server, "main.crl");
    assert_eq!(story.checked(&old, "main.crl.pem", "old-late"), Told::Revoked);

    // When the old root is not listed any more, the address without a key is the new one's.
    Story::reload(&server, |text| {
        let lines = text.lines().filter(|line| !line.starts_with("rollover"));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
    story.fetch(&server, "main.crl");
    assert_eq!(story.checked(&new, "main.crl.pem", "new-bad"), Told::Revoked);
    story.check_all(&server, &[&new], &[("new-good", Told::Good), ("new-bad", Told::Revoked)]);
    let _ = printed(&server.estd(&["check"]));
}

/// Another server of the CA has the new key alone, and revokes what the old one issued.
#[test]
fn an_imported_crl_of_the_new_key_is_about_what_the_old_one_issued() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let (story, server) = Story::begin_with("ecdsa-p256", "crl_url = \"http://pki.example/crl/main.{key}.crl\"\n");
    let (old, new) = (story.old.clone(), story.successor());
    let both: String = [&old, &new].map(|path| fs::read_to_string(path).expect("PEM")).concat();
    fs::write(story.path("both.pem"), both).expect("written");
    story.enroll(&server, "old");
    story.announce(&server);
    story.switch(&server);
    story.enroll(&server, "new");
    let serial = certificate(&story.path("old.pem")).serial_text();
    let crl_of_the_other_server = |number: u32, reason: &str| {
        let plain = serial.replace(':', "");
        story.shell.run(&format!(
            "printf 'R\\t391231235959Z\\t261101000000Z,{reason}\\t{plain}\\tunknown\\t/CN=device\\n' > index.txt
             printf '%04x' {number} > crlnumber
             printf '[ca]\\ndefault_ca = ca\\n[ca]\\ndatabase = index.txt\\ncrlnumber = crlnumber\\ndefault_md = sha256\\n\
                 crl_extensions = crl\\n[crl]\\nauthorityKeyIdentifier = keyid\\n' > openssl.cnf
             openssl ca -config openssl.cnf -gencrl -cert made/new.pem -keyfile made/new-key.pem -crldays 30 -out other.crl 2>&1"
        ));
        let path = story.path("other.crl").display().to_string();
        let told = server.estd_json(&["certs", "import", "--crl", &path]);
        ["revoked", "listed"].map(|name| told[name].as_u64().expect("a number"))
    };
    // Once on the CRL of either key, for this reason.
    let listed = |reason: Option<&str>| {
        let files = ["old", "new"].map(|name| story.crl_of(name));
        let started = std::time::Instant::now();
        let is_so = || {
            files.iter().all(|file| {
                story.fetch(&server, file);
                let text = story.shell.run(&format!("openssl crl -in {file}.pem -noout -text"));
                text.matches("Serial Number:").count() == usize::from(reason.is_some())
                    && ["Hold", "Key Compromise"].iter().all(|one| text.contains(one) == (reason == Some(*one)))
            })
        };
        while !is_so() {
            assert!(started.elapsed() < PATIENCE, "it never comes to this: {reason:?}");
        }
    };
    let check = |old_is: Told| story.check_all(&server, &[&old, &new], &[("old", old_is), ("new", Told::Good)]);

    assert_eq!(crl_of_the_other_server(100, "certificateHold"), [1, 0], "the inventory has it");
    listed(Some("Hold"));
    check(Told::Revoked);
    printed(&server.estd(&["certs", "release", &serial]));
    listed(None);
    check(Told::Good);
    assert_eq!(crl_of_the_other_server(200, "certificateHold"), [1, 0]);
    assert_eq!(crl_of_the_other_server(300, "keyCompromise"), [1, 0], "a reason that is news");
    listed(Some("Key Compromise"));
    check(Told::Revoked);
    printed(&server.estd(&["audit", "verify", "--state"]));
}

#[test]
fn a_rollover_overwrites_nothing_and_hides_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let estd = |arguments: &[&str]| std::process::Command::new(ESTD).args(arguments).output().expect("estd runs");
    printed(&estd(&["init", &path("pki")]));
    let config = path("pki/estd.toml");
    a_second_after(Path::new(&path("pki/ca.pem")));
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

    // A root before whose key is not named makes no CRL, which is said.
    let before = fs::read_to_string(&config).expect("the configuration");
    let line = |key| line_for(&told, "Step 2", key);
    let lines = [line("cert"), line("key"), line("rollover"), "crl_url = \"http://pki.example/main.crl\"".to_owned()];
    let text = before.replace("cert = \"ca.pem\"\nkey = \"ca-key.pem\"", &lines.join("\n"));
    fs::write(&config, &text).expect("the configuration can be written");
    let checked = String::from_utf8_lossy(&estd(&["check", "--config", &config]).stderr).into_owned();
    assert!(checked.contains("set rollover_key to its private key"), "{checked}");
    assert!(checked.contains("write {key} for the key"), "{checked}");
    let named = text
        .replace("/main.crl", "/main.{key}.crl")
        .replace("rollover = ", &format!("{}\nrollover = ", line("rollover_key")));
    fs::write(&config, &named).expect("the configuration can be written");
    let checked = String::from_utf8_lossy(&estd(&["check", "--config", &config]).stderr).into_owned();
    assert!(!checked.contains("rollover_key") && !checked.contains("crl_url"), "{checked}");
    let wrong = named.replace(&line("rollover_key"), "rollover_key = \"server-key.pem\"");
    fs::write(&config, wrong).expect("the configuration can be written");
    let checked = String::from_utf8_lossy(&estd(&["check", "--config", &config]).stderr).into_owned();
    assert!(checked.contains("is not the key of a certificate in `rollover`"), "{checked}");
    fs::write(&config, before).expect("the configuration can be written");

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
