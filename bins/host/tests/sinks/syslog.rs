//! A real rsyslog.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use est_core::pkix::{Certificate, Fingerprint, pem};
use est_testkit::peers::OpenSsl;
use est_testkit::rsyslog::{Listen, Rsyslog};
use host::config::{Audit, KeyFile, Syslog, SyslogTls, SyslogTransport, TlsCertificate};
use host::sinks::Pace;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::chain::Chain;
use crate::{Log, PATIENCE, nothing, pace, run, spawn};

fn to_syslog(collector: &Rsyslog, transport: SyslogTransport) -> Audit {
    let (host, port) = ("127.0.0.1".to_owned(), collector.port());
    Audit { syslog: Some(Syslog { transport, host, port, facility: 13, enterprise: 32_473 }), ..nothing() }
}

fn sequence(message: &Value) -> u64 {
    let data = message["structured-data"].as_str().unwrap_or_else(|| panic!("{message}"));
    let (_, rest) = data.split_once(" sequence=\"").unwrap();
    rest.split_once('"').unwrap().0.parse().unwrap()
}

/// The collector understood each part of the message as it was meant.
fn assert_is_record(message: &Value, sequence: u64) {
    let success = !sequence.is_multiple_of(5);
    let (severity, event, outcome) =
        if success { (6, "cert.issued", "success") } else { (4, "cert.denied", "failure") };
    assert_eq!(message["pri"], (13 * 8 + severity).to_string());
    assert_eq!(message["msgid"], event);
    assert_eq!(message["app-name"], "estd");
    assert_eq!(message["procid"], std::process::id().to_string());
    assert_eq!(message["timereported"], format!("2026-11-21T09:30:00.{sequence:06}Z"));
    let hash = format!("{:02x}", sequence.to_le_bytes()[0]).repeat(32);
    let data = format!(
        "[audit@32473 event_type=\"{event}\" outcome=\"{outcome}\" node=\"node-1\" sequence=\"{sequence}\" hash=\"{hash}\" \
         actor=\"CN=device \\\"{sequence}\\\"\\] \\\\ ü\u{240a}\" method=\"otp\" source_ip=\"192.0.2.45\" ca=\"main\"]\
         [meta sequenceId=\"{sequence}\"]"
    );
    assert_eq!(message["structured-data"], data);
    assert_eq!(message["msg"].as_str().unwrap().trim_start(), format!("record {sequence}"));
}

/// Certificates that the tests of TLS need.
struct Certificates(OpenSsl);

impl Certificates {
    fn find() -> Option<Self> {
        let openssl = OpenSsl::find()?;
        for ca in ["ca", "other-ca"] {
            openssl.run(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem \
                 -addext keyUsage=critical,keyCertSign"
            ));
        }
        for (name, ca, names, usage) in [
            ("collector", "ca", "IP:127.0.0.1", "serverAuth"),
            ("elsewhere", "ca", "DNS:collector.example.com", "serverAuth"),
            ("foreign", "other-ca", "IP:127.0.0.1", "serverAuth"),
            ("client", "ca", "DNS:est.example.com", "clientAuth"),
        ] {
            openssl.run(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key \
                 -out {name}.pem -CA {ca}.pem -CAkey {ca}.key -addext subjectAltName={names} \
                 -addext extendedKeyUsage={usage} -addext basicConstraints=critical,CA:FALSE"
            ));
        }
        Some(Self(openssl))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn certificate(&self, name: &str) -> Certificate {
        let text = String::from_utf8(self.0.read(format!("{name}.pem"))).unwrap();
        Certificate::parse(&pem::decode(&text).unwrap()[0].contents).unwrap()
    }

    fn shown_by_collector(&self, name: &str) -> Listen {
        let (ca, cert, key) =
            (self.path("ca.pem"), self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        Listen::Tls { ca, cert, key, asks: false }
    }

    fn trusting_ca(&self) -> SyslogTls {
        SyslogTls { anchors: vec![self.certificate("ca")], fingerprints: Vec::new(), certificate: None }
    }

    fn pinning(&self, fingerprint: Fingerprint) -> SyslogTls {
        SyslogTls { anchors: Vec::new(), fingerprints: vec![fingerprint], certificate: None }
    }
}

/// Sends `count` records, and has the collector say what it got.
async fn all_arrive(collector: &mut Rsyslog, transport: SyslogTransport, count: u64) {
    let is_tls = matches!(transport, SyslogTransport::Tls(_));
    let chain = Chain::with(count);
    let sinks = spawn(&chain, &to_syslog(collector, transport), pace());
    for number in 1..=count {
        assert_is_record(&next(collector).await, number);
    }
    sinks.close(PATIENCE).await;
    assert_eq!(chain.position_of("syslog"), confirmed(is_tls, count));
}

/// What is known to have arrived when everything has. rsyslog never answers the end of a TLS connection, so that it gets
/// the last records of one again.
fn confirmed(is_tls: bool, count: u64) -> u64 {
    if is_tls { 0 } else { count }
}

/// The next message; the sinks go on meanwhile.
async fn next(collector: &mut Rsyslog) -> Value {
    let wait = async {
        loop {
            match collector.poll() {
                Some(message) => return message,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no message comes: {}", collector.log()))
}

#[test]
fn has_every_record_in_order_over_udp() {
    let Some(mut collector) = Rsyslog::find() else { return };
    collector.start(&Listen::Udp);
    run(all_arrive(&mut collector, SyslogTransport::Udp, 300));
}

#[test]
fn has_every_record_in_order_over_tcp() {
    let Some(mut collector) = Rsyslog::find() else { return };
    collector.start(&Listen::Tcp);
    run(all_arrive(&mut collector, SyslogTransport::Tcp, 2_000));
}

#[test]
fn has_every_record_in_order_over_tls_and_knows_who_sent_them() {
    let (Some(mut collector), Some(certificates)) = (Rsyslog::find(), Certificates::find()) else { return };
    let Listen::Tls { ca, cert, key, .. } = certificates.shown_by_collector("collector") else { unreachable!() };
    collector.start(&Listen::Tls { ca, cert, key, asks: true });
    let chain = vec![certificates.certificate("client")];
    let key = KeyFile { path: certificates.path("client.key"), passphrase: None };
    let own = Some(TlsCertificate { path: certificates.path("client.pem"), chain, key });
    let tls = SyslogTls { certificate: own, ..certificates.trusting_ca() };
    run(all_arrive(&mut collector, SyslogTransport::Tls(tls), 2_000));
}

#[test]
fn has_every_record_from_a_server_that_knows_it_by_its_fingerprint() {
    let (Some(mut collector), Some(certificates)) = (Rsyslog::find(), Certificates::find()) else { return };
    collector.start(&certificates.shown_by_collector("foreign"));
    let tls = certificates.pinning(certificates.certificate("foreign").fingerprint());
    run(all_arrive(&mut collector, SyslogTransport::Tls(tls), 100));
}

/// Kills the collector in the midst of `count` records, twice, and starts it again.
async fn survives_kills(collector: &mut Rsyslog, listen: &Listen, transport: SyslogTransport, count: u64) {
    let log = Log::begin();
    collector.start(listen);
    let is_tls = matches!(transport, SyslogTransport::Tls(_));
    let chain = Chain::with(0);
    let sinks = spawn(&chain, &to_syslog(collector, transport), pace());
    let mut got = Vec::new();
    for part in 1..=3 {
        chain.add(count / 3);
        let goal = count / 3 * part;
        // Somewhere in the midst of this part.
        while got.last().is_none_or(|last| *last < goal - count / 6) {
            got.push(sequence(&next(collector).await));
        }
        if part < 3 {
            collector.kill();
            log.says("audit records wait").await;
            collector.start(listen);
        }
    }
    while got.last().is_none_or(|last| *last < count) {
        got.push(sequence(&next(collector).await));
    }
    sinks.close(PATIENCE).await;
    assert_eq!(chain.position_of("syslog"), confirmed(is_tls, count));

    // In order, but for going back; going back twice at least, since nobody knew what had arrived.
    let back = got.windows(2).filter(|pair| pair[1] != pair[0] + 1);
    let steps: Vec<_> = back.clone().collect();
    assert!(steps.iter().all(|pair| pair[1] <= pair[0]), "a gap: {steps:?}");
    assert!(steps.len() >= 2, "{steps:?}");
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (1..=count).collect::<Vec<_>>());
}

#[test]
fn loses_nothing_over_tcp_when_it_is_killed_in_the_midst() {
    let Some(mut collector) = Rsyslog::find() else { return };
    run(survives_kills(&mut collector, &Listen::Tcp, SyslogTransport::Tcp, 6_000));
}

#[test]
fn loses_nothing_over_tls_when_it_is_killed_in_the_midst() {
    let (Some(mut collector), Some(certificates)) = (Rsyslog::find(), Certificates::find()) else { return };
    let listen = certificates.shown_by_collector("collector");
    let tls = certificates.trusting_ca();
    run(survives_kills(&mut collector, &listen, SyslogTransport::Tls(tls), 6_000));
}

#[test]
fn is_sent_again_what_a_server_that_crashed_could_not_know_to_have_arrived() {
    let Some(mut collector) = Rsyslog::find() else { return };
    collector.start(&Listen::Tcp);
    run(async {
        let chain = Chain::with(200);
        let audit = to_syslog(&collector, SyslogTransport::Tcp);
        let sinks = spawn(&chain, &audit, pace());
        while sequence(&next(&mut collector).await) < 200 {}
        drop(sinks);
        assert_eq!(chain.position_of("syslog"), 0);
        let sinks = spawn(&chain, &audit, pace());
        for number in 1..=200 {
            assert_is_record(&next(&mut collector).await, number);
        }
        sinks.close(PATIENCE).await;
        assert_eq!(chain.position_of("syslog"), 200);
    });
}

/// A collector that shows `certificate` is refused with `words`, and gets everything once it shows the right one.
fn refuses(certificate: &str, tls: impl FnOnce(&Certificates) -> SyslogTls, words: &str) {
    let (Some(mut collector), Some(certificates)) = (Rsyslog::find(), Certificates::find()) else { return };
    collector.start(&certificates.shown_by_collector(certificate));
    let transport = SyslogTransport::Tls(tls(&certificates));
    run(async {
        let log = Log::begin();
        let chain: Arc<Chain> = Chain::with(100);
        // Until it listens it is not there, which is told first.
        let listening = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", collector.port())).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.expect("it listens");
        let sinks = spawn(&chain, &to_syslog(&collector, transport), pace());
        log.says(words).await;
        let lag = sinks.watch().lag().await.unwrap();
        assert_eq!((lag[0].sink, lag[0].records), ("syslog", 100));
        assert!(lag[0].problem.as_ref().is_some_and(|problem| problem.contains(words)), "{lag:?}");
        collector.kill();
        collector.start(&certificates.shown_by_collector("collector"));
        for number in 1..=100 {
            assert_is_record(&next(&mut collector).await, number);
        }
        log.says("takes audit records again").await;
        sinks.close(PATIENCE).await;
    });
}

#[test]
fn is_refused_and_tried_again_when_its_certificate_has_another_name() {
    refuses("elsewhere", Certificates::trusting_ca, "not valid for name");
}

#[test]
fn is_refused_and_tried_again_when_its_certificate_is_of_another_ca() {
    refuses("foreign", Certificates::trusting_ca, "leads to no CA of audit.syslog_ca");
}

#[test]
fn is_refused_and_tried_again_when_its_certificate_is_not_pinned() {
    let pinned =
        |certificates: &Certificates| certificates.pinning(certificates.certificate("collector").fingerprint());
    refuses("foreign", pinned, "which is not pinned");
}

/// A collector that reads and writes nothing, and does with a connection what it is told to.
struct Plain(tokio::net::TcpListener);

impl Plain {
    async fn listen() -> Self {
        Self(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn audit(&self, transport: SyslogTransport) -> Audit {
        let (host, port) = ("127.0.0.1".to_owned(), self.0.local_addr().unwrap().port());
        Audit { syslog: Some(Syslog { transport, host, port, facility: 13, enterprise: 32_473 }), ..nothing() }
    }

    async fn accept(&self) -> tokio::net::TcpStream {
        tokio::time::timeout(PATIENCE, self.0.accept()).await.expect("it connects").unwrap().0
    }
}

/// Reads up to the record with this sequence; the sequences of all that came.
async fn read_until(stream: &mut (impl tokio::io::AsyncRead + Unpin), last: u64) -> Vec<u64> {
    let (mut text, end) = (String::new(), format!("record {last}"));
    while !text.ends_with(&end) {
        let mut octets = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut octets)).await.expect("more comes").unwrap();
        assert!(read > 0, "it ends after {text}");
        text.push_str(&String::from_utf8_lossy(&octets[..read]));
    }
    let sequences = text.split(" sequence=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0.parse().unwrap());
    sequences.collect()
}

async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it comes to this");
}

#[test]
fn is_not_sent_again_what_it_had_when_it_closed_the_connection_in_order() {
    run(async {
        let collector = Plain::listen().await;
        let chain = Chain::with(5);
        let sinks =
            spawn(&chain, &collector.audit(SyslogTransport::Tcp), Pace { settled_after: Duration::ZERO, ..pace() });
        let mut connection = collector.accept().await;
        assert_eq!(read_until(&mut connection, 5).await, [1, 2, 3, 4, 5]);
        drop(connection);
        until(|| chain.position_of("syslog") == 5).await;
        assert_eq!(sinks.watch().lag().await.unwrap()[0].problem, None);
        chain.add(1);
        assert_eq!(read_until(&mut collector.accept().await, 6).await, [6]);
        sinks.close(PATIENCE).await;
    });
}

#[test]
fn begins_with_the_first_record_where_another_was_before() {
    run(async {
        let chain = Chain::with(5);
        for collector in [Plain::listen().await, Plain::listen().await] {
            let sinks =
                spawn(&chain, &collector.audit(SyslogTransport::Tcp), Pace { settled_after: Duration::ZERO, ..pace() });
            let mut connection = collector.accept().await;
            assert_eq!(read_until(&mut connection, 5).await, [1, 2, 3, 4, 5]);
            drop(connection);
            sinks.close(PATIENCE).await;
        }
    });
}

#[test]
fn is_sent_three_times_at_most_what_it_acknowledges_and_closes_the_connection_at_once() {
    run(async {
        let collector = Plain::listen().await;
        let chain = Chain::with(5);
        let sinks = spawn(&chain, &collector.audit(SyslogTransport::Tcp), Pace { settled_after: PATIENCE, ..pace() });
        for _ in 0..3 {
            assert_eq!(chain.position_of("syslog"), 0);
            assert_eq!(read_until(&mut collector.accept().await, 5).await, [1, 2, 3, 4, 5]);
        }
        until(|| chain.position_of("syslog") == 5).await;
        sinks.close(PATIENCE).await;
    });
}

#[test]
fn is_sent_again_what_it_had_not_read_when_it_closed_the_connection() {
    run(async {
        let collector = Plain::listen().await;
        let chain = Chain::with(5);
        let sinks =
            spawn(&chain, &collector.audit(SyslogTransport::Tcp), Pace { settled_after: Duration::ZERO, ..pace() });
        for _ in 0..6 {
            collector.accept().await.readable().await.unwrap();
        }
        assert_eq!(chain.position_of("syslog"), 0);
        assert_eq!(read_until(&mut collector.accept().await, 5).await, [1, 2, 3, 4, 5]);
        sinks.close(PATIENCE).await;
    });
}

#[test]
fn one_that_accepts_connections_and_takes_nothing_for_good_is_out_until_it_does() {
    run(async {
        let collector = Plain::listen().await;
        let chain = Chain::with(5);
        let patient = Pace { settled_after: Duration::ZERO, note_after: Duration::from_millis(100), ..pace() };
        let sinks = spawn(&chain, &collector.audit(SyslogTransport::Tcp), patient);
        let noted = || chain.outages.lock().unwrap().clone();
        let refuse = async {
            while noted().is_empty() {
                collector.accept().await.readable().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, refuse).await.expect("it is noticed");
        assert_eq!(noted().len(), 1, "{:?}", noted());
        let mut connection = collector.accept().await;
        assert_eq!(read_until(&mut connection, 5).await, [1, 2, 3, 4, 5]);
        assert_eq!(noted().len(), 1, "it has not said yet that it has them: {:?}", noted());
        drop(connection);
        until(|| noted().len() == 2).await;
        assert!(noted()[1].ends_with(": again"), "{:?}", noted());
        sinks.close(PATIENCE).await;
    });
}

#[test]
fn is_not_sent_again_over_tls_what_it_had_when_it_said_that_it_closes() {
    let Some(certificates) = Certificates::find() else { return };
    let chain_of = vec![certificates.certificate("collector").as_der().to_vec().into()];
    let key = PrivateKeyDer::from_pem_file(certificates.path("collector.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain_of, key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    run(async {
        let collector = Plain::listen().await;
        let chain = Chain::with(5);
        let audit = collector.audit(SyslogTransport::Tls(certificates.trusting_ca()));
        let sinks = spawn(&chain, &audit, Pace { settled_after: Duration::ZERO, ..pace() });
        for says_so in [false, true] {
            let mut connection = acceptor.accept(collector.accept().await).await.unwrap();
            assert_eq!(read_until(&mut connection, 5).await, [1, 2, 3, 4, 5]);
            assert_eq!(chain.position_of("syslog"), 0);
            if says_so {
                connection.shutdown().await.unwrap();
            }
        }
        until(|| chain.position_of("syslog") == 5).await;
        sinks.close(PATIENCE).await;
    });
}
