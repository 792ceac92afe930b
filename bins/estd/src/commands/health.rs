//! `estd health`: what a container's health check asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use est_core::pkix::Certificate;
use host::ends::{self, Urgency, What};
use host::known_server::KnownServer;
use host::shell;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConfig, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::output;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Succeeds when the server of this configuration answers over TLS with one of its own certificates, none of which has
/// ended. Where it wants one of its clients, that it asks for it is the answer. Prints what ends soon.
pub(crate) async fn run(config: &Path, address: Option<SocketAddr>) -> Result<()> {
    let settings = super::settings(config)?;
    let address = reachable(address.unwrap_or(settings.server.listen));
    let own = settings.tls.certificates.iter().filter_map(|certificate| certificate.chain.first());
    // By the key: the server may have renewed a certificate whose file it cannot write.
    let own = own.map(Certificate::key_digest).collect();
    let answer = tokio::time::timeout(PATIENCE, ask(address, own)).await;
    let answer = answer.unwrap_or_else(|_| bail!("no answer in {} s", PATIENCE.as_secs()));
    output::line(format!("{address}: {}", answer.with_context(|| address.to_string())?))?;
    let now = shell::now();
    let mut is_over = false;
    for end in ends::of_settings(&settings) {
        if let Some(text) = end.told(now) {
            output::error(format!("warning: {text}"));
        }
        is_over |= end.what == What::Tls && end.urgency(now) == Urgency::Over;
    }
    if is_over {
        bail!("clients refuse a certificate that has ended");
    }
    Ok(())
}

/// From this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whatever names its certificates have and whenever they end.
async fn ask(address: SocketAddr, own: Vec<[u8; 32]>) -> Result<String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(KnownServer::by_keys(&provider, own));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    let talk = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok(head)
    };
    let head = match talk.await {
        Ok(head) => head,
        Err(error) if wants_certificate(&error) => {
            return Ok("it serves HTTPS, and asks for a client certificate".to_owned());
        }
        Err(error) => return Err(error.into()),
    };
    // No resource has this path: a status of HTTP tells that the server reads and writes.
    match std::str::from_utf8(&head) {
        Ok(line) if line.starts_with("HTTP/1.1 ") => Ok("it serves HTTPS".to_owned()),
        _ => bail!("it does not speak HTTP"),
    }
}

fn wants_certificate(error: &std::io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(tls, Some(Error::AlertReceived(AlertDescription::CertificateRequired)))
}
