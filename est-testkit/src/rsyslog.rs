//! A real `rsyslogd` as a collector, with a configuration, a port and a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::peers::{self, Directory};

/// Where Debian has it: not where every user looks for programs.
const PROGRAM: &str = "/usr/sbin/rsyslogd";
const GTLS: &str = "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so";

/// By what transport it takes messages.
#[derive(Clone, Debug)]
pub enum Listen {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// TLS.
    Tls {
        /// PEM files: the anchors for clients, its certificate and its key.
        ca: PathBuf,
        /// Its certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Whether clients must show a certificate.
        asks: bool,
    },
}

/// A collector. It ends, and its folder disappears, when it is dropped.
pub struct Rsyslog {
    folder: Directory,
    port: u16,
    child: Option<Child>,
    /// What it has written.
    messages: BufReader<File>,
    /// The part of a line that it has written.
    line: String,
}

impl Rsyslog {
    /// Finds the program and a free port; it does not listen yet. `None` skips the test.
    ///
    /// # Panics
    /// As [`peers::is_installed`].
    #[must_use]
    pub fn find() -> Option<Self> {
        for file in [PROGRAM, GTLS] {
            if !Path::new(file).is_file() {
                peers::skip(file);
                return None;
            }
        }
        let folder = Directory::new();
        File::create(folder.path().join("messages")).expect("a folder of our own can be written to");
        let messages = BufReader::new(File::open(folder.path().join("messages")).expect("it was just made"));
        Some(Self { folder, port: free_port(), child: None, messages, line: String::new() })
    }

    /// Where it will listen, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, and returns before it listens.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&mut self, listen: &Listen) {
        let (folder, port) = (self.folder.path(), self.port);
        let (drivers, module) = match listen {
            Listen::Udp => (String::new(), "module(load=\"imudp\")\ninput(type=\"imudp\" rcvbufSize=\"4m\"".to_owned()),
            Listen::Tcp => (String::new(), "module(load=\"imtcp\")\ninput(type=\"imtcp\"".to_owned()),
            Listen::Tls { ca, cert, key, asks } => {
                let mode = if *asks { "x509/certvalid" } else { "anon" };
                let drivers = format!(
                    "defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{}\" \
                     defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
                    ca.display(),
                    cert.display(),
                    key.display(),
                );
                let module = format!(
                    "module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                     StreamDriver.AuthMode=\"{mode}\")\ninput(type=\"imtcp\""
                );
                (drivers, module)
            }
        };
        let fields = [
            "pri",
            "timereported",
            "hostname",
            "app-name",
            "procid",
            "msgid",
            "structured-data",
            "rawmsg-after-pri",
            "msg",
        ];
        let fields: String = fields
            .map(|name| {
                let date = if name == "timereported" { " dateFormat=\"rfc3339\"" } else { "" };
                format!("property(outname=\"{name}\" name=\"{name}\" format=\"jsonf\"{date})")
            })
            .join("\nconstant(value=\",\")\n");
        let text = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"16k\" net.enableDNS=\"off\" {drivers})\n\
             template(name=\"message\" type=\"list\") {{\nconstant(value=\"{{\")\n{fields}\nconstant(value=\"}}\\n\")\n}}\n\
             {module} address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\")\n\
             ruleset(name=\"all\" queue.type=\"Direct\") {{\n\
             action(type=\"omfile\" file=\"{folder}/messages\" template=\"message\")\n}}\n",
            folder = folder.display(),
        );
        fs::write(folder.join("rsyslog.conf"), text).expect("a folder of our own can be written to");
        let log = File::create(folder.join("log")).expect("a folder of our own can be written to");
        let child = Command::new(PROGRAM)
            .arg("-n")
            .arg("-f")
            .arg(folder.join("rsyslog.conf"))
            .arg("-i")
            .arg(folder.join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("rsyslogd starts"));
    }

    /// Ends it as by `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The next message that it has taken, if there is one: the properties that it knows messages by.
    #[must_use]
    pub fn poll(&mut self) -> Option<Value> {
        self.messages.read_line(&mut self.line).expect("what it writes is text");
        if !self.line.ends_with('\n') {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        Some(serde_json::from_str(&line).unwrap_or(Value::String(line)))
    }

    /// What it says of itself.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free for datagrams and for streams.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let port = listener.local_addr().expect("it is bound").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
