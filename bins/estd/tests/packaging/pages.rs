//! Pages whose commands do what they say.

use est_testkit::peers::is_installed;
use est_testkit::python::Python;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use serde_json::Value;

use crate::{ESTD, blocks, read};

fn est() -> String {
    let est = std::path::Path::new(ESTD).with_file_name("est");
    assert!(est.exists(), "build it first: cargo build --workspace --all-features --bins");
    est.display().to_string()
}

#[test]
fn a_ca_below_an_offline_root_is_made_and_replaced_by_the_commands_for_openssl() {
    if !is_installed("openssl") {
        return;
    }
    let (page, shell) = (read("docs/two-tier.md"), Shell::new());
    let (_, page) = page.split_once("\n## With OpenSSL\n").expect("the second half");
    let settings = blocks(page, "ini");
    std::fs::write(shell.folder().join("root.cnf"), settings[0].replace("est.example.com", "localhost"))
        .expect("a file");
    std::fs::write(shell.folder().join("passphrase"), "a long one\n").expect("a file");
    let commands = blocks(page, "sh");
    let [setup @ .., revocation] = &commands[..] else { panic!("commands") };
    let configuration = blocks(page, "toml")[0];
    let launch = Launch::configured(ESTD, |text| {
        let (before, rest) = text.split_once("[tls]").expect("a section");
        let (database, rest) =
            rest.split_once("[db]").and_then(|(_, rest)| rest.split_once("[[ca]]")).expect("sections");
        let (_, rest) = rest.split_once("[otp]").expect("a section");
        format!("{before}{configuration}\n[db]{database}\n[otp]{rest}")
    });
    let etc = launch.folder().display().to_string();
    for block in setup {
        shell.run(&block.replace("/etc/ohia", &etc).replace("est.example.com", "localhost"));
    }
    shell.run(&format!("chmod 600 {etc}/*-key.pem; {ESTD} check --config {etc}/estd.toml"));
    let server = launch.start();
    let password = server.password(1);
    // Who knows the root alone gets a certificate, and gets from that to the root.
    shell.run(&format!(
        "{} enroll --server {} --cacert root.pem --password {password} --subject CN=device-1 --out device.pem
         openssl verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted issuing.pem device.pem
         {} crl --config {etc}/estd.toml --out main.crl
         openssl crl -inform DER -in main.crl -out main.crl.pem 2>/dev/null || cp main.crl main.crl.pem
         openssl verify -crl_check_all -CRLfile root.crl.pem -CRLfile main.crl.pem -CAfile root.pem \
             -untrusted issuing.pem device.pem",
        est(),
        server.url().replace("127.0.0.1", "localhost"),
        ESTD,
    ));
    shell.run(revocation);
    shell.fails(
        "openssl verify -crl_check_all -CRLfile root.crl.pem -CRLfile main.crl.pem -CAfile root.pem \
             -untrusted issuing.pem device.pem",
    );
}

#[test]
fn a_ca_below_an_offline_root_is_made_and_revoked_by_the_commands_of_estd() {
    if !is_installed("openssl") {
        return;
    }
    let (page, shell, folder) = (read("docs/two-tier.md"), Shell::new(), tempfile::tempdir().expect("a folder"));
    let (page, _) = page.split_once("\n## With OpenSSL\n").expect("the first half");
    std::fs::write(shell.folder().join("passphrase"), "a long one\n").expect("a file");
    let etc = folder.path().display().to_string();
    let bin = std::path::Path::new(ESTD).parent().expect("a folder").display();
    let typed = |block: &str| format!("export PATH={bin}:$PATH; {}", block.replace("/etc/ohia", &etc));
    let commands = blocks(page, "sh");
    let [setup @ .., _, revocation] = &commands[..] else { panic!("commands") };
    setup.iter().for_each(|block| drop(shell.run(&typed(block))));
    shell.run(&typed("estd check --config /etc/ohia/estd.toml"));
    let server = Launch::of(ESTD, folder).start();
    shell.run(&typed(&format!(
        "est enroll --server {} --cacert /etc/ohia/root.pem --password {} --subject CN=device-1 --out device.pem
         openssl verify -x509_strict -purpose sslclient -CAfile root/root.pem -untrusted /etc/ohia/ca.pem device.pem",
        server.url().replace("127.0.0.1", "localhost"),
        server.password(1)
    )));
    let verify = "openssl crl -inform DER -in root/root.crl -out root.crl.pem
         openssl verify -crl_check -CRLfile root.crl.pem -CAfile root/root.pem /etc/ohia/ca.pem";
    shell.run(&typed(verify));
    let all = commands[commands.len() - 2..].join("\n");
    shell.run(&typed(&all));
    assert!(all.contains(revocation));
    shell.fails(&typed(verify));
}

#[test]
fn strongswan_gets_its_certificate_by_the_commands_of_the_page() {
    if !is_installed("pki") || !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let page = read("docs/devices/strongswan.md");
    let ca = server.ca().display().to_string();
    let etc = shell.folder().display().to_string();
    shell.run(&format!("mkdir x509 private x509ca && printf %s '{}' > password", server.password(1)));
    for block in blocks(&page, "sh") {
        shell.run(
            &block
                .replace("https://est.example.com:8443", &server.url().replace("127.0.0.1", "localhost"))
                .replace("/etc/swanctl", &etc)
                .replace("--cacert ca.pem", &format!("--cacert {ca}"))
                .replace("swanctl --load-creds", "true"),
        );
    }
    let names = shell.run("openssl x509 -in x509/gateway.pem -noout -subject -ext subjectAltName");
    assert!(names.contains("CN = gateway") && names.contains("DNS:vpn.example.com"), "{names}");
    shell.run(&format!("openssl verify -x509_strict -CAfile {ca} x509/gateway.pem"));
    assert!(shell.run("ls x509ca").lines().count() > 0);
}

#[test]
fn the_pages_about_devices_hold_toml_and_yaml_that_can_be_read_and_commands_that_est_knows() {
    let Some(python) = Python::with(&["yaml"]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let script = "
import json, sys, tomllib, yaml
text = open(sys.argv[2]).read()
print(json.dumps(tomllib.loads(text) if sys.argv[1] == 'toml' else yaml.safe_load(text)))
";
    let parse = |language: &str, block: &str| -> Value {
        std::fs::write(folder.path().join("block"), block).expect("a file");
        serde_json::from_str(&python.run(script, folder.path(), &[language, "block"])).expect("JSON")
    };
    for block in blocks(&read("docs/devices/azure-iot-edge.md"), "toml") {
        assert!(parse("toml", block)["cert_issuance"]["est"].is_object(), "{block}");
    }
    let page = read("docs/devices/cert-manager.md");
    let pod = parse("yaml", blocks(&page, "yaml")[0]);
    let containers = pod["spec"]["initContainers"].as_array().expect("containers");
    assert_eq!(containers.len(), 2);
    for container in containers {
        let words = container["command"].as_array().expect("words").iter();
        let words: Vec<&str> = words.map(|word| word.as_str().expect("a word")).collect();
        assert_eq!(words[0], "/usr/bin/est");
        let ended = std::process::Command::new(est()).args(&words[1..]).output().expect("est runs");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        // The command line is in order; the files are not there.
        assert!(ended.status.code() == Some(1) && told.contains("cannot be read"), "{words:?}: {told}");
    }
    assert_eq!(parse("yaml", blocks(&page, "yaml")[1])["spec"]["ca"]["secretName"], "cluster-ca");
}
