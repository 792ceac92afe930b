//! `est renew` and `est reenroll`: the files, the moment, trouble on the way, and a root that changes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use est_core::pkix::Certificate;
use est_testkit::databases::FlakyProxy;
use est_testkit::https::Client;
use est_testkit::peers::is_installed;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

use crate::{EST, certificate, estd, succeed, text};

/// A device with a certificate and its own copy of the CA certificates.
struct Device {
    server: Server,
    folder: Shell,
    url: String,
    label: Option<&'static str>,
}

impl Device {
    fn enrolled(server: Server) -> Self {
        let url = server.url().replace("127.0.0.1", "localhost");
        let device = Self { server, folder: Shell::new(), url, label: None };
        fs::copy(device.server.ca(), device.path("ca.pem")).expect("a copy");
        let password = device.server.password(1);
        let names = ["--subject", "CN=device-1", "--key-out", "d.key", "--out", "d.pem", "--password", &password];
        succeed(&device.command("enroll", &names).output().expect("est runs"));
        device
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.folder().join(name)
    }

    fn command(&self, command: &str, more: &[&str]) -> Command {
        let mut est = Command::new(EST);
        est.current_dir(self.folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
        est.arg(command).args(["--server", &self.url, "--cacert", "ca.pem"]).args(more);
        est.args(self.label.iter().flat_map(|label| ["--label", label]));
        est
    }

    /// Runs a command about the device's certificate.
    fn run(&self, command: &str, more: &[&str]) -> Output {
        let own = ["--cert", "d.pem", "--key", "d.key"];
        self.command(command, &[&own[..], more].concat()).output().expect("est runs")
    }

    /// Runs `est renew --once` so many days after today.
    fn renew_after(&self, days: u32, more: &[&str]) -> Output {
        let mut est = self.command("renew", &[&["--cert", "d.pem", "--key", "d.key", "--once"][..], more].concat());
        later(&mut est, days).output().expect("est runs")
    }

    fn certificate(&self) -> Certificate {
        certificate(&self.folder, "d.pem")
    }

    /// For how many days the certificate is valid.
    fn days(&self) -> u32 {
        let certificate = self.certificate();
        u32::try_from((certificate.not_after().0 - certificate.not_before().0) / 86_400).expect("days")
    }

    /// How many certificates the file has.
    fn count(&self, name: &str) -> usize {
        fs::read_to_string(self.path(name)).expect("certificates").matches("BEGIN CERTIFICATE").count()
    }
}

fn later(command: &mut Command, days: u32) -> &mut Command {
    command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME", format!("+{days}d"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

/// Waits for a line with `words` on what a command says.
fn line_with(stderr: &mut BufReader<ChildStderr>, words: &str) -> String {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("a line"), 0, "it ended before it said {words}");
    }
    line
}

/// Starts a command, for a minute at most.
fn speaking(command: Command) -> (Child, BufReader<ChildStderr>) {
    let mut limited = Command::new("timeout");
    limited.args(["--signal=KILL", "60"]).arg(command.get_program()).args(command.get_args());
    limited.current_dir(command.get_current_dir().expect("a folder")).stdin(Stdio::null()).env_remove("EST_PASSWORD");
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = limited.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("est runs");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    (child, stderr)
}

/// Ends a command that runs until it is told.
fn end(child: &mut Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill runs").success());
    child.wait().expect("its end");
}

#[test]
fn a_renewal_keeps_owner_group_and_mode() {
    let device = Device::enrolled(Server::dev(estd()));
    let access = |name: &str| {
        let metadata = fs::metadata(device.path(name)).expect("a file");
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
    };
    // Only root can give a file away.
    let is_root = access("d.key").0 == 0;
    for (name, mode) in [("d.key", 0o640), ("d.pem", 0o604)] {
        fs::set_permissions(device.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
        if is_root {
            std::os::unix::fs::chown(device.path(name), Some(33), Some(34)).expect("an owner");
        }
    }
    // A service may know the certificate by a symbolic link.
    fs::create_dir(device.path("etc")).expect("a folder");
    std::os::unix::fs::symlink("../d.pem", device.path("etc/link.pem")).expect("a link");
    let before = [access("d.key"), access("d.pem")];
    let old = device.certificate();
    let renewed = device.command("reenroll", &["--cert", "etc/link.pem", "--key", "d.key"]).output().expect("est runs");
    succeed(&renewed);
    assert_ne!(device.certificate(), old);
    assert_eq!([access("d.key"), access("d.pem")], before);
    assert_eq!([access("d.key.old"), access("d.pem.old")], before);
    assert!(fs::symlink_metadata(device.path("etc/link.pem")).expect("a link").is_symlink());
    assert!(!text(&renewed).contains("warning"), "{}", text(&renewed));
}

#[test]
fn renews_in_the_last_third_and_not_before_and_runs_the_hook_once() {
    if !is_installed("faketime") {
        return;
    }
    let device = Device::enrolled(Server::dev(estd()));
    let first = device.certificate();
    let days = device.days();
    let hook = ["--exec", "echo \"$EST_CERT $EST_KEY $EST_CHANGED ${EST_PASSWORD-none}\" >>hook"];

    let early = device.renew_after(days * 2 / 3 - 1, &hook);
    succeed(&early);
    assert!(text(&early).starts_with("d.pem is valid until "), "{}", text(&early));
    assert_eq!(device.certificate(), first);
    assert!(!device.path("hook").exists());

    succeed(&device.renew_after(days * 8 / 9 + 1, &hook));
    let second = device.certificate();
    assert_ne!(second, first);
    let folder = fs::canonicalize(device.folder.folder()).expect("a folder");
    let told = format!("{0}/d.pem {0}/d.key certificate key none\n", folder.display());
    assert_eq!(fs::read_to_string(device.path("hook")).expect("the hook ran"), told);
    succeed(&device.renew_after(0, &hook));
    assert_eq!((device.certificate(), fs::read_to_string(device.path("hook")).ok()), (second, Some(told)));
}

#[test]
fn a_hook_that_fails_is_reported_and_run_again_without_another_renewal() {
    let device = Device::enrolled(Server::dev(estd()));
    let failed = device.run("reenroll", &["--exec", "test -e allowed && touch done"]);
    assert_eq!(failed.status.code(), Some(5), "{}", text(&failed));
    assert!(text(&failed).contains("the files are in place, but the command of --exec failed"), "{}", text(&failed));
    let renewed = device.certificate();
    fs::write(device.path("allowed"), "").expect("a file");
    succeed(&device.run("renew", &["--once", "--exec", "test -e allowed && touch done"]));
    assert!(device.path("done").exists() && !device.path("d.pem.hook").exists());
    assert_eq!(device.certificate(), renewed);
}

#[test]
fn the_loop_renews_without_being_told() {
    if !is_installed("faketime") {
        return;
    }
    let device = Device::enrolled(Server::dev(estd()));
    let first = device.certificate();
    let mut est = device.command("renew", &["--cert", "d.pem", "--key", "d.key", "--exec", "echo renewed >&2"]);
    later(&mut est, device.days() * 8 / 9 + 1);
    let (mut child, mut stderr) = speaking(est);
    line_with(&mut stderr, "renewed");
    let still_runs = child.try_wait().expect("a process").is_none();
    end(&mut child);
    assert!(still_runs && device.certificate() != first);
}

#[test]
fn the_loop_goes_on_after_a_refusal_and_says_when() {
    let device = Device::enrolled(Server::dev(estd()));
    let old = fs::read_to_string(device.path("d.pem")).expect("a certificate");
    let serial = device.certificate().serial_text();
    assert!(device.server.estd(&["certs", "revoke", &serial]).status.success());
    let refused = device.run("reenroll", &[]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(!text(&refused).contains("asking again"), "{}", text(&refused));
    assert!(!text(&refused).contains("--user"), "a password does not renew: {}", text(&refused));
    if !is_installed("faketime") {
        return;
    }
    let mut est = device.command("renew", &["--cert", "d.pem", "--key", "d.key"]);
    later(&mut est, device.days() * 8 / 9 + 1);
    let (mut child, mut stderr) = speaking(est);
    line_with(&mut stderr, "the server refused (");
    let next = line_with(&mut stderr, "next try at ");
    assert!(next.contains("the certificate is valid until "), "{next}");
    assert!(child.try_wait().expect("a process").is_none());
    end(&mut child);
    assert_eq!(fs::read_to_string(device.path("d.pem")).expect("a certificate"), old);
}

#[test]
fn asks_again_while_connections_break() {
    let mut device = Device::enrolled(Server::dev(estd()));
    let proxy = FlakyProxy::before(device.server.port());
    device.url = format!("https://localhost:{}", proxy.port());
    proxy.refuse();
    let first = device.certificate();
    let at_once = device.run("reenroll", &["--max-wait", "0s"]);
    assert_eq!(at_once.status.code(), Some(1), "{}", text(&at_once));
    let (mut child, mut stderr) = speaking(device.command("reenroll", &["--cert", "d.pem", "--key", "d.key"]));
    line_with(&mut stderr, "asking again in ");
    line_with(&mut stderr, "asking again in ");
    proxy.heal();
    assert!(child.wait().expect("its end").success());
    assert_ne!(device.certificate(), first);
}

#[test]
fn enrolls_at_a_server_that_is_not_there_yet() {
    let device = Device::enrolled(Server::dev(estd()));
    let password = device.server.password(1);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("https://localhost:{port}");
    let names = ["--subject", "CN=patient", "--password", &password, "--server", &url, "--cacert", "ca.pem"];
    let mut est = Command::new(EST);
    est.current_dir(device.folder.folder()).stdin(Stdio::null()).arg("enroll").args(names);
    let (mut child, mut stderr) = speaking(est);
    assert!(line_with(&mut stderr, "asking again in ").contains("cannot be reached"));
    let behind = device.server.port();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = std::net::TcpStream::connect(("127.0.0.1", behind)).expect("a connection");
            let (mut from, mut to) = (client.try_clone().expect("a copy"), server.try_clone().expect("a copy"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut &server, &mut &client));
        }
    });
    assert!(child.wait().expect("its end").success());
    assert_eq!(certificate(&device.folder, "patient.pem").subject().to_string(), "CN=patient");
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
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_device_goes_through_a_rollover_of_the_root_by_itself() {
    let device = Device::enrolled(Launch::configured(estd(), |text| text).start());
    let (server, made) = (&device.server, device.path("made"));
    let out = made.to_str().expect("UTF-8");
    let days = ["--days", "4000"];
    let rolled = server.estd(&[&["ca", "rollover", "--ca", "main", "--out", out][..], &days].concat());
    succeed(&rolled);
    let old = fs::read_to_string(device.path("ca.pem")).expect("the root");
    let new = fs::read_to_string(made.join("new.pem")).expect("the new root");
    let path = |name: &str| format!("\"{}\"", made.join(name).display());
    let list = |names: [&str; 3]| format!("rollover = [{}]", names.map(path).join(", "));
    let hook = ["--once", "--exec", "echo $EST_CHANGED >>hook"];

    // The first step: the server announces the new root, and the device learns it.
    succeed(&device.run("renew", &hook));
    assert_eq!(device.count("ca.pem"), 1);
    let announced = list(["new.pem", "old-with-new.pem", "new-with-old.pem"]);
    reload(server, |text| text.replace("key = \"ca-key.pem\"", &format!("key = \"ca-key.pem\"\n{announced}")));
    let learned = device.run("renew", &hook);
    succeed(&learned);
    assert!(text(&learned).contains("ca.pem: added CN=Ohia CA, the new root"), "{}", text(&learned));
    let trusted = fs::read_to_string(device.path("ca.pem")).expect("roots");
    assert!(trusted.starts_with(&old) && trusted[old.len()..].starts_with(&new), "the roots come first: {trusted}");
    assert_eq!((device.count("ca.pem"), device.count("ca.pem.old")), (4, 1));
    assert_eq!(fs::read_to_string(device.path("hook")).expect("the hook ran"), "cacert\n");

    let shown = device.command("cacerts", &[]).output().expect("est runs");
    for role in ["the old root", "the new root", "the old key, certified by the new root"] {
        assert!(text(&shown).contains(role), "{role}: {}", text(&shown));
    }

    // The second step: the new key signs, and the server shows a certificate of it.
    let tls = server.folder().join("server.pem");
    let chain = [&tls, &made.join("old-with-new.pem")].map(|path| fs::read_to_string(path).expect("PEM"));
    fs::write(&tls, chain.concat()).expect("it can be written");
    reload(server, |text| {
        let switched = list(["old.pem", "old-with-new.pem", "new-with-old.pem"]);
        let keys = format!("cert = {}\nkey = {}", path("new.pem"), path("new-key.pem"));
        let text = text.replace(&announced, &switched).replace("cert = \"ca.pem\"\nkey = \"ca-key.pem\"", &keys);
        let anchors = format!("trust_anchors = [{}, {}]", path("new.pem"), path("old.pem"));
        text.replace("trust_anchors = \"ca.pem\"", &anchors)
    });
    let first = device.certificate();
    succeed(&device.run("reenroll", &[]));
    assert_ne!(device.certificate(), first);
    if is_installed("openssl") {
        device.folder.run("openssl verify -x509_strict -CAfile ca.pem d.pem");
    }

    // The third step: only the new root is left. The server's certificate is still one of the old key.
    reload(server, |text| text.replace(&list(["old.pem", "old-with-new.pem", "new-with-old.pem"]), ""));
    let cleaned = device.run("renew", &hook);
    succeed(&cleaned);
    assert_eq!(fs::read_to_string(device.path("ca.pem")).expect("a root"), new, "{}", text(&cleaned));
    succeed(&device.run("reenroll", &[]));
}

#[test]
fn a_root_that_no_ca_vouches_for_is_named_and_not_added() {
    let other = Server::dev(estd());
    let path = |name: &str| other.folder().join(name).display().to_string();
    let (cert, key) = (path("ca.pem"), path("ca-key.pem"));
    // What an attacker with the server's TLS key, not the CA's, could list: here a label of another CA.
    let label = format!(
        "\n[[ca]]\nid = \"other\"\ncert = \"{cert}\"\nkey = \"{key}\"\n\n\
         [est]\nunlabelled = true\n[[est.label]]\nname = \"other\"\nca_id = \"other\"\n"
    );
    let mut device = Device::enrolled(Launch::configured(estd(), |text| text + &label).start());
    device.label = Some("other");
    let before = fs::read_to_string(device.path("ca.pem")).expect("a root");
    let told = device.run("renew", &["--once"]);
    succeed(&told);
    assert!(text(&told).contains("which no CA in ca.pem vouches for: it is not added"), "{}", text(&told));
    assert_eq!(fs::read_to_string(device.path("ca.pem")).expect("a root"), before);
    succeed(&device.run("renew", &["--once", "--new-roots", "none"]));
    succeed(&device.run("renew", &["--once", "--new-roots", "any"]));
    assert_eq!(device.count("ca.pem"), 2);
}

#[test]
fn what_is_missing_is_said_long_before_the_certificate_ends() {
    let device = Device::enrolled(Server::dev(estd()));
    for (more, code, words) in [
        (&["--cert", "d.pem", "--key", "none.key"][..], 1, "none.key"),
        (&["--cert", "d.pem", "--key", "d.pem"], 2, "the same file"),
        (&["--cert", "d.pem", "--key", "d.key", "--cacert", "none.pem"], 1, "none.pem"),
    ] {
        for once in [&["--once"][..], &[]] {
            let mut est = Command::new(EST);
            est.current_dir(device.folder.folder()).stdin(Stdio::null());
            est.args(["renew", "--server", &device.url]).args(more).args(once);
            if !more.contains(&"--cacert") {
                est.args(["--cacert", "ca.pem"]);
            }
            let failed = est.output().expect("est runs");
            assert_eq!(failed.status.code(), Some(code), "{}", text(&failed));
            assert!(text(&failed).contains(words), "{}", text(&failed));
        }
    }
}

#[test]
fn a_certificate_without_client_auth_is_told_to_enroll_again_and_not_to_pass_a_password() {
    let servers_only = "\nid = \"main\"\ndefault_ext_key_usage = [\"serverAuth\"]\n";
    let launch = Launch::configured(estd(), |text| text.replace("\nid = \"main\"\n", servers_only));
    let device = Device::enrolled(launch.start());
    let refused = device.run("reenroll", &[]);
    let said = text(&refused);
    assert!(!refused.status.success() && said.contains("refused (401)"), "{said}");
    assert!(said.contains("get one in its place with `est enroll` and a password"), "{said}");
    assert!(!said.contains("--user"), "a password renews nothing: {said}");
}
