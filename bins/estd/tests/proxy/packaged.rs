//! The configurations in `packaging/proxy`, with a real nginx and a real HAProxy.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use est_core::pkix::Certificate;
use est_testkit::https::{Client, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;

use crate::World;

/// A proxy in a process and a folder of its own.
struct Proxy {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts `program` with the packaged configuration `name`, before this server.
    fn start(world: &World, program: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let read = |path: &Path| fs::read_to_string(path).expect("a file");
        let own = |file: &str| read(&world.server.folder().join(file));
        let (proxy, proxy_key) = (read(&world.proxy.files.0), read(&world.proxy.files.1));
        for (file, text) in [
            ("server.pem", own("server.pem")),
            ("server-key.pem", own("server-key.pem")),
            ("server-and-key.pem", own("server.pem") + &own("server-key.pem")),
            ("proxy.pem", proxy.clone()),
            ("proxy-key.pem", proxy_key.clone()),
            ("proxy-and-key.pem", proxy + &proxy_key),
            ("ca.pem", own("ca.pem")),
        ] {
            fs::write(folder.path().join(file), text).expect("a file");
        }
        let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/proxy").join(name);
        let text = read(&packaged);
        for expected in ["est.example.com", "10.0.0.11:8443", "10.0.0.12:8443"] {
            assert!(text.contains(expected), "{name} has no {expected}");
        }
        let path = folder.path().display();
        // One server stands for both.
        let text = text
            .replace("/etc/ohia-proxy", &path.to_string())
            .replace("est.example.com", "localhost")
            .replace("10.0.0.11:8443", &format!("127.0.0.1:{}", world.server.port()))
            .replace("10.0.0.12:8443", &format!("127.0.0.1:{}", world.server.port()))
            .replace("port 9443", &format!("port {}", world.server.admin_port()))
            .replace("0.0.0.0:443", &format!("127.0.0.1:{port}"))
            .replace("listen 443", &format!("listen 127.0.0.1:{port}"));
        fs::write(folder.path().join(name), text).expect("a file");
        let mut command = Command::new(program);
        if program == "nginx" {
            let main = format!(
                "daemon off; master_process off; pid {path}/pid; events {{}}\n\
                 http {{ access_log off; client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; include {path}/{name}; }}\n"
            );
            fs::write(folder.path().join("main.conf"), main).expect("a file");
            command.args(["-e", "stderr", "-c"]).arg(folder.path().join("main.conf"));
        } else {
            command.args(["-db", "-f"]).arg(folder.path().join(name));
        }
        let mut child = command.stdin(Stdio::null()).spawn().expect("the proxy starts");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("a process").is_none(), "{program} does not take {name}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{program} does not listen");
            std::thread::yield_now();
        }
        Self { child, port, _folder: folder }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Devices renew through the proxy, and a client that sends the header is not believed.
fn forwards_certificates(program: &str, name: &str) {
    if !is_installed(program) {
        return;
    }
    let world = World::listed().telling("x-forwarded-for", "");
    let proxy = Proxy::start(&world, program, name);
    let ca = world.server.ca();
    let device = Client::with_certificate(proxy.port, &ca, &world.device.files.0, &world.device.files.1);
    let made_up = "X-Forwarded-For: 203.0.113.9\r\n";
    let renewed = world.renew(&device, made_up);
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    Certificate::parse(&renewed.certificate()).expect("a certificate");
    let listed = world.server.estd_json(&["audit", "list", "--event", "reenroll.success"]);
    let event = &listed["events"][0];
    assert!(event["actor"].as_str().is_some_and(|actor| actor.contains("CN=device")), "{event}");
    assert_eq!(event["source"], "127.0.0.1", "not what the client says");

    // Without a certificate of its own, the header of another one counts for nothing.
    let nobody = Client::new(proxy.port, &ca);
    let chain = format!("Client-Cert-Chain: :{}:\r\n", base64(&world.device.certificate));
    for headers in [world.device.header(), world.device.header().to_lowercase(), world.device.header() + &chain] {
        assert_eq!(world.renew(&nobody, &headers).status, 401, "{headers}");
    }
    // Nor beside a certificate that the server does not know.
    let stranger = Key::p256();
    let certificate = est_testkit::pki::TestCa::new().device(&stranger, "CN=device", &[]);
    let stranger = Client::showing(proxy.port, &ca, &[certificate.as_der().to_vec()], &stranger.to_pem());
    assert_eq!(world.renew(&stranger, &world.device.header()).status, 401);
    let body = base64(&Key::p256().csr("CN=new", &[]));
    let password = world.server.password(1);
    assert_eq!(world.post(&nobody, "/simpleenroll", Some(&password), "", &body).status, 200);
}

#[test]
fn nginx_forwards_certificates_as_packaged() {
    forwards_certificates("nginx", "nginx.conf");
}

#[test]
fn haproxy_forwards_certificates_as_packaged() {
    forwards_certificates("haproxy", "haproxy.cfg");
}

#[test]
fn nginx_forwards_no_certificate_cut_short() {
    if !is_installed("nginx") {
        return;
    }
    let world = World::listed();
    let proxy = Proxy::start(&world, "nginx", "nginx.conf");
    let key = Key::p256();
    let names: Vec<String> = (0..80).map(|number| format!("a-name-that-takes-room-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = est_testkit::pki::TestCa::new().device(&key, "CN=device", &names);
    assert!(long.as_der().len() > 2200);
    let client = Client::showing(proxy.port, &world.server.ca(), &[long.as_der().to_vec()], &key.to_pem());
    let refused = world.renew(&client, "");
    assert_eq!((refused.status, refused.text()), (400, "this proxy cannot forward a certificate of that length\n"));
}

#[test]
fn haproxy_passes_tls_through_as_packaged() {
    if !is_installed("haproxy") {
        return;
    }
    let world = World::listed();
    let proxy = Proxy::start(&world, "haproxy", "haproxy-l4.cfg");
    let device = Client::with_certificate(proxy.port, &world.server.ca(), &world.device.files.0, &world.device.files.1);
    assert_eq!(world.renew(&device, "").status, 200);
}
