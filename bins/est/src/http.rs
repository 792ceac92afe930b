//! One HTTP/1.1 connection over TLS.

use std::error::Error;
use std::io;

use est_core::TlsExporter;
use est_core::client::{Call, MAX_BODY_BYTES, Received};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::output::{Again, Failure};
use crate::server_url::ServerUrl;
use crate::tls;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// What binds a request to this connection. In TLS 1.2 only where the extended master secret was demanded.
    pub(crate) exporter: TlsExporter,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No connection.
    Connect(io::Error),
    /// The handshake failed, or the server ended the connection with an alert.
    Tls(rustls::Error),
    /// The connection ended, or something other than HTTP came.
    Http(Box<dyn Error + Send + Sync>),
}

impl Connection {
    pub(crate) async fn open(server: &ServerUrl, tls: &TlsConnector) -> Result<Self, Broken> {
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(Broken::Connect)?;
        stream.set_nodelay(true).map_err(Broken::Connect)?;
        let stream = tls.connect(server.name(), stream).await.map_err(|error| Broken::from_chain(Box::new(error)))?;
        let exporter = stream.get_ref().1.export_keying_material([0; 32], TlsExporter::LABEL, Some(b""));
        let exporter = TlsExporter(exporter.map_err(Broken::Tls)?);
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Broken::from_chain(Box::new(error)))?;
        // Whatever ends the connection also ends the request that waits on it.
        tokio::spawn(connection);
        Ok(Self { sender, exporter })
    }

    /// Whether another request can be sent, now or soon.
    pub(crate) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        self.sender.send_request(request).await.map_err(|error| Broken::from_chain(Box::new(error)))
    }
}

/// The request for a call. The path has been checked where it came from: the command line, or percent-encoding.
pub(crate) fn request(call: &Call, authority: &str) -> Result<Request<Full<Bytes>>, Broken> {
    let mut builder =
        Request::builder().method(call.method).uri(&call.path).header(HOST, authority).header(ACCEPT, "*/*");
    for (name, value) in &call.headers {
        let value = HeaderValue::from_str(value).map(|mut value| {
            value.set_sensitive(*name == "Authorization");
            value
        });
        builder = builder.header(*name, value.map_err(|error| Broken::Http(Box::new(error)))?);
    }
    builder.body(Full::new(Bytes::from(call.body.clone()))).map_err(|error| Broken::Http(Box::new(error)))
}

impl Reply {
    pub(crate) async fn collect(response: Response<Incoming>) -> Result<Self, Broken> {
        let (head, body) = response.into_parts();
        let headers =
            head.headers.iter().map(|(name, value)| (name.as_str().to_string(), value.as_bytes().to_vec())).collect();
        // One octet more than the limit, so that the reader of the answer sees that it is too long.
        let body = Limited::new(body, MAX_BODY_BYTES + 1).collect().await.map_err(Broken::from_chain)?;
        Ok(Self { status: head.status.as_u16(), headers, body: body.to_bytes().to_vec() })
    }

    /// Lends the response to its reader.
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&Received<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        reader(&Received { status: self.status, headers: &headers, body: &self.body })
    }
}

impl Broken {
    /// Finds the TLS error inside, if that is what it was: with TLS 1.3 the server's verdict on the client
    /// certificate arrives with the first read.
    fn from_chain(error: Box<dyn Error + Send + Sync>) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
        while let Some(at) = cause {
            if let Some(tls) = at.downcast_ref::<rustls::Error>() {
                return Self::Tls(tls.clone());
            }
            // An io::Error made from another error has that one inside, and not as its source.
            let inside = at.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(tls) = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>()) {
                return Self::Tls(tls.clone());
            }
            cause = at.source();
        }
        Self::Http(error)
    }

    /// What happened and what to do about it.
    pub(crate) fn explain(&self, server: &ServerUrl) -> String {
        match self {
            Self::Connect(error) => format!("{} cannot be reached: {error}", server.authority()),
            Self::Tls(error) => tls::explain(error),
            Self::Http(error) => {
                let mut text = format!("the connection to {} broke: {error}", server.authority());
                let mut cause = error.source();
                while let Some(at) = cause {
                    text.push_str(&format!(": {at}"));
                    cause = at.source();
                }
                text
            }
        }
    }

    /// Whether another connection may do better.
    pub(crate) fn again(&self) -> Again {
        match self {
            Self::Connect(_) => Again::Soon,
            Self::Tls(error) => tls::again(error),
            // A server that goes away, or a balancer in front of one that has gone, ends the connection.
            Self::Http(error) => match error.downcast_ref::<hyper::Error>() {
                Some(error) if error.is_parse() => Again::Later,
                _ => Again::Soon,
            },
        }
    }

    pub(crate) fn to_failure(&self, server: &ServerUrl) -> Failure {
        Failure { again: self.again(), ..Failure::error(self.explain(server)) }
    }

    /// A word for statistics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Http(_) => "connection",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_alert_inside_an_io_error() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let broken = Broken::from_chain(Box::new(io::Error::new(io::ErrorKind::InvalidData, alert.clone())));
        assert!(matches!(broken, Broken::Tls(found) if found == alert));
        let broken = Broken::from_chain(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert!(matches!(broken, Broken::Http(_)));
    }

    #[test]
    fn asks_again_after_what_passes_and_not_after_a_verdict() {
        use rustls::{AlertDescription, CertificateError, Error};
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe] {
            assert_eq!(Broken::from_chain(Box::new(io::Error::from(kind))).again(), Again::Soon, "{kind}");
        }
        assert_eq!(Broken::Connect(io::Error::from(io::ErrorKind::ConnectionRefused)).again(), Again::Soon);
        for alert in [AlertDescription::InternalError, AlertDescription::CloseNotify] {
            assert_eq!(Broken::Tls(Error::AlertReceived(alert)).again(), Again::Soon, "{alert:?}");
        }
        for alert in [AlertDescription::CertificateRequired, AlertDescription::UnknownCA] {
            assert_eq!(Broken::Tls(Error::AlertReceived(alert)).again(), Again::Later, "{alert:?}");
        }
        let untrusted = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(Broken::Tls(untrusted).again(), Again::Later);
    }
}
