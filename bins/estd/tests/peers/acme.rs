//! certbot, which speaks ACME to acme2certifier, which speaks EST: by the certificate of a registration authority, and by a
//! password that is good for many requests.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use est_testkit::peers::is_installed;
use est_testkit::python::Python;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

use crate::ESTD;

const LABELS: &str = r#"
[est]
default_label = "web"

[[est.label]]
name = "ras"
ca_id = "main"
profile = "ra"

[[est.label]]
name = "web"
ca_id = "main"
profile = "tls-server"

[[ra]]
name = "acme"
certificate = "^CN=acme$"
labels = ["web"]
subject_pattern = "^(CN=[a-z0-9-]+\\.plant\\.example)?$"
names = ["dns:^[a-z0-9-]+\\.plant\\.example$"]
"#;

/// Serves ACME on a free port, which it prints. Whether a client controls the names that it asks for is between it and ACME.
const ACME_SERVER: &str = "
from wsgiref.simple_server import make_server
from acme2certifier.share import acme2certifier_wsgi as acme
server = make_server('127.0.0.1', 0, acme.application, handler_class=acme.get_handler_cls())
print(server.server_port, flush=True)
server.serve_forever()
";

struct Acme {
    server: Child,
    port: String,
}

impl Acme {
    /// Starts acme2certifier in front of `server` with these lines on how it authenticates.
    fn start(python: &Python, server: &Server, shell: &Shell, credentials: &str) -> Self {
        let folder = shell.folder().display();
        let configuration = format!(
            "[DEFAULT]\n[CAhandler]\nhandler_module: acme2certifier.cahandlers.est_ca_handler\n\
             est_host: {}\nca_bundle: {}\n{credentials}\n\
             [DBhandler]\nhandler: wsgi\ndbfile: {folder}/acme.db\n\
             [Challenge]\nchallenge_validation_disable: True\n[Order]\ntnauthlist_support: False\n",
            server.url().replace("127.0.0.1", "localhost"),
            server.ca().display(),
        );
        let path = shell.folder().join("acme.cfg");
        std::fs::write(&path, configuration).expect("a file");
        let mut acme = python
            .command()
            .args(["-c", ACME_SERVER])
            .env("ACME_SRV_CONFIGFILE", path)
            .env("ACME2CERTIFIER_I_KNOW_THE_RISK", "1")
            .current_dir(shell.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was started before");
        let mut port = String::new();
        let stdout = acme.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut port).expect("a port");
        Self { server: acme, port: port.trim().to_owned() }
    }

    fn certbot(&self, arguments: &str) -> String {
        format!(
            "certbot {arguments} --non-interactive --agree-tos --email admin@plant.example --no-eff-email \
             --config-dir certbot --work-dir certbot --logs-dir certbot --server http://127.0.0.1:{}/directory 2>&1",
            self.port
        )
    }

    fn order(&self, name: &str) -> String {
        let challenge = "--manual --manual-auth-hook true --preferred-challenges http";
        self.certbot(&format!("certonly {challenge} --cert-name {name} -d {name}"))
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn start() -> Option<(Python, Server, Shell)> {
    if !is_installed("certbot") || !is_installed("openssl") || !is_installed("curl") {
        return None;
    }
    let python = Python::with(&["acme2certifier"])?;
    Some((python, Launch::configured(ESTD, |text| text + LABELS).start(), Shell::new()))
}

/// certbot gets a certificate for a name and renews it with another key.
fn orders_and_renews(server: &Server, shell: &Shell, acme: &Acme) {
    let name = "www.plant.example";
    shell.run(&acme.order(name));
    shell.run(&acme.certbot("renew --force-renewal --no-random-sleep-on-renew"));
    shell.run(&format!(
        "for number in 1 2; do
             openssl verify -x509_strict -CAfile {ca} -purpose sslserver -verify_hostname {name} certbot/archive/{name}/cert$number.pem
             openssl x509 -in certbot/archive/{name}/cert$number.pem -noout -pubkey > $number.pub
             openssl pkey -in certbot/archive/{name}/privkey$number.pem -pubout | cmp - $number.pub
         done
         ! cmp -s 1.pub 2.pub
         openssl crl2pkcs7 -nocrl -certfile certbot/live/{name}/chain.pem | openssl pkcs7 -print_certs | openssl x509 | cmp - <(openssl x509 -in {ca})",
        ca = server.ca().display()
    ));
}

#[test]
fn certbot_orders_and_renews_by_acme2certifier_as_a_registration_authority() {
    let Some((python, server, shell)) = start() else { return };
    let created = server.estd_json(&["otp", "create", "--label", "ras"]);
    shell.run(&format!(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ra.key -subj /CN=acme -outform DER -out ra.csr 2>/dev/null
         openssl base64 -in ra.csr | curl -sS --fail --cacert {} -u :{} -H 'Content-Type: application/pkcs10' --data-binary @- {} > ra.p7
         openssl base64 -d -A -in ra.p7 | openssl pkcs7 -inform DER -print_certs -out ra.pem",
        server.ca().display(),
        created["otp"].as_str().expect("a password"),
        server.est("/ras/simpleenroll"),
    ));
    let folder = shell.folder().display();
    let credentials = format!("est_client_cert: {folder}/ra.pem\nest_client_key: {folder}/ra.key");
    let acme = Acme::start(&python, &server, &shell, &credentials);
    orders_and_renews(&server, &shell, &acme);
    shell.fails(&acme.order("www.elsewhere.example"));
    let (_, log) = server.stop();
    assert!(log.contains("the registration authority acme may not ask for this: DNS:www.elsewhere.example"), "{log}");
}

#[test]
fn certbot_orders_and_renews_by_acme2certifier_with_a_password_for_many_requests() {
    let Some((python, server, shell)) = start() else { return };
    let credentials = format!("est_user: acme\nest_password: {}", server.password(100));
    let acme = Acme::start(&python, &server, &shell, &credentials);
    orders_and_renews(&server, &shell, &acme);
}
