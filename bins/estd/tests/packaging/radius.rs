//! 802.1X: FreeRADIUS with the packaged configuration, and wpa_supplicant's EAP peer.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use est_testkit::peers::is_installed;
use est_testkit::server::Server;
use est_testkit::shell::Shell;

use crate::{ESTD, blocks, read};

/// A RADIUS server in a process of its own.
struct Radius {
    child: Child,
    port: u16,
}

impl Radius {
    /// Starts FreeRADIUS with the packaged module and the certificates in `certs` of this folder, and nothing else.
    fn start(shell: &Shell) -> Self {
        let folder = shell.folder().display().to_string();
        let port = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let module = read("packaging/freeradius/eap").replace("/etc/freeradius/3.0/certs", &format!("{folder}/certs"));
        fs::write(shell.folder().join("eap"), module).expect("a file");
        fs::write(shell.folder().join("dictionary"), "$INCLUDE /usr/share/freeradius/dictionary\n").expect("a file");
        let main = format!(
            "name = radiusd\nlogdir = {folder}\nrun_dir = {folder}\nlibdir = /usr/lib/freeradius\n\
             max_requests = 1024\nlog {{\ndestination = stdout\n}}\nmodules {{\n$INCLUDE eap\n}}\n\
             client localhost {{\nipaddr = 127.0.0.1\nsecret = testing123\n}}\n\
             server default {{\nlisten {{\ntype = auth\nipaddr = 127.0.0.1\nport = {port}\n}}\n\
             authorize {{\neap {{\nok = return\n}}\n}}\nauthenticate {{\neap\n}}\n}}\n"
        );
        fs::write(shell.folder().join("radiusd.conf"), main).expect("a file");
        let log = fs::File::create(shell.folder().join("radius-log")).expect("a file");
        let child = Command::new("freeradius")
            .args(["-f", "-l", "stdout", "-d", &folder])
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .expect("freeradius starts");
        Self { child, port }
    }

    /// What the EAP peer says at the end, with this configuration of a network. It asks again until the server is there.
    fn admits(&self, shell: &Shell, network: &Path) -> bool {
        let network = network.to_str().expect("UTF-8");
        let port = self.port.to_string();
        let arguments = ["-c", network, "-a", "127.0.0.1", "-p", &port, "-s", "testing123", "-t", "30"];
        let output = Command::new("eapol_test").args(arguments).current_dir(shell.folder()).output().expect("it runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let verdict = printed.lines().next_back();
        assert!(matches!(verdict, Some("SUCCESS" | "FAILURE")), "{printed}");
        verdict == Some("SUCCESS")
    }
}

impl Drop for Radius {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn freeradius_admits_who_has_a_certificate_until_it_is_revoked() {
    if !["freeradius", "eapol_test", "openssl", "curl"].into_iter().all(is_installed) {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let est = Path::new(ESTD).with_file_name("est");
    assert!(est.exists(), "build it first: cargo build --workspace --all-features --bins");
    let page = read("docs/devices/8021x.md");
    let (folder, url) = (shell.folder().display().to_string(), server.url().replace("127.0.0.1", "localhost"));
    for name in ["certs/ohia", "wpa"] {
        fs::create_dir_all(shell.folder().join(name)).expect("a folder");
    }
    fs::copy(server.ca(), shell.folder().join("ca.pem")).expect("a copy");
    let adapted = |text: &str| {
        text.replace("est enroll", &format!("{} enroll", est.display()))
            .replace("est cacerts", &format!("{} cacerts", est.display()))
            .replace("https://est.example.com:8443", &url)
            .replace("http://pki.example.com:8080", &url)
            .replace("curl ", "curl --cacert ca.pem ")
            .replace("/etc/freeradius/3.0", &folder)
            .replace("/etc/wpa_supplicant", &format!("{folder}/wpa"))
            .replace("-o freerad -g freerad ", "")
            .replace("chown freerad:freerad", "true")
            .replace("systemctl restart freeradius", "true")
    };
    let commands = blocks(&page, "sh");
    let [radius, crl, laptop] = &commands[..] else { panic!("three blocks of commands") };
    for block in [radius, crl, laptop] {
        fs::write(shell.folder().join("password"), server.password(1)).expect("a file");
        shell.run(&adapted(block));
    }
    let network = shell.folder().join("network.conf");
    let text = adapted(blocks(&page, "ini")[0]);
    fs::write(&network, text.replace("ssid=\"corp\"\n", "").replace("key_mgmt=WPA-EAP", "key_mgmt=IEEE8021X"))
        .expect("a file");
    let running = Radius::start(&shell);
    assert!(
        running.admits(&shell, &network),
        "{}",
        fs::read_to_string(shell.folder().join("radius-log")).unwrap_or_default()
    );
    drop(running);

    let serial = shell.run("openssl x509 -in laptop-7.pem -noout -serial").trim().replace("serial=", "");
    assert!(server.estd(&["certs", "revoke", &serial]).status.success());
    // The server makes another CRL within seconds.
    let begun = Instant::now();
    while !shell.run("openssl crl -in certs/ohia/main.crl.pem -noout -text").contains(&serial) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{serial} is not on the CRL");
        shell.run(&adapted(crl));
    }
    let running = Radius::start(&shell);
    assert!(!running.admits(&shell, &network));
    let log = fs::read_to_string(shell.folder().join("radius-log")).expect("a log");
    assert!(log.contains("certificate revoked"), "{log}");
}
