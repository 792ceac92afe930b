//! The connection to a syslog collector.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tls;

/// How long connecting may take, the handshake of TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// How long a collector may leave what is sent to it unacknowledged by TCP, or unread until there is no room for more.
/// Then the connection ends, and what went with it is sent again.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(20);

/// How long a collector that is told to may take to close the connection.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Where a collector listens, and by what transport.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls(Arc<ClientConfig>),
}

/// An open connection.
pub(super) enum Connection {
    Udp(UdpSocket),
    Stream(Stream),
}

impl Connection {
    pub(super) async fn open(address: &Address) -> io::Result<Self> {
        timeout(CONNECT_WITHIN, Self::connect(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect(Address { host, port, transport }: &Address) -> io::Result<Self> {
        if let Transport::Udp = transport {
            let mut addresses = tokio::net::lookup_host((host.as_str(), *port)).await?;
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            return Ok(Self::Udp(socket));
        }
        let tcp = TcpStream::connect((host.as_str(), *port)).await?;
        sockopt::set_socket_keepalive(&tcp, true)?;
        sockopt::set_tcp_keepidle(&tcp, ACKNOWLEDGE_WITHIN)?;
        let millis = u32::try_from(ACKNOWLEDGE_WITHIN.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(&tcp, millis)?;
        let stream = match transport {
            Transport::Tls(config) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Stream::new(TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(tls::explained)?)
            }
            Transport::Udp | Transport::Tcp => Stream::new(tcp),
        };
        Ok(Self::Stream(stream))
    }

    /// Sends the messages in their order. When this returns, the operating system has them, and nobody knows more:
    /// syslog has no acknowledgement.
    pub(super) async fn send(&mut self, messages: &[String]) -> io::Result<()> {
        if !self.is_open() {
            return Err(self.ended().await);
        }
        match self {
            Self::Udp(socket) => {
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                // That nobody listens is told to the next who sends, unless one asks.
                socket.take_error()?.map_or(Ok(()), Err)
            }
            Self::Stream(stream) => {
                // Octet counting (RFC 5425 §4.3, RFC 6587 §3.4.1): no message can be taken for two.
                let frames: String = messages.iter().map(|message| format!("{} {message}", message.len())).collect();
                let write = async {
                    stream.writer.write_all(frames.as_bytes()).await?;
                    stream.writer.flush().await
                };
                timeout(ACKNOWLEDGE_WITHIN, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Waits until the collector ends the connection, and tells how.
    pub(super) async fn ended(&mut self) -> io::Error {
        match self {
            // What comes back to a datagram socket is told to the next who sends.
            Self::Udp(_) => std::future::pending().await,
            Self::Stream(stream) => match (&mut stream.reader).await {
                Ok(Ok(())) => io::Error::other("the collector closed the connection"),
                Ok(Err(error)) => tls::explained(error),
                Err(error) => error.into(),
            },
        }
    }

    /// Whether the collector has not ended the connection.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Udp(_) => true,
            Self::Stream(stream) => !stream.reader.is_finished(),
        }
    }

    /// Ends the connection in order, with TLS's close_notify, and waits for the collector to do the same. Whether it
    /// did: it then has read all that it was sent. Some never send a close_notify of their own; the end of a TCP
    /// connection alone is something that anybody on the way can make up.
    pub(super) async fn close(mut self) -> bool {
        let is_open = self.is_open();
        let Self::Stream(stream) = &mut self else { return true };
        let close = async {
            stream.writer.shutdown().await?;
            (&mut stream.reader).await.map_err(io::Error::from)?
        };
        is_open && matches!(timeout(CLOSE_WITHIN, close).await, Ok(Ok(())))
    }
}

/// A connection that octets are sent over, and on which the collector says nothing but that it ends.
pub(super) struct Stream {
    writer: WriteHalf<Box<dyn Duplex>>,
    reader: JoinHandle<io::Result<()>>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

impl Stream {
    fn new(stream: impl Duplex + 'static) -> Self {
        let (mut reader, writer) = tokio::io::split(Box::new(stream) as Box<dyn Duplex>);
        // Reading is also how TLS learns of tickets, new keys and alerts.
        let reader = tokio::spawn(async move {
            let mut ignored = [0; 512];
            while reader.read(&mut ignored).await? > 0 {}
            Ok(())
        });
        Self { writer, reader }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
