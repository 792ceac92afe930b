//! A client that sends exactly the octets that a test wants, over real TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

/// Long enough for every machine: a test that reaches it has found a server that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's address, its anchor, and the client's credential.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// A TLS connection.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// An HTTP/1.1 response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines, as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client without a certificate that trusts the CA in the file `ca`, PEM.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn new(port: u16, ca: &Path) -> Self {
        Self::build(port, ca, None, DEFAULT_VERSIONS)
    }

    /// As [`new`](Self::new), for one version of TLS.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn of_version(port: u16, ca: &Path, version: &'static SupportedProtocolVersion) -> Self {
        Self::build(port, ca, None, &[version])
    }

    /// A client that shows `chain`, DER, leaf first, whatever that is, and signs with the key in `key`, PEM.
    ///
    /// # Panics
    /// When there is no key.
    #[must_use]
    pub fn showing(port: u16, ca: &Path, chain: &[Vec<u8>], key: &str) -> Self {
        Self::showing_over(DEFAULT_VERSIONS, port, ca, chain, key)
    }

    /// As [`showing`](Self::showing), for these versions of TLS.
    ///
    /// # Panics
    /// When there is no key.
    #[must_use]
    pub fn showing_over(
        versions: &[&'static SupportedProtocolVersion],
        port: u16,
        ca: &Path,
        chain: &[Vec<u8>],
        key: &str,
    ) -> Self {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key, PEM");
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key that can sign");
        let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.clone())).collect();
        let mut client = Self::build(port, ca, None, versions);
        let config = Arc::make_mut(&mut client.config);
        config.client_auth_cert_resolver = Arc::new(Unchecked(Arc::new(CertifiedKey::new(chain, key))));
        client
    }

    /// A client that shows the certificate in the file `certificate` and has the key in the file `key`, PEM.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn with_certificate(port: u16, ca: &Path, certificate: &Path, key: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate).expect("a certificate file");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates, PEM");
        Self::build(port, ca, Some((chain, PrivateKeyDer::from_pem_file(key).expect("a key file"))), DEFAULT_VERSIONS)
    }

    /// The same client, which offers HTTP/2 alone in the handshake; what it sends is up to the test as ever.
    #[must_use]
    pub fn offering_http2(mut self) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![b"h2".to_vec()];
        self
    }

    fn build(
        port: u16,
        ca: &Path,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).expect("the CA's file") {
            roots.add(certificate.expect("a certificate, PEM")).expect("a CA certificate");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that the provider has")
            .with_root_certificates(roots);
        let config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a key that fits"),
            None => builder.with_no_client_auth(),
        };
        Self { address: ([127, 0, 0, 1], port).into(), config: Arc::new(config) }
    }

    /// Connects by TCP and TLS.
    ///
    /// # Errors
    /// What the system or the server says.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        let mut connection = StreamOwned::new(connection, stream);
        while connection.conn.is_handshaking() {
            connection.conn.complete_io(&mut connection.sock)?;
        }
        Ok(connection)
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends octets on a connection of their own and reads the response.
    ///
    /// # Errors
    /// What the system or the server says, or that it answered with something other than HTTP.
    pub fn exchange(&self, request: &[u8]) -> io::Result<Response> {
        let mut connection = self.connect()?;
        // A server may answer and close before it has read everything.
        let _ = connection.write_all(request).and_then(|()| connection.flush());
        read_response(&mut connection)
    }

    /// Posts `body` as `application/pkcs10`, with a password if there is one.
    ///
    /// # Panics
    /// When there is no response.
    #[must_use]
    pub fn enroll(&self, path: &str, password: Option<&str>, body: &[u8]) -> Response {
        self.exchange(&post(path, password, body)).expect("a response")
    }
}

/// Shows a certificate without a look at it.
#[derive(Debug)]
struct Unchecked(Arc<CertifiedKey>);

impl ResolvesClientCert for Unchecked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The octets of a POST of `application/pkcs10` that closes its connection.
#[must_use]
pub fn post(path: &str, password: Option<&str>, body: &[u8]) -> Vec<u8> {
    post_as(path, password.map(|password| ("", password)), body)
}

/// As [`post`], with a user name and a password.
#[must_use]
pub fn post_as(path: &str, credential: Option<(&str, &str)>, body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST /.well-known/est{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if let Some((user, password)) = credential {
        request.push_str(&format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes())));
    }
    request.push_str(&format!("Content-Type: application/pkcs10\r\nContent-Length: {}\r\n\r\n", body.len()));
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    request
}

/// Base64 in one line.
#[must_use]
pub fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

/// Undoes [`base64()`]; line breaks are skipped.
///
/// # Panics
/// When the text is something else.
#[must_use]
pub fn decode_base64(text: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let dense: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(dense).expect("base64")
}

/// Reads one response: its body by Content-Length, or to the end of the connection.
///
/// # Errors
/// What the system says, or that it is not HTTP.
pub fn read_response(connection: &mut impl Read) -> io::Result<Response> {
    let mut octets = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some((response, _)) = split_response(&octets)? {
            return Ok(response);
        }
        match connection.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => octets.extend_from_slice(&chunk[..count]),
            // Closed without close_notify: what came before counts.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    let (response, _) =
        split_response(&octets)?.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no complete response"))?;
    Ok(response)
}

/// Reads until the server closes the connection, however it does that; returns every octet that came.
///
/// What is not sent yet stays unsent: a server that has closed its side takes no more, but what it said can be read.
pub fn read_to_end(connection: &mut Connection) -> Vec<u8> {
    let mut octets = Vec::new();
    while connection.conn.read_tls(&mut connection.sock).is_ok_and(|count| count > 0) {
        let is_sound = connection.conn.process_new_packets().is_ok();
        // Reading to the end of what is there ends with `WouldBlock`, which keeps what was read.
        let _ = connection.conn.reader().read_to_end(&mut octets);
        if !is_sound {
            break;
        }
    }
    octets
}

/// Takes the first response off `octets`: itself and what follows it, or `None` while it is not complete. Skips
/// `100 Continue`.
///
/// # Errors
/// That it is not HTTP/1.1.
pub fn split_response(octets: &[u8]) -> io::Result<Option<(Response, &[u8])>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP/1.1 response");
    let Some(end) = octets.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&octets[..end]).map_err(|_| invalid())?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().ok_or_else(invalid)?;
    let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or_else(invalid)?;
    let status: u16 = status.parse().map_err(|_| invalid())?;
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect::<Option<_>>()
        .ok_or_else(invalid)?;
    if status == 100 {
        return split_response(&octets[end + 4..]);
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some((_, length)) => length.parse().map_err(|_| invalid())?,
        None => 0,
    };
    let body = &octets[end + 4..];
    Ok(body.split_at_checked(length).map(|(body, rest)| (Response { status, headers, body: body.to_vec() }, rest)))
}

impl Response {
    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The one certificate of an enrollment's answer, DER.
    ///
    /// # Panics
    /// When it is something else.
    pub fn certificate(&self) -> Vec<u8> {
        assert_eq!(self.status, 200, "{}", self.text());
        let mut certificates = est_core::pkix::read_certs_only(&decode_base64(&self.body)).expect("certs-only");
        assert_eq!(certificates.len(), 1, "the leaf alone");
        certificates.remove(0)
    }
}
