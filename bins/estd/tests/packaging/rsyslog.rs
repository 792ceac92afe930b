//! The receiving side of the audit record, with a real rsyslog.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use est_testkit::rsyslog::Rsyslog;
use est_testkit::server::Launch;

use crate::{ESTD, read};

struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn rsyslog_keeps_every_record_as_packaged() {
    let Some(_) = Rsyslog::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let audit = format!(
        "\n[audit]\nsyslog = \"tcp+tls://localhost:{port}\"\nsyslog_ca = \"ca.pem\"\nsyslog_cert = \"server.pem\"\n\
         syslog_key = \"server-key.pem\"\n"
    );
    let launch = Launch::configured(ESTD, |text| text.replacen("[server]", "[server]\nnode = \"est-1\"", 1) + &audit);
    // The collector's certificate is the server's: both are localhost.
    for (name, to) in [("ca.pem", "ca.pem"), ("server.pem", "log.pem"), ("server-key.pem", "log-key.pem")] {
        fs::copy(launch.folder().join(name), folder.path().join(to)).expect("a copy");
    }
    let text = read("packaging/rsyslog/ohia.conf");
    for expected in ["/etc/rsyslog.d/ohia/", "/var/log/ohia/", "\"est-1.example.com\"", "port=\"6514\""] {
        assert!(text.contains(expected), "{expected}");
    }
    let text = text
        .replace("/etc/rsyslog.d/ohia", &path)
        .replace("/var/log/ohia", &path)
        .replace("\"est-1.example.com\"", "\"localhost\"")
        .replace("port=\"6514\"", &format!("address=\"127.0.0.1\" port=\"{port}\""));
    fs::write(folder.path().join("rsyslog.conf"), format!("global(workDirectory=\"{path}\")\n{text}")).expect("a file");
    let log = fs::File::create(folder.path().join("own-log")).expect("a file");
    let child = Command::new("/usr/sbin/rsyslogd")
        .args(["-n", "-f", &format!("{path}/rsyslog.conf"), "-i", &format!("{path}/pid")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let _collector = Collector(child.expect("rsyslogd starts"));
    let server = launch.start();
    let _ = server.password(1);
    let begun = Instant::now();
    let found = || {
        let files = fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
        let mut logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.find_map(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().find(|line| line.contains("otp.created")).map(str::to_owned)
        })
    };
    let line = loop {
        if let Some(line) = found() {
            break line;
        }
        let own = fs::read_to_string(folder.path().join("own-log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing has arrived: {own}");
        std::thread::yield_now();
    };
    assert!(line.starts_with("<134>1 ") && line.contains(" hash=\"") && line.contains(" sequence=\""), "{line}");
}
